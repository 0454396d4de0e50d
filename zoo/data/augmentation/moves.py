"""Moving pixels without changing them: exact on the raw uint8 batch."""

import torch
from torch import Tensor

from zoo.data.augmentation.base import Augmentation, Stream
from zoo.data.checks import at_least, fraction
from zoo.data.loader import Batch


class PadCrop(Augmentation):
    """Pads each image on all sides and crops it back at random (He 2016, section 4.2).

    Args:
        padding: pixels on each side; an image moves by at most so many.
        fill: of the padding, in raw units.
    """

    def __init__(self, padding: int = 4, fill: float = 0.0) -> None:
        at_least(1, padding=padding)
        self.padding = padding
        self.fill = fill

    def __call__(self, batch: Batch, stream: Stream) -> Batch:
        """Draws where to crop."""
        down, right = stream.integers(2 * self.padding + 1, 2, len(batch.x))
        padded = pad(batch.x, self.padding, self.fill)
        return batch._replace(x=crop(padded, down, right, *batch.x.shape[-2:]))


class Flip(Augmentation):
    """Mirrors images left to right (Krizhevsky 2012); of digits and letters that makes others.

    Args:
        probability: of an image to be mirrored.
        vertical: upside down instead.
    """

    def __init__(self, probability: float = 0.5, vertical: bool = False) -> None:
        fraction(probability=probability)
        self.probability = probability
        self.axis = -2 if vertical else -1

    def __call__(self, batch: Batch, stream: Stream) -> Batch:
        """Draws which ones."""
        chosen = stream.uniform(len(batch.x)) < self.probability
        if batch.x.is_cuda:  # to list the chosen ones would wait for the GPU
            mirrored = batch.x.flip(self.axis)
            return batch._replace(x=torch.where(chosen.view(-1, 1, 1, 1), mirrored, batch.x))
        indices = chosen.nonzero()[:, 0]
        mirrored = batch.x.index_select(0, indices).flip(self.axis)
        # Whole samples are copied at once, which no way of writing into a copy does.
        source = torch.arange(len(chosen))
        source[indices] = len(chosen) + torch.arange(len(indices))
        return batch._replace(x=torch.cat([batch.x, mirrored]).index_select(0, source))


def pad(x: Tensor, padding: int, fill: float) -> Tensor:
    """(B, C, H, W) with a margin on all sides."""
    batch, channels, height, width = x.shape
    padded = x.new_full((batch, channels, height + 2 * padding, width + 2 * padding), fill)
    padded[:, :, padding : padding + height, padding : padding + width] = x
    return padded


def crop(x: Tensor, down: Tensor, right: Tensor, height: int, width: int) -> Tensor:
    """Crops each image of a contiguous (B, C, H, W) at its own place (B,) to (height, width).

    Every row of the result is a stretch of memory. Selecting those among all stretches of that
    width, which overlap and cost nothing, takes a third of the time of indexing rows and columns.
    """
    batch, channels, rows, columns = x.shape
    images = torch.arange(batch * channels, device=x.device).view(batch, channels, 1)
    top = down[:, None] + torch.arange(height, device=x.device)  # (B, height)
    starts = (images * rows + top[:, None]) * columns + right[:, None, None]
    stretches = x.as_strided((x.numel() - width + 1, width), (1, 1))
    return stretches.index_select(0, starts.flatten()).view(batch, channels, height, width)
