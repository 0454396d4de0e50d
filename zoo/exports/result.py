"""What an export hands back."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from torch import nn

from zoo.exports.parity import Parity
from zoo.exports.signature import Port, Signature


class Quantisation(NamedTuple):
    """What 8-bit weights save and cost.

    Attributes:
        size: bytes of the file with weights of 32 bits.
        parity: how far it is from the net.
        before: metrics of the file with weights of 32 bits; empty if they were not measured.
        after: metrics of the file with weights of 8 bits.
    """

    size: int
    parity: Parity
    before: dict[str, float]
    after: dict[str, float]


class Draft(NamedTuple):
    """A file that is not written yet.

    Attributes:
        content: its bytes.
        run: what it computes, as its runtime does.
        signature: what it reads and gives.
        parity: how far that is from the net.
        int8: what quantisation saved and cost; None without.
    """

    content: bytes
    run: nn.Module
    signature: Signature
    parity: Parity
    int8: Quantisation | None = None


class Exported(NamedTuple):
    """What was written.

    Attributes:
        path: the file, or the folder.
        format: "onnx", "exported_program" or "safetensors".
        size: in bytes.
        inputs: names, shapes and meanings.
        outputs: likewise.
        parity: how far it is from the net with 32-bit weights, and at which sizes that was tried.
        milliseconds: median for one sample of the traced sizes, by what ran it; none for
            safetensors.
        seconds: that the export took.
        int8: what quantisation saved and cost; None without.
    """

    path: Path
    format: str
    size: int
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    parity: Parity
    milliseconds: dict[str, float]
    seconds: float
    int8: Quantisation | None = None
