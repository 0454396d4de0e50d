"""A look at the first batch, before the first update."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from zoo.callbacks.symptoms import SYMPTOMS, Case
from zoo.callbacks.trial import leaves, say, terms_of, trial
from zoo.lit import LitModel
from zoo.lit.base import Batch

SAMPLES = 64  # of the first batch that are looked at
MODES = ("evaluation", "training")
FEW = 4  # of them that are run again to see whether they influence each other
WATCHED = (nn.ReLU, nn.Sigmoid, nn.Tanh, nn.RNNBase)


class Doctor(Callback):
    """Says what looks wrong before the first update, a line each, and then what there is to beat.

    It is quiet where all is well. See `zoo.callbacks.symptoms` for the rules. They take a few
    passes over at most 64 samples of the first batch, and change nothing: the run is the same bit
    for bit without them. A continued run is not looked at again.
    """

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Look at the first batch of the run, and never again."""
        if batch_idx or trainer.global_step or not trainer.is_global_zero:
            return
        findings = examine(trainer, cast(LitModel, pl_module), batch)
        baseline = [
            f"{name.removeprefix('baseline/')} {value.item():.4g}"
            for name, value in trainer.callback_metrics.items()
            if name.startswith("baseline/")
        ]
        if findings and baseline:
            findings.append(f"a trivial predictor has {', '.join(baseline)}: that is to beat")
        for finding in findings:
            say(trainer, f"doctor {finding}")


def examine(trainer: pl.Trainer, module: LitModel, batch: Batch) -> list[str]:
    """All findings about a net before its first update."""
    batch = head(batch, SAMPLES)
    data: Any = trainer.datamodule  # type: ignore[attr-defined]
    with trial(trainer, module), torch.enable_grad():
        with watched(module.net) as activations:
            result, terms = terms_of(module, batch)
        found = gradients(module, terms)
        alone = {mode: independent(trainer, module, batch, mode) for mode in MODES}
        case = Case(
            module=module,
            batch=batch,
            result=result,
            terms=terms,
            gradients=found,
            activations=activations,
            alone=alone,
            optimizer=trainer.optimizers[0],
            shuffled=getattr(data, "shuffle", True),
        )
        return [finding for symptom in SYMPTOMS for finding in symptom(case)]


def gradients(module: LitModel, terms: dict[str, Tensor]) -> dict[str, Tensor | None]:
    """The gradient of the sum of the terms, by parameter; None where it does not depend on it."""
    named = {n: p for n, p in module.net.named_parameters() if p.requires_grad}
    loss = sum(terms.values(), torch.zeros(()).to(module.device))
    values = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    return dict(zip(named, values, strict=True))


def head(batch: Any, samples: int) -> Any:
    """The first samples of a batch."""
    return type(batch)(*(part if part is None else part[:samples] for part in batch))


@contextmanager
def watched(net: nn.Module) -> Iterator[dict[str, tuple[nn.Module, Tensor]]]:
    """Record what layers that can saturate give back, as (N, units)."""
    seen: dict[str, tuple[nn.Module, Tensor]] = {}

    def watch(name: str, layer: nn.Module) -> Any:
        def look(part: nn.Module, inputs: Any, output: Any) -> None:
            seen[name] = (layer, observations(output))

        return layer.register_forward_hook(look)

    layers = [(name, layer) for name, layer in leaves(net) if isinstance(layer, WATCHED)]
    handles = [watch(f"{name} ({type(layer).__name__})", layer) for name, layer in layers]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def observations(output: Any) -> Tensor:
    """What a layer gave back, with its units last: (B, C, H, W) -> (B * H * W, C)."""
    if isinstance(output, tuple) and not isinstance(output, PackedSequence):
        output = output[0]  # of a recurrent layer (hidden, state)
        if isinstance(output, Tensor):
            return output.detach().flatten(0, -2)
    if isinstance(output, PackedSequence):
        return output.data.detach()
    output = output.detach()
    return output.flatten(2).transpose(1, 2).flatten(0, 1) if output.ndim > 2 else output


def independent(trainer: pl.Trainer, module: LitModel, batch: Batch, mode: str) -> bool:
    """Whether the predictions of other samples stay the same when the first sample changes.

    Batch norms are in evaluation mode; both passes draw the same random numbers.
    """
    few = head(batch, FEW)
    other = few.x.clone()
    other[0] = few.x[-1]
    predictions = []
    for inputs in (few.x, other):
        with trial(trainer, module), torch.no_grad():
            module.train(mode == "training")
            for part in module.modules():
                if isinstance(part, nn.modules.batchnorm._NormBase):
                    part.eval()
            torch.manual_seed(0)
            predictions.append(module.predict(few._replace(x=inputs)).prediction[1:])
    first, second = predictions
    return torch.allclose(first, second, rtol=1e-3, atol=1e-3)
