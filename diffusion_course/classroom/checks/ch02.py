"""Checks of chapter 02: the variational bound, whose terms are in this file."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from .ch01 import snr
from .ch01_slips import SMALL, after, altered, in_float32
from .ch02_bound import BOUND
from .ch02_closing import CLOSING_Q
from .ch02_kl import NORMAL_KL
from .ch02_posterior import POSTERIOR_MEAN_VARIANCE
from .ch02_reverse import REVERSE_CHAIN
from .data import Check, Mutant
from .inputs import Draw


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
        Mutant(
            "SNR(t) times the fall of log SNR, the limit of many steps: a step of this chain has SNR(t-1) - SNR(t).",
            lambda mse, ab: mse[1:] * snr(ab)[1:] * (snr(ab)[:-1].log() - snr(ab)[1:].log()) / 2,
        ),
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
            for c in SMALL
        ),
        in_float32(vlb_terms),
        after("a .squeeze(): for T = 2 the one term keeps its axis.", vlb_terms, torch.squeeze),
    ],
)

CHECKS = [NORMAL_KL, POSTERIOR_MEAN_VARIANCE, BOUND, CLOSING_Q, REVERSE_CHAIN, VLB_TERMS]
