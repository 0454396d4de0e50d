"""Of words: some of them unknown."""

from typing import ClassVar

import torch

from zoo.data.augmentation.base import Augmentation, Stream
from zoo.data.checks import fraction
from zoo.data.loader import Batch


class WordDropout(Augmentation):
    """Make each word of a labelled text "<unk>" with some probability (Iyyer 2015, who drop it).

    No text can be told by one rare word alone, and "<unk>" is learned to be a word like others.

    Args:
        probability: of a word to be unknown.

    Shapes:
        x (B, T) whole numbers; padding, 0, stays what it is
    """

    media = ("tokens",)
    unknown: ClassVar[int] = 1  # of `zoo.data.Text`

    def __init__(self, probability: float = 0.3) -> None:
        fraction(probability=probability)
        self.probability = probability

    def __call__(self, batch: Batch, stream: Stream) -> Batch:
        """The batch with other words unknown in each epoch."""
        x = batch.x
        dropped = (stream.uniform(*x.shape) < self.probability) & (x > 0)
        return batch._replace(x=torch.where(dropped, torch.full_like(x, self.unknown), x))
