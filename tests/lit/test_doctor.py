"""The doctor finds what is wrong before the first update, and nothing in a healthy net."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from zoo.data import Batch
from zoo.lit import LitAutoencoder, LitFeedForward, LitRecurrent
from zoo.losses import MSE, BinaryCrossEntropy, CrossEntropy, GaussianNLL, NegativeELBO
from zoo.models import CNN, FNN, LSTM, RNN, VAE


def values(mean: float = 0.0, deviation: float = 1.0) -> Batch:
    torch.manual_seed(0)
    return Batch(torch.randn(64, 5), mean + deviation * torch.randn(64, 1))


def test_a_healthy_net_is_passed_over(
    findings: Callable[..., Any], classes: Callable[..., Any], classifier: Callable[..., Any]
) -> None:
    for settings in ({}, {"norm": "batch"}, {"norm": "layer"}, {"activation": "tanh"}):
        assert findings(classifier(**settings), classes()) == [], settings
    torch.manual_seed(0)
    assert findings(LitFeedForward(FNN(5, 1), loss=MSE()), values()) == []
    image = Batch(torch.randn(16, 1, 8, 8), torch.randint(3, (16,)))
    assert findings(LitFeedForward(CNN((1, 8, 8), 3), loss=CrossEntropy()), image) == []


@pytest.mark.parametrize(("number", "theory"), [(3, "1.1 = ln 3"), (50, "3.91 = ln 50")])
def test_a_large_initial_loss(
    number: int,
    theory: str,
    findings: Callable[..., Any],
    classes: Callable[..., Any],
    scaled: Callable[..., Any],
) -> None:
    torch.manual_seed(0)
    module = LitFeedForward(FNN(5, number), loss=CrossEntropy())
    batch = classes(number=number)
    assert findings(module, batch) == []
    (finding,) = findings(scaled(module, "head.weight", 30), batch)
    assert f"outputs of zero would give {theory}" in finding
    loss = module.loss(module.net(batch.x), batch.y).item()  # no dropout here
    assert f"the initial loss is {loss:.3g}," in finding


def test_a_small_initial_loss(
    findings: Callable[..., Any], classes: Callable[..., Any], classifier: Callable[..., Any]
) -> None:
    class Halved(CrossEntropy):
        def forward(self, prediction: Tensor, target: Tensor, mask: Any = None) -> Tensor:
            scale = 1.0 if bool((prediction == 0).all()) else 0.1
            return scale * super().forward(prediction, target, mask)

    module = classifier()
    module.loss = Halved()
    (finding,) = findings(module, classes())
    assert "less than half of the 1.1 = ln 3 of a net that knows nothing" in finding


def test_the_loss_of_values_is_held_against_their_mean_square(
    findings: Callable[..., Any], scaled: Callable[..., Any]
) -> None:
    torch.manual_seed(0)
    module, batch = LitFeedForward(FNN(5, 1), loss=MSE()), values()
    (finding,) = findings(scaled(module, "head.weight", 30), batch)
    assert f"outputs of zero would give {batch.y.square().mean():.3g}:" in finding


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_the_bound_is_held_against_that_of_an_empty_code(
    likelihood: str, findings: Callable[..., Any], scaled: Callable[..., Any]
) -> None:
    torch.manual_seed(0)
    x = torch.rand(64, 12)
    net = VAE(12, 2, output="sigmoid" if likelihood == "bernoulli" else "identity")
    module = LitAutoencoder(net, loss=NegativeELBO(likelihood))
    assert findings(module, Batch(x, x)) == []
    finding = findings(scaled(module, "decoder.head.weight", 100), Batch(x, x))[0]
    zero = torch.tensor(0.0)
    if likelihood == "bernoulli":
        expected = 12 * torch.tensor(2.0).log()
    else:
        expected = -torch.distributions.Normal(zero, 1.0).log_prob(x).sum(1).mean()
    assert f"would give {expected:.3g}:" in finding


@pytest.mark.parametrize(
    ("activation", "word", "meaning"), [("relu", "dead", "0"), ("sigmoid", "saturated", "at their")]
)
@torch.no_grad()
def test_units_at_their_limits(
    activation: str,
    word: str,
    meaning: str,
    findings: Callable[..., Any],
    classes: Callable[..., Any],
    classifier: Callable[..., Any],
) -> None:
    module = classifier(activation=activation)
    module.net.get_parameter("layers.0.bias")[:11] = -1000.0
    found = findings(module, classes())
    name = {"relu": "ReLU", "sigmoid": "Sigmoid"}[activation]
    assert f"{word} units, {meaning}" in found[0]
    assert f"for 64 samples: 11 of 20 in layers.1 ({name});" in found[0]
    module.net.get_parameter("layers.0.bias")[5:] = 0.0  # a quarter is no finding
    assert findings(module, classes()) == []


def test_units_of_convolutions_are_their_maps(findings: Callable[..., Any]) -> None:
    torch.manual_seed(0)
    net = CNN((1, 8, 8), 3, channels=(6,), norm=None)
    with torch.no_grad():
        net.layers[0].bias[:3] = -1000.0  # type: ignore[index, operator]
    image = Batch(torch.randn(16, 1, 8, 8), torch.randint(3, (16,)))
    (finding,) = findings(LitFeedForward(net, loss=CrossEntropy()), image)
    assert "3 of 6 in layers.1 (ReLU)" in finding


@pytest.mark.parametrize("lengths", [None, torch.arange(1, 9).repeat(8)])
def test_recurrent_units(
    lengths: Tensor | None, findings: Callable[..., Any], scaled: Callable[..., Any]
) -> None:
    torch.manual_seed(0)
    x, y = torch.randn(64, 8, 4), torch.randint(2, (64,))
    batch = Batch(x, y, lengths)
    for net in (RNN(4, 2), LSTM(4, 2), RNN(4, 2, activation="relu")):
        assert findings(LitRecurrent(net, loss=CrossEntropy()), batch) == []
    module = LitRecurrent(RNN(4, 2, hidden_size=6), loss=CrossEntropy())
    found = findings(scaled(module, "recurrent.weight_ih_l0", 1000), batch)
    assert "saturated units" in found[0] and "6 of 6 in recurrent (RNN)" in found[0]
    module = LitRecurrent(RNN(4, 2, hidden_size=6, activation="relu"), loss=CrossEntropy())
    with torch.no_grad():
        module.net.get_parameter("recurrent.bias_ih_l0").fill_(-1000)
    found = findings(module, batch)
    assert "dead units" in found[0] and "6 of 6 in recurrent (RNN)" in found[0]


class Mixed(nn.Module):
    """Takes the mean over the batch away, always or in one mode."""

    def __init__(self, modes: tuple[bool, ...]) -> None:
        super().__init__()
        self.modes, self.head = modes, nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x - x.mean(0) if self.training in self.modes else x)


@pytest.mark.parametrize(
    ("modes", "words"),
    [
        ((), []),
        ((True,), ["in training other than through batch norm:"]),
        ((False,), ["in evaluation:"]),
        ((True, False), ["in evaluation:", "in training other than through batch norm:"]),
    ],
)
def test_samples_that_influence_each_other(
    modes: tuple[bool, ...],
    words: list[str],
    findings: Callable[..., Any],
    classes: Callable[..., Any],
) -> None:
    found = findings(LitFeedForward(Mixed(modes), loss=CrossEntropy()), classes())
    assert len(found) == len(words)
    for finding, word in zip(found, words, strict=True):
        assert f"samples of a batch influence each other {word}" in finding


def test_batch_norm_without_running_statistics_mixes_in_evaluation(
    findings: Callable[..., Any], classes: Callable[..., Any], classifier: Callable[..., Any]
) -> None:
    module = classifier(norm="batch")
    for part in module.net.modules():
        if isinstance(part, nn.BatchNorm1d):
            part.track_running_stats, part.running_mean, part.running_var = False, None, None
    assert any("in evaluation" in finding for finding in findings(module, classes()))


def test_parameters_without_gradient(
    findings: Callable[..., Any], classes: Callable[..., Any], classifier: Callable[..., Any]
) -> None:
    module = classifier()
    module.net.spare = nn.Linear(2, 2)
    module.net.held = nn.Parameter(torch.ones(1), requires_grad=False)
    (finding,) = findings(module, classes())
    assert "does not depend on spare.weight, spare.bias, which" in finding
    with torch.no_grad():
        del module.net.spare
        module.net.get_parameter("head.weight").zero_()
    (finding,) = findings(module, classes())
    assert (
        "gradient of layers.0.weight, layers.0.bias, layers.3.weight and 1 more is exactly 0"
        in (finding)
    )


@pytest.mark.parametrize(("shuffle", "remedy"), [(True, "check the"), (False, "set data.shuffle=")])
def test_labels_all_of_one_class(
    shuffle: bool,
    remedy: str,
    findings: Callable[..., Any],
    classes: Callable[..., Any],
    classifier: Callable[..., Any],
) -> None:
    one = classes()._replace(y=torch.full((64,), 2))
    (finding,) = findings(classifier(), one, shuffle=shuffle)
    assert f"all 64 labels of the first batch are class 2; {remedy}" in finding
    few = Batch(one.x[:8], one.y[:8])  # may well be chance
    assert findings(classifier(), few) == []


def test_labels_beyond_the_mask_do_not_count(findings: Callable[..., Any]) -> None:
    torch.manual_seed(0)
    x, y = torch.randn(8, 6, 4), torch.zeros(8, 6, dtype=torch.int64)
    y[:, 3:] = 1
    module = LitRecurrent(LSTM(4, 2, readout="every"), loss=CrossEntropy())
    assert findings(module, Batch(x, y)) == []
    mask = torch.arange(6).expand(8, 6) < 3
    (finding,) = findings(module, Batch(x, y, None, mask))
    assert "all 24 labels of the first batch are class 0" in finding


@pytest.mark.parametrize("loss", [MSE(), GaussianNLL()])
def test_targets_that_are_not_normalised(loss: Any, findings: Callable[..., Any]) -> None:
    torch.manual_seed(0)
    module = LitFeedForward(FNN(5, loss.outputs_per_target), loss=loss)
    for good in (values(), values(1, 0.4), values(-3, 4), values(20, 5)):
        assert not any("targets" in finding for finding in findings(module, good))
    for mean, deviation in ((150.0, 77.0), (100.0, 1.0), (0.0, 1e-3)):
        found = findings(module, values(mean, deviation))
        assert any("targets have mean" in finding for finding in found), (mean, deviation)
    assert any("all targets of the first batch are 3" in f for f in findings(module, values(3, 0)))


def test_probabilities_need_no_normalising(findings: Callable[..., Any]) -> None:
    torch.manual_seed(0)
    module = LitFeedForward(FNN(5, 1), loss=BinaryCrossEntropy())
    assert findings(module, Batch(torch.randn(64, 5), torch.full((64, 1), 0.001))) == []


@pytest.mark.parametrize(
    ("optimizer", "word"),
    [
        (partial(torch.optim.SGD, lr=0.5, momentum=0.9), ""),
        (partial(torch.optim.SGD, lr=2.0, momentum=0.9), "rate 2 (with momentum 0.9: 20)"),
        (partial(torch.optim.SGD, lr=20.0), "rate 20 is not within 1e-05 to 10, where SGD"),
        (partial(torch.optim.SGD, lr=1e-7), "rate 1e-07 is not within"),
        (partial(torch.optim.AdamW, lr=0.1), ""),
        (partial(torch.optim.AdamW, lr=1.0), "rate 1 is not within 1e-06 to 0.3, where AdamW"),
        (partial(torch.optim.RMSprop, lr=0.5), "where RMSprop learns; set optimizer.lr"),
        (partial(torch.optim.Adagrad, lr=5.0), ""),  # of which nothing was measured
    ],
)
def test_learning_rates_out_of_range(
    optimizer: Any,
    word: str,
    findings: Callable[..., Any],
    classes: Callable[..., Any],
    classifier: Callable[..., Any],
) -> None:
    found = findings(classifier(), classes(), optimizer)
    assert [word in finding for finding in found] == [True] * bool(word)


def test_the_rate_is_that_of_the_schedule_at_its_height(
    findings: Callable[..., Any], classes: Callable[..., Any], classifier: Callable[..., Any]
) -> None:
    def warming(groups: Any) -> torch.optim.Optimizer:
        optimizer = torch.optim.SGD(groups, lr=100.0)
        torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1e-4)
        return optimizer

    assert any("rate 100 is" in finding for finding in findings(classifier(), classes(), warming))
