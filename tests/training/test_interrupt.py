"""Stopped at any moment by Ctrl-C, SIGTERM or SIGUSR1 nothing is lost; the bar is drawn."""

import fcntl
import itertools
import os
import pty
import re
import shlex
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from zoo.callbacks import Progress
from zoo.signals import Stopped
from zoo.train import train

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
TRAIN = [sys.executable, "-m", "zoo.train"]


@pytest.fixture
def stopped(
    run: Callable[..., Any],
    opened: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., Any]]:
    """A function (n, *overrides, hook, number): a run that gets a signal at the n-th such hook.

    Without more that is Ctrl-C in the n-th step.
    """
    before = [signal.getsignal(number) for number in SIGNALS]

    def begin(
        at: int, *overrides: str, hook: str = "on_train_batch_end", number: int = signal.SIGINT
    ) -> Any:
        calls = itertools.count(1)

        def press(self: Progress, *_: Any, **__: Any) -> None:
            if next(calls) == at:
                signal.raise_signal(number)  # to this thread: another would see it too late

        with monkeypatch.context() as patch:
            patch.setattr(Progress, hook, press)
            with pytest.raises(Stopped, match="zoo-train resume=") as ended:
                run("stopped", *overrides)
        assert ended.value.code == 128 + number
        assert [signal.getsignal(number) for number in SIGNALS] == before
        return opened(tmp_path / "stopped")

    yield begin
    for number, handler in zip(SIGNALS, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize(
    "step",
    [2, pytest.param(3, marks=pytest.mark.slow), pytest.param(4, marks=pytest.mark.slow)],
    ids=["middle", "last step", "next epoch"],
)
def test_stopped_anywhere_and_resumed_is_the_whole_run(
    run: Callable[..., Any], stopped: Callable[..., Any], resume: Callable[..., None], step: int
) -> None:
    words = ("data=wine", "trainer.max_epochs=4", "data.batch_size=32")  # four steps an epoch
    whole = run("whole", *words)
    part = stopped(step, *words)
    assert not (part.path / "metrics.json").exists()
    resume(part.path)
    assert part.weights() == whole.weights()
    assert part.curves()["val/loss"] == whole.curves()["val/loss"]
    assert part.metrics()["test/loss"] == whole.metrics()["test/loss"]


# Sixteen steps an epoch, three batches of validation.
FINE = (
    "data=wine",
    "data.batch_size=8",
    "data.eval_batch_size=8",
    "trainer.max_epochs=2",
    "trainer.log_every_n_steps=1",
)
MOMENTS = {
    # the n-th call of a hook, words of the run, and the step that the message names
    "validation": (2, "on_validation_batch_start", (), 16),
    "validation in mid-epoch": (2, "on_validation_batch_start", ("val_check_interval=0.5",), 8),
    "step before a validation": (8, "on_train_batch_end", ("val_check_interval=0.5",), 8),
    "accumulation": (4, "on_train_batch_end", ("accumulate_grad_batches=3",), 2),
    "last accumulation": (16, "on_train_batch_end", ("accumulate_grad_batches=3",), 6),
    "before the first step": (1, "on_train_start", (), 1),
    "sanity check": (1, "on_validation_batch_start", ("num_sanity_val_steps=1",), 1),
    "after the last step": (1, "on_train_end", (), 32),
    "test": (1, "on_test_batch_end", (), 32),
}
QUICK = ("accumulation",)


@pytest.mark.parametrize(
    "moment", [pytest.param(m, marks=[pytest.mark.slow] * (m not in QUICK)) for m in MOMENTS]
)
def test_a_signal_at_any_moment_loses_nothing(
    moment: str, run: Callable[..., Any], stopped: Callable[..., Any], resume: Callable[..., None]
) -> None:
    at, hook, settings, step = MOMENTS[moment]
    words = (*FINE, *(f"trainer.{setting}" for setting in settings))
    whole = run("whole", *words)
    number = SIGNALS[len(moment) % 3]
    part = stopped(at, *words, hook=hook, number=number)
    saved = torch.load(part.path / "checkpoints" / "last.ckpt", weights_only=True)
    assert saved["global_step"] == step
    resume(part.path)
    assert part.weights() == whole.weights()
    assert part.metrics() == whole.metrics()
    for tag in ("lr", "train/loss_step", "val/loss"):
        assert part.curves()[tag] == whole.curves()[tag], tag


def test_data_that_is_read_is_not_waited_for(
    composed: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(self: Any, stage: str | None = None) -> None:
        signal.raise_signal(signal.SIGTERM)
        pytest.fail("nobody stopped")

    monkeypatch.setattr("zoo.data.tables.Iris.setup", slow)
    with pytest.raises(Stopped, match="^stopped by SIGTERM before the first step; nothing was s"):
        train(composed("data=iris"))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_training_numbers_of_an_interrupted_epoch_count_all_of_it(
    run: Callable[..., Any], stopped: Callable[..., Any], resume: Callable[..., None]
) -> None:
    words = ("data=wine", "trainer.max_epochs=1", "data.batch_size=32", "model.net.dropout=0.0")
    whole = run("whole", *words)
    part = stopped(1, *words)
    resume(part.path)
    assert part.metrics() == whole.metrics()


# --- the real thing --------------------------------------------------------------------------


@pytest.fixture
def interrupted(
    environment: Callable[..., Any], deadline: Callable[..., Any], tmp_path: Path
) -> Callable[..., tuple[int, list[str]]]:
    """A function (*words): `zoo-train` in tmp_path, stopped by Ctrl-C after its first checkpoint.

    It gives back the exit code and the words of the command that the message names.
    """

    def run(*words: str) -> tuple[int, list[str]]:
        process = subprocess.Popen(
            [*TRAIN, *words],
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            for _ in deadline(300):
                saved = any(tmp_path.rglob("checkpoints/last.ckpt"))
                if saved or process.poll() is not None:
                    break
            process.send_signal(signal.SIGINT)
            _, error = process.communicate(timeout=300)
        finally:
            process.kill()
        assert "Traceback" not in error
        command = re.search(r"zoo-train resume=.*", error)
        assert command is not None, error
        return process.returncode, shlex.split(command.group())[1:]

    return run


@pytest.mark.slow
def test_ctrl_c_keeps_the_run_and_the_command_it_names_finishes_it(
    interrupted: Callable[..., tuple[int, list[str]]],
    run: Callable[..., Any],
    opened: Callable[..., Any],
    zoo: Callable[..., Any],
    tmp_path: Path,
) -> None:
    words = ["data=iris", "trainer.max_epochs=150", "model.net.dropout=0.3"]
    code, command = interrupted("hydra.run.dir=stopped", *words)
    part = opened(tmp_path / "stopped")
    assert code == 130
    assert (part.path / "checkpoints" / "last.ckpt").is_file()
    assert not (part.path / "metrics.json").exists()
    assert not list((part.path / "checkpoints").glob(".*"))

    done = zoo("train", *command)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert len(part.curves()["val/loss"]) == 150
    for tag, steps in part.written().items():
        if tag.startswith(("train/", "val/")) or tag == "lr":
            assert steps == sorted(set(steps)), tag
    whole = run("whole", *words)
    assert part.weights() == whole.weights()
    assert part.metrics()["test/loss"] == whole.metrics()["test/loss"]


@pytest.mark.slow
def test_ctrl_c_ends_a_sweep_too(
    interrupted: Callable[..., tuple[int, list[str]]], zoo: Callable[..., Any], tmp_path: Path
) -> None:
    words = ["-m", "seed=0,1", "data=iris", "hydra.sweep.dir=sweep", "trainer.max_epochs=1000"]
    code, command = interrupted(*words)
    assert code == 130
    [job] = tmp_path.glob("sweep/*/")
    epoch = torch.load(job / "checkpoints" / "last.ckpt", weights_only=True)["epoch"]
    done = zoo("train", *command, f"trainer.max_epochs={epoch + 2}")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_bar_is_drawn_on_a_terminal(
    environment: Callable[..., Any], deadline: Callable[..., Any], tmp_path: Path
) -> None:
    here, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    process = subprocess.Popen(
        [*TRAIN, "data=iris", "trainer.max_epochs=60", "logger=none"],
        cwd=tmp_path,
        env=environment(TERM="xterm"),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    shown = b""
    try:
        for _ in deadline(300):
            try:
                piece = os.read(here, 65536)
            except OSError:  # what Linux answers when the other end has closed
                break
            if not piece:
                break
            shown += piece
        assert process.wait(timeout=300) == 0
    finally:
        process.kill()
        os.close(here)
    text = shown.decode()
    assert "\repoch" in text
    assert "epoch 60/60" in text
    assert "val/accuracy" in text
