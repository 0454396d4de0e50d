"""Forecasting a series in a csv file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from zoo.data.base import DataModule
from zoo.data.checks import at_least
from zoo.data.csv_reader import Csv, check_separator, read_csv
from zoo.data.loader import Split
from zoo.data.paths import located
from zoo.data.sequences import Timeline
from zoo.preprocessing import Input, Output, Scaling, SeriesInput, Values
from zoo.preprocessing.columns import fitted, is_missing, number, scaled
from zoo.preprocessing.views import SEQUENCE


class Series(DataModule):
    """Forecasting: the next values of one or more columns of a csv file, from a window of the past.

    Rows are in order of time and equally far apart. The splits follow each other: first training,
    then validation, then test. Every value to forecast is in its own split; a window of validation
    or test may begin in the split before, whose values are known by then, as is usual for ETT
    (Zhou 2021). Columns, inputs and targets alike, are scaled by the training rows alone.

    Args:
        root: where relative paths start; None is the current folder.
        path: a csv file, gzip or not; None is the bundled one, 144 monthly totals of airline
            passengers from 1949 to 1960 (Box and Jenkins 1976).
        target: the column to forecast, or several; None is the only column of the bundled file.
        columns: what is seen of the past; None sees the target alone, "all" every column in which
            there is a number.
        window: rows seen.
        horizon: rows to forecast.
        stride: rows from one sample to the next.
        train: rows, or their share, to train on; None is what the others leave.
        val: rows, or their share, for validation.
        test: rows, or their share, for the test.
        relative: give inputs and targets as differences from the last row seen, for series that
            wander (Zeng 2023, "NLinear"); errors keep their meaning.
        period: rows of a season, for the seasonal baseline; None has none, but the bundled file 12.
        separator: between columns; None is a tab for .tsv, else a comma.

    The other arguments are those of `DataModule`; `scaling` is of the targets too.

    Shapes:
        x (B, window, columns) float32, y (B, horizon * targets) float32, row by row
    """

    name = "series"
    kind = SEQUENCE
    views = tuple(SEQUENCE.views)
    target = "values"
    scaled_by_read = True  # by rows, and not by the windows that overlap
    bundled: ClassVar[Path] = Path(__file__).parent / "files" / "airline-passengers.csv"

    def __init__(
        self,
        *,
        root: str | None = None,
        path: str | None = None,
        target: str | Sequence[str] | None = None,
        columns: str | Sequence[str] | None = None,
        window: int = 24,
        horizon: int = 12,
        stride: int = 1,
        train: int | float | None = None,
        val: int | float = 0.2,
        test: int | float = 0.2,
        relative: bool = False,
        period: int | None = None,
        separator: str | None = None,
        view: str = "sequence",
        **settings: Any,
    ) -> None:
        super().__init__(view=view, **settings)
        at_least(1, window=window, horizon=horizon, stride=stride)
        if period is not None:
            at_least(1, period=period)
        check_separator(separator)
        check_rows(train=train if train is not None else 1, val=val, test=test)
        self.path = located(root, path) or self.bundled
        self.targets = [target] if isinstance(target, str) else list(target or ())
        self.columns = [columns] if isinstance(columns, str) else list(columns or ())
        self.window = window
        self.horizon = horizon
        self.stride = stride
        self.rows = {"train": train, "val": val, "test": test}
        self.relative = relative
        self.period = period if period or path else 12
        self.separator = separator
        self.name = self.path.name.split(".")[0] or self.name
        self.starts: dict[str, np.ndarray] = {}  # of each split, the first row to forecast
        self.known = np.zeros((0, 0))  # the targets as they stand in the file

    def read(self) -> dict[str, Split]:
        """Reads the file, divides its rows and cuts windows."""
        file = read_csv(self.path, separator=self.separator)
        targets = self.targets or ([list(file.columns)[-1]] if self.path == self.bundled else [])
        if not targets:
            raise ValueError(
                f"`target` must name the column of {self.path} to forecast, got None; "
                f"data.target= one of {', '.join(file.columns)}"
            )
        inputs = self._inputs(file, targets)
        both = list(dict.fromkeys([*inputs, *targets]))
        if len(set(targets)) < len(targets) or len(set(inputs)) < len(inputs):
            raise ValueError(f"`target` and `columns` must name a column once, got {both}")
        values = np.column_stack(
            [file.values(name, "target" if name in targets else "columns") for name in both]
        )
        bounds = self._bounds(len(values))
        shift, scale = fitted(values[: bounds["train"][1]], self.scaling)
        rows = scaled(values, shift, scale)
        self.fitted = (both, len(inputs), [both.index(name) for name in targets], shift, scale)
        x, y = ([both.index(name) for name in part] for part in (inputs, targets))
        self.known = values[:, y]
        self.starts = {name: self._first_rows(name, *ends) for name, ends in bounds.items()}
        origin = 0.0 if self.relative else shift[y]
        self.target_scaling = Scaling(
            *(
                torch.from_numpy(np.tile(part, self.horizon)).float()
                for part in (np.broadcast_to(origin, len(y)), scale[y])
            )
        )
        return {name: self._cut(rows, at, x, y) for name, at in self.starts.items()}

    def _inputs(self, file: Csv, targets: list[str]) -> list[str]:
        if self.columns != ["all"]:
            return self.columns or targets
        numeric = [
            name
            for name, cells in file.columns.items()
            if any(not is_missing(cell) and number(cell) is not None for cell in cells)
        ]
        if not numeric:
            raise ValueError(f"{self.path}: no column has a number in it")
        return numeric

    def _bounds(self, rows: int) -> dict[str, tuple[int, int]]:
        """The first row of each split and the one after its last."""
        counts = {
            name: round(rows * part) if isinstance(part, float) else part
            for name, part in self.rows.items()
        }
        val, test = counts["val"] or 0, counts["test"] or 0
        train = rows - val - test if counts["train"] is None else counts["train"]
        if train < 1 or train + val + test > rows:
            raise ValueError(
                f"`train`, `val` and `test` ask for {counts['train'] or 'some'}, {val} and {test} "
                f"rows, but {self.path} has {rows}"
            )
        return {
            "train": (0, train),
            "val": (train, train + val),
            "test": (train + val, train + val + test),
        }

    def _first_rows(self, name: str, start: int, end: int) -> np.ndarray:
        """The first row to forecast, of every sample of a split."""
        first = np.arange(max(start, self.window), end - self.horizon + 1, self.stride)
        if len(first) == 0:
            raise ValueError(
                f"{self.path}: `window` + `horizon` = {self.window} + {self.horizon} rows do not "
                f"fit the {end - start} rows of {name}"
                + (f", which begin at row {start}" if start else "")
            )
        return first

    def _cut(self, rows: np.ndarray, at: np.ndarray, x: list[int], y: list[int]) -> Split:
        past = rows[at[:, None] + np.arange(-self.window, 0)][:, :, x]  # (N, window, columns)
        future = rows[at[:, None] + np.arange(self.horizon)][:, :, y]  # (N, horizon, targets)
        if self.relative:
            last = rows[at - 1]
            past, future = past - last[:, None, x], future - last[:, None, y]
        return Split(torch.from_numpy(past), torch.from_numpy(future).flatten(1))

    def way_in(self) -> Input:
        """The last rows of the columns seen, and of those to forecast."""
        columns, seen, targets, shift, scale = self.fitted
        return SeriesInput(
            columns,
            seen=seen,
            targets=targets,
            window=self.window,
            shift=shift,
            scale=scale,
            relative=self.relative,
            view=self.view,
        )

    def units(self) -> Scaling:
        """Those of the columns seen; differences stay such."""
        _, seen, _, shift, scale = self.fitted
        origin = np.zeros(seen) if self.relative else shift[:seen]
        return Scaling(*(torch.from_numpy(part).float() for part in (origin, scale[:seen])))

    def way_out(self, point: str) -> Output:
        """The rows to come."""
        columns, _, targets, *_ = self.fitted
        return Values(self.target_scaling, point=point, names=[columns[i] for i in targets])

    def baselines(self) -> dict[str, float]:
        """Errors on the test split, in original units, of two forecasts that learn nothing.

        "rmse" and "mae" repeat the last row seen; with a period, "seasonal_rmse" and "seasonal_mae"
        repeat the row of one season before.
        """
        self.setup()
        at, ahead = self.starts["test"][:, None], np.arange(self.horizon)
        truth = self.known[at + ahead]  # (N, horizon, targets)
        errors = {"": truth - self.known[at - 1]}
        if self.period and at[0, 0] >= self.period:
            season = at - self.period + ahead % self.period
            errors["seasonal_"] = truth - self.known[season]
        return {
            f"{name}{key}": value
            for name, error in errors.items()
            for key, value in (
                ("rmse", float(np.sqrt(np.mean(error**2)))),
                ("mae", float(np.mean(np.abs(error)))),
            )
        }

    def timeline(self, split: str, index: int, y: Tensor) -> Timeline:
        """A sample of a split along time, with `y` (horizon * targets,), a net's output.

        The times are the rows of the file.
        """
        at, values = int(self.starts[split][index]), self.known[:, 0]
        shift, scale = (part.to(y) for part in self.target_scaling)
        forecast = (y * scale + shift).view(self.horizon, -1)[:, 0]
        if self.relative:
            forecast = forecast + values[at - 1]
        return Timeline(
            self.targets[0] if self.targets else self.name,
            at - self.window,
            values[at - self.window : at].tolist(),
            values[at : at + self.horizon].tolist(),
            forecast.tolist(),
        )


def check_rows(**parts: int | float) -> None:
    """Raises ValueError for a part of the rows that is neither a count nor a share."""
    for name, rows in parts.items():
        share = isinstance(rows, float) and 0 < rows < 1
        count = isinstance(rows, int) and not isinstance(rows, bool) and rows >= 1
        if not (share or count):
            raise ValueError(
                f"`{name}` must be a number of rows, or a share between 0 and 1, got {rows!r}"
            )
