"""Good files, to be spoilt; what each of them must be refused with; and the watch meanwhile.

Python reports what it is asked to do (PEP 578): while such a file is read, nothing is imported,
executed, connected to, or written, and neither time nor memory is spent.
"""

import json
import os
import signal
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import zoo
from zoo.assembly import CheckpointError
from zoo.models import FNN

DEEDS = ("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "pty.spawn", "ctypes.dlopen")
DEEDS += ("socket.connect", "socket.getaddrinfo", "socket.bind", "urllib.Request")
DEEDS += ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.chmod", "os.link", "os.symlink")
DEEDS += ("shutil.rmtree", "shutil.move", "shutil.copyfile", "tempfile.mkstemp", "tempfile.mkdtemp")


class Good:
    """Makes models that load, and near relatives of them, in a place of their own."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir()

    def folder(self, base: nn.Module | None = None) -> Path:
        """A folder without the checksum, as whoever does harm would leave it out."""
        folder = zoo.save(FNN(3, 2, hidden=[4]) if base is None else base, self.place / "net")
        config = json.loads((folder / "config.json").read_text())
        del config["weights_sha256"]
        (folder / "config.json").write_text(json.dumps(config))
        return folder

    def with_config(self, **changes: Any) -> Path:
        """A folder whose config says something else."""
        folder = self.folder()
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, **changes}))
        return folder

    def with_arguments(self, base: nn.Module | None = None, /, **changes: Any) -> Path:
        """A folder whose recipe has other arguments."""
        folder = self.folder(base)
        config = json.loads((folder / "config.json").read_text())
        config["arguments"] |= changes
        (folder / "config.json").write_text(json.dumps(config))
        return folder

    def with_tensors(
        self, base: nn.Module | None = None, /, **changes: torch.Tensor | None
    ) -> Path:
        """A folder with other weights."""
        folder = self.folder(base)
        tensors = {**load_file(folder / "model.safetensors"), **changes}
        kept = {key: value for key, value in tensors.items() if value is not None}
        save_file(kept, folder / "model.safetensors")
        return folder

    def checkpoint(self, state: dict[str, Any] | None = None, **changes: Any) -> Path:
        """A checkpoint whose recipe says something else, or that has another `state`."""
        net = FNN(3, 2, hidden=[4])
        recipe = {
            "format": 1,
            "net": type(net).__name__,
            "arguments": dict(net.arguments),
            "config": {"choices": {"model": "fnn", "data": "iris"}},
        }
        weights = {f"net.{key}": value for key, value in net.state_dict().items()}
        file = self.place / "net.ckpt"
        torch.save({"state_dict": weights | (state or {}), "zoo": recipe | changes}, file)
        return file

    def rezipped(
        self,
        change: Callable[[str, bytes], tuple[str, bytes]] = lambda name, content: (name, content),
        method: int = zipfile.ZIP_STORED,
        **changes: Any,
    ) -> Path:
        """A checkpoint that is an archive of other parts, or is stored in another way."""
        file = self.checkpoint(**changes)
        with zipfile.ZipFile(file) as archive:
            parts = [(name, archive.read(name)) for name in archive.namelist()]
        with zipfile.ZipFile(file, "w", method) as archive:
            for name, content in parts:
                archive.writestr(*change(name, content))
        return file


class Watch:
    """Sees what this process does, and how much memory it takes."""

    SECONDS, MEGABYTES = 20, 200  # that reading a file may take, on a busy machine too

    def __init__(self) -> None:
        self.deeds: list[str] | None = None
        # From now on Python reports; it cannot be told to stop, only not be listened to.
        sys.addaudithook(self.hear)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.deeds is None:
            return
        if event in DEEDS or event == "import":
            self.deeds.append(f"{event} {arguments[0]!r}")
        elif event == "open" and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            self.deeds.append(f"write {arguments[0]!r}")

    @contextmanager
    def observed(self, seconds: float = SECONDS) -> Iterator[list[str]]:
        """What is done meanwhile, which may not wait for ever."""

        def give_up(*_: Any) -> None:
            pytest.fail(f"it took longer than {seconds} s")

        self.deeds = deeds = []
        before = signal.signal(signal.SIGALRM, give_up)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield deeds
        finally:
            self.deeds = None
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def peak(self, reset: bool = False) -> int:
        """Bytes that this process held at most since the last reset; 0 where Linux is silent."""
        try:
            if reset:
                Path("/proc/self/clear_refs").write_text("5")
            status = Path("/proc/self/status").read_text()
        except OSError:
            return 0
        return 1024 * int(next(line for line in status.splitlines() if "VmHWM" in line).split()[1])


@pytest.fixture(scope="session")
def watch(tmp_path_factory: pytest.TempPathFactory) -> Watch:
    """The one watch of this process."""
    good = Good(tmp_path_factory.mktemp("watch") / "good")
    # These bring all modules that reading takes, the last one Python's for names in an archive.
    for path in (good.folder(), good.checkpoint(), good.rezipped()):
        zoo.load(path)
    return Watch()


@pytest.fixture
def good(tmp_path: Path) -> Good:
    """What makes good files, and near relatives of them, in `good.place`."""
    return Good(tmp_path / "hostile")


@pytest.fixture
def refused(
    watch: Watch, good: Good, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Path, str], None]:
    """A function (path, words of the sentence) that loads it, and nothing else may happen."""

    def load(path: Path, words: str) -> None:
        (tmp_path / "here").mkdir()
        monkeypatch.chdir(tmp_path / "here")
        before = sorted(tmp_path.rglob("*"))

        held = watch.peak(reset=True)
        with watch.observed() as deeds, pytest.raises(CheckpointError, match=words) as caught:
            zoo.load(path)
        assert watch.peak() - held < watch.MEGABYTES * 2**20
        message = str(caught.value)
        assert str(good.place) in message and "\n" not in message and len(message) < 1_000
        assert [deed for deed in deeds if not deed.startswith("import 'zoo.pre")] == []
        assert sorted(tmp_path.rglob("*")) == before

    return load
