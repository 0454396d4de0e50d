"""What it takes to beat: the trivial predictor of the training split, worked out by another way."""

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import zoo.data
from zoo.config import conf_dir
from zoo.data import CopyMemory, DataModule, Diabetes, Iris, Series, Sine, Split, TextLM

NODES = {
    file.stem: yaml.safe_load(file.read_text(encoding="utf-8"))["data"]
    for file in sorted((conf_dir() / "data").glob("*.yaml"))
}
OFFLINE = [name for name, node in NODES.items() if "root" not in node]  # no files are needed
BUNDLED = ["series", "text_lm"]  # which have some


def module_of(name: str, **settings: Any) -> DataModule:
    return getattr(zoo.data, NODES[name]["_target_"].rpartition(".")[2])(**settings)


def targets(data: DataModule, name: str) -> list[Any]:
    """The targets of a split that count, out of the batches that are served."""
    found = []
    for batch in data.loader(name):
        y = batch.y if batch.mask is None else batch.y[batch.mask]
        found += y.flatten().tolist() if data.target == "classes" else y.tolist()
    return found


@pytest.mark.parametrize("name", [*OFFLINE, *BUNDLED])
def test_every_offline_set_has_a_finite_one(name: str) -> None:
    baselines = module_of(name).baselines()
    assert baselines
    assert all(type(value) is float and math.isfinite(value) for value in baselines.values())


@pytest.mark.parametrize("name", OFFLINE)
def test_it_answers_the_commonest_class_or_the_mean(name: str) -> None:
    data = module_of(name, view=NODES[name]["view"])
    data.setup()
    train, test = targets(data, "train"), targets(data, "test")
    if data.target == "classes":
        counts = Counter(train)
        commonest = max(sorted(counts), key=lambda label: counts[label])  # of equals the first one
        expected = {"accuracy": sum(y == commonest for y in test) / len(test)}
    else:
        mean, scale = np.mean(train, axis=0), np.array(data.facts["scale"])
        errors = [(y - mean) * scale for y in test]
        expected = {"rmse": math.sqrt(np.mean(np.square(errors))), "mae": np.mean(np.abs(errors))}
    assert data.baselines() == pytest.approx(expected, rel=1e-5)


def test_the_errors_of_values_are_in_the_units_of_the_source() -> None:
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True, scaled=False)
    data = Diabetes()
    data.setup()
    known = dict(zip(map(tuple, x.astype(np.float32)), y, strict=True))
    train, test = (
        np.array([known[tuple(row)] for row in data.splits[name].x.numpy()])
        for name in ("train", "test")
    )
    error = test - train.mean()
    expected = {"rmse": math.sqrt((error**2).mean()), "mae": np.abs(error).mean()}
    assert data.baselines() == pytest.approx(expected, rel=1e-5)


def test_all_values_of_a_forecast_count_alike() -> None:
    data = Sine(horizon=3, train_size=50, test_size=20)
    data.setup()
    train, test = (data.splits[name].y.tolist() for name in ("train", "test"))
    means = [sum(row[h] for row in train) / 50 for h in range(3)]
    errors = [row[h] - means[h] for row in test for h in range(3)]
    assert data.baselines() == pytest.approx(
        {
            "rmse": math.sqrt(sum(error**2 for error in errors) / 60),
            "mae": sum(map(abs, errors)) / 60,
        },
        rel=1e-5,
    )


@pytest.mark.parametrize("delay", [1, 20])
def test_blanks_are_right_until_symbols_are_to_be_recalled(delay: int) -> None:
    expected = (delay + 10) / (delay + 20)
    assert CopyMemory(delay=delay).baselines() == {"accuracy": pytest.approx(expected)}


def test_only_targets_that_count_make_a_baseline() -> None:
    class Masked(Iris):
        def read(self) -> dict[str, Split]:
            y = torch.tensor([[1, 1, 0], [1, 0, 0]])
            mask = torch.tensor([[True, True, False], [True, False, False]])
            self.class_names = ["a", "b"]
            split = Split(torch.randn(2, 4), y, None, mask)
            return {name: split for name in ("train", "val", "test")}

    assert Masked().baselines() == {"accuracy": 1.0}


def test_several_columns_forecast_with_a_stride(tmp_path: Path) -> None:
    rows = [(t * t, -3 * t) for t in range(40)]
    file = tmp_path / "two.csv"
    file.write_text("a,b\n" + "".join(f"{a},{b}\n" for a, b in rows))
    data = Series(
        path=str(file), target=["a", "b"], window=4, horizon=2, stride=3, val=8, test=10, period=3
    )
    # The test has rows 30 to 39, of which 30, 33 and 36 are the first ones of a forecast.
    starts, ahead, columns = (30, 33, 36), range(2), range(2)
    last, season = [], []
    for t in starts:
        for h in ahead:
            last += [rows[t + h][c] - rows[t - 1][c] for c in columns]
            season += [rows[t + h][c] - rows[t + h - 3][c] for c in columns]
    assert data.baselines() == pytest.approx(
        {
            "rmse": math.sqrt(np.mean(np.square(last))),
            "mae": np.mean(np.abs(last)),
            "seasonal_rmse": math.sqrt(np.mean(np.square(season))),
            "seasonal_mae": np.mean(np.abs(season)),
        }
    )


def test_words_are_worth_as_many_bits_as_their_letters_share(tmp_path: Path) -> None:
    texts = {"train": "a bb a ccc\na bb\n", "val": "a a\n", "test": "bb dd\n"}
    files = {name: str(tmp_path / name) for name in texts}
    for name, text in texts.items():
        Path(files[name]).write_text(text)
    data = TextLM(**files, level="word", batch_size=1, length=2)
    # After the first word, training has bb twice, a twice, ccc once and the end of a line twice; of
    # the five words known, <unk> is the fifth. The test asks for dd, which is <unk>, and the end.
    nats = [-math.log((0 + 1) / (7 + 5)), -math.log((2 + 1) / (7 + 5))]
    mean = sum(nats) / 2
    # <eos> has five letters, as it is written; what separates words is one more.
    letters = (1 + 2 + 1 + 3 + 5 + 1 + 2 + 5) / 8 + 1
    found = data.baselines()
    assert data.vocabulary.words == ["<unk>", "<eos>", "a", "bb", "ccc"]
    assert found["loss"] == pytest.approx(mean)
    assert found["perplexity"] == pytest.approx(math.exp(mean))
    assert found["bits_per_character"] == pytest.approx(mean / math.log(2) / letters)
