"""An export in a few lines."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.exports.parity import Parity
from zoo.exports.result import Exported, Quantisation
from zoo.exports.signature import Port


def summary(done: Exported) -> Iterator[str]:
    """What was written, what it reads and gives, and how far it is from the net."""
    yield f"file   {done.path}: {done.format}, {done.size:,} bytes, in {done.seconds:.1f} s"
    for label, ports in (("reads", done.inputs), ("gives", done.outputs)):
        for port in ports:
            yield f"{label}  {described(port)}"
            label = " " * len(label)
    tried = [" x ".join(map(str, sizes.values())) for sizes in done.parity.sizes]
    words = " x ".join(done.parity.sizes[0])
    yield f"parity {off(done.parity)}, at {words} of {', '.join(tried)}"
    if done.milliseconds:
        times = [f"{value:.3g} ms in {name}" for name, value in done.milliseconds.items()]
        sizes = {**done.parity.sizes[0], "batch": 1}
        sample = ", ".join(f"{word} {size}" for word, size in sizes.items())
        yield f"speed  {', '.join(times)}, at {sample}"
    if done.int8 is not None:
        yield f"int8   {cost(done.int8, done.size)}"


def described(port: Port) -> str:
    """A port in one line."""
    return f"{port.name} ({', '.join(map(str, port.shape))}) {port.dtype}: {port.meaning}"


def off(parity: Parity) -> str:
    """How far an export is from its net."""
    return f"off by {parity.absolute:.2g} at most, of outputs up to {parity.largest:.3g}"


def cost(int8: Quantisation, size: int) -> str:
    """What int8 saves and costs."""
    parts = [f"{size / int8.size:.0%} of {int8.size:,} bytes", off(int8.parity)]
    parts += [
        f"test/{name} {value:.4g} -> {int8.after[name]:.4g}" for name, value in int8.before.items()
    ]
    return ", ".join(parts if int8.before else [*parts, "its metrics were not measured"])
