"""`zoo-predict` as a person types it, through Hydra and the shell."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.slow
def test_the_command(
    zoo: Callable[..., Any],
    call: Callable[..., Any],
    model: Callable[[str], str],
    tmp_path: Path,
) -> None:
    (tmp_path / "a=b, c.csv").write_text("size,colour\n1,red\n2,blue\n")
    done = zoo("prediction", f"checkpoint={model('table')}", "input=a=b, c.csv")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line[:7] for line in done.stdout.splitlines()] == ["row,lab", "1,small", "2,small"]

    typed = ('prompt="a, b: {c} ${d}"', "length=5", "seed=1")
    done = zoo("prediction", f"checkpoint={model('language')}", *typed)
    assert (done.returncode, done.stdout[:17]) == (0, '"a, b: {c} ${d}" '[:16] + done.stdout[16])

    for words, message in (
        ([], "zoo-predict: name what predicts"),
        (["chekpoint=x"], "did you mean 'checkpoint'?"),
        ([f"checkpoint={model('table')}", "input=nowhere"], "zoo-predict: there is no input nowh"),
    ):
        done = zoo("prediction", *words)
        assert (done.returncode, done.stdout) == (1, "")
        assert message in done.stderr and len(done.stderr.splitlines()) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["a=b, c.csv"]

    code = "import subprocess, sys; from zoo.prediction import main; main()"
    (tmp_path / "many.csv").write_text("size,colour\n" + "1,red\n" * 20_000)
    command = f"{sys.executable} -c '{code}' checkpoint={model('table')} input=many.csv | head -2"
    done = call("bash", "-c", f"set -o pipefail; {command}", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
