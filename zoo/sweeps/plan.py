"""Which runs a sweep consists of: what was typed, times what its experiment wants, times seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from zoo.config import ConfigError, suggest
from zoo.sweeps.words import combinations, least, parsed, word

REPORT = ("metric", "by", "columns")  # how an experiment is compared in the end
NODE = ("seeds", "axes", "arms", *REPORT)  # keys of its `sweep`


class Job(NamedTuple):
    """One run of a sweep.

    Attributes:
        number: from 0; a folder's name begins with it.
        words: what composes it, without the seed of a `seeds` axis.
        named: what its folder is named after.
        label: what it has that others have not.
        seed: of a `seeds` axis.
    """

    number: int
    words: tuple[str, ...]
    named: tuple[str, ...]
    label: str
    seed: int | None = None

    @property
    def overrides(self) -> list[str]:
        """All words of the run."""
        return [*self.words, *([] if self.seed is None else [f"seed={self.seed}"])]


class Plan(NamedTuple):
    """All runs of a sweep, in their order, and how they are compared in the end."""

    jobs: list[Job]
    axes: dict[str, list[str]]  # what differs, by key, and the values
    seeds: int | None
    report: dict[str, Any]  # arguments of `zoo.comparison.report`


def plan(
    typed: Mapping[str, list[str]], seeds: int | None, node: Any, experiment: str | None
) -> Plan:
    """The runs of a command.

    What was typed is the outermost axis, then come those of the experiment, its arms, and seeds.

    Args:
        typed: what each key is set to: one override for each value.
        seeds: as typed.
        node: the `sweep` of the experiment, if it has one.
        experiment: its name.

    Raises:
        ConfigError: a node that cannot be used, or words that contradict it.
    """
    wanted = checked(node, experiment)
    axes = dict(typed)
    arms = arms_of(wanted.get("arms"), axes, experiment)
    for key, values in (wanted.get("axes") or {}).items():
        axes.setdefault(key, [word(key, value) for value in values])  # what was typed wins
    seeds = seeds_of(seeds, wanted.get("seeds"), typed)
    jobs: list[Job] = []
    for combination in combinations(axes):
        for arm, own in arms.items():
            name = [] if arm is None else [word("name", arm)]
            varied = [w for w, many in zip(combination, axes.values(), strict=True) if many[1:]]
            for seed in [None] if seeds is None else range(seeds):
                ends = [] if seed is None else [f"seed={seed}"]
                jobs.append(
                    Job(
                        number=len(jobs),
                        words=(*own, *combination, *name),
                        named=(*combination, *name, *ends),
                        label=" ".join([*varied, *name, *ends]),
                        seed=seed,
                    )
                )
    differ = {key: [w.partition("=")[2] for w in many] for key, many in axes.items() if many[1:]}
    if None not in arms:
        differ["name"] = [str(arm) for arm in arms]
    if seeds is not None:
        differ["seed"] = [str(seed) for seed in range(seeds)]
    told = {key: wanted[key] for key in REPORT if wanted.get(key) is not None}
    return Plan(jobs, differ, seeds, told)


def checked(node: Any, experiment: str | None) -> dict[str, Any]:
    """The `sweep` of an experiment, as plain YAML with the keys that there are."""
    if node is None:
        return {}
    where = f"experiment={experiment}: `sweep"
    if not isinstance(node, DictConfig):
        raise ConfigError(f"{where}` must have keys, got {node!r}")
    try:
        wanted: Any = OmegaConf.to_container(node, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{where}`: {str(error).splitlines()[0]}") from error
    for key in wanted:
        if key not in NODE:
            raise ConfigError(f"{where}` has no key {key!r}{suggest(str(key), NODE)}")
    for key in ("axes", "arms"):
        if not isinstance(wanted.get(key) or {}, Mapping):
            raise ConfigError(f"{where}.{key}` must have names, got {wanted[key]!r}")
        for name, values in (wanted.get(key) or {}).items():
            if not isinstance(values, list) or (key == "axes" and not values):
                raise ConfigError(f"{where}.{key}.{name}` must be a list, got {values!r}")
    return wanted


def arms_of(
    node: Mapping[str, Sequence[str]] | None, typed: dict[str, list[str]], experiment: str | None
) -> dict[str | None, list[str]]:
    """The overrides of each arm by its name; `name=a,b` chooses some, and is taken out of `typed`.

    Raises:
        ConfigError: an arm that does not exist, or words that arms have settled.
    """
    if not node:
        return {None: []}
    chosen = list(node)
    if "name" in typed:
        chosen = [str(value) for w in typed.pop("name") for value in [parsed([w])[0].value()]]
        for name in chosen:
            if name not in node:
                raise ConfigError(
                    f"experiment={experiment} has no arm {name!r}{suggest(name, node)}"
                )
    arms: dict[str | None, list[str]] = {}
    for name in chosen:
        arms[name] = [str(w) for w in node[name]]
        for override in parsed(arms[name]):
            line, key = override.input_line, override.get_key_element()
            if override.is_sweep_override():
                raise ConfigError(
                    f"experiment={experiment}: the arm {name!r} has several values in {line!r}; "
                    "make it two arms, or an axis"
                )
            if key in typed:
                raise ConfigError(
                    f"{typed[key][0]!r} would set what the arms of experiment={experiment} differ "
                    f"in; choose among them with name={','.join(list(map(str, node))[:2])}"
                )
    return arms


def seeds_of(typed: int | None, node: Any, overrides: Mapping[str, list[str]]) -> int | None:
    """How many seeds each combination gets; None: the one of its config, or those typed."""
    if "seed" in overrides:
        if typed is not None:
            raise ConfigError(
                f"seeds={typed} means seed=0 to seed={typed - 1}, and seed=… was typed too; "
                "leave one of them out"
            )
        return None
    least("sweep.seeds", node)
    return typed if typed is not None else node
