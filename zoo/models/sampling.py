"""Text out of a language model, token by token."""

import torch
from torch import Tensor

from zoo.models.recurrent import RecurrentNet

COLDEST = 1e-30  # divided by less, logits leave float32: nothing but the likeliest token is left


@torch.no_grad()
def generate(
    net: RecurrentNet,
    prompt: Tensor,
    steps: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw the tokens that follow a prompt: each is fed back to predict the next (Graves 2013).

    Dropout is off while it draws. The prompt is read once; after that a token costs one step.

    Args:
        net: predicts the next token at each step (readout="every" or "last"), from an embedding.
        prompt: (B, T) whole numbers, T at least 1.
        steps: how many tokens to draw.
        temperature: divides the logits: below 1 bolder towards the likely ones, 0 always the most
            likely one, above 1 wilder.
        top_k: draw from so many of the likeliest tokens alone (Fan 2018); None draws from all.
        generator: of the random numbers; None takes torch's own.

    Returns:
        (B, steps) int64.

    Raises:
        ValueError: the net reads backwards too, the prompt is empty, or a number is out of range.
    """
    if net.directions == 2:
        raise ValueError("`net` must read forwards only: what follows is not there to be read")
    if prompt.ndim != 2 or prompt.shape[1] < 1:
        raise ValueError(f"`prompt` must be of shape (B, T >= 1), got {tuple(prompt.shape)}")
    if steps < 1 or not temperature >= 0:
        raise ValueError(
            f"`steps` must be at least 1 and `temperature` at least 0, got {steps}, {temperature}"
        )
    if top_k is not None and top_k < 1:
        raise ValueError(f"`top_k` must be at least 1, or None, got {top_k}")
    training = net.training
    net.eval()
    x, state, drawn = prompt.long(), None, []
    for _ in range(steps):
        output, state, _ = net(x, state)
        logits = output[:, -1] if output.ndim == 3 else output  # (B, V)
        x = _draw(logits, temperature, top_k, generator)  # (B, 1)
        drawn.append(x)
    net.train(training)
    return torch.cat(drawn, dim=1)


def _draw(
    logits: Tensor, temperature: float, top_k: int | None, generator: torch.Generator | None
) -> Tensor:
    """One token (B, 1) for each row of logits (B, V)."""
    if temperature < COLDEST:
        return logits.argmax(-1, keepdim=True)
    if top_k is None or top_k >= logits.shape[-1]:
        return torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator)
    likeliest, tokens = logits.topk(top_k)  # (B, top_k), the likeliest first
    place = torch.multinomial((likeliest / temperature).softmax(-1), 1, generator=generator)
    return tokens.gather(-1, place)  # (B, 1)
