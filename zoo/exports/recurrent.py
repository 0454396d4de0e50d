"""Recurrent nets without packing, which no exporter can follow; the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from zoo.models.recurrent import RecurrentNet

# Per kind of cell: the operator of ONNX, its gates as places in torch's order, and attributes.
OPERATORS: dict[str, tuple[str, Sequence[int], dict[str, Any]]] = {
    "LSTM": ("LSTM", (0, 3, 1, 2), {}),  # input, output, forget, cell
    "GRU": ("GRU", (1, 0, 2), {"linear_before_reset": 1}),  # update, reset, new
    "RNN_TANH": ("RNN", (0,), {"activations": ["Tanh"]}),
    "RNN_RELU": ("RNN", (0,), {"activations": ["Relu"]}),
}
WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class Unpacked(nn.Module):
    """Embedding, readout and head of a recurrent net; a subclass says how its layers are computed.

    Args:
        net: in eval mode.
    """

    def __init__(self, net: RecurrentNet) -> None:
        super().__init__()
        self.embed, self.head = net.embed, net.head
        self.readout, self.directions = net.readout, net.directions
        self.hidden_size = net.recurrent.hidden_size
        self.num_layers = net.recurrent.num_layers

    def layers(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
        """The top layer: hidden states (B, T, D * H), zero beyond lengths, and last (B, D * H)."""
        raise TypeError("a subclass computes the layers")

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> tuple[Tensor]:
        """Read the sequences and give what the head makes of the readout."""
        hidden, last = self.layers(self.embed(x), lengths)
        if self.readout == "every":
            features = hidden
        elif self.readout == "last":
            features = last
        elif self.readout == "mean":
            features = hidden.mean(1) if lengths is None else hidden.sum(1) / lengths[:, None]
        else:
            if lengths is not None:
                hidden = hidden.masked_fill(~valid(hidden, lengths), -torch.inf)
            features = hidden.amax(1)
        return (self.head(features),)


class OnnxRecurrent(Unpacked):
    """One operator of ONNX for each layer, which takes the lengths itself, in both directions.

    The exporter would unroll an nn.RNN to the length that it was traced with, and gives that length
    as the output's shape of the others (torch 2.14).

    Args:
        net: in eval mode.
    """

    def __init__(self, net: RecurrentNet) -> None:
        super().__init__(net)
        self.operator, order, attributes = OPERATORS[net.recurrent.mode]
        self.attributes: dict[str, Any] = {
            "hidden_size": self.hidden_size,
            "direction": "bidirectional" if self.directions == 2 else "forward",
            **{k: v * self.directions if k == "activations" else v for k, v in attributes.items()},
        }
        for layer in range(self.num_layers):
            w_ih, w_hh, b_ih, b_hh = (
                torch.stack([ordered(w, order) for w in weights])
                for weights in zip(*of_layer(net.recurrent, layer), strict=True)
            )
            self.register_buffer(f"W_l{layer}", w_ih)  # (D, gates * H, F)
            self.register_buffer(f"R_l{layer}", w_hh)  # (D, gates * H, H)
            self.register_buffer(f"B_l{layer}", torch.cat([b_ih, b_hh], 1))  # (D, 2 * gates * H)

    def layers(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
        """All layers, time first, as ONNX has it."""
        x = x.transpose(0, 1)  # (T, B, F)
        steps, batch = x.shape[:2]
        count = None if lengths is None else lengths.to(torch.int32)
        last_shape = [self.directions, batch, self.hidden_size]
        shapes = [[steps, *last_shape], last_shape]
        if self.operator == "LSTM":
            shapes.append(last_shape)
        for layer in range(self.num_layers):
            weights = (getattr(self, f"{name}_l{layer}") for name in "WRB")
            states, last, *_ = torch.onnx.ops.symbolic_multi_out(
                self.operator,
                (x, *weights, count),
                self.attributes,
                dtypes=[x.dtype] * len(shapes),
                shapes=shapes,
            )
            x = states.transpose(1, 2).flatten(2)  # (T, B, D * H)
        return x.transpose(0, 1), last.transpose(0, 1).flatten(1)


class ProgramRecurrent(Unpacked):
    """Torch's own layers on padded batches; backwards they read each sample turned round.

    The program runs at any length. Lowered further by `run_decompositions`, torch 2.14 unrolls the
    layers to the length that it was traced with, and refuses others.

    Args:
        net: in eval mode.
    """

    def __init__(self, net: RecurrentNet) -> None:
        super().__init__(net)
        self.mode = net.recurrent.mode
        for layer in range(self.num_layers):
            for direction, weights in enumerate(of_layer(net.recurrent, layer)):
                for name, weight in zip(WEIGHTS, weights, strict=True):
                    self.register_buffer(f"{name}_l{layer}_d{direction}", weight.clone())

    def layers(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
        """All layers, one direction at a time."""
        if lengths is None:
            lengths = x.new_full((x.shape[0],), x.shape[1], dtype=torch.int64)
        step = torch.arange(x.shape[1], device=x.device)
        # Position of each step in its sample turned round; what lies beyond may be anything.
        turn = (lengths[:, None] - 1 - step).clamp(min=0)  # (B, T)
        for layer in range(self.num_layers):
            hidden = [self.layer(x, layer, 0)]
            if self.directions == 2:
                hidden.append(steps_at(turn, self.layer(steps_at(turn, x), layer, 1)))
            x = torch.cat(hidden, 2)  # (B, T, D * H)
        x = x.masked_fill(~valid(x, lengths), 0)
        last = [steps_at(lengths[:, None] - 1, x[:, :, : self.hidden_size])[:, 0]]
        if self.directions == 2:
            last.append(x[:, 0, self.hidden_size :])
        return x, torch.cat(last, 1)

    def layer(self, x: Tensor, layer: int, direction: int) -> Tensor:
        """One layer in one direction over all T steps, from a state of zeros."""
        weights = [getattr(self, f"{name}_l{layer}_d{direction}") for name in WEIGHTS]
        zeros = x.new_zeros(1, x.shape[0], self.hidden_size)
        state = [zeros, zeros] if self.mode == "LSTM" else zeros
        return stand_in(self.mode)(x, state, weights, True, 1, 0.0, False, False, True)[0]


def of_layer(recurrent: nn.RNNBase, layer: int) -> list[list[Tensor]]:
    """The weights of a layer for each direction, in the order of `WEIGHTS`."""
    ends = ("", "_reverse") if recurrent.bidirectional else ("",)
    return [
        [getattr(recurrent, f"{name}_l{layer}{end}").detach() for name in WEIGHTS] for end in ends
    ]


def ordered(weight: Tensor, order: Sequence[int]) -> Tensor:
    """The gates' blocks of a weight in another order."""
    blocks = weight.chunk(len(order))
    return torch.cat([blocks[i] for i in order])


def valid(hidden: Tensor, lengths: Tensor) -> Tensor:
    """True (B, T, 1) where a step of hidden (B, T, ...) is within its sample."""
    step = torch.arange(hidden.shape[1], device=hidden.device)
    return (step < lengths[:, None])[:, :, None]


def steps_at(position: Tensor, x: Tensor) -> Tensor:
    """The steps of x (B, T, F) at positions (B, S): (B, S, F)."""
    return x.gather(1, position[:, :, None].expand(-1, -1, x.shape[2]))


def aten(mode: str) -> Any:
    """Torch's operator for all steps of a layer."""
    return getattr(torch.ops.aten, mode.lower()).input


@cache
def library() -> torch.library.Library:
    """Where the stand-ins are; they exist while this process does, and in no file."""
    return torch.library.Library("zoo_export", "DEF")


@cache
def stand_in(mode: str) -> Callable[..., tuple[Tensor, ...]]:
    """An operator to trace in place of torch's, whose shapes would be those of one length only.

    `restored` puts torch's own in its place afterwards.
    """
    name, original = mode.lower(), aten(mode)
    library().define(name + str(original._schema).removeprefix(f"aten::{name}.input"))
    library().impl(name, original, "CPU")

    def shapes(x: Tensor, state: Any, *_: Any) -> tuple[Tensor, ...]:
        states = state if isinstance(state, (list, tuple)) else [state]
        return x.new_empty(*x.shape[:2], states[0].shape[2]), *map(torch.empty_like, states)

    torch.library.register_fake(f"zoo_export::{name}", shapes, lib=library())
    return getattr(torch.ops.zoo_export, name).default


def restored(program: torch.export.ExportedProgram) -> None:
    """Put torch's own operators where stand-ins were traced, in place."""
    for node in program.graph.nodes:
        if getattr(node.target, "namespace", "") == "zoo_export":
            node.target = aten(node.target._schema.name.partition("::")[2].upper())
    program.graph_module.recompile()
