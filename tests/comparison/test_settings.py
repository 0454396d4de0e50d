"""Which settings tell runs apart, and what they are called."""

from collections.abc import Callable
from typing import Any

import pytest

from zoo.comparison import Run
from zoo.comparison.settings import (
    canonical,
    label,
    normalised,
    resolved,
    short,
    telling,
    worded,
)
from zoo.config import ConfigError

Make = Callable[..., Run]


def told(runs: list[Run], given: list[Any] | None = None) -> list[str]:
    return telling(normalised(runs), given or [0] * len(runs))


def test_seeds_and_places_do_not_tell_apart(run: Make) -> None:
    runs = [
        run(seed=s, data__seed=s, run_dir=f"{s}", trainer__default_root_dir=f"{s}",
            callbacks__checkpoint__dirpath=f"{s}", logger__tensorboard__folder=f"{s}",
            target=f"val/accuracy:0.{s}", data__workers=s)
        for s in range(3)
    ]  # fmt: skip
    assert told(runs) == []


def test_what_follows_from_the_model_is_left_out(run: Make) -> None:
    runs = [
        run(choices__model="fnn", model__net__hidden=[64], data__view="vector"),
        run(choices__model="lstm", model__net__hidden_size=64, data__view="sequence"),
        run(choices__model="cnn", model__net__channels=[8], data__view="image"),
    ]
    assert told(runs) == ["choices.model"]


def test_of_several_settings_as_few_as_can_be(run: Make) -> None:
    runs = [
        run(optimizer__lr=lr, optimizer__weight_decay=lr / 10, trainer__max_epochs=epochs)
        for lr in (1e-2, 1e-3, 1e-4)
        for epochs in (5, 10)
    ]
    assert told(runs) == ["optimizer.lr", "trainer.max_epochs"]


def test_names_come_first_and_are_refined(run: Make) -> None:
    runs = [
        run(name=name, choices__model="fnn", model__net__activation=name, model__net__depth=depth)
        for name in ("tanh", "relu")
        for depth in (2, 8)
    ]
    assert told(runs) == ["name", "model.net.depth"]


def test_data_that_tells_apart_already(run: Make) -> None:
    runs = [run(choices__model="fnn", data__length=n, trainer__max_epochs=n) for n in (50, 100)]
    assert told(runs, given=[50, 100]) == []


def test_patience_and_averages_change_what_is_learned(run: Make) -> None:
    runs = [run(callbacks__early_stopping__patience=p, callbacks__doctor__x=p) for p in (1, 5)]
    assert told(runs) == ["callbacks.early_stopping.patience"]


def test_a_setting_that_an_older_version_lacked(run: Make) -> None:
    net = {"model__net___target_": "zoo.models.LSTM", "choices__model": "lstm"}
    old, new = run(**net), run(**net, model__net__forget_bias=1.0, name=None, target=None)
    other = run(choices__model="fnn", model__net___target_="zoo.models.FNN")
    assert told([old, new, other]) == ["choices.model"]
    rows = normalised([old, new, other])
    assert rows[0]["model.net.forget_bias"] == canonical(1.0)
    assert "model.net.forget_bias" not in rows[2]
    # Where it has several values since, none of them is known to be the old one; but null.
    data = {"data___target_": "zoo.data.Digits"}
    newer = [run(**data, data__train_samples=n) for n in (None, 200)]
    rows = normalised([run(**data), *newer])
    assert rows[0]["data.train_samples"] == "null"


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [(1, 1.0, True), (1, True, False), ("1", 1, False), ([1, 2], [1, 2], True), (None, "", False)],
)
def test_equal_values_are_equal_text(a: object, b: object, same: bool) -> None:
    assert (canonical(a) == canonical(b)) is same


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.005, "0.005"),
        (1e-5, "1e-05"),
        (3, "3"),
        ([64, 32], "[64,32]"),
        (True, "true"),
        (None, "null"),
        ("adamw", "adamw"),
        (float("inf"), "inf"),
        ([["a", 1]], "[[a,1]]"),
    ],
)
def test_values_as_they_are_read(value: object, text: str) -> None:
    assert worded(canonical(value)) == text


KEYS = [
    *("choices.model", "optimizer.lr", "regularization.l1.weight", "regularization.l2.weight"),
    *("data.length", "data.augmentation.noise.lr", "model.net.hidden_size"),
]


def test_keys_are_as_short_as_they_can_be() -> None:
    assert [short(key, KEYS) for key in KEYS[:5]] == [
        *("model", "lr", "l1.weight", "l2.weight", "length"),
    ]


def test_a_key_is_known_by_its_end() -> None:
    for word in ("model", "choices.model"):
        assert resolved(word, KEYS) == "choices.model"
    assert resolved("lr", KEYS) == "optimizer.lr"
    assert resolved("l2.weight", KEYS) == "regularization.l2.weight"
    with pytest.raises(ConfigError, match="by=hidden_sise: .*nearest: hidden_size"):
        resolved("hidden_sise", KEYS)
    with pytest.raises(ConfigError, match=r"by=weight may be \S+l1.weight or \S+l2.weight"):
        resolved("weight", KEYS)


def test_labels() -> None:
    row = {key: canonical(value) for key, value in {
        "choices.model": "lstm", "choices.optimizer": "sgd", "model.net.hidden_size": 64,
        "name": None,
    }.items()}  # fmt: skip
    keys = ["choices.model", "model.net.hidden_size", "model.net.channels"]
    assert label(row, keys, keys) == "lstm hidden_size=64"
    assert label(row, ["name", "choices.model"], row) == "lstm"
    assert label(row, ["choices.optimizer"], row) == "sgd"
    assert label(row, ["choices.model", "choices.optimizer"], row) == "lstm optimizer=sgd"
    assert label({**row, "name": '"ours"'}, ["name"], row) == "ours"
