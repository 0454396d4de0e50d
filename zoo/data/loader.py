"""The one batch loader: whole splits in memory, a batch is one gather."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from zoo.data.checks import at_least
from zoo.data.position import Position
from zoo.data.splits import generator

BUCKET = 50  # batches whose samples are sorted by length together


class Batch(NamedTuple):
    """What a net trains on in one step.

    Attributes:
        x: inputs, scaled and in the view.
        y: targets; after mixing, classes are probabilities (B, C).
        lengths: valid steps of each sample (B,), where they differ.
        mask: True where a target counts, over the leading dimensions of y.
        clean: the inputs before they were corrupted, where they were.
    """

    x: Tensor
    y: Tensor
    lengths: Tensor | None = None
    mask: Tensor | None = None
    clean: Tensor | None = None


class Split(NamedTuple):
    """All samples of one split: inputs as stored, targets as served."""

    x: Tensor
    y: Tensor
    lengths: Tensor | None = None
    mask: Tensor | None = None

    def targets(self) -> Tensor:
        """The targets that count: (N, ...), or those that the mask marks, one after another."""
        return self.y if self.mask is None else self.y[self.mask]

    def take(self, indices: Tensor) -> "Split":
        """The samples at these indices, in this order, as a copy."""
        return Split(
            # Three times as fast as self.x[indices] on rows of uint8.
            self.x.index_select(0, indices),
            self.y.index_select(0, indices),
            None if self.lengths is None else self.lengths.index_select(0, indices),
            None if self.mask is None else self.mask.index_select(0, indices),
        )

    def trimmed(self) -> "Split":
        """Without the steps that are padding in all samples."""
        if self.lengths is None:
            return self
        end = int(self.lengths.max())
        if self.mask is None or self.mask.ndim == 1:  # one target for a whole sample
            return self._replace(x=self.x[:, :end])
        return Split(self.x[:, :end], self.y[:, :end], self.lengths, self.mask[:, :end])

    def to(self, device: torch.device) -> "Split":
        """The same samples on a device; pinned memory is copied while the program goes on."""
        return Split(*(None if t is None else t.to(device, non_blocking=True) for t in self))  # type: ignore[arg-type]

    def pinned(self) -> "Split":
        """The same samples in memory that a GPU can read by itself."""
        if self.x.is_pinned():
            return self
        return Split(*(None if t is None else t.pin_memory() for t in self))  # type: ignore[arg-type]

    @property
    def nbytes(self) -> int:
        """Memory of all parts."""
        return sum(t.nbytes for t in self if t is not None)

    def fits(self, device: torch.device) -> bool:
        """Whether it takes no more than half of a GPU's free memory; the net needs the rest."""
        free, _ = torch.cuda.mem_get_info(device)
        return self.nbytes <= free // 2


class Epoch(Dataset[Any]):
    """The batches of one epoch of a loader by number, each the same whenever it is made.

    Those for a GPU come raw, to be finished there: fewer bytes, and no GPU in another process.
    """

    def __init__(self, loader: "BatchLoader", epoch: int) -> None:
        self.loader = loader
        self.epoch = epoch
        self.indices = loader.batches(epoch)
        self.on_gpu = loader.device.type == "cuda"

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, step: int) -> Any:
        part = self.gathered(step)
        return part if self.on_gpu else self.finished(step, part)

    def gathered(self, step: int) -> Split:
        """The samples of a batch as they are stored."""
        part = self.loader.split.take(self.indices[step])
        return part.trimmed() if self.loader.trim else part

    def finished(self, step: int, part: Split) -> Batch:
        """These samples as a net reads them, on the device that asks for them."""
        loader = self.loader
        if part.x.device != loader.device:
            part = part.pinned().to(loader.device) if self.on_gpu else part.to(loader.device)
        if loader.augment is not None:
            return loader.augment(Batch(*part), loader.seed, self.epoch, step, loader.rank)
        x = part.x if loader.transform is None else loader.transform(part.x)
        return Batch(x, *part[1:])


class BatchLoader(Position[Batch]):
    """Serves a split batch by batch, in an order that depends on (seed, epoch) alone.

    One iteration is one epoch, see `Position`.

    Of several ranks each makes the same number of steps, and no sample is lost or served twice: a
    batch of one rank with a `batch_size` times as large is dealt out to them, at most one sample
    apart. Only an end of fewer samples than ranks is filled up from the batch before it.

    Samples with lengths come in batches of similar ones: shuffled, within buckets of 50 batches, in
    random order; else all of them sorted by length.

    Args:
        split: the samples.
        batch_size: samples of a batch on one rank.
        transform: applied to the inputs of a whole batch.
        augment: applied instead to a whole raw batch, with the key (seed, epoch, step, rank).
        shuffle: a new order for each epoch; otherwise the order of the split.
        drop_last: full batches only; in each epoch the rest is left out.
        trim: leave out the steps that are padding in a whole batch.
        seed: of the order.
        rank: which share of the samples is served here.
        world_size: number of shares.
        device: where batches are wanted; None: where the split is.
        workers: processes that make the batches ahead; 0: each is made when it is asked for.

    Raises:
        ValueError: if the arguments or the samples do not make a batch for every rank.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        *,
        transform: Callable[[Tensor], Tensor] | None = None,
        augment: Callable[..., Batch] | None = None,
        shuffle: bool = False,
        drop_last: bool = False,
        trim: bool = True,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        device: torch.device | None = None,
        workers: int = 0,
    ) -> None:
        super().__init__(seed, rank, world_size)
        at_least(1, batch_size=batch_size)
        self.split = split
        self.batch_size = batch_size
        self.transform = transform
        self.augment = augment
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.trim = trim
        self.device = device or split.x.device
        self.workers = workers
        samples = len(split.x)
        needed = batch_size * world_size if drop_last else world_size
        if samples < needed:
            reason = f"`drop_last` with `batch_size`={batch_size}" if drop_last else "a batch"
            raise ValueError(
                f"{reason} on each of {world_size} ranks must have {needed} samples, got {samples}"
            )

    def __len__(self) -> int:
        samples = len(self.split.x)
        if self.drop_last:
            return samples // self.world_size // self.batch_size
        share = samples // self.world_size  # the smallest; each step needs one sample of it
        return min(-(-samples // (self.world_size * self.batch_size)), share)

    def remaining(self, first: int) -> Iterator[Batch]:
        """The batches of this epoch from number `first` on."""
        epoch, steps = Epoch(self, self.epoch), range(first, len(self))
        if not self.workers:
            return (epoch.finished(step, epoch.gathered(step)) for step in steps)
        loader = DataLoader(
            epoch,
            batch_size=None,  # a batch is made as a whole
            sampler=steps,
            num_workers=self.workers,
            pin_memory=epoch.on_gpu,
            generator=torch.Generator(),  # its own draws must not come from the global one
        )
        if not epoch.on_gpu:
            return iter(loader)
        return (epoch.finished(step, part) for step, part in zip(steps, loader, strict=True))

    def batches(self, epoch: int) -> tuple[Tensor, ...]:
        """The indices of each batch of an epoch on this rank."""
        samples, random = len(self.split.x), generator("order", self.seed, epoch)
        order = torch.randperm(samples, generator=random) if self.shuffle else torch.arange(samples)
        lengths = None if self.split.lengths is None else self.split.lengths.cpu()
        if lengths is not None and not self.shuffle:
            order = lengths.argsort(stable=True)
        size, steps = self.batch_size * self.world_size, len(self)  # of all ranks together
        if self.drop_last:
            order = order[: steps * size]
        if lengths is not None and self.shuffle:
            buckets = order.split(BUCKET * size)
            order = torch.cat([b[lengths[b].argsort(stable=True)] for b in buckets])
        order = order.to(self.split.x.device)
        # Every rank needs a sample of the last batch.
        last = min((steps - 1) * size, len(order) - self.world_size)
        whole = [*order[:last].split(size), order[last:]] if last else [order]
        if lengths is not None and self.shuffle:
            whole = [whole[i] for i in torch.randperm(steps, generator=random).tolist()]
        if self.world_size == 1:
            return tuple(whole)
        return tuple(batch[self.rank :: self.world_size] for batch in whole)
