"""Words and characters as numbers, counted in the training text alone."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

PAD, UNKNOWN, END = "<pad>", "<unk>", "<eos>"
WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")


def tokenise(text: str) -> list[str]:
    """Lower-case words, with their inner apostrophes, and each mark of punctuation.

    "Don't panic!" -> don't, panic, !
    """
    return WORD.findall(text.lower())


def words_of_lines(text: str) -> list[str]:
    """What white space separates, as it stands, and "<eos>" for each end of a line."""
    return text.replace("\n", f" {END} ").split()


class Vocabulary:
    """Numbers for tokens: the special ones first, then the others, the frequent before the rare.

    Args:
        tokens: those of the training text.
        specials: tokens that are always there; "<unk>" is one of them.
        min_count: how often a token must occur to have a number of its own.
        max_words: how many tokens have one, beside the special ones; None for all.
    """

    def __init__(
        self,
        tokens: Iterable[str],
        *,
        specials: Sequence[str] = (UNKNOWN,),
        min_count: int = 1,
        max_words: int | None = None,
    ) -> None:
        counts = Counter(tokens)
        for token in specials:
            counts.pop(token, None)
        # Ties by the alphabet, so that the numbers depend on the text alone.
        ranked = sorted(counts, key=lambda token: (-counts[token], token))
        kept = [token for token in ranked if counts[token] >= min_count][:max_words]
        self.specials = tuple(specials)
        self._number([*specials, *kept])

    @classmethod
    def of(cls, words: Iterable[str]) -> "Vocabulary":
        """The one that has these words, in the order of their numbers; "<unk>" is one of them."""
        vocabulary = cls(())
        vocabulary._number(list(words))
        return vocabulary

    def _number(self, words: list[str]) -> None:
        self.words = words
        self.numbers = {token: number for number, token in enumerate(self.words)}
        self.unknown = self.numbers[UNKNOWN]

    def __len__(self) -> int:
        """How many numbers there are."""
        return len(self.words)

    def encode(self, tokens: Iterable[str]) -> Tensor:
        """The number of each token, in the smallest type that holds them all."""
        if isinstance(tokens, str):
            return self._encode_characters(tokens)
        numbers, unknown = self.numbers, self.unknown
        found = np.fromiter((numbers.get(token, unknown) for token in tokens), dtype=np.int64)
        return torch.from_numpy(found.astype(self._type()))

    def decode(self, numbers: Iterable[int], *, joint: str = "") -> str:
        """The text of these numbers; words want a space as their joint."""
        return joint.join(self.words[int(number)] for number in numbers)

    def _encode_characters(self, text: str) -> Tensor:
        # One look-up for the whole text: 30 times as fast as a dictionary for each character.
        codes = np.frombuffer(text.encode("utf-32-le", errors="surrogatepass"), dtype="<u4")
        table = np.full(0x110000, self.unknown, dtype=self._type())
        for token, number in self.numbers.items():
            if len(token) == 1:
                table[ord(token)] = number
        return torch.from_numpy(table[codes])

    def _type(self) -> type[np.generic]:
        size = len(self)
        return np.uint8 if size <= 2**8 else np.int16 if size <= 2**15 else np.int32
