"""The trainer's own settings, and that what it saves at each step changes nothing."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from lightning.pytorch.profilers import SimpleProfiler
from torch import nn

from zoo.data import ArrayData, Batch, Digits
from zoo.lit import LitFeedForward, Trainer
from zoo.lit.shortcuts import NoProfiler
from zoo.losses import CrossEntropy
from zoo.models import CNN, FNN

QUIET = {
    **{"accelerator": "cpu", "logger": False, "enable_checkpointing": False},
    **{"enable_progress_bar": False, "enable_model_summary": False, "max_epochs": 1},
    **{"num_sanity_val_steps": 0, "limit_train_batches": 3, "limit_val_batches": 1},
}


def trained(net: nn.Module, view: str = "vector", **settings: Any) -> LitFeedForward:
    module = LitFeedForward(net, loss=CrossEntropy())
    torch.manual_seed(0)
    Trainer(**QUIET, **settings).fit(module, datamodule=Digits(view=view))
    return module


@pytest.fixture(autouse=True)
def calm(recwarn: pytest.WarningsRecorder) -> None:
    import warnings

    warnings.filterwarnings("ignore", module=r"lightning\..*")


def cnn() -> CNN:
    torch.manual_seed(0)
    return CNN((1, 8, 8), 10, channels=(8, 8))


def test_channels_last_is_the_same_net_in_another_layout() -> None:
    plain, other = trained(cnn(), "image"), trained(cnn(), "image", channels_last=True)
    convolutions = [m for m in other.net.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 2
    assert all(
        conv.weight.is_contiguous(memory_format=torch.channels_last) for conv in convolutions
    )
    assert list(plain.state_dict()) == list(other.state_dict())
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], value, rtol=1e-3, atol=1e-5)


def test_compile_leaves_the_names_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[nn.Module] = []
    monkeypatch.setattr(nn.Module, "compile", lambda self: compiled.append(self))
    module = trained(FNN(64, 10), compile=True)
    assert compiled == [module.net]
    assert "net.head.weight" in module.state_dict()
    compiled.clear()
    trained(FNN(64, 10))
    assert compiled == []


@pytest.mark.slow
def test_a_compiled_net_learns_the_same() -> None:
    torch.manual_seed(0)
    nets = [FNN(64, 10, hidden=(16,)) for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    plain, compiled = trained(nets[0]), trained(nets[1], compile=True)
    assert list(plain.state_dict()) == list(compiled.state_dict())
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(compiled.state_dict()[name], value, rtol=1e-4, atol=1e-6)


def test_it_measures_nothing_unless_asked() -> None:
    assert isinstance(Trainer(**QUIET).profiler, NoProfiler)
    assert isinstance(Trainer(**QUIET, profiler="simple").profiler, SimpleProfiler)


class Doubling(LitFeedForward):
    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        return batch._replace(x=2 * batch.x)


class DoublingDigits(Digits):
    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        return batch._replace(x=2 * batch.x)


@pytest.mark.parametrize(
    ("module", "data", "factor"),
    [(LitFeedForward, Digits, 1), (Doubling, Digits, 2), (LitFeedForward, DoublingDigits, 2)],
)
def test_a_hook_of_ones_own_sees_every_batch(
    module: type[LitFeedForward], data: Callable[..., Any], factor: int
) -> None:
    seen: list[torch.Tensor] = []

    class Seeing(module):  # type: ignore[misc,valid-type]
        def predict(self, batch: Batch) -> Any:
            seen.append(batch.x)
            return super().predict(batch)

    Trainer(**QUIET).fit(Seeing(FNN(64, 10), loss=CrossEntropy()), datamodule=data(shuffle=False))
    plain = Digits(shuffle=False)
    plain.setup()
    torch.testing.assert_close(seen[0], factor * next(iter(plain.train_dataloader())).x)


def test_arrays_train_with_loaders_of_ones_own() -> None:
    data = ArrayData(torch.randn(40, 3), torch.arange(40) % 2, batch_size=8)
    data.setup()
    module = LitFeedForward(FNN(3, 2), loss=CrossEntropy())
    Trainer(**QUIET).fit(module, data.train_dataloader())
    assert module.global_step == 3
