"""Where answers are written: csv, JSON, a JSON object a line, or arrays; whole or not at all."""

from __future__ import annotations

import csv
import json
import math
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.lib import format as npy

from zoo.files import whole

STDOUT = "-"
FORMATS = ("csv", "json", "jsonl", "npz")


class Writer(Protocol):
    """Takes one row after the other."""

    def write(self, row: Mapping[str, Any]) -> None:
        """Write a row, of the same columns as all others."""

    def close(self) -> None:
        """Write what comes at the end."""


class CsvWriter:
    """A header, and a line for each row; numbers as short as they can be read back exactly."""

    def __init__(self, file: IO[str]) -> None:
        self._writer = csv.writer(file, lineterminator="\n")
        self._header: tuple[str, ...] = ()

    def write(self, row: Mapping[str, Any]) -> None:
        """Write a row, and above the first one the header."""
        if not self._header:
            self._header = tuple(row)
            self._writer.writerow(self._header)
        self._writer.writerow([shortest(value) for value in row.values()])

    def close(self) -> None:
        """Nothing comes at the end."""


class JsonWriter:
    """A list of objects, or an object a line; what is not finite is null."""

    def __init__(self, file: IO[str], *, lines: bool) -> None:
        self._file = file
        self._lines = lines
        self._count = 0

    def write(self, row: Mapping[str, Any]) -> None:
        """Write an object."""
        if not self._lines:
            self._file.write(",\n" if self._count else "[\n")
        text = json.dumps({key: plain(value) for key, value in row.items()}, ensure_ascii=False)
        self._file.write(text + "\n" * self._lines)
        self._count += 1

    def close(self) -> None:
        """End the list."""
        if not self._lines:
            self._file.write("\n]\n" if self._count else "[]\n")


class ArrayWriter:
    """An array for each column in one `.npz` file, held on disk until their length is known.

    Args:
        file: to write.
        temporary: closes the files that hold the columns.
    """

    def __init__(self, file: Path, temporary: ExitStack) -> None:
        self._file = file
        self._temporary = temporary
        self._columns: dict[str, IO[bytes]] = {}
        self._like: dict[str, np.ndarray[Any, Any]] = {}
        self._texts: dict[str, list[str]] = {}
        self._count = 0

    def write(self, row: Mapping[str, Any]) -> None:
        """Add a row; text is kept in memory, as its longest decides how it is stored."""
        for key, value in row.items():
            if isinstance(value, str):
                self._texts.setdefault(key, []).append(value)
                self._like[key] = np.array("")
                continue
            array = np.asarray(value)
            if key not in self._columns:
                # Beside the result: the usual place for such files may be small.
                held = tempfile.TemporaryFile(dir=self._file.parent)
                self._columns[key] = self._temporary.enter_context(held)
                self._like[key] = array
            self._columns[key].write(np.ascontiguousarray(array).tobytes())
        self._count += 1

    def close(self) -> None:
        """Put all columns into the file."""
        with zipfile.ZipFile(self._file, "w", zipfile.ZIP_DEFLATED) as archive:
            for key, like in self._like.items():
                with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                    if key in self._texts:
                        npy.write_array(member, np.array(self._texts[key]), allow_pickle=False)
                        continue
                    header = {
                        "descr": npy.dtype_to_descr(like.dtype),
                        "fortran_order": False,
                        "shape": (self._count, *like.shape),
                    }
                    npy.write_array_header_1_0(member, header)
                    column = self._columns[key]
                    column.seek(0)
                    shutil.copyfileobj(column, member)


def shortest(value: Any) -> Any:
    """A number in the fewest digits that give back the same float32; anything else as it is.

    What lies beyond float32, as a value in the units of its data can, has all its digits.
    """
    if not isinstance(value, float):
        return value
    with np.errstate(over="ignore"):
        short = np.float32(value)
    return str(value if np.isinf(short) and math.isfinite(value) else short)


def plain(value: Any) -> Any:
    """What JSON can say of it."""
    if isinstance(value, float):
        return float(shortest(value)) if math.isfinite(value) else None
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    return value


def format_of(output: str, asked: str | None) -> str:
    """How to write to `output`: as asked, else as its name ends; csv on the standard output.

    Raises:
        ValueError: the name tells nothing, or there is no such format.
    """
    if asked is not None and asked not in FORMATS:
        raise ValueError(f"`format` must be one of {', '.join(FORMATS)}, got {asked!r}")
    ending = Path(output).suffix.lower().removeprefix(".")
    if output == STDOUT:
        if asked == "npz":
            raise ValueError("arrays need a file: output=<file>.npz")
        return asked or "csv"
    if asked is None and ending not in FORMATS:
        raise ValueError(
            f"output={output} must end in .{', .'.join(FORMATS[:-1])} or .{FORMATS[-1]}, or say "
            "format=csv"
        )
    return asked or ending


@contextmanager
def writing(output: str, format: str) -> Iterator[Writer]:
    """A writer to a file that is whole afterwards or not there, or to the standard output.

    Raises:
        OSError: it cannot be written.
    """
    if output == STDOUT:
        writer = made(sys.stdout, format)
        yield writer
        writer.close()
        sys.stdout.flush()
        return
    with whole(Path(output)) as unfinished:
        if format == "npz":
            with ExitStack() as temporary:
                arrays = ArrayWriter(unfinished, temporary)
                yield arrays
                arrays.close()
            return
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            writer = made(file, format)
            yield writer
            writer.close()


def made(file: IO[str], format: str) -> Writer:
    """A writer of text."""
    return CsvWriter(file) if format == "csv" else JsonWriter(file, lines=format == "jsonl")
