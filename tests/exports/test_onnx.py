"""ONNX files, run by onnxruntime as another program would, against the nets."""

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import zoo
from zoo.checkpoint import contents
from zoo.exports import export, metadata
from zoo.exports.signature import Answers, signature_of
from zoo.models import CNN, FNN, LSTM
from zoo.pretrained import names

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

SIZES = {"batch": 6, "length": 23, "height": 41, "width": 36}


def session(file: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def compare(net: nn.Module, file: Path, *, lengths: bool = True) -> None:
    signature, run = signature_of(net, lengths=lengths), session(file)
    names = [port.name for port in signature.inputs]
    assert [port.name for port in run.get_inputs()] == names
    assert [port.name for port in run.get_outputs()] == [port.name for port in signature.outputs]
    for seed, batch in enumerate((1, 6)):
        inputs = signature.example({**SIZES, "batch": batch}, seed=100 + seed)
        outputs = run.run(None, {n: x.numpy() for n, x in zip(names, inputs, strict=True)})
        with torch.no_grad():
            expected = Answers(net, signature)(*inputs)
        for ours, theirs in zip(expected, outputs, strict=True):
            np.testing.assert_allclose(theirs, ours.numpy(), atol=1e-5, rtol=0)


@pytest.mark.slow
def test_a_recurrent_net_at_any_length(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The file, what is in it, and that nothing is printed, logged or left behind."""
    net = LSTM(3, 2, hidden_size=4, bidirectional=True).eval()
    level, handlers = logging.root.manager.disable, logging.getLogger().handlers[:]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        done = export(net, tmp_path / "x.onnx")
    assert capfd.readouterr() == ("", "")
    assert (logging.root.manager.disable, logging.getLogger().handlers) == (level, handlers)
    assert done.inputs[0].shape == ("batch", "length", 3)
    assert done.inputs[1].shape == ("batch",)
    assert done.outputs[0].shape == ("batch", 2)
    assert 0 <= done.parity.error < 1e-6
    assert done.size == (tmp_path / "x.onnx").stat().st_size
    assert [path.name for path in tmp_path.iterdir()] == ["x.onnx"]
    compare(net, done.path)
    model = onnx.load(done.path)
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node].count("LSTM") == 1
    free = [dim.dim_param for port in model.graph.input for dim in port.type.tensor_type.shape.dim]
    assert free == ["batch", "length", "", "batch"]
    assert "1 to length" in model.graph.input[1].doc_string
    content = done.path.read_bytes()
    assert str(Path(zoo.__file__).parent).encode() not in content
    assert b"site-packages" not in content
    facts = metadata(done.path)
    assert (facts["net"], facts["version"]) == ("LSTM", zoo.__version__)
    assert facts["arguments"]["hidden_size"] == 4
    assert facts["inputs"]["lengths"]["dtype"] == "int64"


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.list_models())
def test_every_preset(name: str, small: Callable[[str], nn.Module], tmp_path: Path) -> None:
    net = small(name)
    compare(net, export(net, tmp_path / "x.onnx").path)


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_pretrained_weights_are_off_by_less_than_ten_to_the_minus_five(
    name: str, tmp_path: Path
) -> None:
    found = contents(name)
    assert found.preprocessing is not None
    done = export(found.net, tmp_path / "x.onnx", preprocessing=found.preprocessing)
    assert done.parity.absolute < 1e-5  # not only in parts of the largest output
    assert metadata(done.path)["preprocessing"] == found.preprocessing.plain()


@pytest.mark.slow
def test_every_recurrent_net(sequence_net: nn.Module, tmp_path: Path) -> None:
    done = export(sequence_net, tmp_path / "x.onnx")
    assert done.inputs[0].shape[:2] == ("batch", "length")
    compare(sequence_net, done.path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "net",
    [
        CNN([2, 16], 3, channels=[4, 5]),
        CNN([2, 16], 3, channels=[4, 5], norm="layer", pool="average", head="flatten"),
        CNN([1, 9, 7], 3, channels=[4], norm="layer", activation="gelu"),
        CNN([1, 9, 7], 3, channels=[4], pool=None, head="flatten", dropout=0.3),
        FNN(6, 2, hidden=[5, 4], norm="layer", activation="selu", dropout=0.3),
        FNN(6, 2, hidden=[]),
    ],
)
def test_variants(net: nn.Module, tmp_path: Path) -> None:
    compare(net.eval(), export(net, tmp_path / "x.onnx").path)


@pytest.mark.slow
@pytest.mark.parametrize("readout", ["last", "mean", "max"])
def test_without_lengths(readout: str, tmp_path: Path) -> None:
    net = LSTM(3, 2, hidden_size=4, bidirectional=True, readout=readout).eval()
    done = export(net, tmp_path / "x.onnx", lengths=False)
    assert [port.name for port in done.inputs] == ["x"]
    compare(net, done.path, lengths=False)


@pytest.mark.slow
def test_a_compiled_net_is_exported_as_the_plain_one(tmp_path: Path) -> None:
    net = FNN(4, 2, hidden=[3]).eval()
    compare(net, export(torch.compile(net), tmp_path / "x.onnx").path)
