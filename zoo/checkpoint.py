"""From a checkpoint to a plain net, without Lightning or Hydra, running nothing in the file."""

from __future__ import annotations

import inspect
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from zoo.files import damage

FORMAT = 1
# What torch raises for files that are cut short, altered or something else.
DAMAGED = (
    pickle.UnpicklingError,
    EOFError,
    OSError,
    RuntimeError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
)
NET = "net."  # where a training module keeps its net


class CheckpointError(ValueError):
    """A file that is not a checkpoint of the zoo; the message says why."""


def load(path: str | Path) -> nn.Module:
    """Load the net of a finished or interrupted run, in eval mode, on the CPU.

    Args:
        path: a run folder (its best checkpoint) or a `.ckpt` file.

    Raises:
        CheckpointError: no such file, a damaged one, or one that this zoo did not write.
    """
    file = checkpoint_file(path)
    checkpoint = read(file)
    net = build(checkpoint["zoo"], file)
    weights = {
        key.removeprefix(NET): value
        for key, value in checkpoint["state_dict"].items()
        if key.startswith(NET)
    }
    try:
        net.load_state_dict(weights)
    except RuntimeError as error:
        text = " ".join(str(error).split())
        raise CheckpointError(f"{file}: the weights do not fit their recipe: {text}") from error
    return net.eval()


def checkpoint_file(path: str | Path, name: str = "best.ckpt") -> Path:
    """The checkpoint `name` of a run folder, or the file itself.

    Raises:
        CheckpointError: there is none.
    """
    path = Path(path)
    if path.is_dir():
        file = path / "checkpoints" / name
        if not file.is_file():
            raise CheckpointError(
                f"{path} has no checkpoints/{name}: it is no run folder, or the run was stopped "
                "before its first epoch ended"
            )
        return file
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}")
    return path


def read(file: Path) -> dict[str, Any]:
    """Read a checkpoint as plain containers and tensors; nothing in it is executed.

    Raises:
        CheckpointError: damaged, not ours, or of a newer format.
    """
    flaw = damage(file)
    if flaw is not None:
        raise CheckpointError(f"{file} is damaged or not a checkpoint ({flaw[:100]})")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what torch suspects of a damaged file, we say
            checkpoint = torch.load(file, map_location="cpu", weights_only=True)
    except DAMAGED as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{file} is damaged or not a checkpoint ({reason[:100]})") from error
    recipe = checkpoint.get("zoo") if isinstance(checkpoint, dict) else None
    if not isinstance(recipe, dict) or not isinstance(checkpoint.get("state_dict"), dict):
        raise CheckpointError(f"{file} is not a checkpoint of the zoo: it has no recipe")
    if not isinstance(recipe.get("config"), dict):
        raise CheckpointError(f"{file} is not a whole checkpoint of the zoo: it has no config")
    if recipe.get("format") != FORMAT:
        raise CheckpointError(
            f"{file} has format {recipe.get('format')!r}; this version reads {FORMAT}"
        )
    return checkpoint


def build(recipe: Mapping[str, Any], source: Any) -> nn.Module:
    """Build the net a recipe names: a class of `zoo.models` and plain arguments for it.

    Raises:
        CheckpointError: no such class, or arguments that do not fit it.
    """
    import zoo.models

    name, arguments = recipe.get("net"), recipe.get("arguments")
    # The face alone is searched: a file must never choose what is imported.
    net = getattr(zoo.models, name) if name in zoo.models.__all__ else None
    if not (inspect.isclass(net) and issubclass(net, nn.Module)) or not isinstance(arguments, dict):
        raise CheckpointError(f"{source} holds a net {name!r} that is not one of zoo.models")
    try:
        return net(**arguments)
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"{source}: {name} cannot be built from its recipe: {error}"
        ) from error


def recipe(net: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """What a checkpoint carries: how to build the net, and the resolved config of its run.

    Args:
        net: the net's node in the config, with its `_target_`.
        config: the whole resolved config, plain.
    """
    arguments = {key: value for key, value in net.items() if key != "_target_"}
    name = str(net["_target_"]).removeprefix("zoo.models.")
    return {"format": FORMAT, "net": name, "arguments": arguments, "config": dict(config)}
