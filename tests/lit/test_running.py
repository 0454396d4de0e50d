"""Running means against sums written out."""

import pytest
import torch
from lightning.pytorch.strategies import SingleDeviceStrategy
from torch import Tensor

from zoo.lit.running import RunningMeans

ALONE = SingleDeviceStrategy(torch.device("cpu"))


def test_means_are_weighted() -> None:
    means = RunningMeans()
    for value, weight in ((1.0, 3), (5.0, torch.tensor(1))):
        means.add({"loss": torch.tensor(value), "twice": torch.tensor(2 * value)}, weight)
    assert means.drain(ALONE) == {"loss": (3 * 1.0 + 5.0) / 4, "twice": (3 * 2.0 + 10.0) / 4}


def test_draining_starts_anew() -> None:
    means = RunningMeans()
    assert means.drain(ALONE) == {}
    means.add({"loss": torch.tensor(7.0)}, 10)
    means.drain(ALONE)
    assert means.drain(ALONE) == {}
    means.add({"loss": torch.tensor(2.0)}, 1)
    assert means.drain(ALONE) == {"loss": 2.0}


def test_small_losses_survive_a_long_epoch() -> None:
    means = RunningMeans()
    means.add({"loss": torch.tensor(1.0)}, 100_000_000)
    for _ in range(100):  # each of them lost in a float32 sum
        means.add({"loss": torch.tensor(1.0)}, 1)
    assert means.drain(ALONE) == {"loss": 1.0}


def test_processes_are_weighed_by_their_samples() -> None:
    class Pair(SingleDeviceStrategy):
        """Another process has seen 6 samples, whose mean was 4."""

        def reduce(self, tensor: Tensor, *args: object, **kwargs: object) -> Tensor:
            return tensor + torch.tensor([24.0, 6.0], dtype=tensor.dtype)

    means = RunningMeans()
    means.add({"loss": torch.tensor(1.0)}, 2)
    assert means.drain(Pair(torch.device("cpu"))) == {"loss": pytest.approx((2 + 24) / 8)}


def test_it_keeps_no_graph() -> None:
    means = RunningMeans()
    means.add({"loss": torch.ones((), requires_grad=True) * 2}, 1)
    assert not any(value.requires_grad for batch, _ in means._waiting for value in batch.values())


@pytest.mark.parametrize("stop", [0, 1, 31, 32, 33, 70])
def test_a_state_in_the_middle_gives_the_same_mean_to_the_last_bit(stop: int) -> None:
    torch.manual_seed(0)
    batches = [(torch.rand(()), int(torch.randint(1, 9, ()))) for _ in range(90)]
    whole, first, second = RunningMeans(), RunningMeans(), RunningMeans()
    for value, weight in batches:
        whole.add({"loss": value}, weight)
    for value, weight in batches[:stop]:
        first.add({"loss": value}, weight)
    second.restore(first.state(), torch.device("cpu"))
    for value, weight in batches[stop:]:
        second.add({"loss": value}, weight)
    assert second.drain(ALONE) == whole.drain(ALONE)


def test_a_long_epoch_keeps_no_more_than_a_short_one() -> None:
    means = RunningMeans()
    for _ in range(1000):
        means.add({"loss": torch.tensor(1.0)}, 2)
    assert len(means._waiting) < 64
    assert means.drain(ALONE) == {"loss": 1.0}
