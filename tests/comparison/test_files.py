"""What is written: readable by other programs, whole, and the same place again and again."""

import csv
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from zoo.comparison import Comparison, compare, report
from zoo.config import ConfigError

Leave = Callable[..., Path]
NAME = 'ours, "x" | ünï'


@pytest.fixture
def some(leave: Leave, runs: Path) -> Path:
    """Two groups of two seeds, one of them with an awkward name, and a run that failed."""
    for seed in (0, 1):
        leave(f"a{seed}", 0.9 + seed / 100, seed=seed, name=NAME, metrics={"cost/flops": 1e6})
        leave(f"b{seed}", 0.8, seed=seed, model="cnn", metrics={"cost/flops": 2e6, "cost/x": None})
    (leave("c") / "failure.json").write_text('{"reason": "no memory"}')
    return runs


@pytest.fixture
def written(some: Path) -> Comparison:
    """A comparison, written among the runs."""
    return report([some])


def test_json_holds_everything(written: Comparison, runs: Path) -> None:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    text = (runs / "comparison.json").read_text(encoding="utf-8")
    found = json.loads(text, parse_constant=refuse)
    [ranking] = found["rankings"]
    best, other = ranking["groups"]
    assert (best["group"], best["mean"], best["n"]) == (NAME, pytest.approx(0.905), 2)
    assert [seed["value"] for seed in best["seeds"]] == [0.9, 0.91]
    assert [seed["run"] for seed in best["seeds"]] == ["a0", "a1"]
    assert (other["difference"], other["pairs"]) == (pytest.approx(-0.105), 2)
    assert found["left_out"] == [{"run": "c", "kind": "failed", "why": "no memory"}]
    assert found["figures"] == ["comparison/scores.png", "comparison/costs.png"]


def test_csv_is_read_back(written: Comparison, runs: Path) -> None:
    raw = (runs / "comparison.csv").read_bytes()
    assert raw.count(b"\r\n") == raw.count(b"\n") == 3  # RFC 4180
    with open(runs / "comparison.csv", encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert [row["group"] for row in rows] == [NAME, "cnn"]
    assert float(rows[0]["mean"]) == written.rankings[0].groups[0].score.mean
    assert [row["flops"] for row in rows] == ["1000000.0", "2000000.0"]
    assert [row["name"] for row in rows] == [NAME, ""]
    assert rows[0]["difference"] == ""


def test_markdown_links_what_is_there(written: Comparison, runs: Path) -> None:
    text = (runs / "comparison.md").read_text(encoding="utf-8")
    links = re.findall(r"!\[.*?\]\((.*?)\)", text)
    assert len(links) == 2
    assert all((runs / link).is_file() for link in links)
    assert 'ours, "x" \\| ünï' in text
    assert "failed: `c`: no memory" in text


def test_tensorboard_shows_the_table_and_the_figures(written: Comparison, runs: Path) -> None:
    shown = EventAccumulator(str(runs / "comparison")).Reload()
    assert shown.Tags()["images"] == ["scores", "costs"]
    [image] = shown.Images("scores")
    assert image.encoded_image_string == (runs / "comparison" / "scores.png").read_bytes()
    [text] = shown.Tensors("comparison")
    assert b"| cnn | 0.8000" in text.tensor_proto.string_val[0]


def test_again_replaces_its_own_files_and_no_other(some: Path, leave: Leave) -> None:
    place = some / "comparison"
    place.mkdir()
    (place / "mine.png").touch()
    (place / "events.out.tfevents.1.mine").touch()
    first = report([some])
    assert {file for file in first.files if not file.is_file()} == set()
    leave("other", 0.5, choices__data="moons")
    second = report([some])
    names = {file.name for file in place.iterdir()}
    assert {"mine.png", "events.out.tfevents.1.mine"} < names
    assert "scores.png" not in names  # now one for each data set
    assert {"digits-scores.png", "moons-scores.png"} < names
    assert sum(name.endswith(".comparison") for name in names) == 1
    assert len(second.rankings) == 2
    assert not [name for name in os.listdir(some) if name.startswith(".")]
    assert first.rankings[0] == next(r for r in second.rankings if r.data == "digits")


def test_a_running_tensorboard_forgets_the_former(some: Path) -> None:
    report([some])
    shown = EventAccumulator(str(some / "comparison")).Reload()
    report([some])
    assert len(shown.Reload().Images("scores")) == 1


def test_elsewhere(some: Path, tmp_path: Path) -> None:
    before = sorted(some.rglob("*"))
    found = report([some], out=tmp_path / "new" / "place")
    assert sorted(some.rglob("*")) == before
    assert all(file.is_relative_to(tmp_path / "new" / "place") for file in found.files)
    text = (tmp_path / "new" / "place" / "comparison.json").read_text()
    assert json.loads(text)["left_out"][0]["run"] == str(some / "c")


def test_where_nothing_can_be_written(some: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"cannot write .*file.*; choose another .* out=<folder>"):
        report([some], out=tmp_path / "file")


def test_a_failure_leaves_the_former_files(
    some: Path, monkeypatch: pytest.MonkeyPatch, leave: Leave
) -> None:
    report([some])
    before = (some / "comparison.json").read_bytes()
    leave("more", 0.99, model="gru")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left"):
        report([some])
    assert (some / "comparison.json").read_bytes() == before
    assert not [file for file in some.rglob(".*")]


def test_what_is_printed(some: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report([some])
    lines = capsys.readouterr().out.splitlines()
    assert "test/accuracy on digits: 2 groups, more is better" in lines
    assert "left out: 1 failed" in lines
    assert lines[-1].startswith("look   tensorboard --logdir ")
    assert sum("±" in line and "standard deviation" in line for line in lines) == 1


def test_many_left_out_runs_are_all_in_the_file(
    leave: Leave, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leave("good", 0.5)
    for index in range(30):
        leave(f"{index}")
    report([runs])
    out = capsys.readouterr().out
    assert "left out: 30 unfinished" in out
    assert "and 10 more, see comparison.md" in out
    assert (runs / "comparison.md").read_text().count("- unfinished: `") == 30


def test_the_example_in_the_package(some: Path) -> None:
    import zoo.comparison

    example = zoo.comparison.__doc__
    assert example is not None
    assert "zoo.comparison.compare([Path(" in example
    for group in compare([some]).rankings[0].groups:
        assert group.score.low is not None
