"""A TensorBoard that serves the runs of five families."""

import json
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

FAMILIES = ("fnn", "cnn", "rnn", "lstm", "autoencoder")


@pytest.fixture(scope="session")
def families() -> tuple[str, ...]:
    return FAMILIES


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="session")
def sweep(call: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of five runs."""
    folder = tmp_path_factory.mktemp("sweep")
    words = [f"model={','.join(FAMILIES)}", "trainer.max_epochs=3", "regularization=l2"]
    short = ["trainer.limit_train_batches=5", "trainer.log_every_n_steps=1"]
    many = [sys.executable, "-m", "zoo.train", "-m", "hydra.sweep.dir=runs"]
    done = call(*many, *words, *short, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "runs"


@pytest.fixture(scope="session")
def address(
    sweep: Path, environment: Callable[..., dict[str, str]], deadline: Callable[..., Any]
) -> Iterator[str]:
    """A TensorBoard that has read all five runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", "--logdir", str(sweep), "--port", str(port)]
        + ["--host", "127.0.0.1", "--load_fast", "false", "--reload_interval", "1"],
        env={key: value for key, value in environment().items() if "proxy" not in key.lower()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in deadline(300, pause=0.2):
            assert server.poll() is None, "TensorBoard did not start"
            if loaded(url):
                break
        yield url
    finally:
        server.terminate()
        server.wait(timeout=300)


def loaded(url: str) -> bool:
    try:
        tags = request_json(url, "/data/plugin/scalars/tags")
    except OSError:
        return False
    return len(tags) == len(FAMILIES) and all("best/loss" in found for found in tags.values())


def request_json(url: str, path: str, body: dict[str, Any] | None = None, **query: str) -> Any:
    data = json.dumps(body).encode() if body is not None else None
    kind = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}{path}?{urlencode(query)}", data, kind)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        return json.load(answer)


@pytest.fixture(scope="session")
def ask(address: str) -> Callable[..., Any]:
    """A function (path, body=None, **query) -> the JSON that TensorBoard answers."""

    def answer(path: str, body: dict[str, Any] | None = None, **query: str) -> Any:
        return request_json(address, path, body, **query)

    return answer
