"""Numbers as a person reads them."""

from __future__ import annotations

import math
from collections.abc import Iterable

PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
SPAN = " … "


def human(value: float, *, short: bool = False) -> str:
    """A count with a prefix and three digits: 84,970 as `85.0k`; short, as ticks are: `85k`."""
    kind = ".3g" if short else "#.3g"
    for size, prefix in PREFIXES:
        # What would be rounded up to a thousand has the next prefix already.
        if abs(value) >= 0.9995 * size:
            return f"{value / size:{kind}}".rstrip(".") + prefix
    return f"{value:.3g}"


def duration(seconds: float) -> str:
    """Seconds, or minutes or hours from two of them on."""
    for size, unit in ((3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:#.3g}".rstrip(".") + f" {unit}"
    return f"{seconds:#.3g}".rstrip(".") + " s"


def decimals(values: Iterable[float]) -> int | None:
    """So many digits after the point that the smallest of the values has four in all.

    Three where they are far apart; None where they are too small, or too far apart, for a fixed
    point.
    """
    sizes = [abs(value) for value in values if value and math.isfinite(value)]
    if not sizes:
        return 4
    most, least = max(sizes), min(sizes)
    if least < 1e-5 or most >= 1e7 or most / least > 1e6:
        return None
    digits = 4 if most < 10 * least else 3
    return max(0, digits - 1 - math.floor(math.log10(least)))


def number(value: float, places: int | None, *, sign: bool = False) -> str:
    """A value with so many digits after the point; with a true minus, that of a column."""
    kind = "+" if sign else ""
    text = f"{value:{kind}.4g}" if places is None else f"{value:{kind},.{places}f}"
    if sign and not float(text.replace(",", "")):
        text = text.lstrip("+-")  # zero has none
    return text.replace("-", "−") if "e" not in text else text


def interval(
    low: float | None, high: float | None, places: int | None, *, sign: bool = False
) -> str:
    """Both ends of an interval; nothing where there is none."""
    if low is None or high is None:
        return ""
    return f"{number(low, places, sign=sign)}{SPAN}{number(high, places, sign=sign)}"


def trivial(metric: str) -> str:
    """Whose number the baseline of a metric is."""
    return "PCA" if metric.endswith("/squared_error") else "a trivial predictor"
