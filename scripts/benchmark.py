"""What the zoo costs beside the bare minimum and the usual way, side by side in one process.

python scripts/benchmark.py data                  a table of medians and ratios
python scripts/benchmark.py data --json data.json  and the numbers as a file
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from zoo.data import BatchLoader, Split
from zoo.data import augmentation as A
from zoo.data.scaling import Scaling

BATCH = 128
MNIST = Scaling(torch.tensor(0.1307 * 255), torch.tensor(0.3081 * 255))
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
CIFAR = Scaling(*(255 * torch.tensor(numbers).view(3, 1, 1) for numbers in (MEAN, STD)))


class Contest(NamedTuple):
    """Two ways to make the same batches."""

    name: str
    other: str  # what ours is measured against
    ours: Iterator[Any]
    theirs: Iterator[Any]
    ours_batches: int  # of one repeat
    theirs_batches: int
    target: float  # the largest ratio ours / theirs, or the smallest theirs / ours
    faster: bool  # whether it is the latter


def endless(loader: Any) -> Iterator[Any]:
    """Epoch after epoch."""
    while True:
        yield from loader


def bare(x: Tensor, y: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """The least there is to do: shuffle, gather, normalise."""
    mean, std = 0.1307 * 255, 0.3081 * 255
    while True:
        order = torch.randperm(len(x))
        for index in order.split(BATCH):
            yield (x[index].float() - mean) / std, y[index]


class PerSample(torch.utils.data.Dataset[Any]):
    """The usual way, as torchvision's own data sets: an array, an image, transforms."""

    def __init__(self, x: Tensor, y: Tensor, transform: Callable[[Any], Tensor]) -> None:
        self.x = x.numpy()
        self.y = y
        self.transform = transform

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        from PIL import Image

        return self.transform(Image.fromarray(self.x[index])), int(self.y[index])


def per_sample(x: Tensor, y: Tensor, *transforms: Any) -> Iterator[Any]:
    """A shuffling DataLoader without workers, as ours."""
    from torchvision.transforms import Compose

    data = PerSample(x, y, Compose(transforms))
    return endless(torch.utils.data.DataLoader(data, batch_size=BATCH, shuffle=True))


def grey(samples: int) -> Iterator[Contest]:
    """Numbers the size of MNIST, as rows and as images."""
    from torchvision.transforms import Normalize, ToTensor

    x = torch.randint(0, 256, (samples, 784), dtype=torch.uint8)
    y = torch.randint(0, 10, (samples,))
    ours = partial(BatchLoader, batch_size=BATCH, transform=MNIST, shuffle=True)
    rows, images = Split(x, y), x.view(-1, 28, 28)
    yield Contest(
        "28x28 grey: gather, normalise", "bare x[idx]",
        endless(ours(rows)), bare(x, y), 400, 400, 1.3, False,
    )  # fmt: skip
    yield Contest(
        "28x28 grey: gather, normalise", "torchvision, PIL",
        endless(ours(Split(images[:, None], y))),
        per_sample(images, y, ToTensor(), Normalize((0.1307,), (0.3081,))), 400, 10, 50, True,
    )  # fmt: skip


def colour(samples: int) -> Iterator[Contest]:
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
    yield Contest(
        "32x32 colour: crop, flip, normalise", "torchvision, PIL",
        endless(ours), per_sample(channels_last, y, *usual), 100, 5, 15, True,
    )  # fmt: skip


def seconds(batches: Iterator[Any], count: int) -> float:
    """Wall time of one batch, the mean of so many."""
    start = time.perf_counter()
    for _ in range(count):
        next(batches)
    return (time.perf_counter() - start) / count


def measure(contest: Contest, repeats: int) -> dict[str, Any]:
    """Both ways in turn, so that what else the machine does meets both; medians."""
    next(contest.ours), next(contest.theirs)
    ours, theirs = [], []
    for _ in range(repeats):
        ours.append(seconds(contest.ours, contest.ours_batches))
        theirs.append(seconds(contest.theirs, contest.theirs_batches))
    mine, other = statistics.median(ours), statistics.median(theirs)
    ratio = other / mine if contest.faster else mine / other
    met = ratio >= contest.target if contest.faster else ratio <= contest.target
    return {
        "name": contest.name,
        "against": contest.other,
        "ours_ms": 1e3 * mine,
        "theirs_ms": 1e3 * other,
        "ratio": ratio,
        "target": f"{'>=' if contest.faster else '<='} {contest.target:g}",
        "met": met,
        "repeats": repeats,
    }


def data(repeats: int, samples: int) -> list[dict[str, Any]]:
    """Batches of the loader against the bare minimum and torchvision's pipeline."""
    torch.manual_seed(0)
    return [
        measure(contest, repeats) for contests in (grey, colour) for contest in contests(samples)
    ]


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as a person reads them."""
    lines = [f"{'batch of 128':37}{'against':19}{'ours ms':>9}{'theirs':>9}{'ratio':>8}  target"]
    for row in rows:
        kind = "x faster" if row["target"].startswith(">") else "x as long"
        lines.append(
            f"{row['name']:37}{row['against']:19}{row['ours_ms']:9.3f}{row['theirs_ms']:9.3f}"
            f"{row['ratio']:8.2f}  {row['target']} {kind}{'' if row['met'] else ' (missed)'}"
        )
    repeats, threads = rows[0]["repeats"], torch.get_num_threads()
    return "\n".join([*lines, f"medians of {repeats} interleaved repeats, {threads} threads"])


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["data"])
    parser.add_argument("--repeats", type=int, default=9, help="at least 5")
    parser.add_argument("--samples", type=int, default=60_000)
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    chosen = parser.parse_args(words)
    if chosen.repeats < 5:
        parser.error(f"--repeats must be at least 5, got {chosen.repeats}")
    rows = data(chosen.repeats, chosen.samples)
    print(table(rows))
    if chosen.json:
        about = {"torch": torch.__version__, "threads": torch.get_num_threads()}
        chosen.json.write_text(json.dumps({**about, "data": rows}, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
