"""Figures: what is drawn is what was measured, and nothing hides anything else."""

import itertools
import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from zoo.comparison import Group, Ranking, compare, estimate
from zoo.comparison.curves import curves, joined
from zoo.comparison.figures import learning, looks, pareto, pictures, scores
from zoo.comparison.style import COLOURS, cut, spread, styled, styles

Leave = Callable[..., Path]


@pytest.fixture(autouse=True)
def as_they_are_drawn() -> Iterator[None]:
    with styled():
        yield


PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("rises", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_the_front_is_what_nothing_beats(rises: bool, seed: int) -> None:
    draw = random.Random(seed)
    points = [(draw.randint(1, 9), draw.randint(1, 9)) for _ in range(12)]
    way = 1 if rises else -1

    def beaten(p: tuple[int, int]) -> bool:
        return any(
            q != p and q[0] <= p[0] and way * q[1] >= way * p[1] for q in set(points)
        )  # fmt: skip

    assert pareto(points, rises=rises) == sorted(p for p in set(points) if not beaten(p))


@pytest.mark.parametrize("seed", range(20))
def test_labels_keep_apart_in_their_order_and_within_the_axis(seed: int) -> None:
    draw = random.Random(seed)
    wanted = [draw.random() ** 3 for _ in range(draw.randint(1, 20))]
    gap = 0.05
    placed = spread(wanted, gap, 0.025, 0.975)
    assert all(0.025 - 1e-9 <= place <= 0.975 + 1e-9 for place in placed)
    by_place = sorted(range(len(wanted)), key=lambda i: placed[i])
    assert [wanted[i] for i in by_place] == sorted(wanted)
    steps = [b - a for a, b in itertools.pairwise(sorted(placed))]
    assert all(step >= gap - 1e-9 for step in steps)


def test_labels_that_have_room_stay_where_they_are() -> None:
    assert spread([0.9, 0.1, 0.5], 0.05, 0, 1) == [0.9, 0.1, 0.5]
    assert spread([0.5, 0.5], 0.1, 0, 1) == pytest.approx([0.45, 0.55])


def test_thirty_groups_look_different() -> None:
    assert (
        len({(s.colour, s.marker, str(s.line)) for s in styles(list(map(str, range(30)))).values()})
        == 30
    )


def test_colours_are_told_apart_by_everyone() -> None:
    """Under simulated red and green blindness (Vienot 1999), and by their lightness on white."""
    # Linear RGB to RGB, for protanopes and for deuteranopes.
    blind = [
        ((0.11238, 0.88762, 0), (0.11238, 0.88762, 0), (0.00401, -0.00401, 1)),
        ((0.29275, 0.70725, 0), (0.29275, 0.70725, 0), (-0.02234, 0.02234, 1)),
    ]
    linear = [
        [(int(c[i : i + 2], 16) / 255) ** 2.2 for i in (1, 3, 5)] for c in COLOURS
    ]  # fmt: skip
    for matrix in blind:
        seen = [[sum(m * x for m, x in zip(row, c, strict=True)) for row in matrix] for c in linear]
        for a, b in itertools.combinations(seen, 2):
            shown = [max(0, x) ** (1 / 2.2) for x in a], [max(0, x) ** (1 / 2.2) for x in b]
            assert math.dist(*shown) > 0.14
    for r, g, b in linear:
        assert 1.05 / (0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05) > 1.9  # contrast to white


def test_long_labels_are_cut_and_dollars_kept() -> None:
    assert cut("x" * 100).endswith("…")
    assert len(cut("x" * 100)) == 42
    assert cut("$a$") == r"\$a\$"


def test_curves_are_joined_point_by_point() -> None:
    found = joined([[(1, 1.0), (2, 2.0), (3, 3.0)], [(1, 3.0), (2, math.nan)]])
    assert found.x == [1, 2, 3]
    assert found.mean == [2.0, 2.0, 3.0]
    assert (found.low, found.high) == ([1.0, 2.0, 3.0], [3.0, 2.0, 3.0])
    assert found.n == [2, 1, 1]


@pytest.fixture
def ranked(leave: Leave, runs: Path, events: Callable[..., Path]) -> Ranking:
    """Two models, two seeds, curves of ten epochs."""
    for model, level in (("lstm", 0.9), ("fnn", 0.8)):
        for seed in (0, 1):
            end = level + seed / 50
            metrics = {"cost/parameters": 100 * level, "baseline/accuracy": 0.1}
            folder = leave(f"{model}{seed}", end, model=model, seed=seed, metrics=metrics)
            curve = [(20 * e + 19, end * (1 - 0.5**e)) for e in range(1, 11)]
            events(folder, {"val/accuracy": curve, "val/loss": curve})
    [ranking] = compare([runs]).rankings
    return ranking


def test_curves_count_epochs(ranked: Ranking) -> None:
    found = curves(ranked, ranked.groups)
    assert found is not None
    assert (found.tag, found.unit, list(found.by_group)) == (
        "val/accuracy",
        "epoch",
        ["lstm", "fnn"],
    )
    curve = found.by_group["lstm"]
    assert curve.x == list(range(1, 11))
    assert curve.mean == pytest.approx([0.91 * (1 - 0.5**e) for e in curve.x], rel=1e-6)
    assert set(curve.n) == {2}


def test_curves_count_steps_where_validation_is_within_epochs(ranked: Ranking) -> None:
    first, *rest = ranked.groups
    runs = tuple(
        run._replace(settings={**run.settings, "trainer.val_check_interval": 0.25})
        for run in first.runs
    )
    found = curves(ranked, (first._replace(runs=runs), *rest))
    assert found is not None
    assert (found.unit, found.by_group["fnn"].x[:2]) == ("step", [39, 59])


def test_figures_are_pictures(ranked: Ranking) -> None:
    found = pictures(ranked, looks([ranked]))
    assert [picture.name for picture in found] == ["scores", "curves", "costs"]
    for picture in found:
        assert picture.png.startswith(PNG)
        assert all(300 < side < 2_000 for side in picture.size)


def colours(figure: Figure) -> set[object]:
    return {line.get_color() for axes in figure.axes for line in axes.lines}


def test_a_group_has_one_colour_in_all_figures(ranked: Ranking) -> None:
    look = looks([ranked])
    found = curves(ranked, ranked.groups)
    assert found is not None
    for figure in (scores(ranked, ranked.groups, look), learning(ranked, found, look)):
        assert {style.colour for style in look.values()} <= colours(figure)
    # Also where another data set has them in another order.
    turned = ranked._replace(data="other", groups=ranked.groups[::-1])
    assert looks([ranked, turned]) == look


def test_the_beginning_of_a_long_curve_does_not_take_all_the_room(ranked: Ranking) -> None:
    found = curves(ranked, ranked.groups)
    assert found is not None
    [axes] = learning(ranked, found, looks([ranked])).axes
    low, high = axes.get_ylim()
    assert 0.45 < low < 0.8 < 0.92 < high
    words = [text.get_text() for text in axes.texts]
    assert any("beginning is cut off" in word for word in words)
    assert {"lstm", "fnn"} <= set(words)


def many(count: int) -> Ranking:
    """Groups of three seeds, best first."""
    groups = tuple(
        Group(f"g{i}", {}, (), dict(enumerate(v)), estimate(v), None, {}, 0.1)
        for i in range(count)
        for v in [[0.9 - i / 100, 0.91 - i / 100, 0.89 - i / 100]]
    )
    return Ranking("digits", {}, "test/accuracy", True, "model", groups)


@pytest.mark.parametrize("count", [1, 2, 20, 25])
def test_names_do_not_overlap(count: int) -> None:
    ranking = many(count)
    figure = scores(ranking, ranking.groups[:20], looks([ranking]))
    figure.canvas.draw()
    [axes] = figure.axes
    names = [label.get_window_extent() for label in axes.get_yticklabels()]
    assert len(names) == min(count, 20)
    assert not [1 for a, b in itertools.combinations(names, 2) if a.overlaps(b)]
    assert ("best 20 of 25" in axes.get_title(loc="left")) == (count == 25)


def test_a_baseline_far_away_is_said() -> None:
    ranking = many(2)
    look = looks([ranking])
    [axes] = scores(ranking, ranking.groups, look).axes
    assert "← baseline 0.1000" in [text.get_text() for text in axes.texts]
    assert axes.get_xlim()[0] > 0.1
    near = ranking._replace(groups=tuple(g._replace(baseline=0.85) for g in ranking.groups))
    [axes] = scores(near, near.groups, look).axes
    assert "baseline 0.8500" in [text.get_text() for text in axes.texts]
    assert axes.get_xlim()[0] < 0.85


@pytest.mark.parametrize(("factor", "scale"), [(2, "linear"), (1_000, "log")])
def test_errors_that_differ_by_factors_are_on_a_logarithmic_axis(factor: int, scale: str) -> None:
    values = [{0: 0.1, 1: 0.11}, {0: 0.1 * factor, 1: 0.11 * factor}]
    groups = tuple(
        Group(f"g{i}", {}, (), v, estimate(list(v.values())), None, {}, None)
        for i, v in enumerate(values)
    )
    ranking = Ranking("digits", {}, "test/rmse", False, "model", groups)
    [axes] = scores(ranking, groups, looks([ranking])).axes
    assert axes.get_xscale() == scale


@pytest.mark.slow
def test_pyplot_is_not_needed(ranked: Ranking, call: Callable[..., object], runs: Path) -> None:
    import subprocess
    import sys

    code = f"""
import sys
from pathlib import Path
from zoo.comparison import report
assert not {{"torch", "matplotlib", "scipy", "tensorboard", "numpy"}} & set(sys.modules)
report([Path({str(runs)!r})])
heavy = {{"matplotlib.pyplot", "torch", "lightning", "tensorflow", "scipy.stats"}}
print(*(heavy & set(sys.modules)))"""
    done = call(sys.executable, "-c", code)
    assert isinstance(done, subprocess.CompletedProcess)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == ""
