"""Event files, against TensorBoard's own reader."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from zoo.comparison.events import last_step, scalars

Write = Callable[..., Path]
CURVE = [(19, 0.5), (39, 0.75), (59, 0.875)]


def test_equals_tensorboards_reader_beside_all_else(tmp_path: Path) -> None:
    import torch

    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_text("config", "val/accuracy is mentioned here")
        for step, value in CURVE:
            writer.add_scalar("val/accuracy", value, step)
            writer.add_scalar("val/accuracy_top5", 1.0, step)
            writer.add_image("pictures", torch.rand(3, 64, 64), step)
    theirs = EventAccumulator(str(tmp_path), size_guidance={"scalars": 0}).Reload()
    expected = [(event.step, event.value) for event in theirs.Scalars("val/accuracy")]
    assert scalars(tmp_path, "val/accuracy") == expected == CURVE
    assert last_step(tmp_path) == 59


def test_what_a_continued_run_writes_again_counts(tmp_path: Path, events: Write) -> None:
    events(tmp_path, {"val/loss": [(1, 9.0), (2, 8.0), (3, 7.0), (4, 6.0)]}, stamp=5)
    events(tmp_path, {"val/loss": [(3, 5.0)]}, stamp=40)
    events(tmp_path, {"val/loss": [(4, 4.0)]}, stamp=300)
    assert scalars(tmp_path, "val/loss") == [(1, 9.0), (2, 8.0), (3, 5.0), (4, 4.0)]


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_tail_that_is_being_written_is_left(cut: int, tmp_path: Path, events: Write) -> None:
    file = events(tmp_path, {"val/loss": CURVE})
    file.write_bytes(file.read_bytes()[:-cut])
    assert scalars(tmp_path, "val/loss") == CURVE[:2]
    assert last_step(tmp_path) == 39


@pytest.mark.parametrize("damage", [b"", b"\0" * 7, struct.pack("<Q", 2**63), b"garbage" * 30])
def test_damage_ends_the_curve(damage: bytes, tmp_path: Path, events: Write) -> None:
    file = events(tmp_path, {"val/loss": CURVE})
    whole = file.read_bytes()
    file.write_bytes(whole + damage)
    assert scalars(tmp_path, "val/loss") == CURVE
    file.write_bytes(damage + whole if damage else b"")
    assert scalars(tmp_path, "val/loss") == []


def test_nothing_to_read(tmp_path: Path) -> None:
    assert scalars(tmp_path, "val/loss") == []
    assert last_step(tmp_path) == 0
