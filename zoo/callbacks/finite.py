"""No number that is not finite reaches the weights."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Any, Literal, cast, get_args

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor
from torch.optim import Optimizer

from zoo.callbacks.diagnosis import UNKNOWN, Diagnosis, diagnose, in_buffers, in_weights, remedies
from zoo.callbacks.trial import say, trial
from zoo.callbacks.undo import go_back, position, refuse_step, scaler_of, traces, wipe
from zoo.lit import LitModel

OnNaN = Literal["stop", "skip", "rollback"]
IN_A_ROW = 10  # updates left out, or ways back in all, after which the run ends
SLOWER = 0.5  # factor of the learning rate at each way back
EVERY = 50  # updates from one gradient norm to the next
WAYS = {"skip": "updates left out in a row", "rollback": "ways back"}
EXPLODED = 100  # times the first loss, or 100 where that is below 1


class NotFiniteError(ArithmeticError):
    """A run that nan or inf ended; the message is one sentence for the person who started it."""


class Finite(Callback):
    """Looks at loss and gradients before every update, and at the weights before they are saved.

    What is nan or inf is named with its step, its term of the loss and the first layer or parameter
    concerned; for that the batch is run once more. Then, by `on_nan`:

    - "stop": the run ends before that update, so that weights and checkpoints stay finite.
    - "skip": that update is left out. The optimizer takes no step; buffers, running means and
      carried state are as before its batches; the schedule counts it.
    - "rollback": it is left out, weights and optimizer are again as at the end of the last epoch
      (as in last.ckpt; before there is one as at the start, of a continued run as at its
      continuation), the learning rate is half of what it would be from there on, and training
      goes on with the next batch.

    The run also ends after ten updates left out in a row, after ten ways back, and where leaving
    out cannot help. A `val/loss` that is not finite ends the run with "stop" and is said otherwise.
    A loss of more than a hundred times the first one is said once.

    On a GPU the check waits for the backward pass of each update: whether there is an update
    depends on it, and an answer one step late would be too late. Gradients that overflow in
    16-mixed are the gradient scaler's, which leaves such updates out itself, until its scale is
    below 1.

    Args:
        on_nan: "stop", "skip" or "rollback".

    Raises:
        NotFiniteError: what was found, what came before it, and a remedy.
    """

    def __init__(self, *, on_nan: OnNaN = "stop") -> None:
        if on_nan not in get_args(OnNaN):
            raise ValueError(f"`on_nan` must be stop, skip or rollback, got {on_nan!r}")
        self.on_nan = on_nan
        self.left_out = 0  # updates of the whole run
        self.in_a_row = 0  # of a rollback all of them
        self._updates = 0
        self._batch: Any = None
        self._alone = True  # no other processes
        self._loss: Tensor | float = 0.0  # sum over the batches of an update; a tensor on a GPU
        self._losses: deque[Tensor | float] = deque(maxlen=EVERY)  # of the last batches
        self._norms: deque[tuple[int, Tensor]] = deque(maxlen=3)  # (step, gradient norm)
        self._first_loss: float | None = None  # infinite once an explosion has been said
        self._before: dict[str, Any] = {}  # the batches of an update
        self._epoch: dict[str, Any] = {}  # where a way back leads
        self._ways_back = 0  # that had been taken there

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep where the first way back leads."""
        self._alone = trainer.world_size == 1
        if self.on_nan == "rollback":
            self._keep(trainer, cast(LitModel, pl_module))

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Remember what it takes to run this batch once more, or to leave it out."""
        self._batch = batch
        if self.on_nan != "stop" and batch_idx % trainer.accumulate_grad_batches == 0:
            self._before = traces(cast(LitModel, pl_module))

    def on_before_backward(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor
    ) -> None:
        """Take the loss; where it is known already, and nobody else waits, look at it."""
        value = loss.detach() if loss.is_cuda else loss.item()
        self._losses.append(value)
        self._loss = self._loss + value
        if self.on_nan == "stop" and self._alone and not loss.is_cuda and not math.isfinite(value):
            raise self._error(trainer, pl_module, f"the loss is {value} {at_step(trainer)}")

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        """Look at the gradients, not clipped yet, and let the update be or not."""
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        gradients = [p.grad for p in parameters if p.grad is not None]
        loss, self._loss = self._loss, 0.0
        good = finite(gradients, loss)
        if not self._alone and self.on_nan != "stop":  # all processes must do the same
            bad = torch.tensor(float(not good), device=pl_module.device)
            good = not trainer.strategy.reduce(bad, reduce_op="sum")
        if not good:
            self._refuse(trainer, cast(LitModel, pl_module), optimizer, loss)
            return
        if self.on_nan == "skip":
            self.in_a_row = 0
        if self._updates % EVERY == 0:
            self._watch(trainer, gradients)
        self._updates += 1

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at the loss of the validation; if it is not finite, at each batch."""
        loss = trainer.callback_metrics.get("val/loss")
        if loss is None or trainer.sanity_checking or fine(loss):
            return
        found, module = UNKNOWN, cast(LitModel, pl_module)
        for batch in trainer.val_dataloaders or ():
            with trial(trainer, module):
                found = diagnose(trainer, module.eval(), trainer.strategy.batch_to_device(batch))
            if found is not UNKNOWN:
                break
        what = f"val/loss is {loss.item()} {after_step(trainer)}"
        error = self._error(trainer, module, what, found)
        if self.on_nan == "stop":
            raise error
        say(trainer, str(error))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at the weights that are about to be saved, and keep them for a way back."""
        module = cast(LitModel, pl_module)
        if in_weights(module) or in_buffers(module):
            error = self._error(trainer, module, f"the net is not finite {after_step(trainer)}")
            if self.on_nan != "rollback" or self.in_a_row == IN_A_ROW:
                raise error
            self._leave_out(trainer, module, trainer.optimizers[0], error)
        elif self.on_nan == "rollback":
            self._keep(trainer, module)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Refuse to save what is not finite, whenever a checkpoint is written."""
        module = cast(LitModel, pl_module)
        if in_weights(module) or in_buffers(module):
            raise self._error(trainer, module, f"the net is not finite {after_step(trainer)}")

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say how many updates were left out, and keep no batch."""
        self._batch, self._before, self._epoch = None, {}, {}
        if self.left_out:
            trainer.callback_metrics["train/left_out"] = torch.tensor(float(self.left_out))
            say(trainer, f"left out {self.left_out} of {trainer.global_step} updates")

    def state_dict(self) -> dict[str, Any]:
        """What a continued run must know."""
        return {"left_out": self.left_out, "in_a_row": self.in_a_row}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Count on."""
        self.left_out, self.in_a_row = state_dict["left_out"], state_dict["in_a_row"]

    def _keep(self, trainer: pl.Trainer, module: LitModel) -> None:
        """Let the next way back lead here."""
        self._epoch, self._ways_back = position(trainer, module), self.in_a_row

    def _watch(self, trainer: pl.Trainer, gradients: Sequence[Tensor]) -> None:
        """Keep the gradient's norm, and say once that the loss has exploded."""
        self._norms.append((trainer.global_step + 1, torch.nn.utils.get_total_norm(gradients)))
        loss = max(map(abs, numbers(self._losses)))
        if self._first_loss is None:
            self._first_loss = loss
        elif loss > EXPLODED * max(1.0, self._first_loss):
            start, step = self._first_loss, trainer.global_step + 1
            say(
                trainer,
                f"the loss has gone from {start:.3g} to {loss:.3g} by step {step}"
                f"{self._history()}; {either(remedies(trainer))}",
            )
            self._first_loss = math.inf  # said

    def _refuse(
        self, trainer: pl.Trainer, module: LitModel, optimizer: Optimizer, loss: Tensor | float
    ) -> None:
        """End the run, or leave the update out."""
        scaler = scaler_of(trainer)
        if fine(loss) and scaler is not None and scaler.get_scale() >= 1:
            return
        shared = "" if self._alone else " in the mean over processes"
        what = f"the gradient is not finite{shared}" if fine(loss) else f"the loss is {float(loss)}"
        found = diagnose(trainer, module, self._batch, gradients=fine(loss))
        error = self._error(trainer, module, f"{what} {at_step(trainer)}", found)
        hopeless = self.on_nan == "skip" and in_weights(module)  # all later losses are alike
        if self.on_nan == "stop" or hopeless or self.in_a_row == IN_A_ROW:
            raise error
        self._leave_out(trainer, module, optimizer, error)

    def _leave_out(
        self, trainer: pl.Trainer, module: LitModel, optimizer: Optimizer, error: NotFiniteError
    ) -> None:
        """Take no step, and go back if that was asked for."""
        if not self.left_out or self.on_nan == "rollback":
            say(trainer, f"{error}; on_nan={self.on_nan}")
        self.left_out += 1
        self.in_a_row += 1
        refuse_step(optimizer, scaler_of(trainer))
        wipe(module, self._before)
        if self.on_nan == "rollback":
            go_back(trainer, module, self._epoch, SLOWER ** (self.in_a_row - self._ways_back))
        for logger in trainer.loggers:
            logger.log_metrics({"train/left_out": self.left_out}, step=trainer.global_step + 1)

    def _error(
        self,
        trainer: pl.Trainer,
        module: pl.LightningModule,
        what: str,
        found: Diagnosis | None = None,
    ) -> NotFiniteError:
        """One sentence: what and when, where, what came before, and what to do."""
        if found is None:
            found = diagnose(trainer, cast(LitModel, module), self._batch)
        if self.in_a_row == IN_A_ROW:
            what += f", after {IN_A_ROW} {WAYS[self.on_nan]}"
        return NotFiniteError(
            f"{what}: {found.place}{self._history()}; {self._remedy(trainer, found)}"
        )

    def _remedy(self, trainer: pl.Trainer, found: Diagnosis) -> str:
        words = remedies(trainer, found.kind)
        if self.on_nan == "stop":
            data = found.kind == "data"
            words.append(f"{'set ' * data}callbacks.finite.on_nan={'skip' if data else 'rollback'}")
        return either(words)

    def _history(self) -> str:
        """The last losses that were finite, and the last gradient norms."""
        losses = [f"{loss:.3g}" for loss in numbers(self._losses) if fine(loss)][-3:]
        norms = [f"{norm.item():.3g} at step {step}" for step, norm in self._norms if fine(norm)]
        return "".join(
            f"; {name} {', '.join(values)}"
            for name, values in (("losses before", losses), ("gradient norm", norms))
            if values
        )


def finite(gradients: Sequence[Tensor], loss: Tensor | float) -> bool:
    """Whether all gradients and the loss are finite.

    A sum tells, in half the time of a norm; only where it overflows each number is looked at.
    """
    if gradients and gradients[0].is_cuda:
        total = (torch.nn.utils.get_total_norm(gradients) + loss).item()  # waits once
    else:
        total = float(loss) + sum(gradient.sum().item() for gradient in gradients)
    return math.isfinite(total) or (fine(loss) and all(bool(g.isfinite().all()) for g in gradients))


def numbers(values: Sequence[Tensor | float]) -> list[float]:
    """Scalars as numbers, with one wait for all of them on a GPU."""
    if values and isinstance(values[0], Tensor):
        return torch.stack(list(values)).tolist()  # type: ignore[arg-type]
    return list(values)  # type: ignore[arg-type]


def at_step(trainer: pl.Trainer) -> str:
    """Before which update."""
    return f"at step {trainer.global_step + 1} (epoch {trainer.current_epoch + 1})"


def after_step(trainer: pl.Trainer) -> str:
    """After which update."""
    return f"after step {trainer.global_step} (epoch {trainer.current_epoch + 1})"


def either(words: Sequence[str]) -> str:
    """A or B, or A, B or C."""
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def fine(value: Tensor | float) -> bool:
    """Whether a number is finite."""
    return math.isfinite(value)
