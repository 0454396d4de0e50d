"""Keeps the workers busy until there is nothing left to run."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from zoo.config import RunError
from zoo.report import shown
from zoo.signals import Stopped
from zoo.sweeps.pool import Pool, Worker
from zoo.sweeps.progress import Progress

TICK = 0.5  # seconds between two looks at the clock
GRACE = 2.0  # seconds in which a signal that reached a worker is expected here, too


class Task(NamedTuple):
    """A run to be made, as a worker is told of it."""

    folder: Path
    label: str
    words: list[str]
    config_dir: str | None
    watch: str | None = None  # what the trial of a search reports
    number: int = 0

    def message(self) -> dict[str, Any]:
        """For the worker."""
        return {
            "folder": str(self.folder),
            "words": self.words,
            "config_dir": self.config_dir,
            "watch": self.watch,
        }


class Runs(Protocol):
    """Where runs come from, and where their ends are noted."""

    unit: str  # what they are called

    @property
    def left(self) -> int:
        """How many have not been begun."""

    def next(self) -> Task:
        """The next one; asked for when it can begin."""

    def heard(self, task: Task, message: dict[str, Any]) -> dict[str, Any]:
        """What to reply to a run that reports something."""

    def ended(self, task: Task, state: str, reason: str, seconds: float) -> str:
        """Note how a run has ended, "finished", "failed" or "pruned"; a line that says so."""


class Loop:
    """Gives each worker the next run as soon as it is free.

    Args:
        runs: what there is to do.
        pool: who does it.
        progress: who tells of it.
        folder: of the sweep.
    """

    def __init__(self, runs: Runs, pool: Pool, progress: Progress, folder: Path) -> None:
        self.runs = runs
        self.pool = pool
        self.progress = progress
        self.folder = folder
        self._stopping = False

    def run(self) -> None:
        """Run everything.

        Raises:
            Stopped: by a signal, once all that ran is saved.
            RunError: no worker can be started.
        """
        try:
            while self.runs.left or any(worker.job for worker in self.pool.workers):
                self._step()
        except Stopped as stop:
            with suppress(Stopped):  # a second one: do not wait
                self._stop()
            done, total = self.progress.done, self.progress.total
            raise Stopped(
                stop.number,
                f" after {done} of {total} {self.runs.unit}; continue with: "
                f"zoo-sweep resume={shown(self.folder)}",
            ) from None

    def _step(self) -> None:
        event = self.pool.event(TICK)
        self.progress.tick(sum(worker.job is not None for worker in self.pool.workers))
        if event is None:
            return
        worker, message = event
        if message is None:
            self._gone(worker)
        elif "state" in message:
            worker.leaving |= "leaving" in message
            if message["state"] == "stopped":
                self._interrupted(worker, message)
            else:
                self._note(worker, message["state"], message.get("reason", ""), message["seconds"])
        elif "ready" in message:
            worker.ready = True
        else:
            worker.send({"reply": True, **self.runs.heard(worker.job, message)})
        self._give(worker)

    def _give(self, worker: Worker) -> None:
        free = worker.ready and not worker.leaving and worker.job is None
        if free and worker in self.pool.workers and self.runs.left:
            worker.job = self.runs.next()
            worker.started = time.monotonic()
            worker.send(worker.job.message())

    def _note(self, worker: Worker, state: str, reason: str, seconds: float) -> None:
        task, worker.job = worker.job, None
        self.progress.ended(self.runs.ended(task, state, reason, seconds))

    def _interrupted(self, worker: Worker, message: dict[str, Any]) -> None:
        """A worker was stopped: by us, together with us, or by somebody who meant it alone."""
        if not self._stopping:
            time.sleep(GRACE)
            self._note(worker, "failed", message["reason"], message["seconds"])
        worker.job = None

    def _gone(self, worker: Worker) -> None:
        """A worker has ended, in the middle of a run or after one."""
        if self._stopping:
            return
        if not worker.ready:
            raise RunError(f"a worker cannot start: {worker.end}; what it printed stands above")
        if worker.job is not None:
            self._note(worker, "failed", worker.end, time.monotonic() - worker.started)
        waiting = sum(other.job is None and not other.leaving for other in self.pool.workers)
        if self.runs.left > waiting:
            self.pool.replace(worker)

    def _stop(self) -> None:
        self._stopping = True
        running = sum(worker.job is not None for worker in self.pool.workers)
        if running:
            self.progress.tell(
                f"stopping: {running} running, which save themselves after their step"
            )
        self.pool.stop()
        while self.pool.workers:
            self._step()
