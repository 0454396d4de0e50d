"""Lightning modules, one per way a batch flows."""

from zoo.lit.autoencoder import LitAutoencoder
from zoo.lit.base import LitModel, Prediction
from zoo.lit.feedforward import LitFeedForward
from zoo.lit.recurrent import LitRecurrent
from zoo.lit.trainer import Trainer

__all__ = ["LitAutoencoder", "LitFeedForward", "LitModel", "LitRecurrent", "Prediction", "Trainer"]
