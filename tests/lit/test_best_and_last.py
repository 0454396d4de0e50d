"""Checkpoints of the best and the last epoch: whole files, whatever ends the run."""

import math
import os
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import Callback

from zoo.callbacks import Checkpoint
from zoo.data import Split
from zoo.lit import LitFeedForward
from zoo.losses import MSE
from zoo.models import FNN


class Run(SimpleNamespace):
    """A trainer for which an epoch is a number: its checkpoints hold the epoch's."""

    def __init__(self) -> None:
        loop = SimpleNamespace(batch_idx=0, _data_fetcher=None)
        loop.epoch_loop = SimpleNamespace(
            _should_check_val_fx=lambda fetcher: False, _is_training_done=False
        )
        super().__init__(is_global_zero=True, is_last_batch=False, world_size=1, fit_loop=loop)
        self.accumulate_grad_batches = 1
        self.current_epoch, self.callback_metrics = 0, {}

    def save_checkpoint(self, path: Path) -> None:
        Path(path).write_text(f"epoch {self.current_epoch}")

    def epoch(self, callback: Checkpoint, number: int, **metrics: float) -> None:
        self.current_epoch = number
        self.callback_metrics = {
            name.replace("_", "/"): torch.tensor(value) for name, value in metrics.items()
        }
        callback.on_train_epoch_end(self, None)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., tuple[Checkpoint, Run, Path]]]:
    handler = signal.getsignal(signal.SIGINT)

    def make(**settings: Any) -> tuple[Checkpoint, Run, Path]:
        callback, run = Checkpoint(str(tmp_path / "checkpoints"), **settings), Run()
        callback.on_fit_start(run, None)
        return callback, run, tmp_path / "checkpoints"

    yield make
    signal.signal(signal.SIGINT, handler)


@pytest.mark.parametrize(("mode", "best"), [("min", 2), ("max", 1)])
def test_best_and_last(started: Callable[..., Any], mode: str, best: int) -> None:
    callback, run, folder = started(mode=mode)
    losses = [0.5, 0.9, 0.1, 0.3, 0.1]  # the second 0.1 is no better than the first
    for number, loss in enumerate(losses):
        run.epoch(callback, number, val_loss=loss, train_loss=-loss)
        assert (folder / "last.ckpt").read_text() == f"epoch {number}"
    assert (folder / "best.ckpt").read_text() == f"epoch {best}"
    assert callback.best["epoch"] == best
    assert callback.best["loss"] == pytest.approx(losses[best])
    assert sorted(path.name for path in folder.iterdir()) == ["best.ckpt", "last.ckpt"]


def test_the_metric_watched_is_the_one_named(started: Callable[..., Any]) -> None:
    callback, run, folder = started(monitor="val/accuracy", mode="max")
    for number, (loss, accuracy) in enumerate([(0.1, 0.5), (0.2, 0.9), (0.05, 0.7)]):
        run.epoch(callback, number, val_loss=loss, val_accuracy=accuracy)
    assert (folder / "best.ckpt").read_text() == "epoch 1"
    assert callback.best["loss"] == pytest.approx(0.2)


def test_an_epoch_that_is_not_a_number_is_never_the_best_for_long(
    started: Callable[..., Any],
) -> None:
    callback, run, folder = started()
    for number, loss in enumerate([math.nan, 0.5, math.nan, 0.7]):
        run.epoch(callback, number, val_loss=loss)
    assert (folder / "best.ckpt").read_text() == "epoch 1"


def test_without_validation_the_best_is_the_last(started: Callable[..., Any]) -> None:
    callback, run, folder = started()
    for number in range(3):
        run.epoch(callback, number, train_loss=1.0)
    assert (folder / "best.ckpt").read_text() == "epoch 2"


def test_a_metric_that_nobody_logs_is_named_with_those_that_are(
    started: Callable[..., Any],
) -> None:
    callback, run, _ = started(monitor="val/acuracy")
    with pytest.raises(ValueError, match="val/acuracy is not logged; there is val/loss"):
        run.epoch(callback, 0, val_loss=1.0)


def test_a_save_that_fails_leaves_the_old_file_whole(started: Callable[..., Any]) -> None:
    callback, run, folder = started()
    run.epoch(callback, 0, val_loss=1.0)

    def full(path: Path) -> None:
        Path(path).write_text("epo")
        raise OSError(28, "No space left on device")

    run.save_checkpoint = full
    with pytest.raises(OSError, match="No space"):
        run.epoch(callback, 1, val_loss=0.5)
    for name in ("last.ckpt", "best.ckpt"):
        assert (folder / name).read_text() == "epoch 0", name


def test_names_are_taken_over_by_renaming(
    started: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process killed at any moment leaves whole files: nothing is ever written under a name."""
    callback, run, folder = started()
    renamed: list[str] = []

    def replace(source: Path, target: Path) -> None:
        assert Path(source).read_text() == "epoch 0"
        renamed.append(Path(target).name)
        os.rename(source, target)

    monkeypatch.setattr("zoo.files.os.replace", replace)
    run.epoch(callback, 0, val_loss=1.0)
    assert renamed == ["best.ckpt", "last.ckpt"]  # the last says which epoch is the best


def test_a_continued_run_knows_the_best_so_far(started: Callable[..., Any]) -> None:
    callback, run, folder = started()
    run.epoch(callback, 0, val_loss=0.2)
    second, _, _ = started()
    second.load_state_dict(callback.state_dict())
    run.epoch(second, 1, val_loss=0.3)
    assert (folder / "best.ckpt").read_text() == "epoch 0"
    run.epoch(second, 2, val_loss=0.1)
    assert (folder / "best.ckpt").read_text() == "epoch 2"


def test_ctrl_c_lets_the_step_end_then_saves_and_stops(started: Callable[..., Any]) -> None:
    callback, run, folder = started()
    signal.raise_signal(signal.SIGINT)
    run.current_epoch = 5
    assert not (folder / "last.ckpt").exists()  # not in the middle of a step
    with pytest.raises(KeyboardInterrupt):
        callback.on_train_batch_end(run)
    assert (folder / "last.ckpt").read_text() == "epoch 5"
    with pytest.raises(KeyboardInterrupt):  # a second one does not wait
        signal.raise_signal(signal.SIGINT)


def test_after_the_fit_ctrl_c_is_pythons_own(started: Callable[..., Any]) -> None:
    callback, run, _ = started()
    callback.on_fit_end(run, None)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_mode_is_checked() -> None:
    with pytest.raises(ValueError, match="`mode` must be min or max"):
        Checkpoint("somewhere", mode="least")  # type: ignore[arg-type]


def test_a_real_best_checkpoint_holds_the_weights_of_its_epoch(
    fit: Callable[..., Any], tmp_path: Path, started: Callable[..., Any]
) -> None:
    class Watch(Callback):
        weights: list[torch.Tensor] = []
        losses: list[float] = []

        def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
            self.weights.append(module.net.head.weight.detach().clone())
            self.losses.append(trainer.callback_metrics["val/loss"].item())

    # On other data than that of the training the loss falls, and then rises.
    train = Split(torch.eye(3), torch.ones(3, 1))
    val = Split(torch.eye(3), torch.full((3, 1), 0.5))
    module = LitFeedForward(
        FNN(3, 1, hidden=(), init="zeros"), loss=MSE(), optimizer=partial(torch.optim.SGD, lr=0.1)
    )
    watch, keep = Watch(), Checkpoint(str(tmp_path / "checkpoints"))
    fit(module, train, val, max_epochs=12, callbacks=[watch, keep], enable_checkpointing=True)
    assert 0 < (best := watch.losses.index(min(watch.losses))) < 11
    for name, epoch in (("best.ckpt", best), ("last.ckpt", 11)):
        saved = torch.load(tmp_path / "checkpoints" / name, weights_only=True)
        torch.testing.assert_close(
            saved["state_dict"]["net.head.weight"], watch.weights[epoch], rtol=0, atol=0
        )
