"""What a sweep has in its folder: its record, and how far each of its runs has come."""

from __future__ import annotations

import dataclasses
import json
import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import zoo
from zoo.config import ConfigError, conf_dir
from zoo.files import whole
from zoo.report import shown

RECORD, FAILURE = "sweep.json", "failure.json"
FORMAT = 1


@dataclasses.dataclass
class Entry:
    """One run of a sweep: its folder's name, what it has that others have not, its words."""

    folder: str
    label: str
    overrides: list[str]


@dataclasses.dataclass
class Record:
    """`sweep.json`, written when every run has its config; a sweep without it never began.

    Attributes:
        command: the words that launched it.
        jobs: its runs, in their order.
        axes: what they differ in, by key.
        seeds: how many of them, where each combination has several.
        report: arguments of the comparison in the end; what is not there, it chooses.
        search: the settings of a search, whose runs are made one after another.
        threads: of each process.
        devices: GPUs that a run takes, if there are any; 0: none.
        cwd: where it was launched; relative paths in the configs count from there.
        config_dir: a folder with a person's own YAML.
        created: when, by the clock of that place.
        versions: of what it ran with.
        commit: of the zoo's checkout, if it was one.
    """

    command: list[str]
    jobs: list[Entry]
    axes: dict[str, list[str]]
    seeds: int | None
    report: dict[str, Any]
    search: dict[str, Any] | None
    threads: int
    devices: int
    cwd: str
    config_dir: str | None
    created: str
    versions: dict[str, str]
    commit: str | None
    format: int = FORMAT

    def write(self, folder: Path) -> None:
        """Write the record, whole."""
        with whole(folder / RECORD) as unfinished:
            text = json.dumps(dataclasses.asdict(self), indent=1, ensure_ascii=False)
            unfinished.write_text(f"{text}\n", encoding="utf-8")


def load(folder: Path) -> Record:
    """The record of the sweep in that folder.

    Raises:
        ConfigError: there is none, or it is damaged.
    """
    file = folder / RECORD
    if not file.is_file():
        raise ConfigError(absent(folder))
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ConfigError(f"{shown(file)} is of another version of the zoo")
        record = Record(**content)
        record.jobs = [Entry(**entry) for entry in content["jobs"]]
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise ConfigError(
            f"{shown(file)} is damaged ({type(error).__name__}: {error}); its runs can be "
            "continued one by one, with zoo-train resume=<their folder>"
        ) from error
    return record


def absent(folder: Path) -> str:
    """Why a folder without a record is no sweep to go on with."""
    name = shown(folder)
    if not folder.is_dir():
        return f"there is no folder {name}"
    if (folder / "multirun.yaml").is_file():
        return (
            f"{name} is of zoo-train -m, whose runs go on one by one: zoo-train resume=<run folder>"
        )
    if (folder / "config.yaml").is_file():
        return f"{name} is one run; continue it with: zoo-train resume={name}"
    if any(folder.glob("*/config.yaml")):
        return f"the sweep in {name} was never launched: it has no {RECORD}; start it anew"
    return f"there is no sweep in {name}: it has no {RECORD}"


# --- how far a run has come ------------------------------------------------------------------


def finished(run: Path) -> bool:
    """Whether a run has come to its end."""
    return (run / "metrics.json").is_file()


def failure(run: Path) -> str | None:
    """Why a run has failed, in one sentence; None: it has not."""
    if finished(run):
        return None
    if not run.is_dir():
        return "its folder was removed, and its frozen config with it"
    if not (run / "config.yaml").is_file():
        return "its config.yaml was removed"
    try:
        return str(json.loads((run / FAILURE).read_text(encoding="utf-8"))["reason"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, OSError):
        return f"it has failed, and its {FAILURE} cannot be read"


def can_run(run: Path) -> bool:
    """Whether a run has what it takes to begin, or to begin again."""
    return (run / "config.yaml").is_file()


def write_failure(run: Path, reason: str, time: str) -> None:
    """Keep why a run has failed."""
    if run.is_dir():
        with whole(run / FAILURE) as unfinished:
            text = json.dumps({"reason": reason, "time": time}, ensure_ascii=False)
            unfinished.write_text(f"{text}\n", encoding="utf-8")


def metrics(run: Path) -> dict[str, Any]:
    """The numbers of a run that has come to its end."""
    content = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    return dict(content)


# --- what it ran with ------------------------------------------------------------------------


def versions() -> dict[str, str]:
    """Of the zoo, and of what its numbers depend on."""
    packages = ("torch", "lightning")
    return {
        "zoo": zoo.__version__,
        **{package: metadata.version(package) for package in packages},
        "python": platform.python_version(),
    }


def commit() -> str | None:
    """The commit of the checkout that the zoo is run from, `-dirty` if it was changed since."""
    root = conf_dir().parent
    if not (root / ".git").exists() or shutil.which("git") is None:
        return None
    words = (
        "git",
        "-C",
        str(root),
        "describe",
        "--always",
        "--dirty",
        "--abbrev=40",
        "--exclude=*",
    )
    done = subprocess.run(words, capture_output=True, text=True, timeout=30)
    return done.stdout.strip() or None
