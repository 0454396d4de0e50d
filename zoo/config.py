"""Where the YAML lives, and what the commands do with a composed config."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf


class ConfigError(Exception):
    """A setting that cannot be used; the message is one sentence for the person who typed it."""


class RunError(Exception):
    """What ended a run whose settings were right; the message is one sentence, with a remedy."""


def conf_dir() -> Path:
    """The folder of the YAML files: `zoo/conf` in an installed wheel, `conf/` in a checkout."""
    package = Path(__file__).parent
    installed = package / "conf"
    return installed if installed.is_dir() else package.parent / "conf"


def suggest(word: str, choices: Iterable[object]) -> str:
    """The end of an error message: the nearest choice, then all of them."""
    names = [str(choice) for choice in choices]
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    guess = f"; did you mean {near[0]!r}?" if near else "."
    return f"{guess} Choices: {', '.join(names)}"


def register_resolvers() -> None:
    """Make `${zoo.…}` known to OmegaConf; must come before Hydra composes anything."""
    OmegaConf.register_new_resolver("zoo.run_dir", _run_dir, replace=True)
    OmegaConf.register_new_resolver("zoo.job_name", _job_name, replace=True)


def _run_dir(resume: str | None, fresh: str) -> str:
    return str(run_folder(resume)) if resume else fresh


def run_folder(path: str | Path) -> Path:
    """The run folder that `path` names: itself, or the one that holds this checkpoint file."""
    path = Path(path)
    return path.parent.parent if path.suffix == ".ckpt" else path


def _job_name(number: Any, overrides: str) -> str:
    # File systems allow 255 bytes; the number in front keeps shortened names apart.
    return f"{number}_{re.sub(r'[^A-Za-z0-9=,._+-]+', '-', overrides)}"[:150].rstrip("_,-")


def nodes(cfg: Any, path: str = "") -> Iterator[tuple[str, DictConfig]]:
    """Every node of `cfg` that names a `_target_`, with its dotted path, outermost first."""
    if isinstance(cfg, DictConfig):
        if "_target_" in cfg:
            yield path, cfg
        for key in cfg:
            if not OmegaConf.is_missing(cfg, key):
                yield from nodes(cfg[key], f"{path}.{key!s}".lstrip("."))
    elif isinstance(cfg, ListConfig):
        for index, item in enumerate(cfg):
            yield from nodes(item, f"{path}[{index}]")


def fill(cfg: DictConfig, facts: Mapping[str, Any]) -> None:
    """Fill every `???` below a `_target_` with the fact of that name, in place.

    A `???` without a fact is dropped, so that the constructor's own default counts. Sizes that only
    the data knows reach the nets, the metrics and the loss this way.
    """
    for _, node in list(nodes(cfg)):
        for key in [k for k in node if OmegaConf.is_missing(node, k)]:
            if key in facts:
                node[key] = facts[str(key)]
            else:
                OmegaConf.set_struct(node, False)
                del node[key]


def plain(cfg: DictConfig) -> dict[str, Any]:
    """The resolved config as nested dicts, lists, strings and numbers, as it is kept with a run."""
    container = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


def known_targets(*folders: Path) -> set[str]:
    """Every `_target_` that the YAML of this installation (and of further folders) names."""
    pattern = re.compile(r"^\s*_target_:\s*(\S+)", re.MULTILINE)
    return {
        target
        for folder in (conf_dir(), *folders)
        for file in folder.rglob("*.yaml")
        for target in pattern.findall(file.read_text(encoding="utf-8"))
    }


def trusted(saved: Mapping[str, Any], source: str) -> DictConfig:
    """A config that came inside a file, if everything it would import is named by our own YAML.

    Raises:
        ConfigError: the file names something else. A file must never choose what is imported.
    """
    from hydra.core.hydra_config import HydraConfig

    folders = []
    if HydraConfig.initialized():
        sources = HydraConfig.get().runtime.config_sources
        folders = [Path(s.path) for s in sources if s.schema == "file" and s.path]
    cfg, known = OmegaConf.create(dict(saved)), known_targets(*folders)
    for path, node in nodes(cfg):
        if node["_target_"] not in known:
            raise ConfigError(
                f"{source} asks for {path}._target_={node['_target_']}, which no YAML of this "
                "installation names; if it is yours, add its folder with --config-dir"
            )
    OmegaConf.set_struct(cfg, True)
    return cfg
