"""Published colour images, out of small files that are laid out like the official ones."""

import hashlib
import io
import pickle
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torchvision

from zoo.data.colour import CIFAR10, CIFAR100, SVHN

rng = np.random.default_rng(0)


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


class Trap:
    """Leaves a file where it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, ...]]:
        return Path.touch, (self.file,)


def cifar(official: type, address: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    """A tiny archive in the official layout, and what is in it by file."""
    hundred = official is torchvision.datasets.CIFAR100
    count, key = (100, "fine_labels") if hundred else (10, "labels")
    contents, sums = {}, {}
    names = [name for name, _ in (*official.train_list, *official.test_list)]
    with tarfile.open(folder / official.filename, "w:gz") as archive:
        for name in (*names, official.meta["filename"]):
            entry = {
                "data": rng.integers(0, 256, (count, 3072), np.uint8),
                key: list(range(count)),
                official.meta["key"]: [str(i) for i in range(count)],
            }
            content = pickle.dumps(entry, protocol=2)
            contents[name], sums[name] = entry, md5(content)
            member = tarfile.TarInfo(f"{official.base_folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    for part in ("train_list", "test_list"):
        known = [[name, sums[name]] for name, _ in getattr(official, part)]
        monkeypatch.setattr(official, part, known)
    meta = official.meta | {"md5": sums[official.meta["filename"]]}
    monkeypatch.setattr(official, "meta", meta)
    monkeypatch.setattr(official, "tgz_md5", md5((folder / official.filename).read_bytes()))
    monkeypatch.setattr(official, "url", f"{address}{official.filename}")
    return contents


@pytest.mark.parametrize("data", [CIFAR10, CIFAR100])
def test_cifar_by_hand(
    data: type[CIFAR10],
    server: tuple[Path, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, address = server
    official = getattr(torchvision.datasets, data.official)
    contents = cifar(official, address, folder, monkeypatch)
    module = data(root=str(tmp_path), view="image", scaling="none")
    module.setup()
    # A row is red, then green, then blue, each from the top left.
    test = contents[official.test_list[0][0]]["data"].reshape(-1, 3, 32, 32)
    assert np.array_equal(module.splits["test"].x.numpy(), test)
    assert module.facts["num_classes"] == len(test) and module.facts["in_shape"] == [3, 32, 32]
    count = len(module.splits["train"].x) + len(module.splits["val"].x)
    assert count == len(official.train_list) * len(test)
    assert not (tmp_path / module.name / official.filename).exists()

    batch = tmp_path / module.name / official.base_folder / official.test_list[0][0]
    batch.write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(ValueError, match=f"{official.base_folder} is damaged.*delete"):
        data(root=str(tmp_path)).setup()
    assert not (tmp_path / "sprung").exists()
    shutil.rmtree(batch.parent)
    data(root=str(tmp_path)).setup()


def test_an_archive_at_hand_is_not_downloaded(
    server: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = server
    cifar(torchvision.datasets.CIFAR10, "http://127.0.0.1:9/", folder, monkeypatch)
    data = CIFAR10(root=str(folder))
    data.setup()
    assert (folder / data.source.filename).is_file()


def test_svhn_by_hand(
    server: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = server
    official = torchvision.datasets.SVHN
    labels = np.arange(1, 11).repeat(2)[:, None]  # 10 stands for the digit 0
    images = rng.integers(0, 256, (32, 32, 3, 20), np.uint8)
    known = {}
    for split in ("train", "test"):
        name = f"{split}_32x32.mat"
        scipy.io.savemat(folder / name, {"X": images, "y": labels})
        known[split] = [f"{address}{name}", name, md5((folder / name).read_bytes())]
    monkeypatch.setattr(official, "split_list", known)
    data = SVHN(root=str(tmp_path), view="image", scaling="none")
    data.setup()
    test = data.splits["test"]
    assert np.array_equal(test.x.numpy(), images.transpose(3, 2, 0, 1))
    assert test.y.tolist() == [*np.arange(1, 10).repeat(2), 0, 0]
    damaged = tmp_path / "svhn" / "test_32x32.mat"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.raises(ValueError, match="test_32x32.mat in .* is damaged"):
        SVHN(root=str(tmp_path)).setup()
