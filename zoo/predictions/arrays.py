"""The samples of an array in a `.npy` or `.npz` file, one after the other; nothing is unpickled."""

from __future__ import annotations

import math
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.lib import format as npy

INPUTS = ("x", "x_test")  # as they are named in a file to train on
# What the standard library and numpy raise at bytes that are not what they should be.
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError, EOFError, LookupError),
    *(NotImplementedError, RuntimeError, SyntaxError, TypeError, ValueError, OverflowError),
    *(MemoryError, AttributeError),
)


class Stored(NamedTuple):
    """An array in a file, of which no more than the header has been read."""

    name: str
    shape: tuple[int, ...]
    kind: np.dtype[Any]
    by_column: bool
    content: IO[bytes]

    def samples(self) -> Iterator[np.ndarray[Any, Any]]:
        """Each along the first axis.

        Raises:
            ValueError: the file ends before the array does.
        """
        count, *shape = self.shape
        if self.by_column:  # the first axis is not the slowest: all of it, or none
            yield from self._array(self.shape, "F")
            return
        for _ in range(count):
            yield self._array(tuple(shape), "C")

    def whole(self) -> np.ndarray[Any, Any]:
        """All of it at once."""
        return self._array(self.shape, "F" if self.by_column else "C")

    def _array(self, shape: tuple[int, ...], order: Any) -> np.ndarray[Any, Any]:
        promised = math.prod(shape) * self.kind.itemsize
        try:
            content = self.content.read(promised)
        except DAMAGE as error:
            raise ValueError(f"{self.name} is damaged ({error})") from error
        if len(content) != promised:
            raise ValueError(f"{self.name} is cut off: it has less than its header promises")
        array = np.frombuffer(content, self.kind).reshape(shape, order=order)
        # A copy in the machine's own order of bytes, which torch can read and write.
        return array.astype(self.kind.newbyteorder("="))


@contextmanager
def stored(path: Path) -> Iterator[Stored]:
    """The array of a `.npy` file, or the inputs in an `.npz` file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged, holds Python objects, or has several arrays and none is named x.
    """
    with path.open("rb") as file:
        if file.peek(6)[:6] == npy.MAGIC_PREFIX:
            yield _header(file, str(path), path.stat().st_size)
            return
        try:
            archive = zipfile.ZipFile(file)
        except DAMAGE as error:
            raise ValueError(f"{path} is no array of numpy, or a damaged one ({error})") from error
        with archive:
            entry = _inputs(archive, path)
            try:
                member = archive.open(entry)
            except DAMAGE as error:
                raise ValueError(f"{path} is damaged ({error})") from error
            with member:
                name = entry.removesuffix(".npy")
                yield _header(member, f"{name} in {path}", archive.getinfo(entry).file_size)


def _inputs(archive: zipfile.ZipFile, path: Path) -> str:
    entries = [entry for entry in archive.namelist() if entry.endswith(".npy")]
    if len(entries) == 1:
        return entries[0]
    for name in INPUTS:
        if f"{name}.npy" in entries:
            return f"{name}.npy"
    names = ", ".join(entry.removesuffix(".npy") for entry in entries) or "none"
    raise ValueError(f"{path} must have an array named x, the inputs; it has {names}")


def _header(content: IO[bytes], name: str, size: int) -> Stored:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the parser, about headers that Python 2 wrote
            version = npy.read_magic(content)
            if version not in ((1, 0), (2, 0)):
                raise ValueError(f"format {version} of .npy is for structured arrays")
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, by_column, kind = read(content)
        promised = math.prod(shape) * kind.itemsize
    except DAMAGE as error:
        raise ValueError(f"{name} is no array of numpy, or a damaged one ({error})") from error
    if kind.hasobject:
        raise ValueError(f"{name} holds Python objects, which are never unpickled; save numbers")
    if kind.kind not in "biuf":
        raise ValueError(f"{name} must be numbers, got the type {kind}")
    if promised > size or min(shape, default=0) < 0:
        raise ValueError(f"{name} promises {promised:,} bytes in its header and holds fewer")
    if len(shape) == 0 or promised == 0:
        raise ValueError(f"{name} is empty: its shape is {shape}")
    return Stored(name, tuple(shape), kind, by_column, content)
