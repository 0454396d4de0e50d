"""A net of the zoo in somebody else's training: each test is an example to copy.

Nothing here knows the zoo's own way to train: `zoo.models` and torch are all that is taken along.
"""

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import zoo
from zoo.models import CNN, FNN, GRU, LSTM, Autoencoder

CHANCE = 0.1


class Digits(NamedTuple):
    """Images (N, 8, 8) in [0, 1] and their classes, of which the last ones are for testing."""

    x: Tensor
    y: Tensor
    test_x: Tensor
    test_y: Tensor

    def loader(self) -> DataLoader[tuple[Tensor, ...]]:
        return DataLoader(TensorDataset(self.x, self.y), batch_size=50, shuffle=True)


@pytest.fixture(scope="module")
def images() -> tuple[Tensor, Tensor]:
    x, y = load_digits(return_X_y=True)
    return torch.tensor(x / 16, dtype=torch.float32).reshape(-1, 8, 8), torch.tensor(y)


@pytest.fixture
def digits(images: tuple[Tensor, Tensor]) -> Digits:
    torch.manual_seed(0)
    x, y = images
    return Digits(x[:800], y[:800], x[800:1200], y[800:1200])


def accuracy(logits: Tensor, classes: Tensor) -> float:
    return (logits.argmax(1) == classes).float().mean().item()


def test_a_plain_loop(digits: Digits) -> None:
    net = LSTM(in_features=8, out_features=10, hidden_size=32)  # reads an image row by row
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
    losses = []
    for _ in range(5):
        for x, y in digits.loader():
            output, state, hidden = net(x)  # (B, 10), (h, c), (B, 8, 32)
            loss = F.cross_entropy(output, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())

    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])
    assert hidden.shape == (50, 8, 32) and state[0].shape == (1, 50, 32)
    assert accuracy(net.eval()(digits.test_x).output, digits.test_y) > 0.7


@pytest.mark.slow
def test_a_net_in_a_net_of_ones_own(digits: Digits) -> None:
    class Both(nn.Module):
        """Reads the rows and the columns of an image, and decides from both."""

        def __init__(self) -> None:
            super().__init__()
            self.rows = GRU(8, 16, hidden_size=16)
            self.columns = GRU(8, 16, hidden_size=16)
            self.head = FNN(32, 10, hidden=[])

        def forward(self, x: Tensor) -> Tensor:
            rows, columns = self.rows(x).output, self.columns(x.mT).output
            return self.head(torch.cat([rows, columns], 1))

    net = Both()
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
    for _ in range(6):
        for x, y in digits.loader():
            optimizer.zero_grad()
            F.cross_entropy(net(x), y).backward()
            optimizer.step()

    assert accuracy(net(digits.test_x), digits.test_y) > 0.75


@pytest.mark.slow
def test_lightning_with_a_module_of_ones_own(digits: Digits, tmp_path: Path) -> None:
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
    assert accuracy(net.eval()(digits.test_x[:, None]), digits.test_y) > 0.75
    zoo.save(net, tmp_path)  # without the Trainer, and for those who have none
    assert type(zoo.load(tmp_path)) is CNN


@pytest.mark.slow
def test_skorch_with_cross_validation(digits: Digits) -> None:
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
def test_skorch_with_a_grid_search_over_a_recurrent_net(digits: Digits) -> None:
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


def test_skorch_that_compares_with_sklearn_in_one_pipeline(digits: Digits) -> None:
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
def test_accelerate(digits: Digits, monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert accuracy(same.eval()(digits.test_x).output, digits.test_y) > 0.75


@pytest.mark.slow
def test_an_optimizer_that_asks_for_the_loss(digits: Digits) -> None:
    """LBFGS runs the net several times a step; all pixels at once, and no batches."""
    net = Autoencoder(in_features=64, latent=8, hidden=(), output="identity")
    x = digits.x.flatten(1)
    optimizer = torch.optim.LBFGS(net.parameters(), max_iter=300, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.mse_loss(net(x).image, x)
        loss.backward()
        return loss

    first = closure().item()
    optimizer.step(closure)

    # A linear autoencoder cannot do better than PCA, and gets there.
    centred = x - x.mean(0)
    spectrum = torch.linalg.svdvals(centred).square()
    best = spectrum[8:].sum().item() / x.numel()
    assert best * 0.999 < closure().item() < 1.1 * best < first


@pytest.mark.slow
# Of torch itself, about what its compiler looks at.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize("name", ["fnn", "cnn", "lstm"])
def test_torch_compile(name: str, digits: Digits) -> None:
    net = zoo.create_model(name, **SIZES[name])
    compiled = torch.compile(net)
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
    x = digits.x[:200, None] if name == "cnn" else digits.x[:200]
    losses = []
    for _ in range(25):
        loss = F.cross_entropy(first(compiled(x)), digits.y[:200])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    assert losses[-1] < 0.5 * losses[0]
    with torch.no_grad():
        torch.testing.assert_close(
            first(compiled.eval()(x)), first(net.eval()(x)), rtol=1e-4, atol=1e-4
        )


SIZES: dict[str, dict[str, Any]] = {
    "fnn": {"in_features": 64, "out_features": 10},
    "cnn": {"in_shape": (1, 8, 8), "out_features": 10},
    "lstm": {
        "in_features": 8,
        "out_features": 10,
        "readout": "last",
        "embedding": None,
        "embedding_std": 1.0,
    },
}


def first(output: Any) -> Tensor:
    return output if isinstance(output, Tensor) else output[0]


SCRIPT = """
import torch
import torch.distributed as dist
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

import zoo
from zoo.models import LSTM

dist.init_process_group("gloo")
torch.manual_seed(0)
x, y = load_digits(return_X_y=True)
x, y = torch.tensor(x / 16, dtype=torch.float32).reshape(-1, 8, 8), torch.tensor(y)
train = TensorDataset(x[:800], y[:800])
sampler = DistributedSampler(train)

net = LSTM(in_features=8, out_features=10, hidden_size=32)
model = DistributedDataParallel(net)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
for epoch in range(10):
    sampler.set_epoch(epoch)
    for images, classes in DataLoader(train, batch_size=25, sampler=sampler):
        optimizer.zero_grad()
        F.cross_entropy(model(images).output, classes).backward()
        optimizer.step()

everyone = [torch.empty_like(net.head.weight) for _ in range(dist.get_world_size())]
dist.all_gather(everyone, net.head.weight.detach())
if dist.get_rank() == 0:
    zoo.save(net, "net")
    right = zoo.load("net")(x[800:1200]).output.argmax(1) == y[800:1200]
    print("result", right.float().mean().item(), torch.equal(*everyone), flush=True)
dist.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes(call: Callable[..., Any], tmp_path: Path) -> None:
    if not torch.distributed.is_available():
        pytest.skip("this torch has no distributed package")
    (tmp_path / "script.py").write_text(SCRIPT)
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone")
    done = call(*torchrun, "script.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    [line] = [line for line in done.stdout.splitlines() if line.startswith("result ")]
    _, reached, same = line.split()
    assert float(reached) > 0.75 and same == "True"
