"""`zoo-predict`: forecasts, texts, reconstructions and samples are what the nets give."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from zoo.predictions.records import records
from zoo.predictor import Predictor

Ask = Callable[..., None]
Make = Callable[[str], Predictor]


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def drawn(file: str) -> np.ndarray:
    with Image.open(file) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def test_a_forecast_goes_on_from_the_last_rows(
    ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"2020-{i:02d},{100 + i},{i}\n" for i in range(30)]
    Path("s.csv").write_text("date,b,a\n" + "".join(lines))
    ask("series", input="s.csv", plot="f.png")
    out, err = capsys.readouterr()
    found = [(row["step"], float(row["b"])) for row in rows(out)]
    assert found == [("1", pytest.approx(129)), ("2", pytest.approx(128))]
    assert err == "plot     f.png\n"
    assert drawn("f.png").shape[1] > 700


def test_several_series_in_an_array(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    x = np.arange(24.0).reshape(3, 4, 2) + 100
    np.save("s.npy", x)
    ask("series", input="s.npy", format="jsonl")
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["index"], row["step"]) for row in found] == [
        (i, s) for i in range(3) for s in (1, 2)
    ]
    assert [row["b"] for row in found] == pytest.approx(x[:, [-1, -2], 1].ravel().tolist())


def test_a_column_may_be_named_as_those_of_an_answer() -> None:
    answer = {"names": ["step", "index", "b"], "values": [[5.0, 6.0, 7.0]]}
    assert list(records({"index": 2}, answer, "csv")) == [
        {"index": 2, "step": 1, "step_forecast": 5.0, "index_forecast": 6.0, "b": 7.0}
    ]
    assert [*next(records({}, answer, "npz"))] == ["step", "step_forecast", "index", "b"]


def test_one_of_several_series_can_be_left_out(
    ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    x = np.arange(24.0).reshape(3, 4, 2)
    x[1, 3, 0] = np.nan
    np.save("s.npy", x)
    ask("series", input="s.npy", skip=True)
    out, err = capsys.readouterr()
    assert [row["index"] for row in rows(out)] == ["0", "0", "2", "2"]
    assert err.startswith("left out 1 of 3: s.npy[1], in its last 3 rows, has a value that is mis")


def test_a_text_is_written(ask: Ask, predictor: Make, capsys: pytest.CaptureFixture[str]) -> None:
    ask("language", prompt="bad ", length=20, temperature=0.5, top_k=3, seed=5)
    ask("language", prompt="bad ", length=20, temperature=0.5, top_k=3, seed=5, output="t.txt")
    ask("language", prompt="bzd ", length=1)
    expected = predictor("language").write("bad ", length=20, temperature=0.5, top_k=3, seed=5)
    out, err = capsys.readouterr()
    assert out.startswith(f"bad {expected}\ntext     t.txt\nbzd ")
    assert Path("t.txt").read_text() == f"bad {expected}\n"
    assert err == "the model has never seen 'z' of the prompt\n"


@pytest.mark.parametrize("prompt", ["a b", "a b ", "a b\n"])
def test_one_blank_stands_between_words(
    prompt: str, ask: Ask, predictor: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    ask("words", prompt=prompt, length=5)
    following = predictor("words").write(prompt, length=5)
    assert capsys.readouterr().out == f"{prompt}{' ' * (prompt[-1] == 'b')}{following}\n"


@pytest.mark.parametrize("name", ["autoencoder", "vae"])
def test_reconstructions_and_scores(name: str, ask: Ask, predictor: Make) -> None:
    x = np.random.default_rng(0).random((30, 1, 4, 4), dtype=np.float32) * 2
    np.savez("x.npz", x=x)
    ask(name, input="x.npz", output="a.npz", batch_size=7)
    ask(name, input="x.npz", output="a.csv", plot="pairs.png")
    with torch.no_grad():
        given = torch.from_numpy(x).flatten(1) / 2
        image = predictor(name).net(given).image
    scores = (image - given).square().sum(1).numpy()
    with np.load("a.npz") as found:
        assert set(found) == {"index", "score", "reconstruction"}
        assert found["score"] == pytest.approx(scores, rel=1e-5)
        assert found["reconstruction"] == pytest.approx(
            2 * image.numpy().reshape(x.shape), rel=1e-5
        )
    table = rows(Path("a.csv").read_text())
    assert list(table[0]) == ["index", "score"]
    assert [float(row["score"]) for row in table] == pytest.approx(scores, rel=1e-5)
    assert drawn("pairs.png").std() > 0


def test_samples(ask: Ask, predictor: Make, capsys: pytest.CaptureFixture[str]) -> None:
    ask("vae", samples=5, seed=3, output="a.npz", plot="a.png")
    ask("vae", samples=5, seed=3, plot="b.png")
    ask("vae", samples=5, plot="c.png")
    with np.load("a.npz") as found:
        assert np.array_equal(found["x"], predictor("vae").sample(5, seed=3))
    a, b, c = (drawn(f"{name}.png") for name in "abc")
    assert np.array_equal(a, b)
    assert a.shape != c.shape or not np.array_equal(a, c)
    assert "samples  5 in a.npz" in capsys.readouterr().out
