"""Sweeps to look at, in this process up to the point where something would run, and as a whole."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hydra.core.singleton import Singleton

from zoo import sweep
from zoo.sweeps import launch, record
from zoo.sweeps.loop import Task

SHORT = ("data=iris", "trainer.max_epochs=2", "trainer.limit_train_batches=3", "logger=none")


class Launched(RuntimeError):
    """A sweep got as far as to run something."""


class NoPool:
    """Stands in for the workers: none is started."""

    threads, described, workers = 1, "nobody", ()

    def __init__(self, *settings: Any) -> None:
        self.settings = settings

    def __enter__(self) -> "NoPool":
        return self

    def __exit__(self, *_: Any) -> None:
        pass


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., tuple[int, str]]]:
    """A function (*words) -> exit code and errors of `zoo-sweep` in tmp_path.

    Nothing is trained: what would be run is held back, and raises Launched.
    """

    def held_back(*_: Any) -> None:
        raise Launched

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(launch, "Pool", NoPool)
    monkeypatch.setattr(launch, "run_all", held_back)
    monkeypatch.setattr("zoo.sweeps.launch_search.run_all", held_back)
    singletons, root = Singleton.get_state(), logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def run(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["zoo-sweep", *words])
        monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
        try:
            sweep.main()
        except SystemExit as stop:
            assert isinstance(stop.code, int)
            return stop.code, capsys.readouterr().err
        pytest.fail("there is no exit code")

    yield run
    root.handlers[:], root.level = handlers, level
    Singleton.set_state(singletons)


@pytest.fixture
def refused(command: Callable[..., tuple[int, str]], tmp_path: Path) -> Callable[..., str]:
    """A function (*words) -> the one sentence of a sweep that was refused and left nothing."""

    def run(*words: str) -> str:
        before = sorted(tmp_path.rglob("*"))
        code, error = command(*words)
        assert code == 1
        assert sorted(tmp_path.rglob("*")) == before
        [line] = error.splitlines()
        assert line.startswith("zoo-sweep: ")
        return line.removeprefix("zoo-sweep: ")

    return run


@pytest.fixture
def launched(command: Callable[..., tuple[int, str]], tmp_path: Path) -> Callable[..., Path]:
    """A function (*words) -> the folder of a sweep that is about to run its first job."""

    def run(*words: str) -> Path:
        try:
            code, error = command("folder=mine", *words)
        except Launched:
            return tmp_path / "mine"
        pytest.fail(f"exit code {code}: {error}")

    return run


@pytest.fixture
def kept() -> Callable[[Path], dict[str, Any]]:
    """A function (folder) -> its record as JSON has it."""
    return lambda folder: json.loads((folder / record.RECORD).read_text())


@pytest.fixture
def task(tmp_path: Path) -> Callable[..., Task]:
    """A function (name) -> a run in `tmp_path / name`, whose folder exists."""

    def make(name: str, **more: Any) -> Task:
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
        return Task(tmp_path / name, name, [], None, **more)

    return make


# --- as a person types it --------------------------------------------------------------------


@pytest.fixture(scope="session")
def short() -> tuple[str, ...]:
    """Words of a run that takes a second."""
    return SHORT


@pytest.fixture(scope="session")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with YAML of one's own: an experiment with arms that fail in several ways."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "callbacks").mkdir()
    (folder / "callbacks" / "fault.yaml").write_text(
        "fault:\n  _target_: tests.sweep.faults.Fault\n  how: null\n  epoch: 1\n"
    )
    (folder / "experiment").mkdir()
    arms = {
        "fine": [],
        "diverges": ["optimizer.lr=1e30"],
        "bug": ["callbacks.fault.how=bug"],
        "killed": ["callbacks.fault.how=killed"],
        "left": ["callbacks.fault.how=left"],
        "once": ["callbacks.fault.how=once"],
    }
    (folder / "experiment" / "faults.yaml").write_text(
        "# @package _global_\n"
        "defaults:\n  - override /callbacks: [default, fault]\n  - _self_\n"
        f"sweep:\n  metric: test/loss\n  arms: {json.dumps(arms)}\n"
    )
    return folder


@pytest.fixture
def begin(
    environment: Callable[..., dict[str, str]], tmp_path: Path
) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """A function (*words) that starts `zoo-sweep` in tmp_path; what is left of it is killed."""
    begun: list[subprocess.Popen[str]] = []

    def start(*words: str | Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "zoo.sweep", *map(str, words)],
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        begun.append(process)
        return process

    yield start
    for process in begun:
        process.kill()
        process.communicate()


@pytest.fixture
def workers() -> Callable[[int], list[int]]:
    """A function (process id) -> those of its workers."""

    def look(parent: int) -> list[int]:
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
                status = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            if int(status[1]) == parent and b"zoo.sweeps" in words:
                found.append(int(folder.name))
        return found

    return look


@pytest.fixture
def gone(deadline: Callable[..., Iterator[None]]) -> Callable[[Sequence[int]], None]:
    """A function (process ids) that waits until none of them lives."""

    def wait(processes: Sequence[int]) -> None:
        for _ in deadline(300):
            if not any(alive(process) for process in processes):
                return

    return wait


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


@pytest.fixture(scope="session")
def numbers() -> Callable[[Path], dict[str, dict[str, Any]]]:
    """A function (folder) -> the numbers of every finished run, without what it cost, by name."""

    def look(folder: Path) -> dict[str, dict[str, Any]]:
        rows = {f.parent.name: json.loads(f.read_text()) for f in folder.glob("*/metrics.json")}
        return {
            name: {key: value for key, value in row.items() if not key.startswith("cost/")}
            for name, row in sorted(rows.items())
        }

    return look
