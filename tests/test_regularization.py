"""Penalties against loops over plain numbers, how they watch a net, and what they refuse."""

import copy
import math
import pickle
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from zoo import regularization as reg

X = torch.randn(6, 3, generator=torch.manual_seed(0))


def small_net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Sigmoid(), nn.Linear(4, 2))


class Encoder(nn.Module):
    """A sigmoid encoder and a linear decoder with the same weights."""

    def __init__(self, variational: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(3, 4)
        self.variational = variational

    def encode(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        code = torch.sigmoid(self.linear(x))
        return (code, 2 * code) if self.variational else code

    def forward(self, x: Tensor) -> SimpleNamespace:
        code = torch.sigmoid(self.linear(x))
        return SimpleNamespace(image=code @ self.linear.weight, code=code)


def entries(*tensors: Tensor) -> list[float]:
    return [value for tensor in tensors for value in tensor.flatten().tolist()]


@pytest.mark.parametrize(
    ("penalty", "cost"),
    [
        (reg.L1(0.1), lambda w: 0.1 * abs(w)),
        (reg.L2(0.1), lambda w: 0.1 * w * w),
        (reg.ElasticNet(0.1, 0.25), lambda w: 0.1 * (0.25 * abs(w) + 0.75 * w * w)),
        (reg.ElasticNet(0.1, 1.0), lambda w: 0.1 * abs(w)),
    ],
)
def test_weight_penalties_sum_over_weights_and_nothing_else(penalty, cost) -> None:
    net = small_net()
    expected = sum(cost(w) for w in entries(net[0].weight, net[3].weight))
    value = penalty(net, output=None)
    assert value.item() == pytest.approx(expected)
    value.backward()
    assert all(p.grad is None for p in (net[0].bias, net[3].bias, *net[1].parameters()))


def test_what_counts_as_a_weight() -> None:
    net = nn.ModuleDict(
        {
            "embedding": nn.Embedding(5, 3),
            "lstm": nn.LSTM(3, 4, num_layers=1),
            "conv": nn.Conv2d(1, 2, 3),
            "layer_norm": nn.LayerNorm([2, 3, 3]),  # its scale has three dimensions
            "group_norm": nn.GroupNorm(1, 2),
            "batch_norm": nn.BatchNorm2d(2),
        }
    )
    expected = ["embedding.weight", "lstm.weight_ih_l0", "lstm.weight_hh_l0", "conv.weight"]
    assert [name for name, _ in reg.weights(net)] == expected


def test_tied_weights_count_once() -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    net[1].weight = net[0].weight
    expected = sum(w * w for w in entries(net[0].weight))
    assert reg.L2(1.0)(net, None).item() == pytest.approx(expected)
    assert [len(group["params"]) for group in reg.decay_groups(net)] == [1, 2]


@pytest.mark.parametrize("fused", [False, True])
def test_decay_groups_shrink_weights_and_spare_biases_and_norms(fused: bool) -> None:
    net = small_net()
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    optimizer = torch.optim.AdamW(reg.decay_groups(net), lr=0.1, weight_decay=0.5, fused=fused)
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in net.named_parameters():
        factor = 1 - 0.1 * 0.5 if name in ("0.weight", "3.weight") else 1.0
        torch.testing.assert_close(parameter.detach(), factor * before[name])


def test_decay_groups_hold_every_parameter_once_even_without_weights_or_rest() -> None:
    for net in (small_net(), nn.Linear(2, 2, bias=False), nn.LayerNorm(3)):
        groups = reg.decay_groups(net)
        held = [id(p) for group in groups for p in group["params"]]
        assert sorted(held) == sorted(id(p) for p in net.parameters())
        torch.optim.SGD(groups, lr=0.1, weight_decay=0.1)


@pytest.mark.parametrize("norm", [1, 2])
def test_activity_of_a_code(norm: int) -> None:
    code = torch.tensor([[1.0, -2.0], [3.0, 4.0]])
    norms = ([3.0, 7.0], [math.sqrt(5), 5.0])[norm - 1]
    value = reg.Activity(0.1, norm)(nn.Identity(), SimpleNamespace(code=code))
    assert value.item() == pytest.approx(0.1 * sum(norms) / 2)


def test_activity_of_a_plain_net_is_recorded_from_its_activations() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2))
    penalty = reg.Activity(1.0)
    penalty.attach(net)
    value = penalty(net, net(X))
    first = torch.relu(X @ net[0].weight.T + net[0].bias)
    second = torch.tanh(first @ net[2].weight.T + net[2].bias)
    expected = (sum(map(abs, entries(first))) + sum(map(abs, entries(second)))) / len(X)
    assert value.item() == pytest.approx(expected)
    value.backward()
    assert net[0].weight.grad is not None and net[4].weight.grad is None


def kl_sparsity(rows: list[list[float]], rho: float) -> float:
    total = 0.0
    for unit in zip(*rows, strict=True):
        q = sum(unit) / len(unit)
        total += rho * math.log(rho / q) + (1 - rho) * math.log((1 - rho) / (1 - q))
    return total


def test_kl_sparsity_of_a_code_and_of_recorded_units() -> None:
    code = torch.tensor([[0.1, 0.9], [0.3, 0.5]])
    value = reg.KLSparsity(2.0, rho=0.05)(nn.Identity(), SimpleNamespace(code=code))
    assert value.item() == pytest.approx(2 * kl_sparsity(code.tolist(), 0.05))
    net, penalty = small_net(), reg.KLSparsity(1.0, rho=0.2)
    penalty.attach(net)
    value = penalty(net, net(X))
    assert value.item() == pytest.approx(kl_sparsity(net[:3](X).tolist(), 0.2), rel=1e-5)
    on_target = SimpleNamespace(code=torch.full((4, 2), 0.2))
    assert penalty(net, on_target).item() == pytest.approx(0.0, abs=1e-6)


def test_kl_sparsity_stays_finite_where_a_sigmoid_saturates() -> None:
    code = torch.tensor([[0.0, 1.0]], requires_grad=True)
    value = reg.KLSparsity(1.0)(nn.Identity(), SimpleNamespace(code=code))
    value.backward()
    assert value.isfinite() and code.grad is not None and code.grad.isfinite().all()


@pytest.mark.parametrize("low", [-0.1, 1.5])
def test_kl_sparsity_refuses_activations_that_are_no_probabilities(low: float) -> None:
    code = torch.tensor([[low, 0.5]])
    with pytest.raises(ValueError, match=r"in \(0, 1\).*use a sigmoid"):
        reg.KLSparsity(1.0)(nn.Identity(), SimpleNamespace(code=code))


def test_temporal_activation_is_the_mean_square_of_the_moves() -> None:
    hidden = torch.tensor([[[1.0, 2.0], [2.0, 4.0], [2.0, 1.0]], [[1.0, 1.0], [4.0, 1.0], [0, 0]]])
    moves = [1.0, 2.0, 0.0, -3.0, 3.0, 0.0]  # the second sequence has two steps, then padding
    value = reg.TemporalActivation(0.5)(nn.Identity(), SimpleNamespace(hidden=hidden))
    assert value.item() == pytest.approx(0.5 * sum(m * m for m in moves) / len(moves))
    one_step = SimpleNamespace(hidden=hidden[:, :1])
    assert reg.TemporalActivation(0.5)(nn.Identity(), one_step).item() == 0


@pytest.mark.parametrize(
    "penalty", [reg.TemporalActivation(1.0), reg.Activity(1.0), reg.KLSparsity(1.0)]
)
def test_penalties_on_hidden_states_do_not_see_padding(penalty: reg.Penalty) -> None:
    hidden = torch.rand(2, 3, 4, generator=torch.manual_seed(0))
    padded = torch.cat([hidden, torch.zeros(2, 5, 4)], dim=1)
    values = [penalty(nn.Identity(), SimpleNamespace(hidden=h)) for h in (hidden, padded)]
    assert values[0] > 0
    torch.testing.assert_close(*values)


def jacobian_cost(net: Encoder) -> float:
    """For a sigmoid layer the Jacobian is s (1 - s) W, row by row (Rifai 2011, equation 7)."""
    total = 0.0
    for code in torch.sigmoid(net.linear(X)).tolist():
        for s, row in zip(code, net.linear.weight.tolist(), strict=True):
            total += (s * (1 - s)) ** 2 * sum(w * w for w in row)
    return total / len(X)


@pytest.mark.parametrize("variational", [False, True])
def test_contractive_is_the_jacobian_of_the_code(variational: bool) -> None:
    net, penalty = Encoder(variational=variational), reg.Contractive(0.1)
    penalty.attach(net)
    value = penalty(net, net(X))
    assert value.item() == pytest.approx(0.1 * jacobian_cost(net), rel=1e-5)
    value.backward()
    assert net.linear.weight.grad is not None and net.linear.weight.grad.ne(0).all()


def test_contractive_by_projections_is_right_on_average() -> None:
    net, penalty = Encoder(), reg.Contractive(1.0, samples=2000)
    penalty.attach(net)
    value = penalty(net, net(X))
    # A draw is off by less than its own size; the mean of 2,000 by about 1/45 of that at most.
    assert value.item() == pytest.approx(jacobian_cost(net), rel=0.05)


class Encodes(nn.Sequential):
    def encode(self, x: Tensor) -> Tensor:
        return self[:3](x)


@pytest.mark.parametrize("build", [reg.Activity, reg.KLSparsity, reg.Contractive])
def test_hooks_leave_nothing_behind(build: type[reg.Penalty]) -> None:
    net, penalty = Encodes(*small_net()), build(1.0)
    keys = net.state_dict().keys()
    penalty.attach(net)
    assert list(penalty.state_dict()) == [] and net.state_dict().keys() == keys
    net(X), net(X)  # passes whose penalty nobody asks for are forgotten
    copied = copy.deepcopy(net)  # as a weight average does in the middle of training
    assert pickle.loads(pickle.dumps(copied)).state_dict().keys() == keys
    twice = penalty(net, net(X))
    penalty.attach(net)  # again: replaces the hooks
    torch.testing.assert_close(penalty(net, net(X)), twice)
    with pytest.raises(ValueError, match="in training mode"):
        penalty(net, None)  # nothing was kept
    net.eval()(X)
    with pytest.raises(ValueError, match="in training mode"):
        penalty(net, None)  # and nothing is recorded in evaluation


@pytest.mark.parametrize(
    ("penalty", "message"),
    [
        (reg.L2(1.0), "`net` must have weights"),
        (reg.Activity(1.0), "`Activity` must find hidden units"),
        (reg.KLSparsity(1.0), "`KLSparsity` must find hidden units"),
        (reg.TemporalActivation(1.0), "output.hidden of an RNN"),
        (reg.Contractive(1.0), "net.encode"),
    ],
)
def test_a_penalty_that_cannot_find_what_it_reads_says_so(penalty, message: str) -> None:
    net = nn.BatchNorm1d(3)
    with pytest.raises(ValueError, match=message):
        penalty.attach(net)
        penalty(net, net(X))


@pytest.mark.parametrize(
    ("build", "arguments", "name"),
    [
        (reg.L1, {"weight": -1e-4}, "weight"),
        (reg.L2, {"weight": math.nan}, "weight"),
        (reg.L2, {"weight": "much"}, "weight"),
        (reg.TemporalActivation, {"weight": math.inf}, "weight"),
        (reg.ElasticNet, {"weight": 1.0, "l1_ratio": 1.5}, "l1_ratio"),
        (reg.Activity, {"weight": 1.0, "norm": 3}, "norm"),
        (reg.KLSparsity, {"weight": 1.0, "rho": 1.0}, "rho"),
        (reg.Contractive, {"weight": 1.0, "samples": 0}, "samples"),
        (reg.Contractive, {"weight": 1.0, "samples": 1.5}, "samples"),
        (reg.KLSparsity, {"weight": 1.0, "rho": "few"}, "rho"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(build, arguments, name: str) -> None:
    with pytest.raises(ValueError, match=f"`{name}` must be .*, got {arguments[name]!r}"):
        build(**arguments)
