"""Checks of chapter 01: the forward process."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .ch01_chain import FORWARD_CHAIN
from .ch01_repair import SNAPSHOTS
from .ch01_slips import (
    ADDED,
    BOUNDED,
    MIXES,
    OFTEN_SHIFTED,
    READS,
    SMALL,
    after,
    altered,
    in_float32,
    mix,
    pairs,
    right_read,
    shapes,
    squeezed,
)
from .data import Check, Mutant
from .inputs import LARGE_BETA, Draw, column


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
    yield LARGE_BETA, (d.betas_with_a_large_one(),)


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
    where="section 5 of this notebook: alpha_bar_t = (1 - beta_1) (1 - beta_2) ... (1 - beta_t) "
    "(Ho et al. 2020, section 2).",
    library=("schedules.NoiseSchedule.alpha_bar.func", "schedules.NoiseSchedule.one_minus_alpha_bar.func"),
    mutants=[
        Mutant("a product of the betas: the factors are alpha_s = 1 - beta_s.", lambda b: b.cumprod(0)),
        Mutant(
            "1 minus a product of betas: the 1 - belongs to each factor, alpha_s = 1 - beta_s.",
            lambda b: 1 - b.cumprod(0),
        ),
        Mutant(
            "a product of 1 + beta_s: the factors are alpha_s = 1 - beta_s.", lambda b: (1 + b).cumprod(0)
        ),
        Mutant(
            "a product of 1 - beta_s^2: the factors are alpha_s = 1 - beta_s.",
            lambda b: (1 - b**2).cumprod(0),
        ),
        Mutant(
            "1 minus a sum of betas (cumsum): keeping fractions multiply, use cumprod.",
            lambda b: 1 - b.cumsum(0),
        ),
        Mutant(
            "1 minus a sum of betas (cumsum), kept above 0: keeping fractions multiply, use cumprod.",
            lambda b: (1 - b.cumsum(0)).clamp(min=0),
        ),
        Mutant(
            "a sum of betas (cumsum): multiply the alphas 1 - beta_s, use cumprod.", lambda b: b.cumsum(0)
        ),
        Mutant(
            "exp of minus the sum of betas: that holds for tiny betas only, multiply the alphas 1 - beta_s.",
            lambda b: (-b.cumsum(0)).exp(),
        ),
        Mutant("a sum of the alphas: they multiply, use cumprod.", lambda b: (1 - b).cumsum(0)),
        Mutant(
            "a mean of the alphas up to t: they multiply, use cumprod.",
            lambda b: (1 - b).cumsum(0) / torch.arange(1, len(b) + 1).to(b),
        ),
        Mutant("alpha_t alone: alpha_bar_t is the product of all alphas up to t.", lambda b: 1 - b),
        Mutant(
            "alpha_t alpha_{t-1}: alpha_bar_t is the product of all alphas up to t, not of two.",
            lambda b: (1 - b) * torch.cat([torch.ones_like(b[:1]), 1 - b[:-1]]),
        ),
        Mutant(
            "alpha_t to the power t: the alphas differ, multiply alpha_1 to alpha_t.",
            lambda b: (1 - b) ** torch.arange(1, len(b) + 1).to(b),
        ),
        Mutant(
            "1 - alpha_bar_t, the variance of the noise: return alpha_bar_t itself.",
            lambda b: 1 - (1 - b).cumprod(0),
        ),
        Mutant(
            "an alpha_bar that begins with alpha_bar_0 = 1: its entry 0 is alpha_bar_1 = 1 - beta_1.",
            lambda b: torch.cat([torch.ones_like(b[:1]), (1 - b).cumprod(0)[:-1]]),
        ),
        Mutant(
            "T + 1 entries that begin with alpha_bar_0 = 1: return T of them, the first is alpha_bar_1 = 1 - beta_1.",
            lambda b: torch.cat([torch.ones_like(b[:1]), (1 - b).cumprod(0)]),
        ),
        Mutant(
            "a product that leaves alpha_1 out: it begins with alpha_1 = 1 - beta_1.",
            lambda b: torch.cat([torch.ones_like(b[:1]), 1 - b[1:]]).cumprod(0),
        ),
        *(
            Mutant(
                f"a loop that ends one step early: the last entry is still {word}, want alpha_bar_T.",
                lambda b, value=value: torch.cat([(1 - b).cumprod(0)[:-1], torch.full_like(b[:1], value)]),
            )
            for word, value in {"1": 1.0, "0": 0.0}.items()
        ),
        Mutant(
            "a product from the end: entry t - 1 is alpha_1 ... alpha_t, not alpha_t ... alpha_T.",
            lambda b: (1 - b).flip(0).cumprod(0).flip(0),
        ),
        Mutant(
            "a product in the reverse order of the betas: it begins with alpha_1 = 1 - beta_1.",
            lambda b: (1 - b).flip(0).cumprod(0),
        ),
        Mutant(
            "an alpha_bar turned round: its entry 0 is alpha_bar_1.", lambda b: (1 - b).cumprod(0).flip(0)
        ),
        Mutant(
            "sorted betas: multiply them in the order that is given.",
            lambda b: (1 - b.sort().values).cumprod(0),
        ),
        Mutant("sqrt(alpha_bar_t): here no root is taken.", lambda b: (1 - b).cumprod(0).sqrt()),
        Mutant("alpha_bar_t squared: here no square is taken.", lambda b: (1 - b).cumprod(0) ** 2),
        Mutant(
            "a running product taken twice: cumprod gives all of alpha_bar at once.",
            lambda b: (1 - b).cumprod(0).cumprod(0),
        ),
        Mutant(
            "log(alpha_bar_t), a sum of logarithms without its exp: return alpha_bar_t itself.",
            lambda b: (1 - b).log().cumsum(0),
        ),
        Mutant(
            "the product up to T only (prod): return every partial product, use cumprod.",
            lambda b: (1 - b).prod(),
        ),
        in_float32(alpha_bar_from_betas),
    ],
)


def diffuse(x0: Tensor, t: Tensor, eps: Tensor, alpha_bar: Tensor) -> Tensor:
    return mix(x0, eps, column(alpha_bar[t - 1], x0))


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


def jump(hint: str, read: Callable = right_read, mixing: Callable = mix, shape: Callable = column) -> Mutant:
    """A mutant of diffuse in three parts: how alpha_bar_t is read, reshaped, and used."""
    return Mutant(hint, lambda x0, t, eps, ab: mixing(x0, eps, shape(read(ab, t), x0)))


def noise_at_the_end(x0: Tensor, t: Tensor, eps: Tensor, alpha_bar: Tensor) -> Tensor:
    return torch.where(column(t == len(alpha_bar), x0), eps, diffuse(x0, t, eps, alpha_bar))


def clean_at_the_start(x0: Tensor, t: Tensor, eps: Tensor, alpha_bar: Tensor) -> Tensor:
    return torch.where(column(t == 1, x0), x0, diffuse(x0, t, eps, alpha_bar))


DIFFUSE = Check(
    id="01-diffuse",
    points=3,
    minutes=10,
    level=2,
    reference=diffuse,
    inputs=lambda d: (d.x(), d.t(), d.x(), d.alpha_bar()),
    fixed=jumps,
    where="the theorem in section 5 of this notebook: x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps "
    "(Ho et al. 2020, eq. 4).",
    outputs=("x_t",),
    library=("gaussian.diffuse",),
    mutants=[
        *(jump(hint, read=read) for hint, read in (*READS, *BOUNDED)),
        *(jump(hint, mixing=mixing) for hint, mixing in (*MIXES, *ADDED)),
        *(jump(hint, shape=shape) for hint, shape in shapes("x0")),
        altered("an x0 cut to [-1, 1]: use it as it is.", diffuse, x0=lambda x: x.clamp(-1, 1)),
        altered("eps cut to [-3, 3]: use it as it is.", diffuse, eps=lambda x: x.clamp(-3, 3)),
        altered("the noise alone: add sqrt(alpha_bar_t) x_0.", diffuse, x0=torch.zeros_like),
        Mutant(
            "eps itself at t = T: some signal is left there, the formula holds for every t.", noise_at_the_end
        ),
        Mutant(
            "x_0 itself at t = 1: one step of noise is in x_1, the formula holds for every t.",
            clean_at_the_start,
        ),
        *(
            after(
                f"an x_t cut to [-{c}, {c}]: a noisy pixel may be any number.",
                diffuse,
                lambda v, c=c: v.clamp(-c, c),
            )
            for c in (1, 3)
        ),
        in_float32(diffuse),
        *squeezed(diffuse, "x_t"),
        *pairs(OFTEN_SHIFTED, MIXES[:3], lambda read, mixing: jump("", read, mixing).function),
    ],
)


def snr(alpha_bar: Tensor) -> Tensor:
    return alpha_bar / (1 - alpha_bar)


def whole_chains(d: Draw) -> Iterator[tuple[str, tuple]]:
    """alpha_bar from 0.9999 to 2.4e-9: an SNR from 10,000 to 2.4e-9."""
    for name, betas in d.schedules().items():
        alpha_bar = torch.cumprod(1 - betas, 0)
        yield name, (alpha_bar,)
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
    where="section 7 of this notebook: SNR(t) = alpha_bar_t / (1 - alpha_bar_t) (Kingma et al. 2021, eq. 2).",
    outputs=("snr",),
    library=("schedules.NoiseSchedule.snr.func",),
    mutants=[
        Mutant("noise to signal, the inverse: divide the signal by the noise.", lambda ab: (1 - ab) / ab),
        Mutant(
            "the inverse as a ratio of standard deviations: divide the variance alpha_bar_t by 1 - alpha_bar_t.",
            lambda ab: ((1 - ab) / ab).sqrt(),
        ),
        Mutant(
            "a ratio of standard deviations: the SNR is a ratio of variances, without roots.",
            lambda ab: (ab / (1 - ab)).sqrt(),
        ),
        Mutant(
            "a ratio of squared variances: alpha_bar_t and 1 - alpha_bar_t are variances already.",
            lambda ab: (ab / (1 - ab)) ** 2,
        ),
        Mutant(
            "a 0 everywhere: alpha_bar / 1 - alpha_bar needs brackets, alpha_bar / (1 - alpha_bar).",
            lambda ab: ab / 1 - ab,
        ),
        Mutant("log SNR: return the ratio itself.", lambda ab: (ab / (1 - ab)).log()),
        Mutant("log10 of the SNR: return the ratio itself.", lambda ab: (ab / (1 - ab)).log10()),
        Mutant("log2 of the SNR: return the ratio itself.", lambda ab: (ab / (1 - ab)).log2()),
        Mutant("decibels, 10 log10(SNR): return the ratio itself.", lambda ab: 10 * (ab / (1 - ab)).log10()),
        Mutant("minus log SNR: return the ratio itself.", lambda ab: ((1 - ab) / ab).log()),
        Mutant(
            "a noise of sqrt(1 - alpha_bar_t): that is its standard deviation, divide by the variance.",
            lambda ab: ab / (1 - ab).sqrt(),
        ),
        Mutant(
            "a signal of sqrt(alpha_bar_t): that is its factor, the power is alpha_bar_t.",
            lambda ab: ab.sqrt() / (1 - ab),
        ),
        Mutant(
            "sqrt(alpha_bar_t) in the place of alpha_bar_t: the argument is used without roots.",
            lambda ab: snr(ab.sqrt()),
        ),
        Mutant(
            "1 - sqrt(alpha_bar_t) below: the variance of the noise is 1 - alpha_bar_t.",
            lambda ab: ab / (1 - ab.sqrt()),
        ),
        Mutant(
            "factors sqrt(alpha_bar_t), not squared, and (1 - sqrt(alpha_bar_t))^2: the signal has the variance alpha_bar_t, the noise 1 - alpha_bar_t.",
            lambda ab: ab.sqrt() / (1 - ab.sqrt()) ** 2,
        ),
        Mutant(
            "alpha_bar_t squared above: it is a variance already.",
            lambda ab: ab**2 / (1 - ab),
        ),
        Mutant("1 - alpha_bar_t squared below: it is a variance already.", lambda ab: ab / (1 - ab) ** 2),
        Mutant("alpha_bar_t^2 in the place of alpha_bar_t: it is a variance already.", lambda ab: snr(ab**2)),
        Mutant("1 / (1 - alpha_bar_t): the signal alpha_bar_t stands above.", lambda ab: 1 / (1 - ab)),
        Mutant("1 / alpha_bar_t: divide alpha_bar_t by 1 - alpha_bar_t.", lambda ab: 1 / ab),
        Mutant("a plus below: the noise has the variance 1 - alpha_bar_t.", lambda ab: ab / (1 + ab)),
        Mutant("a product: divide the signal by the noise.", lambda ab: ab * (1 - ab)),
        Mutant("a difference: divide the signal by the noise.", lambda ab: ab - (1 - ab)),
        Mutant("a negative denominator: it is 1 - alpha_bar_t.", lambda ab: ab / (ab - 1)),
        Mutant("a whole number, as // gives it: divide with /.", lambda ab: ab // (1 - ab)),
        Mutant("alpha_bar_t alone: divide it by the variance of the noise.", lambda ab: ab.clone()),
        Mutant("1 - alpha_bar_t alone: divide alpha_bar_t by it.", lambda ab: 1 - ab),
        Mutant(
            "the noise of another step (roll): divide alpha_bar_t by 1 - alpha_bar_t of the same t.",
            lambda ab: ab / (1 - ab.roll(1)),
        ),
        Mutant(
            "the noise of the step after (roll): divide alpha_bar_t by 1 - alpha_bar_t of the same t.",
            lambda ab: ab / (1 - ab.roll(-1)),
        ),
        Mutant(
            "the noise of the step before: divide alpha_bar_t by 1 - alpha_bar_t of the same t.",
            lambda ab: ab[1:] / (1 - ab[:-1]),
        ),
        altered(
            "alpha_bar taken for betas and multiplied up: it holds alpha_bar_t already.",
            snr,
            alpha_bar=lambda ab: (1 - ab).cumprod(0),
        ),
        altered(
            "a running product of alpha_bar, which is one already: use it as it is.",
            snr,
            alpha_bar=lambda ab: ab.cumprod(0),
        ),
        Mutant(
            "beta_t below: the noise of all steps up to t has the variance 1 - alpha_bar_t.",
            lambda ab: ab / (1 - ab / torch.cat([torch.ones_like(ab[:1]), ab[:-1]])),
        ),
        after("a mean over t: return one number for each step.", snr, torch.mean),
        after("a sum over t: return one number for each step.", snr, torch.sum),
        in_float32(snr),
        after("the SNR in the reverse order: entry 0 is SNR(1).", snr, lambda v: v.flip(0)),
        *(
            Mutant(
                f"{c:g} added to 1 - alpha_bar_t: at t = 1 that changes the ratio, the denominator is never 0.",
                lambda ab, c=c: ab / (1 - ab + c),
            )
            for c in SMALL
        ),
        *(
            altered(
                f"an alpha_bar kept between {c:g} and {1 - c:.8g}: it leaves these bounds, use it as it is.",
                snr,
                alpha_bar=lambda ab, c=c: ab.clamp(c, 1 - c),
            )
            for c in SMALL
        ),
        *(
            Mutant(
                f"a denominator kept above {c:g}: at the first steps 1 - alpha_bar_t is smaller, use it as it is.",
                lambda ab, c=c: ab / (1 - ab).clamp(min=c),
            )
            for c in (1e-3, 1e-4, 1e-5)
        ),
    ],
)

CHECKS = [FORWARD_CHAIN, ALPHA_BAR_FROM_BETAS, DIFFUSE, SNAPSHOTS, SNR]
