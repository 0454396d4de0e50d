"""The configs of a sweep: found good before anything runs, frozen, and those of zoo-train."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import DictConfig

from zoo import __version__
from zoo.config import plain


def test_configs_are_those_that_zoo_train_would_have(
    launched: Callable[..., Path], composed: Callable[..., DictConfig], kept: Any
) -> None:
    folder = launched("model=linear", "data=iris", "optimizer.lr=1e-3", "seeds=2")
    jobs = kept(folder)["jobs"]
    assert [job["folder"] for job in jobs] == [
        f"{seed}_data=iris,model=linear,optimizer.lr=0.001,seed={seed}" for seed in (0, 1)
    ]
    for job in jobs:
        run = folder / job["folder"]
        expected = plain(composed(*job["overrides"], run_dir=run))
        assert yaml.safe_load((run / "config.yaml").read_text()) == json.loads(json.dumps(expected))


def test_record_says_how_it_was_launched(launched: Callable[..., Path], kept: Any) -> None:
    record = kept(launched("model=fnn,linear", "data=iris", "seeds=2"))
    assert record["command"] == ["model=fnn,linear", "data=iris", "folder=mine", "seeds=2"]
    assert record["axes"] == {"model": ["fnn", "linear"], "seed": ["0", "1"]}
    assert record["jobs"][3]["label"] == "model=linear seed=1"
    assert record["versions"]["zoo"] == __version__
    assert set(record["versions"]) == {"zoo", "torch", "lightning", "python"}
    assert record["cwd"] == str(Path.cwd())
    assert (record["seeds"], record["search"]) == (2, None)


def test_an_experiment_that_compares_becomes_ordinary_runs(
    launched: Callable[..., Path], own: Path, kept: Any
) -> None:
    folder = launched(f"--config-dir={own}", "experiment=faults", "data=iris", "name=fine,diverges")
    record = kept(folder)
    assert [job["folder"] for job in record["jobs"]] == [
        *("0_data=iris,experiment=faults,name=fine", "1_data=iris,experiment=faults,name=diverges"),
    ]
    config = yaml.safe_load((folder / record["jobs"][1]["folder"] / "config.yaml").read_text())
    assert (config["name"], config["sweep"], config["optimizer"]["lr"]) == ("diverges", None, 1e30)
    assert (record["report"], record["config_dir"]) == ({"metric": "test/loss"}, str(own))


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "model=fnn,cnn data=digits,iris",
            "job 3 (model=cnn data=iris): model=cnn reads data.view=image, but data=iris offers",
        ),
        (
            "model=linear optimizer.lr=1e-3,-1 seeds=2",
            "job 2 (optimizer.lr=-1 seed=0): optimizer: Invalid learning rate: -1",
        ),
        ("model.net.droput=0.1,2", "`model.net` has no key 'droput'"),
        ("model=linear trainer=ddp", "in each process; use trainer.strategy.start_method=spawn"),
    ],
)
def test_one_bad_job_stops_all_before_anything_is_there(
    line: str, sentence: str, refused: Callable[..., str]
) -> None:
    assert sentence in refused(*line.split())


@pytest.mark.slow
def test_only_one_comparison_at_a_time(refused: Callable[..., str], own: Path) -> None:
    line = refused(f"--config-dir={own}", "experiment=faults,adding_lstm", "name=fine")
    assert "of experiments that are comparisons, one at a time can be run" in line
