"""The readers of .npz and .npy files."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from zoo.data.npz import parse_npy, read_arrays

TABLE = np.random.default_rng(0).normal(size=(3, 5))
LABELS = np.arange(3)


@pytest.mark.parametrize("packed", [np.savez, np.savez_compressed])
def test_every_truncated_or_altered_npz_is_noticed(packed, tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    packed(file, x=TABLE[:3], y=LABELS[:3])
    whole = file.read_bytes()
    for length in range(0, len(whole), 13):
        file.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="a.npz"):
            read_arrays(file)
    for position in range(0, len(whole), 3):
        damaged = bytearray(whole)
        damaged[position] ^= 0x10
        file.write_bytes(damaged)
        try:
            found = read_arrays(file)
        except (ValueError, OSError):
            continue
        # Dates, attributes and names may change; numbers may not.
        known = (TABLE[:3], LABELS[:3])
        assert all(any(np.array_equal(array, k) for k in known) for array in found.values())


def header(text: str, version: tuple[int, int] = (1, 0)) -> bytes:
    """The start of an .npy file."""
    return b"\x93NUMPY" + bytes(version) + len(text).to_bytes(2, "little") + text.encode("latin1")


@settings(deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.binary(max_size=100).map(lambda rest: b"\x93NUMPY\x01\x00" + rest),
        st.text(st.characters(max_codepoint=255), max_size=100).map(header),
        st.tuples(
            st.sampled_from(
                ["<f8", "|u1", "|O", "<U3", "|V0", ">i2", "f", "", "M8[ns]", "[('a',1)]"]
            ),
            st.sampled_from(["True", "False", "1", "[]"]),
            st.sampled_from(
                ["(2,)", "(-1,)", "()", "(10**18,)", "(99999999999999,)", "(0, 3)", "{}"]
            ),
            st.binary(max_size=40),
        ).map(
            lambda p: (
                header(f"{{'descr': '{p[0]}', 'fortran_order': {p[1]}, 'shape': {p[2]}}}") + p[3]
            )
        ),
    )
)
def test_any_bytes_are_an_array_or_refused(content: bytes) -> None:
    try:
        array = parse_npy(io.BytesIO(content), "it")
    except ValueError:
        return
    expected = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    assert array.tobytes() == expected.tobytes() and array.shape == expected.shape


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=120), st.integers(0, 400), st.booleans())
def test_any_damage_to_an_archive_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, patch: bytes, place: int, bare: bool
) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, x=TABLE[:2], y=LABELS[:2])
    whole = buffer.getvalue()
    content = b"PK\x03\x04" + patch if bare else whole[:place] + patch + whole[place + len(patch) :]
    file = tmp_path_factory.getbasetemp() / "any.npz"
    file.write_bytes(content)
    try:
        found = read_arrays(file)
    except (ValueError, OSError):
        return
    assert all(isinstance(array, np.ndarray) for array in found.values())


@settings(deadline=None, max_examples=50)
@given(
    arrays.arrays(
        st.sampled_from([np.uint8, np.float32, np.int64, np.bool_, np.dtype(">f8")]),
        arrays.array_shapes(min_dims=1, max_dims=4, max_side=4),
    )
)
def test_whatever_numpy_writes_is_read(array: np.ndarray) -> None:
    for order in (np.ascontiguousarray, np.asfortranarray):
        buffer = io.BytesIO()
        np.save(buffer, order(array))
        buffer.seek(0)
        found = parse_npy(buffer, "it")
        assert found.dtype == array.dtype and found.tobytes() == array.tobytes()


def test_a_header_that_promises_the_world_allocates_nothing(tmp_path: Path) -> None:
    start = header("{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000000,)}")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", start + bytes(64))
    with pytest.raises(ValueError, match="promises 80,000,000,000,000 bytes"):
        read_arrays(tmp_path / "a.npz")
