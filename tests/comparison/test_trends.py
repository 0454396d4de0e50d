"""Courses over a number: found where there is one, and drawn in its order."""

from collections.abc import Callable
from pathlib import Path

import pytest

from zoo.comparison import compare
from zoo.comparison.figures import courses, looks
from zoo.comparison.trends import draw, trends

Leave = Callable[..., Path]


@pytest.fixture
def memory(leave: Leave, runs: Path) -> Path:
    """Two models over three lengths; one of them misses the longest."""
    for length in (400, 50, 100):
        for model, factor in (("rnn", 2.0), ("lstm", 1.0)):
            if (model, length) != ("rnn", 400):
                settings = {"choices__data": "adding", "data__length": length}
                metrics = {"test/rmse": factor * length}
                leave(f"{model}{length}", model=model, metrics=metrics, **settings)
    return runs


def test_over_data_sets(memory: Path) -> None:
    rankings = compare([memory]).rankings
    [trend] = trends(rankings)
    assert (trend.key, trend.data, trend.metric) == ("length", "adding", "test/rmse")
    assert {name: [(x, s.mean) for x, s in line] for name, line in trend.lines.items()} == {
        "lstm": [(50, 50), (100, 100), (400, 400)],
        "rnn": [(50, 100), (100, 200)],
    }
    [axes] = draw(trend, looks(rankings), rises=False).axes
    assert axes.get_xscale() == "log"
    assert list(axes.get_xticks()) == [50, 100, 400]
    [picture] = courses(rankings, looks(rankings))
    assert picture.name == "adding-by-length"


def test_over_groups(leave: Leave, runs: Path) -> None:
    for code in (2, 8, 32):
        for model in ("ae", "vae"):
            leave(f"{model}{code}", code / 100, model=model, model__net__latent=code)
    [trend] = trends(compare([runs]).rankings)
    assert trend.key == "latent"
    assert {name: [x for x, _ in line] for name, line in trend.lines.items()} == {
        "vae": [2, 8, 32],
        "ae": [2, 8, 32],
    }


def test_a_baseline_that_changes_with_the_number(leave: Leave, runs: Path) -> None:
    for code, baseline in ((2, 30.0), (8, 12.0), (32, 2.0)):
        for model in ("ae", "vae"):
            metrics = {"test/squared_error": code / 100, "baseline/squared_error": baseline}
            leave(f"{model}{code}", model=model, model__net__latent=code, metrics=metrics)
    [trend] = trends(compare([runs], metric="test/squared_error").rankings)
    assert trend.baseline == ((2, 30.0), (8, 12.0), (32, 2.0))
    [axes] = draw(trend, {}, rises=False).axes
    assert "PCA" in {text.get_text() for text in axes.texts}


def test_lists_count_by_their_length(leave: Leave, runs: Path) -> None:
    for depth in (1, 2, 4):
        leave(f"{depth}", 0.9 - depth / 100, model__net__hidden=[64] * depth)
    [trend] = trends(compare([runs]).rankings)
    assert (trend.unit, list(trend.lines)) == ("entries of hidden", ["fnn"])
    assert [x for x, _ in trend.lines["fnn"]] == [1, 2, 4]


@pytest.mark.parametrize(
    "values", [[1, 2], ["a", "b", "c"], [[1, 2], [2, 1], [3]], [True, False, 3]], ids=str
)
def test_no_course_where_there_is_no_number(values: list[object], leave: Leave, runs: Path) -> None:
    for index, value in enumerate(values):
        leave(f"{index}", 0.5 + index / 10, model__net__x=value)
    assert trends(compare([runs]).rankings) == []
