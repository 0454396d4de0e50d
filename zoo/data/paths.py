"""Where files are: a relative path starts at a root, or else at the current folder."""

from pathlib import Path


def located(root: str | None, path: str | None) -> Path | None:
    """Where `path` leads from `root`, "~" being a person's home; None if there is no path.

    An absolute path leads to the same place from everywhere.
    """
    return Path(root or "").expanduser() / Path(path).expanduser() if path else None


def given(path: Path | None, what: str) -> Path:
    """The path that a person had to give.

    Raises:
        ValueError: there is none.
    """
    if path is None:
        raise ValueError(f"`path` must name {what}, got {path}; say data.path=…")
    return path


def absent(path: Path) -> FileNotFoundError:
    """The error for a file that is not there."""
    return FileNotFoundError(
        f"{path.absolute()} does not exist; correct its path, or data.root, where relative paths "
        "start (of published sets by default ZOO_DATA, else data)"
    )
