"""x -> (x - shift) / scale, as training and prediction do it."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import torch
from torch import Tensor

from zoo.preprocessing.fields import Fields


class Scaling(NamedTuple):
    """x -> (x - shift) / scale; always new memory, so that what is stored stays as it is."""

    shift: Tensor
    scale: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Scales a batch to float32, on any device."""
        if x.device != self.shift.device:
            return _moved(self, x.device)(x)
        if x.dtype == torch.float32:
            return (x - self.shift).div_(self.scale)
        return x.float().sub_(self.shift).div_(self.scale)

    def back(self, x: Tensor) -> Tensor:
        """From what is scaled to the units of the data; always new memory."""
        return x * self.scale.to(x) + self.shift.to(x)

    def plain(self) -> dict[str, Any]:
        """As nested lists of the very same numbers."""
        return {"shift": self.shift.tolist(), "scale": self.scale.tolist()}

    @classmethod
    def of(cls, plain: Any, name: str = "scaling", dtype: torch.dtype = torch.float32) -> Scaling:
        """From nested lists.

        Raises:
            ValueError: they are not finite numbers, or a scale is not positive.
        """
        fields = Fields(plain, name)
        shift, scale = fields.array("shift"), fields.array("scale", positive=True)
        fields.done()
        found = cls(torch.from_numpy(shift).to(dtype), torch.from_numpy(scale).to(dtype))
        if not (found.scale > 0).all():
            raise ValueError(f"`{name}.scale` must be positive numbers, some round to 0")
        return found


@functools.lru_cache(maxsize=16)
def _moved(scaling: Scaling, device: torch.device) -> Scaling:
    """The same on another device; copied there once, not with every batch."""
    return Scaling(scaling.shift.to(device), scaling.scale.to(device))


def identity() -> Scaling:
    """Changes nothing but the type."""
    return Scaling(torch.zeros(()), torch.ones(()))
