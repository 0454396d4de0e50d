"""Mistakes: one line that names the thing and a remedy, exit code 1, nothing read or written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

# What is typed, and what the message must hold: the thing, then the remedy.
MISTAKES: dict[str, tuple[str, list[str]]] = {
    # names
    "group": ("modle=cnn", ["'modle'", "'model'"]),
    "choice": ("model=ltsm", ["'ltsm'", "'lstm'", "autoencoder, cnn,"]),
    "choice of data": ("data=digit", ["'digit'", "'digits'", "adding, adult, arrays"]),
    "choice in a list": ("regularization=[l1,l3]", ["'l3'", "elastic_net, l1, l2"]),
    "choice of optimizer": ("optimizer=adan", ["'adan'", "adam, adamw, rmsprop, sgd"]),
    "choice of callbacks": ("callbacks=[default,early_stop]", ["'early_stop'", "early_stopping"]),
    "experiment": ("experiment=adding_lst", ["'adding_lst'", "'adding_lstm'", "deep_sigmoid"]),
    "experiment in a folder": (
        "experiment=published/adutl",
        ["'published/adutl'", "'published/adult'", "adding_lstm, "],
    ),
    "folder of experiments": ("experiment=published", ["'published'", "published/adult, "]),
    "debug": ("debug=fats", ["'fats'", "'fast'", "overfit"]),
    "logger": ("logger=wandb", ["'wandb'", "none, tensorboard"]),
    "key": ("model.net.hiden=[64]", ["'hiden'", "'hidden'", "in_features"]),
    "key of the trainer": ("trainer.max_epoch=3", ["'max_epoch'", "'max_epochs'"]),
    "penalty that was not chosen": (
        "regularization.l2.weight=1e-4",
        ["regularization.l2.weight=1e-4", "regularization=l2"],
    ),
    "key of a sweep": ("seeds=5", ["'seeds=5'", "zoo-sweep seeds=5"]),
    "search": ("search=optuna", ["'search=optuna'", "zoo-sweep search=optuna"]),
    "new key": ("+foo=1", ["'foo'", "Choices: "]),
    "new argument": ("+model.net.droput=0.1", ["droput", "dropout"]),
    "removed part": ("~optimizer", ["optimizer"]),
    "activation": ("model.net.activation=rellu", ["`activation`", "'relu'", "rellu"]),
    "norm": ("model.net.norm=bach", ["`norm`", "'batch'", "bach"]),
    "init": ("model.net.init=xavir", ["`init`", "'xavier'", "xavir"]),
    "readout": ("model=rnn model.net.readout=lst", ["`readout`", "last", "lst"]),
    "scaling": ("data.scaling=huge", ["`scaling`", "standard", "huge"]),
    "interval": ("scheduler.interval=day", ["scheduler.interval", "epoch", "day"]),
    "monitor": ("monitor.metric=val/acc", ["val/acc", "'val/accuracy'", "val/loss"]),
    "mode": ("monitor.mode=best", ["monitor.mode", "min", "max"]),
    # types
    "text for a number": ("optimizer.lr=fast", ["optimizer.lr", "a number", "fast"]),
    "text for a list": ("model.net.hidden=abc", ["model.net.hidden", "a list", "abc"]),
    "fraction in a list": ("model.net.hidden=[64,1.5]", ["hidden", "whole number", "1.5"]),
    "fraction of an epoch": ("trainer.max_epochs=1.5", ["max_epochs", "whole number", "1.5"]),
    "text for a seed": ("seed=x", ["`seed`", "whole number", "'x'"]),
    "no seed": ("seed=null", ["`seed`", "whole number"]),
    "one beta": ("optimizer.betas=[0.9]", ["betas", "[0.9]"]),
    "number for a switch": ("trainer.detect_anomaly=3", ["detect_anomaly", "true or false", "3"]),
    # ranges
    "negative seed": ("seed=-1", ["`seed`", "from 0", "-1"]),
    "seed beyond 32 bits": ("seed=4294967296", ["`seed`", "2**32", "4294967296"]),
    "dropout": ("model.net.dropout=1.5", ["model.net", "`dropout`", "[0, 1)", "1.5"]),
    "width": ("model.net.hidden=[0]", ["hidden", ">= 1", "0"]),
    "no filter": ("model=cnn model.net.kernel_size=0", ["kernel_size", ">= 1"]),
    "depth": ("model=resnet model.net.depth=21", ["`depth`", "6n + 2", "21"]),
    "batch": ("data.batch_size=0", ["`batch_size`", "at least 1", "0"]),
    "length": ("model=lstm data=adding data.length=0", ["`length`", "at least 2", "0"]),
    "learning rate": ("optimizer.lr=-1", ["learning rate", "-1"]),
    "precision": ("trainer.precision=64-true", ["64-true", "32-true", "bf16-mixed"]),
    "clipping": ("trainer.gradient_clip_val=-1", ["gradient_clip_val", "-1"]),
    "logging interval": ("trainer.log_every_n_steps=0", ["log_every_n_steps", "0"]),
    "epochs": ("trainer.max_epochs=-7", ["max_epochs", "-7"]),
    "penalty": ("regularization=l2 regularization.l2.weight=-1", ["l2", "`weight`", "-1"]),
    "smoothing": ("loss.label_smoothing=2", ["`label_smoothing`", "[0, 1)", "2"]),
    "milestone": ("scheduler=step scheduler.milestones=[2]", ["`milestones`", "(0, 1)", "2"]),
    "patience": ("scheduler=plateau scheduler.factor=2", ["actor", "1.0"]),
    # partners
    "image net on a table": (
        "model=cnn data=wine",
        ["model=cnn", "data=wine", "image", "fnn, linear"],
    ),
    "recurrent net on a table": (
        "model=lstm data=iris",
        ["model=lstm", "data=iris", "sequence", "fnn, linear"],
    ),
    "view": ("data.view=sideways", ["data.view=sideways", "vector, image, rows"]),
    "view of another net": ("model=cnn data.view=vector", ["model=cnn", "data.view=vector"]),
    "numbers for classes": ("loss=mse", ["loss=mse", "data=digits", "loss=cross_entropy"]),
    "classes for numbers": (
        "data=diabetes loss=cross_entropy",
        ["loss=cross_entropy", "data=diabetes", "loss=mse"],
    ),
    "variational net without its bound": ("model=vae loss=mse", ["VAE", "loss=elbo"]),
    "bound without a variational net": ("model=autoencoder loss=elbo", ["loss=elbo", "VAE"]),
    "text read backwards": (
        "model=lstm data=text_lm model.net.bidirectional=true model.carry_state=false",
        ["data=text_lm", "next one", "model.net.bidirectional=false"],
    ),
    "music read backwards": (
        "model=gru data=piano_rolls model.net.bidirectional=true",
        ["data=piano_rolls", "model.net.bidirectional=false"],
    ),
    "momentum": (
        "optimizer=sgd optimizer.nesterov=true optimizer.momentum=0",
        ["Nesterov", "momentum"],
    ),
    # devices
    "no GPU": ("trainer=gpu", ["gpu", "trainer=cpu"]),
    "no Apple GPU": ("trainer.accelerator=mps", ["cpu"]),
    "accelerator": ("trainer.accelerator=tpux", ["tpux", "cpu"]),
    "too many devices": ("trainer.accelerator=cpu trainer.devices=9999", ["devices", "9999"]),
    "strategy": ("trainer.strategy=dpp", ["dpp", "ddp"]),
    # the command line itself
    "open bracket": ("model.net.hidden=[1,2", ["model.net.hidden=[1,2"]),
    "no value": ("model", ["'model'", "="]),
    "nothing before the sign": ("=3", ["'=3'"]),
    "sweep without -m": ("seed=0,1", ["seed=0,1", "-m"]),
    # folders
    "unwritable folder": ("hydra.run.dir=/dev/null/x", ["/dev/null/x", "hydra.run.dir"]),
    "no such run": ("resume=nowhere", ["nowhere"]),
    "a variable that is not set": ("resume=", ["`resume`", "''"]),
    "folder that is no run": ("resume=.", ["last.ckpt"]),
}
NEEDS = {"no GPU": torch.cuda.is_available, "no Apple GPU": torch.backends.mps.is_available}

# Further ones of a kind.
SLOW = {
    *("choice of data", "choice of optimizer", "logger", "key of the trainer", "norm", "init"),
    *("scaling", "interval", "mode", "fraction in a list", "no seed", "seed beyond 32 bits"),
    *("depth", "length", "epochs", "milestone", "patience", "no Apple GPU", "accelerator"),
    *("recurrent net on a table", "view of another net", "momentum", "strategy", "smoothing"),
    *("fraction of an epoch", "number for a switch", "logging interval", "music read backwards"),
    *("variational net without its bound", "classes for numbers", "no filter", "width", "view"),
    *("text for a number", "text for a seed", "too many devices", "folder that is no run"),
    *("text for a list", "negative seed", "penalty", "clipping", "batch", "numbers for classes"),
    *("one beta", "removed part", "new argument", "readout", "bound without a variational net"),
}


@pytest.mark.parametrize(
    "mistake", [pytest.param(m, marks=[pytest.mark.slow] * (m in SLOW)) for m in MISTAKES]
)
def test_mistake_is_one_line_with_a_remedy(mistake: str, typed: Callable[..., Any]) -> None:
    if NEEDS.get(mistake, lambda: False)():
        pytest.skip("the device is there")
    line, expected = MISTAKES[mistake]
    code, error, files = typed("train", *line.split(" "))
    assert error.startswith("zoo-train: ")
    assert error.endswith("\n") and error.count("\n") == 1
    for part in expected:
        assert part in error
    assert code == 1
    assert files == set()


@pytest.mark.parametrize("path", ["nowhere", "deep/nowhere.ckpt", "."])
def test_run_that_is_not_there_is_not_begun(
    path: str, typed: Callable[..., Any], tmp_path: Path
) -> None:
    typed("train", f"resume={path}")
    assert list(tmp_path.iterdir()) == []


def test_prefix_of_a_message_is_a_key_that_can_be_typed(
    typed: Callable[..., Any],
) -> None:
    for words, place in (
        ("model.net.dropout=1.5", "model.net"),
        ("data.batch_size=0", "data"),
        ("loss.label_smoothing=2", "loss"),
    ):
        assert typed("train", words).error.startswith(f"zoo-train: {place}: ")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("checkpoint=nowhere", ["nowhere", "no checkpoint"]),
        ("checkpoint=nowhere.ckpt", ["nowhere.ckpt", "no checkpoint"]),
        ("checkpoint=.", ["best.ckpt"]),
        ("", ["checkpoint"]),
        ("checkpoint=null", ["checkpoint=<run folder"]),
        ("checkpiont=x", ["'checkpiont'", "'checkpoint'"]),
        ("checkpoint=. split=tset", ["`split`", "train, val, test", "tset"]),
        ("checkpoint=. trainer=gpuu", ["'gpuu'", "'gpu'"]),
    ],
)
def test_evaluate_mistake_is_one_line_with_a_remedy(
    line: str, expected: list[str], typed: Callable[..., Any]
) -> None:
    code, error, files = typed("evaluate", *line.split())
    assert error.startswith("zoo-evaluate: ") and error.count("\n") == 1
    for part in expected:
        assert part in error
    assert code == 1
    assert files == set()


def test_evaluate_leaves_nothing_where_it_was_called(
    typed: Callable[..., Any], tmp_path: Path
) -> None:
    typed("evaluate", "checkpoint=nowhere")
    assert list(tmp_path.iterdir()) == []


# --- the real thing --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("train", "model=fn"),
        ("evaluate", "checkpiont=x"),
        pytest.param("train", "model.net.dropout=2", marks=pytest.mark.slow),
        pytest.param("evaluate", "checkpoint=nowhere", marks=pytest.mark.slow),
    ],
)
def test_process_ends_with_one_line_and_code_one(
    command: str, word: str, zoo: Callable[..., Any]
) -> None:
    done = zoo(command, word)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"zoo-{command}: ")
    assert len(done.stderr.splitlines()) == 1


def test_unwritable_folder_of_somebody_else(zoo: Callable[..., Any], tmp_path: Path) -> None:
    taken = tmp_path / "runs"
    taken.write_text("a file where the folder should be")
    done = zoo("train", "debug=fast")
    assert done.returncode == 1
    assert "runs" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert taken.read_text() == "a file where the folder should be"
