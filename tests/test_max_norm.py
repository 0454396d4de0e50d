"""Max-norm scales back the units whose incoming weights are too long, and leaves the others."""

import math

import pytest
import torch
from torch import nn

from zoo.regularization import MaxNorm


def test_max_norm_scales_back_the_units_that_are_too_long_and_only_those() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[3.0, 4.0], [0.3, 0.4]]))
        net[0].bias.fill_(9.0)
        net[1].weight.fill_(9.0)
    MaxNorm(1.0).project_(net)
    torch.testing.assert_close(net[0].weight.detach(), torch.tensor([[0.6, 0.8], [0.3, 0.4]]))
    assert net[0].bias.eq(9).all() and net[1].weight.eq(9).all()
    assert net[0].weight.requires_grad and net[0].weight.grad_fn is None


def test_max_norm_leaves_what_is_frozen_alone() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    for layer in net:
        nn.init.constant_(layer.weight, 5.0)
    net[0].requires_grad_(False)
    MaxNorm(1.0).project_(net)
    assert net[0].weight.eq(5).all() and net[1].weight.lt(1).all()


@pytest.mark.parametrize(
    ("layer", "unit"),
    [
        (nn.Conv2d(3, 4, 3), lambda w, i: w[i]),
        (nn.ConvTranspose2d(3, 4, 3), lambda w, i: w[:, i]),
        (nn.ConvTranspose1d(3, 4, 3), lambda w, i: w[:, i]),
    ],
)
def test_max_norm_finds_the_incoming_weights_of_a_filter(layer: nn.Module, unit) -> None:
    with torch.no_grad():
        layer.weight.normal_().mul_(10)
        unit(layer.weight, 0).mul_(0.001)
    before = layer.weight.detach().clone()
    MaxNorm(2.0).project_(layer)
    torch.testing.assert_close(unit(layer.weight.detach(), 0), unit(before, 0))
    for i in range(1, 4):
        expected = 2 * unit(before, i) / unit(before, i).square().sum().sqrt()
        torch.testing.assert_close(unit(layer.weight.detach(), i), expected)


@pytest.mark.parametrize("limit", [0.0, math.inf])
def test_a_limit_out_of_range_is_refused(limit: float) -> None:
    with pytest.raises(ValueError, match=f"`limit` must be .*, got {limit!r}"):
        MaxNorm(limit)
