"""Weights of 8 bits, activations quantised as they come (onnxruntime), and what that costs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from zoo.exports.metadata import PREFIX, as_text
from zoo.exports.onnx_file import OnnxNet, annotate
from zoo.exports.parity import parity
from zoo.exports.result import Draft, Quantisation
from zoo.exports.signature import Answers, ExportError, Signature
from zoo.exports.trace import quiet
from zoo.models.autoencoder import EncoderDecoder, Reconstruction
from zoo.models.recurrent import Recurrence, RecurrentNet
from zoo.models.vae import VariationalNet, VariationalReconstruction

if TYPE_CHECKING:
    from onnx import ModelProto

WORTH = 0.9  # of the size before, at most
SIGNED, UNSIGNED = ["LSTM"], ["MatMul", "Conv", "Gather"]  # operators by their weights


def to_int8(
    draft: Draft,
    net: nn.Module,
    measure: Callable[[nn.Module], Mapping[str, float]] | None,
) -> Draft:
    """An ONNX draft with weights of 8 bits, and what that costs in its metadata.

    Args:
        draft: with weights of 32 bits.
        net: that it is of.
        measure: metrics of a net; none where they cannot be had.

    Raises:
        ExportError: the file would hardly be smaller.
    """
    import onnx

    before = onnx.load_from_string(draft.content)
    model = quantised(before)
    run, signature = OnnxNet(model.SerializeToString()), draft.signature
    found = parity(Answers(net, signature), run, signature)
    metrics: list[dict[str, float]] = [{}, {}]
    if measure is not None and (first := measure(Likeness(draft.run, net, signature))):
        metrics = [dict(first), dict(measure(Likeness(run, net, signature)))]
    cost = Quantisation(len(draft.content), found, *metrics)
    facts = {prop.key: prop.value for prop in before.metadata_props}
    told = {**cost._asdict(), "parity": found._asdict()}
    annotate(model, {**facts, f"{PREFIX}int8": as_text(told)})
    return draft._replace(content=model.SerializeToString(), run=run, int8=cost)


def quantised(model: ModelProto) -> ModelProto:
    """A copy of a model with 8-bit matrix products, convolutions, embeddings and LSTMs.

    Processors without VNNI add pairs of products in 16 bits, for which a signed weight of 8 bits
    times an unsigned activation can be too large. Weights are therefore unsigned; those of an LSTM,
    which onnxruntime has signed only, of 7 bits. Measured without VNNI, as mean error in parts of
    the outputs' spread: three trained LSTMs 1 to 7 % with 7 bits and 1 to 4 % with 8, five
    untrained ones 1 % and 8 to 24 %.

    Raises:
        ExportError: the file would hardly be smaller.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    before, origin = model.ByteSize(), (model.producer_name, model.producer_version)
    with quiet(), tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        for operators in (SIGNED, UNSIGNED):
            copy = onnx.ModelProto()
            copy.CopyFrom(model)
            add_pre_process_metadata(copy)  # or it would print advice
            quantize_dynamic(
                copy,
                file,
                op_types_to_quantize=operators,
                weight_type=QuantType.QUInt8,
                reduce_range=operators is SIGNED,
            )
            model = onnx.load(file)
    model.producer_name, model.producer_version = origin
    if model.ByteSize() > WORTH * before:
        raise ExportError(
            f"int8 would make {model.ByteSize():,} bytes of {before:,} and gain nothing: "
            "onnxruntime has it for matrix products, convolutions, embeddings and LSTM, not for "
            "GRU, RNN and tied weights"
        )
    return model


class Likeness(nn.Module):
    """An export that gives back what its net would, so that it can be tested in its place.

    It starts from a state of zeros and draws nothing, whatever it is asked for.

    Args:
        run: what the export computes.
        net: that it is of.
        signature: of the export.
    """

    def __init__(self, run: nn.Module, net: nn.Module, signature: Signature) -> None:
        super().__init__()
        self.run, self.signature = run, signature
        self.kind = type(net)

    def forward(
        self,
        x: Tensor,
        state: Any = None,
        lengths: Tensor | None = None,
        *,
        sample: bool | None = None,
    ) -> Any:
        """Run the export on a batch."""
        del state, sample
        shape = x.shape
        if len(self.signature.inputs[0].shape) == 2 and not self.signature.tokens:
            x = x.flatten(1)
        if self.signature.ragged:
            if lengths is None:
                lengths = x.new_full((shape[0],), shape[1]).long()
            first, *others = self.run(x, lengths.long())
        else:
            first, *others = self.run(x)
        if issubclass(self.kind, RecurrentNet):
            return Recurrence(first, first, first)  # nothing that tests reads
        if issubclass(self.kind, VariationalNet):
            code, log_variance, logits = others
            logits = logits.reshape(shape)
            return VariationalReconstruction(first.reshape(shape), code, code, log_variance, logits)
        if issubclass(self.kind, EncoderDecoder):
            return Reconstruction(first.reshape(shape), others[0])
        return first
