"""What `zoo-predict` does: answer, write a text, or draw samples."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zoo.checkpoint import load
from zoo.config import ConfigError
from zoo.files import whole
from zoo.models.vae import VariationalNet
from zoo.predictions import pictures
from zoo.predictions.answers import Answer, Answers
from zoo.predictions.options import Asked, check_suits
from zoo.predictions.reading import reading
from zoo.predictions.records import records
from zoo.predictions.source import Source
from zoo.predictions.writers import STDOUT, format_of, writing
from zoo.predictor import Predictor
from zoo.preprocessing import ImageInput, SeriesInput
from zoo.report import say

SHOWN = 5  # unknown tokens of a prompt
NAMED = {"file": "images", "row": "rows", "line": "lines"}
LIGHT = 0.25  # share of the way from black to white that images differ by, if they are negatives


def run(wish: Asked) -> None:
    """Do what was asked for.

    Raises:
        ConfigError: a mistake in what was asked for, or in the input; no file is half-written.
    """
    try:
        predictor = load(wish.checkpoint, with_preprocessing=True)
        predictor.net.to(device(wish.device))
        reads, gives = predictor.preprocessing.input, predictor.preprocessing.output
        traits = {"variational"} if isinstance(predictor.net, VariationalNet) else set()
        if isinstance(reads, SeriesInput) or (
            isinstance(reads, ImageInput) and gives.kind == "reconstruction"
        ):
            traits.add("draws")
        check_suits(wish, reads.kind, gives.kind, traits, wish.checkpoint)
        do = {"prompt": text, "samples": samples}.get(str(wish.task), answer)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"PIL\.")  # its errors say it better
            do(wish, predictor)
    except BrokenPipeError:
        raise
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        raise ConfigError(f"{place}{error.strerror or error}") from error
    except ValueError as error:
        raise ConfigError(" ".join(str(error).split())) from error


def device(name: str) -> torch.device:
    """The device of that name.

    Raises:
        ConfigError: it is not there.
    """
    kind = name.partition(":")[0]
    there: dict[str, Callable[[], bool]] = {
        "cuda": torch.cuda.is_available,
        "mps": torch.backends.mps.is_available,
    }
    if kind in there and not there[kind]():
        raise ConfigError(f"device={name} is not there; device=cpu is")
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"device={name} cannot be used: {str(error).splitlines()[0]}") from error
    return torch.device(name)


def text(wish: Asked, predictor: Predictor) -> None:
    """Write the prompt and what follows it."""
    prompt = str(wish.prompt)
    reads: Any = predictor.preprocessing.input
    unknown = sorted({token for token in reads.tokens(prompt)} - set(reads.vocabulary.words))
    following = predictor.write(
        prompt,
        length=300 if wish.length is None else wish.length,
        temperature=1.0 if wish.temperature is None else wish.temperature,
        top_k=wish.top_k,
        seed=wish.seed or 0,
    )
    joint = "" if prompt[-1].isspace() else reads.joint
    written = f"{prompt}{joint}{following}\n"
    if unknown:
        note(f"the model has never seen {', '.join(map(repr, unknown[:SHOWN]))} of the prompt")
    if wish.output == STDOUT:
        sys.stdout.write(written)
        sys.stdout.flush()
        return
    with whole(Path(wish.output)) as unfinished:
        unfinished.write_text(written, encoding="utf-8")
    say(f"text     {wish.output}")


def samples(wish: Asked, predictor: Predictor) -> None:
    """Draw samples as a picture, as arrays, or as both."""
    count, seed = int(wish.samples or 0), wish.seed or 0
    drawn = predictor.sample(count, seed=seed)
    if wish.plot is not None:
        pictures.of_samples(wish, predictor, drawn)
        say(f"plot     {wish.plot}")
    if wish.output != STDOUT:
        with whole(Path(wish.output)) as unfinished, unfinished.open("wb") as file:
            np.savez_compressed(file, x=drawn)
        say(f"samples  {count:,} in {wish.output}")


def answer(wish: Asked, predictor: Predictor) -> None:
    """Answer to all samples, one row after the other, and draw what there is to draw."""
    format = format_of(wish.output, wish.format)
    kept: list[Answer] = []
    with reading(wish, predictor.preprocessing.input) as source:
        answers = Answers(
            predictor,
            source.samples,
            top_k=wish.top_k or 1,
            batch_size=wish.batch_size,
            skip=None if source.total == 1 else bool(wish.skip),
        )
        with writing(wish.output, format) as writer:
            with progress(source, shown=is_watched(wish)) as advance:
                for batch in answers:
                    for sample, content in batch:
                        name = {source.key: sample.name} if source.key else {}
                        for record in records(name, content, format):
                            writer.write(record)
                    if not kept and wish.invert is None:
                        warn_of_light(predictor, batch)
                    kept += batch[: pictures.KEPT - len(kept)]
                    advance(answers.count)
            if not kept:
                raise ConfigError(nothing(wish, answers))
            if wish.plot is not None:
                pictures.of_answers(wish, predictor, kept)
    report(wish, answers)


def nothing(wish: Asked, answers: Answers) -> str:
    """Why there is no answer at all."""
    if answers.flaws:
        return f"none of {answers.count:,} samples can be read; the first: {answers.flaws[0]}"
    return f"{wish.input} has nothing to answer to"


def report(wish: Asked, answers: Answers) -> None:
    """Say what was left out, and where the rest is."""
    if answers.skipped:
        more = answers.skipped - len(answers.flaws)
        shown = "; ".join(answers.flaws) + (f", and {more:,} more" if more else "")
        note(f"left out {answers.skipped:,} of {answers.count:,}: {shown}")
    tell = note if wish.output == STDOUT else say
    if wish.output != STDOUT:
        tell(f"answers  {answers.count - answers.skipped:,} in {wish.output}")
    if wish.plot is not None:
        tell(f"plot     {wish.plot}")


def is_watched(wish: Asked) -> bool:
    """Whether a person sees the error output, and the answers are not written over it."""
    return sys.stderr.isatty() and (wish.output != STDOUT or not sys.stdout.isatty())


@contextmanager
def progress(source: Source, *, shown: bool) -> Iterator[Callable[[int], None]]:
    """A bar, and what moves it: called with the number of samples that are done."""
    if not shown:
        yield lambda count: None
        return
    from tqdm import tqdm

    counted, things = source.read is None, NAMED.get(source.key, "samples")
    unit = {"unit": f" {things}"} if counted else {"unit": "B", "unit_scale": True}
    with tqdm(total=source.total, dynamic_ncols=True, mininterval=0.2, **unit) as bar:

        def advance(count: int) -> None:
            bar.update((count if source.read is None else source.read()) - bar.n)
            if not counted:
                bar.set_postfix_str(f"{count:,} {things}", refresh=False)

        yield advance


def warn_of_light(predictor: Predictor, batch: Sequence[Answer]) -> None:
    """Say so where images look like negatives of those of training, which makes answers wrong."""
    reads = predictor.preprocessing.input
    if not batch or not isinstance(reads, ImageInput) or not float(reads.scaling.shift.mean()):
        return  # only a scaling to mean 0 knows how bright training was
    usual = float(reads.scaling.shift.mean()) / reads.limit
    images = [reads.stored(sample.raw) for sample, _ in batch[: pictures.KEPT]]
    found = float(np.mean(images)) / reads.limit
    if abs(found - usual) > LIGHT > abs(1 - found - usual):
        there, asked = ("lighter", "dark on light") if found > usual else ("darker", "negatives")
        note(
            f"these images are much {there} than those of training (mean {found:.2f} of white, "
            f"there {usual:.2f}); if they are {asked}, say invert=true"
        )


def note(text: str) -> None:
    """Say something beside the answers."""
    print(text, file=sys.stderr, flush=True)
