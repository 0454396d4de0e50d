"""What all sets of text share: numbers of tokens are served as they are."""

from abc import abstractmethod
from typing import Any, ClassVar

from torch import Tensor

from zoo.data.base import DataModule
from zoo.preprocessing.views import Kind, as_is
from zoo.preprocessing.vocabulary import Vocabulary

TEXT = Kind(1, "texts of up to {0} tokens", {"tokens": as_is, "sequence": as_is}, medium="tokens")


class TokenData(DataModule):
    """Texts as numbers of tokens, for nets with an embedding.

    "sequence", which recurrent nets ask for, is another name of "tokens". A feature is a word of
    the vocabulary.

    Attributes:
        vocabulary: after `setup`, the numbers of the tokens.
    """

    kind = TEXT
    views = tuple(TEXT.views)
    token_views: ClassVar[tuple[str, ...]] = views  # in which a sample is numbers of tokens
    carry_state: ClassVar[bool] = False  # whether a batch continues the one before
    embedding_std: ClassVar[float] = 1.0  # of the embedding's first weights
    scalings = ("none",)
    vocabulary: Vocabulary

    @property
    @abstractmethod
    def embedding(self) -> int:
        """A width of the embedding that suits the vocabulary."""

    @property
    @abstractmethod
    def steps(self) -> int:
        """The most tokens of a sample."""

    def plain(self, x: Tensor) -> Tensor:
        """The numbers in the type that an embedding reads."""
        return x.long()

    def measure(self) -> dict[str, Any]:
        """The facts; a feature is a word of the vocabulary."""
        size, classes = len(self.vocabulary), len(self.class_names or ())
        return {
            "in_features": size,
            "in_shape": [self.steps],
            "in_channels": size,
            "out_features": classes,
            "num_classes": classes,
            "readout": self.readout,
            "embedding": self.embedding,
            "embedding_std": self.embedding_std,
            "carry_state": self.carry_state,
            "range": [0.0, float(size - 1)],
        }
