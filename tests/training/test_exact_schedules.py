"""A run that is given another length goes on at the rates of a run of that length."""

from collections.abc import Callable
from typing import Any

import pytest

WORDS = ("data=wine", "data.batch_size=32", "trainer.log_every_n_steps=1")  # four updates an epoch


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", ["cosine", "step"])
@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_a_longer_run_goes_on_at_the_rates_of_the_new_length(
    run: Callable[..., Any], resume: Callable[..., None], scheduler: str, interval: str
) -> None:
    words = (*WORDS, f"scheduler={scheduler}", f"scheduler.interval={interval}")
    short = run("short", *words, "trainer.max_epochs=2")
    before = short.curves()["lr"]
    resume(short.path, "trainer.max_epochs=4")
    planned = run("planned", *words, "trainer.max_epochs=4").curves()["lr"]
    assert short.curves()["lr"] == before + planned[8:]
    assert before != planned[:8]
