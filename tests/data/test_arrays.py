"""What arrays are taken for, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch

from zoo.data.arrays import ArrayData, ArrayFile

rng = np.random.default_rng(0)
TABLE = rng.normal(size=(40, 5))
BYTES = rng.integers(0, 256, (40, 9, 8, 3), np.uint8)
LABELS = np.arange(40) % 4
VALUES = rng.normal(size=(40, 2)) * [3, 5] + 7


def ready(data, **settings):
    data = data if isinstance(data, (ArrayData, ArrayFile)) else ArrayData(*data, **settings)
    data.setup()
    return data


@pytest.mark.parametrize(
    ("shape", "kind", "layout", "view", "served"),
    [
        ((40, 5), float, "auto", "vector", (5,)),
        ((40, 5), np.uint8, "auto", "vector", (5,)),
        ((40, 7, 5), np.uint8, "auto", "image", (1, 7, 5)),
        ((40, 8, 8), float, "auto", "image", (1, 8, 8)),
        ((40, 7, 7), float, "auto", "sequence", (7, 7)),
        ((40, 9, 5), float, "auto", "sequence", (9, 5)),
        ((40, 8, 8), float, "sequence", "sequence", (8, 8)),
        ((40, 9, 5), float, "chw", "image", (1, 9, 5)),
        ((40, 9), float, "sequence", "sequence", (9, 1)),
        ((40, 3, 6, 5), float, "auto", "image", (3, 6, 5)),
        ((40, 6, 5, 3), np.uint8, "auto", "image", (3, 6, 5)),
        ((40, 6, 5, 1), float, "auto", "image", (1, 6, 5)),
        ((40, 3, 3, 3), float, "hwc", "image", (3, 3, 3)),
        ((40, 2, 6, 5), float, "chw", "image", (2, 6, 5)),
        ((40, 6, 5, 2), float, "hwc", "image", (2, 6, 5)),
    ],
)
def test_the_shape_says_what_it_is(
    shape: tuple[int, ...], kind: type, layout: str, view: str, served: tuple[int, ...]
) -> None:
    x = (rng.normal(size=shape) * 99).astype(kind)
    data = ready((x, LABELS), layout=layout, scaling="none")
    assert data.view == view
    batch = next(iter(data.test_dataloader()))
    assert tuple(batch.x.shape[1:]) == served and batch.x.dtype == torch.float32
    assert data.splits["test"].x.dtype == (torch.uint8 if kind is np.uint8 else torch.float32)
    # The same numbers, channels first.
    channels_last = x.ndim == 4 and (layout == "hwc" or served != shape[1:])
    first = np.moveaxis(x, -1, 1) if channels_last else x
    assert {row.tobytes() for row in batch.x.numpy()} <= {
        np.ascontiguousarray(row, np.float32).tobytes() for row in first
    }


@pytest.mark.parametrize("shape", [(40, 6, 5, 7), (40, 3, 8, 3), (40, 1, 8, 4)])
def test_where_the_channels_are_must_be_said_if_it_cannot_be_seen(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="say data.layout=chw or data.layout=hwc"):
        ArrayData(rng.normal(size=shape), LABELS)


@pytest.mark.parametrize(
    ("shape", "layout"), [((40,), "auto"), ((40, 5), "chw"), ((40, 2, 2, 2), "sequence")]
)
def test_a_layout_that_does_not_fit_is_a_sentence(shape: tuple[int, ...], layout: str) -> None:
    with pytest.raises(ValueError, match=f"x must be .* data.layout={layout} of .*got the shape"):
        ArrayData(np.zeros(shape), LABELS, layout=layout)


def test_a_view_that_the_shape_has_not_is_a_sentence(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=TABLE, y=LABELS)
    data = ArrayFile(path=str(tmp_path / "a.npz"), view="image")
    with pytest.raises(ValueError, match=r"view=image needs .*x has the shape \(40, 5\)"):
        data.setup()


def test_bytes_have_known_limits() -> None:
    data = ready((BYTES // 2, LABELS), scaling="unit")
    train = data.splits["train"].x.float() / 255
    assert data.facts["range"] == pytest.approx([train.min().item(), train.max().item()])


def test_values_are_standardised_and_reported_as_they_are() -> None:
    data = ready((TABLE, VALUES))
    assert data.target == "values" and data.class_names is None
    y = data.splits["train"].y
    assert y.dtype == torch.float32 and y.mean(0).abs().max() < 1e-6
    original = y * data.target_scaling.scale + data.target_scaling.shift
    rounded = {tuple(row) for row in np.round(VALUES, 4)}
    assert {tuple(np.round(row, 4)) for row in original.double().numpy()} <= {
        tuple(np.round(np.float32(row).astype(float), 4)) for row in rounded
    }
    assert data.facts["out_features"] == 2 and len(data.facts["scale"]) == 2


@pytest.mark.parametrize(
    ("y", "task", "target"),
    [
        (LABELS, "auto", "classes"),
        (LABELS.astype(np.uint8)[:, None], "auto", "classes"),
        (LABELS > 1, "auto", "classes"),
        (LABELS.astype(float), "auto", "values"),
        (LABELS.astype(float), "classification", "classes"),
        (LABELS, "regression", "values"),
        (torch.tensor(LABELS), "auto", "classes"),
        (LABELS.tolist(), "auto", "classes"),
    ],
)
def test_the_type_of_y_says_what_it_is(y, task: str, target: str) -> None:
    data = ready((TABLE, y), task=task)
    batch = next(iter(data.train_dataloader()))
    assert data.target == target
    if target == "classes":
        assert batch.y.dtype == torch.int64 and batch.y.ndim == 1
    else:
        assert batch.y.dtype == torch.float32 and batch.y.shape[1] == 1


def changed(array: np.ndarray, **cells: float) -> np.ndarray:
    array = array.astype(float)
    for cell, value in cells.items():
        array[tuple(int(i) for i in cell.split("_")[1:])] = value
    return array


@pytest.mark.parametrize(
    ("x", "y", "settings", "message"),
    [
        (TABLE[:-1], LABELS, {}, "x and y must be of the same length, got 39 and 40"),
        (TABLE[:0], LABELS[:0], {}, "x is empty"),
        (TABLE[:, :0], LABELS, {}, "x is empty"),
        (changed(TABLE, _3_1=np.nan, _7_0=np.inf), LABELS, {}, r"x has 2 values .* \[3, 1\] \(nan"),
        (
            changed(TABLE, _5_4=1e300),
            LABELS,
            {},
            r"beyond float32, the first at \[5, 4\] \(1e\+300",
        ),
        (TABLE, changed(VALUES, _2_1=-np.inf), {}, r"y has 1 values .* \[2, 1\]"),
        (TABLE, LABELS - 1, {}, r"y must be classes from 0 to 2, got -1 at position 0 \(10 such"),
        (TABLE, LABELS * 2, {}, "but 1, 3, 5 never occurs"),
        (TABLE, LABELS * 100, {}, "labels up to 300, so 301 classes for 40 samples"),
        (TABLE[:3], [0, 5, 9], {}, "10 classes for 3 samples"),
        (TABLE, LABELS + 0.5, {"task": "classification"}, "whole numbers .*got 0.5 at position 0"),
        (TABLE, changed(LABELS, _4=np.nan), {"task": "classification"}, "got nan at position 4"),
        (TABLE, np.eye(4, dtype=int)[LABELS], {}, r"one class for each sample, got the shape \(40"),
        (TABLE, np.zeros((40, 2, 2)), {}, r"y must be values \(N,\) or \(N, K\)"),
        (TABLE, np.array(list("abcd"))[LABELS], {}, "y must be numbers, got the type <U1"),
        (np.array([["a"]] * 40), LABELS, {}, "x must be numbers"),
        (TABLE + 1j, LABELS, {}, "x must be numbers, got the type complex128"),
        (np.array([[None]] * 40), LABELS, {}, "x must be numbers, got the type object"),
        (TABLE[:2], LABELS[:2], {}, "2 samples are too few"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_what_is_wrong_is_one_sentence(x, y, settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        ready((x, y), **settings)
    assert "\n" not in str(error.value)


def test_the_test_must_be_like_the_training() -> None:
    with pytest.raises(ValueError, match=r"samples of x_train and x_test .* \(5,\) and \(4,\)"):
        ready((TABLE, LABELS), x_test=TABLE[:, :4], y_test=LABELS)
    with pytest.raises(ValueError, match="y_train must have every class .* 4 never occurs"):
        ready((TABLE, LABELS), x_test=TABLE[:5], y_test=[0, 1, 2, 3, 4])
    with pytest.raises(ValueError, match="`x_test` and `y_test` come together"):
        ArrayData(TABLE, LABELS, x_test=TABLE)


def test_what_was_given_is_not_changed() -> None:
    x, y = TABLE.astype(np.float32), VALUES.astype(np.float32)
    before = x.copy(), y.copy()
    x.flags.writeable = y.flags.writeable = False
    data = ready((x, y), x_test=torch.tensor(before[0]), y_test=torch.tensor(before[1]))
    for batch in data.train_dataloader():
        batch.x.zero_()
    assert np.array_equal(x, before[0]) and np.array_equal(y, before[1])


def test_one_line_is_enough_for_lightning(tmp_path: Path) -> None:
    import warnings

    from lightning.pytorch import Trainer

    from zoo.lit import LitFeedForward
    from zoo.losses import CrossEntropy
    from zoo.models import CNN

    data = ArrayData(BYTES, LABELS)
    net = CNN((3, 9, 8), 4, channels=(4,))
    module = LitFeedForward(net, loss=CrossEntropy())
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"lightning\..*")
        trainer = Trainer(
            max_epochs=1,
            accelerator="cpu",
            enable_model_summary=False,
            default_root_dir=tmp_path,
            **quiet,
        )
        trainer.fit(module, data)
        trainer.test(module, data, verbose=False)
    assert 0 < trainer.callback_metrics["test/loss"] < 10
