"""Runs whose pictures are looked at, and scenes to draw in without one."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.compat.proto.summary_pb2 import Summary

from zoo.data import DataModule
from zoo.lit import LitModel
from zoo.pictures import Scene
from zoo.train import train


class Written(NamedTuple):
    """A summary in an event file."""

    plugin: str
    tag: str
    step: int
    value: Summary.Value


def read(folder: Path) -> Iterator[Written]:
    """All of a run, in the order of its files."""
    for file in sorted(folder.glob("events.*")):
        for event in EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                plugin = value.metadata.plugin_data.plugin_name
                yield Written(plugin, value.tag, event.step, value)


@pytest.fixture(scope="session")
def written() -> Callable[[Path], list[Written]]:
    """A function (folder) -> every summary of the run there."""
    return lambda folder: list(read(folder))


@pytest.fixture
def trained(
    composed: Callable[..., Any], tmp_path: Path
) -> Callable[..., tuple[dict[str, Any], list[Written]]]:
    """A function (name, *overrides) -> the results of a short run, and its summaries."""

    def run(name: str, *overrides: str) -> tuple[dict[str, Any], list[Written]]:
        folder = tmp_path / name
        row = train(composed(*overrides, run_dir=folder))
        return row, list(read(folder))

    return run


class Events:
    """What a scene writes into, in memory."""

    def __init__(self) -> None:
        self.values: dict[str, Summary.Value] = {}
        self.texts: dict[str, str] = {}
        self.log_dir = ""

    def _get_file_writer(self) -> "Events":
        return self

    def add_summary(self, summary: Summary, step: int) -> None:
        self.values |= {value.tag: value for value in summary.value}

    def add_text(self, tag: str, text: str, step: int) -> None:
        self.texts[tag] = text

    def pixels(self, tag: str) -> np.ndarray:
        """An image as (H, W, 3) numbers."""
        import io

        file = io.BytesIO(self.values[tag].image.encoded_image_string)
        return np.asarray(Image.open(file))


@pytest.fixture
def staged() -> Callable[..., tuple[Scene, Events]]:
    """A function (module, data, moment="end") -> a scene of them, and what will be written."""

    def make(module: LitModel, data: DataModule, moment: str = "end") -> tuple[Scene, Events]:
        data.setup()
        events: Any = Events()
        trainer: Any = SimpleNamespace(
            loggers=[],
            callback_metrics={},
            precision_plugin=SimpleNamespace(forward_context=nullcontext),
        )
        module.eval()
        return Scene(trainer, module, data, events, 7, moment, {}, frozenset()), events

    return make


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)
