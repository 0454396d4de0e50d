"""A batch that is not finite: the run stops before its update, skips it, or goes back."""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision
from torch import Tensor

from zoo.callbacks import Checkpoint, Finite, NotFiniteError
from zoo.data import BatchLoader, Split
from zoo.lit import LitFeedForward, LitRecurrent, schedules
from zoo.losses import MSE
from zoo.models import FNN, LSTM
from zoo.regularization import MaxNorm, decay_groups

SGD = partial(torch.optim.SGD, lr=0.1, momentum=0.9)
ADAM = partial(torch.optim.AdamW, lr=0.01, weight_decay=0.1)


def without(whole: Split, bad: tuple[int, ...], size: int = 4) -> Split:
    kept = [i for i in range(len(whole.x)) if i // size not in bad]
    return whole.take(torch.tensor(kept))


class Values(pl.Callback):
    """The training losses of the epochs."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def on_train_end(self, trainer: Any, module: Any) -> None:
        self.losses.append(trainer.callback_metrics["train/loss"].item())


def test_the_choice_is_checked() -> None:
    with pytest.raises(ValueError, match="`on_nan` must be stop, skip or rollback, got 'retry'"):
        Finite(on_nan="retry")  # type: ignore[arg-type]


@pytest.mark.parametrize("optimizer", [SGD, ADAM])
@pytest.mark.parametrize("flags", [{}, {"gradient_clip_val": 1.0}, {"accumulate_grad_batches": 2}])
def test_a_nan_in_the_data_stops_before_the_update(
    fit: Callable[..., Any],
    tmp_path: Path,
    optimizer: Any,
    flags: dict[str, Any],
    split: Callable[..., Any],
    regression: Callable[..., Any],
    state: Callable[..., Any],
) -> None:
    module = regression(optimizer=optimizer, regularization={"norm": MaxNorm(2.0)})
    weights: list[list[Tensor]] = []
    module.on_train_batch_start = lambda *args: weights.append(state(module.net))
    callbacks = [Finite(), Checkpoint(str(tmp_path))]
    data = split(6, bad=(4,))
    with pytest.raises(NotFiniteError) as error:
        fit(module, data, callbacks=callbacks, enable_checkpointing=True, **flags)
    step = (
        5 // flags.get("accumulate_grad_batches", 1) + flags.get("accumulate_grad_batches", 1) // 2
    )
    assert f"the loss is nan at step {step} (epoch 1)" in str(error.value)
    assert "x of the batch is nan in 1 of 4 samples" in str(error.value)
    assert str(error.value).endswith("; correct the data or set callbacks.finite.on_nan=skip")
    assert len(weights) == 5
    torch.testing.assert_close(state(module.net), weights[-1], rtol=0, atol=0)
    assert all(bool(value.isfinite().all()) for value in weights[-1])


def test_a_good_run_is_the_same_with_and_without(
    fit: Callable[..., Any], split: Callable[..., Any], state: Callable[..., Any]
) -> None:
    runs = []
    for callbacks in ([], *([Finite(on_nan=way)] for way in ("stop", "skip", "rollback"))):  # type: ignore[arg-type]
        torch.manual_seed(0)
        net = FNN(3, 1, hidden=(5,), norm="batch", dropout=0.5)
        module = LitFeedForward(net, loss=MSE(), optimizer=ADAM)
        values = Values()
        fit(module, split(7), callbacks=[*callbacks, values], max_epochs=3)
        runs.append([*state(module), torch.tensor(values.losses)])
    for other in runs[1:]:
        torch.testing.assert_close(runs[0], other, rtol=0, atol=0)


# --- skip --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "optimizer", [SGD, ADAM, partial(ADAM, fused=True), partial(torch.optim.RMSprop, lr=0.01)]
)
@pytest.mark.parametrize("flags", [{}, {"gradient_clip_val": 0.1}, {"accumulate_grad_batches": 2}])
def test_skipping_equals_training_without_these_batches(
    fit: Callable[..., Any],
    optimizer: Any,
    flags: dict[str, Any],
    split: Callable[..., Any],
    regression: Callable[..., Any],
    state: Callable[..., Any],
) -> None:
    """With batch norm, whose running statistics the batch would have spoiled."""
    module, callback, values = (
        regression("batch", optimizer=optimizer),
        Finite(on_nan="skip"),
        Values(),
    )
    data = split(8, bad=(2, 7))
    fit(module, data, callbacks=[callback, values], **flags)
    updates = flags.get("accumulate_grad_batches", 1)
    left_out = (2, 7) if updates == 1 else (2, 3, 6, 7)
    other = regression("batch", optimizer=optimizer)
    fit(other, without(data, left_out), callbacks=[values], **flags)
    torch.testing.assert_close(state(module.net), state(other.net), rtol=0, atol=0)
    assert callback.left_out == 2
    assert values.losses[0] == pytest.approx(values.losses[1], rel=1e-12)


def test_skipping_is_said_once_and_counted(
    fit: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
    split: Callable[..., Any],
    regression: Callable[..., Any],
) -> None:
    trainer = fit(regression(), split(12, bad=(3, 4, 9)), callbacks=[Finite(on_nan="skip")])
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in said] == [
        "the loss is nan at step 4 (epoch 1)",
        "left out 3 of 12 updates",
    ]
    assert trainer.callback_metrics["train/left_out"].item() == 3


def test_too_many_in_a_row_end_the_run(
    fit: Callable[..., Any], split: Callable[..., Any], regression: Callable[..., Any]
) -> None:
    bad = tuple(range(3, 14))
    fit(regression(), split(16, bad=(0, *bad[:10])), callbacks=[Finite(on_nan="skip")])
    with pytest.raises(NotFiniteError, match="at step 14 .*, after 10 updates left out in a row"):
        fit(regression(), split(16, bad=(0, *bad)), callbacks=[Finite(on_nan="skip")])


def test_the_carried_state_is_that_before_the_skipped_batch(
    fit: Callable[..., Any], state: Callable[..., Any]
) -> None:
    def train(data: Split, **settings: Any) -> LitRecurrent:
        torch.manual_seed(0)
        net = LSTM(3, 1, hidden_size=4, readout="every")
        module = LitRecurrent(net, loss=MSE(), optimizer=SGD, carry_state=True)
        fit(module, data, batch_size=2, **settings)
        return module

    x, y = torch.randn(10, 5, 3), torch.randn(10, 5, 1)
    x[5, 3] = math.inf
    data = Split(x, y)
    module = train(data, callbacks=[Finite(on_nan="skip")])
    other = train(data.take(torch.tensor([0, 1, 2, 3, 6, 7, 8, 9])))
    torch.testing.assert_close(state(module.net), state(other.net), rtol=0, atol=0)


def test_weights_that_are_lost_cannot_be_skipped(
    fit: Callable[..., Any], split: Callable[..., Any], regression: Callable[..., Any]
) -> None:
    module, data = regression(optimizer=partial(torch.optim.SGD, lr=1e38)), split(5)
    with pytest.raises(NotFiniteError, match="step 2 .*weight is"):
        fit(module, data._replace(y=data.y * 1e3), callbacks=[Finite(on_nan="skip")])


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("bad", ["loss", "gradient"])
def test_skipping_beside_a_gradient_scaler(
    fit: Callable[..., Any],
    fused: bool,
    bad: str,
    split: Callable[..., Any],
    regression: Callable[..., Any],
    state: Callable[..., Any],
) -> None:
    class Bad(MSE):
        def forward(self, prediction: Tensor, target: Tensor, mask: Any = None) -> Tensor:
            loss = super().forward(prediction, target)
            if module.global_step != 2:
                return loss
            return loss + math.nan if bad == "loss" else (loss * 0).sqrt() + loss

    def mixed() -> MixedPrecision:
        return MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=8.0))

    optimizer = partial(torch.optim.SGD, lr=0.1, fused=fused)
    module, callback = regression(loss=Bad(), optimizer=optimizer), Finite(on_nan="skip")
    fit(module, split(5), callbacks=[callback], plugins=[mixed()])
    assert callback.left_out == (bad == "loss")  # the other one is the scaler's
    other = regression(optimizer=optimizer)
    fit(other, without(split(5), (2,)), plugins=[mixed()])
    torch.testing.assert_close(state(module.net), state(other.net))


# --- rollback ----------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", [SGD, ADAM])
def test_rollback_goes_on_from_the_last_epoch_at_half_the_rate(
    fit: Callable[..., Any],
    optimizer: Any,
    split: Callable[..., Any],
    regression: Callable[..., Any],
    state: Callable[..., Any],
) -> None:
    """Against a loop written out: an epoch, three batches in vain, the others at half the rate."""

    class Once(MSE):
        def forward(self, *args: Any, **kwargs: Any) -> Tensor:
            return super().forward(*args, **kwargs) * (math.nan if module.global_step == 8 else 1)

    callback = Finite(on_nan="rollback")
    module = regression("batch", loss=Once(), optimizer=optimizer)
    fit(module, split(6), callbacks=[callback], max_epochs=2)
    assert callback.left_out == 1

    other = regression("batch", optimizer=optimizer)
    steps = optimizer(decay_groups(other.net))
    batches = list(BatchLoader(split(6), 4))
    for number, batch in enumerate([*batches, *batches[3:]]):
        if number == 6:
            for group in steps.param_groups:
                group["lr"] /= 2
        steps.zero_grad()
        other.training_step(batch, 0).backward()
        steps.step()
    torch.testing.assert_close(state(module.net), state(other.net), rtol=0, atol=0)


@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
def test_a_rollback_lowers_the_whole_schedule(
    fit: Callable[..., Any],
    schedule: str,
    split: Callable[..., Any],
    regression: Callable[..., Any],
) -> None:
    class Rates(pl.Callback):
        def __init__(self) -> None:
            self.rates: list[float] = []

        def on_train_batch_end(self, trainer: Any, *args: Any) -> None:
            self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    runs = []
    for bad in ((), (2,)):
        rates, make = (
            Rates(),
            partial(getattr(schedules, schedule), monitor="train/loss")
            if schedule == "plateau"
            else schedules.cosine,
        )
        module = regression(scheduler=make, optimizer=ADAM)
        flags = {"max_epochs": 2, "callbacks": [Finite(on_nan="rollback"), rates]}
        fit(module, split(4, bad=bad), **flags)
        runs.append(rates.rates)
    plain, lowered = runs
    # The bad batch comes in each epoch.
    factors = [1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25]
    assert lowered == pytest.approx([rate * f for rate, f in zip(plain, factors, strict=True)])


def test_ten_ways_back_end_the_run(
    fit: Callable[..., Any], split: Callable[..., Any], regression: Callable[..., Any]
) -> None:
    with pytest.raises(NotFiniteError, match="step 21 .*, after 10 ways back:"):
        fit(
            regression(),
            split(30, bad=tuple(range(0, 30, 2))),
            callbacks=[Finite(on_nan="rollback")],
        )


def test_an_update_that_overflows_is_taken_back(
    fit: Callable[..., Any],
    tmp_path: Path,
    split: Callable[..., Any],
    regression: Callable[..., Any],
    state: Callable[..., Any],
) -> None:
    module = regression(optimizer=partial(torch.optim.SGD, lr=1e38))
    before, data = state(module.net), split(1)
    callbacks = [Finite(on_nan="rollback"), Checkpoint(str(tmp_path))]
    far = data._replace(y=data.y * 1e3)
    fit(module, far, callbacks=callbacks, enable_checkpointing=True)
    torch.testing.assert_close(state(module.net), before, rtol=0, atol=0)
    saved = torch.load(tmp_path / "last.ckpt", weights_only=True)["state_dict"]
    torch.testing.assert_close(list(saved.values()), before, rtol=0, atol=0)
