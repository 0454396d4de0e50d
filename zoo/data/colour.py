"""Published sets of colour images, each with a test split of its own."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.download import fetch
from zoo.data.images import TEST, TRAIN, Published
from zoo.data.npz import Arrays


class CIFAR10(Published):
    """60,000 photographs in ten classes, 32 x 32 pixels in colour (Krizhevsky 2009).

    Torchvision's reader unpickles the official files; their checksums are verified before.

    Args:
        root: the folder of all data; the official archive, or the folder that it unpacks to, lies
            there or in `cifar10/`.
        download: whether to download what is absent (about 170 MB).

    The other arguments are those of `DataModule`.
    """

    name = "cifar10"
    official = "CIFAR10"

    def home(self) -> Path:
        """A folder of its own."""
        return self.root / self.name

    def wanted(self) -> str:
        """The archive."""
        return f"put the official {self.source.filename} into {self.home()}"

    def find(self) -> list[Path] | None:
        """The unpacked files."""
        source = self.source
        names = [name for name, _ in (*source.train_list, *source.test_list)]
        for folder in (self.home(), self.root):
            unpacked = folder / source.base_folder
            files = [unpacked / name for name in (source.meta["filename"], *names)]
            if all(file.is_file() for file in files):
                return files
        return None

    def get(self, folder: Path) -> None:
        """Unpacks the archive, which is downloaded unless it is there."""
        from torchvision.datasets.utils import check_integrity, extract_archive

        name, md5 = self.source.filename, self.source.tgz_md5
        at_hand = [place / name for place in (self.home(), self.root)]
        intact = [file for file in at_hand if check_integrity(file, md5)]
        archive = intact[0] if intact else fetch([self.source.url], folder, name, md5)
        extract_archive(archive, folder)
        if not intact:
            archive.unlink()

    def decode(self, files: list[Path]) -> Arrays:
        """Torchvision's reader, and channels first."""
        arrays = {}
        for (x, y), train in ((TRAIN, True), (TEST, False)):
            part = self.opened(files[0].parent.parent, train)
            arrays[x] = np.ascontiguousarray(part.data.transpose(0, 3, 1, 2))
            arrays[y] = np.asarray(part.targets, dtype=np.uint8)
        return arrays

    def opened(self, folder: Path, train: bool) -> Any:
        """One part as torchvision has it."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of numpy, about how old its files are
                return self.source(folder, train=train)
        except RuntimeError as error:
            raise ValueError(
                f"{folder / self.source.base_folder} is damaged: a file has not the official "
                "checksum; delete that folder and it will be unpacked or downloaded again"
            ) from error

    def classes(self) -> list[str]:
        """The names in the official order."""
        return "airplane automobile bird cat deer dog frog horse ship truck".split()


class CIFAR100(CIFAR10):
    """60,000 photographs in a hundred classes, 32 x 32 pixels (Krizhevsky 2009); as `CIFAR10`."""

    name = "cifar100"
    official = "CIFAR100"

    def classes(self) -> list[str]:
        """The names in the official order, which is that of the alphabet."""
        return CLASSES_100.split()


CLASSES_100 = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly
camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup
dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower
leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid
otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray
road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
wardrobe whale willow_tree wolf woman worm
"""


class SVHN(Published):
    """99,289 digits of house numbers, 32 x 32 pixels in colour (Netzer 2011).

    The official training and test parts, without the extra one.

    Args:
        root: the folder of all data; the official .mat files lie there or in `svhn/`.
        download: whether to download what is absent (246 MB).

    The other arguments are those of `DataModule`.
    """

    name = "svhn"
    official = "SVHN"

    def home(self) -> Path:
        """A folder of its own."""
        return self.root / self.name

    def parts(self) -> list[tuple[str, str, str]]:
        """Address, file and MD5 of train and test."""
        return [tuple(self.source.split_list[split]) for split in ("train", "test")]

    def wanted(self) -> str:
        """The two files."""
        return f"put {' and '.join(name for _, name, _ in self.parts())} into {self.home()}"

    def find(self) -> list[Path] | None:
        """The two files."""
        for folder in (self.home(), self.root):
            files = [folder / name for _, name, _ in self.parts()]
            if all(file.is_file() for file in files):
                return files
        return None

    def get(self, folder: Path) -> None:
        """Downloads the two files."""
        for url, name, md5 in self.parts():
            fetch([url], folder, name, md5)

    def decode(self, files: list[Path]) -> Arrays:
        """Torchvision's reader."""
        arrays = {}
        for (x, y), split in ((TRAIN, "train"), (TEST, "test")):
            try:
                part = self.source(files[0].parent, split=split)
            except RuntimeError as error:
                raise ValueError(
                    f"{split}_32x32.mat in {files[0].parent} is damaged: it has not the official "
                    "checksum; delete it and it will be downloaded again"
                ) from error
            except ModuleNotFoundError as error:
                raise ValueError("svhn needs scipy to be read: pip install scipy") from error
            arrays[x] = np.ascontiguousarray(part.data)
            arrays[y] = part.labels.astype(np.uint8)
        return arrays

    def classes(self) -> list[str]:
        """The digits."""
        return list("0123456789")
