"""Beginning with weights that are there: what fits, what does not, and why."""

from typing import Any

import pytest
import torch
from torch import nn

from zoo.models import CNN, FNN, LSTM, RNN, VAE, Autoencoder, ConvAutoencoder, LeNet5
from zoo.transfer import report, transfer

IMAGE = (1, 8, 8)


def test_a_net_of_the_same_arguments_becomes_the_same() -> None:
    for build_net in (lambda: CNN(IMAGE, 3), lambda: LSTM(2, 3), lambda: VAE(6, 2)):
        net, source = build_net(), build_net()
        for buffer in source.buffers():
            buffer.add_(1)
        found = transfer(net, source)
        state = source.state_dict()
        assert all(torch.equal(value, state[key]) for key, value in net.state_dict().items())
        assert len(found.loaded) == len(state)
        assert sum(found.loaded.values()) == sum(value.numel() for value in state.values())
        assert not (found.reshaped or found.halved or found.absent or found.unused)


def test_a_head_of_another_size_starts_anew() -> None:
    net, source = LeNet5(IMAGE, 26), LeNet5(IMAGE, 10)
    head = net.head.weight.clone()
    found = transfer(net, source)
    x = torch.randn(2, *IMAGE)
    torch.testing.assert_close(net.features(x), source.features(x), rtol=0, atol=0)
    assert torch.equal(net.head.weight, head)
    assert found.reshaped == {
        ("head", "weight"): ((26, 84), (10, 84)),
        ("head", "bias"): ((26,), (10,)),
    }


def test_dropout_between_the_layers_does_not_matter() -> None:
    net, source = FNN(6, 3, hidden=[5, 4], dropout=0.5), FNN(6, 3, hidden=[5, 4])
    assert list(net.state_dict()) != list(source.state_dict())  # it shifts the layers' numbers
    transfer(net, source)
    x = torch.randn(2, 6)
    torch.testing.assert_close(net.eval()(x), source(x), rtol=0, atol=0)


@pytest.mark.parametrize("kind", [Autoencoder, VAE])
def test_a_classifier_begins_with_a_dense_encoder(kind: Any) -> None:
    source = kind(6, 2, hidden=[5, 4], activation="relu")
    net = FNN(6, 3, hidden=[5, 4])
    found = transfer(net, source)
    encoder = source.encoder if kind is VAE else source.encoder[0]
    x = torch.randn(2, 6)
    torch.testing.assert_close(net.features(x), encoder.features(x), rtol=0, atol=0)
    assert [stage for stage, _ in found.absent] == ["head", "head"]
    assert {stage for stage, _ in found.unused} == {
        *("code", "decoder.hidden1", "decoder.hidden2", "decoder.head")
    }


def test_a_code_as_long_as_there_are_classes_is_no_head() -> None:
    net, source = FNN(6, 3, hidden=[5]), Autoencoder(6, 3, hidden=[5])
    head = net.head.weight.clone()
    transfer(net, source)
    assert torch.equal(net.head.weight, head)


def test_a_classifier_begins_with_a_convolutional_encoder_and_back() -> None:
    source, net = ConvAutoencoder(IMAGE, 2, channels=[4, 5]), CNN(IMAGE, 3, channels=[4, 5])
    transfer(net, source)
    encoder: Any = source.encoder[0]
    assert torch.equal(net.layers[0].weight, encoder.layers[0].weight)
    assert torch.equal(net.layers[4].weight, encoder.layers[3].weight)  # behind a pooling
    other = ConvAutoencoder(IMAGE, 2, channels=[4, 5])
    found = transfer(other, net)
    assert torch.equal(other.encoder[0].layers[3].weight, encoder.layers[3].weight)
    assert {stage for stage, _ in found.unused} == {"head"}


def test_a_layer_comes_whole_or_not_at_all() -> None:
    net = CNN((3, 8, 8), 3, channels=[4, 5], norm=None)
    source = CNN(IMAGE, 3, channels=[4, 5], norm=None)
    nn.init.ones_(source.layers[0].bias)
    found = transfer(net, source)
    assert found.reshaped == {("stage1", "0.weight"): ((4, 3, 3, 3), (4, 1, 3, 3))}
    assert found.halved == [("stage1", "0.bias")]
    assert not net.layers[0].bias.any()
    assert torch.equal(net.layers[3].weight, source.layers[3].weight)


def test_a_head_is_nothing_above_another_stage() -> None:
    deep, flat = FNN(6, 3, hidden=[6, 6]), FNN(6, 3, hidden=[6])
    head = flat.head.weight.clone()
    found = transfer(flat, deep)
    assert torch.equal(flat.head.weight, head)
    assert found.halved == [("head", "weight"), ("head", "bias")]
    assert report(found, flat, deep, "deep")[1:] == [
        "       loaded  hidden1",
        "       anew    head: reads other features there",
        "       unused  hidden2",
    ]
    linear = FNN(6, 3, hidden=[])
    with pytest.raises(ValueError, match="nothing of FNN"):
        transfer(linear, flat)  # it would read the input as if it were hidden units
    other = FNN(6, 3, hidden=[])
    transfer(linear, other)
    assert torch.equal(linear.head.weight, other.head.weight)


def test_a_head_above_a_stage_that_starts_anew_does_so_too() -> None:
    net, source = CNN(IMAGE, 3, channels=[4, 6, 5]), CNN(IMAGE, 3, channels=[4, 7, 5])
    head = net.head.weight.clone()
    transfer(net, source)
    assert torch.equal(net.layers[0].weight, source.layers[0].weight)
    assert torch.equal(net.head.weight, head)


def test_what_reads_both_ways_begins_with_what_reads_forwards() -> None:
    net, source = RNN(2, 3, hidden_size=4, bidirectional=True), RNN(2, 3, hidden_size=4)
    found = transfer(net, source)
    weights = net.recurrent.state_dict()
    assert torch.equal(weights["weight_hh_l0"], source.recurrent.weight_hh_l0)
    assert ("layer1", "weight_hh_reverse") in found.absent


@pytest.mark.parametrize(
    ("net", "source", "reason"),
    [
        (
            FNN(6, 3, hidden=[5, 4]),
            FNN(7, 3, hidden=[8, 4]),
            r"nothing of FNN \(hidden1, hidden2, head\) fits FNN \(hidden1, hidden2, head\): .* "
            r"\(hidden1 has 0.weight of \(8, 7\) there, \(5, 6\) here\)$",
        ),
        (
            LSTM(2, 3, hidden_size=84),
            LeNet5(IMAGE, 3),
            r"nothing of LeNet5 \(c1, c3, c5, f6, head\) fits LSTM \(layer1, head\): no stage",
        ),
    ],
)
def test_a_head_alone_is_nothing(net: Any, source: Any, reason: str) -> None:
    before = {key: value.clone() for key, value in net.state_dict().items()}
    with pytest.raises(ValueError, match=reason):
        transfer(net, source)
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_the_report_says_all_of_it() -> None:
    net, source = CNN(IMAGE, 26, channels=[4, 5, 6]), ConvAutoencoder(IMAGE, 2, channels=[4, 7])
    # Of stage 1 a convolution of 4 x 9, and of its norm twice 4 weights, twice 4 sums and a count.
    assert report(transfer(net, source), net, source, "runs/it") == [
        "init   runs/it, a ConvAutoencoder: 6 of 20 tensors, 53 numbers",
        "       loaded  stage1",
        "       anew    stage2: 0.weight is (7, 4, 3, 3) there, (5, 4, 3, 3) here",
        "       anew    stage3, head: not there",
        "       unused  code, decoder.linear, decoder.stage1, decoder.stage2",
    ]
    wide, source = FNN(6, 3, hidden=[5], bias=True), FNN(6, 3, hidden=[5], bias=False)
    assert report(transfer(wide, source), wide, source, "fnn/it") == [
        "init   fnn/it, an FNN: 2 of 4 tensors, 45 numbers",
        "       loaded  hidden1, head",
        "       anew    hidden1: no 0.bias there",
        "       anew    head: no bias there",
    ]
