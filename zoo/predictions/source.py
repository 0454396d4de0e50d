"""What a command reads: samples with the names that their answers get."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from zoo.predictions.arrays import stored
from zoo.predictions.rows import Stream, Table

if TYPE_CHECKING:
    from zoo.preprocessing import Input

# What Pillow reads and training takes for images.
IMAGES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


class Sample(NamedTuple):
    """One thing to answer to.

    Attributes:
        name: of a file, or the number of a row.
        raw: as the preprocessing takes it; None if it has a flaw.
        place: where it stands, for errors.
        flaw: what follows the place in a sentence that says why it cannot be read, or empty.
    """

    name: str | int
    raw: Any
    place: str
    flaw: str = ""


class Source(NamedTuple):
    """Where samples come from.

    Attributes:
        key: what their names are: "file", "row", "line" or "index".
        samples: one after the other.
        total: how many there are, or bytes; None where nobody knows.
        read: how many samples, or bytes, have been read; None where samples are to be counted.
    """

    key: str
    samples: Iterator[Sample]
    total: int | None = None
    read: Callable[[], int] | None = None


def images(path: Path) -> Source:
    """An image, or all images in a folder and the folders in it, in alphabetical order.

    Raises:
        ValueError: there is no image in the folder.
    """
    files, names = [path], [path.name]
    if path.is_dir():
        files = sorted(listed(path))
        if not files:
            raise ValueError(f"{path} holds no image; known are {', '.join(IMAGES)}")
        names = [file.relative_to(path).as_posix() for file in files]
    # A name may have bytes that are no UTF-8, which can be written as escapes alone.
    names = [name.encode(errors="backslashreplace").decode() for name in names]
    pairs = zip(names, files, strict=True)
    return Source("file", (Sample(name, file, str(file)) for name, file in pairs), len(files))


def listed(folder: Path) -> Iterator[Path]:
    """All images below a folder, but hidden ones."""
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if name.lower().endswith(IMAGES) and not name.startswith("."):
                yield Path(place, name)


@contextmanager
def arrays(path: Path, input: Input, axes: int) -> Iterator[Source]:
    """The samples of an array, or an array that is one.

    Args:
        path: an .npy or .npz file.
        input: says what a sample is where the number of axes does not.
        axes: of a sample as training stored it.

    Raises:
        OSError, ValueError: it cannot be read, or holds no such samples.
    """
    with stored(path) as array:
        found: Iterable[Any] = array.samples()
        total = array.shape[0]
        if len(array.shape) <= axes:
            try:
                found, single = input.samples(array.whole())
            except ValueError as error:
                raise ValueError(f"{array.name}: {error}") from error
            total = 1 if single else total
        counted = len(array.shape) > axes or total > 1
        samples = (
            Sample(i, sample, f"{array.name}[{i}]" if counted else array.name)
            for i, sample in enumerate(found)
        )
        yield Source("index", samples, total)


def rows(table: Table, wanted: Sequence[str], make: Callable[[list[str]], Any]) -> Source:
    """The rows of a csv file.

    Args:
        table: that has them.
        wanted: the columns that count.
        make: of their cells, in that order, what the preprocessing takes.

    Raises:
        ValueError: a column is missing.
    """
    at, name = table.places(wanted), table.stream.name

    def samples() -> Iterator[Sample]:
        for number, row in enumerate(table.rows(), 1):
            place = f"{name}, line {row.line}"
            if row.flaw:
                yield Sample(number, None, place, f": {row.flaw}")
            else:
                yield Sample(number, make([row.cells[i] for i in at]), place)

    return Source("row", samples(), *table.stream.progress())


def lines(stream: Stream) -> Source:
    """The lines of a text that are not blank."""
    samples = (
        Sample(number, line.strip(), f"{stream.name}, line {number}")
        for number, line in enumerate(stream.decoded(), 1)
        if line.strip()
    )
    return Source("line", samples, *stream.progress())
