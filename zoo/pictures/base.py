"""What all pictures share: when they are drawn, of what, and what happens when one cannot be."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, cast

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from torch import nn
from torch.utils.tensorboard import SummaryWriter

from zoo.callbacks.results import keep, report
from zoo.callbacks.tensorboard import writer_of
from zoo.callbacks.trial import say, trial
from zoo.lit import LitModel
from zoo.pictures.canvas import Canvas

# What a net or a data set that a picture has not been made for may raise.
ODD = (
    *(RuntimeError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
    OSError,  # of the disk
)


class Scene(NamedTuple):
    """What a picture is drawn of, and where it goes.

    Attributes:
        trainer: of the run.
        module: in evaluation mode; what happens to its random numbers and buffers is undone.
        data: the run's data module.
        writer: of the run's events.
        step: updates so far.
        moment: "start" before the first update, "training", or "end" with the weights to keep.
        shared: what pictures at the same moment need alike, by name.
        before: tags that the run has for this step already.
    """

    trainer: pl.Trainer
    module: LitModel
    data: Any
    writer: SummaryWriter
    step: int
    moment: str
    shared: dict[Any, Any]
    before: frozenset[str]

    @property
    def net(self) -> nn.Module:
        """The plain net."""
        return self.module.net

    def image(self, tag: str, canvas: Canvas, description: str = "") -> None:
        """Write a picture for the Images tab, with what it shows in words."""
        picture = Summary.Image(
            height=canvas.height,
            width=canvas.width,
            colorspace=3,
            encoded_image_string=canvas.png(),
        )
        about = SummaryMetadata(summary_description=description)
        self.write([Summary.Value(tag=tag, image=picture, metadata=about)])

    def write(self, values: Iterable[Summary.Value]) -> None:
        """Write values together, but those that the run has for this step."""
        new = [value for value in values if value.tag not in self.before]
        file_writer = self.writer._get_file_writer()
        if new and file_writer is not None:
            file_writer.add_summary(Summary(value=new), self.step)

    def text(self, tag: str, text: str) -> None:
        """Write Markdown for the Text tab."""
        if f"{tag}/text_summary" not in self.before:
            self.writer.add_text(tag, text, self.step)

    def scalars(self, values: dict[str, float]) -> None:
        """Log numbers; at the end as results of the run, too."""
        new = {tag: value for tag, value in values.items() if tag not in self.before}
        for logger in self.trainer.loggers:
            if new:
                logger.log_metrics(new, step=self.step)
        if self.moment == "end":
            keep(self.trainer, values)


class Picture(Callback, ABC):
    """A callback that draws what it can, and never costs a run its results.

    A subclass says what it suits and draws it. It is drawn at the end of the test, with the weights
    that are kept, and in training after every so many validations.

    Args:
        every: draw after so many validations; None: at the end alone.

    Raises:
        ValueError: `every` is not positive.
    """

    name: ClassVar[str]
    moments: ClassVar[tuple[str, ...]] = ("end",)  # besides validations

    def __init__(self, *, every: int | None = None) -> None:
        if every is not None and every < 1:
            raise ValueError(f"`every` must be at least 1 validation, or null, got {every}")
        self.every = every
        self.seconds = 0.0  # spent on drawing
        self.validations = 0
        self.shared: tuple[Any, dict[Any, Any]] = (None, {})
        self._failed = False
        self._continued: int | None = None  # the step that a continued run began with

    @abstractmethod
    def suits(self, scene: Scene) -> bool:
        """Whether there is something to draw."""

    @abstractmethod
    def draw(self, scene: Scene) -> None:
        """Draw and write."""

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Note where a continued run begins; a test of the best epoch begins nothing."""
        if trainer.state.fn == "fit":
            self._continued = checkpoint["global_step"]
            saved = checkpoint.get("pictures", {}).get(self.state_key, {})
            self.validations = saved.get("validations", 0)
            self.seconds = saved.get("seconds", 0.0)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keep what a continued run goes on from."""
        own = {"validations": self.validations, "seconds": self.seconds}
        checkpoint.setdefault("pictures", {})[self.state_key] = own

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw the untrained net, if that is of interest."""
        if "start" in self.moments and trainer.global_step == 0:
            self._show(trainer, pl_module, "start", 0)

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw with the weights that were validated, if it is time."""
        if trainer.state.fn != "fit" or trainer.sanity_checking or self.every is None:
            return
        self.validations += 1
        if self.validations % self.every == 0:
            # The step that Lightning gives the metrics of this validation.
            self._show(trainer, pl_module, "training", max(trainer.global_step - 1, 0))

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw with the weights that are kept; the last picture says how long all of them took."""
        if "end" in self.moments:
            self._show(trainer, pl_module, "end", trainer.global_step)
        pictures = of_run(trainer)
        pictures[0].shared = (None, {}) if self is pictures[-1] else pictures[0].shared
        if self is pictures[-1] and writer_of(trainer) is not None:
            total = {"cost/pictures_seconds": sum(picture.seconds for picture in pictures)}
            report(trainer, total)

    def _show(
        self, trainer: pl.Trainer, module: pl.LightningModule, moment: str, step: int
    ) -> None:
        writer, data = writer_of(trainer), trainer.datamodule  # type: ignore[attr-defined]
        known = isinstance(module, LitModel) and "val" in getattr(data, "splits", {})
        if writer is None or not known or self._failed:
            return
        begin = time.perf_counter()
        first = of_run(trainer)[0]
        if first.shared[0] != (moment, step):
            # A finished run that is "continued" is tested again, and nothing else.
            again = moment == "end" and self._continued == step
            before = written(Path(writer.log_dir), step) if again else frozenset()
            first.shared = (moment, step), {"before": before}
        shared = first.shared[1]
        lit = cast(LitModel, module)
        scene = Scene(trainer, lit, data, writer, step, moment, shared, shared["before"])
        try:
            if self.suits(scene):
                # Lightning validates in inference mode, where nothing has a gradient.
                with trial(trainer, lit), torch.inference_mode(False), torch.no_grad():
                    lit.eval()
                    self.draw(scene)
        except ODD as error:
            self._failed = True
            say(trainer, f"picture {self.name}: could not be drawn: {reason(error)}")
        self.seconds += time.perf_counter() - begin


def of_run(trainer: pl.Trainer) -> list[Picture]:
    """All pictures of a run, in their order."""
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    return [callback for callback in callbacks if isinstance(callback, Picture)]


def written(folder: Path, step: int) -> frozenset[str]:
    """All tags that the event files of a run have for a step."""
    # A reader is heavy, and only a finished run that is continued needs it.
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    return frozenset(
        value.tag
        for file in folder.glob("events.*")
        for event in EventFileLoader(str(file)).Load()
        if event.step == step
        for value in event.summary.value
    )


def reason(error: Exception) -> str:
    """An error in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def at_least(least: int, **values: int) -> int:
    """A whole number that is large enough.

    Raises:
        ValueError: it is not.
    """
    [(name, value)] = values.items()
    if value < least:
        raise ValueError(f"`{name}` must be at least {least}, got {value}")
    return value
