"""An average of the weights over the last updates, instead of the last weights."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn


class EMA(Callback):
    """Validates, tests and keeps an exponential moving average of the weights.

    After update t the average keeps the share min(decay, (1 + t) / (warmup + t)) of itself and
    takes the rest from the weights (Polyak & Juditsky 1992; the warm-up is TensorFlow's). Training
    goes on with the weights themselves; `val/…`, `test/…`, best.ckpt and `zoo.load` are of the
    average, and checkpoints hold the weights beside it.

    The statistics of batch norm are averaged alike. They are close to, but not, what one more pass
    over the training data would give the averaged weights.

    Args:
        decay: share of itself that the average keeps; 0.999 spans about a thousand updates.
        warmup: larger than 1, the average spans fewer updates at first and forgets the initial
            weights sooner; 1: no warm-up.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(self, decay: float = 0.999, *, warmup: float = 10.0) -> None:
        # Lightning's own callback of this kind (2.6) tests the last weights instead of the average
        # and takes ten times as long a step.
        if not 0 <= decay < 1:
            raise ValueError(f"`decay` must be in [0, 1), got {decay}")
        if not warmup >= 1:
            raise ValueError(f"`warmup` must be at least 1, which is none, got {warmup}")
        self.decay = decay
        self.warmup = warmup
        self.updates = 0
        self.average: dict[str, Tensor] = {}
        self._step = 0  # of the last update seen
        self._weights: dict[str, Tensor] | None = None  # while the net has the average
        self._floating: tuple[list[Tensor], list[Tensor]] = ([], [])  # average, net
        self._counts: list[tuple[Tensor, Tensor]] = []

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Take up both in a continued run; a test has the average already."""
        if trainer.state.fn == "fit" and "ema" in checkpoint:
            self.average = {name: value.clone() for name, value in checkpoint["state_dict"].items()}
            self.updates = checkpoint["ema"]["updates"]
            pl_module.load_state_dict(checkpoint["ema"]["weights"])

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start from the weights as they are, unless a run is continued."""
        self._put_back(pl_module)
        self._step = trainer.global_step
        net = pl_module.state_dict()
        start = self.average or net
        self.average = {name: start[name].to(net[name].device, copy=True) for name in net}
        pairs = [(self.average[name], net[name]) for name in net]
        floating = [pair for pair in pairs if pair[1].is_floating_point()]
        self._floating = [pair[0] for pair in floating], [pair[1] for pair in floating]
        self._counts = [pair for pair in pairs if not pair[1].is_floating_point()]

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        """Average, if the weights were updated."""
        if trainer.global_step == self._step:
            return
        self._step = trainer.global_step
        decay = min(self.decay, (1 + self.updates) / (self.warmup + self.updates))
        get_ema_multi_avg_fn(decay)(*self._floating, self.updates)
        for average, count in self._counts:  # of the batches that batch norm has seen
            average.copy_(count)
        self.updates += 1

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Validate the average; a sanity check comes before there is one."""
        if self.average and self._weights is None:
            self._weights = {k: v.clone() for k, v in pl_module.state_dict().items()}
            pl_module.load_state_dict(self.average)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Train on."""
        if trainer.state.fn == "fit":
            self._put_back(pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave the average in the net."""
        self.on_validation_start(trainer, pl_module)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keep the average where a net's weights belong, and the weights for going on."""
        if self.average:
            weights = self._weights or checkpoint["state_dict"]
            checkpoint["ema"] = {"weights": weights, "updates": self.updates}
            checkpoint["state_dict"] = self.average

    def _put_back(self, module: pl.LightningModule) -> None:
        if self._weights is not None:
            module.load_state_dict(self._weights)
            self._weights = None
