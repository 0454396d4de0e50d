"""Sweeps beyond this process: what of Hydra's launchers can be run on one machine."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra.errors import MissingConfigException

from zoo.config import conf_dir
from zoo.mistakes import sentence

PLUGINS = {"slurm": "hydra_submitit_launcher", "ray_cluster": "hydra_ray_launcher"}
TWO = ("-m", "model=linear,fnn", "data=iris", "debug=fast", "hydra.sweep.dir=sweep")


def plugin(preset: str) -> None:
    """Skip where the launcher is not installed."""
    pytest.importorskip(f"hydra_plugins.{PLUGINS[preset]}", reason=f"neural-zoo[{preset}]")


@pytest.mark.parametrize("preset", PLUGINS)
def test_presets_open_with_their_command(preset: str) -> None:
    file = conf_dir() / "hydra" / "launcher" / f"{preset}.yaml"
    words = shlex.split(file.read_text(encoding="utf-8").splitlines()[0].removeprefix("# "))
    assert words[:3] == ["zoo-train", "-m", f"hydra/launcher={preset}"]


@pytest.mark.parametrize("preset", PLUGINS)
@pytest.mark.slow
def test_presets_bind_to_their_launcher(preset: str, zoo: Callable[..., Any]) -> None:
    plugin(preset)
    done = zoo("train", "--cfg", "hydra", "-p", "hydra.launcher", f"hydra/launcher={preset}")
    assert (done.returncode, done.stderr) == (0, "")
    config = yaml.safe_load(done.stdout)
    own = yaml.safe_load((conf_dir() / "hydra" / "launcher" / f"{preset}.yaml").read_text())
    own.pop("defaults")
    assert config.pop("_target_").startswith(f"hydra_plugins.{PLUGINS[preset]}.")
    assert own.items() <= config.items()


@pytest.mark.parametrize(
    ("launcher", "extra"),
    [("submitit_slurm", "slurm"), ("submitit_local", "slurm"), ("ray", "ray")],
)
def test_without_its_plugin_a_preset_says_what_to_install(launcher: str, extra: str) -> None:
    error = MissingConfigException("", missing_cfg_file=f"hydra/launcher/{launcher}", options=[])
    assert sentence(error, "train") == (
        f"hydra/launcher/{launcher} is not installed: pip install 'neural-zoo[{extra}]'"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "words"),
    [
        ("slurm", ("hydra/launcher=submitit_local",)),
        (
            "ray_cluster",
            ("hydra/launcher=ray_cluster", "hydra.launcher.ray.init.num_cpus=2"),
        ),
    ],
    ids=["submitit", "ray"],
)
def test_jobs_run_in_processes_of_their_own(
    preset: str, words: tuple[str, ...], zoo: Callable[..., Any], tmp_path: Path
) -> None:
    plugin(preset)
    done = zoo("train", *TWO, *words)
    assert done.returncode == 0, done.stderr
    rows = {
        file.parent.name: json.loads(file.read_text())
        for file in tmp_path.glob("sweep/*/metrics.json")
    }
    assert {name: row["model"] for name, row in rows.items()} == {
        "0_data=iris,debug=fast,model=linear": "linear",
        "1_data=iris,debug=fast,model=fnn": "fnn",
    }
