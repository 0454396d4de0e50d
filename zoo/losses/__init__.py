"""Losses: for each a pure function, then a thin class that only holds its settings.

Every function returns a scalar, the one mean that its docstring names, and refuses shapes that
would broadcast. Values (class ids, probabilities) are the data's job: to check them would wait
for the GPU at every step.
"""

from zoo.losses.base import Loss
from zoo.losses.classes import BinaryCrossEntropy, CrossEntropy, binary_cross_entropy, cross_entropy
from zoo.losses.elbo import ELBOTerms, NegativeELBO, kl_standard_normal, negative_elbo
from zoo.losses.values import MAE, MSE, GaussianNLL, Huber, gaussian_nll, huber, mae, mse

__all__ = [
    "MAE",
    "MSE",
    "BinaryCrossEntropy",
    "CrossEntropy",
    "ELBOTerms",
    "GaussianNLL",
    "Huber",
    "Loss",
    "NegativeELBO",
    "binary_cross_entropy",
    "cross_entropy",
    "gaussian_nll",
    "huber",
    "kl_standard_normal",
    "mae",
    "mse",
    "negative_elbo",
]
