"""Raw samples as a user has them, read here from files or scikit-learn: served as in training."""

import csv
import gzip
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import sklearn.datasets
import torch
from PIL import Image

from zoo.data import (
    MNIST,
    UCR,
    Adding,
    ArrayData,
    ArrayFile,
    BreastCancer,
    CopyMemory,
    DataModule,
    Diabetes,
    Digits,
    FashionMNIST,
    ImageFolder,
    Iris,
    PianoRolls,
    Series,
    Sine,
    Spirals,
    Table,
    TemporalOrder,
    Text,
    TextLM,
    TwoMoons,
    Wine,
)
from zoo.data.splits import stratified
from zoo.data.ucr import READERS, find
from zoo.preprocessing.images import open_image

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
RANDOM = np.random.default_rng(0)
Check = Callable[..., Any]
# The default tests read stored samples, see test_as_in_training.py.
pytestmark = pytest.mark.slow
published = pytest.mark.skipif(not SHARED.is_dir(), reason="no ../shared/data")


def cases(*kinds: type[DataModule]) -> list[Any]:
    """Each kind in each view with each scaling that it offers."""
    return [
        pytest.param(kind, {"view": view, "scaling": scaling}, id=f"{kind.name}-{view}-{scaling}")
        for kind in kinds
        for view, scaling in product(kind.views, kind.scalings)
    ]


@pytest.mark.parametrize("kind, how", cases(Digits))
def test_digits(kind: type[DataModule], how: dict[str, Any], check: Check) -> None:
    bunch = sklearn.datasets.load_digits()
    test = stratified(torch.from_numpy(bunch.target)).test.numpy()
    check(kind(**how), list(bunch.images[test]))
    check(kind(**how), list(bunch.images[test].astype(np.uint8)[..., None]))


@pytest.mark.parametrize("kind, how", cases(Iris, Wine, BreastCancer, Diabetes))
def test_bundled(kind: type[DataModule], how: dict[str, Any], check: Check) -> None:
    load = getattr(sklearn.datasets, f"load_{kind.name}")
    bunch = load(scaled=False) if kind is Diabetes else load()
    labels = torch.from_numpy(bunch.target)
    test = stratified(torch.zeros(len(labels)) if kind is Diabetes else labels).test.numpy()
    rows = [dict(zip(bunch.feature_names, row, strict=True)) for row in bunch.data[test].tolist()]
    check(kind(**how), rows)
    check(kind(**how), [{"id": 7} | {n: str(v) for n, v in reversed(row.items())} for row in rows])


SMALL = {"train_size": 40, "val_size": 10, "test_size": 12}
MADE = [
    *((data, how) for data in (TwoMoons, Spirals) for how in ({}, {"scaling": "unit"})),
    *((Adding, {"length": 7, "view": view}) for view in Adding.views),
    *((Adding, {"length": 7, "scaling": s}) for s in Adding.scalings),
    *((Sine, {"window": 9, "horizon": 2, "view": view}) for view in Sine.views),
    *((Sine, {"window": 9, "horizon": 2, "scaling": s}) for s in Sine.scalings),
    *((CopyMemory, {"delay": 3, "view": view}) for view in CopyMemory.views),
    *((TemporalOrder, {"length": 12, "view": view}) for view in TemporalOrder.views),
    (TemporalOrder, {"length": 12, "scaling": "unit"}),
    (CopyMemory, {"delay": 3, "scaling": "unit"}),
]


@pytest.mark.parametrize("kind, how", MADE)
def test_made_up_sets(kind: type[DataModule], how: dict[str, Any], check: Check) -> None:
    data = kind(**SMALL, **how)
    data.setup()
    raw = data.splits["test"].x.numpy()
    check(data, list(raw))
    check(data, raw.tolist())


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


def test_the_bundled_series(check: Check) -> None:
    with Series.bundled.open(newline="") as file:
        p = [float(row[-1]) for row in list(csv.reader(file))[1:]]
    data = Series()
    data.setup()
    first = len(p) - round(0.2 * len(p))
    check(data, [np.array(p[:at])[:, None] for at in range(first, len(p) - data.horizon + 1)])


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


GREY, COLOUR = (20, 9, 9), (20, 3, 9, 8)
ARRAYS = [
    ("table", RANDOM.normal(size=(20, 4)), {}),
    ("bytes", RANDOM.integers(0, 256, (20, 4)).astype(np.uint8), {}),
    ("whole", RANDOM.integers(-9, 9, (20, 4)), {"scaling": "unit"}),
    ("line", RANDOM.normal(size=(20, 6)), {"layout": "sequence"}),
    *(
        ("sequence", RANDOM.normal(size=(20, 6, 2)), {"view": v})
        for v in ("sequence", "vector", "image")
    ),
    *(
        ("grey", RANDOM.integers(0, 256, GREY).astype(np.uint8), {"view": v, "scaling": "unit"})
        for v in ("image", "vector", "rows", "pixels", "sequence")
    ),
    ("grey floats", RANDOM.random(GREY).astype(np.float32), {}),
    ("chw", RANDOM.integers(0, 256, COLOUR).astype(np.uint8), {}),
    ("chw floats", RANDOM.normal(size=COLOUR), {"scaling": "unit"}),
    ("hwc", RANDOM.integers(0, 256, (20, 9, 8, 3)).astype(np.uint8), {"scaling": "none"}),
    ("hwc grey", RANDOM.random((20, 9, 9)), {"layout": "hwc"}),
    ("four", RANDOM.integers(0, 256, (20, 4, 9, 8)).astype(np.uint8), {}),
    ("five", RANDOM.random((20, 5, 9, 8)), {"layout": "chw"}),
    ("like text", RANDOM.random((20, 3, 4)), {"layout": "chw"}),
    ("long line", RANDOM.integers(0, 256, (20, 6)).astype(np.uint8), {"layout": "sequence"}),
]


@pytest.mark.parametrize("name, x, how", ARRAYS, ids=[f"{a[0]}-{a[2]}" for a in ARRAYS])
@pytest.mark.parametrize("target", ["classes", "values"])
def test_arrays(
    name: str, x: Any, how: dict[str, Any], target: str, tmp_path: Path, check: Check
) -> None:
    y = np.arange(20) % 2 if target == "classes" else RANDOM.normal(size=(20, 2))
    data = ArrayData(x, y, x_test=x[:7], y_test=y[:7], **how)
    check(data, list(x[:7]))
    np.savez(tmp_path / "own.npz", x_train=x, y_train=y, x_test=x[:7], y_test=y[:7])
    check(ArrayFile(path=str(tmp_path / "own.npz"), **{"view": data.view, **how}), list(x[:7]))


@pytest.mark.parametrize("name, x, how", ARRAYS, ids=[f"{a[0]}-{a[2]}" for a in ARRAYS])
def test_arrays_through_samples(
    name: str, x: Any, how: dict[str, Any], restored: Callable[..., Any]
) -> None:
    """As a user gives them: one by itself, several stacked, several in a list."""
    y = np.arange(20) % 2
    data = ArrayData(x, y, x_test=x[:7], y_test=y[:7], **how)
    rules = restored(data).input
    wanted = data.serve(data.splits["test"].x)
    for raw, count, single in ((x[0], 1, True), (x[:7], 7, False), (list(x[:7]), 7, False)):
        samples, one = rules.samples(raw)
        assert (len(samples), one) == (count, single)
        assert torch.equal(rules.batch(samples).x, wanted[:count])


def test_a_sample_of_a_tensor(check: Check) -> None:
    x, y = torch.rand(20, 4), torch.arange(20) % 2
    check(ArrayData(x, y, x_test=x[:5], y_test=y[:5]), list(x[:5]))


def idx(file: Path, skip: int) -> np.ndarray:
    return np.frombuffer(gzip.decompress(file.read_bytes()), np.uint8)[skip:]


@published
@pytest.mark.parametrize("kind, how", cases(MNIST, FashionMNIST))
def test_mnist(kind: type[DataModule], how: dict[str, Any], check: Check) -> None:
    images = idx(SHARED / kind.name / "t10k-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
    data = kind(root=str(SHARED), download=False, **how)
    data.setup()
    data.splits["test"] = data.splits["test"].take(torch.arange(300))
    check(data, list(images[:300]))
    check(data, [Image.fromarray(i) for i in images[:300]])


@published
@pytest.mark.parametrize("name", ["JapaneseVowels", "BasicMotions", "GunPoint", "ECG200"])
def test_published_ucr(name: str, check: Check) -> None:
    path = SHARED / "ucr" / name
    file = find(path)[1]
    samples = READERS[Path(file.name.removesuffix(".gz")).suffix](file).samples
    for scaling in UCR.scalings:
        check(UCR(path=str(path), scaling=scaling), samples)


NAMES = (
    "age workclass fnlwgt education education_num marital_status occupation relationship race sex "
    "capital_gain capital_loss hours_per_week native_country income"
).split()


@published
@pytest.mark.parametrize("scaling", Table.scalings)
def test_adult(scaling: str, check: Check) -> None:
    lines = gzip.decompress((SHARED / "tabular" / "adult-test.csv.gz").read_bytes()).decode()
    rows = [
        dict(zip(NAMES, [c.strip() for c in line.split(",")], strict=True))
        for line in lines.splitlines()
        if line.strip()
    ]
    check(
        Table(
            root=str(SHARED),
            path="tabular/adult-train.csv.gz",
            test_path="tabular/adult-test.csv.gz",
            names=NAMES,
            target="income",
            label_suffix=".",
            scaling=scaling,
        ),
        rows,
    )


@published
def test_sst2(check: Check) -> None:
    lines = gzip.decompress((SHARED / "text_sentiment" / "stsa.binary.test.gz").read_bytes())
    texts = [line.split(" ", 1)[1] for line in lines.decode().splitlines() if line.strip()]
    root = "text_sentiment/stsa.binary."
    check(
        Text(
            root=str(SHARED),
            path=root + "train.gz",
            test_path=root + "test.gz",
            val_path=root + "dev.gz",
            format="sst",
        ),
        texts,
    )


@published
def test_ett(check: Check) -> None:
    text = gzip.decompress((SHARED / "ett" / "ETTh1.csv.gz").read_bytes()).decode()
    rows = list(csv.DictReader(text.splitlines()))[: 8640 + 2880 + 2880]
    data = Series(
        root=str(SHARED),
        path="ett/ETTh1.csv.gz",
        target="OT",
        columns="all",
        window=96,
        horizon=24,
        train=8640,
        val=2880,
        test=2880,
    )
    every = {n: [float(row[n]) for row in rows] for n in rows[0] if n != "date"}
    check(
        data,
        [
            {n: c[at - 96 : at] for n, c in every.items()}
            for at in range(8640 + 2880, len(rows) - 24 + 1)
        ],
    )
