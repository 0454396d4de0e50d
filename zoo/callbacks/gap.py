"""What was learned by heart: the tested weights on the training data."""

from __future__ import annotations

import copy
from typing import Any, cast

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback

from zoo.callbacks.results import report
from zoo.callbacks.trial import terms_of, trial
from zoo.lit import LitModel
from zoo.lit.base import sum_of, weight_of
from zoo.lit.running import RunningMeans
from zoo.naming import rises


class Gap(Callback):
    """Logs how much better a net does on its training data than on the test data.

    `train/…` is a mean over an epoch in which the weights changed and units were dropped; here the
    weights that were tested meet the training split in evaluation mode, without augmentation:
    `fitted/loss` and `fitted/<metric>`. `gap/…` is the distance to `test/…`, positive where
    training data fare better.
    """

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Evaluate on the training split, and log."""
        if not trainer.is_global_zero:
            return
        rows: dict[str, float] = {}
        for name, fitted in self.fitted(trainer, cast(LitModel, pl_module)).items():
            rows[f"fitted/{name}"] = fitted
            tested = trainer.callback_metrics[f"test/{name}"].item()
            rows[f"gap/{name}"] = fitted - tested if rises(f"test/{name}") else tested - fitted
        report(trainer, rows)

    def fitted(self, trainer: pl.Trainer, module: LitModel) -> dict[str, float]:
        """The task loss and the metrics of the training split, by name."""
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        means, metrics = RunningMeans(), copy.deepcopy(module.metrics_of("test"))
        for metric in metrics.values():
            metric.reset()
        with trial(trainer, module), torch.no_grad():
            module.eval()
            for batch in data.loader("train"):
                result, terms = terms_of(module, batch)
                means.add({"loss": sum_of(terms)}, weight_of(result))
                target, prediction = result.target, module.loss.point(result.prediction)
                if result.mask is not None:
                    target, prediction = target[result.mask], prediction[result.mask]
                for metric in metrics.values():
                    metric.update(prediction, target)
        values = {name: float(metric.compute()) for name, metric in metrics.items()}
        return {**means.drain(trainer.strategy), **values}
