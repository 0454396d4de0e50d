"""Rows of a csv file and lines of a text, one after the other, however many there are."""

from __future__ import annotations

import csv
import difflib
import gzip
import io
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any, NamedTuple

STDIN = "-"
GZIP = b"\x1f\x8b"
SHOWN = 20  # names of columns in a message


class Stream(NamedTuple):
    """Text that is read from its beginning to its end.

    Attributes:
        name: for a person.
        text: what is left of it.
        raw: the bytes as they are stored, for how far reading has come.
        size: of all bytes; None where nobody knows.
    """

    name: str
    text: IO[str]
    raw: IO[bytes]
    size: int | None

    def progress(self) -> tuple[int, Callable[[], int]] | tuple[None, None]:
        """All bytes, and what tells how many have been read; None of both where nobody knows."""
        return (None, None) if self.size is None else (self.size, self.raw.tell)

    def decoded(self) -> Iterator[str]:
        """Its lines, with their ends.

        Raises:
            ValueError: it is not UTF-8, or its compressed data is damaged.
        """
        number = 0
        try:
            for line in self.text:
                number += 1
                yield line
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{self.name}, soon after line {number}: byte {error.object[error.start]:#04x} is "
                "not UTF-8; save it as UTF-8"
            ) from error
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(
                f"{self.name} is a truncated or damaged gzip file ({error})"
            ) from error


@contextmanager
def opened(path: str) -> Iterator[Stream]:
    """A text file, packed or not, or the standard input for "-".

    Raises:
        OSError: it cannot be read.
        ValueError: it is empty.
    """
    standard = path == STDIN
    source: Any = nullcontext(sys.stdin.buffer) if standard else open(path, "rb")
    with source as raw:
        name = "the standard input" if standard else path
        beginning = raw.peek(2)[:2]
        if not beginning:
            raise ValueError(f"{name} is empty")
        content = gzip.GzipFile(fileobj=raw) if beginning == GZIP else raw
        text = io.TextIOWrapper(content, "utf-8-sig", newline="")
        try:
            known = raw.seekable() and not standard  # a pipe cannot tell how far it has come
            yield Stream(name, text, raw, Path(path).stat().st_size if known else None)
        finally:
            text.detach()  # or it would close the standard input with itself


class Row(NamedTuple):
    """One row of a csv file.

    Attributes:
        line: of the file where it ends.
        cells: without the blanks around them.
        flaw: why they are not as many as there are columns; else empty.
    """

    line: int
    cells: list[str]
    flaw: str


class Table:
    """A csv file, read row by row as training reads it whole; blank lines do not count.

    Args:
        stream: from which it comes.
        separator: between columns; None is a tab for .tsv and .tsv.gz, else a comma.
        names: of the columns, if the file has no header.

    Attributes:
        header: the names.
        first: the row that they stand in; None if they were given.

    Raises:
        ValueError: there is no header.
    """

    def __init__(
        self, stream: Stream, *, separator: str | None = None, names: Sequence[str] | None = None
    ) -> None:
        tabs = stream.name.lower().removesuffix(".gz").endswith(".tsv")
        self.stream = stream
        self._reader = csv.reader(
            stream.decoded(),
            delimiter=separator or ("\t" if tabs else ","),
            skipinitialspace=True,
            strict=True,
        )
        self.first: Row | None = None
        if names is None:
            # Training passes over a first line of empty cells, too.
            names = next((cells for cells in self._all() if any(cells)), None)
            if names is None:
                raise ValueError(f"{stream.name} is empty")
            cells = [cell.strip() for cell in names]
            self.first = Row(self._reader.line_num, cells, "")
        self.header = [name.strip() or f"column {i}" for i, name in enumerate(names, 1)]

    def places(self, wanted: Sequence[str]) -> list[int]:
        """Where the columns of these names are.

        Raises:
            ValueError: some are missing, which it names with what there is; or two columns have
                one name.
        """
        for index, name in enumerate(self.header):
            if name in self.header[:index]:
                raise ValueError(
                    f"{self.stream.name}: columns {self.header.index(name) + 1} and {index + 1} "
                    f"are both named {name!r}; if it has no header, name its columns: names=[…]"
                )
        missing = [name for name in wanted if name not in self.header]
        if not missing:
            return [self.header.index(name) for name in wanted]
        near = difflib.get_close_matches(missing[0], self.header, n=1)
        guess = f"; did you mean {near[0]!r}?" if near and len(missing) == 1 else "."
        some = ", ".join(map(repr, missing[:SHOWN])) + (" …" if len(missing) > SHOWN else "")
        known = ", ".join(self.header[:SHOWN]) + (" …" if len(self.header) > SHOWN else "")
        raise ValueError(
            f"{self.stream.name} lacks column{'s' * (len(missing) > 1)} {some}, which the model "
            f"reads{guess} Columns: {known}"
        )

    def rows(self) -> Iterator[Row]:
        """What follows the header.

        Raises:
            ValueError: it is not a csv file.
        """
        width = len(self.header)
        for cells in self._all():
            cells = [cell.strip() for cell in cells]
            flaw = "" if len(cells) == width else f"{len(cells)} values for {width} columns"
            yield Row(self._reader.line_num, cells, flaw)

    def _all(self) -> Iterator[list[str]]:
        try:
            for cells in self._reader:
                # A blank line is no row, but one of empty cells is.
                if len(cells) > 1 or any(cells):
                    yield cells
        except csv.Error as error:
            raise ValueError(
                f"{self.stream.name}, line {self._reader.line_num}: not a csv file ({error})"
            ) from error
