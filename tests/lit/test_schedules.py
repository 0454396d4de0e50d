"""Learning rates at chosen steps, from the formulas."""

import io
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import Callback
from torch.optim.lr_scheduler import CosineAnnealingLR

from zoo.data import Split
from zoo.lit import LitFeedForward, schedules
from zoo.losses import MSE
from zoo.models import FNN

RATE = 2.0


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=RATE)


def rates(make: Callable[..., dict[str, Any]], count: int, **settings: Any) -> list[float]:
    """The rates of the first `count` updates, as fractions of the optimizer's own."""
    sgd = optimizer()
    schedule = make(sgd, settings.pop("total_steps", count), settings.pop("epochs", 1), **settings)
    factors = []
    for _ in range(count):
        factors.append(sgd.param_groups[0]["lr"] / RATE)
        sgd.step()
        schedule["scheduler"].step()
    return factors


def half_cosine(t: float, start: float, end: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * t))


def test_step_falls_at_each_milestone() -> None:
    factors = rates(schedules.step, 8, milestones=(0.5, 0.75), gamma=0.1)
    assert factors == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01])


def test_cosine_is_the_papers_formula_and_torchs() -> None:
    factors = rates(schedules.cosine, 10, final_factor=0.1)
    assert factors == pytest.approx([half_cosine(k / 10, 1.0, 0.1) for k in range(10)])
    sgd = optimizer()
    theirs = CosineAnnealingLR(sgd, T_max=10, eta_min=0.1 * RATE)
    for factor in factors:
        assert factor == pytest.approx(sgd.param_groups[0]["lr"] / RATE)
        sgd.step()
        theirs.step()


def test_warmup_climbs_in_a_line_and_then_falls_as_a_cosine() -> None:
    factors = rates(schedules.warmup_cosine, 20, warmup=0.2, final_factor=0.05)
    line = [(k + 1) / 5 for k in range(5)]  # 4 steps of warm-up, the fifth at the full rate
    cosine = [half_cosine((k - 4) / 16, 1.0, 0.05) for k in range(5, 20)]
    assert factors == pytest.approx(line + cosine)


def test_one_cycle_goes_up_and_down() -> None:
    settings = {"warmup": 0.3, "initial_factor": 0.04, "final_factor": 0.01}
    factors = rates(schedules.one_cycle, 10, **settings)
    up = [half_cosine(k / 3, 0.04, 1.0) for k in range(3)]
    down = [half_cosine((k - 3) / 7, 1.0, 0.01) for k in range(3, 10)]
    assert factors == pytest.approx(up + down)
    assert max(factors) == factors[3] == pytest.approx(1.0)


def test_by_epoch_the_run_is_as_long_as_its_epochs() -> None:
    factors = rates(schedules.cosine, 4, total_steps=400, epochs=4, interval="epoch")
    assert factors == pytest.approx([half_cosine(k / 4, 1.0, 0.0) for k in range(4)])


def test_beyond_its_end_a_schedule_stays_where_it_ended() -> None:
    for make in (schedules.cosine, schedules.warmup_cosine, schedules.one_cycle):
        factors = rates(make, 15, total_steps=10, final_factor=0.2)
        assert factors[10:] == pytest.approx([0.2] * 5), make.__name__


def test_plateau_waits_out_its_patience() -> None:
    sgd = optimizer()
    settings = schedules.plateau(sgd, 100, 10, factor=0.5, patience=2, min_lr=0.6, monitor="val/x")
    assert settings["monitor"] == "val/x" and settings["interval"] == "epoch"
    seen = []
    for value in (3.0, 2.0, 2.0, 2.5, 2.0, 1.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0):
        settings["scheduler"].step(value)
        seen.append(sgd.param_groups[0]["lr"])
    # Third bad epoch in a row: half. An improvement starts the count anew. Never below 0.6.
    assert seen == pytest.approx([2.0] * 4 + [1.0] * 4 + [0.6] * 4)


def test_plateau_reads_max_the_other_way_round() -> None:
    sgd = optimizer()
    schedule = schedules.plateau(sgd, 100, 10, factor=0.1, patience=0, mode="max")["scheduler"]
    for value, rate in ((0.5, 2.0), (0.6, 2.0), (0.4, 0.2)):
        schedule.step(value)
        assert sgd.param_groups[0]["lr"] == pytest.approx(rate)


SCHEDULES = {
    "step": schedules.step,
    "cosine": schedules.cosine,
    "warmup_cosine": schedules.warmup_cosine,
    "one_cycle": schedules.one_cycle,
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_saved_schedule_goes_on_where_it_was(name: str) -> None:
    whole = rates(SCHEDULES[name], 12)
    sgd = optimizer()
    schedule = SCHEDULES[name](sgd, 12, 1)["scheduler"]
    for _ in range(5):
        sgd.step()
        schedule.step()
    file = io.BytesIO()
    torch.save({"optimizer": sgd.state_dict(), "schedule": schedule.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)

    second = optimizer()
    schedule = SCHEDULES[name](second, 12, 1)["scheduler"]
    second.load_state_dict(saved["optimizer"])
    schedule.load_state_dict(saved["schedule"])
    for factor in whole[5:]:
        assert second.param_groups[0]["lr"] / RATE == pytest.approx(factor)
        second.step()
        schedule.step()


@pytest.mark.parametrize(
    ("make", "settings", "complaint"),
    [
        (schedules.step, {"milestones": (0.5, 30)}, "`milestones` must be"),
        (schedules.step, {"gamma": 1.5}, "`gamma` must be"),
        (schedules.cosine, {"final_factor": -0.1}, "`final_factor` must be"),
        (schedules.cosine, {"interval": "batch"}, "`interval` must be"),
        (schedules.warmup_cosine, {"warmup": 100}, "`warmup` must be"),
        (schedules.one_cycle, {"warmup": 0.0}, "`warmup` must be"),
        (schedules.one_cycle, {"initial_factor": 2}, "`initial_factor` must be"),
    ],
)
def test_wrong_settings_are_named(
    make: Callable[..., Any], settings: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        make(optimizer(), 10, 1, **settings)


class Rates(Callback):
    """The rate that each update took."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_before_optimizer_step(self, trainer: Any, module: Any, optimizer: Any) -> None:
        self.seen.append(optimizer.param_groups[0]["lr"])


def test_in_a_run_the_length_is_the_number_of_updates(fit: Callable[..., Any]) -> None:
    # 10 samples in batches of 2, gradients of 2 batches summed: 3 updates an epoch, 2 epochs.
    watch = Rates()
    module = LitFeedForward(
        FNN(3, 1),
        loss=MSE(),
        optimizer=partial(torch.optim.SGD, lr=0.01),
        scheduler=schedules.cosine,
    )
    split = Split(torch.randn(10, 3), torch.randn(10, 1))
    fit(module, split, batch_size=2, max_epochs=2, accumulate_grad_batches=2, callbacks=[watch])
    assert watch.seen == pytest.approx([0.01 * half_cosine(k / 6, 1.0, 0.0) for k in range(6)])


def test_in_a_run_plateau_reads_the_validation(fit: Callable[..., Any]) -> None:
    watch = Rates()
    net = FNN(3, 1, hidden=())
    split = Split(torch.randn(4, 3), torch.zeros(4, 1))
    split = split._replace(y=net(split.x).detach())  # nothing to learn: it never improves
    module = LitFeedForward(
        net,
        loss=MSE(),
        optimizer=partial(torch.optim.SGD, lr=0.08),
        scheduler=partial(schedules.plateau, factor=0.5, patience=0),
    )
    fit(module, split, split, max_epochs=4, callbacks=[watch])
    assert watch.seen == pytest.approx([0.08, 0.08, 0.04, 0.02])
