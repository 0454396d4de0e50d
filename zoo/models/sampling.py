"""Text out of a language model, token by token."""

import torch
from torch import Tensor

from zoo.models.recurrent import RecurrentNet


@torch.no_grad()
def generate(
    net: RecurrentNet,
    prompt: Tensor,
    steps: int,
    *,
    temperature: float = 1.0,
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
    if steps < 1 or temperature < 0:
        raise ValueError(
            f"`steps` must be at least 1 and `temperature` at least 0, got {steps}, {temperature}"
        )
    training = net.training
    net.eval()
    x, state, drawn = prompt.long(), None, []
    for _ in range(steps):
        output, state, _ = net(x, state)
        logits = output[:, -1] if output.ndim == 3 else output  # (B, V)
        x = _draw(logits, temperature, generator)  # (B, 1)
        drawn.append(x)
    net.train(training)
    return torch.cat(drawn, dim=1)


def _draw(logits: Tensor, temperature: float, generator: torch.Generator | None) -> Tensor:
    if temperature == 0:
        return logits.argmax(-1, keepdim=True)
    return torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator)
