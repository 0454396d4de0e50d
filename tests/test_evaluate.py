"""`zoo-evaluate`: the numbers of the run again, from nothing but its checkpoint."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from zoo.config import ConfigError
from zoo.evaluate import evaluate
from zoo.train import train

FAMILIES = {
    "fnn": ["data=digits", "regularization=l2", "data.batch_size=50"],
    "lstm": ["data=adding", "data.length=8", "data.train_size=300", "data.test_size=90"],
    "vae": ["data=digits"],
    "gru": ["data=diabetes", "model=linear", "loss=gaussian_nll"],
}


@pytest.mark.parametrize(
    "family", [pytest.param(f, marks=[pytest.mark.slow] * (f in ("vae", "gru"))) for f in FAMILIES]
)
def test_gives_the_numbers_of_the_run(
    family: str, composed: Callable[..., Any], tmp_path: Path
) -> None:
    row = train(composed(f"model={family}", "trainer.max_epochs=1", *FAMILIES[family]))
    run = tmp_path / "run"
    kept = json.loads((run / "metrics.json").read_text())
    expected = {key: value for key, value in kept.items() if key.startswith("test/")}
    assert {"test/loss"} < set(expected)
    assert expected == {key: value for key, value in row.items() if key.startswith("test/")}

    assert evaluate(composed(f"checkpoint={run}", name="evaluate")) == expected
    moved = tmp_path / "elsewhere" / "net.ckpt"
    moved.parent.mkdir()
    shutil.copy(run / "checkpoints" / "best.ckpt", moved)
    shutil.rmtree(run)
    assert evaluate(composed(f"checkpoint={moved}", name="evaluate")) == expected
    assert not run.exists()  # evaluating is reading


def test_batch_size_changes_the_speed_alone(composed: Callable[..., Any], tmp_path: Path) -> None:
    train(composed("data=wine", "trainer.max_epochs=1"))
    run = f"checkpoint={tmp_path / 'run'}"
    a = evaluate(composed(run, "batch_size=7", name="evaluate"))
    b = evaluate(composed(run, "batch_size=1000", name="evaluate"))
    assert a == pytest.approx(b, rel=1e-5)


def test_other_splits(
    composed: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = train(composed("data=wine", "trainer.max_epochs=1", "model.net.dropout=0.0"))
    run = tmp_path / "run"
    val = evaluate(composed(f"checkpoint={run}", "split=val", name="evaluate"))
    best = {f"val/{k[5:]}": v for k, v in row.items() if k in ("best/loss", "best/accuracy")}
    assert val == pytest.approx(best, rel=1e-6)
    fitted = evaluate(composed(f"checkpoint={run}", "split=train", name="evaluate"))
    assert set(fitted) == {"train/loss", "train/accuracy"}
    hits = fitted["train/accuracy"] * 124  # what 178 wines leave after 36 for test, 18 for val
    assert hits == pytest.approx(round(hits), abs=1e-4)
    assert f"{fitted['train/accuracy']:.4g}" in capsys.readouterr().out


def test_last_epoch_can_be_asked_for(composed: Callable[..., Any], tmp_path: Path) -> None:
    row = train(composed("data=wine", "trainer.max_epochs=2", "monitor.mode=max"))
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    val = evaluate(composed(f"checkpoint={last}", "split=val", name="evaluate"))
    assert val["val/loss"] == pytest.approx(row["val/loss"], rel=1e-6)


def test_batch_of_nothing_is_refused(composed: Callable[..., Any], tmp_path: Path) -> None:
    train(composed("data=wine", "debug=fast"))
    with pytest.raises(ConfigError, match="batch_size.* 0"):
        evaluate(composed(f"checkpoint={tmp_path / 'run'}", "batch_size=0", name="evaluate"))


@pytest.mark.slow
def test_command_prints_what_it_found(
    zoo: Callable[..., Any], composed: Any, tmp_path: Path
) -> None:
    row = train(composed("data=wine", "debug=fast"))
    here = tmp_path / "here"
    here.mkdir()
    done = zoo("evaluate", f"checkpoint={tmp_path / 'run'}", cwd=here)
    assert (done.returncode, done.stderr) == (0, "")
    assert "fnn on wine" in done.stdout
    # debug=fast limits the test to three batches, which are all of it here.
    assert f"{row['test/accuracy']:.4g}" in done.stdout
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "place"),
    [("evaluate", place) for place in ("data", "model", "model.net", "loss", "metrics.accuracy")]
    + [("resume", place) for place in ("data", "model.net", "optimizer", "trainer", "callbacks")],
)
def test_file_does_not_choose_what_runs(
    command: str, place: str, composed: Callable[..., Any], tmp_path: Path
) -> None:
    file = tmp_path / "foreign" / "checkpoints" / "last.ckpt"
    file.parent.mkdir(parents=True)
    torch.save(checkpoint(composed, place, {"_target_": "os.system", "command": "touch x"}), file)
    with pytest.raises(ConfigError, match="os.system"):
        if command == "evaluate":
            evaluate(composed(f"checkpoint={file}", name="evaluate"))
        else:
            train(composed(f"resume={file}"))
    assert not Path("x").exists()
    assert [str(f.relative_to(tmp_path)) for f in tmp_path.rglob("*") if f.is_file()] == [
        "foreign/checkpoints/last.ckpt"
    ]


def test_data_that_has_changed_is_refused(composed: Callable[..., Any], tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("x,y\n" + "1,a\n2,b\n" * 20)
    train(composed("data=table", f"data.path={table}", "data.target=y", "debug=fast"))
    table.write_text("x,y\n" + "1,a\n2,b\n3,c\n" * 20)
    with pytest.raises(ConfigError, match="out_features=2 is too few for data=table, which has 3"):
        evaluate(composed(f"checkpoint={tmp_path / 'run'}", name="evaluate"))


def checkpoint(composed: Callable[..., Any], place: str, node: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint as the zoo writes it, with `node` at `place` of its config."""
    from omegaconf import OmegaConf, open_dict

    from zoo.config import plain

    cfg = composed("data=wine")
    cfg.model.net.in_features, cfg.model.net.out_features = 13, 3
    with open_dict(cfg):
        OmegaConf.update(cfg, place, node, merge=False)
    return {
        "state_dict": {},
        "global_step": 1,
        "zoo": {"format": 1, "net": "FNN", "arguments": {}, "config": plain(cfg)},
    }
