"""The recurrent nets against their equations written out."""

import math
import warnings
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from zoo.models import GRU, LSTM, RNN, Recurrence

Build = Callable[..., nn.Module]


def first(state: Tensor | tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
    return state if isinstance(state, tuple) else (state,)


# The equations


def step(cell: str, x: Tensor, h: Tensor, c: Tensor, p: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """One step of one sample: x (F), h (H), c (H)."""
    w, b = p["weight_ih"] @ x, p["bias_ih"]
    u, d = p["weight_hh"] @ h, p["bias_hh"]
    if cell == "rnn":
        return torch.tanh(w + b + u + d), c
    if cell == "irnn":
        return (w + b + u + d).clamp(min=0), c
    size = len(h)
    gates = [slice(k * size, (k + 1) * size) for k in range(4)]
    if cell == "gru":
        reset, update, new, _ = gates
        r = torch.sigmoid((w + b + u + d)[reset])
        z = torch.sigmoid((w + b + u + d)[update])
        n = torch.tanh((w + b)[new] + r * (u + d)[new])
        return (1 - z) * n + z * h, c
    i, f, g, o = ((w + b + u + d)[gate] for gate in gates)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def run_layer(cell: str, xs: list[Tensor], p: dict[str, Tensor], size: int) -> list[Tensor]:
    h, c, hs = torch.zeros(size), torch.zeros(size), []
    for x in xs:
        h, c = step(cell, x, h, c, p)
        hs.append(h)
    return hs


@torch.no_grad()
def test_hidden_states_equal_the_equations(
    cell: str, randomised: Build, num_layers: int, bidirectional: bool
) -> None:
    torch.manual_seed(0)
    net = randomised(3, 2, hidden_size=4, num_layers=num_layers, bidirectional=bidirectional)
    x = torch.randn(6, 3)
    hs = list(x)
    for layer in range(num_layers):
        tracks = []
        for suffix in ("", "_reverse") if bidirectional else ("",):
            p = {
                name: getattr(net.recurrent, f"{name}_l{layer}{suffix}")
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            }
            order = -1 if suffix else 1
            tracks.append(run_layer(cell, hs[::order], p, 4)[::order])
        hs = [torch.cat(states) for states in zip(*tracks, strict=True)]
    output, state, hidden = net(x[None])
    torch.testing.assert_close(hidden[0], torch.stack(hs))
    last = torch.cat([hs[-1][:4], hs[0][4:]])  # backwards the first step is the last one
    torch.testing.assert_close(output[0], net.head.weight @ last + net.head.bias)
    directions = 2 if bidirectional else 1
    for part in first(state):
        assert part.shape == (num_layers * directions, 1, 4)
    torch.testing.assert_close(first(state)[0][-directions:].flatten(), last)


@torch.no_grad()
def test_readouts_from_the_hidden_states(build: Build, readout: str) -> None:
    x, lengths = torch.randn(3, 5, 4), torch.tensor([5, 1, 3])
    net = build(4, 2, hidden_size=6, readout=readout)
    for given in (None, lengths):
        output, _, hidden = net(x, lengths=given)
        for i, steps in enumerate([5, 5, 5] if given is None else lengths.tolist()):
            h = hidden[i, :steps]
            seen = {"last": h[-1], "mean": h.sum(0) / steps, "max": h.max(0).values, "every": h}
            expected = seen[readout] @ net.head.weight.T + net.head.bias
            actual = output[i, :steps] if readout == "every" else output[i]
            torch.testing.assert_close(actual, expected)


# State in and out


@torch.no_grad()
def test_chunks_with_carried_state_equal_one_run(
    build: Build, num_layers: int, readout: str
) -> None:
    torch.manual_seed(0)
    net = build(3, 2, hidden_size=5, num_layers=num_layers, readout=readout)
    x = torch.randn(4, 11, 3)
    whole, state, hidden, outputs = net(x), None, [], []
    for chunk in x.split([1, 4, 6], dim=1):
        output, state, h = net(chunk, state)
        hidden.append(h)
        outputs.append(output)
    torch.testing.assert_close(torch.cat(hidden, dim=1), whole.hidden)
    for carried, once in zip(first(state), first(whole.state), strict=True):
        torch.testing.assert_close(carried, once)
    if readout == "last":
        torch.testing.assert_close(outputs[-1], whole.output)
    if readout == "every":
        torch.testing.assert_close(torch.cat(outputs, dim=1), whole.output)


@torch.no_grad()
def test_state_with_lengths_goes_on_where_each_sample_ended(build: Build) -> None:
    torch.manual_seed(0)
    net = build(3, 2, hidden_size=5, num_layers=2)
    begin, end = torch.randn(3, 4, 3), torch.randn(3, 5, 3)
    begins, ends = torch.tensor([2, 4, 1]), torch.tensor([5, 1, 3])
    state = net(begin, lengths=begins).state
    output, state, _ = net(end, state, ends)
    for i in range(3):
        whole = net(torch.cat([begin[i, : begins[i]], end[i, : ends[i]]])[None])
        torch.testing.assert_close(output[i], whole.output[0])
        for carried, once in zip(first(state), first(whole.state), strict=True):
            torch.testing.assert_close(carried[:, i], once[:, 0])


# Initial weights


def test_forget_bias_counts_once(bidirectional: bool) -> None:
    net = LSTM(3, 2, hidden_size=4, num_layers=2, bidirectional=bidirectional, forget_bias=1.5)
    expected = torch.tensor([0.0] * 4 + [1.5] * 4 + [0.0] * 8)
    suffixes = ("_l0", "_l1", "_l0_reverse", "_l1_reverse")[: 4 if bidirectional else 2]
    for suffix in suffixes:
        ih, hh = (getattr(net.recurrent, f"bias_{kind}{suffix}") for kind in ("ih", "hh"))
        torch.testing.assert_close(ih + hh, expected)
        assert hh.count_nonzero() == 0


def test_the_irnn_starts_as_a_sum_over_time() -> None:
    net = RNN(3, 2, hidden_size=4, activation="relu", recurrent_init="identity")
    with torch.no_grad():
        net.recurrent.weight_ih_l0.abs_()
    x = torch.rand(2, 50, 3)
    projected = x @ net.recurrent.weight_ih_l0.T
    torch.testing.assert_close(net(x).hidden, projected.cumsum(dim=1))


@pytest.mark.parametrize(("cell", "gates"), [("rnn", 1), ("gru", 3), ("lstm", 4)])
def test_each_gate_is_initialised_by_itself(build: Build, gates: int) -> None:
    torch.manual_seed(0)
    size, width = 200, 300
    for init in ("orthogonal", "identity", "uniform"):
        net = build(width, 2, hidden_size=size, recurrent_init=init)
        recurrent = net.recurrent.weight_hh_l0.view(gates, size, size)
        for w in net.recurrent.weight_ih_l0.view(gates, size, width):
            assert w.std().item() == pytest.approx(math.sqrt(2 / (size + width)), rel=0.02)
        for u in recurrent:
            if init == "uniform":
                assert 0.99 / math.sqrt(size) < u.abs().max() <= 1 / math.sqrt(size)
            else:
                product = u if init == "identity" else u @ u.T
                torch.testing.assert_close(product, torch.eye(size), atol=1e-5, rtol=0)


# The rest of the contract


def test_parameter_counts_by_hand(
    cell: str, build: Build, num_layers: int, bidirectional: bool
) -> None:
    build = partial(build, hidden_size=5, num_layers=num_layers, bidirectional=bidirectional)
    gates, directions = {"rnn": 1, "irnn": 1, "gru": 3, "lstm": 4}[cell], 2 if bidirectional else 1
    widths = [3, 5 * directions][:num_layers]
    recurrent = sum(directions * gates * 5 * (width + 5 + 2) for width in widths)
    head = (5 * directions + 1) * 2
    with torch.device("meta"):
        assert sum(p.numel() for p in build(3, 2).parameters()) == recurrent + head
        tokens = build(9, 2, embedding=3)
    assert sum(p.numel() for p in tokens.parameters()) == 9 * 3 + recurrent + head


def test_an_embedding_starts_as_wide_as_asked(build: Build) -> None:
    torch.manual_seed(0)
    for std in (0.1, 1.0):
        weight = build(200, 2, embedding=50, embedding_std=std).embed.weight
        # Of 10,000 draws the deviation is off by 0.7 %, the mean by 1 % of it.
        assert weight.std().item() == pytest.approx(std, rel=0.03)
        assert abs(weight.mean().item()) < 0.04 * std


def test_every_parameter_gets_a_gradient_and_dropout_does_not_warn(build: Build) -> None:
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net = build(3, 2, dropout=0.1)
    net(torch.randn(4, 6, 3)).output.sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def test_dropout_acts_with_one_layer_too_and_only_in_training() -> None:
    torch.manual_seed(0)
    net, x = GRU(3, 2, dropout=0.5), torch.randn(4, 6, 3)
    assert not torch.equal(net(x).output, net(x).output)
    torch.testing.assert_close(net(x).hidden, net(x).hidden)
    net.eval()
    torch.testing.assert_close(net(x).output, net(x).output, atol=0, rtol=0)


def test_shapes_and_names_of_the_result() -> None:
    net = LSTM(3, 2, hidden_size=4, num_layers=2, bidirectional=True, readout="every")
    result = net(torch.randn(5, 6, 3), lengths=torch.tensor([6, 1, 2, 3, 4]))
    assert isinstance(result, Recurrence)
    assert result.output.shape == (5, 6, 2)
    assert result.hidden.shape == (5, 6, 8)
    assert [part.shape for part in result.state] == [(4, 5, 4)] * 2
    short = net(torch.randn(2, 9, 3), lengths=torch.tensor([2, 3]))
    assert short.hidden.shape == (2, 9, 8)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        (torch.tensor([0, 3]), r"in 1\.\.4, got \[0, 3\]"),
        (torch.tensor([5, 3]), r"in 1\.\.4, got \[5, 3\]"),
        (torch.tensor([3]), "2 whole numbers"),
        (torch.tensor([1.0, 2.0]), "2 whole numbers"),
    ],
)
def test_bad_lengths_are_named(lengths: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=f"`lengths` must be {message}"):
        GRU(3, 2)(torch.randn(2, 4, 3), lengths=lengths)


def test_a_wrong_input_size_is_named() -> None:
    with pytest.raises(ValueError, match=r"`x` .* \(B, T, 3\), got \(2, 4, 5\)"):
        RNN(3, 2)(torch.randn(2, 4, 5))
    with pytest.raises(ValueError, match=r"`x` .* \(B, T\), got \(2, 4, 3\)"):
        RNN(3, 2, embedding=4)(torch.randn(2, 4, 3))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("in_features", 0),
        ("out_features", 1.5),
        ("hidden_size", 0),
        ("hidden_size", "64"),
        ("num_layers", 0),
        ("dropout", 1.0),
        ("readout", "first"),
        ("embedding", 0),
        ("embedding_std", 0.0),
        ("recurrent_init", "xavier"),
    ],
)
@pytest.mark.parametrize("build", [RNN, GRU, LSTM])
def test_bad_arguments_are_named(build: Build, name: str, value: object) -> None:
    arguments = {"in_features": 4, "out_features": 2} | {name: value}
    with pytest.raises(ValueError, match=f"`{name}` must be .*, got "):
        build(**arguments)


def test_bad_arguments_of_one_cell_are_named() -> None:
    with pytest.raises(ValueError, match="`activation` must be one of 'tanh', 'relu', got 'elu'"):
        RNN(3, 2, activation="elu")
    for value in (math.nan, "1", None):
        with pytest.raises(ValueError, match="`forget_bias` must be a finite number, got "):
            LSTM(3, 2, forget_bias=value)  # type: ignore[arg-type]


@pytest.mark.parametrize("lengths", [None, torch.tensor([7, 3])])
@pytest.mark.parametrize("build", [RNN, GRU, LSTM])
def test_bfloat16_is_close_to_float32_on_any_processor(
    build: Build, lengths: Tensor | None
) -> None:
    torch.manual_seed(0)
    net, x = build(5, 3, hidden_size=16), torch.randn(2, 7, 5)
    exact = net(x, lengths=lengths)
    with torch.autocast("cpu", torch.bfloat16):
        found = net(x, lengths=lengths)
        again = net(x, found.state)  # the state is of either type
    torch.testing.assert_close(found.output.float(), exact.output, atol=0.03, rtol=0)
    assert again.output.isfinite().all()
    found.output.float().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
