"""What a recurrent net remembers, and how far back it can learn."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from zoo.pictures.base import Picture, Scene, at_least
from zoo.pictures.canvas import MARGIN, Canvas
from zoo.pictures.charts import Axes, Entry, legend, legend_width, positive
from zoo.pictures.colours import GREY, TEN, Colour, mixed
from zoo.pictures.grids import TITLE
from zoo.pictures.recurrence import GATES, Flow, Trace, flow, gates, recurrent_layers
from zoo.pictures.samples import Samples, first

ELEMENTS = 50_000  # samples times steps, at most: each step takes its time
LAYERS = 3  # that are drawn, at most
HUES: tuple[Colour, ...] = (TEN[0], TEN[2], TEN[4])


class Recurrent(Picture):
    """What the pictures of recurrent nets share: one pass, step by step, forwards and backwards.

    Args:
        samples: how many of the validation split are looked at; of very long ones fewer.
        every: see `Picture`.
    """

    moments = ("start", "end")

    def __init__(self, *, samples: int = 16, every: int | None = None) -> None:
        super().__init__(every=every)
        self.samples = at_least(1, samples=samples)
        self.untrained: list[list[float]] = []  # what was drawn at the start

    def suits(self, scene: Scene) -> bool:
        """Nets with recurrent layers that read forwards only."""
        return recurrent_layers(scene.net) is not None

    def flow(self, scene: Scene) -> tuple[Flow, list[Trace], Samples]:
        """Gradients and states; once for all that ask at this moment."""
        key = ("flow", self.samples)
        if key not in scene.shared:
            samples = first(scene, self.samples)
            samples = samples.part(0, max(1, ELEMENTS // samples.x.shape[1]))
            scene.shared[key] = *flow(scene.module, samples), samples
        return scene.shared[key]

    def state_dict(self) -> dict[str, Any]:
        """The untrained net's lines, too."""
        return {**super().state_dict(), **({"untrained": self.untrained} if self.untrained else {})}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        super().load_state_dict(state_dict)
        self.untrained = state_dict.get("untrained", [])


class GradientNorm(Recurrent):
    """The norm of d loss / d h_t at each time step: whether the gradient vanishes on its way back.

    Drawn on a logarithmic axis, for the untrained net and at the end, for each layer; of an LSTM
    also d loss / d c_t. Logged besides, as `memory/gradient_first`, `_middle` and `_last`: the top
    layer's norm at these steps.

    Hochreiter 1991; Bengio, Simard & Frasconi 1994, "Learning long-term dependencies with gradient
    descent is difficult".

    Args:
        samples: see `Recurrent`.
        every: see `Picture`.
    """

    name = "gradient_norm"

    def draw(self, scene: Scene) -> None:
        """A line for each layer, beside that of the untrained net."""
        found, _, samples = self.flow(scene)
        lines = [norms.tolist() for norms in (*found.hidden, *found.cells)]
        if scene.moment == "start":
            self.untrained = lines
        before = self.untrained if scene.moment != "start" else []
        start = 1 if samples.lengths is None else 1 - len(lines[0])
        canvas = norms_chart(lines, before, len(found.hidden), scene.moment, start)
        about = (
            "How much of the gradient of the loss is left at the state of each time step, mean "
            "over validation samples. Falling to the left it vanishes: early steps teach nothing."
        )
        scene.image("memory/gradient_norm", canvas, about)
        top = lines[len(found.hidden) - 1]
        places = {"first": top[0], "middle": top[len(top) // 2], "last": top[-1]}
        scene.scalars({f"memory/gradient_{name}": value for name, value in places.items()})


def norms_chart(
    lines: list[list[float]], before: list[list[float]], layers: int, moment: str, start: int
) -> Canvas:
    """Norms by time step on a logarithmic axis.

    Args:
        lines: of h in each layer, then of c in each layer.
        before: the same of the untrained net, or nothing.
        layers: how many there are.
        moment: what the net is.
        start: the first time step; of samples of different lengths the last is 0.
    """
    what = {"start": "untrained", "training": "in training", "end": "trained"}[moment]
    entries: list[tuple[Entry, list[float]]] = []
    for state, words in ((before, "untrained"), (lines, what)):
        for number, values in enumerate(state):
            layer, cell = number % layers, number >= layers
            if layer >= LAYERS:
                continue
            hue = HUES[layer]
            colour = mixed(GREY if layers == 1 else hue, 0.6) if state is before else hue
            where = f" {layer + 1}" if layers > 1 else ""
            text = f"{'c' if cell else 'h'}{where}, {words}"
            entries.append(((text, colour, cell), values))
    steps = max(len(values) for _, values in entries)
    keys = [entry for entry, _ in entries]
    time = "time step" if start == 1 else "time step, counted from each sample's last"
    canvas = Canvas(
        460 + legend_width(keys), 330, "norm of the gradient at the state of each time step"
    )
    axes = Axes(
        canvas,
        (72, TITLE + 8, 430, 280),
        (start, start + max(1, steps - 1)),
        positive(value for _, values in entries for value in values),
        log=True,
        names=(time, "| d loss / d state |"),
        whole=True,
    )
    for (_, colour, dashed), values in entries:
        axes.line(range(start, start + len(values)), values, colour, width=2, dashed=dashed)
    axes.close()
    legend(canvas, 446, TITLE + 18, keys)
    return canvas


class Gates(Recurrent):
    """How far the gates of an LSTM or GRU are open at each time step.

    The line is the mean over units and samples; the band holds the middle 80 % of the units; grey
    is the untrained net.

    Args:
        samples: see `Recurrent`.
        every: see `Picture`.
    """

    name = "gates"

    def suits(self, scene: Scene) -> bool:
        """LSTM and GRU."""
        layers = recurrent_layers(scene.net)
        return layers is not None and layers.mode in GATES

    def draw(self, scene: Scene) -> None:
        """A panel for each gate, layer by layer."""
        layers = recurrent_layers(scene.net)
        assert layers is not None
        _, traces, samples = self.flow(scene)
        panels: list[tuple[str, Tensor]] = []  # title, (T, H)
        for index, trace in enumerate(traces[:LAYERS]):
            where = f", layer {index + 1}" if len(traces) > 1 else ""
            for name, values in gates(layers, index, trace).items():
                units = by_unit(values.detach().float().cpu(), samples.lengths)
                panels.append((f"{name} gate{where}", units))
        if scene.moment == "start":
            self.untrained = [units.mean(1).tolist() for _, units in panels]
        before = self.untrained if scene.moment != "start" else []
        canvas = gates_chart(panels, before, len(GATES[layers.mode]))
        about = (
            "How far the gates are open at each time step: mean, and the middle 80 % of the units; "
            "grey: the untrained net."
        )
        scene.image("memory/gates", canvas, about)


def by_unit(values: Tensor, lengths: Tensor | None) -> Tensor:
    """The mean of gates (B, T, H) over the samples that have such a step: (T, H)."""
    if lengths is None:
        return values.mean(0)
    there = torch.arange(values.shape[1])[None, :, None] < lengths.cpu()[:, None, None]
    return values.where(there, 0.0).sum(0) / there.sum(0).clamp(min=1)


def gates_chart(panels: list[tuple[str, Tensor]], before: list[list[float]], across: int) -> Canvas:
    """Panels of gates side by side, a row for each layer."""
    wide, high = 200, 170
    rows = -(-len(panels) // across)
    title = "gates by time step: 0 closed, 1 open"
    canvas = Canvas(MARGIN + across * wide, TITLE + rows * high + 6, title)
    for number, (text, units) in enumerate(panels):
        x, y = MARGIN + number % across * wide, TITLE + number // across * high
        hue = TEN[number % across]
        time = range(1, len(units) + 1)
        corners = (x + 36, y + 24, x + wide - 14, y + high - 42)
        axes = Axes(
            canvas, corners, (1, max(2, len(units))), (0, 1), names=("time step", ""), whole=True
        )
        low, high_ = torch.quantile(units, torch.tensor([0.1, 0.9]), dim=1).tolist()
        axes.band(time, low, high_, mixed(hue, 0.22))
        if number < len(before):
            axes.line(range(1, len(before[number]) + 1), before[number], mixed(GREY, 0.7))
        axes.line(time, units.mean(1).tolist(), hue, width=2)
        axes.close()
        canvas.text(x + 36, y + 12, text)
    return canvas
