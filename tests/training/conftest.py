"""Runs to look at: what a run folder holds, as a person's tools would read it."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.compat.proto.summary_pb2 import Summary

from zoo.config import run_folder
from zoo.train import train


class RunFolder:
    """A run folder, read anew at each question."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def metrics(self) -> dict[str, Any]:
        """All that was reached; what it cost is another each time."""
        return without_cost(json.loads((self.path / "metrics.json").read_text()))

    def config(self) -> dict[str, Any]:
        return yaml.safe_load((self.path / "config.yaml").read_text())

    def weights(self, name: str = "last.ckpt") -> dict[str, Any]:
        """The weights of a checkpoint as numbers, so that two of them compare with ==."""
        saved = torch.load(self.path / "checkpoints" / name, weights_only=True)
        return {key: value.tolist() for key, value in saved["state_dict"].items()}

    def events(self) -> EventAccumulator:
        """All that TensorBoard would show."""
        everything = {"scalars": 0, "tensors": 0}
        return EventAccumulator(str(self.path), size_guidance=everything).Reload()

    def curves(self) -> dict[str, list[tuple[int, float]]]:
        """Every scalar as (step, value)."""
        events = self.events()
        tags = events.Tags()["scalars"]
        return without_cost({tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in tags})

    def values(self) -> Iterator[tuple[int, Summary.Value]]:
        """(step, value) in the order of writing, over all event files, nothing hidden."""
        files = self.path.glob("events.*")
        for file in sorted(files, key=lambda f: (f.stat().st_mtime_ns, f.name)):
            for event in EventFileLoader(str(file)).Load():
                yield from ((event.step, value) for value in event.summary.value)

    def written(self) -> dict[str, list[int]]:
        """The steps of every scalar in the order of writing."""
        steps: dict[str, list[int]] = {}
        for step, value in self.values():
            plugin = value.metadata.plugin_data.plugin_name
            if plugin in ("", "scalars") and value.HasField("tensor"):
                steps.setdefault(value.tag, []).append(step)
        return {tag: found for tag, found in steps.items() if "/text_summary" not in tag}


def without_cost(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if not name.startswith("cost/")}


@pytest.fixture(scope="session")
def opened() -> Callable[[Path], RunFolder]:
    """A function (path) -> the run folder there."""
    return RunFolder


@pytest.fixture
def run(composed: Callable[..., Any], tmp_path: Path) -> Callable[..., RunFolder]:
    """A function (name, *overrides) that trains into `tmp_path / name`."""

    def begin(name: str, *overrides: str) -> RunFolder:
        train(composed(*overrides, run_dir=tmp_path / name))
        return RunFolder(tmp_path / name)

    return begin


@pytest.fixture
def resume(composed: Callable[..., Any], deadline: Callable[..., Any]) -> Callable[..., None]:
    """A function (path, *overrides) that goes on in a later second than the run began.

    As a second command would: TensorBoard sorts event files by name, in which seconds come first.
    """

    def go_on(path: Path | str, *overrides: str) -> None:
        began = [int(file.name.split(".")[3]) for file in run_folder(path).glob("events.*")]
        for _ in deadline(5):
            if int(time.time()) > max(began, default=0):
                break
        train(composed(f"resume={path}", *overrides))

    return go_on
