"""What was asked for, and whether a model can do it: mistakes before anything is read."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from typing import NamedTuple

from omegaconf import DictConfig, OmegaConf

from zoo.config import ConfigError
from zoo.predictions.rows import STDIN
from zoo.predictions.writers import STDOUT, format_of

DEVICES = ("cpu", "cuda", "mps")
TASKS = ("input", "text", "prompt", "samples")  # of which one is asked for
ARRAYS, TABLES = (".npy", ".npz"), (".csv", ".tsv")
# What each option needs, of the model or of what it is asked to do, and what it is for.
NEEDS: dict[str, tuple[Collection[str], str]] = {
    "text": ({"reads text"}, "models that read texts"),
    "column": ({"csv texts"}, "csv files of texts"),
    "invert": ({"reads image"}, "models that read images"),
    "separator": ({"csv", "csv texts"}, "csv files"),
    "names": ({"csv", "csv texts"}, "csv files"),
    "format": ({"input", "text"}, "answers to input"),
    "skip": ({"reads image", "reads table", "reads text", "reads array", "arrays"}, "many samples"),
    "prompt": ({"reads language"}, "language models"),
    "length": ({"prompt"}, "language models, beside prompt"),
    "temperature": ({"prompt"}, "language models, beside prompt"),
    "top_k": ({"gives classes", "prompt"}, "classes, and beside prompt"),
    "samples": ({"variational"}, "variational autoencoders"),
    "seed": ({"prompt", "samples"}, "what is drawn, beside prompt or samples"),
    "plot": ({"draws"}, "forecasts, images that are reconstructed, and samples of them"),
}
READS = {
    "image": "images",
    "array": "arrays of numbers",
    "table": "rows of csv files",
    "series": "series of numbers",
    "text": "texts",
    "language": "the beginning of a text",
}
GIVES = {
    "classes": "classes",
    "values": "values",
    "next_token": "what follows",
    "frames": "probabilities for each step",
    "reconstruction": "reconstructions",
}
# What to give to each kind of model.
WANTED = {
    "image": "input=<an image, a folder of images, or an .npz or .npy file of them>",
    "array": "input=<an .npz or .npy file>",
    "table": "input=<a csv file, or - for the standard input>",
    "series": "input=<a csv file whose last rows the forecast goes on from>",
    "text": 'input=<a text file, a line a sample, or a csv file>, or text="…"',
    "language": 'prompt="…", the beginning of the text that it is to write',
}


class Asked(NamedTuple):
    """The keys of `conf/predict.yaml`; None where nothing was said."""

    checkpoint: str
    input: str | None
    text: str | None
    output: str
    format: str | None
    top_k: int | None
    plot: str | None
    skip: bool | None
    invert: bool | None
    column: str | None
    separator: str | None
    names: list[str] | None
    prompt: str | None
    length: int | None
    temperature: float | None
    samples: int | None
    seed: int | None
    batch_size: int
    device: str

    @property
    def task(self) -> str | None:
        """Which one of TASKS."""
        return next((name for name in TASKS if getattr(self, name) is not None), None)


def asked(cfg: DictConfig) -> Asked:
    """The composed config, checked as far as it can be without the model.

    Raises:
        ConfigError: nothing to predict with, several things at once, a number out of range, or a
            file that cannot be read or written.
    """
    if cfg.checkpoint is None:
        raise ConfigError(
            "name what predicts, and from what: checkpoint=<run folder, .ckpt file, model folder "
            "or a name such as lenet5/mnist> input=<file, folder or ->"
        )
    keys = OmegaConf.to_container(cfg)
    assert isinstance(keys, dict)
    for name in ("output", "batch_size", "device"):
        if keys[name] is None:
            raise ConfigError(f"`{name}` must not be null; leave it out for its default")
    for name in ("checkpoint", *TASKS[:3], "output", "plot", "column", "separator", "device"):
        keys[name] = None if keys[name] is None else str(keys[name])
    wish = Asked(**{name: keys[name] for name in Asked._fields})
    check_numbers(wish)
    tasks = [name for name in TASKS if getattr(wish, name) is not None]
    if len(tasks) > 1:
        raise ConfigError(f"{' and '.join(tasks)} are two commands; give one of them")
    if wish.device.partition(":")[0] not in DEVICES:
        raise ConfigError(f"`device` must be one of {', '.join(DEVICES)}, got {wish.device!r}")
    if wish.separator is not None:
        wish = wish._replace(separator=wish.separator.replace("\\t", "\t"))
        if len(str(wish.separator)) != 1 or str(wish.separator) in '"\r\n ':
            raise ConfigError(f"`separator` must be one character, got {wish.separator!r}")
    if wish.names is not None:
        if not isinstance(wish.names, list):
            raise ConfigError(f"`names` must be a list, names=[a,b,c], got {wish.names!r}")
        wish = wish._replace(names=[str(name) for name in wish.names])
    check_files(wish)
    return wish


def check_numbers(wish: Asked) -> None:
    """Raises ConfigError for what is not a number, or out of range."""
    for name in ("top_k", "length", "samples", "batch_size", "seed"):
        number, least = getattr(wish, name), 0 if name == "seed" else 1
        whole = isinstance(number, int) and not isinstance(number, bool)
        if number is not None and not (whole and number >= least):
            raise ConfigError(f"`{name}` must be a whole number, at least {least}, got {number!r}")
    if (wish.seed or 0) >= 2**64:  # torch takes no more
        raise ConfigError(f"`seed` must be below 2 ** 64, got {wish.seed}")
    heat = wish.temperature
    if heat is not None and not (isinstance(heat, (int, float)) and 0 <= heat < float("inf")):
        raise ConfigError(f"`temperature` must be a number, at least 0, got {heat!r}")
    for name in ("skip", "invert"):
        if getattr(wish, name) not in (None, True, False):
            raise ConfigError(f"`{name}` must be true or false, got {getattr(wish, name)!r}")


def check_files(wish: Asked) -> None:
    """Raises ConfigError for an input that is not there, and for results that have no place."""
    source = None if wish.input in (None, STDIN) else str(wish.input)
    # Those of os.path know what to do with a name that is no name, such as a long text.
    if source is not None and not os.path.exists(source):
        more = '; a text itself is text="…"' if " " in source else ""
        raise ConfigError(f"there is no input {source[:100]}{more}")
    if wish.plot is not None and not wish.plot.lower().endswith(".png"):
        raise ConfigError(f"`plot` must end in .png, got {wish.plot!r}")
    for name, file in (("output", wish.output), ("plot", wish.plot)):
        if file is None or file == STDOUT:
            continue
        folder = os.path.dirname(file)
        if os.path.isdir(file):
            raise ConfigError(f"{name}={file} is a folder; name a file in it")
        # What is written takes the place of what has the name: of the device, not of its content.
        if folder == "/dev" or (os.path.exists(file) and not os.path.isfile(file)):
            raise ConfigError(f"{name}={file} is no file; output=- is the standard output")
        if folder and not os.path.isdir(folder):
            raise ConfigError(f"{name}={file}: there is no folder {folder}")
        if source is not None and os.path.exists(file) and os.path.samefile(file, source):
            raise ConfigError(f"{name}={file} is the input; name another file")
    if wish.plot is not None and wish.plot == wish.output:
        raise ConfigError(f"output and plot are both {wish.plot}; name another file")
    if wish.input == STDIN and sys.stdin is None:
        raise ConfigError("the standard input is closed; input=<file>")
    if wish.output == STDOUT and sys.stdout is None and wish.task != "samples":
        raise ConfigError("the standard output is closed; output=<file>")
    if wish.task in ("input", "text"):
        try:
            format_of(wish.output, wish.format)
        except ValueError as error:
            raise ConfigError(str(error)) from error


def origin(wish: Asked, kind: str) -> str:
    """Where samples of a kind come from: "words", "arrays", "images", "lines" or "csv".

    Raises:
        ConfigError: they cannot come from there.
    """
    path = str(wish.input)
    name = path.lower().removesuffix(".gz")
    if wish.text is not None:
        return "words"
    if name.endswith(ARRAYS) and kind in ("image", "array", "series"):
        return "arrays"
    if kind == "image" and path != STDIN and not name.endswith((*TABLES, ".txt", ".json")):
        return "images"
    if kind == "image" or name.endswith(ARRAYS) or os.path.isdir(path):
        what = "the standard input" if path == STDIN else path
        raise ConfigError(f"{what} does not suit: this model reads {READS[kind]}")
    if kind == "text" and not (name.endswith(TABLES) or wish.column):
        return "lines"
    return "csv"


def check_suits(wish: Asked, reads: str, gives: str, traits: Collection[str], model: str) -> None:
    """Refuse what this model cannot do.

    Args:
        wish: what was asked for.
        reads: the kind of its input.
        gives: the kind of its output.
        traits: "variational" where it is, "draws" where answers can be drawn.
        model: its name.

    Raises:
        ConfigError: an option is for other models, or there is nothing to answer to.
    """
    have = {f"reads {reads}", f"gives {gives}", *traits, wish.task}
    if wish.task == "input" and reads != "language":
        where = origin(wish, reads)
        have |= {where if reads != "text" else f"{where} texts"}
    about = f"{model} reads {READS[reads]} and gives {GIVES[gives]}"
    for name, (needed, purpose) in NEEDS.items():
        if getattr(wish, name) is not None and not have & set(needed):
            raise ConfigError(f"`{name}` is for {purpose}; {about}")
    if wish.task is None or (reads == "language" and wish.task != "prompt"):
        also = ", or samples=64 plot=samples.png" if "variational" in traits else ""
        raise ConfigError(f"{about}: give it {WANTED[reads]}{also}")
    files = {"prompt": (".txt",), "samples": (".npz",)}.get(str(wish.task))
    if files and wish.output != STDOUT and not wish.output.lower().endswith(files):
        raise ConfigError(f"output={wish.output} must end in {files[0]}, or be - for {wish.task}=")
    arrays = wish.task in ("input", "text") and format_of(wish.output, wish.format) == "npz"
    if arrays and gives not in ("reconstruction", "values", "frames"):
        raise ConfigError(f"an .npz file is for arrays of numbers; {about}: output=<file>.csv")
    if wish.task == "samples" and wish.plot is None and wish.output == STDOUT:
        raise ConfigError("samples need a file: plot=<file>.png, or output=<file>.npz")
