"""The contests of the benchmark: both sides do the same, and every one can be held."""

import importlib.util
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from hydra.core.hydra_config import HydraConfig

from zoo.models import FNN

# --- both sides do the same --------------------------------------------------------------------

pytestmark = pytest.mark.slow  # they time things


def test_both_sides_train_the_same_net_on_as_many_batches(
    module: Callable[[str], ModuleType], quick: Any, tmp_path: Path
) -> None:
    step = module("benchmarks.step")
    before = HydraConfig.instance().cfg
    run, bare = step.both(step.MLP, quick, tmp_path)
    built, start = run.built(), [p.clone() for p in bare.net.parameters()]
    assert str(built.module.net) == str(bare.net) == str(FNN(784, 10))
    assert all(map(torch.equal, built.module.net.parameters(), start))
    optimizer = bare.optimizer(bare.net.parameters())
    assert isinstance(optimizer, torch.optim.AdamW) and optimizer.defaults["fused"]
    x, y = bare.splits["train"]
    assert (x.dtype, x.shape, y.shape) == (torch.float32, (4 * 128, 784), (4 * 128,))
    assert len(run.fitted().steps) == len(bare.epoch(bare.net, optimizer)) == 4
    assert not any(map(torch.equal, bare.net.parameters(), start))
    assert HydraConfig.instance().cfg is before


def test_what_is_switched_on_is_read_off_the_config(
    module: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    training = module("benchmarks.training")
    words = training.on_arrays(Path("x.npz"))
    said = training.switched_on(training.composed(words, tmp_path))
    for part in (
        "logger tensorboard",
        "checkpoint",
        "progress",
        "metrics accuracy",
        "AdamW, fused",
    ):
        assert part in said
    off = training.composed([*words, "logger=none", "optimizer.fused=false"], tmp_path)
    assert "logger none" in training.switched_on(off) and "fused" not in training.switched_on(off)


@pytest.mark.parametrize("name", ["MNIST", "MNIST_RNN", "VAE"])
def test_the_recreated_examples_are_of_their_size(
    name: str, module: Callable[[str], ModuleType]
) -> None:
    """Parameters counted by hand from the layers that the originals have."""
    rnn = 4 * 64 * (28 + 64 + 2) + 2 * 64 + (64 + 1) * 32 + (32 + 1) * 10
    sizes = {
        "MNIST": 32 * 10 + 64 * (32 * 9 + 1) + 128 * (9216 + 1) + 10 * (128 + 1),
        "MNIST_RNN": rnn,
        "VAE": 400 * 785 + 2 * 20 * 401 + 400 * 21 + 784 * 401,
    }
    example = getattr(module("benchmarks.examples"), name)
    net = example.net()
    assert sum(p.numel() for p in net.parameters()) == sizes[name]
    x = torch.rand(4, 1, 28, 28)
    assert math.isfinite(example.loss(net, x, torch.arange(4)).item())


def test_the_recreated_template_is_of_its_size(module: Callable[[str], ModuleType]) -> None:
    net = module("benchmarks.template").dense_net()
    widths = ((784, 64), (64, 128), (128, 64))
    dense = sum((a + 1) * b + 2 * b for a, b in widths) + 65 * 10
    assert sum(p.numel() for p in net.parameters()) == dense


# --- every contest can be held -----------------------------------------------------------------


def check(rows: list[dict[str, Any]]) -> None:
    assert rows and all(row["ours_ms"] > 0 and math.isfinite(row["value"]) for row in rows)


def test_data(module: Callable[[str], ModuleType], quick: Any) -> None:
    part = module("benchmarks.data").run(quick)
    check(part.rows)
    assert [row["target"] for row in part.rows] == ["<= 1.3", ">= 50", ">= 15"]


@pytest.mark.parametrize(
    ("part", "contests", "names"),
    [
        ("step", "families", ["MLP 784-256-256-10, b128"]),
        ("step", "null", ["null model", "null model, the same with Lightning alone"]),
        ("peers", "lightning_hydra_template", ["784-64-128-64-10 with batch norm, b128"]),
        ("inference", "contests", ["MLP 784-256-256-10, b1000"]),
    ],
)
def test_the_first_contest_of(
    part: str,
    contests: str,
    names: list[str],
    module: Callable[[str], ModuleType],
    common: ModuleType,
    quick: Any,
    tmp_path: Path,
) -> None:
    held: Iterator[Any] = getattr(module(f"benchmarks.{part}"), contests)(quick, tmp_path)
    rows = common.measured(next(held), quick)
    check(rows)
    assert [row["name"] for row in rows] == names


def test_scikit_learn_is_there_and_others_may_be_absent(
    module: Callable[[str], ModuleType],
    common: ModuleType,
    quick: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    peers = module("benchmarks.peers")
    monkeypatch.setattr(peers.extras, "installed", lambda name: name == "sklearn")
    first, *others = peers.libraries(quick, tmp_path)
    check(common.measured(first, quick))
    assert others == [common.Skipped(n) for n in ("Keras on torch", "skorch", "pythae VAE")]


def test_scaling_covers_every_family(module: Callable[[str], ModuleType], quick: Any) -> None:
    scaling = module("benchmarks.scaling")
    axes = list(scaling.axes())
    assert {axis.family for axis in axes} == {"FNN", "CNN", "RNN", "GRU", "LSTM", "autoencoder"}
    for axis in axes:
        assert list(axis.sizes) == sorted(axis.sizes) and len(axis.sizes) >= 4
    rows = [scaling.grown(axis, quick) for axis in axes if axis.name == "batch"]
    assert all(row["expected"] == 1 and math.isfinite(row["exponent"]) for row in rows)
    part = module("benchmarks.common").Part(["what is on"], rows, [])
    assert len(scaling.table(part).splitlines()) == len(rows) + 2


def test_widths_grow_with_their_square(module: Callable[[str], ModuleType]) -> None:
    """Weights, which each sample meets once, as the count of operations."""
    for axis in module("benchmarks.scaling").axes():
        if axis.name == "width":
            with torch.device("meta"):
                nets = [axis.case(size).net for size in (2048, 4096)]
            count = [sum(p.numel() for p in net.parameters()) for net in nets]
            assert math.log2(count[1] / count[0]) == pytest.approx(axis.expected, abs=0.1)


def test_a_plot_needs_matplotlib(module: Callable[[str], ModuleType], tmp_path: Path) -> None:
    scaling, file = module("benchmarks.scaling"), tmp_path / "scaling.png"
    row = scaling.line("FNN", "width", 2, {1: [0.1], 2: [0.4]})
    said = scaling.plot([row, row | {"family": "CNN"}, row | {"axis": "depth"}], file)
    if importlib.util.find_spec("matplotlib"):
        assert said == f"drawn: {file}" and file.read_bytes().startswith(b"\x89PNG")
    else:
        assert said.endswith("matplotlib is not installed") and not file.exists()


@pytest.mark.slow
@pytest.mark.parametrize("part", ["step", "peers", "startup", "inference", "scaling"])
def test_the_whole_of(part: str, module: Callable[[str], ModuleType], quick: Any) -> None:
    found = module(f"benchmarks.{part}")
    results = found.run(quick)
    if part == "scaling":
        assert all(min(row["ms"]) > 0 for row in results.rows)
    else:
        check(results.rows)
    assert results.notes
