"""A folder for each run, and one process at a time in it."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, open_dict, read_write

from zoo.config import ConfigError

RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID")
RECORDS = ("config.yaml", "multirun.yaml")  # what a folder has that a run or a sweep was given
PATIENCE = 6.0  # seconds; workers of a run that was killed hold its lock for five


def first_process() -> bool:
    """Whether this is the process that writes the files of a run, of all that share it."""
    return all(os.environ.get(rank, "0") == "0" for rank in RANKS)


def check_agreed(cfg: DictConfig) -> None:
    """Refuse processes started by torchrun or srun that may not have the same folder in mind.

    Their default is named by the second in which each of them began.

    Raises:
        ConfigError: nobody has told them which.
    """
    torchrun = "RANK" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1"
    srun = os.environ.get("SLURM_STEP_NUM_TASKS", "1") != "1"
    if cfg.resume or not (torchrun or srun) or HydraConfig.get().mode is RunMode.MULTIRUN:
        return
    if not any(word.startswith("hydra.run.dir=") for word in sys.argv):
        launcher = "torchrun" if torchrun else "srun"
        raise ConfigError(
            f"the processes that {launcher} starts need one folder: name it with hydra.run.dir=…"
        )


def reserve(folder: Path) -> Path:
    """Make a folder that nobody else has: this one, or this one with -2, -3, … at its end.

    Raises:
        OSError: no folder can be made there.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        own = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        with suppress(FileExistsError):
            own.mkdir()
            return own
    raise AssertionError("there are more numbers")


class OwnFolder(Callback):
    """Hydra's part: what is about to run gets a folder of its own.

    A folder that was typed is taken as it is, unless a run has it. Nothing is made for `--help`,
    `--cfg` and completion: Hydra calls this only where something runs.
    """

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Reserve `hydra.run.dir`."""
        if not config.get("resume"):
            self._own(config, "run")

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Reserve `hydra.sweep.dir`."""
        self._own(config, "sweep")

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Reserve another folder for a job of a sweep whose folder a former sweep has used."""
        folder = Path(config.hydra.runtime.output_dir)
        if config.get("resume") or not first_process() or not taken(folder):
            return
        runtime: Any = HydraConfig.get().runtime
        with read_write(runtime), open_dict(runtime):
            runtime.output_dir = str(reserve(folder))

    def _own(self, config: DictConfig, kind: str) -> None:
        if not first_process():
            return  # the first has told which
        hydra = HydraConfig.instance()
        before = hydra.cfg
        hydra.set_config(config)  # the folder's name is an interpolation that asks for it
        try:
            folder = Path(config.hydra[kind].dir).absolute()
            typed = any(w.startswith(f"hydra.{kind}.dir=") for w in config.hydra.overrides.hydra)
            if not typed or (kind == "run" and taken(folder)):
                own = str(reserve(folder))
                escaped = own.replace("\\", "\\\\").replace('"', '\\"')
                with read_write(config.hydra), open_dict(config.hydra):
                    config.hydra[kind].dir = own
                    # As if typed: the jobs of a sweep are composed anew.
                    config.hydra.overrides.hydra.append(f'hydra.{kind}.dir="{escaped}"')
        except OSError:
            pass  # Hydra comes to the same error, and is heard
        finally:
            hydra.cfg = before


def taken(folder: Path) -> bool:
    """Whether a run or a sweep has this folder."""
    return any((folder / name).exists() for name in RECORDS)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other processes from training in this folder, for as long as this one lives.

    Raises:
        ConfigError: another process is training there.
    """
    if not first_process():
        yield
        return
    from filelock import FileLock, Timeout  # as long an import as all else here

    made = not folder.exists()
    lock = FileLock(folder / ".lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=PATIENCE)
    except Timeout as error:
        raise ConfigError(
            f"{folder} is being trained by another process; wait for its end, or stop it"
        ) from error
    except NotImplementedError:
        pass  # a file system without locks
    except OSError as error:
        raise ConfigError(f"cannot write in {folder}: {error.strerror}") from error
    try:
        yield
    finally:
        with suppress(OSError):
            Path(lock.lock_file).unlink()
        lock.release()
        if made:
            with suppress(OSError):
                folder.rmdir()  # if nothing came of it
