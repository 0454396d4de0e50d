"""Answers, by hand: in the words and units of the data, whatever the loss made of the outputs."""

import math
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from zoo.data import (
    UCR,
    Adding,
    ArrayData,
    CopyMemory,
    Diabetes,
    Digits,
    Iris,
    PianoRolls,
    Series,
    Split,
    Table,
    TemporalOrder,
    TextLM,
)
from zoo.data.base import DataModule
from zoo.preprocessing import (
    Classes,
    Frames,
    Inputs,
    NextToken,
    Preprocessing,
    Reconstruction,
    Scaling,
    Values,
)
from zoo.preprocessing.views import IMAGE, SEQUENCE, TABLE, put_back

Restored = Callable[..., Preprocessing]
PLAIN = Scaling(torch.zeros(()), torch.ones(()))
NONE = Inputs(torch.zeros(2, 1))
SMALL = {"train_size": 40, "val_size": 10, "test_size": 12}


class Pair(NamedTuple):
    """What a net of several outputs gives back."""

    output: Tensor
    state: Tensor


def test_classes_by_hand() -> None:
    logits = torch.tensor([[0.0, math.log(3.0), 0.0], [5.0, 0.0, -1.0]])
    first, second = Classes(["a", "b", "c"]).answers(logits, NONE, [0, 0], top_k=9)
    assert first["label"] == "b" and first["probability"] == pytest.approx(0.6)
    assert [name for name, _ in first["top"]][0] == "b" and len(first["top"]) == 3
    assert sum(share for _, share in first["top"]) == pytest.approx(1)
    assert second["label"] == "a"
    assert len(Classes(["a", "b", "c"]).answers(logits, NONE, [0, 0])[0]["top"]) == 1
    same = Classes(["a", "b", "c"]).answers(Pair(logits, logits), NONE, [0, 0])
    assert same[1]["label"] == "a"


def test_classes_at_each_step_that_there_is() -> None:
    logits = torch.eye(3)[torch.tensor([[0, 1, 2], [2, 2, 0]])] * 9  # (2, 3, 3)
    inputs = Inputs(torch.zeros(2, 3, 1), torch.tensor([3, 1]))
    answers = Classes(["a", "b", "c"]).answers(logits, inputs, [0, 0])
    labels = [[step["label"] for step in answer["steps"]] for answer in answers]
    assert labels == [["a", "b", "c"], ["c"]]
    whole = Classes(["a", "b", "c"]).answers(logits, Inputs(torch.zeros(2, 3, 1)), [0, 0])
    assert [step["label"] for step in whole[1]["steps"]] == ["c", "c", "a"]


def test_the_next_token_follows_the_last_one() -> None:
    logits = torch.eye(3)[torch.tensor([[0, 1, 2], [2, 1, 0]])] * 9
    inputs = Inputs(torch.zeros(2, 3), torch.tensor([3, 2]))
    answers = NextToken(["a", "b", "c"]).answers(logits, inputs, [0, 0])
    assert [answer["label"] for answer in answers] == ["c", "b"]


def test_values_by_hand() -> None:
    scaling = Scaling(torch.tensor([10.0, 0.0]), torch.tensor([2.0, 1.0]))
    output = torch.tensor([[1.0, 2.0], [-1.0, 0.5]])
    assert Values(scaling).answers(output, NONE, [0, 0]) == [
        {"values": [12.0, 2.0]},
        {"values": [8.0, 0.5]},
    ]
    gaussian = torch.cat([output, torch.full((2, 2), 99.0)], dim=1)
    point = Values(scaling, point="first_half")
    assert point.answers(gaussian, NONE, [0, 0])[0] == {"values": [12.0, 2.0]}
    logits = torch.tensor([[math.log(3.0)]])
    (answer,) = Values(PLAIN, point="logits").answers(logits, NONE, [0])
    assert answer["values"] == [pytest.approx(0.75)]


def test_frames_are_probabilities() -> None:
    inputs = Inputs(torch.zeros(2, 2, 1), torch.tensor([1, 2]))
    logits = torch.tensor([[[0.0], [9.0]], [[math.log(3.0)], [0.0]]])
    answers = Frames().answers(logits, inputs, [0, 0])
    assert answers[0] == {"steps": [[0.5]]}
    assert answers[1]["steps"] == [[pytest.approx(0.75)], [0.5]]
    assert Frames(point="all").answers(logits, inputs, [0, 0])[0] == {"steps": [[0.0]]}


def test_a_net_of_other_sizes_is_refused() -> None:
    wide = torch.zeros(2, 4)
    two = Scaling(torch.zeros(2), torch.ones(2))
    for output in (
        Classes(["a", "b"]),
        Values(two),
        Values(PLAIN, names=["a", "b", "c"]),
        Reconstruction(PLAIN, [5], view="vector"),
    ):
        with pytest.raises(ValueError, match="the net gives 4 "):
            output.answers(wide, Inputs(wide), [0, 0])


# --- reconstructions -------------------------------------------------------------------------

SHAPES = [(IMAGE, (3, 4, 5)), (SEQUENCE, (6, 2)), (TABLE, (7,))]


@pytest.mark.parametrize(
    "kind, shape, view", [(kind, shape, view) for kind, shape in SHAPES for view in kind.views]
)
def test_every_view_has_a_way_back(kind: Any, shape: tuple[int, ...], view: str) -> None:
    x = torch.rand(2, *shape)
    seen = kind.views[view](x)
    assert torch.equal(put_back(seen, view, shape), x)
    assert torch.equal(put_back(seen.flatten(1), view, shape), x)


def perfect(data: DataModule, samples: list[Any], restored: Restored) -> list[Any]:
    """What a net that gives back what it reads reconstructs."""
    rules = restored(data, reconstructs=True)
    inputs = rules.input.batch(samples)
    answers = rules.output.answers(inputs.x, inputs, samples)
    assert [answer["score"] for answer in answers] == [0.0] * len(samples)
    return [answer["reconstruction"] for answer in answers]


@pytest.mark.parametrize("view", Digits.views)
@pytest.mark.parametrize("channels", [1, 3])
def test_images_come_back(view: str, channels: int, restored: Restored) -> None:
    x = np.random.default_rng(0).integers(0, 256, (20, channels, 9, 8)).astype(np.uint8)
    data = ArrayData(x, np.arange(20) % 2, layout="chw", view=view)
    np.testing.assert_allclose(perfect(data, list(x[:3]), restored), x[:3], atol=1e-3)


@pytest.mark.parametrize("view, scaling", list(product(Adding.views, Adding.scalings)))
def test_sequences_come_back(view: str, scaling: str, restored: Restored) -> None:
    data = Adding(length=5, view=view, scaling=scaling, **SMALL)
    data.setup()
    raw = list(data.splits["test"].x.numpy())
    np.testing.assert_allclose(perfect(data, raw, restored), raw, atol=1e-5)


@pytest.mark.parametrize("view", ["sequence", "vector", "image"])
def test_symbols_come_back_one_hot(view: str, restored: Restored) -> None:
    data = TemporalOrder(length=10, view=view, **SMALL)
    data.setup()
    raw = data.splits["test"].x.numpy()
    assert np.array_equal(np.argmax(perfect(data, list(raw), restored), axis=2), raw)


@pytest.mark.parametrize("view", UCR.views)
def test_files_of_series_come_back(view: str, tmp_path: Path, restored: Restored) -> None:
    rows = np.random.default_rng(0).normal(50.0, 9.0, (12, 6))
    lines = ["\t".join([str(i % 2), *map(repr, row)]) for i, row in enumerate(rows.tolist())]
    for part in ("TRAIN", "TEST"):
        (tmp_path / f"P_{part}.tsv").write_text("\n".join(lines) + "\n")
    raw = list(rows[:, :, None])
    found = perfect(UCR(path=str(tmp_path / "P"), view=view), raw, restored)
    np.testing.assert_allclose(found, raw, rtol=1e-5)


def test_windows_come_back(restored: Restored) -> None:
    raw = [np.arange(100.0, 104.0), np.arange(300.0, 304.0)]
    for view in Series.views:
        found = perfect(Series(window=4, horizon=2, view=view), raw, restored)
        np.testing.assert_allclose(np.squeeze(found), raw, rtol=1e-5)


def test_numbers_of_a_table_come_back(tmp_path: Path, restored: Restored) -> None:
    lines = [
        "age,town,kind",
        *(f"{'' if i % 7 == 3 else 20 + i},{'AB'[i % 2]},{i % 2}" for i in range(40)),
    ]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    data = Table(path=str(tmp_path / "t.csv"), target="kind")
    found = perfect(data, [{"age": 33, "town": "B"}, {"age": 21.5, "town": "?"}], restored)
    # the age, whether it is missing, then the bits of A, B and of all others
    np.testing.assert_allclose(found, [[33, 0, 0, 1, 0], [21.5, 0, 0, 0, 1]], rtol=1e-5)


def test_a_score_is_the_squared_error_of_the_metric(restored: Restored) -> None:
    from zoo.lit.metrics import SquaredErrorPerSample

    data = Digits(view="vector")
    rules = restored(data, reconstructs=True)
    raw = list(data.splits["test"].x[:20].numpy())
    inputs = rules.input.batch(raw)
    image = torch.randn(20, 64, generator=torch.Generator().manual_seed(0))
    scores = [a["score"] for a in rules.output.answers(Pair(image, image), inputs, raw)]
    metric = SquaredErrorPerSample()
    metric.update(image, inputs.x)
    assert np.mean(scores) == pytest.approx(float(metric.compute()), rel=1e-6)


def test_logits_of_an_image_are_made_an_image(restored: Restored) -> None:
    data = Digits(view="vector", scaling="unit")
    rules = restored(data, reconstructs=True, point="logits")
    raw = [np.full((8, 8), 4.0)]
    inputs = rules.input.batch(raw)
    logits = torch.full((1, 64), math.log(1 / 3))  # of a quarter
    (answer,) = rules.output.answers(logits, inputs, raw)
    np.testing.assert_allclose(answer["reconstruction"], np.full((1, 8, 8), 4.0), rtol=1e-6)
    assert answer["score"] == pytest.approx(0.0, abs=1e-12)


# --- which way out ---------------------------------------------------------------------------


def test_each_set_says_what_its_outputs_mean(restored: Restored, tmp_path: Path) -> None:
    import scipy.io

    cells = np.empty((1, 2), dtype=object)
    for index in range(2):
        cells[0, index] = np.eye(4, dtype=np.uint8)
    scipy.io.savemat(tmp_path / "s.mat", dict.fromkeys(PianoRolls.keys.values(), cells))
    rolls = PianoRolls(path=str(tmp_path / "s.mat"))
    for data, kind in (
        (Iris(), "classes"),
        (CopyMemory(delay=3, **SMALL), "classes"),
        (Diabetes(), "values"),
        (Series(), "values"),
        (TextLM(), "next_token"),
        (rolls, "frames"),
    ):
        assert restored(data).output.kind == kind
    assert restored(Iris(), reconstructs=True).output.kind == "reconstruction"
    assert restored(Iris()).output.names == ["setosa", "versicolor", "virginica"]
    assert restored(rolls, point="logits").output.point == "logits"


class Own(DataModule):
    """Somebody's own set; `doubled`, it serves its samples in a way that only it knows."""

    name = "own"

    def __init__(self, doubled: bool) -> None:
        super().__init__()
        self.doubled = doubled
        self.class_names = ["a", "b"]

    def read(self) -> dict[str, Split]:
        return self.carve(torch.arange(60.0).view(30, 2), torch.arange(30) % 2)

    def serve(self, x: Tensor) -> Tensor:
        return super().serve(x) * (2 if self.doubled else 1)


def test_a_set_of_ones_own(restored: Restored) -> None:
    """It has the usual way in, unless it serves its samples otherwise: then it has none."""
    data = Own(doubled=False)
    rules = restored(data)
    assert torch.equal(rules.input.batch([[4.0, 5.0]]).x, data.serve(torch.tensor([[4.0, 5.0]])))
    assert Own(doubled=True).preprocessing() is None
