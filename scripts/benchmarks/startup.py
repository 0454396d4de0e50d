"""How long a user waits: for `--help`, for the config, and for the first step of training."""

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.common import ALONE, LONGER, Claim, Contest, Part, Plan, held

ROOT = Path(__file__).parent.parent.parent
HYDRA, ONE_KEY = "import hydra", "a config of one key"
# What Hydra takes for the smallest config there is.
SMALLEST = """
import hydra
@hydra.main(version_base="1.3", config_path=None)
def main(cfg):
    pass
main()
"""
# Ends the default run after its first update of the weights, and says how long it took to get
# there; torch and lightning are imported before.
FIRST_STEP = """
import os, sys, time
import torch, lightning.pytorch as pl
start = time.{clock}()
update = pl.LightningModule.optimizer_step
def first(*args, **kwargs):
    update(*args, **kwargs)
    print("first step", time.{clock}() - start, flush=True)
    os._exit(0)
pl.LightningModule.optimizer_step = first
sys.argv = ["zoo-train", {word!r}]
from zoo.train import main
main()
"""


def child(folder: Path, *words: str, **changes: str) -> str:
    """What a fresh interpreter prints; `changes` are of its environment."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **changes}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def whole(plan: Plan, folder: Path, *words: str) -> float:
    """Seconds that a process takes; of its CPU if that is the clock."""
    before, start = os.times(), plan.now()
    child(folder, *words)
    after = os.times()
    if not plan.by_cpu:
        return plan.now() - start
    used = (after.children_user, after.children_system)
    return sum(used) - before.children_user - before.children_system


def first_step(plan: Plan, folder: Path) -> float:
    """Seconds from the imports of torch and lightning to the first update of the default run."""
    clock = "process_time" if plan.by_cpu else "perf_counter"
    code = FIRST_STEP.format(clock=clock, word="trainer=cpu")
    line = next(row for row in child(folder, "-c", code).splitlines() if "first step" in row)
    return float(line.split()[-1])


def contests(plan: Plan, folder: Path) -> Iterator[Contest]:
    """Processes of their own, one after another."""
    train = partial(whole, plan, folder, "-m", "zoo.train")
    names = {"zoo-train --help": ("--help",), "zoo-train --cfg job": ("--cfg", "job")}
    ways = {name: partial(train, *words) for name, words in names.items()}
    ways[HYDRA] = partial(whole, plan, folder, "-c", HYDRA)
    (folder / "smallest.py").write_text(SMALLEST)
    ways[ONE_KEY] = partial(whole, plan, folder, "smallest.py", "--cfg", "job", "+key=1")
    claims = [Claim(name, name, HYDRA, LONGER, 1.3) for name in names]
    yield Contest(ways, [*claims, Claim(f"{ONE_KEY}, --cfg job", ONE_KEY, HYDRA, LONGER)])
    first = partial(first_step, plan, folder)
    claim = Claim("first step of zoo-train", "first step", "after the imports", ALONE, 1.5)
    yield Contest({claim.ours: first}, [claim])


def run(plan: Plan) -> Part:
    """Hold them."""
    notes = [
        "a fresh interpreter each time, its files in the system's cache after the first",
        "the first step: the default run, its data, checks and TensorBoard included",
    ]
    with TemporaryDirectory() as name:
        return held(contests(plan, Path(name)), plan, notes)
