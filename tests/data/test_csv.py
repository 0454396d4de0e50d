import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zoo.data.csv_reader import check_separator, read_csv, read_text
from zoo.preprocessing.columns import fitted, number, numbers, scaled

PROPERTY = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def write(folder: Path, content: str | bytes, name: str = "a.csv") -> Path:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_columns_and_the_lines_that_they_come_from(tmp_path, packed: bool, end: str) -> None:
    text = end.join(["\ufeffa, b ,", '1,"x, ""y""",', "", " 2 ,z,3", ""])
    content = gzip.compress(text.encode()) if packed else text.encode()
    file = read_csv(write(tmp_path, content))
    assert file.columns == {"a": ["1", "2"], "b": ['x, "y"', "z"], "column 3": ["", "3"]}
    assert file.lines == [2, 4]


def test_separators_and_files_without_a_header(tmp_path) -> None:
    assert read_csv(write(tmp_path, "a\tb\n1\t2", "x.tsv")).columns == {"a": ["1"], "b": ["2"]}
    file = read_csv(write(tmp_path, "1;2\n3;4"), names=["p", "q"], separator=";")
    assert file.columns == {"p": ["1", "3"], "q": ["2", "4"]} and file.lines == [1, 2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "a.csv is empty"),
        (" \n\n", "a.csv is empty"),
        ("a,b\n", "no rows but its header"),
        ("a,b\n1,2\n3\n", r"a.csv, line 3: 1 values for 2 columns"),
        ("a,b\n1,2,3\n", r"line 2: 3 values for 2 columns"),
        ("a,b,a\n1,2,3\n", "columns 1 and 3 are both named 'a'"),
        (b"a,b\n1,2\n\xff,1\n", "a.csv, line 3: byte 0xff is not UTF-8"),
        ('a,b\n1,"2\n', "line 2: not a csv file"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0)[:-6], "truncated or damaged gzip file"),
        (b"\x1f\x8bno", "truncated or damaged gzip file"),
    ],
)
def test_what_is_wrong_with_a_file(tmp_path, content, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_csv(write(tmp_path, content))


def test_what_is_no_file(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="there.csv does not exist"):
        read_text(tmp_path / "there.csv")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        read_text(tmp_path)


def test_a_column_that_is_not_there(tmp_path) -> None:
    file = read_csv(write(tmp_path, "price,size\n1,2\n"))
    with pytest.raises(ValueError, match="`target` names no column .* 'prise'; did you mean 'pri"):
        file.cells("prise")
    with pytest.raises(ValueError, match=r"Columns: price, size"):
        file.cells("x", "drop")


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["1", "two", "x"], "cell 1: 'two' is not a number"),
        (["1", "1_000"], "cell 1: '1_000' is not a number"),
        (["1", "inf", "-Infinity"], "cell 1: 2 of 3 values are infinite"),
        (["1e39"], "cell 0: 1 of 1 values is infinite"),
        (["1", "", "nan", "?"], "cell 1: 3 of 4 values are missing or NaN"),
    ],
)
def test_what_is_no_number(cells: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        numbers(cells, "cell {}".format)


def test_missing_numbers_where_they_may_be() -> None:
    values = numbers(["1", "", "NA", "-2.5e3"], str, allow_missing=True)
    np.testing.assert_array_equal(values, [1.0, np.nan, np.nan, -2500.0])


def test_scaling_by_hand() -> None:
    values = np.array([[1.0, 0.1], [3.0, 0.1]])
    assert [part.tolist() for part in fitted(values, "standard")] == [[2.0, 0.1], [1.0, 1.0]]
    assert [part.tolist() for part in fitted(values, "unit")] == [[1.0, 0.1], [2.0, 1.0]]
    assert [part.tolist() for part in fitted(values, "none")] == [[0.0, 0.0], [1.0, 1.0]]
    assert scaled(values, *fitted(values, "standard")).tolist() == [[-1.0, 0.0], [1.0, 0.0]]


@pytest.mark.parametrize("separator", ["", "ab", '"', "\n"])
def test_what_cannot_separate(separator: str) -> None:
    with pytest.raises(ValueError, match="`separator` must be one character"):
        check_separator(separator)


CELLS = st.text(st.characters(codec="utf-8", exclude_characters='"\r\n,\x00'), max_size=6)


@PROPERTY
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_a_table_or_an_error(tmp_path, content: bytes, packed: bool) -> None:
    try:
        file = read_csv(write(tmp_path, gzip.compress(content) if packed else content))
    except (ValueError, OSError):
        return
    assert {len(column) for column in file.columns.values()} == {len(file.lines)}


@PROPERTY
@given(st.binary(max_size=60))
def test_any_damage_to_a_packed_file_is_an_error_or_harmless(tmp_path, damage: bytes) -> None:
    content = bytearray(gzip.compress(b"a,b\n1,2\n3,4\n", mtime=0))
    content[10 : 10 + len(damage)] = damage
    try:
        read_csv(write(tmp_path, bytes(content)))
    except (ValueError, OSError) as error:
        assert "a.csv" in str(error)


@PROPERTY
@given(st.lists(st.lists(CELLS.map(str.strip), min_size=2, max_size=2), min_size=1, max_size=5))
def test_what_is_written_comes_back(tmp_path, rows: list[list[str]]) -> None:
    text = "".join(f'"{a}","{b}"\n' for a, b in rows)
    if not text.encode().strip():
        return
    file = read_csv(write(tmp_path, text), names=["p", "q"])
    assert list(map(list, zip(*file.columns.values(), strict=True))) == rows


@PROPERTY
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_float_is_read_as_itself(value: float) -> None:
    assert number(repr(value)) == value
