"""Small nets with preprocessing, whose answers can be worked out by hand, and the command."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

import zoo
from zoo.config import conf_dir
from zoo.models import FNN, GRU, LSTM, VAE, Autoencoder
from zoo.predictor import Predictor
from zoo.preprocessing import (
    ArrayInput,
    CategoryColumn,
    Classes,
    ImageInput,
    LanguageInput,
    NextToken,
    NumberColumn,
    Preprocessing,
    Reconstruction,
    Scaling,
    SeriesInput,
    TableInput,
    TextInput,
    Values,
)

HALF = Scaling(torch.tensor(0.0), torch.tensor(2.0))
PLAIN = Scaling(torch.tensor(0.0), torch.tensor(1.0))
LETTERS = ["<unk>", *"abcdefgh \n"]


def images(limit: float = 16.0, scaling: Scaling = PLAIN) -> ImageInput:
    return ImageInput((1, 4, 4), limit=limit, fit="stretch", view="vector", scaling=scaling)


def image_classes(scaling: Scaling = PLAIN) -> Predictor:
    """The brightness of the first three pixels are the logits."""
    net = FNN(16, 3, hidden=[])
    with torch.no_grad():
        net.head.weight.copy_(torch.eye(3, 16))
        net.head.bias.zero_()
    return Predictor(net, Preprocessing(images(scaling=scaling), Classes(["zero", "one", "two"])))


def table(output: Any) -> Predictor:
    """size / 2 + (colour is red) - 3 (colour is another one), and the negative of that."""
    columns = [NumberColumn("size", scale=2.0), CategoryColumn("colour", ["blue", "red"])]
    net = FNN(4, 2 if output.kind == "classes" else 1, hidden=[])
    row = torch.tensor([1.0, 0.0, 1.0, -3.0])
    with torch.no_grad():
        net.head.weight.copy_(torch.stack([row, -row])[: len(net.head.weight)])
        net.head.bias.zero_()
    return Predictor(net, Preprocessing(TableInput(columns, PLAIN), output))


def numbers() -> Predictor:
    """The values of three numbers are those numbers once more."""
    net = FNN(3, 3, hidden=[])
    with torch.no_grad():
        net.head.weight.copy_(torch.eye(3))
        net.head.bias.zero_()
    reads = ArrayInput((3,), view="vector", scaling=PLAIN)
    return Predictor(net, Preprocessing(reads, Values(PLAIN)))


def series() -> Predictor:
    """Forecasts two rows of "b": once more the last one seen, and the one before it."""
    reads = SeriesInput(
        ["a", "b"],
        seen=2,
        targets=[1],
        window=3,
        shift=np.array([0.0, 100.0]),
        scale=np.array([1.0, 10.0]),
        relative=False,
        view="vector",
    )
    net = FNN(6, 2, hidden=[])
    with torch.no_grad():
        net.head.weight.zero_()
        net.head.weight[0, 5] = net.head.weight[1, 3] = 1.0
        net.head.bias.zero_()
    back = Scaling(torch.full((2,), 100.0), torch.full((2,), 10.0))
    return Predictor(net, Preprocessing(reads, Values(back, names=["b"])))


def texts() -> Predictor:
    net = LSTM(4, 2, hidden_size=5, embedding=3)
    words = ["<pad>", "<unk>", "good", "bad"]
    reads = TextInput(words, max_length=5)
    return Predictor(net, Preprocessing(reads, Classes(["no", "yes"])))


def language(level: str = "char") -> Predictor:
    net = GRU(len(LETTERS), len(LETTERS), hidden_size=8, embedding=4, readout="every")
    reads = LanguageInput(LETTERS, level=level)
    return Predictor(net, Preprocessing(reads, NextToken(LETTERS)))


def autoencoder() -> Predictor:
    net = Autoencoder(16, 3, hidden=[], output="identity")
    rules = Preprocessing(images(scaling=HALF), Reconstruction(HALF, (1, 4, 4)))
    return Predictor(net, rules)


def vae() -> Predictor:
    rules = Preprocessing(images(scaling=HALF), Reconstruction(HALF, (1, 4, 4)))
    return Predictor(VAE(16, 2, hidden=[8]), rules)


MAKE: dict[str, Callable[[], Predictor]] = {
    "images": image_classes,
    "mostly_dark": lambda: image_classes(Scaling(torch.tensor(1.0), torch.tensor(1.0))),
    "table": lambda: table(Classes(["small", "large"])),
    "values": lambda: table(Values(Scaling(torch.tensor([1.0]), torch.tensor([10.0])))),
    "numbers": numbers,
    "series": series,
    "texts": texts,
    "language": language,
    "words": lambda: language("word"),
    "autoencoder": autoencoder,
    "vae": vae,
}


@pytest.fixture(scope="session")
def predictor() -> Callable[[str], Predictor]:
    """A function (name) -> one of the predictors above, in eval mode."""

    def make(name: str) -> Predictor:
        torch.manual_seed(0)
        found = MAKE[name]()
        found.net.eval()
        return found

    return make


@pytest.fixture(scope="session")
def model(predictor: Callable[[str], Predictor], tmp_path_factory: Any) -> Callable[[str], str]:
    """A function (name) -> the folder of such a model."""
    folder = tmp_path_factory.mktemp("models")

    def path(name: str) -> str:
        if not (folder / name).exists():
            zoo.save(predictor(name), folder / name)
        return str(folder / name)

    return path


@pytest.fixture
def ask(
    model: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """A function (model, **keys of conf/predict.yaml) that runs the command in tmp_path."""
    from zoo.predictions import asked
    from zoo.predictions.run import run

    keys = OmegaConf.load(conf_dir() / "predict.yaml")
    for name in ("defaults", "hydra"):
        del keys[name]
    monkeypatch.chdir(tmp_path)

    def do(name: str, **wanted: Any) -> None:
        run(asked(OmegaConf.merge(keys, {"checkpoint": model(name), **wanted})))

    return do
