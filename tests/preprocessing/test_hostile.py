"""Preprocessing comes out of files: whatever else they hold ends in one sentence, and costs little.

Each case is a sound record with one thing changed.
"""

import copy
import json
import math
import subprocess
import sys
import tracemalloc
from typing import Any

import pytest
import torch

from zoo.preprocessing import (
    ArrayInput,
    CategoryColumn,
    Classes,
    Frames,
    ImageInput,
    LanguageInput,
    NextToken,
    NumberColumn,
    Preprocessing,
    Reconstruction,
    Scaling,
    TableInput,
    TextInput,
    Values,
)

PLAIN = Scaling(torch.zeros(()), torch.ones(()))
SOUND = {
    "image": Preprocessing(
        ImageInput((3, 4, 5), limit=255.0, fit="crop", view="image", scaling=PLAIN),
        Classes(["cat", "dog"]),
    ),
    "array": Preprocessing(
        ArrayInput((6, 2), view="sequence", scaling=PLAIN), Values(PLAIN, point="all")
    ),
    "symbols": Preprocessing(
        ArrayInput((6,), view="tokens", scaling=PLAIN, symbols=4), Classes(["a", "b"])
    ),
    "table": Preprocessing(
        TableInput(
            [
                NumberColumn("age", median=3.0, indicator=True),
                CategoryColumn("town", ["Bern", "Rome"]),
            ],
            PLAIN,
        ),
        Reconstruction(PLAIN, [5], view="vector"),
    ),
    "text": Preprocessing(TextInput(["<pad>", "<unk>", "fine"], max_length=9), Classes(["a", "b"])),
    "language": Preprocessing(LanguageInput(["<unk>", "a", "b"], level="char"), NextToken(["x"])),
    "frames": Preprocessing(
        ArrayInput((9, 3), view="sequence", scaling=PLAIN, any_length=True), Frames()
    ),
}
DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]
ODD = {
    "none": None,
    "text": "7",
    "object": {"a": 1},
    "list": [1, "2", None],
    "nan": math.nan,
    "infinite": math.inf,
    "negative": -1,
    "zero": 0,
    "fraction": 0.5,
    "truth": True,
    "huge": 10**9,
    "enormous": 10**400,
    "beyond float32": 1e300,
    "below float32": 1e-300,
    "tensor": torch.zeros(2),
    "deep": DEEP,
    "class": "os.system",
    "long": "x" * 100_000,
}


def records() -> dict[str, dict[str, Any]]:
    sound = {name: rules.plain() for name, rules in SOUND.items()}
    sound["series"] = {
        "input": {
            "kind": "series",
            "columns": ["up", "down"],
            "seen": 1,
            "targets": [0],
            "window": 4,
            "shift": [0.0, 1.0],
            "scale": [1.0, 2.0],
            "relative": True,
            "view": "sequence",
        },
        "output": SOUND["array"].output.plain() | {"kind": "values", "names": ["up"]},
    }
    return sound


def paths(node: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where every entry of nested containers is."""
    inside = node.items() if isinstance(node, dict) else enumerate(node)
    found = []
    for key, value in inside:
        found.append((*at, key))
        if isinstance(value, (dict, list)):
            found += paths(value, (*at, key))
    return found


def changed(record: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    whole = copy.deepcopy(record)
    node: Any = whole
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return whole


def one_sentence(error: ValueError) -> str:
    text = str(error)
    assert type(error) is ValueError and "\n" not in text and 10 < len(text) < 300, text
    return text


def refused(record: Any) -> str:
    with pytest.raises(ValueError) as error:
        Preprocessing.of(record)
    return one_sentence(error.value)


@pytest.mark.parametrize("name", records())
def test_a_sound_record_comes_back_as_it_was(name: str) -> None:
    record = records()[name]
    text = json.dumps(record, allow_nan=False)
    assert Preprocessing.of(json.loads(text)).plain() == record == Preprocessing.of(record).plain()


@pytest.mark.parametrize("name", records())
def test_an_entry_that_is_missing_or_one_too_many(name: str) -> None:
    record = records()[name]
    for path in paths(record):
        if isinstance(path[-1], str):
            whole = copy.deepcopy(record)
            node: Any = whole
            for key in path[:-1]:
                node = node[key]
            node["extra"] = 1
            assert "extra" in refused(whole)
            del node["extra"]
            value = node.pop(path[-1])
            older = path in (("output", "view"), ("output", "point")) and "names" not in node
            if value is not None and not older:  # what may be null may also be absent
                assert path[-1] in refused(whole)


@pytest.mark.parametrize("name", records())
def test_no_odd_value_gets_further_than_a_sentence(name: str) -> None:
    """Anything in the place of anything: refused, or read as something that is safe to use."""
    record = records()[name]
    accepted = []
    tracemalloc.start()
    for path in paths(record):
        for kind, odd in ODD.items():
            try:
                Preprocessing.of(changed(record, path, odd))
            except ValueError as error:
                one_sentence(error)
            else:
                accepted.append((path[-1] if isinstance(path[-1], str) else path[-2], kind))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6
    free = {
        # words and names may be any text; numbers may be any that are finite
        *(
            (key, kind)
            for key in ("names", "name", "words", "categories", "columns")
            for kind in ("text", "class", "long")
        ),
        *(
            (key, kind)
            for key in ("shift", "median")
            for kind in ("negative", "zero", "fraction", "huge", "below float32")
        ),
        *(
            (key, kind)
            for key in ("scale", "limit")
            for kind in ("fraction", "huge", "below float32")
        ),
        *((key, "none") for key in ("median", "quantiles", "symbols")),
        *((key, "truth") for key in ("indicator", "relative", "any_length", "exact")),
        ("targets", "zero"),
    }
    assert set(accepted) <= free, set(accepted) - free


HUGE = [
    ("image", ("input", "shape"), [3, 10**9, 10**9]),
    ("image", ("input", "shape"), [3, 10**9, 1]),
    ("image", ("input", "shape"), [1] * 10_000),
    ("array", ("input", "shape"), [10**6, 10**6]),
    ("symbols", ("input", "symbols"), 10**9),
    ("text", ("input", "max_length"), 10**9),
    ("series", ("input", "window"), 10**9),
    ("table", ("output", "shape"), [10**9]),
    ("array", ("input", "scaling", "shift"), [[0.0] * 3] * 6),
    ("array", ("input", "scaling", "scale"), [[[1.0] * 2] * 6]),
    ("array", ("input", "scaling", "scale"), [[1.0, 0.0]]),
    ("array", ("input", "scaling", "scale"), [[1.0], [1.0, 2.0]]),
    ("array", ("input", "scaling", "scale"), [["1.0", 2.0]]),
    ("array", ("input", "scaling", "scale"), []),
    ("array", ("input", "any_length"), 1.5),
    ("table", ("input", "columns"), []),
    ("table", ("input", "columns", 1, "categories"), [str(i) for i in range(200_000)]),
    ("table", ("input", "columns", 1, "categories"), ["Rome", "Rome"]),
    ("table", ("input", "columns", 1, "name"), "age"),
    ("table", ("input", "columns", 0, "quantiles"), [3.0, 2.0]),
    ("table", ("input", "columns", 0, "quantiles"), []),
    ("table", ("input", "columns", 0, "quantiles"), [[1.0, 2.0]]),
    ("text", ("input", "words"), ["fine"]),
    ("text", ("input", "words"), ["<unk>", "fine"]),
    ("language", ("input", "words"), []),
    ("image", ("output", "names"), []),
    ("series", ("input", "targets"), [2]),
    ("series", ("input", "targets"), [True]),
    ("series", ("input", "columns"), ["up", "up"]),
    ("series", ("input", "scale"), [1.0]),
]


@pytest.mark.parametrize("name, path, value", HUGE, ids=lambda v: str(v)[:40])
def test_what_is_too_large_or_does_not_fit(name: str, path: tuple[Any, ...], value: Any) -> None:
    refused(changed(records()[name], path, value))


@pytest.mark.parametrize(
    "record", [None, 7, "text", [], {}, {"input": {}}, {1: 2}, {"input": [], "output": {}}]
)
def test_what_is_no_record_at_all(record: Any) -> None:
    refused(record)


@pytest.mark.parametrize(
    "path, value",
    [
        (("input", "kind"), "pickle"),
        (("output", "kind"), "os.system"),
        (("input", "kind"), ["image"]),
    ],
)
def test_a_kind_is_one_of_few_words(path: tuple[Any, ...], value: Any) -> None:
    assert "kind" in refused(changed(records()["image"], path, value))


@pytest.mark.slow
def test_it_needs_torch_and_numpy_alone() -> None:
    code = """
import sys
import zoo.preprocessing
others = ("lightning", "hydra", "omegaconf", "torchvision", "sklearn", "scipy", "PIL",
          "zoo.data", "zoo.models", "zoo.losses")
print([name for name in others if name in sys.modules])
"""
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"
