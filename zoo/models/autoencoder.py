"""Dense autoencoders, and what all autoencoders share."""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from zoo.models.fnn import FNN
from zoo.models.layers import (
    ACTIVATIONS,
    activation_layer,
    check_choice,
    check_input,
    check_size,
    check_sizes,
)
from zoo.models.net import Net

OUTPUT_RANGES: dict[str, tuple[int, int] | None] = {
    "sigmoid": (0, 1),
    "tanh": (-1, 1),
    "identity": None,
}


class Reconstruction(NamedTuple):
    """What an autoencoder gives back.

    Attributes:
        image: the input once more, in its own shape.
        code: (B, latent), what the decoder made it from.
    """

    image: Tensor
    code: Tensor


class EncoderDecoder(Net):
    """A net that encodes into `latent` numbers and decodes them again.

    Args:
        encoder: from a batch to what the code is read from.
        decoder: from a code (B, latent) to the logits of an image.
        latent: size of a code.
        output: "sigmoid", "tanh" or "identity", which makes an image of the logits.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, *, latent: int, output: str) -> None:
        super().__init__()
        self.latent = latent
        self.output_range = OUTPUT_RANGES[output]
        self.encoder = encoder
        self.decoder = decoder
        self.output = activation_layer(output)

    def stages(self) -> dict[str, nn.Module]:
        """Those of the encoder, "encoder.code", and those of the decoder, as "decoder.…".

        What an encoder and a classifier have in common has the same name, after "encoder.".
        """
        # The code of some has an activation, behind the encoder.
        encoder: Any = self.encoder[0] if isinstance(self.encoder, nn.Sequential) else self.encoder
        decoder: Any = self.decoder
        stages = encoder.stages()
        code = stages.pop("head")
        return {
            **{f"encoder.{name}": stage for name, stage in stages.items()},
            "encoder.code": code,
            **{f"decoder.{name}": untied(stage) for name, stage in decoder.stages().items()},
        }

    def decode(self, code: Tensor) -> Tensor:
        """The images (B, ...) of the codes (B, latent)."""
        check_input("code", code, self.latent)
        return self.output(self.decoder(code))


class ReconstructingNet(EncoderDecoder):
    """An encoder whose result is the code, and a decoder."""

    def encode(self, x: Tensor) -> Tensor:
        """The codes (B, latent) of a batch."""
        return self.encoder(x)

    def features(self, x: Tensor) -> Tensor:
        """The codes (B, latent) of a batch."""
        return self.encode(x)

    def forward(self, x: Tensor) -> Reconstruction:
        """Encode a batch and decode it again."""
        code = self.features(x)  # (B, latent)
        image = self.decode(code).reshape(x.shape)  # (B, ...)
        return Reconstruction(image, code)


class TransposedLinear(nn.Linear):
    """Another linear layer the other way round: its weights transposed, with a bias of its own."""

    def __init__(self, mirror: nn.Linear, *, bias: bool) -> None:
        super().__init__(mirror.out_features, mirror.in_features, bias=bias)
        self.weight = mirror.weight
        if bias:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply by the transposed weights and add the bias."""
        return F.linear(x, self.weight.t(), self.bias)


def untied(stage: nn.Module) -> nn.Module:
    """A stage of a decoder without the weights that belong to the encoder's."""
    if isinstance(stage, TransposedLinear):
        own = {} if stage.bias is None else {"bias": stage.bias}
        return nn.ParameterDict(own)
    if isinstance(stage, nn.Sequential) and isinstance(stage[0], TransposedLinear):
        return nn.ModuleList([untied(stage[0]), *stage[1:]])
    return stage


def tie(decoder: FNN, encoder: FNN) -> None:
    """Give `decoder`, the mirror of `encoder`, its transposed weights in place of its own."""
    linears = [layer for layer in encoder.layers if isinstance(layer, nn.Linear)]
    mirrors = iter([encoder.head, *reversed(linears)])
    for i, layer in enumerate(decoder.layers):
        if isinstance(layer, nn.Linear):
            decoder.layers[i] = TransposedLinear(next(mirrors), bias=layer.bias is not None)
    decoder.head = TransposedLinear(next(mirrors), bias=True)


class Autoencoder(ReconstructingNet):
    """A dense autoencoder: a feed-forward encoder, a code, and the encoder's mirror as decoder.

    Hinton & Salakhutdinov 2006, "Reducing the dimensionality of data with neural networks". With no
    hidden layers and identities for activations it spans the space of PCA (Baldi & Hornik 1989).

    Args:
        in_features: size of one flattened input.
        latent: size of a code.
        hidden: widths of the encoder's hidden layers; the decoder has them in reverse.
        activation: of the hidden layers, as in `zoo.models.FNN`.
        code_activation: of the code.
        norm: "batch", "layer" or None, in the hidden layers.
        dropout: probability of dropping a hidden unit.
        tied: whether the decoder uses the encoder's weights, transposed, with its own biases.
        output: "sigmoid", "tanh" or "identity"; its range must cover that of the data.
        init: of the weights, as in `zoo.models.FNN`.
        init_std: standard deviation of the weights for init="normal".

    Shapes:
        x (B, ...) -> image (B, ...), code (B, latent), where ... flattens to in_features
        features: x -> (B, latent), the code
        decode: code (B, latent) -> image (B, in_features)

    Raises:
        ValueError: an argument is out of range, or x does not flatten to in_features.
    """

    def __init__(
        self,
        in_features: int,
        latent: int,
        *,
        hidden: Sequence[int] = (256, 64),
        activation: str = "relu",
        code_activation: str = "identity",
        norm: str | None = None,
        dropout: float = 0.0,
        tied: bool = False,
        output: str = "sigmoid",
        init: str = "kaiming",
        init_std: float = 0.01,
    ) -> None:
        check_size("in_features", in_features)
        check_size("latent", latent)
        check_sizes("hidden", hidden)
        check_choice("code_activation", code_activation, ACTIVATIONS)
        check_choice("output", output, OUTPUT_RANGES)
        dense = partial(
            FNN, activation=activation, norm=norm, dropout=dropout, init=init, init_std=init_std
        )
        encoder = dense(in_features, latent, hidden=hidden)
        decoder = dense(latent, in_features, hidden=hidden[::-1])
        if tied:
            tie(decoder, encoder)
        code = nn.Sequential(encoder, activation_layer(code_activation))
        super().__init__(code, decoder, latent=latent, output=output)
