"""The Karras grid."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

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
    for rho in (1, 3, 7, 20.0, 1e4):
        yield f"rho = {rho}", (12, 0.002, 80.0, rho)
    yield "other ends", (10, 0.03, 14, 7)
    yield "a large first sigma", (10, 0.002, 1000.0, 7.0)
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
        # two at once, and other bounds
        grid_slip(
            "two mistakes: i / n for i / (n - 1), and no 0 at the end.",
            lambda n, low, high, rho: powers(torch.arange(n, dtype=torch.float64) / n, low, high, rho),
        ),
        grid_slip(
            "sigmas cut off at 0.002 and 80, whatever sigma_min and sigma_max are.",
            lambda n, low, high, rho: ended(powers(ramp(n), low, high, rho).clamp(0.002, 80.0)),
        ),
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
