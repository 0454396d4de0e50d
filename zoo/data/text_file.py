"""Text files: plain or gzipped, in any encoding, and tables of labelled texts."""

import csv
import io
from pathlib import Path
from typing import NamedTuple

from zoo.data.csv_reader import read_bytes

FORMATS = ("auto", "csv", "tsv", "sst")


def check_encoding(encoding: str) -> None:
    """Raises ValueError for a name that Python knows no text encoding by."""
    try:
        "a".encode(encoding)
    except (LookupError, ValueError) as error:
        raise ValueError(
            f"`encoding` must name a text encoding, such as utf-8 or latin-1, got {encoding!r}"
        ) from error


def read_text(path: Path, encoding: str = "utf-8") -> str:
    r"""The text of a file, gunzipped where it is gzipped, with "\n" at the end of each line.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is damaged, empty or in another encoding.
    """
    content = read_bytes(path)
    try:
        text = content.decode(encoding)
    except UnicodeError as error:
        where = f" at byte {error.start}" if isinstance(error, UnicodeDecodeError) else ""
        raise ValueError(
            f"{path} is not {encoding}{where}; name what it is, such as data.encoding=latin-1"
        ) from error
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise ValueError(f"{path} is empty; it must hold some text")
    return text


class Labelled(NamedTuple):
    """Texts and the label of each, in the order of the file."""

    texts: list[str]
    labels: list[str]


def read_labelled(
    path: Path,
    *,
    text: str = "text",
    label: str = "label",
    layout: str = "auto",
    encoding: str = "utf-8",
) -> Labelled:
    """Reads a table of labelled texts.

    Args:
        path: the file, gzipped or not.
        text: name of the column of texts.
        label: name of the column of labels.
        layout: "csv" (a row of names, then rows with commas, quoted by `"`), "tsv" (the same with
            tabs and no quotes) or "sst" (no names; the label, a space, the text); "auto" goes by
            the file's name, and by "sst" for what is called neither .csv nor .tsv.
        encoding: of the file.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is no such table; the message names the row or column.
    """
    content = read_text(path, encoding)
    if layout == "auto":
        suffix = Path(str(path).removesuffix(".gz")).suffix[1:].lower()
        layout = suffix if suffix in ("csv", "tsv") else "sst"
    if layout == "sst":
        return _label_first(content, path)
    return _columns(content, path, text, label, layout)


def _label_first(content: str, path: Path) -> Labelled:
    texts, labels = [], []
    for number, line in enumerate(content.split("\n"), start=1):
        if not line.strip():
            continue
        first, *rest = line.split(maxsplit=1)
        if not rest:
            raise ValueError(
                f"row {number} of {path} must be a label, a space and a text, got {line[:40]!r}; "
                "for a table with a row of names set data.format=csv or tsv"
            )
        labels.append(first)
        texts.append(rest[0].strip())
    return Labelled(texts, labels)


def _columns(content: str, path: Path, text: str, label: str, layout: str) -> Labelled:
    texts, labels, number, width = [], [], 0, 0
    lines = io.StringIO(content, newline="")
    if layout == "csv":
        # Not strict, an unclosed quote would swallow the rest of the file without a word.
        rows = csv.reader(lines, strict=True)
    else:
        rows = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    try:
        for number, row in enumerate(rows, start=1):
            if not row:
                continue
            if not width:
                at_text, at_label = (_find(name, row, path) for name in (text, label))
                width = len(row)
                continue
            if len(row) != width:
                raise ValueError(
                    f"row {number} of {path} has {len(row)} fields, but the first row names {width}"
                )
            if not row[at_label].strip():
                raise ValueError(f"row {number} of {path} has no {label!r}; label it or remove it")
            texts.append(row[at_text])
            labels.append(row[at_label].strip())
    except csv.Error as error:
        raise ValueError(f"row {number + 1} of {path} is no {layout}: {error}") from error
    if not texts:
        raise ValueError(f"{path} has a row of names, but no rows below it")
    return Labelled(texts, labels)


def _find(column: str, names: list[str], path: Path) -> int:
    names = [name.strip() for name in names]
    if names.count(column) != 1:
        trouble = "twice" if column in names else "not"
        shown = ", ".join(map(repr, names[:20]))
        raise ValueError(
            f"{path} must name the column {column!r} once in its first row, it does {trouble}: "
            f"{shown}; choose with data.text and data.label"
        )
    return names.index(column)
