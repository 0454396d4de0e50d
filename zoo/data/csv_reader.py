"""Reads text and csv files, packed or not; each error names the file, the line and the column."""

import csv
import difflib
import gzip
import io
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo.data.paths import absent
from zoo.preprocessing.columns import numbers


def read_bytes(path: Path) -> bytes:
    """The content of a file, unpacked if it is a gzip file, whatever its name.

    Raises:
        OSError: there is no such file, or it cannot be read.
        ValueError: it is empty, or its compressed data is damaged.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file in it")
    if not path.exists():
        raise absent(path)
    content = path.read_bytes()
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error) as error:
            raise ValueError(f"{path} is a truncated or damaged gzip file ({error})") from error
    if not content.strip():
        raise ValueError(f"{path} is empty")
    return content


def read_text(path: Path) -> str:
    """The content of a UTF-8 file, packed or not.

    Raises:
        OSError, ValueError: as `read_bytes`; or it is not UTF-8.
    """
    content = read_bytes(path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(
            f"{path}, line {line}: byte {content[error.start]:#04x} is not UTF-8; save it as UTF-8"
        ) from error


def check_separator(separator: str | None) -> None:
    """Raises ValueError for a separator that cannot separate columns."""
    if separator is not None and (len(separator) != 1 or separator in '"\r\n '):
        raise ValueError(f"`separator` must be one character, got {separator!r}")


class Csv(NamedTuple):
    """The cells of a csv file by column, without the blanks around them."""

    path: Path
    columns: dict[str, list[str]]
    lines: list[int]  # of each row in the file

    def place(self, name: str) -> Callable[[int], str]:
        """Says where the cell of a row in that column stands."""
        return lambda row: f"{self.path}, line {self.lines[row]}, column {name!r}"

    def cells(self, name: str, argument: str = "target") -> list[str]:
        """The cells of a column.

        Raises:
            ValueError: there is no such column.
        """
        if name not in self.columns:
            near = difflib.get_close_matches(name, self.columns, n=1)
            guess = f"; did you mean {near[0]!r}?" if near else "."
            names = list(self.columns)
            shown = ", ".join(names[:20]) + (" …" if len(names) > 20 else "")
            raise ValueError(
                f"`{argument}` names no column of {self.path}: {name!r}{guess} Columns: {shown}"
            )
        return self.columns[name]

    def values(self, name: str, argument: str, *, allow_missing: bool = False) -> np.ndarray:
        """A column as numbers.

        Raises:
            ValueError: there is no such column, or as `numbers`.
        """
        cells = self.cells(name, argument)
        return numbers(cells, self.place(name), allow_missing=allow_missing)


def read_csv(
    path: Path, *, names: Sequence[str] | None = None, separator: str | None = None
) -> Csv:
    """Reads a csv file, packed or not; blank lines do not count.

    Args:
        path: of the file.
        names: of the columns, if the file has no header.
        separator: between columns; None is a tab for .tsv and .tsv.gz, else a comma.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged, not UTF-8, empty, ragged, or two columns have one name.
    """
    tabs = path.name.lower().removesuffix(".gz").endswith(".tsv")
    text = io.StringIO(read_text(path), newline="")
    reader = csv.reader(
        text, delimiter=separator or ("\t" if tabs else ","), skipinitialspace=True, strict=True
    )
    header = None if names is None else list(names)
    rows: list[list[str]] = []
    lines = []
    try:
        for row in reader:
            # A blank line is no row, but one of empty cells is.
            if not any(row) and (len(row) < 2 or header is None):
                continue
            if header is None:
                header = row
                continue
            rows.append(row)
            lines.append(reader.line_num)
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: not a csv file ({error})") from error
    if header is None or not rows:
        raise ValueError(f"{path} is empty: it has no rows but its header")
    header = [name.strip() or f"column {i}" for i, name in enumerate(header, 1)]
    check_header(path, header)
    for row, line in zip(rows, lines, strict=True):
        if len(row) != len(header):
            raise ValueError(
                f"{path}, line {line}: {len(row)} values for {len(header)} columns; "
                "is it cut off, or is the separator another one?"
            )
    columns = zip(*rows, strict=True)
    cells = {n: [c.strip() for c in column] for n, column in zip(header, columns, strict=True)}
    return Csv(path, cells, lines)


def check_header(path: Path, header: Sequence[str]) -> None:
    """Raises ValueError if two columns have one name."""
    for index, name in enumerate(header):
        if name in header[:index]:
            raise ValueError(
                f"{path}: columns {header.index(name) + 1} and {index + 1} are both named {name!r}"
            )
