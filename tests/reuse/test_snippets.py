"""What the README says about taking a net along runs, in a fresh interpreter, line by line."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from zoo.checkpoint import recipe
from zoo.models import FNN
from zoo.preprocessing import Classes, ImageInput, Preprocessing, Scaling

README = Path(__file__).parents[2] / "README.md"
SECTION = (
    README.read_text(encoding="utf-8").partition("\n## Reuse a net\n")[2].partition("\n## ")[0]
)
BLOCKS = re.findall(r"^```python\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)
# What needs a network is tested in the folder hub.
HUB = re.compile(r"hf://|push_to_hub")
# What the sentences around the code take for granted.
GIVEN = "import torch\nx = torch.rand(2, 28, 28)\n"


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """A folder with a picture, and with runs where the README has them."""
    from PIL import Image

    Image.new("L", (40, 30), 200).save(tmp_path / "seven.png")
    net = FNN(64, 10, hidden=[4])
    scaling = Scaling(torch.zeros(()), torch.ones(()))
    rules = Preprocessing(
        ImageInput((1, 8, 8), limit=16.0, fit="crop", view="vector", scaling=scaling),
        Classes([str(digit) for digit in range(10)]),
    )
    node = {"_target_": "zoo.models.FNN", **net.arguments}
    state = {f"net.{key}": value for key, value in net.state_dict().items()}
    for run in set(re.findall(r"runs/[\w./-]+", SECTION)):
        file = tmp_path / run / "checkpoints" / "best.ckpt"
        file.parent.mkdir(parents=True)
        torch.save({"state_dict": state, "zoo": recipe(node, {}, rules.plain())}, file)
    return tmp_path


def runnable(block: str) -> str:
    """A block without the lines that fetch or push."""
    return "\n".join(line for line in block.splitlines() if not HUB.search(line))


def test_there_are_some() -> None:
    assert len(BLOCKS) >= 2 and "zoo.load(" in "".join(BLOCKS)


@pytest.mark.slow
def test_they_run_one_after_the_other(call: Callable[..., Any], workplace: Path) -> None:
    code = GIVEN + "\n".join(map(runnable, BLOCKS))
    done = call(sys.executable, "-W", "error", "-c", code, cwd=workplace)
    assert done.returncode == 0, f"{code}\n{done.stderr}"
