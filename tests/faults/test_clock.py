"""Clocks that go back, and locales: times still rise, files are still in order."""

import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from zoo.lit.events import PatientFile, RunEvents

HOUR = 3600.0


class Clock:
    """A clock that a test can put back."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        self.now += 0.25
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "time", clock)
    return clock


def written(folder: Path, tag: str) -> list[tuple[int, float]]:
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    return [(event.step, event.wall_time) for event in events.Scalars(tag)]


def test_times_rise_when_the_clock_goes_back(clock: Clock, tmp_path: Path) -> None:
    writer = RunEvents(str(tmp_path))
    for step in range(20):
        if step in (5, 12):
            clock.now -= HOUR
        writer.add_scalar("loss", 1.0, step)
    writer.close()
    steps, times = zip(*written(tmp_path, "loss"), strict=True)
    assert list(steps) == list(range(20))
    durations = [b - a for a, b in zip(times, times[1:], strict=False)]
    assert all(0 <= duration < 10 for duration in durations)


@pytest.mark.parametrize("back", [0.0, 0.5, 2 * HOUR])
def test_continued_file_comes_after_the_first_one(
    back: float, clock: Clock, tmp_path: Path
) -> None:
    first = RunEvents(str(tmp_path))
    for step in range(10):
        first.add_scalar("loss", 1.0, step)
    first.close()
    [file] = tmp_path.iterdir()
    os.utime(file, (clock.now, clock.now))
    clock.now -= back
    second = RunEvents(str(tmp_path), purge_step=6)
    for step in range(6, 12):
        second.add_scalar("loss", 1.0, step)
    second.close()
    assert len(list(tmp_path.iterdir())) == 2
    steps, times = zip(*written(tmp_path, "loss"), strict=True)
    assert list(steps) == list(range(12))
    assert list(times) == sorted(times)


def test_purged_from_the_start_nothing_is_left(clock: Clock, tmp_path: Path) -> None:
    for purge_step in (None, 0):
        writer = RunEvents(str(tmp_path), purge_step=purge_step)
        for step in range(3):
            writer.add_scalar("loss", float(step), step)
        writer.close()
    assert [step for step, _ in written(tmp_path, "loss")] == [0, 1, 2]


def test_events_are_in_the_file_before_it_is_closed(tmp_path: Path) -> None:
    writer = RunEvents(str(tmp_path))
    writer.add_scalar("loss", 1.0, 7)
    writer.flush()
    assert [step for step, _ in written(tmp_path, "loss")] == [7]
    writer.close()


def test_file_that_cannot_be_written_says_so_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the kernel answers it: half of a record fits on the disk."""
    file, write = PatientFile(tmp_path / "deep" / "events"), os.write
    file.write(b"whole")

    def half(descriptor: int, data: Any) -> int:
        monkeypatch.setattr(os, "write", full)
        return write(descriptor, bytes(data)[:3])

    def full(descriptor: int, data: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", half)
    file.write(b"record")
    monkeypatch.undo()
    file.write(b"another")
    file.close()
    assert (tmp_path / "deep" / "events").read_bytes() == b"whole"
    assert capsys.readouterr().err == (
        f"TensorBoard gets no more of this run: {tmp_path}/deep/events: No space left on device\n"
    )


def test_writer_without_a_folder_swallows_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    writer = RunEvents(str(tmp_path / "file"))
    for step in range(30):
        writer.add_scalar("loss", 1.0, step)
    writer.flush()
    writer.close()
    assert capsys.readouterr().err.count("TensorBoard gets no more of this run: ") == 1


# --- whole runs ------------------------------------------------------------------------------


@pytest.mark.slow
def test_run_under_a_clock_that_goes_back(
    server: Any, uninterrupted: Any, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    code, output = server.whole(tmp_path, *tiny, clock=("back", 60))
    assert code == 0, output
    part = uninterrupted.was_lived_again(tmp_path / "run")
    assert part.times == sorted(part.times)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tr_TR", "de_DE"])
def test_run_under_a_locale_with_decimal_commas(
    name: str,
    call: Callable[..., Any],
    environment: Callable[..., dict[str, str]],
    uninterrupted: Any,
    metrics_of: Callable[[Path], Any],
    tiny: tuple[str, ...],
    tmp_path: Path,
) -> None:
    if shutil.which("localedef") is None:
        pytest.skip("this machine makes no locales")
    made = call("localedef", "-i", name, "-f", "UTF-8", tmp_path / f"{name}.UTF-8")
    if made.returncode:
        pytest.skip("this machine does not know that locale")
    # Python alone would format no number by it; libraries may ask for all of it.
    (tmp_path / "sitecustomize.py").write_text(
        "import locale\n"
        "locale.setlocale(locale.LC_ALL, '')\n"
        "assert locale.localeconv()['decimal_point'] == ','\n"
    )
    changes = {
        "LC_ALL": f"{name}.UTF-8",
        "LOCPATH": str(tmp_path),
        "PYTHONPATH": os.pathsep.join([str(tmp_path), environment()["PYTHONPATH"]]),
    }
    train = (sys.executable, "-m", "zoo.train", *tiny, "hydra.run.dir=run")
    done = call(*train, cwd=tmp_path, **changes)
    assert done.returncode == 0, done.stderr
    assert metrics_of(tmp_path / "run") == uninterrupted.metrics


@pytest.mark.slow
def test_run_on_a_terminal_that_knows_ascii_alone(
    zoo: Callable[..., Any], tiny: tuple[str, ...]
) -> None:
    done = zoo("train", *tiny, "debug=fast", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "accuracy" in done.stdout
