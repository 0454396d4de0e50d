"""What the layers of a net have learned to look for, and what they see."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from zoo.callbacks.trial import leaves
from zoo.pictures.base import Picture, Scene, at_least
from zoo.pictures.canvas import resized
from zoo.pictures.colours import coloured
from zoo.pictures.grids import tiled
from zoo.pictures.samples import (
    bound_of,
    first,
    image_shape,
    number,
    signed,
    stored_images,
)

STAGES = 5  # of feature maps, at most


class FirstWeights(Picture):
    """The weights of the first layer as images, where it is linear and sees whole images.

    Args:
        shown: how many of its units, the first ones.
        every: see `Picture`.
    """

    name = "first_weights"

    def __init__(self, *, shown: int = 64, every: int | None = None) -> None:
        super().__init__(every=every)
        self.shown = at_least(1, shown=shown)

    def suits(self, scene: Scene) -> bool:
        """Nets of images that begin with a linear layer."""
        shape = image_shape(scene.data)
        layer = first_layer(scene.net)
        if layer is None or shape is None:
            return False
        return layer.in_features == math.prod(shape)

    def draw(self, scene: Scene) -> None:
        """Fold each unit's weights into the shape of the image."""
        layer, shape = first_layer(scene.net), image_shape(scene.data)
        assert layer is not None and shape is not None
        rows = layer.weight.detach().float().cpu()[: self.shown]
        bound = bound_of(rows)
        names, count = scene.data.class_names or [], len(layer.weight)
        answers = scene.module.loss.target == "classes" and count == len(names)
        canvas = tiled(
            signed(rows.view(-1, *shape), bound),
            min(10 if answers else 8, len(rows)),
            title=f"{len(rows)} of {count} units" if len(rows) < count else f"{count} units",
            captions=[[names[i]] for i in range(len(rows))] if answers else (),
            bar=ends(shape[0], bound),
        )
        about = (
            "What each unit of the first layer weighs of each pixel: red for more, blue against."
        )
        scene.image("layers/first_weights", canvas, about)


class Filters(Picture):
    """The filters of the first convolution over images.

    Args:
        shown: how many, the first ones.
        every: see `Picture`.
    """

    name = "filters"

    def __init__(self, *, shown: int = 64, every: int | None = None) -> None:
        super().__init__(every=every)
        self.shown = at_least(1, shown=shown)

    def suits(self, scene: Scene) -> bool:
        """Nets with a two-dimensional convolution."""
        return first_convolution(scene.net) is not None

    def draw(self, scene: Scene) -> None:
        """Grey or colour filters as they are, others channel by channel."""
        layer = first_convolution(scene.net)
        assert layer is not None
        weights = layer.weight.detach().float().cpu()
        if weights.shape[1] not in (1, 3) or min(weights.shape[2:]) == 1:
            weights = weights.flatten(0, 1)[:, None]
        count, weights = len(weights), weights[: self.shown]
        bound = bound_of(weights)
        size = "{} x {}".format(*layer.kernel_size)
        some = f"{len(weights)} of {count}" if len(weights) < count else str(count)
        canvas = tiled(
            signed(weights, bound),
            min(8, len(weights)),
            title=f"{some} filters, {size}",
            bar=ends(weights.shape[1], bound),
        )
        scene.image("layers/filters", canvas, "The filters of the first convolution.")


class FeatureMaps(Picture):
    """What the stages of a convolutional net make of a few images.

    A stage is what happens at one size of the maps; shown is what leaves the last layer of it that
    is not pooling or dropout.

    Args:
        samples: how many images.
        channels: how many maps of a stage, the first ones.
        every: see `Picture`.
    """

    name = "feature_maps"

    def __init__(self, *, samples: int = 3, channels: int = 10, every: int | None = None) -> None:
        super().__init__(every=every)
        self.samples = at_least(1, samples=samples)
        self.channels = at_least(1, channels=channels)

    def suits(self, scene: Scene) -> bool:
        """Nets of images with a two-dimensional convolution."""
        return image_shape(scene.data) is not None and first_convolution(scene.net) is not None

    def draw(self, scene: Scene) -> None:
        """Each sample in a row for each stage, the image before its maps."""
        samples = first(scene, self.samples)
        maps = stages(scene.net, samples.x)
        if not maps:
            return
        images = stored_images(scene.data, torch.arange(len(samples.x)))
        size = 44
        blocks, rows = [], []
        for number_, stage in enumerate(maps, 1):
            shown = stage[:, : self.channels]
            tiles = shown.flatten(0, 1)
            low, high = float(shown.min()), float(shown.max())
            block = fitted(coloured(tiles, "amount", low, high), size)
            blank = block.new_full((self.channels - shown.shape[1], size, size, 3), 255)
            for index, image in enumerate(fitted(images, size)):
                row = block[index * shown.shape[1] : (index + 1) * shown.shape[1]]
                blocks += [image[None], row, blank]
                text = f"{stage.shape[1]} @ {stage.shape[2]} x {stage.shape[3]}"
                rows.append(f"stage {number_}: {text}" if index == 0 else "")
        canvas = tiled(
            torch.cat(blocks),
            1 + self.channels,
            title=f"the first {self.channels} maps of each stage",
            size=size,
            rows=rows,
        )
        about = "What the stages of the net make of the first validation images: bright is much."
        scene.image("layers/feature_maps", canvas, about)


def ends(channels: int, bound: float) -> tuple[str, str, str] | None:
    """The colour bar of weights; colours of their own have none."""
    return ("signed", f"-{number(bound)}", number(bound)) if channels == 1 else None


def first_layer(net: nn.Module) -> nn.Linear | None:
    """The first layer that has weights, if it is linear."""
    for _, layer in leaves(net):
        if next(layer.parameters(), None) is not None:
            return layer if isinstance(layer, nn.Linear) else None
    return None


def first_convolution(net: nn.Module) -> nn.Conv2d | None:
    """The first two-dimensional convolution."""
    return next((layer for layer in net.modules() if isinstance(layer, nn.Conv2d)), None)


def stages(net: nn.Module, x: Tensor) -> list[Tensor]:
    """The maps (B, C, H, W) that leave each stage of a net, on the CPU."""
    calls: list[tuple[nn.Module, Tensor]] = []

    def note(layer: nn.Module, inputs: tuple[Tensor, ...], output: object) -> None:
        if isinstance(output, Tensor) and output.ndim == 4:
            calls.append((layer, output))

    hooks = [layer.register_forward_hook(note) for _, layer in leaves(net)]
    try:
        net(x)
    finally:
        for hook in hooks:
            hook.remove()
    found: list[Tensor] = []
    size: torch.Size | None = None
    convolved = False
    for layer, output in calls:
        if output.shape[2:] != size:
            size, convolved = output.shape[2:], False
            last: Tensor | None = None
        convolved = convolved or isinstance(layer, nn.Conv2d)
        passing = "Pool" in type(layer).__name__ or "Dropout" in type(layer).__name__
        if convolved and not passing and min(size) > 1:
            if last is not None:
                found.pop()
            last = output
            found.append(output)
    return [maps.detach().float().cpu() for maps in found[:STAGES]]


def fitted(images: Tensor, size: int) -> Tensor:
    """Images (N, H, W, 3) in squares of this size, in the middle of white."""
    images = resized(images, size)[:, :size, :size]
    high, wide = images.shape[1:3]
    square = images.new_full((len(images), size, size, 3), 255)
    top, left = (size - high) // 2, (size - wide) // 2
    square[:, top : top + high, left : left + wide] = images
    return square
