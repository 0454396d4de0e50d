"""What a linear classifier makes of the code of an autoencoder."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from zoo.callbacks.results import report
from zoo.callbacks.trial import trial

STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)  # inverse weights of the L2 penalty that are tried
BATCH = 1024


class LinearProbe(Callback):
    """Logs how well classes can be read from a code that was learned without them.

    After the test the net encodes all data; a logistic regression is fitted to the codes of the
    training split, standardised, its L2 penalty chosen by the accuracy on the validation split
    (Alain & Bengio 2017, "Understanding intermediate layers using linear classifier probes"). Its
    accuracies are logged as `val/accuracy` and `test/accuracy`, so that an autoencoder compares
    with classifiers, and as `baseline/pca_probe_accuracy` what the same gives on as many principal
    components of the inputs.

    Args:
        labels_per_class: fit to so many samples of each class of the training split, those that
            `data.train_samples` would keep; None: all. The validation split keeps its labels.

    Raises:
        ValueError: `labels_per_class` is not at least 1.
    """

    def __init__(self, labels_per_class: int | None = None) -> None:
        if labels_per_class is not None and labels_per_class < 1:
            raise ValueError(
                f"`labels_per_class` must be at least 1, or null, got {labels_per_class}"
            )
        self.labels_per_class = labels_per_class
        self._kept: Tensor | None = None  # positions in the training split

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Look whether there will be something to read.

        Raises:
            ValueError: the net has no code, the data no classes, or a class too few samples.
        """
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        if not hasattr(pl_module.net, "encode") or data.target != "classes":
            raise ValueError(
                "callbacks.probe needs an autoencoder, and data with classes to be read from its "
                "code; leave it out with callbacks=default"
            )
        if self.labels_per_class is not None:
            self._kept = data.labelled(self.labels_per_class)

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Encode, fit, log."""
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        net: Any = pl_module.net
        if not trainer.is_global_zero:
            return
        inputs = {name: data.serve(split.x) for name, split in data.splits.items()}
        labels = {name: split.y for name, split in data.splits.items()}
        with trial(trainer, pl_module), torch.no_grad():  # type: ignore[arg-type]
            net.eval()
            codes = {name: encoded(net, x) for name, x in inputs.items()}
        found = probe(*self.few(codes, labels))
        # As the net they have seen all inputs, whatever labels there are.
        components = probe(*self.few(principal(inputs, net.latent), labels))
        rows = {f"{name}/accuracy": found[name] for name in ("val", "test")}
        rows["baseline/pca_probe_accuracy"] = components["test"]
        report(trainer, rows)

    def few(
        self, features: dict[str, Tensor], labels: dict[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Features and labels without the training samples that are left out."""
        if self._kept is None:
            return features, labels
        kept = self._kept
        x, y = features["train"][kept], labels["train"][kept.to(labels["train"].device)]
        return {**features, "train": x}, {**labels, "train": y}


def encoded(net: Any, x: Tensor) -> Tensor:
    """The codes (N, latent) of a split, of a variational net the means, on the CPU."""
    device = next(net.parameters()).device
    codes = [net.encode(part.to(device)) for part in x.split(BATCH)]
    return torch.cat([(c[0] if isinstance(c, tuple) else c).float().cpu() for c in codes])


def principal(inputs: dict[str, Tensor], components: int) -> dict[str, Tensor]:
    """The inputs on the principal components of their training split."""
    from sklearn.decomposition import PCA

    flat = {name: x.flatten(1).cpu().numpy() for name, x in inputs.items()}
    pca = PCA(min(components, *flat["train"].shape), svd_solver="full").fit(flat["train"])
    return {name: torch.from_numpy(pca.transform(x)) for name, x in flat.items()}


def probe(features: dict[str, Tensor], labels: dict[str, Tensor]) -> dict[str, float]:
    """Accuracies on "val" and "test" of a linear classifier of the training features.

    Args:
        features: (N, F) of "train", "val" and "test".
        labels: (N,) classes.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(features["train"].numpy())
    x = {name: scaler.transform(part.numpy()) for name, part in features.items()}
    y = {name: part.cpu().numpy() for name, part in labels.items()}
    best = {"val": -1.0, "test": 0.0}
    for strength in STRENGTHS:
        classifier = LogisticRegression(C=strength, max_iter=1000).fit(x["train"], y["train"])
        found = {name: float(classifier.score(x[name], y[name])) for name in ("val", "test")}
        best = max(best, found, key=lambda accuracy: accuracy["val"])
    return best
