"""What a comparison consists of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from zoo.comparison.statistics import Estimate


class Run(NamedTuple):
    """A finished run.

    Attributes:
        folder: where it lies.
        settings: its config, by dotted keys.
        metrics: what its `metrics.json` holds.
        written: when it was finished, in seconds.
    """

    folder: Path
    settings: Mapping[str, Any]
    metrics: Mapping[str, Any]
    written: float = 0.0

    @property
    def seed(self) -> Any:
        """What tells repetitions apart; where no seed is known, the folder does."""
        seed = self.settings.get("seed", self.metrics.get("seed"))
        return str(self.folder) if seed is None else seed


class LeftOut(NamedTuple):
    """A run that does not count.

    Attributes:
        folder: where it lies.
        kind: failed, unfinished, broken, "no metric", "not finite" or repeated.
        why: in words.
    """

    folder: Path
    kind: str
    why: str


class Group(NamedTuple):
    """Runs that differ in nothing but the seed.

    Attributes:
        label: what tells it from the others.
        keys: the settings behind the label, by dotted key.
        runs: one for each seed.
        values: the metric by seed.
        score: over all seeds.
        difference: from the best group, over the seeds that both have; None for the best itself,
            and where no seed is shared.
        costs: means of `cost/…`.
        baseline: what a trivial predictor reaches.
        beside: means of further numbers that were asked for.
    """

    label: str
    keys: Mapping[str, Any]
    runs: tuple[Run, ...]
    values: Mapping[Any, float]
    score: Estimate
    difference: Estimate | None
    costs: Mapping[str, float]
    baseline: float | None
    beside: Mapping[str, float] = {}


class Ranking(NamedTuple):
    """The groups of one data set, best first.

    Attributes:
        data: the data set, with what tells it from the others.
        task: the settings behind that.
        metric: what ranks.
        rises: whether more of it is better.
        header: what the groups differ in, as the head of their column.
        groups: best first.
    """

    data: str
    task: Mapping[str, Any]
    metric: str
    rises: bool
    header: str
    groups: tuple[Group, ...]

    @property
    def baseline(self) -> float | None:
        """What a trivial predictor reaches, if it is the same for all groups."""
        values = {round(g.baseline, 9) for g in self.groups if g.baseline is not None}
        return values.pop() if len(values) == 1 else None


class Comparison(NamedTuple):
    """All that was found.

    Attributes:
        rankings: one for each data set.
        left_out: the runs that do not count.
        notes: sentences that a reader of the tables must know.
        files: what was written.
    """

    rankings: tuple[Ranking, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]
    files: tuple[Path, ...] = ()
