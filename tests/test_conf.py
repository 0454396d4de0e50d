"""Every YAML binds to what it configures, composes with its partners, opens with a command."""

import functools
import inspect
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra.utils import get_object
from omegaconf import DictConfig

from zoo.config import ConfigError, conf_dir
from zoo.train import train
from zoo.validation import check

CONF = conf_dir()
# Hydra's own groups (launchers) are in test_launchers.
FILES = {
    str(path.relative_to(CONF)): path
    for path in sorted(CONF.rglob("*.yaml"))
    if path.relative_to(CONF).parts[0] != "hydra"
}
GROUPS = {
    folder.name: sorted(path.stem for path in folder.glob("*.yaml"))
    for folder in sorted(CONF.iterdir())
    if folder.is_dir() and folder.name != "hydra"
}
DATA = GROUPS["data"]
SYMBOLS = ("copy_memory", "temporal_order")  # which do not scale to what a decoder gives


@functools.cache
def text(file: str) -> str:
    return FILES[file].read_text(encoding="utf-8")


def targets(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every mapping with a `_target_`, with its dotted path."""
    if isinstance(node, dict):
        if "_target_" in node:
            yield path, node
        for key, value in node.items():
            yield from targets(value, f"{path}.{key}".strip("."))


def view_of(model: str) -> str:
    return yaml.safe_load(text(f"model/{model}.yaml"))["data"]["view"]


def views_of(data: str) -> tuple[str, ...]:
    return get_object(yaml.safe_load(text(f"data/{data}.yaml"))["data"]["_target_"]).views


def reconstructs(model: str) -> bool:
    return "LitAutoencoder" in text(f"model/{model}.yaml")


def sensible(model: str, data: str) -> bool:
    """Whether the data has the view that the model asks for, and in a form that it can use."""
    image = "image" in views_of(data) and not data == "digits"
    one_dimensional = image and reconstructs(model) and view_of(model) == "image"
    two_dimensional = image and model in ("lenet5", "resnet", "torchvision")
    if one_dimensional or two_dimensional or (reconstructs(model) and data in SYMBOLS):
        return False
    return view_of(model) in views_of(data)


@pytest.mark.parametrize("file", FILES)
def test_it_opens_with_a_command(file: str) -> None:
    lines = text(file).splitlines()
    command = lines[1] if lines[0] == "# @package _global_" else lines[0]
    sweeps = file.startswith(("search/", "experiment/compare/"))
    program = "zoo-sweep" if sweeps else "zoo-train"
    if "/" not in file:
        program = f"zoo-{file.removesuffix('.yaml')}"
    words = shlex.split(command.removeprefix("# "))
    assert command.startswith("# ") and words[0] == program
    group, grouped, name = file.removesuffix(".yaml").partition("/")
    if grouped and "=" in command:
        chosen = {key: value for key, _, value in (word.partition("=") for word in words[1:])}
        usable = chosen.get(group, "default").strip("[]").split(",")
        # A neighbour may be shown instead, but its keys must be this file's.
        assert name in usable or any(key.startswith(f"{group}.") for key in chosen)


# Models' are run in the contract. Here is every choice of every group, beside partners that fit.
COMMANDS = [
    (file, shlex.split(line.removeprefix("# "))[1:])
    for file in FILES
    if not file.startswith("model/")
    for line in text(file).splitlines()[:2]
    if line.startswith("# zoo-train ")
]
OFTEN = ("loss/", "optimizer/", "regularization/")  # the rest, and all pairs, are slow tests


@pytest.mark.usefixtures("gpu_found")
@pytest.mark.parametrize(
    ("file", "overrides"),
    [
        pytest.param(*c, id=c[0], marks=() if c[0].startswith(OFTEN) else pytest.mark.slow)
        for c in COMMANDS
    ],
)
def test_the_command_that_it_opens_with_is_accepted(
    file: str, overrides: list[str], composed: Callable[..., DictConfig]
) -> None:
    check(composed(*overrides))


NODES = [(file, path, node) for file in FILES for path, node in targets(yaml.safe_load(text(file)))]


@pytest.mark.parametrize(
    ("file", "path", "node"), NODES, ids=[f"{file}:{path}" for file, path, _ in NODES]
)
def test_every_target_binds_to_its_signature(file: str, path: str, node: dict[str, Any]) -> None:
    target = get_object(node["_target_"])
    keys = [key for key in node if not key.startswith("_")]
    names: dict[str, inspect.Parameter] = {}
    # A class that hands settings on to its base has the base's arguments too.
    for source in target.__mro__ if inspect.isclass(target) else [target]:
        parameters = inspect.signature(source).parameters
        names |= {key: value for key, value in parameters.items() if key not in names}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            break
    assert [key for key in keys if key not in names] == []
    if node["_target_"].startswith("zoo."):
        flat = [key for key in keys if "_target_" not in str(node[key])]  # nested nodes come last
        assert flat == [name for name in names if name in flat]
        spelled = {name for name, p in names.items() if p.default is not p.empty}
        spelled &= set(inspect.signature(target).parameters)
        injected = {"regularization", "metrics", "optimizer", "scheduler"}
        assert spelled - set(keys) <= injected


def test_every_group_has_a_module_of_its_name() -> None:
    """conf/ is the shadow of zoo/, but for what Lightning and torch bring along."""
    modules = {path.stem for path in Path(get_object("zoo").__file__).parent.iterdir()}
    borrowed = "optimizer trainer logger metrics scheduler experiment debug".split()
    shadows = {"model": "models", "loss": "losses", "augmentation": "data", "search": "sweeps"}
    assert {shadows.get(g, g) for g in GROUPS} - modules <= set(borrowed)


@pytest.mark.slow
@pytest.mark.parametrize("model", GROUPS["model"])
def test_a_model_composes_with_all_data_that_it_can_read(
    model: str, composed: Callable[..., DictConfig]
) -> None:
    for data in DATA:
        if sensible(model, data):
            cfg = composed(f"model={model}", f"data={data}")
            check(cfg)
            assert cfg.data.view == view_of(model)


@pytest.mark.parametrize(
    ("model", "data"), [("cnn", "iris"), ("rnn", "moons"), ("conv_vae", "wine")]
)
def test_a_model_refuses_data_that_it_cannot_read(
    model: str, data: str, composed: Callable[..., DictConfig]
) -> None:
    assert view_of(model) not in views_of(data)
    with pytest.raises(ConfigError, match=f"data={data} offers only"):
        check(composed(f"model={model}", f"data={data}"))


@pytest.mark.parametrize(
    "line",
    [
        *("model=lenet5 data=adding", "model=resnet data=sine", "model=conv_vae data=adding"),
        *("metrics=regression", "data=diabetes metrics=classification"),
        *("model=fnn regularization=temporal_activation", "model=fnn regularization=contractive"),
        "model=linear regularization=activity",
    ],
)
def test_impossible_pairs_are_refused_before_data_is_read(
    line: str, composed: Callable[..., DictConfig]
) -> None:
    with pytest.raises(ConfigError):
        check(composed(*line.split()))


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("loss.class_weights=[1,2]", "class_weights"),
        ("data.batch_size=5000 data.drop_last=true", "drop_last"),
        ("model=fnn regularization=sparsity", "sigmoid"),
        ("model=autoencoder data.scaling=standard", "data.scaling=unit"),
    ],
)
def test_what_only_the_data_can_tell_is_one_sentence_too(
    line: str, word: str, composed: Callable[..., DictConfig]
) -> None:
    with pytest.raises(ConfigError, match=word):
        train(composed(*line.split(), "debug=fast", "logger=none"))


def test_every_family_reads_the_digits() -> None:
    assert [m for m in GROUPS["model"] if not sensible(m, "digits")] == []
    assert [data for data in DATA if not any(sensible(m, data) for m in GROUPS["model"])] == []


@pytest.mark.slow
@pytest.mark.parametrize("data", DATA)
def test_data_is_offered_in_all_its_views(data: str, composed: Callable[..., DictConfig]) -> None:
    readers = {"vector": "linear", "image": "cnn"}
    for view in views_of(data):
        cfg = composed(f"data={data}", f"model={readers.get(view, 'gru')}", f"data.view={view}")
        check(cfg)


@pytest.mark.parametrize("model", ["cnn", "lstm"])
@pytest.mark.parametrize("penalty", [p for p in GROUPS["regularization"] if p[0] in "aelm"])
def test_general_regularization_goes_with_every_flow(
    model: str, penalty: str, composed: Callable[..., DictConfig]
) -> None:
    check(composed(f"model={model}", f"regularization={penalty}"))


@pytest.mark.parametrize("group", ["regularization", "metrics", "callbacks", "logger"])
def test_what_stacks_is_a_named_map(group: str, composed: Callable[..., DictConfig]) -> None:
    several = ",".join(GROUPS[group])
    node = composed(f"{group}=[{several}]", "model=autoencoder")[group]
    assert isinstance(node, DictConfig)
    assert all("_target_" in part for part in node.values())


def test_evaluate_composes(composed: Callable[..., DictConfig]) -> None:
    cfg = composed("checkpoint=somewhere", "split=val", name="evaluate")
    assert (cfg.checkpoint, cfg.split, cfg.batch_size) == ("somewhere", "val", None)


def test_no_config_starts_a_sweep() -> None:
    assert "MULTIRUN" not in "".join(map(text, FILES))


def test_channels_that_a_former_run_wrote_down(composed: Callable[..., DictConfig]) -> None:
    check(composed("model=resnet", "data=digits", "model.net.in_channels=1"))
