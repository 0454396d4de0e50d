"""Downloads with torchvision's means: progress on the terminal, checksum, mirrors."""

import contextlib
import errno
import os
import shutil
import socket
from collections.abc import Callable, Iterator, Sequence
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError

from zoo.data.cache import only_one

PATIENCE = 30.0  # seconds without a byte


def fetch(urls: Sequence[str], folder: Path, filename: str, md5: str) -> Path:
    """The file at the first of `urls` that has it with this checksum.

    Raises:
        OSError: if none has, or there is no space.
    """
    from torchvision.datasets.utils import download_url

    errors = []
    for url in urls:
        try:
            with _patience():
                download_url(url, folder, filename, md5)
            return folder / filename
        except (OSError, RuntimeError, HTTPException) as error:
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                raise
            errors.append(f"{url}: {error}")
            if isinstance(error, HTTPError):
                error.close()
    raise OSError("; ".join(errors))


def obtain(name: str, home: Path, find: Callable[[], list[Path] | None], get: Callable) -> None:
    """Gets files into `home`, once for all processes, unless `find` finds them there by then.

    They arrive in a folder beside their place and are renamed, so a file in its place is whole;
    what an interrupted attempt has left is taken up or overwritten by the next one.

    Args:
        name: of the data set.
        home: the folder of the files.
        find: the files, if they are all there.
        get: puts them into a folder.

    Raises:
        OSError: if they cannot be had or written.
    """
    with only_one(home, name):
        if find() is not None:
            return
        partial = home / f".{name}.partial"
        partial.mkdir(exist_ok=True)
        get(partial)
        for file in sorted(path for path in partial.rglob("*") if path.is_file()):
            place = home / file.relative_to(partial)
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(file, place)
        shutil.rmtree(partial)


@contextlib.contextmanager
def _patience() -> Iterator[None]:
    # torchvision waits for a silent server for ever.
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
