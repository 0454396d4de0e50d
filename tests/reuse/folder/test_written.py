"""What is in the folder of a model: recipe, weights and card."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import zoo
from zoo.assembly import CheckpointError
from zoo.models import FNN


def test_what_is_in_the_folder(tmp_path: Path) -> None:
    net = FNN(3, 2, hidden=[4])
    zoo.save(net, tmp_path, card={"name": "little", "data": "iris", "metrics": {"test/loss": 0.5}})
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["format"], config["zoo"], config["net"]) == (1, zoo.__version__, "FNN")
    assert config["arguments"]["hidden"] == [4]
    weights = (tmp_path / "model.safetensors").read_bytes()
    assert config["weights_sha256"] == hashlib.sha256(weights).hexdigest()  # as of sha256sum
    card = (tmp_path / "README.md").read_text()
    for words in ("# little", "| test/loss | 0.5 |", "trained on: iris", "zoo.models.FNN"):
        assert words in card
    assert "license" not in card  # nobody said under which
    # Whoever has no zoo reads the weights with safetensors alone.
    tensors = load_file(tmp_path / "model.safetensors")
    assert torch.equal(tensors["head.weight"], net.head.weight)


def test_weights_of_another_model_or_with_a_flipped_bit_are_noticed(tmp_path: Path) -> None:
    one, other = zoo.save(FNN(3, 2), tmp_path / "one"), zoo.save(FNN(3, 2), tmp_path / "other")
    weights = (one / "model.safetensors").read_bytes()
    flipped = weights[:-1] + bytes([weights[-1] ^ 1])
    for content in ((other / "model.safetensors").read_bytes(), flipped):
        (one / "model.safetensors").write_bytes(content)
        with pytest.raises(CheckpointError, match=r"not what was written with config\.json"):
            zoo.load(one)
    (one / "model.safetensors").write_bytes(weights)
    zoo.load(one)


def test_a_folder_of_before_there_was_a_checksum_is_read(
    tmp_path: Path, made: Callable[[str], Any], equal: Callable[..., None]
) -> None:
    net = made("fnn")
    zoo.save(net, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    del config["weights_sha256"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    equal(net, zoo.load(tmp_path))


def test_words_of_others_stay_on_their_line(tmp_path: Path) -> None:
    card = {"name": "a\n# b", "license": "mit\nlibrary_name: x", "data": "c\n- d", "seed": [1, 2]}
    zoo.save(FNN(3, 2), tmp_path, card={**card, "metrics": {"x\ny": "z\nz"}})
    lines = (tmp_path / "README.md").read_text().splitlines()
    assert {"# b", "library_name: x", "- d", "z"} & set(lines) == set()
    zoo.save(FNN(3, 2), tmp_path, card={"metrics": "good"})  # no table, no error


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ({"seed": float("nan")}, "JSON"),
        ({"data": Path("x")}, "only plain values can be saved"),
        (
            {"data": "x" * 2**20},
            r"config\.json would be .* bytes large, 1,048,576 can be read again",
        ),
        ({"data": "\ud800"}, "utf-8"),
    ],
)
def test_a_card_that_cannot_be_written(card: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=words):
        zoo.save(FNN(3, 2), tmp_path / "net", card=card)
    assert not (tmp_path / "net").exists()


def test_sizes_that_numpy_counted(tmp_path: Path, equal: Callable[..., None]) -> None:
    import numpy as np

    net = FNN(8, np.int64(2), hidden=(np.int32(4),))
    zoo.save(net, tmp_path)
    same = zoo.load(tmp_path)
    equal(net, same)
    assert [type(same.arguments[key]) for key in ("in_features", "out_features")] == [int, int]
