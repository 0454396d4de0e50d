"""One folder per model: what `zoo.save` writes, `zoo.load` gives back, bit for bit."""

import hashlib
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

import zoo
from zoo import model_folder
from zoo.assembly import CheckpointError
from zoo.checkpoint import contents, recipe
from zoo.models import CNN, FNN, GRU, LSTM, RNN, VAE, Autoencoder, ConvVAE, ResNet, Torchvision

SHAPE, FEATURES, STEPS = [1, 8, 8], 8, 5
SIZES: dict[str, Any] = {
    "in_shape": SHAPE,
    "in_channels": 1,
    "in_features": FEATURES,
    "out_features": 3,
    "latent": 4,
    "readout": "last",
    "embedding": None,
    "embedding_std": 1.0,
}
PRESETS = [name for name in zoo.list_models() if name != "torchvision"]


def made(name: str, **arguments: Any) -> nn.Module:
    """A small net of a preset that is not as it was drawn: it has learned for a step."""
    from zoo.presets import preset_of

    preset = preset_of(name)
    chosen = {key: value for key, value in SIZES.items() if key in preset}
    torch.manual_seed(0)
    net = zoo.create_model(name, **{**chosen, **arguments})
    trained(net)
    return net


def sample(net: Any, count: int = 3) -> Tensor:
    """What a net reads."""
    if "in_shape" in net.arguments or "in_channels" in net.arguments:
        return torch.rand(count, *SHAPE)
    if "readout" in net.arguments:
        return torch.rand(count, STEPS, FEATURES)
    return torch.rand(count, FEATURES)


def results(output: Any) -> list[Tensor]:
    """All tensors of what a net gives back."""
    if isinstance(output, Tensor):
        return [output]
    return [tensor for part in output for tensor in results(part)]


def trained(net: nn.Module) -> None:
    """One step of gradient descent, in which batch norms see a batch."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    sum(result.square().mean() for result in results(net.train()(sample(net)))).backward()
    optimizer.step()


def equal(net: nn.Module, other: nn.Module) -> None:
    """The same class, arguments, weights and outputs, bit for bit."""
    assert type(net) is type(other) and net.arguments == other.arguments
    states, others = net.state_dict(), other.state_dict()
    assert list(states) == list(others)
    for key, value in states.items():
        assert value.dtype == others[key].dtype and torch.equal(value, others[key]), key
    x = sample(net).to(next(net.parameters()).dtype)
    with torch.no_grad():
        pairs = zip(results(net.eval()(x)), results(other(x)), strict=True)
        assert all(torch.equal(mine, its) for mine, its in pairs)


@pytest.mark.parametrize("name", PRESETS)
def test_a_net_comes_back_bit_for_bit(name: str, tmp_path: Path) -> None:
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
def test_whatever_its_arguments(make: Callable[[], nn.Module], tmp_path: Path) -> None:
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


def test_a_net_with_another_head(tmp_path: Path) -> None:
    net: Any = made("lstm")
    net.reset_head(7)
    zoo.save(net, tmp_path)
    equal(net, zoo.load(tmp_path))
    assert zoo.load(tmp_path).arguments["out_features"] == 7


def test_a_frozen_net_learns_again_where_it_is_loaded(tmp_path: Path) -> None:
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
def test_numbers_keep_their_type(name: str, dtype: torch.dtype, tmp_path: Path) -> None:
    net = made(name).to(dtype)
    zoo.save(net, tmp_path)
    same = zoo.load(tmp_path)
    assert {p.dtype for p in same.parameters()} == {dtype}
    equal(net, same)


def test_each_part_keeps_its_own_type(tmp_path: Path) -> None:
    net = made("lstm").to(torch.bfloat16)
    net.head.float()
    zoo.save(net, tmp_path)
    same = zoo.load(tmp_path)
    assert same.recurrent.weight_ih_l0.dtype == torch.bfloat16
    assert same.head.weight.dtype == torch.float32
    for key, value in net.state_dict().items():
        assert torch.equal(value, same.state_dict()[key])


def test_a_default_type_or_device_of_somebody_else_changes_nothing(tmp_path: Path) -> None:
    net = made("cnn")
    zoo.save(net, tmp_path)
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"):
            same = zoo.load(tmp_path)
    finally:
        torch.set_default_dtype(torch.float32)
    equal(net, same)


def test_tied_weights_stay_tied(tmp_path: Path) -> None:
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


def test_tied_weights_in_a_checkpoint_of_before(tmp_path: Path) -> None:
    """Both keys are there; they may not differ."""
    net = Autoencoder(8, 2, hidden=(4,), tied=True)
    file = old_checkpoint(tmp_path, net)
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
def test_a_compiled_net_is_saved_as_the_plain_one(tmp_path: Path) -> None:
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


# --- the folder itself -----------------------------------------------------------------------


def test_what_is_in_the_folder(tmp_path: Path) -> None:
    net = FNN(3, 2, hidden=[4])
    zoo.save(net, tmp_path, card={"name": "little", "data": "iris", "metrics": {"test/loss": 0.5}})
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["format"], config["zoo"], config["net"]) == (1, zoo.__version__, "FNN")
    assert config["arguments"]["hidden"] == [4]
    weights = (tmp_path / "model.safetensors").read_bytes()
    assert config["weights_sha256"] == hashlib.sha256(weights).hexdigest()  # as of sha256sum
    card = (tmp_path / "README.md").read_text()
    for words in ("# little", "| test/loss | 0.5 |", "trained on: iris", "zoo.models.FNN"):
        assert words in card
    assert "license" not in card  # nobody said under which
    # Whoever has no zoo reads the weights with safetensors alone.
    tensors = load_file(tmp_path / "model.safetensors")
    assert torch.equal(tensors["head.weight"], net.head.weight)


def test_weights_of_another_model_or_with_a_flipped_bit_are_noticed(tmp_path: Path) -> None:
    one, other = zoo.save(FNN(3, 2), tmp_path / "one"), zoo.save(FNN(3, 2), tmp_path / "other")
    weights = (one / "model.safetensors").read_bytes()
    flipped = weights[:-1] + bytes([weights[-1] ^ 1])
    for content in ((other / "model.safetensors").read_bytes(), flipped):
        (one / "model.safetensors").write_bytes(content)
        with pytest.raises(CheckpointError, match=r"not what was written with config\.json"):
            zoo.load(one)
    (one / "model.safetensors").write_bytes(weights)
    zoo.load(one)


def test_a_folder_of_before_there_was_a_checksum_is_read(tmp_path: Path) -> None:
    net = made("fnn")
    zoo.save(net, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    del config["weights_sha256"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    equal(net, zoo.load(tmp_path))


def test_words_of_others_stay_on_their_line(tmp_path: Path) -> None:
    card = {"name": "a\n# b", "license": "mit\nlibrary_name: x", "data": "c\n- d", "seed": [1, 2]}
    zoo.save(FNN(3, 2), tmp_path, card={**card, "metrics": {"x\ny": "z\nz"}})
    lines = (tmp_path / "README.md").read_text().splitlines()
    assert {"# b", "library_name: x", "- d", "z"} & set(lines) == set()
    zoo.save(FNN(3, 2), tmp_path, card={"metrics": "good"})  # no table, no error


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ({"seed": float("nan")}, "JSON"),
        ({"data": Path("x")}, "only plain values can be saved"),
        (
            {"data": "x" * 2**20},
            r"config\.json would be .* bytes large, 1,048,576 can be read again",
        ),
        ({"data": "\ud800"}, "utf-8"),
    ],
)
def test_a_card_that_cannot_be_written(card: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=words):
        zoo.save(FNN(3, 2), tmp_path / "net", card=card)
    assert not (tmp_path / "net").exists()


def test_sizes_that_numpy_counted(tmp_path: Path) -> None:
    import numpy as np

    net = FNN(8, np.int64(2), hidden=(np.int32(4),))
    zoo.save(net, tmp_path)
    same = zoo.load(tmp_path)
    equal(net, same)
    assert [type(same.arguments[key]) for key in ("in_features", "out_features")] == [int, int]


def test_a_newer_model_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    zoo.save(made("cnn"), tmp_path)
    (tmp_path / "preprocessing.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("mine")
    net = made("lstm")
    zoo.save(net, tmp_path)
    equal(net, zoo.load(tmp_path))
    assert not (tmp_path / "preprocessing.json").exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def fails(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """From now on the disk is full when that file is written."""
    write_bytes = Path.write_bytes

    def content(self: Path, data: bytes) -> int:
        if self.name == f".{name}":
            write_bytes(self, data[: len(data) // 2])
            raise OSError(28, "No space left on device")
        return write_bytes(self, data)

    monkeypatch.setattr(Path, "write_bytes", content)


def test_somebodys_readme_is_not_replaced(tmp_path: Path) -> None:
    net, readme = zoo.models.FNN(2, 2, hidden=[]), tmp_path / "README.md"
    readme.write_text("# My project")
    with pytest.raises(ValueError, match="no model card .* name a folder of the model's own"):
        zoo.save(net, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["README.md"]
    readme.write_text("---\nlicense: mit\n---\n")  # as the Hub begins a repository
    zoo.save(net, tmp_path)
    zoo.save(net, tmp_path)
    assert "FNN" in readme.read_text()


@pytest.mark.parametrize("name", ["model.safetensors", "README.md", "config.json"])
def test_a_folder_is_whole_or_none(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails(monkeypatch, name)
    with pytest.raises(OSError, match="No space left"):
        zoo.save(FNN(3, 2), tmp_path / "net")
    with pytest.raises(CheckpointError):
        zoo.load(tmp_path / "net")
    assert not list((tmp_path / "net").glob(".*"))  # nothing half-written


def test_an_older_model_stays_until_the_new_weights_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = FNN(8, 3)
    zoo.save(net, tmp_path)
    with monkeypatch.context() as patch:
        fails(patch, "model.safetensors")
        with pytest.raises(OSError, match="No space left"):
            zoo.save(FNN(8, 4), tmp_path)
    equal(net, zoo.load(tmp_path))
    fails(monkeypatch, "config.json")
    with pytest.raises(OSError, match="No space left"):
        zoo.save(FNN(8, 4), tmp_path)
    with pytest.raises(CheckpointError):  # not the old recipe with the new weights
        zoo.load(tmp_path)


def test_where_no_folder_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OSError, match="file"):
        zoo.save(FNN(3, 2), tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"
    if os.geteuid() == 0:
        return  # who may write everywhere
    (tmp_path / "closed").mkdir(mode=stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(OSError, match="closed"):
        zoo.save(FNN(3, 2), tmp_path / "closed" / "net")


# --- what is not saved -----------------------------------------------------------------------


class Mine(FNN):
    """Of somebody who builds on the zoo."""


def changed_layer(net: FNN) -> None:
    net.layers[1] = nn.GELU()  # no weights that would tell


def changed_head(net: FNN) -> None:
    net.head = nn.Linear(net.head.in_features, 7)


def more(net: FNN) -> None:
    net.scale = nn.Parameter(torch.ones(1))


def shared(net: FNN) -> None:
    net.layers[2].weight = net.layers[0].weight  # would come back as two


@pytest.mark.parametrize("change", [changed_layer, changed_head, more, shared])
def test_a_net_that_was_changed_is_refused(change: Callable[[FNN], None], tmp_path: Path) -> None:
    net = FNN(4, 3, hidden=(4, 4))
    change(net)
    with pytest.raises(ValueError, match="was it changed after it was built") as caught:
        zoo.save(net, tmp_path / "net")
    assert "FNN" in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "net").exists()


@pytest.mark.parametrize("make", [lambda: Mine(3, 2), lambda: nn.Linear(3, 2), nn.Sequential])
def test_a_class_that_nobody_could_look_up_is_refused(
    make: Callable[[], nn.Module], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="is not a class of zoo.models"):
        zoo.save(make(), tmp_path / "net")
    assert not (tmp_path / "net").exists()


def test_broken_weights_are_refused(tmp_path: Path) -> None:
    net = FNN(3, 2)
    with torch.no_grad():
        net.head.bias[1] = float("nan")
    with pytest.raises(ValueError, match=r"'head\.bias' are not finite"):
        zoo.save(net, tmp_path / "net")
    assert not (tmp_path / "net").exists()


# --- formats, and what loading leaves alone --------------------------------------------------


def old_checkpoint(folder: Path, net: nn.Module, **changes: Any) -> Path:
    """A run as this zoo left it before it kept any preprocessing: format 1."""
    file = folder / "run" / "checkpoints" / "best.ckpt"
    file.parent.mkdir(parents=True)
    node = {"_target_": f"zoo.models.{type(net).__name__}", **net.arguments}
    carried = {
        "format": 1,
        "net": type(net).__name__,
        "arguments": dict(net.arguments),
        "config": {"choices": {"model": "net", "data": "iris"}, "model": {"net": node}, "seed": 3},
    }
    state = {f"net.{key}": value for key, value in net.state_dict().items()}
    others = {"epoch": 4, "optimizer_states": [{"state": {}, "param_groups": []}]}
    torch.save(
        {**others, "state_dict": {**state, "loss.weight": torch.ones(2)}, "zoo": carried}, file
    )
    return file


def test_checkpoints_of_the_first_format_are_read(tmp_path: Path) -> None:
    net = made("fnn")
    file = old_checkpoint(tmp_path, net)
    equal(net, zoo.load(file))
    equal(net, zoo.load(file.parent.parent))
    assert contents(file).preprocessing is None
    with pytest.raises(CheckpointError, match=r"has no preprocessing: .* train it again") as caught:
        zoo.load(file, with_preprocessing=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("where", ["", "checkpoints/best.ckpt"])
def test_a_run_becomes_a_folder(where: str, tmp_path: Path) -> None:
    net = made("cnn")
    run = old_checkpoint(tmp_path, net).parent.parent
    rows = {"test/accuracy": 0.975, "best/epoch": 4, "fit/seconds": 3.0, "test/worst": float("inf")}
    rows |= {"val/loss": 0.75, "best/loss": 0.25}  # of the last epoch, and of this one
    (run / "metrics.json").write_text(json.dumps(rows))
    zoo.save(run / where, tmp_path / "net")
    equal(net, zoo.load(tmp_path / "net"))
    equal(zoo.load(run), zoo.load(tmp_path / "net"))
    card = (tmp_path / "net" / "README.md").read_text()
    for words in (
        "# net on iris",
        "| test/accuracy | 0.975 |",
        "| val/loss | 0.25 |",
        "seed: 3",
        "epochs: 5",
    ):
        assert words in card
    assert "seconds" not in card and "worst" not in card
    # A folder becomes a folder.
    zoo.save(str(tmp_path / "net"), tmp_path / "copy", card={"license": "mit"})
    assert "# net on iris" in (tmp_path / "copy" / "README.md").read_text()


def test_results_are_those_of_the_best_epoch_alone(tmp_path: Path) -> None:
    best = old_checkpoint(tmp_path, made("fnn"))
    (best.parent.parent / "metrics.json").write_text('{"test/loss": 0.5, "best/epoch": 4}')
    last = best.with_name("last.ckpt")
    torch.save({**torch.load(best, weights_only=True), "epoch": 9}, last)
    assert contents(best).card["metrics"] == {"test/loss": 0.5}
    assert not {"metrics", "epochs"} & set(contents(last).card)


@pytest.mark.parametrize("text", ["", "{", "[1]", "[" * 100_000, "\x00\xff"])
def test_results_that_cannot_be_read_do_not_keep_a_net_from_loading(
    text: str, tmp_path: Path
) -> None:
    net = made("fnn")
    run = old_checkpoint(tmp_path, net).parent.parent
    (run / "metrics.json").write_text(text)
    equal(net, zoo.load(run))


@pytest.mark.parametrize("number", [2, 99, 0, -1, "1", 1.0, True, None, [1]])
def test_another_format_is_refused(number: Any, tmp_path: Path) -> None:
    zoo.save(FNN(3, 2), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "format": number}))
    words = "has format .*reads up to 1; update" if number in (2, 99) else "no format"
    with pytest.raises(CheckpointError, match=words):
        zoo.load(tmp_path)


def test_loading_leaves_the_random_numbers_alone(tmp_path: Path) -> None:
    net = made("cnn")
    zoo.save(net, tmp_path / "net")
    file = old_checkpoint(tmp_path, net)
    for act in (
        lambda: zoo.load(tmp_path / "net"),
        lambda: zoo.load(file),
        lambda: zoo.save(net, tmp_path / "net"),
    ):
        state = torch.get_rng_state()
        act()
        assert torch.equal(state, torch.get_rng_state())


def test_what_is_loaded_is_a_copy(tmp_path: Path) -> None:
    """The file can go, or be written anew, while the net is in use."""
    net = made("fnn")
    zoo.save(net, tmp_path)
    same = zoo.load(tmp_path)
    for file in tmp_path.iterdir():
        file.write_bytes(bytes(file.stat().st_size))
        file.unlink()
    equal(net, same)


def test_the_recipe_of_a_run_and_of_a_folder_say_the_same(tmp_path: Path) -> None:
    net = made("gru")
    node = {"_target_": "zoo.models.GRU", **net.arguments}
    described = model_folder.described(net)
    assert {key: recipe(node, {})[key] for key in ("net", "arguments")} == {
        key: described[key] for key in ("net", "arguments")
    }
