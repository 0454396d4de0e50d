"""Undoing an update that must not count, or all of them since an epoch's end."""

from __future__ import annotations

import copy
import math
from typing import Any

import lightning.pytorch as pl
import torch
from torch.optim import Optimizer

from zoo.lit import LitModel


def traces(module: LitModel) -> dict[str, Any]:
    """What a batch changes besides gradients: buffers, running means, metrics, carried state."""
    saved: dict[str, Any] = {}
    module.on_save_checkpoint(saved)
    del saved["zoo"]
    return {"buffers": [buffer.clone() for buffer in module.buffers()], "sums": saved}


@torch.no_grad()
def wipe(module: LitModel, before: dict[str, Any]) -> None:
    """Make it as if the batches since `traces` had not been."""
    for buffer, value in zip(module.buffers(), before["buffers"], strict=True):
        buffer.copy_(value)
    module.on_load_checkpoint(before["sums"])


def scaler_of(trainer: pl.Trainer) -> Any:
    """The gradient scaler of 16-mixed, or None."""
    return getattr(trainer.precision_plugin, "scaler", None)


def refuse_step(optimizer: Optimizer, scaler: Any) -> None:
    """Make the optimizer take no step when it is asked for the next one.

    Without gradients torch's optimizers take none. A scaler looks at the gradients for a fused
    optimizer only then, and must find that they are not finite.
    """
    late = scaler is not None and getattr(optimizer, "_step_supports_amp_scaling", False)
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if late and parameter.grad is not None:
                parameter.grad.fill_(math.nan)
            else:
                parameter.grad = None


def position(trainer: pl.Trainer, module: LitModel) -> dict[str, Any]:
    """A copy of weights, buffers and optimizer, in memory."""
    optimizers = [optimizer.state_dict() for optimizer in trainer.optimizers]
    return copy.deepcopy({"weights": module.net.state_dict(), "optimizers": optimizers})


def go_back(trainer: pl.Trainer, module: LitModel, before: dict[str, Any], factor: float) -> None:
    """Return to such a position, and lower the learning rates there and in their schedules."""
    module.net.load_state_dict(before["weights"])
    for optimizer, saved in zip(trainer.optimizers, before["optimizers"], strict=True):
        optimizer.load_state_dict(copy.deepcopy(saved))
        for group in optimizer.param_groups:
            group["lr"] *= factor
            if "initial_lr" in group:
                group["initial_lr"] *= factor
    for config in trainer.lr_scheduler_configs:
        groups = config.scheduler.optimizer.param_groups
        if hasattr(config.scheduler, "base_lrs"):
            config.scheduler.base_lrs = [group["initial_lr"] for group in groups]
