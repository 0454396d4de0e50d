"""Checkpoints are data: they load where the zoo is not installed, and nothing in them is run."""

import os
import pickle
import sys
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

import zoo
from zoo.callbacks import Checkpoint
from zoo.checkpoint import CheckpointError, checkpoint_file, read, recipe
from zoo.data import Split
from zoo.lit import LitFeedForward, LitRecurrent
from zoo.losses import MSE, CrossEntropy
from zoo.models import FNN, LSTM
from zoo.regularization import L2, Activity

ARGUMENTS = {"in_features": 3, "out_features": 2, "hidden": [4], "dropout": 0.5}


@pytest.fixture
def run(tmp_path: Path, fit: Callable[..., Any]) -> tuple[Path, FNN]:
    """A run folder as training leaves it, and the net that was trained."""
    folder = tmp_path / "run"
    torch.manual_seed(0)
    net = FNN(3, 2, hidden=[4], dropout=0.5)
    module = LitFeedForward(
        net,
        loss=CrossEntropy(),
        regularization={"l2": L2(0.1), "activity": Activity(0.1)},
        optimizer=partial(torch.optim.AdamW, lr=0.1),
    )
    node = {"_target_": "zoo.models.FNN", **ARGUMENTS}
    module.recipe = recipe(node, {"model": {"net": node}, "seed": 0})
    split = Split(torch.randn(8, 3), torch.randint(2, (8,)))
    keep = Checkpoint(str(folder / "checkpoints"))
    fit(module, split, split, max_epochs=2, callbacks=[keep], enable_checkpointing=True)
    return folder, net


@pytest.fixture
def saved(run: tuple[Path, FNN]) -> dict[str, Any]:
    return torch.load(run[0] / "checkpoints" / "best.ckpt", weights_only=True)


def written(checkpoint: Any, tmp_path: Path) -> Path:
    file = tmp_path / "changed.ckpt"
    torch.save(checkpoint, file)
    return file


def refused(file: Path, *words: str) -> None:
    """One sentence that names the file."""
    with pytest.raises(CheckpointError) as caught:
        zoo.load(file)
    message = str(caught.value)
    assert str(file) in message and "\n" not in message
    for word in words:
        assert word in message


def test_it_loads_where_the_zoo_is_not_installed(
    run: tuple[Path, FNN], call: Callable[..., Any], tmp_path: Path
) -> None:
    # A plain interpreter, in another folder; also where this environment has the zoo as a package.
    code = f"""
import sys
sys.path.append({str(Path(torch.__file__).parent.parent)!r})
sys.modules["zoo"] = None
try:
    import zoo
except ModuleNotFoundError:
    import torch
    checkpoint = torch.load(sys.argv[1], weights_only=True)
    print(checkpoint["zoo"]["net"], checkpoint["state_dict"]["net.head.weight"].tolist())
"""
    file = run[0] / "checkpoints" / "last.ckpt"
    process = call(sys.executable, "-I", "-c", code, file, cwd=tmp_path, PYTHONPATH=None)
    assert process.returncode == 0, process.stderr
    assert process.stdout.strip() == f"FNN {run[1].head.weight.tolist()}"


def test_the_recipe_is_a_public_name_and_plain_values(saved: dict[str, Any]) -> None:
    plain = saved["zoo"]
    assert plain["net"] == "FNN" and plain["arguments"] == ARGUMENTS
    assert plain["config"]["seed"] == 0

    def leaves(node: Any) -> set[type]:
        if isinstance(node, dict):
            return {type(node)}.union(*map(leaves, [*node.keys(), *node.values()]))
        if isinstance(node, (list, tuple)):
            return {type(node)}.union(*map(leaves, node))
        return {type(node)}

    assert leaves(plain) <= {dict, list, str, int, float, bool, type(None)}


def test_keys_are_those_of_the_plain_net(saved: dict[str, Any], run: tuple[Path, FNN]) -> None:
    keys = [key.removeprefix("net.") for key in saved["state_dict"] if key.startswith("net.")]
    assert keys == list(run[1].state_dict())


@pytest.mark.parametrize("where", ["", "checkpoints/best.ckpt", "checkpoints/last.ckpt"])
def test_the_net_comes_back_ready_to_use(run: tuple[Path, FNN], where: str) -> None:
    folder, net = run
    same = zoo.load(folder / where)
    assert type(same) is FNN and not same.training
    x = torch.randn(5, 3)
    file = where or "checkpoints/best.ckpt"  # which may be of an earlier epoch
    weights = torch.load(folder / file, weights_only=True)["state_dict"]
    net.load_state_dict({k[4:]: v for k, v in weights.items() if k.startswith("net.")})
    torch.testing.assert_close(same(x), net.eval()(x), rtol=0, atol=0)


def test_a_net_of_several_results_comes_back(tmp_path: Path) -> None:
    net = LSTM(3, 2, hidden_size=4, num_layers=2, bidirectional=True)
    module = LitRecurrent(net, loss=MSE())
    node = {"_target_": "zoo.models.LSTM", "in_features": 3, "out_features": 2}
    node |= {"hidden_size": 4, "num_layers": 2, "bidirectional": True}
    checkpoint = {"state_dict": module.state_dict(), "zoo": recipe(node, {})}
    same = zoo.load(written(checkpoint, tmp_path))
    x, lengths = torch.randn(2, 5, 3), torch.tensor([5, 2])
    ours, theirs = net.eval()(x, None, lengths), same(x, None, lengths)
    torch.testing.assert_close(theirs, ours, rtol=0, atol=0)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no checkpoint .*nowhere"):
        zoo.load(tmp_path / "nowhere")
    for path in ("", "a" * 5_000, "a\0b"):  # also what the system would not call a path
        with pytest.raises(CheckpointError, match="there is no checkpoint"):
            zoo.load(path)
        with pytest.raises(CheckpointError, match="there is no checkpoint|no run folder"):
            checkpoint_file(path)
    for path, near in (("lenet5", "lenet5/mnist"), ("fnn/digit", "fnn/digits")):
        with pytest.raises(CheckpointError, match=f"no checkpoint {path}; did you mean '{near}'"):
            zoo.load(path)
    with pytest.raises(CheckpointError, match="no checkpoints/best.ckpt"):
        zoo.load(tmp_path)
    with pytest.raises(CheckpointError, match="no checkpoints/last.ckpt"):
        checkpoint_file(tmp_path, "last.ckpt")


@pytest.mark.parametrize("kept", [0, 1, 10, 0.3, 0.5, 0.9, -1])
def test_a_truncated_file_is_damaged(run: tuple[Path, FNN], tmp_path: Path, kept: float) -> None:
    whole = (run[0] / "checkpoints" / "best.ckpt").read_bytes()
    file = tmp_path / "cut.ckpt"
    file.write_bytes(whole[: int(kept * len(whole)) if 0 < kept < 1 else int(kept)])
    refused(file, "damaged")


# Torch warns of a pickle that it does not know before it refuses it.
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize(
    "content",
    [
        b"hello",
        b"every word",
        b"PK\x03\x04" + b"\0" * 50,
        b"\x80\x02e.",
        b"\x80\x04\x95",
        b"\xff" * 300,
    ],
)
def test_what_is_no_checkpoint_is_damaged(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "text.ckpt"
    file.write_bytes(content)
    refused(file, "damaged")


def test_flipped_bits_are_found_or_harmless(run: tuple[Path, FNN], tmp_path: Path) -> None:
    """Wherever a file is damaged: a net comes back, or the one error that callers catch."""
    whole = (run[0] / "checkpoints" / "best.ckpt").read_bytes()
    file = tmp_path / "flipped.ckpt"
    found = 0
    for position in range(0, len(whole), max(1, len(whole) // 150)):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        file.write_bytes(damaged)
        try:
            zoo.load(file)
        except CheckpointError:
            found += 1
    assert found > 0


def test_an_archive_of_something_else_is_damaged(tmp_path: Path) -> None:
    file = tmp_path / "other.ckpt"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "hello")
    refused(file, "damaged")


@pytest.mark.parametrize(
    "checkpoint",
    [
        [1, 2],
        {},
        {"state_dict": {}},
        {"state_dict": {}, "zoo": None},
        {"state_dict": {}, "zoo": {}},
        {"zoo": {"format": 1}},
        torch.zeros(2),
    ],
)
def test_what_somebody_else_wrote_is_refused(tmp_path: Path, checkpoint: Any) -> None:
    refused(written(checkpoint, tmp_path))


@pytest.mark.parametrize("number", [0, 3, "1", None])
def test_another_format_is_named(saved: dict[str, Any], tmp_path: Path, number: Any) -> None:
    saved["zoo"]["format"] = number
    refused(written(saved, tmp_path), f"{number!r}", "reads 1 to 2")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "os.system",
            "torch.load",
            "__builtins__",
            "layers",
            "fnn",
            "nn",
            "__all__",
            "zoo.models",
        ),
        *("FNN.__init__", "Recurrence", "Reconstruction", "torch.nn.Linear", "", None, 3, ["FNN"]),
    ],
)
def test_a_file_cannot_choose_what_is_imported(
    saved: dict[str, Any], tmp_path: Path, name: Any
) -> None:
    saved["zoo"]["net"] = name
    refused(written(saved, tmp_path), "not one of zoo.models")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"in_features": 3}, "out_features"),
        ({**ARGUMENTS, "depth": 3}, "depth"),
        ({**ARGUMENTS, "dropout": 7.0}, "dropout"),
        ({**ARGUMENTS, "hidden": "many"}, "hidden"),
        ({**ARGUMENTS, "hidden": [5]}, "weights do not fit"),
        (None, "zoo.models"),
        ([3, 2], "zoo.models"),
    ],
)
def test_arguments_that_do_not_fit_are_named(
    saved: dict[str, Any], tmp_path: Path, arguments: Any, word: str
) -> None:
    saved["zoo"]["arguments"] = arguments
    refused(written(saved, tmp_path), word)


@pytest.mark.parametrize("weights", [{}, {"net.head.weight": "text"}, {"net.head.weight": None}, 3])
def test_weights_that_are_none_are_refused(
    saved: dict[str, Any], tmp_path: Path, weights: Any
) -> None:
    saved["state_dict"] = weights
    refused(written(saved, tmp_path))


class Payload:
    """A pickle that leaves a file behind when it is run."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.trace),)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("zipped", [True, False])
def test_a_payload_is_refused_without_being_run(
    saved: dict[str, Any], tmp_path: Path, zipped: bool
) -> None:
    trace = tmp_path / "it ran"
    saved["zoo"]["config"]["payload"] = Payload(trace)
    file = tmp_path / "evil.ckpt"
    if zipped:
        torch.save(saved, file)
    else:
        file.write_bytes(pickle.dumps({"zoo": Payload(trace), "state_dict": {}}))
    refused(file)
    with pytest.raises(CheckpointError):
        read(file)
    assert not trace.exists()
    # The payload is real: an unguarded load does run it.
    if zipped:
        torch.load(file, weights_only=False)
    else:
        pickle.loads(file.read_bytes())
    assert trace.is_dir()
