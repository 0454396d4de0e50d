"""Sweeps as a person types them: with faults in them, killed, stopped, and gone on with."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from zoo import folders
from zoo.folders import alone_in
from zoo.sweeps import pool
from zoo.sweeps.pool import Pool

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sweeps")]  # made once

Begin = Callable[..., "subprocess.Popen[str]"]
SWEEP = ("model=fnn", "data=wine", "optimizer.lr=1e-3,1e-2", "seeds=2", "jobs=2", "folder=part")
LONG = ("trainer.max_epochs=150", "logger=none")


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    output, error = process.communicate(timeout=300)
    return process.returncode, output, error


# --- faults in runs --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def faulty(
    own: Path,
    short: tuple[str, ...],
    environment: Callable[..., dict[str, str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The folder of a sweep with every fault, and how the command ended."""
    here = tmp_path_factory.mktemp("faulty")
    words = (f"--config-dir={own}", "experiment=faults", *short, "jobs=2", "folder=it")
    done = subprocess.run(
        [sys.executable, "-m", "zoo.sweep", *words],
        cwd=here,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=600,
    )
    return here / "it", done


def run_of(folder: Path, name: str) -> Path:
    [run] = folder.glob(f"*,name={name},*")
    return run


def test_what_fails_is_recorded_and_the_rest_goes_on(faulty: Any) -> None:
    folder, done = faulty
    assert done.returncode == 1, done.stderr
    assert done.stderr == ""
    assert [path.parent.name.split("_")[0] for path in folder.glob("*/metrics.json")] == ["0"]
    reasons = {
        "diverges": "the loss is nan at step 2 (epoch 1)",
        "bug": "LookupError: nobody expects this; see log.txt",
        "killed": "its process was ended by signal 9 (SIGKILL)",
        "left": "its process ended with exit code 7",
        "once": "LookupError: nobody expects this; see log.txt",
    }
    for name, reason in reasons.items():
        kept = json.loads((run_of(folder, name) / "failure.json").read_text())
        assert kept["reason"].startswith(reason)
        assert f"name={name}  failed: {reason}" in done.stdout
        assert f"{run_of(folder, name).name}  {reason}" in done.stdout
    assert "5 of 6 runs failed:" in done.stdout
    assert "zoo-sweep resume=it retry=true" in done.stdout


def test_logs_hold_what_each_run_printed_and_its_traceback(faulty: Any) -> None:
    folder, done = faulty
    logs = {name: (run_of(folder, name) / "log.txt").read_text() for name in ("fine", "bug")}
    assert "test" in logs["fine"] and "Traceback" not in logs["fine"]
    assert "in on_train_epoch_end" in logs["bug"]
    assert "┃" not in done.stdout.partition("/6")[0]


def test_what_failed_is_run_again_only_on_request(
    faulty: Any, zoo: Callable[..., Any], numbers: Any
) -> None:
    folder, _ = faulty
    before = numbers(folder)
    again = zoo("sweep", "resume=it", cwd=folder.parent)
    assert again.returncode == 1
    assert "of 6 runs 1 finished, 5 failed, 0 to be run" in again.stdout
    assert numbers(folder) == before

    retried = zoo("sweep", "resume=it", "retry=true", cwd=folder.parent)
    assert retried.returncode == 1, retried.stderr
    assert "4 of 6 runs failed:" in retried.stdout
    assert set(numbers(folder)) - set(before) == {run_of(folder, "once").name}
    assert not (run_of(folder, "once") / "failure.json").exists()


# --- killed, stopped -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def undisturbed(
    environment: Callable[..., dict[str, str]],
    tmp_path_factory: pytest.TempPathFactory,
    numbers: Any,
) -> dict[str, Any]:
    """The numbers of the sweep that the others are held against, made by zoo-train -m."""
    here = tmp_path_factory.mktemp("undisturbed")
    words = [w for w in SWEEP if not w.startswith(("seeds", "jobs", "folder"))]
    subprocess.run(
        [sys.executable, "-m", "zoo.train", "-m", *words, "seed=0,1", *LONG, "hydra.sweep.dir=it"],
        cwd=here,
        env=environment(),
        check=True,
        capture_output=True,
        timeout=600,
    )
    return numbers(here / "it")


def started(folder: Path, count: int, deadline: Callable[..., Iterator[None]]) -> None:
    """Wait until so many runs have a checkpoint."""
    for _ in deadline(300):
        if len(list(folder.glob("*/checkpoints/last.ckpt"))) >= count:
            return


def test_killed_twice_and_gone_on_with_is_as_if_nothing_had_been(
    begin: Begin,
    workers: Callable[[int], list[int]],
    gone: Callable[[Sequence[int]], None],
    deadline: Callable[..., Iterator[None]],
    numbers: Any,
    undisturbed: Any,
    tmp_path: Path,
) -> None:
    own = tmp_path / "own" / "experiment"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text("# @package _global_\noptimizer:\n  weight_decay: 0.01\n")
    folder = tmp_path / "part"
    process = begin("--config-dir=own", "experiment=mine", *SWEEP, *LONG)
    started(folder, 2, deadline)
    orphans = workers(process.pid)
    assert len(orphans) == 2
    process.kill()  # it alone: the workers see that it is gone, save themselves, and end
    gone(orphans)
    (own / "mine.yaml").write_text("# @package _global_\noptimizer:\n  weight_decay: 10.0\n")

    process = begin("resume=part", "jobs=2")
    started(folder, 3, deadline)
    [*orphans] = workers(process.pid)
    finished = {file: file.stat().st_mtime_ns for file in folder.glob("*/metrics.json")}
    assert finished
    for worker in [process.pid, *orphans]:  # now all of them, at once
        os.kill(worker, signal.SIGKILL)
    gone(orphans)

    code, output, error = ended(begin("resume=part", "jobs=2"))
    assert (code, error) == (0, "")
    assert all(file.stat().st_mtime_ns == time for file, time in finished.items())
    assert "of 4 runs" in output
    rename = {name.replace("experiment=mine,", ""): row for name, row in numbers(folder).items()}
    assert rename == undisturbed
    assert not list(folder.rglob(".lock"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_what_runs_and_says_how_to_go_on(
    number: int,
    code: int,
    begin: Begin,
    workers: Callable[[int], list[int]],
    gone: Callable[[Sequence[int]], None],
    deadline: Callable[..., Iterator[None]],
    tmp_path: Path,
) -> None:
    process = begin(*SWEEP, "trainer.max_epochs=5000", "logger=none")
    started(tmp_path / "part", 2, deadline)
    running = workers(process.pid)
    process.send_signal(number)
    found, output, error = ended(process)
    assert found == code
    assert "stopping: 2 running" in output
    assert "after 0 of 4 runs; continue with: zoo-sweep resume=part" in error
    assert "Traceback" not in error
    gone(running)
    for log in tmp_path.glob("part/*/log.txt"):
        assert "stopped by SIGTERM at step" in log.read_text()
    assert not list(tmp_path.glob("part/*/failure.json"))


# --- a worker, alone -------------------------------------------------------------------------


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch, environment: Any) -> Iterator[Any]:
    """A worker that is ready, and a function that waits for what it says next."""
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    with Pool([{"MARK": "there"}], 1, Path.cwd()) as one:

        def heard() -> Any:
            for _ in range(600):
                event = one.event(0.2)
                if event is not None:
                    return event.message
            raise AssertionError("it says nothing")

        assert heard() == {"ready": True}
        yield one.workers[0], heard


def test_a_job_whose_config_is_gone_or_broken_is_said_to_be(worker: Any, tmp_path: Path) -> None:
    one, heard = worker
    for content, reason in [
        (None, "is damaged"),
        ("model: [", "is damaged"),
        ("just text", "is damaged"),
        ("a: {_target_: os.system}", "which no YAML of this installation names"),
    ]:
        if content is not None:
            (tmp_path / "config.yaml").write_text(content)
        one.send({"folder": str(tmp_path), "words": [], "config_dir": None, "watch": None})
        answer = heard()
        assert answer["state"] == "failed"
        assert reason in answer["reason"]
        assert "leaving" not in answer  # a mistake is no reason to import torch again
    one.send({"folder": str(tmp_path / "no"), "words": [], "config_dir": None, "watch": None})
    assert heard()["state"] == "failed"


# --- one at a time ---------------------------------------------------------------------------


def test_a_sweep_in_use_is_not_taken_up(
    launched: Callable[..., Path], command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = launched("model=linear", "data=iris")
    monkeypatch.setattr(folders, "PATIENCE", 0.1)
    with alone_in(folder):
        code, error = command("resume=mine")
    assert code == 1
    assert "mine is being trained by another process; wait for its end, or stop it" in error
    [run] = folder.glob("0_*")
    with alone_in(run):
        code, error = command("resume=mine")
    assert (code, "is being trained by another process" in error) == (1, True)


def test_a_removed_run_is_listed_and_the_rest_goes_on(
    launched: Callable[..., Path], command: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    folder = launched("model=linear", "data=iris", "seeds=2")
    [first, second] = sorted(folder.glob("?_*"))
    (first / "config.yaml").unlink()
    first.rmdir()
    (second / "metrics.json").write_text('{"test/loss": 1.0}')
    told: list[Any] = []
    monkeypatch.setattr("zoo.comparison.report", lambda *words, **more: told.append((words, more)))
    code, error = command("resume=mine")
    assert (code, error) == (1, "")
    assert told == [(([folder],), {})]


def test_how_a_process_ended_is_put_into_words() -> None:
    worker = object.__new__(pool.Worker)

    class Ended:
        code = 0

        def wait(self) -> int:
            return self.code

    worker._process = Ended()  # type: ignore[assignment]
    for code, words in [
        (3, "its process ended with exit code 3"),
        (-11, "its process was ended by signal 11 (SIGSEGV)"),
        (-9, "by signal 9 (SIGKILL): killed by somebody, or for want of memory"),
    ]:
        Ended.code = code
        assert words in worker.end
