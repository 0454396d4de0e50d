"""Arrays out of `.npz` and `.npy` files; nothing is ever unpickled."""

import math
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from zoo.data.idx import read_exactly

# What the standard library and numpy raise at bytes that are not what they should be.
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError, EOFError, LookupError),
    *(NotImplementedError, RuntimeError, SyntaxError, TypeError, ValueError, OverflowError),
    *(MemoryError, AttributeError),
)
Arrays = dict[str, np.ndarray[Any, Any]]


def read_arrays(path: str | Path, wanted: Collection[str] | None = None) -> Arrays:
    """Reads the arrays of an `.npz` file or of a folder of `.npy` files, by name.

    Args:
        path: the file or folder.
        wanted: names to read if they are there; None for all.

    Raises:
        ValueError: if a file is damaged or holds Python objects; the sentence names it.
        OSError: if a file cannot be opened or read.
    """
    path = Path(path)
    if path.is_dir():
        files = {file.stem: file for file in sorted(path.glob("*.npy"))}
        if not files:
            raise ValueError(f"{path} holds no .npy file")
        return {n: read_npy(f) for n, f in files.items() if wanted is None or n in wanted}
    with path.open("rb") as stream:
        start = stream.read(6)
        if not start:
            raise ValueError(f"{path} is empty")
        if start == npy.MAGIC_PREFIX:
            raise ValueError(
                f"{path} is one array; arrays come as an .npz file or as a folder of .npy files"
            )
        try:
            with zipfile.ZipFile(stream) as archive:
                return _members(archive, path, wanted)
        except Refused:
            raise
        except DAMAGE as error:
            raise ValueError(f"{path} is no .npz file, or a damaged one ({error})") from error


class Refused(ValueError):
    """An array that was read well enough to say what is wrong with it."""


def read_npy(file: Path) -> np.ndarray[Any, Any]:
    """Reads one `.npy` file.

    Raises:
        ValueError: if the file is damaged or holds Python objects.
        OSError: if the file cannot be opened or read.
    """
    with file.open("rb") as stream:
        return parse_npy(stream, str(file))


def parse_npy(stream: IO[bytes], name: str) -> np.ndarray[Any, Any]:
    """Reads one array in numpy's format to the end of the stream.

    Raises:
        ValueError: if the stream is no such array or holds Python objects.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the parser, about headers that Python 2 wrote
            version = npy.read_magic(stream)
            if version not in ((1, 0), (2, 0)):
                raise ValueError(f"format {version} of .npy is for structured arrays")
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, by_column, kind = read(stream)
        promised = math.prod(shape) * kind.itemsize
    except DAMAGE as error:
        raise Refused(f"{name} is no .npy array, or a damaged one ({error})") from error
    if kind.hasobject:
        raise Refused(
            f"{name} holds Python objects, which are never unpickled; save plain numbers, for "
            "example with array.astype('float32')"
        )
    content = read_exactly(stream, max(promised, 0))
    if len(content) != promised:
        more = "more" if len(content) > promised else f"{len(content):,}"
        raise Refused(f"{name} promises {promised:,} bytes in its header and holds {more}")
    if not promised:
        raise Refused(f"{name} is empty: its shape is {shape}")
    return np.frombuffer(content, dtype=kind).reshape(shape, order="F" if by_column else "C")


def _members(archive: zipfile.ZipFile, path: Path, wanted: Collection[str] | None) -> Arrays:
    """The arrays of an open archive."""
    arrays = {}
    for entry in archive.namelist():
        name = entry.removesuffix(".npy")
        if entry.endswith(".npy") and (wanted is None or name in wanted):
            with archive.open(entry) as stream:
                arrays[name] = parse_npy(stream, f"{name} in {path}")
    return arrays
