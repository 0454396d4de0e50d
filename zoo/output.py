"""The standard output, where its reader may leave before the work is done, as `head` does."""

from __future__ import annotations

import io
import os
import sys
from typing import Any


class Pipe(io.FileIO):
    """A pipe that takes what is written once its reader has gone, instead of failing."""

    def write(self, data: Any) -> int:
        """Write some bytes; how many."""
        try:
            return super().write(data)
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return len(data)


def outlive_the_reader() -> None:
    """Let this process go on when nobody reads its standard output any more.

    Nothing changes for a terminal, or where somebody has put another stream in its place.
    """
    shown = sys.stdout
    if shown is not sys.__stdout__ or not isinstance(shown, io.TextIOWrapper) or shown.isatty():
        return
    shown.flush()
    raw = Pipe(shown.fileno(), "w", closefd=False)
    unbuffered = isinstance(shown.buffer, io.RawIOBase)  # PYTHONUNBUFFERED
    sys.stdout = io.TextIOWrapper(
        raw if unbuffered else io.BufferedWriter(raw),
        encoding=shown.encoding,
        errors=shown.errors,
        line_buffering=shown.line_buffering,
        write_through=shown.write_through,
    )
