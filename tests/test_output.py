"""A command whose reader has gone does its work all the same."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize("unbuffered", [None, "1"])
def test_a_run_outlives_whoever_reads_its_output(
    unbuffered: str | None, call: Callable[..., Any], tmp_path: Path
) -> None:
    words = "data=iris debug=fast logger=none hydra.run.dir=run"
    line = f"{sys.executable} -m zoo.train {words} | head -1; exit ${{PIPESTATUS[0]}}"
    done = call("bash", "-c", line, cwd=tmp_path, PYTHONUNBUFFERED=unbuffered)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("model  fnn") and done.stdout.count("\n") == 1
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["model"] == "fnn"


def test_a_table_may_be_read_in_part(call: Callable[..., Any]) -> None:
    line = f"{sys.executable} -m zoo.catalogue | head -1; exit ${{PIPESTATUS[0]}}"
    done = call("bash", "-c", line)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
