"""Arrays out of files, sample by sample: what numpy reads whole."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from zoo.predictions.arrays import stored


def samples(file: Path) -> np.ndarray:
    with stored(file) as array:
        return np.stack(list(array.samples()))


@pytest.mark.parametrize("kind", [np.uint8, np.float32, np.float64, np.int64, np.bool_, ">f4"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("ending", ["npy", "npz", "packed"])
def test_samples_are_those_of_numpy(kind: str, order: str, ending: str, tmp_path: Path) -> None:
    x = np.asarray(np.random.default_rng(0).integers(0, 9, (5, 3, 2)), dtype=kind, order=order)
    file = tmp_path / f"x.{ending}"
    with file.open("wb") as stream:
        if ending == "npy":
            np.save(stream, x)
        else:
            {"npz": np.savez, "packed": np.savez_compressed}[ending](stream, x=x, y=np.zeros(5))
    found = samples(file)
    assert found.dtype == x.dtype.newbyteorder("=")
    assert np.array_equal(found, x)
    with stored(file) as array:
        assert array.shape == (5, 3, 2)
        assert np.array_equal(array.whole(), x)


def test_the_test_split_of_a_file_to_train_on(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=np.zeros((9, 2)), x_test=np.ones((4, 2)))
    assert np.array_equal(samples(tmp_path / "a.npz"), np.ones((4, 2)))


def test_a_lonely_array_may_have_any_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", pictures=np.ones((4, 2)))
    assert len(samples(tmp_path / "a.npz")) == 4


class Touch:
    """What unpickles itself into a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.file,))


def header_of(shape: str) -> bytes:
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
    text = text.ljust(118 - 1) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def refused(tmp_path: Path) -> dict[str, tuple[bytes, str]]:
    objects, strings, scalar, zipped = (io.BytesIO() for _ in range(4))
    np.save(objects, np.array([Touch(tmp_path / "touched")], object), allow_pickle=True)
    np.save(strings, np.array(["a", "b"]))
    np.save(scalar, np.array(1.0))
    whole = io.BytesIO()
    np.save(whole, np.zeros((3, 2), np.float32))
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("readme.txt", "hello")
    several = io.BytesIO()
    np.savez(several, a=np.zeros(2), b=np.zeros(2))
    return {
        "objects": (objects.getvalue(), "never unpickled"),
        "strings": (strings.getvalue(), "must be numbers"),
        "scalar": (scalar.getvalue(), "is empty"),
        "cut": (whole.getvalue()[:-4], "promises|cut off"),
        "huge": (header_of("(10000000000, 1000)"), "promises 40,000,000,000,000 bytes"),
        "negative": (header_of("(-1, 4)"), "promises|damaged|is empty"),
        "text": (b"hello, world", "no array of numpy"),
        "nothing": (b"", "no array of numpy"),
        "no array": (zipped.getvalue(), "an array named x, the inputs; it has none"),
        "several": (several.getvalue(), "an array named x, the inputs; it has a, b"),
    }


CASES = [*refused(Path())]


@pytest.mark.parametrize("case", CASES)
def test_what_is_no_array_of_numbers_is_named(case: str, tmp_path: Path) -> None:
    content, message = refused(tmp_path)[case]
    file = tmp_path / "x.npy"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        samples(file)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == [file]
