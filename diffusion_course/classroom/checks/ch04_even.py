"""A design: few steps, and none of them large in log-SNR."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ... import schedules
from ...errors import CourseError
from .ch04_cosine import betas_of, cosine_alpha_bar
from .data import Check, Mutant, Variant

PIXELS = 784  # of an image whose pixels are 1 or -1: ||x_0||^2 is their number
FIRST = 0.002  # the largest beta_1
BOUND = 1e-4  # relative: a rule of thumb that leads to a bound keeps it
LAST = 0.01  # nats: the largest KL at the end


def end_of(kl: float) -> float:
    """alpha_bar_T at which KL(q(x_T | x_0) || N(0, I)) = -PIXELS / 2 log(1 - alpha_bar_T) is kl."""
    return -math.expm1(-2 * kl / PIXELS)


def even_betas(T: int) -> Tensor:
    return line_in_log_snr(T)


def line_in_log_snr(T: int, kl: float = LAST) -> Tensor:
    """A straight line in log-SNR, from beta_1 = FIRST to the largest alpha_bar_T that the bound allows."""
    ends = torch.tensor([1 - FIRST, end_of(kl)], dtype=torch.float64).logit()
    line = torch.linspace(0, 1, T, dtype=torch.float64)
    return betas_of(torch.sigmoid(ends[0] + line * (ends[1] - ends[0])))


def largest_step(betas: Tensor, T: int, kl: float = LAST) -> float:
    """The largest rise of log-SNR from t to t - 1, for t = 2..T. Raises CourseError for what breaks a bound."""
    outside = ~((betas > 0) & (betas < 1))
    if bool(outside.any()):
        t = int(outside.nonzero()[0]) + 1
        raise CourseError(f"beta_{t} is {betas[t - 1]:.4g}, want every beta between 0 and 1")
    if betas[0] > FIRST * (1 + BOUND):
        raise CourseError(
            f"beta_1 is {betas[0]:.6g}, want at most {FIRST:g}: the chain begins at a nearly clean image"
        )
    rest = torch.log1p(-betas).cumsum(0)  # log alpha_bar
    noise = -torch.expm1(rest)
    end = -PIXELS / 2 * noise[-1].log().item()
    if end > kl * (1 + BOUND):
        raise CourseError(
            f"KL(q(x_T | x_0) || N(0, I)) is {end:.6g} nats, want at most {kl:g}: alpha_bar_T is {rest[-1].exp():.3g}"
        )
    return (rest - noise.log()).diff().neg().max().item()


def version(T: int, kl: float, marks: tuple[tuple[int, float], ...]) -> Variant:
    """Another number of steps and a stricter end: the public design breaks the bound."""

    def even_betas(T: int) -> Tensor:
        return line_in_log_snr(T, kl)

    changes: dict[str, Any] = {"score": partial(largest_step, kl=kl), "reference": even_betas, "marks": marks}
    return Variant(
        {"$T = 50$": f"$T = {T}$", "$0.01$ nats": f"${kl:g}$ nats"}, changes | {"inputs": lambda d: (T,)}
    )


def ramp(make: Callable[[int], Tensor]) -> Callable[[int], Tensor]:
    """A schedule of the chapter that fits T = 1000, with 1000 / T times its betas."""
    return lambda T: make(T) * 1000 / T


EVEN_BETAS = Check(
    id="04-even_betas",
    points=6,
    minutes=25,
    level=3,
    reference=even_betas,
    inputs=lambda d: (50,),
    where='section 5 of this notebook ("The end of the chain, and T"): KL = (a (||x_0||^2 - d) - d ln(1 - a)) / 2 with '
    "a = alpha_bar_T; and log SNR = ln(alpha_bar / (1 - alpha_bar)).",
    outputs=("betas",),
    score=largest_step,
    scored="the largest rise of log-SNR in one step",
    marks=((2, 1.5), (4, 0.75), (6, 0.36)),
    variants=(
        Variant(),
        version(40, 0.002, ((2, 2.0), (4, 1.0), (6, 0.49))),
        version(60, 0.005, ((2, 1.3), (4, 0.65), (6, 0.315))),
    ),
    mutants=[
        Mutant(
            "the linear schedule with its ends for T = 1000: with few steps it does not come to noise.",
            lambda T: schedules.linear(T),
        ),
        Mutant(
            "the linear schedule, its betas times 1000 / T: it takes its largest step at the first.",
            ramp(schedules.linear),
        ),
        Mutant(
            "the cosine schedule: its last step, where the clip at 0.999 ends it, is the largest.",
            lambda T: schedules.cosine(T),
        ),
        Mutant(
            "the cosine schedule without its clip: alpha_bar_T is 0, and the last step has no end in log-SNR.",
            lambda T: betas_of(cosine_alpha_bar(torch.arange(1, T + 1, dtype=torch.float64) / T, 0.008)),
        ),
        Mutant(
            "the quadratic schedule with its ends for T = 1000: with few steps it does not come to noise.",
            lambda T: schedules.quadratic(T),
        ),
        Mutant(
            "the sigmoid schedule, its betas times 1000 / T: the first is above the bound.",
            ramp(schedules.sigmoid),
        ),
        Mutant(
            "alpha_bar in the place of the betas: return beta_t = 1 - alpha_bar_t / alpha_bar_{t-1}.",
            lambda T: (1 - even_betas(T)).cumprod(0),
        ),
        Mutant("the alphas in the place of the betas: beta_t = 1 - alpha_t.", lambda T: 1 - even_betas(T)),
        Mutant(
            "a line in alpha_bar: its log-SNR falls in jumps at both ends.",
            lambda T: betas_of(torch.linspace(1 - FIRST, end_of(LAST), T, dtype=torch.float64)),
        ),
        Mutant(
            "a line in log alpha_bar, the same beta in every step: beta_1 is as large as the last.",
            lambda T: torch.full((T,), 1 - end_of(LAST) ** (1 / T), dtype=torch.float64),
        ),
        Mutant("the betas from the last to the first: betas[0] is beta_1.", lambda T: even_betas(T).flip(0)),
    ],
)
