"""The variational autoencoders: their draws against the normal distribution's own numbers."""

import math

import pytest
import torch
from torch import nn

from zoo.models import VAE, ConvVAE, VariationalReconstruction

NETS = {
    "dense": (lambda: VAE(63, 4), (63,)),
    "dense image": (lambda: VAE(63, 4, hidden=(9, 8), norm="layer"), (1, 9, 7)),
    "conv": (lambda: ConvVAE((1, 9, 7), 4), (1, 9, 7)),
}
every_net = pytest.mark.parametrize("name", NETS)


@every_net
def test_shapes(name: str) -> None:
    build, shape = NETS[name]
    output = build()(torch.rand(5, *shape))
    assert isinstance(output, VariationalReconstruction)
    assert output.image.shape == output.logits.shape == (5, *shape)
    assert output.code.shape == output.mean.shape == output.log_variance.shape == (5, 4)


@every_net
def test_image_is_the_decoded_code_and_the_activated_logits(name: str) -> None:
    build, shape = NETS[name]
    net = build().eval()
    output = net(torch.rand(5, *shape), sample=True)
    torch.testing.assert_close(output.image, 1 / (1 + torch.exp(-output.logits)))
    torch.testing.assert_close(net.decode(output.code).reshape(5, *shape), output.image)


def test_encoder_halves_are_mean_and_log_variance() -> None:
    net = VAE(6, 2, hidden=())
    x = torch.randn(5, 6)
    both = x @ net.encoder.head.weight.T + net.encoder.head.bias
    mean, log_variance = net.encode(x)
    torch.testing.assert_close(mean, both[:, :2])
    torch.testing.assert_close(log_variance, both[:, 2:])


def constant(mean: float, log_variance: float) -> VAE:
    """A net that encodes everything as the same Gaussian."""
    net = VAE(3, 2, hidden=())
    nn.init.zeros_(net.encoder.head.weight)
    with torch.no_grad():
        net.encoder.head.bias.copy_(torch.tensor([mean, mean, log_variance, log_variance]))
    return net


def test_draws_have_the_mean_and_variance_of_the_posterior() -> None:
    torch.manual_seed(0)
    net = constant(1.5, math.log(0.25))
    code = net(torch.randn(100_000, 3)).code
    # Standard errors: of the mean 0.5 / sqrt(1e5) = 0.0016, of the deviation 0.0011.
    torch.testing.assert_close(code.mean(dim=0), torch.full((2,), 1.5), atol=0.008, rtol=0)
    torch.testing.assert_close(code.std(dim=0), torch.full((2,), 0.5), atol=0.006, rtol=0)
    assert abs(torch.corrcoef(code.T)[0, 1].item()) < 0.02


def test_gradients_of_a_draw_reach_mean_and_log_variance() -> None:
    net = constant(0.5, -1.0)
    output = net(torch.randn(7, 3))
    noise = (output.code - 0.5) / math.exp(-0.5)
    output.code.sum().backward()
    grad = net.encoder.head.bias.grad
    torch.testing.assert_close(grad[:2], torch.full((2,), 7.0))  # d code / d mean = 1
    # d code / d log_variance = noise * exp(log_variance / 2) / 2
    torch.testing.assert_close(grad[2:], (noise * math.exp(-0.5) / 2).sum(dim=0).detach())


def test_it_draws_in_training_only_unless_told() -> None:
    net, x = VAE(6, 2), torch.randn(5, 6)
    for training, sample, draws in (
        (True, None, True),
        (False, None, False),
        (True, False, False),
        (False, True, True),
    ):
        net.train(training)
        first, second = net(x, sample=sample), net(x, sample=sample)
        assert torch.equal(first.code, second.code) is not draws
        assert torch.equal(first.code, first.mean) is not draws


@every_net
def test_samples_are_decoded_draws_of_the_prior(name: str) -> None:
    build, shape = NETS[name]
    net = build().eval()
    size = (63,) if name == "dense image" else shape
    images = net.sample(6, generator=torch.Generator().manual_seed(3))
    code = torch.randn(6, 4, generator=torch.Generator().manual_seed(3))
    assert images.shape == (6, *size)
    torch.testing.assert_close(images, net.decode(code))
    assert not torch.equal(net.sample(2), net.sample(2))


@every_net
@pytest.mark.parametrize("training", [True, False])
def test_every_parameter_gets_a_gradient(name: str, training: bool) -> None:
    torch.manual_seed(0)
    build, shape = NETS[name]
    net = build().train(training)
    output = net(torch.rand(16, *shape))
    (output.image.sum() + output.mean.sum() + output.log_variance.sum()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


@every_net
def test_batch_mates_and_meta(name: str) -> None:
    build, shape = NETS[name]
    net, x = build().eval(), torch.rand(5, *shape)
    for many, one in zip(net(x), net(x[:1]), strict=True):
        torch.testing.assert_close(many[:1], one)
    with torch.device("meta"):
        assert {p.device.type for p in build().parameters()} == {"meta"}


@pytest.mark.parametrize(
    ("output", "expected"), [("sigmoid", (0, 1)), ("tanh", (-1, 1)), ("identity", None)]
)
def test_output_range(output: str, expected: tuple[int, int] | None) -> None:
    for net in (VAE(9, 2, output=output), ConvVAE((1, 3, 3), 2, output=output)):
        assert net.latent == 2
        assert net.output_range == expected


@pytest.mark.parametrize("size", [(7, 7), (28, 28), (9, 5)])
def test_conv_gives_back_odd_sizes(size: tuple[int, int]) -> None:
    x = torch.rand(2, 3, *size)
    assert ConvVAE((3, *size), 2, channels=(4, 5, 6))(x).image.shape == x.shape


@pytest.mark.parametrize(
    ("build", "name", "value"),
    [
        (VAE, "in_features", 0),
        (VAE, "latent", 0),
        (VAE, "hidden", 5),
        (VAE, "activation", "rellu"),
        (VAE, "norm", "group"),
        (VAE, "output", "relu"),
        (ConvVAE, "in_shape", (1, 8)),
        (ConvVAE, "latent", 1.5),
        (ConvVAE, "channels", ()),
        (ConvVAE, "activation", "rellu"),
        (ConvVAE, "norm", "group"),
        (ConvVAE, "output", None),
    ],
)
def test_bad_arguments_are_named(build: type, name: str, value: object) -> None:
    size = {"in_features": 4} if build is VAE else {"in_shape": (1, 8, 8)}
    with pytest.raises(ValueError, match=f"`{name}` must be .*, got "):
        build(**(size | {"latent": 2} | {name: value}))


def test_wrong_sizes_are_named() -> None:
    with pytest.raises(ValueError, match=r"`x` .* 6 features .* got 8"):
        VAE(6, 3)(torch.randn(5, 8))
    with pytest.raises(ValueError, match=r"`x` .* \(B, 1, 8, 8\), got \(5, 1, 8, 9\)"):
        ConvVAE((1, 8, 8), 3)(torch.randn(5, 1, 8, 9))
    with pytest.raises(ValueError, match=r"`code` .* \(B, 3\), got \(5, 4\)"):
        VAE(6, 3).decode(torch.randn(5, 4))
    with pytest.raises(ValueError, match="`count` must be"):
        VAE(6, 3).sample(0)
