"""What Lightning does at every step although nothing comes of it, left out.

Names that begin with an underscore are Lightning's own: should they change, these shortcuts are not
taken any more, and a step takes longer again.
"""

from __future__ import annotations

import contextlib
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.profilers import PassThroughProfiler

NOTHING = contextlib.nullcontext()
TRANSFERS = ("on_before_batch_transfer", "transfer_batch_to_device", "on_after_batch_transfer")


class Shortcuts(pl.LightningModule):
    """A module that notes quickly where it is, and does not move a batch that is in its place."""

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute.

        Lightning notes forty times a step which hook it is in, and a module looks at every value
        that it is given, whether it is a parameter.
        """
        if name == "_current_fx_name":
            vars(self)[name] = value
        else:
            super().__setattr__(name, value)

    def _on_before_batch_transfer(self, batch: Any, dataloader_idx: int = 0) -> Any:
        if self.in_place(batch):
            return batch
        return super()._on_before_batch_transfer(batch, dataloader_idx)

    def _apply_batch_transfer_handler(
        self, batch: Any, device: torch.device | None = None, dataloader_idx: int = 0
    ) -> Any:
        # Moving a batch nowhere takes as long as all other hooks of a step together.
        if self.in_place(batch):
            return batch
        return super()._apply_batch_transfer_handler(batch, device, dataloader_idx)

    def in_place(self, batch: Any) -> bool:
        """Whether a loader has put the batch where it is needed, and no hook wants to see it."""
        data = getattr(self._trainer, "datamodule", None)
        if not getattr(data, "serves_in_place", False) or batch.x.device != self.device:
            return False
        return not any(
            overridden(self, pl.LightningModule, hook)
            or overridden(data, pl.LightningDataModule, hook)
            for hook in TRANSFERS
        )


class NoProfiler(PassThroughProfiler):
    """Measures nothing.

    Lightning asks its profiler some forty times a step, and its own empty one starts a generator
    each time.
    """

    def profile(self, action_name: str) -> contextlib.AbstractContextManager:  # type: ignore[override]
        """A context that does nothing."""
        return NOTHING


def overridden(thing: Any, base: type, hook: str) -> bool:
    """Whether the class of `thing` has a hook of its own."""
    return getattr(type(thing), hook) is not getattr(base, hook)
