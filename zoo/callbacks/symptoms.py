"""What can be wrong with a net, its data and its optimiser before the first update: one rule each.

A rule takes a case and yields sentences, none if all is well.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from zoo.lit import LitModel
from zoo.lit.base import Batch, Prediction
from zoo.losses import MAE, MSE, GaussianNLL, Huber

RATES = {  # beyond these none of four nets learns the digits, by the optimizer's class
    "SGD": (1e-5, 10.0),  # divided by 1 - momentum
    "Adam": (1e-6, 0.3),
    "AdamW": (1e-6, 0.3),
    "RMSprop": (1e-6, 0.1),
}
FAR = 10.0  # deviations and means of targets beyond it, or below 1 / 10, are far from 0 and 1
OBSERVED = 32  # values of a unit from which it can be called dead
SATURATED = 0.99  # of the range of a tanh


class Case(NamedTuple):
    """A net before its first update, and what it makes of a few samples in training mode."""

    module: LitModel
    batch: Batch
    result: Prediction
    terms: dict[str, Tensor]  # of the loss, penalties included
    gradients: dict[str, Tensor | None]  # of their sum, by parameter
    activations: dict[str, tuple[nn.Module, Tensor]]  # of layers that can saturate, (N, units)
    alone: dict[str, bool]  # per mode, "evaluation" and "training": no sample changes another's
    optimizer: Optimizer
    shuffled: bool


def initial_loss(case: Case) -> Iterator[str]:
    """Far from the loss of outputs that are all zero: ln C, the mean square of the targets, ….

    Karpathy 2019, "A recipe for training neural networks": verify the loss at the beginning.
    """
    result, module = case.result, case.module
    blank = result._replace(output=zeros(result.output), prediction=zeros(result.prediction))
    expected = float(sum(module.task(blank).values()))
    terms = [term for name, term in case.terms.items() if not name.startswith("penalty/")]
    loss = float(sum(terms).detach())  # type: ignore[union-attr]
    classes = module.loss.target == "classes"
    theory = f"{expected:.3g}" + (f" = ln {result.prediction.shape[-1]}" if classes else "")
    if loss > 2 * abs(expected) + 2:
        yield (
            f"the initial loss is {loss:.3g}, outputs of zero would give {theory}: the first "
            "outputs are too large; scale the inputs, or start with smaller weights"
        )
    elif classes and loss < expected / 2:
        yield (
            f"the initial loss is {loss:.3g}, less than half of the {theory} of a net that knows "
            "nothing: the loss is scaled, or the net has been trained"
        )


def units(case: Case) -> Iterator[str]:
    """Layers half of whose units are dead (0 for every sample) or saturated (9 of 10 times)."""
    for word, share in (("dead", dead), ("saturated", saturated)):
        ill = [
            f"{round(part * observed.shape[1])} of {observed.shape[1]} in {name}"
            for name, (layer, observed) in case.activations.items()
            if len(observed) >= OBSERVED and (part := share(layer, observed)) >= 0.5
        ]
        if ill:
            samples = len(case.batch.x)
            meaning = "0" if word == "dead" else "at their limits"
            yield (
                f"{word} units, {meaning} for {samples} samples: {', '.join(ill)}; scale the "
                "inputs, or start with other weights"
            )


def influence(case: Case) -> Iterator[str]:
    """A prediction that depends on other samples of its batch."""
    for mode, alone in case.alone.items():
        if not alone:
            beyond = " other than through batch norm" if mode == "training" else ""
            yield (
                f"samples of a batch influence each other in {mode}{beyond}: something in the net "
                "mixes its first dimension"
            )


def gradients(case: Case) -> Iterator[str]:
    """Parameters that the loss does not reach, or not yet."""
    unused = [name for name, gradient in case.gradients.items() if gradient is None]
    still = [
        n for n, gradient in case.gradients.items() if gradient is not None and not gradient.any()
    ]
    if unused:
        yield f"the loss does not depend on {several(unused)}, which will not learn"
    if still:
        yield (
            f"the gradient of {several(still)} is exactly 0 at the first step: what comes after "
            "starts at zero, or is dead"
        )


def labels(case: Case) -> Iterator[str]:
    """One class alone in the first batch."""
    target, mask = case.result.target, case.result.mask
    target = target if mask is None else target[mask]
    if target.is_floating_point() or target.numel() < 16:
        return
    if bool((target == target.flatten()[0]).all()):
        remedy = "check the labels" if case.shuffled else "set data.shuffle=true"
        number, label = target.numel(), int(target.flatten()[0])
        yield f"all {number} labels of the first batch are class {label}; {remedy}"


def targets(case: Case) -> Iterator[str]:
    """Values to predict that are far from mean 0 and deviation 1, or all the same."""
    if not isinstance(case.module.loss, (MSE, MAE, Huber, GaussianNLL)):
        return
    target, mask = case.result.target, case.result.mask
    target = target if mask is None else target[mask]
    if target.numel() < 16:
        return
    mean, deviation = float(target.mean()), float(target.std())
    if deviation == 0:
        yield f"all targets of the first batch are {mean:.3g}"
    elif abs(mean) > FAR * max(1.0, deviation) or not 1 / FAR < deviation < FAR:
        yield (
            f"targets have mean {mean:.3g} and deviation {deviation:.3g}: a net learns them "
            "better at 0 and 1"
        )


def learning_rate(case: Case) -> Iterator[str]:
    """A rate at which nets do not learn with that optimizer.

    Measured: FNN, CNN, LSTM and linear model on the digits for six epochs, rates from 1e-6 to 100.
    Of SGD with momentum m what counts is lr / (1 - m). Bengio 2012, "Practical recommendations",
    sees learning rates above 1e-6 and below 1; one step of Adam moves each weight by about its rate
    (Kingma & Ba 2015), and first weights are around 0.1.
    """
    group = case.optimizer.param_groups[0]
    name, rate = type(case.optimizer).__name__, group.get("initial_lr", group["lr"])
    if name not in RATES:
        return
    low, high = RATES[name]
    momentum = group.get("momentum", 0.0)
    effective = rate / (1 - momentum) if momentum < 1 else math.inf
    if not low <= effective <= high:
        with_momentum = f" (with momentum {momentum:g}: {effective:.3g})" if momentum else ""
        yield (
            f"the learning rate {rate:.3g}{with_momentum} is not within {low:g} to {high:g}, where "
            f"{name} learns; set optimizer.lr"
        )


SYMPTOMS = (initial_loss, units, influence, gradients, labels, targets, learning_rate)


def dead(layer: nn.Module, observed: Tensor) -> float:
    """The share of units (N, units) that are 0 in all N cases; of a rectifier."""
    rectifies = isinstance(layer, nn.ReLU) or getattr(layer, "nonlinearity", "") == "relu"
    return float((observed == 0).all(0).double().mean()) if rectifies else 0.0


def saturated(layer: nn.Module, observed: Tensor) -> float:
    """The share of units (N, units) that are at a limit in nine of ten cases."""
    if isinstance(layer, nn.Sigmoid):
        observed = 2 * observed - 1
    elif isinstance(layer, nn.ReLU) or getattr(layer, "nonlinearity", "") == "relu":
        return 0.0
    return float(((observed.abs() > SATURATED).double().mean(0) > 0.9).double().mean())


def several(names: list[str]) -> str:
    """A few names, and how many more."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def zeros(value: Any) -> Any:
    """The same nested tuples with zeros for numbers."""
    if isinstance(value, Tensor):
        return torch.zeros_like(value)
    if isinstance(value, tuple):
        parts = [zeros(part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value
