"""From the weights of one net to those of another: what fits is loaded, and all of it is told."""

from __future__ import annotations

from typing import NamedTuple

import torch
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig
from torch import Tensor, nn

from zoo.models.net import Net
from zoo.report import say

Address = tuple[str, str]  # a tensor's stage, and its name in there
HEAD = "head"


class Transfer(NamedTuple):
    """What became of the tensors of two nets, by their stage and their name in it.

    Attributes:
        loaded: how many numbers each tensor of the net got from the source.
        reshaped: those of another shape, (here, there); nothing else of their layer is loaded.
        halved: those that fit, in such a layer or in a head that read other features there.
        absent: those that the source has none of.
        unused: those of the source that the net has none of.
    """

    loaded: dict[Address, int]
    reshaped: dict[Address, tuple[tuple[int, ...], tuple[int, ...]]]
    halved: list[Address]
    absent: list[Address]
    unused: list[Address]


def transfer(net: Net, source: Net) -> Transfer:
    """Load into a net what fits of another one's weights, by stage, name in the stage and shape.

    A stage of an encoder is that of a classifier of the same layers, so that one can begin with the
    other. A layer is loaded whole or not at all, if its shapes differ: a bias means nothing beside
    other weights. Nor does a head above another stage than the one that it has learned to read.

    Args:
        net: where to; changed in place.
        source: where from.

    Raises:
        ValueError: nothing fits.
    """
    here, there = tensors(net), tensors(source)
    reshaped = {
        key: (tuple(here[key].shape), tuple(there[key].shape))
        for key in here
        if key in there and here[key].shape != there[key].shape
    }
    broken = {layer(key) for key in reshaped}
    if read_by_head(net) != read_by_head(source) or read_by_head(net) in stages(list(reshaped)):
        broken |= {layer(key) for key in here if key[0] == HEAD}
    fits = [key for key in here if key in there and layer(key) not in broken]
    found = Transfer(
        {key: here[key].numel() for key in fits},
        reshaped,
        [key for key in here if key in there and layer(key) in broken and key not in reshaped],
        [key for key in here if key not in there],
        [key for key in there if key not in here],
    )
    if not fits or ({stage for stage, _ in fits} == {HEAD} and len(net.stages()) > 1):
        raise ValueError(
            f"nothing of {described(source)} fits {described(net)}: no stage below the head has "
            f"the same name and shapes{example(reshaped)}"
        )
    with torch.no_grad():
        for key in fits:
            here[key].copy_(there[key])
    return found


def tensors(net: Net) -> dict[Address, Tensor]:
    """All parameters and buffers of a net, an encoder's stages by the names of a classifier's."""
    return {
        (stage.removeprefix("encoder."), name): tensor
        for stage, module in net.stages().items()
        for name, tensor in module.state_dict(keep_vars=True).items()
    }


def read_by_head(net: Net) -> str | None:
    """The last stage below the head; None if there is none."""
    return next((stage for stage in reversed(net.stages()) if stage != HEAD), None)


def layer(address: Address) -> Address:
    """The layer that a tensor belongs to."""
    stage, name = address
    return stage, name.rpartition(".")[0]


def described(net: Net) -> str:
    """Class and stages of a net."""
    names = list(net.stages())
    shown = names if len(names) <= 8 else [*names[:4], "…", *names[-3:]]
    return f"{type(net).__name__} ({', '.join(shown)})"


def example(reshaped: dict[Address, tuple[tuple[int, ...], tuple[int, ...]]]) -> str:
    """The first of the tensors that have another shape, in brackets."""
    for (stage, name), (here, there) in reshaped.items():
        return f" ({stage} has {name} of {there} there, {here} here)"
    return ""


def report(found: Transfer, net: Net, source: Net, origin: str) -> list[str]:
    """What was loaded, what was not and why, in a few lines for a person."""
    total = len(tensors(net))
    kind = type(source).__name__
    numbers = sum(found.loaded.values())
    lines = [
        f"init   {origin}, {article(kind)} {kind}: {len(found.loaded)} of {total} tensors, "
        f"{numbers:,} numbers",
        f"       loaded  {', '.join(stages(found.loaded))}",
    ]
    reasons: dict[str, str] = {}  # of each stage the first
    for (stage, name), (here, there) in found.reshaped.items():
        reasons.setdefault(stage, f"{name} is {there} there, {here} here")
    for stage, _ in found.halved:
        reasons.setdefault(stage, "reads other features there")
    for stage, name in found.absent:
        partly = any(key[0] == stage for key in [*found.loaded, *found.halved])
        reasons.setdefault(stage, f"no {name} there" if partly else "not there")
    for reason in dict.fromkeys(reasons.values()):
        these = [stage for stage, why in reasons.items() if why == reason]
        lines.append(f"       anew    {', '.join(these)}: {reason}")
    if found.unused:
        lines.append(f"       unused  {', '.join(stages(found.unused))}")
    return lines


def article(word: str) -> str:
    """The article of a class name as it is spoken."""
    return "an" if word[0] in "AEIOU" or word in ("FNN", "LSTM", "RNN") else "a"


def stages(addresses: dict[Address, int] | list[Address]) -> list[str]:
    """The stages of tensors, each once."""
    return list(dict.fromkeys(stage for stage, _ in addresses))


def freeze(net: nn.Module, upto: int | str) -> None:
    """Let the first stages of a net not learn.

    Raises:
        ValueError: it has not so many, nothing would be left to learn, or it is not of the zoo.
    """
    if upto == 0:
        return
    net = of_the_zoo(net)
    net.freeze(upto)
    names = list(net.stages())
    if net.frozen == len(names):
        raise ValueError(
            f"`freeze` must leave a stage that learns, got {upto!r} for {type(net).__name__} with "
            f"{', '.join(names)}"
        )


def of_the_zoo(net: nn.Module) -> Net:
    """The net, if it says what its stages are.

    Raises:
        ValueError: it does not.
    """
    if not isinstance(net, Net):
        raise ValueError(
            f"only a net of zoo.models has stages to freeze or to load, {type(net).__name__} has "
            "none"
        )
    return net


def begin(net: nn.Module, source: nn.Module, origin: str) -> None:
    """Load what fits of another net, and say so.

    Raises:
        ValueError: nothing fits, or the net is not of the zoo.
    """
    try:
        net, source = of_the_zoo(net), of_the_zoo(source)
        found = transfer(net, source)
    except ValueError as error:
        raise ValueError(f"init_from={origin}: {error}") from error
    for line in report(found, net, source, origin):
        rank_zero_only(say)(line)


def without_weights(cfg: DictConfig) -> DictConfig:
    """The config without published weights for the net, as those of a checkpoint follow."""
    if not cfg.model.net.get("weights"):
        return cfg
    cfg = cfg.copy()
    cfg.model.net.weights = None
    return cfg
