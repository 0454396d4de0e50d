"""Names, sizes and meanings of what an export reads and gives."""

import pytest
import torch
from torch import nn

from zoo.exports.signature import ExportError, signature_of
from zoo.models import CNN, FNN, GRU, LSTM, VAE, ConvAutoencoder, LeNet5, ResNet, Torchvision

SEQUENCE = ("batch", "length", 3)


@pytest.mark.parametrize(
    ("net", "shape"),
    [
        (FNN(4, 2), ("batch", 4)),
        (CNN([1, 8, 8], 2), ("batch", 1, "height", "width")),
        (CNN([1, 8, 8], 2, head="flatten"), ("batch", 1, 8, 8)),
        (CNN([2, 16], 2), ("batch", 2, "length")),
        (LeNet5([3, 9, 7], 2), ("batch", 3, 9, 7)),
        (ResNet(3, 2, depth=8), ("batch", 3, "height", "width")),
        (ConvAutoencoder([1, 8, 8], 2), ("batch", 1, 8, 8)),
        (VAE(4, 2), ("batch", 4)),
        (GRU(3, 2), SEQUENCE),
        (GRU(3, 2, embedding=2), ("batch", "length")),
    ],
)
def test_shape_of_the_input(net: nn.Module, shape: tuple[int | str, ...]) -> None:
    signature = signature_of(net)
    assert signature.inputs[0].name == "x"
    assert signature.inputs[0].shape == shape
    x, *_ = signature.example(dict.fromkeys(signature.free, 8))
    assert x.shape == tuple(8 if isinstance(size, str) else size for size in shape)
    net.eval()(x)


def test_images_of_the_training_where_any_would_do() -> None:
    """Traced and timed with their size; a net that needs one size has theirs."""
    assert signature_of(ResNet(3, 2, depth=8), image=(9, 7)).sizes == {
        "batch": 3,
        "height": 9,
        "width": 7,
    }
    with torch.device("meta"):
        swin = Torchvision(3, 2, name="swin_t")
    assert signature_of(swin, image=(64, 32)).inputs[0].shape == ("batch", 3, 64, 32)
    assert signature_of(swin).inputs[0].shape == ("batch", 3, 224, 224)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("classes", "logits"),
        ("values", "values"),
        ("next_token", "logits"),
        ("frames", "logits"),
        ("values/first_half", "values"),
        ("values/logits", "logits"),
        ("frames/all", "probabilities"),
        (None, "output"),
    ],
)
def test_name_of_the_output(kind: str | None, name: str) -> None:
    for net in (FNN(4, 2), LSTM(3, 2)):
        assert [port.name for port in signature_of(net, kind=kind).outputs] == [name]


def test_autoencoders_name_what_they_give() -> None:
    ports = signature_of(VAE(4, 2), kind="reconstruction").outputs
    assert [port.name for port in ports] == ["image", "code", "log_variance", "logits"]
    assert "nothing is drawn" in ports[0].meaning


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"readout": "last"}, ["x", "lengths"]),
        ({"readout": "mean"}, ["x", "lengths"]),
        ({"readout": "every"}, ["x"]),  # a step cannot know how many are to come
        ({"readout": "every", "bidirectional": True}, ["x", "lengths"]),
    ],
)
def test_lengths_are_read_where_they_matter(settings: dict[str, object], names: list[str]) -> None:
    net = LSTM(3, 2, **settings)
    assert [port.name for port in signature_of(net).inputs] == names
    assert [port.name for port in signature_of(net, lengths=False).inputs] == ["x"]


def test_examples_are_ragged_and_within_the_vocabulary() -> None:
    signature = signature_of(GRU(5, 2, embedding=2))
    x, lengths = signature.example({"batch": 200, "length": 6})
    assert set(x.unique().tolist()) == {0, 1, 2, 3, 4}
    assert set(lengths.tolist()) == {1, 2, 3, 4, 5, 6}
    again = signature.example({"batch": 200, "length": 6})
    assert all(torch.equal(a, b) for a, b in zip((x, lengths), again, strict=True))


def test_other_classes_are_refused() -> None:
    with pytest.raises(ExportError, match="Linear is not a class of zoo.models"):
        signature_of(nn.Linear(2, 2))
