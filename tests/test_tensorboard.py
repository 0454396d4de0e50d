"""The curves and tables of five families, as TensorBoard itself serves them."""

import json
import os
import re
import select
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml

ROOT = Path(__file__).parent.parent
CHROMIUM = Path("/usr/bin/chromium")
FAMILIES = ("fnn", "cnn", "rnn", "lstm", "autoencoder")
# One process writes the runs, another serves them: far more than a test's usual second.
pytestmark = pytest.mark.slow

ENV = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    "OMP_NUM_THREADS": "1",
}


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of five runs."""
    folder = tmp_path_factory.mktemp("sweep")
    words = [f"model={','.join(FAMILIES)}", "trainer.max_epochs=3", "regularization=l2"]
    short = ["trainer.limit_train_batches=5", "trainer.log_every_n_steps=1"]
    done = subprocess.run(
        [sys.executable, "-m", "zoo.train", "-m", "hydra.sweep.dir=runs", *words, *short],
        cwd=folder,
        env=ENV,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return folder / "runs"


@pytest.fixture(scope="module")
def address(sweep: Path) -> Iterator[str]:
    """A TensorBoard that has read all five runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", "--logdir", str(sweep), "--port", str(port)]
        + ["--host", "127.0.0.1", "--load_fast", "false", "--reload_interval", "1"],
        env={key: value for key, value in ENV.items() if "proxy" not in key.lower()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 90
        while not loaded(url):
            assert time.monotonic() < end and server.poll() is None, "TensorBoard did not load"
            time.sleep(0.2)
        yield url
    finally:
        server.terminate()
        server.wait(timeout=30)


def loaded(url: str) -> bool:
    try:
        tags = ask(url, "/data/plugin/scalars/tags")
    except OSError:
        return False
    return len(tags) == len(FAMILIES) and all("best/loss" in found for found in tags.values())


def ask(url: str, path: str, body: dict[str, Any] | None = None, **query: str) -> Any:
    """The JSON that TensorBoard answers."""
    data = None if body is None else json.dumps(body).encode()
    kind = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}{path}?{urlencode(query)}", data, kind)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def columns(address: str) -> dict[str, dict[str, Any]]:
    """The hyperparameters of the HPARAMS tab by name."""
    experiment = ask(address, "/data/plugin/hparams/experiment", {"hparamsLimit": 0})
    return {info["name"]: info for info in experiment["hparamInfos"]}


@pytest.fixture(scope="module")
def rows(address: str, columns: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The runs of the HPARAMS tab by model: hyperparameters and metrics."""
    experiment = ask(address, "/data/plugin/hparams/experiment", {"hparamsLimit": 0})
    request = {
        "colParams": [
            *({"hparam": name, "includeInResult": True} for name in columns),
            *({"metric": info["name"]} for info in experiment["metricInfos"]),
        ],
        "allowedStatuses": ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"],
        "startIndex": 0,
        "sliceSize": 100,
        "includeMetrics": True,
    }
    groups = ask(address, "/data/plugin/hparams/session_groups", request)["sessionGroups"]
    found = {}
    for group in groups:
        [session] = group["sessions"]
        metrics = {
            value["name"]["tag"]: value["value"]
            for value in session["metricValues"]
            if not value["name"].get("group")
        }
        found[group["hparams"]["model"]] = {
            "hparams": group["hparams"],
            "metrics": metrics,
            "status": session["status"],
        }
    return found


def configs(sweep: Path) -> dict[str, dict[str, Any]]:
    runs = [yaml.safe_load(file.read_text()) for file in sweep.glob("*/config.yaml")]
    return {config["choices"]["model"]: config for config in runs}


def leaves(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        name = f"{path}.{key}".lstrip(".")
        if isinstance(value, dict):
            yield from leaves(value, name)
        else:
            yield name, value


def test_all_five_runs_are_rows(rows: dict[str, Any]) -> None:
    assert set(rows) == set(FAMILIES)
    assert {row["status"] for row in rows.values()} == {"STATUS_SUCCESS"}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_hyperparameter_of_every_family(
    family: str, rows: dict[str, Any], columns: dict[str, Any], sweep: Path
) -> None:
    config = configs(sweep)[family]
    shown = rows[family]["hparams"]
    parts = ("model", "data", "loss", "optimizer", "scheduler", "regularization", "monitor")
    chosen = {part: config[part] for part in parts} | {"seed": config["seed"]}
    expected = {
        name: value
        for name, value in leaves(chosen)
        if value is not None and not name.rpartition(".")[2].startswith("_")
    }
    assert len([name for name in expected if name.startswith("model.net.")]) >= 8
    assert set(expected) <= set(shown)
    assert set(expected) <= set(columns)
    for name, value in expected.items():
        if isinstance(value, list):
            assert shown[name] == ", ".join(str(item) for item in value)
        else:
            assert shown[name] == value, name
    assert shown["trainer.max_epochs"] == 3
    assert shown["optimizer"] == "adamw"


@pytest.mark.parametrize("family", FAMILIES)
def test_every_final_metric_of_every_family(family: str, rows: dict[str, Any], sweep: Path) -> None:
    [folder] = [f.parent for f in sweep.glob("*/metrics.json") if f"model={family}," in str(f)]
    final = json.loads((folder / "metrics.json").read_text())
    numbers = {name: value for name, value in final.items() if "/" in name}
    assert {"train/loss", "val/loss", "test/loss", "best/loss"} < set(numbers)
    shown = rows[family]["metrics"]
    assert set(numbers) <= set(shown)
    assert {name: shown[name] for name in numbers} == pytest.approx(numbers, rel=1e-6)


def test_values_have_one_type_and_say_something(
    columns: dict[str, Any], rows: dict[str, Any]
) -> None:
    kinds = {"DATA_TYPE_STRING": str, "DATA_TYPE_FLOAT64": (int, float), "DATA_TYPE_BOOL": bool}
    for name, info in columns.items():
        values = [row["hparams"][name] for row in rows.values() if name in row["hparams"]]
        assert values
        for value in values:
            assert isinstance(value, kinds[info["type"]]), name
            assert not isinstance(value, str) or (
                value not in ("", "None", "nan") and "${" not in value and "???" not in value
            ), name
    assert columns["model.net.dropout"]["type"] == "DATA_TYPE_FLOAT64"
    assert columns["model.net.hidden_size"]["type"] == "DATA_TYPE_FLOAT64"
    assert columns["model.net.bias"]["type"] == "DATA_TYPE_BOOL"
    assert columns["model.net.activation"]["type"] == "DATA_TYPE_STRING"
    # Where a run lies, or what follows from its data, is nobody's hyperparameter.
    assert not [name for name in columns if "dir" in name or "folder" in name]


def test_values_to_filter_by(columns: dict[str, Any]) -> None:
    assert sorted(columns["model"]["domainDiscrete"]) == sorted(FAMILIES)


def test_training_and_validation_share_a_chart(address: str) -> None:
    layout = ask(address, "/data/plugin/custom_scalars/layout")
    tags = set().union(*ask(address, "/data/plugin/scalars/tags").values())
    drawn = [
        # TensorBoard reads each entry as a regular expression that a tag must begin with.
        {tag for tag in tags for pattern in chart["multiline"]["tag"] if re.match(pattern, tag)}
        for part in layout["category"]
        for chart in part["chart"]
    ]
    # The layouts of all runs are joined: the metrics of classifiers and of autoencoders are there.
    for name in ("loss", "accuracy", "squared_error"):
        assert {f"train/{name}", f"val/{name}"} in drawn
    assert {"train/penalty/l2"} in drawn


def test_charts_have_lines(address: str, sweep: Path) -> None:
    [run] = [path.name for path in sweep.glob("*model=rnn*")]
    answer = ask(
        address, "/data/plugin/custom_scalars/scalars", tag="^(train/loss|val/loss)$", run=run
    )
    assert answer["regex_valid"]
    assert {tag: len(points) for tag, points in answer["tag_to_events"].items()} == {
        "train/loss": 3,
        "val/loss": 3,
    }


def test_graph_and_config_of_every_run(address: str, sweep: Path) -> None:
    runs = {path.name for path in sweep.iterdir() if path.is_dir()}
    graphs = ask(address, "/data/plugin/graphs/info")
    texts = ask(address, "/data/plugin/text/tags")
    assert {run for run, info in graphs.items() if info["run_graph"]} == runs
    assert {run for run, tags in texts.items() if "config/text_summary" in tags} == runs
    [lstm] = [run for run in runs if "model=lstm" in run]
    [text] = ask(address, "/data/plugin/text/text", run=lstm, tag="config/text_summary")
    assert "zoo.models.LSTM" in text["text"]


def test_no_runs_beside_the_five(address: str, sweep: Path) -> None:
    runs = ask(address, "/data/runs")
    assert sorted(runs) == sorted(path.name for path in sweep.iterdir() if path.is_dir())


# --- what a person sees ----------------------------------------------------------------------

# All text on the page, that of custom elements included.
TEXT = """
(function read(node) {
  if (node.nodeType === Node.TEXT_NODE) return node.textContent;
  if (['STYLE', 'SCRIPT', 'TEMPLATE', 'DOM-MODULE'].includes(node.nodeName)) return '';
  const inside = node.shadowRoot ? [...node.shadowRoot.childNodes] : [];
  return [...inside, ...node.childNodes].map(read).join(' ');
})(document.body)
"""


class Browser:
    """Chromium without a window, spoken to through a pair of pipes (DevTools protocol)."""

    def __init__(self, profile: Path) -> None:
        (read, self.out), (self.answers, write) = os.pipe(), os.pipe()
        quiet = ["--disable-quic", "--no-first-run", "--disable-background-networking"]
        quiet += ["--disable-component-update", "--disable-sync", "--no-proxy-server"]
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1200,800"]
        # Chromium reads commands from file 3 and answers on file 4.
        script = f'exec 5<&{read} 6>&{write}; exec 3<&5 4>&6; exec "$@"'
        self.process = subprocess.Popen(
            ["bash", "-c", script, "bash", str(CHROMIUM), *options, *quiet]
            + ["--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(read, write),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read)
        os.close(write)
        self.buffer = b""
        self.count = 0
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = {"sessionId": attached["sessionId"]}

    session: dict[str, str] = {}

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of one command."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": params, **self.session}
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self.buffer:
                ready, _, _ = select.select([self.answers], [], [], 60)
                piece = os.read(self.answers, 1 << 20) if ready else b""
                assert piece, f"no answer to {method}"
                self.buffer += piece
            line, _, self.buffer = self.buffer.partition(b"\0")
            answer = json.loads(line)
            if answer.get("id") == self.count:
                assert "error" not in answer, answer
                return answer["result"]

    def run(self, script: str) -> Any:
        """The value of an expression on the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        return answer["result"].get("value")

    def shows(self, address: str, *words: str) -> bool:
        """Whether the page shows all words within a minute."""
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=address)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if all(word in (self.run(TEXT) or "") for word in words):
                return True
            time.sleep(0.2)
        return False

    def close(self) -> None:
        """End the process and the pipes."""
        self.process.kill()
        self.process.wait(timeout=30)
        os.close(self.out)
        os.close(self.answers)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if not CHROMIUM.is_file():
        pytest.skip(f"there is no {CHROMIUM}")
    window = Browser(tmp_path_factory.mktemp("profile"))
    yield window
    window.close()


@pytest.mark.browser
def test_time_series_show_the_curves_of_all_runs(browser: Browser, address: str) -> None:
    runs = [f"model={family}," for family in FAMILIES]
    assert browser.shows(f"{address}/#timeseries", *runs, "baseline", "/accuracy")


@pytest.mark.browser
def test_scalars_show_each_stage(browser: Browser, address: str) -> None:
    assert browser.shows(f"{address}/#scalars", "train", "val", "test", "best", "lr")


@pytest.mark.browser
def test_hparams_table_shows_every_family(browser: Browser, address: str) -> None:
    columns = ("model.net.hidden_size", "model.net.channels", "model.net.latent", "loss")
    metrics = ("test/accuracy", "test/squared_error", "best/loss")
    assert browser.shows(f"{address}/#hparams", *FAMILIES, *columns, *metrics, "cross_entropy")


@pytest.mark.browser
def test_custom_scalars_show_both_losses(browser: Browser, address: str) -> None:
    words = ("training and validation", "loss", "accuracy", "squared_error", "penalties")
    # Each of five runs has two losses to draw.
    assert browser.shows(f"{address}/#custom_scalars", *words, "Matches (10)")
