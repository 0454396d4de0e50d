"""What a linear classifier reads from codes, against classes that are known to be there."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from zoo.callbacks.probe import LinearProbe, encoded, principal, probe
from zoo.config import ConfigError
from zoo.data import Digits
from zoo.data.splits import few
from zoo.models import VAE, Autoencoder
from zoo.train import train


def sides(count: int, noise: float, seed: int) -> tuple[Tensor, Tensor]:
    """Points (count, 3) on both sides of a plane, with so much noise, and their side."""
    random = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    x = noise * torch.randn(count, 3, generator=random)
    x[:, 1] += 100.0 * (2 * labels - 1)
    return x, labels


def test_classes_on_two_sides_of_a_plane_are_read() -> None:
    parts = {name: sides(60, noise=10.0, seed=i) for i, name in enumerate(("train", "val", "test"))}
    features, labels = ({k: v[i] for k, v in parts.items()} for i in (0, 1))
    assert probe(features, labels) == {"val": 1.0, "test": 1.0}
    wrong = {**labels, "test": 1 - labels["test"]}
    assert probe(features, wrong) == {"val": 1.0, "test": 0.0}


def test_the_penalty_is_chosen_without_the_test() -> None:
    parts = {name: sides(40, noise=120.0, seed=i) for i, name in enumerate("abc")}
    (x, y), (xv, yv), (xt, yt) = parts.values()
    features = {"train": x, "val": xv, "test": xt}
    first = probe(features, {"train": y, "val": yv, "test": yt})
    # Other labels of the test change its accuracy and nothing else.
    second = probe(features, {"train": y, "val": yv, "test": 1 - yt})
    assert first["val"] == second["val"]
    assert first["test"] + second["test"] == pytest.approx(1.0)


def test_codes_are_what_the_net_encodes_in_parts() -> None:
    x = torch.rand(2500, 6)
    dense, variational = Autoencoder(6, 2).eval(), VAE(6, 2).eval()
    with torch.no_grad():
        torch.testing.assert_close(encoded(dense, x), dense.encode(x))
        torch.testing.assert_close(encoded(variational, x), variational.encode(x)[0])


def test_principal_components_are_those_of_the_training_split() -> None:
    x = torch.rand(50, 2, 3)
    parts = principal({"train": x[:30], "test": x[30:]}, 4)
    pca = PCA(4, svd_solver="full").fit(x[:30].flatten(1).numpy())
    expected = torch.from_numpy(pca.transform(x[30:].flatten(1).numpy()))
    torch.testing.assert_close(parts["test"], expected)


def test_few_labels_are_those_that_few_samples_have() -> None:
    data = Digits()
    data.setup()
    y = data.splits["train"].y
    kept = data.labelled(10)
    assert y[kept].bincount().tolist() == [10] * 10
    # The digits are about as many of each, so that a hundred of them are ten of each.
    assert set(kept.tolist()) == set(few(y, 100).tolist())
    assert set(data.labelled(3).tolist()) < set(kept.tolist())
    with pytest.raises(ValueError, match=r"`labels_per_class` must be in 1\.\.\d+, .* got 200"):
        data.labelled(200)


def test_samples_without_labels_do_not_count() -> None:
    parts = {name: sides(60, noise=10.0, seed=i) for i, name in enumerate(("train", "val", "test"))}
    features, labels = ({k: v[i] for k, v in parts.items()} for i in (0, 1))
    wrong = labels["train"].clone()
    wrong[6:] = 1 - wrong[6:]
    some = LinearProbe(labels_per_class=3)
    some._kept = torch.arange(6)
    assert probe(*some.few(features, {**labels, "train": wrong})) == {"val": 1.0, "test": 1.0}
    # All of them count where nothing is said.
    given = probe(*LinearProbe().few(features, {**labels, "train": wrong}))
    assert given == {"val": 0.0, "test": 0.0}
    with pytest.raises(ValueError, match="`labels_per_class` must be at least 1, or null, got 0"):
        LinearProbe(labels_per_class=0)


@pytest.mark.slow
def test_a_run_with_few_labels(composed: Callable[..., DictConfig]) -> None:
    words = ("model=autoencoder", "callbacks=[default,probe]", "model.net.latent=3")
    few_words = (*words, "callbacks.probe.labels_per_class=2", "trainer.max_epochs=1")
    row = train(composed(*few_words, "logger=none", "pictures=none"))
    # Twenty labels tell less of three components than all of them, and more than nothing.
    assert 0.2 < row["baseline/pca_probe_accuracy"] < 0.7
    assert 0.1 < row["test/accuracy"] < 0.8


def test_a_run_reports_it(composed: Callable[..., DictConfig]) -> None:
    words = ("model=autoencoder", "callbacks=[default,probe]", "model.net.latent=3")
    row = train(composed(*words, "trainer.max_epochs=1", "logger=none", "pictures=none"))
    assert 0.3 < row["test/accuracy"] <= 1 and 0.3 < row["val/accuracy"] <= 1
    # On three components of the digits, fitted here without a choice of the penalty.
    x, y = load_digits(return_X_y=True)
    components = PCA(3).fit_transform(x[:1200])
    rough = LogisticRegression(max_iter=1000).fit(components[:900], y[:900])
    estimate = rough.score(components[900:], y[900:1200])
    assert row["baseline/pca_probe_accuracy"] == pytest.approx(estimate, abs=0.1)


@pytest.mark.parametrize("words", [("model=fnn",), ("model=autoencoder", "data=diabetes")])
def test_what_has_no_code_or_no_classes_is_refused(
    words: tuple[str, ...], composed: Callable[..., Any]
) -> None:
    fast = ("debug=fast", "logger=none", "pictures=none", "callbacks=[default,probe]")
    with pytest.raises(ConfigError, match="callbacks.probe needs an autoencoder"):
        train(composed(*words, *fast))
