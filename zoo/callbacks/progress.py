"""One line of progress."""

from __future__ import annotations

import sys
import time
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from tqdm import tqdm

REFRESH_SECONDS = 0.1


class Progress(Callback):
    """A bar over all training steps of the run, with the last epoch's losses and metrics beside it.

    It draws at most ten times a second, so that it costs nothing per step.

    Args:
        show: whether to draw; None: only where the error output is a terminal.
    """

    def __init__(self, *, show: bool | None = None) -> None:
        self.show = sys.stderr.isatty() if show is None else show
        self._bar: tqdm | None = None
        self._drawn = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open the bar."""
        total = trainer.estimated_stepping_batches
        if self.show and trainer.is_global_zero:
            self._bar = tqdm(
                total=int(total) if total != float("inf") else None,
                initial=trainer.global_step,
                unit="step",
                dynamic_ncols=True,
                bar_format="{desc} {bar} {n_fmt}/{total_fmt} {rate_fmt} {remaining}{postfix}",
            )
            self._describe(trainer)

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        """Advance, if it is time to draw."""
        now = time.monotonic()
        if self._bar is not None and now - self._drawn > REFRESH_SECONDS:
            self._drawn = now
            self._bar.update(trainer.global_step - self._bar.n)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the numbers of the epoch before this one and the last validation."""
        if self._bar is not None:
            shown = ("loss", "accuracy", "rmse", "squared_error", "negative_elbo")
            metrics = trainer.callback_metrics
            names = [f"{s}/{n}" for n in shown for s in ("train", "val") if f"{s}/{n}" in metrics]
            self._bar.set_postfix_str(
                "  ".join(f"{name} {metrics[name].item():.4g}" for name in names), refresh=False
            )
            self._describe(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Close the bar on its last state."""
        self._close(trainer)

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Leave the terminal tidy."""
        self._close(trainer)

    def _describe(self, trainer: pl.Trainer) -> None:
        assert self._bar is not None
        epochs = trainer.max_epochs if (trainer.max_epochs or -1) > 0 else "…"
        self._bar.set_description_str(f"epoch {trainer.current_epoch + 1}/{epochs}", refresh=False)

    def _close(self, trainer: pl.Trainer) -> None:
        if self._bar is not None:
            self._bar.update(trainer.global_step - self._bar.n)
            self._bar.close()
            self._bar = None
