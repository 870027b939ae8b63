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
# # 9. Solvers: where the evaluations should go
#
# A trained denoiser defines a differential equation, and sampling means solving it. Everything that a sampler adds
# is a choice: the coordinates, the network's inputs and outputs, the grid of noise levels, the order of the solver,
# fresh noise on the way. This chapter takes these choices apart, one at a time. It ends with a table in which every
# sampler may ask the network equally often, and settles a common claim: that DDIM needs 1000 steps. Halfway you will have
# written the sampler of Karras et al. (2022) yourself, and looked for a better grid than theirs.
#
# **You learn**
#
# - why every point of the sampling path moves with the slope $(x - D(x, \sigma))/\sigma$, and why DDIM and Euler
#   are one formula;
# - how three requirements on variances fix the coefficients that wrap a network (preconditioning), and that
#   eps-prediction and flow matching are other rows of the same table;
# - where a grid should put its steps (Karras et al. 2022, eq. 5);
# - Euler, Heun and a multistep solver, with their orders derived and then measured;
# - how to look for a grid: by the errors of its single steps;
# - what fresh noise repairs, as "churn" and as plain ancestral sampling;
# - how to compare samplers fairly: at equal numbers of evaluations, from the same noise, in pairs.
#
# **You need** the forward process (chapter 1), the denoiser behind a noise-predicting network (chapter 3) and the
# DDIM step (chapter 7). The formulas are repeated here.
#
# **Time**: {{reading}} of reading, and {{minutes}} for {{exercises}}. The cells run in about 45 s on 2 CPU cores (not
# measured on a GPU).

# %% [markdown]
# ## Notation
#
# {{notation x0 sigma x p_sigma D slope grid param sigma_data rho nfe churn omega alpha_bar}}

# %%
import functools
import itertools
import math

import torch

import diffusion_course as dc
from diffusion_course.classroom import check, check_all
from diffusion_course.denoisers import DatasetDenoiser, GaussianMixture, blurred
from diffusion_course.experiments import data, intervals, metrics, studies, zoo
from diffusion_course.experiments.studies import ddim_steps, solvers
from diffusion_course.experiments.studies.compared import run_by_run, shares
from diffusion_course.experiments.studies.shown import show_differences_over_seeds, show_over_seeds
from diffusion_course.notebook import plots, quiz, widgets
from diffusion_course.notebook.claims import agree, claim
from diffusion_course.notebook.tables import show_table

linear = dc.NoiseSchedule.from_betas(dc.schedules.linear(1000))  # Ho et al. 2020

# %% [markdown]
# ## 1. One equation behind all deterministic samplers
#
# ### The blurred density obeys the heat equation
#
# Adding noise of variance $\sigma^2$ blurs the data's density: $p(x; \sigma) = \int p_\text{data}(y)\,
# \mathcal{N}(x; y, \sigma^2 I)\, \mathrm{d}y$. How does it change with $\sigma$? Each Gaussian $g = \mathcal{N}(x;
# y, \sigma^2 I)$ in $d$ dimensions satisfies
#
# $$\begin{aligned}
# \frac{\partial g}{\partial \sigma} &= g \Big( \frac{\|x - y\|^2}{\sigma^3} - \frac{d}{\sigma} \Big) && g \propto \sigma^{-d} e^{-\|x-y\|^2 / 2\sigma^2} \\
# \Delta g &= g \Big( \frac{\|x - y\|^2}{\sigma^4} - \frac{d}{\sigma^2} \Big) && \text{the second derivatives, summed over the axes} \\
# \frac{\partial g}{\partial \sigma} &= \sigma \Delta g, \qquad \text{hence} \quad \frac{\partial p}{\partial \sigma} = \sigma \Delta p && \text{compare; integrate over } y
# \end{aligned}$$
#
# ### Points that move so that their density is $p(x; \sigma)$
#
# Let every point move with a velocity $v(x, \sigma)$ while $\sigma$ changes. Points are not lost, so their density
# obeys the continuity equation $\partial p / \partial\sigma = -\nabla \cdot (v\,p)$. Which $v$ gives the right-hand
# side $\sigma \Delta p$?
#
# $$\begin{aligned}
# -\nabla \cdot (v\, p) &= \sigma\, \nabla \cdot \nabla p && \Delta = \nabla \cdot \nabla \\
# v\,p &= -\sigma \nabla p && \text{one solution: set equal what stands behind } \nabla\cdot \\
# v &= -\sigma \nabla \log p(x; \sigma) && \nabla p / p = \nabla \log p \\
# &= -\sigma\, \frac{D(x, \sigma) - x}{\sigma^2} && \text{Tweedie: } \nabla \log p = (D - x)/\sigma^2 \text{ (Karras et al. 2022, eq. 3)}
# \end{aligned}$$
#
# So
#
# $$\frac{\mathrm{d}x}{\mathrm{d}\sigma} = \frac{x - D(x, \sigma)}{\sigma}$$
#
# This is the probability-flow ODE (Song et al. 2021; Karras et al. 2022, eq. 1 with $\sigma(t) = t$). Run it from
# large $\sigma$ down to 0 and it turns noise into data. There is no randomness in it: a sample is a function of its
# first noise.
#
# The cell checks the steps on a mixture of three Gaussians on the line, whose $p$ and $D$ are known: the heat
# equation by finite differences, and the motion by following nine points from $\sigma = 80$ to $0.01$. On a line,
# points that keep the right density cannot overtake each other: each must keep the share of the probability to its
# left.

# %%
mixture = GaussianMixture(
    torch.tensor([[-1.0], [0.2], [1.5]], dtype=torch.float64),
    stds=torch.tensor([0.3, 0.1, 0.2]),
    weights=torch.tensor([0.5, 0.2, 0.3]),
)


def p(x, sigma):
    return mixture.log_density(x, sigma).exp()


def share_to_the_left(x, sigma):
    z = (x - mixture.means.T) / (mixture.stds**2 + sigma**2).sqrt()
    return (mixture.weights * torch.special.ndtr(z)).sum(1)


x, h = torch.linspace(-3, 3, 61, dtype=torch.float64)[:, None], 1e-3
in_sigma = (p(x, 0.5 + h) - p(x, 0.5 - h)) / (2 * h)
in_x = (p(x + h, 0.5) - 2 * p(x, 0.5) + p(x - h, 0.5)) / h**2
agree("dp/dsigma and sigma * second derivative of p", in_sigma, 0.5 * in_x, 1e-5)
agree("(D - x) / sigma^2 and the score", (mixture(x, 0.5) - x) / 0.5**2, mixture.score(x, 0.5), 1e-12)

start = 80 * torch.linspace(-1.6, 1.6, 9, dtype=torch.float64)[:, None]
path = dc.samplers.trajectory(mixture, start, dc.schedules.karras(400, 0.01), dc.samplers.heun)
before, after = share_to_the_left(path.x[0], 80), share_to_the_left(path.x[-2], 0.01)
agree("share of the probability to the left, before and after", after, before, 1e-4)

# %%
vp = path.x[:-1, :, 0] / (1 + path.sigma[:-1, None] ** 2).sqrt()
plots.curves(
    path.sigma[:-1],
    {f"{share:.2f} to the left": vp[:, k] for k, share in list(enumerate(before.tolist()))[::2]},
    title="Five points on their way from noise (right) to data (left)",
    xlabel=r"$\sigma$ (log scale)",
    ylabel=r"$x / \sqrt{1 + \sigma^2}$",
    logx=True,
    ylim=(-2, 2),
)

# %% [markdown]
# The division by $\sqrt{1 + \sigma^2}$ keeps all states in one picture. Almost everything happens between $\sigma =
# 3$ and $0.1$: there a point decides for one of the three modes. Above, and below, the path is simple. A good grid
# knows this ({{section The grid}}).
#
# ### From the VP process to $\sigma$, and from $\varepsilon_\theta$ to $D$
#
# The process of chapters 1 to 4 keeps the variance: $x_t = \sqrt{\bar\alpha_t}\,x_0 + \sqrt{1 -
# \bar\alpha_t}\,\varepsilon$. Divide by $\sqrt{\bar\alpha_t}$, and only the noise level is left of the schedule:
#
# $$\frac{x_t}{\sqrt{\bar\alpha_t}} = x_0 + \sigma_t\,\varepsilon, \qquad \sigma_t = \sqrt{\frac{1 - \bar\alpha_t}{\bar\alpha_t}}, \qquad D(x, \sigma_t) = x - \sigma_t\,\varepsilon_\theta(\sqrt{\bar\alpha_t}\,x,\; t)$$
#
# A schedule is a list of noise levels, nothing else. The linear one with $T = 1000$ runs from $\sigma_1 = 0.01$ to
# $\sigma_{1000} = 157$.
#
# ### DDIM is Euler
#
# Write Euler's step from $\sigma$ to $\sigma'$, and call $\hat x_0 = D(x, \sigma)$ and $\hat\varepsilon = (x - \hat
# x_0)/\sigma$:
#
# $$\begin{aligned}
# x' &= x + (\sigma' - \sigma)\,\hat\varepsilon && \text{Euler: the slope is } \hat\varepsilon \\
# &= \hat x_0 + \sigma'\,\hat\varepsilon && x = \hat x_0 + \sigma\hat\varepsilon \\
# \sqrt{\bar\alpha_{s}}\;x' &= \sqrt{\bar\alpha_{s}}\,\hat x_0 + \sqrt{1 - \bar\alpha_{s}}\;\hat\varepsilon && \text{times } \sqrt{\bar\alpha_s}, \text{ with } \sigma' = \sigma_s
# \end{aligned}$$
#
# The last line is the DDIM step with $\eta = 0$ (Song, Meng & Ermon 2021, eq. 12). "Euler" and "DDIM" are often listed as
# two solvers. They are one, on two grids.
#
# **Predict, then run.** Below, both get the same weights, the same noise and the *same grid*. How different are the ten
# digits?

# %%
edm = zoo.load("mnist-edm", course.device)
classes = torch.arange(10, device=course.device)
unit = dc.Noise(1).randn(10, 1, 28, 28, device=course.device, dtype=torch.float64)
grid = linear.grid(dc.schedules.uniform_timesteps(1000, 20))
eps_model = dc.denoisers.as_eps(edm.given(classes), linear)  # eps_theta(x_t, t) of the same weights

by_euler = dc.sample(edm.given(classes), grid[0] * unit, grid, dc.samplers.euler)

x_t, times = dc.gaussian.to_vp(grid[0] * unit, grid[0]), dc.schedules.uniform_timesteps(1000, 20)
with torch.no_grad():
    for t, s in zip(times.tolist(), [*times[1:].tolist(), 0], strict=True):
        ab, ab_next = linear.alpha_bar[t - 1], linear.alpha_bar[s - 1] if s else torch.tensor(1.0)
        eps = eps_model(x_t, torch.full((10,), t))
        x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
        x_t = ab_next.sqrt() * x0 + (1 - ab_next).sqrt() * eps
agree("ten digits by Euler in sigma and by DDIM's formula in x_t", x_t, by_euler, 1e-4)
plots.images(by_euler, title="Ten digits, 20 steps: Euler and DDIM draw the same pixels")

# %% [markdown]
# The two agree to rounding. Where DDIM is much worse than Euler, the solver is not to blame. {{Section Does DDIM need 1000 steps}} finds a
# likely cause.

# %%
quiz.ask("09-q1")

# %% [markdown]
# ## 2. Preconditioning: bookkeeping of variances
#
# Noisy images at $\sigma = 80$ are 10,000 times as large as the changes that matter at $\sigma = 0.01$. A network
# wants inputs and targets of one size. So wrap the raw network $F$ in four coefficients (Karras et al. 2022, eq.
# 7):
#
# $$D(x, \sigma) = c_\text{skip}(\sigma)\,x + c_\text{out}(\sigma)\,F\big(c_\text{in}(\sigma)\,x,\; c_\text{noise}(\sigma)\big)$$
#
# Train $D$ with a weight $\omega(\sigma)$ on its squared error. Seen from $F$, this is (eq. 8)
#
# $$\omega\,\|D - x_0\|^2 = \omega\,c_\text{out}^2\,\big\|F - \underbrace{(x_0 - c_\text{skip}\,x)/c_\text{out}}_{\text{target of } F}\big\|^2.$$
#
# Three requirements and a choice fix everything (appendix B.6). Write $s = \sigma_\text{data}$; signal and noise
# are independent, so their variances add.
#
# $$\begin{aligned}
# 1 &= \mathrm{Var}[c_\text{in}\,x] = c_\text{in}^2\,(s^2 + \sigma^2) && \text{(1) the input has unit variance} \\
# c_\text{in} &= 1/\sqrt{s^2 + \sigma^2} \\
# c_\text{out}^2 &= \mathrm{Var}[x_0 - c_\text{skip}(x_0 + \sigma\varepsilon)] && \text{(2) the target has unit variance} \\
# &= (1 - c_\text{skip})^2 s^2 + c_\text{skip}^2\,\sigma^2 && \text{variances add} \\
# 0 &= \tfrac{\mathrm{d}}{\mathrm{d}c_\text{skip}}\,c_\text{out}^2 = -2(1 - c_\text{skip})\,s^2 + 2\,c_\text{skip}\,\sigma^2 && \text{(3) } F\text{'s errors are amplified least} \\
# c_\text{skip} &= s^2/(s^2 + \sigma^2) && \text{solve} \\
# c_\text{out}^2 &= \frac{\sigma^4 s^2 + s^4 \sigma^2}{(s^2 + \sigma^2)^2} = \frac{s^2 \sigma^2}{s^2 + \sigma^2} && \text{insert into (2)} \\
# \omega &= 1/c_\text{out}^2 = (s^2 + \sigma^2)/(s\,\sigma)^2 && \text{(4) the effective weight } \omega\,c_\text{out}^2 \text{ is 1}
# \end{aligned}$$
#
# The fourth, $c_\text{noise} = \tfrac14 \ln\sigma$, only tells the network where it is; any smooth map that spreads
# the range of $\sigma$ would do.
#
# The cell measures (1), (2) and (4) on 1,000 real digits, and tries (3): moving $c_\text{skip}$ to either side
# makes $c_\text{out}$ larger. "Variance" is meant about the mean: the mean pixel of MNIST is $-0.74$, and a
# constant is no work for a network.

# %%
digits = data.load("mnist-5k", limit=4000)  # all of its training digits, in random order
s = digits.images.double().std()
print(f"sigma_data = {s:.2f}, mean pixel {digits.images.mean():.2f}")
P = dc.denoisers.edm_param(s.item())
x0 = digits.images[:1000].double()
eps = dc.Noise(2, per_sample=False).like(x0)


def wrapped(param, sigma):
    """Input and target of F under a parametrisation, for the 1000 digits with noise sigma."""
    x = x0 + sigma * eps
    return param.c_in(sigma) * x, (x0 - param.c_skip(sigma) * x) / param.c_out(sigma)


lines = []
for sigma in torch.tensor([0.002, 0.05, 0.6, 5.0, 80.0], dtype=torch.float64):
    given, target = wrapped(P, sigma)
    weight = (s**2 + sigma**2) / (s * sigma) ** 2 * P.c_out(sigma) ** 2
    variance = (x0 + sigma * eps).var()
    values = (variance, given.var(), target.var(), weight)
    lines.append((f"{sigma:g}", *(f"{value:.2f}" for value in values)))
show_table(["sigma", "var(x)", "var(input)", "var(target)", "omega * c_out^2"], lines)

# %%
sigma = torch.logspace(-2, 2, 60, dtype=torch.float64)
F = dc.Noise(3, per_sample=False).like(x0[:60])  # any answer of a network, one row per sigma
x = x0[:60] + sigma.reshape(-1, 1, 1, 1) * eps[:60]
c_skip, c_out = (c(sigma).reshape(-1, 1, 1, 1) for c in (P.c_skip, P.c_out))
error = (c_skip * x + c_out * F - x0[:60]).square().sum((1, 2, 3)) / P.c_out(sigma) ** 2
agree("eq. 8, both sides", error, (F - (x0[:60] - c_skip * x) / c_out).square().sum((1, 2, 3)), 1e-12)


def amplification(c_skip):
    """c_out by requirement (2)."""
    return ((1 - c_skip) ** 2 * s**2 + c_skip**2 * sigma**2).sqrt()


agree("c_out and its formula", amplification(P.c_skip(sigma)), P.c_out(sigma), 1e-12)
neighbours = [bool((amplification(P.c_skip(sigma) + e) > P.c_out(sigma)).all()) for e in (-0.01, 0.01)]
print("another c_skip makes c_out larger:", neighbours)

# %% [markdown]
# ### Five parametrisations, one table
#
# Every way to use a network is a row of the same table. Flow matching is among them: its path is the straight line
# $z_t = (1 - t)\,x_0 + t\,\varepsilon$ with $t$ from 1 (noise) to 0 (data), and its network predicts the velocity
# $u = \varepsilon - x_0$ (Lipman et al. 2023; Liu et al. 2023; in both papers $t$ runs from noise, at 0, to data, at 1, so
# that their velocity is $-u$). Divide the line by $1 - t$, and it is the $x$ of this chapter with $\sigma = t/(1 - t)$:
#
# $$\begin{aligned}
# \frac{z_t}{1 - t} &= x_0 + \frac{t}{1 - t}\,\varepsilon = x && t = \frac{\sigma}{1 + \sigma}, \quad 1 - t = \frac{1}{1 + \sigma} \\
# z_t &= x_0 + t\,u && \text{insert } u \\
# x_0 &= (1 - t)\,x - t\,u = \frac{1}{1 + \sigma}\,x - \frac{\sigma}{1 + \sigma}\,u && \text{so these are } c_\text{skip} \text{ and } c_\text{out}
# \end{aligned}$$
#
# | prediction | $c_\text{skip}$ | $c_\text{out}$ | $c_\text{in}$ | weight 1 on $F$'s error means $\omega =$ |
# |---|---|---|---|---|
# | $\varepsilon$ (Ho et al. 2020) | $1$ | $-\sigma$ | $1/\sqrt{1+\sigma^2}$ | $1/\sigma^2$ |
# | $x_0$ | $0$ | $1$ | $1/\sqrt{1+\sigma^2}$ | $1$ |
# | $v$ (Salimans & Ho 2022) | $1/(1+\sigma^2)$ | $-\sigma/\sqrt{1+\sigma^2}$ | $1/\sqrt{1+\sigma^2}$ | $1 + 1/\sigma^2$ |
# | EDM (Karras et al. 2022) | $s^2/(s^2+\sigma^2)$ | $s\,\sigma/\sqrt{s^2+\sigma^2}$ | $1/\sqrt{s^2+\sigma^2}$ | $1/s^2 + 1/\sigma^2$ |
# | straight path, $u$ | $1/(1+\sigma)$ | $-\sigma/(1+\sigma)$ | $1/(1+\sigma)$ | $(1 + 1/\sigma)^2$ |
#
# With $s = 1$ EDM *is* $v$-prediction, up to the sign of $F$. The weights look different and differ by little: all
# but the second go like $1/\sigma^2$ at small $\sigma$, and all but the first are constant at large $\sigma$.
#
# **Predict, then run.** An error of size 1 in $F$ becomes an error of size $|c_\text{out}|$ in $D$. For which rows
# is that dangerous, and at which end?

# %%
rows = {
    r"$\varepsilon$": dc.denoisers.eps_param(linear),
    "$x_0$": dc.denoisers.x0_param(linear),
    "$v$": dc.denoisers.v_param(linear),
    "EDM": P,
    "straight path": dc.denoisers.flow_param(),
}
v1, edm1 = rows["$v$"], dc.denoisers.edm_param(1.0)
agree("v and EDM with s = 1: c_skip", v1.c_skip(sigma), edm1.c_skip(sigma), 1e-12)
agree("v and EDM with s = 1: c_out up to sign", -v1.c_out(sigma), edm1.c_out(sigma), 1e-12)
t = sigma.reshape(-1, 1, 1, 1) / (1 + sigma.reshape(-1, 1, 1, 1))
u = eps[:60] - x0[:60]
agree("x_0 from the straight path", (1 - t) * x - t * u, x0[:60], 1e-10)

plots.curves(
    sigma,
    {name: param.c_out(sigma).abs() for name, param in rows.items()},
    title="How an error of the network F is amplified in D",
    xlabel=r"$\sigma$ (log scale)",
    ylabel=r"$|c_\mathrm{out}|$ (log scale)",
    logx=True,
    logy=True,
)

# %%
levels = torch.logspace(-2, 2, 25, dtype=torch.float64)
variances = {
    f"{name}: {part}": torch.stack([wrapped(rows[name], level)[k][:200].var() for level in levels])
    for name in (r"$\varepsilon$", "EDM", "straight path")
    for k, part in enumerate(("input", "target"))
}
for name, variance in variances.items():
    name = name.replace(r"$\varepsilon$", "eps")
    print(f"{name:22} from {variance.min():.2f} to {variance.max():.2f}")
plots.curves(
    levels,
    variances,
    title="Variance of what the network sees and should answer, measured",
    xlabel=r"$\sigma$ (log scale)",
    ylabel="variance over 200 digits",
    logx=True,
    ylim=(0, 1.6),
)

# %% [markdown]
# First figure: $\varepsilon$-prediction is safe at small $\sigma$, and at $\sigma = 80$ it multiplies every error
# by 80; so chapter 3 had to clip $\hat x_0$. Predicting $x_0$ is the reverse: its error does not vanish with the
# noise. EDM, $v$ and the straight path follow the better of the two at each end, and with a target of unit variance no
# $c_\text{skip}$ lies below EDM's line. Second figure: the variances of EDM are 1 by construction (up to the 200
# digits that were measured), those of the other two within a factor of 4.
#
# ### Where training should look
#
# With the effective weight at 1, an untrained network ($F = 0$) has the loss 1 at every noise level. What remains
# to be chosen is how often each $\sigma$ is drawn: $\ln\sigma \sim \mathcal{N}(P_\text{mean}, P_\text{std}^2)$.
# Karras et al. take $P_\text{mean} = -1.2$, $P_\text{std} = 1.2$ for photographs; the course's `mnist-edm` took
# $-0.4$ and $1.2$. The straight path with a logit-normal $t$ draws the same family, since $\operatorname{logit} t =
# \ln\sigma$.
#
# The cell measures the loss of two trained networks, both in EDM's units, so that they can be compared:
# $\omega(\sigma)\,\|D - x_0\|^2$ per pixel.

# %%
# NBVAL_IGNORE_OUTPUT
flow = zoo.load("mnist-flow", course.device)
some, labels = digits.images[:48].to(course.device), digits.labels[:48].to(course.device)
noise = dc.Noise(4).like(some)
levels = torch.logspace(-2, 1.9, 9, dtype=torch.float64)


@torch.no_grad()
def loss_at(model, level):
    error = model(some + level * noise, level, labels) - some
    return error.square().mean().double().cpu() / P.c_out(level) ** 2


losses = {
    name: torch.stack([loss_at(model, level) for level in levels])
    for name, model in {"mnist-edm": edm, "mnist-flow": flow}.items()
}
for name, loss in losses.items():
    print(f"{name:10} loss {loss[0]:.2f} at sigma {levels[0]:.2g},", end=" ")
    print(f"least {loss.min():.2f} at {levels[loss.argmin()]:.2g}, and {loss[-1]:.2f} at {levels[-1]:.2g}")
plots.curves(
    levels,
    losses | {"untrained (F = 0)": torch.ones(9)},
    title="Where there is something to learn",
    xlabel=r"$\sigma$ (log scale)",
    ylabel="loss of F, EDM's units",
    logx=True,
    marks={r"median of training, $e^{-0.4}$": math.exp(-0.4)},
    ylim=(0, 1.7),
)

# %% [markdown]
# Both networks learn most between $\sigma = 0.1$ and 1, where the loss is least. At large $\sigma$ more than half of it
# stays. There the noise hides the image, and knowing the class gives away only a part of it. At small
# $\sigma$ the loss rises again, since the target there is nearly the noise itself, and faint noise is hard to tell
# from the grain of the image. That end costs little in the picture, because $c_\text{out} \approx \sigma$ is small
# there. `mnist-flow` is worse at that end. A likely reason: it drew $\ln\sigma$ from $\mathcal{N}(0, 1)$, and noise
# below 0.05 is then a three-sigma event. The two files differ in parametrisation and loss weight, too, and this figure
# does not separate them.

# %%
quiz.ask("09-q2")

# %% [markdown]
# ## 3. The straight path gives the same Euler step
#
# A flow-matching sampler solves $\mathrm{d}z/\mathrm{d}t = u(z, t)$ with Euler steps in $t$. Is this a new solver?
# Let $\hat x_0$ be the denoiser's answer at $(z, t)$; then $\hat u = (z - \hat x_0)/t$, and from $t$ to $r$
#
# $$\begin{aligned}
# z' &= z + (r - t)\,(z - \hat x_0)/t = \tfrac rt\,z + \big(1 - \tfrac rt\big)\,\hat x_0 && \text{Euler in } t \\
# x' &= \frac{z'}{1 - r} = \frac{r\,(1 - t)}{t\,(1 - r)}\,x + \frac{t - r}{t\,(1 - r)}\,\hat x_0 && z = (1 - t)\,x \\
# &= \frac{\sigma'}{\sigma}\,x + \Big(1 - \frac{\sigma'}{\sigma}\Big)\,\hat x_0 && \frac{\sigma'}{\sigma} = \frac{r(1-t)}{t(1-r)}, \text{ and the weights sum to 1}
# \end{aligned}$$
#
# which is Euler in $\sigma$ again. Each of the three (Euler in $\sigma$, DDIM, Euler on the straight path) is exact
# when $\hat x_0$ does not change during the step, and a step linear in $x$ and $\hat x_0$ has no other choice. So
# flow matching brings two choices, both independent of the solver: the row of the table above, and a grid that is
# uniform in $t = \sigma/(1 + \sigma)$. Solvers of higher order do differ between coordinates, because a slope
# averaged in $t$ is not one averaged in $\sigma$.

# %%
straight = solvers.straight(20)  # 20 steps, uniform in t, from sigma = 80 to 0
D = flow.given(classes)
in_sigma = dc.sample(D, straight[0] * unit, straight, dc.samplers.euler)

t = straight / (1 + straight)
z = straight[0] * unit / (1 + straight[0])
with torch.no_grad():
    for i in range(20):
        velocity = (z - D(z / (1 - t[i]), straight[i])) / t[i]
        z = z + (t[i + 1] - t[i]) * velocity
agree("Euler in sigma and Euler on the straight path", z, in_sigma, 1e-4)

# %% [markdown]
# ## 4. The grid
#
# A sampler with $N$ steps chooses levels $\sigma_i$ that fall from $\sigma_\text{max}$ over $\sigma_\text{min}$ to 0. Steps should be short where the
# path bends. Karras et al. space a power of $\sigma$ evenly (eq. 5):
#
# $$\sigma_i = \Big( \sigma_\text{max}^{1/\rho} + \frac{i}{N - 1}\big(\sigma_\text{min}^{1/\rho} - \sigma_\text{max}^{1/\rho}\big) \Big)^{\rho}, \quad i = 0 \dots N - 1, \qquad \sigma_N = 0$$
#
# with $\sigma_\text{max} = 80$, $\sigma_\text{min} = 0.002$, $\rho = 7$. $\rho = 1$ gives equal steps in $\sigma$;
# as $\rho \to \infty$ the steps become equal in $\ln\sigma$. Between the two, a larger $\rho$ moves steps towards
# small $\sigma$.
#
# ### Exercise {{09-karras_sigmas}}
#
# Write the grid: $n + 1$ numbers in float64, from $\sigma_\text{max}$ down to $\sigma_\text{min}$, then 0.
#
# *Hint.* `torch.linspace(0, 1, n, dtype=torch.float64)` is $i/(n-1)$. Check the two ends by hand: what is the
# formula at $i = 0$ and at $i = n - 1$?


# %%
# EXERCISE 09-karras_sigmas (keep this line)
def karras_sigmas(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """The sampling grid of Karras et al. 2022, eq. 5.

    n: number of steps, an integer >= 2. sigma_min, sigma_max, rho: numbers > 0.
    Returns (n + 1,), float64: n decreasing sigmas from sigma_max to sigma_min, and a 0 at the end.
    """
    ### BEGIN SOLUTION
    ramp = torch.linspace(0, 1, n, dtype=torch.float64)
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    sigmas = (high + ramp * (low - high)) ** rho
    return torch.cat([sigmas, torch.zeros(1, dtype=torch.float64)])
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("09-karras_sigmas", karras_sigmas)

# %% [markdown]
# Your grid beside four others, each with 20 steps. The vertical axis is the noise level, the horizontal one the
# share of the steps that are done.

# %%
grids = {
    "Karras, ρ = 7": karras_sigmas(20),
    "Karras, ρ = 1 (equal steps)": karras_sigmas(20, rho=1),
    "linear schedule, t uniform": linear.grid(dc.schedules.uniform_timesteps(1000, 20)),
    "linear schedule, t quadratic": linear.grid(dc.schedules.quadratic_timesteps(1000, 20)),
    "straight path, t uniform": solvers.straight(20),
}
plots.curves(
    torch.arange(20) / 20,
    {name: grid[:-1] for name, grid in grids.items()},
    title="Five grids of 20 steps",
    xlabel="share of the steps done",
    ylabel=r"$\sigma$ (log scale)",
    logy=True,
)

# %%
bands = {"above 20": (20, math.inf), "2 to 20": (2, 20), "0.1 to 2": (0.1, 2), "below 0.1": (0, 0.1)}
show_table(
    ["steps that begin at sigma", *bands],
    [
        (name, *(int(((grid[:-1] >= low) & (grid[:-1] < high)).sum()) for low, high in bands.values()))
        for name, grid in grids.items()
    ],
)

# %% [markdown]
# Equal steps in $\sigma$ spend most of their steps above 20, where the image is not touched yet, and then jump over
# everything else. The grid with equal steps of $t$ and Karras's spend as many steps at large noise as each other; the
# straight-path grid hurries through. What sets the Karras grid with $\rho = 7$ apart is the other end: with it, and with
# the quadratic times, the faint noise below 0.1 gets several steps, with the others one.
#
# ### What a step costs: an exact denoiser to measure with
#
# To see the error of a *solver*, take the network's error away. The closed-form denoiser of a finite data set is
# known (Karras et al. 2022, eq. 57): $D(x, \sigma) = \sum_i w_i y_i$ with $w = \operatorname{softmax}_i(-\|x -
# y_i\|^2/2\sigma^2)$. **Predict, then run:** 40 samples of it, from the same noise with few and with very many
# Euler steps. How far apart are the final images?

# %%
images = digits.images[:300].double().to(course.device)
exact = DatasetDenoiser(images)
unit = dc.Noise(5).randn(40, 1, 28, 28, device=course.device, dtype=torch.float64)


def from_noise(D, sigmas, step, n=40):
    return dc.sample(D, sigmas[0] * unit[:n], sigmas, step)


limit = from_noise(exact, karras_sigmas(120), dc.samplers.heun)
for n in (4, 8, 16, 32):
    apart = (from_noise(exact, karras_sigmas(n), dc.samplers.euler) - limit).square().mean((1, 2, 3)).sqrt()
    same, other = int((apart < 1e-6).sum()), int((apart > 0.1).sum())
    print(f"{n:2} steps: {same:2} of 40 are the same to 1e-6, {other:2} differ by more than 0.1")

# %% [markdown]
# They are the same, or another image altogether. The exact denoiser of a finite set ends *on* a member of the set, so
# errors on the way vanish as long as that member stays the same. For a smooth measure, blur the data themselves with $\mathcal{N}(0, h^2 I)$, $h = 0.1$. Given $x$, the noise in it has
# the variance $\sigma^2 + h^2$, and the share $h^2/(\sigma^2 + h^2)$ of it belongs to the clean (blurred) image:
#
# $$D_h(x, \sigma) = m + \frac{h^2}{\sigma^2 + h^2}\,(x - m), \qquad m = D\big(x, \sqrt{\sigma^2 + h^2}\big)$$
#
# This is `blurred(D, h)` of the library, the exact denoiser of the mixture of Gaussians around the images; the cell compares
# the two.

# %%
few, x = images[:50], images[:3] + 0.7 * unit[:3]
one_way, other_way = blurred(DatasetDenoiser(few), 0.1)(x, 0.7), GaussianMixture(few, stds=0.1)(x, 0.7)
agree("blurred images and a mixture of Gaussians", one_way, other_way, 1e-10)
smooth = blurred(exact, 0.1)

# %% [markdown]
# ## 5. Heun's method
#
# ### What one step of Euler misses
#
# Let $x(\sigma)$ be the exact path and $h = \sigma' - \sigma$ the step. Taylor's formula says
#
# $$\begin{aligned}
# x(\sigma + h) &= x + h\,\dot x + \tfrac{h^2}{2}\,\ddot x + \tfrac{h^3}{6}\,\dddot x + \dots && \dot x = (x - D(x, \sigma))/\sigma \text{ is the slope} \\
# x_\text{Euler} &= x + h\,\dot x && \text{error of one step: } \tfrac{h^2}{2}\ddot x \\
# \dot x(\sigma + h) &= \dot x + h\,\ddot x + \tfrac{h^2}{2}\dddot x + \dots && \text{the slope at the other end} \\
# \tfrac h2\big(\dot x(\sigma) + \dot x(\sigma + h)\big) &= h\,\dot x + \tfrac{h^2}{2}\,\ddot x + \tfrac{h^3}{4}\,\dddot x + \dots && \text{the mean of both slopes gets } \ddot x \text{ right}
# \end{aligned}$$
#
# One Euler step errs by $O(h^2)$. The mean of both slopes errs by $O(h^3)$. The path of length $L$ takes $L/h$
# steps, so the final error is $O(h)$ for Euler and $O(h^2)$ for the mean of slopes: they are of *first* and *second
# order*. We do not know the other end. But Euler's guess of it is wrong by $O(h^2)$ only, which changes the slope
# there by $O(h^2)$ and the step by $O(h^3)$: nothing is lost. That is Heun's method (Karras et al. 2022, algorithm
# 1):
#
# $$\begin{aligned}
# \dot x &= (x - D(x, \sigma))/\sigma && \text{slope at the start} \\
# \tilde x &= x + (\sigma' - \sigma)\,\dot x && \text{Euler} \\
# \dot x' &= (\tilde x - D(\tilde x, \sigma'))/\sigma' && \text{slope at the end of the Euler step} \\
# x' &= x + (\sigma' - \sigma)\,\tfrac12(\dot x + \dot x') && \text{from } x \text{ again, with the mean of both}
# \end{aligned}$$
#
# At $\sigma' = 0$ there is no $\dot x'$, and the last step is Euler's. So $N$ steps cost $2N - 1$ evaluations.
#
# ### Exercise {{09-heun_step}}
#
# Write one step in the form that the course's sampling loop calls: `step(D, x, sigma, sigma_next, noise)`. The
# fifth argument serves samplers that draw noise; leave it unused.
#
# *Hint.* `sigma` and `sigma_next` are numbers in a tensor, so `if sigma_next == 0:` works. Test your four lines
# against the four above: which $x$ and which $\sigma$ does each line use?


# %%
# EXERCISE 09-heun_step (keep this line)
def heun_step(D, x, sigma, sigma_next, noise=None):
    """One step of Heun's method from sigma to sigma_next (Karras et al. 2022, algorithm 1).

    D: denoiser, called as D(x, sigma), returns the estimate of x_0 in x's shape. x: (B, *S), in VE coordinates.
    sigma, sigma_next: (), with sigma > sigma_next >= 0. noise: not used. Returns (B, *S).
    Where sigma_next = 0 it is the Euler step, and D is called once.
    """
    ### BEGIN SOLUTION
    slope = (x - D(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * slope
    if sigma_next == 0:
        return x_next
    slope_next = (x_next - D(x_next, sigma_next)) / sigma_next
    return x + (sigma_next - sigma) * (slope + slope_next) / 2
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("09-heun_step", heun_step)

# %% [markdown]
# ### The orders, first where the path is known
#
# For data from $\mathcal{N}(\mu, s^2)$ the denoiser is $D = \mu + \frac{s^2}{s^2 + \sigma^2}(x - \mu)$, and the
# equation can be solved:
#
# $$\begin{aligned}
# \frac{\mathrm{d}(x - \mu)}{\mathrm{d}\sigma} &= \frac{1}{\sigma}\Big(1 - \frac{s^2}{s^2 + \sigma^2}\Big)(x - \mu) = \frac{\sigma}{s^2 + \sigma^2}\,(x - \mu) && \text{insert } D \\
# \ln(x - \mu) &= \tfrac12 \ln(s^2 + \sigma^2) + \text{const} && \text{integrate} \\
# x(\sigma) &= \mu + z\,\sqrt{s^2 + \sigma^2} && z = \text{const: the point keeps its place among the others}
# \end{aligned}$$
#
# The cell takes one step from $\sigma = 1$ with your function, then half a step, and so on. Halving $h$ must divide
# the error of one Euler step by 4, and that of one Heun step by 8.

# %%
mu, spread, place = 0.3, 0.5, 1.7
gaussian = GaussianMixture(torch.tensor([[mu]], dtype=torch.float64), spread)


def on_the_path(sigma):
    return torch.full((1, 1), mu + place * math.sqrt(spread**2 + sigma**2), dtype=torch.float64)


one = torch.tensor(1.0, dtype=torch.float64)
for name, step in {"Euler": dc.samplers.euler, "Heun": heun_step}.items():
    errors = [
        (step(gaussian, on_the_path(1.0), one, one - h) - on_the_path(1 - h)).abs().item()
        for h in (0.04, 0.02, 0.01, 0.005)
    ]
    ratios = ", ".join(f"{a / b:.1f}" for a, b in itertools.pairwise(errors))
    print(f"{name:5} the error of one step falls by the factors {ratios}")

# %% [markdown]
# ### A second order for one evaluation a step
#
# Heun pays two evaluations for a step. DPM-Solver++(2M) (Lu et al. 2022, algorithm 2) pays one, because it
# *remembers* the last answer. Divide the equation by $\sigma$, and $x/\sigma$ stands alone on the left:
#
# $$\begin{aligned}
# \frac{\mathrm{d}}{\mathrm{d}\sigma}\frac{x}{\sigma} &= \frac{1}{\sigma}\frac{x - D}{\sigma} - \frac{x}{\sigma^2} = -\frac{D}{\sigma^2} && \text{product rule; } x \text{ cancels} \\
# \frac{x'}{\sigma'} &= \frac{x}{\sigma} + \int_{\sigma'}^{\sigma} \frac{D}{\varsigma^2}\,\mathrm{d}\varsigma && \text{exact} \\
# x' &= \frac{\sigma'}{\sigma}\,x + \Big(1 - \frac{\sigma'}{\sigma}\Big)\,\bar D && \bar D \text{ is a mean of } D \text{ over the step}
# \end{aligned}$$
#
# With $\bar D = D(x, \sigma)$ this is Euler (and DDIM): *exact if the denoiser's answer does not change*. 2M
# continues the change of the last step in $-\ln\sigma$, up to the middle of this one: $\bar D = D +
# \frac{1}{2r}(D - D_\text{last})$, where $r$ is the length of the last step over that of this one. The first and
# the last step are Euler's.


# %%
def two_steps(D, x, a, b, c):
    """Euler from a to b, then one 2M step from b to c."""
    first = D(x, a)
    x = b / a * x + (1 - b / a) * first
    second, r = D(x, b), (a / b).log() / (b / c).log()
    return c / b * x + (1 - c / b) * (second + (second - first) / (2 * r))


sigmas = torch.tensor([5.0, 2.0, 1.0, 0.0], dtype=torch.float64)
library = dc.samplers.trajectory(smooth, 5 * unit[:4], sigmas, dc.samplers.dpmpp_2m()).x[2]
agree("2M by hand and the library's", two_steps(smooth, 5 * unit[:4], *sigmas[:3]), library, 1e-12)

# %% [markdown]
# ### Error against evaluations
#
# Now the whole way from $\sigma = 80$ to 0, with the exact denoiser of 300 real digits (blurred, $h = 0.1$), your
# grid and your step. The error is the root mean square over pixels to a converged solution (Heun with 1,025
# evaluations), the median over 40 samples. All solvers get the *same number of evaluations*: $N$ steps of Euler or
# 2M, $(N + 1)/2$ of Heun.
#
# On log-log axes an error $c \cdot \text{NFE}^{-p}$ is a straight line of slope $-p$.
#
# **Predict, then run.** Which of the three is best with 9 evaluations? Which with 129? What are the slopes?

# %%
budgets = torch.tensor([9, 17, 33, 65, 129])
SOLVERS = {
    "Euler = DDIM": lambda D, nfe, n: from_noise(D, karras_sigmas(nfe), dc.samplers.euler, n),
    "Heun": lambda D, nfe, n: from_noise(D, karras_sigmas((nfe + 1) // 2), heun_step, n),
    "DPM++(2M)": lambda D, nfe, n: from_noise(D, karras_sigmas(nfe), dc.samplers.dpmpp_2m(), n),
}


def rms_each(difference):
    """Root mean square over the pixels of each sample: (B,)."""
    return difference.square().mean((1, 2, 3)).sqrt().cpu()


def rms(difference):
    """Root mean square over the pixels of each sample, then the median over the samples."""
    return rms_each(difference).quantile(0.5)


def errors_of(D, budgets, limit):
    """Distances of the first samples to their converged solutions `limit`: solver -> (number of budgets, samples)."""
    return {
        name: torch.stack([rms_each(solve(D, nfe, len(limit)) - limit) for nfe in budgets.tolist()])
        for name, solve in SOLVERS.items()
    }


def medians(errors):
    """The median over the samples: solver -> (number of budgets,)."""
    return {name: e.quantile(0.5, dim=1) for name, e in errors.items()}


def order(budgets, errors):
    """Minus the slope of a line through the last three points, on log-log axes."""
    x, y = budgets[-3:].double().log(), errors[-3:].double().log()
    return -((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()


def log_log(budgets, lines, title):
    figure = plots.curves(
        budgets,
        lines,
        title=title,
        xlabel="evaluations of the denoiser (log scale)",
        ylabel="error, rms per pixel (log scale)",
        logx=True,
        logy=True,
    )
    figure.axes[0].set_xticks(budgets.tolist(), [str(n) for n in budgets.tolist()])
    return figure


@functools.cache
def converged(sigma_max):
    """The solution of the exact denoiser from all of `unit`."""
    return from_noise(smooth, karras_sigmas(513, sigma_max=sigma_max), heun_step)


exact_errors = errors_of(smooth, budgets, converged(80))
exact_medians = medians(exact_errors)
for name, e in exact_medians.items():
    print(f"{name:12}", ", ".join(f"{v:.1e}" for v in e), f"  order {order(budgets, e):.1f}")
print("on another image (error above 0.3), of 40 samples:")
for name, e in exact_errors.items():
    print(f"{name:12}", ", ".join(f"{count:7}" for count in (e > 0.3).sum(1).tolist()))
ranked = [sorted(exact_medians, key=lambda name, k=k: exact_medians[name][k]) for k in range(len(budgets))]
claim("with 9 evaluations Heun is the worst", ranked[0][-1] == "Heun")
claim("from 33 on Heun is ahead of Euler", all(r.index("Heun") < r.index("Euler = DDIM") for r in ranked[2:]))
claim("from 17 on DPM++(2M) is the best of the three", all(r[0] == "DPM++(2M)" for r in ranked[1:]))
log_log(budgets, exact_medians, "Exact denoiser: error at equal numbers of evaluations")

# %% [markdown]
# The slopes are those of the theory: 1 for Euler, 2 for the other two. At 9 evaluations Heun is by far the worst: its five
# long steps are corrected by slopes from points far away, and half of its samples end on another image. From 33 evaluations on
# it is ahead of Euler. DPM++(2M) has Heun's order at Euler's price, and from 17 evaluations on it is the best of the three.
# "Second order is better" is a statement about short steps.
#
# ### The slider: $\rho$ against the budget
#
# The next figure shows the error of each *single* step along Euler's and Heun's way, against the $\sigma$ at which
# the step begins. (Each step is compared with four small Heun steps over the same interval.) An even line would mean
# that no step is wasted. The title gives the final error.


# %%
def single_steps(sigmas, step, x):
    """Error of each step but the last, against four small Heun steps from the same point; and the final state."""
    path = dc.trajectory(smooth, x, sigmas, step=step).x
    start, end = (part.to(x).repeat_interleave(len(x)) for part in (sigmas[:-2], sigmas[1:-1]))
    fine = path[:-2].flatten(0, 1)  # the points before each step, in one batch
    for k in range(4):
        a, b = torch.lerp(start, end, k / 4), torch.lerp(start, end, (k + 1) / 4)
        a_, b_ = (sigma.reshape(-1, 1, 1, 1) for sigma in (a, b))
        slope = (fine - smooth(fine, a)) / a_
        guess = fine + (b_ - a_) * slope
        fine = fine + (b_ - a_) * (slope + (guess - smooth(guess, b)) / b_) / 2
    errors = path[1:-1] - fine.reshape(path[1:-1].shape)
    return torch.stack([rms(error) for error in errors]), path[-1]


RHOS, COUNTS = [1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 20.0], [8, 16, 32]
along = {}
for rho, count, (name, step) in itertools.product(
    RHOS, COUNTS, {"Euler": dc.samplers.euler, "Heun": heun_step}.items()
):
    sigmas = karras_sigmas(count, rho=rho)
    errors, x = single_steps(sigmas, step, sigmas[0] * unit[:5])
    along[rho, count, name] = errors, rms(x - converged(80)[:5])


def errors_along(rho=7.0, steps=16):
    found = {name: along[rho, steps, name] for name in ("Euler", "Heun")}
    final = ", ".join(f"{name} {error:.4f}" for name, (_, error) in found.items())
    return plots.curves(
        karras_sigmas(steps, rho=rho)[:-2],
        {name: errors for name, (errors, _) in found.items()},
        title=f"Error of each step, final: {final}",
        xlabel=r"$\sigma$ where the step begins (log scale)",
        ylabel="error of the step (log scale)",
        logx=True,
        logy=True,
        xlim=(1e-3, 100),
        ylim=(1e-6, 10),
    )


widgets.slide(
    errors_along,
    rho=RHOS,
    steps=COUNTS,
    description="Error of each Euler and Heun step on the Karras grid",
    static=[{"rho": 1.0}, {"rho": 3.0}, {"rho": 7.0}],
)

# %% [markdown]
# At $\rho = 1$ the last steps jump over everything below $\sigma = 5$; Heun even multiplies the error. From $\rho = 3$
# on, the curves flatten. Two humps remain: one
# near $\sigma = 5$, where the sample decides which image it becomes, and one near 0.2, where it is pulled onto the
# image (for real images, fine detail). $\rho = 7$ is on a plateau: for this data a larger $\rho$ is a little better
# still. Karras et al. found the smallest *image* errors with $\rho$ between 5 and 10, although $\rho = 3$ nearly
# evens out the errors of the single steps, because errors at small $\sigma$ have the largest effect on what is
# seen.

# %%
quiz.ask("09-q3")

# %% [markdown]
# ### Find out: where should twelve evaluations go?
#
# The grid of Karras et al. was chosen for photographs and their networks. Here the denoiser is known, so a better grid
# can be looked for. First the step. **Predict, then run:** which of the three is best with 12 evaluations (Heun: 6 steps,
# 11 evaluations), and does the answer depend on the grid? $\rho = \infty$ stands for equal steps in $\ln\sigma$. The number
# is the geometric mean of 40 distances to the converged solution: a sample counts by the order of magnitude of its
# distance, so the few that land on another image do not decide alone.


# %%
def distance(sigmas, step):
    """The distance to the converged solution: rms over the pixels, geometric mean over the 40 samples."""
    apart = from_noise(smooth, sigmas, step) - converged(round(sigmas[0].item(), 3))
    return rms_each(apart).log().mean().exp().item()


two_m = dc.samplers.dpmpp_2m()
RHO = {"rho = 3": 3.0, "rho = 7": 7.0, "rho = 14": 14.0, "rho = infinity": 1e4}
on_grid = {
    name: [distance(karras_sigmas(n, rho=rho), step) for rho in RHO.values()]
    for name, step, n in (("Euler", dc.samplers.euler, 12), ("Heun", heun_step, 6), ("DPM++(2M)", two_m, 12))
}
show_table(["12 evaluations", *RHO], [(name, *(f"{d:.4f}" for d in row)) for name, row in on_grid.items()])
best = [min(on_grid, key=lambda name, k=k: on_grid[name][k]) for k in range(len(RHO))]
claim("DPM++(2M) is the best of the three on each of these grids", set(best) == {"DPM++(2M)"})

# %% [markdown]
# ### Exercise {{09-best_grid}}
#
# So the step is DPM++(2M), and what is left to choose is the grid. Return one for $n = 12$ evaluations. It begins at $80$
# and falls: $n$ numbers, and a 0 behind them. Each number before the 0 costs one evaluation.
#
# The score is the number of the last table, `distance(sigmas, two_m)`, whose code stands above it; lower is better. The marks are
# {{marks 09-best_grid}}. The grid of Karras et al. with $\rho = 7$ takes the first mark. The check gives your score, which step costs most, and which evaluation gains least; the call gives the score
# in a cell of your own, in less than a second. Only $n = 12$ is asked. A formula, typed numbers and the 0, the result of
# a search: all are welcome. But twelve numbers are many for luck, so look first where a step loses most, and which evaluations gain nothing.
#
# *Hint.* `errors, final = single_steps(sigmas, two_m, sigmas[0] * unit)`, made in the cell under "The slider: $\rho$ against the budget", gives
# the errors of all steps but the last, and the samples. And the images are blurred with $h = 0.1$: what does the denoiser still change at
# $\sigma = 0.002$?


# %%
# EXERCISE 09-best_grid (keep this line)
def best_grid(n):
    """A grid of n evaluations for DPM-Solver++(2M) and the exact denoiser of 300 digits.

    n: the number of evaluations, an integer. Returns (n + 1,): n decreasing sigmas, and a 0 at the end;
    a list of these numbers will do.
    """
    ### BEGIN SOLUTION
    # In ln(sigma), twice as dense near sigma = 2.5, where the image is decided, as far from there; none below 0.015.
    logs = torch.linspace(math.log(80), math.log(0.015), 2001, dtype=torch.float64)
    density = 1 + torch.exp(-(((logs - math.log(2.5)) / 1.5) ** 2) / 2)
    share = torch.cat([torch.zeros(1, dtype=torch.float64), (density[1:] + density[:-1]).cumsum(0)])
    even = torch.linspace(0, 1, n, dtype=torch.float64)
    sigmas = logs[torch.searchsorted(share / share[-1], even)].exp()
    return torch.cat([sigmas, torch.zeros(1, dtype=torch.float64)])
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("09-best_grid", best_grid)

# %% [markdown]
# Your grid beside two others: where its steps begin, and the error of each of them.

# %%
yours = torch.as_tensor(best_grid(12), dtype=torch.float64)
grids = {
    "Karras, ρ = 7": karras_sigmas(12, sigma_max=yours[0].item()),
    "equal steps in ln σ": karras_sigmas(12, sigma_max=yours[0].item(), rho=1e4),
    "yours": yours,
}
show_table(
    ["steps that begin at sigma", *bands, "distance"],
    [
        (
            name,
            *(int(((grid[:-1] >= low) & (grid[:-1] < high)).sum()) for low, high in bands.values()),
            f"{distance(grid, two_m):.4f}",
        )
        for name, grid in grids.items()
    ],
)
plots.curves(
    torch.arange(1, 12),
    {name: single_steps(grid, two_m, grid[0] * unit[:10])[0] for name, grid in grids.items()},
    title="DPM++(2M), 12 evaluations: error of each step but the last",
    xlabel="step",
    ylabel="error of the step (log scale)",
    logy=True,
)

# %% [markdown] tags=["solution-only"]
# ### How such a grid can be found
#
# **Which evaluations gain nothing?** The data are blurred with $h = 0.1$. Where $\sigma \ll h$, $D_h$ is almost $x$ itself: the last
# step, from $\sigma$ to 0, moves $x$ by $O(\sigma^2/h)$. The grid of Karras et al. with $\rho = 7$ begins two of its 12 steps below 0.02. A
# grid that ends at 0.015 begins one there.
#
# **In which variable should steps be equal?** 2M is exact where $D$ is constant, and continues its change linearly in
# $\ln\sigma$. So $\ln\sigma$ is its natural clock, and equal steps there, $\rho \to \infty$, are the first guess.
#
# **Where is a step too long?** Measure it. The error of a step of length $\ell$ (in $\ln\sigma$) of a second-order solver is
# about $c\,\ell^3$, and $c$ depends on the place. The errors are equal if there are $\propto c^{1/3}$ = error$^{1/3}/\ell$ steps per
# unit of $\ln\sigma$. Move the nodes half of the way to such a grid, measure again, move again. The cell does it, and
# sets it beside luck: the best of 100 grids in which each node of Karras's grid is moved by a random factor.


# %% tags=["solution-only"]
# NBVAL_IGNORE_OUTPUT
def moved(sigmas):
    """The grid half of the way to one whose steps all have the same error."""
    errors, _ = single_steps(sigmas, two_m, sigmas[0] * unit)
    logs = sigmas[:-1].log()
    share = torch.cat([torch.zeros(1, dtype=torch.float64), (errors ** (1 / 3)).cumsum(0)])
    even = torch.linspace(0, 1, len(logs), dtype=torch.float64) * share[-1]
    k = (torch.searchsorted(share, even, right=True) - 1).clamp(0, len(logs) - 2)
    wanted = logs[k] + (even - share[k]) / (share[k + 1] - share[k]) * (logs[k + 1] - logs[k])
    return torch.cat([((logs + wanted) / 2).exp(), sigmas[-1:]])


found = {
    "Karras, ρ = 7": karras_sigmas(12),
    "ρ = ∞": karras_sigmas(12, rho=1e4),
    "ρ = ∞, to 0.015": karras_sigmas(12, 0.015, rho=1e4),
}
found["and nodes moved once"] = moved(found["ρ = ∞, to 0.015"])
found["and moved twice"] = moved(found["and nodes moved once"])
found["the solution's formula"] = best_grid(12)
scores = {name: distance(sigmas, two_m) for name, sigmas in found.items()}

factors = (0.35 * dc.Noise(11).randn(100, 12, dtype=torch.float64)).exp()
factors[:, 0] = 1
tried = (factors * karras_sigmas(12)[:-1]).clamp(max=80).sort(descending=True).values
tried = [torch.cat([sigmas, torch.zeros(1)]) for sigmas in tried if bool((sigmas.diff() < 0).all())]
scores["best of 100 random grids"] = min(distance(sigmas, two_m) for sigmas in tried)
show_table(["grid", "distance"], [(name, f"{score:.4f}") for name, score in scores.items()])

other = dc.Noise(12).randn(40, 1, 28, 28, dtype=torch.float64)
aim = dc.sample(smooth, 80 * other, karras_sigmas(300, rho=1e4), two_m)
fresh = {
    name: rms_each(dc.sample(smooth, 80 * other, found[name], two_m) - aim).log().mean().exp().item()
    for name in ("Karras, ρ = 7", "the solution's formula")
}
print("from other noise:", ", ".join(f"{name} {score:.4f}" for name, score in fresh.items()))
below = [int((found[name][:-1] < 0.02).sum()) for name in ("Karras, ρ = 7", "ρ = ∞, to 0.015")]
claim("two steps begin below 0.02, and one where the grid ends at 0.015", below == [2, 1])
middle = {name: int(((sigmas > 0.6) & (sigmas < 7)).sum()) for name, sigmas in found.items()}
claim("moved nodes crowd between 7 and 0.6", middle["and nodes moved once"] > middle["ρ = ∞, to 0.015"])
claim(
    "moving the nodes once beats the best random grid",
    scores["and nodes moved once"] < scores["best of 100 random grids"],
)
claim(
    "the solution is 8 times nearer than Karras's grid",
    8 * scores["the solution's formula"] < scores["Karras, ρ = 7"],
)
claim(
    "and 4 times from noise that it was not chosen with",
    4 * fresh["the solution's formula"] < fresh["Karras, ρ = 7"],
)

# %% [markdown] tags=["solution-only"]
# Each observation takes its part. The moved nodes crowd between $\sigma = 7$ and $0.6$, where the sample decides which image
# it becomes. The formula of the solution is that shape, smoothed: a hump of density over a constant. A second round
# of moving need not be better than the first: the errors of single steps have signs and are carried along the path,
# some grow and some cancel, and "all equal" is a rule of thumb, not the optimum. And the grid belongs to this data, this
# blur and this budget: it says nothing of photographs.

# %% [markdown]
# ## 6. The same measurement with trained weights
#
# A network is no smooth closed formula. Do the slopes survive? The same code with `mnist-edm`, four digits, and less
# budget.

# %%
# NBVAL_IGNORE_OUTPUT
four, six = edm.given(classes[:4]), edm.given(classes[:6])
few_budgets = torch.tensor([9, 17, 33, 65])
trained_errors = medians(errors_of(four, few_budgets, SOLVERS["Heun"](four, 257, 4)))
for name, e in trained_errors.items():
    print(f"{name:12}", ", ".join(f"{v:.1e}" for v in e), f"  order {order(few_budgets, e):.1f}")
log_log(few_budgets, trained_errors, "mnist-edm: error at equal numbers of evaluations")

# %% [markdown]
# Again Euler is close to order 1, the other two close to 2. The lines of Euler and Heun cross earlier, before 17
# evaluations. That is not because the network is easier to solve: all errors are larger than with the exact denoiser,
# Euler's nearly three times. Why is not measured here, and four digits are few.
#
# How large is an error of 0.1? The slider shows six digits at each budget. The rows begin with the same noise, so
# they tend to the same images.

# %%
BUDGETS = (5, 9, 17, 33)


def pictures(nfe):
    rows = torch.stack([solve(six, nfe, 6) for solve in SOLVERS.values()], dim=1)
    return plots.filmstrip(rows, [str(k) for k in range(6)], title=f"{nfe} evaluations", rows=list(SOLVERS))


widgets.slide_frames(
    {nfe: pictures(nfe) for nfe in BUDGETS},
    "nfe",
    description="Six digits by three solvers at one number of evaluations",
    static=[{"nfe": nfe} for nfe in BUDGETS],
    labels={"nfe": "NFE"},
)

# %% [markdown]
# With 5 evaluations Euler's digits are grey and soft, Heun's are full of grain: its three steps are too long, and
# the second slopes overshoot. At 9 the grain is faint. At 17 all rows show the same digits, and at 33 no eye can
# tell them apart. The malformed 5 is malformed in every row: that is the network's error, and no solver repairs it.
#
# ## 7. Churn: noise that repairs
#
# The deterministic path never forgets: an error made at $\sigma = 10$ is carried to the end. Fresh noise forgets.
# Karras et al. raise the noise a little before each Heun step (algorithm 2):
#
# $$\begin{aligned}
# \gamma &= \min\big(S_\text{churn}/N,\; \sqrt2 - 1\big) \ \text{ if } S_\text{min} \le \sigma \le S_\text{max}, \text{ else } 0 && \text{each of } N \text{ steps gets its share} \\
# \hat\sigma &= (1 + \gamma)\,\sigma && \text{the raised level} \\
# \hat x &= x + \sqrt{\hat\sigma^2 - \sigma^2}\;S_\text{noise}\,\varepsilon, \quad \varepsilon \sim \mathcal{N}(0, I) && \text{variances add: } \sigma^2 + (\hat\sigma^2 - \sigma^2) = \hat\sigma^2
# \end{aligned}$$
#
# and then take the Heun step from $\hat\sigma$, not from $\sigma$, to the next level. If $x$ has the density $p(x;
# \sigma)$, then $\hat x$ has exactly $p(x; \hat\sigma)$ (with $S_\text{noise} = 1$), so in law nothing is lost. If
# $x$ is off, the fresh noise blurs the error away and the denoiser decides anew. The price: the path becomes
# longer, every step has more to undo. The cap $\sqrt 2 - 1$ keeps $\hat\sigma^2 \le 2\sigma^2$: never more new
# noise than there is. $S_\text{noise}$ slightly above 1 makes up for networks that remove a little too much.
#
# ### Exercise {{09-churn}}
#
# Write the three lines. `eps` is given, so that the check can compare; `sigma` and the returned `sigma_hat` are
# tensors of shape `()`.
#
# *Hint.* Three `if`-free lines are possible, but `gamma = ... if s_min <= sigma <= s_max else 0.0` reads best. What
# must be under the root so that the *variance* of the noise rises from $\sigma^2$ to $\hat\sigma^2$?


# %%
# EXERCISE 09-churn (keep this line)
def churn(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """Raise the noise of x from sigma to sigma_hat (Karras et al. 2022, algorithm 2, the lines before the Heun step).

    x: (B, *S), in VE coordinates. sigma: (), > 0. eps: (B, *S), standard normal. num_steps: the grid's number of steps.
    s_churn, s_min, s_max, s_noise: numbers. Returns (x_hat, sigma_hat), of the shapes of x and sigma.
    """
    ### BEGIN SOLUTION
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0
    sigma_hat = (1 + gamma) * sigma
    return x + (sigma_hat**2 - sigma**2).sqrt() * s_noise * eps, sigma_hat
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("09-churn", churn)

# %% [markdown]
# The claim about the law, measured: churned samples of $p(x; 1)$ have the variance of $p(x; \hat\sigma)$.

# %%
noise = dc.Noise(7, per_sample=False)
x = mixture.sample(200_000, noise)[0]
x = x + noise.like(x)
x_hat, sigma_hat = churn(x, torch.tensor(1.0), noise.like(x), 10, 3.0, 0.0, 9.0, 1.0)
wanted = x.var() - 1 + sigma_hat**2
print(f"variance after churn {x_hat.var():.2f}, wanted {wanted:.2f}")

# %% [markdown]
# ### Exercise {{09-edm_sampler}}
#
# Your three functions are the parts of a whole sampler (Karras et al. 2022, algorithm 2):
#
# $$\begin{aligned}
# x^{(0)} &= \sigma_\text{max}\,x && x \text{ is standard normal noise, } \sigma_\text{max} \text{ the grid's first number} \\
# \hat x,\ \hat\sigma &= \mathrm{churn}(x^{(i)}, \sigma_i, \varepsilon_i, N, S_\text{churn}, S_\text{min}, S_\text{max}, S_\text{noise}) && \text{step } i = 0 \dots N - 1 \text{ raises the noise} \\
# x^{(i+1)} &= \mathrm{heun}(D, \hat x, \hat\sigma, \sigma_{i+1}) && \text{and goes down from there to the next level}
# \end{aligned}$$
#
# $x^{(i)}$ is the $i$-th state: $x^{(0)}$ is the noisiest, and $x^{(N)}$ the sample. Write the loop, for a grid such as `karras_sigmas`
# makes and for draws that are given: `noise[i]` is $\varepsilon_i$. Return **all** $N + 1$ states, stacked along a new first
# axis. From here on the chapter samples with *your* sampler.
#
# The check compares every state and tells the first that is wrong. `D` may be shown $(2N - 1)\,B$ samples,
# that is, the batch $2N - 1$ times, and no argument may be changed in place. If `churn` or `heun_step` is not right yet, mend it first:
# the loop needs both.
#
# *Hint.* How many steps has a grid of `len(sigmas)` numbers? With $D = 0$, $\sigma = (2, 1, 0)$ and no churn, $x = 1$
# leads over the states $2, 1$ to $0$.


# %%
# EXERCISE 09-edm_sampler (keep this line)
def edm_sampler(D, x, sigmas, noise, s_churn, s_min, s_max, s_noise):
    """All states of the stochastic EDM sampler (Karras et al. 2022, algorithm 2).

    D: denoiser, called as D(x, sigma) with sigma (), returns x's shape. x: (B, *S), standard normal, to be scaled by sigmas[0].
    sigmas: (N + 1,), strictly decreasing, the last is 0. noise: (N, B, *S), noise[i] is the standard normal draw of step i.
    s_churn, s_min, s_max, s_noise: numbers, for `churn`. Returns (N + 1, B, *S), from sigmas[0] x to the samples.
    """
    ### BEGIN SOLUTION
    N = len(sigmas) - 1
    states = [sigmas[0] * x]
    for i in range(N):
        x_hat, sigma_hat = churn(states[-1], sigmas[i], noise[i], N, s_churn, s_min, s_max, s_noise)
        states.append(heun_step(D, x_hat, sigma_hat, sigmas[i + 1]))
    return torch.stack(states)
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("09-edm_sampler", edm_sampler)

# %% [markdown]
# Your sampler and the library's, from the same draws; then your own digits, and the way to them, from the trained
# network. **Predict, then run:** with churn and without, the films begin with the same noise. Will the digits be the same, and from
# which state on can you see it?


# %%
def draws(n, like, seed):
    """n recorded draws for `edm_sampler`: (n, *like.shape)."""
    source = dc.Noise(seed)
    return torch.stack([source.like(like) for _ in range(n)])


four_noises = unit[:4]
mine = edm_sampler(smooth, four_noises, karras_sigmas(10), draws(10, four_noises, 6), 3.0, 0.05, 50.0, 1.003)
theirs = dc.samplers.edm(3.0, 0.05, 50.0, 1.003, num_steps=10)
theirs = dc.trajectory(smooth, 80 * four_noises, karras_sigmas(10), theirs, dc.Noise(6)).x
agree("your states and the library's", mine, theirs, 1e-8)

# %%
ten, grid = unit[:10], karras_sigmas(20)
with torch.no_grad():
    films = {
        name: edm_sampler(edm.given(classes), ten, grid, draws(20, ten, 13), amount, 0.05, 50.0, 1.0)
        for name, amount in {"no churn": 0.0, "churn 10": 10.0}.items()
    }
shown = [0, 10, 12, 14, 20]
plots.filmstrip(
    torch.stack(
        [torch.cat([film[i, 2:4] for film in films.values()]) / (1 + grid[i] ** 2).sqrt() for i in shown]
    ),
    [f"state {i}" for i in shown],
    title="A 2 and a 3 on their way through your sampler (divided by √(1 + σ²))",
    rows=[name for name in films for _ in range(2)],
)

# %%
# NBVAL_IGNORE_OUTPUT
without, churned = films.values()
same = [torch.equal(without[i], churned[i]) for i in range(21)]
claim("the films are the same as long as sigma is above 50", same == [True] * 3 + [False] * 18)
apart = rms_each(without[-1] - churned[-1])
print("the digits are apart by (rms per pixel):", ", ".join(f"{v:.2f}" for v in apart.tolist()))

# %% [markdown]
# Until $\sigma$ falls below $S_\text{max} = 50$ nothing is added, and the two films are one. From there on each step draws. The
# trained network knows the digit's class, so what churn changes is how the digit is written.

# %% [markdown]
# ### The slider: $S_\text{churn}$ on a sampler that starts wrong
#
# Four clusters in the plane, an exact denoiser, and a mistake on purpose: at $\sigma = 3$ all 400 samples begin
# right of the middle, as if an earlier step had gone wrong. The upper clusters hold 30 % each, the lower ones 20 %
# each.
#
# **Predict, then run.** With $S_\text{churn} = 0$, which clusters are reached? What does more churn do, and why
# does it not repair everything?

# %%
clusters = GaussianMixture(
    torch.tensor([[-1.5, 1.5], [1.5, 1.5], [-1.5, -1.5], [1.5, -1.5]], dtype=torch.float64),
    stds=0.15,
    weights=torch.tensor([0.3, 0.3, 0.2, 0.2]),
)
data_points, _ = clusters.sample(400, dc.Noise(8, per_sample=False))
wrong = data_points + 3 * dc.Noise(9, per_sample=False).like(data_points)
wrong[:, 0] = wrong[:, 0].abs()  # the mistake


def with_churn(s_churn=0.0, steps=40):
    sigmas = karras_sigmas(steps, 0.01, 3.0)
    source = dc.Noise(10, per_sample=False)
    noise = torch.stack([source.like(wrong) for _ in range(steps)])
    x = edm_sampler(clusters, wrong / 3, sigmas, noise, s_churn, 0.0, math.inf, 1.0)[-1]
    left = (x[:, 0] < 0).double().mean()
    return plots.scatter2d(
        {"data": data_points, "samples": x},
        title=f"churn {s_churn:g}: {left:.0%} of the samples on the left",
        limits=(-2.5, 2.5),
    )


widgets.slide(
    with_churn,
    s_churn=(0.0, 40.0, 1.0),
    steps=[20, 40, 80],
    description="Samples that begin on the wrong side, with a given amount of churn",
    static=[{"s_churn": 0.0}, {"s_churn": 2.0}, {"s_churn": 8.0}, {"s_churn": 40.0}],
    labels={"s_churn": "S_churn"},
)

# %% [markdown]
# (In this slider your sampler starts from `wrong / 3`, which it scales by 3.) Without churn no sample crosses to the
# left: a path never forgets where it began. With $S_\text{churn} = 2$ a fifth crosses, with 8 two fifths. Half would
# be right, and with 40 steps it stays at 47 %, however much churn is asked for, because $\gamma$ is capped. Noise can
# only move a sample between clusters while it is as large as their distance, that is, in the first steps; with 80
# steps there are more of them, and half of the samples cross. So churn needs steps to work in, and what is decided
# before it begins, or after the noise has become small, it cannot change. Its use is to correct small errors on the
# way, not to start afresh.

# %% [markdown]
# ## 8. The table at equal cost
#
# Solvers are often compared at equal numbers of *steps*. A Heun step costs two evaluations of the network and an Euler
# step one, so such a table favours Heun. Here is one at equal numbers of *evaluations*, on MNIST
# with the course's weights. Every row is 300 class-conditional digits without
# guidance. *Recognised* is the share that the judge gives the label that was asked for, with its 95 % Wilson
# interval. *Fréchet* is the distance of the judge's features to those of the real test set, ± its 95 % interval;
# 300 real images score the *floor*. It is not FID (other features) and can be compared only within
# this table. *Precision* is the share of samples that lie among real digits, *recall* the share of real digits that
# lie among samples (both in the judge's features; a share of 300 near 0.85 has a 95 % interval of ± 0.04).
#
# EDM with a budget of 10 takes 5 steps and 9 evaluations, and so on: always one below the budget. DDPM stands for
# $\eta = 1$, the ancestral sampler of chapters 3 and 7, on the same grid of noise levels as the others. In this study the
# denoiser's answers are clipped to $[-1, 1]$; in the cells above they are not.
#
# One command made the numbers; the caption says which, where and when.

# %%
# NBVAL_IGNORE_OUTPUT
NAMES = {
    ("mnist-edm", "euler", "karras"): "Euler = DDIM, Karras grid",
    ("mnist-edm", "eta 1", "karras"): "DDPM (eta = 1), Karras grid",
    ("mnist-edm", "euler", "uniform"): "DDIM, t uniform",
    ("mnist-edm", "euler", "quadratic"): "DDIM, t quadratic",
    ("mnist-edm", "euler", "straight"): "Euler, straight-path grid",
    ("mnist-edm", "heun", "karras"): "EDM (Heun), no churn",
    ("mnist-edm", "churn", "karras"): "EDM (Heun), churn 40",
    ("mnist-edm", "dpmpp_2m", "karras"): "DPM++(2M), Karras grid",
    ("mnist-flow", "euler", "straight"): "flow weights, Euler, straight",
}
results = studies.load("solvers").shipped()


def table(title, cell):
    """Show cell(row) for every sampler (lines) and budget (columns)."""
    lines = [
        (name, *(cell(row) for row in results.where(model=model, sampler=sampler, grid=grid)))
        for (model, sampler, grid), name in NAMES.items()
    ]
    show_table([title, *(f"NFE {k}" for k in (10, 20, 40, 80))], lines)


def recognised(row):
    low, high = row["recognised"]["wilson 95 %"]
    return f"{row['recognised']['share']:.2f} [{low:.2f}, {high:.2f}]"


print(f"{results.command}, {results.device}, {results.date}; floor {results.rows[0]['floor']:.2f}")
table("recognised [95 % interval]", recognised)
table(
    "Fréchet distance ± 95 %",
    lambda r: f"{r['frechet']:.2f} ± {intervals.reach(r['frechet standard error']):.2f}",
)
table("precision / recall", lambda r: f"{r['precision']:.2f} / {r['recall']:.2f}")

# %% [markdown]
# Is the table real? The cell draws the first 60 digits of a row again, with the row's own seed, and lets the judge
# count.

# %%
# NBVAL_IGNORE_OUTPUT
row = results.one(model="mnist-edm", sampler="dpmpp_2m", grid="karras", evaluations=10)
again = solvers.samples(row, 60, course.device)
count = metrics.count_recognised(zoo.judge("mnist", course.device), again.images, again.labels)
print(
    f"first 60 of the row: {count} recognised now, {row['recognised of the first 60']} when it was measured"
)
plots.images(again.images[:20], title="DPM++(2M) with 10 evaluations, the first 20 of the row")

# %%
nfe = torch.tensor([10, 20, 40, 80])
lines, bars = {}, {}
for key, name in NAMES.items():
    if key[2] == "karras":
        rows = results.where(model=key[0], sampler=key[1], grid=key[2])
        lines[name] = [row["frechet"] for row in rows]
        bars[name] = [intervals.around(row["frechet"], row["frechet standard error"]) for row in rows]
figure = plots.curves(
    nfe,
    lines,
    title="Distance to real digits at equal cost, 95 % intervals",
    xlabel="budget of evaluations (log scale)",
    ylabel="Fréchet distance, judge's features",
    logx=True,
    intervals=bars,
)
figure.axes[0].set_xticks(nfe.tolist(), [str(n) for n in nfe.tolist()])
figure

# %% [markdown]
# All rows begin with the same noise, so the samplers can be compared in pairs (chapter 7, section 7 ("How much noise")): the difference of two
# distances, with its own 95 % interval. Twenty tests are made, and their p values are corrected for that (Holm). A star
# marks p < 0.05.

# %%
rows = {
    sampler: results.where(model="mnist-edm", sampler=sampler, grid="karras")
    for sampler in ("euler", "eta 1", "heun", "churn", "dpmpp_2m")
}
PAIRS = {
    "Heun minus Euler": ("heun", "euler"),
    "DDPM minus Euler": ("eta 1", "euler"),
    "DDPM minus DPM++(2M)": ("eta 1", "dpmpp_2m"),
    "Heun + churn minus Heun": ("churn", "heun"),
    "DDPM minus Heun + churn": ("eta 1", "churn"),
}
differences = {
    (name, k): intervals.difference(rows[a][k], rows[b][k])
    for name, (a, b) in PAIRS.items()
    for k in range(4)
}
p = intervals.holm({key: d.p for key, d in differences.items()})
lines = []
for name in PAIRS:
    cells = []
    for k in range(4):
        d, star = differences[name, k], "*" if p[name, k] < 0.05 else " "
        cells.append(f"{d.value:+.2f} ({d.low:+.2f} to {d.high:+.2f}){star}")
    lines.append((name, *cells))
show_table(["difference of the distances", *(f"NFE {n}" for n in nfe.tolist())], lines)

distance = {sampler: [row["frechet"] for row in found] for sampler, found in rows.items()}
nearest = [min(distance, key=lambda sampler, k=k: distance[sampler][k]) for k in range(4)]
claim("DDPM is the nearest to real digits at every budget", set(nearest) == {"eta 1"})
ahead = [(name, k) for name in ("DDPM minus Euler", "DDPM minus DPM++(2M)") for k in range(4)]
claim(
    "DDPM is nearer than Euler and DPM++(2M) at every budget: each interval lies below 0",
    all(differences[key].high < 0 for key in ahead),
)
print(f"and after the correction in {sum(p[key] < 0.05 for key in ahead)} of these {len(ahead)} comparisons")
few, many = rows["euler"][0], rows["euler"][3]
print("Euler recognised less often with 80 evaluations than with 10, in pairs:", end=" ")
print(f"p = {intervals.mcnemar(few['each'], many['each']):.1g}")
solved = [
    row
    for key in NAMES
    if key[1] not in ("eta 1", "churn")
    for row in results.where(model="mnist-edm", sampler=key[1], grid=key[2])
    if row["evaluations"] == 80
]
print(f"deterministic samplers of mnist-edm at 80: {min(row['frechet'] for row in solved):.2f}", end=" ")
print(f"to {max(row['frechet'] for row in solved):.2f}")

# %% [markdown]
# **From the right.** With 80 evaluations every deterministic sampler of `mnist-edm` has nearly the same distance, 2.5 to 2.6, and
# the same share, 0.86 to 0.88. They solve one equation and have arrived at its solution. The number
# belongs to the network, not to the solver. (At guidance 1 this small network is far from real digits, which would
# score 0.22.)
#
# **From the left.** With 10 evaluations Heun pays for its long steps: 3.6 against Euler's 2.5, and the grain can be seen in
# {{section The same measurement with trained weights}}. From 20 on the two differ by little. On this data, with this network, 10 evaluations are enough for a
# first-order method. More evaluations make the digits more
# exact, not better: for Euler the recognised share *falls* from 0.94 to 0.87, and recall rises
# from 0.82 to 0.88. Chapter 7, section 4 ("The step"), computed why: long steps lose variance, and their samples lie too close to averages, which are
# more legible and less varied.
#
# **Fresh noise wins here.** DDPM, the sampler of chapter 3, is the nearest to real digits at every budget: 0.91 with 10
# evaluations, where the deterministic samplers have 2.2 to 3.6. Against Euler and DPM++(2M) it is ahead at every budget in pairs, and after
# the correction in all but one comparison, with Euler at 80. Heun with churn is ahead of Heun without it from 20 on if each comparison
# stood alone; of twenty, that is not enough to be sure. With 9 evaluations churn does not help: it needs steps to work in. In this file, from
# 40 on, churn and DDPM cannot be told apart.
#
# Two reasons are at hand, and the table does not separate them. Fresh noise lets the denoiser correct what an earlier answer got
# wrong, and this network leaves much to correct: Karras et al. (2022, section 5) find that stochastic samplers gain less the better
# the network is. And a step of DDPM loses more variance than one of DDIM (chapter 7), so its few-step samples are more
# typical: at 10 evaluations its precision is the highest of all, 0.89, and its recall, 0.79, is among the lowest.
#
# **The straight path.** Its grid draws from `mnist-edm` what the others draw. The flow-matching weights, with the
# same solver and grid, have a smaller distance at every budget, 1.6 to 1.9. These are one training run each, of equally many
# steps: they rank two files, not two methods.
#
# So Euler is as good as EDM *without* churn. With churn EDM's distances are smaller from 20 evaluations on, but not smaller than those of
# plain ancestral sampling, which needs none of its knobs. All of it is measured on one network, one data set and one judge.
#
# ### Other training runs
#
# Each of these sentences is about one file, training seed 0. The study has two more training runs of both networks. An interval of a mean over
# three runs holds the chance of training as well: it comes from three values (Student's $t$ with two degrees of freedom), so it is wide.
#
# **Predict, then run.** Which of the five sentences will hold in the other runs: that Heun pays for 10 evaluations; that Euler's recognised
# share falls with their number; that DDPM is the nearest at every budget; that churn gains from 20 on; that the flow's weights are nearer?

# %%
runs = studies.load("solvers")


def over_runs(model, sampler, grid, evaluations):
    """The rows of one line and column of the table, one of each training run."""
    return runs.where(model=model, sampler=sampler, grid=grid, evaluations=evaluations)


of_edm = {
    f"{name}, {n}": tuple(over_runs("mnist-edm", sampler, "karras", n) for sampler in two)
    for name, two in PAIRS.items()
    for n in nfe.tolist()
}
of_flow = {
    f"flow minus EDM weights, {n}": tuple(
        over_runs(model, "euler", "straight", n) for model in ("mnist-flow", "mnist-edm")
    )
    for n in nfe.tolist()
}
found, p = show_differences_over_seeds(of_edm)
flow, _ = show_differences_over_seeds(of_flow)
measured = ["recognised", "frechet", "precision", "recall"]
for sampler in ("euler", "eta 1"):
    caption = f"mnist-edm, {sampler}, Karras grid: means over training runs"
    show_over_seeds(
        runs, ["evaluations"], measured, caption, model="mnist-edm", sampler=sampler, grid="karras"
    )

# %%
claim("Heun is further than Euler at 10 in every run", min(run_by_run(of_edm, "Heun minus Euler, 10")) > 0)
falls = shares(*(over_runs("mnist-edm", "euler", "karras", n) for n in (80, 10)))
by_run = [
    many["recognised"]["share"] - few["recognised"]["share"]
    for few, many in zip(*(over_runs("mnist-edm", "euler", "karras", n) for n in (10, 80)), strict=True)
]
print(f"Euler's recognised share, 80 minus 10 evaluations: {falls}; ", end="")
print("run by run", ", ".join(f"{change:+.3f}" for change in by_run))
claim(
    "Euler's recognised share falls from 10 to 80 in every run; three runs do not tell it",
    max(by_run) < 0 < falls.high,
)
claim(
    "DDPM is nearer than Euler and DPM++(2M) at every budget in every run, and each interval is below 0",
    max(run_by_run(of_edm, "DDPM minus Euler") + run_by_run(of_edm, "DDPM minus DPM++(2M)")) < 0
    and all(
        d.high < 0 for name, d in found.items() if name.startswith(("DDPM minus Euler", "DDPM minus DPM"))
    ),
)
beside_churn = {n: f"DDPM minus Heun + churn, {n}" for n in (10, 20, 40)}
print(
    "DDPM minus Heun + churn:",
    ", ".join(f"{found[name].value:.1f} at {n}" for n, name in beside_churn.items()),
)
claim(
    "DDPM is nearer than Heun with churn at 10, 20 and 40 in every run; at 40 the corrected p is below 0.05",
    max(d for name in beside_churn.values() for d in run_by_run(of_edm, name)) < 0
    and p[beside_churn[40]] < 0.05,
)
behind = [d > 0 for d in run_by_run(of_edm, "DDPM minus Heun + churn, 80")]
claim("Heun with churn is nearer than DDPM at 80 in two runs of three", sum(behind) == 2 and not behind[0])
claim(
    "churn gains in every run from 20 on, and three runs tell it from 40 on",
    max(d for n in (20, 40, 80) for d in run_by_run(of_edm, f"Heun + churn minus Heun, {n}")) < 0
    and [found[f"Heun + churn minus Heun, {n}"].high < 0 for n in nfe.tolist()] == [False, False, True, True],
)
apart = [name for name, d in found.items() if not d.low < 0 < d.high]
certain = [name for name, value in p.items() if value < 0.05]
print("p < 0.05 when corrected:", "; ".join(certain))
claim(
    "fifteen of the twenty intervals leave out 0, and two p values are below 0.05 when corrected",
    (len(found), len(apart), len(certain)) == (20, 15, 2),
)
claim(
    "the flow's weights are nearer in every run at every budget; no interval is below 0",
    max(run_by_run(of_flow)) < 0 and all(d.high > 0 for d in flow.values()),
)
arrived = [
    [
        over_runs("mnist-edm", sampler, grid, 80)[seed]["frechet"]
        for model, sampler, grid in NAMES
        if model == "mnist-edm" and sampler not in ("eta 1", "churn")
    ]
    for seed in range(3)
]
print("deterministic samplers at 80, run by run:", end=" ")
print(", ".join(f"{min(each):.2f} to {max(each):.2f}" for each in arrived))
claim("within a run they differ by less than 0.2", max(max(each) - min(each) for each in arrived) < 0.2)

# %% [markdown]
# What holds in every run: Heun pays for having 10 evaluations; DDPM is nearer than Euler and DPM++(2M) at every budget; churn gains from 20
# on, and the interval over three runs is below 0 from 40 on. That the number belongs to the network can be seen now: with 80 evaluations the
# deterministic samplers lie within 0.2 of each other in each run, while one run has 2.0 to 2.2 and the others 2.5 to 2.7.
#
# What was of one file: DDPM is not the nearest at *every* budget. At 80 Heun with churn is nearer in the other two runs, and nothing can be told.
# At 10, 20 and 40 DDPM leads it in every run, by 3.0, 1.2 and 0.5. So at 40, where this file could not tell the two apart, three runs can. And Euler's recognised share falls in every run, but in the other two by 0.01 and 0.02, not by
# 0.07; the interval over three runs reaches 0.
#
# The flow's weights are nearer in every run and at every budget, by 0.5 to 0.7 in the mean. Yet three runs are too few to tell: all four
# intervals reach above 0. Three values give large $p$ values: fifteen of the twenty intervals of `mnist-edm` leave out 0, each taken alone, and
# corrected for twenty tests two $p$ values are below 0.05.

# %% [markdown]
# ## 9. Does DDIM need 1000 steps?
#
# A common claim is that DDIM needs the most steps of all: useless with 50 or 100, good with 1000. Since DDIM *is* Euler,
# the grid must be at fault. Two questions, then. Which grid is bad enough? And how many steps does DDIM need on a sound
# one?
#
# The study measures each DDIM sample's distance to the converged solution from the same noise (Heun, 399
# evaluations). All three sound grids run from $\sigma_{1000} = 157$ to $\sigma_1 = 0.01$ of the linear schedule,
# then 0; they differ in the spacing alone. A fourth kind of row is another thing: a quadratic schedule *made for*
# $T = n$ steps whose $\beta_t$ still end at 0.02, the value meant for $T = 1000$: what comes out if "quadratic" is read as a
# schedule of the $\beta_t$, and not as a choice of times.

# %%
ddim = studies.load("ddim-steps").shipped()
print(f"{ddim.command}, {ddim.device}, {ddim.date}; median over 16 samples, rms per pixel")
steps, SOUND = [5, 10, 20, 50, 100, 250, 1000], ("uniform", "quadratic", "karras")


def median_errors(denoiser, grid):
    rows = ddim.where(denoiser=denoiser, grid=grid)
    return torch.tensor([torch.tensor(row["errors"]).quantile(0.5) for row in rows])


show_table(
    ["denoiser", "grid", *(f"{n} steps" for n in steps)],
    [
        (name, grid, *(f"{v:.4f}" for v in median_errors(name, grid)))
        for name in ("exact", "mnist-edm")
        for grid in SOUND
    ],
)

# %%
lines = {f"{name}, {grid}": median_errors(name, grid) for name in ("exact", "mnist-edm") for grid in SOUND}
figure = log_log(torch.tensor(steps), lines, "DDIM: distance to the converged solution (median of 16)")
figure.axes[0].set_xlabel("steps of DDIM = evaluations (log scale)")
figure

# %%
own = ddim.where(denoiser="mnist-edm", grid="own betas")
lines = []
for row in own:
    first = ddim_steps.ddim_grid("own betas", row["steps"])[0]
    error, seen = torch.tensor(row["errors"]).quantile(0.5), row["recognised"]
    low, high = seen["wilson 95 %"]
    share = f"{seen['share']:.2f} [{low:.2f}, {high:.2f}]"
    lines.append((row["steps"], f"{first:.2f}", f"{error:.3f}", share, round(16 * seen["share"])))
show_table(
    ["T", "sigma_T", "error", "recognised [95 % interval]", "of 16"],
    lines,
    "betas made for T = n, beta_max left at 0.02",
)
show_table(
    ["steps", "uniform", "quadratic", "Karras"],
    [
        (
            n,
            *(
                round(16 * ddim.one(denoiser="mnist-edm", grid=grid, steps=n)["recognised"]["share"])
                for grid in SOUND
            ),
        )
        for n in steps
    ],
    "the sound grids, recognised of 16",
)

# %% [markdown]
# First the sound grids. The error falls like $1/n$, as Euler's must. For the network, 20 steps give a median error
# of 0.04 (uniform) to 0.06 (Karras), and 50 steps 0.014 to 0.022; one grey level of 8 bits is 0.008. Which grid is
# best depends on the denoiser: for the exact one, from 10 to 250 steps, the quadratic grid and then Karras's, by a factor of up to 4; for
# the network the uniform one, by a factor of at most 1.6. (With 1000 steps, uniform and quadratic are the same grid: all
# times.) So the spacing of a *sound* grid is not the culprit.
#
# Now the schedule made for $T = n$ with the $\beta_t$ of $T = 1000$. At $T = 50$ it ends at $\sigma_T = 0.66$. The
# sampler starts from pure noise of that size, but at $\sigma = 0.66$ a real noisy image is still clearly an image.
# The denoiser is asked to sharpen an image that never was. The judge recognises 1 of 16. At $T = 200$ it is 6, at
# 500 it is 11, and at 1000, where $\sigma_T = 37$, 13 of 16, as on the sound grids with 1000 steps.
#
# The cell draws the first four samples of four of these rows again, and repeats one measurement for two samples.

# %%
# NBVAL_IGNORE_OUTPUT
lab = studies.Lab(torch.device(course.device))
strips = []
for grid, n in (("uniform", 20), ("karras", 20), ("own betas", 50), ("own betas", 200)):
    row = ddim.one(denoiser="mnist-edm", grid=grid, steps=n)
    strips.append(ddim_steps.solve(row, ddim_steps.ddim_grid(grid, n), lab, n=4))
row = ddim.one(denoiser="mnist-edm", grid="karras", steps=20)
now = ddim_steps.measure_error(row, lab, n=2)["errors"]
print("karras, 20 steps, first two errors: now", now, "in the file", row["errors"][:2])
plots.filmstrip(
    torch.stack(strips),
    ["uniform, 20", "Karras, 20", "own, T = 50", "own, T = 200"],
    title="The same noise, four grids of DDIM",
)

# %% [markdown]
# The two sound grids draw the same digits. From $T = 50$ comes a tangle: asked for the image in pure noise, the
# denoiser finds strokes everywhere. With $T = 200$ the strokes begin to form single figures.
#
# **The answer.** DDIM does not need 1000 steps. On any grid that begins where the image is gone, 20 to 50
# evaluations bring this network's samples within 2 to 8 grey levels of the converged solution, and of 16 digits the
# judge recognises no fewer with 5 to 100 steps than with 1000: no sign of a gain. What needs about 1000 steps is
# a *schedule* whose $\beta_t$ were chosen for 1000 steps: useless at 50 and 100, bad at 200, passable at 500, good at 1000.
# It is the slip that chapter 4 finds in the linear schedule at $T = 200$.

# %%
quiz.ask("09-q4")

# %% [markdown]
# ## Common slips
#
# - The churned state written as $x + \sqrt{((1+\gamma)\sigma)^2 - \sigma^2\varepsilon}$. The noise belongs outside
#   the root: $x + \sqrt{\hat\sigma^2 - \sigma^2}\;\varepsilon$, with $\varepsilon \sim \mathcal{N}(0, S_\text{noise}^2 I)$.
# - Solvers compared at equal *steps*: 50 steps are 50 evaluations for Euler and 99 for EDM.
# - FIDs of different numbers of samples side by side. FID is biased upward for few samples.
# - "Quadratic" taken for the $\beta_t$ ({{section Does DDIM need 1000 steps}}). Song, Meng & Ermon (2021, appendix D) choose a quadratic *sub-sequence
#   of times* $\tau_i$ of one fixed schedule.
#
# ## Summary
#
# - Noise levels are all that a schedule leaves: $x = x_0 + \sigma\varepsilon$, and sampling solves
#   $\mathrm{d}x/\mathrm{d}\sigma = (x - D)/\sigma$.
# - Euler in $\sigma$, DDIM with $\eta = 0$ and Euler on the straight path are one formula. They can differ in the
#   grid only.
# - Preconditioning asks for unit variance of input, target and effective weight, and the least amplification of
#   errors. Predicting $\varepsilon$, $x_0$, $v$ or a velocity is another row of the same table.
# - Euler is of first order, Heun and DPM++(2M) of second, and measured slopes say so. Order matters once the steps
#   are short enough; at the smallest budgets Heun's doubled price can outweigh it.
# - Fresh noise forgets errors. On this data, in each of three training runs, plain ancestral sampling is nearer to real digits than the
#   deterministic samplers at every budget; churn gets there with more evaluations.
# - Compare at equal evaluations, from the same noise and in pairs, with error bars, and know what the network can do at best.
#
# ## References
#
# - Karras, Aittala, Aila, Laine (2022). [*Elucidating the design space of diffusion-based generative
#   models.*](https://arxiv.org/abs/2206.00364) Eqs. 1, 3, 5, 7, 8, 57; algorithms 1 and 2; table 1; table 5;
#   appendix B.6.
# - Song, Meng, Ermon (2021). [*Denoising diffusion implicit models.*](https://arxiv.org/abs/2010.02502) Eq. 12, appendix D.
# - Song, Sohl-Dickstein, Kingma, Kumar, Ermon, Poole (2021). [*Score-based generative modeling through stochastic
#   differential equations.*](https://arxiv.org/abs/2011.13456) Section 4.3.
# - Lu, Zhou, Bao, Chen, Li, Zhu (2022). [*DPM-Solver++: fast solver for guided sampling of diffusion probabilistic
#   models.*](https://arxiv.org/abs/2211.01095) Algorithm 2.
# - Lipman, Chen, Ben-Hamu, Nickel, Le (2023). [*Flow matching for generative modeling.*](https://arxiv.org/abs/2210.02747)
# - Liu, Gong, Liu (2023). [*Flow straight and fast: learning to generate and transfer data with rectified
#   flow.*](https://arxiv.org/abs/2209.03003)
# - Salimans, Ho (2022). [*Progressive distillation for fast sampling of diffusion
#   models.*](https://arxiv.org/abs/2202.00512) Section 4.
# - Ho, Jain, Abbeel (2020). [*Denoising diffusion probabilistic models.*](https://arxiv.org/abs/2006.11239)
# - Holm (1979). [*A simple sequentially rejective multiple test procedure.*](https://www.jstor.org/stable/4615733)
# - Wilson (1927). [*Probable inference, the law of succession, and statistical
#   inference.*](https://doi.org/10.1080/01621459.1927.10502953)

# %%
# NBVAL_CHECK_OUTPUT
check_all()
