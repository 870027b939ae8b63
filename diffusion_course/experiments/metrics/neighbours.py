"""Fidelity and variety, told apart by nearest neighbours: precision and recall, density and coverage."""

import torch
from torch import Tensor

from ...errors import CourseError, check_integer
from .checks import check_features

ROWS = 1000  # of a matrix of distances that are in memory at once
ROUNDING = (
    1e-9  # relative, of distances: far more than `cdist` is off by, far less than two neighbours differ by
)


def precision_recall(real: Tensor, made: Tensor, k: int = 3) -> tuple[float, float]:
    """The share of samples that look real, and the share of reality that is sampled (Kynkaanniemi et al. 2019, eq. 1-3).

    real: (N, d), made: (M, d), features, best with N = M. A point belongs to a set when it lies within the distance from one
    of its points to that point's k-th neighbour. Moved by one vector or scaled together, both sets give the same.
    Raises CourseError unless both are floating point, finite, within ±1e20, of one d, and k < N and k < M.
    """
    real, made = _checked(real, made, k, min(len(real), len(made)), "the smaller number of points")
    return _share_inside(real, made, k), _share_inside(made, real, k)


def density_coverage(real: Tensor, made: Tensor, k: int = 5) -> tuple[float, float]:
    """How dense reality is where the samples are, and the share of reality near which there is a sample (Naeem et al. 2020, eq. 3, 4).

    Balls are drawn around real points only, so an odd sample makes nothing real: density is the mean number of balls around
    a sample, divided by k (1 is expected of perfect samples; it may exceed 1), coverage the share of balls with a sample inside.
    Arguments and errors as of `precision_recall`; made may be of any number >= 1.
    """
    real, made = _checked(real, made, k, len(real), "the number of real points")
    radius = _radius(real, k)
    inside = torch.zeros(len(real), dtype=torch.float64, device=real.device)
    for some in made.split(ROWS):
        inside += (torch.cdist(some, real) <= radius).sum(0)
    return inside.sum().item() / (k * len(made)), (inside > 0).double().mean().item()


def _checked(real: Tensor, made: Tensor, k: int, below: int, which: str) -> tuple[Tensor, Tensor]:
    """Both in float64, about the middle of the real points, or CourseError."""
    check_features(("real", "made"), real, made)
    check_integer("k", k, 1)
    if k >= below:
        raise CourseError(f"k: got {k}, want 1 <= k < {below}, {which}")
    # `cdist` takes |x|^2 - 2 x y + |y|^2, whose digits cancel far from 0. The median is one of the values, so that whole
    # numbers stay whole and their ties ties, and a few odd points do not move it as they would a mean.
    real, made = real.double(), made.double()
    middle = real.median(0).values
    return real - middle, made - middle


def _radius(points: Tensor, k: int) -> Tensor:
    """The distance of each point to its k-th neighbour: (N,). What is as far is inside, so rounding must not put it out."""
    # The nearest of all is the point itself.
    found = [torch.cdist(some, points).kthvalue(k + 1, dim=1).values for some in points.split(ROWS)]
    return torch.cat(found) * (1 + ROUNDING)


def _share_inside(by: Tensor, points: Tensor, k: int) -> float:
    """The share of points inside the union of balls around `by`, each as wide as its k-th neighbour is far."""
    radius = _radius(by, k)
    inside = [(torch.cdist(some, by) <= radius).any(1) for some in points.split(ROWS)]
    return torch.cat(inside).double().mean().item()
