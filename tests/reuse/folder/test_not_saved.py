"""Nets that would not come back as they are, and are therefore not saved."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

import zoo
from zoo.models import FNN


class Mine(FNN):
    """Of somebody who builds on the zoo."""


def changed_layer(net: FNN) -> None:
    net.layers[1] = nn.GELU()  # no weights that would tell


def changed_head(net: FNN) -> None:
    net.head = nn.Linear(net.head.in_features, 7)


def more(net: FNN) -> None:
    net.scale = nn.Parameter(torch.ones(1))


def shared(net: FNN) -> None:
    net.layers[2].weight = net.layers[0].weight  # would come back as two


@pytest.mark.parametrize("change", [changed_layer, changed_head, more, shared])
def test_a_net_that_was_changed_is_refused(change: Callable[[FNN], None], tmp_path: Path) -> None:
    net = FNN(4, 3, hidden=(4, 4))
    change(net)
    with pytest.raises(ValueError, match="was it changed after it was built") as caught:
        zoo.save(net, tmp_path / "net")
    assert "FNN" in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "net").exists()


@pytest.mark.parametrize("make", [lambda: Mine(3, 2), lambda: nn.Linear(3, 2), nn.Sequential])
def test_a_class_that_nobody_could_look_up_is_refused(
    make: Callable[[], nn.Module], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="is not a class of zoo.models"):
        zoo.save(make(), tmp_path / "net")
    assert not (tmp_path / "net").exists()


def test_broken_weights_are_refused(tmp_path: Path) -> None:
    net = FNN(3, 2)
    with torch.no_grad():
        net.head.bias[1] = float("nan")
    with pytest.raises(ValueError, match=r"'head\.bias' are not finite"):
        zoo.save(net, tmp_path / "net")
    assert not (tmp_path / "net").exists()
