"""From run folders to a ranking."""

from collections.abc import Callable
from pathlib import Path

import pytest
from scipy import stats

from zoo.comparison import compare
from zoo.comparison.table import columns
from zoo.config import ConfigError

Leave = Callable[..., Path]
SCORES = {"fnn": [0.90, 0.91, 0.92], "lstm": [0.95, 0.93, 0.97], "cnn": [0.91, 0.99, 0.92]}


@pytest.fixture
def three(leave: Leave, runs: Path) -> Path:
    """Three models, three seeds each."""
    for model, scores in SCORES.items():
        for seed, score in enumerate(scores):
            costs = {"cost/parameters": 10 + seed, "cost/fit_seconds": None}
            metrics = {**costs, "baseline/accuracy": 0.1}
            leave(f"{model}{seed}", score, model=model, seed=seed, metrics=metrics)
    return runs


def test_a_ranking(three: Path) -> None:
    found = compare([three])
    [ranking] = found.rankings
    assert (found.left_out, found.notes) == ((), ())
    assert (ranking.data, ranking.metric, ranking.rises) == ("digits", "test/accuracy", True)
    assert (ranking.header, ranking.baseline) == ("model", 0.1)
    assert [group.label for group in ranking.groups] == ["lstm", "cnn", "fnn"]
    best, second, last = ranking.groups
    assert best.difference is None
    assert best.values == dict(enumerate(SCORES["lstm"]))
    assert best.costs == {"cost/parameters": 11.0}
    for group in (second, last):
        test = stats.ttest_rel(SCORES[group.label], SCORES["lstm"])
        low, high = test.confidence_interval(0.95)
        assert group.difference is not None
        assert (group.difference.low, group.difference.high) == pytest.approx((low, high))


def test_errors_rank_the_other_way(three: Path, leave: Leave) -> None:
    leave("gru0", 0.1, model="gru", metrics={"test/loss": 0.01})
    [ranking] = compare([three], metric="test/loss").rankings
    assert not ranking.rises
    assert ranking.groups[0].label == "gru"


def test_further_numbers_stand_beside(three: Path, leave: Leave) -> None:
    for seed, gap in enumerate([0.25, 0.5, 0.75]):
        leave(f"gru{seed}", 0.5, model="gru", seed=seed, metrics={"gap/loss": gap})
    [ranking] = compare([three], columns=["gap/loss", "cost/parameters"]).rankings
    beside = {group.label: dict(group.beside) for group in ranking.groups}
    assert beside == {
        **{model: {"cost/parameters": 11.0} for model in SCORES},
        "gru": {"gap/loss": 0.5},
    }
    shown = {column.head: column.cells for column in columns(ranking)}
    assert shown["gap/loss"] == ["", "", "", "0.5000"]
    assert "cost/parameters" not in shown and shown["parameters"][:3] == ["11", "11", "11"]
    with pytest.raises(ConfigError, match="columns=gap/los: .*nearest: gap/loss"):
        compare([three], columns=["gap/los"])


def test_a_short_metric_is_of_the_test(three: Path) -> None:
    assert compare([three], metric="accuracy").rankings[0].metric == "test/accuracy"


def test_groups_by_what_is_asked(three: Path, leave: Leave) -> None:
    leave("fnn9", 0.5, seed=9, optimizer__lr=0.1)
    labels = [group.label for group in compare([three]).rankings[0].groups]
    assert labels == ["lstm lr=0.005", "cnn lr=0.005", "fnn lr=0.005", "fnn lr=0.1"]
    found = compare([three], by=["model"])
    assert [group.label for group in found.rankings[0].groups] == ["lstm", "cnn", "fnn"]
    assert found.notes == ("fnn: its runs differ in lr",)
    labels = [group.label for group in compare([three], by=["lr", "model"]).rankings[0].groups]
    assert labels[0] == "lr=0.005 model=lstm"
    with pytest.raises(ConfigError, match="by=modell: .*nearest: model"):
        compare([three], by=["modell"])


def test_of_a_repeated_seed_the_newest_counts(leave: Leave, runs: Path) -> None:
    for name, score in (("c", 0.1), ("b", 0.2), ("a", 0.3)):
        leave(name, score, seed=4)
    found = compare([runs])
    [group] = found.rankings[0].groups
    assert group.values == {4: 0.3}
    assert [(run.folder.name, run.kind) for run in found.left_out] == [
        ("b", "repeated"),
        ("c", "repeated"),
    ]
    assert any("of 3 runs some repeat a seed" in note for note in found.notes)


def test_data_sets_are_not_ranked_against_each_other(leave: Leave, runs: Path) -> None:
    for length in (50, 100):
        for model in ("rnn", "lstm"):
            settings = {"choices__data": "adding", "data__length": length}
            leave(f"{model}{length}", model=model, metrics={"test/rmse": length / 9}, **settings)
    leave("digits", 0.9)
    found = compare([runs])
    assert [r.data for r in found.rankings] == ["adding, length=50", "adding, length=100", "digits"]
    assert [len(r.groups) for r in found.rankings] == [2, 2, 1]
    assert [r.metric for r in found.rankings] == ["test/rmse", "test/rmse", "test/accuracy"]
    assert found.notes[0].startswith("3 data sets, each ranked by itself")
    assert found.rankings[0].task["data.length"] == 50


def test_a_metric_that_some_lack_is_said(three: Path, leave: Leave) -> None:
    folder = leave("vae", metrics={"test/negative_elbo": 90.0}, model="vae", choices__loss="elbo")
    found = compare([three])
    assert [len(ranking.groups) for ranking in found.rankings] == [3]
    assert [(run.folder, run.kind) for run in found.left_out] == [(folder, "no metric")]


def test_numbers_that_are_not_finite_are_left_out(three: Path, leave: Leave) -> None:
    leave("nan", model="gru", metrics={"test/accuracy": None})
    found = compare([three])
    assert [run.kind for run in found.left_out] == ["not finite"]
    assert len(found.rankings[0].groups) == 3


def test_one_seed_is_said_once(leave: Leave, runs: Path) -> None:
    leave("a", 0.5, model="fnn")
    leave("b", 0.6, model="cnn")
    found = compare([runs])
    assert len(found.notes) == 1
    assert "one seed each: no interval" in found.notes[0]
    best, other = found.rankings[0].groups
    assert best.score.low is None
    assert other.difference is not None
    assert (other.difference.mean, other.difference.low) == (pytest.approx(-0.1), None)


def test_groups_that_share_no_seed_are_said(leave: Leave, runs: Path) -> None:
    for seed in (0, 1):
        leave(f"a{seed}", 0.5, model="fnn", seed=seed)
        leave(f"b{seed}", 0.6, model="cnn", seed=seed + 2)
    found = compare([runs])
    assert found.rankings[0].groups[1].difference is None
    assert any("share no seed" in note for note in found.notes)


def test_a_run_without_a_seed_is_its_own(leave: Leave, runs: Path) -> None:
    for name in "ab":
        leave(name, 0.5, seed=None)
    assert compare([runs]).rankings[0].groups[0].score.n == 2


def test_a_name_says_all_of_its_runs(leave: Leave, runs: Path) -> None:
    leave("a", 0.5, name="ours", model="cnn")
    leave("b", 0.4, model="cnn")
    leave("c", 0.3, model="fnn")
    assert [g.label for g in compare([runs]).rankings[0].groups] == ["ours", "cnn", "fnn"]


def test_a_hundred_groups(leave: Leave, runs: Path) -> None:
    for index in range(100):
        leave(f"{index}", 0.9 - index / 1e4, optimizer__lr=1e-4 * (index + 1))
    labels = [group.label for group in compare([runs]).rankings[0].groups]
    assert len(set(labels)) == 100
    assert labels[0] == "lr=0.0001"


def test_none_finished_is_one_sentence(leave: Leave, runs: Path) -> None:
    leave("a")
    with pytest.raises(ConfigError, match=r"no run below .* is finished \(1 unfinished\); the"):
        compare([runs])
    leave("b", metrics={"test/accuracy": None, "test/loss": None})
    with pytest.raises(ConfigError, match=r"none of 1 finished runs can be ranked"):
        compare([runs])
