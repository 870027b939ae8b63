"""Checks of chapter 02: the variational bound."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ... import schedules
from .ch01 import snr
from .ch01_slips import SMALL, after, altered, in_float32, shapes
from .data import Check, Mutant
from .inputs import Draw, column


def normal_kl(mean1: Tensor, logvar1: Tensor, mean2: Tensor, logvar2: Tensor) -> Tensor:
    return 0.5 * (logvar2 - logvar1 + (logvar1 - logvar2).exp() + (mean1 - mean2) ** 2 * (-logvar2).exp() - 1)


def gaussians(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Log-variances from -14 to 2, those of beta-tilde in the chapters' chains; equal Gaussians; one of shape ()."""
    low, high = torch.meshgrid(*2 * [d.ladder(-14, 2, 9)], indexing="ij")
    yield "log-variances from -14 to 2", (d.normal(9, 9), low, d.normal(9, 9), high)
    yield "means far apart", (d.wide(9, 9), low, d.wide(9, 9), high)
    yield "variances that differ little", (d.normal(9, 9), low, d.normal(9, 9), low + 1e-3)
    mean = d.wide(4, 3)
    yield (
        "two equal Gaussians",
        (mean, d.ladder(-14, 2, 4)[:, None], mean.clone(), d.ladder(-14, 2, 4)[:, None]),
    )
    yield (
        "log-variances from -30 to 30",
        (d.normal(5, 1), d.ladder(-30, 30, 5)[:, None], d.normal(5), d.ladder(30, -30, 5)),
    )
    yield (
        "the first mean the smallest",
        (d.normal(3), d.uniform(-2, 1, 4, 1), d.normal(4, 3), d.uniform(-2, 1, 2, 4, 3)),
    )
    zero = torch.zeros((), dtype=d.dtype, device=d.device)
    yield "against N(0, 1)", (d.wide(4, 3), d.uniform(-14, 2, 4, 3), zero, zero.clone())


def kl(d: Tensor, r: Tensor, v2: Tensor, log: Tensor) -> Tensor:
    """The KL from mean1 - mean2, v1 / v2, v2 and log(v2 / v1)."""
    return 0.5 * (log - 1 + r + d**2 / v2)


def kl_slip(hint: str, formula: Callable) -> Mutant:
    """A mutant written as formula(mean1 - mean2, v1 / v2, v2, log(v2 / v1))."""
    return Mutant(hint, lambda m1, lv1, m2, lv2: formula(m1 - m2, (lv1 - lv2).exp(), lv2.exp(), lv2 - lv1))


NORMAL_KL = Check(
    id="02-normal_kl",
    points=2,
    minutes=8,
    level=1,
    reference=normal_kl,
    # Four shapes that broadcast to (B, *S).
    inputs=lambda d: (
        d.x(),
        column(d.uniform(-2, 1, d.B), d.x()),
        d.normal(*d.event),
        d.uniform(-2, 1, d.B, *d.event),
    ),
    fixed=gaussians,
    grad=("mean1", "logvar1", "mean2", "logvar2"),  # section 5 fits parameters through it
    where="equation (2) in section 1 of this notebook: KL = 1/2 (log(v2 / v1) - 1 + (v1 + (mean1 - mean2)^2) / v2), "
    "where v = exp(logvar), elementwise.",
    outputs=("kl",),
    library=("elbo.normal_kl",),
    mutants=[
        kl_slip(
            "a missing factor 1/2: it stands before the whole sum.",
            lambda d, r, v2, log: 2 * kl(d, r, v2, log),
        ),
        Mutant(
            "the KL the other way round: KL(1 || 2) averages over the first Gaussian, and divides by v2.",
            lambda m1, lv1, m2, lv2: normal_kl(m2, lv2, m1, lv1),
        ),
        Mutant(
            "both directions added: KL(1 || 2) alone is wanted.",
            lambda m1, lv1, m2, lv2: normal_kl(m1, lv1, m2, lv2) + normal_kl(m2, lv2, m1, lv1),
        ),
        Mutant(
            "the mean of both directions: KL(1 || 2) alone is wanted.",
            lambda m1, lv1, m2, lv2: (normal_kl(m1, lv1, m2, lv2) + normal_kl(m2, lv2, m1, lv1)) / 2,
        ),
        after("a minus before the whole: a KL is never negative.", normal_kl, torch.neg),
        Mutant(
            "a logvar taken for the logarithm of a standard deviation: v = exp(logvar), not exp(2 logvar).",
            lambda m1, lv1, m2, lv2: normal_kl(m1, 2 * lv1, m2, 2 * lv2),
        ),
        Mutant(
            "a standard deviation used as the variance: v = exp(logvar), not exp(logvar / 2).",
            lambda m1, lv1, m2, lv2: normal_kl(m1, lv1 / 2, m2, lv2 / 2),
        ),
        Mutant(
            "standard deviations exp(logvar / 2) in the fraction, where variances exp(logvar) belong.",
            lambda m1, lv1, m2, lv2: kl(m1 - m2, ((lv1 - lv2) / 2).exp(), (lv2 / 2).exp(), lv2 - lv1),
        ),
        Mutant(
            "a logvar used as a variance, in the logarithm too: v = exp(logvar).",
            lambda m1, lv1, m2, lv2: kl(m1 - m2, lv1 / lv2, lv2, (lv2 / lv1).log()),
        ),
        Mutant(
            "a logvar used as a variance in the fraction: there v = exp(logvar) belongs.",
            lambda m1, lv1, m2, lv2: kl(m1 - m2, lv1 / lv2, lv2, lv2 - lv1),
        ),
        kl_slip("a missing -1: the KL of two equal Gaussians must be 0.", lambda *a: kl(*a) + 0.5),
        kl_slip("+ 1 where - 1 belongs: the KL of two equal Gaussians must be 0.", lambda *a: kl(*a) + 1),
        kl_slip("a -1 outside the 1/2: it is 1/2 (... - 1).", lambda *a: kl(*a) - 0.5),
        kl_slip(
            "a 1/2 that reaches the logarithm only: it stands before the whole sum, use brackets.",
            lambda d, r, v2, log: 0.5 * log - 1 + r + d**2 / v2,
        ),
        kl_slip(
            "a 1/2 that does not reach the fraction (v1 + (mean1 - mean2)^2) / v2: it stands before the whole sum.",
            lambda d, r, v2, log: 0.5 * (log - 1) + r + d**2 / v2,
        ),
        kl_slip(
            "a 1/2 that does not reach (mean1 - mean2)^2 / v2: it stands before the whole sum.",
            lambda d, r, v2, log: 0.5 * (log - 1 + r) + d**2 / v2,
        ),
        kl_slip(
            "the logarithm the wrong way up: it is log(v2 / v1) = logvar2 - logvar1.",
            lambda d, r, v2, log: kl(d, r, v2, -log),
        ),
        kl_slip(
            "log(v2 / v1) without its 1/2: log(std2 / std1) = 1/2 (logvar2 - logvar1).",
            lambda d, r, v2, log: kl(d, r, v2, 2 * log),
        ),
        kl_slip(
            "a logarithm that is halved twice: inside the bracket it is log(v2 / v1), with a 1/2 before the bracket.",
            lambda d, r, v2, log: kl(d, r, v2, log / 2),
        ),
        kl_slip("a missing log(v2 / v1).", lambda d, r, v2, log: kl(d, r, v2, 0 * log)),
        kl_slip(
            "the ratio of the variances upside down: it is v1 / v2 = exp(logvar1 - logvar2).",
            lambda d, r, v2, log: kl(d, 1 / r, v2, log),
        ),
        kl_slip("a missing v1 / v2.", lambda d, r, v2, log: kl(d, 0 * r, v2, log)),
        kl_slip(
            "a missing exp: the ratio v1 / v2 is exp(logvar1 - logvar2).",
            lambda d, r, v2, log: kl(d, -log, v2, log),
        ),
        Mutant(
            "v1 that is not divided by v2: v1 and the squared distance are both divided by it.",
            lambda m1, lv1, m2, lv2: kl(m1 - m2, lv1.exp(), lv2.exp(), lv2 - lv1),
        ),
        kl_slip("a missing (mean1 - mean2)^2 / v2.", lambda d, r, v2, log: kl(0 * d, r, v2, log)),
        kl_slip(
            "a minus before the squared distance of the means: it is added.",
            lambda d, r, v2, log: kl(d, r, -v2, log),
        ),
        kl_slip(
            "a difference of means without its square.",
            lambda d, r, v2, log: kl(0 * d, r, v2, log) + 0.5 * d / v2,
        ),
        kl_slip(
            "an absolute difference of means without its square.",
            lambda d, r, v2, log: kl(0 * d, r, v2, log) + 0.5 * d.abs() / v2,
        ),
        Mutant(
            "mean1^2 - mean2^2: it is the square of the difference, (mean1 - mean2)^2.",
            lambda m1, lv1, m2, lv2: (
                normal_kl(0 * m1, lv1, 0 * m2, lv2) + 0.5 * (m1**2 - m2**2) * (-lv2).exp()
            ),
        ),
        altered(
            "a sum of the means: it is the square of the difference, (mean1 - mean2)^2.",
            normal_kl,
            mean2=torch.neg,
        ),
        kl_slip(
            "a distance of the means that is not divided by v2.",
            lambda d, r, v2, log: kl(d * v2.sqrt(), r, v2, log),
        ),
        kl_slip(
            "a distance of the means divided by v1: it is divided by v2.",
            lambda d, r, v2, log: kl(d, r, v2 * r, log),
        ),
        kl_slip(
            "a distance of the means divided by v2^2: v2 = exp(logvar2) is the square already.",
            lambda d, r, v2, log: kl(d, r, v2**2, log),
        ),
        kl_slip(
            "a distance of the means divided by a standard deviation: divide by v2 = exp(logvar2).",
            lambda d, r, v2, log: kl(d, r, v2.sqrt(), log),
        ),
        kl_slip(
            "a distance of the means multiplied by v2: 1 / v2 = exp(-logvar2).",
            lambda d, r, v2, log: kl(d, r, 1 / v2, log),
        ),
        kl_slip(
            "the squared length of the whole difference: each element has its own square.",
            lambda d, r, v2, log: kl(d.square().sum().sqrt(), r, v2, log),
        ),
        after("bits, a division by ln 2: the result is in nats.", normal_kl, lambda v: v / math.log(2)),
        Mutant("a sum: return every element's KL, in the broadcast shape.", lambda *a: normal_kl(*a).sum()),
        Mutant("a mean: return every element's KL, in the broadcast shape.", lambda *a: normal_kl(*a).mean()),
        after(
            "a sum over the last axis: return every element's KL, in the broadcast shape.",
            normal_kl,
            lambda v: v.sum(-1),
        ),
        after(
            "a mean over the last axis: return every element's KL, in the broadcast shape.",
            normal_kl,
            lambda v: v.mean(-1),
        ),
        after(
            "a sum for each sample: return every element's KL, in the broadcast shape.",
            normal_kl,
            lambda v: v.flatten(1).sum(1),
        ),
        after(
            "a mean for each sample: return every element's KL, in the broadcast shape.",
            normal_kl,
            lambda v: v.flatten(1).mean(1),
        ),
        Mutant(
            "the shape of mean1 forced on the others: any of the four may be the largest, let them broadcast.",
            lambda m1, *others: normal_kl(m1, *(v.expand(m1.shape) for v in others)),
        ),
        *(
            altered(
                f"log-variances kept between -{c} and {c}: they may be any numbers, use them as they are.",
                normal_kl,
                logvar1=lambda v, c=c: v.clamp(-c, c),
                logvar2=lambda v, c=c: v.clamp(-c, c),
            )
            for c in (5, 10, 20)
        ),
        *(
            altered(
                f"logvar2 kept between -{c} and {c}: it may be any number, use it as it is.",
                normal_kl,
                logvar2=lambda v, c=c: v.clamp(-c, c),
            )
            for c in (10, 20)
        ),
        *(
            Mutant(
                f"{c:g} added to v2: at the first steps v2 is as small, 1 / exp(logvar2) needs no help.",
                lambda m1, lv1, m2, lv2, c=c: (
                    0.5 * (lv2 - lv1 + (lv1.exp() + (m1 - m2) ** 2) / (lv2.exp() + c) - 1)
                ),
            )
            for c in SMALL
        ),
        in_float32(normal_kl),
        after(
            "an axis of size 1 taken away, as .squeeze() does: the result keeps the broadcast shape.",
            normal_kl,
            torch.squeeze,
        ),
    ],
)


def posterior_mean_variance(x0: Tensor, x_t: Tensor, t: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
    return posterior(x0, x_t, *posterior_tables(x0, t, betas))


def posterior_tables(x: Tensor, t: Tensor, betas: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """beta_t, alpha_bar_t and alpha_bar_{t-1}, each (B, 1, ..., 1)."""
    alpha_bar = torch.cumprod(1 - betas, dim=0)
    previous = torch.cat([torch.ones_like(betas[:1]), alpha_bar[:-1]])
    return column(betas[t - 1], x), column(alpha_bar[t - 1], x), column(previous[t - 1], x)


def posterior(x0: Tensor, x_t: Tensor, beta: Tensor, a: Tensor, a_prev: Tensor) -> tuple[Tensor, Tensor]:
    return posterior_over(x0, x_t, beta, a_prev, 1 - a)


def posterior_over(
    x0: Tensor, x_t: Tensor, beta: Tensor, a_prev: Tensor, noise: Tensor
) -> tuple[Tensor, Tensor]:
    """The posterior with `noise` in the place of 1 - alpha_bar_t."""
    mean = (a_prev.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - a_prev) * x_t) / noise
    return mean, beta * (1 - a_prev) / noise


def posterior_slip(hint: str, formula: Callable) -> Mutant:
    """A mutant written as formula(x0, x_t, beta, a, a_prev)."""
    return Mutant(hint, lambda x0, x_t, t, betas: formula(x0, x_t, *posterior_tables(x0, t, betas)))


def read_slip(hint: str, read: Callable) -> Mutant:
    """A mutant written as read(betas, alpha_bar, t): beta_t, alpha_bar_t and alpha_bar_{t-1}, each (B,)."""

    def function(x0: Tensor, x_t: Tensor, t: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
        tables = read(betas, torch.cumprod(1 - betas, dim=0), t)
        return posterior(x0, x_t, *(column(table, x0) for table in tables))

    return Mutant(hint, function)


def shape_slip(hint: str, shape: Callable) -> Mutant:
    """A mutant that reshapes (B,) by shape(values, x)."""

    def function(x0: Tensor, x_t: Tensor, t: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
        tables = posterior_tables(t, t, betas)
        return posterior(x0, x_t, *(shape(table, x0) for table in tables))

    return Mutant(hint, function)


def mean_slip(hint: str, mean: Callable) -> Mutant:
    """A mutant with the right variance, and a mean written as mean(x0, x_t, beta, a, a_prev)."""
    return posterior_slip(hint, lambda *args: (mean(*args), posterior(*args)[1]))


def variance_slip(hint: str, variance: Callable) -> Mutant:
    """A mutant with the right mean, and a variance written as variance(beta, a, a_prev)."""
    return posterior_slip(hint, lambda *args: (posterior(*args)[0], variance(*args[2:])))


def first_known(alpha_bar: Tensor, t: Tensor, known: Tensor) -> Tensor:
    """alpha_bar[t - 2], with 1 where `known` says that t is 1."""
    return torch.where(known, torch.ones_like(alpha_bar[:1]), alpha_bar[t - 2])


def posteriors(d: Draw) -> Iterator[tuple[str, tuple]]:
    """At every end of the chapters' chains, for a batch and for one sample."""
    for name, betas in d.schedules().items():
        for shape in ((), (3,), (1, 4, 4), (1, 2, 1, 3)):
            yield name, (d.wide(6, *shape), d.wide(6, *shape), d.times(), betas)
        for one in d.times().split(1):
            yield f"{name}, one sample", (d.normal(1, 3), d.normal(1, 3), one, betas)


POSTERIOR_MEAN_VARIANCE = Check(
    id="02-posterior_mean_variance",
    points=3,
    minutes=12,
    level=2,
    reference=posterior_mean_variance,
    inputs=lambda d: (d.x(), d.x(), d.t(), d.betas()),
    fixed=posteriors,
    where="equation (11) in section 4 of this notebook: the mean is sqrt(alpha_bar_{t-1}) beta_t / (1 - alpha_bar_t) x_0 "
    "+ sqrt(alpha_t) (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t) x_t, the variance beta_t (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t), "
    "with alpha_bar_0 = 1 (Ho et al. 2020, eqs. 6-7).",
    outputs=("mean", "variance"),
    library=("gaussian.posterior_mean_variance",),
    mutants=[
        read_slip(
            "alpha_bar[t - 2] for alpha_bar_{t-1}: at t = 1 that is alpha_bar[-1], the last entry, not 1.",
            lambda b, ab, t: (b[t - 1], ab[t - 1], ab[t - 2]),
        ),
        read_slip(
            "alpha_bar[t - 2] with the index held at 0: at t = 1 alpha_bar_{t-1} is alpha_bar_0 = 1, not alpha_bar_1.",
            lambda b, ab, t: (b[t - 1], ab[t - 1], ab[(t - 2).clamp(min=0)]),
        ),
        read_slip(
            "alpha_bar_0 = 0: the product of no factor is 1, so at t = 1 alpha_bar_{t-1} = 1.",
            lambda b, ab, t: (b[t - 1], ab[t - 1], torch.where(t > 1, ab[t - 2], 0 * ab[:1])),
        ),
        read_slip(
            "the question t == 1 asked of the first sample only: every sample has its own t.",
            lambda b, ab, t: (
                b[t - 1],
                ab[t - 1],
                first_known(ab, t, (t == 1) & (torch.arange(len(t)).to(t) == 0)),
            ),
        ),
        Mutant(
            "a whole batch treated as t = 1 because one sample is: every sample has its own t.",
            lambda x0, x_t, t, betas: posterior_mean_variance(
                x0, x_t, torch.ones_like(t) if bool((t == 1).any()) else t, betas
            ),
        ),
        read_slip(
            "tables read at index t: beta_t is betas[t - 1], alpha_bar_t is alpha_bar[t - 1].",
            lambda b, ab, t: (b[t], ab[t], ab[t - 1]),
        ),
        read_slip(
            "tables read at index t, held at T - 1: beta_t is betas[t - 1], alpha_bar_t is alpha_bar[t - 1].",
            lambda b, ab, t: [v[t.clamp(max=len(b) - 1) - s] for v, s in ((b, 0), (ab, 0), (ab, 1))],
        ),
        read_slip(
            "alpha_bar_t read at index t: it is alpha_bar[t - 1].",
            lambda b, ab, t: (b[t - 1], ab[t.clamp(max=len(b) - 1)], ab[t - 1]),
        ),
        read_slip(
            "betas read at index t: beta_t is betas[t - 1].",
            lambda b, ab, t: (b[t], ab[t - 1], first_known(ab, t, t == 1)),
        ),
        read_slip(
            "alpha_bar_t in the place of alpha_bar_{t-1}: that is the entry before, and 1 at t = 1.",
            lambda b, ab, t: (b[t - 1], ab[t - 1], ab[t - 1]),
        ),
        read_slip(
            "alpha_bar_{t-1} and alpha_bar_t swapped.",
            lambda b, ab, t: (b[t - 1], first_known(ab, t, t == 1), ab[t - 1]),
        ),
        read_slip(
            "alpha_t in the place of alpha_bar_t, alphas without their running product (cumprod).",
            lambda b, ab, t: (b[t - 1], 1 - b[t - 1], first_known(1 - b, t, t == 1)),
        ),
        read_slip(
            "a running product of the betas: alpha_bar_t is the product of the alphas 1 - beta_s.",
            lambda b, ab, t: (b[t - 1], b.cumprod(0)[t - 1], first_known(b.cumprod(0), t, t == 1)),
        ),
        read_slip(
            "1 minus a sum of betas: alpha_bar_t is the product of the alphas 1 - beta_s, use cumprod.",
            lambda b, ab, t: (b[t - 1], 1 - b.cumsum(0)[t - 1], first_known(1 - b.cumsum(0), t, t == 1)),
        ),
        altered(
            "the first sample's t used for the whole batch: every sample has its own.",
            posterior_mean_variance,
            t=lambda t: t[:1].expand_as(t),
        ),
        altered(
            "the linear schedule of 1000 steps in the place of the argument betas: use the table that is given.",
            posterior_mean_variance,
            betas=lambda b: schedules.linear(1000).to(b),
        ),
        Mutant(
            "mean and variance in the wrong order: return (mean, variance).",
            lambda *a: posterior_mean_variance(*a)[::-1],
        ),
        posterior_slip(
            "both wrong in one place: (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t) is turned over, in the mean and in the variance.",
            lambda x0, x_t, b, a, p: (
                p.sqrt() * b / (1 - a) * x0 + (1 - b).sqrt() * (1 - a) / (1 - p) * x_t,
                b * (1 - a) / (1 - p),
            ),
        ),
        variance_slip(
            "the forward step's beta_t: the variance is beta_t (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t).",
            lambda b, a, p: b,
        ),
        variance_slip(
            "a standard deviation in the place of the variance: no root there.",
            lambda b, a, p: (b * (1 - p) / (1 - a)).sqrt(),
        ),
        variance_slip(
            "log(variance): return the variance itself, which is 0 at t = 1.",
            lambda b, a, p: (b * (1 - p) / (1 - a)).log(),
        ),
        variance_slip("the variance squared: no square there.", lambda b, a, p: (b * (1 - p) / (1 - a)) ** 2),
        variance_slip("a precision, 1 / variance.", lambda b, a, p: (1 - a) / (b * (1 - p))),
        variance_slip(
            "a variance turned over: it is beta_t (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t), below beta_t.",
            lambda b, a, p: b * (1 - a) / (1 - p),
        ),
        variance_slip(
            "a variance without beta_t: it is beta_t (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t).",
            lambda b, a, p: (1 - p) / (1 - a),
        ),
        variance_slip(
            "a variance without its denominator 1 - alpha_bar_t.",
            lambda b, a, p: b * (1 - p),
        ),
        variance_slip(
            "a variance without 1 - alpha_bar_{t-1}: it is beta_t (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t).",
            lambda b, a, p: b / (1 - a),
        ),
        variance_slip(
            "a variance of 1 - alpha_bar_t, that of q(x_t | x_0): it is beta_t (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t).",
            lambda b, a, p: 1 - a,
        ),
        variance_slip(
            "a ratio without brackets: it is beta_t (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t).",
            lambda b, a, p: (1 - p) / 1 - a * b,
        ),
        variance_slip(
            "a ratio of alpha_bar_{t-1} and alpha_bar_t: it is (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t).",
            lambda b, a, p: b * p / a,
        ),
        posterior_slip(
            "a variance of the shape of x0: it is (B, 1, ..., 1).",
            lambda x0, *rest: tuple(v.expand_as(x0) for v in posterior(x0, *rest)),
        ),
        posterior_slip(
            "a variance of shape (B,): reshape it to (B, 1, ..., 1).",
            lambda *args: (posterior(*args)[0], posterior(*args)[1].flatten()),
        ),
        *(
            variance_slip(
                f"a variance kept above {c:g}: at t = 1 it is 0, return what the formula gives.",
                lambda b, a, p, c=c: (b * (1 - p) / (1 - a)).clamp(min=c),
            )
            for c in SMALL
        ),
        *(
            posterior_slip(
                f"{c:g} added to 1 - alpha_bar_t: at t = 1 that changes the ratios, the denominator is never 0.",
                lambda x0, x_t, b, a, p, c=c: posterior_over(x0, x_t, b, p, 1 - a + c),
            )
            for c in SMALL
        ),
        mean_slip(
            "the two weights of the mean swapped: at t = 1 the mean is x_0.",
            lambda x0, x_t, *rest: posterior(x_t, x0, *rest)[0],
        ),
        mean_slip(
            "sqrt(alpha_bar_t) in the weight of x_0: it is sqrt(alpha_bar_{t-1}).",
            lambda x0, x_t, b, a, p: (a.sqrt() * b * x0 + (1 - b).sqrt() * (1 - p) * x_t) / (1 - a),
        ),
        mean_slip(
            "sqrt(alpha_t) in the weight of x_0: it is sqrt(alpha_bar_{t-1}).",
            lambda x0, x_t, b, a, p: ((1 - b).sqrt() * b * x0 + (1 - b).sqrt() * (1 - p) * x_t) / (1 - a),
        ),
        mean_slip(
            "sqrt(alpha_bar_t) in the weight of x_t: it is sqrt(alpha_t), with alpha_t = 1 - beta_t.",
            lambda x0, x_t, b, a, p: (p.sqrt() * b * x0 + a.sqrt() * (1 - p) * x_t) / (1 - a),
        ),
        mean_slip(
            "sqrt(alpha_bar_{t-1}) in the weight of x_t: it is sqrt(alpha_t), with alpha_t = 1 - beta_t.",
            lambda x0, x_t, b, a, p: (p.sqrt() * b * x0 + p.sqrt() * (1 - p) * x_t) / (1 - a),
        ),
        mean_slip(
            "missing square roots in the mean: the weights hold sqrt(alpha_bar_{t-1}) and sqrt(alpha_t).",
            lambda x0, x_t, b, a, p: (p * b * x0 + (1 - b) * (1 - p) * x_t) / (1 - a),
        ),
        mean_slip(
            "a missing square root in the weight of x_0: it holds sqrt(alpha_bar_{t-1}).",
            lambda x0, x_t, b, a, p: (p * b * x0 + (1 - b).sqrt() * (1 - p) * x_t) / (1 - a),
        ),
        mean_slip(
            "a missing square root in the weight of x_t: it holds sqrt(alpha_t).",
            lambda x0, x_t, b, a, p: (p.sqrt() * b * x0 + (1 - b) * (1 - p) * x_t) / (1 - a),
        ),
        mean_slip(
            "a root over beta_t too: the weight of x_0 is sqrt(alpha_bar_{t-1}) beta_t / (1 - alpha_bar_t).",
            lambda x0, x_t, b, a, p: ((p * b).sqrt() * x0 + (1 - b).sqrt() * (1 - p) * x_t) / (1 - a),
        ),
        mean_slip(
            "a root over 1 - alpha_bar_t: both weights are divided by 1 - alpha_bar_t itself.",
            lambda x0, x_t, b, a, p: (p.sqrt() * b * x0 + (1 - b).sqrt() * (1 - p) * x_t) / (1 - a).sqrt(),
        ),
        mean_slip(
            "a mean that is not divided by 1 - alpha_bar_t.",
            lambda x0, x_t, b, a, p: p.sqrt() * b * x0 + (1 - b).sqrt() * (1 - p) * x_t,
        ),
        mean_slip(
            "a mean divided by 1 - alpha_bar_{t-1}: both weights are divided by 1 - alpha_bar_t.",
            lambda x0, x_t, b, a, p: (p.sqrt() * b * x0 + (1 - b).sqrt() * (1 - p) * x_t) / (1 - p),
        ),
        mean_slip(
            "a 1 - alpha_bar_t that divides the part with x_t only: it divides both, use brackets.",
            lambda x0, x_t, b, a, p: p.sqrt() * b * x0 + (1 - b).sqrt() * (1 - p) * x_t / (1 - a),
        ),
        mean_slip(
            "weights without brackets: / 1 - alpha_bar_t divides by 1, write / (1 - alpha_bar_t).",
            lambda x0, x_t, b, a, p: (p.sqrt() * b / 1 - a) * x0 + ((1 - b).sqrt() * (1 - p) / 1 - a) * x_t,
        ),
        mean_slip(
            "a weight of x_t without 1 - alpha_bar_{t-1}: it is sqrt(alpha_t) (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t).",
            lambda x0, x_t, b, a, p: (p.sqrt() * b * x0 + (1 - b).sqrt() * x_t) / (1 - a),
        ),
        mean_slip(
            "1 - alpha_bar_t in the weight of x_t: above stands 1 - alpha_bar_{t-1}.",
            lambda x0, x_t, b, a, p: p.sqrt() * b / (1 - a) * x0 + (1 - b).sqrt() * x_t,
        ),
        mean_slip(
            "a weight of x_0 without beta_t: it is sqrt(alpha_bar_{t-1}) beta_t / (1 - alpha_bar_t).",
            lambda x0, x_t, b, a, p: (p.sqrt() * x0 + (1 - b).sqrt() * (1 - p) * x_t) / (1 - a),
        ),
        mean_slip(
            "a weight of x_t without sqrt(alpha_t).",
            lambda x0, x_t, b, a, p: (p.sqrt() * b * x0 + (1 - p) * x_t) / (1 - a),
        ),
        mean_slip(
            "weights that add up to 1: that of x_t is sqrt(alpha_t) (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t).",
            lambda x0, x_t, b, a, p: x_t + p.sqrt() * b / (1 - a) * (x0 - x_t),
        ),
        mean_slip(
            "a minus between the two parts of the mean: they are added.",
            lambda x0, x_t, *rest: posterior(x0, -x_t, *rest)[0],
        ),
        mean_slip(
            "beta_t and alpha_t swapped in the mean: x_0 is multiplied by beta_t, x_t by sqrt(alpha_t).",
            lambda x0, x_t, b, a, p: (p.sqrt() * (1 - b) * x0 + b.sqrt() * (1 - p) * x_t) / (1 - a),
        ),
        mean_slip(
            "sqrt(beta_t) in the weight of x_t: it is sqrt(alpha_t), with alpha_t = 1 - beta_t.",
            lambda x0, x_t, b, a, p: (p.sqrt() * b * x0 + b.sqrt() * (1 - p) * x_t) / (1 - a),
        ),
        *(shape_slip(hint, shape) for hint, shape in shapes("x0")),
        Mutant(
            "weights of shape (B,) next to x0 of shape (B, *S): reshape them to (B, 1, ..., 1) for the mean too.",
            lambda x0, x_t, t, betas: (
                posterior(x0, x_t, *posterior_tables(t, t, betas))[0],
                posterior_mean_variance(x0, x_t, t, betas)[1],
            ),
        ),
        after(
            "a variance of one sample without its batch axis: it is (B, 1, ..., 1), for B = 1 too.",
            posterior_mean_variance,
            lambda both: (both[0], both[1].squeeze(0)),
        ),
        after(
            "a variance after .squeeze(): it is (B, 1, ..., 1).",
            posterior_mean_variance,
            lambda both: (both[0], both[1].squeeze()),
        ),
        in_float32(posterior_mean_variance),
        altered(
            "betas rounded to float32: keep the dtype of the table, without .float().",
            posterior_mean_variance,
            betas=lambda b: b.float().to(b),
        ),
    ],
)


def vlb_terms(mse: Tensor, alpha_bar: Tensor) -> Tensor:
    ratio = snr(alpha_bar)
    return 0.5 * (ratio[:-1] - ratio[1:]) * mse[1:]


def chains(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Whole chains, with the small errors of a good model and the large ones of a bad one; and the shortest chain."""
    for name, betas in d.schedules().items():
        for low, high in ((-5, 2), (2, -5)):
            yield name, (10 ** d.ladder(low, high, len(betas)), torch.cumprod(1 - betas, 0))
    yield "two steps", (d.uniform(0.2, 2, 2), torch.cumprod(1 - d.uniform(0.1, 0.5, 2), 0))


VLB_TERMS = Check(
    id="02-vlb_terms",
    points=3,
    minutes=10,
    level=2,
    reference=vlb_terms,
    inputs=lambda d: (d.uniform(0.2, 2, d.T), d.alpha_bar()),
    fixed=chains,
    where="equation (15) in section 7 of this notebook: L_{t-1} = 1/2 (SNR(t-1) - SNR(t)) mse_t for t = 2..T, "
    "where mse_t is mse[t - 1] (Kingma et al. 2021, eq. 13).",
    outputs=("terms",),
    library=("elbo.kl_term",),
    mutants=[
        Mutant("a missing factor 1/2.", lambda mse, ab: 2 * vlb_terms(mse, ab)),
        Mutant("a factor 2 where 1/2 belongs.", lambda mse, ab: 4 * vlb_terms(mse, ab)),
        Mutant(
            "a 0 everywhere: 1 // 2 is 0 in Python, and so is alpha_bar / 1 - alpha_bar without its brackets.",
            lambda mse, ab: 0 * vlb_terms(mse, ab),
        ),
        Mutant(
            "a difference with the wrong sign: the SNR falls with t, and a KL is never negative.",
            lambda mse, ab: -vlb_terms(mse, ab),
        ),
        Mutant(
            "the error of t - 1 with the weight of t: mse_t is mse[t - 1], so t = 2..T takes mse[1:].",
            lambda mse, ab: 0.5 * -snr(ab).diff() * mse[:-1],
        ),
        Mutant(
            "the error of t - 1 with the weight of t, and no factor 1/2: t = 2..T takes mse[1:].",
            lambda mse, ab: -snr(ab).diff() * mse[:-1],
        ),
        Mutant(
            "the mean of the errors at t - 1 and t (the trapezoid rule): the bound has the error at t.",
            lambda mse, ab: 0.5 * -snr(ab).diff() * (mse[:-1] + mse[1:]) / 2,
        ),
        Mutant(
            "a difference of the errors: mse_t itself is multiplied by the drop of the SNR.",
            lambda mse, ab: vlb_terms(torch.cat([mse[:1], mse[:-1] - mse[1:]]), ab),
        ),
        Mutant(
            "SNR(t) as the weight: it is the drop SNR(t-1) - SNR(t).",
            lambda mse, ab: 0.5 * snr(ab)[1:] * mse[1:],
        ),
        Mutant(
            "SNR(t-1) as the weight: it is the drop SNR(t-1) - SNR(t).",
            lambda mse, ab: 0.5 * snr(ab)[:-1] * mse[1:],
        ),
        Mutant(
            "a sum of two SNRs: it is the drop SNR(t-1) - SNR(t).",
            lambda mse, ab: 0.5 * (snr(ab)[:-1] + snr(ab)[1:]) * mse[1:],
        ),
        Mutant(
            "SNR(t-1) / SNR(t) - 1, the weight of an error in the noise: the error in x_0 has the drop SNR(t-1) - SNR(t).",
            lambda mse, ab: 0.5 * (snr(ab)[:-1] / snr(ab)[1:] - 1) * mse[1:],
        ),
        Mutant(
            "a ratio of two SNRs: it is the drop SNR(t-1) - SNR(t).",
            lambda mse, ab: 0.5 * snr(ab)[:-1] / snr(ab)[1:] * mse[1:],
        ),
        Mutant("errors without a weight: it is the drop SNR(t-1) - SNR(t).", lambda mse, ab: 0.5 * mse[1:]),
        Mutant("weights without the errors: multiply by mse_t.", lambda mse, ab: 0.5 * -snr(ab).diff()),
        Mutant(
            "a division by the error: multiply by mse_t.", lambda mse, ab: 0.5 * -snr(ab).diff() / mse[1:]
        ),
        Mutant(
            "a difference of alpha_bar: take the difference of SNR(t) = alpha_bar_t / (1 - alpha_bar_t).",
            lambda mse, ab: 0.5 * -ab.diff() * mse[1:],
        ),
        Mutant(
            "a difference of log alpha_bar: take the difference of SNR(t) = alpha_bar_t / (1 - alpha_bar_t).",
            lambda mse, ab: 0.5 * -ab.log().diff() * mse[1:],
        ),
        Mutant(
            "a difference of log SNR: take the difference of SNR(t) itself.",
            lambda mse, ab: 0.5 * -snr(ab).log().diff() * mse[1:],
        ),
        Mutant(
            "noise to signal, the inverse of the SNR: SNR(t) = alpha_bar_t / (1 - alpha_bar_t).",
            lambda mse, ab: 0.5 * (1 / snr(ab)).diff() * mse[1:],
        ),
        Mutant(
            "noise to signal, the inverse of the SNR, and so a minus: SNR(t) = alpha_bar_t / (1 - alpha_bar_t).",
            lambda mse, ab: -0.5 * (1 / snr(ab)).diff() * mse[1:],
        ),
        Mutant(
            "a difference of roots of the SNR: the SNR is a ratio of variances.",
            lambda mse, ab: 0.5 * -snr(ab).sqrt().diff() * mse[1:],
        ),
        Mutant(
            "a difference of squares of the SNR: alpha_bar_t and 1 - alpha_bar_t are variances already.",
            lambda mse, ab: 0.5 * -snr(ab).square().diff() * mse[1:],
        ),
        Mutant(
            "the square of the drop: it is not squared.", lambda mse, ab: 0.5 * snr(ab).diff() ** 2 * mse[1:]
        ),
        altered(
            "a root of the error: mse is a squared error, and is used as it is.", vlb_terms, mse=torch.sqrt
        ),
        altered("the error squared once more: mse is a squared error already.", vlb_terms, mse=torch.square),
        altered("errors in the reverse order: mse[t - 1] belongs to t.", vlb_terms, mse=lambda m: m.flip(0)),
        altered("sorted errors: mse[t - 1] belongs to t.", vlb_terms, mse=lambda m: m.sort().values),
        altered(
            "a running product of alpha_bar, which is one already: use it as it is.",
            vlb_terms,
            alpha_bar=lambda ab: ab.cumprod(0),
        ),
        altered(
            "alpha_bar taken for betas and multiplied up: it holds alpha_bar_t already.",
            vlb_terms,
            alpha_bar=lambda ab: (1 - ab).cumprod(0),
        ),
        altered("sqrt(alpha_bar_t) in the place of alpha_bar_t.", vlb_terms, alpha_bar=torch.sqrt),
        Mutant(
            "the numbers of the next step, with 0 at the end: mse_t is mse[t - 1] and SNR(t) is snr[t - 1].",
            lambda mse, ab: torch.cat([vlb_terms(mse, ab)[1:], 0 * mse[:1]]),
        ),
        Mutant(
            "the term of t = 2 left out: the terms are those of t = 2..T.",
            lambda mse, ab: vlb_terms(mse[1:], ab[1:]),
        ),
        Mutant(
            "the term of t = T left out: the terms are those of t = 2..T.",
            lambda mse, ab: vlb_terms(mse[:-1], ab[:-1]),
        ),
        Mutant(
            "a last drop down to SNR 0: it ends at SNR(T), what is left belongs to L_T.",
            lambda mse, ab: 0.5 * torch.cat([-snr(ab)[:-1].diff(), snr(ab)[-2:-1]]) * mse[1:],
        ),
        after("the sum of the terms: return all T - 1 of them.", vlb_terms, torch.sum),
        after("the mean of the terms: return all T - 1 of them, not averaged.", vlb_terms, torch.mean),
        after(
            "partial sums of the terms (cumsum): return the terms themselves.",
            vlb_terms,
            lambda v: v.cumsum(0),
        ),
        after(
            "the terms in the reverse order: they begin with L_1, that of t = 2.",
            vlb_terms,
            lambda v: v.flip(0),
        ),
        after("the first term only, as a return inside the loop gives it.", vlb_terms, lambda v: v[:1]),
        after("bits, a division by ln 2: the terms are in nats.", vlb_terms, lambda v: v / math.log(2)),
        Mutant("terms divided by T: they are not averaged.", lambda mse, ab: vlb_terms(mse, ab) / len(mse)),
        Mutant(
            "terms divided by T - 1: they are not averaged.",
            lambda mse, ab: vlb_terms(mse, ab) / (len(mse) - 1),
        ),
        Mutant(
            "terms multiplied by T: they stand for themselves.", lambda mse, ab: vlb_terms(mse, ab) * len(mse)
        ),
        Mutant(
            "T terms: t = 1 has no KL, its term L_0 belongs to the decoder. Return t = 2..T.",
            lambda mse, ab: torch.cat([0.5 * snr(ab)[:1] * mse[:1], vlb_terms(mse, ab)]),
        ),
        Mutant(
            "T terms with a 0 in front: t = 1 has no KL, return the T - 1 terms of t = 2..T.",
            lambda mse, ab: torch.cat([0 * mse[:1], vlb_terms(mse, ab)]),
        ),
        Mutant(
            "T terms with a 0 at the end: return the T - 1 terms of t = 2..T.",
            lambda mse, ab: torch.cat([vlb_terms(mse, ab), 0 * mse[:1]]),
        ),
        Mutant(
            "T terms of which the first wraps around (roll): return the T - 1 terms of t = 2..T.",
            lambda mse, ab: 0.5 * (snr(ab).roll(1) - snr(ab)) * mse,
        ),
        *(
            Mutant(
                f"{c:g} added to 1 - alpha_bar_t: at t = 1 that changes the SNR, the denominator is never 0.",
                lambda mse, ab, c=c: 0.5 * -(ab / (1 - ab + c)).diff() * mse[1:],
            )
            for c in SMALL
        ),
        *(
            Mutant(
                f"an SNR kept below {c:g}: at the first steps it is larger, use it as it is.",
                lambda mse, ab, c=c: 0.5 * -snr(ab).clamp(max=c).diff() * mse[1:],
            )
            for c in (1e2, 1e3, 1e4)
        ),
        *(
            Mutant(
                f"an SNR or alpha_bar kept above {c:g}: at the last steps it is smaller, use it as it is.",
                lambda mse, ab, c=c: 0.5 * -snr(ab).clamp(min=c).diff() * mse[1:],
            )
            for c in (1e-3, *SMALL)
        ),
        in_float32(vlb_terms),
        after("a .squeeze(): for T = 2 the one term keeps its axis.", vlb_terms, torch.squeeze),
    ],
)

CHECKS = [NORMAL_KL, POSTERIOR_MEAN_VARIANCE, VLB_TERMS]
