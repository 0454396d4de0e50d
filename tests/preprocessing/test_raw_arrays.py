"""Raw samples of a user's own arrays, one by one, stacked and in lists: served as in training."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from zoo.data import ArrayData, ArrayFile

RANDOM = np.random.default_rng(0)
Check = Callable[..., Any]
# The default tests read stored samples, see test_as_in_training.py.
pytestmark = pytest.mark.slow

GREY, COLOUR = (20, 9, 9), (20, 3, 9, 8)
ARRAYS = [
    ("table", RANDOM.normal(size=(20, 4)), {}),
    ("bytes", RANDOM.integers(0, 256, (20, 4)).astype(np.uint8), {}),
    ("whole", RANDOM.integers(-9, 9, (20, 4)), {"scaling": "unit"}),
    ("line", RANDOM.normal(size=(20, 6)), {"layout": "sequence"}),
    *(
        ("sequence", RANDOM.normal(size=(20, 6, 2)), {"view": v})
        for v in ("sequence", "vector", "image")
    ),
    *(
        ("grey", RANDOM.integers(0, 256, GREY).astype(np.uint8), {"view": v, "scaling": "unit"})
        for v in ("image", "vector", "rows", "pixels", "sequence")
    ),
    ("grey floats", RANDOM.random(GREY).astype(np.float32), {}),
    ("chw", RANDOM.integers(0, 256, COLOUR).astype(np.uint8), {}),
    ("chw floats", RANDOM.normal(size=COLOUR), {"scaling": "unit"}),
    ("hwc", RANDOM.integers(0, 256, (20, 9, 8, 3)).astype(np.uint8), {"scaling": "none"}),
    ("hwc grey", RANDOM.random((20, 9, 9)), {"layout": "hwc"}),
    ("four", RANDOM.integers(0, 256, (20, 4, 9, 8)).astype(np.uint8), {}),
    ("five", RANDOM.random((20, 5, 9, 8)), {"layout": "chw"}),
    ("like text", RANDOM.random((20, 3, 4)), {"layout": "chw"}),
    ("long line", RANDOM.integers(0, 256, (20, 6)).astype(np.uint8), {"layout": "sequence"}),
]


@pytest.mark.parametrize("name, x, how", ARRAYS, ids=[f"{a[0]}-{a[2]}" for a in ARRAYS])
@pytest.mark.parametrize("target", ["classes", "values"])
def test_arrays(
    name: str, x: Any, how: dict[str, Any], target: str, tmp_path: Path, check: Check
) -> None:
    y = np.arange(20) % 2 if target == "classes" else RANDOM.normal(size=(20, 2))
    data = ArrayData(x, y, x_test=x[:7], y_test=y[:7], **how)
    check(data, list(x[:7]))
    np.savez(tmp_path / "own.npz", x_train=x, y_train=y, x_test=x[:7], y_test=y[:7])
    check(ArrayFile(path=str(tmp_path / "own.npz"), **{"view": data.view, **how}), list(x[:7]))


@pytest.mark.parametrize("name, x, how", ARRAYS, ids=[f"{a[0]}-{a[2]}" for a in ARRAYS])
def test_arrays_through_samples(
    name: str, x: Any, how: dict[str, Any], restored: Callable[..., Any]
) -> None:
    """As a user gives them: one by itself, several stacked, several in a list."""
    y = np.arange(20) % 2
    data = ArrayData(x, y, x_test=x[:7], y_test=y[:7], **how)
    rules = restored(data).input
    wanted = data.serve(data.splits["test"].x)
    for raw, count, single in ((x[0], 1, True), (x[:7], 7, False), (list(x[:7]), 7, False)):
        samples, one = rules.samples(raw)
        assert (len(samples), one) == (count, single)
        assert torch.equal(rules.batch(samples).x, wanted[:count])


def test_a_sample_of_a_tensor(check: Check) -> None:
    x, y = torch.rand(20, 4), torch.arange(20) % 2
    check(ArrayData(x, y, x_test=x[:5], y_test=y[:5]), list(x[:5]))
