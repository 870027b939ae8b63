"""Answers of (imagined) students to the exercises of chapter 10. The name tells exercise and verdict."""

import math
import statistics

import numpy as np
import torch


def moments(features):
    return features.mean(0), torch.atleast_2d(torch.cov(features.T))


def frechet_distance(mean_a, cov_a, mean_b, cov_b):
    L = torch.linalg.cholesky(cov_b)
    values = torch.linalg.eigvalsh(L.T @ cov_a @ L)
    return (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * values.clamp(min=0).sqrt().sum()


def right__10_frechet_distance__mine(mean_a, cov_a, mean_b, cov_b):
    """Cholesky of b, eigvalsh, clamp."""
    L = torch.linalg.cholesky(cov_b)
    values = torch.linalg.eigvalsh(L.T @ cov_a @ L)
    return (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * values.clamp(min=0).sqrt().sum()


def wrong__10_frechet_distance__nuclear(mean_a, cov_a, mean_b, cov_b):
    """Singular values of L_a^T L_b."""
    La, Lb = torch.linalg.cholesky(cov_a), torch.linalg.cholesky(cov_b)
    d = mean_a - mean_b
    return d @ d + torch.trace(cov_a + cov_b) - 2 * torch.linalg.svdvals(La.T @ Lb).sum()


def right__10_frechet_distance__general(mean_a, cov_a, mean_b, cov_b):
    """Eigenvalues of the product as it is (slow, but right)."""
    values = torch.linalg.eigvals(cov_a @ cov_b).real.clamp(min=0)
    return ((mean_a - mean_b) ** 2).sum() + torch.diag(cov_a).sum() + torch.diag(cov_b).sum() - 2 * (values**0.5).sum()


def right__10_frechet_distance__root_loop(mean_a, cov_a, mean_b, cov_b):
    """Symmetric root of a by eigh, with loops for the sums."""
    w, v = torch.linalg.eigh(cov_a)
    half = v @ torch.diag(w.clamp(min=0).sqrt()) @ v.T
    w2 = torch.linalg.eigvalsh(half @ cov_b @ half)
    total = torch.zeros((), dtype=cov_a.dtype)
    for i in range(len(mean_a)):
        total = total + (mean_a[i] - mean_b[i]) ** 2 + cov_a[i, i] + cov_b[i, i] - 2 * w2[i].clamp(min=0) ** 0.5
    return total


def right__10_frechet_distance__numpy(mean_a, cov_a, mean_b, cov_b):
    """Through numpy."""
    ma, ca, mb, cb = (np.asarray(t) for t in (mean_a, cov_a, mean_b, cov_b))
    L = np.linalg.cholesky(cb)
    ev = np.clip(np.linalg.eigvalsh(L.T @ ca @ L), 0, None)
    return torch.tensor(((ma - mb) ** 2).sum() + np.trace(ca) + np.trace(cb) - 2 * np.sqrt(ev).sum())


def right__10_kid__mine(a, b):
    """As the formula."""
    d, N, M = a.shape[1], len(a), len(b)
    Kaa, Kbb, Kab = (a @ a.T / d + 1) ** 3, (b @ b.T / d + 1) ** 3, (a @ b.T / d + 1) ** 3
    return (Kaa.sum() - Kaa.trace()) / (N * (N - 1)) + (Kbb.sum() - Kbb.trace()) / (M * (M - 1)) - 2 * Kab.mean()


def right__10_kid__mask(a, b):
    """Boolean mask off the diagonal; einsum."""
    def k(x, y):
        return (torch.einsum("id,jd->ij", x, y) / x.size(1) + 1.0).pow(3)
    def off(x):
        return k(x, x)[~torch.eye(len(x), dtype=torch.bool)].mean()
    return off(a) + off(b) - 2 * k(a, b).mean()


def right__10_kid__loops(a, b):
    """Python loops over pairs."""
    d = a.shape[-1]
    def k(x, y):
        return ((x * y).sum() / d + 1) ** 3
    aa = sum(k(a[i], a[j]) for i in range(len(a)) for j in range(len(a)) if i != j) / (len(a) * (len(a) - 1))
    bb = sum(k(b[i], b[j]) for i in range(len(b)) for j in range(len(b)) if i != j) / (len(b) * (len(b) - 1))
    ab = sum(k(x, y) for x in a for y in b) / (len(a) * len(b))
    return aa + bb - 2 * ab


def right__10_kid__triangle(a, b):
    """Twice the upper triangle; scaled features."""
    s = math.sqrt(a.shape[1])
    x, y = a / s, b / s
    n, m = x.shape[0], y.shape[0]
    aa = 2 * torch.triu((x @ x.T + 1) ** 3, diagonal=1).sum() / n / (n - 1)
    bb = 2 * torch.triu((y @ y.T + 1) ** 3, diagonal=1).sum() / m / (m - 1)
    return aa + bb - 2 / n / m * ((x @ y.T + 1) ** 3).sum()


def right__10_paired_difference__mine(a, b, mean, cov, group, reach):
    """As the hint says."""
    def difference(kept):
        return frechet_distance(*moments(a[kept]), mean, cov) - frechet_distance(*moments(b[kept]), mean, cov)
    value = difference(torch.ones(len(a), dtype=torch.bool))
    G = int(group.max()) + 1
    theta = torch.stack([difference(group != g) for g in range(G)])
    e = ((G - 1) / G * (theta - theta.mean()).square().sum()).sqrt()
    return value, value - reach * e, value + reach * e


def right__10_paired_difference__var(a, b, mean, cov, group, reach):
    """Index lists, variance with correction 0 times G - 1, returned as a list."""
    def dist(x):
        return frechet_distance(x.mean(0), torch.cov(x.T).reshape(cov.shape), mean, cov)
    delta = dist(a) - dist(b)
    G = group.max() + 1
    theta = []
    for g in range(G):
        keep = [i for i in range(len(group)) if group[i] != g]
        theta.append(dist(a[keep]) - dist(b[keep]))
    theta = torch.stack(theta)
    e = torch.sqrt((G - 1) * theta.var(correction=0))
    return delta, delta - reach * e, delta + reach * e


def right__10_paired_difference__two(a, b, mean, cov, group, reach):
    """Two lists of distances, then their difference; own covariance; numpy for the numbers."""
    def dist(x):
        m = x.mean(0)
        c = (x - m).T @ (x - m) / (len(x) - 1)
        return frechet_distance(m, c, mean, cov).item()
    groups = torch.unique(group)
    G = len(groups)
    fa = np.array([dist(a[group != g]) for g in groups])
    fb = np.array([dist(b[group != g]) for g in groups])
    delta = dist(a) - dist(b)
    e = np.std(fa - fb, ddof=1) * (G - 1) / np.sqrt(G)
    return tuple(torch.tensor(float(v), dtype=torch.float64) for v in (delta, delta - reach * e, delta + reach * e))


def right__10_needed_samples__mine(marks_a, marks_b, level, power):
    """As the formula."""
    d = marks_a - marks_b
    z = torch.special.ndtri(torch.tensor([1 - level / 2, power], dtype=torch.float64)).sum()
    return torch.ceil(z**2 * d.var(correction=0) / d.mean() ** 2).to(torch.int64)


def right__10_needed_samples__stdlib(marks_a, marks_b, level, power):
    """Lists, statistics.NormalDist and math.ceil."""
    d = [float(x) - float(y) for x, y in zip(marks_a, marks_b)]
    delta = sum(d) / len(d)
    s2 = sum((x - delta) ** 2 for x in d) / len(d)
    z = statistics.NormalDist().inv_cdf
    return torch.tensor(math.ceil((z(1 - level / 2) + z(power)) ** 2 * s2 / delta**2))


def right__10_needed_samples__counts(marks_a, marks_b, level, power):
    """From the counts of discordant pairs; erfinv; long()."""
    n = marks_a.numel()
    n10 = ((marks_a == 1) & (marks_b == 0)).sum().double()
    n01 = ((marks_a == 0) & (marks_b == 1)).sum().double()
    delta = (n10 - n01) / n
    s2 = (n10 + n01) / n - delta**2
    z = lambda q: math.sqrt(2) * torch.erfinv(torch.tensor(2 * q - 1, dtype=torch.float64))
    return ((z(1 - level / 2) + z(power)).square() * s2 / delta.square()).ceil().long()


def right__10_needed_samples__minus_z(marks_a, marks_b, level, power):
    """Lower quantile of level / 2 with a minus; std squared."""
    d = marks_a - marks_b
    za = -torch.special.ndtri(torch.tensor(level / 2, dtype=torch.float64))
    zp = torch.special.ndtri(torch.tensor(power, dtype=torch.float64))
    n = ((za + zp) * d.std(correction=0) / d.mean().abs()) ** 2
    return torch.tensor(math.ceil(n), dtype=torch.int64)


def tr_root(cov_a, cov_b):
    L = torch.linalg.cholesky(cov_b)
    return torch.linalg.eigvalsh(L.T @ cov_a @ L).clamp(min=0).sqrt().sum()


def wrong__10_frechet_distance__mean_not_squared(mean_a, cov_a, mean_b, cov_b):
    """The norm of the mean difference without the square."""
    return (mean_a - mean_b).norm() + cov_a.trace() + cov_b.trace() - 2 * tr_root(cov_a, cov_b)


def wrong__10_frechet_distance__trace_product(mean_a, cov_a, mean_b, cov_b):
    """tr S_a S_b without the root."""
    return (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * (cov_a @ cov_b).trace()


def wrong__10_frechet_distance__root_of_trace(mean_a, cov_a, mean_b, cov_b):
    """The root of the trace for the trace of the root."""
    return (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * (cov_a @ cov_b).trace().sqrt()


def wrong__10_frechet_distance__no_two(mean_a, cov_a, mean_b, cov_b):
    """Factor 2 of the last term forgotten."""
    return (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - tr_root(cov_a, cov_b)


def wrong__10_frechet_distance__plus(mean_a, cov_a, mean_b, cov_b):
    """Plus instead of minus before the last term."""
    return (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() + 2 * tr_root(cov_a, cov_b)


def wrong__10_frechet_distance__eigvalsh_product(mean_a, cov_a, mean_b, cov_b):
    """eigvalsh of the product, which is not symmetric."""
    v = torch.linalg.eigvalsh(cov_a @ cov_b).clamp(min=0).sqrt().sum()
    return (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * v


def wrong__10_frechet_distance__L_order(mean_a, cov_a, mean_b, cov_b):
    """L S_a L^T instead of L^T S_a L."""
    L = torch.linalg.cholesky(cov_b)
    v = torch.linalg.eigvalsh(L @ cov_a @ L.T).clamp(min=0).sqrt().sum()
    return (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * v


def wrong__10_frechet_distance__no_sqrt_eig(mean_a, cov_a, mean_b, cov_b):
    """Eigenvalues of L^T S_a L summed without their roots."""
    L = torch.linalg.cholesky(cov_b)
    v = torch.linalg.eigvalsh(L.T @ cov_a @ L).sum()
    return (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * v


def wrong__10_frechet_distance__root_at_end(mean_a, cov_a, mean_b, cov_b):
    """Returns the distance itself, not squared."""
    return ((mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * tr_root(cov_a, cov_b)).clamp(min=0).sqrt()


def wrong__10_frechet_distance__mean_of_squares(mean_a, cov_a, mean_b, cov_b):
    """Mean over coordinates of the squared mean difference, not the sum."""
    return (mean_a - mean_b).square().mean() + cov_a.trace() + cov_b.trace() - 2 * tr_root(cov_a, cov_b)


def wrong__10_frechet_distance__no_means(mean_a, cov_a, mean_b, cov_b):
    """The means are forgotten."""
    return cov_a.trace() + cov_b.trace() - 2 * tr_root(cov_a, cov_b)


def wrong__10_frechet_distance__item(mean_a, cov_a, mean_b, cov_b):
    """A Python number by .item()."""
    return ((mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * tr_root(cov_a, cov_b)).item()


def wrong__10_frechet_distance__printed(mean_a, cov_a, mean_b, cov_b):
    """Printed, not returned."""
    print((mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * tr_root(cov_a, cov_b))


def wrong__10_frechet_distance__diagonal(mean_a, cov_a, mean_b, cov_b):
    """Only the diagonals of the covariances."""
    return (mean_a - mean_b).square().sum() + (cov_a.diag().sqrt() - cov_b.diag().sqrt()).square().sum()


def wrong__10_frechet_distance__elementwise_root(mean_a, cov_a, mean_b, cov_b):
    """Root of each entry of the product (diagonal entries), not of the matrix."""
    return (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * (cov_a @ cov_b).abs().sqrt().trace()


def wrong__10_frechet_distance__elementwise_product(mean_a, cov_a, mean_b, cov_b):
    """* for @ in the middle product L^T * S_a * L."""
    L = torch.linalg.cholesky(cov_b)
    v = torch.linalg.eigvalsh(L.T * cov_a * L).clamp(min=0).sqrt().sum()
    return (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * v


def wrong__10_frechet_distance__product_of_roots(mean_a, cov_a, mean_b, cov_b):
    """tr S_a^1/2 S_b^1/2: right only where they commute."""
    def root(S):
        w, v = torch.linalg.eigh(S)
        return v * w.clamp(min=0).sqrt() @ v.T
    return (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * (root(cov_a) @ root(cov_b)).trace()


def wrong__10_frechet_distance__float32(mean_a, cov_a, mean_b, cov_b):
    """float32 inside."""
    dtype = mean_a.dtype
    mean_a, cov_a, mean_b, cov_b = (t.float() for t in (mean_a, cov_a, mean_b, cov_b))
    return ((mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * tr_root(cov_a, cov_b)).to(dtype)


def wrong__10_frechet_distance__ridge(mean_a, cov_a, mean_b, cov_b):
    """1e-3 I is added before Cholesky, as against singular matrices."""
    L = torch.linalg.cholesky(cov_b + 1e-3 * torch.eye(len(mean_a), dtype=cov_b.dtype))
    v = torch.linalg.eigvalsh(L.T @ cov_a @ L).clamp(min=0).sqrt().sum()
    return (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * v


def wrong__10_frechet_distance__in_place(mean_a, cov_a, mean_b, cov_b):
    """The mean difference is made in place: mean_a -= mean_b."""
    mean_a -= mean_b
    return mean_a.square().sum() + cov_a.trace() + cov_b.trace() - 2 * tr_root(cov_a, cov_b)


def wrong__10_frechet_distance__same_cov(mean_a, cov_a, mean_b, cov_b):
    """tr S_a twice (typo)."""
    return (mean_a - mean_b).square().sum() + cov_a.trace() + cov_a.trace() - 2 * tr_root(cov_a, cov_b)


def wrong__10_frechet_distance__divided_by_d(mean_a, cov_a, mean_b, cov_b):
    """Everything is divided by d."""
    return ((mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * tr_root(cov_a, cov_b)) / len(mean_a)


def wrong__10_frechet_distance__shape_1(mean_a, cov_a, mean_b, cov_b):
    """Shape (1,) for ()."""
    return ((mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * tr_root(cov_a, cov_b)).reshape(1)


def wrong__10_frechet_distance__drops_small(mean_a, cov_a, mean_b, cov_b):
    """Eigenvalues below 1e-3 are treated as rounding and dropped."""
    L = torch.linalg.cholesky(cov_b)
    v = torch.linalg.eigvalsh(L.T @ cov_a @ L)
    return (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * v[v > 1e-3].sqrt().sum()


def k(x, y):
    return (x @ y.T / x.shape[1] + 1) ** 3


def off(K):
    n = len(K)
    return (K.sum() - K.trace()) / (n * (n - 1))


def wrong__10_kid__diagonal_kept(a, b):
    """Diagonal kept, plain means (biased)."""
    return k(a, a).mean() + k(b, b).mean() - 2 * k(a, b).mean()


def wrong__10_kid__diagonal_kept_n1(a, b):
    """Diagonal kept in the sum, divided by N (N - 1)."""
    n, m = len(a), len(b)
    return k(a, a).sum() / (n * (n - 1)) + k(b, b).sum() / (m * (m - 1)) - 2 * k(a, b).mean()


def wrong__10_kid__divided_nn(a, b):
    """Diagonal removed, but divided by N^2."""
    A, B = k(a, a), k(b, b)
    return (A.sum() - A.trace()) / len(a) ** 2 + (B.sum() - B.trace()) / len(b) ** 2 - 2 * k(a, b).mean()


def wrong__10_kid__no_d(a, b):
    """1/d forgotten."""
    k = lambda x, y: (x @ y.T + 1) ** 3
    return off(k(a, a)) + off(k(b, b)) - 2 * k(a, b).mean()


def wrong__10_kid__no_one(a, b):
    """+ 1 forgotten."""
    k = lambda x, y: (x @ y.T / x.shape[1]) ** 3
    return off(k(a, a)) + off(k(b, b)) - 2 * k(a, b).mean()


def wrong__10_kid__power_two(a, b):
    """Square for the third power."""
    k = lambda x, y: (x @ y.T / x.shape[1] + 1) ** 2
    return off(k(a, a)) + off(k(b, b)) - 2 * k(a, b).mean()


def wrong__10_kid__no_two(a, b):
    """Factor 2 of the cross term forgotten."""
    return off(k(a, a)) + off(k(b, b)) - k(a, b).mean()


def wrong__10_kid__plus(a, b):
    """Plus before the cross term."""
    return off(k(a, a)) + off(k(b, b)) + 2 * k(a, b).mean()


def wrong__10_kid__bracket(a, b):
    """(x . y + 1) / d in the kernel: bracket wrong."""
    k = lambda x, y: ((x @ y.T + 1) / x.shape[1]) ** 3
    return off(k(a, a)) + off(k(b, b)) - 2 * k(a, b).mean()


def wrong__10_kid__d_is_n(a, b):
    """Divided by the number of samples instead of d."""
    k = lambda x, y: (x @ y.T / len(x) + 1) ** 3
    return off(k(a, a)) + off(k(b, b)) - 2 * k(a, b).mean()


def wrong__10_kid__sqrt_d(a, b):
    """Divided by the root of d, as in attention."""
    k = lambda x, y: (x @ y.T / x.shape[1] ** 0.5 + 1) ** 3
    return off(k(a, a)) + off(k(b, b)) - 2 * k(a, b).mean()


def wrong__10_kid__same_n(a, b):
    """N used for M, too."""
    n = len(a)
    A, B = k(a, a), k(b, b)
    return (A.sum() - A.trace()) / (n * (n - 1)) + (B.sum() - B.trace()) / (n * (n - 1)) - 2 * k(a, b).sum() / (n * n)


def wrong__10_kid__cross_diagonal(a, b):
    """The cross term loses its diagonal, too."""
    n = min(len(a), len(b))
    K = k(a, b)
    cross = (K.sum() - K.diagonal().sum()) / (len(a) * len(b) - n)
    return off(k(a, a)) + off(k(b, b)) - 2 * cross


def wrong__10_kid__cross_n1(a, b):
    """The cross term is divided by N (M - 1)."""
    return off(k(a, a)) + off(k(b, b)) - 2 * k(a, b).sum() / (len(a) * (len(b) - 1))


def wrong__10_kid__clamped(a, b):
    """Clamped at 0."""
    return (off(k(a, a)) + off(k(b, b)) - 2 * k(a, b).mean()).clamp(min=0)


def wrong__10_kid__root(a, b):
    """The root of the absolute value: MMD for MMD squared."""
    return (off(k(a, a)) + off(k(b, b)) - 2 * k(a, b).mean()).abs().sqrt()


def wrong__10_kid__times_1000(a, b):
    """Times 1000, as papers print it."""
    return 1000 * (off(k(a, a)) + off(k(b, b)) - 2 * k(a, b).mean())


def wrong__10_kid__elementwise(a, b):
    """The kernel of rows i and i only: cut to equal length, no pairs."""
    n = min(len(a), len(b))
    k = lambda x, y: ((x * y).sum(1) / x.shape[1] + 1) ** 3
    return k(a[:n], a[:n]).mean() + k(b[:n], b[:n]).mean() - 2 * k(a[:n], b[:n]).mean()


def wrong__10_kid__transpose(a, b):
    """a.T @ b: the wrong axis."""
    k = lambda x, y: (x.T @ y / x.shape[1] + 1) ** 3
    n, m = len(a), len(b)
    l = min(n, m)
    return off(k(a, a)) + off(k(b, b)) - 2 * k(a[:l], b[:l]).mean()


def wrong__10_kid__item(a, b):
    """A Python number."""
    return (off(k(a, a)) + off(k(b, b)) - 2 * k(a, b).mean()).item()


def wrong__10_kid__printed(a, b):
    """Printed, not returned."""
    print(off(k(a, a)) + off(k(b, b)) - 2 * k(a, b).mean())


def wrong__10_kid__upper_once(a, b):
    """The upper triangle only, but divided by N (N - 1)."""
    A, B = k(a, a).triu(1), k(b, b).triu(1)
    return A.sum() / (len(a) * (len(a) - 1)) + B.sum() / (len(b) * (len(b) - 1)) - 2 * k(a, b).mean()


def wrong__10_kid__rbf(a, b):
    """A Gaussian kernel instead of the polynomial."""
    k = lambda x, y: torch.exp(-torch.cdist(x, y).square() / (2 * x.shape[1]))
    return off(k(a, a)) + off(k(b, b)) - 2 * k(a, b).mean()


def wrong__10_kid__centred(a, b):
    """Features are centred first by the mean of b."""
    a, b = a - b.mean(0), b - b.mean(0)
    return off(k(a, a)) + off(k(b, b)) - 2 * k(a, b).mean()


def wrong__10_kid__in_place(a, b):
    """a and b are divided by the root of d in place."""
    d = a.shape[1]
    a /= d**0.5
    b /= d**0.5
    k = lambda x, y: (x @ y.T + 1) ** 3
    return off(k(a, a)) + off(k(b, b)) - 2 * k(a, b).mean()


def wrong__10_kid__float32(a, b):
    """float32 inside."""
    x, y = a.float(), b.float()
    return (off(k(x, x)) + off(k(y, y)) - 2 * k(x, y).mean()).to(a.dtype)


def wrong__10_kid__first_1000(a, b):
    """Truncates both sets to the smaller number of rows."""
    n = min(len(a), len(b))
    a, b = a[:n], b[:n]
    return off(k(a, a)) + off(k(b, b)) - 2 * k(a, b).mean()


def fd(mean_a, cov_a, mean_b, cov_b):
    L = torch.linalg.cholesky(cov_b)
    v = torch.linalg.eigvalsh(L.T @ cov_a @ L).clamp(min=0).sqrt().sum()
    return (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * v


def thetas(a, b, mean, cov, group):
    def diff(keep):
        return fd(*moments(a[keep]), mean, cov) - fd(*moments(b[keep]), mean, cov)
    G = int(group.max()) + 1
    return diff(torch.ones(len(a), dtype=torch.bool)), torch.stack([diff(group != g) for g in range(G)]), G


def wrong__10_paired_difference__one_over_G(a, b, mean, cov, group, reach):
    """1/G for (G - 1)/G."""
    d, t, G = thetas(a, b, mean, cov, group)
    e = (((t - t.mean()) ** 2).sum() / G).sqrt()
    return d, d - reach * e, d + reach * e


def wrong__10_paired_difference__std(a, b, mean, cov, group, reach):
    """The plain standard deviation of the thetas (N - 1)."""
    d, t, G = thetas(a, b, mean, cov, group)
    e = t.std()
    return d, d - reach * e, d + reach * e


def wrong__10_paired_difference__standard_error(a, b, mean, cov, group, reach):
    """std / sqrt(G), as for independent repetitions."""
    d, t, G = thetas(a, b, mean, cov, group)
    e = t.std() / G**0.5
    return d, d - reach * e, d + reach * e


def wrong__10_paired_difference__no_root(a, b, mean, cov, group, reach):
    """Root forgotten: the variance."""
    d, t, G = thetas(a, b, mean, cov, group)
    e = (G - 1) / G * ((t - t.mean()) ** 2).sum()
    return d, d - reach * e, d + reach * e


def wrong__10_paired_difference__inverse_factor(a, b, mean, cov, group, reach):
    """G / (G - 1)."""
    d, t, G = thetas(a, b, mean, cov, group)
    e = (G / (G - 1) * ((t - t.mean()) ** 2).sum()).sqrt()
    return d, d - reach * e, d + reach * e


def wrong__10_paired_difference__about_delta(a, b, mean, cov, group, reach):
    """Squares about Delta, not about the mean of the thetas."""
    d, t, G = thetas(a, b, mean, cov, group)
    e = ((G - 1) / G * ((t - d) ** 2).sum()).sqrt()
    return d, d - reach * e, d + reach * e


def wrong__10_paired_difference__centre_mean(a, b, mean, cov, group, reach):
    """Interval about the mean of the thetas."""
    d, t, G = thetas(a, b, mean, cov, group)
    e = ((G - 1) / G * ((t - t.mean()) ** 2).sum()).sqrt()
    m = t.mean()
    return d, m - reach * e, m + reach * e


def wrong__10_paired_difference__delta_is_mean(a, b, mean, cov, group, reach):
    """Delta returned as the mean of the thetas."""
    d, t, G = thetas(a, b, mean, cov, group)
    e = ((G - 1) / G * ((t - t.mean()) ** 2).sum()).sqrt()
    m = t.mean()
    return m, m - reach * e, m + reach * e


def wrong__10_paired_difference__swapped(a, b, mean, cov, group, reach):
    """b minus a."""
    d, t, G = thetas(b, a, mean, cov, group)
    e = ((G - 1) / G * ((t - t.mean()) ** 2).sum()).sqrt()
    return d, d - reach * e, d + reach * e


def wrong__10_paired_difference__only_group(a, b, mean, cov, group, reach):
    """theta_g from the pairs of group g only (shrunk towards 0 noise), group == g."""
    def diff(keep):
        return fd(*moments(a[keep]), mean, cov) - fd(*moments(b[keep]), mean, cov)
    d = diff(torch.ones(len(a), dtype=torch.bool))
    G = int(group.max()) + 1
    t = torch.stack([diff(group == g) for g in range(G)])
    e = ((G - 1) / G * ((t - t.mean()) ** 2).sum()).sqrt()
    return d, d - reach * e, d + reach * e


def wrong__10_paired_difference__off_by_one(a, b, mean, cov, group, reach):
    """G = group.max(): the last group is never left out."""
    d, t, G = thetas(a, b, mean, cov, group)
    t, G = t[:-1], G - 1
    e = ((G - 1) / G * ((t - t.mean()) ** 2).sum()).sqrt()
    return d, d - reach * e, d + reach * e


def wrong__10_paired_difference__from_one(a, b, mean, cov, group, reach):
    """Groups 1 .. G: group 0 is never left out, G is."""
    d, t, G = thetas(a, b, mean, cov, group)
    t = torch.cat([t[1:], d[None]])
    e = ((G - 1) / G * ((t - t.mean()) ** 2).sum()).sqrt()
    return d, d - reach * e, d + reach * e


def wrong__10_paired_difference__ten_groups(a, b, mean, cov, group, reach):
    """G = 10 fixed in the factor."""
    d, t, G = thetas(a, b, mean, cov, group)
    e = (0.9 * ((t - t.mean()) ** 2).sum()).sqrt()
    return d, d - reach * e, d + reach * e


def wrong__10_paired_difference__reach_fixed(a, b, mean, cov, group, reach):
    """2.26 for reach."""
    d, t, G = thetas(a, b, mean, cov, group)
    e = ((G - 1) / G * ((t - t.mean()) ** 2).sum()).sqrt()
    return d, d - 2.26 * e, d + 2.26 * e


def wrong__10_paired_difference__no_reach(a, b, mean, cov, group, reach):
    """reach forgotten."""
    d, t, G = thetas(a, b, mean, cov, group)
    e = ((G - 1) / G * ((t - t.mean()) ** 2).sum()).sqrt()
    return d, d - e, d + e


def wrong__10_paired_difference__half_reach(a, b, mean, cov, group, reach):
    """reach / 2 to each side."""
    d, t, G = thetas(a, b, mean, cov, group)
    e = ((G - 1) / G * ((t - t.mean()) ** 2).sum()).sqrt()
    return d, d - reach * e / 2, d + reach * e / 2


def wrong__10_paired_difference__high_first(a, b, mean, cov, group, reach):
    """High end before the low one."""
    d, t, G = thetas(a, b, mean, cov, group)
    e = ((G - 1) / G * ((t - t.mean()) ** 2).sum()).sqrt()
    return d, d + reach * e, d - reach * e


def wrong__10_paired_difference__independent(a, b, mean, cov, group, reach):
    """Two separate jackknifes, errors added in squares: not paired."""
    def one(x):
        G = int(group.max()) + 1
        t = torch.stack([fd(*moments(x[group != g]), mean, cov) for g in range(G)])
        return fd(*moments(x), mean, cov), (G - 1) / G * ((t - t.mean()) ** 2).sum()
    (fa, va), (fb, vb) = one(a), one(b)
    e = (va + vb).sqrt()
    return fa - fb, fa - fb - reach * e, fa - fb + reach * e


def wrong__10_paired_difference__left_out_of_a(a, b, mean, cov, group, reach):
    """The group is left out of a only."""
    G = int(group.max()) + 1
    fb = fd(*moments(b), mean, cov)
    d = fd(*moments(a), mean, cov) - fb
    t = torch.stack([fd(*moments(a[group != g]), mean, cov) - fb for g in range(G)])
    e = ((G - 1) / G * ((t - t.mean()) ** 2).sum()).sqrt()
    return d, d - reach * e, d + reach * e


def wrong__10_paired_difference__a_against_b(a, b, mean, cov, group, reach):
    """The distance of a from b, mean and cov unused."""
    G = int(group.max()) + 1
    d = fd(*moments(a), *moments(b))
    t = torch.stack([fd(*moments(a[group != g]), *moments(b[group != g])) for g in range(G)])
    e = ((G - 1) / G * ((t - t.mean()) ** 2).sum()).sqrt()
    return d, d - reach * e, d + reach * e


def wrong__10_paired_difference__bias_corrected(a, b, mean, cov, group, reach):
    """Jackknife bias correction: G Delta - (G - 1) mean theta."""
    d, t, G = thetas(a, b, mean, cov, group)
    e = ((G - 1) / G * ((t - t.mean()) ** 2).sum()).sqrt()
    d = G * d - (G - 1) * t.mean()
    return d, d - reach * e, d + reach * e


def wrong__10_paired_difference__cov_n(a, b, mean, cov, group, reach):
    """Covariance divided by N."""
    def mom(f):
        return f.mean(0), torch.cov(f.T, correction=0).reshape(f.shape[1], f.shape[1])
    def diff(keep):
        return fd(*mom(a[keep]), mean, cov) - fd(*mom(b[keep]), mean, cov)
    d = diff(group >= 0)
    G = int(group.max()) + 1
    t = torch.stack([diff(group != g) for g in range(G)])
    e = ((G - 1) / G * ((t - t.mean()) ** 2).sum()).sqrt()
    return d, d - reach * e, d + reach * e


def wrong__10_paired_difference__chunks(a, b, mean, cov, group, reach):
    """Groups taken as consecutive chunks, the argument's labels ignored."""
    G = int(group.max()) + 1
    mine = torch.arange(len(a)) * G // len(a)
    d, t, G = thetas(a, b, mean, cov, mine)
    e = ((G - 1) / G * ((t - t.mean()) ** 2).sum()).sqrt()
    return d, d - reach * e, d + reach * e


def wrong__10_paired_difference__weighted(a, b, mean, cov, group, reach):
    """theta-bar weighted by the group's size."""
    d, t, G = thetas(a, b, mean, cov, group)
    w = torch.bincount(group).to(t) / len(group)
    bar = (w * t).sum()
    e = ((G - 1) / G * ((t - bar) ** 2).sum()).sqrt()
    return d, d - reach * e, d + reach * e


def wrong__10_paired_difference__sum_not_squared(a, b, mean, cov, group, reach):
    """Absolute deviations summed."""
    d, t, G = thetas(a, b, mean, cov, group)
    e = (G - 1) / G * (t - t.mean()).abs().sum()
    return d, d - reach * e, d + reach * e


def wrong__10_paired_difference__n_for_G(a, b, mean, cov, group, reach):
    """(N - 1)/N for (G - 1)/G."""
    d, t, G = thetas(a, b, mean, cov, group)
    N = len(a)
    e = ((N - 1) / N * ((t - t.mean()) ** 2).sum()).sqrt()
    return d, d - reach * e, d + reach * e


def wrong__10_paired_difference__returns_e(a, b, mean, cov, group, reach):
    """Returns Delta and e only."""
    d, t, G = thetas(a, b, mean, cov, group)
    e = ((G - 1) / G * ((t - t.mean()) ** 2).sum()).sqrt()
    return d, e


def wrong__10_paired_difference__widths(a, b, mean, cov, group, reach):
    """Returns Delta, -reach e, +reach e: ends not about Delta."""
    d, t, G = thetas(a, b, mean, cov, group)
    e = ((G - 1) / G * ((t - t.mean()) ** 2).sum()).sqrt()
    return d, -reach * e, reach * e


def wrong__10_paired_difference__floats(a, b, mean, cov, group, reach):
    """Python numbers."""
    d, t, G = thetas(a, b, mean, cov, group)
    e = ((G - 1) / G * ((t - t.mean()) ** 2).sum()).sqrt()
    return d.item(), (d - reach * e).item(), (d + reach * e).item()


def wrong__10_paired_difference__in_place(a, b, mean, cov, group, reach):
    """Features are centred in place by the real mean."""
    a -= mean
    b -= mean
    d, t, G = thetas(a, b, 0 * mean, cov, group)
    e = ((G - 1) / G * ((t - t.mean()) ** 2).sum()).sqrt()
    return d, d - reach * e, d + reach * e


def wrong__10_paired_difference__equal_groups(a, b, mean, cov, group, reach):
    """Assumes groups of equal size: rows sorted by group, cut in G equal chunks."""
    G = int(group.max()) + 1
    order = group.argsort(stable=True)
    d, t, G = thetas(a[order], b[order], mean, cov, torch.arange(len(a)) * G // len(a))
    e = ((G - 1) / G * ((t - t.mean()) ** 2).sum()).sqrt()
    return d, d - reach * e, d + reach * e


def wrong__10_paired_difference__clamped_low(a, b, mean, cov, group, reach):
    """The low end is clamped at 0, as a distance."""
    d, t, G = thetas(a, b, mean, cov, group)
    e = ((G - 1) / G * ((t - t.mean()) ** 2).sum()).sqrt()
    return d, (d - reach * e).clamp(min=0), d + reach * e


def wrong__10_paired_difference__abs(a, b, mean, cov, group, reach):
    """The absolute difference."""
    d, t, G = thetas(a, b, mean, cov, group)
    e = ((G - 1) / G * ((t - t.mean()) ** 2).sum()).sqrt()
    d = d.abs()
    return d, d - reach * e, d + reach * e


def wrong__10_paired_difference__float32(a, b, mean, cov, group, reach):
    """float32 inside."""
    d, t, G = thetas(a.float(), b.float(), mean.float(), cov.float(), group)
    e = ((G - 1) / G * ((t - t.mean()) ** 2).sum()).sqrt()
    return d.double(), (d - reach * e).double(), (d + reach * e).double()


def wrong__10_paired_difference__unpaired_rows(a, b, mean, cov, group, reach):
    """b's groups are permuted: another group of b is left out than of a."""
    def diff(ka, kb):
        return fd(*moments(a[ka]), mean, cov) - fd(*moments(b[kb]), mean, cov)
    d = diff(group >= 0, group >= 0)
    G = int(group.max()) + 1
    t = torch.stack([diff(group != g, group != (g + 1) % G) for g in range(G)])
    e = ((G - 1) / G * ((t - t.mean()) ** 2).sum()).sqrt()
    return d, d - reach * e, d + reach * e


def z(q):
    return torch.special.ndtri(torch.tensor(q, dtype=torch.float64))


def wrong__10_needed_samples__one_sided(marks_a, marks_b, level, power):
    """z of 1 - level, not 1 - level / 2."""
    d = marks_a - marks_b
    return ((z(1 - level) + z(power)) ** 2 * d.var(correction=0) / d.mean() ** 2).ceil().long()


def wrong__10_needed_samples__corrected_var(marks_a, marks_b, level, power):
    """Variance divided by N - 1 (torch's default)."""
    d = marks_a - marks_b
    return ((z(1 - level / 2) + z(power)) ** 2 * d.var() / d.mean() ** 2).ceil().long()


def wrong__10_needed_samples__std(marks_a, marks_b, level, power):
    """s for s^2."""
    d = marks_a - marks_b
    return ((z(1 - level / 2) + z(power)) ** 2 * d.std(correction=0) / d.mean() ** 2).ceil().long()


def wrong__10_needed_samples__delta_not_squared(marks_a, marks_b, level, power):
    """|delta| for delta^2."""
    d = marks_a - marks_b
    return ((z(1 - level / 2) + z(power)) ** 2 * d.var(correction=0) / d.mean().abs()).ceil().long()


def wrong__10_needed_samples__z_not_squared(marks_a, marks_b, level, power):
    """Sum of z not squared."""
    d = marks_a - marks_b
    return ((z(1 - level / 2) + z(power)) * d.var(correction=0) / d.mean() ** 2).ceil().long()


def wrong__10_needed_samples__squares_summed(marks_a, marks_b, level, power):
    """z1^2 + z2^2 for (z1 + z2)^2."""
    d = marks_a - marks_b
    return ((z(1 - level / 2) ** 2 + z(power) ** 2) * d.var(correction=0) / d.mean() ** 2).ceil().long()


def wrong__10_needed_samples__minus(marks_a, marks_b, level, power):
    """z1 - z2."""
    d = marks_a - marks_b
    return ((z(1 - level / 2) - z(power)) ** 2 * d.var(correction=0) / d.mean() ** 2).ceil().long()


def wrong__10_needed_samples__no_power(marks_a, marks_b, level, power):
    """z_P forgotten (power 0.5 always)."""
    d = marks_a - marks_b
    return (z(1 - level / 2) ** 2 * d.var(correction=0) / d.mean() ** 2).ceil().long()


def wrong__10_needed_samples__independent(marks_a, marks_b, level, power):
    """Sum of both variances: not paired."""
    d = marks_a - marks_b
    s2 = marks_a.var(correction=0) + marks_b.var(correction=0)
    return ((z(1 - level / 2) + z(power)) ** 2 * s2 / d.mean() ** 2).ceil().long()


def wrong__10_needed_samples__rounded(marks_a, marks_b, level, power):
    """Rounded to the nearest, not up."""
    d = marks_a - marks_b
    return ((z(1 - level / 2) + z(power)) ** 2 * d.var(correction=0) / d.mean() ** 2).round().long()


def wrong__10_needed_samples__floor(marks_a, marks_b, level, power):
    """Truncated by .long()."""
    d = marks_a - marks_b
    return ((z(1 - level / 2) + z(power)) ** 2 * d.var(correction=0) / d.mean() ** 2).long()


def wrong__10_needed_samples__floor_plus_1(marks_a, marks_b, level, power):
    """Ceil plus one more."""
    d = marks_a - marks_b
    return ((z(1 - level / 2) + z(power)) ** 2 * d.var(correction=0) / d.mean() ** 2).ceil().long() + 1


def wrong__10_needed_samples__float(marks_a, marks_b, level, power):
    """Left as float64 after ceil."""
    d = marks_a - marks_b
    return ((z(1 - level / 2) + z(power)) ** 2 * d.var(correction=0) / d.mean() ** 2).ceil()


def wrong__10_needed_samples__int(marks_a, marks_b, level, power):
    """A Python int."""
    d = marks_a - marks_b
    return math.ceil((z(1 - level / 2) + z(power)) ** 2 * d.var(correction=0) / d.mean() ** 2)


def wrong__10_needed_samples__second_moment(marks_a, marks_b, level, power):
    """Mean square of the differences (mean not subtracted), as in McNemar."""
    d = marks_a - marks_b
    return ((z(1 - level / 2) + z(power)) ** 2 * d.square().mean() / d.mean() ** 2).ceil().long()


def wrong__10_needed_samples__rule_of_thumb(marks_a, marks_b, level, power):
    """s^2 = 2 p (1 - p) with the mean share: chapter 4's rule."""
    d = marks_a - marks_b
    p = (marks_a.mean() + marks_b.mean()) / 2
    return ((z(1 - level / 2) + z(power)) ** 2 * 2 * p * (1 - p) / d.mean() ** 2).ceil().long()


def wrong__10_needed_samples__hard_coded(marks_a, marks_b, level, power):
    """Level 0.05 and power 0.8 hard-coded: (1.96 + 0.84)^2."""
    d = marks_a - marks_b
    return ((1.96 + 0.84) ** 2 * d.var(correction=0) / d.mean() ** 2).ceil().long()


def wrong__10_needed_samples__level_half_wrong(marks_a, marks_b, level, power):
    """z of (1 - level) / 2."""
    d = marks_a - marks_b
    return ((z((1 - level) / 2) + z(power)) ** 2 * d.var(correction=0) / d.mean() ** 2).ceil().long()


def wrong__10_needed_samples__lower_quantile(marks_a, marks_b, level, power):
    """z of level / 2 (negative) added to z_P."""
    d = marks_a - marks_b
    return ((z(level / 2) + z(power)) ** 2 * d.var(correction=0) / d.mean() ** 2).ceil().long()


def wrong__10_needed_samples__ndtr(marks_a, marks_b, level, power):
    """ndtr (the distribution function) for its inverse."""
    d = marks_a - marks_b
    w = lambda q: torch.special.ndtr(torch.tensor(q, dtype=torch.float64))
    return ((w(1 - level / 2) + w(power)) ** 2 * d.var(correction=0) / d.mean() ** 2).ceil().long()


def wrong__10_needed_samples__swapped(marks_a, marks_b, level, power):
    """level and power swapped."""
    level, power = power, level
    d = marks_a - marks_b
    return ((z(1 - level / 2) + z(power)) ** 2 * d.var(correction=0) / d.mean() ** 2).ceil().long()


def wrong__10_needed_samples__beta(marks_a, marks_b, level, power):
    """z of 1 - power."""
    d = marks_a - marks_b
    return ((z(1 - level / 2) + z(1 - power)) ** 2 * d.var(correction=0) / d.mean() ** 2).ceil().long()


def wrong__10_needed_samples__both_halved(marks_a, marks_b, level, power):
    """z of (1 + power) / 2: power two-sided, too."""
    d = marks_a - marks_b
    return ((z(1 - level / 2) + z((1 + power) / 2)) ** 2 * d.var(correction=0) / d.mean() ** 2).ceil().long()


def wrong__10_needed_samples__total(marks_a, marks_b, level, power):
    """Counts the samples of both sides: twice the pairs."""
    d = marks_a - marks_b
    return 2 * ((z(1 - level / 2) + z(power)) ** 2 * d.var(correction=0) / d.mean() ** 2).ceil().long()


def wrong__10_needed_samples__divided_n(marks_a, marks_b, level, power):
    """Another division by N (variance of the mean)."""
    d = marks_a - marks_b
    return ((z(1 - level / 2) + z(power)) ** 2 * d.var(correction=0) / len(d) / d.mean() ** 2).ceil().long()


def wrong__10_needed_samples__abs_diff(marks_a, marks_b, level, power):
    """|a - b| per row before mean and variance."""
    d = (marks_a - marks_b).abs()
    return ((z(1 - level / 2) + z(power)) ** 2 * d.var(correction=0) / d.mean() ** 2).ceil().long()


def wrong__10_needed_samples__sign(marks_a, marks_b, level, power):
    """Root form without |delta|: correct only where a is better (n clamped at 1)."""
    d = marks_a - marks_b
    root = (z(1 - level / 2) + z(power)) * d.std(correction=0) / d.mean()
    return (root.clamp(min=1) ** 2).ceil().long()


def wrong__10_needed_samples__float32(marks_a, marks_b, level, power):
    """z in float32, only two decimals."""
    d = marks_a - marks_b
    zz = round(float(z(1 - level / 2)), 2) + round(float(z(power)), 2)
    return (zz**2 * d.var(correction=0) / d.mean() ** 2).ceil().long()


def wrong__10_needed_samples__int32(marks_a, marks_b, level, power):
    """int32 instead of int64."""
    d = marks_a - marks_b
    return ((z(1 - level / 2) + z(power)) ** 2 * d.var(correction=0) / d.mean() ** 2).ceil().int()


def wrong__10_needed_samples__at_least_pilot(marks_a, marks_b, level, power):
    """Never fewer than the pilot had."""
    d = marks_a - marks_b
    n = ((z(1 - level / 2) + z(power)) ** 2 * d.var(correction=0) / d.mean() ** 2).ceil().long()
    return n.clamp(min=len(d))


def nuclear(mean_a, cov_a, mean_b, cov_b):
    La, Lb = torch.linalg.cholesky(cov_a), torch.linalg.cholesky(cov_b)
    d = mean_a - mean_b
    return d @ d + torch.trace(cov_a + cov_b) - 2 * torch.linalg.svdvals(La.T @ Lb).sum()


def right__10_paired_difference__nuclear(a, b, mean, cov, group, reach):
    """With the accepted frechet_distance by two Cholesky factors."""
    def difference(kept):
        return nuclear(*moments(a[kept]), mean, cov) - nuclear(*moments(b[kept]), mean, cov)
    value = difference(group >= 0)
    G = int(group.max()) + 1
    theta = torch.stack([difference(group != g) for g in range(G)])
    e = ((G - 1) / G * (theta - theta.mean()).square().sum()).sqrt()
    return value, value - reach * e, value + reach * e


def wrong__10_frechet_distance__chol_a(mean_a, cov_a, mean_b, cov_b):
    """Cholesky of cov_a instead of cov_b."""
    L = torch.linalg.cholesky(cov_a)
    v = torch.linalg.eigvalsh(L.T @ cov_b @ L).clamp(min=0)
    return (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * v.sqrt().sum()


def wrong__10_frechet_distance__unclamped(mean_a, cov_a, mean_b, cov_b):
    """Without a clamp (open: 'eigenvalues above 0')."""
    L = torch.linalg.cholesky(cov_b)
    v = torch.linalg.eigvalsh(L.T @ cov_a @ L)
    return (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * v.sqrt().sum()


def wrong__10_frechet_distance__eigh_root_unclamped(mean_a, cov_a, mean_b, cov_b):
    """The chapter's root(), as printed, for the root of a."""
    def root(S):
        values, vectors = torch.linalg.eigh(S)
        return vectors * values.sqrt() @ vectors.T
    half = root(cov_a)
    return (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * root(half @ cov_b @ half).trace()


def wrong__10_kid__loop_zip(a, b):
    """Cross term over zip(a, b) only."""
    k = lambda x, y: (x @ y.T / x.shape[1] + 1) ** 3
    off = lambda K: (K.sum() - K.trace()) / (len(K) * (len(K) - 1))
    cross = sum(((x @ y) / len(x) + 1) ** 3 for x, y in zip(a, b)) / min(len(a), len(b))
    return off(k(a, a)) + off(k(b, b)) - 2 * cross


def wrong__10_kid__trace_of_b_wrong(a, b):
    """Typo: the b term uses the trace of a's kernel."""
    k = lambda x, y: (x @ y.T / x.shape[1] + 1) ** 3
    A, B = k(a, a), k(b, b)
    n, m = len(a), len(b)
    return (A.sum() - A.trace()) / (n * (n - 1)) + (B.sum() - A.trace()) / (m * (m - 1)) - 2 * k(a, b).mean()


def wrong__10_kid__a_only(a, b):
    """Diagonal removed for a only."""
    k = lambda x, y: (x @ y.T / x.shape[1] + 1) ** 3
    A, B = k(a, a), k(b, b)
    n = len(a)
    return (A.sum() - A.trace()) / (n * (n - 1)) + B.mean() - 2 * k(a, b).mean()


def wrong__10_kid__n_minus_1_squared(a, b):
    """(N - 1)^2 below."""
    k = lambda x, y: (x @ y.T / x.shape[1] + 1) ** 3
    off = lambda K: (K.sum() - K.trace()) / (len(K) - 1) ** 2
    return off(k(a, a)) + off(k(b, b)) - 2 * k(a, b).mean()


def wrong__10_frechet_distance__abs_mean(mean_a, cov_a, mean_b, cov_b):
    """Sum of absolute mean differences (L1)."""
    L = torch.linalg.cholesky(cov_b)
    v = torch.linalg.eigvalsh(L.T @ cov_a @ L).clamp(min=0).sqrt().sum()
    return (mean_a - mean_b).abs().sum() + cov_a.trace() + cov_b.trace() - 2 * v


def wrong__10_frechet_distance__cov_sums(mean_a, cov_a, mean_b, cov_b):
    """cov.sum() for the trace."""
    L = torch.linalg.cholesky(cov_b)
    v = torch.linalg.eigvalsh(L.T @ cov_a @ L).clamp(min=0).sqrt().sum()
    return (mean_a - mean_b).square().sum() + cov_a.sum() + cov_b.sum() - 2 * v


def wrong__10_frechet_distance__two_inside(mean_a, cov_a, mean_b, cov_b):
    """The 2 inside the root: sqrt(2 lambda)."""
    L = torch.linalg.cholesky(cov_b)
    v = (2 * torch.linalg.eigvalsh(L.T @ cov_a @ L)).clamp(min=0).sqrt().sum()
    return (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - v


def wrong__10_frechet_distance__max_eig(mean_a, cov_a, mean_b, cov_b):
    """The largest eigenvalue's root only."""
    L = torch.linalg.cholesky(cov_b)
    v = torch.linalg.eigvalsh(L.T @ cov_a @ L).max().sqrt()
    return (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * v


def wrong__10_needed_samples__one_level(marks_a, marks_b, level, power):
    """z of 1 - 2 level: alpha doubled rather than halved."""
    d = marks_a - marks_b
    z = torch.special.ndtri(torch.tensor([1 - 2 * level, power], dtype=torch.float64)).sum()
    return (z**2 * d.var(correction=0) / d.mean() ** 2).ceil().long()


def wrong__10_needed_samples__sum_delta(marks_a, marks_b, level, power):
    """delta is the sum of differences."""
    d = marks_a - marks_b
    z = torch.special.ndtri(torch.tensor([1 - level / 2, power], dtype=torch.float64)).sum()
    return (z**2 * d.var(correction=0) / d.sum() ** 2).ceil().long()


def wrong__10_needed_samples__ceil_z(marks_a, marks_b, level, power):
    """Rounded up before dividing by delta^2."""
    d = marks_a - marks_b
    z = torch.special.ndtri(torch.tensor([1 - level / 2, power], dtype=torch.float64)).sum()
    return ((z**2 * d.var(correction=0)).ceil() / d.mean() ** 2).long()


def wrong__10_needed_samples__upside_down(marks_a, marks_b, level, power):
    """delta^2 / s^2."""
    d = marks_a - marks_b
    z = torch.special.ndtri(torch.tensor([1 - level / 2, power], dtype=torch.float64)).sum()
    return (z**2 * d.mean() ** 2 / d.var(correction=0)).ceil().long()


def wrong__10_needed_samples__bernoulli_of_discordant(marks_a, marks_b, level, power):
    """Variance of the discordant pairs only."""
    d = marks_a - marks_b
    z = torch.special.ndtri(torch.tensor([1 - level / 2, power], dtype=torch.float64)).sum()
    d2 = d[d != 0]
    return (z**2 * d2.var(correction=0) / d2.mean() ** 2).ceil().long()


def wrong__10_needed_samples__power_of_a_half_at_least(marks_a, marks_b, alpha, power):
    """power is in (0, 1): 0.2 is one, too."""
    d = marks_a - marks_b
    z = torch.special.ndtri(torch.tensor([1 - alpha / 2, max(power, 0.5)], dtype=torch.float64)).sum()
    return math.ceil((z**2 * d.var(correction=0) / d.mean() ** 2).item())
