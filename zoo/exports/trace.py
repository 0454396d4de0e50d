"""From a net to a graph, with the sizes that may be any."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config as symbols

from zoo.exports.parity import FAILURES, first_line, sizes_of
from zoo.exports.signature import ExportError, Signature

OBLIVIOUS = "backed_size_oblivious"  # torch's, of 2.7 and later; it calls it experimental


def traced(
    module: nn.Module, signature: Signature, *, guarded: bool = False
) -> tuple[ExportedProgram, Signature]:
    """The graph of a module, and its signature with the outputs' shapes and what had to be fixed.

    The batch is free, and so is the length of a recurrent net; the sizes of space are, unless a
    layer reads them as numbers.

    Args:
        module: in eval mode.
        signature: of it.
        guarded: whether the graph is to be run with torch's guards, which refuse sizes that it
            takes for special; ONNX has none.

    Raises:
        ExportError: torch cannot trace it.
    """
    firm = {"batch": Dim("batch")}
    if signature.recurrent:
        firm["length"] = Dim("length")
    space = [word for word in signature.free if word not in firm]
    module = without_pools_along_time(module)
    for any_size in (False, True) if guarded and hasattr(symbols, OBLIVIOUS) else (False,):
        try:
            dims = {**firm, **dict.fromkeys(space, Dim.DYNAMIC)}
            program = graph(module, signature, dims, any_size=any_size)
            if not (space and guarded) or runs(program, signature):
                return program, with_shapes(program, signature)
        except ExportError:
            if not space:
                raise
    program = graph(module, signature, {**firm, **dict.fromkeys(space, Dim.STATIC)})
    return program, with_shapes(program, signature)


def graph(
    module: nn.Module, signature: Signature, dims: Mapping[str, Any], *, any_size: bool = False
) -> ExportedProgram:
    """What torch makes of a module, with a dimension for each size that is free.

    Args:
        module: in eval mode.
        signature: of it.
        dims: by name of the size.
        any_size: whether a size of 1 is nothing special. Otherwise maps that have one pixel tie
            the graph to images that are as small; but some layers then need a batch of two.

    Raises:
        ExportError: torch cannot trace it, or has to fix one of them.
    """
    dynamic = tuple(
        {i: dims[size] for i, size in enumerate(port.shape) if isinstance(size, str)}
        for port in signature.inputs
    )
    inputs = signature.example(signature.sizes)
    patch: Any = getattr(symbols, "patch", None)  # which torch adds to its settings at import
    oblivious = patch({OBLIVIOUS: True}) if any_size else nullcontext()
    try:
        with quiet(), torch.no_grad(), oblivious:
            return torch.export.export(module, inputs, dynamic_shapes=dynamic, strict=False)
    except (torch._dynamo.exc.UserError, RuntimeError, ValueError) as error:
        raise ExportError(f"torch.export cannot follow this net: {first_line(error)}") from error


@torch.no_grad()
def runs(program: ExportedProgram, signature: Signature) -> bool:
    """Whether a graph takes other sizes than the traced ones, those of large images included."""
    module = program.module()
    large = {word: 2 * signature.sizes[word] + 1 for word in signature.free}
    try:
        for sizes in (*sizes_of(signature), {**large, "batch": 2}):
            module(*signature.example(sizes))
    except FAILURES:
        return False
    return True


class PoolAlongTime(nn.Module):
    """Max pooling along time, by the operator of images, which does not fix the length."""

    def __init__(self, pool: nn.MaxPool1d) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(
            (1, one(pool.kernel_size)),
            (1, one(pool.stride)),
            (0, one(pool.padding)),
            (1, one(pool.dilation)),
            ceil_mode=pool.ceil_mode,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Pool x (B, C, T)."""
        return self.pool(x.unsqueeze(2)).squeeze(2)


def one(size: Any) -> int:
    """A size along time, which may be given as a tuple of one."""
    return size[0] if isinstance(size, tuple) else size


def without_pools_along_time(module: nn.Module) -> nn.Module:
    """A copy in which nn.MaxPool1d, which torch.export fixes to one length, is done otherwise."""
    module = copy.deepcopy(module)
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.MaxPool1d):
                setattr(parent, name, PoolAlongTime(child))
    return module


def with_shapes(program: ExportedProgram, signature: Signature) -> Signature:
    """The signature with every shape as it is in the graph."""
    found = {node.name: node.meta["val"] for node in program.graph.nodes if "val" in node.meta}
    kept = program.graph_signature
    words: dict[str, str] = {}
    inputs = []
    for port, name in zip(signature.inputs, kept.user_inputs, strict=True):
        for word, size in zip(port.shape, found[name].shape, strict=True):
            if isinstance(word, str) and not isinstance(size, int):
                words[str(size)] = word
        inputs.append(port._replace(shape=named(found[name].shape, words)))
    outputs = [
        port._replace(shape=named(found[name].shape, words))
        for port, name in zip(signature.outputs, kept.user_outputs, strict=True)
    ]
    return signature._replace(inputs=tuple(inputs), outputs=tuple(outputs))


def named(shape: Any, words: Mapping[str, str]) -> tuple[int | str, ...]:
    """A shape with words for its symbols."""
    return tuple(
        size if isinstance(size, int) else words.get(str(size), str(size)) for size in shape
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Without the exporters' notices of their own future, and of every step that they take."""
    root, off = logging.getLogger(), logging.root.manager.disable
    handler = logging.NullHandler()  # or a library that logs without one would set one up
    root.addHandler(handler)
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            for category in (FutureWarning, DeprecationWarning):
                for module in (r"torch\..*", r"onnx.*", "copyreg", "<eval_with_key>.*"):
                    warnings.filterwarnings("ignore", category=category, module=module)
            yield
    finally:
        logging.disable(off)
        root.removeHandler(handler)
