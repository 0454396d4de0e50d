"""The callback that says what a run costs: clocks, targets, what a continued run adds to."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from omegaconf import DictConfig

from zoo.callbacks import Cost
from zoo.callbacks import cost as module
from zoo.train import train

FAST = ("debug=fast", "trainer.limit_train_batches=9", "trainer.max_epochs=2")


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    yield clock


def stand_in(**metrics: float) -> Any:
    """A trainer as far as the callback asks."""
    values = {name.replace("_", "/", 1): torch.tensor(value) for name, value in metrics.items()}
    state = SimpleNamespace(fn="fit")
    return SimpleNamespace(
        callback_metrics=values, world_size=1, sanity_checking=False, state=state
    )


def saved_by(cost: Cost) -> dict[str, Any]:
    checkpoint: dict[str, Any] = {}
    cost.on_save_checkpoint(stand_in(), LIT, checkpoint)
    return checkpoint


LIT: Any = SimpleNamespace(device=torch.device("cpu"))


def steps(cost: Cost, clock: Clock, seconds: list[float], size: int = 10) -> None:
    batch = SimpleNamespace(x=torch.zeros(size, 3))
    for wait in seconds:
        clock.now += wait
        cost.on_train_batch_end(stand_in(), LIT, None, batch, 0)


def test_samples_a_second_are_the_median_of_steady_steps(clock: Clock) -> None:
    cost = Cost()
    cost.on_train_start(stand_in(), LIT)
    for _ in range(3):
        cost.on_train_epoch_start(stand_in(), LIT)
        # The first step of an epoch has no beginning; five more warm up, once.
        steps(cost, clock, [9.0] + 4 * [0.5])
        clock.now += 50
        cost.on_validation_start(stand_in(), LIT)
        steps(cost, clock, [70.0, 0.25, 0.25])
    # Six intervals an epoch: of 18 the first 5 are left out.
    assert len(cost.rates) == 13
    assert sorted(cost.rates)[0] == 10 / 0.5 and sorted(cost.rates)[-1] == 10 / 0.25
    assert cost.samples == 3 * 8 * 10


def test_seconds_of_all_of_training(clock: Clock) -> None:
    cost = Cost()
    cost.on_train_start(stand_in(), LIT)
    clock.now += 7
    assert saved_by(cost)["cost"]["seconds"] == 7
    cost.on_train_end(stand_in(), LIT)
    clock.now += 1000
    assert cost.seconds == 7 and cost.peak > 10e6


@pytest.mark.parametrize(
    ("settings", "values"),
    [
        ({"target": 0.5}, {"val_loss": 0.5}),
        ({"target": "val/accuracy:0.9"}, {"val_accuracy": 0.95}),
        ({"target": 0.9, "monitor": "val/accuracy", "mode": "max"}, {"val_accuracy": 0.9}),
    ],
)
def test_the_first_validation_that_reaches_the_target(
    settings: dict[str, Any], values: dict[str, float], clock: Clock
) -> None:
    cost = Cost(**settings)
    cost.on_train_start(stand_in(), LIT)
    name = next(iter(values))
    worse = {name: 0.6 if name == "val_loss" else 0.8}
    for row in (worse, worse, values, values, worse):
        steps(cost, clock, [1.0, 1.0])
        cost.on_validation_end(stand_in(**row), LIT)
    assert cost.reached == {"seconds_to_target": 6.0, "samples_to_target": 60.0}


def test_without_a_target_or_below_it_nothing_is_reached(clock: Clock) -> None:
    for cost in (Cost(), Cost(target=0.1)):
        cost.on_validation_end(stand_in(val_loss=0.5), LIT)
        assert cost.reached == {}


def test_a_continued_run_adds_up(clock: Clock) -> None:
    first, second = Cost(target=0.5), Cost(target=0.5)
    first.on_train_start(stand_in(), LIT)
    steps(first, clock, [3.0])
    saved = json.loads(json.dumps(saved_by(first)))  # plain
    second.on_load_checkpoint(stand_in(), LIT, saved)
    clock.now = 5000
    second.on_train_start(stand_in(), LIT)
    steps(second, clock, [2.0])
    second.on_validation_end(stand_in(val_loss=0.2), LIT)
    assert second.reached == {"seconds_to_target": 5.0, "samples_to_target": 20.0}


@pytest.mark.parametrize("target", ["often", "val/accuracy:", "val/accuracy:high"])
def test_a_target_that_is_none(target: str) -> None:
    with pytest.raises(ValueError, match=f"`target`.*{target}"):
        Cost(target=target)


def test_a_run_reports_it(
    composed: Callable[..., DictConfig], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("model.net.hidden=[30]", "target=val/accuracy:0.01")
    row = train(composed(*FAST, *words, "monitor.mode=max"))
    written = json.loads((tmp_path / "run" / "metrics.json").read_text())
    weights = 64 * 30 + 30 * 10
    assert written["cost/parameters"] == weights + 40
    assert written["cost/flops"] == 2 * weights
    assert written["cost/samples_to_target"] == 9 * 64
    first, last = (
        torch.load(tmp_path / "run" / "checkpoints" / name, weights_only=True)["cost"]["seconds"]
        for name in ("best.ckpt", "last.ckpt")
    )
    assert first < last <= written["cost/fit_seconds"]  # all of it, although the first was best
    assert 0 < written["cost/seconds_to_target"] < written["cost/fit_seconds"] < 60
    assert 0 < written["cost/latency_ms"] < 1e3 * 256 / written["cost/throughput"]
    assert 1e8 < written["cost/peak_memory_mb"] * 1e6 < 1e11
    assert written["cost/samples_per_second"] > 10
    assert written == pytest.approx(row)
    assert f"{weights + 40:,} parameters, {2 * weights:,} FLOPs a sample" in capsys.readouterr().out
