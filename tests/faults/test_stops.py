"""Ctrl-C, SIGTERM and SIGUSR1 at any moment of `zoo-train`: its exit code, and nothing lost."""

import random
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

SIGNALS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM", signal.SIGUSR1: "SIGUSR1"}
STOPS = 12
RUN = "hydra.run.dir=run"


@pytest.mark.parametrize("number", SIGNALS, ids=SIGNALS.values())
def test_stopped_at_random_moments(
    number: int,
    server: Any,
    uninterrupted: Any,
    tiny: tuple[str, ...],
    tmp_path: Path,
    dice: random.Random,
    survived: Counter[str],
) -> None:
    kind, finished = f"stops by {SIGNALS[number]}", 0
    words: tuple[str, ...] = (*tiny, RUN)
    while survived[kind] < STOPS or not finished:
        folder = tmp_path / str(finished)
        stops = [[dice.uniform(0.2, 1.5) * uninterrupted.seconds, number]]
        if survived[kind] >= STOPS:
            stops = []
        code, output = server.whole(folder, *words, typed=True, signals=stops)
        assert "Traceback" not in output, output
        begun = (folder / "run" / "config.yaml").exists()
        if code == 0:
            uninterrupted.was_lived_again(folder / "run")
            words, finished = (*tiny, RUN), finished + 1
        else:
            assert code == 128 + number, output
            last = output.splitlines()[-1]
            assert last.startswith(f"stopped by {SIGNALS[number]}"), output
            assert last.endswith(": zoo-train resume=run") or not begun or last.count(" ") == 2
            words = ("resume=run",) if begun else (*tiny, RUN)
            survived[kind] += 1
    survived["runs finished"] += finished


@pytest.mark.parametrize("number", SIGNALS, ids=SIGNALS.values())
def test_a_second_signal_does_not_wait(
    number: int,
    server: Any,
    uninterrupted: Any,
    tiny: tuple[str, ...],
    tmp_path: Path,
    dice: random.Random,
    survived: Counter[str],
) -> None:
    for turn in range(5):
        folder = tmp_path / str(turn)
        stops = [[dice.uniform(0.7, 1.5) * uninterrupted.seconds, number], [0.001, number]]
        words = (*tiny, "trainer.max_epochs=1000", RUN)
        code, output = server.whole(folder, *words, typed=True, signals=stops)
        assert code == 128 + number, output
        assert "Traceback" not in output, output
        survived["stops by two signals"] += 1
