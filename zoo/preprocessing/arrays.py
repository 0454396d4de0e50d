"""Arrays: tables without names, sequences, symbols."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo.preprocessing.affine import Scaling
from zoo.preprocessing.base import (
    LARGEST,
    Input,
    Inputs,
    as_array,
    check_some,
    numbers,
    position,
)
from zoo.preprocessing.columns import scaled
from zoo.preprocessing.fields import Fields
from zoo.preprocessing.images import fitting
from zoo.preprocessing.views import SEQUENCE, TABLE, one_hot

TOKENS = "tokens"
LAYOUTS = {2: SEQUENCE, 1: TABLE}  # by the axes of a sample


class ArrayInput(Input):
    """Numbers as training stored them.

    Args:
        shape: of a sample: (F,) of a table, (T, F) of a sequence, (T,) of symbols. A sequence of
            one feature, (T, 1), may be given as (T,).
        view: how a sample is offered to the net; "tokens" serves symbols as they are.
        scaling: of the stored values; in float64 where each sample is scaled by itself.
        symbols: how many symbols there are, where samples are (T,) numbers of symbols.
        any_length: whether sequences may differ in their steps; shorter ones are padded.
    """

    kind = "array"

    def __init__(
        self,
        shape: Sequence[int],
        *,
        view: str,
        scaling: Scaling,
        symbols: int | None = None,
        any_length: bool = False,
    ) -> None:
        self.shape = tuple(shape)
        self.view = view
        self.scaling = scaling
        self.symbols = symbols
        self.any_length = any_length
        self.exact = scaling.shift.dtype == torch.float64

    def samples(self, raw: Any) -> tuple[list[Any], bool]:
        """One array or several."""
        ragged = isinstance(raw, (list, tuple)) and len({np.shape(part) for part in raw}) > 1
        axes = (1, 2) if self._single() else (len(self.shape),)
        if ragged and all(np.ndim(part) in axes for part in raw):
            return list(raw), False
        array = as_array(raw, "the input")
        if self._single() and array.ndim == 2 and array.shape[1] != 1:
            return list(array), False
        if array.ndim in axes:
            return [array], True
        if array.ndim == len(self.shape) + 1:
            return list(array), False
        raise ValueError(
            f"the input must be a sample {self.words()} or several (N, …), got the shape "
            f"{array.shape}"
        )

    def _single(self) -> bool:
        """Whether it is sequences of one feature."""
        return len(self.shape) == 2 and self.shape[1] == 1

    def words(self) -> str:
        """The shape of a sample, for a person."""
        sizes = ("T" if self.any_length and i == 0 else str(n) for i, n in enumerate(self.shape))
        return f"({', '.join(sizes)}{',' if len(self.shape) == 1 else ''})"

    def batch(self, samples: Sequence[Any]) -> Inputs:
        """Checks, pads, scales."""
        check_some(samples)
        arrays = [self._checked(sample, i, len(samples)) for i, sample in enumerate(samples)]
        lengths = [len(array) for array in arrays]
        by_step = self.any_length and self.view == "sequence"
        steps = max(lengths) if by_step else self.shape[0]
        x = np.zeros(
            (len(arrays), steps, *self.shape[1:]), np.int64 if self.symbols else np.float32
        )
        for row, array in zip(x, arrays, strict=True):
            row[: len(array)] = self._alone(array) if self.exact else array
        return Inputs(self.serve(torch.from_numpy(x)), torch.tensor(lengths) if by_step else None)

    def _alone(self, array: np.ndarray) -> np.ndarray:
        """A sequence scaled before it is padded."""
        return scaled(array.astype(np.float64), *(part.numpy() for part in self.scaling))

    def serve(self, x: Tensor) -> Tensor:
        """A stored batch as a net reads it."""
        if self.symbols:
            if self.view == TOKENS:
                return x
            x = one_hot(x, self.symbols)
        return LAYOUTS[x.ndim - 1].views[self.view](x if self.exact else self.scaling(x))

    def _checked(self, sample: Any, index: int, count: int) -> np.ndarray:
        where = position(index, count)
        array = numbers(sample, where)
        if self._single() and array.ndim == 1:
            array = array[:, None]
        steps = len(array) if array.ndim else 0
        free = self.any_length and (0 < steps <= self.shape[0] or self.view == "sequence")
        if steps == 0 or array.shape[1 if free else 0 :] != self.shape[1 if free else 0 :]:
            raise ValueError(f"{where} must be of the shape {self.words()}, got {array.shape}")
        if self.symbols and (
            array.min() < 0
            or array.max() >= self.symbols
            or (array != array.astype(np.int64)).any()
        ):
            raise ValueError(f"{where} must hold symbols from 0 to {self.symbols - 1}")
        return array

    def plain(self) -> dict[str, Any]:
        """As plain containers."""
        return {
            "shape": list(self.shape),
            "view": self.view,
            "scaling": self.scaling.plain(),
            "symbols": self.symbols,
            "any_length": self.any_length,
            "exact": self.exact,
        }

    @classmethod
    def of(cls, fields: Fields) -> ArrayInput:
        """From plain containers."""
        shape = fields.sizes("shape", [1, 2], LARGEST)
        symbols = fields.whole("symbols", 1, 1_000_000) if fields.has("symbols") else None
        served = (*shape, symbols) if symbols else shape
        if len(served) not in LAYOUTS:
            raise ValueError("`input.shape` of symbols must have one axis")
        views = [*LAYOUTS[len(served)].views, *([TOKENS] if symbols else [])]
        any_length = fields.flag("any_length")
        view = fields.choice("view", views)
        dtype = torch.float64 if fields.flag("exact") else torch.float32
        if any_length and (symbols or len(shape) != 2):
            raise ValueError("`input.any_length` is for sequences alone")
        scaling = fitting(Scaling.of(fields.take("scaling"), dtype=dtype), served)
        return cls(shape, view=view, scaling=scaling, symbols=symbols, any_length=any_length)
