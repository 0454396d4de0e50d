"""What all regularisers share, and which parameters count as weights."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

NORMS = (
    nn.modules.batchnorm._NormBase,  # batch and instance norm in any number of dimensions
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
)


class Penalty(nn.Module, ABC):
    """A term added to the training loss.

    Args:
        weight: its factor, >= 0.
    """

    def __init__(self, weight: float) -> None:
        check_in("[0, inf)", "weight", weight)
        super().__init__()
        self.weight = weight

    def attach(self, net: nn.Module) -> None:
        """Register on the net what the penalty must record; call once, before training."""

    @abstractmethod
    def forward(self, net: nn.Module, output: Any) -> Tensor:
        """Return the weighted penalty of a net and its output on a training batch, a scalar."""


class Constraint(nn.Module, ABC):
    """A set that the weights are put back into after each optimizer step."""

    @abstractmethod
    def project_(self, net: nn.Module) -> None:
        """Change the net's weights in place to the nearest ones allowed."""


def weights(net: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Yield the parameters to decay: two or more dimensions, not of a norm layer; tied ones once.

    Biases and norms only shift and scale: shrinking them costs fit and simplifies nothing.
    """
    norms = {id(p) for m in net.modules() if isinstance(m, NORMS) for p in m.parameters()}
    for name, parameter in net.named_parameters():
        if parameter.ndim >= 2 and id(parameter) not in norms:
            yield name, parameter


def decay_groups(net: nn.Module, *, lr_decay: float = 1.0) -> list[dict[str, Any]]:
    """Group the parameters so that an optimizer's weight decay spares biases and norms.

    Args:
        net: the network; `lr_decay` asks for its `stages()`, from the input to the head.
        lr_decay: how much slower each stage learns than the one after it: discriminative learning
            rates (Howard & Ruder 2018, who have 1 / 2.6). A group's share of the optimizer's rate
            is its "lr_scale", which `scale_rates` applies.

    Returns:
        Two groups: the weights, which take the optimizer's `weight_decay`, and the rest, at 0; with
        an `lr_decay` as many for each stage, the head first.

    Raises:
        ValueError: `lr_decay` is not in (0, 1], or the net does not say what its stages are.
    """
    check_in("(0, 1]", "lr_decay", lr_decay)
    decayed = dict(weights(net))
    if lr_decay == 1:
        rest = [p for name, p in net.named_parameters() if name not in decayed]
        return [{"params": list(decayed.values())}, {"params": rest, "weight_decay": 0.0}]
    if not hasattr(net, "stages"):
        raise ValueError(f"`lr_decay` needs a net that has stages, got {type(net).__name__}")
    stages: Any = net.stages
    ids, groups = {id(p) for p in decayed.values()}, []
    for place, stage in enumerate(reversed(stages().values())):
        own, scale = list(stage.parameters()), {"lr_scale": lr_decay**place}
        groups += [
            {"params": [p for p in own if id(p) in ids], **scale},
            {"params": [p for p in own if id(p) not in ids], "weight_decay": 0.0, **scale},
        ]
    return [group for group in groups if group["params"]]


def scale_rates(optimizer: Optimizer) -> None:
    """Let each group learn at its share of the rate; once, before a schedule takes the rates up."""
    for group in optimizer.param_groups:
        group["lr"] = group["lr"] * group.get("lr_scale", 1.0)


def check_in(interval: str, name: str, value: float) -> None:
    """Refuse what is not a number in an interval such as "[0, inf)"; NaN is in none."""
    low, high = (float(end) for end in interval[1:-1].split(","))
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    inside = number and (
        low < value < high
        or (value == low and interval[0] == "[")
        or (value == high and interval[-1] == "]")
    )
    if not inside:
        raise ValueError(f"`{name}` must be in {interval}, got {value!r}")
