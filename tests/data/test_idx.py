"""The reader of the idx format."""

import gzip
import io
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data.idx import parse_idx, read_idx

HEADER = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3])
IMAGES = HEADER + bytes(range(12))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "images"


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gz"])
def test_a_file_by_hand(pack, file: Path) -> None:
    file.write_bytes(pack(IMAGES))
    images = read_idx(file, 3)
    assert images.dtype == np.uint8
    assert images.tolist() == [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]]


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gz"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\0\0\x08", "magic number 00000803"),
        (bytes([0, 0, 8, 1]) + IMAGES[4:], "magic number 00000803 .*, got 00000801"),
        (bytes([0, 0, 0x0D, 3]) + IMAGES[4:], "got 00000d03"),
        (b"<!DOCTYPE html>" * 9, "got 3c21444f"),
        (HEADER[:9], "ends inside its header"),
        (IMAGES[:-1], "promises 12 bytes in its header and holds 11"),
        (IMAGES + b"\0", "promises 12 bytes in its header and holds more"),
        (HEADER[:4] + bytes(12), r"holds nothing: its sizes are \[0, 0, 0\]"),
        (HEADER[:4] + b"\xff" * 12, "holds 0"),
    ],
)
def test_what_is_wrong_is_said(pack, content: bytes, message: str, file: Path) -> None:
    file.write_bytes(pack(content))
    with pytest.raises(ValueError, match=message) as error:
        read_idx(file, 3)
    assert str(file) in str(error.value)


def test_every_truncation_of_a_compressed_file_is_noticed(file: Path) -> None:
    whole = gzip.compress(IMAGES)
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=str(file)):
            read_idx(file, 3)


def test_a_flipped_bit_of_a_compressed_file_is_noticed(file: Path) -> None:
    whole = gzip.compress(IMAGES, mtime=0)
    for position in range(10, len(whole)):  # before that, dates and hints
        damaged = bytearray(whole)
        damaged[position] ^= 1
        file.write_bytes(damaged)
        with pytest.raises(ValueError, match=str(file)):
            read_idx(file, 3)


@settings(deadline=None)
@given(
    st.one_of(
        st.binary(max_size=64),
        st.binary(max_size=64).map(lambda rest: HEADER[:4] + rest),
        st.tuples(st.lists(st.integers(0, 3), min_size=3, max_size=3), st.binary(max_size=30)).map(
            lambda p: HEADER[:4] + b"".join(n.to_bytes(4, "big") for n in p[0]) + p[1]
        ),
    )
)
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    sizes = [int.from_bytes(content[i : i + 4], "big") for i in (4, 8, 12)]
    right = content[:4] == HEADER[:4] and len(content) == 16 + math.prod(sizes) > 16
    try:
        images = parse_idx(io.BytesIO(content), 3, "it")
    except ValueError:
        assert not right
    else:
        assert right and images.tobytes() == content[16:] and list(images.shape) == sizes


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=80))
def test_any_compressed_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.gz"
    file.write_bytes(b"\x1f\x8b\x08\0" + content)
    try:
        assert read_idx(file, 1).ndim == 1
    except (ValueError, OSError):
        pass
