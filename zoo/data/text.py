"""Labelled texts: the class of a sentence or document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from zoo.data.checks import at_least, one_of
from zoo.data.loader import Split
from zoo.data.paths import located
from zoo.data.splits import stratified
from zoo.data.text_file import FORMATS, Labelled, check_encoding, read_labelled
from zoo.data.tokens import TokenData
from zoo.preprocessing import Input, TextInput
from zoo.preprocessing.vocabulary import PAD, UNKNOWN, Vocabulary, tokenise


class Text(TokenData):
    """Classes of texts in a table: csv, tsv, or lines of `label sentence` as of the SST.

    Texts are lower-cased and cut into words and marks of punctuation, see
    `zoo.preprocessing.vocabulary.tokenise`. The vocabulary is of the training texts alone: "<pad>"
    is 0, "<unk>" 1. Shorter texts are padded at their end; `lengths` says where.

    Args:
        root: where relative paths start; None is the current folder.
        path: the table, gzipped or not.
        test_path: the test's table of the same layout; None takes 20 % of `path`.
        val_path: the validation's; None takes 10 % of `path`, each class its share.
        text: name of the column of texts.
        label: name of the column of labels.
        format: "csv", "tsv" or "sst"; "auto" goes by the name, see
            `zoo.data.text_file.read_labelled`.
        encoding: of the files.
        min_count: how often a word must occur in the training texts not to be "<unk>".
        max_words: how many words are kept, the most frequent ones; None for all.
        max_length: words of a text that are read; what follows is left out.

    The other arguments are those of `DataModule`.

    Shapes:
        x (B, T) int64, y (B,) int64, lengths (B,) int64

    Attributes:
        shortened: after `setup`, how many texts had more than `max_length` words.
    """

    name = "text"
    # A word that training has twice stays what it began as: loud weights would be noise. Validation
    # of SST-2, two seeds: 79.6 and 80.3 % with 0.1, 76.8 and 75.5 % with 1.
    embedding_std = 0.1
    shortened = 0
    longest = 0

    def __init__(
        self,
        *,
        root: str | None = None,
        path: str | None = None,
        test_path: str | None = None,
        val_path: str | None = None,
        text: str = "text",
        label: str = "label",
        format: str = "auto",
        encoding: str = "utf-8",
        min_count: int = 2,
        max_words: int | None = None,
        max_length: int = 400,
        batch_size: int = 64,
        view: str = "tokens",
        scaling: str = "none",
        **settings: Any,
    ) -> None:
        super().__init__(batch_size=batch_size, view=view, scaling=scaling, **settings)
        at_least(1, min_count=min_count, max_length=max_length)
        at_least(1, max_words=1 if max_words is None else max_words)
        one_of(self.name, FORMATS, format=format)
        check_encoding(encoding)
        if text == label:
            raise ValueError(f"`text` and `label` must be two columns, got {text!r} twice")
        paths = {"train": path, "val": val_path, "test": test_path}
        self.paths = {name: located(root, path) for name, path in paths.items()}
        self.columns = {"text": text, "label": label, "layout": format, "encoding": encoding}
        self.min_count = min_count
        self.max_words = max_words
        self.max_length = max_length

    @property
    def embedding(self) -> int:
        """128: labelled texts are too few to teach a wider one."""
        return 128

    @property
    def steps(self) -> int:
        """The words of the longest text."""
        return self.longest

    def read(self) -> dict[str, Split]:
        """Reads the tables, splits, numbers labels and words."""
        tables = self._tables()
        train = tables["train"]
        names = sorted(set(train.labels), key=_by_number)
        if len(names) < 2:
            raise ValueError(
                f"{self.paths['train']} must have two labels or more to tell apart, it has only "
                f"{names[0]!r}"
            )
        self.class_names = names
        tokens = {name: [tokenise(text) for text in table.texts] for name, table in tables.items()}
        self.vocabulary = Vocabulary(
            (word for text in tokens["train"] for word in text),
            specials=(PAD, UNKNOWN),
            min_count=self.min_count,
            max_words=self.max_words,
        )
        every = [len(text) for texts in tokens.values() for text in texts]
        self.shortened = sum(length > self.max_length for length in every)
        self.longest = max(1, min(max(every), self.max_length))
        return {
            name: self._split(tokens[name], self._numbered(name, tables[name])) for name in tables
        }

    def _tables(self) -> dict[str, Labelled]:
        """The texts of each split, those that are not given carved from the training file."""
        path, val_path, test_path = self.paths.values()
        if path is None:
            also = val_path or test_path
            raise ValueError(
                (f"`path`, the training file, must be named beside {also}: " if also else "")
                + "name a table of texts, such as data.path=reviews.csv data.text=review "
                "data.label=stars, or a file of lines `label sentence`"
            )
        given = {
            name: read_labelled(file, **self.columns) for name, file in self.paths.items() if file
        }
        whole = given["train"]
        _, labels = torch.unique(_ids(whole.labels), return_inverse=True)
        shares = {"val": 0.0 if val_path else 0.1, "test": 0.0 if test_path else 0.2}
        parts = stratified(labels, **shares, seed=self.split_seed)._asdict()
        tables = {name: given.get(name) or _take(whole, parts[name]) for name in parts}
        tables["train"] = _take(whole, parts["train"])
        for name, table in tables.items():
            if not table.texts:
                raise ValueError(
                    f"{path} has {len(whole.texts)} texts, too few to take some for {name}; name "
                    f"data.{name}_path"
                )
        return tables

    def _numbered(self, name: str, table: Labelled) -> Tensor:
        """The class of each text."""
        assert self.class_names is not None
        numbers = {label: number for number, label in enumerate(self.class_names)}
        for label in table.labels:
            if label not in numbers:
                shown = ", ".join(self.class_names[:20])
                raise ValueError(
                    f"{self.paths[name]} has the label {label!r}, which the training file has not; "
                    f"that has {shown}"
                )
        return torch.tensor([numbers[label] for label in table.labels])

    def _split(self, texts: Sequence[Sequence[str]], y: Tensor) -> Split:
        """Numbers, padded; a text without any word is one unknown word."""
        kept = [text[: self.max_length] or [UNKNOWN] for text in texts]
        lengths = torch.tensor([len(text) for text in kept])
        numbers = self.vocabulary.encode([word for text in kept for word in text])
        x = torch.full((len(kept), self.longest), self.vocabulary.numbers[PAD], dtype=numbers.dtype)
        # A mask is filled row by row, just as the texts follow each other.
        x[torch.arange(self.longest) < lengths[:, None]] = numbers
        return Split(x, y, lengths=lengths)

    def way_in(self) -> Input:
        """Texts by their words."""
        return TextInput(self.vocabulary.words, max_length=self.max_length)

    def describe(self) -> str:
        """The data set in one line, for a person."""
        line = f"{super().describe()}, {len(self.vocabulary):,} words"
        if self.shortened:
            line += f"; {self.shortened:,} texts cut after {self.max_length} words"
        return line


def _by_number(label: str) -> tuple[bool, Any, str]:
    """Sorts 10 after 9 where labels are whole numbers."""
    digits = label.removeprefix("-")
    number = digits.isdecimal() and digits.isascii() and len(digits) < 20
    return (not number, int(label) if number else 0, label)


def _ids(labels: Sequence[str]) -> Tensor:
    order = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    return torch.tensor([order[label] for label in labels])


def _take(table: Labelled, indices: Tensor) -> Labelled:
    chosen = indices.tolist()
    return Labelled([table.texts[i] for i in chosen], [table.labels[i] for i in chosen])
