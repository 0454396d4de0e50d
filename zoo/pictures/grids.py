"""Rows and columns: small images side by side, and numbers as colours."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from zoo.pictures.canvas import MARGIN, NORMAL, Canvas, repeated, resized, shortened, width_of
from zoo.pictures.colours import GREY, INK, LINE, WHITE, Colour, coloured, table

TITLE = 32  # height of a title
GAP = 4
CAPTION = 15  # height of a line below a tile


def tiled(
    images: Tensor,
    columns: int,
    *,
    title: str,
    size: int = 48,
    captions: Sequence[Sequence[str]] = (),
    rows: Sequence[str] = (),
    heads: Sequence[str] = (),
    bar: tuple[str, str, str] | None = None,
    least: int = 0,
) -> Canvas:
    """Small images in rows.

    Args:
        images: (N, H, W, 3) uint8.
        columns: how many a row.
        title: at the top.
        size: of the longer side of a tile, about; small images grow by whole numbers.
        captions: lines below each tile, as many for all of them.
        rows: what stands left of each row.
        heads: what stands above each column.
        bar: a colour map, what its low end means and what its high end.
        least: width of a column, for the captions.
    """
    tiles = resized(images, size)
    high, wide = tiles.shape[1:3]
    lines = len(captions[0]) if captions else 0
    across, down = max(wide, least) + GAP, high + GAP + CAPTION * lines
    left = MARGIN + (round(max(width_of(row) for row in rows)) + 8 if rows else 0)
    top = TITLE + (16 if heads else 0)
    count = -(-len(tiles) // columns)
    needed = round(width_of(title, 14)) + 2 * MARGIN
    width = max(left + columns * across - GAP + MARGIN, min(needed, 480), 160)
    height = top + count * down - GAP + MARGIN + (26 if bar else 0)
    canvas = Canvas(width, height, title)
    canvas.pixels(side_by_side(tiles, columns, across, down), left, top)
    for index, texts in enumerate(captions):
        x = left + index % columns * across + (across - GAP) / 2
        caption(canvas, x, top + index // columns * down + high + 9, texts, across - 2)
    for number, row in enumerate(rows):
        middle = top + number * down + high / 2
        canvas.text(left - 8, middle, row, colour=GREY, anchor="r")
    for number, head in enumerate(heads):
        centre = left + number * across + (across - GAP) / 2
        canvas.text(centre, top - 9, head, colour=GREY, anchor="m")
    if bar:
        colour_bar(canvas, left, height - 24, *bar)
    return canvas


def caption(canvas: Canvas, x: float, y: float, texts: Sequence[str], width: int) -> None:
    """Lines around x, as much of them as fits."""
    for number, text in enumerate(texts):
        colour = INK if number == 0 else GREY
        line = shortened(text, width)
        canvas.text(x, y + number * CAPTION, line, colour=colour, anchor="m")


def side_by_side(tiles: Tensor, columns: int, across: int, down: int) -> Tensor:
    """One block (H, W, 3) of tiles (N, h, w, 3), centred in its column, white between."""
    count, high, wide, _ = tiles.shape
    rows = -(-count // columns)
    fields = tiles.new_full((rows * columns, down, across, 3), 255)
    start = (across - GAP - wide) // 2
    fields[:count, :high, start : start + wide] = tiles
    fields = fields.view(rows, columns, down, across, 3).transpose(1, 2)
    return fields.reshape(rows * down, columns * across, 3)[: rows * down - GAP]


def colour_bar(canvas: Canvas, x: int, y: int, name: str, low: str, high: str) -> None:
    """A colour map lying on its side, between what its ends mean."""
    canvas.text(x, y + 5, low, colour=GREY)
    start = x + round(width_of(low)) + 6
    canvas.pixels(table(name)[::2].repeat(10, 1, 1), start, y)
    canvas.box((start, y, start + 127, y + 9), edge=LINE)
    canvas.text(start + 134, y + 5, high, colour=GREY)


def matrix(
    shares: Tensor,
    *,
    title: str,
    names: Sequence[str],
    texts: Sequence[Sequence[str]] | None,
    sides: tuple[str, str],
    ends: tuple[str, str],
) -> Canvas:
    """A square table of numbers from 0 to 1 as shades of blue.

    Args:
        shares: (K, K).
        title: at the top.
        names: of rows and columns.
        texts: what stands in each field; None leaves them empty.
        sides: what the rows are and what the columns are.
        ends: what the ends of the colours mean.
    """
    count = len(names)
    field = max(4, min(64, 400 // count))
    every = -(-(NORMAL + 2) // field)  # names that would overlap are left out
    shown = {i: shortened(names[i], 96) for i in range(0, count, every)}
    longest = round(max(width_of(name) for name in shown.values()))
    flat = longest <= field - 4
    left, top = MARGIN + 22 + longest + 8, TITLE + 2
    side = field * count
    below = 20 if flat else longest + 10
    width = max(left + side + MARGIN, left + 330)
    canvas = Canvas(width, top + side + below + 56, title)
    block = repeated(coloured(shares, "blue")[None], field)[0]
    if field >= 12:
        block[::field] = block[:, ::field] = torch.tensor(WHITE, dtype=torch.uint8)
    canvas.pixels(block, left, top)
    canvas.box((left, top, left + side, top + side), edge=LINE)
    for i, name in shown.items():
        middle = (i + 0.5) * field
        canvas.text(left - 6, top + middle, name, anchor="r")
        if flat:
            canvas.text(left + middle, top + side + 11, name, anchor="m")
        else:
            canvas.text(left + middle, top + side + 6, name, anchor="r", upwards=True)
    for row, line in enumerate(texts or ()):
        for column, text in enumerate(line):
            colour: Colour = WHITE if shares[row, column] > 0.55 else INK
            x, y = left + (column + 0.5) * field, top + (row + 0.5) * field
            canvas.text(x, y, text, colour=colour, anchor="m")
    canvas.text(MARGIN + 8, top + side / 2, sides[0], colour=GREY, anchor="m", upwards=True)
    canvas.text(left + side / 2, top + side + below + 8, sides[1], colour=GREY, anchor="m")
    colour_bar(canvas, left, top + side + below + 28, "blue", *ends)
    return canvas
