"""Checkpoints that were cut or altered: refused in one sentence, which names what is whole."""

import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from zoo.checkpoint import CheckpointError, read
from zoo.config import ConfigError
from zoo.train import train

FLIPS, CUTS = 400, 100


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A checkpoint that is mostly numbers, as they all are."""
    net = torch.nn.Linear(40, 30)
    recipe = {"format": 1, "net": "FNN", "arguments": {}, "config": {"seed": 0}}
    file = tmp_path_factory.mktemp("checkpoint") / "file.ckpt"
    torch.save({"zoo": recipe, "state_dict": net.state_dict(), "epoch": 3}, file)
    return file.read_bytes()


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    return one == other


def test_no_bit_that_matters_is_read_wrong(
    content: bytes, tmp_path: Path, dice: random.Random, survived: Counter[str]
) -> None:
    file = tmp_path / "file.ckpt"
    file.write_bytes(content)
    whole = read(file)
    for _ in range(FLIPS):
        altered = bytearray(content)
        place = dice.randrange(len(content))
        altered[place] ^= 1 << dice.randrange(8)
        file.write_bytes(altered)
        try:
            assert equal(read(file), whole), place
        except CheckpointError:
            survived["bits flipped and noticed"] += 1
    assert survived["bits flipped and noticed"] > FLIPS / 2


def test_no_file_that_was_cut_is_read(
    content: bytes, tmp_path: Path, dice: random.Random, survived: Counter[str]
) -> None:
    file = tmp_path / "file.ckpt"
    for length in [0, 1, *(dice.randrange(len(content)) for _ in range(CUTS - 2))]:
        file.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match="file.ckpt is damaged"):
            read(file)
        survived["files cut and noticed"] += 1


def test_damaged_run_names_its_best_epoch_which_goes_on(
    composed: Callable[..., Any], reached: Callable[..., Any], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    words = ("data=iris", "trainer.max_epochs=2", "trainer.limit_train_batches=1")
    whole = reached(train(composed(*words)))
    last, best = run / "checkpoints" / "last.ckpt", run / "checkpoints" / "best.ckpt"
    altered = bytearray(last.read_bytes())
    altered[len(altered) // 2] ^= 1
    last.write_bytes(altered)
    with pytest.raises(ConfigError) as refused:
        train(composed(f"resume={run}"))
    message = str(refused.value)
    assert message.startswith(f"{last} is damaged or not a checkpoint (")
    epoch = int(whole["best/epoch"]) + 1
    assert message.endswith(f"; that of its best epoch, {epoch}, is whole: zoo-train resume={best}")
    assert last.read_bytes() == altered

    assert reached(train(composed(f"resume={best}"))) == whole
    assert read(last)["epoch"] == 1

    for file in (last, best):
        file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ConfigError) as refused:
        train(composed(f"resume={run}"))
    assert "\n" not in str(refused.value) and "best" not in str(refused.value)


def test_run_that_was_ended_before_its_first_checkpoint_begins_again(
    composed: Callable[..., Any], reached: Callable[..., Any], tmp_path: Path
) -> None:
    words = ("data=iris", "debug=fast")
    whole = reached(train(composed(*words, run_dir=tmp_path / "whole")))
    train(composed(*words))
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    assert reached(train(composed(f"resume={tmp_path / 'run'}"))) == whole


def test_run_that_was_ended_between_its_first_two_files_goes_on(
    composed: Callable[..., Any], reached: Callable[..., Any], tmp_path: Path
) -> None:
    words = ("data=iris", "debug=fast")
    whole = reached(train(composed(*words)))
    (tmp_path / "run" / "checkpoints" / "last.ckpt").unlink()
    assert reached(train(composed(f"resume={tmp_path / 'run'}"))) == whole
