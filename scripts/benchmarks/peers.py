"""A step of `zoo-train` beside what a user would pick instead, the same net and batch."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn

from benchmarks import examples, extras, template
from benchmarks.common import FASTER, Claim, Contest, Part, Plan, Skipped, held
from benchmarks.examples import Example
from benchmarks.training import BATCH, WARM_UP, Run, arrays, composed, on_arrays, switched_on
from zoo.models import FNN

ZOO, FAST = "zoo-train", "zoo-train trainer=fast_cpu"
ADAM = ("optimizer=adam", "optimizer.lr=1e-3")


def steps_of(plan: Plan, timed: int) -> int:
    """Steps of an epoch."""
    return plan.size(WARM_UP + timed, 4)


def images(folder: Path, steps: int, batch: int = BATCH) -> Path:
    """A file of the size that such an epoch needs."""
    return arrays(folder, (28, 28), train=batch * steps, val=batch)


def lightning_hydra_template(plan: Plan, folder: Path) -> Iterator[Contest]:
    """Its default run; its loader is slow enough for few steps to do."""
    ours, theirs = steps_of(plan, 280), steps_of(plan, 30)
    net = template.dense_net()
    words = on_arrays(images(folder, ours), "model=linear", "data.view=image", *ADAM)
    name = "lightning-hydra-template"
    yield Contest(
        {
            ZOO: Run(plan, folder / "template", words, net=net).step,
            name: lambda: template.step(plan, template.dense_net(), theirs, folder),
        },
        [Claim("784-64-128-64-10 with batch norm, b128", ZOO, name, FASTER, 8)],
    )


def pytorch_example(
    plan: Plan,
    folder: Path,
    example: Example,
    words: list[str],
    bounds: tuple[float, float],
    settings: dict[str, Any],
) -> Iterator[Contest | Skipped]:
    """One of pytorch/examples against the zoo's defaults and against `trainer=fast_cpu`."""
    steps = steps_of(plan, 40)
    path = images(folder, steps, example.batch)
    chosen = on_arrays(path, *words, batch=example.batch)
    fast = [*chosen, "trainer=fast_cpu"]
    theirs = f"pytorch/examples {example.name}"
    ways = {
        ZOO: Run(plan, folder / example.name, chosen, **settings).step,
        theirs: lambda: examples.step(plan, example, example.net(), steps),
    }
    what = f"{example.name}, b{example.batch}"
    claims = [Claim(what, ZOO, theirs, FASTER, bounds[0])]
    if bfloat16():
        ways[FAST] = Run(plan, folder / f"{example.name}_fast", fast, **settings).step
        claims.append(Claim(f"{what}, trainer=fast_cpu", FAST, theirs, FASTER, bounds[1]))
    else:
        yield Skipped(f"{what}, trainer=fast_cpu", "the processor has no bfloat16")
    yield Contest(ways, claims)


def pytorch_examples(plan: Plan, folder: Path) -> Iterator[Contest | Skipped]:
    """All of them."""
    against = partial(pytorch_example, plan, folder)
    for example, view, bounds in (
        (examples.MNIST, "image", (1.05, 1.8)),
        (examples.MNIST_RNN, "rows", (1.9, 2.8)),
    ):
        kind, lr = example.optimizer
        node = {"_target_": f"torch.optim.{kind.__name__}", "_partial_": True, "lr": lr}
        words = ["model=linear", f"data.view={view}"]
        yield from against(example, words, bounds, {"net": example.net(), "optimizer": node})
    vae = ["model=vae", "model.net.hidden=[400]", "model.net.latent=20", *ADAM]
    yield from against(examples.VAE, vae, (1.9, 3.0), {})


def libraries(plan: Plan, folder: Path) -> Iterator[Contest | Skipped]:
    """The MLP with scikit-learn, Keras and skorch, and the VAE with pythae."""
    steps = steps_of(plan, 280)
    path = images(folder, steps)
    mlp = Run(plan, folder / "mlp", on_arrays(path, "model=fnn", "model.net.dropout=0", *ADAM))
    vae = ["model=vae", "model.net.hidden=[512]", "model.net.latent=20", *ADAM]
    run = Run(plan, folder / "vae_512", on_arrays(path, *vae))
    net: nn.Module = FNN(784, 10)
    for package, words, ours, bound, settings in (
        ("sklearn", "scikit-learn MLPClassifier", mlp, 1.15, {}),
        ("keras", "Keras on torch", mlp, 1.6, {}),
        ("skorch", "skorch", mlp, 1.15, {"net": net}),
        ("pythae", "pythae VAE", run, 1.4, {"folder": folder / "pythae"}),
    ):
        what = "VAE 784-512-20-512-784" if package == "pythae" else "MLP 784-256-256-10"
        if not extras.installed(package):
            yield Skipped(words)
            continue
        theirs = extras.LIBRARIES[package](plan, steps, **settings)
        claim = Claim(f"{what}, b{BATCH}", ZOO, words, FASTER, bound)
        yield Contest({ZOO: ours.step, words: theirs}, [claim])


def bfloat16() -> bool:
    """Whether the processor has instructions for it."""
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    return any(on for name, on in capabilities.items() if name.endswith("bf16"))


def notes(folder: Path) -> list[str]:
    """What both sides do."""
    ours = switched_on(composed(on_arrays(Path("x.npz"), *ADAM), folder))
    return [
        f"zoo-train: {ours}; the bar is drawn, into a buffer",
        "all from memory, without workers; a step is timed inside an epoch, scikit-learn's as a "
        "share of one",
        "template: per-sample torchvision transforms, torchmetrics through self.log, rich bar drawn"
        " into a buffer, checkpoints, early stopping, no logger; Adam as torch has it by default",
        "pytorch/examples: per-sample torchvision transforms, a loss printed every 10 steps; mnist "
        "and mnist_rnn train with Adadelta on both sides and the very same net, vae with Adam",
        f"trainer=fast_cpu: this processor computes in bfloat16: {'yes' if bfloat16() else 'no'}",
        "Keras, skorch: silent, Adam by their defaults; pythae: its bar, Adam",
    ]


def run(plan: Plan) -> Part:
    """Hold all of them."""
    with TemporaryDirectory() as name:
        folder = Path(name)

        def contests() -> Iterator[Contest | Skipped]:
            yield from lightning_hydra_template(plan, folder)
            yield from pytorch_examples(plan, folder)
            yield from libraries(plan, folder)

        return held(contests(), plan, notes(folder))
