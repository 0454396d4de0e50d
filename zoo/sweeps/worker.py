"""A process that runs one job after another, so that torch is imported once for all of them.

It is told what to run on its standard input, a line of JSON for each, and answers on its standard
output; what a job prints goes to `log.txt` in the job's folder. When the input ends, so does the
process that had the jobs: what runs is stopped, and saves itself, as by SIGTERM.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from zoo.config import ConfigError, RunError, register_resolvers
from zoo.signals import Stopped

LOG = "log.txt"
PATIENCE = 60.0  # seconds for a step and a checkpoint, once there is nobody left to report to


class Pruned(Exception):
    """A trial of a search that was given up."""


class Outcome:
    """How a job ends, whatever it does; as a context, out of which no error comes.

    Attributes:
        answer: what is said of it.
    """

    def __init__(self) -> None:
        self.answer: dict[str, Any] = {}

    def __enter__(self) -> Outcome:
        """Start the clock."""
        self._start = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Put it into words."""
        self.answer = {"seconds": round(time.monotonic() - self._start, 2)}
        if error is None:
            self.answer["state"] = "finished"
        elif isinstance(error, Pruned):
            self.answer["state"] = "pruned"
        elif isinstance(error, Stopped):
            self.answer |= {"state": "stopped", "reason": str(error), "leaving": True}
            print(error, file=sys.stderr)
        elif isinstance(error, (ConfigError, RunError)):
            self.answer |= {"state": "failed", "reason": str(error).splitlines()[0]}
            print(error, file=sys.stderr)
        elif isinstance(error, Exception):
            # Who knows in what state it has left this process, or its GPU.
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
            self.answer |= {"state": "failed", "reason": f"{reason}; see {LOG}", "leaving": True}
            traceback.print_exception(error)
        else:
            return False
        return True


class Worker:
    """Runs jobs until there are no more, or nobody who would want them.

    Args:
        requests: file descriptor of what comes in.
        answers: of what goes out.
    """

    def __init__(self, requests: int, answers: int) -> None:
        self._in = os.fdopen(requests, encoding="utf-8")
        self._out = os.fdopen(answers, "w", encoding="utf-8")
        self._requests: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._replies: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._busy = self._over = False

    def work(self) -> None:
        """Import what takes so long, then run what comes."""
        threading.Thread(target=self._listen, daemon=True).start()
        from zoo.sweeps import job

        self.say({"ready": True})
        while (request := self._requests.get()) is not None and not self._over:
            self._busy = True
            with logged(Path(request["folder"]) / LOG), Outcome() as outcome:
                job.run(request, self.ask)
            self._busy = False
            job.clear()
            self.say(outcome.answer)
            if "leaving" in outcome.answer:
                return

    def say(self, message: dict[str, Any]) -> None:
        """Tell the process that has the jobs, if it is still there."""
        with contextlib.suppress(OSError):
            self._out.write(json.dumps(message) + "\n")
            self._out.flush()

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Tell it something, and wait for what it says to that."""
        self.say(question)
        return self._replies.get()

    def _listen(self) -> None:
        for line in self._in:
            message = json.loads(line)
            (self._replies if "reply" in message else self._requests).put(message)
        self._over = True
        self._requests.put(None)
        self._replies.put({"reply": None})
        # The second signal does not wait for the end of a step.
        for _ in range(2):
            if self._busy:
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(PATIENCE)
        if self._busy:
            os._exit(128 + signal.SIGTERM)


@contextlib.contextmanager
def logged(file: Path) -> Iterator[None]:
    """Let all that this process prints, and its children, go to the end of a file."""
    kept = [os.dup(1), os.dup(2)]
    try:
        log = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError:  # the job will find out, and say so
        log = os.open(os.devnull, os.O_WRONLY)
    redirect(log, log)
    try:
        yield
    finally:
        redirect(*kept)
        for descriptor in (log, *kept):
            os.close(descriptor)


def redirect(output: int, errors: int) -> None:
    """Let standard output and errors go there."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(output, 1)
    os.dup2(errors, 2)


def main() -> None:
    """Take over the pipes, so that nothing else is written to them, and work."""
    requests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    faulthandler.enable()
    register_resolvers()
    Worker(requests, answers).work()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)  # all is said and saved, and torch takes seconds to leave
