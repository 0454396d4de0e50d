"""What goes wrong in a run, on request; found by the workers as `tests.sweep.faults`."""

import os
import signal
from pathlib import Path
from typing import Literal

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback


class Fault(Callback):
    """Fails at the end of an epoch.

    Args:
        how: "bug" raises an error that nobody expects, "killed" is ended by SIGKILL, "left" ends
            the process, "once" raises only where it never has before; None: not at all.
        epoch: in which, from 1.
    """

    def __init__(
        self, how: Literal["bug", "killed", "left", "once"] | None = None, epoch: int = 1
    ) -> None:
        self.how = how
        self.epoch = epoch

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch + 1 != self.epoch:
            return
        mark = Path(trainer.default_root_dir) / "failed-once"
        if self.how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "left":
            os._exit(7)
        if self.how == "bug" or (self.how == "once" and not mark.exists()):
            mark.touch()
            raise LookupError("nobody expects this")
