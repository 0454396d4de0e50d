"""How a sample is offered to a net: pure functions on whole batches."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor


def as_is(x: Tensor) -> Tensor:
    """The batch in its own layout."""
    return x


def vector(x: Tensor) -> Tensor:
    """(B, ...) -> (B, F)."""
    return x.flatten(1)


def rows(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H, C * W): an image read from top to bottom."""
    return x.transpose(1, 2).flatten(2)


def pixels(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H * W, C): an image read pixel by pixel (Le 2015)."""
    return x.flatten(2).transpose(1, 2)


def channels_first(x: Tensor) -> Tensor:
    """(B, T, F) -> (B, F, T): a sequence as a one-dimensional image."""
    return x.transpose(1, 2)


def one_hot(x: Tensor, vocabulary: int) -> Tensor:
    """(B, T) symbols -> (B, T, vocabulary)."""
    return F.one_hot(x, vocabulary).float()


def put_back(x: Tensor, view: str, shape: Sequence[int]) -> Tensor:
    """A batch in a view -> (B, *shape), as it was stored: images (C, H, W), sequences (T, F)."""
    if len(shape) == 3 and view in ("rows", "sequence"):
        channels, height, width = shape
        return x.reshape(-1, height, channels, width).transpose(1, 2)
    if len(shape) == 3 and view == "pixels":
        return x.reshape(len(x), -1, shape[0]).transpose(1, 2).reshape(-1, *shape)
    if len(shape) == 2 and view == "image":
        return x.reshape(-1, shape[1], shape[0]).transpose(1, 2)
    return x.reshape(-1, *shape)


class Kind(NamedTuple):
    """A layout of samples, and the views that it can be offered in."""

    channel: int  # the axis of a batch that scaling keeps apart
    words: str  # a sample, in words with the sizes of its shape
    views: dict[str, Callable[[Tensor], Tensor]]
    medium: str = "unknown"  # what augmentations are told; "unknown": until the data is read


IMAGE = Kind(
    1,
    "{1} x {2} images",
    {"vector": vector, "image": as_is, "rows": rows, "pixels": pixels, "sequence": rows},
    "image",
)
SEQUENCE = Kind(
    2,
    "{0} x {1} sequences",
    {"sequence": as_is, "vector": vector, "image": channels_first},
    "series",
)
TABLE = Kind(1, "{0} columns", {"vector": as_is}, "table")
