"""Who runs what, and what becomes of those that end otherwise than they should."""

import itertools
import queue
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zoo.config import RunError
from zoo.signals import Stopped
from zoo.sweeps import loop
from zoo.sweeps.loop import Loop, Task
from zoo.sweeps.pool import Event
from zoo.sweeps.progress import Progress

FINISHED = {"state": "finished", "seconds": 1.0}


class FakeWorker:
    """Answers each run by what a script says: a message, or None for its death."""

    end = "its process was ended by signal 9 (SIGKILL)"

    def __init__(self, script: Any, events: Any) -> None:
        self.script, self.events = script, events
        self.job: Task | None = None
        self.started = 0.0
        self.ready = self.leaving = False
        self.replies: list[Any] = []

    def send(self, message: dict[str, Any]) -> None:
        if "reply" in message:
            self.replies.append(message)
            return
        for answer in self.script(Path(message["folder"]).name):
            self.events.put(Event(self, answer))  # type: ignore[arg-type]


class FakePool:
    """Workers without processes."""

    def __init__(self, count: int, script: Any) -> None:
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.script = script
        self.workers: list[FakeWorker] = []
        self.all: list[FakeWorker] = []
        for _ in range(count):
            self.start()

    def start(self) -> None:
        worker = FakeWorker(self.script, self.events)
        self.workers.append(worker)
        self.all.append(worker)
        self.events.put(Event(worker, {"ready": True}))  # type: ignore[arg-type]

    def event(self, seconds: float) -> Event:
        event = self.events.get(timeout=300)
        if isinstance(event.message, BaseException):
            raise event.message
        if event.message is None:
            self.workers.remove(event.worker)  # type: ignore[arg-type]
        return event

    def replace(self, worker: FakeWorker) -> None:
        self.start()

    def stop(self) -> None:
        for worker in self.workers:
            worker.leaving = True
            if worker.job:
                gone = {"state": "stopped", "reason": "", "seconds": 0.0, "leaving": True}
                self.events.put(Event(worker, gone))  # type: ignore[arg-type]
            self.events.put(Event(worker, None))  # type: ignore[arg-type]


class Told:
    """Runs that are noted as they end."""

    unit = "runs"

    def __init__(self, tasks: list[Task]) -> None:
        self.tasks = tasks
        self.ends: list[tuple[str, str, str]] = []

    @property
    def left(self) -> int:
        return len(self.tasks)

    def next(self) -> Task:
        return self.tasks.pop(0)

    def heard(self, task: Task, message: dict[str, Any]) -> dict[str, Any]:
        return {"heard": message["value"] + 1}

    def ended(self, task: Task, state: str, reason: str, seconds: float) -> str:
        self.ends.append((task.label, state, reason))
        return f"{task.label} {state}"


@pytest.fixture
def looped(
    task: Callable[..., Task], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Told, FakePool]]:
    """A function (names, script, workers) that runs them, with what there is of a loop."""
    monkeypatch.setattr(loop, "GRACE", 0.0)

    def run(names: str, script: Any, count: int = 2, stop: int | None = None) -> Any:
        told, pool = Told([task(name) for name in names]), FakePool(count, script)
        if stop is not None:
            pool.events.put(Event(None, Stopped(stop)))  # type: ignore[arg-type]
        with Progress(len(names)) as progress:
            run.last = told, pool, progress  # type: ignore[attr-defined]
            Loop(told, pool, progress, tmp_path).run()  # type: ignore[arg-type]
        return told, pool

    return run


def test_all_run_in_their_order(looped: Any, capsys: pytest.CaptureFixture[str]) -> None:
    told, pool = looped("abcde", lambda name: [FINISHED])
    assert [label for label, *_ in told.ends] == list("abcde")
    assert len(pool.all) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"{number}/5  {label} finished" for number, label in enumerate("abcde", 1)]


def test_a_worker_that_dies_is_replaced_and_the_rest_goes_on(looped: Any) -> None:
    told, pool = looped("abcd", lambda name: [None] if name in "ab" else [FINISHED])
    assert [(label, state) for label, state, _ in told.ends] == [
        *(("a", "failed"), ("b", "failed"), ("c", "finished"), ("d", "finished")),
    ]
    assert told.ends[0][2] == "its process was ended by signal 9 (SIGKILL)"
    assert len(pool.all) == 4


def test_nobody_is_replaced_for_nothing(looped: Any) -> None:
    _, pool = looped("ab", lambda name: [None])
    assert len(pool.all) == 2


def test_a_worker_with_a_fault_in_it_gets_no_more_runs(looped: Any) -> None:
    bug = {"state": "failed", "reason": "LookupError", "seconds": 1.0, "leaving": True}
    told, pool = looped("abc", lambda name: [bug, None] if name == "a" else [FINISHED], count=1)
    assert [state for _, state, _ in told.ends] == ["failed", "finished", "finished"]
    assert len(pool.all) == 2


def test_questions_are_answered(looped: Any) -> None:
    script = lambda name: [{"epoch": 1, "value": 41}, FINISHED]  # noqa: E731
    told, pool = looped("a", script, count=1)
    assert pool.all[0].replies == [{"reply": True, "heard": 42}]
    assert len(told.ends) == 1


def test_a_worker_that_is_stopped_by_somebody_has_failed(looped: Any) -> None:
    stopped = {"state": "stopped", "reason": "stopped by SIGTERM", "seconds": 1.0, "leaving": True}
    scripts = itertools.chain([[stopped, None]], itertools.repeat([FINISHED]))
    told, _ = looped("ab", lambda name: next(scripts), count=1)
    assert told.ends == [("a", "failed", "stopped by SIGTERM"), ("b", "finished", "")]


def test_a_signal_stops_all_and_says_how_to_go_on(looped: Any) -> None:
    with pytest.raises(Stopped, match="stopped by SIGTERM after 0 of 3 runs; continue with: zoo-s"):
        looped("abc", lambda name: [], stop=15)
    told, pool, _ = looped.last
    assert told.ends == []  # they are neither finished nor failed
    assert told.left == 1
    assert pool.workers == []


def test_a_worker_that_cannot_start_ends_all(looped: Any) -> None:
    def run() -> None:
        told, pool = Told([]), FakePool(0, None)
        told.tasks = [object()]  # type: ignore[list-item]
        worker = FakeWorker(None, pool.events)
        pool.workers.append(worker)
        pool.events.put(Event(worker, None))  # type: ignore[arg-type]
        Loop(told, pool, Progress(1), Path()).run()  # type: ignore[arg-type]

    with pytest.raises(RunError, match="a worker cannot start: its process was ended by signal 9"):
        run()
