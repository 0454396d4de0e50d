"""What watches a run: the baseline of PCA, hyperparameters as a table, the graph, progress."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import DictConfig

from zoo.callbacks import Baselines, PCABaseline, Progress
from zoo.callbacks.baseline import pca_error
from zoo.callbacks.tensorboard import add_graph, flat
from zoo.config import conf_dir, fill, plain
from zoo.data import Batch, Digits, Split
from zoo.lit import LitFeedForward
from zoo.losses import MSE
from zoo.models import FNN, LSTM, VAE, Autoencoder
from zoo.rehearsal import stand_ins

MODELS = sorted(path.stem for path in (conf_dir() / "model").glob("*.yaml"))


@pytest.mark.parametrize("components", [1, 3, 8, 100])  # of the last there are 8
def test_pca_error_is_that_of_the_singular_vectors(components: int) -> None:
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(8, 8))
    train, test = rng.normal(size=(40, 8)) @ mixing + 3, rng.normal(size=(15, 8)) @ mixing + 3
    mean = train.mean(0)
    _, _, directions = np.linalg.svd(train - mean, full_matrices=False)
    kept = directions[:components]
    rest = (test - mean) - (test - mean) @ kept.T @ kept
    expected = (rest**2).sum() / 15
    value = pca_error(torch.tensor(train), torch.tensor(test), components)
    assert value == pytest.approx(expected, abs=1e-9)


def test_the_baseline_is_of_the_test_split_as_the_net_sees_it() -> None:
    data = Digits(view="image", scaling="unit")
    data.setup()
    rows: list[dict[str, float]] = []
    logger = SimpleNamespace(log_metrics=lambda row, step: rows.append(row))
    trainer = SimpleNamespace(
        is_global_zero=True, datamodule=data, callback_metrics={}, loggers=[logger], global_step=1
    )
    PCABaseline().on_test_end(trainer, SimpleNamespace(net=Autoencoder(64, 4)))
    train, test = (data.splits[name].x.flatten(1).numpy() / 16 for name in ("train", "test"))
    mean = train.mean(0)
    _, _, directions = np.linalg.svd(train - mean, full_matrices=False)
    rest = (test - mean) - (test - mean) @ directions[:4].T @ directions[:4]
    expected = (rest**2).sum(1).mean()
    value = trainer.callback_metrics["baseline/squared_error"].item()
    assert value == pytest.approx(expected, rel=1e-5)
    assert rows == [{"baseline/squared_error": pytest.approx(expected, rel=1e-5)}]


@pytest.mark.parametrize(
    ("reconstructs", "data", "expected"),
    [
        (False, SimpleNamespace(baselines=lambda: {"rmse": 2.0}), [{"baseline/rmse": 2.0}]),
        (True, SimpleNamespace(baselines=lambda: {"rmse": 2.0}), []),
        (False, SimpleNamespace(), [{}]),  # a data module from elsewhere
        (False, None, [{}]),  # loaders handed to `fit`
    ],
)
def test_a_baseline_is_that_of_the_target(
    reconstructs: bool, data: Any, expected: list[dict[str, float]]
) -> None:
    rows: list[dict[str, float]] = []
    trainer = SimpleNamespace(
        is_global_zero=True,
        datamodule=data,
        callback_metrics={},
        ckpt_path="last.ckpt",  # continued: the level has its beginning
        loggers=[SimpleNamespace(log_metrics=lambda row, step: rows.append(row))],
        global_step=1,
    )
    callback, module = Baselines(), SimpleNamespace(reconstructs=reconstructs)
    callback.on_fit_start(trainer, module)
    assert rows == []
    callback.on_test_end(trainer, module)
    assert rows == expected
    assert trainer.callback_metrics == {k: torch.tensor(v) for r in expected for k, v in r.items()}


def test_hyperparameters_are_a_flat_table() -> None:
    net = {"_target_": "zoo.models.FNN", "hidden": [64, 32], "bias": True, "norm": None}
    config = {"seed": 0, "resume": None, "run_dir": "/somewhere", "choices": {"model": "fnn"}}
    config |= {"model": {"net": net}, "optimizer": {"lr": 0.001}, "trainer": {"devices": 1}}
    assert flat(config) == {
        **{"seed": 0.0, "model": "fnn", "model.net.hidden": "64, 32", "model.net.bias": True},
        **{"optimizer.lr": 0.001, "trainer.devices": "1"},
    }


@pytest.mark.slow
def test_a_hyperparameter_has_one_type_in_every_run(composed: Callable[..., DictConfig]) -> None:
    kinds: dict[str, set[type]] = {}
    runs = [[f"model={model}"] for model in MODELS] + [
        ["data=diabetes", "scheduler=step", "optimizer=sgd", "trainer.limit_train_batches=3"],
        ["model=lstm", "data=adding", "model.truncate=5", "model.net.embedding=8"],
        ["regularization=[l1,l2]", "trainer=fast_cpu", "trainer.limit_train_batches=0.5"],
        ["trainer=ddp", "trainer.devices=auto", "trainer.gradient_clip_val=1"],
        ["scheduler=none", "trainer.precision=16", "trainer.deterministic=warn"],
        ["trainer.precision=bf16-mixed", "trainer.deterministic=true", "trainer.max_time=1:00"],
    ]
    for overrides in runs:
        cfg = composed(*overrides)
        fill(cfg, stand_ins(cfg.data, 32))
        for key, value in flat(plain(cfg)).items():
            assert value is not None, key
            assert "${" not in str(value) and "None" not in str(value), (key, value)
            kinds.setdefault(key, set()).add(type(value))
    assert {key: found for key, found in kinds.items() if len(found) > 1} == {}
    assert set().union(*kinds.values()) <= {float, bool, str}


@pytest.mark.parametrize(
    "net", [FNN(6, 2, dropout=0.5, norm="batch"), LSTM(6, 3), VAE(6, 2, norm="batch")]
)
def test_the_graph_leaves_net_and_random_numbers_alone(net: torch.nn.Module) -> None:
    class Writer:
        model: Any = None

        def add_graph(self, model: Any, x: torch.Tensor, **settings: Any) -> None:
            self.model = model
            torch.jit.trace(model, x, strict=False)

    x = torch.rand(3, 4, 6) if isinstance(net, LSTM) else torch.rand(3, 6)
    net.train()
    next(net.children()).eval()  # a part that is frozen stays frozen
    before = {name: value.clone() for name, value in net.state_dict().items()}
    modes = [module.training for module in net.modules()]
    random = torch.get_rng_state()
    writer: Any = Writer()
    add_graph(writer, net, Batch(x, x))
    assert torch.equal(torch.get_rng_state(), random)
    assert [module.training for module in net.modules()] == modes
    torch.testing.assert_close(net.state_dict(), before, rtol=0, atol=0)


def test_progress_is_quiet_unless_somebody_looks(
    fit: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    split = Split(torch.randn(6, 3), torch.randn(6, 1))
    for show in (None, True):
        module = LitFeedForward(FNN(3, 1), loss=MSE())
        fit(module, split, split, batch_size=2, max_epochs=2, callbacks=[Progress(show=show)])
        printed = capsys.readouterr()
        assert printed.out == ""
        if show is None:  # the error output of a test is no terminal
            assert printed.err == ""
        else:
            assert "6/6" in printed.err and "val/loss" in printed.err
