"""Ctrl-C, SIGTERM and SIGUSR1: what asks a run to stop, and the exit code that tells so."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, NoReturn

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
        last: after a stop the process ends; from then on another signal ends it at once.

    Attributes:
        received: the number of the signal that waits.
    """

    def __init__(self, *, patient: bool = False, last: bool = False) -> None:
        self.patient = patient
        self.last = last
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
        # Lightning ends the process after KeyboardInterrupt; others were amid something.
        stopped = behind(error)
        if error is not None and stopped is None and self._raised:
            stopped = Stopped(self._raised)
        while self._before:
            number, handler = self._before.popitem()
            self._left[number] = handler
            if self.last and stopped is not None:
                signal.signal(number, end_at_once)
            elif handler is not None:  # None: not set from Python, and Python cannot set it again
                signal.signal(number, handler)
        if stopped is not None and stopped is not error:
            raise stopped from None

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if number not in self._before:  # put back by somebody who had found it
            signal.signal(number, self._left[number] or signal.SIG_DFL)  # None: not from Python
            signal.raise_signal(number)
        elif self.patient and self.received is None:
            self.received = number
        else:
            self._raised = number
            raise Stopped(number)


def behind(error: BaseException | None) -> Stopped | None:
    """The stop that an error is, or during which it came about."""
    while error is not None and not isinstance(error, Stopped):
        error = error.__context__
    return error


def end_at_once(number: int, frame: FrameType | None) -> NoReturn:
    """End the process without a word, with the exit code of that signal."""
    os._exit(Stopped(number).code)
