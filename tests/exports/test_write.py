"""What is refused, and that nothing but a checked file is ever written."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import zoo
from zoo.exports import ExportError, export
from zoo.exports import write as module
from zoo.exports.signature import signature_of
from zoo.models import FNN, LSTM, VAE, Autoencoder, ResNet
from zoo.preprocessing import (
    ArrayInput,
    Classes,
    Frames,
    ImageInput,
    Output,
    Preprocessing,
    Reconstruction,
    Values,
)
from zoo.preprocessing.affine import identity

NET = FNN(4, 2, hidden=[3])


@pytest.mark.parametrize(
    ("path", "settings", "sentence"),
    [
        ("x.onnx", {"format": "onx"}, "must be one of onnx, exported_program, safetensors"),
        ("x.pt2", {}, r"a file of format=onnx ends in \.onnx"),
        ("x", {}, r"ends in \.onnx"),
        ("x.onnx", {"format": "exported_program"}, r"ends in \.pt2"),
        ("x.pt2", {"format": "exported_program", "int8": True}, "int8 is for format=onnx"),
        ("folder.onnx", {}, r"folder\.onnx is a folder"),
        ("file/x.onnx", {}, "file is no folder that can be written to"),
        ("file", {"format": "safetensors"}, "file is a file; format=safetensors writes a folder"),
        ("full", {"format": "safetensors"}, "full holds something else"),
    ],
)
def test_impossible_choices(
    path: str, settings: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "README.md").write_text("mine")
    (tmp_path / "file").write_text("mine")
    before = listing(tmp_path)
    with pytest.raises(ExportError, match=sentence):
        export(NET, tmp_path / path, **settings)
    assert listing(tmp_path) == before


@pytest.mark.parametrize("format", ["onnx", "exported_program", "safetensors"])
@pytest.mark.parametrize("where", ["head.weight", "layers.1.running_var"])
def test_weights_that_are_not_finite(format: str, where: str, tmp_path: Path) -> None:
    net = FNN(4, 2, hidden=[3], norm="batch")
    net.state_dict()[where].view(-1)[0] = float("nan")
    with pytest.raises(ExportError, match=f"{where} has values that are not finite"):
        export(net, tmp_path / f"x{module.SUFFIXES[format]}", format=format)
    assert listing(tmp_path) == {}


def test_other_nets(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="Linear is not a class of zoo.models"):
        export(nn.Linear(2, 2), tmp_path / "x.onnx")
    with pytest.raises(ExportError, match=r"weights are float64; export net\.float\(\)"):
        export(FNN(4, 2).double(), tmp_path / "x.onnx")
    changed = FNN(4, 2, hidden=[3])
    changed.head = nn.Linear(3, 5)
    with pytest.raises(ExportError, match="was it changed after it was built"):
        export(changed, tmp_path / "x", format="safetensors")
    assert listing(tmp_path) == {}


def test_a_net_too_large_for_a_file_of_onnx(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zoo.exports.onnx_file.LARGEST", 50)
    with pytest.raises(ExportError, match="92 bytes, an ONNX file holds at most 50"):
        export(NET, tmp_path / "x.onnx")


@pytest.mark.parametrize(
    ("output", "name", "meaning"),
    [
        (Classes(["a", "b"]), "logits", "a score for each class"),
        (Values(identity()), "values", "the predicted values"),
        (Values(identity(), point="first_half"), "values", "predicted means, then log variances"),
        (Values(identity(), point="logits"), "logits", "log odds of the predicted values"),
        (Frames(), "logits", "a score for each note"),
        (Frames(point="all"), "probabilities", "of each note"),
    ],
)
def test_outputs_are_called_what_they_are_to_the_loss(
    output: Output, name: str, meaning: str
) -> None:
    preprocessing = Preprocessing(ArrayInput((4,), view="vector", scaling=identity()), output)
    (port,) = signature_of(NET, kind=module.kind_of(preprocessing)).outputs
    assert port.name == name
    assert port.meaning.startswith(meaning)


@pytest.mark.parametrize(("point", "meaning"), [("all", "the input"), ("logits", "log odds")])
def test_images_are_called_what_they_are_to_the_loss(point: str, meaning: str) -> None:
    output = Reconstruction(identity(), [4], point=point)
    preprocessing = Preprocessing(ArrayInput((4,), view="vector", scaling=identity()), output)
    kind = module.kind_of(preprocessing)
    for net in (Autoencoder(4, 2), VAE(4, 2), Autoencoder(4, 2)):  # one does not change another
        assert signature_of(net, kind=kind).outputs[0].meaning.startswith(meaning)
    assert signature_of(Autoencoder(4, 2)).outputs[0].meaning.startswith("the input")


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "onnxscript" else find(name)
    )
    with pytest.raises(
        ExportError, match=r"^format=onnx needs an extra: pip install 'neural-zoo\[e"
    ):
        export(NET, tmp_path / "x.onnx")
    assert listing(tmp_path) == {}
    export(NET, tmp_path / "x", format="safetensors")  # needs none


def test_a_corrupted_program_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "x.pt2"
    file.write_text("an earlier one")
    good = module.program_of

    def corrupted(net: nn.Module, signature: Any) -> Any:
        program, signature = good(net, signature)
        program.state_dict["net.head.bias"].data[1] += 3e-5
        return program, signature

    monkeypatch.setattr(module, "program_of", corrupted)
    with pytest.raises(ExportError, match=r"off by 3e-05 in output at .* tolerance=1e-05"):
        export(NET, file, format="exported_program")
    assert listing(tmp_path) == {"x.pt2": "an earlier one"}
    export(NET, file, format="exported_program", tolerance=1e-4)
    assert set(listing(tmp_path)) == {"x.pt2"}
    assert torch.export.load(file).state_dict["net.head.bias"][1] == NET.head.bias[1] + 3e-5


@pytest.mark.slow
def test_a_corrupted_model_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnx

    net, file = LSTM(3, 2, hidden_size=4), tmp_path / "x.onnx"
    file.write_text("an earlier one")
    good = module.onnx_model

    def corrupted(net: nn.Module, signature: Any) -> Any:
        model, signature = good(net, signature)
        weight = next(t for t in model.graph.initializer if t.name == "R_l0")
        values = onnx.numpy_helper.to_array(weight).copy()
        values[0, 0, 0] += 0.1
        weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
        return model, signature

    monkeypatch.setattr(module, "onnx_model", corrupted)
    with pytest.raises(ExportError, match=r"off by .* in output at batch \d, length \d+, of"):
        export(net, file)
    assert listing(tmp_path) == {"x.onnx": "an earlier one"}


def test_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "x.pt2"
    file.write_text("an earlier one")

    def full(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match=r"No space left on device: .*x\.pt2"):
        export(NET, file, format="exported_program")
    assert listing(tmp_path) == {"x.pt2": "an earlier one"}


def test_a_folder_is_loaded_again_as_the_same_net(tmp_path: Path) -> None:
    net = FNN(4, 2, hidden=[3], norm="batch").eval()
    done = export(net, tmp_path / "model", format="safetensors")
    assert done.parity.error == 0
    x = torch.randn(5, 4)
    assert torch.equal(zoo.load(tmp_path / "model")(x), net(x))
    export(net, tmp_path / "model", format="safetensors")  # one that is there is replaced


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_a_folder_keeps_the_type_of_the_weights(dtype: torch.dtype, tmp_path: Path) -> None:
    net = FNN(4, 2, hidden=[3]).to(dtype)
    assert export(net, tmp_path / "model", format="safetensors").parity.error == 0
    back = zoo.load(tmp_path / "model").state_dict()
    assert all(
        torch.equal(back[k], v) and back[k].dtype == dtype for k, v in net.state_dict().items()
    )


def test_a_folder_is_tried_on_images_of_the_training(tmp_path: Path) -> None:
    image = ImageInput((3, 9, 7), limit=1.0, fit="crop", view="image", scaling=identity())
    rules = Preprocessing(image, Classes(["a", "b"]))
    net = ResNet(3, 2, depth=8, width=4)
    done = export(net, tmp_path / "model", format="safetensors", preprocessing=rules)
    assert done.parity.sizes[0] == {"batch": 3, "height": 9, "width": 7}


def test_a_folder_that_can_be_written_to_in_one_that_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a volume is, that is mounted for it."""
    monkeypatch.setattr(module.os, "access", lambda path, mode: path != tmp_path)
    (tmp_path / "model").mkdir()
    export(NET, tmp_path / "model", format="safetensors")
    with pytest.raises(ExportError, match="is no folder that can be written to"):
        export(NET, tmp_path / "other", format="safetensors")


def test_the_net_is_left_as_it_was(tmp_path: Path) -> None:
    net = FNN(4, 2, hidden=[3], dropout=0.5).to(torch.bfloat16).train()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    done = export(net, tmp_path / "x.pt2", format="exported_program")
    assert net.training
    assert all(
        torch.equal(before[k], v) and v.dtype == before[k].dtype
        for k, v in net.state_dict().items()
    )
    x = torch.randn(6, 4)
    given = torch.export.load(done.path).module()(x)[0]
    assert given.dtype == torch.float32
    torch.testing.assert_close(given, net.float().eval()(x), atol=1e-6, rtol=0)


def listing(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): file.read_text(errors="replace")
        for file in folder.rglob("*")
        if file.is_file()
    }
