"""The scale of latents."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .ch01_slips import in_float32
from .data import Check, Mutant
from .inputs import Draw


def latent_scale(z: Tensor) -> Tensor:
    return 1 / z.std(correction=0)


def latents(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Narrow and wide latents, far from 0, channels that differ, a single sample."""
    channels = torch.tensor([0.3, 1.0, 2.5, 0.7]).to(d.x()).reshape(4, 1, 1)
    places = torch.tensor([-1.0, 0.5, 2.0, 0.0]).to(d.x()).reshape(4, 1, 1)
    for words, z in (
        ("latents of the chapter's shape", 0.8 * d.normal(5, 4, 7, 7) + 0.1),
        ("channels that differ", channels * d.normal(3, 4, 5, 5) + places),
        ("wide latents, far from 0", d.wide(4, 2, 3, 3) + 30),
        ("latents of a standard deviation of 0.005", 0.005 * d.normal(3, 4, 2, 2) + 0.01),
        ("a single latent", d.normal(1, 4, 3, 3)),
    ):
        yield words, (z,)


def by_channel(z: Tensor) -> Tensor:
    """The standard deviation of each channel, (C,)."""
    return z.transpose(0, 1).flatten(1).std(1, correction=0)


def slip(hint: str, scale: Callable[[Tensor], Tensor]) -> Mutant:
    return Mutant(hint, scale)


LATENT_SCALE = Check(
    id="12-latent_scale",
    points=2,
    minutes=5,
    level=1,
    reference=latent_scale,
    # Off zero and not of unit width, so that a root mean square and a variance show.
    inputs=lambda d: (d.uniform(0.3, 0.7) * d.x() + d.uniform(0.3, 0.8),),
    fixed=latents,
    where='section 3 of this notebook ("The scale of latents"): s = 1 / sd, where sd^2 is the mean of (z - mean)^2 over all entries of z '
    "(Rombach et al. 2022, appendix G).",
    outputs=("scale",),
    library=("experiments.latents.latent_scale",),
    mutants=[
        slip("one over the variance: s is one over its root, the standard deviation.", lambda z: 1 / z.var(correction=0)),
        slip(
            "one over the variance with n - 1: s is one over the root of the variance, and the mean divides by n.",
            lambda z: 1 / z.var(),
        ),
        slip(
            "z.std(), which divides by n - 1: the mean of the squares divides by n, z.std(correction=0).",
            lambda z: 1 / z.std(),
        ),
        slip("the standard deviation itself: s is one over it.", lambda z: z.std(correction=0)),
        slip("the standard deviation with n - 1, and not one over it.", lambda z: z.std()),
        slip("the variance: s is one over its root.", lambda z: z.var(correction=0)),
        slip("one root too many: s is one over the standard deviation.", lambda z: z.std(correction=0) ** -0.5),
        slip("the root mean square: take the mean of z away first.", lambda z: z.square().mean() ** -0.5),
        slip("the mean of the squares, without the mean of z and without a root.", lambda z: 1 / z.square().mean()),
        slip("the mean distance from the mean: squares, their mean, and a root.", lambda z: 1 / (z - z.mean()).abs().mean()),
        slip("the mean size of the entries: take the mean away, square, and take the root of the mean.", lambda z: 1 / z.abs().mean()),
        slip("the largest entry: s is one over the standard deviation of all.", lambda z: 1 / z.abs().max()),
        slip("the length of all latents as one vector: the mean of the squares about the mean, and its root.", lambda z: 1 / z.norm()),
        slip("the median of the entries: s is one over their standard deviation.", lambda z: 1 / z.median()),
        slip("the standard deviation of the sizes |z|: of the entries themselves.", lambda z: 1 / z.abs().std(correction=0)),
        slip("the channel with the largest standard deviation: one number from all entries.", lambda z: 1 / by_channel(z).max()),
        slip("the mean of the samples taken away, place by place: one mean, of all entries.", lambda z: 1 / (z - z.mean(0)).std(correction=0)),
        slip("the range of the entries: s is one over their standard deviation.", lambda z: 1 / (z.max() - z.min())),
        slip(
            "a scale for each channel: there is one number, from all entries of all channels.",
            lambda z: 1 / by_channel(z),
        ),
        slip(
            "the mean of the channels' standard deviations: the mean of the squares runs over all entries at once.",
            lambda z: 1 / by_channel(z).mean(),
        ),
        slip(
            "the mean of the channels' scales: one standard deviation of all entries, and one over it.",
            lambda z: (1 / by_channel(z)).mean(),
        ),
        slip(
            "variances about the channels' own means: one mean, of all entries.",
            lambda z: by_channel(z).square().mean() ** -0.5,
        ),
        slip(
            "a scale for each sample: there is one number for the whole data set.",
            lambda z: 1 / z.flatten(1).std(1, correction=0),
        ),
        slip(
            "the mean of the samples' standard deviations: the mean of the squares runs over all entries at once.",
            lambda z: 1 / z.flatten(1).std(1, correction=0).mean(),
        ),
        slip(
            "the standard deviation over the batch, place by place: it is one number, over all entries.",
            lambda z: 1 / z.std(0, correction=0).mean(),
        ),
        slip("a scale for each place: it is one number, over all entries.", lambda z: 1 / z.std(0, correction=0)),
        slip("the first sample alone: take all of them.", lambda z: 1 / z[0].std(correction=0)),
        slip("the scaled latents: return the scale alone.", lambda z: z / z.std(correction=0)),
        slip(
            "the scaled and centred latents: return the scale alone.",
            lambda z: (z - z.mean()) / z.std(correction=0),
        ),
        slip(
            "0.18215, Stable Diffusion's number: each autoencoder has its own.", lambda z: torch.full_like(z.sum(), 0.18215)
        ),
        slip("a scale of 1, none at all.", lambda z: torch.ones_like(z.sum())),
        slip("a minus in front.", lambda z: -1 / z.std(correction=0)),
        slip("a logarithm of the standard deviation.", lambda z: z.std(correction=0).log()),
        *(
            slip(
                f"{tiny:g} beside the standard deviation, against a division by 0: it changes the scale, leave it away.",
                lambda z, tiny=tiny: 1 / (z.std(correction=0) + tiny),
            )
            for tiny in (1e-8, 1e-6, 1e-5, 1e-4, 1e-3)
        ),
        *(
            slip(
                f"{tiny:g} beside the variance, against a division by 0: it changes the scale, leave it away.",
                lambda z, tiny=tiny: (z.var(correction=0) + tiny) ** -0.5,
            )
            for tiny in (1e-8, 1e-6, 1e-5)
        ),
        in_float32(latent_scale),
    ],
)  # fmt: skip
