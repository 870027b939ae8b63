"""Checks of chapter 02, the first: the KL divergence of two Gaussians."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .ch01_slips import SMALL, after, altered, in_float32
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
