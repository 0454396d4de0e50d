"""Torch's own exported program (`.pt2`): a graph that runs without the zoo."""

from __future__ import annotations

import io
from collections.abc import Mapping

import torch
from torch import nn
from torch.export import ExportedProgram

from zoo.exports.metadata import ENTRY, as_entry
from zoo.exports.recurrent import ProgramRecurrent, restored
from zoo.exports.signature import Answers, Signature
from zoo.exports.trace import quiet, traced
from zoo.models.recurrent import RecurrentNet


def program_of(net: nn.Module, signature: Signature) -> tuple[ExportedProgram, Signature]:
    """The net as an exported program.

    Raises:
        ExportError: it cannot be traced.
    """
    module = ProgramRecurrent(net) if isinstance(net, RecurrentNet) else Answers(net, signature)
    program, signature = traced(module.eval(), signature, guarded=True)
    restored(program)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # names files of this machine
    return program, signature


def saved(program: ExportedProgram, facts: Mapping[str, str]) -> bytes:
    """The bytes of its file."""
    buffer = io.BytesIO()
    with quiet():
        torch.export.save(program, buffer, extra_files={ENTRY: as_entry(facts)})
    return buffer.getvalue()


def loaded(content: bytes) -> nn.Module:
    """What such a file computes."""
    with quiet():
        return torch.export.load(io.BytesIO(content)).module()
