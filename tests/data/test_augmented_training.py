"""Augmentations in their order, in the loader and in training."""

import numpy as np
import pytest
import torch
from torch import Tensor

from zoo.data import Batch, Digits, Iris, Sine
from zoo.data import augmentation as A
from zoo.data.augmentation.base import Augmentation, Stack, Stream, refuse_layout
from zoo.lit import LitAutoencoder, LitFeedForward
from zoo.lit.metrics import Accuracy
from zoo.losses import MSE, CrossEntropy
from zoo.models import FNN, Autoencoder

# --- in training -------------------------------------------------------------------------------


def test_a_denoising_autoencoder_reads_the_corrupted_and_gives_back_the_clean() -> None:
    parts = {"noise": A.Noise(0.5), "masking": A.Masking(0.5)}
    digits = Digits(scaling="unit", augmentation=parts, shuffle=False)
    batch = next(iter(digits.train_dataloader()))
    clean = next(iter(digits.loader("train"))).x
    seen: list[Tensor] = []
    net = Autoencoder(64, 8)
    net.register_forward_pre_hook(lambda net, args: seen.append(args[0]))
    result = LitAutoencoder(net, loss=MSE()).predict(batch)
    assert torch.equal(result.target, clean) and torch.equal(seen[0], batch.x)
    assert (batch.x == 0).float().mean() > 0.4
    assert not torch.equal(batch.x, clean)


def test_a_classifier_learns_from_soft_targets_and_counts_their_largest_class() -> None:
    digits = Digits(augmentation={"mixup": A.Mixup(1.0)}, batch_size=200)
    batch = next(iter(digits.train_dataloader()))
    module = LitFeedForward(FNN(64, 10), loss=CrossEntropy(), metrics={"accuracy": Accuracy()})
    module.training_step(batch, 0).backward()
    logits = module.eval().predict(batch).prediction
    right = [int(z.argmax() == y.argmax()) for z, y in zip(logits, batch.y, strict=True)]
    accuracy = module.metrics_of("train")["accuracy"].compute().item()
    assert accuracy == pytest.approx(sum(right) / 200, abs=1e-6)


# --- the stack ---------------------------------------------------------------------------------


def test_raw_comes_before_scaling_and_corruption_last_and_the_view_after_all() -> None:
    x = torch.full((4, 1, 3, 3), 10, dtype=torch.uint8)
    seen: list[tuple[str, Tensor]] = []

    class Spy(Augmentation):
        def __init__(self, name: str, scaled: bool, corrupts: bool) -> None:
            self.name, self.scaled, self.corrupts = name, scaled, corrupts  # type: ignore[misc]

        def __call__(self, batch: Batch, stream: Stream) -> Batch:
            seen.append((self.name, batch.x))
            return batch._replace(x=batch.x + 1)

    stack = Stack(
        {"c": Spy("c", True, True), "s": Spy("s", True, False), "r": Spy("r", False, False)},
        scale=lambda x: x.float() / 2,
        view=lambda x: x.flatten(1),
        classes=None,
    )
    batch = stack(Batch(x, torch.zeros(4, 1)), 0)
    assert [name for name, _ in seen] == ["r", "s", "c"]
    assert [float(x.flatten()[0]) for _, x in seen] == [10, 5.5, 6.5]
    assert seen[0][1].dtype == torch.uint8
    assert batch.x.tolist() == [[7.5] * 9] * 4
    assert batch.clean is not None and batch.clean.tolist() == [[6.5] * 9] * 4


def test_only_mixing_makes_class_ids_soft() -> None:
    x, y = torch.randn(6, 1, 4, 4), torch.arange(6) % 3
    parts = {"scale": torch.clone, "view": torch.clone, "classes": 3}
    plain = Stack({"flip": A.Flip()}, **parts)(Batch(x, y), 0)
    assert torch.equal(plain.y, y) and plain.clean is None
    mixed = Stack({"mixup": A.Mixup()}, **parts)(Batch(x, y), 0)
    assert mixed.y.shape == (6, 3) and mixed.y.dtype == torch.float32


def test_the_key_decides_on_the_numbers_and_the_global_generator_is_untouched() -> None:
    digits = Digits(augmentation={"noise": A.Noise(), "mixup": A.Mixup()}, batch_size=300, seed=4)
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    loader = digits.train_dataloader()
    epochs = [[batch.x for batch in loader] for _ in range(2)]
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)
    noise = [batch.x - batch.clean for batch in digits.train_dataloader()]
    assert not torch.equal(noise[0], noise[1])
    again = digits.train_dataloader()
    assert all(torch.equal(a, b.x) for a, b in zip(epochs[0], again, strict=True))
    state = {"seed": 4, "epoch": 1, "served": 3, "steps": len(again)}
    resumed = digits.train_dataloader()
    resumed.load_state_dict(state)
    assert all(torch.equal(a, b.x) for a, b in zip(epochs[1][3:], resumed, strict=True))


def test_only_training_is_augmented() -> None:
    noisy, plain = Digits(augmentation={"noise": A.Noise()}), Digits()
    for name in ("val", "test"):
        for a, b in zip(
            getattr(noisy, f"{name}_dataloader")(),
            getattr(plain, f"{name}_dataloader")(),
            strict=True,
        ):
            assert torch.equal(a.x, b.x) and a.clean is None
    assert noisy.facts == plain.facts
    assert not torch.equal(
        next(iter(noisy.train_dataloader())).x, next(iter(plain.loader("train"))).x
    )
    assert next(iter(noisy.loader("train"))).clean is None  # as zoo-evaluate split=train reads it


@pytest.mark.parametrize(
    ("data", "augmentation", "message"),
    [
        (
            Iris,
            {"flip": A.Flip()},
            "augmentation=flip must be given image data, but iris has table",
        ),
        (Digits, {"jitter": A.Jitter()}, "augmentation=jitter must be given series data, but digi"),
        (Sine, {"wc": A.WindowCrop()}, "augmentation=wc must be given classes as target, but sine"),
        (Digits, {"flip": 1}, "`augmentation` must be named augmentations, got flip=1"),
    ],
)
def test_impossible_pairs_are_refused_by_the_constructor(data, augmentation, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        data(augmentation=augmentation)


def test_what_only_the_samples_tell_is_refused_too() -> None:
    mixup, crop = {"mixup": A.Mixup()}, {"crop": A.WindowCrop()}
    for augmentation in (mixup, crop):
        with pytest.raises(ValueError, match="one target for a whole sample, but x has one for"):
            refuse_layout(augmentation, every_step=True, padded=False, owner="x")
    with pytest.raises(ValueError, match="mixup must be given samples of one length"):
        refuse_layout(mixup, every_step=False, padded=True, owner="x")
    refuse_layout(crop, every_step=False, padded=True, owner="x")
