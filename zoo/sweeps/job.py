"""A run from its frozen config: begun, or gone on with."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from hydra.conf import ConfigSourceInfo, HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from zoo import runs, validation  # noqa: F401 - the check is imported here, and not by each job
from zoo.callbacks.checkpoint import BEST, LAST
from zoo.config import ConfigError, conf_dir, plain, trusted
from zoo.report import shown
from zoo.sweeps.pruning import Pruning
from zoo.train import train

Ask = Callable[[dict[str, Any]], dict[str, Any]]
FLAGS = (torch.backends.cudnn.benchmark, torch.are_deterministic_algorithms_enabled())


def run(request: dict[str, Any], ask: Ask) -> dict[str, Any]:
    """Run the job of a folder.

    Args:
        request: its `folder`, `words` and `config_dir`; for a trial of a search, the metric to
            `watch`.
        ask: tells the process that has the jobs something, and gives back its reply.

    Raises:
        ConfigError: its config cannot be used any more.
        RunError: a disk, another process or a number failed.
        Stopped: by a signal, with `last.ckpt` kept.
    """
    folder = Path(request["folder"])
    callbacks = [Pruning(request["watch"], ask)] if request.get("watch") else []
    if any((folder / "checkpoints" / name).exists() for name in (LAST, BEST)):
        tell_hydra(folder, [], request["config_dir"])
        cfg = OmegaConf.create({"resume": str(folder), "run_dir": str(folder)})
    else:
        tell_hydra(folder, request["words"], request["config_dir"])
        cfg = frozen(folder)
    return train(cfg, callbacks=callbacks)


def frozen(folder: Path) -> DictConfig:
    """The config of a run that has not begun.

    Raises:
        ConfigError: it is damaged, or asks for what no YAML of ours names.
    """
    file = folder / "config.yaml"
    try:
        saved: Any = OmegaConf.load(file)
        cfg = trusted(plain(saved), shown(file))
        return runs.moved(cfg, cfg.run_dir, str(folder))
    except (yaml.YAMLError, OmegaConfBaseException, AssertionError, OSError) as error:
        text = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"{shown(file)} is damaged ({text})") from error


def tell_hydra(folder: Path, words: Sequence[str], config_dir: str | None) -> None:
    """What Hydra would know of the run, had it been started by `zoo-train -m`."""
    sources = [str(conf_dir()), *([config_dir] if config_dir else [])]
    cfg = OmegaConf.create({"hydra": OmegaConf.structured(HydraConf)})
    cfg.hydra.mode = RunMode.MULTIRUN
    cfg.hydra.overrides.task = list(words)
    cfg.hydra.runtime.output_dir = str(folder)
    cfg.hydra.runtime.config_sources = [ConfigSourceInfo(path, "file", "zoo") for path in sources]
    HydraConfig.instance().set_config(cfg)


def clear() -> None:
    """Leave nothing of a run to the next one in this process."""
    gc.collect()
    torch.backends.cudnn.benchmark = FLAGS[0]
    torch.use_deterministic_algorithms(FLAGS[1])
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if "torch._dynamo" in sys.modules:  # or nets of one class would soon run uncompiled
        torch.compiler.reset()
