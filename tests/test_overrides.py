"""What wins over what, and whether the names that people guess arrive where they should."""

import shlex
from collections.abc import Callable
from typing import Any

import pytest
from omegaconf import DictConfig

from zoo.validation import check


def test_data_proposes(composed: Callable[..., DictConfig]) -> None:
    cfg = composed("data=diabetes")
    assert cfg.loss._target_ == "zoo.losses.MSE" and "rmse" in cfg.metrics
    assert cfg.choices.loss == "mse"
    assert composed("data=digits").loss._target_ == "zoo.losses.CrossEntropy"


def test_the_model_overrules_the_data(composed: Callable[..., DictConfig]) -> None:
    for data in ("digits", "diabetes"):
        cfg = composed("model=vae", f"data={data}")
        assert cfg.loss._target_ == "zoo.losses.NegativeELBO"
        assert list(cfg.metrics) == ["squared_error"]
        assert cfg.data.scaling == "unit"
    assert composed("model=lstm", "data=digits").data.view == "sequence"


def test_the_experiment_overrules_both(composed: Callable[..., DictConfig]) -> None:
    cfg = composed("experiment=adding_lstm")
    assert (cfg.choices.model, cfg.choices.data, cfg.data.length) == ("lstm", "adding", 100)
    assert list(composed("experiment=sparse_autoencoder").regularization) == ["sparsity"]


def test_the_command_line_wins(composed: Callable[..., DictConfig]) -> None:
    cfg = composed("experiment=adding_lstm", "data.length=7", "model=gru", "optimizer=sgd")
    assert (cfg.data.length, cfg.choices.model) == (7, "gru")
    assert cfg.optimizer._target_ == "torch.optim.SGD"
    assert composed("data=diabetes", "loss=huber").loss._target_ == "zoo.losses.Huber"
    cfg = composed("model=autoencoder", "loss=mae", "metrics=regression", "data.scaling=none")
    assert (cfg.choices.loss, cfg.data.scaling) == ("mae", "none")
    assert list(cfg.metrics) == ["mae", "rmse", "r2"]
    assert composed("loss=mae", "model=autoencoder").choices.loss == "mae"


# The names that people guess, and where they must have arrived.
OVERRIDES = {
    "model=lstm model.net.hidden_size=64": ("model.net.hidden_size", 64),
    "model.net.hidden=[64,64]": ("model.net.hidden", [64, 64]),
    "model.net.activation=tanh": ("model.net.activation", "tanh"),
    "model.net.dropout=0.2": ("model.net.dropout", 0.2),
    "optimizer=adamw optimizer.lr=1e-3": ("optimizer.lr", 1e-3),
    "scheduler=cosine": ("choices.scheduler", "cosine"),
    "loss=huber data=diabetes": ("choices.loss", "huber"),
    "regularization=l2 regularization.l2.weight=1e-4": ("regularization.l2.weight", 1e-4),
    "regularization=[l1,l2] regularization.l1.weight=1e-3": ("regularization.l1.weight", 1e-3),
    "data=digits data.batch_size=64 data.view=rows model=gru": ("data.view", "rows"),
    "trainer.max_epochs=20": ("trainer.max_epochs", 20),
    "trainer.gradient_clip_val=1.0": ("trainer.gradient_clip_val", 1.0),
    "trainer=gpu": ("trainer.accelerator", "gpu"),
    "trainer=ddp": ("trainer.strategy._target_", "zoo.lit.strategies.ddp"),
    "trainer=ddp trainer.strategy=ddp_spawn": ("trainer.strategy", "ddp_spawn"),
    "trainer=cpu": ("trainer.accelerator", "cpu"),
    "trainer=fast_cpu": ("trainer.precision", "bf16-mixed"),
    "seed=0": ("seed", 0),
    "seed=7": ("data.seed", 7),
    "experiment=deep_sigmoid": ("model.net.activation", "sigmoid"),
    "debug=fast": ("trainer.max_epochs", 1),
    "debug=overfit": ("data.shuffle", False),
    "debug=profile": ("trainer.profiler.filename", "profile"),
    "callbacks=[default,early_stopping] callbacks.early_stopping.patience=3": (
        "callbacks.early_stopping.patience",
        3,
    ),
    "loss.label_smoothing=0.1": ("loss.label_smoothing", 0.1),
    "logger=none": ("logger", {}),
    "resume=runs/digits/fnn/x": ("resume", "runs/digits/fnn/x"),
}


@pytest.mark.usefixtures("gpu_found")
@pytest.mark.parametrize(
    "line",
    [  # each second one is a slow test
        pytest.param(line, marks=[pytest.mark.slow] * (number % 2))
        for number, line in enumerate(OVERRIDES)
    ],
)
def test_names_that_people_guess(line: str, composed: Callable[..., DictConfig]) -> None:
    cfg = composed(*shlex.split(line))
    check(cfg)
    path, expected = OVERRIDES[line]
    value: Any = cfg
    for part in path.split("."):
        value = value[part]
    assert value == expected
