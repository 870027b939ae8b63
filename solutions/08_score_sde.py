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
# Chapters 1 to 7 add noise in steps. Here the steps become infinitely many, and noising becomes a stochastic differential
# equation. That buys three things: a family of ways back, from fully random to fully deterministic; the exact likelihood of a
# model; and flow matching, which reaches the same place without any noise on the way. Everything is checked on mixtures of
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
# **Time**: {{reading}} of reading, and {{minutes}} for {{exercises}}. The cells run in about 70 s on 2 CPU cores (not measured on
# a GPU).

# %% [markdown]
# ## Notation
#
# {{notation x0 eps D sigma x score sde kernel p_t velocity lambda_churn}}
#
# In this chapter $t$ is a real number in $[0, 1]$: data at 0, noise at 1. Chapters 1 to 6 count steps, $t = 1, \dots, T$; the share
# $t/T$ of a long chain is the $t$ of this chapter.

# %%
import functools
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
# divided by $a$ before it is shown to $D$. It may be asked once.
#
# *Hint.* Reshape $a$ and $b$ to (B, 1, ..., 1) before they multiply $x$. $D$ takes $\sigma$ of shape (B,).


# %%
# EXERCISE 08-score_from_denoiser (keep this line)
def score_from_denoiser(D, x, scale, std):
    """The score of p_t at x = scale x_0 + std eps, by Tweedie's formula.

    D: D(x, sigma) -> the mean of x_0 given x_0 + sigma eps; x: (B, *S), sigma: (B,). Returns (B, *S).
    x: (B, *S). scale, std: a and b of each sample, (B,), > 0.
    Returns (B, *S).
    """
    ### BEGIN SOLUTION
    a, b = (v.reshape(-1, *[1] * (x.ndim - 1)) for v in (scale, std))
    return (a * D(x / a, std / scale) - x) / b**2
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("08-score_from_denoiser", score_from_denoiser)


# %% [markdown]
# The rest of the chapter asks for scores by `score_of(D, sde)`, which calls your function. The figure shows your scores of `plane`
# at two noise levels. **Predict, then run.** Where will the arrows be longest? Where will they vanish?


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

mesh = torch.cartesian_prod(*[torch.linspace(-2, 2, 17, dtype=f64)] * 2)


def arrows(t=0.1):
    pull = score_of(plane, vp)(mesh, time(t)) * vp.std(time(t)) ** 2
    return plots.vector_field(
        mesh,
        pull,
        title=f"The score times b², at t = {t:g}",
        clouds={"means of the mixture, times a": vp.scale(time(t)) * corners},
        limits=(-2.2, 2.2),
        share=0.25,
    )


widgets.slide(
    arrows,
    t=[0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0],
    static=[{"t": 0.05}, {"t": 0.2}, {"t": 0.5}],
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
# **The zero-loss test.** With one exception: if the data are a single point, $x_0$ is known, the target has no variance and $C = 0$. Then
# the exact network's loss is 0, whatever the schedule and the weight. A training loop that does not pass this test has a slip in it: a wrong
# sign, a forgotten $b$, another time in the network than in the noise. The cell tries it, also with the slips.
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
    ("one point, told t + 0.01", denoising_loss(lambda x, t: right(x, t + 0.01), one, t, eps, vp)),
    ("four Gaussians, exact score", denoising_loss(score_of(plane, vp), many, t, eps, vp)),
]
show_table(["data and network", "loss (3)"], [(name, f"{loss:.6f}") for name, loss in lines])
library = dc.losses.denoising_loss(plane, many, vp.sigma(t), eps, dc.losses.eps_weight)
agree("(3) and the loss on eps of the library", lines[3][1], library, 1e-10)
claim("the exact score of one point has the loss 0, to rounding", lines[0][1] < 1e-20)
claim("each slip has a loss above 0", min(float(loss) for _, loss in lines[1:3]) > 1e-6)

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
    "VP": (lambda t: -beta(t) / 2, beta, lambda t: torch.exp(-B(t) / 2), lambda t: (1 - torch.exp(-B(t))).sqrt()),
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
    """n steps (4) from 0 to `until`."""
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
show_table(["KS distance", "t = 0.1", "t = 0.4", "t = 1"], lines, f"95 % of exact samples stay below {1.36 / 100:.4f}")
claim("no distance is above 0.02, half as much again as the 95 % bound", worst < 0.02)
plots.histogram(
    {f"t = {until}": arrived["VP", until][:, 0] for until in (0.1, 0.4)},
    densities={
        f"exact, t = {until}": lambda x, s=time(until): in_x_t(line, vp.scale(s), vp.std(s))(x[:, None]).exp()
        for until in (0.1, 0.4)
    },
    title="10,000 particles of VP and the exact densities",
    xlabel="$x_t$",
    limits=(-3, 3),
)

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
# whole *paths* are those of the forward process, played backwards. Every other $\lambda$ has the right densities, too (Karras et al. 2022, eq. 8,
# writes the same family with another letter).
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
score, velocity = dc.sde.as_score(line, vp), functools.partial(dc.sde.ode_velocity, dc.sde.as_score(line, vp), vp)
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

    score: score(x, t) -> (B, *S), for x: (B, *S) and t: (). x: (B, *S), the state at t.
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
# Now let 4,000 particles fall back from noise, with the exact score, 300 of your steps and four values of $\lambda$. All arrive at the
# data's density, if (9) is right. The library's loop `dc.sde.states` calls your step; `lam_step` only hands it what it needs.
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
    return [x for x, _ in dc.sde.states(score_of(mixture, sde), sde, x, dc.sde.times(n_steps), lam_step(lam), noise)]


x, z = plane.sample(6, dc.Noise(6))[0], dc.Noise(7)
step_args = (score_of(plane, vp), vp, x, time(0.6), time(0.5))
agree("your step with lambda = 1 and the library's", lam_step(1.0)(*step_args, dc.Noise(7)),
      dc.sde.euler_maruyama(*step_args, dc.Noise(7)))  # fmt: skip
agree("your step with lambda = 0 and the library's ODE step", lam_step(0.0)(*step_args, dc.Noise(7)),
      dc.sde.ode_euler(*step_args))  # fmt: skip

bound = 1.36 / math.sqrt(4000)
landed = {lam: fall_back(lam, 300)[-1] for lam in (0.0, 0.5, 1.0, 2.0)}
distances = {lam: ks(x) for lam, x in landed.items()}
show_table(["lambda", "KS distance"], [(lam, f"{d:.4f}") for lam, d in distances.items()],
           f"4,000 particles, 300 steps; 95 % of exact samples stay below {bound:.4f}")  # fmt: skip
plots.histogram(
    {f"$\\lambda$ = {lam:g}": landed[lam][:, 0] for lam in (0.0, 2.0)},
    densities={"exact": lambda x: line.log_density(x[:, None]).exp()},
    title="Particles that fell back without noise, and with twice the noise",
    xlabel="$x_0$",
    limits=(-2.2, 2.2),
)

# %% [markdown]
# It does not: the drift of (9) grows with $\lambda$ and holds the particles together. All four values are below the bound, with 300
# steps. **The power of this test.** "Below the bound" means little unless a wrong sampler would be above it. The cell
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
# So four numbers below the bound say: no large error. They do not say that the samplers are exact, and they are not: 300
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
claim("at 10 steps lambda = 2 is the farthest of the four", ks(runs[2.0, 10]) == max(ks(runs[lam, 10]) for lam in LAMBDAS))
claim("at 100 steps lambda = 2 is nearer than at 10", ks(runs[2.0, 100]) < ks(runs[2.0, 10]))


def landing(lam, steps):
    return plots.histogram(
        {"particles": runs[lam, steps][:, 0].clamp(-3, 3)},
        densities={"exact": lambda x: line.log_density(x[:, None]).exp()},
        title=f"λ = {lam:g}, {steps} steps: KS distance {ks(runs[lam, steps]):.3f}",
        xlabel="$x_0$",
        limits=(-3, 3),
    )


widgets.slide_frames(
    {key: landing(*key) for key in runs},
    ["lam", "steps"],
    labels={"lam": "λ (noise)"},
    description="Where 2,000 particles land, for a given amount of noise on the way and number of steps",
    static=[{"lam": lam, "steps": 10} for lam in (0.0, 1.0, 2.0)],
)

# %% [markdown]
# More noise needs shorter steps. Its drift is stiffer, and Euler–Maruyama follows it badly. With the *exact* score there is nothing to
# gain from noise. With a network there is: fresh noise pulls particles back to where the score says they should be, which mends earlier
# errors. Chapter 9, section 7 ("Churn: noise that repairs"), measures that on digits.
#
# The second slider shows the whole way, in the plane: particles of $\lambda = 1$ over the score of their time.

# %%
way = fall_back(1.0, 60, mixture=plane, n=400)
clock = dc.sde.times(60)


def falling(step=40):
    t = clock[step]
    pull = score_of(plane, vp)(mesh, t.clamp(min=0.02)) * vp.std(t.clamp(min=0.02)) ** 2
    return plots.vector_field(
        mesh,
        pull,
        title=f"t = {t:.2f}: 400 particles and the score times b²",
        clouds={"particles": way[step]},
        limits=(-2.6, 2.6),
        share=0.2,
    )


widgets.slide(
    falling,
    step=(0, 60),
    static=[{"step": 0}, {"step": 40}, {"step": 52}, {"step": 60}],
    description="Particles of the reverse SDE at a given step, over the score of that time",
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
# For small $e$ this is an SDE with the drift $\nabla\log p_t$ and $g^2 = 2$, whose density stands still at $p_t$, by (7):
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
still = -d_dx(lambda x: p(x, t) * score(x, t))(x_grid[:, None]) + d_dx(d_dx(lambda x: p(x, t)))(x_grid[:, None])
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
show_table(["steps of (10) with e = 0.01", "KS distance to p_t"], [(k, f"{v:.3f}") for k, v in shaken.items()])
claim("the corrector alone brings the particles nearer", shaken[400] < shaken[100] < shaken[10] < shaken[0])

# %% [markdown]
# A corrector needs no path: from a wrong start it finds $p_t$, given time. But it takes long where modes lie apart, since particles must cross
# the gap between them by chance. A *predictor–corrector* lets the predictor do the long way and the corrector mend its errors.
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
# Your sampler against the library's, in VE, where the two have the same step length; then a measurement. A step with a corrector asks the score
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
    [("predictor alone", *(f"{d:.3f}" for d in alone.values())), ("with corrector", *(f"{d:.3f}" for d in both.values()))],
    f"KS distance, VE, 4,000 particles; 95 % of exact samples stay below {bound:.3f}",
)
print("CLAIMS", alone, both)
