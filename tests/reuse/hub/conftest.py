"""A Hugging Face Hub on this machine, that its client speaks to for real.

Nothing is patched but where the client finds the Hub: each request goes over HTTP and is answered
in the words of huggingface.co, its errors included.
"""

import base64
import hashlib
import http.server
import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

import zoo
from zoo.assembly import CheckpointError
from zoo.models import FNN

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

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

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
            self.answer({"url": f"{self.address}/{name}"}, 409 if known else 200)
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
                    "actions": {"upload": {"href": f"{self.address}/lfs/{entry['oid']}"}},
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
        url = f"{self.address}/{name}/commit/{commit}"
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
    settings = pytest.importorskip("huggingface_hub.constants")
    from huggingface_hub.utils import _http

    Answers.hub = Hub()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(settings, "ENDPOINT", address)
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(settings, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(settings, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(settings, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(settings, "HF_HUB_DISABLE_PROGRESS_BARS", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield Answers.hub
    server.shutdown()
    server.server_close()
    thread.join()
    _http.close_session()  # lets go of connections to a server that is no more


@pytest.fixture(scope="session")
def net_of() -> Callable[..., FNN]:
    """A function (seed=0) -> a small net, another for each seed."""

    def make(seed: int = 0) -> FNN:
        torch.manual_seed(seed)
        return FNN(3, 2, hidden=[4]).eval()

    return make


@pytest.fixture
def written(net_of: Callable[..., FNN], tmp_path: Path) -> Files:
    """The files of a model folder."""
    folder = zoo.save(net_of(), tmp_path / "net")
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture(scope="session")
def refused() -> Callable[..., None]:
    """A function (address, *words) that checks for one sentence, which names the address."""

    def load(address: str, *words: str) -> None:
        with pytest.raises(CheckpointError) as caught:
            zoo.load(address)
        message = str(caught.value)
        assert "\n" not in message and len(message) < 400
        for word in (address.removeprefix("hf://").partition("@")[0].split("/")[0], *words):
            assert word in message, message

    return load
