"""Polyphonic music, frame by frame."""

import struct
import zlib
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from zoo.data.base import DataModule
from zoo.data.csv_reader import read_bytes
from zoo.data.loader import Split
from zoo.data.paths import given, located
from zoo.data.scaling import identity
from zoo.preprocessing import ArrayInput, Frames, Input, Output, Scaling
from zoo.preprocessing.views import SEQUENCE


class PianoRolls(DataModule):
    """Which notes sound in the next frame (Boulanger-Lewandowski 2012), split as published.

    Reads the .mat files of Bai 2018: JSB chorales, Nottingham, and others laid out alike. The
    target of a frame is the one after it, so that a piece of T frames has T - 1 predictions. With
    `loss=frame_nll` the loss is the published one: nats, summed over the notes of a frame and
    averaged over all frames predicted.

    Args:
        root: where relative paths start; None is the current folder.
        path: a .mat file with the cells `traindata`, `validdata` and `testdata`, one piece (T, 88)
            of zeros and ones in each.

    The other arguments are those of `DataModule`.

    Shapes:
        x (B, T, 88) float32, y (B, T, 88) float32, mask (B, T); shorter pieces are padded
    """

    name = "piano_rolls"
    kind = SEQUENCE
    views = ("sequence",)
    scalings = ("none",)
    target = "values"
    readout = "every"
    predicts_next = True
    keys: ClassVar[dict[str, str]] = {"train": "traindata", "val": "validdata", "test": "testdata"}

    def __init__(
        self,
        *,
        root: str | None = None,
        path: str | None = None,
        batch_size: int = 4,
        view: str = "sequence",
        scaling: str = "none",
        **settings: Any,
    ) -> None:
        super().__init__(batch_size=batch_size, view=view, scaling=scaling, **settings)
        self.path = located(root, path)
        if self.path:
            self.name = self.path.stem or self.name

    def read(self) -> dict[str, Split]:
        """Reads the file and pads the pieces of each split."""
        path = given(self.path, "a .mat file of piano rolls")
        content = load(path)
        pieces = {name: cells(content, key, path) for name, key in self.keys.items()}
        notes = {piece.shape[1] for part in pieces.values() for piece in part}
        if len(notes) > 1:
            raise ValueError(f"{path}: pieces of {sorted(notes)} notes; all must have the same")
        return {name: padded(part) for name, part in pieces.items()}

    def way_in(self) -> Input:
        """Frames of any number of steps."""
        exact = Scaling(*(part.double() for part in identity()))
        shape = self.splits["train"].x.shape[1:]
        return ArrayInput(shape, view=self.view, scaling=exact, any_length=True)

    def way_out(self, point: str) -> Output:
        """Which notes are likely at the next step."""
        return Frames(point=point)

    def baselines(self) -> dict[str, float]:
        """The frame NLL of the test split by how often each note sounds in training.

        A note's probability is (k + 1) / (n + 2), as one that training has never heard is still
        possible.
        """
        self.setup()
        train, test = (self.splits[name].targets().double() for name in ("train", "test"))
        sounding = (train.sum(0) + 1) / (len(train) + 2)
        nll = -(test * sounding.log() + (1 - test) * (-sounding).log1p())
        return {"loss": float(nll.sum(1).mean())}


def load(path: Path) -> dict[str, Any]:
    """The variables of a .mat file.

    Raises:
        OSError: there is no such file.
        ValueError: it is none, or damaged.
    """
    import io

    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    content = io.BytesIO(read_bytes(path))
    # What scipy's reader stumbles over in a file that is cut off or is something else.
    broken = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, MemoryError)
    try:
        return loadmat(content)
    except NotImplementedError as error:
        raise ValueError(f"{path} is of MATLAB 7.3; save it with -v7") from error
    except (*broken, OSError, EOFError, MatReadError, zlib.error, struct.error) as error:
        raise ValueError(f"{path} is not a .mat file, or is damaged ({error})") from error


def cells(content: dict[str, Any], key: str, path: Path) -> list[np.ndarray]:
    """The pieces of one variable, each (T, notes) uint8.

    Raises:
        ValueError: there is no such variable, or a piece is not a roll of zeros and ones.
    """
    if key not in content:
        names = ", ".join(name for name in content if not name.startswith("__"))
        raise ValueError(f"{path} has no variable {key!r}; it has {names or 'none'}")
    pieces = list(np.asarray(content[key]).ravel())
    if not pieces:
        raise ValueError(f"{path}: {key} is empty")
    for index, piece in enumerate(pieces, 1):
        where = f"{path}, {key}, piece {index}"
        numeric = isinstance(piece, np.ndarray) and piece.dtype.kind in "buif"
        if not numeric or piece.ndim != 2 or not piece.shape[1]:
            raise ValueError(f"{where}: it must be a matrix (frames, notes)")
        if len(piece) < 2:
            raise ValueError(f"{where}: {len(piece)} frames; there must be one to predict from")
        strange = (piece != 0) & (piece != 1)
        if strange.any():
            frame, note = np.argwhere(strange)[0]
            raise ValueError(
                f"{where}: {strange.sum()} values are neither 0 nor 1, the first one in frame "
                f"{frame + 1}, note {note + 1}: {piece[frame, note]}"
            )
    return [piece.astype(np.uint8) for piece in pieces]


def padded(pieces: list[np.ndarray]) -> Split:
    """Frames, the frames after them, and which of those there are."""
    lengths = torch.tensor([len(piece) - 1 for piece in pieces])
    shape = len(pieces), int(lengths.max()), pieces[0].shape[1]
    x, y = np.zeros(shape, np.uint8), np.zeros(shape, np.float32)
    for index, piece in enumerate(pieces):
        x[index, : len(piece) - 1] = piece[:-1]
        y[index, : len(piece) - 1] = piece[1:]
    mask = torch.arange(shape[1]) < lengths[:, None]
    return Split(torch.from_numpy(x), torch.from_numpy(y), lengths, mask)
