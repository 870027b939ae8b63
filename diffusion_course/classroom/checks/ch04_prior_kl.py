"""What remains of the image at T: the KL of q(x_T | x_0) from N(0, I)."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .data import Check, Mutant
from .inputs import Draw
from .slips import argument_slip, squeezed


def prior_kl(x0: Tensor, alpha_bar: Tensor) -> Tensor:
    return summed_kl(x0, alpha_bar[-1])


def summed_kl(x0: Tensor, a: Tensor) -> Tensor:
    return pixel_kl(x0, a).flatten(1).sum(1)


def pixel_kl(x0: Tensor, a: Tensor) -> Tensor:
    return 0.5 * (a * x0**2 - a - (1 - a).log())


def kl_slip(hint: str, formula: Callable) -> Mutant:
    """A mutant whose KL of one pixel is formula(x0, alpha_bar_T)."""
    return Mutant(hint, lambda x0, alpha_bar: formula(x0, alpha_bar[-1]).flatten(1).sum(1))


def size_slip(hint: str, size: Callable) -> Mutant:
    """A mutant of the form a (|x_0|^2 - d) - d ln(1 - a) with another d = size(x0)."""

    def kl(x0: Tensor, alpha_bar: Tensor) -> Tensor:
        a, d = alpha_bar[-1], size(x0)
        return 0.5 * (a * (x0.flatten(1).square().sum(1) - d) - d * (1 - a).log())

    return Mutant(hint, kl)


def whole_slip(hint: str, square: Callable) -> Mutant:
    """A mutant that takes square(x), of x0 as (B, d), for |x_0|^2."""

    def kl(x0: Tensor, alpha_bar: Tensor) -> Tensor:
        a, x = alpha_bar[-1], x0.flatten(1)
        return 0.5 * (a * (square(x) - x.shape[1]) - x.shape[1] * (1 - a).log())

    return Mutant(hint, kl)


def entry_slip(hint: str, entry: Callable) -> Mutant:
    """A mutant that reads entry(alpha_bar) for alpha_bar_T."""
    return Mutant(hint, lambda x0, alpha_bar: summed_kl(x0, entry(alpha_bar)))


def reduced(hint: str, reduce: Callable) -> Mutant:
    """A mutant that reduces the KL of the pixels, (B, *S), in another way."""
    return Mutant(hint, lambda x0, alpha_bar: reduce(pixel_kl(x0, alpha_bar[-1])))


def ends(d: Draw) -> Iterator[tuple[str, tuple]]:
    """What is left at the end of the chapters' chains and of short ones: alpha_bar_T from 0.9 down to 2.4e-9."""
    for name, betas in d.schedules().items():
        for T in (1, 2, 1000):
            yield f"{name}, {T} of them", (d.wide(5, *d.event), torch.cumprod(1 - betas[-T:], 0))
    yield "one step", (d.wide(3, 4), torch.cumprod(1 - d.linear()[:1], 0))
    yield "a black image", (d.wide(3, 4) * 0, torch.cumprod(1 - d.linear(), 0))
    yield "one sample", (d.normal(1, 1, 4, 4), d.alpha_bar())
    yield "much of the image left", (d.normal(4, 3), torch.cumprod(1 - d.linear()[:100], 0))


PRIOR_KL = Check(
    id="04-prior_kl",
    points=3,
    minutes=10,
    level=2,
    reference=prior_kl,
    inputs=lambda d: (d.x(), d.alpha_bar()),
    fixed=ends,
    where='the formula in section 5 of this notebook ("The end of the chain, and T"): each pixel adds '
    "1/2 (mean^2 + variance - 1 - ln variance), with the mean sqrt(alpha_bar_T) x_0 and the variance 1 - alpha_bar_T "
    "(Ho et al. 2020, the term L_T of eq. 5).",
    outputs=("kl",),
    library=("elbo.prior_kl",),
    mutants=[
        # brackets and small numbers
        kl_slip(
            "a half that reaches the logarithm only: it stands before the whole bracket.",
            lambda x0, a: a * x0**2 - a - (1 - a).log() / 2,
        ),
        *(
            kl_slip(
                f"{c:g} added in the logarithm: 1 - alpha_bar_T is not small, it needs no help.",
                lambda x0, a, c=c: 0.5 * (a * x0**2 - a - (1 - a + c).log()),
            )
            for c in (1e-3, 1e-4, 1e-5, 1e-6)
        ),
        # alpha_bar_T
        entry_slip(
            "alpha_bar[0], that of t = 1: q(x_T | x_0) has alpha_bar_T, the last entry.", lambda ab: ab[0]
        ),
        entry_slip("alpha_bar[-2], that of t = T - 1: alpha_bar_T is alpha_bar[-1].", lambda ab: ab[-2]),
        entry_slip(
            "alpha_bar[999], which is alpha_bar_T for T = 1000 only: read the last entry, alpha_bar[-1].",
            lambda ab: ab[999],
        ),
        entry_slip(
            "sqrt(alpha_bar_T) for alpha_bar_T: the table holds alpha_bar_T itself, and the formula has no root.",
            lambda ab: ab[-1].sqrt(),
        ),
        entry_slip(
            "a product of all of alpha_bar: each entry is a product of alphas already, take the last one.",
            lambda ab: ab.prod(),
        ),
        entry_slip(
            "the whole table alpha_bar beside x_0: q(x_T | x_0) has alpha_bar_T, the last entry, alpha_bar[-1].",
            lambda ab: ab,
        ),
        Mutant(
            "the whole table alpha_bar beside the (B,) sums: q(x_T | x_0) has alpha_bar_T, the last entry, alpha_bar[-1].",
            lambda x0, ab: (
                0.5 * (ab * (x0.flatten(1).square().sum(1) - x0[0].numel()) - x0[0].numel() * (1 - ab).log())
            ),
        ),
        Mutant(
            "a sum over all steps: only t = T is asked for.",
            lambda x0, alpha_bar: torch.stack([summed_kl(x0, a) for a in alpha_bar]).sum(0),
        ),
        # the sum over the pixels
        reduced("a mean over the pixels: a KL is summed over them.", lambda kl: kl.flatten(1).mean(1)),
        reduced("one number for the batch: return a KL for each image, (B,).", lambda kl: kl.sum()),
        reduced(
            "a mean over the batch: return a KL for each image, (B,).", lambda kl: kl.flatten(1).sum(1).mean()
        ),
        reduced(
            "a mean over all numbers: sum over the pixels, and return a KL for each image, (B,).",
            lambda kl: kl.mean(),
        ),
        reduced("a KL for each pixel: sum it over every axis but the first.", lambda kl: kl),
        reduced(
            "a sum over the last axis alone: flatten everything but the batch axis first.",
            lambda kl: kl.sum(-1),
        ),
        reduced(
            "a sum over axis 1 alone: flatten everything but the batch axis first.", lambda kl: kl.sum(1)
        ),
        reduced("a sum over the batch axis: sum over every axis but the first.", lambda kl: kl.sum(0)),
        reduced(
            "a sum over the axes 1, 2 and 3: images may have any number of axes, so flatten(1) and sum over dim 1.",
            lambda kl: kl.sum((1, 2, 3)),
        ),
        squeezed(prior_kl),
        # d, the number of pixels
        size_slip("d for the number of images: it is that of the pixels of one image.", lambda x0: len(x0)),
        size_slip(
            "d for the number of entries of the batch: it is that of one image.", lambda x0: x0.numel()
        ),
        size_slip(
            "d for the size of the last axis: it is the number of all pixels of one image.",
            lambda x0: x0.shape[-1],
        ),
        size_slip(
            "d for the size of axis 1: it is the number of all pixels of one image.", lambda x0: x0.shape[1]
        ),
        size_slip("- a - ln(1 - a) once: each of the d pixels adds it.", lambda x0: 1),
        whole_slip(
            "the norm of x_0 without its square: the term is alpha_bar_T |x_0|^2.", lambda x: x.norm(dim=1)
        ),
        whole_slip(
            "the square of the sum of x_0: sum the squares of the pixels.", lambda x: x.sum(1).square()
        ),
        whole_slip(
            "a mean of x_0^2 beside d: |x_0|^2 is the sum over the pixels.", lambda x: x.square().mean(1)
        ),
        # the KL of one pixel
        kl_slip("a missing factor 1/2.", lambda x, a: 2 * pixel_kl(x, a)),
        kl_slip(
            "a mean of alpha_bar_T x_0: it is sqrt(alpha_bar_T) x_0, and its square alpha_bar_T x_0^2.",
            lambda x, a: 0.5 * (a**2 * x**2 - a - (1 - a).log()),
        ),
        kl_slip(
            "sqrt(alpha_bar_T) x_0^2: the mean is sqrt(alpha_bar_T) x_0, and its square alpha_bar_T x_0^2.",
            lambda x, a: 0.5 * (a.sqrt() * x**2 - a - (1 - a).log()),
        ),
        kl_slip(
            "x_0 for the mean: the mean of x_T is sqrt(alpha_bar_T) x_0.",
            lambda x, a: 0.5 * (x**2 - a - (1 - a).log()),
        ),
        kl_slip(
            "a mean without its square: the term is alpha_bar_T x_0^2.",
            lambda x, a: 0.5 * (a.sqrt() * x - a - (1 - a).log()),
        ),
        kl_slip(
            "a mean left out: x_0 is still in x_T, by sqrt(alpha_bar_T) x_0.",
            lambda x, a: 0.5 * (0 * x - a - (1 - a).log()),
        ),
        kl_slip(
            "the term alpha_bar_T (x_0^2 - 1) left out, as if |x_0|^2 were exactly d.",
            lambda x, a: 0.5 * (0 * x - (1 - a).log()),
        ),
        kl_slip(
            "the rule of thumb 1/2 alpha_bar_T |x_0|^2: it holds for small alpha_bar_T only.",
            lambda x, a: 0.5 * a * x**2,
        ),
        kl_slip(
            "the logarithm left out: subtract the log of the variance 1 - alpha_bar_T.",
            lambda x, a: 0.5 * (a * x**2 - a),
        ),
        kl_slip(
            "the logarithm with a plus: it is - log variance.",
            lambda x, a: 0.5 * (a * x**2 - a + (1 - a).log()),
        ),
        kl_slip(
            "log2 for the natural logarithm: a KL in nats has ln.",
            lambda x, a: 0.5 * (a * x**2 - a - (1 - a).log2()),
        ),
        kl_slip(
            "log10 for the natural logarithm: a KL in nats has ln.",
            lambda x, a: 0.5 * (a * x**2 - a - (1 - a).log10()),
        ),
        kl_slip(
            "the logarithm of 1 + alpha_bar_T: the variance is 1 - alpha_bar_T.",
            lambda x, a: 0.5 * (a * x**2 - a - (1 + a).log()),
        ),
        kl_slip(
            "the logarithm of alpha_bar_T: the variance is 1 - alpha_bar_T.",
            lambda x, a: 0.5 * (a * x**2 - a - a.log()),
        ),
        kl_slip(
            "the logarithm of the standard deviation: ln variance is twice that.",
            lambda x, a: 0.5 * (a * x**2 - a - (1 - a).sqrt().log()),
        ),
        kl_slip(
            "a missing -1: the KL of N(0, I) from itself is 0.",
            lambda x, a: 0.5 * (a * x**2 + (1 - a) - (1 - a).log()),
        ),
        kl_slip(
            "a missing - alpha_bar_T: variance - 1 is -alpha_bar_T.",
            lambda x, a: 0.5 * (a * x**2 - (1 - a).log()),
        ),
        kl_slip(
            "+ alpha_bar_T: variance - 1 is -alpha_bar_T.",
            lambda x, a: 0.5 * (a * x**2 + a - (1 - a).log()),
        ),
        kl_slip(
            "alpha_bar_T and 1 - alpha_bar_T swapped: alpha_bar_T belongs to the signal.",
            lambda x, a: pixel_kl(x, 1 - a),
        ),
        kl_slip(
            "a standard deviation for the variance: the variance is 1 - alpha_bar_T, without a root.",
            lambda x, a: 0.5 * (a * x**2 + (1 - a).sqrt() - 1 - (1 - a).sqrt().log()),
        ),
        kl_slip(
            "a square of the variance: 1 - alpha_bar_T is the variance already, not a standard deviation.",
            lambda x, a: 0.5 * (a * x**2 + (1 - a) ** 2 - 1 - 2 * (1 - a).log()),
        ),
        kl_slip(
            "the KL the other way round: the average is over q(x_T | x_0), and the divisor is 1.",
            lambda x, a: 0.5 * ((1 + a * x**2) / (1 - a) - 1 + (1 - a).log()),
        ),
        argument_slip(
            "an x_0 clipped to [-1, 1]: take the pixels as they are.",
            prior_kl,
            "x0",
            lambda x0: x0.clamp(-1, 1),
        ),
    ],
)
