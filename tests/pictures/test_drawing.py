"""Pixels where they must be."""

import io
import math

import numpy as np
import pytest
import torch
from PIL import Image

from zoo.pictures.canvas import Canvas, packed, resized, shortened, spelled, width_of
from zoo.pictures.charts import Axes, dashes, decades, nice, padded, positive, power, written
from zoo.pictures.colours import GREY, MAPS, RED, TEN, category, coloured, table
from zoo.pictures.grids import GAP, TITLE, matrix, tiled


def inked(canvas: Canvas) -> tuple[int, int, int, int]:
    """The smallest box around all that is not white."""
    dark = np.asarray(canvas.image).min(2) < 200
    rows, columns = np.flatnonzero(dark.any(1)), np.flatnonzero(dark.any(0))
    return columns[0], rows[0], columns[-1], rows[-1]


def test_a_png_file_holds_the_pixels_that_were_drawn() -> None:
    random = np.random.default_rng(0)
    image = Image.fromarray(random.integers(0, 256, (13, 7, 3), np.uint8))
    again = Image.open(io.BytesIO(packed(image)))
    again.load()  # Pillow checks the sums
    assert (again.format, again.mode, again.size) == ("PNG", "RGB", (7, 13))
    assert (np.asarray(again) == np.asarray(image)).all()


@pytest.mark.parametrize(
    ("anchor", "left", "right"), [("l", 50, 50 + 28), ("m", 50 - 14, 50 + 14), ("r", 50 - 28, 50)]
)
def test_a_line_of_text_is_where_its_anchor_says(anchor: str, left: int, right: int) -> None:
    canvas = Canvas(100, 40)
    canvas.text(50, 20, "HHH", anchor=anchor)
    box = inked(canvas)
    length = width_of("HHH")
    assert abs(length - 28) < 3
    assert abs(box[0] - left) <= 3 and abs(box[2] - right) <= 3
    assert abs((box[1] + box[3]) / 2 - 20) <= 1.5


def test_upwards_it_is_turned_to_the_left() -> None:
    flat, turned = Canvas(60, 60), Canvas(60, 60)
    flat.text(30, 30, "Loss", anchor="m")
    turned.text(30, 30, "Loss", anchor="m", upwards=True)
    mirrored, drawn = np.rot90(np.asarray(flat.image)), np.asarray(turned.image)
    shifts = [
        np.abs(np.roll(mirrored, (down, right), (0, 1)).astype(int) - drawn).max()
        for down in (-2, -1, 0, 1, 2)
        for right in (-2, -1, 0, 1, 2)
    ]
    assert min(shifts) == 0  # the same picture, but for rounding of its place


def test_long_text_ends_in_an_ellipsis_and_fits() -> None:
    text = shortened("a name that is far too long", 60)
    assert text.endswith("…") and text.startswith("a na")
    assert width_of(text) <= 60 < width_of("a name that is far too long")
    assert shortened("short", 60) == "short"


def test_what_the_font_lacks_is_spelled_otherwise() -> None:
    assert spelled("Käse é\nb…") == "Kase e b…"
    assert spelled("日本") == "??"


def test_small_images_grow_by_copying_and_large_ones_shrink_by_averaging() -> None:
    small = torch.arange(12, dtype=torch.uint8).view(1, 2, 2, 3)
    grown = resized(small, 6)
    assert grown.shape == (1, 6, 6, 3)
    assert all(
        bool((grown[0, 3 * i, 3 * j] == small[0, i, j]).all()) for i in (0, 1) for j in (0, 1)
    )
    assert bool((grown[0, 2, 2] == small[0, 0, 0]).all())
    grey = torch.full((2, 40, 20, 3), 77, dtype=torch.uint8)
    assert resized(grey, 10).shape == (2, 10, 5, 3)
    assert bool((resized(grey, 10) == 77).all())


def test_maps_go_from_their_first_colour_to_their_last() -> None:
    for name, stops in MAPS.items():
        assert tuple(table(name)[0].tolist()) == stops[0]
        assert tuple(table(name)[255].tolist()) == stops[-1]
    ends = coloured(torch.tensor([-5.0, -1.0, 1.0, math.inf]), "grey", -1, 1)
    assert ends[:, 0].tolist() == [0, 0, 255, 255]
    assert tuple(coloured(torch.tensor([math.nan]), "amount")[0].tolist()) == GREY
    assert coloured(torch.tensor([0.5]), "grey").tolist() == [[128, 128, 128]]


def test_thirty_classes_have_thirty_colours() -> None:
    assert len({category(index) for index in range(30)}) == 30
    assert category(3) == TEN[3]


def test_tiles_lie_in_rows_in_their_order() -> None:
    shades = torch.arange(5, dtype=torch.uint8) * 40 + 20
    images = shades.view(5, 1, 1, 1).expand(5, 4, 4, 3)
    canvas = tiled(images, 3, title="five", size=20)
    pixels = np.asarray(canvas.image)
    found = [
        int(pixels[TITLE + row * (20 + GAP) + 10, 10 + column * (20 + GAP) + 10, 0])
        for row in (0, 1)
        for column in (0, 1, 2)
    ]
    assert found == [*shades.tolist(), 255]
    assert pixels[TITLE + 20 + 1, 20].tolist() == [255, 255, 255]  # between two rows


def test_captions_and_names_of_rows_and_columns_do_not_cover_the_tiles() -> None:
    images = torch.zeros(4, 4, 4, 3, dtype=torch.uint8)
    settings = {"captions": [["0 > 1", "0.9"]] * 4, "rows": ["up", "down"], "heads": ["a", "b"]}
    canvas = tiled(images, 2, title="t", size=40, **settings)  # type: ignore[arg-type]
    black = (np.asarray(canvas.image) == 0).all(2)
    assert black.sum() == 4 * 40 * 40


def test_a_matrix_is_shaded_by_its_shares() -> None:
    shares = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    texts = [["", ""], ["", ""]]
    canvas = matrix(
        shares, title="", names=["a", "b"], texts=texts, sides=("x", "y"), ends=("0", "1")
    )
    pixels = np.asarray(canvas.image)
    rows, columns = np.nonzero((pixels == MAPS["blue"][-1]).all(2))
    block = (rows < TITLE + 70).nonzero()[0]  # the colour bar ends in the same blue
    top, left = rows[block].min(), columns[block].min()
    field = 64
    assert pixels[top + 30, left + field + 30].tolist() == [255, 255, 255]
    half = table("blue")[128].tolist()
    assert pixels[top + field + 30, left + 30].tolist() == half
    assert pixels[top + field + 30, left + field + 30].tolist() == half


def axes(canvas: Canvas, **settings: bool) -> Axes:
    y = (1e-4, 1.0) if settings.get("log") else (0.0, 1.0)
    return Axes(canvas, (50, 10, 150, 90), (0.0, 10.0), y, **settings)


def test_a_line_is_where_its_numbers_are() -> None:
    canvas = Canvas(200, 130)
    frame = axes(canvas)
    frame.line([0, 10], [0.25, 0.25], RED, width=2)
    frame.close()
    red = (np.asarray(canvas.image) == RED).all(2)
    rows, columns = np.nonzero(red)
    assert set(rows) <= {68, 69, 70, 71} and len(rows)  # a quarter of 80 pixels above the bottom
    assert columns.min() <= 52 and columns.max() >= 147


def test_on_a_logarithmic_axis_powers_are_equally_far_apart() -> None:
    frame = axes(Canvas(200, 130), log=True)
    heights = [frame.at(0, value)[1] for value in (1e-4, 1e-3, 1e-2, 1e-1, 1.0)]
    assert np.diff(heights) == pytest.approx([-159 / 4] * 4)
    assert heights[-1] == pytest.approx(0)


@pytest.mark.parametrize("log", [False, True])
def test_a_line_is_broken_where_it_has_no_place(log: bool) -> None:
    canvas = Canvas(200, 130)
    frame = axes(canvas, log=log)
    hole = 0.0 if log else math.nan
    frame.line([0, 2, 4, 5, 6, 8, 10], [0.5, 0.5, hole, math.inf, 0.5, 0.5, 0.5], RED, width=2)
    frame.close()
    columns = np.flatnonzero((np.asarray(canvas.image) == RED).all(2).any(0))
    assert columns.min() <= 52 and columns.max() >= 147
    assert not set(range(74, 106)) & set(columns)


def test_nothing_is_drawn_outside_of_the_frame() -> None:
    canvas = Canvas(200, 130)
    frame = axes(canvas)
    frame.line([-5, 20], [-3.0, 5.0], RED)
    frame.points([50], [50], RED)
    frame.close()
    outside = np.ones((130, 200), bool)
    outside[10:90, 50:150] = False
    assert not (np.asarray(canvas.image) == RED).all(2)[outside].any()


def test_dots_are_round_and_in_place() -> None:
    canvas = Canvas(200, 130)
    frame = axes(canvas)
    frame.points([5.0], [0.5], RED, radius=6)
    frame.points([1.0], [math.nan], RED, radius=6)
    frame.close()
    box = (np.asarray(canvas.image) == RED).all(2)
    rows, columns = np.nonzero(box)
    assert (rows.mean(), columns.mean()) == pytest.approx((49.5, 99.5), abs=1)
    assert box.sum() == pytest.approx(math.pi * 36, rel=0.25)


@pytest.mark.parametrize(
    ("low", "high", "count", "marks"),
    [
        (0, 1, 5, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (3, 97, 4, [50]),
        (-1.2, 1.2, 6, [-1, -0.5, 0, 0.5, 1]),
        (1, 8, 9, [1, 2, 3, 4, 5, 6, 7, 8]),
    ],
)
def test_ticks_are_round_numbers(low: float, high: float, count: int, marks: list[float]) -> None:
    assert nice(low, high, count) == pytest.approx(marks)


def test_ticks_of_steps_are_whole() -> None:
    assert nice(1, 3, 10, whole=True) == [1, 2, 3]


def test_ticks_are_written_with_the_digits_that_they_need() -> None:
    assert [written(value, [0, 0.2, 0.4]) for value in (0, 0.2, 0.4)] == ["0", "0.2", "0.4"]
    assert [written(value, [0, 0.05]) for value in (0.05, 1)] == ["0.05", "1.00"]
    assert [written(v, [10400, 10450]) for v in (10400, 10450)] == ["10,400", "10,450"]
    assert written(2e7, [0, 2e7]) == "2e+07"
    assert [power(e) for e in (-5, -1, 0, math.log10(2), 4)] == ["1e-5", "0.1", "1", "2", "1e4"]


def test_powers_of_ten_thin_out_and_fill_up() -> None:
    assert decades(-20, 0, 5) == [-20, -15, -10, -5, 0]
    assert [10**e for e in decades(math.log10(0.3), math.log10(3), 9)] == pytest.approx([0.5, 1, 2])


def test_spans_of_strange_numbers_are_spans() -> None:
    assert padded([]) == (0, 1)
    assert padded([math.nan, math.inf]) == (0, 1)
    low, high = padded([3.0, 3.0])
    assert low < 3 < high
    assert positive([0.0, -1.0, math.nan]) == (1, 10)
    low, high = positive([1e-300, 1.0])
    assert 0 < low < high and high / low < 1e26


def test_half_of_a_dashed_line_is_there() -> None:
    parts = dashes([(0.0, 0.0), (30.0, 40.0), (30.0, 90.0)], dash=5)  # 100 long
    lengths = [sum(math.dist(a, b) for a, b in zip(p, p[1:], strict=False)) for p in parts]
    assert sum(lengths) == pytest.approx(50)
    assert len(parts) == 10
