"""Train the weights that come with the package again, all or some, and write their folders.

python scripts/pretrain.py                all; needs $ZOO_DATA with (Fashion-)MNIST and Shakespeare
python scripts/pretrain.py fnn/digits gru/digits
python scripts/pretrain.py --runs kept    where the runs go; a finished one is not trained again

One process and one thread each, so that the same machine makes the same weights bit for bit.
"""

import argparse
import hashlib
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import zoo
from zoo.checkpoint import contents
from zoo.pretrained.index import WEIGHTS

# Sizes are such that all weights together stay below 8 MB.
MNIST = "data=mnist data.batch_size=128 optimizer.lr=1e-3"
RECIPES = {
    "fnn/digits": "model=fnn data=digits",
    "cnn/digits": "model=cnn data=digits",
    "rnn/digits": "model=rnn data=digits",
    "gru/digits": "model=gru data=digits",
    "lstm/digits": "model=lstm data=digits",
    "lenet5/mnist": "experiment=published/mnist_lenet5",
    "fnn/mnist": f"model=fnn {MNIST} model.net.hidden=[300,100] trainer.max_epochs=15",
    "autoencoder/mnist": f"model=autoencoder {MNIST} model.net.latent=30 "
    "model.net.hidden=[512,128] model.net.tied=true trainer.max_epochs=40",
    "vae/mnist": f"model=vae {MNIST} model.net.latent=20 model.net.hidden=[200] "
    "trainer.max_epochs=40",
    "lstm/tiny_shakespeare": "experiment=published/tiny_shakespeare",
    "lstm/adding": "experiment=adding_lstm data.length=200 trainer.max_epochs=40",
    "cnn/fashion_mnist": "experiment=published/fashion_mnist_cnn",
    "conv_autoencoder/fashion_mnist": "model=conv_autoencoder data=fashion_mnist "
    "data.batch_size=128 model.net.latent=32 model.net.channels=[16,32] trainer.max_epochs=10",
}
LICENSES = {
    "digits": "CC BY 4.0 (UCI, by way of scikit-learn)",
    "mnist": "CC BY-SA 3.0",
    "fashion_mnist": "MIT (Zalando)",
    "tiny_shakespeare": "public domain",
    "adding": "made up by a formula",
}


def trained(name: str, runs: Path) -> tuple[Path, str]:
    """The run folder of finished weights, and the command that made it."""
    folder = runs / name
    command = f"zoo-train {RECIPES[name]} pictures=none"
    if not (folder / "metrics.json").is_file():
        words = [*shlex.split(command)[1:], f"hydra.run.dir={folder}"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run([sys.executable, "-m", "zoo.train", *words], check=True, env=environment)
    return folder, command


def fingerprint(config: dict[str, Any]) -> str:
    """SHA-256 of everything that was trained, validated and tested on, as it was stored."""
    from zoo.build import make

    data = make(config)
    data.setup()
    found = hashlib.sha256()
    for split in ("train", "val", "test"):
        for part in data.splits[split]:
            if part is not None:
                found.update(part.contiguous().numpy().tobytes())
    return found.hexdigest()


def main() -> None:
    """Train what is asked for, and write the folders."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(RECIPES))
    parser.add_argument("--runs", type=Path, default=Path("runs/pretrained"))
    given = parser.parse_args()
    strange = [name for name in given.names if name not in RECIPES]
    if strange:
        parser.error(f"there is no recipe {strange[0]!r}; there are {', '.join(RECIPES)}")
    for name in given.names or RECIPES:
        folder, command = trained(name, given.runs)
        data = name.partition("/")[2]
        config = contents(folder).config
        zoo.save(
            folder,
            WEIGHTS / name,
            card={
                "name": name,
                "command": command,
                "license": "mit",
                "data_license": LICENSES[data],
                "data_sha256": fingerprint(config["data"]),
            },
        )
    total = sum(file.stat().st_size for file in WEIGHTS.rglob("*") if file.is_file())
    print(f"{WEIGHTS}: {total / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
