"""Weights that come with the package, a model folder for each net and data set."""

from zoo.pretrained.index import folder_of, names

__all__ = ["folder_of", "names"]
