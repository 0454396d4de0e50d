"""What a signal becomes: an exception, a note, an exit code; and whose it is afterwards."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from zoo.signals import NAMES, Signals, Stopped

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[list[object]]:
    before = [signal.getsignal(number) for number in NUMBERS]
    yield before
    for number, handler in zip(NUMBERS, before, strict=True):
        signal.signal(number, handler)


def now() -> list[object]:
    return [signal.getsignal(number) for number in NUMBERS]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 138)]
)
def test_exit_codes_are_those_that_shells_report(number: int, code: int) -> None:
    with pytest.raises(Stopped) as stopped, Signals():
        signal.raise_signal(number)
    assert stopped.value.code == code
    assert str(stopped.value) == f"stopped by {NAMES[number]}"


def test_signals_are_given_back_whatever_happens(handlers: list[object]) -> None:
    with Signals():
        assert now() != handlers
    assert now() == handlers
    with pytest.raises(ValueError), Signals():
        raise ValueError
    with pytest.raises(Stopped), Signals(), Signals():
        signal.raise_signal(signal.SIGTERM)
    assert now() == handlers


@pytest.mark.parametrize("second", NUMBERS)
def test_patience_ends_with_the_second_signal(second: int) -> None:
    signals = Signals(patient=True)
    with pytest.raises(Stopped) as stopped, signals:
        signal.raise_signal(signal.SIGUSR1)
        assert signals.received == signal.SIGUSR1
        signal.raise_signal(second)
    assert stopped.value.number == second


def test_signals_are_taken_back_from_whoever_took_them(handlers: list[object]) -> None:
    taken = []
    with Signals() as signals:
        signal.signal(signal.SIGTERM, lambda *_: taken.append(True))
        signals.__enter__()
        with pytest.raises(Stopped):
            signal.raise_signal(signal.SIGTERM)
    assert taken == []
    assert now() == handlers


@pytest.mark.parametrize("becomes", [SystemExit(1), UnboundLocalError("old"), ImportError("torch")])
def test_what_others_make_of_a_stop_is_a_stop_again(becomes: BaseException) -> None:
    with pytest.raises(Stopped) as stopped, Signals():
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            raise becomes from None
    assert stopped.value.number == signal.SIGTERM


def test_a_library_that_puts_something_else_in_its_place_hides_no_stop() -> None:
    """As torch's writer does: its own error comes while the file is closed on the way out."""
    inner = Signals(patient=True)  # takes the signals, as a callback of the run does
    with pytest.raises(Stopped) as stopped, Signals():
        inner.__enter__()
        try:
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGUSR1)
        finally:
            inner.__exit__()
            raise RuntimeError("unexpected position")
    assert stopped.value.number == signal.SIGUSR1


def test_put_back_after_its_end_it_is_as_if_it_were_not_there() -> None:
    heard: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    with Signals(patient=True) as signals:
        ours = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, ours)
    signal.raise_signal(signal.SIGTERM)
    assert heard == [signal.SIGTERM]
    assert signals.received is None


def test_while_a_stopped_process_ends_another_signal_ends_it_with_its_code(
    monkeypatch: pytest.MonkeyPatch, handlers: list[object]
) -> None:
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    with pytest.raises(Stopped), Signals(last=True):
        signal.raise_signal(signal.SIGTERM)
    for number in NUMBERS:
        signal.raise_signal(number)
    assert codes == [130, 143, 138]


def test_the_last_gives_signals_back_unless_it_was_a_stop(handlers: list[object]) -> None:
    with pytest.raises(ValueError), Signals(last=True):
        raise ValueError
    assert now() == handlers


@pytest.mark.parametrize("error", [SystemExit(0), SystemExit(2), ValueError("mine")])
def test_other_ends_stay_what_they_are(error: BaseException) -> None:
    with pytest.raises(type(error)) as ended, Signals():
        raise error
    assert ended.value is error


def test_elsewhere_than_in_the_main_thread_nothing_happens(handlers: list[object]) -> None:
    seen = []

    def work() -> None:
        with Signals():
            seen.append(now())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [handlers]
