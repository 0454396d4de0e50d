"""The one batch loader: whole splits in memory, a batch is one gather."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from zoo.data.splits import generator


class Batch(NamedTuple):
    """What a net trains on in one step."""

    x: Tensor
    y: Tensor
    lengths: Tensor | None = None
    mask: Tensor | None = None


class Split(NamedTuple):
    """All samples of one split: inputs as stored, targets as served."""

    x: Tensor
    y: Tensor
    lengths: Tensor | None = None
    mask: Tensor | None = None

    def take(self, indices: Tensor) -> "Split":
        """The samples at these indices, in this order, as a copy."""
        return Split(
            # Three times as fast as self.x[indices] on rows of uint8.
            self.x.index_select(0, indices),
            self.y.index_select(0, indices),
            None if self.lengths is None else self.lengths.index_select(0, indices),
            None if self.mask is None else self.mask.index_select(0, indices),
        )


class BatchLoader:
    """Serves a split batch by batch, in an order that depends on (seed, epoch) alone.

    One iteration is one epoch; the next iteration is the next epoch, also when the last one was
    given up half way. After `load_state_dict` the next iteration continues in the middle.

    Of several ranks each makes the same number of steps, and no sample is lost or served twice:
    batches are then evened out, at most one sample apart.

    Args:
        split: the samples.
        batch_size: samples of a batch on one rank.
        transform: applied to the inputs of a whole batch.
        shuffle: a new order for each epoch; otherwise the order of the split.
        drop_last: full batches only; in each epoch the rest is left out.
        seed: of the order.
        rank: which share of the samples is served here.
        world_size: number of shares.

    Raises:
        ValueError: if the arguments or the samples do not make a batch for every rank.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        *,
        transform: Callable[[Tensor], Tensor] | None = None,
        shuffle: bool = False,
        drop_last: bool = False,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"`batch_size` must be at least 1, got {batch_size}")
        if not 0 <= rank < world_size:
            raise ValueError(f"`rank` must be in [0, world_size={world_size}), got {rank}")
        self.split = split
        self.batch_size = batch_size
        self.transform = transform
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        self._served = 0  # batches of this epoch
        self._resumed = False
        samples = len(split.x)
        needed = batch_size * world_size if drop_last else world_size
        if samples < needed:
            reason = f"`drop_last` with `batch_size`={batch_size}" if drop_last else "a batch"
            raise ValueError(
                f"{reason} on each of {world_size} ranks must have {needed} samples, got {samples}"
            )

    def __len__(self) -> int:
        """Batches of an epoch on this rank, the same on every rank."""
        samples = len(self.split.x)
        if self.drop_last:
            return samples // self.world_size // self.batch_size
        share = samples // self.world_size  # the smallest; each step needs one sample of it
        return min(-(-samples // (self.world_size * self.batch_size)), share)

    def __iter__(self) -> Iterator[Batch]:
        """Serves what is left of the epoch after `load_state_dict`, else a whole epoch."""
        if self._served and not self._resumed:
            self.epoch, self._served = self.epoch + 1, 0
        self._resumed = False
        steps = len(self)
        for indices in self._batches()[self._served :]:
            batch = self.split.take(indices)
            x = batch.x if self.transform is None else self.transform(batch.x)
            # Counted before the batch is out: Lightning never asks for the one after the last.
            self._served += 1
            if self._served == steps:
                self.epoch, self._served = self.epoch + 1, 0
            yield Batch(x, *batch[1:])

    def _batches(self) -> tuple[Tensor, ...]:
        """The indices of each batch of this epoch on this rank."""
        samples = len(self.split.x)
        if self.shuffle:
            order = torch.randperm(samples, generator=generator("order", self.seed, self.epoch))
        else:
            order = torch.arange(samples)
        share = order[self.rank :: self.world_size].to(self.split.x.device)
        if self.drop_last:
            return share[: len(self) * self.batch_size].split(self.batch_size)
        if self.world_size > 1:
            return share.tensor_split(len(self))
        return share.split(self.batch_size)

    def state_dict(self) -> dict[str, int]:
        """The exact position: the batch after the last one served."""
        return {
            "seed": self.seed,
            "epoch": self.epoch,
            "served": self._served,
            "steps": len(self),
        }

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continues at a position; in mid-epoch only with the same number of batches.

        Raises:
            ValueError: if the position is inside an epoch of another length.
        """
        if state["served"] and state["steps"] != len(self):
            raise ValueError(
                f"`state` must be of an epoch of {len(self)} batches, got one of {state['steps']}; "
                "continue with the same batch_size, drop_last and number of ranks"
            )
        self.seed, self.epoch, self._served = state["seed"], state["epoch"], state["served"]
        self._resumed = True
