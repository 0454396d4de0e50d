"""The default MNIST run of ashleve/lightning-hydra-template (v2.0.3), recreated on noise.

Its net 784-64-128-64-10 with batch norms, batches of 128, samples that torchvision transforms one
by one, without workers, out of a random split of a concatenation; loss and accuracy as torchmetrics
through `self.log`, of which the best validation accuracy is the third; ModelCheckpoint,
EarlyStopping, RichModelSummary, RichProgressBar; Adam with ReduceLROnPlateau; no logger.
"""

import io
import warnings
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
import torch.nn.functional as F
from lightning.pytorch import callbacks
from torch import Tensor, nn
from torch.utils.data import ConcatDataset, DataLoader, random_split
from torchmetrics import MaxMetric, MeanMetric
from torchmetrics.classification import MulticlassAccuracy

from benchmarks.common import Plan
from benchmarks.data import GREY, PerSample
from benchmarks.training import BATCH, Clock, steady, unseen


def dense_net() -> nn.Module:
    """Linear, batch norm and ReLU, three times."""
    layers: list[nn.Module] = [nn.Flatten()]
    for width, size in ((784, 64), (64, 128), (128, 64)):
        layers += [nn.Linear(width, size), nn.BatchNorm1d(size), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(64, 10))


class Module(pl.LightningModule):
    """A classifier whose metrics are torchmetrics, logged at every step."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.train_loss, self.val_loss = MeanMetric(), MeanMetric()
        # What `Accuracy(task="multiclass", num_classes=10)` makes.
        self.train_acc, self.val_acc = (
            MulticlassAccuracy(num_classes=10, average="micro") for _ in range(2)
        )
        self.val_acc_best = MaxMetric()

    def shared_step(self, stage: str, batch: tuple[Tensor, Tensor]) -> Tensor:
        """The loss; it and the accuracy are logged as metrics."""
        logits = self.net(batch[0])
        loss = F.cross_entropy(logits, batch[1])
        metrics = {"loss": getattr(self, f"{stage}_loss"), "acc": getattr(self, f"{stage}_acc")}
        metrics["loss"](loss)
        metrics["acc"](logits.argmax(dim=1), batch[1])
        for name, metric in metrics.items():
            self.log(f"{stage}/{name}", metric, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """A step of training."""
        return self.shared_step("train", batch)

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """A step of validation."""
        self.shared_step("val", batch)

    def on_validation_epoch_end(self) -> None:
        """The best accuracy so far."""
        self.val_acc_best(self.val_acc.compute())
        self.log("val/acc_best", self.val_acc_best.compute(), sync_dist=True, prog_bar=True)

    def configure_optimizers(self) -> Any:
        """Adam, and a learning rate that falls when the validation stands still."""
        optimizer = torch.optim.Adam(self.parameters(), lr=1e-3)
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=10)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": plateau, "monitor": "val/loss", "interval": "epoch"},
        }


def loaders(x: Tensor, y: Tensor) -> tuple[DataLoader[Any], DataLoader[Any]]:
    """Training and validation out of two sets that were put together."""
    from torchvision.transforms import Normalize, ToTensor

    usual = (ToTensor(), Normalize(*((value,) for value in GREY)))
    half = len(x) // 2
    sets = [PerSample(x[:half], y[:half], *usual), PerSample(x[half:], y[half:], *usual)]
    split = random_split(ConcatDataset(sets), [len(x) - BATCH, BATCH])
    return (
        DataLoader(split[0], batch_size=BATCH, shuffle=True),
        DataLoader(split[1], batch_size=BATCH),
    )


def step(plan: Plan, net: nn.Module, steps: int, folder: Path) -> float:
    """Seconds of a step of training; the bar is drawn into a buffer, as on a terminal."""
    x = torch.randint(0, 256, (BATCH * (steps + 1), 28, 28), dtype=torch.uint8)
    y = torch.arange(len(x)) % 10
    clock, terminal = Clock(plan.now), {"file": io.StringIO(), "force_terminal": True}
    monitor: dict[str, Any] = {"monitor": "val/acc", "mode": "max"}
    with unseen(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"lightning\..*")
        trainer = pl.Trainer(
            accelerator="cpu",
            devices=1,
            min_epochs=1,
            max_epochs=1,
            logger=False,
            default_root_dir=folder,
            callbacks=[
                callbacks.ModelCheckpoint(dirpath=folder, save_last=True, **monitor),
                callbacks.EarlyStopping(patience=100, **monitor),
                callbacks.RichModelSummary(max_depth=-1),
                callbacks.RichProgressBar(console_kwargs=terminal),
                clock,
            ],
        )
        trainer.fit(Module(net), *loaders(x, y))
    return steady(clock.steps)
