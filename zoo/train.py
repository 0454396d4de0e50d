"""The command `zoo-train`: check, build, fit, test, report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from zoo import cli


def train(cfg: DictConfig) -> dict[str, Any]:
    """Train, validate and test one net; write its run folder.

    Args:
        cfg: `conf/train.yaml`, composed.

    Returns:
        What `metrics.json` holds: every final number, and `model`, `data` and `seed`.

    Raises:
        ConfigError: something in the config cannot work; nothing has been read or built.
        KeyboardInterrupt: stopped by Ctrl-C, with `last.ckpt` kept.
    """
    from lightning.pytorch import seed_everything

    from zoo import runs
    from zoo.validation import check

    runs.quiet()
    checkpoint = None
    if cfg.resume:
        cfg, checkpoint = runs.continued(cfg)
    check(cfg)
    trainer = runs.make_trainer(cfg, checkpoint)
    seed_everything(cfg.seed, workers=True, verbose=False)
    data, module = runs.build(cfg)
    runs.announce(cfg, data, module, trainer)
    runs.fit(trainer, module, data, checkpoint, Path(cfg.run_dir))
    return runs.finish(cfg, trainer, module, data)


def main() -> None:
    """The command `zoo-train`."""
    cli.command("train", train)


if __name__ == "__main__":
    main()
