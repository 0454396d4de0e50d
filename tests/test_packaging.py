"""What people install: built, put into another environment, run from another folder."""

import os
import shutil
import site
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
CONF = {str(path.relative_to(ROOT / "conf")) for path in (ROOT / "conf").rglob("*.yaml")}

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("packaging")]


class Installed(NamedTuple):
    """Another environment with the wheel in it, and where both came from."""

    bin: Path
    wheel: Path
    sdist: Path


@pytest.fixture(scope="module")
def run(call: Callable[..., Any]) -> Callable[..., str]:
    """A function (*words, cwd) -> what a process prints that knows nothing of this checkout."""

    def outside(*words: str | Path, cwd: Path) -> str:
        done = call(*words, cwd=cwd, PYTHONPATH=None, VIRTUAL_ENV=None)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return outside


@pytest.fixture(scope="module")
def installed(run: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("packaging")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "zoo", "conf", "scripts", "tests"):
        if (ROOT / name).is_dir():
            ignore = shutil.ignore_patterns("__pycache__", "runs")
            shutil.copytree(ROOT / name, source / name, ignore=ignore)
        else:
            shutil.copy(ROOT / name, source / name)
    # First the sdist, then the wheel from it: both must be complete.
    dist = folder / "dist"
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", dist, source, cwd=folder)
    (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    shutil.rmtree(source)

    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    programs = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    run(programs / "python", "-m", "pip", "install", "--no-deps", "--no-index", wheel, cwd=folder)
    # The requirements are borrowed from the environment of these tests.
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(run(programs / "python", "-c", where, cwd=folder).strip())
    (packages / "borrowed.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    return Installed(programs, wheel, sdist)


def test_the_wheel_has_the_yaml_inside_the_package(installed: Installed) -> None:
    names = set(zipfile.ZipFile(installed.wheel).namelist())
    assert {f"zoo/conf/{name}" for name in CONF} <= names
    code = {str(path.relative_to(ROOT)) for path in (ROOT / "zoo").rglob("*.py")}
    assert code <= names
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"zoo"}


def test_the_sdist_has_it_where_the_checkout_has_it(installed: Installed) -> None:
    with tarfile.open(installed.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"conf/{name}" for name in CONF} <= names
    assert not any(name.startswith("zoo/conf/") for name in names)
    assert {"README.md", "LICENSE", "pyproject.toml", "tests/test_packaging.py"} <= names


def test_it_runs_from_another_folder(
    installed: Installed, run: Callable[..., str], tmp_path: Path
) -> None:
    where = run(installed.bin / "python", "-c", "import zoo; print(zoo.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.bin.parent)

    run(installed.bin / "zoo-train", "model=lstm", "debug=fast", cwd=tmp_path)
    (metrics,) = tmp_path.glob("runs/digits/lstm/*/metrics.json")
    assert (metrics.parent / "checkpoints" / "best.ckpt").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]

    checkpoint = f"checkpoint={metrics.parent}"
    assert "accuracy" in run(installed.bin / "zoo-evaluate", checkpoint, cwd=tmp_path)
    code = f"import zoo; print(type(zoo.load({str(metrics.parent)!r})).__name__, zoo.list_models())"
    printed = run(installed.bin / "python", "-c", code, cwd=tmp_path)
    assert printed.startswith("LSTM ['autoencoder', ")


def test_yaml_of_ones_own_joins(
    installed: Installed, run: Callable[..., str], tmp_path: Path
) -> None:
    own = tmp_path / "mine" / "experiment"
    own.mkdir(parents=True)
    (own / "tiny.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /model: gru\n  - _self_\n"
        "model:\n  net:\n    hidden_size: 3\n"
    )
    words = ("--config-dir", "mine", "experiment=tiny")
    printed = run(installed.bin / "zoo-train", *words, "debug=fast", cwd=tmp_path)
    # 3 gates of 3 x (8 + 3) weights and 2 x 3 biases, and a head of 3 x 10 + 10
    assert f"GRU, {3 * (3 * 11 + 6) + 40} parameters" in printed
