"""Data that may have classes or values: loss and metrics follow, unless somebody chose them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import DictConfig

from zoo.config import ConfigError
from zoo.partners import follow_target
from zoo.runs import build
from zoo.validation import check

HOUSES = "data=table data.path=houses.csv data.target=price data.task=regression"


def kept(cfg: DictConfig) -> tuple[str, str, list[str]]:
    return cfg.choices.loss, cfg.loss._target_.rpartition(".")[2], list(cfg.metrics or {})


def test_a_table_of_values(composed: Callable[..., DictConfig]) -> None:
    cfg = composed(*HOUSES.split())
    check(cfg)
    assert kept(cfg) == ("mse", "MSE", ["mae", "rmse", "r2"])


def test_a_table_of_classes_is_as_proposed(composed: Callable[..., DictConfig]) -> None:
    cfg = composed(*HOUSES.replace("regression", "classification").split())
    check(cfg)
    assert kept(cfg) == ("cross_entropy", "CrossEntropy", ["accuracy"])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("loss=huber", ("huber", "Huber", ["mae", "rmse", "r2"])),
        ("metrics=none", ("mse", "MSE", [])),
        ("loss=mae metrics=reconstruction", ("mae", "MAE", ["squared_error"])),
    ],
)
def test_what_was_typed_stays(
    words: str, expected: Any, composed: Callable[..., DictConfig]
) -> None:
    cfg = composed(*HOUSES.split(), *words.split())
    check(cfg)
    assert kept(cfg) == expected


@pytest.mark.parametrize("words", ["loss=cross_entropy", "loss.label_smoothing=0.1"])
def test_what_was_typed_and_cannot_be_is_a_mistake(
    words: str, composed: Callable[..., DictConfig]
) -> None:
    with pytest.raises(ConfigError, match="loss=cross_entropy compares class labels.*loss=mse"):
        check(composed(*HOUSES.split(), words))


def test_an_autoencoder_compares_its_input_whatever_the_task(
    composed: Callable[..., DictConfig],
) -> None:
    cfg = composed(*HOUSES.split(), "model=autoencoder", "model.net.output=identity")
    check(cfg)
    assert kept(cfg) == ("mse", "MSE", ["squared_error"])


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (np.arange(40) / 7, ("mse", "MSE", ["mae", "rmse", "r2"])),
        (np.arange(40) % 4, ("cross_entropy", "CrossEntropy", ["accuracy"])),
    ],
)
def test_arrays_tell_once_they_are_read(
    target: np.ndarray, expected: Any, composed: Callable[..., DictConfig], tmp_path: Path
) -> None:
    np.savez(tmp_path / "mine.npz", x=np.random.default_rng(0).normal(size=(40, 3)), y=target)
    cfg = composed("data=arrays", f"data.path={tmp_path / 'mine.npz'}")
    check(cfg)
    assert kept(cfg) == ("cross_entropy", "CrossEntropy", ["accuracy"])
    data, module = build(cfg)
    assert kept(cfg) == expected
    assert type(module.loss).__name__ == expected[1]
    assert data.facts["out_features"] == (1 if expected[0] == "mse" else 4)


def test_unknown_targets_change_nothing(composed: Callable[..., DictConfig]) -> None:
    cfg = composed("data=arrays", "data.path=mine.npz")
    assert not follow_target(cfg, None)
    assert follow_target(cfg, "values")
    assert not follow_target(cfg, "values")
