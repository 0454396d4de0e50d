"""Weights of 8 bits: what they save and cost."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from zoo.exports import ExportError, export, metadata, summary
from zoo.exports.int8 import Likeness
from zoo.exports.signature import Answers, signature_of
from zoo.models import CNN, FNN, GRU, LSTM, VAE, Autoencoder

onnxruntime = pytest.importorskip("onnxruntime")


@pytest.mark.parametrize(
    ("net", "x"),
    [
        (FNN(12, 3), torch.randn(5, 3, 4)),
        (CNN([1, 8, 8], 3), torch.randn(5, 1, 8, 8)),
        (GRU(3, 2), torch.randn(5, 7, 3)),
        (LSTM(3, 2, readout="max"), torch.randn(5, 7, 3)),
        (Autoencoder(12, 2), torch.randn(5, 3, 4)),
        (VAE(12, 2), torch.randn(5, 3, 4)),
    ],
)
def test_is_asked_and_answers_as_the_net(net: nn.Module, x: torch.Tensor) -> None:
    signature = signature_of(net.eval())
    likeness, given = Likeness(Answers(net, signature), net, signature), net(x)
    output = likeness(x)
    assert type(output) is type(given)
    if isinstance(net, (GRU, LSTM)):
        torch.testing.assert_close(output.output, given.output)
        lengths = torch.tensor([1, 7, 3, 2, 5], dtype=torch.int32)
        ragged = likeness(x, None, lengths).output
        torch.testing.assert_close(ragged, net(x, lengths=lengths).output)
    elif isinstance(net, (FNN, CNN)):
        torch.testing.assert_close(output, given)
    else:
        for ours, theirs in zip(output, given, strict=True):
            torch.testing.assert_close(ours, theirs)


@pytest.mark.slow
@pytest.mark.parametrize(
    "net",
    [
        FNN(16, 4, hidden=[64, 64]),
        CNN([1, 8, 8], 4, channels=[32, 64]),
        LSTM(8, 4, hidden_size=64, num_layers=2, bidirectional=True),
        LSTM(20, 4, hidden_size=64, embedding=16, readout="mean"),
        Autoencoder(64, 8),
        VAE(64, 8),
    ],
)
def test_a_quarter_of_the_size_and_nearly_the_same(net: nn.Module, tmp_path: Path) -> None:
    done = export(net, tmp_path / "x.onnx", int8=True)
    assert done.int8 is not None
    assert done.size == (tmp_path / "x.onnx").stat().st_size < 0.4 * done.int8.size
    assert done.parity.error < 1e-5  # of the file before it was quantised
    assert 1e-5 < done.int8.parity.error < 0.1
    signature = signature_of(net)
    inputs = signature.example({"batch": 4, "length": 9, "height": 8, "width": 8})
    run = onnxruntime.InferenceSession(done.path, providers=["CPUExecutionProvider"])
    names = [port.name for port in signature.inputs]
    output = run.run(None, {n: x.numpy() for n, x in zip(names, inputs, strict=True)})[0]
    with torch.no_grad():
        expected = Answers(net.eval(), signature)(*inputs)[0].numpy()
    # On a processor without VNNI, 8 bits fail here for the bidirectional LSTM, and signed weights
    # for the autoencoder.
    assert np.abs(output - expected).max() < 0.06 * max(1, np.abs(expected).max())
    assert not np.allclose(output, expected, atol=1e-5)


@pytest.mark.slow
def test_what_it_costs_is_measured_said_and_kept(tmp_path: Path) -> None:
    net = FNN(16, 4, hidden=[64, 64]).eval()
    x = torch.randn(500, 16, generator=torch.Generator().manual_seed(0))
    labels = net(x).argmax(1)

    def accuracy(other: nn.Module) -> dict[str, float]:
        return {"accuracy": (other(x).argmax(1) == labels).float().mean().item()}

    done = export(net, tmp_path / "x.onnx", int8=True, measure=accuracy)
    assert done.int8 is not None
    assert done.int8.before == {"accuracy": 1.0}
    assert 0.9 < done.int8.after["accuracy"] < 1.0
    kept = metadata(done.path)["int8"]
    assert (kept["before"], kept["after"]) == (done.int8.before, done.int8.after)
    assert kept["size"] == done.int8.size
    line = list(summary(done))[-1]
    assert line.startswith("int8 ")
    assert f"test/accuracy 1 -> {done.int8.after['accuracy']:.4g}" in line


@pytest.mark.slow
def test_tied_weights_would_gain_nothing(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="gain nothing: .* and tied weights"):
        export(Autoencoder(64, 8, tied=True), tmp_path / "x.onnx", int8=True)


@pytest.mark.slow
def test_nets_that_would_gain_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="gain nothing: .* not for GRU, RNN and tied weights"):
        export(GRU(8, 4, hidden_size=64), tmp_path / "x.onnx", int8=True)
    assert list(tmp_path.iterdir()) == []
