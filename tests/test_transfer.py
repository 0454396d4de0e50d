"""Beginning with weights that are there: what fits, what does not and why, and at what rate."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from torch import Tensor, nn

import zoo
from zoo.config import ConfigError
from zoo.data import Split
from zoo.lit import LitFeedForward
from zoo.lit.schedules import cosine, plateau, step, warmup_cosine
from zoo.losses import MSE
from zoo.models import CNN, FNN, LSTM, RNN, VAE, Autoencoder, ConvAutoencoder, LeNet5, Torchvision
from zoo.regularization import decay_groups, scale_rates
from zoo.runs import build
from zoo.train import train
from zoo.transfer import report, transfer
from zoo.validation import check

IMAGE = (1, 8, 8)


def same(a: Tensor, b: Tensor) -> bool:
    return torch.equal(a, b)


# --- what fits -------------------------------------------------------------------------------


def test_a_net_of_the_same_arguments_becomes_the_same() -> None:
    for build_net in (lambda: CNN(IMAGE, 3), lambda: LSTM(2, 3), lambda: VAE(6, 2)):
        net, source = build_net(), build_net()
        for buffer in source.buffers():
            buffer.add_(1)
        found = transfer(net, source)
        state = source.state_dict()
        assert all(same(value, state[key]) for key, value in net.state_dict().items())
        assert len(found.loaded) == len(state)
        assert sum(found.loaded.values()) == sum(value.numel() for value in state.values())
        assert not (found.reshaped or found.halved or found.absent or found.unused)


def test_a_head_of_another_size_starts_anew() -> None:
    net, source = LeNet5(IMAGE, 26), LeNet5(IMAGE, 10)
    head = net.head.weight.clone()
    found = transfer(net, source)
    x = torch.randn(2, *IMAGE)
    torch.testing.assert_close(net.features(x), source.features(x), rtol=0, atol=0)
    assert same(net.head.weight, head)
    assert found.reshaped == {
        ("head", "weight"): ((26, 84), (10, 84)),
        ("head", "bias"): ((26,), (10,)),
    }


def test_dropout_between_the_layers_does_not_matter() -> None:
    net, source = FNN(6, 3, hidden=[5, 4], dropout=0.5), FNN(6, 3, hidden=[5, 4])
    assert list(net.state_dict()) != list(source.state_dict())  # it shifts the layers' numbers
    transfer(net, source)
    x = torch.randn(2, 6)
    torch.testing.assert_close(net.eval()(x), source(x), rtol=0, atol=0)


@pytest.mark.parametrize("kind", [Autoencoder, VAE])
def test_a_classifier_begins_with_a_dense_encoder(kind: Any) -> None:
    source = kind(6, 2, hidden=[5, 4], activation="relu")
    net = FNN(6, 3, hidden=[5, 4])
    found = transfer(net, source)
    encoder = source.encoder if kind is VAE else source.encoder[0]
    x = torch.randn(2, 6)
    torch.testing.assert_close(net.features(x), encoder.features(x), rtol=0, atol=0)
    assert [stage for stage, _ in found.absent] == ["head", "head"]
    assert {stage for stage, _ in found.unused} == {
        *("code", "decoder.hidden1", "decoder.hidden2", "decoder.head")
    }


def test_a_code_as_long_as_there_are_classes_is_no_head() -> None:
    net, source = FNN(6, 3, hidden=[5]), Autoencoder(6, 3, hidden=[5])
    head = net.head.weight.clone()
    transfer(net, source)
    assert same(net.head.weight, head)


def test_a_classifier_begins_with_a_convolutional_encoder_and_back() -> None:
    source, net = ConvAutoencoder(IMAGE, 2, channels=[4, 5]), CNN(IMAGE, 3, channels=[4, 5])
    transfer(net, source)
    encoder: Any = source.encoder[0]
    assert same(net.layers[0].weight, encoder.layers[0].weight)
    assert same(net.layers[4].weight, encoder.layers[3].weight)  # behind a pooling
    other = ConvAutoencoder(IMAGE, 2, channels=[4, 5])
    found = transfer(other, net)
    assert same(other.encoder[0].layers[3].weight, encoder.layers[3].weight)
    assert {stage for stage, _ in found.unused} == {"head"}


def test_a_layer_comes_whole_or_not_at_all() -> None:
    net = CNN((3, 8, 8), 3, channels=[4, 5], norm=None)
    source = CNN(IMAGE, 3, channels=[4, 5], norm=None)
    nn.init.ones_(source.layers[0].bias)
    found = transfer(net, source)
    assert found.reshaped == {("stage1", "0.weight"): ((4, 3, 3, 3), (4, 1, 3, 3))}
    assert found.halved == [("stage1", "0.bias")]
    assert not net.layers[0].bias.any()
    assert same(net.layers[3].weight, source.layers[3].weight)


def test_a_head_is_nothing_above_another_stage() -> None:
    deep, flat = FNN(6, 3, hidden=[6, 6]), FNN(6, 3, hidden=[6])
    head = flat.head.weight.clone()
    found = transfer(flat, deep)
    assert same(flat.head.weight, head) and found.halved == [("head", "weight"), ("head", "bias")]
    assert report(found, flat, deep, "deep")[1:] == [
        "       loaded  hidden1",
        "       anew    head: reads other features there",
        "       unused  hidden2",
    ]
    linear = FNN(6, 3, hidden=[])
    with pytest.raises(ValueError, match="nothing of FNN"):
        transfer(linear, flat)  # it would read the input as if it were hidden units
    other = FNN(6, 3, hidden=[])
    transfer(linear, other)
    assert same(linear.head.weight, other.head.weight)


def test_a_head_above_a_stage_that_starts_anew_does_so_too() -> None:
    net, source = CNN(IMAGE, 3, channels=[4, 6, 5]), CNN(IMAGE, 3, channels=[4, 7, 5])
    head = net.head.weight.clone()
    transfer(net, source)
    assert same(net.layers[0].weight, source.layers[0].weight)
    assert same(net.head.weight, head)


def test_what_reads_both_ways_begins_with_what_reads_forwards() -> None:
    net, source = RNN(2, 3, hidden_size=4, bidirectional=True), RNN(2, 3, hidden_size=4)
    found = transfer(net, source)
    weights = net.recurrent.state_dict()
    assert same(weights["weight_hh_l0"], source.recurrent.weight_hh_l0)
    assert ("layer1", "weight_hh_reverse") in found.absent


@pytest.mark.parametrize(
    ("net", "source", "reason"),
    [
        (
            FNN(6, 3, hidden=[5, 4]),
            FNN(7, 3, hidden=[8, 4]),
            r"nothing of FNN \(hidden1, hidden2, head\) fits FNN \(hidden1, hidden2, head\): .* "
            r"\(hidden1 has 0.weight of \(8, 7\) there, \(5, 6\) here\)$",
        ),
        (
            LSTM(2, 3, hidden_size=84),
            LeNet5(IMAGE, 3),
            r"nothing of LeNet5 \(c1, c3, c5, f6, head\) fits LSTM \(layer1, head\): no stage",
        ),
    ],
)
def test_a_head_alone_is_nothing(net: Any, source: Any, reason: str) -> None:
    before = {key: value.clone() for key, value in net.state_dict().items()}
    with pytest.raises(ValueError, match=reason):
        transfer(net, source)
    assert all(same(value, before[key]) for key, value in net.state_dict().items())


def test_the_report_says_all_of_it() -> None:
    net, source = CNN(IMAGE, 26, channels=[4, 5, 6]), ConvAutoencoder(IMAGE, 2, channels=[4, 7])
    # Of stage 1 a convolution of 4 x 9, and of its norm twice 4 weights, twice 4 sums and a count.
    assert report(transfer(net, source), net, source, "runs/it") == [
        "init   runs/it, a ConvAutoencoder: 6 of 20 tensors, 53 numbers",
        "       loaded  stage1",
        "       anew    stage2: 0.weight is (7, 4, 3, 3) there, (5, 4, 3, 3) here",
        "       anew    stage3, head: not there",
        "       unused  code, decoder.linear, decoder.stage1, decoder.stage2",
    ]
    wide, source = FNN(6, 3, hidden=[5], bias=True), FNN(6, 3, hidden=[5], bias=False)
    assert report(transfer(wide, source), wide, source, "fnn/it") == [
        "init   fnn/it, an FNN: 2 of 4 tensors, 45 numbers",
        "       loaded  hidden1, head",
        "       anew    hidden1: no 0.bias there",
        "       anew    head: no bias there",
    ]


# --- discriminative learning rates -----------------------------------------------------------


def test_each_stage_learns_slower_than_the_next() -> None:
    net = FNN(6, 3, hidden=[5, 4], norm="layer")
    groups = decay_groups(net, lr_decay=0.5)
    optimizer = torch.optim.AdamW(groups, lr=0.8, weight_decay=0.1)
    scale_rates(optimizer)
    found = {
        id(p): (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for p in group["params"]
    }
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(found)
    rates = {
        "head.weight": (0.8, 0.1),
        "head.bias": (0.8, 0.0),
        "layers.3.weight": (0.4, 0.1),
        "layers.4.weight": (0.4, 0.0),  # of the norm
        "layers.0.weight": (0.2, 0.1),
        "layers.0.bias": (0.2, 0.0),
    }
    for name, parameter in net.named_parameters():
        if name in rates:
            assert found[id(parameter)] == pytest.approx(rates[name]), name
    assert {id(p) for p in net.parameters()} == set(found)
    assert optimizer.param_groups[0]["lr"] == 0.8  # which is logged as `lr`


def test_a_step_of_gradient_descent_by_hand() -> None:
    net = FNN(2, 1, hidden=[3])
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    optimizer = torch.optim.SGD(decay_groups(net, lr_decay=0.25), lr=1.0)
    scale_rates(optimizer)
    net(torch.randn(4, 2)).square().sum().backward()
    optimizer.step()
    for name, p in net.named_parameters():
        rate = 1.0 if name.startswith("head") else 0.25
        torch.testing.assert_close(p.detach(), before[name] - rate * p.grad)


def test_without_it_the_groups_are_two() -> None:
    groups = decay_groups(FNN(6, 3))
    assert [set(group) for group in groups] == [{"params"}, {"params", "weight_decay"}]


def test_tied_weights_learn_once() -> None:
    net = Autoencoder(6, 2, hidden=[5], tied=True)
    groups = decay_groups(net, lr_decay=0.5)
    held = [id(p) for group in groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in net.parameters())


@pytest.mark.parametrize("value", [0, -0.5, 1.5, float("nan"), "0.5", True])
def test_the_rates_fall_towards_the_input(value: Any) -> None:
    with pytest.raises(ValueError, match=r"`lr_decay` must be in \(0, 1\], got"):
        decay_groups(FNN(6, 3), lr_decay=value)


def test_a_net_without_stages_has_one_rate() -> None:
    with pytest.raises(ValueError, match="needs a net that has stages, got Linear"):
        decay_groups(nn.Linear(2, 2), lr_decay=0.5)


@pytest.mark.parametrize("schedule", [cosine, plateau, step, warmup_cosine])
def test_schedules_keep_the_proportions(
    schedule: Callable[..., Any], fit: Callable[..., Any]
) -> None:
    settings = {"final_factor": 0.1} if "cosine" in schedule.__name__ else {}
    optimizer = partial(torch.optim.SGD, lr=0.01)
    module = LitFeedForward(
        FNN(3, 1, hidden=[4]),
        loss=MSE(),
        optimizer=optimizer,
        scheduler=partial(schedule, **settings),
    )
    module.lr_decay = 0.5
    split = Split(torch.randn(8, 3), torch.randn(8, 1))
    trainer = fit(module, split, split, max_epochs=4)
    rates = [group["lr"] for group in trainer.optimizers[0].param_groups]
    assert rates[0] == 0.01 if schedule is plateau else 0 < rates[0] < 0.01
    assert rates == pytest.approx([rates[0], rates[0], rates[0] / 2, rates[0] / 2])


# --- runs ------------------------------------------------------------------------------------


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
    assert all(same(value, weights[key]) for key, value in module.net.state_dict().items())
    learns = {name for name, p in module.net.named_parameters() if p.requires_grad}
    assert learns == set(weights) - {"layers.0.weight", "layers.0.bias"}
    assert module.lr_decay == 0.5
    assert capsys.readouterr().out.splitlines() == [
        f"init   {source}, an FNN: 6 of 6 tensors, 399 numbers",
        "       loaded  hidden1, hidden2, head",
    ]
    # That of a checkpoint, whose weights are still to come.
    _, module = build(composed(*words))
    assert not same(module.net.head.weight, weights["head.weight"])
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
    assert same(state["net.layers.0.weight"], weights["layers.0.weight"])
    assert not same(state["net.head.weight"], weights["head.weight"])
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
