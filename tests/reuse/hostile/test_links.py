"""Links out of the folder, and what is no file at all."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import zoo
from zoo.models import FNN

CASES: dict[str, tuple[Callable[[Any], Path], str]] = {}


def case(words: str) -> Callable[[Callable[[Any], Path]], None]:
    """Add what makes such a file from good ones, and words of the sentence about it."""
    return lambda make: CASES.update({make.__name__: (make, words)})


def linked(good: Any, name: str, target: str) -> Path:
    folder = good.folder()
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(target)
    return folder


for name in ("config.json", "model.safetensors", "preprocessing.json"):
    CASES[f"{name}_in_etc"] = (
        partial(linked, name=name, target="/etc/passwd"),
        "leads out of the folder",
    )
    CASES[f"{name}_two_folders_up"] = (
        partial(linked, name=name, target="../../outside"),
        "leads out of the folder|no run folder|has no ",
    )


def two_folders_up(good: Any, name: str) -> Path:
    """As in the cache of a hub, but to what is not its own."""
    other = good.place / "other"
    zoo.save(FNN(3, 2, hidden=[4]), other)
    folder = good.place / "snapshots" / "net"
    zoo.save(FNN(3, 2, hidden=[4]), folder)
    (folder / name).unlink()
    (folder / name).symlink_to(other / name)
    return folder


for name in ("config.json", "model.safetensors"):
    CASES[f"{name}_of_another_model"] = (
        partial(two_folders_up, name=name),
        "leads out of the folder",
    )


def pipe(good: Any, name: str) -> Path:
    """Reading it would wait for ever."""
    folder = good.folder()
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    return folder


def directory(good: Any, name: str) -> Path:
    folder = good.folder()
    (folder / name).unlink(missing_ok=True)
    (folder / name).mkdir()
    return folder


for name in ("config.json", "model.safetensors", "preprocessing.json"):
    for make in (pipe, directory):
        CASES[f"{make.__name__}_for_{name}"] = (
            partial(make, name=name),
            "has no |no run folder",
        )


@case("there is no checkpoint")
def pipe_for_a_checkpoint(good: Any) -> Path:
    os.mkfifo(good.place / "net.ckpt")
    return good.place / "net.ckpt"


@pytest.mark.parametrize(("make", "words"), CASES.values(), ids=CASES)
def test_it_is_refused_and_nothing_else_happens(
    make: Callable[[Any], Path], words: str, good: Any, refused: Callable[[Path, str], None]
) -> None:
    refused(make(good), words)
