"""What happens inside a net: the output of any module by its name."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from zoo.models.layers import nearest


def intermediate(net: nn.Module, names: Sequence[str], *inputs: Any) -> dict[str, Any]:
    """Run a net, and give back what modules inside it made of its input.

    Forward hooks watch the run, so that any net will do, whatever it decides while it computes; a
    compiled one runs as it was written. Gradients flow as in any run.

    Args:
        net: the net, in the mode and on the device that it is to run in.
        names: of modules, as `net.named_modules()` has them; "" is the net itself.
        *inputs: of the net, such as (x,), or (x, state, lengths) of a recurrent one.

    Returns:
        For each name what that module gave back: a tensor, or of torch's recurrent layers the pair
        (hidden, state). Of a module that ran several times it is the last.

    Raises:
        ValueError: the net has no module of that name, or has not run it.

    Example:
        >>> intermediate(net, ["layers.3"], x)["layers.3"].shape
    """
    net = getattr(net, "_orig_mod", net)  # of a compiled one
    if isinstance(names, str):
        raise ValueError(f"`names` must be a list of names, got {names!r}; use [{names!r}]")
    modules = dict(net.named_modules())
    for name in names:
        if name not in modules:
            kind = type(net).__name__
            raise ValueError(f"{kind} has no module {name!r}{nearest(name, filter(None, modules))}")
    found: dict[str, Any] = {}
    hooks = [modules[name].register_forward_hook(partial(_note, found, name)) for name in names]
    try:
        with torch.compiler.set_stance("force_eager"):
            net(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    for name in names:
        if name not in found:
            raise ValueError(f"{type(net).__name__} has not run its module {name!r}")
    return {name: found[name] for name in names}


def _note(found: dict[str, Any], name: str, module: nn.Module, inputs: Any, output: Any) -> None:
    found[name] = output
