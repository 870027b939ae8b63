"""The score from a velocity."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .ch01_slips import in_float32
from .data import Check, Mutant
from .inputs import Draw, column


def score_from_velocity(u: Tensor, z: Tensor, t: Tensor) -> Tensor:
    t = column(t, z)
    return -(z + (1 - t) * u) / t


def formula(hint: str, score: Callable) -> Mutant:
    """A mutant with its own score(u, z, t), t shaped to multiply them."""
    return Mutant(hint, lambda u, z, t: score(u, z, column(t, z)))


def times(d: Draw) -> Iterator[tuple[str, tuple]]:
    """t = 1, the middle, times down to 0.001, one sample, an image, u and z that are equal.

    At smaller times right formulas that subtract differ by rounding.
    """
    t = torch.tensor([1.0, 0.5, 0.999, 0.001, 0.25, 0.01, 0.003], dtype=d.dtype, device=d.device)
    yield "t from 0.001 to 1", (d.normal(7, 2, 3), d.normal(7, 2, 3), t)
    yield "large numbers", (d.wide(7, 4), 100 * d.wide(7, 4), t.flip(0))
    x = d.normal(7, 3)
    yield "u = z", (x, x.clone(), t)
    yield "one image", (d.wide(1, 1, 4, 4), d.wide(1, 1, 4, 4), t[4:5])


SCORE_FROM_VELOCITY = Check(
    id="08-score_from_velocity",
    points=3,
    minutes=10,
    level=2,
    reference=score_from_velocity,
    inputs=lambda d: (d.x(), d.x(), d.uniform(0.15, 0.85, d.B)),
    fixed=times,
    where='(21) in section 7 of this notebook ("Flow matching from zero"): -(z + (1 - t) u) / t, where z + (1 - t) u is the predicted noise.',
    outputs=("score",),
    mutants=[
        # the noise
        formula("x_0 in the place of the noise, z - t u: the score is -eps / t.", lambda u, z, t: -(z - t * u) / t),
        formula("z and (1 - t) u with opposite signs: the noise is z + (1 - t) u, since u = eps - x_0.", lambda u, z, t: -(z - (1 - t) * u) / t),
        formula("z + t u: the noise is z + (1 - t) u.", lambda u, z, t: -(z + t * u) / t),
        formula("(1 - t) z + u, the two swapped: the factor 1 - t belongs to u.", lambda u, z, t: -((1 - t) * z + u) / t),
        formula("(1 - t) z + t u, the two factors of a path: the noise is z + (1 - t) u.", lambda u, z, t: -((1 - t) * z + t * u) / t),
        formula("z + u: the noise is z + (1 - t) u.", lambda u, z, t: -(z + u) / t),
        formula("u in the place of the noise, or Tweedie's formula without its factor 1 - t: the score is -(z + (1 - t) u) / t.", lambda u, z, t: -u / t),
        formula("z in the place of the noise, which is right at t = 1 alone: it is z + (1 - t) u.", lambda u, z, t: -z / t),
        formula("(1 - t) u without z.", lambda u, z, t: -(1 - t) * u / t),
        formula("(1 - t) before both: it is z + (1 - t) u.", lambda u, z, t: -(1 - t) * (z + u) / t),
        formula("1 - t^2 for 1 - t.", lambda u, z, t: -(z + (1 - t**2) * u) / t),
        formula("(1 - t)^2 before u: the factor is 1 - t.", lambda u, z, t: -(z + (1 - t) ** 2 * u) / t),
        formula("sqrt(1 - t^2) for 1 - t, as if the variance were kept.", lambda u, z, t: -(z + (1 - t**2).sqrt() * u) / t),
        formula("-u: the score is -(z + (1 - t) u) / t.", lambda u, z, t: -u),
        # the division
        formula("no 1 / t: the noise in z has the standard deviation t.", lambda u, z, t: -(z + (1 - t) * u)),
        formula("1 / t^2: the score is -eps / t.", lambda u, z, t: -(z + (1 - t) * u) / t**2),
        formula("a multiplication by t: divide by it.", lambda u, z, t: -(z + (1 - t) * u) * t),
        formula("a division by 1 - t: noise is at t = 1, and has the standard deviation t.", lambda u, z, t: -(z + (1 - t) * u) / (1 - t)),
        formula("a division by (1 - t)^2: noise is at t = 1, and the score is -eps / t.", lambda u, z, t: -(z + (1 - t) * u) / (1 - t) ** 2),
        formula("a division by sqrt(t): the noise in z has the standard deviation t.", lambda u, z, t: -(z + (1 - t) * u) / t.sqrt()),
        formula("a division by 2 t: it is t.", lambda u, z, t: -(z + (1 - t) * u) / (2 * t)),
        formula("Tweedie's formula over sigma^2 = (t / (1 - t))^2: the noise in z has the variance t^2.", lambda u, z, t: ((1 - t) * (z - t * u) - z) / (t / (1 - t)) ** 2),
        formula("z + (1 - t) u / t, a missing pair of brackets: all of it is divided by t.", lambda u, z, t: -(z + (1 - t) * u / t)),
        formula("-z + (1 - t) u / t, missing brackets: all of z + (1 - t) u is divided by t, and has the minus.", lambda u, z, t: -z + (1 - t) * u / t),
        formula("a division by sigma = t / (1 - t): the noise in z has the standard deviation t.", lambda u, z, t: -(z + (1 - t) * u) / (t / (1 - t).clamp(min=1e-9))),
        formula("z / t + (1 - t) u, a missing pair of brackets: all of it is divided by t.", lambda u, z, t: -(z / t + (1 - t) * u)),
        # sign and direction
        formula("the sign turned: the score points against the noise.", lambda u, z, t: (z + (1 - t) * u) / t),
        formula(
            "time the other way round, with noise at t = 0: here noise is at 1.",
            lambda u, z, t: -(z - t * u) / (1 - t),
        ),
        formula(
            "time the other way round, and the velocity not: here noise is at 1.",
            lambda u, z, t: -(z + t * u) / (1 - t),
        ),
        formula("t - 1 for 1 - t, and the minus left out.", lambda u, z, t: (z + (t - 1) * u) / t),
        # other answers
        formula("the noise, z + (1 - t) u: the score is that divided by -t.", lambda u, z, t: z + (1 - t) * u),
        formula("the guess of x_0, z - t u: the score is -(z + (1 - t) u) / t.", lambda u, z, t: z - t * u),
        formula("one time for the whole batch, the mean: each sample has its own.", lambda u, z, t: -(z + (1 - t.mean()) * u) / t.mean()),
        *(
            formula(
                f"time the other way round, with {c:g} added below: here noise is at 1, and t is never 0.",
                lambda u, z, t, c=c: -(z - t * u) / (1 - t + c),
            )
            for c in (1e-3, 1e-4, 1e-5, 1e-6, 1e-8)
        ),
        formula("one time for the whole batch, the first: each sample has its own.", lambda u, z, t: -(z + (1 - t[:1]) * u) / t[:1]),
        *(
            formula(f"t cut off below {c:g}: at small times it counts.", lambda u, z, t, c=c: -(z + (1 - t) * u) / t.clamp(min=c))
            for c in (1e-2, 0.05, 0.1)
        ),
        *(
            formula(f"{c:g} added to t below: at small times it counts.", lambda u, z, t, c=c: -(z + (1 - t) * u) / (t + c))
            for c in (1e-3, 1e-4, 1e-5, 1e-6)
        ),
        *(
            formula(f"t cut off at {low:g} and {high:g}: take it as it is.", lambda u, z, t, low=low, high=high: score_from_velocity(u, z, t.clamp(low, high)))
            for c in (1e-3, 1e-2, 0.05, 0.1)
            for low, high in ((0, 1 - c), (c, 1), (c, 1 - c))
            if low != 1e-3  # no time of the cases is below
        ),
        in_float32(score_from_velocity),
    ],
)  # fmt: skip
