"""The negative evidence lower bound of variational autoencoders, in nats per sample."""

import math
from typing import Any, NamedTuple

import torch.nn.functional as F
from torch import Tensor

from zoo.losses.base import Loss, check_choice, check_in, check_same
from zoo.losses.values import LOG_2PI

LIKELIHOODS = ("bernoulli", "gaussian")
FIELDS = ("image", "logits", "mean", "log_variance")


class ELBOTerms(NamedTuple):
    """The two terms of the negative ELBO, in nats per sample; their sum is the loss."""

    reconstruction: Tensor
    kl: Tensor


def kl_standard_normal(mean: Tensor, log_variance: Tensor, free_bits: float = 0.0) -> Tensor:
    """KL(N(mean, variance) || N(0, 1)) in nats, summed over latent dimensions.

    Kingma & Welling 2014, appendix B.

    Args:
        mean: of the code, given the input.
        log_variance: of the code, given the input.
        free_bits: nats that each latent dimension costs at least, so that using them is free.
            Kingma 2016 compares the batch's mean with it; comparing each sample, as here, gives a
            value that does not depend on the batch.

    Shapes:
        mean (B, ...), log_variance (B, ...) -> (B,)
    """
    check_same(mean, log_variance)
    kl = 0.5 * (mean.square() + log_variance.expm1() - log_variance)
    if free_bits > 0:
        kl = kl.clamp(min=free_bits)
    return kl.flatten(1).sum(dim=1)


def negative_elbo(
    output: Any,
    target: Tensor,
    likelihood: str = "bernoulli",
    sigma: float = 1.0,
    beta: float = 1.0,
    free_bits: float = 0.0,
) -> ELBOTerms:
    """Negative evidence lower bound in nats per sample (Kingma & Welling 2014; Rezende 2014).

    Both terms are summed over the elements of a sample and averaged over samples: their ratio is
    the bound's own, and the value does not depend on the size of the batch.

    Args:
        output: what a VAE gives back, with `image`, `logits`, `mean` and `log_variance`.
        target: what to reconstruct; for "bernoulli" in [0, 1].
        likelihood: "bernoulli" with the log odds `logits`, or "gaussian" around `image`.
        sigma: fixed standard deviation of the Gaussian likelihood.
        beta: weight of the KL term; 1 makes it the bound (Higgins 2017).
        free_bits: see `kl_standard_normal`.

    Shapes:
        target, image and logits (B, ...); mean and log_variance (B, latent) -> two ()
    """
    check_choice("likelihood", likelihood, LIKELIHOODS)
    if missing := [field for field in FIELDS if not hasattr(output, field)]:
        raise ValueError(
            f"`output` must be a variational autoencoder's, got {type(output).__name__} without "
            f"{', '.join(missing)}: use a VAE or another loss"
        )
    prediction = output.logits if likelihood == "bernoulli" else output.image
    check_same(prediction, target)
    if likelihood == "bernoulli":
        nll = F.binary_cross_entropy_with_logits(prediction, target, reduction="none")
    else:
        nll = 0.5 * (LOG_2PI + ((target - prediction) / sigma).square()) + math.log(sigma)
    kl = kl_standard_normal(output.mean, output.log_variance, free_bits)
    return ELBOTerms(nll.flatten(1).sum(dim=1).mean(), beta * kl.mean())


class NegativeELBO(Loss):
    """The loss of variational autoencoders: see `negative_elbo`.

    Args:
        likelihood: "bernoulli" or "gaussian".
        sigma: standard deviation of the Gaussian likelihood, > 0.
        beta: weight of the KL term once warm-up is over, >= 0 (Higgins 2017).
        warmup_steps: training steps over which it rises linearly from 0 (Bowman 2016).
        free_bits: nats that each latent dimension of a sample may use for free (Kingma 2016).
    """

    def __init__(
        self,
        likelihood: str = "bernoulli",
        sigma: float = 1.0,
        beta: float = 1.0,
        warmup_steps: int = 0,
        free_bits: float = 0.0,
    ) -> None:
        check_choice("likelihood", likelihood, LIKELIHOODS)
        check_in("(0, inf)", "sigma", sigma)
        check_in("[0, inf)", "beta", beta)
        check_in("[0, inf)", "warmup_steps", warmup_steps)
        check_in("[0, inf)", "free_bits", free_bits)
        super().__init__()
        self.likelihood = likelihood
        self.sigma = sigma
        self.beta = beta
        self.warmup_steps = warmup_steps
        self.free_bits = free_bits

    def beta_at(self, step: int | None) -> float:
        """Return the weight of the KL term at a training step; None means after warm-up."""
        if step is None or step >= self.warmup_steps:
            return self.beta
        return self.beta * step / self.warmup_steps

    def forward(self, output: Any, target: Tensor, step: int | None = None) -> ELBOTerms:
        """Return both terms; training and validation at one step weigh them alike."""
        return negative_elbo(
            output, target, self.likelihood, self.sigma, self.beta_at(step), self.free_bits
        )
