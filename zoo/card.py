"""The card of a model: what it is, how to load it, what it reaches, where it comes from."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

PLACE = "this/folder"  # to be loaded from, as long as nobody knows where it will be
# What is known of a training, in the order in which it is told; all of it may be absent.
LINES = {
    "data": "trained on",
    "data_sha256": "SHA-256 of the data",
    "command": "trained by",
    "seed": "seed",
    "epochs": "epochs",
    "versions": "with",
    "data_license": "licence of the data",
}


def model_card(net: nn.Module, config: Mapping[str, Any]) -> str:
    """The card as Markdown, with the header that the Hugging Face Hub reads.

    Args:
        net: the net.
        config: what `config.json` holds: "net", "arguments", "zoo" and "card" (any of the keys of
            `LINES`, "name", "license" and "metrics").
    """
    card, kind = config["card"], config["net"]
    summary = (type(net).__doc__ or "").strip().partition("\n")[0]  # none under python -OO
    count = sum(p.numel() for p in net.parameters())
    license_ = [f"license: {json.dumps(card['license'])}"] if "license" in card else []
    lines = [
        *("---", "library_name: neural-zoo", *license_),
        f"tags: [pytorch, neural-zoo, {kind.lower()}]",
        *("---", "", f"# {one_line(card.get('name', kind))}", "", summary, ""),
        f"`zoo.models.{kind}`, {count:,} parameters, saved by neural-zoo {config['zoo']}.",
        *("", "```python", "import zoo", ""),
        f'net = zoo.load("{PLACE}")  # a plain nn.Module in eval mode',
        f'answer = zoo.load("{PLACE}", with_preprocessing=True)  # from raw input',
        *("```", ""),
    ]
    metrics = card.get("metrics")
    if isinstance(metrics, Mapping) and metrics:
        lines += ["| metric | value |", "| --- | ---: |"]
        lines += [f"| {one_line(key)} | {rounded(value)} |" for key, value in metrics.items()]
        lines.append("")
    lines += [f"- {words}: {line(card[key])}" for key, words in LINES.items() if key in card]
    return "\n".join(lines).rstrip() + "\n"


def line(value: Any) -> str:
    """One fact of a card."""
    if isinstance(value, Mapping):
        return one_line(", ".join(f"{key} {entry}" for key, entry in value.items()))
    text = one_line(value)
    return f"`{text}`" if isinstance(value, str) and " " in text else text


def one_line(value: Any) -> str:
    """Words without line breaks: a card is put together of what others wrote."""
    return " ".join(str(value).split())


def rounded(value: Any) -> str:
    """A number as people read it."""
    return f"{value:.6g}" if isinstance(value, (int, float)) else one_line(value)


def card_of_run(folder: Path, config: Mapping[str, Any], epoch: int | None) -> dict[str, Any]:
    """What a run folder knows: its data, seed, versions and results.

    Args:
        folder: of the run.
        config: of the run.
        epoch: of the checkpoint, from 0; results are told if the run has tested that epoch.
    """
    import torch

    import zoo

    choices = config.get("choices")
    choices = choices if isinstance(choices, Mapping) else {}
    card: dict[str, Any] = {
        "name": " on ".join(str(choices[key]) for key in ("model", "data") if key in choices)
        or None,
        "data": choices.get("data"),
        "seed": config.get("seed"),
        "versions": {"neural-zoo": zoo.__version__, "torch": torch.__version__},
    }
    found = results(folder / "metrics.json")
    best = found.pop("best/epoch", None)
    if epoch is not None and best == epoch:
        # Its "val/" is the last epoch's.
        card["metrics"] = {
            key.replace("best/", "val/"): value
            for key, value in found.items()
            if key.startswith(("test/", "best/"))
            and isinstance(value, (int, float))
            and math.isfinite(value)
        }
        card["epochs"] = epoch + 1
    return {key: value for key, value in card.items() if value is not None}


def results(file: Path) -> dict[str, Any]:
    """What a run wrote of its results; nothing if that cannot be read, as a net loads without."""
    if not file.is_file():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
