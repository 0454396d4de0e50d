"""Language models: the next character or word of a text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from zoo.data.checks import at_least, one_of
from zoo.data.loader import Split
from zoo.data.paths import located
from zoo.data.streams import StreamLoader
from zoo.data.text_file import check_encoding, read_text
from zoo.data.tokens import TEXT, TokenData
from zoo.preprocessing import Input, LanguageInput, NextToken, Output
from zoo.preprocessing.vocabulary import END, UNKNOWN, Vocabulary, words_of_lines

LEVELS = ("char", "word")
CUTS = (0.90, 0.95)  # where validation and test begin, as shares of one text


class TextLM(TokenData):
    """Predict each next character or word of a text from all before it.

    The training text is cut into `batch_size` streams that are read side by side, `length` tokens a
    batch, by a net that carries its state along: truncated backpropagation through time (Williams &
    Peng 1990; Mikolov 2010). See `zoo.data.streams.StreamLoader` for what is left out: fewer tokens
    than there are streams.

    A word is what white space separates, and the end of a line is a word, "<eos>": the layout of
    the Penn Treebank (Mikolov 2010). What the training text does not have is "<unk>".

    Args:
        root: where relative paths start; None is the current folder.
        path: a text file, gzipped or not, cut in its order into 90 % train, 5 % validation and 5 %
            test. None, without `train`, is the reference of the Python language that every Python
            brings along.
        train: instead of `path`, the training text; with `val` and `test`.
        val: the validation text.
        test: the test text.
        level: of the tokens, "char" or "word".
        length: tokens of a batch in each stream, over which the gradient goes back.
        min_count: how often a token must occur in the training text not to be "<unk>".
        max_words: how many tokens are kept, the most frequent ones; None for all.
        encoding: of the files.
        batch_size: streams of the training text on one device.
        eval_batch_size: streams of validation and test. Each starts without a past, so few are
            exact, and one leaves out no token; many are fast. Short texts have fewer.
        shuffle: cut the training text elsewhere in each epoch, see `StreamLoader`.

    The other arguments are those of `DataModule`.

    `drop_last` leaves out the shorter batch at the end of an epoch.

    Shapes:
        x, y (batch_size, length) int64; y is one token on
    """

    name = "text_lm"
    readout = "every"
    predicts_next = True
    carry_state = True
    kind = TEXT._replace(medium="stream")  # which no augmentation reads

    def __init__(
        self,
        *,
        root: str | None = None,
        path: str | None = None,
        train: str | None = None,
        val: str | None = None,
        test: str | None = None,
        level: str = "char",
        length: int = 64,
        min_count: int = 1,
        max_words: int | None = None,
        encoding: str = "utf-8",
        batch_size: int = 32,
        eval_batch_size: int = 8,
        view: str = "tokens",
        scaling: str = "none",
        shuffle: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(
            batch_size=batch_size,
            eval_batch_size=eval_batch_size,
            view=view,
            scaling=scaling,
            shuffle=shuffle,
            **settings,
        )
        if self.train_samples is not None:
            raise ValueError(
                f"`train_samples` of {self.name} must be null: a text has no samples of its own; "
                "shorten the training with trainer.limit_train_batches"
            )
        if not self.in_memory:
            raise ValueError("`in_memory` of text_lm must be true: streams are cut in memory")
        at_least(1, length=length, min_count=min_count)
        at_least(1, max_words=1 if max_words is None else max_words)
        one_of(self.name, LEVELS, level=level)
        check_encoding(encoding)
        files = {"train": train, "val": val, "test": test}
        check_sources(path, files)
        self.path = located(root, path)
        places = {name: located(root, file) for name, file in files.items()}
        self.files = {name: place for name, place in places.items() if place}
        self.level = level
        self.length = length
        self.min_count = min_count
        self.max_words = max_words
        self.encoding = encoding

    @property
    def embedding(self) -> int:
        """64 for characters, 128 for words, 256 for many words."""
        if self.level == "char":
            return 64
        return 128 if len(self.vocabulary) < 5_000 else 256

    @property
    def steps(self) -> int:
        """The tokens of a batch in each stream."""
        return self.length

    def read(self) -> dict[str, Split]:
        """Reads the text or texts, numbers the tokens, and shifts the targets by one."""
        texts = self._texts()
        self.vocabulary = Vocabulary(
            texts["train"],
            specials=(UNKNOWN,) if self.level == "char" else (UNKNOWN, END),
            min_count=self.min_count,
            max_words=self.max_words,
        )
        if len(self.vocabulary) == len(self.vocabulary.specials):
            raise ValueError(
                f"no token of the training text occurs `min_count`={self.min_count} times; "
                "use a smaller data.min_count"
            )
        self.class_names = self.vocabulary.words
        self.width = sum(map(len, texts["train"])) / len(texts["train"])
        return {name: _shifted(self.vocabulary.encode(text)) for name, text in texts.items()}

    def _texts(self) -> dict[str, Any]:
        """The tokens of each split: a string of characters, or a list of words."""
        if self.files:
            whole = {name: read_text(file, self.encoding) for name, file in self.files.items()}
            texts = {name: self._tokens(text) for name, text in whole.items()}
            sources = {name: str(file) for name, file in self.files.items()}
        else:
            text = read_text(self.path, self.encoding) if self.path else python_reference()
            tokens = self._tokens(text)
            first, second = (round(share * len(tokens)) for share in CUTS)
            texts = {"train": tokens[:first], "val": tokens[first:second], "test": tokens[second:]}
            source = self.path or "Python's reference"
            sources = {name: f"the {name} part of {source}" for name in texts}
        needed = {"train": self.batch_size * self.length + 1, "val": 2, "test": 2}
        for name, least in needed.items():
            if len(texts[name]) < least:
                raise ValueError(
                    f"{sources[name]} has {len(texts[name])} tokens and needs {least}: one more "
                    f"than batch_size * length for training, 2 for validation and test; use a "
                    "longer text, or a smaller data.batch_size or data.length"
                )
        return texts

    def _tokens(self, text: str) -> str | list[str]:
        return text if self.level == "char" else words_of_lines(text)

    def way_in(self) -> Input:
        """What is read on from."""
        return LanguageInput(self.vocabulary.words, level=self.level)

    def way_out(self, point: str) -> Output:
        """The token that follows."""
        return NextToken(self.vocabulary.words)

    def measure(self) -> dict[str, Any]:
        """The facts, and the mean number of characters of a token, with what separates words."""
        separator = 0 if self.level == "char" else 1
        return super().measure() | {"characters": self.width + separator}

    def baselines(self) -> dict[str, float]:
        """Without any context: the frequencies of the training text, one added to each count."""
        self.setup()
        train, test = self.splits["train"].y.long(), self.splits["test"].y.long()
        counts = torch.bincount(train, minlength=len(self.vocabulary)).double() + 1
        nats = float(-(counts / counts.sum()).log()[test].mean())
        return {
            "loss": nats,
            "perplexity": math.exp(nats),
            "bits_per_character": nats / math.log(2) / self.facts["characters"],
            "accuracy": float((test == counts.argmax()).double().mean()),
        }

    def describe(self) -> str:
        """The data set in one line, for a person."""
        self.setup()
        words = {"train": "train", "val": "validation", "test": "test"}
        counts = ", ".join(f"{len(self.splits[name].x) + 1:,} {w}" for name, w in words.items())
        unit = {"char": "characters", "word": "words"}[self.level]
        return f"{self.name}: {counts}; {unit}, {len(self.vocabulary):,} different"

    def loader(
        self, name: str, *, shuffle: bool = False, drop_last: bool = False, augment: bool = False
    ) -> StreamLoader:
        """The split "train", "val" or "test" as streams, which nothing augments."""
        self.setup()
        text = self.splits[name]
        ranks = self.trainer.world_size if self.trainer else 1
        streams = self.batch_size
        if name != "train":
            # Of a short text, streams of fewer tokens than a batch would be all beginnings.
            streams = max(1, min(self.eval_batch_size or 1, len(text.x) // self.length) // ranks)
        return StreamLoader(
            torch.cat([text.x[:1], text.y]),
            streams,
            self.length,
            shuffle=shuffle,
            drop_last=drop_last,
            seed=self.seed,
            rank=self.trainer.global_rank if self.trainer else 0,
            world_size=ranks,
        )


def check_sources(path: str | None, files: Mapping[str, str | None]) -> None:
    """Raises ValueError unless there is one text for all splits, one for each, or none at all."""
    given = [name for name, file in files.items() if file]
    if path and given:
        raise ValueError(
            f"`path` is one text for all splits, got {path!r} and `{given[0]}` too; give path, or "
            "train, val and test"
        )
    if given and len(given) < len(files):
        lacking = next(name for name in files if name not in given)
        raise ValueError(f"`{lacking}` must be named where `{given[0]}` is: give all three")


def _shifted(numbers: Tensor) -> Split:
    return Split(numbers[:-1], numbers[1:])


def python_reference() -> str:
    """The reference of the Python language behind `help("topics")`, about 370,000 characters.

    Topics quote each other, so that a paragraph is kept only where it comes first: what the test
    asks for is not among what was read in training.

    Raises:
        OSError: if this Python was installed without it.
    """
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise FileNotFoundError(
            "this Python lacks its reference, pydoc_data; name a text with data.path=<file>"
        ) from error
    paragraphs = (part for name in sorted(topics) for part in str(topics[name]).split("\n\n"))
    return "\n\n".join(dict.fromkeys(part.rstrip() for part in paragraphs if part.strip()))
