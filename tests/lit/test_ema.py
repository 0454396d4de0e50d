"""The average of the weights: what it is, where it counts, and what it leaves alone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor, nn

import zoo
from zoo.callbacks import EMA
from zoo.data import Split
from zoo.evaluate import evaluate
from zoo.lit import LitFeedForward
from zoo.losses import MSE
from zoo.models import CNN, FNN
from zoo.train import train

WORDS = ("data=wine", "data.batch_size=32", "trainer.max_epochs=3")


class Weights(pl.Callback):
    """Keeps what the net holds after each update, and in each validation."""

    def __init__(self) -> None:
        self.trained: list[dict[str, Tensor]] = []
        self.validated: list[dict[str, Tensor]] = []

    def on_train_start(self, trainer: Any, module: Any) -> None:
        self.start = copied(module)

    def on_train_batch_end(self, trainer: Any, module: Any, *_: Any) -> None:
        if len(self.trained) < trainer.global_step:
            self.trained.append(copied(module))

    def on_validation_batch_start(self, trainer: Any, module: Any, *_: Any) -> None:
        self.validated.append(copied(module))


def copied(module: Any) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.net.state_dict().items()}


def trained(
    fit: Callable[..., Any], ema: EMA, net: nn.Module, *shape: int, **flags: Any
) -> Weights:
    """Fit a net on twelve samples in three batches an epoch, with four for validation."""
    random, seen = torch.Generator().manual_seed(0), Weights()
    x = torch.randn(16, *shape, generator=random)
    y = torch.randn(16, 1, generator=random)
    module = LitFeedForward(net, loss=MSE())
    fit(module, Split(x[:12], y[:12]), Split(x[12:], y[12:]), callbacks=[ema, seen], **flags)
    return seen


@pytest.mark.parametrize(
    ("decay", "warmup", "shares"),
    [
        (0.5, 1.0, [0.5, 0.5, 0.5, 0.5, 0.5, 0.5]),
        # (1 + t) / (4 + t), until it is more than decay
        (0.6, 4.0, [1 / 4, 2 / 5, 3 / 6, 4 / 7, 0.6, 0.6]),
    ],
)
def test_average_is_the_recurrence_written_out(
    fit: Callable[..., Any], decay: float, warmup: float, shares: list[float]
) -> None:
    net = FNN(3, 1, hidden=(4,))
    seen = trained(fit, EMA(decay, warmup=warmup), net, 3, max_epochs=2)
    average = {name: value.double() for name, value in seen.start.items()}
    at_epochs = []
    for share, weights in zip(shares, seen.trained, strict=True):
        for name, value in weights.items():
            average[name] = share * average[name] + (1 - share) * value.double()
        at_epochs.append({name: value.float() for name, value in average.items()})
    for found, expected in zip(seen.validated, (at_epochs[2], at_epochs[5]), strict=True):
        torch.testing.assert_close(found, expected)
    # Afterwards the net in memory has the average.
    torch.testing.assert_close(dict(net.state_dict()), at_epochs[5])


def test_an_update_of_several_batches_counts_once(fit: Callable[..., Any]) -> None:
    ema = EMA(0.5, warmup=1.0)
    trained(fit, ema, FNN(3, 1), 3, max_epochs=2, accumulate_grad_batches=2)
    assert ema.updates == 4  # of three batches an epoch


def test_statistics_of_batch_norm_are_averaged_and_its_counts_copied(
    fit: Callable[..., Any],
) -> None:
    net = CNN((1, 4, 4), 1, channels=(2,), norm="batch")
    seen = trained(fit, EMA(0.5, warmup=1.0), net, 1, 4, 4)
    [mean] = [name for name in seen.start if name.endswith("running_mean")]
    [count] = [name for name in seen.start if name.endswith("num_batches_tracked")]
    [found] = seen.validated
    expected = seen.start[mean]
    for weights in seen.trained:
        expected = (expected + weights[mean]) / 2
    torch.testing.assert_close(found[mean], expected)
    assert found[count] == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"decay": 1.0}, r"`decay` must be in \[0, 1\), got 1.0"),
        ({"decay": -0.1}, r"`decay` must be in \[0, 1\), got -0.1"),
        ({"warmup": 0.5}, "`warmup` must be at least 1, which is none, got 0.5"),
    ],
)
def test_what_it_refuses(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EMA(**settings)


# --- in a run ----------------------------------------------------------------------------------


@pytest.fixture
def runs(composed: Callable[..., Any], tmp_path: Path) -> Callable[..., Path]:
    """A function (name, *overrides) that trains into tmp_path / name."""

    def begin(name: str, *overrides: str) -> Path:
        train(composed(*WORDS, *overrides, run_dir=tmp_path / name))
        return tmp_path / name

    return begin


def saved(folder: Path, name: str = "last.ckpt") -> dict[str, Any]:
    return torch.load(folder / "checkpoints" / name, weights_only=True)


def test_training_is_what_it_is_without(runs: Callable[..., Path]) -> None:
    plain, averaged = saved(runs("a")), saved(runs("b", "callbacks=[default,ema]"))
    assert all(
        torch.equal(value, averaged["ema"]["weights"][name])
        for name, value in plain["state_dict"].items()
    )
    assert plain["state_dict"].keys() == averaged["state_dict"].keys()
    assert not all(
        torch.equal(value, averaged["state_dict"][name])
        for name, value in plain["state_dict"].items()
    )


def test_the_average_is_validated_tested_and_loaded(
    runs: Callable[..., Path], composed: Callable[..., Any]
) -> None:
    folder = runs("a", "callbacks=[default,ema]", "callbacks.ema.decay=0.9")
    row = json.loads((folder / "metrics.json").read_text())
    best = saved(folder, "best.ckpt")
    assert all(
        torch.equal(value, best["state_dict"][f"net.{name}"])
        for name, value in zoo.load(folder).state_dict().items()
    )
    for split, expected in (("test", row["test/loss"]), ("val", row["best/loss"])):
        words = (f"checkpoint={folder}", f"split={split}", "trainer=cpu")
        numbers = evaluate(composed(*words, name="evaluate"))
        assert numbers[f"{split}/loss"] == pytest.approx(expected, rel=1e-6)
