"""Checks of chapter 09: the Karras grid, the Heun step, and churn."""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from torch import Tensor

from ...denoisers import Denoiser
from .data import Check, Mutant
from .inputs import Draw


def karras_sigmas(n: int, sigma_min: float = 0.002, sigma_max: float = 80.0, rho: float = 7.0) -> Tensor:
    return ended(powers(ramp(n), sigma_min, sigma_max, rho))


def ramp(n: int, last: float = 1.0) -> Tensor:
    return torch.linspace(0, last, n, dtype=torch.float64)


def powers(u: Tensor, low: float, high: float, rho: float) -> Tensor:
    return (high ** (1 / rho) + u * (low ** (1 / rho) - high ** (1 / rho))) ** rho


def ended(sigmas: Tensor) -> Tensor:
    return torch.cat([sigmas, torch.zeros_like(sigmas[:1])])


def grids(d: Draw) -> Iterator[tuple[str, tuple]]:
    """The paper's grid and its neighbours: few and many steps, rho from 1 to 20, other ends."""
    for n in (2, 3, 6, 18, 256, 1200):
        yield f"n = {n}", (n, 0.002, 80.0, 7.0)
    for rho in (1, 3, 7, 20.0):
        yield f"rho = {rho}", (12, 0.002, 80.0, rho)
    yield "other ends", (10, 0.03, 14, 7)
    yield "the ends of the linear schedule", (10, 0.01, 157.4, 7.0)


KARRAS_SIGMAS = Check(
    id="09-karras_sigmas",
    points=2,
    minutes=10,
    level=1,
    reference=karras_sigmas,
    inputs=lambda d: (
        d.size() + 1,
        d.uniform(0.01, 0.2).item(),
        d.uniform(5, 50).item(),
        d.uniform(2, 8).item(),
    ),
    fixed=grids,
    where="sigma_i = (sigma_max^(1/rho) + i / (n - 1) (sigma_min^(1/rho) - sigma_max^(1/rho)))^rho, i = 0..n-1, "
    "and sigma_n = 0 (Karras et al. 2022, eq. 5).",
    outputs=("sigmas",),
    library=("schedules.karras",),
    mutants=[
        Mutant(
            "n sigmas without the 0 at the end: append sigma_n = 0, where sampling ends.",
            lambda n, low=0.002, high=80.0, rho=7.0: powers(ramp(n), low, high, rho),
        ),
        Mutant(
            "n + 1 sigmas from sigma_max to sigma_min: n of them, and then 0.",
            lambda n, low=0.002, high=80.0, rho=7.0: powers(ramp(n + 1), low, high, rho),
        ),
        Mutant(
            "i / n: the last i is n - 1, and there sigma is sigma_min, so divide by n - 1.",
            lambda n, low=0.002, high=80.0, rho=7.0: ended(powers(ramp(n, (n - 1) / n), low, high, rho)),
        ),
        Mutant(
            "a rising grid: sampling begins at sigma_max, so swap the two ends.",
            lambda n, low=0.002, high=80.0, rho=7.0: ended(powers(ramp(n), high, low, rho)),
        ),
        Mutant(
            "the two exponents swapped: first the power 1/rho, at the end the power rho.",
            lambda n, low=0.002, high=80.0, rho=7.0: ended(powers(ramp(n), low, high, 1 / rho)),
        ),
        Mutant(
            "sigma^(1/rho): raise the result to the power rho.",
            lambda n, low=0.002, high=80.0, rho=7.0: ended(powers(ramp(n), low, high, rho) ** (1 / rho)),
        ),
        Mutant(
            "evenly spaced sigmas, which is rho = 1: space sigma^(1/rho) evenly.",
            lambda n, low=0.002, high=80.0, rho=7.0: ended(powers(ramp(n), low, high, 1.0)),
        ),
        Mutant(
            "evenly spaced logarithms, the limit of large rho: space sigma^(1/rho) evenly.",
            lambda n, low=0.002, high=80.0, rho=7.0: ended(
                (math.log(high) + ramp(n) * math.log(low / high)).exp()
            ),
        ),
    ],
)


def heun_step(
    D: Denoiser, x: Tensor, sigma: Tensor, sigma_next: Tensor, noise: object | None = None
) -> Tensor:
    first, moved = euler(D, x, sigma, sigma_next)
    if sigma_next == 0:
        return moved
    return x + (sigma_next - sigma) * (first + slope(D, moved, sigma_next)) / 2


def slope(D: Denoiser, x: Tensor, sigma: Tensor) -> Tensor:
    return (x - D(x, sigma)) / sigma


def euler(D: Denoiser, x: Tensor, sigma: Tensor, sigma_next: Tensor) -> tuple[Tensor, Tensor]:
    """The slope at sigma, and where it leads."""
    first = slope(D, x, sigma)
    return first, x + (sigma_next - sigma) * first


def step_slip(hint: str, correction: Callable) -> Mutant:
    """A mutant that ends right, by Euler, and errs before: correction(D, x, s, r, first, moved), from sigma s to r."""

    def step(D: Denoiser, x: Tensor, s: Tensor, r: Tensor, noise: object = None) -> Tensor:
        first, moved = euler(D, x, s, r)
        return moved if r == 0 else correction(D, x, s, r, first, moved)

    return Mutant(hint, step)


def last_step_too(D: Denoiser, x: Tensor, s: Tensor, r: Tensor, noise: object = None) -> Tensor:
    first, moved = euler(D, x, s, r)
    return x + (r - s) * (first + slope(D, moved, r)) / 2


def two_sigmas(d: Draw) -> tuple[Tensor, Tensor]:
    """sigma and a smaller sigma_next; 0 in some cases."""
    sigma = d.uniform(1, 3)
    return sigma, sigma * (0 if d.edge == "first" else d.uniform(0.3, 0.7))


def sampling_steps(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Every step of the paper's grid of 18, the long steps of a grid of 4, and the last step of both; an image."""
    for n in (18, 4):
        grid = karras_sigmas(n, 0.002, 80.0, 7.0).to(d.device, d.dtype)
        for sigma, sigma_next in pairwise(grid):
            yield f"a step of a grid of {n}", (d.denoiser(), sigma * d.normal(2, 3), sigma, sigma_next, None)
    for share in (0.999, 0.97, 0.9):
        yield "a short step", (d.denoiser(), d.wide(2, 3), d.uniform(2, 2), d.uniform(2, 2) * share, None)
    yield "one image", (d.denoiser(), d.wide(1, 1, 4, 4), d.uniform(2, 2), d.uniform(0.25, 0.25), None)


def calls_of_heun(D: Denoiser, x: Tensor, sigma: Tensor, sigma_next: Tensor, noise: object) -> int:
    return len(x) if sigma_next == 0 else 2 * len(x)


HEUN_STEP = Check(
    id="09-heun_step",
    points=4,
    minutes=15,
    level=2,
    reference=heun_step,
    inputs=lambda d: (d.denoiser(), d.x(), *two_sigmas(d), None),
    fixed=sampling_steps,
    evaluations={"D": calls_of_heun},
    where="x + (sigma_next - sigma) (d + d') / 2, with the slopes d = (x - D(x, sigma)) / sigma and d' the same at the end "
    "of the Euler step; Euler alone where sigma_next = 0 (Karras et al. 2022, algorithm 1).",
    outputs=("x_next",),
    library=("samplers.heun",),
    mutants=[
        Mutant(
            "a correction on the last step too: where sigma_next = 0 there is no second slope, return the Euler step.",
            last_step_too,
        ),
        step_slip(
            "Euler alone: correct it with the slope at its end.", lambda D, x, s, r, first, moved: moved
        ),
        step_slip(
            "a sum of the two slopes: take their mean.",
            lambda D, x, s, r, first, moved: x + (r - s) * (first + slope(D, moved, r)),
        ),
        step_slip(
            "the second slope alone: take the mean of both.",
            lambda D, x, s, r, first, moved: x + (r - s) * slope(D, moved, r),
        ),
        step_slip(
            "a second slope at the old x: take it at the end of the Euler step.",
            lambda D, x, s, r, first, moved: x + (r - s) * (first + slope(D, x, r)) / 2,
        ),
        step_slip(
            "a second slope at the old sigma: its D and its division take sigma_next.",
            lambda D, x, s, r, first, moved: x + (r - s) * (first + slope(D, moved, s)) / 2,
        ),
        step_slip(
            "a second slope divided by the old sigma: divide by sigma_next.",
            lambda D, x, s, r, first, moved: x + (r - s) * (first + (moved - D(moved, r)) / s) / 2,
        ),
        step_slip(
            "a second slope with x - D instead of x_next - D: both belong to the end of the Euler step.",
            lambda D, x, s, r, first, moved: x + (r - s) * (first + (x - D(moved, r)) / r) / 2,
        ),
        step_slip(
            "a correction that starts at the end of the Euler step: start again from x.",
            lambda D, x, s, r, first, moved: moved + (r - s) * (first + slope(D, moved, r)) / 2,
        ),
        Mutant(
            "a step in the wrong direction: it is (sigma_next - sigma), a negative number, times (x - D) / sigma.",
            lambda D, x, s, r, noise=None: 2 * x - heun_step(D, x, s, r) if r == 0 else uphill(D, x, s, r),
        ),
        step_slip(
            "the midpoint method: take the second slope at sigma_next, and the mean of both.",
            lambda D, x, s, r, first, moved: x + (r - s) * slope(D, (x + moved) / 2, (s + r) / 2),
        ),
    ],
)


def uphill(D: Denoiser, x: Tensor, s: Tensor, r: Tensor) -> Tensor:
    first = slope(D, x, s)
    return x + (s - r) * (first + slope(D, x + (s - r) * first, r)) / 2


def churn(
    x: Tensor,
    sigma: Tensor,
    eps: Tensor,
    num_steps: int,
    s_churn: float,
    s_min: float,
    s_max: float,
    s_noise: float,
) -> tuple[Tensor, Tensor]:
    return raised(x, sigma, eps, gamma(sigma, num_steps, s_churn, s_min, s_max), s_noise)


def gamma(sigma: Tensor, num_steps: int, s_churn: float, s_min: float, s_max: float) -> float:
    return min(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0


def raised(x: Tensor, sigma: Tensor, eps: Tensor, g: float, s_noise: float) -> tuple[Tensor, Tensor]:
    sigma_hat = sigma * (1 + g)
    return x + (sigma_hat**2 - sigma**2).sqrt() * s_noise * eps, sigma_hat


def other_gamma(hint: str, g: Callable) -> Mutant:
    """A mutant with its own gamma = g(sigma, num_steps, s_churn, s_min, s_max)."""
    return Mutant(hint, lambda x, s, eps, n, c, low, high, k: raised(x, s, eps, g(s, n, c, low, high), k))


def other_noise(hint: str, move: Callable) -> Mutant:
    """A mutant that raises sigma rightly, and x to move(x, sigma, sigma_hat, eps, s_noise)."""

    def moved(
        x: Tensor, s: Tensor, eps: Tensor, n: int, c: float, low: float, high: float, k: float
    ) -> tuple[Tensor, Tensor]:
        sigma_hat = s * (1 + gamma(s, n, c, low, high))
        return move(x, s, sigma_hat, eps, k), sigma_hat

    return Mutant(hint, moved)


def churn_inputs(d: Draw) -> tuple:
    """sigma inside [s_min, s_max] but where d.edge is "first", on either side; gamma below or above its cap."""
    low, high = d.uniform(0.2, 0.4).item(), d.uniform(2, 3).item()
    inside, below, above = d.uniform(0.5, 1.8), d.uniform(0.05, 0.15), d.uniform(4, 6)
    small = d.dtype == torch.float64
    sigma = (below if small else above) if d.edge == "first" else inside
    n = d.size() + 3
    s_churn = n * (d.uniform(0.1, 0.3) if small else d.uniform(0.6, 0.9)).item()
    return d.x(), sigma, d.x(), n, s_churn, low, high, d.uniform(1.1, 1.3).item()


def raises(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Every sigma of the paper's grid, both closed ends of the interval, gamma at its cap, no churn, an open interval."""
    for sigma in karras_sigmas(18, 0.002, 80.0, 7.0)[:-1].tolist():
        yield f"sigma = {sigma:.4g} of the paper's grid", (*level(d, sigma), 18, 40, 0.05, 50, 1.003)
    for sigma in (0.05, 50.0, 0.0499, 50.1):
        yield f"sigma = {sigma} at [0.05, 50]", (*level(d, sigma), 18, 5.0, 0.05, 50.0, 1.003)
    for s_churn in (0, 0.0, 1e-3, 18 * (math.sqrt(2) - 1), 18.0, 80):
        yield f"s_churn = {s_churn:.4g}", (*level(d, 1.0), 18, s_churn, 0.05, 50.0, 1.007)
    for s_min in (0, 0.0, 0.001, 0.004):
        yield f"sigma = 0.002, s_min = {s_min}", (*level(d, 0.002), 18, 5.0, s_min, 50.0, 1.003)
    for sigma, s_min in ((80.0, 0.0), (0.05, 0.05), (157.4, 1.0)):
        yield "no upper end", (*level(d, sigma), 18, 40, s_min, math.inf, 1.0)
    for s_noise in (0.0, 1, 1.0):
        yield f"s_noise = {s_noise}", (*level(d, 1.0), 256, 40, 0, math.inf, s_noise)


def level(d: Draw, sigma: float) -> tuple[Tensor, Tensor, Tensor]:
    """x, sigma and eps."""
    return sigma * d.wide(2, 3), torch.tensor(sigma, dtype=d.dtype, device=d.device), d.wide(2, 3)


CHURN = Check(
    id="09-churn",
    points=3,
    minutes=15,
    level=2,
    reference=churn,
    inputs=churn_inputs,
    fixed=raises,
    where="gamma = min(s_churn / num_steps, sqrt(2) - 1) within [s_min, s_max], else 0; sigma_hat = (1 + gamma) sigma; "
    "x_hat = x + sqrt(sigma_hat^2 - sigma^2) s_noise eps (Karras et al. 2022, algorithm 2).",
    outputs=("x_hat", "sigma_hat"),
    library=("samplers.edm",),
    mutants=[
        other_gamma(
            "a gamma without its cap: it is at most sqrt(2) - 1, so that the variance at most doubles.",
            lambda s, n, c, low, high: c / n if low <= s <= high else 0.0,
        ),
        other_gamma(
            "churn at every sigma: outside [s_min, s_max] gamma is 0.",
            lambda s, n, c, low, high: min(c / n, math.sqrt(2) - 1),
        ),
        other_gamma(
            "churn below s_min: the interval has two ends.",
            lambda s, n, c, low, high: gamma(s, n, c, -math.inf, high),
        ),
        other_gamma(
            "churn above s_max: the interval has two ends.",
            lambda s, n, c, low, high: gamma(s, n, c, low, math.inf),
        ),
        other_gamma(
            "gamma made of the whole s_churn: each of the num_steps steps gets its share, s_churn / num_steps.",
            lambda s, n, c, low, high: gamma(s, 1, c, low, high),
        ),
        other_gamma(
            "the larger of the two, max: gamma is the smaller one.",
            lambda s, n, c, low, high: max(c / n, math.sqrt(2) - 1) if low <= s <= high else 0.0,
        ),
        other_noise(
            "a difference of standard deviations: variances add, so the new noise has the variance sigma_hat^2 - sigma^2.",
            lambda x, s, hat, eps, k: x + (hat - s) * k * eps,
        ),
        other_noise(
            "a variance used as a standard deviation: take the root of sigma_hat^2 - sigma^2.",
            lambda x, s, hat, eps, k: x + (hat**2 - s**2) * k * eps,
        ),
        other_noise(
            "eps inside the root, report 2's slip: the root is the standard deviation, and eps is multiplied by it.",
            lambda x, s, hat, eps, k: x + (hat**2 - s**2 * eps).sqrt(),
        ),
        other_noise(
            "noise of the whole sigma_hat: x has sigma already, only the difference is added.",
            lambda x, s, hat, eps, k: x + hat * k * eps,
        ),
        other_noise(
            "s_noise left out: it multiplies eps.",
            lambda x, s, hat, eps, k: x + (hat**2 - s**2).sqrt() * eps,
        ),
        other_noise(
            "the noise taken away: it is added. (In law it is the same, but this check gives you eps.)",
            lambda x, s, hat, eps, k: x - (hat**2 - s**2).sqrt() * k * eps,
        ),
        Mutant(
            "the old sigma returned: the Heun step that follows must begin at sigma_hat.",
            lambda x, s, eps, n, c, low, high, k: (
                churn(x, s, eps, n, c, low, high, k)[0],
                s.clone(),
            ),
        ),
        Mutant(
            "gamma added to sigma: sigma_hat = (1 + gamma) sigma.",
            lambda x, s, eps, n, c, low, high, k: raised(x, s, eps, gamma(s, n, c, low, high) / s.item(), k),
        ),
    ],
)

CHECKS = [KARRAS_SIGMAS, HEUN_STEP, CHURN]
