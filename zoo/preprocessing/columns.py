"""Columns of numbers: from text, checked, and scaled by the statistics of their training part."""

import math
from collections.abc import Callable, Sequence

import numpy as np

# How files write that there is no value, whatever the case.
MISSING = frozenset(("", "?", "na", "n/a", "nan", "null", "none", "-"))
LARGEST = float(np.finfo(np.float32).max)  # what training can hold


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no value."""
    return cell.lower() in MISSING


def number(cell: str) -> float | None:
    """The number that a cell holds, infinite or not; None if it is something else.

    What only Python takes for a number, such as 1_000, is none.
    """
    try:
        return float(cell) if "_" not in cell else None
    except ValueError:
        return None


def known(cell: str) -> float:
    """The number that a cell holds.

    Raises:
        ValueError: it holds no value, something else, or a number that float32 does not hold.
    """
    if is_missing(cell):
        raise ValueError("the value is missing")
    value = number(cell)
    if value is None or math.isnan(value):
        raise ValueError(f"{cell[:40]!r} is not a number")
    if abs(value) > LARGEST:
        raise ValueError(f"{cell[:40]!r} is infinite or beyond float32")
    return value


def numbers(
    cells: Sequence[str], place: Callable[[int], str], *, allow_missing: bool = False
) -> np.ndarray:
    """Cells as float64, missing ones as NaN.

    Args:
        cells: the text.
        place: says where a cell stands, for errors.
        allow_missing: whether a cell may hold no value.

    Raises:
        ValueError: a cell holds no number, none that is finite in float32, or no value; with the
            count of those, and the first.
    """
    values = np.empty(len(cells))
    for index, cell in enumerate(cells):
        value = np.nan if is_missing(cell) else number(cell)
        if value is None:
            raise ValueError(f"{place(index)}: {cell[:40]!r} is not a number")
        values[index] = value
    infinite = np.abs(values) > LARGEST
    if infinite.any():
        raise ValueError(_first(infinite, "is infinite", "are infinite", place))
    missing = np.isnan(values)
    if missing.any() and not allow_missing:
        raise ValueError(_first(missing, "is missing or NaN", "are missing or NaN", place))
    return values


def _first(bad: np.ndarray, one: str, many: str, place: Callable[[int], str]) -> str:
    where, count = place(int(bad.argmax())), int(bad.sum())
    verb = one if count == 1 else many
    return f"{where}: {count:,} of {len(bad):,} values {verb}, the first one here"


def fitted(values: np.ndarray, scaling: str) -> tuple[np.ndarray, np.ndarray]:
    """Shift and scale of each column (rows, columns), in float64.

    Args:
        values: of the training part.
        scaling: "standard" (mean and deviation of the population), "unit" (smallest and range) or
            "none".
    """
    shift, scale = np.zeros(values.shape[1]), np.ones(values.shape[1])
    if scaling == "standard":
        shift, scale = values.mean(0), values.std(0)
    elif scaling == "unit":
        shift, scale = values.min(0), np.ptp(values, axis=0)
    # Rounding can leave a constant column a deviation of 1e-8; dividing by that makes noise.
    constant = (np.ptp(values, axis=0) == 0) | (scale <= 0)
    return shift, np.where(constant, 1.0, scale)


def scaled(values: np.ndarray, shift: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(values - shift) / scale in float32, within bounds whose differences are finite too."""
    with np.errstate(over="ignore"):
        result = (values - shift) / scale
    return result.clip(-LARGEST / 4, LARGEST / 4).astype(np.float32)
