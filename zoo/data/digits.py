"""Handwritten digits, small enough to be part of scikit-learn."""

import torch

from zoo.data.base import DataModule
from zoo.data.loader import Split
from zoo.preprocessing.views import IMAGE


class Digits(DataModule):
    """1,797 handwritten digits as 8 x 8 counts from 0 to 16 (Alpaydin and Kaynak 1998).

    The test half of the UCI set "Optical Recognition of Handwritten Digits".
    """

    name = "digits"
    kind = IMAGE
    views = tuple(IMAGE.views)
    limits = (0.0, 16.0)

    def read(self) -> dict[str, Split]:
        """Reads scikit-learn's bundled copy."""
        from sklearn.datasets import load_digits

        bunch = load_digits()
        self.class_names = [str(digit) for digit in bunch.target_names]
        images = torch.from_numpy(bunch.images).to(torch.uint8).unsqueeze(1)  # (N, 1, 8, 8)
        return self.carve(images, torch.from_numpy(bunch.target).long())
