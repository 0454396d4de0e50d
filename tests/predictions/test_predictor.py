"""`zoo.predict` and `Predictor`: what the net gives when it reads everything at once."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import zoo
from zoo.models import FNN, GRU, LSTM, VAE
from zoo.predictor import Predictor, predict

Make = Callable[[str], Predictor]


@pytest.mark.parametrize("size", [1, 3, 10, 256])
def test_batches_are_joined(size: int) -> None:
    net, x = FNN(4, 3, dropout=0.5).train(), torch.randn(10, 2, 2)
    found = predict(net, x, batch_size=size)
    torch.testing.assert_close(found, net.eval()(x))
    assert not found.requires_grad


@pytest.mark.parametrize("kind", [GRU, LSTM])
@pytest.mark.parametrize("readout", ["last", "every"])
def test_all_that_a_recurrent_net_gives_is_joined(kind: type, readout: str) -> None:
    net = kind(3, 2, hidden_size=5, num_layers=2, readout=readout)
    x, lengths = torch.randn(10, 6, 3), torch.randint(1, 7, (10,))
    found, whole = predict(net, x, lengths=lengths, batch_size=4), net.eval()(x, lengths=lengths)
    assert type(found) is type(whole)
    torch.testing.assert_close(found.output, whole.output)
    torch.testing.assert_close(found.hidden, whole.hidden)
    torch.testing.assert_close(found.state, whole.state)


def test_arrays_are_read_too() -> None:
    net, x = VAE(4, 2), np.random.default_rng(0).random((5, 4))
    found = predict(net, x, batch_size=2)
    torch.testing.assert_close(found.image, net.eval()(torch.from_numpy(x).float()).image)
    torch.testing.assert_close(found.code, found.mean)  # nothing is drawn


@pytest.mark.parametrize("x", [torch.randn(5, 4), torch.randn(5, 3)], ids=["right", "wrong"])
def test_the_net_stays_as_it_is(x: torch.Tensor) -> None:
    net = FNN(4, 3, hidden=[5, 5], norm="batch").train()
    net.layers[0].eval()  # frozen, say
    before = [module.training for module in net.modules()]
    weights = {name: value.clone() for name, value in net.state_dict().items()}
    if x.shape[1] == 4:
        predict(net, x)
    else:
        with pytest.raises(ValueError, match="in_features"):
            predict(net, x)
    assert [module.training for module in net.modules()] == before
    assert all(torch.equal(value, weights[name]) for name, value in net.state_dict().items())
    assert torch.is_grad_enabled()


@pytest.mark.gpu
def test_results_are_where_the_input_is() -> None:
    net, x = FNN(4, 3).cuda(), torch.randn(5, 4)
    found = predict(net, x, batch_size=2)
    assert found.device == x.device and next(net.parameters()).is_cuda
    torch.testing.assert_close(found, net.cpu().eval()(x), rtol=1e-4, atol=1e-5)


class Widest(nn.Module):
    """Notes the largest batch that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.most = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.most = max(self.most, len(x))
        return x * 2


def test_no_batch_is_larger_than_asked_for() -> None:
    net = Widest()
    assert torch.equal(predict(net, torch.arange(1000), batch_size=7), 2 * torch.arange(1000))
    assert net.most == 7


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "`batch_size` must be at least 1"),
        ({"top_k": 2}, "`top_k` needs a Predictor"),
        ({"x": torch.zeros(0, 4)}, r"`x` must have at least one sample, got the shape \(0, 4\)"),
        ({"x": torch.tensor(1.0)}, "`x` must have at least one sample"),
    ],
)
def test_what_cannot_be_predicted_from_is_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        predict(**{"model": FNN(4, 3), "x": torch.zeros(2, 4), **settings})


# --- from raw input ----------------------------------------------------------------------------


def pixels(*values: float) -> np.ndarray:
    image = np.zeros((4, 4), np.float32)
    image.flat[: len(values)] = values
    return image


def test_one_sample_has_one_answer_and_several_a_list(predictor: Make) -> None:
    answer = predictor("images")
    shares = np.exp([1.0, 3.0, 2.0]) / np.exp([1.0, 3.0, 2.0]).sum()
    one = answer(pixels(1, 3, 2), top_k=2)
    assert (one["label"], [label for label, _ in one["top"]]) == ("one", ["one", "two"])
    assert [p for _, p in one["top"]] == pytest.approx([shares[1], shares[2]], rel=1e-6)
    several = answer(np.stack([pixels(1, 3, 2), pixels(5, 3, 2)]))
    assert [found["label"] for found in several] == ["one", "zero"]
    assert several == zoo.predict(answer, np.stack([pixels(1, 3, 2), pixels(5, 3, 2)]))


@pytest.mark.parametrize("size", [1, 3, 100])
def test_batches_do_not_matter(size: int, predictor: Make) -> None:
    answer = predictor("values")
    rows = [{"size": i, "colour": "red"} for i in range(10)]
    found = [a["values"][0] for a in answer(rows, batch_size=size)]
    assert found == pytest.approx([1 + 10 * (i / 2 + 1) for i in range(10)])


def test_a_stream_is_read_as_its_answers_are_asked_for(predictor: Make) -> None:
    read = 0

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal read
        while True:  # there is no end
            read += 1
            yield {"size": read, "colour": "blue"}

    answers = predictor("values").stream(rows(), batch_size=4)
    assert read == 0
    for number in range(1, 11):
        assert next(answers)["values"] == pytest.approx([1 + 5 * number])
        assert read == -(-number // 4) * 4


@pytest.mark.parametrize("bad", [0, 3, 4, 9])
def test_an_error_says_which_of_all_samples_it_is(bad: int, predictor: Make) -> None:
    rows = [{"size": "x" if i == bad else i, "colour": "red"} for i in range(10)]
    message = f"^sample {bad + 1}, column 'size': 'x' is not a number$"
    with pytest.raises(ValueError, match=message):
        predictor("values")(rows, batch_size=4)


def test_an_error_of_the_only_sample_counts_nothing(predictor: Make) -> None:
    with pytest.raises(ValueError, match="^the sample, column 'size'"):
        predictor("values")({"size": "x", "colour": "red"})


# --- texts and samples -------------------------------------------------------------------------


def test_a_text_is_what_the_net_draws(predictor: Make) -> None:
    answer = predictor("language")
    alphabet = answer.preprocessing.input.vocabulary.words
    prompt = torch.tensor([[alphabet.index(letter) for letter in "bad"]])
    drawn = zoo.models.generate(
        answer.net, prompt, 40, temperature=0.7, top_k=4, generator=torch.Generator().manual_seed(3)
    )
    text = answer.write("bad", length=40, temperature=0.7, top_k=4, seed=3)
    assert text == "".join(alphabet[i] for i in drawn[0].tolist())
    assert text == answer.write("bad", length=40, temperature=0.7, top_k=4, seed=3)
    assert text != answer.write("bad", length=40, temperature=0.7, top_k=4, seed=4)


def test_ends_of_lines_are_ends_of_lines(predictor: Make) -> None:
    from zoo.preprocessing import LanguageInput, NextToken, Preprocessing

    words = ["<unk>", "<eos>", "a"]
    net = GRU(3, 3, hidden_size=2, embedding=2, readout="every")
    with torch.no_grad():
        net.head.weight.zero_()
        net.head.bias.copy_(torch.tensor([-100.0, 0.0, 0.0]))
    rules = Preprocessing(LanguageInput(words, level="word"), NextToken(words))
    text = Predictor(net, rules).write("a a", length=50)
    assert set(text) == {"a", " ", "\n"}
    assert not {" \n", "\n "} & {text[i : i + 2] for i in range(len(text))}


def test_samples_are_decoded_draws_in_original_units(predictor: Make) -> None:
    answer = predictor("vae")
    drawn = answer.sample(5, seed=7)
    expected = answer.net.sample(5, generator=torch.Generator().manual_seed(7))
    assert drawn.shape == (5, 1, 4, 4)
    assert np.array_equal(drawn, 2 * expected.detach().numpy().reshape(5, 1, 4, 4))
    assert np.array_equal(drawn, answer.sample(5, seed=7))
    assert not np.array_equal(drawn, answer.sample(5, seed=8))


@pytest.mark.parametrize(
    ("name", "do", "message"),
    [
        ("table", lambda p: p.write("a"), "a language model writes; .* kind table"),
        ("language", lambda p: p.write(""), "`prompt` must have at least one character"),
        ("language", lambda p: p.write("a", top_k=0), "`top_k` must be at least 1"),
        ("autoencoder", lambda p: p.sample(3), "Autoencoder has none"),
        ("vae", lambda p: p.sample(0), "`count` must be"),
        ("table", lambda p: p({"size": 1, "colour": "a"}, batch_size=0), "`batch_size` must be"),
        ("table", lambda p: predict(p, {}, lengths=torch.ones(1)), "`lengths` is for a net alone"),
    ],
)
def test_what_a_predictor_cannot_do_is_named(
    name: str, do: Callable[[Predictor], Any], message: str, predictor: Make
) -> None:
    with pytest.raises(ValueError, match=message):
        do(predictor(name))
