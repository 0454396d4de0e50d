"""The command `zoo-export`: a trained net as a file for other programs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from zoo import cli
from zoo.config import ConfigError, trusted

if TYPE_CHECKING:
    from torch import nn

    from zoo.checkpoint import Contents
    from zoo.exports import Exported
    from zoo.lit import LitModel


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
    check_settings(cfg)
    from zoo import exports
    from zoo.checkpoint import CheckpointError, contents
    from zoo.report import say

    try:
        found = contents(cfg.checkpoint)
    except CheckpointError as error:
        raise ConfigError(str(error)) from error
    except OSError as error:
        raise ConfigError(f"cannot read {error.filename}: {error.strerror}") from error
    try:
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
    except exports.ExportError as error:
        raise ConfigError(str(error)) from error
    except OSError as error:
        raise ConfigError(f"cannot write {error.filename}: {error.strerror}") from error
    for line in exports.summary(done):
        say(line)
    return done


def check_settings(cfg: DictConfig) -> None:
    """Refuse values that no export can have, before anything is loaded.

    Raises:
        ConfigError: no checkpoint is named, or a value is of the wrong kind.
    """
    if OmegaConf.is_missing(cfg, "checkpoint") or cfg.checkpoint is None:
        raise ConfigError("name what to export: checkpoint=<run folder, file or name>")
    for key in ("lengths", "int8"):
        if not isinstance(cfg[key], bool):
            raise ConfigError(f"`{key}` must be true or false, got {cfg[key]!r}")
    most = cfg.tolerance
    if isinstance(most, bool) or not isinstance(most, (int, float)) or not most >= 0:
        raise ConfigError(f"`tolerance` must be a number >= 0, got {most!r}")


def output_of(cfg: DictConfig, found: Contents) -> Path:
    """Where to write: what was asked for, or a name for it, here or in the folder asked for."""
    from zoo.exports import SUFFIXES

    choices = (found.config or {}).get("choices")
    if choices and isinstance(choices, dict):
        name = f"{choices.get('model')}_{choices.get('data')}"
    else:
        name = str(cfg.checkpoint).rstrip("/")
        if Path(name).exists():
            place = Path(name).resolve()
            name = place.name if place.is_dir() else place.stem  # a folder may be called net-1.0
        name = name.removeprefix("hf://")
    name = re.sub(r"[^\w.-]+", "_", name) + SUFFIXES.get(cfg.format, "")
    if cfg.output is None:
        return Path(name)
    output = Path(str(cfg.output))
    return output / name if output.is_dir() and SUFFIXES.get(cfg.format) else output


def measure_of(found: Contents) -> Callable[[nn.Module], Mapping[str, float]] | None:
    """A function (net) -> loss and metrics of the run's test split; None without its data.

    It gives nothing, and says why, where the data is not what it was.
    """
    if found.config is None:
        return None
    import lightning.pytorch as pl

    from zoo.exports.parity import first_line
    from zoo.report import say
    from zoo.runs import scalars

    unmeasured = "note   what int8 costs is not measured:"
    try:
        module, loader = data_of(found)
    except (ConfigError, OmegaConfBaseException) as error:  # the net is here, all the same
        say(f"{unmeasured} {first_line(error)}")
        return None

    def measure(net: nn.Module) -> dict[str, float]:
        module.net = net
        flags: dict[str, Any] = {"enable_progress_bar": False, "enable_model_summary": False}
        trainer = pl.Trainer(
            accelerator="cpu", devices=1, logger=False, enable_checkpointing=False, **flags
        )
        try:
            trainer.test(module, loader, verbose=False)
        except (ValueError, IndexError, RuntimeError) as error:
            say(f"{unmeasured} the data does not fit the net any more ({first_line(error)})")
            return {}
        return {key.partition("/")[2]: value for key, value in scalars(trainer).items()}

    return measure


def data_of(found: Contents) -> tuple[LitModel, Any]:
    """The run's training module and test data; says what is tested otherwise than in the run.

    Raises:
        ConfigError: the data is not here, or the file asks for what is not to be trusted.
        OmegaConfBaseException: the run's config is not whole.
    """
    from zoo.report import say
    from zoo.runs import build, quiet

    quiet()
    data, module = build(trusted(found.config or {}, found.source))
    if getattr(module, "carry_state", False):
        module.carry_state = False
        say("note   as in the file, no batch of the test goes on from the state of the one before")
    if hasattr(module.net, "sample"):
        say("note   as in the file, the test decodes the means of codes and draws none")
    return module, data.loader("test")


def main() -> None:
    """The command `zoo-export`."""
    cli.command("export", export)


if __name__ == "__main__":
    main()
