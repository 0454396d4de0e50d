"""What a language model is made to say."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from zoo.data import TextLM
from zoo.lit import LitRecurrent
from zoo.losses import CrossEntropy
from zoo.models import LSTM
from zoo.pictures import Confusion, GradientNorm, TextSample
from zoo.pictures.samples import first
from zoo.pictures.text import block


@pytest.fixture
def model(staged: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """A function (level, text) -> a scene of an LSTM that says after each token the next number."""

    def make(level: str, text: str) -> Any:
        file = tmp_path / "text.txt"
        file.write_text(text)
        data = TextLM(path=str(file), level=level, length=4, batch_size=2)
        data.setup()
        size = len(data.vocabulary)
        net = LSTM(size, size, hidden_size=size, embedding=size, readout="every")
        return staged(LitRecurrent(net, loss=CrossEntropy(), carry_state=True), data)

    return make


@pytest.mark.parametrize("level", ["char", "word"])
def test_the_text_goes_on_from_the_validation_text(model: Callable[..., Any], level: str) -> None:
    scene, events = model(level, "the cat sat on the mat\n" * 40)
    picture = TextSample(prompt=12, length=9)
    assert picture.suits(scene)
    picture.draw(scene)
    text = events.texts["text/sample"]
    given, said = text.split("The net goes on (temperature 0.8):")
    count = 12 if level == "char" else 3
    joint = "" if level == "char" else " "
    start = scene.data.vocabulary.decode(scene.data.splits["val"].x[:count].tolist(), joint=joint)
    assert block(start) in given
    words = said.replace("\n    ", "\n").strip("\n")
    assert len(words) >= 1 if level == "char" else len(words.split()) <= 3


def test_the_same_is_drawn_each_time_and_another_with_another_seed(
    model: Callable[..., Any],
) -> None:
    scene, events = model("char", "the cat sat on the mat\n" * 40)
    found = []
    for seed in (0, 0, 1):
        torch.rand(2)
        TextSample(seed=seed).draw(scene)
        found.append(events.texts["text/sample"])
    assert found[0] == found[1] != found[2]


def test_a_stream_is_looked_at_in_pieces_of_a_batch(model: Callable[..., Any]) -> None:
    scene, events = model("char", "abcdefghij" * 30)
    samples = first(scene, 3)
    whole = scene.data.splits["val"]
    assert samples.x.tolist() == [whole.x[i : i + 4].tolist() for i in (0, 4, 8)]
    assert samples.y.tolist() == [whole.x[i + 1 : i + 5].tolist() for i in (0, 4, 8)]
    picture = GradientNorm()
    assert picture.suits(scene) and not Confusion().suits(scene)
    picture.draw(scene)
    assert "memory/gradient_norm" in events.values


def test_markdown_shows_lines_as_they_are() -> None:
    assert block("a # b\n  c") == "    a # b\n      c"
    assert block("two <eos> lines") == "    two\n    lines"
    assert block("") == "    "


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="`temperature` must be at least 0"):
        TextSample(temperature=-1.0)
    with pytest.raises(ValueError, match="`every` must be at least 1 validation"):
        TextSample(every=0)
    with pytest.raises(ValueError, match="`length` must be at least 1"):
        TextSample(length=0)
