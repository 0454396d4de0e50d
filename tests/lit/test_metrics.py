"""Metrics against scikit-learn and loops, in uneven batches as an epoch gives them."""

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.functional.classification import multiclass_accuracy

from zoo.lit.metrics import (
    R2,
    Accuracy,
    MeanAbsoluteError,
    RootMeanSquaredError,
    SquaredErrorPerSample,
)

PARTS = (4, 9, 10)  # where the batches end


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def over_batches(metric: Metric, prediction: Tensor, target: Tensor) -> float:
    """The value after batches of 4, 5, 1 and the rest."""
    parts = zip(prediction.tensor_split(PARTS), target.tensor_split(PARTS), strict=True)
    for p, t in parts:
        metric.update(p, t)
    return metric.compute().item()


def test_accuracy_is_that_of_scikit_learn_and_torchmetrics() -> None:
    logits, target = torch.randn(23, 4), torch.randint(4, (23,))
    value = over_batches(Accuracy(), logits, target)
    assert value == pytest.approx(sk.accuracy_score(target.numpy(), logits.numpy().argmax(1)))
    torchmetric = multiclass_accuracy(logits, target, num_classes=4, average="micro")
    assert value == pytest.approx(torchmetric.item())


def test_accuracy_counts_every_step_of_a_sequence() -> None:
    logits, target = torch.randn(12, 5, 3), torch.randint(3, (12, 5))
    right = sum(
        int(logits[i, t].tolist().index(max(logits[i, t].tolist())) == target[i, t])
        for i in range(12)
        for t in range(5)
    )
    assert over_batches(Accuracy(), logits, target) == pytest.approx(right / 60)


def test_errors_are_in_the_units_of_the_target() -> None:
    mean, scale = np.array([150.0, -3.0]), [77.0, 0.5]
    raw_target = np.random.default_rng(0).normal(mean, scale, (20, 2))
    raw_guess = np.random.default_rng(1).normal(mean, scale, (20, 2))
    target, guess = (
        torch.tensor((raw - mean) / scale, dtype=torch.float32) for raw in (raw_target, raw_guess)
    )
    mae = over_batches(MeanAbsoluteError(scale), guess, target)
    rmse = over_batches(RootMeanSquaredError(scale), guess, target)
    assert mae == pytest.approx(sk.mean_absolute_error(raw_target, raw_guess), rel=1e-5)
    expected = sk.mean_squared_error(raw_target.ravel(), raw_guess.ravel()) ** 0.5
    assert rmse == pytest.approx(expected, rel=1e-5)


def test_without_a_scale_errors_are_in_the_units_of_the_loss() -> None:
    guess, target = torch.randn(12, 1), torch.randn(12, 1)
    assert over_batches(RootMeanSquaredError(), guess, target) == pytest.approx(
        sk.mean_squared_error(target.numpy(), guess.numpy()) ** 0.5, rel=1e-5
    )


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_r2_is_that_of_scikit_learn(offset: float) -> None:
    target = torch.randn(31, 1) + offset
    guess = target + 0.3 * torch.randn(31, 1)
    expected = sk.r2_score(target.double().numpy(), guess.double().numpy())
    assert 0.5 < expected < 0.99
    assert over_batches(R2(), guess, target) == pytest.approx(expected, rel=1e-5)


def test_r2_of_several_outputs_is_over_all_elements() -> None:
    target = torch.randn(31, 3) * torch.tensor([1.0, 5.0, 0.1])
    guess = target + 0.3 * torch.randn(31, 3)
    expected = sk.r2_score(target.double().flatten().numpy(), guess.double().flatten().numpy())
    assert over_batches(R2(), guess, target) == pytest.approx(expected, rel=1e-5)


def test_squared_error_is_summed_over_a_sample() -> None:
    image, x = torch.rand(11, 1, 4, 4), torch.rand(11, 1, 4, 4)
    total = 0.0
    for i in range(11):
        total += sum((a - b) ** 2 for a, b in zip(image[i].flatten(), x[i].flatten(), strict=True))
    value = over_batches(SquaredErrorPerSample(), image, x)
    assert value == pytest.approx(float(total) / 11, rel=1e-5)


def test_long_epochs_lose_no_samples() -> None:
    metric = MeanAbsoluteError()
    metric.update(torch.ones(2**24, 1), torch.zeros(2**24, 1))
    for _ in range(2000):  # in float32 2**24 + 1 is 2**24
        metric.update(torch.full((1, 1), 1.0), torch.zeros(1, 1))
    assert metric.compute().item() == pytest.approx(1.0, abs=1e-6)


def test_reset_forgets() -> None:
    metric = Accuracy()
    metric.update(torch.tensor([[0.0, 1.0]]), torch.tensor([0]))
    metric.reset()
    metric.update(torch.tensor([[0.0, 1.0]]), torch.tensor([1]))
    assert metric.compute().item() == 1.0


@pytest.mark.parametrize("metric", [Accuracy(), R2(), SquaredErrorPerSample()], ids=repr)
def test_an_update_leaves_a_tensor_alone_that_another_process_may_share(metric: Metric) -> None:
    before = {name: getattr(metric, name) for name in metric._defaults}
    target = torch.tensor([0, 1]) if isinstance(metric, Accuracy) else torch.randn(2, 2)
    metric.update(torch.randn(2, 2), target)
    assert all(not value.any() for value in before.values())
    assert all(getattr(metric, name).any() for name in before)
