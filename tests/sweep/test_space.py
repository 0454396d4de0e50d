"""What a search may set: read from YAML, refused in one sentence, checked before anything runs."""

from collections.abc import Callable
from typing import Any

import pytest

from zoo.config import ConfigError
from zoo.sweeps import space
from zoo.sweeps.space import Choice, Range


def test_a_tree_and_dots_are_the_same() -> None:
    tree = {"optimizer": {"lr": {"low": 1e-4, "high": 1, "log": True}}, "data": {"x": [1, None]}}
    dots = {"optimizer.lr": {"low": 1e-4, "high": 1, "log": True}, "data.x": [1, None]}
    expected = {"optimizer.lr": Range(1e-4, 1, True), "data.x": Choice((1, None))}
    assert space.read(tree) == space.read(dots) == expected


@pytest.mark.parametrize(
    ("node", "sentence"),
    [
        (None, "`search.space` must be a map of settings, got None"),
        ({}, "`search.space` is empty"),
        ({"a": {"b": 3}}, "`search.space.a.b` must be a list of choices, or have low and high"),
        ({"a": []}, "`search.space.a` has nothing to choose from"),
        ({"a": [1, 2, 1]}, r"`search.space.a` has a choice twice: \[1, 2, 1\]"),
        ({"a": {"low": 2, "high": 1}}, "`search.space.a`: low=2 is more than high=1"),
        ({"a": {"low": 0, "high": 1, "log": True}}, "a logarithmic scale needs low above 0, got"),
        ({"a": {"low": 0, "hihg": 1}}, "has no key 'hihg'; did you mean 'high'"),
        ({"a": {"low": 0}}, "`search.space.a`: high must be a number, got None"),
        ({"a": {"low": 0, "high": "b"}}, "high must be a number, got 'b'"),
        ({"a": {"low": 0, "high": float("inf")}}, "high must be a number, got inf"),
        ({"a": {"low": 0, "high": 1, "log": 1}}, "log must be true or false, got 1"),
        ({"a": {"low": 1, "high": 2, "log": True, "step": 1}}, "a logarithmic scale has no step"),
        ({"a": {"low": 1, "high": 2, "step": 0}}, "step must be positive, got 0"),
    ],
)
def test_mistakes_are_one_sentence(node: Any, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as error:
        space.read(node)
    assert len(str(error.value).splitlines()) == 1


def test_settings_are_shown_short_and_typed_in_full() -> None:
    values = {"optimizer.lr": 0.00123456, "model.net.hidden": [64, 64], "a.x": None, "b.x": 1}
    assert space.label(values) == "lr=0.00123 hidden=[64,64] a.x=null b.x=1"
    assert space.words(values)[:2] == ["optimizer.lr=0.00123456", "model.net.hidden=[64,64]"]


SEARCH = "model=linear data=iris search=optuna"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (f"{SEARCH} seeds=3", "a search tries each setting with one seed: leave seeds= out"),
        (f"{SEARCH} optimizer.lr=1e-3", "'optimizer.lr=0.001' sets what is searched for"),
        (
            f"{SEARCH} model.net.bias=true,false",
            "takes one value of `model.net.bias`, or several as a choice: "
            "'+search.space.model.net.bias=[True,False]'",
        ),
        (f"{SEARCH} search.space.optimizer.lr.low=1", "low=1 is more than high=0.1"),
        (f"{SEARCH} search.space.optimizer.lr.low=0", "a logarithmic scale needs low above 0"),
        (f"{SEARCH} +search.space.optimizer.lrr=[1]", "`optimizer` has no key 'lrr'; did you mean"),
        pytest.param(
            *(f"{SEARCH} +search.space.model.net.dropout=[0,2]", "`dropout` must be in [0, 1), g"),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *(f"{SEARCH} search.space.data.batch_size=[16,x]", "batch_size=x: `data.batch_size`"),
            marks=pytest.mark.slow,
        ),
        (f"{SEARCH} +search.space.scheduler=[none,cosin]", "there is no scheduler 'cosin'; did y"),
        (f"{SEARCH} search.sampler.seed=-1", "`search.sampler.seed` must be a whole number of at"),
        (f"{SEARCH} +search.sampler.sed=1", "`search.sampler` has no key 'sed'; did you mean"),
        (f"{SEARCH} +search.prunner=1", "`search` has no key 'prunner'; did you mean 'pruner'"),
        (
            "model=cnn search=fnn",
            "`search.space.model.net.hidden`: `model.net` has no key 'hidden'",
        ),
    ],
)
def test_a_search_that_cannot_work_is_refused_before_anything_runs(
    line: str, sentence: str, refused: Callable[..., str]
) -> None:
    assert sentence in refused(*line.split())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "search"),
    [
        *(("fnn", "fnn"), ("cnn", "cnn"), ("autoencoder", "autoencoder"), ("vae", "autoencoder")),
        *((model, "recurrent") for model in ("rnn", "irnn", "gru", "lstm")),
    ],
)
def test_every_space_suits_its_family(
    model: str, search: str, launched: Callable[..., Any], kept: Any
) -> None:
    record = kept(launched(f"model={model}", f"search={search}", "trials=7"))
    assert record["search"]["trials"] == 7
    assert set(space.read(record["search"]["space"])) > {"optimizer.lr", "data.batch_size"}


def test_without_optuna_a_search_says_what_to_install(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    assert "pip install 'neural-zoo[search]'" in refused(*SEARCH.split())
