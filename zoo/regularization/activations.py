"""Regularisers that read what the net computed: hidden units, their path, the code's Jacobian."""

from typing import Any, cast

import torch
from torch import Tensor, nn

from zoo.regularization.base import Penalty, check_in

ACTIVATIONS = (
    nn.Sigmoid,
    nn.Tanh,
    nn.ReLU,
    nn.LeakyReLU,
    nn.ELU,
    nn.SELU,
    nn.GELU,
    nn.SiLU,
)


class Tape(list[Tensor]):
    """Tensors of one step; copies and pickles as empty, for they belong to that step alone."""

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """Rebuild it empty."""
        return Tape, ()


class Recorder(Penalty):
    """A penalty that reads more than the net's output: hooks record it, in training mode.

    Args:
        weight: its factor, >= 0.
    """

    def __init__(self, weight: float) -> None:
        super().__init__(weight)
        self.tape = Tape()
        self.handles: list[torch.utils.hooks.RemovableHandle] = []

    def detach(self) -> None:
        """Take the hooks off again."""
        while self.handles:
            self.handles.pop().remove()

    def recorded(self) -> list[Tensor]:
        """Return what the last forward pass recorded and forget it: nothing outlives the step."""
        recorded = list(self.tape)
        self.tape.clear()
        return recorded


class HiddenUnits(Recorder):
    """A penalty on hidden units: `output.code`, else `output.hidden`, else all activations."""

    def attach(self, net: nn.Module) -> None:
        """Hook the net's activation modules; attaching again replaces the hooks."""
        self.detach()
        modules = [module for module in net.modules() if isinstance(module, ACTIVATIONS)]
        self.handles = [module.register_forward_hook(self._record) for module in modules]
        # A forward pass whose penalty was never asked for must not add to the next one.
        self.handles.append(net.register_forward_pre_hook(self._start))

    def _start(self, net: nn.Module, inputs: tuple[Any, ...]) -> None:
        self.tape.clear()

    def _record(self, module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        if module.training:
            self.tape.append(output)

    def hidden_units(self, output: Any) -> list[Tensor]:
        """Return (samples, units) for each layer; a recurrent net's real steps count as samples."""
        recorded = self.recorded()
        if isinstance(code := getattr(output, "code", None), Tensor):
            return [code.flatten(1)]
        if isinstance(hidden := getattr(output, "hidden", None), Tensor):
            return [hidden[real_steps(hidden)]]
        if not recorded:
            raise ValueError(
                f"`{type(self).__name__}` must find hidden units, got {type(output).__name__} "
                "without code or hidden, and no activation recorded: attach(net) before a forward "
                "pass in training mode, and use a net with hidden layers"
            )
        return [activation.flatten(1) for activation in recorded]


def real_steps(hidden: Tensor) -> Tensor:
    """Tell steps from padding, where recurrent nets give exact zeros: (B, T, D) -> (B, T)."""
    return hidden.ne(0).any(dim=-1)


class Activity(HiddenUnits):
    """Quiet hidden units: norm of a layer's activations, mean over samples, sum over layers.

    Args:
        weight: its factor, >= 0.
        norm: 1 (sparse) or 2 (small).
    """

    def __init__(self, weight: float, norm: int = 1) -> None:
        super().__init__(weight)
        if norm not in (1, 2):
            raise ValueError(f"`norm` must be 1 or 2, got {norm!r}")
        self.norm = norm

    def forward(self, net: nn.Module, output: Any) -> Tensor:
        """Return the weighted penalty."""
        layers = [
            torch.linalg.vector_norm(units, self.norm, dim=1).sum() / max(len(units), 1)
            for units in self.hidden_units(output)
        ]
        return self.weight * torch.stack(layers).sum()


class KLSparsity(HiddenUnits):
    """Units that are rarely on: KL(rho || mean activation over the batch), summed over units.

    Lee, Ekanadham & Ng 2008; Ng 2011, "Sparse autoencoder".

    Args:
        weight: its factor, >= 0.
        rho: the mean activation wanted, in (0, 1).

    Raises:
        ValueError: activations outside [0, 1]; give the code (or the net) a sigmoid.
    """

    def __init__(self, weight: float, rho: float = 0.05) -> None:
        super().__init__(weight)
        check_in("(0, 1)", "rho", rho)
        self.rho = rho

    def forward(self, net: nn.Module, output: Any) -> Tensor:
        """Return the weighted penalty."""
        layers = [self._kl(units) for units in self.hidden_units(output)]
        return self.weight * torch.stack(layers).sum()

    def _kl(self, units: Tensor) -> Tensor:
        if bool(((units < 0) | (units > 1)).any()):
            raise ValueError(
                "`KLSparsity` must read activations in (0, 1), got "
                f"{units.min():g} to {units.max():g}: use a sigmoid"
            )
        # A saturated sigmoid rounds to 0 or 1, where the KL is infinite.
        eps = torch.finfo(units.dtype).eps
        mean = (units.sum(dim=0) / max(len(units), 1)).clamp(eps, 1 - eps)  # (units,)
        rho = torch.full_like(mean, self.rho)
        return (rho * (rho / mean).log() + (1 - rho) * ((1 - rho) / (1 - mean)).log()).sum()


class TemporalActivation(Penalty):
    """How far hidden activations move from step to step: mean square, no padding (Merity 2017)."""

    def forward(self, net: nn.Module, output: Any) -> Tensor:
        """Return the weighted penalty."""
        hidden = getattr(output, "hidden", None)
        if not isinstance(hidden, Tensor):
            raise ValueError(
                "`TemporalActivation` must read output.hidden of an RNN, GRU or LSTM, "
                f"got {type(output).__name__}"
            )
        real = real_steps(hidden)[:, 1:, None]  # the drop into padding is no move
        squares = hidden.diff(dim=1).square() * real
        return self.weight * squares.sum() / (real.sum() * hidden.shape[-1]).clamp(min=1)


class Contractive(Recorder):
    """A code deaf to small changes of the input: ||d code / d x||_F^2, mean over samples.

    Rifai 2011. Reads `net.encode(x)`: the code, or the mean of (mean, log variance). Batch norm
    ties the samples of a batch together, and so their Jacobians: leave it out.

    Args:
        weight: its factor, >= 0.
        samples: random projections, one backward pass each, for an unbiased estimate (Hutchinson
            1990); None is exact, with one backward pass for each unit of the code.
    """

    def __init__(self, weight: float, samples: int | None = None) -> None:
        super().__init__(weight)
        if samples is not None and not (isinstance(samples, int) and samples >= 1):
            raise ValueError(f"`samples` must be a whole number >= 1 or None, got {samples!r}")
        self.samples = samples

    def attach(self, net: nn.Module) -> None:
        """Hook the net's input; attaching again replaces the hook."""
        if not callable(getattr(net, "encode", None)):
            raise ValueError(
                f"`Contractive` must read net.encode(x), got {type(net).__name__} without: "
                "use an autoencoder"
            )
        self.detach()
        self.handles = [net.register_forward_pre_hook(self._record)]

    def _record(self, net: nn.Module, inputs: tuple[Any, ...]) -> None:
        self.tape.clear()
        if net.training:
            self.tape.append(inputs[0])

    def forward(self, net: nn.Module, output: Any) -> Tensor:
        """Return the weighted penalty; differentiable, so that it trains the encoder."""
        if not (recorded := self.recorded()):
            raise ValueError(
                "`Contractive` must have recorded an input, got none: "
                "attach(net) before a forward pass in training mode"
            )
        x = recorded[0].detach().requires_grad_()
        encoded = cast(Any, net).encode(x)
        code = (encoded[0] if isinstance(encoded, tuple) else encoded).flatten(1)  # (B, units)
        if self.samples is None:
            squares = [self._pull_back(code[:, unit].sum(), x) for unit in range(code.shape[1])]
            return self.weight * torch.stack(squares).sum() / len(x)
        signs = [torch.randint_like(code, 2) * 2 - 1 for _ in range(self.samples)]
        squares = [self._pull_back((code * sign).sum(), x) for sign in signs]
        return self.weight * torch.stack(squares).mean() / len(x)

    @staticmethod
    def _pull_back(projection: Tensor, x: Tensor) -> Tensor:
        (gradient,) = torch.autograd.grad(projection, x, create_graph=True)
        return gradient.square().sum()
