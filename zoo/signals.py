"""Ctrl-C, SIGTERM and SIGUSR1: what asks a run to stop, and the exit code that tells so."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

NAMES: dict[int, str] = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
if hasattr(signal, "SIGUSR1"):  # sent by schedulers some time before they preempt; not on Windows
    NAMES[signal.SIGUSR1] = "SIGUSR1"


class Stopped(KeyboardInterrupt):
    """A signal ended what ran; the message is for the person who sent it.

    Args:
        number: of the signal.
        where: how far the run had come, and how to go on.

    Attributes:
        number: of the signal.
        code: the exit code, as shells report it: 130 after Ctrl-C, 143 SIGTERM, 138 SIGUSR1.
    """

    def __init__(self, number: int, where: str = "") -> None:
        super().__init__(f"stopped by {NAMES[number]}{where}")
        self.number = number
        self.code = 128 + number


class Signals:
    """Raises `Stopped` on a signal, or at the second one, if the first is to wait.

    As a context; entered again, it takes the signals back from whoever took them meanwhile. Only
    the main thread has signals; elsewhere nothing happens.

    Args:
        patient: note the first signal, for somebody who looks at `received` when a step is done.

    Attributes:
        received: the number of the signal that waits.
    """

    def __init__(self, *, patient: bool = False) -> None:
        self.patient = patient
        self.received: int | None = None
        self._raised: int | None = None
        self._before: dict[int, Any] = {}
        self._left: dict[int, Any] = {}  # to whom, when this was over

    def __enter__(self) -> Signals:
        """From here on signals come here."""
        if threading.current_thread() is threading.main_thread():
            for number in NAMES:
                self._before.setdefault(number, signal.getsignal(number))
                signal.signal(number, self._receive)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """Signals go where they went before; what became of `Stopped` is `Stopped` again."""
        while self._before:
            number, handler = self._before.popitem()
            self._left[number] = handler
            if handler is not None:  # None: not set from Python, and Python cannot set it again
                signal.signal(number, handler)
        if error is None or isinstance(error, Stopped):
            return
        # Lightning ends the process after KeyboardInterrupt; others were amid something.
        stopped = behind(error) or (Stopped(self._raised) if self._raised else None)
        if stopped is not None:
            raise stopped from None

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if number not in self._before:  # put back by somebody who had found it
            signal.signal(number, self._left[number])
            signal.raise_signal(number)
        elif self.patient and self.received is None:
            self.received = number
        else:
            self._raised = number
            raise Stopped(number)


def behind(error: BaseException) -> Stopped | None:
    """The stop during which this error came about."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, Stopped):
        cause = cause.__context__
    return cause


def end_at_once() -> None:
    """From here on a signal ends the process without a word."""
    for number in NAMES:
        signal.signal(number, signal.SIG_DFL)
