"""A language model reads its streams from end to end, and a run in two halves is the whole run."""

import math
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from omegaconf import DictConfig

from zoo.callbacks import Progress
from zoo.config import ConfigError
from zoo.runs import build
from zoo.train import train
from zoo.validation import check


@pytest.fixture
def words(tmp_path: Path) -> tuple[str, ...]:
    """A run on a text of 600 characters: four steps an epoch, the last one shorter."""
    file = tmp_path / "text.txt"
    file.write_text("abcd efgh.\nhgf" * 43, encoding="utf-8")
    settings = ("data.batch_size=4", "data.length=40", "data.eval_batch_size=1", "trainer=cpu")
    net = ("model.net.hidden_size=8", "model.net.dropout=0.0", "logger=none")
    return ("model=lstm", "data=text_lm", f"data.path={file}", *settings, *net)


def test_the_loss_is_the_mean_over_all_tokens_read_in_one_go(
    words: tuple[str, ...], composed: Callable[..., DictConfig]
) -> None:
    cfg = composed(*words, "trainer.max_epochs=1")
    row = train(cfg)
    data, module = build(cfg)
    saved = torch.load(Path(cfg.run_dir) / "checkpoints" / "best.ckpt", weights_only=True)
    module.load_state_dict(saved["state_dict"])
    module.eval()
    x, y = (side.long()[None] for side in data.splits["test"][:2])
    with torch.no_grad():
        logits = module.net(x).output
    expected = F.cross_entropy(logits[0], y[0]).item()
    assert row["test/loss"] == pytest.approx(expected, rel=1e-5)
    assert row["test/perplexity"] == pytest.approx(math.exp(expected), rel=1e-4)


def test_a_state_is_carried_by_itself_where_batches_continue(
    words: tuple[str, ...], composed: Callable[..., DictConfig]
) -> None:
    cfg = composed(*words)
    check(cfg)
    _, module = build(cfg)
    assert module.carry_state
    _, other = build(composed("model=lstm", "data=digits"))
    assert not other.carry_state


def test_a_net_that_reads_backwards_would_see_the_answer(
    words: tuple[str, ...], composed: Callable[..., DictConfig]
) -> None:
    with pytest.raises(ConfigError, match="bidirectional"):
        check(composed(*words, "model.net.bidirectional=true"))


@pytest.mark.slow
@pytest.mark.parametrize("step", [1, 3, 5])
def test_stopped_within_an_epoch_and_resumed_is_the_whole_run(
    words: tuple[str, ...],
    composed: Callable[..., DictConfig],
    monkeypatch: pytest.MonkeyPatch,
    reached: Callable[..., Any],
    tmp_path: Path,
    step: int,
) -> None:
    def weights(folder: str) -> dict[str, Any]:
        file = tmp_path / folder / "checkpoints" / "last.ckpt"
        state = torch.load(file, weights_only=True)["state_dict"]
        return {key: value.tolist() for key, value in state.items()}

    settings = (*words, "trainer.max_epochs=2", "scheduler=none", "model.net.dropout=0.2")
    whole = train(composed(*settings, run_dir=tmp_path / "whole"))
    before = signal.getsignal(signal.SIGINT)

    def press(self: Progress, trainer: Any, *_: Any) -> None:
        if trainer.global_step == step:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "on_train_batch_end", press)
        with pytest.raises(KeyboardInterrupt):
            train(composed(*settings, run_dir=tmp_path / "part"))
    signal.signal(signal.SIGINT, before)
    row = train(composed(f"resume={tmp_path / 'part'}", run_dir=tmp_path / "part"))
    assert weights("part") == weights("whole")
    assert reached(row) == reached(whole)
