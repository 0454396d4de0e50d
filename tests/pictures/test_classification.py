"""Counts by hand, and torch's own curves."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.tensorboard.summary import compute_curve

from zoo.data import Adding, ArrayData, CopyMemory, Digits, TemporalOrder
from zoo.lit import LitFeedForward, LitRecurrent
from zoo.losses import MSE, CrossEntropy
from zoo.models import FNN, LSTM
from zoo.pictures import Confusion, Mistakes, PrecisionRecall
from zoo.pictures.classification import THRESHOLDS, brief, confusion, curve, escaped
from zoo.pictures.colours import MAPS
from zoo.pictures.samples import first, predicted, votes


class Fixed(nn.Module):
    """Answers the first feature's class, with the second feature as its logit."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.classes = classes

    def forward(self, x: Tensor) -> Tensor:
        said = nn.functional.one_hot(x[:, 0].long(), self.classes)
        return said * x[:, 1:2] + self.weight


@pytest.fixture
def said(staged: Callable[..., Any]) -> Callable[..., Any]:
    """A function (truth, said, logits) -> a scene whose validation samples are so answered."""

    def make(truth: list[int], answers: list[int], logits: list[float]) -> Any:
        x = torch.tensor([answers, logits]).float().T
        y = torch.tensor(truth)
        every = torch.arange(int(y.max()) + 1)  # training has to have each class
        train = {"x_train": torch.zeros(len(every), 2), "y_train": every}
        arrays = {**train, "x_val": x, "y_val": y, "x_test": x, "y_test": y}
        data = ArrayData(x, y, scaling="none")
        data.arrays = {name: value.numpy() for name, value in arrays.items()}
        module = LitFeedForward(Fixed(int(y.max()) + 1), loss=CrossEntropy())
        return staged(module, data)

    return make


def test_each_pair_is_counted() -> None:
    truth, answers = torch.tensor([0, 0, 1, 2, 2, 2]), torch.tensor([0, 1, 1, 0, 2, 2])
    assert confusion(truth, answers, 3).tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 2]]
    assert [brief(count) for count in (0, 7, 9999, 30_412)] == ["", "7", "9999", "30k"]


def test_the_matrix_has_the_truth_in_rows(said: Callable[..., Any]) -> None:
    scene, events = said([0, 0, 0, 1, 2], [1, 1, 1, 1, 2], [1.0] * 5)
    picture = Confusion()
    assert picture.suits(scene)
    picture.draw(scene)
    pixels = events.pixels("classification/confusion")
    dark = (pixels == MAPS["blue"][-1]).all(2)
    dark[-60:] = False  # the colour bar
    rows, columns = np.nonzero(dark)
    top, left, field = 34, columns.min() - 64, 64
    shares = [[dark[top + i * field + 8, left + j * field + 8] for j in range(3)] for i in range(3)]
    assert shares == [[False, True, False], [False, True, False], [False, False, True]]


def test_mistakes_are_the_most_confident_first(said: Callable[..., Any]) -> None:
    scene, events = said([0, 0, 0, 1, 2], [1, 0, 2, 1, 0], [1.0, 9.0, 3.0, 9.0, 2.0])
    picture = Mistakes(shown=2)
    assert picture.suits(scene)
    picture.draw(scene)
    lines = events.texts["classification/mistakes"].splitlines()
    assert lines[0] == "3 of 5 wrong"
    sure = [float(np.exp(z) / (np.exp(z) + 2)) for z in (3.0, 2.0)]
    assert lines[4:] == [
        f"| 0 &gt; 2 | {sure[0]:.3f} | 2, 3 |",
        f"| 2 &gt; 0 | {sure[1]:.3f} | 0, 2 |",
    ]


def test_without_a_mistake_it_says_so(said: Callable[..., Any], staged: Callable[..., Any]) -> None:
    scene, events = said([0, 1, 0, 1], [0, 1, 0, 1], [5.0] * 4)
    Mistakes().draw(scene)
    assert events.texts["classification/mistakes"] == "0 of 4 wrong"
    data = Digits()
    module = LitFeedForward(FNN(64, 10), loss=CrossEntropy())
    scene, events = staged(module, data)
    result = predicted(scene, 500)
    scene.shared["prediction", 500] = result._replace(target=result.prediction.argmax(-1))
    Mistakes().draw(scene)
    assert events.pixels("classification/mistakes").shape == (72, 320, 3)


def test_images_are_shown_beside_each_other(staged: Callable[..., Any]) -> None:
    data = Digits()
    scene, events = staged(LitFeedForward(FNN(64, 10), loss=CrossEntropy()), data)
    Mistakes(shown=4).draw(scene)
    probabilities, truth = votes(scene, 500)
    sure, answers = probabilities.max(-1)
    wrong = (answers != truth).nonzero().flatten()
    worst = wrong[sure[wrong].argmax()]
    image = (data.splits["val"].x[worst, 0].float() / 16 * 255).round()  # digits go to 16
    pixels = events.pixels("classification/mistakes")
    tile = pixels[32 : 32 + 80, 10 : 10 + 80, 0].reshape(8, 10, 8, 10)
    assert (tile == tile[:, :1, :, :1]).all()
    assert (tile[:, 0, :, 0] == image.numpy()).all()


def test_sequences_are_drawn_as_lines_and_symbols_as_letters(staged: Callable[..., Any]) -> None:
    x, y = torch.randn(60, 9, 2), torch.arange(60) % 2
    data = ArrayData(x, y, layout="sequence")
    scene, events = staged(LitRecurrent(LSTM(2, 2, hidden_size=4), loss=CrossEntropy()), data)
    Mistakes().draw(scene)
    assert "classification/mistakes" in events.values
    symbols = TemporalOrder(length=12, train_size=9, val_size=9, test_size=9)
    scene, events = staged(LitRecurrent(LSTM(8, 4, hidden_size=4), loss=CrossEntropy()), symbols)
    Mistakes().draw(scene)
    row = events.texts["classification/mistakes"].splitlines()[-1].split(" | ")[-1]
    assert row.startswith("E") and row.endswith("B |") and len(row) == 12 + 2


@pytest.mark.parametrize("count", [1, 9, 400])
def test_the_curve_is_that_of_torch(count: int) -> None:
    probability, positive = torch.rand(count), torch.rand(count) < 0.4
    positive[0] = True
    expected = compute_curve(positive.numpy(), probability.numpy(), THRESHOLDS)
    np.testing.assert_allclose(curve(probability, positive).numpy(), expected, atol=1e-6)


def test_each_class_has_a_curve_of_its_own(said: Callable[..., Any]) -> None:
    scene, events = said([0, 1, 1, 3], [0, 1, 0, 3], [2.0, 2.0, 2.0, 2.0])
    PrecisionRecall().draw(scene)
    assert set(events.values) == {f"precision_recall/{name}" for name in "013"}  # there is no 2
    numbers = np.array(events.values["precision_recall/1"].tensor.float_val).reshape(6, THRESHOLDS)
    assert numbers[:2, 0].tolist() == [2, 2]  # at 0 everything is said to be it
    sure = float(np.exp(2) / (np.exp(2) + 3))
    assert numbers[:2, int(sure * (THRESHOLDS - 1))].tolist() == [1, 0]
    assert numbers[5, int(sure * (THRESHOLDS - 1))] == 0.5


def test_a_class_at_every_step_counts_by_step_and_values_are_no_classes(
    staged: Callable[..., Any],
) -> None:
    sizes = {"train_size": 4, "val_size": 4, "test_size": 4}
    net = LSTM(10, 10, hidden_size=4, readout="every")
    scene, _ = staged(LitRecurrent(net, loss=CrossEntropy()), CopyMemory(delay=5, **sizes))
    assert Confusion().suits(scene) and not Mistakes().suits(scene)
    assert votes(scene, 3).truth.shape == (3 * 25,)
    scene, _ = staged(LitRecurrent(LSTM(2, 1, hidden_size=4), loss=MSE()), Adding(**sizes))
    assert not any(p.suits(scene) for p in (Confusion(), Mistakes(), PrecisionRecall()))


def test_the_samples_are_the_first_of_validation_whatever_batch_and_seed(
    staged: Callable[..., Any],
) -> None:
    module = LitFeedForward(FNN(64, 10), loss=CrossEntropy())
    found = []
    for settings in ({"batch_size": 7, "seed": 3}, {"batch_size": 90, "eval_batch_size": 11}):
        data = Digits(**settings)  # type: ignore[arg-type]
        scene, _ = staged(module, data)
        found.append(first(scene, 25))
    assert torch.equal(found[0].x, found[1].x) and torch.equal(found[0].y, found[1].y)
    whole = torch.cat([batch.x for batch in data.val_dataloader()])
    assert torch.equal(found[0].x, whole[:25])


def test_text_in_a_table_stays_text() -> None:
    assert escaped("a|b *c* <d>\ne") == "a\\|b \\*c\\* &lt;d&gt; e"
