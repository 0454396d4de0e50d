"""What a machine has, and how it is shared out among processes that run side by side."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def typed_threads() -> int:
    """Threads that the environment asks for; 0: it leaves that open."""
    typed = os.environ.get("OMP_NUM_THREADS", "")
    return int(typed) if typed.isdecimal() else 0


def threads(processes: int) -> int:
    """Threads of each of several processes: what the environment asks for, or a fair share."""
    return typed_threads() or max(1, cores() // processes)


def gpus() -> list[str]:
    """The GPUs that this process may use, by the names that CUDA_VISIBLE_DEVICES knows them by."""
    import torch

    count = torch.cuda.device_count()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(count)))
    return [name.strip() for name in visible.split(",")][:count]


def devices_of(trainer: Mapping[str, Any]) -> int:
    """GPUs that a run takes, where there are any: what its trainer says, or one; 0: none."""
    devices = trainer["devices"]
    if trainer["accelerator"] == "cpu":
        return 0
    return devices if type(devices) is int and devices > 0 else 1


def environments(jobs: int | None, each: int, count: int) -> list[dict[str, str]]:
    """What the processes find in their environment, a dict for each of them.

    Args:
        jobs: how many, as typed; None: one on each GPU, or on each set of them, or one.
        each: GPUs that a run takes.
        count: runs that there are.
    """
    names = gpus() if each else []
    if not names:
        return [{} for _ in range(min(jobs or 1, count))]
    sets = [names[i : i + each] for i in range(0, len(names) - each + 1, each)] or [names]
    processes = min(jobs or len(sets), count)
    return [{"CUDA_VISIBLE_DEVICES": ",".join(sets[i % len(sets)])} for i in range(processes)]
