"""Batches: the zoo's loader beside bare tensors and beside torchvision's pipeline."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmarks.common import FASTER, LONGER, Claim, Contest, Measure, Part, Plan, held
from zoo.data import BatchLoader, Split
from zoo.data import augmentation as A
from zoo.data.scaling import Scaling

BATCH = 128
GREY = (0.1307, 0.3081)  # mean and standard deviation of MNIST, as it is usually normalised
MNIST = Scaling(*(torch.tensor(255 * value) for value in GREY))
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
CIFAR = Scaling(*(255 * torch.tensor(numbers).view(3, 1, 1) for numbers in (MEAN, STD)))


def endless(loader: Any) -> Iterator[Any]:
    """Epoch after epoch."""
    while True:
        yield from loader


def bare(x: Tensor, y: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """The least there is to do: shuffle, gather, normalise."""
    mean, std = (255 * value for value in GREY)
    while True:
        order = torch.randperm(len(x))
        for index in order.split(BATCH):
            yield (x[index].float() - mean) / std, y[index]


class PerSample(torch.utils.data.Dataset[Any]):
    """The usual way, as torchvision's own data sets: an array, an image, transforms."""

    def __init__(self, x: Tensor, y: Tensor, *transforms: Callable[[Any], Any]) -> None:
        from torchvision.transforms import Compose

        self.x = x.numpy()
        self.y = y
        self.transform = Compose(transforms)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        from PIL import Image

        return self.transform(Image.fromarray(self.x[index])), int(self.y[index])


def per_sample(x: Tensor, y: Tensor, *transforms: Any) -> Iterator[Any]:
    """A shuffling DataLoader without workers, as ours."""
    data = PerSample(x, y, *transforms)
    return endless(torch.utils.data.DataLoader(data, batch_size=BATCH, shuffle=True))


def contest(
    plan: Plan,
    claim: tuple[str, str, Measure, float],
    ours: tuple[Iterator[Any], int],
    theirs: tuple[Iterator[Any], int],
) -> Contest:
    """Two ways to make the same batches.

    Args:
        plan: how to measure.
        claim: a name, what the other way is called, and what is claimed.
        ours: batches without end, and how many of them make a repeat.
        theirs: likewise.
    """
    name, other, measure, bound = claim

    def way(batches: Iterator[Any], count: int) -> float:
        start = plan.now()
        for _ in range(count):
            next(batches)
        return (plan.now() - start) / count

    next(ours[0]), next(theirs[0])
    ways = {"zoo": partial(way, *ours), other: partial(way, *theirs)}
    return Contest(ways, [Claim(name, "zoo", other, measure, bound)])


def grey(plan: Plan, samples: int) -> Iterator[Contest]:
    """Numbers the size of MNIST, as rows and as images."""
    from torchvision.transforms import Normalize, ToTensor

    x = torch.randint(0, 256, (samples, 784), dtype=torch.uint8)
    y = torch.randint(0, 10, (samples,))
    ours = partial(BatchLoader, batch_size=BATCH, transform=MNIST, shuffle=True)
    images = x.view(-1, 28, 28)
    name, count = "28x28 grey: gather, normalise", plan.size(400, 4)
    yield contest(
        plan,
        (name, "bare x[index]", LONGER, 1.3),
        (endless(ours(Split(x, y))), count),
        (bare(x, y), count),
    )
    usual = per_sample(images, y, ToTensor(), Normalize(*((value,) for value in GREY)))
    yield contest(
        plan,
        (name, "torchvision, PIL", FASTER, 50),
        (endless(ours(Split(images[:, None], y))), count),
        (usual, plan.size(10, 1)),
    )


def colour(plan: Plan, samples: int) -> Iterator[Contest]:
    """Numbers the size of CIFAR-10, cropped and flipped at random."""
    from torchvision.transforms import Normalize, RandomCrop, RandomHorizontalFlip, ToTensor

    x = torch.randint(0, 256, (samples, 3, 32, 32), dtype=torch.uint8)
    y = torch.randint(0, 10, (samples,))
    stack = A.Stack(
        {"crop": A.PadCrop(4), "flip": A.Flip()}, scale=CIFAR, view=lambda x: x, classes=10
    )
    ours = BatchLoader(Split(x, y), BATCH, augment=stack, shuffle=True)
    usual = (RandomCrop(32, padding=4), RandomHorizontalFlip(), ToTensor(), Normalize(MEAN, STD))
    channels_last = x.permute(0, 2, 3, 1).contiguous()
    yield contest(
        plan,
        ("32x32 colour: crop, flip, normalise", "torchvision, PIL", FASTER, 15),
        (endless(ours), plan.size(100, 2)),
        (per_sample(channels_last, y, *usual), plan.size(5, 1)),
    )


def contests(plan: Plan) -> Iterator[Contest]:
    """Batches of the loader against the bare minimum and torchvision's pipeline."""
    torch.manual_seed(0)
    samples = plan.size(60_000, 1_000)
    yield from grey(plan, samples)
    yield from colour(plan, samples)


def run(plan: Plan) -> Part:
    """Hold them."""
    return held(contests(plan), plan, ["a batch of 128 from memory, shuffled; no workers anywhere"])
