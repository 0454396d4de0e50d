"""Affine scaling of inputs and targets, fitted on the training split."""

from collections.abc import Iterator

import torch
from torch import Tensor

from zoo.preprocessing.affine import Scaling, identity

__all__ = ["SCALINGS", "Scaling", "identity", "standard", "unit"]

SCALINGS = ("standard", "unit", "none")
CHUNK = 1 << 24  # numbers that are float64 at a time; a training split may not fit into memory so


def standard(x: Tensor, channel: int = 1) -> Scaling:
    """To mean 0 and standard deviation 1 (of the population), per channel."""
    axes = _all_but(channel, x)
    shape = [size if axis == channel else 1 for axis, size in enumerate(x.shape)][1:]
    count = x.numel() // x.shape[channel]
    mean = torch.stack([part.sum(axes) for part in _parts(x)]).sum(0) / count
    wide = mean.view(shape)
    squares = [part.sub_(wide).square_().sum(axes) for part in _parts(x)]
    deviation = (torch.stack(squares).sum(0) / count).sqrt()
    return Scaling(wide.float(), _nonzero(deviation.view(1, *shape).float(), x, axes)[0])


def unit(x: Tensor, channel: int = 1, limits: tuple[float, float] | None = None) -> Scaling:
    """To [0, 1], per channel by the smallest and largest value, or all by known limits."""
    if limits is not None:
        low, high = torch.tensor(limits)
        return Scaling(low, high - low)
    axes = _all_but(channel, x)
    low, high = x.amin(axes, keepdim=True).float(), x.amax(axes, keepdim=True).float()
    return Scaling(low[0], _nonzero(high - low, x, axes)[0])


def _parts(x: Tensor) -> Iterator[Tensor]:
    """The samples in float64, a part at a time."""
    rows = max(1, CHUNK // max(1, x[0].numel()))
    for part in x.split(rows):
        yield part.to(torch.float64, copy=True)


def _all_but(channel: int, x: Tensor) -> list[int]:
    return [axis for axis in range(x.ndim) if axis != channel]


def _nonzero(scale: Tensor, x: Tensor, axes: list[int]) -> Tensor:
    # Rounding can leave a constant channel a deviation of 1e-8; dividing by that makes noise.
    constant = x.amin(axes, keepdim=True) == x.amax(axes, keepdim=True)
    return torch.where(constant, 1.0, scale)
