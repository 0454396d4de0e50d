"""Who gets which GPU, and how many threads."""

import pytest
import torch

from zoo.sweeps import devices


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> object:
    """A function (GPUs, CUDA_VISIBLE_DEVICES) that makes it look as if there were so many."""

    def make(count: int, visible: str | None = None) -> None:
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        if visible is None:
            monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        else:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    return make


@pytest.mark.parametrize(
    ("count", "visible", "jobs", "each", "runs", "expected"),
    [
        (4, None, None, 1, 10, ["0", "1", "2", "3"]),
        (4, None, None, 1, 3, ["0", "1", "2"]),
        (2, "5,7", None, 1, 10, ["5", "7"]),
        (2, "GPU-a, GPU-b", None, 1, 10, ["GPU-a", "GPU-b"]),
        (2, None, 5, 1, 10, ["0", "1", "0", "1", "0"]),
        (2, None, 1, 1, 10, ["0"]),
        (4, "3,2,1,0", None, 2, 10, ["3,2", "1,0"]),
        (3, None, None, 2, 10, ["0,1"]),
        (1, None, None, 2, 10, ["0"]),
        (0, "", None, 1, 10, [None]),
        (0, None, 3, 1, 10, [None] * 3),
        (4, None, None, 0, 10, [None]),
        (4, None, 2, 0, 10, [None] * 2),
    ],
)
def test_one_run_on_each_gpu(
    count: int,
    visible: str | None,
    jobs: int | None,
    each: int,
    runs: int,
    expected: list[str | None],
    machine: object,
) -> None:
    machine(count, visible)  # type: ignore[operator]
    found = devices.environments(jobs, each, runs)
    assert [environment.get("CUDA_VISIBLE_DEVICES") for environment in found] == expected


@pytest.mark.parametrize(
    ("accelerator", "number", "expected"),
    [("cpu", 2, 0), ("auto", 1, 1), ("gpu", 4, 4), ("gpu", "auto", 1), ("gpu", [0, 1], 1)],
)
def test_what_a_trainer_takes(accelerator: str, number: object, expected: int) -> None:
    assert devices.devices_of({"accelerator": accelerator, "devices": number}) == expected


def test_threads_are_shared_unless_they_are_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [devices.threads(n) for n in (1, 2, 3, 8, 20)] == [8, 4, 2, 1, 1]
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert devices.threads(8) == 3
