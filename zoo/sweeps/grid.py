"""The runs of a sweep, one after another as they were planned."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from zoo.sweeps import record
from zoo.sweeps.loop import Task
from zoo.sweeps.record import Record


class Grid:
    """The runs of a sweep that is launched or taken up again.

    Args:
        folder: of the sweep.
        kept: its record.
        retry: whether to run again what had failed.

    Attributes:
        failed: why runs have failed, by their folder's name.
        done: how many have finished.
    """

    unit = "runs"

    def __init__(self, folder: Path, kept: Record, *, retry: bool = False) -> None:
        self.record = kept
        self.failed: dict[str, str] = {}
        self.done = 0
        self.tasks: list[Task] = []
        for entry in kept.jobs:
            run = folder / entry.folder
            reason = record.failure(run)
            if record.finished(run):
                self.done += 1
            elif reason is None or (retry and record.can_run(run)):
                name = entry.label or entry.folder
                self.tasks.append(Task(run, name, entry.overrides, kept.config_dir))
            else:
                self.failed[entry.folder] = reason

    @property
    def left(self) -> int:
        """How many have not been begun."""
        return len(self.tasks)

    def next(self) -> Task:
        """The next run, as if it had never failed."""
        task = self.tasks.pop(0)
        (task.folder / record.FAILURE).unlink(missing_ok=True)
        return task

    def heard(self, task: Task, message: dict[str, Any]) -> dict[str, Any]:
        """Nothing: a run of a sweep does not ask."""
        return {}

    def ended(self, task: Task, state: str, reason: str, seconds: float) -> str:
        """Note how a run has ended; a line that says so."""
        if state == "finished":
            self.done += 1
            told = result(task.folder, self.record.report.get("metric"))
            return f"{task.label}  {told}  {seconds:.1f} s"
        self.failed[task.folder.name] = reason
        record.write_failure(task.folder, reason, now())
        return f"{task.label}  failed: {reason}"


def result(run: Path, metric: str | None) -> str:
    """The number of a run that a person would look at first."""
    row = record.metrics(run)
    tests = [name for name in row if name.startswith("test/")]
    name = metric or next((n for n in tests if n != "test/loss"), "test/loss")
    value = row.get(name)
    return f"{name} {'nan' if value is None else format(value, '.4g')}"


def now() -> str:
    """The time, to the second, with its zone."""
    return datetime.now().astimezone().isoformat(timespec="seconds")
