"""Answers to the raw test split have the very error that the run reported."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import zoo
from zoo.build import make
from zoo.data import DataModule
from zoo.predictor import Predictor
from zoo.train import train


class Run(NamedTuple):
    predictor: Predictor
    data: DataModule
    metrics: dict[str, float]


@pytest.fixture
def trained(composed: Callable[..., Any], tmp_path: Path) -> Callable[..., Run]:
    """A function (*overrides) -> a run of one epoch, loaded from its folder."""

    def run(*words: str) -> Run:
        quiet = ("trainer.max_epochs=1", "pictures=none", "logger=none")
        cfg = composed(*words, *quiet)
        train(cfg)
        data = make(cfg.data)
        data.setup()
        metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
        return Run(zoo.load(tmp_path / "run", with_preprocessing=True), data, metrics)

    return run


@pytest.mark.slow
@pytest.mark.parametrize("model", ["cnn", "lstm", "fnn"])
def test_accuracy_of_images(model: str, trained: Callable[..., Run]) -> None:
    predictor, data, metrics = trained(f"model={model}", "data=digits")
    test = data.splits["test"]
    answers = zoo.predict(predictor, test.x.numpy(), batch_size=100)
    names = [data.class_names[int(y)] for y in test.y]  # type: ignore[index]
    accuracy = np.mean([a["label"] == name for a, name in zip(answers, names, strict=True)])
    assert accuracy == pytest.approx(metrics["test/accuracy"], abs=1e-6)
    assert 0.2 < accuracy < 1


@pytest.mark.slow
@pytest.mark.parametrize("model", ["autoencoder", "conv_autoencoder"])
def test_scores_of_reconstructions(model: str, trained: Callable[..., Run]) -> None:
    predictor, data, metrics = trained(f"model={model}", "data=digits")
    scores = [a["score"] for a in predictor.stream(data.splits["test"].x.numpy())]
    assert np.mean(scores) == pytest.approx(metrics["test/squared_error"], rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["mse", "gaussian_nll"])
def test_error_of_values(loss: str, trained: Callable[..., Run]) -> None:
    from sklearn.datasets import load_diabetes

    predictor, data, metrics = trained("model=fnn", "data=diabetes", f"loss={loss}")
    source = load_diabetes(scaled=False)
    test = data.splits["test"]
    # Whichever rows the test split has, by what they hold.
    places = [int(np.abs(source.data - row).sum(1).argmin()) for row in test.x.numpy()]
    rows = [dict(zip(source.feature_names, source.data[i], strict=True)) for i in places]
    found = np.array([answer["values"][0] for answer in predictor(rows)])
    error = np.sqrt(np.mean((found - source.target[places]) ** 2))
    assert error == pytest.approx(metrics["test/rmse"], rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("relative", ["true", "false"])
def test_error_of_forecasts(relative: str, trained: Callable[..., Run]) -> None:
    predictor, data, metrics = trained("model=gru", "data=series", f"data.relative={relative}")
    rows, starts = data.known[:, 0], data.starts["test"]  # type: ignore[attr-defined]
    window, horizon = data.window, data.horizon  # type: ignore[attr-defined]
    answers = predictor([rows[i - window : i] for i in starts])
    found = np.array([answer["values"] for answer in answers])[:, :, 0]
    truth = np.stack([rows[i : i + horizon] for i in starts])
    assert np.sqrt(np.mean((found - truth) ** 2)) == pytest.approx(metrics["test/rmse"], rel=1e-5)
