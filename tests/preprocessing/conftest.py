"""What these tests share: preprocessing as it comes back from a file."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from zoo.data import DataModule, Split
from zoo.preprocessing import Inputs, Preprocessing


@pytest.fixture
def restored() -> Callable[..., Preprocessing]:
    """A function (data, **how) -> its preprocessing, written to JSON and read again."""

    def through(data: DataModule, **how: Any) -> Preprocessing:
        data.setup()
        rules = data.preprocessing(**how)
        assert rules is not None
        return Preprocessing.of(json.loads(json.dumps(rules.plain(), allow_nan=False)))

    return through


@pytest.fixture
def check(restored: Callable[..., Preprocessing]) -> Callable[..., Inputs]:
    """A function (data, raw samples of the test split) that fails unless all bits are training's.

    All at once, one by one, and in two halves: what stands beside a sample must not matter.
    """

    def bits(inputs: Inputs, data: DataModule, split: Split) -> None:
        part = split.trimmed() if data.view in ("sequence", "rows", "pixels", "tokens") else split
        wanted = data.serve(part.x)
        assert inputs.x.dtype == wanted.dtype and inputs.x.shape == wanted.shape
        assert torch.equal(inputs.x, wanted)
        if split.lengths is not None and data.view in ("sequence", "tokens"):
            assert inputs.lengths is not None and inputs.lengths.dtype == torch.int64
            assert inputs.lengths.tolist() == split.lengths.tolist()

    def compare(data: DataModule, samples: Sequence[Any]) -> Inputs:
        rules = restored(data).input
        split = data.splits["test"]
        assert len(samples) == len(split.x)
        inputs = rules.batch(samples)
        bits(inputs, data, split)
        for part in (slice(0, 1), slice(len(samples) // 2, None)):
            chosen = torch.arange(len(samples))[part]
            bits(rules.batch(list(samples)[part]), data, split.take(chosen))
        return inputs

    return compare
