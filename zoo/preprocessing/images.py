"""Images: from a file, a picture or an array to what a net reads."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zoo.preprocessing.affine import Scaling
from zoo.preprocessing.base import (
    LARGEST,
    Input,
    Inputs,
    as_array,
    check_some,
    numbers,
    position,
)
from zoo.preprocessing.fields import Fields
from zoo.preprocessing.views import IMAGE

FITS = ("crop", "stretch")
CHANNELS = (1, 3)  # grey and colour: what a file can be made to have
# What PIL raises at files that are not what they should be, besides its own errors.
BROKEN = (OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, struct.error)
BYTE = 255.0  # the brightest that a file holds


class ImageInput(Input):
    """A picture of one size.

    A sample is a file's path, a PIL image, or an array: as stored in training (C, H, W), or
    (H, W, C), or (H, W) in grey, with its values up to `limit`; or uint8 of any other size, as a
    file would hold it. Files and arrays of other sizes are resized; a file's 0 to 255 become 0 to
    `limit`.

    Args:
        shape: (C, H, W) as stored.
        limit: the brightest value that is stored.
        fit: "crop" makes the shorter side fit and cuts off what is too long at both ends; "stretch"
            changes the proportions.
        view: how a sample is offered to the net.
        scaling: of the stored values.
    """

    kind = "image"

    def __init__(
        self, shape: Sequence[int], *, limit: float, fit: str, view: str, scaling: Scaling
    ) -> None:
        self.shape = tuple(shape)
        self.limit = limit
        self.fit = fit
        self.view = view
        self.scaling = scaling

    def samples(self, raw: Any) -> tuple[list[Any], bool]:
        """One image or several; see the class for what is one."""
        if isinstance(raw, (str, os.PathLike)) or hasattr(raw, "convert"):
            return [raw], True
        if isinstance(raw, (list, tuple)) and raw and not isinstance(raw[0], (int, float)):
            other = isinstance(raw[0], (str, os.PathLike)) or hasattr(raw[0], "convert")
            if other or np.ndim(raw[0]) >= 2:
                return list(raw), False
        array = as_array(raw, "the input")
        if array.ndim == 2 or (array.ndim == 3 and self._is_one(array.shape)):
            return [array], True
        if array.ndim in (3, 4):
            return list(array), False
        raise ValueError(
            f"the input must be an image or several, a path, or arrays (H, W), (C, H, W) or "
            f"(H, W, C), got the shape {array.shape}"
        )

    def _is_one(self, shape: tuple[int, ...]) -> bool:
        """Whether three axes are of one image: as stored, or with its channels at an end."""
        channels, *sides = self.shape
        stored = (self.shape, (*sides, channels))
        if shape in stored or (channels == 1 and list(shape[1:]) == sides):
            return shape in stored
        return shape[0] in (1, 3, 4) or shape[2] in (1, 3, 4)

    def batch(self, samples: Sequence[Any]) -> Inputs:
        """Reads, resizes and scales."""
        check_some(samples)
        found = []
        for index, sample in enumerate(samples):
            try:
                found.append(self.stored(sample))
            except BROKEN as error:
                where = position(index, len(samples))
                reason = " ".join(str(error).split())
                raise ValueError(f"{where} cannot be read: {reason}") from error
        x = torch.from_numpy(np.stack(found))
        return Inputs(IMAGE.views[self.view](self.scaling(x)))

    def stored(self, sample: Any) -> np.ndarray:
        """A sample (C, H, W) as training stores it."""
        if isinstance(sample, (str, os.PathLike)) or hasattr(sample, "convert"):
            return self._from_picture(sample)
        array = numbers(sample, "the image")
        channels, *sides = self.shape
        if array.shape == (*sides, channels) and array.shape != self.shape:
            array = array.transpose(2, 0, 1)
        elif array.shape == tuple(sides) and channels == 1:
            array = array[None]
        if array.shape == self.shape:
            kept = array.dtype == np.uint8
            return np.ascontiguousarray(array if kept else array.astype(np.float32))
        if array.dtype != np.uint8:
            raise ValueError(
                f"an array of another size than {self.shape} must be uint8 to be resized, got "
                f"{array.dtype} of the shape {array.shape}"
            )
        return self._from_picture(picture(array))

    def _from_picture(self, source: Any) -> np.ndarray:
        channels, height, width = self.shape
        if channels not in CHANNELS:
            raise ValueError(f"a picture cannot have the {channels} channels of the training data")
        pixels = open_image(source, (height, width), channels, self.fit)
        return pixels if self.limit == BYTE else pixels * np.float32(self.limit / BYTE)

    def plain(self) -> dict[str, Any]:
        """As plain containers."""
        return {
            "shape": list(self.shape),
            "limit": self.limit,
            "fit": self.fit,
            "view": self.view,
            "scaling": self.scaling.plain(),
        }

    @classmethod
    def of(cls, fields: Fields) -> ImageInput:
        """From plain containers."""
        shape = fields.sizes("shape", [3], LARGEST)
        return cls(
            shape,
            limit=fields.number("limit", positive=True),
            fit=fields.choice("fit", FITS),
            view=fields.choice("view", IMAGE.views),
            scaling=fitting(Scaling.of(fields.take("scaling")), shape),
        )


def fitting(scaling: Scaling, shape: Sequence[int], name: str = "input.scaling") -> Scaling:
    """The scaling, if it keeps a sample's shape.

    Args:
        scaling: that is to fit.
        shape: of a sample.
        name: of the scaling, for errors.

    Raises:
        ValueError: it does not.
    """
    for part in scaling:
        pairs = zip(reversed(part.shape), reversed(shape), strict=False)
        if part.ndim > len(shape) or any(own not in (1, size) for own, size in pairs):
            raise ValueError(
                f"`{name}` of the shape {tuple(part.shape)} does not fit samples {tuple(shape)}"
            )
    return scaling


def picture(array: np.ndarray) -> Any:
    """A PIL image of (H, W), (H, W, C) or (C, H, W) uint8.

    Raises:
        ValueError: it has other axes.
    """
    from PIL import Image

    if array.ndim == 3 and array.shape[2] not in (1, 3, 4) and array.shape[0] in (1, 3, 4):
        array = array.transpose(1, 2, 0)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise ValueError(
            f"an image must be (H, W), (H, W, C) or (C, H, W), got the shape {array.shape}"
        )
    return Image.fromarray(np.ascontiguousarray(array))


def open_image(source: Any, size: tuple[int, int], channels: int, fit: str) -> np.ndarray:
    """One image (C, H, W) uint8, upright, in grey or colour, of that size.

    Args:
        source: a file's path or a PIL image.
        size: (H, W).
        channels: 3 in colour, 1 in grey.
        fit: "crop" or "stretch", see `ImageInput`.

    Raises:
        ValueError: if its pixels have no plain meaning as grey or colour.
        OSError: if it cannot be read; PIL knows further errors for this.
    """
    from PIL import Image, ImageOps

    try:
        if isinstance(source, (str, os.PathLike)):
            with Image.open(Path(source)) as opened:
                image = ImageOps.exif_transpose(opened)
        else:
            image = ImageOps.exif_transpose(source)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(str(error)) from error
    if 0 in image.size:
        raise ValueError(f"it has no pixels: its size is {image.size[0]} x {image.size[1]}")
    if image.mode.startswith("I;16"):  # which PIL would cut off at 255
        image = Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError(
            f"its pixels are of PIL's mode {image.mode}; save it with 8 bits a channel"
        )
    if "transparency" in image.info:
        image = image.convert("RGBA")  # else PIL warns of palettes
    image = image.convert("RGB" if channels == 3 else "L")
    image = resized(image, size, fit)
    return np.asarray(image, np.uint8).reshape(*size, channels).transpose(2, 0, 1)


def resized(image: Any, size: tuple[int, int], fit: str) -> Any:
    """A PIL image of that size (H, W), as torchvision's resize and center_crop make it."""
    from PIL import Image

    height, width = size
    wide, high = image.size
    if fit == "stretch":
        wide, high = width, height
    else:
        # The side that needs the larger factor decides; it is exact, the other one rounded down.
        factor = (width, wide) if width * high >= height * wide else (height, high)
        wide, high = (int(side * factor[0] / factor[1]) for side in (wide, high))
        wide, high = max(wide, width), max(high, height)
    if image.size != (wide, high):
        image = image.resize((wide, high), Image.Resampling.BILINEAR)
    left, top = round((wide - width) / 2.0), round((high - height) / 2.0)
    return image.crop((left, top, left + width, top + height))
