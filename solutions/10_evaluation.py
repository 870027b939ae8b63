# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,course,-all
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 10. Evaluation: how good are the samples, and which of two is better?
#
# A table in a paper says that one sampler has FID 2.1 and another 2.4. What does the number measure, by how much would
# it change if the samples were drawn again, and would a second measure agree? This chapter builds the common measures
# from their definitions and tries each on sets of digits in which a fault was planted. Then it asks the question that a
# table is printed for, which of two samplers is better, and answers it with an interval. You write the Fréchet
# distance, KID, a paired comparison, and the number of samples that a comparison needs.
#
# **You learn**
#
# - what the Fréchet distance is, and how it is computed without the square root of a matrix that is not symmetric;
# - how much too large it is for few samples, how to extrapolate that away, and what real digits score;
# - why distances in two feature spaces cannot be compared: an FID of 0.35 in 64 dimensions is not better than one of 2
#   in 2048;
# - why KID has no such bias, and what it pays for that;
# - which of seven measures sees which of five faults, and how to break a digit so that a classifier does not notice;
# - why a model can win in likelihood and lose in Fréchet distance, and the reverse;
# - how to compare two samplers: in pairs, with an interval, with enough samples, and with a correction where many are
#   compared.
#
# **You need** denoisers and samplers (chapters 3 and 7) and guidance (chapter 6). Paired comparisons, Wilson intervals
# and Holm's correction have been used in the chapters before; here they are explained.
#
# **Time**: {{reading}} of reading, and {{minutes}} for {{exercises}}. The cells run in about 60 s on 2 CPU cores (not
# measured on a GPU).

# %% [markdown]
# ## Notation
#
# {{notation x0 d moments frechet kid_kernel jackknife D w}}
#
# A *feature* of an image is a number that a network computes from it, and $d$ is also their number. All measures below
# compare two sets of feature vectors: $N$ of samples, and $M$ of real images. The networks are *judges*, classifiers
# that ship with the course; their features are the 96 numbers before the last layer.

# %%
import math
import time
from pathlib import Path

import torch
from torch.nn import functional as F

import diffusion_course as dc
from diffusion_course.classroom import check, check_all
from diffusion_course.denoisers import DatasetDenoiser, GaussianMixture
from diffusion_course.errors import CourseError
from diffusion_course.experiments import data, intervals, metrics, studies, zoo
from diffusion_course.experiments.drawing import draw
from diffusion_course.experiments.fid import networks
from diffusion_course.experiments.studies import guidance_variants
from diffusion_course.experiments.studies.shown import show_differences, show_quality
from diffusion_course.notebook import plots, quiz, widgets
from diffusion_course.notebook.claims import agree, claim
from diffusion_course.notebook.tables import show_table

# %%
# NBVAL_IGNORE_OUTPUT
judge = zoo.judge("mnist", course.device)


def seen(images, by=judge):
    """What a judge sees: its features (N, 96), in float64, on the CPU."""
    return metrics.features(by, images.to(course.device))


digits = data.load("mnist-5k", limit=4000)
in_turn = torch.stack([(digits.labels == c).nonzero()[:400, 0] for c in range(10)], dim=1).flatten()
images, labels = digits.images[in_turn], digits.labels[in_turn]  # 0, 1, ..., 9, 0, 1, ...
pool, real = images[:2000], images[2000:]
features_of_pool, features_of_real = seen(images).split(2000)
print("features:", tuple(features_of_pool.shape), "and", tuple(features_of_real.shape))

# %% [markdown]
# `real` is the reference in all that follows, 2,000 real digits. `pool` holds 2,000 other real digits, from which sets
# are taken that stand in for samples. Both have 200 digits of each class.
#
# ## 1. Two clouds, one number
#
# Images of two sets become two clouds of points in feature space. Replace each cloud by the Gaussian with its mean and
# covariance, and measure how far one Gaussian must be moved to become the other.
#
# ### The least effort
#
# Let $x \sim \mathcal{N}(\mu_a, S_a)$ and $y \sim \mathcal{N}(\mu_b, S_b)$. They may be drawn together in many ways,
# with any covariance $C = \mathrm{Cov}(x, y)$ between them that leaves the joint covariance without negative
# eigenvalues. A plan that moves $x$ to $y$ costs
#
# $$\begin{aligned}
# \mathbb{E}\,\|x - y\|^2 &= \|\mu_a - \mu_b\|^2 + \mathrm{tr}\,\mathrm{Cov}(x - y) && \text{mean squared = squared mean + variance} \\
# &= \|\mu_a - \mu_b\|^2 + \mathrm{tr}\,S_a + \mathrm{tr}\,S_b - 2\,\mathrm{tr}\,C && \mathrm{Cov}(x - y) = S_a + S_b - C - C^\top
# \end{aligned}$$
#
# and the cheapest plan has the largest $\mathrm{tr}\,C$. Let $y = \mu_b + A\,(x - \mu_a)$ with a symmetric $A$ without
# negative eigenvalues (for such a map no other plan is cheaper: Dowson & Landau 1982 prove it). Then
#
# $$\begin{aligned}
# S_b &= A\,S_a\,A && \text{it must have the right covariance} \\
# S_a^{1/2} S_b\, S_a^{1/2} &= \big(S_a^{1/2} A\, S_a^{1/2}\big)^2 && \text{multiply by } S_a^{1/2} \text{ from both sides} \\
# S_a^{1/2} A\, S_a^{1/2} &= \big(S_a^{1/2} S_b\, S_a^{1/2}\big)^{1/2} && \text{the root; both sides are symmetric} \\
# \mathrm{tr}\,C = \mathrm{tr}\,S_a A &= \mathrm{tr}\,\big(S_a^{1/2} S_b\, S_a^{1/2}\big)^{1/2} && C = \mathrm{Cov}(x, Ax) = S_a A, \text{ and } \mathrm{tr}\,PQ = \mathrm{tr}\,QP
# \end{aligned}$$
#
# $S_a^{1/2} S_b\, S_a^{1/2}$ has the eigenvalues of $S_a S_b$ (multiply an eigenvector of the first by $S_a^{1/2}$). So
# the trace is the sum of the roots of these eigenvalues, $\sum_i \sqrt{\lambda_i(S_a S_b)}$, written $\mathrm{tr}\,(S_a
# S_b)^{1/2}$, and
#
# $$F = \|\mu_a - \mu_b\|^2 + \mathrm{tr}\,S_a + \mathrm{tr}\,S_b - 2\,\mathrm{tr}\,(S_a S_b)^{1/2}$$
#
# (Dowson & Landau 1982, eq. 4; Heusel et al. 2017, eq. 6). This is the *squared* Fréchet distance; papers leave out the
# word, and so do we. With the 2048 features of an Inception network it is called FID.
#
# The cell makes the map $A$ for two Gaussians and checks each line: it carries $S_a$ to $S_b$, its cost is $F$, and no
# plan of 200 random ones is cheaper. A random plan is $C = S_a^{1/2} K\, S_b^{1/2}$ with a matrix $K$ of singular
# values up to 1.


# %%
def root(S):
    """The symmetric square root of a covariance."""
    values, vectors = torch.linalg.eigh(S)
    return vectors * values.sqrt() @ vectors.T


def some_covariance(seed, n=6):
    factor = dc.Noise(seed).randn(n, 2 * n, dtype=torch.float64)
    return factor @ factor.T / (2 * n)


S_a, S_b = some_covariance(1), 2 * some_covariance(2)
mu_a, mu_b = dc.Noise(3).randn(2, 6, dtype=torch.float64)
half = root(S_a)
inner = root(half @ S_b @ half)
A = torch.linalg.inv(half) @ inner @ torch.linalg.inv(half)
agree("A S_a A and S_b", A @ S_a @ A, S_b, 1e-10)
agree(
    "tr S_a A, and the roots of the eigenvalues of S_a S_b",
    (S_a @ A).trace(),
    torch.linalg.eigvals(S_a @ S_b).real.sqrt().sum(),
    1e-10,
)


def cost(C):
    """E |x - y|^2 of a plan with Cov(x, y) = C."""
    return (mu_a - mu_b).square().sum() + S_a.trace() + S_b.trace() - 2 * C.trace()


plans = dc.Noise(4).randn(200, 6, 6, dtype=torch.float64)
plans = plans / torch.linalg.matrix_norm(plans, 2)[:, None, None]  # largest singular value 1
costs = torch.stack([cost(half @ K @ root(S_b)) for K in plans])
by_library = metrics.frechet_distance(metrics.Gaussian(mu_a, S_a), metrics.Gaussian(mu_b, S_b))
agree("the cost of the map and the library's distance", cost(S_a @ A), by_library, 1e-10)
claim("no random plan is cheaper", costs.min() > cost(S_a @ A))
print(f"the map costs {cost(S_a @ A):.2f}, random plans {costs.min():.2f} to {costs.max():.2f}")

# %% [markdown]
# ### How to compute it
#
# $S_a S_b$ is not symmetric. Routines for the root of a general matrix are slow, and for covariances that are nearly
# singular they return complex numbers. Symmetric matrices are easier: let $L$ be any matrix with $L L^\top = S_b$, by
# `torch.linalg.cholesky` (which needs eigenvalues above 0) or from eigenvectors. Then $L^\top S_a L$ is symmetric and
# has the eigenvalues of $S_a S_b$, none of them negative but by rounding. `torch.linalg.eigvalsh` finds them.
#
# ### Exercise {{10-frechet_distance}}
#
# Write the distance of two Gaussians. The means are vectors $(d,)$; the covariances are $(d, d)$, symmetric. $S_b$ has
# eigenvalues above 0. $S_a$ may be singular, as that of copies or of fewer samples than dimensions is: some of its
# eigenvalues are 0, which rounding makes a little negative. Return a tensor of shape `()`, without `.item()`.
#
# *Hint.* In one dimension, what is $F$ of $\mathcal{N}(0, 1)$ and $\mathcal{N}(3, 4)$? The formula gives $9 + 1 + 4 - 2
# \cdot 2$. `torch.linalg.eigvalsh` reads one triangle of its argument and believes that the other is the same.


# %%
# EXERCISE 10-frechet_distance (keep this line)
def frechet_distance(mean_a, cov_a, mean_b, cov_b):
    """The squared Fréchet distance of two Gaussians (Dowson & Landau 1982, eq. 4; Heusel et al. 2017, eq. 6).

    mean_a, mean_b: (d,). cov_a, cov_b: (d, d), symmetric; cov_b with eigenvalues above 0, cov_a may have some that are 0.
    Returns a tensor (), >= 0 up to rounding.
    """
    ### BEGIN SOLUTION
    factor = torch.linalg.cholesky(cov_b)  # factor @ factor.T is cov_b
    eigenvalues = torch.linalg.eigvalsh(factor.T @ cov_a @ factor).clamp(min=0)
    apart = (mean_a - mean_b).square().sum()
    return apart + cov_a.trace() + cov_b.trace() - 2 * eigenvalues.sqrt().sum()
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("10-frechet_distance", frechet_distance)

# %% [markdown]
# From here on the chapter measures with your function. Of features it needs the two moments; `torch.cov` wants the
# samples along the second axis, and divides by $N - 1$.


# %%
def moments(features):
    """Mean (d,) and covariance (d, d) of features (N, d)."""
    d = features.shape[1]
    return features.mean(0), torch.cov(features.T).reshape(d, d)  # of one feature torch.cov returns a number


moments_of_real = moments(features_of_real)


def frechet(features):
    """The distance of features (N, 96) from the real digits."""
    return frechet_distance(*moments(features), *moments_of_real).item()


agree(
    "your distance and the library's",
    frechet(features_of_pool),
    metrics.frechet(features_of_pool, features_of_real),
    1e-8,
)
print(f"2,000 real digits against 2,000 other real digits: {frechet(features_of_pool):.3f}")

# %% [markdown]
# ## 2. It is too large, and by how much depends on n
#
# The two sets are halves of one, so the true distance, that of what they were drawn from, is 0. The number is not 0,
# because a mean and a covariance of finitely many samples are off by chance. At a true distance of 0 each error,
# whatever its sign, moves the Gaussian away; elsewhere some errors help, but the mean is still too large. **Predict,
# then run:** two Gaussians in 32 dimensions whose true distance is known; 40 times, $n$ samples of the first are drawn
# and compared with the second's true moments. By what factor does the mean excess fall when $n$ is doubled?

# %%
scale = torch.linspace(0.5, 1.5, 32, dtype=torch.float64)  # standard deviations of the first Gaussian
aim = torch.full((32,), 0.1, dtype=torch.float64), torch.eye(32, dtype=torch.float64)  # of the second
truth = frechet_distance(0 * aim[0], scale.square().diag(), *aim).item()
agree("the true distance, from the standard deviations", truth, (0.1**2 + (scale - 1) ** 2).sum(), 1e-10)

SIZES, noise = [50, 100, 200, 400, 800, 1600], dc.Noise(5, per_sample=False)
estimates = {
    n: torch.stack(
        [frechet_distance(*moments(scale * noise.randn(n, 32, dtype=torch.float64)), *aim) for _ in range(40)]
    )
    for n in SIZES
}
excess = {n: estimates[n].mean().item() - truth for n in SIZES}
show_table(
    ["n", "mean estimate", "excess", "excess * n", "standard deviation of one estimate"],
    [
        (n, f"{v.mean():.3f}", f"{excess[n]:.3f}", f"{excess[n] * n:.0f}", f"{v.std():.3f}")
        for n, v in estimates.items()
    ],
    f"true distance {truth:.3f}, 32 dimensions",
)
claim(
    "doubling n divides the excess by 2, within a tenth, from 100 to 800",
    all(1.8 < excess[n] / excess[2 * n] < 2.2 for n in SIZES[1:-2]),
)
claim("at n = 50 the excess is larger than the truth", excess[50] > truth)
claim(
    "and larger than three standard deviations of an estimate, for each n up to 400",
    all(excess[n] > 3 * estimates[n].std() for n in SIZES[:4]),
)

# %% [markdown]
# The excess is $c/n$. An error bar does not show it: the estimates scatter little, about a wrong number. And $c$
# depends on the features and on the set, so two FIDs compare only at equal $n$. (Published FIDs commonly have 50,000
# samples.)
#
# ### The slider: n against the distance
#
# The figure shows the mean of 40 estimates at each $n$, with bars that hold 95 % of them, in 8, 32 or 64 dimensions. The
# dashed line is the truth. How large must $n$ be, compared with the number of dimensions, for the bars to reach it?


# %%
def all_estimates(dims):
    """Size -> 40 estimates of a distance, and the truth, in other dimensions."""
    scale = torch.linspace(0.5, 1.5, dims, dtype=torch.float64)
    aim = torch.full((dims,), 0.1, dtype=torch.float64), torch.eye(dims, dtype=torch.float64)
    truth = frechet_distance(0 * aim[0], scale.square().diag(), *aim).item()
    draws = {
        n: torch.stack(
            [
                frechet_distance(*moments(scale * noise.randn(n, dims, dtype=torch.float64)), *aim)
                for _ in range(40)
            ]
        )
        for n in SIZES[1:]
    }
    return draws, truth


by_dims = {8: all_estimates(8), 32: all_estimates(32), 64: all_estimates(64)}


def at_n(n=100, dims=32):
    draws, truth = by_dims[dims]
    ends = {
        k: (v / truth).quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)) for k, v in draws.items()
    }
    low, high = (truth * ends[n]).tolist()
    return plots.curves(
        SIZES[1:],
        {
            "mean of 40 estimates, with 95 % of them": [v.mean() / truth for v in draws.values()],
            "truth": torch.ones(len(draws)),
        },
        title=f"{dims} dimensions, n = {n}: {low:.2f} to {high:.2f}, truth {truth:.2f}",
        xlabel="n (log scale)",
        ylabel="estimate / truth",
        logx=True,
        ylim=(0, 3.5),
        marks={f"n = {n}": n},
        intervals={"mean of 40 estimates, with 95 % of them": torch.stack(list(ends.values()))},
    )


widgets.slide(
    at_n,
    n=SIZES[1:],
    dims=[8, 32, 64],
    description="Estimates of a known Fréchet distance against the number of samples",
    static=[{"n": 100, "dims": 8}, {"n": 100, "dims": 64}, {"n": 1600, "dims": 64}],
)

# %%
reached = {
    dims: min((n for n, v in draws.items() if v.quantile(0.025) <= truth), default=None)
    for dims, (draws, truth) in by_dims.items()
}
for dims, n in reached.items():
    print(
        f"{dims} dimensions: 95 % of the estimates reach down to the truth from n = {n or 'more than 1600'}"
    )
claim("in 64 dimensions they do not at 25 times as many samples", reached[64] is None)

# %% [markdown]
# In few dimensions the bars are wide and soon hold the truth. In many they are narrow, about a wrong number: even with
# $n$ 25 times the number of dimensions the excess is seen. Inception has 2048.
#
# ### Extrapolate: FID∞
#
# Since the excess is $c/n$, a line through the estimates over $1/n$ meets the axis at the truth (Chong & Forsyth 2020).
# The cell takes a set of 1,600 samples, computes the distance of its parts of several sizes, fits the line and takes
# its value at $1/n = 0$. Its error bar is by the *jackknife*: each tenth of the samples is left out once, the whole
# procedure is repeated, and from the ten values $\theta_g$ the standard error is
#
# $$e = \sqrt{\frac{G - 1}{G} \sum_{g} (\theta_g - \bar\theta)^2}, \qquad G = 10$$
#
# The factor is not $1/G$: two of the $\theta_g$ share eight ninths of their samples, so they differ by far less than
# independent repetitions. The half width of a 95 % interval is $2.26\,e$, with Student's factor for nine degrees of
# freedom, which `intervals.reach` multiplies by. (The library's `leave_out` makes the tenths at random.) Forty
# repetitions tell whether such an interval keeps its promise.


# %%
def at_infinity(features, of_real, fractions=(0.2, 0.3, 0.5, 1.0)):
    """The distance (N, d) extrapolated to infinitely many samples, by a line in 1/n through means over disjoint parts."""
    inverse, means = [], []
    for fraction in fractions:
        n = int(fraction * len(features))
        parts = features[: len(features) // n * n].split(n)
        inverse.append(1 / n)
        means.append(sum(frechet_distance(*moments(part), *of_real).item() for part in parts) / len(parts))
    x, y = torch.tensor(inverse, dtype=torch.float64), torch.tensor(means, dtype=torch.float64)
    slope = ((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()
    return (y.mean() - slope * x.mean()).item()


def with_error(features, of_real):
    """The extrapolated distance, and its standard error by the jackknife."""
    theta = metrics.leave_out(lambda rows: at_infinity(features[rows], of_real), len(features))
    G = len(theta)
    e = ((G - 1) / G * (theta - theta.mean()).square().sum()).sqrt().item()
    return at_infinity(features, of_real), e, metrics.scatter(theta)


repeats = []
for _ in range(40):  # forty experiments of 1,600 samples each
    sample = scale * noise.randn(1600, 32, dtype=torch.float64)
    value, e, by_library = with_error(sample, aim)
    repeats.append((frechet_distance(*moments(sample), *aim).item(), value, e, by_library))
at_1600, extrapolated, e, by_library = torch.tensor(repeats, dtype=torch.float64).T
agree("the jackknife by its formula and the library's", e, by_library, 1e-12)
held = int(((extrapolated - truth).abs() < intervals.reach(1.0) * e).sum())
show_table(
    ["40 experiments", "mean", "standard deviation"],
    [
        (name, f"{v.mean():.3f}", f"{v.std():.3f}")
        for name, v in {"1,600 samples": at_1600, "extrapolated": extrapolated}.items()
    ],
    f"true distance {truth:.3f}",
)
print(f"the 95 % interval of the extrapolated value holds the truth in {held} of 40 experiments")
claim(
    "the extrapolated mean is nearer to the truth",
    abs(extrapolated.mean() - truth) < abs(at_1600.mean() - truth) / 3,
)
claim("and its interval holds the truth in at least 35 of 40", held >= 35)

# %% [markdown]
# ### The floor: what real digits score
#
# With real features the truth is not known, but one value is: real digits and other real digits have a true distance
# of 0. What they score instead at the same $n$ is the *floor*. A distance says something only beside it: independent
# samples cannot be expected to be below. (Copies of the reference can.)
#
# **Predict, then run.** 300 digits drawn at random from the pool have 20 to 40 of each class, by chance. 300 taken in
# turn of the classes have 30 of each, as the reference has equal shares. Does that matter?

# %%
by_size = {
    n: [frechet(features_of_pool[k * n : (k + 1) * n]) for k in range(2000 // n)]
    for n in (200, 300, 500, 1000, 2000)
}
generator = torch.Generator().manual_seed(0)
at_random = [frechet(features_of_pool[torch.randperm(2000, generator=generator)[:300]]) for _ in range(6)]
show_table(
    ["n", "sets", "mean distance from real", "smallest to largest"],
    [
        (f"{n}, in turn of the classes", len(v), f"{sum(v) / len(v):.2f}", f"{min(v):.2f} to {max(v):.2f}")
        for n, v in by_size.items()
    ]
    + [("300, at random", 6, f"{sum(at_random) / 6:.2f}", f"{min(at_random):.2f} to {max(at_random):.2f}")],
    "real digits against 2,000 other real digits, judge's features",
)
claim(
    "the floor of digits at random is higher than that of digits in turn", min(at_random) > max(by_size[300])
)
left = [at_infinity(part, moments_of_real, (0.4, 0.6, 1.0)) for part in features_of_pool.split(1000)]
print("extrapolated to n = infinity, from each half of the pool:", ", ".join(f"{v:.2f}" for v in left))

# %% [markdown]
# It does: the two floors do not even overlap. Class-conditional samples come in equal shares, so their floor has equal
# shares, too; otherwise a sampler may score "better than real". Extrapolation need not lead to 0 either: it takes away
# the error of the samples, and the 2,000 real digits of the *reference* are a sample as well, whose error stays.
# Compare with one reference, at one $n$, beside one floor.

# %%
quiz.ask("10-q1")

# %% [markdown]
# ## 3. The features decide what is seen
#
# The distance is in units of the features squared. Other features are another scale and another question. Here is one
# pair of sets, real digits and digits of the network `mnist-edm`, in four spaces: pixels shrunk to 7 × 7; the judge's
# first layers, averaged over the image, which see edges; the judge's last features; and those of the judge of
# *Fashion-MNIST*, which has never seen a digit. Beside them are the digits of `mnist-edm-long`, a network with the same
# architecture that was trained on more images, and real digits that were blurred a little.
#
# **Predict, then run.** In which space is the number of `mnist-edm` the smallest? Is it the space in which the network
# is best?

# %%
GRID, N = dc.schedules.karras(18), 300  # Euler steps
made, fine = (  # classes in turn, without guidance (w = 1)
    draw(zoo.load(name, course.device), N, 1.0, GRID, device=course.device)
    for name in ("mnist-edm", "mnist-edm-long")
)


def blur(images, std):
    """Images blurred with a Gaussian of this standard deviation in pixels; 0 is none."""
    if std == 0:
        return images
    at = torch.arange(-4.0, 5.0)
    kernel = torch.exp(-(at**2) / (2 * std**2))
    kernel = (kernel / kernel.sum()).to(images)
    across = F.conv2d(images + 1, kernel.reshape(1, 1, 1, -1), padding=(0, 4))
    return F.conv2d(across, kernel.reshape(1, 1, -1, 1), padding=(4, 0)) - 1


@torch.no_grad()
def early(images):
    """The judge's first two layers, averaged over the image: (N, 24)."""
    return torch.cat(
        [judge.body[:6](some).mean((2, 3)).double().cpu() for some in images.to(course.device).split(500)]
    )


fashion = zoo.judge("fashion-mnist", course.device)
SPACES = {
    "pixels, 7 x 7": lambda x: F.avg_pool2d(x, 4).flatten(1).double().cpu(),
    "judge, first layers": early,
    "judge, last features": seen,
    "Fashion-MNIST's judge": lambda x: seen(x, fashion),
}
SETS = {
    "real digits (floor)": pool[:N],
    "mnist-edm-long": fine.images,
    "mnist-edm": made.images,
    "real, blurred": blur(pool[:N], 0.7),
}
found = {}
for space, features in SPACES.items():
    of_real = features(real)
    for name, images_of in SETS.items():
        found[space, name] = metrics.frechet(features(images_of), of_real)
    dims = of_real.shape[1]
    found[space, "d"] = dims
show_table(
    ["space", "d", *SETS],
    [(space, found[space, "d"], *(f"{found[space, name]:.4f}" for name in SETS)) for space in SPACES],
    f"Fréchet distance of {N} images from 2,000 real digits",
)
show_table(
    ["space", *list(SETS)[1:]],
    [
        (
            space,
            *(f"{found[space, name] / found[space, 'real digits (floor)']:.1f}" for name in list(SETS)[1:]),
        )
        for space in SPACES
    ],
    "the same as a multiple of the floor",
)
of_edm = [found[space, "mnist-edm"] for space in SPACES]
claim("the four numbers of one set differ by more than a factor of 100", max(of_edm) > 100 * min(of_edm))
claim(
    "the first layers give the smallest number",
    min(SPACES, key=lambda s: found[s, "mnist-edm"]) == "judge, first layers",
)
claim(
    "in all four mnist-edm-long is nearer to real than mnist-edm",
    all(found[s, "mnist-edm-long"] < found[s, "mnist-edm"] for s in SPACES),
)
order = {s: sorted(list(SETS)[1:], key=lambda name, s=s: found[s, name]) for s in SPACES}
claim("the spaces do not agree on the order of the three sets", len({tuple(o) for o in order.values()}) > 1)

# %% [markdown]
# The same 300 digits have a distance that is hundreds of times smaller in one space than in another. It says nothing of
# them, only of the units. So it is with FID: `pytorch-fid --dims 64` takes 64 features of Inception's first block, the
# common FID takes 2048 from the last one. 0.35 in the first is not better than 2 in the second; it is not even a claim
# about the same thing. Multiples of the floor can be read side by side, with care: they say how well *these features*
# tell the set from real images.
#
# Report a Fréchet distance with its network, layer, $n$, reference, and floor.
#
# ### Inception itself
#
# The weights of FID's Inception have to be downloaded. The cell looks whether they are there. Where they are, and a
# GPU is, it computes all four of its spaces for the same two sets; elsewhere it prints the commands, and no number,
# since none was measured on the machine that made this page.

# %%
# NBVAL_IGNORE_OUTPUT
weights = Path(torch.hub.get_dir()) / "checkpoints" / networks.URL.rsplit("/", 1)[1]
if weights.is_file() and course.device.type == "cuda":
    lines = []
    for dims in networks.DIMS:
        net = networks.inception_net(dims, weights, course.device)
        pixels = [
            ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8) for x in (real, *list(SETS.values())[:3])
        ]
        of_real, *others = (torch.cat([net.of(some).double().cpu() for some in x.split(100)]) for x in pixels)
        lines.append((dims, *(f"{metrics.frechet(other, of_real):.4f}" for other in others)))
    show_table(
        ["features", *list(SETS)[:3]],
        lines,
        "FID in four of Inception's spaces; at 2048 mostly bias, with so few images",
    )
else:
    print("Inception's weights, or a GPU, are not here. On a machine that has them:")
    for dims in networks.DIMS:
        print(f"  diffusion-course fid mnist-edm mnist-5k --dims {dims} --count 2000")

# %% [markdown]
# ## 4. KID: no bias, another scale
#
# A Gaussian has no more than a mean and a covariance. A *kernel* $k(x, y)$ compares all there is: let $x, x'$ be two
# independent samples of the first distribution and $y, y'$ of the second. The squared maximum mean discrepancy is
#
# $$\mathrm{MMD}^2 = \mathbb{E}\,k(x, x') + \mathbb{E}\,k(y, y') - 2\,\mathbb{E}\,k(x, y)$$
#
# (Gretton et al. 2012, lemma 6). If $k(x, y) = \varphi(x) \cdot \varphi(y)$ for some map $\varphi$, then
#
# $$\begin{aligned}
# \mathrm{MMD}^2 &= \mathbb{E}\varphi(x) \cdot \mathbb{E}\varphi(x') + \mathbb{E}\varphi(y) \cdot \mathbb{E}\varphi(y') - 2\,\mathbb{E}\varphi(x) \cdot \mathbb{E}\varphi(y) && \text{independent: the mean of a product is that of the means} \\
# &= \big\| \mathbb{E}\varphi(x) - \mathbb{E}\varphi(y) \big\|^2 \ \ge\ 0 && x \text{ and } x' \text{ have one mean}
# \end{aligned}$$
#
# KID takes $k(x, y) = (x \cdot y/d + 1)^3$ (Bińkowski et al. 2018), whose $\varphi$ has all products of up to three
# features, so that the means, covariances and third moments are compared. Each expectation is estimated by a mean over
# pairs:
#
# $$\mathrm{KID} = \frac{1}{N(N-1)} \sum_{i \ne j} k(a_i, a_j) + \frac{1}{M(M-1)} \sum_{i \ne j} k(b_i, b_j) - \frac{2}{N M} \sum_{i, j} k(a_i, b_j)$$
#
# (Gretton et al. 2012, eq. 3). $x$ and $x'$ are *independent*, so a sample must not be paired with itself: hence $i \ne
# j$. Then each of the three terms has the right mean for every $N$ and $M$, and so has KID. It pays with a sign: where
# the truth is 0, estimates fall on both sides of it.
#
# The cell checks the lemma for two distributions on three points each, where every expectation is a finite sum.

# %%
points_a, points_b = dc.Noise(6).randn(2, 3, 4, dtype=torch.float64)
weights_a, weights_b = (
    torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64),
    torch.tensor([0.1, 0.1, 0.8], dtype=torch.float64),
)


def power_map(x):
    """phi(x) of the kernel (x . y / d + 1)^3: all products of three entries of (x / sqrt(d), 1)."""
    v = torch.cat([x / x.shape[1] ** 0.5, torch.ones(len(x), 1, dtype=x.dtype)], dim=1)
    return torch.einsum("ni,nj,nk->nijk", v, v, v).flatten(1)


def kernel(x, y):
    return (x @ y.T / x.shape[1] + 1) ** 3


agree(
    "the kernel and the product of the maps",
    kernel(points_a, points_b),
    power_map(points_a) @ power_map(points_b).T,
    1e-10,
)
three = (
    weights_a @ kernel(points_a, points_a) @ weights_a
    + weights_b @ kernel(points_b, points_b) @ weights_b
    - 2 * weights_a @ kernel(points_a, points_b) @ weights_b
)
agree(
    "three expectations and one norm",
    three,
    (weights_a @ power_map(points_a) - weights_b @ power_map(points_b)).square().sum(),
    1e-10,
)

# %% [markdown]
# ### Exercise {{10-kid}}
#
# Write the estimate for features $a$ of shape $(N, d)$ and $b$ of shape $(M, d)$, with $N, M \ge 2$ and in general not
# equal.
#
# *Hint.* `K.sum() - K.trace()` is the sum of a square matrix without its diagonal. Two identical sets of two points:
# which of the three means are equal, and what is KID's sign?


# %%
# EXERCISE 10-kid (keep this line)
def kid(a, b):
    """The unbiased squared maximum mean discrepancy with the kernel (x . y / d + 1)^3 (Binkowski et al. 2018).

    a: (N, d), b: (M, d), features; N, M >= 2. Returns a tensor (), which may be negative.
    """

    ### BEGIN SOLUTION
    def k(x, y):
        return (x @ y.T / x.shape[1] + 1) ** 3

    def within(x):
        K, n = k(x, x), len(x)
        return (K.sum() - K.trace()) / (n * (n - 1))

    return within(a) + within(b) - 2 * k(a, b).mean()
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("10-kid", kid)

# %% [markdown]
# **Predict, then run.** Both measures for $n$ real digits against 1,000 others, both drawn at random from all 4,000, 40
# times. Which column falls with $n$? How many KIDs are below 0? And what does KID say of digits in turn of the classes?

# %%
agree(
    "your KID and the library's",
    kid(features_of_pool[:300], features_of_real),
    metrics.kid(features_of_pool[:300], features_of_real),
    1e-10,
)
every_real, shuffle = torch.cat([features_of_pool, features_of_real]), torch.Generator().manual_seed(2)
lines, kids, even = [], {}, {}
for n in (50, 100, 200, 500):
    drawn = [every_real[torch.randperm(4000, generator=shuffle)[: n + 1000]] for _ in range(40)]
    kids[n] = torch.stack([kid(some[:n], some[n:]) for some in drawn])
    even[n] = torch.stack([kid(some, features_of_real[:1000]) for some in features_of_pool.split(n)])
    distances = [metrics.frechet(some[:n], some[n:]) for some in drawn]
    lines.append(
        (
            n,
            f"{sum(distances) / 40:.2f}",
            f"{kids[n].mean():+.4f} ± {1.96 * kids[n].std() / 40**0.5:.4f}",
            f"{int((kids[n] < 0).sum())} of 40",
            f"{even[n].mean():+.4f}",
        )
    )
show_table(
    ["n", "mean Fréchet", "mean KID ± 95 %", "KIDs below 0", "mean KID, in turn of the classes"],
    lines,
    "real digits at random against 1,000 others",
)
show_table(
    ["set of 300", "KID", "95 % interval"],
    [
        (name, f"{value:+.4f}", f"{value - half:+.4f} to {value + half:+.4f}")
        for name, images_of in SETS.items()
        for value, error in [metrics.kid_with_error(seen(images_of), features_of_real)]
        for half in [intervals.reach(error)]
    ],
)
claim(
    "for each n the KIDs of digits at random lie on both sides of 0, with a mean within three standard errors of it",
    all(v.min() < 0 < v.max() and v.mean().abs() < 3 * v.std() / 40**0.5 for v in kids.values()),
)
claim(
    "for each n the mean KID of real digits is a tenth of what mnist-edm has, or less",
    all(abs(v.mean()) < 0.1 * kid(seen(made.images), features_of_real) for v in kids.values()),
)
in_turn_means = [v.mean() for v in even.values()]
claim("digits in turn of the classes have a mean below 0 for each n", max(in_turn_means) < 0)
claim("and the lower the fewer there are", in_turn_means == sorted(in_turn_means))

# %% [markdown]
# KID can be compared across $n$, and a small set is enough to say that two sets differ. The last column is a warning:
# "unbiased" is a statement about *independent* samples. Equal shares of the classes are not independent; they are more
# even than chance, and their KID is below 0 on average, the lower the fewer there are. The floor of class-conditional
# samples has the same shares, here as for Fréchet. KID's values are small, and papers print them times 100 or 1000. Its
# *ranking* need not be FID's: third moments count, too.

# %%
quiz.ask("10-q2")

# %% [markdown]
# ## 5. Which measure sees which fault?
#
# A distance adds up all that is wrong. Two more pairs of numbers try to tell *fidelity* (do samples look real?) from
# *variety* (is all of reality sampled?). All are shares or counts of neighbours in feature space:
#
# - **precision**: the share of samples that lie within reach of a real image, where each real image reaches as far as
#   its third neighbour; **recall**: the share of real images within reach of a sample, likewise (Kynkäänniemi et al.
#   2019, eqs. 1 to 3);
# - **density**: how many real images' reaches (of the fifth neighbour) hold a sample, on average, divided by 5, so that
#   1 is expected; **coverage**: the share of real images in whose reach a sample lies (Naeem et al. 2020, eqs. 3 and
#   4). Here no sample has a reach, so that a single odd one cannot claim much of space.
#
# The cell computes precision and recall for 300 points in two dimensions by their definitions.

# %%
cloud, other = dc.Noise(7, per_sample=False).randn(2, 300, 2, dtype=torch.float64)
other = other * torch.tensor([0.5, 1.0])  # narrower: all of it looks real, not all of reality is sampled


def inside(points, by, k):
    """Which points lie within the distance from some point of `by` to its k-th neighbour."""
    radius = torch.cdist(by, by).sort(1).values[:, k]  # column 0 is the point itself
    return (torch.cdist(points, by) <= radius).any(1)


share = inside(other, cloud, 3).double().mean(), inside(cloud, other, 3).double().mean()
agree(
    "precision and recall, by hand and by the library",
    torch.stack(share),
    torch.tensor(metrics.precision_recall(cloud, other), dtype=torch.float64),
    1e-12,
)
print(f"a cloud of half the width: precision {share[0]:.2f}, recall {share[1]:.2f}")

# %% [markdown]
# ### Five faults, planted
#
# Each fault has a strength from 0 to 1. At 1:
#
# - *no 4s and 9s*: two classes are missing, others stand in their place;
# - *blur*: a Gaussian of one pixel;
# - *few, copied*: 30 digits, each ten times (a collapsed sampler);
# - *memorised*: all 300 digits are those of the reference itself, pixel by pixel (training images handed out as
#   samples);
# - *some inverted*: a fifth of the digits is black on white.
#
# **Predict, then run.** Fill in the table on paper first: which of recognised share, Fréchet, KID, precision, recall,
# density and coverage notices which fault? A measure *notices* where its value lies outside of the 95 % range that
# clean sets have. The range is from six disjoint sets of 300 real digits; faults are planted in the first of them, so without
# a fault it is inside nearly by construction.

# %%
labels_of_pool = labels[:2000]


def missing(strength):
    """Digits in turn of the classes; this share of the 4s and 9s is replaced by other digits of the pool."""
    rows = torch.arange(N)
    odd = rows[(labels_of_pool[:N] == 4) | (labels_of_pool[:N] == 9)]
    spare = torch.arange(N, 2000)[~torch.isin(labels_of_pool[N:], torch.tensor([4, 9]))]
    lost = odd[: round(strength * len(odd))]
    rows[lost] = spare[: len(lost)]
    return pool[rows], labels_of_pool[rows]


def copied(strength):
    kept = max(30, round(N * (1 - 0.9 * strength)))
    rows = torch.arange(N) % kept
    return pool[rows], labels_of_pool[rows]


def memorised(strength):
    """The reference's first digits have the same labels, in turn of the classes."""
    n = round(strength * N)
    return torch.cat([real[:n], pool[n:N]]), labels_of_pool[:N]


def inverted(strength):
    n = round(0.2 * strength * N)
    return torch.cat([-pool[:n], pool[n:N]]), labels_of_pool[:N]


FAULTS = {
    "no 4s and 9s": missing,
    "blur": lambda strength: (blur(pool[:N], strength), labels_of_pool[:N]),
    "few, copied": copied,
    "memorised": memorised,
    "some inverted": inverted,
}


def measure(images, wanted):
    """All measures of 300 images against the reference; neighbours against its first 300."""
    f, near = seen(images), features_of_real[:N]
    right = metrics.count_recognised(judge, images.to(course.device), wanted.to(course.device))
    shares = (*metrics.precision_recall(near, f), *metrics.density_coverage(near, f))
    named = dict(zip(("precision", "recall", "density", "coverage"), shares, strict=True))
    return {
        "recognised": right / len(images),
        "Fréchet": frechet(f),
        "KID": kid(f, features_of_real).item(),
        **named,
    }


clean = [measure(pool[k * N : (k + 1) * N], labels_of_pool[k * N : (k + 1) * N]) for k in range(6)]
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
measured = {(name, s): measure(*fault(s)) for name, fault in FAULTS.items() for s in STRENGTHS}


def usual(name):
    """The 95 % range of one more clean set. It scatters, and so does the mean of the K sets: by sqrt(1 + 1/K) together."""
    v = torch.tensor([row[name] for row in clean], dtype=torch.float64)
    half = intervals.reach(v.std().item(), groups=len(v)) * math.sqrt(1 + 1 / len(v))
    low, high = v.mean().item() - half, v.mean().item() + half
    return (low, min(high, 1.0)) if name in ("recognised", "precision", "recall", "coverage") else (low, high)


ranges = {name: usual(name) for name in clean[0]}


def cell(fault, name, strength=1.0):
    """A value, with a star where it lies outside of the usual range."""
    low, high = ranges[name]
    value = measured[fault, strength][name]
    return f"{value:.3f}{' *' if value < low or value > high else ''}"


show_table(
    ["", *ranges],
    [("usual, real digits", *(f"{low:.3f} to {high:.3f}" for low, high in ranges.values()))]
    + [(fault, *(cell(fault, name) for name in ranges)) for fault in FAULTS],
    "* outside of the range of clean sets",
)
noticed = {fault: [name for name in ranges if "*" in cell(fault, name)] for fault in FAULTS}
for fault, names in noticed.items():
    print(f"{fault}: {', '.join(names) or 'nobody notices'}")
claim(
    "the recognised share notices neither missing classes nor memorised digits",
    all("recognised" not in noticed[fault] for fault in ("no 4s and 9s", "memorised")),
)
claim(
    "Fréchet notices missing classes, blur and copies",
    all("Fréchet" in noticed[f] for f in ("no 4s and 9s", "blur", "few, copied")),
)
claim("Fréchet does not notice memorised digits", "Fréchet" not in noticed["memorised"])
both = {f: [m for m in ("precision", "recall") if measured[f, 1.0][m] < ranges[m][0]] for f in FAULTS}
claim(
    "missing classes cost recall alone, inverted digits precision alone, blur and copies both",
    [both[f] for f in ("no 4s and 9s", "some inverted", "blur", "few, copied")]
    == [["recall"], ["precision"], *[["precision", "recall"]] * 2],
)
claim(
    "memorised digits have a precision of 1, more than any clean set",
    measured["memorised", 1.0]["precision"] == 1 > max(row["precision"] for row in clean),
)

# %% [markdown]
# (A clean set leaves such a range once in twenty times, so one or two of the 35 cells may have their star by chance.)
#
# No measure sees everything. The recognised share looks at one image at a time, so it is blind to what is wrong with
# the *set* (of the copies it says something by accident: one misread digit counts ten times). Fréchet notices four of the five, as KID, precision,
# recall and density do, and does not say what it sees. Precision and recall say more, read together: missing classes cost recall, inverted digits
# cost precision, blur and copies cost both. And copying beats the distance: to Fréchet a memorised set is as good
# as real. (KID's range of clean sets is so narrow that little is needed to leave it.) A value that is *too good*, such
# as a precision of 1, is a sign of copies; the test for it is the distance of each sample to its nearest training
# image, beside the same for held-out real images.
#
# ### The slider: a fault grows
#
# **Predict, then move it.** How weak a fault is still noticed, and by which measure first? The table after it gives the
# least strength above 0 at which a value lies outside of the range of clean sets.


# %%
def panel(fault="blur", strength=1.0):
    row = measured[fault, strength]
    return plots.curves(
        STRENGTHS,
        {
            name: [measured[fault, s][name] for s in STRENGTHS]
            for name in ("recognised", "precision", "recall", "density", "coverage")
        },
        title=f"{fault}, strength {strength:g}: Fréchet {row['Fréchet']:.2f}, KID {row['KID']:.3f}",
        xlabel="strength of the fault",
        ylabel="share, or mean count",
        ylim=(0, 1.3),
        marks={f"strength {strength:g}": strength},
    )


widgets.slide(
    panel,
    fault=list(FAULTS),
    strength=list(STRENGTHS),
    description="Measures of 300 digits with a planted fault of growing strength",
    static=[
        {"fault": "blur", "strength": 0.5},
        {"fault": "no 4s and 9s", "strength": 0.5},
        {"fault": "few, copied", "strength": 0.5},
    ],
)

# %%
first = {
    (fault, name): min((s for s in STRENGTHS[1:] if "*" in cell(fault, name, s)), default=None)
    for fault in FAULTS
    for name in ranges
}
show_table(
    ["noticed from strength", *ranges],
    [
        (fault, *("-" if (s := first[fault, name]) is None else f"{s:g}" for name in ranges))
        for fault in FAULTS
    ],
)
least = {fault: min(s for (f, _), s in first.items() if f == fault and s is not None) for fault in FAULTS}
claim(
    "Fréchet is among the first to notice missing classes, blur and inverted digits",
    all(first[fault, "Fréchet"] == least[fault] for fault in ("no 4s and 9s", "blur", "some inverted")),
)
claim("recall notices copies as early as any measure", first["few, copied", "recall"] == least["few, copied"])

# %% [markdown]
# ### The judge's blind spot
#
# *Recognised* means that a classifier gives the label that was asked for. The classifier was trained on good digits,
# and it must give a label to everything. **Predict, then run:** every second pixel of real digits is made black, like a
# chessboard. Ink is inverted, or all of it is made faint. How many of 300 are still recognised? What does Fréchet say?

# %%
# NBVAL_IGNORE_OUTPUT
chessboard = pool[:N].clone()
chessboard[:, :, ::2, ::2], chessboard[:, :, 1::2, 1::2] = -1, -1
faint = 0.4 * (pool[:N] + 1) - 1
BROKEN = {"as they are": pool[:N], "chessboard": chessboard, "faint ink": faint, "inverted": -pool[:N]}
lines, shares = [], {}
for name, broken in BROKEN.items():
    right = metrics.count_recognised(judge, broken.to(course.device), labels_of_pool[:N].to(course.device))
    low, high = metrics.wilson(right, N)
    shares[name] = right / N
    lines.append((name, f"{right / N:.3f} [{low:.3f}, {high:.3f}]", f"{frechet(seen(broken)):.1f}"))
show_table(["300 real digits", "recognised [95 % interval]", "Fréchet"], lines)
claim(
    "of the chessboards and of the faint digits more than 9 in 10 are recognised",
    min(shares["chessboard"], shares["faint ink"]) > 0.9,
)
plots.images(torch.cat([chessboard[:10], faint[:10]]), title="Recognised: chessboards and faint ink")

# %% [markdown]
# The interval is Wilson's, for a share $p = k/n$ with $z = 1.96$ (Wilson 1927). The ordinary $p \pm z\sqrt{p(1-p)/n}$
# is empty at $p = 1$: 300 of 300 recognised would have the interval $1 \pm 0$. Wilson takes instead all shares $q$ that
# do not contradict the count, $|p - q| \le z\sqrt{q(1-q)/n}$, which is a quadratic in $q$:
#
# $$q = \frac{p + \frac{z^2}{2n} \pm z\sqrt{\frac{p(1-p)}{n} + \frac{z^2}{4n^2}}}{1 + \frac{z^2}{n}}$$

# %%
z, n = 1.96, 300
for k in (240, 297, 300):
    p = k / n
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    by_formula = torch.tensor([p + z**2 / (2 * n) - half, p + z**2 / (2 * n) + half], dtype=torch.float64) / (
        1 + z**2 / n
    )
    agree(
        f"{k} of {n}: the formula and the library",
        by_formula,
        torch.tensor(metrics.wilson(k, n), dtype=torch.float64),
        1e-10,
    )
    at_ends = (p - by_formula).abs() - z * (by_formula * (1 - by_formula) / n).clamp(min=0).sqrt()
    agree("  at both ends |p - q| is z standard errors", at_ends, 0 * at_ends, 1e-7)
print(f"300 of 300: {metrics.wilson(300, 300)[0]:.3f} to 1")

# %% [markdown]
# ## 6. Likelihood ranks differently
#
# Bits per dimension say how well a model *predicts* held-out images. It is another question than whether its samples
# look good (Theis et al. 2016). Two models whose density is known exactly show how far the answers can be apart:
#
# $$p_h(x) = \frac1n \sum_{i=1}^n \mathcal{N}(x;\, y_i,\, h^2 I), \qquad p_\text{mix}(x) = 0.01\; p_h(x) + 0.99\; \mathcal{N}(x; 0, I)$$
#
# The first draws one of $n = 2000$ training digits and adds noise of size $h$. The second draws pure noise, 99 times of
# a hundred. By how much can its likelihood be lower?
#
# $$-\log_2 p_\text{mix}(x) \;\le\; -\log_2\big(0.01\; p_h(x)\big) = -\log_2 p_h(x) + \log_2 100$$
#
# 6.6 bits *per image*, that is 0.0085 bits per dimension for 784 pixels. (The numbers below are densities of pixels in
# $[-1, 1]$, not of grey levels; only their differences count.)
#
# **Predict, then run.** Three models: $h = 0.25$; the mixture of it with noise; and $h = 0.02$, nearly the training
# images themselves. Rank them by likelihood of 300 held-out digits, then by the Fréchet distance of 300 samples.

# %%
stored = DatasetDenoiser(pool.double().to(course.device))
held_out, unit_noise = real[:N].double().to(course.device), dc.Noise(8).randn(N, 1, 28, 28)
nats = {h: -stored.log_density(held_out, h).cpu() for h in (0.25, 0.02)}
of_noise = 0.5 * held_out.flatten(1).square().sum(1).cpu() + 392 * math.log(2 * math.pi)
nats["mix"] = -torch.logaddexp(math.log(0.01) - nats[0.25], math.log(0.99) - of_noise)
samples = {h: pool[:N] + h * unit_noise for h in (0.25, 0.02)}
samples["mix"] = torch.cat([samples[0.25][:3], unit_noise[3:]])
names = {0.25: "digits + noise of 0.25", "mix": "1 % of these, 99 % noise", 0.02: "digits + noise of 0.02"}
bits = {key: dc.elbo.bits_per_dim(nats[key], 784).mean().item() for key in names}
distances = {key: frechet(seen(samples[key].clamp(-1, 1))) for key in names}
show_table(
    ["model", "bits per dimension, held out", "Fréchet of its samples"],
    [(name, f"{bits[key]:.4f}", f"{distances[key]:.2f}") for key, name in names.items()],
)
claim("99 % noise costs at most 0.0085 bits per dimension", bits["mix"] - bits[0.25] <= math.log2(100) / 784)
claim(
    "here it costs nothing: the mixture has the best likelihood of the three",
    bits["mix"] == min(bits.values()),
)
claim("by likelihood the noisy mixture beats the sharp model", bits["mix"] < bits[0.02])
claim(
    "by Fréchet the sharp model is the best of the three, and the mixture the worst",
    distances[0.02] < distances[0.25] < distances["mix"],
)

# %% [markdown]
# The order is turned round. The mixture with noise even has the *best* likelihood: some held-out digits are far from
# all training digits, and for these plain noise is a better guess than a narrow peak somewhere else. In 784 dimensions
# a likelihood is decided by the faint grain of each pixel, and a factor 100 on the whole density is nothing. The sharp
# model is sure that a digit looks like a training digit to within 0.02 per pixel, and no held-out digit does: its
# density there is as good as 0, and its samples are perfect *because* they are copies. So likelihood finds memorising
# and does not see garbage; Fréchet sees garbage and does not find memorising.
#
# ### Three numbers for one model
#
# A diffusion model's likelihood is known in three ways: exactly, where there is a formula; by the probability-flow ODE,
# exact but for the solver's error, for a deterministic sampler; and as the variational bound of chapter 2, for the
# ancestral one. The cell compares them on a mixture of three Gaussians in the plane, with its exact denoiser. The bound
# has 100 steps of the cosine schedule, then 400. **Predict, then run:** with the exact denoiser, is the bound tight?

# %%
mixture = GaussianMixture(
    torch.tensor([[-1.0, 0.0], [1.0, 0.5], [0.3, -1.0]], dtype=torch.float64),
    stds=torch.tensor([0.3, 0.4, 0.25]),
)
dots, _ = mixture.sample(300, dc.Noise(9, per_sample=False))
sde = dc.sde.vp()


def bound(T):
    chain = dc.NoiseSchedule.from_betas(dc.schedules.cosine(T))
    decoder = dc.elbo.gaussian_decoder(chain.betas[0].item())
    return dc.elbo.vlb_terms(mixture, dots, chain, dc.Noise(10, per_sample=False), decoder).total


in_nats = {
    "exact": -mixture.log_density(dots),
    "probability-flow ODE": -dc.sde.log_likelihood(
        dc.sde.as_score(mixture, sde), sde, dots, num_steps=60, t_min=1e-4
    ),
    "variational bound, 100 steps": bound(100),
    "variational bound, 400 steps": bound(400),
}
apart = {name: dc.elbo.bits_per_dim(v - in_nats["exact"], 2) for name, v in in_nats.items()}
show_table(
    ["", "bits per dimension", "minus the exact ones ± 95 %"],
    [
        (
            name,
            f"{dc.elbo.bits_per_dim(v, 2).mean():.3f}",
            f"{apart[name].mean():+.4f} ± {1.96 * apart[name].std() / 300**0.5:.4f}",
        )
        for name, v in in_nats.items()
    ],
)
claim("the ODE agrees with the exact number to 0.01", apart["probability-flow ODE"].mean().abs() < 0.01)
gaps = [apart[f"variational bound, {T} steps"].mean() for T in (100, 400)]
claim("the bound is above both, and closer with 400 steps", gaps[0] > gaps[1] > 0.01)

# %% [markdown]
# The bound is not tight, though its denoiser is exact. It is a bound of the likelihood of a *chain*, and not that
# likelihood: its reverse steps have the fixed small variance $\tilde\beta_t$, narrower than the true
# $q(x_{t-1} \mid x_t)$ where $\sigma$ falls by a large factor in one step, next to the data. More and finer steps close the gap
# slowly. A bound is comparable with another bound, and an exact number with an exact one. A paper that compares its bound with
# another paper's ODE likelihood gives the ODE a head start. The interval is of a *paired* difference: both numbers of
# one point share what makes the point likely. That is the subject of the next section.

# %%
quiz.ask("10-q3")

# %% [markdown]
# ## 7. Which of two is better?
#
# Two samplers, one distance each. The smaller one may be smaller by chance. How large is the chance?
#
# ### The same noise
#
# Let $F_a$ and $F_b$ be the two distances. The variance of their difference is
#
# $$\mathrm{Var}(F_a - F_b) = \mathrm{Var}\,F_a + \mathrm{Var}\,F_b - 2\,\mathrm{Cov}(F_a, F_b)$$
#
# With independent samples the last term is 0. If sample $i$ of both starts from the *same first noise* and the same
# class, the samples resemble each other, the covariance is positive, and it is taken away. Sharing the noise costs
# nothing. It is often worth more than doubling the samples.
#
# How to get an interval from pairs? The jackknife, of the difference:
#
# 1. $\Delta = F_a - F_b$, from all $N$ pairs. Each distance is that of the Gaussian fitted to the features (covariance
#    with $N - 1$) from the real moments.
# 2. For each group $g = 0 \dots G - 1$: $\theta_g$ is the same difference *without the pairs of group $g$*, left out of
#    both.
# 3. $e = \sqrt{\frac{G - 1}{G} \sum_g (\theta_g - \bar\theta)^2}$, with the mean $\bar\theta$ of the $\theta_g$ (Wolter
#    2007, chapter 4).
# 4. The interval is $\Delta \pm r\,e$; for 95 % and $G = 10$ the factor is $r = 2.26$.
#
# Both distances are too large by about the same $c/n$, so in the difference most of the bias is gone, too.
#
# ### Exercise {{10-paired_difference}}
#
# Build it. `a` and `b` are features $(N, d)$ of two samplers, row $i$ of both from one noise; `mean` and `cov` are the
# real moments. `group` holds the number of each pair's group, `0 ... G - 1` (integers, $(N,)$; $G$ is
# `group.max() + 1`; each number occurs, and groups need not be of one size). `reach` is $r$. Return three tensors of shape `()`: $\Delta$,
# the low and the high end. No argument may be changed in place. The check tells which of the three is wrong, and knows
# the common slips of each step.
#
# *Hint.* Write a function of the rows that are kept, and call it $G + 1$ times: `difference(group != g)`. Your
# `frechet_distance` and the chapter's `moments` do the rest. If $\Delta$ is right and the ends are not, look at step 3.


# %%
# EXERCISE 10-paired_difference (keep this line)
def paired_difference(a, b, mean, cov, group, reach):
    """Distance of a minus distance of b from the real moments, with its interval: a jackknife over groups of pairs.

    a, b: (N, d), features of two samplers from the same noise. mean: (d,), cov: (d, d), of real images.
    group: (N,), integers 0..G - 1, the group of each pair. reach: a number, how many standard errors the interval reaches to each side.
    Returns (difference, low, high), each a tensor ().
    """

    ### BEGIN SOLUTION
    def distance(x):
        return frechet_distance(x.mean(0), torch.cov(x.T).reshape(len(mean), len(mean)), mean, cov)

    def difference(kept):
        return distance(a[kept]) - distance(b[kept])

    G = int(group.max()) + 1
    theta = torch.stack([difference(group != g) for g in range(G)])
    error = ((G - 1) / G * (theta - theta.mean()).square().sum()).sqrt()
    value = difference(group >= 0)
    return value, value - reach * error, value + reach * error
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("10-paired_difference", paired_difference)

# %% [markdown]
# Your machine at work. `mnist-edm-long` drew 300 digits with 18 Euler steps; here it draws from the same noise with 9.
# **Predict, then run:** how much narrower is the paired interval than that of two independent sets? And is 9 steps
# worse than 18, in these features? (`intervals.reach(1.0)` is the factor 2.26.)

# %%
# NBVAL_IGNORE_OUTPUT
fewer = draw(zoo.load("mnist-edm-long", course.device), N, 1.0, dc.schedules.karras(9), device=course.device)
tenth = (
    torch.randperm(N, generator=torch.Generator().manual_seed(0)) % 10
)  # the groups that the library makes
of_18, of_9, of_short = seen(fine.images), seen(fewer.images), seen(made.images)


def compared(a, b):
    """Difference, its paired interval, and half the width of the interval for independent sets."""
    value, low, high = paired_difference(a, b, *moments_of_real, tenth, intervals.reach(1.0))
    alone = [metrics.jackknife(lambda rows, x=x: frechet(x[rows]), N) for x in (a, b)]
    return value.item(), low.item(), high.item(), intervals.reach(math.hypot(*alone))


check_against = intervals.paired(frechet, of_9, of_18)
value, low, high, half = compared(of_9, of_18)
agree(
    "your ends and the library's",
    torch.tensor([low, high]),
    torch.tensor([check_against.low, check_against.high]),
    1e-8,
)
lines = []
for name, a, b in (("9 steps minus 18", of_9, of_18), ("mnist-edm minus mnist-edm-long", of_short, of_18)):
    value, low, high, half = compared(a, b)
    lines.append(
        (name, f"{value:+.2f}", f"{low:+.2f} to {high:+.2f}", f"{value - half:+.2f} to {value + half:+.2f}")
    )
show_table(["Fréchet distance", "difference", "95 %, in pairs", "95 %, as if independent"], lines)
value, low, high, half = compared(of_9, of_18)
verdict = "not told, 0 is inside of the interval" if low < 0 < high else "worse" if value > 0 else "better"
print(f"9 steps against 18: {verdict}")
claim(
    "in pairs the interval for 9 against 18 steps is narrower than for independent sets",
    (high - low) / 2 < half,
)

# %% [markdown]
# A gain in width of a factor $q$ is worth $q^2$ times as many samples. It is large where the two samplers draw nearly
# the same digits, and small where they share little, as two networks do. The interval holds the chance of the
# *samples*. It does not hold that of training: a second run of the same recipe is another network, and one network a
# side ranks two files, not two methods.
#
# ### Shares: McNemar
#
# A judge's verdicts are marks, 1 or 0. In pairs, only the samples on which the two samplers *differ* say anything. If
# there is no difference, each of these is a fair coin: with $n_{10}$ samples that only $a$ got right and $n_{01}$ that
# only $b$ did, the p value is (McNemar 1947)
#
# $$p = \min\Big(1,\; 2 \sum_{k \,\le\, \min(n_{10}, n_{01})} \binom{n_{10} + n_{01}}{k}\, 2^{-(n_{10} + n_{01})}\Big)$$
#
# The course ships the table of chapter 9, section 8 ("The table at equal cost"), with every mark, so two of its rows
# can be compared so: 300 digits by Euler's step and by Heun's, with 20 evaluations and 19. **Predict, then
# run:** the intervals of the two single shares will overlap. Will the test find a difference?

# %%
table = studies.load("solvers").shipped()


def marks(sampler, evaluations=20):
    """The judge's marks of 300 digits of mnist-edm on the Karras grid: as text, and as numbers (300,)."""
    text = table.one(model="mnist-edm", sampler=sampler, grid="karras", evaluations=evaluations)["each"]
    return text, torch.tensor([float(mark) for mark in text], dtype=torch.float64)


(text_a, marks_a), (text_b, marks_b) = marks("euler"), marks("heun")
only_a, only_b = int(((marks_a == 1) & (marks_b == 0)).sum()), int(((marks_a == 0) & (marks_b == 1)).sum())
differ = only_a + only_b
p = min(1.0, 2 * sum(math.comb(differ, k) for k in range(min(only_a, only_b) + 1)) / 2**differ)
agree("p by the sum and by the library", p, intervals.mcnemar(text_a, text_b), 1e-10)
single = [metrics.wilson(int(m.sum()), 300) for m in (marks_a, marks_b)]
for name, m, (low, high) in zip(("Euler", "Heun"), (marks_a, marks_b), single, strict=True):
    print(f"{name} {m.mean():.3f}, 95 % interval {low:.3f} to {high:.3f}")
print(f"only Euler right: {only_a}, only Heun right: {only_b}, p = {p:.2g}")
claim("the two intervals overlap", single[0][0] < single[1][1])
claim("and yet the difference is found, p < 0.01", p < 0.01)

# %% [markdown]
# Whether the intervals of single shares overlap is not the test: each holds the chance of which noises were hard, and
# that is common to both samplers.
#
# ### Find out: how many samples does it take?
#
# Before you spend an hour on samples, ask how many are needed. A *pilot* of a few hundred marks tells. Let $\delta$ be
# the mean of the differences $m^a_i - m^b_i$, and $s^2$ their variance (divided by $N$). With $n$ pairs the mean
# difference has the standard error $s/\sqrt n$. The test at the level $\alpha$ finds a difference if it is more than
# $z_{1-\alpha/2}$ standard errors from 0, on either side. To be found in a share $P$ of all experiments (its *power*),
# the mean of the experiment must be above that bound with the probability $P$:
#
# $$\begin{aligned}
# \frac{|\delta| - z_{1-\alpha/2}\, s/\sqrt n}{s/\sqrt n} &= z_P && \text{the estimate scatters by } s/\sqrt n \text{ about } \delta \\
# n &= \big(z_{1-\alpha/2} + z_P\big)^2\, \frac{s^2}{\delta^2} && \text{solve for } n, \text{ and round up}
# \end{aligned}$$
#
# Here $z_q$ is the number below which a standard normal variable lies with probability $q$, `torch.special.ndtri` of a
# float64 tensor. (Fleiss et al. 2003, chapter 13, have it for pairs. Chapter 4's rule of thumb is for independent
# samples: there $s^2$ is $2p(1-p)$.)
#
# ### Exercise {{10-needed_samples}}
#
# Write the number of pairs that are needed: a whole number, as an `int64` tensor of shape `()`. The marks come as
# float64 tensors $(N,)$ of zeros and ones; their mean difference is not 0. `level` is $\alpha$ and `power` is $P$,
# Python numbers.
#
# Then run your experiment below: the cell asks your function how many pairs Euler against Heun needs, and tests the
# answer. Before you run it, guess: more or fewer than the 300 that were measured? And is the answer of the first 100
# marks, a pilot, near it?
#
# *Hint.* `x.var(correction=0)` divides by $N$. What is your answer for a level of 0.05 and a power of 0.5, compared
# with a power of 0.8: half of it, or a little less?


# %%
# EXERCISE 10-needed_samples (keep this line)
def needed_samples(marks_a, marks_b, level, power):
    """How many pairs a test at this level needs to find the pilot's difference with this power.

    marks_a, marks_b: (N,), float64, zeros and ones, row i of both from the same noise; their means differ. level, power: numbers in (0, 1).
    Returns an int64 tensor (): the formula's number, rounded up.
    """
    ### BEGIN SOLUTION
    z = torch.special.ndtri(torch.tensor([1 - level / 2, power], dtype=torch.float64)).sum()
    difference = marks_a - marks_b
    n = z**2 * difference.var(correction=0) / difference.mean() ** 2
    return n.ceil().long()
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("10-needed_samples", needed_samples)

# %% [markdown]
# The experiment. Whole experiments of $n$ pairs are drawn from the 300 measured pairs, with replacement, 2,000 of each
# size, and the difference is tested in each, with the experiment's own $s$ and with that of all 300. How often is it
# found, with the number that your function asks for *of these 300*, with half and with twice as many? And what would a
# pilot of 100 have said?

# %%
difference, draws_of = marks_a - marks_b, torch.Generator().manual_seed(1)
asked = int(needed_samples(marks_a, marks_b, 0.05, 0.8))
of_pilot = int(needed_samples(marks_a[:100], marks_b[:100], 0.05, 0.8))


def found_in(n, repeats=2000):
    """The share of experiments of n pairs that find the difference: with their own s, and with that of all 300."""
    d = difference[torch.randint(300, (repeats, n), generator=draws_of)]
    bounds = (1.959964 * s / n**0.5 for s in (d.std(1, correction=0), difference.std(correction=0)))
    return [(d.mean(1).abs() > bound).double().mean().item() for bound in bounds]


print(
    f"difference {difference.mean():+.3f}: {asked} pairs are needed; by the first 100 marks it would be {of_pilot}"
)
powers = {n: found_in(n) for n in (asked // 2, asked, 2 * asked)}
for n, (own, of_all) in powers.items():
    print(
        f"  {n} pairs: found in {own:.2f} of all experiments by their own s, {of_all:.2f} by that of the 300"
    )
claim(
    "with the number asked for, the two are on both sides of 0.8, within 0.1",
    0.7 < powers[asked][1] < 0.8 < powers[asked][0] < 0.9,
)

# %% [markdown]
# The formula keeps its promise of 0.8, roughly, for the difference that it is told. Roughly, since it takes $s$ as known
# and the mean as normal; of so many pairs only about ten differ, and an experiment with few of them has a small $s$,
# too. The pilot's answer is another number: a pilot knows $\delta$ badly, and $n$ goes with $1/\delta^2$. Take for $\delta$ a smallest difference *that would matter to you*,
# and from the pilot only $s^2$, which it knows better.
#
# What are pairs worth? With independent samples $s^2$ is the sum of both variances. The table has four pairs of samplers
# at equal budget, the number of evaluations; "eta 1" is DDPM's step (chapter 7), and "churn" EDM's stochastic sampler
# (chapter 9).

# %%
lines, both = [], {}
for (a, n_a), (b, n_b) in (
    (("euler", 20), ("heun", 20)),
    (("euler", 10), ("heun", 10)),
    (("eta 1", 20), ("euler", 20)),
    (("churn", 40), ("heun", 40)),
):
    one, two = marks(a, n_a)[1], marks(b, n_b)[1]
    z = torch.special.ndtri(torch.tensor([0.975, 0.8], dtype=torch.float64)).sum()
    alone = z**2 * (one.var(correction=0) + two.var(correction=0)) / (one - two).mean() ** 2
    both[a, b, n_a] = int(needed_samples(one, two, 0.05, 0.8)), math.ceil(alone)
    lines.append((f"{a} against {b}, budget {n_a}", f"{one.mean():.3f}, {two.mean():.3f}", *both[a, b, n_a]))
show_table(["samplers", "shares", "pairs needed", "independent samples of each"], lines)
claim(
    "for two deterministic samplers pairs need half as many samples or fewer",
    all(2 * n <= m + 20 for (a, _, _), (n, m) in both.items() if a == "euler"),
)
claim(
    "for a sampler with fresh noise pairs gain 10 % at most",
    all(n > 0.9 * m for (a, _, _), (n, m) in both.items() if a != "euler"),
)

# %% [markdown]
# The first noise is shared by all. But DDPM's step and churn add fresh noise on the way, and forget the first one:
# their digits fail where they like, and pairs gain nothing.
#
# ### Many comparisons
#
# A table of eight samplers holds 28 pairs. If none differs, one test in twenty still says $p < 0.05$. Holm's correction
# keeps the chance of *any* false finding at 5 %: sort the p values, multiply the smallest by their number $m$, the next
# by $m - 1$, and so on, and never let one fall below the one before (Holm 1979). The cell simulates 2,000 tables of 28
# tests without any difference.

# %%
z_values = dc.Noise(11, per_sample=False).randn(2000, 28, dtype=torch.float64)
p_values = 2 * torch.special.ndtr(-z_values.abs())
ordered = p_values.sort(1).values
corrected = (ordered * torch.arange(28, 0, -1)).clamp(max=1).cummax(1).values
by_hand = dict(enumerate(p_values[0].tolist()))
agree(
    "Holm's correction by hand and by the library",
    corrected[0],
    torch.tensor(sorted(intervals.holm(by_hand).values()), dtype=torch.float64),
    1e-10,
)
plain_share, holm_share = ((v < 0.05).any(1).double().mean().item() for v in (p_values, corrected))
print(f"tables with a false finding: {plain_share:.2f} uncorrected, {holm_share:.3f} with Holm's correction")
claim("uncorrected, most tables hold a false finding", plain_share > 0.6)
claim("corrected, about one in twenty", 0.035 < holm_share < 0.065)

# %%
quiz.ask("10-q4")

# %% [markdown]
# ## 8. Case study: three ways to guide
#
# Classifier-free guidance makes digits more legible and less varied (chapter 6). Two later proposals promise the first
# without the second. All are one line, with a denoiser $D$, another $D'$, and a scale $w$:
#
# $$D_w(x, \sigma) = D'(x, \sigma) + w\,\big(D(x, \sigma) - D'(x, \sigma)\big)$$
#
# - **classifier-free** (Ho & Salimans 2021): $D$ knows the class, $D'$ is the same network without it;
# - **interval** (Kynkäänniemi et al. 2024): the same, for $0.2 < \sigma \le 2$ only, and $w = 1$ elsewhere;
# - **autoguidance** (Karras et al. 2024): $D'$ knows the class, too, but is a *worse version of the same network*; here
#   $D$ is `mnist-edm-long`, and $D'$ is `mnist-edm`, which saw fewer images, in
#   smaller batches and with somewhat less noise. Where both err alike and the worse one
#   errs more, the difference points away from the error.
#
# The cell draws the same 20 noises by each. Look first: which digits change, and which way? (The judge recognises nearly
# all of them, so 20 marks do not tell the variants apart.)

# %%
# NBVAL_IGNORE_OUTPUT
lab = studies.Lab(course.device)
SHOWN = {"none": 1.0, "cfg": 2.0, "interval": 3.0, "autoguidance": 2.0}
strips = []
for variant, w in SHOWN.items():
    row = {"variant": variant, "w": w, "steps": 18, "n": 20, "seed": 0, "training seed": 0}
    some = guidance_variants.samples(row, lab)
    right = metrics.count_recognised(judge, some.images, some.labels)
    strips.append(some.images[:10])
    print(f"{variant}, w = {w:g}: {right} of 20 recognised")
agree(
    "the formula at w = 2, by the library",
    dc.guidance.autoguidance(lambda x, s: 3 * x, lambda x, s: x, 2.0)(unit_noise[:2], torch.tensor(1.0)),
    5 * unit_noise[:2],
    1e-6,
)
plots.filmstrip(
    torch.stack(strips, dim=1),
    [str(k) for k in range(10)],
    title="Ten noises, three ways to guide",
    rows=[f"{v}, w = {w:g}" for v, w in SHOWN.items()],
)

# %% [markdown]
# ### A fair question
#
# Each variant has its own $w$, so "at equal $w$" compares nothing. A stronger guidance can always buy a larger
# recognised share and pay with recall. Fair is: **at equal recognised share**. Choose for each variant the scale whose
# share is the nearest to a common one, test that the shares cannot be told apart (McNemar), and only then compare
# distance, precision and recall, in pairs. And decide the common share *before* looking at the distances: here it is
# the best share that all three variants reach.
#
# The study has 1,000 digits in each row, all from the same noise. One command measures it.


# %%
# NBVAL_IGNORE_OUTPUT
def stored_study(name):
    """The measured rows, or none with the command that measures them."""
    try:
        return studies.load(name).shipped()
    except CourseError as error:
        print(error)
        return None


study = stored_study("guidance-variants")
if study:
    first_run = {"training seed": 0}
    print(f"{study.command}, {study.device}, {study.date}; floor {study.rows[0]['floor']:.2f}")
    show_quality(
        study.where(**first_run),
        ["variant", "w", "precision", "recall"],
        "1,000 digits in each row, from the same noise",
    )
    variants = {v: study.where(variant=v, **first_run) for v in ("cfg", "interval", "autoguidance")}
    common = min(max(row["recognised"]["share"] for row in rows) for rows in variants.values())
    chosen = {
        v: min(rows, key=lambda row: abs(row["recognised"]["share"] - common)) for v, rows in variants.items()
    }
    for v, row in chosen.items():
        p = intervals.mcnemar(row["each"], chosen["cfg"]["each"])
        print(
            f"{v}: w = {row['w']:g}, recognised {row['recognised']['share']:.3f}; shares equal to cfg's: p = {p:.2g}"
        )


# %%
# NBVAL_IGNORE_OUTPUT
def of_neighbours(name, a, b):
    """Precision or recall of row a minus that of row b, with the paired 95 % interval of the jackknife."""
    key = f"{name} without each tenth"
    half = intervals.reach(
        metrics.scatter(torch.tensor(a[key], dtype=torch.float64) - torch.tensor(b[key], dtype=torch.float64))
    )
    value = a[name] - b[name]
    return f"{value:+.3f} ({value - half:+.3f} to {value + half:+.3f})"


if study:
    none = study.one(variant="none", **first_run)
    pairs = {f"{v}, w = {row['w']:g}, minus none": (row, none) for v, row in chosen.items()}
    pairs |= {f"{v} minus cfg": (chosen[v], chosen["cfg"]) for v in ("interval", "autoguidance")}
    found, p = show_differences(
        pairs, "Fréchet distance, at equal recognised shares; p after Holm's correction"
    )
    show_table(
        ["", "precision (95 %)", "recall (95 %)"],
        [
            (name, of_neighbours("precision", *rows), of_neighbours("recall", *rows))
            for name, rows in pairs.items()
        ],
    )
    for v in ("interval", "autoguidance"):
        d, p_of = found[f"{v} minus cfg"], p[f"{v} minus cfg"]
        told = "not told by 1,000 digits" if p_of >= 0.05 else "nearer to real" if d.value < 0 else "farther"
        print(f"{v} against cfg, at equal recognised share: {told} (p = {p_of:.2g})")
    print("The scales were read off these samples, so a chosen row may be a little luckier than its variant.")

# %% [markdown]
# How to read such a study, line by line: is the p value small after the correction; on which side of 0 is the
# interval; is the size of the difference worth something, beside the floor. An interval that holds 0 does not say that
# the two are equal. It says that 1,000 digits do not tell.
#
# What it cannot say: it is one pair of networks, one data set, one judge, one sampler of 18 steps. The worse network of
# autoguidance was trained on fewer images, with the same number of weights; others make it smaller. And where scales are
# chosen and compared on the same samples, a second noise seed would tell how much luck is in the choice.
#
# ## 9. Where the minutes go
#
# The parts of a Fréchet distance are: drawing samples; the network that makes features; the two moments; the root.
# **Predict, then run:** which part is the longest, for small images with 96 features? For 50,000 of them with 2048?


# %%
# NBVAL_IGNORE_OUTPUT
def seconds(work):
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


wide = dc.Noise(12, per_sample=False).randn(2000, 512, dtype=torch.float64)
wide_moments = moments(wide)
of_general = torch.linalg.eigvals  # of a matrix that is not symmetric: what a general root begins with
product = wide_moments[1] @ torch.cov(wide.flip(1).T)
timed = {
    "draw 40 digits, 18 evaluations each": seconds(
        lambda: draw(zoo.load("mnist-edm", course.device), 40, 1.0, GRID, device=course.device)
    ),
    "features of 40 digits": seconds(lambda: seen(pool[:40])),
    "moments of 2,000 vectors, d = 512": seconds(lambda: moments(wide)),
    "distance, d = 96": seconds(lambda: frechet(of_18)),
    "distance, d = 512, by eigvalsh": seconds(lambda: frechet_distance(*wide_moments, *wide_moments)),
    "eigenvalues of the product as it is, d = 512": seconds(lambda: of_general(product)),
}
show_table(["part", "seconds"], [(name, f"{value:.3f}") for name, value in timed.items()])
drawing, root_512 = timed["draw 40 digits, 18 evaluations each"], timed["distance, d = 512, by eigvalsh"]
print(
    f"50,000 digits: {50_000 / 40 * drawing / 60:.0f} minutes; a distance at d = 2048: {4**3 * root_512:.0f} s"
)
claim("drawing takes the longest", max(timed, key=lambda name: timed[name]).startswith("draw"))

# %% [markdown]
# Drawing is by far the longest: each sample costs as many evaluations as the sampler has steps, and its features cost
# one pass of a small network. The eigenvalues grow with $d^3$, so from 512 to 2048 by a factor of 64, and do not depend
# on $n$. The rules that follow:
#
# - draw once, keep the images (or their features), and compute all measures from them;
# - keep the reference's moments in a file (`diffusion-course fid A statistics.npz --save-stats`);
# - use a symmetric solver.
#
# ### Streaming
#
# Moments need not hold all features at once. Let two parts have $n_1$ and $n_2$ vectors with means $m_1, m_2$ and sums
# of squares about their means $Q_1, Q_2$. Together (Chan et al. 1983)
#
# $$m = m_1 + \frac{n_2}{n}\,(m_2 - m_1), \qquad Q = Q_1 + Q_2 + \frac{n_1 n_2}{n}\,(m_2 - m_1)(m_2 - m_1)^\top, \qquad S = \frac{Q}{n - 1}$$
#
# with $n = n_1 + n_2$. The tempting shortcut, $\sum_i x_i x_i^\top - n\,m\,m^\top$, takes two large numbers from each
# other. **Predict, then run:** features of spread 1 around 0, and around 10,000, in float32.


# %%
def joined(one, two):
    (n1, m1, Q1), (n2, m2, Q2) = one, two
    n, shift = n1 + n2, m2 - m1
    return n, m1 + n2 / n * shift, Q1 + Q2 + n1 * n2 / n * torch.outer(shift, shift)


def part(x):
    return len(x), x.mean(0), (x - x.mean(0)).T @ (x - x.mean(0))


for centre in (0.0, 1e4):
    x = (wide[:, :20] + centre).float()
    exact = torch.cov(x.double().T)
    total = part(x[:100])
    for some in x[100:].split(100):
        total = joined(total, part(some))
    n, mean, squares = total
    shortcut = (x.T @ x - n * torch.outer(mean, mean)) / (n - 1)
    errors = [
        ((S.double() - exact).abs().max() / exact.abs().max()).item() for S in (squares / (n - 1), shortcut)
    ]
    print(f"centre {centre:g}: relative error in parts {errors[0]:.1e}, by the shortcut {errors[1]:.1e}")
    claim("in parts the error is below a thousandth", errors[0] < 1e-3)
claim("the shortcut has lost all digits", errors[1] > 0.5)
streamed = metrics.Moments(96)
for some in features_of_real.split(128):
    streamed.add(some)
agree(
    "the library's streamed covariance and torch.cov",
    streamed.gaussian().covariance,
    moments_of_real[1],
    1e-10,
)

# %% [markdown]
# ## Common slips
#
# - A distance printed without its features, its $n$ or its floor; two of them compared across $n$ or across feature
#   spaces.
# - The squared distance of the means without the square, or $\mathrm{tr}\,S_a S_b$ for the trace of the root.
# - The diagonal kept in KID; its $1/d$ forgotten, which makes another measure for each network.
# - Generated digits in equal shares against real digits at random: a floor that is too high, and samples "better than
#   real".
# - A best guidance scale, chosen and reported on the same samples.
# - Intervals that overlap, read as "no difference"; an interval that holds 0, read as "equal".
# - One sampler's spread in the place of that of the difference.
#
# ## Summary
#
# - The Fréchet distance compares means and covariances of features. It is too large by about $c/n$, and its units are
#   those of the features.
# - Real images, in the same shares and at the same $n$, give the floor; a value without it says little.
# - KID has no bias and sees third moments. Precision, recall, density and coverage tell fidelity from variety. To
#   the distances memorised images are as good as real; a precision of 1 gives them away, and likelihood does. Likelihood
#   does not see garbage.
# - Compare samplers from the same noise, in pairs, with an interval of the difference; correct for the number of
#   comparisons; ask before how many samples are needed.
# - What the samples tell is about two files. What is to be said of two methods needs several training runs of each.
#
# ## References
#
# - Dowson, Landau (1982). [*The Fréchet distance between multivariate normal
#   distributions.*](https://doi.org/10.1016/0047-259X%2882%2990077-X) Eq. 4.
# - Heusel, Ramsauer, Unterthiner, Nessler, Hochreiter (2017). [*GANs trained by a two time-scale update rule converge to
#   a local Nash equilibrium.*](https://arxiv.org/abs/1706.08500) Eq. 6.
# - Chong, Forsyth (2020). [*Effectively unbiased FID and Inception Score and where to find
#   them.*](https://arxiv.org/abs/1911.07023)
# - Bińkowski, Sutherland, Arbel, Gretton (2018). [*Demystifying MMD GANs.*](https://arxiv.org/abs/1801.01401)
# - Gretton, Borgwardt, Rasch, Schölkopf, Smola (2012). [*A kernel two-sample
#   test.*](https://jmlr.org/papers/v13/gretton12a.html) Lemma 6, eq. 3.
# - Kynkäänniemi, Karras, Laine, Lehtinen, Aila (2019). [*Improved precision and recall metric for assessing generative
#   models.*](https://arxiv.org/abs/1904.06991) Eqs. 1 to 3.
# - Naeem, Oh, Uh, Choi, Yoo (2020). [*Reliable fidelity and diversity metrics for generative
#   models.*](https://arxiv.org/abs/2002.09797) Eqs. 3 and 4.
# - Theis, van den Oord, Bethge (2016). [*A note on the evaluation of generative models.*](https://arxiv.org/abs/1511.01844)
# - Wolter (2007). [*Introduction to variance estimation.*](https://doi.org/10.1007/978-0-387-35099-8) Chapter 4.
# - McNemar (1947). [*Note on the sampling error of the difference between correlated proportions or
#   percentages.*](https://doi.org/10.1007/BF02295996)
# - Fleiss, Levin, Paik (2003). [*Statistical methods for rates and proportions.*](https://doi.org/10.1002/0471445428)
#   Chapters 4 and 13.
# - Holm (1979). [*A simple sequentially rejective multiple test procedure.*](https://www.jstor.org/stable/4615733)
# - Wilson (1927). [*Probable inference, the law of succession, and statistical
#   inference.*](https://doi.org/10.1080/01621459.1927.10502953)
# - Chan, Golub, LeVeque (1983). [*Algorithms for computing the sample variance: analysis and
#   recommendations.*](https://doi.org/10.1080/00031305.1983.10483115)
# - Ho, Salimans (2021). [*Classifier-free diffusion guidance.*](https://arxiv.org/abs/2207.12598)
# - Kynkäänniemi, Aittala, Karras, Laine, Aila, Lehtinen (2024). [*Applying guidance in a limited interval improves
#   sample and distribution quality in diffusion models.*](https://arxiv.org/abs/2404.07724)
# - Karras, Aittala, Kynkäänniemi, Lehtinen, Aila, Laine (2024). [*Guiding a diffusion model with a bad version of
#   itself.*](https://arxiv.org/abs/2406.02507)

# %%
# NBVAL_CHECK_OUTPUT
check_all()
