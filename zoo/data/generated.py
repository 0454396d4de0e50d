"""Sets made up by a formula."""

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor

from zoo.data.base import DataModule
from zoo.data.checks import at_least
from zoo.data.loader import Split
from zoo.data.splits import generator


class Generated(DataModule):
    """A set made up by a formula: as many samples as asked for, each split from its own stream.

    Args:
        train_size: samples to train on.
        val_size: samples for validation.
        test_size: samples for the test.

    The other arguments are those of `DataModule`.
    """

    def __init__(
        self,
        *,
        train_size: int,
        val_size: int,
        test_size: int,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        at_least(1, train_size=train_size, val_size=val_size, test_size=test_size)
        self.sizes = {"train": train_size, "val": val_size, "test": test_size}

    @abstractmethod
    def generate(self, count: int, stream: torch.Generator) -> tuple[Tensor, Tensor]:
        """Makes up `count` inputs and targets with the random numbers of `stream`."""

    def read(self) -> dict[str, Split]:
        """Makes up all three splits."""
        return {
            name: Split(*self.generate(size, generator("samples", self.split_seed, index)))
            for index, (name, size) in enumerate(self.sizes.items())
        }
