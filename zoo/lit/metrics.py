"""Metrics that cost no more than a few sums a batch, exact over an epoch and over processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric

from zoo.lit.running import summable


class Mean(Metric):
    """A sum over a count; a subclass says what a batch adds to both."""

    full_state_update = False
    target: ClassVar[str] = "values"  # or "classes"
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def add(self, values: Tensor, count: int) -> None:
        """Add the sum of `values`, which stands for `count` items."""
        wide = None if values.is_mps else torch.float64  # see `summable`
        # Not in place: processes that were spawned begin with one tensor for all of them.
        self.total = self.total + values.sum(dtype=wide)
        self.count = self.count + count

    def compute(self) -> Tensor:
        """The mean so far."""
        return self.total / self.count


class Accuracy(Mean):
    """Fraction of targets whose logit is the largest; of soft targets, whose largest class it is.

    Shapes:
        prediction (..., C), target (...) int64 or (..., C) floating point
    """

    target = "classes"

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add a batch."""
        if target.is_floating_point():
            target = target.argmax(-1)
        self.add(prediction.argmax(-1) == target, target.numel())


class Scaled(Mean):
    """A mean over elements in the target's own units.

    Args:
        scale: standard deviation of each output in original units; 1 leaves the units alone.

    Shapes:
        prediction, target (..., K)
    """

    scale: Tensor

    def __init__(self, scale: Sequence[float] = (1.0,)) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor(scale), persistent=False)

    def error(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Difference of prediction and target in original units."""
        return (prediction - target) * self.scale


class MeanAbsoluteError(Scaled):
    """Mean of |prediction - target|, in the target's units."""

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add a batch."""
        self.add(self.error(prediction, target).abs(), target.numel())


class RootMeanSquaredError(Scaled):
    """Root of the mean squared error, in the target's units."""

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add a batch."""
        self.add(self.error(prediction, target).square(), target.numel())

    def compute(self) -> Tensor:
        """The error so far."""
        return super().compute().sqrt()


class SquaredErrorPerSample(Mean):
    """Squared error summed over a sample, mean over samples (Hinton & Salakhutdinov 2006).

    Shapes:
        prediction, target (B, ...)
    """

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add a batch."""
        self.add(F.mse_loss(prediction, target, reduction="sum"), len(target))


class R2(Metric):
    """Explained share of the variance, 1 - SSE / SST, over all elements; needs two or more targets.

    Shapes:
        prediction, target (..., K)
    """

    full_state_update = False
    target: ClassVar[str] = "values"
    sse: Tensor
    sums: Tensor
    squares: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("sse", "sums", "squares"):
            self.add_state(name, torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add a batch."""
        target = summable(target)
        self.sse = self.sse + (prediction - target).square().sum()
        self.sums = self.sums + target.sum()
        self.squares = self.squares + target.square().sum()
        self.count = self.count + target.numel()

    def compute(self) -> Any:
        """The share so far."""
        return 1 - self.sse / (self.squares - self.sums.square() / self.count)
