"""Means over many steps that never make the device wait."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from lightning.pytorch.strategies import Strategy
from torch import Tensor


def summable(values: Tensor) -> Tensor:
    """The values in float64: a float32 sum over a long epoch would lose small terms.

    Apple's GPUs know no float64; there they stay as they are.
    """
    return values if values.is_mps else values.double()


class RunningMeans:
    """Weighted means of named scalars, kept as tensors until they are asked for."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._weight: Tensor | int = 0

    def add(self, values: Mapping[str, Tensor], weight: Tensor | int) -> None:
        """Add a batch's means, which count `weight` samples."""
        for name, value in values.items():
            term = summable(value.detach()) * weight
            self._sums[name] = self._sums[name] + term if name in self._sums else term
        self._weight = self._weight + weight

    def drain(self, strategy: Strategy) -> dict[str, float]:
        """The means over everything added since the last call, on all processes; starts anew."""
        if not self._sums:
            return {}
        names, first = list(self._sums), next(iter(self._sums.values()))
        weight = torch.as_tensor(self._weight, dtype=first.dtype, device=first.device)
        totals = torch.stack([*self._sums.values(), weight])
        totals = strategy.reduce(totals, reduce_op="sum")
        self._sums, self._weight = {}, 0
        *sums, total = totals.tolist()
        return {name: value / total for name, value in zip(names, sums, strict=True)}
