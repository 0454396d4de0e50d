"""Affine scaling of inputs and targets, fitted on the training split."""

from typing import NamedTuple

import torch
from torch import Tensor

SCALINGS = ("standard", "unit", "none")


class Scaling(NamedTuple):
    """x -> (x - shift) / scale; always new memory, so that what is stored stays as it is."""

    shift: Tensor
    scale: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Scales a batch to float32."""
        return (x.float() - self.shift).div_(self.scale)


def identity() -> Scaling:
    """Changes nothing but the type."""
    return Scaling(torch.zeros(()), torch.ones(()))


def standard(x: Tensor, channel: int = 1) -> Scaling:
    """To mean 0 and standard deviation 1 (of the population), per channel."""
    axes = _all_but(channel, x)
    variance, mean = torch.var_mean(x.float(), axes, correction=0, keepdim=True)
    return Scaling(mean[0], _nonzero(variance.sqrt(), x, axes)[0])


def unit(x: Tensor, channel: int = 1, limits: tuple[float, float] | None = None) -> Scaling:
    """To [0, 1], per channel by the smallest and largest value, or all by known limits."""
    if limits is not None:
        low, high = torch.tensor(limits)
        return Scaling(low, high - low)
    axes = _all_but(channel, x)
    low, high = x.float().amin(axes, keepdim=True), x.float().amax(axes, keepdim=True)
    return Scaling(low[0], _nonzero(high - low, x, axes)[0])


def _all_but(channel: int, x: Tensor) -> list[int]:
    return [axis for axis in range(x.ndim) if axis != channel]


def _nonzero(scale: Tensor, x: Tensor, axes: list[int]) -> Tensor:
    # Rounding can leave a constant channel a deviation of 1e-8; dividing by that makes noise.
    constant = x.amin(axes, keepdim=True) == x.amax(axes, keepdim=True)
    return torch.where(constant, 1.0, scale)
