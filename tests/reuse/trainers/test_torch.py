"""A net of the zoo in a training of plain torch: each test is an example to copy.

Nothing here knows the zoo's own way to train: `zoo.models` and torch are all that is taken along.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import zoo
from zoo.models import FNN, GRU, LSTM, Autoencoder


def test_a_plain_loop(digits: Any) -> None:
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
    assert digits.accuracy(net.eval()(digits.test_x).output) > 0.7


@pytest.mark.slow
def test_a_net_in_a_net_of_ones_own(digits: Any) -> None:
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

    assert digits.accuracy(net(digits.test_x)) > 0.75


@pytest.mark.slow
def test_an_optimizer_that_asks_for_the_loss(digits: Any) -> None:
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


@pytest.mark.slow
# Of torch itself, about what its compiler looks at.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize("name", ["fnn", "cnn", "lstm"])
def test_torch_compile(name: str, digits: Any) -> None:
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
