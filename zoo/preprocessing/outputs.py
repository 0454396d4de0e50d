"""From what a net gives back to answers in the words and units of its data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo.preprocessing.affine import Scaling
from zoo.preprocessing.base import LARGEST, Inputs, Output, first
from zoo.preprocessing.fields import Fields
from zoo.preprocessing.images import fitting
from zoo.preprocessing.views import IMAGE, SEQUENCE, TABLE, put_back

VIEWS = {3: IMAGE, 2: SEQUENCE, 1: TABLE}  # by the axes of a sample
# What a loss makes of a net's outputs: they are the answer; its first half, the other one being a
# log variance; or its log odds.
POINTS = ("all", "first_half", "logits")


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
        if shares.shape[-1] != len(self.names):
            raise ValueError(
                f"the net gives {shares.shape[-1]:,} outputs, its preprocessing names "
                f"{len(self.names):,} classes"
            )
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
        point: "all" outputs are values; or the "first_half", where a loss fits a Gaussian; or they
            are "logits" of values from 0 to 1.
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
        found = pointed(first(output).float().cpu(), self.point)
        sizes = {part.shape[-1] for part in self.scaling if part.ndim}
        if sizes - {1, found.shape[-1]} or (self.names and found.shape[-1] % len(self.names)):
            raise ValueError(
                f"the net gives {found.shape[-1]:,} values, which its preprocessing does not fit"
            )
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
        scaling = Scaling.of(fields.take("scaling"), "output.scaling")
        if any(part.ndim > 1 for part in scaling):
            raise ValueError("`output.scaling` must have one number for each value")
        return cls(
            scaling,
            point=fields.choice("point", POINTS),
            names=fields.strings("names"),
        )


class Frames(Output):
    """Which of many may be on at each step: {"steps": [[probability, …], …]}.

    Args:
        point: the net gives "logits", or "all" outputs are probabilities.
    """

    kind = "frames"

    def __init__(self, *, point: str = "logits") -> None:
        self.point = point

    def answers(
        self, output: Any, inputs: Inputs, samples: Sequence[Any], *, top_k: int = 1
    ) -> list[dict[str, Any]]:
        """Probabilities for each step."""
        shares = pointed(first(output).float(), self.point)
        counts = steps(shares, inputs)
        return [{"steps": part[:n].tolist()} for part, n in zip(shares, counts, strict=True)]

    def plain(self) -> dict[str, Any]:
        """As plain containers."""
        return {"point": self.point}

    @classmethod
    def of(cls, fields: Fields) -> Frames:
        """From plain containers."""
        return cls(point=fields.choice("point", POINTS, "logits"))


class Reconstruction(Output):
    """The input once more, in the units of the data, and how far off it is.

    {"reconstruction": array, "score": squared error of what the net reads, summed over the sample}.
    The mean of the scores of the test split is `test/squared_error`.

    Args:
        scaling: of the inputs.
        shape: of a sample as it is stored: (C, H, W), (T, F) or (F,).
        view: in which the net reads it, and gives it back.
        point: "all" of the image, or its "logits", where a loss reads such.
    """

    kind = "reconstruction"

    def __init__(
        self, scaling: Scaling, shape: Sequence[int], *, view: str = "vector", point: str = "all"
    ) -> None:
        self.scaling = scaling
        self.shape = tuple(shape)
        self.view = view
        self.point = point

    def back(self, x: Tensor) -> Tensor:
        """From what a net reads (B, …) to samples as they are stored, in the units of the data."""
        if x[0].numel() != math.prod(self.shape):
            raise ValueError(
                f"the net gives {x[0].numel():,} numbers back, a sample of its preprocessing has "
                f"{math.prod(self.shape):,}"
            )
        return self.scaling.back(put_back(x, self.view, self.shape))

    def answers(
        self, output: Any, inputs: Inputs, samples: Sequence[Any], *, top_k: int = 1
    ) -> list[dict[str, Any]]:
        """A reconstruction and its score for each sample."""
        image, x = pointed(first(output).float().cpu(), self.point), inputs.x.float().cpu()
        scores = (image - x).square().flatten(1).sum(1).tolist()
        back = self.back(image).numpy()
        return [
            {"reconstruction": np.asarray(part), "score": score}
            for part, score in zip(back, scores, strict=True)
        ]

    def plain(self) -> dict[str, Any]:
        """As plain containers."""
        return {
            "scaling": self.scaling.plain(),
            "shape": list(self.shape),
            "view": self.view,
            "point": self.point,
        }

    @classmethod
    def of(cls, fields: Fields) -> Reconstruction:
        """From plain containers."""
        scaling = Scaling.of(fields.take("scaling"), "output.scaling")
        shape = fields.sizes("shape", list(VIEWS), LARGEST)
        view = fields.choice("view", VIEWS[len(shape)].views, "vector")
        point = fields.choice("point", POINTS, "all")
        return cls(fitting(scaling, shape, "output.scaling"), shape, view=view, point=point)


def pointed(output: Tensor, point: str) -> Tensor:
    """The part of an output that is the answer, as one of `POINTS` says."""
    if point == "logits":
        return output.sigmoid()
    return output.chunk(2, dim=-1)[0] if point == "first_half" else output


def steps(output: Tensor, inputs: Inputs) -> list[int]:
    """How many steps of each sample count."""
    if inputs.lengths is None:
        return [output.shape[1]] * len(output)
    return [int(n) for n in inputs.lengths]
