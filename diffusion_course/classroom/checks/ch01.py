"""Checks of chapter 01: the forward process."""

from collections.abc import Iterator

import torch
from torch import Tensor

from .data import Check, Mutant
from .inputs import Draw, column

REVERSED = "an alpha_bar read backwards: alpha_bar[0] is alpha_bar_1, and alpha_bar[T - 1] is the noisiest."
OFF_BY_ONE = (
    "alpha_bar[t]: betas[0] is beta_1 and alpha_bar[0] is alpha_bar_1, so alpha_bar_t is alpha_bar[t - 1]."
)


def alpha_bar_from_betas(betas: Tensor) -> Tensor:
    return torch.cumprod(1 - betas, dim=0)


def tables(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Whole schedules, and the shortest ones."""
    for name, betas in d.schedules().items():
        yield name, (betas,)
        yield (
            f"{name}, its inner betas in no order",
            (torch.cat([betas[:1], d.shuffled(betas[1:-1]), betas[-1:]]),),
        )
    yield "linear schedule, 1500 steps", (d.linear(1500),)
    yield "one step", (d.uniform(0.1, 0.9, 1),)
    yield "two steps", (d.uniform(1e-8, 1e-7, 2),)


ALPHA_BAR_FROM_BETAS = Check(
    id="01-alpha_bar_from_betas",
    points=2,
    minutes=5,
    level=1,
    reference=alpha_bar_from_betas,
    inputs=lambda d: (d.betas(),),
    fixed=tables,
    same_dtype=True,
    outputs=("alpha_bar",),
    where="alpha_bar_t = (1 - beta_1) (1 - beta_2) ... (1 - beta_t) (Ho et al. 2020, below eq. 3).",
    library=("schedules.NoiseSchedule.alpha_bar.func", "schedules.NoiseSchedule.one_minus_alpha_bar.func"),
    mutants=[
        Mutant("a product of the betas: the factors are alpha_s = 1 - beta_s.", lambda b: b.cumprod(0)),
        Mutant(
            "1 minus a sum of betas (cumsum): keeping fractions multiply, use cumprod.",
            lambda b: 1 - b.cumsum(0),
        ),
        Mutant("a sum of the alphas: they multiply, use cumprod.", lambda b: (1 - b).cumsum(0)),
        Mutant("alpha_t alone: alpha_bar_t is the product of all alphas up to t.", lambda b: 1 - b),
        Mutant(
            "1 - alpha_bar_t, the variance of the noise: return alpha_bar_t itself.",
            lambda b: 1 - (1 - b).cumprod(0),
        ),
        Mutant(
            "an alpha_bar that begins with alpha_bar_0 = 1: its entry 0 is alpha_bar_1 = 1 - beta_1.",
            lambda b: torch.cat([torch.ones_like(b[:1]), (1 - b).cumprod(0)[:-1]]),
        ),
        Mutant("sqrt(alpha_bar_t): here no root is taken.", lambda b: (1 - b).cumprod(0).sqrt()),
        Mutant(
            "the product up to T only (prod): return every partial product, use cumprod.",
            lambda b: (1 - b).prod(),
        ),
    ],
)


def diffuse(x0: Tensor, t: Tensor, eps: Tensor, alpha_bar: Tensor) -> Tensor:
    return mix(x0, eps, column(alpha_bar[t - 1], x0))


def mix(x0: Tensor, eps: Tensor, a: Tensor) -> Tensor:
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


def jumps(d: Draw) -> Iterator[tuple[str, tuple]]:
    """From every end of the chapters' chains, from data far outside [-1, 1], for a batch and for one sample."""
    for name, betas in d.schedules().items():
        t, alpha_bar = d.times(), torch.cumprod(1 - betas, 0)
        for shape in ((), (3,), (1, 4, 4), (1, 2, 1, 3)):
            yield name, (d.wide(len(t), *shape), t, d.wide(len(t), *shape), alpha_bar)
        for one in t.split(1):
            yield f"{name}, one sample", (d.normal(1, 3), one, d.normal(1, 3), alpha_bar)
    t = torch.cat([d.times(200).repeat(10), d.times(200)[:1]])
    yield "a large batch", (d.wide(61, 3), t, d.wide(61, 3), torch.cumprod(1 - d.linear(200), 0))
    yield (
        "images of 28 x 28",
        (d.wide(2, 1, 28, 28), t[:2], d.wide(2, 1, 28, 28), torch.cumprod(1 - d.linear(200), 0)),
    )


DIFFUSE = Check(
    id="01-diffuse",
    points=3,
    minutes=10,
    level=2,
    reference=diffuse,
    inputs=lambda d: (d.x(), d.t(), d.x(), d.alpha_bar()),
    fixed=jumps,
    where="x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps (Ho et al. 2020, eq. 4).",
    outputs=("x_t",),
    library=("gaussian.diffuse",),
    mutants=[
        Mutant(OFF_BY_ONE, lambda x0, t, eps, ab: mix(x0, eps, column(ab[t], x0))),
        Mutant(REVERSED, lambda x0, t, eps, ab: mix(x0, eps, column(ab[len(ab) - t], x0))),
        Mutant(
            "a variance used as a standard deviation: the noise is multiplied by sqrt(1 - alpha_bar_t).",
            lambda x0, t, eps, ab: column(ab[t - 1], x0).sqrt() * x0 + (1 - column(ab[t - 1], x0)) * eps,
        ),
        Mutant(
            "both square roots missing: the weights are sqrt(alpha_bar_t) and sqrt(1 - alpha_bar_t).",
            lambda x0, t, eps, ab: column(ab[t - 1], x0) * x0 + (1 - column(ab[t - 1], x0)) * eps,
        ),
        Mutant(
            "1 - sqrt(alpha_bar_t): the root goes around the difference, sqrt(1 - alpha_bar_t).",
            lambda x0, t, eps, ab: (
                column(ab[t - 1].sqrt(), x0) * x0 + (1 - column(ab[t - 1].sqrt(), x0)) * eps
            ),
        ),
        Mutant(
            "the two weights swapped: sqrt(alpha_bar_t) belongs to x_0, sqrt(1 - alpha_bar_t) to the noise.",
            lambda x0, t, eps, ab: mix(eps, x0, column(ab[t - 1], x0)),
        ),
        Mutant(
            "a minus in front of the noise: it is added.", lambda x0, t, eps, ab: diffuse(x0, t, -eps, ab)
        ),
        Mutant(
            "alpha_bar[t - 1] of shape (B,) next to x0 of shape (B, *S): reshape it to (B, 1, ..., 1) first.",
            lambda x0, t, eps, ab: mix(x0, eps, ab[t - 1]),
        ),
        Mutant(
            "a reshape made for images only: make as many axes of size 1 as x0 has event axes, x0.ndim - 1.",
            lambda x0, t, eps, ab: mix(x0, eps, ab[t - 1][:, None, None, None]),
        ),
    ],
)


def snr(alpha_bar: Tensor) -> Tensor:
    return alpha_bar / (1 - alpha_bar)


def whole_chains(d: Draw) -> Iterator[tuple[str, tuple]]:
    """alpha_bar from 0.9999 to 2.4e-9: an SNR from 10,000 to 2.4e-9."""
    for name, betas in d.schedules().items():
        alpha_bar = torch.cumprod(1 - betas, 0)
        yield name, (alpha_bar,)
        yield f"{name}, in no order", (torch.cat([d.shuffled(alpha_bar[:-1]), alpha_bar[-1:]]),)
    yield "almost no noise", (1 - 10 ** d.ladder(-6.4, -1, 8),)
    yield "one step", (d.uniform(0.1, 0.9, 1),)


SNR = Check(
    id="01-snr",
    points=2,
    minutes=3,
    level=1,
    reference=snr,
    inputs=lambda d: (d.alpha_bar(),),
    fixed=whole_chains,
    where="SNR(t) = alpha_bar_t / (1 - alpha_bar_t) (Kingma et al. 2021, eq. 2).",
    outputs=("snr",),
    library=("schedules.NoiseSchedule.snr.func",),
    mutants=[
        Mutant("noise to signal, the inverse: divide the signal by the noise.", lambda ab: (1 - ab) / ab),
        Mutant(
            "a ratio of standard deviations: the SNR is a ratio of variances, without roots.",
            lambda ab: (ab / (1 - ab)).sqrt(),
        ),
        Mutant(
            "a ratio of squared variances: alpha_bar_t and 1 - alpha_bar_t are variances already.",
            lambda ab: (ab / (1 - ab)) ** 2,
        ),
        Mutant("log SNR: return the ratio itself.", lambda ab: (ab / (1 - ab)).log()),
        Mutant(
            "a noise of sqrt(1 - alpha_bar_t): that is its standard deviation, divide by the variance.",
            lambda ab: ab / (1 - ab).sqrt(),
        ),
        Mutant("alpha_bar_t alone: divide it by the variance of the noise.", lambda ab: ab.clone()),
    ],
)

CHECKS = [ALPHA_BAR_FROM_BETAS, DIFFUSE, SNR]
