"""Pictures in whole runs: when they are drawn, and that nothing else changes by them."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import zoo.pictures
from zoo.config import conf_dir
from zoo.pictures import Confusion, Mistakes
from zoo.pictures.histograms import histogram
from zoo.train import train

FILES = sorted((conf_dir() / "model").glob("*.yaml"))
DEFAULT = yaml.safe_load((conf_dir() / "pictures" / "default.yaml").read_text())["pictures"]
EVERY = [f"pictures.{key}.every=1" for key, value in DEFAULT.items() if "every" in value]


def images(found: list[Any]) -> dict[str, list[int]]:
    """The steps of each image."""
    steps: dict[str, list[int]] = {}
    for one in found:
        if one.plugin == "images":
            steps.setdefault(one.tag, []).append(one.step)
    return steps


def state(folder: Path) -> dict[str, Any]:
    """What a run would go on from, tensor by tensor."""
    saved = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    moments = saved["optimizer_states"][0]["state"]
    return {
        **saved["state_dict"],
        **{f"{i}.{name}": value for i, part in moments.items() for name, value in part.items()},
        "random": saved["random"][0]["cpu"],
    }


def test_every_picture_is_in_the_yaml_under_its_name() -> None:
    assert {node["_target_"].rpartition(".")[2] for node in DEFAULT.values()} == {
        name for name in zoo.pictures.__all__ if name not in ("Picture", "Scene", "Histograms")
    }
    for key, node in DEFAULT.items():
        kind = getattr(zoo.pictures, node["_target_"].rpartition(".")[2])
        assert kind.name == key


def test_a_run_draws_once_at_its_end(trained: Callable[..., Any], tmp_path: Path) -> None:
    row, found = trained("run", "trainer.max_epochs=1")
    assert images(found) == {
        "layers/diagram": [0],
        "classification/confusion": [20],
        "classification/mistakes": [20],
        "layers/first_weights": [20],
    }
    curves = [one for one in found if one.plugin == "pr_curves"]
    assert [(one.tag, one.step) for one in curves] == [
        (f"precision_recall/{digit}", 20) for digit in range(10)
    ]
    assert 0 < row["cost/pictures_seconds"] < 5
    [logged] = [one for one in found if one.tag == "cost/pictures_seconds"]
    assert logged.value.tensor.float_val[0] == pytest.approx(row["cost/pictures_seconds"])
    saved = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert saved["cost/pictures_seconds"] == row["cost/pictures_seconds"]


@pytest.mark.slow
def test_none_switches_all_off_and_a_tilde_one(trained: Callable[..., Any]) -> None:
    fast = ("trainer.max_epochs=1", "trainer.limit_train_batches=2")
    row, found = trained("off", "pictures=none", *fast)
    assert images(found) == {} and "cost/pictures_seconds" not in row
    _, found = trained("one", "~pictures.confusion", *fast)
    assert set(images(found)) == {
        "layers/diagram",
        "classification/mistakes",
        "layers/first_weights",
    }


def test_every_second_validation(trained: Callable[..., Any]) -> None:
    fast = ("trainer.max_epochs=5", "trainer.limit_train_batches=2")
    _, found = trained("run", "pictures.confusion.every=2", *fast)
    steps = images(found)
    # As the metrics of that validation; the last of them is that of the weights that are kept.
    assert steps["classification/confusion"] == [3, 7, 10]
    losses = [one.step for one in found if one.tag == "val/loss"]
    assert losses == [1, 3, 5, 7, 9]
    assert steps["classification/mistakes"] == [10]


@pytest.mark.slow
def test_at_the_end_it_is_the_best_epoch_that_is_drawn(
    trained: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = []
    monkeypatch.setattr(
        Confusion, "draw", lambda self, scene: seen.append(scene.net.head.weight.clone())
    )
    trained("run", "trainer.max_epochs=3", "optimizer.lr=0.3")
    best, last = (
        torch.load(tmp_path / "run" / "checkpoints" / name, weights_only=True)["state_dict"]
        for name in ("best.ckpt", "last.ckpt")
    )
    assert not torch.equal(best["net.head.weight"], last["net.head.weight"])
    assert torch.equal(seen[0], best["net.head.weight"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("model=fnn",),
        ("model=cnn",),
        ("model=lstm", "data=temporal_order", "data.train_size=256", "data.val_size=64"),
        ("model=lstm", "data=text_lm", "model.net.hidden_size=8", "trainer.limit_train_batches=7"),
        ("model=conv_vae",),
        ("model=gru", "data=series", "model.net.num_layers=2"),
        ("model=autoencoder", "callbacks=[default,ema]"),
    ],
    ids=lambda words: "-".join(word.partition("=")[2] for word in words[:2]),
)
def test_a_run_learns_the_same_with_and_without_pictures(
    trained: Callable[..., Any], tmp_path: Path, words: tuple[str, ...]
) -> None:
    fast = (*words, "trainer.max_epochs=2", "trainer.limit_val_batches=3")
    plain, _ = trained("plain", "pictures=none", *fast)
    drawn, found = trained("drawn", "pictures=[default,histograms]", *EVERY, *fast)
    assert max(map(len, images(found).values())) >= 3
    own = {"cost/", "memory/", "latent/"}
    for name, value in plain.items():
        if not any(name.startswith(part) for part in own):
            assert drawn[name] == value, name
    before, after = state(tmp_path / "plain"), state(tmp_path / "drawn")
    assert set(before) == set(after)
    assert [name for name in before if not torch.equal(before[name], after[name])] == []


def test_a_picture_that_fails_costs_nothing_but_itself(
    trained: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(self: Confusion, scene: Any) -> None:
        torch.rand(3)
        scene.net.head.weight.data[5:, 100000]

    def full(self: Mistakes, scene: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Confusion, "draw", fail)
    monkeypatch.setattr(Mistakes, "draw", full)
    row, found = trained("run", "trainer.max_epochs=2", "pictures.confusion.every=1")
    said = [line for line in capsys.readouterr().out.splitlines() if "could not be drawn" in line]
    assert len(said) == 2  # and not at each validation
    assert said[0].startswith("picture confusion: could not be drawn: IndexError: index 100000")
    assert said[1].startswith("picture mistakes: could not be drawn: OSError: ")
    assert row["test/accuracy"] > 0.5
    assert "layers/first_weights" in images(found)


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_model_of_ours_fails(
    composed: Callable[..., Any],
    written: Callable[..., Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    file: Path,
) -> None:
    line = next(line for line in file.read_text().splitlines() if line.startswith("# zoo-train"))
    words = line.split()[2:]
    train(composed(*words, "debug=fast", "pictures=[default,histograms]", *EVERY))
    assert "could not be drawn" not in capsys.readouterr().out
    steps = images(written(tmp_path / "run"))
    assert len(steps) >= 3
    assert max(Counter((tag, s) for tag in steps for s in steps[tag]).values()) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [("model=lstm",), ("model=vae",)], ids=lambda words: words[0].partition("=")[2]
)
def test_a_continued_run_draws_nothing_twice(
    trained: Callable[..., Any],
    composed: Callable[..., Any],
    written: Callable[..., Any],
    tmp_path: Path,
    words: tuple[str, ...],
) -> None:
    folder = tmp_path / "run"
    trained("run", *words, "trainer.max_epochs=2", *EVERY)
    first = images(written(folder))
    train(composed(f"resume={folder}"))  # nothing is left to do but the test
    assert images(written(folder)) == first
    train(composed(f"resume={folder}", "trainer.max_epochs=4"))
    steps = images(written(folder))
    assert steps["layers/diagram"] == [0]
    for tag, found in steps.items():
        assert len(set(found)) == len(found), tag
    last = "memory/gradient_norm" if words == ("model=lstm",) else "latent/traversal"
    assert steps[last][-3:] == [59, 79, 80] and 40 in steps[last]
    tags = Counter((one.tag, one.step) for one in written(folder) if one.plugin == "pr_curves")
    assert set(tags.values()) <= {1}


def test_a_histogram_counts_every_number() -> None:
    numbers = torch.randn(40, 30)
    numbers[0, 0] = float("nan")
    [value] = histogram("weights/w", numbers, 16)
    found = value.histo
    finite = numbers.flatten()[1:].double().numpy()
    expected, edges = np.histogram(finite, 16)
    assert list(found.bucket) == expected.tolist()
    np.testing.assert_allclose(found.bucket_limit, edges[1:], rtol=1e-5)
    assert (found.num, found.min, found.max) == (1199, finite.min(), finite.max())
    assert (found.sum, found.sum_squares) == pytest.approx((finite.sum(), (finite**2).sum()))
    assert histogram("w", torch.tensor([float("inf")]), 4) == []
    [constant] = histogram("w", torch.zeros(5), 4)
    assert sum(constant.histo.bucket) == 5


@pytest.mark.slow
def test_histograms_are_drawn_on_request(trained: Callable[..., Any]) -> None:
    fast = ("trainer.max_epochs=2", "trainer.limit_train_batches=3", "model.net.hidden=[4]")
    _, found = trained("run", "pictures=[default,histograms]", *fast)
    steps: dict[str, list[int]] = {}
    for one in found:
        if one.plugin == "histograms":
            steps.setdefault(one.tag, []).append(one.step)
    names = ("layers.0.weight", "layers.0.bias", "head.weight", "head.bias")
    assert steps == {
        f"{what}/{name}": [2, 5, 6] for name in names for what in ("weights", "gradients")
    }
