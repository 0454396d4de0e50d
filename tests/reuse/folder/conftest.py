"""Small nets that have learned, what makes two of them equal, and runs of the first format."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import zoo
from zoo.presets import preset_of

SHAPE, FEATURES, STEPS = [1, 8, 8], 8, 5
SIZES: dict[str, Any] = {
    "in_shape": SHAPE,
    "in_channels": 1,
    "in_features": FEATURES,
    "out_features": 3,
    "latent": 4,
    "readout": "last",
    "embedding": None,
    "embedding_std": 1.0,
}


def results(output: Any) -> list[Tensor]:
    """All tensors of what a net gives back."""
    if isinstance(output, Tensor):
        return [output]
    return [tensor for part in output for tensor in results(part)]


def read_by(net: Any) -> Tensor:
    """Three of what a net reads."""
    if "in_shape" in net.arguments or "in_channels" in net.arguments:
        return torch.rand(3, *SHAPE)
    if "readout" in net.arguments:
        return torch.rand(3, STEPS, FEATURES)
    return torch.rand(3, FEATURES)


def take_a_step(net: nn.Module) -> None:
    """One step of gradient descent, in which batch norms see a batch."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    sum(result.square().mean() for result in results(net.train()(read_by(net)))).backward()
    optimizer.step()


@pytest.fixture(scope="session")
def sample() -> Callable[[nn.Module], Tensor]:
    """A function (net) -> three of what it reads."""
    return read_by


@pytest.fixture(scope="session")
def trained() -> Callable[[nn.Module], None]:
    """A function (net) that takes one step of gradient descent."""
    return take_a_step


@pytest.fixture(scope="session")
def made() -> Callable[[str], Any]:
    """A function (preset) -> a small net that is not as it was drawn: it has learned for a step."""

    def make(name: str) -> Any:
        preset = preset_of(name)
        torch.manual_seed(0)
        net = zoo.create_model(name, **{key: SIZES[key] for key in SIZES if key in preset})
        take_a_step(net)
        return net

    return make


@pytest.fixture(scope="session")
def equal() -> Callable[[nn.Module, nn.Module], None]:
    """A function (net, other): the same class, arguments, weights and outputs, bit for bit."""

    def check(net: nn.Module, other: nn.Module) -> None:
        assert type(net) is type(other) and net.arguments == other.arguments
        states, others = net.state_dict(), other.state_dict()
        assert list(states) == list(others)
        for key, value in states.items():
            assert value.dtype == others[key].dtype and torch.equal(value, others[key]), key
        x = read_by(net).to(next(net.parameters()).dtype)
        with torch.no_grad():
            pairs = zip(results(net.eval()(x)), results(other(x)), strict=True)
            assert all(torch.equal(mine, its) for mine, its in pairs)

    return check


@pytest.fixture
def old_checkpoint(tmp_path: Path) -> Callable[[nn.Module], Path]:
    """A function (net) -> its run of format 1, of before this zoo kept any preprocessing."""

    def write(net: nn.Module) -> Path:
        file = tmp_path / "run" / "checkpoints" / "best.ckpt"
        file.parent.mkdir(parents=True)
        node = {"_target_": f"zoo.models.{type(net).__name__}", **net.arguments}
        carried = {
            "format": 1,
            "net": type(net).__name__,
            "arguments": dict(net.arguments),
            "config": {
                "choices": {"model": "net", "data": "iris"},
                "model": {"net": node},
                "seed": 3,
            },
        }
        state = {f"net.{key}": value for key, value in net.state_dict().items()}
        others = {"epoch": 4, "optimizer_states": [{"state": {}, "param_groups": []}]}
        torch.save(
            {**others, "state_dict": {**state, "loss.weight": torch.ones(2)}, "zoo": carried}, file
        )
        return file

    return write
