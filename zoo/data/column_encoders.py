"""What turns a column of text into inputs, fitted on training rows."""

from collections import Counter

import numpy as np

from zoo.data.csv_reader import Csv
from zoo.preprocessing.columns import fitted, is_missing
from zoo.preprocessing.tables import MOST_CATEGORIES, CategoryColumn, NumberColumn


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
        values = file.values(name, "drop", allow_missing=True)[train]
        missing = np.isnan(values)
        median = 0.0 if missing.all() else float(np.median(values[~missing]))
        filled = np.where(missing, median, values)[:, None]
        quantiles = None
        if scaling == "quantile":
            from sklearn.preprocessing import QuantileTransformer

            transformer = QuantileTransformer(
                n_quantiles=min(1_000, len(filled)),
                output_distribution="normal",
                random_state=seed % 2**32,
            )
            quantiles = transformer.fit(filled).quantiles_[:, 0]
        shift, scale = fitted(filled, "none" if scaling == "quantile" else scaling)
        self.column = NumberColumn(
            name,
            shift=float(shift[0]),
            scale=float(scale[0]),
            median=median,
            indicator=bool(missing.any()),
            quantiles=quantiles,
        )

    def __call__(self, file: Csv) -> np.ndarray:
        """The column of a file laid out alike, (rows, 1 or 2) float32."""
        values = file.values(self.column.name, "drop", allow_missing=True)
        return self.column.encode_values(values)


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
        cells = [category(cell) for cell in file.cells(name, "categorical")]
        counts = Counter(cells[row] for row in train)
        if len(counts) > MOST_CATEGORIES:
            raise ValueError(
                f"{file.path}, column {name!r}: {len(counts):,} categories in {len(train):,} rows, "
                f"more than {MOST_CATEGORIES:,}; leave it out with data.drop=[{name}]"
            )
        kept = sorted(cell for cell, count in counts.items() if count > 1)
        self.column = CategoryColumn(name, kept)

    def __call__(self, file: Csv) -> np.ndarray:
        """The column of a file laid out alike, (rows, categories + 1) float32."""
        return self.column.encode(file.cells(self.column.name, "path"))


def category(cell: str) -> str:
    """A cell as a category; all that is missing is one."""
    return "" if is_missing(cell) else cell
