import numpy as np
import pytest
import torch

from zoo.data.scaling import standard, unit

SHAPES = {
    "table": ((40, 3), 1, 0),
    "image": ((40, 3, 4, 5), 1, (0, 2, 3)),
    "sequence": ((40, 6, 3), 2, (0, 1)),
}


@pytest.mark.parametrize("kind", SHAPES)
def test_standard_against_numpy(kind: str) -> None:
    shape, channel, axes = SHAPES[kind]
    x = 5 + 3 * torch.randn(shape, generator=torch.Generator().manual_seed(0))
    reference = x.double().numpy()
    reference = (reference - reference.mean(axes, keepdims=True)) / reference.std(
        axes, keepdims=True
    )
    scaled = standard(x, channel)(x)
    np.testing.assert_allclose(scaled.numpy(), reference, atol=1e-5)


@pytest.mark.parametrize("kind", SHAPES)
def test_unit_against_numpy(kind: str) -> None:
    shape, channel, axes = SHAPES[kind]
    x = 5 + 3 * torch.randn(shape, generator=torch.Generator().manual_seed(0))
    reference = x.double().numpy()
    low, high = reference.min(axes, keepdims=True), reference.max(axes, keepdims=True)
    scaled = unit(x, channel)(x)
    np.testing.assert_allclose(scaled.numpy(), (reference - low) / (high - low), atol=1e-6)
    # A sigmoid's targets: not a rounding error outside.
    assert scaled.min() == 0 and scaled.max() == 1


def test_known_limits_are_used_as_they_are() -> None:
    x = torch.tensor([[4, 8]], dtype=torch.uint8)
    assert unit(x, limits=(0.0, 16.0))(x).tolist() == [[0.25, 0.5]]


@pytest.mark.parametrize("fit", [standard, unit])
@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 + 0.3])
def test_a_constant_column_becomes_zero(fit, value: float) -> None:
    x = torch.stack([torch.full((77,), value), torch.arange(77.0)], dim=1)
    scaled = fit(x)(x)
    assert scaled.isfinite().all()
    assert scaled[:, 0].abs().max() <= 1e-6 * max(1.0, value)


def test_what_is_stored_stays_as_it_is() -> None:
    x = torch.arange(6.0).view(3, 2)
    standard(x)(x)
    assert torch.equal(x, torch.arange(6.0).view(3, 2))
