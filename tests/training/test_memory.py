"""Out of memory: the batch size that fits is found, and nothing else changes."""

import sys
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from zoo import memory
from zoo.data import ArrayData, TextLM
from zoo.lit import LitFeedForward, LitModel, LitRecurrent
from zoo.losses import CrossEntropy
from zoo.memory import advice, largest_batch, out_of_memory
from zoo.models import FNN, LSTM

FULL = {
    "gpu": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    "processor": RuntimeError(
        "[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't allocate memory: you "
        "tried to allocate 40000000000 bytes. Error code 12 (Cannot allocate memory)"
    ),
    "python": MemoryError(),
}


class Narrow(FNN):
    """Runs out of memory above a number of samples; remembers what it has seen."""

    def __init__(self, most: int, error: BaseException = FULL["gpu"]) -> None:
        super().__init__(5, 3, hidden=(8,), norm="batch", dropout=0.5)
        self.most, self.error = most, error
        self.seen: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(len(x))
        if len(x) > self.most:
            raise self.error
        return super().forward(x)


def trainer_for(module: LitModel | None = None, data: Any = None) -> Any:
    return SimpleNamespace(
        precision_plugin=SimpleNamespace(forward_context=nullcontext),
        strategy=SimpleNamespace(root_device=torch.device("cpu")),
        **{"lightning_module": module, "datamodule": data, "global_step": 7},
    )


def table(samples: int = 1000, batch_size: int = 16) -> ArrayData:
    data = ArrayData(torch.randn(samples, 5), torch.arange(samples) % 3, batch_size=batch_size)
    data.setup()
    return data


@pytest.mark.parametrize("error", FULL.values(), ids=FULL)
@pytest.mark.parametrize("most", [2, 3, 15, 16, 17, 50, 100, 699])
def test_the_largest_batch_is_found(most: int, error: BaseException) -> None:
    data, net = table(), Narrow(most, error)
    module = LitFeedForward(net, loss=CrossEntropy())
    found = largest_batch(trainer_for(), module, data)
    assert 8 / 9 * most <= found <= most
    assert len(net.seen) < 20
    assert max(net.seen) <= max(2 * most, 16)  # no giant leaps


def test_there_are_no_more_samples_than_in_the_training_split() -> None:
    data, net = table(), Narrow(10**6)
    found = largest_batch(trainer_for(), LitFeedForward(net, loss=CrossEntropy()), data)
    assert found == len(data.splits["train"].x) == max(net.seen)


def test_streams_of_a_text_are_as_many_as_it_has(tmp_path: Any) -> None:
    (tmp_path / "text.txt").write_text("the quick brown fox " * 200)
    data = TextLM(path=str(tmp_path / "text.txt"), length=10, batch_size=2)
    data.setup()
    net = LSTM(data.facts["in_features"], 30, hidden_size=4, embedding=4, readout="every")
    module = LitRecurrent(net, loss=CrossEntropy(), carry_state=True)
    found = largest_batch(trainer_for(), module, data)
    assert found * 10 <= len(data.splits["train"].x) - 1 < (found + 1) * 10
    data.batch_size = found
    assert len(data.train_dataloader()) == 1  # and these can be served


def test_it_is_tried_on_the_longest_sequences() -> None:
    class Steps(LSTM):
        def forward(self, x: Tensor, *args: Any) -> Any:
            seen.append(tuple(x.shape[:2]))
            return super().forward(x, *args)

    seen: list[tuple[int, ...]] = []
    data = table(40, 4)
    x, lengths = torch.randn(40, 9, 2), torch.arange(40) % 9 + 1
    data.splits = {
        "train": data.splits["train"]._replace(x=x, y=torch.zeros(40).long(), lengths=lengths)
    }
    data.serve = lambda x: x  # type: ignore[method-assign]
    module = LitRecurrent(Steps(2, 3, hidden_size=4), loss=CrossEntropy())
    assert largest_batch(trainer_for(), module, data) == 40
    assert {steps for _, steps in seen} == {9}


def test_not_even_one_sample() -> None:
    module = LitFeedForward(Narrow(0), loss=CrossEntropy())
    with pytest.raises(MemoryError, match="not even one sample fits"):
        largest_batch(trainer_for(), module, table())


def test_one_sample_is_too_few_for_a_batch_norm() -> None:
    module = LitFeedForward(Narrow(1), loss=CrossEntropy())
    with pytest.raises(MemoryError, match="not even one sample fits"):
        largest_batch(trainer_for(), module, table())
    plain = LitFeedForward(Narrow(1), loss=CrossEntropy())
    plain.net.layers[1] = nn.Identity()  # type: ignore[index, operator]
    assert largest_batch(trainer_for(), plain, table()) == 1


def test_other_errors_are_not_hidden() -> None:
    module = LitFeedForward(Narrow(4, RuntimeError("shapes differ")), loss=CrossEntropy())
    with pytest.raises(RuntimeError, match="shapes differ"):
        largest_batch(trainer_for(), module, table())


def test_it_leaves_no_trace() -> None:
    torch.manual_seed(0)
    module = LitFeedForward(Narrow(100), loss=CrossEntropy())
    before = {name: value.clone() for name, value in module.state_dict().items()}
    data, random = table(), torch.get_rng_state()
    position = data.train_dataloader().state_dict()
    largest_batch(trainer_for(), module, data)
    assert torch.equal(random, torch.get_rng_state())
    assert data.train_dataloader().state_dict() == position and data.batch_size == 16
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(parameter.grad is None for parameter in module.parameters())


@pytest.mark.parametrize("error", FULL.values(), ids=FULL)
def test_a_run_that_died_is_told_what_would_fit(error: BaseException) -> None:
    data, net = table(batch_size=300), Narrow(100, error)
    module = LitFeedForward(net, loss=CrossEntropy())
    sentence = advice(error, trainer_for(module, data))
    assert out_of_memory(error)
    start = "out of memory at step 7 with data.batch_size=300 on cpu; "
    assert sentence.startswith(start)
    size = int(sentence.removeprefix(start).split()[0])
    assert 89 <= size <= 100
    assert f"set data.batch_size={size}, and trainer.accumulate_grad_batches={-(-300 // size)}" in (
        sentence
    )
    assert max(net.seen) < 300


@pytest.mark.parametrize("batch_size", [1, 300])
def test_a_net_that_is_too_large_is_told_so(batch_size: int) -> None:
    data, module = table(batch_size=batch_size), LitFeedForward(Narrow(0), loss=CrossEntropy())
    assert "not even one sample fits, use a smaller net" in advice(
        FULL["gpu"], trainer_for(module, data)
    )


def test_without_data_there_is_nothing_to_try() -> None:
    assert advice(FULL["gpu"], trainer_for()) == "out of memory at step 7"


def test_what_the_dead_run_held_is_let_go() -> None:
    class Held:
        alive = 0

        def __init__(self) -> None:
            Held.alive += 1

        def __del__(self) -> None:
            Held.alive -= 1

    def deep(levels: int) -> None:
        activation = Held()
        if not levels:
            raise FULL["gpu"]
        deep(levels - 1)
        del activation

    try:
        deep(5)
    except RuntimeError as error:
        assert Held.alive == 6
        advice(error, trainer_for())
        assert Held.alive == 0


def test_only_memory_is_out_of_memory() -> None:
    for error in FULL.values():
        assert out_of_memory(error)
    assert out_of_memory(RuntimeError("std::bad_alloc"))
    for other in (RuntimeError("shapes differ"), ValueError("out of memory"), KeyError("x")):
        assert not out_of_memory(other)


@pytest.mark.skipif(sys.platform != "linux", reason="only there can memory be limited")
def test_the_processors_real_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 100 MB, with a sample whose activations and their gradients take about one of them."""

    class Wide(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(65_536))
            self.head = nn.Linear(1, 3)

        def forward(self, x: Tensor) -> Tensor:
            grown = (x[:, :1] * self.weight).tanh().tanh()  # 2 x 256 kB a sample are kept
            return self.head(grown.mean(1, keepdim=True))

    monkeypatch.setattr(memory, "free_memory", lambda: 100_000_000)
    module = LitFeedForward(Wide(), loss=CrossEntropy())
    found = largest_batch(trainer_for(), module, table(20_000, 8))
    assert 40 < found < 180
    torch.empty(500_000_000, dtype=torch.uint8)  # the limit is gone
