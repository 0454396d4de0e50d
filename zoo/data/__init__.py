"""Data sets as Lightning data modules over one in-memory batch loader."""

from zoo.data.arrays import ArrayData, ArrayFile
from zoo.data.base import DataModule
from zoo.data.colour import CIFAR10, CIFAR100, SVHN
from zoo.data.csv_table import Table
from zoo.data.digits import Digits
from zoo.data.folder import ImageFolder
from zoo.data.generated import Generated
from zoo.data.images import EMNIST, KMNIST, MNIST, FashionMNIST
from zoo.data.language import TextLM
from zoo.data.loader import Batch, BatchLoader, Split
from zoo.data.piano_rolls import PianoRolls
from zoo.data.planar import Spirals, TwoMoons
from zoo.data.sequences import Adding, Sine
from zoo.data.series import Series
from zoo.data.streams import StreamLoader
from zoo.data.symbols import CopyMemory, Symbols, TemporalOrder
from zoo.data.tables import BreastCancer, BundledTable, Diabetes, Iris, Wine
from zoo.data.text import Text
from zoo.data.ucr import UCR

__all__ = [
    "Adding",
    "ArrayData",
    "ArrayFile",
    "Batch",
    "BatchLoader",
    "BreastCancer",
    "BundledTable",
    "CIFAR10",
    "CIFAR100",
    "CopyMemory",
    "DataModule",
    "Diabetes",
    "Digits",
    "EMNIST",
    "FashionMNIST",
    "Generated",
    "ImageFolder",
    "Iris",
    "KMNIST",
    "MNIST",
    "PianoRolls",
    "SVHN",
    "Series",
    "Sine",
    "Spirals",
    "Split",
    "StreamLoader",
    "Symbols",
    "Table",
    "TemporalOrder",
    "Text",
    "TextLM",
    "TwoMoons",
    "UCR",
    "Wine",
]
