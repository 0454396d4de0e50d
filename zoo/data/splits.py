"""Seeded streams of random numbers, and the stratified split of a data set."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Indices(NamedTuple):
    """Which samples belong to which split, each part in random order."""

    train: Tensor
    val: Tensor
    test: Tensor


def generator(purpose: str, *key: int) -> torch.Generator:
    """A private generator for a key such as (seed, epoch).

    Neighbouring keys, and equal keys with different purposes, give independent numbers.
    """
    return torch.Generator().manual_seed(seed_of(purpose, *key))


def seed_of(purpose: str, *key: int) -> int:
    """The seed of that generator, 64 random bits."""
    state = np.random.SeedSequence([*purpose.encode(), *key]).generate_state(1, np.uint64)
    return int(state[0])


def stratified(labels: Tensor, *, val: float = 0.1, test: float = 0.2, seed: int = 0) -> Indices:
    """Deals the samples out so that every class has its share in every part.

    A part has ceil(fraction * samples) samples, and of each class the exact share rounded up or
    down. One sample of each class stays in training whatever the fractions, so parts can only be
    smaller when classes have fewer than about three samples.

    Args:
        labels: class of each sample (N,); all equal when there are no classes.
        val: fraction of all samples for validation.
        test: fraction of all samples for the test.
        seed: of the split, and of nothing else.

    Raises:
        ValueError: if a fraction is negative or nothing is left for training.
    """
    if val < 0 or test < 0 or val + test >= 1:
        raise ValueError(f"`val` and `test` must be >= 0 with a sum below 1, got {val} and {test}")
    _, classes, counts = labels.unique(return_inverse=True, return_counts=True)
    room = counts - 1
    testing = _share(counts, test, room)
    validating = _share(counts, val, room - testing)

    order = torch.randperm(len(labels), generator=generator("split", seed))
    rank = torch.empty_like(order)  # of a sample among those of its class
    for index in range(len(counts)):
        members = order[classes[order] == index]
        rank[members] = torch.arange(len(members))
    in_test = rank < testing[classes]
    in_val = ~in_test & (rank < (testing + validating)[classes])
    in_train = ~in_test & ~in_val
    # In `order` a part would begin with the classes whose share of the others is dealt out first.
    again = torch.randperm(len(labels), generator=generator("parts", seed))
    return Indices(*(again[part[again]] for part in (in_train, in_val, in_test)))


def few(targets: Tensor, count: int, *, seed: int = 0) -> Tensor:
    """Which samples to keep, in random order, of each class its share where one has a class.

    Args:
        targets: of all samples (N, ...); integers (N,) are classes.
        count: how many to keep.
        seed: of the choice.

    Raises:
        ValueError: there are not so many.
    """
    samples = len(targets)
    if not 1 <= count <= samples:
        raise ValueError(f"`train_samples` must be in 1..{samples}, got {count}")
    classified = targets.ndim == 1 and not targets.is_floating_point()
    labels = targets if classified else torch.zeros(samples)
    _, classes, counts = labels.unique(return_inverse=True, return_counts=True)
    share = _share(counts, count / samples, counts)
    order = torch.randperm(samples, generator=generator("few", seed))
    kept = [order[classes[order] == index][:number] for index, number in enumerate(share.tolist())]
    again = torch.randperm(count, generator=generator("few", seed, 1))
    return torch.cat(kept)[again]


def few_of_each(classes: Tensor, count: int, *, seed: int = 0) -> Tensor:
    """Which samples to keep for so many of each class: the first of those that `few` would keep.

    Args:
        classes: of all samples (N,), integers.
        count: how many of each to keep.
        seed: of the choice.

    Raises:
        ValueError: a class has not so many.
    """
    fewest = int(classes.unique(return_counts=True)[1].min())
    if not 1 <= count <= fewest:
        raise ValueError(
            f"`labels_per_class` must be in 1..{fewest}, the samples of the rarest class in "
            f"training, got {count}"
        )
    order = torch.randperm(len(classes), generator=generator("few", seed))
    found = classes[order]
    return torch.cat([order[found == label][:count] for label in found.unique()])


def _share(counts: Tensor, fraction: float, room: Tensor) -> Tensor:
    """How many of each class: the rounded-down quota, then one more by largest remainder."""
    total = int(np.ceil(round(fraction * int(counts.sum()), 6)))
    quota = counts.double() * total / counts.sum()
    share = torch.minimum(quota.floor().long(), room)
    candidates = torch.argsort(quota - share, descending=True, stable=True)
    candidates = candidates[(share < room)[candidates]]
    share[candidates[: total - int(share.sum())]] += 1
    return share
