"""Checks of chapter 04: noise schedules and what remains of the image at T."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .data import Check, Mutant
from .inputs import Draw
from .slips import argument_slip, result_slip, squeezed


def cosine_alpha_bar(u: Tensor, s: float) -> Tensor:
    return cosine_f(u, s) / math.cos(s / (1 + s) * math.pi / 2) ** 2


def cosine_f(u: Tensor, s: float) -> Tensor:
    return torch.cos((u + s) / (1 + s) * math.pi / 2) ** 2


def cosine_angle(u: Tensor, s: float) -> Tensor:
    return (u + s) / (1 + s) * math.pi / 2


def angle_slip(hint: str, angle: Callable) -> Mutant:
    """A mutant whose f(u) is cos^2 of another angle(u, s), at u = 0 too."""

    def ratio(u: Tensor, s: float) -> Tensor:
        return torch.cos(angle(u, s)) ** 2 / torch.cos(angle(torch.zeros_like(u), s)) ** 2

    return Mutant(hint, ratio)


def ratio_slip(hint: str, combine: Callable) -> Mutant:
    """A mutant that combines f(u) and f(0) in another way: combine(f(u), f(0))."""
    return Mutant(hint, lambda u, s: combine(cosine_f(u, s), cosine_f(torch.zeros_like(u), s)))


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
    where='the formula in section 2 of this notebook ("The cosine schedule"): alpha_bar = f(u) / f(0), '
    "f(u) = cos^2((u + s) / (1 + s) * pi / 2), with u = t / T (Nichol & Dhariwal 2021, eq. 17).",
    outputs=("alpha_bar",),
    library=("schedules.cosine",),
    mutants=[
        # f(u) and f(0)
        ratio_slip(
            "f(u) alone: divide by f(0), so that alpha_bar is 1 at u = 0.",
            lambda f, f0: f,
        ),
        ratio_slip(
            "a division by the first entry: f(0) is f at u = 0, and u[0] need not be 0.",
            lambda f, f0: f / f[0],
        ),
        ratio_slip(
            "a division by the largest entry: f(0) is f at u = 0, and u need not contain 0.",
            lambda f, f0: f / f.max(),
        ),
        ratio_slip("f(u) times f(0): divide by f(0), so that alpha_bar is 1 at u = 0.", lambda f, f0: f * f0),
        ratio_slip("f(0) / f(u), upside down: alpha_bar is f(u) / f(0).", lambda f, f0: f0 / f),
        ratio_slip(
            "f(u) with its square and f(0) without: f(0) is cos^2(s / (1 + s) * pi / 2).",
            lambda f, f0: f / f0.sqrt(),
        ),
        ratio_slip(
            "f(0) with its square and f(u) without: f(u) is cos^2((u + s) / (1 + s) * pi / 2).",
            lambda f, f0: f.sqrt() / f0,
        ),
        ratio_slip(
            "a cosine without its square, which is the factor of x_0: alpha_bar is a variance, f(u) = cos^2(...).",
            lambda f, f0: (f / f0).sqrt(),
        ),
        ratio_slip("a square too many: f(u) / f(0) is alpha_bar already.", lambda f, f0: (f / f0) ** 2),
        ratio_slip("a difference f(u) - f(0): alpha_bar is their ratio.", lambda f, f0: f - f0),
        # the angle
        angle_slip("s left out: the angle is (u + s) / (1 + s) * pi / 2.", lambda u, s: u * math.pi / 2),
        argument_slip("s = 0.008 whatever s is: use the argument.", cosine_alpha_bar, "s", lambda s: 0.008),
        argument_slip(
            "s = 0 taken for another number, as `s or 0.008` does: 0 is a valid s.",
            cosine_alpha_bar,
            "s",
            lambda s: s or 0.008,
        ),
        angle_slip(
            "a missing division by 1 + s: at u = 1 the angle is pi / 2, and alpha_bar is 0.",
            lambda u, s: (u + s) * math.pi / 2,
        ),
        angle_slip(
            "u + s / (1 + s), a missing pair of brackets: it is (u + s) / (1 + s).",
            lambda u, s: (u + s / (1 + s)) * math.pi / 2,
        ),
        angle_slip(
            "(u + s) / 1 + s, a missing pair of brackets: it is (u + s) / (1 + s).",
            lambda u, s: ((u + s) / 1 + s) * math.pi / 2,
        ),
        angle_slip(
            "u / (1 + s): the numerator is u + s.",
            lambda u, s: u / (1 + s) * math.pi / 2,
        ),
        angle_slip(
            "u - s in the numerator: it is u + s.",
            lambda u, s: (u - s) / (1 + s) * math.pi / 2,
        ),
        angle_slip(
            "1 - s in the denominator: it is 1 + s.",
            lambda u, s: (u + s) / (1 - s) * math.pi / 2,
        ),
        angle_slip(
            "pi for pi / 2: from u = 0 to 1 the cosine falls through a quarter of a turn.",
            lambda u, s: 2 * cosine_angle(u, s),
        ),
        angle_slip(
            "an angle without pi / 2: (u + s) / (1 + s) runs to 1, and the angle to pi / 2.",
            lambda u, s: (u + s) / (1 + s),
        ),
        angle_slip(
            "an angle in degrees: torch.cos wants radians, pi / 2 for a right angle.",
            lambda u, s: (u + s) / (1 + s) * 90,
        ),
        *(
            angle_slip(
                f"pi typed as {pi}: take math.pi, for near u = 1 every digit counts.",
                lambda u, s, pi=pi: (u + s) / (1 + s) * pi / 2,
            )
            for pi in (3.14, 3.1416, 3.14159)
        ),
        Mutant(
            "the square inside the cosine: cos^2(v) is cos(v) times itself.",
            lambda u, s: torch.cos(cosine_angle(u, s) ** 2) / math.cos((s / (1 + s) * math.pi / 2) ** 2),
        ),
        Mutant(
            "s taken for a power, cos(u pi / 2)^s: s shifts the angle, and the power is 2.",
            lambda u, s: torch.cos(u * math.pi / 2) ** s,
        ),
        # another quantity
        Mutant(
            "a sine: alpha_bar falls with u, as the cosine does.",
            lambda u, s: torch.sin(cosine_angle(u, s)) ** 2,
        ),
        Mutant(
            "a sine, divided by its value at u = 0: alpha_bar falls with u, as the cosine does.",
            lambda u, s: torch.sin(cosine_angle(u, s)) ** 2 / math.sin(s / (1 + s) * math.pi / 2) ** 2,
        ),
        result_slip(
            "1 - alpha_bar, the variance of the noise: return alpha_bar itself.",
            cosine_alpha_bar,
            lambda a: 1 - a,
        ),
        result_slip(
            "the betas, 1 - alpha_bar_t / alpha_bar_{t-1}, one fewer than asked for: return alpha_bar itself.",
            cosine_alpha_bar,
            lambda a: 1 - a[1:] / a[:-1],
        ),
        result_slip(
            "the betas, 1 - alpha_bar_t / alpha_bar_{t-1}: return alpha_bar itself.",
            cosine_alpha_bar,
            lambda a: 1 - a / torch.cat([torch.ones_like(a[:1]), a[:-1]]),
        ),
        result_slip(
            "a cumulative product of alpha_bar: f(u) / f(0) is the product of the alphas already.",
            cosine_alpha_bar,
            lambda a: a.cumprod(0),
        ),
        # another u
        argument_slip(
            "a u of its own, evenly spaced from 0 to 1: use the numbers in u, whatever they are.",
            cosine_alpha_bar,
            "u",
            lambda u: torch.linspace(0, 1, len(u), dtype=u.dtype),
        ),
        argument_slip(
            "a u of its own, 1/n, 2/n, ..., 1: use the numbers in u, whatever they are.",
            cosine_alpha_bar,
            "u",
            lambda u: torch.arange(1, len(u) + 1, dtype=u.dtype) / len(u),
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


def ramp_slip(hint: str, ramp: Callable) -> Mutant:
    """A mutant that climbs by another ramp(u, z) than sigmoid(z)."""
    return Mutant(hint, lambda u, low, high, k: climb(ramp(u, k * (2 * u - 1)), low, high))


def ends_slip(hint: str, stretch: Callable) -> Mutant:
    """A mutant that brings the sigmoid to the two ends by stretch(ramp, beta_min, beta_max)."""
    return Mutant(hint, lambda u, low, high, k: stretch((k * (2 * u - 1)).sigmoid(), low, high))


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
    where='the formula in section 3 of this notebook ("The ramps"): beta = beta_min + (beta_max - beta_min) sigmoid(z), '
    "where z runs from -steepness at u = 0 to +steepness at u = 1.",
    outputs=("betas",),
    library=("schedules.sigmoid",),
    mutants=[
        # z
        sigmoid_slip(
            "sigmoid(steepness u), which begins in the middle of the climb: z = 0 belongs at u = 1/2.",
            lambda u, k: k * u,
        ),
        sigmoid_slip(
            "a z from -steepness / 2 to steepness / 2: it runs from -steepness to steepness.",
            lambda u, k: k * (u - 0.5),
        ),
        sigmoid_slip(
            "a z from -steepness to 0: it runs on to +steepness, so its slope is 2 steepness.",
            lambda u, k: k * (u - 1),
        ),
        sigmoid_slip(
            "a z from 0 to 2 steepness: shift it by -steepness, so that it begins there.",
            lambda u, k: 2 * k * u,
        ),
        sigmoid_slip(
            "steepness * 2 u - 1, a missing pair of brackets: z is steepness (2 u - 1).",
            lambda u, k: k * 2 * u - 1,
        ),
        sigmoid_slip(
            "a z from -2 steepness to 2 steepness, as in (1 + tanh(z)) / 2, which is sigmoid(2 z): "
            "z runs from -steepness to steepness.",
            lambda u, k: 2 * k * (2 * u - 1),
        ),
        sigmoid_slip(
            "a division by the steepness: a larger steepness makes the climb steeper, multiply.",
            lambda u, k: (2 * u - 1) / k,
        ),
        sigmoid_slip("the steepness left out.", lambda u, k: 2 * u - 1),
        sigmoid_slip("a steepness of 6 whatever it is: use the argument.", lambda u, k: 6 * (2 * u - 1)),
        sigmoid_slip(
            "a steepness below 1 taken for 1: take it as it is.", lambda u, k: max(k, 1) * (2 * u - 1)
        ),
        sigmoid_slip(
            "a steepness cut off to an integer: take it as it is, 0.5 too.",
            lambda u, k: int(k) * (2 * u - 1),
        ),
        sigmoid_slip(
            "betas that fall from beta_max to beta_min: z rises with u, and the climb begins at beta_min "
            "(the sign of z, or of its exponent, or the two ends).",
            lambda u, k: k * (1 - 2 * u),
        ),
        # the sigmoid
        ramp_slip("z without its sigmoid.", lambda u, z: z),
        ramp_slip("the linear schedule: put the ramp z through a sigmoid.", lambda u, z: u),
        ramp_slip("a tanh in the place of the sigmoid: it is negative for u < 1/2.", lambda u, z: z.tanh()),
        ramp_slip(
            "1 + e^-z, or 1 / 1 + e^-z, for a missing pair of brackets: the sigmoid is 1 / (1 + e^-z).",
            lambda u, z: 1 + (-z).exp(),
        ),
        ramp_slip(
            "e^z / (1 + e^z), which is infinity / infinity for a steep climb: take .sigmoid(), or 1 / (1 + e^-z).",
            lambda u, z: z.exp() / (1 + z.exp()),
        ),
        ramp_slip(
            "a sigmoid stretched until its ends are 0 and 1: here they stay sigmoid(-steepness) and sigmoid(steepness).",
            lambda u, z: (z.sigmoid() - z.sigmoid()[0]) / (z.sigmoid()[-1] - z.sigmoid()[0]).clamp(min=1e-30),
        ),
        Mutant(
            "the quadratic schedule: take the line that has the sigmoid.",
            lambda u, low, high, k: climb(u, low**0.5, high**0.5) ** 2,
        ),
        Mutant(
            "steepness times sigmoid(2 u - 1): the steepness stands inside the sigmoid.",
            lambda u, low, high, k: climb(k * (2 * u - 1).sigmoid(), low, high),
        ),
        # beta_min and beta_max
        ends_slip(
            "the sigmoid alone: stretch its range 0..1 to beta_min..beta_max.", lambda ramp, low, high: ramp
        ),
        ends_slip(
            "beta_min + beta_max * sigmoid(z): the sigmoid is multiplied by beta_max - beta_min.",
            lambda ramp, low, high: low + high * ramp,
        ),
        ends_slip("a missing beta_min: the climb starts there.", lambda ramp, low, high: (high - low) * ramp),
        ends_slip(
            "beta_max * sigmoid(z), which is (beta_min + (beta_max - beta_min)) sigmoid(z): "
            "beta_min is added after the multiplication.",
            lambda ramp, low, high: high * ramp,
        ),
        ends_slip(
            "1e-4 and 0.02 whatever the two ends are: use beta_min and beta_max.",
            lambda ramp, low, high: climb(ramp, 1e-4, 0.02),
        ),
        # another quantity
        result_slip("alpha = 1 - beta: return beta itself.", sigmoid_betas, lambda b: 1 - b),
        result_slip(
            "alpha_bar, the product of the 1 - beta: return the betas.",
            sigmoid_betas,
            lambda b: (1 - b).cumprod(0),
        ),
        # another u
        argument_slip(
            "a u of its own, t / T: use the numbers in u, which run from 0 to 1.",
            sigmoid_betas,
            "u",
            lambda u: torch.arange(1, len(u) + 1, dtype=u.dtype) / len(u),
        ),
        argument_slip(
            "a u of its own, (t - 1) / T: use the numbers in u, which run from 0 to 1.",
            sigmoid_betas,
            "u",
            lambda u: torch.arange(len(u), dtype=u.dtype) / len(u),
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

CHECKS = [COSINE_ALPHA_BAR, SIGMOID_BETAS, PRIOR_KL]
