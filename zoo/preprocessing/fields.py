"""Plain values out of a file that may be hostile: each is checked before it is used."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from zoo.preprocessing.columns import LARGEST

LONGEST = 10_000_000  # entries of a list
AXES = 3  # of statistics


class Fields:
    """The entries of an object, each asked for once by its kind.

    Args:
        plain: the object.
        name: of it, for errors.

    Raises:
        ValueError: it is no object; and from each method, that an entry is missing or of another
            kind.
    """

    def __init__(self, plain: Any, name: str) -> None:
        if not isinstance(plain, Mapping) or not all(isinstance(key, str) for key in plain):
            raise ValueError(f"`{name}` must be an object, got {type(plain).__name__}")
        self.left = dict(plain)
        self.name = name

    def take(self, key: str) -> Any:
        """An entry of any kind."""
        if key not in self.left:
            raise ValueError(f"`{self.name}` has no `{key}`")
        return self.left.pop(key)

    def has(self, key: str) -> bool:
        """Whether an entry is more than null, which is taken."""
        if self.left.get(key, key) is not None:
            return True
        del self.left[key]
        return False

    def wrong(self, key: str, wanted: str, value: Any) -> ValueError:
        """What to raise."""
        if isinstance(value, int) and value.bit_length() > 64:
            value = f"a number of {value.bit_length():,} bits"
        shown = value if isinstance(value, (str, int, float)) else type(value).__name__
        text = " ".join(str(shown)[:60].split())
        return ValueError(f"`{self.name}.{key}` must be {wanted}, got {text}")

    def choice(self, key: str, choices: Iterable[Any], default: Any = None) -> Any:
        """One of several values; what is missing, as in older files, is the default if any."""
        if default is not None and key not in self.left:
            return default
        value, allowed = self.take(key), list(choices)
        if not isinstance(value, (str, bool, int)) or value not in allowed:
            raise self.wrong(key, f"one of {', '.join(map(str, allowed))}", value)
        return value

    def whole(self, key: str, low: int, high: int) -> int:
        """A whole number within bounds."""
        value = self.take(key)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self.wrong(key, f"a whole number from {low} to {high}", value)
        return value

    def number(self, key: str, *, positive: bool = False) -> float:
        """A number that float32 holds."""
        value = self.take(key)
        if not is_number(value) or not abs(value) <= LARGEST or (positive and value <= 0):
            raise self.wrong(key, f"a {'positive' if positive else 'finite'} number", value)
        return float(value)

    def flag(self, key: str) -> bool:
        """True or false."""
        value = self.take(key)
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false", value)
        return value

    def text(self, key: str) -> str:
        """A text."""
        value = self.take(key)
        if not isinstance(value, str):
            raise self.wrong(key, "a text", value)
        return value

    def strings(self, key: str) -> list[str]:
        """A list of texts, none of them twice."""
        value = self.take(key)
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise self.wrong(key, "a list of texts", value)
        if len(set(value)) < len(value):
            raise self.wrong(key, "a list of different texts", value)
        return value

    def sizes(self, key: str, ranks: Sequence[int], most: int) -> list[int]:
        """A shape of so many axes, and of no more than so many numbers in all."""
        value = self.take(key)
        whole = isinstance(value, list) and all(type(n) is int and n >= 1 for n in value)
        if not whole or len(value) not in ranks or math.prod(value) > most:
            raise self.wrong(key, f"sizes whose product is at most {most:,}", value)
        return list(value)

    def array(self, key: str, *, positive: bool = False) -> np.ndarray:
        """Finite numbers in nested lists of equal lengths, as float64."""
        value = self.take(key)
        flat = list(islice(entries(value, AXES), LONGEST + 1))
        kind = "positive" if positive else "finite"
        sound = len(flat) <= LONGEST and all(map(is_number, flat))
        if not sound or not all(abs(n) <= LARGEST and (n > 0 or not positive) for n in flat):
            raise self.wrong(key, f"at most {LONGEST:,} {kind} numbers, in nested lists", value)
        try:
            return np.asarray(value, np.float64)
        except ValueError:
            raise self.wrong(key, "nested lists of equal lengths", value) from None

    def done(self) -> None:
        """Raises ValueError for what nobody asked for."""
        for key in self.left:
            raise ValueError(f"`{self.name}` has an unknown entry `{key[:60]}`")


def is_number(value: Any) -> bool:
    """Whether it is a number of Python, true and false not being any."""
    return type(value) in (int, float)


def entries(value: Any, axes: int) -> Iterator[Any]:
    """What is in nested lists; a list that lies too deep is an entry."""
    if axes and isinstance(value, list):
        for entry in value:
            yield from entries(entry, axes - 1)
    else:
        yield value
