"""Figures: the pixels of images are where they should be, forecasts are the numbers given."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo.comparison.style import png, styled
from zoo.predictions import drawing


def pixels(figure: object) -> np.ndarray:
    with styled(), Image.open(io.BytesIO(png(figure))) as image:  # type: ignore[arg-type]
        return np.asarray(image.convert("RGB")).astype(int)


def test_a_row_of_images_by_hand() -> None:
    image = np.array([[[0.0, 8.0], [16.0, 40.0]]])  # one channel; 40 is brighter than white
    row = drawing.row_of([image], 2, 16.0)
    half, gap = drawing.TILE // 2, drawing.GAP // 2
    assert row.shape == (drawing.TILE + drawing.GAP, 2 * (drawing.TILE + drawing.GAP), 3)
    corners = [row[gap + y * half, gap + x * half, 0] for y in (0, 1) for x in (0, 1)]
    assert corners == [0, 128, 255, 255]
    assert (row[:, drawing.TILE + drawing.GAP :] == 255).all()  # where there is no image
    assert (row[gap : gap + half, gap : gap + half] == 0).all()


def test_colours_stay_colours() -> None:
    image = np.zeros((3, 2, 2))
    image[0] = 255.0
    row = drawing.row_of([image], 1, 255.0)
    assert row[drawing.TILE // 2, drawing.TILE // 2].tolist() == [255, 0, 0]


@pytest.mark.parametrize("side", [8, 28, 200])
def test_tiles_are_about_as_large_whatever_the_images(side: int) -> None:
    high, wide, _ = drawing.row_of([np.zeros((1, side, side))], 1, 1.0).shape
    assert high == wide == max(1, round(drawing.TILE / side)) * side + drawing.GAP


def test_images_are_drawn_pixel_by_pixel() -> None:
    images = [np.full((1, 2, 2), level) for level in (0.2, 0.5, 0.8)]
    found = pixels(drawing.samples(images, 1.0, title="samples", about="of nothing"))
    for level in (51, 128, 204):
        assert np.count_nonzero((found == level).all(-1)) >= drawing.TILE**2 * 0.95


def test_pairs_stand_above_each_other() -> None:
    pairs = [drawing.Pair(np.full((1, 2, 2), 0.2), np.full((1, 2, 2), 0.8), 1.5)] * 13
    found = pixels(drawing.reconstructions(pairs, 1.0, title="pairs"))
    inputs, outputs = ((found == level).all(-1) for level in (51, 204))
    assert np.count_nonzero(inputs) >= 13 * drawing.TILE**2 * 0.95
    assert np.count_nonzero(outputs) >= 13 * drawing.TILE**2 * 0.95
    # In whole rows or columns of tiles, so that no letter counts.
    down, across = ([np.flatnonzero(side.sum(axis) > drawing.TILE) for side in (inputs, outputs)]
                    for axis in (1, 0))  # fmt: skip
    assert down[0][0] < down[1][0] < down[0][-1] < down[1][-1]
    assert np.abs(across[0][0] - across[1][0]) <= 1


def test_a_forecast_begins_where_the_past_ends() -> None:
    courses = {
        "b": drawing.Course([3.0, 4.0, 5.0], [6.0, 7.0]),
        "unseen": drawing.Course([], [1.0, 2.0]),
    }
    figure = drawing.forecast(courses, last=10, title="forecast", about="of two columns")
    first, second = figure.axes
    past, future, points = (line.get_xydata().tolist() for line in first.lines)
    assert past == [[8, 3], [9, 4], [10, 5]]
    assert future == [[10, 5], [11, 6], [12, 7]]
    assert points == future[1:]
    assert second.lines[1].get_xydata().tolist() == [[11, 1], [12, 2]]
    assert {text.get_text() for text in first.texts} >= {"b", "forecast", "of two columns"}
    assert pixels(figure).shape[1] > 700


def test_many_columns_are_cut(tmp_path: Path) -> None:
    courses = {f"${i}": drawing.Course([1.0], [1.0] * 200) for i in range(20)}
    figure = drawing.forecast(courses, last=1, title="forecast", about="of many")
    assert len(figure.axes) == drawing.PANELS
    assert "of many; 6 of 20 columns" in {text.get_text() for text in figure.axes[0].texts}
    drawing.save(figure, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.format == "PNG"
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]
