"""What is written can be read back, and is whole or not there."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zoo.predictions.writers import format_of, writing
from zoo.signals import Stopped

ROWS: list[dict[str, Any]] = [
    {"file": 'a, "b"\n.png', "label": "größer", "probability": float(np.float32(1 / 3))},
    {"file": "c.png", "label": "1", "probability": float(np.float32(1e-9))},
    {"file": "d.png", "label": "", "probability": 1.0},
]


def write(file: Path, rows: list[dict[str, Any]], format: str) -> None:
    with writing(str(file), format) as writer:
        for row in rows:
            writer.write(row)


def test_csv_gives_back_the_same_numbers(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", ROWS, "csv")
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    assert [{**row, "probability": float(np.float32(row["probability"]))} for row in read] == ROWS
    assert "0.33333334" in (tmp_path / "a.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize("rows", [ROWS, ROWS[:1], []], ids=len)
def test_json_gives_back_the_same_numbers(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    write(tmp_path / "a.json", rows, "json")
    write(tmp_path / "a.jsonl", rows, "jsonl")
    whole = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    lines = (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()
    assert whole == [json.loads(line) for line in lines]
    for row in whole:
        row["probability"] = float(np.float32(row["probability"]))
    assert whole == rows


def test_json_has_no_word_for_infinity(tmp_path: Path) -> None:
    write(tmp_path / "a.json", [{"values": [float("nan"), float("inf"), 0.5]}], "json")
    strict = {"parse_constant": lambda word: pytest.fail(word)}
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert json.loads(text, **strict) == [{"values": [None, None, 0.5]}]


def test_values_beyond_float32_are_kept(tmp_path: Path) -> None:
    large = [1e39, -(2.0**200), float(np.finfo(np.float32).max)]
    write(tmp_path / "a.csv", [{"value": value} for value in large], "csv")
    write(tmp_path / "a.json", [{"values": large}], "json")
    assert [float(line) for line in (tmp_path / "a.csv").read_text().split()[1:]] == pytest.approx(
        large, rel=1e-7
    )
    assert json.loads((tmp_path / "a.json").read_text())[0]["values"] == pytest.approx(
        large, rel=1e-7
    )


def test_arrays(tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((4, 2, 3), dtype=np.float32)
    names = ["b", "a", "größer", ""]
    rows = [
        {"file": name, "score": float(i), "index": i, "reconstruction": image}
        for i, (name, image) in enumerate(zip(names, x, strict=True))
    ]
    write(tmp_path / "a.npz", rows, "npz")
    with np.load(tmp_path / "a.npz") as found:
        assert set(found) == {"file", "score", "index", "reconstruction"}
        assert found["file"].tolist() == names
        assert np.array_equal(found["score"], np.arange(4.0))
        assert np.array_equal(found["index"], np.arange(4))
        assert np.array_equal(found["reconstruction"], x)
    assert [file.name for file in tmp_path.iterdir()] == ["a.npz"]


@pytest.mark.parametrize("format", ["csv", "json", "jsonl", "npz"])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, lambda: Stopped(2)])
def test_a_stop_leaves_what_was_there(format: str, error: Any, tmp_path: Path) -> None:
    file = tmp_path / f"a.{format}"
    file.write_text("before")
    raised = error()
    with pytest.raises(type(raised)), writing(str(file), format) as writer:
        writer.write(ROWS[0])
        raise raised
    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("output", "asked", "expected"),
    [
        ("-", None, "csv"),
        ("-", "jsonl", "jsonl"),
        ("a.JSON", None, "json"),
        ("a.b.csv", None, "csv"),
        ("a.txt", "csv", "csv"),
        ("a.csv", "json", "json"),
        ("a.npz", None, "npz"),
    ],
)
def test_the_ending_tells_the_format(output: str, asked: str | None, expected: str) -> None:
    assert format_of(output, asked) == expected


@pytest.mark.parametrize(
    ("output", "asked", "message"),
    [
        ("a.txt", None, r"output=a.txt must end in .csv, .json, .jsonl or .npz, or say format=csv"),
        ("a", None, "must end in"),
        ("a.csv", "xml", "`format` must be one of csv, json, jsonl, npz, got 'xml'"),
        ("-", "npz", "arrays need a file: output=<file>.npz"),
    ],
)
def test_what_has_no_format_is_named(output: str, asked: str | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        format_of(output, asked)
