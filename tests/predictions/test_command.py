"""`zoo-predict` from files to files: names, columns, formats, and answers worked out by hand."""

import csv
import io
import json
import os
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from zoo.predictions.answers import Answers
from zoo.predictions.source import Sample
from zoo.predictor import Predictor

Ask = Callable[..., None]
Make = Callable[[str], Predictor]


def logistic(x: float) -> float:
    return 1 / (1 + np.exp(-x))


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def standard_input(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """A function (bytes) that puts them there."""

    def put(content: bytes) -> None:
        class Standard:
            buffer = io.BufferedReader(io.BytesIO(content))

        monkeypatch.setattr(sys, "stdin", Standard)

    return put


def picture(brightest: int, file: Path, *, dark: bool = False) -> None:
    """A black image of which one of the first three pixels is white."""
    pixels = np.zeros((4, 4), np.uint8)
    pixels.flat[brightest] = 255
    Image.fromarray(255 - pixels if dark else pixels).save(file)


# --- rows of tables ----------------------------------------------------------------------------

TABLE = "extra,colour,size,class\nx, red ,2,large\ny,green,4,\nz,blue,-1,small\n"
LOGITS = (2 / 2 + 1, 4 / 2 - 3, -1 / 2)


@pytest.mark.parametrize("source", ["file", "input"])
def test_columns_go_by_name_whatever_else_there_is(
    source: str, ask: Ask, standard_input: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    standard_input(TABLE.encode())
    Path("t.csv").write_text(TABLE)
    ask("table", input="t.csv" if source == "file" else "-", top_k=5)
    out, err = capsys.readouterr()
    found = rows(out)
    assert err == ""
    assert list(found[0]) == ["row", "label", "probability", "label_2", "probability_2"]
    for number, (row, logit) in enumerate(zip(found, LOGITS, strict=True), 1):
        assert row["row"] == str(number)
        assert row["label"] == ("small" if logit > 0 else "large")
        assert float(row["probability"]) == pytest.approx(logistic(2 * abs(logit)), rel=1e-6)
        assert float(row["probability_2"]) == pytest.approx(logistic(-2 * abs(logit)), rel=1e-5)


@pytest.mark.parametrize("size", [1, 2, 256])
def test_values_are_in_original_units(
    size: int, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("t.csv").write_text(TABLE)
    ask("values", input="t.csv", batch_size=size)
    found = [float(row["value"]) for row in rows(capsys.readouterr().out)]
    assert found == pytest.approx([1 + 10 * logit for logit in LOGITS])


def test_a_file_without_a_header(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    Path("t.csv").write_text("red;2\nblue;-1\n")
    ask("values", input="t.csv", names=["colour", "size"], separator=";")
    found = [float(row["value"]) for row in rows(capsys.readouterr().out)]
    assert found == pytest.approx([1 + 10 * 2, 1 - 10 / 2])


@pytest.mark.parametrize("first", ["x,y,y\n", "", "\n,,\n"])
def test_rows_of_numbers_with_a_header_or_without(
    first: str, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("t.csv").write_text(f"{first}0,0,1\n2,3,4\n")
    ask("numbers", input="t.csv")
    found = rows(capsys.readouterr().out)
    assert [[float(cell) for cell in row.values()] for row in found] == [[1, 0, 0, 1], [2, 2, 3, 4]]


def test_json(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    Path("t.csv").write_text(TABLE)
    ask("table", input="t.csv", top_k=2, output="a.json")
    ask("table", input="t.csv", format="jsonl")
    whole = json.loads(Path("a.json").read_text())
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "answers  3 in a.json"
    for number, (row, line, logit) in enumerate(zip(whole, out[1:], LOGITS, strict=True), 1):
        label = "small" if logit > 0 else "large"
        expected = {"row": number, "label": label, "probability": logistic(2 * abs(logit))}
        assert json.loads(line) == pytest.approx(expected)
        assert [name for name, _ in row.pop("top")] == sorted(["small", "large"], key=label.__ne__)
        assert row == pytest.approx(expected)


def test_what_cannot_be_read_is_left_out_if_that_is_wanted(
    ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"red,{i}" for i in range(10)]
    lines[3], lines[4], lines[8] = "red,x", "red", "blue,"
    Path("t.csv").write_text("colour,size\n" + "\n".join(lines) + "\n")
    ask("values", input="t.csv", skip=True, batch_size=4)
    out, err = capsys.readouterr()
    assert [row["row"] for row in rows(out)] == ["1", "2", "3", "6", "7", "8", "10"]
    values = [float(row["value"]) for row in rows(out)]
    assert values == pytest.approx([1 + 10 * (i / 2 + 1) for i in (0, 1, 2, 5, 6, 7, 9)])
    assert err == (
        "left out 3 of 10: t.csv, line 5, column 'size': 'x' is not a number; "
        "t.csv, line 6: 1 values for 2 columns; "
        "t.csv, line 10, column 'size': the value is missing\n"
    )


# --- images ------------------------------------------------------------------------------------


def test_a_folder_of_images_in_the_order_of_their_names(
    ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in (".", "a", ".hidden"):
        Path("images", folder).mkdir(parents=True, exist_ok=True)
    for name, place in {"b.png": 2, "a/c.PNG": 1, "A.bmp": 0, ".hidden/d.png": 0}.items():
        picture(place, Path("images", name))
    Path("images", "readme.txt").write_text("not an image")
    ask("images", input="images")
    expected = [("A.bmp", "zero"), ("a/c.PNG", "one"), ("b.png", "two")]
    found = rows(capsys.readouterr().out)
    assert [(row["file"], row["label"]) for row in found] == expected
    share = 1 / (1 + 2 * np.exp(-16))
    assert [float(row["probability"]) for row in found] == pytest.approx([share] * 3)


def test_dark_on_light_is_inverted_if_that_is_wanted(
    ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    for place in range(3):
        picture(place, Path(f"{place}.png"), dark=True)
        ask("images", input=f"{place}.png", invert=True, format="jsonl")
    labels = [json.loads(line)["label"] for line in capsys.readouterr().out.splitlines()]
    assert labels == ["zero", "one", "two"]


def test_images_that_look_like_negatives_are_told(
    ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(0, Path("right.png"))
    picture(0, Path("dark.png"), dark=True)
    ask("mostly_dark", input="right.png")
    ask("mostly_dark", input="dark.png", invert=True)
    ask("mostly_dark", input="dark.png", invert=False)
    assert capsys.readouterr().err == ""
    ask("mostly_dark", input="dark.png")
    assert capsys.readouterr().err == (
        "these images are much lighter than those of training (mean 0.94 of white, there 0.06); "
        "if they are dark on light, say invert=true\n"
    )


@pytest.mark.parametrize("ending", ["npy", "npz"])
@pytest.mark.parametrize("axes", [2, 3, 4])
def test_arrays_of_images(
    axes: int, ending: str, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    x = np.zeros((3, 1, 4, 4), np.float32)
    x[np.arange(3), 0, 0, [2, 0, 1]] = 16.0
    stored = {4: x, 3: x[:, 0], 2: x[0, 0]}[axes]
    np.save("x.npy", stored) if ending == "npy" else np.savez("x.npz", x=stored, y=[0, 0, 0])
    ask("images", input=f"x.{ending}")
    found = [(row["index"], row["label"]) for row in rows(capsys.readouterr().out)]
    assert found == [("0", "two"), ("1", "zero"), ("2", "one")][: len(stored) if axes > 2 else 1]


def test_names_of_files_are_written_whatever_is_in_them(ask: Ask) -> None:
    Path("images").mkdir()
    for name in (b"caf\xe9.png", "größe.png".encode()):
        picture(0, Path("images", os.fsdecode(name)))
    np.savez("{x}{}.npz", x=np.zeros((2, 4, 4)))
    ask("images", input="images", output="a.json")
    ask("images", input="{x}{}.npz", output="b.json")
    files = [row["file"] for row in json.loads(Path("a.json").read_text(encoding="utf-8"))]
    assert sorted(files) == [r"caf\udce9.png", "größe.png"]
    assert [row["index"] for row in json.loads(Path("b.json").read_text())] == [0, 1]


def test_a_broken_image_among_others(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    Path("images").mkdir()
    for place in range(3):
        picture(place, Path(f"images/{place}.png"))
    Path("images/1.png").write_bytes(Path("images/1.png").read_bytes()[:40])
    ask("images", input="images", skip=True, output="a.csv")
    out, err = capsys.readouterr()
    assert [row["file"] for row in rows(Path("a.csv").read_text())] == ["0.png", "2.png"]
    assert out == "answers  2 in a.csv\n"
    assert err.startswith("left out 1 of 3: images/1.png cannot be read: ")


# --- texts -------------------------------------------------------------------------------------


def test_texts_from_everywhere(
    ask: Ask, predictor: Make, standard_input: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = ["Good, good!", "bad - very bad", "something else"]
    expected = {text: predictor("texts")(text)["label"] for text in texts}
    Path("t.txt").write_text("\n".join([texts[0], "", *texts[1:]]) + "\n")
    Path("t.csv").write_text("id,text\n" + "".join(f'{i},"{t}"\n' for i, t in enumerate(texts)))
    Path("only.csv").write_text("review\n" + "".join(f'"{text}"\n' for text in texts))
    standard_input("\r\n".join(texts).encode())
    labels = list(expected.values())

    def answers(**source: Any) -> tuple[list[str], list[str]]:
        ask("texts", **source)
        found = rows(capsys.readouterr().out)
        return [next(iter(row.values())) for row in found], [row["label"] for row in found]

    assert answers(input="t.txt") == (["1", "3", "4"], labels)
    assert answers(input="-") == (["1", "2", "3"], labels)
    assert answers(input="t.csv") == (["1", "2", "3"], labels)
    assert answers(input="t.csv", column="text") == (["1", "2", "3"], labels)
    assert answers(input="only.csv") == (["1", "2", "3"], labels)
    assert answers(text=texts[1]) == ([texts[1]], labels[1:2])


# --- bounds ------------------------------------------------------------------------------------


class Raw(dict[str, Any]):
    """A row that can be watched."""


def test_no_more_samples_are_held_than_a_batch_or_two(predictor: Make) -> None:
    alive: weakref.WeakValueDictionary[int, Raw] = weakref.WeakValueDictionary()
    most = 0

    def samples() -> Iterator[Sample]:
        nonlocal most
        for number in range(500):
            row = Raw(size=number, colour="red")
            alive[number] = row
            most = max(most, len(alive))
            yield Sample(number, row, "")

    count = sum(len(batch) for batch in Answers(predictor("values"), samples(), batch_size=10))
    assert count == 500
    assert most <= 31  # a batch that is read, one that is answered, one that was handed on


@pytest.mark.slow
def test_ten_times_as_many_rows_take_no_more_memory(
    model: Callable[[str], str], call: Callable[..., Any], tmp_path: Path
) -> None:
    peaks = []
    for count in (20_000, 200_000):
        with (tmp_path / "t.csv").open("w") as file:
            file.write("size,colour\n" + "1.5,red\n" * count)
        words = [f"checkpoint={model('values')}", "input=t.csv", "output=a.csv"]
        code = (
            "import resource, sys; from zoo.prediction import main; main(); "
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        done = call(sys.executable, "-c", code, *words, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        said, peak = done.stdout.splitlines()
        assert said == f"answers  {count:,} in a.csv"
        peaks.append(int(peak))
    assert peaks[1] < 1.03 * peaks[0]
