"""Data sets as Lightning data modules over one in-memory batch loader."""

from zoo.data.base import DataModule
from zoo.data.digits import Digits
from zoo.data.generated import Generated
from zoo.data.loader import Batch, BatchLoader, Split
from zoo.data.planar import Spirals, TwoMoons
from zoo.data.sequences import Adding, Sine
from zoo.data.symbols import CopyMemory, Symbols, TemporalOrder
from zoo.data.tables import BreastCancer, BundledTable, Diabetes, Iris, Wine

__all__ = [
    "Adding",
    "Batch",
    "BatchLoader",
    "BreastCancer",
    "BundledTable",
    "CopyMemory",
    "DataModule",
    "Diabetes",
    "Digits",
    "Generated",
    "Iris",
    "Sine",
    "Spirals",
    "Split",
    "Symbols",
    "TemporalOrder",
    "TwoMoons",
    "Wine",
]
