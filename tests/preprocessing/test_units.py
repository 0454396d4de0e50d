"""Answers in the units of their data: targets of training come back as they stand in the source."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from zoo.data import Diabetes, Series, Table
from zoo.preprocessing import Inputs, Preprocessing

Restored = Callable[..., Preprocessing]


def test_diabetes_in_its_own_units(restored: Restored) -> None:
    import sklearn.datasets

    data = Diabetes()
    rules = restored(data)
    truth = set(sklearn.datasets.load_diabetes(scaled=False).target.tolist())
    split = data.splits["test"]
    for answer in rules.output.answers(split.y, Inputs(split.x), range(len(split.y))):
        assert min(abs(answer["values"][0] - value) for value in truth) < 1e-3


def test_a_unit_of_the_target_is_taken_back(tmp_path: Path, restored: Restored) -> None:
    lines = ["size,price", *(f"{i},{1000 * i + 7}" for i in range(40))]
    (tmp_path / "train.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "test.csv").write_text("size,price\n3,3007\n9,9007\n")
    data = Table(
        path=str(tmp_path / "train.csv"),
        test_path=str(tmp_path / "test.csv"),
        target="price",
        task="regression",
        target_unit=1000.0,
    )
    rules = restored(data)
    split = data.splits["test"]
    answers = rules.output.answers(split.y, Inputs(split.x), [0, 0])
    assert [a["values"][0] for a in answers] == [pytest.approx(3007), pytest.approx(9007)]


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("scaling", Series.scalings)
def test_a_forecast_is_in_units_of_its_file(
    relative: bool, scaling: str, tmp_path: Path, restored: Restored
) -> None:
    """The targets of training, taken for a forecast, are the rows that follow in the file."""
    rows = [(100 + 3 * t, math.sin(t), -t * t) for t in range(60)]
    lines = ["up,wave,down", *(",".join(map(str, row)) for row in rows)]
    (tmp_path / "s.csv").write_text("\n".join(lines) + "\n")
    data = Series(
        path=str(tmp_path / "s.csv"),
        target=["down", "up"],
        columns=["wave"],
        window=4,
        horizon=3,
        scaling=scaling,
        relative=relative,
    )
    rules = restored(data)
    columns = dict(zip(("up", "wave", "down"), map(list, zip(*rows, strict=True)), strict=True))
    starts = range(48, 58)
    samples = [{n: cells[:at] for n, cells in columns.items()} for at in starts]
    split = data.splits["test"]
    answers = rules.output.answers(split.y, rules.input.batch(samples), samples)
    for at, answer in zip(starts, answers, strict=True):
        assert answer["names"] == ["down", "up"]
        wanted = [[columns["down"][at + i], columns["up"][at + i]] for i in range(3)]
        np.testing.assert_allclose(answer["values"], wanted, rtol=1e-4, atol=1e-2)
