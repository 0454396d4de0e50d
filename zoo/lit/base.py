"""What all families share in training: net, loss, penalties, metrics, optimiser; one step."""

from __future__ import annotations

import copy
import math
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, Protocol

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torchmetrics import Metric

from zoo.lit.running import RunningMeans
from zoo.lit.shortcuts import Shortcuts
from zoo.lit.trainer import prepare
from zoo.losses import Loss
from zoo.regularization import Constraint, Penalty, decay_groups, scale_rates


class Batch(Protocol):
    """What a step reads of a batch; `zoo.data.Batch` is one."""

    x: Tensor
    y: Tensor
    lengths: Tensor | None
    mask: Tensor | None
    clean: Tensor | None  # x before it was corrupted, where it was


class Prediction(NamedTuple):
    """What a flow makes of a batch."""

    output: Any  # all that the net gave back; penalties read it
    prediction: Tensor
    target: Tensor
    mask: Tensor | None = None  # True where target counts, over its leading dimensions


class LitModel(Shortcuts):
    """Trains a net on task loss plus penalties; validates and tests it on the task loss alone.

    A subclass says how its batch flows: `predict(batch)`. Logged under the same names for every
    family: `train/loss`, `val/loss`, `test/loss` (the task term, so that runs with different
        penalties compare),
    `train/objective` (what is optimised, where it differs), `train/penalty/<name>`,
    `<stage>/<metric>`, `lr`.

    Args:
        net: the network.
        loss: the task loss.
        regularization: penalties, added to the loss, and constraints, applied after every update;
            by name.
        metrics: what to report beside the loss, by name.
        optimizer: makes an optimizer from parameter groups.
        scheduler: makes Lightning's scheduler config from (optimizer, total_steps, epochs).

    Attributes:
        recipe: how to build the net again; stored in checkpoints.
        lr_decay: how much slower each stage of the net learns than the one after it.
    """

    reconstructs: ClassVar[bool] = False  # whether the target is the input

    net: nn.Module
    loss: Loss
    penalties: nn.ModuleDict
    metrics: nn.ModuleDict

    def __init__(
        self,
        net: nn.Module,
        *,
        loss: Loss,
        regularization: Mapping[str, Penalty | Constraint] | None = None,
        metrics: Mapping[str, Metric] | None = None,
        optimizer: Callable[[list[dict[str, Any]]], Optimizer] = torch.optim.AdamW,
        scheduler: Callable[..., dict[str, Any]] | None = None,
    ) -> None:
        super().__init__()
        self.net = net
        self.loss = loss
        terms = dict(regularization or {})
        self.penalties = nn.ModuleDict({k: v for k, v in terms.items() if isinstance(v, Penalty)})
        self.constraints = [v for v in terms.values() if isinstance(v, Constraint)]
        for term in terms.values():
            if isinstance(term, Penalty):
                term.attach(net)
        # nn.ModuleDict cannot have a key "train".
        self.metrics = nn.ModuleDict(
            {f"{stage}_metrics": _copies(metrics) for stage in ("train", "val", "test")}
        )
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.means = {stage: RunningMeans() for stage in ("train", "val", "test", "interval")}
        self.recipe: dict[str, Any] = {}
        self.lr_decay = 1.0

    @abstractmethod
    def predict(self, batch: Batch) -> Prediction:
        """Run the net on a batch and say what is compared with what."""

    def task(self, result: Prediction) -> dict[str, Tensor]:
        """The terms of the task loss by name; their sum is `loss`."""
        return {"loss": self.loss(result.prediction, result.target, mask=result.mask)}

    def penalised(self, result: Prediction) -> dict[str, Tensor]:
        """What regularization adds to the loss in training, by name."""
        penalties = self.penalties.items()
        return {f"penalty/{name}": penalty(self.net, result.output) for name, penalty in penalties}

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the plain net."""
        return self.net(*args, **kwargs)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Task loss plus penalties; every term is recorded under its own name."""
        result = self.predict(batch)
        terms, penalties = self.task(result), self.penalised(result)
        loss = sum_of(terms)
        objective = loss + sum_of(penalties) if penalties else loss
        recorded = {**terms, "loss": loss, **penalties}
        if penalties:
            recorded["objective"] = objective
        self.record("train", result, recorded)
        self.means["interval"].add({"loss_step": loss}, weight=1)
        return self._shared(objective, weight_of(result))

    def _shared(self, objective: Tensor, weight: Tensor | int) -> Tensor:
        """A mean over items that, of several processes, counts as much as it has of all of them.

        DDP averages gradients as if each process had as many.
        """
        if self._trainer is None or self._trainer.world_size == 1:
            return objective
        own = torch.as_tensor(weight).to(objective)
        return objective * own / self.trainer.strategy.reduce(own.clone(), reduce_op="mean")

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Task loss and metrics."""
        self.evaluation_step("val", batch)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Task loss and metrics."""
        self.evaluation_step("test", batch)

    def evaluation_step(self, stage: str, batch: Batch) -> None:
        """Record the task loss and metrics of one batch."""
        result = self.predict(batch)
        terms = self.task(result)
        self.record(stage, result, {**terms, "loss": sum_of(terms), **self.reports(result)})

    def reports(self, result: Prediction) -> dict[str, Tensor]:
        """Further means to report in validation and test, by name."""
        return {}

    def record(self, stage: str, result: Prediction, values: dict[str, Tensor]) -> None:
        """Add a batch to the means and metrics of an epoch, without waiting for the device."""
        target, prediction = result.target, self.loss.point(result.prediction.detach())
        self.means[stage].add(values, weight_of(result))
        metrics = self.metrics_of(stage)
        if metrics and result.mask is not None:
            target, prediction = target[result.mask], prediction[result.mask]
        for metric in metrics.values():
            metric.update(prediction, target)

    def metrics_of(self, stage: str) -> dict[str, Metric]:
        """The metrics of "train", "val" or "test" by name."""
        return dict(self.metrics[f"{stage}_metrics"].items())  # type: ignore[operator]

    def on_fit_start(self) -> None:
        """Lay out and compile the net as the trainer says, once TensorBoard has traced it."""
        prepare(self.net, self.trainer)

    def on_train_epoch_end(self) -> None:
        """Log the means and metrics of the epoch."""
        self._log_epoch("train")

    def on_validation_epoch_end(self) -> None:
        """Log the means and metrics of the validation."""
        self._log_epoch("val")

    def on_test_epoch_end(self) -> None:
        """Log the means and metrics of the test."""
        self._log_epoch("test")

    def _log_epoch(self, stage: str) -> None:
        values: dict[str, Any] = {**self.means[stage].drain(self.trainer.strategy)}
        for name, metric in self.metrics_of(stage).items():
            values[name] = metric.compute()
            metric.reset()
        row = {f"{stage}/{name}": value for name, value in values.items()}
        if stage == "train":
            # Lightning would write them after the epoch's checkpoint: a run that is stopped between
            # the two would go on without them.
            self._write({**row, "epoch": self.current_epoch}, self.global_step - 1)
        self.log_dict(row, logger=stage != "train", sync_dist=True)

    def _write(self, row: dict[str, Any], step: int) -> None:
        for logger in self.trainer.loggers:
            logger.log_metrics(row, step=step)

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Update the weights, project them onto the constraints, and log once per interval."""
        super().optimizer_step(*args, **kwargs)
        for constraint in self.constraints:
            constraint.project_(self.net)
        every = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        done = self.global_step + 1  # Lightning counts this update when the hook is over
        if self.trainer.loggers and done % every == 0:
            row = {"lr": self.trainer.optimizers[0].param_groups[0]["lr"]}
            for name, value in self.means["interval"].drain(self.trainer.strategy).items():
                row[f"train/{name}"] = value
            self._write(row, done)

    def configure_optimizers(self) -> Any:
        """The optimizer, with no decay on biases and norms, and its schedule over the whole run."""
        optimizer = self.optimizer(decay_groups(self.net, lr_decay=self.lr_decay))
        scale_rates(optimizer)
        if self.trainer.gradient_clip_val is not None:
            # A fused one offers to unscale the gradients of mixed precision inside its step; they
            # would be clipped too early, which Lightning refuses.
            optimizer._step_supports_amp_scaling = False  # type: ignore[attr-defined]
        if self.scheduler is None:
            return optimizer
        total, epochs = total_steps(self.trainer), self.trainer.max_epochs or -1
        schedule = self.scheduler(optimizer, total_steps=total, epochs=epochs)
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store the recipe, for `zoo.load`, and the sums of an epoch that is not over."""
        checkpoint["zoo"] = self.recipe
        checkpoint["means"] = {stage: self.means[stage].state() for stage in ("train", "interval")}
        checkpoint["metrics"] = {
            name: {key: torch.clone(getattr(metric, key)) for key in metric.metric_state}
            for name, metric in self.metrics_of("train").items()
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up the sums of the epoch that is continued."""
        for stage, state in checkpoint.get("means", {}).items():
            self.means[stage].restore(state, self.device)
        for name, metric in self.metrics_of("train").items():
            for key, value in checkpoint.get("metrics", {}).get(name, {}).items():
                setattr(metric, key, value.to(self.device))
                metric._update_count = 1  # or it would warn that it has seen nothing


def weight_of(result: Prediction) -> Tensor | int:
    """How many items the means of a batch stand for."""
    if result.mask is not None:
        return result.mask.sum()
    # A class at every step counts by itself: the last batch of a stream is shorter.
    target = result.target
    return len(target) if target.is_floating_point() else target.numel()


def total_steps(trainer: pl.Trainer) -> int:
    """Updates of the whole run.

    Lightning's own estimate reads the loaders before a continued run has restored their position.

    Raises:
        ValueError: the run has no end.
    """
    data = trainer.datamodule  # type: ignore[attr-defined]
    limits = [trainer.max_steps] if trainer.max_steps >= 0 else []
    if data is None:  # loaders were handed to `fit` as they are
        estimate = trainer.estimated_stepping_batches
        limits += [int(estimate)] if estimate < math.inf else []
    elif trainer.max_epochs is not None and trainer.max_epochs >= 0:
        batches = len(data.train_dataloader())
        limit = trainer.limit_train_batches
        batches = min(batches, limit) if isinstance(limit, int) else int(batches * limit)
        limits.append(math.ceil(batches / trainer.accumulate_grad_batches) * trainer.max_epochs)
    if not limits:
        raise ValueError("a schedule needs an end: set trainer.max_epochs, or scheduler=none")
    return min(limits)


def sum_of(terms: Mapping[str, Tensor]) -> Tensor:
    """The sum of named scalars."""
    return torch.stack(list(terms.values())).sum() if len(terms) > 1 else next(iter(terms.values()))


def _copies(metrics: Mapping[str, Metric] | None) -> nn.ModuleDict:
    return nn.ModuleDict({name: copy.deepcopy(metric) for name, metric in (metrics or {}).items()})
