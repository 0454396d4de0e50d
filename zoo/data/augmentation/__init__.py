"""Augmentation of whole training batches: vectorised, random per sample, seeded."""

from zoo.data.augmentation.base import Augmentation, Stack, Stream
from zoo.data.augmentation.corruption import Masking, Noise
from zoo.data.augmentation.mixing import CutMix, Mixup
from zoo.data.augmentation.moves import Flip, PadCrop
from zoo.data.augmentation.patches import Cutout, Erasing
from zoo.data.augmentation.series import Jitter, WindowCrop
from zoo.data.augmentation.warps import Affine, Elastic
from zoo.data.augmentation.words import WordDropout

__all__ = [
    "Affine",
    "Augmentation",
    "CutMix",
    "Cutout",
    "Elastic",
    "Erasing",
    "Flip",
    "Jitter",
    "Masking",
    "Mixup",
    "Noise",
    "PadCrop",
    "Stack",
    "Stream",
    "WindowCrop",
    "WordDropout",
]
