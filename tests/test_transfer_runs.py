"""Runs that begin with weights that are there, freeze some of them, and go on later."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig

import zoo
from zoo.config import ConfigError
from zoo.models import FNN, Torchvision
from zoo.runs import build
from zoo.train import train
from zoo.validation import check


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with a small FNN for the digits."""
    torch.manual_seed(9)
    return zoo.save(FNN(64, 10, hidden=[5, 4]), tmp_path / "source")


def test_a_run_begins_with_them(
    source: Path, composed: Callable[..., DictConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("model.net.hidden=[5,4]", "model.net.dropout=0", f"init_from={source}")
    words += ("freeze=hidden1", "lr_decay=0.5")
    _, module = build(composed(*words), new=True)
    weights = zoo.load(source).state_dict()
    assert all(torch.equal(value, weights[key]) for key, value in module.net.state_dict().items())
    learns = {name for name, p in module.net.named_parameters() if p.requires_grad}
    assert learns == set(weights) - {"layers.0.weight", "layers.0.bias"}
    assert module.lr_decay == 0.5
    assert capsys.readouterr().out.splitlines() == [
        f"init   {source}, an FNN: 6 of 6 tensors, 399 numbers",
        "       loaded  hidden1, hidden2, head",
    ]
    # That of a checkpoint, whose weights are still to come.
    _, module = build(composed(*words))
    assert not torch.equal(module.net.head.weight, weights["head.weight"])
    assert module.net.frozen == 1 and capsys.readouterr().out == ""


def test_what_cannot_begin_is_one_sentence(
    source: Path, composed: Callable[..., DictConfig]
) -> None:
    cfg = composed("model.net.hidden=[6]")
    for key, value, reason in (
        ("init_from", "nowhere", "nowhere"),
        ("init_from", str(source), "init_from=.*source: nothing of FNN .* fits FNN .*there"),
        (
            "freeze",
            3,
            "FNN must be a name, or a number from 0 to 2, got 3. There are: hidden1, head",
        ),
        ("freeze", "hiden1", "got 'hiden1'; did you mean 'hidden1'"),
        ("freeze", 2, "`freeze` must leave a stage that learns, got 2 for FNN"),
    ):
        case = cfg.copy()
        case[key] = value
        with pytest.raises(ConfigError, match=reason):
            build(case, new=True)


def test_images_that_are_too_small_are_told_before_the_run_begins(
    composed: Callable[..., DictConfig],
) -> None:
    cfg = composed("model=torchvision", "model.net.name=squeezenet1_1")
    with pytest.raises(ConfigError, match="squeezenet1_1 reads images of at least 17 x 17, got 8"):
        build(cfg)


def test_what_needs_no_data_is_told_before_it_is_read(composed: Callable[..., DictConfig]) -> None:
    cfg = composed("model=linear")
    for key, value, reason in (
        ("init_from", 5, "`init_from` must be a name, a path or null, got 5"),
        ("init_from", "", "`init_from` must be a name, a path or null, got ''"),
        ("freeze", True, "`freeze` must be a number of stages or the name of one, got True"),
        ("freeze", 1.5, "`freeze` must be a number of stages"),
        ("freeze", 1, "`freeze` must leave a stage that learns"),
        ("freeze", "stem", "a stage of FNN must be a name, .* got 'stem'"),
        ("lr_decay", 0, r"`lr_decay` must be in \(0, 1\], got 0"),
        ("lr_decay", True, r"`lr_decay` must be in \(0, 1\], got True"),
        ("lr_decay", "slow", r"`lr_decay` must be in \(0, 1\], got 'slow'"),
    ):
        case = cfg.copy()
        case[key] = value
        with pytest.raises(ConfigError, match=reason):
            check(case)


def test_a_run_of_before_has_none_of_these_keys(composed: Callable[..., DictConfig]) -> None:
    cfg = composed()  # as `resume` fills in what the run's own config lacks
    cfg.freeze = cfg.lr_decay = None
    check(cfg)
    _, module = build(cfg)
    assert module.net.frozen == 0 and module.lr_decay == 1.0


QUIET = ("logger=none", "pictures=none", "debug=fast")


@pytest.mark.slow
def test_a_run_that_is_resumed_does_not_begin_again(
    source: Path,
    composed: Callable[..., DictConfig],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("model.net.hidden=[5,4]", "freeze=1", "lr_decay=0.5", "logger=none", "pictures=none")
    train(composed(*words, f"init_from={source}", "trainer.max_epochs=1"))
    assert "6 of 6 tensors" in capsys.readouterr().out
    weights = zoo.load(source).state_dict()
    shutil.rmtree(source)
    run = tmp_path / "run"
    train(composed(f"resume={run}", "trainer.max_epochs=2"))
    assert "init " not in capsys.readouterr().out
    last = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    state = last["state_dict"]
    assert last["epoch"] == 1
    assert torch.equal(state["net.layers.0.weight"], weights["layers.0.weight"])
    assert not torch.equal(state["net.head.weight"], weights["head.weight"])
    rates = [group["initial_lr"] for group in last["optimizer_states"][0]["param_groups"]]
    assert rates == pytest.approx([5e-3, 5e-3, 2.5e-3, 2.5e-3, 1.25e-3, 1.25e-3])


@pytest.mark.slow
def test_a_run_from_published_weights_is_loaded_without_them(
    composed: Callable[..., DictConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision import models

    hub = tmp_path / "hub"
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(hub))
    name = "shufflenet_v2_x0_5"
    file = hub / "checkpoints" / models.get_model_weights(name).DEFAULT.url.rpartition("/")[2]
    file.parent.mkdir(parents=True)
    torch.save(models.get_model(name, num_classes=1000).state_dict(), file)
    words = ("model=torchvision", f"model.net.name={name}", "model.net.weights=DEFAULT")
    train(composed(*words, *QUIET, "freeze=conv5"))
    file.unlink()
    net = zoo.load(tmp_path / "run")
    assert isinstance(net, Torchvision) and net.arguments["weights"] is None
    build(composed(*words))  # as zoo-evaluate does
