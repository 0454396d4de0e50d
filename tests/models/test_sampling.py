"""Drawing text: tokens are fed back, the state goes on, temperature sharpens."""

import math

import pytest
import torch
from torch import Tensor

from zoo.models import GRU, LSTM, RNN, generate


class Counting(LSTM):
    """Always expects the number after the one it reads."""

    def forward(self, x: Tensor, state: object = None, lengths: object = None) -> object:
        logits = torch.nn.functional.one_hot((x + 1) % 5, 5) * 50.0
        return super().forward(x)._replace(output=logits)


def net(kind: type = LSTM, **arguments: object) -> LSTM:
    torch.manual_seed(0)
    return kind(5, 5, hidden_size=8, embedding=4, embedding_std=1.0, readout="every", **arguments)


def test_each_token_is_read_to_find_the_next() -> None:
    drawn = generate(net(Counting), torch.tensor([[0, 2], [4, 3]]), 4)
    assert drawn.tolist() == [[3, 4, 0, 1], [4, 0, 1, 2]]


@pytest.mark.parametrize("kind", [RNN, GRU, LSTM])
def test_the_most_likely_tokens_are_those_of_reading_everything_again(kind: type) -> None:
    model, prompt = (
        net(kind, num_layers=2, dropout=0.5).train(),
        torch.tensor([[1, 4, 2], [0, 0, 3]]),
    )
    drawn = generate(model, prompt, 6, temperature=0)
    assert model.training
    model.eval()
    whole = prompt
    for _ in range(6):
        following = model(whole).output[:, -1].argmax(-1, keepdim=True)
        whole = torch.cat([whole, following], dim=1)
    assert torch.equal(drawn, whole[:, 3:])


def test_the_coldest_draws_the_likeliest() -> None:
    model, prompt = net(), torch.tensor([[1, 2]])
    likeliest = generate(model, prompt, 6, temperature=0)
    for temperature in (1e-300, 1e-40, 1e-20):
        assert torch.equal(generate(model, prompt, 6, temperature=temperature), likeliest)
    with pytest.raises(ValueError, match="`temperature` at least 0, got 6, nan"):
        generate(model, prompt, 6, temperature=math.nan)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_come_as_often_as_the_softmax_says(temperature: float) -> None:
    model = net()
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.bias.copy_(torch.tensor([0.0, 1.0, 2.0, -1.0, 0.5]))
    count = 20_000
    drawn = generate(
        model,
        torch.zeros(count, 1, dtype=torch.int64),
        1,
        temperature=temperature,
        generator=torch.Generator().manual_seed(0),
    )
    weights = [math.exp(logit / temperature) for logit in (0.0, 1.0, 2.0, -1.0, 0.5)]
    for token, weight in enumerate(weights):
        share = weight / sum(weights)
        found = (drawn == token).double().mean().item()
        assert found == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / count))


LOGITS = (0.0, 1.0, 2.0, -1.0, 0.5)


@pytest.mark.parametrize(("top_k", "kept"), [(1, (2,)), (2, (1, 2)), (4, (0, 1, 2, 4))])
def test_only_the_likeliest_are_drawn_and_as_often_as_among_themselves(
    top_k: int, kept: tuple[int, ...]
) -> None:
    model, count, temperature = net(), 20_000, 0.7
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.bias.copy_(torch.tensor(LOGITS))
    drawn = generate(
        model,
        torch.zeros(count, 1, dtype=torch.int64),
        1,
        temperature=temperature,
        top_k=top_k,
        generator=torch.Generator().manual_seed(0),
    )
    total = sum(math.exp(LOGITS[token] / temperature) for token in kept)
    for token, logit in enumerate(LOGITS):
        share = math.exp(logit / temperature) / total if token in kept else 0.0
        found = (drawn == token).double().mean().item()
        assert found == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / count))


def test_as_many_as_there_are_is_all_of_them() -> None:
    draws = [
        generate(
            net(),
            torch.tensor([[1]]),
            20,
            top_k=top_k,
            generator=torch.Generator().manual_seed(3),
        )
        for top_k in (None, 5, 1000)
    ]
    assert torch.equal(draws[0], draws[1])
    assert torch.equal(draws[0], draws[2])


def test_a_generator_repeats_itself() -> None:
    draws = [
        generate(net(), torch.tensor([[1]]), 20, generator=torch.Generator().manual_seed(seed))
        for seed in (3, 3, 4)
    ]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prompt": torch.zeros(1, 0, dtype=torch.int64)}, "`prompt` must be of shape"),
        ({"prompt": torch.tensor([1])}, "`prompt` must be of shape"),
        ({"steps": 0}, "`steps` must be at least 1"),
        ({"temperature": -1.0}, "`temperature` at least 0"),
        ({"top_k": 0}, "`top_k` must be at least 1"),
        ({"net": net(bidirectional=True)}, "forwards only"),
    ],
)
def test_what_cannot_be_drawn_from_is_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        generate(**{"net": net(), "prompt": torch.tensor([[1]]), "steps": 2, **arguments})
