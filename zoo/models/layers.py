"""Parts that two or more families share: argument checks, activations, initialisation, blocks."""

import difflib
import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from numbers import Integral, Real
from typing import TypeVar

from torch import Tensor, nn

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "identity": nn.Identity,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}

# How much a layer's weights must grow to make up for its activation. The customary values where
# there is one; selu keeps unit variance by itself (Klambauer 2017); the others are
# 1 / sqrt(E[f(z)^2]) for z ~ N(0, 1), the rule from which He 2015 has the sqrt(2) of relu.
GAINS = {
    "identity": 1.0,
    "sigmoid": 1.0,
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "leaky_relu": math.sqrt(2 / (1 + 0.01**2)),
    "elu": 1.2452,
    "selu": 1.0,
    "gelu": 1.5335,
    "silu": 1.6765,
}

INITS = ("normal", "uniform", "xavier", "kaiming", "lecun", "orthogonal", "zeros")
NORMS = ("batch", "layer", None)


def check_choice(name: str, value: str | None, choices: Iterable[str | None]) -> None:
    """Refuse a value that is not among the choices."""
    allowed = list(choices)
    if value not in allowed:
        raise ValueError(f"`{name}` must be one of {', '.join(map(repr, allowed))}, got {value!r}")


def nearest(word: object, names: Iterable[str]) -> str:
    """The end of an error message about a name: the nearest of those that are there, then all."""
    known = list(names)
    near = difflib.get_close_matches(str(word), known, n=1, cutoff=0.5)
    return (f"; did you mean {near[0]!r}?" if near else ".") + f" There are: {', '.join(known)}"


def check_size(name: str, value: int) -> None:
    """Refuse anything but a whole number of at least 1."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"`{name}` must be a whole number >= 1, got {value!r}")


def check_sizes(name: str, values: Sequence[int], *, at_least: int = 0) -> None:
    """Refuse anything but a list of sizes, with `at_least` so many entries."""
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) < at_least:
        entries = f" with at least {at_least} of them" if at_least else ""
        raise ValueError(f"`{name}` must be a list of sizes{entries}, got {values!r}")
    for i, value in enumerate(values):
        check_size(f"{name}[{i}]", value)


def check_shape(name: str, shape: Sequence[int], *drawings: str) -> None:
    """Refuse a sample's shape that has another rank than each of the drawings, such as "C, T"."""
    ranks = [drawing.count(",") + 1 for drawing in drawings]
    if not isinstance(shape, Sequence) or len(shape) not in ranks:
        wanted = " or ".join(f"({drawing})" for drawing in drawings)
        raise ValueError(f"`{name}` must be {wanted}, got {shape!r}")
    check_sizes(name, shape)


def check_probability(name: str, value: float) -> None:
    """Refuse a probability of dropping that is not in [0, 1)."""
    if not isinstance(value, Real) or not 0 <= value < 1:
        raise ValueError(f"`{name}` must be in [0, 1), got {value!r}")


def check_positive(name: str, value: float) -> None:
    """Refuse a number that is not positive and finite."""
    if not isinstance(value, Real) or not 0 < value < math.inf:
        raise ValueError(f"`{name}` must be a positive number, got {value!r}")


def check_input(name: str, x: Tensor, *sizes: int | str) -> None:
    """Refuse a batch whose samples do not have these sizes; a letter stands for any size."""
    if x.ndim != 1 + len(sizes) or any(
        not isinstance(size, str) and size != given
        for size, given in zip(sizes, x.shape[1:], strict=True)
    ):
        wanted = ", ".join(map(str, ("B", *sizes)))
        raise ValueError(f"`{name}` must be of shape ({wanted}), got {tuple(x.shape)}")


def check_layers(
    activation: str, norm: str | None, dropout: float, init: str, init_std: float
) -> None:
    """Refuse an impossible choice of what surrounds the weights of a layer."""
    check_choice("activation", activation, ACTIVATIONS)
    check_choice("norm", norm, NORMS)
    check_probability("dropout", dropout)
    check_choice("init", init, INITS)
    check_positive("init_std", init_std)


def activation_layer(name: str) -> nn.Module:
    """The activation of that name, as a module so that hooks can watch it."""
    return ACTIVATIONS[name]()


Weighted = TypeVar("Weighted", bound=nn.Linear | nn.Conv1d | nn.Conv2d)


def initialise(
    layer: Weighted, init: str, *, activation: str = "identity", std: float = 0.01
) -> Weighted:
    """Draw the weights of a linear or convolution layer, set its bias to zero, and return it.

    Args:
        layer: the layer to initialise, in place.
        init: "normal" N(0, std^2), the textbook's small random numbers; "uniform"
            U(-1/sqrt(fan_in), 1/sqrt(fan_in)); "xavier" uniform (Glorot 2010); "kaiming" normal
            over fan_in (He 2015); "lecun" N(0, 1/fan_in) (LeCun 1998); "orthogonal" (Saxe 2014);
            "zeros".
        activation: what follows the layer; its gain scales xavier, kaiming and orthogonal.
        std: standard deviation for "normal".
    """
    check_choice("init", init, INITS)
    weight, gain = layer.weight, GAINS[activation]
    spread = 1 / math.sqrt(weight[0].numel())  # fan_in, for linear and convolution layers alike
    if init == "normal":
        nn.init.normal_(weight, std=std)
    elif init == "uniform":
        nn.init.uniform_(weight, -spread, spread)
    elif init == "xavier":
        nn.init.xavier_uniform_(weight, gain)
    elif init == "kaiming":
        nn.init.normal_(weight, std=gain * spread)
    elif init == "lecun":
        nn.init.normal_(weight, std=spread)
    elif init == "orthogonal":
        nn.init.orthogonal_(weight, gain)
    else:
        nn.init.zeros_(weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def norm_layers(norm: str | None, features: int, *, dims: int) -> list[nn.Module]:
    """The norm over `features` channels with `dims` dimensions of space, or nothing for None.

    "batch" normalises each channel over the batch and space (Ioffe 2015); "layer" normalises each
    sample over its channels and space (Ba 2016).
    """
    if norm is None:
        return []
    if norm == "batch":
        return [nn.BatchNorm2d(features) if dims == 2 else nn.BatchNorm1d(features)]
    return [nn.LayerNorm(features) if dims == 0 else nn.GroupNorm(1, features)]


def dropout_layers(dropout: float, activation: str) -> list[nn.Module]:
    """Dropout that suits the activation, or nothing for a probability of zero."""
    if dropout == 0:
        return []
    # Alpha dropout keeps the mean and variance that make selu normalise itself (Klambauer 2017).
    return [nn.AlphaDropout(dropout) if activation == "selu" else nn.Dropout(dropout)]


def stages_of(
    layers: nn.Sequential, kinds: tuple[type[nn.Module], ...], name: str
) -> dict[str, nn.Module]:
    """The stages of a stack of layers, as name1, name2 and so on.

    Args:
        layers: the stack, whose modules the stages hold.
        kinds: what a stage begins with; what comes before the first one belongs to it.
        name: of them all.
    """
    found = [i for i, layer in enumerate(layers) if isinstance(layer, kinds)]
    edges = [0, *found[1:], len(layers)] if found else []
    return {
        f"{name}{number}": nn.Sequential(*list(layers)[start:end])
        for number, (start, end) in enumerate(pairwise(edges), start=1)
    }


def conv_layers(
    in_channels: int,
    out_channels: int,
    *,
    dims: int = 2,
    kernel_size: int = 3,
    stride: int = 1,
    activation: str = "relu",
    norm: str | None = "batch",
    bias: bool = True,
    init: str = "kaiming",
    init_std: float = 0.01,
) -> list[nn.Module]:
    """Convolution -> norm -> activation, padded so that stride 1 keeps the size."""
    conv = (nn.Conv1d if dims == 1 else nn.Conv2d)(
        in_channels,
        out_channels,
        kernel_size,
        stride,
        padding=kernel_size // 2,
        # A batch norm subtracts whatever bias comes before it.
        bias=bias and norm != "batch",
    )
    return [
        initialise(conv, init, activation=activation, std=init_std),
        *norm_layers(norm, out_channels, dims=dims),
        activation_layer(activation),
    ]
