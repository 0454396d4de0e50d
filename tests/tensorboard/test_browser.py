"""What a person sees in TensorBoard, through Chromium."""

import json
import os
import select
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.xdist_group("tensorboard")]

# All text on the page, that of custom elements and frames included.
TEXT = """
(function read(node) {
  if (node.nodeType === Node.TEXT_NODE) return node.textContent;
  if (node.nodeName === 'IFRAME') node = node.contentDocument?.body ?? document.createElement('p');
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

    def open(self, address: str) -> None:
        """Load a page from nothing."""
        for url in ("about:blank", address):
            self.call("Page.navigate", url=url)

    def close(self) -> None:
        """End the process and the pipes."""
        self.process.kill()
        self.process.wait(timeout=300)
        os.close(self.out)
        os.close(self.answers)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if not CHROMIUM.is_file():
        pytest.skip(f"there is no {CHROMIUM}")
    window = Browser(tmp_path_factory.mktemp("profile"))
    yield window
    window.close()


@pytest.fixture
def shows(browser: Browser, address: str, deadline: Callable[..., Any]) -> Callable[..., None]:
    """A function (tab, *words) that fails when the tab does not show all words within a minute."""

    def look(tab: str, *words: str) -> None:
        browser.open(f"{address}/#{tab}")
        for _ in deadline(300, pause=0.2):
            text = browser.run(TEXT) or ""
            if all(word in text for word in words):
                break

    return look


def test_time_series_show_the_curves_of_all_runs(
    shows: Callable[..., None], families: tuple[str, ...]
) -> None:
    runs = [f"model={family}," for family in families]
    shows("timeseries", *runs, "baseline", "/accuracy")


def test_scalars_show_each_stage(shows: Callable[..., None]) -> None:
    shows("scalars", "train", "val", "test", "best", "lr")


def test_hparams_table_shows_every_family(
    shows: Callable[..., None], families: tuple[str, ...]
) -> None:
    columns = ("model.net.hidden_size", "model.net.channels", "model.net.latent", "loss")
    metrics = ("test/accuracy", "test/squared_error", "best/loss")
    shows("hparams", *families, *columns, *metrics, "cross_entropy")


def test_custom_scalars_show_both_losses(shows: Callable[..., None]) -> None:
    words = ("training and validation", "loss", "accuracy", "squared_error", "penalties")
    # Each of five runs has two losses to draw.
    shows("custom_scalars", *words, "Matches (10)")


# The widths of all pictures that runs have logged and the page has loaded.
WIDTHS = """
(function find(node) {
  const inside = [...(node.shadowRoot ? node.shadowRoot.children : []), ...node.children];
  const own = node.tagName === 'IMG' && node.src.includes('individualImage');
  return [...(own ? [node.naturalWidth] : []), ...inside.flatMap(find)];
})(document.body)
"""


def test_images_show_what_there_is_of_each_family(
    browser: Browser,
    shows: Callable[..., None],
    families: tuple[str, ...],
    deadline: Callable[..., Any],
) -> None:
    tags = ("classification/confusion", "classification/mistakes", "code/scatter")
    shows("images", *(f"model={family}," for family in families), *tags, "layers", "memory")
    for _ in deadline(300, pause=0.5):
        widths = browser.run(WIDTHS) or []
        if widths and min(widths) >= 150:
            break


def test_precision_and_recall_have_their_tab(shows: Callable[..., None]) -> None:
    shows("pr_curves", "model=fnn,", "precision_recall")


def test_projector_shows_the_codes(shows: Callable[..., None]) -> None:
    shows("projector", "180x8", "Label by")
