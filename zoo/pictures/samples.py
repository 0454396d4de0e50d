"""The fixed samples that pictures look at: the first of the validation split, in its own order."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from zoo.lit import LitModel
from zoo.lit.base import Prediction
from zoo.pictures.base import Scene
from zoo.pictures.colours import coloured

CHUNK = 256  # samples that go through a net together
STEPS = ("sequence", "rows", "pixels", "tokens")  # views in which a sample is a row of steps


class Samples(NamedTuple):
    """A batch that is the same in every run."""

    x: Tensor
    y: Tensor
    lengths: Tensor | None = None
    mask: Tensor | None = None
    clean: Tensor | None = None

    def part(self, start: int, end: int) -> Samples:
        """Some of them."""
        return Samples(*(None if t is None else t[start:end] for t in self))  # type: ignore[arg-type]


def first(scene: Scene, count: int) -> Samples:
    """The first samples as the net reads them, on its device; of a text as many pieces of it."""
    key = ("samples", count)
    if key not in scene.shared:
        scene.shared[key] = _first(scene, count)
    return scene.shared[key]


def _first(scene: Scene, count: int) -> Samples:
    data, weight = scene.data, next(scene.net.parameters())
    split = data.splits["val"]
    if is_stream(data):
        length = min(data.steps, len(split.x))
        rows = min(count, len(split.x) // length)
        x, y = (side[: rows * length].view(rows, length) for side in (split.x, split.y))
        return Samples(x.long().to(weight.device), y.long().to(weight.device))
    part = type(split)(*(None if t is None else t[:count] for t in split))
    if data.view in STEPS:
        part = part.trimmed()
    x = data.serve(part.x)
    floating = [t.to(weight) if t.is_floating_point() else t for t in (x, part.y)]
    tensors = [*floating, part.lengths, part.mask]
    # A copy: a tensor made in inference mode cannot take part in gradients.
    return Samples(*(None if t is None else t.to(weight.device, copy=True) for t in tensors))  # type: ignore[arg-type]


def is_stream(data: Any) -> bool:
    """Whether the data is one long text, and not samples."""
    return bool(data.splits["val"].x.ndim == 1)


def predicted(scene: Scene, count: int) -> Prediction:
    """What the module makes of the first samples, on the CPU; once for all pictures that ask."""
    key = ("prediction", count)
    if key not in scene.shared:
        samples = first(scene, count)
        parts = [
            run(scene.module, samples.part(start, start + CHUNK))
            for start in range(0, len(samples.x), CHUNK)
        ]
        prediction, target = (
            torch.cat([getattr(part, field) for part in parts]).cpu()
            for field in ("prediction", "target")
        )
        mask = None if samples.mask is None else samples.mask.cpu()
        prediction = prediction.float()
        scene.shared[key] = Prediction(None, prediction, target, mask)
    return scene.shared[key]


def run(module: LitModel, samples: Samples) -> Prediction:
    """What the module makes of samples."""
    batch: Any = samples
    return module.predict(batch)


class Votes(NamedTuple):
    """Classes of the first samples, or of their steps that count.

    Attributes:
        probabilities: (N, C).
        truth: (N,).
    """

    probabilities: Tensor
    truth: Tensor


def votes(scene: Scene, count: int) -> Votes:
    """The probability of each class, beside the class that it is."""
    result = predicted(scene, count)
    logits, truth = result.prediction, result.target
    if result.mask is not None:
        logits, truth = logits[result.mask], truth[result.mask]
    return Votes(logits.flatten(0, -2).softmax(-1), truth.flatten())


def classifies(scene: Scene) -> bool:
    """Whether the net answers with a class; a language model has too many to speak of."""
    data, module = scene.data, scene.module
    return (
        module.loss.target == "classes"
        and not module.reconstructs
        and not getattr(data, "predicts_next", False)
        and 2 <= len(data.class_names or ()) <= 100
    )


def image_shape(data: Any) -> tuple[int, int, int] | None:
    """(C, H, W) of a sample that is a picture; None if it is something else."""
    kind = getattr(data, "kind", None)
    if getattr(kind, "medium", None) != "image":
        return None
    shape = data.plain(data.splits["val"].x[:1]).shape[1:]
    return tuple(shape) if len(shape) == 3 and shape[0] in (1, 3) else None


def stored_images(data: Any, indices: Tensor) -> Tensor:
    """Samples of the validation split as a person sees them: (N, H, W, 3) uint8."""
    raw = data.splits["val"].x[indices].float()
    return painted(raw, *limits(data))


def served_images(data: Any, x: Tensor) -> Tensor:
    """What has the scale of a net's input, or its reconstruction, as images (N, H, W, 3) uint8."""
    shape = image_shape(data)
    assert shape is not None
    raw = x.detach().float().cpu().reshape(len(x), *shape)
    scaling = data.input_scaling
    return painted(raw * scaling.scale.cpu() + scaling.shift.cpu(), *limits(data))


def limits(data: Any) -> tuple[float, float]:
    """The smallest and the largest number of an image as it is stored."""
    if data.limits is not None:
        return data.limits
    values = data.splits["val"].x[:CHUNK].float()
    return float(values.min()), float(values.max())


def painted(images: Tensor, low: float, high: float) -> Tensor:
    """(N, C, H, W) -> (N, H, W, 3) uint8; one channel is shades of grey."""
    if images.shape[1] == 1:
        return coloured(images[:, 0], "grey", low, high)
    span = high - low if high > low else 1.0
    shares = ((images - low) / span).nan_to_num(0.5, 1, 0).clamp(0, 1)
    return (shares * 255).round().byte().permute(0, 2, 3, 1).contiguous()


def signed(weights: Tensor, bound: float) -> Tensor:
    """Weights (N, C, H, W) as images: red above zero, blue below; three channels as colours."""
    if weights.shape[1] == 1:
        return coloured(weights[:, 0], "signed", -bound, bound)
    return painted(weights, -bound, bound)


def bound_of(weights: Tensor) -> float:
    """A magnitude that almost all weights are within."""
    values = weights.detach().abs().flatten().float()
    values = values[values.isfinite()]
    if not len(values):
        return 1.0
    rank = max(1, math.ceil(0.995 * len(values)))
    return float(values.kthvalue(rank).values) or 1.0


def number(value: float) -> str:
    """A number in a caption."""
    return f"{value:.3g}"
