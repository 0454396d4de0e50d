"""Recurrent layers step by step, with the states that torch's fused kernels hide."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from zoo.lit import LitModel
from zoo.lit.base import Prediction, sum_of
from zoo.pictures.samples import Samples, run

GATES = {"LSTM": ("input", "forget", "output"), "GRU": ("reset", "update")}


class Trace(NamedTuple):
    """What one layer did.

    Attributes:
        x: (B, T, F), what it read.
        start: (B, H), the state before the first step.
        hidden: h_t (B, H) of each step, as the next step has read it.
        cells: c_t (B, H) of each step; of an LSTM alone.
    """

    x: Tensor
    start: Tensor
    hidden: list[Tensor]
    cells: list[Tensor]


def recurrent_layers(net: nn.Module) -> nn.RNNBase | None:
    """The recurrent layers of a net, if they read forwards only."""
    layers = [part for part in net.modules() if isinstance(part, nn.RNNBase)]
    if len(layers) != 1 or layers[0].bidirectional or layers[0].proj_size:
        return None
    return layers[0]


@contextmanager
def by_steps(layers: nn.RNNBase) -> Iterator[list[Trace]]:
    """Let the layers work step by step in here, and note the states of each layer."""
    traces: list[Trace] = []

    def forward(x: Any, state: Any = None) -> Any:
        traces.clear()
        return replay(layers, x, state, traces)

    vars(layers)["forward"] = forward
    try:
        yield traces
    finally:
        del vars(layers)["forward"]


def replay(layers: nn.RNNBase, x: Any, state: Any, traces: list[Trace]) -> Any:
    """What the layers give back for x and a state, in as many steps as there are.

    Of packed sequences, too, the outputs are packed, and the state is that of each one's last step.
    """
    lengths = None
    if isinstance(x, PackedSequence):
        x, lengths = pad_packed_sequence(x, batch_first=True)
    elif not layers.batch_first:
        x = x.transpose(0, 1)
    starts = state if isinstance(state, tuple) else (state,)
    lasts: list[list[Tensor]] = [[] for _ in (("h", "c") if layers.mode == "LSTM" else ("h",))]
    for index in range(layers.num_layers):
        # Zeros that want a gradient: where nothing else does, the states still have one.
        zeros = x.new_zeros(len(x), layers.hidden_size).requires_grad_(torch.is_grad_enabled())
        begin = [zeros if s is None else s[index] for s in (*starts, None)[: len(lasts)]]
        trace = steps(layers, index, x, begin)
        traces.append(trace)
        x = torch.stack(trace.hidden, 1)  # (B, T, H)
        for last, states in zip(lasts, (trace.hidden, trace.cells), strict=False):
            last.append(states[-1] if lengths is None else at_last(torch.stack(states, 1), lengths))
    final = tuple(torch.stack(last) for last in lasts)  # (num_layers, B, H) each
    if lengths is not None:
        x = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    elif not layers.batch_first:
        x = x.transpose(0, 1)
    return x, final if len(final) == 2 else final[0]


def steps(layers: nn.RNNBase, index: int, x: Tensor, begin: list[Tensor]) -> Trace:
    """One layer along the time of x (B, T, F)."""
    weights = weights_of(layers, index)
    hidden: list[Tensor] = []
    cells: list[Tensor] = []
    h, c = begin[0], begin[-1]
    for now in x.unbind(1):
        if layers.mode == "LSTM":
            h, c = torch.lstm_cell(now, (h, c), *weights)
            cells.append(c)
        elif layers.mode == "GRU":
            h = torch.gru_cell(now, h, *weights)
        else:
            cell = torch.rnn_relu_cell if layers.mode == "RNN_RELU" else torch.rnn_tanh_cell
            h = cell(now, h, *weights)
        hidden.append(h)
    return Trace(x, begin[0], hidden, cells)


def weights_of(layers: nn.RNNBase, index: int) -> list[Any]:
    """W and U of a layer, and its two biases, None where it has none."""
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return [getattr(layers, f"{name}_l{index}", None) for name in names]


def at_last(states: Tensor, lengths: Tensor) -> Tensor:
    """Of states (B, T, H) those of each sample's last step (B, H)."""
    rows = torch.arange(len(states), device=states.device)
    return states[rows, lengths.to(states.device) - 1]


def gates(layers: nn.RNNBase, index: int, trace: Trace) -> dict[str, Tensor]:
    """How far each gate of a layer is open at each step: (B, T, H) from 0 to 1, by its name.

    With torch's order of gates, and s the logistic function:

        LSTM  i, f, o = s(W x_t + U h_{t-1} + b)
        GRU   r, z = s(W x_t + U h_{t-1} + b)
    """
    before = torch.stack([trace.start, *trace.hidden[:-1]], 1)  # (B, T, H): h_{t-1}
    w, u, b, b_hidden = weights_of(layers, index)
    sums = nn.functional.linear(trace.x, w, b) + nn.functional.linear(before, u, b_hidden)
    parts = sums.split(layers.hidden_size, dim=2)
    places = {"LSTM": (0, 1, 3), "GRU": (0, 1)}[layers.mode]
    return {
        name: parts[place].sigmoid() for name, place in zip(GATES[layers.mode], places, strict=True)
    }


class Flow(NamedTuple):
    """How much of a gradient is left at each step: norms (T,) of each layer.

    Attributes:
        hidden: mean over samples of |d loss / d h_t|; see `over_samples`.
        cells: mean over samples of |d loss / d c_t|; of an LSTM alone.
    """

    hidden: list[Tensor]
    cells: list[Tensor]


def flow(module: LitModel, samples: Samples) -> tuple[Flow, list[Trace]]:
    """The gradient of each sample's loss at its states, and the states.

    Where there is a target for each step, the loss is that of the last step alone: how far back an
    error reaches shows only without those that come in between.
    """
    layers = recurrent_layers(module.net)
    assert layers is not None
    module.on_validation_epoch_start()  # a stream begins with an empty state
    with torch.enable_grad(), by_steps(layers) as traces:
        result = at_the_end(run(module, samples), samples)
        loss = sum_of(module.task(result)) * len(samples.x)  # of each sample its own
        states = [t for trace in traces for t in (*trace.hidden, *trace.cells)]
        gradients = iter(torch.autograd.grad(loss, states, allow_unused=True))
    hidden: list[Tensor] = []
    cells: list[Tensor] = []
    for trace in traces:
        for kept, found in ((trace.hidden, hidden), (trace.cells, cells)):
            if kept:
                norms = [norm_of(next(gradients), len(samples.x)) for _ in kept]
                found.append(over_samples(torch.stack(norms), samples.lengths))
    return Flow(hidden, cells), traces


def norm_of(gradient: Tensor | None, count: int) -> Tensor:
    """(B,); of what the loss does not depend on, zeros."""
    if gradient is None:
        return torch.zeros(count)
    return gradient.float().norm(dim=1).cpu()


def over_samples(norms: Tensor, lengths: Tensor | None) -> Tensor:
    """The mean of norms (T, B) over samples: (T,).

    Samples of different lengths end together: the last is the mean over the last step of each.
    """
    if lengths is None:
        return norms.mean(1)
    places = torch.arange(len(norms))[:, None] - (len(norms) - lengths.cpu())  # (T, B)
    there = places >= 0
    aligned = norms.gather(0, places.clamp(min=0)).where(there, 0.0)
    return aligned.sum(1) / there.sum(1).clamp(min=1)


def at_the_end(result: Prediction, samples: Samples) -> Prediction:
    """A prediction for each step as that of each sample's last step alone: (B, 1, ...)."""
    prediction, target = result.prediction, result.target
    if prediction.ndim < 3:
        return result
    count, steps_ = prediction.shape[:2]
    last = torch.full((count,), steps_ - 1, device=prediction.device)
    if result.mask is not None:
        places = torch.arange(steps_, device=prediction.device)
        last = (result.mask * (places + 1)).amax(1).clamp(min=1) - 1
    elif samples.lengths is not None:
        last = samples.lengths.to(prediction.device) - 1
    rows = torch.arange(count, device=prediction.device)
    return result._replace(
        prediction=prediction[rows, last][:, None], target=target[rows, last][:, None], mask=None
    )
