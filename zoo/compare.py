"""The command `zoo-compare`: finished runs in one table, best first, with what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omegaconf import DictConfig

from zoo import cli
from zoo.config import ConfigError

if TYPE_CHECKING:
    from zoo.comparison import Comparison


def compare(cfg: DictConfig) -> Comparison:
    """Compare runs; print the table, write it with figures.

    Args:
        cfg: `conf/compare.yaml`, composed.

    Returns:
        What was found, for use from Python.

    Raises:
        ConfigError: no such folder, no finished run, or no such metric or setting.
    """
    if not cfg.runs:
        raise ConfigError("name what to compare: runs=<folder>, or several: runs=<folder>,<folder>")
    from zoo.comparison import folders, report, words

    return report(
        folders(words(cfg.runs)),
        metric=None if cfg.metric is None else str(cfg.metric),
        by=None if cfg.by is None else words(cfg.by),
        columns=() if cfg.columns is None else words(cfg.columns),
        out=None if cfg.out is None else str(cfg.out),
    )


def main() -> None:
    """The command `zoo-compare`."""
    cli.command("compare", compare)


if __name__ == "__main__":
    main()
