"""A design: which standard deviation latents should have, for three schedules of twenty evaluations."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ...errors import CourseError
from ...experiments import latent_stds
from .data import Check, Mutant

MARKS = ((2, 0.0075), (4, 0.0052), (6, 0.0042))


def best_stds(n: int) -> Tensor:
    return torch.tensor([1.35, 1.07, 0.56], dtype=torch.float64)


def distances(stds: Tensor, n: int) -> list[float]:
    """The distance of each schedule. Raises CourseError, in words, for what is no standard deviation."""
    for name, k in zip(latent_stds.SCHEDULES, stds.tolist(), strict=True):
        if not 0 < k < math.inf:
            raise CourseError(f"the standard deviation for the {name} schedule is {k:.6g}, want a number > 0")
    return [
        latent_stds.distance(k, name, n) for name, k in zip(latent_stds.SCHEDULES, stds.tolist(), strict=True)
    ]


def mean_distance(stds: Tensor, n: int) -> float:
    """The geometric mean of the three distances."""
    return math.prod(distances(stds, n)) ** (1 / 3)


def lost(stds: Tensor, n: int) -> str:
    """The three distances, and which way the worst of them should move; "" for full marks."""
    found = distances(stds, n)
    if mean_distance(stds, n) <= MARKS[-1][1]:
        return ""
    told = ", ".join(f"{name} {d:.3g}" for name, d in zip(latent_stds.SCHEDULES, found, strict=True))
    return f"The distances are: {told}. Scan k for each schedule alone, in a cell of your own."


def stds(hint: str, numbers: Sequence[float]) -> Mutant:
    return Mutant(hint, lambda n: torch.tensor(numbers, dtype=torch.float64))


BEST_STDS = Check(
    id="12-best_stds",
    points=6,
    minutes=20,
    level=2,
    reference=best_stds,
    inputs=lambda d: (latent_stds.EVALUATIONS,),
    where='section 3 of this notebook ("The scale of latents"): latents k z under noise sigma are k times z under noise sigma / k, so that k '
    "moves all noise levels of a schedule by one factor; latent_stds.distance(k, schedule) says what comes of it.",
    outputs=("stds",),
    score=mean_distance,
    scored="the mean distance to the exact answer",
    digits=3,
    missed=lost,
    marks=MARKS,
    mutants=[
        stds("unit variance for all three: none of them is at its best there.", [1.0, 1.0, 1.0]),
        stds("the standard deviation of the latents as they come: k is what they have after scaling.", [0.81, 0.81, 0.81]),
        stds("one over the standard deviation of the latents: k is what they have after scaling.", [1.2346, 1.2346, 1.2346]),
        stds("one over the variance: k is what they have after scaling.", [1.524, 1.524, 1.524]),
        stds("0.18215, the factor of Stable Diffusion's own latents: k is what they have after scaling.", [0.18215] * 3),
        stds("0.5, EDM's sigma_data for pixels.", [0.5, 0.5, 0.5]),
        stds("the three numbers in the opposite order: Stable Diffusion, linear, cosine.", [0.56, 1.07, 1.35]),
        stds("the best for Stable Diffusion's schedule in all three places.", [1.35, 1.35, 1.35]),
        stds("the best for the cosine schedule in all three places.", [0.56, 0.56, 0.56]),
        stds("very wide latents: at the first noise level they are still seen, and sampling begins with noise alone.", [10.0, 10.0, 10.0]),
        stds("very narrow latents: the last step begins where much noise is left.", [0.05, 0.05, 0.05]),
        stds("logarithms of k: return k itself.", [0.3, 0.0677, -0.58]),
        stds("scales, k over the standard deviation of the latents: return k.", [1.667, 1.321, 0.691]),
    ],
)  # fmt: skip
