"""Long short-term memory."""

import math
from numbers import Real

import torch
from torch import nn

from zoo.models.recurrent import RecurrentNet


class LSTM(RecurrentNet):
    """Long short-term memory with forget gates, a readout and a linear head.

    With s the logistic function, gates decide what a cell takes in, keeps and shows:

        i = s(W_i x_t + U_i h_{t-1} + b_i)          input gate
        f = s(W_f x_t + U_f h_{t-1} + b_f)          forget gate
        g = tanh(W_g x_t + U_g h_{t-1} + b_g)       candidate
        o = s(W_o x_t + U_o h_{t-1} + b_o)          output gate
        c_t = f * c_{t-1} + i * g
        h_t = o * tanh(c_t)

    Hochreiter & Schmidhuber 1997, "Long short-term memory"; the forget gate is that of Gers,
    Schmidhuber & Cummins 2000, "Learning to forget".

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
        forget_bias: where b_f starts (Jozefowicz 2015 recommends 1); all other biases are zero.

    Shapes:
        x (B, T, in_features), or tokens (B, T) with an embedding
        -> output (B, out_features), or (B, T, out_features) with readout="every"
        -> state (h, c), each (num_layers * D, B, H)
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
        forget_bias: float = 1.0,
    ) -> None:
        if not isinstance(forget_bias, Real) or not math.isfinite(forget_bias):
            raise ValueError(f"`forget_bias` must be a finite number, got {forget_bias!r}")
        super().__init__(
            nn.LSTM,
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
        # A forget gate that starts open lets gradients cross long gaps from the first step. Torch
        # adds two biases, so one of them carries the value and the other stays zero.
        with torch.no_grad():
            for name, bias in self.recurrent.named_parameters():
                if name.startswith("bias_ih"):
                    bias[hidden_size : 2 * hidden_size].fill_(forget_bias)
