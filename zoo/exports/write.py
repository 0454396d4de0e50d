"""From a net to a file that has been shown to be the net, written whole or not at all."""

from __future__ import annotations

import copy
import importlib.util
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from zoo.exports.int8 import to_int8
from zoo.exports.metadata import facts_of
from zoo.exports.onnx_file import OnnxNet, annotate, onnx_model
from zoo.exports.parity import TOLERANCE, check, parity
from zoo.exports.program_file import loaded, program_of, saved
from zoo.exports.result import Draft, Exported
from zoo.exports.signature import HEADS, Answers, ExportError, Signature, signature_of
from zoo.files import whole

if TYPE_CHECKING:
    from zoo.preprocessing import Preprocessing

SUFFIXES = {"onnx": ".onnx", "exported_program": ".pt2", "safetensors": ""}
RUNTIMES = {"onnx": "onnxruntime", "exported_program": "the exported program"}
NEEDED = {"onnx": ("onnx", "onnxscript", "onnxruntime")}
REPEATS = 30  # of one sample, to time it


def export(
    net: nn.Module,
    path: str | Path,
    *,
    format: str = "onnx",
    preprocessing: Preprocessing | None = None,
    lengths: bool = True,
    int8: bool = False,
    measure: Callable[[nn.Module], Mapping[str, float]] | None = None,
    tolerance: float = TOLERANCE,
    card: Mapping[str, Any] | None = None,
) -> Exported:
    """Write a net as a file for another runtime, once it has been shown to be the same net.

    Args:
        net: one of `zoo.models`, on any device, compiled or not; it is not changed.
        path: the file (`.onnx`, `.pt2`), or the folder for safetensors. One that is there is
            replaced.
        format: "onnx"; "exported_program", torch's own; or "safetensors", a model folder that
            `zoo.load` reads.
        preprocessing: of the training; it goes along, and tells what the outputs are.
        lengths: whether a recurrent net reads, beside x, how many steps of each sample count.
        int8: quantise the weights to 8 bits (ONNX alone).
        measure: metrics of a net, in which the cost of int8 is said.
        tolerance: largest difference from the net, absolute for outputs up to 1 and relative to the
            largest beyond; of int8 it is only reported.
        card: facts for the model card of a folder, see `zoo.card`.

    Raises:
        ExportError: the net cannot be exported so, or its export is another net; nothing has been
            written.
        OSError: the file cannot be written.
    """
    start = time.perf_counter()
    path = Path(path)
    check_choices(path, format, int8)
    net = copied(net)
    if format == "safetensors":
        return as_folder(net, path, preprocessing, card, start)
    net = in_float32(net)
    signature = signature_of(
        net, kind=kind_of(preprocessing), lengths=lengths, image=image_of(preprocessing)
    )
    make = as_onnx if format == "onnx" else as_program
    draft = make(net, signature, preprocessing, tolerance)
    if int8:
        draft = to_int8(draft, net, measure)
    return written(draft, net, path, format, start)


def kind_of(preprocessing: Preprocessing | None) -> str | None:
    """What the net's output is, as far as that is known."""
    if preprocessing is None:
        return None
    kind, point = preprocessing.output.kind, preprocessing.output.plain().get("point")
    special = f"{kind}/{point}"
    return special if special in (*HEADS, "reconstruction/logits") else kind


def image_of(preprocessing: Preprocessing | None) -> tuple[int, int] | None:
    """Height and width of the training's images; None if it had none, or that is not known."""
    shape: tuple[int, ...] = getattr(getattr(preprocessing, "input", None), "shape", ())
    return (shape[1], shape[2]) if len(shape) == 3 else None


def as_onnx(
    net: nn.Module, signature: Signature, preprocessing: Preprocessing | None, tolerance: float
) -> Draft:
    """The net in ONNX.

    Raises:
        ExportError: it cannot be, or is another net.
    """
    model, signature = onnx_model(net, signature)
    annotate(model, facts_of(net, signature, preprocessing))
    content = model.SerializeToString()
    run = OnnxNet(content)
    found = parity(Answers(net, signature), run, signature)
    check(found, tolerance)
    return Draft(content, run, signature, found)


def as_program(
    net: nn.Module, signature: Signature, preprocessing: Preprocessing | None, tolerance: float
) -> Draft:
    """The net as an exported program.

    Raises:
        ExportError: it cannot be, or is another net.
    """
    program, signature = program_of(net, signature)
    content = saved(program, facts_of(net, signature, preprocessing))
    run = loaded(content)
    found = parity(Answers(net, signature), run, signature)
    check(found, tolerance)
    return Draft(content, run, signature, found)


def written(draft: Draft, net: nn.Module, path: Path, format: str, start: float) -> Exported:
    """Write a draft, and time it on one sample."""
    signature = draft.signature
    answers = Answers(net, signature)
    speed = {
        RUNTIMES[format]: milliseconds(draft.run, signature),
        "torch": milliseconds(answers, signature),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as unfinished:
        unfinished.write_bytes(draft.content)
    return Exported(
        path,
        format,
        len(draft.content),
        signature.inputs,
        signature.outputs,
        draft.parity,
        speed,
        time.perf_counter() - start,
        draft.int8,
    )


def as_folder(
    net: nn.Module,
    path: Path,
    preprocessing: Preprocessing | None,
    card: Mapping[str, Any] | None,
    start: float,
) -> Exported:
    """Write the net as a model folder, once one elsewhere has been read back as the same net.

    Raises:
        ExportError: the net was changed after it was built, or comes back as another one.
    """
    from zoo.model_folder import read, write

    signature = signature_of(net, image=image_of(preprocessing))
    try:
        with tempfile.TemporaryDirectory() as trial:
            back = read(write(net, trial, preprocessing=preprocessing, card=card)).net
    except ValueError as error:
        raise ExportError(str(error)) from error
    # They are compared on inputs of 32 bits, whatever their weights have.
    plain = copy.deepcopy(net).float()
    found = parity(Answers(plain, signature), Answers(back.float(), signature), signature)
    check(found, 0.0)
    write(net, path, preprocessing=preprocessing, card=card)
    size = sum(file.stat().st_size for file in path.iterdir())
    seconds = time.perf_counter() - start
    return Exported(path, "safetensors", size, signature.inputs, (), found, {}, seconds)


def check_choices(path: Path, format: str, int8: bool) -> None:
    """Refuse what cannot be written, before any work.

    Raises:
        ExportError: no such format, an extra is missing, or the path does not fit.
    """
    if format not in SUFFIXES:
        raise ExportError(f"`format` must be one of {', '.join(SUFFIXES)}, got {format!r}")
    if int8 and format != "onnx":
        raise ExportError(
            f"int8 is for format=onnx, got {format}: torch's own quantisation has left torch"
        )
    if any(importlib.util.find_spec(name) is None for name in NEEDED.get(format, ())):
        raise ExportError(f"format={format} needs an extra: pip install 'neural-zoo[export]'")
    suffix = SUFFIXES[format]
    if suffix and path.suffix != suffix:
        raise ExportError(f"a file of format={format} ends in {suffix}, got {path}")
    if suffix and path.is_dir():
        raise ExportError(f"{path} is a folder; name a file")
    if not suffix:
        check_folder(path)
    here = path.parent if suffix else path
    while not here.exists() and here != here.parent:
        here = here.parent
    if not here.is_dir() or not os.access(here, os.W_OK):
        raise ExportError(f"{path} cannot be written: {here} is no folder that can be written to")


def check_folder(path: Path) -> None:
    """Refuse a folder that holds something else.

    Raises:
        ExportError: it does, or is a file.
    """
    from zoo.model_folder import CONFIG

    if path.exists() and not path.is_dir():
        raise ExportError(f"{path} is a file; format=safetensors writes a folder")
    if path.is_dir() and any(path.iterdir()) and not (path / CONFIG).is_file():
        raise ExportError(f"{path} holds something else; name a folder that is empty or not there")


def copied(net: nn.Module) -> nn.Module:
    """A copy of the plain net, in eval mode, on the CPU.

    Raises:
        ExportError: a weight is not finite.
    """
    net = getattr(net, "_orig_mod", net)  # of a compiled one
    for name, tensor in net.state_dict().items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise ExportError(f"{name} has values that are not finite: nothing to export")
    return copy.deepcopy(net).cpu().eval()


def in_float32(net: nn.Module) -> nn.Module:
    """The same net with weights of 32 bits.

    Raises:
        ExportError: they have 64, of which half would be lost.
    """
    kinds = {tensor.dtype for tensor in net.state_dict().values() if tensor.is_floating_point()}
    if torch.float64 in kinds:
        raise ExportError("the net's weights are float64; export net.float()")
    return net.float()


@torch.no_grad()
def milliseconds(run: nn.Module, signature: Signature) -> float:
    """Median time of one sample."""
    sample, times = signature.example({**signature.sizes, "batch": 1}), []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run(*sample)
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)
