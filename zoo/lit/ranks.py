"""What differs between the processes of one run, in the one file that the first of them writes."""

from __future__ import annotations

from typing import TypeVar

import torch
import torch.distributed as dist
from lightning.fabric.utilities import move_data_to_device

T = TypeVar("T")


def of_all(own: T) -> list[T]:
    """What each process has, on every process, its tensors on the CPU; all of them must ask."""
    if not (dist.is_available() and dist.is_initialized()):
        return [own]
    every: list[T | None] = [None] * dist.get_world_size()
    dist.all_gather_object(every, move_data_to_device(own, torch.device("cpu")))
    return every  # type: ignore[return-value]


def own_of(every: list[T]) -> T | None:
    """This process's part of what a run saved; None if that run had another number of them."""
    distributed = dist.is_available() and dist.is_initialized()
    rank, world_size = (dist.get_rank(), dist.get_world_size()) if distributed else (0, 1)
    return every[rank] if len(every) == world_size else None
