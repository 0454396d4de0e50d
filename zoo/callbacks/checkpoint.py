"""best.ckpt and last.ckpt."""

from __future__ import annotations

import math
import os
import shutil
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import lightning.pytorch as pl
import torch
from lightning.pytorch import callbacks
from torch import Tensor

LAST, BEST = "last.ckpt", "best.ckpt"


class Checkpoint(callbacks.Checkpoint):
    """Keeps `last.ckpt`, after every epoch and on Ctrl-C, and `best.ckpt`, the best epoch.

    Files are written beside their place and then renamed, so that a name always stands for a whole
    file. Without the metric (no validation, say) the best is the last.

    Args:
        dirpath: folder of the two files.
        monitor: the metric to watch, such as "val/loss".
        mode: whether "min" or "max" is best.

    Raises:
        KeyboardInterrupt: after Ctrl-C, once the step is done and saved.
    """

    def __init__(
        self, dirpath: str, *, monitor: str = "val/loss", mode: Literal["min", "max"] = "min"
    ) -> None:
        super().__init__()
        if mode not in ("min", "max"):
            raise ValueError(f"`mode` must be min or max, got {mode!r}")
        self.dirpath = Path(dirpath)
        self.monitor = monitor
        self.mode = mode
        self.best: dict[str, float] = {}  # all validation metrics of the best epoch, and its number
        self.score: float | None = None  # the monitored one of them
        self._interrupted = False
        self._before: Any = None  # the handler of Ctrl-C
        self._random: tuple[Tensor, list[Tensor]] | None = None

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """From here on Ctrl-C lets the current step end."""
        self.dirpath.mkdir(parents=True, exist_ok=True)
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._interrupt)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw on where the continued run stopped."""
        if self._random is not None:
            rng, cuda = self._random
            torch.set_rng_state(rng.cpu())
            if cuda and len(cuda) == torch.cuda.device_count():
                torch.cuda.set_rng_state_all([state.cpu() for state in cuda])
            self._random = None

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        """Save and stop if Ctrl-C asked for it; after an epoch's last step the epoch ends first."""
        if self._interrupted and not trainer.is_last_batch:
            self.save(trainer, LAST)
            raise KeyboardInterrupt

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save the epoch, and once more as the best if it is."""
        metrics = {k: v.item() for k, v in trainer.callback_metrics.items() if v.numel() == 1}
        if self.monitor not in metrics and any(key.startswith("val/") for key in metrics):
            known = ", ".join(sorted(key for key in metrics if key.startswith("val/")))
            raise ValueError(f"monitor.metric={self.monitor} is not logged; there is {known}")
        improved = self._improves(metrics)
        if improved:
            self.best = {k[4:]: v for k, v in metrics.items() if k.startswith("val/")}
            self.best["epoch"] = trainer.current_epoch
            self.score = metrics.get(self.monitor)
        self.save(trainer, LAST)
        if improved and trainer.is_global_zero:
            shutil.copyfile(self.dirpath / LAST, self.dirpath / f".{BEST}")
            os.replace(self.dirpath / f".{BEST}", self.dirpath / BEST)
        if self._interrupted:
            raise KeyboardInterrupt

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Ctrl-C is what it was before."""
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    def save(self, trainer: pl.Trainer, name: str) -> None:
        """Write a checkpoint under `name` at once or not at all."""
        unfinished = self.dirpath / f".{name}"
        trainer.save_checkpoint(unfinished)
        if trainer.is_global_zero:
            with open(unfinished, "rb") as file:
                os.fsync(file.fileno())  # a rename may reach the disk before what it names
            os.replace(unfinished, self.dirpath / name)

    def state_dict(self) -> dict[str, Any]:
        """What a continued run must know: the best so far, and the next random numbers."""
        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
        return {
            "best": self.best,
            "score": self.score,
            "rng": torch.get_rng_state(),
            "cuda_rng": cuda,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the best of the run that is continued; its random numbers follow."""
        self.best, self.score = state_dict["best"], state_dict["score"]
        self._random = (state_dict["rng"], state_dict["cuda_rng"])

    def _improves(self, metrics: dict[str, float]) -> bool:
        value = metrics.get(self.monitor)
        if value is None or self.score is None or math.isnan(self.score):
            return True
        return value < self.score if self.mode == "min" else value > self.score

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._interrupted:
            raise KeyboardInterrupt  # a second Ctrl-C does not wait for the step
        self._interrupted = True
