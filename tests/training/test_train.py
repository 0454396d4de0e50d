"""`zoo-train` as a person meets it: what it says, the run folder, the curves."""

import json
import math
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.util import tensor_util

from zoo.data import Digits

pytestmark = pytest.mark.xdist_group("train")  # its run is made once, not once a worker


@pytest.fixture(scope="module")
def somewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("somewhere")


@pytest.fixture(scope="module")
def session(call: Callable[..., Any], somewhere: Path) -> subprocess.CompletedProcess[str]:
    """A run of two epochs with two penalties, through the real command."""
    words = ["regularization=[l1,l2]", "trainer.max_epochs=2", "seed=3"]
    return call(sys.executable, "-m", "zoo.train", *words, cwd=somewhere)


@pytest.fixture(scope="module")
def finished(
    session: subprocess.CompletedProcess[str], somewhere: Path, opened: Callable[..., Any]
) -> Any:
    assert session.returncode == 0, session.stderr
    [folder] = (somewhere / "runs" / "digits" / "fnn").iterdir()
    return opened(folder)


def test_quiet_where_the_output_is_no_terminal(
    session: subprocess.CompletedProcess[str], finished: Any
) -> None:
    assert session.stderr == ""
    assert "\r" not in session.stdout
    assert "\x1b" not in session.stdout
    assert len(session.stdout.splitlines()) < 25


def test_says_what_ran_how_well_and_where_to_look(
    session: subprocess.CompletedProcess[str], finished: Any
) -> None:
    shown = "/".join(finished.path.parts[-4:])
    lines = session.stdout.splitlines()
    assert f"look   tensorboard --logdir {shown}" in lines
    assert any(line.startswith("run ") and line.endswith(shown) for line in lines)
    [row] = [line for line in lines if "accuracy" in line]
    assert f"{finished.metrics()['test/accuracy']:.4g}" in row


@pytest.mark.slow
def test_the_largest_batch_that_fits_is_the_run_s(
    call: Callable[..., Any], somewhere: Path, opened: Callable[..., Any]
) -> None:
    words = ["data=iris", "trainer.auto_batch_size=true", "trainer.max_epochs=1", "logger=none"]
    done = call(sys.executable, "-m", "zoo.train", *words, cwd=somewhere)
    assert done.returncode == 0, done.stderr
    [folder] = (somewhere / "runs" / "iris" / "fnn").iterdir()
    size = opened(folder).config()["data"]["batch_size"]
    assert size >= 105  # all that there are for training
    assert f"batch  {size} samples fit into memory" in done.stdout.splitlines()


def test_run_folder_holds_nothing_unexpected(finished: Any) -> None:
    files = [file for file in finished.path.rglob("*") if file.is_file()]
    names = {str(file.relative_to(finished.path)) for file in files}
    rest = {name for name in names if not name.startswith((".hydra/", "events.out.tfevents."))}
    assert rest - {"zoo-train.log"} == {
        "config.yaml",
        "metrics.json",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
    }


def test_one_event_file(finished: Any) -> None:
    # TensorBoard sorts files by name and never goes back: of two that begin within the same second
    # it may miss one.
    assert len(list(finished.path.glob("events.*"))) == 1


def test_config_is_resolved(finished: Any) -> None:
    text = (finished.path / "config.yaml").read_text()
    assert "${" not in text
    assert "???" not in text
    config = finished.config()
    assert config["seed"] == config["data"]["seed"] == 3
    assert config["model"]["net"]["in_features"] == 64
    assert config["model"]["net"]["out_features"] == 10
    assert config["choices"]["model"] == "fnn"
    assert list(config["regularization"]) == ["l1", "l2"]


def test_metrics_are_one_flat_object_with_every_final_number(finished: Any) -> None:
    row = finished.metrics()
    assert (row["model"], row["data"], row["seed"]) == ("fnn", "digits", 3)
    assert all(isinstance(value, (str, int, float)) for value in row.values())
    final = {
        tag: points[-1][1]
        for tag, points in finished.curves().items()
        if tag.startswith(("train/", "val/", "test/", "best/")) and not tag.endswith("_step")
    }
    assert {"train/loss", "val/loss", "val/accuracy", "test/loss", "test/accuracy"} <= set(final)
    assert final == pytest.approx({tag: row[tag] for tag in final}, rel=1e-6)


def test_what_the_commonest_class_reaches_is_a_level_beside_the_results(finished: Any) -> None:
    data = Digits()
    data.setup()
    counts = Counter(data.splits["train"].y.tolist())
    commonest = max(range(10), key=lambda digit: counts[digit])
    share = data.splits["test"].y.tolist().count(commonest) / 360
    assert finished.metrics()["baseline/accuracy"] == pytest.approx(share)
    level = finished.curves()["baseline/accuracy"]
    assert level == [(0, pytest.approx(share)), (40, pytest.approx(share))]


def test_test_accuracy_counts_samples_of_the_whole_split(finished: Any) -> None:
    hits = finished.metrics()["test/accuracy"] * 360  # a fifth of 1,797 digits
    assert hits == pytest.approx(round(hits), abs=1e-4)


def test_best_is_the_epoch_with_the_lowest_monitored_loss(finished: Any) -> None:
    losses = [value for _, value in finished.curves()["val/loss"]]
    assert len(losses) == 2
    assert finished.metrics()["best/loss"] == pytest.approx(min(losses), rel=1e-6)
    assert finished.metrics()["best/epoch"] == losses.index(min(losses))


def test_every_term_has_its_curve(finished: Any) -> None:
    found = finished.curves()
    terms = {"train/loss", "train/objective", "train/penalty/l1", "train/penalty/l2", "lr"}
    assert terms | {"train/accuracy", "val/loss", "val/accuracy"} <= set(found)
    last = {tag: points[-1][1] for tag, points in found.items()}
    assert last["train/penalty/l1"] > 0 < last["train/penalty/l2"]
    parts = last["train/loss"] + last["train/penalty/l1"] + last["train/penalty/l2"]
    assert last["train/objective"] == pytest.approx(parts, rel=1e-5)


def test_learning_rate_falls_along_the_cosine(finished: Any) -> None:
    first = finished.config()["optimizer"]["lr"]
    rates = finished.curves()["lr"]
    assert len(rates) >= 4
    for step, rate in rates:  # the rate that made update number `step` of 2 x 20
        assert rate == pytest.approx(
            first * (1 + math.cos(math.pi * (step - 1) / 40)) / 2, abs=1e-9
        )


def test_no_curve_turns_back(finished: Any) -> None:
    for tag, steps in finished.written().items():
        assert steps == sorted(set(steps)), tag


def test_training_and_validation_share_a_chart(finished: Any) -> None:
    [event] = finished.events().Tensors("custom_scalars__config__")
    layout = layout_pb2.Layout.FromString(tensor_util.make_ndarray(event.tensor_proto).item())
    tags = finished.curves()
    # TensorBoard reads each entry as a regular expression that a tag must begin with.
    drawn = [
        {tag for tag in tags for pattern in chart.multiline.tag if re.match(pattern, tag)}
        for category in layout.category
        for chart in category.chart
    ]
    assert {"train/loss", "val/loss"} in drawn
    assert {"train/accuracy", "val/accuracy", "baseline/accuracy"} in drawn
    assert {"train/penalty/l1", "train/penalty/l2"} in drawn


def test_config_is_there_as_text(finished: Any) -> None:
    [event] = finished.events().Tensors("config/text_summary")
    text = tensor_util.make_ndarray(event.tensor_proto).item().decode()
    assert "${" not in text
    config = json.loads(text[text.index("{") : text.rindex("}") + 1])
    assert config["model"]["net"]["_target_"] == "zoo.models.FNN"
    assert config["model"]["net"]["in_features"] == 64


def test_graph_is_there(finished: Any) -> None:
    graph = GraphDef.FromString(finished.events().Graph().SerializeToString())
    operations = " ".join(node.op for node in graph.node)
    assert "linear" in operations.lower() or "addmm" in operations.lower()


def test_one_hparams_session_starts_and_ends(finished: Any) -> None:
    kinds = [
        plugin_data_pb2.HParamsPluginData.FromString(value.metadata.plugin_data.content)
        for _, value in finished.values()
        if value.metadata.plugin_data.plugin_name == "hparams"
    ]
    names = sorted(kind.WhichOneof("data") for kind in kinds)
    assert names == ["session_end_info", "session_start_info"]
