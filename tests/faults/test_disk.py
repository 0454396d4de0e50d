"""A disk that fails: one sentence, and what was saved before is as it was. TensorBoard may fail."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zoo.checkpoint import read

pytestmark = pytest.mark.slow

# What fails at which checkpoint: the file that is named, and why.
ENDS = {
    "full at last.ckpt": (5, "run/checkpoints/last.ckpt: No space left on device, at step 10"),
    "full at best.ckpt": (4, "run/checkpoints/last.ckpt: No space left on device, at step 8"),
    "full at metrics.json": (12, "run/metrics.json: No space left on device, at step 24"),
    "full at config.yaml": (1, "run/config.yaml: No space left on device, before the first step"),
    "read-only folder": (5, "run/checkpoints/last.ckpt: Permission denied, at step 10"),
}
GONE = {
    "removed checkpoints": "nothing was saved yet; begin again with: zoo-train resume=run",
    "removed folder": "its folder was removed, and all that was saved with it; start it anew",
}
LAST = Path("run", "checkpoints", "last.ckpt")


@pytest.mark.parametrize("fault", ENDS)
def test_run_ends_with_a_sentence_and_goes_on_when_that_is_mended(
    fault: str,
    server: Any,
    uninterrupted: Any,
    tiny: tuple[str, ...],
    tmp_path: Path,
    survived: Counter[str],
) -> None:
    number, expected = ENDS[fault]
    (tmp_path / "run").mkdir()
    words = (*tiny, "hydra.run.dir=run")
    code, output = server.whole(tmp_path, *words, typed=True, fault=(fault, number))
    last = output.splitlines()[-1]
    assert (code, "Traceback" in output) == (1, False), output
    assert last.startswith(f"zoo-train: {expected}; ")
    (tmp_path / "run" / "checkpoints").exists() and (tmp_path / "run" / "checkpoints").chmod(0o755)
    if "config" in fault:
        assert not (tmp_path / "run").exists()  # nothing came of it
        words = (*tiny, "hydra.run.dir=run")
    else:
        assert last.endswith("; continue with: zoo-train resume=run")
        assert read(tmp_path / LAST)["epoch"] + 1 == (12 if "metrics" in fault else number - 1)
        words = ("resume=run",)
    code, output = server.whole(tmp_path, *words, typed=True)
    assert code == 0, output
    uninterrupted.was_lived_again(tmp_path / "run")
    survived["disk faults"] += 1


@pytest.mark.parametrize("fault", GONE)
def test_folder_that_was_removed_is_said_to_be(
    fault: str, server: Any, tiny: tuple[str, ...], tmp_path: Path, survived: Counter[str]
) -> None:
    words = (*tiny, "hydra.run.dir=run")
    code, output = server.whole(tmp_path, *words, typed=True, fault=(fault, 4))
    assert (code, "Traceback" in output) == (1, False), output
    last = output.splitlines()[-1]
    missing = "run/checkpoints/last.ckpt: No such file or directory, at step 8"
    assert last == f"zoo-train: {missing}; {GONE[fault]}"
    survived["disk faults"] += 1


@pytest.mark.parametrize(
    ("fault", "number"), [("full at events", 20), ("broken disk at events", 1), ("no events", 1)]
)
def test_training_does_without_tensorboard(
    fault: str,
    number: int,
    server: Any,
    uninterrupted: Any,
    metrics_of: Callable[[Path], Any],
    tiny: tuple[str, ...],
    tmp_path: Path,
    survived: Counter[str],
) -> None:
    words = (*tiny, "hydra.run.dir=run")
    code, output = server.whole(tmp_path, *words, typed=True, fault=(fault, number))
    assert (code, "Traceback" in output) == (0, False), output
    assert output.count("TensorBoard gets no more of this run: ") == 1
    assert metrics_of(tmp_path / "run") == uninterrupted.metrics
    survived["disk faults"] += 1
    shutil.rmtree(tmp_path / "run")
