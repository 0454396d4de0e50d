"""What a sample may be: each form that is read, and one sentence that names what is not."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from zoo.data import Adding, ArrayData, CopyMemory, Digits, Iris, Series, TextLM
from zoo.preprocessing import (
    CategoryColumn,
    ImageInput,
    NumberColumn,
    Preprocessing,
    Scaling,
    TableInput,
    TextInput,
)
from zoo.preprocessing.affine import identity

Restored = Callable[..., Preprocessing]
PLAIN = Scaling(torch.zeros(()), torch.ones(()))
GREY = ImageInput((1, 4, 6), limit=255.0, fit="crop", view="image", scaling=PLAIN)
COLOUR = ImageInput((3, 4, 6), limit=255.0, fit="crop", view="image", scaling=PLAIN)
SIXTEEN = ImageInput((1, 4, 6), limit=16.0, fit="stretch", view="image", scaling=PLAIN)
BYTES = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10
RGB = np.stack([BYTES, 255 - BYTES, np.full_like(BYTES, 7)], axis=2)


def sentence(call: Callable[[], Any]) -> str:
    with pytest.raises(ValueError) as error:
        call()
    text = str(error.value)
    assert type(error.value) is ValueError and "\n" not in text and 10 < len(text) < 300, text
    return text


# --- images ----------------------------------------------------------------------------------


def test_one_grey_image_in_all_its_forms(tmp_path: Path) -> None:
    Image.fromarray(BYTES).save(tmp_path / "grey.png")
    forms = [
        *(BYTES, BYTES[None], BYTES[..., None], BYTES.astype(np.float64), BYTES.tolist()),
        *(torch.from_numpy(BYTES), Image.fromarray(BYTES)),
        *(tmp_path / "grey.png", str(tmp_path / "grey.png")),
    ]
    wanted = torch.from_numpy(BYTES).float()[None, None]
    for form in forms:
        samples, single = GREY.samples(form)
        assert single and torch.equal(GREY.batch(samples).x, wanted)
    both, single = GREY.samples([forms[0], forms[0]])
    assert not single and torch.equal(GREY.batch(both).x, wanted.expand(2, -1, -1, -1))
    mixed = GREY.batch([forms[-1], forms[0], forms[3]]).x
    assert torch.equal(mixed, wanted.expand(3, -1, -1, -1))


def test_colour_for_grey_and_grey_for_colour() -> None:
    wanted = np.asarray(Image.fromarray(RGB).convert("L"), np.float32)
    for form in (RGB, RGB.transpose(2, 0, 1), Image.fromarray(RGB)):
        assert GREY.batch([form]).x[0, 0].tolist() == wanted.tolist()
    for form in (BYTES, BYTES[..., None], Image.fromarray(BYTES)):
        assert COLOUR.batch([form]).x[0].tolist() == [BYTES.tolist()] * 3
    for form in (RGB, RGB.transpose(2, 0, 1), Image.fromarray(RGB), RGB.astype(np.float32)):
        assert COLOUR.batch([form]).x[0].tolist() == RGB.transpose(2, 0, 1).tolist()
    transparent = np.concatenate([RGB, np.full((4, 6, 1), 9, np.uint8)], axis=2)
    assert COLOUR.batch([transparent]).x[0].tolist() == RGB.transpose(2, 0, 1).tolist()


def test_other_sizes_are_resized_and_brightness_is_that_of_training() -> None:
    white = np.full((40, 20), 255, np.uint8)
    for form in (white, Image.fromarray(white)):
        assert GREY.batch([form]).x.unique().tolist() == [255.0]
        assert SIXTEEN.batch([form]).x.unique().tolist() == [16.0]
    # As stored: what digits come as is not brightened.
    assert SIXTEEN.batch([np.full((4, 6), 3, np.uint8)]).x.unique().tolist() == [3.0]


def test_crop_keeps_the_middle_and_stretch_everything() -> None:
    wide = np.zeros((4, 18), np.uint8)
    wide[:, 6:12] = 100
    assert GREY.batch([wide]).x.unique().tolist() == [100.0]
    assert len(SIXTEEN.batch([wide]).x.unique()) > 1


def damaged() -> dict[str, bytes]:
    files = {}
    for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP"):
        stream = io.BytesIO()
        Image.fromarray(RGB.repeat(9, 0).repeat(9, 1)).save(stream, kind)
        content = stream.getvalue()
        files |= {f"{kind} {part}": content[: len(content) * part // 8] for part in range(8)}
    return files | {"text": b"this is no image", "zeros": bytes(1_000)}


def test_damaged_files_are_named(tmp_path: Path) -> None:
    for name, content in damaged().items():
        (tmp_path / name).write_bytes(content)
        try:
            GREY.batch([BYTES, tmp_path / name])
        except ValueError as error:
            assert str(error).startswith("sample 2 of 2 cannot be read: "), name
    assert "No such file" in sentence(lambda: GREY.batch([tmp_path / "absent.png"]))
    assert "directory" in sentence(lambda: GREY.batch([tmp_path]))


@pytest.mark.parametrize(
    "image, word",
    [
        (np.zeros((5, 6)), "uint8"),
        (np.full((4, 6), np.nan), "[0, 0]: nan"),
        (np.full((4, 6), 1e39), "[0, 0]: 1e+39"),
        (np.full((4, 6), "a"), "numbers"),
        (np.zeros((0, 6), np.uint8), "no pixels"),
        (np.zeros((5, 6, 2), np.uint8), "(5, 6, 2)"),
        (np.zeros(24, np.uint8), "(24,)"),
        (Image.new("L", (0, 6)), "no pixels"),
        (Image.new("F", (6, 4)), "mode F"),
        (None, "None"),
        (7, "()"),
        ({}, "{}"),
    ],
)
def test_what_is_no_image(image: Any, word: str) -> None:
    assert word in sentence(lambda: GREY.batch([BYTES, image]))
    assert sentence(lambda: GREY.batch([BYTES, image])).startswith("sample 2 of 2 ")


# --- tables ----------------------------------------------------------------------------------


def test_rows_that_cannot_be_read(restored: Restored) -> None:
    iris = restored(Iris()).input
    names = iris.names
    row: dict[str, Any] = dict(zip(names, [5.1, 3.5, 1.4, 0.2], strict=True))
    for value, word in [
        *((gap, "missing") for gap in (None, float("nan"), "", "?")),
        *((strange, "not a number") for strange in ("abc", "1_0", [1], True)),
        *((large, "beyond float32") for large in (1e39, float("-inf"))),
    ]:
        text = sentence(lambda value=value: iris.batch([row, row | {names[2]: value}]))  # type: ignore[misc]
        assert text.startswith(f"sample 2 of 2, column {names[2]!r}: ") and word in text
    for other in ({}, {names[0]: 1.0}):
        text = sentence(lambda other=other: iris.batch([other]))  # type: ignore[misc]
        assert text.startswith("the sample has no column ")
    assert "mapping" in sentence(lambda: iris.batch([[5.1, 3.5, 1.4, 0.2]]))
    assert "mapping" in sentence(lambda: iris.samples(np.zeros((3, 4))))
    assert "one length" in sentence(lambda: iris.samples({names[0]: [1.0], names[1]: [1.0, 2.0]}))


class Missing:
    """A value of pandas that is none."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


@pytest.mark.parametrize("gap", [None, float("nan"), Missing("<NA>"), Missing("NaT")])
def test_what_is_missing_is_so_in_every_library(gap: Any) -> None:
    columns = [NumberColumn("size", median=3.0), CategoryColumn("town", ["", "Rome"])]
    rows = TableInput(columns, identity())
    found = rows.batch([{"size": gap, "town": gap}, {"size": "", "town": ""}]).x
    assert torch.equal(found[0], found[1])


def test_a_whole_number_beside_a_gap_is_the_category_that_it_was() -> None:
    rows = TableInput(
        [CategoryColumn("rooms", ["", "5"]), CategoryColumn("x", ["5.0"])], identity()
    )
    found = rows.batch([{"rooms": value, "x": "5.0"} for value in ("5", 5, 5.0, "5.0", 5.5)]).x
    assert found[:, :3].argmax(1).tolist() == [1, 1, 1, 1, 2]
    assert found[:, 3].tolist() == [1, 1, 1, 1, 1]


def test_a_table_by_columns_is_its_rows(restored: Restored) -> None:
    iris = restored(Iris()).input
    columns = {name: [float(i), float(i + 1)] for i, name in enumerate(iris.names)}
    samples, single = iris.samples(columns)
    assert not single and [row[iris.names[2]] for row in samples] == [2.0, 3.0]
    assert iris.samples(samples[0]) == ([samples[0]], True)


# --- series ----------------------------------------------------------------------------------


def test_series_that_cannot_be_read(restored: Restored) -> None:
    series = restored(Series(window=4, horizon=2)).input
    sound = [1.0, 2.0, 3.0, 4.0]
    for values, word in [
        (sound[:3], "3 rows"),
        ([1.0, float("nan"), 3.0, 4.0], "its last 4 rows"),
        ([1.0, 2.0, 3.0, 1e39], "1e+39"),
        (np.zeros((5, 2)), "(5, 2)"),
        ({"Miles": sound}, "'Passengers'"),
        ({"Passengers": 3.0}, "lists"),
        ({"Passengers": ["1", "2", "x", "4"]}, "row 3: 'x' is not a number"),
        ({"Passengers": ["1", "2", "3", ""]}, "row 4"),
    ]:
        assert word in sentence(lambda values=values: series.batch([values]))  # type: ignore[misc]
    for raw in (3.0, "abc", None):
        sentence(lambda raw=raw: series.samples(raw))  # type: ignore[misc]
    # Only the window has to be whole.
    wanted = series.batch([sound]).x
    assert torch.equal(series.batch([[float("nan"), *sound]]).x, wanted)
    assert torch.equal(series.batch([{"Passengers": ["", *map(str, sound)]}]).x, wanted)


def test_one_series_or_several(restored: Restored) -> None:
    series = restored(Series(window=4, horizon=2)).input
    one = [1.0, 2.0, 3.0, 4.0]
    for raw in (one, np.array(one), np.array(one)[:, None], {"Passengers": one}):
        assert (len(series.samples(raw)[0]), series.samples(raw)[1]) == (1, True)
    for raw in ([one, one], [one, [*one, 5.0]], np.zeros((2, 4, 1)), [{"Passengers": one}] * 2):
        samples, single = series.samples(raw)
        assert (len(samples), single) == (2, False)
        assert series.batch(samples).x.shape == (2, 4, 1)


# --- arrays and texts ------------------------------------------------------------------------

SMALL = {"train_size": 8, "val_size": 4, "test_size": 4}


@pytest.mark.parametrize(
    "sample, word",
    [
        (np.zeros((8, 2)), "(8, 2)"),
        (np.zeros(14), "(14,)"),
        (0.0, "()"),
        ("text", "'text'"),
        ([[1, 2], [3]], "one shape"),
        (np.full((7, 2), np.inf), "[0, 0]: inf"),
        (np.full((7, 2), 1e39), "[0, 0]: 1e+39"),
        (np.zeros((7, 2), complex), "0j"),
        (None, "None"),
    ],
)
def test_arrays_that_do_not_fit(sample: Any, word: str, restored: Restored) -> None:
    adding = restored(Adding(length=7, **SMALL)).input
    text = sentence(lambda: adding.batch([np.zeros((7, 2)), sample]))
    assert text.startswith("sample 2 of 2 ") and word in text


def test_symbols_that_there_are_none_of(restored: Restored) -> None:
    copy = restored(CopyMemory(delay=3, view="tokens", **SMALL)).input
    for symbol in (10, -1, 1.5, 1e30):
        assert "from 0 to 9" in sentence(lambda s=symbol: copy.batch([np.full(23, s)]))  # type: ignore[misc]
    assert copy.batch([np.full(23, 9.0)]).x.dtype == torch.int64


def test_a_sequence_of_one_feature_needs_no_axis_for_it(restored: Restored) -> None:
    x = np.arange(60.0).reshape(10, 6)
    rules = restored(ArrayData(x, np.arange(10) % 2, layout="sequence")).input
    wanted = rules.batch(list(x[:, :, None])).x
    for raw, count in ((x[0], 1), (x[0][:, None], 1), (x, 10), (x[:, :, None], 10)):
        samples, single = rules.samples(raw)
        assert single == (count == 1) and torch.equal(rules.batch(samples).x, wanted[:count])


def test_a_text_without_a_known_word_is_unknown_words(restored: Restored) -> None:
    text = TextInput(["<pad>", "<unk>", "fine"], max_length=3)
    inputs = text.batch(["", "FINE, xyz", "fine fine fine fine"])
    assert inputs.x.tolist() == [[1, 0, 0], [2, 1, 1], [2, 2, 2]]
    assert inputs.lengths is not None and inputs.lengths.tolist() == [1, 3, 3]
    assert "must be a text, got int" in sentence(lambda: text.batch(["a", 3]))
    assert "got bytes" in sentence(lambda: text.samples(b"fine"))


def test_a_beginning_has_a_token(restored: Restored) -> None:
    language = restored(TextLM()).input
    assert "empty" in sentence(lambda: language.batch(["a", ""]))
    assert language.batch(["\u4e2d\U0001f600"]).x.tolist() == [[0, 0]]


@pytest.mark.parametrize("data", [Digits, Iris, Adding, Series, TextLM])
def test_no_samples_at_all(data: type, restored: Restored) -> None:
    assert "at least one sample" in sentence(lambda: restored(data()).input.batch([]))
