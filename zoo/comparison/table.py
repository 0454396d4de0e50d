"""A ranking as a table: of words, on a terminal, in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from zoo.comparison.result import Group, Ranking
from zoo.comparison.wording import decimals, duration, human, interval, number, trivial
from zoo.report import UNLIMITED

COSTS: dict[str, tuple[str, Callable[[float], str]]] = {
    "cost/parameters": ("parameters", human),
    "cost/flops": ("FLOPs", human),
    "cost/samples_per_second": ("samples/s", human),
    "cost/fit_seconds": ("fit", duration),
    "cost/seconds_to_target": ("to target", duration),
}
LEGEND = (
    "± is the standard deviation over seeds. The 95 % intervals (Student's t) are of the mean, and "
    "of the mean difference over the seeds that both have; one that holds 0 does not decide."
)


class Column(NamedTuple):
    """A column of words.

    Attributes:
        head: its name.
        cells: one for each group.
        cost: whether it tells what a group costs, rather than what it reaches.
        right: whether it is set to the right, as numbers are.
    """

    head: str
    cells: list[str]
    cost: bool = False
    right: bool = True


def columns(ranking: Ranking) -> list[Column]:
    """What is shown of each group; what none of them has is left out."""
    groups, places = ranking.groups, places_of(ranking)
    found = [
        Column(ranking.header, [group.label for group in groups], right=False),
        Column(ranking.metric, [scored(group, places) for group in groups]),
        Column("n", [str(group.score.n) for group in groups]),
        Column("95 % interval", [interval(g.score.low, g.score.high, places) for g in groups]),
    ]
    if len(groups) > 1:
        found.append(Column("to the best", [difference(g, groups[0], places) for g in groups]))
        found.append(Column("its interval, paired", [apart(g, places) for g in groups]))
    if ranking.baseline is None and any(g.baseline is not None for g in groups):
        cells = ["" if g.baseline is None else number(g.baseline, places) for g in groups]
        found.append(Column("baseline", cells))
    for key in dict.fromkeys(key for group in groups for key in group.beside if key not in COSTS):
        digits = decimals(group.beside[key] for group in groups if key in group.beside)
        cells = [number(g.beside[key], digits) if key in g.beside else "" for g in groups]
        found.append(Column(key.removeprefix("cost/"), cells))
    for key, (head, written) in COSTS.items():
        cells = [written(g.costs[key]) if key in g.costs else "" for g in groups]
        found.append(Column(head, cells, cost=True))
    return [column for column in found if any(column.cells) or not column.right]


def places_of(ranking: Ranking) -> int | None:
    """Digits after the point of all numbers of a ranking."""
    return decimals(group.score.mean for group in ranking.groups)


def scored(group: Group, places: int | None) -> str:
    """Mean and standard deviation."""
    mean = number(group.score.mean, places)
    return mean if group.score.sd is None else f"{mean} ± {number(group.score.sd, places)}"


def difference(group: Group, best: Group, places: int | None) -> str:
    """How far a group is from the best, and over how many seeds if not over all of its own."""
    if group is best:
        return "best"
    if group.difference is None:
        return ""
    text = number(group.difference.mean, places, sign=True)
    return text if group.difference.n == group.score.n else f"{text} (n={group.difference.n})"


def apart(group: Group, places: int | None) -> str:
    """The interval of the paired difference."""
    if group.difference is None:
        return ""
    return interval(group.difference.low, group.difference.high, places, sign=True)


def heading(ranking: Ranking) -> str:
    """What a table shows, in a line."""
    way = "more is better" if ranking.rises else "less is better"
    groups = f"{len(ranking.groups)} groups" if len(ranking.groups) > 1 else "one group"
    return f"{ranking.metric} on {ranking.data}: {groups}, {way}"


def baseline_line(ranking: Ranking) -> str | None:
    """What a trivial predictor reaches, if that is one number."""
    if ranking.baseline is None:
        return None
    value = number(ranking.baseline, places_of(ranking))
    return f"baseline {value}, of {trivial(ranking.metric)}"


def show(ranking: Ranking, console: Console) -> None:
    """Print a ranking: plain where nobody watches, in two tables where the terminal is narrow."""
    every, title = columns(ranking), heading(ranking)
    if not console.is_terminal:
        print(f"\n{title}\n{plain(every)}", file=console.file)
    else:
        console.print(f"\n[bold]{escape(title)}[/bold]", highlight=False, soft_wrap=True)
        reached = [column for column in every if not column.cost]
        costs = [every[0], *(column for column in every if column.cost)]
        fits = width(drawn(every), console) <= console.width or len(costs) == 1
        for part in [every] if fits else [reached, costs]:
            console.print(drawn(part))
    if line := baseline_line(ranking):
        print(line, file=console.file)


def plain(parts: Sequence[Column]) -> str:
    """Columns side by side, for a file or another program."""
    sizes = [max(map(cell_len, [column.head, *column.cells])) for column in parts]
    lines = [
        [set_cell_size(" " * (size - cell_len(cell)) * column.right + cell, size)
         for cell, column, size in zip(cells, parts, sizes, strict=True)]
        for cells in zip(*([column.head, *column.cells] for column in parts), strict=True)
    ]  # fmt: skip
    lines.insert(1, ["-" * size for size in sizes])
    return "\n".join("  ".join(line).rstrip() for line in lines)


def width(table: Table, console: Console) -> int:
    """Columns of the terminal that a table takes unwrapped."""
    options = console.options.update(max_width=UNLIMITED)
    return Measurement.get(console, options, table).maximum


def drawn(parts: Sequence[Column]) -> Table:
    """A table of these columns, with lines."""
    table = Table()
    for index, part in enumerate(parts):
        head, first = escape(part.head), index == 0
        table.add_column(head, justify="right" if part.right else "left", no_wrap=not first)
    for cells in zip(*(part.cells for part in parts), strict=True):
        table.add_row(*map(escape, cells))
    return table


def markdown(ranking: Ranking) -> str:
    """The table in Markdown, as GitHub and TensorBoard read it."""
    parts = columns(ranking)
    lines = [
        [column.head for column in parts],
        ["---:" if column.right else "---" for column in parts],
        *(list(cells) for cells in zip(*(column.cells for column in parts), strict=True)),
    ]
    return "\n".join(f"| {' | '.join(map(piped, line))} |" for line in lines)


def piped(cell: str) -> str:
    """A cell that does not end at a bar within it."""
    return cell.replace("|", "\\|").replace("\n", " ")
