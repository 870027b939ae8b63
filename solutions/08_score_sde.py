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
# # 8. Scores, SDEs and flows: diffusion in continuous time
#
# The chapters before this one add noise in steps. Here the steps become infinitely many, and noising becomes a stochastic differential
# equation. That buys three things: a family of ways back, from fully random to fully deterministic; the exact likelihood of a
# model; and flow matching, which learns such an ODE from straight lines between data and noise, without an SDE. Everything is checked on mixtures of
# Gaussians, whose densities and scores are known. At the end you train a small flow on real digits and measure its bits per
# dimension.
#
# **You learn**
#
# - what a score is, how a denoiser gives it (Tweedie), and why a network can learn it from noise alone;
# - the three standard noising SDEs, VP, sub-VP and VE, and the law of $x_t$ in each;
# - the reverse SDE, the probability-flow ODE, and the family between and beyond them;
# - what a corrector does, and what it costs;
# - how the ODE gives the exact log-density of a sample, with an exact or an estimated trace;
# - flow matching: the straight path, its two velocities, and why regressing on the simple one is enough;
# - how to score digits in bits per dimension with a flow, and how that number compares with the bound of chapter 2.
#
# **You need** the forward process (chapter 1), the bound and bits per dimension (chapter 2), the loss on $\varepsilon$
# (chapter 3), densities, the divergence of a vector field, and integration by parts.
#
# **Time**: {{reading}} of reading, and {{minutes}} for {{exercises}}. The cells run in about 50 s on 2 CPU cores (not measured on
# a GPU).

# %% [markdown]
# ## Notation
#
# {{notation x0 eps D sigma sde kernel p_t velocity lambda_churn}}
#
# $x$ without an index is the noisy state $x_t$ itself, of $d$ coordinates; where it is divided by $a$, the text writes $x/a$. $h$ is the length of a step, and $z$ is
# fresh noise $\mathcal N(0, I)$; from {{section Flow matching from zero}} on, $z$ is the state of a flow. Other letters are explained where they come in.
#
# In this chapter $t$ is a real number in $[0, 1]$: data at 0, noise at 1. The chapters before this one count steps, $t = 1, \dots, T$; the share
# $t/T$ of a long chain is the $t$ of this chapter.

# %%
import functools
import itertools
import math

import torch

import diffusion_course as dc
from diffusion_course.classroom import check, check_all
from diffusion_course.denoisers import GaussianMixture
from diffusion_course.experiments import data
from diffusion_course.nets.mlp import MLP
from diffusion_course.notebook import plots, quiz, widgets
from diffusion_course.notebook.claims import agree, claim
from diffusion_course.notebook.tables import show_table

f64 = torch.float64
line = GaussianMixture(
    torch.tensor([[-1.0], [0.3], [1.2]], dtype=f64),
    stds=torch.tensor([0.25, 0.1, 0.2]),
    weights=torch.tensor([0.5, 0.2, 0.3]),
)
corners = torch.tensor([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.2, 0.8]], dtype=f64)
plane = GaussianMixture(corners, stds=torch.tensor([0.25, 0.15, 0.2, 0.3]))


def time(value):
    """A time as the library takes it: (), float64."""
    return torch.tensor(value, dtype=f64)


# %% [markdown]
# `line` is a mixture of three Gaussians on the line, where densities are easy to draw and to integrate; `plane` has four in the
# plane. Both give their exact denoiser, `line(x, sigma)`, and the log-density of their noisy versions.
#
# ## 1. The score
#
# Noisy data are $x_t = a(t)\,x_0 + b(t)\,\varepsilon$. Chapter 1 has $a = \sqrt{\bar\alpha_t}$ and $b = \sqrt{1-\bar\alpha_t}$; other
# processes have others. Divided by $a$ this is $x_0 + \sigma\varepsilon$ with $\sigma(t) = b(t)/a(t)$, what a denoiser takes.
#
# The density of $x_t$ is a blur of the data's, $p_t(x) = \int p(x_0)\,\mathcal N(x;\, a x_0,\, b^2 I)\,\mathrm dx_0$. Its *score* is the
# gradient of its logarithm, $\nabla_x\log p_t(x)$: a vector at each point that shows where data become more likely. A score needs no
# normalising constant, since a constant factor of $p$ has no gradient.
#
# **The score is the denoiser.** Differentiate under the integral, line by line:
#
# $$\begin{aligned}
# \nabla p_t(x) &= \int p(x_0)\,\mathcal N(x;\, a x_0,\, b^2 I)\,\frac{a x_0 - x}{b^2}\,\mathrm dx_0 && \text{the gradient of a Gaussian} \\
# \frac{\nabla p_t(x)}{p_t(x)} &= \int p(x_0 \mid x)\,\frac{a x_0 - x}{b^2}\,\mathrm dx_0 && \text{Bayes: } p(x_0)\,\mathcal N(x; a x_0, b^2 I) = p(x_0 \mid x)\,p_t(x) \\
# \nabla\log p_t(x) &= \frac{a\,D(x/a,\; b/a) - x}{b^2} && \text{the mean of } x_0 \text{ given } x \text{ is } D
# \end{aligned} \tag{1}$$
#
# This is Tweedie's formula (Robbins 1956; Karras et al. 2022, eq. 3, for $a = 1$). With $x = a x_0 + b\varepsilon$ it also reads
# $\nabla\log p_t = -\mathbb E[\varepsilon \mid x]/b$: the score points against the noise.
#
# The cell computes line 1 by an integral over a grid of $x_0$, and line 3 from the denoiser.

# %%
a, b = 0.8, 0.6
grid = torch.linspace(-4, 4, 3201, dtype=f64)
x = torch.linspace(-2, 2, 9, dtype=f64)[:, None]
prior = line.log_density(grid[:, None]).exp()


def normal(x, mean, std):
    return torch.exp(-0.5 * ((x - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))


def in_x_t(mixture, a, b):
    """log p_t as a function of x_t: the noisy mixture at x_t / a, and the factor a^-d of the change of scale."""
    return lambda x: mixture.log_density(x / a, b / a) - x.shape[1] * math.log(a)


kernel = normal(x, a * grid, b)
density = torch.trapezoid(prior * kernel, grid)
slope = torch.trapezoid(prior * kernel * (a * grid - x) / b**2, grid)
tweedie = (a * line(x / a, b / a) - x) / b**2
agree("p_t by the integral and by the mixture", density, in_x_t(line, a, b)(x).exp(), 1e-10)
agree("(1): the integral and the denoiser", slope / density, tweedie[:, 0], 1e-10)
leaf = x.clone().requires_grad_()
(by_autograd,) = torch.autograd.grad(in_x_t(line, a, b)(leaf).sum(), leaf)
agree("(1): the gradient of log p_t", by_autograd, tweedie, 1e-10)

# %% [markdown]
# ### Exercise {{08-score_from_denoiser}}
#
# Write (1) for a batch in which each sample has a time of its own. $D$ takes $x_0 + \sigma\varepsilon$ and $\sigma$, so $x$ must be
# divided by $a$ before it is shown to $D$. Ask it once.
#
# *Hint.* Reshape $a$ and $b$ to (B, 1, ..., 1) before they multiply $x$. $D$ takes $\sigma$ of shape (B,).


# %%
# EXERCISE 08-score_from_denoiser (keep this line)
def score_from_denoiser(D, x, scale, std):
    """The score of p_t at x = scale x_0 + std eps, by Tweedie's formula.

    D: D(x, sigma) -> the mean of x_0 given x_0 + sigma eps; x: (B, *S), sigma: (B,). Returns (B, *S).
    x: (B, *S). scale, std: a and b of each sample, (B,), > 0.
    Returns (B, *S). Gradients flow back to x, through D too: section 6 differentiates the score.
    """
    ### BEGIN SOLUTION
    a, b = (v.reshape(-1, *[1] * (x.ndim - 1)) for v in (scale, std))
    return (a * D(x / a, std / scale) - x) / b**2
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("08-score_from_denoiser", score_from_denoiser)


# %% [markdown]
# The rest of the chapter asks for scores by `score_of(D, sde)`, which calls your function. The figure shows $b^2$ times your scores of
# `plane`, at seven noise levels. **Predict, then run.** Where will these arrows be longest? Where will they vanish?


# %%
def score_of(D, sde):
    """score(x, t) of the denoiser D in the process `sde`: x (B, *S), t ()."""

    def score(x, t):
        scale, std = (v.to(x).expand(len(x)) for v in (sde.scale(t), sde.std(t)))
        return score_from_denoiser(D, x, scale, std)

    return score


vp = dc.sde.vp()
x, t = plane.sample(50, dc.Noise(0))[0], time(0.3)
agree("your score and the library's", score_of(plane, vp)(x, t), dc.sde.as_score(plane, vp)(x, t), 1e-10)

mesh = torch.cartesian_prod(*[torch.linspace(-2, 2, 13, dtype=f64)] * 2)


def arrows(t):
    pull = score_of(plane, vp)(mesh, time(t)) * vp.std(time(t)) ** 2
    return plots.vector_field(
        mesh,
        pull,
        title=f"The score times b², at t = {t:g}",
        clouds={"means of the mixture, times a": vp.scale(time(t)) * corners},
        limits=(-2.2, 2.2),
        share=0.25,
    )


widgets.slide_frames(
    {t: arrows(t) for t in (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)},
    "t",
    static=[{"t": 0.05}, {"t": 0.2}],
    description="The score of four Gaussians in the plane, at a given noise level",
)

# %% [markdown]
# The figure shows $b^2\nabla\log p_t = a D - x$: the way from $x$ to the shrunk guess. It vanishes at the modes and at balance points
# between them, and is longest far away. With little noise every point is pulled to one mode. With much noise all are pulled to the
# middle, and near $t = 1$ the score is $-x$, that of pure noise.

# %%
quiz.ask("08-q1")

# %% [markdown]
# ## 2. A score learned from noise
#
# A network $s_\theta(x)$ should have the least *explicit* error $\mathbb E_{p_t}\|s_\theta - \nabla\log p_t\|^2$. But nobody knows
# $\nabla\log p_t$ of photographs. What is known is the score of $x$ given the clean $x_0$:
# $\nabla_x\log p(x \mid x_0) = (a x_0 - x)/b^2 = -\varepsilon/b$. *Denoising score matching* (Vincent 2011; Song et al. 2021, eq. 7)
# regresses on that one instead:
#
# $$\begin{aligned}
# \mathbb E_{p_t}\langle s_\theta, \nabla\log p_t\rangle &= \int \langle s_\theta(x), \nabla p_t(x)\rangle\,\mathrm dx && p\,\nabla\log p = \nabla p \\
# &= \int\!\!\int \langle s_\theta(x), \nabla_x p(x \mid x_0)\rangle\,p(x_0)\,\mathrm dx_0\,\mathrm dx && p_t \text{ is the blur} \\
# &= \mathbb E_{x_0, x}\langle s_\theta, \nabla_x\log p(x \mid x_0)\rangle && \text{the same rule, backwards} \\
# \mathbb E_{p_t}\|s_\theta - \nabla\log p_t\|^2 &= \mathbb E_{x_0, x}\|s_\theta - \nabla_x\log p(x \mid x_0)\|^2 - C && \text{expand both squares}
# \end{aligned} \tag{2}$$
#
# Only the terms without $s_\theta$ differ. They make $C$, which no training changes:
# $C = \mathbb E\|\nabla_x\log p(x\mid x_0) - \nabla\log p_t\|^2$, the variance of the target given $x$.
#
# The cell takes a "network" with two weights, $s_\theta(x) = \theta_1 x + \theta_2\tanh x$, and integrates both losses over grids of $x_0$
# and $x$. **Predict, then run.** Which of the two losses is the larger? Which of the two gradients?

# %%
x0_grid, x_grid = torch.linspace(-3, 3, 1201, dtype=f64), torch.linspace(-5, 5, 801, dtype=f64)


def two_losses(model, exact, target, a, b):
    """Mean squared errors of model(x) to exact(x) and to target(x, x_0), under x = a x_0 + b eps with x_0 from `line`."""
    joint = line.log_density(x0_grid[:, None]).exp()[:, None] * normal(x_grid, a * x0_grid[:, None], b)
    joint = joint / joint.sum()
    explicit = (joint.sum(0) * (model(x_grid) - exact(x_grid)) ** 2).sum()
    denoising = (joint * (model(x_grid) - target(x_grid, x0_grid[:, None])) ** 2).sum()
    return explicit, denoising


def true_score(x):
    return ((a * line(x[:, None] / a, b / a) - x[:, None]) / b**2)[:, 0]


def known_score(x, x0):
    return (a * x0 - x) / b**2


apart = []
for start in ([0.0, 0.0], [-1.0, 0.5], [2.0, -3.0]):
    theta = torch.tensor(start, dtype=f64, requires_grad=True)
    losses = two_losses(lambda x, w=theta: w[0] * x + w[1] * x.tanh(), true_score, known_score, a, b)
    g_explicit, g_denoising = (torch.autograd.grad(loss, theta, retain_graph=True)[0] for loss in losses)
    agree(f"(2) at theta = {start}: the two gradients", g_denoising, g_explicit, 1e-8)
    apart.append((losses[1] - losses[0]).item())
print("denoising minus explicit loss:", ", ".join(f"{c:.6f}" for c in apart))
_, C = two_losses(true_score, true_score, known_score, a, b)
agree("C, the loss that the exact score has", apart, [C] * 3, 1e-6)

# %% [markdown]
# The gradients agree; the losses differ by $C$, always the same. So a denoising loss does not go to 0, and its height says little by
# itself: the exact score has the loss $C$.
#
# **The zero-loss test.** There is one exception: if the data are a single point, $x_0$ is known, the target has no variance and $C = 0$. Then
# the loss of the exact score is 0 to rounding, whatever the schedule and the weight. So give your loss the exact score of a point: if the result is not 0, there is a slip in it, such as
# a wrong sign, a forgotten $b$, another time in the network than in the noise. The cell tries the test, and these three. (It tests the loss, not the training: a trained network is
# not exact, and the smallest slip of the table has a loss that would pass for one of training.)
#
# With the weight $b^2$ the loss is that of chapter 3, with $\varepsilon_\theta = -b\,s_\theta$:
#
# $$b^2\,\|s_\theta - \nabla_x\log p(x\mid x_0)\|^2 = \|\,b\,s_\theta + \varepsilon\,\|^2 = \|\varepsilon - \varepsilon_\theta\|^2 \tag{3}$$


# %%
def denoising_loss(score, x0, t, eps, sde):
    """(3): score(x, t) against -eps / b, weighted with b^2; the mean over everything."""
    b = sde.std(t)
    return (b * score(sde.scale(t) * x0 + b * eps, t) + eps).square().mean()


point = GaussianMixture(torch.tensor([[0.7, -0.4]], dtype=f64), stds=0.0)
one, many = point.sample(1000, dc.Noise(1))[0], plane.sample(1000, dc.Noise(1))[0]
eps, t = dc.Noise(2).like(one), time(0.4)
right = score_of(point, vp)
lines = [
    ("one point, exact score", denoising_loss(right, one, t, eps, vp)),
    ("one point, sign turned", denoising_loss(lambda x, t: -right(x, t), one, t, eps, vp)),
    ("one point, b forgotten", denoising_loss(lambda x, t: vp.std(t) * right(x, t), one, t, eps, vp)),
    ("one point, told t + 0.01", denoising_loss(lambda x, t: right(x, t + 0.01), one, t, eps, vp)),
    ("four Gaussians, exact score", denoising_loss(score_of(plane, vp), many, t, eps, vp)),
]
show_table(["data and network", "loss (3)"], [(name, f"{loss:.6f}") for name, loss in lines])
library = dc.losses.denoising_loss(plane, many, vp.sigma(t), eps, dc.losses.eps_weight)
agree("(3) and the loss on eps of the library", lines[4][1], library, 1e-10)
claim("the exact score of one point has the loss 0, to rounding", lines[0][1] < 1e-20)
claim("each slip has a loss above 0", min(float(loss) for _, loss in lines[1:4]) > 1e-6)

# %% [markdown]
# ## 3. Noise in continuous time
#
# ### From many small steps to an SDE
#
# A small step of noising shrinks the state a little and adds a little noise. With step length $h$:
#
# $$x_{t+h} = x_t + h\,f(t)\,x_t + \sqrt h\;g(t)\,z, \qquad z \sim \mathcal N(0, I) \tag{4}$$
#
# Why $\sqrt h$? Variances of independent noises add. In a unit of time there are $1/h$ steps, and $1/h$ times the variance $h g^2$ is
# $g^2$, whatever $h$ is. With $h\,g\,z$ the noise would die out as $h \to 0$. In the limit one writes (Song et al. 2021, eq. 5, with a
# linear drift)
#
# $$\mathrm dx = f(t)\,x\,\mathrm dt + g(t)\,\mathrm dw \tag{5}$$
#
# **The kernel.** Given $x_0$, each step (4) is linear with Gaussian noise, so $x_t \sim \mathcal N(a x_0, b^2 I)$. Mean and variance
# after one step:
#
# $$\begin{aligned}
# a(t+h) &= (1 + h f)\,a(t) && \Rightarrow\quad a' = f a \\
# b^2(t+h) &= (1 + h f)^2\,b^2(t) + h\,g^2 && \Rightarrow\quad (b^2)' = 2 f b^2 + g^2 \qquad (h \to 0)
# \end{aligned} \tag{6}$$
#
# ### Three processes
#
# | | $f(t)$ | $g(t)^2$ | $a(t)$ | $b(t)$ |
# |---|---|---|---|---|
# | VP, the limit of DDPM (eq. 11) | $-\beta(t)/2$ | $\beta(t)$ | $e^{-B/2}$ | $\sqrt{1 - e^{-B}}$ |
# | sub-VP (eq. 12) | $-\beta(t)/2$ | $\beta(t)\,(1 - e^{-2B})$ | $e^{-B/2}$ | $1 - e^{-B}$ |
# | VE (eq. 9) | $0$ | $(\sigma_e^2)'(t)$ | $1$ | $\sqrt{\sigma_e(t)^2 - \sigma_e(0)^2}$ |
#
# Here $\beta(t) = 0.1 + 19.9\,t$, $B(t) = \int_0^t\beta = 0.1\,t + 9.95\,t^2$, and $\sigma_e(t) = 0.01 \cdot 5000^t$. The equation numbers are those of
# Song et al. 2021; the kernels are their eq. 29. VP keeps the variance of data with variance 1, sub-VP has less of it on the way,
# and in VE the noise simply grows.
#
# The cell types the table in, checks each row against (6) by automatic differentiation, and compares it with the library's
# `dc.sde.vp`, `sub_vp` and `ve`. It also checks that the chain of chapter 1 with $\beta_i = \beta(i/N)/N$ comes close to VP as $N$ grows.


# %%
def beta(t):
    return 0.1 + 19.9 * t


def B(t):
    return 0.1 * t + 9.95 * t**2


def sigma_e(t):
    return 0.01 * 5000**t


table = {  # f, g^2, a, b
    "VP": (
        lambda t: -beta(t) / 2,
        beta,
        lambda t: torch.exp(-B(t) / 2),
        lambda t: (1 - torch.exp(-B(t))).sqrt(),
    ),
    "sub-VP": (
        lambda t: -beta(t) / 2,
        lambda t: beta(t) * (1 - torch.exp(-2 * B(t))),
        lambda t: torch.exp(-B(t) / 2),
        lambda t: 1 - torch.exp(-B(t)),
    ),
    "VE": (
        lambda t: 0 * t,
        lambda t: 2 * math.log(5000) * sigma_e(t) ** 2,
        lambda t: torch.ones_like(t),
        lambda t: (sigma_e(t) ** 2 - 0.01**2).sqrt(),
    ),
}
sdes = {"VP": vp, "sub-VP": dc.sde.sub_vp(), "VE": dc.sde.ve()}


def derivative(function, t):
    leaf = t.clone().requires_grad_()
    return torch.autograd.grad((function(leaf) + 0 * leaf).sum(), leaf)[0]


times = torch.linspace(0.02, 1, 50, dtype=f64)
for name, (f, g2, a_of, b_of) in table.items():
    of = sdes[name]
    agree(f"{name}: a' = f a", derivative(a_of, times), f(times) * a_of(times), 1e-10)
    growth = 2 * f(times) * b_of(times) ** 2 + g2(times)
    agree(f"{name}: (b^2)' = 2 f b^2 + g^2", derivative(lambda t, b=b_of: b(t) ** 2, times), growth, 1e-10)
    mine = torch.stack([f(times), g2(times), a_of(times), b_of(times)])
    theirs = torch.stack([of.f(times), of.g(times) ** 2, of.scale(times), of.std(times)])
    agree(f"{name}: the table and the library", mine, theirs, 1e-10)

gap = {}
for N in (100, 1000):
    chain = dc.NoiseSchedule.from_betas(beta(torch.arange(1, N + 1, dtype=f64) / N) / N)
    gap[N] = (chain.alpha_bar.sqrt() - vp.scale(torch.arange(1, N + 1, dtype=f64) / N)).abs().max()
print("DDPM's chain against VP, largest difference of a:", {N: f"{v:.4f}" for N, v in gap.items()})
claim("ten times as many steps bring the chain about ten times as close", 8 < gap[100] / gap[1000] < 13)

# %% [markdown]
# ### Particles
#
# The same by brute force: 10,000 points of `line` take 400 small steps (4), and the points that arrive should have the density $p_t$. As
# a number for "should": the largest distance between the share of points below $x$ and the exact probability of it, the Kolmogorov–Smirnov
# distance $\mathrm{KS}$. For $n$ points that *do* have the density it stays below $1.36/\sqrt n$ in 95 % of all cases.
#
# **Predict, then run.** At which of the three times do you expect the largest distances: early, where $p_t$ still has three narrow peaks, or
# late, after 400 steps' worth of errors?


# %%
def share_below(x, a, b):
    """The exact probability that x_t is below x: `line` shrunk by a, with noise b. x: (n,)."""
    spread = (a**2 * line.stds.double() ** 2 + b**2).sqrt()
    z = (x[:, None] - a * line.means[:, 0]) / spread
    return (line.weights.double() * torch.special.ndtr(z)).sum(1)


def ks(points, a=1.0, b=0.0):
    """The KS distance of points (n, 1) to `line` shrunk by a, with noise b."""
    exact = share_below(points.flatten().sort().values, torch.as_tensor(a), torch.as_tensor(b))
    step = torch.arange(len(exact) + 1, dtype=f64) / len(exact)
    return float(torch.maximum((exact - step[:-1]).abs(), (exact - step[1:]).abs()).max())


def forward(sde, x, until, n, noise):
    """n steps (4) from 0 to `until`. sde.drift is f(t) x, sde.diffusion g(t)."""
    h = until / n
    for k in range(n):
        t = time(k * h)
        x = x + h * sde.drift(x, t) + math.sqrt(h) * sde.diffusion(x, t) * noise.like(x)
    return x


n, arrived = 10_000, {}
start = line.sample(n, dc.Noise(3, per_sample=False))[0]
lines, worst = [], 0.0
for name, of in sdes.items():
    cells = []
    for until in (0.1, 0.4, 1.0):
        x = forward(of, start, until, 400, dc.Noise(4, per_sample=False))
        arrived[name, until] = x
        cells.append(ks(x, of.scale(time(until)), of.std(time(until))))
    worst = max(worst, *cells)
    lines.append((name, *(f"{c:.4f}" for c in cells)))
show_table(
    ["KS distance", "t = 0.1", "t = 0.4", "t = 1"],
    lines,
    f"95 % of exact samples stay below {1.36 / 100:.4f}",
)
above = sum(float(cell) > 1.36 / 100 for _, *cells in lines for cell in cells)
print(f"{above} of the 9 distances are above the bound")
claim("no distance is above 0.02, half as much again as the 95 % bound", worst < 0.02)
plots.histogram(
    {f"t = {until}": arrived["VP", until][:, 0] for until in (0.1, 0.4)},
    densities={
        f"exact, t = {until}": lambda x, t=until: in_x_t(line, vp.scale(time(t)), vp.std(time(t)))(
            x[:, None]
        ).exp()
        for until in (0.1, 0.4)
    },
    title="10,000 particles of VP and the exact densities",
    xlabel="$x_t$",
    limits=(-3, 3),
)

# %% [markdown]
# No time stands out. The distances are about as large as chance makes them: of exact samples, too, one in twenty is above the bound. (These are not nine independent tests: all
# runs share their start and their noises.) If 400 steps make an error, it is hardly larger than what 10,000 points can show.

# %%
quiz.ask("08-q2")

# %% [markdown]
# ## 4. The way back
#
# ### The density moves, whoever moves it
#
# Particles of (5) have a density that obeys the *Fokker–Planck equation*: the drift carries it, the noise spreads it.
#
# $$\begin{aligned}
# \frac{\partial p_t}{\partial t} &= -\nabla\cdot\big(f x\,p_t\big) + \tfrac12 g^2\,\Delta p_t && \text{transport and spreading} \\
# &= -\nabla\cdot\Big(\big(f x - \tfrac12 g^2\,\nabla\log p_t\big)\,p_t\Big) && \Delta p = \nabla\cdot\nabla p = \nabla\cdot(p\,\nabla\log p)
# \end{aligned} \tag{7}$$
#
# The second line has no spreading term: it is the equation of particles that move *without* noise, with the velocity
#
# $$v(x, t) = f(t)\,x - \tfrac12\,g(t)^2\,\nabla\log p_t(x) \tag{8}$$
#
# So the ODE $\mathrm dx/\mathrm dt = v$ has the same densities $p_t$ at all times as the SDE. It is the *probability-flow ODE* (Song et al. 2021,
# eq. 13), and an ODE can be run backwards. No particle of it moves as one of the SDE does; only the crowd looks the same.
#
# ### A family of ways back
#
# Let $\tau = 1 - t$ run backwards. The density must obey $\partial p/\partial\tau = \nabla\cdot(v\,p)$. Give the particles noise $\lambda g$, and
# add to their drift what undoes its spreading:
#
# $$\begin{aligned}
# \mathrm dx &= \big(-v + \tfrac12\lambda^2 g^2\,\nabla\log p_t\big)\,\mathrm d\tau + \lambda g\,\mathrm dw && \text{a guess} \\
# \frac{\partial p}{\partial\tau} &= -\nabla\cdot\Big(\big(-v + \tfrac12\lambda^2 g^2\nabla\log p\big)\,p\Big) + \tfrac12\lambda^2 g^2\,\Delta p && \text{its Fokker–Planck equation} \\
# &= \nabla\cdot(v\,p) && p\,\nabla\log p = \nabla p\text{: the last two cancel} \\
# \mathrm dx &= \Big(-f x + \tfrac{1 + \lambda^2}{2}\,g^2\,\nabla\log p_t\Big)\,\mathrm d\tau + \lambda g\,\mathrm dw && \text{insert } v
# \end{aligned} \tag{9}$$
#
# $\lambda = 0$ is the ODE. $\lambda = 1$ is the reverse SDE of Anderson (1982; Song et al. 2021, eq. 6), the true time reversal of (5): its
# whole *paths* are those of the forward process, played backwards. Every other $\lambda$ has the right densities, too. (Karras et al. 2022, eq. 6,
# is this family for $a = 1$; their $\beta(t)$ is $\lambda^2\sigma'(t)/\sigma(t)$.)
#
# The cell checks both lines of (7), and line 3 of (9) for $\lambda = 2$, by finite differences on the line.

# %%
x, h = torch.linspace(-2.5, 2.5, 101, dtype=f64)[:, None], 1e-4


def p(x, t, sde=vp):
    return in_x_t(line, sde.scale(t), sde.std(t))(x).exp()[:, None]


def d_dx(function):
    """The derivative in x of a function of x, by differences."""
    return lambda x: (function(x + h) - function(x - h)) / (2 * h)


t = time(0.2)
f, g = vp.f(t), vp.g(t)
score, velocity = (
    dc.sde.as_score(line, vp),
    functools.partial(dc.sde.ode_velocity, dc.sde.as_score(line, vp), vp),
)
change = (p(x, t + h) - p(x, t - h)) / (2 * h)
curvature = (p(x + 10 * h, t) - 2 * p(x, t) + p(x - 10 * h, t)) / (10 * h) ** 2
agree("(7), line 1", -d_dx(lambda x: f * x * p(x, t))(x) + g**2 / 2 * curvature, change, 1e-5)
agree("(7), line 2", -d_dx(lambda x: (f * x - g**2 / 2 * score(x, t)) * p(x, t))(x), change, 1e-5)
agree("(8) and the library", f * x - g**2 / 2 * score(x, t), velocity(x, t))
lam = 2.0
drift_back = -d_dx(lambda x: (-velocity(x, t) + lam**2 * g**2 / 2 * score(x, t)) * p(x, t))(x)
agree("(9), line 3: the density backwards", drift_back + lam**2 * g**2 / 2 * curvature, -change, 1e-5)

# %% [markdown]
# ### Exercise {{08-reverse_sde_step}}
#
# Write one step of (9) from $t$ down to $t'$, with length $h = t - t' > 0$: the drift of the last line of (9) times $h$, and noise of
# variance $\lambda^2 g^2 h$. Score, $f$ and $g$ are taken at $t$, where the step begins (Euler–Maruyama). The step to $t' = 0$ adds
# no noise: nothing would remove it.
#
# The function is given the two numbers $f(t)$ and $g(t)$, so that it serves all three processes, and the fresh noise $z$, a standard
# normal tensor.


# %%
# EXERCISE 08-reverse_sde_step (keep this line)
def reverse_sde_step(score, x, t, t_next, f, g, lam, z):
    """One step of the family (9) from t to t_next < t.

    score: called once, as score(x, t) -> (B, *S), for x: (B, *S) and t: (). x: (B, *S), the state at t.
    t, t_next: tensors (), 0 <= t_next < t <= 1. f, g: the numbers f(t) and g(t), tensors ().
    lam: a number >= 0; 0 is the ODE, 1 the reverse SDE. z: fresh noise N(0, I), (B, *S).
    Returns the state at t_next, (B, *S); where t_next is 0 no noise is added.
    """
    ### BEGIN SOLUTION
    h = t - t_next
    mean = x + h * (-f * x + (1 + lam**2) / 2 * g**2 * score(x, t))
    if t_next == 0:
        return mean
    return mean + lam * g * h.sqrt() * z
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("08-reverse_sde_step", reverse_sde_step)

# %% [markdown]
# Now let 4,000 particles fall back from noise, with the exact score, 300 of your steps and four values of $\lambda$. If (9) is right, all
# have the density $p_t$ on the way, and the data's at the end. They start at noise of the standard deviation `prior_std`, 1 in VP: the usual approximation of $p_1$, whose error {{section The exact likelihood}} measures.
# `dc.sde.times(n)` are $n$ times, evenly spaced from 1 to 0.001, and 0. The library's loop `dc.sde.states` walks along them, calls your step, and gives (state, time) at each; `lam_step` only
# hands the step what it needs.
#
# **Predict, then run.** Do the particles of $\lambda = 2$, which are shaken most, arrive with a wider density?


# %%
def lam_step(lam):
    """Your step, as the library's loop calls it."""

    def step(score, sde, x, t, t_next, noise):
        return reverse_sde_step(score, x, t, t_next, sde.f(t), sde.g(t), lam, noise.like(x))

    return step


def fall_back(lam, n_steps, mixture=line, sde=vp, n=4000, seed=5):
    """All states of n particles on the way from noise to data."""
    noise = dc.Noise(seed, per_sample=False)
    x = sde.prior_std * noise.randn(n, mixture.means.shape[1], dtype=f64)
    return [
        x
        for x, _ in dc.sde.states(score_of(mixture, sde), sde, x, dc.sde.times(n_steps), lam_step(lam), noise)
    ]


x, z = plane.sample(6, dc.Noise(6))[0], dc.Noise(7)
step_args = (score_of(plane, vp), vp, x, time(0.6), time(0.5))
agree("your step with lambda = 1 and the library's", lam_step(1.0)(*step_args, dc.Noise(7)),
      dc.sde.euler_maruyama(*step_args, dc.Noise(7)))  # fmt: skip
agree("your step with lambda = 0 and the library's ODE step", lam_step(0.0)(*step_args, dc.Noise(7)),
      dc.sde.ode_euler(*step_args))  # fmt: skip

bound = 1.36 / math.sqrt(4000)
ways, clock = {lam: fall_back(lam, 300) for lam in (0.0, 0.5, 1.0, 2.0)}, dc.sde.times(300)
stops = (150, 240, 285, 300)  # after so many steps
distances = {
    lam: [ks(way[k], vp.scale(clock[k]), vp.std(clock[k])) for k in stops] for lam, way in ways.items()
}
show_table(
    ["lambda", *(f"t = {clock[k]:.2f}" for k in stops)],
    [(lam, *(f"{d:.4f}" for d in row)) for lam, row in distances.items()],
    f"KS distance to p_t of 4,000 particles, 300 steps; 95 % of exact samples stay below {bound:.4f}",
)
claim("all sixteen distances are below the bound", max(map(max, distances.values())) < bound)
plots.histogram(
    {f"$\\lambda$ = {lam:g}": ways[lam][-1][:, 0] for lam in (0.0, 2.0)},
    densities={"exact": lambda x: line.log_density(x[:, None]).exp()},
    title="Particles that fell back without noise, and with twice the noise",
    xlabel="$x_0$",
    limits=(-2.2, 2.2),
)

# %% [markdown]
# They do not: the drift of (9) grows with $\lambda$ and holds the particles together. The ODE's particles and the SDE's have one
# density, as far as the test can see: all values are below the bound, with 300 steps.
#
# **The power of this test.** "Below the bound" means little unless a wrong sampler would be above it. The cell
# draws 4,000 particles from a line whose outer weights are off by $\delta$, 100 times for each $\delta$, and counts how often the test
# notices.

# %%
noise = dc.Noise(8, per_sample=False)
noticed = {}
for delta in (0.0, 0.01, 0.02, 0.03, 0.05):
    off = GaussianMixture(line.means, line.stds, line.weights + delta * torch.tensor([1.0, 0.0, -1.0]))
    noticed[delta] = sum(ks(off.sample(4000, noise)[0]) > bound for _ in range(100))
show_table(["weights off by", "noticed, of 100"], list(noticed.items()))
claim("an error of 0.05 in two weights is noticed in more than 95 of 100 cases", noticed[0.05] > 95)
claim("an error of 0.01 is missed in most cases", noticed[0.01] < 50)

# %% [markdown]
# So numbers below the bound say: no large error. (They are not sixteen independent tests, since all particles begin at the same noises.) They do not say that the samplers are exact, and they are not: 300
# steps are finitely many. With fewer steps the differences show. In the slider, move $\lambda$ and the number of steps. **Predict first:**
# at 10 steps, which $\lambda$ is the nearest?

# %%
LAMBDAS, STEPS = (0.0, 0.5, 1.0, 2.0), (10, 30, 100)
runs = {(lam, steps): fall_back(lam, steps, n=2000)[-1] for lam in LAMBDAS for steps in STEPS}
show_table(
    ["lambda", *(f"{steps} steps" for steps in STEPS)],
    [(lam, *(f"{ks(runs[lam, steps]):.3f}" for steps in STEPS)) for lam in LAMBDAS],
    f"KS distance of 2,000 particles; 95 % of exact samples stay below {1.36 / math.sqrt(2000):.3f}",
)
claim(
    "at 10 steps lambda = 2 is the farthest of the four",
    ks(runs[2.0, 10]) == max(ks(runs[lam, 10]) for lam in LAMBDAS),
)
claim("at 10 steps lambda = 0 is the nearest", ks(runs[0.0, 10]) == min(ks(runs[lam, 10]) for lam in LAMBDAS))
claim("at 100 steps lambda = 2 is nearer than at 10", ks(runs[2.0, 100]) < ks(runs[2.0, 10]))
first = 1 - dc.sde.times(10)[1]
factor = {lam: float(1 - first * beta(1) * lam**2 / 2) for lam in LAMBDAS}
print("first of 10 steps: x times", ", ".join(f"{v:.1f} (lambda = {lam:g})" for lam, v in factor.items()))
claim(
    "of the four factors only that of lambda = 2 is beyond -1",
    [v < -1 for v in factor.values()] == [0, 0, 0, 1],
)


def landing(lam, steps):
    return plots.histogram(
        {"particles": runs[lam, steps][:, 0].clamp(-3, 3)},
        densities={"exact": lambda x: line.log_density(x[:, None]).exp()},
        title=f"λ = {lam:g}, {steps} steps: KS distance {ks(runs[lam, steps]):.3f}",
        xlabel="$x_0$ (particles outside are drawn at the edge)",
        limits=(-3, 3),
    )


widgets.slide_frames(
    {key: landing(*key) for key in runs},
    ["lam", "steps"],
    labels={"lam": "λ (noise)"},
    description="Where 2,000 particles land, for a given amount of noise on the way and number of steps",
    static=[{"lam": lam, "steps": 10} for lam in (0.0, 2.0)],
)

# %% [markdown]
# More noise needs shorter steps. Near $t = 1$ the score is $-x$, and $f = -\beta/2$, $g^2 = \beta$: without its noise a step (9) of VP
# multiplies $x$ by $1 - h\beta\lambda^2/2$. For $\lambda = 2$ and 10 steps that is beyond $-1$: each of the first steps throws the particles
# over the middle, and farther out than they were. In this table, of the *exact* score of one
# mixture, noise gains nothing at 10 steps. With a network it can: fresh noise and the stronger drift forget earlier
# errors. Chapter 9, section 7 ("Churn: noise that repairs"), measures that on digits.
#
# The second slider shows the whole way, in the plane: particles of $\lambda = 1$, over the exact density of their time.

# %%
way = fall_back(1.0, 60, mixture=plane, n=400)
clock = dc.sde.times(60)
axis = torch.linspace(-2.6, 2.6, 60, dtype=f64)
fine = torch.cartesian_prod(axis, axis)


def falling(step):
    t = clock[step]
    figure = plots.scatter2d(
        {"particles": way[step]}, title=f"t = {t:.2f}: 400 particles, and $p_t$", limits=(-2.6, 2.6)
    )
    density = in_x_t(plane, vp.scale(t).item(), vp.std(t).item())(fine).exp().reshape(60, 60)
    figure.axes[0].contour(axis, axis, density.T, 8, colors="0.4", linewidths=0.8, zorder=1)
    return figure


shown = {round(float(clock[step]), 2): step for step in (*range(0, 40, 8), *range(40, 61, 2))}  # t: step
widgets.slide_frames(
    {t: falling(step) for t, step in shown.items()},
    "t",
    static=[{"t": 0.15}, {"t": 0.0}],
    description="Particles of the reverse SDE at a given time, over the exact density of that time",
)

# %%
quiz.ask("08-q3")

# %% [markdown]
# ## 5. A corrector
#
# A predictor steps from $t$ to $t'$. A *corrector* stays at one $t$ and shakes the particles, so that they come nearer to $p_t$.
# *Langevin dynamics* does this with the score alone (Song et al. 2021, algorithms 4 and 5):
#
# $$x \leftarrow x + e\,\nabla\log p_t(x) + \sqrt{2e}\,z \tag{10}$$
#
# For small $e$ this is a step of an SDE with the drift $\nabla\log p_t$ in the place of $f x$, and $g^2 = 2$. Its Fokker–Planck equation, like line 1 of (7), keeps the density at $p_t$:
#
# $$-\nabla\cdot(p_t\,\nabla\log p_t) + \Delta p_t = -\Delta p_t + \Delta p_t = 0 \tag{11}$$
#
# How long should $e$ be? The paper compares the norms of the two terms of (10), and asks for a fixed ratio $r$ of the first to the second.
# With $\|s\|$ the norm of the score and $\|z\|$ that of the noise, both means over the batch,
#
# $$r = \frac{e\,\|s\|}{\sqrt{2e}\,\|z\|} = \sqrt{\frac e2}\;\frac{\|s\|}{\|z\|} \qquad\Rightarrow\qquad e = 2\,\Big(\frac{r\,\|z\|}{\|s\|}\Big)^2 \tag{12}$$
#
# The cell checks (11) on the line, (12) by its ratio, and lets particles that start at the wrong place be shaken 400 times at one fixed $t$.

# %%
t, r = time(0.1), 0.16
a, b = vp.scale(t), vp.std(t)
still = -d_dx(lambda x: p(x, t) * score(x, t))(x_grid[:, None]) + d_dx(d_dx(lambda x: p(x, t)))(
    x_grid[:, None]
)
agree("(11): the density stands still", still, torch.zeros_like(still), 1e-4)


def mean_norm(v):
    return v.flatten(1).norm(dim=1).mean()


noise = dc.Noise(9, per_sample=False)
x = 2 + 0.1 * noise.randn(4000, 1, dtype=f64)  # far from where p_t has its points
z, s = noise.like(x), score(x, t)
e = 2 * (r * mean_norm(z) / mean_norm(s)) ** 2
agree("(12): the ratio of the two terms", mean_norm(e * s) / mean_norm((2 * e).sqrt() * z), r)

shaken = {}
for k in range(401):
    if k in (0, 10, 100, 400):
        shaken[k] = ks(x, a, b)
    x = x + 0.01 * score(x, t) + math.sqrt(0.02) * noise.like(x)
show_table(
    ["steps of (10) with e = 0.01", "KS distance to p_t"], [(k, f"{v:.3f}") for k, v in shaken.items()]
)
claim("the corrector alone brings the particles nearer", shaken[400] < shaken[100] < shaken[10] < shaken[0])

# %% [markdown]
# A corrector needs no path: from this wrong start it comes nearer to $p_t$, slowly, since particles cross the gaps between the modes by
# chance alone. A *predictor–corrector* lets the predictor do the long way and the corrector mend its errors.
#
# ### Exercise {{08-predictor_corrector}}
#
# Write the sampler. In step $i$, at $t_i$: first one correction (10) with the step length (12), then one step of the reverse SDE ($\lambda = 1$) to
# $t_{i+1}$, from the corrected state. This is the order of the paper's code (its algorithms 2 and 3 print the corrector after the predictor). Return all states: $x$ itself, and what each
# predictor leaves. All noise is given: `noise[i, 0]` is the corrector's in step $i$, and `noise[i, 1]` the predictor's. Your
# `reverse_sde_step` may be used.
#
# *Hint.* The norms in (12) are taken of each sample as one long vector, then averaged over the batch: $e$ is one number. The score is asked twice a step.


# %%
# EXERCISE 08-predictor_corrector (keep this line)
def predictor_corrector(score, x, times, f, g, r, noise):
    """All states of a sampler with one correction before each step of the reverse SDE.

    score: score(x, t) -> (B, *S), for x: (B, *S) and t: (). x: (B, *S), the state at times[0].
    times: (N+1,), falling; the last may be 0. f, g: f(t) and g(t) at times[0..N-1], each (N,).
    r: the ratio (12), a number > 0. noise: (N, 2, B, *S), N(0, I); noise[i, 0] is the corrector's, noise[i, 1] the predictor's.
    Returns (N+1, B, *S): x, and the state after each step. The predictor adds no noise in a step to time 0.
    """
    ### BEGIN SOLUTION
    states = [x]
    for i in range(len(times) - 1):
        x, t = states[-1], times[i]
        slope, z = score(x, t), noise[i, 0]
        norms = [v.flatten(1).norm(dim=1).mean() for v in (z, slope)]
        e = 2 * (r * norms[0] / norms[1]) ** 2
        x = x + e * slope + (2 * e).sqrt() * z
        states.append(reverse_sde_step(score, x, t, times[i + 1], f[i], g[i], 1.0, noise[i, 1]))
    return torch.stack(states)
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("08-predictor_corrector", predictor_corrector)

# %% [markdown]
# Your sampler against the library's, in VE (in VP the library multiplies $e$ by a number near 1, as the paper does); then a measurement. A step with a corrector asks the score
# twice, so it is compared with *twice as many* steps of the predictor alone. **Predict, then run.** Which is better at 20 evaluations? At 200?

# %%
ve = dc.sde.ve(0.01, 10.0)
ve_score = score_of(line, ve)


def run_pc(n_steps, n=4000, r=0.16, seed=10):
    clock = dc.sde.times(n_steps, 1e-3)
    noise = dc.Noise(seed, per_sample=False)
    x = ve.prior_std * noise.randn(n, 1, dtype=f64)
    draws = noise.randn(n_steps, 2, n, 1, dtype=f64)
    return predictor_corrector(ve_score, x, clock, ve.f(clock[:-1]), ve.g(clock[:-1]), r, draws)[-1]


x, clock = ve.prior_std * dc.Noise(11).randn(5, 1, dtype=f64), dc.sde.times(8)
draws = [dc.Noise(12)] * 16  # one source, asked 16 times, as the library asks it
draws = torch.stack([source.like(x) for source in draws]).reshape(8, 2, 5, 1)
mine = predictor_corrector(ve_score, x, clock, ve.f(clock[:-1]), ve.g(clock[:-1]), 0.16, draws)[-1]
library = dc.sde.sample(ve_score, ve, x, clock, dc.sde.predictor_corrector(0.16), dc.Noise(12))
agree("your sampler and the library's", mine, library, 1e-10)

alone, both = {}, {}
for evaluations in (20, 40, 100, 200):
    alone[evaluations] = ks(fall_back(1.0, evaluations, sde=ve)[-1])
    both[evaluations] = ks(run_pc(evaluations // 2))
show_table(
    ["evaluations of the score", *alone],
    [
        ("predictor alone", *(f"{d:.3f}" for d in alone.values())),
        ("with corrector", *(f"{d:.3f}" for d in both.values())),
    ],
    f"KS distance, VE, 4,000 particles; 95 % of exact samples stay below {bound:.3f}",
)
claim("at 20 evaluations the predictor alone is nearer", alone[20] < both[20] - bound)
claim(
    "at 100 and 200 evaluations both are below the bound",
    max(alone[100], alone[200], both[100], both[200]) < bound,
)

# %% [markdown]
# With few evaluations the corrector is a bad bargain: it takes half of the predictor's steps. With many, both are below the bound (one seed: their
# order may be chance). Song et al. (2021, table 1) find that correctors improve the FID of their networks with 1000 steps. A score that is exact
# has little for them to mend.

# %%
quiz.ask("08-q4")

# %% [markdown]
# ## 6. The exact likelihood
#
# The ODE (8) maps noise to data one to one. So the density of a data point can be followed along its path. A path $x(t)$ moves with $v$, and the density
# obeys $\partial p/\partial t = -\nabla\cdot(v p)$:
#
# $$\begin{aligned}
# \frac{\mathrm d}{\mathrm dt}\log p_t\big(x(t)\big) &= \frac{1}{p_t}\frac{\partial p_t}{\partial t} + \langle\nabla\log p_t, v\rangle && \text{chain rule} \\
# &= -\frac{\nabla\cdot(v\,p_t)}{p_t} + \langle\nabla\log p_t, v\rangle && \text{the density's equation} \\
# &= -\nabla\cdot v && \nabla\cdot(v p) = p\,\nabla\cdot v + \langle v, \nabla p\rangle
# \end{aligned} \tag{13}$$
#
# This is the *instantaneous change of variables* (Chen et al. 2018, theorem 1). Where particles spread ($\nabla\cdot v > 0$) their density falls. From
# a data point $x(0)$ to its noise $x(1)$ (Song et al. 2021, eq. 39):
#
# $$\log p_0\big(x(0)\big) = \log p_1\big(x(1)\big) + \int_0^1 \nabla\cdot v\big(x(t), t\big)\,\mathrm dt \tag{14}$$
#
# Compare with chapter 2: there the likelihood of a model was out of reach, and a bound had to do. Of an ODE model the likelihood itself is an integral over one
# path. (It is another model than the chain of chapter 2, even with the same network.)
#
# The cell checks (13) by differences along a path, then recovers the exact log-density of 40 points of `plane` from the score alone. For $p_1$
# it takes the exact density first, then the usual approximation $\mathcal N(0, I)$. **Predict, then run.** Of the data's mean VP keeps $a(1) = 0.7$ % at $t = 1$: how many nats will that cost? (`t_min` is where the
# integral begins: at $t = 0$ itself the score divides by $b = 0$.)

# %%
x, t, dt = plane.sample(40, dc.Noise(13))[0], time(0.2), 1e-4
of_plane = score_of(plane, vp)
speed = dc.sde.ode_velocity(of_plane, vp, x, t)
ahead, behind = (in_x_t(plane, vp.scale(t + s), vp.std(t + s))(x + s * speed) for s in (dt, -dt))
leaf = x.clone().requires_grad_()
divergence = dc.sde.exact_trace(dc.sde.ode_velocity(of_plane, vp, leaf, t), leaf)
agree("(13): along the path, and -div v", (ahead - behind) / (2 * dt), -divergence, 1e-5)

exact = plane.log_density(x)
log_p_1 = in_x_t(plane, vp.scale(time(1.0)), vp.std(time(1.0)))
found = dc.sde.log_likelihood(of_plane, vp, x, 300, t_min=1e-6, log_prior=log_p_1)
usual = dc.sde.log_likelihood(of_plane, vp, x, 300, t_min=1e-6)
print(f"log p of 40 points: from {exact.min():.2f} to {exact.max():.2f} nats")
print(
    f"largest error of (14): {(found - exact).abs().max():.1e}; with N(0, I) for p_1: {(usual - exact).abs().max():.1e}"
)
claim("(14) recovers the exact log-density to 1e-4", (found - exact).abs().max() < 1e-4)
claim("with N(0, I) for p_1 it is off by less than 0.005 nats", (usual - exact).abs().max() < 0.005)

# %% [markdown]
# The rest of the data's mean costs these points a few thousandths of a nat at most, so $\mathcal N(0, I)$ will do for $p_1$.
#
# ### The trace, exact or estimated
#
# $\nabla\cdot v$ is the trace of the Jacobian $J = \partial v/\partial x$. Exactly, it takes one backward pass per dimension: 64 for a digit of {{section Find out: bits per dimension of small digits}}, 3072 for a
# colour photograph of 32 × 32 pixels. *Hutchinson's estimate* takes one, with random signs $\xi$ (independent, mean 0, variance 1):
#
# $$\mathbb E\big[\xi^\top J\,\xi\big] = \sum_{ij} J_{ij}\,\mathbb E[\xi_i\xi_j] = \sum_i J_{ii} = \nabla\cdot v \tag{15}$$
#
# (Hutchinson 1990; Song et al. 2021, eq. 40). With signs, $\xi_i^2 = 1$ always, and the error comes from the off-diagonal entries alone:
#
# $$\mathrm{Var}\big[\xi^\top J\,\xi\big] = \tfrac12\sum_{i \neq j}(J_{ij} + J_{ji})^2 \tag{16}$$
#
# The cell measures the error for 16-dimensional data, with $K$ probes. **Predict, then run.** How does it fall with $K$?

# %%
cloud, t = GaussianMixture(0.5 * dc.Noise(14).randn(6, 16, dtype=f64), stds=0.2), time(0.3)
mean, std = vp.kernel(cloud.sample(20, dc.Noise(15))[0], t)
leaf = (mean + std * dc.Noise(16).like(mean)).requires_grad_()
v = dc.sde.ode_velocity(score_of(cloud, vp), vp, leaf, t)
J = torch.stack(
    [torch.autograd.grad(v[:, i].sum(), leaf, retain_graph=True)[0] for i in range(16)], 1
)  # (20, 16, 16)
trace = J.diagonal(dim1=1, dim2=2).sum(1)
symmetric = (J + J.mT) * (1 - torch.eye(16, dtype=f64))
variance = symmetric.square().sum((1, 2)) / 2
predicted = variance.mean().sqrt()

source, lines = dc.Noise(17, per_sample=False), []
for K in (1, 4, 16, 64):
    errors = []
    for _ in range(30):
        probes = dc.sde.rademacher(leaf.detach(), source, K)
        bent = torch.einsum("kbi,bij,kbj->kb", probes, J, probes)
        errors.append(bent.mean(0) - trace)
    errors = torch.stack(errors)
    lines.append((K, f"{errors.square().mean().sqrt():.3f}", f"{predicted / math.sqrt(K):.3f}"))
probes = dc.sde.rademacher(leaf.detach(), source, 4)
agree(
    "the library's estimate",
    dc.sde.hutchinson(probes)(v, leaf),
    torch.einsum("kbi,bij,kbj->b", probes, J, probes) / 4,
)
show_table(
    ["probes K", "rms error", "by (16), over the root of K"],
    lines,
    f"traces from {trace.min():.1f} to {trace.max():.1f}",
)
ratios = [float(measured) / float(theory) for _, measured, theory in lines]
claim("measured and predicted error agree within 20 %", max(ratios) < 1.2 and min(ratios) > 0.8)

# %% [markdown]
# The error falls like $1/\sqrt K$: unbiased, but four times the work buys half the error. For an average over many images one probe each is
# usually enough, since the errors of different images average out as well. Use the *same* probe at all steps of one path; then the integrand stays a smooth
# function of $t$.

# %%
quiz.ask("08-q5")

# %% [markdown]
# ## 7. Flow matching from zero
#
# So far the ODE came out of an SDE. Flow matching starts from the ODE (Lipman et al. 2023; Liu et al. 2023). Draw a straight line from a data point to a noise:
#
# $$z_t = (1 - t)\,x_0 + t\,\varepsilon, \qquad \frac{\mathrm dz_t}{\mathrm dt} = \varepsilon - x_0 \tag{17}$$
#
# $\varepsilon - x_0$ is the *conditional* velocity: of the one line that has these ends. Many lines pass through a point $z$, and a velocity field can have one
# value there. Take the mean of them, the *marginal* velocity
#
# $$u(z, t) = \mathbb E\big[\varepsilon - x_0 \mid z_t = z\big] \tag{18}$$
#
# **It moves the crowd rightly.** Let $\varphi$ be any smooth test function, and $p_t$ the density of $z_t$:
#
# $$\begin{aligned}
# \frac{\mathrm d}{\mathrm dt}\,\mathbb E[\varphi(z_t)] &= \mathbb E\big[\langle\nabla\varphi(z_t),\, \varepsilon - x_0\rangle\big] && \text{along each line} \\
# &= \mathbb E\big[\langle\nabla\varphi(z_t),\, u(z_t, t)\rangle\big] && \text{mean over all lines through } z_t \\
# \frac{\partial p_t}{\partial t} &= -\nabla\cdot(u\,p_t) && \text{integrate by parts; } \varphi \text{ is arbitrary}
# \end{aligned} \tag{19}$$
#
# So particles that follow $u$ have the density $p_t$ at every $t$ (Lipman et al. 2023, theorem 1).
#
# **Regressing on the conditional one is enough.** $u$ is a conditional mean, and the mean is what least squares finds. As in (2),
#
# $$\mathbb E\|u_\theta(z_t, t) - (\varepsilon - x_0)\|^2 = \mathbb E\|u_\theta(z_t, t) - u(z_t, t)\|^2 + \mathbb E\|u(z_t, t) - (\varepsilon - x_0)\|^2, \tag{20}$$
#
# where the last term has no $\theta$ (Lipman et al. 2023, theorem 2). The cell takes `line`, whose $u = (z - D)/t$ is known through $D = D\big(z/(1-t),\, t/(1-t)\big)$ (by (21) below), and checks (19) by differences, (20) and
# the gradients of both losses by integrals.


# %%
def marginal_velocity(mixture):
    """u(z, t) of a mixture, exact: z (B, *S), t () -> (B, *S)."""
    return lambda z, t: (z - mixture(z / (1 - t), t / (1 - t))) / t


u, t, h = marginal_velocity(line), time(0.4), 1e-4
x = torch.linspace(-2.5, 2.5, 101, dtype=f64)[:, None]


def density_on_the_line(z, t):
    return in_x_t(line, float(1 - t), float(t))(z).exp()[:, None]


change = (density_on_the_line(x, t + h) - density_on_the_line(x, t - h)) / (2 * h)
agree("(19): the density's equation", -d_dx(lambda z: u(z, t) * density_on_the_line(z, t))(x), change, 1e-5)


def marginal(z):
    return u(z[:, None], t)[:, 0]


def conditional(z, x0):
    """eps - x_0 of the line through z that ends in x_0."""
    return (z - (1 - t) * x0) / t - x0


ends = (float(1 - t), float(t))
_, spread = two_losses(marginal, marginal, conditional, *ends)
for start in ([0.0, 0.0], [1.0, -0.5]):
    theta = torch.tensor(start, dtype=f64, requires_grad=True)
    losses = two_losses(lambda z, w=theta: w[0] * z + w[1] * z.tanh(), marginal, conditional, *ends)
    gradients = [torch.autograd.grad(loss, theta, retain_graph=True)[0] for loss in losses]
    agree(f"(20) at theta = {start}", losses[1].detach(), losses[0].detach() + spread, 1e-6)
    agree(f"theorem 2 at theta = {start}: the gradients", gradients[1], gradients[0], 1e-6)

# %% [markdown]
# ### One network, four names
#
# $z_t$ is an $x_t$ with $a = 1 - t$ and $b = t$. So velocity, denoiser, noise and score are one thing in four notations. Let $\hat x_0$ and
# $\hat\varepsilon$ be the means of $x_0$ and $\varepsilon$ given $z$. The mean of (17) gives $z = (1-t)\,\hat x_0 + t\,\hat\varepsilon$ and
# $u = \hat\varepsilon - \hat x_0$; solve the two:
#
# $$\hat x_0 = z - t\,u, \qquad \hat\varepsilon = z + (1 - t)\,u, \qquad \nabla\log p_t(z) = -\frac{\hat\varepsilon}{t} = -\frac{z + (1 - t)\,u}{t} \tag{21}$$
#
# (the last by (1): $-\mathbb E[\varepsilon\mid x]/b$.) In particular a flow network can be sampled with noise, by (9), though no SDE was there when it was trained.
#
# **The direction of time.** Here noise is at $t = 1$, as in the rest of the course. Lipman et al. and Liu et al. have noise at 0 and data at 1. With $t' = 1 - t$ the
# path is $(1 - t')\,\varepsilon + t'\,x_0$ and the velocity $x_0 - \varepsilon$, the mean of which is $-u$. Whoever copies a sampler from one convention into a network of the other moves away
# from the data.
#
# ### Exercise {{08-score_from_velocity}}
#
# Write the last formula of (21), for a batch in which each sample has a time of its own. Derive it once by hand. Three slips are easy to make, and each still looks like a score:
# the $1/t$ forgotten, $z - (1-t)\,u$ for $z + (1-t)\,u$, and the sign of the whole.


# %%
# EXERCISE 08-score_from_velocity (keep this line)
def score_from_velocity(u, z, t):
    """The score of p_t at z, from the velocity there.

    u: the velocity E[eps - x_0 | z], (B, *S). z: the state (1 - t) x_0 + t eps, (B, *S).
    t: time of each sample, (B,), 0 < t <= 1; noise is at 1.
    Returns (B, *S).
    """
    ### BEGIN SOLUTION
    t = t.reshape(-1, *[1] * (z.ndim - 1))
    return -(z + (1 - t) * u) / t
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("08-score_from_velocity", score_from_velocity)

# %%
z, t = plane.sample(50, dc.Noise(17))[0], torch.linspace(0.05, 0.95, 50, dtype=f64)
column = t[:, None]
x0_hat = plane(z / (1 - column), t / (1 - t))
u = (z - x0_hat) / column
eps_hat = (z - (1 - column) * x0_hat) / column
agree("(21): x_0", z - column * u, x0_hat, 1e-10)
agree("(21): eps", z + (1 - column) * u, eps_hat, 1e-10)
by_tweedie = score_from_denoiser(plane, z, 1 - t, t)
agree("(21): your two scores", score_from_velocity(u, z, t), by_tweedie, 1e-9)
param = dc.denoisers.flow_param()
sigma = t / (1 - t)
library = param.c_skip(sigma)[:, None] * z / (1 - column) + param.c_out(sigma)[:, None] * u
agree("the library's denoiser of a velocity", library, x0_hat, 1e-10)


def their_velocity(z, s):
    """E[x_0 - eps | z] with data at s = 1: z = s x_0 + (1 - s) eps."""
    x0 = plane(z / s, (1 - s) / s)
    return x0 - (z - s * x0) / (1 - s)


ours, theirs = z[:4], z[:4]  # the same four states, moved from data to noise in both conventions of time
for k in range(20):
    now, then = time(0.3 + 0.02 * k), 1 - time(0.3 + 0.02 * k)  # t, and t' = 1 - t
    ours = ours + 0.02 * marginal_velocity(plane)(ours, now)
    theirs = theirs - 0.02 * their_velocity(theirs, then)  # t' falls
agree("the direction of time: Euler's steps in t and in t'", theirs, ours, 1e-12)

# %% [markdown]
# ### Exercise {{08-flow_loss}}
#
# The left side of (20) is all that training needs. Write it: the mean over batch and coordinates. Ask the model once.


# %%
# EXERCISE 08-flow_loss (keep this line)
def flow_loss(model, x0, eps, t):
    """The conditional flow-matching loss, a mean over batch and coordinates: ().

    model: model(z, t) -> (B, *S), the velocity, for z: (B, *S) and t: (B,).
    x0: data, (B, *S). eps: noise, (B, *S). t: time of each sample, (B,), in [0, 1]; noise is at 1.
    """
    ### BEGIN SOLUTION
    s = t.reshape(-1, *[1] * (x0.ndim - 1))
    z = (1 - s) * x0 + s * eps
    return (model(z, t) - (eps - x0)).square().mean()
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("08-flow_loss", flow_loss)

# %% [markdown]
# ### Straight lines, bent paths
#
# Every line (17) is straight. **Predict, then run:** are the paths of particles that follow $u$ straight, too? The cell follows eight of them, and draws eight
# lines from the same noises to data points taken at random; the figure shows four of each.


# %%
def follow(velocity, z, n_steps, start=1.0, end=0.0):
    """All states of Heun's method in t. At t = 1 and 0 the exact u divides by 0: it is asked a little inside."""
    states = [z]
    clock = torch.linspace(start, end, n_steps + 1, dtype=f64).clamp(1e-4, 1 - 1e-4)
    for t, r in itertools.pairwise(clock):
        first = velocity(states[-1], t)
        second = velocity(states[-1] + (r - t) * first, r)
        states.append(states[-1] + (r - t) * (first + second) / 2)
    return torch.stack(states)


start = torch.linspace(-1.75, 1.75, 8, dtype=f64)[:, None]
paths = follow(marginal_velocity(line), start, 100)[:, :, 0]
partners = line.sample(8, dc.Noise(18))[0][:, 0]
clock = torch.linspace(1, 0, 101, dtype=f64)
lines = {f"path {k + 1}": paths[:, k] for k in range(0, 8, 2)}
lines |= {f"line {k + 1}": clock * start[k, 0] + (1 - clock) * partners[k] for k in range(0, 8, 2)}
crossings = sum(
    bool((start[i] - start[j]) * (partners[i] - partners[j]) < 0) for i in range(8) for j in range(i)
)
print(f"of the 28 pairs of lines {crossings} cross; of the paths", end=" ")
print(int((paths.diff(dim=1) <= 0).any(0).sum()), "of 7 neighbours")
chord = clock[:, None] * paths[0] + (1 - clock)[:, None] * paths[-1]
claim(
    "the paths are not straight: some leave their chord by more than 0.1", (paths - chord).abs().max() > 0.1
)
claim("the paths end in the order in which they begin", (paths[-1].diff() > 0).all())
plots.curves(
    clock,
    lines,
    title="Paths of u, and straight lines from the same noises",
    xlabel="t (noise at 1)",
    ylabel="$z_t$",
)

# %% [markdown]
# Lines cross; paths of an ODE cannot. Where lines cross, $u$ is a compromise, and the path bends. A bent path needs several Euler steps.
#
# **Reflow** (Liu et al. 2023) straightens: let each noise keep the data point that *its own path* leads to, and train a second flow on these pairs. On the line, such pairs are in the same order at both ends, so none of their lines cross. The
# cell makes pairs with the exact $u$ of `plane` and trains two small networks with your loss, equally long: on random pairs, and on the paths' pairs. It then samples with 1, 2 and 8 Euler steps.
# **Predict, then run.** What will one step give from random pairs? (What is $u(z, 1)$?)


# %%
# NBVAL_IGNORE_OUTPUT
def train(net, pairs, steps, batch, lr, seed):
    """Minimise your flow_loss. pairs(n, draws) -> x0, eps. Returns the average of the weights over the last half."""
    draws = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(net.parameters(), lr)
    average = torch.optim.swa_utils.AveragedModel(net)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1, 2 * (1 - step / steps))
        x0, eps = pairs(batch, draws)
        loss = flow_loss(net, x0, eps, torch.rand(batch, generator=draws))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if 2 * step >= steps:
            average.update_parameters(net)
    return average.module.requires_grad_(False)


noises = dc.Noise(19, per_sample=False).randn(4000, 2, dtype=f64)
ends_of_paths = follow(marginal_velocity(plane), noises, 50)[-1]


def random_pairs(n, draws):
    rows, others = (torch.randint(4000, (n,), generator=draws) for _ in range(2))
    return ends_of_paths[rows].float(), noises[others].float()


def paths_pairs(n, draws):
    rows = torch.randint(4000, (n,), generator=draws)
    return ends_of_paths[rows].float(), noises[rows].float()


def euler(net, z, n_steps):
    for k in range(n_steps, 0, -1):
        z = z - net(z, torch.full((len(z),), k / n_steps)) / n_steps
    return z


nets = {}
for name, pairs in {"random pairs": random_pairs, "paths' pairs": paths_pairs}.items():
    torch.manual_seed(0)
    nets[name] = train(MLP(2, width=64, depth=2, noise_scale=1000.0), pairs, 1500, 256, 2e-3, seed=1)

fresh = dc.Noise(20, per_sample=False).randn(2000, 2)
landed = {(name, k): euler(net, fresh, k) for name, net in nets.items() for k in (1, 2, 8)}


def near_a_mode(points):
    """Share of points within three standard deviations of a mean; of the exact mixture it is 0.989."""
    inside = torch.cdist(points.double(), corners) < 3 * plane.stds.double()
    return float(inside.any(1).double().mean())


show_table(
    ["trained on", "1 step", "2 steps", "8 steps"],
    [(name, *(f"{near_a_mode(landed[name, k]):.2f}" for k in (1, 2, 8))) for name in nets],
    "share of 2,000 samples within three standard deviations of a mode",
)
claim(
    "with one step, random pairs leave less than 0.2 of the samples near a mode",
    near_a_mode(landed["random pairs", 1]) < 0.2,
)
claim(
    "with one step, the paths' pairs bring most of them there", near_a_mode(landed["paths' pairs", 1]) > 0.5
)
plots.scatter2d(
    {f"one step, {name}": landed[name, 1] for name in nets} | {"means": corners},
    title="One Euler step from noise",
    limits=(-2.2, 2.2),
)

# %% [markdown]
# From random pairs one step leads every noise to the mean of the data: at $t = 1$ the state says nothing of $x_0$, so $u(z, 1) = z - \mathbb E[x_0]$, and $z - u$ is that mean.
# On the paths' pairs noise and data point belong together, and one step comes close. Reflow does not change the data that come out, if the first flow is exact; it buys
# few steps. With a trained first flow, its errors are copied. (Two networks and one seed: this shows what reflow does, not how well it does it elsewhere.)

# %%
quiz.ask("08-q6")

# %% [markdown]
# ## 8. Find out: bits per dimension of small digits
#
# How well does a flow know digits? The data are the 8 × 8 digits of scikit-learn: $d = 64$ pixels, each with one of 17 grey levels $k = 0 \dots 16$. Three things lie between
# a flow and the number of bits.
#
# **Dequantisation.** A flow gives a density of continuous $x$. Fitted to discrete data it could put infinitely high spikes on the 17 levels. So fill the bins: add uniform noise $\zeta$ (*dither*, in code `dither`),
#
# $$x = \frac{2\,(k + \zeta)}{17} - 1, \qquad \zeta \sim U[0, 1)^{d} \tag{22}$$
#
# which turns level $k$ into a bin of width $2/17$ in $[-1, 1]$. The probability that the model gives to an image is the integral of its density over the bins, and by Jensen's inequality
# (Theis et al. 2016, section 3.1)
#
# $$-\log_2 P(k) = -\log_2\!\int_{\text{bins}} p(x)\,\mathrm dx \;\le\; \mathbb E_{\zeta}\big[-\log_2 p(x)\big] - d\,\log_2\tfrac{2}{17} \tag{23}$$
#
# **From nats of a density to bits of an image.** Divide by $d$ and $\ln 2$:
#
# $$\text{bits/dim} = -\frac{\log p(x)}{d\,\ln 2} + \log_2\frac{17}{2} \tag{24}$$
#
# A uniform density on $[-1, 1]^d$ has $\log p = -d\ln 2$ and gets $\log_2 17 = 4.09$: the naive code. The cell checks this, and (23) for a single pixel whose density is `line`.

# %%
uniform = -(-64 * math.log(2)) / (64 * math.log(2)) + math.log2(17 / 2)
agree("(24) of a uniform density", uniform, math.log2(17))
levels, inside = torch.arange(17, dtype=f64), (torch.arange(1000, dtype=f64) + 0.5) / 1000
x = 2 * (levels[:, None] + inside) / 17 - 1  # (22): each level's bin, (17, 1000)
log_p = line.log_density(x.reshape(-1, 1)).reshape(17, 1000)
left = -(log_p.exp().mean(1) * 2 / 17).log2()
right = -log_p.mean(1) / math.log(2) - math.log2(2 / 17)
print(f"(23): from {(right - left).min():.4f} to {(right - left).max():.4f} bits between the two sides")
claim("(23) holds for each of the 17 levels", (left <= right + 1e-9).all())

# %% [markdown]
# **The integral.** (14) for the flow, from $t = 0$ (data) to 1 (noise), where $p_1 = \mathcal N(0, I)$, with $u_\theta$ in the place of $v$ and the estimate (15) for its divergence. Take $N$ equal
# steps of the *midpoint rule*: ask velocity and divergence at the middle of the step, where half an Euler step leads. Step $i = 0, \dots, N - 1$
# begins at $t = i h$. $\log\det$ is the integral of the divergence in (14), so far; it begins at 0.
#
# $$\begin{aligned}
# m &= z + \tfrac h2\,u_\theta(z, t), \qquad h = 1/N \\
# z &\leftarrow z + h\,u_\theta(m,\, t + \tfrac h2), \qquad \log\det \leftarrow \log\det + h\,(\nabla\cdot u_\theta)(m,\, t + \tfrac h2)
# \end{aligned} \tag{25}$$
#
# ### Exercise {{08-flow_bits}}
#
# Write the whole measurement: (22), (25) from $t = 0$, the log-density of the noise at $t = 1$, (14) and (24). All random numbers are given; the model is asked twice a step.
#
# *Hint.* `torch.autograd.grad(v, m, probes)` is $J^\top\xi$ of all samples at once, if `m` requires gradients before `v` is computed from it; its product with
# `probes`, summed over each sample, is the estimate. Wrap the asking in `torch.enable_grad()`, and go on with `.detach()`.


# %%
# EXERCISE 08-flow_bits (keep this line)
def flow_bits(model, k, dither, probes, num_steps, levels):
    """Bits per dimension of each image under a flow, (B,), by (22) to (25).

    model: model(z, t) -> (B, *S), the velocity, for z: (B, *S) and t: (B,); noise is at t = 1.
    k: grey levels 0..levels - 1, integers, (B, *S). dither: uniform numbers in [0, 1), (B, *S). probes: xi of (15), signs or other
    numbers, (B, *S); the same at all steps. num_steps: number of midpoint steps, an integer >= 1. levels: number of grey levels, an integer.
    It must work under torch.no_grad(), too, where samplers and measurements run.
    """
    ### BEGIN SOLUTION
    z, log_det, h = 2 * (k + dither) / levels - 1, 0.0, 1 / num_steps

    def ask(z, t):
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            v = model(z, torch.full((len(z),), t, dtype=z.dtype, device=z.device))
            (pulled,) = torch.autograd.grad(v, z, probes)
        return v.detach(), (pulled * probes).flatten(1).sum(1)

    for i in range(num_steps):
        v, _ = ask(z, i * h)
        v, divergence = ask(z + h / 2 * v, (i + 0.5) * h)
        z, log_det = z + h * v, log_det + h * divergence
    d = z[0].numel()
    log_p = -0.5 * z.flatten(1).square().sum(1) - d / 2 * math.log(2 * math.pi) + log_det
    return -log_p / (d * math.log(2)) + math.log2(levels / 2)
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("08-flow_bits", flow_bits)

# %% [markdown]
# Now train a flow, with your loss, in about 20 s, and measure it. **Predict, then run**, and write your three guesses down: (a) the bits per dimension of *test* digits,
# between 0 and 4.09; (b) is it the same for training digits; (c) a model that knows only each pixel's own histogram over the training set, and takes pixels
# for independent: is it better or worse than the flow?

# %%
# NBVAL_IGNORE_OUTPUT
train_set, test_set = data.load("digits"), data.load("digits", "test")


def grey(images):
    """Images in [-1, 1] to levels 0..16, (B, 64)."""
    return ((images.flatten(1) + 1) * 8).round().long()


k_train, k_test = grey(train_set.images), grey(test_set.images)


def dequantised(n, draws):
    k = k_train[torch.randint(len(k_train), (n,), generator=draws)]
    x0 = 2 * (k + torch.rand(k.shape, generator=draws)) / 17 - 1
    return x0, torch.randn(k.shape, generator=draws)


torch.manual_seed(0)
digit_flow = train(MLP(64, width=256, depth=3, noise_scale=1000.0), dequantised, 1600, 256, 1.5e-3, seed=2)


def mean_bits(k, seed=21, n_steps=20):
    """Mean bits/dim of images, and the half width of its 95 % interval over images."""
    draws = torch.Generator().manual_seed(seed)
    dither = torch.rand(k.shape, generator=draws)
    probes = torch.randint(0, 2, k.shape, generator=draws) * 2.0 - 1
    bits = flow_bits(digit_flow, k, dither, probes, n_steps, 17)
    return float(bits.mean()), 1.96 * float(bits.std()) / math.sqrt(len(k)), bits


test_bits, test_error, each = mean_bits(k_test)
train_bits, train_error, _ = mean_bits(k_train[: len(k_test)])
counts = torch.stack([(k_train == level).float().mean(0) for level in range(17)])
# One image more of each level, so that no level of a test digit has the probability 0.
smoothed = (counts * len(k_train) + 1) / (len(k_train) + 17)
own = -smoothed.log2().gather(0, k_test)
own_bits, own_error = float(own.mean()), 1.96 * float(own.mean(1).std()) / math.sqrt(len(own))
lines = [
    ("each level alike", f"{math.log2(17):.3f}"),
    ("each pixel's own histogram, test", f"{own_bits:.3f} ± {own_error:.3f}"),
    ("the flow, test digits", f"{test_bits:.3f} ± {test_error:.3f}"),
    ("the flow, training digits", f"{train_bits:.3f} ± {train_error:.3f}"),
]
show_table(["model and digits", "bits/dim (95 % over images)"], lines, f"{len(k_test)} images each")
claim("training digits cost less than test digits", train_bits + train_error < test_bits - test_error)
claim("the flow costs less than the naive code", test_bits + test_error < math.log2(17))
claim("the pixels' own histograms cost less than the flow", own_bits + own_error < test_bits - test_error)

# %% [markdown]
# (a) and (b): the flow is well below the naive code, and a little better on the digits that it was trained on. (c) is the surprise: a model that knows nothing of strokes, only how often each
# pixel has each level, needs *fewer* bits. (The two numbers are not of one kind: by (23) the flow's is an upper bound of $-\log_2 P(k)$ per dimension, and the histograms' is exact. How much of the
# difference is the gap in (23), the cell does not measure.) Look at what the two draw.

# %%
with torch.no_grad():
    drawn = euler(digit_flow, dc.Noise(22).randn(10, 64), 50).reshape(10, 1, 8, 8)
still = (k_train == 0).double().mean(0) > 0.95  # (64,)
print(f"pixels that are 0 in more than 95 % of the training digits: {int(still.sum())} of 64;", end=" ")
print(
    f"their histograms cost {own[:, still].mean():.2f} bits, those of the others {own[:, ~still].mean():.2f}"
)
claim("about a fifth of the pixels are 0 nearly always", 0.15 < still.double().mean() < 0.3)
draws = torch.Generator().manual_seed(23)
picked = torch.multinomial(smoothed.permute(1, 0), 10, replacement=True, generator=draws).T
by_pixels = (picked / 8.0 - 1).reshape(10, 1, 8, 8)
plots.filmstrip(
    torch.stack([drawn, by_pixels, test_set.images[:10]], 1),
    [f"{n}" for n in range(1, 11)],
    rows=["the flow", "pixels alone", "real"],
    title="What the two models draw",
)

# %% [markdown]
# Most of what the flow draws looks like digits, and nothing that the cheaper model draws does. A likely reason for the numbers: about a fifth of the pixels are 0 nearly always, and a table of levels gives them next to no bits. A flow must make a density with hard edges there,
# a box of width $2/17$, out of a smooth field, and whatever it smears over the edges it pays for, in every such pixel. It is the lesson of chapter 2, section 8
# ("The decoder of pixels, and bits per dimension"), again: likelihood and looks are different goals.
#
# ### How much of the number is the estimator's?
#
# Three things might be wrong with the flow's number: too few steps, the estimated trace, the luck of the dequantisation. The cell changes the number of steps, then all random numbers (bins and probes) at once, then the
# probes for the exact trace. It also compares the flow with the *bound* of
# chapter 2, with the same network as a denoiser: $D = (x - \sigma u_\theta)/(1+\sigma)$ by (21), 200 steps evenly spaced in $\log\sigma$ from 0.02 to 80, and a Gaussian decoder. Bound and ODE score the same continuous $x$.
# **Predict, then run.** Which is lower?

# %%
# NBVAL_IGNORE_OUTPUT
each_finer, each_other = (mean_bits(k_test, **change)[2] for change in ({"n_steps": 60}, {"seed": 24}))
dither = torch.rand(k_test.shape, generator=torch.Generator().manual_seed(21))  # as in mean_bits
probes = 8 * torch.eye(64)  # the mean of (8 e_i)' J (8 e_i) over i is the sum of all J_ii: the exact trace
exact = torch.stack(
    [flow_bits(digit_flow, k_test[:60], dither[:60], e.expand(60, 64), 20, 17) for e in probes]
).mean(0)


def field(z, t):
    return digit_flow(z, t.to(z).expand(len(z)))


def denoise(x, sigma):
    """The flow as a denoiser."""
    s = sigma.to(x)
    return (x - s * field(x / (1 + s), s / (1 + s))) / (1 + s)


# The chain with these noise levels: from sigma to alpha_bar = 1 / (1 + sigma^2), and from its ratios to beta.
sigmas = dc.schedules.loglinear(200, 0.02, 80.0)[:-1].flip(0)
kept = 1 / (1 + sigmas**2)
schedule = dc.NoiseSchedule.from_betas(1 - kept / torch.cat([torch.ones(1, dtype=f64), kept[:-1]]))
decoder = dc.elbo.gaussian_decoder(0.02**2)
with torch.no_grad():
    terms = dc.elbo.vlb_terms(
        denoise, 2 * (k_test + dither) / 17 - 1, schedule, dc.Noise(25, per_sample=False), decoder
    )
bound_bits = dc.elbo.bits_per_dim(terms.total, 64) + math.log2(17 / 2)


def paired(difference):
    """Mean difference and its 95 % interval."""
    return f"{difference.mean():+.4f} ± {1.96 * difference.std() / math.sqrt(len(difference)):.4f}"


show_table(
    ["change", "bits/dim, in pairs"],
    [
        ("60 steps for 20", paired(each_finer - each)),
        ("other noise in the bins, other probes", paired(each_other - each)),
        ("exact trace for one probe (60 images)", paired(exact - each[:60])),
        ("the bound for the ODE", paired(bound_bits - each)),
    ],
    f"against the flow's {test_bits:.3f} bits/dim",
)
claim("20 steps are enough: 60 change it by less than 0.01", (each_finer - each).mean().abs() < 0.01)
moved = [(each_finer - each).mean(), (each_other - each).mean(), (exact - each[:60]).mean()]
claim("the first three changes are smaller than the flow's own interval", max(map(abs, moved)) < test_error)
claim("the exact trace agrees with one probe, within the interval",
      (exact - each[:60]).mean().abs() < 1.96 * (exact - each[:60]).std() / math.sqrt(60))  # fmt: skip
claim(
    "the bound lies above the ODE's number",
    (bound_bits - each).mean() > 1.96 * (bound_bits - each).std() / math.sqrt(len(each)),
)

# %% [markdown]
# The first three changes move the number by less than the ± of its own row in the table before. The two rows with random numbers have intervals of some hundredths of a bit, and do not exclude less than that. The bound lies above it. That need not be so for every network: the bound belongs to the
# random chain of chapter 2 and (14) to the ODE, two models that share a network and are equal only if its velocity is exact. Two reasons for the gap are at hand, and nothing here separates them: the chain's
# discrete steps, and a Gaussian decoder that knows nothing of the bins' edges.
#
# All numbers here are of one small network, trained for 20 s. Bits per dimension of other papers are of other data: with 17 levels the scale ends at 4.09, with 256 at 8.

# %%
quiz.ask("08-q7")

# %% [markdown]
# ## Common slips
#
# - A fresh random number where $g(t)$ belongs: $z$ alone is random, and $g(t)$ is a given function.
# - $h\,g\,z$ for $\sqrt h\,g\,z$: the noise of the SDE dies out as the steps get shorter, and the drift, made for it, overshoots.
# - $g$ for $g^2$ in the drift, or the SDE's $g^2$ in the ODE, where $\tfrac12 g^2$ belongs.
# - The forward sign of $f x$ kept when time is turned round: (9) has $-f x$.
# - $x_0 - \varepsilon$ for $\varepsilon - x_0$, with noise at $t = 1$; or a sampler that runs from 0 to 1 with a network of the other convention.
# - The score of a flow without its $1/t$, or with $z - (1-t)\,u$.
# - Nats of a density reported as bits of an image: the bins' width, $+\log_2(17/2)$ here, is missing.
#
# ## Summary
#
# - A denoiser, a predicted noise, a velocity and a score are one quantity: (1) and (21).
# - Regressing on a known conditional target (score or velocity) gives the mean of it, which is what is wanted: (2) and (20).
# - A linear SDE has a Gaussian kernel, given by two ODEs (6). VP, sub-VP and VE are three choices of $f$ and $g$.
# - All ways back of (9) have the same densities. More noise needs shorter steps: with the exact score of `line` and 10 steps, $\lambda = 0$ came nearest.
# - The ODE has an exact likelihood (14), its trace an unbiased estimate (15). On pixels it needs dequantisation and the width of the bins (24).
# - Flow matching learns the ODE from straight lines. Its paths are bent where lines cross; reflow straightens them.
#
# ## References
#
# - Song, Sohl-Dickstein, Kingma, Kumar, Ermon, Poole (2021). [*Score-based generative modeling through stochastic differential equations.*](https://arxiv.org/abs/2011.13456) Eqs. 5, 6, 7, 9, 11, 12, 13, 29, 39, 40;
#   algorithms 2 to 5; table 1.
# - Anderson (1982). [*Reverse-time diffusion equation models.*](https://doi.org/10.1016/0304-4149%2882%2990051-5)
# - Vincent (2011). [*A connection between score matching and denoising autoencoders.*](https://doi.org/10.1162/NECO_a_00142)
# - Robbins (1956). [*An empirical Bayes approach to statistics*](https://projecteuclid.org/euclid.bsmsp/1200501653) (there attributed to Tweedie).
# - Karras, Aittala, Aila, Laine (2022). [*Elucidating the design space of diffusion-based generative models.*](https://arxiv.org/abs/2206.00364) Eqs. 3, 6.
# - Chen, Rubanova, Bettencourt, Duvenaud (2018). [*Neural ordinary differential equations.*](https://arxiv.org/abs/1806.07366) Theorem 1.
# - Hutchinson (1990). [*A stochastic estimator of the trace of the influence matrix for Laplacian smoothing splines.*](https://doi.org/10.1080/03610919008812866)
# - Lipman, Chen, Ben-Hamu, Nickel, Le (2023). [*Flow matching for generative modeling.*](https://arxiv.org/abs/2210.02747) Theorems 1 and 2.
# - Liu, Gong, Liu (2023). [*Flow straight and fast: learning to generate and transfer data with rectified flow.*](https://arxiv.org/abs/2209.03003)
# - Theis, van den Oord, Bethge (2016). [*A note on the evaluation of generative models.*](https://arxiv.org/abs/1511.01844) Section 3.1.

# %%
# NBVAL_CHECK_OUTPUT
check_all()
