"""The idx format of MNIST and its kin, plain or compressed by gzip."""

import gzip
import math
import zlib
from pathlib import Path
from typing import Any, Protocol

import numpy as np

UINT8 = 0x08  # the only element type that images and labels come in
CHUNK = 1 << 20


class Stream(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """Up to so many bytes; none at the end."""


def read_idx(file: str | Path, dimensions: int) -> np.ndarray[Any, Any]:
    """Reads a file of unsigned bytes: images have three dimensions, labels one.

    Shapes:
        -> as the file says, uint8

    Raises:
        ValueError: if the file is not what it should be; the sentence names it.
        OSError: if the file cannot be opened or read.
    """
    file = Path(file)
    with file.open("rb") as plain:
        compressed = plain.read(2) == b"\x1f\x8b"
        plain.seek(0)
        if not compressed:
            return parse_idx(plain, dimensions, str(file))
        try:
            with gzip.GzipFile(fileobj=plain) as unpacked:
                return parse_idx(unpacked, dimensions, str(file))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{file} is truncated or damaged ({error}); get it again") from error


def parse_idx(stream: Stream, dimensions: int, name: str) -> np.ndarray[Any, Any]:
    """Reads a stream of unsigned bytes with a header of that many sizes.

    Args:
        stream: at the first byte of the header.
        dimensions: how many there must be.
        name: of the file, for errors.

    Raises:
        ValueError: if the stream is not what it should be.
    """
    magic = bytes([0, 0, UINT8, dimensions])
    header = stream.read(4 * (1 + dimensions))
    if not header:
        raise ValueError(f"{name} is empty; get it again")
    if header[:4] != magic:
        raise ValueError(
            f"{name} must begin with the idx magic number {magic.hex()} (unsigned bytes in "
            f"{dimensions} dimensions), got {header[:4].hex()}"
        )
    if len(header) < 4 * (1 + dimensions):
        raise ValueError(f"{name} ends inside its header; get it again")
    shape = [int.from_bytes(header[i : i + 4], "big") for i in range(4, len(header), 4)]
    promised = math.prod(shape)
    if promised == 0:
        raise ValueError(f"{name} holds nothing: its sizes are {shape}")
    content = read_exactly(stream, promised)
    if len(content) != promised:
        more = "more" if len(content) > promised else f"{len(content):,}"
        raise ValueError(
            f"{name} promises {promised:,} bytes in its header and holds {more}; get it again"
        )
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)


def read_exactly(stream: Stream, size: int) -> bytearray:
    """Reads up to `size` bytes, and one more if there is one, so that too many are noticed.

    In pieces: what a damaged header promises is never allocated in advance. At the end of the
    stream, where gzip and zip keep their checksums, these are verified.
    """
    content = bytearray()
    while len(content) <= size:
        piece = stream.read(min(CHUNK, size + 1 - len(content)))
        if not piece:
            break
        content += piece
    return content
