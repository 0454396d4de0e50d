"""Corruption for denoising: the clean input stays an autoencoder's target."""

from zoo.data.augmentation.base import ALL, Augmentation, Stream
from zoo.data.checks import fraction, not_negative
from zoo.data.loader import Batch


class Corruption(Augmentation):
    """Spoils scaled numbers, whatever they stand for."""

    media = ALL
    scaled = True
    corrupts = True


class Noise(Corruption):
    """Adds Gaussian noise to every scaled number (Vincent 2010; Bishop 1995 for nets in general).

    Args:
        std: standard deviation of the noise, in units of the scaled input.
    """

    def __init__(self, std: float = 0.3) -> None:
        not_negative(std=std)
        self.std = std

    def __call__(self, batch: Batch, stream: Stream) -> Batch:
        """Draws the noise."""
        return batch._replace(x=stream.normal(*batch.x.shape).mul_(self.std).add_(batch.x))


class Masking(Corruption):
    """Sets scaled numbers to 0 at random, each on its own (Vincent 2008).

    With `data.scaling=unit` 0 is black, with `standard` it is the mean.

    Args:
        probability: of a number to be lost.
    """

    def __init__(self, probability: float = 0.25) -> None:
        fraction(probability=probability)
        self.probability = probability

    def __call__(self, batch: Batch, stream: Stream) -> Batch:
        """Draws what is lost."""
        kept = stream.uniform(*batch.x.shape) >= self.probability
        return batch._replace(x=batch.x * kept)
