"""Truncation and carried states, against the recurrence written out and against one long run."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from zoo.data import Batch, Split
from zoo.lit import LitRecurrent
from zoo.losses import MSE
from zoo.models import GRU, LSTM, RNN

SGD = partial(torch.optim.SGD, lr=0.1)
CELLS = {"rnn": RNN, "gru": GRU, "lstm": LSTM}


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def written_out(net: RNN, x: Tensor, cut: int | None) -> Tensor:
    """Outputs (B, T, K) of a tanh RNN; every `cut` steps the state forgets its history."""
    cell = net.recurrent
    h = torch.zeros(len(x), cell.hidden_size)
    outputs = []
    for t in range(x.shape[1]):
        if cut and t % cut == 0:
            h = h.detach()
        drive = x[:, t] @ cell.weight_ih_l0.T + cell.bias_ih_l0
        h = torch.tanh(drive + h @ cell.weight_hh_l0.T + cell.bias_hh_l0)
        outputs.append(h @ net.head.weight.T + net.head.bias)
    return torch.stack(outputs, dim=1)


@pytest.mark.parametrize("cut", [2, 4, 100, None])  # pieces of one length, of two, one piece
@pytest.mark.parametrize("readout", ["last", "every"])
def test_truncated_gradients_are_those_of_detached_states(cut: int | None, readout: str) -> None:
    net = RNN(2, 1, hidden_size=3, readout=readout)
    x = torch.randn(4, 6, 2)
    y = torch.randn(4, 6, 1) if readout == "every" else torch.randn(4, 1)
    LitRecurrent(net, loss=MSE(), truncate=cut).training_step(Batch(x, y), 0).backward()
    outputs = written_out(net, x, cut)
    error = (outputs if readout == "every" else outputs[:, -1]) - y
    expected = torch.autograd.grad(error.square().mean(), list(net.parameters()))
    for (name, p), gradient in zip(net.named_parameters(), expected, strict=True):
        torch.testing.assert_close(p.grad, gradient, msg=lambda m, n=name: f"{n}: {m}")


def test_truncation_does_cut() -> None:
    net = RNN(2, 1, hidden_size=3)
    x, y = torch.randn(4, 6, 2), torch.randn(4, 1)

    def gradient(cut: int | None) -> Tensor:
        net.zero_grad()
        LitRecurrent(net, loss=MSE(), truncate=cut).training_step(Batch(x, y), 0).backward()
        return net.recurrent.weight_hh_l0.grad.clone()

    assert not torch.allclose(gradient(2), gradient(None))


@pytest.mark.parametrize("cell", ["gru", "lstm"])  # a state of one tensor, and of two
@pytest.mark.parametrize("readout", ["last", "every", "mean", "max"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_truncation_changes_gradients_and_never_values(
    cell: str, readout: str, bidirectional: bool
) -> None:
    """What cannot be read in pieces is refused instead."""
    net = CELLS[cell](2, 1, hidden_size=3, readout=readout, bidirectional=bidirectional)
    batch = Batch(torch.randn(4, 6, 2), torch.zeros(4, 1))
    try:
        result = LitRecurrent(net, loss=MSE(), truncate=4).train().predict(batch)
    except ValueError as error:
        assert "truncate" in str(error)
        assert bidirectional or readout in ("mean", "max")
        return
    whole = net(batch.x)
    torch.testing.assert_close(result.prediction, whole.output)
    torch.testing.assert_close(result.output.hidden, whole.hidden)
    torch.testing.assert_close(result.output.state, whole.state)


def test_validation_reads_the_whole_sequence() -> None:
    net = GRU(2, 1, hidden_size=3)
    batch = Batch(torch.randn(4, 6, 2), torch.zeros(4, 1))
    result = LitRecurrent(net, loss=MSE(), truncate=1).eval().predict(batch)
    torch.testing.assert_close(result.prediction, net(batch.x).output, rtol=0, atol=0)


def test_padding_cannot_be_truncated() -> None:
    batch = Batch(torch.randn(2, 6, 2), torch.zeros(2, 1), torch.tensor([6, 3]))
    module = LitRecurrent(RNN(2, 1, hidden_size=3), loss=MSE(), truncate=2)
    with pytest.raises(ValueError, match="truncate"):
        module.training_step(batch, 0)


@pytest.mark.parametrize("truncate", [0, -3])
def test_truncation_must_leave_a_step(truncate: int) -> None:
    with pytest.raises(ValueError, match="`truncate` must be"):
        LitRecurrent(RNN(2, 1), loss=MSE(), truncate=truncate)


def test_padding_is_read_by_length() -> None:
    net = LSTM(2, 1, hidden_size=3)
    x = torch.randn(2, 6, 2)
    batch = Batch(x, torch.zeros(2, 1), torch.tensor([6, 2]))
    result = LitRecurrent(net, loss=MSE()).eval().predict(batch)
    torch.testing.assert_close(result.prediction[1:], net(x[1:, :2]).output)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("training", [False, True])
def test_a_stream_in_batches_is_one_long_run(cell: str, training: bool) -> None:
    net = CELLS[cell](2, 1, hidden_size=3, num_layers=2, readout="every")
    module = LitRecurrent(net, loss=MSE(), carry_state=True).train(training)
    stream = torch.randn(4, 9, 2)
    parts = [module.predict(Batch(part, part)) for part in stream.split([4, 2, 3], dim=1)]
    torch.testing.assert_close(torch.cat([p.prediction for p in parts], dim=1), net(stream).output)


def test_without_carrying_batches_are_strangers() -> None:
    net = GRU(2, 1, hidden_size=3)
    module = LitRecurrent(net, loss=MSE())
    first, second = torch.randn(2, 4, 5, 2)
    module.predict(Batch(first, first))
    result = module.predict(Batch(second, second))
    torch.testing.assert_close(result.prediction, net(second).output, rtol=0, atol=0)


def test_gradients_stop_between_the_batches_of_a_stream() -> None:
    module = LitRecurrent(LSTM(2, 1, hidden_size=3), loss=MSE(), carry_state=True)
    first = torch.randn(4, 5, 2, requires_grad=True)
    second = torch.randn(4, 5, 2, requires_grad=True)
    module.predict(Batch(first, first))
    module.predict(Batch(second, second)).prediction.sum().backward()
    assert first.grad is None
    assert second.grad is not None


def test_an_incomplete_last_batch_of_a_stream_is_understood_or_refused() -> None:
    """Loaders end with fewer samples: those streams go on, or a sentence says what to set."""
    net = GRU(2, 1, hidden_size=3)
    module = LitRecurrent(net, loss=MSE(), carry_state=True).eval()
    first, second = torch.randn(4, 5, 2), torch.randn(3, 5, 2)
    module.predict(Batch(first, first))
    try:
        result = module.predict(Batch(second, second))
    except ValueError as error:
        assert "carry_state" in str(error)
        return
    whole = net(torch.cat([first[:3], second], dim=1))
    torch.testing.assert_close(result.prediction, whole.output)


def test_a_stream_cannot_be_read_backwards() -> None:
    with pytest.raises(ValueError, match="bidirectional"):
        LitRecurrent(GRU(2, 1, bidirectional=True), loss=MSE(), carry_state=True)


def stream(count: int) -> Split:
    return Split(torch.randn(count, 3, 2), torch.randn(count, 1))


def fitted(fit: Callable[..., Any], train: Split, val: Split | None, **flags: Any) -> Tensor:
    torch.manual_seed(1)
    net = RNN(2, 1, hidden_size=3)
    module = LitRecurrent(net, loss=MSE(), carry_state=True, optimizer=SGD)
    fit(module, train, val, batch_size=2, **flags)
    return torch.cat([p.detach().flatten() for p in net.parameters()])


def test_validation_between_batches_leaves_the_training_stream_alone(
    fit: Callable[..., Any],
) -> None:
    train, val = stream(8), stream(4)
    alone = fitted(fit, train, None)
    torch.testing.assert_close(fitted(fit, train, val, val_check_interval=1), alone, rtol=0, atol=0)


def test_training_streams_as_a_loop_written_out(fit: Callable[..., Any]) -> None:
    """Two epochs, each from an empty state; batches of an epoch continue each other."""
    train = stream(6)
    weights = fitted(fit, train, None, max_epochs=2)
    torch.manual_seed(1)
    net = RNN(2, 1, hidden_size=3)
    sgd = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(2):
        state = None
        for x, y in zip(train.x.split(2), train.y.split(2), strict=True):
            result = net(x, state)
            state = result.state.detach()
            sgd.zero_grad()
            (result.output - y).square().mean().backward()
            sgd.step()
    expected = torch.cat([p.detach().flatten() for p in net.parameters()])
    torch.testing.assert_close(weights, expected)
