"""Chapter 10: other right answers, the same quantities from the library, and what the hints say of two mistakes."""

import math

import numpy as np
import pytest
import torch

from diffusion_course.classroom.checks import CHECKS, CheckFailed, examine
from diffusion_course.experiments import metrics


def frechet_by_eigvals(mean_a, cov_a, mean_b, cov_b):
    eigenvalues = torch.linalg.eigvals(cov_a @ cov_b).real.clamp(min=0)
    return torch.dist(mean_a, mean_b) ** 2 + torch.trace(cov_a + cov_b) - 2 * eigenvalues.sqrt().sum()


def frechet_by_singular_values(mean_a, cov_a, mean_b, cov_b):
    """tr (S_a S_b)^(1/2) is the nuclear norm of F_a^T F_b, with any roots F; S_a may be singular."""
    values, vectors = torch.linalg.eigh(cov_a)
    factor = vectors * values.clamp(min=0).sqrt()
    nuclear = torch.linalg.matrix_norm(factor.mT @ torch.linalg.cholesky(cov_b), "nuc")
    shift = mean_b - mean_a
    return shift @ shift + torch.einsum("ii", cov_a) + torch.einsum("ii", cov_b) - 2 * nuclear


def frechet_by_symmetric_roots(mean_a, cov_a, mean_b, cov_b):
    """||mean||^2 + tr(S_a + S_b - 2 (S_a^(1/2) S_b S_a^(1/2))^(1/2)), with both roots, through numpy."""

    def root(S):
        values, vectors = np.linalg.eigh(S)
        return vectors @ np.diag(np.sqrt(np.maximum(values, 0))) @ vectors.T

    a, b = cov_a.double().numpy(), cov_b.double().numpy()
    half = root(a)
    squared = ((mean_a - mean_b).double().numpy() ** 2).sum()
    return torch.tensor(squared + np.trace(a + b - 2 * root(half @ b @ half)), dtype=cov_a.dtype)


def kid_by_masks(a, b):
    def k(x, y):
        return (torch.einsum("id,jd->ij", x, y) / x.shape[-1] + 1).pow(3)

    others = [~torch.eye(len(x), dtype=torch.bool, device=x.device) for x in (a, b)]
    return k(a, a)[others[0]].mean() + k(b, b)[others[1]].mean() - 2 * k(a, b).mean()


def kid_pair_by_pair(a, b):
    d = a.shape[1]

    def k(x, y):
        return ((x * y).sum() / d + 1) ** 3

    aa = sum(k(a[i], a[j]) for i in range(len(a)) for j in range(i)) / math.comb(len(a), 2)
    bb = sum(k(b[i], b[j]) for i in range(len(b)) for j in range(i)) / math.comb(len(b), 2)
    return aa + bb - 2 * sum(k(x, y) for x in a for y in b) / (len(a) * len(b))


def kid_by_one_matrix(a, b):
    """One kernel matrix of all, with weights that add up to 0 by rows of blocks."""
    both, n, m = torch.cat([a, b]), len(a), len(b)
    K = (both @ both.T / both.shape[1] + 1) ** 3
    K = K - K.diag().diag()
    w = torch.cat([a.new_full((n,), 1.0), a.new_zeros(m)])
    v = 1 - w
    return w @ K @ w / (n * n - n) + v @ K @ v / (m * m - m) - 2 * (w @ K @ v) / (n * m)


def paired_by_a_loop(a, b, mean, cov, group, reach):
    def moments(x):
        centred = x - x.mean(dim=0, keepdim=True)
        return x.mean(0), centred.T @ centred / (x.shape[0] - 1)

    def minus(x, y):
        return frechet_by_eigvals(*moments(x), mean, cov) - frechet_by_eigvals(*moments(y), mean, cov)

    whole, theta = minus(a, b), []
    for g in group.unique():
        rows = (group != g).nonzero()[:, 0]
        theta.append(minus(a[rows], b.index_select(0, rows)))
    theta = torch.stack(theta)
    error = math.sqrt(len(theta) - 1) * theta.std(correction=0)
    half = reach * error
    return [whole, whole - half, whole + half]


def paired_by_two_jackknives(a, b, mean, cov, group, reach):
    """The values of both without each group, apart, and their difference at the end."""
    G = len(set(group.tolist()))
    tables = []
    for x in (a, b):
        sets = [x, *(x[group != g] for g in range(G))]
        tables.append(
            torch.stack(
                [
                    frechet_by_singular_values(s.mean(0), torch.atleast_2d(torch.cov(s.T)), mean, cov)
                    for s in sets
                ]
            )
        )
    d = tables[0] - tables[1]
    error = torch.sqrt((G - 1) / G * torch.sum((d[1:] - torch.mean(d[1:])) ** 2))
    return d[0], d[0] - error * reach, d[0] + error * reach


def paired_by_the_library(a, b, mean, cov, group, reach):
    real = metrics.Gaussian(mean, cov)

    def distance(x):
        moments = metrics.Moments(x.shape[1])
        moments.add(x)
        return metrics.frechet_distance(moments.gaussian(), real)

    def difference(kept):
        return distance(a[kept]) - distance(b[kept])

    rest = torch.tensor([difference(group != g) for g in group.unique()], dtype=torch.float64)
    value, half = difference(group >= 0), reach * metrics.scatter(rest)
    return tuple(torch.tensor(v, dtype=torch.float64) for v in (value, value - half, value + half))


def needed_by_counts(marks_a, marks_b, level, power):
    """From the four counts of a table of two by two."""
    n = len(marks_a)
    only_a = ((marks_a == 1) & (marks_b == 0)).sum().item()
    only_b = ((marks_a == 0) & (marks_b == 1)).sum().item()
    delta = (only_a - only_b) / n
    s2 = (only_a + only_b) / n - delta**2
    normal = torch.distributions.Normal(torch.tensor(0.0).double(), torch.tensor(1.0).double())
    z = [normal.icdf(torch.tensor(q, dtype=torch.float64)).item() for q in (1 - level / 2, power)]
    return torch.tensor(math.ceil(sum(z) ** 2 * s2 / delta**2))


def needed_by_scipy(marks_a, marks_b, level, power):
    from scipy.stats import norm

    d = (marks_a - marks_b).numpy()
    n = (norm.isf(level / 2) + norm.ppf(power)) ** 2 * d.var() / d.mean() ** 2
    return torch.tensor(int(np.ceil(n)), dtype=torch.int64)


def needed_by_shares(marks_a, marks_b, level, power):
    """The variance by its parts: p_a (1 - p_a) + p_b (1 - p_b) - 2 Cov."""
    p, q, both = marks_a.mean(), marks_b.mean(), (marks_a * marks_b).mean()
    variance = p * (1 - p) + q * (1 - q) - 2 * (both - p * q)
    z = torch.special.ndtri(torch.tensor([1 - level / 2, power], dtype=torch.float64))
    return torch.ceil(z.sum().square() * variance / (p - q).square()).to(torch.int64)


@pytest.mark.parametrize(
    ("exercise", "answer", "words"),
    [
        ("10-needed_samples", lambda *args: math.ceil(needed_by_shares(*args)), "a Python number"),
        ("10-needed_samples", lambda *args: needed_by_shares(*args).double(), "dtype float64, want int64"),
        ("10-frechet_distance", lambda *args: frechet_by_eigvals(*args).item(), "a Python number"),
        ("10-kid", lambda a, b: kid_by_masks(a, b)[None], "shape \\(1,\\), want \\(\\)"),
        ("10-kid", lambda a, b: kid_by_masks(a.mul_(2), b), "changed its argument a in place"),
        ("10-paired_difference", lambda *args: paired_by_a_loop(*args)[0], "want a tuple"),
        (
            "10-paired_difference",
            lambda a, b, m, c, g, r: paired_by_a_loop(a, b, m, c, g, r * 1.5),
            "The difference is right, its ends are not",
        ),
    ],
)
def test_what_is_no_number_of_the_right_kind_is_told(exercise, answer, words):
    with pytest.raises(CheckFailed, match=words):
        examine(CHECKS[exercise], answer)


def test_no_case_of_needed_samples_is_within_rounding_of_a_whole_number():
    """Else another order of operations would be another answer."""
    from diffusion_course.classroom.checks.ch10_needed import needed
    from diffusion_course.classroom.checks.engine import cases

    for seed in range(30):
        for args in cases(CHECKS["10-needed_samples"], seed):
            raw = needed(*args, whole=lambda n: n * 1e6)
            assert 1 < int(raw) % 10**6 < 10**6 - 1


ALTERNATIVES = {
    "10-frechet_distance": [frechet_by_eigvals, frechet_by_singular_values, frechet_by_symmetric_roots],
    "10-kid": [kid_by_masks, kid_pair_by_pair, kid_by_one_matrix],
    "10-paired_difference": [paired_by_a_loop, paired_by_two_jackknives],
    "10-needed_samples": [needed_by_counts, needed_by_scipy, needed_by_shares],
}

LIBRARY = {
    "10-frechet_distance": lambda m, a, n, b: torch.tensor(
        metrics.frechet_distance(metrics.Gaussian(m, a), metrics.Gaussian(n, b)), dtype=torch.float64
    ),
    "10-kid": lambda a, b: torch.tensor(metrics.kid(a, b), dtype=torch.float64),
    "10-paired_difference": paired_by_the_library,
    "10-needed_samples": needed_by_counts,  # the library has no function for it
}
