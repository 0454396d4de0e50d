"""Two processes against one, as commands; their own curves tell when each step was."""

from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.common import Plan, in_turn
from benchmarks.startup import child
from benchmarks.training import BATCH, WARM_UP, arrays, on_arrays

REPEATS = 3  # at most: each is a command with its imports


def processes(plan: Plan) -> dict[int, list[float]]:
    """Seconds of a step of an LSTM by the number of processes, two threads in all."""
    steps = plan.size(WARM_UP + 100, 40)
    with TemporaryDirectory() as name:
        folder = Path(name)
        path = arrays(folder, (28, 28), train=BATCH * steps, val=BATCH)

        def one() -> float:
            return command(folder, on_arrays(path, "model=lstm"), threads=2)

        def two() -> float:
            shared = on_arrays(path, "model=lstm", batch=BATCH // 2)
            both = ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu"]
            return command(folder, [*shared, *both], threads=1)

        seconds = in_turn({"1": one, "2": two}, min(REPEATS, plan.repeats))
    return {int(count): times for count, times in seconds.items()}


def command(folder: Path, words: list[str], threads: int) -> float:
    """Seconds of a step of `zoo-train` with these words, from its curves."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with TemporaryDirectory(dir=folder) as run:
        chosen = [*words, f"hydra.run.dir={run}/run"]
        child(folder, "-m", "zoo.train", *chosen, OMP_NUM_THREADS=str(threads))
        events = EventAccumulator(f"{run}/run", size_guidance={"scalars": 0}).Reload()
        curve = [e for e in events.Scalars("train/loss_step") if e.step >= WARM_UP]
    first, last = curve[0], curve[-1]
    return (last.wall_time - first.wall_time) / (last.step - first.step)
