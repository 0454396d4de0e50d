"""What a net expects to come, beside what came."""

from __future__ import annotations

import torch

from zoo.pictures.base import Picture, Scene, at_least
from zoo.pictures.canvas import LARGE, MARGIN, Canvas, shortened
from zoo.pictures.charts import Axes, Entry, legend, padded
from zoo.pictures.colours import INK, RED, SHADE, Colour
from zoo.pictures.grids import TITLE
from zoo.pictures.samples import Samples, run

FEW = 14  # values that are dots, too


class Forecast(Picture):
    """Forecasts beside the truth, in the units of the data, with the window seen before them.

    The windows lie evenly over the validation split. The data says what they are: `timeline`.

    Args:
        shown: how many windows.
        every: see `Picture`.
    """

    name = "forecast"

    def __init__(self, *, shown: int = 4, every: int | None = None) -> None:
        super().__init__(every=every)
        self.shown = at_least(1, shown=shown)

    def suits(self, scene: Scene) -> bool:
        """Data that lies along time, and nets that do not just give it back."""
        return hasattr(scene.data, "timeline") and not scene.module.reconstructs

    def draw(self, scene: Scene) -> None:
        """A panel for each window."""
        data = scene.data
        split, weight = data.splits["val"], next(scene.net.parameters())
        count = min(self.shown, len(split.x))
        places = torch.linspace(0, len(split.x) - 1, count).round().long()
        x, y = data.serve(split.x[places]).to(weight), split.y[places].to(weight)
        result = run(scene.module, Samples(x.clone(), y.clone()))
        points = scene.module.loss.point(result.prediction).float().cpu()
        lines = [
            data.timeline("val", index, point)
            for index, point in zip(places.tolist(), points, strict=True)
        ]
        about = "Forecasts over the shaded horizon beside the truth, in the units of the data."
        scene.image("forecast/validation", drawn(lines), about)


def drawn(lines: list) -> Canvas:
    """Timelines in two columns."""
    wide, high, columns = 264, 190, min(2, len(lines))
    rows = -(-len(lines) // columns)
    entries: list[Entry] = [("truth", INK, False), ("forecast", RED, False)]
    canvas = Canvas(
        max(MARGIN + columns * wide, 340),
        TITLE + rows * high + 4,
        shortened(f"forecasts of {lines[0].name}", columns * wide - 180, LARGE),
    )
    for number, line in enumerate(lines):
        x, y = MARGIN + number % columns * wide, TITLE + number // columns * high
        seen, ahead = len(line.past), len(line.truth)
        corners = (x + 52, y + 10, x + wide - 12, y + high - 42)
        axes = Axes(
            canvas,
            corners,
            (line.start, line.start + seen + ahead - 1),
            padded([*line.past, *line.truth, *line.forecast]),
            names=("time step", ""),
            whole=True,
        )
        times = [line.start + step for step in range(seen + ahead)]
        axes.shade(times[seen] - 0.5, times[-1], SHADE)
        # From the last value seen on, so that both begin where the window ends.
        last = line.past[-1]
        paths: tuple[tuple[list[float], list[float], Colour], ...] = (
            (times, [*line.past, *line.truth], INK),
            (times[seen - 1 :], [last, *line.forecast], RED),
        )
        for at, values, colour in paths:
            axes.line(at, values, colour, width=1.5)
        if ahead <= FEW:
            axes.points(times[seen:], line.truth, INK)
            axes.points(times[seen:], line.forecast, RED)
        axes.close()
    legend(canvas, canvas.width - 150, 17, entries, beside=True)
    return canvas
