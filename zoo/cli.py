"""How the commands meet a person: Hydra composes, mistakes become one sentence, exit codes tell.

Imports neither torch nor lightning, so that `--help`, `--cfg job` and tab completion answer at
once.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from zoo.config import ConfigError, RunError, conf_dir, register_resolvers
from zoo.folders import first_process
from zoo.help import help_alone, help_text
from zoo.mistakes import sentence
from zoo.output import outlive_the_reader
from zoo.signals import Signals, Stopped

FAILED = 1
FULL_ERROR = "HYDRA_FULL_ERROR"
# Keys whose value is a folder or file as a shell completes it, or several words with commas.
PATHS = (
    *("resume", "checkpoint", "init_from", "runs", "by", "columns", "out"),
    *("input", "output", "plot", "column"),
)
SWEPT = ("train", "evaluate")  # commands that can run once for each of several values
TEXTS = ("prompt", "text", "separator")  # whose value is what was typed, whatever is in it


def command(name: str, task: Callable[[DictConfig], Any]) -> None:
    """Run `task` with the config `conf/<name>.yaml` and the overrides on the command line.

    Exit codes: 0 done; 1 a setting that cannot be used, or a disk, a process or a number that
    failed, said in one sentence; 130 stopped by Ctrl-C, 143 by SIGTERM, 138 by SIGUSR1. With
    HYDRA_FULL_ERROR=1 mistakes keep their traceback.
    """
    if name != "predict":  # whose output is its work: that ends with its reader
        outlive_the_reader()
    if help_alone(sys.argv[1:]):
        print(help_text(name))
        return
    register_resolvers()
    several = not {"-m", "--multirun"}.isdisjoint(sys.argv)
    if several and name not in SWEPT:
        stop(f"zoo-{name}: it takes no -m; call it once for each", FAILED)
    sys.argv[1:] = [quoted(word, several=several) for word in sys.argv[1:]]
    traceback = os.environ.get(FULL_ERROR) == "1"

    @functools.wraps(task)
    def guarded(cfg: DictConfig) -> Any:
        try:
            with full_error(traceback):  # as the processes that a run starts will find it
                return task(cfg)
        except (ConfigError, RunError, OmegaConfBaseException) as error:
            if traceback:
                raise
            discard(Path(HydraConfig.get().runtime.output_dir))
            # Not as an exception: Hydra would announce those before we can say them.
            stop(f"zoo-{name}: {str(error).splitlines()[0]}", FAILED)
        except Stopped:
            discard(Path(HydraConfig.get().runtime.output_dir))
            raise

    try:
        with full_error(True), Signals(last=True):
            hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=name)(guarded)()
    except Stopped as stopped:
        stop(f"\n{stopped}" if first_process() else "", stopped.code)
    except (HydraException, OmegaConfBaseException, OSError, ValueError) as error:
        if traceback or (isinstance(error, ValueError) and HydraConfig.initialized()):
            raise  # composed already: a fault in the program, not in the command
        stop(f"zoo-{name}: {sentence(error, name)}", FAILED)


@contextmanager
def full_error(on: bool) -> Iterator[None]:
    """Let Hydra hand its errors on instead of printing them, or not."""
    before = os.environ.get(FULL_ERROR)
    os.environ[FULL_ERROR] = str(int(on))
    try:
        yield
    finally:
        if before is None:
            del os.environ[FULL_ERROR]
        else:
            os.environ[FULL_ERROR] = before


def quoted(word: str, *, several: bool = False) -> str:
    """The word as Hydra reads it: a job's folder has signs in its name that mean something.

    With `several` a comma stands between two values to begin with, unless it is part of a path.
    """
    key, _, value = word.partition("=")
    as_it_is = key in PATHS and value and value[0] not in "'\"$" and value != "null"
    if not (as_it_is or key in TEXTS):
        return word
    if several and key == "init_from" and "," in value and not os.path.exists(value):
        values = [quoted(f"{key}={one}").removeprefix(f"{key}=") for one in value.split(",")]
        return f"{key}={','.join(values)}"
    # Hydra takes a backslash for itself, except before a quote.
    escaped = re.sub(r'(\\*)("|\Z)', lambda m: 2 * m[1] + (m[2] and '\\"'), value)
    return f'{key}="{escaped}"'


def discard(folder: Path) -> None:
    """Remove the run folder that was made before the config was checked, if nothing is in it."""
    here = Path.cwd()
    for path in (folder, *folder.parents):
        if path == here or not path.is_relative_to(here):
            break
        try:
            path.rmdir()
        except OSError:  # not empty, or gone
            break


def stop(message: str, code: int) -> NoReturn:
    """Say why, and end the process with that exit code."""
    if message:
        print(message, file=sys.stderr)
    sys.exit(code)
