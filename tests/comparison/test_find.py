"""Which folders are runs, and what is said of those that do not count."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from zoo.comparison import LeftOut, Run, folders, words
from zoo.comparison.find import natural, read_run, read_runs
from zoo.config import ConfigError

Leave = Callable[..., Path]


def test_runs_are_found_wherever_they_lie(leave: Leave, runs: Path) -> None:
    for name in ("0_a", "10_a", "2_a", "sweep/nested/0_a", "ünï cödé"):
        leave(name, 0.5)
    (runs / "notes").mkdir()
    (runs / "other").mkdir()
    (runs / "other" / "config.yaml").write_text("x: 1")  # another program's
    (runs / ".hidden").mkdir()
    (runs / ".hidden" / "metrics.json").write_text("{}")
    found, left_out = read_runs([runs])
    names = [run.folder.relative_to(runs).as_posix() for run in found]
    assert names == ["0_a", "2_a", "10_a", "sweep/nested/0_a", "ünï cödé"]
    assert left_out == []
    assert found[0].settings["choices.model"] == "fnn"
    assert found[0].settings["optimizer.betas"] == [0.9, 0.999]


def test_a_run_is_counted_once(leave: Leave, runs: Path) -> None:
    run = leave("0_a", 0.5)
    (runs / "loop").symlink_to(runs, target_is_directory=True)
    (runs / "link").symlink_to(run, target_is_directory=True)
    found, _ = read_runs([runs, run, Path(f"{runs}/")])
    assert len(found) == 1


def test_one_run_may_be_named(leave: Leave) -> None:
    found, _ = read_runs([leave("0_a", 0.5)])
    assert len(found) == 1


def unreadable(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("metrics.json", b'{"test/accuracy": 0.', "metrics.json cannot be read"),
        ("metrics.json", b"\xff\xfe\x00", "metrics.json cannot be read"),
        ("metrics.json", b"[1, 2]", "metrics.json holds a list"),
        ("metrics.json", b"", "metrics.json cannot be read"),
        ("config.yaml", b"a: [1,\nb: }", "config.yaml cannot be read"),
        ("config.yaml", b"a: !!python/name:os.system", "config.yaml cannot be read"),
        ("config.yaml", b"x: 1", "no `choices`"),
    ],
)
def test_broken_files_are_named(name: str, content: bytes, words: str, leave: Leave) -> None:
    found = read_run(unreadable(leave("0_a", 0.5), name, content))
    assert isinstance(found, LeftOut)
    assert found.kind == "broken"
    assert words in found.why


def test_failed_jobs_say_why(leave: Leave) -> None:
    folder = leave("0_a")
    (folder / "failure.json").write_text(json.dumps({"reason": "the loss is nan\nat step 4"}))
    assert read_run(folder) == LeftOut(folder, "failed", "the loss is nan at step 4")
    (folder / "config.yaml").unlink()  # it failed before it had one
    assert read_run(folder) == LeftOut(folder, "failed", "the loss is nan at step 4")
    (folder / "failure.json").write_text("{")
    assert read_run(folder) == LeftOut(folder, "failed", "failure.json cannot be read")


def test_a_job_that_succeeded_later_is_finished(leave: Leave) -> None:
    folder = leave("0_a", 0.5)
    (folder / "failure.json").write_text('{"reason": "no memory"}')
    assert isinstance(read_run(folder), Run)


def test_unfinished_runs_say_how_far_they_are(leave: Leave, events: Callable[..., Path]) -> None:
    folder = leave("0_a")
    assert read_run(folder) == LeftOut(folder, "unfinished", "no metrics.json, no step yet")
    events(folder, {"val/loss": [(19, 0.5), (4_039, 0.3)]})
    assert read_run(folder) == LeftOut(folder, "unfinished", "no metrics.json, step 4,039 so far")


def test_numbers_alone_are_a_run(tmp_path: Path) -> None:
    row = {"model": "gru", "data": "digits", "seed": 3, "test/accuracy": 0.5}
    (tmp_path / "metrics.json").write_text(json.dumps(row))
    found = read_run(tmp_path)
    assert isinstance(found, Run)
    assert (found.seed, found.settings["choices.model"]) == (3, "gru")
    (tmp_path / "metrics.json").write_text('{"accuracy": 1}')
    assert read_run(tmp_path) is None  # another program's


def test_no_run_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no run below .*; a run folder has a config\.yaml"):
        read_runs([tmp_path])
    with pytest.raises(ConfigError, match="nowhere is not a folder"):
        read_runs([tmp_path / "nowhere"])


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("a,b", ["a", "b"]),
        ("[a, b]", ["a", "b"]),
        ("a", ["a"]),
        ("['a b',\"c\"]", ["a b", "c"]),
        (["a", "b"], ["a", "b"]),
        (2026, ["2026"]),
        ("[]", []),
    ],
)
def test_lists_are_typed_with_and_without_brackets(typed: object, meant: list[str]) -> None:
    assert words(typed) == meant


def test_folders_may_have_commas_and_stars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("0_model=fnn,seed=0", "0_model=fnn,seed=1", "plain", "s2", "s10"):
        Path(name).mkdir()
    Path("s3").touch()
    typed = words("[0_model=fnn,seed=1,plain,0_model=fnn,seed=0,s*]")
    names = [str(folder) for folder in folders(typed)]
    assert names == ["0_model=fnn,seed=1", "plain", "0_model=fnn,seed=0", "s2", "s10"]
    with pytest.raises(ConfigError, match="runs: nowhere does not exist"):
        folders(["plain", "nowhere"])
    with pytest.raises(ConfigError, match="runs: s3 is not a folder"):
        folders(["s3"])


def test_two_comes_before_ten() -> None:
    names = ["10_a", "9_b", "a", "²", "1_c"]
    assert sorted(names, key=natural)[:3] == ["1_c", "9_b", "10_a"]
