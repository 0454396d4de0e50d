"""The data module that all sets share: split, scale, serve."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from zoo.data import scaling as scalings
from zoo.data.augmentation.base import Augmentation, Stack, refuse, refuse_layout
from zoo.data.checks import at_least, one_of
from zoo.data.loader import Batch, BatchLoader, Split
from zoo.data.portable import Portable
from zoo.data.position import Position
from zoo.data.splits import few, few_of_each, stratified
from zoo.preprocessing.views import TABLE, Kind

BY_STEP = ("sequence", "rows", "pixels", "tokens")  # views that may have any number of steps


class DataModule(Portable, LightningDataModule, ABC):
    """A data set in memory, offered in the view that a net reads.

    A subclass says what it is (the class attributes) and reads raw tensors (`read`). Everything is
    read by `setup`, nothing by the constructor.

    Args:
        batch_size: samples of a batch in training.
        eval_batch_size: in validation and test, where nothing is kept for gradients; None for four
            times `batch_size`.
        view: how a sample is offered; one of `views`.
        scaling: of the inputs, from the training split alone: "standard" (mean 0, deviation 1 per
            channel or column), "unit" (to [0, 1], images by their known range) or "none".
        shuffle: a new order of the training split in each epoch.
        drop_last: leave out an incomplete last batch in training.
        seed: of the shuffling.
        split_seed: of the split or of the samples made up; fixed, so that runs are comparable.
        train_samples: keep only so many of the training split, of each class its share; None: all.
        in_memory: hold the splits in memory, on the GPU that trains if they fit there; otherwise
            batches are made ahead by workers, for a set that is read from a mapped file.
        workers: their number.
        augmentation: what changes training batches, by name; see `zoo.data.augmentation`.

    Attributes:
        facts: after `setup`, the sizes and ranges that nets and losses ask for, as plain values.
        splits: after `setup`, "train", "val" and "test", inputs as stored and targets as served.
        class_names: after `setup`, one name per class; None for values.

    Raises:
        ValueError: if an argument is out of range.
    """

    name: str = "data"
    views: ClassVar[tuple[str, ...]] = tuple(TABLE.views)
    scalings: ClassVar[tuple[str, ...]] = scalings.SCALINGS
    scaled_by_read: ClassVar[bool] = False  # by `read`, and not by `setup` as a whole
    readout: ClassVar[str] = "last"  # or "every", for one target per step
    serves_in_place: ClassVar[bool] = True  # batches come on the device that trains
    predicts_next: ClassVar[bool] = False  # whether the target of a step is the next input
    # What a file or an argument may decide, an object has of its own.
    target: str = "classes"  # or "values"
    kind: Kind = TABLE
    limits: tuple[float, float] | None = None  # of the inputs, where they are known
    standardise_target: bool = False

    def __init__(
        self,
        *,
        batch_size: int = 64,
        eval_batch_size: int | None = None,
        view: str = "vector",
        scaling: str = "standard",
        shuffle: bool = True,
        drop_last: bool = False,
        seed: int = 0,
        split_seed: int = 0,
        train_samples: int | None = None,
        in_memory: bool = True,
        workers: int = 2,
        augmentation: Mapping[str, Augmentation] | None = None,
    ) -> None:
        super().__init__()
        at_least(1, batch_size=batch_size, workers=workers)
        at_least(1, eval_batch_size=batch_size if eval_batch_size is None else eval_batch_size)
        at_least(0, seed=seed, split_seed=split_seed)
        at_least(1, train_samples=1 if train_samples is None else train_samples)
        one_of(self.name, self.views, view=view)
        one_of(self.name, self.scalings, scaling=scaling)
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.view = view
        self.scaling = scaling
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.seed = seed
        self.split_seed = split_seed
        self.train_samples = train_samples
        self.in_memory = in_memory
        self.workers = workers
        self.augmentation = dict(augmentation or {})
        if self.kind.medium != "unknown":
            self._check_augmentation()
        self.splits: dict[str, Split] = {}
        self.facts: dict[str, Any] = {}
        self.class_names: list[str] | None = None
        self.input_scaling = scalings.identity()
        self.target_scaling = scalings.identity()
        self._on_gpu: dict[str, Split] = {}

    @abstractmethod
    def read(self) -> dict[str, Split]:
        """Reads the raw "train", "val" and "test", and sets `class_names` where there are any."""

    def setup(self, stage: str | None = None) -> None:
        """Reads the data, fits the scaling on the training split, and collects the facts; once."""
        if self.splits:
            return
        splits = self.read()
        if self.train_samples is not None:
            kept = few(splits["train"].y, self.train_samples, seed=self.split_seed)
            splits["train"] = splits["train"].take(kept)
        train = splits["train"]
        self._check_augmentation()
        refuse_layout(
            self.augmentation,
            every_step=train.mask is not None or (self.target == "classes" and train.y.ndim > 1),
            padded=train.lengths is not None,
            owner=self.name,
        )
        scaling = "none" if self.scaled_by_read else self.scaling
        if scaling == "standard":
            self.input_scaling = scalings.standard(train.x, self.kind.channel)
        elif scaling == "unit":
            self.input_scaling = scalings.unit(train.x, self.kind.channel, self.limits)
        if self.standardise_target:
            self.target_scaling = scalings.standard(train.y)
            splits = {
                name: split._replace(y=self.target_scaling(split.y))
                for name, split in splits.items()
            }
        self.splits = splits
        self.facts = self.measure()

    def _check_augmentation(self) -> None:
        refuse(self.augmentation, owner=self.name, medium=self.kind.medium, target=self.target)

    def plain(self, x: Tensor) -> Tensor:
        """A raw batch as scaled numbers, in the layout in which it is stored."""
        return self.input_scaling(x)

    def serve(self, x: Tensor) -> Tensor:
        """A raw batch as a net reads it: scaled and in the view."""
        return self.offer(self.plain(x))

    def offer(self, x: Tensor) -> Tensor:
        """A scaled batch in the view."""
        return self.kind.views[self.view](x)

    def measure(self) -> dict[str, Any]:
        """The facts: sizes and ranges of what is served.

        `in_shape` is the sample's own shape whatever the view, so that a vector can be drawn as the
        image that it is; with a sequence as "image" it is that image's (C, T).
        """
        train = self.splits["train"]
        # Scaling is monotonic in each element, so two samples show the range of all.
        extremes = torch.stack([train.x.amin(0), train.x.amax(0)])
        plain, served = self.plain(extremes), self.serve(extremes)
        by_step = self.view in BY_STEP
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
        outputs = train.y.shape[-1]
        scale = self.target_scaling.scale.expand(outputs).tolist()
        return facts | {"out_features": outputs, "scale": scale}

    def carve(self, x: Tensor, y: Tensor) -> dict[str, Split]:
        """The fixed split of a set that comes in one piece: 70 % train, 10 % val, 20 % test."""
        labels = y if self.target == "classes" else torch.zeros(len(y))
        indices = stratified(labels, seed=self.split_seed)
        return {name: Split(x, y).take(part) for name, part in indices._asdict().items()}

    def divide(
        self,
        x: Tensor,
        y: Tensor,
        lengths: Tensor | None = None,
        mask: Tensor | None = None,
        *,
        val: float = 0.1,
    ) -> dict[str, Split]:
        """Training and validation out of the training part of a set that has a test of its own.

        Args:
            x: inputs as stored.
            y: targets as served; classes are stratified where a sample has one.
            lengths: as in `Split`.
            mask: as in `Split`.
            val: fraction of the samples for validation.
        """
        labels = y if self.target == "classes" and y.ndim == 1 else torch.zeros(len(y))
        indices = stratified(labels, val=val, test=0.0, seed=self.split_seed)
        whole = Split(x, y, lengths, mask)
        return {"train": whole.take(indices.train), "val": whole.take(indices.val)}

    def labelled(self, count: int) -> Tensor:
        """Which training samples to keep for so many of each class, as `train_samples` would."""
        return few_of_each(self.splits["train"].y.cpu(), count, seed=self.split_seed)

    def baselines(self) -> dict[str, float]:
        """What it takes to beat: the trivial predictor of the training split, on the test split.

        For classes "accuracy" of always answering the commonest one; for values "rmse" and "mae" of
        always answering the mean, in original units.
        """
        self.setup()
        train, test = (self.splits[name].targets() for name in ("train", "test"))
        if self.target == "classes":
            commonest = train.flatten().bincount().argmax()
            return {"accuracy": float((test == commonest).double().mean())}
        error = (test.double() - train.double().mean(0)) * self.target_scaling.scale
        return {"rmse": float(error.square().mean().sqrt()), "mae": float(error.abs().mean())}

    def describe(self) -> str:
        """The data set in one line, for a person."""
        self.setup()
        words = {"train": "train", "val": "validation", "test": "test"}
        counts = ", ".join(f"{len(self.splits[name].x):,} {word}" for name, word in words.items())
        sample = self.kind.words.format(*self.plain(self.splits["train"].x[:1])[0].shape)
        outputs = self.facts["out_features"]
        one, many = ("class", "classes") if self.target == "classes" else ("target", "targets")
        return f"{self.name}: {counts}; {sample}, {outputs} {one if outputs == 1 else many}"

    def train_dataloader(self) -> Position[Batch]:
        """The training split, in a new order each epoch, augmented."""
        # Overfitting a few batches means the same ones in each epoch.
        fixed = getattr(self.trainer, "overfit_batches", 0) > 0
        loader = self.loader(
            "train",
            shuffle=self.shuffle and not fixed,
            drop_last=self.drop_last,
            augment=bool(self.augmentation) and not fixed,
        )
        if self.trainer is not None:
            # Of a run resumed between two epochs Lightning restores this count, but neither the
            # loader's state nor `current_epoch` in time.
            progress = self.trainer.fit_loop.epoch_progress.current
            loader.epoch = progress.processed  # type: ignore[attr-defined]
        return loader

    def val_dataloader(self) -> Position[Batch]:
        """The validation split, in its own order."""
        return self.loader("val")

    def test_dataloader(self) -> Position[Batch]:
        """The test split, in its own order."""
        return self.loader("test")

    def loader(
        self, name: str, *, shuffle: bool = False, drop_last: bool = False, augment: bool = False
    ) -> Position[Batch]:
        """The split "train", "val" or "test", in its own order unless shuffled."""
        self.setup()
        trainer = self.trainer
        device = trainer.strategy.root_device if trainer else torch.device("cpu")
        classes = len(self.class_names or ()) if self.target == "classes" else None
        stack = Stack(self.augmentation, scale=self.plain, view=self.offer, classes=classes)
        return BatchLoader(
            self.placed(name, device),
            self.batch_size if name == "train" else self.eval_batch_size or 4 * self.batch_size,
            transform=self.serve,
            augment=stack if augment else None,
            shuffle=shuffle,
            drop_last=drop_last,
            trim=self.view in BY_STEP,
            seed=self.seed,
            rank=trainer.global_rank if trainer else 0,
            world_size=trainer.world_size if trainer else 1,
            device=device,
            workers=0 if self.in_memory else self.workers,
        )

    def placed(self, name: str, device: torch.device) -> Split:
        """A split where its batches are made: on the GPU that trains if it fits, else here."""
        split = self.splits[name]
        if device.type != "cuda" or not self.in_memory:
            return split
        if name not in self._on_gpu and split.fits(device):
            self._on_gpu[name] = split.to(device)
        return self._on_gpu.get(name, split)
