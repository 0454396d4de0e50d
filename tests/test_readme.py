"""What the README shows is true: its commands run, its table is up to date, its pictures exist."""

import re
import runpy
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig

from zoo.sweeps import words
from zoo.validation import check

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line
    for language, block in BLOCKS
    if language == "sh"
    for line in block.splitlines()
    if line.startswith("zoo-train")
]


SWEEPS = [
    line.removeprefix("$ ").partition("   #")[0]
    for language, block in BLOCKS
    if language == "console"
    for line in block.splitlines()
    if line.startswith("$ zoo-sweep") and "resume=" not in line
]


def overrides_of(command: str) -> list[list[str]]:
    """The overrides of each job that a command starts."""
    words = shlex.split(command)[1:]
    if words[:1] != ["-m"]:
        return [words]
    jobs: list[list[str]] = [[]]
    for word in words[1:]:
        key, _, values = word.partition("=")
        jobs = [[*job, f"{key}={value}"] for job in jobs for value in values.split(",")]
    return jobs


def test_tour_names_every_override_that_people_guess() -> None:
    tour = "\n".join(COMMANDS)
    for override in [
        "model.net.hidden_size=64",
        "model.net.hidden=[64,64]",
        "model.net.activation=tanh",
        "model.net.dropout=0.2",
        "optimizer.lr=1e-3",
        "scheduler=cosine",
        "loss=huber",
        "regularization.l2.weight=1e-4",
        "data.batch_size=64",
        "trainer.max_epochs=20",
        "experiment=",
        "seed=",
    ]:
        assert override in tour


@pytest.mark.slow
@pytest.mark.usefixtures("gpu_found")
@pytest.mark.parametrize("command", COMMANDS)
def test_command_is_accepted(command: str, composed: Callable[..., DictConfig]) -> None:
    for overrides in overrides_of(command):
        check(composed(*overrides))
        assert overrides or command == "zoo-train"


@pytest.mark.parametrize("command", SWEEPS)
def test_sweep_is_accepted(command: str, composed: Callable[..., DictConfig]) -> None:
    typed = words.read(shlex.split(command)[1:])
    assert words.settings(typed).jobs in (None, 2)
    single = [many[0] for many in words.axes(typed.overrides).values()]
    cfg = composed(*single)
    cfg.sweep = None
    check(cfg)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_command_runs(command: str, composed: Callable[..., DictConfig]) -> None:
    from zoo.train import train

    overrides = overrides_of(command)[0]
    fast = [] if any(word.startswith("debug=") for word in overrides) else ["debug=fast"]
    row = train(composed(*overrides, *fast, "trainer.accelerator=cpu"))
    assert "test/loss" in row


def test_table_of_architectures_is_up_to_date() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "readme.py"))
    assert script["updated"](README) == README


def test_pictures_and_files_exist() -> None:
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README)
    assert pictures
    for path in pictures:
        assert (ROOT / path).is_file(), path


def test_nothing_is_left_to_fill_in() -> None:
    assert "@@" not in README
