"""Convolutional autoencoders, and their encoder and decoder."""

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from zoo.models.autoencoder import OUTPUT_RANGES, ReconstructingNet
from zoo.models.layers import (
    ACTIVATIONS,
    NORMS,
    activation_layer,
    check_choice,
    check_input,
    check_shape,
    check_size,
    check_sizes,
    conv_layers,
    initialise,
    stages_of,
)


def sizes_down(size: Sequence[int], stages: int) -> list[tuple[int, int]]:
    """The (H, W) of an image before, between and after `stages` convolutions of stride 2."""
    height, width = size
    return [(math.ceil(height / 2**i), math.ceil(width / 2**i)) for i in range(stages + 1)]


class ConvEncoder(nn.Module):
    """Convolutions of stride 2, each halving the image, rounded up, and a linear layer.

    Args:
        in_shape: (C, H, W) of an image.
        out_features: size of the result.
        channels: output channels of each convolution.
        activation: of the convolutions.
        norm: "batch", "layer" or None.

    Shapes:
        x (B, C, H, W) -> (B, out_features)
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        out_features: int,
        *,
        channels: Sequence[int],
        activation: str,
        norm: str | None,
    ) -> None:
        check_shape("in_shape", in_shape, "C, H, W")
        check_sizes("channels", channels, at_least=1)
        check_choice("activation", activation, ACTIVATIONS)
        check_choice("norm", norm, NORMS)
        super().__init__()
        self.in_shape = tuple(in_shape)
        layers: list[nn.Module] = []
        for before, after in pairwise((in_shape[0], *channels)):
            layers += conv_layers(before, after, stride=2, activation=activation, norm=norm)
        self.layers = nn.Sequential(*layers)
        features = channels[-1] * math.prod(sizes_down(in_shape[1:], len(channels))[-1])
        self.head = initialise(nn.Linear(features, out_features), "kaiming")

    def stages(self) -> dict[str, nn.Module]:
        """stage1, stage2, …, as in `zoo.models.CNN`, and head."""
        return {**stages_of(self.layers, (nn.Conv2d,), "stage"), "head": self.head}

    def forward(self, x: Tensor) -> Tensor:
        """Compute one vector for each image of a batch."""
        check_input("x", x, *self.in_shape)
        x = self.layers(x)  # (B, channels[-1], H', W')
        return self.head(x.flatten(1))  # (B, out_features)


class ConvDecoder(nn.Module):
    """The mirror of `ConvEncoder`: a linear layer, then upsampling and convolution in turn.

    Copying pixels to the size that the encoder had there, then convolving, makes no checkerboard as
    transposed convolutions do (Odena 2016), and fits odd sizes.

    Args:
        latent: size of a code.
        out_shape: (C, H, W) of an image.
        channels: output channels of the encoder's convolutions, from image to code.
        activation: of all layers but the last.
        norm: "batch", "layer" or None.

    Shapes:
        code (B, latent) -> logits (B, C, H, W)
    """

    def __init__(
        self,
        latent: int,
        out_shape: Sequence[int],
        *,
        channels: Sequence[int],
        activation: str,
        norm: str | None,
    ) -> None:
        super().__init__()
        *larger, smallest = sizes_down(out_shape[1:], len(channels))
        widths = channels[::-1]
        self.small_shape = (widths[0], *smallest)
        head = nn.Linear(latent, math.prod(self.small_shape))
        self.head = initialise(head, "kaiming", activation=activation)
        layers = [activation_layer(activation)]
        for before, after in pairwise(widths):
            layers.append(nn.Upsample(larger.pop()))
            layers += conv_layers(before, after, activation=activation, norm=norm)
        last = nn.Conv2d(widths[-1], out_shape[0], 3, padding=1)
        layers += [nn.Upsample(larger.pop()), initialise(last, "kaiming")]
        self.layers = nn.Sequential(*layers)

    def stages(self) -> dict[str, nn.Module]:
        """linear, and stage1, stage2 and so on up to the image."""
        return {"linear": self.head, **stages_of(self.layers, (nn.Conv2d,), "stage")}

    def forward(self, code: Tensor) -> Tensor:
        """Compute the logits of an image for each code of a batch."""
        x = self.head(code).unflatten(1, self.small_shape)  # (B, channels[-1], H', W')
        return self.layers(x)  # (B, C, H, W)


class ConvAutoencoder(ReconstructingNet):
    """A convolutional autoencoder for images of any size.

    Masci 2011, "Stacked convolutional auto-encoders for hierarchical feature extraction", with
    strides in place of pooling.

    Args:
        in_shape: (C, H, W) of an image.
        latent: size of a code.
        channels: output channels of the encoder's convolutions; the decoder has them in reverse.
        activation: of the convolutions, as in `zoo.models.CNN`.
        code_activation: of the code.
        norm: "batch", "layer" or None.
        output: "sigmoid", "tanh" or "identity"; its range must cover that of the data.

    Shapes:
        x (B, C, H, W) -> image (B, C, H, W), code (B, latent)
        features: x -> (B, latent), the code
        decode: code (B, latent) -> image (B, C, H, W)

    Raises:
        ValueError: an argument is out of range, or x is not of in_shape.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        latent: int,
        *,
        channels: Sequence[int] = (32, 64),
        activation: str = "relu",
        code_activation: str = "identity",
        norm: str | None = "batch",
        output: str = "sigmoid",
    ) -> None:
        check_size("latent", latent)
        check_choice("code_activation", code_activation, ACTIVATIONS)
        check_choice("output", output, OUTPUT_RANGES)
        encoder = ConvEncoder(in_shape, latent, channels=channels, activation=activation, norm=norm)
        decoder = ConvDecoder(latent, in_shape, channels=channels, activation=activation, norm=norm)
        code = nn.Sequential(encoder, activation_layer(code_activation))
        super().__init__(code, decoder, latent=latent, output=output)
