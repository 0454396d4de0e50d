"""Means over seeds and how sure they are; Student's t is scipy's."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

LEVEL = 0.95  # of every interval


class Estimate(NamedTuple):
    """A mean, with what tells how far it can be relied on.

    Attributes:
        mean: of the values.
        n: how many they were.
        sd: their sample standard deviation (divided by n - 1); None for one value.
        low: lower end of the interval of the mean; None for one value.
        high: its upper end.
    """

    mean: float
    n: int
    sd: float | None = None
    low: float | None = None
    high: float | None = None


def estimate(values: Sequence[float]) -> Estimate:
    """The mean of independent values, with its 95 % interval from Student's t.

    Args:
        values: finite, at least one.
    """
    n = len(values)
    mean = statistics.mean(values)  # exact: that of equal values is their value
    if n < 2:
        return Estimate(mean, n)
    from scipy.special import stdtrit  # the quantile; a third of the import of scipy.stats

    sd = statistics.stdev(values)
    reach = float(stdtrit(n - 1, (1 + LEVEL) / 2)) * sd / math.sqrt(n)
    return Estimate(mean, n, sd, mean - reach, mean + reach)


def paired(values: Mapping[object, float], reference: Mapping[object, float]) -> Estimate | None:
    """How much values differ from those of a reference with the same seed; None without a pair.

    What a seed has in common for both, an easy draw of batches, say, cancels: the interval is
    narrower than that of two independent means.
    """
    differences = [values[seed] - reference[seed] for seed in values if seed in reference]
    return estimate(differences) if differences else None
