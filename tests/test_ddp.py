"""Two processes on one machine: one run, and numbers that do not depend on how many there were."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

pytestmark = pytest.mark.slow

TWO = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2")


@pytest.fixture
def ddp(zoo: Callable[..., Any], tmp_path: Path) -> Any:
    if not torch.distributed.is_available():
        pytest.skip("this torch has no distributed package")
    return zoo("train", *TWO, "data=digits", "trainer.max_epochs=2")


def test_two_processes_make_one_run(
    ddp: Any, zoo: Callable[..., Any], composed: Callable[..., Any], tmp_path: Path
) -> None:
    assert ddp.returncode == 0, ddp.stderr
    assert "Traceback" not in ddp.stderr
    assert ddp.stdout.count("fnn on digits, seed 0") == 1
    assert len(re.findall(r"^look ", ddp.stdout, flags=re.MULTILINE)) == 1
    [folder] = (tmp_path / "runs" / "digits" / "fnn").iterdir()
    assert [path.name for path in (tmp_path / "runs").rglob("metrics.json")] == ["metrics.json"]
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == [
        "best.ckpt",
        "last.ckpt",
    ]
    hosts = {path.name.split(".")[-2] for path in folder.glob("events.*")}
    assert len(hosts) == 1  # one process writes events

    row = json.loads((folder / "metrics.json").read_text())
    alone = zoo("evaluate", f"checkpoint={folder}")
    assert alone.returncode == 0, alone.stderr
    from zoo.evaluate import evaluate

    numbers = evaluate(composed(f"checkpoint={folder}", "trainer=cpu", name="evaluate"))
    assert numbers["test/accuracy"] == row["test/accuracy"]
    assert numbers["test/loss"] == pytest.approx(row["test/loss"], rel=1e-5)
    best = evaluate(composed(f"checkpoint={folder}", "split=val", "trainer=cpu", name="evaluate"))
    assert best["val/loss"] == pytest.approx(row["best/loss"], rel=1e-5)
    assert f"{numbers['test/accuracy']:.4g}" in alone.stdout


def test_spawned_processes_report_what_started_ones_do(
    zoo: Callable[..., Any], tmp_path: Path
) -> None:
    rows = []
    for method in ("popen", "spawn"):
        words = (f"trainer.strategy.start_method={method}", f"hydra.run.dir={method}")
        done = zoo("train", *TWO, "data=iris", "trainer.max_epochs=2", *words)
        assert done.returncode == 0, done.stderr
        row = json.loads((tmp_path / method / "metrics.json").read_text())
        rows.append(
            {name: row[name] for name in row if name.startswith(("val/", "test/", "best/"))}
        )
    assert rows[0] == pytest.approx(rows[1]) and "best/accuracy" in rows[0]


def test_processes_that_torchrun_started(call: Callable[..., Any], tmp_path: Path) -> None:
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone")
    train = (*torchrun, "-m", "zoo.train", *TWO, "data=iris", "trainer.max_epochs=2")
    # Named by the second in which each of them began, they would have two folders.
    done = call(*train, cwd=tmp_path)
    assert done.returncode != 0
    assert "zoo-train: the processes that torchrun starts need one folder" in done.stderr
    assert not list(tmp_path.rglob("config.yaml"))

    done = call(*train, "hydra.run.dir=run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("fnn on iris, seed 0") == 1
    assert len(list(tmp_path.rglob("metrics.json"))) == 1
    assert (tmp_path / "run" / "checkpoints" / "best.ckpt").is_file()


def test_two_processes_do_not_sweep(zoo: Callable[..., Any]) -> None:
    # The second process would run the whole sweep again.
    done = zoo("train", "-m", *TWO, "seed=0,1", "debug=fast")
    assert done.returncode == 1
    assert "ddp" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


ANY_NUMBER = """
import json, sys
import torch
from zoo.data import BatchLoader, Split
from zoo.lit import LitRecurrent, Trainer
from zoo.lit.metrics import Accuracy
from zoo.losses import CrossEntropy
from zoo.models import RNN
from zoo.regularization import L1, Activity

def sgd(groups):
    return torch.optim.SGD(groups, lr=0.1, momentum=0.9)

ranks = int(sys.argv[1])
torch.manual_seed(0)
module = LitRecurrent(
    RNN(2, 3, hidden_size=4, readout="every"), loss=CrossEntropy(), optimizer=sgd,
    metrics={"accuracy": Accuracy()}, regularization={"l1": L1(0.01), "activity": Activity(0.01)},
)
trainer = Trainer(
    accelerator="cpu", devices=ranks, strategy="ddp" if ranks > 1 else "auto", max_epochs=4,
    logger=False, enable_checkpointing=False, enable_progress_bar=False,
    enable_model_summary=False, use_distributed_sampler=False, num_sanity_val_steps=0,
    accumulate_grad_batches=2,
)
lengths = torch.tensor([5, 5, 1, 2, 1, 4, 3, 3, 2, 1, 5])  # the last batch is of three
mask = torch.arange(5) < lengths[:, None]
random = torch.Generator().manual_seed(0)
x, y = torch.randn(11, 5, 2, generator=random), torch.randint(3, (11, 5), generator=random)
split = Split(x, y, lengths, mask)
shares = {"rank": trainer.global_rank, "world_size": ranks}
train = BatchLoader(split, 4 // ranks, shuffle=True, **shares)
trainer.fit(module, train, BatchLoader(split, 4 // ranks, **shares))
if trainer.is_global_zero:
    numbers = {name: value.item() for name, value in trainer.callback_metrics.items()}
    weights = {name: value.tolist() for name, value in module.net.state_dict().items()}
    print("learned", json.dumps([numbers, weights]), flush=True)
"""


def test_two_processes_learn_what_one_does_from_the_same_batches(
    call: Callable[..., Any], tmp_path: Path
) -> None:
    """Shares of unequal size, steps that do not count, penalties and accumulation included."""
    (tmp_path / "run.py").write_text(ANY_NUMBER)
    learned = []
    for ranks in (1, 2):
        done = call(sys.executable, tmp_path / "run.py", str(ranks), cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        [line] = [row for row in done.stdout.splitlines() if row.startswith("learned ")]
        learned.append(json.loads(line.removeprefix("learned ")))
    (numbers, weights), (others, other_weights) = learned
    assert {"train/loss", "val/loss", "train/accuracy", "val/accuracy"} <= numbers.keys()
    assert numbers == pytest.approx(others, rel=1e-5)
    for name, value in weights.items():
        torch.testing.assert_close(
            torch.tensor(value), torch.tensor(other_weights[name]), rtol=1e-4, atol=1e-6
        )


# --- when one of them fails ------------------------------------------------------------------

TOGETHER = pytest.mark.xdist_group("two processes")  # so that the whole run is made once
SHORT = (*TWO, "data=iris", "data.batch_size=16", "trainer.max_epochs=60", "logger=none")


class Pair(NamedTuple):
    """A run of two processes, in the middle of its training."""

    first: subprocess.Popen[str]
    second: int  # its process id

    def end(self) -> tuple[int, str]:
        """Exit code and error output of the first process, when both have ended."""
        _, error = self.first.communicate(timeout=300)
        end = time.monotonic() + 60
        while Path(f"/proc/{self.second}").exists():
            assert time.monotonic() < end, "the second process is still there"
            time.sleep(0.1)
        return self.first.returncode, error


@pytest.fixture
def pair(
    environment: Callable[..., dict[str, str]], deadline: Callable[..., Any], tmp_path: Path
) -> Iterator[Callable[..., Pair]]:
    """A function (*words) that starts such a run in tmp_path / "run"."""
    began: list[subprocess.Popen[str]] = []
    seconds: list[int] = []

    def begin(*words: str) -> Pair:
        if not Path("/proc/self/task").exists():
            pytest.skip("only Linux tells which processes another one has started")
        first = subprocess.Popen(
            [sys.executable, "-m", "zoo.train", *SHORT, "hydra.run.dir=run", *words],
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        began.append(first)
        for _ in deadline(300):
            if first.poll() is not None or (tmp_path / "run/checkpoints/last.ckpt").exists():
                break
        assert first.poll() is None, first.communicate()[1]
        children = Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()
        seconds.extend(map(int, children))
        assert len(children) == 1
        return Pair(first, seconds[-1])

    yield begin
    for second in seconds:
        if Path(f"/proc/{second}").exists():
            os.kill(second, signal.SIGKILL)
    for first in began:
        first.kill()
        first.communicate()


@pytest.fixture(scope="module")
def whole(call: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of two processes that nothing happened to."""
    folder = tmp_path_factory.mktemp("whole")
    words = (sys.executable, "-m", "zoo.train", *SHORT, "hydra.run.dir=run")
    done = call(*words, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.fixture
def goes_on(
    zoo: Callable[..., Any], whole: Path, reached: Callable[..., Any], tmp_path: Path
) -> Callable[[], None]:
    """A function that continues the run, and compares it with the one that nothing happened to."""

    def check() -> None:
        done = zoo("train", "resume=run")
        assert done.returncode == 0, done.stderr
        folders = (tmp_path / "run", whole)
        part, all_of_it = (
            torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
            for folder in folders
        )
        torch.testing.assert_close(part, all_of_it, rtol=0, atol=0)
        part, all_of_it = (
            reached(json.loads((folder / "metrics.json").read_text())) for folder in folders
        )
        assert part == all_of_it

    return check


@TOGETHER
@pytest.mark.parametrize("which", ["first", "second"])
def test_run_goes_on_after_one_of_two_was_killed(
    which: str, pair: Callable[..., Pair], goes_on: Callable[[], None]
) -> None:
    run = pair()
    os.kill(run.first.pid if which == "first" else run.second, signal.SIGKILL)
    code, error = run.end()
    assert "Traceback" not in error
    if which == "second":  # seen in a collective, or after five seconds by Lightning
        assert code in (1, -signal.SIGKILL)
    if code == 1:
        assert re.search(r"^zoo-train: another process of this run has died", error)
        assert error.endswith("; continue with: zoo-train resume=run\n")
    if which == "second":
        goes_on()


def test_hung_process_ends_the_other_within_the_bound(
    pair: Callable[..., Pair],
) -> None:
    run = pair("trainer.strategy.patience=30")
    os.kill(run.second, signal.SIGSTOP)
    start = time.monotonic()
    code, error = run.end()  # and the one that hung is gone too
    assert 10 < time.monotonic() - start < 180
    assert code == 1
    assert error.startswith("zoo-train: another process of this run has died, or does not answer")
    assert error.count("\n") == 1


@TOGETHER
@pytest.mark.parametrize(
    ("number", "to"), [(signal.SIGTERM, "first"), (signal.SIGUSR1, "second"), (signal.SIGINT, "")]
)
def test_both_stop_at_the_same_step_whichever_was_asked(
    number: int, to: str, pair: Callable[..., Pair], goes_on: Callable[[], None]
) -> None:
    run = pair()
    for name, process in (("first", run.first.pid), ("second", run.second)):
        if to in (name, ""):
            os.kill(process, number)
    code, error = run.end()
    assert code == 128 + number
    assert re.fullmatch(
        r"\nstopped by (Ctrl-C|SIGTERM|SIGUSR1) at step \d+; continue with: zoo-train resume=run\n",
        error,
    )
    if to == "second":  # the message names the same command each time
        goes_on()
