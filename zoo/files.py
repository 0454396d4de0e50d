"""Files that are whole or not there, whatever happens while they are written."""

from __future__ import annotations

import errno
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def whole(file: Path) -> Iterator[Path]:
    """Where to write a file, beside its place; afterwards it gets its name, at once or not at all.

    A link goes on to point where it did, to what is new.

    Raises:
        OSError: it cannot be written, or the name is that of a device or a pipe; what had the name
            is as it was.
    """
    place = Path(os.path.realpath(file))
    if place.exists() and not (place.is_file() or place.is_dir()):
        raise OSError(errno.EEXIST, "no regular file", str(file))
    unfinished = place.with_name(f".{place.name}")
    try:
        yield unfinished
        with open(unfinished, "rb") as written:
            os.fsync(written.fileno())  # a rename may reach the disk before what it names
        os.replace(unfinished, place)
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
            parts = archive.infolist()
            # torch compresses nothing: a few bytes do not become gigabytes.
            if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
                return "it is compressed"
            if sum(part.file_size for part in parts) > file.stat().st_size:
                return "its parts are larger than the whole"
            if len({part.filename.partition("/")[0] for part in parts}) != 1 or any(
                ".." in part.filename.split("/") for part in parts
            ):
                return "its parts are not in one folder"
            if min(part.header_offset for part in parts) != 0:
                return "there is something before its first part"
            broken = archive.testzip()
    except (
        zipfile.BadZipFile,
        OSError,
        RuntimeError,
        LookupError,
        ValueError,
        EOFError,
    ) as error:
        return str(error) or type(error).__name__
    return f"{broken} is not what was written" if broken else None
