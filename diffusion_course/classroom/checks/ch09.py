"""Checks of chapter 09: the Karras grid, the Heun step, and churn."""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from torch import Tensor

from ...denoisers import Denoiser
from .data import Check, Mutant
from .inputs import Draw
from .slips import argument_slip, result_slip


def karras_sigmas(n: int, sigma_min: float = 0.002, sigma_max: float = 80.0, rho: float = 7.0) -> Tensor:
    return ended(powers(ramp(n), sigma_min, sigma_max, rho))


def ramp(n: int, last: float = 1.0) -> Tensor:
    return torch.linspace(0, last, n, dtype=torch.float64)


def powers(u: Tensor, low: float, high: float, rho: float) -> Tensor:
    return (high ** (1 / rho) + u * (low ** (1 / rho) - high ** (1 / rho))) ** rho


def ended(sigmas: Tensor) -> Tensor:
    return torch.cat([sigmas, torch.zeros_like(sigmas[:1])])


def even_logarithms(u: Tensor, low: float, high: float) -> Tensor:
    return (math.log(high) + u * math.log(low / high)).exp()


def power_slip(hint: str, sigmas: Callable) -> Mutant:
    """A mutant whose n sigmas are sigmas(u, sigma_min, sigma_max, rho), with the right u, and then 0."""
    return grid_slip(hint, lambda n, low, high, rho: ended(sigmas(ramp(n), low, high, rho)))


def grid_slip(hint: str, grid: Callable) -> Mutant:
    """A mutant that is grid(n, sigma_min, sigma_max, rho)."""
    return Mutant(hint, lambda n, low=0.002, high=80.0, rho=7.0: grid(n, low, high, rho))


def fixed_knob(hint: str, name: str, change: Callable) -> Mutant:
    """A mutant that takes another number for sigma_min, sigma_max or rho."""
    return argument_slip(hint, karras_sigmas, name, change)


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
    where='the formula in section 4 of this notebook ("The grid"): '
    "sigma_i = (sigma_max^(1/rho) + i / (n - 1) (sigma_min^(1/rho) - sigma_max^(1/rho)))^rho, i = 0..n-1, "
    "and sigma_n = 0 (Karras et al. 2022, eq. 5).",
    outputs=("sigmas",),
    library=("schedules.karras",),
    mutants=[
        # the ends
        grid_slip(
            "n sigmas without the 0 at the end: append sigma_n = 0, where sampling ends.",
            lambda n, low, high, rho: powers(ramp(n), low, high, rho),
        ),
        grid_slip(
            "n + 1 sigmas from sigma_max to sigma_min: n of them, and then 0.",
            lambda n, low, high, rho: powers(ramp(n + 1), low, high, rho),
        ),
        grid_slip(
            "n + 1 sigmas and a 0 after them: n of them, and then 0.",
            lambda n, low, high, rho: ended(powers(ramp(n + 1), low, high, rho)),
        ),
        grid_slip(
            "n - 1 sigmas and a 0 after them, or sigma_min overwritten with 0: n of them down to sigma_min, and then 0.",
            lambda n, low, high, rho: ended(powers(ramp(n), low, high, rho)[:-1]),
        ),
        grid_slip(
            "sigma_min twice: the last number is 0.",
            lambda n, low, high, rho: torch.cat([s := powers(ramp(n), low, high, rho), s[-1:]]),
        ),
        *(
            grid_slip(
                f"{end:g} at the end, to avoid a division by 0: the last number is exactly 0, for which samplers test.",
                lambda n, low, high, rho, end=end: ended(powers(ramp(n), low, high, rho)).clamp(min=end),
            )
            for end in (1e-10, 1e-8, 1e-6, 1e-5, 1e-4, 1e-3)
        ),
        grid_slip(
            "the 0 in front: sampling ends there, append it.",
            lambda n, low, high, rho: ended(powers(ramp(n), low, high, rho)).roll(1),
        ),
        grid_slip(
            "i / n: the last i is n - 1, and there sigma is sigma_min, so divide by n - 1.",
            lambda n, low, high, rho: ended(powers(ramp(n, (n - 1) / n), low, high, rho)),
        ),
        grid_slip(
            "i / n from i = 1 on: i begins at 0, where sigma is sigma_max, and is divided by n - 1.",
            lambda n, low, high, rho: ended(powers(ramp(n + 1)[1:], low, high, rho)),
        ),
        grid_slip(
            "a formula that ends at 0: it runs to sigma_min in n numbers, and the 0 comes after it.",
            lambda n, low, high, rho: powers(ramp(n + 1), 0.0, high, rho),
        ),
        power_slip(
            "a rising grid: sampling begins at sigma_max, so swap the two ends.",
            lambda u, low, high, rho: powers(u, high, low, rho),
        ),
        grid_slip(
            "the whole grid from 0 up to sigma_max: sampling begins at sigma_max.",
            lambda n, low, high, rho: karras_sigmas(n, low, high, rho).flip(0),
        ),
        # the knobs
        fixed_knob("rho = 7 whatever it is: use the argument.", "rho", lambda rho: 7.0),
        fixed_knob("a rho cut off to an integer: take it as it is.", "rho", int),
        fixed_knob("sigma_min = 0.002 whatever it is: use the argument.", "sigma_min", lambda low: 0.002),
        fixed_knob("sigma_max = 80 whatever it is: use the argument.", "sigma_max", lambda high: 80.0),
        fixed_knob(
            "a sigma_max above 80 taken for 80: use the argument.", "sigma_max", lambda high: min(high, 80.0)
        ),
        # the powers
        power_slip(
            "the two exponents swapped: first the power 1/rho, at the end the power rho.",
            lambda u, low, high, rho: powers(u, low, high, 1 / rho),
        ),
        power_slip(
            "sigma^(1/rho): raise the result to the power rho.",
            lambda u, low, high, rho: powers(u, low, high, rho) ** (1 / rho),
        ),
        power_slip(
            "a power rho of evenly spaced sigmas: take the power 1/rho of both ends first.",
            lambda u, low, high, rho: powers(u, low, high, 1.0) ** rho,
        ),
        power_slip(
            "1 // rho, which is 0 for rho > 1: the exponent is 1 / rho.",
            lambda u, low, high, rho: (
                (high ** (1 // rho) + u * (low ** (1 // rho) - high ** (1 // rho))) ** rho
            ),
        ),
        power_slip(
            "high ** 1 / rho, a missing pair of brackets: that is high / rho, the exponent is (1 / rho).",
            lambda u, low, high, rho: (high / rho + u * (low / rho - high / rho)) ** rho,
        ),
        power_slip(
            "the difference with the wrong sign: sigma_min^(1/rho) - sigma_max^(1/rho) is negative, and i / (n - 1) times it is added.",
            lambda u, low, high, rho: (2 * high ** (1 / rho) - powers(u, low, high, rho) ** (1 / rho)) ** rho,
        ),
        power_slip(
            "the root of a difference: take the difference of the roots, sigma_min^(1/rho) - sigma_max^(1/rho).",
            lambda u, low, high, rho: (high ** (1 / rho) - u * (high - low) ** (1 / rho)) ** rho,
        ),
        power_slip(
            "a difference without its roots: it is sigma_min^(1/rho) - sigma_max^(1/rho).",
            lambda u, low, high, rho: (high ** (1 / rho) + u * (low - high)) ** rho,
        ),
        power_slip(
            "the power rho of the two terms one by one: it belongs to their sum.",
            lambda u, low, high, rho: high + u**rho * (low - high),
        ),
        power_slip(
            "(1 - u)^rho between the two ends, a ramp with a power: space sigma^(1/rho) evenly.",
            lambda u, low, high, rho: low + (1 - u) ** rho * (high - low),
        ),
        power_slip(
            "evenly spaced sigmas, which is rho = 1: space sigma^(1/rho) evenly.",
            lambda u, low, high, rho: powers(u, low, high, 1.0),
        ),
        power_slip(
            "evenly spaced logarithms for large rho, which are its limit: take the formula for every rho.",
            lambda u, low, high, rho: powers(u, low, high, rho) if rho < 9 else even_logarithms(u, low, high),
        ),
        power_slip(
            "evenly spaced logarithms, the limit of large rho: space sigma^(1/rho) evenly.",
            lambda u, low, high, rho: even_logarithms(u, low, high),
        ),
        # precision
        power_slip(
            "i / (n - 1) in float32, as torch.arange(n) / (n - 1) is: .double() afterwards comes too late.",
            lambda u, low, high, rho: powers(u.float().double(), low, high, rho),
        ),
        result_slip(
            "a grid in float32: give dtype=torch.float64 to torch.linspace and torch.zeros.",
            karras_sigmas,
            lambda sigmas: sigmas.float(),
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


def last_slip(hint: str, last: Callable) -> Mutant:
    """A mutant that errs at sigma_next = 0 only, where it returns last(D, x, sigma, 0)."""

    def step(D: Denoiser, x: Tensor, s: Tensor, r: Tensor, noise: object = None) -> Tensor:
        return last(D, x, s, r) if r == 0 else heun_step(D, x, s, r)

    return Mutant(hint, step)


def euler_slip(hint: str, too_often: Callable) -> Mutant:
    """A mutant that takes Euler's step also where too_often(sigma, sigma_next)."""

    def step(D: Denoiser, x: Tensor, s: Tensor, r: Tensor, noise: object = None) -> Tensor:
        return euler(D, x, s, r)[1] if too_often(s, r) else heun_step(D, x, s, r)

    return Mutant(hint, step)


def slope_slip(hint: str, slope: Callable) -> Mutant:
    """A mutant with its own slope(x, D's answer, sigma) at both ends."""

    def step(D: Denoiser, x: Tensor, s: Tensor, r: Tensor, noise: object = None) -> Tensor:
        first = slope(x, D(x, s), s)
        moved = x + (r - s) * first
        return moved if r == 0 else x + (r - s) * (first + slope(moved, D(moved, r), r)) / 2

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
    where="the four lines in section 5 of this notebook (\"Heun's method\"): x + (sigma_next - sigma) (d + d') / 2, "
    "with the slopes d = (x - D(x, sigma)) / sigma and d' the same at the end of the Euler step; "
    "Euler alone where sigma_next = 0 (Karras et al. 2022, algorithm 1).",
    outputs=("x_next",),
    library=("samplers.heun",),
    mutants=[
        # the last step
        Mutant(
            "a correction on the last step too: where sigma_next = 0 there is no second slope, return the Euler step.",
            last_step_too,
        ),
        last_slip(
            "x itself where sigma_next = 0: the last step is Euler's, which ends at D(x, sigma).",
            lambda D, x, s, r: x.clone(),
        ),
        last_slip(
            "zeros where sigma_next = 0: the last step is Euler's, which ends at D(x, sigma).",
            lambda D, x, s, r: torch.zeros_like(x),
        ),
        last_slip(
            "half a step where sigma_next = 0: without a second slope the first one counts fully.",
            lambda D, x, s, r: x + (r - s) * slope(D, x, s) / 2,
        ),
        last_slip(
            "the slope where sigma_next = 0: return the end of the Euler step, x + (sigma_next - sigma) d.",
            lambda D, x, s, r: slope(D, x, s),
        ),
        euler_slip("Euler for a small sigma_next: only where it is exactly 0.", lambda s, r: r < 0.29),
        euler_slip(
            "Euler for every sigma_next below 1, as int(sigma_next) == 0 has it: only where it is exactly 0.",
            lambda s, r: r < 1,
        ),
        euler_slip("Euler for short steps: only where sigma_next = 0.", lambda s, r: r > 0.75 * s),
        # the mean of the slopes
        step_slip(
            "Euler alone, as it is also with the first D in the second slope: ask D again at the end of the Euler step, "
            "and take the mean of both slopes.",
            lambda D, x, s, r, first, moved: moved,
        ),
        step_slip(
            "a sum of the two slopes, or a second whole step after the first: start from x, with the mean of both.",
            lambda D, x, s, r, first, moved: x + (r - s) * (first + slope(D, moved, r)),
        ),
        step_slip(
            "d + d' / 2, a missing pair of brackets: the mean of the slopes is (d + d') / 2.",
            lambda D, x, s, r, first, moved: x + (r - s) * (first + slope(D, moved, r) / 2),
        ),
        step_slip(
            "half the difference of the slopes: take half their sum, the mean.",
            lambda D, x, s, r, first, moved: x + (r - s) * (first - slope(D, moved, r)) / 2,
        ),
        step_slip(
            "the second slope alone: take the mean of both.",
            lambda D, x, s, r, first, moved: x + (r - s) * slope(D, moved, r),
        ),
        step_slip(
            "a correction that starts at the end of the Euler step: start again from x.",
            lambda D, x, s, r, first, moved: moved + (r - s) * (first + slope(D, moved, r)) / 2,
        ),
        step_slip(
            "both slopes added at the end of the Euler step: start again from x, with their mean.",
            lambda D, x, s, r, first, moved: moved + (r - s) * (first + slope(D, moved, r)),
        ),
        step_slip(
            "the midpoint method: take the second slope at sigma_next, and the mean of both.",
            lambda D, x, s, r, first, moved: x + (r - s) * slope(D, (x + moved) / 2, (s + r) / 2),
        ),
        # the second slope
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
            "a second slope whose D is called with the old sigma: at the end of the Euler step the noise is sigma_next.",
            lambda D, x, s, r, first, moved: x + (r - s) * (first + (moved - D(moved, s)) / r) / 2,
        ),
        step_slip(
            "a second slope with x - D instead of x_next - D: both belong to the end of the Euler step.",
            lambda D, x, s, r, first, moved: x + (r - s) * (first + (x - D(moved, r)) / r) / 2,
        ),
        step_slip(
            "a second slope whose D is called with the old x: both belong to the end of the Euler step.",
            lambda D, x, s, r, first, moved: x + (r - s) * (first + (moved - D(x, r)) / r) / 2,
        ),
        # the direction, and both slopes
        Mutant(
            "a step in the wrong direction: it is (sigma_next - sigma), a negative number, times (x - D) / sigma.",
            lambda D, x, s, r, noise=None: 2 * x - heun_step(D, x, s, r) if r == 0 else uphill(D, x, s, r),
        ),
        step_slip(
            "a last line in the wrong direction: it has (sigma_next - sigma), a negative number, too.",
            lambda D, x, s, r, first, moved: x + (s - r) * (first + slope(D, moved, r)) / 2,
        ),
        slope_slip(
            "x - D / sigma, a missing pair of brackets: the slope is (x - D) / sigma.",
            lambda x, x0, s: x - x0 / s,
        ),
        slope_slip("a slope without its division by sigma.", lambda x, x0, s: x - x0),
        slope_slip(
            "a slope divided by sigma^2, as a score is: divide by sigma.", lambda x, x0, s: (x - x0) / s**2
        ),
        slope_slip("a slope times sigma: divide by it.", lambda x, x0, s: (x - x0) * s),
        slope_slip(
            "D(x, sigma) itself as the slope: it is an estimate of x_0, and the slope (x - D) / sigma.",
            lambda x, x0, s: x0,
        ),
        slope_slip("x / sigma as the slope: it is (x - D) / sigma.", lambda x, x0, s: x / s),
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


def other_sigma(hint: str, raise_: Callable) -> Mutant:
    """A mutant with its own sigma_hat = raise_(sigma, gamma)."""

    def moved(
        x: Tensor, s: Tensor, eps: Tensor, n: int, c: float, low: float, high: float, k: float
    ) -> tuple[Tensor, Tensor]:
        hat = raise_(s, gamma(s, n, c, low, high))
        return x + (hat**2 - s**2).sqrt() * k * eps, hat

    return Mutant(hint, moved)


def share(s: Tensor, low: float, high: float, value: float) -> float:
    """A gamma inside the interval, and 0 outside."""
    return value if low <= s <= high else 0.0


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
    where='the three lines in section 7 of this notebook ("Churn: noise that repairs"): '
    "gamma = min(s_churn / num_steps, sqrt(2) - 1) within [s_min, s_max], else 0; sigma_hat = (1 + gamma) sigma; "
    "x_hat = x + sqrt(sigma_hat^2 - sigma^2) s_noise eps (Karras et al. 2022, algorithm 2).",
    outputs=("x_hat", "sigma_hat"),
    library=("samplers.edm",),
    mutants=[
        # the interval; at one end of it before at both
        other_gamma(
            "s_min < sigma: the interval is closed, sigma = s_min is churned too.",
            lambda s, n, c, low, high: gamma(s, n, c, low, high) if s > low else 0.0,
        ),
        other_gamma(
            "sigma < s_max: the interval is closed, sigma = s_max is churned too.",
            lambda s, n, c, low, high: gamma(s, n, c, low, high) if s < high else 0.0,
        ),
        other_gamma(
            "s_min < sigma < s_max: the interval is closed, both its ends are churned too.",
            lambda s, n, c, low, high: gamma(s, n, c, low, high) if low < s < high else 0.0,
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
            "churn at every sigma: outside [s_min, s_max] gamma is 0.",
            lambda s, n, c, low, high: gamma(s, n, c, -math.inf, math.inf),
        ),
        other_gamma(
            "churn outside [s_min, s_max] and none inside: it is the other way round.",
            lambda s, n, c, low, high: 0.0 if low <= s <= high else gamma(s, n, c, -math.inf, math.inf),
        ),
        other_gamma("no churn at all: inside [s_min, s_max] gamma is above 0.", lambda *knobs: 0.0),
        # gamma
        other_gamma(
            "no churn for a small gamma: any gamma above 0 raises the noise.",
            lambda s, n, c, low, high: gamma(s, n, c, low, high) if c / n > 0.09 else 0.0,
        ),
        other_gamma(
            "a gamma without its cap: it is at most sqrt(2) - 1, so that the variance at most doubles.",
            lambda s, n, c, low, high: share(s, low, high, c / n),
        ),
        other_gamma(
            "a gamma of sqrt(2) - 1 whatever s_churn is: that is its cap, gamma is s_churn / num_steps below it.",
            lambda s, n, c, low, high: share(s, low, high, math.sqrt(2) - 1),
        ),
        other_gamma(
            "a cap of sqrt(2): gamma is at most sqrt(2) - 1, so that the variance at most doubles.",
            lambda s, n, c, low, high: share(s, low, high, min(c / n, math.sqrt(2))),
        ),
        other_gamma(
            "a cap of 1, as sqrt(2 - 1) is: the 1 is subtracted after the root.",
            lambda s, n, c, low, high: share(s, low, high, min(c / n, 1)),
        ),
        *(
            other_gamma(
                f"a cap typed as {cap}: take math.sqrt(2) - 1.",
                lambda s, n, c, low, high, cap=cap: share(s, low, high, min(c / n, cap)),
            )
            for cap in (0.41, 0.414, 0.4142)
        ),
        other_gamma(
            "gamma made of the whole s_churn: each of the num_steps steps gets its share, s_churn / num_steps.",
            lambda s, n, c, low, high: gamma(s, 1, c, low, high),
        ),
        other_gamma(
            "s_churn / (num_steps - 1): each of the num_steps steps gets its share, s_churn / num_steps.",
            lambda s, n, c, low, high: gamma(s, n - 1, c, low, high),
        ),
        other_gamma(
            "s_churn / (num_steps + 1): each of the num_steps steps gets its share, s_churn / num_steps.",
            lambda s, n, c, low, high: gamma(s, n + 1, c, low, high),
        ),
        other_gamma(
            "the larger of the two, max: gamma is the smaller one.",
            lambda s, n, c, low, high: share(s, low, high, max(c / n, math.sqrt(2) - 1)),
        ),
        # sigma_hat
        other_sigma("gamma added to sigma: sigma_hat = (1 + gamma) sigma.", lambda s, g: s + g),
        other_sigma("gamma sigma: sigma_hat = (1 + gamma) sigma.", lambda s, g: g * s),
        other_sigma(
            "a sigma_hat below sigma: the noise is raised, (1 + gamma) sigma.", lambda s, g: (1 - g) * s
        ),
        other_sigma(
            "a variance raised by gamma, sqrt(1 + gamma) sigma: sigma_hat = (1 + gamma) sigma.",
            lambda s, g: (1 + g) ** 0.5 * s,
        ),
        Mutant(
            "the old sigma returned: the Heun step that follows must begin at sigma_hat.",
            lambda x, s, eps, n, c, low, high, k: (
                churn(x, s, eps, n, c, low, high, k)[0],
                s.clone(),
            ),
        ),
        # the noise
        other_noise(
            "no noise added: x gets sqrt(sigma_hat^2 - sigma^2) s_noise eps.", lambda x, *rest: x.clone()
        ),
        other_noise(
            "a difference of standard deviations: variances add, so the new noise has the variance sigma_hat^2 - sigma^2.",
            lambda x, s, hat, eps, k: x + (hat - s) * k * eps,
        ),
        other_noise(
            "the root of a difference of standard deviations: under it stand the variances, sigma_hat^2 - sigma^2.",
            lambda x, s, hat, eps, k: x + (hat - s).sqrt() * k * eps,
        ),
        other_noise(
            "a variance used as a standard deviation: take the root of sigma_hat^2 - sigma^2.",
            lambda x, s, hat, eps, k: x + (hat**2 - s**2) * k * eps,
        ),
        other_noise(
            "sigma_hat^2 + sigma^2 under the root: x has sigma already, only the difference is added.",
            lambda x, s, hat, eps, k: x + (hat**2 + s**2).sqrt() * k * eps,
        ),
        other_noise(
            "eps inside the root, report 2's slip: the root is the standard deviation, and eps is multiplied by it.",
            lambda x, s, hat, eps, k: x + (hat**2 - s**2 * eps).sqrt(),
        ),
        other_noise(
            "eps inside the root: the root is the standard deviation, and s_noise eps is multiplied by it.",
            lambda x, s, hat, eps, k: x + ((hat**2 - s**2) * eps).sqrt() * k,
        ),
        other_noise(
            "s_noise and eps inside the root: it is the standard deviation, and s_noise eps is multiplied by it.",
            lambda x, s, hat, eps, k: x + ((hat**2 - s**2) * k * eps).sqrt(),
        ),
        other_noise(
            "s_noise inside the root: it multiplies eps, outside.",
            lambda x, s, hat, eps, k: x + ((hat**2 - s**2) * k).sqrt() * eps,
        ),
        other_noise(
            "s_noise squared: it multiplies eps once.",
            lambda x, s, hat, eps, k: x + (hat**2 - s**2).sqrt() * k**2 * eps,
        ),
        other_noise(
            "a division by s_noise: it multiplies eps.",
            lambda x, s, hat, eps, k: x + (hat**2 - s**2).sqrt() / k * eps,
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
        other_noise(
            "the noise alone: add it to x.",
            lambda x, s, hat, eps, k: (hat**2 - s**2).sqrt() * k * eps,
        ),
    ],
)

CHECKS = [KARRAS_SIGMAS, HEUN_STEP, CHURN]
