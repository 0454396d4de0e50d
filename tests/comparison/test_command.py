"""`zoo-compare` as a person types it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zoo.compare import compare
from zoo.config import ConfigError
from zoo.train import train

Leave = Callable[..., Path]


@pytest.mark.slow
def test_real_runs(composed: Callable[..., Any], tmp_path: Path) -> None:
    for model in ("linear", "fnn"):
        for seed in (0, 1):
            words = (f"model={model}", "data=wine", f"seed={seed}", "trainer.max_epochs=2")
            train(composed(*words, run_dir=tmp_path / "runs" / f"{model}{seed}"))
    cfg = composed(f"runs={tmp_path / 'runs'}", name="compare")
    found = compare(cfg)
    [ranking] = found.rankings
    assert (ranking.data, ranking.metric) == ("wine", "test/accuracy")
    assert {group.label for group in ranking.groups} == {"linear", "fnn"}
    for group in ranking.groups:
        for run in group.runs:
            kept = json.loads((run.folder / "metrics.json").read_text())
            assert group.values[run.seed] == kept["test/accuracy"]
    assert {"scores.png", "curves.png"} <= {file.name for file in found.files}
    assert found.left_out == ()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name what to compare: runs=<folder>"),
        (["runs=[]"], "name what to compare"),
        (["runs=nowhere"], "nowhere does not exist"),
        (["runs=runs", "metric=test/acuracy"], "nearest: test/accuracy"),
        (["runs=runs", "by=[modell]"], "nearest: model"),
        (["runs=runs", "out=runs/a/config.yaml"], "out=<folder>"),
    ],
)
def test_mistakes_are_one_sentence(
    words: list[str],
    message: str,
    leave: Leave,
    composed: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    leave("a", 0.5)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as error:
        compare(composed(*words, name="compare"))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("by", ["[model,lr]", "'model,lr'"])
def test_lists_in_both_ways(
    by: str, leave: Leave, composed: Callable[..., Any], runs: Path, tmp_path: Path
) -> None:
    leave("a", 0.5)
    leave("b", 0.6, model="cnn")
    words = (f"runs='{runs / 'a'},{runs / 'b'}'", f"by={by}", f"out={tmp_path / 'out'}")
    [ranking] = compare(composed(*words, name="compare")).rankings
    assert [group.label for group in ranking.groups] == ["cnn lr=0.005", "fnn lr=0.005"]
    assert (tmp_path / "out" / "comparison.md").is_file()


@pytest.mark.slow
def test_the_command(zoo: Callable[..., Any], leave: Leave, runs: Path) -> None:
    for seed in range(3):
        leave(f"0_model=fnn,seed={seed}", 0.9 + seed / 100, seed=seed)
    typed = ("runs=runs/0_model=fnn,seed=0,runs/0_model=fnn,seed=2", "by=model,data")
    done = zoo("compare", *typed, "out=ünï")
    assert (done.returncode, done.stderr) == (0, "")
    assert "fnn    0.9100 ± 0.0141  2" in done.stdout
    assert (runs.parent / "ünï" / "comparison.csv").is_file()
    refused = zoo("compare", "runs=runs", "metric=accurracy")
    assert refused.returncode == 1
    assert refused.stderr.startswith("zoo-compare: metric=test/accurracy: no finished run has it")
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.slow
def test_three_hundred_runs(
    zoo: Callable[..., Any], leave: Leave, events: Callable[..., Path], runs: Path
) -> None:
    curve = [(20 * epoch + 19, 0.5 + epoch / 100) for epoch in range(40)]
    for index in range(300):
        folder = leave(f"{index}", 0.9 - index / 1e4, seed=index % 5, optimizer__lr=index // 5 + 1)
        events(folder, {tag: curve for tag in ("val/loss", "val/accuracy", "train/loss", "lr")})
    done = zoo("compare", "runs=runs")
    assert done.returncode == 0
    assert "60 groups" in done.stdout
