"""What a search has found: a table, files, figures, and the command that makes use of it."""

from __future__ import annotations

import csv
import json
import shlex
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

from zoo.files import whole
from zoo.report import say, shown, wide
from zoo.sweeps import record, study
from zoo.sweeps.search import Search
from zoo.sweeps.space import short, values_of, words
from zoo.sweeps.space import shown as value_shown

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

BEST = 10  # rows of the table
LEAST = 8  # finished trials from which importances say anything


def conclude(search: Search) -> int:
    """Say what was found and write it down; the exit code.

    There is no comparison of the runs here, as after a sweep: it would rank trials by the test,
    which then were no test any more. Of the best one alone the test is told.
    """
    trials = search.study.get_trials(deepcopy=False)
    ranked = ranking(search, trials)
    importances = weighed(search, ranked)
    write_files(search, trials, ranked, importances)
    failed = [t for t in trials if t.state == search.states.FAIL]
    if ranked:
        show(search, trials, ranked, importances)
    else:
        say("\nno trial has come to its end: there is nothing to choose from")
    if failed:
        say(f"\n{len(failed)} of {len(trials)} trials failed:")
        for trial in failed:
            say(f"  {trial.user_attrs.get('folder')}  {trial.user_attrs.get('reason')}")
    return 1 if failed or not ranked else 0


def ranking(search: Search, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The trials that have come to their end, best first."""
    done = [trial for trial in trials if trial.state == search.states.COMPLETE]
    sign = -1 if search.settings["mode"] == "max" else 1
    return sorted(done, key=lambda trial: sign * trial.values[0])


def weighed(search: Search, ranked: Sequence[FrozenTrial]) -> dict[str, float]:
    """How much of the differences between trials each setting explains; empty if too few tell."""
    values = {trial.values[0] for trial in ranked}
    if len(ranked) < LEAST or len(values) < 2:
        return {}
    optuna = study.imported()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        found = optuna.importance.get_param_importances(search.study, evaluator=evaluator)
    return {key: float(value) for key, value in found.items()}


def command(search: Search, best: FrozenTrial) -> str:
    """The command that trains the best settings with several seeds."""
    typed = [*search.settings["overrides"], *words(values_of(search.space, best.params)), "seeds=5"]
    return shlex.join(["zoo-sweep", *(w for w in typed if not w.startswith("seed="))])


# --- for a person ----------------------------------------------------------------------------


def show(
    search: Search,
    trials: Sequence[FrozenTrial],
    ranked: Sequence[FrozenTrial],
    importances: dict[str, float],
) -> None:
    """Print the best trials, what their settings mattered, and what to do next."""
    metric, keys = search.settings["metric"], list(search.space)
    pruned = sum(trial.state == search.states.PRUNED for trial in trials)
    table = Table(title=f"the best of {len(trials)} trials", title_justify="left")
    table.add_column("trial", justify="right")
    table.add_column(metric, justify="right")
    for key in keys:
        table.add_column(short(key, search.space), justify="right", overflow="fold")
    table.add_column("epoch", justify="right")
    table.add_column("seconds", justify="right")
    for trial in ranked[:BEST]:
        values = values_of(search.space, trial.params)
        settings = [value_shown(values[key]) for key in keys]
        attributes = trial.user_attrs
        epoch = "" if attributes.get("epoch") is None else str(int(attributes["epoch"]) + 1)
        seconds = f"{attributes.get('seconds', float('nan')):.1f}"
        row = [str(trial.number), f"{trial.values[0]:.4g}", *settings, epoch, seconds]
        table.add_row(*row, style="bold" if trial is ranked[0] else None)
    say("")
    wide().print(table)
    say(f"{len(ranked)} came to their end, {pruned} were given up early; epoch: of the best value")
    if importances:
        told = ", ".join(f"{short(k, importances)} {v:.0%}" for k, v in importances.items())
        say(f"mattered  {told}")
    else:
        say(f"mattered  {LEAST} finished trials are needed to tell which setting did")
    best = ranked[0]
    tests = {k: v for k, v in numbers(search, best).items() if k.startswith("test/")}
    told = ", ".join(f"{name} {value:.4g}" for name, value in tests.items() if value is not None)
    say(f"best      trial {best.number}; on the test, of this one alone: {told}")
    drawn = " and importances.png" if importances else ""
    say(f"wrote     {shown(search.folder)}: search.csv, search.json, history.png{drawn}")
    say(f"train it  {command(search, best)}")


def numbers(search: Search, trial: FrozenTrial) -> dict[str, Any]:
    """What a trial's run has reached."""
    return record.metrics(search.folder / trial.user_attrs["folder"])


# --- for a program ---------------------------------------------------------------------------


def write_files(
    search: Search,
    trials: Sequence[FrozenTrial],
    ranked: Sequence[FrozenTrial],
    importances: dict[str, float],
) -> None:
    """Write `search.csv`, `search.json` and the figures."""
    from zoo.sweeps import figures

    metric = search.settings["metric"]
    rows = [row_of(search, trial) for trial in trials]
    with whole(search.folder / "search.csv") as unfinished:
        with open(unfinished, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]) if rows else ["trial"])
            writer.writeheader()
            writer.writerows(rows)
    found: dict[str, Any] = {
        "metric": metric,
        "mode": search.settings["mode"],
        "best": None,
        "importances": importances,
        "trials": rows,
    }
    if ranked:
        best = ranked[0]
        tests = {k: v for k, v in numbers(search, best).items() if k.startswith("test/")}
        found["best"] = {**row_of(search, best), **tests, "command": command(search, best)}
    with whole(search.folder / "search.json") as unfinished:
        unfinished.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
    highest = search.settings["mode"] == "max"
    drawn = {}
    if ranked:
        drawn["history.png"] = figures.history(trials, metric, highest=highest)
    if importances:
        drawn["importances.png"] = figures.importances(importances, metric, len(ranked))
    for name, content in drawn.items():
        with whole(search.folder / name) as unfinished:
            unfinished.write_bytes(content)


def row_of(search: Search, trial: FrozenTrial) -> dict[str, Any]:
    """A trial as a flat row."""
    kept = trial.user_attrs
    reported = trial.intermediate_values
    return {
        "trial": trial.number,
        "state": trial.state.name.lower(),
        search.settings["metric"]: trial.values[0] if trial.values else None,
        **{key: trial.params.get(key) for key in search.space},
        "epochs": max(reported, default=None),
        "seconds": kept.get("seconds"),
        "folder": kept.get("folder"),
        "reason": kept.get("reason"),
    }
