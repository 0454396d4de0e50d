"""Erasing a rectangle of each image, after scaling: 0 is then the mean, or black."""

import math

import torch
from torch import Tensor

from zoo.data.augmentation.base import Augmentation, Stream
from zoo.data.checks import at_least, fraction, one_of, positive
from zoo.data.loader import Batch

TRIES = 10  # as many as torchvision's


class Cutout(Augmentation):
    """Sets a square of each image to 0 (DeVries & Taylor 2017).

    Its centre is anywhere in the image; what lies outside is cut off.

    Args:
        size: of the square, in pixels.
    """

    scaled = True

    def __init__(self, size: int = 8) -> None:
        at_least(1, size=size)
        self.size = size

    def __call__(self, batch: Batch, stream: Stream) -> Batch:
        """Draws the centres."""
        count, height, width = len(batch.x), *batch.x.shape[-2:]
        top = stream.integers(height, count) - self.size // 2
        left = stream.integers(width, count) - self.size // 2
        size = torch.full_like(top, self.size)
        inside = rectangles(height, width, top, left, size, size)
        return batch._replace(x=batch.x.masked_fill(inside, 0.0))


class Erasing(Augmentation):
    """Erases a rectangle of random area and aspect ratio (Zhong 2020).

    As torchvision's `RandomErasing`: the ratio is uniform on a logarithmic scale, and of ten draws
    the first that fits into the image counts; if none does, the image stays whole.

    Args:
        probability: of an image to be erased in part.
        min_area: share of the image that is erased, at least.
        max_area: at most.
        min_ratio: of height and width; the largest is its inverse.
        fill: "noise", each number standard normal, or "zero".
    """

    scaled = True

    def __init__(
        self,
        probability: float = 0.5,
        min_area: float = 0.02,
        max_area: float = 0.33,
        min_ratio: float = 0.3,
        fill: str = "noise",
    ) -> None:
        fraction(probability=probability, min_area=min_area, max_area=max_area, min_ratio=min_ratio)
        positive(min_ratio=min_ratio)
        if min_area > max_area:
            raise ValueError(f"`min_area` must be at most max_area={max_area}, got {min_area}")
        one_of("erasing", ("noise", "zero"), fill=fill)
        self.probability = probability
        self.area = (min_area, max_area)
        self.log_ratio = math.log(min_ratio)
        self.fill = fill

    def __call__(self, batch: Batch, stream: Stream) -> Batch:
        """Draws the rectangles."""
        count, height, width = len(batch.x), *batch.x.shape[-2:]
        area = stream.uniform(count, TRIES, low=self.area[0], high=self.area[1]) * height * width
        ratio = stream.uniform(count, TRIES, low=self.log_ratio, high=-self.log_ratio).exp()
        tall, wide = (area * ratio).sqrt().round().long(), (area / ratio).sqrt().round().long()
        fits = (tall < height) & (wide < width)
        first = fits.int().argmax(1, keepdim=True)
        tall, wide = tall.gather(1, first)[:, 0], wide.gather(1, first)[:, 0]
        top = (stream.uniform(count) * (height - tall + 1)).long()
        left = (stream.uniform(count) * (width - wide + 1)).long()
        chosen = (stream.uniform(count) < self.probability) & fits.any(1)
        inside = rectangles(height, width, top, left, tall, wide) & chosen.view(-1, 1, 1, 1)
        if self.fill == "zero":
            return batch._replace(x=batch.x.masked_fill(inside, 0.0))
        return batch._replace(x=torch.where(inside, stream.normal(*batch.x.shape), batch.x))


def rectangles(
    height: int, width: int, top: Tensor, left: Tensor, tall: Tensor, wide: Tensor
) -> Tensor:
    """(B, 1, height, width) bool: True inside each sample's rectangle."""
    rows = torch.arange(height, device=top.device)
    columns = torch.arange(width, device=top.device)
    in_rows = (rows >= top[:, None]) & (rows < (top + tall)[:, None])
    in_columns = (columns >= left[:, None]) & (columns < (left + wide)[:, None])
    return (in_rows[:, :, None] & in_columns[:, None, :])[:, None]
