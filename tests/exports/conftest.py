"""What the tests of exports share: small nets of every family."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import nn

import zoo
from zoo.models import GRU, LSTM, RNN
from zoo.presets import preset_of

FACTS = {
    "in_features": 6,
    "out_features": 3,
    "in_shape": [1, 8, 8],
    "in_channels": 2,
    "latent": 2,
    "embedding": None,
    "embedding_std": 1.0,
    "readout": "last",
    "hidden_size": 5,
    "depth": 8,
    "width": 4,
}
CELLS = {"rnn": RNN, "gru": GRU, "lstm": LSTM}


@pytest.fixture
def small() -> Callable[[str], nn.Module]:
    """A function (preset) -> its net, small, in eval mode, with running statistics of something."""

    def make(name: str) -> nn.Module:
        torch.manual_seed(0)
        preset = preset_of(name)
        net = zoo.create_model(name, **{k: v for k, v in FACTS.items() if k in preset})
        return scrambled(net)

    return make


def scrambled(net: nn.Module) -> nn.Module:
    """In eval mode, without zeros for biases or means, which would hide what is not exported."""
    generator = torch.Generator().manual_seed(1)
    for name, tensor in net.state_dict().items():
        if tensor.is_floating_point() and ("bias" in name or "running_mean" in name):
            tensor.copy_(0.3 * torch.randn(tensor.shape, generator=generator))
    return net.eval()


def recurrent_variants() -> Iterator[str]:
    """Names such as "bi-lstm-2-every": one way or both, cell, layers, readout."""
    for i, cell in enumerate(("rnn", "relu", "gru", "lstm")):
        for j, readout in enumerate(("last", "mean", "max", "every")):
            # Every cell and every readout with one layer and with two.
            layers = 1 + (i + j) % 2
            yield f"{cell}-{layers}-{readout}"
            yield f"bi-{cell}-{3 - layers}-{readout}"


def recurrent(variant: str) -> nn.Module:
    """The net of such a name; those of two layers read tokens."""
    *bi, cell, layers, readout = variant.split("-")
    torch.manual_seed(0)
    kind, more = CELLS.get(cell, RNN), {"activation": "relu"} if cell == "relu" else {}
    net = kind(
        7 if layers == "2" else 3,
        2,
        hidden_size=5,
        num_layers=int(layers),
        bidirectional=bool(bi),
        readout=readout,
        embedding=4 if layers == "2" else None,
        dropout=0.2,
        **more,
    )
    return scrambled(net)


@pytest.fixture(params=recurrent_variants())
def sequence_net(request: pytest.FixtureRequest) -> nn.Module:
    """Every kind of recurrent net."""
    return recurrent(request.param)
