"""The same again, with another seed, watched or not, and many at once."""

import gc
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import instantiate

SHORT = ("debug=fast", "trainer.max_epochs=2")


@pytest.mark.parametrize("model", [pytest.param("lstm", marks=pytest.mark.slow), "vae"])
def test_same_seed_gives_the_same_run_bit_for_bit(run: Callable[..., Any], model: str) -> None:
    a = run("a", f"model={model}", *SHORT, "seed=0")
    torch.manual_seed(5)  # whatever happened in the process before
    b = run("b", f"model={model}", *SHORT, "seed=0")
    assert a.weights() == b.weights()
    assert a.curves() == b.curves()
    assert a.metrics() == b.metrics()
    assert a.metrics()["seed"] == 0  # zero is a seed, not the lack of one


@pytest.mark.slow
def test_another_seed_gives_another_run(run: Callable[..., Any]) -> None:
    a = run("a", *SHORT, "seed=0")
    b = run("b", *SHORT, "seed=1")
    assert a.weights() != b.weights()
    assert a.curves()["train/loss"] != b.curves()["train/loss"]


@pytest.mark.slow
def test_watching_a_run_does_not_change_it(
    run: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("model=vae", *SHORT)  # it draws random numbers wherever it is called
    plain = run("a", *words, "callbacks.summary.graph=false")
    watched = run("b", *words, "callbacks.progress.show=true")
    bare = run("c", *words, "logger=none")
    assert "epoch 2/2" in capsys.readouterr().err
    assert watched.events().Tags()["graph"] and not plain.events().Tags()["graph"]
    assert not list(bare.path.glob("events.*"))
    assert plain.weights() == watched.weights() == bare.weights()


BARE = (
    *("logger=none", "trainer.limit_val_batches=0", "callbacks.summary.graph=false"),
    *("~callbacks.baselines", "~callbacks.doctor", "~callbacks.finite"),
)
WATCHED = {
    "sanity check": ("trainer.num_sanity_val_steps=2",),
    "often": ("trainer.val_check_interval=0.5", "trainer.log_every_n_steps=1"),
    "seldom": ("trainer.check_val_every_n_epoch=2", "trainer.limit_val_batches=1"),
    "early stopping": ("callbacks=[default,early_stopping]",),
    "average": ("callbacks=[default,ema]",),
    "bar": ("callbacks.progress.show=true",),
    "profiler": ("debug=profile", "trainer.max_epochs=3"),
    "anomalies": ("trainer.detect_anomaly=true",),
    "workers": ("data.in_memory=false",),
}


def learned(folder: Any) -> dict[str, Any]:
    """The weights that training went on from, and what it logged of itself at each epoch."""
    saved = torch.load(folder.path / "checkpoints" / "last.ckpt", weights_only=True)
    weights = saved.get("ema", {}).get("weights", saved["state_dict"])
    curves = folder.curves() if list(folder.path.glob("events.*")) else {}
    logged = {tag: points for tag, points in curves.items() if tag.startswith("train/")}
    logged.pop("train/loss_step", None)  # means over as many steps as it is logged at
    return {"weights": {name: w.tolist() for name, w in weights.items()}, "logged": logged}


@pytest.mark.slow
@pytest.mark.parametrize("model", ["vae", "lstm", "cnn"])
def test_no_way_of_watching_changes_what_is_learned(run: Callable[..., Any], model: str) -> None:
    noise = "noise" if model == "vae" else "mixup"
    words = (
        f"model={model}",
        f"augmentation={noise}",
        "data.batch_size=64",
        "trainer.max_epochs=3",
    )
    words += ("trainer.limit_train_batches=4",)
    plain = learned(run("plain", *words))
    assert learned(run("bare", *words, *BARE))["weights"] == plain["weights"]
    together = [word for group in ("sanity check", "often", "average") for word in WATCHED[group]]
    assert learned(run("watched", *words, *together)) == plain


@pytest.mark.slow
@pytest.mark.parametrize("way", WATCHED)
@pytest.mark.parametrize("model", ["fnn", "vae"])
def test_each_way_of_watching_changes_nothing(
    run: Callable[..., Any], model: str, way: str
) -> None:
    words = (f"model={model}", "trainer.max_epochs=3", "trainer.limit_train_batches=4")
    assert learned(run("watched", *words, *WATCHED[way])) == learned(run("plain", *words))


def test_test_split_is_the_same_for_every_seed(composed: Callable[..., Any]) -> None:
    a, b = (instantiate(composed(f"seed={seed}").data) for seed in (0, 1))
    a.setup()
    b.setup()
    assert torch.equal(a.splits["test"].x, b.splits["test"].x)
    assert torch.equal(a.splits["val"].y, b.splits["val"].y)
    first = [next(iter(data.train_dataloader())).y for data in (a, b)]
    assert not torch.equal(*first)  # while the order of training differs


def test_events_are_on_disk_when_a_run_ends(run: Callable[..., Any]) -> None:
    folder = run("a", "data=iris", "debug=fast")
    size = sum(file.stat().st_size for file in folder.path.glob("events.*"))
    gc.collect()  # a writer left open would write the rest now
    assert sum(file.stat().st_size for file in folder.path.glob("events.*")) == size
    assert {"test/loss", "best/loss"} <= set(folder.curves())


@pytest.mark.slow
def test_multirun_gives_one_folder_per_sweep_and_one_per_job(
    zoo: Callable[..., Any], opened: Callable[..., Any], tmp_path: Path
) -> None:
    done = zoo("train", "-m", "model=linear,fnn", "seed=0,1", "debug=fast", "logger=none")
    assert done.returncode == 0, done.stderr
    [sweep] = (tmp_path / "runs" / "multirun").iterdir()
    jobs = sorted(path for path in sweep.iterdir() if path.is_dir())
    rows = [opened(job).metrics() for job in jobs]
    assert len(jobs) == 4
    for job, row in zip(jobs, rows, strict=True):
        assert f"model={row['model']}" in job.name
        assert f"seed={row['seed']}" in job.name
    assert {(row["model"], row["seed"]) for row in rows} == {
        (model, seed) for model in ("linear", "fnn") for seed in (0, 1)
    }
    looks = set(re.findall(r"^look +(.+)$", done.stdout, flags=re.MULTILINE))
    assert looks == {f"tensorboard --logdir {sweep.relative_to(tmp_path)}"}
    # A job's folder has a name with commas and equals signs; it can still be typed.
    runs = re.findall(r"^run +(.+)$", done.stdout, flags=re.MULTILINE)
    assert str(jobs[0].relative_to(tmp_path)) in runs
    evaluated = zoo("evaluate", f"checkpoint={runs[0]}")
    assert evaluated.returncode == 0, evaluated.stderr
