"""The loops of pytorch/examples (mnist, mnist_rnn, vae; 2025), recreated on noise.

Each reads images that torchvision transforms one by one, without workers, and prints its loss every
tenth step.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader

from benchmarks.common import Plan
from benchmarks.data import GREY, PerSample
from benchmarks.training import steady, unseen

EVERY = 10  # steps from one printed loss to the next


class LastStep(nn.Module):
    """What an LSTM shows at its last step."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(28, 64, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, 28, 28) or (B, 28, 28) -> (B, 64)."""
        return self.lstm(x.reshape(-1, 28, 28))[0][:, -1]


class DenseVAE(nn.Module):
    """784-400-20-400-784, with a layer each for mean and log variance."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(784, 400)
        self.mean, self.log_variance = nn.Linear(400, 20), nn.Linear(400, 20)
        self.decoder = nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """An image, and mean and log variance of the code that it was made from."""
        hidden = self.hidden(x.flatten(1)).relu()
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        code = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        return self.decoder(code).sigmoid(), mean, log_variance


def convolutional() -> nn.Module:
    """Two convolutions, max pooling and two dense layers."""
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Dropout(0.25), nn.Flatten(), nn.Linear(9216, 128), nn.ReLU()),
        *(nn.Dropout(0.5), nn.Linear(128, 10)),
    )


def recurrent() -> nn.Module:
    """An LSTM over the rows, batch norm and two dense layers."""
    return nn.Sequential(
        *(LastStep(), nn.BatchNorm1d(64), nn.Dropout(0.25), nn.Linear(64, 32), nn.ReLU()),
        *(nn.Dropout(0.5), nn.Linear(32, 10)),
    )


def log_likelihood(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Of the classes."""
    return F.nll_loss(F.log_softmax(net(x), dim=1), y)


def bound(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The negative ELBO, summed over the batch."""
    image, mean, log_variance = net(x)
    likelihood = F.binary_cross_entropy(image, x.flatten(1), reduction="sum")
    return likelihood - 0.5 * torch.sum(1 + log_variance - mean.pow(2) - log_variance.exp())


class Example(NamedTuple):
    """One of them.

    Attributes:
        name: of its folder.
        net: makes its net.
        loss: what it optimises.
        batch: samples of a step.
        optimizer: its class and learning rate.
        normalised: whether its images are.
        shuffled: whether its samples are, on a CPU.
        exact: whether it reads the loss off at every step.
    """

    name: str
    net: Callable[[], nn.Module]
    loss: Callable[[nn.Module, Tensor, Tensor], Tensor]
    batch: int
    optimizer: tuple[type[torch.optim.Optimizer], float]
    normalised: bool = True
    shuffled: bool = True
    exact: bool = False


ADADELTA, ADAM = torch.optim.Adadelta, torch.optim.Adam
MNIST = Example("mnist", convolutional, log_likelihood, 64, (ADADELTA, 1.0), shuffled=False)
MNIST_RNN = Example("mnist_rnn", recurrent, log_likelihood, 64, (ADADELTA, 0.1))
VAE = Example("vae", DenseVAE, bound, 128, (ADAM, 1e-3), normalised=False, exact=True)


def step(plan: Plan, example: Example, net: nn.Module, steps: int) -> float:
    """Seconds of a step of training."""
    moments = []
    samples = loader(example, steps)
    kind, lr = example.optimizer
    optimizer = kind(net.parameters(), lr=lr)  # type: ignore[call-arg]
    net.train()
    with unseen():
        total, batches = 0.0, iter(samples)
        for index in range(steps):
            x, y = next(batches)
            moments.append(plan.now())
            optimizer.zero_grad()
            loss = example.loss(net, x, y)
            loss.backward()
            if example.exact:
                total += loss.item()
            optimizer.step()
            if index % EVERY == 0:
                print(f"{index * example.batch}/{len(samples.dataset)}\tloss: {loss.item():.6f}")  # type: ignore[arg-type]
    return steady(moments)


def loader(example: Example, steps: int) -> DataLoader[Any]:
    """Noise as MNIST, image by image."""
    from torchvision.transforms import Normalize, ToTensor

    x = torch.randint(0, 256, (example.batch * steps, 28, 28), dtype=torch.uint8)
    scaled = [Normalize(*((value,) for value in GREY))] if example.normalised else []
    data = PerSample(x, torch.arange(len(x)) % 10, ToTensor(), *scaled)
    return DataLoader(data, batch_size=example.batch, shuffle=example.shuffled)
