"""Losses against formulas written out with plain numbers, and what they refuse."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from zoo import losses

PREDICTION = torch.tensor([[1.0, -2.0], [0.5, 3.0], [0.0, 4.0]])
TARGET = torch.tensor([[0.0, -2.0], [2.5, 2.5], [1.0, 0.0]])
ERRORS = [1.0, 0.0, -2.0, 0.5, -1.0, 4.0]
MASK = torch.tensor([True, False, True])
VALID_ERRORS = [1.0, 0.0, -1.0, 4.0]


def huber_of(error: float, delta: float) -> float:
    if abs(error) <= delta:
        return 0.5 * error**2
    return delta * (abs(error) - 0.5 * delta)


@pytest.mark.parametrize(
    ("loss", "formula"),
    [
        (losses.MSE(), lambda e: e**2),
        (losses.MAE(), abs),
        (losses.Huber(delta=0.75), lambda e: huber_of(e, 0.75)),
        (losses.Huber(delta=3.0), lambda e: huber_of(e, 3.0)),
    ],
)
@pytest.mark.parametrize(("mask", "errors"), [(None, ERRORS), (MASK, VALID_ERRORS)])
def test_a_loss_of_errors_is_the_mean_of_its_formula(loss, formula, mask, errors) -> None:
    expected = sum(formula(e) for e in errors) / len(errors)
    assert loss(PREDICTION, TARGET, mask=mask).item() == pytest.approx(expected)


def smoothed_cross_entropy(logits: list[float], target: int, smoothing: float) -> float:
    log_total = math.log(sum(math.exp(z) for z in logits))
    classes = len(logits)
    share = [smoothing / classes + (1 - smoothing) * (k == target) for k in range(classes)]
    return -sum(q * (z - log_total) for q, z in zip(share, logits, strict=True))


LOGITS = [[2.0, -1.0, 0.5], [0.0, 0.0, 3.0], [1.0, 1.5, -2.0], [0.3, 0.2, 0.1]]
CLASSES = [0, 2, 1, 1]


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_cross_entropy_with_label_smoothing(smoothing: float) -> None:
    rows = zip(LOGITS, CLASSES, strict=True)
    expected = sum(smoothed_cross_entropy(z, y, smoothing) for z, y in rows) / 4
    loss = losses.CrossEntropy(label_smoothing=smoothing)
    assert loss(torch.tensor(LOGITS), torch.tensor(CLASSES)).item() == pytest.approx(expected)


def test_cross_entropy_weighs_classes_and_divides_by_the_weights() -> None:
    weights = [0.5, 2.0, 1.0]
    rows = list(zip(LOGITS, CLASSES, strict=True))
    total = sum(weights[y] * smoothed_cross_entropy(z, y, 0.0) for z, y in rows)
    expected = total / sum(weights[y] for y in CLASSES)
    loss = losses.CrossEntropy(class_weights=weights)
    assert loss(torch.tensor(LOGITS), torch.tensor(CLASSES)).item() == pytest.approx(expected)
    assert list(loss.state_dict()) == []


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [None, [0.5, 2.0, 1.0]])
def test_cross_entropy_of_soft_targets_is_linear_in_them(
    smoothing: float, weights: list[float] | None
) -> None:
    """A share w of one class and 1 - w of another costs w times the one, 1 - w times the other."""
    others, shares = [1, 2, 0, 0], [0.7, 0.2, 1.0, 0.5]
    loss = losses.CrossEntropy(label_smoothing=smoothing)
    if weights is None:
        rows = zip(LOGITS, CLASSES, others, shares, strict=True)
        expected = sum(
            w * smoothed_cross_entropy(z, a, smoothing)
            + (1 - w) * smoothed_cross_entropy(z, b, smoothing)
            for z, a, b, w in rows
        )
        target = torch.zeros(4, 3)
        for i, (a, b, w) in enumerate(zip(CLASSES, others, shares, strict=True)):
            target[i, a] += w
            target[i, b] += 1 - w
        assert loss(torch.tensor(LOGITS), target).item() == pytest.approx(expected / 4)
    else:  # the same as for class ids, which are the extreme case
        loss = losses.CrossEntropy(label_smoothing=smoothing, class_weights=weights)
        ids = torch.tensor(CLASSES)
        hard = torch.nn.functional.one_hot(ids, 3).float()
        expected = loss(torch.tensor(LOGITS), ids).item()
        assert loss(torch.tensor(LOGITS), hard).item() == pytest.approx(expected)


def test_cross_entropy_of_sequences_skips_ignored_and_masked_steps() -> None:
    logits, target = torch.tensor(LOGITS).view(2, 2, 3), torch.tensor([[0, 7], [1, 1]])
    mask = torch.tensor([[True, True], [True, False]])
    expected = sum(smoothed_cross_entropy(LOGITS[i], y, 0.0) for i, y in ((0, 0), (2, 1))) / 2
    loss = losses.CrossEntropy(ignore_index=7)
    assert loss(logits, target, mask).item() == pytest.approx(expected)


def test_binary_cross_entropy_reductions() -> None:
    logits = torch.tensor([[[2.0, -1.0], [0.0, 3.0]], [[-3.0, 0.5], [9.0, 9.0]]])  # (B, T, K)
    target = torch.tensor([[[1.0, 0.0], [1.0, 0.0]], [[0.0, 0.25], [1.0, 1.0]]])
    mask = torch.tensor([[True, True], [True, False]])
    frames = []
    for z, y in zip(logits[mask].tolist(), target[mask].tolist(), strict=True):
        p = [1 / (1 + math.exp(-v)) for v in z]
        pairs = zip(p, y, strict=True)
        frames.append(-sum(b * math.log(a) + (1 - b) * math.log(1 - a) for a, b in pairs))
    mean = losses.BinaryCrossEntropy()(logits, target, mask)
    frame_nll = losses.BinaryCrossEntropy("sum")(logits, target, mask)
    assert mean.item() == pytest.approx(sum(frames) / 6)  # three frames of two notes
    assert frame_nll.item() == pytest.approx(sum(frames) / 3)


def test_gaussian_nll_is_the_log_density_of_a_normal() -> None:
    mean, log_variance = torch.randn(2, 4, 3, generator=torch.manual_seed(0)).unbind()
    target = torch.tensor([[0.0, 1.0, -1.0]]).repeat(4, 1)
    normal = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    prediction = torch.cat([mean, log_variance], dim=-1)
    loss = losses.GaussianNLL()
    torch.testing.assert_close(loss(prediction, target), -normal.log_prob(target).mean())
    torch.testing.assert_close(loss.point(prediction), mean)
    mask = torch.tensor([True, False, True, True])
    expected = -normal.log_prob(target)[[0, 2, 3]].mean()
    torch.testing.assert_close(loss(prediction, target, mask), expected)


@pytest.mark.parametrize(
    ("loss", "outputs"),
    [
        (losses.MSE(), 2),
        (losses.Huber(), 2),
        (losses.BinaryCrossEntropy("sum"), 2),
        (losses.GaussianNLL(), 4),
        (losses.CrossEntropy(), 2),
    ],
)
def test_padding_does_not_count_even_if_it_is_nan(loss: losses.Loss, outputs: int) -> None:
    generator = torch.Generator().manual_seed(0)
    prediction = torch.randn(3, 5, outputs, generator=generator)
    target = torch.rand(3, 5, 2, generator=generator)
    padding = torch.full_like(target[:, :2], math.nan)
    if loss.target == "classes":
        target, padding = target[..., 0].round().long(), torch.full((3, 2), 10**6)
    longer = torch.cat([prediction, torch.full((3, 2, outputs), math.nan)], dim=1).requires_grad_()
    mask = torch.arange(7).expand(3, 7) < 5
    masked = loss(longer, torch.cat([target, padding], dim=1), mask)
    torch.testing.assert_close(masked, loss(prediction, target), rtol=0, atol=0)
    masked.backward()
    assert longer.grad is not None
    assert longer.grad[:, 5:].eq(0).all() and longer.grad[:, :5].ne(0).any()


def zeros(*shape: int) -> Tensor:
    return torch.zeros(shape)


ids = torch.zeros(4, dtype=torch.int64)
REFUSED = {
    "column against row": (losses.mse, (zeros(4, 1), zeros(4)), r"\(4, 1\) and \(4,\): use target"),
    "too few outputs": (losses.mae, (zeros(4, 1), zeros(4, 3)), "one output for each value"),
    "integer target": (losses.mse, (zeros(4), ids), "floating point.*int64.*target.float()"),
    "integer prediction": (losses.huber, (ids, zeros(4)), "prediction.float()"),
    "float classes": (losses.cross_entropy, (zeros(4, 3), zeros(4)), "float32.*target.long()"),
    "int32 classes": (losses.cross_entropy, (zeros(4, 3), ids.int()), "int32"),
    "one-hot classes": (losses.cross_entropy, (zeros(4, 3), zeros(4, 3).long()), "one-hot vectors"),
    "classes not last": (losses.cross_entropy, (zeros(4, 3, 5), zeros(4, 5).long()), "last"),
    "wrong number of weights": (
        lambda z, y: losses.cross_entropy(z, y, class_weights=zeros(2)),
        (zeros(4, 3), ids),
        "each of 3 classes",
    ),
    "bce of a column": (losses.binary_cross_entropy, (zeros(4), zeros(4, 1)), r"\(4,\) and \(4, 1"),
    "bce of bools": (losses.binary_cross_entropy, (zeros(4), ids.bool()), "target.float()"),
    "frames without notes": (losses.BinaryCrossEntropy("sum"), (zeros(4), zeros(4)), "frames"),
    "odd outputs": (losses.gaussian_nll, (zeros(4, 3), zeros(4, 1)), "2K"),
    "nll for too few values": (losses.gaussian_nll, (zeros(4, 4), zeros(4, 1)), r"\(4, 2\)"),
    "kl of two shapes": (losses.kl_standard_normal, (zeros(4, 2), zeros(4, 1)), r"\(4, 1\)"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_broadcast_or_has_the_wrong_type_is_refused(case: str) -> None:
    function, tensors, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        function(*tensors)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (torch.zeros(4, dtype=torch.bool), "at least one True"),
        (torch.ones(4), "must be bool"),
        (torch.ones(3, dtype=torch.bool), "leading dimensions"),
        (torch.tensor(True), "leading dimensions"),
    ],
)
def test_masks_that_are_refused(mask: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        losses.mse(zeros(4, 2), zeros(4, 2), mask=mask)
    with pytest.raises(ValueError, match=message):
        losses.cross_entropy(zeros(4, 2), ids, mask=mask)


@pytest.mark.parametrize(
    ("build", "settings"),
    [
        (losses.Huber, {"delta": 0}),
        (losses.Huber, {"delta": math.nan}),
        (losses.Huber, {"delta": "small"}),
        (losses.CrossEntropy, {"label_smoothing": 1.0}),
        (losses.CrossEntropy, {"class_weights": [1.0, -1.0]}),
        (losses.BinaryCrossEntropy, {"reduction": "average"}),
        (losses.NegativeELBO, {"likelihood": "laplace"}),
        (losses.NegativeELBO, {"sigma": 0.0}),
        (losses.NegativeELBO, {"beta": -1.0}),
        (losses.NegativeELBO, {"beta": math.inf}),
        (losses.NegativeELBO, {"warmup_steps": -1}),
        (losses.NegativeELBO, {"free_bits": -0.1}),
    ],
)
def test_settings_out_of_range_are_refused_by_name(build, settings) -> None:
    ((name, value),) = settings.items()
    value = -1.0 if isinstance(value, list) else value
    with pytest.raises(ValueError, match=rf"`{name}.*, got {value!r}"):
        build(**settings)


def vae_output(batch: int, seed: int = 0) -> SimpleNamespace:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(batch, 1, 3, 2, generator=generator)
    mean, log_variance = torch.randn(2, batch, 4, generator=generator).unbind()
    return SimpleNamespace(
        image=logits.sigmoid(), logits=logits, mean=mean, log_variance=log_variance
    )


def test_elbo_is_the_log_likelihood_and_kl_of_torch_distributions() -> None:
    output, target = vae_output(5), torch.rand(5, 1, 3, 2).round()
    bernoulli = torch.distributions.Bernoulli(logits=output.logits)
    gaussian = torch.distributions.Normal(output.image, 0.3)
    posterior = torch.distributions.Normal(output.mean, (0.5 * output.log_variance).exp())
    prior = torch.distributions.Normal(0.0, 1.0)
    kl = torch.distributions.kl_divergence(posterior, prior).sum(1).mean()
    terms = losses.NegativeELBO()(output, target)
    expected = -bernoulli.log_prob(target).sum((1, 2, 3)).mean()
    torch.testing.assert_close(terms, losses.ELBOTerms(expected, kl))
    terms = losses.NegativeELBO("gaussian", sigma=0.3, beta=4.0)(output, target)
    expected = -gaussian.log_prob(target).sum((1, 2, 3)).mean()
    torch.testing.assert_close(terms, losses.ELBOTerms(expected, 4 * kl))


def test_beta_rises_in_a_line_and_stays() -> None:
    loss = losses.NegativeELBO(beta=2.0, warmup_steps=10)
    steps = (0, 5, 10, 1000, None)
    assert [loss.beta_at(step) for step in steps] == [0.0, 1.0, 2.0, 2.0, 2.0]
    assert losses.NegativeELBO(beta=2.0).beta_at(0) == 2.0
    output, target = vae_output(5), torch.rand(5, 1, 3, 2)
    full, half = loss(output, target), loss(output, target, step=5)
    torch.testing.assert_close(half.kl, full.kl / 2)
    torch.testing.assert_close(half.reconstruction, full.reconstruction)


def test_free_bits_are_the_least_that_a_dimension_costs() -> None:
    mean, log_variance = torch.tensor([[0.0, 2.0], [0.2, 0.0]]), torch.zeros(2, 2)
    # With unit variance the KL of a dimension is half its squared mean: 0, 2, 0.02, 0 nats.
    kl = losses.kl_standard_normal(mean, log_variance, free_bits=0.5)
    assert kl.tolist() == pytest.approx([0.5 + 2.0, 0.5 + 0.5])
    mean.requires_grad_()
    losses.kl_standard_normal(mean, log_variance, free_bits=0.5).sum().backward()
    assert mean.grad is not None and mean.grad.tolist() == [[0.0, 2.0], [0.0, 0.0]]


def test_elbo_refuses_an_output_that_is_not_variational() -> None:
    output = SimpleNamespace(image=zeros(2, 3), code=zeros(2, 1))
    with pytest.raises(ValueError, match="without logits, mean, log_variance: use a VAE"):
        losses.NegativeELBO()(output, zeros(2, 3))
    with pytest.raises(ValueError, match="one shape"):
        losses.NegativeELBO()(vae_output(5), zeros(5, 6))
