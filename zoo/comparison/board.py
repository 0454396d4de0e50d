"""The comparison in TensorBoard: its table as text, its figures as images."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from zoo.comparison.events import PATTERN
from zoo.files import whole

OWN = ".comparison"  # how our event files end, so that none but those are replaced
COLOURS = 4  # of a picture: red, green, blue and opacity


class Image(NamedTuple):
    """A picture for TensorBoard: its tag, width, height and file."""

    tag: str
    width: int
    height: int
    png: bytes


def write_events(folder: Path, texts: dict[str, str], images: Sequence[Image]) -> Path:
    """Write a run of texts and pictures; what an earlier comparison has written there goes.

    Args:
        folder: of the run, which is made if need be.
        texts: Markdown by tag.
        images: the pictures.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = [file for file in folder.glob(PATTERN) if file.name.endswith(OWN)]
    # TensorBoard reads the files of a folder in the order of their names.
    stamp = max([int(time.time()), *(int(file.name.split(".")[3]) + 1 for file in before)])
    file = folder / f"{PATTERN.removesuffix('*')}{stamp:010d}{OWN}"
    # By this name TensorBoard would read it unfinished.
    with whole(folder / "events") as unfinished:
        unfinished.write_bytes(encoded(texts, images))
    os.replace(folder / "events", file)
    for old in before:
        with suppress(OSError):
            old.unlink()
    return file


def encoded(texts: dict[str, str], images: Sequence[Image]) -> bytes:
    """The bytes of an event file."""
    from tensorboard.compat.proto.event_pb2 import Event, SessionLog
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.text.summary import text_pb
    from tensorboard.summary.writer.record_writer import RecordWriter

    now, buffer = time.time(), io.BytesIO()
    events = [
        Event(wall_time=now, file_version="brain.Event:2"),
        # A TensorBoard that is running forgets what it has read before.
        Event(wall_time=now, session_log=SessionLog(status=SessionLog.START)),
        *(Event(wall_time=now, summary=text_pb(tag, text)) for tag, text in texts.items()),
    ]
    for tag, width, height, png in images:
        image = Summary.Image(
            width=width, height=height, colorspace=COLOURS, encoded_image_string=png
        )
        summary = Summary(value=[Summary.Value(tag=tag, image=image)])
        events.append(Event(wall_time=now, summary=summary))
    records = RecordWriter(buffer)
    for event in events:
        records.write(event.SerializeToString())
    return buffer.getvalue()
