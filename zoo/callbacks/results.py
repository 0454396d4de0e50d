"""Numbers that are neither losses nor metrics, among the results of a run."""

from __future__ import annotations

from collections.abc import Mapping

import lightning.pytorch as pl
import torch


def report(trainer: pl.Trainer, values: Mapping[str, float]) -> None:
    """Write numbers to what the run reports, and to its loggers."""
    keep(trainer, values)
    for logger in trainer.loggers:
        logger.log_metrics(dict(values), step=trainer.global_step)


def keep(trainer: pl.Trainer, values: Mapping[str, float]) -> None:
    """Write numbers to what the run reports alone."""
    trainer.callback_metrics.update(
        {name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}
    )
