"""What a search may set, and between which bounds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from zoo.config import ConfigError, suggest
from zoo.sweeps.words import text, word

if TYPE_CHECKING:
    import optuna

KEYS = ("low", "high", "log", "step")
PLAIN = (type(None), bool, int, float, str)


class Range(NamedTuple):
    """Numbers from `low` to `high`; whole ones if both are."""

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def bounds(self) -> list[Any]:
        """What has to be possible, if the rest is to be."""
        return [self.low, self.high]

    def suggest(self, trial: optuna.Trial, key: str) -> Any:
        """The value of a trial."""
        if isinstance(self.low, int) and isinstance(self.high, int):
            step = 1 if self.step is None else int(self.step)
            return trial.suggest_int(key, self.low, self.high, log=self.log, step=step)
        return trial.suggest_float(key, self.low, self.high, log=self.log, step=self.step)

    def value(self, kept: Any) -> Any:
        """What Optuna has kept."""
        return kept


class Choice(NamedTuple):
    """Some values."""

    values: tuple[Any, ...]

    def bounds(self) -> list[Any]:
        """All of them."""
        return list(self.values)

    def suggest(self, trial: optuna.Trial, key: str) -> Any:
        """The value of a trial; of lists and the like Optuna keeps how they are typed."""
        return self.value(trial.suggest_categorical(key, self._told()))

    def value(self, kept: Any) -> Any:
        """What Optuna has kept, as it was in YAML."""
        return self.values[self._told().index(kept)]

    def _told(self) -> list[Any]:
        return [value if isinstance(value, PLAIN) else text(value) for value in self.values]


Axis = Range | Choice
Space = dict[str, Axis]


def read(node: Any) -> Space:
    """The axes of a search by the keys that they set, from YAML.

    A key may be written with dots, or as a tree. A list is a choice, `low` and `high` are a range.

    Raises:
        ConfigError: something that is neither, or bounds that contradict each other.
    """
    if not isinstance(node, (dict, DictConfig)):
        raise ConfigError(f"`search.space` must be a map of settings, got {node!r}")
    plain = OmegaConf.to_container(node, resolve=True) if isinstance(node, DictConfig) else node
    assert isinstance(plain, dict)
    space = dict(leaves(plain))
    if not space:
        raise ConfigError("`search.space` is empty; name a setting and its range, or its choices")
    return space


def leaves(node: Mapping[Any, Any], path: str = "") -> Iterator[tuple[str, Axis]]:
    """Every axis below a node."""
    for name, value in node.items():
        key = f"{path}.{name}".lstrip(".")
        if isinstance(value, list):
            yield key, choice(key, value)
        elif isinstance(value, dict) and set(value) & {"low", "high"}:
            yield key, span(key, value)
        elif isinstance(value, dict) and value:
            yield from leaves(value, key)
        else:
            raise ConfigError(
                f"`search.space.{key}` must be a list of choices, or have low and high, got "
                f"{value!r}"
            )


def choice(key: str, values: list[Any]) -> Choice:
    """A choice, if there is one."""
    if not values:
        raise ConfigError(f"`search.space.{key}` has nothing to choose from")
    if any(value in values[:i] for i, value in enumerate(values)):
        raise ConfigError(f"`search.space.{key}` has a choice twice: {values}")
    return Choice(tuple(values))


def span(key: str, node: Mapping[str, Any]) -> Range:
    """A range with an end."""
    where = f"`search.space.{key}`"
    for name in node:
        if name not in KEYS:
            raise ConfigError(f"{where} has no key {name!r}{suggest(str(name), KEYS)}")
    for name in ("low", "high", "step"):
        value: Any = node.get(name)
        if value is None and name == "step":
            continue
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not math.isfinite(value):
            raise ConfigError(f"{where}: {name} must be a number, got {value!r}")
    found = Range(node["low"], node["high"], node.get("log", False), node.get("step"))
    if not isinstance(found.log, bool):
        raise ConfigError(f"{where}: log must be true or false, got {found.log!r}")
    if found.low > found.high:
        raise ConfigError(f"{where}: low={found.low} is more than high={found.high}")
    if found.log and found.low <= 0:
        raise ConfigError(f"{where}: a logarithmic scale needs low above 0, got low={found.low}")
    if found.log and found.step is not None:
        raise ConfigError(f"{where}: a logarithmic scale has no step; leave one of them out")
    if found.step is not None and found.step <= 0:
        raise ConfigError(f"{where}: step must be positive, got {found.step}")
    return found


def values_of(space: Space, kept: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a trial from what Optuna has kept."""
    return {key: axis.value(kept[key]) for key, axis in space.items() if key in kept}


def words(values: Mapping[str, Any]) -> list[str]:
    """The settings of a trial as they can be typed."""
    return [word(key, value) for key, value in values.items()]


def label(values: Mapping[str, Any]) -> str:
    """The same for a person: keys by their last part, numbers to three digits."""
    return " ".join(f"{short(key, values)}={shown(value)}" for key, value in values.items())


def short(key: str, keys: Mapping[str, Any]) -> str:
    """The last part of a key, if it is the only one that ends so."""
    last = key.rpartition(".")[2]
    return last if sum(k.rpartition(".")[2] == last for k in keys) == 1 else key


def shown(value: Any) -> str:
    """A value of a trial, numbers to three digits."""
    return f"{value:.3g}" if isinstance(value, float) else text(value)
