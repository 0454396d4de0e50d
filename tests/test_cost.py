"""What a net costs, against arithmetic by hand."""

import time

import pytest
import torch
from torch import nn

from zoo import cost
from zoo.models import CNN, FNN, GRU, LSTM, RNN, VAE, Autoencoder, ConvAutoencoder, LeNet5

GATES = {RNN: 1, GRU: 3, LSTM: 4}  # matrices of input and state


@pytest.mark.parametrize("cell", GATES)
@pytest.mark.parametrize("steps", [1, 3, 7, 1000])
def test_flops_of_recurrent_layers_are_the_closed_form(cell: type[nn.Module], steps: int) -> None:
    features, units, outputs = 5, 11, 3
    net = cell(features, outputs, hidden_size=units)
    step = GATES[cell] * units * (features + units)
    assert cost.flops(net, torch.zeros(8, steps, features)) == 2 * (steps * step + units * outputs)


@pytest.mark.parametrize("cell", GATES)
def test_flops_of_two_layers_that_read_both_ways(cell: type[nn.Module]) -> None:
    features, units, outputs, steps = 5, 11, 3, 20
    net = cell(
        features, outputs, hidden_size=units, num_layers=2, bidirectional=True, readout="every"
    )
    first, second = features + units, 2 * units + units
    step = 2 * GATES[cell] * units * (first + second) + 2 * units * outputs
    assert cost.flops(net, torch.zeros(1, steps, features)) == 2 * steps * step


def test_flops_of_tokens() -> None:
    net = GRU(50, 50, hidden_size=6, embedding=4, readout="every")
    step = 3 * 6 * (4 + 6) + 6 * 50  # looking up an embedding is no operation
    assert cost.flops(net, torch.zeros(2, 9, dtype=torch.int64)) == 2 * 9 * step


def test_flops_of_dense_layers_and_convolutions() -> None:
    assert cost.flops(FNN(64, 10, hidden=[30, 20]), torch.zeros(3, 64)) == 2 * (
        64 * 30 + 30 * 20 + 20 * 10
    )
    assert cost.flops(Autoencoder(64, 8, hidden=[30]), torch.zeros(1, 64)) == 4 * (64 * 30 + 30 * 8)
    assert cost.flops(VAE(64, 8, hidden=[30]), torch.zeros(1, 64)) == 2 * (
        64 * 30 + 30 * 16 + 8 * 30 + 30 * 64
    )
    net = CNN((1, 8, 8), 10, channels=[3, 5])
    layers = 64 * 9 * 3 + 16 * 9 * 3 * 5 + 5 * 10  # at 8 x 8, after pooling at 4 x 4
    assert cost.flops(net, torch.zeros(2, 1, 8, 8)) == 2 * layers
    # LeCun 1998, figure 2: maps of 28 x 28, 10 x 10 and 1 x 1, all connected to all.
    layers = 28**2 * 25 * 6 + 10**2 * 25 * 6 * 16 + 25 * 16 * 120 + 120 * 84 + 84 * 10
    assert cost.flops(LeNet5((1, 28, 28), 10), torch.zeros(1, 1, 28, 28)) == 2 * layers


def test_parameters_count_what_is_learned_once() -> None:
    net = Autoencoder(6, 2, hidden=[4], tied=True)
    assert cost.parameters(net) == 6 * 4 + 4 * 2 + (4 + 2) + (4 + 6)
    net.decoder.requires_grad_(False)  # the weights are the encoder's, too
    assert cost.parameters(net) == 4 + 2


def test_counting_and_timing_leave_the_net_as_it_was() -> None:
    net = ConvAutoencoder((1, 8, 8), 4).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    net.decoder.eval()
    state = torch.get_rng_state()
    x = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    cost.flops(net, x)
    cost.seconds_of(net, x, budget=0.0)
    assert torch.equal(state, torch.get_rng_state())
    assert net.training and net.encoder.training and not net.decoder.training
    after = net.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_seconds_are_the_median() -> None:
    waits = iter([0.05, 0.0, 0.01, 0.05])  # the first allocates, and does not count

    class Slow(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            time.sleep(next(waits))
            return x

    assert 0.01 <= cost.seconds_of(Slow(), torch.zeros(1), budget=0.0) < 0.05


def test_the_peak_is_that_since_it_was_forgotten() -> None:
    def peak_with(megabytes: int) -> int:
        cost.forget_peak(torch.device("cpu"))
        block = torch.ones(megabytes, 250_000)  # float32
        assert block.sum() == megabytes * 250_000
        del block
        return cost.peak_memory(torch.device("cpu"))

    small, large, again = (peak_with(megabytes) for megabytes in (1, 200, 1))
    assert 150e6 < large - small < 260e6
    assert again < large - 100e6
