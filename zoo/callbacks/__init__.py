"""What watches a run."""

from zoo.callbacks.baseline import Baselines, PCABaseline
from zoo.callbacks.checkpoint import Checkpoint
from zoo.callbacks.progress import Progress
from zoo.callbacks.tensorboard import TensorBoardSummary

__all__ = ["Baselines", "Checkpoint", "PCABaseline", "Progress", "TensorBoardSummary"]
