"""From what was asked for to samples of the kind that a model reads."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import numpy as np

from zoo.predictions.options import Asked, origin
from zoo.predictions.rows import Row, Table, opened
from zoo.predictions.source import Sample, Source, arrays, images, lines, rows
from zoo.preprocessing import ArrayInput, ImageInput, Input, SeriesInput, TableInput
from zoo.preprocessing.columns import is_missing, known, number
from zoo.preprocessing.images import BROKEN

COLUMN = "text"  # of a csv file, where nobody says which one holds the texts


@contextmanager
def reading(wish: Asked, input: Input) -> Iterator[Source]:
    """What was asked about, for as long as this is open.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not what the model reads.
    """
    place, path = origin(wish, input.kind), str(wish.input)
    if place == "words":
        yield Source("text", iter([Sample(str(wish.text), wish.text, "the text")]), 1)
    elif place == "arrays":
        rank = len(input.shape) if isinstance(input, (ArrayInput, ImageInput)) else 2
        with arrays(Path(path), input, rank) as source:
            yield inverted(source, input) if wish.invert else source
    elif place == "images":
        source = images(Path(path))
        yield inverted(source, input) if wish.invert else source
    else:
        with opened(path) as stream:
            if place == "lines":
                yield lines(stream)
                return
            yield of_table(Table(stream, separator=wish.separator, names=wish.names), input, wish)


def inverted(source: Source, input: Input) -> Source:
    """Images with black and white exchanged, decoded and resized as in training before that."""
    assert isinstance(input, ImageInput)

    def samples() -> Iterator[Sample]:
        for sample in source.samples:
            try:
                stored = input.stored(sample.raw)
            except BROKEN as error:
                reason = " ".join(str(error).split())
                yield sample._replace(raw=None, flaw=f" cannot be read: {reason}")
            else:
                yield sample._replace(raw=stored.dtype.type(input.limit) - stored)

    return source._replace(samples=samples())


def of_table(table: Table, input: Input, wish: Asked) -> Source:
    """Rows of a csv file as samples, or all of them as one series.

    Raises:
        ValueError: a column is missing, or it is no table that the model reads.
    """
    if isinstance(input, SeriesInput):
        return series(table, input)
    if isinstance(input, TableInput):
        names = input.names
        return rows(table, names, lambda cells: dict(zip(names, cells, strict=True)))
    if isinstance(input, ArrayInput):
        return numbers(table, input)
    column = wish.column
    if column is None:
        column = COLUMN if COLUMN in table.header or len(table.header) > 1 else table.header[0]
        if column not in table.header:
            raise ValueError(
                f"{table.stream.name}: which column holds the texts? column= one of "
                f"{', '.join(table.header)}"
            )
    return rows(table, [column], lambda cells: cells[0])


def series(table: Table, input: SeriesInput) -> Source:
    """The last rows of a table as one sample, named by how many rows there are in all.

    Raises:
        ValueError: there are too few rows, or one of the last has no number.
    """
    at, count = table.places(input.columns), 0
    last: deque[Row] = deque(maxlen=input.window)
    for row in table.rows():
        if row.flaw:
            raise ValueError(f"{table.stream.name}, line {row.line}: {row.flaw}")
        last.append(row)
        count += 1
    values = {
        name: [value(table, row, name, row.cells[place]) for row in last]
        for name, place in zip(input.columns, at, strict=True)
    }
    return Source("", iter([Sample(count, values, table.stream.name)]), 1)


def value(table: Table, row: Row, name: str, cell: str) -> float:
    """The number in a cell.

    Raises:
        ValueError: there is none.
    """
    try:
        return known(cell)
    except ValueError as error:
        place = f"{table.stream.name}, line {row.line}, column {name!r}"
        raise ValueError(f"{place}: {error}") from error


def is_numeric(cell: str) -> bool:
    """Whether a cell holds a number, or says that there is none."""
    return is_missing(cell) or number(cell) is not None


def numbers(table: Table, input: ArrayInput) -> Source:
    """Rows of as many numbers as a sample has, with a header or without one.

    Raises:
        ValueError: a sample is more than a row, or the table has another number of columns.
    """
    name, count = table.stream.name, len(table.header)
    if len(input.shape) != 1 or input.shape[0] != count:
        raise ValueError(
            f"{name} has {count} columns, and a sample of this model is an array of the shape "
            f"{input.words()}"
            + (", as it can stand in an .npz file" if len(input.shape) > 1 else "")
        )
    # A header of nothing but numbers, even if some are missing, is none.
    first = [table.first] if table.first and all(map(is_numeric, table.first.cells)) else []
    header = [str(i) for i in range(1, count + 1)] if first else table.header

    def parsed(index: int, row: Row) -> Sample:
        place = f"{name}, line {row.line}"
        if row.flaw:
            return Sample(index, None, place, f": {row.flaw}")
        try:
            cells = zip(header, row.cells, strict=True)
            return Sample(index, np.array([value(table, row, *cell) for cell in cells]), place)
        except ValueError as error:
            return Sample(index, None, place, str(error).removeprefix(place))

    samples = (parsed(index, row) for index, row in enumerate(chain(first, table.rows()), 1))
    return Source("row", samples, *table.stream.progress())
