"""Which runs a sweep has: typed values, axes and arms of an experiment, seeds; in which order."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from zoo.config import ConfigError, conf_dir
from zoo.sweeps import words
from zoo.sweeps.plan import Plan, plan

NODE = {
    "seeds": 2,
    "axes": {"data.length": [50, 100]},
    "arms": {"long": ["model=lstm", "model.net.hidden_size=8"], "short": ["model=rnn"]},
    "metric": "test/rmse",
}
EXPERIMENTS = sorted(path.stem for path in (conf_dir() / "experiment" / "compare").glob("*.yaml"))


def planned(line: str = "", node: Any = None, seeds: int | None = None) -> Plan:
    typed = words.axes(line.split())
    return plan(typed, seeds, node and OmegaConf.create(node), "compare/it")


def test_seeds_are_the_innermost_axis() -> None:
    found = planned("model=fnn,cnn trainer.max_epochs=3", seeds=2)
    assert [job.overrides for job in found.jobs] == [
        [f"model={model}", "trainer.max_epochs=3", f"seed={seed}"]
        for model in ("fnn", "cnn")
        for seed in (0, 1)
    ]
    assert [job.number for job in found.jobs] == [0, 1, 2, 3]
    assert found.jobs[1].label == "model=fnn seed=1"
    assert found.axes == {"model": ["fnn", "cnn"], "seed": ["0", "1"]}
    assert found.seeds == 2


def test_typed_seeds_are_as_hydra_orders_them() -> None:
    found = planned("seed=3,1 model=fnn,cnn")
    assert [job.label for job in found.jobs] == [
        *("seed=3 model=fnn", "seed=3 model=cnn", "seed=1 model=fnn", "seed=1 model=cnn"),
    ]
    assert found.seeds is None


def test_axes_and_arms_and_seeds() -> None:
    found = planned("optimizer.lr=1,2", NODE)
    assert [job.label for job in found.jobs] == [
        f"optimizer.lr={lr} data.length={length} name={name} seed={seed}"
        for lr in (1, 2)
        for length in (50, 100)
        for name in ("long", "short")
        for seed in (0, 1)
    ]
    assert found.jobs[0].overrides == [
        *("model=lstm", "model.net.hidden_size=8"),
        *("optimizer.lr=1", "data.length=50", "name=long", "seed=0"),
    ]
    assert found.jobs[0].named == ("optimizer.lr=1", "data.length=50", "name=long", "seed=0")
    assert found.report == {"metric": "test/rmse"}
    assert found.axes["name"] == ["long", "short"]


def test_what_is_typed_wins() -> None:
    found = planned("data.length=7", NODE, seeds=3)
    assert {job.overrides[2] for job in found.jobs if job.overrides[0] == "model=lstm"} == {
        "data.length=7"
    }
    assert len(found.jobs) == 1 * 2 * 3
    assert len(planned("seed=5", NODE).jobs) == 2 * 2


def test_a_name_chooses_among_the_arms() -> None:
    assert {job.label for job in planned("name=short", NODE, seeds=1).jobs} == {
        *("data.length=50 name=short seed=0", "data.length=100 name=short seed=0"),
    }


def test_a_single_run_is_a_sweep_of_one() -> None:
    [job] = planned("model=cnn").jobs
    assert (job.label, job.overrides, job.seed) == ("", ["model=cnn"], None)


@pytest.mark.parametrize(
    ("line", "change", "sentence"),
    [
        ("", {"seed": 3}, "`sweep` has no key 'seed'; did you mean 'seeds'?"),
        ("", {"seeds": 0}, "`sweep.seeds` must be a whole number of at least 1, got 0"),
        ("", {"axes": [1]}, r"`sweep.axes` must have names, got \[1\]"),
        ("", {"axes": {"data.length": 50}}, "`sweep.axes.data.length` must be a list, got 50"),
        ("", {"axes": {"data.length": []}}, r"`sweep.axes.data.length` must be a list, got \[\]"),
        ("", {"arms": {"a": "model=fnn"}}, "`sweep.arms.a` must be a list, got 'model=fnn'"),
        ("", {"arms": {"a": ["model=fnn,cnn"]}}, "the arm 'a' has several values"),
        ("", {"metric": "${nothing}"}, "experiment=compare/it: `sweep`: .*nothing"),
        ("model=cnn", {}, "'model=cnn' would set what the arms of .* name=long,short"),
        ("name=shrt", {}, "has no arm 'shrt'; did you mean 'short'?"),
    ],
)
def test_mistakes_are_one_sentence(line: str, change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence.replace("?", r"\?")) as error:
        planned(line, {**NODE, **change})
    assert len(str(error.value).splitlines()) == 1


def test_a_sweep_must_have_keys() -> None:
    with pytest.raises(ConfigError, match="`sweep` must have keys, got 5"):
        plan({}, None, 5, "compare/it")


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_comparison_can_be_launched(
    name: str, launched: Callable[..., Path], kept: Any
) -> None:
    record = kept(launched(f"experiment=compare/{name}"))
    node = yaml.safe_load((conf_dir() / "experiment" / "compare" / f"{name}.yaml").read_text())
    sizes = [len(values) for values in (node["sweep"].get("axes") or {}).values()]
    sizes += [len(node["sweep"].get("arms") or [1]), node["sweep"].get("seeds", 1)]
    expected = 1
    for size in sizes:
        expected *= size
    assert len(record["jobs"]) == expected
    assert len({job["folder"] for job in record["jobs"]}) == expected
