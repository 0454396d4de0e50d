"""The padding law: what lies beyond a sample's length, and who shares its batch, has no say."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from zoo.models import LSTM

Build = Callable[..., nn.Module]


def loss_of(output: Tensor, sample: int, steps: int, readout: str) -> Tensor:
    own = output[sample, :steps] if readout == "every" else output[sample]
    return (own * torch.linspace(-1, 1, own.shape[-1])).sum() + own.square().mean()


def learned(net: nn.Module, x: Tensor, sample: int, steps: int, lengths: Tensor | None) -> list:
    """Everything that one sample of a batch gives: output, loss, states, gradients."""
    net.zero_grad()
    x = x.clone().requires_grad_()
    output, state, hidden = net(x, lengths=lengths)
    loss = loss_of(output, sample, steps, net.readout)
    loss.backward()
    assert x.grad is not None
    assert x.grad[sample, steps:].count_nonzero() == 0
    assert hidden[sample, steps:].count_nonzero() == 0
    own = output[sample, :steps] if net.readout == "every" else output[sample]
    states = [part[:, sample] for part in (state if isinstance(state, tuple) else [state])]
    gradients = [p.grad.clone() for p in net.parameters()]
    return [own, loss, hidden[sample, :steps], *states, x.grad[sample, :steps], *gradients]


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-13)])
def test_padding_law(
    randomised: Build,
    num_layers: int,
    bidirectional: bool,
    readout: str,
    dtype: torch.dtype,
    tolerance: float,
) -> None:
    torch.manual_seed(0)
    net = randomised(
        3, 4, hidden_size=5, num_layers=num_layers, bidirectional=bidirectional, readout=readout
    ).to(dtype)
    for steps in (1, 5):
        sample = torch.randn(1, steps, 3, dtype=dtype)
        alone = learned(net, sample, 0, steps, None)
        for length, mates in ((steps, [1]), (steps + 1, []), (9, [9, 1, 4])):
            x = torch.randn(1 + len(mates), length, 3, dtype=dtype)
            x[-1] = 100  # the padding is loud
            x[-1, :steps] = sample[0]
            lengths = torch.tensor([*mates, steps])
            again = learned(net, x, len(mates), steps, lengths)
            for one, other in zip(alone, again, strict=True):
                # Rounding grows with a tensor's largest element, as in a relu net's gradients.
                scale = max(1.0, one.abs().max().item())
                torch.testing.assert_close(other, one, atol=tolerance * scale, rtol=0)


def test_padding_law_for_tokens(build: Build) -> None:
    torch.manual_seed(0)
    net = build(7, 2, hidden_size=5, embedding=4)
    gradients = []
    for padding in (0, 6):
        tokens = torch.tensor([[1, 2, 3], [4, padding, padding]])
        net.zero_grad()
        net(tokens, lengths=torch.tensor([3, 1])).output[1].sum().backward()
        gradients.append([p.grad.clone() for p in net.parameters()])
        assert net.embed.weight.grad.abs().sum(1).nonzero().flatten().tolist() == [4]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)


def test_not_even_nan_in_the_padding_reaches_a_result(readout: str) -> None:
    x, lengths = torch.randn(2, 5, 3), torch.tensor([5, 2])
    x[1, 2:] = math.nan
    result = LSTM(3, 2, hidden_size=4, readout=readout)(x, lengths=lengths)
    assert all(part.isfinite().all() for part in (result.output, result.hidden, *result.state))
