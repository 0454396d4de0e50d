"""The recurrent cells, and what each of them is asked for."""

from collections.abc import Callable
from functools import partial

import pytest
from torch import nn

from zoo.models import GRU, LSTM, RNN

CELLS: dict[str, Callable[..., nn.Module]] = {
    "rnn": RNN,
    "irnn": partial(RNN, activation="relu", recurrent_init="identity"),
    "gru": GRU,
    "lstm": LSTM,
}


@pytest.fixture(params=CELLS)
def cell(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def build(cell: str) -> Callable[..., nn.Module]:
    """The class of the cell."""
    return CELLS[cell]


@pytest.fixture
def randomised(build: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    """As `build`, but with biases that are not zero, so that none of them can hide."""

    def make(*sizes: int, **choices: object) -> nn.Module:
        net = build(*sizes, **choices)
        for name, parameter in net.named_parameters():
            if "bias" in name:
                nn.init.normal_(parameter, std=0.3)
        return net

    return make


@pytest.fixture(params=[1, 2])
def num_layers(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.fixture(params=[False, True])
def bidirectional(request: pytest.FixtureRequest) -> bool:
    return request.param


@pytest.fixture(params=["last", "mean", "max", "every"])
def readout(request: pytest.FixtureRequest) -> str:
    return request.param
