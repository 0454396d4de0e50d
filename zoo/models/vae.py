"""Variational autoencoders with a Gaussian latent, dense and convolutional."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from zoo.models.autoencoder import OUTPUT_RANGES, EncoderDecoder
from zoo.models.conv_autoencoder import ConvDecoder, ConvEncoder
from zoo.models.fnn import FNN
from zoo.models.layers import check_choice, check_size, check_sizes


class VariationalReconstruction(NamedTuple):
    """What a variational autoencoder gives back.

    Attributes:
        image: the input once more, in its own shape.
        code: (B, latent), what the decoder made it from: a draw, or the mean.
        mean: (B, latent), of the posterior q(code | x).
        log_variance: (B, latent), of the posterior q(code | x).
        logits: the decoder's last layer before its output activation, in the shape of image.
    """

    image: Tensor
    code: Tensor
    mean: Tensor
    log_variance: Tensor
    logits: Tensor


class VariationalNet(EncoderDecoder):
    """An encoder of Gaussians q(code | x), and a decoder; the prior of a code is N(0, 1)."""

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The means (B, latent) and log variances (B, latent) of a batch's codes."""
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        return mean, log_variance

    def features(self, x: Tensor) -> Tensor:
        """The means (B, latent) of a batch's codes."""
        return self.encode(x)[0]

    def forward(self, x: Tensor, *, sample: bool | None = None) -> VariationalReconstruction:
        """Encode a batch, draw its codes, and decode them.

        Args:
            x: the batch.
            sample: whether to draw the codes or to take their means; None draws in training only.
        """
        mean, log_variance = self.encode(x)  # (B, latent) each
        code = mean
        if self.training if sample is None else sample:
            # The draw is a function of mean and variance, so gradients reach both.
            code = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)
        logits = self.decoder(code).reshape(x.shape)  # (B, ...)
        return VariationalReconstruction(self.output(logits), code, mean, log_variance, logits)

    def sample(self, count: int, *, generator: Generator | None = None) -> Tensor:
        """Decode draws of the prior into images (count, ...).

        A net with batch norms must be in eval mode, or the draws change each other and the norms.

        Args:
            count: how many.
            generator: where the draws come from; None takes torch's own.
        """
        check_size("count", count)
        weight = next(self.parameters())
        device = weight.device if generator is None else generator.device
        code = torch.randn(count, self.latent, generator=generator, device=device)
        return self.decode(code.to(weight))  # (count, ...)


class VAE(VariationalNet):
    """A dense variational autoencoder with a Gaussian latent.

    Kingma & Welling 2014, "Auto-encoding variational Bayes"; Rezende, Mohamed & Wierstra 2014.

    Args:
        in_features: size of one flattened input.
        latent: size of a code.
        hidden: widths of the encoder's hidden layers; the decoder has them in reverse.
        activation: of the hidden layers, as in `zoo.models.FNN`.
        norm: "batch", "layer" or None, in the hidden layers.
        output: "sigmoid", "tanh" or "identity"; its range must cover that of the data.

    Shapes:
        x (B, ...) -> image and logits (B, ...), code, mean and log_variance (B, latent), where ...
            flattens to in_features
        features: x -> (B, latent), the mean
        decode: code (B, latent) -> image (B, in_features)
        sample: count -> image (count, in_features)

    Raises:
        ValueError: an argument is out of range, or x does not flatten to in_features.
    """

    def __init__(
        self,
        in_features: int,
        latent: int,
        *,
        hidden: Sequence[int] = (256,),
        activation: str = "relu",
        norm: str | None = None,
        output: str = "sigmoid",
    ) -> None:
        check_size("in_features", in_features)
        check_size("latent", latent)
        check_sizes("hidden", hidden)
        check_choice("output", output, OUTPUT_RANGES)
        encoder = FNN(in_features, 2 * latent, hidden=hidden, activation=activation, norm=norm)
        decoder = FNN(latent, in_features, hidden=hidden[::-1], activation=activation, norm=norm)
        super().__init__(encoder, decoder, latent=latent, output=output)


class ConvVAE(VariationalNet):
    """A convolutional variational autoencoder for images of any size.

    The same as `VAE` between the convolutions of `zoo.models.ConvAutoencoder`.

    Args:
        in_shape: (C, H, W) of an image.
        latent: size of a code.
        channels: output channels of the encoder's convolutions; the decoder has them in reverse.
        activation: of the convolutions, as in `zoo.models.CNN`.
        norm: "batch", "layer" or None.
        output: "sigmoid", "tanh" or "identity"; its range must cover that of the data.

    Shapes:
        x (B, C, H, W) -> image and logits (B, C, H, W), code, mean and log_variance (B, latent)
        features: x -> (B, latent), the mean
        decode: code (B, latent) -> image (B, C, H, W)
        sample: count -> image (count, C, H, W)

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
        norm: str | None = "batch",
        output: str = "sigmoid",
    ) -> None:
        check_size("latent", latent)
        check_choice("output", output, OUTPUT_RANGES)
        encoder = ConvEncoder(
            in_shape, 2 * latent, channels=channels, activation=activation, norm=norm
        )
        decoder = ConvDecoder(latent, in_shape, channels=channels, activation=activation, norm=norm)
        super().__init__(encoder, decoder, latent=latent, output=output)
