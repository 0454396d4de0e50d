"""Your own arrays: from a file, or from Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch

from zoo.data.base import DataModule
from zoo.data.checks import one_of
from zoo.data.integrity import check_labels, check_pair, finite
from zoo.data.loader import Split
from zoo.data.npz import Arrays, read_arrays
from zoo.data.paths import absent, given, located
from zoo.data.shapes import (
    LAYOUTS,
    NAMES,
    arranged,
    as_array,
    as_labels,
    check_numbers,
    layout_of,
    pairs,
)
from zoo.preprocessing.views import IMAGE, SEQUENCE, TABLE


class ArraySet(DataModule):
    """What the sets of arrays share; a subclass says where they come from (`load`).

    The arrays are `x` and `y`, of which 70 % train, 10 % validate and 20 % test; or `x_train`,
    `y_train`, `x_test` and `y_test`, where a tenth of train validates unless there are `x_val` and
    `y_val`. Integers are classes, numbered from 0; fractions are values, one or several a sample.

    Args:
        layout: "chw" images (N, C, H, W), or grey (N, H, W); "hwc" images (N, H, W, C), or grey;
            "sequence" (N, T, F), or (N, T) for one feature. "auto" takes (N, F) for a table; (N, A,
            B) for grey images if they are bytes or square from 8 x 8, else for sequences; four axes
            for images, with channels where there are 1, 3 or 4 at one end.
        task: "classification", "regression" or, by the type of `y`, "auto".

    The other arguments are those of `DataModule`.
    """

    name = "arrays"
    kind = IMAGE._replace(medium="unknown")  # what a file has in particular shows once it is read
    views = tuple(IMAGE.views)
    # What each task's target is; None where only the data can tell.
    tasks: ClassVar[dict[str, str | None]] = {
        "auto": None,
        "classification": "classes",
        "regression": "values",
    }

    def __init__(self, *, layout: str = "auto", task: str = "auto", **settings: Any) -> None:
        super().__init__(**settings)
        one_of(self.name, LAYOUTS, layout=layout)
        one_of(self.name, tuple(self.tasks), task=task)
        self.layout = layout
        self.task = task

    def load(self) -> Arrays:
        """The arrays by name."""
        raise ValueError("no arrays were given")

    def read(self) -> dict[str, Split]:
        """Finds out what the arrays are, checks them, and splits what is not split."""
        arrays = self.load()
        parts = pairs(arrays)
        for x, y in parts:
            check_pair(x, y, arrays)
        inputs = self.inputs({x: arrays[x] for x, _ in parts})
        targets = self.targets({y: arrays[y] for _, y in parts})
        whole = [Split(torch.from_numpy(inputs[x]), targets[y]) for x, y in parts]
        if len(parts) == 1:
            splits = self.carve(*whole[0][:2])
        elif len(parts) == 2:
            splits = {**self.divide(*whole[0][:2]), "test": whole[1]}
        else:
            splits = dict(zip(("train", "test", "val"), whole, strict=True))
        for part, split in splits.items():
            if len(split.x) == 0:
                raise ValueError(f"{len(inputs[parts[0][0]])} samples are too few to have a {part}")
        if self.target == "classes":
            count = int(max(y.max() for y in targets.values())) + 1
            self.class_names = [str(index) for index in range(count)]
        return splits

    def inputs(self, arrays: Mapping[str, np.ndarray]) -> Arrays:
        """The inputs as stored: uint8, or float32; and what they are, for views and scaling."""
        names = list(arrays)
        for name, array in arrays.items():
            check_numbers(name, array)
            if array.shape[1:] != arrays[names[0]].shape[1:]:
                raise ValueError(
                    f"samples of {names[0]} and {name} must be of the same shape, got "
                    f"{arrays[names[0]].shape[1:]} and {array.shape[1:]}"
                )
        layout = layout_of(names[0], arrays[names[0]], self.layout)
        kind = {"table": TABLE, "sequence": SEQUENCE}.get(layout, IMAGE)
        if self.view not in kind.views:
            raise ValueError(
                f"data.view={self.view} needs images or sequences, but {names[0]} has the shape "
                f"{arrays[names[0]].shape} ({layout}), which offers {', '.join(kind.views)}; if it "
                "is something else, say so with data.layout"
            )
        bytes_only = all(array.dtype == np.uint8 for array in arrays.values())
        self.kind, self.limits = kind, (0.0, 255.0) if bytes_only and kind is IMAGE else None
        return {
            name: arranged(array if bytes_only else finite(name, array), layout)
            for name, array in arrays.items()
        }

    def targets(self, arrays: Mapping[str, np.ndarray]) -> dict[str, torch.Tensor]:
        """The targets as served: int64 (N,) or float32 (N, K)."""
        train = next(iter(arrays))
        for name, array in arrays.items():
            check_numbers(name, array)
        whole = all(array.dtype.kind in "iub" for array in arrays.values())
        classes = self.task == "classification" or (self.task == "auto" and whole)
        self.target, self.standardise_target = "classes" if classes else "values", not classes
        if classes:
            labels = {name: as_labels(name, array) for name, array in arrays.items()}
            check_labels(train, labels)
            return {name: torch.from_numpy(array) for name, array in labels.items()}
        values = {name: finite(name, array) for name, array in arrays.items()}
        for name, array in values.items():
            if array.ndim > 2 or array.shape[1:] != values[train].shape[1:]:
                raise ValueError(
                    f"{name} must be values (N,) or (N, K), as many for each sample, got the shape "
                    f"{array.shape}"
                )
        return {n: torch.from_numpy(array.reshape(len(array), -1)) for n, array in values.items()}


class ArrayFile(ArraySet):
    """Your own arrays from a file.

    Args:
        root: where relative paths start; None is the current folder.
        path: an `.npz` file or a folder of `.npy` files. Python objects inside are never unpickled.

    The other arguments, and the names and shapes of the arrays, are those of `ArraySet`.
    """

    def __init__(
        self, *, root: str | None = None, path: str | None = None, **settings: Any
    ) -> None:
        super().__init__(**settings)
        self.path = located(root, path)

    def load(self) -> Arrays:
        """Reads the file or folder."""
        path = given(self.path, "your .npz file or folder of .npy files")
        if not path.exists():
            raise absent(path)
        try:
            return read_arrays(path, [name for pair in NAMES for name in pair])
        except ValueError as error:
            raise ValueError(f"data.path={path}: {error}") from error


class ArrayData(ArraySet):
    """Your own arrays from Python: `ArrayData(x, y)`.

    Args:
        x: inputs: a numpy array, a tensor, or what becomes an array.
        y: targets: integers for classes, fractions for values.
        x_test: inputs of the test, if you have split the data.
        y_test: targets of the test.
        view: how a sample is offered; None for "vector", "image" or "sequence", as `x` is.

    The other arguments, and the shapes of the arrays, are those of `ArraySet`.
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        *,
        x_test: Any = None,
        y_test: Any = None,
        layout: str = "auto",
        view: str | None = None,
        **settings: Any,
    ) -> None:
        if (x_test is None) != (y_test is None):
            raise ValueError("`x_test` and `y_test` come together, got one of them")
        given = {"x": x, "y": y}
        if x_test is not None:
            given = {"x_train": x, "y_train": y, "x_test": x_test, "y_test": y_test}
        arrays = {name: as_array(value) for name, value in given.items()}
        one_of(self.name, LAYOUTS, layout=layout)
        if view is None:
            first = next(iter(arrays))
            found = layout_of(first, arrays[first], layout)
            view = {"table": "vector", "sequence": "sequence"}.get(found, "image")
        super().__init__(layout=layout, view=view, **settings)
        self.arrays = arrays

    def load(self) -> Arrays:
        """The arrays as given."""
        return self.arrays
