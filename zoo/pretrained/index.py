"""Where the bundled weights are: `weights/<model>/<data>`."""

from __future__ import annotations

from pathlib import Path

from zoo.model_folder import CONFIG

WEIGHTS = Path(__file__).parent / "weights"


def names() -> list[str]:
    """All of them, such as "lenet5/mnist"."""
    return sorted(file.parent.relative_to(WEIGHTS).as_posix() for file in WEIGHTS.rglob(CONFIG))


def folder_of(name: str) -> Path | None:
    """The folder of weights of that name; None if there are none."""
    return WEIGHTS / name if name in names() else None
