"""The figures of a comparison."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from zoo.comparison.curves import Curves, curves
from zoo.comparison.result import Group, Ranking
from zoo.comparison.style import (
    GREY,
    TEXT_INCHES,
    WIDE,
    Style,
    counted_axis,
    cut,
    entitled,
    label_ends,
    png,
    styled,
    styles,
)
from zoo.comparison.table import places_of, scored
from zoo.comparison.trends import draw, trends
from zoo.comparison.wording import number
from zoo.naming import rises

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 20  # groups of a figure
AXES = {
    "cost/parameters": "parameters",
    "cost/flops": "FLOPs of a sample, forward",
    "cost/fit_seconds": "seconds to fit",
}
BEGINNING, MOSTLY = 0.2, 0.4  # shares of the points that may be cut off, of the height at least
LONG = 8  # points of a curve of which the beginning may be cut off
FAR = 1.5  # spans of the groups that a baseline may be away and still be drawn


class Picture(NamedTuple):
    """A figure that is drawn.

    Attributes:
        name: of its file, without what tells the data set.
        title: what it shows.
        png: the file.
        size: pixels, width and height.
    """

    name: str
    title: str
    png: bytes

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as the file says."""
        return int.from_bytes(self.png[16:20], "big"), int.from_bytes(self.png[20:24], "big")


def looks(rankings: Sequence[Ranking]) -> dict[str, Style]:
    """How each group looks that is drawn, the same for all data sets."""
    return styles(list(dict.fromkeys(g.label for r in rankings for g in r.groups[:MOST])))


def pictures(ranking: Ranking, look: dict[str, Style]) -> list[Picture]:
    """All figures of a ranking that there are numbers for."""
    groups = ranking.groups[:MOST]
    found = curves(ranking, groups)
    drawn: list[tuple[str, str, Callable[[], Figure]]] = [
        ("scores", "the mean of each group", lambda: scores(ranking, groups, look))
    ]
    if found is not None:
        own = found
        drawn.append(("curves", "learning curves", lambda: learning(ranking, own, look)))
    known = [key for key in AXES if any(g.costs.get(key, 0) > 0 for g in groups)]
    if known:
        drawn.append(("costs", "what it costs", lambda: costs(ranking, groups, known, look)))
    with styled():
        return [Picture(name, title, png(make())) for name, title, make in drawn]


def courses(rankings: Sequence[Ranking], look: dict[str, Style]) -> list[Picture]:
    """A figure for each number that data sets or groups differ in."""
    found = trends(rankings)
    names = [f"{trend.data}-by-{trend.key}" for trend in found]
    with styled():
        return [
            Picture(name, f"by {trend.key}", png(draw(trend, look, rises(trend.metric))))
            for name, trend in zip(names, found, strict=True)
        ]


def titled(ranking: Ranking, text: str) -> str:
    """A title, with how many groups are missing from the figure."""
    count = len(ranking.groups)
    return f"{text} on {ranking.data}" + (f", best {MOST} of {count}" if count > MOST else "")


def scores(ranking: Ranking, groups: Sequence[Group], look: dict[str, Style]) -> Figure:
    """Means with their intervals, best at the top, each seed as a dot, and the baseline."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 1.1 + 0.33 * len(groups)))
    axes = figure.add_subplot()
    places = places_of(ranking)
    for row, group in enumerate(groups):
        style, score = look[group.label], group.score
        if score.low is not None and score.high is not None:
            axes.plot([score.low, score.high], [row, row], color=style.colour, linewidth=2.4,
                      solid_capstyle="round", alpha=0.55)  # fmt: skip
        if score.n > 1:
            axes.plot(list(group.values.values()), [row] * score.n, "|", color=style.colour,
                      markersize=9, markeredgewidth=1.2)  # fmt: skip
        axes.plot(score.mean, row, style.marker, color=style.colour, markersize=8,
                  markeredgecolor="white", markeredgewidth=1.1)  # fmt: skip
        axes.annotate(scored(group, places), (1.02, row), xycoords=axes.get_yaxis_transform(),
                      verticalalignment="center", annotation_clip=False)  # fmt: skip
    axes.set_yticks(range(len(groups)), [cut(group.label) for group in groups])
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0, pad=8)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(f"{ranking.metric} ({'more' if ranking.rises else 'less'} is better)")
    several = any(group.score.n > 1 for group in groups)
    about = "mean over seeds, its 95 % interval, and each seed" if several else "one seed each"
    logarithmic(axes.xaxis, ranking, [g.score.mean for g in groups])
    entitled(axes, titled(ranking, ranking.metric), about, above=13 * draw_baseline(axes, ranking))
    return figure


def draw_baseline(axes: Axes, ranking: Ranking) -> bool:
    """The level to beat, if any; where it is too far away, in words at the end of the axis."""
    if ranking.baseline is None:
        return False
    low, high = axes.get_xlim()
    text = f"baseline {number(ranking.baseline, places_of(ranking))}"
    reach = FAR * (high - low)
    if axes.get_xscale() == "log" or low - reach <= ranking.baseline <= high + reach:
        axes.axvline(ranking.baseline, color=GREY, linestyle=(0, (4, 3)), linewidth=1.2, zorder=0)
        where, side = ranking.baseline, "center"
        transform = axes.get_xaxis_transform()
    else:
        below = ranking.baseline < low
        text = f"← {text}" if below else f"{text} →"
        where, side = (0.0, "left") if below else (1.0, "right")
        transform = axes.transAxes
    axes.annotate(text, (where, 1.0), xycoords=transform, xytext=(0, 2), color=GREY,
                  textcoords="offset points", horizontalalignment=side, fontsize=8.5,
                  annotation_clip=False)  # fmt: skip
    return True


def learning(ranking: Ranking, found: Curves, look: dict[str, Style]) -> Figure:
    """Mean over seeds, with a band from the lowest to the highest of them."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    count = len(found.by_group)
    figure = Figure(figsize=(7.0, max(4.2, 1.0 + TEXT_INCHES * 1.3 * count)))
    axes = figure.add_subplot()
    ends = {}
    for label, curve in reversed(found.by_group.items()):  # the best on top
        style = look[label]
        if not curve.x:
            continue
        whole = sum(n == max(curve.n) for n in curve.n)  # until the first seed stops
        single: Any = {"marker": style.marker, "markersize": 5} if len(curve.x) == 1 else {}
        axes.plot(curve.x[:whole], curve.mean[:whole], color=style.colour, linestyle=style.line,
                  linewidth=1.9, **single)  # fmt: skip
        axes.plot(curve.x[whole - 1 :], curve.mean[whole - 1 :], color=style.colour,
                  linestyle=style.line, linewidth=0.9)  # fmt: skip
        axes.fill_between(curve.x, curve.low, curve.high, color=style.colour, alpha=0.13,
                          linewidth=0)  # fmt: skip
        ends[label] = (float(curve.x[-1]), curve.mean[-1])
    logarithmic(axes.yaxis, ranking, [v for c in found.by_group.values() for v in c.mean])
    axes.margins(x=0.01)
    axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
    axes.set_xlabel(found.unit)
    axes.set_ylabel(found.tag)
    cut_off = close_up(axes, found, ranking.rises) != axes.get_ylim()
    several = any(n > 1 for curve in found.by_group.values() for n in curve.n)
    about = "mean over seeds, band from the lowest to the highest" if several else "one seed each"
    about += "; the worst of the beginning is cut off" if cut_off else ""
    entitled(axes, titled(ranking, found.tag), about)
    axes.set_xlim(axes.get_xlim())
    axes.set_ylim(close_up(axes, found, ranking.rises))
    best_first = {label: ends[label] for label in found.by_group if label in ends}
    label_ends(axes, best_first, look)
    return figure


def close_up(axes: Axes, found: Curves, upwards: bool) -> tuple[float, float]:
    """Limits of the height: without the first steps, where they would take most of it.

    What a group has reached in the end is always within.
    """
    low, high = axes.get_ylim()
    values = sorted(value for curve in found.by_group.values() for value in curve.mean)
    ends = [curve.mean[-1] for curve in found.by_group.values() if curve.mean]
    long = max(len(curve.x) for curve in found.by_group.values()) >= LONG
    if not values or not long or axes.get_yscale() == "log":
        return low, high
    rank = len(values) * BEGINNING
    if upwards:
        least = min(values[int(rank)], *ends, high)
        top = max(value for curve in found.by_group.values() for value in curve.high)
        margin = 0.05 * (top - least)
        return (
            (least - margin, top + margin) if least - low > MOSTLY * (high - low) else (low, high)
        )
    most = max(values[-1 - int(rank)], *ends, low)
    margin = 0.05 * (most - low)
    return (low, most + margin) if high - most > MOSTLY * (high - low) else (low, high)


def costs(
    ranking: Ranking, groups: Sequence[Group], keys: Sequence[str], look: dict[str, Style]
) -> Figure:
    """The metric against what it costs, with the front of those that no other beats in both."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.7 * len(keys), max(3.6, 1.0 + TEXT_INCHES * len(groups))))
    panels: Any = figure.subplots(1, len(keys), sharey=True, squeeze=False)[0]
    figure.subplots_adjust(wspace=0.1)
    for axes, key in zip(panels, keys, strict=True):
        there = [group for group in groups if group.costs.get(key, 0) > 0]
        front = pareto([(g.costs[key], g.score.mean) for g in there], rises=ranking.rises)
        axes.plot(*zip(*front, strict=True), drawstyle="steps-post", color=GREY, linewidth=1.3,
                  linestyle=(0, (4, 2)), zorder=1)  # fmt: skip
        for group in reversed(there):
            draw_point(axes, group, group.costs[key], look[group.label], front)
        counted_axis(axes.xaxis, [group.costs[key] for group in there])
        axes.set_xlabel(AXES[key])
        axes.margins(x=0.12, y=0.08)
    logarithmic(panels[0].yaxis, ranking, [group.score.mean for group in groups])
    panels[0].set_ylabel(ranking.metric)
    about = "mean and its 95 % interval"
    if len(groups) > 1:
        about += "; dashed: the Pareto front, where no other group is both cheaper and better"
    entitled(panels[0], titled(ranking, f"{ranking.metric} against cost"), about)
    handles = [legend_entry(group, look[group.label]) for group in groups]
    panels[-1].legend(handles=handles, loc="center left", bbox_to_anchor=(1.03, 0.5),
                      labelspacing=0.45, handletextpad=0.3)  # fmt: skip
    return figure


def draw_point(
    axes: Axes, group: Group, cost: float, style: Style, front: Sequence[tuple[float, float]]
) -> None:
    """A group where it lies, with the interval of its mean; full on the front, pale behind it."""
    score = group.score
    best = (cost, score.mean) in front
    if score.low is not None and score.high is not None:
        axes.plot(
            [cost, cost], [score.low, score.high], color=style.colour, linewidth=1.6, alpha=0.5
        )
    axes.plot(cost, score.mean, style.marker, markersize=9 if best else 7, color=style.colour,
              markerfacecolor=style.colour if best else "white", markeredgecolor=style.colour,
              markeredgewidth=1.6, zorder=3)  # fmt: skip


def legend_entry(group: Group, style: Style) -> Any:
    """A line of the legend."""
    from matplotlib.lines import Line2D

    return Line2D([], [], color=style.colour, marker=style.marker, linestyle="none", markersize=7,
                  label=cut(group.label))  # fmt: skip


def pareto(points: Sequence[tuple[float, float]], *, rises: bool) -> list[tuple[float, float]]:
    """The points that no other one beats in cost and in value, cheapest first."""
    front: list[tuple[float, float]] = []
    for cost, value in sorted(points, key=lambda p: (p[0], -p[1] if rises else p[1])):
        if not front or (value > front[-1][1] if rises else value < front[-1][1]):
            front.append((cost, value))
    return front


def logarithmic(axis: Any, ranking: Ranking, values: Sequence[float]) -> None:
    """Errors that differ by factors on a logarithmic axis."""
    finite = [value for value in values if math.isfinite(value)]
    if finite and not ranking.rises and max(finite) > WIDE * min(finite) > 0:
        axis._set_axes_scale("log")
