"""Feed-forward networks: weighted sums, biases and activations, layer upon layer."""

from collections.abc import Sequence

from torch import Tensor, nn

from zoo.models.layers import (
    activation_layer,
    check_layers,
    check_size,
    check_sizes,
    dropout_layers,
    initialise,
    norm_layers,
    stages_of,
)
from zoo.models.net import Net


class FNN(Net):
    """A feed-forward network: flatten, hidden layers, one linear head.

    A hidden layer computes h = f(W x + b), with an optional norm between the sum and the activation
    f and an optional dropout after it. All biases start at zero (Rumelhart, Hinton & Williams
    1986, "Learning representations by back-propagating errors").

    Args:
        in_features: size of one flattened input.
        out_features: size of one output.
        hidden: width of each hidden layer; empty makes a linear model.
        activation: identity, sigmoid, tanh, relu, leaky_relu, elu, selu, gelu or silu.
        norm: "batch", "layer" or None.
        dropout: probability of dropping a hidden unit (alpha dropout for selu).
        bias: whether layers add a bias; a batch norm brings its own.
        init: normal, uniform, xavier, kaiming, lecun, orthogonal or zeros, scaled to suit the
            activation (see `zoo.models.layers.initialise`).
        init_std: standard deviation of the weights for init="normal".

    Shapes:
        x (B, ...) -> (B, out_features), where ... flattens to in_features
        features: x -> (B, hidden[-1]), or without hidden layers (B, in_features)

    Raises:
        ValueError: an argument is out of range, or x does not flatten to in_features.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        hidden: Sequence[int] = (256, 256),
        activation: str = "relu",
        norm: str | None = None,
        dropout: float = 0.0,
        bias: bool = True,
        init: str = "kaiming",
        init_std: float = 0.01,
    ) -> None:
        check_size("in_features", in_features)
        check_size("out_features", out_features)
        check_sizes("hidden", hidden)
        check_layers(activation, norm, dropout, init, init_std)
        super().__init__()
        self.in_features = in_features
        layers: list[nn.Module] = []
        width = in_features
        for size in hidden:
            # A batch norm subtracts whatever bias comes before it.
            linear = nn.Linear(width, size, bias=bias and norm != "batch")
            layers += [
                initialise(linear, init, activation=activation, std=init_std),
                *norm_layers(norm, size, dims=0),
                activation_layer(activation),
                *dropout_layers(dropout, activation),
            ]
            width = size
        self.layers = nn.Sequential(*layers)
        self.head = initialise(nn.Linear(width, out_features, bias=bias), init, std=init_std)

    def stages(self) -> dict[str, nn.Module]:
        """hidden1, hidden2, …, head."""
        return {**stages_of(self.layers, (nn.Linear,), "hidden"), "head": self.head}

    def features(self, x: Tensor) -> Tensor:
        """The last hidden layer of a batch, whose samples may have any shape of in_features."""
        if x.ndim < 2 or x.shape[1:].numel() != self.in_features:
            raise ValueError(
                f"`x` must be of shape (B, ...) with {self.in_features} features a sample "
                f"(`in_features`), got {x.shape[1:].numel()} in {tuple(x.shape)}"
            )
        x = x.flatten(1)  # (B, in_features)
        return self.layers(x)  # (B, hidden[-1])

    def forward(self, x: Tensor) -> Tensor:
        """Compute the outputs of a batch, whose samples may have any shape of in_features."""
        x = self.features(x)  # (B, hidden[-1])
        return self.head(x)  # (B, out_features)
