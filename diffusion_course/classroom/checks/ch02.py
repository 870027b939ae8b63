"""Checks of chapter 02: the variational bound."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .ch01 import snr
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
    where="KL = 1/2 (log(v2 / v1) + (v1 + (mean1 - mean2)^2) / v2 - 1), where v = exp(logvar), elementwise.",
    outputs=("kl",),
    library=("elbo.normal_kl",),
    mutants=[
        Mutant("a missing factor 1/2: it stands before the whole sum.", lambda *a: 2 * normal_kl(*a)),
        Mutant(
            "the KL the other way round: KL(1 || 2) averages over the first Gaussian, and divides by v2.",
            lambda m1, lv1, m2, lv2: normal_kl(m2, lv2, m1, lv1),
        ),
        Mutant(
            "a logvar taken for the logarithm of a standard deviation: v = exp(logvar), not exp(2 logvar).",
            lambda m1, lv1, m2, lv2: normal_kl(m1, 2 * lv1, m2, 2 * lv2),
        ),
        Mutant(
            "a standard deviation used as the variance: v = exp(logvar), not exp(logvar / 2).",
            lambda m1, lv1, m2, lv2: normal_kl(m1, lv1 / 2, m2, lv2 / 2),
        ),
        Mutant("a missing -1: the KL of two equal Gaussians must be 0.", lambda *a: normal_kl(*a) + 0.5),
        Mutant(
            "the logarithm the wrong way up: it is log(v2 / v1) = logvar2 - logvar1.",
            lambda m1, lv1, m2, lv2: normal_kl(m1, lv1, m2, lv2) + lv1 - lv2,
        ),
        Mutant(
            "log(v2 / v1) without its 1/2: log(std2 / std1) = 1/2 (logvar2 - logvar1).",
            lambda m1, lv1, m2, lv2: normal_kl(m1, lv1, m2, lv2) + 0.5 * (lv2 - lv1),
        ),
        Mutant(
            "a difference of means without its square.",
            lambda m1, lv1, m2, lv2: normal_kl(0 * m1, lv1, 0 * m2, lv2) + 0.5 * (m1 - m2) * (-lv2).exp(),
        ),
        Mutant("a sum: return every element's KL, in the broadcast shape.", lambda *a: normal_kl(*a).sum()),
        Mutant("a mean: return every element's KL, in the broadcast shape.", lambda *a: normal_kl(*a).mean()),
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
    mean = (a_prev.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - a_prev) * x_t) / (1 - a)
    return mean, beta * (1 - a_prev) / (1 - a)


def posterior_slip(hint: str, formula: Callable) -> Mutant:
    """A mutant written as formula(x0, x_t, beta, a, a_prev)."""
    return Mutant(hint, lambda x0, x_t, t, betas: formula(x0, x_t, *posterior_tables(x0, t, betas)))


def wrapped_index(x0: Tensor, x_t: Tensor, t: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
    alpha_bar = torch.cumprod(1 - betas, dim=0)
    beta, a, a_prev = betas[t - 1], alpha_bar[t - 1], alpha_bar[t - 2]
    return posterior(x0, x_t, column(beta, x0), column(a, x0), column(a_prev, x0))


def shifted_index(x0: Tensor, x_t: Tensor, t: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
    alpha_bar = torch.cumprod(1 - betas, dim=0)
    beta, a, a_prev = betas[t], alpha_bar[t], alpha_bar[t - 1]
    return posterior(x0, x_t, column(beta, x0), column(a, x0), column(a_prev, x0))


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
    where="the posterior q(x_{t-1} | x_t, x_0) (Ho et al. 2020, eqs. 6-7), with alpha_bar_0 = 1.",
    outputs=("mean", "variance"),
    library=("gaussian.posterior_mean_variance",),
    mutants=[
        Mutant(
            "alpha_bar[t - 2] for alpha_bar_{t-1}: at t = 1 that is alpha_bar[-1], the last entry, not 1.",
            wrapped_index,
        ),
        Mutant(
            "tables read at index t: beta_t is betas[t - 1], alpha_bar_t is alpha_bar[t - 1].", shifted_index
        ),
        Mutant(
            "mean and variance in the wrong order: return (mean, variance).",
            lambda *a: posterior_mean_variance(*a)[::-1],
        ),
        posterior_slip(
            "the forward step's beta_t: the variance is beta_t (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t).",
            lambda x0, x_t, b, a, p: (posterior(x0, x_t, b, a, p)[0], b),
        ),
        posterior_slip(
            "a standard deviation in the place of the variance: no root there.",
            lambda x0, x_t, b, a, p: (posterior(x0, x_t, b, a, p)[0], (b * (1 - p) / (1 - a)).sqrt()),
        ),
        posterior_slip(
            "a variance turned over: it is beta_t (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t), below beta_t.",
            lambda x0, x_t, b, a, p: (posterior(x0, x_t, b, a, p)[0], b * (1 - a) / (1 - p)),
        ),
        posterior_slip(
            "the two weights of the mean swapped: at t = 1 the mean is x_0.",
            lambda x0, x_t, b, a, p: posterior(x_t, x0, b, a, p),
        ),
        posterior_slip(
            "sqrt(alpha_bar_t) in the weight of x_0: it is sqrt(alpha_bar_{t-1}).",
            lambda x0, x_t, b, a, p: (
                (a.sqrt() * b * x0 + (1 - b).sqrt() * (1 - p) * x_t) / (1 - a),
                b * (1 - p) / (1 - a),
            ),
        ),
        posterior_slip(
            "sqrt(alpha_bar_t) in the weight of x_t: it is sqrt(alpha_t), with alpha_t = 1 - beta_t.",
            lambda x0, x_t, b, a, p: (
                (p.sqrt() * b * x0 + a.sqrt() * (1 - p) * x_t) / (1 - a),
                b * (1 - p) / (1 - a),
            ),
        ),
        posterior_slip(
            "missing square roots in the mean: the weights hold sqrt(alpha_bar_{t-1}) and sqrt(alpha_t).",
            lambda x0, x_t, b, a, p: (
                (p * b * x0 + (1 - b) * (1 - p) * x_t) / (1 - a),
                b * (1 - p) / (1 - a),
            ),
        ),
        posterior_slip(
            "beta_t and alpha_t swapped in the mean: x_0 is multiplied by beta_t, x_t by sqrt(alpha_t).",
            lambda x0, x_t, b, a, p: (
                (p.sqrt() * (1 - b) * x0 + b.sqrt() * (1 - p) * x_t) / (1 - a),
                b * (1 - p) / (1 - a),
            ),
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
    where="L_{t-1} = 1/2 (SNR(t-1) - SNR(t)) mse_t for t = 2..T, where mse_t is mse[t - 1].",
    outputs=("terms",),
    library=("elbo.kl_term",),
    mutants=[
        Mutant("a missing factor 1/2.", lambda mse, ab: 2 * vlb_terms(mse, ab)),
        Mutant(
            "a difference with the wrong sign: the SNR falls with t, and a KL is never negative.",
            lambda mse, ab: -vlb_terms(mse, ab),
        ),
        Mutant(
            "the error of t - 1 with the weight of t: mse_t is mse[t - 1], so t = 2..T takes mse[1:].",
            lambda mse, ab: 0.5 * -snr(ab).diff() * mse[:-1],
        ),
        Mutant(
            "SNR(t) as the weight: it is the drop SNR(t-1) - SNR(t).",
            lambda mse, ab: 0.5 * snr(ab)[1:] * mse[1:],
        ),
        Mutant(
            "a difference of alpha_bar: take the difference of SNR(t) = alpha_bar_t / (1 - alpha_bar_t).",
            lambda mse, ab: 0.5 * -ab.diff() * mse[1:],
        ),
        Mutant(
            "noise to signal, the inverse of the SNR: SNR(t) = alpha_bar_t / (1 - alpha_bar_t).",
            lambda mse, ab: 0.5 * (1 / snr(ab)).diff() * mse[1:],
        ),
        Mutant(
            "a difference of roots of the SNR: the SNR is a ratio of variances.",
            lambda mse, ab: 0.5 * -snr(ab).sqrt().diff() * mse[1:],
        ),
        Mutant("the sum of the terms: return all T - 1 of them.", lambda mse, ab: vlb_terms(mse, ab).sum()),
        Mutant(
            "T terms: t = 1 has no KL, its term L_0 belongs to the decoder. Return t = 2..T.",
            lambda mse, ab: torch.cat([0.5 * snr(ab)[:1] * mse[:1], vlb_terms(mse, ab)]),
        ),
    ],
)

CHECKS = [NORMAL_KL, POSTERIOR_MEAN_VARIANCE, VLB_TERMS]
