"""What a model folder or a checkpoint keeps of its data: from raw input to answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.preprocessing.arrays import ArrayInput
from zoo.preprocessing.base import Input, Output
from zoo.preprocessing.fields import Fields
from zoo.preprocessing.images import ImageInput
from zoo.preprocessing.outputs import Classes, Frames, NextToken, Reconstruction, Values
from zoo.preprocessing.series import SeriesInput
from zoo.preprocessing.tables import TableInput
from zoo.preprocessing.texts import LanguageInput, TextInput

INPUTS: Mapping[str, Any] = {
    part.kind: part
    for part in (ImageInput, ArrayInput, TableInput, SeriesInput, TextInput, LanguageInput)
}
OUTPUTS: Mapping[str, Any] = {
    part.kind: part for part in (Classes, Values, NextToken, Frames, Reconstruction)
}


class Preprocessing:
    """From raw input to what a net reads, and from what it gives back to answers.

    Args:
        input: the way in.
        output: the way out.
    """

    def __init__(self, input: Input, output: Output) -> None:
        self.input = input
        self.output = output

    def plain(self) -> dict[str, Any]:
        """As plain containers, exact through JSON."""
        return {
            "input": {"kind": self.input.kind, **self.input.plain()},
            "output": {"kind": self.output.kind, **self.output.plain()},
        }

    @classmethod
    def of(cls, plain: Any) -> Preprocessing:
        """From plain containers, which may be those of a hostile file.

        Raises:
            ValueError: they make no sense.
        """
        try:
            whole = Fields(plain, "preprocessing")
            halves = half(whole, "input", INPUTS), half(whole, "output", OUTPUTS)
            whole.done()
        except RecursionError:
            raise ValueError("its lists are nested too deeply") from None
        return cls(*halves)


def half(whole: Fields, name: str, kinds: Mapping[str, Any]) -> Any:
    """The way in or out."""
    fields = Fields(whole.take(name), name)
    found = kinds[fields.choice("kind", kinds)].of(fields)
    fields.done()
    return found
