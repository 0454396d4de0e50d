"""From what a net gives back to answers in the words and units of its data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo.preprocessing.affine import Scaling
from zoo.preprocessing.base import Inputs, Output, first
from zoo.preprocessing.fields import Fields

POINTS = ("all", "first_half")  # which outputs are the answer; the others are its log variance


class Classes(Output):
    """Classes: the likeliest, how likely it is, and those that come next.

    {"label": …, "probability": …, "top": [[label, probability], …]}

    Args:
        names: of the classes, in the order of the outputs.
    """

    kind = "classes"

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)

    def answers(
        self, output: Any, inputs: Inputs, samples: Sequence[Any], *, top_k: int = 1
    ) -> list[dict[str, Any]]:
        """A class for each sample, or the classes of its steps."""
        shares = first(output).float().softmax(-1)
        values, places = shares.topk(min(top_k, len(self.names)), dim=-1)
        if shares.ndim == 2:
            return list(map(self._answer, values.tolist(), places.tolist()))
        rows = zip(values.tolist(), places.tolist(), steps(shares, inputs), strict=True)
        return [{"steps": list(map(self._answer, vs[:n], ps[:n]))} for vs, ps, n in rows]

    def _answer(self, values: list[float], places: list[int]) -> dict[str, Any]:
        top = [[self.names[p], v] for p, v in zip(places, values, strict=True)]
        return {"label": top[0][0], "probability": top[0][1], "top": top}

    def plain(self) -> dict[str, Any]:
        """As plain containers."""
        return {"names": self.names}

    @classmethod
    def of(cls, fields: Fields) -> Classes:
        """From plain containers."""
        names = fields.strings("names")
        if not names:
            raise ValueError("`output.names` must have at least one class")
        return cls(names)


class NextToken(Classes):
    """What follows a text: the likeliest next token, how likely it is, and those that come next."""

    kind = "next_token"

    def answers(
        self, output: Any, inputs: Inputs, samples: Sequence[Any], *, top_k: int = 1
    ) -> list[dict[str, Any]]:
        """The token after the last one of each text."""
        logits = first(output)
        if logits.ndim == 3:
            last = torch.tensor(steps(logits, inputs), device=logits.device) - 1
            logits = logits[torch.arange(len(logits), device=logits.device), last]
        return super().answers(logits, inputs, samples, top_k=top_k)


class Values(Output):
    """Values in the units of the data: {"values": [...]}, and their names if they have any.

    A forecast has "names" and the shape (horizon, targets).

    Args:
        scaling: of the targets in training.
        point: "all" outputs are values; or the "first_half", where a loss fits a Gaussian.
        names: of the targets of a forecast; else empty.
    """

    kind = "values"

    def __init__(self, scaling: Scaling, *, point: str = "all", names: Sequence[str] = ()) -> None:
        self.scaling = scaling
        self.point = point
        self.names = list(names)

    def answers(
        self, output: Any, inputs: Inputs, samples: Sequence[Any], *, top_k: int = 1
    ) -> list[dict[str, Any]]:
        """Values for each sample."""
        found = first(output).float().cpu()
        if self.point == "first_half":
            found = found.chunk(2, dim=-1)[0]
        found = self.scaling.back(found.double())
        if not self.names:
            return [{"values": row} for row in found.tolist()]
        found = found.view(len(found), -1, len(self.names))
        if inputs.last is not None:
            found = found + inputs.last[:, None].to(found)
        return [{"names": self.names, "values": rows} for rows in found.tolist()]

    def plain(self) -> dict[str, Any]:
        """As plain containers."""
        return {"scaling": self.scaling.plain(), "point": self.point, "names": self.names}

    @classmethod
    def of(cls, fields: Fields) -> Values:
        """From plain containers."""
        return cls(
            Scaling.of(fields.take("scaling"), "output.scaling"),
            point=fields.choice("point", POINTS),
            names=fields.strings("names"),
        )


class Frames(Output):
    """Which of many may be on at each step: {"steps": [[probability, …], …]}."""

    kind = "frames"

    def answers(
        self, output: Any, inputs: Inputs, samples: Sequence[Any], *, top_k: int = 1
    ) -> list[dict[str, Any]]:
        """Probabilities for each step."""
        shares = first(output).float().sigmoid()
        counts = steps(shares, inputs)
        return [{"steps": part[:n].tolist()} for part, n in zip(shares, counts, strict=True)]

    def plain(self) -> dict[str, Any]:
        """As plain containers."""
        return {}

    @classmethod
    def of(cls, fields: Fields) -> Frames:
        """From plain containers."""
        return cls()


class Reconstruction(Output):
    """The input once more, in the units of the data, and how far off it is.

    {"reconstruction": array, "score": squared error of what the net reads, summed over the sample}.
    The mean of the scores of the test split is `test/squared_error`.

    Args:
        scaling: of the inputs.
        shape: of a sample in the units of the data.
    """

    kind = "reconstruction"

    def __init__(self, scaling: Scaling, shape: Sequence[int]) -> None:
        self.scaling = scaling
        self.shape = tuple(shape)

    def answers(
        self, output: Any, inputs: Inputs, samples: Sequence[Any], *, top_k: int = 1
    ) -> list[dict[str, Any]]:
        """A reconstruction and its score for each sample."""
        image, x = first(output).float().cpu(), inputs.x.float().cpu()
        scores = (image - x).square().flatten(1).sum(1).tolist()
        back = self.scaling.back(image.reshape(len(x), *self.shape)).numpy()
        return [
            {"reconstruction": np.asarray(part), "score": score}
            for part, score in zip(back, scores, strict=True)
        ]

    def plain(self) -> dict[str, Any]:
        """As plain containers."""
        return {"scaling": self.scaling.plain(), "shape": list(self.shape)}

    @classmethod
    def of(cls, fields: Fields) -> Reconstruction:
        """From plain containers."""
        scaling = Scaling.of(fields.take("scaling"), "output.scaling")
        return cls(scaling, fields.sizes("shape", [1, 2, 3], 100_000_000))


def steps(output: Tensor, inputs: Inputs) -> list[int]:
    """How many steps of each sample count."""
    if inputs.lengths is None:
        return [output.shape[1]] * len(output)
    return [int(n) for n in inputs.lengths]
