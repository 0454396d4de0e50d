import gzip
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zoo.build import make
from zoo.data.csv_table import Table

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "tabular"


def write(folder: Path, name: str, *lines: str) -> str:
    file = folder / name
    content = ("\n".join(lines) + "\n").encode()
    file.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return str(file)


def ready(**arguments) -> Table:
    module = Table(**arguments)
    module.setup()
    return module


TRAIN = [
    "size,colour,kind",
    *[f"{size},{colour},{'no' if size % 2 else 'yes'}" for size in range(20) for colour in "rg"],
]
TEST = ["size,colour,kind", "100,r,no", "?,blue,yes", "3,,no"]


def encoded(module: Table, name: str) -> list[list[float]]:
    return [[round(v, 4) for v in row] for row in module.splits[name].x.tolist()]


def test_a_given_test_file_is_encoded_as_training_is(tmp_path) -> None:
    module = ready(
        path=write(tmp_path, "train.csv.gz", *TRAIN),
        test_path=write(tmp_path, "test.csv", *TEST),
        target="kind",
        scaling="none",
    )
    assert module.class_names == ["no", "yes"]
    train = module.splits["train"].x[:, 0]
    median = float(np.median(train.numpy()))
    # size, then the bits of g, r and of what training does not know
    assert encoded(module, "test") == [
        [100.0, 0.0, 1.0, 0.0],
        [median, 0.0, 0.0, 1.0],
        [3.0, 0.0, 0.0, 1.0],
    ]
    assert module.splits["test"].y.tolist() == [0, 1, 0]
    assert [len(module.splits[name].x) for name in ("train", "val")] == [36, 4]
    every = torch.cat([module.splits[name].x for name in ("train", "val")])
    assert sorted(every[:, 0].tolist()) == sorted(2 * [float(size) for size in range(20)])
    assert (every[:, 1] + every[:, 2]).tolist() == [1.0] * 40


def test_missing_values_in_training_get_a_column_or_a_category(tmp_path) -> None:
    rows = ["a,b,y", *[",NA,0"] * 10, *["1,u,1"] * 20, *["4,w,0"] * 30]
    module = ready(path=write(tmp_path, "t.csv", *rows), target="y", scaling="none")
    found = {tuple(row) for name in module.splits for row in encoded(module, name)}
    # number, whether it is missing, then the bits of missing, u, w and unknown
    assert found == {(4, 1, 1, 0, 0, 0), (1, 0, 0, 1, 0, 0), (4, 0, 0, 0, 1, 0)}


def test_a_category_seen_once_trains_the_bit_of_the_unknown(tmp_path) -> None:
    rows = ["c,y", *["u,0"] * 20, *["w,1"] * 20]
    path = write(tmp_path, "t.csv", *rows, *[f"single{i},{i % 2}" for i in range(8)])
    module = ready(path=path, target="y")
    assert module.facts["in_features"] == 3
    total = sum(int(split.x[:, 2].sum()) for split in module.splits.values())
    assert total == 8 and module.splits["train"].x[:, 2].any()


@pytest.mark.parametrize("scaling", ["standard", "unit", "quantile"])
def test_numbers_are_scaled_by_training_and_bits_are_not(tmp_path, scaling: str) -> None:
    module = ready(path=write(tmp_path, "t.csv", *TRAIN), target="kind", scaling=scaling)
    raw = ready(path=module.path, target="kind", scaling="none")
    train = module.splits["train"].x[:, 0].double().numpy()
    numbers = {name: split.x[:, 0].double().numpy() for name, split in raw.splits.items()}
    if scaling == "standard":
        expected = (numbers["test"] - numbers["train"].mean()) / numbers["train"].std()
        np.testing.assert_allclose(module.splits["test"].x[:, 0], expected, atol=1e-6)
    elif scaling == "unit":
        assert (train.min(), train.max()) == (0.0, 1.0)
    else:
        assert abs(np.median(train)) < 0.2 and train.max() == pytest.approx(5.2, abs=0.01)
        ranks = np.argsort(numbers["train"], kind="stable")
        assert np.array_equal(np.argsort(train, kind="stable"), ranks)
    assert set(module.splits["test"].x[:, 1:].flatten().tolist()) == {0.0, 1.0}
    served = torch.cat([batch.x for batch in module.test_dataloader()])
    assert torch.equal(served, module.splits["test"].x)


def test_values_are_standardised_and_reported_in_their_unit(tmp_path) -> None:
    rows = ["x,price", *[f"{i},{1000 * i * i}" for i in range(50)]]
    module = ready(
        path=write(tmp_path, "t.csv", *rows), target="price", task="regression", target_unit=1000.0
    )
    assert module.target == "values" and module.class_names is None
    raw = ready(path=module.path, target="price", task="regression", scaling="none")
    train, test = (raw.splits[name].x[:, 0].double().numpy() ** 2 for name in ("train", "test"))
    assert module.facts["scale"] == [pytest.approx(train.std(), rel=1e-6)]
    expected = (test - train.mean()) / train.std()
    np.testing.assert_allclose(module.splits["test"].y[:, 0], expected, atol=1e-6)
    rmse = np.sqrt(np.mean((test - train.mean()) ** 2))
    assert module.baselines()["rmse"] == pytest.approx(rmse, rel=1e-5)


def test_types_are_inferred_and_can_be_said(tmp_path) -> None:
    path = write(tmp_path, "t.csv", *[f"{i % 3},{i},{i % 2}" for i in range(40)])
    names = ["code", "row", "y"]
    assert ready(path=path, names=names, target="y").facts["in_features"] == 2
    module = ready(path=path, names=names, target="y", categorical=["code"], drop=["row"])
    assert module.facts["in_features"] == 4  # three codes and the unknown


def test_a_dot_after_labels(tmp_path) -> None:
    arguments = {"path": write(tmp_path, "a.csv", *TRAIN), "target": "kind"}
    test = write(tmp_path, "b.csv", "size,colour,kind", "1,r,no.", "2,g,yes.")
    with pytest.raises(ValueError, match="line 2, column 'kind': the label 'no.' is not in"):
        ready(test_path=test, **arguments)
    assert ready(test_path=test, label_suffix=".", **arguments).splits["test"].y.tolist() == [0, 1]


def test_the_split_follows_its_seed_alone_and_is_stratified(tmp_path) -> None:
    path = write(tmp_path, "t.csv", *TRAIN)
    a, b, c = (ready(path=path, target="kind", **k) for k in ({}, {"seed": 3}, {"split_seed": 1}))
    assert torch.equal(a.splits["test"].x, b.splits["test"].x)
    assert not torch.equal(a.splits["test"].x, c.splits["test"].x)
    counts = {name: split.y.bincount().tolist() for name, split in a.splits.items()}
    assert counts == {"train": [14, 14], "val": [2, 2], "test": [4, 4]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"task": "ranking"}, "`task` of table must be one of classification, regression"),
        ({"val": 0.6, "test": 0.4}, r"`val` \+ `test` must leave rows to train on"),
        ({"test": 1}, "`test` must be a share between 0 and 1, got 1"),
        ({"target_unit": 0}, "`target_unit` must be a positive number"),
        ({"scaling": "log"}, "must be one of standard, quantile, unit, none, got 'log'"),
    ],
)
def test_arguments_out_of_range(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Table(**arguments)


@pytest.mark.parametrize(
    ("lines", "arguments", "message"),
    [
        (TRAIN, {"target": None}, "`target` must name the column .* one of size, colour, kind"),
        (TRAIN, {"target": "kin"}, "`target` names no column .* did you mean 'kind'"),
        (TRAIN, {"drop": ["sise"]}, "`drop` names no column"),
        (TRAIN, {"categorical": ["x"]}, "`categorical` names no column"),
        (TRAIN, {"categorical": []}, "line 2, column 'colour': 'r' is not a number"),
        (TRAIN, {"drop": ["size", "colour"]}, "has no column but the target 'kind'"),
        ([*TRAIN, "x,r,no"], {}, "line 42, column 'size': 'x' is not a number, as almost all"),
        ([*TRAIN, "inf,r,no"], {}, "line 42, column 'size': 1 of 41 values is infinite"),
        ([*TRAIN, "1,r,"], {}, "line 42, column 'kind': 1 labels are missing"),
        ([*TRAIN, "1,r"], {}, "line 42: 2 values for 3 columns"),
        (TRAIN, {"task": "regression"}, "line 2, column 'kind': 'yes' is not a number"),
        (TRAIN[:4], {}, "2 classes in 3 rows"),
        (TRAIN, {"target": "size", "test": 0.9, "val": 0.05}, "40 rows of 20 classes leave none"),
        (
            ["x,y", *[f"{i},{i}" for i in range(9)]],
            {"target": "y"},
            "9 classes in 9 rows; are they",
        ),
        (["x,kind", *["1,no"] * 9], {}, "1 classes in 9 rows"),
        (["x,kind", *[",no", ",yes"] * 9], {}, r"column 'x': all values are missing; data.drop="),
    ],
)
def test_what_is_wrong_with_a_table(tmp_path, lines, arguments: dict, message: str) -> None:
    path = write(tmp_path, "t.csv", *lines)
    with pytest.raises(ValueError, match=message):
        ready(path=path, **{"target": "kind", **arguments})


def test_too_many_categories_are_named(tmp_path) -> None:
    rows = [f"name{i % 1100},{i % 2}" for i in range(4000)]
    with pytest.raises(ValueError, match="column 'who': 1,.* categories .* data.drop="):
        ready(path=write(tmp_path, "t.csv", "who,y", *rows), target="y")


def test_no_path_is_an_error_of_reading() -> None:
    with pytest.raises(ValueError, match="`path` must name a csv file, got None; say data.path="):
        Table().setup()


CELL = st.floats(width=64).map(repr) | st.sampled_from(["", "?", "a", "b", "1", "2"])


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.tuples(CELL, CELL, CELL).map(",".join), min_size=1, max_size=30),
    st.sampled_from(["classification", "regression"]),
    st.sampled_from(["standard", "unit", "none"]),
)
def test_any_cells_are_a_table_or_an_error(tmp_path, rows, task: str, scaling: str) -> None:
    path = write(tmp_path, "t.csv", "a,b,c", *rows)
    module = Table(path=path, target="c", task=task, scaling=scaling)
    try:
        module.setup()
    except ValueError as error:
        assert "t.csv" in str(error)
        return
    assert all(bool(split.x.isfinite().all()) for split in module.splits.values())
    assert all(len(split.x) == len(split.y) > 0 for split in module.splits.values())


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
def test_adult_as_published(composed) -> None:
    module = make(composed("data=adult", f"data.root={DATA.parent}").data)
    module.setup()
    assert module.class_names == ["<=50K", ">50K"]
    assert sum(len(split.x) for split in module.splits.values()) == 32_561 + 16_281
    assert module.baselines()["accuracy"] == pytest.approx(1 - 0.2362, abs=1e-4)
