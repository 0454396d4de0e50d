import math
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zoo.data.piano_rolls import PianoRolls
from zoo.losses import BinaryCrossEntropy

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "polymusic"


def save(folder: Path, **parts: list) -> str:
    """A .mat file with one cell array a part."""
    arrays = {}
    for key, pieces in parts.items():
        arrays[key] = np.empty((1, len(pieces)), dtype=object)
        for index, piece in enumerate(pieces):
            arrays[key][0, index] = piece
    scipy.io.savemat(folder / "song.mat", arrays, do_compression=True)
    return str(folder / "song.mat")


def roll(*frames: str) -> np.ndarray:
    return np.array([[int(note) for note in frame] for frame in frames], dtype=np.uint8)


LONG, SHORT = roll("100", "010", "011", "000"), roll("110", "001")


@pytest.fixture
def song(tmp_path: Path) -> str:
    return save(tmp_path, traindata=[LONG, SHORT], validdata=[SHORT], testdata=[LONG])


def test_a_frame_predicts_the_next_and_padding_does_not_count(song: str) -> None:
    module = PianoRolls(path=song, shuffle=False)
    batch = next(iter(module.train_dataloader()))
    # The shorter one comes first: evaluation is by length.
    assert batch.x[1].tolist() == LONG[:-1].tolist() and batch.y[1].tolist() == LONG[1:].tolist()
    assert batch.x[0].tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert batch.lengths.tolist() == [1, 3]
    assert batch.mask.tolist() == [[True, False, False], [True, True, True]]
    assert (batch.x.dtype, batch.y.dtype) == (torch.float32, torch.float32)
    facts = module.facts
    assert (facts["readout"], facts["in_features"], facts["out_features"]) == ("every", 3, 3)
    assert module.describe() == "song: 2 train, 1 validation, 1 test; 3 x 3 sequences, 3 targets"


def test_the_loss_is_the_sum_over_notes_and_the_mean_over_frames(song: str) -> None:
    batch = next(iter(PianoRolls(path=song, shuffle=False).train_dataloader()))
    logits = torch.randn(batch.y.shape, generator=torch.Generator().manual_seed(0))
    frames = []
    for piece, steps in ((0, 1), (1, 3)):
        for step in range(steps):
            nll = 0.0
            for note in range(3):
                p = 1 / (1 + math.exp(-logits[piece, step, note]))
                nll -= math.log(p if batch.y[piece, step, note] else 1 - p)
            frames.append(nll)
    loss = BinaryCrossEntropy(reduction="sum")(logits, batch.y, mask=batch.mask)
    assert loss.item() == pytest.approx(sum(frames) / 4, rel=1e-5)


def test_the_baseline_is_how_often_notes_sound(song: str) -> None:
    # Targets of training: 010, 011, 000 and 001.
    p = [(0 + 1) / (4 + 2), (2 + 1) / (4 + 2), (2 + 1) / (4 + 2)]
    nll = [
        -sum(math.log(q if note == "1" else 1 - q) for q, note in zip(p, frame, strict=True))
        for frame in ("010", "011", "000")
    ]
    assert PianoRolls(path=song).baselines() == {"loss": pytest.approx(sum(nll) / 3)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"testdata": [roll("12", "00")]}, "testdata, piece 1: 1 values are neither 0 nor 1, .* 2"),
        ({"testdata": [LONG, LONG[:1]]}, "testdata, piece 2: 1 frames"),
        ({"validdata": [roll("01", "10")]}, r"pieces of \[2, 3\] notes"),
        ({"validdata": []}, "validdata is empty"),
        ({"traindata": [np.array(["a"])]}, "traindata, piece 1: it must be a matrix"),
        (
            {"traindata": [np.full((2, 3), np.nan)]},
            "neither 0 nor 1, the first one in frame 1, note 1",
        ),
    ],
)
def test_what_is_wrong_with_a_roll(tmp_path, change: dict, message: str) -> None:
    parts = {"traindata": [LONG], "validdata": [LONG], "testdata": [LONG], **change}
    with pytest.raises(ValueError, match=message):
        PianoRolls(path=save(tmp_path, **parts)).setup()


def test_what_is_wrong_with_a_file(tmp_path, song: str) -> None:
    with pytest.raises(ValueError, match="`path` must name a .mat file of piano rolls"):
        PianoRolls().setup()
    with pytest.raises(FileNotFoundError, match="none.mat does not exist"):
        PianoRolls(path=str(tmp_path / "none.mat")).setup()
    with pytest.raises(ValueError, match="has no variable 'testdata'; it has traindata, validdata"):
        PianoRolls(path=save(tmp_path, traindata=[LONG], validdata=[LONG])).setup()


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0, 10_000), st.binary(max_size=8), st.booleans())
def test_any_damage_is_an_error_or_harmless(song: str, at: int, damage: bytes, cut: bool) -> None:
    file = Path(song)
    whole = file.read_bytes()
    at %= len(whole)
    file.write_bytes(whole[:at] + damage + (b"" if cut else whole[at + len(damage) :]))
    try:
        PianoRolls(path=song).setup()
    except ValueError as error:
        assert "song.mat" in str(error)
    finally:
        file.write_bytes(whole)


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
def test_jsb_chorales_are_split_as_published() -> None:
    module = PianoRolls(path=str(DATA / "JSB_Chorales.mat"))
    assert module.describe() == (
        "JSB_Chorales: 229 train, 76 validation, 77 test; 128 x 88 sequences, 88 targets"
    )
    assert module.baselines()["loss"] == pytest.approx(11.09, abs=0.01)
