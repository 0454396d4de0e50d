"""The modules of the benchmark, which lie beside the package."""

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """A function (name) -> that module, as `scripts/benchmark.py` finds it."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module


@pytest.fixture
def common(module: Callable[[str], ModuleType]) -> ModuleType:
    return module("benchmarks.common")


@pytest.fixture
def quick(common: ModuleType) -> Any:
    """Tiny sizes, once."""
    return common.Plan(1, quick=True)
