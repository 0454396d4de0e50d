"""Two processes on one machine: one run, and numbers that do not depend on how many there were."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

pytestmark = pytest.mark.slow

TWO = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2")


@pytest.fixture
def ddp(zoo: Callable[..., Any], tmp_path: Path) -> Any:
    if not torch.distributed.is_available():
        pytest.skip("this torch has no distributed package")
    return zoo("train", *TWO, "data=digits", "trainer.max_epochs=2", timeout=240)


def test_two_processes_make_one_run(
    ddp: Any, zoo: Callable[..., Any], composed: Callable[..., Any], tmp_path: Path
) -> None:
    assert ddp.returncode == 0, ddp.stderr
    assert "Traceback" not in ddp.stderr
    assert ddp.stdout.count("fnn on digits, seed 0") == 1
    assert len(re.findall(r"^look ", ddp.stdout, flags=re.MULTILINE)) == 1
    [folder] = (tmp_path / "runs" / "digits" / "fnn").iterdir()
    assert [path.name for path in (tmp_path / "runs").rglob("metrics.json")] == ["metrics.json"]
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == [
        "best.ckpt",
        "last.ckpt",
    ]
    hosts = {path.name.split(".")[-2] for path in folder.glob("events.*")}
    assert len(hosts) == 1  # one process writes events

    row = json.loads((folder / "metrics.json").read_text())
    alone = zoo("evaluate", f"checkpoint={folder}")
    assert alone.returncode == 0, alone.stderr
    from zoo.evaluate import evaluate

    numbers = evaluate(composed(f"checkpoint={folder}", "trainer=cpu", name="evaluate"))
    assert numbers["test/accuracy"] == row["test/accuracy"]
    assert numbers["test/loss"] == pytest.approx(row["test/loss"], rel=1e-5)
    best = evaluate(composed(f"checkpoint={folder}", "split=val", "trainer=cpu", name="evaluate"))
    assert best["val/loss"] == pytest.approx(row["best/loss"], rel=1e-5)
    assert f"{numbers['test/accuracy']:.4g}" in alone.stdout


def test_two_processes_do_not_sweep(zoo: Callable[..., Any]) -> None:
    # The second process would run the whole sweep again.
    done = zoo("train", "-m", *TWO, "seed=0,1", "debug=fast")
    assert done.returncode == 1
    assert "ddp" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
