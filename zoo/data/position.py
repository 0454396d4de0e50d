"""Where a loader stands in its epochs, so that a run continues in the middle of one."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Generic, TypeVar

Served = TypeVar("Served")


class Position(ABC, Generic[Served]):
    """What all loaders share: an order given by (seed, epoch), and how far it is served.

    One iteration is one epoch; the next iteration is the next epoch, also when the last one was
    given up half way. After `load_state_dict` the next iteration continues in the middle.

    Args:
        seed: of the order.
        rank: which share is served here.
        world_size: number of shares.

    Raises:
        ValueError: if there is no such share.
    """

    def __init__(self, seed: int, rank: int, world_size: int) -> None:
        if not 0 <= rank < world_size:
            raise ValueError(f"`rank` must be in [0, world_size={world_size}), got {rank}")
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        self._served = 0  # batches of this epoch
        self._resumed = False

    @abstractmethod
    def __len__(self) -> int:
        """Batches of an epoch on this rank, the same on every rank."""

    @abstractmethod
    def remaining(self, first: int) -> Iterator[Served]:
        """The batches of this epoch from number `first` on."""

    def __iter__(self) -> Iterator[Served]:
        """Serves what is left of the epoch after `load_state_dict`, else a whole epoch."""
        # At once, not at the first batch: a run resumed behind the last one asks for none.
        if self._served and not self._resumed:
            self.epoch, self._served = self.epoch + 1, 0
        self._resumed = False
        return self._rest()

    def _rest(self) -> Iterator[Served]:
        steps = len(self)
        for batch in self.remaining(self._served):
            # Counted before the batch is out: Lightning never asks for the one after the last.
            self._served += 1
            if self._served == steps:
                self.epoch, self._served = self.epoch + 1, 0
            yield batch

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
                "continue with the same batch_size, length, drop_last and number of ranks"
            )
        self.seed, self.epoch, self._served = state["seed"], state["epoch"], state["served"]
        self._resumed = True
