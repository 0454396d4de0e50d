"""What all members of the zoo have in common."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, TypeVar

from torch import nn

Member = TypeVar("Member", bound="Net")


class Net(nn.Module):
    """A module that knows what it was built with.

    Attributes:
        arguments: those of its constructor by name, the defaults included, lists in place of
            tuples: with its class and its weights all that it takes to build it again.
    """

    arguments: dict[str, Any]

    def __new__(cls: type[Member], *args: Any, **kwargs: Any) -> Member:
        """Keep the arguments; wrong ones are left to the constructor to refuse."""
        net = super().__new__(cls)
        try:
            bound = inspect.signature(cls.__init__).bind_partial(net, *args, **kwargs)
        except TypeError:
            bound = inspect.signature(cls.__init__).bind_partial(net)
        bound.apply_defaults()
        # nn.Module's own __setattr__ works only once it has been initialised.
        net.__dict__["arguments"] = {k: _plain(v) for k, v in list(bound.arguments.items())[1:]}
        return net


def _plain(value: Any) -> Any:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(entry) for entry in value]
    return value
