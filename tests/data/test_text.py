"""Labelled texts in the three layouts: read right, or refused by row and column."""

import gzip
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from zoo.data.augmentation.base import Stream
from zoo.data.augmentation.words import WordDropout
from zoo.data.loader import Batch
from zoo.data.text import Text
from zoo.data.text_file import Labelled, read_labelled
from zoo.preprocessing.vocabulary import tokenise

GOOD = ["A fine film", "Fine, fine!", "I like it", "it's a film I like"]
BAD = ["Dull film", "A bore.", "I yawned", "not a fine film"]
ROWS = [(text, "good") for text in GOOD * 5] + [(text, "bad") for text in BAD * 5]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Forty reviews."""
    path = tmp_path / "reviews.csv"
    lines = ["text,label", *(f'"{text}",{label}' for text, label in ROWS)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def written(folder: Path, name: str, content: str | bytes) -> Path:
    content = content.encode() if isinstance(content, str) else content
    (folder / name).write_bytes(content)
    return folder / name


# --- files -----------------------------------------------------------------------------------

SAME = {
    "a.csv": 'stars,review\n1,"bad, ""really"" bad"\n\n2,"two\nlines"\n',
    "crlf.csv": 'stars,review\r\n1,"bad, ""really"" bad"\r\n2,"two\r\nlines"\r\n',
    "bom.csv": '\ufeffstars, review\n1,"bad, ""really"" bad"\n2,"two\nlines"\n',
}


@pytest.mark.parametrize("name", SAME)
@pytest.mark.parametrize("packed", [False, True])
def test_csv_is_read_with_its_quotes(name: str, packed: bool, tmp_path: Path) -> None:
    content = SAME[name].encode()
    path = written(
        tmp_path, f"{name}.gz" if packed else name, gzip.compress(content) if packed else content
    )
    found = read_labelled(path, text="review", label="stars")
    assert found == Labelled(['bad, "really" bad', "two\nlines"], ["1", "2"])


def test_tsv_has_no_quotes(tmp_path: Path) -> None:
    path = written(tmp_path, "a.tsv", 'text\tlabel\n"so, it begins\t1\nand ends"\t0\n')
    assert read_labelled(path) == Labelled(['"so, it begins', 'and ends"'], ["1", "0"])


def test_a_label_before_the_text(tmp_path: Path) -> None:
    content = "1 a fine film , really\n0 dull\n\n"
    for name, layout in (("stsa.binary.train", "auto"), ("a.csv", "sst")):
        found = read_labelled(written(tmp_path, name, content), layout=layout)
        assert found == Labelled(["a fine film , really", "dull"], ["1", "0"])


def test_other_encodings_are_read_by_name(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "text,label\ncafé,1\n".encode("latin-1"))
    assert read_labelled(path, encoding="latin-1").texts == ["café"]
    with pytest.raises(ValueError, match="a.csv is not utf-8 at byte 14; .*data.encoding=latin-1"):
        read_labelled(path)


TABLES = {
    "no column": ("stars,label\n1,2\n", "'text' once .* does not: 'stars', 'label'"),
    "a column twice": ("text,label,text\na,b,c\n", "'text' once .* does twice"),
    "ragged": ("text,label\na,1\nb,c,2\n", "row 3 of .* has 3 fields, but the first row names 2"),
    "cut short": ("text,label\na,1\nb\n", "row 3 of .* has 1 fields"),
    "open quote": ('text,label\na,1\n"b,2\nc,1\n', "row 3 of .* is no csv"),
    "no label": ("text,label\na,1\nb,\n", "row 3 of .* has no 'label'"),
    "no rows": ("text,label\n", "no rows below it"),
    "empty": ("", "empty"),
}


@pytest.mark.parametrize(("content", "message"), TABLES.values(), ids=TABLES)
def test_bad_tables_name_file_and_row(content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        read_labelled(written(tmp_path, "a.csv", content))
    assert "a.csv" in str(caught.value)


def test_a_label_without_a_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="row 2 of .* data.format=csv"):
        read_labelled(written(tmp_path, "a", "1 fine\n0\n"))


@pytest.mark.parametrize("layout", ["csv", "tsv", "sst"])
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    content=st.binary(max_size=80)
    | st.lists(st.sampled_from(["text", "label", ",", "\t", '"', "\n", "\r", "a", " ", "\0", "1"]))
    .map("".join)
    .map(lambda s: b"text,label\n" + s.encode())
)
@example(content=b"\x1f\x8b")
@example(content=b"text,label\n" + b"a" * 200_000 + b",1\n")
def test_any_bytes_are_a_table_or_an_error(layout: str, content: bytes, tmp_path: Path) -> None:
    path = written(tmp_path, "any", content)
    try:
        texts, labels = read_labelled(path, layout=layout)
    except (ValueError, OSError):
        return
    assert len(texts) == len(labels) > 0 and all(label.strip() for label in labels)


# --- the data set ----------------------------------------------------------------------------


def test_words_and_punctuation() -> None:
    assert tokenise("Don't PANIC, it’s 3.5!") == [
        *("don't", "panic", ",", "it’s", "3", ".", "5", "!")
    ]


def texts_of(data: Text, name: str) -> list[list[str]]:
    split = data.splits[name]
    return [
        [data.vocabulary.words[number] for number in row[:length]]
        for row, length in zip(split.x.tolist(), split.lengths.tolist(), strict=True)
    ]


def test_texts_labels_and_lengths_belong_together(table: Path) -> None:
    data = Text(path=str(table), min_count=1)
    data.setup()
    assert data.class_names == ["bad", "good"]
    assert {name: len(split.x) for name, split in data.splits.items()} == {
        "train": 28,
        "val": 4,
        "test": 8,
    }
    source = {(tuple(tokenise(text)), label) for text, label in ROWS}
    for name, split in data.splits.items():
        labels = [data.class_names[y] for y in split.y.tolist()]
        found = {(tuple(t), y) for t, y in zip(texts_of(data, name), labels, strict=True)}
        assert found <= source
        assert labels.count("good") == len(labels) / 2
        beyond = torch.arange(split.x.shape[1]) >= split.lengths[:, None]
        assert bool((split.x[beyond] == 0).all()) and bool((split.x[~beyond] > 0).all())
    assert data.vocabulary.words[:2] == ["<pad>", "<unk>"]
    assert "text: 28 train, 4 validation, 8 test; " in data.describe()


def test_a_batch_is_what_an_embedding_reads(table: Path) -> None:
    data = Text(path=str(table), view="sequence", batch_size=5)
    batch = next(iter(data.train_dataloader()))
    assert batch.x.dtype == torch.int64 and len(batch.x) == len(batch.lengths) == 5
    size = len(data.vocabulary)
    wanted = {"in_features": size, "out_features": 2, "num_classes": 2, "readout": "last"}
    assert wanted.items() <= data.facts.items()
    assert data.facts["embedding"] == 128 and data.facts["embedding_std"] == 0.1
    assert not data.facts["carry_state"]


def test_given_files_are_kept_and_only_training_words_are_known(tmp_path: Path) -> None:
    train = written(tmp_path, "train", "1 fine fine\n0 dull dull\n" * 5)
    val, test = (written(tmp_path, name, f"0 {name} dull\n1 ...\n") for name in ("val", "test"))
    data = Text(path=str(train), val_path=str(val), test_path=str(test))
    data.setup()
    assert sorted(data.vocabulary.words[2:]) == ["dull", "fine"]
    assert len(data.splits["train"].x) == 10
    for name in ("val", "test"):
        assert texts_of(data, name) == [["<unk>", "dull"], ["<unk>"] * 3]
        assert data.splits[name].y.tolist() == [0, 1]


def test_a_given_test_leaves_a_tenth_for_validation(table: Path) -> None:
    data = Text(path=str(table), test_path=str(table))
    data.setup()
    assert [len(split.x) for split in data.splits.values()] == [36, 4, 40]


def test_long_texts_are_cut_and_empty_ones_are_one_unknown_word(tmp_path: Path) -> None:
    train = written(tmp_path, "a.csv", "text,label\n" + "a a a a a,1\n,2\n" * 10)
    data = Text(path=str(train), max_length=3)
    data.setup()
    assert data.splits["train"].x.shape[1] == 3 and data.shortened == 10
    assert ["<unk>"] in texts_of(data, "train")
    assert "10 texts cut after 3 words" in data.describe()


def test_numbers_as_labels_are_in_their_order(tmp_path: Path) -> None:
    rows = "".join(f"{stars} text\n" * 4 for stars in (10, 9, -1, "none"))
    data = Text(path=str(written(tmp_path, "a", rows)))
    data.setup()
    assert data.class_names == ["-1", "9", "10", "none"]


def test_word_dropout_makes_its_share_unknown_and_leaves_padding_alone() -> None:
    x = torch.randint(2, 9, (200, 50), dtype=torch.int16)
    x[:, 40:] = 0
    batch = Batch(x, torch.zeros(200, dtype=torch.int64))
    dropped = WordDropout(0.3)(batch, Stream(0)).x
    changed = dropped != x
    assert dropped.dtype == x.dtype and set(dropped[changed].tolist()) == {1}
    assert not changed[:, 40:].any()
    share = changed[:, :40].double().mean().item()
    assert abs(share - 0.3) < 4 * (0.3 * 0.7 / 8000) ** 0.5  # four standard errors
    assert not torch.equal(WordDropout(0.3)(batch, Stream(1)).x, dropped)


# --- mistakes --------------------------------------------------------------------------------


def test_a_single_class_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a must have two labels .* only '1'"):
        Text(path=str(written(tmp_path, "a", "1 fine\n" * 20))).setup()


def test_a_label_that_training_lacks_is_refused(tmp_path: Path) -> None:
    train = written(tmp_path, "train", "1 fine\n0 dull\n" * 10)
    test = written(tmp_path, "test", "1 fine\n2 what\n")
    with pytest.raises(ValueError, match="test has the label '2', .* that has 0, 1"):
        Text(path=str(train), test_path=str(test)).setup()


def test_too_few_texts_to_split_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="2 texts, too few .* data.val_path"):
        Text(path=str(written(tmp_path, "a", "1 fine\n0 dull\n"))).setup()


def test_without_a_file_an_example_is_shown() -> None:
    with pytest.raises(ValueError, match="data.path=reviews.csv data.text=review"):
        Text().setup()
    with pytest.raises(ValueError, match="`path`, the training file, .* beside v:"):
        Text(val_path="v").setup()


BAD_ARGUMENTS: dict[str, tuple[dict[str, Any], str]] = {
    "format": ({"format": "xml"}, "`format` of text must be one of auto, csv, tsv, sst"),
    "encoding": ({"encoding": "utf-9"}, "`encoding`"),
    "min_count": ({"min_count": 0}, "`min_count`"),
    "max_words": ({"max_words": -1}, "`max_words`"),
    "max_length": ({"max_length": 0}, "`max_length`"),
    "one column": ({"text": "label"}, "`text` and `label` must be two columns"),
    "view": ({"view": "image"}, "`view`"),
}


@pytest.mark.parametrize(("settings", "message"), BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS)
def test_bad_arguments_are_refused_before_a_file_is_read(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Text(path="nowhere", **settings)


# --- the published sentences -----------------------------------------------------------------

SENTIMENT = Path(__file__).parents[3] / "shared" / "data" / "text_sentiment"


@pytest.mark.slow
@pytest.mark.skipif(not SENTIMENT.is_dir(), reason="needs the SST in ../shared/data")
@pytest.mark.parametrize(
    ("name", "sizes", "classes"),
    [("binary", (6920, 872, 1821), 2), ("fine", (8544, 1101, 2210), 5)],
)
def test_the_sst_has_its_published_sizes(name: str, sizes: tuple[int, ...], classes: int) -> None:
    train, dev, test = (SENTIMENT / f"stsa.{name}.{s}.gz" for s in ("train", "dev", "test"))
    data = Text(path=str(train), val_path=str(dev), test_path=str(test))
    data.setup()
    assert tuple(len(split.x) for split in data.splits.values()) == sizes
    assert data.class_names == [str(label) for label in range(classes)]
