"""Augmentation of sequences of numbers (B, T, F); padding stays as it is."""

import torch
from torch import Tensor

from zoo.data.augmentation.base import Augmentation, Stream
from zoo.data.checks import fraction, not_negative, positive
from zoo.data.loader import Batch


class Jitter(Augmentation):
    """Adds Gaussian noise to every step (Um 2017).

    Unlike `Noise` it is no corruption: an autoencoder gives back the jittered series.

    Args:
        std: standard deviation of the noise, in units of the scaled input.
    """

    media = ("series",)
    scaled = True

    def __init__(self, std: float = 0.03) -> None:
        not_negative(std=std)
        self.std = std

    def __call__(self, batch: Batch, stream: Stream) -> Batch:
        """Draws the noise."""
        noise = stream.normal(*batch.x.shape).mul_(self.std)
        if batch.lengths is not None:
            noise *= valid(batch.lengths, batch.x.shape[1])[:, :, None]
        return batch._replace(x=noise.add_(batch.x))


class WindowCrop(Augmentation):
    """Cuts a window out of each series and stretches it to the old length (Le Guennec 2016).

    Steps between are interpolated linearly. A padded series is cut within its own length.

    Args:
        share: of the series that the window has.
    """

    media = ("series",)
    targets = ("classes",)
    moves = True

    def __init__(self, share: float = 0.9) -> None:
        fraction(share=share)
        positive(share=share)
        self.share = share

    def __call__(self, batch: Batch, stream: Stream) -> Batch:
        """Draws where the windows begin."""
        count, steps = batch.x.shape[:2]
        lengths = batch.lengths
        if lengths is None:
            lengths = torch.full((count,), steps, device=batch.x.device)
        window = (lengths * self.share).ceil().long().clamp(min=1)
        start = (stream.uniform(count) * (lengths - window + 1)).long()
        place = torch.arange(steps, device=batch.x.device)
        stretch = (window - 1) / (lengths - 1).clamp(min=1)  # steps of the source for one of ours
        source = start[:, None] + place * stretch[:, None]  # (B, T)
        last = (start + window - 1)[:, None]
        below = source.floor().long().minimum(last)
        above = (below + 1).minimum(last)
        x = batch.x.float()
        stretched = steps_at(x, below).lerp(steps_at(x, above), (source - below)[:, :, None])
        return batch._replace(x=torch.where(valid(lengths, steps)[:, :, None], stretched, x))


def valid(lengths: Tensor, steps: int) -> Tensor:
    """(B, T) bool: True before each sample's length."""
    return torch.arange(steps, device=lengths.device) < lengths[:, None]


def steps_at(x: Tensor, indices: Tensor) -> Tensor:
    """The steps (B, T) of each series of (B, T', F): (B, T, F)."""
    return x.gather(1, indices[:, :, None].expand(-1, -1, x.shape[2]))
