"""Validation through the zoo beside a bare loop in `torch.inference_mode`, in large batches."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.common import LONGER, Claim, Contest, Part, Plan, held
from benchmarks.step import FAMILIES
from benchmarks.training import Bare, Run, arrays, composed, on_arrays, switched_on, unseen

BATCH, BATCHES = 1_000, 20
CHOSEN = ("MLP", "LeNet-5", "LSTM")
ZOO, BARE = "trainer.validate", "bare loop"


def validation(run: Run) -> float:
    """Seconds of a validation, from its start to its numbers."""
    with unseen():
        built = run.built()
        built.trainer.validate(built.module, datamodule=built.data, verbose=False)
        built.close()
    start, end = built.clock.validation
    return end - start


def contests(plan: Plan, folder: Path) -> Iterator[Contest]:
    """The same weights and the same validation split, all of it."""
    for family in FAMILIES:
        if not family.name.startswith(CHOSEN):
            continue
        batches = plan.size(BATCHES, 2)
        path = arrays(folder, family.shape, train=BATCH, val=BATCH * batches)
        words = on_arrays(path, *family.words, f"data.eval_batch_size={BATCH}", batch=BATCH)
        run = Run(plan, folder / family.name, words)
        bare = Bare(run, family.loss)
        ways = {
            ZOO: lambda run=run, batches=batches: validation(run) / batches,
            BARE: lambda bare=bare, batches=batches: bare.evaluation(bare.net) / batches,
        }
        name = f"{family.name}, b{BATCH}"
        yield Contest(ways, [Claim(name, ZOO, BARE, LONGER, 1.1)])


def run(plan: Plan) -> Part:
    """Hold them."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        ours = switched_on(composed(on_arrays(Path("x.npz")), folder))
        notes = [
            f"trainer.validate: {ours}; timed from the validation's start to its end",
            f"bare loop: {BATCHES} batches of float32 tensors in memory, loss and accuracy",
        ]
        return held(contests(plan, folder), plan, notes)
