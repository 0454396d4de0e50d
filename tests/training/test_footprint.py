"""What a run takes up: modules that it has no use for, and memory that would grow by the step."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
from torch import Tensor

from zoo.callbacks import Progress
from zoo.lit import LitModel

ABSENT = (
    *("sklearn", "pandas", "matplotlib", "IPython", "onnx", "tensorflow", "jsonargparse"),
    *("scipy.io", "torch._inductor.compile_fx", "tensorboard.backend", "requests", "zoo.memory"),
)
# What torch and Lightning bring along by themselves, torchmetrics' matplotlib say, is not ours.
RUN = """
import sys
import torch, lightning.pytorch, torch.utils.tensorboard
theirs = set(sys.modules)
from zoo.train import main
main()
print("modules:", *(name for name in sys.modules if name not in theirs))
"""


@pytest.mark.slow
def test_nothing_is_imported_that_the_run_does_not_use(
    environment: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    words = ["data=spirals", "trainer=cpu", "debug=fast"]
    done = subprocess.run(
        [sys.executable, "-c", RUN, *words],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    modules = set(done.stdout.splitlines()[-1].split()[1:])
    assert {"zoo.models.fnn", "zoo.lit.loop"} <= modules
    assert [name for name in ABSENT if name in modules] == []


STEPS = 2_000
WARM = 500
LARGEST = 4e6  # bytes; one hidden layer of the fnn, kept at every step, would be 98e6


def resident() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.fixture
def growth(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """A function (*overrides) -> bytes by which a run of 2,000 steps grows after the first 500."""

    def measure(*words: str) -> int:
        sizes: list[int] = []

        def look(self: Progress, trainer: pl.Trainer, *_: Any) -> None:
            if trainer.global_step >= WARM and trainer.global_step % 100 == 0:
                sizes.append(resident())

        with monkeypatch.context() as patch:
            patch.setattr(Progress, "on_train_batch_end", look)
            run("long", *words, f"trainer.max_steps={STEPS}", "trainer.max_epochs=1000")
        assert len(sizes) >= (STEPS - WARM) / 100
        return sizes[-1] - sizes[0]

    return measure


TEXT = ("data=text_lm", "data.length=16", "trainer.val_check_interval=500")
FAMILIES = {
    "fnn": ("model=fnn", "data=digits", "regularization=[l1,activity]"),
    "cnn": ("model=cnn", "data=digits", "augmentation=mixup", "model.net.channels=[8]"),
    "carried state": ("model=lstm", *TEXT, "model.net.hidden_size=16"),
    "vae": ("model=vae", "data=digits", "callbacks=[default,ema]"),
}


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="asks Linux for its memory")
@pytest.mark.parametrize("family", FAMILIES)
def test_a_step_keeps_no_memory(family: str, growth: Callable[..., int]) -> None:
    words = (*FAMILIES[family], "trainer.limit_val_batches=2", "trainer.limit_test_batches=1")
    assert growth(*words) < LARGEST


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="asks Linux for its memory")
def test_memory_that_a_step_keeps_is_seen(
    growth: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Tensor] = []
    step = LitModel.training_step

    def leaking(self: LitModel, batch: Any, batch_idx: int) -> Tensor:
        loss = step(self, batch, batch_idx)
        kept.append(loss)  # and with it the graph of the step
        return loss

    monkeypatch.setattr(LitModel, "training_step", leaking)
    assert growth(*FAMILIES["fnn"]) > LARGEST
