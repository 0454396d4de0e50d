"""Callbacks that cost nothing at the steps at which they do nothing."""

from __future__ import annotations

from typing import TypeVar

from lightning.pytorch.callbacks import Callback

STEP_HOOKS = (
    *("on_train_batch_start", "on_before_zero_grad", "on_before_backward", "on_after_backward"),
    *("on_before_optimizer_step", "on_train_batch_end"),
)

C = TypeVar("C", bound=type[Callback])


def lean(callback: C) -> C:
    """Take away those hooks of a training step that a class of callbacks leaves empty.

    Lightning calls every hook of every callback, empty or not, at every step, and passes over what
    is not callable: with five callbacks that is a tenth of a millisecond a step.
    """
    for hook in STEP_HOOKS:
        if getattr(callback, hook) is getattr(Callback, hook):
            setattr(callback, hook, None)
    return callback
