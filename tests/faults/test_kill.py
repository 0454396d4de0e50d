"""kill -9 at any moment: the run goes on as if nothing had been, and no folder is unreadable."""

import random
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zoo.checkpoint import read

pytestmark = pytest.mark.slow

KILLS = 60  # at random moments
MOMENTS = (
    *("half of a checkpoint is written", "a file is written, not flushed"),
    *("a file is flushed, not renamed", "a file is renamed"),
)


def readable(folder: Path) -> bool:
    """Whether each file in the folder that has its name is whole; whether any is on its way."""
    for file in folder.glob("checkpoints/*.ckpt"):
        if not file.name.startswith("."):
            read(file)
    return any(folder.glob("checkpoints/.*")) or any(folder.glob(".*.*"))


def test_killed_at_random_moments(
    server: Any,
    uninterrupted: Any,
    tiny: tuple[str, ...],
    tmp_path: Path,
    dice: random.Random,
    survived: Counter[str],
) -> None:
    finished = 0
    while survived["kills at random moments"] < KILLS or not finished:
        folder = tmp_path / str(finished)
        for words in again(folder, tiny):
            kills = [[dice.uniform(0, uninterrupted.seconds), signal.SIGKILL]]
            if survived["kills at random moments"] >= KILLS:
                kills = []
            code, output = server.whole(folder, *words, signals=kills)
            if code == 0:
                break
            assert code == -signal.SIGKILL, output
            survived["kills at random moments"] += 1
            survived["kills within a save"] += readable(folder / "run")
        uninterrupted.was_lived_again(folder / "run")
        finished += 1
    survived["runs finished"] += finished


def again(folder: Path, tiny: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The words that begin a run, and those that go on with it; where nothing is, begin again."""
    while True:
        begun = (folder / "run" / "config.yaml").exists()
        yield ("resume=run",) if begun else tiny


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_within_a_save(
    moment: str,
    server: Any,
    uninterrupted: Any,
    tiny: tuple[str, ...],
    tmp_path: Path,
    survived: Counter[str],
) -> None:
    for number in range(1, 12):
        folder = tmp_path / str(number)
        code, output = server.whole(folder, *tiny, kill=(moment, number))
        assert code == -signal.SIGKILL, output
        readable(folder / "run")
        words = next(again(folder, tiny))
        code, output = server.whole(folder, *words)
        assert code == 0, output
        uninterrupted.was_lived_again(folder / "run")
        survived["kills within a save"] += 1
    survived["runs finished"] += 11
