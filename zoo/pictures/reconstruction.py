"""What an autoencoder gives back, and where its codes lie."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.pictures.base import Picture, Scene, at_least
from zoo.pictures.canvas import MARGIN, Canvas
from zoo.pictures.charts import Axes, Entry, legend, legend_width, padded
from zoo.pictures.colours import INK, RED, category
from zoo.pictures.grids import TITLE, tiled
from zoo.pictures.samples import CHUNK, first, image_shape, served_images

NAMED = 20  # classes that a legend has room for


class Reconstructions(Picture):
    """Inputs above what the net makes of them.

    Args:
        shown: how many, of the validation split.
        every: see `Picture`.
    """

    name = "reconstructions"

    def __init__(self, *, shown: int = 20, every: int | None = None) -> None:
        super().__init__(every=every)
        self.shown = at_least(1, shown=shown)

    def suits(self, scene: Scene) -> bool:
        """Autoencoders of images or of sequences of numbers."""
        x = scene.data.splits["val"].x
        drawable = image_shape(scene.data) is not None or (x.ndim == 3 and x.is_floating_point())
        return scene.module.reconstructs and drawable

    def draw(self, scene: Scene) -> None:
        """Images as tiles, sequences as lines; a variational net decodes the mean of its code."""
        x = first(scene, self.shown).x
        image = scene.net(x).image.detach()
        error = float((image - x).float().square().flatten(1).sum(1).mean())
        title = f"inputs and reconstructions; squared error {error:.3g}"
        if image_shape(scene.data) is None:
            canvas = as_lines(scene, x, image, title)
        else:
            canvas = as_tiles(scene, x, image, title)
        scene.image(
            "reconstruction/pairs", canvas, "Validation samples, and what the net gives back."
        )


def as_tiles(scene: Scene, x: Tensor, image: Tensor, title: str) -> Canvas:
    """Rows of ten inputs, each above the row of their reconstructions."""
    pairs = [served_images(scene.data, side) for side in (x, image)]
    columns = min(10, len(x))
    blocks, rows = [], []
    for start in range(0, len(x), columns):
        for side, word in zip(pairs, ("input", "output"), strict=True):
            row = side[start : start + columns]
            blank = row.new_full((columns - len(row), *row.shape[1:]), 255)
            blocks += [row, blank]
            rows.append(word)
    return tiled(torch.cat(blocks), columns, title=title, size=48, rows=rows)


def as_lines(scene: Scene, x: Tensor, image: Tensor, title: str) -> Canvas:
    """The first channel of the first few, input and output in one panel."""
    raw = scene.data.splits["val"].x
    shape = tuple(raw.shape[1:])
    if scene.data.view == "image":  # (C, T)
        shape = shape[::-1]
    sides = [side.float().cpu().reshape(len(side), *shape) for side in (x, image)]
    if scene.data.view == "image":
        sides = [side.transpose(1, 2) for side in sides]
    count, columns, wide, high = min(6, len(x)), 2, 250, 130
    entries: list[Entry] = [("input", INK, False), ("output", RED, False)]
    canvas = Canvas(MARGIN + columns * wide, TITLE + 20 + -(-count // columns) * high, title)
    for number in range(count):
        left, top = MARGIN + number % columns * wide, TITLE + 20 + number // columns * high
        lines = [side[number, :, 0].tolist() for side in sides]
        corners = (left + 44, top + 6, left + wide - 14, top + high - 26)
        steps = range(len(lines[0]))
        span = padded([value for line in lines for value in line])
        axes = Axes(canvas, corners, (0, max(1, len(steps) - 1)), span, whole=True)
        for line, colour in zip(lines, (INK, RED), strict=True):
            axes.line(steps, line, colour)
        axes.close()
    legend(canvas, MARGIN, TITLE + 8, entries, beside=True)
    return canvas


class Codes(Picture):
    """Codes as points in the plane, coloured by class; of more than two numbers by PCA.

    Args:
        samples: how many, of the validation split.
        every: see `Picture`.
    """

    name = "codes"

    def __init__(self, *, samples: int = 500, every: int | None = None) -> None:
        super().__init__(every=every)
        self.samples = at_least(2, samples=samples)

    def suits(self, scene: Scene) -> bool:
        """Autoencoders."""
        return scene.module.reconstructs and hasattr(scene.net, "encode")

    def draw(self, scene: Scene) -> None:
        """Project and scatter."""
        codes = encoded(scene, self.samples)
        points, names, title = plane(codes)
        labels, classes = labelled(scene, len(points))
        entries: list[Entry] = [(name, category(i), False) for i, name in enumerate(classes)]
        named = entries if len(entries) <= NAMED else []
        canvas = Canvas(470 + (legend_width(named) if named else 0), 440, title)
        spans = [padded(axis.tolist()) for axis in points.T]
        axes = Axes(canvas, (72, TITLE + 6, 440, 396), spans[0], spans[1], names=names)
        radius = 3.0 if len(points) <= 400 else 2.0
        for (x, y), label in zip(points.tolist(), labels.tolist(), strict=True):
            axes.points([x], [y], category(label), radius=radius)
        axes.close()
        legend(canvas, 454, TITLE + 16, named, dots=True)
        about = "Codes of validation samples, coloured by class, which training has not seen."
        scene.image("code/scatter", canvas, about)


def encoded(scene: Scene, count: int) -> Tensor:
    """The codes (N, latent) of the first samples, on the CPU; of a variational net the means."""
    key = ("codes", count)
    if key not in scene.shared:
        parts = []
        for part in first(scene, count).x.split(CHUNK):
            code = scene.net.encode(part)  # type: ignore[operator]
            parts.append(code if isinstance(code, Tensor) else code[0])
        scene.shared[key] = torch.cat(parts).detach().float().cpu()
    return scene.shared[key]


def labelled(scene: Scene, count: int) -> tuple[Tensor, list[str]]:
    """The class of each of the first samples, and the names; of other data all have one."""
    y, names = scene.data.splits["val"].y[:count].cpu(), scene.data.class_names
    if names is None or y.ndim != 1 or y.is_floating_point():
        return torch.zeros(count, dtype=torch.int64), []
    return y, list(names)


def plane(codes: Tensor) -> tuple[Tensor, tuple[str, str], str]:
    """Codes (N, L) in two dimensions: (N, 2), what they are, and a title."""
    latent = codes.shape[1]
    if latent == 1:
        order = torch.linspace(0, 1, len(codes))[:, None]
        return torch.cat([codes, order], 1), ("code", "sample"), "codes"
    if latent == 2:
        return codes, ("code 1", "code 2"), "codes"
    points, share = principal(codes)
    title = f"codes of {latent} numbers, by PCA: {100 * share:.0f} % of the variance"
    return points, ("component 1", "component 2"), title


def principal(codes: Tensor) -> tuple[Tensor, float]:
    """The first two principal components of codes (N, L): (N, 2), and their share of the variance.

    The sign of a component is arbitrary; here its largest weight is positive.
    """
    centred = codes - codes.mean(0)
    _, sizes, directions = torch.linalg.svd(centred, full_matrices=False)
    rows = directions[:2]
    largest = rows.gather(1, rows.abs().argmax(1, keepdim=True))
    points = centred @ (rows * largest.sign()).T
    if points.shape[1] < 2:
        points = torch.cat([points, points.new_zeros(len(points), 1)], 1)
    total = float(sizes.square().sum())
    return points, float(sizes[:2].square().sum()) / total if total else 1.0
