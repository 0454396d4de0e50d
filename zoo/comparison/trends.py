"""What a metric does as a number grows: over the length of a sequence, the size of a code, a depth.

Where groups, or data sets, differ in a number, its course says more than a rank.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from zoo.comparison.result import Group, Ranking
from zoo.comparison.settings import canonical, label, short
from zoo.comparison.statistics import Estimate
from zoo.comparison.style import GREY, Style, cut, entitled, label_ends, styles
from zoo.comparison.wording import human, trivial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEWEST = 3  # values that make a course
MOST = 20  # lines
RATIO = 8.0  # of the ends of a logarithmic axis, at least


class Trend(NamedTuple):
    """Scores over a number.

    Attributes:
        key: the short name of what grows.
        unit: what it is called on the axis.
        data: the data set.
        metric: what is scored.
        lines: for each kind of group, points in the order of the number.
        baseline: what a trivial predictor reaches, where it changes with the number.
    """

    key: str
    unit: str
    data: str
    metric: str
    lines: dict[str, list[tuple[float, Estimate]]]
    baseline: tuple[tuple[float, float], ...] = ()


def trends(rankings: Sequence[Ranking]) -> list[Trend]:
    """Every course that there is, over settings of the data and of the groups."""
    found = [trend for ranking in rankings if (trend := within(ranking))]
    by_name: dict[tuple[Any, str], list[Ranking]] = {}
    for ranking in rankings:
        by_name.setdefault((ranking.task.get("choices.data"), ranking.metric), []).append(ranking)
    return [*(t for several in by_name.values() if (t := across(several))), *found]


def across(rankings: Sequence[Ranking]) -> Trend | None:
    """The course over the one number in which several data sets differ."""
    keys = sorted({key for ranking in rankings for key in ranking.task})
    differing = [k for k in keys if len({r.task.get(k) for r in rankings}) > 1]
    if len(differing) != 1:
        return None
    key = differing[0]
    data = rankings[0].data.partition(",")[0]
    points = [
        (ranking.task.get(key), group.label, group.score)
        for ranking in rankings
        for group in ranking.groups
    ]
    return course(points, short(key, keys), data, rankings[0].metric)


def within(ranking: Ranking) -> Trend | None:
    """The course over the number in which most groups of a data set differ."""
    best: Trend | None = None
    for key in ranking.groups[0].keys:
        others = [other for other in ranking.groups[0].keys if other != key]
        points = [
            (group.runs[0].settings.get(key), name_of(group, others), group.score)
            for group in ranking.groups
        ]
        trend = course(points, short(key, others), ranking.data, ranking.metric)
        if trend and (best is None or size(trend) > size(best)):
            best = trend._replace(baseline=floor(ranking, key))
    return best


def floor(ranking: Ranking, key: str) -> tuple[tuple[float, float], ...]:
    """What a trivial predictor reaches at each value of a setting; () where groups disagree."""
    found: dict[Any, set[float]] = {}
    for group in ranking.groups:
        if group.baseline is not None:
            value = group.runs[0].settings.get(key)
            found.setdefault(value if isinstance(value, (int, float)) else None, set()).add(
                round(group.baseline, 6)
            )
    if None in found or len(found) < FEWEST or any(len(values) > 1 for values in found.values()):
        return ()
    return tuple(sorted((float(value), values.pop()) for value, values in found.items()))


def size(trend: Trend) -> int:
    """Points of the longest line."""
    return max(map(len, trend.lines.values()))


def name_of(group: Group, keys: Sequence[str]) -> str:
    """What a group is called by some of its settings."""
    settings = group.runs[0].settings
    row = {key: canonical(settings[key]) for key in keys if key in settings}
    return label(row, keys, keys) or str(settings.get("choices.model", "all"))


def course(
    points: Sequence[tuple[Any, str, Estimate]], key: str, data: str, metric: str
) -> Trend | None:
    """The points as lines, if they lie over a number and there are enough of them."""
    values = [value for value, _, _ in points if value is not None]
    number = reading(values)
    if number is None:
        return None
    lines: dict[str, dict[float, Estimate]] = {}
    for value, name, score in points:
        if value is not None:
            lines.setdefault(name, {})[number(value)] = score
    long = {name: sorted(at.items()) for name, at in lines.items() if len(at) > 1}
    if not long or max(map(len, long.values())) < FEWEST or len(long) > MOST:
        return None
    unit = f"entries of {key}" if isinstance(values[0], list) else key
    return Trend(key, unit, data, metric, long)


def reading(values: Sequence[Any]) -> Callable[[Any], float] | None:
    """How values are read as numbers: as they are, or lists by their length; None if they are not.

    Lists of one length differ in something else.
    """
    if values and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values):
        return float
    if values and all(isinstance(value, list) for value in values):
        different = {canonical(value) for value in values}
        if len(different) == len({len(value) for value in values}):
            return lambda value: float(len(value))
    return None


def draw(trend: Trend, look: Mapping[str, Style], rises: bool) -> Figure:
    """A line for each kind of group, with the interval of each mean."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

    own = {**styles(list(trend.lines)), **look}
    figure = Figure(figsize=(7.0, max(4.2, 1.0 + 0.25 * len(trend.lines))))
    axes = figure.add_subplot()
    places = sorted({x for line in trend.lines.values() for x, _ in line})
    if places[0] > 0 and places[-1] >= RATIO * places[0]:
        axes.set_xscale("log")
    for name, line in trend.lines.items():
        style = own[name]
        for x, score in line:
            if score.low is not None and score.high is not None:
                axes.plot([x, x], [score.low, score.high], color=style.colour, alpha=0.45,
                          linewidth=1.6)  # fmt: skip
        axes.plot([x for x, _ in line], [score.mean for _, score in line], color=style.colour,
                  linestyle=style.line, marker=style.marker, markersize=6, linewidth=1.7,
                  markeredgecolor="white")  # fmt: skip
    if len({value for _, value in trend.baseline}) > 1:
        axes.plot(*zip(*trend.baseline, strict=True), color=GREY, linestyle=(0, (4, 3)), zorder=0)
        axes.annotate(trivial(trend.metric), trend.baseline[-1], xytext=(-8, -2), color=GREY,
                      textcoords="offset points", fontsize=8.5, horizontalalignment="right",
                      verticalalignment="top")  # fmt: skip
    means = [score.mean for line in trend.lines.values() for _, score in line]
    if not rises and max(means) > RATIO * min(means) > 0:
        axes.set_yscale("log")
    few = len(places) <= 8
    axes.xaxis.set_major_locator(FixedLocator(places) if few else MaxNLocator(7))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: human(value, short=True)))
    axes.set_xlabel(cut(trend.unit))
    axes.set_ylabel(trend.metric)
    several = any(score.n > 1 for line in trend.lines.values() for _, score in line)
    about = "mean over seeds and its 95 % interval" if several else "one seed each"
    entitled(axes, f"{trend.metric} by {trend.key} on {trend.data}", about)
    axes.set_xlim(axes.get_xlim())
    axes.set_ylim(axes.get_ylim())
    ends = {name: (line[-1][0], line[-1][1].mean) for name, line in trend.lines.items()}
    label_ends(axes, ends, own)
    return figure
