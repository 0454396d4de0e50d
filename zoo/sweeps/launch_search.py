"""A search from its words, or from its folder, to what it has found."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from zoo.config import ConfigError, suggest
from zoo.files import whole
from zoo.folders import alone_in
from zoo.mistakes import missing_part
from zoo.report import say, shown
from zoo.sweeps import study
from zoo.sweeps.findings import conclude
from zoo.sweeps.freeze import Composed, checked, composed_jobs
from zoo.sweeps.launch import (
    check_folder,
    new_folder,
    new_record,
    others_have_ended,
    run_all,
    workers,
    workers_again,
)
from zoo.sweeps.plan import Job, Plan
from zoo.sweeps.pool import Pool
from zoo.sweeps.record import Record
from zoo.sweeps.search import BASES, Search, settled
from zoo.sweeps.space import Choice, Space, read
from zoo.sweeps.words import Settings, Words, axes, choices, composed, word


def launch_search(words: Words, settings: Settings) -> int:
    """Run a search from its beginning; its exit code.

    Raises:
        ConfigError: something cannot work; nothing has been run, and nothing is left behind.
        Stopped: by a signal, with all that ran saved.
    """
    study.imported()
    typed = axes(words.overrides, words.config_dir)
    search: Any = OmegaConf.to_container(settings.search or OmegaConf.create(), resolve=True)
    study.check_settings(search)
    space = read(search.get("space"))
    check_words(typed, settings, space)
    base = composed("train", words.overrides, words.config_dir)
    if base.sweep is not None:
        raise ConfigError(
            "an experiment that compares several runs is no place to search; leave search= out"
        )
    check_folder(settings.folder, typed=words.has("folder"))
    groups = groups_of(space, base, words.config_dir)
    say(f"check  {sum(len(axis.bounds()) for axis in space.values())} settings")
    with workers(base, settings.jobs, settings.trials) as pool:
        bases = [based(words, combination) for combination in groups]
        check_space(space, bases, groups[0])
        found: dict[str, Any] = {
            **{key: search.get(key) for key in ("space", "sampler", "pruner")},
            "metric": str(bases[0].task.monitor.metric),
            "mode": str(bases[0].task.monitor.mode),
            "trials": settings.trials,
            "overrides": words.overrides,
            "groups": groups,
        }
        with new_folder(settings.folder) as folder:
            write_bases(folder / BASES, bases)
            kept = new_record(words, Plan([], {}, None, {}), [], base, pool.threads)
            kept.search = found
            kept.write(folder)
            return drive(Search(folder, kept), pool)


def resume_search(folder: Path, kept: Record, settings: Settings, *, trials: bool) -> int:
    """Go on with a search; its exit code.

    Args:
        folder: of the search.
        kept: its record.
        settings: of the command.
        trials: whether their number was typed.

    Raises:
        ConfigError: it runs already, or cannot go on.
        Stopped: by a signal, with all that ran saved.
    """
    assert kept.search is not None
    if settings.retry:
        raise ConfigError(
            "a search learns from trials that fail and does not repeat them; trials=… asks for more"
        )
    with alone_in(folder):
        if trials and settings.trials != kept.search["trials"]:
            kept.search["trials"] = settings.trials
            kept.write(folder)
        search = Search(folder, kept)
        others_have_ended(search.begun)
        say(f"search {shown(folder)}: {search.asked} trials so far, {search.left} to be run")
        if not search.left:
            return conclude(search)
        with workers_again(kept, settings.jobs, search.left) as pool:
            return drive(search, pool)


def drive(search: Search, pool: Pool) -> int:
    """Run what there is to run, and say what was found; the exit code."""
    total = max(search.settings["trials"], search.asked)
    run_all(search, pool, search.folder, total, total - search.left)
    return conclude(search)


# --- before anything runs --------------------------------------------------------------------


def check_words(typed: Mapping[str, Sequence[str]], settings: Settings, space: Space) -> None:
    """Check that nothing was typed that a search has to decide.

    Raises:
        ConfigError: seeds, several values, or a key of the space.
    """
    if settings.seeds is not None:
        raise ConfigError(
            "a search tries each setting with one seed: leave seeds= out; it ends with the command "
            "that trains the best settings with several"
        )
    for key, many in typed.items():
        if key in space:
            raise ConfigError(
                f"{many[0]!r} sets what is searched for; leave it out, or take it out of the "
                f"space with '~search.space.{key}'"
            )
        if many[1:]:
            values = ",".join(w.partition("=")[2] for w in many)
            raise ConfigError(
                f"a search takes one value of `{key}`, or several as a choice: "
                f"'+search.space.{key}=[{values}]'"
            )


def groups_of(space: Space, base: DictConfig, config_dir: str | None) -> list[dict[str, Any]]:
    """Every combination of the groups that are searched; one without any if there are none.

    Raises:
        ConfigError: a group with something else than choices that there are.
    """
    groups = {key: axis for key, axis in space.items() if key in base.hydra.runtime.choices}
    for key, axis in groups.items():
        if not isinstance(axis, Choice):
            raise ConfigError(f"`search.space.{key}` must be a list: {key} is a group")
        for value in axis.values:
            known = choices(key, config_dir)
            if value not in known:
                raise ConfigError(
                    f"`search.space.{key}`: there is no {key} {value!r}{suggest(str(value), known)}"
                )
    every = [axis.bounds() for axis in groups.values()]
    return [dict(zip(groups, values, strict=True)) for values in itertools.product(*every)]


def based(words: Words, groups: Mapping[str, Any]) -> Composed:
    """The config that trials with these groups are made from, checked."""
    own = [word(key, value) for key, value in groups.items()]
    job = Job(0, (*words.overrides, *own), (), " ".join(own))
    [config] = composed_jobs([job], words.config_dir, None).values()
    return config


def check_space(space: Space, bases: Sequence[Composed], groups: Mapping[str, Any]) -> None:
    """Check each key, and each value at the edge of what it may be.

    Raises:
        ConfigError: a key that does not exist, or a value that cannot work.
    """
    settings = {key: axis for key, axis in space.items() if key not in groups}
    for base, key in itertools.product(bases, settings):
        complaint = missing_part(base.task, key)
        if complaint:
            raise ConfigError(f"`search.space.{key}`: {''.join(complaint)}")
    for base, (key, axis) in itertools.product(bases, settings.items()):
        for value in axis.bounds():
            cfg = base.whole.copy()
            try:
                OmegaConf.update(cfg, key, value)
                checked(cfg)
            except ConfigError as error:
                raise ConfigError(f"`search.space`: {word(key, value)}: {error}") from error


def write_bases(folder: Path, bases: Sequence[Composed]) -> None:
    """Freeze what trials are made from: they must not depend on YAML that is edited meanwhile."""
    folder.mkdir()
    for number, base in enumerate(bases):
        raw, resolved = OmegaConf.to_container(base.task, resolve=False), base.frozen(folder)
        with whole(folder / f"{number}.yaml") as unfinished:
            OmegaConf.save(OmegaConf.create(settled(raw, resolved)), unfinished)
