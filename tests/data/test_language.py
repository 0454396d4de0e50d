"""A text as a language model reads it: cut, numbered, and served as streams."""

import gzip
import itertools
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data.language import TextLM, python_reference
from zoo.preprocessing.vocabulary import Vocabulary, words_of_lines

TEXT = "the quick brown fox\njumps over the lazy dog\n" * 30


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def module(path: Path | None = None, **settings: Any) -> TextLM:
    return TextLM(path=path and str(path), **{"batch_size": 4, "length": 10, **settings})


# --- the data set ----------------------------------------------------------------------------


def test_one_file_is_cut_in_its_order(file: Path) -> None:
    data = module(file)
    data.setup()
    whole = []
    for name in ("train", "val", "test"):
        split = data.splits[name]
        assert torch.equal(split.x[1:], split.y[:-1])
        whole.append(data.vocabulary.decode([*split.x, split.y[-1]]))
    assert "".join(whole) == TEXT
    size = len(TEXT)
    assert [len(part) / size for part in whole] == pytest.approx([0.9, 0.05, 0.05], abs=1 / size)


def test_facts_and_batches_agree(file: Path) -> None:
    data = module(file, view="sequence")
    data.setup()
    size = len(set(TEXT)) + 1
    for name in ("in_features", "out_features", "num_classes"):
        assert data.facts[name] == size == len(data.class_names)
    assert (data.facts["readout"], data.facts["carry_state"]) == ("every", True)
    batch = next(iter(data.train_dataloader()))
    assert batch.x.shape == batch.y.shape == (4, 10) and batch.x.dtype == torch.int64
    first = [data.vocabulary.decode(row) for row in batch.x]
    stream = (round(0.9 * len(TEXT)) - 1) // 4
    assert first == [TEXT[i * stream :][:10] for i in range(4)]
    assert "train, 66 validation, 66 test; characters, 29 different" in data.describe()


def test_the_embedding_is_wider_for_words(file: Path) -> None:
    widths = []
    for level in ("char", "word"):
        data = module(file, level=level, batch_size=2, length=5)
        data.setup()
        widths.append(data.facts["embedding"])
    assert widths == [64, 128]


def test_three_files_of_words(tmp_path: Path) -> None:
    texts = {
        "train": " the cat sat\n the <unk> sat\n" * 5,
        "val": " the dog sat\n",
        "test": " a cat\n",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
    files = {name: str(tmp_path / f"{name}.gz") for name in texts}
    data = TextLM(**files, level="word", batch_size=2, length=3)
    data.setup()
    assert set(data.class_names) == {"<unk>", "<eos>", "the", "cat", "sat"}
    val, test = (data.splits[name] for name in ("val", "test"))
    words = [data.vocabulary.decode([*s.x, s.y[-1]], joint=" ") for s in (val, test)]
    assert words == ["the <unk> sat <eos>", "<unk> cat <eos>"]
    assert data.facts["characters"] == pytest.approx((3 + 3 + 3 + 5 + 3 + 5 + 3 + 5) / 8 + 1)


def test_the_vocabulary_is_of_training_alone_and_can_be_limited() -> None:
    tokens = list("aaabbbccd")
    assert Vocabulary(tokens).words == ["<unk>", "a", "b", "c", "d"]
    assert Vocabulary(tokens, min_count=2).words == ["<unk>", "a", "b", "c"]
    assert Vocabulary(tokens, max_words=2).words == ["<unk>", "a", "b"]
    assert Vocabulary(tokens, max_words=2).encode(list("abcz")).tolist() == [1, 2, 0, 0]


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=30), st.text(min_size=1, max_size=30))
def test_characters_and_lists_of_them_have_the_same_numbers(seen: str, text: str) -> None:
    vocabulary = Vocabulary(seen)
    assert vocabulary.encode(text).tolist() == vocabulary.encode(list(text)).tolist()
    kept = "".join(c if c in seen else "<unk>" for c in text)
    assert vocabulary.decode(vocabulary.encode(text)) == kept


@pytest.mark.parametrize(("size", "dtype"), [(256, torch.uint8), (257, torch.int16)])
def test_numbers_take_little_memory(size: int, dtype: torch.dtype) -> None:
    vocabulary = Vocabulary(map(chr, range(1000, 1000 + size - 1)))
    assert len(vocabulary) == size
    assert vocabulary.encode(chr(1000 + size - 2)).dtype == dtype
    assert vocabulary.encode(chr(1000 + size - 2)).tolist() == [size - 1]


def test_words_are_what_white_space_separates() -> None:
    assert words_of_lines(" mr. <unk> 's\n N\tyears") == [
        *("mr.", "<unk>", "'s", "<eos>", "N", "years")
    ]


def test_validation_reads_few_streams_and_a_short_text_one(file: Path) -> None:
    data = module(file, eval_batch_size=3)
    assert next(iter(data.val_dataloader())).x.shape == (3, 10)
    assert next(iter(module(file, length=40).val_dataloader())).x.shape == (1, 40)


def test_the_baseline_is_the_unigram_entropy(file: Path) -> None:
    data = module(file)
    baselines = data.baselines()
    train, test = TEXT[: round(0.9 * len(TEXT))], TEXT[round(0.95 * len(TEXT)) :]
    counts = Counter(train[1:])
    total = len(train) - 1 + len(data.vocabulary)
    nats = [-math.log((counts[c] + 1) / total) for c in test[1:]]
    assert baselines["loss"] == pytest.approx(sum(nats) / len(nats))
    assert baselines["perplexity"] == pytest.approx(math.exp(baselines["loss"]))
    assert baselines["bits_per_character"] == pytest.approx(baselines["loss"] / math.log(2))
    common = test[1:].count(" ") / len(test[1:])
    assert baselines["accuracy"] == pytest.approx(common)


def test_python_s_reference_is_the_default() -> None:
    text = python_reference()
    assert len(text) > 100_000 and "else" in text
    paragraphs = text.split("\n\n")
    assert len(paragraphs) == len(set(paragraphs))
    data = TextLM()
    data.setup()
    assert sum(len(split.x) + 1 for split in data.splits.values()) == len(text)


def test_without_python_s_reference_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pydoc_data.topics", None)
    with pytest.raises(OSError, match="data.path="):
        TextLM().setup()


# --- mistakes --------------------------------------------------------------------------------

BAD_FILES = {
    "not UTF-8": (b"caf\xe9 au lait", "not utf-8 at byte 3; .*data.encoding="),
    "empty": (b"", "empty"),
    "blank": (b" \n ", "empty"),
    "cut gzip": (gzip.compress(TEXT.encode())[:50], "gzip"),
    "short": (b"a few words, no more", "18 tokens and needs 41"),
}


@pytest.mark.parametrize(("content", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_bad_files_are_named(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        module(path).setup()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere.txt"):
        module(tmp_path / "nowhere.txt").setup()


BAD_ARGUMENTS: dict[str, tuple[dict[str, Any], str]] = {
    "level": ({"level": "sentence"}, "`level` .* char, word, got 'sentence'"),
    "length": ({"length": 0}, "`length` must be an integer of at least 1"),
    "max_words": ({"max_words": 0}, "`max_words`"),
    "encoding": ({"encoding": "utf-9"}, "`encoding` .*'utf-9'"),
    "codec that is no encoding": ({"encoding": "zlib"}, "`encoding`"),
    "val alone": ({"val": "v"}, "`train` must be named where `val` is"),
    "no test": ({"train": "a", "val": "b"}, "`test` must be named where `train` is"),
    "path and train": ({"path": "p", "train": "t"}, "`path` is one text .* `train`"),
    "view": ({"view": "vector"}, "`view` of text_lm must be one of tokens, sequence"),
    "scaling": ({"scaling": "standard"}, "`scaling`"),
}


@pytest.mark.parametrize(("settings", "message"), BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS)
def test_bad_arguments_are_refused_before_a_file_is_read(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        TextLM(**settings)


def test_a_count_that_no_token_reaches_is_refused(file: Path) -> None:
    with pytest.raises(ValueError, match="`min_count`=100000"):
        module(file, min_count=100_000).setup()


# --- the published text ----------------------------------------------------------------------

PENN = Path(__file__).parents[3] / "shared" / "data" / "ptb"


@pytest.mark.slow
@pytest.mark.skipif(not PENN.is_dir(), reason="needs the Penn Treebank in ../shared/data")
def test_the_penn_treebank_has_its_published_size() -> None:
    parts = {"train": "train", "val": "valid", "test": "test"}
    files = {name: str(PENN / f"ptb.{part}.txt.gz") for name, part in parts.items()}
    data = TextLM(**files, level="word")
    data.setup()
    assert len(data.class_names) == 10_000
    sizes = [len(split.x) + 1 for split in data.splits.values()]
    assert sizes == [929_589, 73_760, 82_430]
    ids = itertools.chain.from_iterable(s.y.tolist() for s in data.splits.values())
    assert max(ids) < 10_000
