"""What a net costs: parameters, operations, time and memory."""

from __future__ import annotations

import copy
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

LEAST = 3  # times that something is timed
SHORT = 4  # steps of a sequence from which the operations of a longer one follow


def parameters(net: nn.Module) -> int:
    """How many numbers are learned; tied ones count once."""
    return sum(p.numel() for p in net.parameters() if p.requires_grad)


def flops(net: nn.Module, x: Tensor) -> int:
    """Floating-point operations of one forward pass over one sample, in evaluation mode.

    Those of matrix products and convolutions, as torch counts them: a multiplication and an
    addition are two. Activations, norms and pooling are not counted. Nothing is computed: the pass
    runs on torch's meta device, where recurrent layers are counted too, which torch's fused kernels
    hide elsewhere. Over T steps these do a + b T, so that a long sequence need not be run.

    Args:
        net: any net that can be called with a batch alone.
        x: a batch, of which the first sample's shape counts.
    """
    sample = torch.empty_like(x[:1], device="meta")
    net = copy.deepcopy(net).to("meta").eval()
    recurrent = any(isinstance(module, nn.RNNBase) for module in net.modules())
    if not recurrent or sample.shape[1] <= SHORT:
        return _count(net, sample)
    short, longer = (_count(net, sample[:, :steps]) for steps in (SHORT - 1, SHORT))
    return longer + (longer - short) * (sample.shape[1] - SHORT)


def _count(net: nn.Module, x: Tensor) -> int:
    with FlopCounterMode(display=False) as counter, torch.inference_mode(), torch.device("meta"):
        net(x)
    return counter.get_total_flops()


def seconds_of(net: nn.Module, x: Tensor, *, budget: float = 0.03) -> float:
    """Seconds of one forward pass over a batch, in evaluation mode: the median of several.

    Args:
        net: any net that can be called with a batch alone; its mode comes back.
        x: the batch, where the net is.
        budget: seconds after which no further pass begins; three are made in any case.
    """
    times: list[float] = []
    with evaluated(net), torch.inference_mode():
        net(x)  # the first allocates
        begin = time.perf_counter()
        while len(times) < LEAST or time.perf_counter() - begin < budget:
            synchronise(x.device)
            start = time.perf_counter()
            net(x)
            synchronise(x.device)
            times.append(time.perf_counter() - start)
    return statistics.median(times)


@contextmanager
def evaluated(net: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; each module's own comes back."""
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def synchronise(device: torch.device) -> None:
    """Wait until a GPU has done what it was given; a processor has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def forget_peak(device: torch.device) -> None:
    """Begin a new measurement of `peak_memory`, where the system lets us."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with suppress(OSError):  # Linux alone has it
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory(device: torch.device) -> int:
    """The most bytes held since `forget_peak`: of a GPU by tensors, else of the whole process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        peak = next(line for line in lines if line.startswith("VmHWM:"))
        return int(peak.split()[1]) * 1024
    import resource  # not on Windows

    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return own if sys.platform == "darwin" else own * 1024
