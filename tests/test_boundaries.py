"""Who may import whom: torch is the ground floor, Lightning the first, Hydra only the roof."""

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import zoo

PACKAGE = Path(zoo.__file__).parent
FILES = {
    str(path.relative_to(PACKAGE)): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if "conf" not in path.relative_to(PACKAGE).parts
}
TORCH = {"torch"}
ANALYSIS = {"sklearn", "scipy", "numpy"}
# Per part: what it may import besides the standard library and itself. Parts of the zoo by their
# dotted name; the longest one that fits counts.
ALLOWED = {
    "losses": TORCH,
    "regularization": TORCH,
    "models": {*TORCH, "torchvision"},  # which one member needs, once it is built
    "preprocessing": {*TORCH, "numpy", "scipy", "PIL"},
    "data": {*TORCH, *ANALYSIS, "torchvision", "lightning", "filelock", "PIL", "zoo.preprocessing"},
    "lit": {
        *(*TORCH, "lightning", "torchmetrics", "tensorboard"),
        *("zoo.models", "zoo.losses", "zoo.regularization"),
    },
    "callbacks": {
        *(*TORCH, *ANALYSIS, "lightning", "torchmetrics", "tqdm", "rich", "matplotlib"),
        *("tensorboard", "zoo.models", "zoo.losses", "zoo.regularization", "zoo.lit"),
        *("zoo.cost", "zoo.files", "zoo.naming", "zoo.signals"),
    },
    "pictures": {
        *(*TORCH, "numpy", "PIL", "lightning", "tensorboard"),
        *("zoo.callbacks", "zoo.lit", "zoo.models", "zoo.losses", "zoo.naming"),
    },
    "assembly": {*TORCH, "zoo.models"},
    "card": {*TORCH, "zoo."},  # its version
    "checkpoint": {
        *(*TORCH, "zoo.assembly", "zoo.card", "zoo.files", "zoo.hub", "zoo.model_folder"),
        *("zoo.pretrained", "zoo.predictor", "zoo.preprocessing"),
    },
    "model_folder": {
        *(*TORCH, "safetensors", "zoo.assembly", "zoo.card", "zoo.files", "zoo.models"),
        *("zoo.preprocessing", "zoo."),
    },
    "pretrained": {"zoo.model_folder"},
    "predictor": {*TORCH, "numpy", "zoo.models", "zoo.preprocessing"},
    "hub": {
        *(*TORCH, "huggingface_hub", "zoo.assembly", "zoo.card", "zoo.checkpoint"),
        *("zoo.model_folder", "zoo.predictor", "zoo.preprocessing"),
    },
    "exports": {
        *(*TORCH, "numpy", "onnx", "onnxruntime", "google", "zoo.files", "zoo.model_folder"),
        *("zoo.models", "zoo.preprocessing", "zoo."),
    },
    "predictions": {
        *(*TORCH, "numpy", "matplotlib", "omegaconf", "tqdm", "zoo.checkpoint", "zoo.comparison"),
        *("zoo.config", "zoo.files", "zoo.models", "zoo.predictor", "zoo.preprocessing"),
        *("zoo.report",),
    },
    "cost": TORCH,
    "files": set(),
    "naming": set(),
    "output": set(),
    "signals": set(),
    "memory": {
        *(*TORCH, "lightning", "zoo.callbacks", "zoo.data", "zoo.lit", "zoo.regularization"),
    },
    "comparison": {
        *("rich", "yaml", "scipy", "matplotlib", "tensorboard", "google"),
        *("zoo.config", "zoo.files", "zoo.naming", "zoo.report"),
    },
    "presets": {
        *(*TORCH, "omegaconf", "yaml", "zoo.models", "zoo.config"),
        *("zoo.checkpoint", "zoo.pretrained"),
    },
    "catalogue": {
        *(*TORCH, "omegaconf", "rich", "zoo.models", "zoo.config", "zoo.cost", "zoo.presets"),
        *("zoo.output", "zoo.pretrained", "zoo.report"),
    },
    "__init__": {"zoo.checkpoint", "zoo.hub", "zoo.predictor", "zoo.presets"},
}
# The wiring may import everything; these are the parts that need not be in the table above.
WIRING = {
    *("build", "cli", "compare", "config", "endings", "evaluate", "export", "folders", "help"),
    *("mistakes", "partners", "prediction", "rehearsal", "report", "runs", "sweep", "sweeps"),
    *("train", "transfer", "validation"),
}
MODULES = {"predict": "prediction"}  # of scripts: zoo.predict is the function
# What a command needs only once its config is composed must not slow down its --help.
LATE = {"torch", "lightning", "torchvision", "torchmetrics", "sklearn", "tensorboard"}


def part_of(file: str) -> str:
    return Path(file).parts[0].removesuffix(".py")


def imported(path: Path, *, only_at_import: bool = False) -> Iterator[str]:
    """Dotted names of all modules that a file imports, `from zoo import x` as `zoo.x`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = set()
    for node in ast.walk(tree):
        checking = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        if only_at_import and (checking or function):
            skipped |= set(ast.walk(node))
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(PACKAGE.parent).parts[: -node.level or None]
            base = ".".join([*package, node.module or ""]).strip(".") if node.level else node.module
            if base == "zoo":
                yield from (f"zoo.{name.name}" for name in node.names)
            else:
                yield base or ""


def names(file: str) -> Iterator[str]:
    """What a file imports from other parts and other packages: `torch`, `zoo.models`, …"""
    for name in imported(FILES[file]):
        package, _, rest = name.partition(".")
        if package in sys.stdlib_module_names:
            continue
        if package != "zoo":
            yield package
        elif rest.partition(".")[0] != part_of(file):
            yield f"zoo.{rest.partition('.')[0]}"


@pytest.fixture
def run(call: Callable[..., Any]) -> Callable[[str], str]:
    """A function (code) -> what a fresh interpreter prints; it has to load all modules itself."""

    def fresh(code: str) -> str:
        process = call(sys.executable, "-c", code, cwd=PACKAGE.parent)
        assert process.returncode == 0, process.stderr
        return process.stdout.strip()

    return fresh


@pytest.fixture
def loaded(run: Callable[[str], str]) -> Callable[..., str]:
    """A function (code, *modules) -> which of them a fresh interpreter has loaded after `code`."""

    def look(code: str, *modules: str) -> str:
        return run(f"{code}\nimport sys\nprint(*(m for m in {modules!r} if m in sys.modules))")

    return look


def test_there_is_something_to_look_at() -> None:
    assert {"losses", "regularization", "models", "data", "lit", "callbacks"} <= {
        part_of(file) for file in FILES
    }
    assert "torch" in set(names("models/fnn.py"))
    assert "zoo.models" in set(names("lit/recurrent.py"))


@pytest.mark.parametrize("file", FILES)
def test_a_part_imports_only_what_it_may(file: str) -> None:
    part = part_of(file)
    assert part in ALLOWED or part in WIRING, f"{part} is not in the table: say what it may import"
    if part in ALLOWED:
        assert set(names(file)) - ALLOWED[part] == set()


@pytest.mark.parametrize("file", [f for f in FILES if part_of(f) in ("cli", "config")])
def test_what_help_needs_is_light(file: str) -> None:
    packages = {name.partition(".")[0] for name in imported(FILES[file], only_at_import=True)}
    assert packages & LATE == set()


@pytest.mark.parametrize(
    "command", ["train", "evaluate", "compare", "sweep", "export", "prediction", "catalogue"]
)
def test_commands_import_torch_only_once_the_config_is_composed(
    command: str, loaded: Callable[..., str]
) -> None:
    assert loaded(f"import zoo.{command}", *sorted(LATE)) == ""


def test_losses_penalties_and_models_do_not_know_each_other() -> None:
    ground = {"losses", "regularization", "models"}
    for file in FILES:
        if part_of(file) in ground:
            assert {f"zoo.{part}" for part in ground} & set(names(file)) == set(), file


def test_scripts_hold_no_logic() -> None:
    scripts = sorted((Path(__file__).parent.parent / "scripts").glob("*.py"))
    assert {"train.py", "evaluate.py", "compare.py", "sweep.py", "predict.py"} <= {
        path.name for path in scripts
    }
    for path in scripts:
        module = MODULES.get(path.stem, path.stem)
        if (PACKAGE / f"{module}.py").is_file():  # a command, and not a maintainers' helper
            body = ast.parse(path.read_text(encoding="utf-8")).body
            kinds = [type(node) for node in body]
            assert kinds == [ast.ImportFrom, ast.Expr], path.name
            assert ast.unparse(body[0]) == f"from zoo.{module} import main"


def test_packages_faces_only_re_export() -> None:
    for file, path in FILES.items():
        if path.name == "__init__.py" and path.parent != PACKAGE:
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
                face = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
                assert docstring or face or isinstance(node, ast.ImportFrom), file


def test_importing_the_zoo_imports_nothing(loaded: Callable[..., str]) -> None:
    heavy = ("torch", "lightning", "hydra", "omegaconf", "yaml", "numpy", "sklearn")
    assert loaded("import zoo; dir(zoo); zoo.__version__", *heavy) == ""


def test_the_ground_floor_needs_nothing_but_torch(
    run: Callable[[str], str], tmp_path: Path
) -> None:
    """One interpreter, from the least to the most: what is loaded after each step."""
    file = tmp_path / "net.ckpt"
    others = ("lightning", "pytorch_lightning", "hydra", "torchvision", "torchmetrics")
    watched = ("zoo.models", "torch", "omegaconf", "sklearn", "tensorboard", *others)
    code = f"""
import sys
def step():
    print(*(name for name in {watched!r} if name in sys.modules))
import zoo.losses, zoo.regularization
step()
import zoo.models
net = zoo.models.LSTM(3, 2)
step()
recipe = {{"format": 1, "net": "FNN", "config": {{}},
           "arguments": {{"in_features": 4, "out_features": 2, "hidden": []}}}}
net = zoo.models.FNN(4, 2, hidden=[])
weights = {{f"net.{{key}}": value for key, value in net.state_dict().items()}}
torch = sys.modules["torch"]
torch.save({{"zoo": recipe, "state_dict": weights}}, {str(file)!r})
same = zoo.load({str(file)!r})
assert torch.equal(same(torch.ones(1, 4)), net.eval()(torch.ones(1, 4)))
step()
zoo.create_model("fnn", in_features=4, out_features=2)
step()"""
    assert run(code).splitlines() == [
        "torch",
        "zoo.models torch",
        "zoo.models torch",
        "zoo.models torch omegaconf",
    ]
