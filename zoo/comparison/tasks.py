"""What may be ranked together: runs that were tested on the same data, by the same measure."""

from __future__ import annotations

import difflib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from zoo.comparison.result import LeftOut, Run
from zoo.comparison.settings import MISSING, canonical, short, worded
from zoo.config import ConfigError
from zoo.naming import rises

# Settings of the data that leave the test as it is.
TRAINING = {
    *("_target_", "batch_size", "eval_batch_size", "view", "seed", "workers", "in_memory"),
    *("shuffle", "drop_last", "root", "download", "train_size", "train_samples", "val_size"),
    "scaling",
}
# What of the loss is part of the measure.
MEASURE = {"loss": ("",), "negative_elbo": ("likelihood", "sigma")}
# The number that is looked at first.
PREFERRED = (
    *("accuracy", "rmse", "negative_elbo", "squared_error", "bits_per_character", "perplexity"),
    *("mae", "r2"),
)
STAGES = ("test", "best", "val", "train")


def task_of(row: Mapping[str, str], metric: str | None = None) -> tuple[tuple[str, str], ...]:
    """The settings that make the test what it is, as canonical text.

    Args:
        row: the settings of a run, see `normalised`.
        metric: what is measured. Errors of a net that gives back its input are in units of the
            scaled input; a loss is another number for each loss.
    """
    task = {"choices.data": row.get("choices.data", MISSING)}
    streams = row.get("data._target_", MISSING).endswith('TextLM"')
    for key, value in row.items():
        place, _, name = key.partition(".")
        if place == "data" and name not in TRAINING and not name.startswith("augmentation"):
            if not (streams and name == "length"):  # of a batch; the text goes on
                task[key] = value
        if place == "loss" and metric and not name.startswith("_"):
            for start in MEASURE.get(metric.rpartition("/")[2], ()):
                if name.startswith(start):
                    task[key] = value
    if metric and metric.endswith("/loss"):
        task["choices.loss"] = row.get("choices.loss", row.get("loss._target_", MISSING))
    reconstructs = row.get("model._target_", MISSING).endswith('LitAutoencoder"')
    if metric and reconstructs and not rises(metric):
        task["data.scaling"] = row.get("data.scaling", MISSING)
    return tuple(sorted(task.items()))


def titles(tasks: Sequence[tuple[tuple[str, str], ...]]) -> list[str]:
    """What data sets are called: by their name, and by what differs between those of one name."""
    found: list[str] = []
    for task in map(dict, tasks):
        name = task["choices.data"]
        alike = [other for other in map(dict, tasks) if other["choices.data"] == name]
        keys = sorted({key for other in alike for key in other})
        words = [worded(name) or "data"]
        for key in keys:
            values = {other[key] for other in alike if key in other}
            if len(values) > 1 and key in task:
                words.append(f"{short(key, keys)}={worded(task[key])}")
        if len(task) == 1 < len(keys):
            words.append("settings unknown")
        found.append(unused(", ".join(words), found))
    return found


def unused(name: str, names: Sequence[str]) -> str:
    """A name that is none of these: itself, or with a number."""
    number, own = 1, name
    while own in names:
        number += 1
        own = f"{name} ({number})"
    return own


def chosen_metric(runs: Sequence[Run]) -> str | None:
    """What most of the runs have, the usual one first; None if they have no number at all.

    A loss counts for the runs with the same loss alone.
    """
    counts: Counter[str] = Counter()
    losses: dict[str, Counter[str]] = {}
    for run in runs:
        for name in run.metrics:
            if name.endswith("/loss"):
                kind = canonical(run.settings.get("choices.loss"))
                losses.setdefault(name, Counter())[kind] += 1
            else:
                counts[name] += 1
    counts.update({name: max(kinds.values()) for name, kinds in losses.items()})
    known = [name for name in counts if name.partition("/")[0] in STAGES]
    return min(known, key=lambda name: preference(name, counts[name]), default=None)


def preference(name: str, count: int) -> tuple[int, int, int, str]:
    """A key to sort metrics by, the one to take first: of the test, of most runs, the usual."""
    stage, _, metric = name.partition("/")
    usual = PREFERRED.index(metric) if metric in PREFERRED else len(PREFERRED)
    return STAGES.index(stage), -count, usual + (metric in ("loss", "epoch")), name


def with_metric(runs: Iterable[Run], metric: str) -> tuple[list[Run], list[LeftOut]]:
    """The runs that have a number by this name, and why the others have not."""
    kept, left_out = [], []
    for run in runs:
        value = run.metrics.get(metric, MISSING)
        if is_number(value) and math.isfinite(value):
            kept.append(run)
        elif value == MISSING:
            left_out.append(LeftOut(run.folder, "no metric", f"metrics.json has no {metric}"))
        elif value is None or is_number(value):
            left_out.append(LeftOut(run.folder, "not finite", f"{metric} is not finite"))
        else:
            left_out.append(
                LeftOut(run.folder, "broken", f"{metric} in metrics.json is {value!r}, no number")
            )
    return kept, left_out


def is_number(value: Any) -> bool:
    """Whether a value of `metrics.json` is a number; true and false are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def check_metric(runs: Sequence[Run], metric: str, key: str = "metric") -> None:
    """Refuse a metric that no run has, asked for by `key`.

    Raises:
        ConfigError: with the nearest names.
    """
    known = Counter(name for run in runs for name, value in run.metrics.items() if is_number(value))
    known.pop("seed", None)
    if metric in known or any(run.metrics.get(metric, MISSING) is None for run in runs):
        return
    near = difflib.get_close_matches(metric, known, n=3, cutoff=0.5)
    near = near or sorted(known, key=lambda name: (not name.startswith("test/"), name))[:6]
    raise ConfigError(f"{key}={metric}: no finished run has it; nearest: {', '.join(near)}")
