"""What a command means: sorted, expanded as Hydra does it, and refused in one sentence."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
import pytest
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig

from zoo import cli
from zoo.config import ConfigError, conf_dir, register_resolvers
from zoo.sweeps import words

LINES = [
    ["model=fnn,cnn", "seed=0,1,2", "trainer.max_epochs=3"],
    ["seed=0,1", "model=fnn,cnn"],
    ["seed=range(3)", "optimizer.lr=choice(1e-3,1e-2)"],
    ["optimizer.lr=range(0.1,0.4,0.1)", "model=fnn"],
    ["model.net.hidden=[64],[64,64]", "optimizer.betas=[0.9,0.99]"],
    ["model=glob(*nn,exclude=c*)", "data=iris"],
    ["seed=1,2", "data=iris", "seed=3,4,5"],
    ["~callbacks.doctor", "seed=0,1"],
    ["+trainer.x=1,2", "++trainer.y='a b'"],
    ["regularization=[l1,l2]", "regularization.l2.weight=1e-4,1e-3"],
    ["data.path=\"a,b\",'c d'"],
    ["seed=sort(3,1,2)", "model=sort(fnn,cnn,reverse=true)"],
    ["sweep={a:1},{b:[2,3]}"],
]


@pytest.mark.parametrize("typed", LINES, ids=" ".join)
def test_jobs_are_those_of_hydras_own_sweeper(typed: list[str]) -> None:
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        parsed = OverridesParser.create(config_loader=loader).parse_overrides(typed)
        [expected] = BasicSweeper.split_arguments(parsed, None)
    assert words.combinations(words.axes(typed)) == expected
    assert len(expected) > 1


@pytest.mark.slow
def test_folders_are_named_and_numbered_as_by_zoo_train_m(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, launched: Callable[..., Path], kept: Any
) -> None:
    typed = ["model=fnn,linear", "model.net.init=kaiming", "seed=0,1", "optimizer.betas=[0.9,0.99]"]
    found: list[tuple[str, list[str]]] = []

    def task(cfg: DictConfig) -> None:
        settings = HydraConfig.get()
        found.append((Path(cfg.run_dir).name, list(settings.overrides.task)))

    monkeypatch.setattr(sys, "argv", ["zoo-train", "-m", *typed])
    environment = dict(os.environ)
    cli.command("train", task)
    assert dict(os.environ) == environment
    folder = launched(*typed)
    assert [(job["folder"], job["overrides"]) for job in kept(folder)["jobs"]] == found
    assert len(found) == 4
    for name, _ in found:
        assert (folder / name / "config.yaml").is_file()


def test_own_yaml_joins_in_a_glob(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mynn.yaml").touch()
    with_own = words.axes(["model=glob(*nn)"], str(tmp_path))["model"]
    assert set(with_own) - set(words.axes(["model=glob(*nn)"])["model"]) == {"model=mynn"}


PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**9), 10**9),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S", "Zs"])),
)


@settings(deadline=None, max_examples=60)
@given(st.recursive(PLAIN, lambda children: st.lists(children, max_size=3), max_leaves=6))
def test_a_value_written_as_a_word_is_read_as_itself(value: Any) -> None:
    [override] = words.parsed([words.word("key", value)])
    assert not override.is_sweep_override()
    assert override.value() == value
    assert type(override.value()) is type(value)


@pytest.mark.parametrize("value", ["relu", "a/b_c.d", "val/loss"])
def test_a_plain_name_needs_no_quotes(value: str) -> None:
    assert words.word("key", value) == f"key={value}"


def test_words_are_sorted() -> None:
    typed = ["model=fnn,cnn", "seeds=3", "search.space.optimizer.lr.low=1e-3", "+data.x=1"]
    read = words.read([*typed, "~search.space.data", "folder=a b,c"])
    assert read.overrides == ["model=fnn,cnn", "+data.x=1"]
    assert [w.partition("=")[0] for w in read.own] == [
        *("seeds", "search.space.optimizer.lr.low", "~search.space.data", "folder"),
    ]
    assert read.has("seeds")
    assert not read.has("resume")


def test_defaults_are_those_of_the_yaml() -> None:
    register_resolvers()
    settings = words.settings(words.read(["model=fnn,cnn"]))
    assert (settings.seeds, settings.jobs, settings.search, settings.retry) == (None,) * 3 + (
        False,
    )
    assert settings.folder.parent == Path.cwd() / "runs" / "sweep"
    assert words.settings(words.read(["folder=a b,c=d"])).folder == Path.cwd() / "a b,c=d"


MISTAKES = {
    "seeds=0": "`seeds` must be a whole number of at least 1, got 0",
    "seeds=1,2": "'seeds=1,2' has several values; `seeds` takes one",
    "-m model=fnn,cnn": "there is no flag -m; zoo-sweep sweeps by itself",
    "--config-dir nowhere": "--config-dir: there is no folder 'nowhere'",
    "hydra.sweep.dir=x": "'hydra.sweep.dir=x' is for zoo-train -m",
    "optimizer.lr=interval(0,1)": "has no values to count; use range(…) or choice(…)",
    "resume=nowhere": "there is no folder nowhere",
    "resume=nowhere model=cnn": "'model=cnn' would make it another sweep",
    "resume=nowhere seeds=3": "'seeds=3' would make it another sweep",
    "modle=fnn": "there is no key 'modle' (in 'modle=fnn'); did you mean 'model'?",
}
MORE_MISTAKES = {
    "seeds=many": "`seeds` must be a whole number of at least 1, got 'many'",
    "jobs=1.5": "`jobs` must be a whole number of at least 1, got 1.5",
    "retry=true": "name it with resume=<folder>",
    "retry=1": "`retry` must be true or false, got 1",
    "trials=3": "trials=… is for a search: add search=optuna",
    "model=glob(x*)": "'model=glob(x*)' has no value",
    "seeds=3 seed=1,2": "seeds=3 means seed=0 to seed=2, and seed=… was typed too",
    "search=optunna": "there is no search 'optunna'; did you mean 'optuna'?",
    "model=fnn,lstmm": "there is no model 'lstmm'; did you mean 'lstm'?",
    "trials": "cannot read 'trials' as key=value",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_mistakes_are_one_sentence(line: str, refused: Callable[..., str]) -> None:
    assert MISTAKES[line] in refused(*line.split())


@pytest.mark.slow
@pytest.mark.parametrize("line", MORE_MISTAKES)
def test_more_mistakes_are_one_sentence(line: str, refused: Callable[..., str]) -> None:
    assert MORE_MISTAKES[line] in refused(*line.split())


def test_a_typed_folder_must_be_free(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    assert refused("folder=full") == "folder=full is not empty; name a new one"
    (tmp_path / "full" / "sweep.json").touch()
    assert "full has a sweep; go on with it by resume=full" in refused("folder=full")


def test_first_values_stand_for_all() -> None:
    typed = ["--cfg", "job", "model=fnn,cnn", "seed=range(3,5)", "optimizer.betas=[0.9,0.99]"]
    expected = ["--cfg", "job", "model=fnn", "seed=3", "optimizer.betas=[0.9,0.99]"]
    assert words.first(typed) == expected


def test_hydras_flags_that_would_run_something_are_refused() -> None:
    with pytest.raises(ConfigError, match="there is no flag -r"):
        words.read(["-r", "model=fnn"])
