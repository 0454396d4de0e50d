"""What all tests share: a composed config, and the commands as a person types them."""

import logging
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import hydra
import pytest
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from omegaconf import DictConfig, open_dict

from zoo.config import conf_dir, register_resolvers
from zoo.signals import NAMES

ROOT = Path(__file__).parent.parent

# Many small jobs: a second thread costs far more than it gives.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seed() -> None:
    """Each test draws the same numbers, whichever ran before it."""
    torch.manual_seed(0)


@pytest.fixture
def composed(tmp_path: Path) -> Iterator[Callable[..., DictConfig]]:
    """A function (*overrides, name="train", run_dir) -> the config that the command would get.

    Its `run_dir` is `tmp_path / "run"` unless another is given.
    """
    register_resolvers()
    before = HydraConfig.instance().cfg

    def compose(
        *overrides: str, name: str = "train", run_dir: Path = tmp_path / "run"
    ) -> DictConfig:
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
def gpu_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine with a GPU, for what is checked and not run."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


@pytest.fixture(scope="session")
def deadline() -> Callable[..., Iterator[None]]:
    """A loop that polls until the caller leaves it, and fails after so many seconds."""

    def poll(seconds: float, pause: float = 0.02) -> Iterator[None]:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            yield
            time.sleep(pause)
        pytest.fail(f"nothing happened within {seconds} s")

    return poll


def without_cost(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if not name.startswith("cost/")}


@pytest.fixture(scope="session")
def reached() -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A function (values by name) -> all but what they cost, which is another each time."""
    return without_cost


# --- other processes -------------------------------------------------------------------------


@pytest.fixture(scope="session")
def environment() -> Callable[..., dict[str, str]]:
    """A function (**changes) -> the environment of a child that can import this checkout.

    What is changed to None is left out.
    """

    def make(**changes: str | None) -> dict[str, str]:
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        settings = {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1", "COLUMNS": "120"}
        every = {**os.environ, **settings, **changes}
        return {name: value for name, value in every.items() if value is not None}

    return make


@pytest.fixture(scope="session")
def call(
    environment: Callable[..., dict[str, str]],
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """A function (*words, cwd, timeout, **changes of the environment) that runs a process."""

    def run(
        *words: str | Path, cwd: Path | None = None, timeout: float = 600, **changes: str | None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(word) for word in words],
            cwd=cwd,
            env=environment(**changes),
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    return run


@pytest.fixture
def zoo(
    call: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """A function (command, *arguments, cwd=tmp_path, timeout) that runs zoo-<command>."""

    def run(command: str, *arguments: str, **how: Any) -> subprocess.CompletedProcess[str]:
        return call(sys.executable, "-m", f"zoo.{command}", *arguments, **{"cwd": tmp_path, **how})

    return run


# --- in this process -------------------------------------------------------------------------


class Answer(NamedTuple):
    """How a command ended."""

    code: int
    error: str
    files: set[str]  # that are there now, apart from Hydra's own record of the command


@pytest.fixture
def typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Answer]]:
    """A function (command, *words) -> what a refused command leaves behind in tmp_path.

    In this process, so that torch is imported once; reading any data is an error.
    """
    import zoo.data
    from zoo import evaluate, train

    def read(self: zoo.data.DataModule, stage: str | None = None) -> None:
        raise AssertionError("data was read")

    monkeypatch.setattr(zoo.data.DataModule, "setup", read)
    monkeypatch.chdir(tmp_path)
    singletons, root = Singleton.get_state(), logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def run(command: str, *words: str) -> Answer:
        monkeypatch.setattr(sys, "argv", [f"zoo-{command}", *words])
        monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
        with pytest.raises(SystemExit) as stop:
            {"train": train.main, "evaluate": evaluate.main}[command]()
        assert isinstance(stop.value.code, int)
        files = {file.relative_to(tmp_path) for file in tmp_path.rglob("*") if file.is_file()}
        kept = {str(f) for f in files if ".hydra" not in f.parts and f.suffix != ".log"}
        return Answer(stop.value.code, capsys.readouterr().err, kept)

    yield run
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:], root.level = handlers, level
    Singleton.set_state(singletons)


@pytest.fixture
def fit(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """A function (module, train, val=None, batch_size=4, **flags) that fits in order, quietly."""
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

    handlers = {number: signal.getsignal(number) for number in NAMES}
    yield run
    for number, handler in handlers.items():  # Lightning leaves some when a fit has failed
        signal.signal(number, handler)
