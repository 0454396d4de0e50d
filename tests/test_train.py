"""`zoo-train` as a person meets it: the run folder, the curves, repeating, resuming, stopping."""

import fcntl
import gc
import json
import math
import os
import pty
import re
import shlex
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hydra.utils import instantiate
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.util import tensor_util

from zoo.callbacks import Progress
from zoo.config import ConfigError, run_folder
from zoo.train import train

ROOT = Path(__file__).parent.parent
ENV = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    "OMP_NUM_THREADS": "1",
    "COLUMNS": "120",
}
TRAIN = [sys.executable, "-m", "zoo.train"]


def deadline(seconds: float) -> Iterator[None]:
    """Polls until the caller leaves the loop; fails when it takes longer."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.02)
    pytest.fail(f"nothing happened within {seconds} s")


def events(folder: Path) -> EventAccumulator:
    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    return accumulator.Reload()


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Every scalar of a run as (step, value)."""
    accumulator = events(folder)
    tags = accumulator.Tags()["scalars"]
    return {tag: [(e.step, e.value) for e in accumulator.Scalars(tag)] for tag in tags}


def written(folder: Path) -> dict[str, list[int]]:
    """The steps of every scalar in the order of writing, over all event files, nothing hidden."""
    steps: dict[str, list[int]] = {}
    files = sorted(folder.glob("events.*"), key=lambda f: (f.stat().st_mtime_ns, f.name))
    for file in files:
        for event in EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name in ("", "scalars") and value.HasField(
                    "tensor"
                ):
                    steps.setdefault(value.tag, []).append(event.step)
    return {tag: found for tag, found in steps.items() if "/text_summary" not in tag}


def weights(folder: Path, name: str = "last.ckpt") -> dict[str, torch.Tensor]:
    return torch.load(folder / "checkpoints" / name, weights_only=True)["state_dict"]


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def metrics(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "metrics.json").read_text())


# --- one run through the real command --------------------------------------------------------


@pytest.fixture(scope="module")
def somewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("somewhere")


@pytest.fixture(scope="module")
def session(somewhere: Path) -> subprocess.CompletedProcess[str]:
    """A run of two epochs with two penalties."""
    return subprocess.run(
        [*TRAIN, "regularization=[l1,l2]", "trainer.max_epochs=2", "seed=3"],
        cwd=somewhere,
        env=ENV,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="module")
def finished(session: subprocess.CompletedProcess[str], somewhere: Path) -> Path:
    assert session.returncode == 0, session.stderr
    [folder] = (somewhere / "runs" / "digits" / "fnn").iterdir()
    return folder


def test_quiet_where_the_output_is_no_terminal(
    session: subprocess.CompletedProcess[str], finished: Path
) -> None:
    assert session.stderr == ""
    assert "\r" not in session.stdout
    assert "\x1b" not in session.stdout
    assert len(session.stdout.splitlines()) < 25


def test_says_what_ran_how_well_and_where_to_look(
    session: subprocess.CompletedProcess[str], finished: Path
) -> None:
    shown = "/".join(finished.parts[-4:])
    lines = session.stdout.splitlines()
    assert f"look   tensorboard --logdir {shown}" in lines
    assert any(line.startswith("run ") and line.endswith(shown) for line in lines)
    [row] = [line for line in lines if "accuracy" in line]
    assert f"{metrics(finished)['test/accuracy']:.4g}" in row


def test_run_folder_holds_nothing_unexpected(finished: Path) -> None:
    files = {str(file.relative_to(finished)) for file in finished.rglob("*") if file.is_file()}
    rest = {file for file in files if not file.startswith((".hydra/", "events.out.tfevents."))}
    assert rest - {"zoo-train.log"} == {
        "config.yaml",
        "metrics.json",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
    }


def test_one_event_file(finished: Path) -> None:
    # TensorBoard sorts files by name and never goes back: of two that begin within the same second
    # it may miss one.
    assert len(list(finished.glob("events.*"))) == 1


def test_config_is_resolved(finished: Path) -> None:
    text = (finished / "config.yaml").read_text()
    assert "${" not in text
    assert "???" not in text
    config = yaml.safe_load(text)
    assert config["seed"] == config["data"]["seed"] == 3
    assert config["model"]["net"]["in_features"] == 64
    assert config["model"]["net"]["out_features"] == 10
    assert config["choices"]["model"] == "fnn"
    assert list(config["regularization"]) == ["l1", "l2"]


def test_metrics_are_one_flat_object_with_every_final_number(finished: Path) -> None:
    row = metrics(finished)
    assert (row["model"], row["data"], row["seed"]) == ("fnn", "digits", 3)
    assert all(isinstance(value, (str, int, float)) for value in row.values())
    final = {
        tag: points[-1][1]
        for tag, points in curves(finished).items()
        if tag.startswith(("train/", "val/", "test/", "best/")) and not tag.endswith("_step")
    }
    assert {"train/loss", "val/loss", "val/accuracy", "test/loss", "test/accuracy"} <= set(final)
    assert final == pytest.approx({tag: row[tag] for tag in final}, rel=1e-6)


def test_test_accuracy_counts_samples_of_the_whole_split(finished: Path) -> None:
    hits = metrics(finished)["test/accuracy"] * 360  # a fifth of 1,797 digits
    assert hits == pytest.approx(round(hits), abs=1e-4)


def test_best_is_the_epoch_with_the_lowest_monitored_loss(finished: Path) -> None:
    losses = [value for _, value in curves(finished)["val/loss"]]
    assert len(losses) == 2
    assert metrics(finished)["best/loss"] == pytest.approx(min(losses), rel=1e-6)
    assert metrics(finished)["best/epoch"] == losses.index(min(losses))


def test_every_term_has_its_curve(finished: Path) -> None:
    found = curves(finished)
    terms = {"train/loss", "train/objective", "train/penalty/l1", "train/penalty/l2", "lr"}
    assert terms | {"train/accuracy", "val/loss", "val/accuracy"} <= set(found)
    last = {tag: points[-1][1] for tag, points in found.items()}
    assert last["train/penalty/l1"] > 0 < last["train/penalty/l2"]
    parts = last["train/loss"] + last["train/penalty/l1"] + last["train/penalty/l2"]
    assert last["train/objective"] == pytest.approx(parts, rel=1e-5)


def test_learning_rate_falls_along_the_cosine(finished: Path) -> None:
    first = yaml.safe_load((finished / "config.yaml").read_text())["optimizer"]["lr"]
    rates = curves(finished)["lr"]
    assert len(rates) >= 4
    for step, rate in rates:  # of the step that follows; 20 steps in each of two epochs
        assert rate == pytest.approx(first * (1 + math.cos(math.pi * step / 40)) / 2, abs=1e-9)


def test_no_curve_turns_back(finished: Path) -> None:
    for tag, steps in written(finished).items():
        assert steps == sorted(set(steps)), tag


def test_training_and_validation_share_a_chart(finished: Path) -> None:
    [event] = events(finished).Tensors("custom_scalars__config__")
    layout = layout_pb2.Layout.FromString(tensor_util.make_ndarray(event.tensor_proto).item())
    tags = curves(finished)
    # TensorBoard reads each entry as a regular expression that a tag must begin with.
    drawn = [
        {tag for tag in tags for pattern in chart.multiline.tag if re.match(pattern, tag)}
        for category in layout.category
        for chart in category.chart
    ]
    assert {"train/loss", "val/loss"} in drawn
    assert {"train/accuracy", "val/accuracy"} in drawn
    assert {"train/penalty/l1", "train/penalty/l2"} in drawn


def test_config_is_there_as_text(finished: Path) -> None:
    [event] = events(finished).Tensors("config/text_summary")
    text = tensor_util.make_ndarray(event.tensor_proto).item().decode()
    assert "zoo.models.FNN" in text
    assert "${" not in text
    assert "in_features: 64" in text


def test_graph_is_there(finished: Path) -> None:
    graph = GraphDef.FromString(events(finished).Graph().SerializeToString())
    operations = " ".join(node.op for node in graph.node)
    assert "linear" in operations.lower() or "addmm" in operations.lower()


def test_one_hparams_session_starts_and_ends(finished: Path) -> None:
    kinds = [
        plugin_data_pb2.HParamsPluginData.FromString(value.metadata.plugin_data.content)
        for file in finished.glob("events.*")
        for event in EventFileLoader(str(file)).Load()
        for value in event.summary.value
        if value.metadata.plugin_data.plugin_name == "hparams"
    ]
    names = sorted(kind.WhichOneof("data") for kind in kinds)
    assert names == ["session_end_info", "session_start_info"]


# --- the same again --------------------------------------------------------------------------

SHORT = ("debug=fast", "trainer.max_epochs=2")


def run(composed: Callable[..., Any], folder: Path, *overrides: str) -> Path:
    train(composed(f"run_dir={folder}", *overrides))
    return folder


@pytest.mark.parametrize("model", ["lstm", "vae"])
def test_same_seed_gives_the_same_run_bit_for_bit(
    composed: Callable[..., Any], tmp_path: Path, model: str
) -> None:
    a = run(composed, tmp_path / "a", f"model={model}", *SHORT, "seed=0")
    torch.manual_seed(5)  # whatever happened in the process before
    b = run(composed, tmp_path / "b", f"model={model}", *SHORT, "seed=0")
    assert same(weights(a), weights(b))
    assert curves(a) == curves(b)
    assert metrics(a) == metrics(b)
    assert metrics(a)["seed"] == 0  # zero is a seed, not the lack of one


def test_another_seed_gives_another_run(composed: Callable[..., Any], tmp_path: Path) -> None:
    a = run(composed, tmp_path / "a", *SHORT, "seed=0")
    b = run(composed, tmp_path / "b", *SHORT, "seed=1")
    assert not same(weights(a), weights(b))
    assert curves(a)["train/loss"] != curves(b)["train/loss"]


@pytest.mark.parametrize("model", ["vae"])  # it draws random numbers wherever it is called
def test_watching_a_run_does_not_change_it(
    composed: Callable[..., Any],
    tmp_path: Path,
    model: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plain = run(composed, tmp_path / "a", f"model={model}", *SHORT, "callbacks.summary.graph=false")
    watched = run(
        composed, tmp_path / "b", f"model={model}", *SHORT, "callbacks.progress.show=true"
    )
    bare = run(composed, tmp_path / "c", f"model={model}", *SHORT, "logger=none")
    assert "epoch 2/2" in capsys.readouterr().err
    assert "graph" in events(watched).Tags()
    assert events(watched).Tags()["graph"] and not events(plain).Tags()["graph"]
    assert not list(bare.glob("events.*"))
    assert same(weights(plain), weights(watched))
    assert same(weights(plain), weights(bare))


def test_test_split_is_the_same_for_every_seed(composed: Callable[..., Any]) -> None:
    a, b = (instantiate(composed(f"seed={seed}").data) for seed in (0, 1))
    a.setup()
    b.setup()
    assert torch.equal(a.splits["test"].x, b.splits["test"].x)
    assert torch.equal(a.splits["val"].y, b.splits["val"].y)
    first = [next(iter(data.train_dataloader())).y for data in (a, b)]
    assert not torch.equal(*first)  # while the order of training differs


# --- many at once ----------------------------------------------------------------------------


@pytest.mark.slow
def test_multirun_gives_one_folder_per_sweep_and_one_per_job(
    zoo: Callable[..., Any], tmp_path: Path
) -> None:
    done = zoo("train", "-m", "model=linear,fnn", "seed=0,1", "debug=fast", "logger=none")
    assert done.returncode == 0, done.stderr
    [sweep] = (tmp_path / "runs" / "multirun").iterdir()
    jobs = sorted(path for path in sweep.iterdir() if path.is_dir())
    assert len(jobs) == 4
    for job in jobs:
        row = metrics(job)
        assert f"model={row['model']}" in job.name
        assert f"seed={row['seed']}" in job.name
    assert {(metrics(job)["model"], metrics(job)["seed"]) for job in jobs} == {
        (model, seed) for model in ("linear", "fnn") for seed in (0, 1)
    }
    looks = set(re.findall(r"^look +(.+)$", done.stdout, flags=re.MULTILINE))
    assert looks == {f"tensorboard --logdir {sweep.relative_to(tmp_path)}"}
    # A job's folder has a name with commas and equals signs; it can still be typed.
    runs = re.findall(r"^run +(.+)$", done.stdout, flags=re.MULTILINE)
    assert str(jobs[0].relative_to(tmp_path)) in runs
    evaluated = zoo("evaluate", f"checkpoint={runs[0]}")
    assert evaluated.returncode == 0, evaluated.stderr


# --- going on --------------------------------------------------------------------------------


def resume(composed: Callable[..., Any], path: Path | str, *overrides: str) -> None:
    """Continue a run in a later second than it began, as a second command would.

    TensorBoard sorts event files by name, in which seconds come first.
    """
    began = [int(file.name.split(".")[3]) for file in run_folder(path).glob("events.*")]
    for _ in deadline(5):
        if int(time.time()) > max(began, default=0):
            break
    train(composed(f"resume={path}", *overrides))


PLAIN = ("scheduler=none", "data=iris")


@pytest.mark.parametrize(
    "extra",
    [
        ("model.net.dropout=0.0",),
        ("model.net.dropout=0.5",),
        ("model=linear", "optimizer=sgd", "optimizer.nesterov=true", "regularization=l1"),
    ],
    ids=["plain", "dropout", "sgd"],
)
def test_three_epochs_and_three_more_are_six(
    composed: Callable[..., Any], tmp_path: Path, extra: tuple[str, ...]
) -> None:
    six = run(composed, tmp_path / "six", *PLAIN, *extra, "trainer.max_epochs=6")
    half = run(composed, tmp_path / "half", *PLAIN, *extra, "trainer.max_epochs=3")
    assert not same(weights(half), weights(six))
    resume(composed, half, "trainer.max_epochs=6")
    assert same(weights(half), weights(six))
    assert same(weights(half, "best.ckpt"), weights(six, "best.ckpt"))
    for tag in ("val/loss", "val/accuracy", "train/loss", "train/accuracy"):
        assert curves(half)[tag] == curves(six)[tag]
    assert metrics(half) == metrics(six)


def test_resumed_run_goes_on_in_its_folder_and_event_stream(
    composed: Callable[..., Any], tmp_path: Path
) -> None:
    folder = run(composed, tmp_path / "a", *PLAIN, "trainer.max_epochs=3")
    before = curves(folder)
    resume(composed, folder, "trainer.max_epochs=6")
    after = curves(folder)
    assert list(tmp_path.iterdir()) == [folder]
    assert len(after["val/loss"]) == 6
    assert after["val/loss"][:3] == before["val/loss"]
    for tag, steps in written(folder).items():
        if tag.startswith(("train/", "val/")) or tag == "lr":
            assert steps == sorted(set(steps)), tag
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["trainer"]["max_epochs"] == 6


def test_resume_takes_relative_paths_and_checkpoint_files(
    composed: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = run(composed, tmp_path / "a", *PLAIN, "trainer.max_epochs=1")
    resume(composed, "a", "trainer.max_epochs=2")
    assert len(curves(folder)["val/loss"]) == 2
    resume(composed, "a/checkpoints/last.ckpt", "trainer.max_epochs=3")
    assert len(curves(folder)["val/loss"]) == 3


def test_moved_run_goes_on_where_it_is_now(composed: Callable[..., Any], tmp_path: Path) -> None:
    old = run(composed, tmp_path / "old", *PLAIN, "trainer.max_epochs=1")
    new = old.rename(tmp_path / "new")
    resume(composed, new, "trainer.max_epochs=2")
    assert not old.exists()
    assert len(curves(new)["val/loss"]) == 2


def test_run_without_events_can_go_on(composed: Callable[..., Any], tmp_path: Path) -> None:
    folder = run(composed, tmp_path / "a", *PLAIN, "trainer.max_epochs=1", "logger=none")
    resume(composed, folder, "trainer.max_epochs=2")
    assert metrics(folder)["best/epoch"] in (0, 1)
    assert not list(folder.glob("events.*"))


def test_resume_refuses_what_would_make_it_another_run(
    composed: Callable[..., Any], tmp_path: Path
) -> None:
    folder = run(composed, tmp_path / "a", *PLAIN, "debug=fast")
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    for override in (
        "seed=1",
        "model=cnn",
        "model.net.dropout=0.5",
        "optimizer.lr=0.1",
        "data=wine",
        "data.batch_size=3",
        "loss.label_smoothing=0.1",
    ):
        with pytest.raises(ConfigError, match=re.escape(override)):
            train(composed(f"resume={folder}", "trainer.max_epochs=2", override))
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before


def test_events_are_on_disk_when_a_run_ends(composed: Callable[..., Any], tmp_path: Path) -> None:
    folder = run(composed, tmp_path / "a", *PLAIN, "debug=fast")
    size = sum(file.stat().st_size for file in folder.glob("events.*"))
    gc.collect()  # a writer left open would write the rest now
    assert sum(file.stat().st_size for file in folder.glob("events.*")) == size
    assert {"test/loss", "best/loss"} <= set(curves(folder))


# --- stopping --------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [2, 3, 4], ids=["middle", "last step", "next epoch"])
def test_stopped_anywhere_and_resumed_is_the_whole_run(
    composed: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    words = ("data=wine", "trainer.max_epochs=4", "data.batch_size=32")  # four steps an epoch
    whole = run(composed, tmp_path / "whole", *words)

    def press(self: Progress, trainer: Any, *_: Any) -> None:
        if trainer.global_step == step:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        patch.setattr(Progress, "on_train_batch_end", press)
        with pytest.raises(KeyboardInterrupt, match="zoo-train resume="):
            run(composed, tmp_path / "stopped", *words)
    after = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, before)
    stopped = tmp_path / "stopped"
    assert not (stopped / "metrics.json").exists()
    resume(composed, stopped)
    assert same(weights(stopped), weights(whole))
    assert curves(stopped)["val/loss"] == curves(whole)["val/loss"]
    assert metrics(stopped)["test/loss"] == metrics(whole)["test/loss"]
    assert after == before  # the next Ctrl-C belongs to whoever runs next in this process


def test_training_numbers_of_an_interrupted_epoch_count_all_of_it(
    composed: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("data=wine", "trainer.max_epochs=1", "data.batch_size=32", "model.net.dropout=0.0")
    whole = run(composed, tmp_path / "whole", *words)

    def press(self: Progress, trainer: Any, *_: Any) -> None:
        if trainer.global_step == 1:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        patch.setattr(Progress, "on_train_batch_end", press)
        with pytest.raises(KeyboardInterrupt):
            run(composed, tmp_path / "stopped", *words)
    signal.signal(signal.SIGINT, before)
    resume(composed, tmp_path / "stopped")
    assert metrics(tmp_path / "stopped") == metrics(whole)


def interrupted(folder: Path, *overrides: str) -> tuple[int, str]:
    """A run stopped by Ctrl-C after its first checkpoint: exit code and standard error."""
    process = subprocess.Popen(
        [*TRAIN, f"hydra.run.dir={folder.name}", *overrides],
        cwd=folder.parent,
        env=ENV,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        for _ in deadline(60):
            if (folder / "checkpoints" / "last.ckpt").is_file() or process.poll() is not None:
                break
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, error


@pytest.mark.slow
def test_ctrl_c_keeps_the_run_and_the_command_it_names_finishes_it(
    composed: Callable[..., Any], tmp_path: Path
) -> None:
    words = ["data=iris", "trainer.max_epochs=150", "model.net.dropout=0.3"]
    folder = tmp_path / "stopped"
    code, error = interrupted(folder, *words)
    assert code == 130
    assert "Traceback" not in error
    assert (folder / "checkpoints" / "last.ckpt").is_file()
    assert not (folder / "metrics.json").exists()
    assert not list((folder / "checkpoints").glob(".*"))

    command = re.search(r"zoo-train resume=\S+", error)
    assert command is not None, error
    done = subprocess.run(
        [*TRAIN, *shlex.split(command.group())[1:]],
        cwd=tmp_path,
        env=ENV,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert len(curves(folder)["val/loss"]) == 150
    for tag, steps in written(folder).items():
        if tag.startswith(("train/", "val/")) or tag == "lr":
            assert steps == sorted(set(steps)), tag
    whole = run(composed, tmp_path / "whole", *words)
    assert same(weights(folder), weights(whole))
    assert metrics(folder)["test/loss"] == metrics(whole)["test/loss"]


@pytest.mark.slow
def test_ctrl_c_ends_a_sweep_too(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*TRAIN, "-m", "seed=0,1", "data=iris", "hydra.sweep.dir=sweep", "trainer.max_epochs=1000"],
        cwd=tmp_path,
        env=ENV,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        for _ in deadline(60):
            if list(tmp_path.glob("sweep/*/checkpoints/last.ckpt")) or process.poll() is not None:
                break
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert len(list(tmp_path.glob("sweep/*/"))) == 1
    command = re.search(r"zoo-train resume=.*", error)
    assert command is not None, error
    done = subprocess.run(
        [*TRAIN, *shlex.split(command.group())[1:], "trainer.max_epochs=1"],
        cwd=tmp_path,
        env=ENV,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_bar_is_drawn_on_a_terminal(tmp_path: Path) -> None:
    here, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    process = subprocess.Popen(
        [*TRAIN, "data=iris", "trainer.max_epochs=60", "logger=none"],
        cwd=tmp_path,
        env={**ENV, "TERM": "xterm"},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    shown = b""
    try:
        for _ in deadline(90):
            try:
                piece = os.read(here, 65536)
            except OSError:  # what Linux answers when the other end has closed
                break
            if not piece:
                break
            shown += piece
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        os.close(here)
    text = shown.decode()
    assert "\repoch" in text
    assert "epoch 60/60" in text
    assert "val/accuracy" in text
