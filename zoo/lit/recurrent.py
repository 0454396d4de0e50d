"""Along time: RNN, GRU and LSTM."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from zoo.lit.base import Batch, LitModel, Prediction
from zoo.models import Recurrence


class LitRecurrent(LitModel):
    """Trains a recurrent net on sequences, padded or not.

    Args:
        net: gives a `Recurrence` for (x, state, lengths).
        truncate: cut the gradient after every so many steps (truncated backpropagation through
            time, Williams & Peng 1990); None: the gradient crosses the whole sequence.
        carry_state: start each batch from the last state of the batch before, for streams whose
            batches continue each other; the gradient stops between batches, and an epoch starts
            from zero. A checkpoint has it too.
        **settings: as in `LitModel`.

    Raises:
        ValueError: `truncate` is not positive, or the net has to see a sequence whole.
    """

    def __init__(
        self,
        net: nn.Module,
        *,
        truncate: int | None = None,
        carry_state: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(net, **settings)
        if truncate is not None and truncate < 1:
            raise ValueError(f"`truncate` must be at least 1 step, or null, got {truncate}")
        if truncate or carry_state:
            name = "truncate" if truncate else "carry_state"
            if getattr(net, "directions", 1) == 2:
                raise ValueError(
                    f"`{name}` needs a net that only reads forwards, not bidirectional"
                )
            if getattr(net, "readout", "last") in ("mean", "max"):
                raise ValueError(
                    f"`{name}` needs readout=last or every: {net.readout} is over a whole sequence"
                )
        self.truncate = truncate
        self.carry_state = carry_state
        self._state: Any = None  # of training
        self._evaluated: Any = None  # of validation or test, while the training stream waits

    def predict(self, batch: Batch) -> Prediction:
        """Compare the net's readout with y."""
        state = self._state if self.training else self._evaluated
        carried = first(state, batch.x) if self.carry_state else None
        if self.truncate and self.training:
            output = self._in_pieces(batch, carried)
        else:
            output = self.net(batch.x, carried, batch.lengths)
        if self.carry_state and self.training:
            self._state = detach(output.state)
        elif self.carry_state:
            self._evaluated = detach(output.state)
        return Prediction(output, output.output, batch.y, batch.mask)

    def _in_pieces(self, batch: Batch, state: Any) -> Recurrence:
        if batch.lengths is not None:
            raise ValueError(
                "truncate cannot be used with padded sequences; set model.truncate=null"
            )
        outputs, hidden = [], []
        for piece in batch.x.split(self.truncate, dim=1):
            part = self.net(piece, state)
            outputs.append(part.output)
            hidden.append(part.hidden)
            state = detach(part.state)
        every = outputs[0].dim() == 3
        output = torch.cat(outputs, dim=1) if every else outputs[-1]
        return Recurrence(output, part.state, torch.cat(hidden, dim=1))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store what the next batch of training goes on from."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["state"] = self._state

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on from there; at the beginning of an epoch it is forgotten."""
        super().on_load_checkpoint(checkpoint)
        self._state = checkpoint.get("state")

    def on_train_epoch_start(self) -> None:
        """A stream starts from an empty state."""
        self._state = None

    def on_validation_epoch_start(self) -> None:
        """A stream starts from an empty state."""
        self._evaluated = None

    def on_test_epoch_start(self) -> None:
        """A stream starts from an empty state."""
        self._evaluated = None


def first(state: Any, x: Tensor) -> Any:
    """The state (layers, B, H) of as many streams as x has, where x is; a last batch has fewer."""
    if state is None or isinstance(state, Tensor):
        return None if state is None else state[:, : len(x)].contiguous().to(x.device)
    return tuple(s[:, : len(x)].contiguous().to(x.device) for s in state)


def detach(state: Tensor | tuple[Tensor, ...]) -> Any:
    """The state without its history."""
    return state.detach() if isinstance(state, Tensor) else tuple(s.detach() for s in state)
