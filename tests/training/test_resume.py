"""Going on: a run in two halves is the whole run, in the same folder, and no other run."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zoo.config import ConfigError
from zoo.train import train

PLAIN = ("scheduler=none", "data=iris")


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param(("model.net.dropout=0.0",), id="plain", marks=pytest.mark.slow),
        pytest.param(("model.net.dropout=0.5",), id="dropout"),
        pytest.param(
            ("model=linear", "optimizer=sgd", "optimizer.nesterov=true", "regularization=l1"),
            id="sgd",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_three_epochs_and_three_more_are_six(
    run: Callable[..., Any], resume: Callable[..., None], extra: tuple[str, ...]
) -> None:
    six = run("six", *PLAIN, *extra, "trainer.max_epochs=6")
    half = run("half", *PLAIN, *extra, "trainer.max_epochs=3")
    assert half.weights() != six.weights()
    resume(half.path, "trainer.max_epochs=6")
    assert half.weights() == six.weights()
    assert half.weights("best.ckpt") == six.weights("best.ckpt")
    for tag in ("val/loss", "val/accuracy", "train/loss", "train/accuracy"):
        assert half.curves()[tag] == six.curves()[tag]
    assert half.metrics() == six.metrics()


def test_resumed_run_goes_on_in_its_folder_and_event_stream(
    run: Callable[..., Any], resume: Callable[..., None], tmp_path: Path
) -> None:
    folder = run("a", *PLAIN, "trainer.max_epochs=3")
    before = folder.curves()
    resume(folder.path, "trainer.max_epochs=6")
    after = folder.curves()
    assert list(tmp_path.iterdir()) == [folder.path]
    assert len(after["val/loss"]) == 6
    assert after["val/loss"][:3] == before["val/loss"]
    for tag, steps in folder.written().items():
        if tag.startswith(("train/", "val/")) or tag == "lr":
            assert steps == sorted(set(steps)), tag
    assert folder.config()["trainer"]["max_epochs"] == 6


@pytest.mark.slow
def test_resume_takes_relative_paths_and_checkpoint_files(
    run: Callable[..., Any],
    resume: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = run("a", *PLAIN, "trainer.max_epochs=1")
    resume("a", "trainer.max_epochs=2")
    assert len(folder.curves()["val/loss"]) == 2
    resume("a/checkpoints/last.ckpt", "trainer.max_epochs=3")
    assert len(folder.curves()["val/loss"]) == 3


@pytest.mark.slow
def test_moved_run_goes_on_where_it_is_now(
    run: Callable[..., Any],
    resume: Callable[..., None],
    opened: Callable[..., Any],
    tmp_path: Path,
) -> None:
    old = run("old", *PLAIN, "trainer.max_epochs=1")
    new = opened(old.path.rename(tmp_path / "new"))
    resume(new.path, "trainer.max_epochs=2")
    assert not old.path.exists()
    assert len(new.curves()["val/loss"]) == 2


def test_run_without_events_can_go_on(run: Callable[..., Any], resume: Callable[..., None]) -> None:
    folder = run("a", *PLAIN, "trainer.max_epochs=1", "logger=none")
    resume(folder.path, "trainer.max_epochs=2")
    assert folder.metrics()["best/epoch"] in (0, 1)
    assert not list(folder.path.glob("events.*"))


def test_resume_refuses_what_would_make_it_another_run(
    run: Callable[..., Any], composed: Callable[..., Any]
) -> None:
    folder = run("a", *PLAIN, "debug=fast").path
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
