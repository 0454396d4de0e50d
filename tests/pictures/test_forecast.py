"""Timelines in the units of the data, and forecasts drawn over them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from zoo.data import Adding, Series, Sine
from zoo.lit import LitFeedForward
from zoo.losses import MSE, GaussianNLL
from zoo.models import FNN
from zoo.pictures import Forecast
from zoo.pictures.colours import RED

PASSENGERS = Path(Series.bundled)


def rows() -> list[float]:
    lines = PASSENGERS.read_text().strip().splitlines()[1:]
    return [float(line.split(",")[-1].strip('"')) for line in lines]


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("scaling", ["standard", "none"])
def test_a_series_lies_along_the_rows_of_its_file(relative: bool, scaling: str) -> None:
    data = Series(window=24, horizon=6, relative=relative, scaling=scaling)
    data.setup()
    for index in (0, 5):
        line = data.timeline("val", index, data.splits["val"].y[index])
        start = 144 - 29 - 29 - 24 + index  # the rows before validation that are seen
        assert line.start == start
        assert line.past == rows()[start : start + 24]
        assert line.truth == rows()[start + 24 : start + 30]
        # The stored target is what a perfect net would say.
        assert line.forecast == pytest.approx(line.truth, rel=1e-5)


def test_of_several_targets_the_first_is_shown(tmp_path: Path) -> None:
    values = np.arange(200).reshape(100, 2)
    text = "a,b\n" + "\n".join(f"{a},{b}" for a, b in values)
    (tmp_path / "two.csv").write_text(text)
    data = Series(path=str(tmp_path / "two.csv"), target=["b", "a"], window=4, horizon=3)
    data.setup()
    line = data.timeline("train", 0, data.splits["train"].y[0])
    assert (line.name, line.start) == ("b", 0)
    assert line.past == [1, 3, 5, 7] and line.truth == [9, 11, 13]
    assert line.forecast == pytest.approx([9, 11, 13], rel=1e-5)


def test_a_sine_goes_on_where_its_window_ends() -> None:
    data = Sine(window=40, horizon=5, noise=0.0, train_size=4, val_size=4, test_size=4)
    data.setup()
    line = data.timeline("val", 2, torch.arange(5.0))
    assert (line.start, len(line.past), line.forecast) == (0, 40, [0, 1, 2, 3, 4])
    whole = np.array([*line.past, *line.truth])
    np.testing.assert_allclose(whole[20:], whole[:-20], atol=1e-5)  # a period of 20


@pytest.mark.parametrize("loss", [MSE(), GaussianNLL()])
def test_forecasts_are_drawn_for_windows_all_over_the_split(
    staged: Callable[..., Any], loss: Any
) -> None:
    data = Series(view="vector")
    net = FNN(24, 12 * loss.outputs_per_target, hidden=())
    scene, events = staged(LitFeedForward(net, loss=loss), data)
    picture = Forecast(shown=3)
    assert picture.suits(scene)
    seen: list[int] = []
    timeline = data.timeline

    def watched(split: str, index: int, y: torch.Tensor) -> Any:
        seen.append(index)
        assert y.shape == (12,)
        return timeline(split, index, y)

    data.timeline = watched  # type: ignore[method-assign]
    picture.draw(scene)
    last = len(data.splits["val"].x) - 1
    assert seen == [0, last // 2, last]
    assert (events.pixels("forecast/validation") == RED).all(2).sum() > 50


def test_what_is_no_forecast_is_left_alone(staged: Callable[..., Any]) -> None:
    data = Adding(length=4, view="vector", train_size=4, val_size=4, test_size=4)
    scene, _ = staged(LitFeedForward(FNN(8, 1), loss=MSE()), data)
    assert not Forecast().suits(scene)
