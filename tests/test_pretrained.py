"""The weights that come with the package: what their cards say is so."""

import hashlib
import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig

import zoo
from zoo.build import make
from zoo.checkpoint import contents
from zoo.pretrained import names
from zoo.pretrained.index import WEIGHTS
from zoo.runs import build, quiet, scalars
from zoo.validation import check

BUNDLED = ("digits", "adding")  # data that needs no file
SHARED = Path(__file__).parent.parent.parent / "shared" / "data"
ROOT = Path(os.environ.get("ZOO_DATA", SHARED))
MIB = 2**20
WANTED = {
    *("fnn/digits", "cnn/digits", "rnn/digits", "gru/digits", "lstm/digits"),
    *("lenet5/mnist", "fnn/mnist", "autoencoder/mnist", "vae/mnist"),
    *("cnn/fashion_mnist", "conv_autoencoder/fashion_mnist"),
    *("lstm/adding", "lstm/tiny_shakespeare"),
}


def test_all_that_are_promised_are_there() -> None:
    assert set(names()) == WANTED
    assert set(zoo.list_models(pretrained=True)) == {name.partition("/")[0] for name in WANTED}


def test_together_they_are_small() -> None:
    files = [file for file in WEIGHTS.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= 8e6
    kinds = {"config.json", "model.safetensors", "preprocessing.json", "README.md"}
    assert {file.name for file in files} == kinds


@pytest.mark.parametrize("name", sorted(WANTED))
def test_the_config_knows_its_weights(name: str) -> None:
    config = json.loads((WEIGHTS / name / "config.json").read_text(encoding="utf-8"))
    weights = (WEIGHTS / name / "model.safetensors").read_bytes()
    assert config["weights_sha256"] == hashlib.sha256(weights).hexdigest()


@pytest.mark.parametrize("name", sorted(WANTED))
def test_the_card_says_where_they_come_from(name: str) -> None:
    model, _, data = name.partition("/")
    found = contents(name)
    card = found.card
    words = {"command", "data_sha256", "seed", "versions", "metrics", "license", "data_license"}
    assert words <= set(card) and card["command"].startswith("zoo-train ")
    text = (WEIGHTS / name / "README.md").read_text(encoding="utf-8")
    for value in (card["command"], card["data_sha256"], card["versions"]["torch"]):
        assert value in text
    assert found.preprocessing is not None
    net = zoo.create_model(model, pretrained=data)
    assert not net.training and type(net) is type(found.net)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=() if n.endswith("/digits") else pytest.mark.slow)
        for n in sorted(WANTED)
    ],
)
def test_they_reach_what_the_card_says(
    name: str, composed: Callable[..., DictConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    if name.partition("/")[2] not in BUNDLED and not ROOT.is_dir():
        pytest.skip(f"there is no folder {ROOT}, nor $ZOO_DATA")
    monkeypatch.setenv("ZOO_DATA", str(ROOT))
    found = contents(name)
    cfg = composed(*shlex.split(found.card["command"])[1:])
    check(cfg)
    data, module = build(cfg)
    module.net.load_state_dict(found.net.state_dict())
    quiet()
    trainer = make(cfg.trainer, logger=False, enable_checkpointing=False)
    got: dict[str, float] = {}
    for measure in (trainer.validate, trainer.test):
        measure(module, data, verbose=False)
        got |= scalars(trainer)
    stated = found.card["metrics"]
    assert {key.partition("/")[0] for key in stated} == {"val", "test"}
    assert {key: got.get(key) for key in stated} == pytest.approx(stated, rel=1e-4, abs=1e-6)


def test_digits_are_read_as_a_loop_written_out_reads_them() -> None:
    from sklearn.datasets import load_digits

    from zoo.data.splits import stratified

    x, y = load_digits(return_X_y=True)
    labels = torch.from_numpy(y)
    test = stratified(labels, seed=0).test
    answer = zoo.load("cnn/digits", with_preprocessing=True)
    answers = answer(x[test].reshape(-1, 1, 8, 8))
    right = [a["label"] == str(int(t)) for a, t in zip(answers, labels[test], strict=True)]
    assert sum(right) / len(right) > 0.98


def test_another_head_starts_anew_on_the_same_features() -> None:
    plain: Any = zoo.create_model("lenet5", pretrained="mnist")
    net: Any = zoo.create_model("lenet5", pretrained="mnist", out_features=26)
    x = torch.randn(2, 1, 28, 28)
    assert net(x).shape == (2, 26)
    torch.testing.assert_close(net.features(x), plain.features(x), rtol=0, atol=0)


def test_what_they_are_like_may_be_said() -> None:
    net: Any = zoo.create_model("cnn", pretrained="digits", in_shape=(1, 8, 8), out_features=10)
    plain: Any = zoo.create_model("cnn", pretrained="digits")
    assert all(torch.equal(value, net.state_dict()[k]) for k, value in plain.state_dict().items())


@pytest.mark.parametrize(
    ("model", "data", "arguments", "message"),
    [
        ("lenet5", "imagenet", {}, "those of lenet5: mnist"),
        ("resnet", "mnist", {}, "no weights 'mnist' of 'resnet'"),
        ("lenet5", "mnist", {"pool": "max"}, "`pool` = 'average', got 'max'"),
        ("lenet5", "../mnist", {}, "no weights '../mnist'"),
        ("lenet5", "mnist", {"pol": "max"}, "no argument `pol`; did you mean 'pool'"),
    ],
)
def test_what_there_is_not_is_named(
    model: str, data: str, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        zoo.create_model(model, pretrained=data, **arguments)
