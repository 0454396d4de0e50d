import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data.splits import few, generator, stratified


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=150), st.integers(0, 5))
def test_a_split_is_disjoint_complete_and_keeps_each_class_in_training(
    labels: list[int], seed: int
) -> None:
    train, val, test = (part.tolist() for part in stratified(torch.tensor(labels), seed=seed))
    assert sorted(train + val + test) == list(range(len(labels)))
    assert {labels[i] for i in train} == set(labels)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(10, 60), min_size=1, max_size=8))
def test_every_class_has_its_share_within_one_sample(sizes: list[int]) -> None:
    labels = [label for label, size in enumerate(sizes) for _ in range(size)]
    parts = stratified(torch.tensor(labels))
    for part, fraction in zip(parts[1:], (0.1, 0.2), strict=True):
        total = math.ceil(sum(sizes) * fraction - 1e-6)
        assert len(part) == total
        for label, size in enumerate(sizes):
            members = sum(labels[i] == label for i in part)
            assert abs(members - size * total / sum(sizes)) < 1


def test_the_seed_decides() -> None:
    labels = torch.arange(90) % 3
    a, b, c = (stratified(labels, seed=seed) for seed in (0, 0, 1))
    assert all(torch.equal(left, right) for left, right in zip(a, b, strict=True))
    assert not torch.equal(a.test.sort().values, c.test.sort().values)


def test_parts_are_in_random_order() -> None:
    train = stratified(torch.arange(90) // 30).train
    assert not torch.equal(train, train.sort().values)
    assert set((train[:30] // 30).tolist()) == {0, 1, 2}


def test_no_class_comes_first() -> None:
    # Of 700 training samples in ten classes the first two are of one class in 69 of 699 splits.
    labels = torch.arange(1000) % 10
    firsts = [labels[stratified(labels, seed=seed).train[:2]].tolist() for seed in range(400)]
    equal = sum(a == b for a, b in firsts)
    assert equal == pytest.approx(400 * 69 / 699, abs=4 * math.sqrt(400 * 0.099 * 0.901))


def test_a_given_test_split_leaves_only_validation_to_carve() -> None:
    parts = stratified(torch.zeros(50), val=0.1, test=0.0)
    assert [len(part) for part in parts] == [45, 5, 0]


@pytest.mark.parametrize(("val", "test"), [(-0.1, 0.2), (0.5, 0.5), (0.1, -0.2)])
def test_bad_fractions(val: float, test: float) -> None:
    with pytest.raises(ValueError, match=f"`val` and `test` must be .* got {val} and {test}"):
        stratified(torch.zeros(10), val=val, test=test)


def test_streams_of_different_keys_differ_and_leave_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    keys = [(purpose, a, b) for purpose in ("order", "samples") for a in (0, 1) for b in (0, 1)]
    draws = {torch.rand(1, generator=generator(*key)).item() for key in keys}
    assert len(draws) == len(keys)
    assert torch.equal(torch.get_rng_state(), before)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=80), st.data())
def test_a_few_have_of_each_class_its_share(labels: list[int], data: st.DataObject) -> None:
    count = data.draw(st.integers(1, len(labels)))
    kept = few(torch.tensor(labels), count, seed=3).tolist()
    assert len(set(kept)) == len(kept) == count
    for label in set(labels):
        quota = labels.count(label) * count / len(labels)
        found = sum(labels[i] == label for i in kept)
        assert math.floor(quota + 1e-6) <= found <= math.ceil(quota - 1e-6)


def test_a_few_of_values_are_any() -> None:
    targets = torch.rand(50, 2)
    first, again, other = (few(targets, 20, seed=seed).tolist() for seed in (0, 0, 1))
    assert first == again != other and len(set(first)) == 20
    assert first != sorted(first)


@pytest.mark.parametrize("count", [0, 51])
def test_more_than_there_are_cannot_be_kept(count: int) -> None:
    with pytest.raises(ValueError, match=f"`train_samples` must be in 1..50, got {count}"):
        few(torch.zeros(50), count)
