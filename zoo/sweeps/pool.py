"""Processes that run one job after another, seen from the one that has the jobs.

They share nothing with it but two pipes, a message on each line: when it is gone, theirs ends, and
so do they.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import zoo


class Event(NamedTuple):
    """What a worker has said; None: it has ended."""

    worker: Worker
    message: dict[str, Any] | None


class Worker:
    """A process that runs one job after another.

    Args:
        environment: what it has that this process has not.
        cwd: the folder that it runs in.
        events: where what it says is put.

    Attributes:
        job: what it runs; None: nothing.
        started: when that began.
        ready: whether it has imported all that a job takes.
        leaving: whether it ends by itself, and takes no more jobs.
    """

    def __init__(self, environment: Mapping[str, str], cwd: str, events: queue.SimpleQueue) -> None:
        self.environment = environment
        self.job: Any = None
        self.started = 0.0
        self.ready = False
        self.leaving = False
        paths = [str(Path(zoo.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "zoo.sweeps"],
            env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is for the parent, which tells them
        )
        self._events = events
        threading.Thread(target=self._listen, daemon=True).start()

    def send(self, message: Mapping[str, Any]) -> None:
        """Tell it something; if it has just ended, its end is heard of soon."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()

    def stop(self) -> None:
        """Ask it to save what it runs, and to end."""
        self.leaving = True
        self._process.terminate()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()

    @property
    def end(self) -> str:
        """How the process has ended, in words."""
        code = self._process.wait()
        if code >= 0:
            return f"its process ended with exit code {code}"
        try:
            name = f" ({signal.Signals(-code).name})"
        except ValueError:
            name = ""
        hint = ": killed by somebody, or for want of memory" if -code == signal.SIGKILL else ""
        return f"its process was ended by signal {-code}{name}{hint}"

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._events.put(Event(self, json.loads(line)))
        self._process.wait()
        self._events.put(Event(self, None))


class Pool:
    """Several workers; as a context, at whose end none is left.

    Args:
        environments: of each.
        threads: of each.
        cwd: the folder that they run in.
    """

    def __init__(self, environments: Sequence[Mapping[str, str]], threads: int, cwd: Path) -> None:
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.threads = threads
        self._cwd = str(cwd if cwd.is_dir() else Path.cwd())
        self._environments = environments
        self.workers: list[Worker] = []

    @property
    def described(self) -> str:
        """What each of them has."""
        many = f"{self.threads} thread{'s' if self.threads > 1 else ''} each"
        gpus = [e["CUDA_VISIBLE_DEVICES"] for e in self._environments if e]
        return f"{many}, on GPU {' and '.join(dict.fromkeys(gpus))}" if gpus else many

    def __enter__(self) -> Pool:
        """Start them; they are ready some seconds later."""
        for environment in self._environments:
            self._start(environment)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End those that have not ended."""
        for worker in self.workers:
            worker.kill()

    def event(self, seconds: float) -> Event | None:
        """What happens next; None if nothing does in that time. A worker that has ended is gone."""
        try:
            event = self._events.get(timeout=seconds)
        except queue.Empty:
            return None
        if event.message is None:
            self.workers.remove(event.worker)
        return event

    def replace(self, worker: Worker) -> None:
        """Start another one in the place of one that has ended."""
        self._start(worker.environment)

    def stop(self) -> None:
        """Ask all to save what they run, and to end."""
        for worker in self.workers:
            worker.stop()

    def _start(self, environment: Mapping[str, str]) -> None:
        settings = {"OMP_NUM_THREADS": str(self.threads), **environment}
        self.workers.append(Worker(settings, self._cwd, self._events))
