"""Numbers that are not finite: named, and kept away from weights and checkpoints."""

import math
import re
import sys
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision
from torch import Tensor, nn

from zoo.callbacks import Checkpoint, Finite, NotFiniteError
from zoo.callbacks.diagnosis import UNKNOWN, diagnose
from zoo.callbacks.finite import finite
from zoo.callbacks.trial import trial
from zoo.config import RunError
from zoo.data import Batch, BatchLoader, Split
from zoo.lit import LitFeedForward, LitRecurrent, schedules
from zoo.losses import MSE, CrossEntropy
from zoo.models import FNN, LSTM
from zoo.regularization import L2, MaxNorm, Penalty, decay_groups
from zoo.train import train

SGD = partial(torch.optim.SGD, lr=0.1, momentum=0.9)
ADAM = partial(torch.optim.AdamW, lr=0.01, weight_decay=0.1)


def split(batches: int, bad: tuple[int, ...] = (), size: int = 4) -> Split:
    """So many batches in order, some of them with a nan in one sample."""
    random = torch.Generator().manual_seed(0)
    x = torch.randn(batches * size, 3, generator=random)
    y = torch.randn(batches * size, 1, generator=random)
    for number in bad:
        x[number * size + 1, 2] = math.nan
    return Split(x, y)


def without(whole: Split, bad: tuple[int, ...], size: int = 4) -> Split:
    kept = [i for i in range(len(whole.x)) if i // size not in bad]
    return whole.take(torch.tensor(kept))


def regression(norm: str | None = None, **settings: Any) -> LitFeedForward:
    torch.manual_seed(0)
    net = FNN(3, 1, hidden=(5,), norm=norm)
    return LitFeedForward(net, **{"loss": MSE(), "optimizer": SGD, **settings})


def state(module: nn.Module) -> list[Tensor]:
    return [value.clone() for value in module.state_dict().values()]


class Failing(nn.Module):
    """Gives back its input, and something else at one call in training mode."""

    def __init__(self, at: int, value: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.at, self.value, self.calls = at, value, 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += self.training
        return self.value(x) if self.calls >= self.at else x


# --- stop --------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", [SGD, ADAM])
@pytest.mark.parametrize("flags", [{}, {"gradient_clip_val": 1.0}, {"accumulate_grad_batches": 2}])
def test_a_nan_in_the_data_stops_before_the_update(
    fit: Callable[..., Any], tmp_path: Path, optimizer: Any, flags: dict[str, Any]
) -> None:
    module = regression(optimizer=optimizer, regularization={"norm": MaxNorm(2.0)})
    weights: list[list[Tensor]] = []
    module.on_train_batch_start = lambda *args: weights.append(state(module.net))  # type: ignore[method-assign]
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


def test_last_and_best_are_of_the_epoch_before(fit: Callable[..., Any], tmp_path: Path) -> None:
    class Late(MSE):
        def forward(self, *args: Any, **kwargs: Any) -> Tensor:
            return super().forward(*args, **kwargs) * (math.nan if module.global_step == 7 else 1)

    module = regression(loss=Late())
    callbacks = [Finite(), Checkpoint(str(tmp_path))]
    flags = {"max_epochs": 3, "callbacks": callbacks, "enable_checkpointing": True}
    with pytest.raises(
        NotFiniteError, match=r"at step 8 \(epoch 3\): the term loss is nan, the net's output at m"
    ):
        fit(module, split(3), split(2), **flags)
    other = regression()
    fit(other, split(3), max_epochs=2)
    for name in ("last.ckpt", "best.ckpt"):
        saved = torch.load(tmp_path / name, weights_only=True)
        assert saved["global_step"] <= 6
        values = [v for k, v in saved["state_dict"].items() if k.startswith("net.")]
        assert all(bool(value.isfinite().all()) for value in values)
        if saved["global_step"] == 6:
            torch.testing.assert_close(values, state(other.net), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (
            lambda x: x / 0 * 0,
            r"is nan .*the output of middle \(Failing\) is nan, its input finite",
        ),
        (lambda x: x.abs() / 0, r"is inf .*the output of middle \(Failing\) is inf, its input fin"),
        # finite forwards, 0 * inf backwards
        (
            lambda x: (x * 0).abs().sqrt(),
            "gradient is not finite .*gradient of first.bias .* is nan",
        ),
    ],
)
def test_the_layer_is_named(fit: Callable[..., Any], value: Any, words: str) -> None:
    module = regression()
    module.net = nn.Sequential()
    module.net.add_module("first", nn.Linear(3, 3))
    module.net.add_module("middle", Failing(3, value))
    module.net.add_module("last", nn.Linear(3, 1))
    before = state(module.net)
    with pytest.raises(NotFiniteError, match=words) as error:
        fit(module, split(6), callbacks=[Finite()])
    assert "at step 3 (epoch 1)" in str(error.value)
    assert "losses before" in str(error.value) and "gradient norm" in str(error.value)
    assert "; lower optimizer.lr (now 0.1), set trainer.gradient_clip_val=1 or callbacks" in str(
        error.value
    )
    assert all(bool(v.isfinite().all()) for v in state(module.net))
    assert not torch.equal(before[0], state(module.net)[0])


def test_the_penalty_is_named(fit: Callable[..., Any]) -> None:
    class Broken(Penalty):
        def forward(self, net: nn.Module, output: Any) -> Tensor:
            return net.head.weight.sum() * 0 + math.inf  # type: ignore[union-attr, operator]

    module = regression(regularization={"weights": L2(1e-3), "odd": Broken(1.0)})
    with pytest.raises(NotFiniteError, match=r"the term penalty/odd is inf, the net's output at m"):
        fit(module, split(2), callbacks=[Finite()])


def test_targets_that_leave_nothing_to_average_are_named(fit: Callable[..., Any]) -> None:
    y = torch.tensor([0, 1, 1, 0, -100, -100, -100, -100])
    module = LitFeedForward(FNN(3, 2), loss=CrossEntropy(), optimizer=SGD)
    with pytest.raises(NotFiniteError, match="step 2 .*the term loss is nan, .*check the targets"):
        fit(module, Split(torch.randn(8, 3), y), callbacks=[Finite()])


def test_what_other_random_numbers_do_not_show_again_is_said_so(fit: Callable[..., Any]) -> None:
    class Late(Finite):
        def on_train_start(self, trainer: Any, module: Any) -> None:
            self._alone = False

    class Unlucky(nn.Module):
        calls = 0

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            return x * math.nan if self.calls == 3 else x

    module = regression()
    module.net = nn.Sequential(nn.Linear(3, 1), Unlucky())
    words = "loss is nan at step 3 .*: run once more, with other"
    with pytest.raises(NotFiniteError, match=words):
        fit(module, split(5), callbacks=[Finite()])
    module.net[1].calls = 0  # type: ignore[index]
    with pytest.raises(NotFiniteError, match=words):  # where nobody stops before the backward pass
        fit(module, split(5), callbacks=[Late()])


@pytest.mark.parametrize("batches", [1, 3])
def test_an_update_that_overflows_is_never_saved(
    fit: Callable[..., Any], tmp_path: Path, batches: int
) -> None:
    module = regression(optimizer=partial(torch.optim.SGD, lr=1e38))
    callbacks, data = [Finite(), Checkpoint(str(tmp_path))], split(batches)
    with pytest.raises(NotFiniteError, match=r"layers.0.weight is (nan|inf)"):
        far = data._replace(y=data.y * 1e3)
        fit(module, far, callbacks=callbacks, max_epochs=2, enable_checkpointing=True)
    assert list(tmp_path.glob("*.ckpt")) == []


def test_an_exploding_loss_is_said_once(
    fit: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    module = regression(optimizer=partial(torch.optim.SGD, lr=1.15))
    module.net = nn.Linear(3, 1)
    with pytest.raises(NotFiniteError, match="losses before .*; lower opt") as error:
        fit(module, split(40), callbacks=[Finite()], max_epochs=30)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 1 and said[0].startswith("the loss has gone from ")
    assert "gradient norm" in said[0] and "lower optimizer.lr (now 1.15)" in said[0]
    assert "gradient norm" in str(error.value)


@pytest.mark.parametrize("on_nan", ["stop", "skip", "rollback"])
def test_a_validation_that_is_not_finite_names_its_data(
    fit: Callable[..., Any], tmp_path: Path, on_nan: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    callbacks = [Finite(on_nan=on_nan), Checkpoint(str(tmp_path))]
    flags = {"callbacks": callbacks, "enable_checkpointing": True, "max_epochs": 2}
    module, words = (
        regression("batch"),
        "val/loss is nan after step [36] .*: x of the batch is nan in 1 of 4",
    )
    if on_nan == "stop":
        with pytest.raises(NotFiniteError, match=words):
            fit(module, split(3), split(3, bad=(1,)), **flags)
        assert list(tmp_path.glob("*.ckpt")) == []
        return
    fit(module, split(3), split(3, bad=(1,)), **flags)
    assert len(re.findall(words, capsys.readouterr().out)) == 2
    other = regression("batch")  # nothing came of looking
    fit(other, split(3), max_epochs=2)
    torch.testing.assert_close(state(module.net), state(other.net), rtol=0, atol=0)


# --- skip --------------------------------------------------------------------------------------


class Values(pl.Callback):
    """The training losses of the epochs."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def on_train_end(self, trainer: Any, module: Any) -> None:
        self.losses.append(trainer.callback_metrics["train/loss"].item())


@pytest.mark.parametrize(
    "optimizer", [SGD, ADAM, partial(ADAM, fused=True), partial(torch.optim.RMSprop, lr=0.01)]
)
@pytest.mark.parametrize("flags", [{}, {"gradient_clip_val": 0.1}, {"accumulate_grad_batches": 2}])
def test_skipping_equals_training_without_these_batches(
    fit: Callable[..., Any], optimizer: Any, flags: dict[str, Any]
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
    fit: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    trainer = fit(regression(), split(12, bad=(3, 4, 9)), callbacks=[Finite(on_nan="skip")])
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in said] == [
        "the loss is nan at step 4 (epoch 1)",
        "left out 3 of 12 updates",
    ]
    assert trainer.callback_metrics["train/left_out"].item() == 3


def test_too_many_in_a_row_end_the_run(fit: Callable[..., Any]) -> None:
    bad = tuple(range(3, 14))
    fit(regression(), split(16, bad=(0, *bad[:10])), callbacks=[Finite(on_nan="skip")])
    with pytest.raises(NotFiniteError, match="at step 14 .*, after 10 updates left out in a row"):
        fit(regression(), split(16, bad=(0, *bad)), callbacks=[Finite(on_nan="skip")])


def test_the_carried_state_is_that_before_the_skipped_batch(fit: Callable[..., Any]) -> None:
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


def test_weights_that_are_lost_cannot_be_skipped(fit: Callable[..., Any]) -> None:
    module, data = regression(optimizer=partial(torch.optim.SGD, lr=1e38)), split(5)
    with pytest.raises(NotFiniteError, match="step 2 .*weight is"):
        fit(module, data._replace(y=data.y * 1e3), callbacks=[Finite(on_nan="skip")])


# --- rollback ----------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", [SGD, ADAM])
def test_rollback_goes_on_from_the_last_epoch_at_half_the_rate(
    fit: Callable[..., Any], optimizer: Any
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
def test_a_rollback_lowers_the_whole_schedule(fit: Callable[..., Any], schedule: str) -> None:
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


def test_ten_ways_back_end_the_run(fit: Callable[..., Any]) -> None:
    with pytest.raises(NotFiniteError, match="step 21 .*, after 10 ways back:"):
        fit(
            regression(),
            split(30, bad=tuple(range(0, 30, 2))),
            callbacks=[Finite(on_nan="rollback")],
        )


def test_an_update_that_overflows_is_taken_back(fit: Callable[..., Any], tmp_path: Path) -> None:
    module = regression(optimizer=partial(torch.optim.SGD, lr=1e38))
    before, data = state(module.net), split(1)
    callbacks = [Finite(on_nan="rollback"), Checkpoint(str(tmp_path))]
    far = data._replace(y=data.y * 1e3)
    fit(module, far, callbacks=callbacks, enable_checkpointing=True)
    torch.testing.assert_close(state(module.net), before, rtol=0, atol=0)
    saved = torch.load(tmp_path / "last.ckpt", weights_only=True)["state_dict"]
    torch.testing.assert_close(list(saved.values()), before, rtol=0, atol=0)


# --- the rest ----------------------------------------------------------------------------------


def test_a_good_run_is_the_same_with_and_without(fit: Callable[..., Any]) -> None:
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


def test_looking_closer_leaves_no_trace() -> None:
    net = LSTM(3, 2, hidden_size=4, num_layers=2, dropout=0.5)
    module = LitRecurrent(net, loss=CrossEntropy(), carry_state=True)
    module.net.add_module("norm", norm := nn.BatchNorm1d(2))
    module.net.register_forward_hook(
        lambda net, x, output: output._replace(output=norm(output.output))
    )
    module._state = kept = (torch.ones(2, 4, 4), torch.ones(2, 4, 4))
    before, random = state(module), torch.get_rng_state()
    trainer: Any = SimpleNamespace(precision_plugin=SimpleNamespace(forward_context=nullcontext))
    batch = Batch(torch.randn(4, 5, 3), torch.tensor([0, 1, 1, 0]))
    random = torch.get_rng_state()
    assert diagnose(trainer, module, batch) is UNKNOWN
    assert module._state is kept
    assert torch.equal(random, torch.get_rng_state())
    torch.testing.assert_close(state(module), before, rtol=0, atol=0)
    with trial(trainer, module):
        module.eval().net.dropout.train()
        module.net(batch.x)
    assert all(part.training for part in module.modules())


@pytest.mark.parametrize(("scale", "stops"), [(65536.0, False), (0.5, True)])
def test_a_gradient_scaler_is_left_to_its_work(scale: float, stops: bool) -> None:
    module, callback = regression(), Finite()
    plugin = SimpleNamespace(
        scaler=SimpleNamespace(get_scale=lambda: scale), forward_context=nullcontext
    )
    trainer: Any = SimpleNamespace(
        **{"precision_plugin": plugin, "world_size": 1, "global_step": 0, "current_epoch": 0},
        **{"optimizers": [torch.optim.SGD(module.parameters(), 0.1)], "precision": "16-mixed"},
        **{"gradient_clip_val": None, "accumulate_grad_batches": 1},
    )
    batch = Batch(torch.randn(4, 3), torch.randn(4, 1))
    callback.on_train_batch_start(trainer, module, batch, 0)
    callback.on_before_backward(trainer, module, torch.tensor(1.0))
    for parameter in module.parameters():
        parameter.grad = torch.full_like(parameter, math.inf)
    if not stops:
        callback.on_before_optimizer_step(trainer, module, trainer.optimizers[0])
        return
    with pytest.raises(NotFiniteError, match="gradient of head.bias .*, trainer.precision=32"):
        callback.on_before_optimizer_step(trainer, module, trainer.optimizers[0])


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("bad", ["loss", "gradient"])
def test_skipping_beside_a_gradient_scaler(fit: Callable[..., Any], fused: bool, bad: str) -> None:
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


def test_large_numbers_are_no_fault() -> None:
    """Their sum overflows, they do not."""
    gradients = [torch.full((3,), 3e38), torch.full((2,), -3e38)]
    assert finite(gradients, 1.0)
    gradients[1][1] = math.inf
    assert not finite(gradients, 1.0)
    assert not finite([torch.zeros(3)], torch.tensor(math.nan))
    assert finite([], 0.0)


def test_the_choice_is_checked() -> None:
    with pytest.raises(ValueError, match="`on_nan` must be stop, skip or rollback, got 'retry'"):
        Finite(on_nan="retry")  # type: ignore[arg-type]


def test_a_continued_run_counts_on(fit: Callable[..., Any], tmp_path: Path) -> None:
    callback = Finite(on_nan="skip")
    fit(regression(), split(5, bad=(4,)), callbacks=[callback])
    other = Finite(on_nan="skip")
    other.load_state_dict(callback.state_dict())
    assert (other.left_out, other.in_a_row) == (1, 1)


# --- in a run ----------------------------------------------------------------------------------


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
    done = call(sys.executable, tmp_path / "two.py", on_nan, cwd=tmp_path)
    lines = [line.split() for line in done.stdout.splitlines()]
    if on_nan == "stop":  # the first to end may take the other with it
        assert re.search("stopped the (loss|gradient) is .* at step 3 ", done.stdout), done.stderr
        assert not any(line[:1] == ["result"] for line in lines)
        return
    one, other = (line for line in lines if line[:1] == ["result"])
    assert one == other and one[1] == "2"
