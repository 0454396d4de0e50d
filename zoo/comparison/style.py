"""What all figures share: a colour and a marker for each group, sizes, labels that keep apart."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from zoo.comparison.wording import human

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind people tell apart, with a wine red for their yellow,
# which is hard to see on white.
COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#882255", "#111111"),
)
MARKERS = ("o", "s", "^", "D", "v")
LINES: tuple[Any, ...] = ("-", (0, (3.5, 1.2)), (0, (1, 1)), (0, (4, 1, 1, 1)), (0, (6, 3)))
GREY, DARK = "#8a8a8a", "#333333"
SETTINGS: dict[str, Any] = {
    "font.size": 9.5,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": DARK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.8,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": DARK,
    "ytick.labelcolor": DARK,
    "text.color": DARK,
    "legend.frameon": False,
    "savefig.facecolor": "white",
}
DPI = 130
TEXT_INCHES = 0.19  # of a line of a label, with the space to the next
LONGEST = 42  # characters of a label
WIDE = 30.0  # as many times as much as the least is drawn on a logarithmic axis
CURVED = 2.5  # the same of costs


class Style(NamedTuple):
    """How a group looks in every figure."""

    colour: str
    marker: str
    line: Any


def styles(labels: Sequence[str]) -> dict[str, Style]:
    """Colours first, then other markers and dashes."""
    found = {}
    for index, label in enumerate(labels):
        lap = index // len(COLOURS)
        found[label] = Style(
            COLOURS[index % len(COLOURS)], MARKERS[lap % len(MARKERS)], LINES[lap % len(LINES)]
        )
    return found


@contextmanager
def styled() -> Iterator[None]:
    """Draw by these settings, wherever figures are made; leave matplotlib's as they were."""
    import matplotlib

    settings: Any = SETTINGS
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # of a name in other letters
        yield


def png(figure: Figure) -> bytes:
    """The figure, with all that stands beside its axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight", pad_inches=0.15)
    return buffer.getvalue()


def cut(label: str) -> str:
    """A label of no more than so many characters, in which a $ is a $."""
    label = label if len(label) <= LONGEST else f"{label[: LONGEST - 1]}…"
    return label.replace("$", r"\$")


def entitled(axes: Axes, title: str, about: str, *, above: float = 0.0) -> None:
    """A title, and below it in a smaller line how to read the figure.

    Args:
        axes: that get them.
        title: what is shown.
        about: how.
        above: points that something else takes at the upper edge.
    """
    axes.set_title(title.replace("$", r"\$"), pad=22 + above)
    axes.annotate(
        about,
        (0, 1),
        xycoords="axes fraction",
        xytext=(0, 8 + above),
        textcoords="offset points",
        color=GREY,
        fontsize=8.5,
        annotation_clip=False,
    )


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places as near as can be to those that are wanted, in their order, at least `gap` apart.

    Neighbours that are too close form a block around their mean; blocks that meet are joined.
    """
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    blocks: list[tuple[float, int]] = []  # the sum of where its first one would be, its members
    for i in order:
        total, size = wanted[i], 1
        while blocks and blocks[-1][0] / blocks[-1][1] + blocks[-1][1] * gap > total / size:
            before, count = blocks.pop()
            total, size = before + total - size * count * gap, size + count
        blocks.append((total, size))
    placed = [total / size + k * gap for total, size in blocks for k in range(size)]
    # The ends of the axis bound them, from both sides.
    for k in range(len(placed)):
        placed[k] = max(placed[k], low + k * gap)
    for k in range(len(placed)):
        placed[-1 - k] = min(placed[-1 - k], high - k * gap)
    found = [0.0] * len(wanted)
    for place, i in zip(placed, order, strict=True):
        found[i] = place
    return found


def label_ends(
    axes: Axes, ends: Mapping[str, tuple[float, float]], look: Mapping[str, Style]
) -> None:
    """Write the name of each curve at the right of the axes, at the height where the curve ends.

    Args:
        axes: with limits that stay.
        ends: the last point of each curve.
        look: of each.
    """
    height = axes.get_window_extent().height / axes.figure.dpi
    to_axes = axes.transData + axes.transAxes.inverted()
    heights = [float(to_axes.transform(end)[1]) for end in ends.values()]
    gap = TEXT_INCHES / height
    places = spread(heights, gap, gap / 2, 1 - gap / 2)
    for (label, end), place in zip(ends.items(), places, strict=True):
        start = float(to_axes.transform(end)[0])
        axes.plot(
            [start, 1.0, 1.035],
            [float(to_axes.transform(end)[1]), float(to_axes.transform(end)[1]), place],
            transform=axes.transAxes,
            color=look[label].colour,
            linewidth=0.8,
            alpha=0.55,
            clip_on=False,
        )
        axes.annotate(
            cut(label),
            (1.095, place),
            xycoords="axes fraction",
            verticalalignment="center",
            annotation_clip=False,
        )
        axes.plot(
            [1.035, 1.085],
            [place, place],
            transform=axes.transAxes,
            color=look[label].colour,
            linestyle=look[label].line,
            linewidth=2.2,
            clip_on=False,
        )


def counted_axis(axis: Any, values: Sequence[float]) -> None:
    """An axis of counts: logarithmic where they differ much, with ticks such as 20k."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    if max(values) >= CURVED * min(values) > 0:
        axis._set_axes_scale("log")
        decades = max(values) / min(values)
        steps = (1.0, 2.0, 5.0) if decades < 50 else (1.0,)
        axis.set_major_locator(LogLocator(subs=steps, numticks=8))
        axis.set_minor_formatter(NullFormatter())
    else:
        axis.set_major_locator(MaxNLocator(4, prune="both"))
    axis.set_major_formatter(FuncFormatter(lambda value, _: human(value, short=True)))
