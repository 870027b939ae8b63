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
# # 4. Noise schedules
#
# Chapters 1 to 3 took $\beta_1, \dots, \beta_T$ as given. This chapter chooses them. You write two of the four
# usual schedules, compute what a schedule leaves of the image at the end, see a sampler fail because that
# is too much, and build what mends it. Then you design a schedule, find out which steps carry the information, and read
# a measurement: samples of four trained networks, linear against cosine, compared in pairs and with error bars.
#
# **You learn**
#
# - to read a schedule in three ways: $\beta_t$, $\bar\alpha_t$ and the log signal-to-noise ratio, all against
#   $t/T$;
# - the linear, cosine, sigmoid and quadratic schedules, where their constants come from, and what each must
#   fulfil;
# - why $T = 200$ with the linear schedule of Ho et al. fails, and how a schedule keeps its clock at another $T$;
# - that a schedule does not change the task, only how often each noise level is visited;
# - how to compare two schedules so that the comparison means something.
#
# **You need** $q(x_t \mid x_0)$ and the SNR from chapter 1, the KL of two Gaussians from chapter 2, and the
# $\varepsilon$ loss from chapter 3. Each is repeated here in one line.
#
# **Time**: {{reading}} of reading, and {{minutes}} for {{exercises}}. The cells run in about 30 s on 2 CPU
# cores; it was not measured on a GPU.

# %% [markdown]
# ## Notation
#
# {{notation t u beta alpha alpha_bar x_t snr lambda sigma_t d}}

# %%
import math

import torch
from IPython.display import display
from torch.nn import functional as F

import diffusion_course as dc
from diffusion_course.classroom import check, check_all
from diffusion_course.experiments import data, metrics, studies, zoo
from diffusion_course.experiments.drawing import draw
from diffusion_course.experiments.intervals import around, holm, mcnemar, reach
from diffusion_course.experiments.studies.shown import (
    show_differences,
    show_differences_over_seeds,
    show_over_seeds,
)
from diffusion_course.experiments.studies.schedules import loss_per_t, strided_grid
from diffusion_course.guidance import clip
from diffusion_course.notebook import plots, quiz, widgets
from diffusion_course.notebook.claims import agree, claim
from diffusion_course.notebook.tables import show_table

f64 = torch.float64


def schedule_of(betas):
    return dc.NoiseSchedule.from_betas(betas)


# %% [markdown]
# ## 1. Four schedules, three views
#
# | name | formula | from |
# |---|---|---|
# | linear | $\beta_t$ rises evenly from $\beta_\text{min} = 10^{-4}$ to $\beta_\text{max} = 0.02$ | Ho et al. 2020, section 4 |
# | quadratic | $\sqrt{\beta_t}$ rises evenly, $\beta_t$ between the same ends | code of Ho et al. 2020; with $\beta_t$ from 0.00085 to 0.012, Stable Diffusion |
# | sigmoid | $\beta_t$ climbs between the same ends along an S-curve | code of GeoDiff (Xu et al. 2022) |
# | cosine | $\bar\alpha_t$ falls along a squared cosine; $\beta_t$ follows from it | Nichol & Dhariwal 2021, eq. 17 |
#
# The first three prescribe $\beta_t$, the rate at which noise comes in. The fourth prescribes $\bar\alpha_t$,
# what is left. Each determines the other:
#
# $$\bar\alpha_t = \prod_{s=1}^{t} (1 - \beta_s) \quad\text{(Ho et al. 2020, below eq. 3)}, \qquad \beta_t = 1 - \frac{\bar\alpha_t}{\bar\alpha_{t-1}}, \quad \bar\alpha_0 = 1.$$

# %%
T = 1000
u = torch.arange(1, T + 1, dtype=f64) / T
tables = {
    name: schedule_of(dc.schedules.by_name(name, T)) for name in ("linear", "quadratic", "sigmoid", "cosine")
}
linear, cosine = tables["linear"], tables["cosine"]

for name, s in tables.items():
    agree(f"{name:9} product and alpha_bar", (1 - s.betas).cumprod(0), s.alpha_bar, 1e-12)
    previous = torch.cat([torch.ones(1, dtype=f64), s.alpha_bar[:-1]])
    agree(f"{name:9} ratio and beta", 1 - s.alpha_bar / previous, s.betas, 1e-12)

# %%
claim(
    "each beta covers at least two orders of magnitude",
    all(s.betas.max() / s.betas.min() >= 100 for s in tables.values()),
)
plots.curves(
    u,
    {name: s.betas for name, s in tables.items()},
    title=r"The first view: the rate $\beta_t$, T = 1000",
    xlabel="t / T",
    ylabel=r"$\beta_t$ (log scale)",
    logy=True,
)

# %% [markdown]
# The cosine's last $\beta$ is 0.999,
# fifty times that of the others. From this view alone it is hard to tell which schedule noises earlier. The
# product tells.

# %%
for name, s in tables.items():
    half, end = int((s.alpha_bar > 0.5).sum()), int((s.alpha_bar > 0.05).sum())
    print(f"{name:9} half of the signal's variance is lost at t/T = {half / T:.2f}, 95 % at {end / T:.2f}")
plots.curves(
    u,
    {name: s.alpha_bar for name, s in tables.items()},
    title=r"The second view: what is left of the signal, $\bar\alpha_t$",
    xlabel="t / T",
    ylabel=r"$\bar\alpha_t$",
)

# %% [markdown]
# The linear schedule loses the signal early. The cosine falls almost evenly from 1 to 0. The sigmoid waits, and then
# drops.
#
# **Predict, then run.** In this figure the last tenth of the linear and of the cosine curve both look like 0.
# In the next figure, the logarithm $\lambda_t$ of the SNR, will they still look alike?

# %%
plots.curves(
    u,
    {name: s.snr.log() for name, s in tables.items()},
    title=r"The third view: the log signal-to-noise ratio $\lambda_t$",
    xlabel="t / T",
    ylabel=r"$\lambda_t$ = ln SNR(t)",
)

# %% [markdown]
# They do not. The cosine goes on falling, steeply at the end; the linear schedule reaches $-10$ and stops. This
# view is the most useful one. A denoiser's task depends on $\lambda$ alone: how much noise is there, compared
# with the signal? A schedule says *when* each $\lambda$ is visited, and the steepness of its curve *how
# briefly*. {{Section Which steps carry the information}} makes this exact.
#
# Now one image through each.

# %%
digits = data.load("mnist-5k", split="test")
image = digits.images[701].double()
moments = [1, 100, 250, 500, 750, 900, 1000]
eps = dc.Noise(0).randn(1, *image.shape, dtype=f64).expand(len(moments), -1, -1, -1)
rows = [dc.gaussian.diffuse(image.expand_as(eps), torch.tensor(moments), eps, s) for s in tables.values()]
plots.filmstrip(
    torch.stack(rows, dim=1),
    [f"t/T = {t / T:g}" for t in moments],
    title="One digit and one noise, four schedules",
    rows=list(tables),
)

# %% [markdown]
# Look at the column $t/T = 0.5$: with the linear schedule the digit is nearly gone, with the cosine you can
# read it. The last three columns of the linear row look the same. A network that is trained with this schedule
# spends a quarter of its examples there, and a sampler a quarter of its steps.
#
# ### Why the product is easy to foresee
#
# For a schedule given by its betas the second view follows from the first in one line:
#
# $$\begin{aligned}
# \ln \bar\alpha_t &= \sum_{s=1}^{t} \ln(1 - \beta_s) && \text{logarithm of the product} \\
# &= -\sum_{s=1}^{t} \beta_s \;-\; \tfrac12 \sum_{s=1}^{t} \beta_s^2 - \dots && \ln(1-\beta) = -\beta - \tfrac12\beta^2 - \dots \\
# &\approx -\sum_{s=1}^{t} \beta_s && \text{small } \beta
# \end{aligned}$$
#
# For the linear schedule, $\beta_s = \beta_\text{min} + (\beta_\text{max} - \beta_\text{min}) \frac{s-1}{T-1}$,
# the sum up to $T$ is the number of terms times their mean:
# $\ln\bar\alpha_T \approx -\tfrac{T}{2} (\beta_\text{min} + \beta_\text{max})$. What counts is $T \cdot \beta$,
# the total noise. Remember this product; {{section The end of the chain}} needs it.

# %%
total = linear.betas.sum()
print(f"sum of betas {total:.4f}, T (beta_min + beta_max) / 2 = {1000 * (1e-4 + 0.02) / 2:.4f}")
print(f"-ln alpha_bar_T {-linear.alpha_bar[-1].log():.4f}")
print(f"first two terms of the series {total + linear.betas.square().sum() / 2:.4f}")

# %%
quiz.ask("04-q1")

# %% [markdown]
# ## 2. The cosine schedule
#
# Nichol & Dhariwal (2021, section 3.2) saw the wasted end of the linear schedule, most of all on small images,
# and asked for an $\bar\alpha$ that changes slowly near both ends and evenly in between. They chose (eq. 17)
#
# $$\bar\alpha_t = \frac{f(t)}{f(0)}, \qquad f(t) = \cos^2\!\left( \frac{t/T + s}{1 + s} \cdot \frac{\pi}{2} \right), \qquad s = 0.008.$$
#
# Read it from the inside. $\frac{u+s}{1+s}$ moves evenly from $\frac{s}{1+s}$, a little above 0, at $u = 0$ to
# exactly 1 at $u = 1$. Times $\frac{\pi}{2}$ it is an angle that ends at a right angle. The squared cosine of
# it falls from nearly 1 to 0, and the division by $f(0)$ turns "nearly 1" into 1. The square has a reason:
# $\sqrt{\bar\alpha_t}$, the factor of $x_0$, is then a cosine, and for $s = 0$ the factor of the noise,
# $\sqrt{1-\bar\alpha_t}$, is the sine of the same angle.
#
# ### Exercise {{04-cosine_alpha_bar}}
#
# Write $\bar\alpha$ as a function of $u = t/T$.
#
# *Hint.* Write $f$ as a small function of its own, so that you can call it at `u` and at 0. `torch.cos` wants a
# tensor and `math.cos` a Python number. `u` need not contain 0, so take $f(0)$ from $f$ and not from the first
# entry.


# %%
# EXERCISE 04-cosine_alpha_bar (keep this line)
def cosine_alpha_bar(u, s):
    """alpha_bar of the cosine schedule at u = t / T (Nichol & Dhariwal 2021, eq. 17).

    u: (n,), numbers from 0 to 1. s: the offset, a Python number >= 0. Returns (n,).
    """

    ### BEGIN SOLUTION
    def f(u):
        return torch.cos((u + s) / (1 + s) * math.pi / 2) ** 2

    return f(u) / f(torch.zeros_like(u))
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("04-cosine_alpha_bar", cosine_alpha_bar)

# %% [markdown]
# From your function the betas follow by $\beta_t = 1 - \bar\alpha_t / \bar\alpha_{t-1}$. One correction is
# needed. At $u = 1$ the angle is $\pi/2$, so $\bar\alpha_T = 0$ and $\beta_T = 1$. A step with $\beta = 1$
# keeps nothing: the formulas of chapter 3 divide by $\sqrt{\alpha_T} = 0$. Nichol & Dhariwal clip $\beta_t$ at 0.999.


# %%
def betas_from(alpha_bar, max_beta=0.999):
    """alpha_bar at t = 0, 1, ..., T, shape (T + 1,), to beta_1..beta_T, shape (T,)."""
    return (1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=max_beta)


from_zero = torch.arange(T + 1, dtype=f64) / T
mine = betas_from(cosine_alpha_bar(from_zero, 0.008))
agree("your cosine betas and the library's", mine, cosine.betas, 1e-12)
print("betas at the clip:", int((mine == 0.999).sum()), "of 1000")
print(f"alpha_bar_T = {cosine.alpha_bar[-1]:.2g}, sigma_T = {cosine.sigmas[-1]:.0f}")

# %% [markdown]
# Only the very last beta touches the clip.
#
# ### What the offset s is for
#
# With $s = 0$ the first betas would be tiny: $1 - \cos^2 \phi \approx \phi^2$ with $\phi = \frac{\pi}{2T}$. The
# noise of the first step would be far below the distance of two grey levels, $2/255 = 1/127.5$ for pixels in
# $[-1, 1]$. A network can hardly learn to see such noise. Nichol & Dhariwal chose $s$ so that $\sqrt{\beta_1}$
# is a little below one grey level.

# %%
for s in (0.0, 0.002, 0.008, 0.03):
    first = betas_from(cosine_alpha_bar(from_zero[:2], s))[0].sqrt()
    print(f"s = {s:<5}  sqrt(beta_1) = {first:.5f} = {first * 127.5:.2f} grey levels")
print(f"small angle: pi / 2000 = {math.pi / 2000:.5f}")

# %% [markdown]
# The offset is a small shift of the angle, no more. {{Section Common slips}} shows what happens to a formula that
# takes 0.008 for a power.
#
# ## 3. The ramps
#
# The three others are ramps between two ends. Let $u$ run from 0 at the first step to 1 at the last:
#
# $$\begin{aligned}
# \text{linear:} \quad & \beta = \beta_\text{min} + (\beta_\text{max} - \beta_\text{min})\,u \\
# \text{quadratic:} \quad & \beta = \big(\sqrt{\beta_\text{min}} + (\sqrt{\beta_\text{max}} - \sqrt{\beta_\text{min}})\,u\big)^2 \\
# \text{sigmoid:} \quad & \beta = \beta_\text{min} + (\beta_\text{max} - \beta_\text{min})\,\mathrm{sigmoid}(z), \qquad \mathrm{sigmoid}(z) = \frac{1}{1 + e^{-z}}
# \end{aligned}$$
#
# In the last one $z$ runs evenly from $-k$ at $u = 0$ to $+k$ at $u = 1$. The number $k$ is the *steepness*,
# usually 6. A $k$ near 0 leaves only the flat middle of the S, a large $k$ makes a switch. (For the ramps $u$
# is $(t-1)/(T-1)$, so that both ends are reached. For $T = 1000$ the difference to $t/T$ is at most 0.001.)
#
# ### Exercise {{04-sigmoid_betas}}
#
# Write the sigmoid schedule.
#
# *Hint.* First find the straight line $z(u)$ with $z(0) = -k$ and $z(1) = k$. Tensors have a method
# `.sigmoid()`.


# %%
# EXERCISE 04-sigmoid_betas (keep this line)
def sigmoid_betas(u, beta_min, beta_max, steepness):
    """Betas that climb from about beta_min to about beta_max along a sigmoid (code of Xu et al. 2022).

    u: (T,), from 0 at the first step to 1 at the last, in steps of any length. The others are Python numbers. Returns (T,).
    """
    ### BEGIN SOLUTION
    z = steepness * (2 * u - 1)
    return beta_min + (beta_max - beta_min) * z.sigmoid()
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("04-sigmoid_betas", sigmoid_betas)

# %% [markdown]
# "About" $\beta_\text{min}$, because $\mathrm{sigmoid}(-6) = 0.0025$ and not 0. The slider below draws the
# log-SNR of a schedule with your two functions in it. Move a knob and watch what it moves: $\beta_\text{max}$
# pulls the right end, the steepness bends the middle, $s$ touches only the left end.

# %%
ramp = torch.linspace(0, 1, T, dtype=f64)


def with_knobs(schedule, beta_max, steepness, s):
    """The betas of a named schedule with these knobs; each schedule uses its own and ignores the others."""
    if schedule == "cosine":
        return betas_from(cosine_alpha_bar(from_zero, s))
    if schedule == "sigmoid":
        return sigmoid_betas(ramp, 1e-4, beta_max, steepness)
    return getattr(dc.schedules, schedule)(T, 1e-4, beta_max)


for name in tables:
    agree(
        f"{name:9} with the usual knobs and the library",
        with_knobs(name, 0.02, 6, 0.008),
        tables[name].betas,
        1e-12,
    )


def knobs(schedule="sigmoid", beta_max=0.02, steepness=6.0, s=0.008):
    chosen = schedule_of(with_knobs(schedule, beta_max, steepness, s))
    return plots.curves(
        u,
        {"your setting": chosen.snr.log(), f"{schedule}, usual knobs": tables[schedule].snr.log()},
        title=rf"{schedule}: $\bar\alpha_T$ = {chosen.alpha_bar[-1]:.1e}, half of the signal left at t = {int((chosen.alpha_bar > 0.5).sum())}",
        xlabel="t / T",
        ylabel=r"$\lambda_t$ = ln SNR(t)",
        ylim=(-22, 12),
    )


widgets.slide(
    knobs,
    schedule=list(tables),
    beta_max=(0.002, 0.04, 0.001),
    steepness=(0.5, 15.0, 0.5),
    s=[0.0001, 0.001, 0.008, 0.03, 0.1],
    description="The log-SNR of a schedule with the chosen knobs, beside its usual form",
    static=[
        {"schedule": "linear", "beta_max": 0.01},
        {"schedule": "sigmoid", "steepness": 12.0},
        {"schedule": "cosine", "s": 0.1},
    ],
    labels={"beta_max": "largest β (ramps)", "steepness": "steepness (sigmoid)", "s": "s (cosine)"},
    matters={
        "beta_max": {"schedule": [name for name in tables if name != "cosine"]},
        "steepness": {"schedule": "sigmoid"},
        "s": {"schedule": "cosine"},
    },
)

# %% [markdown]
# ## 4. What a schedule must fulfil
#
# 1. **Valid**: $0 < \beta_t < 1$ for every $t$. Then each step is a proper Gaussian, and the SNR falls
#    strictly.
# 2. **The start is nearly clean**: $\bar\alpha_1 \approx 1$. The decoder of chapter 2 turns $x_1$ into pixels,
#    and must be able to see them. A first noise $\sigma_1$ about as large as one grey level is right.
# 3. **The end is nearly pure noise**: $\bar\alpha_T \approx 0$. The sampler starts from $\mathcal{N}(0, I)$ and
#    knows nothing else. How near is near enough depends on the number of pixels; {{section The end of the chain}}.
# 4. **Small steps**: $q(x_{t-1} \mid x_t)$ must be close to a Gaussian, since the model's step is one.
# 5. **The steps are where the information is**: a step at a noise level where nothing is decided is wasted;
#    {{section Which steps carry the information}}.
#
# Betas need not rise. It is usual, since a nearly clean image bears only small steps and a noisy one larger
# ones, but no derivation of chapters 1 to 3 used it.
#
# Requirements 2 to 5 can be printed. The largest drop of $\lambda$ leaves out the first and the last step.

# %%
drops, ends, late, lines = {}, {}, {}, []
for name, s in tables.items():
    drop = (-s.snr.log().diff()[1:-1]).max()
    wasted = int((s.alpha_bar < 0.01).sum())
    drops[name], ends[name], late[name] = drop.item(), s.alpha_bar[-1].item(), wasted
    lines.append((name, f"{127.5 * s.sigmas[0]:.2f}", f"{s.alpha_bar[-1]:.1e}", f"{drop:.2f}", wasted))
show_table(
    ["", "sigma_1 in grey levels", "alpha_bar_T", "largest drop of lambda", "steps with alpha_bar < 0.01"],
    lines,
)
claim("the quadratic schedule keeps most of the signal at the end", max(ends, key=ends.get) == "quadratic")
claim(
    "the cosine takes the largest steps in lambda, and wastes the fewest",
    max(drops, key=drops.get) == min(late, key=late.get) == "cosine",
)
steps = -tables["cosine"].snr.log().diff()[1:-1]
claim(
    "the cosine's largest step is the last of these, in nearly pure noise", steps.argmax() == len(steps) - 1
)
claim("the linear schedule has the most steps with almost nothing left", max(late, key=late.get) == "linear")

# %% [markdown]
# Read a column at a time. All four start with a noise of about one grey level: requirement 2. For requirement 3
# compare the next column with the rule of {{section The end of the chain}}. The last two pull against each other: who
# spends few steps in nearly pure noise walks through it in larger ones.
#
# ### Why the steps must be small
#
# Take the smallest data set with a decision in it: $x_0$ is $+1$ or $-1$, with equal odds. Let $x_t = 0$, which
# leaves it open. What do we know of an earlier state $x_s$? By Bayes' rule
#
# $$q(x_s \mid x_t) \propto q(x_s)\; q(x_t \mid x_s), \qquad q(x_s) = \tfrac12 \mathcal{N}(\sqrt{\bar\alpha_s}, 1-\bar\alpha_s) + \tfrac12 \mathcal{N}(-\sqrt{\bar\alpha_s}, 1-\bar\alpha_s),$$
#
# and $q(x_t \mid x_s) = \mathcal{N}\big(\sqrt{a}\,x_s,\, 1-a\big)$ with $a = \bar\alpha_t/\bar\alpha_s$, the
# steps from $s$ to $t$ taken as one. The cell computes this density on a fine grid, for three jumps from
# $t = 400$, and its KL divergence from the Gaussian with the same mean and variance, the best that a Gaussian
# step can do.


# %%
def normal(x, mean, variance):
    return (-((x - mean) ** 2) / (2 * variance)).exp() / (2 * math.pi * variance) ** 0.5


def reverse_density(s, t, schedule, x_t=0.0):
    """q(x_s | x_t) on the grid `line`, for x_0 = +1 or -1."""
    a_s, a = schedule.alpha_bar[s - 1], schedule.alpha_bar[t - 1] / schedule.alpha_bar[s - 1]
    prior = normal(line, a_s.sqrt(), 1 - a_s) + normal(line, -a_s.sqrt(), 1 - a_s)
    density = prior * normal(x_t, a.sqrt() * line, 1 - a)
    return density / torch.trapezoid(density, line)


line = torch.linspace(-3, 3, 20001, dtype=f64)
densities = {}
for s in (399, 300, 100):
    p = reverse_density(s, 400, linear)
    variance = torch.trapezoid(p * line**2, line)  # the mean is 0, by symmetry
    gap = torch.trapezoid(p * (p / normal(line, 0.0, variance)).clamp(min=1e-300).log(), line)
    densities[f"{400 - s} step{'s' * (s < 399)}"] = p / p.max()
    print(f"400 -> {s}: KL from the best Gaussian {gap:.5f} nats")
plots.curves(
    line,
    densities,
    title=r"Where was the chain, if $x_{400} = 0$ and $x_0 = \pm 1$?",
    xlabel="$x_s$",
    ylabel="density / its maximum",
)

# %% [markdown]
# One step back the answer is a Gaussian, and a hundred steps back it is still close to one. Three hundred steps
# back there are two peaks: by then the image had decided. A single Gaussian cannot say "one or the other"; it
# would put most samples in between. This is why diffusion takes many steps.
#
# Chapter 3 ended with a slider in which the judge recognised about as many digits at 5 steps as at 30. Is that a
# contradiction? No: the judge was trained on clean, real digits, and names the digit that a picture is nearest to.
# It does not mind grey, and a "5" of two unconnected strokes is a 5 to it. A judge is blind to such faults; a distance
# between distributions, such as the one of {{section Linear against cosine}}, is less so.
#
# ## 5. The end of the chain, and T
#
# How far is $q(x_T \mid x_0)$ from the $\mathcal{N}(0, I)$ that sampling starts from? With $a = \bar\alpha_T$
# it is $\mathcal{N}(\sqrt{a}\,x_0,\, (1-a) I)$. Chapter 2's KL of two Gaussians, pixel by pixel, with the
# second one standard normal, is
#
# $$\begin{aligned}
# \mathrm{KL} &= \sum_{i=1}^{d} \tfrac12 \big( \text{mean}_i^2 + \text{var} - 1 - \ln \text{var} \big) && \text{second Gaussian: mean 0, variance 1} \\
# &= \tfrac12 \sum_{i=1}^{d} \big( a\,x_{0,i}^2 - a - \ln(1-a) \big) && \text{mean}_i = \sqrt{a}\,x_{0,i}, \quad \text{var} = 1 - a \\
# &= \tfrac12 \big( a\,(\|x_0\|^2 - d) - d \ln(1-a) \big) && \text{sum over the pixels} \\
# &\approx \tfrac12\, a\,\|x_0\|^2 && \text{small } a: \; -\ln(1-a) \approx a
# \end{aligned}$$
#
# This is the term $L_T$ of the bound (Ho et al. 2020, eq. 5). The last line is the rule of thumb: $a$ must be
# small against $2/\|x_0\|^2$, and $\|x_0\|^2$ is about the number of pixels. A large image needs a smaller
# $\bar\alpha_T$.
#
# ### Exercise {{04-prior_kl}}
#
# Write it for a batch: one number for each image.
#
# *Hint.* Images may have any number of axes; `.flatten(1)` leaves the first one and joins the others.
# $\bar\alpha_T$ is the last entry of the table.


# %%
# EXERCISE 04-prior_kl (keep this line)
def prior_kl(x0, alpha_bar):
    """KL(q(x_T | x_0) || N(0, I)) of each image, in nats: the term L_T (Ho et al. 2020, eq. 5).

    x0: (B, *S), where *S is any number of axes. alpha_bar: (T,), alpha_bar_1..alpha_bar_T. Returns (B,).
    """
    ### BEGIN SOLUTION
    a = alpha_bar[-1]
    pixels = (a * x0**2 - a - torch.log(1 - a)) / 2
    return pixels.flatten(1).sum(1)
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("04-prior_kl", prior_kl)

# %%
x0 = digits.images[::10].double()
d = x0[0].numel()
for name in ("linear", "quadratic", "cosine"):
    s = tables[name]
    general = dc.elbo.normal_kl(s.alpha_bar[-1].sqrt() * x0, s.one_minus_alpha_bar[-1].log(), 0.0, 0.0)
    agree(f"{name}: your KL and chapter 2's", prior_kl(x0, s.alpha_bar), general.flatten(1).sum(1), 1e-9)
    thumb = s.alpha_bar[-1] * x0.square().flatten(1).sum(1).mean() / 2
    print(
        f"   mean over {len(x0)} digits {prior_kl(x0, s.alpha_bar).mean():.2g} nats, rule of thumb {thumb:.2g}"
    )

# %% [markdown]
# At $T = 1000$ all are well below one nat. (Chapter 2's general formula subtracts nearly equal numbers with
# care; yours loses a few digits at $\bar\alpha_T = 10^{-9}$, which does not matter here.)
#
# **Predict, then run.** To save time you train with $T = 200$ instead of 1000, and call the same function
# `linear(T)` with its default ends $10^{-4}$ and 0.02. From {{section Four schedules}}: what is $\ln\bar\alpha_T$, roughly? How
# much of the digit is left at the end?

# %%
lengths = torch.tensor([25, 50, 100, 200, 300, 500, 700, 1000, 1500, 2000])


def kl_of(betas):
    """Mean KL at the end over the digits, in nats."""
    return prior_kl(x0, schedule_of(betas).alpha_bar).mean()


lines = {name: torch.stack([kl_of(dc.schedules.by_name(name, int(n))) for n in lengths]) for name in tables}
short = schedule_of(dc.schedules.linear(200))
print(f"linear, T = 200: alpha_bar_T = {short.alpha_bar[-1]:.3f}, KL = {kl_of(short.betas):.1f} nats")
plots.curves(
    lengths,
    lines,
    title="What the end still knows of the digit, against T",
    xlabel="T (log scale)",
    ylabel="KL in nats (log scale)",
    logx=True,
    logy=True,
    marks={"T = 200": 200},
)

# %% [markdown]
# With $T = 200$ the linear schedule keeps 13 % of the signal's variance, 36 % of its amplitude, and the KL is
# 52 nats. (The curve of the sigmoid is hidden behind that of the linear schedule: their betas have the same sum.) The
# ramps were tuned for $T = 1000$. The cosine is a function of $t/T$ and needs no tuning: its KL is small at
# every $T$.
#
# ### The mend: keep the clock
#
# {{Section Four schedules}} found $\ln\bar\alpha_T \approx -T \cdot \text{mean of } \beta$. Public code keeps this
# product: it multiplies every $\beta$ by $1000/T$. That is right as far as $\ln(1-\beta) \approx -\beta$ is, and for
# $T \le 20$ it makes a $\beta$ of 1 or more. The exact mend keeps $\bar\alpha$ itself. Let the old schedule have $N$ steps,
# and take $t$ of the $T$ new ones for $tN/T$ of the old ones:
#
# $$\ln\bar\alpha'_t = \ln\bar\alpha_{\,tN/T}, \qquad \beta'_t = 1 - \frac{\bar\alpha'_t}{\bar\alpha'_{t-1}}, \qquad t = 1, \dots, T.$$
#
# Where $tN/T$ is no whole number, $\ln\bar\alpha$ is taken as a straight line between the whole numbers on both sides of it,
# and $\bar\alpha_0 = \bar\alpha'_0 = 1$. So the curve against $t/T$ stays what it was, from the first point to the last.
# If $T$ divides $N$, this keeps every $N/T$-th entry of $\bar\alpha$, as the strided sampler of Nichol & Dhariwal does (2021, eq. 19).
#
# ### Exercise {{04-rescale}}
#
# Write it. $T$ may be smaller or larger than $N$, and need not divide it.
#
# *Hint.* Make a table of $\ln\bar\alpha$ that begins with a 0 for $t = 0$: then entry $s$ belongs to step $s$, and the table has
# $N + 1$ entries. Step $t$ of the new schedule reads it at the place $tN/T$: between which two entries does that lie, and how far
# along? `torch.lerp(a, b, share)` is `a + share * (b - a)`, and wants one dtype, that of `betas`; integers divided by integers
# give float32. The last place is $N$, the table's last entry: there is none after it to be `b`.


# %%
# EXERCISE 04-rescale (keep this line)
def rescale(betas, T):
    """The betas of a schedule of T steps that has the same alpha_bar at the same t / T.

    betas: (N,), beta_1..beta_N, each inside (0, 1). T: the new number of steps, an integer >= 1. Returns (T,).
    """
    ### BEGIN SOLUTION
    N = len(betas)
    log_alpha_bar = torch.cat([torch.zeros_like(betas[:1]), torch.log(1 - betas).cumsum(0)])
    place = torch.arange(T + 1, dtype=betas.dtype, device=betas.device) * N / T
    left = place.long().clamp(max=N - 1)
    new = torch.lerp(log_alpha_bar[left], log_alpha_bar[left + 1], place - left)
    return 1 - (new[1:] - new[:-1]).exp()  # the ratio is the exponential of the difference
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("04-rescale", rescale)

# %% [markdown]
# **Predict, then run.** The factor and your function both bring the linear schedule to another $T$. Which of the two ends
# with less of the image left? And do they agree on the way, at equal $t/T$?

# %%
whole = dc.schedules.linear(1000)
ends, gaps, lines = {}, {}, []
for n in (25, 50, 100, 200, 500):
    plain, mine = dc.schedules.linear(n), schedule_of(rescale(whole, n))
    factor = schedule_of(plain * 1000 / n)
    ends[n] = factor.alpha_bar[-1] / mine.alpha_bar[-1]
    gaps[n] = (factor.snr.log() - mine.snr.log()).abs()
    three = (f"{end:.1e}" for end in ((1 - plain).prod(), factor.alpha_bar[-1], mine.alpha_bar[-1]))
    lines.append((n, *three, f"{kl_of(mine.betas):.3f}", *(f"{gaps[n][i]:.2f}" for i in (0, n // 2 - 1, -1))))
head = ["alpha_bar_T: plain", "times 1000/T", "yours", "KL, yours"]
show_table(["T", *head, "lambda apart: t = 1", "T / 2", "T"], lines)
claim(
    "yours ends where 1000 steps do, with 10 steps too",
    all(abs(kl_of(rescale(whole, n)) / kl_of(whole) - 1) < 1e-6 for n in (10, 25, 200)),
)
claim("the factor leaves less of the image, at T = 25 a hundredth of yours", ends[25] < 0.01 < ends[500] < 1)
claim(
    "at both ends the two are further apart than in the middle, and the less, the more steps",
    all(gap[n // 2 - 1] < min(gap[0], gap[-1]) for n, gap in gaps.items())
    and all(gaps[b].max() < gaps[a].max() for a, b in zip(gaps, list(gaps)[1:], strict=False)),
)

# %% [markdown]
# Both come to noise. But the factor makes another clock: it starts at a cleaner image (the ramp reaches
# $\beta_\text{min} \cdot 1000/T$ in its first step, where 1000 steps have added up the noise of $1000/T$ of them) and goes further at
# the end, where $-\ln(1-\beta)$ is larger than $\beta$. With a few hundred steps that hardly matters. With 25, or
# where two runs are to differ in $T$ and nothing else, keep $\bar\alpha$. And the factor is for ramps alone: the cosine's last
# $\beta$, 0.999, times 5 is no longer below 1.

# %% [markdown]
# The slider shows the end itself: a digit, and its $x_T$ with the plain schedule and with the one that your function mends. The
# second row is the same, averaged over 5×5 neighbouring pixels, which removes most of the noise and little of a
# digit. At $T = 200$ the eye hardly finds the digit in the plain $x_T$; the average does.

# %%
end_noise = dc.Noise(2).randn(1, *image.shape, dtype=f64)


def the_end(T=200, schedule="linear"):
    make = getattr(dc.schedules, schedule)
    plain, mended = schedule_of(make(T)), schedule_of(rescale(make(1000), T))
    ends = [dc.gaussian.diffuse(image[None], T, end_noise, s) for s in (plain, mended)]
    tiles = torch.stack([image[None], *ends, end_noise])
    smooth = F.avg_pool2d(tiles[:, 0], 5, stride=1, padding=2)[:, None]
    tiles[1:] /= 2  # noise needs more room than [-1, 1]
    left = [prior_kl(image[None], s.alpha_bar).item() for s in (plain, mended)]
    return plots.filmstrip(
        torch.cat([tiles, smooth], dim=1),
        ["$x_0$", "$x_T$ plain", "$x_T$ mended", "noise"],
        title=f"{schedule}, T = {T}: KL {left[0]:.3g} and {left[1]:.3g} nats",
        rows=["as it is", "smoothed"],
    )


widgets.slide(
    the_end,
    T=[25, 50, 100, 200, 300, 500, 700, 1000],
    schedule=["linear", "sigmoid", "quadratic"],
    description="A digit, and the end of its chain with the plain and with the mended schedule, beside pure noise",
    static=[{"T": n} for n in (50, 200, 500)],
)

# %% [markdown]
# ### What it does to samples
#
# Does the sampler notice? The next cell uses the shipped network `mnist-flow`, a denoiser for every noise
# level. So the network cannot be blamed, and only the schedule differs. Every row has 50 steps, from $\sigma_T$
# of its schedule down to 0. Three rows start from $\mathcal{N}(0, I)$, as every sampler does. The last one
# starts from the *true* $q(x_T)$ of $T = 200$: real digits, diffused.
#
# **Predict, then run.** The unmended chains start with an $x_T$ that holds no digit, while the denoiser expects
# one that makes up 36 % of the variance ($T = 100$) or 13 % ($T = 200$). The mean of all digits is a dark image. How will the denoiser explain an $x_T$ that is brighter
# than expected?

# %%
network, judge = zoo.load("mnist-flow", course.device), zoo.judge("mnist", course.device)
n = course.pick(small=20, large=200)
labels = torch.arange(n, device=course.device) % 10
D = clip(network.given(labels))


def sample_on(betas, x_T, steps=50):
    """n digits by ancestral sampling on `steps` of a schedule's times, from the textbook state x_T."""
    schedule = schedule_of(betas)
    grid = schedule.grid(dc.schedules.uniform_timesteps(schedule.T, steps))
    start = dc.gaussian.to_ve(x_T, grid[0])
    return dc.sample(D, start, grid, dc.samplers.ddpm, dc.Noise(3)).clamp(-1, 1)


pure = dc.Noise(4).randn(n, 1, 28, 28, device=course.device)
real = torch.stack([digits.images[digits.labels == k % 10][k // 10] for k in range(n)]).to(course.device)
true_end = dc.gaussian.diffuse(real, 200, pure, short)
drawn = {
    "T = 100": sample_on(dc.schedules.linear(100), pure),
    "T = 200": sample_on(dc.schedules.linear(200), pure),
    "T = 200, mended": sample_on(rescale(whole, 200), pure),
    "T = 200, true end": sample_on(dc.schedules.linear(200), true_end),
}

# %%
# NBVAL_IGNORE_OUTPUT
print(f"mean grey level of real digits {digits.images.mean():.2f} (-1 is black)")
for name, images in drawn.items():
    k = metrics.count_recognised(judge, images, labels)
    low, high = metrics.wilson(k, n)
    print(
        f"{name:18} mean {images.mean():.2f}   recognised {k:3} of {n} (95 % interval {low:.2f} to {high:.2f})"
    )
bright = {name: (images.mean() - digits.images.mean()).item() for name, images in drawn.items()}
claim("both plain chains draw more ink than real digits", min(bright["T = 100"], bright["T = 200"]) > 0.05)
claim("the two others do not", max(abs(bright["T = 200, mended"]), abs(bright["T = 200, true end"])) < 0.05)
plots.filmstrip(
    torch.stack([images[:10] for images in drawn.values()], dim=1),
    [str(k) for k in range(10)],
    title="One network and one noise, four ends of the linear schedule",
    rows=list(drawn),
)

# %% [markdown]
# The plain short chains draw too much ink: bright blots and broken strokes. The start was brighter than a noisy
# digit would be, and the denoiser explains it with white. Nothing else is wrong: the same network and the same
# noise give readable digits when the schedule is mended, and also when the plain chain is started where it
# really ends. Large text-to-image models had the same fault, in a milder form ($\bar\alpha_T = 0.0047$): they
# could not draw a very dark or a very bright picture (Lin et al. 2024, section 3.1).

# %%
quiz.ask("04-q2")

# %% [markdown]
# ### Few steps, none of them large
#
# A mended linear schedule comes to noise in few steps. But are they good steps? The steps must be small in the sense
# of {{section What a schedule must fulfil}}, and the clock that counts is $\lambda_t = \ln\mathrm{SNR}(t)$. Now you
# design a schedule.
#
# ### Exercise {{04-even_betas}}
#
# Find a schedule of $T = 50$ steps whose largest step in log-SNR is as small as you can make it. It must keep three
# bounds:
#
# - every $\beta_t$ lies strictly between 0 and 1;
# - it begins at a nearly clean image: $\beta_1 \le 0.002$;
# - it ends in noise: $\text{KL}(q(x_T \mid x_0) \,\|\, \mathcal N(0, I)) \le$ $0.01$ nats, for an image of $d = 784$
#   pixels that are all $1$ or $-1$, so that $\|x_0\|^2 = d$.
#
# Its score is the largest rise of log-SNR on the way back, $\max_{t \ge 2}\,(\lambda_{t-1} - \lambda_t)$; lower is better.
# (At $t = 0$ log-SNR is infinite, so the step from $x_1$ to $x_0$ does not count.)
# The marks are {{marks 04-even_betas}}. Which of the schedules of this chapter keep the bounds, and where is their largest
# step? The check gives your score, so try.
#
# *Hint.* You may prescribe $\beta_t$, $\bar\alpha_t$ or $\lambda_t$, whichever makes the task easy, and compute the betas
# from it: $\bar\alpha = \mathrm{sigmoid}(\lambda)$, and $\beta_t = 1 - \bar\alpha_t / \bar\alpha_{t-1}$ with
# $\bar\alpha_0 = 1$.


# %%
# EXERCISE 04-even_betas (keep this line)
def even_betas(T):
    """Return beta_1 .. beta_T of a schedule of T steps without a large one.

    T: the number of steps. Returns (T,).
    """
    ### BEGIN SOLUTION
    # The mean of the steps is (lambda_1 - lambda_T) / (T - 1), and the largest is never below the mean. So the best
    # schedule has equal steps, a straight line in lambda, between the two ends that the bounds allow.
    d = 784
    alpha_bar_T = 1 - math.exp(-2 * 0.01 / d)  # KL = -d / 2 ln(1 - alpha_bar_T), since ||x_0||^2 = d
    first, last = (torch.tensor(a, dtype=f64).logit() for a in (1 - 0.002, alpha_bar_T))
    log_snr = torch.linspace(0, 1, T, dtype=f64) * (last - first) + first
    alpha_bar = log_snr.sigmoid()
    return 1 - alpha_bar / torch.cat([torch.ones(1, dtype=f64), alpha_bar[:-1]])
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("04-even_betas", even_betas)

# %% [markdown]
# Your schedule beside two others of 50 steps.

# %%
short = {
    "yours": schedule_of(even_betas(50)),
    "linear * 1000/T": schedule_of(dc.schedules.linear(50) * 1000 / 50),
    "cosine": schedule_of(dc.schedules.cosine(50)),
}
for name, s in short.items():
    rise = -s.snr.log().diff()
    print(f"{name:15} rise of log-SNR in one step: largest {rise.max():.2f}, smallest {rise.min():.2f}")
plots.curves(
    torch.arange(1, 51),
    {name: s.snr.log() for name, s in short.items()},
    title="Three schedules of 50 steps",
    xlabel="t",
    ylabel=r"$\lambda_t$, log SNR",
)

# %% [markdown]
# The linear schedule with the factor takes its largest step at the clean end, from $t = 2$ to $t = 1$, where the SNR changes by a factor of six;
# the cosine at the other end, where the clip at 0.999 stands in for a division by nearly nothing. A schedule whose steps
# are all equal is a straight line in $\lambda$. Whether equal steps are also what the samples want is another question:
# the next section measures where the information is.

# %% [markdown]
# ## 6. Which steps carry the information?
#
# ### A schedule is a clock
#
# Chapter 2 wrote each term of the bound as
# $L_{t-1} = \tfrac12 (\mathrm{SNR}(t-1) - \mathrm{SNR}(t))\, \mathbb{E}\|x_0 - \hat x_0\|^2$ (Kingma et al.
# 2021, eq. 13). Add them up and let the steps become small:
#
# $$\begin{aligned}
# \sum_t L_{t-1} &\;\to\; \tfrac12 \int_{\mathrm{SNR}(T)}^{\mathrm{SNR}(1)} \mathbb{E}\|x_0 - \hat x_0\|^2 \; d\,\mathrm{SNR} && \text{the sum is a Riemann sum} \\
# &= \tfrac12 \int_{\lambda_T}^{\lambda_1} \mathrm{SNR}\; \mathbb{E}\|x_0 - \hat x_0\|^2 \, d\lambda && \mathrm{SNR} = e^\lambda, \; d\,\mathrm{SNR} = \mathrm{SNR}\, d\lambda \\
# &= \tfrac12 \int_{\lambda_T}^{\lambda_1} \mathbb{E}\|\varepsilon - \hat\varepsilon\|^2 \, d\lambda && \|\varepsilon - \hat\varepsilon\|^2 = \mathrm{SNR}\,\|x_0 - \hat x_0\|^2 \text{ (chapter 3)}
# \end{aligned}$$
#
# No $t$ and no $\beta$ are left. The error of a denoiser depends on $\lambda$, and the integral on the two ends
# only. In the limit of many steps every schedule with the same ends has the same bound (Kingma et al. 2021,
# section 5.1). And the last line reads: **half the $\varepsilon$ error is the number of nats per unit of
# $\lambda$.**
#
# To execute this, take Gaussian data, where the best denoiser is known. Give them the covariance of real
# digits, with eigenvalues $\kappa_1, \dots, \kappa_d$. The best guess along eigenvector $i$ has the error
# $\kappa_i / (1 + \mathrm{SNR}\, \kappa_i)$ (precisions add: $1/\kappa_i + \mathrm{SNR}$). The integral is
# $\tfrac12 \sum_i \ln \frac{1 + \mathrm{SNR}(1)\,\kappa_i}{1 + \mathrm{SNR}(T)\,\kappa_i}$. The cell cuts the same piece,
# $\sigma = 0.05$ to $30$, out of each schedule, walks it in $N$ steps that are even in that schedule's $t$, and
# compares the sum with the integral.

# %%
train = data.load("mnist-5k")
kappa = torch.linalg.eigvalsh(train.images.flatten(1).double().T.cov()).clamp(min=0)
fine = {
    name: schedule_of(getattr(dc.schedules, name)(20000, 5e-6, 1e-3)) for name in tables if name != "cosine"
}
fine["cosine"] = schedule_of(dc.schedules.cosine(20000))


def cut(schedule, N, low=0.05, high=30.0):
    """The SNR at N + 1 times, evenly spaced in t, from sigma = low to sigma = high."""
    first, last = schedule.t(torch.tensor([low, high]))
    position = torch.linspace(first, last, N + 1, dtype=f64)
    left = position.long().clamp(max=schedule.T - 1)
    share, log_snr = position - left, schedule.snr.log()
    snr = ((1 - share) * log_snr[left - 1] + share * log_snr[left]).exp()
    snr[0], snr[-1] = low**-2, high**-2
    return snr


def riemann_sum(snr):
    error = (kappa / (1 + snr[1:, None] * kappa)).sum(1)
    return ((snr[:-1] - snr[1:]) * error).sum() / 2


integral = ((1 + kappa * 0.05**-2) / (1 + kappa * 30.0**-2)).log().sum() / 2
print(f"the integral: {integral:.1f} nats")
counts = [10, 20, 50, 100, 200, 500, 1000, 4000]
sums = {name: torch.stack([riemann_sum(cut(s, N)) for N in counts]) for name, s in fine.items()}
for name, values in sums.items():
    print(
        f"{name:10}"
        + "".join(f"   N = {N}: {value:.1f}" for N, value in zip(counts[-3:], values[-3:], strict=True))
    )
excess = {name: (values - integral).tolist() for name, values in sums.items()}
rates = [
    4 * values[-1] / values[-2] for values in excess.values()
]  # N grows by 4 from the last but one to the last
claim(
    "the excess falls like 1/N: N times the excess changes by less than 10 % at the end",
    all(0.9 < r < 1.1 for r in rates),
)
last = {name: values[-1] for name, values in excess.items()}
claim(
    "the linear schedule pays most and the sigmoid least",
    (max(last, key=last.get), min(last, key=last.get)) == ("linear", "sigmoid"),
)

# %%
plots.curves(
    counts,
    {name: values - integral for name, values in sums.items()},
    title="The price of finite steps, on Gaussian digits",
    xlabel="number of steps N (log scale)",
    ylabel="sum - integral, nats (log scale)",
    logx=True,
    logy=True,
)

# %% [markdown]
# All sums approach the same integral: the schedule is only a clock. With few steps the clock matters: the excess
# falls at one rate, but from different heights. Most nats are on the clean side, at large
# $\lambda$, and the linear schedule hurries through it: its curve in the third view falls fastest there. The
# sigmoid dwells there. A schedule is a choice of where to spend the steps, and with them the
# network's training examples.
#
# ### The measured loss at each step
#
# Four networks ship with the course: for MNIST and for Fashion-MNIST, trained with $L_\text{simple}$ on the
# linear and on the cosine schedule, $T = 1000$, everything else equal. Their losses on test images are in a
# result file of the course, made by one command. **Predict, then run.** Against $t$ the two curves of a data
# set will differ. And against $\lambda$?

# %%
losses = studies.load("loss-per-t").shipped()
print(f"{losses.command}: {losses.rows[0]['n']} test images, seed {losses.rows[0]['seed']}")
rows = {(r["data"], r["schedule"]): r for r in losses.rows}
measured_t = torch.tensor(losses.rows[0]["t"])


def bounds(row):
    """The 95 % interval of each loss, (n, 2): 1000 images, so the normal 1.96."""
    loss, error = (torch.tensor(row[key], dtype=f64) for key in ("loss", "standard error"))
    return torch.stack([loss - 1.96 * error, loss + 1.96 * error], dim=1)


plots.curves(
    measured_t,
    {f"{name}, {schedule}": r["loss"] for (name, schedule), r in rows.items()},
    intervals={f"{name}, {schedule}": bounds(r) for (name, schedule), r in rows.items()},
    title="Loss of the shipped networks on test images, against t",
    xlabel="t",
    ylabel=r"$\varepsilon$ loss per pixel",
)

# %%
# NBVAL_IGNORE_OUTPUT
print(f"device: {losses.device}; date: {losses.date}; {losses.seconds:.0f} s")
lambdas = torch.linspace(-9, 9, 37, dtype=f64)


def at_lambda(row, wanted):
    """The row's loss at these log-SNRs: its logarithm is interpolated between the measured ones."""
    at = tables[row["schedule"]].snr.log()[measured_t - 1].flip(0)
    values = torch.tensor(row["loss"], dtype=f64).log().flip(0)
    right = torch.searchsorted(at, wanted).clamp(1, len(at) - 1)
    share = (wanted - at[right - 1]) / (at[right] - at[right - 1])
    return torch.lerp(values[right - 1], values[right], share).exp()


plots.curves(
    lambdas,
    {f"{name}, {schedule}": at_lambda(r, lambdas) for (name, schedule), r in rows.items()},
    title=r"The same losses against $\lambda$: the schedules fall together",
    xlabel=r"$\lambda$ = ln SNR (noisy on the left, clean on the right)",
    ylabel=r"$\varepsilon$ loss per pixel",
)

# %%
spots = torch.tensor([-8.0, -6, -4, -2, 0, 2, 4, 6, 8], dtype=f64)
lines = [
    (f"{name}, {schedule}", *(f"{v:.4f}" for v in at_lambda(r, spots)))
    for (name, schedule), r in rows.items()
]
ratios = {}
for name in ("mnist", "fashion-mnist"):
    ratios[name] = at_lambda(rows[name, "cosine"], spots) / at_lambda(rows[name, "linear"], spots)
    lines.append((f"{name}, cosine / linear", *(f"{v:.2f}" for v in ratios[name])))
show_table(["loss at lambda =", *(f"{v:.0f}" for v in spots)], lines)
both = torch.stack(list(ratios.values()))
claim(
    "from lambda = -4 up the two schedules differ by less than 20 %",
    (both[:, spots >= -4].log().abs() < math.log(1.2)).all(),
)
claim(
    "the cosine network is the better one at lambda > 0, the linear one below -4",
    (both[:, spots > 0] < 1).all() and (both[:, spots < -4] > 1).all(),
)

# %% [markdown]
# Against $t$ the cosine's loss is the larger one nearly everywhere, at large $t$ many times. Against $\lambda$
# the curves fall together: at the same noise level, the same data are equally hard. What differs is practice.
# The cosine network saw more examples with $\lambda > 0$, the linear one with $\lambda < -4$, and each is a little
# better where it practised. Is that so of the schedules, or of these four files? Each network was trained twice more, with
# another seed, and its loss measured on other test images.

# %%
runs = studies.load("loss-per-t")
seeds = sorted({r["training seed"] for r in runs.rows})
of_runs = {
    (name, seed): at_lambda(runs.one(data=name, schedule="cosine", **{"training seed": seed}), spots)
    / at_lambda(runs.one(data=name, schedule="linear", **{"training seed": seed}), spots)
    for name in ratios
    for seed in seeds
}
show_table(
    ["cosine / linear at lambda =", "training seed", *(f"{v:.0f}" for v in spots)],
    [(*which, *(f"{v:.2f}" for v in values)) for which, values in of_runs.items()],
)
both = torch.stack(list(of_runs.values()))
claim(
    "in each of the six pairs of runs the cosine network is the better one at lambda > 0",
    (both[:, spots > 0] < 1).all(),
)
claim("in each of the six the linear one is the better one below -4", (both[:, spots < -4] > 1).all())

# %% [markdown]
# It is so in every pair of runs. How large the difference is varies from run to run: on MNIST at $\lambda = 6$ from 2 to 20 %.
#
# So the mean loss of a training run says nothing about a schedule. The linear schedule's is lower, because it
# spends many of its steps in nearly pure noise, where the loss is nearly 0. Losses of two schedules can be compared at
# equal $\lambda$, and not otherwise. (The same trap: a validation loss that falls when $T$ grows. If $T$ changed the
# range of $\lambda$, as in {{section The end of the chain}}, the task has become easier and not the network better.)
#
# Half the loss times $d$ is nats per unit of $\lambda$. So the figure is also a map of where the information
# is. The next cell turns it into nats per step,
# $L_{t-1} = \frac d2 \big(\frac{\mathrm{SNR}(t-1)}{\mathrm{SNR}(t)} - 1\big) \cdot \text{loss}$ (chapter 3),
# and adds up, over the whole chain and over four bands of $\lambda$.
#
# **Predict, then run.** A third of the linear schedule's steps have $\lambda < -4$. Which share of the nats do
# they hold?

# %%
mnist = {schedule: r for (name, schedule), r in rows.items() if name == "mnist"}
nats, clean = {}, {}
for schedule, r in mnist.items():
    s = tables[schedule]
    nats[schedule] = d / 2 * (s.snr[:-1] / s.snr[1:] - 1) * at_lambda(r, s.snr.log())[1:]
    total, level = nats[schedule].sum(), s.snr.log()[1:]
    print(f"{schedule}: {total:.0f} nats in t = 2..T, of them {nats[schedule][-1]:.2g} at t = T")
    for low, high in ((4, 99), (0, 4), (-4, 0), (-99, -4)):
        band = (level > low) & (level <= high)
        name = f"{low} < lambda" + f" < {high}" * (high < 99) if low > -99 else f"lambda < {high}"
        print(f"   {name:16} {int(band.sum()):4} steps {nats[schedule][band].sum():7.1f} nats")
        if low == 4:
            clean[schedule] = nats[schedule][band].sum() / total, int(band.sum()) / T
    ratio = (s.snr[-2] / s.snr[-1]).item()
    print(f"   at t = T the loss is {r['loss'][-1]:.5f}, and SNR(t-1)/SNR(t) is {ratio:.3g}")
claim(
    "at least three quarters of the nats are at lambda > 4, in at most 8 % of the steps",
    all(n >= 0.75 and k <= 0.08 for n, k in clean.values()),
)
plots.curves(
    torch.arange(2, T + 1),
    {f"mnist, {schedule}": values for schedule, values in nats.items()},
    title="Nats per step, MNIST",
    xlabel="t",
    ylabel="$L_{t-1}$ in nats (log scale)",
    logy=True,
)

# %% [markdown]
# Most nats are in the few steps with $\lambda > 4$, where the image is nearly clean. They describe the last grey levels of strokes and textures. Ho et al. (2020, section 4.3) found
# the same on CIFAR-10: more than half of the code length describes distortions that nobody can see. The shape
# of the digit is in the bands from $-4$ to 4. At $\lambda < -4$ the linear schedule has more than a third of its
# steps, and they hold almost nothing.
#
# One number stands out: what the cosine's last step costs. At $t = T$ nothing is left of the image, and the
# right value is almost 0. The network's error there is tiny, but $\mathrm{SNR}(t-1)/\mathrm{SNR}(t)$
# is 1000 at this step: the clip at 0.999 leaves a last $\alpha$ of 0.001. It is the amplified error that
# chapter 3 met in the sampler, and removed by clipping $\hat x_0$.
#
# ### Is the file real?
#
# Recompute a few of its entries. The test set of MNIST is not at hand offline, so these are other digits, of
# `mnist-5k`; the losses must agree within the error bars (95 %) of so few images.

# %%
# NBVAL_IGNORE_OUTPUT
few = digits.images[:: len(digits) // 64][:64].to(course.device)
few_labels = digits.labels[:: len(digits) // 64][:64].to(course.device)
for schedule, filed in mnist.items():
    D = zoo.load(f"mnist-eps-{schedule}", course.device).given(few_labels)
    live = loss_per_t(dc.denoisers.as_eps(D, tables[schedule]), few, tables[schedule], (100, 300, 500, 700))
    for t, loss, error in zip(live["t"], live["loss"], live["standard error"], strict=True):
        i = filed["t"].index(t)
        there = f"{filed['loss'][i]:.4f} ± {1.96 * filed['standard error'][i]:.4f}"
        print(f"{schedule} t = {t}: here {loss:.4f} ± {1.96 * error:.4f}, in the table {there}")

# %%
quiz.ask("04-q3")

# %% [markdown]
# ## 7. Linear against cosine, measured
#
# Does the schedule change the *samples*? And the number of steps? Each of the four networks was sampled with the
# ancestral sampler of chapter 3 on evenly spaced ones of its 1000 times, without guidance. One network serves all
# numbers of steps, so that the rows of a network differ in the sampling only.
#
# Two measures. The judge counts the samples that it recognises as the class that was asked for; behind each share
# stands Wilson's interval, which contains the true share in 95 of 100 repetitions of the whole experiment. The Fréchet
# distance compares the judge's features of the samples with those of the whole test set: lower is better, and the
# floor is what as many real images score. Its error is measured by leaving out each tenth of the samples in turn (a
# jackknife). All bars and all ± of the course are 95 % intervals.

# %%
study = studies.load("schedules").shipped()
print(f"{study.command}: {sum(r['n'] for r in study.rows)} samples, seed {study.rows[0]['seed']}")
lines = []
for r in study.rows:
    low, high = r["recognised"]["wilson 95 %"]
    share = f"{r['recognised']['share']:.3f} ({low:.3f} to {high:.3f})"
    distance = f"{r['frechet']:.2f} ± {reach(r['frechet standard error']):.2f}"
    lines.append((r["data"], r["schedule"], r["steps"], share, distance, f"{r['floor']:.2f}"))
show_table(
    ["data", "schedule", "steps", "recognised (95 % interval)", "Fréchet distance", "floor"],
    lines,
    f"{study.rows[0]['n']} samples a row",
)

# %%
# NBVAL_IGNORE_OUTPUT
print(f"device: {study.device}; date: {study.date}; {study.seconds / 60:.0f} minutes")


def against_steps(data_name, value, interval, title, ylabel):
    """A figure of value(row) against the steps, one line a schedule; interval(row) gives the ends of an error bar."""
    lines = {s: study.where(data=data_name, schedule=s) for s in ("linear", "cosine")}
    return plots.curves(
        [r["steps"] for r in lines["linear"]],
        {s: [value(r) for r in found] for s, found in lines.items()},
        intervals={s: [interval(r) for r in found] for s, found in lines.items()},
        title=f"{data_name}: {title}",
        xlabel="sampling steps (log scale)",
        ylabel=ylabel,
        logx=True,
    )


for data_name in ("mnist", "fashion-mnist"):
    display(
        against_steps(
            data_name,
            lambda r: r["recognised"]["share"],
            lambda r: r["recognised"]["wilson 95 %"],
            "share of samples that the judge recognises",
            "share, 95 % interval",
        )
    )

# %%
# NBVAL_IGNORE_OUTPUT
for data_name in ("mnist", "fashion-mnist"):
    display(
        against_steps(
            data_name,
            lambda r: r["frechet"],
            lambda r: around(r["frechet"], r["frechet standard error"]),
            f"Fréchet distance of {study.rows[0]['n']} samples (lower is better)",
            "distance, 95 % interval",
        )
    )

# %% [markdown]
# ### Compared in pairs
#
# Two intervals that overlap may still differ. And these rows have something in common, which a comparison should use:
# sample $i$ of the linear and of the cosine network began with the same noise. So pair them. A noise that both networks
# turn into a readable digit, or neither, tells nothing about the difference. Among the others each network should be
# the better one half of the time, like a coin, if they are equally good. **McNemar's test** asks how improbable the
# split is under that assumption, and calls it $p$.
#
# One more correction. Eight tests are eight chances to be fooled: with eight fair coins, one $p$ below 0.05 is nothing
# remarkable. **Holm's correction** multiplies the smallest of $m$ values of $p$ by $m$, the next by $m - 1$, and so on
# (none may end below one before it). After it, "below 0.05" means 5 % for all of them together.


# %%
def in_pairs(pairs, first, second):
    """For each name the marks (a, b) of the same noises: shows the counts of those that only first or only second has right, p,
    and p corrected by Holm; returns both."""
    p = {name: mcnemar(a, b) for name, (a, b) in pairs.items()}
    corrected = holm(p)
    lines = []
    for name, (a, b) in pairs.items():
        alone = (sum(x > y for x, y in zip(*two, strict=True)) for two in ((a, b), (b, a)))
        lines.append((name, *alone, len(a), f"{p[name]:.3f}", f"{corrected[name]:.3f}"))
    show_table(["", f"only {first} right", f"only {second} right", "pairs", "p", "corrected"], lines)
    return p, corrected


p, corrected = in_pairs(
    {
        f"{r['data']}, {r['steps']} steps": (
            r["each"],
            study.one(data=r["data"], schedule="cosine", steps=r["steps"])["each"],
        )
        for r in study.where(schedule="linear")
    },
    "linear",
    "cosine",
)
claim("no p is below 0.05, even before the correction", min(p.values()) > 0.05)

# %% [markdown]
# So the shares show no difference between the schedules that is beyond chance.
#
# And the number of steps? Compare 100 with 1000 steps of the same network, from the same noise.

# %%
few_and_many = {}
for data_name, schedule in rows:
    marks = [study.one(data=data_name, schedule=schedule, steps=n)["each"] for n in (100, 1000)]
    few_and_many[f"{data_name}, {schedule}"] = marks
_, corrected = in_pairs(few_and_many, "100 steps", "1000 steps")
claim("no network gains or loses beyond chance", min(corrected.values()) > 0.05)

# %% [markdown]
# Distances can be compared in pairs as well. The jackknife leaves out the same tenth of the noises on both sides, and sees
# how much the *difference* scatters: what the two sets of samples have in common drops out.

# %%
gaps, corrected = show_differences(
    {
        f"{r['data']}, {r['steps']} steps": (
            r,
            study.one(data=r["data"], schedule="cosine", steps=r["steps"]),
        )
        for r in study.where(schedule="linear")
    },
    "Fréchet distance, linear minus cosine; p is corrected",
)
fashion = [gap for name, gap in gaps.items() if name.startswith("fashion-mnist")]
claim(
    "on Fashion-MNIST the cosine's distance is the lower one at every number of steps",
    min(g.value for g in fashion) > 0,
)
claim(
    "these four differences are beyond chance, also as four of eight; on MNIST none is",
    all(
        (name.startswith("fashion-mnist") and gaps[name].low > 0) == (v < 0.05)
        for name, v in corrected.items()
    )
    and min(gap.low for gap in fashion) > 0,
)
alone = [name for name, gap in gaps.items() if gap.low > 0 and corrected[name] > 0.05]
claim("alone, one of MNIST's would have counted", alone == ["mnist, 500 steps"])

# %% [markdown]
# The distance says more than the share. On Fashion-MNIST the cosine's samples are nearer in all rows, beyond chance. On MNIST nothing is settled: one
# of four would count alone, and it is the kind of find that one reports when one looks at eight tables and writes about the best.
#
# A caution. The error bars hold the chance of *sampling*, and the four rows of a data set are four looks at the same two networks.
# So far each network was trained once, with one seed: these numbers rank two files, and not two schedules.
#
# ### Other training runs
#
# The study has two more training runs of each network. An interval of a mean over three runs holds the chance of training as well. It
# comes from three values (Student's $t$ with two degrees of freedom: more than 4 standard errors to each side), so it is wide.
#
# **Predict, then run.** Does the difference on Fashion-MNIST survive? And does anything show on MNIST, now that there are three times as many samples?

# %%
runs = studies.load("schedules")
for data_name in ("mnist", "fashion-mnist"):
    show_over_seeds(
        runs,
        ["schedule", "steps"],
        ["recognised", "frechet"],
        f"{data_name}: means over training runs",
        data=data_name,
    )
both_of = {
    f"{r['data']}, {r['steps']} steps": tuple(
        runs.where(data=r["data"], schedule=schedule, steps=r["steps"]) for schedule in ("linear", "cosine")
    )
    for r in study.where(schedule="linear")
}
gaps, corrected = show_differences_over_seeds(both_of)
claim(
    "on Fashion-MNIST the cosine is nearer in each run, beyond the chance of training, at every number of steps",
    all(
        a["frechet"] > b["frechet"] and gaps[name].low > 0 and corrected[name] < 0.05
        for name, two in both_of.items()
        if name.startswith("fashion-mnist")
        for a, b in zip(*two, strict=True)
    ),
)
claim(
    "on MNIST no interval leaves out 0",
    all(gap.low < 0 < gap.high for name, gap in gaps.items() if name.startswith("mnist")),
)
p, corrected = in_pairs(
    {name: ["".join(row["each"] for row in some) for some in two] for name, two in both_of.items()},
    "linear",
    "cosine",
)
claim(
    "of the shares, all marks of three runs together, two p would count alone, and none as one of eight",
    sum(v < 0.05 for v in p.values()) == 2 and min(corrected.values()) > 0.05,
)

# %% [markdown]
# On Fashion-MNIST the cosine schedule gives samples nearer to the data, with this recipe and this sampler: the distance is lower by 2.3, in every run and at
# every number of steps. The judge does not notice it. On MNIST every interval holds 0, and what one file seemed to show at 500 steps is gone. The last
# table is McNemar's test again, of all marks: it speaks of these networks alone, as no chance of training is in it.
#
# The cards of the networks hold
# a second measurement, with 1,000 samples and another sampler (20 steps of EDM, chapter 9), without guidance and with
# guidance 2:

# %%
# NBVAL_IGNORE_OUTPUT
cards = {name: card["metrics"] for name, card in zoo.cards().items() if "-eps-" in name}
lines = []
for name, measured in cards.items():
    for scale in ("guidance 1", "guidance 2"):
        found = measured[scale]["recognised"]
        low, high = found["wilson 95 %"]
        lines.append((name, scale, f"{found['share']:.3f}", f"{low:.3f} to {high:.3f}", found["n"]))
show_table(["network", "sampled with", "recognised", "95 % interval", "n"], lines)


def spread(scale, data_name):
    """The smaller and the larger share of the two networks of a data set."""
    return sorted(
        m[scale]["recognised"]["share"] for name, m in cards.items() if name.startswith(f"{data_name}-eps")
    )


for data_name in ("mnist", "fashion-mnist"):
    plain, pushed = spread("guidance 1", data_name), spread("guidance 2", data_name)
    claim(
        f"{data_name}: guidance gains more than the schedules differ",
        pushed[0] - plain[1] > plain[1] - plain[0],
    )

# %% [markdown]
# Guidance (chapter 6) does more for legibility than the choice between these two schedules.
#
# ### The first twenty of each
#
# The samples of the rows with 100 steps can be drawn again: the same seed gives the same noise to sample $i$,
# whatever the number of samples. The cell draws the first twenty of each network and holds the judge's marks
# against those in the file.

# %%
# NBVAL_IGNORE_OUTPUT
n = 20
pictures = {}
for data_name, schedule in rows:
    name = f"{data_name}, {schedule}"
    model = zoo.load(f"{data_name}-eps-{schedule}", course.device)
    again = draw(
        model, n, sigmas=strided_grid(schedule, 100), step=dc.samplers.ddpm, seed=0, device=course.device
    )
    right = zoo.judge(data_name, course.device)(again.images).argmax(1) == again.labels
    marks = "".join("1" if mark else "0" for mark in right)
    filed = study.one(data=data_name, schedule=schedule, steps=100)["each"][:n]
    same = sum(a == b for a, b in zip(marks, filed, strict=True))
    print(f"{name:24} now {marks}   in the file {filed}   same: {same} of {n}")
    pictures[name] = again.images[:10]
plots.filmstrip(
    torch.stack(list(pictures.values()), dim=1),
    [str(k) for k in range(10)],
    title="The first ten samples of each network, 100 steps",
    rows=list(pictures),
)

# %% [markdown]
# ### How many samples does a comparison need?
#
# Suppose that somebody counts flaws by eye, as many projects do: 18 of 48 samples with the linear schedule, 19 of 48 with
# the cosine; 12 of 24 with 200 steps, 9 of 24 with 1000. What can such counts tell apart?

# %%
for name, k, n in (("linear", 18, 48), ("cosine", 19, 48), ("200 steps", 12, 24), ("1000 steps", 9, 24)):
    low, high = metrics.wilson(k, n)
    print(f"{name:10} {k} of {n} = {k / n:.2f}, 95 % interval {low:.2f} to {high:.2f}")

# %% [markdown]
# Intervals that wide cannot separate 0.38 from 0.50, let alone from 0.40. A rule of thumb, for two independent
# samples: to see a difference $\delta$ between two shares near $p$ at the 5 % level in 80 of 100 experiments (its
# *power*), each side needs
#
# $$n \approx \frac{2\,p(1-p)\,(1.96 + 0.84)^2}{\delta^2}$$
#
# samples (Fleiss et al. 2003, chapter 4): 1.96 belongs to the 5 %, 0.84 to the 80 %. The cell evaluates it, and checks
# one case by simulation. It divides the difference by its standard error, for which both sides are put together: if
# there is no difference, they have one share.


# %%
def needed(p, delta):
    return round(2 * p * (1 - p) * (1.96 + 0.84) ** 2 / delta**2)


for p, delta in ((0.4, 0.1), (0.9, 0.05), (0.95, 0.02)):
    print(f"shares near {p}, difference {delta}: {needed(p, delta)} samples each")

generator = torch.Generator().manual_seed(0)
p, delta = 0.9, 0.05
n = needed(p, delta)
shares = [
    torch.rand(20000, n, generator=generator).lt(q).double().mean(1) for q in (p - delta / 2, p + delta / 2)
]
pooled = (shares[0] + shares[1]) / 2
z = (shares[1] - shares[0]) / (2 * pooled * (1 - pooled) / n).sqrt()
print(f"simulated power at n = {n}: {(z.abs() > 1.96).double().mean():.2f}")

# %%
quiz.ask("04-q4")

# %% [markdown]
# ## 8. Common slips
#
# - **A power for an offset.** In $\cos\big(\frac\pi2 \frac tT\big)^{0.008}$ the small number, an offset of the angle in
#   Nichol & Dhariwal, has become a power. Read as $\beta_t$ it takes the image away in the first step. Read as
#   $\bar\alpha_t$ it does nearly nothing until the last few steps, where everything is lost at once. Read as $\alpha_t$ it is
#   usable by luck: $\bar\alpha_T \approx \exp\big(0.008\, T \int_0^1 \ln\cos\frac{\pi u}{2}\, du\big) = 2^{-0.008\,T}$.
# - **A steepness in steps.** In $\mathrm{sigmoid}\big(\frac{t - T/2}{m}\big)$ the number $m$ counts steps, and the steepness
#   is $k = \frac{T}{2m}$. If $m$ stays while $T$ changes, so does the shape of the schedule.
# - **$T$ without $\beta$.** Who varies $T$ and does not rescale the betas changes how much of the image is left at the end
#   ({{section The end of the chain}}), and may take that for the effect of the number of steps.
# - **$\alpha_t$ for $\beta_t$.** Some texts call the variance that is added $\alpha_t$. Copied into code that follows
#   Ho et al., where $\alpha_t$ is *kept*, nothing is left after one step.
# - **Non-increasing** is the wrong word for $\beta_1 \le \dots \le \beta_T$.

# %%
power = torch.cos(math.pi / 2 * u).clamp(min=0) ** 0.008
claim("a power read as beta: beta_1 is above 0.999", power[0] > 0.999)
claim("as alpha_bar: half of the signal is left at t = 999", power[998] > 0.5)
claim("as alpha: near 2^(-0.008 T) at t = 999", abs(power.cumprod(0)[998] / 2**-8 - 1) < 0.05)

# %% [markdown]
# ## Summary
#
# - Read a schedule as $\lambda_t$, the log-SNR. The denoiser's task depends on $\lambda$ alone; the schedule is
#   the clock that says how long to stay where.
# - The cosine schedule prescribes $\bar\alpha$, with an offset $s = 0.008$ against vanishing first steps and a
#   clip at 0.999 against a vanishing last $\alpha$. The ramps prescribe $\beta$, and their ends belong to
#   $T = 1000$: for another $T$ keep $\bar\alpha$ at equal $t/T$. The factor $1000/T$ nearly does so while all betas are small.
# - The end must be noise: $\mathrm{KL} \approx \frac12 \bar\alpha_T \|x_0\|^2$ must be small. With $T = 200$
#   and no rescaling it is 52 nats, and the samples show it.
# - Half the $\varepsilon$ error is the number of nats per unit of $\lambda$.
# - Measured without guidance, three training runs of four networks: no share differs beyond chance. On
#   Fashion-MNIST the Fréchet distance is lower with the cosine, in every run; on MNIST nothing can be said.
# - Compare losses of two schedules at equal $\lambda$, and samples made from the same noise in pairs. Correct for the
#   number of comparisons.
#
# ## References
#
# - Ho, Jain, Abbeel (2020). [*Denoising diffusion probabilistic models.*](https://arxiv.org/abs/2006.11239) Section 4
#   (linear schedule), eqs. 3 to 5.
# - Nichol, Dhariwal (2021). [*Improved denoising diffusion probabilistic models.*](https://arxiv.org/abs/2102.09672)
#   Section 3.2, eq. 17 (cosine).
# - Kingma, Salimans, Poole, Ho (2021). [*Variational diffusion models.*](https://arxiv.org/abs/2107.00630) Eq. 13,
#   section 5.1 (invariance to the schedule).
# - Lin, Liu, Li, Yang (2024). [*Common diffusion noise schedules and sample steps are
#   flawed.*](https://arxiv.org/abs/2305.08891) Section 3.1 (the end of the chain).
# - Xu, Yu, Song, Shi, Ermon, Tang (2022). [*GeoDiff: a geometric diffusion model for molecular conformation
#   generation.*](https://arxiv.org/abs/2203.02923) The sigmoid betas are in its code.
# - Chen (2023). [*On the importance of noise scheduling for diffusion models.*](https://arxiv.org/abs/2301.10972) Other
#   schedules; larger images need noisier ones.
# - Fleiss, Levin, Paik (2003). [*Statistical methods for rates and proportions*](https://doi.org/10.1002/0471445428),
#   chapter 4 (sample sizes).
# - McNemar (1947). [*Note on the sampling error of the difference between correlated proportions or
#   percentages.*](https://doi.org/10.1007/BF02295996)
# - Holm (1979). [*A simple sequentially rejective multiple test procedure.*](https://www.jstor.org/stable/4615733)
# - Wilson (1927). [*Probable inference, the law of succession, and statistical
#   inference.*](https://doi.org/10.1080/01621459.1927.10502953)

# %%
# NBVAL_CHECK_OUTPUT
check_all()
