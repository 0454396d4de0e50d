"""best.ckpt and last.ckpt, and the stop that a signal asks for."""

from __future__ import annotations

import math
import os
import shutil
from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as pl
import torch
from lightning.pytorch import callbacks
from lightning.pytorch.plugins.io import TorchCheckpointIO

from zoo.files import whole
from zoo.lit.ranks import of_all, own_of
from zoo.signals import Signals, Stopped

LAST, BEST = "last.ckpt", "best.ckpt"


class PlainFile(TorchCheckpointIO):
    """Writes a checkpoint where it was told to.

    Lightning's own way is by memory and by $TMPDIR, which may be full, or on another disk.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike, storage_options: Any = None
    ) -> None:
        """Write the file, and say so by its own error if that fails."""
        with open(path, "wb") as file:
            torch.save(checkpoint, file)


class Checkpoint(callbacks.Checkpoint):
    """Keeps `last.ckpt`, after every epoch and when stopped, and `best.ckpt`, the best epoch.

    Files are written beside their place and then renamed, so that a name always stands for a whole
    file. Without the metric (no validation, say) the best is the last.

    Ctrl-C, SIGTERM and SIGUSR1 let the current update of the weights end, and are answered there.

    Args:
        dirpath: folder of the two files.
        monitor: the metric to watch, such as "val/loss".
        mode: whether "min" or "max" is best.

    Raises:
        Stopped: after a signal, once the step is done and saved; at a second signal at once.
        OSError: a file cannot be written; the one that had its name is as it was.
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
        self.signals = Signals(patient=True)
        self._before_validation: dict[str, Any] | None = None  # random numbers, while it runs
        self._restored: dict[str, Any] | None = None  # random numbers of the run that is continued

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Write checkpoints without detours, unless somebody has chosen how."""
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
            trainer.strategy.checkpoint_io = PlainFile()

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """From here on a signal lets the current step end."""
        self.dirpath.mkdir(parents=True, exist_ok=True)
        if trainer.is_global_zero:
            for unfinished in self.dirpath.glob(".*.ckpt"):
                unfinished.unlink()  # of a process that was killed
        self.signals.patient, self.signals.received = True, None
        self.signals.__enter__()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw on where the continued run stopped."""
        self.signals.__enter__()  # Lightning has taken SIGTERM, to end without a checkpoint
        if self._restored is not None:
            restore(self._restored)
            self._restored = None

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        """Save and stop if asked to; where a validation is due, it comes first."""
        if (self.signals.received or trainer.world_size > 1) and between_updates(trainer):
            self._answer(trainer, wait=validation_is_due(trainer))

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note the random numbers that come next: a validation that is cut short is done again."""
        if not trainer.sanity_checking:
            self._before_validation = random_state()

    def on_validation_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        """Save and stop if asked to; of several processes each ends its validation."""
        alone = trainer.world_size == 1 and not trainer.sanity_checking
        if self.signals.received and alone and between_updates(trainer):
            self._answer(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """From here on a checkpoint stands after the validation."""
        self._before_validation = None

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save the epoch, and once more as the best if it is; then stop if asked to."""
        metrics = {k: v.item() for k, v in trainer.callback_metrics.items() if v.numel() == 1}
        if self.monitor not in metrics and any(key.startswith("val/") for key in metrics):
            known = ", ".join(sorted(key for key in metrics if key.startswith("val/")))
            raise ValueError(f"monitor.metric={self.monitor} is not logged; there is {known}")
        improved = self._improves(metrics)
        if improved:
            self.best = {k[4:]: v for k, v in metrics.items() if k.startswith("val/")}
            self.best["epoch"] = trainer.current_epoch
            self.score = metrics.get(self.monitor)
        self.save(trainer, best=improved)
        self._answer(trainer, saved=True)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Signals are what they were before."""
        self.signals.__exit__()
        if self.signals.received:  # after the last epoch was saved
            raise Stopped(self.signals.received)

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """In a test there is nothing to save: a signal ends it at once."""
        self.signals.patient = False
        self.signals.__enter__()

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Signals are what they were before."""
        self.signals.__exit__()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Signals are what they were before."""
        self.signals.__exit__()

    def save(self, trainer: pl.Trainer, *, best: bool = False) -> None:
        """Write the checkpoint as the last, and as the best too, each at once or not at all."""
        last = self.dirpath / LAST
        if not trainer.is_global_zero:
            trainer.save_checkpoint(last)  # the first process writes it
            return
        for logger in getattr(trainer, "loggers", ()):
            logger.save()  # what a checkpoint has behind it must not be lost from the curves
        with whole(last) as unfinished:
            trainer.save_checkpoint(unfinished)
            if best:  # comes first: the last says which epoch is the best
                with whole(self.dirpath / BEST) as copy:
                    shutil.copyfile(unfinished, copy)

    def best_epoch(self) -> dict[str, float]:
        """All validation metrics of the best epoch, and its number.

        Where processes have trained that were spawned, this one knows from the file they left.
        """
        if not self.best and (self.dirpath / BEST).is_file():
            saved = torch.load(self.dirpath / BEST, map_location="cpu", weights_only=True)
            self.load_state_dict(saved["callbacks"][self.state_key])
        return self.best

    def state_dict(self) -> dict[str, Any]:
        """What a continued run must know: the best so far."""
        return {"best": self.best, "score": self.score}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the best of the run that is continued."""
        self.best, self.score = state_dict["best"], state_dict["score"]

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the next random numbers; within a validation, stand at its first batch."""
        checkpoint["random"] = of_all(self._before_validation or random_state())
        if self._before_validation is not None:
            counts = {"ready": 1, "started": 1, "processed": 0, "completed": 0}
            progress = checkpoint["loops"]["fit_loop"]["epoch_loop.val_loop.batch_progress"]
            progress["total"], progress["current"] = counts, dict.fromkeys(counts, 0)

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keep the random numbers until training begins."""
        every = checkpoint.get("random", [])
        self._restored = own_of(every) or next(iter(every), None)

    def _improves(self, metrics: dict[str, float]) -> bool:
        value = metrics.get(self.monitor)
        if value is None or self.score is None or math.isnan(self.score):
            return True
        return value < self.score if self.mode == "min" else value > self.score

    def _answer(self, trainer: pl.Trainer, *, saved: bool = False, wait: bool = False) -> None:
        number = self.signals.received or 0
        if trainer.world_size > 1:  # they stop together, whichever was asked
            asked = torch.tensor(number, device=trainer.strategy.root_device)
            torch.distributed.all_reduce(asked, torch.distributed.ReduceOp.MAX)
            number = int(asked)
        if not number or wait:
            return
        if not saved:
            self.save(trainer)
        raise Stopped(number)


def between_updates(trainer: pl.Trainer) -> bool:
    """Whether no gradients are being accumulated; a checkpoint does not hold them."""
    batches = trainer.fit_loop.batch_idx + 1
    return trainer.is_last_batch or batches % trainer.accumulate_grad_batches == 0


def validation_is_due(trainer: pl.Trainer) -> bool:
    """Whether a validation, or the end of the epoch, follows before the next batch."""
    loop = trainer.fit_loop
    # Private; without it a validation in mid-epoch would be left out when the run is continued.
    due = loop.epoch_loop._should_check_val_fx(loop._data_fetcher)  # type: ignore[arg-type]
    return due or loop.epoch_loop._is_training_done


def random_state() -> dict[str, Any]:
    """The state of torch's global generators."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def restore(random: dict[str, Any]) -> None:
    """Draw on from such a state; on GPUs if there are as many."""
    torch.set_rng_state(random["cpu"].cpu())
    cuda = [state.cpu() for state in random["cuda"]]
    if cuda and len(cuda) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(cuda)
