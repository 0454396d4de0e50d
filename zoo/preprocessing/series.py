"""Windows of series to forecast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from zoo.preprocessing.base import (
    LARGEST,
    Input,
    Inputs,
    as_array,
    check_some,
    finite,
    position,
)
from zoo.preprocessing.columns import numbers, scaled
from zoo.preprocessing.fields import Fields
from zoo.preprocessing.views import SEQUENCE


class SeriesInput(Input):
    """The last rows of one or more columns, in the units of the data.

    A sample is an array (rows, columns), or (rows,) of a single column, or a mapping from names to
    values, which are numbers or text as in a csv file; of more rows than a window has, the last
    ones count, and nothing of the others.

    Args:
        columns: their names: those that the net sees, then targets that it does not.
        seen: how many of them the net sees.
        targets: which of them it forecasts.
        window: rows seen.
        shift: of each column, what is subtracted.
        scale: of each column, what is divided by.
        relative: whether the net sees differences from the last row, and forecasts such.
        view: how a sample is offered to the net.
    """

    kind = "series"

    def __init__(
        self,
        columns: Sequence[str],
        *,
        seen: int,
        targets: Sequence[int],
        window: int,
        shift: np.ndarray,
        scale: np.ndarray,
        relative: bool,
        view: str,
    ) -> None:
        self.columns = list(columns)
        self.seen = seen
        self.targets = list(targets)
        self.window = window
        self.shift = shift
        self.scale = scale
        self.relative = relative
        self.view = view

    def samples(self, raw: Any) -> tuple[list[Any], bool]:
        """One series or several."""
        if isinstance(raw, Mapping):
            return [raw], True
        if hasattr(raw, "to_dict") and hasattr(raw, "columns"):
            return [{str(name): list(raw[name]) for name in raw.columns}], True
        ragged = isinstance(raw, (list, tuple)) and len(raw) > 0
        if ragged and (isinstance(raw[0], Mapping) or len({np.shape(part) for part in raw}) > 1):
            return list(raw), False
        array = as_array(raw, "the input")
        if array.ndim == 0:
            raise ValueError(f"the input must be a series or several, got {raw!r:.40}")
        if array.ndim == 1 or (array.ndim == 2 and array.shape[1] == len(self.columns)):
            return [array], True
        return list(array), False

    def batch(self, samples: Sequence[Any]) -> Inputs:
        """Takes the last rows, scales, and subtracts the last one if need be."""
        check_some(samples)
        raw = np.stack([self._rows(s, position(i, len(samples))) for i, s in enumerate(samples)])
        rows = scaled(raw, self.shift, self.scale)
        past = rows[:, :, : self.seen]
        if self.relative:
            past = past - rows[:, -1:, : self.seen]
        last = torch.from_numpy(raw[:, -1, self.targets]) if self.relative else None
        return Inputs(SEQUENCE.views[self.view](torch.from_numpy(past)), None, last)

    def _rows(self, sample: Any, where: str) -> np.ndarray:
        """(window, columns) float64."""
        if isinstance(sample, Mapping):
            missing = [name for name in self.columns if name not in sample]
            if missing:
                have = ", ".join(map(str, sample))
                raise ValueError(f"{where} has no column {missing[0]!r}; it has {have or 'none'}")
            parts = [self._column(sample[n], f"{where}, column {n!r}") for n in self.columns]
            if len({part.shape for part in parts}) > 1 or parts[0].ndim != 1:
                raise ValueError(f"the columns of {where} must be lists of one length")
            array = np.stack(parts, axis=1)
        else:
            array = as_array(sample, where)
        if array.ndim == 1 and len(self.columns) == 1:
            array = array[:, None]
        if array.ndim != 2 or array.shape[1] != len(self.columns):
            raise ValueError(
                f"{where} must be rows of {', '.join(self.columns)}, got the shape {array.shape}"
            )
        if len(array) < self.window:
            raise ValueError(
                f"{where} has {len(array)} rows, and {self.window} are needed to forecast from"
            )
        window = array[-self.window :].astype(np.float64)
        return finite(window, f"{where}, in its last {self.window} rows,")

    def _column(self, values: Any, where: str) -> np.ndarray:
        """Numbers, or text that holds such; as float64."""
        if isinstance(values, (list, tuple)) and any(isinstance(cell, str) for cell in values):
            skipped = max(0, len(values) - self.window)
            cells = [str(cell).strip() for cell in values[skipped:]]
            known = numbers(cells, lambda row: f"{where}, row {skipped + row + 1}")
            return np.concatenate([np.zeros(skipped), known])
        return as_array(values, where)

    def plain(self) -> dict[str, Any]:
        """As plain containers."""
        return {
            "columns": self.columns,
            "seen": self.seen,
            "targets": self.targets,
            "window": self.window,
            "shift": self.shift.tolist(),
            "scale": self.scale.tolist(),
            "relative": self.relative,
            "view": self.view,
        }

    @classmethod
    def of(cls, fields: Fields) -> SeriesInput:
        """From plain containers."""
        columns = fields.strings("columns")
        count = len(columns)
        targets = fields.take("targets")
        if not isinstance(targets, list) or not targets:
            raise fields.wrong("targets", "a list of numbers of columns", targets)
        if not all(type(n) is int and 0 <= n < count for n in targets):
            raise fields.wrong("targets", f"numbers from 0 to {count - 1}", targets)
        shift, scale = fields.array("shift"), fields.array("scale", positive=True)
        if shift.shape != (count,) or scale.shape != (count,):
            raise ValueError(f"`input.shift` and `input.scale` must have {count} numbers")
        return cls(
            columns,
            seen=fields.whole("seen", 1, count),
            targets=targets,
            window=fields.whole("window", 1, LARGEST // count),
            shift=shift,
            scale=scale,
            relative=fields.flag("relative"),
            view=fields.choice("view", SEQUENCE.views),
        )
