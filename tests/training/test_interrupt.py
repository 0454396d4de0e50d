"""At a terminal: Ctrl-C at any moment loses nothing, and the bar is drawn."""

import fcntl
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

TRAIN = [sys.executable, "-m", "zoo.train"]


@pytest.fixture
def stopped(
    run: Callable[..., Any],
    opened: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., Any]]:
    """A function (step, *overrides): a run during whose step somebody presses Ctrl-C."""
    before = signal.getsignal(signal.SIGINT)

    def begin(step: int, *overrides: str) -> Any:
        def press(self: Progress, trainer: Any, *_: Any) -> None:
            if trainer.global_step == step:
                os.kill(os.getpid(), signal.SIGINT)

        with monkeypatch.context() as patch:
            patch.setattr(Progress, "on_train_batch_end", press)
            with pytest.raises(KeyboardInterrupt, match="zoo-train resume="):
                run("stopped", *overrides)
        return opened(tmp_path / "stopped")

    yield begin
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("step", [2, 3, 4], ids=["middle", "last step", "next epoch"])
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


def test_the_next_ctrl_c_belongs_to_whoever_runs_next_in_this_process(
    stopped: Callable[..., Any],
) -> None:
    before = signal.getsignal(signal.SIGINT)
    stopped(1, "data=iris", "trainer.max_epochs=1")
    assert signal.getsignal(signal.SIGINT) == before


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
            for _ in deadline(60):
                saved = any(tmp_path.rglob("checkpoints/last.ckpt"))
                if saved or process.poll() is not None:
                    break
            process.send_signal(signal.SIGINT)
            _, error = process.communicate(timeout=60)
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
