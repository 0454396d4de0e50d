"""Torchvision's classification models as members, for any number of channels and classes."""

from __future__ import annotations

import pickle
import re
import sys
from contextlib import nullcontext
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from zoo.models.layers import check_input, check_size, nearest
from zoo.models.net import Net

FIXED = ("vit_", "maxvit_")  # with an embedding for each position of images of exactly one size
ANY_SIZE = ("swin_", "efficientnet_v2_")  # though torchvision says that they are only tested above
# What is made of other modules, which are stages by themselves.
CONTAINERS = ("features", "layers", "blocks", "trunk_output", "encoder", "classifier", "heads")
# Of DenseNets, as they were called when they were published.
FORMER = re.compile(r"(.*denselayer\d+\.(?:norm|conv))\.([12]\.\w+)")


class Torchvision(Net):
    """One of torchvision's classification models, for images of any number of channels.

    The auxiliary heads of GoogLeNet and Inception are left out. SqueezeNets average before their
    head and not behind it, and without a ReLU there, so that outputs can be negative.

    With other than three channels the first layer begins with the filters that it has for three:
    their sum for one channel, so that a grey image gives what it gave as three equal channels;
    else in turn, times 3 / in_channels (as in timm).

    Args:
        in_channels: channels of the image.
        out_features: size of one output.
        name: what torchvision calls it, such as "resnet18"; any of
            `torchvision.models.list_models(module=torchvision.models)`.
        weights: None draws them; "DEFAULT", or a name such as "IMAGENET1K_V1", begins with
            torchvision's own, downloaded unless they are in the folder of `torch.hub`. A head of
            another size than theirs is drawn. In `arguments` it is None afterwards: to build the
            net again, nothing has to be fetched.

    Shapes:
        x (B, in_channels, H, W) -> (B, out_features)
        features: x -> (B, F), what the model's last layer reads

    Raises:
        ValueError: an argument is out of range, the weights cannot be had, or x has other channels
            or is too small.
    """

    def __init__(
        self,
        in_channels: int,
        out_features: int,
        *,
        name: str = "resnet18",
        weights: str | None = None,
    ) -> None:
        check_size("in_channels", in_channels)
        check_size("out_features", out_features)
        super().__init__()
        self.in_channels = in_channels
        self.name = name
        self.side = side_of(name)
        body = drawn(name, out_features)
        if weights is not None:
            load_weights(body, name, weights)
            self.arguments["weights"] = None
        widen(next(m for m in body.modules() if isinstance(m, nn.Conv2d)), in_channels)
        self.head = beheaded(body)
        self.body = body

    def stages(self) -> dict[str, nn.Module]:
        """What the model consists of, by torchvision's names, and head.

        Norms and whatever has no weights are of the stage before them, embeddings of the first.
        """
        stages: dict[str, list[nn.Module]] = {}
        loose = nn.ParameterList()
        for path, module in opened(self.body, loose):
            if not stages or weighted(module):
                stages[path] = []
            next(reversed(stages.values())).append(module)
        next(iter(stages.values())).append(loose)
        return {**{path: nn.ModuleList(parts) for path, parts in stages.items()}, "head": self.head}

    def features(self, x: Tensor) -> Tensor:
        """What the head reads of a batch of images."""
        check_input("x", x, self.in_channels, "H", "W")
        self.check_image(x.shape[2], x.shape[3])
        return self.body(x)  # (B, F)

    def check_image(self, height: int, width: int) -> None:
        """Refuse images that the model cannot read.

        Raises:
            ValueError: they are too small, or not of the only size that will do.
        """
        least, most = self.side
        if min(height, width) < least or max(height, width) > most:
            wanted = (
                f"exactly {least} x {least}" if least == most else f"at least {least} x {least}"
            )
            raise ValueError(
                f"{self.name} reads images of {wanted}, got {height} x {width}; resize them, or "
                "choose another `name`"
            )

    def forward(self, x: Tensor) -> Tensor:
        """Compute the outputs of a batch of images."""
        x = self.features(x)  # (B, F)
        return self.head(x)  # (B, out_features)


def side_of(name: str) -> tuple[int, int]:
    """The least and the largest height and width of an image that a model reads.

    Raises:
        ValueError: torchvision has no such model.
    """
    from torchvision import models

    names = models.list_models(module=models)
    if name not in names:
        near = get_close_matches(str(name), names, n=5, cutoff=0)
        raise ValueError(
            f"`name` must be one of torchvision's {len(names)} classification models, got "
            f"{name!r}; such as {', '.join(near)}"
        )
    least = max(models.get_model_weights(name).DEFAULT.meta["min_size"])
    if name.startswith(FIXED):
        return 224, 224
    return (1 if name.startswith(ANY_SIZE) else least), sys.maxsize


class NumbersOnCPU(TorchFunctionMode):
    """Lets a constructor compute with small tensors although a net is built without memory."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Put what is made of numbers onto the CPU."""
        where = {"device": "cpu"} if func in (torch.arange, torch.tensor) else {}
        return func(*args, **{**(kwargs or {}), **where})


def drawn(name: str, out_features: int) -> nn.Module:
    """The model as torchvision draws it, for three channels."""
    from torchvision import models

    settings: dict[str, Any] = {}
    if name in ("googlenet", "inception_v3"):
        settings = {"aux_logits": False, "init_weights": True}
    # RegNets compute the widths of their layers with tensors.
    planned = on_meta() and name.startswith("regnet")
    with NumbersOnCPU() if planned else nullcontext():
        body: nn.Module = models.get_model(name, num_classes=out_features, **settings)
    return body.to("meta") if planned else body


def on_meta() -> bool:
    """Whether what is built now gets no memory."""
    return torch.get_default_device().type == "meta"


def load_weights(body: nn.Module, name: str, weights: str) -> None:
    """Load published weights into a model, but those of a head of another size.

    Raises:
        ValueError: there are none of that name, they are for another size of images, or they can
            neither be found nor downloaded.
    """
    from torchvision import models

    entries: Any = models.get_model_weights(name)
    whole = [entry.name for entry in entries if entry.meta["categories"]]
    if weights not in ("DEFAULT", *whole):
        raise ValueError(
            f"`weights` of {name} must be None or one of torchvision's, got {weights!r}"
            f"{nearest(weights, ['DEFAULT', *whole])}"
        )
    entry = entries[weights]
    if name.startswith(FIXED) and max(entry.meta["min_size"]) != 224:
        raise ValueError(
            f"`weights` of {name} must be for images of 224 x 224, but {entry.name} is for "
            f"{entry.meta['min_size'][0]} x {entry.meta['min_size'][1]}; choose another of "
            f"{', '.join(whole)}"
        )
    if on_meta():
        return
    try:
        progress = sys.stderr.isatty()
        state = entry.get_state_dict(
            progress=progress, check_hash=True, map_location="cpu", weights_only=True
        )
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(
            f"the weights {entry.name} of {name} cannot be had from {entry.url} ({error}); put the "
            f"file into {torch.hub.get_dir()}/checkpoints, or leave `weights` out"
        ) from None  # what the libraries say is no help to the person
    for key in [key for key in state if FORMER.fullmatch(key)]:
        state["".join(FORMER.fullmatch(key).groups())] = state.pop(key)  # type: ignore[union-attr]
    own, layers = body.state_dict(), list(weighted(body))
    for key in [key for key in state if key not in own or state[key].shape != own[key].shape]:
        del state[key]  # of a head of another size, or an auxiliary one
    for key in body.load_state_dict(state, strict=False).missing_keys:
        if key.rpartition(".")[0] != layers[-1]:
            raise ValueError(f"the file of the weights {entry.name} of {name} has no {key} to load")


def widen(convolution: nn.Conv2d, in_channels: int) -> None:
    """Let the first layer read so many channels with the filters that it has for three."""
    weight = convolution.weight.detach()
    if in_channels == 1:
        weight = weight.sum(1, keepdim=True)
    elif in_channels != 3:
        turns = [channel % 3 for channel in range(in_channels)]
        weight = weight[:, turns] * (3 / in_channels)
    convolution.in_channels = in_channels
    convolution.weight = nn.Parameter(weight)


def beheaded(body: nn.Module) -> nn.Linear:
    """Take the last layer out of a model, and leave the identity in its place."""
    path, last = list(weighted(body).items())[-1]
    parent, _, leaf = path.rpartition(".")
    above: Any = body.get_submodule(parent)
    if isinstance(last, nn.Linear):
        setattr(above, leaf, nn.Identity())
        return last
    # SqueezeNet: a convolution by 1 makes maps of the classes. A mean of them is one of features.
    dropout, _, _, average = above
    setattr(body, parent, nn.Sequential(dropout, average))
    head = nn.Linear(last.in_channels, last.out_channels)
    head.load_state_dict({"weight": last.weight.flatten(1), "bias": last.bias})
    return head


def weighted(body: nn.Module) -> dict[str, nn.Linear | nn.Conv2d]:
    """Its linear layers and convolutions by name, in their order."""
    return {p: m for p, m in body.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)}


def opened(
    module: nn.Module, loose: nn.ParameterList, path: str = ""
) -> list[tuple[str, nn.Module]]:
    """The parts of a model from its input on, in their order; parameters of none go to `loose`."""
    loose.extend(module.parameters(recurse=False))
    parts = []
    for name, child in module.named_children():
        full = f"{path}.{name}".lstrip(".")
        parts += opened(child, loose, full) if name in CONTAINERS else [(full, child)]
    return parts
