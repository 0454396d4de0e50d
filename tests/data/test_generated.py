import math

import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import make_moons

from zoo.data import Adding, CopyMemory, Sine, Spirals, TemporalOrder, TwoMoons

SMALL = {"train_size": 300, "val_size": 20, "test_size": 30}
SETS = [Adding, CopyMemory, Sine, Spirals, TemporalOrder, TwoMoons]


def train(data):
    data.setup()
    return data.splits["train"]


@pytest.mark.parametrize("data", SETS)
def test_sizes_streams_and_seeds(data) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    a, b, other = (
        data(**SMALL, seed=seed, split_seed=split_seed)
        for seed, split_seed in ((0, 0), (1, 0), (0, 1))
    )
    for module in (a, b, other):
        module.setup()
    assert torch.equal(torch.get_rng_state(), before)
    assert [len(a.splits[name].x) for name in ("train", "val", "test")] == [300, 20, 30]
    for name in a.splits:
        assert torch.equal(a.splits[name].x, b.splits[name].x)
        assert torch.equal(a.splits[name].y, b.splits[name].y)
        assert not torch.equal(a.splits[name].x, other.splits[name].x)
    assert not torch.equal(a.splits["val"].x, a.splits["test"].x[:20])
    assert not torch.equal(a.splits["val"].x, a.splits["train"].x[:20])


@pytest.mark.parametrize("data", SETS)
def test_the_test_split_does_not_depend_on_the_size_of_training(data) -> None:
    a, b = data(**SMALL), data(**SMALL | {"train_size": 10})
    a.setup(), b.setup()
    assert torch.equal(a.splits["test"].x, b.splits["test"].x)


@pytest.mark.parametrize("length", [2, 3, 50])
def test_adding_sample_by_sample(length: int) -> None:
    split = train(Adding(length=length, **SMALL))
    assert split.x.shape == (300, length, 2) and split.y.shape == (300, 1)
    places = set()
    for steps, (y,) in zip(split.x.tolist(), split.y.tolist(), strict=True):
        assert all(0 <= value <= 1 and mark in (0, 1) for value, mark in steps)
        marked = [t for t, (_, mark) in enumerate(steps) if mark == 1]
        assert len(marked) == 2 and marked[0] < length // 2 <= marked[1]
        assert y == pytest.approx(sum(value * mark for value, mark in steps))
        places.update(marked)
    assert places == set(range(length))


def test_adding_s_constant_predictor_has_the_variance_of_two_uniforms() -> None:
    y = train(Adding(length=10, train_size=40_000)).y
    # 1/6 = 2 * 1/12; the mean of 40,000 squares is within 5 standard errors of about 0.001.
    assert (y - 1).square().mean().item() == pytest.approx(1 / 6, abs=0.005)


@pytest.mark.parametrize("delay", [1, 2, 30])
def test_copy_memory_sample_by_sample(delay: int) -> None:
    data = CopyMemory(delay=delay, **SMALL)
    split = train(data)
    for x, y in zip(split.x.tolist(), split.y.tolist(), strict=True):
        symbols = x[:10]
        assert all(1 <= symbol <= 8 for symbol in symbols)
        assert x == symbols + [0] * (delay - 1) + [9] * 11
        assert y == [0] * (delay + 10) + symbols
    assert len({tuple(x[:10].tolist()) for x in split.x}) == 300
    assert set(split.x[:, :10].flatten().tolist()) == set(range(1, 9))


def test_copy_memory_without_memory_costs_ten_log_eight_over_the_length() -> None:
    delay = 30
    y = train(CopyMemory(delay=delay, **SMALL)).y
    # What is known without memory: blanks, then any of eight symbols.
    probabilities = torch.zeros(delay + 20, 10, dtype=torch.float64)
    probabilities[: delay + 10, 0] = 1
    probabilities[delay + 10 :, 1:9] = 1 / 8
    loss = F.nll_loss(probabilities.log().expand(300, -1, -1).transpose(1, 2), y)
    assert loss.item() == pytest.approx(10 * math.log(8) / (delay + 20), rel=1e-9)


@pytest.mark.parametrize("length", [10, 15, 100])
def test_temporal_order_sample_by_sample(length: int) -> None:
    data = TemporalOrder(length=length, **SMALL)
    split = train(data)
    seen = set()
    for numbers, y in zip(split.x.tolist(), split.y.tolist(), strict=True):
        text = "".join("abcdXYEB"[number] for number in numbers)
        assert len(text) == length and text[0] == "E" and text[-1] == "B"
        places = [t for t, symbol in enumerate(text) if symbol in "XY"]
        assert len(places) == 2
        assert length // 10 <= places[0] <= 2 * length // 10
        assert 5 * length // 10 <= places[1] <= 6 * length // 10
        assert set(text[1:-1]) - set("XY") <= set("abcd")
        pair = text[places[0]] + text[places[1]]
        assert pair == ["XX", "XY", "YX", "YY"][y] == data.class_names[y]
        seen.add((pair, *places))
    assert {pair for pair, *_ in seen} == {"XX", "XY", "YX", "YY"}
    assert {first for _, first, _ in seen} == set(range(length // 10, 2 * length // 10 + 1))


@pytest.mark.parametrize(("window", "horizon"), [(2, 1), (20, 5)])
def test_a_sine_without_noise_goes_on_from_window_to_horizon(window: int, horizon: int) -> None:
    period = 12.0
    split = train(Sine(window=window, horizon=horizon, period=period, noise=0.0, **SMALL))
    assert split.x.shape == (300, window, 1) and split.y.shape == (300, horizon)
    # A sine obeys s[t + 1] = 2 cos(2 pi / period) s[t] - s[t - 1], across the border as well.
    series = torch.cat([split.x[..., 0], split.y], dim=1).double()
    expected = 2 * math.cos(2 * math.pi / period) * series[:, 1:-1] - series[:, :-2]
    torch.testing.assert_close(series[:, 2:], expected, atol=1e-5, rtol=0)
    assert series.abs().max() <= 1 and series[:, 0].min() < -0.99 and series[:, 0].max() > 0.99


def test_the_noise_of_a_sine_is_on_window_and_horizon_alike() -> None:
    clean, noisy = (train(Sine(noise=noise, horizon=4, train_size=5_000)) for noise in (0.0, 0.25))
    assert (noisy.x - clean.x).std().item() == pytest.approx(0.25, rel=0.02)
    assert (noisy.y - clean.y).std().item() == pytest.approx(0.25, rel=0.02)


def test_moons_without_noise_lie_on_the_arcs_of_scikit_learn() -> None:
    data = TwoMoons(noise=0.0, **SMALL)
    split = train(data)
    reference, labels = make_moons(2_001, noise=None)
    for label in (0, 1):
        points = split.x[split.y == label]
        arc = torch.from_numpy(reference[labels == label]).float()
        assert len(points) == 150
        # The reference has a point every pi / 1000 on the arc.
        assert torch.cdist(points, arc).min(1).values.max() < 0.002
        assert torch.cdist(arc, points).min(1).values.max() < 0.3


@pytest.mark.parametrize("arms", [2, 3])
def test_spirals_without_noise_lie_on_their_arms(arms: int) -> None:
    split = train(Spirals(arms=arms, turns=1.25, noise=0.0, **SMALL))
    assert split.y.bincount().tolist() == [300 // arms] * arms
    for (a, b), arm in zip(split.x.tolist(), split.y.tolist(), strict=True):
        radius = math.hypot(a, b)
        assert radius <= 1
        angle = 2 * math.pi * (1.25 * radius + arm / arms)
        assert (a, b) == pytest.approx(
            (radius * math.cos(angle), radius * math.sin(angle)), abs=1e-5
        )


@pytest.mark.parametrize("data", [TwoMoons, Spirals])
def test_noise_in_the_plane_has_its_deviation(data) -> None:
    clean, noisy = (train(data(noise=noise, train_size=5_000)) for noise in (0.0, 0.3))
    assert (noisy.x - clean.x).std().item() == pytest.approx(0.3, rel=0.03)


@pytest.mark.parametrize(
    ("data", "arguments", "message"),
    [
        (Adding, {"length": 1}, "`length` must be an integer of at least 2, got 1"),
        (CopyMemory, {"delay": 0}, "`delay` must be an integer of at least 1, got 0"),
        (CopyMemory, {"view": "image"}, "of copy_memory must be one of sequence, tokens, got 'im"),
        (
            CopyMemory,
            {"scaling": "standard"},
            "of copy_memory must be one of none, unit, got 'stan",
        ),
        (TemporalOrder, {"length": 9}, "`length` must be an integer of at least 10, got 9"),
        (Sine, {"window": 0}, "`window` must be an integer of at least 1, got 0"),
        (Sine, {"horizon": 0.5}, "`horizon` must be an integer of at least 1, got 0.5"),
        (Sine, {"noise": -0.1}, "`noise` must be a finite number of at least 0, got -0.1"),
        (Sine, {"noise": math.nan}, "`noise` must be .* got nan"),
        (Sine, {"period": 2}, "`period` must be .* more than 2 steps, got 2"),
        (Sine, {"period": math.inf}, "`period` must be .* got inf"),
        (TwoMoons, {"noise": "much"}, "`noise` must be .* got 'much'"),
        (Spirals, {"arms": 1}, "`arms` must be an integer of at least 2, got 1"),
        (Spirals, {"turns": -1}, "`turns` must be a finite number of at least 0, got -1"),
        (Adding, {"train_size": 0}, "`train_size` must be an integer of at least 1, got 0"),
        (Adding, {"test_size": True}, "`test_size` must be an integer .* got True"),
    ],
)
def test_bad_arguments(data, arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        data(**arguments)
