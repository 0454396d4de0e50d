"""What may be ranked together, and by what."""

from collections.abc import Callable

import pytest

from zoo.comparison import Run
from zoo.comparison.settings import normalised
from zoo.comparison.tasks import check_metric, chosen_metric, task_of, titles, with_metric
from zoo.config import ConfigError

Make = Callable[..., Run]


def same(a: Run, b: Run, metric: str | None = None) -> bool:
    first, second = (task_of(row, metric) for row in normalised([a, b]))
    return first == second


@pytest.mark.parametrize(
    "key",
    ["batch_size", "view", "seed", "workers", "root", "train_size", "train_samples", "scaling"],
)
def test_what_only_training_sees_is_no_other_task(key: str, run: Make) -> None:
    a, b = (run(choices__data="digits", **{f"data__{key}": v}) for v in (1, 2))
    assert same(a, b, "test/accuracy")


@pytest.mark.parametrize("key", ["length", "horizon", "split_seed", "test_size", "target", "path"])
def test_what_the_test_sees_is_another_task(key: str, run: Make) -> None:
    a, b = (run(choices__data="adding", **{f"data__{key}": v}) for v in (1, 2))
    assert not same(a, b)


def test_the_streams_of_a_text_are_no_task(run: Make) -> None:
    a, b = (
        run(choices__data="text_lm", data___target_="zoo.data.TextLM", data__length=n)
        for n in (32, 64)
    )
    assert same(a, b)


def test_errors_of_reconstruction_are_in_scaled_units(run: Make) -> None:
    net = {"choices__data": "digits", "model___target_": "zoo.lit.LitAutoencoder"}
    a, b = (run(**net, data__scaling=scaling) for scaling in ("unit", "standard"))
    assert not same(a, b, "test/squared_error")
    assert same(a, b, "test/accuracy")  # of a probe on the code


def test_losses_are_ranked_within_one_loss(run: Make) -> None:
    a, b = (run(choices__data="digits", choices__loss=loss) for loss in ("mse", "mae"))
    assert not same(a, b, "test/loss")
    assert same(a, b, "test/rmse")
    a, b = (run(choices__data="d", choices__loss="elbo", loss__sigma=s) for s in (0.1, 1.0))
    assert not same(a, b, "test/negative_elbo")
    a, b = (run(choices__data="d", choices__loss="elbo", loss__beta=s) for s in (0.1, 1.0))
    assert same(a, b, "test/negative_elbo")
    assert not same(a, b, "test/loss")


def test_data_sets_are_named_by_what_differs(run: Make) -> None:
    runs = [
        run(choices__data="adding", data__length=50, data__test_size=100),
        run(choices__data="adding", data__length=100, data__test_size=100),
        run(choices__data="digits", data__split_seed=0),
        run(choices__data="digits"),
    ]
    tasks = [task_of(row) for row in normalised(runs)]
    assert titles(tasks) == [
        *("adding, length=50", "adding, length=100", "digits", "digits, settings unknown"),
    ]


def test_the_usual_metric_that_most_runs_have(run: Make) -> None:
    classes = [run({"test/accuracy": 0.5, "test/loss": 1.0}, choices__loss="ce")] * 3
    images = [run({"test/squared_error": 0.5, "test/loss": 1.0}, choices__loss="mse")]
    assert chosen_metric(classes) == "test/accuracy"
    assert chosen_metric(images) == "test/squared_error"
    # All four have a loss, but not the same one.
    assert chosen_metric([*classes, *images]) == "test/accuracy"
    assert chosen_metric([run({"test/rmse": 1.0, "test/mae": 1.0, "test/r2": 1.0})]) == "test/rmse"
    assert chosen_metric([run({"best/accuracy": 1.0, "train/loss": 1.0})]) == "best/accuracy"
    assert chosen_metric([run({"test/loss": 1.0, "best/accuracy": 1.0})]) == "test/loss"
    assert chosen_metric([run({"model": "fnn"})]) is None


def test_why_a_run_has_no_number(run: Make) -> None:
    values = [0.5, 1, None, float("nan"), "0.9", True]
    runs = [run({"test/accuracy": value}) for value in values] + [run({})]
    kept, left_out = with_metric(runs, "test/accuracy")
    assert kept == runs[:2]
    assert [(run.kind, run.why) for run in left_out] == [
        ("not finite", "test/accuracy is not finite"),
        ("not finite", "test/accuracy is not finite"),
        ("broken", "test/accuracy in metrics.json is '0.9', no number"),
        ("broken", "test/accuracy in metrics.json is True, no number"),
        ("no metric", "metrics.json has no test/accuracy"),
    ]


def test_unknown_metrics_are_refused_with_the_nearest(run: Make) -> None:
    runs = [run({"test/accuracy": 0.5, "val/accuracy": 0.5, "model": "fnn", "test/r2": None})]
    check_metric(runs, "test/accuracy")
    check_metric(runs, "test/r2")
    with pytest.raises(ConfigError, match=r"metric=test/acuracy: .*nearest: test/accuracy, "):
        check_metric(runs, "test/acuracy")
    with pytest.raises(ConfigError, match="nearest: test/accuracy"):
        check_metric(runs, "zzz")
