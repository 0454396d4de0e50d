"""Where a number that is not finite came from: data, weights, layer, term of the loss, gradient."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import lightning.pytorch as pl
import torch
from torch import Tensor

from zoo.callbacks.trial import leaves, tensors, terms_of, trial
from zoo.lit import LitModel
from zoo.lit.base import Batch

LARGE = 1e4  # an output beyond it is the reason for its loss


class Diagnosis(NamedTuple):
    """What was found, in words."""

    place: str
    kind: str  # "data", "weights", "layer", "term", "gradient" or "unknown"


UNKNOWN = Diagnosis("run once more, with other random numbers, it is finite", "unknown")


def diagnose(
    trainer: pl.Trainer, module: LitModel, batch: Batch, *, gradients: bool = False
) -> Diagnosis:
    """Look for the first number that is not finite, by running the batch once more, untraced.

    Args:
        trainer: gives the precision.
        module: in the mode, training or evaluation, in which it was seen.
        batch: the one that was seen, on the module's device.
        gradients: whether the loss was finite and so those of the backward pass tell something.
    """
    if place := in_data(batch):
        return Diagnosis(place, "data")
    if place := in_weights(module):
        return Diagnosis(place, "weights")
    with trial(trainer, module), torch.enable_grad():
        layer, term, largest = in_forward(module, batch)
    if layer:
        return Diagnosis(f"{layer}; {term}" if term else layer, "layer")
    if term:
        kind = "term" if largest < LARGE else "layer"
        return Diagnosis(f"{term}, the net's output at most {largest:.3g}", kind)
    if gradients and (place := in_gradients(module)):
        return Diagnosis(f"{place}, the loss finite", "gradient")
    if place := in_buffers(module):
        return Diagnosis(place, "layer")
    return UNKNOWN


def remedies(trainer: pl.Trainer, kind: str = "unknown") -> list[str]:
    """What to try, given where it came from."""
    if kind == "data":
        return ["correct the data"]
    rate = trainer.optimizers[0].param_groups[0]["lr"]
    clip = trainer.gradient_clip_val
    limit = 1.0 if clip is None else clip / 10
    words = ["check the targets of this batch"] if kind == "term" else []
    words += [f"lower optimizer.lr (now {rate:.3g})", f"set trainer.gradient_clip_val={limit:g}"]
    if "16" in str(trainer.precision):
        words.append("trainer.precision=32-true")
    return words


def in_data(batch: Batch) -> str:
    """Which part of a batch is not finite."""
    for name in ("x", "y", "clean"):
        part = getattr(batch, name, None)
        if isinstance(part, Tensor) and (bad := fault(part)):
            samples = int((~part.isfinite()).flatten(1).any(1).sum() if part.ndim > 1 else 0)
            where = f" in {samples} of {len(part)} samples" if samples else ""
            return f"{name} of the batch is {bad}{where}"
    return ""


def in_weights(module: LitModel) -> str:
    """Which parameter of the net is not finite."""
    return first_named(module.net.named_parameters())


def in_buffers(module: LitModel) -> str:
    """Which buffer is not finite; a batch may have done that without an update."""
    return first_named(module.net.named_buffers())


def in_forward(module: LitModel, batch: Batch) -> tuple[str, str, float]:
    """The first layer whose output is not finite, the first such term, and the largest output."""
    found: list[str] = []

    def watch(name: str, layer: torch.nn.Module) -> Any:
        def look(part: Any, inputs: Any, output: Any) -> None:
            if not found and (bad := first_fault(tensors(output))):
                before = first_fault(tensors(inputs)) or "finite"
                kind = type(layer).__name__
                found.append(f"the output of {name} ({kind}) is {bad}, its input {before}")

        return layer.register_forward_hook(look)

    handles = [watch(name or "the net", layer) for name, layer in leaves(module.net)]
    try:
        result, terms = terms_of(module, batch)
    finally:
        for handle in handles:
            handle.remove()
    if not found and (bad := first_fault(tensors(result.output))):
        found.append(f"the net's output is {bad}, that of its layers finite")
    named = [f"the term {name} is {bad}" for name, term in terms.items() if (bad := fault(term))]
    if found and len(terms) == 1:
        named = []  # it follows
    largest = max((float(part.detach().abs().max()) for part in tensors(result.output)), default=0)
    return next(iter(found), ""), next(iter(named), ""), largest


def in_gradients(module: LitModel) -> str:
    """Which gradient is not finite, nearest to the loss: it came first in the backward pass."""
    wrong = [
        (name, bad)
        for name, parameter in reversed([*module.net.named_parameters()])
        if parameter.grad is not None and (bad := fault(parameter.grad))
    ]
    if not wrong:
        return ""
    name, bad = wrong[0]
    others = f" (and of {len(wrong) - 1} before it)" if len(wrong) > 1 else ""
    return f"the gradient of {name}{others} is {bad}"


def first_named(values: Iterable[tuple[str, Tensor]]) -> str:
    """The first tensor that is not finite, with its name; "" if all are."""
    return next((f"{name} is {bad}" for name, value in values if (bad := fault(value))), "")


def first_fault(values: Iterable[Tensor]) -> str:
    """What is wrong with the first tensor that is not finite, "" if all are."""
    return next((bad for value in values if (bad := fault(value))), "")


def fault(value: Tensor) -> str:
    """What is wrong with the numbers: "nan", "inf" or ""."""
    if not value.is_floating_point() or math.isfinite(float(value.detach().sum())):
        return ""
    if bool(value.isnan().any()):
        return "nan"
    return "inf" if bool(value.isinf().any()) else ""
