"""Raw samples of the sets that the zoo knows, read from their sources: served as in training."""

import csv
import gzip
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.datasets
import torch
from PIL import Image

from zoo.data import (
    MNIST,
    UCR,
    Adding,
    BreastCancer,
    CopyMemory,
    DataModule,
    Diabetes,
    Digits,
    FashionMNIST,
    Iris,
    Series,
    Sine,
    Spirals,
    Table,
    TemporalOrder,
    Text,
    TwoMoons,
    Wine,
)
from zoo.data.splits import stratified
from zoo.data.ucr import READERS, find

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
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


def test_the_bundled_series(check: Check) -> None:
    with Series.bundled.open(newline="") as file:
        p = [float(row[-1]) for row in list(csv.reader(file))[1:]]
    data = Series()
    data.setup()
    first = len(p) - round(0.2 * len(p))
    check(data, [np.array(p[:at])[:, None] for at in range(first, len(p) - data.horizon + 1)])


# --- published -------------------------------------------------------------------------------


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
