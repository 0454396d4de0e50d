"""A net of the zoo in the training of other libraries: each test is an example to copy.

Nothing here knows the zoo's own way to train: `zoo.models` and torch are all that is taken along.
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import zoo
from zoo.models import CNN, FNN, GRU, LSTM


@pytest.mark.slow
def test_lightning_with_a_module_of_ones_own(digits: Any, tmp_path: Path) -> None:
    import lightning.pytorch as pl

    class Classifier(pl.LightningModule):
        def __init__(self, net: nn.Module) -> None:
            super().__init__()
            self.net = net
            self.losses: list[float] = []

        def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
            x, y = batch
            loss = F.cross_entropy(self.net(x[:, None]), y)
            self.losses.append(loss.item())
            return loss

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.AdamW(self.parameters(), lr=0.01)

    net = CNN(in_shape=(1, 8, 8), out_features=10, channels=(16, 32))
    module = Classifier(net)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"lightning\..*")  # of workers and of tips
        trainer = pl.Trainer(max_epochs=3, accelerator="cpu", enable_model_summary=False, **quiet)
        trainer.fit(module, digits.loader())

    assert sum(module.losses[-5:]) < 0.5 * sum(module.losses[:5])
    assert digits.accuracy(net.eval()(digits.test_x[:, None])) > 0.75
    zoo.save(net, tmp_path)  # without the Trainer, and for those who have none
    assert type(zoo.load(tmp_path)) is CNN


@pytest.mark.slow
def test_skorch_with_cross_validation(digits: Any) -> None:
    skorch = pytest.importorskip("skorch")
    from sklearn.model_selection import cross_val_score

    classifier = skorch.NeuralNetClassifier(
        FNN,
        module__in_features=64,
        module__out_features=10,
        module__hidden=(64,),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.AdamW,
        lr=0.01,
        batch_size=32,
        max_epochs=8,
        verbose=0,
    )
    scores = cross_val_score(classifier, digits.x.numpy(), digits.y.numpy(), cv=3)

    assert scores.shape == (3,) and scores.min() > 0.7


@pytest.mark.slow
def test_skorch_with_a_grid_search_over_a_recurrent_net(digits: Any) -> None:
    skorch = pytest.importorskip("skorch")
    from sklearn.model_selection import GridSearchCV

    class Logits(nn.Module):
        """An LSTM that gives back its output alone, as what expects one tensor wants it."""

        def __init__(self, **arguments: Any) -> None:
            super().__init__()
            self.net = LSTM(8, 10, **arguments)

        def forward(self, x: Tensor) -> Tensor:
            return self.net(x).output

    classifier = skorch.NeuralNetClassifier(
        Logits,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.AdamW,
        lr=0.02,
        batch_size=50,
        max_epochs=6,
        verbose=0,
    )
    grid = {"module__hidden_size": [1, 32], "module__readout": ["last", "mean"]}
    search = GridSearchCV(classifier, grid, cv=2).fit(digits.x.numpy(), digits.y.numpy())

    assert search.best_params_["module__hidden_size"] == 32
    assert search.score(digits.test_x.numpy(), digits.test_y.numpy()) > 0.7
    assert search.best_estimator_.module_.net.arguments["hidden_size"] == 32


def test_skorch_that_compares_with_sklearn_in_one_pipeline(digits: Any) -> None:
    """Standardised by sklearn, classified by the zoo; the pipeline is copied and pickled."""
    skorch = pytest.importorskip("skorch")
    import pickle

    from sklearn.base import clone
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classifier = skorch.NeuralNetClassifier(
        FNN, module__in_features=64, module__out_features=10, criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.AdamW, lr=0.01, max_epochs=3, verbose=0,
    )  # fmt: skip
    pipeline = make_pipeline(StandardScaler(), classifier)
    x, test_x = (part.flatten(1).numpy() for part in (digits.x, digits.test_x))
    pipeline.fit(x, digits.y.numpy())

    copy = pickle.loads(pickle.dumps(pipeline))
    np.testing.assert_array_equal(copy.predict(test_x), pipeline.predict(test_x))
    assert copy.score(test_x, digits.test_y.numpy()) > 0.85
    assert clone(pipeline)[-1].module is FNN


@pytest.mark.slow
def test_accelerate(digits: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    accelerate = pytest.importorskip("accelerate")
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")

    accelerator = accelerate.Accelerator(gradient_accumulation_steps=2)
    net = GRU(in_features=8, out_features=10, hidden_size=32)
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
    model, optimizer, loader = accelerator.prepare(net, optimizer, digits.loader())
    losses = []
    for _ in range(8):
        for x, y in loader:
            with accelerator.accumulate(model):
                loss = F.cross_entropy(model(x).output, y)
                accelerator.backward(loss)
                optimizer.step()
                optimizer.zero_grad()
                losses.append(loss.item())

    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])
    same = accelerator.unwrap_model(model)
    assert digits.accuracy(same.eval()(digits.test_x).output) > 0.75
