"""Discriminative learning rates: each stage learns slower than the next."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from zoo.data import Split
from zoo.lit import LitFeedForward
from zoo.lit.schedules import cosine, plateau, step, warmup_cosine
from zoo.losses import MSE
from zoo.models import FNN, Autoencoder
from zoo.regularization import decay_groups, scale_rates


def test_each_stage_learns_slower_than_the_next() -> None:
    net = FNN(6, 3, hidden=[5, 4], norm="layer")
    groups = decay_groups(net, lr_decay=0.5)
    optimizer = torch.optim.AdamW(groups, lr=0.8, weight_decay=0.1)
    scale_rates(optimizer)
    found = {
        id(p): (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for p in group["params"]
    }
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(found)
    rates = {
        "head.weight": (0.8, 0.1),
        "head.bias": (0.8, 0.0),
        "layers.3.weight": (0.4, 0.1),
        "layers.4.weight": (0.4, 0.0),  # of the norm
        "layers.0.weight": (0.2, 0.1),
        "layers.0.bias": (0.2, 0.0),
    }
    for name, parameter in net.named_parameters():
        if name in rates:
            assert found[id(parameter)] == pytest.approx(rates[name]), name
    assert {id(p) for p in net.parameters()} == set(found)
    assert optimizer.param_groups[0]["lr"] == 0.8  # which is logged as `lr`


def test_a_step_of_gradient_descent_by_hand() -> None:
    net = FNN(2, 1, hidden=[3])
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    optimizer = torch.optim.SGD(decay_groups(net, lr_decay=0.25), lr=1.0)
    scale_rates(optimizer)
    net(torch.randn(4, 2)).square().sum().backward()
    optimizer.step()
    for name, p in net.named_parameters():
        rate = 1.0 if name.startswith("head") else 0.25
        torch.testing.assert_close(p.detach(), before[name] - rate * p.grad)


def test_without_it_the_groups_are_two() -> None:
    groups = decay_groups(FNN(6, 3))
    assert [set(group) for group in groups] == [{"params"}, {"params", "weight_decay"}]


def test_tied_weights_learn_once() -> None:
    net = Autoencoder(6, 2, hidden=[5], tied=True)
    groups = decay_groups(net, lr_decay=0.5)
    held = [id(p) for group in groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in net.parameters())


@pytest.mark.parametrize("value", [0, -0.5, 1.5, float("nan"), "0.5", True])
def test_the_rates_fall_towards_the_input(value: Any) -> None:
    with pytest.raises(ValueError, match=r"`lr_decay` must be in \(0, 1\], got"):
        decay_groups(FNN(6, 3), lr_decay=value)


def test_a_net_without_stages_has_one_rate() -> None:
    with pytest.raises(ValueError, match="needs a net that has stages, got Linear"):
        decay_groups(nn.Linear(2, 2), lr_decay=0.5)


@pytest.mark.parametrize("schedule", [cosine, plateau, step, warmup_cosine])
def test_schedules_keep_the_proportions(
    schedule: Callable[..., Any], fit: Callable[..., Any]
) -> None:
    settings = {"final_factor": 0.1} if "cosine" in schedule.__name__ else {}
    optimizer = partial(torch.optim.SGD, lr=0.01)
    module = LitFeedForward(
        FNN(3, 1, hidden=[4]),
        loss=MSE(),
        optimizer=optimizer,
        scheduler=partial(schedule, **settings),
    )
    module.lr_decay = 0.5
    split = Split(torch.randn(8, 3), torch.randn(8, 1))
    trainer = fit(module, split, split, max_epochs=4)
    rates = [group["lr"] for group in trainer.optimizers[0].param_groups]
    assert rates[0] == 0.01 if schedule is plateau else 0 < rates[0] < 0.01
    assert rates == pytest.approx([rates[0], rates[0], rates[0] / 2, rates[0] / 2])
