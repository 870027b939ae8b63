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
# # 3. Predicting the noise
#
# Chapter 2 ended with a bound: a sum of KL divergences between Gaussians. This chapter turns that sum into one
# line of code, the mean squared error between the noise that was added and the noise that a network predicts. You
# write that line and a whole training step, train three U-Nets with it from scratch on real handwritten digits, write the
# sampler, and draw digits of each class. A classifier that the course ships then says how many of them can be read, and
# you find out what a network had better predict: the noise, the clean image, or a mixture.
#
# **You learn**
#
# - why each term $L_{t-1}$ becomes a weighted squared error as soon as the variance is fixed, and what the two
#   usual variances are exact for;
# - how the mean of the reverse step follows from predicted noise (Ho et al. 2020, eq. 11), line by line;
# - which noise levels $L_\text{simple}$ emphasises, and how the losses in $\varepsilon$, $x_0$ and $v$ are
#   related;
# - why predicting the noise, denoising and estimating the score are one task, and why its best loss is not 0;
# - algorithms 1 and 2 of Ho et al., what a training loop adds to the first, and the slips that spoil samples without any
#   error message;
# - to read a comparison: which differences it shows, and which it leaves open.
#
# **You need** $q(x_t \mid x_0)$ from chapter 1, and the posterior $q(x_{t-1} \mid x_t, x_0)$ and the KL of two
# Gaussians from chapter 2. Both are repeated here in one line each.
#
# **Time**: {{reading}} of reading, and {{minutes}} for {{exercises}}. The cells run in about 90 s on 2 CPU cores, most of
# it training; with a GPU the chapter picks 28×28 images and a larger network (its running time was not measured).

# %% [markdown]
# ## Notation
#
# {{notation x0 d t beta alpha alpha_bar x_t eps eps_theta x sigma D x0_hat posterior model_step snr sigma_t omega v z}}
#
# Every expectation $\mathbb{E}$ below is over $x_0$ from the data, $\varepsilon \sim \mathcal{N}(0, I)$ and,
# where it appears, $t$ uniform in $1 \dots T$.

# %%
import copy
import itertools
from functools import partial

import torch
from torch.nn import functional as F
from tqdm.auto import tqdm

import diffusion_course as dc
from diffusion_course.classroom import check, check_all
from diffusion_course.experiments import data, metrics, training, zoo
from diffusion_course.experiments.intervals import mcnemar
from diffusion_course.guidance import clip
from diffusion_course.nets.unet import UNet
from diffusion_course.notebook import plots, quiz, widgets
from diffusion_course.notebook.claims import agree, claim

linear = dc.NoiseSchedule.from_betas(dc.schedules.linear(1000))  # Ho et al. 2020
cosine = dc.NoiseSchedule.from_betas(dc.schedules.cosine(1000))  # Nichol & Dhariwal 2021

# %% [markdown]
# ## 1. With a fixed variance, the bound compares means
#
# The terms of the bound for $t = 2 \dots T$ are (Ho et al. 2020, eq. 5)
#
# $$L_{t-1} = \mathbb{E}\; \mathrm{KL}\big(q(x_{t-1} \mid x_t, x_0) \,\|\, p_\theta(x_{t-1} \mid x_t)\big), \qquad
# q(x_{t-1} \mid x_t, x_0) = \mathcal{N}(\tilde\mu_t, \tilde\beta_t I), \qquad
# p_\theta(x_{t-1} \mid x_t) = \mathcal{N}(\mu_\theta, \Sigma_\theta),$$
#
# with
# $\tilde\mu_t = \dfrac{\sqrt{\bar\alpha_{t-1}}\,\beta_t}{1-\bar\alpha_t}\, x_0 + \dfrac{\sqrt{\alpha_t}\,(1-\bar\alpha_{t-1})}{1-\bar\alpha_t}\, x_t$
# and $\tilde\beta_t = \dfrac{1-\bar\alpha_{t-1}}{1-\bar\alpha_t}\,\beta_t$ (eq. 7).
#
# Ho et al. do not learn the variance. They set $\Sigma_\theta = s_t^2 I$ with a constant $s_t^2$. Put
# both Gaussians into the KL of chapter 2,
# $\mathrm{KL} = \frac12 \sum_{i=1}^{d} \big( \frac{\text{var}_1}{\text{var}_2} + \frac{(\text{mean}_2 - \text{mean}_1)_i^2}{\text{var}_2} - 1 + \ln \frac{\text{var}_2}{\text{var}_1} \big)$:
#
# $$\begin{aligned}
# L_{t-1} &= \mathbb{E}\,\tfrac12 \Big( d\,\tfrac{\tilde\beta_t}{s_t^2} + \tfrac{1}{s_t^2}\|\tilde\mu_t - \mu_\theta\|^2 - d + d \ln \tfrac{s_t^2}{\tilde\beta_t} \Big) && \text{all } d \text{ pixels have the same two variances} \\
# &= \mathbb{E}\Big[ \tfrac{1}{2s_t^2} \|\tilde\mu_t - \mu_\theta(x_t, t)\|^2 \Big] + C_t, && \text{Ho et al. 2020, eq. 8} \\
# C_t &= \tfrac d2 \Big( \tfrac{\tilde\beta_t}{s_t^2} - 1 + \ln \tfrac{s_t^2}{\tilde\beta_t} \Big). && \text{no } \theta \text{ in it: it does not move the minimum}
# \end{aligned}$$
#
# So the network only has to get the *mean* right. The next cell computes both sides for random images, a random
# model mean, and both usual choices of $s_t^2$. (`linear.take(table, t, x)` reads a table at $t$ and shapes
# it to multiply `x`.)

# %%
noise = dc.Noise(0)
t = torch.tensor([2, 10, 500, 1000])
x0 = noise.randn(4, 196, dtype=torch.float64)
eps = noise.like(x0)
x_t = dc.gaussian.diffuse(x0, t, eps, linear)
true_mean, true_variance = dc.gaussian.posterior_mean_variance(x0, x_t, t, linear)
model_mean = true_mean + 0.01 * noise.like(x0)
d = x0.shape[1]

for name, table in {
    "s^2 = beta": linear.betas,
    "s^2 = beta-tilde": linear.posterior_variance,
}.items():
    variance = linear.take(table, t, x0)
    kl = dc.elbo.normal_kl(true_mean, true_variance.log(), model_mean, variance.log()).sum(1)
    ratio = (true_variance / variance)[:, 0]
    C = d / 2 * (ratio - 1 - ratio.log())
    weighted = ((true_mean - model_mean) ** 2 / (2 * variance)).sum(1)
    agree(f"{name}: KL and weighted MSE + C", kl, weighted + C, 1e-12)
    print("   C at t = 2, 10, 500, 1000:", ", ".join(f"{c:.3f}" for c in C.abs()))

# %% [markdown]
# With $s_t^2 = \tilde\beta_t$ the constant is exactly 0. With $s_t^2 = \beta_t$ it is the price, in
# nats, of a variance that is too wide: much at the smallest $t$, nothing at large $t$.
#
# ### What the two variances are exact for
#
# The variance that the model *should* have is that of the true reverse step $q(x_{t-1} \mid x_t)$, without $x_0$
# in the condition. For data $x_0 \sim \mathcal{N}(0, \sigma_\text{data}^2 I)$ it can be written down. Call $V$ the
# variance of $x_{t-1}$:
#
# $$\begin{aligned}
# V &= \bar\alpha_{t-1} \sigma_\text{data}^2 + 1 - \bar\alpha_{t-1} && \text{signal plus noise at } t-1 \\
# x_t &= \sqrt{\alpha_t}\, x_{t-1} + \sqrt{\beta_t}\, z && \text{one forward step} \\
# \frac{1}{\mathrm{Var}(x_{t-1} \mid x_t)} &= \frac1V + \frac{\alpha_t}{\beta_t} && \text{precisions of prior and likelihood add (chapter 2)} \\
# \mathrm{Var}(x_{t-1} \mid x_t) &= \frac{V\,\beta_t}{\beta_t + \alpha_t V} && \text{invert}
# \end{aligned}$$
#
# - $\sigma_\text{data} = 1$ (the data are already standard normal): $V = 1$, and the variance is
#   $\beta_t / (\beta_t + \alpha_t) = \beta_t$.
# - $\sigma_\text{data} = 0$ (the data are a single point): $V = 1 - \bar\alpha_{t-1}$, the denominator is
#   $\beta_t + \alpha_t - \bar\alpha_t = 1 - \bar\alpha_t$, and the variance is $\tilde\beta_t$.
#
# Data with a spread between these two have a reverse variance between $\tilde\beta_t$ and $\beta_t$ (Ho et al.
# 2020, section 3.2).


# %%
def reverse_variance(sigma_data):
    before = linear.alpha_bar_prev * sigma_data**2 + linear.one_minus_alpha_bar_prev
    return before * linear.betas / (linear.betas + linear.alphas * before)


agree("data of variance 1: reverse variance and beta", reverse_variance(1.0), linear.betas, 1e-14)
agree(
    "data of variance 0: reverse variance and beta-tilde",
    reverse_variance(0.0),
    linear.posterior_variance,
    1e-14,
)
steps = torch.arange(1, 1001)
plots.curves(
    steps,
    {rf"$\sigma_{{data}}$ = {s:g}": reverse_variance(s) / linear.betas for s in (1.0, 0.03, 0.01, 0.0)},
    title="The exact reverse variance lies between the two choices",
    xlabel="t (log scale)",
    ylabel=r"variance of $q(x_{t-1}|x_t)$ / $\beta_t$",
    logx=True,
)

# %% [markdown]
# The top line is $s_t^2 = \beta_t$, the bottom line $s_t^2 = \tilde\beta_t$. They differ only in the
# first few dozen of 1000 steps. There the noise is as faint as the details of the data, and the right variance
# depends on the data. It matters for the likelihood, and for samples with few steps, where each is long: on
# CIFAR-10, Song et al. (2021, table 1) found FIDs of 367 with $\beta_t$ and 41 with $\tilde\beta_t$ at 10 steps, and
# 3.2 and 4.7 at 1000 (lower is better). This chapter samples with 30 steps and $\tilde\beta_t$.
#
# ## 2. From noise to the clean image
#
# What should the network predict? It could predict $\tilde\mu_t$, but $\tilde\mu_t$ is mostly $x_t$, which the
# network is given anyway. The unknown part is which noise is in $x_t$. Solve
# $x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \varepsilon$ (Ho et al. 2020, eq. 4) for $x_0$:
#
# $$x_0 = \frac{x_t - \sqrt{1 - \bar\alpha_t}\, \varepsilon}{\sqrt{\bar\alpha_t}} \qquad \text{(Ho et al. 2020, eq. 15)}.$$
#
# With a predicted $\varepsilon_\theta$ in place of $\varepsilon$, this is the network's guess $\hat x_0$ of the
# clean image.
#
# ### Exercise {{03-x0_from_eps}}
#
# Write this formula for a batch in which every sample has its own $t$.
#
# *Hint.* `alpha_bar[0]` is $\bar\alpha_1$. The entries you read have shape `(B,)`, and images `(B, C, H, W)`. Reshape
# the entries to `(B, 1, 1, 1)`, with as many ones as `x_t` has further axes, so that each number multiplies its own image.


# %%
# EXERCISE 03-x0_from_eps (keep this line)
def x0_from_eps(x_t, t, eps, alpha_bar):
    """The x_0 that the noise eps implies (Ho et al. 2020, eq. 15).

    x_t, eps: (B, *S), where *S is any number of axes, or none. t: (B,), integers in 1..T.
    alpha_bar: (T,), alpha_bar_1..alpha_bar_T. Returns (B, *S).
    """
    ### BEGIN SOLUTION
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    return (x_t - (1 - a).sqrt() * eps) / a.sqrt()
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("03-x0_from_eps", x0_from_eps)

# %% [markdown]
# ## 3. From noise to the mean of the reverse step
#
# Put $x_0$ of {{section From noise to the clean image}} into $\tilde\mu_t$ of {{section With a fixed variance}}. One identity does most of the work:
# $\bar\alpha_t = \alpha_t \bar\alpha_{t-1}$.
#
# $$\begin{aligned}
# \tilde\mu_t &= \frac{\sqrt{\bar\alpha_{t-1}}\,\beta_t}{1-\bar\alpha_t} \cdot \frac{x_t - \sqrt{1-\bar\alpha_t}\,\varepsilon}{\sqrt{\bar\alpha_t}} + \frac{\sqrt{\alpha_t}\,(1-\bar\alpha_{t-1})}{1-\bar\alpha_t}\, x_t && \text{(a) insert } x_0 \\
# &= \frac{\beta_t}{(1-\bar\alpha_t)\sqrt{\alpha_t}} \big(x_t - \sqrt{1-\bar\alpha_t}\,\varepsilon\big) + \frac{\sqrt{\alpha_t}\,(1-\bar\alpha_{t-1})}{1-\bar\alpha_t}\, x_t && \text{(b) } \sqrt{\bar\alpha_{t-1}} / \sqrt{\bar\alpha_t} = 1/\sqrt{\alpha_t} \\
# &= \frac{1}{\sqrt{\alpha_t}} \left( \frac{\beta_t + \alpha_t (1-\bar\alpha_{t-1})}{1-\bar\alpha_t}\, x_t - \frac{\beta_t}{\sqrt{1-\bar\alpha_t}}\,\varepsilon \right) && \text{(c) take } 1/\sqrt{\alpha_t} \text{ out, collect } x_t \\
# &= \frac{1}{\sqrt{\alpha_t}} \left( \frac{1 - \bar\alpha_t}{1-\bar\alpha_t}\, x_t - \frac{\beta_t}{\sqrt{1-\bar\alpha_t}}\,\varepsilon \right) && \text{(d) } \beta_t + \alpha_t - \alpha_t\bar\alpha_{t-1} = 1 - \bar\alpha_t \\
# &= \frac{1}{\sqrt{\alpha_t}} \left( x_t - \frac{\beta_t}{\sqrt{1-\bar\alpha_t}}\,\varepsilon \right) && \text{(e) the fraction is 1}
# \end{aligned}$$
#
# The model does not know $\varepsilon$. It puts its prediction in the same place, and that defines its mean (Ho
# et al. 2020, eq. 11):
#
# $$\mu_\theta(x_t, t) = \frac{1}{\sqrt{\alpha_t}} \left( x_t - \frac{\beta_t}{\sqrt{1-\bar\alpha_t}}\,\varepsilon_\theta(x_t, t) \right).$$
#
# The cell evaluates lines (a) to (e) one after the other, for all four $t$ of {{section With a fixed variance}}, with your `x0_from_eps`
# in line (a).

# %%
beta, alpha = linear.take(linear.betas, t, x0), linear.take(linear.alphas, t, x0)
ab, ab_prev = linear.take(linear.alpha_bar, t, x0), linear.take(linear.alpha_bar_prev, t, x0)
implied_x0 = x0_from_eps(x_t, t, eps, linear.alpha_bar)

line_a = ab_prev.sqrt() * beta / (1 - ab) * implied_x0 + alpha.sqrt() * (1 - ab_prev) / (1 - ab) * x_t
line_b = (
    beta / ((1 - ab) * alpha.sqrt()) * (x_t - (1 - ab).sqrt() * eps)
    + alpha.sqrt() * (1 - ab_prev) / (1 - ab) * x_t
)
line_c = ((beta + alpha * (1 - ab_prev)) / (1 - ab) * x_t - beta / (1 - ab).sqrt() * eps) / alpha.sqrt()
line_e = (x_t - beta / (1 - ab).sqrt() * eps) / alpha.sqrt()
for name, line in {"(b)": line_b, "(c)": line_c, "(e)": line_e}.items():
    agree(f"line (a) and line {name}", line, line_a, 1e-12)
agree("line (d): beta + alpha (1 - ab_prev) and 1 - ab", beta + alpha * (1 - ab_prev), 1 - ab, 1e-12)

posterior_mean, _ = dc.gaussian.posterior_mean_variance(implied_x0, x_t, t, linear)
agree("eq. 11 and posterior mean", dc.gaussian.mean_from_eps(x_t, t, eps, linear), posterior_mean, 1e-12)

# %% [markdown]
# ## 4. The loss in the noise, and its weight
#
# Subtract the two means. $x_t$ cancels, and only the two noises are left:
#
# $$\begin{aligned}
# \tilde\mu_t - \mu_\theta &= \frac{\beta_t}{\sqrt{\alpha_t}\sqrt{1-\bar\alpha_t}} \,(\varepsilon_\theta - \varepsilon) && \text{line (e) minus eq. 11} \\
# \frac{1}{2s_t^2} \|\tilde\mu_t - \mu_\theta\|^2 &= \underbrace{\frac{\beta_t^2}{2s_t^2\,\alpha_t\,(1-\bar\alpha_t)}}_{\omega_t} \, \|\varepsilon - \varepsilon_\theta(x_t, t)\|^2 && \text{square, and divide by } 2s_t^2
# \end{aligned}$$
#
# So
# $L_{t-1} = \mathbb{E}\big[ \omega_t \|\varepsilon - \varepsilon_\theta(\sqrt{\bar\alpha_t}\,x_0 + \sqrt{1-\bar\alpha_t}\,\varepsilon,\; t)\|^2 \big] + C_t$
# (Ho et al. 2020, eq. 12). For $s_t^2 = \tilde\beta_t$ the weight has a short form:
#
# $$\begin{aligned}
# \omega_t &= \frac{\beta_t^2}{2\,\alpha_t\,(1-\bar\alpha_t)} \cdot \frac{1-\bar\alpha_t}{\beta_t\,(1-\bar\alpha_{t-1})} = \frac{\beta_t}{2\,\alpha_t\,(1-\bar\alpha_{t-1})} && \text{insert } \tilde\beta_t \text{, cancel} \\
# &= \frac12 \cdot \frac{(1 - \bar\alpha_t) - \alpha_t (1 - \bar\alpha_{t-1})}{\alpha_t\,(1-\bar\alpha_{t-1})} && \text{line (d): } \beta_t = 1 - \bar\alpha_t - \alpha_t (1 - \bar\alpha_{t-1}) \\
# &= \frac12 \left( \frac{\bar\alpha_{t-1}}{1-\bar\alpha_{t-1}} \cdot \frac{1-\bar\alpha_t}{\bar\alpha_t} - 1 \right) = \frac12 \left( \frac{\mathrm{SNR}(t-1)}{\mathrm{SNR}(t)} - 1 \right) && 1/\alpha_t = \bar\alpha_{t-1}/\bar\alpha_t
# \end{aligned}$$
#
# The cell checks eq. 12 against the KL itself, for a model that predicts noise with an arbitrary error, and the
# short form against the long one.

# %%
predicted = eps + 0.3 * noise.like(eps)  # stands in for eps_theta(x_t, t)
model_mean = dc.gaussian.mean_from_eps(x_t, t, predicted, linear)
weight = beta**2 / (2 * true_variance * alpha * (1 - ab))
kl = dc.elbo.normal_kl(true_mean, true_variance.log(), model_mean, true_variance.log()).sum(1)
agree("weighted noise error and KL", (weight * (eps - predicted) ** 2).sum(1), kl, 1e-10)

predicted_x0 = x0_from_eps(x_t, t, predicted, linear.alpha_bar)
agree("the library's L_{t-1} and KL", dc.elbo.kl_term(x0, predicted_x0, t, linear), kl, 1e-10)
short_form = (linear.snr[:-1] / linear.snr[1:] - 1) / 2
agree("short and long form of the weight", short_form[t - 2], weight[:, 0], 1e-10)

# %% [markdown]
# ### L_simple drops the weight
#
# Ho et al. trained with $\omega_t$ and got good likelihoods and mediocre images. Then they left the weight out (their
# eq. 14):
#
# $$L_\text{simple} = \mathbb{E}_{t,\, x_0,\, \varepsilon}\; \big\|\varepsilon - \varepsilon_\theta(\sqrt{\bar\alpha_t}\,x_0 + \sqrt{1-\bar\alpha_t}\,\varepsilon,\; t)\big\|^2, \qquad t \text{ uniform in } 1 \dots T.$$
#
# On CIFAR-10 this took the FID from 13.5 to 3.2 (lower is better) and cost 0.05 bits per dimension (their table
# 1).
#
# The short form belongs to $s_t^2 = \tilde\beta_t$, which is 0 at $t = 1$. To have a weight at every $t$, the rest of
# this section takes the other choice, as Ho et al. do. It is smaller by the factor $\tilde\beta_t/\beta_t$, which is
# nearly 1 but for the first few dozen steps (the figure above).
#
# **Predict, then run.** With $s_t^2 = \beta_t$ the weight is $\beta_t / (2\alpha_t(1-\bar\alpha_t))$. Where
# is it large: at small $t$, where $\beta_t$ is smallest, or at large $t$, where $\beta_t$ is largest? Does
# dropping it make the network work harder on nearly clean or on very noisy images?


# %%
def bound_weight(schedule):
    """The weight of the bound for s_t^2 = beta_t, t = 1..T: shape (T,)."""
    return schedule.betas / (2 * schedule.alphas * schedule.one_minus_alpha_bar)


w = bound_weight(linear)
print(f"linear: w_1 = {w[0]:.2f}, smallest {w.min():.4f} at t = {int(w.argmin()) + 1}, w_1000 = {w[-1]:.4f}")
print(
    f"linear: the first 100 steps carry {w[:100].sum() / w.sum():.0%} of the bound's weight, and 10% of L_simple's"
)
weights = {
    "bound, linear schedule": w,
    "bound, cosine schedule": bound_weight(cosine),
    "L_simple": torch.ones(1000),
}
plots.curves(
    steps,
    {name: values / values.median() for name, values in weights.items()},
    title="How much the noise error at step t counts",
    xlabel="t (log scale)",
    ylabel="weight / its median over t",
    logx=True,
    logy=True,
)

# %% [markdown]
# Only the shape matters, since a common factor does not move the minimum; the figure divides each curve by its
# median. The bound's weight falls by a factor of 100 from $t = 1$ and rises a little at the end: at small $t$ the
# division by $1-\bar\alpha_t$ wins over the small $\beta_t$. The bound cares most about nearly clean images,
# where a step removes noise that nobody sees. Those steps hold the last bits of the likelihood and little of the
# picture. Compared with the bound, $L_\text{simple}$ gives them less weight and the noisier steps more, and so
# spends the network's capacity where shapes are decided.
#
# The cosine schedule has a second peak at the very end. There $\alpha_t$ is nearly 0, and the mean of eq. 11
# divides by $\sqrt{\alpha_t}$: an error in the predicted noise is multiplied. $L_\text{simple}$ does not see
# this. {{Section Sampling}} meets it again, in the sampler.

# %%
quiz.ask("03-q1")

# %% [markdown]
# ## 5. The same loss in $x_0$ and in $v$
#
# A network may predict $x_0$ instead, or a mixture of both,
# $v = \sqrt{\bar\alpha_t}\,\varepsilon - \sqrt{1-\bar\alpha_t}\,x_0$ (Salimans & Ho 2022, section 4 and appendix
# D). Given $x_t$, each prediction can be turned into each other one. Write $a = \sqrt{\bar\alpha_t}$ and
# $b = \sqrt{1-\bar\alpha_t}$, so $a^2 + b^2 = 1$:
#
# $$\begin{aligned}
# a x_t - b v &= a (a x_0 + b \varepsilon) - b (a \varepsilon - b x_0) = (a^2 + b^2)\, x_0 = x_0 && \text{so } v \text{ gives } \hat x_0 = a x_t - b \hat v \\
# x_0 - \hat x_0 &= -b\,(v - \hat v) && x_t \text{ cancels} \\
# x_0 - \hat x_0 &= -\tfrac ba\,(\varepsilon - \hat\varepsilon) && \text{the same with } \hat x_0 \text{ from } \hat\varepsilon \\
# \|\varepsilon - \hat\varepsilon\|^2 &= \tfrac{a^2}{b^2}\, \|x_0 - \hat x_0\|^2 = \mathrm{SNR}(t)\, \|x_0 - \hat x_0\|^2 && \text{square} \\
# \|v - \hat v\|^2 &= \tfrac{1}{b^2}\, \|x_0 - \hat x_0\|^2 = (\mathrm{SNR}(t) + 1)\, \|x_0 - \hat x_0\|^2 && \tfrac{1}{b^2} = \tfrac{a^2 + b^2}{b^2}
# \end{aligned}$$
#
# The three losses are *one* loss with three weights: 1, $\mathrm{SNR}(t)$ and $\mathrm{SNR}(t) + 1$ on the error
# in $x_0$. The bound is a fourth: insert
# $\|\varepsilon - \hat\varepsilon\|^2 = \mathrm{SNR}(t)\,\|x_0 - \hat x_0\|^2$ into the short form of $\omega_t$, and
# it is $\frac12 (\mathrm{SNR}(t-1) - \mathrm{SNR}(t))$.

# %%
a, b = ab.sqrt(), (1 - ab).sqrt()
v, predicted_v = a * eps - b * x0, a * predicted - b * predicted_x0
agree("x0 from v and x0", a * x_t - b * v, x0, 1e-12)

snr = linear.snr[t - 1]
x0_error = (x0 - predicted_x0).square().sum(1)
agree("eps error and SNR * x0 error", (eps - predicted).square().sum(1), snr * x0_error, 1e-10)
agree("v error and (SNR + 1) * x0 error", (v - predicted_v).square().sum(1), (snr + 1) * x0_error, 1e-10)
agree("KL and (SNR(t-1) - SNR(t)) / 2 * x0 error", (linear.snr[t - 2] - snr) / 2 * x0_error, kl, 1e-10)

plots.curves(
    steps[1:],
    {
        r"$x_0$ loss": torch.ones(999),
        r"$\varepsilon$ loss (L_simple)": cosine.snr[1:],
        "$v$ loss": cosine.snr[1:] + 1,
        "bound": (cosine.snr[:-1] - cosine.snr[1:]) / 2,
    },
    title="Four losses, one error: the weight on the error in $x_0$ (cosine)",
    xlabel="t",
    ylabel="weight (log scale)",
    logy=True,
)

# %% [markdown]
# Read the figure from the right. At large $t$ the $\varepsilon$ loss hardly cares what $\hat x_0$ is, since $x_t$
# is nearly all noise and even a bad $\hat x_0$ predicts it well. The $v$ loss never falls below the $x_0$ loss.
# At small $t$ the $\varepsilon$ and $v$ losses coincide. With unlimited capacity and time all have the same minimum.
# A real network has neither, and the weight says where its errors may be large. Which of the three gives better samples is
# a question for an experiment. {{Section Find out}} makes it.
#
# ## 6. The loss as code
#
# ### Exercise {{03-eps_loss}}
#
# Write $L_\text{simple}$ for one batch. Make $x_t$ from $x_0$, $t$ and the noise, ask the model for its
# prediction, and return the mean squared error as a single number, averaged over the batch *and* over all pixels,
# so that the number does not depend on the size of either.
#
# *Hint.* Three lines are enough. Call the model as `eps_model(x_t, t)`, with the integers `t` as they are. The
# reshaped $\bar\alpha_t$ of the first exercise is of use again.


# %%
# EXERCISE 03-eps_loss (keep this line)
def eps_loss(eps_model, x0, t, eps, alpha_bar):
    """L_simple of one batch (Ho et al. 2020, eq. 14): the mean of (eps - eps_theta(x_t, t))^2.

    eps_model: called once, as eps_model(x_t, t), returns the predicted noise (B, *S). x0, eps: (B, *S).
    t: (B,), integers in 1..T. alpha_bar: (T,), alpha_bar_1..alpha_bar_T. Returns a scalar.
    """
    ### BEGIN SOLUTION
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return (eps - eps_model(x_t, t)).square().mean()
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("03-eps_loss", eps_loss)

# %% [markdown]
# ## 7. Noise, denoising and score are one thing
#
# Which function minimises the loss? For any function $f$ of $x_t$,
#
# $$\mathbb{E}\|\varepsilon - f(x_t)\|^2 = \mathbb{E}\big\|\varepsilon - \mathbb{E}[\varepsilon \mid x_t]\big\|^2 + \mathbb{E}\big\|\mathbb{E}[\varepsilon \mid x_t] - f(x_t)\big\|^2,$$
#
# because the cross term has mean 0 given $x_t$. The first part does not depend on $f$, so the minimiser is
# $\varepsilon^*(x_t, t) = \mathbb{E}[\varepsilon \mid x_t]$, the average noise among all pairs
# $(x_0, \varepsilon)$ that could have made this $x_t$. Through the formula of {{section From noise to the clean image}} it is the same as the average
# clean image, $\mathbb{E}[x_0 \mid x_t]$: *denoising*. And it is the slope of the log-density of the noisy data,
# the *score* (Robbins 1956; Miyasawa 1961; Vincent 2011; Efron 2011 names it Tweedie's formula):
#
# $$\begin{aligned}
# \nabla \log q(x_t) &= \frac{1}{q(x_t)} \int q(x_0)\, \nabla q(x_t \mid x_0)\, dx_0 && \text{derivative under the integral} \\
# &= \frac{1}{q(x_t)} \int q(x_0)\, q(x_t \mid x_0)\, \frac{-(x_t - \sqrt{\bar\alpha_t}\,x_0)}{1-\bar\alpha_t}\, dx_0 && q(x_t \mid x_0) \text{ is Gaussian} \\
# &= \mathbb{E}\left[ \frac{-\varepsilon}{\sqrt{1-\bar\alpha_t}} \,\middle|\, x_t \right] = -\frac{\varepsilon^*(x_t, t)}{\sqrt{1-\bar\alpha_t}} && x_t - \sqrt{\bar\alpha_t}\,x_0 = \sqrt{1-\bar\alpha_t}\,\varepsilon
# \end{aligned}$$
#
# So a network that predicts the noise points, up to a known factor, downhill in density; take the noise away and
# you go uphill, towards the data. `GaussianMixture` knows its density, its score and its denoiser exactly. The
# cell differentiates its log-density with autograd and compares with the noise that its denoiser implies.
# (`to_ve` divides by $\sqrt{\bar\alpha_t}$: the library's denoisers see
# $x_t/\sqrt{\bar\alpha_t} = x_0 + \sigma_t \varepsilon$.)

# %%
means = torch.tensor([[-1.0, 0.0], [1.0, 0.5], [0.0, -1.0]], dtype=torch.float64)
mixture = dc.denoisers.GaussianMixture(means, stds=torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64))
exact_mixture_eps = dc.denoisers.as_eps(mixture, cosine)  # eps*(x_t, t) in closed form

some_t = torch.tensor([50, 300, 600, 900])
points = dc.Noise(1).randn(4, 2, dtype=torch.float64).requires_grad_()
sigma = cosine.sigma(some_t)
log_q = mixture.log_density(dc.gaussian.to_ve(points, sigma), sigma)  # log q(x_t) up to a constant
score = torch.autograd.grad(log_q.sum(), points)[0]
root = cosine.take(cosine.one_minus_alpha_bar.sqrt(), some_t, points)
agree("exact noise and -sqrt(1 - alpha_bar) * score", exact_mixture_eps(points, some_t), -root * score, 1e-10)

# %% [markdown]
# ### The best possible loss is not 0
#
# $\mathbb{E}[\varepsilon \mid x_t]$ is an average, and the actual noise scatters around it. That scatter is the
# first part of the decomposition above: an **irreducible loss** which no network can beat. For a finite data set
# it can be computed, because `DatasetDenoiser` is the exact $\mathbb{E}[x_0 \mid x_t]$ of the training images.
# The cell runs your `eps_loss` with it, separately for each $t$. The digits' labels are known in training, so it
# uses the exact denoiser of each image's own class.
#
# For comparison it draws the loss of the best *linear* denoiser. Take one eigenvector of the data's covariance,
# with eigenvalue $\kappa$. Along it, $x_t$ is a signal of variance $\bar\alpha_t \kappa$ plus $\varepsilon$
# times $\sqrt{1-\bar\alpha_t}$. As in {{section With a fixed variance}} precisions add, and $\varepsilon$ given $x_t$ keeps the variance
# $\bar\alpha_t\kappa / (\bar\alpha_t\kappa + 1 - \bar\alpha_t)$: the noise in the coordinate has the precision 1 of
# $\mathcal N(0, 1)$, plus $(1-\bar\alpha_t)/(\bar\alpha_t\kappa)$ from $x_t$, in which the signal is what disturbs.
# The loss is the average over all eigenvectors.
#
# **Predict, then run.** At $t = T$ the image is pure noise. At $t = 1$ there is almost no noise. At which end, if
# any, is the noise easy to predict?

# %%
SIZE = course.pick(small=14, large=28)
try:
    train_set = data.load(course.pick(small="mnist-5k", large="mnist"), size=SIZE)
except dc.CourseError as error:
    print(f"{error}\nUsing mnist-5k instead.")
    train_set = data.load("mnist-5k", size=SIZE)
test_set = data.load("mnist-5k", split="test", size=SIZE)
exact = dc.denoisers.DatasetDenoiser(
    train_set.images.double().to(course.device), train_set.labels.to(course.device)
)


def loss_per_t(eps_model, images, times, alpha_bar=cosine.alpha_bar):
    """eps_loss at each time of `times` (n,), on the same images and noise: (n,)."""
    eps = dc.Noise(2).like(images)
    all_t = [torch.full((len(images),), int(t), device=images.device) for t in times]
    return torch.stack([eps_loss(eps_model, images, t, eps, alpha_bar.to(images)) for t in all_t])


every = len(train_set) // 128
some, some_labels = exact.data[::every], exact.labels[::every]
grid_t = torch.arange(20, 1001, 49)
floor = loss_per_t(dc.denoisers.as_eps(exact.given(some_labels), cosine), some, grid_t).cpu()

# %%
eigenvalues = torch.linalg.eigvalsh(train_set.images.flatten(1).double().T.cov()).clamp(min=0)
ab_grid = cosine.alpha_bar[grid_t - 1, None]
linear_loss = (ab_grid * eigenvalues / (ab_grid * eigenvalues + 1 - ab_grid)).mean(1)
print(
    f"mean over t: exact denoiser of the training set {floor.mean():.3f}, best linear denoiser {linear_loss.mean():.3f}"
)
claim("at the largest t both losses are below 0.001", max(floor[-1], linear_loss[-1]) < 0.001)
claim(
    "the linear one is largest at the smallest t, the exact one in between",
    linear_loss.argmax() == 0 and 0 < floor.argmax() < 19,
)
claim("at the smallest t the exact one is below 0.001", floor[0] < 0.001)
plots.curves(
    grid_t,
    {"best linear denoiser": linear_loss, "exact denoiser of the training set": floor},
    title="The loss that remains for the best denoiser",
    xlabel="t",
    ylabel=r"mean squared error of $\varepsilon$ per pixel",
)

# %% [markdown]
# At large $t$ both losses go to 0: $x_t$ nearly *is* the noise. At small $t$ the linear denoiser fails, since
# faint noise hides in the digits' own variation. The exact denoiser's loss peaks where $x_t$ fits several
# training images; here the shape is decided. At small $t$ it goes to 0, for a suspicious reason: only one
# training image is near, and it looks up which. It knows its images by heart. Sample with it, and it returns them
# ({{section Sampling}} shows this). A network that draws *new* digits stays above this floor at small $t$. A floor for the
# distribution of all digits exists too. It lies between the two curves, and nobody knows it.

# %%
quiz.ask("03-q4")

# %% [markdown]
# ## 8. Training
#
# **Algorithm 1** of Ho et al. 2020 is the loss with a loop around it:
#
# > Repeat until converged:
# > 1. draw $x_0$ from the data, $t$ uniform in $1 \dots T$, and $\varepsilon \sim \mathcal{N}(0, I)$;
# > 2. take a gradient step on $\|\varepsilon - \varepsilon_\theta(\sqrt{\bar\alpha_t}\,x_0 + \sqrt{1-\bar\alpha_t}\,\varepsilon,\; t)\|^2$.
#
# No step simulates the chain: $x_t$ comes from $x_0$ in one jump, and one image with one $t$ gives an unbiased
# estimate of the sum over all $t$ (up to the factor $1/T$).
#
# ### The network
#
# A **U-Net** maps an image to an image of the same size. On the way down it halves the resolution and sees more
# context per pixel, on the way up it returns to full resolution, and shortcuts carry the detail across. Ours is
# in `diffusion_course/nets/unet.py`, and short enough to read.
#
# | enters | how |
# |---|---|
# | $x_t$: `(B, 1, H, W)` | 2×2 pixels are folded into channels (`patch_size=2`), which makes the network four times cheaper; then a convolution |
# | $t$: `(B,)` | sines and cosines of $t$ at many frequencies, through a small perceptron: one vector per sample. In every block it scales and shifts the channels, so one network serves all noise levels |
# | label: `(B,)` | a learned vector per class, added to that of $t$; one more vector stands for "no label" |
#
# | leaves | |
# |---|---|
# | $\varepsilon_\theta$: `(B, 1, H, W)` | the output of the last convolution, plus $x_t$ times a number that depends on $t$ alone (at large $t$ the right answer is nearly $x_t$). Both start at 0: the untrained network predicts no noise, and its loss is 1 |
#
# A label is replaced by "no label" in 10 % of the training examples. So one network learns
# $\varepsilon_c = \varepsilon_\theta(x_t, t, y)$ for class $y$ and $\varepsilon_u = \varepsilon_\theta(x_t, t)$ for all digits. Sampling can then
# exaggerate the difference, $\varepsilon_u + w\,(\varepsilon_c - \varepsilon_u)$ with $w = 2$: *guidance*.
# Chapter 6 derives it. $w = 1$ is the plain conditional model.
#
# ### Exercise {{03-training_step}}
#
# Between Algorithm 1 and a program that trains lie a few habits that all training loops share. Write one whole step, with
# all of them:
#
# | what | how |
# |---|---|
# | draws | a $t$ for each sample, `draws.randint(1, T + 1, (B,))`, and the noise, `draws.randn(x0.shape)` |
# | $x_t$ | as in your `eps_loss` |
# | labels | a label becomes `net.no_label` where `draws.rand((B,))` is below `drop`; make a new tensor, and leave `labels` as it is |
# | loss | the mean square of `target(x0, eps, a) - net(x_t, t, labels)`. `a` is $\bar\alpha_t$, in a shape that multiplies `x0`. For $L_\text{simple}$, `target` returns `eps` |
# | learning rate | `lr` is that of this step. `optimizer.param_groups` is a list of dictionaries: write it into each of them, under the key `"lr"` |
# | gradient | zeroed, since `backward()` *adds* to it; then `backward()`; then `torch.nn.utils.clip_grad_norm_` takes one norm over the gradients of all weights of `net`, and shortens them to `max_norm` if it is longer: one odd batch must not throw the weights far away |
# | weights | `optimizer.step()`. It remembers earlier gradients, so it must be the one that is passed in |
# | average | `ema` is a second network. After the step each of its weights becomes `decay` times itself plus `1 - decay` times the new weight of `net`, under `torch.no_grad()`. It is the one to sample with: the weights of `net` still jump from step to step |
#
# Take all random numbers from `draws`, an object with three of torch's functions that needs no generator, dtype or device. Ask for what the
# table says, once in a step: a second call gives other numbers. The order of the three kinds does not matter.
#
# **What is judged.** Your function takes three steps with a network of a few weights, an optimiser with momentum and two
# groups, and draws that are the same for everybody. The check compares the loss, the gradient and the learning rates that
# `optimizer.step()` meets, and the weights of `net` and `ema` after each step. It tells where you leave the right path
# first: some slips show only in the second step. In its line of inputs, `x0 (3, 7, 2)` are three batches, `lr` has a number for each
# step, and `weights` and `classes` are the network's.
#
# *Hint.* `zip(ema.parameters(), net.parameters())` gives the weights in pairs, and `average.lerp_(weight, share)` moves one
# tensor in place towards another. `loss.item()` is the loss as a Python number.


# %%
# EXERCISE 03-training_step (keep this line)
def training_step(
    net, ema, optimizer, x0, labels, draws, alpha_bar, target, lr, decay, drop=0.1, max_norm=1.0
):
    """One step of training (Ho et al. 2020, algorithm 1). It changes net, optimizer and ema, and returns the loss.

    net, ema: networks of the same shape, called as net(x_t, t, labels) -> (B, *S); net.no_label is the label for "no label".
    optimizer: of the weights of net. x0: (B, *S). labels: (B,), integers. draws: .randint(low, high, size), .randn(size), .rand(size).
    alpha_bar: (T,), alpha_bar_1..alpha_bar_T. target: called as target(x0, eps, a), returns what net should predict.
    lr: learning rate of this step. decay: what ema keeps of itself. drop: share of labels to drop. max_norm: of the gradient.
    Returns a number without a graph.
    """
    ### BEGIN SOLUTION
    B, T = len(x0), len(alpha_bar)
    t, eps = draws.randint(1, T + 1, (B,)), draws.randn(x0.shape)
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    seen = torch.where(draws.rand((B,)) < drop, net.no_label, labels)
    loss = (target(x0, eps, a) - net(x_t, t, seen)).square().mean()

    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), max_norm)
    optimizer.step()
    with torch.no_grad():
        for average, weight in zip(ema.parameters(), net.parameters(), strict=True):
            average.lerp_(weight, 1 - decay)
    return loss.item()
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("03-training_step", training_step)

# %%
# The one place to change the recipe. Each knob has a value for a CPU and one for a GPU.
RECIPE = training.Recipe(
    steps=course.pick(small=460, large=6000),
    batch_size=course.pick(small=64, large=256),
    lr=course.pick(small=8e-3, large=2e-3),
    warmup=20,
    ema=course.pick(small=0.99, large=0.999),
)
NETWORK = course.pick(
    small={"patch_size": 2, "widths": (32,), "attention": (7,)},
    large={"patch_size": 2, "widths": (64, 96), "attention": (7,)},
)


def new_network():
    """The same untrained network at every call."""
    torch.manual_seed(0)
    return UNet(image_size=SIZE, num_classes=10, **NETWORK)


untrained = new_network()
x, y = train_set.images[:8], train_set.labels[:8]
out = untrained(x, torch.full((8,), 500.0), y)
print(
    f"{sum(p.numel() for p in untrained.parameters()):,} parameters; {tuple(x.shape)} -> {tuple(out.shape)}"
)
print("untrained: predicts 0 everywhere:", bool((out == 0).all()))

# %% [markdown]
# The library's loop calls *your* step. The `Trainer` brings what belongs to the loop: the batches, AdamW, a learning rate that
# warms up and then falls to 0 along a cosine, and a `decay` that is smaller in the first steps, which would otherwise
# remember the untrained network.
#
# Three networks are trained with it, which are to predict $\varepsilon$, $x_0$ and $v$. Each gets the first half of the steps. Then the
# first goes on to the end: it is the network of the next sections. {{Section Find out}} comes back to the three halves.

# %%
alpha_bar = cosine.alpha_bar.float().to(course.device)
TARGETS = {
    "eps": lambda x0, eps, a: eps,
    "x0": lambda x0, eps, a: x0,
    "v": lambda x0, eps, a: a.sqrt() * eps - (1 - a).sqrt() * x0,
}


def new_trainer(target):
    """A loop that calls your step, with this target, on an untrained network."""

    def update(loop, x0, labels):
        return training_step(
            loop.net, loop.ema, loop.optimizer, x0, labels, loop.draws, alpha_bar, target, loop.lr, loop.decay
        )

    images, labels = train_set.images, train_set.labels
    return training.Trainer(new_network(), None, images, labels, RECIPE, course.device, update=update)


# %%
# NBVAL_IGNORE_OUTPUT
bar = partial(tqdm, mininterval=1)  # seconds; more messages than that may pile up where nobody is looking
HALF = RECIPE.steps // 2
trainers = {kind: new_trainer(target) for kind, target in TARGETS.items()}
losses = {}
for kind, trainer in trainers.items():
    half = itertools.islice(trainer.run(), HALF)
    losses[kind] = [step.loss for step in bar(half, total=HALF, desc=f"{kind}, first half")]
halfway = {kind: copy.deepcopy(trainer.ema) for kind, trainer in trainers.items()}

trainer = trainers["eps"]
rest = bar(trainer.run(), total=RECIPE.steps - trainer.step, desc="eps, second half")
losses = torch.tensor(losses["eps"] + [step.loss for step in rest])
print(f"{trainer.step} steps in {trainer.seconds:.0f} s, and {HALF} of each of the two others")

# %% [markdown]
# **Predict, then run.** Where does the loss curve of the first network end: at 0, at the floor of {{section Noise, denoising}}, or above it?

# %%
# NBVAL_IGNORE_OUTPUT
window = max(2, len(losses) // 40)
smooth = losses.unfold(0, window, window).mean(1)
plots.curves(
    window * torch.arange(1, len(smooth) + 1),
    {
        f"training loss, mean of {window} steps": smooth,
        "best linear denoiser": linear_loss.mean().expand(len(smooth)),
        "exact denoiser of the training set": floor.mean().expand(len(smooth)),
    },
    title="Training loss and its references",
    xlabel="step",
    ylabel=r"$L_{simple}$ per pixel",
    ylim=(0, 0.4),
)

# %% [markdown]
# Most of the fall happens in the first steps, and then the curve is nearly flat. Do the samples still improve? This
# curve cannot say: it averages over all noise levels, and jumps from batch to batch. Where the network is better and where it is worse than each of its two references, only a plot against $t$ tells. It uses *test*
# images, which the network has not seen.

# %%
# NBVAL_IGNORE_OUTPUT
net = trainer.ema  # the averaged network, in eval mode


@torch.no_grad()
def eps_theta(x, t, labels=None):
    """The trained network. x: (B, 1, H, W), float64 or float32; t: (B,); labels: (B,) or None for "no label"."""
    return net(x.float(), t.float(), labels).to(x)


unseen = test_set.images[::25].to(course.device)
unseen_labels = test_set.labels[::25].to(course.device)
network_loss = loss_per_t(lambda x, t: eps_theta(x, t, unseen_labels), unseen, grid_t).cpu()
share = (network_loss < linear_loss).double().mean(), (network_loss > floor).double().mean()
print(
    f"the network is better than the best linear denoiser at {share[0]:.0%} of these t, above the memoriser at {share[1]:.0%}"
)
plots.curves(
    grid_t,
    {
        "best linear denoiser": linear_loss,
        "network, test images": network_loss,
        "exact denoiser of the training set": floor,
    },
    title="Where the network stands, at each noise level",
    xlabel="t",
    ylabel=r"mean squared error of $\varepsilon$ per pixel",
)

# %% [markdown]
# What a network can gain over a linear denoiser it gains at small and middle $t$; at large $t$ both are close to the
# floor. And it stays above the memoriser where only the memoriser can be perfect.
#
# The slider shows one test digit at noise level $t$: the noisy $x_t$, the true noise, the predicted noise, and
# the clean image that the prediction implies through your `x0_from_eps`. Watch the last tile from the right end
# of the slider to the left. At the very end it shows black and white flecks: even a small error of the noise becomes large
# when it is divided by $\sqrt{\bar\alpha_t}$, which is nearly 0 there ({{section Sampling}} clips it). Then comes a grey blur,
# the average of all digits of this class, then a digit, then *the* digit. Look at $\varepsilon_\theta$ at small $t$ as well: on the black background the network sees every grain
# of noise, on the strokes it cannot tell grain from ink, and predicts less.

# %%
digit, digit_label = test_set.images[701:702].to(course.device), test_set.labels[701:702].to(course.device)
digit_noise = dc.Noise(3).like(digit)


def look(t=400):
    time = torch.tensor([t], device=course.device)
    x_t = dc.gaussian.diffuse(digit, time, digit_noise, cosine)
    predicted = eps_theta(x_t, time, digit_label)
    guess = x0_from_eps(x_t, time, predicted, alpha_bar)
    tiles = torch.cat([digit, x_t, digit_noise / 2, predicted / 2, guess])
    names = ["$x_0$", "$x_t$", r"$\varepsilon$", r"$\varepsilon_\theta$", r"$\hat x_0$"]
    return plots.images(tiles, title=f"t = {t}, signal-to-noise ratio {cosine.snr[t - 1]:.3g}", titles=names)


widgets.slide(
    look,
    t=(1, 1000),
    description="A digit, its noisy version, the true and the predicted noise, and the predicted clean digit",
    static=[{"t": t} for t in (20, 200, 400, 600, 800, 950)],
)

# %% [markdown]
# ## 9. Sampling
#
# **Algorithm 2** of Ho et al. 2020 walks the chain backwards:
#
# > Draw $x_T \sim \mathcal{N}(0, I)$. For $t = T, T-1, \dots, 1$:
# > 1. draw $z \sim \mathcal{N}(0, I)$ if $t > 1$, else set $z = 0$;
# > 2. set $x_{t-1} = \dfrac{1}{\sqrt{\alpha_t}} \Big( x_t - \dfrac{\beta_t}{\sqrt{1-\bar\alpha_t}}\, \varepsilon_\theta(x_t, t) \Big) + s_t z$.
# >
# > Return $x_0$.
#
# Each step draws from $p_\theta(x_{t-1} \mid x_t) = \mathcal{N}(\mu_\theta, s_t^2 I)$. With
# $s_t^2 = \tilde\beta_t$ the rule "$z = 0$ at $t = 1$" needs no `if`: $\bar\alpha_0 = 1$, so
# $\tilde\beta_1 = 0$. The last step adds no noise, because no later step would remove it.
#
# ### Exercise {{03-ddpm_step}}
#
# Write one step of Algorithm 2 with $s_t^2 = \tilde\beta_t$. The whole batch is at the same $t$, a Python
# integer, and the noise `z` is given.
#
# *Hint.* Compute $\bar\alpha$ from `betas` first. Take care with $\bar\alpha_{t-1}$ at $t = 1$: what does Python
# read at index $-1$? The model wants one time per sample, a tensor of shape `(B,)` on the device of `x_t`:
# `torch.full`.


# %%
# EXERCISE 03-ddpm_step (keep this line)
def ddpm_step(eps_model, x_t, t, z, betas):
    """One step x_t -> x_{t-1} with the posterior variance (Ho et al. 2020, algorithm 2 and eq. 7).

    eps_model: called once, as eps_model(x_t, times) with integer times (B,), returns the predicted noise (B, *S).
    x_t, z: (B, *S). t: a Python integer in 1..T. betas: (T,), beta_1..beta_T. Returns (B, *S).
    """
    ### BEGIN SOLUTION
    alpha_bar = torch.cumprod(1 - betas, dim=0)
    beta, a = betas[t - 1], alpha_bar[t - 1]
    a_prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(a)
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    mean = (x_t - beta / (1 - a).sqrt() * eps) / (1 - beta).sqrt()
    return mean + (beta * (1 - a_prev) / (1 - a)).sqrt() * z
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("03-ddpm_step", ddpm_step)

# %% [markdown]
# ### Fewer steps, and a clipped guess
#
# Two practical details before the loop.
#
# **Fewer steps.** A thousand network calls take minutes on a CPU. Keep only the times $\tau_1 < \dots < \tau_n$.
# Between two kept times the forward process is again one Gaussian step, which keeps the share
# $\bar\alpha_{\tau_i}/\bar\alpha_{\tau_{i-1}}$. So the kept times form a shorter schedule with
# $\beta'_i = 1 - \bar\alpha_{\tau_i}/\bar\alpha_{\tau_{i-1}}$ (Nichol & Dhariwal 2021, section 4, eq. 19), and
# `ddpm_step` runs on it unchanged. The network must still be told the time it was trained with: $\tau_i$, not
# $i$.
#
# **A clipped guess.** At $t = T$ of the cosine schedule $\sqrt{\bar\alpha_T} = 0.00005$, and $\hat x_0$ divides
# by it: an error of 0.01 in the predicted noise becomes an error of 200 in $\hat x_0$. Pixels lie in $[-1, 1]$,
# so clip $\hat x_0$ to that range and turn it back into a noise. Algorithm 2 does not mention it; the code of Ho
# et al., and nearly every other, does it. Your `x0_from_eps` gets a second use.


# %%
def shorten(schedule, n):
    """n evenly spaced times tau_1 < ... < tau_n = T, and the betas of the short schedule, both (n,)."""
    times = dc.schedules.uniform_timesteps(schedule.T, n).flip(0)
    kept = schedule.alpha_bar[times - 1]
    previous = torch.cat([torch.ones(1, dtype=kept.dtype), kept[:-1]])
    return times, 1 - kept / previous


def clipped(eps_model, schedule=cosine):
    """eps_model with its implied x_0 clipped to [-1, 1]."""

    def model(x_t, t):
        guess = x0_from_eps(x_t, t, eps_model(x_t, t), schedule.alpha_bar.to(x_t.device)).clamp(-1, 1)
        return dc.gaussian.eps_from_x0(x_t, t, guess, schedule)

    return model


times, betas = shorten(cosine, 30)
agree(
    "short schedule: alpha_bar and that at the kept times",
    (1 - betas).cumprod(0),
    cosine.alpha_bar[times - 1],
    1e-12,
)

# %% [markdown]
# The loop is Algorithm 2. It carries the state in float64, and `noise` gives the $z$ of each step.


# %%
@torch.no_grad()
def generate(eps_model, x, times, betas, noise, stop=0, step=None):
    """Algorithm 2 on a short schedule: from x_T = x down to x_stop. times, betas: (n,). step: None for your ddpm_step."""
    step = step or ddpm_step  # looked up in every call: a new ddpm_step is used at once
    where = times.to(x.device)
    for i in range(len(betas), stop, -1):
        x = step(lambda x, i: eps_model(x, where[i - 1]), x, i, noise.like(x), betas)
    return x


def guided(labels, w):
    """eps_u + w (eps_c - eps_u); w = 1 is the conditional network alone."""

    def eps_model(x, t):
        eps_c = eps_theta(x, t, labels)
        if w == 1:
            return eps_c
        eps_u = eps_theta(x, t)
        return eps_u + w * (eps_c - eps_u)

    return eps_model


def start(n):
    """n pictures of pure noise, and the labels 0, 1, ..., 9, 0, 1, ... for them."""
    x = dc.Noise(4).randn(n, 1, SIZE, SIZE, device=course.device, dtype=torch.float64)
    return x, torch.arange(n, device=course.device) % 10


# %% [markdown]
# ### First with exact denoisers
#
# A sampler deserves a test in which the network cannot be blamed. With the exact denoiser of the training set
# your loop and the library's sampler must give the same pictures from the same noise. The library's `ddpm` is
# written for $x_t/\sqrt{\bar\alpha_t}$, so the start is converted with `to_ve`; the random numbers are replayed
# from the same seed.

# %%
ten, y = start(10)
exact_eps = dc.denoisers.as_eps(exact.given(y), cosine)
mine = generate(exact_eps, ten, times, betas, dc.Noise(5))

grid = cosine.grid(times.flip(0))
exact_samples = dc.sample(
    exact.given(y), dc.gaussian.to_ve(ten, grid[0]), grid, dc.samplers.ddpm, dc.Noise(5)
)
agree("your loop and the library's sampler, with the exact denoiser", mine, exact_samples, 1e-8)
distance = torch.cdist(mine.flatten(1), exact.data.flatten(1)).min(1).values
print("every sample is a training image to within 0.01:", bool((distance < 0.01).all()))

# %% [markdown]
# The last line is the memoriser again. The exact minimiser of $L_\text{simple}$ on a finite data set generates
# that data set. Everything new that a diffusion model draws comes from the ways in which the network is *not* the
# exact minimiser.
#
# It also makes this test weaker than it looks. Near the end the memoriser snaps to its image, whatever state it is
# shown: a slip in the last steps leaves no trace in the sample. So compare **single steps**, each from the same state
# with the same noise, and take an exact denoiser that does not snap, the one of the mixture in
# {{section Noise, denoising}}. The cell does so at all 30 steps, for your step and for two slips, and beside it
# repeats the test above.


# %%
def step_errors(step):
    """How far `step` is from the library's, at each step of the short schedule: (n,), from the smallest t on."""
    errors = []
    for i in range(1, len(betas) + 1):
        sigma, sigma_next = grid[len(betas) - i], grid[len(betas) - i + 1]
        clean, _ = mixture.sample(20, dc.Noise(i))
        state = clean + sigma * dc.Noise(100 + i).like(clean)
        theirs = dc.samplers.ddpm(mixture, state, sigma, sigma_next, dc.Noise(200 + i))
        x_t, z = dc.gaussian.to_vp(state, sigma), dc.Noise(200 + i).like(clean)
        mine = step(lambda x, i: exact_mixture_eps(x, times[i - 1]), x_t, i, z, betas)
        errors.append((mine - dc.gaussian.to_vp(theirs, sigma_next)).abs().max())
    return torch.stack(errors)


def no_noise_at_2(eps_model, x_t, t, z, betas):
    return ddpm_step(eps_model, x_t, t, z if t > 2 else torch.zeros_like(z), betas)


def beta_for_beta_tilde(eps_model, x_t, t, z, betas):
    mean = ddpm_step(eps_model, x_t, t, torch.zeros_like(z), betas)
    return mean + betas[t - 1].sqrt() * z if t > 1 else mean


for name, step in {
    "your step": ddpm_step,
    "no noise at i = 2 either": no_noise_at_2,
    "variance beta, but z = 0 at i = 1": beta_for_beta_tilde,
}.items():
    pictures = generate(exact_eps, ten, times, betas, dc.Noise(5), step=step)
    errors = step_errors(step)
    print(f"{name:34} same pictures: {bool((pictures - exact_samples).abs().max() < 1e-8)},", end=" ")
    print(f"steps that differ by more than 1e-8: {int((errors > 1e-8).sum()):2} of 30")

# %% [markdown]
# ### Then with your network
#
# The judge is a small classifier, trained by the course on the full MNIST. The samples are enlarged to its 28×28
# pixels, and it counts as *recognised* those to which it gives the label that was asked for. Real test digits,
# shrunk and enlarged in the same way, show what it can reach at best. A share without an interval says little, so
# each comes with its 95 % interval, Wilson's: in
# 95 of 100 repetitions of the experiment it holds the true share.

# %%
# NBVAL_IGNORE_OUTPUT
judge = zoo.judge("mnist", course.device)


def marked(images, labels):
    """One mark per image: "1" where the judge recognises it."""
    large = F.interpolate(images.float().clamp(-1, 1), (28, 28), mode="bilinear")
    return "".join("01"[mark] for mark in metrics.recognised(judge, large, labels).tolist())


def recognised(images, labels):
    """The share of the images that the judge recognises, its Wilson interval, and both as text."""
    k, n = marked(images, labels).count("1"), len(labels)
    low, high = metrics.wilson(k, n)
    return k / n, (low, high), f"{k} of {n} = {k / n:.3f} (95 % interval {low:.3f} to {high:.3f})"


print(
    "real test digits:", recognised(test_set.images.to(course.device), test_set.labels.to(course.device))[2]
)

# %%
# NBVAL_IGNORE_OUTPUT
x, y = start(200)
model = clipped(guided(y, 2.0))
before_last = generate(model, x, times, betas, dc.Noise(6), stop=1)  # x_1: one step is missing
z = dc.Noise(7).like(x)
guidance_2 = ddpm_step(model, before_last, 1, z, betas)
no_guidance = generate(clipped(guided(y, 1.0)), x, times, betas, dc.Noise(6))

print("no guidance:", recognised(no_guidance, y)[2])
print("guidance 2: ", recognised(guidance_2, y)[2])
marks = [marked(images, y) for images in (no_guidance, guidance_2)]
claim(
    "guidance 2 is recognised more often, beyond chance (McNemar)",
    sum(map(int, marks[1])) > sum(map(int, marks[0])) and mcnemar(*marks) < 0.05,
)
plots.images(guidance_2[:40], title="Guidance 2: one class per column")

# %% [markdown]
# Each column is one class, each row a new draw of the noise, and all of it after less than a minute of training on two CPU
# cores. Both rows of numbers come from the same noise, so they are compared in pairs: only the samples that one of them
# got right and the other wrong tell anything (McNemar's test). Chapter 6 measures what guidance gives, and what it
# takes.
#
# The same comparison with the library as for the exact denoiser, now with the network. A sample depends on its
# own noise stream only (`dc.Noise` gives each row one), so ten pictures made by the library must equal the first
# ten of the 200.

# %%
D = clip(dc.denoisers.Preconditioned(net, dc.denoisers.eps_param(cosine)).given(y[:10]))
theirs = dc.sample(D, dc.gaussian.to_ve(x[:10], grid[0]), grid, dc.samplers.ddpm, dc.Noise(6))
agree("your loop and the library's sampler, with the network", no_guidance[:10], theirs, 1e-3)

# %%
quiz.ask("03-q5")

# %% [markdown]
# ## 10. What goes wrong without a message
#
# Five slips in four kinds, all easy to make. None raises an error. All pictures below start from the same noise as
# the right ones.
#
# - **noise on the last step**: noise of variance $\beta_1$ is added at $t = 1$ as well, without the rule "$z = 0$ at $t = 1$";
# - **index −1**: $\bar\alpha_{t-1}$ read as `alpha_bar[t - 2]` at $t = 1$ is `alpha_bar[-1]`, the *last* entry,
#   nearly 0, in place of $\bar\alpha_0 = 1$. Then $\tilde\beta_1 = \beta_1 (1 - 0) / (1 - \bar\alpha_1) = 1$;
# - **time before, time after** (two slips): the network is told a neighbouring entry of the list of kept times, as
#   when one loop counts from 0 and the other from 1. Here a neighbour is 34 or 35 of the
#   1000 times away; on the full list it would be one;
# - **no clipping** of $\hat x_0$, with the cosine schedule.
#
# **Predict, then run.** Rank the five by damage.
#
# The first two differ from the right samples in the last step only, so they need no new run. The cell prints two
# numbers for each: the share that the judge recognises, and the *grain*: how far, on average, the pixels of the
# outermost ring are from black. (In the training images that ring is almost always black.)


# %%
def told(eps_model, shift):
    """eps_model that is told the kept time `shift` entries away from the right one."""

    def model(x, t):
        i = torch.searchsorted(times.to(t.device), t) + shift
        return eps_model(x, times.to(t.device)[i.clamp(0, len(times) - 1)])

    return model


x, fifty_labels = start(50)
model = guided(fifty_labels, 2.0)
short = (1 - betas).cumprod(0)
variance_index = betas[0] * (1 - short[-1]) / (1 - short[0])  # alpha_bar[-1] taken for alpha_bar_0

slips = {
    "right": guidance_2[:50],
    "noise on last step": guidance_2[:50] + betas[0].sqrt() * z[:50],
    "index -1": guidance_2[:50] + variance_index.sqrt() * z[:50],
    "time before": generate(clipped(told(model, -1)), x, times, betas, dc.Noise(6)),
    "time after": generate(clipped(told(model, +1)), x, times, betas, dc.Noise(6)),
    "no clipping": generate(model, x, times, betas, dc.Noise(6)),
}

# %%
# NBVAL_IGNORE_OUTPUT
ring = F.pad(torch.zeros(SIZE - 2, SIZE - 2, dtype=torch.bool), (1, 1, 1, 1), value=True).to(course.device)
results = {name: recognised(images, fifty_labels) for name, images in slips.items()}
grain = {name: (images[..., ring] + 1).abs().mean().item() for name, images in slips.items()}
for name, (_, _, text) in results.items():
    print(f"{name:18}  grain {grain[name]:.3f}   recognised {text}")

shares = {name: found[0] for name, found in results.items()}
claim(
    "index -1 is recognised least and has the most grain",
    min(shares, key=shares.get) == max(grain, key=grain.get) == "index -1",
)
right_marks = marked(slips["right"], fifty_labels)
claim(
    "counting 50 pictures does not tell a wrong time from the right one (McNemar)",
    all(
        mcnemar(right_marks, marked(slips[name], fifty_labels)) > 0.05
        for name in ("time before", "time after")
    ),
)
claim(
    "a wrong time raises the grain",
    min(grain["time before"], grain["time after"]) > grain["right"],
)
claim(
    "no clipping loses more pictures than a wrong time",
    shares["no clipping"] < min(shares["time before"], shares["time after"]),
)
claim(
    "noise on the last step changes the grain by less than 0.005",
    abs(grain["noise on last step"] - grain["right"]) < 0.005,
)

# %% [markdown]
# And would the test of single steps have found them?


# %%
def last_noise(eps_model, x_t, t, z, betas):
    added = betas[0].sqrt() * z if t == 1 else 0
    return ddpm_step(eps_model, x_t, t, z, betas) + added


def index_minus_1(eps_model, x_t, t, z, betas):
    added = variance_index.sqrt() * z if t == 1 else 0
    return ddpm_step(eps_model, x_t, t, z, betas) + added


def time_off(shift):
    """ddpm_step that tells the model another index; clamped to the list."""
    return lambda model, x, i, z, betas: ddpm_step(
        lambda x, i: model(x, (i + shift).clamp(1, len(betas))), x, i, z, betas
    )


def unclipped(eps_model, x_t, t, z, betas):
    return ddpm_step(eps_model, x_t, t, z, betas)  # exact answers need no clipping: nothing to see


tested = [last_noise, index_minus_1, time_off(-1), time_off(+1), unclipped]
for name, step in zip(list(slips)[1:], tested, strict=True):
    print(f"{name:18}  found by the test of single steps: {bool(step_errors(step).max() > 1e-8)}")

# %%
rows = torch.stack([images[:10] for images in slips.values()], dim=1)
plots.filmstrip(
    rows,
    [str(k) for k in range(10)],
    title="The same noise, sampled right and with five slips",
    rows=list(slips),
)

# %%
plots.bars(
    {name.replace(" ", "\n", 1): share for name, (share, _, _) in results.items()},
    intervals={name.replace(" ", "\n", 1): ends for name, (_, ends, _) in results.items()},
    title="Share of 50 samples recognised, with 95 % intervals",
    xlabel="sampler",
    ylabel="share recognised",
)

# %% [markdown]
# - *Index −1* adds noise of standard deviation 1 at the end. It is the most harmful slip and the easiest to see.
# - *No clipping* spoils many pictures completely, and not by noise: they come out black, or as blots and
#   fragments. The amplified error of the very first step ({{section The loss in the noise}}) sends the chain to a place
#   where no training image ever was.
# - *Time before* and *time after* leave pictures that the judge still reads. The damage is in the grain, and in
#   strokes that are a little too rough or too smooth. Nothing else tells you; the loss is right and the code
#   runs.
# - *Noise on the last step* is invisible here, since $\beta_1$ of this schedule is 0.00004, a standard deviation
#   of 0.006. With the linear schedule it is 0.01, about one grey level of 255. It matters as soon as somebody
#   measures likelihoods or the noise of images, and with a shorter schedule that does not end at $t = 1$.
#
# A judge measures legibility and nothing else: take a second measure that looks elsewhere. And test a sampler
# with an exact denoiser first, step by step, as {{section Sampling}} did. Only sampling without clipping passes that
# test, because exact answers need no clipping.

# %%
quiz.ask("03-q2")

# %%
quiz.ask("03-q3")

# %% [markdown]
# ## 11. Find out: noise, clean image or v?
#
# Algorithm 1 asks the network for $\varepsilon$. {{Section The same loss}} could as well ask for $x_0$ or $v$: three losses that weigh one error differently. In
# {{section Training}} your step has trained one network of each kind. They began with the same weights and saw the same
# images, times and noises, for the same number of steps at the same cost. Only `target` differed.
#
# **Predict, then run.** Rank the three by how many of their samples the judge will recognise, and write your ranking into the
# next cell. What in the figure of {{section The same loss}} speaks for it?

# %%
MY_RANKING = ["eps", "x0", "v"]  # these three names, the best first: change it before you go on

# %% [markdown]
# The cell draws 200 digits with each network, from the same noise at the start and in every step, with your sampler and
# without guidance. `x0_param` and `v_param` know what the output means, and `as_eps` makes of any denoiser a model that predicts noise.

# %%
# NBVAL_IGNORE_OUTPUT
PARAMS = {"eps": dc.denoisers.eps_param, "x0": dc.denoisers.x0_param, "v": dc.denoisers.v_param}
x, wanted = start(200)
compared = {}
for kind, network in halfway.items():
    D = dc.denoisers.Preconditioned(network, PARAMS[kind](cosine)).given(wanted)
    compared[kind] = generate(clipped(dc.denoisers.as_eps(D, cosine)), x, times, betas, dc.Noise(6))
    print(f"{kind:3} after {HALF} steps: recognised {recognised(compared[kind], wanted)[2]}")

rows = torch.cat([images[:10] for images in compared.values()])
plots.images(rows, title="The same noise, by networks that predict eps, x0 and v (rows)")

# %% [markdown]
# ### Exercise {{03-shown_better}}
#
# Which of these differences may you believe? The samples are in pairs: sample $n$ of every network grew from one noise, and
# some noises are hard for all of them. So take each sample's difference of marks: $\delta_n = 1$ where network $i$ is recognised
# and $j$ is not, $-1$ the other way round, else 0. With $N$ samples,
#
# $$\bar\delta = \frac1N \sum_{n=1}^N \delta_n, \qquad s^2 = \frac1N \sum_{n=1}^N (\delta_n - \bar\delta)^2, \qquad \text{interval: } \bar\delta \pm k \frac{s}{\sqrt N}.$$
#
# $\bar\delta$ is the difference of the two shares, $s/\sqrt N$ its standard error, and $k$ says how many of them the interval
# reaches to either side. The data *show* that $i$ is better than $j$ where the whole interval lies above 0, and a lower end of exactly 0 does not. Else they leave it
# open, which is not the same as equal.
#
# Write this for all pairs of $M$ methods at once. For two methods with the marks $(1, 1, 1, 0)$ and $(0, 1, 0, 0)$ and
# $k = 1.5$, `difference[0, 1]` is 0.5, `reach[0, 1]` is 0.375, and `shown[0, 1]` is true; `shown[1, 0]` is not, nor are
# `shown[0, 0]` and `shown[1, 1]`.
#
# **What is judged.** All three results, for other $M$ and $N$ (one sample, too), in float64 and float32, for ties, and where one
# method is better on every sample. An interval may reach beyond $\pm 1$: nothing is cut.
#
# *Hint.* `marks[:, None] - marks[None]` has the shape `(M, M, N)`.


# %%
# EXERCISE 03-shown_better (keep this line)
def shown_better(marks, k):
    """Which of M methods do N paired samples show to be better than which?

    marks: (M, N), floats, 1 where a sample is recognised and 0 where not; column n has the same noise in all rows.
    k: how many standard errors an interval reaches to either side, > 0.
    Returns three tensors (M, M): difference, share of i minus share of j; reach, half the width of its interval; and
    shown, bool: does the interval of entry [i, j] lie above 0? The first two have the dtype of marks.
    """
    ### BEGIN SOLUTION
    d = marks[:, None] - marks[None]  # (M, M, N)
    difference = d.mean(-1)
    reach = k * (d.var(-1, correction=0) / marks.shape[1]).sqrt()
    return difference, reach, difference > reach
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("03-shown_better", shown_better)

# %% [markdown]
# One interval of 95 % takes $k = 1.96$. Here are three of them, and *all* shall hold in 95 of 100 repetitions. Then each may
# fail in $5/3$ % of them only, which takes $k = 2.39$ (Bonferroni).

# %%
# NBVAL_IGNORE_OUTPUT
kinds = list(compared)
all_marks = torch.tensor([[float(m) for m in marked(images, wanted)] for images in compared.values()])
difference, reach, shown = shown_better(all_marks, k=2.39)
for i, j in itertools.combinations(range(3), 2):
    verdict = "open" if not (shown[i, j] or shown[j, i]) else f"{kinds[i if shown[i, j] else j]} is better"
    print(f"{kinds[i]} - {kinds[j]}: {difference[i, j]:+.3f} ± {reach[i, j]:.3f}   {verdict}")

ranked = [kinds.index(kind) for kind in MY_RANKING]
yours = list(itertools.combinations(ranked, 2))
kept, broken = (sum(bool(shown[p]) for p in pairs) for pairs in (yours, [p[::-1] for p in yours]))
print(
    f"of the 3 pairs of your ranking {kept} are shown, {broken} are contradicted, {3 - kept - broken} stay open"
)
claim("the network that predicts v is shown to be better than both others", shown[2, 0] and shown[2, 1])

# %% [markdown]
# **How to read it.** What is not shown is left open: "about equal" would be another claim, and would need an interval that
# is narrow around 0. For what is shown, the figure of {{section The same loss}} has an explanation. At large $t$ the $\varepsilon$ loss
# hardly asks for $\hat x_0$, where shapes are decided; at small $t$ the $x_0$ loss hardly asks for detail. The weight of $v$, $\mathrm{SNR}(t) + 1$,
# is never below either. But an explanation after the fact is a guess, and the measurement itself speaks of *three files*:
#
# - the intervals count the chance of the samples. A second seed of the training is another experiment, and nobody has asked
#   here how far two seeds lie apart;
# - one learning rate served all three, and it had been chosen for $\varepsilon$; and after a few hundred steps a ranking is one of
#   beginnings;
# - target and weight changed together. To part them, train $x_0$ with the weight $\mathrm{SNR}(t) + 1$: by the formulas of
#   {{section The same loss}} its loss is then that of $v$, and what differs is the output alone;
# - the judge looks at legibility.
#
# What is known: Ho et al. (2020, section 3.2) found worse samples with $x_0$ early in their experiments. Salimans & Ho
# (2022, table 1) trained all three outputs under several weights on CIFAR-10, to the end and with three seeds. There no
# output is best under every weight. What speaks for $v$ in their paper is
# stability at few sampling steps, where $\hat x_0$ from $\varepsilon$ divides by nearly 0.

# %% [markdown]
# ## 12. How many steps?
#
# The slider shows twenty digits sampled with 5 to 100 of the 1000 steps. All begin with the same noise.

# %%
x, y = start(20)


def grid_of_samples(n):
    """20 guided samples with n steps, as a figure."""
    few_times, few_betas = shorten(cosine, n)
    images = generate(clipped(guided(y, 2.0)), x, few_times, few_betas, dc.Noise(6))
    return plots.images(images, title=f"{n} steps, {recognised(images, y)[0]:.0%} of these 20 recognised")


widgets.slide_frames(
    {n: grid_of_samples(n) for n in (5, 10, 30, 100)},
    "steps",
    description="Twenty digits sampled with a given number of steps",
    static=[{"steps": n} for n in (5, 10, 30, 100)],
    labels={"steps": "sampling steps"},
)

# %% [markdown]
# Five steps already give digits, a little grey and smooth. With more steps the strokes become sharper. Twenty samples cannot rank 30 against 100 steps; remember the width of the intervals above. With
# another number of steps each picture changes, although the noise at the start is the same, because fresh noise
# enters at every step. Chapter 7 removes it, and then the picture is a function of the first noise alone.
#
# ## Common slips
#
# - **Two names for a noise.** $\varepsilon$ is the noise in $x_t$, $z$ the fresh noise of a sampling step. The term
#   with the noise of step $t$ is $L_{t-1}$, after the state that it predicts.
# - **$\alpha_t$ for $\beta_t$.** Some texts write $\alpha_t$ for the variance that is added. In eq. 11 the two stand
#   side by side, and swapping them is fatal.
# - **Counting flaws in a few dozen samples**, without an interval. Quiz 03-q5 shows how little that can tell.
# - **Clipping that nobody mentions.** Algorithm 2, as printed by Ho et al., does not clip $\hat x_0$; their code
#   does. With the cosine schedule the difference decides ({{section What goes wrong}}).
#
# ## Summary
#
# - With $\Sigma_\theta = s_t^2 I$ each term of the bound is
#   $\frac{1}{2s_t^2}\|\tilde\mu_t - \mu_\theta\|^2$ plus a constant. $s_t^2 = \beta_t$ is exact for
#   data from $\mathcal{N}(0, I)$, $\tilde\beta_t$ for a single point.
# - Eq. 11 turns a predicted noise into a mean. The term becomes $\omega_t \|\varepsilon - \varepsilon_\theta\|^2$, and
#   $L_\text{simple}$ drops $\omega_t$, which moves the emphasis away from the nearly clean images.
# - Losses in $\varepsilon$, $x_0$, $v$ and the bound differ only by a weight on the same error. Which trains best is a
#   question of measurement, and a comparison of one run each ranks files, not methods.
# - A training step draws $t$ and noise for each sample, zeroes the gradient, clips it before the step, and lets the average
#   follow after it.
# - The best $\varepsilon_\theta$ is $\mathbb{E}[\varepsilon \mid x_t]$: a denoiser, and the score up to
#   $-\sqrt{1-\bar\alpha_t}$. Its loss is not 0, and the exact minimiser on a finite data set copies it.
# - Test a sampler with an exact denoiser, step by step, judge samples with an interval, and look at them.
#
# ## References
#
# - Ho, Jain, Abbeel (2020). [*Denoising diffusion probabilistic models.*](https://arxiv.org/abs/2006.11239) Sections 3.2
#   to 3.4; eqs. 4, 5, 7, 8, 11, 12, 14, 15; algorithms 1 and 2; table 1.
# - Nichol, Dhariwal (2021). [*Improved denoising diffusion probabilistic models.*](https://arxiv.org/abs/2102.09672)
#   Eq. 17 (cosine schedule), section 4 (fewer steps).
# - Song, Meng, Ermon (2021). [*Denoising diffusion implicit models.*](https://arxiv.org/abs/2010.02502) Table 1 (the two
#   variances).
# - Salimans, Ho (2022). [*Progressive distillation for fast sampling of diffusion
#   models.*](https://arxiv.org/abs/2202.00512) Section 4, appendix D ($v$); table 1.
# - Kingma, Salimans, Poole, Ho (2021). [*Variational diffusion models.*](https://arxiv.org/abs/2107.00630) The bound as a
#   weight on the error in $x_0$, eq. 13.
# - Ho, Salimans (2021). [*Classifier-free diffusion guidance.*](https://arxiv.org/abs/2207.12598)
# - Robbins (1956). [*An empirical Bayes approach to statistics.*](https://projecteuclid.org/euclid.bsmsp/1200501653)
# - Miyasawa (1961). *An empirical Bayes estimator of the mean of a normal population.*
# - Vincent (2011). [*A connection between score matching and denoising autoencoders.*](https://doi.org/10.1162/NECO_a_00142)
# - Efron (2011). [*Tweedie's formula and selection bias.*](https://doi.org/10.1198/jasa.2011.tm11181)
# - Ronneberger, Fischer, Brox (2015). [*U-Net: convolutional networks for biomedical image
#   segmentation.*](https://arxiv.org/abs/1505.04597)
# - McNemar (1947). [*Note on the sampling error of the difference between correlated proportions or
#   percentages.*](https://doi.org/10.1007/BF02295996)
# - Wilson (1927). [*Probable inference, the law of succession, and statistical
#   inference.*](https://doi.org/10.1080/01621459.1927.10502953)

# %%
# NBVAL_CHECK_OUTPUT
check_all()
