"""The simple recurrent network and the gated recurrent unit."""

from functools import partial

from torch import nn

from zoo.models.layers import check_choice
from zoo.models.recurrent import RecurrentNet


class RNN(RecurrentNet):
    """A simple recurrent network: h_t = f(W x_t + b + U h_{t-1} + b'), a readout and a linear head.

    Elman 1990, "Finding structure in time". With activation="relu" and recurrent_init="identity" it
    is the IRNN of Le, Jaitly & Hinton 2015. Biases start at zero, input weights are Xavier's.

    Args:
        in_features: size of the input at one step; with an embedding the size of the vocabulary.
        out_features: size of one output.
        hidden_size: H, units of a layer in one direction.
        num_layers: recurrent layers, each reading the hidden states of the one below.
        activation: f, "tanh" or "relu".
        bidirectional: whether a second set of layers reads backwards (D = 2, else D = 1).
        dropout: probability of dropping a unit, between layers and before the head.
        readout: what the head sees: "last" the last step (and backwards the first), "mean" or "max"
            over a sample's steps, "every" each step by itself.
        embedding: width of the tokens' embedding, or None for dense input.
        embedding_std: standard deviation of its first weights.
        recurrent_init: U starts "orthogonal", "identity" or "uniform" in +-1/sqrt(H).

    Shapes:
        x (B, T, in_features), or tokens (B, T) with an embedding
        -> output (B, out_features), or (B, T, out_features) with readout="every"
        -> state (num_layers * D, B, H)
        -> hidden (B, T, D * H)
        features: as x -> (B, D * H), or (B, T, D * H) with readout="every"

    Raises:
        ValueError: an argument is out of range, x has other sizes, or a length is not in 1..T.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        hidden_size: int = 128,
        num_layers: int = 1,
        activation: str = "tanh",
        bidirectional: bool = False,
        dropout: float = 0.0,
        readout: str = "last",
        embedding: int | None = None,
        embedding_std: float = 1.0,
        recurrent_init: str = "orthogonal",
    ) -> None:
        check_choice("activation", activation, ("tanh", "relu"))
        super().__init__(
            partial(nn.RNN, nonlinearity=activation),
            in_features,
            out_features,
            hidden_size=hidden_size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            dropout=dropout,
            readout=readout,
            embedding=embedding,
            embedding_std=embedding_std,
            recurrent_init=recurrent_init,
        )


class GRU(RecurrentNet):
    """Gated recurrent units, a readout and a linear head.

    With s the logistic function, a unit's reset gate r and update gate z decide what it keeps:

        r = s(W_r x_t + U_r h_{t-1} + b_r)
        z = s(W_z x_t + U_z h_{t-1} + b_z)
        n = tanh(W_n x_t + b_n + r * (U_n h_{t-1} + b'_n))
        h_t = (1 - z) * n + z * h_{t-1}

    Cho 2014, "Learning phrase representations using RNN encoder-decoder", with the reset gate after
    the recurrent product, as in cuDNN. Biases start at zero, input weights are Xavier's.

    Args:
        in_features: size of the input at one step; with an embedding the size of the vocabulary.
        out_features: size of one output.
        hidden_size: H, units of a layer in one direction.
        num_layers: recurrent layers, each reading the hidden states of the one below.
        bidirectional: whether a second set of layers reads backwards (D = 2, else D = 1).
        dropout: probability of dropping a unit, between layers and before the head.
        readout: what the head sees: "last" the last step (and backwards the first), "mean" or "max"
            over a sample's steps, "every" each step by itself.
        embedding: width of the tokens' embedding, or None for dense input.
        embedding_std: standard deviation of its first weights.
        recurrent_init: each U starts "orthogonal", "identity" or "uniform" in +-1/sqrt(H).

    Shapes:
        x (B, T, in_features), or tokens (B, T) with an embedding
        -> output (B, out_features), or (B, T, out_features) with readout="every"
        -> state (num_layers * D, B, H)
        -> hidden (B, T, D * H)
        features: as x -> (B, D * H), or (B, T, D * H) with readout="every"

    Raises:
        ValueError: an argument is out of range, x has other sizes, or a length is not in 1..T.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        hidden_size: int = 128,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        readout: str = "last",
        embedding: int | None = None,
        embedding_std: float = 1.0,
        recurrent_init: str = "orthogonal",
    ) -> None:
        super().__init__(
            nn.GRU,
            in_features,
            out_features,
            hidden_size=hidden_size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            dropout=dropout,
            readout=readout,
            embedding=embedding,
            embedding_std=embedding_std,
            recurrent_init=recurrent_init,
        )
