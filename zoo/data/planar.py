"""Toy classes in the plane."""

import math
from typing import Any

import torch
from torch import Tensor

from zoo.data.checks import at_least, not_negative
from zoo.data.generated import Generated


class Planar(Generated):
    """Noisy points in the plane, in classes.

    Args:
        noise: standard deviation of the Gaussian noise on both coordinates.

    The other arguments are those of `Generated`.

    Shapes:
        x (B, 2) float32, y (B,) int64
    """

    def __init__(
        self,
        *,
        noise: float,
        train_size: int = 1_000,
        val_size: int = 200,
        test_size: int = 500,
        **settings: Any,
    ) -> None:
        super().__init__(train_size=train_size, val_size=val_size, test_size=test_size, **settings)
        not_negative(noise=noise)
        self.noise = noise


class TwoMoons(Planar):
    """Two half circles that reach into each other, as scikit-learn's `make_moons`.

    Class "outer" lies on (cos a, sin a), class "inner" on (1 - cos a, 1/2 - sin a), a in [0, pi].

    The arguments are those of `Planar`.
    """

    name = "moons"

    def __init__(self, *, noise: float = 0.1, **settings: Any) -> None:
        super().__init__(noise=noise, **settings)
        self.class_names = ["outer", "inner"]

    def generate(self, count: int, stream: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draws points, the two classes in turn."""
        y = torch.arange(count) % 2
        angle = math.pi * torch.rand(count, generator=stream)
        outer = torch.stack([angle.cos(), angle.sin()], dim=1)
        inner = torch.stack([1 - angle.cos(), 0.5 - angle.sin()], dim=1)
        points = torch.where(y.bool().unsqueeze(1), inner, outer)  # (N, 2)
        return points + self.noise * torch.randn(count, 2, generator=stream), y


class Spirals(Planar):
    """Spiral arms around the origin, one per class (after Lang and Witbrock 1988).

    A point of arm k at radius r in [0, 1] lies at angle 2 pi (turns * r + k / arms).

    Args:
        arms: number of arms, and of classes.
        turns: how often an arm winds around the origin.

    The other arguments are those of `Planar`.
    """

    name = "spirals"

    def __init__(
        self,
        *,
        arms: int = 2,
        turns: float = 1.5,
        noise: float = 0.02,
        **settings: Any,
    ) -> None:
        super().__init__(noise=noise, **settings)
        at_least(2, arms=arms)
        not_negative(turns=turns)
        self.arms = arms
        self.turns = turns
        self.class_names = [f"arm {arm}" for arm in range(arms)]

    def generate(self, count: int, stream: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draws points, the arms in turn, evenly along the radius."""
        y = torch.arange(count) % self.arms
        radius = torch.rand(count, generator=stream)
        angle = 2 * math.pi * (self.turns * radius + y / self.arms)
        points = radius.unsqueeze(1) * torch.stack([angle.cos(), angle.sin()], dim=1)  # (N, 2)
        return points + self.noise * torch.randn(count, 2, generator=stream), y
