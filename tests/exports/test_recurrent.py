"""Recurrent nets without packing, against packing."""

import pytest
import torch
from torch import nn

from zoo.exports.recurrent import OPERATORS, ProgramRecurrent, ordered
from zoo.exports.signature import signature_of
from zoo.models import RNN

SIZES = [(1, 1), (4, 9), (6, 3)]


@torch.no_grad()
def test_equals_packing(sequence_net: nn.Module) -> None:
    signature, unpacked = signature_of(sequence_net), ProgramRecurrent(sequence_net)
    for seed, (batch, length) in enumerate(SIZES):
        x, *lengths = signature.example({"batch": batch, "length": length}, seed=seed)
        net = sequence_net(x, lengths=lengths[0] if lengths else None)
        torch.testing.assert_close(unpacked(x, *lengths)[0], net.output, atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_without_lengths_all_steps_count(sequence_net: nn.Module) -> None:
    signature = signature_of(sequence_net, lengths=False)
    (x,) = signature.example({"batch": 3, "length": 8})
    output = ProgramRecurrent(sequence_net)(x)[0]
    torch.testing.assert_close(output, sequence_net(x).output, atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_what_lies_beyond_the_length_has_no_influence() -> None:
    net = RNN(3, 2, hidden_size=4, num_layers=2, bidirectional=True, readout="mean").eval()
    x, lengths = torch.randn(2, 5, 3), torch.tensor([5, 2])
    before = ProgramRecurrent(net)(x, lengths)[0]
    x[1, 2:] = 1000
    assert torch.equal(ProgramRecurrent(net)(x, lengths)[0], before)


def test_gates_in_the_order_of_onnx() -> None:
    torch_order = torch.tensor([10, 11, 20, 21, 30, 31, 40, 41])  # i f g o, two units each
    assert ordered(torch_order, OPERATORS["LSTM"][1]).tolist() == [10, 11, 40, 41, 20, 21, 30, 31]
    gru = torch.tensor([1, 2, 3])  # r z n
    assert ordered(gru, OPERATORS["GRU"][1]).tolist() == [2, 1, 3]


@pytest.mark.parametrize("mode", OPERATORS)
def test_the_stand_in_has_the_shapes_of_torchs_layer(mode: str) -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    from zoo.exports.recurrent import stand_in

    x, state = torch.randn(2, 5, 3), torch.zeros(1, 2, 4)
    gates = {"LSTM": 4, "GRU": 3}.get(mode, 1)
    weights = [torch.randn(4 * gates, size) for size in (3, 4)]
    weights += [torch.randn(4 * gates) for _ in range(2)]
    arguments = (True, 1, 0.0, False, False, True)

    def run(
        x: torch.Tensor, state: torch.Tensor, weights: list[torch.Tensor]
    ) -> list[tuple[int, ...]]:
        states = [state, state] if mode == "LSTM" else state
        return [tuple(y.shape) for y in stand_in(mode)(x, states, weights, *arguments)]

    with FakeTensorMode() as fake:
        pretended = run(
            fake.from_tensor(x), fake.from_tensor(state), [fake.from_tensor(w) for w in weights]
        )
    assert pretended == run(x, state, weights)
