"""The input as target: the bound written out, and whose random numbers it takes."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from lightning.pytorch.strategies import SingleDeviceStrategy
from torch import Tensor

from zoo.data import Batch, Split
from zoo.lit import LitAutoencoder
from zoo.lit.metrics import SquaredErrorPerSample
from zoo.losses import MSE, NegativeELBO
from zoo.models import VAE, Autoencoder

STILL = partial(torch.optim.SGD, lr=0.0)
LABELS = torch.zeros(6, dtype=torch.long)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def vae() -> VAE:
    return VAE(5, 2, hidden=(4,))


def batch() -> Batch:
    return Batch(torch.rand(6, 5), LABELS)


def bound(net: VAE, x: Tensor, noise: Tensor) -> tuple[float, list[float]]:
    """Reconstruction, and the KL of each latent dimension, in nats per sample, term by term."""
    reconstruction, kl = 0.0, [0.0] * net.latent
    with torch.no_grad():
        mean, log_variance = net.encode(x)
        image = net.decode(mean + log_variance.exp().sqrt() * noise)
    for i in range(len(x)):
        for p, t in zip(image[i].double(), x[i].double(), strict=True):
            reconstruction -= (t * p.log() + (1 - t) * (1 - p).log()).item() / len(x)
        for j in range(net.latent):
            m, v = mean[i, j].item(), log_variance[i, j].exp().item()
            kl[j] += 0.5 * (m * m + v - 1 - log_variance[i, j].item()) / len(x)
    return reconstruction, kl


def logged(module: LitAutoencoder, stage: str) -> dict[str, float]:
    return module.means[stage].drain(SingleDeviceStrategy(torch.device("cpu")))


def test_an_autoencoder_is_compared_with_its_input_and_not_with_the_label() -> None:
    net = Autoencoder(5, 2, hidden=(4,))
    module = LitAutoencoder(net, loss=MSE(), metrics={"squared_error": SquaredErrorPerSample()})
    data = batch()
    module.validation_step(data, 0)
    squares = (net(data.x).image - data.x).square()
    assert logged(module, "val") == {"loss": pytest.approx(squares.mean().item(), rel=1e-5)}
    metric = module.metrics["val_metrics"]["squared_error"].compute().item()
    assert metric == pytest.approx(squares.sum(1).mean().item(), rel=1e-5)


def test_training_sums_reconstruction_and_divergence_in_nats() -> None:
    net, data = vae(), batch()
    module = LitAutoencoder(net, loss=NegativeELBO(beta=3.0))
    torch.manual_seed(7)
    noise = torch.randn(6, 2)
    torch.manual_seed(7)
    loss = module.training_step(data, 0)
    reconstruction, kl = bound(net, data.x, noise)
    assert logged(module, "train") == pytest.approx(
        {
            "reconstruction": reconstruction,
            "kl": 3.0 * sum(kl),
            "loss": reconstruction + 3.0 * sum(kl),
        },
        rel=1e-4,
    )
    assert loss.item() == pytest.approx(reconstruction + 3.0 * sum(kl), rel=1e-4)


@pytest.mark.parametrize("stage", ["val", "test"])
def test_evaluation_draws_codes_the_same_ones_each_time(stage: str) -> None:
    net, data = vae(), batch()
    module = LitAutoencoder(net, loss=NegativeELBO()).eval()
    seen = []
    for seed in (1, 2):  # whatever the state of the random numbers
        torch.manual_seed(seed)
        module.means[stage] = type(module.means[stage])()
        module.evaluation_step(stage, data)
        seen.append(logged(module, stage))
    assert seen[0] == seen[1]
    # An expectation over codes, not the bound at the mean code.
    at_the_mean, kl = bound(net, data.x, torch.zeros(6, 2))
    assert seen[0]["kl"] == pytest.approx(sum(kl), rel=1e-4)
    assert abs(seen[0]["reconstruction"] - at_the_mean) > 1e-4
    torch.manual_seed(0)
    reconstruction, _ = bound(net, data.x, torch.randn(6, 2))
    assert seen[0]["reconstruction"] == pytest.approx(reconstruction, rel=1e-4)


def test_evaluation_takes_no_random_number_from_training() -> None:
    module = LitAutoencoder(vae(), loss=NegativeELBO()).eval()
    before = torch.get_rng_state()
    module.validation_step(batch_of_ones(), 0)
    assert torch.equal(torch.get_rng_state(), before)


def batch_of_ones() -> Batch:
    return Batch(torch.ones(6, 5), LABELS)


def test_training_is_the_same_with_and_without_validation(fit: Callable[..., Any]) -> None:
    train, val = Split(torch.rand(6, 5), LABELS), Split(torch.rand(6, 5), LABELS)
    weights = []
    for validation in (None, val):
        torch.manual_seed(3)
        net = vae()
        module = LitAutoencoder(
            net, loss=NegativeELBO(), optimizer=partial(torch.optim.SGD, lr=0.1)
        )
        fit(module, train, validation, batch_size=2, max_epochs=2)
        weights.append(torch.cat([p.detach().flatten() for p in net.parameters()]))
    assert torch.equal(*weights)


def test_the_plain_bound_is_reported_whatever_is_optimised() -> None:
    net, data = vae(), batch()
    module = LitAutoencoder(net, loss=NegativeELBO(beta=4.0, free_bits=0.7)).eval()
    module.validation_step(data, 0)
    torch.manual_seed(0)
    reconstruction, kl = bound(net, data.x, torch.randn(6, 2))
    values = logged(module, "val")
    assert values["negative_elbo"] == pytest.approx(reconstruction + sum(kl), rel=1e-4)
    assert values["loss"] > values["negative_elbo"] + 0.1


def test_warm_up_counts_the_steps_of_the_run(fit: Callable[..., Any]) -> None:
    net = vae()
    module = LitAutoencoder(net, loss=NegativeELBO(beta=2.0, warmup_steps=4), optimizer=STILL)
    split = Split(torch.rand(6, 5), LABELS)
    trainer = fit(module, split, split, batch_size=2)  # steps 0, 1, 2; validation after 3
    _, kl = bound(net, split.x, torch.zeros(6, 2))
    first, second, third = (sum(bound(net, x, torch.zeros(2, 2))[1]) for x in split.x.split(2))
    expected = (0.0 * first + 0.5 * second + 1.0 * third) / 3
    assert trainer.callback_metrics["train/kl"].item() == pytest.approx(expected, rel=1e-4)
    assert trainer.callback_metrics["val/kl"].item() == pytest.approx(1.5 * sum(kl), rel=1e-4)


def test_the_names_logged(fit: Callable[..., Any]) -> None:
    split = Split(torch.rand(6, 5), LABELS)
    trainer = fit(LitAutoencoder(vae(), loss=NegativeELBO()), split, split)
    assert set(trainer.callback_metrics) == {
        *("train/loss", "train/reconstruction", "train/kl"),
        *("val/loss", "val/reconstruction", "val/kl", "val/negative_elbo"),
    }


def test_a_variational_net_needs_the_bound() -> None:
    with pytest.raises(ValueError, match="VAE needs loss=elbo"):
        LitAutoencoder(vae(), loss=MSE())


def test_the_bound_needs_a_variational_net() -> None:
    with pytest.raises(ValueError, match="elbo needs a VAE, not Autoencoder"):
        LitAutoencoder(Autoencoder(5, 2), loss=NegativeELBO())
