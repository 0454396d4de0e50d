"""How the commands meet a person: Hydra composes, mistakes become one sentence, exit codes tell.

Imports neither torch nor lightning, so that `--help`, `--cfg job` and tab completion answer at
once.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from zoo.config import ConfigError, conf_dir, register_resolvers, suggest

FAILED = 1
INTERRUPTED = 130  # what shells report for Ctrl-C


def command(name: str, task: Callable[[DictConfig], Any]) -> None:
    """Run `task` with the config `conf/<name>.yaml` and the overrides on the command line.

    Exit codes: 0 done; 1 a setting that cannot be used, said in one sentence; 130 stopped by
    Ctrl-C. With HYDRA_FULL_ERROR=1 mistakes keep their traceback.
    """
    register_resolvers()
    traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra hands its errors on instead of printing them

    @functools.wraps(task)
    def guarded(cfg: DictConfig) -> Any:
        try:
            return task(cfg)
        except (ConfigError, OmegaConfBaseException) as error:
            if traceback:
                raise
            discard(Path(HydraConfig.get().runtime.output_dir))
            # Not as an exception: Hydra would announce those before we can say them.
            stop(f"zoo-{name}: {error}", FAILED)
        except KeyboardInterrupt as error:
            stop(f"\n{error or 'stopped by Ctrl-C'}", INTERRUPTED)

    try:
        hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=name)(guarded)()
    except (HydraException, OmegaConfBaseException, OSError) as error:
        if traceback:
            raise
        stop(f"zoo-{name}: {sentence(error, name)}", FAILED)


def discard(folder: Path) -> None:
    """Remove the run folder that Hydra made before the config was checked, if nothing is in it."""
    here = Path.cwd()
    for path in (folder, *folder.parents):
        if path == here or not path.is_relative_to(here) or any(path.iterdir()):
            break
        path.rmdir()


def stop(message: str, code: int) -> NoReturn:
    """Say why, and end the process with that exit code."""
    print(message, file=sys.stderr)
    sys.exit(code)


def sentence(error: BaseException, name: str) -> str:
    """What went wrong and what would do, for the person who typed the command."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, choice = error.missing_cfg_file.rpartition("/")
        choices = error.options or [path.stem for path in (conf_dir() / group).glob("*.yaml")]
        return f"there is no {group} {choice!r}{suggest(choice, sorted(choices))}"
    if isinstance(error, OSError) and error.filename:
        return f"cannot write {error.filename}: {error.strerror}; choose another hydra.run.dir"
    return unknown_key(name) or f"{error}".splitlines()[0]


def unknown_key(name: str) -> str | None:
    """Name the first override that the config has no key for, and the keys it does have."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    words = [word for word in sys.argv[1:] if "=" in word and not word.startswith("-")]
    overrides = []
    for word in words:
        try:
            overrides.append(OverridesParser.create().parse_override(word))
        except HydraException as error:
            return f"cannot read {word!r}: {str(error).splitlines()[0]}"
    groups = [str(path.name) for path in conf_dir().iterdir() if path.is_dir()]
    chosen = [o.input_line for o in overrides if o.key_or_group in groups]
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        try:
            cfg = hydra.compose(name, [word.split(",")[0] for word in chosen if word])
        except HydraException:
            return None
    for override in overrides:
        key = override.key_or_group
        if override.is_add() or override.is_force_add() or key.startswith("hydra"):
            continue
        if key in groups and key in cfg:
            continue
        node: Any = cfg
        for depth, part in enumerate(key.split(".")):
            if not OmegaConf.is_dict(node) or part not in node:
                parent = ".".join(key.split(".")[:depth])
                where = f"`{parent}` has" if parent else "there is"
                known = [k for k in node if not str(k).startswith("_")] if node else []
                return f"{where} no key {part!r} (in {override.input_line!r}){suggest(part, known)}"
            node = node[part] if not OmegaConf.is_missing(node, part) else None
    return None
