"""Learning curves: the validation metric of a group's runs, by epoch where they count those."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from zoo.comparison.events import scalars
from zoo.comparison.result import Group, Ranking, Run

Points = list[tuple[int, float]]


class Curve(NamedTuple):
    """The runs of a group, at each place where one of them was validated.

    Attributes:
        x: epochs, or steps.
        mean: over the runs that came so far.
        low: the lowest of them.
        high: the highest.
        n: how many they are.
    """

    x: list[int]
    mean: list[float]
    low: list[float]
    high: list[float]
    n: list[int]


class Curves(NamedTuple):
    """The curves of a ranking.

    Attributes:
        tag: what is drawn, such as `val/accuracy`.
        unit: what x counts.
        by_group: a curve for each group that has one, best group first, by its label.
    """

    tag: str
    unit: str
    by_group: dict[str, Curve]


def curves(ranking: Ranking, groups: Sequence[Group]) -> Curves | None:
    """The curves of the ranking's metric in validation; None where no run has written any."""
    tag = f"val/{ranking.metric.rpartition('/')[2]}"
    found = {
        group.label: [(run, points) for run in group.runs if (points := scalars(run.folder, tag))]
        for group in groups
    }
    found = {label: runs for label, runs in found.items() if runs}
    if not found:
        return None
    by_epoch = all(counts_epochs(run) for runs in found.values() for run, _ in runs)
    return Curves(
        tag,
        "epoch" if by_epoch else "step",
        {
            label: joined([by_epochs(*entry) if by_epoch else entry[1] for entry in runs])
            for label, runs in found.items()
        },
    )


def counts_epochs(run: Run) -> bool:
    """Whether a run is validated at the end of epochs."""
    return run.settings.get("trainer.val_check_interval") in (None, 1.0) and isinstance(
        run.settings.get("trainer.check_val_every_n_epoch", 1), int
    )


def by_epochs(run: Run, points: Points) -> Points:
    """Points with epochs, from 1 on, in place of steps."""
    every = run.settings.get("trainer.check_val_every_n_epoch", 1)
    return [(every * (index + 1), value) for index, (_, value) in enumerate(points)]


def joined(runs: Sequence[Points]) -> Curve:
    """Mean and range of several runs, point by point; values that are not finite are left out."""
    at: dict[int, list[float]] = {}
    for points in runs:
        for x, value in points:
            if math.isfinite(value):
                at.setdefault(x, []).append(value)
    where = sorted(at)
    return Curve(
        where,
        [math.fsum(at[x]) / len(at[x]) for x in where],
        [min(at[x]) for x in where],
        [max(at[x]) for x in where],
        [len(at[x]) for x in where],
    )
