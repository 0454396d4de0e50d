"""The figures of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zoo.comparison.style import COLOURS, DARK, GREY, entitled, png, styled
from zoo.sweeps.space import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from optuna.trial import FrozenTrial

BLUE, RED = COLOURS[0], COLOURS[1]
WIDE = 20.0  # as many times as much as the best is drawn on a logarithmic axis
BAR_INCHES = 0.42  # of a bar, with the space to the next
FAR = 4.0  # spans of the better half that a trial may be away from it, and still be drawn


def history(trials: Sequence[FrozenTrial], metric: str, *, highest: bool) -> bytes:
    """Every trial in its order, and the best so far.

    Args:
        trials: all of them.
        metric: that they are judged by.
        highest: whether more of it is better.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    done = [(t.number, t.values[0]) for t in trials if t.state.name == "COMPLETE" and t.values]
    pruned = [
        (t.number, t.intermediate_values[max(t.intermediate_values)])
        for t in trials
        if t.state.name == "PRUNED" and t.intermediate_values
    ]
    failed = [trial.number for trial in trials if trial.state.name == "FAIL"]
    with styled():
        axes: Axes = Figure(figsize=(7.2, 3.9)).add_subplot()
        low, high = heights(axes, done, pruned, highest=highest)
        for points, look in (
            (done, {"color": BLUE, "s": 30, "linewidths": 0}),
            (pruned, {"facecolors": "white", "edgecolors": GREY, "s": 24, "linewidths": 1.1}),
        ):
            inside = [(x, y) for x, y in points if low <= y <= high]
            settings: dict[str, Any] = look
            axes.scatter(*columns(inside), zorder=3, **settings)
        outside = [x for x, y in (*done, *pruned) if not low <= y <= high]
        edge = 0.0 if highest else 1.0
        at_edge: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "clip_on": False}
        mark = "v" if highest else "^"
        axes.scatter(outside, [edge] * len(outside), marker=mark, color=GREY, s=22, **at_edge)
        axes.scatter(failed, [edge] * len(failed), marker="x", color=RED, s=26, **at_edge)
        if done:
            best_so_far(axes, done, len(trials), highest=highest)
        axes.set_xlim(-0.8, max(len(trials), 2) - 0.2)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="x", visible=False)
        axes.set_xlabel("trial")
        axes.set_ylabel(metric)
        counts = {"finished ●": len(done), "given up early ○": len(pruned), "failed ×": len(failed)}
        told = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
        beyond = f"; {mark.replace('v', '▾').replace('^', '▴')} beyond the axis" if outside else ""
        entitled(axes, f"{metric}, trial by trial", f"{told}{beyond}; line: the best so far")
        return png(axes.figure)  # type: ignore[arg-type]


def heights(
    axes: Axes,
    done: Sequence[tuple[int, float]],
    pruned: Sequence[tuple[int, float]],
    *,
    highest: bool,
) -> tuple[float, float]:
    """Set the limits and the scale of the vertical axis, such that the good trials are seen."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    values = sorted((y for _, y in done or pruned), reverse=highest)
    if not values:
        axes.set_ylim(0, 1)
        return 0.0, 1.0
    best, worst = values[0], max((y for _, y in (*done, *pruned)), key=lambda y: abs(y - values[0]))
    if not highest and 0 < best and worst > WIDE * best:
        axes.set_yscale("log")
        steps = (1.0, 2.0, 5.0) if worst < 100 * best else (1.0,)
        axes.yaxis.set_major_locator(LogLocator(subs=steps))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        low, high = best / 1.3, min(worst * 1.3, best * 1e3)
    else:
        span = abs(values[len(values) // 2] - best) or abs(best) or 1.0
        reach = min(abs(worst - best), FAR * span) or span
        ends = (best + 0.08 * reach, best - 1.05 * reach)
        low, high = (ends[1], ends[0]) if highest else (best - 0.08 * reach, best + 1.05 * reach)
    axes.set_ylim(low, high)
    return low, high


def best_so_far(
    axes: Axes, done: Sequence[tuple[int, float]], count: int, *, highest: bool
) -> None:
    """The staircase of records, with the last one named."""
    choose = max if highest else min
    records = [choose(y for _, y in done[: i + 1]) for i in range(len(done))]
    numbers = [x for x, _ in done]
    xs, ys = [*numbers, count - 1 + 0.5], [*records, records[-1]]
    axes.step(xs, ys, where="post", color=DARK, linewidth=1.3, zorder=2)
    number, value = choose(done, key=lambda point: point[1])
    axes.scatter([number], [value], s=90, facecolors="none", edgecolors=DARK, zorder=4)
    axes.annotate(
        f"trial {number}: {value:.4g}",
        (number, value),
        xytext=(0, -19 if highest else 13),  # on the side where there is nothing
        textcoords="offset points",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
        horizontalalignment="left" if number < count / 2 else "right",
        zorder=5,
    )


def columns(points: Sequence[tuple[int, float]]) -> tuple[list[int], list[float]]:
    """Points as two lists."""
    return [x for x, _ in points], [y for _, y in points]


def importances(shares: Mapping[str, float], metric: str, count: int) -> bytes:
    """How much of the differences between trials each setting explains.

    Args:
        shares: by setting; they sum to 1.
        metric: that trials differ in.
        count: of trials.
    """
    from matplotlib.figure import Figure

    names = [short(key, shares) for key in shares][::-1]
    values = list(shares.values())[::-1]
    with styled():
        axes = Figure(figsize=(6.4, 1.1 + BAR_INCHES * len(names))).add_subplot()
        axes.barh(names, values, color=BLUE, height=0.62)
        for place, value in enumerate(values):
            axes.annotate(
                f"{value:.0%}".replace("%", " %"),
                (value, place),
                xytext=(5, 0),
                textcoords="offset points",
                verticalalignment="center",
            )
        axes.set_xlim(0, max(values) * 1.12)
        axes.set_xticks([])
        axes.grid(visible=False)
        axes.spines["bottom"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        about = f"share of the differences that each explains, by fANOVA over {count} trials"
        entitled(axes, f"What {metric} depends on", about)
        return png(axes.figure)  # type: ignore[arg-type]
