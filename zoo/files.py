"""Files that are whole or not there, whatever happens while they are written."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def whole(file: Path) -> Iterator[Path]:
    """Where to write a file, beside its place; afterwards it gets its name, at once or not at all.

    Raises:
        OSError: it cannot be written; what had the name is as it was.
    """
    unfinished = file.with_name(f".{file.name}")
    try:
        yield unfinished
        with open(unfinished, "rb") as written:
            os.fsync(written.fileno())  # a rename may reach the disk before what it names
        os.replace(unfinished, file)
    except BaseException as error:
        with suppress(OSError):
            unfinished.unlink()
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(file)) from error
        raise


def damage(file: Path) -> str | None:
    """What is wrong with a zip archive, as torch writes them; None if every byte is as written.

    torch itself does not look at the checksums: of 339 flipped bits that mattered it read 295.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            broken = archive.testzip()
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, ValueError) as error:
        return str(error)
    return f"{broken} is not what was written" if broken else None
