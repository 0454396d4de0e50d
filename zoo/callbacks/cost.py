"""What a run costs, beside what it reaches."""

from __future__ import annotations

import statistics
import time
from collections import deque
from typing import Any, Literal

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback

from zoo import cost
from zoo.callbacks.results import report
from zoo.callbacks.trial import trial
from zoo.naming import rises

STARTUP = 5  # first intervals of a run, which allocate and warm up
KEPT = 1000  # latest intervals that the median is of
QUEUED = 20  # steps between two looks at a GPU's clock: waiting for each of them would slow it down
MANY = 256  # samples of the batch that throughput is measured with


class Cost(Callback):
    """Logs `cost/…` at the end of the test, for TensorBoard, HPARAMS and `metrics.json`.

    - `parameters`; `flops`, floating-point operations of a forward pass over one sample.
    - `samples_per_second` in training: the median over steps, between which data is loaded; without
      validations and the first steps of the run and of an epoch.
    - `fit_seconds`, all of the training loop, validations included; a continued run adds up.
    - `peak_memory_mb`, in 10^6 bytes: tensors on the GPU, else the whole process while it trained.
    - `latency_ms`, of a forward pass over one sample, and `throughput`, samples a second of one
      over 256, both in evaluation mode, uncompiled.
    - With a target, `seconds_to_target` and `samples_to_target`, training until the first
      validation that reaches it; both are absent if none does.

    Args:
        target: a value of `monitor`, or of another metric as "val/accuracy:0.98"; None: no target.
        monitor: the metric that a plain number belongs to.
        mode: whether that one is to be small, "min", or large, "max".

    Raises:
        ValueError: `target` is neither a number nor a metric with one.
    """

    def __init__(
        self,
        *,
        target: float | str | None = None,
        monitor: str = "val/loss",
        mode: Literal["min", "max"] = "min",
    ) -> None:
        self.target: float | None = None
        self.metric, self.rising = monitor, mode == "max"
        if isinstance(target, str):
            self.metric, self.target = parsed(target)
            if self.metric != monitor:
                self.rising = rises(self.metric)
        elif target is not None:
            self.target = float(target)
        self.seconds = 0.0  # of training before this process
        self.samples = 0  # trained on
        self.reached: dict[str, float] = {}
        self.rates: deque[float] = deque(maxlen=KEPT)
        self.peak = 0
        self._started: float | None = None
        self._skipped = 0
        self._mark: float | None = None  # when the interval began that is being measured
        self._since = [0, 0]  # steps and samples in it

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        cost.forget_peak(pl_module.device)
        self._started = time.perf_counter()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """What is between two epochs is no step."""
        self._mark = None

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Nor is a validation."""
        self._mark = None

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, *_: int
    ) -> None:
        """Note how long it took since the batch before."""
        size = len(batch.x) * trainer.world_size
        self.samples += size
        gpu = pl_module.device.type == "cuda"
        if self._mark is not None:
            self._since[0] += 1
            self._since[1] += size
            if gpu and self._since[0] < QUEUED:
                return
        if gpu:
            cost.synchronise(pl_module.device)
        now = time.perf_counter()
        if self._mark is not None:
            if self._skipped >= STARTUP:
                self.rates.append(self._since[1] / (now - self._mark))
            self._skipped += 1
        self._mark, self._since = now, [0, 0]

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """See whether the target is reached."""
        value = trainer.callback_metrics.get(self.metric)
        waits = self.target is not None and not self.reached and not trainer.sanity_checking
        if not waits or value is None:
            return
        target = value.new_tensor(self.target)  # 0.9 as a metric has it, in float32
        if value >= target if self.rising else value <= target:
            self.reached = {
                "seconds_to_target": self.fit_seconds(),
                "samples_to_target": float(self.samples),
            }

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop the clock."""
        self.seconds = self.fit_seconds()
        self._started = None
        self.peak = max(self.peak, cost.peak_memory(pl_module.device))

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measure the net alone, and log everything."""
        if not trainer.is_global_zero:
            return
        values = {f"cost/{name}": value for name, value in self.values(trainer, pl_module).items()}
        report(trainer, values)

    def values(self, trainer: pl.Trainer, module: Any) -> dict[str, float]:
        """All numbers by name."""
        loader = trainer.datamodule.val_dataloader()  # type: ignore[attr-defined]
        x = next(iter(loader)).x.to(module.device)
        many = x[torch.arange(MANY, device=x.device) % len(x)]
        row: dict[str, float] = {"parameters": cost.parameters(module.net)}
        with trial(trainer, module):
            row["flops"] = cost.flops(module.net, x)
            row["latency_ms"] = 1e3 * cost.seconds_of(module.net, x[:1])
            row["throughput"] = MANY / cost.seconds_of(module.net, many)
        if self.rates:
            row["samples_per_second"] = statistics.median(self.rates)
        if self.seconds:
            row["fit_seconds"] = self.seconds
        if self.peak:
            row["peak_memory_mb"] = self.peak / 1e6
        return {name: float(value) for name, value in {**row, **self.reached}.items()}

    def fit_seconds(self) -> float:
        """Seconds of training so far."""
        running = 0.0 if self._started is None else time.perf_counter() - self._started
        return self.seconds + running

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keep what a continued run adds to."""
        checkpoint["cost"] = {
            "seconds": self.fit_seconds(),
            "samples": self.samples,
            "peak": self.peak,
            "reached": dict(self.reached),
        }

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Go on counting; what the best epoch had cost when it was tested is of no interest."""
        if trainer.state.fn == "fit" and "cost" in checkpoint:
            saved = checkpoint["cost"]
            self.seconds, self.samples = saved["seconds"], saved["samples"]
            self.peak, self.reached = saved["peak"], dict(saved["reached"])


def parsed(target: str) -> tuple[str, float]:
    """The metric and the value of "val/accuracy:0.98".

    Raises:
        ValueError: it is not written like that.
    """
    metric, _, value = target.rpartition(":")
    try:
        return metric or target, float(value)
    except ValueError:
        raise ValueError(
            f"`target` must be a number, or a metric with one such as val/accuracy:0.98, got "
            f"{target!r}"
        ) from None
