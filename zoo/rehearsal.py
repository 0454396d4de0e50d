"""A first training step on torch's meta device: every part meets the others, nothing is computed.

It comes before the data is read, so sizes that only the data knows are stand-ins.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from zoo.build import build_model, make, reason
from zoo.config import ConfigError, fill
from zoo.regularization import decay_groups
from zoo.transfer import freeze

# Images may be too small for some nets and too large for others; a net that no size suits is wrong.
SIZES = (32, 256)


def rehearse(cfg: DictConfig) -> None:
    """Build everything once, without memory, and take a step: ranges and shapes are checked.

    Raises:
        ConfigError: the sentence of the part that refused.
    """
    _try("data", lambda: make(cfg.data))
    parts = ("loss", "metrics", "regularization", "model", "optimizer", "scheduler")
    stage = OmegaConf.create(
        {key: OmegaConf.to_container(cfg[key], resolve=True) for key in parts if cfg[key]}
    )
    _try("optimizer", lambda: _optimizer(stage))
    start = {"freeze": cfg.get("freeze") or 0, "lr_decay": cfg.get("lr_decay") or 1.0}
    complaints = []
    for size in SIZES:
        try:
            _try("model", lambda size=size: _step(stage, start, cfg.data, size))  # type: ignore[misc]
            return
        except ConfigError as complaint:
            complaints.append(complaint)
    raise complaints[0]


def _try(place: str, action: Callable[[], object]) -> None:
    try:
        with torch.device("meta"), torch.random.fork_rng([]):
            action()
    except (InstantiationException, ValueError, TypeError, LookupError) as error:
        raise ConfigError(reason(error, place)) from error
    except (NotImplementedError, RuntimeError):
        return  # a part that looks at numbers, of which there are none here


def _optimizer(cfg: DictConfig) -> None:
    optimizer = make(cfg.optimizer)([torch.nn.Parameter(torch.zeros(1, device="cpu"))])
    if "scheduler" in cfg:
        make(cfg.scheduler)(optimizer, total_steps=10, epochs=1)


def _step(cfg: DictConfig, start: dict[str, Any], data: DictConfig, size: int) -> None:
    stage, facts = OmegaConf.create(cfg), stand_ins(data, size)
    loss = make(stage.loss)
    facts["target"] = target_of(data) or loss.target
    outputs = loss.outputs_per_target
    net = stage.model.net
    typed = {key: net[key] for key in net if not OmegaConf.is_missing(net, key)}
    facts |= {key: typed[key] for key in ("in_features", "in_shape", "in_channels") if key in typed}
    if "in_channels" in typed and "in_shape" not in typed:
        facts["in_shape"][0] = typed["in_channels"]
    classes = len(stage.loss.get("class_weights") or (0, 1))  # who types weights knows the classes
    facts["out_features"] = typed.get("out_features", classes * outputs) // outputs
    fill(stage, {**facts, "out_features": facts["out_features"] * outputs})
    module = build_model(stage)
    freeze(module.net, start["freeze"])
    decay_groups(module.net, lr_decay=start["lr_decay"])
    module.training_step(batch(data, facts), 0)


def stand_ins(data: DictConfig, size: int) -> dict[str, Any]:
    """Facts of the shape that a data set of this class has, with numbers made up."""
    source = get_object(data._target_)
    tokens = data.view in getattr(source, "token_views", ("tokens",))
    sequence = "rows" not in source.views and "sequence" in source.views
    return {
        "in_features": size,
        "in_shape": [3, size] if sequence else [3, size, size],
        "in_channels": 3,
        "out_features": 2,
        "num_classes": 2,
        "readout": source.readout,
        "embedding": 8 if tokens else None,
        "carry_state": getattr(source, "carry_state", False),
        "scale": [1.0],
    }


def target_of(data: DictConfig) -> str | None:
    """What a data set has as target, as far as its settings tell; None if only the data can."""
    source = get_object(data._target_)
    tasks = getattr(source, "tasks", {})
    return tasks.get(data.get("task"), source.target)


def batch(data: DictConfig, facts: dict[str, Any]) -> Any:
    """Two samples of such a data set, in the view that the model asked for."""
    from zoo.data import Batch

    tokens = facts["embedding"] is not None
    shapes = {"vector": [facts["in_features"]], "image": facts["in_shape"]}
    shape = [4] if tokens else shapes.get(data.view, [4, facts["in_features"]])
    x = torch.zeros(2, *shape, dtype=torch.int64 if tokens else torch.float32)
    steps = [4] if facts["readout"] == "every" else []
    if facts["target"] == "classes":
        return Batch(x, torch.zeros(2, *steps, dtype=torch.int64))
    return Batch(x, torch.zeros(2, *steps, facts["out_features"]))
