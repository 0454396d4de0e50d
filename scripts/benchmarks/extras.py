"""Other libraries that train the same nets, each at its own settings; most are not ours to need."""

import copy
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.common import Plan, Way
from benchmarks.training import BATCH, steady, unseen

HIDDEN, CLASSES, RATE = (256, 256), 10, 1e-3


def installed(name: str) -> bool:
    """Whether a package is."""
    return importlib.util.find_spec(name) is not None


def noise(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Normalised images (N, 784) float32, and classes."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(BATCH * steps, 784)).astype(np.float32)
    return x, np.arange(len(x)) % CLASSES


def scikit_learn(plan: Plan, steps: int) -> Way:
    """MLPClassifier on float32; it cannot be timed inside an epoch."""
    from sklearn.neural_network import MLPClassifier

    x, y = noise(steps)
    net = MLPClassifier(HIDDEN, batch_size=BATCH, learning_rate_init=RATE)
    net.partial_fit(x[:BATCH], y[:BATCH], classes=range(CLASSES))

    def way() -> float:
        start = plan.now()
        net.partial_fit(x, y)
        return (plan.now() - start) / steps

    return way


def skorch(plan: Plan, steps: int, net: nn.Module) -> Way:
    """NeuralNetClassifier, silent and without a validation set."""
    from skorch import NeuralNetClassifier
    from skorch.callbacks import Callback

    class Moments(Callback):
        def __init__(self) -> None:
            self.times: list[float] = []

        def on_batch_begin(self, net: Any, **kwargs: Any) -> None:
            self.times.append(plan.now())

    x, y = noise(steps)

    def way() -> float:
        moments = Moments()
        classifier = NeuralNetClassifier(
            copy.deepcopy(net),
            criterion=nn.CrossEntropyLoss,
            optimizer=torch.optim.Adam,
            lr=RATE,
            batch_size=BATCH,
            max_epochs=1,
            train_split=None,
            iterator_train__shuffle=True,
            callbacks=[moments],
            verbose=0,
        )
        classifier.fit(x, y)
        return steady(classifier.callbacks[0].times)

    return way


def keras(plan: Plan, steps: int) -> Way:
    """Keras with torch as its backend, silent."""
    os.environ |= {"KERAS_BACKEND": "torch", "KERAS_TORCH_DEVICE": "cpu"}
    import keras

    if keras.backend.backend() != "torch":
        raise RuntimeError("keras was imported with another backend; set KERAS_BACKEND=torch")

    class Moments(keras.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.times: list[float] = []

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            self.times.append(plan.now())

    x, y = noise(steps)
    dense = [keras.layers.Dense(width, activation="relu") for width in HIDDEN]
    net = keras.Sequential([keras.Input((784,)), *dense, keras.layers.Dense(CLASSES)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(keras.optimizers.Adam(RATE), loss, metrics=["accuracy"])

    def way() -> float:
        moments = Moments()
        net.fit(x, y, batch_size=BATCH, epochs=1, shuffle=True, verbose=0, callbacks=[moments])
        return steady(moments.times)

    return way


def pythae(plan: Plan, steps: int, folder: Path) -> Way:
    """Pythae's VAE 784-512-20-512-784 and its own trainer."""
    with unseen():  # it keeps the error output that it meets, and announces every run there
        from pythae.data.datasets import BaseDataset
        from pythae.models import VAE, VAEConfig
        from pythae.trainers import BaseTrainer, BaseTrainerConfig
        from pythae.trainers.training_callbacks import TrainingCallback

    class Moments(TrainingCallback):
        def __init__(self) -> None:
            self.times: list[float] = []

        def on_train_step_end(self, training_config: Any, **kwargs: Any) -> None:
            self.times.append(plan.now())

    shape = (BATCH * steps, 1, 28, 28)
    data = BaseDataset(torch.rand(shape), torch.zeros(shape[0]))
    model = VAE(VAEConfig(input_dim=shape[1:], latent_dim=20, reconstruction_loss="bce"))

    def way() -> float:
        moments = Moments()
        config = BaseTrainerConfig(
            output_dir=str(folder),
            num_epochs=1,
            learning_rate=RATE,
            per_device_train_batch_size=BATCH,
            no_cuda=True,
        )
        with unseen():
            trainer = BaseTrainer(
                copy.deepcopy(model), data, training_config=config, callbacks=[moments]
            )
            trainer.train()
        return steady(moments.times)

    return way


LIBRARIES: dict[str, Callable[..., Way]] = {
    "sklearn": scikit_learn,
    "skorch": skorch,
    "keras": keras,
    "pythae": pythae,
}
