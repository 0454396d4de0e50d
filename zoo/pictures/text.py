"""What a language model writes."""

from __future__ import annotations

import torch

from zoo.models import generate
from zoo.pictures.base import Picture, Scene, at_least


class TextSample(Picture):
    """A text that the net goes on with, drawn with the same random numbers each time.

    It begins with the first tokens of the validation text. Words are joined by spaces.

    Args:
        prompt: tokens that it is given.
        length: tokens that it draws; of words a third.
        temperature: see `zoo.models.generate`.
        seed: of the draws.
        every: see `Picture`.
    """

    name = "text_sample"

    def __init__(
        self,
        *,
        prompt: int = 64,
        length: int = 240,
        temperature: float = 0.8,
        seed: int = 0,
        every: int | None = None,
    ) -> None:
        super().__init__(every=every)
        self.prompt, self.length = at_least(1, prompt=prompt), at_least(1, length=length)
        if temperature < 0:
            raise ValueError(f"`temperature` must be at least 0, got {temperature}")
        self.temperature = temperature
        self.seed = seed

    def suits(self, scene: Scene) -> bool:
        """Recurrent nets that predict the next token of a text."""
        data, net = scene.data, scene.net
        speaks = hasattr(getattr(data, "vocabulary", None), "decode")
        reads_on = getattr(net, "directions", None) == 1 and hasattr(net, "embed")
        return speaks and reads_on and bool(getattr(data, "predicts_next", False))

    def draw(self, scene: Scene) -> None:
        """Draw tokens, and write them behind those that were given."""
        data, net = scene.data, scene.net
        words = getattr(data, "level", "char") == "word"
        given = data.splits["val"].x[: max(1, self.prompt // 4 if words else self.prompt)].long()
        device = next(net.parameters()).device
        drawn = generate(
            net,  # type: ignore[arg-type]
            given[None].to(device),
            max(1, self.length // 3 if words else self.length),
            temperature=self.temperature,
            generator=torch.Generator(device).manual_seed(self.seed),
        )
        joint = " " if words else ""
        start, end = (data.vocabulary.decode(t.tolist(), joint=joint) for t in (given, drawn[0]))
        scene.text("text/sample", shown(start, end, self.temperature))


def shown(start: str, end: str, temperature: float) -> str:
    """Both texts in Markdown, as they are."""
    about = f"temperature {temperature:g}"
    return f"The validation text:\n\n{block(start)}\n\nThe net goes on ({about}):\n\n{block(end)}"


def block(text: str) -> str:
    """Lines that Markdown shows as they are; the end of a line that a word stands for is one."""
    lines = text.replace(" <eos> ", "\n").replace("<eos>", "\n").splitlines() or [""]
    return "\n".join(f"    {line}" for line in lines)
