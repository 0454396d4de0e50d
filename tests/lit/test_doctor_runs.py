"""The doctor in a run: heard once, it changes nothing, and no preset is ill."""

from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from omegaconf import DictConfig

from zoo.callbacks import Doctor
from zoo.callbacks.doctor import examine
from zoo.config import ConfigError, conf_dir
from zoo.data import Split
from zoo.lit import LitAutoencoder, LitFeedForward, LitModel, LitRecurrent
from zoo.losses import CrossEntropy, NegativeELBO
from zoo.models import FNN, LSTM, VAE
from zoo.runs import build
from zoo.train import train
from zoo.validation import check

GROUPS = {g: sorted(p.stem for p in (conf_dir() / g).glob("*.yaml")) for g in ("model", "data")}


def modules() -> dict[str, Callable[[], LitModel]]:
    loss = CrossEntropy()
    return {
        "fnn": lambda: LitFeedForward(FNN(5, 3, norm="batch", dropout=0.5), loss=loss),
        "lstm": lambda: LitRecurrent(
            LSTM(5, 3, num_layers=2, dropout=0.5), loss=loss, carry_state=True
        ),
        "vae": lambda: LitAutoencoder(VAE(5, 2, norm="batch"), loss=NegativeELBO()),
    }


@pytest.mark.parametrize("name", ["fnn", "lstm", "vae"])
def test_a_run_is_the_same_with_and_without(fit: Callable[..., Any], name: str) -> None:
    shape = (24, 6, 5) if name == "lstm" else (24, 5)
    x, y = torch.rand(shape), torch.randint(3, (24,))
    runs = []
    for callbacks in ([], [Doctor()]):
        torch.manual_seed(1)
        module = modules()[name]()
        trainer = fit(module, Split(x, y), Split(x, y), callbacks=callbacks, max_epochs=2)
        numbers = [value.clone() for value in trainer.callback_metrics.values()]
        runs.append([*module.state_dict().values(), *numbers, torch.get_rng_state()])
    assert len(runs[0]) > 5
    for one, other in zip(*runs, strict=True):
        assert torch.equal(one, other)


def test_it_is_heard_once_in_a_run(
    fit: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
    classes: Callable[..., Any],
    classifier: Callable[..., Any],
    scaled: Callable[..., Any],
) -> None:
    module, batch = classifier(), classes(12)
    scaled(module, "head.weight", 100)
    fit(module, Split(batch.x, batch.y), callbacks=[Doctor()], max_epochs=3)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 1 and said[0].startswith("doctor the initial loss is ")
    fit(classifier(), Split(batch.x, batch.y), callbacks=[Doctor()])
    assert capsys.readouterr().out == ""


def test_the_default_run_is_healthy(
    composed: Callable[..., DictConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    train(composed("debug=fast", "logger=none"))
    assert "doctor" not in capsys.readouterr().out
    train(composed("debug=fast", "logger=none", "optimizer.lr=5"))
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("doctor")]
    assert ["learning rate 5 is not" in said[0], "a trivial predictor has accuracy" in said[1]] == [
        True,
        True,
    ]


def test_a_compiled_net_is_examined_as_it_was_written(
    classes: Callable[..., Any], classifier: Callable[..., Any]
) -> None:
    seen: list[int] = []
    module = classifier()
    module.net.compile(backend=lambda graph, inputs: seen.append(1) or graph.forward)
    trainer: Any = SimpleNamespace(
        precision_plugin=SimpleNamespace(forward_context=nullcontext),
        optimizers=[torch.optim.SGD(module.net.parameters(), 0.1)],
        datamodule=None,
        compile=True,
    )
    assert examine(trainer, module, classes()) == []
    assert seen == []


SMALL = {"torchvision": ["model.net.name=shufflenet_v2_x0_5"]}
# What is left is true: with a recurrence that keeps all that it is told, states grow with every
# step. Le 2015 begins with inputs of deviation 0.001.
TRUE = {("irnn", "series"), ("irnn", "temporal_order"), ("irnn", "text_lm")}


@pytest.mark.slow
@pytest.mark.parametrize("model", GROUPS["model"])
def test_no_preset_is_ill(
    model: str, composed: Callable[..., DictConfig], findings: Callable[..., Any]
) -> None:
    """Every model on all data that needs no file."""
    examined, ill = 0, {}
    for name in GROUPS["data"]:
        try:
            cfg = composed(f"model={model}", f"data={name}", *SMALL.get(model, []))
            check(cfg)
            torch.manual_seed(0)
            data, module = build(cfg)
        except ConfigError:  # a pair that cannot be, or a file that is not there
            continue
        examined += 1
        found = findings(module, next(iter(data.train_dataloader())), module.optimizer)
        if found:
            ill[model, name] = found
    assert examined
    assert set(ill) <= TRUE, ill
    assert all(len(found) == 1 and "initial loss" in found[0] for found in ill.values())
