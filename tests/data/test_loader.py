import itertools

import numpy as np
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
    split = Split(x[:, None], x + 1, lengths=x + 2, mask=(x % 2).bool())
    loader = BatchLoader(split, 6, transform=lambda x: x.float() / 2, shuffle=True)
    for batch in loader:
        assert isinstance(batch, Batch)
        source = (batch.x[:, 0] * 2).to(torch.uint8)
        assert torch.equal(batch.y, source + 1)
        assert torch.equal(batch.lengths, source + 2)
        assert torch.equal(batch.mask, source % 2 == 1)


# --- samples of different lengths --------------------------------------------------------------


def padded(samples: int, **kwargs) -> BatchLoader:
    """Sample i has its own length; its valid steps are i + 1, its padding 0, at every step."""
    lengths = torch.randint(1, 30, (samples,), generator=torch.Generator().manual_seed(0))
    mask = torch.arange(30) < lengths[:, None]
    x = (torch.arange(samples)[:, None] + 1) * mask
    return BatchLoader(Split(x[:, :, None].float(), x, lengths, mask), **kwargs)


def samples_of(batch: Batch) -> list[int]:
    return (batch.x[:, 0, 0].long() - 1).tolist()


def test_padded_batches_are_trimmed_to_their_longest_sample_and_lose_nothing() -> None:
    for batch in padded(70, batch_size=8, shuffle=True):
        steps = int(batch.lengths.max())
        assert batch.x.shape == (len(batch.lengths), steps, 1)
        assert batch.y.shape == batch.mask.shape == (len(batch.lengths), steps)
        assert torch.equal(batch.mask.sum(1), batch.lengths)
        for i, sample in enumerate(samples_of(batch)):
            valid = [float(sample + 1)] * int(batch.lengths[i])
            assert batch.x[i, :, 0].tolist() == valid + [0.0] * (steps - len(valid))


def test_one_target_for_a_padded_sample_is_not_trimmed() -> None:
    x, y = torch.ones(4, 5, 1), torch.arange(12.0).view(4, 3)
    (batch,) = BatchLoader(Split(x, y, torch.tensor([1, 2, 2, 1])), 4)
    assert batch.x.shape == (4, 2, 1) and sorted(batch.y[:, 0].tolist()) == [0, 3, 6, 9]


def test_without_trimming_all_batches_have_all_steps() -> None:
    assert {batch.x.shape[1] for batch in padded(70, batch_size=8, trim=False)} == {30}


def test_evaluation_is_sorted_by_length_and_has_every_sample_once() -> None:
    loader = padded(70, batch_size=8)
    for _ in range(2):
        batches = list(loader)
        lengths = torch.cat([batch.lengths for batch in batches]).tolist()
        assert lengths == sorted(lengths)
        assert sorted(flat([samples_of(batch) for batch in batches])) == list(range(70))


def test_training_buckets_are_seeded_random_and_of_similar_lengths() -> None:
    loaders = [padded(2_000, batch_size=8, shuffle=True, seed=seed) for seed in (1, 1, 2)]
    first, same, other = ([samples_of(batch) for batch in loader] for loader in loaders)
    assert first == same and first != other and first != [samples_of(b) for b in loaders[0]]
    assert sorted(flat(first)) == list(range(2_000))
    spread, whole = 0.0, 0.0
    longest = []
    for batch in loaders[1]:
        spread += batch.lengths.float().std().item() / len(loaders[1])
        longest.append(int(batch.lengths.max()))
    whole = loaders[1].split.lengths.float().std().item()
    assert spread < whole / 5  # 8 of 400 sorted samples: a 50th of the range, but at bucket ends
    assert longest != sorted(longest)


def test_the_last_batch_of_a_bucketed_epoch_may_come_anywhere() -> None:
    sizes = [len(batch.y) for batch in padded(1_001, batch_size=10, shuffle=True, seed=3)]
    assert sorted(sizes) == [1] + [10] * 100


@pytest.mark.parametrize("drop_last", [False, True])
def test_ranks_share_padded_samples_too(drop_last: bool) -> None:
    arguments = {"batch_size": 8, "shuffle": True, "world_size": 3, "drop_last": drop_last}
    ranks = [[samples_of(b) for b in padded(205, rank=r, **arguments)] for r in range(3)]
    assert len({len(batches) for batches in ranks}) == 1
    served = flat(flat(ranks))
    assert len(served) == len(set(served)) == (192 if drop_last else 205)


def test_a_position_among_buckets_can_be_continued_exactly() -> None:
    loader = padded(70, batch_size=8, shuffle=True, seed=5)
    head = [samples_of(batch) for batch in itertools.islice(loader, 3)]
    state = loader.state_dict()
    resumed = padded(70, batch_size=8, shuffle=True)
    resumed.load_state_dict(state)
    tail = [samples_of(batch) for batch in resumed]
    whole = [samples_of(batch) for batch in padded(70, batch_size=8, shuffle=True, seed=5)]
    assert head + tail == whole


# --- workers -----------------------------------------------------------------------------------


def augment(batch: Batch, *key: int) -> Batch:
    return batch._replace(x=batch.x + torch.tensor(key).sum())


@pytest.mark.parametrize("settings", [{"shuffle": True}, {"drop_last": True}, {"augment": augment}])
def test_workers_make_the_batches_that_are_made_here(settings: dict) -> None:
    ours, theirs = (numbered(30, batch_size=4, workers=n, **settings) for n in (0, 1))
    before = torch.get_rng_state()
    assert [epoch(theirs) for _ in range(2)] == [epoch(ours) for _ in range(2)]
    assert torch.equal(torch.get_rng_state(), before)


def test_a_position_can_be_continued_with_workers() -> None:
    reference = numbered(30, batch_size=4, shuffle=True, seed=2)
    part = numbered(30, batch_size=4, shuffle=True, seed=2, workers=1)
    head = [batch.x.tolist() for batch in itertools.islice(part, 3)]
    resumed = numbered(30, batch_size=4, shuffle=True, workers=1)
    resumed.load_state_dict(part.state_dict())  # what was made ahead has not been served
    assert head + epoch(resumed) == epoch(reference)
    assert epoch(resumed) == epoch(reference)


def test_a_split_in_a_mapped_file_is_served_without_being_read_whole(tmp_path) -> None:
    file = np.memmap(tmp_path / "x", dtype=np.uint8, mode="w+", shape=(100, 3))
    file[:] = np.arange(300).reshape(100, 3) % 256
    x = torch.from_numpy(file)
    loader = BatchLoader(Split(x, torch.arange(100)), 8, shuffle=True, workers=1)
    for batch in loader:
        assert torch.equal(batch.x, x[batch.y])


@pytest.mark.gpu
@pytest.mark.parametrize(("where", "workers"), [("cuda", 0), ("cpu", 0), ("cpu", 1)])
def test_batches_for_a_gpu_are_the_same_wherever_the_split_is(where: str, workers: int) -> None:
    x = torch.arange(300, dtype=torch.uint8).view(100, 3)
    split = Split(x, torch.arange(100)).to(torch.device(where))
    device = torch.device("cuda", 0)
    loader = BatchLoader(
        split, 8, transform=lambda x: x / 2, shuffle=True, device=device, workers=workers
    )
    reference = BatchLoader(Split(x, torch.arange(100)), 8, transform=lambda x: x / 2, shuffle=True)
    for ours, theirs in zip(loader, reference, strict=True):
        assert ours.x.device == ours.y.device == device
        assert torch.equal(ours.x.cpu(), theirs.x) and torch.equal(ours.y.cpu(), theirs.y)
