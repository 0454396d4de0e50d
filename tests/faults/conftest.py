"""Runs that are killed, stopped and starved, by the hundred."""

import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from zoo.checkpoint import read

# Tiny, so that most of the time goes into saving: two steps an epoch.
TINY = (
    *("data=iris", "data.batch_size=64", "model.net.hidden=[8]", "model.net.dropout=0.3"),
    *("trainer.max_epochs=12", "trainer.log_every_n_steps=1", "callbacks.summary.graph=false"),
)


class Server:
    """Starts runs in the children of a process that has imported everything."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("server.py"))],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._line()

    def begin(self, folder: Path, *words: str, **more: Any) -> int:
        """Start `zoo-train` in a folder; its process id."""
        folder.mkdir(parents=True, exist_ok=True)
        assert self.process.stdin is not None
        request = {"folder": str(folder), "words": words, **more}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return int(self._line())

    def end(self) -> int:
        """Wait for the run; its exit code, or minus the signal that killed it."""
        return int(self._line())

    def whole(self, folder: Path, *words: str, **more: Any) -> tuple[int, str]:
        """A run from its beginning to its end: exit code and output."""
        self.begin(folder, *words, **more)
        code, output = self.end(), folder / "output"
        return code, output.read_text() if output.exists() else ""

    def close(self) -> None:
        self.process.communicate(timeout=300)

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the server has died"
        return line.strip()


@pytest.fixture(scope="session")
def server(environment: Callable[..., dict[str, str]]) -> Iterator[Server]:
    server = Server(environment())
    yield server
    server.close()


def without_cost(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if not name.startswith("cost/")}


def read_metrics(path: Path) -> dict[str, Any]:
    return without_cost(json.loads((path / "metrics.json").read_text()))


@pytest.fixture(scope="session")
def metrics_of() -> Callable[[Path], dict[str, Any]]:
    """A function (path) -> the numbers that the run there has reached."""
    return read_metrics


class Trained:
    """What a run folder holds, so that two of them compare."""

    def __init__(self, path: Path) -> None:
        self.weights = {
            (name, key): value.tolist()
            for name in ("last.ckpt", "best.ckpt")
            for key, value in read(path / "checkpoints" / name)["state_dict"].items()
        }
        self.metrics = read_metrics(path)
        events = EventAccumulator(str(path), size_guidance={"scalars": 0}).Reload()
        self.curves = {
            tag: [(event.step, event.value) for event in events.Scalars(tag)]
            for tag in events.Tags()["scalars"]
        }
        self.curves = without_cost(self.curves)
        for tag in self.curves:  # a test that was killed is done again, at the same step
            if tag.startswith(("test/", "best/", "baseline/")):
                self.curves[tag] = sorted(set(self.curves[tag]))
        self.times = [event.wall_time for event in events.Scalars("lr")]


@pytest.fixture(scope="session")
def tiny() -> tuple[str, ...]:
    return TINY


class Uninterrupted(Trained):
    """A run that nothing happened to, and how long it took."""

    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__(path)
        self.path = path
        self.seconds = seconds

    def was_lived_again(self, path: Path) -> Trained:
        """Hold another run against this one, all that it learned and logged; nothing half-done."""
        other = Trained(path)
        assert other.weights == self.weights
        assert other.metrics == self.metrics
        assert other.curves == self.curves
        assert not list(path.glob("checkpoints/.*"))
        return other


@pytest.fixture(scope="session")
def uninterrupted(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Uninterrupted:
    folder, start = tmp_path_factory.mktemp("whole"), time.monotonic()
    code, output = server.whole(folder, *TINY)
    assert code == 0, output
    return Uninterrupted(folder / "run", time.monotonic() - start)


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """The same throws at each run of a test."""
    return random.Random(request.node.nodeid)


# --- what was survived -----------------------------------------------------------------------


@pytest.fixture
def survived() -> Counter[str]:
    """Counts what a test inflicts; the sums are told at the end."""
    return Counter()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: Any, call: Any) -> Iterator[None]:
    report = yield
    if call.when == "call" and "survived" in item.fixturenames:
        report.user_properties.append(("survived", dict(item.funcargs["survived"])))
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    total: Counter[str] = Counter()
    for report in terminalreporter.stats.get("passed", []):
        total.update(dict(report.user_properties).get("survived", {}))
    failed = terminalreporter.stats.get("failed", [])
    lost = sum("survived" in dict(report.user_properties) for report in failed)
    if total or lost:
        kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(total.items()))
        terminalreporter.write_line(f"survived: {kinds}; tests in which something was lost: {lost}")
