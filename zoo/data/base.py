"""The data module that all sets share: split, scale, serve."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from zoo.data import scaling as scalings
from zoo.data.checks import at_least, one_of
from zoo.data.loader import BatchLoader, Split
from zoo.data.splits import stratified
from zoo.data.views import TABLE, Kind


class DataModule(LightningDataModule, ABC):
    """A data set in memory, offered in the view that a net reads.

    A subclass says what it is (the class attributes) and reads raw tensors (`read`). Everything is
    read by `setup`, nothing by the constructor.

    Args:
        batch_size: samples of a batch.
        view: how a sample is offered; one of `views`.
        scaling: of the inputs, from the training split alone: "standard" (mean 0, deviation 1 per
            channel or column), "unit" (to [0, 1], images by their known range) or "none".
        shuffle: a new order of the training split in each epoch.
        drop_last: leave out an incomplete last batch in training.
        seed: of the shuffling.
        split_seed: of the split or of the samples made up; fixed, so that runs are comparable.

    Attributes:
        facts: after `setup`, the sizes and ranges that nets and losses ask for, as plain values.
        splits: after `setup`, "train", "val" and "test", inputs as stored and targets as served.
        class_names: after `setup`, one name per class; None for values.

    Raises:
        ValueError: if an argument is out of range.
    """

    name: str = "data"
    views: ClassVar[tuple[str, ...]] = tuple(TABLE.views)
    target: ClassVar[str] = "classes"  # or "values"
    kind: ClassVar[Kind] = TABLE
    scalings: ClassVar[tuple[str, ...]] = scalings.SCALINGS
    limits: ClassVar[tuple[float, float] | None] = None  # of the inputs, where they are known
    standardise_target: ClassVar[bool] = False
    readout: ClassVar[str] = "last"  # or "every", for one target per step

    def __init__(
        self,
        *,
        batch_size: int = 64,
        view: str = "vector",
        scaling: str = "standard",
        shuffle: bool = True,
        drop_last: bool = False,
        seed: int = 0,
        split_seed: int = 0,
    ) -> None:
        super().__init__()
        at_least(1, batch_size=batch_size)
        at_least(0, seed=seed, split_seed=split_seed)
        one_of(self.name, self.views, view=view)
        one_of(self.name, self.scalings, scaling=scaling)
        self.batch_size = batch_size
        self.view = view
        self.scaling = scaling
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.seed = seed
        self.split_seed = split_seed
        self.splits: dict[str, Split] = {}
        self.facts: dict[str, Any] = {}
        self.class_names: list[str] | None = None
        self.input_scaling = scalings.identity()
        self.target_scaling = scalings.identity()

    @abstractmethod
    def read(self) -> dict[str, Split]:
        """Reads the raw "train", "val" and "test", and sets `class_names` where there are any."""

    def setup(self, stage: str | None = None) -> None:
        """Reads the data, fits the scaling on the training split, and collects the facts; once."""
        if self.splits:
            return
        splits = self.read()
        train = splits["train"]
        if self.scaling == "standard":
            self.input_scaling = scalings.standard(train.x, self.kind.channel)
        elif self.scaling == "unit":
            self.input_scaling = scalings.unit(train.x, self.kind.channel, self.limits)
        if self.standardise_target:
            self.target_scaling = scalings.standard(train.y)
            splits = {
                name: split._replace(y=self.target_scaling(split.y))
                for name, split in splits.items()
            }
        self.splits = splits
        self.facts = self.measure()

    def plain(self, x: Tensor) -> Tensor:
        """A raw batch as scaled numbers, in the layout in which it is stored."""
        return self.input_scaling(x)

    def serve(self, x: Tensor) -> Tensor:
        """A raw batch as a net reads it: scaled and in the view."""
        return self.kind.views[self.view](self.plain(x))

    def measure(self) -> dict[str, Any]:
        """The facts: sizes and ranges of what is served.

        `in_shape` is the sample's own shape whatever the view, so that a vector can be drawn as the
        image that it is; with a sequence as "image" it is that image's (C, T).
        """
        train = self.splits["train"]
        # Scaling is monotonic in each element, so two samples show the range of all.
        extremes = torch.stack([train.x.amin(0), train.x.amax(0)])
        plain, served = self.plain(extremes), self.serve(extremes)
        by_step = self.view in ("sequence", "rows", "pixels")
        facts: dict[str, Any] = {
            "in_features": served.shape[-1] if by_step else plain[0].numel(),
            "in_shape": list(served.shape[1:] if self.view == "image" else plain.shape[1:]),
            "in_channels": plain.shape[self.kind.channel],
            "readout": self.readout,
            "embedding": None,
            "range": [float(served.min()), float(served.max())],
        }
        if self.target == "classes":
            classes = len(self.class_names or ())
            return facts | {"out_features": classes, "num_classes": classes}
        outputs = train.y.shape[1]
        scale = self.target_scaling.scale.expand(outputs).tolist()
        return facts | {"out_features": outputs, "scale": scale}

    def carve(self, x: Tensor, y: Tensor) -> dict[str, Split]:
        """The fixed split of a set that comes in one piece: 70 % train, 10 % val, 20 % test."""
        labels = y if self.target == "classes" else torch.zeros(len(y))
        indices = stratified(labels, seed=self.split_seed)
        return {name: Split(x, y).take(part) for name, part in indices._asdict().items()}

    def describe(self) -> str:
        """The data set in one line, for a person."""
        self.setup()
        words = {"train": "train", "val": "validation", "test": "test"}
        counts = ", ".join(f"{len(self.splits[name].x):,} {word}" for name, word in words.items())
        sample = self.kind.words.format(*self.plain(self.splits["train"].x[:1])[0].shape)
        outputs = self.facts["out_features"]
        one, many = ("class", "classes") if self.target == "classes" else ("target", "targets")
        return f"{self.name}: {counts}; {sample}, {outputs} {one if outputs == 1 else many}"

    def train_dataloader(self) -> BatchLoader:
        """The training split, in a new order each epoch."""
        # Overfitting a few batches means the same ones in each epoch.
        fixed = getattr(self.trainer, "overfit_batches", 0) > 0
        loader = self.loader("train", shuffle=self.shuffle and not fixed, drop_last=self.drop_last)
        if self.trainer is not None:
            # Of a run resumed between two epochs Lightning restores this count, but neither the
            # loader's state nor `current_epoch` in time.
            progress = self.trainer.fit_loop.epoch_progress.current
            loader.epoch = progress.processed  # type: ignore[attr-defined]
        return loader

    def val_dataloader(self) -> BatchLoader:
        """The validation split, in its own order."""
        return self.loader("val")

    def test_dataloader(self) -> BatchLoader:
        """The test split, in its own order."""
        return self.loader("test")

    def loader(self, name: str, *, shuffle: bool = False, drop_last: bool = False) -> BatchLoader:
        """The split "train", "val" or "test", in its own order unless shuffled."""
        self.setup()
        trainer = self.trainer
        return BatchLoader(
            self.splits[name],
            self.batch_size,
            transform=self.serve,
            shuffle=shuffle,
            drop_last=drop_last,
            seed=self.seed,
            rank=trainer.global_rank if trainer else 0,
            world_size=trainer.world_size if trainer else 1,
        )
