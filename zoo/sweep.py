"""The command `zoo-sweep`: many runs, side by side, that a crash or a kill does not undo."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from zoo import cli
from zoo.config import ConfigError, RunError, register_resolvers
from zoo.mistakes import sentence
from zoo.output import outlive_the_reader
from zoo.signals import Signals, Stopped

# Questions that Hydra answers, from `conf/sweep.yaml`; nothing runs.
QUESTIONS = ("-h", "--help", "--hydra-help", "--version", "-c", "--cfg", "-i", "--info")
COMPLETION = ("-sc", "--shell-completion")


def sweep(typed: Sequence[str]) -> int:
    """Run a sweep or a search, or what is missing of one.

    Args:
        typed: the words of the command.

    Returns:
        The exit code: 0 if all have finished, 1 if some have failed.

    Raises:
        ConfigError: something cannot work; nothing has been run.
        RunError: no process can be started.
        Stopped: by Ctrl-C or SIGTERM, with all that ran saved.
    """
    from zoo.sweeps import launch, launch_search, record, words

    read = words.read(typed)
    settings = words.settings(read)
    if settings.resume is None:
        begin = launch.launch if settings.search is None else launch_search.launch_search
        return begin(read, settings)
    kept = record.load(settings.resume)
    more = read.has("trials")
    if kept.search is not None:
        return launch_search.resume_search(settings.resume, kept, settings, trials=more)
    if more:
        raise ConfigError("trials=… is for a search, and this is a sweep: its runs are settled")
    return launch.resume(settings.resume, kept, settings)


def refuse(cfg: DictConfig) -> None:
    """Hydra itself is to run something.

    Raises:
        ConfigError: always.
    """
    raise ConfigError("zoo-sweep sweeps by itself: leave Hydra's flags out")


def main() -> None:
    """The command `zoo-sweep`."""
    outlive_the_reader()
    typed = sys.argv[1:]
    if any(word.partition("=")[0] in (*QUESTIONS, *COMPLETION) for word in typed):
        if not any(word in COMPLETION for word in typed):
            from zoo.sweeps.words import first

            sys.argv[1:] = typed if set(typed) <= set(QUESTIONS[:2]) else first(typed)
        cli.command("sweep", refuse)
        return
    register_resolvers()
    traceback = os.environ.get(cli.FULL_ERROR) == "1"
    try:
        with Signals(last=True):
            code = sweep(typed)
    except Stopped as stopped:
        cli.stop(f"\n{stopped}", stopped.code)
    except (ConfigError, RunError, HydraException, OmegaConfBaseException) as error:
        if traceback:
            raise
        told = isinstance(error, (ConfigError, RunError))
        text = str(error).splitlines()[0] if told else sentence(error, "sweep")
        cli.stop(f"zoo-sweep: {text}", cli.FAILED)
    sys.exit(code)


if __name__ == "__main__":
    main()
