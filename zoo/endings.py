"""How a run ends that does not come to its end: in one sentence, with the command that goes on."""

from __future__ import annotations

import signal
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from zoo.config import RunError
from zoo.report import shown
from zoo.signals import Signals, Stopped

if TYPE_CHECKING:
    import lightning.pytorch as pl


class Explained:
    """Says what ended a run, and ends its other processes with it. As a context.

    Args:
        folder: of the run.

    Attributes:
        trainer: what trains, as soon as there is one.

    Raises:
        Stopped: by a signal.
        RunError: the disk, another process or a number that is not finite.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trainer: pl.Trainer | None = None
        self._signals = Signals()

    def __enter__(self) -> Explained:
        """From here on a signal, too, ends in a sentence."""
        self._signals.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Say it."""
        try:
            self._signals.__exit__(kind, error, traceback)
        except KeyboardInterrupt as stop:
            error = stop
        if error is None:
            return
        end_children(self.trainer)
        if isinstance(error, KeyboardInterrupt):
            number = getattr(error, "number", signal.SIGINT)
            raise Stopped(number, f"{self._when()}; {remedy(self.folder)}") from None
        if self.trainer is not None:
            from zoo.memory import advice, out_of_memory

            if out_of_memory(error):  # what a run is continued with is the batch that was too large
                raise RunError(advice(error, self.trainer)) from None
        sentence = self._sentence(error)
        if sentence is not None:
            raise RunError(f"{sentence}; {remedy(self.folder)}") from error

    def _sentence(self, error: BaseException) -> str | None:
        """What happened, if it is no fault in the program."""
        from zoo.callbacks import NotFiniteError

        if isinstance(error, NotFiniteError):
            return str(error)
        if isinstance(error, OSError):
            what = f"{shown(error.filename)}: {error.strerror}" if error.filename else str(error)
            return f"{what},{self._when()}"
        several = self.trainer is not None and self.trainer.world_size > 1
        if several and lost_contact(error):
            return f"another process of this run has died, or does not answer,{self._when()}"
        return None

    def _when(self) -> str:
        step = self.trainer.global_step if self.trainer else 0
        return f" at step {step}" if step else " before the first step"


def remedy(folder: Path) -> str:
    """How a run goes on from what it has in its folder."""
    if not folder.is_dir():
        return "its folder was removed, and all that was saved with it; start it anew"
    if (folder / "checkpoints" / "last.ckpt").is_file():
        return f"continue with: zoo-train resume={shown(folder)}"
    if (folder / "config.yaml").is_file():
        return f"nothing was saved yet; begin again with: zoo-train resume={shown(folder)}"
    return "nothing was saved yet"


def lost_contact(error: BaseException) -> bool:
    """Whether another process broke off, rather than this one."""
    from torch import distributed

    gloo = isinstance(error, RuntimeError) and "gloo" in str(error)
    return gloo or isinstance(error, distributed.DistError)


def end_children(trainer: pl.Trainer | None) -> None:
    """End the processes that this one has started for the run; a hung one heeds nothing else."""
    launcher = trainer.strategy.launcher if trainer else None
    children = getattr(launcher, "procs", None) or []
    for child in children:
        child.kill()
    children.clear()  # Lightning watches them, and kills this process when one is gone
