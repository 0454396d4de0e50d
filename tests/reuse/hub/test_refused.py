"""What is no model of the zoo on the Hub, or cannot be had: one sentence says so."""

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch

import zoo
from zoo.assembly import CheckpointError
from zoo.models import FNN

pytest.importorskip("huggingface_hub", reason="pip install 'neural-zoo[hub]'")
import huggingface_hub.constants as settings  # noqa: E402

# Of huggingface_hub itself, about how it calls what sends its requests.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


def test_a_hub_that_is_down(
    hub: Any,
    monkeypatch: pytest.MonkeyPatch,
    net_of: Callable[..., Any],
    refused: Callable[..., None],
) -> None:
    monkeypatch.setattr(settings, "ENDPOINT", "http://127.0.0.1:9")  # where nobody listens
    refused("hf://me/net", "not reached")
    with pytest.raises(CheckpointError, match="hf://me/net cannot be written: .*refused"):
        zoo.push_to_hub(net_of(), "me/net")


def test_what_the_hub_does_not_have_or_give(hub: Any, refused: Callable[..., None]) -> None:
    refused("hf://nobody/nothing", "no such model")
    hub.create("me/net", {"config.json": b"{}"})
    refused("hf://me/net@v9", "no such branch, tag or commit")
    hub.gated.add("me/net")
    refused("hf://me/net", "grant you access")


@pytest.mark.parametrize(
    "address",
    [
        *("hf://", "hf://net", "hf://me/net/file", "hf://me/", "hf://me/net@", "hf:///net"),
        *("hf://../../etc", "hf://me/..", "hf://me/net@../../../x", "hf://me/net?x", "hf://m e/n"),
    ],
)
def test_what_is_no_address(hub: Any, address: str) -> None:
    with pytest.raises(CheckpointError, match="no address such as hf://owner/name"):
        zoo.load(address)
    assert hub.requests == []


@pytest.mark.parametrize("name", ["net", "me/net/x", "me/../net", "hf://me/net", "", "me/net@main"])
def test_what_is_no_name(hub: Any, name: str, net_of: Callable[..., Any]) -> None:
    with pytest.raises(CheckpointError, match="`name` must be like owner/name"):
        zoo.push_to_hub(net_of(), name)
    assert hub.requests == []


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"pytorch_model.bin": b"\x80\x02", "README.md": b"# BERT"}, ("has no config.json",)),
        (
            {"config.json": b'{"architectures": ["BertModel"]}', "model.safetensors": b""},
            ("no format",),
        ),
        ({"config.json": b"<!DOCTYPE html>"}, ("config.json cannot be read",)),
    ],
)
def test_models_of_somebody_else(
    hub: Any, files: dict[str, bytes], words: tuple[str, ...], refused: Callable[..., None]
) -> None:
    hub.create("google/bert", files)
    refused("hf://google/bert", *words)


@pytest.mark.slow
def test_nothing_less_than_all_weights_is_loaded(
    hub: Any, refused: Callable[..., None], written: dict[str, bytes]
) -> None:
    from safetensors.torch import load, save

    config = json.loads(written["config.json"])
    del config["weights_sha256"]  # as of before there was one
    written["config.json"] = json.dumps(config).encode()
    weights = load(written["model.safetensors"])
    del weights["head.bias"]
    hub.create("me/net", {**written, "model.safetensors": save(weights)})
    refused("hf://me/net", "head.bias is missing")
    weights["head.bias"], weights["more"] = torch.zeros(2), torch.zeros(1)
    hub.commit("me/net", {"model.safetensors": save(weights)})
    refused("hf://me/net", "'more' is not of this net")


@pytest.mark.slow
def test_a_config_cannot_choose_what_is_imported(
    hub: Any, refused: Callable[..., None], written: dict[str, bytes]
) -> None:
    config = json.loads(written["config.json"])
    for key, value in (("net", "os.system"), ("net", "torch.hub.load"), ("auto_map", {"x": "y"})):
        changed = {**config, key: value, "_target_": "os.system"}
        hub.create("me/net", {**written, "config.json": json.dumps(changed).encode()})
        if key == "net":
            refused("hf://me/net", f"{value!r} that is not one of zoo.models")
        else:
            assert type(zoo.load("hf://me/net")) is FNN  # keys that nobody reads do nothing


def test_without_the_package_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, net_of: Callable[..., Any]
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    sentence = r"need huggingface_hub: pip install 'neural-zoo\[hub\]'$"
    with pytest.raises(CheckpointError, match=sentence):
        zoo.load("hf://me/net")
    with pytest.raises(CheckpointError, match=sentence):
        zoo.push_to_hub(net_of(), "me/net")
