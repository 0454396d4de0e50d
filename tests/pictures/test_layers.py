"""Weights, filters, maps and the diagram of nets whose answers are known."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from zoo.data import Digits, Iris
from zoo.lit import LitFeedForward, LitRecurrent
from zoo.losses import CrossEntropy
from zoo.models import CNN, FNN, LSTM, LeNet5, ResNet
from zoo.pictures import Diagram, FeatureMaps, Filters, FirstWeights
from zoo.pictures.colours import MAPS
from zoo.pictures.diagram import Layer, drawn, traced
from zoo.pictures.layers import stages
from zoo.pictures.samples import bound_of

SHAPE = (1, 8, 8)


def test_a_units_weights_have_the_shape_of_the_image(staged: Callable[..., Any]) -> None:
    net = FNN(64, 10, hidden=(3,))
    weights = torch.zeros(3, 8, 8)
    weights[0, 2, 5], weights[1, 7, 0] = 1.0, -1.0
    net.layers[0].weight.data = weights.flatten(1)
    scene, events = staged(LitFeedForward(net, loss=CrossEntropy()), Digits())
    picture = FirstWeights()
    assert picture.suits(scene)
    picture.draw(scene)
    pixels = events.pixels("layers/first_weights")
    tiles = [pixels[32 : 32 + 48, 10 + 52 * i : 58 + 52 * i][3::6, 3::6] for i in range(3)]
    low, high = MAPS["signed"][0], MAPS["signed"][-1]
    assert np.argwhere((tiles[0] == high).all(2)).tolist() == [[2, 5]]
    assert np.argwhere((tiles[1] == low).all(2)).tolist() == [[7, 0]]
    assert (tiles[2] >= 249).all()


@pytest.mark.parametrize(
    ("net", "data", "suits"),
    [
        (FNN(64, 10, hidden=()), Digits(), True),
        (CNN(SHAPE, 10), Digits(view="image"), False),
        (FNN(4, 3), Iris(), False),
    ],
)
def test_only_a_linear_layer_that_sees_images_is_drawn(
    staged: Callable[..., Any], net: nn.Module, data: Any, suits: bool
) -> None:
    scene, _ = staged(LitFeedForward(net, loss=CrossEntropy()), data)
    assert FirstWeights().suits(scene) is suits


def test_filters_and_maps_of_nets_with_convolutions(staged: Callable[..., Any]) -> None:
    data = Digits(view="image")
    scene, events = staged(LitFeedForward(CNN(SHAPE, 10), loss=CrossEntropy()), data)
    for picture in (Filters(), FeatureMaps()):
        assert picture.suits(scene)
        picture.draw(scene)
    assert set(events.values) == {"layers/filters", "layers/feature_maps"}
    scene, _ = staged(LitRecurrent(LSTM(8, 10), loss=CrossEntropy()), Digits(view="rows"))
    assert not Filters().suits(scene) and not FeatureMaps().suits(scene)


def test_a_filter_is_drawn_as_it_is(staged: Callable[..., Any]) -> None:
    net = CNN(SHAPE, 10, channels=[2])
    weight = torch.zeros(2, 1, 3, 3)
    weight[1, 0, 0, 2] = 1.0
    net.layers[0].weight.data = weight
    scene, events = staged(LitFeedForward(net, loss=CrossEntropy()), Digits(view="image"))
    Filters().draw(scene)
    second = events.pixels("layers/filters")[32 : 32 + 48, 10 + 52 : 58 + 52][8::16, 8::16]
    assert np.argwhere((second == MAPS["signed"][-1]).all(2)).tolist() == [[0, 2]]


def test_a_stage_is_what_leaves_the_last_layer_before_the_size_changes() -> None:
    x = torch.randn(2, *SHAPE)
    net = CNN(SHAPE, 10, channels=[4, 6], dropout=0.1).eval()
    first, second = stages(net, x)
    torch.testing.assert_close(first, net.layers[:3](x))  # convolution, norm, activation
    torch.testing.assert_close(second, net.layers[:8](x))
    assert [tuple(maps.shape[1:]) for maps in stages(LeNet5(SHAPE, 10).eval(), x)] == [
        (6, 28, 28),
        (16, 10, 10),
    ]
    residual = ResNet(1, 10, depth=8, width=4).eval()
    sizes = [tuple(maps.shape[1:]) for maps in stages(residual, x)]
    assert sizes == [(4, 8, 8), (8, 4, 4), (16, 2, 2)]
    last = stages(residual, x)[-1]
    torch.testing.assert_close(last, residual.blocks(residual.stem(x)))


def test_the_colours_end_where_almost_all_weights_are() -> None:
    weights = torch.linspace(-1, 1, 1000)
    weights[0] = 50.0
    assert bound_of(weights) == pytest.approx(1, abs=0.02)
    assert bound_of(torch.zeros(3)) == 1


def test_the_diagram_lists_layers_in_the_order_of_their_work() -> None:
    net = FNN(64, 10, hidden=(20,), dropout=0.2)
    rows = traced(net.eval(), torch.randn(2, 64), 24)
    assert rows == [
        Layer("layers.0", "Linear", (20,), 64 * 20 + 20),
        Layer("layers.1", "ReLU", (20,), 0),
        Layer("layers.2", "Dropout 0.2", (20,), 0),
        Layer("head", "Linear", (10,), 210),
    ]
    assert sum(row.parameters for row in rows) == sum(p.numel() for p in net.parameters())


def test_many_layers_are_drawn_as_blocks() -> None:
    net = ResNet(1, 10, depth=20).eval()
    rows = traced(net, torch.randn(2, *SHAPE), 24)
    assert [row.kind for row in rows] == [
        *("Conv2d 3 x 3", "BatchNorm2d", "ReLU", *["ResidualBlock"] * 9, "Linear")
    ]
    assert sum(row.parameters for row in rows) == sum(p.numel() for p in net.parameters())
    deep = drawn(rows * 5, SHAPE, "ResNet", 1, 24)
    assert deep.height == 52 + 32 * (24 + 2)  # with the input, and a row for those left out


def test_the_size_of_a_recurrent_layer_is_that_of_its_output(staged: Callable[..., Any]) -> None:
    net = LSTM(8, 10, hidden_size=6, num_layers=2, embedding=None)
    rows = traced(net.eval(), torch.randn(2, 5, 8), 24)
    assert (rows[0].kind, rows[0].size) == ("LSTM, 2 layers", (5, 6))
    scene, events = staged(LitRecurrent(net, loss=CrossEntropy()), Digits(view="rows"), "start")
    Diagram().draw(scene)
    assert set(events.values) == {"layers/diagram"}
