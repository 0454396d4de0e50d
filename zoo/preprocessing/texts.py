"""Texts as numbers of tokens."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch

from zoo.preprocessing.base import Input, Inputs, check_some, position
from zoo.preprocessing.fields import Fields
from zoo.preprocessing.vocabulary import PAD, UNKNOWN, Vocabulary, tokenise, words_of_lines

LEVELS = ("char", "word")


class TokenInput(Input):
    """A text, as the numbers of its tokens in a vocabulary."""

    vocabulary: Vocabulary

    def samples(self, raw: Any) -> tuple[list[Any], bool]:
        """One text or several."""
        if isinstance(raw, str):
            return [raw], True
        if isinstance(raw, (list, tuple)):
            return list(raw), False
        raise ValueError(f"the input must be a text or a list of them, got {type(raw).__name__}")

    @abstractmethod
    def tokens(self, text: str) -> Sequence[str]:
        """The tokens that count."""

    def batch(self, samples: Sequence[Any]) -> Inputs:
        """Numbers, padded to the longest of these texts."""
        check_some(samples)
        rows = []
        for index, sample in enumerate(samples):
            where = position(index, len(samples))
            if not isinstance(sample, str):
                raise ValueError(f"{where} must be a text, got {type(sample).__name__}")
            rows.append(self.vocabulary.encode(self.tokens(sample)).long())
            if not len(rows[-1]):
                raise ValueError(f"{where} is empty")
        lengths = torch.tensor([len(row) for row in rows])
        x = torch.full((len(rows), int(lengths.max())), self.vocabulary.numbers.get(PAD, 0))
        for row, numbers in zip(x, rows, strict=True):
            row[: len(numbers)] = numbers
        return Inputs(x, lengths)


class TextInput(TokenInput):
    """Words and marks of punctuation, in lower case; a text without any is one unknown word.

    Args:
        words: of the vocabulary, in the order of their numbers.
        max_length: of a text; what follows is cut off.
    """

    kind = "text"

    def __init__(self, words: Sequence[str], *, max_length: int) -> None:
        self.vocabulary = Vocabulary.of(words)
        self.max_length = max_length

    def tokens(self, text: str) -> Sequence[str]:
        """The first words."""
        return tokenise(text)[: self.max_length] or [UNKNOWN]

    def plain(self) -> dict[str, Any]:
        """As plain containers."""
        return {"words": self.vocabulary.words, "max_length": self.max_length}

    @classmethod
    def of(cls, fields: Fields) -> TextInput:
        """From plain containers."""
        return cls(known(fields, PAD), max_length=fields.whole("max_length", 1, 1_000_000))


class LanguageInput(TokenInput):
    """What a language model reads on from: characters, or words between white space.

    Args:
        words: of the vocabulary, in the order of their numbers.
        level: "char" or "word".
    """

    kind = "language"

    def __init__(self, words: Sequence[str], *, level: str) -> None:
        self.vocabulary = Vocabulary.of(words)
        self.level = level

    def tokens(self, text: str) -> Sequence[str]:
        """All characters, or words."""
        return text if self.level == "char" else words_of_lines(text)

    @property
    def joint(self) -> str:
        """What stands between two tokens."""
        return "" if self.level == "char" else " "

    def plain(self) -> dict[str, Any]:
        """As plain containers."""
        return {"words": self.vocabulary.words, "level": self.level}

    @classmethod
    def of(cls, fields: Fields) -> LanguageInput:
        """From plain containers."""
        return cls(known(fields), level=fields.choice("level", LEVELS))


def known(fields: Fields, *needed: str) -> list[str]:
    """The words of a vocabulary.

    Raises:
        ValueError: a token is not among them that must be.
    """
    words = fields.strings("words")
    for token in (UNKNOWN, *needed):
        if token not in words:
            raise ValueError(f"`input.words` must hold {token}")
    return words
