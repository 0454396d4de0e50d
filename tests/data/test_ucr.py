import gzip
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zoo.data.ts_reader import plain_label, read_ts, read_tsv
from zoo.data.ucr import UCR

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "ucr"
PROPERTY = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
HEADER = "#words\n@problemName P\n@timeStamps false\n@dimensions 2\n@classLabel true b a\n@data\n"


def write(folder: Path, name: str, content: str | bytes) -> Path:
    file = folder / name
    content = content.encode() if isinstance(content, str) else content
    file.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return file


def pair(folder: Path, train: str, test: str, suffix: str = ".tsv") -> str:
    write(folder, f"P_TRAIN{suffix}", train)
    write(folder, f"P_TEST{suffix}", test)
    return str(folder / "P")


def test_ts_by_hand(tmp_path) -> None:
    file = read_ts(write(tmp_path, "x.ts", HEADER + "1,2,3:4,5,6:a\n\n1e1,NaN:-2,?:b\n"))
    assert [sample.tolist() for sample in file.samples] == [
        [[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]],
        [[10.0, -2.0]],
    ]
    assert (file.labels, file.lines, file.classes) == (["a", "b"], [7, 9], ["b", "a"])


def test_tsv_by_hand(tmp_path) -> None:
    file = read_tsv(write(tmp_path, "x.tsv", "10\t1\t2\tNaN\n2.0e0\t3\t4\t5\n"))
    assert [sample[:, 0].tolist() for sample in file.samples] == [[1.0, 2.0], [3.0, 4.0, 5.0]]
    assert (file.labels, file.classes) == (["10", "2"], ["2", "10"])


def test_labels_are_plain() -> None:
    assert [plain_label(x) for x in (" 1.0000e+00", "-1", "1.5", " up ")] == [
        "1",
        "-1",
        "1.5",
        "up",
    ]


LONG = "".join(f"{label}\t{label}\t2\t{step}\tNaN\n" for label in (1, 2) for step in range(5))


def test_validation_is_carved_class_by_class_and_padding_is_zero(tmp_path) -> None:
    module = UCR(path=pair(tmp_path, LONG, "2\t1\t2\n1\t3\t4\t5\t6\n", ".tsv.gz"), val=0.4)
    assert module.describe() == "P: 6 train, 4 validation, 2 test; 4 x 1 sequences, 2 classes"
    assert module.class_names == ["1", "2"]
    for name, each in (("train", 3), ("val", 2)):
        assert module.splits[name].y.bincount().tolist() == [each, each]
        assert module.splits[name].lengths.tolist() == [3] * 2 * each
    test = module.splits["test"]
    assert (test.y.tolist(), test.lengths.tolist()) == ([1, 0], [2, 4])
    train = module.splits["train"]
    served = torch.cat([batch.x[:, :3] for batch in module.train_dataloader()])
    np.testing.assert_allclose([served.mean(), served.std(correction=0)], [0, 1], atol=1e-6)
    assert not train.x[:, 3].any() and not test.x[0, 2:].any()
    raw = {1: [1.0, 2.0], 0: [3.0, 4.0, 5.0, 6.0]}
    first, second = (test.x[i, : test.lengths[i], 0].double().numpy() for i in (0, 1))
    scale = (raw[0][1] - raw[0][0]) / (second[1] - second[0])
    np.testing.assert_allclose(first * scale, np.array(raw[1]) - 3.0 + second[0] * scale, rtol=1e-5)


def test_equal_lengths_need_no_lengths_and_every_view_is_served(tmp_path) -> None:
    text = HEADER + "1,2:3,4:a\n1,2:3,5:b\n" * 5
    path = pair(tmp_path, text, text, ".ts")
    for view, shape in (("sequence", (2, 2)), ("vector", (4,)), ("image", (2, 2))):
        module = UCR(path=path, view=view)
        batch = next(iter(module.test_dataloader()))
        assert batch.x.shape == (10, *shape) and batch.lengths is None
    assert module.splits["test"].y.tolist() == [1, 0] * 5
    folder = tmp_path / "P"
    folder.mkdir()
    for part in ("TRAIN", "TEST"):
        (tmp_path / f"P_{part}.ts").rename(folder / f"P_{part}.ts")
    assert UCR(path=str(folder)).describe().startswith("P: 8 train, 2 validation, 10 test")


def test_one_sample_of_each_class_stays_in_training(tmp_path) -> None:
    train = "".join(f"{label}\t1\t{i}\n" for label in range(4) for i in range(1 + (label == 0)))
    module = UCR(path=pair(tmp_path, train, train), val=0.9)
    module.setup()
    assert module.splits["train"].y.unique().tolist() == [0, 1, 2, 3]
    assert module.splits["val"].y.tolist() == [0]


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ("1\t1\n2\t2\n", "1\t1\n", "2 samples of 2 classes leave none for validation"),
        (LONG, "1\t1\n3\t2\n", "P_TEST.tsv, line 2: the label '3' is not in .*P_TRAIN.tsv"),
        (LONG, "1\t1\tx\n", "P_TEST.tsv, line 1, step 2: 'x' is not a number"),
        (LONG, "1\t1\tNaN\t2\n", "line 1, step 2: 1 of 3 values is missing or NaN"),
        (LONG, "1\tinf\tinf\n", "line 1, step 1: 2 of 2 values are infinite"),
        (LONG, "1\tNaN\n", "line 1: there is no value"),
        (LONG, "\t1\n", "line 1: there is no label"),
        (LONG, "", "P_TEST.tsv is empty"),
    ],
)
def test_what_is_wrong_with_a_tsv(tmp_path, train: str, test: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        UCR(path=pair(tmp_path, train, test)).setup()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER, "is empty: it has no samples"),
        ("@problemName P\n", "has no @data"),
        ("1,2:a\n", "line 1: '1,2:a' stands before @data"),
        (HEADER + "1,2:3,4:c\n", "line 7: the label 'c' is none of @classLabel, b a"),
        (HEADER + "1,2\n", "line 7: the label '1,2' is none of"),
        (HEADER + "1,2:a\n", "line 7: 1 dimensions, but @dimensions says 2"),
        (HEADER + "1,2:3,4:5,6:a\n", "line 7: 3 dimensions, but @dimensions says 2"),
        (HEADER + "1,2:3,4,5:a\n", "line 7: dimensions of 2, 3 steps"),
        (HEADER + "1,?,2:3,4,5:a\n", "line 7, dimension 1, step 2: 1 of 3 values is missing"),
        (HEADER.replace("@dimensions 2\n", "") + "1:a\n1:2:a\n", "2 dimensions, but the samples"),
        (HEADER.replace("@dimensions 2", "@dimensions x"), "@dimensions must be a number"),
        (HEADER.replace("true b a", "false"), "@classLabel must be true"),
        (HEADER.replace("true b a", "true b b"), "names a class twice"),
        (HEADER.replace("Stamps false", "Stamps true"), "@timeStamps must be false"),
    ],
)
def test_what_is_wrong_with_a_ts(tmp_path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_ts(write(tmp_path, "x.ts", text))


def test_what_is_wrong_with_a_pair(tmp_path) -> None:
    with pytest.raises(ValueError, match="`path` must name a data set as <folder>/<Name>"):
        UCR().setup()
    write(tmp_path, "P_TRAIN.tsv", LONG)
    with pytest.raises(FileNotFoundError, match="P_TRAIN and .*P_TEST must both be there"):
        UCR(path=str(tmp_path / "P")).setup()
    two = HEADER + "1:2:a\n1:3:b\n" * 4
    one = two.replace("@dimensions 2", "@dimensions 1").replace("1:", "")
    with pytest.raises(ValueError, match="P_TEST.ts has 1 dimensions, .*P_TRAIN.ts 2"):
        UCR(path=pair(tmp_path, two, one, ".ts")).setup()
    with pytest.raises(ValueError, match="`val` must be a share between 0 and 1, got 0"):
        UCR(val=0)


PIECES = st.sampled_from(
    ["1", "2.5", ",", ":", "\n", "\t", "a", "b", "NaN", "?", "inf", "@", "@data\n", "#", " ", "é"]
)


@PROPERTY
@given(st.binary(max_size=120) | st.lists(PIECES, max_size=40).map(lambda p: "".join(p).encode()))
def test_any_bytes_are_sequences_or_an_error(tmp_path, content: bytes) -> None:
    for reader, before in ((read_tsv, b""), (read_ts, b""), (read_ts, HEADER.encode())):
        try:
            file = reader(write(tmp_path, "x", before + content))
        except (ValueError, OSError):
            continue
        assert file.samples and set(file.labels) <= set(file.classes)
        assert all(len(s) and np.isfinite(s).all() for s in file.samples)


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
@pytest.mark.parametrize(
    ("name", "description"),
    [
        ("JapaneseVowels", "216 train, 54 validation, 370 test; 29 x 12 sequences, 9 classes"),
        ("BasicMotions", "32 train, 8 validation, 40 test; 100 x 6 sequences, 4 classes"),
        ("CBF", "24 train, 6 validation, 900 test; 128 x 1 sequences, 3 classes"),
    ],
)
def test_published_sets(name: str, description: str) -> None:
    assert UCR(path=str(DATA / name)).describe() == f"{name}: {description}"
