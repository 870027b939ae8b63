"""Checks of chapter 04: noise schedules and what remains of the image at T."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .data import Check, Mutant
from .inputs import Draw


def cosine_alpha_bar(u: Tensor, s: float) -> Tensor:
    return cosine_f(u, s) / math.cos(s / (1 + s) * math.pi / 2) ** 2


def cosine_f(u: Tensor, s: float) -> Tensor:
    return torch.cos((u + s) / (1 + s) * math.pi / 2) ** 2


def cosine_angle(u: Tensor, s: float) -> Tensor:
    return (u + s) / (1 + s) * math.pi / 2


def whole_schedules(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Every t / T from 0 to 1, with the paper's s, none, and a large one; and numbers in no order."""
    for s in (0.008, 0, 0.3):
        yield f"u = 0, ..., 1 in 1000 steps, s = {s}", (d.ladder(0, 1, 1001), s)
    yield "u = 1 alone", (d.ladder(1, 1, 1), 0.008)
    yield "u in no order", (d.uniform(0, 1, 7), 0.008)


COSINE_ALPHA_BAR = Check(
    id="04-cosine_alpha_bar",
    points=3,
    minutes=10,
    level=1,
    reference=cosine_alpha_bar,
    # t / T of some times, not of all: the first entry is not u = 0.
    inputs=lambda d: (d.t().to(d.dtype) / d.T, d.uniform(0.1, 0.5).item()),
    fixed=whole_schedules,
    where="alpha_bar = f(u) / f(0), f(u) = cos^2((u + s) / (1 + s) * pi / 2) "
    "(Nichol & Dhariwal 2021, eq. 17, with u = t / T).",
    outputs=("alpha_bar",),
    library=("schedules.cosine",),
    mutants=[
        Mutant(
            "f(u) alone: divide by f(0), so that alpha_bar is 1 at u = 0.",
            cosine_f,
        ),
        Mutant(
            "a division by the first entry: f(0) is f at u = 0, and u[0] need not be 0.",
            lambda u, s: cosine_f(u, s) / cosine_f(u, s)[0],
        ),
        Mutant(
            "a cosine without its square, which is the factor of x_0: alpha_bar is a variance, f(u) = cos^2(...).",
            lambda u, s: cosine_f(u, s).sqrt() / math.cos(s / (1 + s) * math.pi / 2),
        ),
        Mutant(
            "s taken for a power, cos(u pi / 2)^s: s shifts the angle, and the power is 2.",
            lambda u, s: torch.cos(u * math.pi / 2) ** s,
        ),
        Mutant(
            "s left out: the angle is (u + s) / (1 + s) * pi / 2.",
            lambda u, s: cosine_f(u, 0.0),
        ),
        Mutant(
            "a missing division by 1 + s: at u = 1 the angle is pi / 2, and alpha_bar is 0.",
            lambda u, s: torch.cos((u + s) * math.pi / 2) ** 2 / math.cos(s * math.pi / 2) ** 2,
        ),
        Mutant(
            "u + s / (1 + s), a missing pair of brackets: it is (u + s) / (1 + s).",
            lambda u, s: (
                torch.cos((u + s / (1 + s)) * math.pi / 2) ** 2 / math.cos(s / (1 + s) * math.pi / 2) ** 2
            ),
        ),
        Mutant(
            "pi for pi / 2: from u = 0 to 1 the cosine falls through a quarter of a turn.",
            lambda u, s: torch.cos(2 * cosine_angle(u, s)) ** 2 / math.cos(s / (1 + s) * math.pi) ** 2,
        ),
        Mutant(
            "a sine: alpha_bar falls with u.",
            lambda u, s: torch.sin(cosine_angle(u, s)) ** 2 / math.sin(s / (1 + s) * math.pi / 2) ** 2,
        ),
        Mutant(
            "1 - alpha_bar, the variance of the noise: return alpha_bar itself.",
            lambda u, s: 1 - cosine_alpha_bar(u, s),
        ),
    ],
)


def sigmoid_betas(u: Tensor, beta_min: float, beta_max: float, steepness: float) -> Tensor:
    return climb((steepness * (2 * u - 1)).sigmoid(), beta_min, beta_max)


def climb(ramp: Tensor, beta_min: float, beta_max: float) -> Tensor:
    return beta_min + (beta_max - beta_min) * ramp


def sigmoid_slip(hint: str, argument: Callable) -> Mutant:
    """A mutant whose sigmoid has another argument: argument(u, steepness)."""
    return Mutant(hint, lambda u, low, high, k: climb(argument(u, k).sigmoid(), low, high))


def climbs(d: Draw) -> Iterator[tuple[str, tuple]]:
    """The course's knobs over 1000 steps, a gentle and a steep climb, and no climb at all."""
    u = d.ladder(0, 1, 1000)
    for low, high, steepness in (
        (1e-4, 0.02, 6.0),
        (1e-4, 0.02, 0.5),
        (1e-3, 0.3, 1),
        (1e-4, 0.999, 20.0),
        (0.01, 0.01, 3.0),
        (1e-4, 0.02, 1000),
    ):
        yield f"beta from {low} to {high}, steepness {steepness}", (u, low, high, steepness)
    yield "one step", (d.ladder(0, 0, 1), 1e-4, 0.02, 6.0)


SIGMOID_BETAS = Check(
    id="04-sigmoid_betas",
    points=2,
    minutes=5,
    level=1,
    reference=sigmoid_betas,
    inputs=lambda d: (
        torch.linspace(0, 1, d.T, dtype=d.dtype, device=d.device),
        d.uniform(0.02, 0.1).item(),
        d.uniform(0.3, 0.6).item(),
        d.uniform(2.5, 6).item(),
    ),
    fixed=climbs,
    where="beta = beta_min + (beta_max - beta_min) sigmoid(z), where z runs from -steepness at u = 0 "
    "to +steepness at u = 1.",
    outputs=("betas",),
    library=("schedules.sigmoid",),
    mutants=[
        sigmoid_slip(
            "sigmoid(steepness u), which begins in the middle of the climb: z = 0 belongs at u = 1/2.",
            lambda u, k: k * u,
        ),
        sigmoid_slip(
            "a z from -steepness / 2 to steepness / 2: it runs from -steepness to steepness.",
            lambda u, k: k * (u - 0.5),
        ),
        sigmoid_slip(
            "a division by the steepness: a larger steepness makes the climb steeper, multiply.",
            lambda u, k: (2 * u - 1) / k,
        ),
        sigmoid_slip("the steepness left out.", lambda u, k: 2 * u - 1),
        sigmoid_slip("betas that fall: z rises with u.", lambda u, k: k * (1 - 2 * u)),
        Mutant(
            "the sigmoid alone: stretch its range 0..1 to beta_min..beta_max.",
            lambda u, low, high, k: (k * (2 * u - 1)).sigmoid(),
        ),
        Mutant(
            "beta_min + beta_max * sigmoid(z): the sigmoid is multiplied by beta_max - beta_min.",
            lambda u, low, high, k: low + high * (k * (2 * u - 1)).sigmoid(),
        ),
        Mutant(
            "a missing beta_min: the climb starts there.",
            lambda u, low, high, k: (high - low) * (k * (2 * u - 1)).sigmoid(),
        ),
        Mutant(
            "the linear schedule: put the ramp z through a sigmoid.",
            lambda u, low, high, k: climb(u, low, high),
        ),
        Mutant(
            "alpha = 1 - beta: return beta itself.",
            lambda u, low, high, k: 1 - sigmoid_betas(u, low, high, k),
        ),
    ],
)


def prior_kl(x0: Tensor, alpha_bar: Tensor) -> Tensor:
    return summed_kl(x0, alpha_bar[-1])


def summed_kl(x0: Tensor, a: Tensor) -> Tensor:
    return pixel_kl(x0, a).flatten(1).sum(1)


def pixel_kl(x0: Tensor, a: Tensor) -> Tensor:
    return 0.5 * (a * x0**2 - a - (1 - a).log())


def kl_slip(hint: str, formula: Callable) -> Mutant:
    """A mutant whose KL of one pixel is formula(x0, alpha_bar_T)."""
    return Mutant(hint, lambda x0, alpha_bar: formula(x0, alpha_bar[-1]).flatten(1).sum(1))


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
    where="the KL of N(sqrt(alpha_bar_T) x_0, (1 - alpha_bar_T) I) from N(0, I): each pixel adds "
    "1/2 (mean^2 + variance - 1 - log variance).",
    outputs=("kl",),
    library=("elbo.prior_kl",),
    mutants=[
        Mutant(
            "alpha_bar[0], that of t = 1: q(x_T | x_0) has alpha_bar_T, the last entry.",
            lambda x0, alpha_bar: summed_kl(x0, alpha_bar[0]),
        ),
        Mutant(
            "a sum over all steps: only t = T is asked for.",
            lambda x0, alpha_bar: torch.stack([summed_kl(x0, a) for a in alpha_bar]).sum(0),
        ),
        Mutant(
            "a mean over the pixels: a KL is summed over them.",
            lambda x0, alpha_bar: pixel_kl(x0, alpha_bar[-1]).flatten(1).mean(1),
        ),
        Mutant(
            "one number for the batch: return a KL for each image, (B,).",
            lambda x0, alpha_bar: summed_kl(x0, alpha_bar[-1]).sum(),
        ),
        Mutant(
            "a mean over the batch: return a KL for each image, (B,).",
            lambda x0, alpha_bar: summed_kl(x0, alpha_bar[-1]).mean(),
        ),
        Mutant(
            "a KL for each pixel: sum it over every axis but the first.",
            lambda x0, alpha_bar: pixel_kl(x0, alpha_bar[-1]),
        ),
        kl_slip("a missing factor 1/2.", lambda x, a: 2 * pixel_kl(x, a)),
        kl_slip(
            "a mean of alpha_bar_T x_0: it is sqrt(alpha_bar_T) x_0, and its square alpha_bar_T x_0^2.",
            lambda x, a: 0.5 * (a**2 * x**2 - a - (1 - a).log()),
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
            "the logarithm with a plus: it is - log variance.",
            lambda x, a: 0.5 * (a * x**2 - a + (1 - a).log()),
        ),
        kl_slip(
            "a missing -1: the KL of N(0, I) from itself is 0.",
            lambda x, a: 0.5 * (a * x**2 + (1 - a) - (1 - a).log()),
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
            "the KL the other way round: the average is over q(x_T | x_0), and the divisor is 1.",
            lambda x, a: 0.5 * ((1 + a * x**2) / (1 - a) - 1 + (1 - a).log()),
        ),
    ],
)

CHECKS = [COSINE_ALPHA_BAR, SIGMOID_BETAS, PRIOR_KL]
