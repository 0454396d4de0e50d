"""A folder of images, a subfolder for each class."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zoo.data.base import DataModule
from zoo.data.cache import cached
from zoo.data.checks import at_least, one_of
from zoo.data.integrity import check_labels
from zoo.data.loader import Split
from zoo.data.paths import given, located
from zoo.preprocessing.images import BROKEN, FITS, open_image
from zoo.preprocessing.views import IMAGE

SHOWN = 5  # of the names of broken files


class ImageFolder(DataModule):
    """Your own images: `path/<class>/<anything>.png`, jpg, and what else torchvision reads.

    Decoded and resized once, to a file `.zoo-….npz` in the folder. Links that lead out of the
    folder are refused. All images are held in memory: N * channels * size ** 2 bytes.

    Args:
        root: where relative paths start; None is the current folder.
        path: the folder; without a `test_path`, 70 % of it train, 10 % validate, 20 % test.
        test_path: a folder of the same classes for the test; a tenth of `path` then validates.
        size: of a side in pixels.
        channels: 3 in colour, 1 in grey.
        fit: "crop" makes the shorter side fit and cuts off what is too long at both ends; "stretch"
            changes the proportions.

    The other arguments are those of `DataModule`.
    """

    name = "image_folder"
    kind = IMAGE
    views = tuple(IMAGE.views)
    limits = (0.0, 255.0)

    def __init__(
        self,
        *,
        root: str | None = None,
        path: str | None = None,
        test_path: str | None = None,
        size: int = 32,
        channels: int = 3,
        fit: str = "crop",
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        at_least(1, size=size)
        if channels not in (1, 3):
            raise ValueError(f"`channels` must be 3 (colour) or 1 (grey), got {channels!r}")
        one_of(self.name, FITS, fit=fit)
        self.path = located(root, path)
        self.test_path = located(root, test_path)
        self.size = size
        self.channels = channels
        self.fit = fit

    def read(self) -> dict[str, Split]:
        """Decodes the images, or takes what was decoded before."""
        path = given(self.path, "the folder of your images")
        names = subfolders(path)
        self.class_names = names
        train = self.decoded(path, names)
        labels = {"y": train[1].numpy()}
        if self.test_path is None:
            check_labels("y", labels, len(names))
            splits = self.carve(*train)
            if min(len(split.x) for split in splits.values()) == 0:
                raise ValueError(
                    f"{path} has {len(train[0])} images, too few for train, validation and "
                    "test; add some"
                )
            return splits
        strange = [name for name in subfolders(self.test_path) if name not in names]
        if strange:
            raise ValueError(
                f"{self.test_path / strange[0]} is a class that {path} has not; its classes: "
                f"{', '.join(names)}"
            )
        return {**self.divide(*train), "test": Split(*self.decoded(self.test_path, names))}

    def decoded(self, folder: Path, names: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Images and labels of a folder."""
        files, labels = listed(folder, names)
        form = f"{self.size}-{self.channels}-{self.fit}"
        kept = folder / f".zoo-{form}.npz"
        arrays = cached(kept, files, lambda: {"x": self.decode(files)}, form)
        return torch.from_numpy(arrays["x"]), torch.tensor(labels)

    def decode(self, files: list[Path]) -> np.ndarray:
        """All images (N, C, H, W).

        Raises:
            ValueError: if some cannot be read; it names them.
        """
        images = np.empty((len(files), self.channels, self.size, self.size), np.uint8)
        broken = []
        for index, file in enumerate(files):
            try:
                images[index] = open_image(file, (self.size, self.size), self.channels, self.fit)
            except BROKEN as error:
                broken.append(f"{file} ({' '.join(str(error).split())})")
        if broken:
            more = f" and {len(broken) - SHOWN:,} more" if len(broken) > SHOWN else ""
            raise ValueError(
                f"{len(broken):,} of {len(files):,} images cannot be read: "
                f"{'; '.join(broken[:SHOWN])}{more}; replace or delete them"
            )
        return images


def subfolders(folder: Path) -> list[str]:
    """The classes: the subfolders in alphabetical order, but hidden ones.

    Raises:
        ValueError: if there are none.
        OSError: if the folder is not there.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder; give one with a subfolder for each class")
    names = sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not names:
        raise ValueError(f"{folder} must have a subfolder for each class, got none")
    return names


def listed(folder: Path, names: list[str]) -> tuple[list[Path], list[int]]:
    """The images of all classes and their labels.

    Raises:
        ValueError: if a link leads out of the folder or to a folder, or a class has no image.
    """
    from torchvision.datasets.folder import IMG_EXTENSIONS

    base = folder.resolve()
    files, labels = [], []
    for label, name in enumerate(names):
        found = []
        for place, folders, contents in os.walk(folder / name):
            folders.sort()
            for path in (Path(place), *(Path(place, entry) for entry in (*folders, *contents))):
                check_inside(path, base)
            images = sorted(n for n in contents if n.lower().endswith(IMG_EXTENSIONS))
            found += [Path(place, image) for image in images]
        if not found and (folder / name).is_dir():
            raise ValueError(
                f"{folder / name} holds no image; known are {', '.join(IMG_EXTENSIONS)}"
            )
        files += found
        labels += [label] * len(found)
    return files, labels


def check_inside(path: Path, base: Path) -> None:
    """Raises ValueError for a link that leads out of `base` or to a folder."""
    if path.is_symlink():
        target = path.resolve()
        if not target.is_relative_to(base):
            raise ValueError(f"{path} leads out of {base}, to {target}; put a copy in its place")
        if target.is_dir():
            raise ValueError(f"{path} is a link to a folder; put a copy in its place")
