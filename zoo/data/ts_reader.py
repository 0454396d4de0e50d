"""Readers of labelled time series: .tsv of the UCR archive, .ts of the UEA archive."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo.data.csv_reader import read_text
from zoo.preprocessing.columns import is_missing, number, numbers


class Sequences(NamedTuple):
    """Labelled sequences, each (steps, dimensions) in float64."""

    path: Path
    samples: list[np.ndarray]
    labels: list[str]
    lines: list[int]  # of each sample in the file
    classes: list[str]


def read_tsv(path: Path) -> Sequences:
    """Reads one sample a line: its label, then its values; NaN at the end is padding.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is damaged, not UTF-8 or empty, or a value is none.
    """
    samples, labels, lines = [], [], []
    for line, text in enumerate(read_text(path).splitlines(), 1):
        if not text.strip():
            continue
        label, *cells = text.rstrip("\t ").split("\t")
        if not label.strip() or is_missing(label.strip()):
            raise ValueError(f"{path}, line {line}: there is no label before the first tab")
        samples.append(sequence([cells], f"{path}, line {line}"))
        labels.append(plain_label(label))
        lines.append(line)
    found = set(labels)
    by_size = all(number(label) is not None for label in found)
    classes = sorted(found, key=lambda label: (number(label) or 0.0 if by_size else 0.0, label))
    return checked(Sequences(path, samples, labels, lines, classes))


def read_ts(path: Path) -> Sequences:
    """Reads the sktime format: directives, @data, then dimensions and a label between colons.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is damaged, not UTF-8 or empty, a value is none, dimensions do not match, or
            the file has no labels or time stamps.
    """
    directives: dict[str, list[str]] = {}
    samples, labels, lines = [], [], []
    for line, text in enumerate(read_text(path).splitlines(), 1):
        text = text.strip()
        if not text or text.startswith("#"):
            continue
        where = f"{path}, line {line}"
        if "data" not in directives:
            if not text.startswith("@"):
                raise ValueError(f"{where}: {text[:40]!r} stands before @data; is it a .ts file?")
            key, *words = text[1:].split() or [""]
            directives[key.lower()] = words
            if "data" in directives:
                check_directives(directives, where)
            continue
        *dimensions, label = text.split(":")
        label = plain_label(label)
        if not dimensions or label not in directives["classlabel"]:
            raise ValueError(
                f"{where}: the label {label[:40]!r} is none of @classLabel, "
                f"{' '.join(directives['classlabel'])}"
            )
        samples.append(sequence([part.split(",") for part in dimensions], where))
        labels.append(label)
        lines.append(line)
        check_dimensions(directives, samples, where)
    if "data" not in directives:
        raise ValueError(f"{path} has no @data; is it a .ts file?")
    return checked(Sequences(path, samples, labels, lines, directives["classlabel"]))


def check_directives(directives: dict[str, list[str]], where: str) -> None:
    """Raises ValueError for what cannot be read; leaves the classes alone in "classlabel"."""
    if directives.get("timestamps", ["false"])[:1] != ["false"]:
        raise ValueError(
            f"{where}: @timeStamps must be false; values of their own times are not read"
        )
    flag, *classes = directives.get("classlabel") or ["false"]
    if flag.lower() != "true" or not classes:
        raise ValueError(f"{where}: @classLabel must be true with the classes after it")
    classes = [plain_label(label) for label in classes]
    if len(set(classes)) < len(classes):
        raise ValueError(f"{where}: @classLabel names a class twice: {' '.join(classes)}")
    if not (directives.get("dimensions") or ["1"])[0].isdecimal():
        raise ValueError(
            f"{where}: @dimensions must be a number, got {directives['dimensions'][0]!r}"
        )
    directives["classlabel"] = classes


def check_dimensions(
    directives: dict[str, list[str]], samples: list[np.ndarray], where: str
) -> None:
    """Raises ValueError if the last sample has another number of dimensions than it must."""
    count, first = samples[-1].shape[1], samples[0].shape[1]
    declared = int((directives.get("dimensions") or [str(first)])[0])
    if count != declared:
        source = "@dimensions says" if "dimensions" in directives else "the samples before have"
        raise ValueError(f"{where}: {count} dimensions, but {source} {declared}")


def sequence(dimensions: list[list[str]], where: str) -> np.ndarray:
    """One sample (steps, dimensions), without the missing values at its end.

    Raises:
        ValueError: a value is no finite number, or dimensions differ in length.
    """
    columns = []
    for index, part in enumerate(dimensions, 1):
        cells = [cell.strip() for cell in part]
        while cells and is_missing(cells[-1]):
            cells.pop()
        name = f"{where}, dimension {index}" if len(dimensions) > 1 else where
        columns.append(numbers(cells, lambda step, name=name: f"{name}, step {step + 1}"))  # type: ignore[misc]
    lengths = [len(column) for column in columns]
    if len(set(lengths)) > 1:
        raise ValueError(
            f"{where}: dimensions of {', '.join(map(str, lengths))} steps; all must be equal"
        )
    if lengths[0] == 0:
        raise ValueError(f"{where}: there is no value")
    return np.stack(columns, axis=1)


def plain_label(label: str) -> str:
    """A label without blanks, a whole number without its decimals (old files write 1.0000e+00)."""
    value = number(label)
    whole = value is not None and value.is_integer() and abs(value) < 1e15
    return str(int(value)) if whole and value is not None else label.strip()


def checked(part: Sequences) -> Sequences:
    """The sequences, if there are any.

    Raises:
        ValueError: there are none, or classes that have none.
    """
    if not part.samples:
        raise ValueError(f"{part.path} is empty: it has no samples")
    return part
