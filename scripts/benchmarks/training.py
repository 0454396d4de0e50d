"""`zoo-train` as its command runs it, with a clock in it, and the bare loop over the same."""

import contextlib
import copy
import io
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import hydra
import lightning.pytorch as pl
import numpy as np
import torch
import torch.nn.functional as F
from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.callbacks import Callback
from omegaconf import DictConfig, OmegaConf, open_dict
from torch import Tensor, nn

from benchmarks.common import Plan
from zoo import runs
from zoo.build import make
from zoo.config import conf_dir, plain, register_resolvers
from zoo.lit.logger import TensorBoard

BATCH = 128
WARM_UP = 20  # steps before the clock counts

BareLoss = Callable[[nn.Module, Tensor, Tensor], Tensor]


class Clock(Callback):
    """Notes when each step and each epoch of training begins, and each validation and its end."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.steps: list[float] = []
        self.epochs: list[float] = []  # and at last the end
        self.validation: list[float] = []

    def on_train_batch_start(self, *args: Any) -> None:
        """A step begins; its batch is there."""
        self.steps.append(self.now())

    def on_train_epoch_start(self, *args: Any) -> None:
        """An epoch begins."""
        self.epochs.append(self.now())

    def on_train_end(self, *args: Any) -> None:
        """The last epoch is saved."""
        self.epochs.append(self.now())

    def on_validation_start(self, *args: Any) -> None:
        """A validation begins."""
        self.validation.append(self.now())

    def on_validation_end(self, *args: Any) -> None:
        """Its numbers are logged."""
        self.validation.append(self.now())


def steady(moments: list[float]) -> float:
    """Seconds of a step, from the twentieth to the last one that begins."""
    first = min(WARM_UP, len(moments) // 2)
    return (moments[-1] - moments[first]) / (len(moments) - 1 - first)


def composed(words: list[str], folder: Path) -> DictConfig:
    """The config of `zoo-train` with these words, resolved, for a run in that folder."""
    register_resolvers()
    before = HydraConfig.instance().cfg
    try:
        with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
            cfg = hydra.compose("train", words, return_hydra_config=True)
        with open_dict(cfg):
            cfg.hydra.run.dir = cfg.hydra.runtime.output_dir = str(folder)
        HydraConfig.instance().set_config(cfg)
        with open_dict(cfg):
            del cfg["hydra"]
        return OmegaConf.create(plain(cfg))
    finally:
        HydraConfig.instance().cfg = before


class Built(NamedTuple):
    """What `zoo-train` has before it fits."""

    trainer: pl.Trainer
    module: Any
    data: Any
    clock: Clock

    def close(self) -> None:
        """End the event file, and the thread that writes it."""
        for logger in self.trainer.loggers:
            if isinstance(logger, TensorBoard):
                logger.close()


class Run:
    """`zoo-train` with these words, as often as you like, each time in a new folder.

    Args:
        plan: how to measure.
        folder: where the run folders are.
        words: of the command.
        net: trains in place of the one that the words name.
        optimizer: a node in place of the one that the words name.
    """

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        words: list[str],
        *,
        net: nn.Module | None = None,
        optimizer: dict[str, Any] | None = None,
    ) -> None:
        self.plan = plan
        self.folder = folder
        self.cfg = composed(words, folder)
        if optimizer:
            self.cfg.optimizer = optimizer
        self.net = net
        self._numbers = count()

    def built(self) -> Built:
        """Trainer, module and data as the command makes them, and a clock among the callbacks."""
        folder = self.folder / f"{next(self._numbers)}"
        cfg = runs.moved(self.cfg, str(self.folder), str(folder))
        runs.quiet()
        trainer, clock = runs.make_trainer(cfg, None), Clock(self.plan.now)
        trainer.callbacks.append(clock)  # type: ignore[attr-defined]
        pl.seed_everything(cfg.seed, workers=True, verbose=False)
        data, module = runs.build(cfg)
        if self.net is not None:
            module.net = copy.deepcopy(self.net)
        runs.announce(cfg, data, module, trainer)
        return Built(trainer, module, data, clock)

    def fitted(self) -> Clock:
        """Train; what the run prints and draws goes to a buffer."""
        with unseen():
            built = self.built()
            built.trainer.fit(built.module, built.data)
            built.close()
        return built.clock

    def step(self) -> float:
        """Seconds of a step of training."""
        return steady(self.fitted().steps)


@contextlib.contextmanager
def unseen() -> Iterator[None]:
    """Keep what is printed and drawn from the table."""
    buffer = io.StringIO()
    with contextlib.redirect_stdout(buffer), contextlib.redirect_stderr(buffer):
        yield


class Bare:
    """The least that the training of a run takes: tensors in memory and five lines.

    Net, samples as the net reads them, batch size and optimizer are those of the run.
    """

    def __init__(self, run: Run, loss: BareLoss) -> None:
        with unseen():
            built = run.built()
        self.now = run.plan.now
        self.net = copy.deepcopy(built.module.net)
        self.loss = loss
        self.batch = int(run.cfg.data.batch_size)
        self.optimizer = make(run.cfg.optimizer)
        self.splits = {
            name: (built.data.serve(split.x).contiguous(), split.y)
            for name, split in built.data.splits.items()
        }

    def step(self) -> float:
        """Seconds of a step of training."""
        net = copy.deepcopy(self.net).train()
        return steady(self.epoch(net, self.optimizer(net.parameters())))

    def epoch(self, net: nn.Module, optimizer: torch.optim.Optimizer) -> list[float]:
        """One epoch in random order; when each step began."""
        x, y = self.splits["train"]
        moments = []
        for index in torch.randperm(len(x)).split(self.batch):
            moments.append(self.now())
            loss = self.loss(net, x[index], y[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return moments

    def evaluation(self, net: nn.Module) -> float:
        """Seconds for loss and accuracy of the validation split."""
        x, y = self.splits["val"]
        total, correct = torch.zeros(()), torch.zeros((), dtype=torch.int64)
        net.eval()
        start = self.now()
        with torch.inference_mode():
            for a, b in zip(x.split(self.batch), y.split(self.batch), strict=True):
                output = tensor(net(a))
                total += len(a) * F.cross_entropy(output, b)
                correct += (output.argmax(1) == b).sum()
        assert 0 <= correct.item() <= len(y) and total.item() > 0
        return self.now() - start


def tensor(output: Any) -> Tensor:
    """What a loss reads of what a net gives back."""
    return output if isinstance(output, Tensor) else output[0]


def classified(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The loss of a classifier."""
    return F.cross_entropy(tensor(net(x)), y)


def reconstructed(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The loss of an autoencoder."""
    return F.mse_loss(tensor(net(x)), x)


def arrays(folder: Path, shape: tuple[int, ...], train: int, val: int) -> Path:
    """A file for `data=arrays`: images of noise, or one number a sample; ten classes, or two."""
    rng = np.random.default_rng(0)
    parts = {}
    for name, size in (("train", train), ("val", val), ("test", 10)):
        if len(shape) > 1:
            parts[f"x_{name}"] = rng.integers(0, 256, (size, *shape), dtype=np.uint8)
        else:
            parts[f"x_{name}"] = rng.normal(size=(size, *shape)).astype(np.float32)
        parts[f"y_{name}"] = np.arange(size) % (10 if len(shape) > 1 else 2)
    path = folder / f"{'x'.join(map(str, shape))}_{train}_{val}.npz"
    np.savez(path, **parts)
    return path


def on_arrays(path: Path, *words: str, batch: int = BATCH, epochs: int = 1) -> list[str]:
    """The words of `zoo-train` on such a file, all else by default but the bar, which is drawn."""
    data = ["data=arrays", f"data.path={path}", f"data.batch_size={batch}"]
    chosen = ["trainer=cpu", f"trainer.max_epochs={epochs}", "callbacks.progress.show=true"]
    task = "data.task=classification"
    return [*chosen, *data, task, *words]


def switched_on(cfg: DictConfig) -> str:
    """What a run does besides training, in a line."""
    optimizer = f"{cfg.optimizer._target_}{', fused' if cfg.optimizer.get('fused') else ''}"
    groups = {
        "logger": list(cfg.logger),
        "callbacks": list(cfg.callbacks),
        "metrics": list(cfg.metrics or ()),
    }
    parts = [f"{name} {', '.join(map(str, names)) or 'none'}" for name, names in groups.items()]
    every = f"curves every {cfg.trainer.log_every_n_steps} steps"
    return "; ".join([*parts, every, f"optimizer {optimizer}"])
