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
# # 5. Learned variance, weights, averages
#
# Chapter 3 left three choices open. Which variance has a step of the reverse chain? How much does each $t$ count in the loss?
# And which weights of a training run does one sample with? Each looks like a detail. The first decides the likelihood, and
# how much noise a picture of 25 steps keeps. The second decides what a network is good at.
#
# **You learn**
#
# - why the two usual variances are nearly equal in most of 1000 steps, and far apart in 25;
# - how a network answers a variance: between two bounds, on a logarithmic scale;
# - the hybrid loss, what its stop-gradient stops, and what the factor $T/1000$ is;
# - to estimate bits per dimension from a few random $t$ with an interval, and when not to trust it;
# - that the losses of $\varepsilon$, $x_0$ and $v$ are one loss with three weights, and that a weight and a density of $t$ can
#   stand for each other;
# - what an exponential average of the weights remembers.
#
# **You need** the bound and the KL of two Gaussians from chapter 2, the mean from $\varepsilon$ and
# $L_\text{simple}$ from chapter 3, and the log-SNR from chapter 4. Each is repeated here in one line.
#
# **Time**: {{reading}} of reading, and {{minutes}} for {{exercises}}. The cells run in about a minute on 2 CPU cores; it was
# not measured on a GPU.

# %% [markdown]
# ## Notation
#
# {{notation x0 d t beta alpha alpha_bar x_t snr lambda sigma_t posterior model_step eps_theta x0_hat D sigma_data bound omega}}
#
# **A clash of symbols.** In this chapter $v$ is what a network answers for a variance, as in Nichol & Dhariwal 2021, but for
# {{section Where the loss should look}}, where it is the third thing that a network may predict: $v = \sqrt{\bar\alpha_t}\,\varepsilon - \sqrt{1-\bar\alpha_t}\,x_0$.
# A letter below $\omega$, as in $\omega_\varepsilon$, says whose squared error it weighs.

# %%
import math

import numpy as np
import torch
from IPython.display import display

import diffusion_course as dc
from diffusion_course.classroom import check, check_all
from diffusion_course.experiments import data, metrics, studies, zoo
from diffusion_course.experiments.drawing import draw_by, initial
from diffusion_course.experiments.studies import seeds
from diffusion_course.experiments.studies.shown import show_differences_over_seeds, show_over_seeds
from diffusion_course.guidance import clip
from diffusion_course.nets.mlp import MLP
from diffusion_course.notebook import plots, quiz, widgets
from diffusion_course.notebook.claims import agree, claim
from diffusion_course.notebook.tables import show_table

f64 = torch.float64
T = 1000
schedule = dc.NoiseSchedule.from_betas(dc.schedules.cosine(T))
short = schedule.strided(dc.schedules.uniform_timesteps(T, 25))  # 25 of the 1000 times, 41 or 42 apart

# %% [markdown]
# ## 1. Two variances, and where they differ
#
# A step of the reverse chain draws $x_{t-1} = \mu_\theta(x_t, t) + s_t z$. Ho et al. (2020, section 3.2) train the mean and
# choose the variance $s_t^2$ by hand. They try two:
#
# $$s_t^2 = \beta_t \qquad\text{or}\qquad s_t^2 = \tilde\beta_t = \frac{1 - \bar\alpha_{t-1}}{1 - \bar\alpha_t}\,\beta_t \quad\text{(Ho et al. 2020, eq. 7)}. \tag{1}$$
#
# Each is exactly right for some data. Let a coordinate be $\mathcal N(0, c)$. Then $x_t$ has the variance
# $m_t = c\,\bar\alpha_t + 1 - \bar\alpha_t$, the covariance of $x_{t-1}$ and $x_t$ is $\sqrt{\alpha_t}\,m_{t-1}$, and for two
# Gaussians
#
# $$\begin{aligned}
# \operatorname{Var}(x_{t-1} \mid x_t) &= m_{t-1} - \frac{\alpha_t\, m_{t-1}^2}{m_t} && \text{variance minus what } x_t \text{ explains} \\
# &= \frac{m_{t-1}\,(m_t - \alpha_t\,m_{t-1})}{m_t} = \beta_t\,\frac{m_{t-1}}{m_t} && m_t = \alpha_t\,m_{t-1} + \beta_t.
# \end{aligned} \tag{2}$$
#
# With $c = 1$ all $m_t$ are 1, and the variance is $\beta_t$. With $c = 0$, a single image, it is $\tilde\beta_t$. Data between the
# two, in every coordinate, want something between.


# %%
def best_variance(c, schedule):
    """Var(x_{t-1} | x_t) for data N(0, c), equation (2): (T,)."""
    m = c * schedule.alpha_bar + schedule.one_minus_alpha_bar
    m_prev = c * schedule.alpha_bar_prev + schedule.one_minus_alpha_bar_prev
    agree(
        f"c = {c}: first and last line", m_prev - schedule.alphas * m_prev**2 / m, schedule.betas * m_prev / m
    )
    return schedule.betas * m_prev / m


ratio = schedule.one_minus_alpha_bar_prev / schedule.one_minus_alpha_bar
agree("beta-tilde, equation (1)", ratio * schedule.betas, schedule.posterior_variance)
agree("c = 1 and beta", best_variance(1.0, schedule), schedule.betas)
agree("c = 0 and beta-tilde", best_variance(0.0, schedule), schedule.posterior_variance)
between = best_variance(0.3, schedule)
claim(
    "c = 0.3 lies between them at every t",
    ((between >= schedule.posterior_variance) & (between <= schedule.betas)).all(),
)

# %% [markdown]
# **Predict, then run.** From which $t$ on is $\tilde\beta_t$ at least 95 % of $\beta_t$, in a chain of 1000 steps? And in one of
# 25, whose steps are forty times as long?

# %%
moments = torch.tensor([0.04, 0.08, 0.2, 0.4, 0.6, 0.8, 1.0], dtype=f64)
ratios = {}
for name, s in (("1000 steps", schedule), ("25 steps", short)):
    share = s.posterior_variance / s.betas
    ratios[name] = share[(moments * s.T).round().long() - 1]
    first = (share >= 0.95).nonzero()[0].item() + 1
    print(f"{name}: beta-tilde is at least 95 % of beta from t/T = {first / s.T:.2f} on, step {first}")
show_table(
    ["beta-tilde / beta at t/T =", *(f"{u:.2f}" for u in moments)],
    [(name, *(f"{r:.3f}" for r in values)) for name, values in ratios.items()],
)
claim("at t/T = 0.08 the long chain's two variances differ by less than 5 %", ratios["1000 steps"][1] > 0.95)
claim("the short chain's by more than half", ratios["25 steps"][1] < 0.5)
claim("0 at t/T = 0.04 is the short chain's first step, as in every chain", short.posterior_variance[0] == 0)
claim("and half-way up, at t/T = 0.6, still by more than 5 %", ratios["25 steps"][4] < 0.95)

# %% [markdown]
# Each chain's $t/T$ counts its own steps: steps 1, 2 and 5 of the short one stand at $t = 1$, 43 and 167 of the 1000. In the long chain the two part by more than 5 % in the last 30 or so of 1000 steps alone, next to the clean image, where there is hardly any noise left. In a
# short chain they do so more than half-way up. The numbers of Song et al. (2021, table 1, CIFAR-10; $\eta = 1$ is $\tilde\beta$ and $\hat\sigma$ is $\beta$) fit to
# this: with 1000 steps $\beta$ is even the better one, FID 3.17 against 4.73 for $\tilde\beta$; with 10 steps it has 367 against 41.
# On MNIST, {{section Fewer steps}} looks at 25 steps.
#
# ## 2. A variance between two bounds
#
# So let the network answer the variance. Nichol & Dhariwal (2021, section 3.1) found that this is hard to do directly, even as a
# logarithm: the reasonable range, from $\tilde\beta_t$ to $\beta_t$, is very narrow. So the network answers a number $v$ for each
# coordinate, which says *where* between them, on a logarithmic scale:
#
# $$s_t^2 = \exp\big(f \ln \beta_t + (1 - f) \ln \tilde\beta_t\big), \qquad f = \frac{v + 1}{2}. \tag{3}$$
#
# (Nichol & Dhariwal 2021, eq. 15; they write $v$ for our $f$. Their code has the network answer in $-1 \dots 1$, as here.) Nothing keeps
# $v$ inside, and it does leave: {{section Bits per dimension, from a few draws}} counts how often that of a trained network does. And $t = 1$ is special: $\tilde\beta_1 = 0$ has no logarithm. Their code puts
# $\tilde\beta_2$ in its place, and so do you.
#
# ### Exercise {{05-learned_variance}}
#
# Write (3). $v$ has the shape of $x_t$, and each sample has its own $t$. Gradients must reach $v$: the bound trains it.
#
# *Hint.* `torch.cumprod` makes $\bar\alpha$ from the betas. Build the table $\tilde\beta$, `(T,)`, first; then mend its first entry; then pick
# with `[t - 1]` and bring `(B,)` to `(B, 1, ..., 1)` with `.reshape(-1, *[1] * (v.ndim - 1))`. For
# $\beta = (0.1,\ 0.2)$ the table is $\tilde\beta = (0.0714,\ 0.0714)$.


# %%
# EXERCISE 05-learned_variance (keep this line)
def learned_variance(v, t, betas):
    """The variance of the model's step t, from the network's v (Nichol & Dhariwal 2021, eq. 15).

    v: (B, *S), -1 for beta-tilde_t and 1 for beta_t; it may leave -1..1, and is not clipped. Gradients reach it.
    t: (B,), integers in 1..T. betas: (T,), T >= 2. Returns the variance, (B, *S).
    At t = 1 beta-tilde_2 stands for beta-tilde_1, which is 0.
    """
    ### BEGIN SOLUTION
    alpha_bar = torch.cumprod(1 - betas, 0)
    small = betas[1:] * (1 - alpha_bar[:-1]) / (1 - alpha_bar[1:])  # beta-tilde_2, ..., beta-tilde_T
    small = torch.cat([small[:1], small])
    f = (v + 1) / 2
    low, high = (table[t - 1].log().reshape(-1, *[1] * (v.ndim - 1)) for table in (small, betas))
    return (f * high + (1 - f) * low).exp()
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("05-learned_variance", learned_variance)

# %%
times = torch.arange(1, T + 1)
at_v = {
    v: learned_variance(torch.full((T, 1), v, dtype=f64), times, schedule.betas)[:, 0]
    for v in (-1.0, 0.0, 1.0)
}
agree("v = 1 is beta", at_v[1.0], schedule.betas)
agree("v = -1 is beta-tilde, from t = 2 on", at_v[-1.0][1:], schedule.posterior_variance[1:])
agree("and at t = 1 that of t = 2", at_v[-1.0][0], schedule.posterior_variance[1])
agree("v = 0 is the geometric mean", at_v[0.0], (at_v[-1.0] * at_v[1.0]).sqrt())

# %% [markdown]
# The slider shows one reverse step: the densities of $x_{t-1} - \mu$ with the two fixed variances and with yours, on the scale of
# $\sqrt{\beta_t}$. Move $v$; then take fewer steps, and move it again.

# %%
grid = torch.linspace(-3, 3, 121, dtype=f64)
chains = {n: schedule.strided(dc.schedules.uniform_timesteps(T, n)) for n in (10, 25, 100)} | {1000: schedule}


def bell(variance):
    return (-(grid**2) / (2 * variance)).exp() / (2 * math.pi * variance).sqrt()


def one_step(v=0.0, steps=25, step=2):
    """Densities of the step that begins at the chain's time number `step`, in units of sqrt(beta)."""
    s = chains[steps]
    beta = s.betas[step - 1]
    yours = learned_variance(torch.full((1, 1), v, dtype=f64), torch.tensor([step]), s.betas)[0, 0]
    return plots.curves(
        grid,
        {
            r"v = -1: $\tilde\beta$": bell(s.posterior_variance[step - 1] / beta),
            r"v = 1: $\beta$": bell(torch.ones((), dtype=f64)),
            "your v": bell(yours / beta),
        },
        title=f"{steps} steps, step {step}: v = {v:+.2f}, deviation {math.sqrt(yours / beta):.2f} of beta's",
        xlabel=r"$(x_{t-1} - \mu)/\sqrt{\beta_t}$",
        ylabel="density",
        ylim=(0, 2.5),
    )


widgets.slide(
    one_step,
    v=(-1.0, 1.0, 0.05),
    steps=list(chains),
    step=[2, 3, 5, 8],
    description="The density of one reverse step for a variance fraction v, between the two fixed variances",
    static=[{"v": 0.0, "steps": 25}, {"v": 0.0, "steps": 1000, "step": 8}],
    labels={"v": "v", "steps": "steps of the chain", "step": "step, counted from the clean image"},
)

# %%
quiz.ask("05-q1")

# %% [markdown]
# ## 3. What a wrong variance costs
#
# $L_\text{simple}$ is blind to the variance: $s_t$ does not occur in it. The bound is not. For one coordinate, with the true mean and variance
# $\tilde\mu, \tilde\beta$ and the model's $\mu, s^2$, the KL of two Gaussians (chapter 2) is
#
# $$\mathrm{KL} = \frac12\Big(\frac{\tilde\beta}{s^2} - 1 - \ln\frac{\tilde\beta}{s^2} + \frac{(\tilde\mu - \mu)^2}{s^2}\Big). \tag{4}$$
#
# Average it over the data, with one $s^2$ for all of them, and set the derivative in $s^2$ to 0: the best variance appears. What every other
# one costs follows from it:
#
# $$s_*^2 = \tilde\beta + \mathbb E(\tilde\mu - \mu)^2, \qquad \mathbb E\,\mathrm{KL}(s^2) - \mathbb E\,\mathrm{KL}(s_*^2) = \frac12\Big(r - 1 - \ln r\Big), \quad r = \frac{s_*^2}{s^2} \tag{5}$$
#
# (Bao et al. 2022, theorem 1, is this variance for the best mean). The model's own error belongs into its variance. A variance that is too small by a factor
# of 4 costs more than one that is too large by 4: $r - 1$ grows faster than $-\ln r$.

# %%
error = dc.Noise(1, per_sample=False).randn(2000, dtype=f64).mul(0.3)  # mu-tilde - mu, of 2000 samples
beta_tilde = torch.tensor(0.04, dtype=f64)


def mean_kl(variance):
    return dc.elbo.normal_kl(error, beta_tilde.log(), 0.0, variance.log()).mean()


s2 = torch.tensor(0.09, dtype=f64)
by_hand = 0.5 * (beta_tilde / s2 - 1 - (beta_tilde / s2).log() + error.square() / s2)
agree("equation (4)", by_hand.mean(), mean_kl(s2))
best = beta_tilde + error.square().mean()
trial = best * torch.linspace(-2, 2, 401, dtype=f64).exp()
costs = torch.stack([mean_kl(s2) for s2 in trial])
agree("the best of 401 variances", trial[costs.argmin()], best, 1e-9)
r = best / trial
agree("what the others cost more", costs - mean_kl(best), (r - 1 - r.log()) / 2, 1e-12)
too_small, too_large = mean_kl(best / 4) - mean_kl(best), mean_kl(best * 4) - mean_kl(best)
print(f"too small by 4: {too_small:.2f} nats per coordinate; too large by 4: {too_large:.2f}")
claim("too small costs more than too large", too_small > too_large)

# %% [markdown]
# One term is no KL. At $t = 1$ the bound asks for $-\log p_\theta(x_0 \mid x_1)$, and $x_0$ consists of pixels with 256 values, $2/255$ apart. The
# model's Gaussian gives each value the mass of its bin; the first bin reaches to $-\infty$ and the last to $+\infty$:
#
# $$L_0 = -\sum_{\text{pixels}} \ln \int_{x_0 - 1/255}^{x_0 + 1/255} \mathcal N(y;\ \mu_\theta,\ s_1^2)\,\mathrm dy \quad\text{(Ho et al. 2020, eq. 13)}. \tag{6}$$
#
# So the last step, which adds no noise when you sample, has a variance all the same when you measure. The next function is a term of the bound of either kind. You will use it.


# %%
def bound_term(x0, x_t, t, mean, log_variance, schedule):
    """L_{t-1} of each sample in nats, (B,), for a model's step N(mean, exp(log_variance)); at t = 1 it is L_0.

    x0, x_t, mean, log_variance: (B, *S), x0 with pixels in [-1, 1]. t: (B,), integers in 1..T.
    """
    true_mean, _ = dc.gaussian.posterior_mean_variance(x0, x_t, t, schedule)
    true_log_variance = schedule.take(dc.elbo.posterior_log_variance(schedule), t, x0)
    kl = dc.elbo.normal_kl(true_mean, true_log_variance, mean, log_variance)
    decoder = -dc.elbo.discretized_gaussian_log_likelihood(x0, mean, log_variance / 2)
    first = (t == 1).reshape(-1, *[1] * (x0.ndim - 1))
    return torch.where(first, decoder, kl).flatten(1).sum(1)


levels = torch.linspace(-1, 1, 256, dtype=f64)
mass = dc.elbo.discretized_gaussian_log_likelihood(levels, 0.3, math.log(0.2)).exp()
agree("the masses of the 256 bins add up to", mass.sum(), 1.0)
inner = torch.distributions.Normal(torch.tensor(0.3, dtype=f64), 0.2)
agree(
    "an inner bin by the integral",
    mass[100],
    inner.cdf(levels[100] + 1 / 255) - inner.cdf(levels[100] - 1 / 255),
    1e-10,
)

# %% [markdown]
# ## 4. The hybrid loss
#
# The variance must be trained with the bound, since nothing else knows of it. To train the *mean* with the bound is a bad idea: its terms differ by orders of
# magnitude from $t$ to $t$, so a few of them shake every gradient (Nichol & Dhariwal 2021, section 3.3). So they mix:
#
# $$L_\text{hybrid} = L_\text{simple} + 0.001\, L_\text{vlb} \quad\text{(Nichol & Dhariwal 2021, eq. 16)}, \qquad L_\text{vlb} = \sum_{t=1}^{T} L_{t-1} = T\;\mathbb E_{t \sim U\{1..T\}}\,L_{t-1}. \tag{7}$$
#
# $L_T$ is left out, since nothing that is trained occurs in it; in which unit the two sums stand is the third point below. Three things about it are easy to get wrong.
#
# **The stop-gradient.** Inside $L_\text{vlb}$ the mean $\mu_\theta$ counts as a constant. The bound then trains $v$ alone, and $\varepsilon_\theta$ learns from $L_\text{simple}$ alone. In torch: `.detach()`.
#
# **The factor.** A batch holds one random $t$ for each image. Its mean of $L_{t-1}$ estimates $L_\text{vlb}/T$, so the bound is $T$ times that, and $0.001\,T = T/1000$ is what stands in
# their code. For $T = 1000$ it is 1, so code with neither, no 0.001 and no $T$, is right there. With $T = 4000$ such code gives the variance a quarter of its weight.
#
# **The units.** $L_\text{simple}$, of $(\varepsilon - \varepsilon_\theta)^2$, is a *sum* over coordinates in Ho et al. 2020, eq. 14, and a *mean* in the code of both papers, and here. In their code the bound is bits per coordinate as well, $L_{t-1} / (d \ln 2)$. Who adds up nats multiplies the second term by
# $d \ln 2$, for MNIST by more than 500.
#
# ### Exercise {{05-hybrid_loss}}
#
# Write (7) for one batch: a single number, from which `.backward()` works. The model answers $\varepsilon$ and $v$ in one tensor, $\varepsilon$ in the first half of axis 1. Ask it once. The check looks at the loss, and at its gradient at both halves.
#
# *Hint.* `answer.chunk(2, dim=1)`. `dc.gaussian.diffuse(x0, t, eps, schedule)` and `dc.gaussian.mean_from_eps(x_t, t, eps, schedule)` take a schedule; `dc.NoiseSchedule.from_betas(betas)` makes it. Your `learned_variance` and `bound_term` do the rest.


# %%
# EXERCISE 05-hybrid_loss (keep this line)
def hybrid_loss(model, x0, t, eps, betas, weight):
    """L_simple + weight L_vlb, estimated from one batch (Nichol & Dhariwal 2021, eq. 16): ().

    model: model(x_t, t) -> (B, 2C, ...), eps_theta in the first half of axis 1 and v in the second.
    x0, eps: (B, C, ...), x0 with pixels in [-1, 1]. t: (B,), integers drawn uniformly from 1..T. betas: (T,).
    weight: the number before L_vlb, 0.001 in the paper. L_simple is a mean over everything; L_vlb is in bits per
    coordinate, and does not train eps_theta.
    """
    ### BEGIN SOLUTION
    schedule = dc.NoiseSchedule.from_betas(betas)
    x_t = dc.gaussian.diffuse(x0, t, eps, schedule)
    predicted, v = model(x_t, t).chunk(2, dim=1)
    mean = dc.gaussian.mean_from_eps(x_t, t, predicted.detach(), schedule)
    nats = bound_term(x0, x_t, t, mean, learned_variance(v, t, betas).log(), schedule)
    bits = nats / (x0[0].numel() * math.log(2))
    return (eps - predicted).square().mean() + weight * len(betas) * bits.mean()
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("05-hybrid_loss", hybrid_loss)

# %% [markdown]
# Look at the gradients of the two terms, half by half, on real digits. The "network" is a tensor of answers, so a gradient is what reaches the answers.
#
# **Predict, then run.** Four numbers: the gradient of each term at $\varepsilon_\theta$ and at $v$. Which are 0?
#
# (The 8×8 digits have 17 grey values, which are not among the 256. `bound_term` takes the bin around each all the same. That will do to compare variances; it is no code for these digits.)

# %%
small_digits = data.load("digits")  # 8 x 8
batch = small_digits.images[:64].double()
t64 = dc.noise.Draws(0).randint(1, T + 1, (64,))
eps64 = dc.Noise(0).randn(64, 1, 8, 8, dtype=f64)
guess = torch.cat([0.9 * eps64, 0 * eps64], dim=1).requires_grad_()  # eps is nearly right, v is 0


def gradient(weight):
    """Of the loss at the answers: at eps and at v."""
    loss = hybrid_loss(lambda x_t, t: guess, batch, t64, eps64, schedule.betas, weight)
    return torch.autograd.grad(loss, guess)[0].chunk(2, dim=1)


simple, both = gradient(0.0), gradient(0.001)
for name, found in (
    ("L_simple", simple),
    ("0.001 L_vlb", [b - a for a, b in zip(simple, both, strict=True)]),
):
    print(f"{name:12} at eps {found[0].norm():.3e}   at v {found[1].norm():.3e}")
agree("at eps the bound adds nothing", both[0], simple[0])
every_t = dc.noise.Draws(1).randn(T, 1, 8, 8).double()
one_image = batch[:1].expand(T, -1, -1, -1)
answers = torch.cat([0.9 * every_t, 0 * every_t], dim=1)
terms = bound_term(
    one_image,
    dc.gaussian.diffuse(one_image, times, every_t, schedule),
    times,
    dc.gaussian.mean_from_eps(
        dc.gaussian.diffuse(one_image, times, every_t, schedule), times, answers[:, :1], schedule
    ),
    learned_variance(answers[:, 1:], times, schedule.betas).log(),
    schedule,
)
of_all_t = hybrid_loss(lambda x_t, t: answers, one_image, times, every_t, schedule.betas, 0.001)
agree(
    "(7), with every t once",
    of_all_t,
    (every_t - answers[:, :1]).square().mean() + 0.001 * terms.sum() / (64 * math.log(2)),
    1e-9,
)
claim("at v it is all there is", simple[1].norm() == 0 and both[1].norm() > 0)
mine = hybrid_loss(lambda x_t, t: guess, batch, t64, eps64, schedule.betas, 0.001)
agree(
    "yours and the library's",
    mine,
    dc.losses.hybrid_loss(lambda x_t, t: guess, batch, t64, eps64, schedule),
    1e-9,
)

# %%
quiz.ask("05-q2")

# %% [markdown]
# Two of the four are 0: each half of the answer learns from one term. Now train with it: a small network of points, for the 64 pixels of `digits`, with $T = 100$. It answers 128 numbers, $\varepsilon$ and $v$. A few seconds are no competition; they show that $v$ goes somewhere, and that the bound sees it.


# %%
class Twice(torch.nn.Module):
    """(x_t, t) -> (B, 128): eps and v for x_t (B, 64)."""

    def __init__(self):
        super().__init__()
        self.net = MLP(dims=128, width=256, depth=2)

    def forward(self, x_t, t):
        return self.net(torch.cat([x_t, torch.zeros_like(x_t)], dim=1), t / 100)


hundred = dc.NoiseSchedule.from_betas(dc.schedules.cosine(100))
flat = small_digits.images.flatten(1)
train_rows, test_rows = flat[200:], flat[:200]


def trained(steps, seed=0):
    """A network after this many steps of Adam on your hybrid loss."""
    torch.manual_seed(seed)
    net, draws = Twice(), dc.noise.Draws(seed)
    optimizer = torch.optim.Adam(net.parameters())
    for k in range(steps):
        optimizer.param_groups[0]["lr"] = 4e-3 * (1 - k / steps)
        x0 = train_rows[draws.randint(0, len(train_rows), (128,))]
        loss = hybrid_loss(
            net, x0, draws.randint(1, 101, (128,)), draws.randn(128, 64), hundred.betas.float(), 0.001
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net


small_net = trained(800)

# %%
# NBVAL_IGNORE_OUTPUT
with torch.no_grad():
    totals = {"small": 0.0, "large": 0.0, "learned": 0.0}
    noise = dc.Noise(3)
    for step in range(1, 101):
        t = torch.full((200,), step)
        x_t = dc.gaussian.diffuse(test_rows, t, noise.like(test_rows), hundred)
        predicted, v = small_net(x_t, t).chunk(2, dim=1)
        x0_hat = dc.gaussian.x0_from_eps(x_t, t, predicted, hundred).clamp(-1, 1)  # as in sampling
        mean, _ = dc.gaussian.posterior_mean_variance(x0_hat, x_t, t, hundred)
        for name, fraction in (("small", -torch.ones_like(v)), ("large", torch.ones_like(v)), ("learned", v)):
            log_variance = learned_variance(fraction, t, hundred.betas.float()).log()
            totals[name] = totals[name] + bound_term(test_rows, x_t, t, mean, log_variance, hundred)
for name, nats in totals.items():
    bits = nats / (64 * math.log(2))
    print(
        f"{name:8} {bits.mean():.3f} ± {1.96 * bits.std() / 200**0.5:.3f} bits per coordinate (without L_T)"
    )
gain = [(totals[other] - totals["learned"]) / (64 * math.log(2)) for other in ("small", "large")]
claim("of the fixed two beta is the better one", totals["large"].mean() < totals["small"].mean())
claim(
    "on the same images the learned variance has fewer bits than either fixed one, beyond chance",
    all(g.mean() > 1.96 * g.std() / 200**0.5 for g in gain),
)

# %% [markdown]
# That $\beta_t$ is the better of the fixed two is no rule, as the next section shows. This network is hardly trained, and by (5) its error belongs into the variance.
#
# ## 5. Bits per dimension, from a few draws
#
# The whole bound of an image is $L_T + \sum_t L_{t-1}$. Divided by $d \ln 2$ it is in bits per dimension: what a perfect compressor that uses the model pays for a pixel (chapter 2). All $T$ terms of an image cost 1000 evaluations. A few random $t$ do as well,
# on average. For image $i$ with the draws $t_{i1}, \dots, t_{iK}$, uniform in $1..T$,
#
# $$b_i = \frac{1}{d \ln 2}\Big(L_T^{(i)} + \frac{T}{K} \sum_{k=1}^{K} L^{(i)}_{t_{ik}-1}\Big), \qquad \bar b = \frac1n \sum_{i=1}^{n} b_i, \qquad \pm\ 1.96\,\frac{s_b}{\sqrt n}, \quad s_b^2 = \frac{1}{n-1} \sum_{i=1}^{n} (b_i - \bar b)^2. \tag{8}$$
#
# Note what counts as one observation: an image. The $K$ draws of one image share that image, so $nK$ terms are no $nK$ independent ones. With $\sqrt{nK}$ below $s_b$ the interval is too narrow by $\sqrt K$. With the deviation of all $nK$ terms over $\sqrt{nK}$ it is too narrow on average: what an image adds to all of its terms counts as if it were $K$ images.
#
# ### Exercise {{05-bits_per_dim}}
#
# Write (8). The draws are given: row $k$ of `t` and of `eps` holds the $k$-th draw of every image. `term(x0, t, eps)` returns $L_{t-1}$ in nats, for these $n$ images; call it once for each draw. `L_T` holds the prior's.
#
# *Hint.* `torch.Tensor.std` divides by $n - 1$. With two images, $K = 1$, $T = 10$, $d = 1$, $L_T = 0$ and terms of $0.1 \ln 2$ and $0.3 \ln 2$ the answer is $2 \pm 1.96$.


# %%
# EXERCISE 05-bits_per_dim (keep this line)
def bits_per_dim(term, x0, t, eps, L_T, T):
    """The bound in bits per dimension, estimated from K random times an image, and half of its 95 % interval: two ().

    term: term(x0, t, eps) -> L_{t-1} of each image in nats, (n,), for these n images x0, and eps (n, *S) and t (n,).
        It knows the images' labels, so it takes all n, in their order. What it returns may be negative, as a difference of two terms is.
    x0: (n, *S), n >= 2 images. t: (K, n), integers uniform in 1..T. eps: (K, n, *S). L_T: (n,), in nats. T: a Python integer.
    """
    ### BEGIN SOLUTION
    terms = torch.stack([term(x0, t_k, eps_k) for t_k, eps_k in zip(t, eps, strict=True)])  # (K, n)
    bits = (L_T + T * terms.mean(0)) / (x0[0].numel() * math.log(2))
    return bits.mean(), 1.96 * bits.std() / len(bits) ** 0.5
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("05-bits_per_dim", bits_per_dim)

# %%
example = torch.tensor([0.1, 0.3], dtype=f64) * math.log(2)
two = torch.zeros(2, 1, dtype=f64)
found = bits_per_dim(
    lambda x0, t, eps: example, two, torch.ones(1, 2, dtype=torch.long), two[None], 0 * example, 10
)
agree("the example", torch.stack(found), torch.tensor([2, 1.96], dtype=f64))

# %% [markdown]
# Two networks of the course were trained with one recipe, for equally many steps, on MNIST with the cosine schedule: `mnist-eps-cosine` with $L_\text{simple}$, and `mnist-learned-variance` with the hybrid loss. Both know the class. The first has two variances to choose from, the second its own as well.

# %%
SIMPLE, HYBRID = "mnist-eps-cosine", "mnist-learned-variance"
networks = {name: zoo.load(name, course.device) for name in (SIMPLE, HYBRID)}
ways = [(SIMPLE, "small"), (SIMPLE, "large"), (HYBRID, "small"), (HYBRID, "large"), (HYBRID, "learned")]
digits = data.load("mnist-5k", split="test")
images = digits.images[:: len(digits) // 64][:64].to(course.device)
labels = digits.labels[:: len(digits) // 64][:64].to(course.device)
FRACTION = {"small": -1.0, "large": 1.0}


@torch.no_grad()
def predictions(name, x_t, t, labels):
    """The network's mean of x_{t-1}, with x_0 clipped to [-1, 1] as in sampling, and its v where it has one, else None."""
    answer = networks[name].net(x_t, t.to(x_t), labels)
    eps_hat, v = answer[:, :1], answer[:, 1:]
    x0_hat = dc.gaussian.x0_from_eps(x_t, t, eps_hat, schedule).clamp(-1, 1)
    return dc.gaussian.posterior_mean_variance(x0_hat, x_t, t, schedule)[0], v if v.shape[1] else None


def step_of(variance, mean, v, t):
    """log s_t^2 of a way to choose it."""
    fraction = v if variance == "learned" else torch.full_like(mean, FRACTION[variance])
    return learned_variance(fraction, t, schedule.betas.to(mean)).log()


def term_of(name, variance):
    """term(x0, t, eps) of a network with a variance, on the images above."""

    def term(x0, t, eps):
        x_t = dc.gaussian.diffuse(x0, t, eps, schedule)
        mean, v = predictions(name, x_t, t, labels)
        return bound_term(x0, x_t, t, mean, step_of(variance, mean, v, t), schedule)

    return term


# %% [markdown]
# **Predict, then run.** Which of the five is the best code for a digit? And the worst? How far apart?

# %%
# NBVAL_IGNORE_OUTPUT
K = 8
source = dc.noise.Draws(5)
drawn_t = source.randint(1, T + 1, (K, len(images))).to(course.device)
drawn_eps = source.randn(K, *images.shape).to(course.device)
prior = dc.elbo.prior_kl(images, schedule)
estimates = {way: bits_per_dim(term_of(*way), images, drawn_t, drawn_eps, prior, T) for way in ways}
show_table(
    ["network", "variance", "bits per dimension", "± 95 %"],
    [(*way, f"{b:.2f}", f"{half:.2f}") for way, (b, half) in estimates.items()],
    f"{len(images)} digits, {K} draws each",
)
missed = (drawn_t > 10).all(0).double().mean()
claim(f"{K} draws missed all t up to 10 for most images ({100 * missed:.0f} %)", missed > 0.5)

# %% [markdown]
# The intervals are wide, and that is not the worst of them. Most of the bound sits in the few smallest $t$, which the draws of most images miss. So a handful of images decides $\bar b$ and $s_b$ together: where they are few by chance, the estimate is too low *and* its interval too narrow, for 1.96 belongs to means that are nearly normal. "Where the bits are" below has a second estimate to compare with. More draws at small $t$ are the cure; the last exercise designs them.
#
# But the rows used the same images, times and noise, so compare them in pairs. Your estimator does it as it stands. Give it the *difference* of two terms, and no prior.

# %%
# NBVAL_IGNORE_OUTPUT
pairs = [((HYBRID, "learned"), (HYBRID, other)) for other in ("small", "large")] + [
    ((HYBRID, "learned"), (SIMPLE, "small"))
]


def difference_of(a, b):
    """term(x0, t, eps) of way a minus that of way b."""
    first, second = term_of(*a), term_of(*b)
    return lambda *args: first(*args) - second(*args)


gaps = {pair: bits_per_dim(difference_of(*pair), images, drawn_t, drawn_eps, 0 * prior, T) for pair in pairs}
show_table(
    ["", "minus", "bits per dimension", "± 95 %"],
    [(", ".join(a), ", ".join(b), f"{gap:+.3f}", f"{half:.3f}") for (a, b), (gap, half) in gaps.items()],
)
claim(
    "with one and the same mean, the learned variance costs fewer bits than beta-tilde: the interval is below 0",
    sum(gaps[pairs[0]]) < 0,
)

# %% [markdown]
# These intervals rest on few images, too; the next figure shows the same difference at every $t$ that it asks for. The third line compares two *networks*. One training run each: it ranks these files, and not the methods.

# %%
quiz.ask("05-q4")

# %% [markdown]
# ### Where the bits are
#
# Term by term, over $t$, with the same images: `mnist-learned-variance` with both fixed variances and with its own, and `mnist-eps-cosine` with $\tilde\beta$.
#
# **Predict, then run.** At which $t$ do the lines part?

# %%
# NBVAL_IGNORE_OUTPUT
few_times = [1, 2, 3, 5, 10, 20, 50, 100, 200, 400, 700, 950]
per_t = {way: [] for way in (ways[0], *ways[2:])}
shares = {"of the network": [], "best, from its error": []}
outside = []  # the share of pixels whose v is not between -1 and 1
for step in few_times:
    t = torch.full((len(images),), step, device=images.device)
    x_t = dc.gaussian.diffuse(images, t, dc.Noise(7).like(images), schedule)
    answers = {name: predictions(name, x_t, t, labels) for name in networks}
    for name, variance in per_t:
        mean, v = answers[name]
        nats = bound_term(images, x_t, t, mean, step_of(variance, mean, v, t), schedule)
        per_t[name, variance].append(dc.elbo.bits_per_dim(nats, 784).mean().item())
    mean, v = answers[HYBRID]
    true_mean, _ = dc.gaussian.posterior_mean_variance(images, x_t, t, schedule)
    small, large = (
        learned_variance(torch.full((1, 1), f, dtype=f64), t[:1].cpu(), schedule.betas).item()
        for f in (-1.0, 1.0)
    )
    best = small + (true_mean - mean).square().mean().item()
    shares["of the network"].append(v.mean().item())
    outside.append((v.abs() > 1).double().mean().item())
    shares["best, from its error"].append(2 * math.log(best / small) / math.log(large / small) - 1)
plots.curves(
    few_times,
    {f"{name.removeprefix('mnist-')}, {variance}": values for (name, variance), values in per_t.items()},
    title="Bits per dimension of each term, 64 digits",
    xlabel="t (log scale)",
    ylabel="bits per dimension (log scale)",
    logx=True,
    logy=True,
)

# %%
# NBVAL_IGNORE_OUTPUT
show_table(
    ["mean v at t =", *few_times[1:]],
    [(name, *(f"{value:+.2f}" for value in values[1:])) for name, values in shares.items()]
    + [("|v| > 1 in", *(f"{100 * value:.0f} %" for value in outside[1:]))],
    "-1 is beta-tilde, 1 is beta; one v for all pixels (best), the mean over the pixels (network)",
)
own, fixed = per_t[HYBRID, "learned"], per_t[HYBRID, "small"]
claim(
    "at t = 2, 20 and 100 more than a twentieth of the pixels has a v outside -1..1",
    min(outside[i] for i in (1, 5, 7)) > 0.05,
)
every = np.exp(
    np.interp(np.log(range(1, T + 1)), np.log(few_times), np.log(own))
)  # between these t: lines in the figure
whole = every.sum().item()
found, half = estimates[HYBRID, "learned"]
print(
    f"all t, by the figure's lines: {whole:.2f} bits per dimension; from {K} draws: {found:.2f} ± {half:.2f}"
)
claim("the interval of the draws misses that sum", abs(whole - found) > half)
claim(
    "at t = 2 and 3 the learned variance saves more than a tenth of the term",
    all(own[i] < 0.9 * fixed[i] for i in (1, 2)),
)
claim(
    "from t = 50 on, learned and small differ by less than 10 % of a term",
    all(abs(a / b - 1) < 0.1 for a, b in zip(own[6:], fixed[6:], strict=True)),
)
claim("a term at t = 2 has more than 50 times the bits of one at t = 100", own[1] > 50 * own[7])
claim(
    "up to t = 100 the network's mean v is within 0.15 of the best, and at 200 and 400 it is not",
    [abs(a - b) < 0.15 for a, b in zip(*(values[1:10] for values in shares.values()), strict=True)]
    == [True] * 7 + [False] * 2,
)

# %% [markdown]
# The sum of the terms is far above what eight draws an image gave, and outside of its interval: this is what few images with small $t$ do.
#
# From $t = 50$ on the two bounds on the variance are nearly equal, so there is hardly anything to gain; what it gains is in the last steps before the image. That is where the bits are, too. (The row "best" asks for one $v$ for all pixels. The network gives each pixel its own: in the black border of a digit the error is 0, on a stroke it is not.)
#
# ## 6. Fewer steps
#
# To sample with 25 of the 1000 times, $\tau_{25} > \dots > \tau_1$, is to use another, shorter chain with the same noise levels. Its betas follow from $\bar\alpha$, and so do its two variances:
#
# $$\beta_{\tau_n} = 1 - \frac{\bar\alpha_{\tau_n}}{\bar\alpha_{\tau_{n-1}}}, \qquad \tilde\beta_{\tau_n} = \frac{1 - \bar\alpha_{\tau_{n-1}}}{1 - \bar\alpha_{\tau_n}}\,\beta_{\tau_n} \quad\text{(Nichol & Dhariwal 2021, eq. 19)}. \tag{9}$$
#
# The network's $v$ needs no change. It says *where* between the two bounds, and the bounds move with the length of the step. A network that answered the variance itself would have to be trained again.

# %%
taus = dc.schedules.uniform_timesteps(T, 25).flip(0)
kept = schedule.alpha_bar[taus - 1]
kept_before = torch.cat([torch.ones(1, dtype=f64), kept[:-1]])
agree("the short chain's betas", 1 - kept / kept_before, short.betas)
agree("and its beta-tilde", (1 - kept_before) / (1 - kept) * short.betas, short.posterior_variance)
claim("it visits the same noise levels", torch.allclose(short.sigmas, schedule.sigmas[taus - 1], rtol=1e-9))

# %%
quiz.ask("05-q3")

# %% [markdown]
# **Predict, then run.** Sample 50 digits in 25 steps with each of the five. Which rows will look different? Remember the two directions of {{section What a wrong variance costs}}, and that here what counts is not the code length but what is left of the noise in the picture.

# %%
# NBVAL_IGNORE_OUTPUT
STEPS = {"small": dc.samplers.ddpm, "large": dc.samplers.ddpm_large}


def sampler_of(name, variance):
    """Labels -> the denoiser of this class, and the step; see `draw_by`."""

    def sampler(labels):
        if variance in STEPS:
            return clip(networks[name].given(labels)), STEPS[variance]
        D, fraction = dc.denoisers.split_variance(
            lambda x_t, t: networks[name].net(x_t, t.to(x_t), labels), schedule
        )  # one call of the network gives both: the denoiser, and v for the step
        return clip(D), dc.samplers.ddpm_learned(fraction)

    return sampler


def quick_look(n, steps):
    """n samples of each way on this many of the 1000 times: the pictures and their labels."""
    sigmas = schedule.grid(dc.schedules.uniform_timesteps(T, steps))
    start, labels = initial(networks[SIMPLE], n, 0, course.device)
    return {way: draw_by(sampler_of(*way), start, labels, sigmas, 0) for way in ways}, labels


def border(pictures):
    """How far the three outermost pixels are from black, on average, in -1..1: there no digit reaches."""
    frame = torch.ones(28, 28, dtype=torch.bool, device=pictures.device)
    frame[3:-3, 3:-3] = False
    return (pictures[:, 0, frame] + 1).mean().item()


made, made_labels = quick_look(50, 25)
judge = zoo.judge("mnist", course.device)
real = metrics.gaussians.fitted(metrics.features(judge, digits.images.to(course.device)))
lines = []
for way, pictures in made.items():
    right = metrics.count_recognised(judge, pictures, made_labels)
    low, high = metrics.wilson(right, 50)
    seen = metrics.gaussians.fitted(metrics.features(judge, pictures))
    distance = metrics.frechet_distance(seen, real)
    lines.append(
        (*way, f"{right / 50:.2f} ({low:.2f} to {high:.2f})", f"{distance:.1f}", f"{border(pictures):.3f}")
    )
others = data.load("mnist-5k", split="train").images
others = others[:: len(others) // 50][:50].to(course.device)
floor = metrics.frechet_distance(metrics.gaussians.fitted(metrics.features(judge, others)), real)
lines.append(("50 real digits", "", "", f"{floor:.1f}", f"{border(others):.3f}"))
show_table(
    ["network", "variance", "recognised (95 %)", "Fréchet distance of 50", "grey in the border"],
    lines,
    "25 steps",
)
claim(
    "of each network, beta leaves the most grey in the border",
    all(
        border(made[name, "large"]) == max(border(p) for (n, _), p in made.items() if n == name)
        for name in networks
    ),
)
claim(
    "the learned one leaves as much as beta-tilde, to a tenth",
    abs(border(made[HYBRID, "learned"]) / border(made[HYBRID, "small"]) - 1) < 0.1,
)
plots.filmstrip(
    torch.stack([pictures[:10] for pictures in made.values()], dim=1).cpu(),
    [str(k) for k in range(10)],
    title="25 of 1000 steps, from the same noise",
    rows=[f"{name.removeprefix('mnist-')}, {variance}" for name, variance in made],
)

# %% [markdown]
# Fifty samples are a look and no measurement: their Fréchet distance is biased upwards (the last row is what perfect samples would get), and the intervals are wide. $\beta_t$ adds too much noise for steps this long, and its last noisy step leaves some of it in the picture. The last column measures it, in the black border. The learned variance looks like $\tilde\beta_t$ here, and no better: what it gains on these digits is seen in the bits, and not in fifty pictures. (Nichol & Dhariwal 2021, section 4, report better pictures in few steps, on ImageNet 64×64 and CIFAR-10.)
#
# ### Measured: three seeds, 250 samples a row
#
# The study `losses` asks the same of networks of three training seeds each. The next cell shows its file, and says how to read it.


# %%
# NBVAL_IGNORE_OUTPUT
def measured(study):
    """Show what the study says, over its training seeds: two tables, and differences in pairs."""
    print(f"{study.command}: {study.device}, {study.date}, {study.seconds / 3600:.1f} hours")
    print(
        "The whole bound, all t, of 150 test images; 250 samples on 25, 100 and 1000 of the times. The intervals are over the three training "
        "seeds: Student's quantile for three numbers is 4.30, so they are wide. Differences are paired: both rows of a seed began with the same "
        "noise. The p are corrected for their number (chapter 4)."
    )
    claim("every line is of three training seeds", all(len(r["training seeds"]) == 3 for r in study.summary))
    bits = [f"bits per dim, {variance}" for variance in ("small", "large", "learned")]
    show_over_seeds(study, ["model"], bits, "the whole bound, 150 images a seed", steps=None)
    keys = ["model", "variance", "steps"]
    show_over_seeds(study, keys, ["recognised", "frechet"], "250 samples a seed", n=250)

    def rows(name, variance, steps):
        return study.where(model=name, variance=variance, steps=steps)

    own = seeds.pairs(rows(HYBRID, None, None), rows(SIMPLE, None, None))
    gaps = [a["bits per dim, learned"] - b["bits per dim, small"] for a, b in own]
    print(f"bits, hybrid loss, learned - simple loss, small: {seeds.mean(gaps)}, seeds: {len(gaps)}")
    claim(
        "for every seed the learned variance costs fewer bits than both fixed ones",
        all(a[bits[2]] < min(a[bits[0]], a[bits[1]]) for a, _ in own),
    )
    pairs = {}
    for n in (25, 100):
        pairs[f"{n} steps, {SIMPLE}: large - small"] = rows(SIMPLE, "large", n), rows(SIMPLE, "small", n)
        for other in ("large", "small"):
            name = f"{n} steps, {HYBRID}: {other} - learned"
            pairs[name] = rows(HYBRID, other, n), rows(HYBRID, "learned", n)
    for n in (25, 100, 1000):
        name = f"{n} steps: hybrid loss, learned - simple loss, small"
        pairs[name] = rows(HYBRID, "learned", n), rows(SIMPLE, "small", n)
    found, p = show_differences_over_seeds(pairs)
    print("beyond chance:", *[name for name in found if p[name] < 0.05] or ["none"], sep="\n  ")
    large = [gap.value for name, gap in found.items() if ": large" in name]
    claim("wherever beta is compared, its distance is the larger one", min(large) > 0)
    claim("and by more in 25 steps than in 100", min(large[0] - large[2], large[1] - large[3]) > 0)
    print(
        "The first six differences are of one network, with two variances. The last three differ in the loss, the variance and the training "
        "run. What is not under 'beyond chance' is not seen by three seeds and 250 samples; that does not say that there is nothing."
    )


measured(studies.load("losses"))

# %% [markdown]
# ## 7. Where the loss should look
#
# The variance was about the bound. $L_\text{simple}$ is not the bound: it is the bound with other weights (chapter 3). Every weighting says how much each $t$ shall count, and there are many on the market. First, they are one family. With $x_t = \sqrt{\bar\alpha_t}\,x_0 + \sqrt{1-\bar\alpha_t}\,\varepsilon$ fixed, an error $\hat x_0 - x_0$ is an error of $\varepsilon$ and of $v$:
#
# $$\begin{aligned}
# \|\hat\varepsilon - \varepsilon\|^2 &= \mathrm{SNR}\;\|\hat x_0 - x_0\|^2 && \hat\varepsilon - \varepsilon = -\sqrt{\tfrac{\bar\alpha_t}{1-\bar\alpha_t}}\,(\hat x_0 - x_0) \\
# \|\hat v - v\|^2 &= (\mathrm{SNR} + 1)\,\|\hat x_0 - x_0\|^2 && \text{(Salimans \& Ho 2022, section 4)} \\
# L_{t-1} &= \tfrac12\big(\mathrm{SNR}(t-1) - \mathrm{SNR}(t)\big)\,\|\hat x_0 - x_0\|^2 && \text{for } t \ge 2,\ s_t^2 = \tilde\beta_t \text{ (Kingma et al. 2021, eq. 13)}.
# \end{aligned} \tag{10}$$
#
# So a loss is two choices that have nothing to do with each other: what the network answers, and how each noise level counts.

# %%
x0, eps = batch, eps64
x0_hat = x0 + 0.1 * dc.Noise(9).like(x0)
x_t = dc.gaussian.diffuse(x0, t64, eps, schedule)
eps_hat = dc.gaussian.eps_from_x0(x_t, t64, x0_hat, schedule)
keep, std = (
    table[t64 - 1].view(-1, 1, 1, 1)
    for table in (schedule.alpha_bar.sqrt(), schedule.one_minus_alpha_bar.sqrt())
)


def squared(error):
    return error.square().flatten(1).sum(1)


snr = schedule.snr[t64 - 1]
agree("eps", squared(eps_hat - eps), snr * squared(x0_hat - x0), 1e-9)
agree("v", squared(keep * (eps_hat - eps) - std * (x0_hat - x0)), (snr + 1) * squared(x0_hat - x0), 1e-9)
later = t64.clamp(min=2)
gap = (schedule.snr[later - 2] - schedule.snr[later - 1]) / 2
agree("L_{t-1}", dc.elbo.kl_term(x0, x0_hat, later, schedule), gap * squared(x0_hat - x0), 1e-9)

# %% [markdown]
# **Min-SNR.** Hang et al. (2023, section 3.4) see training as many tasks, one a $t$, that pull in different directions. With the weight 1 on $\varepsilon$ an error of $x_0$ counts $\mathrm{SNR}$, which is huge for nearly clean images. So they stop at $\gamma = 5$:
#
# $$\omega_{x_0} = \min(\mathrm{SNR}, \gamma), \qquad \omega_\varepsilon = \frac{\min(\mathrm{SNR}, \gamma)}{\mathrm{SNR}}, \qquad \omega_v = \frac{\min(\mathrm{SNR}, \gamma)}{\mathrm{SNR} + 1}. \tag{11}$$
#
# All three are the same loss, by (10). Code that multiplies an $\varepsilon$ loss by the first is a classic mistake.
#
# ### Exercise {{05-min_snr_weight}}
#
# Write (11): three weights, for networks that answer $x_0$, $\varepsilon$ and $v$, in this order.
#
# *Hint.* A tensor has `.clamp(max=...)`. For $\mathrm{SNR} = (1,\ 10)$ and $\gamma = 5$: $\omega_{x_0} = (1,\ 5)$, $\omega_\varepsilon = (1,\ 0.5)$ and $\omega_v = (0.5,\ 0.4545)$.


# %%
# EXERCISE 05-min_snr_weight (keep this line)
def min_snr_weight(snr, gamma):
    """The weights of min-SNR-gamma (Hang et al. 2023, section 3.4) for the squared errors of x_0, eps and v.

    snr: (n,), > 0. gamma: a Python number > 0. Returns three tensors (n,).
    """
    ### BEGIN SOLUTION
    weight = snr.clamp(max=gamma)
    return weight, weight / snr, weight / (snr + 1)
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("05-min_snr_weight", min_snr_weight)

# %%
every = schedule.snr
of_x0, of_eps, of_v = min_snr_weight(every, 5.0)
agree("yours and the library's", of_x0, dc.losses.min_snr_weight(5.0)(schedule.sigmas), 1e-9)
agree("one loss, by x_0 and by eps", of_eps * every, of_x0, 1e-9)
agree("and by v", of_v * (every + 1), of_x0, 1e-9)

# %% [markdown]
# To compare rules, say all of them in one unit: the weight of the squared error of $\varepsilon$, against $\lambda = \ln \mathrm{SNR}$.
#
# | rule | weight of the error of $\varepsilon$ | from |
# |---|---|---|
# | $\varepsilon$ | 1 | Ho et al. 2020, eq. 14 |
# | $x_0$ | $1/\mathrm{SNR}$ | |
# | $v$ | $(\mathrm{SNR}+1)/\mathrm{SNR}$ | Salimans & Ho 2022, section 4 |
# | min-SNR | $\min(\mathrm{SNR}, \gamma)/\mathrm{SNR}$ | Hang et al. 2023, section 3.4 |
# | P2 | $1/(1 + \mathrm{SNR})$ | Choi et al. 2022, eq. 8 |
# | sigmoid | $1/(1 + e^{\lambda - 2})$ | Kingma & Gao 2023 |
# | EDM (chapter 9) | $(\sigma_t^2 + \sigma_\text{data}^2)/\sigma_\text{data}^2$, $\sigma_\text{data} = 0.5$ | Karras et al. 2022, table 1 |
#
# A weight is half of a rule. The other half is the density of $t$, and each of these papers has its own: $t$ uniform on a schedule, $\ln \sigma$ normal (EDM), or an integral over $\lambda$ (Kingma & Gao). The figure shows the weights alone; what a density does to them comes next.

# %%
lambdas = torch.linspace(-8, 8, 81, dtype=f64)


def rules(snr, gamma=5.0):
    """Name -> the weight of the squared error of eps at these SNRs."""
    sigma = snr.rsqrt()
    return {
        "eps": torch.ones_like(snr),
        "x0": 1 / snr,
        "v": dc.losses.v_weight(sigma) / snr,
        "min-SNR": min_snr_weight(snr, gamma)[1],
        "P2": dc.losses.p2_weight()(sigma) / snr,
        "sigmoid": torch.sigmoid(2 - snr.log()),
        "EDM": dc.losses.unit_weight(dc.denoisers.edm_param(0.5))(sigma) / snr,
    }


plots.curves(
    lambdas,
    rules(lambdas.exp()),
    title=r"Seven rules, as weights of the error of $\varepsilon$",
    xlabel=r"$\lambda$ = ln SNR (noisy on the left, clean on the right)",
    ylabel="weight (log scale)",
    logy=True,
)

# %% [markdown]
# On the right, among nearly clean images, $\varepsilon$, $v$ and EDM stay constant, and the four others fall like $1/\mathrm{SNR}$: as weights of the error of $x_0$ they stay constant there. On the left $x_0$, $v$ and EDM rise like $1/\mathrm{SNR}$. The rules differ in *where* they turn. With the slider, move the corner of min-SNR.

# %%
ends = {
    name: weight[[0, 1, -2, -1]].log().diff() / (lambdas[1] - lambdas[0])
    for name, weight in rules(lambdas.exp()).items()
}
right = {name for name, slopes in ends.items() if abs(slopes[2] + 1) < 0.01}
left = {name for name, slopes in ends.items() if abs(slopes[0] + 1) < 0.01}
claim("at lambda = 8 four fall like 1 / SNR", right == {"x0", "min-SNR", "P2", "sigmoid"})
claim("at lambda = -8 x0, v and EDM do", left == {"x0", "v", "EDM"})


# %%
def corner(gamma=5.0):
    found = rules(lambdas.exp(), gamma)
    return plots.curves(
        lambdas,
        {"min-SNR": found["min-SNR"], "eps": found["eps"], "P2": found["P2"], "sigmoid": found["sigmoid"]},
        title=rf"min-SNR with $\gamma$ = {gamma:g}: the corner is at $\lambda$ = ln {gamma:g} = {math.log(gamma):.2f}",
        xlabel=r"$\lambda$ = ln SNR",
        ylabel=r"weight of the error of $\varepsilon$ (log scale)",
        logy=True,
        ylim=(1e-4, 10),
    )


widgets.slide(
    corner,
    gamma=[0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 100.0],
    description="The weight of min-SNR for a gamma, beside the weights of eps, P2 and the sigmoid",
    static=[{"gamma": 1.0}, {"gamma": 20.0}],
    labels={"gamma": "γ"},
)

# %% [markdown]
# ### A weight and a density can stand for each other
#
# A loss has a weight $\omega_t$ and a density $p_t$ of the $t$ that it draws. In expectation only their product counts:
#
# $$\mathbb E_{t \sim p}\,\frac{\omega_t}{T\,p_t}\,\ell_t = \frac1T \sum_{t=1}^{T} \omega_t\,\ell_t = \mathbb E_{t \sim U}\,\omega_t\,\ell_t, \tag{12}$$
#
# whatever $p$ is, as long as it is nowhere 0. The gradients agree, too, and the cell computes them exactly, by a sum over all $t$ and no draw. What is *not* the same is how much a single draw scatters.

# %%
theta = torch.tensor([0.3, -0.2], dtype=f64, requires_grad=True)
one = batch[:1].expand(T, -1, -1, -1)
noises = dc.Noise(4).randn(T, 1, 8, 8, dtype=f64)
noisy = dc.gaussian.diffuse(one, times, noises, schedule)
losses = (
    (noises - theta[0] * noisy - theta[1]).square().flatten(1).mean(1)
)  # of each t, of a model with two weights
weights = min_snr_weight(schedule.snr, 5.0)[1]
density = weights / weights.sum()
uniform = torch.full((T,), 1 / T, dtype=f64)


def expected_gradient(p, w):
    return torch.autograd.grad((p * w * losses).sum(), theta, retain_graph=True)[0]


agree(
    "uniform t with weights, and drawn t without",
    expected_gradient(uniform, weights),
    expected_gradient(density, weights.mean()),
)
draws_of = {
    "uniform t, weighted": (uniform, weights),
    "drawn by the weights": (density, weights.mean().expand(T)),
}
for name, (p, w) in draws_of.items():
    terms = (w * losses).detach()
    mean = (p * terms).sum()
    print(
        f"{name}: mean {mean:.4f}, standard deviation of one draw {((p * terms.square()).sum() - mean**2).sqrt():.4f}"
    )

claim(
    "here the draws by the weights scatter less",
    (density * (weights.mean() * losses).square()).sum() < (uniform * (weights * losses).square()).sum(),
)

# %% [markdown]
# Here the draws by the weights scatter less. Another model, or other weights, may reverse that; (13) below says by how much a draw scatters.

# %%
quiz.ask("05-q5")

# %% [markdown]
# ### Which t does each rule buy?
#
# Take the measured losses of `mnist-eps-linear` (chapter 4's file), multiply them by five rules, and ask which share of the whole loss lies where. A training step is a step towards a smaller loss; what is not in the loss is not bought. (The linear schedule, because the cosine's last SNR is almost 0: there the smallest error of $\varepsilon$ is a giant error of $x_0$, and the rule $x_0$ would see that one step alone.)
#
# **Predict, then run.** For each of `eps`, `x0`, `v`, `min-SNR` and the bound: is half of the loss at $t$ below 100, between 100 and 800, or above 800?

# %%
filed = studies.load("loss-per-t").shipped().one(data="mnist", schedule="linear")
linear = dc.NoiseSchedule.from_betas(dc.schedules.linear(T))
at = torch.tensor(filed["t"], dtype=f64)
logs = torch.tensor(filed["loss"], dtype=f64).log()


def between_measured(t):
    """The eps loss per pixel at every t in (n,): its logarithm is interpolated between the measured ones."""
    right = torch.searchsorted(at, t.double()).clamp(1, len(at) - 1)
    share = (t - at[right - 1]) / (at[right] - at[right - 1])
    return torch.lerp(logs[right - 1], logs[right], share).exp()


eps_losses = between_measured(times)
found = rules(linear.snr)
before = torch.cat(
    [linear.snr[:1] * linear.snr[0] / linear.snr[1], linear.snr[:-1]]
)  # t = 1 as if SNR went on
bought = {name: found[name] * eps_losses for name in ("eps", "x0", "v", "min-SNR")}
bought["bound"] = 784 / 2 * (before / linear.snr - 1) * eps_losses  # nats
lines, half_at = [], {}
for name, terms in bought.items():
    share = terms / terms.sum()
    half_at[name] = int((share.cumsum(0) < 0.5).sum()) + 1
    bands = (share[:100].sum(), share[100:500].sum(), share[500:800].sum(), share[800:].sum())
    lines.append((name, *(f"{100 * b:.0f} %" for b in bands), half_at[name]))
show_table(
    ["rule", "t up to 100", "to 500", "to 800", "to 1000", "half of it by t ="], lines, "shares of the loss"
)
claim("the bound spends half below t = 10", half_at["bound"] < 10)
claim("x0 and v spend half only by t = 700 or later", min(half_at["x0"], half_at["v"]) >= 700)
claim("min-SNR spends later than eps, and earlier than v", half_at["eps"] < half_at["min-SNR"] < half_at["v"])
plots.curves(
    times,
    {name: terms.cumsum(0) / terms.sum() for name, terms in bought.items()},
    title="How much of its loss each rule has below t",
    xlabel="t",
    ylabel="share of the loss",
)

# %% [markdown]
# Read it with care. The bound's first term, $L_0$, is no squared error; here it is counted as if the SNR went on below $t = 1$. The losses are those of a network that was trained with *one* of these rules; another would have other ones. And a large loss at some $t$ is not always one that can be reduced: part of it is what nobody can know.
#
# ### Exercise {{05-times_to_draw}}
#
# The hybrid loss needs the same $t$ for two sums: $L_\text{simple}$, which lies all over the chain, and the bound, which lies at its clean end. Design the density that serves both.
#
# By (12) you may draw $t$ from any $p$ and weigh with $1/(T p_t)$. One draw of a sum $\sum_t \ell_t$ then scatters, relative to the sum, by
#
# $$\mathrm{scatter}(p; \ell) = \sqrt{\frac{\sum_t \ell_t^2 / p_t}{\big(\sum_t \ell_t\big)^2} - 1}. \tag{13}$$
#
# The score is the larger of $\mathrm{scatter}(p; \ell^\text{simple})$ and $\mathrm{scatter}(p; \ell^\text{bound})$: lower is better. {{marks 05-times_to_draw}}
#
# You get both rows of losses, as above. The check asks for other rows, too: the same sums elsewhere on the chain, and on one with $T = 2000$. Every $p_t$ must be above 0, and they must add up to 1 (the sum may miss it by a millionth).
#
# *Hint.* For one sum alone the best density is known: the square root of its second moment (Nichol & Dhariwal 2021, eq. 18), here $p_t \propto \ell_t$. What does it do to the other sum? Try mixtures. The scatter grows with $\sum_t \ell_t^2/p_t$, so look at this sum: which $p$ makes a *weighted mean* of two such sums smallest? The weight is yours to search for, and not every pair of rows has the same best one: compare the two scatters.


# %%
# EXERCISE 05-times_to_draw (keep this line)
def times_to_draw(simple, bound):
    """A density of t for two sums at once: p_1, ..., p_T, all above 0, with the sum 1: (T,).

    simple, bound: (T,), > 0: the terms of L_simple and of the bound at t = 1..T, in float64.
    """
    ### BEGIN SOLUTION
    a, b = (row / row.sum() for row in (simple, bound))

    def sums(share):  # the best p for the weighted mean of both, and what it does to each
        p = (share * a**2 + (1 - share) * b**2).sqrt()
        p = p / p.sum()
        return p, (a**2 / p).sum(), (b**2 / p).sum()

    low, high = 0.0, 1.0
    for _ in range(50):  # the larger of two is smallest where they are equal
        share = (low + high) / 2
        _, of_simple, of_bound = sums(share)
        low, high = (share, high) if of_simple > of_bound else (low, share)
    return sums(share)[0]
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("05-times_to_draw", times_to_draw)


# %%
def scatter(p, terms):
    return ((terms.square() / p).sum() / terms.sum() ** 2 - 1).clamp(min=0).sqrt()


designs = {
    "uniform": uniform,
    "for L_simple alone": eps_losses / eps_losses.sum(),
    "for the bound alone": bought["bound"] / bought["bound"].sum(),
    "yours": times_to_draw(eps_losses, bought["bound"]),
}
show_table(
    ["density", "scatter of L_simple", "scatter of the bound"],
    [
        (name, *(f"{scatter(p, terms):.2f}" for terms in (eps_losses, bought["bound"])))
        for name, p in designs.items()
    ],
    "of one draw, relative to the sum",
)
generator = torch.Generator().manual_seed(0)
p = designs["yours"]
drawn = torch.multinomial(p, 200_000, replacement=True, generator=generator)
sample = bought["bound"][drawn] / p[drawn]
claim(
    "a simulation of 200,000 draws agrees with (13) to 2 %",
    abs(sample.std() / sample.mean() / scatter(p, bought["bound"]) - 1) < 0.02,
)

# %% [markdown]
# ### Three densities, three networks
#
# Does a network get better where it practises? Three small networks on the 8×8 digits, one recipe and equally many steps. (Each is a denoiser $D(x, \sigma)$ with EDM's parametrisation, which chapter 9 derives: `Preconditioned` scales what the network sees and answers.) They differ in the $\lambda$ that they draw, from normal distributions: noisy (mean $-3$, deviation 1.5), in the middle (EDM's: 2.4 and 2.4), and clean (6 and 1.5).
#
# **Predict, then run.** Which network is best at $\lambda = -4$, at $1$, at $6$? Is any of them best everywhere?

# %%
DENSITIES = {"noisy": (-3.0, 1.5), "middle": (2.4, 2.4), "clean": (6.0, 1.5)}
param = dc.denoisers.edm_param(0.5)


def practised(mean, std, steps=500, seed=0):
    """A denoiser that was trained on lambda ~ N(mean, std^2)."""
    torch.manual_seed(seed)
    D = dc.denoisers.Preconditioned(MLP(dims=64, width=128, depth=2), param)
    optimizer, draws = torch.optim.Adam(D.parameters(), lr=2e-3), dc.noise.Draws(seed)
    for _ in range(steps):
        x0 = train_rows[draws.randint(0, len(train_rows), (128,))]
        sigma = (-(mean + std * draws.randn(128)) / 2).exp()
        loss = dc.losses.denoising_loss(D, x0, sigma, draws.randn(128, 64), dc.losses.unit_weight(param))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return D


denoisers = {name: practised(*law) for name, law in DENSITIES.items()}

# %%
# NBVAL_IGNORE_OUTPUT
spots = torch.linspace(-6, 8, 15)
losses_of = {}  # name -> the loss of each image at each level, (levels, images)
with torch.no_grad():
    for name, D in denoisers.items():
        rows = []
        for level in spots:
            sigma = (-level / 2).exp()
            noise = dc.Noise(1).like(test_rows)
            rows.append(((D(test_rows + sigma * noise, sigma) - test_rows) / sigma).square().mean(1))
        losses_of[name] = torch.stack(rows)


def relative(losses, reference):
    """The mean loss over that of a reference, from the same images and noise: (levels,), and 95 % intervals (levels, 2)."""
    scale = reference.mean(1)
    value = losses.mean(1) / scale
    rest = (losses - value[:, None] * reference) / scale[:, None]
    half = 1.96 * rest.std(1) / rest.shape[1] ** 0.5
    return value, torch.stack([value - half, value + half], dim=1)


versus = {name: relative(losses, losses_of["middle"]) for name, losses in losses_of.items()}
display(
    plots.curves(
        spots,
        {name: value for name, (value, _) in versus.items()},
        intervals={name: interval for name, (_, interval) in versus.items()},
        title="Three densities: the loss over that of 'middle', 200 test digits",
        xlabel=r"$\lambda$ = ln SNR (noisy on the left, clean on the right)",
        ylabel="ratio of losses (log scale)",
        logy=True,
    )
)
means = torch.stack([losses.mean(1) for losses in losses_of.values()])
best_at = [list(losses_of)[i] for i in means.argmin(0).tolist()]
print("best at lambda:", dict(zip((f"{level:.0f}" for level in spots), best_at, strict=True)))
claim("no network is best at every noise level", len(set(best_at)) > 1)
(noisy, noisy_interval), (clean, clean_interval) = versus["noisy"], versus["clean"]
claim(
    "at lambda = -6 the clean one is far behind the middle one, and at 8 the noisy one: by more than half",
    min(clean[0], noisy[-1]) > 1.5,
)
claim(
    "at lambda = 1 the middle one is ahead of both, beyond the chance of the images",
    min(clean_interval[7, 0], noisy_interval[7, 0]) > 1,
)

# %% [markdown]
# Read it with care, too. It is one training run each, with one seed, for a few seconds: it ranks these three files. The intervals hold the chance of the test images, which all three share, and not that of training. A gap of a few percent may be gone with `seed=1`; try it. A factor of two where a network did not practise is another matter.
#
# ## 8. What an average of weights remembers
#
# One samples with an average of the weights, and not with the last ones. The usual one is exponential (EMA). Step $k$ of the optimiser leaves the weights $\theta_k$; the initial ones are $\theta_0 = \bar\theta_0$:
#
# $$\bar\theta_k = \beta\,\bar\theta_{k-1} + (1 - \beta)\,\theta_k, \qquad \bar\theta_N = \beta^N\,\theta_0 + (1 - \beta) \sum_{k=1}^{N} \beta^{N-k}\,\theta_k. \tag{14}$$
#
# Here $\beta$ is the decay of the average, and no $\beta_t$. The average is a filter: each step's weights count, and older ones less, half as much every $\ln 2 / (-\ln \beta)$ steps. The *initial* weights count $\beta^N$. That is why a warm-up lets $\beta$ begin small; the common one is $\min\big(\beta,\ \frac{1+k}{10+k}\big)$.
#
# A fixed half-life must be chosen for the length of the training. The power-function average of Karras et al. (2024, section 3.1) remembers a fixed *share* of the training. Its decay at step $k$ is $\beta_k$, and its $\gamma$ is not that of min-SNR (below it is 6.94: these weights have a standard deviation of about a tenth of the training, their $\sigma_\text{rel} = 0.10$):
#
# $$\beta_k = \Big(1 - \frac1k\Big)^{\gamma+1}, \qquad \text{weight of step } k \text{ in } \bar\theta_N: \;\Big(\frac kN\Big)^{\gamma+1} - \Big(\frac{k-1}N\Big)^{\gamma+1}. \tag{15}$$
#
# The cell runs the recursion on a stand-in whose weights are "1 at step $k$, 0 elsewhere", so the average tells what it remembers. Its mean age is the sum of (weight of step $k$) $(N - k)$. A decay that changes has no one half-life.
#
# **Predict, then run.** After 2400 steps with $\beta = 0.998$, the numbers of `mnist-eps-cosine` (which had the warm-up besides): how many steps is the half-life, and how much of the initial weights is left? With $\beta = 0.9999$, the usual value?

# %%
N = 2400


def remembered(decay):
    """Weights of theta_0, ..., theta_N in the average after N steps: (N + 1,). decay: step number -> beta."""
    average = torch.zeros(N + 1, dtype=f64)
    average[0] = 1
    for k in range(1, N + 1):
        average *= decay(k)
        average[k] += 1 - decay(k)
    return average


GAMMA = 6.94
filters = {
    "0.998": lambda k: 0.998,
    "0.998, warm-up": lambda k: min(0.998, (1 + k) / (10 + k)),
    "0.9999": lambda k: 0.9999,
    "0.9999, warm-up": lambda k: min(0.9999, (1 + k) / (10 + k)),
    "power, gamma = 6.94": lambda k: (1 - 1 / k) ** (GAMMA + 1),
}
kernels = {name: remembered(decay) for name, decay in filters.items()}
k = torch.arange(1, N + 1, dtype=f64)
agree("(14)", kernels["0.998"][1:], 0.002 * 0.998 ** (N - k))
agree("(15)", kernels["power, gamma = 6.94"][1:], (k / N) ** (GAMMA + 1) - ((k - 1) / N) ** (GAMMA + 1))
ages = N - torch.arange(N + 1, dtype=f64)
show_table(
    ["average", "half-life in steps", "mean age in steps", "share of the initial weights"],
    [
        (
            name,
            f"{math.log(2) / -math.log(float(name)):.0f}" if name in ("0.998", "0.9999") else "changes",
            f"{(kernel * ages).sum():.0f}",
            f"{kernel[0]:.2g}",
        )
        for name, kernel in kernels.items()
    ],
    f"after {N} steps",
)
claim(
    "2400 steps are too few for the warm-up to reach 0.998 or 0.9999, so the two rows with it are one",
    torch.equal(kernels["0.998, warm-up"], kernels["0.9999, warm-up"]),
)
claim(
    "the warm-up alone is nearly a power function, with gamma = 8",
    abs(kernels["0.9999, warm-up"][-1] / (1 - ((N - 1) / N) ** 9) - 1) < 0.01,
)
claim(
    "with 0.9999 and no warm-up, most of the average is still the initial weights", kernels["0.9999"][0] > 0.5
)
plots.curves(
    k,
    {name: kernel[1:] for name, kernel in kernels.items() if name != "0.998, warm-up"},
    title="What the average after 2400 steps remembers",
    xlabel="step",
    ylabel="weight of that step",
)

# %%
quiz.ask("05-q6")

# %% [markdown]
# ## 9. A report, read with this chapter
#
# A student's report trains improved-diffusion on Food-101 at 64×64, class-conditional, with the cosine schedule: one network with $L_\text{simple}$ ("MSE"), one with the hybrid loss ("VLB + MSE"). Each has 90,000 steps of Adam with batches of 64 and a learning rate of 0.004, and FID every 15,000. Both sample with all their steps. It reports three things:
#
# - *The loss of the hybrid network is higher throughout.* It is a sum of two terms, and the second is above 0: it is higher unless its $L_\text{simple}$ is lower by more than that. Two losses with different terms cannot be compared.
# - *Its FID is lower nearly throughout; the best are 0.35 at 60,000 steps, against 0.87 at 75,000.* This is one run of each, and the best of six looks. By (7) the stop-gradient keeps the bound away from $\varepsilon_\theta$: the *mean* of the step learns from $L_\text{simple}$ in both networks. So a large gain of the picture has three possible sources: the sampler's variance, the trunk that the mean shares with $v$, and chance. More seeds would tell. On MNIST, in 25 steps, {{section Fewer steps}} saw no such gain.
# - *The FID is 0.35.* It was computed in 64 features of Inception and not in the usual 2048. A distance in other features has another scale. It says nothing beside a published FID of 2 or 3, and the two numbers of the report can be compared with each other alone. The chapter on evaluation measures the same sets in four feature spaces.
#
# The learning rate is forty times that of the paper's code. It also took fewer than 1000 steps, because the images are small. By chapter 4 that is a statement about the betas, and it changes the factor $T/1000$ of the bound.
#
# ## 10. Common slips
#
# - **No stop-gradient.** The bound then trains $\varepsilon_\theta$ too, with a weight that is enormous at small $t$.
# - **No factor $T$, beside 0.001.** $0.001\,L_{t-1}$ in the place of $0.001\,T\,L_{t-1}$: with $T = 1000$ the bound has a thousandth of its weight.
# - **Nats summed, beside a mean.** The second term is $d \ln 2$ times too large.
# - **Bounds of the long chain in a short one.** The two variances belong to the step; strided sampling has its own (9).
# - **An $\varepsilon$ loss with the weight of $x_0$.** $\min(\mathrm{SNR}, \gamma)$ where $\min(\mathrm{SNR}, \gamma)/\mathrm{SNR}$ belongs.
# - **Terms for observations.** An interval with $\sqrt{nK}$ for $\sqrt n$.
# - **An average that still remembers its first weights.** 0.9999 after a few thousand steps, without warm-up.
#
# ## Summary
#
# - The two fixed variances are nearly equal but in the last steps of a long chain, and far apart in a short one. So the pictures of 1000 steps hardly tell them apart; the bound and short chains do.
# - A network answers $v$: a place between two bounds, in the logarithm. It learns it from the bound; the mean learns from $L_\text{simple}$.
# - The best variance is $\tilde\beta$ plus the model's own squared error. Up to $t = 100$ the mean of the shipped network's $v$ is within 0.15 of the best single one.
# - One image is one observation, however many $t$ are drawn for it. Compare in pairs, and distrust an interval when few images decide it.
# - $\varepsilon$, $x_0$, $v$ and every weighting are one squared error with different weights; a density of $t$ is a weight, too, with another scatter.
# - An EMA is a filter. Know its half-life, and what it keeps of the beginning.
#
# ## References
#
# - Ho, Jain, Abbeel (2020). [*Denoising diffusion probabilistic models.*](https://arxiv.org/abs/2006.11239) Section 3.2 (two variances), eqs. 7, 13 and 14.
# - Nichol, Dhariwal (2021). [*Improved denoising diffusion probabilistic models.*](https://arxiv.org/abs/2102.09672) Section 3.1, eqs. 15 and 16 (learned variance, hybrid loss), eq. 18 (which t to draw), eq. 19 (fewer steps).
# - Song, Meng, Ermon (2021). [*Denoising diffusion implicit models.*](https://arxiv.org/abs/2010.02502) Table 1 (two variances against the number of steps).
# - Bao, Li, Zhu, Zhang (2022). [*Analytic-DPM: an analytic estimate of the optimal reverse variance in diffusion probabilistic models.*](https://arxiv.org/abs/2201.06503) Theorem 1.
# - Kingma, Salimans, Poole, Ho (2021). [*Variational diffusion models.*](https://arxiv.org/abs/2107.00630) Eq. 13.
# - Salimans, Ho (2022). [*Progressive distillation for fast sampling of diffusion models.*](https://arxiv.org/abs/2202.00512) Section 4 (v).
# - Choi, Lee, Shin, Kim, Kim, Yoon (2022). [*Perception prioritized training of diffusion models.*](https://arxiv.org/abs/2204.00227) Eq. 8 (P2).
# - Karras, Aittala, Aila, Laine (2022). [*Elucidating the design space of diffusion-based generative models.*](https://arxiv.org/abs/2206.00364) Table 1.
# - Hang, Gu, Li, Bao, Chen, Hu, Geng, Guo (2023). [*Efficient diffusion training via min-SNR weighting strategy.*](https://arxiv.org/abs/2303.09556) Section 3.4.
# - Kingma, Gao (2023). [*Understanding diffusion objectives as the ELBO with simple data augmentation.*](https://arxiv.org/abs/2303.00848) (The family of weightings, and the sigmoid.)
# - Karras, Aittala, Lehtinen, Hellsten, Aila, Laine (2024). [*Analyzing and improving the training dynamics of diffusion models.*](https://arxiv.org/abs/2312.02696) Section 3.1 (power-function EMA).

# %%
# NBVAL_CHECK_OUTPUT
check_all()
