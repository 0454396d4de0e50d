"""Raw samples from a user's own files, read here by other means: served as in training."""

import csv
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import torch
from PIL import Image

from zoo.data import UCR, ImageFolder, PianoRolls, Series, Table, Text, TextLM
from zoo.preprocessing.images import open_image

RANDOM = np.random.default_rng(0)
Check = Callable[..., Any]
# The default tests read stored samples, see test_as_in_training.py.
pytestmark = pytest.mark.slow


def table(folder: Path, name: str, rows: int, extra: list[dict[str, str]]) -> Path:
    """Numbers with gaps, a constant, large numbers, and two columns of categories."""
    random = np.random.default_rng(len(name))
    lines = [
        {
            "age": "?" if i % 9 == 4 else f"{random.normal(40, 12):.3f}",
            "pay": f"{random.lognormal(9, 2):.9g}",
            "same": "3.3",
            "town": ["Rome", "Oslo", "", "Bern"][i % 4],
            "size": ["S", "M", "L"][i * i % 3],
            "kind": "ab"[i % 2],
        }
        for i in range(rows)
    ]
    with (folder / name).open("w", newline="") as file:
        w = csv.DictWriter(file, list(lines[0]))
        w.writeheader()
        w.writerows([*lines, *extra])
    return folder / name


STRANGE = [
    {"age": "NA", "pay": "1e30", "same": "4", "town": "Paris", "size": "none", "kind": "a"},
    {"age": "-7", "pay": "-1e30", "same": "null", "town": "-", "size": "XL", "kind": "b"},
]


@pytest.mark.parametrize("scaling", Table.scalings)
@pytest.mark.parametrize("task", Table.tasks)
def test_table(task: str, scaling: str, tmp_path: Path, check: Check) -> None:
    train, test = table(tmp_path, "train.csv", 1300, []), table(tmp_path, "test.csv", 45, STRANGE)
    target = "kind" if task == "classification" else "pay"
    data = Table(path=str(train), test_path=str(test), target=target, task=task, scaling=scaling)
    with test.open(newline="") as file:
        rows = list(csv.DictReader(file))
    check(data, rows)
    without = [{n: c for n, c in row.items() if n != target} for row in rows]
    check(data, without)
    gaps = {"?": None, "NA": float("nan"), "null": None}
    num = ("age", "pay", "same")
    check(
        data,
        [
            {n: gaps[c] if c in gaps else float(c) if n in num else c for n, c in row.items()}
            for row in rows
        ],
    )


@pytest.fixture
def waves(tmp_path: Path) -> Path:
    """Sixty rows: the day, and three columns of numbers."""
    file = tmp_path / "waves.csv"
    rows = [
        f"day {t},{1e3 + t * 0.37:.3f},{np.sin(t):.7f},{RANDOM.normal():.17g}" for t in range(60)
    ]
    file.write_text("\n".join(["day,up,wave,noise", *rows]) + "\n")
    return file


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("view, scaling", list(product(Series.views, Series.scalings)))
@pytest.mark.parametrize(
    "target, columns", [("up", None), (["wave", "up"], "all"), (["up"], ["noise", "wave"])]
)
def test_series(
    view: str, scaling: str, relative: bool, target: Any, columns: Any, waves: Path, check: Check
) -> None:
    window, horizon = 5, 3
    data = Series(
        path=str(waves),
        target=target,
        columns=columns,
        window=window,
        horizon=horizon,
        view=view,
        scaling=scaling,
        relative=relative,
    )
    with waves.open(newline="") as file:
        rows = list(csv.DictReader(file))
    every = {n: [float(r[n]) for r in rows] for n in ("up", "wave", "noise")}
    starts = range(48, 60 - horizon + 1)
    check(data, [{n: c[:at] for n, c in every.items()} for at in starts])
    check(
        data,
        [{n: [str(v) for v in c[at - window : at]] for n, c in every.items()} for at in starts],
    )
    check(data, [{"day": ["x"] * at} | {n: c[:at] for n, c in every.items()} for at in starts])


@pytest.mark.parametrize("relative", [False, True])
def test_series_as_arrays(relative: bool, waves: Path, check: Check) -> None:
    data = Series(path=str(waves), target="up", window=5, horizon=3, relative=relative)
    values = np.array([float(f"{1e3 + t * 0.37:.3f}") for t in range(60)])
    check(data, [values[:at, None] for at in range(48, 58)])
    check(data, [values[:at] for at in range(48, 58)])


def ucr(folder: Path, lengths: tuple[int, ...], variables: int) -> tuple[str, list[Any]]:
    """A pair of .ts files, and the samples of the test."""
    samples = [RANDOM.normal(3.0, 10.0, (lengths[i % len(lengths)], variables)) for i in range(24)]
    head = f"@timeStamps false\n@dimensions {variables}\n@classLabel true a b\n@data\n"
    lines = [
        ":".join([*(",".join(map(repr, c.tolist())) for c in s.T), "ab"[i % 2]])
        for i, s in enumerate(samples)
    ]
    (folder / "P_TRAIN.ts").write_text(head + "\n".join(lines[:14]) + "\n")
    (folder / "P_TEST.ts").write_text(head + "\n".join(lines[14:]) + "\n")
    return str(folder / "P"), samples[14:]


@pytest.mark.parametrize("view, scaling", list(product(UCR.views, UCR.scalings)))
@pytest.mark.parametrize("lengths", [(6,), (6, 3, 5, 1)])
def test_ucr(
    lengths: tuple[int, ...], view: str, scaling: str, tmp_path: Path, check: Check
) -> None:
    path, samples = ucr(tmp_path, lengths, 2)
    check(UCR(path=path, view=view, scaling=scaling), samples)


REVIEWS = [
    ("A fine film, it's fun", "good"),
    ("Dull ...", "bad"),
    ("fine fun", "good"),
    ("", "bad"),
    ("¿Qué? a fine fine film!", "good"),
    ("a bore, a bore", "bad"),
]


@pytest.mark.parametrize("max_length", [400, 3])
def test_text(max_length: int, tmp_path: Path, check: Check) -> None:
    for name, count in (("train", 10), ("test", 1)):
        with (tmp_path / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("text", "label"), *REVIEWS * count])
    data = Text(
        path=str(tmp_path / "train.csv"),
        test_path=str(tmp_path / "test.csv"),
        max_length=max_length,
    )
    check(data, [t for t, _ in REVIEWS])


@pytest.mark.parametrize("level", ["char", "word"])
def test_text_lm(level: str, tmp_path: Path, restored: Callable[..., Any]) -> None:
    line = "the cat sat on the mat\nand the dog, too\n"
    for name in ("train", "val", "test"):
        (tmp_path / f"{name}.txt").write_text(line * 30 + ("a zebra\n" if name == "test" else ""))
    data = TextLM(
        **{n: str(tmp_path / f"{n}.txt") for n in ("train", "val", "test")},
        level=level,
        length=4,
        batch_size=2,
    )
    rules = restored(data)
    test = data.splits["test"]
    inputs = rules.input.batch([(tmp_path / "test.txt").read_text()])
    whole = data.serve(torch.cat([test.x[:1], test.y]))[None]
    assert inputs.x.dtype == whole.dtype == torch.int64
    assert torch.equal(inputs.x, whole)


def test_piano_rolls(tmp_path: Path, check: Check) -> None:
    pieces = [RANDOM.integers(0, 2, (steps, 5)).astype(np.uint8) for steps in (4, 7, 2, 6)]
    cells = {key: np.empty((1, 4), dtype=object) for key in PianoRolls.keys.values()}
    for key in cells:
        for index, piece in enumerate(pieces):
            cells[key][0, index] = piece
    scipy.io.savemat(tmp_path / "song.mat", cells)
    check(PianoRolls(path=str(tmp_path / "song.mat")), [p[:-1] for p in pieces])


def pictures(folder: Path, mode: str) -> list[Path]:
    """Eight pictures of different sizes in each of two classes."""
    files = []
    for index in range(16):
        size = (9 + 5 * index % 23, 8 + 7 * index % 17)
        pixels = RANDOM.integers(
            0, 256, (size[1], size[0], *{"L": (), "RGB": (3,), "RGBA": (4,)}[mode])
        ).astype(np.uint8)
        file = folder / "ab"[index % 2] / f"{index:02}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(file)
        files.append(file)
    return sorted(files)


FOLDERS = [
    *(("RGB", {"size": 10, "view": view}) for view in ImageFolder.views),
    *(("RGBA", {"size": 12, "scaling": s}) for s in ImageFolder.scalings),
    *(("L", {"size": 7, "channels": 1, "fit": fit}) for fit in ("crop", "stretch")),
    ("RGB", {"size": 12, "fit": "stretch", "channels": 1}),
    ("L", {"size": 16, "channels": 3}),
]


@pytest.mark.parametrize("mode, how", FOLDERS)
def test_image_folder(mode: str, how: dict[str, Any], tmp_path: Path, check: Check) -> None:
    files = pictures(tmp_path / "test", mode)
    pictures(tmp_path / "train", mode)
    data = ImageFolder(path=str(tmp_path / "train"), test_path=str(tmp_path / "test"), **how)
    check(data, files)
    check(data, [str(f) for f in files])
    check(data, [Image.open(f) for f in files])
    check(data, [np.asarray(Image.open(f)) for f in files])


def test_resizing_is_torchvisions() -> None:
    """Any size to any size."""
    from torchvision.transforms import functional

    random = np.random.default_rng(3)
    for _ in range(150):
        w, h, size = (int(n) for n in random.integers(1, 70, 3))
        image = Image.fromarray(random.integers(0, 256, (h, w, 3)).astype(np.uint8))
        for fit in ("crop", "stretch"):
            if fit == "crop":
                wanted = functional.center_crop(functional.resize(image, [size]), [size, size])
            else:
                wanted = functional.resize(image, [size, size])
            got = open_image(image, (size, size), 3, fit)
            assert np.array_equal(got, np.asarray(wanted).transpose(2, 0, 1)), (w, h, size, fit)
