"""What all augmentations share: a private stream of random numbers, a face, and their order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.data.loader import Batch
from zoo.data.splits import seed_of

ALL = ("image", "series", "table")


class Stream:
    """The random numbers of one batch: they depend on the key alone, and touch no other generator.

    Args:
        key: such as (seed, epoch, batch, rank).
        device: where the tensors drawn live; each kind of device has its own numbers.
    """

    def __init__(self, *key: int, device: torch.device | str = "cpu") -> None:
        seed = seed_of("augmentation", *key)
        self.device = torch.device(device)
        self.generator = torch.Generator(self.device).manual_seed(seed)
        self.numpy = np.random.default_rng(seed)  # for what torch draws from its global state only

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Float numbers in [low, high)."""
        draws = torch.rand(shape, generator=self.generator, device=self.device)
        return draws if (low, high) == (0.0, 1.0) else draws.mul_(high - low).add_(low)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers."""
        return torch.randn(shape, generator=self.generator, device=self.device)

    def integers(self, high: int, *shape: int) -> Tensor:
        """Whole numbers in [0, high)."""
        return torch.randint(high, shape, generator=self.generator, device=self.device)

    def permutation(self, count: int) -> Tensor:
        """The numbers from 0 to count - 1 in random order."""
        return torch.randperm(count, generator=self.generator, device=self.device)

    def beta(self, alpha: float, count: int) -> Tensor:
        """Numbers in [0, 1] from Beta(alpha, alpha)."""
        draws = self.numpy.beta(alpha, alpha, count)
        return torch.from_numpy(draws).float().to(self.device)


class Augmentation(ABC):
    """Changes a whole training batch at once, each sample in its own random way.

    Attributes:
        media: what it can be applied to: "image", "series", "table" or "tokens".
        targets: the kinds of target that stay true, "classes" or "values".
        scaled: whether it sees scaled float numbers, or the raw batch as it is stored.
        corrupts: whether the input before it stays the target of an autoencoder (`Batch.clean`).
        mixes: whether it mixes samples, which needs targets that can be mixed too.
        moves: whether it moves steps in time, which targets of single steps do not survive.
    """

    media: ClassVar[tuple[str, ...]] = ("image",)
    targets: ClassVar[tuple[str, ...]] = ("classes", "values")
    scaled: ClassVar[bool] = False
    corrupts: ClassVar[bool] = False
    mixes: ClassVar[bool] = False
    moves: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, batch: Batch, stream: Stream) -> Batch:
        """The batch changed; what it was given stays as it is."""


class Stack:
    """Several augmentations in the order in which they are right, and that of their names within.

    First those that move raw pixels or steps, before scaling; then those of scaled numbers; last
    corruptions, whose clean input is kept as `Batch.clean`. The view comes after all of them.

    Args:
        augmentations: by name.
        scale: makes scaled numbers of a raw batch, in the layout in which it is stored.
        view: offers scaled numbers as the net reads them.
        classes: number of classes; None for values.
    """

    def __init__(
        self,
        augmentations: Mapping[str, Augmentation],
        *,
        scale: Callable[[Tensor], Tensor],
        view: Callable[[Tensor], Tensor],
        classes: int | None,
    ) -> None:
        every = list(augmentations.values())
        self.raw = [a for a in every if not a.scaled and not a.corrupts]
        self.scaled = [a for a in every if a.scaled and not a.corrupts]
        self.corruptions = [a for a in every if a.corrupts]
        self.scale = scale
        self.view = view
        self.classes = classes
        self.mixes = any(a.mixes for a in every)

    def __call__(self, batch: Batch, *key: int) -> Batch:
        """A raw batch as a net trains on it; the same key gives the same random numbers."""
        stream = Stream(*key, device=batch.x.device)
        if self.mixes and self.classes is not None:
            batch = batch._replace(y=F.one_hot(batch.y, self.classes).float())
        for augmentation in self.raw:
            batch = augmentation(batch, stream)
        batch = batch._replace(x=self.scale(batch.x))
        for augmentation in self.scaled:
            batch = augmentation(batch, stream)
        if not self.corruptions:
            return batch._replace(x=self.view(batch.x))
        clean = batch.x
        for augmentation in self.corruptions:
            batch = augmentation(batch, stream)
        return batch._replace(x=self.view(batch.x), clean=self.view(clean))


def refuse(
    augmentations: Mapping[str, Augmentation], *, owner: str, medium: str, target: str
) -> None:
    """Refuse what makes no sense of a data set, as far as its class and settings tell.

    Raises:
        ValueError: the first augmentation that does not fit, and where it would.
    """
    for name, augmentation in augmentations.items():
        if not isinstance(augmentation, Augmentation):
            raise ValueError(
                f"`augmentation` must be named augmentations, got {name}={augmentation!r}"
            )
        if medium not in augmentation.media:
            raise ValueError(
                f"augmentation={name} must be given {' or '.join(augmentation.media)} data, but "
                f"{owner} has {medium} data; use augmentation=none"
            )
        if target not in augmentation.targets:
            raise ValueError(
                f"augmentation={name} must be given {' or '.join(augmentation.targets)} as target, "
                f"but {owner} has {target}; use augmentation=none"
            )


def refuse_layout(
    augmentations: Mapping[str, Augmentation], *, every_step: bool, padded: bool, owner: str
) -> None:
    """Refuse what does not fit the samples that were read.

    Raises:
        ValueError: targets of single steps would not fit any more, or lengths would have to mix.
    """
    for name, augmentation in augmentations.items():
        if every_step and (augmentation.mixes or augmentation.moves):
            raise ValueError(
                f"augmentation={name} must be given one target for a whole sample, but {owner} has "
                "one for each step; use augmentation=none"
            )
        if padded and augmentation.mixes:
            raise ValueError(
                f"augmentation={name} must be given samples of one length, but those of {owner} "
                "differ; use augmentation=none"
            )
