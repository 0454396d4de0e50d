"""Tables of measurements that are part of scikit-learn."""

from abc import abstractmethod
from typing import Any

import torch

from zoo.data.base import DataModule
from zoo.data.loader import Split
from zoo.preprocessing import Input, NumberColumn, TableInput


class BundledTable(DataModule):
    """A table of numeric columns in one of scikit-learn's bundles."""

    def way_in(self) -> Input:
        """Rows by the names of their columns."""
        return TableInput([NumberColumn(name) for name in self.columns], self.input_scaling)

    @abstractmethod
    def load(self) -> Any:
        """Gives scikit-learn's bunch."""

    def read(self) -> dict[str, Split]:
        """Splits the bunch."""
        bunch = self.load()
        self.columns = [str(name) for name in bunch.feature_names]
        x, y = torch.from_numpy(bunch.data).float(), torch.from_numpy(bunch.target)
        if self.target == "values":
            return self.carve(x, y.float().unsqueeze(1))
        self.class_names = [str(name) for name in bunch.target_names]
        return self.carve(x, y.long())


class Iris(BundledTable):
    """150 flowers of three species by four lengths (Fisher 1936)."""

    name = "iris"

    def load(self) -> Any:
        """Loads Iris."""
        from sklearn.datasets import load_iris

        return load_iris()


class Wine(BundledTable):
    """178 wines of three growers by 13 chemical measurements (Forina 1991)."""

    name = "wine"

    def load(self) -> Any:
        """Loads Wine."""
        from sklearn.datasets import load_wine

        return load_wine()


class BreastCancer(BundledTable):
    """569 tumours, malignant or benign, by 30 measurements of their cells (Street 1993)."""

    name = "breast_cancer"

    def load(self) -> Any:
        """Loads Breast Cancer Wisconsin (Diagnostic)."""
        from sklearn.datasets import load_breast_cancer

        return load_breast_cancer()


class Diabetes(BundledTable):
    """442 patients by ten measurements; the target is the disease's progress (Efron 2004).

    The target is standardised by the training split; `facts["scale"]` is its deviation there.
    """

    name = "diabetes"
    target = "values"
    standardise_target = True

    def load(self) -> Any:
        """Loads Diabetes as measured."""
        from sklearn.datasets import load_diabetes

        # scikit-learn's default scales by all samples, those of the test among them.
        return load_diabetes(scaled=False)
