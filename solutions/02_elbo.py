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
# # 2. The variational bound: a score for a diffusion model
#
# Chapter 1 destroyed images step by step. This chapter defines the model that goes back, and a single number that says how good
# the model is: an upper bound on $-\log p_\theta(x_0)$, in nats per image or in bits per pixel. You derive the bound twice, split it into
# terms line by line, and check every line in float64. You count it out on a chain with 81 paths, write your first sampler, and at the end
# compute the bound on data whose exact likelihood is known, to see what separates it from the truth.

# %% [markdown]
# **You will be able to**
#
# - write the joint density $p_\theta(x_{0:T})$ and derive $L_\text{VLB}$ from a KL divergence and from Jensen's inequality;
# - derive the KL divergence of two Gaussians, and the posterior $q(x_{t-1}\mid x_t, x_0)$ by completing the square;
# - turn $L_\text{VLB}$ into $L_T + \sum_t L_{t-1} + L_0$, and say what each term measures;
# - show that $L_{t-1}$ is a squared error times a drop of the signal-to-noise ratio, so that the bound is a Riemann sum;
# - sample from a model with the posterior and a guess of $x_0$, and measure the law of the samples;
# - score 8-bit images in bits per dimension, and name every part of the gap between the bound and the exact likelihood.
#
# **You need** chapter 1 ($q(x_t\mid x_0)$ and its proof), densities and expectations, the logarithm of a product, Bayes' rule.
#
# **Time**: {{reading}} of reading, and {{minutes}} for {{exercises}}. All cells together take about 20 s of CPU time. Nothing here needs a GPU.
#
# {{notation x0 d t x_t beta alpha alpha_bar q p_theta posterior model_step D x0_hat sigma_t snr bound}}

# %%
import itertools
import math

import torch

import diffusion_course as dc
from diffusion_course.classroom import check, check_all
from diffusion_course.linear_gaussian import ForwardChain, ReverseChain, exact_points, log_normal
from diffusion_course.notebook import plots, quiz, widgets
from diffusion_course.notebook.claims import agree, claim
from diffusion_course.notebook.tables import show_table

f64 = torch.float64


def with_error(samples):
    """Mean and its 95 % interval, as text."""
    return f"{samples.mean():8.3f} ± {1.96 * samples.std() / math.sqrt(len(samples)):.3f}"


# %% [markdown]
# ## 1. The tool: the Kullback–Leibler divergence
#
# Two densities $q$ and $p$ on the same space. The KL divergence is the mean, over samples of $q$, of how much better $q$ explains them than $p$:
#
# $$
# \text{KL}(q\,\|\,p) = \mathbb E_{x\sim q}\left[\log\frac{q(x)}{p(x)}\right] = \int q(x)\,\log\frac{q(x)}{p(x)}\,dx. \tag{1}
# $$
#
# With the natural logarithm its unit is the *nat*; with $\log_2$ it is the bit, and 1 bit is $\ln 2 = 0.693$ nats. In the language of compression:
# $\text{KL}(q\,\|\,p)$ is what you waste per sample when you compress data from $q$ with a code made for $p$.
#
# **It is never negative.** For every $u>0$, $\log u \le u - 1$ (the tangent of the logarithm at 1 lies above it). Put $u = p(x)/q(x)$ and average over $q$:
#
# $$
# -\text{KL}(q\,\|\,p) = \mathbb E_q\left[\log\frac{p(x)}{q(x)}\right] \le \mathbb E_q\left[\frac{p(x)}{q(x)} - 1\right] = \int p(x)\,dx - 1 \le 0 .
# $$
#
# Equality needs $u=1$ wherever $q>0$, that is $p = q$. This one inequality is behind everything below.
#
# ### Two Gaussians in one dimension
#
# Let $\mathcal N_1 = \mathcal N(\mu_1, v_1)$ and $\mathcal N_2 = \mathcal N(\mu_2, v_2)$; $v$ is a variance. Line by line:
#
# $$
# \begin{aligned}
# \log\frac{\mathcal N_1(x)}{\mathcal N_2(x)}
# &= \tfrac12\log\frac{v_2}{v_1} - \frac{(x-\mu_1)^2}{2v_1} + \frac{(x-\mu_2)^2}{2v_2} && \text{(a)}\\[4pt]
# \mathbb E_1\left[(x-\mu_1)^2\right] &= v_1 && \text{(b)}\\[4pt]
# \mathbb E_1\left[(x-\mu_2)^2\right] &= \mathbb E_1\left[\big((x-\mu_1)+(\mu_1-\mu_2)\big)^2\right] = v_1 + (\mu_1-\mu_2)^2 && \text{(c)}\\[4pt]
# \text{KL}(\mathcal N_1\,\|\,\mathcal N_2) &= \tfrac12\left[\log\frac{v_2}{v_1} - 1 + \frac{v_1 + (\mu_1-\mu_2)^2}{v_2}\right] && \text{(d)}
# \end{aligned}
# \tag{2}
# $$
#
# - (a) Subtract the two log-densities; the $2\pi$ cancels.
# - (b) The definition of the variance.
# - (c) Insert $\mu_1$ and expand. The cross term $2(\mu_1-\mu_2)\,\mathbb E_1[x-\mu_1]$ is 0.
# - (d) The mean of (a) over $\mathcal N_1$, with (b) and (c).
#
#
# The cell evaluates (b), (c) and (d) by integrals over a fine grid.

# %%
mu_1, v_1, mu_2, v_2 = torch.tensor([0.3, 0.5, -0.4, 1.7], dtype=f64)
x = torch.linspace(-15, 15, 6001, dtype=f64)
n_1, n_2 = log_normal(x, mu_1, v_1).exp(), log_normal(x, mu_2, v_2).exp()

agree("(b)", torch.trapezoid(n_1 * (x - mu_1) ** 2, x), v_1)
agree("(c)", torch.trapezoid(n_1 * (x - mu_2) ** 2, x), v_1 + (mu_1 - mu_2) ** 2)
kl = 0.5 * ((v_2 / v_1).log() - 1 + (v_1 + (mu_1 - mu_2) ** 2) / v_2)
agree("(d)", torch.trapezoid(n_1 * (n_1 / n_2).log(), x), kl)

# %% [markdown]
# ### Exercise {{02-normal_kl}}
#
# Write (2) for whole tensors. Networks output the *logarithm of a variance*, because it may be any real number; so the arguments are $\log v$, not $v$.
# The result is elementwise: no sum and no mean.
#
# *Hint.* $1/v_2 = \exp(-\log v_2)$, and $v_1/v_2$ is the exponential of a difference.


# %%
# EXERCISE 02-normal_kl (keep this line)
def normal_kl(mean1, logvar1, mean2, logvar2):
    """KL(N(mean1, exp(logvar1)) || N(mean2, exp(logvar2))), elementwise, in nats.

    All four are tensors that broadcast against each other, e.g. (B, C, H, W) with (B, 1, 1, 1).
    Returns a tensor of the broadcast shape, through which gradients flow: section 5 fits parameters with it.
    """
    ### BEGIN SOLUTION
    variance_ratio = (logvar1 - logvar2).exp()
    shift = (mean1 - mean2) ** 2 * (-logvar2).exp()
    return 0.5 * (logvar2 - logvar1 - 1 + variance_ratio + shift)
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("02-normal_kl", normal_kl)

# %% [markdown]
# **Predict, then run.** Fix $\mathcal N(0,1)$ and let the other Gaussian, $\mathcal N(0,v)$, be too narrow ($v=0.1$) or too wide ($v=10$).
# For which of the two is $\text{KL}(\mathcal N(0,1)\,\|\,\mathcal N(0,v))$ larger? And what about the other direction? The figure uses your function.

# %%
zero = torch.zeros((), dtype=f64)
log_v = torch.linspace(math.log(0.05), math.log(20), 200, dtype=f64)
plots.curves(
    log_v.exp(),
    {
        "KL( N(0, 1) ‖ N(0, v) )": normal_kl(zero, zero, zero, log_v),
        "KL( N(0, v) ‖ N(0, 1) )": normal_kl(zero, log_v, zero, zero),
    },
    title="The KL divergence is not symmetric",
    xlabel="v, the variance of the other Gaussian",
    ylabel="nats",
    logx=True,
)

# %% [markdown]
# Samples come from the first argument. A second argument that is too narrow calls them nearly impossible and is punished hard (solid line, left);
# one that is too wide is punished mildly. In the bound, the model $p_\theta$ stands in the second place: an overconfident model pays.

# %%
quiz.ask("02-q4")

# %% [markdown]
# ### The general formula
#
# For $d$-dimensional Gaussians with covariance matrices $\Sigma_1,\Sigma_2$, only step (c) changes. With $\delta = \mu_1-\mu_2$,
# $\mathbb E_1[(x-\mu_2)^\top\Sigma_2^{-1}(x-\mu_2)] = \operatorname{tr}\left(\Sigma_2^{-1}\,\mathbb E_1[(x-\mu_2)(x-\mu_2)^\top]\right) = \operatorname{tr}(\Sigma_2^{-1}\Sigma_1) + \delta^\top\Sigma_2^{-1}\delta$, so
#
# $$
# \text{KL}(\mathcal N_1\,\|\,\mathcal N_2) = \tfrac12\left[\operatorname{tr}(\Sigma_2^{-1}\Sigma_1) + (\mu_1-\mu_2)^\top\Sigma_2^{-1}(\mu_1-\mu_2) + \log\frac{\det\Sigma_2}{\det\Sigma_1} - d\right].
# \tag{3}
# $$
#
# If $\Sigma_1 = v_1 I$ and $\Sigma_2 = v_2 I$ (the isotropic case, the only one a DDPM needs), this is a sum of $d$ scalar KLs:
#
# $$
# \text{KL}(\mathcal N_1\,\|\,\mathcal N_2) = \tfrac12\left[d\,\frac{v_1}{v_2} + \frac{\|\mu_1-\mu_2\|^2}{v_2} + d\log\frac{v_2}{v_1} - d\right].
# \tag{4}
# $$


# %%
def full_kl(mean1, cov1, mean2, cov2):
    """Formula (3): means (d,), covariances (d, d)."""
    delta, precision = mean1 - mean2, cov2.inverse()
    trace = (precision @ cov1).trace()
    return 0.5 * (trace + delta @ precision @ delta + cov2.logdet() - cov1.logdet() - len(delta))


noise = dc.Noise(0)
m_1, m_2 = noise.randn(2, 3, dtype=f64)
root_1, root_2 = noise.randn(2, 3, 3, dtype=f64)
cov_1, cov_2, eye = root_1 @ root_1.T, root_2 @ root_2.T, torch.eye(3, dtype=f64)

gaussian = torch.distributions.MultivariateNormal
library = torch.distributions.kl_divergence(gaussian(m_1, cov_1), gaussian(m_2, cov_2))
agree("(3) with full matrices", full_kl(m_1, cov_1, m_2, cov_2), library, 1e-10)
ones = torch.ones(3, dtype=f64)
isotropic = normal_kl(m_1, (0.5 * ones).log(), m_2, (1.7 * ones).log()).sum()
agree("(4) is (3)", full_kl(m_1, 0.5 * eye, m_2, 1.7 * eye), isotropic)

# %% [markdown]
# ## 2. The model: a Markov chain that runs backwards
#
# A diffusion model is a latent-variable model. Its latents are the noisy states $x_1,\dots,x_T$, each of the size of the data. It starts from pure noise
# and walks down to $x_0$ (Ho et al. 2020, eq. 1):
#
# $$
# p_\theta(x_{0:T}) = p(x_T)\prod_{t=1}^{T} p_\theta(x_{t-1}\mid x_t),\qquad
# p(x_T) = \mathcal N(0, I),\qquad
# p_\theta(x_{t-1}\mid x_t) = \mathcal N\big(\mu_\theta(x_t,t),\, \Sigma_\theta(x_t,t)\big).
# \tag{5}
# $$
#
# This is the *reverse process*. Its density of an image alone needs all latents integrated out:
#
# $$
# p_\theta(x_0) = \int p_\theta(x_{0:T})\,dx_{1:T}. \tag{6}
# $$
#
# For images and a neural network, (6) is hopeless: $T\cdot d$ nested integrals. That is why we need a bound.
#
# **A model small enough to see through.** To check every line below, take one-dimensional data $x_0\sim\mathcal N(1,\,0.5^2)$, only $T=4$ steps with
# large $\beta_t$, and a model with two parameters that somebody guessed:
#
# $$\mu_\theta(x_t,t) = \theta_1 x_t + \theta_2,\quad \theta=(0.4,\ 0.3),\qquad \Sigma_\theta = \beta_t .$$
#
# Here (6) *can* be computed. If $x_t\sim\mathcal N(m,v)$, then $x_{t-1} = \theta_1x_t+\theta_2+\sqrt{\beta_t}\,z$ has mean $\theta_1m+\theta_2$ and variance $\theta_1^2v+\beta_t$.
# The cell also does it by brute force: on a grid, one integral $\int p_\theta(x_{t-1}\mid x_t)\,p(x_t)\,dx_t$ after the other.

# %%
T = 4
tiny = dc.NoiseSchedule.from_betas(torch.tensor([0.2, 0.3, 0.4, 0.5], dtype=f64))
betas, alphas, alpha_bar = tiny.betas, tiny.alphas, tiny.alpha_bar
tiny_mu, tiny_s = 1.0, 0.5
theta = torch.tensor([0.4, 0.3], dtype=f64)

x, dx = torch.linspace(-12, 12, 2401, dtype=f64), 0.01
density, model_mean, model_variance = log_normal(x, zero, zero + 1).exp(), zero, zero + 1
for t in range(T, 0, -1):
    kernel = log_normal(x[:, None], theta[0] * x + theta[1], betas[t - 1]).exp()  # p(x_{t-1} | x_t)
    density = kernel @ density * dx
    model_mean = theta[0] * model_mean + theta[1]
    model_variance = theta[0] ** 2 * model_variance + betas[t - 1]
agree("p(x_0): grid and closed form", density, log_normal(x, model_mean, model_variance).exp(), 1e-10)
print(f"The model's p(x_0) is N({model_mean:.3f}, {model_variance:.3f}); the data come from N(1, 0.25).")

# %% [markdown]
# The width of the model is about right, its mean is far too low. Now forget for a moment that we know this: how would you score the model without the integral (6)?
#
# ## 3. The bound, twice
#
# The latents are not observed. The forward process tells which latents *could* have belonged to $x_0$; given $x_0$ it is the distribution (Ho et al. 2020, eq. 2)
#
# $$
# q(x_{1:T}\mid x_0) = \prod_{t=1}^{T} q(x_t\mid x_{t-1}),\qquad q(x_t\mid x_{t-1}) = \mathcal N(\sqrt{\alpha_t}\,x_{t-1},\ \beta_t I). \tag{7}
# $$
#
# In a VAE this would be the encoder. Here it has no parameters. It plays the role of an approximation to the true, unknown posterior $p_\theta(x_{1:T}\mid x_0)$.
#
# ### First derivation: add a KL
#
# $$
# \begin{aligned}
# -\log p_\theta(x_0)
# &\le -\log p_\theta(x_0) + \text{KL}\big(q(x_{1:T}\mid x_0)\,\|\,p_\theta(x_{1:T}\mid x_0)\big) && \text{line 1}\\
# &= -\log p_\theta(x_0) + \mathbb E_{q(x_{1:T}\mid x_0)}\left[\log\frac{q(x_{1:T}\mid x_0)}{p_\theta(x_{0:T})/p_\theta(x_0)}\right] && \text{line 2}\\
# &= -\log p_\theta(x_0) + \mathbb E_{q(x_{1:T}\mid x_0)}\left[\log\frac{q(x_{1:T}\mid x_0)}{p_\theta(x_{0:T})} + \log p_\theta(x_0)\right] && \text{line 3}\\
# &= \mathbb E_{q(x_{1:T}\mid x_0)}\left[\log\frac{q(x_{1:T}\mid x_0)}{p_\theta(x_{0:T})}\right] =: L_\text{VLB}(x_0) && \text{line 4}
# \end{aligned}
# \tag{8}
# $$
#
# 1. A KL is never negative.
# 2. The definition (1) of the KL, and $p_\theta(x_{1:T}\mid x_0) = p_\theta(x_{0:T})/p_\theta(x_0)$.
# 3. The logarithm of a quotient is a difference.
# 4. $\log p_\theta(x_0)$ does not depend on $x_{1:T}$ and cancels.
#
#
# The last line holds only densities that we can evaluate. Averaged over the data,
#
# $$
# L_\text{VLB} = \mathbb E_{q(x_{0:T})}\left[\log\frac{q(x_{1:T}\mid x_0)}{p_\theta(x_{0:T})}\right] \ \ge\ -\mathbb E_{q(x_0)}\log p_\theta(x_0).
# $$
#
# $L_\text{VLB}$ is an *upper* bound on the negative log-likelihood. Its negative is a lower bound on the log-likelihood, hence the names *variational lower bound* and *evidence lower bound* (ELBO).
# To train means to lower $L_\text{VLB}$.
#
# **How to check it exactly.** The lines are means over trajectories $x_1,\dots,x_T$. In the tiny model every log-density is a *quadratic* in the $n$ standard normal numbers $z$ that make the trajectory.
# A mean of a quadratic needs only $\mathbb E z = 0$ and $\mathbb E zz^\top = I$. The $2n$ points $\pm\sqrt n\,e_i$ ($e_i$: unit vectors) have exactly this mean and these second moments.
# So the average over these few special trajectories *is* the expectation, without sampling error.
# `exact_points` of the library makes them.
#
# The two chains are objects of the library (`diffusion_course/linear_gaussian.py`, 100 lines). `q.path` turns noise into a trajectory; `q.log_steps` and
# `p.log_steps` give the log-densities of all its steps, `p.log_last` that of $x_T$.
#
# Lines 1 to 3 also hold the model's own posterior $p_\theta(x_{1:T}\mid x_0)$. For a real network nobody can compute it. Here the joint (5) is one big
# Gaussian over $(x_0,\dots,x_4)$, since a trajectory is an affine function of its noise. `p.posterior` conditions that Gaussian on $x_0$, and `q.joint` is the
# whole of $q(x_{1:T}\mid x_0)$.

# %%
q, p = ForwardChain(tiny), ReverseChain(tiny, theta)
x0 = torch.tensor(1.3, dtype=f64)
x = q.path(x0.expand(2 * T), exact_points(T))  # the special trajectories, all from this x_0

nll, posterior = -p.marginal().log_prob(x0), p.posterior(x0)
log_q, log_joint = q.log_steps(x).sum(1), p.log_last(x) + p.log_steps(x).sum(1)
lines = [
    nll + torch.distributions.kl_divergence(q.joint(x0), posterior),
    nll + (log_q - posterior.log_prob(x[:, 1:])).mean(),
    nll + (log_q - log_joint - nll).mean(),
    (log_q - log_joint).mean(),
]
print(f"-log p(x_0) at x_0 = 1.3:  {nll:.6f}")
for k, line in enumerate(lines, 1):
    print(f"line {k}:                   {line:.6f}")
agree("lines 1 to 4", torch.stack(lines), lines[-1])

# %% [markdown]
# Four times the same number, and it is larger than $-\log p_\theta(x_0)$. The difference is the KL of line 1: how far $q(x_{1:T}\mid x_0)$ is from the model's own posterior. It depends on $\theta$.
# So a lower $L_\text{VLB}$ means a better fit, or a tighter bound, or both.
#
# ### Second derivation: Jensen's inequality
#
# For the logarithm, which is concave, Jensen's inequality says $\log\mathbb E[w] \ge \mathbb E[\log w]$ for every positive random variable $w$. Start from the cross-entropy of the data under the model:
#
# $$
# \begin{aligned}
# L_\text{CE} &= -\mathbb E_{q(x_0)}\log p_\theta(x_0) && \text{line 1}\\
# &= -\mathbb E_{q(x_0)}\log\int p_\theta(x_{0:T})\,dx_{1:T} && \text{line 2}\\
# &= -\mathbb E_{q(x_0)}\log\int q(x_{1:T}\mid x_0)\,\frac{p_\theta(x_{0:T})}{q(x_{1:T}\mid x_0)}\,dx_{1:T} && \text{line 3}\\
# &= -\mathbb E_{q(x_0)}\log\mathbb E_{q(x_{1:T}\mid x_0)}\left[\frac{p_\theta(x_{0:T})}{q(x_{1:T}\mid x_0)}\right] && \text{line 4}\\
# &\le -\mathbb E_{q(x_{0:T})}\log\frac{p_\theta(x_{0:T})}{q(x_{1:T}\mid x_0)} && \text{line 5}\\
# &= \mathbb E_{q(x_{0:T})}\left[\log\frac{q(x_{1:T}\mid x_0)}{p_\theta(x_{0:T})}\right] = L_\text{VLB} && \text{line 6}
# \end{aligned}
# \tag{9}
# $$
#
# 1. What we would like to minimise.
# 2. The marginal (6): integrate the latents out.
# 3. Multiply and divide by $q(x_{1:T}\mid x_0)>0$.
# 4. An integral against a density is a mean.
# 5. Jensen. The logarithm moves inside the mean and makes it smaller; the minus sign turns that around.
# 6. Turn the fraction over: $-\log u = \log(1/u)$.
#
#
# Check it at one $x_0$. The random variable is $w = p_\theta(x_{0:T})/q(x_{1:T}\mid x_0)$ with $x_{1:T}\sim q(x_{1:T}\mid x_0)$. It is not a quadratic, so lines 4 and 5 are sampled here, with 200,000 trajectories.

# %%
many = q.path(x0.expand(200_000), dc.Noise(2, per_sample=False).randn(200_000, T, dtype=f64))
log_w = p.log_last(many) + p.log_steps(many).sum(1) - q.log_steps(many).sum(1)
w = log_w.exp()
error = 1.96 * w.std() / math.sqrt(len(w)) / w.mean()  # of log(mean w), by the delta method

print(f"line 1: exact -log p(x_0)            {nll:.3f}")
print(f"line 2: the integral, on the grid    {-density[1330].log():.3f}")  # x[1330] was 1.3
print(f"line 4: -log of the mean of w        {-w.mean().log():.3f} ± {error:.3f}")
print(f"line 5: the mean of -log w        {with_error(-log_w)}")
print(f"line 6: L_VLB(x_0), first derivation {lines[-1]:.3f}")

# %%
figure = plots.histogram(
    {"trajectories": log_w}, title="Jensen's gap", xlabel="log w", bins=80, limits=(-5, 2)
)
axes = figure.axes[0]
axes.axvline(log_w.mean(), color=plots.COLOURS[1], label="mean of log w = $-L_{VLB}(x_0)$")
axes.axvline(
    w.mean().log(), color=plots.COLOURS[2], linestyle="--", label=r"log of mean w = log $p_\theta(x_0)$"
)
plots.legend(figure)
figure

# %% [markdown]
# Each trajectory has its own $\log w$. The mean of the logarithms (orange) lies left of the logarithm of the mean (green): that distance is the gap. If $q(x_{1:T}\mid x_0)$ were the model's exact posterior,
# $w$ would be $p_\theta(x_0)$ on every trajectory, the histogram would be one spike, and the gap would be zero.

# %%
quiz.ask("02-q1")

# %% [markdown]
# ## 4. The posterior of one step, by completing the square
#
# To split the bound into steps we need to know where $x_{t-1}$ was, *given* both ends: the noisier $x_t$ and the clean $x_0$. Bayes' rule, with everything conditioned on $x_0$:
#
# $$
# q(x_{t-1}\mid x_t,x_0) = \frac{q(x_t\mid x_{t-1},x_0)\;q(x_{t-1}\mid x_0)}{q(x_t\mid x_0)}, \qquad q(x_t\mid x_{t-1},x_0) = q(x_t\mid x_{t-1}) \tag{10}
# $$
#
# The second equation is the Markov property: once $x_{t-1}$ is known, $x_0$ adds nothing about $x_t$. Both factors on top are Gaussians that chapter 1 derived. The denominator does not contain $x_{t-1}$.
# Coordinates are independent, so one coordinate is enough. As a function of $x_{t-1}$:
#
# $$
# \begin{aligned}
# q(x_{t-1}\mid x_t,x_0)
# &\propto \exp\left(-\tfrac12\left[\frac{(x_t-\sqrt{\alpha_t}\,x_{t-1})^2}{\beta_t} + \frac{(x_{t-1}-\sqrt{\bar\alpha_{t-1}}\,x_0)^2}{1-\bar\alpha_{t-1}}\right]\right) && \text{line 1}\\
# &= \exp\left(-\tfrac12\left[\frac{x_t^2 - 2\sqrt{\alpha_t}\,x_t\,x_{t-1} + \alpha_t x_{t-1}^2}{\beta_t} + \frac{x_{t-1}^2 - 2\sqrt{\bar\alpha_{t-1}}\,x_0\,x_{t-1} + \bar\alpha_{t-1}x_0^2}{1-\bar\alpha_{t-1}}\right]\right) && \text{line 2}\\
# &= \exp\left(-\tfrac12\left[\underbrace{\left(\frac{\alpha_t}{\beta_t}+\frac1{1-\bar\alpha_{t-1}}\right)}_{\text{precision } \Lambda}x_{t-1}^2 - 2\underbrace{\left(\frac{\sqrt{\alpha_t}}{\beta_t}x_t+\frac{\sqrt{\bar\alpha_{t-1}}}{1-\bar\alpha_{t-1}}x_0\right)}_{h}x_{t-1} + C(x_t,x_0)\right]\right) && \text{line 3}\\
# &\propto \exp\left(-\tfrac12\,\Lambda\left(x_{t-1}-\frac h\Lambda\right)^2\right) && \text{line 4}
# \end{aligned}
# $$
#
# 1. The two Gaussians in the numerator of (10), without their constants.
# 2. Multiply the squares out.
# 3. Collect powers of $x_{t-1}$.
# 4. Complete the square: $\Lambda x^2-2hx = \Lambda(x-h/\Lambda)^2 - h^2/\Lambda$. All that does not contain $x_{t-1}$ goes into the constant.
#
#
# Line 4 is a Gaussian with variance $1/\Lambda$ and mean $h/\Lambda$. Simplify both.
#
# $$
# \begin{aligned}
# \Lambda &= \frac{\alpha_t(1-\bar\alpha_{t-1})+\beta_t}{\beta_t(1-\bar\alpha_{t-1})} = \frac{\alpha_t-\bar\alpha_t+1-\alpha_t}{\beta_t(1-\bar\alpha_{t-1})} = \frac{1-\bar\alpha_t}{\beta_t(1-\bar\alpha_{t-1})} && \text{since } \alpha_t\bar\alpha_{t-1}=\bar\alpha_t,\ \beta_t=1-\alpha_t\\[4pt]
# \tilde\beta_t &= \frac1\Lambda = \frac{1-\bar\alpha_{t-1}}{1-\bar\alpha_t}\,\beta_t && \text{(Ho et al. 2020, eq. 7)}\\[4pt]
# \tilde\mu_t(x_t,x_0) &= \frac h\Lambda = \frac{\sqrt{\bar\alpha_{t-1}}\,\beta_t}{1-\bar\alpha_t}\,x_0 + \frac{\sqrt{\alpha_t}\,(1-\bar\alpha_{t-1})}{1-\bar\alpha_t}\,x_t && \text{multiply each part of } h \text{ by } \tilde\beta_t
# \end{aligned}
# \tag{11}
# $$
#
# So $q(x_{t-1}\mid x_t,x_0) = \mathcal N(\tilde\mu_t(x_t,x_0),\,\tilde\beta_t I)$. At $t=1$, $\bar\alpha_0=1$ gives variance 0 and mean $x_0$: given $x_0$, there is no doubt about $x_0$.
#
# The first cell compares the brackets of lines 1 to 4 (all that follows $-\tfrac12$) as functions of $x_{t-1}$. The second checks (11) against $\Lambda$ and $h$, and then against a computation that knows no algebra: the product of the two densities in (10) on a grid of values of $x_{t-1}$, normalised by its sum.

# %%
t, x_t, x0 = 3, torch.tensor(0.2, dtype=f64), torch.tensor(1.3, dtype=f64)
beta, alpha, a, a_prev = betas[t - 1], alphas[t - 1], alpha_bar[t - 1], alpha_bar[t - 2]

x = torch.linspace(-8, 8, 4001, dtype=f64)  # candidates for x_{t-1}
precision = alpha / beta + 1 / (1 - a_prev)
h = alpha.sqrt() / beta * x_t + a_prev.sqrt() / (1 - a_prev) * x0
rest = x_t**2 / beta + a_prev * x0**2 / (1 - a_prev)  # C(x_t, x_0)

line_1 = (x_t - alpha.sqrt() * x) ** 2 / beta + (x - a_prev.sqrt() * x0) ** 2 / (1 - a_prev)
line_2 = (x_t**2 - 2 * alpha.sqrt() * x_t * x + alpha * x**2) / beta
line_2 = line_2 + (x**2 - 2 * a_prev.sqrt() * x0 * x + a_prev * x0**2) / (1 - a_prev)
line_3 = precision * x**2 - 2 * h * x + rest
line_4 = precision * (x - h / precision) ** 2
agree("line 2 is line 1", line_2, line_1)
agree("line 3 is line 1", line_3, line_1)
agree("line 4 is line 1 but for a constant", line_4 - line_4[0], line_1 - line_1[0])

# %%
beta_tilde = (1 - a_prev) / (1 - a) * beta
mu_tilde = a_prev.sqrt() * beta / (1 - a) * x0 + alpha.sqrt() * (1 - a_prev) / (1 - a) * x_t
agree("variance = 1 / precision", beta_tilde, 1 / precision)
agree("mean = h / precision", mu_tilde, h / precision)

weight = (log_normal(x_t, alpha.sqrt() * x, beta) + log_normal(x, a_prev.sqrt() * x0, 1 - a_prev)).exp()
weight = weight / weight.sum()
grid_mean = (weight * x).sum()
agree("mean by brute-force Bayes", grid_mean, mu_tilde)
agree("variance by brute-force Bayes", (weight * (x - grid_mean) ** 2).sum(), beta_tilde)

# %% [markdown]
# ### Exercise {{02-posterior_mean_variance}}
#
# Write (11) for a batch in which every sample has its own $t$. `betas[0]` is $\beta_1$, so $\beta_t$ is `betas[t - 1]`. The variance has shape `(B, 1, ..., 1)`, with as many axes as `x0`: it multiplies a batch of shape `(B, *S)`.
#
# *Hint.* Make a table of $\bar\alpha_{t-1}$ for $t=1..T$ that begins with $\bar\alpha_0=1$ (`torch.cat`), and read all tables at `t - 1`. `v.reshape(-1, *[1] * (x0.ndim - 1))` turns `(B,)` into `(B, 1, ..., 1)`.


# %%
# EXERCISE 02-posterior_mean_variance (keep this line)
def posterior_mean_variance(x0, x_t, t, betas):
    """Mean and variance of q(x_{t-1} | x_t, x_0).

    x0, x_t: (B, *S). t: (B,) integers in 1..T. betas: (T,), betas[0] is beta_1.
    Returns (mean, variance): mean (B, *S), variance (B, 1, ..., 1) with as many axes as x0.
    """
    ### BEGIN SOLUTION
    alpha_bar = torch.cumprod(1 - betas, dim=0)
    alpha_bar_prev = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    shape = (-1, *[1] * (x0.ndim - 1))
    beta, a, a_prev = (table[t - 1].reshape(shape) for table in (betas, alpha_bar, alpha_bar_prev))
    weight_0 = a_prev.sqrt() * beta / (1 - a)
    weight_t = (1 - beta).sqrt() * (1 - a_prev) / (1 - a)
    return weight_0 * x0 + weight_t * x_t, beta * (1 - a_prev) / (1 - a)
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("02-posterior_mean_variance", posterior_mean_variance)

# %% [markdown]
# The slider draws (10) with your function: what $x_0$ alone says about $x_{t-1}$, what $x_t$ alone says, and the posterior, which is the product of both. The schedule has $T=20$ steps, with $\beta_t$ from 0.02 to 0.2.
# Move $t$. At small $t$, $x_0$ has as much to say as $x_t$, and the posterior lies half-way. As $t$ grows, $x_0$ says less and less, and the posterior follows $x_t$: a step back from noise is a small step. The posterior is always narrower than either of its two sources: precisions add.

# %%
slow = dc.NoiseSchedule.from_betas(dc.schedules.linear(20, 0.02, 0.2))


def draw_posterior(t=8, x_t=1.5):
    x0, x_now = torch.tensor([-1.0], dtype=f64), torch.tensor([x_t], dtype=f64)
    mean, variance = posterior_mean_variance(x0, x_now, torch.tensor([t]), slow.betas)
    x, beta, a_prev = torch.linspace(-3.5, 3.5, 400, dtype=f64), slow.betas[t - 1], slow.alpha_bar_prev[t - 1]
    sources = {
        "from $x_0$ alone": log_normal(x, a_prev.sqrt() * x0, 1 - a_prev).exp(),
        "from $x_t$ alone": log_normal(x, x_now / (1 - beta).sqrt(), beta / (1 - beta)).exp(),
    }
    return plots.curves(
        x,
        sources | {"posterior": log_normal(x, mean, variance).exp()},
        title=f"Where was $x_{{t-1}}$?  t = {t}",
        xlabel="$x_{t-1}$",
        ylabel="density",
        ylim=(0, 4),
        marks={"$x_0$ = -1": -1.0, f"$x_t$ = {x_t:g}": x_t},
    )


widgets.slide(
    draw_posterior,
    t=(2, 20),
    x_t=(-2.0, 2.0, 0.1),
    static=[{"t": 2}, {"t": 5}, {"t": 10}, {"t": 20}],
    description="Densities of x_{t-1} given x_0, given x_t, and given both",
)

# %%
quiz.ask("02-q2")
quiz.ask("02-q3")

# %% [markdown]
# ## 5. The long derivation, line by line
#
# $L_\text{VLB}$ is one expectation over a whole trajectory. The next nine lines turn it into a sum with one term per step. That is what makes training cheap: a step can be sampled alone.
# All expectations are over $q = q(x_{0:T})$.
#
# $$
# \begin{aligned}
# L_\text{VLB}
# &= \mathbb E_q\left[\log\frac{q(x_{1:T}\mid x_0)}{p_\theta(x_{0:T})}\right] && \text{line 1}\\
# &= \mathbb E_q\left[\log\frac{\prod_{t=1}^T q(x_t\mid x_{t-1})}{p(x_T)\prod_{t=1}^T p_\theta(x_{t-1}\mid x_t)}\right] && \text{line 2}\\
# &= \mathbb E_q\left[-\log p(x_T) + \sum_{t=1}^T\log\frac{q(x_t\mid x_{t-1})}{p_\theta(x_{t-1}\mid x_t)}\right] && \text{line 3}\\
# &= \mathbb E_q\left[-\log p(x_T) + \sum_{t=2}^T\log\frac{q(x_t\mid x_{t-1})}{p_\theta(x_{t-1}\mid x_t)} + \log\frac{q(x_1\mid x_0)}{p_\theta(x_0\mid x_1)}\right] && \text{line 4}\\
# &= \mathbb E_q\left[-\log p(x_T) + \sum_{t=2}^T\log\left(\frac{q(x_{t-1}\mid x_t,x_0)}{p_\theta(x_{t-1}\mid x_t)}\cdot\frac{q(x_t\mid x_0)}{q(x_{t-1}\mid x_0)}\right) + \log\frac{q(x_1\mid x_0)}{p_\theta(x_0\mid x_1)}\right] && \text{line 5}\\
# &= \mathbb E_q\left[-\log p(x_T) + \sum_{t=2}^T\log\frac{q(x_{t-1}\mid x_t,x_0)}{p_\theta(x_{t-1}\mid x_t)} + \sum_{t=2}^T\log\frac{q(x_t\mid x_0)}{q(x_{t-1}\mid x_0)} + \log\frac{q(x_1\mid x_0)}{p_\theta(x_0\mid x_1)}\right] && \text{line 6}\\
# &= \mathbb E_q\left[-\log p(x_T) + \sum_{t=2}^T\log\frac{q(x_{t-1}\mid x_t,x_0)}{p_\theta(x_{t-1}\mid x_t)} + \log\frac{q(x_T\mid x_0)}{q(x_1\mid x_0)} + \log\frac{q(x_1\mid x_0)}{p_\theta(x_0\mid x_1)}\right] && \text{line 7}\\
# &= \mathbb E_q\left[\log\frac{q(x_T\mid x_0)}{p(x_T)} + \sum_{t=2}^T\log\frac{q(x_{t-1}\mid x_t,x_0)}{p_\theta(x_{t-1}\mid x_t)} - \log p_\theta(x_0\mid x_1)\right] && \text{line 8}\\
# &= \mathbb E_q\Big[\underbrace{\text{KL}\big(q(x_T\mid x_0)\,\|\,p(x_T)\big)}_{L_T} + \sum_{t=2}^T\underbrace{\text{KL}\big(q(x_{t-1}\mid x_t,x_0)\,\|\,p_\theta(x_{t-1}\mid x_t)\big)}_{L_{t-1}}\ \underbrace{-\log p_\theta(x_0\mid x_1)}_{L_0}\Big] && \text{line 9}
# \end{aligned}
# \tag{12}
# $$
#
# 1. The definition (8), averaged over the data.
# 2. Write both joint densities as products: (7) above, (5) below.
# 3. The logarithm of a product is a sum.
# 4. Set the summand $t=1$ apart.
# 5. Step $(*)$, explained below, in each summand $t\ge2$.
# 6. The logarithm of a product again.
# 7. The second sum telescopes: $\sum_{t=2}^T\big[\log q(x_t\mid x_0)-\log q(x_{t-1}\mid x_0)\big]$ leaves its last term minus its first.
# 8. $q(x_1\mid x_0)$ stands once above and once below and cancels; $q(x_T\mid x_0)$ joins $p(x_T)$.
# 9. Take the inner means first, explained below.
#
#
# This is Ho et al. 2020, eq. 5 (their appendix A); Sohl-Dickstein et al. 2015 had it first.
#
# **Step (\*)** is the Markov property, then Bayes' rule (10) solved for $q(x_t\mid x_{t-1},x_0)$:
#
# $$
# q(x_t\mid x_{t-1}) = q(x_t\mid x_{t-1},x_0) = \frac{q(x_{t-1}\mid x_t,x_0)\,q(x_t\mid x_0)}{q(x_{t-1}\mid x_0)}. \tag{$*$}
# $$
#
# Why do it? Line 4 compares densities of *different* variables, $x_t$ on top and $x_{t-1}$ below. After (\*) both are densities of $x_{t-1}$, and their ratio is a KL. For $t=1$ the step would divide by $q(x_0\mid x_0)$, which is no density; that is why line 4 sets $t=1$ apart.
#
# **Line 9** uses the tower rule: the mean over a trajectory can be taken in stages. For the summand of step $t$, first average over $x_{t-1}$ with $x_t$ and $x_0$ fixed. Given those two, $x_{t-1}\sim q(x_{t-1}\mid x_t,x_0)$, so the inner mean is the KL.
#
# First the step (\*) alone, at random trajectories:

# %%
z = dc.Noise(3).randn(6, T + 1, dtype=f64)
x = q.path(tiny_mu + tiny_s * z[:, 0], z[:, 1:])  # six random trajectories


def log_q_posterior(x):
    """log q(x_{t-1} | x_t, x_0) for t = 2..T, shape (B, T-1), with your function."""
    columns = []
    for t in range(2, T + 1):
        mean, variance = posterior_mean_variance(x[:, 0], x[:, t], torch.full((len(x),), t), betas)
        columns.append(log_normal(x[:, t - 1], mean, variance))
    return torch.stack(columns, 1)


right_side = log_q_posterior(x) + q.log_marginals(x)[:, 1:] - q.log_marginals(x)[:, :-1]
agree("(*) for t = 2..4 on six trajectories", q.log_steps(x)[:, 1:], right_side)

# %% [markdown]
# The three terms of line 9, with your functions:


# %%
def terms(x, model):
    """L_T (B,), the sum of L_1..L_{T-1} (B,) and L_0 (B,), with your normal_kl."""
    prior = normal_kl(alpha_bar[-1].sqrt() * x[:, 0], (1 - alpha_bar[-1]).log(), zero, zero)
    kl = torch.zeros_like(prior)
    for t in range(2, T + 1):
        mean, variance = posterior_mean_variance(x[:, 0], x[:, t], torch.full((len(x),), t), betas)
        kl = kl + normal_kl(mean, variance.log(), model.mean(x[:, t]), betas[t - 1].log())
    return prior, kl, -model.log_steps(x)[:, 0]


# %% [markdown]
# Now all nine lines. The function returns what stands inside $\mathbb E_q[\cdot]$ in each line, for every trajectory, in the symbols of (12): `step` is
# $\log q(x_t\mid x_{t-1})$, `back` is $\log p_\theta(x_{t-1}\mid x_t)$, `post` is $\log q(x_{t-1}\mid x_t,x_0)$ and `jump` is $\log q(x_t\mid x_0)$.
# Line 1 uses the joint densities as whole Gaussians, line 2 multiplies densities, the others add logarithms.


# %%
def inside(x):
    """The bracket of lines 1 to 9, each of shape (B,)."""
    last, step, back = p.log_last(x), q.log_steps(x), p.log_steps(x)  # (B,), (B, T), (B, T)
    post, jump = log_q_posterior(x), q.log_marginals(x)  # (B, T - 1), (B, T)
    return [
        q.joint(x[:, 0]).log_prob(x[:, 1:]) - p.joint().log_prob(x),
        (step.exp().prod(1) / (last.exp() * back.exp().prod(1))).log(),
        -last + (step - back).sum(1),
        -last + (step - back)[:, 1:].sum(1) + step[:, 0] - back[:, 0],
        -last + (post - back[:, 1:] + jump[:, 1:] - jump[:, :-1]).sum(1) + step[:, 0] - back[:, 0],
        -last + (post - back[:, 1:]).sum(1) + jump.diff().sum(1) + step[:, 0] - back[:, 0],
        -last + (post - back[:, 1:]).sum(1) + jump[:, -1] - jump[:, 0] + step[:, 0] - back[:, 0],
        jump[:, -1] - last + (post - back[:, 1:]).sum(1) - back[:, 0],
        sum(terms(x, p)),
    ]


# %% [markdown]
# **Predict, then run.** Take a single random trajectory. Which of the nine brackets are equal on it? Think of line 9 before you look.

# %%
brackets = torch.stack(inside(x))  # (9 lines, 6 trajectories)
for k, row in enumerate(brackets, 1):
    print(f"line {k}  " + "  ".join(f"{value:8.4f}" for value in row))
agree("lines 1 to 8, trajectory by trajectory", brackets[:8], brackets[:1].expand(8, -1))

# %% [markdown]
# Lines 1 to 8 are the same number on *every* trajectory: they only rewrite the bracket. Line 9 differs on each one: it replaces a quantity by its mean. It must agree in expectation.
# A trajectory is now made from five normal numbers, one for $x_0$ and four for the steps. Take the expectation exactly, over the ten special trajectories.

# %%
z = exact_points(T + 1)
special = q.path(tiny_mu + tiny_s * z[:, 0], z[:, 1:])
expected = torch.stack(inside(special)).mean(1)
for k, value in enumerate(expected, 1):
    print(f"line {k}  {value:.10f}")
agree("all nine lines in expectation", expected, expected[:1].expand(9))

# %% [markdown]
# One number, nine times: $L_\text{VLB}$ of the tiny model. The exact cross-entropy $-\mathbb E_{q(x_0)}\log p_\theta(x_0)$ must lie below it. It is the mean of a quadratic as well.

# %%
x0_two = tiny_mu + tiny_s * exact_points(1)[:, 0]  # mean and variance of the data: enough for a quadratic
cross_entropy = -log_normal(x0_two, model_mean, model_variance).mean()
entropy = 0.5 * math.log(2 * math.pi * math.e * tiny_s**2)  # of N(1, 0.5^2): no model can do better
print(f"L_VLB {expected[0]:.4f} >= cross-entropy {cross_entropy:.4f} >= entropy of the data {entropy:.4f}")

# %% [markdown]
# ### The three kinds of term
#
# - $L_T = \text{KL}(q(x_T\mid x_0)\,\|\,p(x_T))$: how far the end of the forward process is from the noise that sampling starts with. It has no parameters. A good schedule makes it almost zero.
# - $L_{t-1} = \text{KL}(q(x_{t-1}\mid x_t,x_0)\,\|\,p_\theta(x_{t-1}\mid x_t))$ for $t=2..T$: how well the model's step backwards imitates the step that knows $x_0$. Two Gaussians, so your `normal_kl` evaluates it in closed form; only $x_t$ must be sampled. Both arguments see $x_t$, only $q$ sees $x_0$: the model pays for not knowing $x_0$.
# - $L_0 = -\log p_\theta(x_0\mid x_1)$: the cost of the data themselves, given the least noisy latent. It is the *decoder*. Here it is $\mathcal N(\mu_\theta(x_1,1),\beta_1)$; {{section The decoder of pixels}} makes one for pixels.
#
# In training one draws $t$ at random and lowers the term of that $t$ alone; the sum is never formed. But (12) with the expectation is a loss like any other. The tiny model has two parameters, so minimise its *exact* bound.

# %%
fitted = theta.clone().requires_grad_()
optimiser = torch.optim.LBFGS([fitted], max_iter=50, line_search_fn="strong_wolfe")


def closure():
    optimiser.zero_grad()
    loss = sum(terms(special, ReverseChain(tiny, fitted))).mean()
    loss.backward()
    return loss


optimiser.step(closure)
fitted = fitted.detach()
print(f"theta: (0.4, 0.3) -> ({fitted[0]:.3f}, {fitted[1]:.3f})")
for name, value in [("guessed", theta), ("fitted", fitted)]:
    prior, kl, decoder = (term.mean() for term in terms(special, ReverseChain(tiny, value)))
    total = prior + kl + decoder
    print(f"{name:8} L_T {prior:.3f} + sum of L_(t-1) {kl:.3f} + L_0 {decoder:.3f} = {total:.3f} nats")

# %%
grid = torch.linspace(-3, 4, 300, dtype=f64)
densities = {"the data, $q(x_0)$": log_normal(grid, zero + tiny_mu, zero + tiny_s**2).exp()}
for name, value in [("guessed", theta), ("fitted", fitted)]:
    densities[f"model, {name} θ"] = ReverseChain(tiny, value).marginal().log_prob(grid).exp()
plots.curves(
    grid,
    densities,
    title="Lowering the bound moves the model towards the data",
    xlabel="$x_0$",
    ylabel="density",
)

# %% [markdown]
# The fit improves although nobody told the optimiser what $p_\theta(x_0)$ looks like. It stays imperfect: two parameters for four steps, a fixed variance $\beta_t$, and $L_T$, which no $\theta$ can lower: four steps do not reach $\mathcal N(0,1)$.

# %% [markdown]
# ### A chain whose paths can be counted
#
# Nothing in (8), (9) and (12) asks for Gaussians: only the product rule, Bayes' rule and the Markov property are used. So here is a chain of which you can
# do all by hand. It has three states, 0, 1 and 2, and $T=3$ steps, hence $3^4=81$ paths $(x_0,x_1,x_2,x_3)$; 27 of them begin at a given $x_0$. Densities become
# probabilities, and integrals become sums. The laws are rows of tables, each with the sum 1; the row is the state that is given:
#
# - `q[t - 1, i, j]` is $q(x_t=j\mid x_{t-1}=i)$, the forward chain;
# - `p[t - 1, j, i]` is $p(x_{t-1}=i\mid x_t=j)$, the model;
# - `prior[k]` is $p(x_3=k)$.
#
# ### Exercise {{02-bound}}
#
# Compute $L_\text{VLB}(x_0)$ in two ways. `whole` is one expectation, over the 27 paths from $x_0$ (line 1 of (12), with $x_0$ given). `terms` holds the three kinds of term of line 9: $L_T$; the sum $L_1+L_2$ of the $L_{t-1}$, where $t$ is 2 and 3; and $L_0$.
# They need no path, only $q(x_t\mid x_0)$, $q(x_{t-1}\mid x_t,x_0)$ from (10), and KLs of rows, $\sum_i a_i\log(a_i/b_i)$. $L_{t-1}$ has a KL for each of the three $x_t$, and is their sum with the weights $q(x_t\mid x_0)$; in $L_0$, $-\log p(x_0\mid x_1)$ is added up in the same way, over $x_1$. The points are for `whole` and `terms` both right. The check compares them with the right numbers, on random tables in float64 and in float32; the results keep the dtype.
#
# *Hint.* `itertools.product(range(3), repeat=3)` gives the paths. The row $q(x_2\mid x_0)$ is `q[0, x0] @ q[1]`. Two tests of your own: `whole` is `terms.sum()`; and where all laws are
# uniform, `whole` is $\ln 3$ and `terms` are $(0, 0, \ln 3)$.


# %%
# EXERCISE 02-bound (keep this line)
def bound(q, p, prior, x0):
    """The variational bound of a chain of three states and three steps, as an expectation and as terms, in nats.

    q, p: (3, 3, 3), q[t - 1, i, j] = q(x_t = j | x_{t-1} = i), p[t - 1, j, i] = p(x_{t-1} = i | x_t = j).
    prior: (3,), the law of x_3. x0: an integer, 0, 1 or 2. All probabilities are above 0.
    Returns (whole, terms): whole is the expectation, a scalar tensor; terms, of shape (3,), are L_T, L_1 + L_2, L_0.
    Both have the dtype of the tables.
    """
    ### BEGIN SOLUTION
    whole = torch.zeros_like(prior[0])
    for x1, x2, x3 in itertools.product(range(3), repeat=3):
        path = q[0, x0, x1] * q[1, x1, x2] * q[2, x2, x3]
        joint = prior[x3] * p[2, x3, x2] * p[1, x2, x1] * p[0, x1, x0]
        whole = whole + path * (path / joint).log()

    def kl(one, other):
        return (one * (one / other).log()).sum(-1)

    now, steps = q[0, x0], torch.zeros_like(whole)  # now: the law of x_{t-1}, given x_0
    for t in (2, 3):
        pair = now[:, None] * q[t - 1]  # of x_{t-1} (rows) and x_t (columns)
        after = pair.sum(0)
        steps = steps + after @ kl((pair / after).T, p[t - 1])  # each column is a posterior
        now = after
    decoder = -(q[0, x0] * p[0, :, x0].log()).sum()
    return whole, torch.stack([kl(now, prior), steps, decoder])
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("02-bound", bound)

# %% [markdown]
# Now a forward chain that forgets its state with probability 0.3, 0.5, 0.7 in the three steps, and then draws a new one of the three alike; and a model that somebody guessed: it forgets as often, and then prefers
# state 0. Its exact $p(x_0)$ is a product of tables. Before you run: for which $x_0$ will the bound be largest?

# %%
forgets = torch.tensor([0.3, 0.5, 0.7], dtype=f64)[:, None, None]
count_q = (1 - forgets) * torch.eye(3, dtype=f64) + forgets / 3
count_p = (1 - forgets) * torch.eye(3, dtype=f64) + forgets * torch.tensor([0.6, 0.3, 0.1], dtype=f64)
count_prior = torch.full((3,), 1 / 3, dtype=f64)
count_nll = -(count_prior @ count_p[2] @ count_p[1] @ count_p[0]).log()

found = [bound(count_q, count_p, count_prior, k) for k in range(3)]
gaps = torch.stack([whole for whole, _ in found]) - count_nll
show_table(
    ["x_0", "one expectation", "L_T", "L_1 + L_2", "L_0", "exact", "gap"],
    [
        (str(k), *(f"{v:.4f}" for v in (whole, *terms, count_nll[k], gaps[k])))
        for k, (whole, terms) in enumerate(found)
    ],
    "nats",
)
for whole, terms in found:
    agree("the expectation is the sum of the terms", terms.sum(), whole)
claim("the bound lies above the exact value for every x_0", (gaps > 0).all())

# %% [markdown]
# **Find out.** Where does the gap come from, and can it be closed? The model is what it is, but $q$ is ours to choose. Is there a $q$ for which the bound is the truth? One for all three $x_0$?
#
# ### Exercise {{02-closing_q}}
#
# For a given model, return the tables $q(x_t\mid x_{t-1})$, $t=1,2,3$, with which $L_\text{VLB}(x_0) = -\log p(x_0)$ for every $x_0$. The check asks for the tables of random models, in float64 and in float32 (keep the dtype), so search with paper and pencil and not with an optimiser.
#
# <details><summary><i>Hint</i>, for after you have thought</summary>
#
# Line 1 of (8) says what is lost, and so what $q(x_{1:3}\mid x_0)$ must be. The model's own law of $x_t$, given $x_{t-1}$, follows from Bayes' rule. Bayes' rule takes the law of each $x_t$ under the model, from the prior down.
# That these tables make a chain, a Markov chain being one in both directions, is argued in {{section The bound against the truth}}.
#
# </details>


# %%
# EXERCISE 02-closing_q (keep this line)
def closing_q(p, prior):
    """The forward chain under which the bound of a model of three states and three steps is exact, for every x_0.

    p: (3, 3, 3), p[t - 1, j, i] = p(x_{t-1} = i | x_t = j). prior: (3,), the law of x_3. All probabilities are above 0.
    Returns q: (3, 3, 3), in the dtype of p, q[t - 1, i, j] = q(x_t = j | x_{t-1} = i).
    """
    ### BEGIN SOLUTION
    tables, law = [], prior  # law: the model's own, of x_t
    for t in (3, 2, 1):
        pair = p[t - 1].T * law  # of x_{t-1} (rows) and x_t (columns), under the model
        law = pair.sum(1)  # now of x_{t-1}
        tables.append(pair / law[:, None])  # Bayes: p(x_t | x_{t-1})
    return torch.stack(tables[::-1])
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("02-closing_q", closing_q)

# %%
closed = closing_q(count_p, count_prior)
for k in range(3):
    whole, terms = bound(closed, count_p, count_prior, k)
    print(f"x_0 = {k}: gap {gaps[k]:.4f} before, {abs(whole - count_nll[k]):.4f} with your q;", end=" ")
    print(f"L_T {terms[0]:.3f}, L_1 + L_2 {terms[1]:.3f}, L_0 {terms[2]:.3f}")
agree("bound and exact, with your q", bound(closed, count_p, count_prior, 2)[0], count_nll[2])
claim("no term but the sum has become 0", terms.min() > 0.01)

# %% [markdown]
# Answer in a sentence each: your tables do not know $x_0$; why can one $q$ serve all three? And why does no diffusion model choose its $q$ like this?

# %% [markdown] tags=["solution-only"]
# **The reasoning.** Line 1 of (8) names the gap: it is $\text{KL}\big(q(x_{1:3}\mid x_0)\,\|\,p(x_{1:3}\mid x_0)\big)$, what is lost when the paths that lead from $x_0$ are drawn from $q$ and not from the model's own posterior. A KL is 0 only between equal laws, so there is one $q$ to find:
# $q(x_{1:3}\mid x_0) = p(x_{1:3}\mid x_0)$.
#
# Is that a chain, with tables that do not depend on $x_0$? The model draws $x_3$, then $x_2$ from $x_3$, and so on down. Given $x_1$, the later states say nothing about $x_0$: $p(x_0\mid x_1,x_2,x_3) = p(x_0\mid x_1)$. By Bayes, then, $x_0$ says nothing about $x_2$ and $x_3$ once $x_1$ is known. So
# $p(x_{1:3}\mid x_0) = p(x_1\mid x_0)\,p(x_2\mid x_1)\,p(x_3\mid x_2)$: a Markov chain is one in both directions, and one $q$ serves all $x_0$. Each factor is Bayes' rule for neighbours, $p(x_t\mid x_{t-1}) = p(x_{t-1}\mid x_t)\,p(x_t)/p(x_{t-1})$, with $p(x_{t-1}) = \sum_{x_t}p(x_t)\,p(x_{t-1}\mid x_t)$.
#
# The terms do not vanish, they only add up to the truth: $L_T$ is what $x_0$ still says about $x_3$ under the model. And why does nobody choose $q$ like that? It takes $p(x_t)$, the integral (6) that a network cannot do; whoever could, would need no bound. A diffusion model goes the other way: it keeps a $q$ that is easy to sample, and moves $p$ towards
# $q(x_{t-1}\mid x_t)$, that of $q$ with the data drawn at random. Here, with three states, such a $p$, with $q(x_3)$ for its prior, would fit exactly and close the gap as well. With Gaussian steps it cannot, and {{section The bound against the truth}} measures what is left.

# %% [markdown]
# ## 6. Plug in a denoiser
#
# Which mean should $p_\theta(x_{t-1}\mid x_t)$ have? It should imitate $\mathcal N(\tilde\mu_t(x_t,x_0),\tilde\beta_t I)$ without knowing $x_0$. The natural answer: guess $x_0$, and plug the guess in. With a denoiser $\hat x_0 = D(x_t,t)$,
#
# $$
# p_\theta(x_{t-1}\mid x_t) = \mathcal N\big(\tilde\mu_t(x_t,\hat x_0),\ \tilde\beta_t I\big),\qquad t=2..T. \tag{13}
# $$
#
# (In code, `D(x, sigma)` sees $x_t$ in other units, $x = x_t/\sqrt{\bar\alpha_t} = x_0+\sigma_t\varepsilon$, and the noise level $\sigma_t$ in place of $t$. Division by a known number loses nothing, so the guess is the same. `dc.gaussian.to_ve` and `to_vp` go back and forth.)
#
# This is a sampler. Draw $x_T$ from $p(x_T)$, and for $t=T,\dots,1$ draw $x_{t-1}$ from (13) with a new $z_t\sim\mathcal N(0,I)$; at $t=1$ the variance is 0, so $x_0$ is the guess (Ho et al. 2020, algorithm 2 with the mean of eq. 7):
#
# $$
# x_{t-1} = \tilde\mu_t\big(x_t,\,\hat x_0(x_t,t)\big) + \sqrt{\tilde\beta_t}\;z_t .
# $$
#
# ### Exercise {{02-reverse_chain}}
#
# Write this loop, for a batch and for draws that are given; $T$ is `len(betas)`. `guess(x_t, t)` returns $\hat x_0$. It takes $x_t$ as it is, without `to_ve`, and `t` of shape `(B,)`, like your `posterior_mean_variance`. Ask it once in each step, since for a network that is what sampling costs.
# Return **all** states, in the order in which they are made: $x_T$ first, $x_0$ last. The check follows your path, in float64 and in float32 (the states keep the dtype of `x_T`), and says at which state it leaves the right one.
#
# *Hint.* `torch.full((len(x_T),), t, device=x_T.device)` is a batch of equal times. What does (11) give at $t=1$, and what becomes of the noise there? For $\beta=(0.36,\ 0.36)$, $x_T=0$, $z=(5,\ 1)$ and a guess that is always 1, the states are
# $(0,\ 0.956,\ 1)$.


# %%
# EXERCISE 02-reverse_chain (keep this line)
def reverse_chain(guess, x_T, betas, noise):
    """Return the states x_T .. x_0 of the reverse chain.

    guess: guess(x_t, t) -> x0_hat (B, *S), for x_t (B, *S) and t (B,), integers in 1..T.
    x_T: (B, *S), where the chain starts.
    betas: (T,), beta_1 .. beta_T.
    noise: (T, B, *S), the draws z_1 .. z_T; noise[0] is z_1.
    Returns (T + 1, B, *S), in the dtype of x_T: x_T, x_{T-1}, ..., x_0.
    """
    ### BEGIN SOLUTION
    states = [x_T]
    for step in range(len(betas), 0, -1):
        t = torch.full((len(x_T),), step, device=x_T.device)
        x0_hat = guess(states[-1], t)
        mean, variance = posterior_mean_variance(x0_hat, states[-1], t, betas)
        states.append(mean + variance.sqrt() * noise[step - 1])  # at t = 1 the variance is 0
    return torch.stack(states)
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("02-reverse_chain", reverse_chain)

# %% [markdown]
# Let it run, with the best guess there is. The data are three bumps on a line, a mixture of Gaussians, of which $\mathbb E[x_0\mid x_t]$ is known exactly. No network, no training.
#
# **Predict, then run.** 4,000 of your paths start from $\mathcal N(0,1)$, with $T=100$ steps; the figure shows 20 for each bump. When does a path choose its bump: near $t=100$, half-way, or at the very end?


# %%
def asked_by_t(D, schedule):
    """A denoiser D(x, sigma) as guess(x_t, t)."""

    def guess(x_t, t):
        sigma = schedule.sigma(t)
        return D(dc.gaussian.to_ve(x_t, sigma), sigma)

    return guess


def sample_path(D, schedule, seed, *shape):
    """Your states x_T .. x_0 from random draws, (T + 1, *shape)."""
    z = dc.Noise(seed, per_sample=False).randn(schedule.T + 1, *shape, dtype=f64)
    return reverse_chain(asked_by_t(D, schedule), z[-1], schedule.betas, z[:-1])


centres = torch.tensor([[-1.2], [0.0], [0.9]], dtype=f64)
widths, shares = torch.tensor([0.15, 0.1, 0.2], dtype=f64), torch.tensor([0.2, 0.5, 0.3], dtype=f64)
bumps = dc.denoisers.GaussianMixture(centres, widths, shares)
hundred = dc.NoiseSchedule.from_betas(dc.schedules.cosine(100))
path = sample_path(bumps, hundred, 100, 4000, 1)[..., 0]  # (T + 1, 4000), x_T first

ends = (path[-1, :, None] - centres[:, 0]).abs().argmin(1)  # the bump in which a path ends
times = torch.arange(100, -1, -1)
figure = plots.curves(
    times,
    {
        f"a path to the {name} bump": path[:, ends == k][:, 0]
        for k, name in enumerate(("left", "middle", "right"))
    },
    title="Your paths, from noise to data",
    xlabel="t (100 is pure noise, 0 is data)",
    ylabel="$x_t$",
)
for k, colour in enumerate(plots.COLOURS[:3]):
    figure.axes[0].plot(times, path[:, ends == k][:, 1:20], color=colour, linewidth=0.4)
figure.axes[0].invert_xaxis()
figure

# %%
told = {}
for t in (90, 60, 40, 20, 5):
    sigma = hundred.sigma(t)
    likely = bumps.classify(dc.gaussian.to_ve(path[100 - t][:, None], sigma), sigma).argmax(1)
    told[t] = (likely == ends).double().mean()
    print(f"t = {t:2}: the likeliest bump, given x_t, is where the path ends: {told[t]:.0%}")
claim("at t = 90 that is hardly more than a bet on the largest bump", abs(told[90] - shares.max()) < 0.05)
claim(
    "at t = 60 it holds for fewer than 6 paths of 10, at t = 20 for more than 8",
    told[60] < 0.6 and told[20] > 0.8,
)
plots.histogram(
    {"your samples": path[-1]},
    densities={"the data": lambda x: bumps.log_density(x[:, None]).exp()},
    title="4,000 of your samples and the density of the data",
    xlabel="$x_0$",
)

# %% [markdown]
# They fall into place in the second half.
#
# Is the law of your samples right? Compare the share in the middle bump with the true 0.5, and, to see all of the law, the largest difference $K=\max_x|F(x)-G(x)|$ between the share $F(x)$ of samples below $x$ and the true probability $G(x)$. For $n$ right samples $K$ stays below $1.36/\sqrt n$ with
# probability 0.95 (Kolmogorov). **Predict, then run.** The guess is exact. Will 5 steps be enough? 20?


# %%
def distance(samples):
    """K of samples (n,) from the three bumps."""
    x, n = samples.sort().values, len(samples)
    below = (torch.special.ndtr((x[:, None] - centres[:, 0]) / widths) * shares).sum(1)
    return (below - (torch.arange(n) + 0.5) / n).abs().max() + 0.5 / n


n, lines, found, too_many = 4000, [], {}, {}
for T in (5, 20, 100, 300):
    made = sample_path(bumps, dc.NoiseSchedule.from_betas(dc.schedules.cosine(T)), T, n, 1)[-1, :, 0]
    middle = ((made > -0.6) & (made < 0.4)).double()
    found[T], too_many[T] = distance(made), middle.mean() - 0.5 - 1.96 * middle.std() / n**0.5
    lines.append((str(T), f"{middle.mean():.3f} ± {1.96 * middle.std() / n**0.5:.3f}", f"{found[T]:.3f}"))
show_table(["T", "share in the middle bump (0.5)", f"K (right: below {1.36 / n**0.5:.3f})"], lines)
claim("with 5 and with 20 steps the law is wrong", min(found[5], found[20]) > 1.36 / n**0.5)
claim("there too many samples are in the middle", min(too_many[5], too_many[20]) > 0)
claim("with 300 steps these samples cannot tell it from the truth", found[300] < 1.36 / n**0.5)

# %% [markdown]
# With few steps the law is wrong though the guess is exact. For (13) puts *one* Gaussian of variance $\tilde\beta_t$ where the true $q(x_{t-1}\mid x_t)$ also carries the doubt about $x_0$. Small steps leave little doubt to carry. {{Section The bound against the truth}} measures this in nats.
#
# Back to the bound. Both Gaussians of $L_{t-1}$ now have the variance $\tilde\beta_t$, so (4) leaves the means only (Ho et al. 2020, eq. 8):
#
# $$
# L_{t-1} = \frac{1}{2\tilde\beta_t}\left\|\tilde\mu_t(x_t,x_0)-\tilde\mu_t(x_t,\hat x_0)\right\|^2 .\tag{14}
# $$
#
# ## 7. Each term is an error times a drop of the SNR
#
# $$
# \begin{aligned}
# L_{t-1}
# &= \frac1{2\tilde\beta_t}\cdot\frac{\bar\alpha_{t-1}\beta_t^2}{(1-\bar\alpha_t)^2}\,\|x_0-\hat x_0\|^2 && \text{line 1}\\
# &= \frac12\cdot\frac{1-\bar\alpha_t}{(1-\bar\alpha_{t-1})\beta_t}\cdot\frac{\bar\alpha_{t-1}\beta_t^2}{(1-\bar\alpha_t)^2}\,\|x_0-\hat x_0\|^2 && \text{line 2}\\
# &= \frac12\cdot\frac{\bar\alpha_{t-1}\beta_t}{(1-\bar\alpha_{t-1})(1-\bar\alpha_t)}\,\|x_0-\hat x_0\|^2 && \text{line 3}\\
# &= \frac12\cdot\frac{\bar\alpha_{t-1}-\bar\alpha_t}{(1-\bar\alpha_{t-1})(1-\bar\alpha_t)}\,\|x_0-\hat x_0\|^2 && \text{line 4}\\
# &= \frac12\left(\frac{\bar\alpha_{t-1}}{1-\bar\alpha_{t-1}} - \frac{\bar\alpha_t}{1-\bar\alpha_t}\right)\|x_0-\hat x_0\|^2 && \text{line 5}\\
# &= \frac12\left(\frac1{\sigma_{t-1}^2}-\frac1{\sigma_t^2}\right)\|x_0-\hat x_0\|^2 = \frac12\big(\text{SNR}(t-1)-\text{SNR}(t)\big)\,\|x_0-\hat x_0\|^2 && \text{line 6}
# \end{aligned}
# \tag{15}
# $$
#
# 1. Put (11) into (14). The part with $x_t$ is the same on both sides and cancels; only the weight of $x_0$ remains.
# 2. Insert $\tilde\beta_t$ from (11).
# 3. Cancel one $\beta_t$ and one $1-\bar\alpha_t$.
# 4. Since $\bar\alpha_{t-1}\beta_t = \bar\alpha_{t-1}(1-\alpha_t) = \bar\alpha_{t-1}-\bar\alpha_t$.
# 5. The rule for a common denominator, read backwards: $\frac a{1-a}-\frac b{1-b} = \frac{a(1-b)-b(1-a)}{(1-a)(1-b)} = \frac{a-b}{(1-a)(1-b)}$.
# 6. By definition, $\sigma_t^2 = (1-\bar\alpha_t)/\bar\alpha_t = 1/\text{SNR}(t)$.
#
#
# This is Kingma et al. 2021, eq. 13. The term of step $t$ is the denoiser's squared error at $t$, times how much the SNR drops in the step. The schedule enters through the SNR alone.
# The cell evaluates the lines for the standard linear schedule, $T=1000$, at 20 different $t$, with a guess $\hat x_0$ that is off by noise.

# %%
schedule = dc.NoiseSchedule.from_betas(dc.schedules.linear(1000))
t = torch.linspace(2, 1000, 20).long()
x0, error, eps = (dc.Noise(seed).randn(20, 3, 8, 8, dtype=f64) for seed in (5, 6, 7))
x0_hat, x_t = x0 + 0.1 * error, dc.gaussian.diffuse(x0, t, eps, schedule)

mean_q, variance = posterior_mean_variance(x0, x_t, t, schedule.betas)
mean_p, _ = posterior_mean_variance(x0_hat, x_t, t, schedule.betas)
as_kl = normal_kl(mean_q, variance.log(), mean_p, variance.log()).sum((1, 2, 3))
distance = (x0 - x0_hat).square().sum((1, 2, 3))
beta, a, a_prev = schedule.betas[t - 1], schedule.alpha_bar[t - 1], schedule.alpha_bar[t - 2]
beta_tilde = schedule.posterior_variance[t - 1]
weights = {
    1: a_prev * beta**2 / (1 - a) ** 2 / (2 * beta_tilde),
    2: 0.5 * (1 - a) / ((1 - a_prev) * beta) * a_prev * beta**2 / (1 - a) ** 2,
    3: 0.5 * a_prev * beta / ((1 - a_prev) * (1 - a)),
    4: 0.5 * (a_prev - a) / ((1 - a_prev) * (1 - a)),
    5: 0.5 * (a_prev / (1 - a_prev) - a / (1 - a)),
    6: 0.5 * (1 / schedule.sigma(t - 1) ** 2 - 1 / schedule.sigma(t) ** 2),
}
for k, weight in weights.items():
    agree(f"line {k} is the KL", weight * distance, as_kl, 1e-10)

# %% [markdown]
# ### Exercise {{02-vlb_terms}}
#
# Write (15) for all steps at once. `mse[t - 1]` is the mean of $\|x_0-\hat x_0\|^2$ at step $t$, so `mse` has $T$ entries, of which the first belongs to the decoder and not to a KL.
#
# *Hint.* Mind which error goes with which drop: the term of step $t$ pairs the error *at* $t$ with the drop from $t-1$ to $t$. Slices `[1:]` and `[:-1]` are all you need.


# %%
# EXERCISE 02-vlb_terms (keep this line)
def vlb_terms(mse, alpha_bar):
    """The terms L_{t-1} for t = 2..T, in nats.

    mse: (T,), mse[t - 1] = E ||x_0 - x0_hat||^2 at step t. alpha_bar: (T,), decreasing.
    Returns shape (T - 1,): L_1, ..., L_{T-1}, none of them summed.
    """
    ### BEGIN SOLUTION
    snr = alpha_bar / (1 - alpha_bar)
    return 0.5 * (snr[:-1] - snr[1:]) * mse[1:]
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("02-vlb_terms", vlb_terms)

# %% [markdown]
# ## 8. The decoder of pixels, and bits per dimension
#
# A pixel is not a real number. It is one of 256 levels, mapped to $[-1,1]$ in steps of $2/255$. A *density* can be made arbitrarily large at such points (put a narrow spike on each level), so an honest likelihood of an image is a *probability*.
# Ho et al. 2020 (eq. 13) give the decoder of the last step a Gaussian, and integrate it over the bin of each level:
#
# $$
# p_\theta(x_0\mid x_1) = \prod_{i=1}^d\int_{\delta_-(x_0^i)}^{\delta_+(x_0^i)}\mathcal N\big(x;\,\mu^i,\,s_1^2\big)\,dx,\qquad
# \delta_\pm(x) = x\pm\tfrac1{255},\quad \delta_-(-1)=-\infty,\quad \delta_+(1)=\infty. \tag{16}
# $$
#
# Here $\mu = \mu_\theta(x_1,1)$ and $s_1$ is the decoder's standard deviation. The first and last bins reach to infinity, so that the 256 probabilities sum to 1 whatever $\mu$ and $s_1$ are.
# The cell also integrates one bin by brute force.

# %%
levels = torch.linspace(-1, 1, 256, dtype=f64)
for centre, scale in [(0.1, 0.02), (-0.97, 0.5), (1.4, 0.001), (0.0, 50.0)]:
    log_scale = torch.tensor(scale, dtype=f64).log()
    log_p = dc.elbo.discretized_gaussian_log_likelihood(levels, zero + centre, log_scale)
    agree(f"mean {centre:5.2f}, scale {scale:6.3f}: 256 probabilities and 1", log_p.exp().sum(), zero + 1)

inside_bin = torch.linspace(levels[100] - 1 / 255, levels[100] + 1 / 255, 2001, dtype=f64)
brute_force = torch.trapezoid(log_normal(inside_bin, zero - 0.2, zero + 0.02**2).exp(), inside_bin)
log_scale = torch.tensor(0.02, dtype=f64).log()
one_bin = dc.elbo.discretized_gaussian_log_likelihood(levels[100], zero - 0.2, log_scale).exp()
agree("(16) for level 100", one_bin, brute_force, 1e-6)

# %% [markdown]
# **Bits per dimension.** To compare images of different sizes, divide by the number of dimensions $d$ (pixels times channels), and turn nats into bits:
#
# $$\text{bits/dim} = \frac{\text{nats}}{d\,\ln 2}. \tag{17}$$
#
# It is the length, per pixel, of the file that an ideal compressor driven by the model would write. Raw storage takes 8 bits. A uniform model, $p = 1/256$ for each level, scores exactly that:

# %%
pixels = 28 * 28
uniform_nats = torch.tensor(pixels * math.log(256), dtype=f64)
bits = dc.elbo.bits_per_dim(uniform_nats, pixels)
print(f"uniform model: {uniform_nats:.1f} nats per image of {pixels} pixels = {bits:.3f} bits/dim")

# %%
quiz.ask("02-q5")

# %% [markdown]
# ### Score two models on real digits
#
# Neither needs training, since both have an exact denoiser $\hat x_0 = \mathbb E[x_0\mid x_t]$ of the distribution they believe in:
#
# - **ten blobs** believes that images come from ten Gaussians, one per digit, each around the average image of its class;
# - **memory** believes that the only images in the world are the 1,000 training images, each equally likely.
#
# `dc.elbo.vlb_terms` draws one $x_t$ per image and $t$, and returns every term. The decoder is (16) around the denoiser's guess at $t=1$, with $s_1 = \sigma_1$. The bound is scored on 32 training images and on 32 test images.
#
# **Predict, then run.** Which model scores better on the training images? On the test images? And what should the KL terms of *memory* cost on a training image? (How many bits does it take to name one image out of 1,000?)

# %%
from diffusion_course.experiments.data import load

train, test = load("mnist-5k", "train", limit=1000), load("mnist-5k", "test", limit=32)
average = torch.stack([train.images[train.labels == k].mean(0) for k in range(10)])
spread = (train.images - average[train.labels]).square().mean().sqrt()
models = {
    "ten blobs": dc.denoisers.GaussianMixture(average, spread),
    "memory": dc.denoisers.DatasetDenoiser(train.images),
}
cosine = dc.NoiseSchedule.from_betas(dc.schedules.cosine(100))
decoder = dc.elbo.pixel_decoder(scale=cosine.sigma(1).item())

scores, bits, lines = {}, {}, []
for name, D in models.items():
    for split, images in [("training", train.images[:32]), ("test", test.images)]:
        found = dc.elbo.vlb_terms(D, images, cosine, dc.Noise(0, per_sample=False), decoder)
        scores[name, split] = found
        parts = found.prior, found.kl.sum(1), found.decoder, found.total
        row = [dc.elbo.bits_per_dim(part, pixels).mean() for part in parts]
        bits[name, split] = row[1], row[3]
        lines.append((name, split, f"{row[0]:.3f}", *(f"{value:.2f}" for value in row[1:])))
show_table(["model", "images", "L_T", "sum of L_(t-1)", "L_0", "bound"], lines, "bits/dim")

naming = math.log2(1000) / pixels
print(f"naming one of 1,000 images: log2(1000) / {pixels} = {naming:.3f} bits/dim")
blobs = bits["ten blobs", "training"][1], bits["ten blobs", "test"][1]
claim("the blobs need less than the uniform model's 8 bits, on both splits", max(blobs) < 8)
claim("their two bounds differ by less than 0.2 bits/dim", abs(blobs[0] - blobs[1]) < 0.2)
memory = bits["memory", "training"][0], bits["memory", "test"][1]
claim("on training images, memory's KL terms cost what it takes to name one", abs(memory[0] - naming) < 0.005)
claim("on test images, memory needs more than 50 times the 8 bits of raw storage", memory[1] > 400)

# %% [markdown]
# The blobs beat the uniform model, by little, and do not care which split they see. *Memory* is nearly perfect in its guesses of what it has seen: its KL terms only *name* the image. The rest of its bound is $L_0$, the price of the decoder's fixed width, $s_1 = \sigma_1$.
# On new images it is certain, and wrong. A likelihood is worth reporting only on data that the model was not fitted to.
# (For scale: Ho et al. 2020 report at most 3.75 bits/dim on CIFAR-10, Nichol & Dhariwal 2021 2.94, Kingma et al. 2021 2.65.)
#
# **What do they generate?** Your sampler runs with either guess, from the same noise. Before you run: whose samples will look better?

# %%
strips = {name: sample_path(D, cosine, 4, 3, 1, 28, 28) for name, D in models.items()}
shown = [100, 70, 50, 35, 20, 10, 0]
nearest = (strips["memory"][-1].flatten(1)[:, None] - train.images.flatten(1)).abs().amax(2).amin(1)
claim("every sample of memory is one of its training images, pixel by pixel", nearest.max() < 1e-6)
plots.filmstrip(
    torch.cat([states[[100 - t for t in shown]] for states in strips.values()], 1),
    [f"t = {t}" for t in shown],
    rows=[name for name in strips for _ in range(3)],
    title="Your reverse chain with two guesses, from the same noise",
)

# %% [markdown]
# *Memory* makes perfect digits, none of them new, and has the worst score on test images. The blobs make new ones, as noisy as they believe digits to be. Looks alone do not tell how good a model is; nor does one number.
#
# **Where are the bits spent?** The next figure shows the KL terms of the blobs on test images, step by step.

# %%
per_step = dc.elbo.bits_per_dim(scores["ten blobs", "test"].kl, pixels).mean(0)
claim(
    "the first five of these 99 steps cost more than all others together",
    per_step[:5].sum() > per_step[5:].sum(),
)
plots.curves(
    torch.arange(2, 101),
    {"ten blobs": per_step},
    title="Bits per dimension that each step costs",
    logy=True,
    xlabel="t (100 is pure noise)",
    ylabel="$L_{t-1}$, bits/dim",
)

# %% [markdown]
# The steps at small $t$ cost the most: that is where fine detail is decided, detail that hardly changes what you see. The large shapes, decided at large $t$, cost little.
# Likelihood and looks are different goals; chapter 3 weights the steps differently for that reason.
#
# The slider shows one step at a time: the digit, the noisy $x_t$, the guess $\hat x_0$ of each model, and what the step costs. At large $t$ both guesses are blurred averages.
# In the middle *memory* finds a similar digit and is the cheaper of the two. At small $t$ it insists on that digit, although $x_t$ shows another, and pays.

# %%
digit = test.images[3:4]


def draw_step(t=60):
    sigma = cosine.sigma(t)
    x = digit + sigma * dc.Noise(8).like(digit)
    guesses = [D(x, sigma) for D in models.values()]
    cost = [
        dc.elbo.bits_per_dim(dc.elbo.kl_term(digit, guess, t, cosine), pixels).item() for guess in guesses
    ]
    labels = ["$x_0$", "$x_t$", f"blobs {cost[0]:.3f}", f"memory {cost[1]:.3f}"]
    tiles = torch.cat([digit, dc.gaussian.to_vp(x, sigma), *guesses])
    return plots.images(tiles, titles=labels, title=f"t = {t}: two guesses, and bits/dim")


def cheaper(t):
    """The model whose step costs less on this digit at t."""
    x = digit + cosine.sigma(t) * dc.Noise(8).like(digit)
    costs = {
        name: dc.elbo.kl_term(digit, D(x, cosine.sigma(t)), t, cosine).item() for name, D in models.items()
    }
    return min(costs, key=costs.get)


claim(
    "at t = 40 memory's step is the cheaper one, and at t = 5 the blobs'",
    [cheaper(40), cheaper(5)] == ["memory", "ten blobs"],
)
widgets.slide(
    draw_step,
    t=(2, 100),
    static=[{"t": 5}, {"t": 40}, {"t": 90}],
    description="A digit, its noisy version at t, and two denoisers' guesses with the cost of the step",
)

# %% [markdown]
# ## 9. The bound against the truth
#
# Now the test that no image data set allows: data whose exact likelihood is known. Let $x_0\sim\mathcal N(\mu, s^2I)$ in $d=16$ dimensions. Everything has a closed form.
#
# **The exact negative log-likelihood.** Averaged over the data it is the entropy of the Gaussian:
# $$-\mathbb E\log q(x_0) = \tfrac d2\log(2\pi e\,s^2). \tag{18}$$
#
# **The exact denoiser.** $x = x_0+\sigma\varepsilon$ with two Gaussians: the posterior mean shrinks $x$ towards $\mu$, $D(x,\sigma) = \mu + \frac{s^2}{s^2+\sigma^2}(x-\mu)$, and the posterior variance is $\frac{s^2\sigma^2}{s^2+\sigma^2}$ in each dimension (complete the square, as in {{section The posterior of one step}}).
# `GaussianMixture` with one component is this denoiser. Its mean squared error, the smallest possible (*minimum mean squared error*), is
# $$\text{mmse}(\text{SNR}) = d\,\frac{s^2\sigma^2}{s^2+\sigma^2} = \frac{d\,s^2}{1+s^2\,\text{SNR}}. \tag{19}$$
#
# **The decoder.** The data are continuous, so no bins. The exact $q(x_0\mid x_1)$ is the Gaussian just named: $p(x_0\mid x_1) = \mathcal N\big(D(x_1),\ v_1I\big)$, $v_1 = \frac{s^2\sigma_1^2}{s^2+\sigma_1^2}$.
#
# **The schedule.** To make $T$ grow, keep the ends fixed, $\sigma_1=0.1$ and $\sigma_T=20$, and space the $\sigma_t$ evenly in $\log\sigma$ between them. Every $\beta_t = 1-\bar\alpha_t/\bar\alpha_{t-1}$ is then in $(0,1)$ for every $T$, since $\bar\alpha_t = 1/(1+\sigma_t^2)$ decreases.

# %%
d, s = 16, 0.5
mu = torch.linspace(-0.5, 0.5, d, dtype=f64)
D = dc.denoisers.GaussianMixture(mu[None], s)


def schedule_of(T, sigma_1=0.1, sigma_T=20.0):
    """sigma_1..sigma_T evenly spaced in log sigma, as a NoiseSchedule."""
    sigmas = dc.schedules.loglinear(T, sigma_1, sigma_T)[:-1].flip(0)
    alpha_bar = 1 / (1 + sigmas**2)
    return dc.NoiseSchedule.from_betas(1 - alpha_bar / torch.cat([torch.ones(1, dtype=f64), alpha_bar[:-1]]))


def mmse(snr):
    return d * s**2 / (1 + s**2 * snr)


exact = torch.tensor(d / 2 * math.log(2 * math.pi * math.e * s**2), dtype=f64)
x0 = D.sample(4000, dc.Noise(9, per_sample=False))[0]
nll = -D.log_density(x0)  # of each sample
x, sigma = x0 + 0.7 * dc.Noise(10, per_sample=False).like(x0), torch.tensor(0.7, dtype=f64)
agree("D shrinks towards mu", D(x, sigma), mu + s**2 / (s**2 + sigma**2) * (x - mu))
print(f"exact NLL          {exact:8.3f} nats;  4,000 samples: {with_error(nll)}")
squared = (D(x, sigma) - x0).square().sum(1)
print(f"mmse at sigma = 0.7{mmse(1 / sigma**2):8.3f};       4,000 samples: {with_error(squared)}")

# %% [markdown]
# ### Term by term
#
# The closed forms use your functions. The Monte Carlo column comes from the library (`dc.elbo.vlb_terms` draws $x_t$ and calls $D$; it shares only its name with your `vlb_terms`).
# $L_T$ is the mean of your `normal_kl` over the data (a quadratic in $x_0$: the two points $\mu\pm s$ per dimension are exact). The $L_{t-1}$ come from your `vlb_terms` with the mmse (19).
# For $L_0$, the squared error in $-\log\mathcal N(x_0;D(x_1),v_1I)$ averages to $d\,v_1$, so $L_0 = \frac d2\log(2\pi e\,v_1)$.


# %%
def bound_terms(schedule):
    """Expected L_T, (L_1..L_{T-1}), L_0 of the exact denoiser, in nats."""
    a_T, sigma_1 = schedule.alpha_bar[-1], schedule.sigmas[0]
    two = mu + s * exact_points(1)  # (2, d): mu + s and mu - s
    prior = normal_kl(a_T.sqrt() * two, schedule.one_minus_alpha_bar[-1].log(), zero, zero).mean(0).sum()
    v_1 = s**2 * sigma_1**2 / (s**2 + sigma_1**2)
    return (
        prior,
        vlb_terms(mmse(schedule.snr), schedule.alpha_bar),
        d / 2 * (2 * math.pi * math.e * v_1).log(),
    )


schedule = schedule_of(100)
prior, kl, last = bound_terms(schedule)
v_1 = s**2 * schedule.sigmas[0] ** 2 / (s**2 + schedule.sigmas[0] ** 2)
sampled = dc.elbo.vlb_terms(D, x0, schedule, dc.Noise(11, per_sample=False), dc.elbo.gaussian_decoder(v_1))

lines = []
for name, form, draws in [
    ("L_T", prior, sampled.prior),
    ("sum of L_(t-1)", kl.sum(), sampled.kl.sum(1)),
    ("L_0", last, sampled.decoder),
    ("bound", prior + kl.sum() + last, sampled.total),
]:
    apart = (draws.mean() - form) / (draws.std() / math.sqrt(len(draws)))
    lines.append((name, f"{form:.3f}", with_error(draws), f"{apart:.1f}"))
paired = sampled.total - nll  # of the same sample: the noise that both share cancels
lines.append(("bound minus exact", f"{prior + kl.sum() + last - exact:.3f}", with_error(paired), ""))
show_table(["T = 100", "closed form", "Monte Carlo (4,000 samples)", "apart, in standard errors"], lines)

# %% [markdown]
# The last column should stay within ±3. $L_0$ is negative, and nothing is wrong with that: given $x_1$, the data lie in a region of size 0.1, where their density is far above 1. The last line is the number this section is about: how far the bound lies above the truth. Where does it come from?
#
# ### As one integral
#
# By (15) and (19), $\sum_t L_{t-1} = \sum_{t=2}^T\frac12\big(\text{SNR}(t-1)-\text{SNR}(t)\big)\,\text{mmse}(\text{SNR}(t))$. That is a Riemann sum. With more and finer steps it becomes
#
# $$
# \frac12\int_{\text{SNR}(T)}^{\text{SNR}(1)}\text{mmse}(\text{SNR})\,d\,\text{SNR}
# = \frac d2\int\frac{s^2\,d\,\text{SNR}}{1+s^2\,\text{SNR}}
# = \frac d2\log\frac{1+s^2\,\text{SNR}(1)}{1+s^2\,\text{SNR}(T)} .\tag{20}
# $$
#
# The schedule between the two ends has disappeared (Kingma et al. 2021). This is also a classic of information theory: the mutual information of $x_0$ and its noisy version grows with the SNR at the rate $\frac12\text{mmse}$ (Guo, Shamai & Verdú 2005).

# %%
snr_1, snr_T = schedule.snr[0], schedule.snr[-1]
integral = d / 2 * ((1 + s**2 * snr_1) / (1 + s**2 * snr_T)).log()
snr = torch.linspace(snr_T.log(), snr_1.log(), 100_001, dtype=f64).exp()
agree("(20): numerical and closed form", 0.5 * torch.trapezoid(mmse(snr), snr), integral, 1e-6)

values = {"exact NLL": exact, "bound with the integral": prior + integral + last}
values |= {
    f"bound, T = {T}": sum(part.sum() for part in bound_terms(schedule_of(T))) for T in (10, 100, 1000)
}
show_table(
    ["", "nats", "bits/dim"],
    [(name, f"{nats:.3f}", f"{dc.elbo.bits_per_dim(nats, d):.4f}") for name, nats in values.items()],
)

# %% [markdown]
# The bound comes down to the integral, and the integral comes down almost to the truth. (These are bits of a *density*. They can be negative, and compare only with other densities of the same data in the same units; for probabilities of pixels use (16).)
#
# The slider shows why the sum is always the larger: the mmse falls as the SNR grows, and each rectangle has the height of its *left* end, the noisier $x_t$ from which the model must guess. Half the area under the curve is the integral (20); half the white area inside the rectangles, above the curve, is what the discrete steps waste.


# %%
def staircase(T=8):
    schedule = schedule_of(T)
    snr, x = schedule.snr, torch.linspace(0.01, 101, 400, dtype=f64)
    waste = vlb_terms(mmse(snr), schedule.alpha_bar).sum() - integral
    figure = plots.curves(
        x,
        {"mmse(SNR)": mmse(x)},
        title=f"T = {T}: the sum exceeds the integral by {waste:.2f} nats",
        xlabel="SNR (right: little noise)",
        ylabel="squared error of the best guess",
    )
    axes = figure.axes[0]
    axes.fill_between(x, mmse(x), color=plots.COLOURS[5], alpha=0.4, linewidth=0)
    axes.bar(snr[1:], mmse(snr[1:]), snr[:-1] - snr[1:], align="edge", fill=False, edgecolor=plots.COLOURS[1])
    return figure


widgets.slide(
    staircase,
    T=(3, 60),
    static=[{"T": 4}, {"T": 8}, {"T": 16}, {"T": 40}],
    description="The KL terms as rectangles over the curve of the smallest squared error",
)

# %% [markdown]
# ### What the gap consists of
#
# Write the bound as a KL of two joint densities. Multiply and divide by $q(x_0)$ inside the logarithm, and factor both joints from $x_T$ downwards. For $q$ that takes an argument:
# $q(x_{0:T}) = q(x_T)\prod_t q(x_{t-1}\mid x_t, x_{t+1},\dots,x_T)$ always holds, and the later states may be left out of the condition. They are made from $x_t$ and from noise that is
# independent of all before it, so $q(x_{t+1:T}\mid x_t, x_{t-1}) = q(x_{t+1:T}\mid x_t)$, and in Bayes' rule for $x_{t-1}$ this factor cancels: a Markov chain is one in both directions.
#
# $$
# \begin{aligned}
# L_\text{VLB} + \mathbb E\log q(x_0) &= \mathbb E_q\left[\log\frac{q(x_{0:T})}{p_\theta(x_{0:T})}\right]\\
# &= \underbrace{\text{KL}\big(q(x_T)\,\|\,p(x_T)\big)}_{\text{prior mismatch}} + \underbrace{\sum_{t=2}^T\mathbb E\,\text{KL}\big(q(x_{t-1}\mid x_t)\,\|\,p_\theta(x_{t-1}\mid x_t)\big)}_{\text{time discretisation (and an imperfect denoiser)}} + \underbrace{\mathbb E\,\text{KL}\big(q(x_0\mid x_1)\,\|\,p_\theta(x_0\mid x_1)\big)}_{\text{decoder}} .
# \end{aligned}
# \tag{21}
# $$
#
# Compare with (12): there $q$ knows $x_0$, here it does not. The three parts, for our data:
#
# - **Prior mismatch.** $q(x_T) = \mathcal N\big(\sqrt{\bar\alpha_T}\mu,\ (\bar\alpha_Ts^2+1-\bar\alpha_T)I\big)$ against $\mathcal N(0,I)$. (Not $L_T$: that has $q(x_T\mid x_0)$ and also holds the information about $x_0$ that survives to $x_T$.)
# - **Time discretisation.** The true step back $q(x_{t-1}\mid x_t)$ has the mean of (13), but a larger variance. By the law of total variance, $\operatorname{Var}[x_{t-1}\mid x_t] = \mathbb E\big[\operatorname{Var}[x_{t-1}\mid x_t,x_0]\big] + \operatorname{Var}\big[\mathbb E[x_{t-1}\mid x_t,x_0]\big]$ (all given $x_t$), it is $\tilde\beta_t + w_0^2\,\frac{s^2}{1+s^2\text{SNR}(t)}$: with $w_0$ the weight of $x_0$ in (11), and by (19) the variance that $x_0$ still has when $x_t$ is known. Lines 1 and 6 of (15) say $w_0^2/\tilde\beta_t = \text{SNR}(t-1)-\text{SNR}(t)$. So the true variance divided by $\tilde\beta_t$ is $r_t = 1 + \frac{s^2(\text{SNR}(t-1)-\text{SNR}(t))}{1+s^2\text{SNR}(t)} = \frac{1+s^2\text{SNR}(t-1)}{1+s^2\text{SNR}(t)}$, and (2) gives $\frac d2(r_t-1-\log r_t)$ per step. The sum of all $\frac d2(r_t - 1)$ is the staircase, the sum of all $\frac d2\log r_t$ is the integral (20).
# - **Decoder.** Zero, since ours is the exact $q(x_0\mid x_1)$.


# %%
def gap_parts(schedule):
    """Prior mismatch and time discretisation, each a KL, in nats."""
    a_T = schedule.alpha_bar[-1]
    prior = normal_kl(
        a_T.sqrt() * mu, (a_T * s**2 + schedule.one_minus_alpha_bar[-1]).log(), zero, zero
    ).sum()
    beta, a_prev = schedule.betas[1:], schedule.alpha_bar_prev[1:]
    w_0 = a_prev.sqrt() * beta / schedule.one_minus_alpha_bar[1:]
    small = schedule.posterior_variance[1:]  # the model's variance, t = 2..T
    true = small + w_0**2 * s**2 / (1 + s**2 * schedule.snr[1:])
    return prior, d * normal_kl(zero, true.log(), zero, small.log()).sum()


schedule = schedule_of(100)
mismatch, discretisation = gap_parts(schedule)
prior, kl, last = bound_terms(schedule)
r = (1 + s**2 * schedule.snr[:-1]) / (1 + s**2 * schedule.snr[1:])
agree("discretisation = sum of d/2 (r - 1 - log r)", d / 2 * (r - 1 - r.log()).sum(), discretisation, 1e-10)
agree("discretisation = sum - integral", kl.sum() - integral, discretisation, 1e-10)
left_in_x_T = d / 2 * (1 + s**2 * snr_T).log()  # the information about x_0 that x_T still holds
agree("prior mismatch = L_T - what is left in x_T", prior - left_in_x_T, mismatch, 1e-10)
gap = prior + kl.sum() + last - exact
agree("bound - exact NLL = mismatch + discretisation", gap, mismatch + discretisation, 1e-10)
print(f"gap at T = 100: {mismatch:.4f} (prior mismatch) + {discretisation:.4f} (discretisation) nats")

# %% [markdown]
# ### How the gap shrinks
#
# For small steps $\log r_t$ is small, and $r-1-\log r\approx\frac12(\log r)^2$. About $T$ steps share a fixed total $\sum_t\log r_t$, so the sum behaves like $1/T$. The figure measures it, in closed form up to $T=2^{18}$.

# %%
steps = 2 ** torch.arange(2, 19)
mismatch, discretisation = torch.tensor([gap_parts(schedule_of(int(T))) for T in steps], dtype=f64).T
total = mismatch + discretisation

fit = steps >= 64
logs = torch.stack([steps[fit].log().double(), torch.ones(int(fit.sum()), dtype=f64)], 1)
slope = torch.linalg.lstsq(logs, discretisation[fit].log()[:, None]).solution[0].item()
print(f"slope of log(discretisation) against log(T), T >= 64: {slope:.2f}")
plots.curves(
    steps,
    {"gap": total, "time discretisation": discretisation, "prior mismatch": mismatch},
    logx=True,
    logy=True,
    title=f"Bound minus exact NLL (slope of the dashed line: {slope:.2f})",
    xlabel="number of steps T",
    ylabel="nats",
)

# %% [markdown]
# The discretisation falls like $1/T$: ten times the steps, a tenth of the gap. The gap follows it until it meets the prior mismatch, which no number of steps removes; a larger $\sigma_T$ does:

# %%
for sigma_T in (20.0, 200.0, 2000.0):
    mismatch_there, _ = gap_parts(schedule_of(100, sigma_T=sigma_T))
    print(f"sigma_T = {sigma_T:6.0f}: prior mismatch {mismatch_there:.1e} nats")

wrong = dc.elbo.gaussian_decoder(schedule.sigmas[0] ** 2)  # variance sigma_1^2 in place of v_1
extra = dc.elbo.vlb_terms(D, x0, schedule, dc.Noise(11, per_sample=False), wrong).decoder - sampled.decoder
theory = d * normal_kl(zero, v_1.log(), zero, schedule.sigmas[0].log() * 2)
print(f"a decoder that is not exact: {theory:.3f} nats in theory, {with_error(extra)} measured")

# %% [markdown]
# The ends of the schedule stood still here. Textbook schedules start closer to the data as $T$ grows, and then the gap does not vanish: near the data $\sigma_t^2\propto t$, so the ratio $r_t\approx t/(t-1)$ of neighbours stays as it is, 2 at $t=2$, however large $T$. Likelihood-minded papers therefore fix
# both ends of the SNR (Kingma et al. 2021).

# %%
moved = {}
for T in (2**9, 2**13, 2**17):
    moving = dc.NoiseSchedule.from_betas(
        dc.schedules.linear(T, 0.1 / T, 20 / T)
    )  # the linear one, its ends times 1000 / T
    moved[T] = sum(gap_parts(moving))
    print(
        f"T = {T:6}: gap {moved[T]:.3f} with moving ends, {sum(gap_parts(schedule_of(T))):.3f} with fixed ones"
    )
claim(
    "16 times the steps take less than a tenth off the gap with moving ends",
    moved[2**17] > 0.9 * moved[2**13],
)

# %% [markdown]
# ### One more way to close the gap
#
# The discretisation part is a KL between two Gaussians with *equal means*: the model's only fault is its variance. With the true variance in place of $\tilde\beta_t$, the gap of Gaussian data is the prior mismatch alone, at every $T$. For $T=2$:

# %%
mismatch, discretisation = gap_parts(schedule_of(2))
print(
    f"gap with beta-tilde {mismatch + discretisation:.1f} nats, with the true variances {mismatch:.4f} nats"
)

# %% [markdown]
# For real data the best variance is not known, but it can be learned (Nichol & Dhariwal 2021) or computed from a trained network (Bao et al. 2022).
#
# ## In short
#
# $L_\text{VLB}$ is a KL between two chains, one that knows the data and one that does not. It splits into one term per step because of Bayes and Markov. Each term is a squared error times a drop of the SNR, so training a diffusion model is regression, and scoring it is integration.
# What separates the score from the exact likelihood has names: the denoiser's error, the steps, the prior, the decoder. Chapter 3 turns the squared error into a loss on the noise, and trains a network with it.
#
# ## Common slips
#
# - **What stands in front of the product.** The reverse chain starts at $p(x_T)$, as in (5), not at $p(x_0)$: that is the density it is meant to define.
# - **Upper or lower.** $L_\text{VLB}$ is an *upper* bound of the negative log-likelihood, and $-L_\text{VLB}$ a *lower* bound of the log-likelihood. The letters VLB serve both.
# - **Whose term is it?** Step $t=2..T$ owns $L_{t-1}$, step 1 owns $L_0$, and $L_T$ has nothing to optimise. In code with 0-based tables, `alpha_bar[t - 2]` at $t=1$ reads the *last* entry without an error; $\bar\alpha_0 = 1$ belongs there.
# - **A clip in the decoder.** Public code clips pixel probabilities at $10^{-12}$, so that no pixel costs more than 40 bits and a bad model looks better than it is. The function used here works with exact logarithms.
#
# ## References
#
# - J. Sohl-Dickstein, E. Weiss, N. Maheswaranathan, S. Ganguli (2015). [*Deep unsupervised learning using nonequilibrium thermodynamics.*](https://arxiv.org/abs/1503.03585) The bound and its decomposition.
# - J. Ho, A. Jain, P. Abbeel (2020). [*Denoising diffusion probabilistic models.*](https://arxiv.org/abs/2006.11239) Eqs. 1–8 and 13, appendix A; section 4.3 on rate and distortion.
# - D. Kingma, T. Salimans, B. Poole, J. Ho (2021). [*Variational diffusion models.*](https://arxiv.org/abs/2107.00630) The SNR form, eq. 13, and its continuous-time limit.
# - A. Nichol, P. Dhariwal (2021). [*Improved denoising diffusion probabilistic models.*](https://arxiv.org/abs/2102.09672) Likelihoods, learned variances.
# - D. Guo, S. Shamai, S. Verdú (2005). [*Mutual information and minimum mean-square error in Gaussian channels.*](https://arxiv.org/abs/cs/0412108) The rate $\frac12$ mmse.
# - F. Bao, C. Li, J. Zhu, B. Zhang (2022). [*Analytic-DPM.*](https://arxiv.org/abs/2201.06503) The optimal reverse variance.
# - [Yandex ML handbook, chapter 8.5](https://education.yandex.ru/handbook/ml/article/diffuzionnye-modeli) (in Russian). The derivations that this chapter follows.

# %%
check_all()
