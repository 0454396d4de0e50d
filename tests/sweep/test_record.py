"""What a sweep's folder says: a record that is whole, or a sentence."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from zoo.config import ConfigError
from zoo.sweeps import record
from zoo.sweeps.record import Entry, Record


@pytest.fixture
def whole(tmp_path: Path) -> Record:
    """A record that is written to tmp_path, with two runs."""
    kept = Record(
        command=["model=fnn"],
        jobs=[Entry("0_a", "a", ["seed=0"]), Entry("1_b", "", [])],
        axes={"seed": ["0", "1"]},
        seeds=2,
        report={"metric": "test/loss"},
        search=None,
        threads=1,
        devices=0,
        cwd="/",
        config_dir=None,
        created="now",
        versions={"zoo": "0"},
        commit=None,
    )
    kept.write(tmp_path)
    return kept


def test_it_is_read_as_it_was_written(whole: Record, tmp_path: Path) -> None:
    assert record.load(tmp_path) == whole
    assert [file.name for file in tmp_path.iterdir()] == ["sweep.json"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: text.replace('"threads"', '"threds"'),
        lambda text: text.replace('"label"', '"labl"'),
    ],
    ids=["half", "empty", "list", "key", "entry"],
)
def test_a_damaged_record_is_said_to_be(
    spoil: Callable[[str], str], whole: Record, tmp_path: Path
) -> None:
    file = tmp_path / "sweep.json"
    file.write_text(spoil(file.read_text()))
    with pytest.raises(ConfigError, match="sweep.json is damaged .*one by one") as error:
        record.load(tmp_path)
    assert len(str(error.value).splitlines()) == 1


def test_another_version_is_refused(whole: Record, tmp_path: Path) -> None:
    file = tmp_path / "sweep.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": 2}))
    with pytest.raises(ConfigError, match="is of another version of the zoo"):
        record.load(tmp_path)


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (None, "there is no sweep in"),
        ("config.yaml", "is one run; continue it with: zoo-train resume="),
        ("multirun.yaml", "is of zoo-train -m"),
        ("0_seed=0/config.yaml", "was never launched: it has no sweep.json; start it anew"),
    ],
)
def test_a_folder_without_a_record(file: str | None, sentence: str, tmp_path: Path) -> None:
    if file:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    with pytest.raises(ConfigError, match=sentence):
        record.load(tmp_path)
    with pytest.raises(ConfigError, match="there is no folder"):
        record.load(tmp_path / "nowhere")


def test_how_far_a_run_has_come(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert record.failure(run) == "its folder was removed, and its frozen config with it"
    run.mkdir()
    assert record.failure(run) == "its config.yaml was removed"
    (run / "config.yaml").touch()
    assert record.failure(run) is None
    record.write_failure(run, "the loss is ∞", "2026")
    assert record.failure(run) == "the loss is ∞"
    assert json.loads((run / "failure.json").read_text()) == {
        "reason": "the loss is ∞",
        "time": "2026",
    }
    (run / "failure.json").write_text("{")
    assert record.failure(run) == "it has failed, and its failure.json cannot be read"
    assert not record.finished(run)
    (run / "metrics.json").touch()
    assert record.finished(run)
    assert record.failure(run) is None


def test_a_removed_folder_stays_removed(tmp_path: Path) -> None:
    record.write_failure(tmp_path / "gone", "why", "when")
    assert not (tmp_path / "gone").exists()


def test_the_commit_is_the_checkouts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "conf_dir", lambda: tmp_path / "conf")
    assert record.commit() is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=b"]
    subprocess.run([*git, "init", "-q"], check=True)
    (tmp_path / "file").touch()
    subprocess.run([*git, "add", "file"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "x"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert record.commit() == head.stdout.strip()
    (tmp_path / "file").write_text("changed")
    assert record.commit() == f"{head.stdout.strip()}-dirty"
