"""How many samples fit into memory: training steps are tried with more and with fewer of them."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import lightning.pytorch as pl
import torch
from torch import Tensor

from zoo.callbacks.trial import terms_of, trial
from zoo.data import Batch, DataModule
from zoo.lit import LitModel
from zoo.regularization import decay_groups

SPARE = 0.1  # of the free memory, left to validation, fragments and other programs
EXACT = 8  # the answer is at most this fraction of itself too small
# What torch, oneDNN and the C++ library say when the processor's memory is full.
WORDS = ("out of memory", "can't allocate memory", "not enough memory", "bad_alloc")


def out_of_memory(error: BaseException) -> bool:
    """Whether a GPU's memory or the processor's was full."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in WORDS)


def largest_batch(
    trainer: pl.Trainer, module: LitModel, data: DataModule, *, below: int | None = None
) -> int:
    """The largest `data.batch_size` for which a training step fits into memory.

    A step is forward and backward pass and an update, with the optimizer's own numbers, on copies
    of the first samples, of sequences on the longest ones. From `data.batch_size` on their number
    is doubled until they do not fit or there are no more in the training split, then the gap is
    halved until it is an eighth. A tenth of the free memory stays free; on Linux the processor's is
    limited meanwhile, or the system would end the process. Weights, buffers and random numbers are
    as before.

    Args:
        trainer: gives device and precision. With several processes each must get the same number:
            ask one of them.
        module: the net with its loss, penalties and optimizer; it is left on the device.
        data: after `setup`.
        below: a size that is known not to fit.

    Raises:
        MemoryError: not even one sample fits.
    """
    device = trainer.strategy.root_device
    module.to(device).train()
    weights = {name: value.cpu().clone() for name, value in module.net.state_dict().items()}
    batch = largest_samples(data)
    fitting, failing = 0, below
    most = samples(data, batch) if below is None else below - 1
    size = min(data.batch_size, most) if below is None else max(1, below // 2)
    try:
        with limited(device):
            while fitting < most and wide(fitting, failing):
                if fits(trainer, module, repeated(batch, size)):
                    fitting = size
                else:
                    failing = size
                size = min(2 * fitting, most) if failing is None else (fitting + failing) // 2
    finally:
        module.net.load_state_dict(weights)
    if not fitting:
        raise MemoryError("not even one sample fits into memory; use a smaller net")
    return fitting


def wide(fitting: int, failing: int | None) -> bool:
    """Whether it is worth while to look between a size that fits and one that does not."""
    return failing is None or failing - fitting > max(1, fitting // EXACT)


def advice(error: BaseException, trainer: pl.Trainer) -> str:
    """One sentence about a run that memory ended, with the batch size that would fit.

    The run is over: what its frames still hold is let go.
    """
    module, data = cast(LitModel, trainer.lightning_module), cast(Any, trainer).datamodule
    said = f"out of memory at step {trainer.global_step}"
    traceback.clear_frames(error.__traceback__)
    gc.collect()
    if module is None or not isinstance(data, DataModule):
        return said
    size = data.batch_size
    said += f" with data.batch_size={size} on {trainer.strategy.root_device}"
    try:
        smaller = largest_batch(trainer, module, data, below=size) if size > 1 else 0
    except MemoryError:
        smaller = 0
    if not smaller:
        return f"{said}; not even one sample fits, use a smaller net"
    steps = -(-size // smaller)
    return (
        f"{said}; {smaller} would fit: set data.batch_size={smaller}, and "
        f"trainer.accumulate_grad_batches={steps} for updates over about as many samples"
    )


def fits(trainer: pl.Trainer, module: LitModel, batch: Batch) -> bool:
    """Whether a training step on this batch fits; its weights are not to be used afterwards."""
    try:
        with trial(trainer, module), torch.enable_grad():
            step(module, batch)
        return True
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        return False
    except ValueError:
        if len(batch.x) > 1:
            raise
        return False  # a batch norm needs two
    finally:
        module.zero_grad(set_to_none=True)
        if module.device.type == "cuda":
            torch.cuda.empty_cache()


def step(module: LitModel, batch: Batch) -> None:
    """Forward and backward pass and an update, with all the memory that they take."""
    device = module.device
    moved: Any = Batch(*(part if part is None else part.to(device) for part in batch))  # type: ignore[arg-type]
    optimizer = module.optimizer(decay_groups(module.net))
    _, terms = terms_of(module, moved)
    sum(terms.values(), torch.zeros((), device=device)).backward()
    optimizer.step()


def largest_samples(data: DataModule) -> Batch:
    """A batch of the training data that takes as much memory as any of its size."""
    split = data.splits["train"]
    if split.lengths is None:
        return next(iter(data.train_dataloader()))
    longest = split.take(split.lengths.argsort(descending=True)[: data.batch_size])
    return Batch(data.serve(longest.x), *longest[1:])


def samples(data: DataModule, batch: Batch) -> int:
    """How many rows a batch of the training split can have at most."""
    x = data.splits["train"].x
    return len(x) if x.ndim > 1 else max(1, (len(x) - 1) // batch.x.shape[1])  # streams of a text


def repeated(batch: Batch, size: int) -> Batch:
    """A batch of another size, of the same samples over and over."""
    index = torch.arange(size, device=batch.x.device) % len(batch.x)

    def take(part: Tensor | None) -> Any:
        return None if part is None else part.index_select(0, index.to(part.device))

    return Batch(*(take(part) for part in batch))


@contextmanager
def limited(device: torch.device) -> Iterator[None]:
    """Let allocations fail while there still is memory left."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        free, total = torch.cuda.mem_get_info(device)
        own = torch.cuda.memory_reserved(device)
        share = (own + (1 - SPARE) * free) / total
        torch.cuda.set_per_process_memory_fraction(share, device)
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0, device)
    elif (left := free_memory()) is None:
        yield
    else:
        import resource  # not on Windows

        before = resource.getrlimit(resource.RLIMIT_AS)
        own = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        known = [limit for limit in before if limit != resource.RLIM_INFINITY]
        soft = min([own + int((1 - SPARE) * left), *known])
        resource.setrlimit(resource.RLIMIT_AS, (soft, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_AS, before)


def free_memory() -> int | None:
    """Bytes of the processor's memory that this process can still get; None where nobody tells."""
    table = Path("/proc/meminfo")
    if not table.is_file():
        return None
    rows = dict(line.split(":") for line in table.read_text().splitlines())
    free = int(rows["MemAvailable"].split()[0]) * 1024
    group = Path("/sys/fs/cgroup")  # a container's share
    limit, used = group / "memory.max", group / "memory.current"
    if limit.is_file() and used.is_file() and (most := limit.read_text().strip()) != "max":
        free = min(free, int(most) - int(used.read_text()))
    return free
