"""The benchmark: its arithmetic, its table and its file."""

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

# --- arithmetic --------------------------------------------------------------------------------

pytestmark = pytest.mark.slow  # they time things


@pytest.mark.parametrize(
    ("measure", "ours", "theirs", "value"),
    [
        ("LONGER", 3.0, 2.0, 1.5),
        ("FASTER", 2.0, 16.0, 8.0),
        ("EXTRA", 900e-6, 450e-6, 450.0),
        ("ALONE", 1.25, 99.0, 1.25),
    ],
)
def test_what_is_made_of_two_times(
    common: ModuleType, measure: str, ours: float, theirs: float, value: float
) -> None:
    assert getattr(common, measure).of(ours, theirs) == pytest.approx(value)


@pytest.mark.parametrize(
    ("measure", "bound", "met"),
    [("LONGER", 1.5, True), ("LONGER", 1.49, False), ("FASTER", 0.6, True), ("FASTER", 0.7, False)],
)
def test_a_bound_is_met_from_its_own_side(
    common: ModuleType, measure: str, bound: float, met: bool
) -> None:
    claim = common.Claim("mlp", "zoo", "bare", getattr(common, measure), bound)
    assert common.row(claim, [3.0], [2.0])["met"] is met


def test_a_row_has_medians_and_the_spread_over_repeats(common: ModuleType) -> None:
    claim = common.Claim("mlp", "zoo", "bare", common.LONGER, 1.3)
    row = common.row(claim, [0.001, 0.002, 0.009], [0.001, 0.004, 0.002])
    assert row["ours_ms"] == pytest.approx(2) and row["theirs_ms"] == pytest.approx(2)
    assert (row["value"], row["target"], row["met"]) == (1.0, "<= 1.3", True)
    assert (row["lowest"], row["highest"]) == (0.5, 4.5)
    assert row["all_theirs_ms"] == pytest.approx([1, 4, 2])


def test_without_a_bound_or_another_way_nothing_is_judged(common: ModuleType) -> None:
    row = common.row(common.Claim("first", "zoo", "nothing", common.ALONE), [2.0], None)
    assert row["met"] is None and row["target"] is None and row["theirs_ms"] is None
    assert row["value"] == 2.0


def test_ways_take_turns_back_and_forth(common: ModuleType) -> None:
    called: list[str] = []

    def way(name: str) -> float:
        called.append(name)
        return float(len(called))

    seconds = common.in_turn({name: partial(way, name) for name in "abc"}, 3)
    assert "".join(called) == "abccbaabc"
    assert seconds == {"a": [1.0, 6.0, 7.0], "b": [2.0, 5.0, 8.0], "c": [3.0, 4.0, 9.0]}


def test_steady_steps_come_after_the_twentieth(module: Callable[[str], ModuleType]) -> None:
    steady = module("benchmarks.training").steady
    slow = [5.0 * step for step in range(21)]
    assert steady([*slow, *(100.0 + 2 * step for step in range(1, 31))]) == pytest.approx(2.0)
    assert steady([0.0, 7.0, 8.0, 9.0]) == pytest.approx(1.0)  # of few, the later half


def test_the_exponent_is_that_of_the_upper_half(module: Callable[[str], ModuleType]) -> None:
    exponent = module("benchmarks.scaling").exponent
    assert exponent([1, 2, 4, 8], [5.0, 5.0, 3.0 * 16, 3.0 * 64]) == pytest.approx(2)
    assert exponent([1, 2], [4.0, 2.0]) == pytest.approx(-1)


# --- table and file ----------------------------------------------------------------------------


def results(common: ModuleType) -> Any:
    claims = [
        common.Claim("mlp, b128", "zoo", "bare", common.LONGER, 1.3),
        common.Claim("mlp, b128", "zoo", "bare", common.FASTER, 2),
        common.Claim("null", "zoo", "bare", common.EXTRA),
    ]
    contest = common.Contest({"zoo": lambda: 0.003, "bare": lambda: 0.0025}, claims)
    left_out = common.Skipped("keras")
    return common.held([contest, left_out], common.Plan(3), ["what is on"])


def test_the_table_says_what_was_met_missed_and_left_out(common: ModuleType) -> None:
    lines = common.table(results(common)).splitlines()
    assert lines[0].split()[:2] == ["against", "ours"]
    assert "1.20 x as long" in lines[1] and lines[1].endswith("<= 1.3  met")
    assert "0.83 x faster" in lines[2] and lines[2].endswith(">= 2  MISSED")
    assert "500 us more" in lines[3] and "<=" not in lines[3]
    assert lines[4:] == ["keras: skipped: not installed", "what is on"]


def test_the_file_has_the_numbers_and_what_they_depend_on(
    common: ModuleType,
    module: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    benchmark, file = module("benchmark"), tmp_path / "numbers.json"
    parts = ("data", "step", "peers", "startup", "inference", "scaling")
    assert tuple(benchmark.PARTS) == parts
    fake = SimpleNamespace(run=lambda plan: results(common))
    monkeypatch.setattr(benchmark, "PARTS", {"step": fake, "peers": fake})
    benchmark.main(["all", "--repeats", "7", "--json", str(file)])
    kept = json.loads(file.read_text())
    assert (kept["clock"], kept["repeats"], kept["torch"]) == ("wall", 7, torch.__version__)
    assert [row["met"] for row in kept["step"]] == [True, False, None]
    assert kept["notes"]["peers"] == ["what is on", "keras: skipped: not installed"]
    assert "medians of 7 interleaved repeats" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["step", "--repeats", "4"], ["stepp"], []])
def test_what_cannot_be_measured_is_refused(
    words: list[str], module: Callable[[str], ModuleType]
) -> None:
    with pytest.raises(SystemExit):
        module("benchmark").arguments(words)


def test_a_cpu_clock_stands_while_others_run(common: ModuleType) -> None:
    assert not common.Plan().by_cpu and common.Plan(now=time.thread_time).by_cpu
