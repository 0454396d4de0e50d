"""Sequences of symbols: copy memory and temporal order."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from zoo.data.checks import at_least
from zoo.data.scaling import identity
from zoo.data.sequences import GeneratedSequence
from zoo.preprocessing import ArrayInput, Input, Output, Reconstruction
from zoo.preprocessing.views import SEQUENCE, one_hot


class Symbols(GeneratedSequence):
    """Sequences of symbols, stored as numbers and served one-hot or, as "tokens", as they are."""

    kind = SEQUENCE._replace(medium="symbols")
    views = (*SEQUENCE.views, "tokens")
    scalings = ("none", "unit")
    limits = (0.0, 1.0)  # one-hot
    vocabulary: ClassVar[int]
    embedding: ClassVar[int] = 16  # a width that suits a dozen symbols

    def plain(self, x: Tensor) -> Tensor:
        """(B, T) symbols -> (B, T, vocabulary)."""
        return one_hot(x, self.vocabulary)

    def serve(self, x: Tensor) -> Tensor:
        """Symbols in the view: one-hot, or the numbers themselves."""
        return x if self.view == "tokens" else super().serve(x)

    def way_in(self) -> Input:
        """Symbols by their numbers."""
        shape = self.splits["train"].x.shape[1:]
        return ArrayInput(shape, view=self.view, scaling=identity(), symbols=self.vocabulary)

    def reconstruction(self, point: str) -> Output:
        """One-hot, as the net reads them."""
        shape = (*self.splits["train"].x.shape[1:], self.vocabulary)
        return Reconstruction(identity(), shape, view=self.view, point=point)

    def measure(self) -> dict[str, Any]:
        """The facts; as tokens, a feature is a word of the vocabulary."""
        facts = super().measure()
        if self.view == "tokens":
            facts |= {"in_features": self.vocabulary, "embedding": self.embedding}
        return facts


class CopyMemory(Symbols):
    """Copy memory: recall ten symbols after a delay (Arjovsky 2016, laid out as in Bai 2018).

    Input: ten symbols drawn from 1 to 8, `delay` - 1 blanks (0), eleven delimiters (9).
    Target at each step: `delay` + 10 blanks, then the ten symbols. A net without memory can do no
    better than blanks and a guess among eight: 10 ln 8 / (delay + 20) nats per step.

    Args:
        delay: T in the papers.

    The other arguments are those of `GeneratedSequence`.

    Shapes:
        x (B, delay + 20, 10) float32, or (B, delay + 20) int64 as tokens; y (B, delay + 20) int64
    """

    name = "copy_memory"
    views = ("sequence", "tokens")
    vocabulary = 10
    readout = "every"
    recalled: ClassVar[int] = 10

    def __init__(self, *, delay: int = 20, **settings: Any) -> None:
        super().__init__(**settings)
        at_least(1, delay=delay)
        self.delay = delay
        self.class_names = ["blank", *"12345678", "delimiter"]

    def generate(self, count: int, stream: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draws the symbols to recall."""
        recall = self.recalled
        symbols = torch.randint(1, 9, (count, recall), generator=stream)
        x = torch.zeros(count, self.delay + 2 * recall, dtype=torch.int64)
        y = torch.zeros_like(x)
        x[:, :recall] = symbols
        x[:, -recall - 1 :] = 9
        y[:, -recall:] = symbols
        return x, y


class TemporalOrder(Symbols):
    """Temporal order: X or Y, and later X or Y again (Hochreiter and Schmidhuber 1997).

    Their task 6a at a fixed length T. E comes first, B last, distractors from a to d between them,
    but X or Y at one step in [T/10, 2T/10] and at one in [5T/10, 6T/10]. The class is that pair.

    Args:
        length: T, the number of steps; about 100 in the paper.

    The other arguments are those of `GeneratedSequence`.

    Shapes:
        x (B, T, 8) float32, or (B, T) int64 as tokens, numbered as in `alphabet`; y (B,) int64
    """

    name = "temporal_order"
    alphabet: ClassVar[str] = "abcdXYEB"
    vocabulary = len(alphabet)

    def __init__(self, *, length: int = 100, **settings: Any) -> None:
        super().__init__(**settings)
        at_least(10, length=length)
        self.length = length
        self.class_names = ["XX", "XY", "YX", "YY"]

    def generate(self, count: int, stream: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draws distractors, and the two symbols and where they stand."""
        x = torch.randint(0, 4, (count, self.length), generator=stream)
        pair = torch.randint(0, 2, (count, 2), generator=stream)
        tenths = self.length * torch.tensor([1, 2, 5, 6]) // 10
        first, second = (
            torch.randint(int(low), int(high) + 1, (count, 1), generator=stream)
            for low, high in tenths.view(2, 2)
        )
        x.scatter_(1, torch.cat([first, second], dim=1), self.alphabet.index("X") + pair)
        x[:, 0] = self.alphabet.index("E")
        x[:, -1] = self.alphabet.index("B")
        return x, 2 * pair[:, 0] + pair[:, 1]
