"""What the tests of callbacks share: small nets and batches, and what the doctor says of them."""

import math
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from zoo.callbacks.doctor import examine
from zoo.data import Batch, Split
from zoo.lit import LitFeedForward, LitModel
from zoo.losses import MSE, CrossEntropy
from zoo.models import FNN
from zoo.regularization import decay_groups

# --- numbers that are not finite ---------------------------------------------------------------


@pytest.fixture
def split() -> Callable[..., Split]:
    """A function (batches, bad=(), size=4) -> so many batches in order, a nan in the bad ones."""

    def make(batches: int, bad: tuple[int, ...] = (), size: int = 4) -> Split:
        random = torch.Generator().manual_seed(0)
        x = torch.randn(batches * size, 3, generator=random)
        y = torch.randn(batches * size, 1, generator=random)
        for number in bad:
            x[number * size + 1, 2] = math.nan
        return Split(x, y)

    return make


@pytest.fixture
def regression() -> Callable[..., LitFeedForward]:
    """A function (norm=None, **settings of the module) -> a net for `split`, always the same."""

    def make(norm: str | None = None, **settings: Any) -> LitFeedForward:
        torch.manual_seed(0)
        net = FNN(3, 1, hidden=(5,), norm=norm)
        optimizer = partial(torch.optim.SGD, lr=0.1, momentum=0.9)
        return LitFeedForward(net, **{"loss": MSE(), "optimizer": optimizer, **settings})

    return make


@pytest.fixture
def state() -> Callable[[nn.Module], list[Tensor]]:
    """A function (module) -> copies of its parameters and buffers."""

    def copy(module: nn.Module) -> list[Tensor]:
        return [value.clone() for value in module.state_dict().values()]

    return copy


# --- the doctor --------------------------------------------------------------------------------


@pytest.fixture
def findings() -> Callable[..., list[str]]:
    """A function (module, batch, optimizer=AdamW, *, shuffle) -> what the doctor would say."""

    def find(
        module: LitModel, batch: Batch, optimizer: Any = None, *, shuffle: bool = True
    ) -> list[str]:
        make = optimizer or partial(torch.optim.AdamW, lr=1e-3)
        trainer: Any = SimpleNamespace(
            precision_plugin=SimpleNamespace(forward_context=nullcontext),
            optimizers=[make(decay_groups(module.net))],
            datamodule=SimpleNamespace(shuffle=shuffle),
        )
        return examine(trainer, module.train(), batch)

    return find


@pytest.fixture
def classes() -> Callable[..., Batch]:
    """A function (samples=64, number=3) -> a batch of so many classes."""

    def make(samples: int = 64, number: int = 3) -> Batch:
        torch.manual_seed(0)
        return Batch(torch.randn(samples, 5), torch.randint(number, (samples,)))

    return make


@pytest.fixture
def classifier() -> Callable[..., LitFeedForward]:
    """A function (**settings of the net) -> a healthy one for `classes`."""

    def make(**settings: Any) -> LitFeedForward:
        torch.manual_seed(0)
        net = FNN(5, 3, **{"hidden": (20, 20), "dropout": 0.3, **settings})
        return LitFeedForward(net, loss=CrossEntropy())

    return make


@pytest.fixture
def scaled() -> Callable[[LitModel, str, float], LitModel]:
    """A function (module, name, factor) that multiplies a parameter in place."""

    @torch.no_grad()
    def scale(module: LitModel, name: str, factor: float) -> LitModel:
        module.net.get_parameter(name).mul_(factor)
        return module

    return scale
