"""A step of training without what Lightning does in it for cases that are not at hand.

One device, one optimizer, no gradient scaler, no profiler: the usual case. There a step goes
through the same hooks in the same order with the same numbers, but not through the layers of
strategy, precision and closures between them. In all other cases, and with a Lightning that this
has not been tried with, Lightning's own loop runs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, cast

import lightning.pytorch as pl
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.loops.fetchers import _DataFetcher, _PrefetchDataFetcher
from lightning.pytorch.loops.training_epoch_loop import _TrainingEpochLoop
from lightning.pytorch.plugins.precision import MixedPrecision, Precision
from lightning.pytorch.strategies import SingleDeviceStrategy
from torch import Tensor
from torch.optim import Optimizer

from zoo.lit.shortcuts import NoProfiler, Shortcuts, overridden

TRIED = "2.6."  # versions of Lightning
CALLBACK_HOOKS = (
    *("on_train_batch_start", "on_before_zero_grad", "on_before_backward", "on_after_backward"),
    *("on_before_optimizer_step", "on_train_batch_end"),
)
MODULE_HOOKS = (*CALLBACK_HOOKS, "backward")


class LeanLoop(_TrainingEpochLoop):
    """Lightning's loop over the batches of an epoch, with a short way through a usual step."""

    _lean = False
    _hooks: dict[str, list[Callable[..., Any]]]

    def on_run_start(self, data_fetcher: _DataFetcher) -> None:
        """Look once an epoch which way it is, and who wants to be called."""
        super().on_run_start(data_fetcher)
        self._lean = usual(self.trainer) and type(data_fetcher) is _PrefetchDataFetcher
        self._hooks = {hook: listeners(self.trainer, hook) for hook in CALLBACK_HOOKS}

    def advance(self, data_fetcher: _DataFetcher) -> None:
        """Train on the next batch."""
        if not self._lean or self.restarting:
            super().advance(data_fetcher)
            return
        trainer, progress = self.trainer, self.batch_progress
        batch, _, _ = next(data_fetcher)
        index = self.batch_idx + 1
        progress.is_last_batch = data_fetcher.done
        module = cast(Shortcuts, trainer.lightning_module)
        if not module.in_place(batch):
            batch = module._on_before_batch_transfer(batch, 0)
            batch = trainer.strategy.batch_to_device(batch, dataloader_idx=0)
        progress.increment_ready()
        trainer._logger_connector.on_batch_start(batch)
        self._call("on_train_batch_start", batch, index)
        progress.increment_started()
        output = self._update(batch, index)
        progress.increment_processed()
        self.update_lr_schedulers("step", update_plateau_schedulers=False)
        if self._num_ready_batches_reached():
            self.update_lr_schedulers("epoch", update_plateau_schedulers=False)
        self._call("on_train_batch_end", output, batch, index)
        self._end_batch()

    def _call(self, hook: str, *args: Any) -> None:
        """Call a hook of all callbacks that have it."""
        if not self._hooks[hook]:
            return
        trainer, module = self.trainer, self.trainer.lightning_module
        before, module._current_fx_name = module._current_fx_name, hook
        for function in self._hooks[hook]:
            function(trainer, module, *args)
        module._current_fx_name = before

    def _update(self, batch: Any, index: int) -> dict[str, Tensor]:
        """Gradients of a batch and, where no more are accumulated, the optimizer's step."""
        trainer, module = self.trainer, self.trainer.lightning_module
        output: dict[str, Tensor] = {}

        def gradients() -> Tensor | None:
            loss = self._gradients(batch, index)
            if loss is not None:
                output["loss"] = loss
            return loss

        if self._should_accumulate():
            gradients()
            return output
        steps = self.automatic_optimization.optim_progress.optimizer.step
        steps.increment_ready()
        before, module._current_fx_name = module._current_fx_name, "optimizer_step"
        update = _Update(trainer.optimizers[0], trainer, self._call)
        module.optimizer_step(trainer.current_epoch, index, update, gradients)
        module._current_fx_name = before
        steps.increment_completed()
        return output

    def _gradients(self, batch: Any, index: int) -> Tensor | None:
        """Forward and backward; the loss, as its share of an update."""
        trainer, module = self.trainer, self.trainer.lightning_module
        optimizer, together = trainer.optimizers[0], trainer.accumulate_grad_batches
        before, module._current_fx_name = module._current_fx_name, "training_step"
        with trainer.precision_plugin.train_step_context():
            loss: Any = module.training_step(batch, index)  # or None
        module._current_fx_name = before
        if loss is not None and together > 1:
            loss = loss / together
        if index % together == 0:
            zeros = self.automatic_optimization.optim_progress.optimizer.zero_grad
            zeros.increment_ready()
            self._call("on_before_zero_grad", optimizer)
            zeros.increment_started()
            module.optimizer_zero_grad(trainer.current_epoch, index, optimizer)
            zeros.increment_completed()
        if loss is None:
            return None
        self._call("on_before_backward", loss)
        loss.backward()
        self._call("on_after_backward")
        return loss.detach()

    def _end_batch(self) -> None:
        """Log what was given to `self.log`, if anything was."""
        connector, results = self.trainer._logger_connector, self.trainer._results
        if results:
            connector.on_batch_end()
            self.batch_progress.increment_completed()
            connector.update_train_step_metrics()
        else:
            results.batch = results.batch_size = None  # type: ignore[union-attr]
            self.batch_progress.increment_completed()


class _Update(LightningOptimizer):
    """The optimizer as `optimizer_step` of a module gets it: gradients first, then their hooks."""

    def __init__(
        self, optimizer: Optimizer, trainer: pl.Trainer, call: Callable[..., None]
    ) -> None:
        self._optimizer = optimizer
        self._trainer = trainer
        self._call = call

    def step(self, closure: Callable[[], Any] | None = None, **kwargs: Any) -> Any:
        """Update the weights."""
        trainer, module = self._trainer, self._trainer.lightning_module
        with torch.enable_grad():
            result = closure() if closure else None
        self._call("on_before_optimizer_step", self._optimizer)
        value, algorithm = trainer.gradient_clip_val, trainer.gradient_clip_algorithm
        if value is not None or overridden(module, Shortcuts, "configure_gradient_clipping"):
            module.configure_gradient_clipping(self._optimizer, value, algorithm)
        self._optimizer.step(**kwargs)
        return result


def usual(trainer: pl.Trainer) -> bool:
    """Whether the short way does what Lightning would do."""
    module, precision = trainer.lightning_module, trainer.precision_plugin
    scaled = type(precision) is MixedPrecision and precision.scaler is not None
    return (
        pl.__version__.startswith(TRIED)
        and isinstance(module, Shortcuts)
        and module.automatic_optimization
        and type(trainer.strategy) is SingleDeviceStrategy
        and type(precision) in (Precision, MixedPrecision)
        and not scaled
        and isinstance(trainer.profiler, NoProfiler)  # type: ignore[attr-defined]
        and len(trainer.optimizers) == 1
        and not wants_closure(trainer.optimizers[0])
        and not any(overridden(module, pl.LightningModule, hook) for hook in MODULE_HOOKS)
    )


def wants_closure(optimizer: Optimizer) -> bool:
    """Whether it takes several losses for a step, as L-BFGS does."""
    closure = inspect.signature(type(optimizer).step).parameters.get("closure")
    return closure is not None and closure.default is inspect.Parameter.empty


def listeners(trainer: pl.Trainer, hook: str) -> list[Callable[..., Any]]:
    """That method of each callback that has one of its own; an empty one costs time too."""
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    functions = [getattr(callback, hook) for callback in callbacks]
    return [f for f in functions if getattr(f, "__func__", f) is not getattr(pl.Callback, hook)]
