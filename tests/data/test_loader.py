import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data import Batch, BatchLoader, Split


def numbered(samples: int, **kwargs) -> BatchLoader:
    """Sample i is the number i, so that a batch shows which samples it has."""
    return BatchLoader(Split(torch.arange(samples), torch.arange(samples)), **kwargs)


def epoch(loader: BatchLoader) -> list[list[int]]:
    return [batch.x.tolist() for batch in loader]


def flat(batches: list[list[int]]) -> list[int]:
    return list(itertools.chain.from_iterable(batches))


def test_an_epoch_is_a_permutation_and_the_next_is_another() -> None:
    loader = numbered(50, batch_size=8, shuffle=True)
    first, second = flat(epoch(loader)), flat(epoch(loader))
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second and first != list(range(50))


def test_without_shuffling_the_order_is_the_split_s() -> None:
    loader = numbered(10, batch_size=4)
    for _ in range(2):
        assert epoch(loader) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    a, b, c = (numbered(50, batch_size=8, shuffle=True, seed=seed) for seed in (1, 1, 2))
    torch.manual_seed(3)
    orders = [epoch(a) for _ in range(3)]
    torch.manual_seed(4)
    assert [epoch(b) for _ in range(3)] == orders
    # Seed 2 does not walk through the orders of seed 1 one epoch earlier.
    assert all(epoch(c) not in orders for _ in range(3))


def test_the_global_generator_is_not_touched() -> None:
    before = torch.get_rng_state()
    epoch(numbered(50, batch_size=8, shuffle=True))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("drop_last", [True, False])
def test_every_position_can_be_continued_exactly(shuffle: bool, drop_last: bool) -> None:
    def fresh(seed: int) -> BatchLoader:
        return numbered(22, batch_size=4, shuffle=shuffle, drop_last=drop_last, seed=seed)

    loader = fresh(seed=5)
    stream, states = [], [loader.state_dict()]
    for _ in range(4):
        for batch in loader:
            stream.append(batch.x.tolist())
            states.append(loader.state_dict())
    steps = len(loader)
    for position, state in enumerate(states[: 2 * steps + 1]):
        resumed = fresh(seed=0)  # the state brings its own seed
        resumed.load_state_dict(state)
        rest = steps - position % steps
        assert epoch(resumed) == stream[position : position + rest]
        assert epoch(resumed) == stream[position + rest :][:steps]


def test_the_epoch_ends_with_its_last_batch_even_if_nobody_asks_for_more() -> None:
    loader = numbered(8, batch_size=4, shuffle=True)
    list(itertools.islice(loader, 2))
    assert (loader.state_dict()["epoch"], loader.state_dict()["served"]) == (1, 0)


def test_an_epoch_given_up_half_way_is_followed_by_the_next() -> None:
    loader, reference = (numbered(40, batch_size=4, shuffle=True) for _ in range(2))
    next(iter(loader))
    epoch(reference)
    assert epoch(loader) == epoch(reference)


def test_a_position_of_an_epoch_of_another_length_is_refused() -> None:
    loader = numbered(40, batch_size=4)
    next(iter(loader))
    with pytest.raises(ValueError, match="of 5 batches, got one of 10"):
        numbered(40, batch_size=8).load_state_dict(loader.state_dict())


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 5), st.booleans())
def test_ranks_share_every_sample_once_in_equally_many_steps(
    samples: int, batch_size: int, world_size: int, shuffle: bool
) -> None:
    if samples < world_size:
        with pytest.raises(ValueError, match=f"must have {world_size} samples, got {samples}"):
            numbered(samples, batch_size=batch_size, world_size=world_size)
        return
    ranks = []
    for rank in range(world_size):
        loader = numbered(
            samples, batch_size=batch_size, shuffle=shuffle, rank=rank, world_size=world_size
        )
        ranks.append(epoch(loader))
        assert len(ranks[-1]) == len(loader)
    assert len({len(batches) for batches in ranks}) == 1
    assert sorted(flat(flat(ranks))) == list(range(samples))
    sizes = [len(batch) for batches in ranks for batch in batches]
    # Only single samples that do not divide among the ranks need a second place in a batch.
    assert 1 <= min(sizes) and max(sizes) <= max(batch_size, 2 if world_size > 1 else 1)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 5))
def test_drop_last_serves_full_batches_only(samples: int, batch_size: int, world_size: int) -> None:
    arguments = {"batch_size": batch_size, "drop_last": True, "world_size": world_size}
    if samples < batch_size * world_size:
        with pytest.raises(ValueError, match="`drop_last`"):
            numbered(samples, **arguments)
        return
    ranks = [epoch(numbered(samples, rank=rank, **arguments)) for rank in range(world_size)]
    assert {len(batches) for batches in ranks} == {samples // (batch_size * world_size)}
    assert {len(batch) for batches in ranks for batch in batches} == {batch_size}
    served = flat(flat(ranks))
    assert len(served) == len(set(served))


def test_all_parts_of_a_sample_stay_together_and_only_inputs_are_transformed() -> None:
    x = torch.arange(20, dtype=torch.uint8)
    split = Split(x, x + 1, lengths=x + 2, mask=(x % 2).bool())
    loader = BatchLoader(split, 6, transform=lambda x: x.float() / 2, shuffle=True)
    for batch in loader:
        assert isinstance(batch, Batch)
        source = (batch.x * 2).to(torch.uint8)
        assert torch.equal(batch.y, source + 1)
        assert torch.equal(batch.lengths, source + 2)
        assert torch.equal(batch.mask, source % 2 == 1)


def test_a_batch_is_a_copy() -> None:
    loader = numbered(4, batch_size=4)
    next(iter(loader)).x.zero_()
    assert loader.split.x.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "`batch_size` must be at least 1, got 0"),
        ({"batch_size": 1, "rank": 2, "world_size": 2}, r"`rank` must be in \[0, .*2\), got 2"),
        ({"batch_size": 1, "rank": -1}, "`rank` must be .* got -1"),
    ],
)
def test_bad_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        numbered(4, **arguments)
