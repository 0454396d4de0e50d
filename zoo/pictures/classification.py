"""What a classifier takes for what, and where it is sure and wrong."""

from __future__ import annotations

import html
from typing import Any

import torch
from torch import Tensor
from torch.utils.tensorboard.summary import pr_curve_raw

from zoo.pictures.base import Picture, Scene, at_least
from zoo.pictures.canvas import MARGIN, Canvas, shortened, width_of
from zoo.pictures.charts import Axes, padded
from zoo.pictures.colours import GREY, category
from zoo.pictures.grids import TITLE, matrix, tiled
from zoo.pictures.samples import (
    classifies,
    image_shape,
    number,
    predicted,
    stored_images,
    votes,
)

CURVES = 20  # classes that have a precision-recall curve
THRESHOLDS = 127


class Confusion(Picture):
    """The confusion matrix: how often each class is taken for which.

    Args:
        samples: how many of the validation split are looked at.
        every: see `Picture`.
    """

    name = "confusion"

    def __init__(self, *, samples: int = 500, every: int | None = None) -> None:
        super().__init__(every=every)
        self.samples = at_least(1, samples=samples)

    def suits(self, scene: Scene) -> bool:
        """Nets that answer with a class."""
        return classifies(scene)

    def draw(self, scene: Scene) -> None:
        """Count, and shade each row by its shares."""
        probabilities, truth = votes(scene, self.samples)
        names = scene.data.class_names
        counts = confusion(truth, probabilities.argmax(-1), len(names))
        shares = counts / counts.sum(1, keepdim=True).clamp(min=1)
        total, right = int(counts.sum()), int(counts.trace())
        texts = [[brief(c) for c in row] for row in counts.tolist()]
        canvas = matrix(
            shares,
            title=f"{right:,} of {total:,} right ({100 * right / max(1, total):.1f} %)",
            names=names,
            texts=texts if len(names) <= CURVES else None,
            sides=("truth", "said"),
            ends=("0 %", "100 % of the true class"),
        )
        about = "How often each class (row) is taken for which (column), in the validation split."
        scene.image("classification/confusion", canvas, about)


def brief(count: int) -> str:
    """A count that fits into a field; nothing for none."""
    return f"{count / 1000:.0f}k" if count >= 10_000 else str(count or "")


def confusion(truth: Tensor, said: Tensor, classes: int) -> Tensor:
    """How often class i was taken for class j.

    Shapes:
        truth (N,), said (N,) -> (classes, classes) int64
    """
    return torch.bincount(truth * classes + said, minlength=classes**2).view(classes, classes)


class Mistakes(Picture):
    """The mistakes that the net is most sure of, with their inputs.

    Args:
        samples: how many of the validation split are looked at.
        shown: how many mistakes.
        every: see `Picture`.
    """

    name = "mistakes"

    def __init__(self, *, samples: int = 500, shown: int = 16, every: int | None = None) -> None:
        super().__init__(every=every)
        self.samples, self.shown = at_least(1, samples=samples), at_least(1, shown=shown)

    def suits(self, scene: Scene) -> bool:
        """Nets that answer with a class for each sample."""
        return classifies(scene) and scene.data.splits["val"].y.ndim == 1

    def draw(self, scene: Scene) -> None:
        """Images as tiles, sequences as lines, all else as a table of text."""
        result = predicted(scene, self.samples)
        sure, said = result.prediction.softmax(-1).max(-1)
        wrong = (said != result.target).nonzero().flatten()
        worst = wrong[sure[wrong].argsort(descending=True, stable=True)][: self.shown]
        names = scene.data.class_names
        captions = [
            (f"{names[t]} > {names[s]}", f"{p:.3f}")
            for t, s, p in zip(
                result.target[worst].tolist(),
                said[worst].tolist(),
                sure[worst].tolist(),
                strict=True,
            )
        ]
        title = f"{len(wrong):,} of {len(said):,} wrong"
        about = "Mistakes, the most confident first: truth > answer, and its probability."
        if image_shape(scene.data) is not None:
            canvas = mistaken_images(scene, worst, captions, title)
        elif is_series(scene):
            canvas = mistaken_series(scene, worst, captions, title)
        else:
            scene.text("classification/mistakes", mistaken_rows(scene, worst, captions, title))
            return
        scene.image("classification/mistakes", canvas, about)


Captions = list[tuple[str, str]]


def is_series(scene: Scene) -> bool:
    """Whether a sample is numbers along time."""
    medium = getattr(getattr(scene.data, "kind", None), "medium", None)
    x = scene.data.splits["val"].x
    return bool(medium == "series" and x.ndim == 3 and x.is_floating_point())


def mistaken_images(scene: Scene, worst: Tensor, captions: Captions, title: str) -> Canvas:
    """As tiles."""
    if not len(worst):
        return nothing_wrong(title)
    images = stored_images(scene.data, worst)
    return tiled(
        images,
        min(4, len(worst)),
        title=f"{title}; truth > said",
        size=84,
        captions=captions,
        least=min(150, round(max(width_of(pair) for pair, _ in captions)) + 4),
    )


def mistaken_series(scene: Scene, worst: Tensor, captions: Captions, title: str) -> Canvas:
    """As small line plots, a line for each of the first few channels."""
    if not len(worst):
        return nothing_wrong(title)
    columns, wide, high = min(3, len(worst)), 176, 116
    rows = -(-len(worst) // columns)
    canvas = Canvas(
        max(MARGIN + columns * wide, 300), TITLE + rows * high + MARGIN, f"{title}; truth > said"
    )
    split = scene.data.splits["val"]
    for place, (index, (pair, sure)) in enumerate(zip(worst.tolist(), captions, strict=True)):
        x, y = MARGIN + place % columns * wide, TITLE + place // columns * high
        steps = split.x.shape[1] if split.lengths is None else int(split.lengths[index])
        channels = split.x[index, :steps].float().T.tolist()[:6]
        span = padded([value for channel in channels for value in channel])
        corners = (x + 34, y + 18, x + wide - 12, y + high - 26)
        axes = Axes(canvas, corners, (0, max(1, steps - 1)), span, whole=True)
        for channel, values in enumerate(channels):
            axes.line(range(steps), values, category(channel))
        axes.close()
        middle = x + 34 + (wide - 46) / 2
        text = shortened(f"{pair}  {sure}", wide - 20)
        canvas.text(middle, y + 8, text, anchor="m")
    return canvas


def nothing_wrong(title: str) -> Canvas:
    """A sheet that says so."""
    canvas = Canvas(320, 72, title)
    canvas.text(MARGIN, 46, "no mistake to show", colour=GREY)
    return canvas


def mistaken_rows(scene: Scene, worst: Tensor, captions: Captions, title: str) -> str:
    """As a table in Markdown."""
    if not len(worst):
        return title
    lines = [title, "", "| truth > said | probability | input |", "| --- | ---: | --- |"]
    for index, (pair, sure) in zip(worst.tolist(), captions, strict=True):
        lines.append(f"| {escaped(pair)} | {sure} | {escaped(described(scene, index))} |")
    return "\n".join(lines)


def described(scene: Scene, index: int) -> str:
    """A sample in words or numbers."""
    split, vocabulary = scene.data.splits["val"], getattr(scene.data, "vocabulary", None)
    row = split.x[index]
    if vocabulary is not None and hasattr(vocabulary, "decode"):
        end = len(row) if split.lengths is None else int(split.lengths[index])
        words = vocabulary.decode(row[:end].tolist(), joint=" ")
        return words if len(words) <= 300 else f"{words[:299]}…"
    alphabet = getattr(scene.data, "alphabet", "")
    if alphabet and not row.is_floating_point():
        return "".join(alphabet[symbol] for symbol in row.tolist())
    values = row.flatten().tolist()
    shown = ", ".join(number(value) for value in values[:16])
    return shown if len(values) <= 16 else f"{shown}, …"


def escaped(text: str) -> str:
    """Text that Markdown leaves as it is, in a field of a table."""
    text = " ".join(text.split()).replace("\\", "\\\\")
    for mark in "|*_`[]#":
        text = text.replace(mark, f"\\{mark}")
    return html.escape(text, quote=False)


class PrecisionRecall(Picture):
    """Precision against recall for each class, in TensorBoard's own tab.

    Args:
        samples: how many of the validation split are looked at.
        every: see `Picture`.
    """

    name = "precision_recall"

    def __init__(self, *, samples: int = 500, every: int | None = None) -> None:
        super().__init__(every=every)
        self.samples = at_least(1, samples=samples)

    def suits(self, scene: Scene) -> bool:
        """Nets that answer with one of a few classes."""
        return classifies(scene) and len(scene.data.class_names) <= CURVES

    def draw(self, scene: Scene) -> None:
        """A curve for each class that there is among the samples."""
        probabilities, truth = votes(scene, self.samples)
        values: list[Any] = []
        for index, name in enumerate(scene.data.class_names):
            positive = truth == index
            if positive.any():
                rows = [row.numpy() for row in curve(probabilities[:, index], positive)]
                values += pr_curve_raw(f"precision_recall/{name}", *rows, THRESHOLDS).value  # type: ignore[call-arg]
        scene.write(values)


def curve(probability: Tensor, positive: Tensor) -> Tensor:
    """Rows of numbers at thresholds from 0 to 1, of which a class is said from there on.

    True and false positives, true and false negatives, precision (0 where nothing is said), recall.

    Shapes:
        probability (N,), positive (N,) bool -> (6, THRESHOLDS) float64
    """
    place = (probability.nan_to_num() * (THRESHOLDS - 1)).floor().long().clamp(0, THRESHOLDS - 1)
    true, false = (
        torch.bincount(place[chosen], minlength=THRESHOLDS).flip(0).cumsum(0).flip(0).double()
        for chosen in (positive, ~positive)
    )
    precision = true / (true + false).clamp(min=1)
    recall = true / true[0].clamp(min=1)
    return torch.stack([true, false, false[0] - false, true[0] - true, precision, recall])
