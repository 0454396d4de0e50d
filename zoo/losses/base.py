"""What all losses share: their face, and what they refuse."""

from typing import ClassVar

import torch
from torch import Tensor, nn


class Loss(nn.Module):
    """A task loss: `loss(prediction, target, mask=None)` returns a scalar.

    Only `NegativeELBO` reads a whole output and returns two terms.

    Attributes:
        target: the kind of target, "classes" (int64 ids) or "values" (floating point).
        outputs_per_target: how many outputs the net needs for each value of the target.
    """

    target: ClassVar[str] = "values"
    outputs_per_target: ClassVar[int] = 1

    def point(self, prediction: Tensor) -> Tensor:
        """Return the part of a prediction that metrics compare with the target."""
        return prediction


def check_same(prediction: Tensor, target: Tensor) -> None:
    """Refuse tensors that differ in shape, which would broadcast, or are not floating point."""
    ours, theirs = tuple(prediction.shape), tuple(target.shape)
    if ours != theirs:
        same_size = prediction.numel() == target.numel()
        remedy = f"target.reshape{ours}" if same_size else "one output for each value of the target"
        raise ValueError(
            f"`prediction` and `target` must have one shape, got {ours} and {theirs}: use {remedy}"
        )
    for name, tensor in (("prediction", prediction), ("target", target)):
        if not tensor.is_floating_point():
            raise ValueError(
                f"`{name}` must be floating point, got {tensor.dtype}: use {name}.float()"
            )


def select(prediction: Tensor, target: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Keep only what the mask marks: (B, T, ...) with a mask (B, T) becomes (N, ...).

    Selecting before computing makes a masked loss exactly the loss of the valid elements, even
    where the padding holds NaN. It waits for the GPU, as counting the elements does; without a
    mask nothing does.
    """
    if mask is None:
        return prediction, target
    if mask.dtype != torch.bool or mask.ndim == 0 or mask.shape != target.shape[: mask.ndim]:
        raise ValueError(
            f"`mask` must be bool over the leading dimensions of the target {tuple(target.shape)}, "
            f"got {mask.dtype} {tuple(mask.shape)}"
        )
    target = target[mask]
    if len(target) == 0:
        raise ValueError("`mask` must have at least one True, got none: nothing to average")
    return prediction[mask], target


def check_in(interval: str, name: str, value: float) -> None:
    """Refuse what is not a number in an interval such as "[0, inf)"; NaN is in none."""
    low, high = (float(end) for end in interval[1:-1].split(","))
    inside = isinstance(value, (int, float)) and (
        low < value < high
        or (value == low and interval[0] == "[")
        or (value == high and interval[-1] == "]")
    )
    if not inside:
        raise ValueError(f"`{name}` must be in {interval}, got {value!r}")


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Refuse a value that is not among the choices."""
    if value not in choices:
        raise ValueError(f"`{name}` must be one of {', '.join(choices)}, got {value!r}")
