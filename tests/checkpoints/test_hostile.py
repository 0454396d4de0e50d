"""What is no sound checkpoint is refused in one sentence, and nothing in it is run."""

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import zoo
from zoo.checkpoint import CheckpointError, read
from zoo.models import FNN

Written = Callable[[Any], Path]
SIZES = {"in_features": 3, "out_features": 2}


def refused(file: Path, *words: str) -> None:
    """One sentence that names the file."""
    with pytest.raises(CheckpointError) as caught:
        zoo.load(file)
    message = str(caught.value)
    assert str(file) in message and "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize("kept", [0, 1, 10, 0.3, 0.5, 0.9, -1])
def test_a_truncated_file_is_damaged(run: tuple[Path, FNN], tmp_path: Path, kept: float) -> None:
    whole = (run[0] / "checkpoints" / "best.ckpt").read_bytes()
    file = tmp_path / "cut.ckpt"
    file.write_bytes(whole[: int(kept * len(whole)) if 0 < kept < 1 else int(kept)])
    refused(file, "damaged")


# Torch warns of a pickle that it does not know before it refuses it.
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize(
    "content",
    [
        b"hello",
        b"every word",
        b"PK\x03\x04" + b"\0" * 50,
        b"\x80\x02e.",
        b"\x80\x04\x95",
        b"\xff" * 300,
    ],
)
def test_what_is_no_checkpoint_is_damaged(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "text.ckpt"
    file.write_bytes(content)
    refused(file, "damaged")


def test_flipped_bits_are_found_or_harmless(run: tuple[Path, FNN], tmp_path: Path) -> None:
    """Wherever a file is damaged: a net comes back, or the one error that callers catch."""
    whole = (run[0] / "checkpoints" / "best.ckpt").read_bytes()
    file = tmp_path / "flipped.ckpt"
    found = 0
    for position in range(0, len(whole), max(1, len(whole) // 150)):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        file.write_bytes(damaged)
        try:
            zoo.load(file)
        except CheckpointError:
            found += 1
    assert found > 0


def test_an_archive_of_something_else_is_damaged(tmp_path: Path) -> None:
    file = tmp_path / "other.ckpt"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "hello")
    refused(file, "damaged")


@pytest.mark.parametrize(
    "checkpoint",
    [
        [1, 2],
        {},
        {"state_dict": {}},
        {"state_dict": {}, "zoo": None},
        {"state_dict": {}, "zoo": {}},
        {"zoo": {"format": 1}},
        torch.zeros(2),
    ],
)
def test_what_somebody_else_wrote_is_refused(written: Written, checkpoint: Any) -> None:
    refused(written(checkpoint))


@pytest.mark.parametrize("number", [0, 3, "1", None])
def test_another_format_is_named(saved: dict[str, Any], written: Written, number: Any) -> None:
    saved["zoo"]["format"] = number
    refused(written(saved), f"{number!r}", "reads 1 to 2")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "os.system",
            "torch.load",
            "__builtins__",
            "layers",
            "fnn",
            "nn",
            "__all__",
            "zoo.models",
        ),
        *("FNN.__init__", "Recurrence", "Reconstruction", "torch.nn.Linear", "", None, 3, ["FNN"]),
    ],
)
def test_a_file_cannot_choose_what_is_imported(
    saved: dict[str, Any], written: Written, name: Any
) -> None:
    saved["zoo"]["net"] = name
    refused(written(saved), "not one of zoo.models")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"in_features": 3}, "out_features"),
        ({**SIZES, "depth": 3}, "depth"),
        ({**SIZES, "dropout": 7.0}, "dropout"),
        ({**SIZES, "hidden": "many"}, "hidden"),
        ({**SIZES, "hidden": [5]}, "weights do not fit"),
        (None, "zoo.models"),
        ([3, 2], "zoo.models"),
    ],
)
def test_arguments_that_do_not_fit_are_named(
    saved: dict[str, Any], written: Written, arguments: Any, word: str
) -> None:
    saved["zoo"]["arguments"] = arguments
    refused(written(saved), word)


@pytest.mark.parametrize("weights", [{}, {"net.head.weight": "text"}, {"net.head.weight": None}, 3])
def test_weights_that_are_none_are_refused(
    saved: dict[str, Any], written: Written, weights: Any
) -> None:
    saved["state_dict"] = weights
    refused(written(saved))


class Payload:
    """A pickle that leaves a file behind when it is run."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.trace),)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("zipped", [True, False])
def test_a_payload_is_refused_without_being_run(
    saved: dict[str, Any], tmp_path: Path, zipped: bool
) -> None:
    trace = tmp_path / "it ran"
    saved["zoo"]["config"]["payload"] = Payload(trace)
    file = tmp_path / "evil.ckpt"
    if zipped:
        torch.save(saved, file)
    else:
        file.write_bytes(pickle.dumps({"zoo": Payload(trace), "state_dict": {}}))
    refused(file)
    with pytest.raises(CheckpointError):
        read(file)
    assert not trace.exists()
    # The payload is real: an unguarded load does run it.
    if zipped:
        torch.load(file, weights_only=False)
    else:
        pickle.loads(file.read_bytes())
    assert trace.is_dir()
