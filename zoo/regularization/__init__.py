"""Penalties added to the loss, constraints applied after a step, and which parameters decay."""

from zoo.regularization.activations import Activity, Contractive, KLSparsity, TemporalActivation
from zoo.regularization.base import Constraint, Penalty, decay_groups, scale_rates, weights
from zoo.regularization.parameters import L1, L2, ElasticNet, MaxNorm

__all__ = [
    "L1",
    "L2",
    "Activity",
    "Constraint",
    "Contractive",
    "ElasticNet",
    "KLSparsity",
    "MaxNorm",
    "Penalty",
    "TemporalActivation",
    "decay_groups",
    "scale_rates",
    "weights",
]
