"""Finds runs below folders, and reads what they left behind."""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from zoo.comparison.events import PATTERN, last_step
from zoo.comparison.result import LeftOut, Run
from zoo.config import ConfigError
from zoo.report import shown

RECORDS = ("config.yaml", "metrics.json", "failure.json")
RUN_FOLDER = "a run folder has a config.yaml, and a metrics.json once it is finished"
# Python's own parser takes eight times as long.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def words(value: Any) -> list[str]:
    """What was typed as `a,b` or `[a,b]`, or came as a list."""
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [str(word) for word in value]
    text = str(value).strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    pieces = [piece.strip().strip("'\"") for piece in text.split(",")]
    return [piece for piece in pieces if piece]


def folders(names: Sequence[str]) -> list[Path]:
    """The folders of these names, which may hold `*`; and commas, at which they were cut.

    Raises:
        ConfigError: there is no such folder.
    """
    found: list[Path] = []
    rest = list(names)
    while rest:
        for count in range(1, len(rest) + 1):  # the shortest name that is there
            name = os.path.expanduser(",".join(rest[:count]))
            matches = [name] if Path(name).is_dir() else sorted(glob.glob(name), key=natural)
            if any(Path(match).is_dir() for match in matches):
                found += [Path(match) for match in matches if Path(match).is_dir()]
                rest = rest[count:]
                break
        else:
            what = "is not a folder" if Path(rest[0]).exists() else "does not exist"
            raise ConfigError(f"runs: {rest[0]} {what}; {RUN_FOLDER}")
    return found


def natural(text: object) -> list[tuple[bool, int, str]]:
    """A key to sort by that puts 2 before 10."""
    parts = re.split(r"(\d+)", str(text))
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def read_runs(places: Iterable[Path]) -> tuple[list[Run], list[LeftOut]]:
    """Every run below these folders: those that are finished, and the others with the reason.

    Raises:
        ConfigError: there is no run, or no such folder.
    """
    places = [Path(place) for place in places]
    for place in places:
        if not place.is_dir():
            raise ConfigError(f"{place} is not a folder; {RUN_FOLDER}")
    runs: list[Run] = []
    left_out: list[LeftOut] = []
    for folder in walk(places, left_out):
        found = read_run(folder)
        if isinstance(found, Run):
            runs.append(found)
        elif found is not None:
            left_out.append(found)
    if not runs and not left_out:
        where = ", ".join(str(place) for place in places)
        raise ConfigError(f"there is no run below {where}; {RUN_FOLDER}")
    return runs, left_out


def walk(places: Iterable[Path], unread: list[LeftOut]) -> Iterator[Path]:
    """Folders that may be runs, each once, whatever links lead to it; 2 before 10."""
    seen: set[tuple[int, int]] = set()

    def refused(error: OSError) -> None:
        unread.append(LeftOut(Path(error.filename), "broken", f"{error.strerror}"))

    for place in places:
        for name, children, files in os.walk(place, followlinks=True, onerror=refused):
            try:
                status = os.stat(name)
            except OSError:  # gone meanwhile
                continue
            if (status.st_dev, status.st_ino) in seen:
                children.clear()
                continue
            seen.add((status.st_dev, status.st_ino))
            children[:] = [c for c in children if c[0] != "." and c != "checkpoints"]
            children.sort(key=natural)
            if not set(RECORDS).isdisjoint(files):
                yield Path(name)


def read_run(folder: Path) -> Run | LeftOut | None:
    """A finished run, or why it does not count; None for what is no run."""
    config, trouble = read_config(folder)
    if config is None and trouble is None and not (folder / "failure.json").is_file():
        return read_lone_metrics(folder)
    metrics_file, failure = folder / "metrics.json", folder / "failure.json"
    if not metrics_file.is_file():
        if failure.is_file():
            return LeftOut(folder, "failed", reason_of(failure))
        return trouble or LeftOut(folder, "unfinished", how_far(folder))
    if trouble is not None:
        return trouble
    metrics = read_metrics(metrics_file)
    if isinstance(metrics, LeftOut):
        return metrics
    return Run(folder, flat(config or choices(metrics)), metrics, age(metrics_file))


def read_config(folder: Path) -> tuple[dict[str, Any] | None, LeftOut | None]:
    """The config of a run; neither that nor a complaint where there is none of ours."""
    file = folder / "config.yaml"
    try:
        config = yaml.load(file.read_text(encoding="utf-8"), LOADER)
    except FileNotFoundError:
        return None, None
    except (yaml.YAMLError, OSError, ValueError, RecursionError) as error:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        return None, LeftOut(folder, "broken", f"config.yaml cannot be read ({what})")
    if isinstance(config, dict) and isinstance(config.get("choices"), dict):
        return config, None
    if (folder / "metrics.json").is_file() or any(folder.glob(PATTERN)):
        return None, LeftOut(
            folder, "broken", "config.yaml is not that of a run: it has no `choices`"
        )
    return None, None  # another program's


def read_lone_metrics(folder: Path) -> Run | LeftOut | None:
    """A run of which nothing but its numbers was kept."""
    metrics = read_metrics(folder / "metrics.json")
    if isinstance(metrics, LeftOut):
        return metrics if any(folder.glob(PATTERN)) else None
    if not {"model", "data"} <= set(metrics):
        return None  # another program's
    return Run(folder, choices(metrics), metrics, age(folder / "metrics.json"))


def read_metrics(file: Path) -> dict[str, Any] | LeftOut:
    """What `metrics.json` holds, or what is wrong with it."""
    try:
        metrics = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        return LeftOut(file.parent, "broken", f"metrics.json cannot be read ({error})")
    if not isinstance(metrics, dict):
        kind = type(metrics).__name__
        return LeftOut(file.parent, "broken", f"metrics.json holds a {kind}, not an object")
    return metrics


def choices(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """As much of a config as the numbers tell."""
    known = {f"choices.{key}": metrics[key] for key in ("model", "data") if key in metrics}
    return {**known, **({"seed": metrics["seed"]} if "seed" in metrics else {})}


def flat(config: Mapping[Any, Any], path: str = "") -> dict[str, Any]:
    """The config by dotted keys; lists are values."""
    rows: dict[str, Any] = {}
    for key, value in config.items():
        name = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping):
            rows |= flat(value, name)
        else:
            rows[name] = value
    return rows


def reason_of(file: Path) -> str:
    """Why a job of a sweep failed, as the sweep has written it down."""
    try:
        reason = json.loads(file.read_text(encoding="utf-8"))["reason"]
    except (OSError, ValueError, KeyError, TypeError):
        return "failure.json cannot be read"
    return " ".join(str(reason).split())


def how_far(folder: Path) -> str:
    """What an unfinished run has done so far."""
    step = last_step(folder)
    if not step:
        return "no metrics.json, no step yet"
    return f"no metrics.json, step {step:,} so far"


def age(file: Path) -> float:
    """When a file was written; 0 if it is gone meanwhile."""
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def named(run: LeftOut) -> str:
    """A run that does not count, in a line."""
    return f"{shown(run.folder)}: {run.why}"
