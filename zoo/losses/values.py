"""Losses of values: regression and reconstruction."""

import math

import torch.nn.functional as F
from torch import Tensor

from zoo.losses.base import Loss, check_in, check_same, select

LOG_2PI = math.log(2 * math.pi)


def mse(prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Squared error; mean over all valid elements."""
    check_same(prediction, target)
    return F.mse_loss(*select(prediction, target, mask))


class MSE(Loss):
    """Mean squared error: see `mse`."""

    def forward(self, prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the mean over all valid elements."""
        return mse(prediction, target, mask)


def mae(prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Absolute error; mean over all valid elements."""
    check_same(prediction, target)
    return F.l1_loss(*select(prediction, target, mask))


class MAE(Loss):
    """Mean absolute error: see `mae`."""

    def forward(self, prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the mean over all valid elements."""
        return mae(prediction, target, mask)


def huber(
    prediction: Tensor, target: Tensor, delta: float = 1.0, mask: Tensor | None = None
) -> Tensor:
    """Quadratic within `delta` of the target, linear beyond; mean over all valid elements.

    Huber 1964, "Robust estimation of a location parameter".
    """
    check_same(prediction, target)
    return F.huber_loss(*select(prediction, target, mask), delta=delta)


class Huber(Loss):
    """Huber's loss: see `huber`.

    Args:
        delta: error at which it turns from quadratic to linear, > 0.
    """

    def __init__(self, delta: float = 1.0) -> None:
        check_in("(0, inf)", "delta", delta)
        super().__init__()
        self.delta = delta

    def forward(self, prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the mean over all valid elements."""
        return huber(prediction, target, self.delta, mask)


def gaussian_nll(prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Full negative log likelihood of a normal in nats; mean over all valid elements.

    The net predicts the variance too, and so how much to trust each value (Nix & Weigend 1994).

    Shapes:
        prediction (..., 2K), K means then K log variances; target (..., K) -> ()
    """
    if prediction.ndim == 0 or prediction.shape[-1] % 2:
        raise ValueError(
            f"`prediction` must be (..., 2K), K means then K log variances for a target (..., K), "
            f"got {tuple(prediction.shape)} for {tuple(target.shape)}"
        )
    check_same(prediction.chunk(2, dim=-1)[0], target)
    prediction, target = select(prediction, target, mask)
    mean, log_variance = prediction.chunk(2, dim=-1)
    squares = (target - mean).square() * (-log_variance).exp()
    return 0.5 * (LOG_2PI + log_variance + squares).mean()


class GaussianNLL(Loss):
    """Negative log likelihood of a normal with predicted mean and variance: see `gaussian_nll`."""

    outputs_per_target = 2

    def point(self, prediction: Tensor) -> Tensor:
        """Return the means, the first half of the prediction."""
        return prediction.chunk(2, dim=-1)[0]

    def forward(self, prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the mean over all valid elements."""
        return gaussian_nll(prediction, target, mask)
