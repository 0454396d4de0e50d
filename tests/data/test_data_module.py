import inspect
import math
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets
import torch
import yaml

from zoo.config import conf_dir
from zoo.data import (
    Adding,
    BreastCancer,
    CopyMemory,
    DataModule,
    Diabetes,
    Digits,
    Iris,
    Sine,
    Spirals,
    Split,
    TemporalOrder,
    TextLM,
    TwoMoons,
    Wine,
)

TABLES = {Iris: "load_iris", Wine: "load_wine", BreastCancer: "load_breast_cancer"}
SETS = [*TABLES, Adding, CopyMemory, Diabetes, Digits, Sine, Spirals, TemporalOrder, TwoMoons]
PAIRS = [(data, view) for data in SETS for view in data.views]


def ready(data: type[DataModule], **arguments) -> DataModule:
    module = data(**arguments)
    module.setup()
    return module


@pytest.mark.parametrize(("data", "view"), PAIRS)
def test_facts_describe_what_is_served(data: type[DataModule], view: str) -> None:
    module = ready(data, view=view, batch_size=7)
    facts, batch = module.facts, next(iter(module.train_dataloader()))
    served = torch.cat([batch.x for batch in module.train_dataloader()])
    assert facts["range"] == [served.min().item(), served.max().item()]
    if view == "tokens":
        assert batch.x.dtype == torch.int64 and batch.x.ndim == 2
        assert facts["embedding"] == 16 and facts["in_features"] > served.max()
    else:
        assert batch.x.dtype == torch.float32 and facts["embedding"] is None
        by_step = view in ("sequence", "rows", "pixels")
        assert facts["in_features"] == (batch.x.shape[-1] if by_step else batch.x[0].numel())
        assert math.prod(facts["in_shape"]) == batch.x[0].numel()
    if view == "image":
        assert facts["in_shape"] == list(batch.x.shape[1:])
        assert facts["in_channels"] == batch.x.shape[1]
    every = batch.x.shape[1:2] if facts["readout"] == "every" else ()
    if data.target == "classes":
        assert batch.y.dtype == torch.int64 and batch.y.shape == (7, *every)
        labels = torch.cat([split.y.flatten() for split in module.splits.values()])
        assert facts["num_classes"] == facts["out_features"] == len(module.class_names)
        assert 0 <= labels.min() and labels.max() < facts["num_classes"] and "scale" not in facts
    else:
        assert batch.y.dtype == torch.float32 and batch.y.shape == (7, facts["out_features"])
        assert len(facts["scale"]) == facts["out_features"] and "num_classes" not in facts
        assert module.class_names is None


@pytest.mark.parametrize(
    ("view", "in_features"),
    [("vector", 64), ("image", 64), ("rows", 8), ("pixels", 1), ("sequence", 8)],
)
def test_digits_by_hand(view: str, in_features: int) -> None:
    facts = ready(Digits, view=view, scaling="unit").facts
    assert facts == {
        "in_features": in_features,
        "in_shape": [1, 8, 8],
        "in_channels": 1,
        "readout": "last",
        "embedding": None,
        "range": [0.0, 1.0],
        "out_features": 10,
        "num_classes": 10,
    }


def test_copy_memory_reads_every_step_of_ten_symbols() -> None:
    facts = ready(CopyMemory, delay=5).facts
    assert (facts["readout"], facts["num_classes"], facts["in_features"]) == ("every", 10, 10)


def test_describe() -> None:
    assert Digits().describe() == (
        "digits: 1,257 train, 180 validation, 360 test; 8 x 8 images, 10 classes"
    )
    assert Diabetes().describe() == (
        "diabetes: 308 train, 45 validation, 89 test; 10 columns, 1 target"
    )
    assert (
        Sine(window=9, horizon=2, view="vector").describe().endswith("9 x 1 sequences, 2 targets")
    )


@pytest.mark.parametrize("data", [Digits, *TABLES])
def test_splits_hold_every_sample_once_and_follow_the_split_seed_alone(data) -> None:
    loader = TABLES.get(data, "load_digits")
    x, y = getattr(sklearn.datasets, loader)(return_X_y=True)
    a, b, other = ready(data, seed=1), ready(data, seed=2), ready(data, split_seed=1)
    table = np.concatenate([s.x.flatten(1).float().numpy() for s in a.splits.values()])
    labels = np.concatenate([s.y.numpy() for s in a.splits.values()])
    rows = np.column_stack([table, labels])
    expected = np.column_stack([x.astype(np.float32), y])
    assert sorted(map(tuple, rows)) == sorted(map(tuple, expected))
    for name in a.splits:
        assert torch.equal(a.splits[name].x, b.splits[name].x)
    assert not torch.equal(a.splits["test"].x, other.splits["test"].x)


@pytest.mark.parametrize("data", TABLES)
def test_tables_are_standardised_by_training_statistics_alone(data) -> None:
    module = ready(data)
    train, test = (module.splits[name].x.double().numpy() for name in ("train", "test"))
    expected = (test - train.mean(0)) / train.std(0)
    served = torch.cat([batch.x for batch in module.test_dataloader()]).numpy()
    np.testing.assert_allclose(served, expected, rtol=1e-4, atol=1e-4)


def test_images_are_standardised_by_one_mean_and_deviation_of_training() -> None:
    module = ready(Digits, view="image")
    train, val = (module.splits[name].x.double().numpy() for name in ("train", "val"))
    served = torch.cat([batch.x for batch in module.val_dataloader()]).numpy()
    np.testing.assert_allclose(served, (val - train.mean()) / train.std(), atol=1e-5)


def test_unit_digits_are_sixteenths_and_none_leaves_them() -> None:
    for scaling, factor in (("unit", 1 / 16), ("none", 1.0)):
        module = ready(Digits, scaling=scaling)
        served = torch.cat([batch.x for batch in module.test_dataloader()])
        assert torch.equal(served, module.splits["test"].x.flatten(1).float() * factor)


def test_diabetes_target_is_standardised_by_training_and_can_be_undone() -> None:
    module = ready(Diabetes)
    x, y = sklearn.datasets.load_diabetes(return_X_y=True, scaled=False)
    target = dict(zip(map(tuple, x.astype(np.float32)), y, strict=True))

    def original(name: str) -> np.ndarray:
        return np.array([target[tuple(row)] for row in module.splits[name].x.numpy()])

    mean, deviation = original("train").mean(), original("train").std()
    assert module.facts["scale"] == [pytest.approx(deviation, rel=1e-6)]
    for name in ("train", "val", "test"):
        expected = (original(name) - mean) / deviation
        served = module.splits[name].y[:, 0].numpy()
        np.testing.assert_allclose(served, expected, atol=1e-5)


@pytest.mark.parametrize("data", [Adding, Sine])
def test_other_targets_are_in_original_units(data) -> None:
    assert ready(data).facts["scale"] == [1.0]


def test_nothing_is_read_before_setup_and_nothing_twice(monkeypatch) -> None:
    reads = []
    original = Iris.read
    monkeypatch.setattr(Iris, "read", lambda self: reads.append(1) or original(self))
    module = Iris()
    assert reads == [] and module.splits == {} and module.facts == {}
    module.setup("fit"), module.setup("test"), module.train_dataloader()
    assert reads == [1]


def test_evaluation_keeps_its_order_and_training_does_not() -> None:
    module = Iris(batch_size=10, seed=3)
    for loader in (module.val_dataloader(), module.test_dataloader()):
        first, second = (torch.cat([b.x for b in loader]) for _ in range(2))
        assert torch.equal(first, second)
    loader = module.train_dataloader()
    first, second = (torch.cat([b.y for b in loader]) for _ in range(2))
    assert not torch.equal(first, second) and torch.equal(first.sort()[0], second.sort()[0])
    fixed = Iris(batch_size=10, shuffle=False).train_dataloader()
    assert torch.equal(torch.cat([b.y for b in fixed]), module.splits["train"].y)
    assert len(Iris(batch_size=10, drop_last=True).train_dataloader()) == 105 // 10


@pytest.mark.parametrize(
    ("data", "arguments", "message"),
    [
        (Iris, {"batch_size": 0}, "`batch_size` must be an integer of at least 1, got 0"),
        (Iris, {"batch_size": 2.5}, "`batch_size` must be an integer of at least 1, got 2.5"),
        (Iris, {"view": "image"}, "`view` of iris must be one of vector, got 'image'"),
        (Digits, {"view": "tokens"}, "`view` of digits must be one of vector, image, rows, pixels"),
        (Digits, {"scaling": "minmax"}, "of digits must be one of standard, unit, none, got 'minm"),
        (Digits, {"seed": -1}, "`seed` must be an integer of at least 0, got -1"),
        (Digits, {"split_seed": None}, "`split_seed` must be an integer of at least 0, got None"),
    ],
)
def test_bad_arguments(data, arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        data(**arguments)


# --- dividing and placing ---------------------------------------------------------------------


def test_divide_carves_stratified_and_by_the_split_seed_alone() -> None:
    x, y = torch.arange(200)[:, None], torch.arange(200) % 4
    parts = Iris(split_seed=3).divide(x, y, lengths=x[:, 0], mask=y > 0, val=0.2)
    assert {name: len(part.x) for name, part in parts.items()} == {"train": 160, "val": 40}
    assert parts["val"].y.bincount().tolist() == [10] * 4
    assert sorted(torch.cat([part.x for part in parts.values()])[:, 0].tolist()) == list(range(200))
    for part in parts.values():
        assert torch.equal(part.y, part.x[:, 0] % 4) and torch.equal(part.lengths, part.x[:, 0])
        assert torch.equal(part.mask, part.y > 0)
    assert torch.equal(Iris(split_seed=3, seed=9).divide(x, y, val=0.2)["val"].x, parts["val"].x)
    assert not torch.equal(Iris().divide(x, y, val=0.2)["val"].x, parts["val"].x)


def test_values_are_divided_without_classes() -> None:
    parts = Diabetes().divide(torch.randn(50, 3), torch.randn(50, 1))
    assert [len(parts[name].x) for name in ("train", "val")] == [45, 5]


def test_workers_serve_what_memory_does() -> None:
    here = Digits(batch_size=500, seed=2, view="image")
    there = Digits(batch_size=500, seed=2, view="image", in_memory=False, workers=1)
    for name in ("train", "val"):
        a, b = (getattr(module, f"{name}_dataloader")() for module in (here, there))
        assert (a.workers, b.workers) == (0, 1)
        for ours, theirs in zip(a, b, strict=True):
            assert torch.equal(ours.x, theirs.x) and torch.equal(ours.y, theirs.y)


def test_a_split_goes_to_the_gpu_only_if_it_leaves_room(monkeypatch) -> None:
    module = ready(Iris)
    size = sum(t.nbytes for t in module.splits["train"][:2])
    monkeypatch.setattr(Split, "to", lambda self, device: self._replace(lengths=torch.ones(1)))
    gpu = torch.device("cuda", 0)
    for free, moved in ((2 * size - 1, False), (2 * size, True)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, free=free: (free, 10**12))
        assert (module.placed("train", gpu).lengths is not None) == moved
    assert module.placed("train", torch.device("cpu")) is module.splits["train"]
    mapped = ready(Iris, in_memory=False)
    assert mapped.placed("train", gpu) is mapped.splits["train"]


@pytest.mark.parametrize("file", sorted((conf_dir() / "data").glob("*.yaml")), ids=lambda f: f.stem)
def test_a_yaml_spells_every_setting_that_all_sets_have(file: Path) -> None:
    names = set(inspect.signature(DataModule.__init__).parameters) - {"self"}
    node = yaml.safe_load(file.read_text(encoding="utf-8"))["data"]
    assert names - set(node) == set()
    assert node["augmentation"] == "${augmentation}"


def test_only_so_many_training_samples_are_kept() -> None:
    whole, part = ready(Digits), ready(Digits, train_samples=100)
    assert part.splits["train"].y.bincount().tolist() == [10] * 10
    assert {tuple(x.flatten().tolist()) for x in part.splits["train"].x} <= {
        tuple(x.flatten().tolist()) for x in whole.splits["train"].x
    }
    for name in ("val", "test"):  # what is measured with is the same
        assert torch.equal(part.splits[name].x, whole.splits[name].x)
    # Scaled by what it may know, its own samples.
    x = part.serve(part.splits["train"].x)
    assert abs(x.mean()) < 1e-5 and abs(x.std() - 1) < 1e-3
    assert sum(len(batch.x) for batch in part.train_dataloader()) == 100


def test_training_samples_that_are_not_there() -> None:
    with pytest.raises(ValueError, match="`train_samples` must be in 1..105, got 106"):
        ready(Iris, train_samples=106)
    with pytest.raises(ValueError, match="train_samples"):
        Iris(train_samples=0)
    with pytest.raises(ValueError, match="`train_samples` of text_lm must be null"):
        TextLM(train_samples=10)
