"""The command `zoo-predict`: what a trained net says to new input."""

from __future__ import annotations

import os
import sys

from omegaconf import DictConfig

from zoo import cli
from zoo.config import RunError


def predict(cfg: DictConfig) -> None:
    """Answer to input, write a text, or draw samples.

    Args:
        cfg: `conf/predict.yaml`, composed.

    Raises:
        ConfigError: a mistake in what was asked for, or in the input; no file is half-written.
        RunError: the memory is full.
    """
    from zoo.predictions import asked

    wish = asked(cfg)  # most mistakes show before torch is imported
    from zoo.predictions.run import run

    try:
        run(wish)
    except BrokenPipeError:
        # Whoever reads has enough, as `head` has; what is left has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (RuntimeError, MemoryError) as error:
        from zoo.memory import out_of_memory

        if not out_of_memory(error):
            raise
        least = "samples" if wish.task == "samples" else "batch_size"
        raise RunError(
            f"out of memory with {least}={getattr(wish, least)}; a smaller number may fit"
        ) from error


def main() -> None:
    """The command `zoo-predict`."""
    cli.command("predict", predict)


if __name__ == "__main__":
    main()
