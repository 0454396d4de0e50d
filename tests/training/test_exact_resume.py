"""Stopped anywhere and continued, a run is the one that never stopped, bit for bit."""

import hashlib
import json
import random
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from zoo.callbacks import Progress
from zoo.config import conf_dir

WINE = ("data=wine", "data.batch_size=32", "trainer.max_epochs=4")  # four batches an epoch
EMA = ("callbacks=[default,ema]", "callbacks.ema.decay=0.9")
SLOWING = ("scheduler=plateau", "scheduler.patience=0", "optimizer.lr=0.3")
TEXT = (
    *("data=text_lm", "model.net.hidden_size=8", "trainer.max_epochs=2"),
    *(f"trainer.limit_{part}_batches={n}" for part, n in (("train", 7), ("val", 2), ("test", 2))),
)
PATIENT = ("callbacks=[default,early_stopping]", "callbacks.early_stopping.patience=2")


class Killed(BaseException):
    """As if the process were gone: nothing may handle it."""


@pytest.fixture
def pressed(
    run: Callable[..., Any],
    resume: Callable[..., None],
    opened: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Any]:
    """A function (stops, *overrides): a run that is stopped during these batches, and continued.

    During those with a negative number it is killed, with no more than the last epoch's checkpoint.
    """

    def begin(stops: list[int], *overrides: str) -> Any:
        left, folder = list(stops), tmp_path / "part"
        waiting = False

        def press(self: Progress, trainer: Any, *_: Any) -> None:
            nonlocal waiting
            now = trainer.fit_loop.total_batch_idx + 1
            if left and now >= abs(left[0]) and not waiting:  # a second Ctrl-C would stop at once
                waiting = True
                if left[0] < 0:
                    raise Killed
                signal.raise_signal(signal.SIGINT)

        monkeypatch.setattr(Progress, "on_train_batch_end", press)
        run_on = partial(run, "part", *overrides)
        while left:
            with pytest.raises((KeyboardInterrupt, Killed), match="zoo-train resume=|^$"):
                run_on()
            del left[0]
            waiting = False
            run_on = partial(resume, folder)
        run_on()
        return opened(folder)

    return begin


def everything(folder: Any) -> dict[str, Any]:
    """What a run has learned, logged and will go on from, in a form that compares with ==."""
    found: dict[str, Any] = {"metrics": folder.metrics(), "curves": folder.curves()}
    for name in ("last.ckpt", "best.ckpt"):
        saved = torch.load(folder.path / "checkpoints" / name, weights_only=True)
        kept = (
            "state_dict",
            "optimizer_states",
            "lr_schedulers",
            "means",
            "metrics",
            "state",
            "ema",
        )
        for key in (*kept, "epoch", "global_step"):
            found[f"{name}: {key}"] = plain(saved.get(key))
        states = saved["callbacks"].items()
        found[f"{name}: callbacks"] = {k: plain(v) for k, v in states if k != "Finite"}
    return found


def plain(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        content = value.flatten().view(torch.uint8).numpy()  # some nets have too many for a list
        return [str(value.dtype), list(value.shape), hashlib.sha256(content).hexdigest()]
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, (list, tuple)) else value


def assert_same(part: Any, whole: Any) -> None:
    ours, theirs = everything(part), everything(whole)
    assert ours.keys() == theirs.keys()
    assert [key for key in ours if json.dumps(ours[key]) != json.dumps(theirs[key])] == []
    for tag, points in part.curves().items():
        steps = [step for step, _ in points]
        assert steps == sorted(set(steps)), tag


Case = tuple[list[int], tuple[str, ...]]
CASES: dict[str, Case] = {
    # In mid-epoch, and during the very last batch.
    "anywhere": ([2, 16], (*WINE, "augmentation=mixup", "scheduler=warmup_cosine")),
    # Updates of three batches and of one: a stop within one waits for its end.
    "accumulating": ([1], (*WINE, *EMA, "trainer.accumulate_grad_batches=3")),
}
MORE: dict[str, Case] = {
    "plateau": ([6, -10, 14], (*WINE, *SLOWING)),
    "validation within epochs": (
        [2, 7],
        (*WINE, *PATIENT, "trainer.val_check_interval=0.5", "optimizer.lr=0.1"),
    ),
    "end of an epoch": ([4, 8], (*WINE, *EMA)),
    # Nothing is validated at the end of an odd epoch, nor compared with what was before it.
    "validation at times": ([3, 4, 9], (*WINE, *SLOWING, "trainer.check_val_every_n_epoch=2")),
    "validation at times, killed": (
        [-6, -11, -14],
        (*WINE, *SLOWING, "trainer.check_val_every_n_epoch=2", "trainer.num_sanity_val_steps=2"),
    ),
    "killed": (
        [-2, -5, -8, -14],
        (*WINE, *EMA, "augmentation=mixup", "trainer.log_every_n_steps=1"),
    ),
    "no validation": ([2, 4, 6], (*WINE, "trainer.limit_val_batches=0")),
    "sanity check": ([2, 4, 6], (*WINE, "trainer.num_sanity_val_steps=2")),
    "sgd": ([2, 6], (*WINE, "optimizer=sgd", "trainer.gradient_clip_val=0.1")),
    "regularized": ([2, 6], (*WINE, "regularization=[l1,max_norm]")),
    "workers": ([2, 6], (*WINE, "augmentation=mixup", "data.in_memory=false")),
    "part of an epoch": ([2, 3, 5], (*WINE, "trainer.limit_train_batches=3")),
    "so many steps": ([2, 4, -6, 8, 14], (*WINE, "trainer.max_steps=14")),
    "so many steps of parts": (
        [2, 3, -5, 8],
        (*WINE, "trainer.max_steps=10", "trainer.limit_train_batches=3"),
    ),
    "epochs of one batch": ([1, 3], (*WINE, "data.batch_size=256")),
    "drop_last": ([2, 5], (*WINE, "data.drop_last=true")),
    "every step logged": ([2, 4, 7], (*WINE, "trainer.log_every_n_steps=1")),
    "early stopping": ([2, 6], (*WINE, *PATIENT, "optimizer.lr=0.3", "trainer.max_epochs=30")),
    "streams": (
        [3, 4, 8],
        (*TEXT, "model=gru", "data.shuffle=true", "model.truncate=16", *EMA)
        + ("trainer.val_check_interval=2",),
    ),
    "accumulating streams": ([2, 4, 8], (*TEXT, "model=lstm", "trainer.accumulate_grad_batches=3")),
    "warm-up of the KL term": (
        [3, 25],
        ("model=vae", "data.batch_size=128", "model.net.hidden=[16]", "loss.warmup_steps=15")
        + ("trainer.max_epochs=3",),
    ),
} | {
    f"{scheduler} by {interval}": (
        [3, 8],
        (*WINE, f"scheduler={scheduler}", f"scheduler.interval={interval}"),
    )
    for scheduler in ("step", "cosine", "one_cycle", "warmup_cosine")
    for interval in ("step", "epoch")
}


@pytest.mark.parametrize(
    "case",
    [
        *(pytest.param(case, id=name) for name, case in CASES.items()),
        *(pytest.param(case, id=name, marks=pytest.mark.slow) for name, case in MORE.items()),
    ],
)
def test_stopped_and_continued_is_the_whole_run(
    run: Callable[..., Any], pressed: Callable[..., Any], case: Case
) -> None:
    stops, overrides = case
    assert_same(pressed(stops, *overrides), run("whole", *overrides))


@pytest.mark.slow
def test_a_run_that_stopped_early_is_over_unless_it_may_wait_longer(
    run: Callable[..., Any], resume: Callable[..., None]
) -> None:
    words = (*WINE, *PATIENT, "optimizer.lr=0.3", "trainer.max_epochs=30")
    folder = run("a", *words)
    weights, metrics, epochs = folder.weights(), folder.metrics(), len(folder.curves()["val/loss"])
    assert epochs < 20
    resume(folder.path)
    assert (folder.weights(), folder.metrics()) == (weights, metrics)
    resume(folder.path, "+callbacks.early_stopping.patience=50", f"trainer.max_epochs={epochs + 2}")
    assert len(folder.curves()["val/loss"]) == epochs + 2


# --- every preset ----------------------------------------------------------------------------

PRESETS = sorted(path.stem for path in (conf_dir() / "model").glob("*.yaml"))
SMALL = {
    "resnet": ["model.net.depth=8", "model.net.width=4"],
    "torchvision": ["model.net.name=shufflenet_v2_x0_5"],
}


def drawn(preset: str) -> tuple[list[int], list[str]]:
    """Random settings that are continued exactly, and random stops, the same every time."""
    draw = random.Random(preset)
    words = [f"model={preset}", "data=digits", "data.batch_size=32", "trainer.max_epochs=3"]
    words += ["trainer.limit_train_batches=6", "trainer.limit_val_batches=2"]
    words += ["trainer.limit_test_batches=2", *SMALL.get(preset, [])]
    words += [f"trainer.accumulate_grad_batches={draw.choice([1, 1, 2, 3])}"]
    words += [f"trainer.val_check_interval={draw.choice([1.0, 0.5])}"]
    words += [f"trainer.log_every_n_steps={draw.choice([1, 3])}"]
    scheduler = draw.choice(["step", "cosine", "one_cycle", "plateau", "warmup_cosine"])
    words += [f"scheduler={scheduler}"]
    if scheduler != "plateau":
        words += [f"scheduler.interval={draw.choice(['step', 'epoch'])}"]
    chosen = ["default", *draw.sample(["ema", "early_stopping"], draw.choice([0, 1, 2]))]
    words += [f"callbacks=[{','.join(chosen)}]"]
    if "auto" in preset or "vae" in preset:
        words += [f"augmentation={draw.choice(['none', 'noise'])}"]
    else:
        words += [f"augmentation={draw.choice(['none', 'mixup'])}"]
    # One in each epoch: a stop may have to wait for the epoch's last batch.
    return [6 * epoch + draw.randint(1, 6) for epoch in range(3)], words


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_goes_on_exactly_from_anywhere(
    run: Callable[..., Any], pressed: Callable[..., Any], preset: str
) -> None:
    stops, overrides = drawn(preset)
    assert_same(pressed(stops, *overrides), run("whole", *overrides))
