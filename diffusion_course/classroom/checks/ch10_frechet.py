"""The Fréchet distance of two Gaussians, from their moments."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .data import Check, Mutant
from .inputs import Draw
from .slips import result_slip

TAKEN_APART = "it is |mean_a - mean_b|^2 + tr S_a + tr S_b - 2 tr (S_a S_b)^(1/2)"


def frechet_distance(mean_a: Tensor, cov_a: Tensor, mean_b: Tensor, cov_b: Tensor) -> Tensor:
    return apart(mean_a, mean_b) + cov_a.trace() + cov_b.trace() - 2 * cross(cov_a, cov_b)


def apart(mean_a: Tensor, mean_b: Tensor) -> Tensor:
    return (mean_a - mean_b).square().sum()


def cross(cov_a: Tensor, cov_b: Tensor) -> Tensor:
    """tr (S_a S_b)^(1/2): the product has the eigenvalues of the symmetric L^T S_a L, for S_b = L L^T."""
    factor = root(cov_b)
    return roots(torch.linalg.eigvalsh(factor @ cov_a @ factor))


def root(cov: Tensor) -> Tensor:
    """The symmetric square root."""
    values, vectors = torch.linalg.eigh(cov)
    return vectors * values.clamp(min=0).sqrt()[..., None, :] @ vectors.mT


def roots(values: Tensor) -> Tensor:
    return values.clamp(min=0).sqrt().sum()


def crossed(hint: str, other: Callable) -> Mutant:
    """A mutant that has other(S_a, S_b) for the trace of the root."""

    def distance(mean_a: Tensor, cov_a: Tensor, mean_b: Tensor, cov_b: Tensor) -> Tensor:
        return apart(mean_a, mean_b) + cov_a.trace() + cov_b.trace() - 2 * other(cov_a, cov_b)

    return Mutant(hint, distance)


def of_means(hint: str, other: Callable[[Tensor], Tensor]) -> Mutant:
    """A mutant that has other(mean_a - mean_b) for its squared norm."""

    def distance(mean_a: Tensor, cov_a: Tensor, mean_b: Tensor, cov_b: Tensor) -> Tensor:
        spread = frechet_distance(mean_a, cov_a, mean_a, cov_b)
        return other(mean_a - mean_b) + spread

    return Mutant(hint, distance)


def parts(hint: str, other: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> Mutant:
    """A mutant that adds its parts otherwise: other(|mean_a - mean_b|^2, tr S_a, tr S_b, tr (S_a S_b)^(1/2))."""

    def distance(mean_a: Tensor, cov_a: Tensor, mean_b: Tensor, cov_b: Tensor) -> Tensor:
        return other(apart(mean_a, mean_b), cov_a.trace(), cov_b.trace(), cross(cov_a, cov_b))

    return Mutant(hint, distance)


def covariance(d: Draw, size: int, least: float = 0.3) -> Tensor:
    """A covariance whose eigenvalues are `least` at least."""
    factor = d.normal(size, size)
    return factor @ factor.T / size + least * torch.eye(size).to(factor)


def gaussians(d: Draw, size: int) -> tuple:
    return d.normal(size), covariance(d, size), d.normal(size), covariance(d, size)


def known(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Gaussians of which the distance can be told by hand, and features as a judge makes them."""
    one = torch.eye(1).to(d.normal(1))
    yield "one dimension", (0.5 * one[0], 0.01 * one, 0.51 * one[0], 0.0225 * one)
    mean, cov = d.normal(4), covariance(d, 4)
    yield "the same Gaussian twice", (mean, cov, mean.clone(), cov.clone())
    yield "the same spread, other means", (mean, cov, mean + d.normal(4), cov.clone())
    yield "the same mean, other spreads", (mean, cov, mean.clone(), covariance(d, 4))
    yield "spreads along the same axes", (mean, cov, d.normal(4), 2 * cov @ cov)
    yield "wide spreads far from 0", (100 + mean, 90 * cov, 100 + d.normal(4), 40 * covariance(d, 4))
    yield (
        "in the thousands",
        (
            2000 * d.normal(3),
            4e6 * covariance(d, 3),
            3000 * d.normal(3),
            1e6 * covariance(d, 3),
        ),
    )
    few = d.normal(4, 30)
    few = few - few.mean(0)
    yield (
        "a is singular, as of four samples",
        (40 * d.normal(30), few.T @ few / 3, 40 * d.normal(30), covariance(d, 30)),
    )
    decay = torch.diag(d.ladder(0, -6, 60).exp())
    turn = torch.linalg.qr(d.normal(60, 60))[0]
    yield (
        "60 dimensions, most of them of little spread",
        (
            d.normal(60),
            decay @ covariance(d, 60) @ decay,
            d.normal(60),
            turn @ decay @ turn.T,
        ),
    )


FRECHET_DISTANCE = Check(
    id="10-frechet_distance",
    points=4,
    minutes=20,
    level=2,
    reference=frechet_distance,
    inputs=lambda d: gaussians(d, d.size()),
    fixed=known,
    where='the formula in section 1 of this notebook ("Two clouds, one number"): the squared distance of the means, both traces, and minus '
    "twice the sum of the square roots of the eigenvalues of S_a S_b (Dowson & Landau 1982, eq. 4; Heusel et al. 2017, eq. 6).",
    outputs=("distance",),
    recording=False,
    library=("experiments.metrics.gaussians.frechet_distance",),
    mutants=[
        # a singular covariance, where alone these are wrong
        crossed(
            "eigenvalues without a clamp: a covariance of few samples has eigenvalues 0, rounding makes some of them negative, and their root is NaN. "
            "Use .clamp(min=0).",
            lambda a, b: torch.linalg.eigvalsh(root(b) @ a @ root(b)).sqrt().sum(),
        ),
        crossed(
            "Cholesky of S_a, which may be singular, as of few samples: take that of S_b, whose eigenvalues are above 0, or a root from eigenvectors.",
            lambda a, b: roots(torch.linalg.eigvalsh(torch.linalg.cholesky(a).mT @ b @ torch.linalg.cholesky(a))),
        ),
        # the trace of the root
        crossed(
            "the trace of the product S_a S_b: the formula has the trace of its square root, the sum of the roots of its eigenvalues.",
            lambda a, b: (a @ b).trace(),
        ),
        crossed(
            "the root of the trace, sqrt(tr S_a S_b): take the root of each eigenvalue, then the sum.",
            lambda a, b: (a @ b).trace().sqrt(),
        ),
        crossed(
            "the product of the roots, S_a^(1/2) S_b^(1/2): it is the root of the product only where the two matrices commute.",
            lambda a, b: (root(a) @ root(b)).trace(),
        ),
        crossed(
            "the diagonals alone, sum of sqrt(S_a[i, i] S_b[i, i]), as an elementwise product gives: S_a S_b is the matrix product, `@`.",
            lambda a, b: (a.diagonal() * b.diagonal()).sqrt().sum(),
        ),
        crossed(
            "a root of each entry of the matrix product: the square root of a matrix is another thing, take the roots of its eigenvalues.",
            lambda a, b: (a @ b).diagonal().abs().sqrt().sum(),
        ),
        crossed(
            "a root of each entry of the matrix product (NaN where an entry is negative): take the roots of its eigenvalues.",
            lambda a, b: (a @ b).sqrt().trace(),
        ),
        crossed(
            "eigvalsh of the product S_a S_b, which is not symmetric: eigvalsh reads one triangle and believes it. Make it symmetric, "
            "L^T S_a L with S_b = L L^T, or use eigvals.",
            lambda a, b: roots(torch.linalg.eigvalsh(a @ b)),
        ),
        crossed(
            "eigvalsh of the product S_a S_b, which is not symmetric, and absolute values: make it symmetric, L^T S_a L with S_b = L L^T, "
            "or use eigvals.",
            lambda a, b: torch.linalg.eigvalsh(a @ b).abs().sqrt().sum(),
        ),
        crossed(
            "eigvalsh of the product S_a S_b, which is not symmetric, without the negative ones (NaN): make it symmetric, or use eigvals.",
            lambda a, b: torch.linalg.eigvalsh(a @ b).sqrt().sum(),
        ),
        crossed(
            "eigvalsh of the symmetric part, (S_a S_b + S_b S_a)/2: it has other eigenvalues than the product.",
            lambda a, b: roots(torch.linalg.eigvalsh((a @ b + b @ a) / 2)),
        ),
        crossed(
            "singular values of S_a S_b, with their roots: the product is not symmetric, so these are not its eigenvalues.",
            lambda a, b: torch.linalg.svdvals(a @ b).sqrt().sum(),
        ),
        crossed(
            "singular values of S_a S_b: those of L_a^T L_b, with S = L L^T, would do.",
            lambda a, b: torch.linalg.svdvals(a @ b).sum(),
        ),
        crossed(
            "the eigenvalues of the two matrices, each sorted, multiplied: that is right only where both have the same axes.",
            lambda a, b: (torch.linalg.eigvalsh(a) * torch.linalg.eigvalsh(b)).clamp(min=0).sqrt().sum(),
        ),
        crossed(
            "the trace of a product of Cholesky factors, L_a^T L_b: its singular values add up to the trace of the root, its diagonal does not.",
            lambda a, b: (torch.linalg.cholesky(a).T @ torch.linalg.cholesky(b)).trace(),
        ),
        crossed(
            "the trace of a product of Cholesky factors, L_a L_b: the eigenvalues of S_a S_b are what the formula has.",
            lambda a, b: (torch.linalg.cholesky(a) @ torch.linalg.cholesky(b)).trace(),
        ),
        crossed(
            "the largest eigenvalue alone: a trace is the sum over all of them.",
            lambda a, b: torch.linalg.eigvalsh(root(b) @ a @ root(b)).max().sqrt(),
        ),
        crossed(
            "the root of a determinant: a trace is the sum of the eigenvalues, not their product.",
            lambda a, b: (torch.linalg.det(a) * torch.linalg.det(b)).sqrt(),
        ),
        crossed("S_b in the place of its own root L, and no roots of the eigenvalues: in L^T S_a L, L L^T is S_b.", lambda a, b: (b @ a @ b).trace()),
        crossed("S_b used for its own root L: in L^T S_a L, L L^T is S_b.", lambda a, b: roots(torch.linalg.eigvalsh(b @ a @ b))),
        crossed(
            "L S_a L^T with a Cholesky factor L of S_b: it is L^T S_a L that has the eigenvalues of S_a S_b.",
            lambda a, b: roots(torch.linalg.eigvalsh(torch.linalg.cholesky(b) @ a @ torch.linalg.cholesky(b).mT)),
        ),
        crossed(
            "L S_b L^T with a Cholesky factor L of S_a: it is L^T S_b L that has the eigenvalues of S_a S_b.",
            lambda a, b: roots(torch.linalg.eigvalsh(torch.linalg.cholesky(a) @ b @ torch.linalg.cholesky(a).mT)),
        ),
        crossed(
            "an elementwise product, L^T * S_a * L: both products are of matrices, `@`.",
            lambda a, b: roots(torch.linalg.eigvalsh(torch.linalg.cholesky(b).mT * a * torch.linalg.cholesky(b))),
        ),
        *(
            crossed(
                f"eigenvalues below {least:g} left out: small ones count, too, only those below 0 are rounding.",
                lambda a, b, least=least: (v := torch.linalg.eigvalsh(root(b) @ a @ root(b)))[v > least].sqrt().sum(),
            )
            for least in (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
        ),
        *(
            crossed(
                f"eigenvalues below {least:g} raised to it: small ones count as they are, only those below 0 are rounding.",
                lambda a, b, least=least: torch.linalg.eigvalsh(root(b) @ a @ root(b)).clamp(min=least).sqrt().sum(),
            )
            for least in (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
        ),
        crossed(
            "the root of the mean of both covariances: it is that of their product.", lambda a, b: root((a + b) / 2).trace()
        ),
        # the means
        of_means("the norm of the difference of the means without its square.", lambda m: m.norm()),
        of_means("a mean over the dimensions: the squared differences are summed.", lambda m: m.square().mean()),
        of_means("a sum of absolute differences: their squares are summed.", lambda m: m.abs().sum()),
        of_means("the square of the sum: square each difference of the means, then sum.", lambda m: m.sum().square()),
        of_means("the means left out: their squared distance belongs to it.", lambda m: 0 * m.sum()),
        of_means("the sum of the differences of the means: square each.", lambda m: m.sum()),
        of_means("half of the squared distance of the means.", lambda m: m.square().sum() / 2),
        # how the parts are added
        parts(f"a missing factor 2: {TAKEN_APART}.", lambda m, a, b, c: m + a + b - c),
        parts(f"a plus before the root: {TAKEN_APART}.", lambda m, a, b, c: m + a + b + 2 * c),
        parts("the root of the whole: the course's distance, as FID, is the square.", lambda m, a, b, c: (m + a + b - 2 * c).clamp(min=0).sqrt()),
        parts("the term of the root left out.", lambda m, a, b, c: m + a + b),
        parts("the factor 2 inside of the root: it is 2 tr (S_a S_b)^(1/2), outside.", lambda m, a, b, c: m + a + b - 2**0.5 * c),
        parts("the trace of S_a twice: the second one is that of S_b.", lambda m, a, b, c: m + 2 * a - 2 * c),
        parts("the trace of S_b twice: the first one is that of S_a.", lambda m, a, b, c: m + 2 * b - 2 * c),
        parts("the trace of S_b left out.", lambda m, a, b, c: m + a - 2 * c),
        parts("the trace of S_a left out.", lambda m, a, b, c: m + b - 2 * c),
        parts("a minus before the trace of S_b: both traces are added.", lambda m, a, b, c: m + a - b - 2 * c),
        parts("the spreads left out, or one covariance in both places: two Gaussians differ in their spreads, too.", lambda m, a, b, c: m),
        parts("a minus before the squared distance of the means.", lambda m, a, b, c: a + b - 2 * c - m),
        parts("four times the root: it is 2 tr (S_a S_b)^(1/2).", lambda m, a, b, c: m + a + b - 4 * c),
        parts("half of the distance: there is no 1/2 in it.", lambda m, a, b, c: (m + a + b - 2 * c) / 2),
        Mutant(
            "a division by the number of dimensions: the distance is a sum over them.",
            lambda m, a, n, b: frechet_distance(m, a, n, b) / len(m),
        ),
        # matrices
        Mutant(
            "the squared distance of the matrices, entry by entry: spreads are compared by their traces and the root of their product.",
            lambda m, a, n, b: apart(m, n) + (a - b).square().sum(),
        ),
        Mutant(
            "the sum of all entries for the trace: a trace is the sum of the diagonal.",
            lambda m, a, n, b: apart(m, n) + a.sum() + b.sum() - 2 * cross(a, b),
        ),
        Mutant(
            "a KL divergence: the Fréchet distance has no logarithm and no inverse.",
            lambda m, a, n, b: (
                torch.linalg.solve(b, a).trace() + (n - m) @ torch.linalg.solve(b, n - m) - len(m) + b.logdet() - a.logdet()
            )
            / 2,
        ),
        *(
            Mutant(
                f"{eps:g} added to the diagonals of both covariances: that changes the distance; a clamp of the eigenvalues is enough.",
                lambda m, a, n, b, eps=eps: frechet_distance(
                    m, a + eps * torch.eye(len(a)).to(a), n, b + eps * torch.eye(len(b)).to(b)
                ),
            )
            for eps in (1e-3, 1e-4, 1e-5, 1e-6)
        ),
        *(
            crossed(
                f"{eps:g} added to the diagonal of {of} before the product: that changes the distance; a clamp of the eigenvalues is enough.",
                lambda a, b, eps=eps, on_a=on_a, on_b=on_b: cross(
                    a + on_a * eps * torch.eye(len(a)).to(a), b + on_b * eps * torch.eye(len(b)).to(b)
                ),
            )
            for eps in (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
            for of, on_a, on_b in (("both covariances", 1, 1), ("S_a", 1, 0), ("S_b", 0, 1))
        ),
        result_slip("a result rounded to two digits: return the number as it is.", frechet_distance, lambda v: v.round(decimals=2)),
    ],
)  # fmt: skip
