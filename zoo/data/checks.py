"""Checks of arguments; each error names the argument, the rule and the value."""

import math


def at_least(minimum: int, **arguments: int) -> None:
    """Raises ValueError for an argument that is no integer of at least `minimum`."""
    for name, value in arguments.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
            raise ValueError(f"`{name}` must be an integer of at least {minimum}, got {value!r}")


def not_negative(**arguments: float) -> None:
    """Raises ValueError for an argument that is not a finite number from 0 up."""
    for name, value in arguments.items():
        if not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise ValueError(f"`{name}` must be a finite number of at least 0, got {value!r}")


def one_of(owner: str, allowed: tuple[str, ...], **arguments: str) -> None:
    """Raises ValueError for an argument that `owner` does not offer."""
    for name, value in arguments.items():
        if value not in allowed:
            raise ValueError(
                f"`{name}` of {owner} must be one of {', '.join(allowed)}, got {value!r}"
            )


def positive(**arguments: float) -> None:
    """Raises ValueError for an argument that is not a finite number above 0."""
    for name, value in arguments.items():
        if not isinstance(value, int | float) or not 0 < value < math.inf:
            raise ValueError(f"`{name}` must be a finite number above 0, got {value!r}")


def fraction(**arguments: float) -> None:
    """Raises ValueError for an argument that is not a number from 0 to 1."""
    for name, value in arguments.items():
        if not isinstance(value, int | float) or not 0 <= value <= 1:
            raise ValueError(f"`{name}` must be in [0, 1], got {value!r}")
