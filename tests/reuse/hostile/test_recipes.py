"""Recipes that name what is no net, or ask for more than there is."""

from collections.abc import Callable
from functools import partial
from operator import methodcaller
from pathlib import Path
from typing import Any

import pytest

from zoo.models import CNN, LSTM, ResNet

CASES: dict[str, tuple[Callable[[Any], Path], str]] = {}


def case(words: str) -> Callable[[Callable[[Any], Path]], None]:
    """Add what makes such a file from good ones, and words of the sentence about it."""
    return lambda make: CASES.update({make.__name__: (make, words)})


def with_text(good: Any, word: str) -> Path:
    """A folder whose config has this in place of a number, as Python would not write it."""
    file = good.with_arguments(in_features=123456) / "config.json"
    file.write_text(file.read_text().replace("123456", word))
    return file.parent


NAMES = ["os.system", "torch.load", "nn.Linear", "generate", "Recurrence", "__class__", "__all__"]
NAMES += ["zoo.models.FNN", "FNN\n", "", "F" * 100_000]
for number, odd in enumerate([*NAMES, None, {"a": 1}, ["FNN"], 3, True]):
    CASES[f"name_{number}"] = (
        methodcaller("with_config", net=odd),
        "that is not one of zoo.models",
    )
for number, odd in enumerate([None, [3, 2], "in_features=3", 3]):
    CASES[f"arguments_{number}"] = (methodcaller("with_config", arguments=odd), "named arguments")


@case("config.json cannot be read")
def nested_without_end(good: Any) -> Path:
    text = '{"format": 1, "net": "FNN", "arguments": ' + "[" * 100_000 + "]" * 100_000 + "}"
    (good.folder() / "config.json").write_text(text)
    return good.place / "net"


@case("nested deeper")
def nested_as_deep_as_json_allows(good: Any) -> Path:
    deep: Any = 1
    for _ in range(300):
        deep = [deep]
    return good.with_arguments(hidden=deep)


@case("`hidden_size` = 1000000000, but its weights are 6 tensors")
def a_billion_units(good: Any) -> Path:
    return good.with_arguments(LSTM(3, 2, hidden_size=4), hidden_size=10**9)


@case("`num_layers` = 1000000000")
def a_billion_layers(good: Any) -> Path:
    return good.with_arguments(LSTM(3, 2, hidden_size=4), num_layers=10**9)


@case("`depth` = 600000002")
def a_hundred_million_blocks(good: Any) -> Path:
    return good.with_arguments(ResNet(1, 2, depth=8, width=1), depth=6 * 10**8 + 2)


@case("1,048,576 are allowed")
def ten_million_layers(good: Any) -> Path:
    return with_text(good, "[1" + ",1" * 10**7 + "]")


@case("100,000 entries")
def a_hundred_thousand_layers(good: Any) -> Path:
    return good.with_arguments(hidden=[1] * 100_000)


@case("1,000 entries of `hidden`, but only 4 tensors")
def a_thousand_layers(good: Any) -> Path:
    return good.with_arguments(hidden=[1] * 1_000)


@case("`in_shape` = ")
def a_huge_picture(good: Any) -> Path:
    return good.with_arguments(CNN((1, 8, 8), 2, channels=(2,)), in_shape=[1, 10**9, 10**9])


@case(r"must be of shape \(2, 120\)")
def as_large_as_the_file_allows(good: Any) -> Path:
    """Nothing that the size of the file would give away."""
    return good.with_arguments(hidden=[120])


@case("a number of 3,322 bits")
def a_number_of_a_thousand_digits(good: Any) -> Path:
    return good.with_arguments(in_features=10**1000 - 1)


@case("config.json cannot be read")
def a_number_of_ten_thousand_digits(good: Any) -> Path:
    return with_text(good, "9" * 10_000)


@case("`in_features` must be")
def a_number_that_is_infinite_by_overflow(good: Any) -> Path:
    return with_text(good, "1e999")


@case("NaN is no number")
def nan_in_the_config(good: Any) -> Path:
    return good.with_arguments(dropout=float("nan"))


@case("a text of 200,000 characters")
def a_long_word(good: Any) -> Path:
    return good.with_arguments(activation="relu" * 50_000)


@case("cannot be built from its recipe")
def an_argument_that_there_is_not(good: Any) -> Path:
    return good.with_arguments(**{"__class__": "os.system", "self": 1})


@case("cannot be built from its recipe: `activation`")
def a_path_for_an_activation(good: Any) -> Path:
    return good.with_arguments(activation="torch.load")


def of_torchvision(good: Any, **changes: Any) -> Path:
    pytest.importorskip("torchvision.models")  # which a good one imports as well
    arguments = {"in_channels": 3, "out_features": 2, "name": "resnet18", "weights": None}
    return good.with_config(net="Torchvision", arguments=arguments | changes)


@case("asks to fetch weights from elsewhere")
def weights_of_the_internet(good: Any) -> Path:
    return of_torchvision(good, weights="DEFAULT")


for odd in ("vit_h_14", "regnet_y_128gf", "googlenet"):  # up to 650 million parameters
    CASES[f"{odd}_in_a_few_bytes"] = (partial(of_torchvision, name=odd), "do not fit their recipe")


@case("do not fit their recipe")
def a_million_channels(good: Any) -> Path:
    return of_torchvision(good, in_channels=1_000_000)


@case("`name` must be")
def a_path_for_a_model_of_torchvision(good: Any) -> Path:
    return of_torchvision(good, name="torchvision.models.resnet18")


@pytest.mark.parametrize(("make", "words"), CASES.values(), ids=CASES)
def test_it_is_refused_and_nothing_else_happens(
    make: Callable[[Any], Path], words: str, good: Any, refused: Callable[[Path, str], None]
) -> None:
    refused(make(good), words)
