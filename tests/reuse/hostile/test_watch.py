"""What the tests of this folder rely on: good files load, and the watch sees what it must."""

import os
import runpy
from pathlib import Path
from typing import Any

import pytest
import torch

import zoo
from zoo.models import FNN


def test_the_good_ones_load(good: Any) -> None:
    makers = (good.folder, good.with_config, good.with_arguments, good.with_tensors)
    for make in (*makers, good.checkpoint, good.rezipped):
        assert isinstance(zoo.load(make()), FNN)


def test_the_watch_sees_what_it_must(tmp_path: Path, watch: Any) -> None:
    with watch.observed() as deeds:
        os.mkdir(tmp_path / "it ran")
        (tmp_path / "file").write_text("x")
        os.system("true")
        with pytest.raises(OSError):
            __import__("socket").create_connection(("127.0.0.1", 9), timeout=1)
    assert [deed.split()[0] for deed in deeds if "import" not in deed] == [
        "os.mkdir",
        "write",
        "os.system",
        "socket.getaddrinfo",
        "socket.connect",
    ]


def test_the_watch_sees_memory_that_was_given_back(watch: Any) -> None:
    held = watch.peak(reset=True)
    if not held:
        pytest.skip("only Linux tells how much memory there was at most")
    torch.ones(80_000_000)
    assert watch.peak() - held > watch.MEGABYTES * 2**20


def test_the_watch_does_not_wait_for_ever(tmp_path: Path, watch: Any) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(pytest.fail.Exception, match="longer than"), watch.observed(seconds=0.1):
        (tmp_path / "pipe").read_bytes()


def test_there_are_many() -> None:
    modules = [runpy.run_path(str(file)) for file in Path(__file__).parent.glob("test_*.py")]
    assert sum(len(module.get("CASES", ())) for module in modules) > 130
