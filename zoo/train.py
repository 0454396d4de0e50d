"""The command `zoo-train`: check, build, fit, test, report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from zoo import cli
from zoo.config import run_folder
from zoo.folders import alone_in, check_agreed

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import Callback


def train(cfg: DictConfig, *, callbacks: Sequence[Callback] = ()) -> dict[str, Any]:
    """Train, validate and test one net; write its run folder.

    Args:
        cfg: `conf/train.yaml`, composed.
        callbacks: of whoever watches this run, beside those of its config.

    Returns:
        What `metrics.json` holds: every final number, and `model`, `data` and `seed`.

    Raises:
        ConfigError: something in the config cannot work; nothing has been read or built.
        RunError: a disk, another process or a number failed; `last.ckpt` is kept.
        Stopped: by Ctrl-C, SIGTERM or SIGUSR1, with `last.ckpt` kept.
    """
    from lightning.pytorch import seed_everything

    from zoo import runs
    from zoo.endings import Explained
    from zoo.validation import check

    runs.quiet()
    check_agreed(cfg)
    folder, checkpoint = run_folder(cfg.resume or cfg.run_dir), None
    with alone_in(folder), Explained(folder) as explained:
        if cfg.resume:
            cfg, checkpoint = runs.continued(cfg)
        check(cfg)
        explained.trainer = trainer = runs.make_trainer(cfg, checkpoint)
        trainer.callbacks.extend(callbacks)  # type: ignore[attr-defined]
        seed_everything(cfg.seed, workers=True, verbose=False)
        data, module = runs.build(cfg, new=checkpoint is None)
        if trainer.auto_batch_size and checkpoint is None:
            runs.fill_memory(cfg, trainer, module, data)
        runs.announce(cfg, data, module, trainer)
        runs.fit(trainer, module, data, checkpoint)
        return runs.finish(cfg, trainer, module, data)


def main() -> None:
    """The command `zoo-train`."""
    cli.command("train", train)


if __name__ == "__main__":
    main()
