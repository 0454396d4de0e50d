"""Learning-rate schedules over a whole run, whose length is computed, never typed.

Each takes (optimizer, total_steps, epochs) and gives Lightning's scheduler config. `interval` is
"step" or "epoch".

A run that is continued with another length (`trainer.max_epochs`) has from its next update on the
rate that a run of the new length has there: a cosine that had come to its end and is given as many
epochs again goes on with half of the first rate. What was learned at the old rates stays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

Interval = Literal["step", "epoch"]


def step(
    optimizer: Optimizer,
    total_steps: int,
    epochs: int,
    *,
    milestones: Sequence[float] = (0.5, 0.75),
    gamma: float = 0.1,
    interval: Interval = "step",
) -> dict[str, Any]:
    """Multiply by `gamma` at each milestone, a fraction of the run (as in He 2015)."""
    if not all(0 < m < 1 for m in milestones):
        raise ValueError(f"`milestones` must be fractions of the run in (0, 1), got {milestones}")
    check_fraction("gamma", gamma)
    return _scaled(
        optimizer, total_steps, epochs, interval, lambda t: gamma ** sum(t >= m for m in milestones)
    )


def cosine(
    optimizer: Optimizer,
    total_steps: int,
    epochs: int,
    *,
    final_factor: float = 0.0,
    interval: Interval = "step",
) -> dict[str, Any]:
    """Half a cosine from the first rate to `final_factor` of it (Loshchilov & Hutter 2017)."""
    check_fraction("final_factor", final_factor)
    return _scaled(optimizer, total_steps, epochs, interval, lambda t: _fall(t, 1.0, final_factor))


def warmup_cosine(
    optimizer: Optimizer,
    total_steps: int,
    epochs: int,
    *,
    warmup: float = 0.1,
    final_factor: float = 0.0,
    interval: Interval = "step",
) -> dict[str, Any]:
    """A linear climb over the fraction `warmup` of the run (Goyal 2017), then half a cosine."""
    check_fraction("final_factor", final_factor)
    check_warmup(warmup)
    steps = total_steps if interval == "step" else epochs

    def factor(t: float) -> float:
        if t < warmup:
            return (t + 1 / steps) / (
                warmup + 1 / steps
            )  # the first update is not wasted on a rate of 0
        return _fall((t - warmup) / (1 - warmup), 1.0, final_factor)

    return _scaled(optimizer, total_steps, epochs, interval, factor)


def one_cycle(
    optimizer: Optimizer,
    total_steps: int,
    epochs: int,
    *,
    warmup: float = 0.3,
    initial_factor: float = 0.04,
    final_factor: float = 1e-4,
    interval: Interval = "step",
) -> dict[str, Any]:
    """Half a cosine up from `initial_factor` of the rate, then one down (Smith 2018)."""
    check_fraction("initial_factor", initial_factor)
    check_fraction("final_factor", final_factor)
    check_warmup(warmup)

    def factor(t: float) -> float:
        if t < warmup:
            return _fall(t / warmup, initial_factor, 1.0)
        return _fall((t - warmup) / (1 - warmup), 1.0, final_factor)

    return _scaled(optimizer, total_steps, epochs, interval, factor)


def plateau(
    optimizer: Optimizer,
    total_steps: int,
    epochs: int,
    *,
    factor: float = 0.5,
    patience: int = 5,
    min_lr: float = 0.0,
    monitor: str = "val/loss",
    mode: Literal["min", "max"] = "min",
    every: int | None = 1,
) -> dict[str, Any]:
    """Multiply by `factor` when `monitor` has not improved for `patience` looks.

    It looks at the end of each epoch whose number `every` divides; None: of each.
    """
    schedule = ReduceLROnPlateau(optimizer, mode, factor=factor, patience=patience, min_lr=min_lr)
    return {
        "scheduler": schedule,
        "interval": "epoch",
        "frequency": every or 1,
        "monitor": monitor,
    }


class OfRun(LambdaLR):
    """A factor of the first rate, given by how much of the run is done."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on; the optimizer's own rate may be that of a run of another length."""
        super().load_state_dict(state_dict)
        parts = zip(self.optimizer.param_groups, self.base_lrs, self.lr_lambdas, strict=True)
        for group, first, factor in parts:
            group["lr"] = first * factor(self.last_epoch)
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]


def check_fraction(name: str, value: float) -> None:
    """Refuse a factor outside [0, 1]."""
    if not 0 <= value <= 1:
        raise ValueError(f"`{name}` must be in [0, 1], got {value}")


def check_warmup(warmup: float) -> None:
    """Refuse a warm-up that takes no or all of the run."""
    if not 0 < warmup < 1:
        raise ValueError(f"`warmup` must be a fraction of the run in (0, 1), got {warmup}")


def _fall(t: float, start: float, end: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(t, 1.0))) / 2


def _scaled(
    optimizer: Optimizer,
    total_steps: int,
    epochs: int,
    interval: Interval,
    factor: Callable[[float], float],
) -> dict[str, Any]:
    if interval not in ("step", "epoch"):
        raise ValueError(f"`interval` must be step or epoch, got {interval!r}")
    length = max(1, total_steps if interval == "step" else epochs)
    return {
        "scheduler": OfRun(optimizer, lambda done: factor(done / length)),
        "interval": interval,
    }
