import math
import warnings

import numpy as np
import pytest
import sklearn.datasets
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

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
    TemporalOrder,
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


class Recorder(LightningModule):
    """Learns nothing; remembers the batches that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen: list[tuple[int, int, float]] = []

    def training_step(self, batch, index):
        self.seen.append((self.current_epoch, index, batch.x.sum().item()))
        return self.weight * 0.0

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def train(tmp_path, resume=None, steps=1, **arguments) -> list[tuple[int, int, float]]:
    module = Recorder()
    checkpoint = ModelCheckpoint(
        tmp_path, filename="{step}", save_top_k=-1, every_n_train_steps=steps
    )
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[checkpoint],
        default_root_dir=tmp_path,
        **arguments,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's advice on the small run
        trainer.fit(module, Iris(batch_size=16, seed=1), ckpt_path=resume, weights_only=True)
    return module.seen


@pytest.mark.parametrize("stop", [1, 3, 7, 10, 14, 17])
def test_a_run_resumed_by_lightning_sees_the_batches_of_one_that_never_stopped(
    tmp_path, stop: int
) -> None:
    whole = train(tmp_path / "whole", max_epochs=3)
    assert len(whole) == 21 and len({total for _, _, total in whole}) == 21
    train(tmp_path / "part", max_steps=stop, max_epochs=3)
    rest = train(tmp_path / "rest", tmp_path / "part" / f"step={stop}.ckpt", max_epochs=3)
    assert rest == whole[stop:]


@pytest.mark.parametrize("limit", [None, 3])
def test_a_run_resumed_between_two_epochs_goes_on_with_the_next(tmp_path, limit) -> None:
    arguments = {"steps": None, "limit_train_batches": limit}  # no steps: one file an epoch
    whole = train(tmp_path / "whole", max_epochs=4, **arguments)
    train(tmp_path / "part", max_epochs=2, **arguments)
    (last,) = (tmp_path / "part").glob(f"step={2 * (limit or 7)}.ckpt")
    rest = train(tmp_path / "rest", last, max_epochs=4, **arguments)
    assert rest == whole[2 * (limit or 7) :]


def test_overfitting_serves_the_same_batches_in_each_epoch(tmp_path) -> None:
    seen = train(tmp_path, max_epochs=3, overfit_batches=2)
    assert len(seen) == 6 and len({total for _, _, total in seen}) == 2
