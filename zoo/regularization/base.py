"""What all regularisers share, and which parameters count as weights."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

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


def decay_groups(net: nn.Module) -> list[dict[str, Any]]:
    """Group the parameters so that an optimizer's weight decay spares biases and norms.

    Returns:
        Two groups: the weights, which take the optimizer's `weight_decay`, and the rest, at 0.
    """
    decayed = dict(weights(net))
    rest = [p for name, p in net.named_parameters() if name not in decayed]
    return [{"params": list(decayed.values())}, {"params": rest, "weight_decay": 0.0}]


def check_in(interval: str, name: str, value: float) -> None:
    """Refuse what is not a number in an interval such as "[0, inf)"; NaN is in none."""
    low, high = (float(end) for end in interval[1:-1].split(","))
    inside = isinstance(value, (int, float)) and (
        low < value < high
        or (value == low and interval[0] == "[")
        or (value == high and interval[-1] == "]")
    )
    if not inside:
        raise ValueError(f"`{name}` must be in {interval}, got {value!r}")
