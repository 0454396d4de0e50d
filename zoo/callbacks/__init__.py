"""What watches a run."""

from zoo.callbacks.baseline import Baselines, PCABaseline
from zoo.callbacks.checkpoint import Checkpoint
from zoo.callbacks.cost import Cost
from zoo.callbacks.doctor import Doctor
from zoo.callbacks.early_stopping import EarlyStopping
from zoo.callbacks.ema import EMA
from zoo.callbacks.finite import Finite, NotFiniteError
from zoo.callbacks.gap import Gap
from zoo.callbacks.probe import LinearProbe
from zoo.callbacks.progress import Progress
from zoo.callbacks.resume import ExactResume
from zoo.callbacks.tensorboard import TensorBoardSummary

__all__ = [
    "EMA",
    "Baselines",
    "Checkpoint",
    "Cost",
    "Doctor",
    "EarlyStopping",
    "ExactResume",
    "Finite",
    "Gap",
    "LinearProbe",
    "NotFiniteError",
    "PCABaseline",
    "Progress",
    "TensorBoardSummary",
]
