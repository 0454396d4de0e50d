"""Whether arrays make a data set: one clear sentence if they do not."""

from collections.abc import Mapping

import numpy as np

from zoo.data.npz import Arrays


def check_pair(x: str, y: str, arrays: Arrays) -> None:
    """Raises ValueError unless the inputs and targets of those names are as many, and some."""
    inputs, targets = arrays[x], arrays[y]
    for name in (x, y):
        if arrays[name].ndim == 0 or arrays[name].size == 0:
            raise ValueError(f"{name} is empty: its shape is {arrays[name].shape}")
    if len(inputs) != len(targets):
        raise ValueError(
            f"{x} and {y} must be of the same length, got {len(inputs):,} and {len(targets):,}"
        )


def check_labels(train: str, labels: Mapping[str, np.ndarray], classes: int | None = None) -> int:
    """How many classes there are, by labels from 0 that all occur in training.

    Args:
        train: the name of the training labels.
        labels: integers by name.
        classes: how many there must be; None for as many as the largest label says.

    Raises:
        ValueError: if a label is out of range or does not occur in training.
    """
    count = classes or max(int(y.max()) for y in labels.values()) + 1
    for name, y in labels.items():
        wrong = (y < 0) | (y >= count)
        if wrong.any():
            first = int(wrong.argmax())
            raise ValueError(
                f"{name} must be classes from 0 to {count - 1}, got {y[first]} at position {first} "
                f"({int(wrong.sum()):,} such)"
            )
    if count > sum(len(y) for y in labels.values()):
        raise ValueError(
            f"{train} has labels up to {count - 1}, so {count:,} classes for {len(labels[train]):,}"
            " samples; number the classes from 0, or use data.task=regression"
        )
    missing = np.setdiff1d(np.arange(count), labels[train])
    if len(missing):
        some = ", ".join(map(str, missing[:5])) + (", …" if len(missing) > 5 else "")
        raise ValueError(
            f"{train} must have every class from 0 to {count - 1}, but {some} never occurs there; "
            "number the classes without gaps, or put samples of each into training"
        )
    return count


def finite(name: str, array: np.ndarray) -> np.ndarray:
    """The array as float32, which torch can take over.

    Raises:
        ValueError: if a number is NaN, infinite, or too large for float32.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        numbers = np.ascontiguousarray(array, dtype=np.float32)
    bad = ~np.isfinite(numbers)
    if bad.any():
        first = tuple(int(i) for i in np.unravel_index(int(bad.argmax()), bad.shape))
        raise ValueError(
            f"{name} has {int(bad.sum()):,} values that are NaN, infinite or beyond float32, the "
            f"first at {list(first)} ({array[first]}); replace or leave out those samples"
        )
    return numbers if numbers.flags.writeable else numbers.copy()
