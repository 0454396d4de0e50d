"""Your own arrays from files."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from zoo.data.arrays import ArrayFile

TABLE = np.random.default_rng(0).normal(size=(40, 5))
LABELS = np.arange(40) % 4


def ready(data: ArrayFile) -> ArrayFile:
    data.setup()
    return data


def rows(*parts: torch.Tensor) -> list[bytes]:
    """The samples of some splits, whatever their order."""
    return sorted(row.numpy().tobytes() for part in parts for row in part)


@pytest.mark.parametrize("packed", [np.savez, np.savez_compressed, None], ids=["npz", "gz", "npy"])
def test_x_and_y_are_split_by_us(packed, tmp_path: Path) -> None:
    if packed:
        path = tmp_path / "mine.npz"
        packed(path, x=TABLE, y=LABELS, comment=np.array("else"))
    else:
        path = tmp_path
        np.save(path / "x.npy", np.asfortranarray(TABLE))
        np.save(path / "y.npy", LABELS)
    data = ready(ArrayFile(path=str(path)))
    assert [len(split.x) for split in data.splits.values()] == [28, 4, 8]
    assert rows(*(split.x for split in data.splits.values())) == rows(torch.tensor(TABLE).float())
    lookup = {
        row.astype(np.float32).tobytes(): label for row, label in zip(TABLE, LABELS, strict=True)
    }
    for split in data.splits.values():
        assert [lookup[row.numpy().tobytes()] for row in split.x] == split.y.tolist()
    assert data.facts["num_classes"] == 4 and data.class_names == ["0", "1", "2", "3"]


def test_a_given_test_and_validation_stay_as_they_are(tmp_path: Path) -> None:
    given_test = {"x_test": TABLE[:7], "y_test": LABELS[:7]}
    np.savez(tmp_path / "a.npz", x_train=TABLE, y_train=LABELS, **given_test)
    data = ready(ArrayFile(path=str(tmp_path / "a.npz")))
    assert [len(data.splits[name].x) for name in ("train", "val", "test")] == [36, 4, 7]
    assert torch.equal(data.splits["test"].x, torch.tensor(TABLE[:7]).float())
    given_val = {"x_val": TABLE[7:9], "y_val": LABELS[7:9]}
    np.savez(tmp_path / "b.npz", x_train=TABLE, y_train=LABELS, **given_test, **given_val)
    splits = ready(ArrayFile(path=str(tmp_path / "b.npz"))).splits
    assert torch.equal(splits["train"].x, torch.tensor(TABLE).float())
    assert splits["val"].y.tolist() == LABELS[7:9].tolist()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("x",), "there is no y beside x"),
        (("x_train", "y_train"), "must be named x and y, or x_train"),
        (("x", "y", "x_test", "y_test"), "must be named x and y, or x_train"),
        (("images", "labels"), "got none of these"),
        (("x_train", "y_train", "x_test"), "there is no y_test beside"),
    ],
)
def test_names_that_do_not_fit_are_a_sentence(
    names: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "a.npz", **dict.fromkeys(names, LABELS))
    with pytest.raises(ValueError, match=message):
        ArrayFile(path=str(tmp_path / "a.npz")).setup()


class Trap:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self):
        return Path.touch, (self.file,)


@pytest.mark.parametrize("kind", ["npz", "npy", "pickle"])
def test_nothing_is_unpickled(kind: str, tmp_path: Path) -> None:
    objects = np.array([Trap(tmp_path / "sprung")], dtype=object)
    path = tmp_path / "a"
    if kind == "npz":
        with path.open("wb") as file:
            np.savez(file, x=objects, y=LABELS)
    elif kind == "npy":
        path.mkdir()
        np.save(path / "x.npy", objects)
        np.save(path / "y.npy", LABELS)
    else:
        path.write_bytes(pickle.dumps(objects))
    with pytest.raises(ValueError, match="no .npz file" if kind == "pickle" else "never unpickled"):
        ArrayFile(path=str(path)).setup()
    assert not (tmp_path / "sprung").exists()


def test_what_is_no_such_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`path` must name your .npz"):
        ArrayFile().setup()
    with pytest.raises(FileNotFoundError, match="does not exist"):
        ArrayFile(path=str(tmp_path / "absent.npz")).setup()
    with pytest.raises(ValueError, match="holds no .npy file"):
        ArrayFile(path=str(tmp_path)).setup()
    np.save(tmp_path / "x.npy", TABLE)
    with pytest.raises(ValueError, match="is one array"):
        ArrayFile(path=str(tmp_path / "x.npy")).setup()
    (tmp_path / "empty.npz").touch()
    with pytest.raises(ValueError, match="empty.npz is empty"):
        ArrayFile(path=str(tmp_path / "empty.npz")).setup()
