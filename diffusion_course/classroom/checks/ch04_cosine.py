"""alpha_bar of the cosine schedule."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .data import Check, Mutant
from .inputs import Draw
from .slips import argument_slip, result_slip


def cosine_alpha_bar(u: Tensor, s: float) -> Tensor:
    return cosine_f(u, s) / math.cos(s / (1 + s) * math.pi / 2) ** 2


def cosine_f(u: Tensor, s: float) -> Tensor:
    return torch.cos((u + s) / (1 + s) * math.pi / 2) ** 2


def cosine_angle(u: Tensor, s: float) -> Tensor:
    return (u + s) / (1 + s) * math.pi / 2


def betas_of(alpha_bar: Tensor) -> Tensor:
    """1 - alpha_bar_t / alpha_bar_{t-1}, with alpha_bar_0 = 1."""
    return 1 - alpha_bar / torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])


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
        Mutant(
            "the betas, cut off at 0.999: return alpha_bar itself.",
            lambda u, s: betas_of(cosine_alpha_bar(u, s)).clamp(0, 0.999),
        ),
        # u and s
        Mutant(
            "u divided by the number of steps: u = t / T is divided already.",
            lambda u, s: cosine_alpha_bar(u / len(u), s),
        ),
        angle_slip(
            "u^s / (1 + s) in the angle: s is an offset, added to u.",
            lambda u, s: (u + 1e-12) ** s / (1 + s) * math.pi / 2,
        ),
        angle_slip("u^s in the angle: s is an offset, added to u.", lambda u, s: u**s * math.pi / 2),
        Mutant(
            "f(0) without the division by 1 + s: the same angle at u = 0 is s / (1 + s) pi / 2.",
            lambda u, s: cosine_f(u, s) / math.cos(s * math.pi / 2) ** 2,
        ),
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
            betas_of,
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
