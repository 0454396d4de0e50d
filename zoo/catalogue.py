"""The command `zoo-models`: every member of the zoo in a table."""

from __future__ import annotations

import argparse
import inspect
import re
from typing import Any, NamedTuple

from zoo.output import outlive_the_reader
from zoo.presets import create_model, list_models, preset_of

# Facts of the bundled digits (8 x 8 pixels, ten classes), by the view that a preset asks for.
FACTS: dict[str, dict[str, Any]] = {
    "vector": {"in_features": 64},
    "image": {"in_shape": [1, 8, 8], "in_channels": 1},
    "sequence": {"in_features": 8},
}
COMMON: dict[str, Any] = {
    "out_features": 10,
    "readout": "last",
    "embedding": None,
    "embedding_std": 1.0,
}
SAMPLES = {"vector": (1, 64), "image": (1, 1, 8, 8), "sequence": (1, 8, 8)}
READS = {"vector": "any, flattened", "image": "(C, H, W)", "sequence": "(T, F) or tokens (T)"}
ALSO_1D = "(C, H, W) or (C, T)"
FAMILIES = {
    "FNN": "fnn|linear",
    "CNN": "cnn|lenet|resnet|torchvision",
    "RNN": "i?rnn|gru",
    "LSTM": "lstm",
    "autoencoder": ".*autoencoder|.*vae",
}
PAPER = re.compile(r"(?:[A-Z][\w'-]+(?:, | & | and )?)+ \d{4}")


class Row(NamedTuple):
    """A preset, with its own settings on the digits.

    Attributes:
        name: of the preset.
        family: FNN, CNN, RNN, LSTM or autoencoder.
        net: the class in `zoo.models`.
        summary: what it is.
        reads: the shape of a sample.
        gives: what comes out.
        parameters: how many numbers are learned.
        flops: of one forward pass over one sample; a multiplication and an addition are two.
        paper: whose idea it is.
        weights: data sets of the weights that come with the package.
    """

    name: str
    family: str
    net: str
    summary: str
    reads: str
    gives: str
    parameters: int
    flops: int
    paper: str
    weights: list[str]


def rows(pattern: str = "*", *, pretrained: bool = False) -> list[Row]:
    """A row for each preset that `zoo.list_models` lists, in the order of the textbook."""
    return [row(name) for name in sorted(list_models(pattern, pretrained=pretrained), key=order)]


def order(name: str) -> tuple[int, str]:
    """Families in the order of the textbook."""
    return next(i for i, f in enumerate(FAMILIES.values()) if re.match(f, name)), name


def row(name: str) -> Row:
    """What there is to say about a preset."""
    import torch

    import zoo.models
    from zoo.cost import flops, parameters
    from zoo.pretrained import names

    preset = preset_of(name)
    face = preset["_target_"].rpartition(".")[2]
    doc = inspect.getdoc(getattr(zoo.models, face)) or ""
    view = view_of(name)
    facts: dict[str, Any] = COMMON | FACTS[view]
    net: Any = create_model(name, **{k: facts[k] for k in preset if k in facts})
    return Row(
        name=name,
        family=list(FAMILIES)[order(name)[0]],
        net=face,
        summary=doc.partition("\n")[0].rstrip("."),
        reads=ALSO_1D if "(C, T)" in doc else READS[view],
        gives="an image and its code" if hasattr(net, "decode") else "classes or values",
        parameters=parameters(net),
        flops=flops(net, torch.zeros(SAMPLES[view])),
        paper=next(iter(PAPER.findall(" ".join(doc.split()))), ""),
        weights=[full.partition("/")[2] for full in names() if full.startswith(f"{name}/")],
    )


def view_of(name: str) -> str:
    """The view that a preset asks of the data."""
    from omegaconf import OmegaConf

    from zoo.config import conf_dir

    return str(OmegaConf.load(conf_dir() / f"model/{name}.yaml").data.view)


def main() -> None:
    """The command `zoo-models`."""
    outlive_the_reader()
    parser = argparse.ArgumentParser(
        prog="zoo-models",
        description="The members of the zoo; counts are those on the 8 x 8 digits.",
    )
    parser.add_argument("pattern", nargs="?", default="*", help="of names, such as '*lstm*'")
    parser.add_argument("--pretrained", action="store_true", help="only those with weights here")
    given = parser.parse_args()
    found = rows(given.pattern, pretrained=given.pretrained)
    if not found:
        here = ", ".join(list_models(pretrained=given.pretrained)) or "none"
        raise SystemExit(f"zoo-models: no model matches {given.pattern!r}; there are: {here}")
    from rich.table import Table

    from zoo.report import wide

    table = Table()
    right = ("parameters", "FLOPs")
    heads = ("model", "family", *right, "reads", "gives", "paper", "weights")
    for head in heads:
        table.add_column(head, justify="right" if head in right else "left", overflow="fold")
    for entry in found:
        counts = (f"{entry.parameters:,}", f"{entry.flops:,}")
        texts = (entry.reads, entry.gives, entry.paper, ", ".join(entry.weights))
        table.add_row(entry.name, entry.family, *counts, *texts)
    wide().print(table)


if __name__ == "__main__":
    main()
