"""Residual networks for small images (He, Zhang, Ren & Sun 2016, section 4.2)."""

import torch.nn.functional as F
from torch import Tensor, nn

from zoo.models.layers import check_input, check_size, initialise
from zoo.models.net import Net


def conv3x3(in_channels: int, out_channels: int, *, stride: int = 1) -> nn.Conv2d:
    """A 3x3 convolution without bias, as a batch norm always follows."""
    conv = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
    return initialise(conv, "kaiming", activation="relu")


class ResidualBlock(nn.Module):
    """Two convolutions and a shortcut around them: relu(F(x) + x).

    Where the block halves the size and widens the channels, the shortcut takes every second pixel
    and adds channels of zeros (the paper's option A), so it has no parameters.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output, not fewer than in_channels.
        stride: 1 keeps the size, 2 halves it.

    Shapes:
        x (B, in_channels, H, W) -> (B, out_channels, ceil(H / stride), ceil(W / stride))
    """

    def __init__(self, in_channels: int, out_channels: int, *, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.extra_channels = out_channels - in_channels
        self.conv1 = conv3x3(in_channels, out_channels, stride=stride)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.activation1 = nn.ReLU()
        self.conv2 = conv3x3(out_channels, out_channels)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.activation2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Add what the two convolutions make of x to x itself."""
        shortcut = x[:, :, :: self.stride, :: self.stride]
        shortcut = F.pad(shortcut, (0, 0, 0, 0, 0, self.extra_channels))
        x = self.activation1(self.norm1(self.conv1(x)))
        x = self.norm2(self.conv2(x))
        return self.activation2(x + shortcut)


class ResNet(Net):
    """The residual network for CIFAR: a convolution, three stages of blocks, global average, head.

    Each stage has n blocks of two convolutions; the second and the third halve the size and double
    the channels. With the first convolution and the head that makes 6n + 2 layers of weights
    (He 2016, "Deep residual learning for image recognition").

    Args:
        in_channels: channels of the image.
        out_features: size of one output.
        depth: 6n + 2, as 20, 32, 44, 56 or 110 in the paper.
        width: channels of the first stage.

    Shapes:
        x (B, in_channels, H, W) -> (B, out_features), for any H and W
        features: x -> (B, 4 * width)

    Raises:
        ValueError: an argument is out of range, or x has other channels.
    """

    def __init__(
        self, in_channels: int, out_features: int, *, depth: int = 20, width: int = 16
    ) -> None:
        check_size("in_channels", in_channels)
        check_size("out_features", out_features)
        check_size("depth", depth)
        if depth < 8 or depth % 6 != 2:
            raise ValueError(f"`depth` must be 6n + 2, as 20, 32, 44 or 56, got {depth}")
        check_size("width", width)
        super().__init__()
        self.in_channels = in_channels
        self.stem = nn.Sequential(conv3x3(in_channels, width), nn.BatchNorm2d(width), nn.ReLU())
        blocks: list[ResidualBlock] = []
        channels = width
        for stage in range(3):
            for _ in range((depth - 2) // 6):
                size = width * 2**stage
                blocks.append(ResidualBlock(channels, size, stride=2 if size > channels else 1))
                channels = size
        self.blocks = nn.Sequential(*blocks)
        self.head = initialise(nn.Linear(channels, out_features), "kaiming")

    def stages(self) -> dict[str, nn.Module]:
        """stem, stage1, stage2, stage3, head."""
        blocks, n = list(self.blocks), len(self.blocks) // 3
        stages = {f"stage{i + 1}": nn.Sequential(*blocks[i * n : (i + 1) * n]) for i in range(3)}
        return {"stem": self.stem, **stages, "head": self.head}

    def features(self, x: Tensor) -> Tensor:
        """The last maps of a batch of images, averaged over space."""
        check_input("x", x, self.in_channels, "H", "W")
        x = self.stem(x)  # (B, width, H, W)
        x = self.blocks(x)  # (B, 4 * width, H / 4, W / 4)
        return x.mean(dim=(2, 3))  # (B, 4 * width)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the outputs of a batch of images."""
        x = self.features(x)  # (B, 4 * width)
        return self.head(x)  # (B, out_features)
