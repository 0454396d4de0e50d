"""The TensorBoard logger: one run folder, one run in TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.tensorboard import SummaryWriter

from zoo.lit.events import RunEvents


class TensorBoard(TensorBoardLogger):
    """Writes event files straight into the run folder.

    Lightning's own logger adds a folder level per version, an `hp_metric` of -1 and a second copy
    of the hyperparameters; here `zoo.callbacks.TensorBoardSummary` writes them once, for the
    HPARAMS tab.

    Args:
        folder: the run folder.
        purge_step: hide what an interrupted run wrote from this step on; for continued runs.
    """

    def __init__(self, folder: str, purge_step: int | None = None) -> None:
        super().__init__(
            folder, name="", version="", default_hp_metric=False, purge_step=purge_step
        )

    @property
    @rank_zero_experiment
    def experiment(self) -> SummaryWriter:
        """The event writer, made when it is first asked for."""
        if self._experiment is None:
            self._experiment = RunEvents(self.root_dir, purge_step=self._kwargs["purge_step"])
        return self._experiment

    @property
    def writer(self) -> SummaryWriter:
        """The event writer; a no-op on all processes but the first."""
        return self.experiment

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Write scalars, but not the `epoch` that Lightning adds."""
        super().log_metrics({k: v for k, v in metrics.items() if k != "epoch"}, step)

    def save(self) -> None:
        """Flush the events; leave no hparams.yaml."""
        self.writer.flush()

    def finalize(self, status: str) -> None:
        """Flush the events; the test that follows the training writes to the same file."""
        self.writer.flush()

    def close(self) -> None:
        """End the event file."""
        self.writer.close()
