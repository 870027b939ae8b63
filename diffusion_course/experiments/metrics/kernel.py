"""The kernel distance KID: a distance of features without Gaussians, and without bias."""

import torch
from torch import Tensor

from ...errors import check_integer
from .checks import check_features
from .error_bars import scatter

ROWS = 1000  # of a kernel matrix that are in memory at once


def kid(a: Tensor, b: Tensor) -> float:
    """Unbiased squared maximum mean discrepancy of features (N, d), (M, d) (Binkowski et al. 2018; Gretton et al. 2012, eq. 3).

    The kernel is (x . y / d + 1)^3. Its mean over samples is the true value for every N and M, so it may be negative, where
    the truth is near 0, and numbers of different N compare. Raises CourseError unless both are floating point, finite, within ±1e20,
    of one d, and N, M >= 2.
    """
    check_features(("a", "b"), a, b, least=2)
    return _Sums(a, b, torch.zeros(len(a)).long(), torch.zeros(len(b)).long(), groups=1).value()


def kid_with_error(a: Tensor, b: Tensor, groups: int = 10, seed: int = 0) -> tuple[float, float]:
    """`kid`, and its standard error by the jackknife: each group of a is left out once, then each group of b.

    The two samples are taken as independent, so their variances add. Raises CourseError as `kid` does, and unless
    2 <= groups < N, M, so that two of each are left.
    """
    check_features(("a", "b"), a, b, least=3)
    check_integer(
        "groups", groups, 2, min(len(a), len(b)) - 1, ", one less than the smaller number of features"
    )
    generator = torch.Generator().manual_seed(seed)
    group_a, group_b = (torch.randperm(len(x), generator=generator) % groups for x in (a, b))
    sums = _Sums(a, b, group_a, group_b, groups)
    left = [[sums.value(**{side: g}) for g in range(groups)] for side in ("without_a", "without_b")]
    variance = sum(scatter(torch.tensor(values, dtype=torch.float64)) ** 2 for values in left)
    return sums.value(), variance**0.5


class _Sums:
    """Sums of the kernel over pairs of groups: all that the estimate, with or without a group, is made of."""

    def __init__(self, a: Tensor, b: Tensor, group_a: Tensor, group_b: Tensor, groups: int):
        a, b = a.double(), b.double()
        one_a, one_b = (torch.eye(groups, dtype=torch.float64)[g].to(a.device) for g in (group_a, group_b))
        self.aa = _pairs(a, a, one_a, one_a) - torch.diag(_alone(a) @ one_a)
        self.bb = _pairs(b, b, one_b, one_b) - torch.diag(_alone(b) @ one_b)
        self.ab = _pairs(a, b, one_a, one_b)
        self.size_a, self.size_b = one_a.sum(0), one_b.sum(0)

    def value(self, without_a: int | None = None, without_b: int | None = None) -> float:
        keep_a, keep_b = _keep(self.size_a, without_a), _keep(self.size_b, without_b)
        n, m = (self.size_a * keep_a).sum(), (self.size_b * keep_b).sum()
        within = keep_a @ self.aa @ keep_a / (n * (n - 1)) + keep_b @ self.bb @ keep_b / (m * (m - 1))
        return (within - 2 * keep_a @ self.ab @ keep_b / (n * m)).item()


def _keep(sizes: Tensor, without: int | None) -> Tensor:
    keep = torch.ones_like(sizes)
    if without is not None:
        keep[without] = 0
    return keep


def _kernel(products: Tensor, dims: int) -> Tensor:
    return (products / dims + 1) ** 3


def _alone(x: Tensor) -> Tensor:
    """The kernel of each feature with itself, which the unbiased estimate leaves out: (N,)."""
    return _kernel((x * x).sum(1), x.shape[1])


def _pairs(x: Tensor, y: Tensor, one_x: Tensor, one_y: Tensor) -> Tensor:
    """(G, G): the kernel summed over the pairs of a group of x and a group of y; one_x (N, G), one_y (M, G): 1 in its group."""
    total = torch.zeros(one_x.shape[1], one_y.shape[1], dtype=torch.float64, device=x.device)
    for rows, ones in zip(x.split(ROWS), one_x.split(ROWS), strict=True):
        total += ones.T @ (_kernel(rows @ y.T, x.shape[1]) @ one_y)
    return total
