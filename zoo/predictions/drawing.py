"""What is drawn of answers: a forecast, reconstructions below their inputs, samples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from zoo.comparison.style import COLOURS, DARK, DPI, GREY, cut, entitled, png, styled
from zoo.files import whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = np.ndarray[Any, Any]
PAST, FUTURE, SHADE = DARK, COLOURS[1], "#f3efe6"
PANELS = 6  # series of a figure
PAIRS, COLUMNS = 20, 10  # inputs that are drawn with their output; in a row
SAMPLES = 1024  # that are drawn
TILE, GAP, STRIP = 56, 6, 24  # pixels of an image, between two, and of the line of scores
FEW = 40  # values of a line that is drawn with its points


class Pair(NamedTuple):
    """An input and its reconstruction (C, H, W), and the squared error."""

    image: Array
    reconstruction: Array
    score: float


class Course(NamedTuple):
    """A column of a series: what is known of it, up to its last row, and what is forecast."""

    past: Sequence[float]
    future: Sequence[float]


def save(figure: Figure, file: Path) -> None:
    """Write a figure as a PNG file, whole or not at all."""
    with styled():
        content = png(figure)
    with whole(file) as unfinished:
        unfinished.write_bytes(content)


def forecast(courses: Mapping[str, Course], *, last: int, title: str, about: str) -> Figure:
    """A panel for each column, its past and, over the shaded horizon, its forecast.

    Args:
        courses: by name of the column.
        last: the number of the last row that is known.
        title: above all.
        about: below that.
    """
    from matplotlib.figure import Figure

    shown = list(courses.items())[:PANELS]
    with styled():
        figure = Figure(figsize=(7.6, 0.7 + 2.3 * len(shown)))
        panels = figure.subplots(len(shown), sharex=True, squeeze=False)[:, 0]
        for axes, (name, course) in zip(panels, shown, strict=True):
            draw_course(axes, course, last)
            axes.annotate(cut(name), (0, 1), xycoords="axes fraction", xytext=(0, 4),
                          textcoords="offset points", annotation_clip=False)  # fmt: skip
        panels[0].annotate("forecast", (1, 1), xycoords="axes fraction", xytext=(0, 4),
                           textcoords="offset points", color=FUTURE, fontsize=8.5,
                           horizontalalignment="right", annotation_clip=False)  # fmt: skip
        panels[-1].set_xlabel("row")
        more = f"; {len(shown)} of {len(courses)} columns" if len(courses) > PANELS else ""
        entitled(panels[0], title, f"{about}{more}", above=15)
    return figure


def draw_course(axes: Axes, course: Course, last: int) -> None:
    """Past, horizon and forecast; the forecast starts where the past ends."""
    seen, ahead = len(course.past), len(course.future)
    axes.axvspan(last, last + ahead, color=SHADE, linewidth=0, zorder=0)
    axes.plot(range(last - seen + 1, last + 1), course.past, color=PAST, linewidth=1.6)
    start = list(course.past[-1:])
    steps = range(last + 1 - len(start), last + ahead + 1)
    marker = "o" if ahead <= FEW else ""
    axes.plot(steps, [*start, *course.future], color=FUTURE, linewidth=1.8)
    axes.plot(steps[len(start) :], course.future, marker, color=FUTURE, markersize=3.5)
    axes.margins(x=0.01)


def reconstructions(pairs: Sequence[Pair], white: float, *, title: str) -> Figure:
    """Rows of inputs, each above the row of their reconstructions and their scores.

    Args:
        pairs: with values up to `white`.
        white: the brightest value.
        title: above all.
    """
    shown = list(pairs)[:PAIRS]
    columns = min(COLUMNS, len(shown))
    blocks, marks = [], []
    top = 0
    for start in range(0, len(shown), columns):
        part = shown[start : start + columns]
        inputs, outputs = [pair.image for pair in part], [pair.reconstruction for pair in part]
        for word, side in (("input", inputs), ("output", outputs)):
            blocks.append(row_of(side, columns, white))
            marks.append((top + len(blocks[-1]) / 2, word))
            top += len(blocks[-1])
        blocks.append(np.full((STRIP, *blocks[0].shape[1:]), 255, np.uint8))
        top += STRIP
    figure, axes = sheet(np.concatenate(blocks))
    for y, word in marks:
        axes.annotate(word, (-6, y), horizontalalignment="right", verticalalignment="center",
                      fontsize=8.5, color=DARK, annotation_clip=False)  # fmt: skip
    wide, high = blocks[0].shape[1] / columns, 2 * len(blocks[0]) + STRIP
    for place, pair in enumerate(shown):
        x, y = (place % columns + 0.5) * wide, (place // columns + 1) * high - STRIP * 0.68
        axes.annotate(f"{pair.score:.3g}", (x, y), horizontalalignment="center", color=GREY,
                      verticalalignment="center", fontsize=7.5)  # fmt: skip
    with styled():
        entitled(axes, title, "each input above what the net gives back, and its squared error")
    return figure


def samples(images: Sequence[Array], white: float, *, title: str, about: str) -> Figure:
    """Images (C, H, W) with values up to `white`, in a grid as square as it can be."""
    columns = math.ceil(math.sqrt(len(images)))
    rows = [
        row_of(images[start : start + columns], columns, white)
        for start in range(0, len(images), columns)
    ]
    figure, axes = sheet(np.concatenate(rows))
    with styled():
        entitled(axes, title, about)
    return figure


def row_of(images: Sequence[Array], columns: int, white: float) -> Array:
    """Images (C, H, W) side by side, (height, width, 3) uint8; white where there is none."""
    channels, tall, wide = images[0].shape
    times = max(1, round(TILE / max(tall, wide)))
    row = np.full((tall * times + GAP, columns * (wide * times + GAP), 3), 255, np.uint8)
    for place, image in enumerate(images):
        grey = (image.astype(np.float64) / white * 255).clip(0, 255).round()
        tile = np.moveaxis(grey.astype(np.uint8)[: 3 if channels >= 3 else 1], 0, -1)
        tile = tile.repeat(times, 0).repeat(times, 1)
        x = place * (wide * times + GAP) + GAP // 2
        row[GAP // 2 : GAP // 2 + len(tile), x : x + tile.shape[1]] = tile
    return row


def sheet(image: Array) -> tuple[Figure, Axes]:
    """A figure of these pixels (height, width, 3), one of them for each of its own."""
    from matplotlib.figure import Figure

    with styled():
        figure = Figure(figsize=(image.shape[1] / DPI, image.shape[0] / DPI), dpi=DPI)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.imshow(image, interpolation="nearest", aspect="auto")
        axes.set_axis_off()
    return figure, axes
