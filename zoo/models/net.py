"""What all members of the zoo have in common: recipe, features, stages, and a head to replace."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, TypeVar

from torch import Tensor, nn

from zoo.models.layers import check_size, nearest

Member = TypeVar("Member", bound="Net")


class Net(nn.Module):
    """A module that knows what it was built with, and from which stages.

    Attributes:
        arguments: those of its constructor by name, the defaults included, lists in place of
            tuples: with its class and its weights all that it takes to build it again.
        frozen: how many of its first stages do not learn.
        head: the last layer, which reads `features`; autoencoders have none.
    """

    arguments: dict[str, Any]
    frozen: int
    head: nn.Linear

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
        net.__dict__["frozen"] = 0
        return net

    @abstractmethod
    def stages(self) -> dict[str, nn.Module]:
        """The parts of the net by name, from the input to the head; each parameter is in one.

        They hold the net's own modules and parameters. To run one of them alone is not meant: a
        stage is what is frozen, learns at a rate of its own, or is taken over from another net.
        """

    @abstractmethod
    def features(self, x: Tensor) -> Tensor:
        """What the net makes of a batch before its head."""

    def reset_head(self, out_features: int) -> None:
        """Replace the head by a new one, drawn as the family draws it, with `out_features` outputs.

        It learns, whatever is frozen. An optimizer that was made before does not know it.

        Raises:
            ValueError: `out_features` is not a size, or the net has no head: an autoencoder.
        """
        name = type(self).__name__
        if "out_features" not in self.arguments:
            raise ValueError(
                f"{name} has no head, as it gives back its input: put a layer of your own on "
                "net.features(x), or start a classifier from its encoder (zoo-train init_from=…)"
            )
        check_size("out_features", out_features)
        # A whole net is drawn for its head: no family has to say twice how one begins.
        fresh = type(self)(**{**self.arguments, "out_features": out_features})
        self.head = fresh.head.to(next(self.head.parameters())).train(self.training)
        self.arguments["out_features"] = out_features
        self.frozen = min(self.frozen, len(self.stages()) - 1)

    def freeze(self, upto: int | str) -> None:
        """Let the first stages learn no more, those that are frozen already included.

        Their parameters get no gradient; their norms and dropout stay in evaluation mode, also
        after `train()`, so that what they compute does not change at all.

        Args:
            upto: how many stages, or the name of the last one.

        Raises:
            ValueError: there are not so many, or none of that name.
        """
        self.frozen = max(self.frozen, self._count(upto, behind=1))
        self._hold()

    def unfreeze(self, down_to: int | str = 0) -> None:
        """Let stages learn again: from one on all that follow (gradual unfreezing, Howard 2018).

        Args:
            down_to: how many of the first stages stay as they are, or the name of the first that
                learns.

        Raises:
            ValueError: there are not so many stages, or none of that name.
        """
        self.frozen = min(self.frozen, self._count(down_to, behind=0))
        for stage in list(self.stages().values())[self.frozen :]:
            stage.requires_grad_(True)
        self.train(self.training)

    def train(self, mode: bool = True) -> Net:
        """Set training or evaluation mode; frozen stages are in evaluation mode in either."""
        super().train(mode)
        if self.frozen:
            self._hold()
        return self

    def _hold(self) -> None:
        for stage in list(self.stages().values())[: self.frozen]:
            stage.requires_grad_(False)
            stage.eval()

    def _count(self, stage: int | str, *, behind: int) -> int:
        """How many stages come before one, and `behind` it, from its name or from that number."""
        names = list(self.stages())
        if isinstance(stage, str) and stage in names:
            return names.index(stage) + behind
        if isinstance(stage, int) and not isinstance(stage, bool) and 0 <= stage <= len(names):
            return stage
        raise ValueError(
            f"a stage of {type(self).__name__} must be a name, or a number from 0 to {len(names)}, "
            f"got {stage!r}{nearest(stage, names)}"
        )


def _plain(value: Any) -> Any:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(entry) for entry in value]
    # A size that numpy counted is a number of Python.
    return value.item() if getattr(value, "ndim", None) == 0 else value
