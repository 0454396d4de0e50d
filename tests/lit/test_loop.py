"""The short way through a training step, held against Lightning's own loop."""

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.loggers import Logger
from torch import Tensor

from zoo.data import Digits
from zoo.lit import LitFeedForward, Trainer, loop
from zoo.losses import CrossEntropy
from zoo.models import FNN

HOOKS = (
    *("on_train_start", "on_train_epoch_start", "on_train_batch_start", "on_before_zero_grad"),
    *("on_before_backward", "on_after_backward", "on_before_optimizer_step"),
    *("on_train_batch_end", "on_validation_start", "on_train_epoch_end", "on_train_end"),
)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"lightning\..*")
        yield


def seen(value: Any) -> Any:
    """A value so that two of them compare with ==, bit for bit."""
    if isinstance(value, Tensor):
        return value.detach().tolist()
    if isinstance(value, dict):
        return {str(key): seen(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [seen(part) for part in value]
    return value if isinstance(value, str | int | float | bool | None) else type(value).__name__


class Diary(Callback):
    """Writes down every call of a hook: what came with it, and how things stood."""

    def __init__(self) -> None:
        self.entries: list[Any] = []

    def write(self, hook: str, trainer: Any, module: Any, *args: Any) -> None:
        gradients = [seen(p.grad) for p in module.net.parameters()]
        weights = seen(list(module.net.parameters()))
        stand = (trainer.global_step, trainer.is_last_batch, module._current_fx_name)
        progress = seen(trainer.fit_loop.epoch_loop.state_dict())
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        self.entries.append((hook, seen(args), stand, rate, progress, gradients, weights))


for name in HOOKS:
    setattr(Diary, name, lambda self, *args, hook=name: self.write(hook, *args))


class Book(Logger):
    """A logger that keeps what it is given."""

    name = version = "book"

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Any] = []

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Nothing to keep."""

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        self.rows.append((dict(metrics), step))


class Talking(LitFeedForward):
    """Uses `self.log` in its steps, and leaves a step out."""

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        loss = super().training_step(batch, batch_idx)
        self.log("own", loss, on_step=True, on_epoch=True, prog_bar=True)
        # Without any gradient torch refuses to clip by value, in either loop.
        out = self.trainer.global_step == 4 and self.trainer.gradient_clip_algorithm is None
        return None if out else loss

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        assert isinstance(args[2], LightningOptimizer)
        super().optimizer_step(*args, **kwargs)


def falling(optimizer: Any, total_steps: int, epochs: int) -> dict[str, Any]:
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, total_steps)
    return {"scheduler": schedule, "interval": "step"}


def trained(
    way: str, monkeypatch: pytest.MonkeyPatch, kind: type[LitFeedForward], **settings: Any
) -> tuple[list[Any], list[Any], list[bool]]:
    """The diary and the log of a fit, and whether its epochs went the short way."""
    short: list[bool] = []
    with monkeypatch.context() as patch:
        if way == "Lightning's":
            patch.setattr(loop, "TRIED", "of another time")
        usual = loop.usual
        patch.setattr(loop, "usual", lambda trainer: short.append(usual(trainer)) or short[-1])
        torch.manual_seed(0)
        net, diary, book = FNN(64, 10, hidden=(8,), dropout=0.5), Diary(), Book()
        module = kind(net, loss=CrossEntropy(), scheduler=falling)
        flags = {"max_epochs": 2, "limit_train_batches": 5, "limit_val_batches": 1}
        off = ("enable_checkpointing", "enable_progress_bar", "enable_model_summary")
        Trainer(
            **{**flags, **dict.fromkeys(off, False), **settings},
            accelerator="cpu",
            num_sanity_val_steps=0,
            log_every_n_steps=2,
            callbacks=[diary],
            logger=book,
        ).fit(module, datamodule=Digits())
    return diary.entries, book.rows, short


@pytest.mark.parametrize("kind", [LitFeedForward, Talking])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"accumulate_grad_batches": 2},
        {"gradient_clip_val": 0.01},
        {"gradient_clip_val": 0.01, "gradient_clip_algorithm": "value"},
        {"val_check_interval": 2},
        {"max_steps": 7},
        {"precision": "bf16-mixed"},
    ],
    ids=str,
)
def test_it_is_the_same_in_every_hook(
    settings: dict[str, Any], kind: type[LitFeedForward], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, our_log, short = trained("ours", monkeypatch, kind, **settings)
    theirs, their_log, long = trained("Lightning's", monkeypatch, kind, **settings)
    assert (set(short), set(long)) == ({True}, {False})
    assert [entry[0] for entry in ours] == [entry[0] for entry in theirs]
    for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        assert one == other, f"entry {number}, {one[0]}"
    assert seen(our_log) == seen(their_log)
    assert len(our_log) >= 4


def test_only_hooks_that_do_something_are_called() -> None:
    class Watch(Callback):
        def on_train_batch_end(self, *args: Any) -> None:
            """Something."""

    class Heir(Watch):
        def on_train_batch_end(self, *args: Any) -> None:
            super().on_train_batch_end(*args)

    trainer: Any = SimpleNamespace(callbacks=[Callback(), watch := Watch(), heir := Heir()])
    found = {hook: loop.listeners(trainer, hook) for hook in loop.CALLBACK_HOOKS}
    assert found.pop("on_train_batch_end") == [watch.on_train_batch_end, heir.on_train_batch_end]
    assert not any(found.values())


class Asking(torch.optim.SGD):
    def step(self, closure: Callable[[], float]) -> float:  # type: ignore[override]
        """An update that needs the loss."""
        closure()
        return closure()


class Peeking(LitFeedForward):
    def on_after_backward(self) -> None:
        """A hook of the module itself."""


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (Peeking, {}),
        (LitFeedForward, {"profiler": "simple"}),
        (partial(LitFeedForward, optimizer=partial(Asking, lr=0.1)), {}),
        (LitFeedForward, {"strategy": "ddp"}),
    ],
    ids=["a hook of the module", "a profiler", "an optimizer that asks again", "DDP"],
)
def test_all_else_goes_lightnings_way(
    kind: Callable[..., LitFeedForward], settings: dict[str, Any], tmp_path: Path
) -> None:
    answers = []

    class Ask(Callback):
        def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            answers.append(loop.usual(trainer))

    torch.manual_seed(0)
    module = kind(FNN(64, 10, hidden=(8,)), loss=CrossEntropy())
    off = ("enable_checkpointing", "enable_progress_bar", "enable_model_summary", "logger")
    Trainer(
        **dict.fromkeys(off, False),
        **settings,
        accelerator="cpu",
        default_root_dir=tmp_path,
        max_steps=1,
        callbacks=[Ask()],
    ).fit(module, datamodule=Digits())
    assert answers == [False]
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
