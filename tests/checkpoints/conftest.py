"""A run folder as training leaves it, and what its checkpoint holds."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from zoo.callbacks import Checkpoint
from zoo.checkpoint import recipe
from zoo.data import Split
from zoo.lit import LitFeedForward
from zoo.losses import CrossEntropy
from zoo.models import FNN
from zoo.regularization import L2, Activity


@pytest.fixture
def net_arguments() -> dict[str, Any]:
    """Those of the net that is trained."""
    return {"in_features": 3, "out_features": 2, "hidden": [4], "dropout": 0.5}


@pytest.fixture
def run(net_arguments: dict[str, Any], tmp_path: Path, fit: Callable[..., Any]) -> tuple[Path, FNN]:
    """A run folder as training leaves it, and the net that was trained."""
    folder = tmp_path / "run"
    torch.manual_seed(0)
    net = FNN(**net_arguments)
    module = LitFeedForward(
        net,
        loss=CrossEntropy(),
        regularization={"l2": L2(0.1), "activity": Activity(0.1)},
        optimizer=partial(torch.optim.AdamW, lr=0.1),
    )
    node = {"_target_": "zoo.models.FNN", **net_arguments}
    module.recipe = recipe(node, {"model": {"net": node}, "seed": 0})
    split = Split(torch.randn(8, 3), torch.randint(2, (8,)))
    keep = Checkpoint(str(folder / "checkpoints"))
    fit(module, split, split, max_epochs=2, callbacks=[keep], enable_checkpointing=True)
    return folder, net


@pytest.fixture
def saved(run: tuple[Path, FNN]) -> dict[str, Any]:
    """What its best checkpoint holds."""
    return torch.load(run[0] / "checkpoints" / "best.ckpt", weights_only=True)


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Any], Path]:
    """A function (checkpoint) -> the file that holds it."""

    def write(checkpoint: Any) -> Path:
        file = tmp_path / "changed.ckpt"
        torch.save(checkpoint, file)
        return file

    return write
