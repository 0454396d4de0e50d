"""A step of `zoo-train`, all defaults on, beside a bare PyTorch loop over tensors in memory."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import lightning.pytorch as pl
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.common import EXTRA, LONGER, Claim, Contest, Part, Plan, held
from benchmarks.training import (
    BATCH,
    WARM_UP,
    Bare,
    BareLoss,
    Clock,
    Run,
    arrays,
    classified,
    composed,
    on_arrays,
    reconstructed,
    steady,
    switched_on,
)

ZOO, BARE, OFF = "zoo-train", "bare loop", "Lightning, all off"
EPOCH = (430 * BATCH, 39 * BATCH)  # training and validation samples, nearly as MNIST has them


class Family(NamedTuple):
    """A net that is trained both ways.

    Attributes:
        name: for the table.
        words: that choose it.
        shape: of a sample in the file.
        steps: that are timed in one repeat.
        bound: largest ratio.
        loss: of the bare loop.
    """

    name: str
    words: list[str]
    shape: tuple[int, ...]
    steps: int
    bound: float
    loss: BareLoss = classified


MLP = Family("MLP 784-256-256-10", ["model=fnn", "model.net.dropout=0"], (28, 28), 280, 1.30)
FAMILIES = (
    MLP,
    Family("LeNet-5", ["model=lenet5"], (28, 28), 80, 1.06),
    Family("LSTM h128, T=28", ["model=lstm", "model.net.dropout=0"], (28, 28), 80, 1.06),
    Family("dense AE", ["model=autoencoder"], (28, 28), 180, 1.06, reconstructed),
    Family("ResNet-20, 32x32x3", ["model=resnet"], (3, 32, 32), 12, 1.06),
)
NULL = Family("null model", ["model=linear", "model.net.bias=false"], (1,), 480, 450)


def both(family: Family, plan: Plan, folder: Path) -> tuple[Run, Bare]:
    """A run of one epoch of steps, and the bare loop of it."""
    steps = WARM_UP + family.steps if not plan.quick else 4
    path = arrays(folder, family.shape, train=BATCH * steps, val=BATCH)
    run = Run(plan, folder / family.name, on_arrays(path, *family.words))
    return run, Bare(run, family.loss)


def families(plan: Plan, folder: Path) -> Iterator[Contest]:
    """One step of each family."""
    for family in FAMILIES:
        run, bare = both(family, plan, folder)
        claim = Claim(f"{family.name}, b{BATCH}", ZOO, BARE, LONGER, family.bound)
        yield Contest({ZOO: run.step, BARE: bare.step}, [claim])


class Plain(pl.LightningModule):
    """What is needed of a Lightning module and no more."""

    def __init__(self, bare: Bare, net: torch.nn.Module) -> None:
        super().__init__()
        self.bare = bare
        self.net = net

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """The loss."""
        return F.cross_entropy(self.net(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The optimizer."""
        return self.bare.optimizer(self.parameters())


class Tensors:
    """Shuffled batches of tensors in memory."""

    def __init__(self, bare: Bare) -> None:
        self.x, self.y = bare.splits["train"]
        self.batch = bare.batch

    def __len__(self) -> int:
        return len(self.x) // self.batch

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for index in torch.randperm(len(self.x)).split(self.batch):
            yield self.x[index], self.y[index]


def lightning_off(bare: Bare) -> float:
    """Seconds of a step of Lightning's trainer without anything around it."""
    clock = Clock(bare.now)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"lightning\..*")
        trainer = pl.Trainer(
            accelerator="cpu",
            devices=1,
            max_epochs=1,
            logger=False,
            callbacks=[clock],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(Plain(bare, torch.nn.Linear(1, 2, bias=False)), Tensors(bare))
    return steady(clock.steps)


def null(plan: Plan, folder: Path) -> Iterator[Contest]:
    """What a step costs beside the net: one weight a class."""
    run, bare = both(NULL, plan, folder)
    ways = {ZOO: run.step, OFF: lambda: lightning_off(bare), BARE: bare.step}
    yield Contest(
        ways,
        [
            Claim("null model", ZOO, BARE, EXTRA, NULL.bound),
            Claim("null model, the same with Lightning alone", OFF, BARE, EXTRA),
        ],
    )


def epoch(plan: Plan, folder: Path) -> Iterator[Contest]:
    """An epoch of the size of MNIST's with its end: validation, curves, checkpoints."""
    train, val = (plan.size(samples, 2 * BATCH) for samples in EPOCH)
    path = arrays(folder, MLP.shape, train, val)
    run = Run(plan, folder / "epoch", on_arrays(path, *MLP.words, epochs=2))
    bare = Bare(run, classified)

    def second() -> float:
        _, start, end = run.fitted().epochs
        return end - start

    def plain() -> float:
        net = bare.net.train()
        start = bare.now()
        bare.epoch(net, bare.optimizer(net.parameters()))
        seconds = bare.now() - start
        return seconds + bare.evaluation(net)

    claim = Claim(f"{MLP.name}, a whole epoch", ZOO, BARE, LONGER)
    yield Contest({ZOO: second, BARE: plain}, [claim])


def notes(folder: Path) -> list[str]:
    """What both sides do."""
    ours, (train, val) = switched_on(composed(on_arrays(Path("x.npz")), folder)), EPOCH
    return [
        f"zoo-train: {ours}; the bar is drawn, into a buffer",
        "bare loop: float32 tensors in memory, shuffled x[index], forward, loss, backward, the "
        "same optimizer; nothing logged, kept or checked",
        f"a step: from the {WARM_UP}th of an epoch to its last; the whole epoch: train {train:,}, "
        f"validate {val:,} and (zoo-train) log and write two checkpoints",
    ]


def run(plan: Plan) -> Part:
    """Hold all of them."""
    with TemporaryDirectory() as name:
        folder = Path(name)

        def contests() -> Iterator[Contest]:
            yield from families(plan, folder)
            yield from null(plan, folder)
            yield from epoch(plan, folder)

        return held(contests(), plan, notes(folder))
