"""The curves and tables of five families, as TensorBoard itself serves them."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

# One process writes the runs, another serves them: far more than a test's usual second.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("tensorboard")]


@pytest.fixture(scope="module")
def experiment(ask: Callable[..., Any]) -> dict[str, Any]:
    """What the HPARAMS tab knows about all runs."""
    return ask("/data/plugin/hparams/experiment", {"hparamsLimit": 0})


@pytest.fixture(scope="module")
def columns(experiment: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The hyperparameters of the HPARAMS tab by name."""
    return {info["name"]: info for info in experiment["hparamInfos"]}


@pytest.fixture(scope="module")
def rows(
    ask: Callable[..., Any], experiment: dict[str, Any], columns: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """The runs of the HPARAMS tab by model: hyperparameters and metrics."""
    request = {
        "colParams": [
            *({"hparam": name, "includeInResult": True} for name in columns),
            *({"metric": info["name"]} for info in experiment["metricInfos"]),
        ],
        "allowedStatuses": ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"],
        "startIndex": 0,
        "sliceSize": 100,
        "includeMetrics": True,
    }
    groups = ask("/data/plugin/hparams/session_groups", request)["sessionGroups"]
    found = {}
    for group in groups:
        [session] = group["sessions"]
        metrics = {
            value["name"]["tag"]: value["value"]
            for value in session["metricValues"]
            if not value["name"].get("group")
        }
        found[group["hparams"]["model"]] = {
            "hparams": group["hparams"],
            "metrics": metrics,
            "status": session["status"],
        }
    return found


def configs(sweep: Path) -> dict[str, dict[str, Any]]:
    runs = [yaml.safe_load(file.read_text()) for file in sweep.glob("*/config.yaml")]
    return {config["choices"]["model"]: config for config in runs}


def leaves(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        name = f"{path}.{key}".lstrip(".")
        if isinstance(value, dict):
            yield from leaves(value, name)
        else:
            yield name, value


def test_all_five_runs_are_rows(rows: dict[str, Any], families: tuple[str, ...]) -> None:
    assert set(rows) == set(families)
    assert {row["status"] for row in rows.values()} == {"STATUS_SUCCESS"}


def test_every_hyperparameter_of_every_family(
    family: str, rows: dict[str, Any], columns: dict[str, Any], sweep: Path
) -> None:
    config = configs(sweep)[family]
    shown = rows[family]["hparams"]
    parts = ("model", "data", "loss", "optimizer", "scheduler", "regularization", "monitor")
    chosen = {part: config[part] for part in parts} | {"seed": config["seed"]}
    expected = {
        name: value
        for name, value in leaves(chosen)
        if value is not None and not name.rpartition(".")[2].startswith("_")
    }
    assert len([name for name in expected if name.startswith("model.net.")]) >= 8
    assert set(expected) <= set(shown)
    assert set(expected) <= set(columns)
    for name, value in expected.items():
        if isinstance(value, list):
            assert shown[name] == ", ".join(str(item) for item in value)
        else:
            assert shown[name] == value, name
    assert shown["trainer.max_epochs"] == 3
    assert shown["optimizer"] == "adamw"


def test_every_final_metric_of_every_family(family: str, rows: dict[str, Any], sweep: Path) -> None:
    [folder] = [f.parent for f in sweep.glob("*/metrics.json") if f"model={family}," in str(f)]
    final = json.loads((folder / "metrics.json").read_text())
    numbers = {name: value for name, value in final.items() if "/" in name}
    assert {"train/loss", "val/loss", "test/loss", "best/loss"} < set(numbers)
    shown = rows[family]["metrics"]
    assert set(numbers) <= set(shown)
    assert {name: shown[name] for name in numbers} == pytest.approx(numbers, rel=1e-6)


def test_values_have_one_type_and_say_something(
    columns: dict[str, Any], rows: dict[str, Any]
) -> None:
    kinds = {"DATA_TYPE_STRING": str, "DATA_TYPE_FLOAT64": (int, float), "DATA_TYPE_BOOL": bool}
    for name, info in columns.items():
        values = [row["hparams"][name] for row in rows.values() if name in row["hparams"]]
        assert values
        for value in values:
            assert isinstance(value, kinds[info["type"]]), name
            assert not isinstance(value, str) or (
                value not in ("", "None", "nan") and "${" not in value and "???" not in value
            ), name
    assert columns["model.net.dropout"]["type"] == "DATA_TYPE_FLOAT64"
    assert columns["model.net.hidden_size"]["type"] == "DATA_TYPE_FLOAT64"
    assert columns["model.net.bias"]["type"] == "DATA_TYPE_BOOL"
    assert columns["model.net.activation"]["type"] == "DATA_TYPE_STRING"
    # Where a run lies, or what follows from its data, is nobody's hyperparameter.
    assert not [name for name in columns if re.search(r"\bdir|_dir|folder", name)]


def test_values_to_filter_by(columns: dict[str, Any], families: tuple[str, ...]) -> None:
    assert sorted(columns["model"]["domainDiscrete"]) == sorted(families)


def test_training_and_validation_share_a_chart(ask: Callable[..., Any]) -> None:
    layout = ask("/data/plugin/custom_scalars/layout")
    tags = set().union(*ask("/data/plugin/scalars/tags").values())
    drawn = [
        # TensorBoard reads each entry as a regular expression that a tag must begin with.
        {tag for tag in tags for pattern in chart["multiline"]["tag"] if re.match(pattern, tag)}
        for part in layout["category"]
        for chart in part["chart"]
    ]
    # The layouts of all runs are joined: the metrics of classifiers and of autoencoders are there.
    for name in ("loss", "accuracy", "squared_error"):
        assert any({f"train/{name}", f"val/{name}"} <= chart for chart in drawn)
    assert {"train/penalty/l2"} in drawn


def test_charts_have_lines(ask: Callable[..., Any], sweep: Path) -> None:
    [run] = [path.name for path in sweep.glob("*model=rnn*")]
    answer = ask("/data/plugin/custom_scalars/scalars", tag="^(train/loss|val/loss)$", run=run)
    assert answer["regex_valid"]
    assert {tag: len(points) for tag, points in answer["tag_to_events"].items()} == {
        "train/loss": 3,
        "val/loss": 3,
    }


def test_graph_and_config_of_every_run(ask: Callable[..., Any], sweep: Path) -> None:
    runs = {path.name for path in sweep.iterdir() if path.is_dir()}
    graphs = ask("/data/plugin/graphs/info")
    texts = ask("/data/plugin/text/tags")
    assert {run for run, info in graphs.items() if info["run_graph"]} == runs
    assert {run for run, tags in texts.items() if "config/text_summary" in tags} == runs
    [lstm] = [run for run in runs if "model=lstm" in run]
    [text] = ask("/data/plugin/text/text", run=lstm, tag="config/text_summary")
    assert "zoo.models.LSTM" in text["text"]


def test_no_runs_beside_the_five(ask: Callable[..., Any], sweep: Path) -> None:
    runs = ask("/data/runs")
    assert sorted(runs) == sorted(path.name for path in sweep.iterdir() if path.is_dir())
