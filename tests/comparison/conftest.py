"""Run folders as runs leave them, made by hand."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from zoo.comparison import Run

DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def config(
    model: str, seed: int | None, changes: Mapping[str, Any], run_dir: Path
) -> dict[str, Any]:
    """A resolved config, cut down to what a comparison looks at."""
    made: dict[str, Any] = {
        "seed": seed,
        "name": None,
        "choices": {"model": model, "data": "digits", "optimizer": "adamw", "loss": "ce"},
        "run_dir": str(run_dir),
        "loss": {"_target_": "zoo.losses.CrossEntropy", "label_smoothing": 0.0},
        "optimizer": {"_target_": "torch.optim.AdamW", "lr": 0.005, "betas": [0.9, 0.999]},
        "trainer": {"_target_": "zoo.lit.Trainer", "max_epochs": 3, "default_root_dir": "here"},
        "data": {"_target_": "zoo.data.Digits", "batch_size": 64, "seed": seed, "split_seed": 0,
                 "scaling": "standard"},
        "model": {"_target_": "zoo.lit.LitFeedForward",
                  "net": {"_target_": f"zoo.models.{model.upper()}", "in_features": 64}},
    }  # fmt: skip
    for key, value in changes.items():
        *places, last = key.split(".")
        node = made
        for place in places:
            node = node.setdefault(place, {})
        node[last] = value
    return made


@pytest.fixture
def leave(tmp_path: Path) -> Callable[..., Path]:
    """A function (at, score=None, model="fnn", seed=0, metrics={}, **settings) -> a run folder.

    The score is `test/accuracy`; without one, or metrics, the run is not finished. Settings have
    `__` for dots. Each run is newer than the one before.
    """
    clock = iter(range(1_700_000_000, 1_800_000_000))

    def make(
        at: str,
        score: float | None = None,
        model: str = "fnn",
        seed: int | None = 0,
        metrics: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> Path:
        folder = tmp_path / "runs" / at
        folder.mkdir(parents=True)
        changes = {key.replace("__", "."): value for key, value in settings.items()}
        made = config(model, seed, changes, folder)
        text = yaml.dump(made, Dumper=DUMPER, allow_unicode=True)
        (folder / "config.yaml").write_text(text, encoding="utf-8")
        if score is not None or metrics is not None:
            row = {"model": model, "data": "digits", "seed": seed, "test/loss": 0.5}
            row |= {} if score is None else {"test/accuracy": score}
            (folder / "metrics.json").write_text(json.dumps({**row, **(metrics or {})}))
            now = next(clock)
            os.utime(folder / "metrics.json", (now, now))
        return folder

    return make


@pytest.fixture
def events() -> Callable[..., Path]:
    """A function (folder, {tag: [(step, value), …]}, stamp=1) -> an event file of these scalars."""

    def write(
        folder: Path, curves: Mapping[str, Sequence[tuple[int, float]]], stamp: int = 1
    ) -> Path:
        file = folder / f"events.out.tfevents.{stamp:010d}.machine.1.0"
        with open(file, "wb") as opened:
            records = RecordWriter(opened)
            records.write(Event(file_version="brain.Event:2").SerializeToString())
            for tag, points in curves.items():
                for step, value in points:
                    summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
                    records.write(Event(step=step, summary=summary).SerializeToString())
        return file

    return write


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """The folder that holds them."""
    return tmp_path / "runs"


@pytest.fixture
def run() -> Callable[..., Run]:
    """A function (metrics={}, **settings) -> a run in memory; settings have `__` for dots."""
    count = iter(range(10_000))

    def make(metrics: Mapping[str, Any] | None = None, **settings: Any) -> Run:
        flat = {key.replace("__", "."): value for key, value in settings.items()}
        return Run(Path(f"run{next(count)}"), flat, dict(metrics or {}))

    return make
