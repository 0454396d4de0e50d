"""The autoencoders against sums written out, and PCA's closed form."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from zoo.models import Autoencoder, ConvAutoencoder, Reconstruction
from zoo.models.conv_autoencoder import sizes_down


def linears(net: nn.Module) -> list[nn.Linear]:
    return [layer for layer in net.modules() if isinstance(layer, nn.Linear)]


@pytest.mark.parametrize("tied", [False, True])
def test_encode_and_decode_written_out(tied: bool) -> None:
    torch.manual_seed(0)
    net = Autoencoder(12, 2, hidden=(7, 5), activation="tanh", code_activation="relu", tied=tied)
    e1, e2, e3 = linears(net.encoder)
    d1, d2, d3 = linears(net.decoder)
    for layer in linears(net):
        nn.init.normal_(layer.bias)
    x = torch.rand(4, 3, 4)
    h = torch.tanh(x.reshape(4, 12) @ e1.weight.T + e1.bias)
    h = torch.tanh(h @ e2.weight.T + e2.bias)
    code = (h @ e3.weight.T + e3.bias).clamp(min=0)
    w1, w2, w3 = (
        (e3.weight, e2.weight, e1.weight) if tied else (d1.weight.T, d2.weight.T, d3.weight.T)
    )
    h = torch.tanh(code @ w1 + d1.bias)
    h = torch.tanh(h @ w2 + d2.bias)
    image = torch.sigmoid(h @ w3 + d3.bias)
    output = net(x)
    assert isinstance(output, Reconstruction)
    torch.testing.assert_close(output.code, code)
    torch.testing.assert_close(output.image, image.reshape(4, 3, 4))
    torch.testing.assert_close(net.encode(x), code)
    torch.testing.assert_close(net.decode(code), image)


def test_tied_weights_are_one_parameter_with_gradients_from_both_sides() -> None:
    torch.manual_seed(0)
    net = Autoencoder(6, 3, hidden=(), output="identity", tied=True)
    (encoder,), (decoder,) = linears(net.encoder), linears(net.decoder)
    assert decoder.weight is encoder.weight
    assert sum(p.numel() for p in net.parameters()) == 6 * 3 + 3 + 6
    x = torch.randn(5, 6)
    net(x).image.sum().backward()
    # image = (x W^T + b) W + c, and the loss is the sum of all its elements.
    ones = torch.ones(5, 6)
    from_decoder = net.encode(x).T @ ones
    from_encoder = (ones @ encoder.weight.T).T @ x
    torch.testing.assert_close(encoder.weight.grad, from_decoder + from_encoder)


@pytest.mark.parametrize("norm", [None, "batch", "layer"])
def test_tied_nets_save_and_load(norm: str | None) -> None:
    net = Autoencoder(8, 2, hidden=(6, 4), tied=True, norm=norm).eval()
    other = Autoencoder(8, 2, hidden=(6, 4), tied=True, norm=norm).eval()
    other.load_state_dict(net.state_dict())
    x = torch.rand(3, 8)
    torch.testing.assert_close(other(x).image, net(x).image)
    assert linears(other.decoder)[0].weight is linears(other.encoder)[-1].weight


def test_a_linear_autoencoder_reaches_pca_and_not_more() -> None:
    torch.manual_seed(0)
    x = torch.randn(64, 5) @ torch.diag(torch.tensor([3.0, 2.0, 1.0, 0.5, 0.2]))
    x = x - x.mean(dim=0)
    best = torch.linalg.svdvals(x)[2:].square().sum().item() / x.numel()
    net = Autoencoder(5, 2, hidden=(), output="identity")
    optimizer = torch.optim.LBFGS(net.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = F.mse_loss(net(x).image, x)
        loss.backward()
        return loss

    optimizer.step(closure)
    assert closure().item() == pytest.approx(best, rel=1e-3)


@pytest.mark.parametrize(
    ("output", "expected"), [("sigmoid", (0, 1)), ("tanh", (-1, 1)), ("identity", None)]
)
def test_output_range_holds(output: str, expected: tuple[int, int] | None) -> None:
    torch.manual_seed(0)
    for net, shape in (
        (Autoencoder(9, 2, output=output), (9,)),
        (ConvAutoencoder((1, 3, 3), 2, output=output), (1, 3, 3)),
    ):
        assert net.latent == 2
        assert net.output_range == expected
        image = net.eval().decode(net.encode(100 * torch.randn(64, *shape)) * 100)
        low, high = image.min().item(), image.max().item()
        if expected is None:
            assert low < -1 and high > 1
        else:
            assert (low, high) == pytest.approx(expected, abs=1e-3)


SIZES = [(28, 28), (7, 7), (9, 5), (8, 8), (1, 1), (2, 31)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [(4,), (4, 6), (4, 6, 8)])
def test_conv_gives_back_odd_sizes(size: tuple[int, int], channels: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    net = ConvAutoencoder((2, *size), 3, channels=channels)
    x = torch.rand(4, 2, *size)
    output = net(x)
    assert output.image.shape == x.shape
    assert output.code.shape == (4, 3)
    seen: list[tuple[int, ...]] = [size]
    for conv in [layer for layer in net.encoder.modules() if isinstance(layer, nn.Conv2d)]:
        conv.register_forward_hook(lambda layer, args, out: seen.append(tuple(out.shape[2:])))
    net.encode(x)
    assert seen == sizes_down(size, len(channels))
    ups = [layer.size for layer in net.decoder.modules() if isinstance(layer, nn.Upsample)]
    assert ups == seen[-2::-1]


def test_conv_parameter_count_by_hand() -> None:
    net = ConvAutoencoder((1, 28, 28), 16, channels=(32, 64))
    encoder = (9 * 1 * 32 + 2 * 32) + (9 * 32 * 64 + 2 * 64) + (64 * 7 * 7 * 16 + 16)
    decoder = (16 * 64 * 7 * 7 + 64 * 7 * 7) + (9 * 64 * 32 + 2 * 32) + (9 * 32 * 1 + 1)
    assert sum(p.numel() for p in net.parameters()) == encoder + decoder


def test_a_flat_map_stays_flat_away_from_the_border() -> None:
    # What a transposed convolution of stride 2 does not do: that is its checkerboard.
    net = ConvAutoencoder((1, 16, 16), 2, channels=(4,), norm=None, output="identity")
    inner = net.decoder.layers(torch.ones(1, 4, 8, 8))[0, 0, 1:-1, 1:-1]
    torch.testing.assert_close(inner, inner[:1, :1].expand_as(inner))


NETS = {
    "dense": (lambda: Autoencoder(64, 3), (64,)),
    "dense image": (lambda: Autoencoder(64, 3), (1, 8, 8)),
    "dense norms": (lambda: Autoencoder(64, 3, norm="batch", dropout=0.1), (64,)),
    "tied": (lambda: Autoencoder(64, 3, tied=True), (64,)),
    "conv": (lambda: ConvAutoencoder((1, 8, 8), 3), (1, 8, 8)),
    "conv layer": (lambda: ConvAutoencoder((1, 8, 8), 3, norm="layer"), (1, 8, 8)),
}


@pytest.mark.parametrize("name", NETS)
def test_gradients_batch_mates_and_meta(name: str) -> None:
    torch.manual_seed(0)
    build, shape = NETS[name]
    net, x = build(), torch.randn(16, *shape)
    net(x).image.sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())
    net.eval()
    for many, one in zip(net(x), net(x[:1]), strict=True):
        torch.testing.assert_close(many[:1], one)
    with torch.device("meta"):
        assert {p.device.type for p in build().parameters()} == {"meta"}


def test_wrong_input_sizes_are_named() -> None:
    with pytest.raises(ValueError, match=r"`x` .* 6 features .* got 8 in \(5, 2, 4\)"):
        Autoencoder(6, 3)(torch.randn(5, 2, 4))
    with pytest.raises(ValueError, match=r"`x` .* \(B, 1, 8, 8\), got \(5, 1, 8, 9\)"):
        ConvAutoencoder((1, 8, 8), 3)(torch.randn(5, 1, 8, 9))
    for net in (Autoencoder(6, 3), ConvAutoencoder((1, 8, 8), 3)):
        with pytest.raises(ValueError, match=r"`code` .* \(B, 3\), got \(5, 4\)"):
            net.decode(torch.randn(5, 4))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("in_features", 0),
        ("latent", 0),
        ("hidden", (8, -1)),
        ("hidden", 8),
        ("activation", "rellu"),
        ("code_activation", "rellu"),
        ("norm", "group"),
        ("dropout", 1.0),
        ("output", "relu"),
        ("init", "he"),
        ("init_std", 0),
    ],
)
def test_bad_arguments_are_named(name: str, value: object) -> None:
    arguments = {"in_features": 4, "latent": 2} | {name: value}
    with pytest.raises(ValueError, match=rf"`{name}(\[1\])?` must be .*, got "):
        Autoencoder(**arguments)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("in_shape", (1, 8)),
        ("in_shape", (1, 8, 8, 8)),
        ("in_shape", (1, -8, 8)),
        ("latent", 2.0),
        ("channels", ()),
        ("channels", 32),
        ("activation", "rellu"),
        ("code_activation", None),
        ("norm", "group"),
        ("output", "softmax"),
    ],
)
def test_bad_arguments_of_conv_are_named(name: str, value: object) -> None:
    arguments = {"in_shape": (1, 8, 8), "latent": 2} | {name: value}
    with pytest.raises(ValueError, match=rf"`{name}(\[1\])?` must be .*, got "):
        ConvAutoencoder(**arguments)
