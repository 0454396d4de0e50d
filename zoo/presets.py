"""Nets by name: the presets of `conf/model/*.yaml` without Hydra."""

from __future__ import annotations

import fnmatch
import inspect
from typing import TYPE_CHECKING, Any, cast

from zoo.config import conf_dir, suggest

if TYPE_CHECKING:
    from torch import nn


def list_models(pattern: str = "*", *, pretrained: bool = False) -> list[str]:
    """Names of all presets that match a shell pattern, such as `"*autoencoder"`.

    Args:
        pattern: of the names.
        pretrained: only those that have weights in the package.
    """
    names = sorted(path.stem for path in (conf_dir() / "model").glob("*.yaml"))
    if pretrained:
        from zoo.pretrained import names as bundled

        trained = {name.partition("/")[0] for name in bundled()}
        names = [name for name in names if name in trained]
    return fnmatch.filter(names, pattern)


def create_model(name: str, /, *, pretrained: str | None = None, **arguments: Any) -> nn.Module:
    """Build the net of a preset, with some of its arguments replaced.

    Args:
        name: one of `list_models()`.
        pretrained: the data set on which weights in the package were trained, such as "mnist" for
            "lenet5"; the net is then the one that was trained, in eval mode. Of its arguments only
            `out_features` can be another: the head then starts anew.
        **arguments: arguments of the net's class; sizes that depend on the data are required.

    Raises:
        ValueError: no such preset, weights or argument, or a size is missing.

    Example:
        >>> net = create_model("lstm", in_features=28, out_features=10, hidden_size=64)
    """
    import zoo.models

    if name not in list_models():
        raise ValueError(f"no model {name!r}{suggest(name, list_models())}")
    preset = preset_of(name)
    net = getattr(zoo.models, preset.pop("_target_").rpartition(".")[2])
    parameters = inspect.signature(net).parameters
    for argument in arguments:
        if argument not in parameters:
            raise ValueError(f"{name} has no argument `{argument}`{suggest(argument, parameters)}")
    if pretrained is not None:
        return trained(name, pretrained, arguments)
    values = {key: value for key, value in preset.items() if value != "???"} | arguments
    missing = [k for k, p in parameters.items() if p.default is p.empty and k not in values]
    if missing:
        sizes = ", ".join(f"{key}=…" for key in missing)
        raise ValueError(f"the data decides some sizes: create_model({name!r}, {sizes})")
    return net(**values)


def preset_of(name: str) -> dict[str, Any]:
    """The net's node of a preset: its `_target_`, and its arguments with `???` for sizes."""
    from omegaconf import OmegaConf

    node = OmegaConf.load(conf_dir() / f"model/{name}.yaml").model.net
    return cast("dict[str, Any]", OmegaConf.to_container(node))


def trained(name: str, data: str, arguments: dict[str, Any]) -> nn.Module:
    """A net with weights of the package, perhaps with another head.

    Raises:
        ValueError: there are no such weights, or an argument cannot be another.
    """
    from zoo.checkpoint import load
    from zoo.pretrained import names

    have = [full.partition("/")[2] for full in names() if full.startswith(f"{name}/")]
    if data not in have:
        these = (
            f"those of {name}: {', '.join(have)}" if have else f"there are: {', '.join(names())}"
        )
        raise ValueError(f"no weights {data!r} of {name!r} in the package; {these}")
    net: Any = load(f"{name}/{data}")
    for argument, value in arguments.items():
        has = net.arguments[argument]
        if has == (list(value) if isinstance(value, tuple) else value):
            continue
        if argument == "out_features":
            net.reset_head(value)
        else:
            raise ValueError(
                f"the weights {name}/{data} have `{argument}` = {has!r}, got {value!r}; only "
                "`out_features` can be another"
            )
    return net
