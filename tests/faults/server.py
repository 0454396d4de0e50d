"""A warm process that forks: torch is imported once, and each run is a child that may be killed.

One line of JSON in, a request; two numbers out, each on its line: the child's process id when it
has started, and its exit code when it has ended.
"""

import ctypes
import errno
import functools
import importlib
import json
import os
import shutil
import signal
import struct
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import hydra
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict

from zoo import train
from zoo.callbacks import Checkpoint
from zoo.config import conf_dir, register_resolvers
from zoo.lit import events

torch.set_num_threads(1)
for late in ("zoo.runs", "zoo.validation", "sklearn.datasets", "torch._dynamo"):
    importlib.import_module(late)


def die(module: Any, name: str, number: int, after: bool) -> None:
    """Be killed just before or after the function `name` is called for the n-th time."""
    function, calls = getattr(module, name), 0

    def killed(*arguments: Any, **settings: Any) -> Any:
        nonlocal calls
        calls += 1
        result = function(*arguments, **settings) if after or calls != number else None
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(module, name, killed)


def half_written(number: int) -> None:
    """Be killed when half of the n-th checkpoint is written."""
    save, calls = torch.save, 0

    def killed(content: Any, file: Any) -> None:
        nonlocal calls
        calls += 1
        save(content, file)
        if calls == number:
            file.flush()
            file.truncate(file.tell() // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    torch.save = killed


KILLS: dict[str, Callable[[int], None]] = {
    "half of a checkpoint is written": half_written,
    "a file is written, not flushed": lambda n: die(os, "fsync", n, after=False),
    "a file is flushed, not renamed": lambda n: die(os, "replace", n, after=False),
    "a file is renamed": lambda n: die(os, "replace", n, after=True),
}


def at_save(number: int, action: Callable[[Checkpoint], None]) -> None:
    """Do something just before the n-th checkpoint is written."""
    save, calls = Checkpoint.save, 0

    def spoiled(self: Checkpoint, *arguments: Any, **settings: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == number:
            action(self)
        save(self, *arguments, **settings)

    Checkpoint.save = spoiled  # type: ignore[method-assign]


def full(name: str) -> Callable[[Checkpoint], None]:
    """A disk that takes no byte of that file: the kernel itself says so."""
    return lambda self: os.symlink("/dev/full", self.dirpath / name)


def read_only(self: Checkpoint) -> None:
    """A folder in which nothing may be made, not even by root."""
    self.dirpath.chmod(0o555)
    if not os.geteuid():
        version, own_process, no_rights = 0x20080522, 0, bytes(24)
        ctypes.CDLL(None).capset(struct.pack("Ii", version, own_process), no_rights)


def broken_events(number: int, code: int) -> None:
    """An event file whose n-th record cannot be written."""
    write, calls = os.write, 0

    def spoiled(descriptor: int, data: Any) -> int:
        nonlocal calls
        calls += 1
        if calls >= number:
            raise OSError(code, os.strerror(code))
        return write(descriptor, data)

    events.os = type("os", (), {**vars(os), "write": staticmethod(spoiled)})  # type: ignore[assignment]


def no_events(number: int) -> None:
    """A folder in which no event file may be made."""

    def refused(*arguments: Any) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    events.os = type("os", (), {**vars(os), "open": staticmethod(refused)})  # type: ignore[assignment]


FAULTS: dict[str, Callable[[int], None]] = {
    "full at last.ckpt": lambda n: at_save(n, full(".last.ckpt")),
    "full at best.ckpt": lambda n: at_save(n, full(".best.ckpt")),
    "full at metrics.json": lambda n: at_save(n, full("../.metrics.json")),
    "full at config.yaml": lambda n: os.symlink("/dev/full", "run/.config.yaml"),
    "read-only folder": lambda n: at_save(n, read_only),
    "removed folder": lambda n: at_save(n, lambda self: shutil.rmtree(self.dirpath.parent)),
    "removed checkpoints": lambda n: at_save(n, lambda self: shutil.rmtree(self.dirpath)),
    "full at events": lambda n: broken_events(n, errno.ENOSPC),
    "broken disk at events": lambda n: broken_events(n, errno.EIO),
    "no events": no_events,
}


def clock(number: int) -> None:
    """A clock that goes back an hour at each of its first calls but a few."""
    now, calls = time.time, 0

    def backwards() -> float:
        nonlocal calls
        calls += 1
        return now() - 3600 * (calls // number)

    time.time = backwards


@functools.cache
def composed(*words: str) -> DictConfig:
    """The config that `zoo-train` would run in the folder `run`; composing it takes a while."""
    register_resolvers()
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        cfg = hydra.compose("train", list(words), return_hydra_config=True)
    with open_dict(cfg):
        cfg.hydra.run.dir = cfg.hydra.runtime.output_dir = "run"
    return cfg


def noon(number: int) -> None:
    """Whatever the time, runs are named after the same second."""
    import hydra.core.utils as utils

    class Noon(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Noon":
            return cls(2026, 11, 20, 12)

    utils.datetime = Noon  # type: ignore[attr-defined]


CLOCKS: dict[str, Callable[[int], None]] = {"back": clock, "noon": noon}


def run(request: dict[str, Any]) -> int:
    """Train in that folder; what is printed goes to a file there."""
    os.chdir(request["folder"])
    output = os.open("output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(output, 1)
    os.dup2(output, 2)
    for kind, faults in (("kill", KILLS), ("fault", FAULTS), ("clock", CLOCKS)):
        if kind in request:
            name, number = request[kind]
            faults[name](number)
    if request.get("typed"):
        sys.argv = ["zoo-train", *request["words"]]
        train.main()
    else:
        cfg = composed(*request["words"])
        HydraConfig.instance().set_config(cfg)
        with open_dict(cfg):
            del cfg["hydra"]
        train.train(cfg)
    return 0


def serve() -> None:
    """Fork for each request, one at a time."""
    for line in sys.stdin:
        request = json.loads(line)
        if not request.get("typed"):
            composed(*request["words"])
        child = os.fork()
        if not child:
            code = 70
            try:
                code = run(request)
            except SystemExit as stop:
                code = int(stop.code or 0)
            except Exception:
                sys.excepthook(*sys.exc_info())
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        print(child, flush=True)
        for seconds, number in request.get("signals", ()):
            time.sleep(seconds)
            os.kill(child, number)  # also one that has ended: it has not been waited for
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    print(Path(__file__).name, flush=True)
    serve()
