"""Regularisers that read the weights alone."""

from typing import Any

import torch
from torch import Tensor, nn

from zoo.regularization.base import Constraint, Penalty, check_in, weights


def l1_norm(net: nn.Module) -> Tensor:
    """Return the sum of |W| over all weights."""
    return torch.stack([w.abs().sum() for w in found(net)]).sum()


def l2_norm_squared(net: nn.Module) -> Tensor:
    """Return the sum of W^2 over all weights."""
    return torch.stack([w.square().sum() for w in found(net)]).sum()


def found(net: nn.Module) -> list[nn.Parameter]:
    """Return the net's weights; refuse a net without any."""
    if not (parameters := [parameter for _, parameter in weights(net)]):
        raise ValueError(
            f"`net` must have weights, of two or more dimensions, got {type(net).__name__} without"
        )
    return parameters


class L1(Penalty):
    """Sparse weights: `weight * sum |W|` over weights, not biases nor norms (Tibshirani 1996)."""

    def forward(self, net: nn.Module, output: Any) -> Tensor:
        """Return the weighted penalty."""
        return self.weight * l1_norm(net)


class L2(Penalty):
    """Small weights: `weight * sum W^2` over weights, not biases nor norms (Krogh & Hertz 1992).

    There is no factor 1/2, so its gradient is `2 * weight * W`.
    """

    def forward(self, net: nn.Module, output: Any) -> Tensor:
        """Return the weighted penalty."""
        return self.weight * l2_norm_squared(net)


class ElasticNet(Penalty):
    """Both: `weight * (l1_ratio * sum |W| + (1 - l1_ratio) * sum W^2)` (Zou & Hastie 2005).

    Args:
        weight: its factor, >= 0.
        l1_ratio: share of the L1 term, in [0, 1].
    """

    def __init__(self, weight: float, l1_ratio: float = 0.5) -> None:
        super().__init__(weight)
        check_in("[0, 1]", "l1_ratio", l1_ratio)
        self.l1_ratio = l1_ratio

    def forward(self, net: nn.Module, output: Any) -> Tensor:
        """Return the weighted penalty."""
        mixture = self.l1_ratio * l1_norm(net) + (1 - self.l1_ratio) * l2_norm_squared(net)
        return self.weight * mixture


class MaxNorm(Constraint):
    """Keeps the norm of each unit's incoming weights at most `limit` (Srivastava 2014, sec. 5.1).

    A unit is a row of a linear layer, a filter of a convolution, one gate's unit of a recurrent
    layer (input and recurrent weights apart), a token's vector of an embedding.

    Args:
        limit: the largest norm, > 0; the paper uses 3 to 4.
    """

    def __init__(self, limit: float = 3.0) -> None:
        check_in("(0, inf)", "limit", limit)
        super().__init__()
        self.limit = limit

    @torch.no_grad()
    def project_(self, net: nn.Module) -> None:
        """Scale what is too long back to `limit`; leave the rest, and what is frozen, alone."""
        # Transposed convolutions alone keep their units on the second dimension: (in, out, kernel).
        transposed = {
            id(m.weight) for m in net.modules() if isinstance(m, nn.modules.conv._ConvTransposeNd)
        }
        for _, weight in weights(net):
            if weight.requires_grad:
                weight.renorm_(2, 1 if id(weight) in transposed else 0, self.limit)
