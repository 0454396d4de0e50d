"""From words to the configs that a sweep's runs keep: composed, checked, and written down."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from zoo.config import ConfigError, plain
from zoo.files import whole
from zoo.mistakes import sentence
from zoo.sweeps.plan import Job
from zoo.sweeps.words import composed


class Composed(NamedTuple):
    """A checked config, and the one with the `hydra` node, which resolvers are asked for."""

    task: DictConfig
    whole: DictConfig

    def folder_name(self, job: Job) -> str:
        """The folder of a job below that of the sweep, as `zoo-train -m` names it."""
        with read_write(self.whole.hydra), open_dict(self.whole.hydra):
            self.whole.hydra.job.num = job.number
            self.whole.hydra.job.override_dirname = ",".join(sorted(job.named))
        return str(self.whole.hydra.sweep.subdir)

    def frozen(self, folder: Path, seed: int | None = None) -> dict[str, Any]:
        """All that a run in that folder needs to know, with nothing left to be looked up."""
        with read_write(self.whole.hydra):
            self.whole.hydra.runtime.output_dir = str(folder)
        HydraConfig.instance().set_config(self.whole)
        task = self.task.copy()
        if seed is not None:
            task.seed = seed
        return plain(task)


def composed_jobs(
    jobs: Sequence[Job], config_dir: str | None, node: Any
) -> dict[tuple[str, ...], Composed]:
    """The checked config of each combination, by its words; those of its seeds are the same.

    Args:
        jobs: of the sweep.
        config_dir: a folder with a person's own YAML.
        node: the `sweep` that all of them must have had.

    Raises:
        ConfigError: the first job that cannot work, by its name, and why.
    """
    configs: dict[tuple[str, ...], Composed] = {}
    for job in jobs:
        if job.words in configs:
            continue
        try:
            cfg = composed("train", job.words, config_dir)
            if cfg.sweep != node:
                raise ConfigError("of experiments that are comparisons, one at a time can be run")
            configs[job.words] = checked(cfg)
        except (ConfigError, HydraException, OmegaConfBaseException) as error:
            text = str(error) if isinstance(error, ConfigError) else sentence(error, "sweep")
            name = f"job {job.number} ({job.label}): " if job.label else ""
            raise ConfigError(f"{name}{text.splitlines()[0]}") from error
    return configs


def checked(cfg: DictConfig) -> Composed:
    """A config as a job of a sweep has it, once it is found good.

    Raises:
        ConfigError: it cannot work.
    """
    from zoo.validation import check

    with read_write(cfg.hydra), open_dict(cfg.hydra):
        cfg.hydra.mode = RunMode.MULTIRUN
        cfg.hydra.runtime.output_dir = "run"
    HydraConfig.instance().set_config(cfg)
    task = cfg.copy()
    with open_dict(task):
        del task["hydra"]
    task.sweep = None
    check(task)
    return Composed(task, cfg)


def write_config(folder: Path, config: dict[str, Any]) -> None:
    """Write the config of a run that has not begun."""
    folder.mkdir(parents=True, exist_ok=True)
    with whole(folder / "config.yaml") as unfinished:
        OmegaConf.save(OmegaConf.create(config), unfinished)
