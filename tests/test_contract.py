"""What every architecture keeps to: each property, over every YAML of conf/model that there is."""

import copy
import inspect
import math
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
import yaml
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

import zoo
import zoo.models
from zoo.config import conf_dir, plain
from zoo.data import Batch, DataModule
from zoo.lit import LitModel
from zoo.regularization import decay_groups
from zoo.runs import build
from zoo.train import train
from zoo.validation import check

FILES = {path.stem: path for path in sorted((conf_dir() / "model").glob("*.yaml"))}
SAMPLES = 8

# Near relatives of others, and a net of somebody else's.
SLOW = {"conv_vae", "irnn", "lenet5", "resnet", "torchvision"}
pytestmark = pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in FILES],
)


class Built(NamedTuple):
    """A model beside a batch of the data that its YAML names."""

    data: DataModule
    module: LitModel
    batch: Batch


def command(name: str) -> list[str]:
    """The overrides in the command that the YAML opens with."""
    lines = FILES[name].read_text(encoding="utf-8").splitlines()[:2]
    words = next(shlex.split(line[1:]) for line in lines if line.startswith("# zoo-train "))
    return words[1:]


COMPOSED: dict[str, dict[str, Any]] = {}  # composing takes longer than all that follows


@pytest.fixture
def config(composed: Callable[..., DictConfig]) -> Callable[[str], DictConfig]:
    def make(name: str) -> DictConfig:
        if name not in COMPOSED:
            COMPOSED[name] = plain(composed(*command(name)))
        return OmegaConf.create(copy.deepcopy(COMPOSED[name]))

    return make


@pytest.fixture
def built(config: Callable[[str], DictConfig]) -> Callable[..., Built]:
    def make(name: str, seed: int = 0) -> Built:
        cfg = config(name)
        cfg.data.batch_size = SAMPLES
        cfg.data.seed = seed
        torch.manual_seed(seed)
        data, module = build(cfg)
        return Built(data, module, next(iter(data.train_dataloader())))

    return make


def first(output: Any) -> Tensor:
    """The tensor that a net gives back, or the first of several."""
    return output if isinstance(output, Tensor) else output[0]


def learn(module: LitModel, batch: Batch, steps: int) -> list[float]:
    """The objective before each of so many updates on one batch."""
    optimizer = module.optimizer(decay_groups(module.net))
    losses = []
    for _ in range(steps):
        loss = module.training_step(batch, 0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_it_composes_with_the_data_that_its_command_names(
    name: str, config: Callable[[str], DictConfig]
) -> None:
    words = dict(word.split("=", 1) for word in command(name))
    assert words["model"] == name
    assert (conf_dir() / "data" / f"{words['data']}.yaml").is_file()
    cfg = config(name)
    assert (cfg.choices.model, cfg.choices.data) == (name, words["data"])
    check(cfg)


def test_the_yaml_is_the_signature(name: str) -> None:
    net = yaml.safe_load(FILES[name].read_text(encoding="utf-8"))["model"]["net"]
    package, _, face = net.pop("_target_").rpartition(".")
    assert package == "zoo.models" and face in zoo.models.__all__
    assert list(net) == list(inspect.signature(getattr(zoo.models, face)).parameters)


def test_the_output_fits_the_target(name: str, built: Callable[..., Built]) -> None:
    data, module, batch = built(name)
    result = module.eval().predict(batch)
    assert result.prediction.dtype == torch.float32
    assert bool(result.prediction.isfinite().all())
    if module.loss.target == "classes":
        assert result.prediction.shape == (*batch.y.shape, len(data.class_names or ()))
    else:
        wanted = batch.x if "image" in getattr(result.output, "_fields", ()) else batch.y
        *leading, last = wanted.shape
        assert result.prediction.shape == (*leading, last * module.loss.outputs_per_target)


def test_every_parameter_is_in_one_stage(name: str, built: Callable[..., Built]) -> None:
    _, module, _ = built(name)
    held = [id(p) for stage in module.net.stages().values() for p in stage.parameters()]
    assert sorted(held) == sorted(id(p) for p in module.net.parameters())


def test_the_head_reads_the_features(name: str, built: Callable[..., Built]) -> None:
    _, module, batch = built(name)
    net, x = module.net.eval(), batch.x
    features = net.features(x)
    assert len(features) == SAMPLES
    if module.reconstructs:
        torch.testing.assert_close(net(x).code, features, rtol=0, atol=0)
        with pytest.raises(ValueError, match="has no head"):
            net.reset_head(3)
    else:
        torch.testing.assert_close(net.head(features), first(net(x)), rtol=0, atol=0)
        net.reset_head(3)
        assert first(net(x)).shape == (*features.shape[:-1], 3)


def test_a_gradient_reaches_every_parameter(name: str, built: Callable[..., Built]) -> None:
    _, module, batch = built(name)
    module.train().training_step(batch, 0).backward()
    deaf = [
        key
        for key, p in module.net.named_parameters()
        if p.grad is None or not p.grad.isfinite().all() or not p.grad.any()
    ]
    assert deaf == []


def test_a_few_steps_on_one_batch_lower_the_loss(name: str, built: Callable[..., Built]) -> None:
    _, module, batch = built(name)
    losses = learn(module.train(), batch, 25)
    assert sum(losses[-5:]) / 5 < 0.9 * losses[0]


def test_samples_do_not_influence_each_other(name: str, built: Callable[..., Built]) -> None:
    _, module, batch = built(name)
    learn(module.train(), batch, 2)  # norms have seen something
    net = module.net.eval()
    with torch.no_grad():
        together = first(net(batch.x))
        for i in range(SAMPLES):
            alone = first(net(batch.x[i : i + 1]))
            torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-4)
        strangers = batch.x.flip(0).roll(1, 0)
        strangers[0] = batch.x[0]
        torch.testing.assert_close(first(net(strangers))[0], together[0], atol=1e-5, rtol=1e-4)


def test_the_same_seed_gives_the_same_numbers(name: str, built: Callable[..., Built]) -> None:
    runs = []
    for seed in (0, 0, 1):
        _, module, batch = built(name, seed)
        losses = learn(module.train(), batch, 2)
        runs.append((losses, copy.deepcopy(module.net.state_dict())))
    (losses, weights), (again, same), (_, others) = runs
    assert losses == again
    assert all(torch.equal(weights[key], same[key]) for key in weights)
    assert not all(torch.equal(weights[key], others[key]) for key in weights)


def test_its_command_runs_and_what_it_leaves_loads(
    name: str, composed: Callable[..., DictConfig], tmp_path: Path
) -> None:
    cfg = composed(*command(name), "debug=fast")
    untouched = copy.deepcopy(cfg)
    row = train(cfg)
    assert row["model"] == name and math.isfinite(row["test/loss"])
    folder = tmp_path / "run"
    assert (folder / "metrics.json").is_file() and list(folder.glob("events.out.tfevents.*"))

    net = zoo.load(folder)
    assert not net.training
    # What was trained, put together the way that training itself does.
    data, module = build(untouched)
    saved = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)
    module.load_state_dict(saved["state_dict"])
    assert type(net) is type(module.net)
    x = next(iter(data.test_dataloader())).x
    with torch.no_grad():
        torch.testing.assert_close(first(net(x)), first(module.net.eval()(x)), rtol=0, atol=0)
