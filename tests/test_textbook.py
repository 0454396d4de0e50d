"""The textbook, claim by claim: each is written out in plain arithmetic and compared with the zoo.

Neurons and layers, losses, backpropagation, gradient descent and its variants, regularisation,
initialisation, gradients through time, and the variational bound. Convolution and the equations of
RNN, GRU and LSTM are written out in tests/models.
"""

import math
from collections.abc import Callable
from math import exp

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from zoo import losses
from zoo.models import CNN, FNN, GRU, LSTM, RNN, VAE, Autoencoder
from zoo.regularization import L2


def layers(net: nn.Module) -> list[nn.Linear]:
    return [module for module in net.modules() if isinstance(module, nn.Linear)]


def randomise_biases(net: nn.Module) -> None:
    for layer in layers(net):
        nn.init.normal_(layer.bias)


# --- Neurons and layers ---
def test_a_neuron_is_a_weighted_sum_plus_a_bias_through_an_activation() -> None:
    net = FNN(3, 1, hidden=(1,), activation="sigmoid")
    hidden, head = layers(net)
    with torch.no_grad():
        hidden.weight.copy_(torch.tensor([[0.5, -1.0, 2.0]]))
        hidden.bias.fill_(0.25)
        head.weight.fill_(3.0)
        head.bias.fill_(-1.0)
    z = 0.5 * 1.0 + (-1.0) * 2.0 + 2.0 * 0.5 + 0.25  # -0.25
    a = 1 / (1 + exp(-z))
    assert net(torch.tensor([[1.0, 2.0, 0.5]])).item() == pytest.approx(3 * a - 1)


ACTIVATIONS: dict[str, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "sigmoid": (lambda z: 1 / (1 + exp(-z)), lambda z: exp(-z) / (1 + exp(-z)) ** 2),
    "tanh": (lambda z: math.sinh(z) / math.cosh(z), lambda z: 1 / math.cosh(z) ** 2),
    "relu": (lambda z: max(0.0, z), lambda z: float(z > 0)),
    "identity": (lambda z: z, lambda z: 1.0),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_and_their_derivatives(name: str) -> None:
    net = FNN(1, 1, hidden=(1,), activation=name).double()
    for layer in layers(net):
        nn.init.ones_(layer.weight)  # the net is now the activation itself
    z = torch.tensor([[-3.0], [-0.5], [0.7], [2.0]], dtype=torch.float64, requires_grad=True)
    a = net(z)
    a.sum().backward()
    f, derivative = ACTIVATIONS[name]
    assert a.flatten().tolist() == pytest.approx([f(v) for v in z.flatten().tolist()])
    assert z.grad is not None
    assert z.grad.flatten().tolist() == pytest.approx([derivative(v) for v in z.flatten().tolist()])


@pytest.mark.parametrize("depth", [0, 1, 2, 5])
def test_the_forward_pass_of_a_deep_net_is_a_recursion(depth: int) -> None:
    """a_0 = x; a_l = f(W_l a_(l-1) + b_l); the output layer has no activation."""
    net = FNN(4, 3, hidden=(6, 5, 7, 4, 8)[:depth], activation="tanh").double()
    randomise_biases(net)
    x = torch.randn(2, 4, dtype=torch.float64)
    for sample, output in zip(x, net(x), strict=True):
        a = sample.tolist()
        for number, layer in enumerate(layers(net), start=1):
            z = [
                sum(w * v for w, v in zip(row, a, strict=True)) + b
                for row, b in zip(layer.weight.tolist(), layer.bias.tolist(), strict=True)
            ]
            a = [math.tanh(v) for v in z] if number <= depth else z
        assert number == depth + 1
        assert output.tolist() == pytest.approx(a)


# --- Losses ---
def test_mean_squared_error() -> None:
    prediction, target = [[1.0, 2.0], [0.0, -1.0]], [[0.0, 2.0], [3.0, 1.0]]
    expected = ((1 - 0) ** 2 + (2 - 2) ** 2 + (0 - 3) ** 2 + (-1 - 1) ** 2) / 4
    assert losses.MSE()(torch.tensor(prediction), torch.tensor(target)).item() == expected


def test_cross_entropy_is_minus_the_log_of_the_softmax_at_the_right_class() -> None:
    logits, target = [[2.0, 1.0, -1.0], [0.0, 0.5, 0.0]], [0, 2]
    expected = 0.0
    for z, y in zip(logits, target, strict=True):
        p = [exp(v) / sum(exp(u) for u in z) for v in z]
        expected -= math.log(p[y]) / len(target)
    loss = losses.CrossEntropy()
    assert loss(torch.tensor(logits), torch.tensor(target)).item() == pytest.approx(expected)
    # A net that knows nothing about ten classes pays log 10 nats.
    assert loss(torch.zeros(5, 10), torch.arange(5)).item() == pytest.approx(math.log(10))


# --- Backpropagation ---
def test_backpropagation_is_the_chain_rule() -> None:
    """Output layer: delta = (softmax - onehot) / B. Below: delta_l = (W_(l+1)^T delta) * f'(z_l).

    Then dL/dW_l = delta_l a_(l-1)^T and dL/db_l = delta_l, summed over the batch.
    """
    net = FNN(4, 3, hidden=(6, 5), activation="sigmoid").double()
    randomise_biases(net)
    x, y = torch.randn(8, 4, dtype=torch.float64), torch.arange(8) % 3
    losses.CrossEntropy()(net(x), y).backward()

    first, second, third = layers(net)
    with torch.no_grad():
        a1 = torch.sigmoid(x @ first.weight.T + first.bias)
        a2 = torch.sigmoid(a1 @ second.weight.T + second.bias)
        exponentials = (a2 @ third.weight.T + third.bias).exp()
        delta3 = (exponentials / exponentials.sum(1, keepdim=True) - torch.eye(3)[y]) / len(x)
        delta2 = (delta3 @ third.weight) * a2 * (1 - a2)
        delta1 = (delta2 @ second.weight) * a1 * (1 - a1)
    for layer, delta, below in ((first, delta1, x), (second, delta2, a1), (third, delta3, a2)):
        torch.testing.assert_close(layer.weight.grad, delta.T @ below)
        torch.testing.assert_close(layer.bias.grad, delta.sum(0))


FAMILIES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "FNN": (lambda: FNN(3, 2, hidden=(4, 3), activation="gelu"), (2, 3)),
    "CNN": (lambda: CNN((1, 4, 4), 2, channels=(2, 2), activation="tanh"), (3, 1, 4, 4)),
    "RNN": (lambda: RNN(2, 2, hidden_size=3), (2, 4, 2)),
    "GRU": (lambda: GRU(2, 2, hidden_size=3), (2, 4, 2)),
    "LSTM": (lambda: LSTM(2, 2, hidden_size=3), (2, 4, 2)),
    "Autoencoder": (lambda: Autoencoder(4, 2, hidden=(3,), activation="tanh"), (2, 4)),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_backpropagation_agrees_with_finite_differences(family: str) -> None:
    build, shape = FAMILIES[family]
    torch.manual_seed(0)
    net = build().double()
    names = [name for name, _ in net.named_parameters()]

    def output(x: Tensor, *parameters: Tensor) -> Tensor:
        result = functional_call(net, dict(zip(names, parameters, strict=True)), (x,))
        return result if isinstance(result, Tensor) else result[0]

    x = torch.rand(shape, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(output, (x, *net.parameters()))


# --- Gradient descent and its variants ---
def loss_of(net: nn.Module) -> Tensor:
    x = torch.linspace(-1, 1, 12, dtype=torch.float64).view(4, 3)
    return losses.MSE()(net(x), x.square().sum(1, keepdim=True))


def gradients(net: nn.Module) -> list[Tensor]:
    return list(torch.autograd.grad(loss_of(net), list(net.parameters())))


def test_a_gradient_descent_step_is_w_minus_the_rate_times_the_gradient() -> None:
    net = FNN(3, 1, hidden=(4,), activation="tanh").double()
    before = [parameter.detach().clone() for parameter in net.parameters()]
    grads, cost = gradients(net), loss_of(net)
    cost.backward()
    torch.optim.SGD(net.parameters(), lr=0.05).step()
    for parameter, w, g in zip(net.parameters(), before, grads, strict=True):
        torch.testing.assert_close(parameter.detach(), w - 0.05 * g)
    assert loss_of(net) < cost  # downhill


LR, EPS = 0.05, 1e-8


def momentum(w: Tensor, g: Tensor, memory: list[Tensor], t: int) -> Tensor:
    """v = 0.9 v + g; W = W - lr v (Polyak 1964)."""
    memory[0] = 0.9 * memory[0] + g
    return w - LR * memory[0]


def rmsprop(w: Tensor, g: Tensor, memory: list[Tensor], t: int) -> Tensor:
    """s = 0.99 s + 0.01 g^2; W = W - lr g / sqrt(s) (Tieleman & Hinton 2012)."""
    memory[0] = 0.99 * memory[0] + 0.01 * g**2
    return w - LR * g / (memory[0].sqrt() + EPS)


def adam(w: Tensor, g: Tensor, memory: list[Tensor], t: int) -> Tensor:
    """Momentum over RMSprop, both corrected for their start at zero (Kingma & Ba 2015)."""
    memory[0] = 0.9 * memory[0] + 0.1 * g
    memory[1] = 0.999 * memory[1] + 0.001 * g**2
    m, v = memory[0] / (1 - 0.9**t), memory[1] / (1 - 0.999**t)
    return w - LR * m / (v.sqrt() + EPS)


def adamw(w: Tensor, g: Tensor, memory: list[Tensor], t: int) -> Tensor:
    """Adam, and a decay of W that the gradient's size does not scale (Loshchilov 2019)."""
    return adam(w, g, memory, t) - LR * 0.1 * w


OPTIMIZERS = {
    momentum: lambda p: torch.optim.SGD(p, lr=LR, momentum=0.9),
    rmsprop: lambda p: torch.optim.RMSprop(p, lr=LR, alpha=0.99, eps=EPS),
    adam: lambda p: torch.optim.Adam(p, lr=LR, betas=(0.9, 0.999), eps=EPS),
    adamw: lambda p: torch.optim.AdamW(p, lr=LR, eps=EPS, weight_decay=0.1),
}


@pytest.mark.parametrize("rule", OPTIMIZERS, ids=lambda rule: rule.__name__)
def test_three_steps_of_an_optimizer_written_out(rule: Callable[..., Tensor]) -> None:
    net = FNN(3, 1, hidden=(4,), activation="tanh").double()
    optimizer = OPTIMIZERS[rule](net.parameters())
    w = [parameter.detach().clone() for parameter in net.parameters()]
    memories = [[torch.zeros_like(v), torch.zeros_like(v)] for v in w]
    for t in (1, 2, 3):
        grads = gradients(net)
        w = [rule(v, g, memory, t) for v, g, memory in zip(w, grads, memories, strict=True)]
        optimizer.zero_grad()
        loss_of(net).backward()
        optimizer.step()
        for parameter, expected in zip(net.parameters(), w, strict=True):
            torch.testing.assert_close(parameter.detach(), expected)


# --- Regularisation and initialisation ---
def test_l2_adds_two_lambda_w_to_the_gradient_of_weights_and_nothing_to_biases() -> None:
    net = FNN(3, 1, hidden=(4,), activation="tanh").double()
    randomise_biases(net)
    plain = gradients(net)
    (loss_of(net) + L2(0.01)(net, None)).backward()
    for parameter, g in zip(net.parameters(), plain, strict=True):
        added = 2 * 0.01 * parameter.detach() if parameter.ndim == 2 else 0.0
        torch.testing.assert_close(parameter.grad, g + added)


@pytest.mark.parametrize(("init", "stay_alike"), [("zeros", True), ("normal", False)])
def test_small_random_weights_break_the_symmetry_of_zeros(init: str, stay_alike: bool) -> None:
    torch.manual_seed(0)
    net = FNN(3, 1, hidden=(4,), activation="sigmoid", init=init).double()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    hidden = layers(net)[0].weight
    start = hidden.detach().clone()
    for _ in range(20):
        optimizer.zero_grad()
        loss_of(net).backward()
        optimizer.step()
    assert not torch.equal(hidden, start)  # both learn something
    assert all(torch.equal(row, hidden[0]) for row in hidden) == stay_alike


# --- Gradients through time ---
def kept_gradient(net: nn.Module, steps: int) -> float:
    """How much of the gradient is left at the first step, in units of that at the last."""
    x = torch.rand(8, steps, 1, requires_grad=True)
    net(x).hidden[:, -1].sum().backward()
    assert x.grad is not None
    return (x.grad[:, 0].norm() / x.grad[:, -1].norm()).item()


def test_gradients_vanish_through_a_tanh_rnn_and_survive_an_open_forget_gate() -> None:
    """Bengio 1994; Hochreiter & Schmidhuber 1997; Gers 2000; the identity RNN of Le 2015."""
    torch.manual_seed(0)
    tanh = RNN(1, 1, hidden_size=128, recurrent_init="uniform")
    half_open = LSTM(1, 1, hidden_size=128, recurrent_init="uniform", forget_bias=0.0)
    wide_open = LSTM(1, 1, hidden_size=128, recurrent_init="uniform", forget_bias=1.0)
    identity = RNN(1, 1, hidden_size=128, activation="relu", recurrent_init="identity")
    assert kept_gradient(tanh, 50) < 1e-8
    assert kept_gradient(half_open, 50) < 1e-8
    assert kept_gradient(wide_open, 50) > 1e-5
    # Positive inputs keep a unit with a positive weight on for ever: its state is a plain sum.
    assert kept_gradient(identity, 50) == pytest.approx(1)


# --- The variational bound ---
def test_the_closed_form_of_the_kl_agrees_with_monte_carlo() -> None:
    """KL(q || p) is the mean of log q(z) - log p(z) over draws z from q."""
    generator = torch.Generator().manual_seed(0)
    mean, log_variance = torch.tensor([0.5, -1.0, 0.0]), torch.tensor([-1.0, 0.5, -3.0])
    deviation = (0.5 * log_variance).exp()
    z = mean + deviation * torch.randn(100_000, 3, generator=generator)
    log_q = -0.5 * ((z - mean) / deviation) ** 2 - deviation.log()
    draws = (log_q + 0.5 * z**2).sum(1)  # the constants of both densities cancel
    standard_error = draws.std().item() / math.sqrt(len(draws))
    kl = losses.kl_standard_normal(mean[None], log_variance[None]).item()
    assert abs(kl - draws.mean().item()) < 4 * standard_error
    assert standard_error < 0.01 * kl  # so that the comparison means something


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("free_bits", [0.0, 0.1])
def test_the_elbo_does_not_depend_on_the_batch_size(likelihood: str, free_bits: float) -> None:
    torch.manual_seed(0)
    net = VAE(12, 5, hidden=(8,)).double().eval()
    loss = losses.NegativeELBO(likelihood, sigma=0.5, beta=0.5, free_bits=free_bits)
    x = torch.rand(6, 12, dtype=torch.float64)
    together = loss(net(x), x)
    alone = [loss(net(sample[None]), sample[None]) for sample in x]
    for term, of_each in zip(together, zip(*alone, strict=True), strict=True):
        torch.testing.assert_close(term, torch.stack(of_each).mean())
