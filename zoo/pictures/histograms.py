"""How weights and gradients are distributed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.tensorboard.summary import histogram_raw

from zoo.lit import LitModel
from zoo.lit.base import sum_of
from zoo.pictures.base import Picture, Scene, at_least
from zoo.pictures.samples import Samples, first, run


class Histograms(Picture):
    """Histograms of each weight and of its gradient, that of the task loss over fixed samples.

    Args:
        bins: of a histogram.
        samples: how many of the validation split.
        every: draw after so many validations; None: at the end alone.
    """

    name = "histograms"

    def __init__(self, *, bins: int = 64, samples: int = 128, every: int | None = 1) -> None:
        super().__init__(every=every)
        self.bins, self.samples = at_least(1, bins=bins), at_least(1, samples=samples)

    def suits(self, scene: Scene) -> bool:
        """Every net."""
        return True

    def draw(self, scene: Scene) -> None:
        """Count, and write."""
        parameters = {n: p for n, p in scene.net.named_parameters() if p.requires_grad}
        gradients = gradients_of(
            scene.module, first(scene, self.samples), list(parameters.values())
        )
        values: list[Any] = []
        for (name, parameter), gradient in zip(parameters.items(), gradients, strict=True):
            values += histogram(f"weights/{name}", parameter.detach(), self.bins)
            if gradient is not None:
                values += histogram(f"gradients/{name}", gradient, self.bins)
        scene.write(values)


def gradients_of(
    module: LitModel, samples: Samples, parameters: list[nn.Parameter]
) -> tuple[Tensor | None, ...]:
    """The gradient of the task loss for each parameter; None if it has no part in it."""
    module.on_validation_epoch_start()  # a stream begins with an empty state
    # cuDNN's recurrent layers have no gradient in evaluation mode.
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        loss = sum_of(module.task(run(module, samples)))
        return torch.autograd.grad(loss, parameters, allow_unused=True)


def histogram(tag: str, numbers: Tensor, bins: int) -> list[Any]:
    """The summary of finite numbers: six times as fast as torch's, which sorts them."""
    numbers = numbers.float().cpu().flatten()
    numbers = numbers[numbers.isfinite()]
    if not len(numbers):
        return []
    least, most = float(numbers.min()), float(numbers.max())
    low, high = (least, most) if most > least else (least - 0.5, least + 0.5)
    wide = numbers.double()
    return list(
        histogram_raw(
            tag,
            least,
            most,
            len(numbers),
            float(wide.sum()),
            float(wide.square().sum()),
            torch.linspace(low, high, bins + 1)[1:].tolist(),
            torch.histc(numbers, bins, low, high).tolist(),
        ).value
    )
