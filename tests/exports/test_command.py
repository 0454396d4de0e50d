"""`zoo-export`: from a checkpoint to a file."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import zoo as package
from zoo.checkpoint import Contents
from zoo.config import ConfigError
from zoo.export import data_of, export, output_of
from zoo.exports import metadata
from zoo.models import FNN, LSTM, VAE
from zoo.train import train


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder."""
    return package.save(FNN(4, 2, hidden=[3]), tmp_path / "some model")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "name what to export: checkpoint="),
        (["checkpoint=null"], "name what to export: checkpoint="),
        (["checkpoint=nowhere"], "there is no checkpoint nowhere"),
        (["checkpoint=" + "a" * 300], "there is no checkpoint aaa"),
        (["checkpoint={}", "format=onx"], "`format` must be one of"),
        (["checkpoint={}", "output=net.pt"], r"ends in \.onnx, got net\.pt"),
        (["checkpoint={}", "int8=maybe"], "`int8` must be true or false, got 'maybe'"),
        (["checkpoint={}", "lengths=3"], "`lengths` must be true or false, got 3"),
        (["checkpoint={}", "tolerance=true"], "`tolerance` must be a number >= 0, got True"),
        (["checkpoint={}", "tolerance=-1"], "`tolerance` must be a number >= 0, got -1"),
        (["checkpoint={}", "format=safetensors", "output=."], "holds something else"),
    ],
)
def test_refused(
    words: list[str],
    sentence: str,
    composed: Callable[..., Any],
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "notes.txt").write_text("mine")
    monkeypatch.chdir(tmp_path / "here")
    words = [word.format(f'"{folder}"') for word in words]
    with pytest.raises(ConfigError, match=sentence):
        export(composed(*words, name="export"))
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["notes.txt"]


def test_from_folder_to_folder(
    composed: Callable[..., Any], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export(
        composed(
            f'checkpoint="{folder}"',
            "format=safetensors",
            f"output={tmp_path}/copy",
            name="export",
        )
    )
    x = torch.randn(3, 4)
    assert torch.equal(package.load(tmp_path / "copy")(x), package.load(folder)(x))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"file   {tmp_path}/copy: safetensors, ")
    assert lines[1] == "reads  x (batch, 4) float32: a batch of samples, as in training"


@pytest.mark.parametrize(
    ("checkpoint", "choices", "name"),
    [
        ("best.ckpt", {"model": "fnn", "data": "digits"}, "fnn_digits.onnx"),
        ("best.ckpt", ["something", "else"], "best.onnx"),
        ("net-1.0", None, "net-1.0.onnx"),
        ("net-1.0/", None, "net-1.0.onnx"),
        ("lenet5/mnist", None, "lenet5_mnist.onnx"),
        ("hf://owner/name", None, "owner_name.onnx"),
    ],
)
def test_names_the_file_after_the_checkpoint(
    checkpoint: str,
    choices: Any,
    name: str,
    composed: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("best.ckpt").touch()
    Path("net-1.0").mkdir()
    found = Contents(FNN(4, 2), None, choices and {"choices": choices}, {}, checkpoint)
    assert output_of(composed(f"checkpoint={checkpoint}", name="export"), found) == Path(name)


@pytest.mark.parametrize(
    ("module", "note"),
    [
        (SimpleNamespace(net=FNN(4, 2)), ""),
        (SimpleNamespace(net=LSTM(4, 2), carry_state=False), ""),
        (SimpleNamespace(net=LSTM(4, 2), carry_state=True), "note   as in the file, no batch"),
        (SimpleNamespace(net=VAE(4, 2)), "note   as in the file, the test decodes the means"),
    ],
)
def test_says_what_is_tested_otherwise_than_in_the_run(
    module: SimpleNamespace,
    note: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = SimpleNamespace(loader=lambda split: split)
    monkeypatch.setattr("zoo.runs.build", lambda config: (data, module))
    tested, loader = data_of(Contents(module.net, None, {}, {}, "best.ckpt"))
    out = capsys.readouterr().out
    assert out.startswith(note) and bool(out) == bool(note)
    assert (loader, getattr(tested, "carry_state", False)) == ("test", False)


@pytest.mark.slow
def test_of_a_run_with_what_int8_costs(
    composed: Callable[..., Any],
    zoo: Callable[..., Any],
    tmp_path: Path,
) -> None:
    row = train(composed("data=digits", "trainer.max_epochs=2", "pictures=none"))
    here = tmp_path / "here"
    here.mkdir()
    done = zoo("export", f"checkpoint={tmp_path / 'run'}", "int8=true", cwd=here)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line.partition(" ")[0] for line in lines] == [
        "file",
        "reads",
        "gives",
        "parity",
        "speed",
        "int8",
    ]
    assert f"test/accuracy {row['test/accuracy']:.4g} -> " in lines[-1]
    assert [path.name for path in here.iterdir()] == ["fnn_digits.onnx"]
    costs = metadata(here / "fnn_digits.onnx")["int8"]
    assert costs["before"]["loss"] == pytest.approx(row["test/loss"], rel=1e-4)
    assert costs["after"]["loss"] == pytest.approx(row["test/loss"], rel=0.05)
    assert costs["after"]["loss"] != pytest.approx(row["test/loss"], rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("features", "reason"),
    [(None, "mine.npz does not exist"), (20, "the data does not fit the net any more (")],
)
def test_of_a_checkpoint_whose_data_has_gone_or_is_another(
    features: int | None,
    reason: str,
    composed: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import numpy as np

    monkeypatch.chdir(tmp_path)

    def make(features: int) -> None:
        x = np.random.rand(60, features).astype("float32")
        np.savez("mine.npz", x=x, y=np.arange(60) % 3)

    make(30)
    train(composed("data=arrays", "data.path=mine.npz", "trainer.max_epochs=1", "pictures=none"))
    Path("mine.npz").unlink()
    if features:
        make(features)
    shutil.copy(tmp_path / "run" / "checkpoints" / "best.ckpt", "net.ckpt")
    capsys.readouterr()
    done = export(composed("checkpoint=net.ckpt", "int8=true", "output=q.onnx", name="export"))
    assert done.int8 is not None
    assert done.int8.before == {}
    out = capsys.readouterr().out
    assert out.count("what int8 costs is not measured: ") == 1
    assert reason in out
    assert done.path.is_file()
