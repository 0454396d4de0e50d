"""What language models are measured by."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor

from zoo.lit.metrics import Mean


class NegativeLogLikelihood(Mean):
    """Negative log probability of the right token in nats, mean over tokens.

    Shapes:
        prediction (..., V) logits, target (...) int64
    """

    target = "classes"

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add a batch."""
        logits = prediction.flatten(0, -2).float()
        nats = F.cross_entropy(logits, target.flatten(), reduction="none")
        self.add(nats, target.numel())


class Perplexity(NegativeLogLikelihood):
    """Among how many equally likely tokens the net is undecided: exp of the mean in nats."""

    def compute(self) -> Tensor:
        """The perplexity so far."""
        return super().compute().exp()


class BitsPerCharacter(NegativeLogLikelihood):
    """The mean in bits, for one character.

    Args:
        characters: of a token, in the mean over the training text; 1 where a token is a character.

    Raises:
        ValueError: `characters` is not positive.
    """

    def __init__(self, characters: float = 1.0) -> None:
        if not 0 < characters < math.inf:
            raise ValueError(f"`characters` must be a positive number, got {characters}")
        super().__init__()
        self.characters = characters

    def compute(self) -> Tensor:
        """The bits so far."""
        return super().compute() / (math.log(2) * self.characters)
