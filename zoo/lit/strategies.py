"""How the processes of a run work together."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from lightning.pytorch.strategies import DDPStrategy


def ddp(
    patience: float = 600.0, start_method: Literal["popen", "spawn", "fork"] = "popen"
) -> DDPStrategy:
    """One process a device, each with a share of every batch; gradients are averaged.

    Args:
        patience: seconds that a process waits for another one before it takes it for dead and ends
            the run; longer than the slowest thing that one does alone.
        start_method: how the processes are started; "spawn" or "fork" within a sweep.

    Raises:
        ValueError: no time is given.
    """
    if not patience > 0:
        raise ValueError(f"`patience` must be positive, got {patience}")
    return DDPStrategy(timeout=timedelta(seconds=patience), start_method=start_method)
