"""Rows of tables, by the names of their columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch

from zoo.preprocessing.affine import Scaling
from zoo.preprocessing.base import Input, Inputs, check_some, position
from zoo.preprocessing.columns import is_missing, known, scaled
from zoo.preprocessing.fields import Fields
from zoo.preprocessing.images import fitting

MISSING = ("<NA>", "NaT")  # as pandas has what a file leaves empty
EDGE = 1e-7  # of a quantile that is one of the outermost, as in scikit-learn
SHOWN = 20  # names of columns in a message
# A net on one-hot inputs cannot learn from more; such a column is usually a name or a key.
MOST_CATEGORIES = 1_000


class Column(Protocol):
    """A column's way from cells to numbers."""

    name: str

    @property
    def width(self) -> int:
        """Of what it is encoded as."""

    @property
    def units(self) -> tuple[list[float], list[float]]:
        """Shift and scale from what it is encoded as to the units of the data."""

    def encode(self, cells: Sequence[str]) -> np.ndarray:
        """(rows, width) float32."""

    def plain(self) -> dict[str, Any]:
        """As plain containers."""


class NumberColumn:
    """Numbers, scaled; a missing one is the median, and a bit of its own can say so.

    Args:
        name: of the column.
        shift: what is subtracted.
        scale: what is divided by.
        median: of training; None where a value must not be missing.
        indicator: whether a bit says that the value is missing.
        quantiles: those of training, evenly spread, for a normal distribution instead.
    """

    def __init__(
        self,
        name: str,
        *,
        shift: float = 0.0,
        scale: float = 1.0,
        median: float | None = None,
        indicator: bool = False,
        quantiles: np.ndarray | None = None,
    ) -> None:
        self.name = name
        self.shift = shift
        self.scale = scale
        self.median = median
        self.indicator = indicator
        self.quantiles = quantiles

    @property
    def width(self) -> int:
        """1, or 2 with the bit."""
        return 1 + self.indicator

    @property
    def units(self) -> tuple[list[float], list[float]]:
        """Its own; quantiles stay what they are."""
        bit = self.indicator * 1
        return [self.shift] + bit * [0.0], [self.scale] + bit * [1.0]

    def encode(self, cells: Sequence[str]) -> np.ndarray:
        """The numbers (rows, 1 or 2)."""
        return self.encode_values(np.array([self._value(cell) for cell in cells]))

    def encode_values(self, values: np.ndarray) -> np.ndarray:
        """The same of numbers (rows,), where NaN is missing."""
        missing = np.isnan(values)
        filled = np.where(missing, self.median or 0.0, values)[:, None]
        if self.quantiles is not None:
            filled = normal(filled, self.quantiles)
        columns = [scaled(filled, np.array([self.shift]), np.array([self.scale]))]
        if self.indicator:
            columns.append(missing[:, None].astype(np.float32))
        return np.concatenate(columns, axis=1)

    def _value(self, cell: str) -> float:
        if self.median is not None and is_missing(cell):
            return np.nan
        try:
            return known(cell)
        except ValueError as error:
            raise ValueError(f"column {self.name!r}: {error}") from error

    def plain(self) -> dict[str, Any]:
        """As plain containers."""
        quantiles = None if self.quantiles is None else self.quantiles.tolist()
        return {
            "type": "number",
            "name": self.name,
            "shift": self.shift,
            "scale": self.scale,
            "median": self.median,
            "indicator": self.indicator,
            "quantiles": quantiles,
        }


class CategoryColumn:
    """Categories, one-hot; the last bit is shared by all that training did not see twice.

    Args:
        name: of the column.
        categories: those with a bit of their own; "" is a missing value.
    """

    def __init__(self, name: str, categories: Sequence[str]) -> None:
        self.name = name
        self.bits = {cell: index for index, cell in enumerate(categories)}

    @property
    def width(self) -> int:
        """One for each category, and one for all others."""
        return len(self.bits) + 1

    @property
    def units(self) -> tuple[list[float], list[float]]:
        """Bits have none."""
        return self.width * [0.0], self.width * [1.0]

    def encode(self, cells: Sequence[str]) -> np.ndarray:
        """The bits (rows, categories + 1)."""
        bits = [self._bit("" if is_missing(cell) else cell) for cell in cells]
        return np.eye(self.width, dtype=np.float32)[bits]

    def _bit(self, cell: str) -> int:
        if cell not in self.bits:  # pandas makes 5.0 of a 5 where the column has a gap
            cell = cell.removesuffix(".0")
        return self.bits.get(cell, len(self.bits))

    def plain(self) -> dict[str, Any]:
        """As plain containers."""
        return {"type": "category", "name": self.name, "categories": list(self.bits)}


class TableInput(Input):
    """Rows by the names of their columns.

    A sample is a mapping from names to values, which are numbers or text as in a csv file. Further
    columns do not matter, nor does their order.

    Args:
        columns: in the order in which the net reads them.
        scaling: of all their numbers together, after each column's own.
    """

    kind = "table"

    def __init__(self, columns: Sequence[Column], scaling: Scaling) -> None:
        self.columns = list(columns)
        self.scaling = scaling

    @property
    def names(self) -> list[str]:
        """Of the columns that a row must have."""
        return [column.name for column in self.columns]

    def samples(self, raw: Any) -> tuple[list[Any], bool]:
        """One mapping or several; or one of names to lists, as a table in pandas or a dict."""
        if isinstance(raw, (list, tuple)):
            return list(raw), False
        if hasattr(raw, "to_dict") and hasattr(raw, "columns"):
            raw = {str(name): list(raw[name]) for name in raw.columns}
        if not isinstance(raw, Mapping):
            raise ValueError(
                f"the input must be a row as a mapping of column to value, or a list of them, got "
                f"{type(raw).__name__}"
            )
        lists = [value for value in raw.values() if isinstance(value, (list, tuple, np.ndarray))]
        if not lists:
            return [raw], True
        if len(lists) < len(raw) or len({len(value) for value in lists}) > 1:
            raise ValueError("the input's columns must be lists of one length")
        return [dict(zip(raw, row, strict=True)) for row in zip(*raw.values(), strict=True)], False

    def batch(self, samples: Sequence[Any]) -> Inputs:
        """Encodes the columns."""
        check_some(samples)
        for index, sample in enumerate(samples):
            where = position(index, len(samples))
            if not isinstance(sample, Mapping):
                kind = type(sample).__name__
                raise ValueError(f"{where} must be a mapping of column to value, got {kind}")
            missing = [name for name in self.names if name not in sample]
            if missing:
                have = ", ".join(map(str, list(sample)[:SHOWN])) or "none"
                raise ValueError(f"{where} has no column {missing[0]!r}; it has {have}")
        try:
            parts = [c.encode([text(s[c.name]) for s in samples]) for c in self.columns]
        except ValueError:
            self._blame(samples)
            raise
        return Inputs(self.scaling(torch.from_numpy(np.concatenate(parts, axis=1))))

    def _blame(self, samples: Sequence[Any]) -> None:
        for index, sample in enumerate(samples):
            for column in self.columns:
                try:
                    column.encode([text(sample[column.name])])
                except ValueError as error:
                    raise ValueError(f"{position(index, len(samples))}, {error}") from error

    def plain(self) -> dict[str, Any]:
        """As plain containers."""
        columns = [column.plain() for column in self.columns]
        return {"columns": columns, "scaling": self.scaling.plain()}

    @classmethod
    def of(cls, fields: Fields) -> TableInput:
        """From plain containers."""
        given = fields.take("columns")
        if not isinstance(given, list) or not given:
            raise ValueError("`input.columns` must be a list of columns")
        columns = [column_of(entry, index) for index, entry in enumerate(given)]
        if len({column.name for column in columns}) < len(columns):
            raise ValueError("`input.columns` must have different names")
        scaling = Scaling.of(fields.take("scaling"), "input.scaling")
        return cls(columns, fitting(scaling, [sum(column.width for column in columns)]))


def column_of(plain: Any, index: int) -> Column:
    """A column from plain containers.

    Raises:
        ValueError: they make none.
    """
    fields = Fields(plain, f"input.columns[{index}]")
    kind, name = fields.choice("type", ("number", "category")), fields.text("name")
    column: Column
    if kind == "category":
        categories = fields.strings("categories")
        if len(categories) > MOST_CATEGORIES:
            raise fields.wrong("categories", f"at most {MOST_CATEGORIES:,}", len(categories))
        column = CategoryColumn(name, categories)
    else:
        quantiles = fields.array("quantiles") if fields.has("quantiles") else None
        if quantiles is not None and not rising(quantiles):
            raise fields.wrong("quantiles", "numbers that do not fall", "others")
        column = NumberColumn(
            name,
            shift=fields.number("shift"),
            scale=fields.number("scale", positive=True),
            median=fields.number("median") if fields.has("median") else None,
            indicator=fields.flag("indicator"),
            quantiles=quantiles,
        )
    fields.done()
    return column


def rising(quantiles: np.ndarray) -> bool:
    """Whether there are some, none below the one before."""
    return quantiles.ndim == 1 and len(quantiles) > 0 and bool((np.diff(quantiles) >= 0).all())


def text(value: Any) -> str:
    """A cell as a csv file has it."""
    if isinstance(value, str):
        return value.strip()
    cell = str(value)
    return "" if cell in MISSING else cell


def normal(values: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """What scikit-learn's QuantileTransformer makes of a column (rows, 1), for a normal."""
    from scipy.special import ndtri

    x, references = values[:, 0], np.linspace(0, 1, len(quantiles), endpoint=True)
    low, high = x - EDGE < quantiles[0], x + EDGE > quantiles[-1]
    rising = np.interp(x, quantiles, references)
    falling = np.interp(-x, -quantiles[::-1], -references[::-1])
    share = 0.5 * (rising - falling)
    share[high], share[low] = 1, 0
    bounds = ndtri(EDGE - np.spacing(1)), ndtri(1 - (EDGE - np.spacing(1)))
    with np.errstate(invalid="ignore"):
        return np.clip(ndtri(share), *bounds)[:, None]
