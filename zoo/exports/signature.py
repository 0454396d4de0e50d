"""What an exported net reads and gives: names, sizes and meanings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from zoo.models.autoencoder import EncoderDecoder
from zoo.models.net import Net
from zoo.models.recurrent import Recurrence, RecurrentNet
from zoo.models.torchvision import Torchvision
from zoo.models.vae import VariationalNet

# Sizes with which a net is traced where it takes any; checks use others.
TRACED = {"batch": 3, "length": 7}
SIDE = 32  # of an image
PUBLISHED = 224  # that of ImageNet, for torchvision's models
# Those that have an embedding for each position, or shift windows, which torch.export takes longer
# than a quarter of an hour to follow at any size (2.14).
FIXED = ("vit_", "maxvit_", "swin_")
LENGTHS = "steps of each sample that count, 1 to length; what lies beyond has no influence"
IMAGE = "the input once more, in its own shape"
LOG_ODDS = "log odds of the input, in its own shape"
AUTOENCODER = {"image": IMAGE, "code": "what the decoder made the image from"}
VARIATIONAL = {
    "image": f"{IMAGE}, decoded from the mean: nothing is drawn",
    "code": "mean of the posterior q(code | x), not a draw",
    "log_variance": "log variance of the posterior q(code | x)",
    "logits": "the decoder's last layer before its output activation",
}
# What a head's numbers are called, by what they are trained for, and what they are to the loss
# where that is not the usual.
HEADS = {
    "classes": ("logits", "a score for each class, before the softmax"),
    "next_token": ("logits", "a score for each token to come, before the softmax"),
    "frames": ("logits", "a score for each note, before the logistic function"),
    "values": ("values", "the predicted values, scaled as in training"),
    "values/first_half": ("values", "predicted means, then log variances, scaled as in training"),
    "values/logits": ("logits", "log odds of the predicted values, from 0 to 1"),
    "frames/all": ("probabilities", "of each note"),
}
UNKNOWN = ("output", "what the head gives")


class ExportError(ValueError):
    """What cannot be exported, and why."""


class Port(NamedTuple):
    """An input or an output of an exported file.

    Attributes:
        name: as a runtime is asked for it.
        shape: a number, or the name of a size that is free, for each dimension.
        dtype: "float32" or "int64".
        meaning: in words.
    """

    name: str
    shape: tuple[int | str, ...]
    dtype: str
    meaning: str


class Signature(NamedTuple):
    """What a file reads and gives.

    Attributes:
        inputs: in their order.
        outputs: likewise; their shapes are known once the net is traced.
        sizes: with which it is traced, by name.
        recurrent: whether the net reads step by step, so that any length will do.
        tokens: how many there are, where x is of tokens; else 0.
    """

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    sizes: dict[str, int]
    recurrent: bool = False
    tokens: int = 0

    @property
    def ragged(self) -> bool:
        """Whether samples come with their lengths."""
        return len(self.inputs) == 2

    @property
    def free(self) -> tuple[str, ...]:
        """Names of the sizes that may be any."""
        return tuple(dict.fromkeys(s for p in self.inputs for s in p.shape if isinstance(s, str)))

    def example(self, sizes: Mapping[str, int], *, seed: int = 0) -> tuple[Tensor, ...]:
        """Inputs of these sizes: normal numbers or any tokens, and lengths of which one is full."""
        draw = torch.Generator().manual_seed(seed)
        shape = [size if isinstance(size, int) else sizes[size] for size in self.inputs[0].shape]
        if self.tokens:
            x = torch.randint(self.tokens, shape, generator=draw)
        else:
            x = torch.randn(shape, generator=draw)
        if not self.ragged:
            return (x,)
        lengths = torch.randint(1, shape[1] + 1, (shape[0],), generator=draw)
        lengths[-1] = shape[1]
        return x, lengths


def signature_of(
    net: nn.Module,
    *,
    kind: str | None = None,
    lengths: bool = True,
    image: tuple[int, int] | None = None,
) -> Signature:
    """What an export of the net reads and gives.

    Args:
        net: one of `zoo.models`.
        kind: what its output is, one of `HEADS` or a reconstruction; None if that is not known.
        lengths: whether padded sequences come with the number of their steps.
        image: height and width of the training's images, for nets that take any.

    Raises:
        ExportError: it is not a net of the zoo.
    """
    if not isinstance(net, Net):
        raise ExportError(
            f"{type(net).__name__} is not a class of zoo.models, so that what it reads is "
            "not known; export it with torch.onnx.export or torch.export"
        )
    if isinstance(net, RecurrentNet):
        return of_sequences(net, kind, lengths)
    shape, sizes = sample_of(net, image)
    x = Port("x", ("batch", *shape), "float32", "a batch of samples, as in training")
    if isinstance(net, EncoderDecoder):
        meanings = dict(VARIATIONAL if isinstance(net, VariationalNet) else AUTOENCODER)
        if kind == "reconstruction/logits":
            meanings["image"] = LOG_ODDS
    else:
        meanings = dict([HEADS.get(kind or "", UNKNOWN)])
    outputs = tuple(Port(name, (), "float32", meaning) for name, meaning in meanings.items())
    return Signature((x,), outputs, {"batch": TRACED["batch"], **sizes})


def of_sequences(net: RecurrentNet, kind: str | None, lengths: bool) -> Signature:
    """The signature of a recurrent net."""
    tokens = int(net.arguments["in_features"]) if net.arguments["embedding"] else 0
    every = net.readout == "every"
    name, meaning = HEADS.get(kind or "", UNKNOWN)
    if tokens:
        x = Port("x", ("batch", "length"), "int64", f"tokens, 0 to {tokens - 1}")
    else:
        size = int(net.arguments["in_features"])
        x = Port("x", ("batch", "length", size), "float32", "a batch of sequences, as in training")
    inputs = [x]
    # Forwards, what a step gives cannot depend on what comes after it.
    if lengths and (not every or net.directions == 2):
        inputs.append(Port("lengths", ("batch",), "int64", LENGTHS))
    output = Port(name, (), "float32", f"{meaning}, at every step" if every else meaning)
    sizes = {word: TRACED[word] for word in ("batch", "length")}
    return Signature(tuple(inputs), (output,), sizes, True, tokens)


def sample_of(
    net: Net, image: tuple[int, int] | None
) -> tuple[tuple[int | str, ...], dict[str, int]]:
    """The shape of a sample, by what the net was built with, and the sizes to trace free ones with.

    Raises:
        ExportError: its arguments do not tell.
    """
    arguments: dict[str, Any] = net.arguments
    if "in_shape" in arguments:
        channels, *space = arguments["in_shape"]
        if arguments.get("head") != "global":
            return (channels, *space), {}
        words = ("length",) if len(space) == 1 else ("height", "width")
        return (channels, *words), dict(zip(words, space, strict=True))
    if "in_channels" in arguments:
        usual = (PUBLISHED, PUBLISHED) if isinstance(net, Torchvision) else (SIDE, SIDE)
        size = image or usual
        if isinstance(net, Torchvision) and net.name.startswith(FIXED):
            return (arguments["in_channels"], *size), {}
        words = ("height", "width")
        return (arguments["in_channels"], *words), dict(zip(words, size, strict=True))
    if "in_features" in arguments:
        return (arguments["in_features"],), {}
    raise ExportError(f"the arguments of {type(net).__name__} do not tell the shape of a sample")


class Answers(nn.Module):
    """A net with the inputs and outputs of a signature: what an export has to compute.

    Args:
        net: in eval mode.
        signature: of the export.
    """

    def __init__(self, net: nn.Module, signature: Signature) -> None:
        super().__init__()
        self.net = net
        self.names = [port.name for port in signature.outputs]

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, ...]:
        """Give the outputs as a tuple."""
        output = self.net(x) if lengths is None else self.net(x, lengths=lengths)
        if isinstance(output, Recurrence):
            return (output.output,)
        if isinstance(output, Tensor):
            return (output,)
        return tuple(getattr(output, name) for name in self.names)
