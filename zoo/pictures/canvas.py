"""A sheet to draw on: text, boxes, blocks of pixels, and the PNG file of it.

A plotting library takes 100 ms for one chart. These take a few, so that a run of some seconds can
afford a dozen of them.
"""

from __future__ import annotations

import functools
import struct
import unicodedata
import zlib

import numpy as np
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from zoo.pictures.colours import INK, WHITE, Colour

NORMAL, LARGE = 12, 14  # sizes of text, in pixels
KNOWN = "…·"  # what Pillow's font has beyond ASCII, and we use
MARGIN = 10


class Canvas:
    """An image that begins white.

    Args:
        width: in pixels.
        height: in pixels.
        title: a line at the top left.
    """

    def __init__(self, width: int, height: int, title: str = "") -> None:
        self.image = Image.new("RGB", (width, height), WHITE)
        self.draw = ImageDraw.Draw(self.image)
        self.width, self.height = width, height
        if title:
            wide = width - 2 * MARGIN
            self.text(MARGIN, 17, shortened(title, wide, LARGE), size=LARGE, anchor="l")

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: int = NORMAL,
        colour: Colour = INK,
        anchor: str = "l",
        upwards: bool = False,
    ) -> None:
        """Write a line with its middle at y: from x on ("l"), around ("m") or up to it ("r").

        Upwards the line is turned by a quarter to the left; then x is the middle of its height.
        """
        length, top, letters = _laid_out(spelled(text), size)
        ahead = {"l": 0.0, "m": length / 2, "r": length}[anchor]
        if upwards:
            strip = Image.new("L", (round(length) + 2, size + 6))
            for at, offset, glyph in letters:
                strip.paste(glyph, (round(at), round(offset + size / 2 + 3 - top)))
            turned = strip.rotate(90, expand=True)
            corner = (round(x - turned.width / 2), round(y + ahead - turned.height))
            self.image.paste(colour, corner, turned)
            return
        for at, offset, glyph in letters:
            self.draw.bitmap((round(x - ahead + at), round(y - top + offset)), glyph, fill=colour)

    def pixels(self, block: Tensor, x: int, y: int) -> None:
        """Put colours (H, W, 3) uint8 there."""
        self.image.paste(Image.fromarray(block.contiguous().numpy()), (x, y))

    def box(
        self,
        corners: tuple[float, float, float, float],
        *,
        fill: Colour | None = None,
        edge: Colour | None = None,
        radius: int = 0,
    ) -> None:
        """A rectangle from (left, top) to (right, bottom)."""
        if radius:
            self.draw.rounded_rectangle(corners, radius, fill=fill, outline=edge)
        else:
            self.draw.rectangle(corners, fill=fill, outline=edge)

    def png(self) -> bytes:
        """The file; packed in little time rather than as small as can be."""
        return packed(self.image)


def packed(image: Image.Image) -> bytes:
    """An RGB image as the bytes of a PNG file.

    Pillow tries five filters on each row, which takes as long again as all the rest and makes
    drawings no smaller. Here rows stay as they are.
    """
    rows = np.zeros((image.height, 1 + 3 * image.width), np.uint8)  # 0: no filter
    rows[:, 1:] = np.asarray(image).reshape(image.height, -1)
    header = struct.pack(">IIBBBBB", image.width, image.height, 8, 2, 0, 0, 0)  # 8 bits, RGB
    body = zlib.compress(rows.tobytes(), 1)
    chunks = ((b"IHDR", header), (b"IDAT", body), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


@functools.lru_cache(maxsize=4096)
def _glyph(letter: str, size: int) -> tuple[float, int, int, Image.Image | None]:
    """How far a letter moves on, where its picture begins beside and above the line, and that."""
    font = _font(size)
    advance = font.getlength(letter) + (letter == " ")  # at small sizes it is hardly one
    mask, (left, top) = font.getmask2(letter, "L", anchor="ls")
    if 0 in mask.size:
        return advance, 0, 0, None
    return advance, left, top, Image.frombytes("L", mask.size, bytes(mask))


# Pillow lays out and draws every letter of a line anew, at 12 microseconds each.
@functools.lru_cache(maxsize=1024)
def _laid_out(text: str, size: int) -> tuple[float, float, list[tuple[float, int, Image.Image]]]:
    """The length of a line, its middle above the line, and its letters: place, offset, picture."""
    place, letters = 0.0, []
    for letter in text:
        advance, left, top, picture = _glyph(letter, size)
        if picture is not None:
            letters.append((place + left, top, picture))
        place += advance
    return place, -0.36 * size, letters


def spelled(text: str) -> str:
    """The text in letters that the font has: without accents, and ? for what is left."""
    if text.isascii():
        return text.replace("\n", " ")
    plain = "".join(
        letter
        if letter in KNOWN
        else unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode() or "?"
        for letter in text
    )
    return plain.replace("\n", " ")


def width_of(text: str, size: int = NORMAL) -> float:
    """The length of a line in pixels."""
    return _laid_out(spelled(text), size)[0]


def shortened(text: str, width: float, size: int = NORMAL) -> str:
    """The text, or as much of its beginning as fits, with an ellipsis."""
    if width_of(text, size) <= width:
        return text
    while text and width_of(f"{text}…", size) > width:
        text = text[:-1]
    return f"{text}…"


def resized(images: Tensor, size: int) -> Tensor:
    """Images (N, H, W, 3) uint8 of about `size` pixels at their longer side.

    Pixels are copied, so that they stay sharp; what is larger is averaged.
    """
    longest = max(images.shape[1:3])
    if longest > size:
        scaled = [max(1, round(side * size / longest)) for side in images.shape[1:3]]
        planes = images.permute(0, 3, 1, 2).float()
        small = F.interpolate(planes, scaled, mode="bilinear", antialias=True)
        return small.round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous()
    times = max(1, round(size / longest))
    return repeated(images, times)


def repeated(images: Tensor, times: int) -> Tensor:
    """Images (N, H, W, 3) with each pixel so many times in both directions."""
    count, high, wide, colours = images.shape
    copies = images[:, :, None, :, None].expand(count, high, times, wide, times, colours)
    return copies.reshape(count, high * times, wide * times, colours)
