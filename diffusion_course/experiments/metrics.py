"""Numbers that judge samples, with their error bars."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..errors import CourseError, check_integer, check_number
from ..nets.classifier import Classifier


def count_recognised(judge: nn.Module, images: Tensor, labels: Tensor, batch: int = 500) -> int:
    """How many of the images (N, C, H, W) the judge gives their label (N,). Raises CourseError as `recognised` does."""
    return int(recognised(judge, images, labels, batch).sum())


@torch.no_grad()
def recognised(judge: nn.Module, images: Tensor, labels: Tensor, batch: int = 500) -> Tensor:
    """Which of the images (N, C, H, W) the judge gives their label (N,): (N,), booleans.

    Raises CourseError for NaN or infinity, of which a judge recognises some class too, and for labels of another number.
    """
    if labels.shape != (len(images),):
        raise CourseError(f"labels: got shape {tuple(labels.shape)}, want ({len(images)},), one per image")
    _check_finite("images", images)
    parts = zip(images.split(batch), labels.split(batch), strict=True)
    return torch.cat([judge(x.float()).argmax(1) == y for x, y in parts])


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


@torch.no_grad()
def features(judge: Classifier, images: Tensor, batch: int = 500) -> Tensor:
    """What the judge sees in images (N, C, H, W) before it decides: (N, d), float64, on the CPU.

    Raises CourseError for no image, NaN or infinity.
    """
    if len(images) == 0:
        raise CourseError(f"images: got shape {tuple(images.shape)}, want at least one")
    _check_finite("images", images)
    return torch.cat([judge.features(x.float()).double().cpu() for x in images.split(batch)])


def frechet(a: Tensor, b: Tensor) -> float:
    """Frechet distance of two Gaussians fitted to features (N, d) and (M, d), >= 0 (Heusel et al. 2017, eq. 6).

    ||mean_a - mean_b||^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2)). With Inception's features this number is called FID; with
    another network's features it is on another scale. It is biased: it falls as N grows, so compare at equal N.
    Raises CourseError unless both are finite, (N, d) with one d, and N >= 2.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise CourseError(
            f"a, b: got shapes {tuple(a.shape)}, {tuple(b.shape)}, want (N, d), (M, d), N, M >= 2"
        )
    _check_finite("a", a)
    _check_finite("b", b)
    a, b = a.double(), b.double()
    S_a, S_b = torch.cov(a.T).reshape(a.shape[1], -1), torch.cov(b.T).reshape(b.shape[1], -1)
    # tr (S_a S_b)^(1/2) from the symmetric matrix with the same eigenvalues: no root of a non-symmetric matrix.
    values, vectors = torch.linalg.eigh(S_a)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ S_b @ root).clamp(min=0).sqrt().sum()
    distance = (a.mean(0) - b.mean(0)).square().sum() + S_a.trace() + S_b.trace() - 2 * cross
    return max(0.0, distance.item())


def precision_recall(real: Tensor, made: Tensor, k: int = 3) -> tuple[float, float]:
    """The share of samples that look real, and the share of reality that is sampled (Kynkaanniemi et al. 2019, eq. 1-3).

    real: (N, d), made: (M, d), features, best with N = M. A point belongs to a set when it lies within the distance from one
    of its points to that point's k-th neighbour. Raises CourseError unless both are finite, of one d, and k < N and k < M.
    """
    if real.ndim != 2 or made.ndim != 2 or real.shape[1] != made.shape[1]:
        raise CourseError(
            f"real, made: got shapes {tuple(real.shape)}, {tuple(made.shape)}, want (N, d), (M, d)"
        )
    _check_finite("real", real)
    _check_finite("made", made)
    check_integer("k", k, 1)
    if k >= min(len(real), len(made)):
        raise CourseError(
            f"k: got {k}, want 1 <= k < {min(len(real), len(made))}, the smaller number of points"
        )
    return _covered(real, made, k), _covered(made, real, k)


def _covered(by: Tensor, points: Tensor, k: int) -> float:
    """The share of points inside the union of balls around `by`, each as wide as its k-th neighbour is far."""
    radius = torch.cdist(by, by).kthvalue(k + 1, dim=1).values  # the nearest point is the point itself
    return (torch.cdist(points, by) <= radius).any(1).double().mean().item()


def jackknife(statistic: Callable[[Tensor], float], n: int, groups: int = 10, seed: int = 0) -> float:
    """Standard error of statistic(rows), where rows picks some of n samples: by leaving out each group once.

    It also fits statistics, such as the Frechet distance, that a bootstrap would bias by its repeated samples.
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


def _check_finite(name: str, values: Tensor) -> None:
    if not bool(torch.isfinite(values).all()):
        raise CourseError(f"{name}: hold NaN or infinity; look at what made them")
