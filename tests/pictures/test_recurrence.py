"""Gradients and gates against loops over torch's cells, written out."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from zoo.lit import LitRecurrent
from zoo.losses import MSE, CrossEntropy
from zoo.models import GRU, LSTM, RNN
from zoo.pictures import Gates, GradientNorm
from zoo.pictures.recurrence import (
    at_the_end,
    by_steps,
    flow,
    gates,
    over_samples,
    recurrent_layers,
)
from zoo.pictures.samples import Samples

B, T, F, H = 5, 7, 3, 4
CELLS: dict[type, type] = {RNN: nn.RNNCell, GRU: nn.GRUCell, LSTM: nn.LSTMCell}


def cell_of(net: nn.Module, layer: int = 0) -> Any:
    """torch's own cell with the weights of a layer."""
    layers: Any = net.recurrent
    size = layers.input_size if layer == 0 else layers.hidden_size
    kind = CELLS[type(net)]
    settings = {"nonlinearity": layers.nonlinearity} if kind is nn.RNNCell else {}
    cell = kind(size, layers.hidden_size, **settings)
    cell.load_state_dict({name: getattr(layers, f"{name}_l{layer}") for name in cell.state_dict()})
    return cell


def unrolled(net: nn.Module, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """The states h_t and c_t of a single layer, from one cell after the other."""
    cell, h, c = cell_of(net), torch.zeros(len(x), H), torch.zeros(len(x), H)
    hidden, cells = [], []
    for t in range(x.shape[1]):
        if isinstance(cell, nn.LSTMCell):
            h, c = cell(x[:, t], (h, c))
            cells.append(c)
        else:
            h = cell(x[:, t], h)
        hidden.append(h)
    return hidden, cells


@pytest.mark.parametrize("kind", [RNN, GRU, LSTM])
@pytest.mark.parametrize("readout", ["last", "mean", "max"])
def test_the_gradient_is_that_of_the_loop_written_out(kind: Any, readout: str) -> None:
    net = kind(F, 2, hidden_size=H, readout=readout, dropout=0.5).eval()
    samples = Samples(torch.randn(B, T, F), torch.randn(B, 2))
    found, _ = flow(LitRecurrent(net, loss=MSE()).eval(), samples)

    hidden, cells = unrolled(net, samples.x)
    every = torch.stack(hidden, 1)
    seen = {"last": every[:, -1], "mean": every.mean(1), "max": every.amax(1)}[readout]
    expected = torch.zeros(T, len([hidden, cells]))
    for sample in range(B):  # the loss of each sample alone
        loss = (net.head(seen[sample]) - samples.y[sample]).square().mean()
        states = hidden + cells
        gradients = torch.autograd.grad(loss, states, retain_graph=True, allow_unused=True)
        for place, gradient in enumerate(gradients):
            norm = 0.0 if gradient is None else float(gradient[sample].norm())
            expected[place % T, place // T] += norm / B
    torch.testing.assert_close(found.hidden[0], expected[:, 0])
    assert len(found.cells) == (1 if kind is LSTM else 0)
    if kind is LSTM:
        torch.testing.assert_close(found.cells[0], expected[:, 1])


def test_with_a_target_for_each_step_it_is_the_last_error_that_goes_back() -> None:
    net = GRU(F, 3, hidden_size=H, readout="every").eval()
    samples = Samples(torch.randn(B, T, F), torch.randint(3, (B, T)))
    found, _ = flow(LitRecurrent(net, loss=CrossEntropy()).eval(), samples)
    hidden, _ = unrolled(net, samples.x)
    loss = nn.functional.cross_entropy(net.head(hidden[-1]), samples.y[:, -1], reduction="sum")
    gradients = torch.autograd.grad(loss, hidden)
    expected = torch.stack([g.norm(dim=1).mean() for g in gradients])
    torch.testing.assert_close(found.hidden[0], expected)


@pytest.mark.parametrize("readout", ["last", "mean", "max", "every"])
def test_padding_is_left_out_and_samples_end_together(readout: str) -> None:
    net = LSTM(F, 2, hidden_size=H, readout=readout, num_layers=2, dropout=0.3).eval()
    module = LitRecurrent(net, loss=MSE()).eval()
    lengths = torch.tensor([4, 7])
    x, y = torch.randn(2, T, F), torch.randn(2, 2)
    if readout == "every":
        y = torch.randn(2, T, 2)
        mask = torch.arange(T) < lengths[:, None]
        together = Samples(x, y, lengths, mask)
    else:
        together = Samples(x, y, lengths)
    found, _ = flow(module, together)
    alone = []
    for index, length in enumerate(lengths.tolist()):
        target = y[index : index + 1, :length] if readout == "every" else y[index : index + 1]
        alone.append(flow(module, Samples(x[index : index + 1, :length], target))[0])
    for layer in (0, 1):
        short, long = (one.hidden[layer] for one in alone)
        torch.testing.assert_close(found.hidden[layer][:3], long[:3])
        torch.testing.assert_close(found.hidden[layer][3:], (short + long[3:]) / 2)


@pytest.mark.parametrize("kind", [RNN, GRU, LSTM])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("padded", [False, True])
def test_step_by_step_the_net_gives_what_it_always_gives(
    kind: Any, layers: int, padded: bool
) -> None:
    net = kind(9, 2, hidden_size=H, num_layers=layers, embedding=F, dropout=0.4).eval()
    x = torch.randint(9, (B, T))
    lengths = torch.tensor([7, 2, 5, 1, 6]) if padded else None
    first = net(x, None, torch.full((B,), T) if padded else None)
    expected = net(x, first.state, lengths)
    with by_steps(net.recurrent) as traces:
        found = net(x, first.state, lengths)
    torch.testing.assert_close(found, expected)
    assert len(traces) == layers and len(traces[0].hidden) == T
    assert "forward" not in vars(net.recurrent)


def test_layers_that_want_the_time_first_are_read_so() -> None:
    net = nn.GRU(F, H, num_layers=2)
    x = torch.randn(T, B, F)
    expected = net(x)
    with by_steps(net) as traces:
        found = net(x)
    torch.testing.assert_close(found, expected)
    assert traces[0].x.shape == (B, T, F)


@pytest.mark.parametrize("layer", [0, 1])
def test_the_gates_of_an_lstm_make_its_cells(layer: int) -> None:
    net = LSTM(F, 2, hidden_size=H, num_layers=2).eval()
    for parameter in net.parameters():
        nn.init.normal_(parameter)
    with by_steps(net.recurrent) as traces:
        net(torch.randn(B, T, F))
    trace = traces[layer]
    found = gates(net.recurrent, layer, trace)
    w, u, b, c = (
        getattr(net.recurrent, f"{name}_l{layer}").split(H)[2]
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    before_h, before_c = torch.zeros(B, H), torch.zeros(B, H)
    for t in range(T):
        i, f, o = (found[name][:, t] for name in ("input", "forget", "output"))
        g = torch.tanh(trace.x[:, t] @ w.T + b + before_h @ u.T + c)
        torch.testing.assert_close(trace.cells[t], f * before_c + i * g)
        torch.testing.assert_close(trace.hidden[t], o * torch.tanh(trace.cells[t]))
        before_h, before_c = trace.hidden[t], trace.cells[t]


def test_the_gates_of_a_gru_make_its_states() -> None:
    net = GRU(F, 2, hidden_size=H).eval()
    for parameter in net.parameters():
        nn.init.normal_(parameter)
    with by_steps(net.recurrent) as traces:
        net(torch.randn(B, T, F))
    [trace] = traces
    found = gates(net.recurrent, 0, trace)
    layers: Any = net.recurrent
    w, u = layers.weight_ih_l0.split(H)[2], layers.weight_hh_l0.split(H)[2]
    b, c = layers.bias_ih_l0.split(H)[2], layers.bias_hh_l0.split(H)[2]
    before = torch.zeros(B, H)
    for t in range(T):
        r, z = found["reset"][:, t], found["update"][:, t]
        n = torch.tanh(trace.x[:, t] @ w.T + b + r * (before @ u.T + c))
        torch.testing.assert_close(trace.hidden[t], (1 - z) * n + z * before)
        before = trace.hidden[t]


def test_a_mean_over_samples_that_end_together() -> None:
    norms = torch.tensor([[1.0, 10.0], [2.0, 20.0], [9.0, 30.0]])  # 9 is padding
    found = over_samples(norms, torch.tensor([2, 3]))
    assert found.tolist() == [10.0, (1 + 20) / 2, (2 + 30) / 2]


def test_the_last_step_is_that_of_the_mask() -> None:
    from zoo.lit.base import Prediction

    prediction, target = torch.randn(2, 4, 3), torch.randn(2, 4, 3)
    mask = torch.tensor([[True, True, False, False], [True, True, True, True]])
    result = Prediction(None, prediction, target, mask)
    last = at_the_end(result, Samples(torch.zeros(2, 4, 1), target, None, mask))
    assert torch.equal(last.prediction[:, 0], torch.stack([prediction[0, 1], prediction[1, 3]]))
    assert torch.equal(last.target[:, 0], torch.stack([target[0, 1], target[1, 3]]))
    assert last.mask is None


def test_what_reads_backwards_is_not_drawn() -> None:
    assert recurrent_layers(LSTM(F, 2, hidden_size=H, bidirectional=True)) is None
    assert recurrent_layers(nn.LSTM(F, H, proj_size=2)) is None
    assert recurrent_layers(nn.Linear(2, 2)) is None
    net = GRU(F, 2, hidden_size=H)
    assert recurrent_layers(net) is net.recurrent


@pytest.fixture
def adding(staged: Callable[..., Any]) -> Callable[..., Any]:
    """A function (net, moment) -> a scene of a net on the adding problem."""
    from zoo.data import Adding

    def make(net: nn.Module, moment: str) -> Any:
        data = Adding(length=12, train_size=8, val_size=8, test_size=8)
        return staged(LitRecurrent(net, loss=MSE()), data, moment)

    return make


def test_the_pictures_show_the_untrained_net_first_and_beside_the_trained_one(
    adding: Callable[..., Any],
) -> None:
    net = LSTM(2, 1, hidden_size=H)
    norm, open_ = GradientNorm(samples=4), Gates(samples=4)
    images = []
    for moment in ("start", "end"):
        scene, events = adding(net, moment)
        for picture in (norm, open_):
            assert picture.suits(scene)
            picture.draw(scene)
        assert set(events.values) == {"memory/gradient_norm", "memory/gates"}
        images.append(events.pixels("memory/gradient_norm"))
    assert images[0].shape != images[1].shape or not np.array_equal(*images)
    assert [len(line) for line in norm.untrained] == [12, 12]  # h and c
    assert [len(line) for line in open_.untrained] == [12, 12, 12]
    assert set(scene.trainer.callback_metrics) == {
        f"memory/gradient_{name}" for name in ("first", "middle", "last")
    }
    again = GradientNorm(samples=4)
    again.load_state_dict(norm.state_dict())
    assert again.untrained == norm.untrained


def test_an_rnn_has_no_gates(adding: Callable[..., Any]) -> None:
    scene, _ = adding(RNN(2, 1, hidden_size=H), "end")
    assert GradientNorm().suits(scene) and not Gates().suits(scene)


def test_a_net_that_forgets_loses_its_gradient_and_one_that_copies_keeps_it(
    adding: Callable[..., Any],
) -> None:
    """U = u I and no input: d h_T / d h_t is u^(T-t) in every direction, for small h."""
    found = {}
    for u in (0.5, 1.0):
        net = RNN(2, 1, hidden_size=H, activation="relu", recurrent_init="identity")
        with torch.no_grad():
            layers: Any = net.recurrent
            layers.weight_hh_l0.mul_(u)
            layers.weight_ih_l0.zero_()
            layers.bias_ih_l0.fill_(1.0)
        scene, _ = adding(net, "end")
        GradientNorm(samples=4).draw(scene)
        values = scene.trainer.callback_metrics
        found[u] = float(values["memory/gradient_first"] / values["memory/gradient_last"])
    assert found[1.0] == pytest.approx(1)
    assert found[0.5] == pytest.approx(0.5**11, rel=1e-5)


def test_a_net_of_another_precision_is_drawn(staged: Callable[..., Any]) -> None:
    from zoo.data import Adding

    data = Adding(length=6, train_size=8, val_size=8, test_size=8)
    found = []
    for kind in (torch.float32, torch.float64):
        torch.manual_seed(0)
        module = LitRecurrent(GRU(2, 1, hidden_size=H), loss=MSE()).to(kind)
        scene, _ = staged(module, data)
        GradientNorm().draw(scene)
        found.append([float(v) for v in scene.trainer.callback_metrics.values()])
    assert found[0] == pytest.approx(found[1], rel=1e-4)
