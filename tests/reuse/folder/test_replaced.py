"""A folder in which something is already, or that cannot be written."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import zoo
from zoo.assembly import CheckpointError
from zoo.models import FNN


def fails(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """From now on the disk is full when that file is written."""
    write_bytes = Path.write_bytes

    def content(self: Path, data: bytes) -> int:
        if self.name == f".{name}":
            write_bytes(self, data[: len(data) // 2])
            raise OSError(28, "No space left on device")
        return write_bytes(self, data)

    monkeypatch.setattr(Path, "write_bytes", content)


def test_a_newer_model_takes_the_place_of_an_older_one(
    tmp_path: Path, made: Callable[[str], Any], equal: Callable[..., None]
) -> None:
    zoo.save(made("cnn"), tmp_path)
    (tmp_path / "preprocessing.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("mine")
    net = made("lstm")
    zoo.save(net, tmp_path)
    equal(net, zoo.load(tmp_path))
    assert not (tmp_path / "preprocessing.json").exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_somebodys_readme_is_not_replaced(tmp_path: Path) -> None:
    net, readme = zoo.models.FNN(2, 2, hidden=[]), tmp_path / "README.md"
    readme.write_text("# My project")
    with pytest.raises(ValueError, match="no model card .* name a folder of the model's own"):
        zoo.save(net, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["README.md"]
    readme.write_text("---\nlicense: mit\n---\n")  # as the Hub begins a repository
    zoo.save(net, tmp_path)
    zoo.save(net, tmp_path)
    assert "FNN" in readme.read_text()


@pytest.mark.parametrize("name", ["model.safetensors", "README.md", "config.json"])
def test_a_folder_is_whole_or_none(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails(monkeypatch, name)
    with pytest.raises(OSError, match="No space left"):
        zoo.save(FNN(3, 2), tmp_path / "net")
    with pytest.raises(CheckpointError):
        zoo.load(tmp_path / "net")
    assert not list((tmp_path / "net").glob(".*"))  # nothing half-written


def test_an_older_model_stays_until_the_new_weights_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, equal: Callable[..., None]
) -> None:
    net = FNN(8, 3)
    zoo.save(net, tmp_path)
    with monkeypatch.context() as patch:
        fails(patch, "model.safetensors")
        with pytest.raises(OSError, match="No space left"):
            zoo.save(FNN(8, 4), tmp_path)
    equal(net, zoo.load(tmp_path))
    fails(monkeypatch, "config.json")
    with pytest.raises(OSError, match="No space left"):
        zoo.save(FNN(8, 4), tmp_path)
    with pytest.raises(CheckpointError):  # not the old recipe with the new weights
        zoo.load(tmp_path)


def test_where_no_folder_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OSError, match="file"):
        zoo.save(FNN(3, 2), tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"
    if os.geteuid() == 0:
        return  # who may write everywhere
    (tmp_path / "closed").mkdir(mode=stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(OSError, match="closed"):
        zoo.save(FNN(3, 2), tmp_path / "closed" / "net")
