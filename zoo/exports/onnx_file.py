"""ONNX, through torch's exporter; run by onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from zoo.exports.recurrent import OnnxRecurrent
from zoo.exports.signature import Answers, ExportError, Signature
from zoo.exports.trace import quiet, traced
from zoo.models.recurrent import RecurrentNet

if TYPE_CHECKING:
    from onnx import ModelProto

LARGEST = 2**31 - 2**20  # bytes of a protocol buffer, with some left for the graph


def onnx_model(net: nn.Module, signature: Signature) -> tuple[ModelProto, Signature]:
    """The net as a model of ONNX, with names for its inputs, outputs and free sizes.

    Raises:
        ExportError: it cannot be traced, or is too large for one file.
        ImportError: the extra `export` is not installed.
    """
    size = sum(t.numel() * t.element_size() for t in net.state_dict().values())
    if size > LARGEST:
        raise ExportError(
            f"its weights are {size:,} bytes, an ONNX file holds at most {LARGEST:,}; use "
            "format=exported_program or safetensors"
        )
    module = OnnxRecurrent(net) if isinstance(net, RecurrentNet) else Answers(net, signature)
    program, signature = traced(module.eval(), signature)
    with quiet():
        exported = torch.onnx.export(
            program,
            dynamo=True,
            verbose=False,
            input_names=[port.name for port in signature.inputs],
            output_names=[port.name for port in signature.outputs],
        )
    assert exported is not None
    model = exported.model_proto
    describe(model, signature, type(net))
    return model, signature


def describe(model: ModelProto, signature: Signature, net: type[nn.Module]) -> None:
    """Say what things are, and forget where on this machine they came from, in place."""
    graph, version = model.graph, torch.__version__
    model.producer_name, model.producer_version = "neural-zoo, torch", version
    graph.name = net.__name__
    graph.doc_string = (net.__doc__ or "").strip().splitlines()[0]
    for values, ports in ((graph.input, signature.inputs), (graph.output, signature.outputs)):
        for value, port in zip(values, ports, strict=True):
            value.doc_string = port.meaning
            for dim, size in zip(value.type.tensor_type.shape.dim, port.shape, strict=True):
                if isinstance(size, str):
                    dim.dim_param = size
    del graph.value_info[:]  # shapes on the way, in symbols without names
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]  # stack traces of the exporter
        if part in graph.node:
            part.doc_string = ""


def annotate(model: ModelProto, facts: Mapping[str, str]) -> None:
    """Write facts into the model's metadata, in place."""
    import onnx

    onnx.helper.set_model_props(model, dict(facts))


class OnnxNet(nn.Module):
    """A model of ONNX, run by onnxruntime on the CPU with as many threads as torch has.

    Args:
        content: the file's bytes.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__()
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # not even errors, which are raised
        options.intra_op_num_threads = torch.get_num_threads()
        self.session: Any = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
        self.names = [port.name for port in self.session.get_inputs()]

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run it.

        Raises:
            RuntimeError: onnxruntime cannot.
        """
        from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument
        from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException as Broken

        arrays = {n: x.numpy() for n, x in zip(self.names, inputs, strict=True)}
        try:
            outputs = self.session.run(None, arrays)
        except (Fail, InvalidArgument, Broken) as error:
            raise RuntimeError(str(error)) from error
        return tuple(torch.from_numpy(output) for output in outputs)
