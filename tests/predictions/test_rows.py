"""Rows of csv files and lines of texts: as training reads them, but one after the other."""

import gzip
import io
import os
import sys
import threading
from pathlib import Path

import pytest

from zoo.data.csv_reader import read_csv
from zoo.predictions.rows import Table, opened

CASES = {
    "plain": "a,b\n1,2\n3,4\n",
    "blanks": " a , b\n\n1 ,  2\n , \n\n3,4",
    "quoted": 'a,"b, c"\n"1,5","two\nlines"\n"say ""so""",4\n',
    "windows": "a,b\r\n1,2\r\n3,4\r\n",
    "marked": "\ufeffa,b\n1,2\n",
    "unnamed": "a,,b\n1,2,3\n",
    "empty first": ",\na,b\n1,2\n",
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("packed", [False, True])
def test_rows_are_those_that_training_reads(case: str, packed: bool, tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    content = CASES[case].encode()
    file.write_bytes(gzip.compress(content, mtime=0) if packed else content)
    whole = read_csv(file)
    with opened(str(file)) as stream:
        table = Table(stream)
        assert table.header == list(whole.columns)
        rows = list(table.rows())
    expected = [list(row) for row in zip(*whole.columns.values(), strict=True)]
    assert [row.cells for row in rows] == expected
    assert [row.line for row in rows] == whole.lines
    assert not any(row.flaw for row in rows)


@pytest.mark.parametrize(
    ("name", "separator"), [("t.tsv", None), ("t.tsv.gz", None), ("t.csv", "\t"), ("t.csv", ";")]
)
def test_separators(name: str, separator: str | None, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text((separator or "\t").join("ab") + "\n" + (separator or "\t").join("12") + "\n")
    with opened(str(file)) as stream:
        table = Table(stream, separator=separator)
        assert (table.header, [r.cells for r in table.rows()]) == (["a", "b"], [["1", "2"]])


def test_names_stand_in_for_a_header(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("1,2\n")
    with opened(str(file)) as stream:
        rows = list(Table(stream, names=["a", "b"]).rows())
    assert [row.cells for row in rows] == [["1", "2"]]


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    class Standard:
        buffer = io.BufferedReader(io.BytesIO(b"a,b\n1,2\n"))

    monkeypatch.setattr(sys, "stdin", Standard)
    with opened("-") as stream:
        assert [row.cells for row in Table(stream).rows()] == [["1", "2"]]
        assert stream.size is None


def test_a_pipe_cannot_tell_how_much_there_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=["a,b\n1,2\n"])
    writer.start()
    with opened(str(pipe)) as stream:
        assert stream.progress() == (None, None)
        assert [row.cells for row in Table(stream).rows()] == [["1", "2"]]
    writer.join()


def test_a_ragged_row_has_a_flaw_and_the_next_is_read(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("a,b\n1\n1,2\n1,2,3\n")
    with opened(str(file)) as stream:
        flaws = [row.flaw for row in Table(stream).rows()]
    assert flaws == ["1 values for 2 columns", "", "3 values for 2 columns"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "t.csv is empty"),
        (b"\n\n", "t.csv is empty"),
        (b"a,b,a\n1,2,3\n", r"columns 1 and 3 are both named 'a'; if .* names=\[…\]$"),
        (b'a,b\n1,"2"x\n', "line 2: not a csv file"),
        (b"a,b\n\xe9,2\n", "byte 0xe9 is not UTF-8"),
        (gzip.compress(b"a,b\n" + b"1,2\n" * 1000, mtime=0)[:-20], "truncated or damaged gzip"),
    ],
)
def test_what_is_no_table_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error, opened(str(file)) as stream:
        table = Table(stream)
        table.places([])
        list(table.rows())
    assert "\n" not in str(error.value)


def test_columns_go_by_name(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("b,extra,a\n1,2,3\n")
    with opened(str(file)) as stream:
        table = Table(stream)
    assert table.places(["a", "b"]) == [2, 0]
    with pytest.raises(ValueError, match="lacks column 'extras', .* did you mean 'extra'"):
        table.places(["extras", "b"])
    with pytest.raises(ValueError, match="lacks columns 'c', 'd', which .* Columns: b, extra, a"):
        table.places(["c", "a", "d"])
