"""Colours: of ink and lines, and of numbers on a map."""

from __future__ import annotations

import functools
from typing import TypeAlias

import torch
from torch import Tensor

Colour: TypeAlias = tuple[int, int, int]

WHITE: Colour = (255, 255, 255)
INK: Colour = (38, 40, 46)
GREY: Colour = (118, 122, 130)
LINE: Colour = (203, 207, 213)  # frames
FAINT: Colour = (236, 238, 241)  # grids
SHADE: Colour = (243, 238, 226)
RED: Colour = (200, 60, 50)

# Ten that differ for most eyes, in the order of matplotlib's tab10.
TEN: tuple[Colour, ...] = (
    *((31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40), (148, 103, 189)),
    *((140, 86, 75), (227, 119, 194), (127, 127, 127), (188, 189, 34), (23, 190, 207)),
)

# A map is a few colours at equal distances, and what lies between them.
MAPS: dict[str, tuple[Colour, ...]] = {
    "grey": ((0, 0, 0), (255, 255, 255)),
    "ink": ((255, 255, 255), (0, 0, 0)),
    # White to blue, for shares: nothing is white.
    "blue": ((255, 255, 255), (198, 219, 239), (107, 174, 214), (33, 113, 181), (8, 48, 107)),
    # Blue to red over white, for what has a sign (ColorBrewer's RdBu).
    "signed": (
        *((5, 48, 97), (67, 147, 195), (209, 229, 240), (250, 250, 250)),
        *((253, 219, 199), (214, 96, 77), (103, 0, 31)),
    ),
    # Viridis, for amounts.
    "amount": (
        *((68, 1, 84), (72, 40, 120), (62, 74, 137), (49, 104, 142), (38, 130, 142)),
        *((31, 158, 137), (53, 183, 121), (110, 206, 88), (181, 222, 43), (253, 231, 37)),
    ),
}


@functools.cache
def table(name: str) -> Tensor:
    """The 256 colours (256, 3) uint8 of a map."""
    stops = torch.tensor(MAPS[name], dtype=torch.float32)
    place = torch.linspace(0, len(stops) - 1, 256)
    low = place.long().clamp(max=len(stops) - 2)
    share = (place - low)[:, None]
    return ((1 - share) * stops[low] + share * stops[low + 1]).round().to(torch.uint8)


def coloured(values: Tensor, name: str, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Numbers (...) as colours (..., 3) uint8: `low` and less is the first of the map.

    What is not a number is grey.
    """
    values = values.float()
    span = high - low if high > low else 1.0
    place = ((values - low) / span).nan_to_num(0, 1, 0).clamp(0, 1)
    pixels = table(name)[(place * 255).round().long()]
    unknown = values.isnan()
    if unknown.any():
        pixels[unknown] = torch.tensor(GREY, dtype=torch.uint8)
    return pixels


def category(index: int) -> Colour:
    """The colour of a class; after ten they come again, darker."""
    share = 0.62 ** (index // len(TEN))
    red, green, blue = TEN[index % len(TEN)]
    return round(red * share), round(green * share), round(blue * share)


def mixed(colour: Colour, share: float, ground: Colour = WHITE) -> Colour:
    """So much of a colour, the rest of the ground."""
    red, green, blue = (
        round(share * c + (1 - share) * g) for c, g in zip(colour, ground, strict=True)
    )
    return red, green, blue
