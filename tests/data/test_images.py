"""Published images, out of small files that are laid out like the official ones."""

import gzip
import hashlib
import io
import os
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision

from zoo.data.colour import CIFAR10, CIFAR100, SVHN
from zoo.data.images import EMNIST, KMNIST, MNIST, FashionMNIST

SHARED = Path(__file__).parents[3] / "shared" / "data"
FILES = [
    *("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    *("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
]
rng = np.random.default_rng(0)
TRAIN = (rng.integers(0, 256, (40, 6, 5), np.uint8), np.arange(40, dtype=np.uint8) % 10)
TEST = (rng.integers(0, 256, (20, 6, 5), np.uint8), np.arange(20, dtype=np.uint8) % 10)


def idx(array: np.ndarray) -> bytes:
    """The format as LeCun describes it."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function (folder, train, test, compressed) that puts the four files there."""

    def write(
        folder: Path,
        train: tuple[np.ndarray, np.ndarray] = TRAIN,
        test: tuple[np.ndarray, np.ndarray] = TEST,
        compressed: bool = True,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        resources = []
        for name, array in zip(FILES, (*train, *test), strict=True):
            content = idx(array)
            if compressed:
                name, content = f"{name}.gz", gzip.compress(content, mtime=0)
                resources.append((name, md5(content)))
            (folder / name).write_bytes(content)
        if compressed:
            monkeypatch.setattr(torchvision.datasets.MNIST, "resources", resources)

    return write


@pytest.fixture
def mirror(
    server: tuple[Path, str], place: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, str]:
    """The folder and the address of the one mirror, which has the four files."""
    folder, address = server
    place(folder)
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [address])
    return folder, address


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/"
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for official in ("MNIST", "KMNIST"):
        monkeypatch.setattr(getattr(torchvision.datasets, official), "mirrors", [address])


@pytest.mark.parametrize("compressed", [True, False], ids=["gz", "plain"])
@pytest.mark.parametrize("folder", ["mnist", "MNIST/raw", "."])
def test_mnist_is_read_where_people_have_it(
    folder: str, compressed: bool, place: Callable[..., None], tmp_path: Path
) -> None:
    place(tmp_path / folder, compressed=compressed)
    data = MNIST(root=str(tmp_path), view="image", scaling="none", download=False)
    if folder == "." and not compressed:  # nothing says whose files those are
        with pytest.raises(FileNotFoundError, match="mnist is not in"):
            data.setup()
        return
    data.setup()
    train, val, test = (data.splits[name] for name in ("train", "val", "test"))
    # The official test stays as it is; validation is a tenth of the rest, of each class alike.
    assert np.array_equal(test.x[:, 0].numpy(), TEST[0])
    assert test.y.tolist() == TEST[1].tolist()
    assert (len(train.x), len(val.x)) == (36, 4) and max(val.y.bincount()) == 1
    both = zip(torch.cat([train.x, val.x])[:, 0], torch.cat([train.y, val.y]), strict=True)
    expected = zip(*TRAIN, strict=True)
    assert sorted((x.numpy().tobytes(), int(y)) for x, y in both) == sorted(
        (x.tobytes(), int(y)) for x, y in expected
    )
    assert data.facts["in_shape"] == [1, 6, 5] and data.class_names == list("0123456789")
    assert train.x.dtype == torch.uint8


def test_the_relatives_in_one_folder_are_told_apart(
    place: Callable[..., None], tmp_path: Path
) -> None:
    place(tmp_path)
    MNIST(root=str(tmp_path), download=False).setup()
    for other in (FashionMNIST, KMNIST):
        with pytest.raises(FileNotFoundError, match=rf"{other.name}.*train-images-idx3-ubyte\.gz"):
            other(root=str(tmp_path), download=False).setup()


def test_a_download_is_what_torchvision_downloads(
    mirror: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, address = mirror
    data = MNIST(root=str(tmp_path / "ours"), scaling="none")
    with monkeypatch.context() as patch:  # the first mirror has nothing
        patch.setattr(torchvision.datasets.MNIST, "mirrors", [f"{address}gone/", address])
        data.setup()
    reference = torchvision.datasets.MNIST(tmp_path / "theirs", train=False, download=True)
    assert torch.equal(data.splits["test"].x[:, 0], reference.data)
    assert torch.equal(data.splits["test"].y, reference.targets)
    found = {path.name for path in (tmp_path / "ours" / "MNIST" / "raw").iterdir()}
    assert {f"{name}.gz" for name in FILES} < found
    assert all(name.startswith(".zoo") or "lock" in name for name in found if ".gz" not in name)


@pytest.mark.parametrize("damage", ["truncated", "other"])
def test_a_bad_download_is_an_error_and_the_next_run_recovers(
    damage: str, mirror: tuple[Path, str], tmp_path: Path
) -> None:
    folder, _ = mirror
    file = folder / f"{FILES[2]}.gz"
    content = file.read_bytes()
    file.write_bytes(content[:100] if damage == "truncated" else content[::-1])
    root = tmp_path / "root"
    with pytest.raises(OSError, match=r"cannot be downloaded .*; put train-images"):
        MNIST(root=str(root)).setup()
    assert not list(root.glob("MNIST/raw/*.gz"))
    file.write_bytes(content)
    MNIST(root=str(root)).setup()
    assert len(list(root.glob("MNIST/raw/*.gz"))) == 4
    assert not list(root.glob("MNIST/raw/.*.partial"))


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("data", [MNIST, KMNIST])
def test_offline_says_what_to_put_where(data: type[MNIST], tmp_path: Path) -> None:
    with pytest.raises(OSError, match="train-labels-idx1-ubyte.gz") as error:
        data(root=str(tmp_path)).setup()
    assert f"into {tmp_path / data.name}" in str(error.value)


def test_a_root_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="mnist is not in data.root="):
        MNIST(root=str(tmp_path / "file" / "root")).setup()


def test_a_damaged_file_is_named(place: Callable[..., None], tmp_path: Path) -> None:
    place(tmp_path / "mnist")
    file = tmp_path / "mnist" / f"{FILES[0]}.gz"
    content = bytearray(file.read_bytes())
    content[50] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match="train-images-idx3-ubyte.gz is damaged.*delete it"):
        MNIST(root=str(tmp_path)).setup()


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ((TRAIN[0], TRAIN[1][:-1]), "same length, got 40 and 39"),
        ((TRAIN[0], np.where(TRAIN[1] == 3, 11, TRAIN[1]).astype(np.uint8)), "0 to 9, got 11"),
        ((TRAIN[0], np.where(TRAIN[1] == 3, 4, TRAIN[1]).astype(np.uint8)), "but 3 never occurs"),
        ((TRAIN[0][:5], TRAIN[1][:5]), "but 5, 6, 7, 8, 9 never"),
        ((TRAIN[0][:0], TRAIN[1][:0]), "holds nothing"),
    ],
    ids=["count", "range", "missing", "few", "empty"],
)
def test_labels_that_do_not_fit_are_a_sentence(
    train: tuple[np.ndarray, np.ndarray],
    message: str,
    place: Callable[..., None],
    tmp_path: Path,
) -> None:
    place(tmp_path / "mnist", train=train)
    with pytest.raises(ValueError, match=message):
        MNIST(root=str(tmp_path)).setup()


def test_emnist_stands_upright_and_counts_from_0(
    server: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = server
    labels = np.arange(52, dtype=np.uint8) % 26 + 1  # as in the official file
    images = rng.integers(0, 256, (52, 4, 4), np.uint8)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for split in ("train", "test"):
            for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
                name = f"gzip/emnist-letters-{split}-{kind}-ubyte.gz"
                archive.writestr(name, gzip.compress(idx(array)))
    (folder / "gzip.zip").write_bytes(buffer.getvalue())
    official = torchvision.datasets.EMNIST
    monkeypatch.setattr(official, "url", f"{address}gzip.zip")
    monkeypatch.setattr(official, "md5", md5(buffer.getvalue()))
    data = EMNIST(root=str(tmp_path), subset="letters", scaling="none")
    data.setup()
    reference = official(tmp_path / "theirs", split="letters", train=False, download=True)
    assert torch.equal(data.splits["test"].x[:, 0], reference.data.transpose(1, 2))
    assert torch.equal(data.splits["test"].y, reference.targets - 1)
    assert data.class_names == list("abcdefghijklmnopqrstuvwxyz")
    assert not (tmp_path / "EMNIST" / "raw" / "gzip.zip").exists()


def test_the_constructor_touches_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for data in (MNIST, FashionMNIST, KMNIST, EMNIST, CIFAR10, CIFAR100, SVHN):
        data()
    assert not os.listdir(tmp_path)
    with pytest.raises(ValueError, match="`subset` of emnist must be one of balanced"):
        EMNIST(subset="letter")


@pytest.mark.reproduce
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
@pytest.mark.parametrize(
    ("data", "mean", "deviation"), [(MNIST, 0.1307, 0.3081), (FashionMNIST, 0.2860, 0.3530)]
)
def test_the_published_statistics(
    data: type[MNIST], mean: float, deviation: float, tmp_path: Path
) -> None:
    (tmp_path / data.name).mkdir()
    for file in (SHARED / data.name).glob("*.gz"):
        (tmp_path / data.name / file.name).symlink_to(file)
    module = data(root=str(tmp_path), download=False)
    module.setup()
    assert [len(split.x) for split in module.splits.values()] == [54_000, 6_000, 10_000]
    pixels = torch.cat([module.splits[name].x for name in ("train", "val")]).double() / 255
    assert pixels.mean().item() == pytest.approx(mean, abs=5e-5)
    assert pixels.std().item() == pytest.approx(deviation, abs=5e-5)
