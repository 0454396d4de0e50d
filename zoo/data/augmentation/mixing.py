"""Mixing pairs of samples, and their targets in the same proportion."""

import torch
from torch import Tensor

from zoo.data.augmentation.base import ALL, Augmentation, Stream
from zoo.data.checks import positive
from zoo.data.loader import Batch


class Mixup(Augmentation):
    """Mixes each sample with another of the batch: w * a + (1 - w) * b (Zhang 2018).

    Targets are mixed alike: classes become probabilities (B, C). The weight is drawn for each
    sample; the paper draws one for the batch and says that its choice is for convenience.

    Args:
        alpha: w is drawn from Beta(alpha, alpha); small values mix little.
    """

    media = ALL
    scaled = True
    mixes = True

    def __init__(self, alpha: float = 0.2) -> None:
        positive(alpha=alpha)
        self.alpha = alpha

    def __call__(self, batch: Batch, stream: Stream) -> Batch:
        """Draws partners and weights."""
        partner = stream.permutation(len(batch.x))
        weight = stream.beta(self.alpha, len(batch.x))
        return batch._replace(x=mix(batch.x, partner, weight), y=mix(batch.y, partner, weight))


class CutMix(Augmentation):
    """Replaces a rectangle of each image by that of another of the batch (Yun 2019).

    The rectangle has the image's aspect ratio and an area of 1 - w, w from Beta(alpha, alpha), its
    centre anywhere; what lies outside is cut off. Classes become probabilities (B, C): the shares
    of the pixels. Rectangles are drawn for each sample.

    Args:
        alpha: 1 makes all areas equally likely.
    """

    targets = ("classes",)
    scaled = True
    mixes = True

    def __init__(self, alpha: float = 1.0) -> None:
        positive(alpha=alpha)
        self.alpha = alpha

    def __call__(self, batch: Batch, stream: Stream) -> Batch:
        """Draws partners and rectangles."""
        count, height, width = len(batch.x), *batch.x.shape[-2:]
        partner = stream.permutation(count)
        side = (1 - stream.beta(self.alpha, count)).sqrt()  # a share of height and of width
        inside = _cut(height, side, stream)[:, :, None] & _cut(width, side, stream)[:, None, :]
        x = torch.where(inside[:, None], batch.x[partner], batch.x)  # (B, 1, H, W) over channels
        kept = 1 - inside.flatten(1).float().mean(1)
        return batch._replace(x=x, y=mix(batch.y, partner, kept))


def _cut(size: int, share: Tensor, stream: Stream) -> Tensor:
    """(B, size) bool: a stretch of `share` of an axis around a random centre, cut off at its ends.

    As in the paper's code: int(size * share) wide, and half of that, rounded down, on each side.
    """
    half = (size * share).long() // 2
    centre = stream.integers(size, len(share))
    place = torch.arange(size, device=share.device)
    return (place >= (centre - half)[:, None]) & (place < (centre + half)[:, None])


def mix(values: Tensor, partner: Tensor, weight: Tensor) -> Tensor:
    """Mixes values (B, ...) with those of the partners; `weight` (B,) is the share that stays."""
    weight = weight.view(-1, *[1] * (values.ndim - 1))
    return values[partner].lerp_(values, weight)
