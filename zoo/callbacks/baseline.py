"""What a net has to beat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from zoo.callbacks.results import report


class Baselines(Callback):
    """Logs what the trivial predictor of the data reaches: `baseline/accuracy`, `baseline/rmse`, ….

    The predictor is of the training split, the number of the test split, see `baselines` of the
    data. It is written at the first step and at the last, so that a chart shows it as a level. Of
    an autoencoder, which has no target but its input, nothing is logged.
    """

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Compute and log, unless an interrupted run has."""
        if not trainer.ckpt_path:
            self._log(trainer, pl_module)

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log again, beside the results."""
        self._log(trainer, pl_module)

    def _log(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        if trainer.is_global_zero and not getattr(module, "reconstructs", False):
            log(trainer, getattr(data, "baselines", dict)())


class PCABaseline(Callback):
    """Logs what PCA with as many components as the net's code leaves of the test data.

    Logged as `baseline/squared_error`. The components are those of the training split; the error is
    summed over a sample, mean over the test split, like `test/squared_error`. An autoencoder with
    linear layers can at best equal it (Baldi & Hornik 1989).
    """

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Compute and log once, after the test."""
        if not trainer.is_global_zero:
            return
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        train, test = (data.serve(data.splits[name].x).flatten(1) for name in ("train", "test"))
        error = pca_error(train, test, cast(Any, pl_module).net.latent)
        log(trainer, {"squared_error": error})


def log(trainer: pl.Trainer, values: Mapping[str, float]) -> None:
    """Write numbers as `baseline/<name>`."""
    report(trainer, {f"baseline/{name}": value for name, value in values.items()})


def pca_error(train: Tensor, test: Tensor, components: int) -> float:
    """Squared error per test sample, projected on the training data's principal components.

    Args:
        train: (N, D).
        test: (M, D).
        components: how many to keep.
    """
    from sklearn.decomposition import PCA

    limit = min(*train.shape, components)
    pca = PCA(limit, svd_solver="full").fit(train.double().numpy())
    x = test.double().numpy()
    return float(((x - pca.inverse_transform(pca.transform(x))) ** 2).sum(axis=1).mean())
