# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,course,-all
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 1. The forward process: a digit dissolves into noise
#
# A diffusion model learns to run a film backwards. This chapter makes the film: a digit receives a little
# Gaussian noise, and a little more, until nothing of it is left. The process has no parameters to learn, and
# everything about it can be computed exactly. Each formula below is derived line by line and then executed in
# the cell beside it.
#
# **You will**
# - write down one step $q(x_t \mid x_{t-1})$ and explain the factor $\sqrt{1-\beta_t}$;
# - prove the closed form $q(x_t \mid x_0)$, and test it on real digits, exactly and in distribution;
# - measure how much of the digit is left at each step: the signal-to-noise ratio;
# - show that the end of the chain is $\mathcal N(0, I)$, and say what that asks of a schedule;
# - see why the way back can be made of small Gaussian steps.
#
# **You need** calculus, linear algebra, probability (density, mean, variance, Bayes' rule) and a little
# PyTorch.
#
# **Time:** {{reading}} of reading, and {{minutes}} for {{exercises}}. The cells themselves take about 20
# seconds on two CPU cores; nothing here needs a GPU.

# %%
import itertools
import math

import torch
from matplotlib.figure import Figure

import diffusion_course as dc
from diffusion_course.classroom import check, check_all
from diffusion_course.experiments import data
from diffusion_course.notebook import plots, quiz, widgets
from diffusion_course.notebook.claims import agree, claim

# %% [markdown]
# **Notation.** It is that of Ho et al. 2020. Chapter 0 ends with the table of the whole course.
#
# {{notation x0 d t x_t beta alpha alpha_bar z eps}}
#
# $\mathcal N(x; m, vI)$ is the density at $x$ of a Gaussian with mean $m$ and variance $v$ in every coordinate.
# $q(x_t \mid x_0)$ is the density of $x_t$ for one given $x_0$, and $q(x_t)$ its density over all data.
#
# Python counts from 0, the formulas count from 1: `betas[0]` is $\beta_1$. Nearly every bug in this chapter
# is a forgotten $-1$.
#
# Two helpers say whether a formula holds. `agree` compares two ways to compute one number. `near` compares a
# simulated average with theory, in units of its standard error (the number after ±). A correct formula is more
# than 4 of them away in one case of 16,000.


# %%
def near(what, draws, theory):
    """Compare the mean of independent draws (n,) with a theoretical value."""
    error = (draws.std() / len(draws) ** 0.5).item()
    estimate = draws.mean().item()
    d = 1 - math.floor(math.log10(error))  # decimals: two digits of the error
    close = abs(estimate - theory) < 4 * error
    print(f"{what}: {estimate:.{d}f} ± {error:.{d}f}, theory {theory:.{d}f}, within 4 errors: {close}")


# %% [markdown]
# ## 1. Three facts about Gaussians
#
# The whole chapter rests on three facts. Write $\mathcal N(m, v)$ for the normal distribution with mean $m$
# and variance $v$.
#
# **Fact 1 (scale and shift).** If $z \sim \mathcal N(0, 1)$, then $m + \sqrt v\, z \sim \mathcal N(m, v)$.
# Read from right to left, this is how one *draws* from $\mathcal N(m, v)$: draw $z$, scale it by the standard
# deviation $\sqrt v$, add the mean.
#
# **Fact 2 (sum).** If $X \sim \mathcal N(0, u)$ and $Y \sim \mathcal N(0, v)$ are *independent*, then
# $X + Y \sim \mathcal N(0, u + v)$. Variances add; standard deviations do not.
#
# **Fact 3 (many coordinates).** $\mathcal N(m, vI)$ on $\mathbb R^d$ is $d$ independent one-dimensional
# Gaussians. So what holds for one pixel holds for each of them, and one dimension is enough in every proof
# below.
#
# That the variances add is true for any independent variables. That the sum is *Gaussian again* is special,
# and the closed form stands or falls with it. Here is the proof. Let $p_Z$ be the density of $Z = X + Y$.
#
# $$
# \begin{aligned}
# p_Z(z) &= \int p_X(x)\, p_Y(z - x)\, dx & & \text{(1) } X \text{ is some } x\text{, then } Y \text{ must be } z - x \\
# &= \frac{1}{2\pi\sqrt{uv}} \int \exp\!\Big(\!-\tfrac12 \Big[\frac{x^2}{u} + \frac{(z-x)^2}{v}\Big]\Big)\, dx & & \text{(2) insert both densities} \\
# &= \frac{1}{2\pi\sqrt{uv}} \int \exp\!\Big(\!-\tfrac12 \Big[\frac{u+v}{uv}\Big(x - \frac{uz}{u+v}\Big)^2 + \frac{z^2}{u+v}\Big]\Big)\, dx & & \text{(3) complete the square in } x \\
# &= \frac{1}{2\pi\sqrt{uv}}\; e^{-\frac{z^2}{2(u+v)}} \int \exp\!\Big(\!-\frac{u+v}{2uv}\Big(x - \frac{uz}{u+v}\Big)^2\Big)\, dx & & \text{(4) the last term does not contain } x \\
# &= \frac{1}{2\pi\sqrt{uv}}\; e^{-\frac{z^2}{2(u+v)}}\, \sqrt{\frac{2\pi uv}{u+v}} & & \text{(5) } \textstyle\int e^{-(x-c)^2/(2w)}dx = \sqrt{2\pi w} \\
# &= \frac{1}{\sqrt{2\pi(u+v)}}\; e^{-\frac{z^2}{2(u+v)}} = \mathcal N(z; 0, u+v) & & \text{(6) cancel}
# \end{aligned}
# $$
#
# The cell computes the integral of each line as a sum over a fine grid of $x$, at five values of $z$.

# %%
u, v = 0.3, 0.5
z = torch.tensor([-1.5, -0.4, 0.0, 0.7, 2.0], dtype=torch.float64)[:, None]
dx = 0.005
fine = torch.arange(-12, 12, dx, dtype=torch.float64)  # the values of x


def normal(x, mean, variance):
    return torch.exp(-((x - mean) ** 2) / (2 * variance)) / (2 * math.pi * variance) ** 0.5


square = (u + v) / (u * v) * (fine - u * z / (u + v)) ** 2
front, tail = 1 / (2 * math.pi * math.sqrt(u * v)), torch.exp(-(z[:, 0] ** 2) / (2 * (u + v)))
line1 = (normal(fine, 0, u) * normal(z - fine, 0, v)).sum(1) * dx
line2 = front * torch.exp(-0.5 * (fine**2 / u + (z - fine) ** 2 / v)).sum(1) * dx
line3 = front * torch.exp(-0.5 * (square + z**2 / (u + v))).sum(1) * dx
line4 = front * tail * torch.exp(-0.5 * square).sum(1) * dx
line5 = front * tail * math.sqrt(2 * math.pi * u * v / (u + v))
line6 = normal(z[:, 0], 0, u + v)
for number, line in enumerate((line2, line3, line4, line5, line6), start=2):
    agree(f"line {number - 1} = line {number}", line1, line)

# %% [markdown]
# ## 2. One step
#
# Step $t$ of the forward process shrinks the image a little and adds a little noise (Ho et al. 2020, eq. 2):
#
# $$ q(x_t \mid x_{t-1}) = \mathcal N\big(x_t;\ \sqrt{1-\beta_t}\; x_{t-1},\ \beta_t I\big). $$
#
# By fact 1, to draw from it is one line of code, with fresh noise $z_t \sim \mathcal N(0, I)$:
#
# $$ x_t = \sqrt{1-\beta_t}\; x_{t-1} + \sqrt{\beta_t}\; z_t. $$
#
# The mean is scaled by $\sqrt{1-\beta_t}$ and the noise by the *standard deviation* $\sqrt{\beta_t}$, the
# root of the variance. The library calls this `dc.gaussian.forward_step`. The schedule
# $\beta_1, \dots, \beta_T$ is a choice; until {{section What a schedule must do}} take the one of Ho et al. 2020 (section 4):
# $T = 1000$ values, evenly spaced from $10^{-4}$ to $0.02$.
#
# All randomness of the course comes from `dc.Noise(seed)`. `dc.Noise(0).like(x)` is standard normal noise of
# $x$'s shape, the same on every machine.

# %%
T = 1000
betas = dc.schedules.linear(T)  # beta_1 .. beta_T, float64
schedule = dc.NoiseSchedule.from_betas(betas)

digits = data.load("mnist-5k", limit=4000)  # real digits, in random order
few = torch.stack([digits.images[digits.labels == k][0] for k in (0, 3, 4, 7)]).double()
z = dc.Noise(0).like(few)

t = 500
by_hand = (1 - betas[t - 1]).sqrt() * few + betas[t - 1].sqrt() * z
agree("one step, by hand and by the library", by_hand, dc.gaussian.forward_step(few, t, z, schedule))

# %% [markdown]
# ## 3. Why the factor $\sqrt{1-\beta_t}$?
#
# Why not simply add noise? Try any factor $a$: $\;x_t = a\, x_{t-1} + \sqrt{\beta}\, z$, and follow the
# variance of a pixel, taken at random from all pixels of all images.
#
# $$
# \begin{aligned}
# \operatorname{Var}[x_t] &= \operatorname{Var}[a\, x_{t-1}] + \operatorname{Var}[\sqrt\beta\, z] & & \text{the noise is independent of } x_{t-1} \\
# &= a^2 \operatorname{Var}[x_{t-1}] + \beta & & \operatorname{Var}[cX] = c^2 \operatorname{Var}[X],\ \operatorname{Var}[z] = 1
# \end{aligned}
# $$
#
# Data of variance 1 keep variance 1 exactly when $1 = a^2 + \beta$, that is when $a = \sqrt{1-\beta}$. The
# process *preserves the variance*. With this factor, subtract 1 from both sides to see what happens to data
# of another variance:
#
# $$ \operatorname{Var}[x_t] - 1 = (1-\beta)\,\big(\operatorname{Var}[x_{t-1}] - 1\big). $$
#
# Each step removes the fraction $\beta$ of the distance to 1. Whatever the data, the variance is drawn to 1,
# and never leaves the range between its first value and 1. If the first is not far from 1, a network that must
# read $x_t$ sees inputs of about the same size at every $t$.
#
# **Predict, then run.** Three factors, $\beta = 0.02$, 400 steps, data of variance $0.38$ (that of MNIST
# pixels): $a = 1$, $a = 1-\beta$ and $a = \sqrt{1-\beta}$. Where does the variance of each end?

# %%
beta, steps = 0.02, 400
factors = {"a = 1": 1.0, "a = 1 - β": 1 - beta, "a = √(1 - β)": (1 - beta) ** 0.5}
curves = {}
for label, a in factors.items():
    variance = [0.38]
    for _ in range(steps):
        variance.append(a**2 * variance[-1] + beta)
    curves[label] = variance
print({label: round(curve[-1], 3) for label, curve in curves.items()})
plots.curves(
    range(steps + 1),
    curves,
    title="Variance of a pixel under three factors, β = 0.02",
    xlabel="step t",
    ylabel="variance",
    ylim=(0, 3),
)

# %% [markdown]
# **What to see.** Without a factor the variance grows without end, by $\beta$ in every step. With
# $a = 1-\beta$ it settles at $1/(2-\beta) \approx \frac12$. Only $\sqrt{1-\beta}$ leads to 1. The next cell
# checks the recursion on real pixels, those of 4,000 digits together: one large step of noise.

# %%
beta = 0.3
pixels = digits.images.double().flatten()  # 4,000 x 784 pixel values
noise = dc.Noise(1, per_sample=False).like(pixels)
after = (1 - beta) ** 0.5 * pixels + beta**0.5 * noise
print(f"variance before: {pixels.var():.3f}; after one step: {after.var():.3f}")
print(f"1 - (1 - beta)(1 - variance before): {1 - (1 - beta) * (1 - pixels.var()):.3f}")

# %%
quiz.ask("01-q4")

# %% [markdown]
# ## 4. The chain
#
# Each step looks at the state before it and at nothing else. Such a process is a **Markov chain**. The joint
# density of the whole path is therefore a product (Ho et al. 2020, eq. 2):
#
# $$ q(x_1, \dots, x_T \mid x_0) = \prod_{t=1}^{T} q(x_t \mid x_{t-1}). $$
#
# Check it on one pixel and two large steps, $\beta_1 = 0.1$ and $\beta_2 = 0.2$. The right side is a product of
# two normal densities. The left side is the density of a Gaussian in the plane of $(x_1, x_2)$. Its mean and
# covariance matrix follow from $x_1 = \sqrt{0.9}\,x_0 + \sqrt{0.1}\,z_1$ and
# $x_2 = \sqrt{0.8}\,x_1 + \sqrt{0.2}\,z_2$.

# %%
x0, mean1, mean2 = 0.7, math.sqrt(0.9) * 0.7, math.sqrt(0.8 * 0.9) * 0.7
covariance = [[0.1, math.sqrt(0.8) * 0.1], [math.sqrt(0.8) * 0.1, 0.8 * 0.1 + 0.2]]
joint = torch.distributions.MultivariateNormal(
    torch.tensor([mean1, mean2], dtype=torch.float64), torch.tensor(covariance, dtype=torch.float64)
)
x1, x2 = dc.Noise(3).randn(5, 2, dtype=torch.float64).T
product = normal(x1, math.sqrt(0.9) * x0, 0.1) * normal(x2, math.sqrt(0.8) * x1, 0.2)
agree("joint density and product of steps", joint.log_prob(torch.stack([x1, x2], 1)).exp(), product)

# %% [markdown]
# To simulate a whole path, draw $z_1, \dots, z_T$ and take the steps one after another.
#
# ### Exercise {{01-forward_chain}}
#
# Write that loop, for a whole batch and for draws that are given. Return **all** states, $x_0$ to $x_T$, stacked
# along a new first axis: entry $t$ of the result is $x_t$. From here on the chapter walks and plots *your* paths.
#
# *Hint.* Collect the states in a list that begins with $x_0$; `torch.stack` makes one tensor of it. Where do `betas`
# and `noise` keep what step $t$ needs? For $x_0 = 1$, $\beta = (0.36,\ 0.36)$ and $z = (0,\ 1)$ the states are
# $(1,\ 0.8,\ 1.24)$.


# %%
# EXERCISE 01-forward_chain (keep this line)
def forward_chain(x0, betas, noise):
    """Return the states x_0 .. x_T of the forward chain.

    x0: (B, *S), clean data.
    betas: (T,), beta_1 .. beta_T.
    noise: (T, B, *S), the draws z_1 .. z_T; noise[0] is z_1.
    Returns (T + 1, B, *S).
    """
    ### BEGIN SOLUTION
    states = [x0]
    for t in range(1, len(betas) + 1):
        beta_t = betas[t - 1]
        states.append((1 - beta_t).sqrt() * states[-1] + beta_t.sqrt() * noise[t - 1])
    return torch.stack(states)
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("01-forward_chain", forward_chain)

# %% [markdown]
# Your chain, on four digits. The cell keeps every $z_t$; {{section Chain and jump}} needs them.

# %%
source = dc.Noise(2)
z = torch.stack([source.like(few) for _ in range(T)])  # z[t - 1] is z_t: (T, 4, 1, 28, 28)
chain = forward_chain(few, betas, z)  # chain[t] is x_t
print(f"chain: {tuple(chain.shape)}")

# %%
shown = [0, 1, 20, 50, 100, 200, 300, 500, 1000]
plots.filmstrip(
    chain[shown],
    [f"t = {t}" for t in shown],
    title="Four real digits on the Markov chain, linear schedule, T = 1000",
)

# %% [markdown]
# **What to see.** At $t = 1$ nothing has changed to the eye. At $t = 300$ you can still guess, at $t = 500$
# no more. The second half of the film is noise that becomes other noise. (Values outside $[-1, 1]$ are shown
# as black or white.)
#
# *Markov* means: once $x_{t-1}$ is known, $x_{t-2}$ says nothing more about $x_t$. It does **not** mean that
# $x_{t-2}$ and $x_t$ are unrelated. The cell measures both on 100,000 short chains of one pixel. What is left
# of $x_t$ after the mean $\sqrt{1-\beta}\,x_{t-1}$ is subtracted has no correlation with $x_{t-2}$; $x_t$
# itself has a strong one. (The average of a product of variables with mean 0 is their covariance; here all
# three have variance 1, so it is their correlation.)

# %%
b = 0.3  # a large step, so that the effect is easy to measure
source = dc.Noise(3, per_sample=False)
x_a = source.randn(100_000, dtype=torch.float64)
x_b = (1 - b) ** 0.5 * x_a + b**0.5 * source.like(x_a)
x_c = (1 - b) ** 0.5 * x_b + b**0.5 * source.like(x_a)
near("correlation of x_t and x_{t-2}            ", x_c * x_a, 1 - b)
near("the same, with x_{t-1} already subtracted ", (x_c - (1 - b) ** 0.5 * x_b) * x_a, 0.0)

# %% [markdown]
# ## 5. The closed form
#
# To train a network we shall need $x_t$ for a random $t$, millions of times. Must we walk through $t$ steps
# each time? No. Write
#
# $$ \alpha_t = 1 - \beta_t, \qquad \bar\alpha_t = \prod_{s=1}^{t} \alpha_s. $$
#
# **Theorem** (Ho et al. 2020, eq. 4). For every $t$,
#
# $$ q(x_t \mid x_0) = \mathcal N\big(x_t;\ \sqrt{\bar\alpha_t}\; x_0,\ (1-\bar\alpha_t) I\big),
# \qquad\text{or}\qquad x_t = \sqrt{\bar\alpha_t}\; x_0 + \sqrt{1-\bar\alpha_t}\; \varepsilon, \quad \varepsilon \sim \mathcal N(0, I). $$
#
# One jump replaces $t$ steps. Before the proof, build its main ingredient yourself.
#
# ### Exercise {{01-alpha_bar_from_betas}}
#
# Write the function that turns $\beta_1, \dots, \beta_T$ into $\bar\alpha_1, \dots, \bar\alpha_T$. For
# $\beta = (0.1,\ 0.2)$ it must give $(0.9,\ 0.72)$.
#
# *Hint.* PyTorch has functions that return all partial results of an operation along an axis: `torch.cumsum`
# returns the partial sums, for example. Find the one for products.


# %%
# EXERCISE 01-alpha_bar_from_betas (keep this line)
def alpha_bar_from_betas(betas):
    """Return alpha_bar_1 .. alpha_bar_T.

    betas: (T,), beta_1 .. beta_T, each in (0, 1). Returns (T,), of the same dtype.
    """
    ### BEGIN SOLUTION
    return torch.cumprod(1 - betas, dim=0)
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("01-alpha_bar_from_betas", alpha_bar_from_betas)

# %% [markdown]
# From here on the chapter runs on your function.

# %%
alphas = 1 - betas
alpha_bar = alpha_bar_from_betas(betas)
agree("your alpha_bar and the library's", alpha_bar, schedule.alpha_bar)
for t in (1, 10, 100, 500, 1000):
    print(f"t = {t:4}: beta_t = {betas[t - 1]:.5f}, alpha_bar_t = {alpha_bar[t - 1]:.5f}")

# %% [markdown]
# ### The proof, two steps first
#
# Take step $t$ and replace $x_{t-1}$ by step $t-1$.
#
# $$
# \begin{aligned}
# x_t &= \sqrt{\alpha_t}\, x_{t-1} + \sqrt{1-\alpha_t}\, z_t & & \text{(1) step } t \text{, with } \beta_t = 1-\alpha_t \\
# &= \sqrt{\alpha_t}\,\big(\sqrt{\alpha_{t-1}}\, x_{t-2} + \sqrt{1-\alpha_{t-1}}\, z_{t-1}\big) + \sqrt{1-\alpha_t}\, z_t & & \text{(2) step } t-1 \\
# &= \sqrt{\alpha_t\alpha_{t-1}}\, x_{t-2} + \Big[\sqrt{\alpha_t(1-\alpha_{t-1})}\, z_{t-1} + \sqrt{1-\alpha_t}\, z_t\Big] & & \text{(3) multiply out}
# \end{aligned}
# $$
#
# The bracket is a sum of two independent Gaussians. By fact 2 it is Gaussian, and its variance is the sum of
# theirs:
#
# $$
# \begin{aligned}
# \alpha_t(1-\alpha_{t-1}) + (1-\alpha_t) &= \alpha_t - \alpha_t\alpha_{t-1} + 1 - \alpha_t & & \text{(4) multiply out} \\
# &= 1 - \alpha_t\alpha_{t-1} & & \text{(5) } \alpha_t \text{ cancels}
# \end{aligned}
# $$
#
# So with *one* new standard normal variable $\bar z$, which stands for the bracket divided by its standard
# deviation,
#
# $$ x_t = \sqrt{\alpha_t\alpha_{t-1}}\; x_{t-2} + \sqrt{1-\alpha_t\alpha_{t-1}}\; \bar z. \qquad \text{(6) fact 1} $$
#
# Two steps look like one step with $\alpha_t\alpha_{t-1}$ in place of $\alpha_t$. The cell executes each line
# on the chain of the four digits.

# %%
t = 300
a, a_prev = alphas[t - 1], alphas[t - 2]
line1 = a.sqrt() * chain[t - 1] + (1 - a).sqrt() * z[t - 1]
line2 = a.sqrt() * (a_prev.sqrt() * chain[t - 2] + (1 - a_prev).sqrt() * z[t - 2]) + (1 - a).sqrt() * z[t - 1]
bracket = (a * (1 - a_prev)).sqrt() * z[t - 2] + (1 - a).sqrt() * z[t - 1]
line3 = (a * a_prev).sqrt() * chain[t - 2] + bracket
variance = a * (1 - a_prev) + (1 - a)
z_bar = bracket / variance.sqrt()
line6 = (a * a_prev).sqrt() * chain[t - 2] + (1 - a * a_prev).sqrt() * z_bar
agree("x_t = line 1", chain[t], line1)
agree("line 1 = line 2", line1, line2)
agree("line 2 = line 3", line2, line3)
agree("variance, lines 4 and 5", variance, 1 - a * a_prev)
agree("line 3 = line 6", line3, line6)
near("mean square of z_bar", z_bar.flatten() ** 2, 1.0)

# %% [markdown]
# ### The proof, all steps: induction
#
# **Start.** For $t = 1$ the theorem is the first step itself, since $\bar\alpha_1 = \alpha_1$.
#
# **From $t-1$ to $t$.** Suppose
# $x_{t-1} = \sqrt{\bar\alpha_{t-1}}\, x_0 + \sqrt{1-\bar\alpha_{t-1}}\; \varepsilon_{t-1}$, where
# $\varepsilon_{t-1} \sim \mathcal N(0, I)$ is made of $z_1, \dots, z_{t-1}$ only. Then $\varepsilon_{t-1}$ is
# independent of $z_t$, and
#
# $$
# \begin{aligned}
# x_t &= \sqrt{\alpha_t}\, x_{t-1} + \sqrt{1-\alpha_t}\, z_t & & \text{step } t \\
# &= \sqrt{\alpha_t\bar\alpha_{t-1}}\; x_0 + \Big[\sqrt{\alpha_t(1-\bar\alpha_{t-1})}\; \varepsilon_{t-1} + \sqrt{1-\alpha_t}\; z_t\Big] & & \text{insert the assumption} \\
# &= \sqrt{\bar\alpha_t}\; x_0 + \sqrt{1-\bar\alpha_t}\; \varepsilon_t & & \alpha_t\bar\alpha_{t-1} = \bar\alpha_t \text{, lines (4) to (6)}
# \end{aligned}
# $$
#
# and $\varepsilon_t$, the bracket divided by $\sqrt{1-\bar\alpha_t}$, is standard normal and made of
# $z_1, \dots, z_t$ only. $\blacksquare$
#
# The proof is a program. Walk through the steps with two numbers, the factor $m_t$ in front of $x_0$ and the
# variance $v_t$ of the noise:
#
# $$ m_t = \sqrt{\alpha_t}\; m_{t-1}, \qquad v_t = \alpha_t\, v_{t-1} + \beta_t, \qquad m_0 = 1,\ v_0 = 0. $$
#
# The recursion and the product must agree at all $1000$ steps.

# %%
m, v = torch.tensor(1.0, dtype=torch.float64), torch.tensor(0.0, dtype=torch.float64)
factor, variance = [], []
for alpha_t, beta_t in zip(alphas, betas, strict=True):
    m, v = alpha_t.sqrt() * m, alpha_t * v + beta_t
    factor.append(m)
    variance.append(v)
agree("factor of x_0: recursion and sqrt(alpha_bar)", torch.stack(factor), alpha_bar.sqrt())
agree("variance: recursion and 1 - alpha_bar       ", torch.stack(variance), 1 - alpha_bar)

# %%
quiz.ask("01-q1")

# %% [markdown]
# ### Exercise {{01-diffuse}}
#
# Write the jump $x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1-\bar\alpha_t}\, \varepsilon$ for a whole batch,
# where **each sample has its own $t$**. Training in chapter 3 will call it in every step.
#
# *Hint on indices.* A tensor of integers picks entries: `w[torch.tensor([0, 0, 2])]` is `w[0], w[0], w[2]`.
# Look at the notation table once more: where does `alpha_bar` keep $\bar\alpha_1$?
#
# *Hint on shapes.* A batch of images has shape `(B, 1, 28, 28)`, a batch of points in the plane `(B, 2)`. To
# multiply sample $i$ by the number $w_i$, the tensor `w` of shape `(B,)` needs the shape `(B, 1, 1, 1)` or
# `(B, 1)`: as many axes as `x0`, all but the first of size 1. The next cell shows both on three small
# "images".

# %%
x = torch.ones(3, 1, 2, 2)
w = torch.tensor([1.0, 10.0, 100.0])[torch.tensor([0, 0, 2])]
weighted = w.reshape(3, 1, 1, 1) * x
print("shape", tuple(weighted.shape), "- first pixel of each image:", weighted[:, 0, 0, 0].tolist())


# %%
# EXERCISE 01-diffuse (keep this line)
def diffuse(x0, t, eps, alpha_bar):
    """Return x_t, made from x_0 in one jump.

    x0: (B, *S), clean data; *S is any number of axes, for example (1, 28, 28), (2,) or none.
    t: (B,), integers in 1..T, one time for each sample.
    eps: (B, *S), standard normal noise.
    alpha_bar: (T,), alpha_bar_1 .. alpha_bar_T.
    Returns (B, *S).
    """
    ### BEGIN SOLUTION
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    return a.sqrt() * x0 + (1 - a).sqrt() * eps
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("01-diffuse", diffuse)

# %% [markdown]
# Your function at work: for one pixel with $x_0 = 1$ (full ink), the mean $\sqrt{\bar\alpha_t}$ and the band
# of two standard deviations $\sqrt{1-\bar\alpha_t}$ around it are what `diffuse` returns for
# $\varepsilon = 0$ and $\varepsilon = \pm 2$. Two paths of the *chain* are drawn with them.

# %%
times = torch.arange(1, T + 1)
ink = torch.ones(T, 1, dtype=torch.float64)
lines = {}
far = {}  # how far each chain is from its mean, in standard deviations
for seed in (0, 1):
    noise = dc.Noise(seed, per_sample=False).randn(T, dtype=torch.float64)
    path = forward_chain(ink[:1, 0], betas, noise[:, None])[1:, 0]  # x_1 .. x_T
    lines[f"chain {seed + 1}"] = path
    far[seed + 1] = ((path - alpha_bar.sqrt()) / (1 - alpha_bar).sqrt()).abs()
for label, eps in {"jump, ε = 2": 2.0, "jump, ε = 0": 0.0, "jump, ε = -2": -2.0}.items():
    lines[label] = diffuse(ink, times, eps * ink, alpha_bar)[:, 0]
thin = {label: y[::4] for label, y in lines.items()}
for number, sizes in far.items():
    t = int(sizes.argmax()) + 1
    print(
        f"chain {number}: outside the band at {(sizes > 2).double().mean():.1%} of the steps, farthest at t = {t}: {sizes.max():.1f} σ"
    )
print(f"expected at any one step: {2 * torch.special.ndtr(torch.tensor(-2.0)):.1%}")
plots.curves(
    times[::4],
    thin,
    title="One pixel: two chains, and the closed form",
    xlabel="t",
    ylabel="$x_t$",
    ylim=(-6.5, 4),
)

# %% [markdown]
# **What to see.** At any one $t$ about one path in twenty is outside the band. A single path wanders: it is
# outside for a while, as the printed shares tell, or hardly at all, since a chain forgets slowly. The
# band starts as a point, at $x_0 = 1$, and ends as the band of a standard normal variable, from $-2$ to $2$:
# the pixel has forgotten where it began.
#
# ## 6. Chain and jump: equal in which sense?
#
# There are two senses, and they are often mixed up.
#
# **Equal exactly**, when the *same* noises are used. Unroll the chain down to $x_0$. The noise $z_s$ enters
# with weight $\sqrt{\beta_s}$ and is shrunk by all later steps,
# $\sqrt{\alpha_{s+1}\cdots\alpha_t} = \sqrt{\bar\alpha_t/\bar\alpha_s}$. So
#
# $$ x_t = \sqrt{\bar\alpha_t}\, x_0 + \sum_{s=1}^{t} w_s z_s, \qquad w_s = \sqrt{\beta_s\, \bar\alpha_t/\bar\alpha_s}, \qquad
# \varepsilon_t = \frac{1}{\sqrt{1-\bar\alpha_t}} \sum_{s=1}^{t} w_s z_s. $$
#
# This $\varepsilon_t$ has variance 1, because the squared weights telescope. With $\bar\alpha_0 = 1$:
#
# $$ \sum_{s=1}^t w_s^2 = \sum_{s=1}^{t} \bar\alpha_t\, \frac{1-\alpha_s}{\bar\alpha_s} = \bar\alpha_t \sum_{s=1}^{t} \Big(\frac{1}{\bar\alpha_s} - \frac{1}{\bar\alpha_{s-1}}\Big)
# = \bar\alpha_t\Big(\frac{1}{\bar\alpha_t} - 1\Big) = 1 - \bar\alpha_t. $$
#
# The cell builds $\varepsilon_t$ from the recorded noises of the chain and puts it into your `diffuse`.


# %%
def merged_noise(z, t):
    """The eps_t that the chain's own noises z_1 .. z_t add up to."""
    w = (betas[:t] * alpha_bar[t - 1] / alpha_bar[:t]).sqrt()
    return torch.tensordot(w, z[:t], dims=1) / (1 - alpha_bar[t - 1]).sqrt()


for t in (1, 2, 100, 500, 1000):
    w = (betas[:t] * alpha_bar[t - 1] / alpha_bar[:t]).sqrt()
    agree(f"t = {t:4}, sum of squared weights and 1 - alpha_bar", (w**2).sum(), 1 - alpha_bar[t - 1])
    jump = diffuse(few, torch.full((4,), t), merged_noise(z, t), alpha_bar)
    agree(f"t = {t:4}, chain and jump, same noises             ", chain[t], jump)

# %% [markdown]
# **Equal in law**, when each draws its *own* noise. Then the pictures differ, but no statistics can tell the
# two apart. First the moments of a pixel with $x_0 = 0.8$, over 5,000 of your chains.

# %%
n, x0 = 5_000, 0.8
start = torch.full((n,), x0, dtype=torch.float64)
draws = dc.Noise(5, per_sample=False).randn(T, n, dtype=torch.float64)
for t, x in enumerate(forward_chain(start, betas, draws)):
    if t in (10, 100, 300, 1000):
        mean = alpha_bar[t - 1].sqrt().item() * x0
        near(f"t = {t:4}, mean    ", x, mean)
        near(f"t = {t:4}, variance", (x - mean) ** 2, 1 - alpha_bar[t - 1].item())

# %% [markdown]
# Equal moments are not yet equal distributions. The **two-sample test of Kolmogorov and Smirnov** compares
# two samples of $n$ numbers by their empirical distribution functions $F$ and $G$ (the share of the sample
# below $x$): $K = \max_x |F(x) - G(x)|$. If both samples come from one distribution, then for large $n$
#
# $$ P\big(K > c\sqrt{2/n}\big) \approx 2 e^{-2c^2}. $$
#
# We take 1,500 real digits through 150 steps of the chain, and 1,500 *other* digits by one jump to $t = 150$.
# We compare them pixel by pixel (784 tests) and, to see more than single pixels, along 784 random directions
# in pixel space. With 1,568 tests, $c$ is chosen so that even one false alarm among them all has a
# probability of at most 1 %: $1568 \cdot 2e^{-2c^2} = 0.01$.
#
# A test that never fails proves nothing. So we add a jump with a classic bug: $1-\bar\alpha_t$, a variance,
# where its root belongs.
#
# **Predict, then run.** Will the test find the bug at $t = 150$, where $1-\bar\alpha_t = 0.21$ and its root
# is $0.46$? Will it tell the correct jump from the chain?


# %%
def ks(one, other):
    """Kolmogorov-Smirnov distance of two samples (n, P), column by column: (P,)."""
    n = len(one)
    order = torch.cat([one, other]).argsort(0)
    return torch.where(order < n, 1.0 / n, -1.0 / n).cumsum(0).abs().max(0).values


n, t = 1500, 150
source = dc.Noise(6, per_sample=False)
walked = digits.images[:n].flatten(1)
for alpha_t, beta_t in zip(alphas[:t].tolist(), betas[:t].tolist(), strict=True):
    walked = alpha_t**0.5 * walked + beta_t**0.5 * source.like(walked)
others, eps = digits.images[n : 2 * n].flatten(1), source.like(walked)
jumped = diffuse(others, torch.full((n,), t), eps, alpha_bar.float())
buggy = alpha_bar[t - 1].sqrt().item() * others + (1 - alpha_bar[t - 1].item()) * eps

# %%
directions = source.randn(784, 784) / 28
limit = (math.log(2 * 1568 / 0.01) / 2) ** 0.5 * (2 / n) ** 0.5
for label, sample in {"correct jump": jumped, "jump with the bug": buggy}.items():
    distance = torch.cat([ks(walked, sample), ks(walked @ directions, sample @ directions)])
    alarms = (distance > limit).sum().item()
    print(f"{label:17}: largest distance {distance.max():.3f}, limit {limit:.3f}, alarms {alarms} of 1568")
    if sample is jumped:
        claim("chain and correct jump pass every test", alarms == 0)
    else:
        claim("more than half of the tests find the bug", alarms > 784)

# %% [markdown]
# One of the pixels, drawn:

# %%
pixel = 14 * 28 + 14  # a pixel in the middle: ink in some digits, paper in others
centres = alpha_bar[t - 1].sqrt() * digits.images.flatten(1)[:, pixel]
figure = plots.histogram(
    {"150 steps of the chain": walked[:, pixel], "one jump": jumped[:, pixel]},
    densities={
        "average of 4,000 Gaussians": lambda x: normal(x[:, None], centres, 1 - alpha_bar[t - 1]).mean(1)
    },
    title="The middle pixel of 1,500 digits at t = 150",
    xlabel="$x_t$ at the middle pixel",
    bins=30,
)
figure.axes[0].set_ylim(0, 0.75)
figure

# %% [markdown]
# **What to see.** The two histograms cover each other up to the noise of counting. The pixel's distribution
# is *not* Gaussian: paper ($-1$) and ink ($+1$) have become two hills. *Given* $x_0$, $x_t$ is Gaussian; over
# all digits it is a mixture of Gaussians, one for each $x_0$. The line is that mixture, by the closed form:
# the average of $\mathcal N(\sqrt{\bar\alpha_t}\,x_0,\ 1-\bar\alpha_t)$ over the digits.
#
# One more trap. The theorem is about one $t$ at a time. Jumps to several $t$ with *one* $\varepsilon$ give
# the right distribution for each picture, but they are not a path of the chain: a chain adds new noise in
# every step, so its noise pattern changes.

# %%
shown = [1, 50, 100, 150, 200, 250, 300, 400]
jumps = torch.stack(
    [diffuse(few[1:2], torch.tensor([t]), merged_noise(z, 400)[1:2], alpha_bar) for t in shown]
)
both = torch.cat([chain[shown][:, 1:2], jumps], dim=1)
plots.filmstrip(
    both,
    [f"t = {t}" for t in shown],
    rows=["chain", "one ε"],
    title="A path of the chain, and jumps that share one ε",
)

# %% [markdown]
# **What to see.** Both rows end in the same picture, because the second row uses the $\varepsilon_{400}$ of
# the chain. In the second row the grain of the noise stays in place and only grows stronger. In the first row
# it changes from column to column.

# %% [markdown]
# ### Exercise {{01-snapshots}}
#
# The next function walks a chain too, and keeps only the states that are asked for. It runs, its first pictures look
# like noisy digits, and it is **wrong**: one slip is planted in its code. Find it and mend it; the
# rest of the code may stay as it is.
#
# *Hint.* Do not only read: measure. What must a chain do to data of variance 1 ({{section Why the factor}})? Is $x_1$ right, is $x_2$? Compare
# with your `forward_chain`, from the same draws. The check says what it sees, and leaves it to you to find the line.


# %%
# EXERCISE 01-snapshots (keep this line)
def snapshots(x0, betas, noise, times):
    """Return the states of the forward chain at some times.

    x0: (B, *S), clean data.
    betas: (T,), beta_1 .. beta_T.
    noise: (T, B, *S), the draws z_1 .. z_T.
    times: n integers in 1..T, increasing.
    Returns (n, B, *S).
    """
    ### BEGIN SOLUTION
    # Mended: one step keeps sqrt(1 - beta_t) of the state. The slip was a running product, the factor of a jump from x_0: it is
    # right at t = 1 alone, and from t = 2 on data of variance 1 lost variance.
    ### END SOLUTION
    signal = (1 - betas).sqrt()  # what each step keeps of the state
    spread = betas.sqrt()  # and how much noise it adds
    kept, x = [], x0
    for t, z in enumerate(noise, start=1):
        x = signal[t - 1] * x + spread[t - 1] * z
        if t in times:
            kept.append(x)
    return torch.stack(kept)


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("01-snapshots", snapshots)

# %% [markdown]
# Mended, it agrees with your chain, and data of variance 1 keep their variance.

# %%
agree("snapshots and chain, same draws", snapshots(few, betas, z, shown), chain[shown])
unit = dc.Noise(8, per_sample=False).randn(5_000, dtype=torch.float64)
draws = dc.Noise(9, per_sample=False).randn(T, 5_000, dtype=torch.float64)
for t, x in zip((1, 100, 1000), snapshots(unit, betas, draws, [1, 100, 1000]), strict=True):
    near(f"t = {t:4}, mean square", x**2, 1.0)

# %%
quiz.ask("01-q2")

# %% [markdown]
# ## 7. How much is left: the signal-to-noise ratio
#
# In $x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1-\bar\alpha_t}\, \varepsilon$ the signal has power (squared
# factor) $\bar\alpha_t$ and the noise $1-\bar\alpha_t$. Their ratio is the **signal-to-noise ratio** (Kingma
# et al. 2021, eq. 2, written there with $\alpha_t^2$ for our $\bar\alpha_t$ and $\sigma_t^2$ for our
# $1-\bar\alpha_t$):
#
# $$ \operatorname{SNR}(t) = \frac{\bar\alpha_t}{1-\bar\alpha_t}. $$
#
# It falls from step to step. Indeed $\bar\alpha_t = \alpha_t\bar\alpha_{t-1} < \bar\alpha_{t-1}$ since
# $\alpha_t < 1$, and $a \mapsto a/(1-a)$ increases with $a$. Because it runs through many powers of ten, one
# plots its logarithm, the **log-SNR**. The two carry the same information as $\bar\alpha_t$: solve the
# definition for $\bar\alpha_t$ to find the logistic function,
#
# $$ \bar\alpha_t = \frac{\operatorname{SNR}(t)}{1 + \operatorname{SNR}(t)} = \frac{1}{1 + e^{-\log \operatorname{SNR}(t)}} = \operatorname{sigmoid}\big(\log\operatorname{SNR}(t)\big). $$
#
# ### Exercise {{01-snr}}
#
# *Hint.* $\bar\alpha_t$ and $1-\bar\alpha_t$ are already powers, that is variances. For $\bar\alpha_t = 0.8$
# the result is $4$.


# %%
# EXERCISE 01-snr (keep this line)
def snr(alpha_bar):
    """Return the signal-to-noise ratio at every step.

    alpha_bar: (T,), alpha_bar_1 .. alpha_bar_T, each in (0, 1). Returns (T,).
    """
    ### BEGIN SOLUTION
    return alpha_bar / (1 - alpha_bar)
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("01-snr", snr)

# %% [markdown]
# **Predict, then run.** The linear schedule has $T = 1000$ steps. At which step are signal and noise equally
# strong, $\operatorname{SNR} = 1$?

# %%
log_snr = snr(alpha_bar).log()
agree("alpha_bar = sigmoid(log SNR)", alpha_bar, log_snr.sigmoid())
print("the SNR falls in every step:", bool((log_snr.diff() < 0).all()))
half = int((log_snr > 0).sum())
print(f"the last step with SNR > 1 is t = {half}")
plots.curves(
    times,
    {"log SNR": log_snr},
    title="Log-SNR of the linear schedule, T = 1000",
    xlabel="t",
    ylabel="log SNR(t)",
    marks={f"SNR = 1 at t = {half}": half},
)

# %% [markdown]
# **What to see.** The signal loses its lead after a quarter of the steps, and at the end the noise is
# stronger by a factor of $e^{10}$. This matches the film strip above, where the second half showed nothing
# but noise. Chapter 4 asks whether steps are well spent there.
#
# What does an SNR mean? Guess one pixel $x_0$ from $x_t$ by the best multiple of $x_t$. For data of mean 0
# and variance 1, the mean square error $\mathbb E[(x_0 - c\,x_t)^2] = 1 - 2c\sqrt{\bar\alpha_t} + c^2$ is
# smallest at $c = \sqrt{\bar\alpha_t}$, and there it is
#
# $$ 1 - \bar\alpha_t = \frac{1}{1 + \operatorname{SNR}(t)}. $$
#
# At $\operatorname{SNR} = 1$ half of the variance of $x_0$ remains unknown.

# %%
x0 = dc.Noise(4, per_sample=False).randn(100_000, dtype=torch.float64)
for t in (100, half, 500):
    a, eps = alpha_bar[t - 1], dc.Noise(t, per_sample=False).like(x0)
    x_t = diffuse(x0, torch.full((100_000,), t), eps, alpha_bar)
    near(f"t = {t}: error of the guess", (x0 - a.sqrt() * x_t) ** 2, 1 / (1 + snr(alpha_bar)[t - 1].item()))

# %% [markdown]
# That was one pixel alone. In a digit, 784 pixels help each other. So the eye recognises a digit at an SNR
# where a single pixel is hopeless. Try it.
#
# **Slider.** Choose $t$ and $T$. The $\beta_t$ always run from $10^{-4}$ to $0.02$; a chain of $T$ steps ends
# at $t = T$. Where do you lose the digits? And what is $x_T$ for $T = 100$?

# %%
gallery = digits.images[:8].double()
gallery_eps = dc.Noise(7).like(gallery)


def noised(t=250, T=1000):
    table = alpha_bar_from_betas(dc.schedules.linear(T))
    t = min(t, T)  # a chain of T steps ends at T
    x_t = diffuse(gallery, torch.full((8,), t), gallery_eps, table)
    end = ", the end" if t == T else ""
    return plots.images(x_t, title=f"t = {t} of {T}{end}: SNR = {snr(table)[t - 1]:.3g}", columns=4)


settings = [{"t": 100, "T": 1000}, {"t": 1000, "T": 1000}, {"t": 1000, "T": 100}]
widgets.slide(
    noised,
    description="eight digits after t of T steps",
    static=settings,
    t=(1, 1000),
    T=[50, 100, 200, 500, 1000],
)

# %% [markdown]
# **What to see.** With $T = 1000$ the last picture is pure noise. With $T = 100$ and the same range of
# $\beta_t$ the chain ends with the digits still visible. The next section turns "still visible" into a
# number.
#
# ## 8. The end of the chain: convergence to $\mathcal N(0, I)$
#
# To generate, we shall start the film at its end and play it backwards. We can only do so if we can draw
# $x_T$ *without* knowing any $x_0$. By the closed form the mean of $x_T$ is $\sqrt{\bar\alpha_T}\, x_0$ and
# the variance $1-\bar\alpha_T$. If $\bar\alpha_T \to 0$, then the mean goes to 0 and the variance to 1: every
# $x_0$ ends at the same $\mathcal N(0, I)$.
#
# How far from it are we at a finite $T$? The usual measure is the Kullback-Leibler divergence, the mean of
# $\ln q - \ln p$ under $q$. It is 0 only for equal distributions. With the natural logarithm its unit is the
# *nat*; with $\log_2$ it would be the bit, and 1 bit is $\ln 2 = 0.693$ nats. For one coordinate, with $m$ and
# $v$ the mean and the variance of $q$:
#
# $$
# \begin{aligned}
# \mathrm{KL}\big(\mathcal N(m, v)\,\|\,\mathcal N(0,1)\big) &= \mathbb E_q\Big[-\tfrac12\ln(2\pi v) - \frac{(x-m)^2}{2v} + \tfrac12\ln(2\pi) + \frac{x^2}{2}\Big] & & \text{insert both log-densities} \\
# &= -\tfrac12 \ln v - \frac{\mathbb E_q[(x-m)^2]}{2v} + \frac{\mathbb E_q[x^2]}{2} & & \ln 2\pi \text{ cancels} \\
# &= -\tfrac12 \ln v - \tfrac12 + \tfrac12\,(m^2 + v) & & \mathbb E_q[(x-m)^2] = v,\ \mathbb E_q[x^2] = m^2 + v \\
# &= \tfrac12\,\big(m^2 + v - 1 - \ln v\big)
# \end{aligned}
# $$
#
# Independent coordinates add. Insert $m = \sqrt{\bar\alpha_t}\,x_0$ and $v = 1-\bar\alpha_t$, with $d$
# coordinates:
#
# $$ \mathrm{KL}\big(q(x_t \mid x_0)\,\|\,\mathcal N(0, I)\big) = \tfrac12\Big(\bar\alpha_t \|x_0\|^2 - d\,\bar\alpha_t - d \ln(1-\bar\alpha_t)\Big) \approx \tfrac12\,\bar\alpha_t \|x_0\|^2 \quad\text{for small } \bar\alpha_t. $$
#
# The approximation uses $-\ln(1-a) = a + a^2/2 + \cdots$: the two terms with $d$ cancel to first order. At
# $t = T$ this is the term $L_T$ of chapter 2.


# %%
def kl_to_noise(x0, t, alpha_bar):
    """KL(q(x_t | x_0) || N(0, I)) in nats, (B,). x0: (B, *S)."""
    a, flat = alpha_bar[t - 1], x0.flatten(1)
    return 0.5 * (a * flat.square().sum(1) - flat.shape[1] * (a + torch.log1p(-a)))


m, v = 0.6, 0.5
q = normal(fine, m, v)  # on the grid of section 1
integral = (q * (q.log() - normal(fine, 0, 1).log())).sum() * dx
agree("KL in one dimension, integral and formula", integral, 0.5 * (m**2 + v - 1 - math.log(v)))
library = dc.elbo.prior_kl(few, schedule)
agree("KL of four digits, formula and library   ", kl_to_noise(few, T, alpha_bar), library)

# %% [markdown]
# Now real digits, 1,000 of them. The figure shows the mean over the digits, the largest value, and the
# approximation.

# %%
many = digits.images[:1000].double()
steps = torch.tensor([1, 2, 5, 10, 20, 50, 100, 150, 200, 300, 400, 500, 600, 700, 800, 900, 1000])
kl = torch.stack([kl_to_noise(many, t, alpha_bar) for t in steps])
approximation = 0.5 * alpha_bar[steps - 1] * many.flatten(1).square().sum(1).mean()
plots.curves(
    steps,
    {"mean of 1,000 digits": kl.mean(1), "largest": kl.max(1).values, "½ ᾱ ‖x₀‖², mean": approximation},
    title=r"$\mathrm{KL}(q(x_t \mid x_0)\,\Vert\,\mathcal{N}(0, I))$ for real digits, linear schedule",
    xlabel="t",
    ylabel="nats",
    logy=True,
)

# %%
last = kl[-1].mean().item()
bits = last / (784 * math.log(2))
print(f"alpha_bar_T = {alpha_bar[-1]:.1e}; KL at T: {last:.4f} nats per digit = {bits:.1e} bits per pixel")
white = torch.ones(1, 784, dtype=torch.float64)  # the largest norm that an image in [-1, 1] can have
print(f"no image in [-1, 1] can exceed {kl_to_noise(white, T, alpha_bar).item():.4f} nats")
first, middle, end = (kl[steps == t][0] for t in (1, 500, 1000))
print(
    f"mean at t = 1: {first.mean():.0f} nats; from t = 500 to 1000 it falls by a factor of {middle.mean() / end.mean():.0f}"
)
print(
    f"at T the largest of 1,000 digits is {end.max() / end.mean():.2f} times the mean, the smallest {end.min() / end.mean():.2f} times"
)

# %% [markdown]
# **What to see.** At $t = 1$ the KL is large: $x_1$ is a sharp peak, and so is the term
# $-\frac d2\ln(1-\bar\alpha_t)$. In the second half the KL falls like $\bar\alpha_t$, and all digits do it
# nearly alike. At $T = 1000$ almost nothing is left in a whole image. Ho et al. (2020, section 4) state $10^{-5}$ bits per dimension for CIFAR-10: the same order, as it
# must be, because it is the same $\bar\alpha_T$. The approximation $\frac12\bar\alpha_t\|x_0\|^2$ is far too
# small at the start and right at the end.
#
# The bound holds for any data in $[-1, 1]$, since then $\|x_0\|^2 \le d$. This is one reason to scale images
# to $[-1, 1]$: the noise must be large *compared with the data*, and "large" has been calibrated for data of
# size 1.
#
# ### And as $T$ grows?
#
# Keep the range of $\beta_t$, $10^{-4}$ to $0.02$, and change the number of steps. From
# $\ln\bar\alpha_T = \sum_t \ln(1-\beta_t)$ and $\ln(1-\beta) \le -\beta$,
#
# $$ \bar\alpha_T \le \exp\Big(-\sum_{t=1}^{T} \beta_t\Big), \qquad \sum_{t=1}^{T}\beta_t = T\,\frac{\beta_1+\beta_T}{2} = 0.01005\; T \ \text{ for linear } \beta_t. $$
#
# So $\bar\alpha_T$, and with it the KL, falls exponentially with $T$. With $T = 1000$ the sum is $10.05$;
# with $T = 100$ it is $1.005$, and a third of the signal's power is left. The other way is to keep the sum
# and to multiply every $\beta_t$ by $1000/T$: fewer steps, each one larger. The cell computes both.

# %%
total = betas.sum().item()
print(f"sum of betas: {total:.2f}; exp(-sum): {math.exp(-total):.2e}; alpha_bar_T: {alpha_bar[-1]:.2e}")
lengths = [50, 100, 200, 500, 1000, 2000]
same, scaled = [], []
for n in lengths:
    k = 1000 / n
    same.append(kl_to_noise(many, n, alpha_bar_from_betas(dc.schedules.linear(n))).mean().item())
    larger = alpha_bar_from_betas(dc.schedules.linear(n, 1e-4 * k, 0.02 * k))
    scaled.append(kl_to_noise(many, n, larger).mean().item())
    print(f"T = {n:4}: KL = {same[-1]:8.2e} with the same β, {scaled[-1]:.2e} with β multiplied by {k:g}")

# %%
plots.curves(
    lengths,
    {"β from 0.0001 to 0.02": same, "β multiplied by 1000/T": scaled},
    title=r"$\mathrm{KL}(q(x_T \mid x_0)\,\Vert\,\mathcal{N}(0, I))$ for real digits against T",
    xlabel="T",
    ylabel="nats, mean of 1,000 digits",
    logx=True,
    logy=True,
)

# %% [markdown]
# **What to see.** With the same range of $\beta_t$, only about $T = 1000$ brings the KL below $0.02$ nats.
# With rescaled $\beta_t$ every length of the list does, and a short chain even a little better, because large
# steps destroy more than their sum says: $\ln(1-\beta) < -\beta$. The limit is $T > 20$: at $T = 20$ the last
# $\beta$ would be $0.02 \cdot 1000/20 = 1$, and a variance that is added must stay below 1.
#
# ## 9. What a schedule must do
#
# | requirement | reason |
# |---|---|
# | $0 < \beta_t < 1$ | a variance is positive, and $\sqrt{1-\beta_t}$ must exist |
# | $\bar\alpha_T \approx 0$, so $\sum_t \beta_t$ large | $x_T$ must be nearly $\mathcal N(0, I)$, whatever $x_0$ was |
# | each $\beta_t$ small, as long as $x_{t-1}$ still shows the data | each step *back* must be nearly Gaussian ({{section The way back}}) |
# | $\beta_1 \le \beta_2 \le \dots \le \beta_T$, as a habit | small steps where fine detail is lost, larger ones where only noise is left |
#
# In the third row, "as long as": once $\bar\alpha_{t-1}$ is nearly 0, $x_{t-1}$ is $\mathcal N(0, I)$ whatever the
# data were, and a step back between two such states is Gaussian however large it is.
#
# The second and the third row pull in opposite directions, and together they explain $T = 1000$. If no step
# may be larger than $0.02$ and the sum must be about $10$, then some hundreds of steps are needed; a linear
# climb from nearly 0 takes $10 / 0.01 = 1000$. The numbers $10^{-4}$ and $0.02$ have no deeper origin: Ho et
# al. (2020, section 4) chose them small relative to data in $[-1, 1]$. **If you change $T$, change $\beta$ as
# well.** In the limit of infinitely many steps of total time 1, the rescaled schedule is a function that
# climbs from $0.1$ to $20$: these are the constants of the continuous-time process of Song et al. 2021.
#
# The last row is a habit and no condition for convergence.
#
# **Predict, then run.** Shuffle the 1000 values
# $\beta_t$, or reverse them. What happens to the distribution of $x_T$? And on the way?

# %%
shuffled = betas[torch.randperm(T, generator=torch.Generator().manual_seed(0))]
orders = {"increasing": betas, "decreasing": betas.flip(0), "shuffled": shuffled}
tables = {label: alpha_bar_from_betas(b) for label, b in orders.items()}
agree("alpha_bar_T, increasing and decreasing", tables["increasing"][-1], tables["decreasing"][-1])
agree("alpha_bar_T, increasing and shuffled  ", tables["increasing"][-1], tables["shuffled"][-1])
plots.curves(
    times,
    {k: snr(a).log() for k, a in tables.items()},
    title="Log-SNR of the same β in three orders",
    xlabel="t",
    ylabel="log SNR(t)",
)

# %% [markdown]
# **What to see.** A product does not depend on the order of its factors, so all three chains end at the same
# $\mathcal N\big(\sqrt{\bar\alpha_T}x_0, (1-\bar\alpha_T)I\big)$. On the way they differ: the decreasing
# order destroys the digit in the first steps and spends the rest on noise.

# %%
quiz.ask("01-q3")

# %% [markdown]
# ## 10. The same process in other coordinates
#
# Divide $x_t$ by the factor of its signal:
#
# $$ \frac{x_t}{\sqrt{\bar\alpha_t}} = x_0 + \sigma_t\, \varepsilon, \qquad \sigma_t^2 = \frac{1-\bar\alpha_t}{\bar\alpha_t} = \frac{1}{\operatorname{SNR}(t)}. $$
#
# The signal now keeps its size and the noise grows without limit. These are the **variance-exploding (VE)**
# coordinates; those of the sections above are called **variance-preserving (VP)**. It is one process, seen
# through two pairs of glasses. In VE coordinates there is a single number per step, the noise level
# $\sigma_t$, and no $\bar\alpha_t$. That makes samplers simple, and the library's denoisers and samplers use
# them throughout: a denoiser is a function $D(x, \sigma)$. Chapters 1 to 5 and 7 write their formulas in VP
# coordinates, chapters 6 and 9 in VE. The bridge is `dc.gaussian.to_ve` and `to_vp`.

# %%
for t in (1, 100, 259, 1000):
    eps = merged_noise(z, t)
    x_ve = dc.gaussian.to_ve(chain[t], schedule.sigma(t))
    what = f"t = {t:4}, sigma_t = {schedule.sigma(t):7.3f}: x_t / sqrt(alpha_bar) and x_0 + sigma eps"
    agree(what, x_ve, few + schedule.sigma(t) * eps, 1e-10)
agree("sigma^2 = 1 / SNR (relative)", schedule.sigmas**2 * snr(alpha_bar), torch.ones(T), 1e-10)

# %%
quiz.ask("01-q5")

# %% [markdown]
# ## 11. A data set whose density is known
#
# For digits, $q(x_0)$ is unknown. In the plane we can choose a data set with a known density and watch the
# *whole distribution* dissolve. Take a mixture of $K$ Gaussians with weights $\pi_k$, means $\mu_k$ and
# standard deviations $s_k$. Over the data, $x_t$ has the density
#
# $$
# \begin{aligned}
# q(x_t) &= \int q(x_t \mid x_0)\, q(x_0)\, dx_0 & & \text{average over the data} \\
# &= \sum_k \pi_k \int \mathcal N\big(x_t; \sqrt{\bar\alpha_t}\, x_0, (1-\bar\alpha_t) I\big)\; \mathcal N(x_0; \mu_k, s_k^2 I)\, dx_0 & & q(x_0) \text{ is a mixture} \\
# &= \sum_k \pi_k\; \mathcal N\big(x_t;\ \sqrt{\bar\alpha_t}\, \mu_k,\ (\bar\alpha_t s_k^2 + 1 - \bar\alpha_t) I\big) & & \text{facts 1 and 2, in each component}
# \end{aligned}
# $$
#
# a mixture again: each mean moves to 0, each variance to 1. The library's `GaussianMixture` gives the
# log-density of $x_0 + \sigma\varepsilon$ (VE coordinates). To come back to
# $x_t = \sqrt{\bar\alpha_t}\,(x_0 + \sigma_t\varepsilon)$, change variables: in $d = 2$ dimensions the
# density is divided by $\sqrt{\bar\alpha_t}^{\,d}$.

# %%
means = torch.tensor([[-1.5, 0.3], [1.0, 1.2], [0.9, -1.1]], dtype=torch.float64)
stds = torch.tensor([0.25, 0.35, 0.18], dtype=torch.float64)
weights = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
toy = dc.denoisers.GaussianMixture(means, stds, weights)


def log_q(x, t):
    """log q(x_t) of the toy data, exact. x: (B, 2), t: 0..T."""
    a = alpha_bar[t - 1] if t > 0 else torch.tensor(1.0, dtype=torch.float64)
    return toy.log_density(x / a.sqrt(), ((1 - a) / a).sqrt()) - a.log()  # d/2 log a with d = 2


points, t = dc.Noise(8).randn(100, 2, dtype=torch.float64), 300
a = alpha_bar[t - 1]
moved = dc.denoisers.GaussianMixture(a.sqrt() * means, (a * stds**2 + 1 - a).sqrt(), weights)
agree("density by the formula, and through VE coordinates", moved.log_density(points), log_q(points, t))

# %% [markdown]
# Now run the chain on 4,000 points and draw 1,000 of them below the exact density. The code that simulates
# knows nothing of the formula.

# %%
source = dc.Noise(9, per_sample=False)
x, _ = toy.sample(4000, source)
cloud = {0: x}
for t in range(1, T + 1):
    x = alphas[t - 1].sqrt() * x + betas[t - 1].sqrt() * source.like(x)
    cloud[t] = x
axis = torch.linspace(-6, 6, 241, dtype=torch.float64)
plane = torch.cartesian_prod(axis, axis)


def panels(times):
    """The exact density (above) and 1,000 points of the chain (below) at several t."""
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    for (top, low), t in zip(figure.subplots(2, len(times), sharex=True, sharey=True).T, times, strict=True):
        density = log_q(plane, t).exp().reshape(241, 241).T
        top.contourf(axis, axis, density, levels=15, cmap="Blues")
        low.scatter(*cloud[t][:1000].T, s=1.5, color="#D55E00", alpha=0.6, linewidths=0)
        top.set_title(f"t = {t}")
        top.set_aspect("equal")
        low.set(xlabel="$x_1$", aspect="equal", xlim=(-3, 3), ylim=(-3, 3))
    figure.supylabel("$x_2$", fontsize=10)
    figure.suptitle("Exact density q(x_t) (above) and 1,000 points of the chain (below)", fontsize=11)
    return figure


panels([0, 50, 150, 300, 1000])

# %% [markdown]
# **What to see.** Three sharp islands widen, drift to the middle, flow together, and end as one round hill.
# The points of the chain follow the density in every panel. (Each panel has its own colour scale.)
#
# The eye is a weak judge, so here is a number: the average of $-\ln q(x_t)$ over the points of the chain must
# equal the entropy $-\int q \ln q$ of the exact density, computed on the grid. The cell also prints the KL of
# the *whole* distribution,
# $\mathrm{KL}(q(x_t)\,\|\,\mathcal N(0,I)) = \int q(x_t) \ln\frac{q(x_t)}{\mathcal N(x_t; 0, I)}\,dx_t$.

# %%
cell = (axis[1] - axis[0]) ** 2
found = []
for t in (0, 50, 150, 300, 1000):
    log_density = log_q(plane, t)
    entropy = -(log_density.exp() * log_density).sum() * cell
    log_normal = -0.5 * plane.square().sum(1) - math.log(2 * math.pi)
    kl = (log_density.exp() * (log_density - log_normal)).sum() * cell
    near(f"t = {t:4}, KL {kl:8.5f}, entropy", -log_q(cloud[t], t), entropy.item())
    found.append((kl, entropy))
last = math.log(2 * math.pi * math.e)
print(f"entropy of N(0, I) in the plane, ln(2 pi e): {last:.4f}")
falls = all(after[0] < before[0] for before, after in itertools.pairwise(found))
claim(
    "the KL falls from row to row; the entropy rises above that of N(0, I) and comes back",
    falls and found[3][1] > last,
)

# %% [markdown]
# **What to see.** Simulation and formula agree, and the KL goes to 0. The entropy settles at $\ln(2\pi e)$, the
# entropy of $\mathcal N(0, I)$; on the way it may rise above it, here because the data are a little wider than
# $\mathcal N(0, I)$.

# %% [markdown]
# ## 12. The way back
#
# To generate, we need the reverse of a step: given $x_t$, what was $x_{t-1}$? Bayes' rule answers:
#
# $$ q(x_{t-1} \mid x_t) = \frac{q(x_t \mid x_{t-1})\; q(x_{t-1})}{q(x_t)}. $$
#
# Look at both factors as functions of $x_{t-1}$. The first is a Gaussian bump around $x_t/\sqrt{1-\beta_t}$,
# of standard deviation $\sqrt{\beta_t/(1-\beta_t)}$. The second is the density of the noisy *data* and can
# have any shape. The product is in general **not Gaussian**. But if $\beta_t$ is small, the bump is narrow.
# Over a narrow window, $\ln q(x_{t-1})$ is nearly a straight line, and a Gaussian times the exponential of a
# straight line is a Gaussian again, only shifted. So *small steps back are nearly Gaussian*. Sohl-Dickstein
# et al. (2015, section 2.2) build diffusion models on this; in the limit of infinitely small steps it is
# exact (Feller 1949).
#
# In one dimension all of this can be computed. Data: two narrow hills at $-1$ and $+1$. At time $t-1$ they
# are a little noisy ($\bar\alpha_{t-1} = 0.9$). Then *one* step with a $\beta$ of our choice leads to
# $x_t = 0.3$, a place between the hills.
#
# **Predict, then run.** Sketch $q(x_{t-1} \mid x_t = 0.3)$ for a big step, $\beta = 0.5$, and for a small
# one, $\beta = 0.01$.

# %%
hills = dc.denoisers.GaussianMixture(torch.tensor([[-1.0], [1.0]], dtype=torch.float64), 0.2)
a_prev, x_t = 0.9, 0.3
grid = torch.linspace(-3, 3, 60_001, dtype=torch.float64)
dx = grid[1] - grid[0]


def log_before(x):
    """log q(x_{t-1}), exact: the mixture with noise, alpha_bar_{t-1} = 0.9, in one dimension."""
    sigma = ((1 - a_prev) / a_prev) ** 0.5
    return hills.log_density(x[:, None] / a_prev**0.5, sigma) - 0.5 * math.log(a_prev)


def reverse(beta):
    """q(x_{t-1} | x_t) by Bayes' rule on the grid, and the mean and variance of it."""
    density = (log_before(grid) - (x_t - (1 - beta) ** 0.5 * grid) ** 2 / (2 * beta)).softmax(0) / dx
    mean = (density * grid).sum() * dx
    return density, mean, (density * (grid - mean) ** 2).sum() * dx


# %% [markdown]
# The cell below draws the exact density, the Gaussian with the same mean and variance, and a histogram that
# knows no formula: simulate two million pairs $(x_{t-1}, x_t)$ forwards and keep the $x_{t-1}$ of those pairs
# that landed within $0.02$ of $x_t = 0.3$.


# %%
def draw_reverse(beta, limits):
    source = dc.Noise(10, per_sample=False)
    x0, _ = hills.sample(2_000_000, source)
    x_prev = a_prev**0.5 * x0 + (1 - a_prev) ** 0.5 * source.like(x0)
    x_next = (1 - beta) ** 0.5 * x_prev + beta**0.5 * source.like(x0)
    kept = x_prev[(x_next - x_t).abs() < 0.02]
    density, mean, variance = reverse(beta)
    curves = {
        "exact": lambda x: density[((x - grid[0]) / dx).round().long()],
        "Gaussian, same mean and variance": lambda x: normal(x, mean, variance),
    }
    title = f"$q(x_{{t-1}} | x_t = 0.3)$ after a step with β = {beta}"
    return plots.histogram(
        {"simulated": kept}, densities=curves, title=title, xlabel="$x_{t-1}$", limits=limits
    )


draw_reverse(0.5, (-2.4, 2.4))

# %%
density, mean, _ = reverse(0.5)
valley = density[((mean - grid[0]) / dx).round().long()]
print(
    f"β = 0.5: where the Gaussian has its peak, the exact density is {valley:.2f}, {valley / density.max():.0%} of its maximum"
)
draw_reverse(0.01, (-0.8, 0.8))

# %% [markdown]
# **What to see.** After the big step, $x_{t-1}$ may have been on either hill, and no single Gaussian can say
# so: the one with the right mean and variance puts its peak in the valley between the two. After the small step
# the exact density and the Gaussian can hardly be told apart.
#
# How fast does it become Gaussian? Measure the distance by KL(exact ‖ Gaussian with the same mean and
# variance), for steps from $0.5$ down to $0.001$.


# %%
def not_gaussian(beta):
    density, mean, variance = reverse(beta)
    gaussian = -((grid - mean) ** 2) / (2 * variance) - 0.5 * torch.log(2 * math.pi * variance)
    return ((torch.xlogy(density, density) - density * gaussian).sum() * dx).item()


sizes = [0.5, 0.3, 0.2, 0.1, 0.05, 0.03, 0.02, 0.01, 0.005, 0.002, 0.001]
distance = [not_gaussian(b) for b in sizes]
slope = math.log(distance[-2] / distance[-1]) / math.log(sizes[-2] / sizes[-1])
print(f"KL at β = 0.5: {distance[0]:.2f}; at β = 0.02: {distance[6]:.1e}; at β = 0.001: {distance[-1]:.1e}")
print(f"slope at the small end: {slope:.1f}")
guide = [distance[-1] * (b / sizes[-1]) ** 3 for b in sizes]
plots.curves(
    sizes,
    {"KL(exact ‖ Gaussian)": distance, "slope 3": guide},
    title="How far a reverse step is from a Gaussian",
    xlabel="β",
    ylabel="nats",
    logx=True,
    logy=True,
    ylim=(1e-8, 10),
    marks={"β = 0.02, the largest of the linear schedule": 0.02},
)

# %% [markdown]
# **What to see.** For small steps the curve follows $\beta^3$: a step ten times smaller is a thousand times
# closer to a Gaussian. Cut one small step into ten, and even the *sum* of the ten errors is about a hundred
# times smaller. That is why diffusion takes many small steps. A network that outputs only the mean of a
# Gaussian leaves its variance to a fixed choice, such as $\beta_t$. The error then falls more slowly, like $\beta^2$
# a step: with steps ten times smaller the sum is ten times smaller (chapter 2 measures it). It goes to 0 all the
# same, so with many steps the mean is enough.
#
# And where is that mean? Follow the straight line of $\ln q(x_{t-1})$ at the centre $c = x_t/\sqrt{1-\beta}$
# of the bump, with slope $\ell = \frac{d}{dx}\ln q(x_{t-1})$ there. With $w = \beta/(1-\beta)$,
#
# $$ \exp\Big(-\frac{(x-c)^2}{2w} + \ell\,(x - c)\Big) \propto \exp\Big(-\frac{(x - c - w\ell)^2}{2w}\Big), $$
#
# so the mean moves from $c$ by $w\,\ell$, towards higher density of the data. The slope $\ell$ is called the
# **score**. What does the straight line leave out? The next terms of the Taylor series at $c$,
# $\frac{\ell'}{2}(x-c)^2 + \frac{\ell''}{6}(x-c)^3$. In the bump, $x - c$ is about as large as $\sqrt w$. The first
# term changes the bump's width, $1/w$ to $1/w - \ell'$, and with it the shift, from $w\ell$ to
# $w\ell/(1 - w\ell') \approx w\ell + w^2\ell\ell'$. The second moves the mean by $\mathbb E\big[(x-c)\cdot\frac{\ell''}{6}(x-c)^3\big] =
# \frac{\ell''}{6}\cdot 3w^2$. So the error is $w^2(\ell\ell' + \frac12\ell'')$ plus higher powers of $w$, and $w \approx \beta$: ten
# times smaller steps, a hundred times smaller error. The cell computes both sides.

# %%
for beta in (0.01, 0.001, 0.0001):
    c, w = x_t / (1 - beta) ** 0.5, beta / (1 - beta)
    at = torch.tensor([c], dtype=torch.float64, requires_grad=True)
    (score,) = torch.autograd.grad(log_before(at).sum(), at, create_graph=True)
    (first,) = torch.autograd.grad(score.sum(), at, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), at)
    exact, guess = reverse(beta)[1].item(), c + w * score.item()
    theory = (score * first + second / 2).item()
    print(
        f"β = {beta:6}: exact mean {exact:.5f}, c + w score {guess:.5f}, error {(exact - guess) / w**2:.1f} w², theory {theory:.1f} w²"
    )

# %% [markdown]
# The score belongs to the data and is not known for digits. *It is the one thing that a diffusion model has
# to learn.* Chapter 2 derives the loss for it, and chapter 3 trains it. One fact helps: with $x_0$ *given*, $q(x_{t-1} \mid x_t, x_0)$ is exactly Gaussian, for any
# $\beta_t$. That is where chapter 2 begins.
#
# ## Summary
#
# | what | formula | source |
# |---|---|---|
# | one step | $q(x_t \mid x_{t-1}) = \mathcal N(\sqrt{1-\beta_t}\,x_{t-1},\ \beta_t I)$ | Ho et al. 2020, eq. 2 |
# | one jump | $x_t = \sqrt{\bar\alpha_t}\,x_0 + \sqrt{1-\bar\alpha_t}\,\varepsilon$ | Ho et al. 2020, eq. 4 |
# | what is left | $\operatorname{SNR}(t) = \bar\alpha_t/(1-\bar\alpha_t)$ | Kingma et al. 2021, eq. 2 |
# | the end | $\mathrm{KL}(q(x_T \mid x_0)\,\|\,\mathcal N(0, I)) \approx \frac12 \bar\alpha_T\|x_0\|^2$ | {{section The end of the chain}} |
# | the other glasses | $x_t/\sqrt{\bar\alpha_t} = x_0 + \sigma_t\varepsilon,\ \ \sigma_t^2 = 1/\operatorname{SNR}(t)$ | {{section The same process}} |
# | the way back | $q(x_{t-1} \mid x_t)$ is nearly Gaussian for small $\beta_t$ | Sohl-Dickstein et al. 2015, section 2.2 |
#
# ## Common slips
#
# - *Non-decreasing* and *non-increasing* are easily swapped: the usual $\beta_1 \le \dots \le \beta_T$ is
#   non-decreasing. Convergence needs neither, as {{section What a schedule must do}} shows.
# - Some texts call the variance of a step $\alpha_t$, others write $\alpha_t$ for our $\bar\alpha_t$ (DDIM, for one),
#   and some number the noise of step $t$ as $z_{t-1}$. Read the definitions of a paper first.
# - "Take $T = 1000$" and "take $\beta$ from $10^{-4}$ to $0.02$" are quoted apart. They are one choice
#   ({{section The end of the chain}}).
#
# ## References
#
# - W. Feller. [*On the theory of stochastic processes, with particular reference to applications.*](https://projecteuclid.org/ebooks/berkeley-symposium-on-mathematical-statistics-and-probability/On-the-Theory-of-Stochastic-Processes-with-Particular-Reference-to/chapter/On-the-Theory-of-Stochastic-Processes-with-Particular-Reference-to/bsmsp/1166219215) Berkeley Symposium on Mathematical Statistics and Probability, 1949.
# - J. Sohl-Dickstein, E. Weiss, N. Maheswaranathan, S. Ganguli. [*Deep unsupervised learning using nonequilibrium thermodynamics.*](https://arxiv.org/abs/1503.03585) ICML 2015. Section 2.
# - J. Ho, A. Jain, P. Abbeel. [*Denoising diffusion probabilistic models.*](https://arxiv.org/abs/2006.11239) NeurIPS 2020. Sections 2 and 4.
# - Y. Song, J. Sohl-Dickstein, D. P. Kingma, A. Kumar, S. Ermon, B. Poole. [*Score-based generative modeling through stochastic differential equations.*](https://arxiv.org/abs/2011.13456) ICLR 2021. Section 3.4, appendix C.
# - D. P. Kingma, T. Salimans, B. Poole, J. Ho. [*Variational diffusion models.*](https://arxiv.org/abs/2107.00630) NeurIPS 2021. Section 3.1.

# %%
check_all()
