"""Features, heads and stages of every kind of member."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from zoo.models import (
    CNN,
    FNN,
    GRU,
    LSTM,
    RNN,
    VAE,
    Autoencoder,
    ConvAutoencoder,
    ConvVAE,
    LeNet5,
    ResNet,
    Torchvision,
)

IMAGE = (1, 8, 8)
# Each with norms and dropout where it can have them, what it reads, and the shape of its features.
NETS: dict[str, tuple[Callable[[], Any], tuple[int, ...], tuple[int, ...]]] = {
    "fnn": (lambda: FNN(6, 3, hidden=[5, 4], norm="batch", dropout=0.5), (6,), (4,)),
    "linear": (lambda: FNN(6, 3, hidden=[]), (2, 3), (6,)),
    "cnn": (lambda: CNN(IMAGE, 3, channels=[4, 5], dropout=0.5), IMAGE, (5,)),
    "cnn flat": (lambda: CNN((1, 8), 3, channels=[4, 5], head="flatten"), (1, 8), (10,)),
    "lenet": (lambda: LeNet5(IMAGE, 3), IMAGE, (84,)),
    "resnet": (lambda: ResNet(1, 3, depth=8, width=4), IMAGE, (16,)),
    "rnn": (lambda: RNN(2, 3, hidden_size=4, readout="max"), (5, 2), (4,)),
    "gru": (lambda: GRU(2, 3, hidden_size=4, readout="every"), (5, 2), (5, 4)),
    "lstm": (
        lambda: LSTM(2, 3, hidden_size=4, num_layers=2, bidirectional=True, dropout=0.5),
        (5, 2),
        (8,),
    ),
    "autoencoder": (lambda: Autoencoder(6, 2, hidden=[5, 4], norm="batch"), (6,), (2,)),
    "tied": (lambda: Autoencoder(6, 2, hidden=[5], tied=True, code_activation="tanh"), (6,), (2,)),
    "conv_autoencoder": (lambda: ConvAutoencoder(IMAGE, 2, channels=[4, 5]), IMAGE, (2,)),
    "vae": (lambda: VAE(6, 2, hidden=[5], norm="batch"), (6,), (2,)),
    "conv_vae": (lambda: ConvVAE(IMAGE, 2, channels=[4, 5]), IMAGE, (2,)),
    "torchvision": (lambda: Torchvision(1, 3, name="shufflenet_v2_x0_5"), IMAGE, (1024,)),
}
HEADED = [
    name for name in NETS if "autoencoder" not in name and name not in ("tied", "vae", "conv_vae")
]


@pytest.fixture(params=NETS)
def case(request: pytest.FixtureRequest) -> tuple[Any, Tensor, tuple[int, ...]]:
    """A net in evaluation mode, a batch of four, and the shape of a sample's features."""
    torch.manual_seed(0)
    build, shape, features = NETS[request.param]
    return build().eval(), torch.rand(4, *shape), features


def output(net: nn.Module, x: Tensor) -> Tensor:
    given = net(x)
    return given if isinstance(given, Tensor) else given[0]


def parameters_of(net: Any) -> list[int]:
    return [id(p) for stage in net.stages().values() for p in stage.parameters()]


def frozen_names(net: Any) -> list[str]:
    return [
        name
        for name, stage in net.stages().items()
        if not any(p.requires_grad for p in stage.parameters())
    ]


def test_features_have_their_shape_and_are_what_comes_before_the_head(
    case: tuple[Any, Tensor, tuple[int, ...]],
) -> None:
    net, x, shape = case
    features = net.features(x)
    assert features.shape == (4, *shape)
    if "out_features" in net.arguments:
        torch.testing.assert_close(net.head(features), output(net, x), rtol=0, atol=0)
    else:
        given = net(x)
        torch.testing.assert_close(features, given.code, rtol=0, atol=0)
        torch.testing.assert_close(net.decode(features).reshape(x.shape), given.image)


def test_stages_have_every_parameter_once_from_the_input_to_the_head(
    case: tuple[Any, Tensor, tuple[int, ...]],
) -> None:
    net, _, _ = case
    held = parameters_of(net)
    assert len(held) == len(set(held))
    assert set(held) == {id(p) for p in net.parameters()}
    last = list(net.stages())[-1]
    assert last == "head" or last.startswith("decoder.")


def test_names_of_stages() -> None:
    def names(name: str) -> list[str]:
        return list(NETS[name][0]().stages())

    assert names("fnn") == ["hidden1", "hidden2", "head"]
    assert names("linear") == ["head"]
    assert names("cnn") == ["stage1", "stage2", "head"]
    assert names("lenet") == ["c1", "c3", "c5", "f6", "head"]
    assert names("resnet") == ["stem", "stage1", "stage2", "stage3", "head"]
    assert names("lstm") == ["layer1", "layer2", "head"]
    assert list(LSTM(9, 3, embedding=2).stages()) == ["embed", "layer1", "head"]
    dense = ["encoder.hidden1", "encoder.code", "decoder.hidden1", "decoder.head"]
    assert names("tied") == names("vae") == dense
    assert names("conv_vae") == [
        *("encoder.stage1", "encoder.stage2", "encoder.code"),
        *("decoder.linear", "decoder.stage1", "decoder.stage2"),
    ]


def test_features_of_sequences_heed_lengths_and_state() -> None:
    torch.manual_seed(0)
    net = GRU(2, 3, hidden_size=4).eval()
    x, lengths = torch.randn(2, 5, 2), torch.tensor([3, 5])
    plain = nn.GRU(2, 4, batch_first=True)
    plain.load_state_dict(net.recurrent.state_dict())
    short, _ = plain(x[:1, :3])
    torch.testing.assert_close(net.features(x, lengths=lengths)[0], short[0, -1])
    _, state = plain(x[:, :2])
    rest, _ = plain(x[:, 2:], state)
    torch.testing.assert_close(net.features(x[:, 2:], state), rest[:, -1])


# --- the head --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HEADED)
def test_a_new_head_is_that_of_a_new_net(name: str) -> None:
    build, shape, _ = NETS[name]
    net, x = build().eval(), torch.rand(4, *shape)
    before = net.features(x)
    torch.manual_seed(1)
    net.reset_head(7)
    torch.manual_seed(1)
    fresh = type(net)(**{**net.arguments, "out_features": 7})
    assert net.arguments == fresh.arguments and net.arguments["out_features"] == 7
    torch.testing.assert_close(net.head.weight, fresh.head.weight, rtol=0, atol=0)
    torch.testing.assert_close(net.features(x), before, rtol=0, atol=0)
    assert output(net, x).shape[-1] == 7
    fresh.load_state_dict(net.state_dict())
    torch.testing.assert_close(output(fresh.eval(), x), output(net, x), rtol=0, atol=0)


def test_a_new_head_is_where_and_what_the_old_one_was() -> None:
    net = FNN(4, 2).double().eval()
    net.freeze("head")
    net.reset_head(3)
    assert net.head.weight.dtype == torch.float64 and not net.head.training
    assert net.head.weight.requires_grad and net.frozen == 2
    with torch.device("meta"):
        planned = FNN(4, 2)
    planned.reset_head(3)
    assert planned.head.weight.is_meta


@pytest.mark.parametrize("name", [name for name in NETS if name not in HEADED])
def test_what_has_no_head_says_so(name: str) -> None:
    with pytest.raises(ValueError, match=r"has no head, .* net\.features\(x\)"):
        NETS[name][0]().reset_head(3)


def test_a_head_has_at_least_one_output() -> None:
    net = FNN(4, 2)
    with pytest.raises(ValueError, match="`out_features` must be .*, got 0"):
        net.reset_head(0)
    assert net.arguments["out_features"] == net.head.out_features == 2


# --- freezing --------------------------------------------------------------------------------


def test_what_is_frozen_stays_as_it_is_in_training(
    case: tuple[Any, Tensor, tuple[int, ...]],
) -> None:
    net, x, _ = case
    names = list(net.stages())
    upto = len(names) - 1
    net.freeze(upto)
    net.train()
    assert frozen_names(net) == names[:upto] and net.frozen == upto
    *stages, last = net.stages().values()
    held = [t for stage in stages for t in (*stage.parameters(), *stage.buffers())]
    before = [tensor.clone() for tensor in held]
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, weight_decay=0.1)
    output(net, x).sum().backward()
    optimizer.step()
    assert all(tensor.grad is None for tensor in held)
    assert all(torch.equal(a, b) for a, b in zip(before, held, strict=True))
    if "out_features" in net.arguments:
        assert net.training and last.training
        last.eval()  # that of a recurrent net has dropout
        features = net.features(x)
        torch.testing.assert_close(features, net.eval().features(x), rtol=0, atol=0)


def test_dropout_between_recurrent_layers_stops_with_the_last_of_them() -> None:
    net = LSTM(2, 3, hidden_size=4, num_layers=2, dropout=0.5)
    net.freeze("layer1")
    assert net.train().recurrent.training
    net.freeze("layer2")
    assert net.train().training and not net.recurrent.training and net.dropout.training
    net.unfreeze("layer2")
    assert net.recurrent.training and frozen_names(net) == ["layer1"]


def test_freezing_goes_by_number_or_name_and_undoes_itself() -> None:
    net = CNN(IMAGE, 3, channels=[4, 5, 6]).train()
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    net.freeze("stage2")
    assert frozen_names(net) == ["stage1", "stage2"]
    assert [norm.training for norm in norms] == [False, False, True]
    net.freeze(1)  # what is frozen stays so
    assert net.frozen == 2
    net.unfreeze("stage2")
    assert frozen_names(net) == ["stage1"]
    assert [norm.training for norm in norms] == [False, True, True]
    assert [norm.training for norm in net.eval().modules() if norm in norms] == [False] * 3
    net.unfreeze()
    assert frozen_names(net) == [] and not any(norm.training for norm in norms)
    net.train()
    assert all(norm.training for norm in norms)


def test_a_tied_weight_is_frozen_with_the_encoder() -> None:
    net = Autoencoder(6, 2, hidden=[5], tied=True)
    net.freeze("encoder.code")
    learns = [name for name, p in net.named_parameters() if p.requires_grad]
    assert learns == ["decoder.layers.0.bias", "decoder.head.bias"]
    net.unfreeze("decoder.hidden1")
    assert learns == [name for name, p in net.named_parameters() if p.requires_grad]


@pytest.mark.parametrize("upto", [4, -1, "stage9", True, 1.0, None])
def test_there_must_be_such_a_stage(upto: Any) -> None:
    net = CNN(IMAGE, 3, channels=[4, 5])
    with pytest.raises(ValueError, match="from 0 to 3, got .* stage1, stage2, head"):
        net.freeze(upto)
    assert frozen_names(net) == []


def test_the_nearest_name_is_told() -> None:
    with pytest.raises(ValueError, match="did you mean 'stage2'"):
        CNN(IMAGE, 3).freeze("stag2")
