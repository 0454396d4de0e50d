"""The command `zoo-export`: a trained net as a file for other programs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from zoo import cli
from zoo.config import ConfigError, trusted

if TYPE_CHECKING:
    from torch import nn

    from zoo.checkpoint import Contents
    from zoo.exports import Exported


def export(cfg: DictConfig) -> Exported:
    """Write a trained net in another format.

    Args:
        cfg: `conf/export.yaml`, composed.

    Returns:
        What was written, and how it was checked.

    Raises:
        ConfigError: no such checkpoint, a net that cannot be exported so, or a file that cannot be
            written.
    """
    if OmegaConf.is_missing(cfg, "checkpoint"):
        raise ConfigError("name what to export: checkpoint=<run folder, file or name>")
    for key in ("lengths", "int8"):
        if not isinstance(cfg[key], bool):
            raise ConfigError(f"`{key}` must be true or false, got {cfg[key]!r}")
    if not isinstance(cfg.tolerance, (int, float)) or not cfg.tolerance >= 0:
        raise ConfigError(f"`tolerance` must be a number >= 0, got {cfg.tolerance!r}")
    from zoo import exports
    from zoo.checkpoint import CheckpointError, contents
    from zoo.report import say

    try:
        found = contents(cfg.checkpoint)
        done = exports.export(
            found.net,
            output_of(cfg, found),
            format=cfg.format,
            preprocessing=found.preprocessing,
            lengths=cfg.lengths,
            int8=cfg.int8,
            measure=measure_of(found) if cfg.int8 else None,
            tolerance=cfg.tolerance,
            card=found.card,
        )
    except (CheckpointError, exports.ExportError) as error:
        raise ConfigError(str(error)) from error
    except OSError as error:
        raise ConfigError(f"cannot write {error.filename}: {error.strerror}") from error
    for line in exports.summary(done):
        say(line)
    return done


def output_of(cfg: DictConfig, found: Contents) -> Path:
    """Where to write: what was asked for, or a name for it, here or in the folder asked for."""
    from zoo.exports import SUFFIXES

    choices = (found.config or {}).get("choices", {})
    if choices:
        name = f"{choices.get('model')}_{choices.get('data')}"
    else:
        source = str(cfg.checkpoint).rstrip("/")
        name = source if not Path(source).exists() else Path(source).resolve().stem
        name = name.removeprefix("hf://")
    name = re.sub(r"[^\w.-]+", "_", name) + SUFFIXES.get(cfg.format, "")
    if cfg.output is None:
        return Path(name)
    output = Path(str(cfg.output))
    return output / name if output.is_dir() and SUFFIXES.get(cfg.format) else output


def measure_of(found: Contents) -> Callable[[nn.Module], Mapping[str, float]] | None:
    """A function (net) -> loss and metrics of the run's test split; None without its data."""
    if found.config is None:
        return None
    import lightning.pytorch as pl

    from zoo.report import say
    from zoo.runs import build, quiet, scalars

    quiet()
    try:
        data, module = build(trusted(found.config, found.source))
    except ConfigError as error:  # the data is not here; the net is, all the same
        say(f"note   what int8 costs is not measured: {error}")
        return None
    loader = data.loader("test")
    if hasattr(module, "carry_state"):
        module.carry_state = False  # an export reads whole sequences, from an empty state

    def measure(net: nn.Module) -> dict[str, float]:
        module.net = net
        flags: dict[str, Any] = {"enable_progress_bar": False, "enable_model_summary": False}
        trainer = pl.Trainer(
            accelerator="cpu", devices=1, logger=False, enable_checkpointing=False, **flags
        )
        trainer.test(module, loader, verbose=False)
        return {key.partition("/")[2]: value for key, value in scalars(trainer).items()}

    return measure


def main() -> None:
    """The command `zoo-export`."""
    cli.command("export", export)


if __name__ == "__main__":
    main()
