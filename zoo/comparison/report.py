"""The comparison from beginning to end: find, compute, print, write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from zoo.comparison.find import named
from zoo.comparison.groups import compare, counted
from zoo.comparison.result import Comparison
from zoo.comparison.table import LEGEND, show
from zoo.config import ConfigError
from zoo.report import say, shown

LISTED = 20  # runs that are left out, each with its reason


def report(
    folders: Sequence[Path],
    *,
    metric: str | None = None,
    by: Sequence[str] | None = None,
    columns: Sequence[str] = (),
    out: Path | str | None = None,
) -> Comparison:
    """Compare the runs below folders, print the tables, and write them with figures.

    Args:
        folders: with runs below.
        metric: what ranks, such as `test/accuracy`; None for what most runs have.
        by: settings that make groups, such as `model` or `optimizer.lr`; None for what differs.
        columns: further numbers to show beside it, such as `train/loss`.
        out: where to write; None for the first of the folders.

    Returns:
        What was printed, as numbers, and the files.

    Raises:
        ConfigError: no finished run, no such metric or setting, or nothing can be written.
    """
    from zoo.comparison.files import write

    comparison = compare(folders, metric=metric, by=by, columns=columns)
    tell(comparison)
    place = Path(out) if out is not None else Path(folders[0])
    try:
        files, notes = write(comparison, place)
    except OSError as error:
        raise ConfigError(
            f"cannot write {error.filename or place}: {error.strerror}; choose another folder with "
            "out=<folder>"
        ) from error
    for note in notes:
        say(note)
    count = sum(file.suffix == ".png" for file in files)
    say(f"wrote  {shown(place / 'comparison.md')}, .csv, .json and {count} figures in comparison/")
    say(f"look   tensorboard --logdir {shown(place)}")
    return comparison._replace(files=tuple(files), notes=(*comparison.notes, *notes))


def tell(comparison: Comparison) -> None:
    """Print the tables, what must be known about them, and which runs do not count."""
    console = Console()
    for ranking in comparison.rankings:
        show(ranking, console)
    say("")
    if any(group.score.n > 1 for ranking in comparison.rankings for group in ranking.groups):
        say(LEGEND)
    for note in comparison.notes:
        say(f"note   {note}")
    left_out = comparison.left_out
    if left_out:
        say(f"left out: {', '.join(counted(left_out))}")
        for run in left_out[:LISTED]:
            say(f"  {run.kind}  {named(run)}")
        if len(left_out) > LISTED:
            say(f"  and {len(left_out) - LISTED} more, see comparison.md")
