"""The comparison that decides whether a file is kept."""

import pytest
import torch
from torch import Tensor, nn

from zoo.exports.parity import check, parity, sizes_of
from zoo.exports.signature import Answers, ExportError, signature_of
from zoo.models import CNN, FNN, GRU

NET = FNN(4, 2, hidden=[]).eval()
SIGNATURE = signature_of(NET)


class Off(nn.Module):
    """A net whose output is off by something."""

    def __init__(self, net: nn.Module, by: float, *, only_at: int | None = None) -> None:
        super().__init__()
        self.net, self.by, self.only_at = net, by, only_at

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (self.net(x) + (self.by if self.only_at in (None, len(x)) else 0),)


def test_the_same_net_is_off_by_nothing() -> None:
    found = parity(Answers(NET, SIGNATURE), Answers(NET, SIGNATURE), SIGNATURE)
    assert found.error == 0
    check(found, 0.0)


def test_says_how_far_off_and_where() -> None:
    found = parity(Answers(NET, SIGNATURE), Off(NET, 0.25, only_at=5), SIGNATURE)
    assert found.absolute == pytest.approx(0.25)
    assert "at batch 5" in found.where
    with pytest.raises(ExportError, match=r"off by 0\.25 in output at batch 5, .* tolerance=1e-05"):
        check(found, 1e-5)


def test_small_outputs_are_compared_as_they_are() -> None:
    net = FNN(4, 2, hidden=[], init="zeros").eval()
    found = parity(Answers(net, SIGNATURE), Off(net, 2e-5), SIGNATURE)
    assert found.error == pytest.approx(2e-5)
    with pytest.raises(ExportError):
        check(found, 1e-5)


def test_large_outputs_are_compared_by_their_digits() -> None:
    net = FNN(4, 2, hidden=[], init="zeros").eval()
    net.head.bias.data.fill_(1000.0)
    found = parity(Answers(net, SIGNATURE), Off(net, 0.5), SIGNATURE)
    assert found.error == pytest.approx(0.0005)
    assert (found.absolute, found.largest) == (0.5, 1000)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_infinitely_far_off(value: float) -> None:
    found = parity(Answers(NET, SIGNATURE), Off(NET, value), SIGNATURE)
    assert found.error == float("inf")


def test_a_net_that_overflows_is_said_to() -> None:
    net = FNN(4, 2, hidden=[]).eval()
    net.head.weight.data.fill_(1e38)
    net.head.bias.data.fill_(3e38)
    with pytest.raises(ExportError, match="the net itself gives output that are not finite"):
        parity(Answers(net, SIGNATURE), Answers(NET, SIGNATURE), SIGNATURE)


def test_other_shapes_are_refused() -> None:
    other = FNN(4, 3, hidden=[]).eval()
    with pytest.raises(ExportError, match=r"output of shape \(3, 3\) at batch 3, the net \(3, 2\)"):
        parity(Answers(NET, SIGNATURE), Answers(other, SIGNATURE), SIGNATURE)


def test_failures_are_told_with_the_sizes() -> None:
    class Fixed(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor]:
            return (NET(x.reshape(3, 4)),)

    with pytest.raises(ExportError, match="the export fails at batch 1: shape"):
        parity(Answers(NET, SIGNATURE), Fixed(), SIGNATURE)


def test_sizes_are_others_than_the_traced_ones() -> None:
    signature = signature_of(GRU(3, 2))
    traced, *others = sizes_of(signature)
    assert traced == {"batch": 3, "length": 7}
    assert {s["batch"] for s in others} >= {1, 2, 5}
    assert min(s["length"] for s in others) == 1
    assert max(s["length"] for s in others) > 4 * traced["length"]
    image = list(sizes_of(signature_of(CNN([1, 8, 8], 2))))
    assert len({s["height"] for s in image}) == len(image)
    assert all(torch.tensor(s["height"]) >= 8 for s in image)
