"""Each augmentation against one sample at a time, in plain loops or by torchvision and scipy."""

import math
from typing import Any

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as TF
from scipy import ndimage
from torch import Tensor
from torchvision.transforms import InterpolationMode

from zoo.data import Batch
from zoo.data import augmentation as A
from zoo.data.augmentation.base import Augmentation, Stream
from zoo.data.augmentation.warps import inverse_affine
from zoo.data.splits import seed_of


def images(count: int = 40, channels: int = 3, height: int = 9, width: int = 7) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(
        1, 256, (count, channels, height, width), generator=generator, dtype=torch.uint8
    )


def series(count: int = 30, steps: int = 20, features: int = 2) -> Tensor:
    return torch.randn(count, steps, features, generator=torch.Generator().manual_seed(0))


def apply(augmentation: Augmentation, x: Tensor, y: Tensor | None = None, **rest: Any) -> Batch:
    """The batch changed with the random numbers of key 5."""
    before = x.clone()
    batch = augmentation(Batch(x, torch.zeros(len(x)) if y is None else y, **rest), Stream(5))
    assert torch.equal(x, before)
    assert batch.x.shape == x.shape
    return batch


class Draws:
    """What an augmentation drew from key 5, drawn again in the same order."""

    def __init__(self) -> None:
        self.generator = torch.Generator().manual_seed(seed_of("augmentation", 5))
        self.numpy = np.random.default_rng(seed_of("augmentation", 5))

    def uniform(self, *shape: int) -> Tensor:
        return torch.rand(shape, generator=self.generator)

    def integers(self, high: int, *shape: int) -> Tensor:
        return torch.randint(high, shape, generator=self.generator)

    def permutation(self, count: int) -> Tensor:
        return torch.randperm(count, generator=self.generator)


def test_pad_crop_is_torchvision_s_pad_and_crop() -> None:
    x, draws = images(), Draws()
    down, right = draws.integers(7, 2, len(x))
    result = apply(A.PadCrop(3, fill=9.0), x).x
    assert result.dtype == torch.uint8
    for i, image in enumerate(x):
        expected = TF.crop(TF.pad(image, [3], fill=9), int(down[i]), int(right[i]), 9, 7)
        assert torch.equal(result[i], expected)
    assert len({(a, b) for a, b in zip(down.tolist(), right.tolist(), strict=True)}) > 20


@pytest.mark.parametrize("vertical", [False, True])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_flip_is_torchvision_s(vertical: bool, dtype: torch.dtype) -> None:
    x = images().to(dtype)
    chosen = Draws().uniform(len(x)) < 0.3
    result = apply(A.Flip(0.3, vertical), x).x
    mirror = TF.vflip if vertical else TF.hflip
    for i, image in enumerate(x):
        assert torch.equal(result[i], mirror(image) if chosen[i] else image)
    assert 0 < chosen.sum() < len(x)


def test_cutout_is_a_square_around_a_random_centre() -> None:
    x, draws = images().float(), Draws()
    rows, columns = draws.integers(9, len(x)), draws.integers(7, len(x))
    result = apply(A.Cutout(4), x).x
    for i, image in enumerate(x):
        expected = image.clone()
        for r in range(9):
            for c in range(7):
                if -2 <= r - rows[i] < 2 and -2 <= c - columns[i] < 2:
                    expected[:, r, c] = 0
        assert torch.equal(result[i], expected)


def test_erasing_follows_torchvision_s_rule_sample_by_sample() -> None:
    x, draws = images(count=200).float(), Draws()
    area = 0.02 + draws.uniform(200, 10) * (0.33 - 0.02)
    ratio = math.log(0.3) + draws.uniform(200, 10) * -2 * math.log(0.3)
    top, left, chosen = draws.uniform(200), draws.uniform(200), draws.uniform(200)
    result = apply(A.Erasing(0.5, fill="zero"), x).x
    erased = 0
    for i, image in enumerate(x):
        expected = image
        for a, r in zip(area[i].tolist(), ratio[i].tolist(), strict=True):
            tall = int(round(math.sqrt(a * 63 * math.exp(r))))
            wide = int(round(math.sqrt(a * 63 / math.exp(r))))
            if tall < 9 and wide < 7:
                if chosen[i] < 0.5:
                    y, z = int(top[i] * (9 - tall + 1)), int(left[i] * (7 - wide + 1))
                    expected = TF.erase(image, y, z, tall, wide, torch.zeros(()))
                    erased += 1
                break
        assert torch.equal(result[i], expected)
    assert 70 < erased < 130
    noisy = apply(A.Erasing(1.0, fill="noise"), torch.full((50, 3, 16, 16), 99.0)).x
    inside = noisy[noisy != 99]
    assert abs(inside.mean()) < 0.1 and abs(inside.std() - 1) < 0.1


def test_erasing_leaves_an_image_whole_into_which_nothing_fits() -> None:
    x = images(height=1, width=1).float()
    assert torch.equal(apply(A.Erasing(1.0), x).x, x)


def test_affine_is_torchvision_s() -> None:
    x = images(height=12, width=8)
    angle, scale, shear, right, down = 2 * Draws().uniform(5, len(x)) - 1
    result = apply(A.Affine(30.0, 0.2, 0.3, 15.0, fill=7.0), x).x
    for i, image in enumerate(x):
        move = [float(0.2 * right[i] * 8), float(0.2 * down[i] * 12)]
        expected = TF.affine(
            image.float() - 7,
            angle=float(30 * angle[i]),
            translate=move,  # type: ignore[arg-type]
            scale=float(1 + 0.3 * scale[i]),
            shear=[float(15 * shear[i]), 0.0],
            interpolation=InterpolationMode.BILINEAR,
        )
        torch.testing.assert_close(result[i], expected + 7, atol=2e-3, rtol=1e-4)


def test_affine_of_nothing_changes_nothing() -> None:
    x = images()
    result = apply(A.Affine(0.0, 0.0, 0.0, 0.0), x).x
    torch.testing.assert_close(result, x.float(), atol=1e-3, rtol=0)


def test_the_affine_matrix_is_the_inverse_of_scale_turn_and_shear() -> None:
    angle, scale, shear = (torch.tensor([v]) for v in (0.3, 1.2, -0.2))
    a, s, h = 0.3, 1.2, -0.2
    turn = np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])
    forward = s * turn @ np.array([[1, -math.tan(h)], [0, 1]])
    product = inverse_affine(angle, scale, shear)[0].double().numpy() @ forward
    np.testing.assert_allclose(product, np.eye(2), atol=1e-6)


def test_elastic_is_a_smoothed_field_by_scipy() -> None:
    x = images(count=6, channels=2, height=14, width=11)
    fields = 2 * Draws().uniform(12, 14, 11) - 1
    result = apply(A.Elastic(alpha=20.0, sigma=2.0, fill=3.0), x).x
    rows, columns = np.mgrid[:14, :11]
    for i, image in enumerate(x):
        right, down = (
            20 * ndimage.gaussian_filter(field.double().numpy(), 2.0, mode="constant", truncate=4)
            for field in fields[2 * i : 2 * i + 2]
        )
        for channel, plane in enumerate(image):
            expected = ndimage.map_coordinates(
                plane.double().numpy(), [rows + down, columns + right], order=1,
                mode="grid-constant", cval=3.0,
            )  # fmt: skip
            np.testing.assert_allclose(result[i, channel].numpy(), expected, atol=2e-2)
        assert not np.allclose(result[i].numpy(), image.numpy(), atol=1)


def test_noise_and_jitter_add_normal_numbers() -> None:
    x = series(200, 50)
    expected = torch.randn(x.shape, generator=Draws().generator)
    for augmentation in (A.Noise(0.5), A.Jitter(0.5)):
        added = apply(augmentation, x).x - x
        torch.testing.assert_close(added, 0.5 * expected, atol=1e-5, rtol=0)


def test_jitter_leaves_padding_alone() -> None:
    x, lengths = series(), torch.arange(1, 31).clamp(max=20)
    changed = apply(A.Jitter(1.0), x, lengths=lengths).x != x
    for i, length in enumerate(lengths.tolist()):
        assert changed[i, :length].all() and not changed[i, length:].any()


def test_masking_loses_each_number_on_its_own() -> None:
    x = images(count=100).float()
    result, draws = apply(A.Masking(0.25), x).x, Draws().uniform(*x.shape)
    lost = 0
    for value, before, draw in zip(
        result.flatten().tolist(), x.flatten().tolist(), draws.flatten().tolist(), strict=True
    ):
        assert value == (0 if draw < 0.25 else before)
        lost += draw < 0.25
    assert lost / x.numel() == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("shape", [(9,), (5, 4), (3, 8, 8)])
def test_mixup_mixes_inputs_and_targets_alike(shape: tuple[int, ...]) -> None:
    x = torch.randn(30, *shape, generator=torch.Generator().manual_seed(0))
    y = torch.nn.functional.one_hot(torch.arange(30) % 4, 4).float()
    result, draws = apply(A.Mixup(0.4), x, y), Draws()
    partner, weight = draws.permutation(30), draws.numpy.beta(0.4, 0.4, 30)
    for i, w in enumerate(weight):
        for after, before in ((result.x, x), (result.y, y)):
            expected = w * before[i].double() + (1 - w) * before[partner[i]].double()
            torch.testing.assert_close(after[i].double(), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(result.y.sum(1), torch.ones(30))
    assert 0.1 < np.minimum(weight, 1 - weight).max() <= 0.5 and weight.std() > 0.2


def test_cutmix_replaces_a_rectangle_and_counts_its_pixels() -> None:
    x, classes = images(count=60).float(), torch.arange(60) % 5
    y = torch.nn.functional.one_hot(classes, 5).float()
    result, draws = apply(A.CutMix(), x, y), Draws()
    partner, weight = draws.permutation(60), draws.numpy.beta(1.0, 1.0, 60)
    rows, columns = draws.integers(9, 60), draws.integers(7, 60)
    for i, w in enumerate(weight):
        expected, cut = x[i].clone(), 0
        tall, wide = (int(size * math.sqrt(1 - w)) // 2 for size in (9, 7))
        for r in range(max(0, int(rows[i]) - tall), min(9, int(rows[i]) + tall)):
            for c in range(max(0, int(columns[i]) - wide), min(7, int(columns[i]) + wide)):
                expected[:, r, c] = x[partner[i], :, r, c]
                cut += 1
        assert torch.equal(result.x[i], expected)
        shares = [0.0] * 5
        shares[classes[i]] += 1 - cut / 63
        shares[classes[partner[i]]] += cut / 63
        assert result.y[i].tolist() == pytest.approx(shares, abs=1e-6)


@pytest.mark.parametrize("padded", [False, True])
def test_window_crop_is_numpy_s_interpolation(padded: bool) -> None:
    x = series()
    lengths = (torch.arange(30) % 20 + 1) if padded else torch.full((30,), 20)
    rest = {"lengths": lengths} if padded else {}
    result, draws = apply(A.WindowCrop(0.6), x, **rest).x, Draws().uniform(30)
    for i, length in enumerate(lengths.tolist()):
        window = math.ceil(round(0.6 * length, 4))
        start = int(draws[i] * (length - window + 1))
        places = np.linspace(start, start + window - 1, length)
        for f in range(2):
            expected = np.interp(places, np.arange(20), x[i, :, f].numpy())
            np.testing.assert_allclose(result[i, :length, f].numpy(), expected, atol=1e-4)
        assert torch.equal(result[i, length:], x[i, length:])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: A.PadCrop(0), "`padding` must be an integer of at least 1, got 0"),
        (lambda: A.Flip(1.5), r"`probability` must be in \[0, 1\], got 1.5"),
        (lambda: A.Erasing(min_area=0.5), "`min_area` must be at most max_area=0.33, got 0.5"),
        (lambda: A.Erasing(min_ratio=0.0), "`min_ratio` must be a finite number above 0, got 0.0"),
        (
            lambda: A.Erasing(fill="grey"),
            "`fill` of erasing must be one of noise, zero, got 'grey'",
        ),
        (lambda: A.Affine(scale=1.0), "`scale` must be below 1, got 1.0"),
        (lambda: A.Affine(shear=90.0), "`shear` must be below 90, got 90.0"),
        (lambda: A.Elastic(sigma=0.0), "`sigma` must be a finite number above 0, got 0.0"),
        (lambda: A.Noise(-1.0), "`std` must be a finite number of at least 0, got -1.0"),
        (lambda: A.Mixup(0.0), "`alpha` must be a finite number above 0, got 0.0"),
        (lambda: A.WindowCrop(0.0), "`share` must be a finite number above 0, got 0.0"),
    ],
)
def test_bad_arguments(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
