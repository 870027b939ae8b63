"""The sigmoid schedule."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .data import Check, Mutant
from .inputs import Draw
from .slips import argument_slip, result_slip


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
    yield "u that are not evenly spaced", (d.ladder(0, 1, 20) ** 2, 1e-4, 0.02, 6.0)


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
        # the ends
        ramp_slip(
            "a softmax, which divides by a sum over all steps: use the sigmoid of each.",
            lambda u, z: z.softmax(0),
        ),
        Mutant(
            "beta_min + beta_max - beta_min sigmoid(z): brackets around the difference beta_max - beta_min are missing.",
            lambda u, low, high, k: low + high - low * (k * (2 * u - 1)).sigmoid(),
        ),
        *(
            sigmoid_slip(
                f"z cut off at -{most} and {most}: z runs from -steepness to +steepness.",
                lambda u, k, most=most: (k * (2 * u - 1)).clamp(-most, most),
            )
            for most in (5, 6, 8, 10)
        ),
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
