"""A text as parallel streams, each batch the continuation of the batch before."""

from collections.abc import Iterator

import torch
from torch import Tensor

from zoo.data.loader import Batch
from zoo.data.position import Position
from zoo.data.splits import generator


class StreamLoader(Position):
    """Serves a text for truncated backpropagation, with the interface of `BatchLoader`.

    The text is cut into as many contiguous streams of one length as all ranks read; row i of each
    batch is the next `length` tokens of stream i, and the target of a token is the one after it. A
    net that carries its state from batch to batch so reads each stream from its beginning to its
    end. What does not divide among the streams, fewer tokens than there are streams, is left out at
    the end of the text; the last batch of an epoch is as much shorter as the streams are.

    One iteration is one epoch, as in `BatchLoader`.

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
        for name, value in {"streams": streams, "length": length}.items():
            if value < 1:
                raise ValueError(f"`{name}` must be at least 1, got {value}")
        if not 0 <= rank < world_size:
            raise ValueError(f"`rank` must be in [0, world_size={world_size}), got {rank}")
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
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        self._steps = (len(tokens) - 1) // every  # the last token is a target only
        self._served = 0  # batches of this epoch
        self._resumed = False

    def __len__(self) -> int:
        """Batches of an epoch, the same on every rank."""
        return self._steps // self.length if self.drop_last else -(-self._steps // self.length)

    def __iter__(self) -> Iterator[Batch]:
        """Serves what is left of the epoch after `load_state_dict`, else a whole epoch."""
        if self._served and not self._resumed:
            self.epoch, self._served = self.epoch + 1, 0
        self._resumed = False
        x, y = self._cut()
        first, batches = self._served, len(self)
        for index in range(first, batches):
            part = slice(index * self.length, (index + 1) * self.length)
            # Counted before the batch is out: Lightning never asks for the one after the last.
            self._served += 1
            if self._served == batches:
                self.epoch, self._served = self.epoch + 1, 0
            yield Batch(*(side[:, part].to(torch.int64, copy=True) for side in (x, y)))

    def _cut(self) -> tuple[Tensor, Tensor]:
        """The inputs and targets of this epoch on this rank, (streams, steps) each."""
        tokens, share = self.tokens, self.streams * self._steps
        if self.shuffle:
            random = generator("cut", self.seed, self.epoch)
            tokens = tokens.roll(-int(torch.randint(len(tokens), (), generator=random)))
        start = self.rank * share
        x, y = tokens[start : start + share], tokens[start + 1 : start + share + 1]
        return x.view(self.streams, self._steps), y.view(self.streams, self._steps)
