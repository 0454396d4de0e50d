"""Under Lightning: the batches of a run that was interrupted are those of one that was not."""

import warnings

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from zoo.data import Iris
from zoo.data.augmentation import Mixup, Noise


class Recorder(LightningModule):
    """Learns nothing; remembers the batches that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen: list[tuple[int, int, float]] = []

    def training_step(self, batch, index):
        self.seen.append((self.current_epoch, index, batch.x.sum().item()))
        return self.weight * 0.0

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def train(tmp_path, resume=None, steps=1, data=None, **arguments) -> list[tuple[int, int, float]]:
    module = Recorder()
    checkpoint = ModelCheckpoint(
        tmp_path, filename="{step}", save_top_k=-1, every_n_train_steps=steps
    )
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[checkpoint],
        default_root_dir=tmp_path,
        **arguments,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's advice on the small run
        data = Iris(batch_size=16, seed=1, **(data or {}))
        trainer.fit(module, data, ckpt_path=resume, weights_only=True)
    return module.seen


@pytest.mark.parametrize("stop", [1, 3, 7, 10, 14, 17])
def test_a_run_resumed_by_lightning_sees_the_batches_of_one_that_never_stopped(
    tmp_path, stop: int
) -> None:
    whole = train(tmp_path / "whole", max_epochs=3)
    assert len(whole) == 21 and len({total for _, _, total in whole}) == 21
    train(tmp_path / "part", max_steps=stop, max_epochs=3)
    rest = train(tmp_path / "rest", tmp_path / "part" / f"step={stop}.ckpt", max_epochs=3)
    assert rest == whole[stop:]


@pytest.mark.parametrize(
    "data", [{}, {"in_memory": False, "workers": 1}], ids=["memory", "workers"]
)
def test_a_run_resumed_in_mid_epoch_augments_as_one_that_never_stopped(tmp_path, data) -> None:
    data = {**data, "augmentation": {"noise": Noise(), "mixup": Mixup()}}
    whole = train(tmp_path / "whole", max_epochs=2, data=data)
    assert len({total for _, _, total in whole}) == 14
    train(tmp_path / "part", max_steps=10, max_epochs=2, data=data)
    rest = train(tmp_path / "rest", tmp_path / "part" / "step=10.ckpt", max_epochs=2, data=data)
    assert rest == whole[10:]


@pytest.mark.parametrize("limit", [None, 3])
def test_a_run_resumed_between_two_epochs_goes_on_with_the_next(tmp_path, limit) -> None:
    arguments = {"steps": None, "limit_train_batches": limit}  # no steps: one file an epoch
    whole = train(tmp_path / "whole", max_epochs=4, **arguments)
    train(tmp_path / "part", max_epochs=2, **arguments)
    (last,) = (tmp_path / "part").glob(f"step={2 * (limit or 7)}.ckpt")
    rest = train(tmp_path / "rest", last, max_epochs=4, **arguments)
    assert rest == whole[2 * (limit or 7) :]


def test_overfitting_serves_the_same_batches_in_each_epoch(tmp_path) -> None:
    seen = train(tmp_path, max_epochs=3, overfit_batches=2)
    assert len(seen) == 6 and len({total for _, _, total in seen}) == 2
