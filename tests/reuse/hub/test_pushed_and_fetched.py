"""Nets that are pushed to the Hub, fetched from it, and kept in its cache."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import zoo
from zoo.assembly import CheckpointError
from zoo.models import FNN, LSTM

pytest.importorskip("huggingface_hub", reason="pip install 'neural-zoo[hub]'")
import huggingface_hub.constants as settings  # noqa: E402

# Of huggingface_hub itself, about how it calls what sends its requests.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


def test_a_net_is_pushed_and_loaded_by_its_address(hub: Any) -> None:
    net = LSTM(3, 2, hidden_size=4)
    address = zoo.push_to_hub(net, "me/little-lstm", card={"license": "mit"})
    assert address == "hf://me/little-lstm"
    same = zoo.load(address)
    x = torch.randn(2, 5, 3)
    torch.testing.assert_close(same(x), net.eval()(x), rtol=0, atol=0)
    assert not same.training and same.arguments == net.arguments
    assert hub.messages == ["Model of the neural-zoo"]
    # The weights went the way of large files, by Git LFS.
    assert any(request.startswith("PUT /lfs/") for request in hub.requests)


@pytest.mark.slow
def test_the_card_is_what_the_hub_shows(hub: Any, net_of: Callable[..., Any]) -> None:
    zoo.push_to_hub(net_of(), "me/net", card={"license": "cc-by-4.0", "data": "iris"})
    card = hub.files("me/net")["README.md"].decode()
    assert 'library_name: neural-zoo\nlicense: "cc-by-4.0"\n' in card
    assert 'net = zoo.load("hf://me/net")' in card
    assert "trained on: iris" in card


@pytest.mark.slow
def test_a_pushed_model_is_replaced_and_older_ones_stay(
    hub: Any, net_of: Callable[..., Any]
) -> None:
    first, second = net_of(0), net_of(1)
    zoo.push_to_hub(first, "me/net")
    commit = hub.refs["me/net"]["main"]
    zoo.push_to_hub(second, "me/net", message="Trained longer")
    x = torch.randn(2, 3)
    torch.testing.assert_close(zoo.load("hf://me/net")(x), second(x), rtol=0, atol=0)
    torch.testing.assert_close(zoo.load(f"hf://me/net@{commit}")(x), first(x), rtol=0, atol=0)
    hub.refs["me/net"]["v1.0"] = commit
    torch.testing.assert_close(zoo.load("hf://me/net@v1.0")(x), first(x), rtol=0, atol=0)
    assert hub.messages[1] == "Trained longer"


@pytest.mark.slow
def test_a_private_model_needs_the_login(
    hub: Any,
    monkeypatch: pytest.MonkeyPatch,
    net_of: Callable[..., Any],
    refused: Callable[..., None],
) -> None:
    zoo.push_to_hub(net_of(), "me/secret", private=True)
    assert hub.private == {"me/secret"}
    assert isinstance(zoo.load("hf://me/secret"), FNN)
    hub.create("you/secret")
    hub.private.add("you/secret")
    monkeypatch.setenv("HF_TOKEN", "of somebody else")
    refused("hf://you/secret", "not logged in")
    with pytest.raises(CheckpointError, match="hf://me/more cannot be written: "):
        zoo.push_to_hub(net_of(), "me/more")


@pytest.mark.slow
def test_only_the_files_of_a_model_are_fetched(
    hub: Any, tmp_path: Path, written: dict[str, bytes]
) -> None:
    hub.create(
        "me/net", {**written, "pytorch_model.bin": b"x" * 1000, "setup.py": b"1/0", "a/b": b""}
    )
    zoo.load("hf://me/net")
    fetched = {path.name for path in (tmp_path / "cache").rglob("snapshots/*/*")}
    assert fetched == {"config.json", "model.safetensors", "README.md"}


def test_a_copy_is_loaded_where_there_is_no_connection(
    hub: Any,
    monkeypatch: pytest.MonkeyPatch,
    net_of: Callable[..., Any],
    refused: Callable[..., None],
) -> None:
    net = net_of()
    zoo.push_to_hub(net, "me/net")
    zoo.load("hf://me/net")
    hub.requests.clear()
    monkeypatch.setattr(settings, "HF_HUB_OFFLINE", True)
    x = torch.randn(2, 3)
    torch.testing.assert_close(zoo.load("hf://me/net")(x), net(x), rtol=0, atol=0)
    assert hub.requests == []
    refused("hf://me/another", "not reached", "no whole copy")


@pytest.mark.slow
def test_a_copy_is_not_fetched_again(hub: Any, net_of: Callable[..., Any]) -> None:
    zoo.push_to_hub(net_of(), "me/net")
    zoo.load("hf://me/net")
    hub.requests.clear()
    zoo.load("hf://me/net")
    assert [request.split("/")[1] for request in hub.requests] == ["api"]  # is it still the newest?


@pytest.mark.slow
def test_half_a_copy_is_none(
    hub: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    net_of: Callable[..., Any],
    refused: Callable[..., None],
) -> None:
    zoo.push_to_hub(net_of(), "me/net")
    zoo.load("hf://me/net")
    for file in (tmp_path / "cache").rglob("snapshots/*/model.safetensors"):
        file.unlink()
    monkeypatch.setattr(settings, "HF_HUB_OFFLINE", True)
    refused("hf://me/net", "no whole copy")


@pytest.mark.slow
def test_another_process_finds_the_copy(
    hub: Any, call: Callable[..., Any], tmp_path: Path, net_of: Callable[..., Any]
) -> None:
    """With the Hub's own variables of the environment, and with neither address nor login."""
    zoo.push_to_hub(net_of(), "me/net")
    code = "import zoo; print(zoo.load('hf://me/net').head.weight.tolist())"
    cache = {"HF_HUB_CACHE": settings.HF_HUB_CACHE, "HF_TOKEN": None, "HF_HUB_DISABLE_XET": "1"}
    for where in ({"HF_ENDPOINT": settings.ENDPOINT}, {"HF_HUB_OFFLINE": "1"}):
        done = call(sys.executable, "-c", code, cwd=tmp_path, **cache, **where)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == str(net_of().head.weight.tolist())
