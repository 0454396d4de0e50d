"""What a run leaves behind for a person: numbers in a table, numbers in a file, where to look."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from zoo.files import whole
from zoo.naming import STAGES

UNLIMITED = 100_000  # columns


def write_metrics(folder: Path, row: Mapping[str, Any]) -> None:
    """Write `metrics.json`: one flat object, numbers that are not finite as null."""
    clean = {key: value if _finite(value) else None for key, value in row.items()}
    with whole(folder / "metrics.json") as unfinished:
        unfinished.write_text(json.dumps(clean, indent=1) + "\n", encoding="utf-8")


def wide() -> Console:
    """Where tables are printed: a file or another program gets them whole, however wide."""
    console = Console()
    return console if console.is_terminal else Console(width=UNLIMITED)


def print_table(title: str, metrics: Mapping[str, float]) -> None:
    """Print final metrics, a row for each and a column for each stage."""
    stages = [s for s in STAGES if any(key.startswith(f"{s}/") for key in metrics)]
    names = dict.fromkeys(
        name
        for wanted in stages
        for stage, _, name in (key.partition("/") for key in metrics)
        if stage == wanted
    )
    table = Table()
    table.add_column("metric")
    for stage in stages:
        table.add_column(stage, justify="right")
    for name in names:
        values = [metrics.get(f"{stage}/{name}") for stage in stages]
        table.add_row(name, *["" if value is None else f"{value:.4g}" for value in values])
    console = wide()
    console.print(f"\n[bold]{title}[/bold]", highlight=False)
    console.print(table)


def print_cost(metrics: Mapping[str, float]) -> None:
    """Print what the run cost, in one line."""
    phrases = {
        "parameters": "{:,.0f} parameters",
        "flops": "{:,.0f} FLOPs a sample",
        "fit_seconds": "{:,.3g} s to fit",
        "samples_per_second": "{:,.0f} samples/s",
        "peak_memory_mb": "{:,.0f} MB",
        "latency_ms": "{:.3g} ms for one sample",
        "throughput": "{:,.0f} samples/s of 256",
        "seconds_to_target": "target after {:.3g} s",
        "samples_to_target": "{:,.0f} samples",
    }
    said = [
        phrase.format(metrics[f"cost/{name}"])
        for name, phrase in phrases.items()
        if f"cost/{name}" in metrics
    ]
    if said:
        say(f"cost   {', '.join(said)}")


def shown(path: str | Path) -> str:
    """A path as short as it can be typed from here."""
    path = Path(path)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def say(text: str) -> None:
    """Print a line as it is, neither wrapped nor coloured, so that it can be copied."""
    print(text, flush=True)


def _finite(value: Any) -> bool:
    return not isinstance(value, float) or abs(value) < float("inf")
