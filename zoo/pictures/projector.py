"""Codes for TensorBoard's Projector tab."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig
from torch import Tensor

from zoo.pictures.base import Picture, Scene, at_least
from zoo.pictures.canvas import packed, resized
from zoo.pictures.reconstruction import encoded, labelled
from zoo.pictures.samples import first, image_shape, served_images

FOLDER, CONFIG = "projector", "projector_config.pbtxt"
SPRITE = 32  # pixels of an image


class Projector(Picture):
    """Codes for TensorBoard's embedding projector, with their classes, and images as sprites.

    Written once, at the end, to `projector/` in the run folder.

    Args:
        samples: how many, of the validation split.
        sprites: whether to show images in place of points.
    """

    name = "projector"

    def __init__(self, *, samples: int = 500, sprites: bool = True) -> None:
        super().__init__()
        self.samples = at_least(2, samples=samples)
        self.sprites = sprites

    def suits(self, scene: Scene) -> bool:
        """Autoencoders."""
        return scene.module.reconstructs and hasattr(scene.net, "encode")

    def draw(self, scene: Scene) -> None:
        """Write codes, labels and sprites, and where they are.

        torch's `add_embedding` does the same in ten times the time.
        """
        home = Path(scene.writer.log_dir)
        folder = home / FOLDER
        folder.mkdir(exist_ok=True)
        codes = encoded(scene, self.samples)
        labels, classes = labelled(scene, len(codes))
        words = [classes[label] if classes else str(label) for label in labels.tolist()]
        lines = ["\t".join(f"{value:.6g}" for value in code) for code in codes.tolist()]
        (folder / "tensors.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (folder / "metadata.tsv").write_text("\n".join(words) + "\n", encoding="utf-8")
        config = ProjectorConfig()
        shown = config.embeddings.add(
            tensor_name="code",
            tensor_path=f"{FOLDER}/tensors.tsv",
            metadata_path=f"{FOLDER}/metadata.tsv",
        )
        if self.sprites and image_shape(scene.data) is not None:
            images = served_images(scene.data, first(scene, self.samples).x)
            sprites, side = sprite_sheet(resized(images, SPRITE))
            (folder / "sprites.png").write_bytes(packed(Image.fromarray(sprites.numpy())))
            shown.sprite.image_path = f"{FOLDER}/sprites.png"
            shown.sprite.single_image_dim.extend([side, side])
        (home / CONFIG).write_text(str(config), encoding="utf-8")


def sprite_sheet(images: Tensor) -> tuple[Tensor, int]:
    """Images (N, H, W, 3) row by row in a square of squares, and the side of one of these.

    The projector wants as many rows as columns.
    """
    count, high, wide, _ = images.shape
    side, rows = max(high, wide), int(torch.tensor(float(count)).sqrt().ceil())
    fields = images.new_full((rows * rows, side, side, 3), 255)
    fields[:count, :high, :wide] = images
    sheet = fields.view(rows, rows, side, side, 3).transpose(1, 2)
    return sheet.reshape(rows * side, rows * side, 3), side
