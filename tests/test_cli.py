"""Help, configs and completion: at once, complete, and the same by every way in."""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from zoo.cli import quoted
from zoo.config import conf_dir

ROOT = Path(__file__).parent.parent
HEAVY = (
    *("torch", "lightning", "torchmetrics", "sklearn", "tensorboard", "numpy", "scipy"),
    "matplotlib",
)
COMMANDS = {  # by the module that each is in
    "train": "train",
    "evaluate": "evaluate",
    "compare": "compare",
    "prediction": "predict",
    "export": "export",
}


@pytest.fixture
def complete(call: Callable[..., Any]) -> Callable[[str], list[str]]:
    """A function (line) -> what a TAB after it offers."""

    def offer(line: str) -> list[str]:
        words = (sys.executable, "-m", "zoo.train", "-sc", "query=bash")
        done = call(*words, COMP_LINE=line, COMP_POINT=str(len(line)))
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.split()

    return offer


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "words", [["--help"], ["--cfg", "job"], ["-sc", "query=bash"]], ids=" ".join
)
def test_answers_import_nothing_heavy(
    command: str, words: list[str], call: Callable[..., Any]
) -> None:
    line = f"zoo-{command} trainer"
    timed = (sys.executable, "-X", "importtime", "-m", f"zoo.{command}")
    done = call(*timed, *words, COMP_LINE=line, COMP_POINT=str(len(line)))
    assert done.returncode == 0
    assert done.stdout.strip()
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "hydra" in imported
    assert {name for name in imported if name.split(".")[0] in HEAVY} == set()


@pytest.mark.parametrize("command", ["compare", "prediction", "export"])
def test_what_is_called_once_for_each_says_so(
    command: str, zoo: Callable[..., Any], tmp_path: Path
) -> None:
    done = zoo(command, "-m", "checkpoint=a,b")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"zoo-{COMMANDS[command]}: it takes no -m; call it once for each\n"
    assert list(tmp_path.iterdir()) == []


def test_help_lists_every_choice_of_every_group(zoo: Callable[..., Any]) -> None:
    done = zoo("train", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    listed = dict(re.findall(r"^(\w+): (.+)$", done.stdout, flags=re.MULTILINE))
    groups = [path for path in conf_dir().iterdir() if path.is_dir() and path.name != "hydra"]
    assert len(groups) >= 12
    for group in groups:
        choices = sorted(file.stem for file in group.glob("*.yaml"))
        assert listed[group.name].split(", ") == choices
    assert done.stdout.startswith("zoo-train")
    assert "resume=" in done.stdout


@pytest.mark.parametrize(
    "command", [pytest.param(c, marks=[pytest.mark.slow] * (c != "train")) for c in COMMANDS]
)
def test_help_is_what_hydra_would_say(
    command: str, zoo: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "own" / "data").mkdir(parents=True)
    ours, hydras = zoo(command, "-h"), zoo(command, "-h", "--config-dir", tmp_path / "own")
    assert (ours.returncode, hydras.returncode) == (0, 0)
    assert ours.stdout == hydras.stdout
    (tmp_path / "own" / "data" / "mine.yaml").touch()
    if command == "train":
        assert ", mine," in zoo(command, "-h", "--config-dir", tmp_path / "own").stdout


@pytest.mark.parametrize(
    ("command", "key"), [("evaluate", "split"), ("prediction", "input"), ("export", "format")]
)
def test_help_of_what_reads_a_checkpoint_says_how_to_call_it(
    command: str, key: str, zoo: Callable[..., Any]
) -> None:
    done = zoo(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"zoo-{COMMANDS[command]} checkpoint=" in done.stdout
    assert f"{key}=" in done.stdout


@pytest.mark.parametrize("words", [[], ["model=vae", "regularization=[l1,l2]", "debug=fast"]])
def test_config_can_be_read_before_anything_runs(
    zoo: Callable[..., Any], tmp_path: Path, words: list[str]
) -> None:
    done = zoo("train", "--cfg", "job", "--resolve", *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert "${" not in done.stdout
    assert "None/" not in done.stdout
    config = yaml.safe_load(done.stdout)
    assert config["run_dir"].startswith("runs/digits/")
    assert config["callbacks"]["checkpoint"]["dirpath"] == f"{config['run_dir']}/checkpoints"
    assert list(tmp_path.iterdir()) == []


def test_folders_are_named_before_anything_runs(zoo: Callable[..., Any]) -> None:
    done = zoo("train", "--cfg", "all", "--resolve", "model=gru")
    assert (done.returncode, done.stderr) == (0, "")
    assert "None/" not in done.stdout
    assert "dir: runs/digits/gru/" in done.stdout
    assert "dir: runs/multirun/" in done.stdout


def test_completion_offers_the_choices_and_the_keys(
    complete: Callable[[str], list[str]],
) -> None:
    models = {f"model={file.stem}" for file in (conf_dir() / "model").glob("*.yaml")}
    assert set(complete("zoo-train model=")) == models
    assert set(complete("zoo-train model=l")) == {m for m in models if m.startswith("model=l")}
    assert "optimizer.lr=" in complete("zoo-train optimizer.")
    assert "model.net.hidden_size=" in complete("zoo-train model=lstm model.net.hid")


def test_completion_installs_in_bash(call: Callable[..., Any], tmp_path: Path) -> None:
    command = tmp_path / "zoo-train"
    # As pip writes the entry point.
    command.write_text(f"#!{sys.executable}\nfrom zoo.train import main\n\nmain()\n")
    command.chmod(0o755)
    script = """
        eval "$(zoo-train -sc install=bash)"
        COMP_LINE="zoo-train scheduler=w" COMP_WORDS=(zoo-train scheduler=w) COMP_CWORD=1
        COMP_POINT=${#COMP_LINE}
        $(complete -p zoo-train | sed 's/.*-F \\([^ ]*\\).*/\\1/')
        echo "${COMPREPLY[@]}"
    """
    done = call("bash", "-c", script, PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert done.stdout.split()[-1:] == ["scheduler=warmup_cosine"], done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_script_equals_the_command(
    command: str, zoo: Callable[..., Any], call: Callable[..., Any], tmp_path: Path
) -> None:
    words = {
        "train": ["seed=5", "model=gru"],
        "evaluate": ["split=val"],
        "compare": ["runs=x"],
        "prediction": ["input=x.csv"],
        "export": ["format=onnx"],
    }[command]
    file = ROOT / "scripts" / f"{COMMANDS[command]}.py"
    script = call(sys.executable, file, "--cfg", "job", *words, cwd=tmp_path)
    module = zoo(command, "--cfg", "job", *words)
    assert (script.returncode, script.stderr) == (0, "")
    assert script.stdout == module.stdout
    assert words[0].replace("=", ": ") in script.stdout


def test_a_sweep_begins_with_several(tmp_path: Path) -> None:
    folder = tmp_path / "0_model=fnn,seed=1"
    folder.mkdir()
    words = {
        "init_from=fnn/digits,null": 'init_from="fnn/digits",null',
        "init_from='a,b','c'": "init_from='a,b','c'",
        f"init_from={folder}": f'init_from="{folder}"',
        f"init_from={folder.parent},null": f'init_from="{folder.parent}",null',
        "runs=a,b": 'runs="a,b"',
    }
    assert {word: quoted(word, several=True) for word in words} == words
    assert quoted("init_from=fnn/digits,null") == 'init_from="fnn/digits,null"'
