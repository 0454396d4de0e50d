"""From a file to a plain net, without Lightning or Hydra, running nothing that is in it."""

from __future__ import annotations

import os
import pickle
import warnings
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

import torch
from torch import nn

from zoo.assembly import CheckpointError, assemble, check_tree, short
from zoo.files import damage

if TYPE_CHECKING:
    from zoo.predictor import Predictor
    from zoo.preprocessing import Preprocessing

FORMAT = 2  # the first had no preprocessing
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
    ArithmeticError,
)
NET = "net."  # where a training module keeps its net


class Contents(NamedTuple):
    """What there is to load.

    Attributes:
        net: in eval mode, on the CPU.
        preprocessing: from raw input to what the net reads, and from its output to answers; None
            where a checkpoint of an older version, or whoever saved the net, kept none.
        config: of the run that it comes from; None for a model folder.
        card: what is known of its training; see `zoo.card`.
        source: where it was found.
    """

    net: nn.Module
    preprocessing: Preprocessing | None
    config: dict[str, Any] | None
    card: dict[str, Any]
    source: str


@overload
def load(path: str | Path, *, with_preprocessing: Literal[False] = False) -> nn.Module: ...


@overload
def load(path: str | Path, *, with_preprocessing: Literal[True]) -> Predictor: ...


def load(path: str | Path, *, with_preprocessing: bool = False) -> nn.Module | Predictor:
    """Load a net, in eval mode, on the CPU.

    Args:
        path: a run folder (its best checkpoint), a `.ckpt` file, a folder that `zoo.save` wrote,
            one on the Hugging Face Hub as "hf://owner/name", or pretrained weights by name, such as
            "lenet5/mnist".
        with_preprocessing: give back what answers to raw input (an image, a text, a row of a table,
            a series) instead of the net alone.

    Raises:
        CheckpointError: no such file, a damaged one, one that this zoo did not write, or one
            without preprocessing where it is asked for.
    """
    found = contents(path)
    if not with_preprocessing:
        return found.net
    if found.preprocessing is None:
        raise CheckpointError(
            f"{found.source} has no preprocessing: a checkpoint of an older version has none, nor "
            "has a net that was saved without; train it again, or save it with zoo.save(net, "
            "folder, preprocessing=…)"
        )
    from zoo.predictor import Predictor

    return Predictor(found.net, found.preprocessing)


def contents(path: str | Path) -> Contents:
    """Everything that `load` finds, at the same places.

    Raises:
        CheckpointError: as `load`.
    """
    from zoo import model_folder
    from zoo.pretrained import folder_of, names

    if str(path).startswith("hf://"):
        from zoo.hub import fetch

        place = fetch(str(path))
    else:
        # Unlike Path.exists it answers for names that no file system takes, too.
        found_here = Path(path) if os.path.exists(path) else folder_of(str(path))
        if found_here is None:
            near = get_close_matches(str(path), names(), n=1)
            guess = f"; did you mean {near[0]!r}?" if near else ""
            raise CheckpointError(f"there is no checkpoint {path}{guess}")
        place = found_here
    if (place / model_folder.CONFIG).is_file():
        found = model_folder.read(place)
        rules = understood(found.preprocessing, place)
        return Contents(found.net, rules, None, found.card, str(path))
    file = checkpoint_file(place)
    checkpoint = read(file)
    recipe = checkpoint["zoo"]
    net = assemble(
        recipe,
        {
            key.removeprefix(NET): value
            for key, value in checkpoint["state_dict"].items()
            if isinstance(key, str) and key.startswith(NET)
        },
        file,
    )
    rules, config = understood(recipe.get("preprocessing"), file), recipe["config"]
    run = file.parent.parent if file.parent.name == "checkpoints" else file.parent
    epoch = checkpoint.get("epoch")
    from zoo.card import card_of_run

    card = card_of_run(run, config, epoch if isinstance(epoch, int) else None)
    return Contents(net, rules, config, card, str(file))


def understood(rules: Any, source: Any) -> Preprocessing | None:
    """Preprocessing from plain containers.

    Raises:
        CheckpointError: it makes no sense.
    """
    if rules is None:
        return None
    from zoo.preprocessing import Preprocessing

    try:
        return Preprocessing.of(rules)
    except ValueError as error:
        raise CheckpointError(f"{source}: its preprocessing cannot be used: {error}") from error


def save(
    net: nn.Module | Predictor | str | Path,
    folder: str | Path,
    *,
    preprocessing: Preprocessing | None = None,
    card: Mapping[str, Any] | None = None,
) -> Path:
    """Write a folder to hand around: recipe, weights (safetensors), preprocessing and a card.

    Args:
        net: a net of `zoo.models`, compiled or not; what `load` gave back; or what `load` reads,
            such as a run folder, whose preprocessing and results go along.
        folder: made if it is not there; a model that was in it is replaced.
        preprocessing: from raw input to what the net reads.
        card: facts for the model card, see `zoo.card`.

    Returns:
        The folder.

    Raises:
        CheckpointError: there is nothing to load at `net`.
        ValueError: the net is not of `zoo.models`, or was changed after it was built.
        OSError: the folder cannot be written.
    """
    from zoo import model_folder

    if isinstance(net, (str, Path)):
        found = contents(net)
        whole, rules = found.net, found.preprocessing
        card = {**found.card, **(card or {})}
    elif isinstance(net, nn.Module):
        whole, rules = net, None
    else:
        whole, rules = net.net, net.preprocessing
    return model_folder.write(whole, folder, preprocessing=preprocessing or rules, card=card)


def checkpoint_file(path: str | Path, name: str = "best.ckpt") -> Path:
    """The checkpoint `name` of a run folder, or the file itself.

    Raises:
        CheckpointError: there is none.
    """
    path = Path(path)
    if os.path.isdir(path):
        file = path / "checkpoints" / name
        if not file.is_file():
            raise CheckpointError(
                f"{path} has no checkpoints/{name}: it is no run folder, or the run was stopped "
                "before its first epoch ended"
            )
        return file
    if not os.path.isfile(path):
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
        if isinstance(error, pickle.UnpicklingError):
            reason = "it holds more than tensors and plain values"
        raise CheckpointError(f"{file} is damaged or not a checkpoint ({reason[:100]})") from error
    recipe = checkpoint.get("zoo") if isinstance(checkpoint, dict) else None
    if not isinstance(recipe, dict) or not isinstance(checkpoint.get("state_dict"), dict):
        raise CheckpointError(f"{file} is not a checkpoint of the zoo: it has no recipe")
    if not isinstance(recipe.get("config"), dict):
        raise CheckpointError(f"{file} is not a whole checkpoint of the zoo: it has no config")
    number = recipe.get("format")
    if type(number) is not int or number not in range(1, FORMAT + 1):
        raise CheckpointError(
            f"{file} has format {short(number)}; this version reads 1 to {FORMAT}"
        )
    for part in ("config", "preprocessing"):
        check_tree([recipe.get(part)], file, part)
    return checkpoint


def recipe(
    net: Mapping[str, Any],
    config: Mapping[str, Any],
    preprocessing: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """What a checkpoint carries: how to build the net, and the resolved config of its run.

    Args:
        net: the net's node in the config, with its `_target_`.
        config: the whole resolved config, plain.
        preprocessing: as plain containers.
    """
    arguments = {key: value for key, value in net.items() if key != "_target_"}
    if "weights" in arguments:
        arguments["weights"] = None  # what the net began with, its own follow
    name = str(net["_target_"]).removeprefix("zoo.models.")
    return {
        "format": FORMAT,
        "net": name,
        "arguments": arguments,
        "config": dict(config),
        "preprocessing": preprocessing,
    }
