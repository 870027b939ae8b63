"""How far a number may be off by the chance of the samples: Wilson's interval of a share, the jackknife of all else."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ...errors import CourseError, check_integer, check_number


def wilson(successes: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson score interval of a share, default 95 % (Wilson 1927). Returns (low, high) in 0..1.

    Raises CourseError unless 0 <= successes <= n, n >= 1 and z > 0.
    """
    check_number("z", z, lambda v: 0 < v < math.inf, "> 0")
    if n < 1 or not 0 <= successes <= n:
        raise CourseError(f"successes, n: got {successes}, {n}, want 0 <= successes <= n, n >= 1")
    p = successes / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def jackknife(statistic: Callable[[Tensor], float], n: int, groups: int = 10, seed: int = 0) -> float:
    """Standard error of statistic(rows), where rows picks some of n samples: by leaving out each group once.

    It also fits statistics, such as the Fréchet distance, that a bootstrap would bias by its repeated samples.
    Raises CourseError unless 2 <= groups <= n, so that each group holds a sample, and where the statistic is not finite.
    """
    return scatter(leave_out(statistic, n, groups, seed))


def leave_out(statistic: Callable[[Tensor], float], n: int, groups: int = 10, seed: int = 0) -> Tensor:
    """statistic(rows) of n samples without one group of them, for each group in turn: (groups,), float64.

    The groups depend on n and the seed only, so two sets of n samples made from the same noise lose the same part of it.
    Raises CourseError as `jackknife` does.
    """
    check_integer("n", n, 2)
    check_integer("groups", groups, 2, n, ", the number of samples")
    group = torch.randperm(n, generator=torch.Generator().manual_seed(seed)) % groups
    values = [statistic((group != g).nonzero()[:, 0]) for g in range(groups)]
    theta = torch.tensor(values, dtype=torch.float64)
    if not bool(theta.isfinite().all()):
        raise CourseError(f"statistic: got {theta.tolist()} without one group each, want finite numbers")
    return theta


def scatter(left_out: Tensor) -> float:
    """The standard error that the values of `leave_out` (G,) tell: the delete-a-group jackknife (Wolter 2007, chapter 4).

    sqrt((G - 1) / G * sum (theta_g - mean theta)^2).
    """
    groups = len(left_out)
    return ((groups - 1) / groups * (left_out - left_out.mean()).square().sum()).sqrt().item()
