"""A text as streams: nothing lost, nothing out of place."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data.streams import StreamLoader


@settings(max_examples=200, deadline=None)
@given(st.integers(2, 200), st.integers(1, 6), st.integers(1, 9), st.integers(1, 3))
def test_every_stream_is_a_stretch_of_the_text(
    size: int, streams: int, length: int, world_size: int
) -> None:
    text = torch.arange(size)
    every = streams * world_size
    if size < every + 1:
        with pytest.raises(ValueError, match=f"{every} streams must have {every + 1} tokens"):
            StreamLoader(text, streams, length, world_size=world_size)
        return
    read = []
    for rank in range(world_size):
        loader = StreamLoader(text, streams, length, rank=rank, world_size=world_size)
        batches = list(loader)
        assert len(batches) == len(loader)
        x = torch.cat([batch.x for batch in batches], dim=1)
        assert torch.equal(torch.cat([batch.y for batch in batches], dim=1), x + 1)
        assert torch.equal(x, x[:, :1] + torch.arange(x.shape[1]))
        assert all(batch.x.shape == (streams, length) for batch in batches[:-1])
        read += x.flatten().tolist()
    # In the order of ranks and streams this is the text; too few for all streams are left out.
    assert read == list(range(len(read)))
    assert size - 1 - len(read) < every


def test_only_whole_batches_where_asked_for() -> None:
    text = torch.arange(48)
    assert [b.x.shape[1] for b in StreamLoader(text, 2, 10)] == [10, 10, 3]
    assert [b.x.shape[1] for b in StreamLoader(text, 2, 10, drop_last=True)] == [10, 10]
    with pytest.raises(ValueError, match="2 streams must have 61 tokens, got 48"):
        StreamLoader(text, 2, 30, drop_last=True)


def test_shuffling_turns_the_text_like_a_ring() -> None:
    loader = StreamLoader(torch.arange(51), 2, 5, shuffle=True)
    starts = []
    for _ in range(4):
        x = torch.cat([batch.x for batch in loader], dim=1).flatten()
        starts.append(int(x[0]))
        assert torch.equal(x, (x[0] + torch.arange(50)) % 51)
    assert len(set(starts)) > 1
