"""What a model takes along reads raw input to the very numbers that training reads."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from zoo import data as sets
from zoo.preprocessing import Preprocessing, Values

SHARED = Path(__file__).parents[3] / "shared" / "data"


def kept(data: sets.DataModule, **how: Any) -> Preprocessing:
    """After a way through a file."""
    plain = json.loads(json.dumps(data.preprocessing(**how).plain()))
    return Preprocessing.of(plain)


def check(data: sets.DataModule, raw: Any, count: int = 40, split: str = "test") -> None:
    """The first samples of a split, from raw input and from training."""
    part = data.splits[split]
    inputs = kept(data).input.batch(list(raw[:count]))
    wanted = data.serve(part.x[:count])
    if inputs.lengths is not None:
        assert part.lengths is None or inputs.lengths.tolist() == part.lengths[:count].tolist()
        wanted = wanted[:, : inputs.x.shape[1]]  # training trims what is padded, too
    assert inputs.x.dtype == wanted.dtype
    assert torch.equal(inputs.x, wanted)


IN_MEMORY: dict[str, tuple[Callable[..., sets.DataModule], dict[str, Any]]] = {
    "digits": (sets.Digits, {}),
    "moons": (sets.TwoMoons, {}),
    "spirals": (sets.Spirals, {}),
    "adding": (sets.Adding, {"test_size": 50, "train_size": 50, "val_size": 50}),
    "copy_memory": (sets.CopyMemory, {"test_size": 50, "train_size": 50, "val_size": 50}),
    "temporal_order": (sets.TemporalOrder, {"test_size": 50, "train_size": 50, "val_size": 50}),
    "sine": (sets.Sine, {}),
}


@pytest.mark.parametrize("scaling", ["standard", "unit", "none"])
@pytest.mark.parametrize("name", IN_MEMORY)
def test_sets_of_arrays_in_all_views(name: str, scaling: str) -> None:
    build, settings = IN_MEMORY[name]
    if scaling not in build.scalings:  # type: ignore[attr-defined]
        pytest.skip("not offered")
    for view in build.views:  # type: ignore[attr-defined]
        data = build(view=view, scaling=scaling, **settings)
        data.setup()
        check(data, data.splits["test"].x)


@pytest.mark.parametrize("scaling", ["standard", "unit", "none"])
@pytest.mark.parametrize("build", [sets.Iris, sets.Wine, sets.BreastCancer, sets.Diabetes])
def test_bundled_tables_by_the_names_of_their_columns(
    build: Callable[..., Any], scaling: str
) -> None:
    data = build(scaling=scaling)
    data.setup()
    bunch = data.load()
    rows = [
        # The order of the columns does not matter, nor that numbers come as text.
        dict(sorted(zip(bunch.feature_names, map(repr, row.tolist()), strict=True)))
        for row in data.splits["test"].x.double()
    ]
    check(data, rows)


@pytest.mark.parametrize(
    ("shape", "layout"), [((30, 5), "auto"), ((30, 9, 2), "sequence"), ((30, 3, 8, 8), "chw")]
)
@pytest.mark.parametrize("scaling", ["standard", "unit", "none"])
def test_own_arrays(shape: tuple[int, ...], layout: str, scaling: str) -> None:
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    data = sets.ArrayData(x, [0, 1] * 15, layout=layout, scaling=scaling)
    data.setup()
    check(data, data.splits["test"].x)


@pytest.mark.parametrize("scaling", ["standard", "unit", "quantile", "none"])
def test_tables_with_categories_and_missing_values(scaling: str, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    rows = [
        {
            "size": "" if random.random() < 0.1 else f"{random.lognormal():.6f}",
            "town": random.choice(["Ulm", "Bonn", "?", f"rare {i}"], p=[0.5, 0.3, 0.1, 0.1]),
            "rooms": str(random.integers(1, 6)),
            "price": f"{random.normal():.3f}",
        }
        for i in range(200)
    ]
    file = tmp_path / "houses.csv"
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    data = sets.Table(
        path=str(file), target="price", task="regression", scaling=scaling, target_unit=10.0
    )
    data.setup()
    places = data._rows(data._open(file), torch.zeros(len(rows)))["test"]
    check(data, [{**rows[place], "more": "of no interest"} for place in places])
    # A value comes back in the units of the file.
    wanted = [float(rows[place]["price"]) for place in places]
    answers = kept(data).output.answers(data.splits["test"].y, None, [])  # type: ignore[arg-type]
    assert [a["values"][0] for a in answers] == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("scaling", ["standard", "unit", "none"])
@pytest.mark.parametrize("view", ["sequence", "vector", "image"])
def test_series(relative: bool, scaling: str, view: str, tmp_path: Path) -> None:
    walk = np.random.default_rng(2).normal(size=(200, 3)).cumsum(0).round(4)
    file = tmp_path / "walk.csv"
    np.savetxt(file, walk, delimiter=",", header="a,b,c", comments="", fmt="%.4f")
    data = sets.Series(
        path=str(file),
        target=["c", "a"],
        columns=["b", "c"],
        window=10,
        horizon=3,
        relative=relative,
        scaling=scaling,
        view=view,
    )
    data.setup()
    starts = data.starts["test"]
    order = [1, 2, 0]  # those that are seen, and then the target that is not
    windows = [walk[at - 30 : at, order] for at in starts]  # of which the last ten rows count
    check(data, windows)
    # The targets, as a perfect net would give them, come back as they stand in the file.
    whole = kept(data)
    inputs = whole.input.batch(windows)
    answers = whole.output.answers(data.splits["test"].y, inputs, windows)
    assert answers[0]["names"] == ["c", "a"]
    for at, answer in zip(starts, answers, strict=True):
        np.testing.assert_allclose(answer["values"], walk[at : at + 3, [2, 0]], atol=1e-4)


def test_texts(tmp_path: Path) -> None:
    words = np.array("good bad fine dull film plot the a was so 1990s Don't".split())
    random = np.random.default_rng(3)
    texts = [" ".join(random.choice(words, random.integers(0, 9))) for _ in range(120)]
    file = tmp_path / "reviews.csv"
    lines = [f'"{text}",{i % 2}' for i, text in enumerate(texts)]
    file.write_text("\n".join(["text,label", *lines]) + "\n", encoding="utf-8")
    data = sets.Text(path=str(file), max_length=5)
    data.setup()
    from zoo.data.splits import stratified

    test = stratified(torch.arange(120) % 2, seed=0).test
    check(data, [texts[i] for i in test.tolist()])


@pytest.mark.parametrize("level", ["char", "word"])
def test_language(level: str, tmp_path: Path) -> None:
    text = "to be, or not to be:\nthat is the question\n" * 60  # 42 characters
    file = tmp_path / "play.txt"
    file.write_text(text)
    data = sets.TextLM(path=str(file), level=level, batch_size=2, length=8)
    data.setup()
    whole = kept(data)
    start = text[:420]  # ten times both lines
    found = whole.input.batch([start]).x[0]
    wanted = data.splits["train"].x[: len(found)].long()
    assert len(found) >= 60 and torch.equal(found, wanted)
    # What follows is the likeliest token at the last step.
    logits = torch.zeros(1, len(found), len(data.vocabulary))
    logits[0, -1, 3] = 5.0
    [answer] = whole.output.answers(logits, whole.input.batch([start]), [start])
    assert answer["label"] == data.vocabulary.words[3]


@pytest.mark.parametrize("view", ["sequence", "vector", "image"])
@pytest.mark.parametrize("ragged", [True, False])
def test_sets_of_series(view: str, ragged: bool, tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    parts = {}
    for part in ("TRAIN", "TEST"):
        sizes = random.integers(4, 9, 40) if ragged else [8] * 40
        parts[part] = [random.normal(3, 2, size=(n, 2)).round(4) for n in sizes]
        head = "@univariate false\n@equalLength false\n@classLabel true 0 1\n@data\n"
        rows = (
            ":".join(",".join(map(str, column)) for column in sample.T) + f":{i % 2}"
            for i, sample in enumerate(parts[part])
        )
        (tmp_path / f"Set_{part}.ts").write_text(head + "\n".join(rows) + "\n")
    data = sets.UCR(path=str(tmp_path / "Set"), view=view)
    data.setup()
    check(data, parts["TEST"])


@pytest.mark.slow
@pytest.mark.parametrize("build", [sets.MNIST, sets.FashionMNIST])
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_published_images(build: Callable[..., Any]) -> None:
    for view in ("vector", "image", "rows", "pixels"):
        data = build(root=str(SHARED), download=False, view=view)
        data.setup()
        check(data, data.splits["test"].x)


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_piano_rolls() -> None:
    data = sets.PianoRolls(path=str(SHARED / "polymusic" / "JSB_Chorales.mat"))
    data.setup()
    part = data.splits["test"]
    assert part.lengths is not None
    check(data, [x[:n] for x, n in zip(part.x, part.lengths.tolist(), strict=True)])


@pytest.mark.parametrize("view", ["vector", "image"])
def test_a_reconstruction_comes_back_in_the_units_of_the_data(view: str) -> None:
    data = sets.Digits(view=view, scaling="standard")
    data.setup()
    x = data.splits["test"].x[:5]
    whole = kept(data, reconstructs=True)
    inputs = whole.input.batch(list(x))
    answers = whole.output.answers(inputs.x, inputs, list(x))
    for raw, answer in zip(x, answers, strict=True):
        assert answer["score"] == 0
        np.testing.assert_allclose(answer["reconstruction"], raw, atol=1e-4)


def test_of_a_gaussian_the_mean_is_the_value() -> None:
    data = sets.Diabetes()
    data.setup()
    whole = kept(data, point="first_half")
    assert isinstance(whole.output, Values)
    y = data.splits["test"].y
    answers = whole.output.answers(torch.cat([y, torch.full_like(y, 9.0)], 1), None, [])  # type: ignore[arg-type]
    wanted = data.target_scaling.back(y)[:, 0].tolist()
    assert [answer["values"][0] for answer in answers] == pytest.approx(wanted)
