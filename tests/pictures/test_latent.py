"""Codes, and what a latent space holds, of nets made up for it."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from google.protobuf import text_format
from PIL import Image
from sklearn.decomposition import PCA
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig
from torch import Tensor, nn

from zoo.data import Adding, Digits, Iris
from zoo.lit import LitAutoencoder
from zoo.losses import MSE, NegativeELBO
from zoo.models import VAE, Autoencoder, ConvVAE
from zoo.pictures import (
    Codes,
    Interpolation,
    LatentUse,
    PriorSamples,
    Projector,
    Reconstructions,
    Traversal,
)
from zoo.pictures.canvas import width_of
from zoo.pictures.projector import sprite_sheet
from zoo.pictures.reconstruction import plane, principal
from zoo.pictures.variational import active_units

SIDE = 48 + 4  # of a tile, with what is between two


class MadeUp(nn.Module):
    """A VAE whose posterior is (row mean of the first row, 0) +- (0.5, 1); it decodes to greys."""

    latent = 2

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean = torch.stack([x[:, :8].mean(1), torch.full((len(x),), 0.3)], 1)
        variance = torch.tensor([0.25, 1.0]).log().expand(len(x), 2)
        return mean, variance

    def decode(self, code: Tensor) -> Tensor:
        return code[:, :1].sigmoid().expand(len(code), 64)

    def sample(self, count: int, *, generator: torch.Generator) -> Tensor:
        return self.decode(torch.randn(count, 2, generator=generator))

    def forward(self, x: Tensor, *, sample: bool = False) -> Any:
        mean, log_variance = self.encode(x)
        image = self.decode(mean)
        return SimpleNamespace(
            image=image, mean=mean, log_variance=log_variance, logits=image.logit(), code=mean
        )


@pytest.fixture
def made_up(staged: Callable[..., Any]) -> Any:
    return staged(LitAutoencoder(MadeUp(), loss=NegativeELBO()), Digits(scaling="unit"))


def test_a_unit_is_active_where_its_mean_varies() -> None:
    means = torch.stack([torch.tensor([0.0, 0.3] * 4), torch.ones(8), torch.tensor([0.0, 0.1] * 4)])
    assert means.T.var(0, correction=0).tolist() == pytest.approx([0.0225, 0, 0.0025])
    assert active_units(means.T, 0.01) == 1
    assert active_units(means.T, 0.001) == 2


def test_rate_and_distortion_are_the_two_terms_of_the_bound(made_up: Any) -> None:
    scene, _ = made_up
    picture = LatentUse(samples=50)
    assert picture.suits(scene)
    picture.draw(scene)
    found = {name: float(value) for name, value in scene.trainer.callback_metrics.items()}
    x = scene.data.serve(scene.data.splits["val"].x[:50])
    mean = x[:, :8].mean(1)
    # KL of N(m, s^2) to N(0, 1): (m^2 + s^2 - 1 - log s^2) / 2, for each of the two.
    first = (mean.square() + 0.25 - 1 - np.log(0.25)) / 2
    rate = float(first.mean()) + 0.3**2 / 2
    p = mean.sigmoid()[:, None]
    distortion = float(-(x * p.log() + (1 - x) * (1 - p).log()).sum(1).mean())
    assert found["latent/rate"] == pytest.approx(rate, rel=1e-5)
    assert found["latent/distortion"] == pytest.approx(distortion, rel=1e-5)
    assert found["latent/active_units"] == (1 if float(mean.var(correction=0)) > 0.01 else 0)


def test_a_traversal_changes_one_number_at_a_time(made_up: Any) -> None:
    scene, events = made_up
    Traversal(steps=5, reach=2.0).draw(scene)
    pixels = events.pixels("latent/traversal")
    greys = [grey for grey in np.unique(pixels) if (pixels == grey).sum() > 3 * 40 * 40]
    expected = [round(255 * float(torch.tensor(v).sigmoid())) for v in (-2.0, -1.0, 0.0, 1.0, 2.0)]
    assert set(expected) <= set(greys)


def test_an_interpolation_goes_from_one_code_to_the_other(made_up: Any) -> None:
    scene, events = made_up
    Interpolation(rows=1, steps=3).draw(scene)
    pixels = events.pixels("latent/interpolation")
    mean = scene.net.encode(scene.data.serve(scene.data.splits["val"].x[:2]))[0][:, 0]
    codes = torch.stack([mean[0], mean.mean(), mean[1]])
    expected = (255 * codes.sigmoid()).round().tolist()
    row = pixels[48 + 20, 10 + 44 + 20 :: 44, 0][:3]
    assert row.tolist() == expected


def test_samples_of_the_prior_are_the_same_each_time(staged: Callable[..., Any]) -> None:
    data = Digits(scaling="unit", view="image")
    module = LitAutoencoder(ConvVAE((1, 8, 8), 3, channels=[4]), loss=NegativeELBO())
    found = []
    for _ in range(2):
        scene, events = staged(module, data)
        torch.rand(3)
        PriorSamples(shown=12).draw(scene)
        found.append(events.pixels("latent/samples"))
    assert np.array_equal(*found)
    scene, events = staged(module, data)
    PriorSamples(shown=12, seed=1).draw(scene)
    assert not np.array_equal(found[0], events.pixels("latent/samples"))


def test_inputs_stand_above_what_the_net_makes_of_them(staged: Callable[..., Any]) -> None:
    data = Digits(scaling="unit")
    scene, events = staged(LitAutoencoder(Autoencoder(64, 3, hidden=()), loss=MSE()), data)
    Reconstructions(shown=2).draw(scene)
    pixels = events.pixels("reconstruction/pairs")
    x = data.splits["val"].x[:2].float() / 16
    image = scene.net(data.serve(data.splits["val"].x[:2])).image.view(2, 8, 8)
    left = 10 + round(width_of("output")) + 8
    for row, expected in ((0, x[:, 0]), (1, image.detach())):
        top = 32 + row * SIDE
        tile = pixels[top + 3 : top + 48 : 6, left + 3 : left + 48 : 6, 0]
        assert np.abs(tile - (255 * expected[0]).round().numpy()).max() <= 1


def test_sequences_are_given_back_as_lines_and_tables_not_at_all(
    staged: Callable[..., Any],
) -> None:
    sizes = {"train_size": 8, "val_size": 8, "test_size": 8}
    for view in ("vector", "image"):
        data = Adding(length=6, view=view, **sizes)
        scene, events = staged(LitAutoencoder(Autoencoder(12, 2), loss=MSE()), data)
        assert Reconstructions().suits(scene)
        Reconstructions().draw(scene)
        assert "reconstruction/pairs" in events.values
    scene, _ = staged(LitAutoencoder(VAE(4, 2), loss=NegativeELBO()), Iris(scaling="unit"))
    assert not Reconstructions().suits(scene) and not Traversal().suits(scene)
    assert Codes().suits(scene) and LatentUse().suits(scene)


def test_the_plane_is_that_of_pca() -> None:
    codes = torch.randn(60, 5) * torch.tensor([3.0, 0.1, 1.0, 2.0, 0.5])
    points, share = principal(codes)
    pca = PCA(2).fit(codes.numpy())
    expected = pca.transform(codes.numpy())
    for axis in (0, 1):
        sign = np.sign(np.dot(points[:, axis].numpy(), expected[:, axis]))
        np.testing.assert_allclose(points[:, axis].numpy(), sign * expected[:, axis], atol=1e-4)
    assert share == pytest.approx(pca.explained_variance_ratio_.sum(), rel=1e-5)


@pytest.mark.parametrize("latent", [1, 2, 3])
def test_codes_of_any_size_have_a_plane(latent: int, staged: Callable[..., Any]) -> None:
    codes = torch.randn(20, latent)
    points, _, _ = plane(codes)
    assert points.shape == (20, 2)
    if latent == 2:
        assert torch.equal(points, codes)
    scene, events = staged(
        LitAutoencoder(Autoencoder(64, latent), loss=MSE()), Digits(scaling="unit")
    )
    Codes().draw(scene)
    assert "code/scatter" in events.values


def test_codes_that_are_all_alike_are_drawn() -> None:
    points, share = principal(torch.ones(5, 4))
    assert bool(points.isfinite().all()) and share == 1


def test_the_projector_has_a_label_and_a_sprite_for_each_code(
    staged: Callable[..., Any], tmp_path: Path
) -> None:
    data = Digits(scaling="unit")
    scene, events = staged(LitAutoencoder(Autoencoder(64, 3), loss=MSE()), data)
    events.log_dir = str(tmp_path)
    Projector(samples=7).draw(scene)
    config = text_format.Parse((tmp_path / "projector_config.pbtxt").read_text(), ProjectorConfig())
    [shown] = config.embeddings
    codes = np.loadtxt(tmp_path / shown.tensor_path)
    expected = scene.net.encode(data.serve(data.splits["val"].x[:7])).detach().numpy()
    np.testing.assert_allclose(codes, expected, rtol=1e-4)
    labels = (tmp_path / shown.metadata_path).read_text().split()
    assert labels == [str(y) for y in data.splits["val"].y[:7].tolist()]
    side = shown.sprite.single_image_dim[0]
    sheet = np.asarray(Image.open(tmp_path / shown.sprite.image_path))
    assert sheet.shape == (3 * side, 3 * side, 3)
    fifth = sheet[side : 2 * side, side : 2 * side, 0]  # row by row: the middle one
    image = (data.splits["val"].x[4, 0].float() / 16 * 255).round().numpy()
    assert (fifth[2::4, 2::4] == image).all()


def test_sprites_are_square_whatever_the_images_are() -> None:
    sheet, side = sprite_sheet(torch.zeros(5, 6, 4, 3, dtype=torch.uint8))
    assert (tuple(sheet.shape), side) == ((18, 18, 3), 6)
