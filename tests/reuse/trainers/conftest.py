"""Digits to be read by nets in somebody else's training."""

from typing import NamedTuple

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset


class Digits(NamedTuple):
    """Images (N, 8, 8) in [0, 1] and their classes, of which the last ones are for testing."""

    x: Tensor
    y: Tensor
    test_x: Tensor
    test_y: Tensor

    def loader(self) -> DataLoader[tuple[Tensor, ...]]:
        return DataLoader(TensorDataset(self.x, self.y), batch_size=50, shuffle=True)

    def accuracy(self, logits: Tensor) -> float:
        """How many of the test images are classified as they should be."""
        return (logits.argmax(1) == self.test_y).float().mean().item()


@pytest.fixture(scope="session")
def images() -> tuple[Tensor, Tensor]:
    x, y = load_digits(return_X_y=True)
    return torch.tensor(x / 16, dtype=torch.float32).reshape(-1, 8, 8), torch.tensor(y)


@pytest.fixture
def digits(images: tuple[Tensor, Tensor]) -> Digits:
    """Digits(x, y, test_x, test_y), and all that is random begins anew."""
    torch.manual_seed(0)
    x, y = images
    return Digits(x[:800], y[:800], x[800:1200], y[800:1200])
