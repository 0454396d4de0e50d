"""Lightning's trainer, with what nets in memory want besides."""

from __future__ import annotations

import os
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.profilers import Profiler

from zoo.lit.loop import LeanLoop
from zoo.lit.shortcuts import NoProfiler


class Trainer(pl.Trainer):
    """Lightning's trainer and, for whatever net it trains, how its numbers lie and are computed.

    Args:
        channels_last: keep the weights of convolutions, and so what comes out of them, with the
            channels beside each other (N, H, W, C), which processors and GPUs read faster; the same
            net to rounding, and the same names in its checkpoints.
        compile: let `torch.compile` make one program of the net; that takes from seconds to
            minutes before the first step. The names in checkpoints stay those of the plain net.
        auto_batch_size: begin a run with the largest batch that fits into memory.
        profiler: as Lightning's; None measures nothing, in no time.
        **settings: as of `lightning.pytorch.Trainer`.
    """

    def __init__(
        self,
        *,
        channels_last: bool = False,
        compile: bool = False,
        auto_batch_size: bool = False,
        profiler: Profiler | str | None = None,
        **settings: Any,
    ) -> None:
        hide_absent_gpus()
        super().__init__(profiler=profiler or NoProfiler(), **settings)
        limits = self.fit_loop.epoch_loop
        self.fit_loop.epoch_loop = LeanLoop(
            self, min_steps=limits.min_steps, max_steps=limits.max_steps
        )
        self.channels_last = channels_last
        self.compile = compile
        self.auto_batch_size = auto_batch_size


def hide_absent_gpus() -> None:
    """Tell torch once that there is no GPU.

    Its optimizers ask at every step, and without a driver that is each time a search for its
    library.
    """
    if not torch.cuda.is_available():
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")


def prepare(net: torch.nn.Module, trainer: pl.Trainer) -> None:
    """Lay out and compile a net, in place, as its trainer says."""
    if getattr(trainer, "channels_last", False):
        net.to(memory_format=torch.channels_last)
    if getattr(trainer, "compile", False):
        net.compile()
