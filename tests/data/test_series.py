import gzip
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zoo.data.series import Series

DATA = Path(__file__).parents[2].parent / "shared" / "data"


def write(folder: Path, text: str, name: str = "s.csv") -> str:
    file = folder / name
    file.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return str(file)


@pytest.fixture
def squares(tmp_path: Path) -> str:
    """30 rows: the time as text, t ** 2, and -t."""
    rows = [f"day {t},{t * t},{-t}" for t in range(30)]
    return write(tmp_path, "\n".join(["time,square,minus", *rows]) + "\n", "s.csv.gz")


def ready(**arguments) -> Series:
    module = Series(**arguments)
    module.setup()
    return module


def test_windows_cut_by_hand(squares: str) -> None:
    module = ready(
        path=squares, target="square", window=3, horizon=2, val=6, test=0.2, scaling="none"
    )
    series = [float(t * t) for t in range(30)]
    # Training forecasts rows up to 17, validation 18 to 23, the test 24 to 29.
    firsts = {"train": range(3, 17), "val": range(18, 23), "test": range(24, 29)}
    for name, first in firsts.items():
        x, y = module.splits[name].x, module.splits[name].y
        assert x.tolist() == [[[series[t - 3]], [series[t - 2]], [series[t - 1]]] for t in first]
        assert y.tolist() == [[series[t], series[t + 1]] for t in first]
    assert module.facts["scale"] == [1.0, 1.0] and module.facts["in_shape"] == [3, 1]


def test_columns_targets_and_stride(squares: str) -> None:
    module = ready(
        path=squares,
        target=["minus", "square"],
        columns="all",
        window=2,
        horizon=2,
        stride=5,
        train=10,
        val=8,
        test=8,
        scaling="none",
    )
    assert module.splits["train"].x[:, 0].tolist() == [[0.0, 0.0], [25.0, -5.0]]
    assert module.splits["train"].y.tolist() == [[-2.0, 4.0, -3.0, 9.0], [-7.0, 49.0, -8.0, 64.0]]
    assert module.splits["test"].y[0].tolist() == [-18.0, 324.0, -19.0, 361.0]
    assert len(module.splits["test"].y) == 2  # rows 26 to 29 are not used
    other = ready(path=squares, target="minus", columns=["square"], window=2, horizon=1)
    assert other.facts["in_features"] == other.facts["out_features"] == 1


def test_scaled_by_training_rows_alone_and_back(squares: str) -> None:
    module = ready(path=squares, target=["minus", "square"], window=3, horizon=2, val=6, test=6)
    train = np.arange(18.0) ** 2
    y = module.splits["test"].y[:, 1].double() * train.std() + train.mean()
    np.testing.assert_allclose(y, np.arange(24.0, 29.0) ** 2, rtol=1e-6)
    minus = np.arange(18.0).std()
    np.testing.assert_allclose(module.facts["scale"], [minus, train.std()] * 2, rtol=1e-6)
    unit = ready(path=squares, target="square", window=3, horizon=2, val=6, test=6, scaling="unit")
    assert unit.facts["scale"] == [17.0**2] * 2
    batch = next(iter(unit.test_dataloader()))
    np.testing.assert_allclose(batch.y[0] * 17.0**2, [24.0**2, 25.0**2], rtol=1e-6)
    np.testing.assert_allclose(batch.x[0, :, 0] * 17.0**2, np.arange(21.0, 24.0) ** 2, rtol=1e-6)


def test_relative_to_the_last_row_seen(squares: str) -> None:
    module = ready(
        path=squares, target="square", columns=["minus"], window=2, horizon=2, val=6, test=6,
        scaling="none", relative=True,
    )  # fmt: skip
    split = module.splits["train"]
    assert split.x[3].tolist() == [[1.0], [0.0]]
    assert split.y[3].tolist() == [5.0**2 - 4.0**2, 6.0**2 - 4.0**2]


def test_baselines_written_out(squares: str) -> None:
    module = ready(path=squares, target="square", window=3, horizon=3, val=6, test=6, period=2)
    series = [float(t * t) for t in range(30)]
    last = [series[t + h] - series[t - 1] for t in range(24, 28) for h in range(3)]
    season = [series[t + h] - series[t - 2 + h % 2] for t in range(24, 28) for h in range(3)]
    assert module.baselines() == pytest.approx(
        {
            "rmse": np.sqrt(np.mean(np.square(last))),
            "mae": np.mean(last),
            "seasonal_rmse": np.sqrt(np.mean(np.square(season))),
            "seasonal_mae": np.mean(season),
        }
    )
    relative = ready(
        path=squares, target="square", window=3, horizon=3, val=6, test=6, relative=True
    )
    # Repeating the last row is forecasting a difference of nothing.
    errors = relative.splits["test"].y * torch.tensor(relative.facts["scale"])
    assert relative.baselines()["rmse"] == pytest.approx(errors.square().mean().sqrt().item())
    assert set(relative.baselines()) == {"rmse", "mae"}


def test_airline_passengers_are_bundled() -> None:
    module = Series()
    assert module.describe() == (
        "airline-passengers: 51 train, 18 validation, 18 test; 24 x 1 sequences, 12 targets"
    )
    first, last = module.known[0, 0], module.known[-1, 0]
    assert (len(module.known), first, last) == (144, 112, 432)
    baselines = module.baselines()
    assert baselines["seasonal_rmse"] < baselines["rmse"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"window": 0}, "`window` must be an integer of at least 1, got 0"),
        ({"val": 1.5}, "`val` must be a number of rows, or a share between 0 and 1, got 1.5"),
        ({"test": 0}, "`test` must be a number of rows, or a share between 0 and 1, got 0"),
        ({"train": True}, "`train` must be a number of rows"),
        ({"separator": "ab"}, "`separator` must be one character"),
    ],
)
def test_arguments_out_of_range(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Series(**arguments)


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        ("t,a\n1,2\n", {}, "`target` must name the column .* data.target= one of t, a"),
        ("t,a\n1,2\n", {"target": "b"}, "`target` names no column"),
        ("t,a\n1,2\n", {"target": "a", "columns": ["b"]}, "`columns` names no column"),
        ("t,a\n1,2\n", {"target": ["a", "a"]}, "must name a column once"),
        ("a\n1\nx\n", {"target": "a"}, "line 3, column 'a': 'x' is not a number"),
        ("a,b\n1,1\n,1\n,1\n", {"target": "a"}, "line 3, column 'a': 2 of 3 values are missing"),
        ("a\n1\ninf\n", {"target": "a"}, "line 3, column 'a': 1 of 2 values is infinite"),
        ("a\n" + "1\n" * 50, {"target": "a"}, r"24 \+ 12 rows do not fit the 30 rows of train"),
        ("a\n" + "1\n" * 99, {"target": "a", "val": 5}, "5 rows of val, which begin at row 74"),
        ("a\n" + "1\n" * 99, {"target": "a", "val": 90, "test": 20}, "ask for some, 90 and 20"),
    ],
)
def test_what_is_wrong_with_a_series(tmp_path, text: str, arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ready(path=write(tmp_path, text), **arguments)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.floats(width=64).map(repr) | st.just("x"), min_size=1, max_size=12))
def test_any_column_is_a_series_or_an_error(tmp_path, cells: list[str]) -> None:
    path = write(tmp_path, "\n".join(["a", *cells]))
    module = Series(path=path, target="a", window=2, horizon=1, val=1, test=1)
    try:
        module.setup()
    except ValueError:
        return
    assert all(bool(s.x.isfinite().all() and s.y.isfinite().all()) for s in module.splits.values())


@pytest.mark.reproduce
@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
def test_repeat_last_on_etth1_is_the_published_trap() -> None:
    module = ready(
        path=str(DATA / "ett" / "ETTh1.csv.gz"), target="OT", window=96, horizon=24,
        train=8640, val=2880, test=2880, period=24,
    )  # fmt: skip
    errors, scale = module.baselines(), module.facts["scale"][0]
    assert (errors["rmse"] / scale) ** 2 == pytest.approx(0.034, abs=5e-4)
