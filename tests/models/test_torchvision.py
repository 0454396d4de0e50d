"""Torchvision's models as members: against torchvision itself, without any download."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from zoo.models import Torchvision

NAMES = models.list_models(module=models)
SMALL = "shufflenet_v2_x0_5"
# One of each kind, the smallest that torchvision has.
KINDS = [
    *("alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "googlenet", "inception_v3"),
    *("maxvit_t", "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small", "regnet_y_400mf"),
    *("resnet18", SMALL, "swin_t", "swin_v2_t", "vgg11_bn", "vit_b_32"),
]


def theirs(name: str, out_features: int) -> nn.Module:
    plain = {"aux_logits": False, "init_weights": True}
    extra: Any = plain if name in ("googlenet", "inception_v3") else {}
    return models.get_model(name, num_classes=out_features, **extra)


def image(net: Torchvision, channels: int = 3) -> Tensor:
    side = max(net.side[0], 32)
    return torch.randn(2, channels, side, side)


@pytest.mark.parametrize(
    "name", [n if n == SMALL else pytest.param(n, marks=pytest.mark.slow) for n in KINDS]
)
def test_with_three_channels_it_is_torchvisions_own(name: str) -> None:
    torch.manual_seed(0)
    net = Torchvision(3, 5, name=name).eval()
    torch.manual_seed(0)
    other = theirs(name, 5).eval()
    x = image(net)
    with torch.no_grad():
        torch.testing.assert_close(net(x), other(x), rtol=0, atol=0)


def test_a_squeezenet_averages_before_its_head() -> None:
    torch.manual_seed(0)
    net = Torchvision(3, 5, name="squeezenet1_1").eval()
    torch.manual_seed(0)
    other: Any = theirs("squeezenet1_1", 5).eval()
    x = image(net)
    maps = other.classifier[1](other.features(x))  # of the classes, to which they apply a ReLU
    torch.testing.assert_close(net(x), maps.mean(dim=(2, 3)))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_one_of_them_without_memory(name: str) -> None:
    with torch.device("meta"):
        net = Torchvision(2, 7, name=name)
        assert all(tensor.is_meta for tensor in net.state_dict().values())
        held = [id(p) for stage in net.stages().values() for p in stage.parameters()]
        assert len(held) == len(set(held)) and set(held) == {id(p) for p in net.parameters()}
        assert len(net.stages()) >= 5
        x = image(net, 2)
        assert net.eval()(x).shape == (2, 7)
        assert net.features(x).shape == (2, net.head.in_features)
        if net.side[0] > 1:
            with pytest.raises(ValueError, match=rf"{name} reads images of .* x {net.side[0]}"):
                net(torch.empty(1, 2, net.side[0] - 1, 300))


def test_a_grey_image_is_one_of_three_equal_channels() -> None:
    torch.manual_seed(0)
    grey = Torchvision(1, 5, name=SMALL).eval()
    torch.manual_seed(0)
    colour = Torchvision(3, 5, name=SMALL).eval()
    x = torch.randn(2, 1, 16, 16)
    torch.testing.assert_close(grey(x), colour(x.expand(2, 3, 16, 16)), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("channels", [2, 4, 7])
def test_other_channels_take_the_filters_in_turn(channels: int) -> None:
    torch.manual_seed(0)
    net = Torchvision(channels, 5, name=SMALL)
    torch.manual_seed(0)
    three: Any = theirs(SMALL, 5)
    weight = net.body.conv1[0].weight
    for channel in range(channels):
        expected = three.conv1[0].weight[:, channel % 3] * 3 / channels
        torch.testing.assert_close(weight[:, channel], expected)
    assert net.eval()(torch.randn(1, channels, 8, 8)).shape == (1, 5)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (
            {"name": "resnet81"},
            "`name` must be one of torchvision's 80 .* got 'resnet81'; .*resnet18",
        ),
        ({"name": "fasterrcnn_resnet50_fpn"}, "`name` must be one of"),
        ({"name": "os.system"}, "`name` must be one of"),
        ({"in_channels": 0}, "`in_channels` must be"),
        ({"out_features": 0}, "`out_features` must be"),
        ({"weights": "IMAGENET"}, "`weights` of .* got 'IMAGENET'; did you mean 'IMAGENET1K_V1'"),
        ({"name": "vgg16", "weights": "IMAGENET1K_FEATURES"}, "got 'IMAGENET1K_FEATURES'"),
        ({"name": "vit_h_14", "weights": "DEFAULT"}, "224 x 224, but IMAGENET1K_SWAG_E2E_V1 is"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], reason: str) -> None:
    settings = {"in_channels": 3, "out_features": 5, "name": SMALL, **arguments}
    with torch.device("meta"), pytest.raises(ValueError, match=reason):
        Torchvision(settings.pop("in_channels"), settings.pop("out_features"), **settings)


def test_images_that_it_cannot_read() -> None:
    with torch.device("meta"):
        net, still = Torchvision(3, 5, name="vgg11"), Torchvision(3, 5, name="vit_b_32")
        with pytest.raises(ValueError, match="vgg11 reads images of at least 32 x 32, got 40 x 31"):
            net(torch.empty(1, 3, 40, 31))
        with pytest.raises(ValueError, match="vit_b_32 reads images of exactly 224 x 224, got 225"):
            still(torch.empty(1, 3, 225, 224))
        with pytest.raises(ValueError, match=r"`x` must be of shape \(B, 3, H, W\)"):
            net(torch.empty(1, 1, 32, 32))


# --- weights ---------------------------------------------------------------------------------


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    """What lies in torch's folder of downloads as the published weights of the small model."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    torch.manual_seed(5)
    net = theirs(SMALL, 1000)
    url = models.get_model_weights(SMALL).DEFAULT.url
    file = tmp_path / "hub" / "checkpoints" / url.rpartition("/")[2]
    file.parent.mkdir(parents=True)
    torch.save(net.state_dict(), file)
    return net.eval()


def test_published_weights_give_what_torchvision_gives(published: nn.Module) -> None:
    net = Torchvision(3, 1000, name=SMALL, weights="DEFAULT").eval()
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(net(x), published(x), rtol=0, atol=0)
    # To build it again nothing has to be fetched.
    assert net.arguments["weights"] is None
    again = Torchvision(**net.arguments)
    again.load_state_dict(net.state_dict())
    torch.testing.assert_close(again.eval()(x), net(x), rtol=0, atol=0)


def test_published_weights_below_another_head(published: Any) -> None:
    net = Torchvision(1, 5, name=SMALL, weights="IMAGENET1K_V1").eval()
    published.fc = nn.Identity()
    x = torch.randn(2, 1, 32, 32)
    expected = published(x.expand(2, 3, 32, 32))
    torch.testing.assert_close(net.features(x), expected, atol=1e-4, rtol=1e-4)
    assert net.head.weight.shape == (5, 1024)


def test_a_plan_without_memory_fetches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with torch.device("meta"):
        Torchvision(3, 5, name=SMALL, weights="DEFAULT")
    assert list(tmp_path.iterdir()) == []


def offline(*args: Any, **kwargs: Any) -> None:
    raise OSError("no route to host")


def test_weights_that_cannot_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", offline)
    reason = r"IMAGENET1K_V1 of shufflenet_v2_x0_5 .* \(no route to host\); put the file into "
    with pytest.raises(ValueError, match=reason) as refusal:
        Torchvision(3, 5, name=SMALL, weights="DEFAULT")
    assert refusal.value.__cause__ is None  # a command shows the last of the causes


class Touch:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("touched"),))


@pytest.mark.parametrize("content", ["code", "noise", "another net"])
def test_files_that_are_not_the_weights(
    content: str, published: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (file,) = (tmp_path / "hub" / "checkpoints").iterdir()
    if content == "code":
        torch.save({"conv1.0.weight": Touch()}, file)
    elif content == "noise":
        file.write_bytes(b"noise")
    else:
        torch.save(nn.Linear(2, 2).state_dict(), file)
    with pytest.raises(ValueError, match="weights IMAGENET1K_V1 of shufflenet_v2_x0_5"):
        Torchvision(3, 5, name=SMALL, weights="DEFAULT")
    assert not (tmp_path / "touched").exists()
