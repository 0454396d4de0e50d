"""What a person can get wrong is one sentence, and leaves nothing half-written."""

import errno
import io
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import zoo
from zoo.config import ConfigError, RunError
from zoo.predictions import asked
from zoo.predictor import Predictor
from zoo.signals import Stopped

Ask = Callable[..., None]
ROWS = "size,colour\n1,red\n2,blue\n"


@pytest.fixture(autouse=True)
def files(ask: Ask) -> Iterator[None]:
    """What the mistakes below are about; nothing else is there afterwards."""
    del ask  # which goes to tmp_path
    Path("t.csv").write_text(ROWS)
    Path("head.csv").write_text("size,colour\n")
    Path("bad.csv").write_text("size,colour\n1,red\nx,red\n")
    Path("s.csv").write_text("a,b\n1,2\n3,4\n")
    Path("gap.csv").write_text("a,b\n1,2\n3,\n5,6\n")
    Path("hole.csv").write_text("1,?,3\n4,5,6\n")
    Path("huge.csv").write_text("1,2,3\n4,5,1e39\n")
    Path("inf.csv").write_text("a,b\n1,2\n3,4\n5,-inf\n")
    Path("t.txt").write_text("good\n")
    Path("two.csv").write_text("id,words\n1,good\n")
    np.save("wide.npy", np.zeros((2, 5, 7)))
    np.savez("several.npz", a=np.zeros(3), b=np.zeros(3))
    os.mkfifo("pipe")
    for folder in ("empty", "pictures"):
        Path(folder).mkdir()
    for name in ("a", "b"):
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(f"pictures/{name}.png")
    Path("pictures/b.png").write_bytes(b"\x89PNG, or not")
    before = sorted(map(str, Path().rglob("*")))
    yield
    assert sorted(map(str, Path().rglob("*"))) == before


MISTAKES: list[tuple[str, dict[str, Any], str]] = [
    # What there is to answer to.
    ("table", {}, "reads rows of csv files and gives classes: give it input=<a csv file"),
    ("images", {}, "reads images and gives classes: give it input=<an image"),
    ("vae", {}, "npy file of them>, or samples=64 plot=samples.png"),
    ("language", {}, 'give it prompt="…"'),
    ("language", {"input": "t.txt"}, 'give it prompt="…"'),
    ("table", {"input": "t.csv", "samples": 3}, "input and samples are two commands"),
    ("table", {"input": "nowhere.csv"}, "there is no input nowhere.csv"),
    ("texts", {"input": "a good film"}, 'a text itself is text="…"'),
    ("texts", {"input": "a good film " * 100}, 'a text itself is text="…"'),
    # What it is.
    ("table", {"input": "pictures"}, "pictures does not suit: this model reads rows of csv files"),
    ("table", {"input": "wide.npy"}, "wide.npy does not suit: this model reads rows of csv files"),
    ("texts", {"input": "wide.npy"}, "wide.npy does not suit: this model reads texts"),
    ("images", {"input": "t.csv"}, "t.csv does not suit: this model reads images"),
    ("images", {"input": "-"}, "the standard input does not suit: this model reads images"),
    ("images", {"input": "empty"}, "empty holds no image; known are .jpg"),
    ("images", {"input": "several.npz"}, "several.npz must have an array named x"),
    ("images", {"input": "wide.npy"}, r"wide.npy\[0\] cannot be read: an array of another size"),
    ("images", {"input": "pictures"}, r"pictures/b.png cannot be read: .*; skip=true goes on"),
    ("table", {"input": "s.csv"}, "s.csv lacks columns 'size', 'colour', .* Columns: a, b"),
    ("table", {"input": "head.csv"}, "head.csv has nothing to answer to"),
    ("table", {"input": "bad.csv"}, "bad.csv, line 3, column 'size': 'x' is not a number; skip="),
    ("numbers", {"input": "hole.csv"}, "hole.csv, line 1, column '2': the value is missing; skip="),
    ("numbers", {"input": "huge.csv"}, "huge.csv, line 2, column '3': '1e39' is infinite or bey"),
    ("series", {"input": "inf.csv"}, "inf.csv, line 4, column 'b': '-inf' is infinite or beyond"),
    ("table", {"input": "inf.csv", "names": ["size", "colour"]}, "line 1, column 'size': 'a' is"),
    ("texts", {"input": "two.csv"}, "which column holds the texts\\? column= one of id, words"),
    ("texts", {"input": "two.csv", "column": "word"}, "lacks column 'word', .* mean 'words'"),
    ("series", {"input": "s.csv"}, "s.csv has 2 rows, and 3 are needed to forecast from$"),
    ("series", {"input": "gap.csv"}, "gap.csv, line 3, column 'b': the value is missing$"),
    ("series", {"input": "t.csv"}, "t.csv lacks columns 'a', 'b'"),
    # Options for something else.
    ("table", {"input": "t.csv", "prompt": "a"}, "input and prompt are two commands"),
    ("table", {"input": "t.csv", "plot": "a.png"}, "`plot` is for forecasts, images that are"),
    ("table", {"input": "t.csv", "seed": 1}, "`seed` is for what is drawn"),
    ("table", {"input": "t.csv", "invert": True}, "`invert` is for models that read images"),
    ("table", {"input": "t.csv", "length": 5}, "`length` is for language models"),
    ("table", {"text": "a"}, "`text` is for models that read texts"),
    ("table", {"samples": 5, "plot": "a.png"}, "`samples` is for variational autoencoders"),
    ("autoencoder", {"samples": 5, "plot": "a.png"}, "`samples` is for variational"),
    ("values", {"input": "t.csv", "top_k": 3}, "`top_k` is for classes, and beside prompt"),
    ("series", {"input": "s.csv", "skip": True}, "`skip` is for many samples"),
    ("images", {"input": "pictures", "separator": ","}, "`separator` is for csv files"),
    ("images", {"input": "pictures", "column": "a"}, "`column` is for csv files of texts"),
    ("texts", {"text": "good", "names": ["a"]}, "`names` is for csv files"),
    ("vae", {"samples": 3, "temperature": 1}, "`temperature` is for language models"),
    ("language", {"prompt": "a", "format": "csv"}, "`format` is for answers to input"),
    ("language", {"prompt": "a", "skip": True}, "`skip` is for many samples"),
    # Numbers and words.
    ("table", {"input": "t.csv", "top_k": 0}, "`top_k` must be a whole number, at least 1, got 0"),
    ("table", {"input": "t.csv", "top_k": 1.5}, "`top_k` must be a whole number"),
    ("table", {"input": "t.csv", "batch_size": "a"}, "`batch_size` must be a whole number"),
    ("table", {"input": "t.csv", "skip": "yes!"}, "`skip` must be true or false, got 'yes!'"),
    ("table", {"input": "t.csv", "separator": "ab"}, "`separator` must be one character"),
    ("table", {"input": "t.csv", "names": "a,b"}, r"`names` must be a list, names=\[a,b,c\]"),
    ("table", {"input": "t.csv", "device": "tpu"}, "`device` must be one of cpu, cuda, mps"),
    ("table", {"input": "t.csv", "output": None}, "`output` must not be null; leave it out for"),
    ("table", {"input": "t.csv", "device": None}, "`device` must not be null"),
    ("table", {"input": "t.csv", "batch_size": None}, "`batch_size` must not be null"),
    ("table", {"input": "t.csv", "names": [2024, None]}, "lacks columns .* Columns: 2024, None$"),
    ("language", {"prompt": "a", "seed": 2**64}, r"`seed` must be below 2 \*\* 64, got 184467"),
    ("language", {"prompt": ""}, "`prompt` must have at least one character"),
    ("words", {"prompt": "  "}, "`prompt` must have at least one word to go on from"),
    ("language", {"prompt": "a", "temperature": -1}, "`temperature` must be a number, at least 0"),
    ("vae", {"samples": 3, "seed": -1, "plot": "a.png"}, "`seed` must be a whole number, at"),
    # Where it is to be written.
    ("table", {"input": "t.csv", "output": "a.txt"}, "output=a.txt must end in .csv, .json"),
    ("table", {"input": "t.csv", "format": "xml"}, "`format` must be one of csv, json"),
    ("table", {"input": "t.csv", "output": "no/a.csv"}, "there is no folder no"),
    ("table", {"input": "t.csv", "output": "empty"}, "output=empty is a folder"),
    ("table", {"input": "t.csv", "output": "pipe", "format": "csv"}, "output=pipe is no file; "),
    (
        "autoencoder",
        {"input": "pictures", "output": "a.png", "plot": "a.png", "format": "csv"},
        "output and plot are both a.png",
    ),
    ("table", {"input": "t.csv", "output": "./t.csv"}, "output=./t.csv is the input"),
    ("table", {"input": "t.csv", "output": "a.npz"}, "an .npz file is for arrays of numbers"),
    ("texts", {"text": "good", "output": "a.npz"}, "an .npz file is for arrays of numbers"),
    ("series", {"input": "gap.csv", "plot": "a.jpg"}, "`plot` must end in .png"),
    ("language", {"prompt": "a", "output": "a.csv"}, "output=a.csv must end in .txt"),
    ("vae", {"samples": 3, "output": "a.csv"}, "output=a.csv must end in .npz"),
    ("vae", {"samples": 3}, "samples need a file: plot=<file>.png, or output=<file>.npz"),
]


@pytest.mark.parametrize(
    ("name", "keys", "message"), MISTAKES, ids=[f"{n}-{m[:30]}" for n, _, m in MISTAKES]
)
def test_mistakes_are_one_sentence(
    name: str, keys: dict[str, Any], message: str, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError) as error:
        ask(name, **keys)
    said = str(error.value)
    assert re.search(message, said), said
    assert "\n" not in said
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("output", ["a.csv", "a.json", "a.npz"])
def test_nothing_is_half_written(output: str, ask: Ask) -> None:
    Path("t.csv").write_text(ROWS + "3,red\n" * 50 + "x,red\n")
    with pytest.raises(ConfigError, match="line 54, column 'size'"):
        ask("values", input="t.csv", output=output, batch_size=10)


@pytest.mark.parametrize("output", ["a.csv", "a.npz"])
def test_a_stop_leaves_nothing(output: str, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def answers(self: Predictor, samples: list[Any], *, top_k: int = 1) -> list[dict[str, Any]]:
        calls.append(len(samples))
        if len(calls) == 2:
            raise Stopped(2)
        return [{"values": [0.0]} for _ in samples]

    monkeypatch.setattr(Predictor, "answers", answers)
    with pytest.raises(Stopped):
        ask("values", input="t.csv", output=output, batch_size=1)
    assert calls == [1, 1]


def test_if_no_image_can_be_read_that_is_all_that_is_said(
    ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("pictures/a.png").write_bytes(b"")
    with pytest.raises(ConfigError, match="none of 2 samples can be read; the first: pictures/a"):
        ask("mostly_dark", input="pictures", skip=True)
    assert capsys.readouterr() == ("", "")


def test_a_device_is_no_file_even_where_it_leads_to_one(composed: Callable[..., Any]) -> None:
    words = ("checkpoint=x", "input=t.csv", "output=/dev/stdout", "format=csv")
    # Not the command: where this fails, it would put a file in the place of the device.
    with pytest.raises(ConfigError, match="output=/dev/stdout is no file; output=- is the stand"):
        asked(composed(*words, name="predict"))


@pytest.mark.parametrize("name", ["stdin", "stdout"])
def test_closed_streams_are_named(name: str, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, name, None)
    with pytest.raises(ConfigError, match="the standard (in|out)put is closed; (in|out)put=<file>"):
        ask("table", input="-" if name == "stdin" else "t.csv")


def test_a_full_disk_is_one_sentence(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys, "stdout", Full())
    with pytest.raises(ConfigError, match="^No space left on device$"):
        ask("table", input="t.csv")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["input=t.csv", "batch_size=64"], "memory with batch_size=64; a smaller number may fit"),
        (["samples=9", "plot=a.png"], "out of memory with samples=9; a smaller number"),
    ],
)
def test_full_memory_is_one_sentence(
    words: list[str], message: str, composed: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from zoo.prediction import predict
    from zoo.predictions import run

    def full(wish: Any) -> None:
        torch.empty(10**17)

    monkeypatch.setattr(run, "run", full)
    with pytest.raises(RunError, match=message):
        predict(composed("checkpoint=x", *words, name="predict"))


def test_if_none_can_be_read_nothing_is_written(ask: Ask) -> None:
    Path("bad.csv").write_text("size,colour\nx,red\ny,red\n")
    with pytest.raises(ConfigError, match="none of 2 samples can be read; the first: bad.csv, lin"):
        ask("table", input="bad.csv", output="a.csv", skip=True)


def test_without_preprocessing_the_remedy_is_named(
    ask: Ask, model: Callable[[str], str], tmp_path_factory: Any
) -> None:
    bare = tmp_path_factory.mktemp("bare") / "net"
    zoo.save(zoo.load(model("table")), bare)
    with pytest.raises(ConfigError, match=r"has no preprocessing: .* zoo.save\(net, folder, prep"):
        ask("table", checkpoint=str(bare), input="t.csv")
    with pytest.raises(ConfigError, match="there is no checkpoint"):
        ask("table", checkpoint="nothing", input="t.csv")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name what predicts, and from what: checkpoint=<run folder"),
        (["checkpoint=x", "input=t.csv", "top_k=a"], "`top_k` must be a whole number"),
    ],
)
def test_the_config_is_the_one_that_is_composed(
    words: list[str], message: str, composed: Callable[..., Any]
) -> None:
    from zoo.prediction import predict

    with pytest.raises(ConfigError, match=message):
        predict(composed(*words, name="predict"))
