"""What is wrong with a command that Hydra refused, in one sentence with a remedy."""

from __future__ import annotations

import sys
from typing import Any

import hydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException
from omegaconf import OmegaConf

from zoo.config import conf_dir, suggest

SWEEPS = ("seeds", "jobs", "search", "trials", "retry")  # keys of conf/sweep.yaml
# Launchers of Hydra's, and the extra that brings them.
LAUNCHERS = {
    "hydra/launcher/submitit_slurm": "slurm",
    "hydra/launcher/submitit_local": "slurm",
    "hydra/launcher/ray": "ray",
}


def sentence(error: BaseException, name: str) -> str:
    """What went wrong and what would do, for the person who typed the command.

    Args:
        error: what Hydra raised.
        name: of the main config, `conf/<name>.yaml`.
    """
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, choice = error.missing_cfg_file.partition("/")
        if error.missing_cfg_file in LAUNCHERS:
            extra = LAUNCHERS[error.missing_cfg_file]
            return f"hydra/{choice} is not installed: pip install 'neural-zoo[{extra}]'"
        choices = sorted({*(error.options or ()), *choices_of(group)})  # a person's own, and ours
        return f"there is no {group} {choice!r}{suggest(choice, choices)}"
    if isinstance(error, OSError) and error.filename:
        return f"cannot write {error.filename}: {error.strerror}; choose another hydra.run.dir"
    if text.startswith("Ambiguous value"):
        return f"{text}; several values need -m, a list needs brackets"
    return unreadable_word() or of_sweeps(name) or unknown_key(name) or text


def choices_of(group: str) -> list[str]:
    """The files of a group, those in its folders too."""
    folder = conf_dir() / group
    return sorted(
        path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.yaml")
    )


def of_sweeps(name: str) -> str | None:
    """The first word that zoo-train does not know, but zoo-sweep does."""
    for word in sys.argv[1:]:
        if name == "train" and word.partition("=")[0] in SWEEPS:
            return f"{word!r} is for sweeps: zoo-sweep {' '.join(sys.argv[1:])}"
    return None


def unreadable_word() -> str | None:
    """The first word of the command that is no override."""
    for word in sys.argv[1:]:
        if word.startswith("-"):
            continue
        if "=" not in word.removeprefix("~") and choices_of(word):
            return f"{word!r} lacks a choice: {word}={choices_of(word)[0]}, say"
        try:
            parsed(word)
        except (HydraException, ValueError) as error:
            text = str(error).splitlines()[0]
            return f"cannot read {word!r} as key=value ({text})"
    return None


def unknown_key(name: str) -> str | None:
    """The first override that the config has no key for, and the keys that it does have."""
    words = [word for word in sys.argv[1:] if "=" in word and not word.startswith("-")]
    overrides = [parsed(word) for word in words]
    groups = [path.name for path in conf_dir().iterdir() if path.is_dir()]
    chosen = [str(o.input_line).split(",")[0] for o in overrides if o.key_or_group in groups]
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        try:
            cfg = hydra.compose(name, chosen)
        except HydraException:
            return None
    for override in overrides:
        key = override.key_or_group
        skip = override.is_add() or override.is_force_add() or key.startswith("hydra")
        complaint = None if skip or key in groups else missing_part(cfg, key)
        if complaint:
            return f"{complaint[0]} (in {override.input_line!r}){complaint[1]}"
    return None


def missing_part(cfg: Any, key: str) -> tuple[str, str] | None:
    """Where a dotted key leaves the config: what is not there, and what would do."""
    node, parts = cfg, key.split(".")
    for depth, part in enumerate(parts):
        if not OmegaConf.is_dict(node) or part not in node.keys():
            parent = ".".join(parts[:depth])
            if part in choices_of(parent.replace(".", "/") or "."):
                return f"`{parent}` has no {part!r} yet", f"; choose it with {parent}={part}"
            where = f"`{parent}` has" if parent else "there is"
            known = [k for k in node if not str(k).startswith("_")] if node else []
            return f"{where} no key {part!r}", suggest(part, known)
        node = None if OmegaConf.is_missing(node, part) else node[part]
    return None


def parsed(word: str) -> Override:
    """One override, read as Hydra reads it."""
    return OverridesParser.create().parse_override(word)
