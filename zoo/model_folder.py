"""A model as a folder to hand around: recipe, weights, preprocessing and a card to read."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor, nn

from zoo.assembly import CheckpointError, assemble, check_finite, check_tensors, plan, tied
from zoo.card import model_card
from zoo.files import whole

if TYPE_CHECKING:
    from zoo.preprocessing import Preprocessing

FORMAT = 1  # of the folder; a newer one is refused, an older one read
CONFIG, WEIGHTS, PREPROCESSING, CARD = (
    *("config.json", "model.safetensors"),
    *("preprocessing.json", "README.md"),
)
LARGEST = {CONFIG: 1 << 20, PREPROCESSING: 64 << 20}  # bytes that are read
LARGEST_HEADER = 4 << 20  # of the weights: some forty thousand tensors


class Folder(NamedTuple):
    """What is in such a folder.

    Attributes:
        net: in eval mode, on the CPU.
        preprocessing: as plain containers; None if there is none.
        card: what is known of the training, see `zoo.card`.
    """

    net: nn.Module
    preprocessing: dict[str, Any] | None
    card: dict[str, Any]


def write(
    net: nn.Module,
    folder: str | Path,
    *,
    preprocessing: Preprocessing | None = None,
    card: Mapping[str, Any] | None = None,
) -> Path:
    """Write a net as a folder; the config comes last, so that half a folder is none.

    A model that was there before stays whole until the new weights are on the disk.

    Raises:
        ValueError: the net is not of `zoo.models`, or was changed since it was built; there is
            more to say of it than a folder holds; or the folder has a README of its own.
        OSError: the folder cannot be written.
    """
    from safetensors.torch import save

    net = getattr(net, "_orig_mod", net)  # of a compiled one
    folder = Path(folder)
    recipe = described(net)
    twins = tied(net)
    tensors = {
        key: value.detach().cpu().contiguous()
        for key, value in net.state_dict().items()
        if key not in twins
    }
    weights = save(tensors, {"format": "pt"})
    digest = hashlib.sha256(weights).hexdigest()
    config = {**recipe, "weights_sha256": digest, "card": dict(card or {})}
    texts = {CARD: model_card(net, config)}
    if preprocessing is not None:
        texts[PREPROCESSING] = as_json(preprocessing.plain())
    texts[CONFIG] = as_json(config)
    contents = {name: encoded(name, text) for name, text in texts.items()}
    check_free(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with whole(folder / WEIGHTS) as file:
        file.write_bytes(weights)
        for name in (CONFIG, PREPROCESSING):
            (folder / name).unlink(missing_ok=True)  # of a model that was here before
    for name, content in contents.items():
        with whole(folder / name) as file:
            file.write_bytes(content)
    return folder


def check_free(folder: Path) -> None:
    """Refuse a folder whose README is no model card, as a project's own is none.

    The Hub begins a repository with a card: front matter between lines of "---".

    Raises:
        ValueError: it would be replaced.
    """
    file = folder / CARD
    if file.is_file() and not (folder / CONFIG).exists():
        with file.open("rb") as card:
            if card.read(3) != b"---":
                raise ValueError(
                    f"{file} is no model card and would be replaced; name a folder of the model's "
                    "own"
                )


def encoded(name: str, text: str) -> bytes:
    """The bytes of a file of the folder.

    Raises:
        ValueError: they are more than would be read again.
    """
    content = text.encode("utf-8")
    if len(content) > LARGEST.get(name, len(content)):
        raise ValueError(
            f"{name} would be {len(content):,} bytes large, {LARGEST[name]:,} can be read again; "
            "say less in the card"
        )
    return content


def described(net: nn.Module) -> dict[str, Any]:
    """Format, version, class name and arguments of a net.

    Raises:
        ValueError: it is not of `zoo.models`, or was changed since it was built.
    """
    import zoo
    import zoo.models

    name = type(net).__name__
    if getattr(zoo.models, name, None) is not type(net):
        raise ValueError(
            f"{name} is not a class of zoo.models, so that nothing could load it again; save its "
            "state_dict with safetensors instead"
        )
    recipe = {
        "format": FORMAT,
        "zoo": zoo.__version__,
        "net": name,
        "arguments": dict(net.arguments),  # type: ignore[arg-type]
    }
    check_finite(net.state_dict(), f"this {name}")
    try:
        planned = plan(recipe, f"this {name}")
        check_tensors(planned, net.state_dict(), f"this {name}")
    except CheckpointError as error:
        raise ValueError(f"{error}; was it changed after it was built?") from error
    if repr(planned) != repr(net):  # an activation has no weights that would tell
        raise ValueError(
            f"this {name} has other layers than its arguments say; was it changed after it was "
            "built?"
        )
    return recipe


def as_json(content: Any) -> str:
    """JSON that a person can read.

    Raises:
        ValueError: it is not plain, or has numbers that JSON has not.
    """
    try:
        text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False, default=python)
    except TypeError as error:
        raise ValueError(f"only plain values can be saved: {error}") from error
    return text + "\n"


def python(value: Any) -> Any:
    """A number of numpy as one of Python."""
    if getattr(value, "ndim", None) == 0:
        return value.item()
    raise TypeError(f"{type(value).__name__} is none")


def read(folder: str | Path) -> Folder:
    """Read such a folder; nothing in it is executed.

    Raises:
        CheckpointError: something is missing, damaged, of a newer format, or not to be trusted.
    """
    folder = Path(folder)
    config = read_json(folder, CONFIG)
    number = config.get("format")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise CheckpointError(f"{folder / CONFIG} is not that of a model of the zoo: no format")
    if number > FORMAT:
        raise CheckpointError(
            f"{folder} has format {number}, this version reads up to {FORMAT}; update with pip "
            "install -U neural-zoo"
        )
    tensors = read_tensors(folder)
    check_pair(folder, config.get("weights_sha256"))
    net = assemble(config, tensors, folder)
    has = os.path.lexists(folder / PREPROCESSING)
    card = config.get("card")
    return Folder(
        net,
        read_json(folder, PREPROCESSING) if has else None,
        card if isinstance(card, dict) else {},
    )


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """An object in a JSON file of limited size.

    Raises:
        CheckpointError: it is not there, too large, or something else.
    """
    file = inside(folder, name)
    try:
        size = file.stat().st_size
        if size > LARGEST[name]:
            raise CheckpointError(f"{file} is {size:,} bytes large, {LARGEST[name]:,} are allowed")
        content = json.loads(file.read_text(encoding="utf-8"), parse_constant=no_number)
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, CheckpointError):
            raise
        reason = (str(error).splitlines() or [""])[0]
        raise CheckpointError(f"{file} cannot be read ({reason[:100]})") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{file} must hold an object, got {type(content).__name__}")
    return content


def no_number(word: str) -> None:
    """Raises ValueError, for what JSON does not have and Python's parser takes."""
    raise ValueError(f"{word} is no number")


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """The weights.

    Raises:
        CheckpointError: they are not there, or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    file = inside(folder, WEIGHTS)
    try:
        with file.open("rb") as opened:
            header = int.from_bytes(opened.read(8), "little")
        if header > LARGEST_HEADER:
            raise ValueError(f"a header of {header:,} bytes")
        return load_file(file)
    except (SafetensorError, OSError, ValueError, LookupError, RuntimeError, TypeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{file} is damaged or no safetensors ({reason[:100]})") from error


def check_pair(folder: Path, digest: Any) -> None:
    """Refuse weights that are not those which were written with the config.

    It tells of accidents, not of ill will: whoever changes the one can change the other.

    Args:
        folder: of the model.
        digest: SHA-256 of its weights; None in folders of before there was one.

    Raises:
        CheckpointError: they are others, or damaged.
    """
    if digest is None:
        return
    with (folder / WEIGHTS).open("rb") as file:
        found = hashlib.sha256()
        while block := file.read(1 << 20):
            found.update(block)
    if found.hexdigest() != digest:
        raise CheckpointError(
            f"{folder / WEIGHTS} is damaged, or not what was written with {CONFIG}: fetch or save "
            "the whole folder again"
        )


def inside(folder: Path, name: str) -> Path:
    """A file of the folder.

    Raises:
        CheckpointError: it is not there, no plain file, or a link that leads elsewhere.
    """
    file = folder / name
    if not file.is_file():
        raise CheckpointError(f"{folder} has no {name}: it is no model folder, or not a whole one")
    # The cache of a hub links from models--owner--name/snapshots/commit to its blobs.
    home, cache = folder.resolve(), folder.resolve().parent
    homes = [home, *([cache.parent / "blobs"] if cache.name == "snapshots" else [])]
    if not any(file.resolve().is_relative_to(place) for place in homes):
        raise CheckpointError(f"{file} is a link that leads out of the folder, to {file.resolve()}")
    return file
