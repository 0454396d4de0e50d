"""Whether an export computes what the net does, at sizes that it was not traced with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from zoo.exports.signature import ExportError, Signature

TOLERANCE = 1e-5  # largest difference in float32
# Sizes to check besides the traced ones; of height and width that many more.
BATCHES = (1, 2, 5, 4)
STEPS = (4, 1, 19, 50)
MORE = (3, 1, 10, 6)
# What a graph raises that was traced for other sizes only.
FAILURES = (RuntimeError, AssertionError, ValueError, IndexError, TypeError)


class Parity(NamedTuple):
    """How far an export is from its net.

    Attributes:
        error: the largest difference: absolute for outputs up to 1, and in parts of the largest
            beyond, as numbers of 32 bits have seven digits.
        absolute: the difference itself.
        largest: absolute output of the net, where that was.
        where: name of the output, and sizes.
        sizes: all that were tried, by name.
    """

    error: float
    absolute: float
    largest: float
    where: str
    sizes: list[dict[str, int]]


def sizes_of(signature: Signature) -> Iterator[dict[str, int]]:
    """The traced sizes, and others for all that are free."""
    free = {word: signature.sizes[word] for word in signature.free}
    yield free
    for batch, steps, more in zip(BATCHES, STEPS, MORE, strict=True):
        # A convolution along time needs as many steps as it halves.
        length = steps if signature.recurrent else free.get("length", 0) + more
        others = {"batch": batch, "length": length}
        yield {word: others.get(word, size + more) for word, size in free.items()}


@torch.no_grad()
def parity(net: nn.Module, export: nn.Module, signature: Signature) -> Parity:
    """Compare an export with the net, ragged lengths included.

    Args:
        net: gives the outputs of the signature as a tuple.
        export: likewise, as its runtime computes it.
        signature: of both.

    Raises:
        ExportError: the net gives numbers that are not finite, or the export fails at some size.
    """
    worst = Parity(-1.0, 0.0, 0.0, "", [])
    for seed, sizes in enumerate(sizes_of(signature), start=1):
        inputs = signature.example(sizes, seed=seed)
        place = ", ".join(f"{word} {size}" for word, size in sizes.items())
        try:
            outputs = export(*inputs)
        except FAILURES as failure:
            raise ExportError(f"the export fails at {place}: {first_line(failure)}") from failure
        worst.sizes.append(sizes)
        for port, ours, theirs in zip(signature.outputs, net(*inputs), outputs, strict=True):
            off = difference(port.name, ours, theirs, place)
            largest = ours.abs().max().item()
            error = off / max(1.0, largest)
            if error > worst.error:
                worst = Parity(error, off, largest, f"{port.name} at {place}", worst.sizes)
    return worst


def difference(name: str, ours: Tensor, theirs: Tensor, place: str) -> float:
    """How far an output is from the net's, at most.

    Raises:
        ExportError: the net's is not finite, or they have different shapes.
    """
    if not ours.isfinite().all():
        raise ExportError(f"the net itself gives {name} that are not finite at {place}")
    if ours.shape != theirs.shape:
        raise ExportError(
            f"the export gives {name} of shape {tuple(theirs.shape)} at {place}, the net "
            f"{tuple(ours.shape)}"
        )
    return (ours - theirs).abs().max().nan_to_num(nan=torch.inf, posinf=torch.inf).item()


def first_line(error: BaseException) -> str:
    """What an exception says first."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def check(found: Parity, tolerance: float) -> None:
    """Refuse an export that is not the net.

    Raises:
        ExportError: it is off by more than the tolerance; says how far, and where.
    """
    if found.error > tolerance:
        raise ExportError(
            f"the export is off by {found.absolute:.2g} in {found.where}, of outputs up to "
            f"{found.largest:.3g}; that is more than tolerance={tolerance:g}, and it was not kept"
        )
