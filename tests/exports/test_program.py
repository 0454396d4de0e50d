"""Exported programs, run by an interpreter that has no zoo."""

import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import zoo
from zoo.exports import ExportError, export, metadata
from zoo.exports.signature import TRACED, Answers, signature_of
from zoo.models import CNN, FNN, LSTM, VAE, Torchvision
from zoo.preprocessing import Classes, ImageInput, Preprocessing, Scaling
from zoo.preprocessing.affine import identity

SIZES = {"batch": 6, "length": 23, "height": 41, "width": 36}


def compare(net: nn.Module, file: Path) -> None:
    signature = signature_of(net)
    program = torch.export.load(file).module()
    for seed, batch in enumerate((1, 6)):
        inputs = signature.example({**SIZES, "batch": batch}, seed=100 + seed)
        with torch.no_grad():
            expected = Answers(net, signature)(*inputs)
            for ours, theirs in zip(expected, program(*inputs), strict=True):
                torch.testing.assert_close(theirs, ours, atol=1e-5, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.list_models())
def test_every_preset(name: str, small: Callable[[str], nn.Module], tmp_path: Path) -> None:
    net = small(name)
    compare(net, export(net, tmp_path / "x.pt2", format="exported_program").path)


@pytest.mark.slow
def test_every_recurrent_net(sequence_net: nn.Module, tmp_path: Path) -> None:
    done = export(sequence_net, tmp_path / "x.pt2", format="exported_program")
    assert done.inputs[0].shape[:2] == ("batch", "length")
    compare(sequence_net, done.path)


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["batch", "layer", None])
@pytest.mark.parametrize("pool", ["max", "average"])
def test_convolutions_along_time(norm: str | None, pool: str, tmp_path: Path) -> None:
    net = CNN([2, 16], 3, channels=[4, 5], norm=norm, pool=pool).eval()
    done = export(net, tmp_path / "x.pt2", format="exported_program")
    assert done.inputs[0].shape == ("batch", 2, "length")
    compare(net, done.path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "shape", "others"),
    [
        ("resnet18", ("batch", 1, "height", "width"), [(1, 1, 5, 70), (4, 1, 33, 64)]),
        ("convnext_tiny", ("batch", 1, 32, 32), [(1, 1, 32, 32)]),
        ("shufflenet_v2_x0_5", ("batch", 1, 32, 32), [(1, 1, 32, 32)]),
    ],
)
def test_images_of_other_sizes_where_the_last_maps_have_one_pixel(
    name: str, shape: tuple[int | str, ...], others: list[tuple[int, ...]], tmp_path: Path
) -> None:
    image = ImageInput((1, 32, 32), limit=16.0, fit="crop", view="image", scaling=identity())
    net = Torchvision(1, 2, name=name).eval()
    rules = Preprocessing(image, Classes(["a", "b"]))
    file = tmp_path / "x.pt2"
    done = export(net, file, format="exported_program", preprocessing=rules)
    assert done.inputs[0].shape == shape
    program = torch.export.load(file).module()
    for size in ((2, 1, 32, 32), *others):
        x = torch.randn(size)
        torch.testing.assert_close(program(x)[0], net(x), atol=1e-5, rtol=0)


@pytest.mark.slow
def test_needs_nothing_but_torch(call: Callable[..., Any], tmp_path: Path) -> None:
    net = LSTM(3, 2, hidden_size=4, bidirectional=True).eval()
    export(net, tmp_path / "x.pt2", format="exported_program")
    x, lengths = torch.randn(2, 30, 3), torch.tensor([30, 11])
    torch.save((x, lengths, net(x, lengths=lengths).output), tmp_path / "case.pt")
    code = """
import sys, torch
program = torch.export.load("x.pt2").module()
x, lengths, expected = torch.load("case.pt")
print((program(x, lengths)[0] - expected).abs().max().item() < 1e-6, "zoo" in sys.modules)"""
    done = call(sys.executable, "-I", "-c", code, cwd=tmp_path)
    assert done.stdout.split() == ["True", "False"], done.stderr


@pytest.mark.slow
def test_lowered_further_it_refuses_other_lengths(tmp_path: Path) -> None:
    """Rather than being wrong there."""
    net = LSTM(3, 2, hidden_size=4, readout="every").eval()
    file = export(net, tmp_path / "x.pt2", format="exported_program").path
    lowered = torch.export.load(file).run_decompositions().module()
    x = torch.randn(3, TRACED["length"], 3)
    torch.testing.assert_close(lowered(x)[0], net(x).output)
    with pytest.raises(RuntimeError, match="must match"):
        lowered(torch.randn(3, 9, 3))


def test_says_what_it_is_and_not_where_it_was_made(tmp_path: Path) -> None:
    file = export(VAE(4, 2, hidden=[3]), tmp_path / "x.pt2", format="exported_program").path
    facts = metadata(file)
    assert (facts["net"], facts["version"]) == ("VAE", zoo.__version__)
    assert facts["arguments"]["hidden"] == [3]
    assert list(facts["outputs"]) == ["image", "code", "log_variance", "logits"]
    assert facts["outputs"]["code"]["shape"] == ["batch", 2]
    with zipfile.ZipFile(file) as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())
    assert str(Path(zoo.__file__).parent).encode() not in everything
    assert b"site-packages" not in everything


def test_carries_the_preprocessing(tmp_path: Path) -> None:
    scaling = Scaling(torch.tensor(0.5), torch.tensor(0.25))
    image = ImageInput((1, 2, 2), limit=16.0, fit="crop", view="vector", scaling=scaling)
    preprocessing = Preprocessing(image, Classes(["zero", "öne"]))
    net = FNN(4, 2, hidden=[3])
    export(net, tmp_path / "x.pt2", format="exported_program", preprocessing=preprocessing)
    facts = metadata(tmp_path / "x.pt2")
    assert facts["classes"] == ["zero", "öne"]
    assert facts["normalisation"] == {"shift": 0.5, "scale": 0.25}
    assert list(facts["outputs"]) == ["logits"]
    again = Preprocessing.of(facts["preprocessing"])
    assert again.plain() == preprocessing.plain()


def test_metadata_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "x.pt2").write_bytes(b"no archive")
    with pytest.raises(ExportError, match="cannot be read as an exported program"):
        metadata(tmp_path / "x.pt2")
    with zipfile.ZipFile(tmp_path / "y.pt2", "w") as archive:
        archive.writestr("archive/version", "3")
    with pytest.raises(ExportError, match="the zoo has not written it"):
        metadata(tmp_path / "y.pt2")
    (tmp_path / "x.onnx").write_bytes(b"\xff\xff")
    with pytest.raises(ExportError, match="cannot be read as ONNX"):
        metadata(tmp_path / "x.onnx")
    with pytest.raises(ExportError, match="cannot be read as ONNX"):
        metadata(tmp_path / "nowhere.onnx")
