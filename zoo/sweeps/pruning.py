"""Tells how a trial of a search is doing, and ends it if it is hopeless."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback

from zoo.sweeps.worker import Pruned


class Pruning(Callback):
    """Reports a metric after each validation; what hears it may say that it is enough.

    Args:
        metric: such as "val/loss".
        ask: hands on {"epoch", "value"}; what comes back says in "prune" whether to give up.

    Raises:
        Pruned: it is enough.
    """

    def __init__(self, metric: str, ask: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self.metric = metric
        self.ask = ask

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report, and give up if told to; after the last epoch there is nothing left to save."""
        if trainer.sanity_checking or self.metric not in trainer.callback_metrics:
            return
        epoch, value = trainer.current_epoch + 1, trainer.callback_metrics[self.metric].item()
        last = trainer.max_epochs is not None and epoch >= trainer.max_epochs >= 0
        if self.ask({"epoch": epoch, "value": value}).get("prune") and not last:
            raise Pruned
