"""Axes, and lines, bands and points in them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from PIL import Image, ImageDraw

from zoo.pictures.canvas import Canvas, width_of
from zoo.pictures.colours import FAINT, GREY, INK, LINE, WHITE, Colour

Span = tuple[float, float]
DECADES = 24  # of a logarithmic axis, at most


class Axes:
    """A frame with ticks on a canvas; what is drawn into it is cut off at its edge.

    Lines are drawn at twice the size and reduced, which smooths them. `close` puts all on the
    canvas.

    Args:
        canvas: to draw on.
        corners: (left, top, right, bottom) of the frame.
        x: the smallest and the largest x.
        y: the smallest and the largest y.
        log: whether the y axis is logarithmic.
        names: what x and y are.
        whole: whether only whole x have ticks.
    """

    def __init__(
        self,
        canvas: Canvas,
        corners: tuple[int, int, int, int],
        x: Span,
        y: Span,
        *,
        log: bool = False,
        names: tuple[str, str] = ("", ""),
        whole: bool = False,
    ) -> None:
        self.canvas, self.corners, self.log = canvas, corners, log
        left, top, right, bottom = corners
        self.x = opened(x)
        self.y = (math.log10(y[0]), math.log10(y[1])) if log else opened(y)
        if log and self.y[0] == self.y[1]:
            self.y = (self.y[0] - 0.5, self.y[1] + 0.5)
        self.sheet = Image.new("RGB", (2 * (right - left), 2 * (bottom - top)), WHITE)
        self.draw = ImageDraw.Draw(self.sheet)
        self.left, self.bottom = left, bottom
        self._tick(whole)
        canvas.text((left + right) / 2, bottom + 27, names[0], colour=GREY, anchor="m")
        if names[1]:
            canvas.text(
                left - 46, (top + bottom) / 2, names[1], colour=GREY, anchor="m", upwards=True
            )

    def _tick(self, whole: bool) -> None:
        left, top, right, bottom = self.corners
        marks = nice(*self.x, max(2, (right - left) // 44), whole=whole)
        for value in marks:
            x = self.at(value, None)[0]
            self.draw.line((x, 0, x, self.sheet.height), fill=FAINT, width=2)
            text = written(value, marks)
            self.canvas.text(left + x / 2, bottom + 11, text, colour=GREY, anchor="m")
        low, high = self.y
        room = max(2, (bottom - top) // 30)
        marks = decades(low, high, room) if self.log else nice(low, high, room)
        for value in marks:
            y = self._down(value)
            self.draw.line((0, y, self.sheet.width, y), fill=FAINT, width=2)
            text = power(value) if self.log else written(value, marks)
            self.canvas.text(left - 6, top + y / 2, text, colour=GREY, anchor="r")

    def _down(self, y: float) -> float:
        low, high = self.y
        return (high - y) / (high - low) * (self.sheet.height - 1)

    def at(self, x: float, y: float | None) -> tuple[float, float]:
        """Where a point is on the sheet; it has twice the size."""
        low, high = self.x
        across = (x - low) / (high - low) * (self.sheet.width - 1)
        if y is None:
            return across, 0.0
        return across, self._down(math.log10(y) if self.log else y)

    def line(
        self,
        x: Sequence[float],
        y: Sequence[float],
        colour: Colour,
        *,
        width: float = 1.5,
        dashed: bool = False,
    ) -> None:
        """A line, broken where it has no place: not finite, or not positive on a log axis."""
        for piece in self._pieces(x, y):
            if len(piece) == 1:
                self._dot(piece[0], width + 0.5, colour)
                continue
            for part in dashes(piece) if dashed else [piece]:
                self.draw.line(part, fill=colour, width=round(2 * width), joint="curve")

    def _pieces(self, x: Sequence[float], y: Sequence[float]) -> list[list[tuple[float, float]]]:
        pieces: list[list[tuple[float, float]]] = [[]]
        for across, up in zip(x, y, strict=True):
            if math.isfinite(up) and (up > 0 or not self.log):
                pieces[-1].append(self.at(across, up))
            elif pieces[-1]:
                pieces.append([])
        return [piece for piece in pieces if piece]

    def band(
        self, x: Sequence[float], low: Sequence[float], high: Sequence[float], colour: Colour
    ) -> None:
        """What lies between two lines; of finite numbers alone."""
        edge = [self.at(*point) for point in zip(x, low, strict=True)]
        back = [self.at(*point) for point in zip(x, high, strict=True)]
        if len(edge) > 1:
            self.draw.polygon([*edge, *reversed(back)], fill=colour)

    def shade(self, start: float, end: float, colour: Colour) -> None:
        """A part of the x axis, from top to bottom; draw it first."""
        first, last = self.at(start, None)[0], self.at(end, None)[0]
        self.draw.rectangle((first, 0, last, self.sheet.height), fill=colour)

    def points(
        self, x: Iterable[float], y: Iterable[float], colour: Colour, *, radius: float = 2.0
    ) -> None:
        """Dots."""
        for point in zip(x, y, strict=True):
            if all(map(math.isfinite, point)):
                self._dot(self.at(*point), radius, colour)

    def _dot(self, at: tuple[float, float], radius: float, colour: Colour) -> None:
        x, y, r = *at, 2 * radius
        self.draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)

    def close(self) -> None:
        """Put the sheet on the canvas, and the frame around it."""
        left, top, right, bottom = self.corners
        self.canvas.image.paste(self.sheet.reduce(2), (left, top))
        self.canvas.box((left - 1, top - 1, right, bottom), edge=LINE)


Entry = tuple[str, Colour, bool]  # what a line is, its colour, whether it is dashed


def legend(
    canvas: Canvas,
    x: float,
    y: float,
    entries: Sequence[Entry],
    *,
    dots: bool = False,
    beside: bool = False,
) -> None:
    """What the colours mean, one below the other or beside each other."""
    for text, colour, dashed in entries:
        if dots:
            canvas.draw.ellipse((x + 4, y - 4, x + 12, y + 4), fill=colour)
        else:
            for start in (0, 6, 12) if dashed else (0, 4, 8, 12):
                canvas.draw.line((x + start, y, x + start + 3, y), fill=colour, width=2)
        canvas.text(x + 21, y, text, colour=INK)
        if beside:
            x += legend_width([(text, colour, dashed)]) + 14
        else:
            y += 17


def legend_width(entries: Sequence[Entry]) -> int:
    """The pixels that it needs."""
    return round(max((width_of(text) for text, _, _ in entries), default=0)) + 21


def opened(span: Span) -> Span:
    """A span that is one: finite, and of some length."""
    low, high = (end if math.isfinite(end) else 0.0 for end in span)
    if high > low:
        return low, high
    half = abs(low) / 2 or 0.5
    return low - half, low + half


def padded(values: Iterable[float], share: float = 0.06) -> Span:
    """From the smallest to the largest finite value, and a little more."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return 0.0, 1.0
    low, high = opened((min(finite), max(finite)))
    return low - share * (high - low), high + share * (high - low)


def positive(values: Iterable[float]) -> Span:
    """The span of a logarithmic axis for these values."""
    finite = [value for value in values if 0 < value < math.inf]
    if not finite:
        return 1.0, 10.0
    high = max(finite)
    low = max(min(finite), high * 10.0**-DECADES)
    return low / 1.5, high * 1.5


def nice(low: float, high: float, count: int, *, whole: bool = False) -> list[float]:
    """At most about `count` round numbers from low to high: multiples of 1, 2 or 5 times 10^n."""
    least = (high - low) / count
    power = 10.0 ** math.floor(math.log10(least))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= least * (1 - 1e-9))
    if whole:
        step = max(1.0, step)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [step * number for number in range(first, last + 1)]


def decades(low: float, high: float, count: int) -> list[float]:
    """The exponents of round numbers from 10^low to 10^high, at most about `count` of them.

    Of a span of less than two powers of ten also those of 2 and 5 times each.
    """
    if high - low < 2:
        orders = range(math.floor(low), math.ceil(high))
        marks = [order + math.log10(times) for order in orders for times in (1, 2, 5)]
        return [mark for mark in marks if low <= mark <= high]
    first, last = math.ceil(low - 1e-9), math.floor(high + 1e-9)
    every = max(1, math.ceil((last - first + 1) / count))
    return [float(e) for e in range(first, last + 1) if e % every == 0]


def power(exponent: float) -> str:
    """10^exponent in few letters."""
    if abs(exponent) < 3:
        return f"{10**exponent:.3g}"
    number, _, order = f"{10.0**exponent:.0e}".partition("e")
    return f"{number}e{int(order)}"


def written(value: float, marks: Sequence[float]) -> str:
    """A tick with as many digits as tell it from its neighbours."""
    step = marks[1] - marks[0] if len(marks) > 1 else abs(value) or 1.0
    if max(map(abs, marks)) >= 1e6 or step < 1e-4:
        return f"{value:.3g}"
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{value:,.{digits}f}" if value else "0"


def dashes(
    points: Sequence[tuple[float, float]], dash: float = 12.0
) -> list[list[tuple[float, float]]]:
    """A line cut into dashes that are as long as the gaps between them."""
    parts: list[list[tuple[float, float]]] = [[points[0]]]
    left, drawing = dash, True
    for (x, y), (to_x, to_y) in zip(points, points[1:], strict=False):
        length = math.hypot(to_x - x, to_y - y)
        done = 0.0
        while length - done > left:
            done += left
            share = done / length
            point = (x + share * (to_x - x), y + share * (to_y - y))
            if drawing:
                parts[-1].append(point)
            else:
                parts.append([point])
            left, drawing = dash, not drawing
        left -= length - done
        if drawing:
            parts[-1].append((to_x, to_y))
    return [part for part in parts if len(part) > 1]
