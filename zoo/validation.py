"""Finds what is wrong with a composed config before any data is read or any weight allocated.

The constructors are the schema: names, types and defaults come from their signatures; ranges from
the checks that they make themselves, in a rehearsal on torch's meta device.
"""

from __future__ import annotations

import collections.abc
import inspect
import os
import types
import typing
from collections.abc import Mapping
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from zoo.config import ConfigError, conf_dir, nodes, plain, suggest
from zoo.partners import check_partners, follow_target, overrides
from zoo.regularization.base import check_in
from zoo.rehearsal import rehearse, target_of

LEAST = {"log_every_n_steps": 1, "accumulate_grad_batches": 1, "gradient_clip_val": 0.0}
WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    None: "null",
    type(None): "null",
}


def check(cfg: DictConfig) -> None:
    """Check names, types, partners and ranges of a whole run.

    A loss and metrics that nobody chose follow what the data has as target, in `cfg` itself.

    Raises:
        ConfigError: the first thing that cannot work, with what would.
    """
    check_top(cfg)
    resolved = OmegaConf.create(plain(cfg))  # once: interpolations cost more than all checks
    for path, node in nodes(resolved):
        check_arguments(path, node)
    if follow_target(cfg, target_of(resolved.data)):
        resolved = OmegaConf.create(plain(cfg))
    check_trainer(resolved)
    check_partners(resolved)
    rehearse(resolved)
    check_monitor(resolved)


def check_top(cfg: DictConfig) -> None:
    """Check the keys that belong to the run as a whole."""
    main: Any = OmegaConf.load(conf_dir() / "train.yaml")
    defaults = [entry for entry in main.pop("defaults") if entry != "_self_"]
    groups = [str(key) for entry in defaults for key, choice in entry.items() if choice]
    groups = [group for group in groups if not group.startswith("override ")]
    known = [*groups, *(str(key) for key in main if key != "hydra")]
    for key in cfg:
        if key not in known:
            raise ConfigError(f"there is no key {key!r}{suggest(str(key), known)}")
    for key in known:
        if key not in cfg:
            raise ConfigError(f"`{key}` is missing; a run cannot do without it")
    if type(cfg.seed) is not int or not 0 <= cfg.seed < 2**32:
        raise ConfigError(f"`seed` must be a whole number from 0 to 2**32 - 1, got {cfg.seed!r}")
    check_beginning(cfg)
    if cfg.monitor.mode not in ("min", "max"):
        raise ConfigError(f"`monitor.mode` must be min or max, got {cfg.monitor.mode!r}")
    if cfg.sweep is not None:
        experiment = HydraConfig.get().runtime.choices.get("experiment")
        raise ConfigError(
            f"experiment={experiment} is a comparison of several runs: zoo-sweep "
            f"experiment={experiment}"
        )
    for override in overrides():
        if override.startswith(("choices.", "run_dir=")):
            remedy = "hydra.run.dir=…" if override.startswith("run_dir") else "the group itself"
            raise ConfigError(f"{override!r} only records what was chosen; override {remedy}")


def check_beginning(cfg: DictConfig) -> None:
    """Check what a run begins with, and which stages learn how fast."""
    # Empty is what a shell makes of a variable that nobody has set.
    for key in ("resume", "init_from"):
        if not isinstance(cfg[key], str | None) or cfg[key] == "":
            raise ConfigError(f"`{key}` must be a name, a path or null, got {cfg[key]!r}")
    # A run of an older version that is resumed has null for both.
    if isinstance(cfg.freeze, bool) or not isinstance(cfg.freeze, int | str | None):
        raise ConfigError(
            f"`freeze` must be a number of stages or the name of one, got {cfg.freeze!r}"
        )
    try:
        check_in("(0, 1]", "lr_decay", 1.0 if cfg.lr_decay is None else cfg.lr_decay)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def check_trainer(cfg: DictConfig) -> None:
    """Check the flags that Lightning takes without a look at them."""
    trainer = cfg.trainer
    for name, least in LEAST.items():
        value = trainer.get(name)
        if value is not None and value < least:
            raise ConfigError(f"`trainer.{name}` must be at least {least}, got {value}")
    precision = str(trainer.get("precision"))
    if precision == "64" or (precision.endswith("-true") and precision != "32-true"):
        raise ConfigError(
            f"trainer.precision={precision}: weights have 32 bits here; use 32-true, bf16-mixed or "
            "16-mixed"
        )
    cores = os.cpu_count() or 1
    on_cpu = trainer.accelerator == "cpu" or not torch.cuda.is_available()
    if on_cpu and isinstance(trainer.devices, int) and trainer.devices > cores:
        raise ConfigError(
            f"`trainer.devices` must be at most {cores}, the number of processor cores, got "
            f"{trainer.devices}"
        )
    if trainer.accelerator in ("gpu", "cuda") and not torch.cuda.is_available():
        raise ConfigError(f"trainer.accelerator={trainer.accelerator}: no GPU; use trainer=cpu")
    sweep = HydraConfig.initialized() and HydraConfig.get().mode is RunMode.MULTIRUN
    own = isinstance(trainer.strategy, DictConfig) and trainer.strategy.get("start_method")
    if sweep and (trainer.strategy == "ddp" or own == "popen"):
        remedy = "trainer.strategy.start_method=spawn" if own else "trainer.strategy=ddp_spawn"
        raise ConfigError(
            f"trainer.strategy=ddp would start the whole sweep again in each process; use {remedy} "
            "in a sweep"
        )


def check_monitor(cfg: DictConfig) -> None:
    """Check that what decides on the best epoch, and what is to be reached, will be logged."""
    names = ["loss", *(cfg.metrics or {})]
    if cfg.loss._target_.endswith("NegativeELBO"):
        names += ["reconstruction", "kl", "negative_elbo"]
    logged = [f"val/{name}" for name in names]
    watched = {"monitor.metric": str(cfg.monitor.metric)}
    if isinstance(cfg.target, str):
        watched["target"] = cfg.target.rpartition(":")[0] or cfg.target
    for key, name in watched.items():
        if name not in logged:
            raise ConfigError(
                f"`{key}` names nothing that is logged: {name!r}{suggest(name, logged)}"
            )


def check_arguments(path: str, node: DictConfig) -> None:
    """Check keys and values of a `_target_` node against the signature that it will meet."""
    try:
        target = get_object(node["_target_"])
    except (ValueError, ImportError, AttributeError) as error:
        raise ConfigError(f"{path}._target_={node['_target_']} does not exist ({error})") from error
    signature = inspect.signature(target)
    parameters = dict(signature.parameters)
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    if open_ended and inspect.isclass(target):  # settings handed on to a base class
        for base in target.__mro__[1:]:
            parameters = {**inspect.signature(base).parameters, **parameters}
    hints = _hints(target)
    values = plain(node)
    for key in node:
        name = str(key)
        if name.startswith("_") or OmegaConf.is_missing(node, name):
            continue
        if name not in parameters:
            known = [k for k, p in parameters.items() if p.kind is not p.VAR_KEYWORD]
            raise ConfigError(f"`{path}` has no argument {name!r}{suggest(name, known)}")
        value = values[name]
        if not fits(value, hints.get(name, Any)):
            raise ConfigError(f"`{path}.{name}` must be {describe(hints[name])}, got {value!r}")


def fits(value: Any, hint: Any) -> bool:
    """Whether a plain value is of the type that a signature asks for."""
    if isinstance(value, Mapping) and "_target_" in value:
        return True
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in (Any, object, inspect.Parameter.empty) or isinstance(hint, (typing.TypeVar, str)):
        return True
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, argument) for argument in arguments)
    if origin is typing.Literal:
        return value in arguments
    if hint in (None, type(None)):
        return value is None
    if hint in (int, float):
        allowed = (int,) if hint is int else (int, float)
        return isinstance(value, allowed) and not isinstance(value, bool)
    origin = origin or hint
    if not inspect.isclass(origin):
        return True
    if issubclass(origin, (str, bool)) or not issubclass(origin, collections.abc.Iterable):
        return isinstance(value, origin)
    if issubclass(origin, collections.abc.Mapping):
        return isinstance(value, Mapping)
    if not isinstance(value, list):
        return False
    if origin is tuple and Ellipsis not in arguments:
        return len(value) == len(arguments) and all(map(fits, value, arguments))
    item = arguments[0] if arguments else Any
    return all(fits(v, item) for v in value)


def describe(hint: Any) -> str:
    """A type hint in a person's words."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        plain_ones = [a for a in arguments if a in WORDS or typing.get_origin(a)] or arguments
        return " or ".join(dict.fromkeys(describe(argument) for argument in plain_ones))
    if origin is typing.Literal:
        return " or ".join(repr(argument) for argument in arguments)
    if inspect.isclass(origin) and issubclass(origin, collections.abc.Mapping):
        return "a mapping"
    if origin is tuple and Ellipsis not in arguments:
        return f"a list of {len(arguments)}, each item {describe(arguments[0])}"
    if inspect.isclass(origin) and issubclass(origin, collections.abc.Iterable):
        return f"a list, each item {describe(arguments[0])}" if arguments else "a list"
    return WORDS.get(hint, getattr(hint, "__name__", str(hint)))


def _hints(target: Any) -> dict[str, Any]:
    hints: dict[str, Any] = {}
    functions = (
        [vars(c).get("__init__", object) for c in reversed(target.__mro__)]
        if inspect.isclass(target)
        else [target]
    )
    for function in functions:
        try:
            hints |= typing.get_type_hints(function)
        except (NameError, TypeError, AttributeError):
            continue  # hints that only a type checker can resolve check nothing here
    return hints
