"""What the zoo costs beside the bare minimum and the usual way, side by side in one process.

python scripts/benchmark.py data       the batch loader beside bare tensors and torchvision
python scripts/benchmark.py step       a training step beside a bare PyTorch loop
python scripts/benchmark.py peers      a training step beside what you would use instead
python scripts/benchmark.py startup    --help and the first step beside the imports
python scripts/benchmark.py inference  validation beside a bare loop
python scripts/benchmark.py scaling    step time against width, depth, length and batch
python scripts/benchmark.py all        all of them

python scripts/benchmark.py step --json step.json  also keeps the numbers
"""

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

import torch
from benchmarks import common, data, inference, peers, scaling, startup, step
from benchmarks.common import Plan

PARTS: dict[str, Any] = {
    "data": data,
    "step": step,
    "peers": peers,
    "startup": startup,
    "inference": inference,
    "scaling": scaling,
}


def machine(plan: Plan) -> dict[str, Any]:
    """What the numbers depend on."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "clock": "cpu" if plan.by_cpu else "wall",
        "repeats": plan.repeats,
    }


def headline(about: dict[str, Any]) -> str:
    """The same in a line."""
    clock = "CPU time of the main thread" if about["clock"] == "cpu" else "wall clock"
    return (
        f"torch {about['torch']}, {about['threads']} threads of {about['cores']} cores; {clock}; "
        f"medians of {about['repeats']} interleaved repeats"
    )


def arguments(words: list[str]) -> argparse.Namespace:
    """What was typed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=[*PARTS, "all"])
    parser.add_argument("--repeats", type=int, default=9, help="at least 5")
    parser.add_argument("--cpu", action="store_true", help="one thread, its CPU time: busy machine")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, once: does it all run?")
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    parser.add_argument("--plot", type=Path, help="draw `scaling` to this file; needs matplotlib")
    chosen = parser.parse_args(words)
    if chosen.repeats < 5:
        parser.error(f"--repeats must be at least 5, got {chosen.repeats}")
    return chosen


def main(words: list[str]) -> None:
    """Measure, print, write."""
    chosen = arguments(words)
    repeats = 1 if chosen.quick else chosen.repeats
    plan = Plan(repeats, time.thread_time if chosen.cpu else time.perf_counter, chosen.quick)
    if chosen.cpu:
        common.one_thread()
    results: dict[str, Any] = machine(plan)
    print(headline(results))
    results["notes"] = {}
    for name in PARTS if chosen.what == "all" else [chosen.what]:
        part = PARTS[name].run(plan)
        table = getattr(PARTS[name], "table", common.table)
        print(f"\n{name}\n{table(part)}", flush=True)
        results[name] = part.rows
        results["notes"][name] = part.notes + part.skipped
    if chosen.json:
        chosen.json.write_text(json.dumps(results, indent=2), encoding="utf-8")
    if chosen.plot and "scaling" in results:
        print(scaling.plot(results["scaling"], chosen.plot))


if __name__ == "__main__":
    main(sys.argv[1:])
