"""From runs to a comparison: which belong together, which are ranked, what each group reaches."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from zoo.comparison.find import natural, read_runs
from zoo.comparison.result import Comparison, Group, LeftOut, Ranking, Run
from zoo.comparison.settings import (
    MISSING,
    NULL,
    label,
    normalised,
    resolved,
    short,
    telling,
    worded,
)
from zoo.comparison.statistics import estimate, paired
from zoo.comparison.tasks import (
    check_metric,
    chosen_metric,
    is_number,
    task_of,
    titles,
    unused,
    with_metric,
)
from zoo.config import ConfigError
from zoo.naming import rises

Row = Mapping[str, str]
Task = tuple[tuple[str, str], ...]


class Entry(NamedTuple):
    """A run that counts, with what it is ranked by."""

    run: Run
    row: Row
    task: Task
    metric: str


def compare(
    places: Sequence[Path],
    *,
    metric: str | None = None,
    by: Sequence[str] | None = None,
    columns: Sequence[str] = (),
) -> Comparison:
    """Compare the runs below folders; prints and writes nothing.

    Args:
        places: the folders.
        metric: what ranks; None for what most runs of a data set have.
        by: settings that make groups, by their dotted key or its end; None for the fewest that
            tell runs apart.
        columns: further numbers to show, such as `train/loss`.

    Raises:
        ConfigError: no such folder, no finished run, no such metric or setting.
    """
    runs, left_out = read_runs(places)
    if not runs:
        where, kinds = ", ".join(map(str, places)), ", ".join(counted(left_out))
        raise ConfigError(f"no run below {where} is finished ({kinds}); {first(left_out[0])}")
    if metric is not None:
        metric = metric if "/" in metric else f"test/{metric}"
        check_metric(runs, metric)
    for column in columns:
        check_metric(runs, column, "columns")
    rows = normalised(runs)
    known = sorted({key for row in rows for key in row})
    asked = None if by is None else list(dict.fromkeys(resolved(word, known) for word in by))
    entries = ranked_by(runs, rows, metric, left_out)
    if not entries:
        raise ConfigError(f"none of {len(runs)} finished runs can be ranked; {first(left_out[-1])}")
    keys = asked
    if keys is None:
        keys = telling([entry.row for entry in entries], [entry.task for entry in entries])
    notes: list[str] = []
    tasks = list(dict.fromkeys(entry.task for entry in entries))
    rankings = [
        ranking([e for e in entries if e.task == task], title, keys, known, left_out, notes)
        for task, title in zip(tasks, titles(tasks), strict=True)
    ]
    rankings = [with_columns(r, columns) for r in rankings]
    rankings.sort(key=lambda r: natural(r.data))
    if len(rankings) > 1:
        notes.insert(
            0, f"{len(rankings)} data sets, each ranked by itself: their numbers do not compare"
        )
    if asked is not None:
        notes += mixtures(entries, asked, known)
    notes += on_seeds(rankings)
    left_out.sort(key=lambda run: (run.kind, natural(run.folder)))
    return Comparison(tuple(rankings), tuple(left_out), tuple(notes))


def first(run: LeftOut) -> str:
    """One run that does not count, as an example."""
    return f"the first: {run.folder}: {run.why}"


def ranked_by(
    runs: Sequence[Run], rows: Sequence[Row], metric: str | None, left_out: list[LeftOut]
) -> list[Entry]:
    """The runs that have what ranks them; the others are added to those left out."""
    entries: list[Entry] = []
    by_task: dict[Task, list[int]] = {}
    for index, row in enumerate(rows):
        by_task.setdefault(task_of(row), []).append(index)
    for indices in by_task.values():
        name = metric or chosen_metric([runs[i] for i in indices])
        if name is None:
            left_out += [LeftOut(runs[i].folder, "no metric", "no test/…") for i in indices]
            continue
        kept, without = with_metric([runs[i] for i in indices], name)
        left_out += without
        folders = {run.folder for run in kept}
        entries += [
            Entry(runs[i], rows[i], task_of(rows[i], name), name)
            for i in indices
            if runs[i].folder in folders
        ]
    return entries


def ranking(
    entries: Sequence[Entry],
    title: str,
    keys: Sequence[str],
    known: Sequence[str],
    left_out: list[LeftOut],
    notes: list[str],
) -> Ranking:
    """The groups of one data set, best first."""
    metric = entries[0].metric
    members: dict[tuple[str, ...], list[Entry]] = {}
    for entry in entries:
        members.setdefault(tuple(entry.row.get(key, MISSING) for key in keys), []).append(entry)
    groups: list[Group] = []
    apart = [key for key in keys if key not in dict(entries[0].task)] or keys
    for same in members.values():
        row = same[0].row
        own = needed(row, apart, entries)
        name = label(row, own, known) or worded(row.get("choices.model", MISSING))
        name = unused(name or "all runs", [group.label for group in groups])
        groups.append(group([entry.run for entry in same], name, metric, keys, left_out, notes))
    up = rises(metric)
    groups.sort(key=lambda g: (-g.score.mean if up else g.score.mean, natural(g.label)))
    best = groups[0]
    groups[1:] = [g._replace(difference=paired(g.values, best.values)) for g in groups[1:]]
    header = ", ".join(short(key, known) for key in apart) or "model"
    task = {key: entries[0].run.settings.get(key) for key, _ in entries[0].task}
    return Ranking(title, task, metric, up, header, tuple(groups))


def needed(row: Row, keys: Sequence[str], entries: Sequence[Entry]) -> Sequence[str]:
    """The settings that a label needs: a name says all that runs of that name have in common."""
    if row.get("name", NULL) == NULL or "name" not in keys:
        return keys
    alike = [entry.row for entry in entries if entry.row.get("name") == row["name"]]
    return [k for k in keys if k == "name" or len({r.get(k, MISSING) for r in alike}) > 1]


def group(
    runs: Sequence[Run],
    name: str,
    metric: str,
    keys: Sequence[str],
    left_out: list[LeftOut],
    notes: list[str],
) -> Group:
    """What runs reach that differ in nothing but the seed."""
    newest: dict[Any, Run] = {}
    for run in sorted(runs, key=lambda run: (run.written, natural(run.folder))):
        if run.seed in newest:
            left_out.append(repeated(newest[run.seed], run, name))
        newest[run.seed] = run
    if len(newest) < len(runs):
        notes.append(f"{name}: of {len(runs)} runs some repeat a seed; the newest of each counts")
    seeds = sorted(newest, key=natural)
    kept = tuple(newest[seed] for seed in seeds)
    values = {seed: float(newest[seed].metrics[metric]) for seed in seeds}
    costs = {key: mean(kept, key) for run in kept for key in run.metrics if key.startswith("cost/")}
    return Group(
        label=name,
        keys={key: kept[0].settings.get(key) for key in keys},
        runs=kept,
        values=values,
        score=estimate(list(values.values())),
        difference=None,
        costs={key: value for key, value in costs.items() if value is not None},
        baseline=mean(kept, f"baseline/{metric.rpartition('/')[2]}"),
    )


def with_columns(ranking: Ranking, columns: Sequence[str]) -> Ranking:
    """The ranking with the means of further numbers, where a group has them."""
    groups = []
    for group in ranking.groups:
        means = {column: mean(group.runs, column) for column in columns}
        known = {column: value for column, value in means.items() if value is not None}
        groups.append(group._replace(beside=known))
    return ranking._replace(groups=tuple(groups))


def repeated(older: Run, newer: Run, name: str) -> LeftOut:
    """A run that another one with its seed stands for."""
    return LeftOut(
        older.folder, "repeated", f"seed {older.seed} of {name} again in {newer.folder.name}, newer"
    )


def mean(runs: Sequence[Run], key: str) -> float | None:
    """The mean of a number over the runs that have it."""
    values: list[Any] = [run.metrics.get(key) for run in runs]
    finite = [float(v) for v in values if is_number(v) and math.isfinite(v)]
    return statistics.fmean(finite) if finite else None


def mixtures(entries: Sequence[Entry], keys: Sequence[str], known: Sequence[str]) -> list[str]:
    """What the runs of a group differ in, where a person has said what makes groups."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for entry in entries:
        own = tuple(entry.row.get(key, MISSING) for key in keys)
        groups.setdefault((entry.task, *own), []).append(entry.row)
    notes = []
    for rows in groups.values():
        if different := telling(rows, [0] * len(rows)):
            what = ", ".join(short(key, known) for key in different)
            notes.append(f"{label(rows[0], keys, known) or 'a group'}: its runs differ in {what}")
    return notes


def on_seeds(rankings: Sequence[Ranking]) -> list[str]:
    """What must be said where there are too few seeds."""
    groups = [group for ranking in rankings for group in ranking.groups]
    single = [group for group in groups if group.score.n == 1]
    notes = []
    if len(single) == len(groups):
        notes.append("one seed each: no interval, and no telling luck from merit; use seeds=5")
    elif single:
        names = ", ".join(group.label for group in single[:5])
        more = f" and {len(single) - 5} more" if len(single) > 5 else ""
        notes.append(f"one seed, so no interval: {names}{more}")
    if any(g.difference is None and g is not r.groups[0] for r in rankings for g in r.groups):
        notes.append("groups without a difference share no seed with the best one")
    return notes


def counted(left_out: Sequence[LeftOut]) -> list[str]:
    """How many runs do not count, by the reason: `2 failed`, `1 unfinished`."""
    kinds = list(dict.fromkeys(run.kind for run in left_out))
    return [f"{sum(run.kind == kind for run in left_out)} {kind}" for kind in kinds]
