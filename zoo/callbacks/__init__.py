"""What watches a run."""

from zoo.callbacks.baseline import PCABaseline
from zoo.callbacks.checkpoint import Checkpoint
from zoo.callbacks.progress import Progress
from zoo.callbacks.tensorboard import TensorBoardSummary

__all__ = ["Checkpoint", "PCABaseline", "Progress", "TensorBoardSummary"]
