"""What was decoded once: found again, rebuilt when it must be, never half written."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from pathlib import Path

import numpy as np
import pytest

from zoo.data import cache
from zoo.data.cache import cached

FIRST, SECOND = (np.arange(start, start + 24, dtype=np.uint8).reshape(2, 3, 4) for start in (0, 9))


class Decoder:
    """Reads bytes as they are, and counts how often."""

    def __init__(self, source: Path) -> None:
        self.source, self.calls = source, 0

    def __call__(self) -> dict[str, np.ndarray]:
        self.calls += 1
        return {"x": np.frombuffer(self.source.read_bytes(), np.uint8).reshape(2, 3, 4)}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "source"
    file.write_bytes(FIRST.tobytes())
    return file


@pytest.fixture
def get(source: Path) -> Callable[..., tuple[np.ndarray, int]]:
    """A function (recipe) -> the array, and how often it was decoded for that."""

    def run(recipe: str = "") -> tuple[np.ndarray, int]:
        decoder = Decoder(source)
        arrays = cached(source.with_name(".zoo.npz"), [source], decoder, recipe)
        assert list(arrays) == ["x"] and arrays["x"].dtype == np.uint8
        return arrays["x"], decoder.calls

    return run


def test_it_is_decoded_once(get: Callable[..., tuple[np.ndarray, int]]) -> None:
    for calls in (1, 0, 0):
        array, count = get()
        assert np.array_equal(array, FIRST) and count == calls
        assert array.flags.writeable or calls


def test_another_content_of_the_same_size_and_date_makes_it_stale(
    get: Callable[..., tuple[np.ndarray, int]], source: Path
) -> None:
    get()
    before = source.stat()
    source.write_bytes(SECOND.tobytes())
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    array, count = get()
    assert np.array_equal(array, SECOND) and count == 1


def test_another_recipe_makes_it_stale(get: Callable[..., tuple[np.ndarray, int]]) -> None:
    assert [get("size 8")[1], get("size 9")[1], get("size 9")[1]] == [1, 1, 0]


def test_any_damaged_byte_makes_it_anew(
    get: Callable[..., tuple[np.ndarray, int]], source: Path
) -> None:
    get()
    file = source.with_name(".zoo.npz")
    whole = file.read_bytes()
    for position in range(0, len(whole), 9):
        damaged = bytearray(whole)
        damaged[position] ^= 0x20
        file.write_bytes(damaged)
        assert np.array_equal(get()[0], FIRST)  # some bytes, as dates, do not matter
    data = whole.index(FIRST.tobytes())
    for position in range(data, data + FIRST.size):
        damaged = bytearray(whole)
        damaged[position] ^= 0x01
        file.write_bytes(damaged)
        assert get()[1] == 1
    for length in range(0, len(whole), 97):
        file.write_bytes(whole[:length])
        array, count = get()
        assert np.array_equal(array, FIRST) and count == 1


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_no_space_is_a_sentence_and_leaves_no_file(
    number: int,
    get: Callable[..., tuple[np.ndarray, int]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(stream: object, **arrays: np.ndarray) -> None:
        stream.write(b"half")  # type: ignore[attr-defined]
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(cache.np, "savez", full)
        with pytest.raises(OSError, match=os.strerror(number)) as error:
            get()
    assert error.value.errno == number and ".zoo.npz" in str(error.value)
    assert {path.name for path in tmp_path.iterdir()} <= {"source", ".zoo.npz.lock"}
    assert [get()[1], get()[1]] == [1, 0]


def test_what_an_interrupted_write_left_is_overwritten(
    get: Callable[..., tuple[np.ndarray, int]], source: Path
) -> None:
    left = source.with_name(".zoo.npz.partial")
    left.write_bytes(b"half a file")
    assert [get()[1], get()[1]] == [1, 0]
    assert not left.exists()


def test_a_folder_for_reading_only_is_left_alone(
    get: Callable[..., tuple[np.ndarray, int]], tmp_path: Path
) -> None:
    tmp_path.chmod(0o555)
    try:
        assert [get()[1], get()[1]] == [1, 1]
        assert [path.name for path in tmp_path.iterdir()] == ["source"]
    finally:
        tmp_path.chmod(0o755)


# Of the package the child imports this part alone, which takes no torch.
CHILD = """
import sys, types
from pathlib import Path
import numpy as np
import zoo
package = sys.modules["zoo.data"] = types.ModuleType("zoo.data")
package.__path__ = [str(Path(zoo.__file__).parent / "data")]
from zoo.data.cache import cached
folder = Path(sys.argv[1])
def decode():
    (folder / "started").touch()
    while not (folder / "go").exists():
        pass
    return {"x": np.frombuffer((folder / "source").read_bytes(), np.uint8).reshape(2, 3, 4)}
cached(folder / ".zoo.npz", [folder / "source"], decode)
"""


def test_of_two_processes_at_once_one_decodes(
    source: Path,
    get: Callable[..., tuple[np.ndarray, int]],
    environment: Callable[..., dict[str, str]],
    deadline: Callable[..., Iterator[None]],
) -> None:
    folder = source.parent
    other = subprocess.Popen([sys.executable, "-c", CHILD, str(folder)], env=environment())
    with other, ThreadPoolExecutor(1) as pool:
        try:
            next(_ for _ in deadline(300) if (folder / "started").exists())
            answer = pool.submit(get)
            # It waits for the other one: what that has in hand is neither there nor made again.
            with pytest.raises(TooLate):
                answer.result(timeout=0.2)
            (folder / "go").touch()
            array, count = answer.result(timeout=300)
            assert np.array_equal(array, FIRST) and count == 0
            assert other.wait(timeout=300) == 0
        finally:
            (folder / "go").touch()


def test_a_process_that_dies_leaves_no_lock(
    source: Path,
    get: Callable[..., tuple[np.ndarray, int]],
    environment: Callable[..., dict[str, str]],
    deadline: Callable[..., Iterator[None]],
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(source.parent)], env=environment()
    ) as p:
        next(_ for _ in deadline(300) if (source.parent / "started").exists())
        p.kill()
    assert [get()[1], get()[1]] == [1, 0]
