"""Numbers that are not finite stop a run, and what went wrong is named."""

import math
import re
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from zoo.callbacks import Checkpoint, Finite, NotFiniteError
from zoo.callbacks.diagnosis import UNKNOWN, diagnose
from zoo.callbacks.finite import finite
from zoo.callbacks.trial import trial
from zoo.data import Batch, Split
from zoo.lit import LitFeedForward, LitRecurrent
from zoo.losses import MSE, CrossEntropy
from zoo.models import FNN, LSTM
from zoo.regularization import L2, Penalty


class Failing(nn.Module):
    """Gives back its input, and something else at one call in training mode."""

    def __init__(self, at: int, value: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.at, self.value, self.calls = at, value, 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += self.training
        return self.value(x) if self.calls >= self.at else x


# --- what is named -----------------------------------------------------------------------------


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
def test_the_layer_is_named(
    fit: Callable[..., Any],
    value: Any,
    words: str,
    split: Callable[..., Any],
    regression: Callable[..., Any],
    state: Callable[..., Any],
) -> None:
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


def test_the_penalty_is_named(
    fit: Callable[..., Any], split: Callable[..., Any], regression: Callable[..., Any]
) -> None:
    class Broken(Penalty):
        def forward(self, net: nn.Module, output: Any) -> Tensor:
            return net.head.weight.sum() * 0 + math.inf  # type: ignore[union-attr, operator]

    module = regression(regularization={"weights": L2(1e-3), "odd": Broken(1.0)})
    with pytest.raises(NotFiniteError, match=r"the term penalty/odd is inf, the net's output at m"):
        fit(module, split(2), callbacks=[Finite()])


def test_targets_that_leave_nothing_to_average_are_named(fit: Callable[..., Any]) -> None:
    y = torch.tensor([0, 1, 1, 0, -100, -100, -100, -100])
    optimizer = partial(torch.optim.SGD, lr=0.1, momentum=0.9)
    module = LitFeedForward(FNN(3, 2), loss=CrossEntropy(), optimizer=optimizer)
    with pytest.raises(NotFiniteError, match="step 2 .*the term loss is nan, .*check the targets"):
        fit(module, Split(torch.randn(8, 3), y), callbacks=[Finite()])


def test_what_other_random_numbers_do_not_show_again_is_said_so(
    fit: Callable[..., Any], split: Callable[..., Any], regression: Callable[..., Any]
) -> None:
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
    module.net[1].calls = 0
    with pytest.raises(NotFiniteError, match=words):  # where nobody stops before the backward pass
        fit(module, split(5), callbacks=[Late()])


@pytest.mark.parametrize("on_nan", ["stop", "skip", "rollback"])
def test_a_validation_that_is_not_finite_names_its_data(
    fit: Callable[..., Any],
    tmp_path: Path,
    on_nan: Any,
    capsys: pytest.CaptureFixture[str],
    split: Callable[..., Any],
    regression: Callable[..., Any],
    state: Callable[..., Any],
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


def test_an_exploding_loss_is_said_once(
    fit: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
    split: Callable[..., Any],
    regression: Callable[..., Any],
) -> None:
    module = regression(optimizer=partial(torch.optim.SGD, lr=1.15))
    module.net = nn.Linear(3, 1)
    with pytest.raises(NotFiniteError, match="losses before .*; lower opt") as error:
        fit(module, split(40), callbacks=[Finite()], max_epochs=30)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 1 and said[0].startswith("the loss has gone from ")
    assert "gradient norm" in said[0] and "lower optimizer.lr (now 1.15)" in said[0]
    assert "gradient norm" in str(error.value)


def test_looking_closer_leaves_no_trace(state: Callable[..., Any]) -> None:
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


# --- what is saved -----------------------------------------------------------------------------


def test_last_and_best_are_of_the_epoch_before(
    fit: Callable[..., Any],
    tmp_path: Path,
    split: Callable[..., Any],
    regression: Callable[..., Any],
    state: Callable[..., Any],
) -> None:
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


@pytest.mark.parametrize("batches", [1, 3])
def test_an_update_that_overflows_is_never_saved(
    fit: Callable[..., Any],
    tmp_path: Path,
    batches: int,
    split: Callable[..., Any],
    regression: Callable[..., Any],
) -> None:
    module = regression(optimizer=partial(torch.optim.SGD, lr=1e38))
    callbacks, data = [Finite(), Checkpoint(str(tmp_path))], split(batches)
    with pytest.raises(NotFiniteError, match=r"layers.0.weight is (nan|inf)"):
        far = data._replace(y=data.y * 1e3)
        fit(module, far, callbacks=callbacks, max_epochs=2, enable_checkpointing=True)
    assert list(tmp_path.glob("*.ckpt")) == []


# --- what is no fault --------------------------------------------------------------------------


@pytest.mark.parametrize(("scale", "stops"), [(65536.0, False), (0.5, True)])
def test_a_gradient_scaler_is_left_to_its_work(
    scale: float, stops: bool, regression: Callable[..., Any]
) -> None:
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


def test_large_numbers_are_no_fault() -> None:
    """Their sum overflows, they do not."""
    gradients = [torch.full((3,), 3e38), torch.full((2,), -3e38)]
    assert finite(gradients, 1.0)
    gradients[1][1] = math.inf
    assert not finite(gradients, 1.0)
    assert not finite([torch.zeros(3)], torch.tensor(math.nan))
    assert finite([], 0.0)
