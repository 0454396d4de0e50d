"""Convolutional networks: a plain stack for images and sequences, and LeNet-5."""

import math
from collections.abc import Sequence
from functools import partial
from itertools import pairwise

from torch import Tensor, nn

from zoo.models.layers import (
    ACTIVATIONS,
    activation_layer,
    check_choice,
    check_input,
    check_layers,
    check_shape,
    check_size,
    check_sizes,
    conv_layers,
    dropout_layers,
    initialise,
    stages_of,
)
from zoo.models.net import Net

POOLS = ("max", "average", None)
HEADS = ("global", "flatten")


def pool_layers(pool: str | None, *, dims: int) -> list[nn.Module]:
    """Pooling that halves each dimension of space, or nothing for None."""
    if pool is None:
        return []
    if pool == "max":
        return [nn.MaxPool1d(2) if dims == 1 else nn.MaxPool2d(2)]
    return [nn.AvgPool1d(2) if dims == 1 else nn.AvgPool2d(2)]


def sizes_after(sizes: Sequence[int], stages: int) -> list[int]:
    """The dimensions of space after halving each of them `stages` times, if they are that large."""
    fits = min(sizes).bit_length() - 1  # rounding down, 2^n can be halved n times
    if stages > fits:
        raise ValueError(
            f"`channels` must have at most {fits} entries, as pooling halves {tuple(sizes)} no "
            f"more often, got {stages}; shorten it or set `pool` to None"
        )
    return [size // 2**stages for size in sizes]


class CNN(Net):
    """A plain stack of convolutions for images or sequences, with one linear head.

    Each entry of `channels` is a stage: convolution -> norm -> activation -> pooling by 2 ->
    dropout. The order follows Simonyan & Zisserman 2015 and Ioffe & Szegedy 2015; the global head
    is that of Lin 2014, "Network in network".

    Args:
        in_shape: (C, H, W) makes 2-D convolutions, (C, T) 1-D ones.
        out_features: size of one output.
        channels: output channels of each stage.
        kernel_size: odd width of the convolutions, which keep the size of their input.
        activation: identity, sigmoid, tanh, relu, leaky_relu, elu, selu, gelu or silu.
        norm: "batch", "layer" (over channels and space) or None.
        pool: "max", "average" or None.
        dropout: probability of dropping a unit after each stage (alpha dropout for selu).
        head: "global" averages over space, so that other input sizes work too; "flatten" keeps
            every position and needs exactly in_shape.
        bias: whether layers add a bias; a batch norm brings its own.
        init: normal, uniform, xavier, kaiming, lecun, orthogonal or zeros, scaled to suit the
            activation (see `zoo.models.layers.initialise`).
        init_std: standard deviation of the weights for init="normal".

    Shapes:
        x (B, C, H, W) or (B, C, T) -> (B, out_features)
        features: x -> (B, channels[-1]), with head="flatten" times the size of the last maps

    Raises:
        ValueError: an argument is out of range, in_shape is too small for the poolings, or x does
            not fit in_shape.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        out_features: int,
        *,
        channels: Sequence[int] = (32, 64),
        kernel_size: int = 3,
        activation: str = "relu",
        norm: str | None = "batch",
        pool: str | None = "max",
        dropout: float = 0.0,
        head: str = "global",
        bias: bool = True,
        init: str = "kaiming",
        init_std: float = 0.01,
    ) -> None:
        check_shape("in_shape", in_shape, "C, H, W", "C, T")
        check_size("out_features", out_features)
        check_sizes("channels", channels, at_least=1)
        check_size("kernel_size", kernel_size)
        if kernel_size % 2 == 0:
            raise ValueError(f"`kernel_size` must be odd, got {kernel_size}")
        check_layers(activation, norm, dropout, init, init_std)
        check_choice("pool", pool, POOLS)
        check_choice("head", head, HEADS)
        sizes = sizes_after(in_shape[1:], 0 if pool is None else len(channels))
        super().__init__()
        dims = len(in_shape) - 1
        stage = partial(
            conv_layers,
            dims=dims,
            kernel_size=kernel_size,
            activation=activation,
            norm=norm,
            bias=bias,
            init=init,
            init_std=init_std,
        )
        layers: list[nn.Module] = []
        for before, after in pairwise((in_shape[0], *channels)):
            layers += stage(before, after)
            layers += pool_layers(pool, dims=dims)
            layers += dropout_layers(dropout, activation)
        self.layers = nn.Sequential(*layers)
        self.average = head == "global"
        self.sizes = (
            (in_shape[0], *("HW" if dims == 2 else "T")) if self.average else tuple(in_shape)
        )
        features = channels[-1] * (1 if self.average else math.prod(sizes))
        self.head = initialise(nn.Linear(features, out_features, bias=bias), init, std=init_std)

    def stages(self) -> dict[str, nn.Module]:
        """stage1, stage2, …, one for each entry of `channels`, and head."""
        return {**stages_of(self.layers, (nn.Conv1d, nn.Conv2d), "stage"), "head": self.head}

    def features(self, x: Tensor) -> Tensor:
        """The last maps of a batch of images or sequences, averaged over space or flattened."""
        check_input("x", x, *self.sizes)
        x = self.layers(x)  # (B, C', H', W') or (B, C', T')
        return (
            x.flatten(2).mean(2) if self.average else x.flatten(1)
        )  # (B, C') or (B, C' * H' * W')

    def forward(self, x: Tensor) -> Tensor:
        """Compute the outputs of a batch of images or sequences."""
        x = self.features(x)  # (B, F)
        return self.head(x)  # (B, out_features)


def conv5x5(in_channels: int, out_channels: int, activation: str) -> list[nn.Module]:
    """A 5x5 convolution without padding, and its activation."""
    conv = nn.Conv2d(in_channels, out_channels, 5)
    return [initialise(conv, "kaiming", activation=activation), activation_layer(activation)]


class LeNet5(Net):
    """LeNet-5, layer by layer as in figure 2 of LeCun, Bottou, Bengio & Haffner 1998.

    Two simplifications are customary and kept here: every map of C3 sees all maps of S2, and the
    subsampling has no weights of its own. The output is a linear layer, to which a loss adds its
    softmax, in place of the paper's radial basis functions.

    Args:
        in_shape: (C, H, W), at most 32 high and wide.
        out_features: size of one output.
        activation: identity, sigmoid, tanh, relu, leaky_relu, elu, selu, gelu or silu.
        pool: "average" or "max".

    Shapes:
        x (B, C, H, W) -> (B, out_features)
        features: x -> (B, 84)

    Raises:
        ValueError: an argument is out of range, or x is not of in_shape.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        out_features: int,
        *,
        activation: str = "tanh",
        pool: str = "average",
    ) -> None:
        check_shape("in_shape", in_shape, "C, H, W")
        check_size("out_features", out_features)
        check_choice("activation", activation, ACTIVATIONS)
        check_choice("pool", pool, ("average", "max"))
        in_channels, height, width = in_shape
        if max(height, width) > 32:
            raise ValueError(f"`in_shape` must be at most 32 high and wide, got {tuple(in_shape)}")
        super().__init__()
        self.in_shape = tuple(in_shape)
        left, top = (32 - width) // 2, (32 - height) // 2
        self.layers = nn.Sequential(
            # The margin lets strokes at a digit's edge reach the centre of a unit's field.
            nn.ZeroPad2d((left, 32 - width - left, top, 32 - height - top)),
            *conv5x5(in_channels, 6, activation),  # C1: 6 @ 28x28
            *pool_layers(pool, dims=2),  # S2: 6 @ 14x14
            *conv5x5(6, 16, activation),  # C3: 16 @ 10x10
            *pool_layers(pool, dims=2),  # S4: 16 @ 5x5
            *conv5x5(16, 120, activation),  # C5: 120 @ 1x1
            nn.Flatten(),
            initialise(nn.Linear(120, 84), "kaiming", activation=activation),  # F6
            activation_layer(activation),
        )
        self.head = initialise(nn.Linear(84, out_features), "kaiming")

    def stages(self) -> dict[str, nn.Module]:
        """c1, c3, c5, f6, as the paper's layers with weights are called, and head."""
        layers = stages_of(self.layers, (nn.Conv2d, nn.Linear), "")
        names = ("c1", "c3", "c5", "f6")
        return {**dict(zip(names, layers.values(), strict=True)), "head": self.head}

    def features(self, x: Tensor) -> Tensor:
        """What layer F6 makes of a batch of images."""
        check_input("x", x, *self.in_shape)
        return self.layers(x)  # (B, 84)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the outputs of a batch of images."""
        x = self.features(x)  # (B, 84)
        return self.head(x)  # (B, out_features)
