"""What inputs and outputs of all kinds have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from zoo.preprocessing import columns

LARGEST = 100_000_000  # numbers of a sample


class Inputs(NamedTuple):
    """A batch as a net reads it.

    Attributes:
        x: (B, …).
        lengths: (B,) steps of each sample, where they differ.
        last: (B, targets) the last values seen, of a forecast that is relative to them.
    """

    x: Tensor
    lengths: Tensor | None = None
    last: Tensor | None = None


class Input(ABC):
    """From raw samples to what a net reads."""

    kind: ClassVar[str]

    @abstractmethod
    def samples(self, raw: Any) -> tuple[list[Any], bool]:
        """What a user gives as a list of samples, and whether it was a single one.

        Raises:
            ValueError: it is neither one sample nor several.
        """

    @abstractmethod
    def batch(self, samples: Sequence[Any]) -> Inputs:
        """The numbers that training makes of these samples.

        Raises:
            ValueError: one of them cannot be read; names its position.
        """

    @abstractmethod
    def plain(self) -> dict[str, Any]:
        """As plain containers, without the kind."""


class Output(ABC):
    """From what a net gives back to answers."""

    kind: ClassVar[str]

    @abstractmethod
    def answers(
        self, output: Any, inputs: Inputs, samples: Sequence[Any], *, top_k: int = 1
    ) -> list[dict[str, Any]]:
        """An answer for each sample.

        Args:
            output: a tensor, or the named tuple of the net's family.
            inputs: what the net had read.
            samples: of which that was made.
            top_k: classes to name, where the answer is a class.
        """

    @abstractmethod
    def plain(self) -> dict[str, Any]:
        """As plain containers, without the kind."""


def as_array(value: Any, name: str) -> np.ndarray:
    """An array of what a user may have: also a tensor on any device and of any type.

    Raises:
        ValueError: it is not numbers in one shape.
    """
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        value = (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} must be numbers in one shape") from error
    if array.dtype.kind not in "biuf":
        got = (
            repr(value)[:40]
            if array.ndim == 0
            else f"values such as {array.ravel()[:1].tolist()}"[:60]
        )
        raise ValueError(f"{name} must be numbers, got {got}")
    return array


def finite(array: np.ndarray, name: str) -> np.ndarray:
    """The array, if float32 holds its numbers.

    Raises:
        ValueError: one is missing, infinite or too large.
    """
    if array.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            sound = np.abs(array) <= columns.LARGEST
        if not sound.all():
            where = np.unravel_index(int(sound.argmin()), array.shape)
            place = f" at {[int(i) for i in where]}" if array.ndim else ""
            raise ValueError(
                f"{name} has a value that is missing, infinite or beyond float32{place}: "
                f"{array[where]}"
            )
    return array


def numbers(value: Any, name: str) -> np.ndarray:
    """An array of what a user may have, of numbers that float32 holds.

    Raises:
        ValueError: it is something else.
    """
    return finite(as_array(value, name), name)


def check_some(samples: Sequence[Any]) -> None:
    """Raises ValueError if there are no samples."""
    if len(samples) == 0:
        raise ValueError("there must be at least one sample, got none")


def position(index: int, count: int) -> str:
    """Which sample it is, in words."""
    return f"sample {index + 1} of {count}" if count > 1 else "the sample"


def first(output: Any) -> Tensor:
    """The tensor that a net gives back, or the first of several."""
    return output if isinstance(output, Tensor) else output[0]
