"""Published sets of images, each with a test split of its own: the digits and their kin."""

from __future__ import annotations

import shutil
import zipfile
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from zoo.data.base import DataModule
from zoo.data.cache import cached
from zoo.data.checks import one_of
from zoo.data.download import fetch, obtain
from zoo.data.idx import read_idx
from zoo.data.integrity import check_labels, check_pair
from zoo.data.loader import Split
from zoo.data.npz import Arrays
from zoo.preprocessing.views import IMAGE

TRAIN, TEST = ("x_train", "y_train"), ("x_test", "y_test")


class Published(DataModule):
    """Images that are published with a test split, which stays as it is.

    Validation is a tenth of the training part. Decoded once, to a file beside the data.

    Args:
        root: the folder of all data; what is absent is downloaded to it.
        download: whether to do so.

    The other arguments are those of `DataModule`.
    """

    kind = IMAGE
    views = tuple(IMAGE.views)
    limits = (0.0, 255.0)
    official: ClassVar[str]  # torchvision's class

    def __init__(self, *, root: str = "data", download: bool = True, **settings: Any) -> None:
        super().__init__(**settings)
        self.root = Path(root)
        self.download = download

    @property
    def source(self) -> Any:
        """Torchvision's class, which knows addresses and checksums."""
        from torchvision import datasets

        return getattr(datasets, self.official)

    @property
    def label(self) -> str:
        """The name of what is read, for files and errors."""
        return self.name

    @abstractmethod
    def home(self) -> Path:
        """The folder that a download goes to."""

    @abstractmethod
    def wanted(self) -> str:
        """Which files to put where, in words."""

    @abstractmethod
    def find(self) -> list[Path] | None:
        """The files, if they are all there."""

    @abstractmethod
    def get(self, folder: Path) -> None:
        """Downloads the files into a folder."""

    @abstractmethod
    def decode(self, files: list[Path]) -> Arrays:
        """Reads the files: x_… (N, C, H, W) uint8 and y_… (N,), for train and test."""

    @abstractmethod
    def classes(self) -> list[str]:
        """The names of the classes, in the order of the labels."""

    def read(self) -> dict[str, Split]:
        """Finds or downloads the files, decodes them or takes what was decoded before."""
        files = self.find() or self.obtained()
        kept = files[0].parent / f".zoo-{self.label}.npz"
        arrays = cached(kept, files, lambda: self.decode(files), self.label)
        names = self.classes()
        try:
            for x, y in (TRAIN, TEST):
                check_pair(x, y, arrays)
            check_labels("y_train", {y: arrays[y] for _, y in (TRAIN, TEST)}, len(names))
        except ValueError as error:
            raise ValueError(f"{self.label} in {files[0].parent}: {error}") from error
        self.class_names = names
        train, test = (
            (torch.from_numpy(arrays[x]), torch.from_numpy(arrays[y]).long())
            for x, y in (TRAIN, TEST)
        )
        return {**self.divide(*train), "test": Split(*test)}

    def obtained(self) -> list[Path]:
        """Downloads the files and finds them.

        Raises:
            OSError: if they cannot be had.
        """
        absent = f"{self.label} is not in data.root={self.root}"
        if not self.download:
            raise FileNotFoundError(f"{absent}; {self.wanted()}, or allow data.download=true")
        try:
            obtain(self.name, self.home(), self.find, self.get)
        except OSError as error:
            raise OSError(
                f"{absent} and cannot be downloaded ({error}); {self.wanted()}"
            ) from error
        found = self.find()
        if found is None:
            raise OSError(f"{absent}, and the download does not hold it; {self.wanted()}")
        return found


class MNIST(Published):
    """70,000 handwritten digits of 28 x 28 pixels (LeCun 1998).

    Args:
        root: the folder of all data; the four official files lie there in `mnist/` or torchvision's
            `MNIST/raw/`, compressed or not, or compressed in `root` itself.
        download: whether to download what is absent.

    The other arguments are those of `DataModule`.
    """

    name = "mnist"
    official = "MNIST"

    def resources(self) -> dict[str, str]:
        """The files and their MD5; images and labels of train, then of test."""
        return dict(self.source.resources)

    def home(self) -> Path:
        """Torchvision's own place."""
        return self.root / self.official / "raw"

    def wanted(self) -> str:
        """The four files."""
        return f"put {', '.join(self.resources())} into {self.root / self.name}"

    def find(self) -> list[Path] | None:
        """The four files in one of the places that they may have."""
        for folder in (self.root / self.name, self.home(), self.root):
            files = []
            for name in self.resources():
                names = (name, name.removesuffix(".gz")) if folder != self.root else (name,)
                files += [folder / n for n in names if (folder / n).is_file()][:1]
            # Its relatives have files of the same names: in a shared folder the checksum decides.
            if len(files) == len(self.resources()):
                if folder != self.root or self.damage(files[-1]) is None:
                    return files
        return None

    def damage(self, file: Path) -> str | None:
        """What is wrong with the checksum of a file, where one is known."""
        from torchvision.datasets.utils import calculate_md5

        official = self.resources().get(file.name) or None
        found = calculate_md5(file) if official else None
        if found == official:
            return None
        return (
            f"{file} is damaged or not the official file of {self.name}: its MD5 is {found}, not "
            f"{official}; delete it and it will be downloaded again"
        )

    def get(self, folder: Path) -> None:
        """Downloads the four files from the first mirror that has them."""
        for name, md5 in self.source.resources:
            fetch([f"{mirror}{name}" for mirror in self.source.mirrors], folder, name, md5)

    def decode(self, files: list[Path]) -> Arrays:
        """Checks and reads the four files."""
        for file in files:
            if wrong := self.damage(file):
                raise ValueError(wrong)
        arrays = {}
        for name, file in zip((*TRAIN, *TEST), files, strict=True):
            images = name.startswith("x")
            content = read_idx(file, 3 if images else 1)
            arrays[name] = self.upright(content)[:, None] if images else self.numbered(content)
        return arrays

    def upright(self, images: np.ndarray) -> np.ndarray:
        """Images (N, H, W) as a person sees them."""
        return images

    def numbered(self, labels: np.ndarray) -> np.ndarray:
        """Labels from 0."""
        return labels

    def classes(self) -> list[str]:
        """Torchvision's names."""
        return [str(name).split(" - ")[0] for name in self.source.classes]


class FashionMNIST(MNIST):
    """70,000 pictures of clothes in ten classes, 28 x 28 pixels (Xiao 2017); files as `MNIST`."""

    name = "fashion_mnist"
    official = "FashionMNIST"


class KMNIST(MNIST):
    """70,000 characters of old Japanese in ten classes, 28 x 28 (Clanuwat 2018); as `MNIST`."""

    name = "kmnist"
    official = "KMNIST"


class EMNIST(MNIST):
    """Handwritten letters and digits, 28 x 28 pixels (Cohen 2017).

    The files have their images lying on their side; here they stand upright.

    Args:
        subset: "balanced" (47 classes), "byclass" (62), "bymerge" (47), "letters" (26), "digits" or
            "mnist" (10).
        root: as in `MNIST`, in `emnist/` or `EMNIST/raw/`; or the official `gzip.zip` there.
        download: whether to download what is absent (536 MB).

    The other arguments are those of `DataModule`.
    """

    name = "emnist"
    official = "EMNIST"
    subsets: ClassVar[tuple[str, ...]] = (
        *("balanced", "byclass", "bymerge", "letters", "digits", "mnist"),
    )

    def __init__(self, *, subset: str = "balanced", **settings: Any) -> None:
        super().__init__(**settings)
        one_of(self.name, self.subsets, subset=subset)
        self.subset = subset

    @property
    def label(self) -> str:
        """The set and its part."""
        return f"{self.name}-{self.subset}"

    def resources(self) -> dict[str, str]:
        """The files of the part; only that of the archive of all parts has a checksum."""
        contents = ("images-idx3", "labels-idx1")
        parts = [f"{split}-{content}" for split in ("train", "test") for content in contents]
        return {f"{self.label}-{part}-ubyte.gz": "" for part in parts}

    def wanted(self) -> str:
        """The archive."""
        return f"put the official gzip.zip into {self.home()}"

    def get(self, folder: Path) -> None:
        """Takes the part out of the archive, which is downloaded unless it is there."""
        at_hand = [place / "gzip.zip" for place in (self.root / self.name, self.home())]
        present = [file for file in at_hand if file.is_file()]
        url, md5 = self.source.url, self.source.md5
        archive = present[0] if present else fetch([url], folder, "gzip.zip", md5)
        try:
            with zipfile.ZipFile(archive) as members:
                for name in self.resources():
                    with members.open(f"gzip/{name}") as packed, (folder / name).open("wb") as file:
                        shutil.copyfileobj(packed, file)
        except (zipfile.BadZipFile, EOFError, KeyError) as error:
            raise OSError(f"{archive} is damaged ({error}); delete it") from error
        if not present:
            archive.unlink()

    def upright(self, images: np.ndarray) -> np.ndarray:
        """Rows and columns are exchanged in the files."""
        return np.ascontiguousarray(images.transpose(0, 2, 1))

    def numbered(self, labels: np.ndarray) -> np.ndarray:
        """The letters are numbered from 1 in the files."""
        return labels - 1 if self.subset == "letters" else labels

    def classes(self) -> list[str]:
        """Torchvision's names, without that of the unused first label of the letters."""
        names = self.source.classes_split_dict[self.subset]
        return [str(name) for name in names if name != "N/A"]
