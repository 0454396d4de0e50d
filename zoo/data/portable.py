"""What a trained net takes along of its data."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from zoo.data.loader import Split
from zoo.preprocessing import (
    ArrayInput,
    Classes,
    ImageInput,
    Input,
    Output,
    Preprocessing,
    Reconstruction,
    Scaling,
    Values,
)
from zoo.preprocessing.images import BYTE


class Portable:
    """Data whose way from raw input to a net, and back to answers, goes with the net."""

    splits: dict[str, Split]
    view: str
    target: str
    class_names: list[str] | None
    input_scaling: Scaling
    target_scaling: Scaling
    limits: tuple[float, float] | None = None
    fit: str = "crop"  # how an image of another size is made to fit

    @abstractmethod
    def setup(self, stage: str | None = None) -> None:
        """Reads the data; once."""

    @abstractmethod
    def serve(self, x: Tensor) -> Tensor:
        """A raw batch as a net reads it."""

    def preprocessing(
        self, *, reconstructs: bool = False, point: str = "all"
    ) -> Preprocessing | None:
        """What a net trained on this takes along: from raw input to its own, and back to answers.

        None for a set of one's own that serves its samples in a way of its own, but has no `way_in`
        that says how.

        Args:
            reconstructs: whether the target is the input.
            point: which outputs are the answer, as in `zoo.preprocessing.Values`.
        """
        self.setup()
        way_in = self.way_in()
        if type(self).way_in is Portable.way_in and not self.agrees(way_in):
            return None
        return Preprocessing(
            way_in, self.reconstruction(point) if reconstructs else self.way_out(point)
        )

    def agrees(self, way_in: Input) -> bool:
        """Whether that makes of stored samples what training reads."""
        train = self.splits["train"]
        few = train.x[:2]
        if train.lengths is not None:
            return False
        try:
            found, served = way_in.batch(list(few.numpy())).x, self.serve(few)
        except (ValueError, TypeError, LookupError):
            return False
        return found.dtype == served.dtype and torch.equal(found, served)

    def way_in(self) -> Input:
        """From a raw sample to `serve`."""
        shape, view = self.splits["train"].x.shape[1:], self.view
        if len(shape) == 3:
            limit = (self.limits or (0.0, BYTE))[1]
            return ImageInput(
                shape, limit=limit, fit=self.fit, view=view, scaling=self.input_scaling
            )
        return ArrayInput(shape, view=view, scaling=self.input_scaling)

    def way_out(self, point: str) -> Output:
        """From what a net gives back to an answer."""
        if self.target == "classes":
            return Classes(self.class_names or [])
        return Values(self.target_scaling, point=point)

    def reconstruction(self, point: str) -> Output:
        """From what an autoencoder gives back to samples in the units of the data."""
        shape = self.splits["train"].x.shape[1:]
        return Reconstruction(self.units(), shape, view=self.view, point=point)

    def units(self) -> Scaling:
        """From the units of the data to the scaled numbers of a sample."""
        return self.input_scaling
