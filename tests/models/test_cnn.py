"""The convolutional nets against loops, the papers' drawings and their parameter counts."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.models import CNN, LeNet5, ResNet


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def convolved(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A same-padded convolution of one image (C, H, W) by loops."""
    maps, _, k, _ = weight.shape
    _, height, width = x.shape
    padded = torch.zeros(x.shape[0], height + k - 1, width + k - 1)
    padded[:, k // 2 : k // 2 + height, k // 2 : k // 2 + width] = x
    y = torch.zeros(maps, height, width)
    for m in range(maps):
        for i in range(height):
            for j in range(width):
                y[m, i, j] = (weight[m] * padded[:, i : i + k, j : j + k]).sum() + bias[m]
    return y


def pooled(y: Tensor, pool: str | None) -> Tensor:
    """Pooling of one image (C, H, W) by 2 by loops; an odd last row or column is left out."""
    if pool is None:
        return y
    reduce = torch.amax if pool == "max" else torch.mean
    z = torch.zeros(y.shape[0], y.shape[1] // 2, y.shape[2] // 2)
    for i in range(z.shape[1]):
        for j in range(z.shape[2]):
            z[:, i, j] = reduce(y[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2], dim=(1, 2))
    return z


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@pytest.mark.parametrize("pool", ["max", "average", None])
@pytest.mark.parametrize("head", ["global", "flatten"])
@torch.no_grad()
def test_cnn_equals_the_loops(kernel_size: int, pool: str | None, head: str) -> None:
    torch.manual_seed(0)
    net = CNN((2, 5, 6), 3, channels=(4,), kernel_size=kernel_size, norm=None, pool=pool, head=head)
    nn.init.normal_(net.layers[0].bias)
    x = torch.randn(2, 5, 6)
    h = pooled(convolved(x, net.layers[0].weight, net.layers[0].bias).clamp(min=0), pool)
    h = h.mean(dim=(1, 2)) if head == "global" else h.flatten()
    torch.testing.assert_close(net(x[None])[0], net.head.weight @ h + net.head.bias)


def test_a_sequence_is_an_image_of_height_one() -> None:
    torch.manual_seed(0)
    net = CNN((3, 12), 2, channels=(4, 5), norm=None)
    convs = [layer for layer in net.layers if isinstance(layer, nn.Conv1d)]
    x = torch.randn(2, 3, 12)
    h = x[:, :, None]
    for conv in convs:
        # Only the middle row of a 3x3 window meets anything but padding.
        weight = F.pad(conv.weight[:, :, None], (0, 0, 1, 1))
        h = F.max_pool2d(F.conv2d(h, weight, conv.bias, padding=1).relu(), (1, 2))
    torch.testing.assert_close(net(x), net.head(h.mean(dim=(2, 3))))


def test_batch_norm_normalises_each_channel_and_layer_norm_each_sample() -> None:
    torch.manual_seed(0)
    x = torch.randn(8, 3, 6, 6) * 5 + 2
    conv, norm = CNN((3, 6, 6), 2, norm="batch").layers[:2]
    y = norm(conv(x))
    torch.testing.assert_close(y.mean(dim=(0, 2, 3)), torch.zeros(32), atol=1e-5, rtol=0)
    torch.testing.assert_close(y.std(dim=(0, 2, 3)), torch.ones(32), atol=1e-2, rtol=0)
    conv, norm = CNN((3, 6, 6), 2, norm="layer").layers[:2]
    y = norm(conv(x))
    torch.testing.assert_close(y.mean(dim=(1, 2, 3)), torch.zeros(8), atol=1e-5, rtol=0)
    torch.testing.assert_close(y.std(dim=(1, 2, 3)), torch.ones(8), atol=1e-2, rtol=0)


def test_order_of_a_stage_and_parameter_count_by_hand() -> None:
    net = CNN((3, 8, 8), 10, channels=(4, 6), dropout=0.1)
    stage = [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d, nn.Dropout]
    assert [type(layer) for layer in net.layers] == stage * 2
    batch = (3 * 4 * 9 + 2 * 4) + (4 * 6 * 9 + 2 * 6) + (6 * 10 + 10)
    assert count(net) == batch
    plain = (3 * 4 * 9 + 4) + (4 * 6 * 9 + 6) + (6 * 2 * 2 * 10 + 10)
    assert count(CNN((3, 8, 8), 10, channels=(4, 6), norm=None, head="flatten")) == plain
    bare = CNN((3, 8, 8), 10, channels=(4, 6), norm=None, bias=False)
    assert count(bare) == 3 * 4 * 9 + 4 * 6 * 9 + 6 * 10


def test_global_head_takes_other_sizes_and_flatten_does_not() -> None:
    assert CNN((1, 8, 8), 3)(torch.randn(2, 1, 11, 5)).shape == (2, 3)
    with pytest.raises(ValueError, match=r"`x` .* \(B, 1, 8, 8\), got \(2, 1, 8, 9\)"):
        CNN((1, 8, 8), 3, head="flatten")(torch.randn(2, 1, 8, 9))
    with pytest.raises(ValueError, match=r"`x` .* \(B, 1, H, W\), got \(2, 3, 8, 8\)"):
        CNN((1, 8, 8), 3)(torch.randn(2, 3, 8, 8))
    with pytest.raises(ValueError, match=r"`x` .* \(B, 1, T\), got \(2, 1, 8, 8\)"):
        CNN((1, 8), 3)(torch.randn(2, 1, 8, 8))


@pytest.mark.parametrize(("side", "fits"), [(1, 0), (7, 2), (8, 3), (28, 4), (33, 5)])
def test_too_many_poolings_say_how_many_fit(side: int, fits: int) -> None:
    if fits:
        shape = CNN((1, side, 64), 3, channels=(4,) * fits).layers(torch.ones(2, 1, side, 64)).shape
        assert shape[2] == 1
    with pytest.raises(ValueError, match=rf"`channels` must have at most {fits} entries"):
        CNN((1, side, 64), 3, channels=(4,) * (fits + 1))
    CNN((1, side, 64), 3, channels=(4,) * (fits + 1), pool=None)


def test_lenet_has_the_layers_of_the_drawing() -> None:
    net, sizes = LeNet5((1, 28, 28), 10), []
    for layer in net.layers:
        layer.register_forward_hook(lambda layer, args, out: sizes.append(tuple(out.shape[1:])))
    net(torch.zeros(1, 1, 28, 28))
    drawing = [(1, 32, 32), (6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5), (120, 1, 1)]
    assert list(dict.fromkeys(sizes)) == [*drawing, (120,), (84,)]
    c1, c5, f6 = 6 * (25 + 1), 120 * (16 * 25 + 1), 84 * (120 + 1)
    assert (c1, c5, f6) == (156, 48_120, 10_164)  # the paper's own numbers
    c3 = 16 * (6 * 25 + 1)  # with every map connected; the paper's partial scheme has 1,516
    assert count(net) == c1 + c3 + c5 + f6 + 10 * (84 + 1) == 61_706


def test_lenet_centres_smaller_images() -> None:
    x = torch.randn(2, 1, 20, 27)
    field = torch.zeros(2, 1, 32, 32)
    field[:, :, 6:26, 2:29] = x
    torch.testing.assert_close(LeNet5((1, 20, 27), 10).layers[0](x), field)
    colour = LeNet5((3, 32, 32), 5, activation="relu", pool="max")
    assert colour(torch.ones(2, 3, 32, 32)).shape == (2, 5)


@pytest.mark.parametrize(
    ("depth", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7)]
)
def test_resnet_has_the_parameters_of_table_6(depth: int, millions: float) -> None:
    with torch.device("meta"):
        net = ResNet(3, 10, depth=depth)
    assert round(count(net) / 1e6, 1 if depth == 110 else 2) == millions
    assert sum(isinstance(m, nn.Conv2d | nn.Linear) for m in net.modules()) == depth
    n = (depth - 2) // 6
    convs = 9 * (3 * 16 + 2 * n * 16**2 + 16 * 32 + (2 * n - 1) * 32**2)
    convs += 9 * (32 * 64 + (2 * n - 1) * 64**2)
    norms = 2 * (16 + 2 * n * (16 + 32 + 64))
    assert count(net) == convs + norms + 64 * 10 + 10


@pytest.mark.parametrize(("size", "last"), [((32, 32), (8, 8)), ((8, 8), (2, 2)), ((9, 1), (3, 1))])
def test_resnet_halves_twice_for_any_size(size: tuple[int, int], last: tuple[int, int]) -> None:
    net = ResNet(1, 10, depth=8).eval()
    x = torch.randn(2, 1, *size)
    assert net.blocks(net.stem(x)).shape == (2, 64, *last)
    assert net(x).shape == (2, 10)


def test_a_block_without_residual_is_its_shortcut() -> None:
    block = ResNet(1, 10, depth=8, width=4).blocks[1].eval()
    nn.init.zeros_(block.norm2.weight)
    x = torch.rand(2, 4, 5, 6)
    expected = torch.zeros(2, 8, 3, 3)
    for i in range(3):
        for j in range(3):
            expected[:, :4, i, j] = x[:, :, 2 * i, 2 * j]
    torch.testing.assert_close(block(x), expected)


NETS = {
    "cnn": (lambda: CNN((1, 8, 8), 3), (1, 8, 8)),
    "cnn layer": (lambda: CNN((1, 8, 8), 3, norm="layer"), (1, 8, 8)),
    "cnn none": (lambda: CNN((2, 9), 3, norm=None, activation="selu", dropout=0.1), (2, 9)),
    "lenet": (lambda: LeNet5((1, 8, 8), 3), (1, 8, 8)),
    "resnet": (lambda: ResNet(1, 3), (1, 8, 8)),
}


@pytest.mark.parametrize("name", NETS)
def test_gradients_batch_mates_and_meta(name: str) -> None:
    torch.manual_seed(0)
    build, shape = NETS[name]
    net, x = build(), torch.randn(5, *shape)
    net(x).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())
    net.eval()
    torch.testing.assert_close(net(x)[:1], net(x[:1]))
    with torch.device("meta"):
        assert {p.device.type for p in build().parameters()} == {"meta"}


BAD = {
    CNN: {
        "in_shape": [(8,), (1, 8, 8, 8), 8, (1, 0, 8)],
        "out_features": [0],
        "channels": [(), (4, -1)],
        "kernel_size": [2, 0],
        "activation": ["rellu"],
        "norm": ["group"],
        "pool": ["min"],
        "dropout": [1],
        "head": ["mean"],
        "init": ["he"],
        "init_std": [-1],
    },
    LeNet5: {
        "in_shape": [(1, 33, 8), (1, 8)],
        "out_features": [0],
        "activation": ["rellu"],
        "pool": [None],
    },
    ResNet: {
        "in_channels": [0],
        "out_features": [0],
        "depth": [2, 18, 20.0],
        "width": [0],
    },
}


@pytest.mark.parametrize(("net", "name"), [(net, name) for net in BAD for name in BAD[net]])
def test_bad_arguments_are_named(net: type[nn.Module], name: str) -> None:
    inputs = {"in_channels": 1} if net is ResNet else {"in_shape": (1, 8, 8)}
    for value in BAD[net][name]:
        with pytest.raises(ValueError, match=rf"`{name}(\[1\])?` must be .*, got "):
            net(**{**inputs, "out_features": 2, name: value})


def test_average_pooling_and_layer_norm_exist_for_sequences() -> None:
    net = CNN((2, 8), 3, norm="layer", pool="average", channels=(4, 4, 4))
    assert net(torch.randn(2, 2, 8)).shape == (2, 3)
    assert math.isfinite(net(torch.zeros(1, 2, 8)).sum().item())
