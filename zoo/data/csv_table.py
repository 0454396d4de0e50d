"""Tables in csv files: numeric and categorical columns, one of them to predict."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from zoo.data.base import DataModule
from zoo.data.checks import one_of
from zoo.data.column_encoders import Categories, Numbers
from zoo.data.csv_reader import Csv, check_separator, read_csv
from zoo.data.loader import Split
from zoo.data.paths import given, located
from zoo.data.splits import stratified
from zoo.preprocessing import Input, Output, Scaling, TableInput, Values
from zoo.preprocessing.columns import fitted, is_missing, number, scaled
from zoo.preprocessing.views import TABLE

# So many of its cells make a column one of numbers; a cell that is none is then a mistake.
MOSTLY = 0.9


class Table(DataModule):
    """Classes or values from the columns of a csv file.

    Numeric columns are scaled by the training rows; a missing number is their median, and a column
    of its own says where (of columns in which training has missing ones). Categories are one-hot, a
    missing value being a category; those that training has never seen, or once, share one more.
    Missing is an empty cell, ?, -, NA, N/A, NaN, null or None. The target of a regression is
    standardised, and errors are in its own units.

    Args:
        root: where relative paths start; None is the current folder.
        path: a csv file, gzip or not.
        target: the column to predict.
        task: "classification" or "regression".
        test_path: a file to test on, laid out alike; None keeps a part of `path`.
        names: of the columns, if the files have no header.
        categorical: the columns that are categories, all others being numbers; None finds out from
            `path`: a column of numbers is one that holds almost nothing else.
        drop: columns to leave out, such as a row's number.
        separator: between columns; None is a tab for .tsv, else a comma.
        label_suffix: the end of class labels that does not count, such as the dot of adult.test.
        target_unit: the unit of a regression's errors, in units of the file.
        val: share of the rows of `path` for validation; stratified for classes.
        test: share of the rows of `path` for the test, if there is no `test_path`.

    The other arguments are those of `DataModule`; `scaling` can be "quantile" too, which gives each
    numeric column a normal distribution.

    Shapes:
        x (B, F) float32, y (B,) int64 or (B, 1) float32
    """

    name = "table"
    kind = TABLE
    tasks: ClassVar[dict[str, str]] = {"classification": "classes", "regression": "values"}
    scalings = ("standard", "quantile", "unit", "none")
    scaled_by_read = True  # numbers alone, not categories

    def __init__(
        self,
        *,
        root: str | None = None,
        path: str | None = None,
        target: str | None = None,
        task: str = "classification",
        test_path: str | None = None,
        names: Sequence[str] | None = None,
        categorical: Sequence[str] | None = None,
        drop: Sequence[str] = (),
        separator: str | None = None,
        label_suffix: str = "",
        target_unit: float = 1.0,
        val: float = 0.1,
        test: float = 0.2,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        one_of("table", tuple(self.tasks), task=task)
        check_separator(separator)
        check_numbers(target_unit=target_unit, val=val, test=test)
        self.target = self.tasks[task]
        self.path = located(root, path)
        self.test_path = located(root, test_path)
        self.column = target
        self.header = names
        self.categorical = categorical
        self.drop = list(drop)
        self.separator = separator
        self.label_suffix = label_suffix
        self.target_unit = target_unit
        self.shares = {"val": val, "test": test}
        if self.path:
            self.name = self.path.name.split(".")[0] or self.name

    def read(self) -> dict[str, Split]:
        """Reads one file or two, and encodes their columns as those of the training rows."""
        file = self._open(given(self.path, "a csv file"))
        other = self._open(self.test_path) if self.test_path else None
        if self.column is None:
            raise ValueError(
                f"`target` must name the column of {file.path} to predict, got None; "
                f"data.target= one of {', '.join(file.columns)}"
            )
        labels = self._classes(file, other) if self.target == "classes" else None
        values = None if labels else self._numbers_of_target(file, other)
        parts = self._rows(file, labels[0] if labels else torch.zeros(len(file.lines)))
        encoders = self._encoders(file, parts["train"])
        self.columns = [encoder.column for encoder in encoders]
        sources = {name: (file, rows) for name, rows in parts.items()}
        if other:
            sources["test"] = (other, np.arange(len(other.lines)))
        if values is not None:
            shift, scale = fitted(values[0][parts["train"]], "standard")
            self.target_scaling = Scaling(*(torch.from_numpy(v).float() for v in (shift, scale)))
            values = [scaled(part, shift, scale) for part in values]
        inputs = [
            np.concatenate([encode(source) for encode in encoders], axis=1)
            for source in (file, *([other] if other else []))
        ]
        outputs = labels or [torch.from_numpy(part) for part in values or ()]
        splits = {}
        for name, (source, rows) in sources.items():
            x, y = inputs[source is other], outputs[source is other]
            splits[name] = Split(torch.from_numpy(x[rows]), y[torch.from_numpy(rows)])
        return splits

    def way_in(self) -> Input:
        """Rows by the names of their columns."""
        return TableInput(self.columns, self.input_scaling)

    def units(self) -> Scaling:
        """Those of numbers are the file's."""
        parts = zip(*(column.units for column in self.columns), strict=True)
        return Scaling(*(torch.tensor([n for column in part for n in column]) for part in parts))

    def way_out(self, point: str) -> Output:
        """A class, or a value in the units of the file."""
        if self.target == "classes":
            return super().way_out(point)
        units = Scaling(*(part * self.target_unit for part in self.target_scaling))
        return Values(units, point=point)

    def _open(self, path: Path) -> Csv:
        return read_csv(path, names=self.header, separator=self.separator)

    def _rows(self, file: Csv, labels: Tensor) -> dict[str, np.ndarray]:
        """Which rows of the first file belong to which split."""
        shares = self.shares if not self.test_path else {**self.shares, "test": 0.0}
        indices = stratified(labels, **shares, seed=self.split_seed)
        parts = {name: rows.numpy() for name, rows in indices._asdict().items()}
        if self.test_path:
            del parts["test"]
        for name, rows in parts.items():
            if len(rows) == 0:
                raise ValueError(
                    f"{file.path}: {len(labels)} rows of {len(labels.unique())} classes leave "
                    f"none for {name}"
                )
        return parts

    def _classes(self, file: Csv, other: Csv | None) -> list[Tensor]:
        """The class ids of both files; the first one has all classes."""
        files = [file, *([other] if other else [])]
        cells = [
            [cell.removesuffix(self.label_suffix).strip() for cell in f.cells(str(self.column))]
            for f in files
        ]
        for source, labels in zip(files, cells, strict=True):
            missing = [row for row, label in enumerate(labels) if is_missing(label)]
            if missing:
                where = source.place(str(self.column))(missing[0])
                raise ValueError(f"{where}: {len(missing)} labels are missing, the first one here")
        self.class_names = in_order(cells[0])
        if not 2 <= len(self.class_names) <= len(cells[0]) / 2:
            raise ValueError(
                f"{file.path}, column {self.column!r}: {len(self.class_names)} classes in "
                f"{len(cells[0])} rows; are they numbers, for data.task=regression?"
            )
        ids = {label: index for index, label in enumerate(self.class_names)}
        for source, labels in zip(files, cells, strict=True):
            strange = next((row for row, label in enumerate(labels) if label not in ids), None)
            if strange is not None:
                raise ValueError(
                    f"{source.place(str(self.column))(strange)}: the label {labels[strange]!r} is "
                    f"not in {file.path}, which has {', '.join(self.class_names[:20])}"
                )
        return [torch.tensor([ids[label] for label in labels]) for labels in cells]

    def _numbers_of_target(self, file: Csv, other: Csv | None) -> list[np.ndarray]:
        files = [file, *([other] if other else [])]
        values = [f.values(str(self.column), "target")[:, None] for f in files]
        return [part / self.target_unit for part in values]

    def _encoders(self, file: Csv, train: np.ndarray) -> list[Numbers | Categories]:
        """What turns each column into numbers, fitted on the training rows."""
        for argument, listed in (("drop", self.drop), ("categorical", self.categorical or ())):
            for name in listed:
                file.cells(name, argument)
        names = [name for name in file.columns if name not in (self.column, *self.drop)]
        if not names:
            raise ValueError(f"{file.path} has no column but the target {self.column!r}")
        return [
            Categories(file, name, train)
            if self._is_categorical(file, name)
            else Numbers(file, name, train, self.scaling, self.split_seed)
            for name in names
        ]

    def _is_categorical(self, file: Csv, name: str) -> bool:
        if self.categorical is not None:
            return name in self.categorical
        counts = Counter(file.columns[name])
        present = {cell: count for cell, count in counts.items() if not is_missing(cell)}
        if not present:
            raise ValueError(
                f"{file.path}, column {name!r}: all values are missing; data.drop=[{name}]"
            )
        numeric = sum(count for cell, count in present.items() if number(cell) is not None)
        share = numeric / sum(present.values())
        if MOSTLY <= share < 1:
            row = next(
                r for r, c in enumerate(file.columns[name]) if c in present and number(c) is None
            )
            raise ValueError(
                f"{file.place(name)(row)}: {file.columns[name][row][:40]!r} is not a number, as "
                "almost all others are; correct it, leave it empty, or list the columns that are "
                "categories: data.categorical=[…]"
            )
        return share < 1


def check_numbers(*, target_unit: float, val: float, test: float) -> None:
    """Raises ValueError for a unit that is none, and for shares that leave nothing."""
    if not 0 < target_unit < np.inf:
        raise ValueError(f"`target_unit` must be a positive number, got {target_unit}")
    for name, share in (("val", val), ("test", test)):
        if not 0 < share < 1:
            raise ValueError(f"`{name}` must be a share between 0 and 1, got {share}")
    if val + test >= 1:
        raise ValueError(f"`val` + `test` must leave rows to train on, got {val} + {test}")


def in_order(labels: Sequence[str]) -> list[str]:
    """Each label once, numbers by size and words by the alphabet."""
    found = set(labels)
    by_size = all(number(label) is not None for label in found)
    return sorted(found, key=lambda label: (number(label) or 0.0 if by_size else 0.0, label))
