"""The command `zoo-evaluate`: a checkpoint against a split of its data."""

from __future__ import annotations

from omegaconf import DictConfig, OmegaConf

from zoo import cli
from zoo.config import ConfigError, trusted

SPLITS = ("train", "val", "test")


def evaluate(cfg: DictConfig) -> dict[str, float]:
    """Compute loss and metrics of a trained net; the checkpoint knows its own config.

    Args:
        cfg: `conf/evaluate.yaml`, composed.

    Returns:
        The numbers, as `test/<name>` for the test split and so on.

    Raises:
        ConfigError: no such checkpoint or split, a damaged file, or data that is not what it was.
    """
    if OmegaConf.is_missing(cfg, "checkpoint") or cfg.checkpoint is None:
        raise ConfigError("name what to evaluate: checkpoint=<run folder or .ckpt file>")
    if cfg.split not in SPLITS:
        raise ConfigError(f"`split` must be one of {', '.join(SPLITS)}, got {cfg.split!r}")
    from zoo.build import make
    from zoo.checkpoint import CheckpointError, checkpoint_file, read
    from zoo.report import print_table, say
    from zoo.runs import build, quiet, scalars

    quiet()
    try:
        file = checkpoint_file(cfg.checkpoint)
        checkpoint = read(file)
    except CheckpointError as error:
        raise ConfigError(str(error)) from error
    run = trusted(checkpoint["zoo"]["config"], str(file))
    if cfg.batch_size is not None:
        for key in ("data.batch_size", "data.eval_batch_size"):
            OmegaConf.update(run, key, cfg.batch_size, force_add=True)
    data, module = build(run)
    module.load_state_dict(checkpoint["state_dict"])
    trainer = make(cfg.trainer, logger=False, enable_checkpointing=False)
    loader = data.loader(cfg.split)
    if cfg.split == "test":
        trainer.test(module, loader, verbose=False)
    else:
        trainer.validate(module, loader, verbose=False)
    metrics = {
        f"{cfg.split}/{name.partition('/')[2]}": value for name, value in scalars(trainer).items()
    }
    print_table(f"{run.choices.model} on {run.choices.data}, {cfg.split} split", metrics)
    say(f"checkpoint  {file}")
    return metrics


def main() -> None:
    """The command `zoo-evaluate`."""
    cli.command("evaluate", evaluate)


if __name__ == "__main__":
    main()
