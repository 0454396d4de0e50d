"""Whole runs with numbers that are not finite: one sentence, one count, and two processes."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zoo.callbacks import Finite
from zoo.config import RunError
from zoo.train import train


def test_a_run_ends_with_one_sentence_and_finite_weights(
    composed: Callable[..., Any], tmp_path: Path
) -> None:
    words = ["optimizer=sgd", "optimizer.lr=1e3", "logger=none", "trainer.limit_train_batches=6"]
    with pytest.raises(RunError) as error:
        train(composed(*words))
    sentence = str(error.value)
    assert re.match(r"the loss is (nan|inf) at step [2-6] \(epoch 1\): the output of ", sentence)
    assert "lower optimizer.lr (now " in sentence and "\n" not in sentence
    assert list(tmp_path.rglob("*.ckpt")) == []


def test_a_continued_run_counts_on(
    fit: Callable[..., Any],
    tmp_path: Path,
    split: Callable[..., Any],
    regression: Callable[..., Any],
) -> None:
    callback = Finite(on_nan="skip")
    fit(regression(), split(5, bad=(4,)), callbacks=[callback])
    other = Finite(on_nan="skip")
    other.load_state_dict(callback.state_dict())
    assert (other.left_out, other.in_a_row) == (1, 1)


TWO = """
import sys, math, os
from functools import partial
import torch
from torch import distributed
from zoo.callbacks import Finite, NotFiniteError
from zoo.data import BatchLoader, Split
from zoo.lit import LitFeedForward, Trainer
from zoo.losses import MSE
from zoo.models import FNN

class OnOne(MSE):
    def forward(self, *args, **kwargs):
        loss = super().forward(*args, **kwargs)
        ill = distributed.is_initialized() and distributed.get_rank() == 1
        return loss * math.nan if ill and module.global_step in (2, 3) else loss

torch.manual_seed(0)
module = LitFeedForward(FNN(3, 1, norm="batch"), loss=OnOne(), optimizer=torch.optim.SGD)
callback = Finite(on_nan=sys.argv[1])
trainer = Trainer(
    accelerator="cpu", devices=2, strategy="ddp", max_epochs=1, logger=False,
    enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    callbacks=[callback],
)
random = torch.Generator().manual_seed(0)
split = Split(torch.randn(48, 3, generator=random), torch.randn(48, 1, generator=random))
loader = BatchLoader(split, 4, rank=int(os.environ.get("LOCAL_RANK", 0)), world_size=2)
try:
    trainer.fit(module, loader)
except NotFiniteError as error:
    print("stopped", error, flush=True)
else:
    print("result", callback.left_out, sum(float(p.sum()) for p in module.parameters()), flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("on_nan", ["skip", "rollback", "stop"])
def test_two_processes_do_the_same(call: Callable[..., Any], tmp_path: Path, on_nan: str) -> None:
    (tmp_path / "two.py").write_text(TWO)
    # Without a buffer, print writes a line in pieces, and those of two processes mix.
    settings: dict[str, Any] = {"cwd": tmp_path, "PYTHONUNBUFFERED": None}
    done = call(sys.executable, tmp_path / "two.py", on_nan, **settings)
    lines = [line.split() for line in done.stdout.splitlines()]
    if on_nan == "stop":  # the first to end may take the other with it
        assert re.search("stopped the (loss|gradient) is .* at step 3 ", done.stdout), done.stderr
        assert not any(line[:1] == ["result"] for line in lines)
        return
    one, other = (line for line in lines if line[:1] == ["result"])
    assert one == other and one[1] == "2"
