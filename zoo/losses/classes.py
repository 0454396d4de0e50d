"""Losses of classes: one of many, or many yes-or-no."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.losses.base import Loss, check_choice, check_in, check_same, select

REDUCTIONS = ("mean", "sum")


def cross_entropy(
    logits: Tensor,
    target: Tensor,
    label_smoothing: float = 0.0,
    class_weights: Tensor | None = None,
    ignore_index: int = -100,
    mask: Tensor | None = None,
) -> Tensor:
    """Negative log probability of the right class in nats; mean over targets that count.

    Args:
        logits: unnormalised log probabilities, classes on the last dimension.
        target: class ids, or a probability for each class (soft targets, as mixing samples makes
            them; Zhang 2018).
        label_smoothing: share of the target's probability that is spread evenly over all classes
            (Szegedy 2016).
        class_weights: one for each class; the mean divides by the sum of the targets' weights.
        ignore_index: a class id that does not count; if nothing else is left, the mean is NaN. Soft
            targets all count.
        mask: which targets count.

    Shapes:
        logits (..., C), target (...) int64 or (..., C) floating point, mask over the leading
            dimensions of target -> ()
    """
    check_classes(logits, target)
    if class_weights is not None and class_weights.shape != logits.shape[-1:]:
        raise ValueError(
            f"`class_weights` must have one weight for each of {logits.shape[-1]} classes, "
            f"got {tuple(class_weights.shape)}"
        )
    if target.is_floating_point():
        return _soft(*select(logits, target, mask), label_smoothing, class_weights)
    logits, target = select(logits, target, mask)
    return F.cross_entropy(
        logits.reshape(-1, logits.shape[-1]),
        target.reshape(-1),
        weight=class_weights,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
    )


def _soft(
    logits: Tensor, target: Tensor, label_smoothing: float, class_weights: Tensor | None
) -> Tensor:
    """The mean over samples; with weights divided by the targets' own, as for class ids.

    torch divides by the number of samples there, so that its one-hot targets and its class ids
    give different losses.
    """
    logits, target = logits.reshape(-1, logits.shape[-1]), target.reshape(-1, logits.shape[-1])
    weights = logits.new_ones(()) if class_weights is None else class_weights
    mass = (target * weights).sum(-1)
    smoothed = target * (1 - label_smoothing) + label_smoothing / target.shape[-1]
    losses = -(smoothed * weights * logits.log_softmax(-1)).sum(-1)
    return losses.sum() / mass.sum() if class_weights is not None else losses.mean()


def check_classes(logits: Tensor, target: Tensor) -> None:
    """Refuse a target that is neither class ids nor a probability for each class."""
    shapes = f"{tuple(logits.shape)} and {tuple(target.shape)}"
    soft = target.is_floating_point() and logits.ndim > 0 and logits.shape == target.shape
    if not soft and (logits.ndim == 0 or logits.shape[:-1] != target.shape):
        raise ValueError(
            f"`logits` must be (..., C) for a `target` (...), got {shapes}: move the classes to "
            "the last dimension, or give class ids; one-hot vectors must be floating point"
        )
    if not logits.is_floating_point() or (not soft and target.dtype != torch.int64):
        raise ValueError(
            "`logits` must be floating point and `target` class ids in int64, "
            f"got {logits.dtype} and {target.dtype}: use target.long(), or a loss of values"
        )


class CrossEntropy(Loss):
    """Cross-entropy of logits with classes on the last dimension: see `cross_entropy`.

    Args:
        label_smoothing: share of the target's probability spread over all classes, in [0, 1).
        class_weights: one for each class, >= 0; None weighs all alike.
        ignore_index: a class id that does not count.
    """

    target = "classes"
    class_weights: Tensor | None

    def __init__(
        self,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
        ignore_index: int = -100,
    ) -> None:
        check_in("[0, 1)", "label_smoothing", label_smoothing)
        for i, weight in enumerate(class_weights or ()):
            check_in("[0, inf)", f"class_weights[{i}]", weight)
        super().__init__()
        self.label_smoothing = label_smoothing
        self.ignore_index = ignore_index
        # Settings, not something learned: they follow the device but stay out of checkpoints.
        weights = None if class_weights is None else torch.tensor(list(class_weights)).float()
        self.register_buffer("class_weights", weights, persistent=False)

    def forward(self, prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the mean over all targets that count."""
        return cross_entropy(
            prediction, target, self.label_smoothing, self.class_weights, self.ignore_index, mask
        )


def binary_cross_entropy(
    logits: Tensor, target: Tensor, reduction: str = "mean", mask: Tensor | None = None
) -> Tensor:
    """Negative log probability of independent yes-or-no targets in nats, from their log odds.

    Args:
        logits: log odds of a one.
        target: probabilities in [0, 1], usually 0.0 and 1.0.
        reduction: "mean" over all valid elements; "sum" over the last dimension (the notes of a
            frame, the features of a sample), then the mean over frames or samples, as the NLL of
            piano rolls is reported (Boulanger-Lewandowski 2012).
        mask: which samples, frames or elements count.

    Shapes:
        logits (..., K), target (..., K), mask over the leading dimensions of target -> ()
    """
    check_choice("reduction", reduction, REDUCTIONS)
    check_same(logits, target)
    summed = reduction == "sum"
    if summed and (target.ndim < 2 or (mask is not None and mask.ndim == target.ndim)):
        raise ValueError(
            "`reduction='sum'` must see whole frames (..., K) and a mask over frames, got a target "
            f"{tuple(target.shape)} and a mask {None if mask is None else tuple(mask.shape)}"
        )
    mean = F.binary_cross_entropy_with_logits(*select(logits, target, mask))
    return mean * target.shape[-1] if summed else mean


class BinaryCrossEntropy(Loss):
    """Binary cross-entropy of logits: see `binary_cross_entropy`.

    Args:
        reduction: "mean" over elements, or "sum" over the elements of a sample or frame.
    """

    def __init__(self, reduction: str = "mean") -> None:
        check_choice("reduction", reduction, REDUCTIONS)
        super().__init__()
        self.reduction = reduction

    def forward(self, prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the mean over valid elements, or over the sums of valid frames."""
        return binary_cross_entropy(prediction, target, self.reduction, mask)
