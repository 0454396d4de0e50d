"""What `zoo.save` writes, `zoo.load` gives back, bit for bit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

import zoo
from zoo.assembly import CheckpointError
from zoo.models import CNN, FNN, GRU, LSTM, RNN, VAE, Autoencoder, ConvVAE, ResNet, Torchvision

PRESETS = [name for name in zoo.list_models() if name != "torchvision"]


@pytest.mark.parametrize("name", PRESETS)
def test_a_net_comes_back_bit_for_bit(
    name: str, tmp_path: Path, made: Callable[[str], Any], equal: Callable[..., None]
) -> None:
    net = made(name)
    assert zoo.save(net, tmp_path / "net") == tmp_path / "net"
    same = zoo.load(tmp_path / "net")
    assert not same.training and all(p.requires_grad for p in same.parameters())
    equal(net, same)


@pytest.mark.parametrize(
    "make",
    [
        lambda: FNN(8, 3, hidden=(), bias=False),
        lambda: FNN(8, 3, hidden=(4, 4), norm="layer", dropout=0.5, activation="selu"),
        lambda: CNN((1, 8, 8), 3, channels=(2,), norm=None, pool=None, head="flatten"),
        lambda: RNN(8, 3, hidden_size=4, num_layers=2, bidirectional=True, dropout=0.5),
        lambda: GRU(8, 3, hidden_size=4, readout="every"),
        lambda: LSTM(8, 3, hidden_size=4, forget_bias=0.1 + 0.2),
        lambda: VAE(8, 2, hidden=(4,)),
        lambda: ConvVAE((1, 8, 8), 2, channels=(2, 3)),
        lambda: ResNet(1, 3, depth=8, width=2),
        lambda: CNN((1, 8, 8), 1, channels=(1,), norm=None, bias=False),
    ],
)
def test_whatever_its_arguments(
    make: Callable[[], nn.Module],
    tmp_path: Path,
    equal: Callable[..., None],
    trained: Callable[..., None],
) -> None:
    net = make()
    trained(net)
    zoo.save(net, tmp_path)
    equal(net, zoo.load(tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "densenet121", "regnet_y_400mf"])
def test_a_model_of_torchvision(name: str, tmp_path: Path) -> None:
    pytest.importorskip("torchvision")
    net = Torchvision(1, 3, name=name).eval()
    zoo.save(net, tmp_path)
    same = zoo.load(tmp_path)
    x = torch.rand(1, 1, 64, 64)
    assert same.arguments == net.arguments and torch.equal(same(x), net(x))


def test_a_net_with_another_head(
    tmp_path: Path, made: Callable[[str], Any], equal: Callable[..., None]
) -> None:
    net: Any = made("lstm")
    net.reset_head(7)
    zoo.save(net, tmp_path)
    equal(net, zoo.load(tmp_path))
    assert zoo.load(tmp_path).arguments["out_features"] == 7


def test_a_frozen_net_learns_again_where_it_is_loaded(
    tmp_path: Path, made: Callable[[str], Any], equal: Callable[..., None]
) -> None:
    net: Any = made("fnn")
    net.freeze(1)
    zoo.save(net, tmp_path)
    same = zoo.load(tmp_path)
    assert same.frozen == 0 and all(p.requires_grad for p in same.parameters())
    equal(net, same)


def test_a_net_much_smaller_than_what_it_reads(tmp_path: Path) -> None:
    net = CNN((1, 100_000), 2, channels=(2,), norm=None)
    zoo.save(net, tmp_path)
    assert zoo.load(tmp_path).arguments == net.arguments


def test_a_net_that_reads_tokens(tmp_path: Path) -> None:
    net = LSTM(20, 20, hidden_size=4, embedding=3, readout="every")
    zoo.save(net, tmp_path)
    tokens = torch.randint(20, (2, 6))
    assert torch.equal(zoo.load(tmp_path)(tokens).output, net.eval()(tokens).output)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("name", ["fnn", "cnn", "gru"])
def test_numbers_keep_their_type(
    name: str,
    dtype: torch.dtype,
    tmp_path: Path,
    made: Callable[[str], Any],
    equal: Callable[..., None],
) -> None:
    net = made(name).to(dtype)
    zoo.save(net, tmp_path)
    same = zoo.load(tmp_path)
    assert {p.dtype for p in same.parameters()} == {dtype}
    equal(net, same)


def test_each_part_keeps_its_own_type(tmp_path: Path, made: Callable[[str], Any]) -> None:
    net = made("lstm").to(torch.bfloat16)
    net.head.float()
    zoo.save(net, tmp_path)
    same = zoo.load(tmp_path)
    assert same.recurrent.weight_ih_l0.dtype == torch.bfloat16
    assert same.head.weight.dtype == torch.float32
    for key, value in net.state_dict().items():
        assert torch.equal(value, same.state_dict()[key])


def test_a_default_type_or_device_of_somebody_else_changes_nothing(
    tmp_path: Path, made: Callable[[str], Any], equal: Callable[..., None]
) -> None:
    net = made("cnn")
    zoo.save(net, tmp_path)
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"):
            same = zoo.load(tmp_path)
    finally:
        torch.set_default_dtype(torch.float32)
    equal(net, same)


def test_tied_weights_stay_tied(
    tmp_path: Path, equal: Callable[..., None], trained: Callable[..., None]
) -> None:
    net = Autoencoder(8, 2, hidden=(4,), tied=True)
    trained(net)
    zoo.save(net, tmp_path)
    assert len(load_file(tmp_path / "model.safetensors")) == 6  # two matrices, four biases
    same = zoo.load(tmp_path)
    equal(net, same)
    encoder, decoder = same.encoder[0].head, same.decoder.layers[0]
    assert encoder.weight is decoder.weight
    before = decoder.weight.clone()
    trained(same)  # a step, in which both ends move
    assert encoder.weight is decoder.weight and not torch.equal(before, encoder.weight)
    with torch.no_grad():
        encoder.weight.zero_()
    code = torch.rand(1, 2)
    assert torch.equal(decoder(code)[0], decoder.bias)


def test_tied_weights_in_a_checkpoint_of_before(
    equal: Callable[..., None], old_checkpoint: Callable[..., Path]
) -> None:
    """Both keys are there; they may not differ."""
    net = Autoencoder(8, 2, hidden=(4,), tied=True)
    file = old_checkpoint(net)
    same = zoo.load(file)
    equal(net, same)
    assert same.encoder[0].head.weight is same.decoder.layers[0].weight
    checkpoint = torch.load(file, weights_only=True)
    twin = "net.decoder.layers.0.weight"
    checkpoint["state_dict"][twin] = checkpoint["state_dict"][twin] + 1
    torch.save(checkpoint, file)
    with pytest.raises(CheckpointError, match="are one in this net, but differ"):
        zoo.load(file)


@pytest.mark.slow
def test_a_compiled_net_is_saved_as_the_plain_one(
    tmp_path: Path,
    made: Callable[[str], Any],
    equal: Callable[..., None],
    sample: Callable[..., Tensor],
) -> None:
    net = made("fnn")
    compiled = torch.compile(net)
    x = sample(net)
    with torch.no_grad():
        expected = compiled.eval()(x)
    zoo.save(compiled, tmp_path)
    same = zoo.load(tmp_path)
    equal(net, same)
    torch.testing.assert_close(torch.compile(same)(x), expected, rtol=0, atol=0)
    net.compile()  # in place: there is no wrapper, and the keys stay
    zoo.save(net, tmp_path)
    equal(net, zoo.load(tmp_path))
