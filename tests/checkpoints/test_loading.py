"""Checkpoints are data: they load where the zoo is not installed, and give back the same net."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import zoo
from zoo.checkpoint import CheckpointError, checkpoint_file, recipe
from zoo.lit import LitRecurrent
from zoo.losses import MSE
from zoo.models import FNN, LSTM


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


def test_the_recipe_is_a_public_name_and_plain_values(
    saved: dict[str, Any], net_arguments: dict[str, Any]
) -> None:
    plain = saved["zoo"]
    assert plain["net"] == "FNN" and plain["arguments"] == net_arguments
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


def test_a_net_of_several_results_comes_back(written: Callable[[Any], Path]) -> None:
    net = LSTM(3, 2, hidden_size=4, num_layers=2, bidirectional=True)
    module = LitRecurrent(net, loss=MSE())
    node = {"_target_": "zoo.models.LSTM", "in_features": 3, "out_features": 2}
    node |= {"hidden_size": 4, "num_layers": 2, "bidirectional": True}
    checkpoint = {"state_dict": module.state_dict(), "zoo": recipe(node, {})}
    same = zoo.load(written(checkpoint))
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
