"""Steps that leave no trace: to look closer at a net in the middle of its training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from tqdm import tqdm

from zoo.lit import LitModel
from zoo.lit.base import Batch, Prediction


@contextmanager
def trial(trainer: pl.Trainer, module: LitModel) -> Iterator[None]:
    """Let the module run in here; random numbers, buffers, modes and carried state come back.

    Weights and gradients are not watched: take gradients with `torch.autograd.grad`. A compiled net
    runs as it was written, so that hooks see its layers and other shapes compile nothing.
    """
    buffers = [(buffer, buffer.clone()) for buffer in module.buffers()]
    modes = [(part, part.training) for part in module.modules()]
    attributes = dict(vars(module))
    cuda = [module.device] if module.device.type == "cuda" else []
    compiled = getattr(trainer, "compile", False)
    plain = torch.compiler.set_stance("force_eager") if compiled else nullcontext()
    with torch.random.fork_rng(cuda), trainer.precision_plugin.forward_context(), plain:
        try:
            yield
        finally:
            vars(module).update(attributes)
            for part, training in modes:
                part.training = training
            with torch.no_grad():
                for buffer, value in buffers:
                    buffer.copy_(value)


def terms_of(module: LitModel, batch: Batch) -> tuple[Prediction, dict[str, Tensor]]:
    """What the net makes of a batch, and the terms of the loss by name, in training all of them."""
    result = module.predict(batch)
    penalties = module.penalised(result) if module.training else {}
    return result, {**module.task(result), **penalties}


def tensors(value: Any) -> Iterator[Tensor]:
    """All floating-point tensors in nested tuples, lists and dicts."""
    if isinstance(value, Tensor):
        if value.is_floating_point():
            yield value
    elif isinstance(value, dict):
        yield from tensors(list(value.values()))
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from tensors(part)


def leaves(net: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The layers of a net that contain no others, by name."""
    for name, part in net.named_modules():
        if next(part.children(), None) is None:
            yield name, part


def say(trainer: pl.Trainer, text: str) -> None:
    """Print a line above the progress bar, once for all processes."""
    if trainer.is_global_zero:
        tqdm.write(text)
