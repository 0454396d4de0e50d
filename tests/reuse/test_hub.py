"""The Hugging Face Hub, spoken to for real: its client against a server on this machine.

Nothing is patched but where the client finds the Hub: each request goes over HTTP and is answered
in the words of huggingface.co, its errors included.
"""

import base64
import hashlib
import http.server
import json
import re
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

import zoo
from zoo.assembly import CheckpointError
from zoo.models import FNN, LSTM

pytest.importorskip("huggingface_hub", reason="pip install 'neural-zoo[hub]'")
import huggingface_hub.constants as settings  # noqa: E402

# Of huggingface_hub itself, about how it calls what sends its requests.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
TOKEN = "hf_of_these_tests"
Files = dict[str, bytes]


class Hub:
    """What the server keeps: the files of each commit of each repository."""

    def __init__(self) -> None:
        self.commits: dict[str, dict[str, Files]] = {}  # name -> commit -> files
        self.refs: dict[str, dict[str, str]] = {}  # name -> branch or tag -> commit
        self.large: dict[str, bytes] = {}  # sha256 -> content, of Git LFS
        self.private: set[str] = set()
        self.gated: set[str] = set()
        self.messages: list[str] = []  # of commits
        self.requests: list[str] = []

    def create(self, name: str, files: Files | None = None) -> str:
        self.commits.setdefault(name, {})
        self.refs.setdefault(name, {})
        return self.commit(name, files or {})

    def commit(self, name: str, files: Files) -> str:
        commit = hashlib.sha1(f"{name} {len(self.commits[name])}".encode()).hexdigest()
        self.commits[name][commit] = {**self.files(name), **files}
        self.refs[name]["main"] = commit
        return commit

    def files(self, name: str, revision: str = "main") -> Files:
        commit = self.refs[name].get(revision, revision)
        return self.commits[name].get(commit, {})


class Answers(http.server.BaseHTTPRequestHandler):
    """The few answers that fetching and pushing a model takes."""

    hub: ClassVar[Hub]
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Be quiet."""

    def answer(self, content: Any, status: int = 200, **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refused(self, name: str, revision: str = "main") -> bool:
        """Answer as the Hub does if that model is not for everybody."""
        known = f"Bearer {TOKEN}" == self.headers.get("Authorization")
        if name in self.hub.gated:
            self.answer({"error": f"Access to {name} is gated"}, 403, X_Error_Code="GatedRepo")
        elif name not in self.hub.commits or (name in self.hub.private and not known):
            self.answer({"error": "Repository not found"}, 401, X_Error_Code="RepoNotFound")
        elif not self.hub.files(name, revision):
            self.answer({"error": "Invalid rev id"}, 404, X_Error_Code="RevisionNotFound")
        else:
            return False
        return True

    def do_GET(self) -> None:  # noqa: N802
        path = self.path.partition("?")[0]
        self.hub.requests.append(f"{self.command} {path}")
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            name, revision = found[1], found[2] or "main"
            if not self.refused(name, revision):
                commit = self.hub.refs[name].get(revision, revision)
                self.answer({"id": name, "sha": commit, "siblings": [], "private": False})
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/(\w+)", path):
            if not self.refused(found[1], found[2]):
                self.answer(
                    [
                        {"type": "file", "path": key, "size": len(value), "oid": git_id(value)}
                        for key, value in self.hub.files(found[1], found[2]).items()
                    ]
                )
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/(\w+)/(.+)", path):
            if not self.refused(found[1], found[2]):
                content = self.hub.files(found[1], found[2])[found[3]]
                self.answer(content, X_Repo_Commit=found[2], ETag=f'"{git_id(content)}"')
        else:
            self.answer({"error": f"no such page {path}"}, 404)

    do_HEAD = do_GET

    def do_POST(self) -> None:  # noqa: N802
        path = self.path.partition("?")[0]
        self.hub.requests.append(f"{self.command} {path}")
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if f"Bearer {TOKEN}" != self.headers.get("Authorization"):
            self.answer({"error": "Invalid username or password."}, 401)
        elif path == "/api/validate-yaml":
            self.answer({"errors": [], "warnings": []})
        elif path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            known = name in self.hub.commits
            if not known:
                self.hub.create(name, {".gitattributes": b"*.safetensors filter=lfs\n"})
                if asked.get("visibility") == "private" or asked.get("private"):
                    self.hub.private.add(name)
            self.answer({"url": f"{settings.ENDPOINT}/{name}"}, 409 if known else 200)
        elif found := re.fullmatch(r"/api/models/(.+)/preupload/main", path):
            modes = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular",
                    "shouldIgnore": False,
                }
                for file in json.loads(body)["files"]
            ]
            self.answer({"files": modes})
        elif path.endswith(".git/info/lfs/objects/batch"):
            objects = [
                {
                    **entry,
                    "actions": {"upload": {"href": f"{settings.ENDPOINT}/lfs/{entry['oid']}"}},
                }
                for entry in json.loads(body)["objects"]
            ]
            self.answer({"transfer": "basic", "objects": objects})
        elif found := re.fullmatch(r"/api/models/(.+)/commit/main", path):
            self.answer(self.committed(found[1], body))
        else:
            self.answer({"error": f"no such page {path}"}, 404)

    def committed(self, name: str, body: bytes) -> dict[str, Any]:
        files = {}
        for entry in map(json.loads, body.splitlines()):
            value = entry["value"]
            if entry["key"] == "header":
                self.hub.messages.append(value["summary"])
            elif entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            else:
                assert entry["key"] == "lfsFile"
                files[value["path"]] = self.hub.large[value["oid"]]
        commit = self.hub.commit(name, files)
        url = f"{settings.ENDPOINT}/{name}/commit/{commit}"
        return {"commitUrl": url, "commitOid": commit, "success": True}

    def do_PUT(self) -> None:  # noqa: N802
        self.hub.requests.append(f"{self.command} {self.path}")
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            content = b""
            while size := int(self.rfile.readline(), 16):
                content += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            content = self.rfile.read(int(self.headers["Content-Length"]))
        assert hashlib.sha256(content).hexdigest() == self.path.removeprefix("/lfs/")
        self.hub.large[self.path.removeprefix("/lfs/")] = content
        self.answer({})


def git_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A Hub of one's own, for which this computer is logged in, and an empty cache."""
    Answers.hub = Hub()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(settings, "ENDPOINT", address)
    monkeypatch.setattr(settings, "HUGGINGFACE_CO_URL_TEMPLATE", address + URL)
    monkeypatch.setattr(settings, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(settings, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(settings, "HF_HUB_DISABLE_PROGRESS_BARS", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield Answers.hub
    server.shutdown()
    server.server_close()
    thread.join()
    huggingface_hub_close()


URL = "/{repo_id}/resolve/{revision}/{filename}"


def huggingface_hub_close() -> None:
    """Let go of connections to a server that is no more."""
    from huggingface_hub.utils import _http

    _http.close_session()


def net_of(seed: int = 0) -> FNN:
    torch.manual_seed(seed)
    return FNN(3, 2, hidden=[4]).eval()


def written(net: torch.nn.Module, folder: Path) -> Files:
    """The files of a model folder."""
    zoo.save(net, folder)
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def refused(address: str, *words: str) -> None:
    """One sentence that names the address."""
    with pytest.raises(CheckpointError) as caught:
        zoo.load(address)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 400
    for word in (address.removeprefix("hf://").partition("@")[0].split("/")[0], *words):
        assert word in message, message


def test_a_net_is_pushed_and_loaded_by_its_address(hub: Hub) -> None:
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
def test_the_card_is_what_the_hub_shows(hub: Hub) -> None:
    zoo.push_to_hub(net_of(), "me/net", card={"license": "cc-by-4.0", "data": "iris"})
    card = hub.files("me/net")["README.md"].decode()
    assert 'library_name: neural-zoo\nlicense: "cc-by-4.0"\n' in card
    assert 'net = zoo.load("hf://me/net")' in card
    assert "trained on: iris" in card


@pytest.mark.slow
def test_a_pushed_model_is_replaced_and_older_ones_stay(hub: Hub) -> None:
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
def test_a_private_model_needs_the_login(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_only_the_files_of_a_model_are_fetched(hub: Hub, tmp_path: Path) -> None:
    files = written(net_of(), tmp_path / "net")
    hub.create(
        "me/net", {**files, "pytorch_model.bin": b"x" * 1000, "setup.py": b"1/0", "a/b": b""}
    )
    zoo.load("hf://me/net")
    fetched = {path.name for path in (tmp_path / "cache").rglob("snapshots/*/*")}
    assert fetched == {"config.json", "model.safetensors", "README.md"}


def test_a_copy_is_loaded_where_there_is_no_connection(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
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
def test_a_copy_is_not_fetched_again(hub: Hub) -> None:
    zoo.push_to_hub(net_of(), "me/net")
    zoo.load("hf://me/net")
    hub.requests.clear()
    zoo.load("hf://me/net")
    assert [request.split("/")[1] for request in hub.requests] == ["api"]  # is it still the newest?


@pytest.mark.slow
def test_half_a_copy_is_none(hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    zoo.push_to_hub(net_of(), "me/net")
    zoo.load("hf://me/net")
    for file in (tmp_path / "cache").rglob("snapshots/*/model.safetensors"):
        file.unlink()
    monkeypatch.setattr(settings, "HF_HUB_OFFLINE", True)
    refused("hf://me/net", "no whole copy")


def test_a_hub_that_is_down(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "ENDPOINT", "http://127.0.0.1:9")  # where nobody listens
    refused("hf://me/net", "not reached")
    with pytest.raises(CheckpointError, match="hf://me/net cannot be written: .*refused"):
        zoo.push_to_hub(net_of(), "me/net")


def test_what_the_hub_does_not_have_or_give(hub: Hub) -> None:
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
def test_what_is_no_address(hub: Hub, address: str) -> None:
    with pytest.raises(CheckpointError, match="no address such as hf://owner/name"):
        zoo.load(address)
    assert hub.requests == []


@pytest.mark.parametrize("name", ["net", "me/net/x", "me/../net", "hf://me/net", "", "me/net@main"])
def test_what_is_no_name(hub: Hub, name: str) -> None:
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
def test_models_of_somebody_else(hub: Hub, files: Files, words: tuple[str, ...]) -> None:
    hub.create("google/bert", files)
    refused("hf://google/bert", *words)


@pytest.mark.slow
def test_nothing_less_than_all_weights_is_loaded(hub: Hub, tmp_path: Path) -> None:
    from safetensors.torch import load, save

    files = written(net_of(), tmp_path / "net")
    config = json.loads(files["config.json"])
    del config["weights_sha256"]  # as of before there was one
    files["config.json"] = json.dumps(config).encode()
    weights = load(files["model.safetensors"])
    del weights["head.bias"]
    hub.create("me/net", {**files, "model.safetensors": save(weights)})
    refused("hf://me/net", "head.bias is missing")
    weights["head.bias"], weights["more"] = torch.zeros(2), torch.zeros(1)
    hub.commit("me/net", {"model.safetensors": save(weights)})
    refused("hf://me/net", "'more' is not of this net")


@pytest.mark.slow
def test_a_config_cannot_choose_what_is_imported(hub: Hub, tmp_path: Path) -> None:
    files = written(net_of(), tmp_path / "net")
    config = json.loads(files["config.json"])
    for key, value in (("net", "os.system"), ("net", "torch.hub.load"), ("auto_map", {"x": "y"})):
        changed = {**config, key: value, "_target_": "os.system"}
        hub.create("me/net", {**files, "config.json": json.dumps(changed).encode()})
        if key == "net":
            refused("hf://me/net", f"{value!r} that is not one of zoo.models")
        else:
            assert type(zoo.load("hf://me/net")) is FNN  # keys that nobody reads do nothing


def test_without_the_package_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    sentence = r"need huggingface_hub: pip install 'neural-zoo\[hub\]'$"
    with pytest.raises(CheckpointError, match=sentence):
        zoo.load("hf://me/net")
    with pytest.raises(CheckpointError, match=sentence):
        zoo.push_to_hub(net_of(), "me/net")


@pytest.mark.slow
def test_another_process_finds_the_copy(hub: Hub, call: Callable[..., Any], tmp_path: Path) -> None:
    """With the Hub's own variables of the environment, and with neither address nor login."""
    zoo.push_to_hub(net_of(), "me/net")
    code = "import zoo; print(zoo.load('hf://me/net').head.weight.tolist())"
    cache = {"HF_HUB_CACHE": settings.HF_HUB_CACHE, "HF_TOKEN": None, "HF_HUB_DISABLE_XET": "1"}
    for where in ({"HF_ENDPOINT": settings.ENDPOINT}, {"HF_HUB_OFFLINE": "1"}):
        done = call(sys.executable, "-c", code, cwd=tmp_path, **cache, **where)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == str(net_of().head.weight.tolist())
