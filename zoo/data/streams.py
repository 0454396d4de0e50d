"""A text as parallel streams, each batch the continuation of the batch before."""

from collections.abc import Iterator

import torch
from torch import Tensor

from zoo.data.checks import at_least
from zoo.data.loader import Batch
from zoo.data.position import Position
from zoo.data.splits import generator


class StreamLoader(Position[Batch]):
    """Serves a text for truncated backpropagation, with the interface of `BatchLoader`.

    The text is cut into as many contiguous streams of one length as all ranks read; row i of each
    batch is the next `length` tokens of stream i, and the target of a token is the one after it. A
    net that carries its state from batch to batch so reads each stream from its beginning to its
    end. What does not divide among the streams, fewer tokens than there are streams, is left out at
    the end of the text; the last batch of an epoch is as much shorter as the streams are.

    One iteration is one epoch, see `Position`.

    Args:
        tokens: the text (N,), whole numbers of any type.
        streams: rows of a batch on one rank.
        length: tokens of a row.
        shuffle: in each epoch, begin at another place of the text, and after its end go on with its
            beginning, so that it is cut elsewhere; otherwise each epoch is the same.
        drop_last: leave out the shorter batch at the end.
        seed: of the places.
        rank: which share of the streams is served here.
        world_size: number of shares.

    Shapes:
        x, y (streams, length) int64

    Raises:
        ValueError: if the text is too short for a batch.
    """

    def __init__(
        self,
        tokens: Tensor,
        streams: int,
        length: int,
        *,
        shuffle: bool = False,
        drop_last: bool = False,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        super().__init__(seed, rank, world_size)
        at_least(1, streams=streams, length=length)
        every = streams * world_size
        needed = every * (length if drop_last else 1) + 1
        if len(tokens) < needed:
            raise ValueError(
                f"{every} streams must have {needed} tokens, got {len(tokens)}; use fewer streams"
            )
        self.tokens = tokens
        self.streams = streams
        self.length = length
        self.shuffle = shuffle
        self.drop_last = drop_last
        self._steps = (len(tokens) - 1) // every  # the last token is a target only

    def __len__(self) -> int:
        return self._steps // self.length if self.drop_last else -(-self._steps // self.length)

    def remaining(self, first: int) -> Iterator[Batch]:
        """The batches of this epoch from number `first` on, each a copy."""
        sides = self._cut()
        for index in range(first, len(self)):
            part = slice(index * self.length, (index + 1) * self.length)
            yield Batch(*(side[:, part].to(torch.int64, copy=True) for side in sides))

    def _cut(self) -> tuple[Tensor, Tensor]:
        """The inputs and targets of this epoch on this rank, (streams, steps) each."""
        tokens, share = self.tokens, self.streams * self._steps
        if self.shuffle:
            random = generator("cut", self.seed, self.epoch)
            tokens = tokens.roll(-int(torch.randint(len(tokens), (), generator=random)))
        start = self.rank * share
        x, y = tokens[start : start + share], tokens[start + 1 : start + share + 1]
        return x.view(self.streams, self._steps), y.view(self.streams, self._steps)
