"""Perplexity and bits per character, against their definitions."""

import math

import pytest
import torch

from zoo.lit.language_metrics import BitsPerCharacter, Perplexity


def test_metrics_of_a_uniform_guess() -> None:
    logits, target = torch.zeros(2, 3, 8), torch.randint(8, (2, 3))
    perplexity, bits, halved = Perplexity(), BitsPerCharacter(), BitsPerCharacter(2.0)
    for metric, value in ((perplexity, 8.0), (bits, 3.0), (halved, 1.5)):
        metric.update(logits, target)
        assert metric.compute().item() == pytest.approx(value)


def test_metrics_count_tokens_not_batches() -> None:
    logits = torch.randn(1, 7, 5)
    target = torch.randint(5, (1, 7))
    metric = Perplexity()
    for part in (slice(0, 5), slice(5, 7)):
        metric.update(logits[:, part], target[:, part])
    p = logits[0].double().softmax(-1)[torch.arange(7), target[0]]
    assert metric.compute().item() == pytest.approx(float(p.log().mean().neg().exp()), rel=1e-5)


@pytest.mark.parametrize("characters", [0.0, -1.0, math.inf, math.nan])
def test_a_width_that_is_none_is_refused(characters: float) -> None:
    with pytest.raises(ValueError, match="`characters`"):
        BitsPerCharacter(characters)
