"""A folder for each run, one process in it, and many of them."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zoo import folders
from zoo.checkpoint import read
from zoo.config import ConfigError
from zoo.folders import alone_in, first_process, reserve
from zoo.train import train

FROZEN = "2026-11-20_12-00-00"
TWICE = ("", "-2")


def claim(folder: str, barrier: Any, names: Any) -> None:
    barrier.wait()
    names.put([reserve(Path(folder)).name for _ in range(25)])


def test_no_two_processes_reserve_one_folder(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier, names = context.Barrier(4), context.Queue()
    processes = [
        context.Process(target=claim, args=(str(tmp_path / FROZEN), barrier, names))
        for _ in range(4)
    ]
    for process in processes:
        process.start()
    found = [name for _ in processes for name in names.get(timeout=300)]
    for process in processes:
        process.join()
    assert sorted(found) == sorted([FROZEN, *(f"{FROZEN}-{i}" for i in range(2, 101))])


@pytest.mark.parametrize("variable", ["RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"])
def test_of_the_processes_of_a_run_the_first_one_reserves(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert first_process()
    monkeypatch.setenv(variable, "0")
    assert first_process()
    monkeypatch.setenv(variable, "1")
    assert not first_process()


def test_run_in_progress_is_not_continued_by_another_process(
    composed: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(composed("data=iris", "debug=fast"))
    monkeypatch.setattr(folders, "PATIENCE", 0.2)
    code = f"""
import time
from pathlib import Path
from zoo.folders import alone_in
with alone_in(Path({str(tmp_path / "run")!r})):
    print("here", flush=True)
    time.sleep(60)
"""
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert other.stdout is not None and other.stdout.readline() == b"here\n"
    before = (tmp_path / "run" / "metrics.json").stat().st_mtime_ns
    try:
        with pytest.raises(ConfigError, match="run is being trained by another process; wait"):
            train(composed(f"resume={tmp_path / 'run'}"))
        assert (tmp_path / "run" / "metrics.json").stat().st_mtime_ns == before
    finally:
        other.send_signal(signal.SIGKILL)
        other.communicate()
    train(composed(f"resume={tmp_path / 'run'}"))  # it is dead, and holds nothing
    assert not (tmp_path / "run" / ".lock").exists()


def test_folder_is_left_as_it_was_found(tmp_path: Path) -> None:
    with alone_in(tmp_path / "new"):
        assert (tmp_path / "new").is_dir()
    (tmp_path / "old").mkdir()
    with alone_in(tmp_path / "old"):
        pass
    assert list(tmp_path.rglob("*")) == [tmp_path / "old"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(ConfigError, match=f"cannot write in {tmp_path}: Permission denied"):
            with alone_in(tmp_path):
                pass
    finally:
        tmp_path.chmod(0o755)


# --- as they are typed -----------------------------------------------------------------------


@pytest.mark.slow
def test_runs_and_sweeps_of_one_second_have_folders_of_their_own(
    server: Any, tmp_path: Path, survived: Counter[str]
) -> None:
    short = ("debug=fast", "data=iris", "logger=none")
    many, typed = ("-m", *short, "seed=0,1"), (*short, "hydra.run.dir=mine")
    for words in (short, short, short, many, many, typed, typed):
        code, output = server.whole(tmp_path, *words, typed=True, clock=("noon", 0))
        assert code == 0, output
    runs = [file.parent.relative_to(tmp_path) for file in tmp_path.rglob("metrics.json")]
    names = [FROZEN, f"{FROZEN}-2", f"{FROZEN}-3"]
    jobs = [f"{seed}_data=iris,debug=fast,logger=none,seed={seed}" for seed in (0, 1)]
    assert {str(run) for run in runs} == {
        *(f"runs/iris/fnn/{name}" for name in names),
        *(f"runs/multirun/{name}/{job}" for name in names[:2] for job in jobs),
        *("mine", "mine-2"),
    }
    for run in runs:  # each holds one run, that of its own config
        saved = read(tmp_path / run / "checkpoints" / "last.ckpt")
        assert saved["zoo"]["config"]["run_dir"] == str(tmp_path / run)
    survived["runs of one second"] += len(runs)


@pytest.mark.slow
def test_a_job_of_a_sweep_does_not_take_the_folder_of_a_former_one(
    server: Any, tmp_path: Path
) -> None:
    words = ("-m", "debug=fast", "data=iris", "seed=0,1", "hydra.sweep.dir=mine")
    for _ in range(2):
        code, output = server.whole(tmp_path, *words, typed=True)
        assert code == 0, output
    jobs = [f"{seed}_data=iris,debug=fast,seed={seed}{again}" for seed in (0, 1) for again in TWICE]
    assert {run.parent.name for run in tmp_path.rglob("metrics.json")} == set(jobs)


@pytest.mark.slow
def test_a_thousand_runs_in_a_folder_do_not_matter(
    server: Any, uninterrupted: Any, call: Callable[..., Any], tmp_path: Path
) -> None:
    folder = tmp_path / "runs" / "iris" / "fnn"
    for number in range(1000):
        run = folder / (FROZEN if not number else f"{FROZEN}-{number + 1}")
        (run / "checkpoints").mkdir(parents=True)
        (run / "config.yaml").write_text("seed: 0\n")
    start = time.perf_counter()
    words = ("debug=fast", "data=iris")
    code, output = server.whole(tmp_path, *words, typed=True, clock=("noon", 0))
    assert code == 0, output
    assert f"run    runs/iris/fnn/{FROZEN}-1001" in output
    assert time.perf_counter() - start < 5 * uninterrupted.seconds + 2

    line = f"zoo-train resume=runs/iris/fnn/{FROZEN}-99"
    complete = (sys.executable, "-m", "zoo.train", "-sc", "query=bash")
    start = time.perf_counter()
    done = call(*complete, cwd=tmp_path, COMP_LINE=line, COMP_POINT=str(len(line)))
    assert done.returncode == 0
    assert time.perf_counter() - start < 10
