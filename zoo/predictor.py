"""From raw input to answers, with a trained net and the preprocessing of its training."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from zoo.models.recurrent import Recurrence, RecurrentNet
from zoo.models.sampling import generate
from zoo.models.vae import VariationalNet
from zoo.preprocessing import LanguageInput, Preprocessing, Reconstruction
from zoo.preprocessing.vocabulary import END

Item = TypeVar("Item")
BATCH_SIZE = 256


class Predictor:
    """A net that answers to raw input: images, texts, rows of a table, series, arrays.

    What a sample and an answer look like, see `zoo.preprocessing`.

    Args:
        net: as it was trained.
        preprocessing: from raw input to what the net reads, and from its output to answers.
    """

    def __init__(self, net: nn.Module, preprocessing: Preprocessing) -> None:
        self.net = net
        self.preprocessing = preprocessing

    def __call__(
        self, raw: Any, *, top_k: int = 1, batch_size: int = BATCH_SIZE
    ) -> dict[str, Any] | list[dict[str, Any]]:
        """Answer to one sample with one answer, to several with a list of them.

        Args:
            raw: one sample, or several.
            top_k: classes to name, where the answer is a class.
            batch_size: samples that the net reads at a time.

        Raises:
            ValueError: a sample is not of the kind that the net was trained on, or a number is out
                of range.
        """
        samples, single = self.preprocessing.input.samples(raw)
        answers = list(self.stream(samples, top_k=top_k, batch_size=batch_size))
        return answers[0] if single else answers

    def stream(
        self, samples: Iterable[Any], *, top_k: int = 1, batch_size: int = BATCH_SIZE
    ) -> Iterator[dict[str, Any]]:
        """Answer to one sample after the other, holding no more than a batch of them.

        Args:
            samples: any number of them, read as the answers are asked for.
            top_k: as in a call.
            batch_size: as in a call.

        Raises:
            ValueError: as in a call, once it is that sample's turn.
        """
        at_least_one(top_k=top_k, batch_size=batch_size)
        start = 0
        for batch in batched(samples, batch_size):
            try:
                found = self.answers(batch, top_k=top_k)
            except ValueError as error:
                raise ValueError(counted_from(start, str(error))) from error
            yield from found
            start += len(batch)

    def answers(self, samples: Sequence[Any], *, top_k: int = 1) -> list[dict[str, Any]]:
        """Answer to all samples in one batch.

        Raises:
            ValueError: as in a call.
        """
        inputs = self.preprocessing.input.batch(samples)
        output = predict(self.net, inputs.x, lengths=inputs.lengths, batch_size=len(samples))
        return self.preprocessing.output.answers(output, inputs, samples, top_k=top_k)

    def write(
        self,
        prompt: str,
        *,
        length: int = 300,
        temperature: float = 1.0,
        top_k: int | None = None,
        seed: int = 0,
    ) -> str:
        """Go on from the beginning of a text; for a language model.

        Args:
            prompt: the beginning, which is not given back.
            length: characters or words to write.
            temperature: as in `zoo.models.generate`, as `top_k` is.
            top_k: of the likeliest tokens to draw from; None draws from all.
            seed: the same one writes the same text.

        Raises:
            ValueError: the net is no language model, the prompt has no token, or a number is out
                of range.
        """
        reads = self.preprocessing.input
        if not isinstance(self.net, RecurrentNet) or not isinstance(reads, LanguageInput):
            raise ValueError(f"a language model writes; this one reads input of kind {reads.kind}")
        if not reads.tokens(prompt):
            token = "character" if reads.level == "char" else "word"
            raise ValueError(f"`prompt` must have at least one {token} to go on from")
        x = reads.batch([prompt]).x
        device = next(self.net.parameters()).device
        drawn = generate(
            self.net,
            x.to(device),
            length,
            temperature=temperature,
            top_k=top_k,
            generator=torch.Generator(device).manual_seed(seed),
        )
        text = reads.vocabulary.decode(drawn[0].tolist(), joint=reads.joint)
        return re.sub(f" ?{END} ?", "\n", text)

    def sample(self, count: int, *, seed: int = 0) -> np.ndarray[Any, Any]:
        """Draw samples (count, …) in the units of the data; for a variational autoencoder.

        Args:
            count: how many.
            seed: the same one draws the same samples.

        Raises:
            ValueError: the net is no variational autoencoder, or `count` is below 1.
        """
        gives = self.preprocessing.output
        if not isinstance(self.net, VariationalNet) or not isinstance(gives, Reconstruction):
            name = type(self.net).__name__
            raise ValueError(f"a variational autoencoder has samples to draw, {name} has none")
        device = next(self.net.parameters()).device
        with evaluating(self.net):
            drawn = self.net.sample(count, generator=torch.Generator(device).manual_seed(seed))
        return gives.back(drawn.cpu()).numpy()


def predict(
    model: nn.Module | Predictor,
    x: Any,
    *,
    lengths: Tensor | None = None,
    batch_size: int = BATCH_SIZE,
    top_k: int | None = None,
) -> Any:
    """Run a net over any number of samples: in batches, in eval mode, without gradients.

    The net stays where it is, and as it is: its mode, and that of each of its parts, is the same
    afterwards.

    Args:
        model: a net, or what `zoo.load(path, with_preprocessing=True)` gave back.
        x: what it reads, as a tensor or an array (B, ...); for a `Predictor` raw input, as many
            samples as there are.
        lengths: (B,) steps of each sample, for a recurrent net that reads padded sequences.
        batch_size: samples that the net reads at a time.
        top_k: classes to name; for a `Predictor` alone.

    Returns:
        What the net gives back for all samples, where x is: a tensor, or the named tuple of its
        family. Of a `Predictor` an answer, or a list of answers.

    Raises:
        ValueError: x is empty or is not what the model reads, or a number is out of range.
    """
    if isinstance(model, Predictor):
        if lengths is not None:
            raise ValueError("`lengths` is for a net alone: a Predictor finds them in its input")
        return model(x, top_k=1 if top_k is None else top_k, batch_size=batch_size)
    if top_k is not None:
        raise ValueError(
            "`top_k` needs a Predictor, which knows the classes: "
            "zoo.load(path, with_preprocessing=True)"
        )
    at_least_one(batch_size=batch_size)
    x = torch.as_tensor(x)
    if x.ndim == 0 or len(x) == 0:
        raise ValueError(f"`x` must have at least one sample, got the shape {tuple(x.shape)}")
    weight = next(model.parameters(), x)
    parts = []
    with evaluating(model):
        for start in range(0, len(x), batch_size):
            part = x[start : start + batch_size].to(weight.device)
            if part.is_floating_point():
                part = part.to(weight.dtype)  # numpy's numbers have twice the bits
            steps = {} if lengths is None else {"lengths": lengths[start : start + batch_size]}
            parts.append(moved(model(part, **steps), x.device))
    return joined(parts)


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Eval mode and no gradients; afterwards each part of the net has the mode that it had."""
    modes = {module: module.training for module in net.modules()}
    net.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes.items():
            module.training = training


def moved(output: Any, device: torch.device) -> Any:
    """A tensor, or tuples of tensors, on that device."""
    if isinstance(output, tuple):
        return rebuilt(output, [moved(part, device) for part in output])
    return output.to(device)


def joined(parts: Sequence[Any], dim: int = 0) -> Any:
    """Outputs of batches as that of one batch."""
    first = parts[0]
    if len(parts) == 1:
        return first
    if isinstance(first, Tensor):
        return torch.cat(list(parts), dim)
    # The state of a recurrent net has its layers before its samples.
    dims = [1 if isinstance(first, Recurrence) and i == 1 else dim for i in range(len(first))]
    fields = zip(*parts, strict=True)
    return rebuilt(first, [joined(part, d) for part, d in zip(fields, dims, strict=True)])


def rebuilt(like: tuple[Any, ...], values: list[Any]) -> Any:
    """A tuple of these values, with the names that the other one has."""
    make = getattr(like, "_make", tuple)
    return make(values)


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in lists of that size; the last one may be shorter."""
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch


def counted_from(start: int, message: str) -> str:
    """A message about a sample of a batch, with the number that it has among all."""
    named = re.match(r"the sample|sample (\d+) of \d+", message)
    if named is None or (start == 0 and named[1] is None):
        return message
    return f"sample {start + int(named[1] or 1):,}{message[named.end() :]}"


def at_least_one(**numbers: int) -> None:
    """Raises ValueError for a number below 1."""
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"`{name}` must be at least 1, got {number}")
