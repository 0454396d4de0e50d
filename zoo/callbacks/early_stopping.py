"""Stop when the validation no longer improves."""

from __future__ import annotations

from typing import Any, Literal

import lightning.pytorch as pl
from lightning.pytorch import callbacks
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason


class EarlyStopping(callbacks.EarlyStopping):
    """Lightning's, of which a run that was stopped by it, and is continued, trains no further.

    Its patience is that of the command that continues, as far as one is given.

    Args:
        monitor: the metric to watch, such as "val/loss".
        mode: whether "min" or "max" is best.
        patience: validations without improvement after which to stop.
        min_delta: what counts as improvement.
        check_finite: stop also when the metric is no longer a finite number.
    """

    def __init__(
        self,
        monitor: str,
        *,
        mode: Literal["min", "max"] = "min",
        patience: int = 10,
        min_delta: float = 0.0,
        check_finite: bool = True,
    ) -> None:
        super().__init__(
            monitor, mode=mode, patience=patience, min_delta=min_delta, check_finite=check_finite
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the counters."""
        super().load_state_dict({**state_dict, "patience": self.patience})

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave a run alone that has been stopped, unless it may wait for longer now."""
        over = self.stopping_reason is not EarlyStoppingReason.NOT_STOPPED
        waits = self.stopping_reason is EarlyStoppingReason.PATIENCE_EXHAUSTED
        if over and not (waits and self.wait_count < self.patience):
            trainer.should_stop = True
