"""What was typed: the keys of zoo-sweep itself, and overrides that may have several values."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import hydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import DictConfig

from zoo.cli import quoted
from zoo.config import ConfigError, conf_dir

OWN = ("seeds", "jobs", "search", "trials", "folder", "resume", "retry")
WITH_RESUME = ("resume", "jobs", "retry", "trials")
CONFIG_DIR = ("--config-dir", "-cd")


class Words(NamedTuple):
    """A command, taken apart."""

    own: list[str]
    overrides: list[str]
    config_dir: str | None = None

    def has(self, key: str) -> bool:
        """Whether a key of zoo-sweep's own was typed."""
        return any(word.partition("=")[0] == key for word in self.own)


class Settings(NamedTuple):
    """The keys of `conf/sweep.yaml`, checked."""

    seeds: int | None
    jobs: int | None
    search: DictConfig | None
    trials: int
    folder: Path
    resume: Path | None
    retry: bool


def read(typed: Sequence[str]) -> Words:
    """Sort what was typed.

    Raises:
        ConfigError: a flag, or a key, that is not for this command.
    """
    words, rest = Words([], []), iter(typed)
    for word in rest:
        flag, _, value = word.partition("=")
        if flag in CONFIG_DIR:
            folder = Path(value or next(rest, ""))
            if not folder.is_dir():
                raise ConfigError(f"{flag}: there is no folder {str(folder)!r}")
            words = words._replace(config_dir=str(folder.absolute()))
        elif word.startswith("-"):
            raise ConfigError(
                f"there is no flag {word}; zoo-sweep sweeps by itself, and its --help shows how"
            )
        elif flag.lstrip("+~").partition(".")[0] in OWN:
            words.own.append(quoted(word) if flag != "folder" else f"folder={text(value)}")
        elif flag.lstrip("+~").startswith(("hydra.", "hydra/")):
            raise ConfigError(f"{word!r} is for zoo-train -m; zoo-sweep takes folder=… and jobs=…")
        else:
            words.overrides.append(word)
    return words


def settings(words: Words) -> Settings:
    """The keys of zoo-sweep's own, with the defaults of `conf/sweep.yaml`.

    Raises:
        ConfigError: a value that cannot be used, or words that contradict each other.
        HydraException: a word that cannot be read, or a search that does not exist.
    """
    for override in parsed(words.own):
        if override.is_sweep_override():
            key = override.key_or_group
            raise ConfigError(f"{override.input_line!r} has several values; `{key}` takes one")
    if words.has("resume"):
        check_resume(words)
    cfg = composed("sweep", words.own, words.config_dir)
    for key in ("seeds", "jobs", "trials"):
        least(key, cfg[key])
    if not isinstance(cfg.retry, bool):
        raise ConfigError(f"`retry` must be true or false, got {cfg.retry!r}")
    if cfg.resume is None and cfg.retry:
        raise ConfigError("retry=true is for a sweep that has run: name it with resume=<folder>")
    if cfg.resume is None and words.has("trials") and "search" not in cfg:
        raise ConfigError("trials=… is for a search: add search=optuna")
    return Settings(
        seeds=cfg.seeds,
        jobs=cfg.jobs,
        search=cfg.get("search"),
        trials=cfg.trials,
        folder=Path(str(cfg.folder)).absolute(),
        resume=None if cfg.resume is None else Path(str(cfg.resume)).absolute(),
        retry=cfg.retry,
    )


def least(key: str, value: Any) -> None:
    """Check a number of things, which may be left open."""
    if value is not None and (type(value) is not int or value < 1):
        raise ConfigError(f"`{key}` must be a whole number of at least 1, got {value!r}")


def check_resume(words: Words) -> None:
    """Check that nothing was typed that a sweep's frozen configs have settled."""
    others = [word for word in words.own if word.partition("=")[0] not in WITH_RESUME]
    for word in [*others, *words.overrides]:
        raise ConfigError(
            f"{word!r} would make it another sweep; with resume only jobs=, retry= and, for a "
            "search, trials= can be given"
        )


def composed(name: str, words: Sequence[str], config_dir: str | None) -> DictConfig:
    """The config `conf/<name>.yaml` with these overrides and its `hydra` node."""
    path = [] if config_dir is None else [f"hydra.searchpath=[{text(f'file://{config_dir}')}]"]
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return hydra.compose(name, [*words, *path], return_hydra_config=True)


def parsed(words: Sequence[str]) -> list[Override]:
    """Overrides as Hydra reads them."""
    return OverridesParser.create().parse_overrides(list(words))


def axes(words: Sequence[str], config_dir: str | None = None) -> dict[str, list[str]]:
    """What each key is set to, in the order of Hydra's own sweeper: one override for each value.

    Raises:
        ConfigError: values that cannot be counted.
        HydraException: a word that cannot be read.
    """
    found: dict[str, list[str]] = {}
    for override in parsed(words):
        key = override.get_key_element()
        found[key] = [f"{key}={value}" for value in values(override, config_dir)]
        if not found[key]:
            raise ConfigError(f"{override.input_line!r} has no value")
    return found


def values(override: Override, config_dir: str | None) -> Iterator[str]:
    """The values of an override as they can be typed, one by one."""
    if not override.is_sweep_override():
        return iter([override.get_value_element_as_str()])
    if not override.is_discrete_sweep():
        raise ConfigError(
            f"{override.input_line!r} has no values to count; use range(…) or choice(…)"
        )
    pattern: Any = override.value()
    if isinstance(pattern, Glob):
        return iter(pattern.filter(choices(override.key_or_group, config_dir)))
    return override.sweep_string_iterator()


def choices(group: str, config_dir: str | None) -> list[str]:
    """What a group offers, as Hydra lists it."""
    folders = [conf_dir(), *([Path(config_dir)] if config_dir else [])]
    return sorted({file.stem for folder in folders for file in (folder / group).glob("*.yaml")})


def combinations(found: dict[str, list[str]]) -> list[list[str]]:
    """Each value of each key with each of the others, the last key's the fastest."""
    return [list(words) for words in itertools.product(*found.values())]


def first(typed: Sequence[str]) -> list[str]:
    """The same words with the first of several values, for what is only to be shown."""
    words = []
    for word in typed:
        try:
            [override] = parsed([word])
            single = next(values(override, None)) if override.is_sweep_override() else None
        except (HydraException, ConfigError, StopIteration):
            single = None  # Hydra says what is wrong
        words.append(word if single is None else f"{override.get_key_element()}={single}")
    return words


def word(key: str, value: Any) -> str:
    """An override that sets a key to a value from YAML."""
    return f"{key}={text(value)}"


def text(value: Any) -> str:
    """A plain value as Hydra reads it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(text, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}:{text(item)}' for key, item in value.items())}}}"
    return unambiguous(value) if isinstance(value, str) else str(value)


def unambiguous(value: str) -> str:
    """A string that is read as itself, in quotes only where it must be."""
    try:
        [override] = parsed([f"x={value}"])
        # A backslash is itself here, but not within a list.
        plain = value and "\\" not in value
        if plain and not override.is_sweep_override() and override.value() == value:
            return value
    except HydraException:
        pass
    return QuotedString(value, Quote.double).with_quotes()
