"""Draw what each augmentation makes of the same images, a row for each.

python scripts/augmentations.py augmentations.png                      handwritten digits
python scripts/augmentations.py augmentations.png data=cifar10         any set of images
"""

import sys

import hydra
import numpy as np
import torch
from omegaconf import DictConfig
from PIL import Image, ImageDraw

from zoo.build import make
from zoo.config import conf_dir, register_resolvers

SIDE, COUNT, MARGIN = 56, 12, 90  # pixels of an image, images of a row, pixels of the names


def rows(words: list[str]) -> dict[str, torch.Tensor]:
    """Training images as they are, then as each augmentation gives them: (N, C, H, W)."""
    names = sorted(file.stem for file in conf_dir().glob("augmentation/*.yaml"))
    names = ["none", *(name for name in names if name != "none")]
    configs = {name: composed(f"augmentation={name}", *words) for name in names}
    data = make(configs["none"].data)
    shown = {}
    for name, cfg in configs.items():
        data.augmentation = make(cfg.augmentation)
        if all("image" in part.media for part in data.augmentation.values()):
            shown[name] = next(iter(data.loader("train", augment=True))).x
    return shown


def composed(*words: str) -> DictConfig:
    """The config of a run on images."""
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return hydra.compose("train", overrides=["data.view=image", *words])


def picture(shown: dict[str, torch.Tensor]) -> Image.Image:
    """All rows with their names, on the grey scale (or colours) of the first one."""
    low, high = shown["none"].amin(), shown["none"].amax()
    sheet = Image.new("RGB", (MARGIN + COUNT * SIDE, len(shown) * SIDE), "white")
    for index, (name, images) in enumerate(shown.items()):
        ImageDraw.Draw(sheet).text((6, index * SIDE + SIDE // 2 - 6), name, fill="black")
        for column, image in enumerate(images[:COUNT]):
            pixels = ((image - low) / (high - low)).clamp(0, 1).mul(255).byte()
            array = np.asarray(pixels.movedim(0, -1).expand(-1, -1, 3))
            tile = Image.fromarray(array).resize((SIDE - 4, SIDE - 4), Image.Resampling.NEAREST)
            sheet.paste(tile, (MARGIN + column * SIDE, index * SIDE + 2))
    return sheet


def main() -> None:
    if len(sys.argv) < 2 or "=" in sys.argv[1]:
        sys.exit(__doc__)
    register_resolvers()
    picture(rows(sys.argv[2:])).save(sys.argv[1])


if __name__ == "__main__":
    main()
