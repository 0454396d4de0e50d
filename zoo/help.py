"""The help of a command, read from `conf/` as it lies there.

Hydra would compose the config first and lists every group twice: three times as long.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

from omegaconf import OmegaConf

from zoo.config import conf_dir

HELP = {"-h", "--help"}


def help_alone(words: Sequence[str]) -> bool:
    """Whether nothing but help is asked for; beside other words, Hydra answers."""
    return bool(words) and set(words) <= HELP


def help_text(name: str) -> str:
    """What Hydra would say of the command `conf/<name>.yaml`, word for word."""
    config: Any = OmegaConf.to_container(OmegaConf.load(conf_dir() / f"{name}.yaml"))
    text = config["hydra"]["help"]
    template = text["template"].replace("${hydra.help.header}", text["header"])
    return string.Template(template).substitute(APP_CONFIG_GROUPS=groups())


def groups() -> str:
    """A line for each folder of `conf/`, with what can be chosen from it."""
    choices: dict[str, list[str]] = {}
    for path in conf_dir().glob("*/**/*.yaml"):
        if path.is_relative_to(conf_dir() / "hydra"):
            continue  # Hydra lists its own groups elsewhere
        choices.setdefault(path.parent.relative_to(conf_dir()).as_posix(), []).append(path.stem)
    return "".join(f"{group}: {', '.join(sorted(choices[group]))}\n" for group in sorted(choices))
