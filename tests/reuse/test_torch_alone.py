"""What somebody who only wants a net has to import: torch, and next to nothing else."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import zoo
from zoo.models import FNN, LSTM
from zoo.preprocessing import (
    CategoryColumn,
    Classes,
    ImageInput,
    NumberColumn,
    Preprocessing,
    Scaling,
    SeriesInput,
    TableInput,
    TextInput,
    Values,
)

# What trains, composes and shows; and what only some data need.
OTHERS = {"lightning", "pytorch_lightning", "torchmetrics", "hydra", "tensorboard", "tensorboardX"}
OTHERS |= {"torchvision", "sklearn", "scipy", "pandas", "matplotlib", "rich", "tqdm"}
OTHERS |= {"huggingface_hub", "onnx", "onnxruntime", "optuna", "skorch", "accelerate"}
PARTS = {f"zoo.{part}" for part in ("data", "lit", "callbacks", "pictures", "comparison", "sweeps")}
PARTS |= {f"zoo.{part}" for part in ("train", "runs", "build", "cli", "validation", "losses")}
STDLIB = set(sys.stdlib_module_names)


@pytest.fixture
def steps(call: Callable[..., Any], tmp_path: Path) -> Callable[..., list[set[str]]]:
    """A function (*lines) -> the modules that each line adds to those of a fresh interpreter."""

    def run(*lines: str) -> list[set[str]]:
        report = "print('loaded', *sys.modules)"
        code = "\n".join(["import sys", *(f"{line}\n{report}" for line in lines)])
        done = call(sys.executable, "-c", code, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        rows = [row for row in done.stdout.splitlines() if row.startswith("loaded ")]
        sets = [set(row.split()[1:]) for row in rows]
        return [now - before for before, now in zip([set(), *sets], sets, strict=False)]

    return run


def packages(modules: set[str]) -> set[str]:
    """The packages of modules, without the standard library's."""
    return {name.partition(".")[0] for name in modules} - STDLIB - {"__main__"}


@pytest.mark.slow
def test_three_lines_need_torch_alone(steps: Callable[..., Any], tmp_path: Path) -> None:
    zoo.save(FNN(3, 2), tmp_path / "net")
    torchs, zoos, models, net, loaded, again, made = steps(
        "import torch",
        "import zoo",
        "from zoo.models import FNN, LSTM",
        "LSTM(28, 10)(torch.zeros(2, 5, 28)); FNN(3, 2)(torch.zeros(1, 3))",
        "zoo.load('net')",
        "zoo.save(FNN(3, 2), 'copy')",
        "zoo.create_model('lstm', in_features=28, out_features=10, readout='last', embedding=None,"
        " embedding_std=1.0)",
    )
    # Time is what is imported: of torch's some 1,500 modules a tenth would be 150.
    assert zoos == {"zoo"}
    assert packages(models) == {"zoo"} and len(models) < 0.02 * len(torchs)
    assert net == set()
    # Nor does torch itself bring its compiler, which takes as long as the rest of it.
    assert packages(loaded) <= {"zoo", "torch", "safetensors"}
    assert len(loaded) < 0.02 * len(torchs)
    assert packages(again) <= {"numpy"}  # how safetensors gets at the memory of a tensor
    assert len(made) < 0.1 * len(torchs)
    assert (models | loaded | made) & (OTHERS | PARTS) == set()


NUMBERS = Scaling(torch.zeros(()), torch.ones(()))
ONE_COLUMN = {"shift": torch.zeros(1).numpy(), "scale": torch.ones(1).numpy()}
# A net that reads what the data were, and an input as somebody has it, as Python writes it.
KINDS: dict[str, tuple[nn.Module, Preprocessing, str, str]] = {
    "table": (
        FNN(4, 2, hidden=[4]),  # a number, two colours, and any other
        Preprocessing(
            TableInput([NumberColumn("age"), CategoryColumn("colour", ["red", "blue"])], NUMBERS),
            Classes(["no", "yes"]),
        ),
        "{'age': 31, 'colour': 'red'}",
        "answer['label'] in ('no', 'yes')",
    ),
    "text": (
        LSTM(4, 2, hidden_size=3, embedding=2),
        Preprocessing(TextInput(["<pad>", "<unk>", "good", "bad"], max_length=9), Classes("+-")),
        "'Good, good and better.'",
        "0.5 <= answer['probability'] <= 1",
    ),
    "series": (
        LSTM(1, 2, hidden_size=3),
        Preprocessing(
            SeriesInput(
                ["t"], seen=1, targets=[0], window=4, **ONE_COLUMN, relative=False, view="sequence"
            ),
            Values(Scaling(torch.zeros(1), torch.ones(1)), names=["t"]),
        ),
        "[1.0, 2.0, 3.0, 4.0, 5.0]",
        "len(answer['values']) == 2",
    ),
    "image": (
        FNN(64, 2, hidden=[4]),
        Preprocessing(
            ImageInput((1, 8, 8), limit=16.0, fit="crop", view="vector", scaling=NUMBERS),
            Classes(["cat", "dog"]),
        ),
        "'picture.png'",
        "answer['top'][0][0] == answer['label']",
    ),
}


@pytest.mark.slow
def test_answers_need_numpy_and_for_pictures_pillow(
    steps: Callable[..., Any], tmp_path: Path
) -> None:
    from PIL import Image

    Image.new("L", (20, 10), 128).save(tmp_path / "picture.png")
    lines = ["import numpy, torch, zoo.models, safetensors.torch"]
    for kind, (net, rules, raw, check) in KINDS.items():
        zoo.save(net, tmp_path / kind, preprocessing=rules)
        line = (
            f"answer = zoo.load({kind!r}, with_preprocessing=True)({raw}); assert {check}, answer"
        )
        lines.append(line)
    torchs, *added = steps("import zoo", *lines)[1:]
    for kind, modules in zip(KINDS, added, strict=True):
        assert packages(modules) <= {"zoo", "torch", *({"PIL"} if kind == "image" else ())}, kind
        assert modules & (OTHERS | PARTS) == set()
        assert len(modules) < 0.1 * len(torchs), kind


@pytest.mark.parametrize("kind", KINDS)
def test_what_answers_is_saved_as_it_was_loaded(kind: str, tmp_path: Path) -> None:
    net, rules, *_ = KINDS[kind]
    zoo.save(net, tmp_path / "net", preprocessing=rules)
    first = zoo.load(tmp_path / "net", with_preprocessing=True)
    zoo.save(first, tmp_path / "copy")
    texts = [(tmp_path / name / "preprocessing.json").read_text() for name in ("net", "copy")]
    assert texts[0] == texts[1]
    assert json.loads(texts[0]) == json.loads(json.dumps(rules.plain()))


def test_every_name_of_the_face_is_imported_only_when_it_is_used(
    steps: Callable[..., Any],
) -> None:
    # Tab completion and help look at the face; neither waits for torch.
    first, *others = steps("import zoo", "dir(zoo)", "zoo.__all__", "zoo.__version__")
    assert first & {"torch", "numpy", "yaml", "omegaconf"} == set()
    assert [packages(modules) for modules in others] == [set()] * 3


def test_the_package_says_that_it_is_typed(tmp_path: Path) -> None:
    assert (Path(zoo.__file__).parent / "py.typed").is_file()


@pytest.mark.slow
def test_the_wheel_says_so_too(call: Callable[..., Any], tmp_path: Path) -> None:
    import shutil
    import zipfile

    root = Path(__file__).parents[2]
    source = tmp_path / "source"
    source.mkdir()
    words: Sequence[str] = ("pyproject.toml", "README.md", "LICENSE", "zoo", "conf")
    for name in words:
        copy = shutil.copytree if (root / name).is_dir() else shutil.copy
        copy(root / name, source / name)
    build = ("-m", "build", "--no-isolation", "--wheel", "--outdir", tmp_path, source)
    done = call(sys.executable, *build, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    [wheel] = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "zoo/py.typed" in names
    weights = {
        str(file.relative_to(root))
        for file in (root / "zoo" / "pretrained").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert weights <= names
