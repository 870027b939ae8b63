"""KID: the unbiased estimate of a squared distance of two distributions, by a kernel."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .data import Check, Mutant
from .inputs import Draw
from .slips import result_slip

PAIRS = "over pairs of two different samples"


def kid(a: Tensor, b: Tensor) -> Tensor:
    return estimate(a, b)


def kernel(x: Tensor, y: Tensor) -> Tensor:
    """(N, d), (M, d) -> (N, M)."""
    return (x @ y.T / x.shape[1] + 1) ** 3


def among(K: Tensor) -> Tensor:
    """The mean over pairs of two different samples."""
    n = len(K)
    return off_diagonal(K) / (n * (n - 1))


def off_diagonal(K: Tensor) -> Tensor:
    return K.sum() - K.trace()


def mean(K: Tensor) -> Tensor:
    return K.mean()


def estimate(
    a: Tensor,
    b: Tensor,
    kernel: Callable[[Tensor, Tensor], Tensor] = kernel,
    within: Callable[[Tensor], Tensor] = among,
    between: Callable[[Tensor], Tensor] = mean,
    add: Callable[[Tensor, Tensor, Tensor], Tensor] = lambda aa, bb, ab: aa + bb - 2 * ab,
) -> Tensor:
    """The estimate in parts that a mutant has another of."""
    return add(within(kernel(a, a)), within(kernel(b, b)), between(kernel(a, b)))


def slip(hint: str, **other: Callable) -> Mutant:
    def function(a: Tensor, b: Tensor) -> Tensor:
        return estimate(a, b, **other)

    return Mutant(hint, function)


def of_products(hint: str, function: Callable[[Tensor, int], Tensor]) -> Mutant:
    """A mutant whose kernel is function(x . y, d)."""
    return slip(hint, kernel=lambda x, y: function(x @ y.T, x.shape[1]))


def of_distances(x: Tensor, y: Tensor) -> Tensor:
    return (x[:, None] - y).square().sum(2)


def sized(hint: str, sizes: Callable[[int, int], tuple[int, int, int]]) -> Mutant:
    """A mutant that divides the three sums by other numbers of pairs: sizes(N, M) -> those of aa, bb, ab."""

    def function(a: Tensor, b: Tensor) -> Tensor:
        of_aa, of_bb, of_ab = sizes(len(a), len(b))
        sums = off_diagonal(kernel(a, a)), off_diagonal(kernel(b, b)), kernel(a, b).sum()
        return sums[0] / of_aa + sums[1] / of_bb - 2 * sums[2] / of_ab

    return Mutant(hint, function)


def paired_off(a: Tensor, b: Tensor) -> Tensor:
    """As if sample i of a and sample i of b were one: the pairs (i, i) are left out of the sum between, too."""
    n = min(len(a), len(b))
    K = kernel(a[:n], b[:n])
    return among(kernel(a, a)) + among(kernel(b, b)) - 2 * among(K)


def by_rows(x: Tensor, y: Tensor) -> Tensor:
    """The kernel of row i of both alone, cut to the smaller number."""
    n = min(len(x), len(y))
    return ((x[:n] * y[:n]).sum(1) / x.shape[1] + 1) ** 3


def along_samples(a: Tensor, b: Tensor) -> Tensor:
    """a.T @ b: as if dimensions were samples."""
    n = min(len(a), len(b))

    def turned(x: Tensor, y: Tensor) -> Tensor:
        return (x.T @ y / x.shape[1] + 1) ** 3

    return among(turned(a, a)) + among(turned(b, b)) - 2 * turned(a[:n], b[:n]).mean()


def with_traces(hint: str, traces: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> Mutant:
    """A mutant that takes traces(K_aa, K_bb) away from the sums within a and within b."""

    def function(a: Tensor, b: Tensor) -> Tensor:
        K, L, n, m = kernel(a, a), kernel(b, b), len(a), len(b)
        of_a, of_b = traces(K, L)
        return (K.sum() - of_a) / (n * (n - 1)) + (L.sum() - of_b) / (m * (m - 1)) - 2 * kernel(a, b).mean()

    return Mutant(hint, function)


def centred(hint: str, centres: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> Mutant:
    def function(a: Tensor, b: Tensor) -> Tensor:
        of_a, of_b = centres(a, b)
        return kid(a - of_a, b - of_b)

    return Mutant(f"{hint}: the kernel takes the features as they are.", function)


def features(d: Draw) -> tuple[Tensor, Tensor]:
    """Two sets of other numbers; the second is shifted."""
    n, m, size = d.T - 4, d.size() + 11, d.size()
    return d.normal(n, size), 0.7 * d.normal(m, size) + 0.5


def sets(d: Draw) -> Iterator[tuple[str, tuple]]:
    """What a chapter compares: two halves of one set, samples that are twice there, the fewest, large features."""
    yield "two sets of one distribution, where it may be negative", (d.normal(40, 3), d.normal(60, 3))
    for number in range(3):
        a, b = d.normal(12, 2), d.normal(9, 2)
        yield f"few of one distribution, {number + 1}", (a, b)
    yield "two of each", (d.normal(2, 5), 1 + d.normal(2, 5))
    yield "two and many", (d.normal(2, 5), 1 + d.normal(30, 5))
    twice = d.normal(6, 4)
    yield "the same set twice", (twice, twice.clone())
    yield "one dimension", (d.normal(7, 1), 2 * d.normal(5, 1))
    yield "large features", (4 + 3 * d.normal(20, 6), 3 + 5 * d.normal(25, 6))
    yield "in the thousands", (1500 * d.normal(9, 3), 2000 * d.normal(14, 3) - 500)
    yield "more dimensions than samples", (d.normal(8, 64), 0.3 + d.normal(9, 64))


KID = Check(
    id="10-kid",
    points=4,
    minutes=15,
    level=2,
    reference=kid,
    inputs=features,
    fixed=sets,
    where='the formula in section 4 of this notebook ("KID: no bias, another scale"): the kernel is (x . y / d + 1)^3; within a set the mean is '
    f"{PAIRS}, between the sets over all N M pairs, with the factor -2 (Gretton et al. 2012, eq. 3; Binkowski et al. 2018).",
    outputs=("kid",),
    recording=False,
    library=("experiments.metrics.kernel.kid", "experiments.metrics.kernel.kid_with_error"),
    mutants=[
        # which pairs
        slip(
            f"the diagonal kept, a sample paired with itself: within a set the mean is {PAIRS}, and so unbiased.", within=mean
        ),
        slip(
            f"the diagonal kept in the sum, and N (N - 1) below it: within a set the mean is {PAIRS}.",
            within=lambda K: K.sum() / (len(K) * (len(K) - 1)),
        ),
        slip(
            "the diagonal left out of the sum, and N^2 below it: there are N (N - 1) pairs of two different samples.",
            within=lambda K: off_diagonal(K) / len(K) ** 2,
        ),
        slip(
            "each pair once, i < j, and N (N - 1) below: that counts all ordered pairs, twice as many.",
            within=lambda K: K.triu(1).sum() / (len(K) * (len(K) - 1)),
        ),
        slip(
            "pairs i <= j, with the diagonal: take i < j, and divide by their number.",
            within=lambda K: K.triu().sum() / (len(K) * (len(K) + 1) / 2),
        ),
        slip("sums in the place of means: each sum is divided by its number of pairs.", within=off_diagonal, between=lambda K: K.sum()),
        slip("a division by N - 1 alone: there are N (N - 1) pairs.", within=lambda K: off_diagonal(K) / (len(K) - 1)),
        slip("a division by N alone: there are N (N - 1) pairs.", within=lambda K: off_diagonal(K) / len(K)),
        slip(
            "the diagonal alone within the sets, a sample paired with itself: it is all the other pairs that count.",
            within=lambda K: K.diagonal().mean(),
        ),
        slip(
            "the mean of the diagonal taken away from the mean of all: leave the diagonal out of the sum, and divide by N (N - 1).",
            within=lambda K: K.mean() - K.diagonal().mean(),
        ),
        slip(
            "N taken away from the sum, as if the kernel of a sample with itself were 1: it is (x . x / d + 1)^3, the diagonal.",
            within=lambda K: (K.sum() - len(K)) / (len(K) * (len(K) - 1)),
        ),
        Mutant(
            "pairs (i, i) left out between the sets, too: sample i of a and sample i of b are two different samples.", paired_off
        ),
        Mutant(
            "the diagonal kept in b alone: both sets are treated alike.",
            lambda a, b: among(kernel(a, a)) + kernel(b, b).mean() - 2 * kernel(a, b).mean(),
        ),
        Mutant(
            "the diagonal kept in a alone: both sets are treated alike.",
            lambda a, b: kernel(a, a).mean() + among(kernel(b, b)) - 2 * kernel(a, b).mean(),
        ),
        slip(
            "the diagonal left out between the sets, too: sample i of a and sample i of b are two different samples.",
            between=lambda K: (K.sum() - K.diagonal().sum()) / (K.numel() - min(K.shape)),
        ),
        slip(
            "the sum of the pairs (i, i) left out between the sets: sample i of a and sample i of b are two different samples.",
            between=lambda K: (K.sum() - K.diagonal().sum()) / K.numel(),
        ),
        Mutant(
            "pairs (i, i) alone between the sets, as zip gives them: all N M pairs count.",
            lambda a, b: among(kernel(a, a)) + among(kernel(b, b)) - 2 * by_rows(a, b).mean(),
        ),
        Mutant(
            "the kernel of row i with row i alone, an elementwise product: every row meets every row, x @ y.T.",
            lambda a, b: by_rows(a[: len(b)], a[: len(b)]).mean() + by_rows(b[: len(a)], b[: len(a)]).mean() - 2 * by_rows(a, b).mean(),
        ),
        Mutant("a.T @ b, products of dimensions: the kernel is of samples, a @ b.T.", along_samples),
        slip("(N - 1)^2 below: there are N (N - 1) pairs of two different samples.", within=lambda K: off_diagonal(K) / (len(K) - 1) ** 2),
        with_traces("the diagonal of a taken away from the pairs within b: each set has its own.", lambda K, L: (K.trace(), K.trace())),
        with_traces("the diagonal of b taken away from the pairs within a: each set has its own.", lambda K, L: (L.trace(), L.trace())),
        with_traces("the diagonals of a and b swapped: each set has its own.", lambda K, L: (L.trace(), K.trace())),
        # unequal numbers
        sized("N (M - 1) pairs between the sets: there are N M, all of two different samples.", lambda n, m: (n * (n - 1), m * (m - 1), n * (m - 1))),
        sized("(N - 1) M pairs between the sets: there are N M, all of two different samples.", lambda n, m: (n * (n - 1), m * (m - 1), (n - 1) * m)),
        sized("(N - 1)(M - 1) pairs between the sets: there are N M, all of two different samples.", lambda n, m: (n * (n - 1), m * (m - 1), (n - 1) * (m - 1))),
        sized("N for both sets: b has M samples, and M (M - 1) pairs.", lambda n, m: (n * (n - 1), n * (n - 1), n * m)),
        sized("M for both sets: a has N samples, and N (N - 1) pairs.", lambda n, m: (m * (m - 1), m * (m - 1), n * m)),
        sized("N^2 pairs between the sets: there are N M.", lambda n, m: (n * (n - 1), m * (m - 1), n * n)),
        sized("M^2 pairs between the sets: there are N M.", lambda n, m: (n * (n - 1), m * (m - 1), m * m)),
        sized("N for everything, N (N - 1) and N^2: b has M samples.", lambda n, m: (n * (n - 1), n * (n - 1), n * n)),
        sized("N M below every sum: within a set there are N (N - 1), or M (M - 1), pairs.", lambda n, m: (n * m, n * m, n * m)),
        sized("N and M swapped in the numbers of pairs.", lambda n, m: (m * (m - 1), n * (n - 1), n * m)),
        Mutant(
            "both sets cut to the smaller number: all N and all M samples count.",
            lambda a, b: kid(a[: min(len(a), len(b))], b[: min(len(a), len(b))]),
        ),
        # the sum of the three
        slip("a factor 2 that is missing before the pairs between the sets.", add=lambda aa, bb, ab: aa + bb - ab),
        slip("a plus before the pairs between the sets: they are taken away.", add=lambda aa, bb, ab: aa + bb + 2 * ab),
        slip("the opposite sign: two sets that are far apart have a KID above 0.", add=lambda aa, bb, ab: 2 * ab - aa - bb),
        slip("the pairs within b left out.", add=lambda aa, bb, ab: aa - 2 * ab),
        slip("the pairs within a left out.", add=lambda aa, bb, ab: bb - 2 * ab),
        slip("the mean within the sets, minus the mean between them: that is half of it.", add=lambda aa, bb, ab: (aa + bb) / 2 - ab),
        slip("the pairs between the sets alone.", add=lambda aa, bb, ab: ab),
        slip("a difference of the two means within: the pairs between the sets are what tells them apart.", add=lambda aa, bb, ab: aa - bb),
        # the features
        centred("features minus the mean of b", lambda a, b: (b.mean(0), b.mean(0))),
        centred("features minus the mean of a", lambda a, b: (a.mean(0), a.mean(0))),
        centred("features minus the mean of both sets together", lambda a, b: (torch.cat([a, b]).mean(0), torch.cat([a, b]).mean(0))),
        # the kernel
        of_products("no 1/d in the kernel: it is (x . y / d + 1)^3, which keeps its size when d grows.", lambda p, d: (p + 1) ** 3),
        of_products("no + 1 in the kernel: it is (x . y / d + 1)^3.", lambda p, d: (p / d) ** 3),
        of_products("no power 3, as in x . y / d + 1^3, or x . y / d alone: this kernel sees nothing but the means.", lambda p, d: p / d + 1),
        of_products("a power 2 in the place of 3: this kernel sees means and covariances alone.", lambda p, d: (p / d + 1) ** 2),
        of_products("a factor 3 in the place of the power 3.", lambda p, d: 3 * (p / d + 1)),
        of_products("1/d for the whole bracket: it belongs to x . y alone.", lambda p, d: ((p + 1) / d) ** 3),
        of_products("1/d outside of the cube: it belongs to x . y.", lambda p, d: (p + 1) ** 3 / d),
        of_products("1/sqrt(d) in the place of 1/d.", lambda p, d: (p / d**0.5 + 1) ** 3),
        of_products("a factor d in the place of 1/d.", lambda p, d: (p * d + 1) ** 3),
        of_products("a plain product x . y as the kernel: it is (x . y / d + 1)^3.", lambda p, d: p),
        slip(
            "the number of samples for d: 1/d has the number of dimensions, a.shape[1].", kernel=lambda x, y: (x @ y.T / len(x) + 1) ** 3
        ),
        Mutant(
            "N for d, in all three kernels: 1/d has the number of dimensions, a.shape[1].",
            lambda a, b: estimate(a, b, kernel=lambda x, y: (x @ y.T / len(a) + 1) ** 3),
        ),
        of_products("x . y / (d + 1), a missing pair of brackets: it is (x . y / d) + 1, cubed.", lambda p, d: (p / (d + 1)) ** 3),
        slip("x . y cubed entry by entry, without the sum over the dimensions first.", kernel=lambda x, y: ((x[:, None] * y + 1) ** 3).mean(2)),
        slip("a Gaussian kernel: KID's is a polynomial, (x . y / d + 1)^3.", kernel=lambda x, y: (-of_distances(x, y) / 2).exp()),
        slip("a Gaussian kernel of width sqrt(d): KID's is a polynomial, (x . y / d + 1)^3.", kernel=lambda x, y: (-of_distances(x, y) / (2 * x.shape[1])).exp()),
        slip("squared distances as the kernel: KID's is a polynomial, (x . y / d + 1)^3.", kernel=of_distances),
        slip(
            "features brought to length 1: the kernel takes them as they are.",
            kernel=lambda x, y: (x / x.norm(dim=1, keepdim=True) @ (y / y.norm(dim=1, keepdim=True)).T + 1) ** 3,
        ),
        slip(
            "features brought to length 1, and divided by d: the kernel takes them as they are.",
            kernel=lambda x, y: kernel(x / x.norm(dim=1, keepdim=True), y / y.norm(dim=1, keepdim=True)),
        ),
        Mutant(
            "features whose own mean was taken away: then a shift of one set is not seen.",
            lambda a, b: kid(a - a.mean(0), b - b.mean(0)),
        ),
        Mutant(
            "features standardised over both sets: the kernel takes them as they are.",
            lambda a, b: kid((a - torch.cat([a, b]).mean(0)) / torch.cat([a, b]).std(0), (b - torch.cat([a, b]).mean(0)) / torch.cat([a, b]).std(0)),
        ),
        Mutant(
            "samples mixed up with dimensions: features are (N, d), and the products are a @ b.T.",
            lambda a, b: (a.T @ a / len(a) + 1).pow(3).mean() + (b.T @ b / len(b) + 1).pow(3).mean() - 2 * (a.mean(0) @ b.mean(0) + 1) ** 3,
        ),
        Mutant(
            "a distance of the two mean features: the kernel is taken of each pair, then the mean.",
            lambda a, b: kernel(a.mean(0, keepdim=True), a.mean(0, keepdim=True)).sum()
            + kernel(b.mean(0, keepdim=True), b.mean(0, keepdim=True)).sum()
            - 2 * kernel(a.mean(0, keepdim=True), b.mean(0, keepdim=True)).sum(),
        ),
        # the result
        result_slip("no negative values: the unbiased estimate may be below 0, and its mean would be too large without those.", kid, lambda v: v.clamp(min=0)),
        result_slip("an absolute value: the unbiased estimate may be below 0.", kid, lambda v: v.abs()),
        result_slip("a square root at the end, NaN below 0: KID is the squared discrepancy.", kid, lambda v: v.sqrt()),
        result_slip("a square root of what is above 0: KID is the squared discrepancy.", kid, lambda v: v.clamp(min=0).sqrt()),
        result_slip("the thousandfold, as papers print it: return the number itself.", kid, lambda v: 1000 * v),
        result_slip("the hundredfold, as papers print it: return the number itself.", kid, lambda v: 100 * v),
    ],
)  # fmt: skip
