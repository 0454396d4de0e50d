"""What a trained net takes along of its data."""

from __future__ import annotations

from abc import abstractmethod

import torch

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

    def preprocessing(self, *, reconstructs: bool = False, point: str = "all") -> Preprocessing:
        """What a net trained on this takes along: from raw input to its own, and back to answers.

        Args:
            reconstructs: whether the target is the input.
            point: which outputs are the answer, as in `zoo.preprocessing.Values`.
        """
        self.setup()
        way_out = self.reconstruction() if reconstructs else self.way_out(point)
        return Preprocessing(self.way_in(), way_out)

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

    def reconstruction(self) -> Output:
        """From what an autoencoder gives back to the units of the data."""
        shape, scaling = self.splits["train"].x.shape[1:], self.input_scaling
        if self.view == "image" and len(shape) == 2:  # a sequence, its channels first
            shape, scaling = torch.Size(shape[::-1]), Scaling(*(part.mT for part in scaling))
        return Reconstruction(scaling, shape)
