"""Files that are no checkpoints: one line that names the file, and nothing in them is run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch


class Bomb:
    """Unpickled, it would write a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, ("exploded", "w"))


def nothing(file: Path) -> None:
    file.write_bytes(b"")


def noise(file: Path) -> None:
    file.write_bytes(b"\x80\x04 not a checkpoint" * 50)


def foreign(file: Path) -> None:
    torch.save({"state_dict": {"w": torch.zeros(2)}, "epoch": 3}, file)


def tensor(file: Path) -> None:
    torch.save(torch.zeros(2), file)


def bomb(file: Path) -> None:
    torch.save({"zoo": {"format": 1}, "state_dict": Bomb()}, file)


def cut(file: Path) -> None:
    foreign(file)
    file.write_bytes(file.read_bytes()[:300])


def newer(file: Path) -> None:
    torch.save({"zoo": {"format": 99}, "state_dict": {}}, file)


def without_config(file: Path) -> None:
    torch.save({"zoo": {"format": 1, "net": "FNN", "arguments": {}}, "state_dict": {}}, file)


@pytest.mark.parametrize("command", ["evaluate", pytest.param("train", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "make", [nothing, noise, foreign, tensor, bomb, cut, newer, without_config]
)
def test_checkpoint_that_is_none_of_ours(
    command: str,
    make: Callable[[Path], None],
    typed: Callable[..., Any],
    tmp_path: Path,
) -> None:
    file = tmp_path / "run" / "checkpoints" / "last.ckpt"
    file.parent.mkdir(parents=True)
    make(file)
    key = {"evaluate": "checkpoint", "train": "resume"}[command]
    code, error, files = typed(command, f"{key}={file.relative_to(tmp_path)}")
    assert code == 1
    assert error.startswith(f"zoo-{command}: ") and error.count("\n") == 1
    assert "run/checkpoints/last.ckpt" in error
    assert not (tmp_path / "exploded").exists()
    assert files == {"run/checkpoints/last.ckpt"}
