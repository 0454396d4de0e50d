"""Answers to many samples: batch by batch, past those that cannot be read if that is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from zoo.predictions.source import Sample
from zoo.predictor import Predictor, batched

SHOWN = 5  # flaws that are kept


class Answer(NamedTuple):
    """What was said to a sample."""

    sample: Sample
    content: dict[str, Any]


class Answers:
    """Goes through samples once.

    Args:
        predictor: that answers.
        samples: to which.
        top_k: classes to name.
        batch_size: samples that are held at a time.
        skip: go on after a sample that cannot be read; None stops without saying that one could.

    Attributes:
        count: how many samples it has been through.
        skipped: how many of them it could not read.
        flaws: what was wrong with the first of those, and where.
    """

    def __init__(
        self,
        predictor: Predictor,
        samples: Iterable[Sample],
        *,
        top_k: int = 1,
        batch_size: int = 256,
        skip: bool | None = None,
    ) -> None:
        self.predictor = predictor
        self.samples = samples
        self.top_k = top_k
        self.batch_size = batch_size
        self.skip = skip
        self.count = 0
        self.skipped = 0
        self.flaws: list[str] = []

    def __iter__(self) -> Iterator[list[Answer]]:
        """The answers of one batch after the other.

        Raises:
            ValueError: a sample cannot be read, and it is not to go on.
        """
        for batch in batched(self.samples, self.batch_size):
            sound = [sample for sample in batch if not sample.flaw or self._note(sample)]
            try:
                contents = self._of(sound)
            except ValueError as error:
                # Only now it is worth looking at each of them.
                sound = [sample for sample in sound if self._is_read(sample)]
                if not self.skip:
                    raise error
                contents = self._of(sound)
            self.count += len(batch)
            yield [Answer(*pair) for pair in zip(sound, contents, strict=True)]

    def _of(self, samples: list[Sample]) -> list[dict[str, Any]]:
        raw = [sample.raw for sample in samples]
        return self.predictor.answers(raw, top_k=self.top_k) if raw else []

    def _is_read(self, sample: Sample) -> bool:
        """Whether the preprocessing takes it."""
        try:
            self.predictor.preprocessing.input.batch([sample.raw])
        except ValueError as error:
            # The preprocessing cannot know where it stands.
            return self._note(sample._replace(flaw=str(error).removeprefix("the sample")))
        return True

    def _note(self, sample: Sample) -> bool:
        """False, as it is to be left out, unless that is an end.

        Raises:
            ValueError: it is.
        """
        flaw = f"{sample.place}{sample.flaw}"
        if not self.skip:
            advice = "" if self.skip is None else "; skip=true goes on without it"
            raise ValueError(f"{flaw}{advice}")
        self.skipped += 1
        if len(self.flaws) < SHOWN:
            self.flaws.append(flaw)
        return False
