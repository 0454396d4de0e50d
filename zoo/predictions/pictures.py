"""Which figure is drawn of what was answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.predictions import drawing
from zoo.predictions.answers import Answer
from zoo.predictions.options import Asked
from zoo.predictor import Predictor
from zoo.preprocessing import ImageInput, SeriesInput

KEPT = drawing.PAIRS  # answers that are needed


def of_answers(wish: Asked, predictor: Predictor, answers: Sequence[Answer]) -> None:
    """The forecast of the first series, or the first inputs above their reconstructions.

    Raises:
        OSError: the file cannot be written.
    """
    reads = predictor.preprocessing.input
    if isinstance(reads, SeriesInput):
        figure = of_forecast(wish, reads, answers[0])
    else:
        assert isinstance(reads, ImageInput)
        pairs = [
            drawing.Pair(reads.stored(sample.raw), content["reconstruction"], content["score"])
            for sample, content in answers
        ]
        title = f"reconstructions by {wish.checkpoint}"
        figure = drawing.reconstructions(pairs, reads.limit, title=title)
    drawing.save(figure, Path(str(wish.plot)))


def of_forecast(wish: Asked, reads: SeriesInput, answer: Answer) -> Any:
    """The window that was seen of each column, and its forecast."""
    (sample, content), raw = answer, answer.sample.raw
    if isinstance(raw, Mapping):
        columns, last = raw, int(sample.name)
    else:
        array = np.asarray(raw).reshape(-1, len(reads.columns))
        columns, last = dict(zip(reads.columns, array.T, strict=True)), len(array)
    ahead = zip(*content["values"], strict=True)
    courses = {
        name: drawing.Course(list(columns[name])[-reads.window :], list(values))
        for name, values in zip(content["names"], ahead, strict=True)
    }
    rows = len(content["values"])
    about = f"the next {rows} rows of {Path(sample.place).name}, by {wish.checkpoint}"
    return drawing.forecast(courses, last=last, title="forecast", about=about)


def of_samples(wish: Asked, predictor: Predictor, drawn: np.ndarray[Any, Any]) -> None:
    """Draws of the prior, decoded.

    Raises:
        OSError: the file cannot be written.
    """
    reads = predictor.preprocessing.input
    assert isinstance(reads, ImageInput)
    shown, count = list(drawn[: drawing.SAMPLES]), len(drawn)
    some = f"the first {len(shown):,} of {count:,} samples" if len(shown) < count else "samples"
    figure = drawing.samples(
        shown,
        reads.limit,
        title=f"{some} by {wish.checkpoint}",
        about=f"decoded from N(0, 1), seed {wish.seed or 0}",
    )
    drawing.save(figure, Path(str(wish.plot)))
