"""Several processes share the batches of one."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data import BatchLoader, Split
from zoo.data.streams import StreamLoader


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 150), st.integers(1, 9), st.integers(2, 5), st.booleans(), st.booleans())
def test_ranks_share_the_batches_of_one_process(
    samples: int, batch_size: int, ranks: int, shuffle: bool, padded: bool
) -> None:
    if samples < ranks:
        return
    random = torch.Generator().manual_seed(samples)
    lengths = torch.randint(1, 30, (samples,), generator=random) if padded else None
    split = Split(torch.arange(samples), torch.arange(samples), lengths)
    alone = BatchLoader(split, batch_size * ranks, shuffle=shuffle, seed=3)
    parts = [
        BatchLoader(split, batch_size, shuffle=shuffle, seed=3, rank=rank, world_size=ranks)
        for rank in range(ranks)
    ]
    whole = [sorted(batch.tolist()) for batch in alone.batches(1)]
    dealt = list(zip(*(part.batches(1) for part in parts), strict=True))
    joined = [sorted(torch.cat(shares).tolist()) for shares in dealt]
    assert all(max(map(len, s)) - min(map(len, s)) <= 1 for s in dealt)
    assert sorted(sum(joined, [])) == list(range(samples))
    rest = samples % (batch_size * ranks)
    if rest == 0 or rest >= ranks:
        assert joined == whole
    else:  # a rank without a sample would have no gradient: the last batch is filled up
        assert sum(batch in whole for batch in joined) >= len(joined) - 2


def test_ranks_share_the_streams_of_one_process() -> None:
    tokens = torch.arange(103)
    alone = StreamLoader(tokens, 4, 7, shuffle=True, seed=1)
    parts = [
        StreamLoader(tokens, 2, 7, shuffle=True, seed=1, rank=rank, world_size=2)
        for rank in range(2)
    ]
    for whole, *shares in zip(alone, *parts, strict=True):
        assert torch.equal(whole.x, torch.cat([share.x for share in shares]))
        assert torch.equal(whole.y, torch.cat([share.y for share in shares]))
