"""Event files that neither a full disk nor a wrong clock can harm, nor they the run."""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.summary.writer.event_file_writer import EventFileWriter, _AsyncWriter
from tensorboard.summary.writer.record_writer import RecordWriter
from torch.utils.tensorboard import FileWriter, SummaryWriter

PREFIX = "events.out.tfevents."
QUEUE, FLUSH_SECONDS = 10, 120


class RunEvents(SummaryWriter):
    """torch's writer of summaries, over an event file of ours.

    Args:
        folder: the run folder.
        purge_step: hide what was written from this step on.
    """

    file_writer: Any
    all_writers: Any
    purge_step: int | None

    def __init__(self, folder: str, *, purge_step: int | None = None) -> None:
        super().__init__(folder, purge_step=purge_step)

    def _get_file_writer(self) -> FileWriter:
        if self.file_writer is None:
            self.file_writer = _Writer(self.log_dir)
            self.all_writers = {self.log_dir: self.file_writer}
            if self.purge_step is not None:
                start = SessionLog(status=SessionLog.START)
                self.file_writer.add_event(Event(session_log=start), self.purge_step)
                self.purge_step = None
        return self.file_writer


class _Writer(FileWriter):
    def __init__(self, folder: str) -> None:
        self.event_writer = EventFile(Path(folder))


class EventFile(EventFileWriter):
    """One event file of a run.

    TensorBoard reads the files of a folder by their names, in which seconds come first: the name
    sorts after all that are there. Times do not fall, within a file and from one to the next.

    Args:
        folder: the run folder.
    """

    def __init__(self, folder: Path) -> None:
        self._logdir = str(folder)
        before = list(folder.glob(f"{PREFIX}*"))
        stamps = [file.name.removeprefix(PREFIX).partition(".")[0] for file in before]
        stamp = max(int(time.time()), *(int(s) + 1 for s in stamps if s.isdigit()), 0)
        self._ahead = 0.0  # seconds, of the clock
        self._latest = max((file.stat().st_mtime for file in before), default=0.0)
        self._file_name = f"{folder}/{PREFIX}{stamp:010d}.{socket.gethostname()}.{os.getpid()}.0"
        records = RecordWriter(PatientFile(Path(self._file_name)))
        self._async_writer = _AsyncWriter(records, QUEUE, FLUSH_SECONDS)
        self.add_event(Event(wall_time=time.time(), file_version="brain.Event:2"))
        self.flush()

    def add_event(self, event: Event) -> None:
        """Write an event, with its time put right."""
        self._ahead = max(self._ahead, self._latest - event.wall_time)
        self._latest = event.wall_time = event.wall_time + self._ahead
        super().add_event(event)


class PatientFile:
    """A file of records that gives up, and says so once, when it cannot be written.

    A record is written at once: what was added is in the file even if the process is killed.

    Args:
        path: of the file, which must not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.closed = False
        self._descriptor: int | None = None
        self._whole = 0  # bytes of whole records
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except OSError as error:
            self._give_up(error)

    def write(self, record: bytes) -> None:
        """Add a record, all of it or nothing."""
        if self._descriptor is None:
            return
        try:
            rest = memoryview(record)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            self._whole += len(record)
        except OSError as error:
            os.ftruncate(self._descriptor, self._whole)
            self.close()
            self._give_up(error)

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """End the file."""
        self.closed = True
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _give_up(self, error: OSError) -> None:
        print(
            f"TensorBoard gets no more of this run: {self.path}: {error.strerror}", file=sys.stderr
        )
