"""Files beside the weights that are too large, or hold something else."""

import json
from collections.abc import Callable
from functools import partial
from operator import methodcaller
from pathlib import Path
from typing import Any

import pytest

CASES: dict[str, tuple[Callable[[Any], Path], str]] = {}


def case(words: str) -> Callable[[Callable[[Any], Path]], None]:
    """Add what makes such a file from good ones, and words of the sentence about it."""
    return lambda make: CASES.update({make.__name__: (make, words)})


@case("config.json is 2,097,15. bytes large, 1,048,576 are allowed")
def a_config_of_two_megabytes(good: Any) -> Path:
    file = good.folder() / "config.json"
    file.write_text(file.read_text() + " " * (2 * 1024 * 1024 - file.stat().st_size))
    return file.parent


@case("preprocessing.json is 10,000,000,000 bytes large")
def preprocessing_of_ten_gigabytes(good: Any) -> Path:
    with open(good.folder() / "preprocessing.json", "wb") as file:
        file.truncate(10**10)  # takes no room on the disk
    return good.place / "net"


@case("config.json cannot be read")
def a_config_in_another_encoding(good: Any) -> Path:
    file = good.folder() / "config.json"
    file.write_text(file.read_text(), encoding="utf-16")
    return file.parent


@case("config.json must hold an object, got list")
def a_config_that_is_a_list(good: Any) -> Path:
    (good.folder() / "config.json").write_text("[]")
    return good.place / "net"


def with_preprocessing(good: Any, preprocessing: Any) -> Path:
    (good.folder() / "preprocessing.json").write_text(json.dumps(preprocessing))
    return good.place / "net"


PREPROCESSING: list[Any] = [
    *({}, {"input": "os.system"}, {"input": {"kind": "torch.load"}, "output": {"kind": "classes"}}),
    {"input": {"kind": "image", "size": [10**9, 10**9]}, "output": {"kind": "classes"}},
    {"_target_": "os.system", "input": {}, "output": {}},
]
for number, odd in enumerate(PREPROCESSING):
    CASES[f"preprocessing_{number}"] = (
        partial(with_preprocessing, preprocessing=odd),
        "its preprocessing cannot be used: ",
    )
for number, odd in enumerate(["0" * 64, "", 5, True, ["0"], {"a": 1}, "\x00" * 100_000]):
    CASES[f"checksum_{number}"] = (
        methodcaller("with_config", weights_sha256=odd),
        r"model\.safetensors is damaged, or not what was written with config\.json: fetch or save",
    )


@pytest.mark.parametrize(("make", "words"), CASES.values(), ids=CASES)
def test_it_is_refused_and_nothing_else_happens(
    make: Callable[[Any], Path], words: str, good: Any, refused: Callable[[Path, str], None]
) -> None:
    refused(make(good), words)
