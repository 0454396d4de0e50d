"""The tested weights on the training split, against zoo-evaluate's way to the same numbers."""

from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig

from zoo.evaluate import evaluate
from zoo.naming import rises
from zoo.train import train

WORDS = ("callbacks=[default,gap]", "trainer.max_epochs=2", "logger=none", "pictures=none")


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (
            ("data.train_samples=50", "model.net.dropout=0.5", "regularization=l2"),
            {"loss", "accuracy"},
        ),
        (("model=vae", "data.train_samples=90"), {"loss", "squared_error"}),
    ],
)
def test_it_is_what_evaluation_on_the_training_split_gives(
    words: tuple[str, ...], names: set[str], composed: Callable[..., DictConfig], tmp_path: Path
) -> None:
    row = train(composed(*words, *WORDS))
    again = evaluate(composed(f"checkpoint={tmp_path / 'run'}", "split=train", name="evaluate"))
    assert names == {name.partition("/")[2] for name in row if name.startswith("fitted/")}
    for name in names:
        assert row[f"fitted/{name}"] == pytest.approx(again[f"train/{name}"], rel=1e-5)
        worse = row[f"test/{name}"] - row[f"fitted/{name}"]
        assert row[f"gap/{name}"] == pytest.approx(
            -worse if name == "accuracy" else worse, abs=1e-5
        )


def test_a_gap_is_better_small() -> None:
    assert rises("test/accuracy") and not rises("test/loss")
    assert not rises("gap/accuracy") and not rises("gap/loss")
