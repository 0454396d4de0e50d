"""Pictures of a run in TensorBoard: each a small callback that finds out whether it suits."""

from zoo.pictures.base import Picture, Scene
from zoo.pictures.classification import Confusion, Mistakes, PrecisionRecall
from zoo.pictures.diagram import Diagram
from zoo.pictures.forecast import Forecast
from zoo.pictures.histograms import Histograms
from zoo.pictures.layers import FeatureMaps, Filters, FirstWeights
from zoo.pictures.memory import Gates, GradientNorm
from zoo.pictures.projector import Projector
from zoo.pictures.reconstruction import Codes, Reconstructions
from zoo.pictures.text import TextSample
from zoo.pictures.variational import Interpolation, LatentUse, PriorSamples, Traversal

__all__ = [
    "Codes",
    "Confusion",
    "Diagram",
    "FeatureMaps",
    "Filters",
    "FirstWeights",
    "Forecast",
    "Gates",
    "GradientNorm",
    "Histograms",
    "Interpolation",
    "LatentUse",
    "Mistakes",
    "Picture",
    "PrecisionRecall",
    "PriorSamples",
    "Projector",
    "Reconstructions",
    "Scene",
    "TextSample",
    "Traversal",
]
