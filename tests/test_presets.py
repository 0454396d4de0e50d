"""Nets by name, from the same YAML as the command."""

from pathlib import Path

import pytest
import torch
import yaml

import zoo
from zoo.config import conf_dir
from zoo.models import CNN, FNN, GRU, LSTM, VAE, Autoencoder, ResNet


def test_every_yaml_is_a_model() -> None:
    assert zoo.list_models() == sorted(path.stem for path in Path(conf_dir(), "model").iterdir())
    assert {"fnn", "cnn", "rnn", "gru", "lstm", "autoencoder", "vae"} <= set(zoo.list_models())


def test_models_by_pattern() -> None:
    assert zoo.list_models("*autoencoder") == ["autoencoder", "conv_autoencoder"]
    assert zoo.list_models("no such*") == []


def test_the_line_of_the_readme() -> None:
    net = zoo.create_model("lstm", in_features=28, out_features=10, hidden_size=64)
    assert isinstance(net, LSTM)
    assert net.recurrent.hidden_size == 64
    assert net(torch.zeros(2, 5, 28)).output.shape == (2, 10)


def test_what_is_not_given_comes_from_the_yaml() -> None:
    net = zoo.create_model("cnn", in_shape=(1, 8, 8), out_features=3)
    preset = yaml.safe_load((conf_dir() / "model/cnn.yaml").read_text())["model"]["net"]
    torch.manual_seed(0)
    ours = CNN(
        (1, 8, 8),
        3,
        **{k: v for k, v in preset.items() if k not in ("_target_", "in_shape", "out_features")},
    )
    shapes = {key: value.shape for key, value in ours.state_dict().items()}
    assert {key: value.shape for key, value in net.state_dict().items()} == shapes
    dropouts = [m.p for m in net.modules() if isinstance(m, torch.nn.Dropout)]
    assert set(dropouts) == {preset["dropout"]}


@pytest.mark.parametrize(
    ("name", "kind", "sizes"),
    [
        ("fnn", FNN, {"in_features": 4, "out_features": 2}),
        ("linear", FNN, {"in_features": 4, "out_features": 2}),
        ("gru", GRU, {"in_features": 9, "out_features": 2, "embedding": 5}),
        ("resnet", ResNet, {"in_channels": 3, "out_features": 2}),
        ("autoencoder", Autoencoder, {"in_features": 4, "latent": 2}),
        ("vae", VAE, {"in_features": 4}),
    ],
)
def test_only_what_the_data_decides_must_be_given(
    name: str, kind: type, sizes: dict[str, int]
) -> None:
    assert type(zoo.create_model(name, **sizes)) is kind


def test_the_linear_preset_is_linear() -> None:
    net = zoo.create_model("linear", in_features=4, out_features=2).double()
    x, y = torch.randn(2, 3, 4, dtype=torch.float64)
    torch.testing.assert_close(net(x) + net(y) - net(torch.zeros_like(x)), net(x + y))


def test_arguments_win_over_the_yaml() -> None:
    net = zoo.create_model("fnn", in_features=4, out_features=2, hidden=(3, 5), dropout=0.0)
    assert [p.shape[0] for name, p in net.named_parameters() if "weight" in name] == [3, 5, 2]


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"no model 'lsmt'; did you mean 'lstm'\? Choices: .*vae"):
        zoo.create_model("lsmt", in_features=3, out_features=2)


@pytest.mark.parametrize("name", ["../model/fnn", "fnn.yaml", ""])
def test_a_name_is_not_a_path(name: str) -> None:
    with pytest.raises(ValueError, match="no model"):
        zoo.create_model(name)


def test_an_unknown_argument_gets_the_nearest() -> None:
    with pytest.raises(ValueError, match="`hiden_size`; did you mean 'hidden_size'"):
        zoo.create_model("lstm", in_features=3, out_features=2, hiden_size=4)


def test_missing_sizes_are_named() -> None:
    with pytest.raises(ValueError, match=r"create_model\('fnn', in_features=…, out_features=…\)"):
        zoo.create_model("fnn")
    with pytest.raises(ValueError, match=r"create_model\('fnn', out_features=…\)"):
        zoo.create_model("fnn", in_features=3)


def test_a_value_out_of_range_is_named() -> None:
    with pytest.raises(ValueError, match="`dropout` must be"):
        zoo.create_model("fnn", in_features=3, out_features=2, dropout=2.0)


def test_the_face_offers_no_more_than_it_says() -> None:
    assert set(zoo.__all__) <= set(dir(zoo))
    with pytest.raises(AttributeError, match="no attribute 'creat_model'"):
        zoo.creat_model  # noqa: B018
