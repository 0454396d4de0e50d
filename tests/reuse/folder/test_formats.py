"""Runs and folders of other formats, and what loading leaves alone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import zoo
from zoo import model_folder
from zoo.assembly import CheckpointError
from zoo.checkpoint import contents, recipe
from zoo.models import FNN


def test_checkpoints_of_the_first_format_are_read(
    made: Callable[[str], Any], equal: Callable[..., None], old_checkpoint: Callable[..., Path]
) -> None:
    net = made("fnn")
    file = old_checkpoint(net)
    equal(net, zoo.load(file))
    equal(net, zoo.load(file.parent.parent))
    assert contents(file).preprocessing is None
    with pytest.raises(CheckpointError, match=r"has no preprocessing: .* train it again") as caught:
        zoo.load(file, with_preprocessing=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("where", ["", "checkpoints/best.ckpt"])
def test_a_run_becomes_a_folder(
    where: str,
    tmp_path: Path,
    made: Callable[[str], Any],
    equal: Callable[..., None],
    old_checkpoint: Callable[..., Path],
) -> None:
    net = made("cnn")
    run = old_checkpoint(net).parent.parent
    rows = {"test/accuracy": 0.975, "best/epoch": 4, "fit/seconds": 3.0, "test/worst": float("inf")}
    rows |= {"val/loss": 0.75, "best/loss": 0.25}  # of the last epoch, and of this one
    (run / "metrics.json").write_text(json.dumps(rows))
    zoo.save(run / where, tmp_path / "net")
    equal(net, zoo.load(tmp_path / "net"))
    equal(zoo.load(run), zoo.load(tmp_path / "net"))
    card = (tmp_path / "net" / "README.md").read_text()
    for words in (
        "# net on iris",
        "| test/accuracy | 0.975 |",
        "| val/loss | 0.25 |",
        "seed: 3",
        "epochs: 5",
    ):
        assert words in card
    assert "seconds" not in card and "worst" not in card
    # A folder becomes a folder.
    zoo.save(str(tmp_path / "net"), tmp_path / "copy", card={"license": "mit"})
    assert "# net on iris" in (tmp_path / "copy" / "README.md").read_text()


def test_results_are_those_of_the_best_epoch_alone(
    made: Callable[[str], Any], old_checkpoint: Callable[..., Path]
) -> None:
    best = old_checkpoint(made("fnn"))
    (best.parent.parent / "metrics.json").write_text('{"test/loss": 0.5, "best/epoch": 4}')
    last = best.with_name("last.ckpt")
    torch.save({**torch.load(best, weights_only=True), "epoch": 9}, last)
    assert contents(best).card["metrics"] == {"test/loss": 0.5}
    assert not {"metrics", "epochs"} & set(contents(last).card)


@pytest.mark.parametrize("text", ["", "{", "[1]", "[" * 100_000, "\x00\xff"])
def test_results_that_cannot_be_read_do_not_keep_a_net_from_loading(
    text: str,
    made: Callable[[str], Any],
    equal: Callable[..., None],
    old_checkpoint: Callable[..., Path],
) -> None:
    net = made("fnn")
    run = old_checkpoint(net).parent.parent
    (run / "metrics.json").write_text(text)
    equal(net, zoo.load(run))


@pytest.mark.parametrize("number", [2, 99, 0, -1, "1", 1.0, True, None, [1]])
def test_another_format_is_refused(number: Any, tmp_path: Path) -> None:
    zoo.save(FNN(3, 2), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "format": number}))
    words = "has format .*reads up to 1; update" if number in (2, 99) else "no format"
    with pytest.raises(CheckpointError, match=words):
        zoo.load(tmp_path)


def test_loading_leaves_the_random_numbers_alone(
    tmp_path: Path, made: Callable[[str], Any], old_checkpoint: Callable[..., Path]
) -> None:
    net = made("cnn")
    zoo.save(net, tmp_path / "net")
    file = old_checkpoint(net)
    for act in (
        lambda: zoo.load(tmp_path / "net"),
        lambda: zoo.load(file),
        lambda: zoo.save(net, tmp_path / "net"),
    ):
        state = torch.get_rng_state()
        act()
        assert torch.equal(state, torch.get_rng_state())


def test_what_is_loaded_is_a_copy(
    tmp_path: Path, made: Callable[[str], Any], equal: Callable[..., None]
) -> None:
    """The file can go, or be written anew, while the net is in use."""
    net = made("fnn")
    zoo.save(net, tmp_path)
    same = zoo.load(tmp_path)
    for file in tmp_path.iterdir():
        file.write_bytes(bytes(file.stat().st_size))
        file.unlink()
    equal(net, same)


def test_the_recipe_of_a_run_and_of_a_folder_say_the_same(made: Callable[[str], Any]) -> None:
    net = made("gru")
    node = {"_target_": "zoo.models.GRU", **net.arguments}
    described = model_folder.described(net)
    assert {key: recipe(node, {})[key] for key in ("net", "arguments")} == {
        key: described[key] for key in ("net", "arguments")
    }
