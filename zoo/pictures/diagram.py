"""A drawing of the net: its layers with their sizes."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from zoo.pictures.base import Picture, Scene, at_least
from zoo.pictures.canvas import MARGIN, Canvas, shortened, width_of
from zoo.pictures.colours import FAINT, GREY, INK, LINE, WHITE, Colour, mixed
from zoo.pictures.samples import first

ROW, BOX = 32, 24  # pixels from one layer to the next, and of its box
KINDS: tuple[tuple[str, Colour], ...] = (  # by a part of the class's name
    ("Norm", (236, 226, 242)),
    ("Pool", (222, 240, 222)),
    ("Upsample", (222, 240, 222)),
    ("Pad", (222, 240, 222)),
    ("Flatten", (222, 240, 222)),
    ("Dropout", (246, 246, 246)),
)
LEARNED: Colour = (214, 230, 244)
OTHER: Colour = (252, 238, 214)  # activations


class Layer(NamedTuple):
    """A row of the drawing.

    Attributes:
        path: the layer's name in the net.
        kind: its class, and what matters of its settings.
        size: of its output for one sample.
        parameters: of it alone.
    """

    path: str
    kind: str
    size: tuple[int, ...]
    parameters: int


class Diagram(Picture):
    """The layers of the net in the order of their work, with output sizes and parameters.

    Drawn once, before the first update. Of a net with many layers, blocks are drawn as one.

    Args:
        layers: the most that are drawn; beyond that some in the middle are left out.
    """

    name = "diagram"
    moments = ("start",)

    def __init__(self, *, layers: int = 24) -> None:
        super().__init__()
        self.layers = at_least(3, layers=layers)

    def suits(self, scene: Scene) -> bool:
        """Every net."""
        return True

    def draw(self, scene: Scene) -> None:
        """Send two samples through, and note what comes out of each layer."""
        x = first(scene, 2).x
        rows = traced(scene.net, x, self.layers)
        total = sum(p.numel() for p in scene.net.parameters())
        canvas = drawn(rows, tuple(x.shape[1:]), type(scene.net).__name__, total, self.layers)
        scene.image("layers/diagram", canvas, "The layers, their output sizes and parameters.")


def traced(net: nn.Module, x: Tensor, most: int) -> list[Layer]:
    """The layers in the order in which they are called; blocks as one where there are too many."""
    sizes: dict[nn.Module, tuple[int, ...]] = {}  # in the order of their end

    def note(layer: nn.Module, inputs: object, output: object) -> None:
        while isinstance(output, (tuple, list)) and output:
            output = output[0]
        if isinstance(output, Tensor) and layer not in sizes:
            sizes[layer] = tuple(output.shape[1:])

    hooks = [layer.register_forward_hook(note) for layer in net.modules()]
    try:
        net(x)
    finally:
        for hook in hooks:
            hook.remove()
    names = {layer: path for path, layer in net.named_modules()}
    for together in (False, True):
        shown = parts(net, together=together)
        rows = [Layer(names[m], kind_of(m), sizes[m], own(m)) for m in sizes if m in shown]
        if len(rows) <= most:
            break
    return rows


def parts(net: nn.Module, *, together: bool) -> set[nn.Module]:
    """The layers to draw; a block of layers that has a class of its own as one, if together."""
    found = set()
    for child in net.children():
        inner = list(child.children())
        plain = isinstance(child, (nn.Sequential, nn.ModuleList))
        # What holds nearly all of the net says nothing as one box.
        whole = own(child) > 0.45 * max(1, own(net))
        if inner and (plain or whole or not together):
            found |= parts(child, together=together)
        elif not plain and not isinstance(child, nn.Identity):  # those change nothing
            found.add(child)
    return found


def own(layer: nn.Module) -> int:
    """Its parameters."""
    return sum(p.numel() for p in layer.parameters())


def kind_of(layer: nn.Module) -> str:
    """The class of a layer, and the size of its kernel or the number of its layers."""
    kind, kernel = type(layer).__name__, getattr(layer, "kernel_size", None)
    if isinstance(kernel, int):
        return f"{kind} {kernel}"
    if isinstance(kernel, tuple):
        return f"{kind} {' x '.join(map(str, kernel))}"
    if isinstance(layer, nn.RNNBase) and layer.num_layers > 1:
        return f"{kind}, {layer.num_layers} layers"
    if isinstance(layer, (nn.Dropout, nn.AlphaDropout)):
        return f"{kind} {layer.p:g}"
    return kind


def drawn(rows: list[Layer], size: tuple[int, ...], name: str, total: int, most: int) -> Canvas:
    """Boxes below each other, with arrows between them."""
    left_out = max(0, len(rows) - most)
    if left_out:
        head = most // 2
        rows = [*rows[:head], Layer("", f"… {left_out} more", (), 0), *rows[head + left_out :]]
    paths = min(150, round(max((width_of(row.path) for row in rows), default=0)))
    left, wide = MARGIN + paths + 10, 190
    columns = left + wide + 100, left + wide + 190  # right ends of sizes and parameters
    canvas = Canvas(columns[1] + 74, 52 + ROW * (len(rows) + 1), f"{name}: {total:,} parameters")
    middle, y = left + wide / 2, 42
    canvas.text(columns[0], y - 1, "output", colour=GREY, anchor="r")
    canvas.text(columns[1], y - 1, "parameters", colour=GREY, anchor="r")
    largest = max((row.parameters for row in rows), default=1) or 1
    for number, row in enumerate([Layer("", "input", size, 0), *rows]):
        top = 52 + number * ROW
        line = top + BOX / 2
        if number:
            arrow(canvas, middle, top - (ROW - BOX), top)
        fill = WHITE if not number or row.kind.startswith("…") else colour_of(row)
        canvas.box((left, top, left + wide, top + BOX), fill=fill, edge=LINE, radius=6)
        canvas.text(middle, line, shortened(row.kind, wide - 12), colour=INK, anchor="m")
        path = shortened(row.path, paths + 1)
        canvas.text(left - 8, line, path, colour=GREY, anchor="r")
        shape = " x ".join(map(str, row.size))
        canvas.text(columns[0], line, shortened(shape, 92), anchor="r")
        if row.parameters:
            canvas.text(columns[1], line, f"{row.parameters:,}", anchor="r")
            start = columns[1] + 8
            length = max(2, round(56 * row.parameters / largest))
            canvas.box((start, line - 4, start + 56, line + 4), fill=FAINT)
            canvas.box((start, line - 4, start + length, line + 4), fill=(107, 155, 205))
    return canvas


def arrow(canvas: Canvas, x: float, top: float, bottom: float) -> None:
    """From one box down to the next."""
    grey = mixed(GREY, 0.8)
    canvas.draw.line((x, top + 1, x, bottom - 3), fill=grey, width=1)
    canvas.draw.polygon([(x - 3, bottom - 5), (x + 3, bottom - 5), (x, bottom - 1)], fill=grey)


def colour_of(layer: Layer) -> Colour:
    """By what a layer does."""
    known = (colour for part, colour in KINDS if part in layer.kind)
    return next(known, LEARNED if layer.parameters else OTHER)
