"""Means over many steps that never make the device wait."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch.strategies import Strategy
from torch import Tensor

TOGETHER = 32  # batches that wait to be summed up


def summable(values: Tensor) -> Tensor:
    """The values in float64: a float32 sum over a long epoch would lose small terms.

    Apple's GPUs know no float64; there they stay as they are.
    """
    return values if values.is_mps else values.double()


class RunningMeans:
    """Weighted means of named scalars, kept as tensors until they are asked for.

    A few batches wait to be summed together: a step costs an entry in a list, not three operations
    for each name.
    """

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._weight: Tensor | int = 0
        self._waiting: list[tuple[dict[str, Tensor], Tensor | int]] = []

    def add(self, values: Mapping[str, Tensor], weight: Tensor | int) -> None:
        """Add a batch's means, which count `weight` samples."""
        self._waiting.append(({name: value.detach() for name, value in values.items()}, weight))
        if len(self._waiting) == TOGETHER:
            self._sum_up()

    def _sum_up(self) -> None:
        if not self._waiting:
            return
        weights = [weight for _, weight in self._waiting]
        for name in self._waiting[0][0]:
            values = summable(torch.stack([batch[name] for batch, _ in self._waiting]))
            shares = torch.stack([torch.as_tensor(w, device=values.device) for w in weights])
            term = (values * shares).sum()
            self._sums[name] = self._sums[name] + term if name in self._sums else term
        for weight in weights:
            self._weight = self._weight + weight
        self._waiting = []

    def drain(self, strategy: Strategy) -> dict[str, float]:
        """The means over everything added since the last call, on all processes; starts anew."""
        self._sum_up()
        if not self._sums:
            return {}
        names, first = list(self._sums), next(iter(self._sums.values()))
        weight = torch.as_tensor(self._weight, dtype=first.dtype, device=first.device)
        totals = torch.stack([*self._sums.values(), weight])
        totals = strategy.reduce(totals, reduce_op="sum")
        self._sums, self._weight = {}, 0
        *sums, total = totals.tolist()
        return {name: value / total for name, value in zip(names, sums, strict=True)}

    def state(self) -> dict[str, Any]:
        """What has been added so far, as plain containers of tensors."""
        waiting = [(dict(batch), torch.as_tensor(weight)) for batch, weight in self._waiting]
        sums, weight = dict(self._sums), torch.as_tensor(self._weight)
        return {"sums": sums, "weight": weight, "waiting": waiting}

    def restore(self, state: dict[str, Any], device: torch.device) -> None:
        """Go on from such a state."""
        self._sums = {name: value.to(device) for name, value in state["sums"].items()}
        self._weight = state["weight"].to(device)
        self._waiting = [
            ({name: value.to(device) for name, value in batch.items()}, weight.to(device))
            for batch, weight in state["waiting"]
        ]
