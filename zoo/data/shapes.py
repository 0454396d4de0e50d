"""What arrays are, by their names, types and shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from zoo.data.npz import Arrays

LAYOUTS = ("auto", "chw", "hwc", "sequence")
CHANNELS = (1, 3, 4)  # grey, colour, colour with transparency
SMALLEST = 8  # side of a square that is taken for an image
NAMES = (("x", "y"), ("x_train", "y_train"), ("x_test", "y_test"), ("x_val", "y_val"))


def pairs(arrays: Arrays) -> list[tuple[str, str]]:
    """The names of inputs and targets: of all data, or of train, test and perhaps validation.

    Raises:
        ValueError: if one is missing.
    """
    have = [pair for pair in NAMES if set(pair) & set(arrays)]
    missing = [name for pair in have for name in pair if name not in arrays]
    if missing:
        raise ValueError(f"there is no {missing[0]} beside {', '.join(sorted(arrays))}")
    if have not in ([NAMES[0]], list(NAMES[1:3]), list(NAMES[1:])):
        raise ValueError(
            "arrays must be named x and y, or x_train, y_train, x_test and y_test (and x_val and "
            f"y_val if you like), got {', '.join(sorted(arrays)) or 'none of these'}"
        )
    return have


def as_array(values: Any) -> np.ndarray:
    """An array of what a user may have: also a tensor on any device and of any type."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        return (values.float() if values.dtype == torch.bfloat16 else values).numpy()
    return np.asarray(values)


def check_numbers(name: str, array: np.ndarray) -> None:
    """Raises ValueError for what is neither integers nor fractions."""
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"{name} must be numbers, got the type {array.dtype}; texts and categories have to be "
            "numbered from 0"
        )


def as_labels(name: str, array: np.ndarray) -> np.ndarray:
    """Labels (N,) int64.

    Raises:
        ValueError: if they are not whole numbers, one for each sample.
    """
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(
            f"{name} must have one class for each sample, got the shape {array.shape}; for several "
            "values a sample use data.task=regression"
        )
    with np.errstate(invalid="ignore"):
        labels = array.astype(np.int64)
    wrong = labels != array
    if wrong.any():
        first = int(wrong.argmax())
        raise ValueError(
            f"{name} must be whole numbers for classification, got {array[first]} at position "
            f"{first}; for values use data.task=regression"
        )
    return labels


def layout_of(name: str, array: np.ndarray, layout: str) -> str:
    """One of "table", "sequence", "chw" and "hwc".

    Raises:
        ValueError: if the shape fits none, or several.
    """
    axes = {"auto": (2, 3, 4), "chw": (3, 4), "hwc": (3, 4), "sequence": (2, 3)}[layout]
    if array.ndim not in axes:
        kinds = "(N, F), (N, T, F), (N, H, W), (N, C, H, W) or (N, H, W, C)"
        raise ValueError(
            f"{name} must be {kinds}, with data.layout={layout} of {' or '.join(map(str, axes))} "
            f"axes, got the shape {array.shape}"
        )
    if layout != "auto":
        return layout
    if array.ndim == 2:
        return "table"
    first, *_, last = array.shape[1:]
    if array.ndim == 3:
        square = first == last >= SMALLEST
        return "chw" if array.dtype == np.uint8 or square else "sequence"
    if (first in CHANNELS) == (last in CHANNELS):
        raise ValueError(
            f"{name} has the shape {array.shape}, where the channels may be {first} or {last}; say "
            "data.layout=chw or data.layout=hwc"
        )
    return "chw" if first in CHANNELS else "hwc"


def arranged(array: np.ndarray, layout: str) -> np.ndarray:
    """As stored: images (N, C, H, W), sequences (N, T, F), tables (N, F)."""
    if layout == "sequence" and array.ndim == 2:
        array = array[:, :, None]
    elif layout == "chw" and array.ndim == 3:
        array = array[:, None]
    elif layout == "hwc":
        array = array[:, None] if array.ndim == 3 else array.transpose(0, 3, 1, 2)
    array = np.ascontiguousarray(array)
    return array if array.flags.writeable else array.copy()  # torch warns of what is not
