"""Nets by name: the presets of `conf/model/*.yaml` without Hydra."""

from __future__ import annotations

import fnmatch
import inspect
from typing import TYPE_CHECKING, Any, cast

from zoo.config import conf_dir, suggest

if TYPE_CHECKING:
    from torch import nn


def list_models(pattern: str = "*") -> list[str]:
    """Names of all presets that match a shell pattern, such as `"*autoencoder"`."""
    names = sorted(path.stem for path in (conf_dir() / "model").glob("*.yaml"))
    return fnmatch.filter(names, pattern)


def create_model(name: str, **arguments: Any) -> nn.Module:
    """Build the net of a preset, with some of its arguments replaced.

    Args:
        name: one of `list_models()`.
        **arguments: arguments of the net's class; sizes that depend on the data are required.

    Raises:
        ValueError: no such preset, no such argument, or a size is missing.

    Example:
        >>> net = create_model("lstm", in_features=28, out_features=10, hidden_size=64)
    """
    from omegaconf import OmegaConf

    import zoo.models

    if name not in list_models():
        raise ValueError(f"no model {name!r}{suggest(name, list_models())}")
    node = OmegaConf.load(conf_dir() / f"model/{name}.yaml").model.net
    preset = cast("dict[str, Any]", OmegaConf.to_container(node))
    net = getattr(zoo.models, preset.pop("_target_").rpartition(".")[2])
    parameters = inspect.signature(net).parameters
    for argument in arguments:
        if argument not in parameters:
            raise ValueError(f"{name} has no argument `{argument}`{suggest(argument, parameters)}")
    values = {key: value for key, value in preset.items() if value != "???"} | arguments
    missing = [k for k, p in parameters.items() if p.default is p.empty and k not in values]
    if missing:
        sizes = ", ".join(f"{key}=…" for key in missing)
        raise ValueError(f"the data decides some sizes: create_model({name!r}, {sizes})")
    return net(**values)
