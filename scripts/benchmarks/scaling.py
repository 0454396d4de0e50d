"""How the time of a step grows with width, depth, sequence length and batch, family by family."""

import math
import os
import statistics
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from benchmarks.common import Part, Plan, in_turn
from benchmarks.extras import installed
from benchmarks.processes import processes
from benchmarks.training import BareLoss, classified, reconstructed
from zoo.models import CNN, FNN, GRU, LSTM, RNN, Autoencoder

AT_LEAST = 0.05  # seconds that a repeat of one size takes
MOST = 50  # steps of a repeat
REPEATS = 5  # at most
SMALL = 64  # input features, so that what grows is what is asked about


class Case(NamedTuple):
    """A net and a batch for it."""

    net: nn.Module
    x: Tensor
    loss: BareLoss = classified


class Axis(NamedTuple):
    """One way for the nets of a family to grow.

    Attributes:
        family: its name.
        name: what grows.
        sizes: of it.
        expected: the exponent that the count of operations has in the end.
        case: makes the net and the batch of a size.
    """

    family: str
    name: str
    sizes: tuple[int, ...]
    expected: int
    case: Callable[[int], Case]


def dense(width: int = 256, depth: int = 2, batch: int = 128) -> Case:
    """A feed-forward net."""
    return Case(FNN(SMALL, 10, hidden=[width] * depth), torch.randn(batch, SMALL))


def mirrored(width: int = 256, depth: int = 2, batch: int = 128) -> Case:
    """An autoencoder."""
    net = Autoencoder(SMALL, 8, hidden=[width] * depth)
    return Case(net, torch.rand(batch, SMALL), reconstructed)


def convolutional(width: int = 16, depth: int = 2, side: int = 16, batch: int = 32) -> Case:
    """Convolutions that keep the size of the image."""
    net = CNN((3, side, side), 10, channels=[width] * depth, pool=None, head="global")
    return Case(net, torch.randn(batch, 3, side, side))


def recurrent(
    cell: Callable[..., nn.Module],
    width: int = 64,
    depth: int = 1,
    length: int = 16,
    batch: int = 64,
) -> Case:
    """A recurrent net."""
    net = cell(SMALL, 10, hidden_size=width, num_layers=depth)
    return Case(net, torch.randn(batch, length, SMALL))


def doubled(first: int, count: int) -> tuple[int, ...]:
    """Sizes, each twice the one before."""
    return tuple(first * 2**power for power in range(count))


def axes() -> Iterator[Axis]:
    """All that is measured."""
    grown: dict[str, tuple[Callable[..., Case], dict[str, tuple[int, ...]]]] = {
        "FNN": (
            dense,
            {"width": doubled(128, 5), "depth": doubled(2, 5), "batch": doubled(128, 5)},
        ),
        "CNN": (
            convolutional,
            {
                **{"width": doubled(16, 4), "depth": doubled(1, 4), "side": doubled(8, 4)},
                "batch": doubled(16, 4),
            },
        ),
        "autoencoder": (
            mirrored,
            {"width": doubled(128, 4), "depth": doubled(1, 5), "batch": doubled(128, 5)},
        ),
    }
    for cell in (RNN, GRU, LSTM):
        sizes = {"width": doubled(64, 4), "depth": doubled(1, 4), "length": doubled(8, 5)}
        grown[cell.__name__] = partial(recurrent, cell), {**sizes, "batch": doubled(32, 5)}
    for family, (case, kinds) in grown.items():
        for name, sizes in kinds.items():
            expected = 2 if name in ("width", "side") else 1

            def of(size: int, case: Callable[..., Case] = case, name: str = name) -> Case:
                return case(**{name: size})

            yield Axis(family, name, sizes, expected, of)


def timer(case: Case, plan: Plan) -> Callable[[], float]:
    """A way to time a step: forward, loss, backward, fused AdamW."""
    optimizer = torch.optim.AdamW(case.net.parameters(), lr=1e-3, fused=True)
    y = torch.arange(len(case.x)) % 10
    case.net.train()

    def steps(number: int) -> float:
        start = plan.now()
        for _ in range(number):
            loss = case.loss(case.net, case.x, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return (plan.now() - start) / number

    steps(1)
    number = plan.size(min(MOST, math.ceil(AT_LEAST / max(steps(1), 1e-6))), 1)
    return partial(steps, number)


def grown(axis: Axis, plan: Plan) -> dict[str, Any]:
    """Medians over an axis, and the exponent of its upper half."""
    torch.manual_seed(0)
    sizes = axis.sizes[:2] if plan.quick else axis.sizes
    ways = {str(size): timer(axis.case(size), plan) for size in sizes}
    seconds = in_turn(ways, min(REPEATS, plan.repeats), tidy=False)
    return line(axis.family, axis.name, axis.expected, {int(k): v for k, v in seconds.items()})


def line(
    family: str, axis: str, expected: float, seconds: dict[int, list[float]]
) -> dict[str, Any]:
    """The row of an axis."""
    sizes = sorted(seconds)
    middle = [statistics.median(seconds[size]) for size in sizes]
    return {
        "family": family,
        "axis": axis,
        "sizes": sizes,
        "ms": [1e3 * second for second in middle],
        "exponent": exponent(sizes, middle),
        "expected": expected,
        "all_ms": [[1e3 * second for second in seconds[size]] for size in sizes],
    }


def exponent(sizes: list[int], seconds: list[float]) -> float:
    """The slope over the upper half of the sizes, two at least, where both axes are logarithms."""
    first = min(len(sizes) // 2, len(sizes) - 2)
    pairs = ([math.log(value) for value in values[first:]] for values in (sizes, seconds))
    return statistics.linear_regression(*pairs).slope


def run(plan: Plan) -> Part:
    """Measure all axes, and two processes against one."""
    notes = [
        "forward, loss, backward and fused AdamW of the nets themselves, on one batch in memory",
        "the exponent is fitted to the upper half of the sizes; expected is that of the operations",
    ]
    rows = [grown(axis, plan) for axis in axes()]
    skipped = []
    if (os.cpu_count() or 1) < 2:
        skipped.append("processes: skipped: there is one core")
    else:
        notes.append(
            "processes: zoo-train with OMP_NUM_THREADS=2 against trainer=ddp with two processes of "
            "one thread, the same global batch; by the times of their curves, wall clock"
        )
        rows.append(line("LSTM", "processes", 0, processes(plan)))
    return Part(notes, rows, skipped)


def table(part: Part) -> str:
    """The rows as a person reads them."""
    lines = [f"{'':14}{'':12}{'sizes':>12}{'ms':>20}{'exponent':>10}{'expected':>10}"]
    for row in part.rows:
        sizes, ms = (
            f"{row[key][0]:{kind}} - {row[key][-1]:{kind}}"
            for key, kind in (("sizes", "d"), ("ms", ".2f"))
        )
        lines.append(
            f"{row['family']:14}{row['axis']:12}{sizes:>12}{ms:>20}{row['exponent']:10.2f}"
            f"{row['expected']:10}"
        )
    return "\n".join([*lines, *part.skipped, *part.notes])


def plot(rows: list[dict[str, Any]], file: Path) -> str:
    """Draw a chart for each kind of axis, and say where it is, or why it is not."""
    if not installed("matplotlib"):
        return f"{file}: not drawn: matplotlib is not installed"
    from matplotlib.figure import Figure

    rows = [row for row in rows if row["axis"] != "processes"]
    kinds, families = (list(dict.fromkeys(row[key] for row in rows)) for key in ("axis", "family"))
    figure = Figure(figsize=(4 * len(kinds), 4), layout="constrained")
    for axes, kind in zip(figure.subplots(1, len(kinds), squeeze=False)[0], kinds, strict=True):
        for row in (row for row in rows if row["axis"] == kind):
            sizes, ms, colour = row["sizes"], row["ms"], f"C{families.index(row['family'])}"
            label = f"{row['family']} {row['exponent']:.2f}"
            axes.plot(sizes, ms, "o-", markersize=4, color=colour, label=label)
            ideal = [ms[-1] * (size / sizes[-1]) ** row["expected"] for size in sizes]
            axes.plot(sizes, ideal, ":", color=colour, scaley=False)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log", base=2)
        axes.xaxis.set_major_formatter("{x:.0f}")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.set_title(f"{kind} (dotted: exponent {row['expected']})", fontsize="medium")
        axes.legend(fontsize="small")
    figure.axes[0].set_ylabel("ms a step")
    figure.savefig(file, dpi=120)
    return f"drawn: {file}"
