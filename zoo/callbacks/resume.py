"""What makes a continued run the run that never stopped, beyond what Lightning keeps."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau

from zoo.lit.ranks import of_all, own_of


class ExactResume(Callback):
    """Adds to every checkpoint what Lightning leaves out, and takes it up in a continued run.

    - The numbers logged last: best.ckpt, schedules and early stopping compare with them while no
      validation is due, and the run reports them at its end.
    - The step of a plateau schedule: Lightning takes it after the epoch has been saved, and not at
      all at the end of an epoch that was continued.
    - What each process but the first has summed up of an epoch, and carries from batch to batch.
    """

    def __init__(self) -> None:
        self._logged: dict[str, Tensor] = {}
        self._epoch_over = False

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Let Lightning tell the end of an epoch from its middle, with `max_steps` too."""
        # Nothing else hangs on the answer; `max_steps` itself is read from the trainer.
        trainer.fit_loop._iteration_based_training = lambda: False  # type: ignore[method-assign]

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add it, as plain containers."""
        epochs: Any = trainer.fit_loop.epoch_progress.current
        checkpoint["resume"] = {
            "logged": {k: v.detach().cpu() for k, v in trainer.callback_metrics.items()},
            "epoch_over": epochs.processed > epochs.completed,
        }
        if trainer.world_size > 1:
            own: dict[str, Any] = {}
            pl_module.on_save_checkpoint(own)
            own.pop("zoo")  # the same for all
            checkpoint["resume"]["ranks"] = of_all(own)

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keep it until the loop stands where it stood."""
        if trainer.state.fn != "fit" or "resume" not in checkpoint:
            return
        saved = checkpoint["resume"]
        self._logged, self._epoch_over = saved["logged"], saved["epoch_over"]
        own = own_of(saved.get("ranks", []))
        if own is not None:
            pl_module.on_load_checkpoint(own)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report what was logged, also if there is nothing left to train."""
        trainer.callback_metrics.update(self._logged)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Go on."""
        trainer.callback_metrics.update(self._logged)  # a sanity check has forgotten them
        for config in trainer.lr_scheduler_configs if self._epoch_over else ():
            due = trainer.current_epoch % config.frequency == 0
            if due and isinstance(config.scheduler, ReduceLROnPlateau):
                config.scheduler.step(trainer.callback_metrics[str(config.monitor)].item())
        trainer.fit_loop._restarting = False  # else none is stepped at the end of this epoch either
        self._logged, self._epoch_over = {}, False
