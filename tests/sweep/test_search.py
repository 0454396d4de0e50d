"""A search keeps its books: what was tried, given up, failed; and goes on where it was killed."""

import csv
import json
import math
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from zoo.config import register_resolvers
from zoo.sweeps import findings, study
from zoo.sweeps.loop import Task
from zoo.sweeps.record import load
from zoo.sweeps.search import Search, settled

optuna = pytest.importorskip("optuna")
LINE = (
    *("model=linear", "data=iris", "search=optuna", "trials=6"),
    *("search.sampler.startup_trials=4", "search.pruner.startup_trials=2"),
    *("search.pruner.warmup_epochs=1", "+search.space.scheduler=[none,cosine]"),
    *("+search.space.optimizer.betas=[[0.9,0.999],[0.8,0.99]]", "search.space.data.batch_size=[9]"),
)


@pytest.fixture
def folder(
    launched: Callable[..., Path],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A search that is about to begin; launched once, and copied."""
    kept = tmp_path_factory.getbasetemp() / "launched"
    if not kept.exists():
        monkeypatch.setattr("zoo.sweeps.launch_search.check_space", lambda *_: None)  # takes long
        shutil.copytree(launched(*LINE), kept)
        return tmp_path / "mine"
    register_resolvers()
    return Path(shutil.copytree(kept, tmp_path / "mine"))


def loss(task: Task) -> float:
    """Of a made-up run: best at a learning rate of 0.01."""
    config = yaml.safe_load((task.folder / "config.yaml").read_text())
    return (math.log10(config["optimizer"]["lr"]) + 2) ** 2


def finish(search: Search, task: Task, value: float) -> str:
    row = {"val/loss": 9.0, "best/loss": value, "best/epoch": 3.0, "test/loss": -value}
    (task.folder / "metrics.json").write_text(json.dumps(row))
    return search.ended(task, "finished", "", 1.0)


def states(search: Search) -> list[str]:
    return [trial.state.name for trial in search.study.trials]


def test_trials_are_counted_and_their_configs_hold_what_was_chosen(folder: Path) -> None:
    search = Search(folder, load(folder))
    values = []
    while search.left:
        task = search.next()
        config = yaml.safe_load((task.folder / "config.yaml").read_text())
        chosen = search.known(task.number).params
        assert config["optimizer"]["lr"] == chosen["optimizer.lr"]
        assert config["choices"]["scheduler"] == chosen["scheduler"]
        assert bool(config["scheduler"]) == (chosen["scheduler"] == "cosine")
        assert (
            json.dumps(config["optimizer"]["betas"]).replace(" ", "") == chosen["optimizer.betas"]
        )
        assert config["run_dir"] == str(task.folder)
        assert config["callbacks"]["checkpoint"]["dirpath"] == f"{task.folder}/checkpoints"
        assert task.folder.name.startswith(f"{task.number}_lr=")
        assert f"optimizer.lr={chosen['optimizer.lr']}" in task.words
        values.append(loss(task))
        finish(search, task, values[-1])
    assert states(search) == ["COMPLETE"] * 6
    assert [trial.value for trial in search.study.trials] == values
    assert search.study.best_value == min(values)


def test_hopeless_trials_are_given_up_by_what_they_report(folder: Path) -> None:
    search = Search(folder, load(folder))
    for value in (1.0, 2.0, 3.0):
        task = search.next()
        for epoch in (1, 2, 3):
            hopeless = epoch > 1 and value == 3.0  # the first epoch is not judged
            assert search.heard(task, {"epoch": epoch, "value": value}) == {"prune": hopeless}
        if value < 3:
            finish(search, task, value)
    line = search.ended(task, "pruned", "", 1.0)
    assert "given up after epoch 3: worse than the median of the others" in line
    assert states(search) == ["COMPLETE", "COMPLETE", "PRUNED"]
    assert "given up" in json.loads((task.folder / "failure.json").read_text())["reason"]


def test_failures_and_numbers_that_are_none_are_failed_trials(folder: Path) -> None:
    search = Search(folder, load(folder))
    search.ended(search.next(), "failed", "the loss is nan at step 3", 1.0)
    task = search.next()
    (task.folder / "metrics.json").write_text('{"best/loss": null, "test/loss": 0.1}')
    assert "it has no val/loss that is a number" in search.ended(task, "finished", "", 1.0)
    assert states(search) == ["FAIL", "FAIL"]
    assert search.study.trials[0].user_attrs["reason"] == "the loss is nan at step 3"
    assert search.left == 4


def test_a_killed_search_goes_on_with_what_it_had(folder: Path) -> None:
    killed = Search(folder, load(folder))
    finish(killed, killed.next(), 1.0)
    running, done = killed.next(), killed.next()
    killed.heard(running, {"epoch": 1, "value": 5.0})
    config = (running.folder / "config.yaml").read_text()
    # The last one has come to its end, but nobody was left to hear of it; and half a line is left.
    (done.folder / "metrics.json").write_text('{"best/loss": 0.5, "test/loss": 7}')
    with open(folder / study.JOURNAL, "ab") as journal:
        journal.write(b'{"op_code": 4, "worker')
    os.symlink("nobody", folder / f"{study.JOURNAL}.lock")

    search = Search(folder, load(folder))
    assert states(search) == ["COMPLETE", "RUNNING", "COMPLETE"]
    assert search.study.trials[2].value == 0.5
    assert (search.left, search.begun) == (4, [running.folder])
    again = search.next()
    assert (again.number, again.folder) == (1, running.folder)
    assert (again.folder / "config.yaml").read_text() == config
    assert search.heard(again, {"epoch": 1, "value": 5.0}) == {"prune": False}  # heard before
    finish(search, again, 0.7)
    fresh = search.next()
    assert fresh.number == 3
    # With the seed of its beginning it would draw what it drew first.
    lrs = [trial.params["optimizer.lr"] for trial in search.study.trials]
    assert len(set(lrs)) == 4


@pytest.mark.slow
def test_what_is_found_is_told_without_a_look_at_the_test_of_the_others(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = load(folder)
    kept.search["trials"] = 12  # type: ignore[index]
    search = Search(folder, kept)
    for number in range(12):
        task = search.next()
        if number == 11:
            search.ended(task, "failed", "out of memory", 1.0)
        else:
            finish(search, task, loss(task))
    assert findings.conclude(search) == 1
    output = capsys.readouterr().out
    best = search.study.best_trial
    assert f"best      trial {best.number}; on the test, of this one alone: test/loss" in output
    assert f"optimizer.lr={best.params['optimizer.lr']}" in output
    assert f"'optimizer.betas={best.params['optimizer.betas']}'" in output
    assert output.count("test/") == 1
    assert "1 of 12 trials failed:" in output
    found = json.loads((folder / "search.json").read_text())
    assert found["best"]["trial"] == best.number
    assert found["best"]["test/loss"] == -best.value
    assert [row["state"] for row in found["trials"]] == ["complete"] * 11 + ["fail"]
    assert not any("test" in key for row in found["trials"] for key in row)
    assert sum(found["importances"].values()) == pytest.approx(1)
    assert max(found["importances"], key=found["importances"].get) == "optimizer.lr"
    with open(folder / "search.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["optimizer.lr"]) for row in rows] == [
        trial.params["optimizer.lr"] for trial in search.study.trials
    ]
    for name in ("history.png", "importances.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")


def test_nothing_found_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    search = Search(folder, load(folder))
    search.ended(search.next(), "failed", "why", 1.0)
    assert findings.conclude(search) == 1
    assert "no trial has come to its end" in capsys.readouterr().out


def test_more_trials_can_be_asked_for_and_nothing_else(
    folder: Path, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "a search learns from trials that fail" in command("resume=mine", "retry=true")[1]
    with pytest.raises(RuntimeError):  # it is about to run
        command("resume=mine", "trials=20")
    assert load(folder).search["trials"] == 20  # type: ignore[index]
    assert Search(folder, load(folder)).left == 20


def test_resolvers_are_settled_and_links_between_keys_are_kept() -> None:
    raw = {"seed": 1, "data": {"seed": "${seed}"}, "a": ["${hydra:x}", "p-${now:%Y}"], "b": "${b:"}
    resolved = {"seed": 1, "data": {"seed": 1}, "a": ["fnn", "p-2026"], "b": "?"}
    assert settled(raw, resolved) == {
        **{"seed": 1, "data": {"seed": "${seed}"}},
        **{"a": ["fnn", "p-2026"], "b": "?"},
    }


@pytest.mark.slow
def test_a_search_with_two_workers_that_is_killed_goes_on(
    begin: Callable[..., Any],
    workers: Callable[[int], list[int]],
    gone: Callable[..., None],
    deadline: Callable[..., Iterator[None]],
    tmp_path: Path,
) -> None:
    words = (
        *("model=fnn", "data=iris", "search=optuna", "trials=9", "jobs=2", "folder=it"),
        *("search.space.optimizer.lr={low:1e-6,high:1e6,log:true}", "trainer.max_epochs=8"),
        *("search.pruner.startup_trials=1", "search.pruner.warmup_epochs=1", "logger=none"),
        "search.sampler.startup_trials=9",
    )
    folder = tmp_path / "it"
    process = begin(*words)
    for _ in deadline(300):
        if len(list(folder.glob("*/metrics.json"))) >= 2:
            break
    running = workers(process.pid)
    assert len(running) == 2
    for one in (process.pid, *running):
        os.kill(one, signal.SIGKILL)
    gone(running)
    before = {file: file.stat().st_mtime_ns for file in folder.glob("*/metrics.json")}

    process = begin("resume=it", "jobs=2")
    output, error = process.communicate(timeout=300)
    assert error == ""
    found = json.loads((folder / "search.json").read_text())
    rows = found["trials"]
    assert [row["trial"] for row in rows] == list(range(9))
    assert {row["state"] for row in rows} == {"complete", "pruned", "fail"}
    assert process.returncode == 1  # some have failed: a learning rate of a million
    assert all(file.stat().st_mtime_ns == time for file, time in before.items())
    for row in rows:
        run = folder / row["folder"]
        config = yaml.safe_load((run / "config.yaml").read_text())
        assert config["optimizer"]["lr"] == row["optimizer.lr"]
        assert (run / "metrics.json").exists() == (row["state"] == "complete")
        if row["state"] == "complete":
            assert row["val/loss"] == json.loads((run / "metrics.json").read_text())["best/loss"]
        if row["state"] == "pruned":
            assert 1 < row["epochs"] < 8
        if row["state"] == "fail":
            assert "nan" in row["reason"] or "inf" in row["reason"]
    best = min((row for row in rows if row["val/loss"] is not None), key=lambda r: r["val/loss"])
    assert found["best"]["trial"] == best["trial"]
    assert f"best      trial {best['trial']};" in output
