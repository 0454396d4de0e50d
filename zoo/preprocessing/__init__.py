"""From raw input to what a net reads, and from what it gives back to answers; torch and numpy."""

from zoo.preprocessing.affine import Scaling
from zoo.preprocessing.arrays import ArrayInput
from zoo.preprocessing.base import Input, Inputs, Output
from zoo.preprocessing.images import ImageInput
from zoo.preprocessing.outputs import Classes, Frames, NextToken, Reconstruction, Values
from zoo.preprocessing.record import Preprocessing
from zoo.preprocessing.series import SeriesInput
from zoo.preprocessing.tables import CategoryColumn, NumberColumn, TableInput
from zoo.preprocessing.texts import LanguageInput, TextInput
from zoo.preprocessing.vocabulary import Vocabulary

__all__ = [
    "ArrayInput",
    "CategoryColumn",
    "Classes",
    "Frames",
    "ImageInput",
    "Input",
    "Inputs",
    "LanguageInput",
    "NextToken",
    "NumberColumn",
    "Output",
    "Preprocessing",
    "Reconstruction",
    "Scaling",
    "SeriesInput",
    "TableInput",
    "TextInput",
    "Values",
    "Vocabulary",
]
