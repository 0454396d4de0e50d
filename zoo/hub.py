"""Models on the Hugging Face Hub: folders of `zoo.save`, fetched and pushed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from zoo.assembly import CheckpointError
from zoo.card import PLACE
from zoo.model_folder import CARD, CONFIG, PREPROCESSING, WEIGHTS

if TYPE_CHECKING:
    from torch import nn

    from zoo.predictor import Predictor
    from zoo.preprocessing import Preprocessing

# hf://owner/name, and perhaps @ a branch, tag or commit.
ADDRESS = re.compile(r"hf://(?!.*\.\.)([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")
FILES = (CONFIG, WEIGHTS, PREPROCESSING, CARD)  # nothing else is fetched


def fetch(address: str) -> Path:
    """The local copy of a model on the Hub; files that are there already are not fetched again.

    Args:
        address: "hf://owner/name", or "hf://owner/name@revision".

    Raises:
        CheckpointError: no such address, model or connection, or huggingface_hub is not installed.
    """
    found = ADDRESS.fullmatch(address)
    if found is None:
        raise CheckpointError(f"{address!r} is no address such as hf://owner/name")
    hub = client()
    with refusals(hub, f"{address} cannot be fetched"):
        place = hub.snapshot_download(
            found[1], revision=found[2], allow_patterns=list(FILES), library_name="neural-zoo"
        )
    if not Path(place, CONFIG).is_file():
        raise CheckpointError(f"{address} has no {CONFIG}: it is no model that zoo.save wrote")
    return Path(place)


def push_to_hub(
    net: nn.Module | Predictor | str | Path,
    name: str,
    *,
    preprocessing: Preprocessing | None = None,
    card: Mapping[str, Any] | None = None,
    private: bool = False,
    message: str = "Model of the neural-zoo",
) -> str:
    """Put a model on the Hub, as `zoo.save` would write it.

    Args:
        net: as in `zoo.save`.
        name: "owner/name"; made if it is not there.
        preprocessing: as in `zoo.save`.
        card: as in `zoo.save`; a "license" is what the Hub asks for first.
        private: whether a new one is seen by its owner alone.
        message: of the commit.

    Returns:
        The address that `zoo.load` reads, "hf://owner/name".

    Raises:
        CheckpointError: the Hub refuses, or huggingface_hub is not installed.
        ValueError: as `zoo.save`.
    """
    from zoo.checkpoint import save

    address = f"hf://{name}"
    if "@" in name or ADDRESS.fullmatch(address) is None:
        raise CheckpointError(f"`name` must be like owner/name, got {name!r}")
    hub = client()
    with TemporaryDirectory() as place:
        save(net, place, preprocessing=preprocessing, card=card)
        text = Path(place, CARD).read_text(encoding="utf-8")
        Path(place, CARD).write_text(text.replace(PLACE, address), encoding="utf-8")
        api = hub.HfApi(library_name="neural-zoo")
        with refusals(hub, f"{address} cannot be written"):
            api.create_repo(name, private=private, exist_ok=True)
            api.upload_folder(repo_id=name, folder_path=place, commit_message=message)
    return address


def client() -> Any:
    """The package huggingface_hub.

    Raises:
        CheckpointError: it is not installed.
    """
    try:
        import huggingface_hub.errors
    except ImportError as error:
        raise CheckpointError(
            "models on the Hugging Face Hub need huggingface_hub: pip install 'neural-zoo[hub]'"
        ) from error
    return huggingface_hub


@contextmanager
def refusals(hub: Any, what: str) -> Iterator[None]:
    """Say in one sentence what the Hub, or the way to it, answers at length.

    Raises:
        CheckpointError: it refuses, or is not reached.
    """
    errors = hub.errors
    answers = {
        errors.GatedRepoError: "its owner must grant you access first, on its page",
        errors.RepositoryNotFoundError: "there is no such model, or it is private and this "
        "computer is not logged in (hf auth login)",
        errors.RevisionNotFoundError: "it has no such branch, tag or commit",
        errors.LocalEntryNotFoundError: "the Hub is not reached, and there is no whole copy here",
    }
    try:
        yield
    # Its parents are those of all that goes wrong on the way, whatever package sends the requests.
    except (*errors.HfHubHTTPError.__bases__, OSError, ValueError, RuntimeError) as error:
        known = [words for kind, words in answers.items() if isinstance(error, kind)]
        deepest = error.__cause__ if type(error) is RuntimeError and error.__cause__ else error
        reason = " ".join(str(deepest).split())[:200] or type(deepest).__name__
        raise CheckpointError(f"{what}: {known[0] if known else reason}") from error
