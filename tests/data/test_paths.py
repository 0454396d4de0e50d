"""Where files are looked for: from a root, from the current folder, or at an absolute path."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import yaml
from omegaconf import DictConfig
from PIL import Image

import zoo.data
from zoo.build import make
from zoo.config import conf_dir
from zoo.data import DataModule

NODES = {
    file.stem: yaml.safe_load(file.read_text(encoding="utf-8"))["data"]
    for file in sorted((conf_dir() / "data").glob("*.yaml"))
}
PUBLISHED = [name for name, node in NODES.items() if node.get("root")]
SHARED = Path(__file__).parents[3] / "shared" / "data"


def preset(name: str) -> list[str]:
    """The choice of a preset in its own view, rather than that of a model."""
    return [f"data={name}", f"data.view={NODES[name]['view']}"]


def write(folder: Path, **contents: str) -> list[str]:
    """Files in a folder; gives their names."""
    for name, content in contents.items():
        (folder / name).write_text(content, encoding="utf-8")
    return list(contents)


def series(folder: Path) -> dict[str, Any]:
    (path,) = write(folder, series="a\n" + "1\n2\n" * 50)
    return {"path": path, "target": "a", "separator": ","}


def table(folder: Path) -> dict[str, Any]:
    path, test = write(folder, train="a,b\n" + "1,x\n2,y\n" * 20, test="a,b\n1,x\n")
    return {"path": path, "test_path": test, "target": "b"}


def ucr(folder: Path) -> dict[str, Any]:
    (folder / "P_TRAIN.tsv").write_text("1\t2\t3\n2\t4\t5\n" * 5)
    (folder / "P_TEST.tsv").write_text("1\t2\t3\n")
    return {"path": "P"}


def piano_rolls(folder: Path) -> dict[str, Any]:
    pieces = np.empty((1, 1), dtype=object)
    pieces[0, 0] = np.eye(3)
    parts = ("traindata", "validdata", "testdata")
    scipy.io.savemat(folder / "song.mat", dict.fromkeys(parts, pieces))
    return {"path": "song.mat"}


def text(folder: Path) -> dict[str, Any]:
    rows = "1 good\n0 bad\n" * 10
    path, val, test = write(folder, train=rows, val=rows, test=rows)
    return {"path": path, "val_path": val, "test_path": test}


def text_lm(folder: Path) -> dict[str, Any]:
    return {"path": write(folder, text="to be or not to be " * 30)[0], "batch_size": 2}


def three_texts(folder: Path) -> dict[str, Any]:
    names = ("train", "val", "test")
    write(folder, **dict.fromkeys(names, "to be or not to be " * 30))
    return {name: name for name in names} | {"batch_size": 2}


def arrays(folder: Path) -> dict[str, Any]:
    np.savez(folder / "mine.npz", x=np.random.default_rng(0).random((20, 3)), y=np.arange(20) % 2)
    return {"path": "mine.npz"}


def image_folder(folder: Path) -> dict[str, Any]:
    for part in ("photos/cat", "photos/dog", "more/cat", "more/dog"):
        (folder / part).mkdir(parents=True)
        for index in range(5):
            Image.new("L", (2, 2), 50 * index).save(folder / part / f"{index}.png")
    return {"path": "photos", "test_path": "more", "size": 2}


# How a class is given its files, all of which its settings name from the folder that they are in.
READERS: list[tuple[str, Callable[[Path], dict[str, Any]]]] = [
    *(("Series", series), ("Table", table), ("UCR", ucr), ("PianoRolls", piano_rolls)),
    *(("Text", text), ("TextLM", text_lm), ("TextLM", three_texts)),
    *(("ArrayFile", arrays), ("ImageFolder", image_folder)),
]
PATHS = ("path", "test_path", "val_path", "train", "val", "test")


def test_every_class_that_reads_a_path_is_tried_here() -> None:
    classes = {node["_target_"].rpartition(".")[2] for node in NODES.values() if "path" in node}
    assert classes == {name for name, _ in READERS}


@pytest.mark.parametrize(
    ("name", "files"), READERS, ids=[f"{name}-{files.__name__}" for name, files in READERS]
)
def test_a_relative_path_starts_at_the_root_and_an_absolute_one_does_not(
    name: str,
    files: Callable[[Path], dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, elsewhere = tmp_path / "home" / "files", tmp_path / "elsewhere"
    folder.mkdir(parents=True), elsewhere.mkdir()
    settings = files(folder)
    absolute = {
        key: str(folder / value) if key in PATHS else value for key, value in settings.items()
    }
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    def read(**arguments: Any) -> str:
        return getattr(zoo.data, name)(**arguments).describe()

    monkeypatch.chdir(folder)
    expected = read(**settings)
    assert read(root=str(elsewhere), **absolute) == expected
    with pytest.raises(FileNotFoundError, match=str(elsewhere)):
        read(root=str(elsewhere), **settings)
    monkeypatch.chdir(elsewhere)
    for root in (str(folder), "../home/files", "~/files"):
        assert read(root=root, **settings) == expected
    with pytest.raises(FileNotFoundError):
        read(**settings)


def test_all_published_sets_have_one_root() -> None:
    assert {NODES[name]["root"] for name in PUBLISHED} == {NODES["mnist"]["root"]}


def test_the_root_is_data_or_what_zoo_data_says_or_what_was_typed(
    composed: Callable[..., DictConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ZOO_DATA", raising=False)
    assert composed("data=mnist").data.root == "data"
    monkeypatch.setenv("ZOO_DATA", "/mnt/sets")
    assert composed("data=mnist").data.root == "/mnt/sets"
    assert composed("data=mnist", "data.root=/some/where").data.root == "/some/where"


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_set_that_is_absent_says_where_it_was_looked_for(
    name: str,
    composed: Callable[..., DictConfig],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    node = composed(*preset(name), "data.root=some/where").data
    if "download" in node:
        node.download = False
        words = ["data.root=some/where"]
    else:
        first = next(node[key] for key in PATHS if node.get(key))
        words = [str(tmp_path / "some" / "where" / first), "data.root", "ZOO_DATA"]
    with pytest.raises(FileNotFoundError) as raised:
        make(node).setup()
    assert [word for word in words if word not in str(raised.value)] == []


def test_files_of_your_own_start_at_the_current_folder() -> None:
    own = [name for name, node in NODES.items() if "path" in node and not node.get("root")]
    assert own == ["arrays", "image_folder", "series", "table", "text", "text_lm", "ucr"]
    assert all(NODES[name]["path"] is None for name in own)


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
@pytest.mark.parametrize(
    ("name", "description"),
    {
        "adult": "29,304 train, 3,257 validation, 16,281 test; .*, 2 classes",
        "california_housing": "13,209 train, 3,303 validation, 4,128 test; .*, 1 target",
        "ett": "8,521 train, 2,857 validation, 2,857 test; 96 x 1 sequences, 24 targets",
        "piano_rolls": "229 train, 76 validation, 77 test; 128 x 88 sequences, 88 targets",
        "ptb": "929,589 train, 73,760 validation, 82,430 test; words, 10,000 different",
        "sst2": "6,920 train, 872 validation, 1,821 test; .*, 2 classes",
        "tiny_shakespeare": "1,003,855 train, 55,769 validation, 55,770 test; characters, 66 diff",
    }.items(),
)
def test_published_files_are_read_below_the_root(
    name: str, description: str, composed: Callable[..., DictConfig]
) -> None:
    data: DataModule = make(composed(*preset(name), f"data.root={SHARED}").data)
    assert re.search(description, data.describe())
