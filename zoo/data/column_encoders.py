"""What turns a column of text into inputs, fitted on training rows."""

from collections import Counter
from typing import Any

import numpy as np

from zoo.data.columns import fitted, is_missing, scaled
from zoo.data.csv_reader import Csv

# A net on one-hot inputs cannot learn from more; such a column is usually a name or a key.
MOST_CATEGORIES = 1_000


class Numbers:
    """A column of numbers, scaled, and one more that says where they are missing.

    Args:
        file: the table that has the training rows.
        name: of the column.
        train: the training rows.
        scaling: "standard", "quantile", "unit" or "none".
        seed: of the quantiles, which come from a sample of a long column.
    """

    def __init__(
        self, file: Csv, name: str, train: np.ndarray, scaling: str, seed: int = 0
    ) -> None:
        self.name = name
        values = file.values(name, "drop", allow_missing=True)[train]
        missing = np.isnan(values)
        self.indicator = bool(missing.any())
        self.median = 0.0 if missing.all() else float(np.median(values[~missing]))
        filled = np.where(missing, self.median, values)[:, None]
        self.quantiles: Any = None
        if scaling == "quantile":
            from sklearn.preprocessing import QuantileTransformer

            self.quantiles = QuantileTransformer(
                n_quantiles=min(1_000, len(filled)),
                output_distribution="normal",
                random_state=seed % 2**32,
            ).fit(filled)
        self.shift, self.scale = fitted(filled, "none" if scaling == "quantile" else scaling)

    def __call__(self, file: Csv) -> np.ndarray:
        """The column of a file laid out alike, (rows, 1 or 2) float32."""
        values = file.values(self.name, "drop", allow_missing=True)
        missing = np.isnan(values)
        filled = np.where(missing, self.median, values)[:, None]
        if self.quantiles is not None:
            filled = self.quantiles.transform(filled)
        columns = [scaled(filled, self.shift, self.scale)]
        if self.indicator:
            columns.append(missing[:, None].astype(np.float32))
        return np.concatenate(columns, axis=1)


class Categories:
    """A column of categories, one-hot; the last bit is shared by those not worth one.

    Those are the categories that training has seen once or never: seen once they train the bit
    that the never seen will set.

    Args:
        file: the table that has the training rows.
        name: of the column.
        train: the training rows.

    Raises:
        ValueError: there are too many.
    """

    def __init__(self, file: Csv, name: str, train: np.ndarray) -> None:
        self.name = name
        cells = [category(cell) for cell in file.cells(name, "categorical")]
        counts = Counter(cells[row] for row in train)
        if len(counts) > MOST_CATEGORIES:
            raise ValueError(
                f"{file.path}, column {name!r}: {len(counts):,} categories in {len(train):,} rows, "
                f"more than {MOST_CATEGORIES:,}; leave it out with data.drop=[{name}]"
            )
        kept = sorted(cell for cell, count in counts.items() if count > 1)
        self.bits = {cell: index for index, cell in enumerate(kept)}

    def __call__(self, file: Csv) -> np.ndarray:
        """The column of a file laid out alike, (rows, categories + 1) float32."""
        other = len(self.bits)
        bits = [self.bits.get(category(cell), other) for cell in file.cells(self.name, "path")]
        return np.eye(other + 1, dtype=np.float32)[bits]


def category(cell: str) -> str:
    """A cell as a category; all that is missing is one."""
    return "" if is_missing(cell) else cell
