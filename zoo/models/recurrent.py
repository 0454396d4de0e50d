"""What RNN, GRU and LSTM share: reading a batch of sequences, with or without padding."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from zoo.models.layers import (
    check_choice,
    check_input,
    check_positive,
    check_probability,
    check_size,
    initialise,
)
from zoo.models.net import Net

State: TypeAlias = Tensor | tuple[Tensor, Tensor]

READOUTS = ("last", "mean", "max", "every")
RECURRENT_INITS = ("orthogonal", "identity", "uniform")


class Recurrence(NamedTuple):
    """What a recurrent net gives back; D is 2 if it is bidirectional, else 1.

    Attributes:
        output: (B, out_features), or (B, T, out_features) with readout="every".
        state: (num_layers * D, B, H) after each sample's last step; of an LSTM the pair (h, c).
        hidden: (B, T, D * H), the top layer at every step; zero beyond a sample's length.
    """

    output: Tensor
    state: State
    hidden: Tensor


class RecurrentNet(Net):
    """All of a recurrent net but its cell: embedding, recurrent layers, readout and head.

    Args:
        cell: what builds the recurrent layers, with the signature of torch's nn.GRU.
        in_features: as all that follow, see `zoo.models.RNN`.
        out_features: size of one output.
        hidden_size: H, units of a layer in one direction.
        num_layers: recurrent layers.
        bidirectional: whether a second set of layers reads backwards.
        dropout: probability of dropping a unit, between layers and before the head.
        readout: "last", "mean", "max" or "every".
        embedding: width of the tokens' embedding, or None for dense input.
        embedding_std: standard deviation of its first weights.
        recurrent_init: "orthogonal", "identity" or "uniform".
    """

    def __init__(
        self,
        cell: Callable[..., nn.RNNBase],
        in_features: int,
        out_features: int,
        *,
        hidden_size: int,
        num_layers: int,
        bidirectional: bool,
        dropout: float,
        readout: str,
        embedding: int | None,
        embedding_std: float,
        recurrent_init: str,
    ) -> None:
        check_size("in_features", in_features)
        check_size("out_features", out_features)
        check_size("hidden_size", hidden_size)
        check_size("num_layers", num_layers)
        check_probability("dropout", dropout)
        check_choice("readout", readout, READOUTS)
        if embedding is not None:
            check_size("embedding", embedding)
        check_positive("embedding_std", embedding_std)
        check_choice("recurrent_init", recurrent_init, RECURRENT_INITS)
        super().__init__()
        self.readout = readout
        self.directions = 2 if bidirectional else 1
        self.sizes = ("T",) if embedding else ("T", in_features)
        self.embed: nn.Module = nn.Identity()
        if embedding:
            self.embed = table = nn.Embedding(in_features, embedding)
            nn.init.normal_(table.weight, std=embedding_std)
        self.recurrent = cell(
            embedding or in_features,
            hidden_size,
            num_layers,
            batch_first=True,
            bidirectional=bidirectional,
            # With one layer there is nothing between layers, and torch warns.
            dropout=dropout if num_layers > 1 else 0.0,
        )
        initialise_recurrent(self.recurrent, recurrent_init)
        self.dropout = nn.Dropout(dropout)
        self.head = initialise(nn.Linear(self.directions * hidden_size, out_features), "xavier")

    def stages(self) -> dict[str, nn.Module]:
        """embed, if there is an embedding, layer1, layer2, …, head.

        The layers are one module: dropout between them goes on until the last of them is frozen.
        """
        layers: dict[str, nn.Module] = {
            f"layer{i + 1}": nn.ParameterDict(
                {
                    name.replace(f"_l{i}", ""): parameter
                    for name, parameter in self.recurrent.named_parameters()
                    if name.removesuffix("_reverse").endswith(f"_l{i}")
                }
            )
            for i in range(self.recurrent.num_layers)
        }
        embed = {} if isinstance(self.embed, nn.Identity) else {"embed": self.embed}
        return {**embed, **layers, "head": nn.ModuleList([self.dropout, self.head])}

    def _hold(self) -> None:
        super()._hold()
        if self.frozen >= len(self.stages()) - 1:
            self.recurrent.eval()

    def features(
        self, x: Tensor, state: State | None = None, lengths: Tensor | None = None
    ) -> Tensor:
        """What the head reads: (B, D * H), or (B, T, D * H) with readout="every".

        The arguments are those of `forward`.
        """
        return self.run(x, state, lengths)[0]

    def forward(
        self, x: Tensor, state: State | None = None, lengths: Tensor | None = None
    ) -> Recurrence:
        """Read a batch of sequences from their first step to their last.

        Args:
            x: (B, T, in_features), or tokens (B, T) if there is an embedding.
            state: what an earlier call gave back, to read on from there; None starts from zeros.
            lengths: (B,) steps of each sample, on any device; what lies beyond has no influence.
                None means that all T steps count.

        Raises:
            ValueError: x has other sizes, or a length is not in 1..T.
        """
        features, state, hidden = self.run(x, state, lengths)
        output = self.head(features)  # (B, out_features), or (B, T, out_features)
        return Recurrence(output, state, hidden)

    def run(
        self, x: Tensor, state: State | None, lengths: Tensor | None
    ) -> tuple[Tensor, State, Tensor]:
        """What the head reads, the last state, and the hidden states at every step."""
        check_input("x", x, *self.sizes)
        x = self.embed(x)  # (B, T, F)
        if lengths is None:
            hidden, state = self.steps(x, state)  # (B, T, D * H)
        else:
            steps = check_lengths(lengths, x)
            packed = pack_padded_sequence(x, steps, batch_first=True, enforce_sorted=False)
            packed, state = self.steps(packed, state)
            hidden, _ = pad_packed_sequence(packed, batch_first=True, total_length=x.shape[1])
        features = self.read(hidden, state, lengths)  # (B, D * H), or (B, T, D * H)
        return self.dropout(features), state, hidden

    def steps(self, x: Any, state: State | None) -> tuple[Any, State]:
        """All layers over all steps of a tensor or a packed sequence.

        Autocast computes an LSTM in bfloat16 through oneDNN alone, which refuses where the
        processor has no instructions for it (pytorch/pytorch 2.14). There it is in float32.
        """
        lstm_on_cpu = isinstance(self.recurrent, nn.LSTM) and not x.is_cuda
        if not (lstm_on_cpu and bfloat16_is_refused()):
            return self.recurrent(x, state)
        with torch.autocast("cpu", enabled=False):
            if state is not None:
                state = (state[0].float(), state[1].float())
            return self.recurrent(x.float(), state)

    def read(self, hidden: Tensor, state: State, lengths: Tensor | None) -> Tensor:
        """What the head sees of the hidden states (B, T, D * H): one vector a sample, or all."""
        if self.readout == "every":
            return hidden
        if self.readout == "last":
            # The state has each direction's own last step, which backwards is the first one.
            h = state[0] if isinstance(state, tuple) else state  # (num_layers * D, B, H)
            return h[-self.directions :].transpose(0, 1).flatten(1)
        if self.readout == "mean":
            steps = hidden.shape[1] if lengths is None else lengths.to(hidden.device)[:, None]
            return hidden.sum(1) / steps
        if lengths is not None:
            step = torch.arange(hidden.shape[1], device=hidden.device)
            beyond = step >= lengths.to(hidden.device)[:, None]  # (B, T)
            hidden = hidden.masked_fill(beyond[:, :, None], -torch.inf)
        return hidden.amax(1)


def bfloat16_is_refused() -> bool:
    """Whether autocast is on, and in bfloat16, on a processor without it."""
    return (
        torch.is_autocast_enabled("cpu")
        and torch.get_autocast_dtype("cpu") == torch.bfloat16
        and torch.backends.mkldnn.is_available()
        and not torch.ops.mkldnn._is_mkldnn_bf16_supported()
    )


@torch.no_grad()
def initialise_recurrent(layers: nn.RNNBase, recurrent_init: str) -> None:
    """Draw input weights by Xavier, recurrent ones as named, gate by gate; zero the biases.

    Args:
        layers: torch's recurrent layers, initialised in place.
        recurrent_init: "orthogonal" (Saxe 2014), "identity" (Le 2015), or "uniform"
            U(-1/sqrt(H), 1/sqrt(H)).
    """
    for name, parameter in layers.named_parameters():
        # Torch stacks the gates' matrices, but each of them is a matrix of its own.
        for block in parameter.split(layers.hidden_size):
            if name.startswith("bias"):
                nn.init.zeros_(block)
            elif name.startswith("weight_ih"):
                nn.init.xavier_uniform_(block)
            elif recurrent_init == "orthogonal":
                nn.init.orthogonal_(block)
            elif recurrent_init == "identity":
                nn.init.eye_(block)
            else:
                nn.init.uniform_(block, -(layers.hidden_size**-0.5), layers.hidden_size**-0.5)


def check_lengths(lengths: Tensor, x: Tensor) -> Tensor:
    """The lengths on the CPU, where packing wants them, if they fit the batch x (B, T, F)."""
    lengths = lengths.cpu()
    if lengths.shape != x.shape[:1] or lengths.is_floating_point():
        raise ValueError(
            f"`lengths` must be {x.shape[0]} whole numbers, one a sample, got "
            f"{lengths.dtype} of shape {tuple(lengths.shape)}"
        )
    if lengths.min() < 1 or lengths.max() > x.shape[1]:
        raise ValueError(f"`lengths` must be in 1..{x.shape[1]}, got {lengths.tolist()}")
    return lengths
