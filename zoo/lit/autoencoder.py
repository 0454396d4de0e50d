"""The input as target: autoencoders and variational autoencoders."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from zoo.lit.base import Batch, LitModel, Prediction
from zoo.losses import BinaryCrossEntropy, Loss, NegativeELBO, negative_elbo


class LitAutoencoder(LitModel):
    """Trains a net to give back its input, or what that was before it was corrupted.

    With `loss=elbo` the net is variational: every forward pass draws a code, in validation and test
    too, because the bound is an expectation over codes; there the draws are the same every time.
    `negative_elbo`, the plain bound (beta 1, no free bits), is reported beside `loss`.

    Raises:
        ValueError: a variational net without the ELBO, the ELBO without a variational net, or a
            loss of logits after an output activation.
    """

    reconstructs = True

    def __init__(self, net: nn.Module, *, loss: Loss, **settings: Any) -> None:
        super().__init__(net, loss=loss, **settings)
        variational = hasattr(net, "sample")
        if variational != isinstance(loss, NegativeELBO):
            kind = type(net).__name__
            remedy = (
                f"{kind} needs loss=elbo" if variational else f"loss=elbo needs a VAE, not {kind}"
            )
            raise ValueError(remedy)
        if isinstance(loss, BinaryCrossEntropy) and getattr(net, "output_range", None):
            raise ValueError(
                "loss=binary_cross_entropy reads logits; set model.net.output=identity"
            )

    def predict(self, batch: Batch) -> Prediction:
        """Compare the reconstruction with the clean input (Vincent 2008)."""
        x = batch.x
        if not isinstance(self.loss, NegativeELBO):
            output = self.net(x)
        elif self.training:
            output = self.net(x, sample=True)
        else:
            # The same draws in every evaluation, and none of them taken from training.
            with torch.random.fork_rng([x.device] if x.is_cuda else []):
                torch.manual_seed(0)
                output = self.net(x, sample=True)
        return Prediction(output, output.image, x if batch.clean is None else batch.clean)

    def task(self, result: Prediction) -> dict[str, Tensor]:
        """Reconstruction and KL term in nats per sample, or the plain loss."""
        if not isinstance(self.loss, NegativeELBO):
            return super().task(result)
        terms = self.loss(result.output, result.target, step=self.global_step)
        return terms._asdict()

    def reports(self, result: Prediction) -> dict[str, Tensor]:
        """The bound itself, whatever weights are optimised."""
        if not isinstance(self.loss, NegativeELBO):
            return {}
        bound = negative_elbo(result.output, result.target, self.loss.likelihood, self.loss.sigma)
        return {"negative_elbo": bound.reconstruction + bound.kl}
