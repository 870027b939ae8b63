"""Checks of chapter 02, the second: the posterior of one step."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ... import schedules
from .ch01_slips import SMALL, after, altered, in_float32, shapes
from .data import Check, Mutant
from .inputs import LARGE_BETA, Draw, column


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
    yield (
        LARGE_BETA,
        (d.wide(4, 3), d.wide(4, 3), torch.arange(2, 6, device=d.device), d.betas_with_a_large_one()),
    )


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
        mean_slip(
            "x_0 put in the place of the noise, as in the mean written with eps: here x_0 itself is given.",
            lambda x0, x_t, b, a, a_prev: (x_t - b / (1 - a).sqrt() * x0) / (1 - b).sqrt(),
        ),
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
        read_slip(
            "alpha_bar_{t-1} = 1 for a whole batch because one sample is at t = 1: every sample has its own t.",
            lambda b, ab, t: (b[t - 1], ab[t - 1], first_known(ab, t, (t == 1).any().expand_as(t))),
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
            "the forward step's beta_t, or alpha_bar_t in the place of alpha_bar_{t-1}: the variance is beta_t (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t).",
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
