"""Sequences of numbers: the adding problem, and a sine to forecast."""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from zoo.data.checks import at_least, not_negative
from zoo.data.generated import Generated
from zoo.preprocessing.views import SEQUENCE


class Timeline(NamedTuple):
    """A sample of a forecasting task along time, in the units of the data; of its first target.

    Attributes:
        name: what it is.
        start: the time of the first value seen.
        past: the values seen.
        truth: the values that follow.
        forecast: what was said of them.
    """

    name: str
    start: int
    past: list[float]
    truth: list[float]
    forecast: list[float]


class GeneratedSequence(Generated):
    """Sequences made up by a formula, served step by step and unscaled.

    The arguments are those of `Generated`.
    """

    kind = SEQUENCE
    views = tuple(SEQUENCE.views)

    def __init__(
        self,
        *,
        train_size: int = 10_000,
        val_size: int = 1_000,
        test_size: int = 1_000,
        batch_size: int = 64,
        view: str = "sequence",
        scaling: str = "none",
        **settings: Any,
    ) -> None:
        super().__init__(
            train_size=train_size,
            val_size=val_size,
            test_size=test_size,
            batch_size=batch_size,
            view=view,
            scaling=scaling,
            **settings,
        )


class Adding(GeneratedSequence):
    """The adding problem: the sum of the two marked values (Hochreiter and Schmidhuber 1997).

    A step has a value, uniform in [0, 1], and a mark, 0 or 1. As in Arjovsky (2016) one step is
    marked in the first half, [0, T // 2), and one in the second. Always answering 1, the mean, has
    a mean squared error of 1/6, the variance.

    Args:
        length: T, the number of steps.

    The other arguments are those of `GeneratedSequence`.

    Shapes:
        x (B, T, 2) float32, y (B, 1) float32 in original units
    """

    name = "adding"
    target = "values"

    def __init__(self, *, length: int = 50, **settings: Any) -> None:
        super().__init__(**settings)
        at_least(2, length=length)
        self.length = length

    def generate(self, count: int, stream: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draws values and marks."""
        values = torch.rand(count, self.length, generator=stream)
        half = self.length // 2
        first = torch.randint(0, half, (count, 1), generator=stream)
        second = torch.randint(half, self.length, (count, 1), generator=stream)
        marks = torch.zeros_like(values).scatter_(1, torch.cat([first, second], dim=1), 1.0)
        y = values.gather(1, first) + values.gather(1, second)
        return torch.stack([values, marks], dim=2), y  # (N, T, 2), (N, 1)


class Sine(GeneratedSequence):
    """Forecasting: the next values of a noisy sine of unknown phase.

    The series of a sample is sin(2 pi t / period + phase) + noise, the phase uniform; its first
    `window` values are the input, the `horizon` values after them the target. No forecast has a
    mean squared error below noise ** 2.

    Args:
        window: number of values seen.
        horizon: number of values to forecast.
        period: of the sine, in steps.
        noise: standard deviation of the Gaussian noise on every value.

    The other arguments are those of `GeneratedSequence`.

    Shapes:
        x (B, window, 1) float32, y (B, horizon) float32 in original units
    """

    name = "sine"
    target = "values"

    def __init__(
        self,
        *,
        window: int = 40,
        horizon: int = 1,
        period: float = 20.0,
        noise: float = 0.1,
        train_size: int = 2_000,
        val_size: int = 500,
        test_size: int = 500,
        **settings: Any,
    ) -> None:
        super().__init__(train_size=train_size, val_size=val_size, test_size=test_size, **settings)
        at_least(1, window=window, horizon=horizon)
        not_negative(noise=noise)
        if not 2 < period < math.inf:  # two samples a period are the least that show it (Nyquist)
            raise ValueError(f"`period` must be a finite number of more than 2 steps, got {period}")
        self.window = window
        self.horizon = horizon
        self.period = period
        self.noise = noise

    def generate(self, count: int, stream: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draws phases and noise."""
        phase = 2 * math.pi * torch.rand(count, 1, generator=stream)
        time = torch.arange(self.window + self.horizon)
        series = torch.sin(2 * math.pi / self.period * time + phase)
        series += self.noise * torch.randn(series.shape, generator=stream)
        x, y = series.split([self.window, self.horizon], dim=1)
        return x.unsqueeze(2), y.clone()

    def timeline(self, split: str, index: int, y: Tensor) -> Timeline:
        """A sample of a split along time, with `y` (horizon,), a net's output, as the forecast."""
        x, truth = self.splits[split].x[index], self.splits[split].y[index]
        return Timeline(self.name, 0, x[:, 0].tolist(), truth.tolist(), y.tolist())
