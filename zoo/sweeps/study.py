"""A search's memory: an Optuna study in a journal file, which a killed search goes on with."""

from __future__ import annotations

import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.config import ConfigError, suggest

if TYPE_CHECKING:
    import optuna

JOURNAL = "study.journal"
NAME = "search"
SAMPLER = {"seed": 0, "startup_trials": 1}  # the least that each may be
PRUNER = {"startup_trials": 0, "warmup_epochs": 0}


def imported() -> Any:
    """Optuna, silent about what it does.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise ConfigError(
            "a search needs Optuna, which is not installed: pip install 'neural-zoo[search]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def check_settings(search: dict[str, Any]) -> None:
    """Check the keys of a search besides its space.

    Raises:
        ConfigError: one that is not known, or a value that cannot be.
    """
    parts = {"sampler": SAMPLER, "pruner": PRUNER}
    for key in search:
        if key not in ("space", *parts):
            raise ConfigError(f"`search` has no key {key!r}{suggest(key, ('space', *parts))}")
    for part, known in parts.items():
        node = search.get(part)
        if node is None and part == "pruner":
            continue  # nothing is given up
        if not isinstance(node, dict):
            raise ConfigError(f"`search.{part}` must have {' and '.join(known)}, got {node!r}")
        for key in {*known, *node}:
            if key not in known:
                raise ConfigError(f"`search.{part}` has no key {key!r}{suggest(key, known)}")
            value = node.get(key)
            if type(value) is not int or value < known[key]:
                raise ConfigError(
                    f"`search.{part}.{key}` must be a whole number of at least {known[key]}, got "
                    f"{value!r}"
                )


def opened(folder: Path, search: dict[str, Any], mode: str) -> optuna.Study:
    """The study in that folder, new or as it was left.

    Args:
        folder: of the search; no other process may have it open.
        search: its settings.
        mode: whether "min" or "max" of the metric is best.

    Raises:
        ConfigError: Optuna is not installed, or the journal is damaged.
    """
    optuna = imported()
    file = folder / JOURNAL
    mend(file)
    try:
        storage = optuna.storages.JournalStorage(
            optuna.storages.journal.JournalFileBackend(str(file))
        )
        study = optuna.create_study(
            storage=storage,
            study_name=NAME,
            direction={"min": "minimize", "max": "maximize"}[mode],
            load_if_exists=True,
        )
    except (ValueError, KeyError) as error:
        raise ConfigError(f"{file} is damaged ({error}); the search cannot go on") from error
    sampler, pruner = search["sampler"], search["pruner"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna 4 calls the constant liar an experiment
        study.sampler = optuna.samplers.TPESampler(
            n_startup_trials=sampler["startup_trials"],
            # A search that goes on must not draw again what it has drawn.
            seed=sampler["seed"] + len(study.get_trials(deepcopy=False)),
            constant_liar=True,  # several workers must not all try the same
        )
    study.pruner = optuna.pruners.NopPruner()
    if pruner is not None:
        study.pruner = optuna.pruners.MedianPruner(
            n_startup_trials=pruner["startup_trials"],
            n_warmup_steps=pruner["warmup_epochs"] + 1,  # the first step that is judged
        )
    return study


def mend(file: Path) -> None:
    """Take away what a killed process has left: half a line at the end, and its lock."""
    with suppress(FileNotFoundError):
        file.with_name(f"{file.name}.lock").unlink()
    with suppress(FileNotFoundError), open(file, "r+b") as journal:
        content = journal.read()
        journal.truncate(content.rfind(b"\n") + 1)
