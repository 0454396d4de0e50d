"""The comparisons of conf/experiment/compare: what each of them is said to hold equal is equal."""

from collections.abc import Callable
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from zoo.build import make
from zoo.config import conf_dir, fill
from zoo.cost import parameters
from zoo.sweeps.plan import Plan, plan

NAMES = sorted(path.stem for path in (conf_dir() / "experiment" / "compare").glob("*.yaml"))
IMAGES = {  # facts of the two sets, in the views that models ask for
    "digits": {"vector": 64, "sequence": 8, "in_shape": [1, 8, 8]},
    "fashion_mnist": {"vector": 784, "sequence": 28, "in_shape": [1, 28, 28]},
}
Planned = Callable[[str], Plan]


@pytest.fixture
def planned(composed: Callable[..., DictConfig]) -> Planned:
    """A function (name) -> the runs that zoo-sweep makes of that comparison."""

    def make_plan(name: str) -> Plan:
        words = [f"experiment=compare/{name}"]
        return plan({"experiment": words}, None, composed(*words).sweep, f"compare/{name}")

    return make_plan


def test_all_that_the_textbook_claims() -> None:
    assert NAMES == [
        *("activations", "compression", "digits", "fashion_mnist", "few_labels"),
        *("initialisation", "memory", "optimizers", "regularization"),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_it_says_how_long_it_takes(name: str) -> None:
    text = (conf_dir() / "experiment" / "compare" / f"{name}.yaml").read_text(encoding="utf-8")
    comments = " ".join(line[2:] for line in text.splitlines() if line.startswith("# "))
    assert "minutes on two cores" in comments


@pytest.mark.parametrize(("name", "size"), [("digits", 10_000), ("fashion_mnist", 100_000)])
def test_families_have_as_many_parameters(
    name: str, size: int, planned: Planned, composed: Callable[..., DictConfig]
) -> None:
    facts: dict[str, Any] = {"out_features": 10, "readout": "last", "embedding": None}
    arms = {job.words: job for job in planned(name).jobs}
    assert len(arms) == 6
    for words in arms:
        cfg = composed(*words)
        own = IMAGES[name]
        features = own["vector" if cfg.data.view == "vector" else "sequence"]
        model = OmegaConf.create({"net": cfg.model.net})
        fill(model, {**facts, "in_features": features, "in_shape": own["in_shape"]})
        assert 0.9 * size <= parameters(make(model.net)) <= 1.1 * size, words


def test_all_orders_of_two_numbers_are_there(planned: Planned) -> None:
    found = planned("memory")
    assert found.axes["data.length"] == ["50", "100", "200", "400"]
    assert found.axes["name"] == ["RNN", "IRNN", "GRU", "LSTM"]
    assert len(found.jobs) == 4 * 4 * len(found.axes["seed"])
