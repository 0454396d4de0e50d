"""A comparison as files: Markdown for people, CSV for spreadsheets, JSON for programs."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.comparison.board import Image, write_events
from zoo.comparison.figures import Picture, courses, looks, pictures
from zoo.comparison.groups import counted
from zoo.comparison.result import Comparison, Group, LeftOut, Ranking
from zoo.comparison.table import COSTS, LEGEND, baseline_line, heading, markdown
from zoo.files import whole

FOLDER = "comparison"  # of the figures and of the run in TensorBoard
DRAWN = 12  # data sets that get figures


def write(comparison: Comparison, out: Path) -> tuple[list[Path], list[str]]:
    """Write everything; each file whole, in place of that of an earlier comparison.

    Returns:
        The files, and what a reader must know about them.

    Raises:
        OSError: something cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    folder = out / FOLDER
    folder.mkdir(exist_ok=True)
    shown, notes = comparison.rankings[:DRAWN], []
    if len(comparison.rankings) > DRAWN:
        notes.append(f"figures of the first {DRAWN} of {len(comparison.rankings)} data sets")
    look = looks(shown)
    drawn = {ranking.data: pictures(ranking, look) for ranking in shown}
    named: dict[Path, Picture] = {}
    for picture in courses(shown, look):
        named[folder / f"{file_name(picture.name, [picture.name])}.png"] = picture
    for data, found in drawn.items():
        for picture in found:
            start = f"{file_name(data, list(drawn))}-" if len(drawn) > 1 else ""
            named[folder / f"{start}{picture.name}.png"] = picture
    stale = set(earlier(out)) - set(named)
    for file, picture in named.items():
        with whole(file) as unfinished:
            unfinished.write_bytes(picture.png)
    for file in stale:
        file.unlink(missing_ok=True)
    texts = {"comparison": text_of(comparison, notes)}
    images = [Image(file.stem, *picture.size, picture.png) for file, picture in named.items()]
    event_file = write_events(folder, texts, images)
    words = {
        "comparison.md": document(comparison, notes, out, named),
        "comparison.csv": spreadsheet(comparison.rankings),
        "comparison.json": as_json(comparison, notes, out, named),
    }
    for name, text in words.items():
        with whole(out / name) as unfinished:
            unfinished.write_text(text, encoding="utf-8", newline="")
    return [*(out / name for name in words), *named, event_file], notes


def earlier(out: Path) -> list[Path]:
    """The figures that an earlier comparison has written here, by its own account."""
    try:
        names = json.loads((out / "comparison.json").read_text(encoding="utf-8"))["figures"]
        files = [out / str(name) for name in names]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [file for file in files if file.parent == out / FOLDER and file.suffix == ".png"]


def file_name(data: str, every: Sequence[str]) -> str:
    """A data set as the start of a file's name, unlike those of the others."""

    def clean(text: str) -> str:
        return re.sub(r"[^\w=.+-]+", "-", text).strip("-.")[:60] or "data"

    same = [other for other in every if clean(other) == clean(data)]
    return clean(data) if len(same) == 1 else f"{clean(data)}-{same.index(data) + 1}"


def text_of(comparison: Comparison, notes: Sequence[str]) -> str:
    """The tables and what must be known about them, in Markdown."""
    parts = []
    for ranking in comparison.rankings:
        parts += [f"## {heading(ranking)}", markdown(ranking)]
        if line := baseline_line(ranking):
            parts.append(line)
    parts.append(LEGEND)
    parts += [f"- {note}" for note in (*comparison.notes, *notes)]
    if comparison.left_out:
        parts.append(f"## Left out: {', '.join(counted(comparison.left_out))}")
    return "\n\n".join(parts)


def document(
    comparison: Comparison, notes: Sequence[str], out: Path, named: Mapping[Path, Picture]
) -> str:
    """`comparison.md`."""
    lines = [text_of(comparison, notes)]
    lines.append("\n".join(f"- {line(run, out)}" for run in comparison.left_out))
    for file, picture in named.items():
        place = file.relative_to(out).as_posix()
        lines.append(f"![{picture.title}]({place.replace(' ', '%20')})")
    return "# Comparison\n\n" + "\n\n".join(part for part in lines if part) + "\n"


def line(run: LeftOut, out: Path) -> str:
    """A run that does not count."""
    return f"{run.kind}: `{place_of(run.folder, out)}`: {run.why}"


def place_of(folder: Path, out: Path) -> str:
    """A run's folder as seen from where the comparison lies, if it is below."""
    folder, out = folder.absolute(), out.absolute()
    return folder.relative_to(out).as_posix() if folder.is_relative_to(out) else str(folder)


def rows(ranking: Ranking) -> list[dict[str, Any]]:
    """The groups as flat rows of numbers; None where there is none."""
    found = []
    for place, group in enumerate(ranking.groups, start=1):
        score, apart = group.score, group.difference
        found.append(
            {
                **{"data": ranking.data, "metric": ranking.metric, "rank": place},
                **{"group": group.label, "n": score.n, "mean": score.mean, "sd": score.sd},
                **{"low": score.low, "high": score.high},
                "difference": apart.mean if apart else None,
                "difference_low": apart.low if apart else None,
                "difference_high": apart.high if apart else None,
                "pairs": apart.n if apart else None,
                "baseline": group.baseline,
                **group.beside,
                **{key.partition("/")[2]: group.costs.get(key) for key in cost_keys(ranking)},
            }
        )
    return found


def cost_keys(ranking: Ranking) -> list[str]:
    """Every cost that is known of one of the groups, those of the table first."""
    known = {key for group in ranking.groups for key in group.costs}
    return [*(key for key in COSTS if key in known), *sorted(known - set(COSTS))]


def spreadsheet(rankings: Sequence[Ranking]) -> str:
    """`comparison.csv`, by RFC 4180: a row for each group."""
    every = [
        {**row, **group.keys}
        for ranking in rankings
        for row, group in zip(rows(ranking), ranking.groups, strict=True)
    ]
    heads = list(dict.fromkeys(key for row in every for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, heads, restval="")
    writer.writeheader()
    writer.writerows(
        {key: json.dumps(value) if isinstance(value, (list, bool)) else value
         for key, value in row.items()}
        for row in every
    )  # fmt: skip
    return text.getvalue()


def as_json(
    comparison: Comparison, notes: Sequence[str], out: Path, named: Mapping[Path, Picture]
) -> str:
    """`comparison.json`: everything, down to the value of each seed."""
    content = {
        "rankings": [
            {
                **{"data": ranking.data, "task": dict(ranking.task), "metric": ranking.metric},
                **{"rises": ranking.rises, "baseline": ranking.baseline},
                "groups": [
                    {**row, "keys": dict(group.keys), "seeds": seeds(group, out)}
                    for row, group in zip(rows(ranking), ranking.groups, strict=True)
                ],
            }
            for ranking in comparison.rankings
        ],
        "left_out": [
            {"run": place_of(run.folder, out), "kind": run.kind, "why": run.why}
            for run in comparison.left_out
        ],
        "notes": [*comparison.notes, *notes],
        "figures": [file.relative_to(out).as_posix() for file in named],
    }
    return (
        json.dumps(finite(content), indent=1, ensure_ascii=False, allow_nan=False, default=str)
        + "\n"
    )


def seeds(group: Group, out: Path) -> list[dict[str, Any]]:
    """What each run of a group has reached."""
    return [
        {"seed": run.seed, "value": group.values[run.seed], "run": place_of(run.folder, out)}
        for run in group.runs
    ]


def finite(node: Any) -> Any:
    """The same with null for numbers that JSON cannot say."""
    if isinstance(node, dict):
        return {str(key): finite(value) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [finite(value) for value in node]
    return None if isinstance(node, float) and not math.isfinite(node) else node
