"""What a person reads: numbers, tables, lines."""

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from rich.console import Console

from zoo.comparison import Estimate, Group, Ranking
from zoo.comparison.table import columns, markdown, plain, show
from zoo.comparison.wording import decimals, duration, human, interval, number


@pytest.mark.parametrize(
    ("value", "text", "tick"),
    [
        (84_970, "85.0k", "85k"),
        (170_000, "170k", "170k"),
        (999, "999", "999"),
        (999.6, "1.00k", "1k"),
        (999_600, "1.00M", "1M"),
        (1_230_000, "1.23M", "1.23M"),
        (4.2e9, "4.20G", "4.2G"),
        (0, "0", "0"),
        (12.34, "12.3", "12.3"),
    ],
)
def test_counts(value: float, text: str, tick: str) -> None:
    assert (human(value), human(value, short=True)) == (text, tick)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.034, "0.0340 s"), (12.34, "12.3 s"), (119, "119 s"), (150, "2.50 min"), (7300, "2.03 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("values", "places"),
    [
        ([0.97, 0.5], 4),
        ([5.2, 1.1], 3),
        ([0.02, 0.5], 4),
        ([0.001115, 0.078], 5),
        ([123.4, 456.7], 1),
        ([0.0], 4),
        ([1e-9], None),
        ([1.0, 1e7], None),
    ],
)
def test_digits_after_the_point(values: list[float], places: int | None) -> None:
    assert decimals(values) == places


def test_numbers() -> None:
    assert number(-0.01204, 4) == "−0.0120"
    assert number(0.01204, 4, sign=True) == "+0.0120"
    assert number(-0.00001, 4, sign=True) == "0.0000"
    assert number(1234.5, 1) == "1,234.5"
    assert number(1.234e-9, None) == "1.234e-09"
    assert interval(-0.5, 0.25, 2, sign=True) == "−0.50 … +0.25"
    assert interval(None, None, 2) == ""


def group(
    label: str, score: Estimate, difference: Estimate | None, costs: Mapping[str, float]
) -> Group:
    return Group(label, {}, (), {}, score, difference, costs, 0.1)


@pytest.fixture
def ranking() -> Ranking:
    best = group("lstm", Estimate(0.95, 3, 0.02, 0.9, 1.0), None, {"cost/parameters": 84_970.0})
    apart = Estimate(-0.04, 2, 0.01, -0.13, 0.05)
    other = group("fnn [64] a|b", Estimate(0.91, 3, 0.01, 0.88, 0.94), apart, {})
    single = group("cnn", Estimate(0.5, 1), Estimate(-0.45, 1), {"cost/fit_seconds": 150.0})
    return Ranking("digits", {}, "test/accuracy", True, "model", (best, other, single))


def test_a_table_side_by_side(ranking: Ranking) -> None:
    assert plain(columns(ranking)).splitlines() == [
        "model           test/accuracy  n    95 % interval    to the best"
        "  its interval, paired  parameters       fit",
        "------------  ---------------  -  ---------------  -------------"
        "  --------------------  ----------  --------",
        "lstm          0.9500 ± 0.0200  3  0.9000 … 1.0000           best"
        "                             85.0k",
        "fnn [64] a|b  0.9100 ± 0.0100  3  0.8800 … 0.9400  −0.0400 (n=2)     −0.1300 … +0.0500",
        "cnn                    0.5000  1                         −0.4500"
        "                                    2.50 min",
    ]


def test_a_baseline_that_differs_is_a_column(ranking: Ranking) -> None:
    first, *rest = ranking.groups
    changed = ranking._replace(groups=(first._replace(baseline=0.2), *rest))
    assert (ranking.baseline, changed.baseline) == (0.1, None)
    heads = {column.head: column.cells for column in columns(changed)}
    assert heads["baseline"] == ["0.2000", "0.1000", "0.1000"]


def test_markdown(ranking: Ranking) -> None:
    lines = markdown(ranking).splitlines()
    assert lines[1] == "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    assert lines[3].startswith("| fnn [64] a\\|b | 0.9100 ± 0.0100 | 3 |")
    assert {line.replace("\\|", "").count("|") for line in lines} == {9}


def printed(ranking: Ranking, **how: object) -> str:
    console = Console(file=io.StringIO(), **how)  # type: ignore[arg-type]
    show(ranking, console)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_a_file_gets_it_unwrapped(ranking: Ranking) -> None:
    text = printed(ranking, width=40)
    assert plain(columns(ranking)) in text
    assert "test/accuracy on digits: 3 groups, more is better" in text
    assert text.endswith("baseline 0.1000, of a trivial predictor\n")


def test_a_narrow_terminal_gets_two_tables(ranking: Ranking) -> None:
    wide, narrow = (
        printed(ranking, width=width, force_terminal=True, color_system=None)
        for width in (200, 110)
    )
    assert wide.count("lstm") == 1
    assert narrow.count("lstm") == 2
    assert max(map(len, narrow.splitlines())) <= 110
    for text in (wide, narrow):
        assert "fnn [64] a|b" in text
        assert "2.50 min" in text


def test_what_nobody_has_is_no_column(leave: Callable[..., Path], runs: Path) -> None:
    from zoo.comparison import compare

    leave("a", 0.5)
    [ranking] = compare([runs]).rankings
    assert [c.head for c in columns(ranking)] == ["model", "test/accuracy", "n"]
