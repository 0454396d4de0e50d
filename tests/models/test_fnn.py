"""The feed-forward net against sums written out, theory and torch's functions."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from zoo.models import FNN
from zoo.models.layers import ACTIVATIONS, GAINS, initialise

FUNCTIONS = {
    "identity": lambda z: z,
    "sigmoid": lambda z: 1 / (1 + torch.exp(-z)),
    "tanh": torch.tanh,
    "relu": F.relu,
    "leaky_relu": lambda z: F.leaky_relu(z, 0.01),
    "elu": F.elu,
    "selu": F.selu,
    "gelu": F.gelu,
    "silu": F.silu,
}


def test_a_neuron_by_hand() -> None:
    net = FNN(2, 1, hidden=(1,), activation="sigmoid")
    hidden, head = net.layers[0], net.head
    with torch.no_grad():
        hidden.weight.copy_(torch.tensor([[0.5, -2.0]]))
        hidden.bias.fill_(1.0)
        head.weight.fill_(3.0)
        head.bias.fill_(-1.0)
    weighted_sum = 0.5 * 4.0 - 2.0 * 0.25 + 1.0
    expected = 3.0 / (1.0 + math.exp(-weighted_sum)) - 1.0
    assert net(torch.tensor([[4.0, 0.25]])).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("hidden", [(), (5,), (5, 4, 3)])
def test_forward_is_the_recursion_over_layers(name: str, hidden: tuple[int, ...]) -> None:
    net = FNN(6, 2, hidden=hidden, activation=name)
    linears = [layer for layer in net.layers if isinstance(layer, nn.Linear)]
    assert [layer.out_features for layer in linears] == list(hidden)
    x = torch.randn(7, 6)
    h = x
    for layer in linears:
        nn.init.normal_(layer.bias)
        h = FUNCTIONS[name](h @ layer.weight.T + layer.bias)
    torch.testing.assert_close(net(x), h @ net.head.weight.T + net.head.bias)


def test_activations_are_modules_that_hooks_see() -> None:
    assert set(FUNCTIONS) == set(ACTIVATIONS) == set(GAINS)
    net, seen = FNN(3, 2, hidden=(4, 5)), []
    for layer in net.modules():
        if isinstance(layer, nn.ReLU):
            layer.register_forward_hook(lambda layer, args, out: seen.append(out.shape[1]))
    net(torch.randn(2, 3))
    assert seen == [4, 5]


def test_order_of_a_layer() -> None:
    def kinds(**arguments: object) -> list[type]:
        return [type(layer) for layer in FNN(3, 2, hidden=(4,), **arguments).layers]  # type: ignore

    relu = [nn.Linear, nn.LayerNorm, nn.ReLU, nn.Dropout]
    selu = [nn.Linear, nn.BatchNorm1d, nn.SELU, nn.AlphaDropout]
    assert kinds(norm="layer", dropout=0.1) == relu
    assert kinds(norm="batch", dropout=0.1, activation="selu") == selu
    assert kinds() == [nn.Linear, nn.ReLU]


def test_inputs_of_any_shape_are_flattened() -> None:
    net = FNN(24, 3)
    x = torch.randn(5, 2, 3, 4)
    torch.testing.assert_close(net(x), net(x.reshape(5, 24)))


def test_parameter_count_by_hand() -> None:
    count = lambda net: sum(p.numel() for p in net.parameters())  # noqa: E731
    assert count(FNN(64, 10, hidden=(32, 16))) == (64 * 32 + 32) + (32 * 16 + 16) + (16 * 10 + 10)
    assert count(FNN(64, 10, hidden=(32,), bias=False)) == 64 * 32 + 32 * 10
    assert count(FNN(64, 10, hidden=())) == 64 * 10 + 10
    # A batch norm brings scale and shift, and the bias before it would have no effect.
    assert count(FNN(64, 10, hidden=(32,), norm="batch")) == 64 * 32 + 2 * 32 + 32 * 10 + 10


FAN_IN, FAN_OUT = 400, 600


@pytest.mark.parametrize(
    ("init", "activation", "std"),
    [
        ("normal", "relu", 0.03),
        ("uniform", "relu", 1 / math.sqrt(3 * FAN_IN)),
        ("xavier", "identity", math.sqrt(2 / (FAN_IN + FAN_OUT))),
        ("xavier", "tanh", 5 / 3 * math.sqrt(2 / (FAN_IN + FAN_OUT))),
        ("kaiming", "relu", math.sqrt(2 / FAN_IN)),
        ("kaiming", "leaky_relu", math.sqrt(2 / 1.0001 / FAN_IN)),
        ("kaiming", "selu", math.sqrt(1 / FAN_IN)),
        ("lecun", "relu", math.sqrt(1 / FAN_IN)),
        ("orthogonal", "relu", math.sqrt(2 / FAN_OUT)),
        ("zeros", "relu", 0.0),
    ],
)
def test_initial_spread_against_theory(init: str, activation: str, std: float) -> None:
    torch.manual_seed(0)
    net = FNN(FAN_IN, 3, hidden=(FAN_OUT,), activation=activation, init=init, init_std=0.03)
    # The standard error of a standard deviation over 240,000 draws is 0.15 %.
    assert net.layers[0].weight.std().item() == pytest.approx(std, rel=0.01)
    assert net.layers[0].weight.mean().item() == pytest.approx(0, abs=5 * std / 489 + 1e-9)
    assert net.layers[0].bias.count_nonzero() == net.head.bias.count_nonzero() == 0


def test_uniform_and_orthogonal_are_what_they_say() -> None:
    weight = FNN(100, 3, hidden=(50,), init="uniform").layers[0].weight
    assert 0.099 < weight.abs().max() <= 0.1
    weight = FNN(100, 3, hidden=(50,), init="orthogonal").layers[0].weight
    torch.testing.assert_close(weight @ weight.T, 2 * torch.eye(50), atol=1e-5, rtol=0)


def test_the_head_is_linear_and_has_gain_one() -> None:
    torch.manual_seed(0)
    weight = FNN(8, 500, hidden=(400,), init="kaiming").head.weight
    assert weight.std().item() == pytest.approx(1 / 20, rel=0.01)


def test_a_convolution_counts_its_window_into_the_fan_in() -> None:
    torch.manual_seed(0)
    conv = initialise(nn.Conv2d(16, 400, 5), "kaiming", activation="relu")
    assert conv.weight.std().item() == pytest.approx(math.sqrt(2 / (16 * 25)), rel=0.01)


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "elu", "selu", "gelu", "silu"])
def test_gains_keep_the_second_moment_of_a_normal(name: str) -> None:
    z = torch.linspace(-12, 12, 200_001, dtype=torch.float64)
    density = torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi)
    second_moment = torch.trapezoid(FUNCTIONS[name](z).square() * density, z).item()
    assert GAINS[name] == pytest.approx(1 / math.sqrt(second_moment), rel=1e-4)


def test_kaiming_keeps_the_signal_through_thirty_layers() -> None:
    torch.manual_seed(0)
    x = torch.randn(64, 256)
    norms = {}
    for init in ("kaiming", "normal"):
        net = FNN(256, 1, hidden=(256,) * 30, init=init)
        norms[init] = net.layers(x).square().mean().sqrt().item()
    assert 0.3 < norms["kaiming"] < 3
    assert norms["normal"] < 1e-15


def test_selu_normalises_itself_and_alpha_dropout_keeps_that() -> None:
    torch.manual_seed(0)
    net = FNN(256, 1, hidden=(256,) * 16, activation="selu", init="lecun", dropout=0.1)
    for mode in (True, False):
        h = net.train(mode).layers(torch.randn(512, 256))
        assert abs(h.mean().item()) < 0.2
        assert 0.8 < h.std().item() < 1.2


def test_dropout_zeroes_its_share_and_only_in_training() -> None:
    torch.manual_seed(0)
    net = FNN(10, 1, hidden=(1000,), activation="sigmoid", dropout=0.3)
    x = torch.randn(50, 10)
    assert (net.layers(x) == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    net.eval()
    assert (net.layers(x) == 0).sum() == 0


@pytest.mark.parametrize("norm", [None, "batch", "layer"])
def test_samples_do_not_influence_each_other_in_eval_mode(norm: str | None) -> None:
    net = FNN(6, 3, norm=norm).eval()
    x = torch.randn(5, 6)
    torch.testing.assert_close(net(x)[:1], net(x[:1]))


@pytest.mark.parametrize("norm", [None, "batch", "layer"])
def test_every_parameter_gets_a_gradient(norm: str | None) -> None:
    net = FNN(6, 3, norm=norm)
    net(torch.randn(5, 6)).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("in_features", 0),
        ("in_features", 2.5),
        ("out_features", True),
        ("hidden", 64),
        ("hidden", "64"),
        ("hidden", (8, 0)),
        ("activation", "rellu"),
        ("activation", None),
        ("norm", "group"),
        ("dropout", 1.0),
        ("dropout", -0.1),
        ("dropout", math.nan),
        ("dropout", "0.1"),
        ("init", "he"),
        ("init_std", 0.0),
        ("init_std", math.inf),
    ],
)
def test_bad_arguments_are_named(name: str, value: object) -> None:
    arguments = {"in_features": 4, "out_features": 2} | {name: value}
    with pytest.raises(ValueError, match=rf"`{name}(\[1\])?` must be .*, got "):
        FNN(**arguments)


def test_a_wrong_input_size_is_named() -> None:
    with pytest.raises(ValueError, match=r"`x` .* 6 features .* got 8 in \(5, 2, 4\)"):
        FNN(6, 3)(torch.randn(5, 2, 4))
    with pytest.raises(ValueError, match="`x` must be of shape"):
        FNN(1, 3)(torch.randn(5))


@pytest.mark.parametrize("init", ["normal", "uniform", "xavier", "kaiming", "orthogonal", "zeros"])
def test_builds_on_the_meta_device(init: str) -> None:
    with torch.device("meta"):
        net = FNN(6, 3, norm="batch", init=init)
    assert {p.device.type for p in net.parameters()} == {"meta"}
    assert net(torch.randn(5, 6, device="meta")).shape == (5, 3)
