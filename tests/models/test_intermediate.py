"""What the layers inside a net gave back, by their names."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from zoo.models import FNN, LSTM, Torchvision, intermediate


def test_what_a_layer_inside_gave_back() -> None:
    torch.manual_seed(0)
    net, x = FNN(4, 2, hidden=[5, 3]), torch.randn(6, 4)
    found = intermediate(net, ["layers.2", "layers.0", ""], x)
    first = F.linear(x, net.layers[0].weight, net.layers[0].bias)
    assert list(found) == ["layers.2", "layers.0", ""]
    torch.testing.assert_close(found["layers.0"], first)
    second = F.linear(first.relu(), net.layers[2].weight, net.layers[2].bias)
    torch.testing.assert_close(found["layers.2"], second)
    torch.testing.assert_close(found[""], net(x))
    found["layers.2"].sum().backward()
    assert net.layers[0].weight.grad is not None
    assert not any(m._forward_hooks for m in net.modules())


def test_what_recurrent_layers_gave_back() -> None:
    net, x = LSTM(2, 3, hidden_size=4).eval(), torch.randn(2, 5, 2)
    hidden, state = intermediate(net, ["recurrent"], x)["recurrent"]
    given = net(x)
    torch.testing.assert_close(hidden, given.hidden)
    torch.testing.assert_close(state, given.state)


def test_it_is_what_torchvision_extracts() -> None:
    from torchvision.models.feature_extraction import create_feature_extractor

    net = Torchvision(3, 5, name="squeezenet1_1").eval()
    x, names = torch.randn(1, 3, 32, 32), ["features.3", "features.12"]
    theirs = create_feature_extractor(net.body, names)(x)
    ours = intermediate(net, [f"body.{name}" for name in names], x)
    for name in names:
        torch.testing.assert_close(ours[f"body.{name}"], theirs[name])


def test_names_inside_must_be_there() -> None:
    net, x = FNN(4, 2), torch.randn(1, 4)
    with pytest.raises(ValueError, match=r"FNN has no module 'layer\.0'; did you mean 'layers\.0'"):
        intermediate(net, ["layer.0"], x)
    with pytest.raises(ValueError, match=r"must be a list of names, got 'head'; use \['head'\]"):
        intermediate(net, "head", x)
    net.unused = nn.Linear(1, 1)
    with pytest.raises(ValueError, match="has not run its module 'unused'"):
        intermediate(net, ["unused"], x)
    with pytest.raises(ValueError, match="`x` must be"):
        intermediate(net, ["head"], torch.randn(1, 5))
    assert not any(m._forward_hooks for m in net.modules())
