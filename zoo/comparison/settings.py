"""Which settings tell runs apart, and what they are called."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from zoo.comparison.result import Run
from zoo.config import ConfigError

MISSING, NULL = "", "null"  # as canonical values; no other value looks like these
# What changes neither what is learned nor what is measured, or only says where things lie.
IGNORED = (
    *("run_dir", "resume", "seed", "target", "sweep", "logger", "pictures", "callbacks", "debug"),
    *("data.augmentation", "data.root", "data.download", "data.workers", "data.in_memory"),
    *("data.eval_batch_size", "trainer.default_root_dir", "trainer.profiler"),
    *("trainer.log_every_n_steps", "trainer.enable_checkpointing", "trainer.num_sanity_val_steps"),
    *("trainer.enable_progress_bar", "trainer.enable_model_summary"),
)
# But these callbacks change what is learned.
KEPT = ("callbacks.early_stopping", "callbacks.ema")
FIRST = (
    *("name", "choices.model", "choices.optimizer", "choices.scheduler", "choices.regularization"),
    *("choices.augmentation", "choices.loss", "choices.", "model.", "optimizer.", "scheduler."),
    *("regularization.", "augmentation.", "loss.", "data.", "trainer."),
)


def canonical(value: Any) -> str:
    """A value as text that is equal for equal values; 1 and 1.0 are, 1 and true are not."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53:
        value = float(value)
    return json.dumps(value, sort_keys=True, default=str)


def normalised(runs: Sequence[Run]) -> list[dict[str, str]]:
    """The settings of each run as canonical text, with what an older version did not know yet.

    Where a run lacks a setting of a part that it has, its version had none: then what all others
    have counts, or null where that is among it. Settings of parts that a run does not have stay
    away.
    """
    rows = [{key: canonical(value) for key, value in run.settings.items()} for run in runs]
    parts = [parts_of(run.settings) for run in runs]
    by_part: dict[tuple[str, str | None], dict[str, set[str]]] = {}
    for row, own in zip(rows, parts, strict=True):
        for key, value in row.items():
            place = key.rpartition(".")[0]
            by_part.setdefault((place, own[place]), {}).setdefault(key, set()).add(value)
    for row, own in zip(rows, parts, strict=True):
        for place, target in own.items():
            for key, values in by_part.get((place, target), {}).items():
                if key not in row:
                    if len(values) == 1 and place:
                        row[key] = next(iter(values))
                    elif NULL in values or not place:
                        row[key] = NULL
    return rows


def parts_of(settings: Mapping[str, Any]) -> dict[str, str | None]:
    """The places that a config has, `model.net`, say, with what is built there."""
    places = {""}
    for key in settings:
        while key := key.rpartition(".")[0]:
            places.add(key)
    return {place: settings.get(f"{place}._target_") for place in places}


def ignored(key: str) -> bool:
    """Whether a setting is none that one would compare."""
    if within(key, KEPT):
        return key.endswith((".monitor", ".mode"))
    return within(key, IGNORED) or key.endswith(".seed")


def within(key: str, places: Iterable[str]) -> bool:
    """Whether a setting is one of these, or below it."""
    return any(key == place or key.startswith(f"{place}.") for place in places)


def telling(rows: Sequence[Mapping[str, str]], given: Sequence[object]) -> list[str]:
    """The fewest settings that tell runs apart, found greedily.

    Names and choices come first, in a fixed order, then whichever tells most apart. What follows
    from those already chosen adds nothing, and is left out.

    Args:
        rows: the settings of each run, see `normalised`.
        given: what tells them apart already.
    """
    keys = sorted({key for row in rows for key in row if not ignored(key)}, key=order)
    keys = [key for key in keys if len({row.get(key, MISSING) for row in rows}) > 1]
    chosen: list[str] = []
    classes: list[Any] = list(given)
    while keys:
        gains = {key: len(set(refined(classes, rows, key))) for key in keys}
        before = len(set(classes))
        keys = [key for key in keys if gains[key] > before]
        if not keys:
            break
        named = [key for key in keys if key == "name" or key.startswith("choices.")]
        best = named[0] if named else max(keys, key=lambda key: gains[key])  # the first of equals
        classes = refined(classes, rows, best)
        chosen.append(best)
    return chosen


def refined(classes: Sequence[Any], rows: Sequence[Mapping[str, str]], key: str) -> list[Any]:
    """Classes, told apart by one more setting; as numbers, since pairs of pairs would grow."""
    numbers: dict[Any, int] = {}
    pairs = [(c, row.get(key, MISSING)) for c, row in zip(classes, rows, strict=True)]
    return [numbers.setdefault(pair, len(numbers)) for pair in pairs]


def order(key: str) -> tuple[bool, int, int, str]:
    """Settings in the order in which one would look at them."""
    place = next((i for i, start in enumerate(FIRST) if key.startswith(start)), len(FIRST))
    if key.startswith("name") and key != "name":
        place = len(FIRST)
    return key.rpartition(".")[2].startswith("_"), place, key.count("."), key


def short(key: str, keys: Collection[str]) -> str:
    """The shortest end of a dotted key that is no other's: `lr` of `optimizer.lr`."""
    if key.startswith("choices."):
        return key.removeprefix("choices.")
    parts = key.split(".")
    others = [other for other in keys if other != key and not ignored(other)]
    for count in range(1, len(parts)):
        end = ".".join(parts[-count:])
        if not any(other == end or other.endswith(f".{end}") for other in others):
            return end
    return key


def resolved(word: str, keys: Collection[str]) -> str:
    """The dotted key that a person means by its end.

    Raises:
        ConfigError: there is none, or there are several.
    """
    for exact in (word, f"choices.{word}"):
        if exact in keys:
            return exact
    ends = sorted((key for key in keys if key.endswith(f".{word}")), key=order)
    ends = [key for key in ends if not ignored(key)] or ends
    if len(ends) == 1:
        return ends[0]
    if ends:
        raise ConfigError(f"by={word} may be {' or '.join(ends)}; write more of it")
    shorts = {short(key, keys): key for key in keys if not ignored(key)}
    near = difflib.get_close_matches(word, [*shorts, *shorts.values()], n=4, cutoff=0.4)
    near = near or [s for s in ("name", "model", "optimizer", "lr") if s in shorts]
    raise ConfigError(f"by={word}: no run has such a setting; nearest: {', '.join(near)}")


def worded(value: str) -> str:
    """A canonical value as it is read in a label."""
    read = json.loads(value) if value else ""
    if isinstance(read, float):
        return f"{read:.10g}"
    if isinstance(read, list) and len(read) > 2 and all(item == read[0] for item in read):
        return f"[{worded(canonical(read[0]))}×{len(read)}]"  # a deep net's widths
    if isinstance(read, list):
        return f"[{','.join(worded(canonical(item)) for item in read)}]"
    return read if isinstance(read, str) else value


def label(row: Mapping[str, str], keys: Sequence[str], known: Collection[str]) -> str:
    """What a run is called by these settings: `lstm hidden_size=64`."""
    words: list[str] = []
    for index, key in enumerate(keys):
        value = row.get(key, MISSING)
        if value == MISSING or (key == "name" and value == NULL):
            continue
        bare = key == "name" or (key.startswith("choices.") and (not words or not index))
        words.append(worded(value) if bare else f"{short(key, known)}={worded(value)}")
    return " ".join(words)
