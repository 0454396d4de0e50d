"""What all tests share: a composed config, and the commands as a person types them."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hydra
import pytest
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict

from zoo.config import conf_dir, register_resolvers

ROOT = Path(__file__).parent.parent

# Many small jobs: a second thread costs far more than it gives.
torch.set_num_threads(1)


@pytest.fixture
def composed(tmp_path: Path) -> Iterator[Callable[..., DictConfig]]:
    """A function (*overrides, name="train") -> the config that the command would get.

    Its `run_dir` is `tmp_path / "run"`.
    """
    register_resolvers()
    before = HydraConfig.instance().cfg
    run_dir = tmp_path / "run"

    def compose(*overrides: str, name: str = "train") -> DictConfig:
        with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
            cfg = hydra.compose(name, list(overrides), return_hydra_config=True)
        with open_dict(cfg):
            cfg.hydra.run.dir = str(run_dir)
            cfg.hydra.runtime.output_dir = str(run_dir)
        HydraConfig.instance().set_config(cfg)
        with open_dict(cfg):
            del cfg["hydra"]
        return cfg

    yield compose
    HydraConfig.instance().cfg = before


@pytest.fixture
def zoo(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """A function (command, *arguments, cwd, env, timeout) that runs zoo-<command>."""

    def run(
        command: str,
        *arguments: str,
        cwd: Path = tmp_path,
        env: dict[str, str] | None = None,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", f"zoo.{command}", *arguments],
            cwd=cwd,
            env=environment(**(env or {})),
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    return run


def environment(**changes: Any) -> dict[str, str]:
    """The environment of a child process that can import this checkout from any folder."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    settings = {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1", "COLUMNS": "120"}
    return {**os.environ, **settings, **changes}


@pytest.fixture
def fit(tmp_path: Path) -> Callable[..., Any]:
    """A function (module, train, val=None, batch_size=4, **flags) that fits in order, quietly."""
    import warnings

    import lightning.pytorch as pl

    from zoo.data import BatchLoader, Split

    def run(
        module: pl.LightningModule,
        train: Split,
        val: Split | None = None,
        *,
        batch_size: int = 4,
        **flags: Any,
    ) -> pl.Trainer:
        quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
        settings = {"max_epochs": 1, "num_sanity_val_steps": 0, "enable_model_summary": False}
        with warnings.catch_warnings():
            # Notices about loaders and versions; what the zoo itself warns of is not among them.
            warnings.filterwarnings("ignore", module=r"lightning\..*")
            trainer = pl.Trainer(
                accelerator="cpu",
                default_root_dir=tmp_path,
                **{**quiet, **settings, "log_every_n_steps": 1, **flags},
            )
            loaders = [BatchLoader(split, batch_size) for split in (train, val) if split]
            trainer.fit(module, *loaders)
        return trainer

    return run
