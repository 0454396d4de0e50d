"""What the latent space of a variational autoencoder holds, and how much of it is in use."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from zoo.losses import kl_standard_normal, negative_elbo
from zoo.pictures.base import Picture, Scene, at_least
from zoo.pictures.grids import tiled
from zoo.pictures.reconstruction import encoded
from zoo.pictures.samples import CHUNK, first, image_shape, run, served_images


def is_variational(scene: Scene) -> bool:
    """Whether the net has a Gaussian for a code, and decodes draws of the prior."""
    return scene.module.reconstructs and hasattr(scene.net, "sample")


class Variational(Picture):
    """A picture of a variational autoencoder of images."""

    def suits(self, scene: Scene) -> bool:
        """Those."""
        return is_variational(scene) and image_shape(scene.data) is not None


def decoded(scene: Scene, codes: Tensor) -> Tensor:
    """The images (N, H, W, 3) uint8 of codes (N, latent)."""
    net: Any = scene.net
    return served_images(scene.data, net.decode(codes.to(next(net.parameters()))))


class PriorSamples(Variational):
    """What the decoder makes of draws of the prior, the same draws each time.

    Args:
        shown: how many.
        seed: of the draws.
        every: see `Picture`.
    """

    name = "prior_samples"

    def __init__(self, *, shown: int = 40, seed: int = 0, every: int | None = None) -> None:
        super().__init__(every=every)
        self.shown, self.seed = at_least(1, shown=shown), seed

    def draw(self, scene: Scene) -> None:
        """Draw and decode."""
        net: Any = scene.net
        images = net.sample(self.shown, generator=torch.Generator().manual_seed(self.seed))
        canvas = tiled(
            served_images(scene.data, images),
            min(10, self.shown),
            title="decoded draws of the prior",
        )
        scene.image("latent/samples", canvas, "Images that the decoder makes of random codes.")


class Interpolation(Variational):
    """From one input's code to another's in a straight line, decoded.

    Args:
        rows: pairs of inputs: the first with the second, and so on.
        steps: images of a row, the ends included.
        every: see `Picture`.
    """

    name = "interpolation"

    def __init__(self, *, rows: int = 6, steps: int = 10, every: int | None = None) -> None:
        super().__init__(every=every)
        self.rows, self.steps = at_least(1, rows=rows), at_least(2, steps=steps)

    def draw(self, scene: Scene) -> None:
        """The inputs themselves stand at both ends."""
        samples = first(scene, 2 * self.rows)
        rows = len(samples.x) // 2
        codes = encoded(scene, 2 * self.rows)[: 2 * rows].view(rows, 2, 1, -1)
        share = torch.linspace(0, 1, self.steps)[:, None]
        between = torch.lerp(codes[:, 0], codes[:, 1], share)  # (rows, steps, latent)
        images = decoded(scene, between.flatten(0, 1)).unflatten(0, (rows, self.steps))
        inputs = served_images(scene.data, samples.x[: 2 * rows]).unflatten(0, (rows, 2))
        canvas = tiled(
            torch.cat([inputs[:, :1], images, inputs[:, 1:]], 1).flatten(0, 1),
            self.steps + 2,
            title="between the codes of two inputs",
            size=40,
            heads=["input", *[""] * self.steps, "input"],
        )
        about = "Codes on the line between those of two validation images, decoded."
        scene.image("latent/interpolation", canvas, about)


class Traversal(Variational):
    """One latent dimension at a time from low to high, the others as the first sample has them.

    Args:
        dimensions: how many, those first that cost most nats.
        reach: from minus so much to plus so much.
        steps: images of a row.
        every: see `Picture`.
    """

    name = "traversal"

    def __init__(
        self,
        *,
        dimensions: int = 8,
        reach: float = 3.0,
        steps: int = 9,
        every: int | None = None,
    ) -> None:
        super().__init__(every=every)
        self.dimensions, self.steps = at_least(1, dimensions=dimensions), at_least(2, steps=steps)
        if not reach > 0:
            raise ValueError(f"`reach` must be positive, got {reach}")
        self.reach = reach

    def draw(self, scene: Scene) -> None:
        """A row for each dimension, with the nats that it costs."""
        net: Any = scene.net
        mean, log_variance = (part.detach() for part in net.encode(first(scene, 100).x))
        nats = [
            float(kl_standard_normal(*pair).mean())
            for pair in zip(mean.split(1, 1), log_variance.split(1, 1), strict=True)
        ]
        order = sorted(range(len(nats)), key=lambda i: -nats[i])[: self.dimensions]
        values = torch.linspace(-self.reach, self.reach, self.steps)
        codes = mean[0].cpu().float().repeat(len(order), self.steps, 1)
        for row, dimension in enumerate(order):
            codes[row, :, dimension] = values
        canvas = tiled(
            decoded(scene, codes.flatten(0, 1)),
            self.steps,
            title="each latent dimension by itself",
            size=44,
            rows=[f"z{dimension + 1}: {nats[dimension]:.2f} nats" for dimension in order],
            heads=[f"{value:+.3g}" if value else "0" for value in values.tolist()],
        )
        about = "The code of the first validation image with one of its numbers changed."
        scene.image("latent/traversal", canvas, about)


class LatentUse(Picture):
    """How much of the latent space is in use, as numbers.

    - `latent/active_units`: dimensions whose posterior mean varies over inputs by more than the
      threshold (Burda, Grosse & Salakhutdinov 2016, "Importance weighted autoencoders").
    - `latent/rate`: KL of the posterior to the prior, nats per sample.
    - `latent/distortion`: negative log likelihood of the input given its code, nats per sample.

    Rate and distortion as in Alemi 2018, "Fixing a broken ELBO"; their sum is the negative ELBO.

    Args:
        samples: how many, of the validation split.
        threshold: the variance from which on a dimension is active.
        every: see `Picture`.
    """

    name = "latent_use"

    def __init__(
        self, *, samples: int = 500, threshold: float = 0.01, every: int | None = None
    ) -> None:
        super().__init__(every=every)
        self.samples, self.threshold = at_least(2, samples=samples), threshold

    def suits(self, scene: Scene) -> bool:
        """Variational autoencoders."""
        return is_variational(scene)

    def draw(self, scene: Scene) -> None:
        """Encode, decode and add up."""
        samples, loss = first(scene, self.samples), scene.module.loss
        means, sums = [], torch.zeros(2, dtype=torch.float64)
        for start in range(0, len(samples.x), CHUNK):
            part = samples.part(start, start + CHUNK)
            result = run(scene.module, part)  # the same draws as in every evaluation
            terms = negative_elbo(result.output, result.target, loss.likelihood, loss.sigma)  # type: ignore[arg-type]
            sums += len(part.x) * torch.tensor([float(terms.kl), float(terms.reconstruction)])
            means.append(result.output.mean.detach().float().cpu())
        rate, distortion = (sums / len(samples.x)).tolist()
        active = float(active_units(torch.cat(means), self.threshold))
        values = {"active_units": active, "rate": rate, "distortion": distortion}
        scene.scalars({f"latent/{name}": value for name, value in values.items()})


def active_units(means: Tensor, threshold: float) -> int:
    """How many columns of the posterior means (N, latent) vary by more than the threshold."""
    return int((means.double().var(0, correction=0) > threshold).sum())
