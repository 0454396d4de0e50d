"""From nodes of a config to objects."""

from __future__ import annotations

from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig


def make(node: Any, **settings: Any) -> Any:
    """Instantiate a node, with plain lists and dicts as arguments."""
    return instantiate(node, _convert_="all", **settings)


def build_model(cfg: DictConfig) -> Any:
    """The Lightning module: net, loss, regularization, metrics and optimizer joined."""
    return make(cfg.model, _partial_=True)(
        loss=make(cfg.loss),
        regularization=make(cfg.get("regularization")),
        metrics=make(cfg.get("metrics")),
        optimizer=make(cfg.optimizer),
        scheduler=make(cfg.get("scheduler")),
    )


def reason(error: BaseException, place: str = "") -> str:
    """The sentence at the bottom of an error that Hydra wrapped, and where it arose."""
    if isinstance(error, InstantiationException):
        key = "full_key: "
        lines = [line.removeprefix(key) for line in str(error).splitlines() if line.startswith(key)]
        place = lines[0] if lines else place
        while error.__cause__ is not None:
            error = error.__cause__
    text = " ".join(str(error).split())
    return f"{place}: {text}" if place else text
