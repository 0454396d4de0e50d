"""Pickles, with code in them and without."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

# Of torch itself, about a pickle that it did not write.
pytestmark = pytest.mark.filterwarnings("ignore:Detected pickle protocol")
CASES: dict[str, tuple[Callable[[Any], Path], str]] = {}


def case(words: str) -> Callable[[Callable[[Any], Path]], None]:
    """Add what makes such a file from good ones, and words of the sentence about it."""
    return lambda make: CASES.update({make.__name__: (make, words)})


class Payload:
    """Unpickled, it would make a folder."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("it ran",)


@case("model.safetensors is damaged or no safetensors")
def pickle_as_safetensors(good: Any) -> Path:
    (good.folder() / "model.safetensors").write_bytes(pickle.dumps(Payload()))
    return good.place / "net"


@case("config.json cannot be read")
def pickle_as_config(good: Any) -> Path:
    (good.folder() / "config.json").write_bytes(pickle.dumps(Payload()))
    return good.place / "net"


@case("has no config.json|no run folder")
def pickle_beside_no_config(good: Any) -> Path:
    (good.folder() / "config.json").rename(good.place / "net" / "pytorch_model.bin")
    return good.place / "net"


@case("damaged or not a checkpoint")
def pickle_in_the_weights(good: Any) -> Path:
    return good.checkpoint(state={"net.head.weight": Payload()})


@case("damaged or not a checkpoint")
def class_in_the_recipe(good: Any) -> Path:
    return good.checkpoint(arguments={"in_features": Payload})


@case("must be a tensor")
def storage_for_a_tensor(good: Any) -> Path:
    return good.checkpoint(state={"net.head.weight": [1.0, 2.0]})


@case("damaged or not a checkpoint")
def pickle_with_an_archive_behind_it(good: Any) -> Path:
    """What torch would read as it read its oldest files, and a zip reader as an archive."""
    file = good.checkpoint()
    file.write_bytes(pickle.dumps(Payload()) + file.read_bytes())
    return file


def with_recipe(good: Any, recipe: Any, part: str) -> Path:
    """A checkpoint in which a list without end is the config, the preprocessing or an argument."""
    if part == "arguments":
        return good.checkpoint(arguments={"in_features": 3, "out_features": 2, "hidden": recipe})
    return good.checkpoint(**{"format": 2, part: {"choices": recipe, "input": recipe}})


def list_in_itself() -> list[Any]:
    endless: list[Any] = []
    endless.append(endless)
    return endless


def list_of_doubles() -> list[Any]:
    """2^60 numbers in 60 lists of two."""
    doubles: list[Any] = [1, 1]
    for _ in range(59):
        doubles = [doubles, doubles]
    return doubles


def list_of_wide_lists() -> list[Any]:
    """10^12 lists in four of a thousand."""
    wide: list[Any] = []
    for _ in range(4):
        wide = [wide] * 1_000
    return wide


for part in ("arguments", "config", "preprocessing"):
    for endless in (list_in_itself, list_of_doubles, list_of_wide_lists):
        CASES[f"{endless.__name__}_for_{part}"] = (
            lambda good, make=endless, part=part: with_recipe(good, make(), part),
            "larger, or nested deeper",
        )


@case("a number of 2,001 bits")
def a_number_of_two_thousand_bits(good: Any) -> Path:
    return good.checkpoint(arguments={"in_features": 2**2_000})


@case("must be plain values, but has a Tensor")
def a_tensor_for_an_argument(good: Any) -> Path:
    return good.checkpoint(arguments={"in_features": torch.zeros(3)})


@case("has format")
def a_tensor_for_a_format(good: Any) -> Path:
    return good.checkpoint(format=torch.ones(3))


@case("that is not one of zoo.models")
def a_tensor_for_a_name(good: Any) -> Path:
    return good.checkpoint(net=torch.ones(3))


@case("cannot be built from its recipe")
def numbers_for_the_names_of_arguments(good: Any) -> Path:
    return good.checkpoint(arguments={1: 2})


@pytest.mark.parametrize(("make", "words"), CASES.values(), ids=CASES)
def test_it_is_refused_and_nothing_else_happens(
    make: Callable[[Any], Path], words: str, good: Any, refused: Callable[[Path, str], None]
) -> None:
    refused(make(good), words)
