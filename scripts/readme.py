"""Write the architecture table of the README from conf/model/ and the classes' docstrings.

python scripts/readme.py          writes it
python scripts/readme.py --check  exits with 1 if it is out of date
"""

import inspect
import re
import sys
from pathlib import Path

from omegaconf import OmegaConf

import zoo.models
from zoo.config import conf_dir
from zoo.data import Digits

README = Path(__file__).parent.parent / "README.md"
START, END = "<!-- architectures -->", "<!-- end of architectures -->"
READS = {
    "vector": "any, flattened",
    "image": "(C, H, W)",
    "sequence": "(T, F) or tokens (T)",
}
ALSO_1D = "(C, H, W) or (C, T)"


def table() -> str:
    """The table: a row for each preset, parameters counted on the digits."""
    rows = [
        "| `model=` | class | what it is | reads | parameters¹ |",
        "| --- | --- | --- | --- | ---: |",
    ]
    for file in sorted((conf_dir() / "model").glob("*.yaml"), key=lambda f: order(f.stem)):
        preset = OmegaConf.load(file)
        name = preset.model.net._target_.rpartition(".")[2]
        net = getattr(zoo.models, name)
        first = inspect.cleandoc(net.__doc__).splitlines()[0].rstrip(".")
        reads = ALSO_1D if "(C, T)" in net.__doc__ else READS[preset.data.view]
        count = parameters(file.stem, preset.data.view)
        rows.append(f"| `{file.stem}` | `{name}` | {first} | {reads} | {count:,} |")
    return "\n".join(rows)


def order(name: str) -> tuple[int, str]:
    """Families in the order of the textbook."""
    families = ("fnn|linear", "cnn|lenet|resnet", "rnn|irnn|gru", "lstm", ".*autoencoder|.*vae")
    return next(i for i, f in enumerate(families) if re.match(f, name)), name


def parameters(name: str, view: str) -> int:
    """Parameters of a preset's net on the digits."""
    digits = Digits(view=view)
    digits.setup()
    preset = OmegaConf.to_container(OmegaConf.load(conf_dir() / f"model/{name}.yaml").model.net)
    facts = digits.facts
    sizes = {key: facts[key] for key in preset if preset[key] == "???" and key in facts}
    return sum(p.numel() for p in zoo.create_model(name, **sizes).parameters())


def updated(text: str) -> str:
    """The README with the table as it must be."""
    before, rest = text.split(START)
    _, after = rest.split(END)
    return f"{before}{START}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    current = README.read_text(encoding="utf-8")
    if sys.argv[1:] == ["--check"]:
        if updated(current) != current:
            sys.exit("README.md: the architecture table is out of date; run scripts/readme.py")
    else:
        README.write_text(updated(current), encoding="utf-8")
