"""Small distortions of raw images: affine and elastic, bilinear."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.data.augmentation.base import Augmentation, Stream
from zoo.data.checks import fraction, not_negative, positive
from zoo.data.loader import Batch


class Affine(Augmentation):
    """Turns, moves, scales and shears each image a little around its centre (Simard 2003).

    All four are uniform up to the given size in either direction. The image is sheared along the
    rows, scaled and turned (clockwise for positive angles), then moved, as torchvision does it.

    Args:
        degrees: largest turn.
        shift: largest move, as a share of height and of width.
        scale: largest change of size, as a share.
        shear: largest angle of shear, in degrees.
        fill: of what comes in from outside, in raw units.
    """

    def __init__(
        self,
        degrees: float = 10.0,
        shift: float = 0.1,
        scale: float = 0.1,
        shear: float = 5.0,
        fill: float = 0.0,
    ) -> None:
        not_negative(degrees=degrees, shear=shear)
        fraction(shift=shift, scale=scale)
        for name, value, limit in (("scale", scale, 1), ("shear", shear, 90)):
            if value >= limit:
                raise ValueError(f"`{name}` must be below {limit}, got {value}")
        self.degrees = degrees
        self.shift = shift
        self.scale = scale
        self.shear = shear
        self.fill = fill

    def __call__(self, batch: Batch, stream: Stream) -> Batch:
        """Draws turns, moves, sizes and shears."""
        count, height, width = len(batch.x), *batch.x.shape[-2:]
        angle, scale, shear, right, down = stream.uniform(5, count, low=-1.0, high=1.0)
        inverse = inverse_affine(
            angle * math.radians(self.degrees),
            1 + scale * self.scale,
            shear * math.radians(self.shear),
        )
        offsets = centred(height, width, batch.x)  # (H, W, 2)
        move = self.shift * torch.stack([right * width, down * height], 1)  # (B, 2)
        places = offsets.view(1, -1, 2) - move[:, None]
        source = (places @ inverse.transpose(1, 2)).view(count, height, width, 2)
        return batch._replace(x=sample(batch.x, source, self.fill))


class Elastic(Augmentation):
    """Distorts each image by a random field of displacements, smoothed (Simard 2003).

    Args:
        alpha: strength, in pixels before smoothing; 34 in the paper, for 29 x 29 digits.
        sigma: standard deviation of the Gaussian that smooths the field; 4 in the paper.
        fill: of what comes in from outside, in raw units.
    """

    def __init__(self, alpha: float = 34.0, sigma: float = 4.0, fill: float = 0.0) -> None:
        not_negative(alpha=alpha)
        positive(sigma=sigma)
        self.alpha = alpha
        self.sigma = sigma
        self.fill = fill

    def __call__(self, batch: Batch, stream: Stream) -> Batch:
        """Draws the fields."""
        count, height, width = len(batch.x), *batch.x.shape[-2:]
        field = stream.uniform(2 * count, 1, height, width, low=-1.0, high=1.0)
        field = smoothed(field, self.sigma).view(count, 2, height, width).permute(0, 2, 3, 1)
        source = centred(height, width, batch.x) + self.alpha * field
        return batch._replace(x=sample(batch.x, source, self.fill))


def inverse_affine(angle: Tensor, scale: Tensor, shear: Tensor) -> Tensor:
    """(B, 2, 2): from a place in the result, relative to the centre, to one in the source.

    The inverse of scale * R(angle) @ [[1, -tan(shear)], [0, 1]], angles in radians.
    """
    cos, sin, tan = angle.cos(), angle.sin(), shear.tan()
    rows = (cos - sin * tan, sin + cos * tan, -sin, cos)
    return (torch.stack(rows, 1) / scale[:, None]).view(-1, 2, 2)


def centred(height: int, width: int, like: Tensor) -> Tensor:
    """(H, W, 2): right and down of every pixel, from the centre of the image, in pixels."""
    down = torch.arange(height, device=like.device) - (height - 1) / 2
    right = torch.arange(width, device=like.device) - (width - 1) / 2
    return torch.stack(torch.meshgrid(right, down, indexing="xy"), 2)


def sample(x: Tensor, source: Tensor, fill: float) -> Tensor:
    """Images (B, C, H, W) at places (B, H, W, 2), in pixels from the centre; float32."""
    height, width = x.shape[-2:]
    grid = source * source.new_tensor([2 / width, 2 / height])
    return F.grid_sample(x.float() - fill, grid, align_corners=False).add_(fill)


def smoothed(field: Tensor, sigma: float) -> Tensor:
    """(N, 1, H, W) under a Gaussian cut off at four deviations; there is nothing outside."""
    radius = int(4 * sigma + 0.5)
    place = torch.arange(-radius, radius + 1, device=field.device)
    kernel = torch.exp(-0.5 * (place / sigma).square())
    kernel = kernel / kernel.sum()
    field = F.conv2d(field, kernel.view(1, 1, -1, 1), padding=(radius, 0))
    return F.conv2d(field, kernel.view(1, 1, 1, -1), padding=(0, radius))
