"""Time series to classify, in the files of the UCR and UEA archives."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo.data.base import DataModule
from zoo.data.loader import Split
from zoo.data.paths import given, located
from zoo.data.ts_reader import Sequences, read_ts, read_tsv
from zoo.preprocessing import ArrayInput, Input, Scaling
from zoo.preprocessing.columns import fitted, scaled
from zoo.preprocessing.views import SEQUENCE

READERS = {".tsv": read_tsv, ".ts": read_ts}


class UCR(DataModule):
    """A set of the UCR or UEA archive (Dau 2019; Bagnall 2018), of one or more variables.

    The official test split is kept. Validation is carved from the official training split, class by
    class; those are small, so that the share is a large one, and one sample of each class stays in
    training whatever it is. Sequences of different lengths are padded to the longest of all splits
    with what scaling makes zero, and served with their lengths, which only recurrent nets read.
    Each variable is scaled by the steps of the training split.

    Args:
        root: where relative paths start; None is the current folder.
        path: <folder>/<Name>, where <Name>_TRAIN and <Name>_TEST are, as .tsv or .ts, gzip or not;
            or a folder <Name> that holds them.
        val: share of the official training split for validation.

    The other arguments are those of `DataModule`.

    Shapes:
        x (B, T, variables) float32, y (B,) int64
    """

    name = "ucr"
    kind = SEQUENCE
    views = tuple(SEQUENCE.views)
    scaled_by_read = True  # by steps that are not padding

    def __init__(
        self,
        *,
        root: str | None = None,
        path: str | None = None,
        val: float = 0.2,
        batch_size: int = 32,
        view: str = "sequence",
        **settings: Any,
    ) -> None:
        super().__init__(batch_size=batch_size, view=view, **settings)
        if not 0 < val < 1:
            raise ValueError(f"`val` must be a share between 0 and 1, got {val}")
        self.path = located(root, path)
        self.val = val
        if self.path:
            self.name = self.path.name or self.name

    def read(self) -> dict[str, Split]:
        """Reads both files, divides the training part, scales and pads."""
        files = find(given(self.path, "a data set as <folder>/<Name>"))
        train, test = (READERS[Path(file.name.removesuffix(".gz")).suffix](file) for file in files)
        self.class_names = train.classes
        labels = [self._ids(part, files[0]) for part in (train, test)]
        variables = train.samples[0].shape[1]
        if test.samples[0].shape[1] != variables:
            raise ValueError(
                f"{test.path} has {test.samples[0].shape[1]} dimensions, {train.path} {variables}"
            )
        steps = max(len(sample) for sample in (*train.samples, *test.samples))
        indices = torch.arange(len(train.samples))
        parts = self.divide(indices, labels[0], val=self.val)
        if len(parts["val"].y) == 0:
            raise ValueError(
                f"{train.path}: {len(indices)} samples of {len(train.classes)} classes leave none "
                "for validation"
            )
        chosen = [train.samples[i] for i in parts["train"].x.tolist()]
        shift, scale = fitted(np.concatenate(chosen), self.scaling)
        self.fitted = Scaling(torch.from_numpy(shift), torch.from_numpy(scale))
        one_length = {len(sample) for sample in (*train.samples, *test.samples)} == {steps}

        def padded(samples: list[np.ndarray], y: Tensor) -> Split:
            x = np.zeros((len(samples), steps, variables), np.float32)
            for row, sample in zip(x, samples, strict=True):
                row[: len(sample)] = scaled(sample, shift, scale)
            lengths = torch.tensor([len(sample) for sample in samples])
            return Split(torch.from_numpy(x), y, None if one_length else lengths)

        splits = {
            name: padded([train.samples[i] for i in part.x.tolist()], part.y)
            for name, part in parts.items()
        }
        return {**splits, "test": padded(test.samples, labels[1])}

    def way_in(self) -> Input:
        """Sequences of one length, or of any."""
        train = self.splits["train"]
        ragged = train.lengths is not None
        return ArrayInput(train.x.shape[1:], view=self.view, scaling=self.fitted, any_length=ragged)

    def units(self) -> Scaling:
        """Those of the files."""
        return Scaling(*(part.float() for part in self.fitted))

    def _ids(self, part: Sequences, source: Path) -> Tensor:
        known = {label: index for index, label in enumerate(self.class_names or ())}
        for label, line in zip(part.labels, part.lines, strict=True):
            if label not in known:
                raise ValueError(
                    f"{part.path}, line {line}: the label {label!r} is not in {source}, which has "
                    f"{', '.join(known)}"
                )
        return torch.tensor([known[label] for label in part.labels])


def find(path: Path) -> tuple[Path, Path]:
    """The files of the training and of the test part.

    Raises:
        FileNotFoundError: there are none of one kind.
    """
    for stem in (path, path / path.name):
        for suffix in (".tsv", ".ts"):
            pair = []
            for part in ("_TRAIN", "_TEST"):
                names = [stem.with_name(f"{stem.name}{part}{suffix}{gz}") for gz in ("", ".gz")]
                pair += [file for file in names if file.is_file()][:1]
            if len(pair) == 2:
                return pair[0], pair[1]
    raise FileNotFoundError(
        f"{path}_TRAIN and {path}_TEST must both be there, as .tsv or .ts (or with .gz); "
        "path is <folder>/<Name>"
    )
