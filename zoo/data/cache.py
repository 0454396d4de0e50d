"""What was decoded once, kept in a file beside the data.

The file is an uncompressed `.npz`. A digest inside tells whether it is damaged, a fingerprint of
the sources whether it is stale. It is written under another name and renamed, so that whoever reads
it finds it whole.
"""

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from filelock import FileLock

from zoo.data.npz import Arrays, read_arrays

FORMAT = "1"  # of what is kept; another one makes all caches stale


def cached(
    file: Path, sources: Sequence[Path], decode: Callable[[], Arrays], recipe: str = ""
) -> Arrays:
    """What `decode` makes of `sources`: from `file` if that is intact and up to date.

    Of several processes that start at once, one decodes and the others wait for its file. Where
    nothing may be written, nothing is kept.

    Args:
        file: where it is kept.
        sources: the files that it depends on, by size and content.
        decode: makes it.
        recipe: everything else that it depends on.

    Raises:
        OSError: if the file cannot be written, for want of space for example; none is left then.
    """
    key = fingerprint(sources, file.parent, recipe)
    kept = load(file, key)
    if kept is not None:
        return kept
    if not writable(file.parent):
        return decode()
    with FileLock(file.with_name(f"{file.name}.lock")):
        kept = load(file, key)
        if kept is None:
            kept = decode()
            store(file, key, kept)
        return kept


def fingerprint(sources: Sequence[Path], base: Path, recipe: str = "") -> str:
    """The SHA-256 of names below `base`, sizes and contents, and of the recipe."""
    total = hashlib.sha256(f"{FORMAT}\n{recipe}\n".encode())
    for source in sources:
        content, size = hashlib.sha256(), 0
        with source.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                content.update(chunk)
                size += len(chunk)
        name = os.path.relpath(source, base)
        total.update(f"{name}\n{size}\n{content.hexdigest()}\n".encode(errors="surrogateescape"))
    return total.hexdigest()


def load(file: Path, key: str) -> Arrays | None:
    """What `file` holds; None if it is absent, damaged, or of other sources."""
    try:
        arrays = read_arrays(file)
    except (ValueError, OSError):
        return None
    marks = [arrays.pop(name, np.empty(0)).tobytes() for name in ("fingerprint", "digest")]
    return arrays if marks == [key.encode(), digest(arrays)] else None


def digest(arrays: Arrays) -> bytes:
    """The SHA-256 of names, types, shapes and contents."""
    total = hashlib.sha256()
    for name, array in arrays.items():
        total.update(f"{name} {array.dtype} {array.shape}\n".encode())
        total.update(np.ascontiguousarray(array).data)
    return total.digest()


def store(file: Path, key: str, arrays: Arrays) -> None:
    """Writes the file whole or not at all; the caller holds its lock.

    Raises:
        OSError: if it cannot be written.
    """
    partial = file.with_name(f"{file.name}.partial")
    try:
        with partial.open("wb") as stream:
            marks = {"fingerprint": key.encode(), "digest": digest(arrays)}
            extra = {name: np.frombuffer(mark, np.uint8) for name, mark in marks.items()}
            np.savez(stream, **extra, **arrays)  # type: ignore[arg-type]
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, file)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        size = sum(array.nbytes for array in arrays.values())
        raise OSError(
            error.errno,
            f"the decoded data ({size / 1e6:.0f} MB) cannot be written ({error.strerror}); make "
            "room there, or move the data elsewhere",
            str(file),
        ) from error


def writable(folder: Path) -> bool:
    """Whether files may be made in a folder.

    One without any write permission is left alone, by an administrator too.
    """
    anybody = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
    return os.access(folder, os.W_OK) and bool(folder.stat().st_mode & anybody)


@contextlib.contextmanager
def only_one(folder: Path, name: str) -> Iterator[None]:
    """Makes a folder and keeps other processes out of the same block for it.

    Raises:
        OSError: if nothing can be written there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not writable(folder):
        raise OSError(errno.EACCES, "nothing may be written here", str(folder))
    with FileLock(folder / f".{name}.lock"):
        yield
