"""Whether model, data, loss and metrics fit each other; loss and metrics can follow the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from zoo.config import ConfigError, conf_dir, suggest
from zoo.rehearsal import target_of

# Views that a net can read when its own YAML asks for the one on the left.
READS = {
    "vector": ("vector", "image", "rows", "pixels", "sequence"),  # flattened
    "image": ("image",),
    "sequence": ("sequence", "rows", "pixels", "tokens"),
}
# What data with this target is trained and measured with, if nobody says.
FOLLOWERS = {
    "classes": {"loss": "cross_entropy", "metrics": "classification"},
    "values": {"loss": "mse", "metrics": "regression"},
}


def check_partners(cfg: DictConfig) -> None:
    """Check that model, data, loss and metrics have the same thing in mind."""
    check_views(cfg)
    check_direction(cfg)
    check_targets(cfg, target_of(cfg.data))


def check_views(cfg: DictConfig) -> None:
    """Check that the model can read what the data offers."""
    data = get_object(cfg.data._target_)
    view, model, name = cfg.data.view, cfg.choices.model, cfg.choices.data
    asked = _view_of(model)
    if view not in data.views and view == asked:
        readers = ", ".join(_models_for(data.views))
        raise ConfigError(
            f"model={model} reads data.view={view}, but data={name} offers only "
            f"{', '.join(data.views)}; models that read those: {readers}"
        )
    if view not in data.views:
        raise ConfigError(f"data={name} offers no data.view={view}{suggest(view, data.views)}")
    if asked and view not in READS.get(asked, (view,)):
        raise ConfigError(
            f"model={model} cannot read data.view={view}; it reads {', '.join(READS[asked])}"
        )


def check_direction(cfg: DictConfig) -> None:
    """Check that the model does not read what it has to predict."""
    if get_object(cfg.data._target_).predicts_next and cfg.model.net.get("bidirectional"):
        raise ConfigError(
            f"data={cfg.choices.data} asks at each step for the next one, which "
            "model.net.bidirectional=true has read already; use model.net.bidirectional=false"
        )


def follow_target(cfg: DictConfig, target: str | None) -> bool:
    """Give data that may have classes or values the loss and metrics of what it has, in place.

    Those that were typed stay. Whether anything changed is given back.

    Args:
        cfg: of the run.
        target: "classes" or "values"; None where only the data itself can tell.
    """
    if target is None or reconstructs(cfg):
        return False
    changed = False
    for group, choice in FOLLOWERS[target].items():
        nodes = [cfg.loss] if group == "loss" else (cfg.metrics or {}).values()
        if typed(group) or all(compared(node) in (None, target) for node in nodes):
            continue
        cfg[group] = OmegaConf.load(conf_dir() / group / f"{choice}.yaml")
        if group in cfg.choices:
            cfg.choices[group] = choice
        changed = True
    return changed


def overrides() -> list[str]:
    """What was typed for this run, group and key overrides alike."""
    return list(HydraConfig.get().overrides.task) if HydraConfig.initialized() else []


def typed(group: str) -> bool:
    """Whether the command chose in a group, or set something inside it."""
    words = [override.lstrip("+~") for override in overrides()]
    return any(word == group or word.startswith((f"{group}=", f"{group}.")) for word in words)


def reconstructs(cfg: DictConfig) -> bool:
    """Whether the target is the input."""
    return bool(get_object(cfg.model._target_).reconstructs)


def compared(node: DictConfig) -> str | None:
    """What a loss or metric compares, "classes" or "values"; None: whatever there is."""
    return getattr(get_object(node._target_), "target", None)


def check_targets(cfg: DictConfig, target: str | None) -> None:
    """Check that loss and metrics compare what the data has; None where that is not known yet."""
    autoencoder = reconstructs(cfg)
    target = "values" if autoencoder else target
    whose = "an autoencoder's target, its input," if autoencoder else f"data={cfg.choices.data}"
    check_target(f"loss={cfg.choices.loss}", cfg.loss, target, whose)
    for key, metric in (cfg.metrics or {}).items():
        check_target(f"metrics.{key}", metric, target, whose)


def check_target(what: str, node: DictConfig, target: str | None, whose: str) -> None:
    """Check that a loss or metric compares what there is to compare."""
    wanted = compared(node)
    if target is not None and wanted is not None and wanted != target:
        kinds = {"classes": "class labels", "values": "numbers"}
        remedy = {
            "classes": "loss=cross_entropy and metrics=classification",
            "values": "loss=mse, mae or huber and metrics=regression",
        }
        raise ConfigError(
            f"{what} compares {kinds[wanted]}, but {whose} has {kinds[target]}; "
            f"use {remedy[target]}"
        )


def check_sizes(cfg: DictConfig, facts: Mapping[str, Any]) -> None:
    """Refuse a net that was typed, or recorded, smaller than the data now asks for.

    Raises:
        ConfigError: it has too few inputs, symbols or classes.
    """
    for key in ("in_features", "out_features"):
        size = cfg.model.net.get(key)
        if size is not None and size < facts[key]:
            raise ConfigError(
                f"model.net.{key}={size} is too few for data={cfg.choices.data}, which has "
                f"{facts[key]}"
            )


def _view_of(model: str) -> str | None:
    file = conf_dir() / "model" / f"{model}.yaml"
    return OmegaConf.load(file).data.view if file.is_file() else None


def _models_for(views: tuple[str, ...]) -> list[str]:
    names = sorted(path.stem for path in (conf_dir() / "model").glob("*.yaml"))
    return [name for name in names if _view_of(name) in views]
