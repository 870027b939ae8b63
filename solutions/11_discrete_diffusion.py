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
# # 11. Discrete diffusion
#
# Letters, notes and amino acids are not numbers to which noise can be added. Diffusion needs no Gaussian, though: it needs a way to forget
# that is known, and a network that learns the way back. In this chapter a token is forgotten by a coin: it is replaced by a mask. You
# derive the bound of this process, and check it on sequences of which everything is known. You write the loss, the step and the sampler, train
# a small model that writes letters, draw digits a pixel a token, and find out what it costs to write several tokens at once. The older
# and wider family, D3PM, comes last, and masking turns out to be one of its members.
#
# **You learn**
#
# - masked diffusion from a coin for each token, and its bound with the weight $1/t$, line by line;
# - why the loss without the weight, and the means over masked tokens, are no bounds, measured;
# - how it is related to masked language models and to autoregression in any order;
# - the reverse step, the sampler, and infilling, which needs no code of its own;
# - what parallel steps cost, and how to choose the tokens that are drawn together;
# - which orders of decoding draw from the model, and which one loses variety;
# - transition matrices, the posterior and the parametrisation of D3PM, and the limit of continuous time.
#
# **You need** the bound of chapter 2, which is built here again for tokens. Nothing else: no Gaussian occurs.
#
# **Time**: {{reading}} of reading, and {{minutes}} for {{exercises}}. The cells run in about a minute on 2 CPU cores. With
# a GPU they are faster (not measured).

# %% [markdown]
# ## Notation
#
# {{notation x0 L K mask_state t_real alpha_real q p_theta beta Q_t}}
#
# **A clash of symbols.** The papers on masked diffusion write $\alpha_t$ for the chance that a token is visible. In this course $\alpha_t$ is what
# one step keeps, so the chance is $\alpha(t)$ here, a function of a real time. In {{section D3PM}} the time is a whole number again.
# Letters that are not in the table are explained where they come up: $s < t$ is an earlier time, $c_i$ a token's coin (`u` in code), $T$ a number of steps.
# All numbers are nats, unless they are said to be bits.

# %%
import math
from collections import Counter
from itertools import combinations, pairwise

import torch

import diffusion_course as dc
from diffusion_course import discrete, markov_chain, masked, sampler_laws, transitions, unmasking
from diffusion_course.classroom import check, check_all
from diffusion_course.experiments import prose, tokens, zoo
from diffusion_course.experiments.metrics import count_recognised, wilson
from diffusion_course.nets.token_transformer import TokenTransformer
from diffusion_course.notebook import plots, quiz, setup, widgets
from diffusion_course.notebook.claims import agree, claim
from diffusion_course.notebook.tables import show_table

course = setup()
f64 = torch.float64
one = dc.Noise(0, per_sample=False)

# %% [markdown]
# ## 1. A coin for each token
#
# A sample is a row of $L$ tokens $x_0 = (x_0^1, \dots, x_0^L)$, each one of $K$ values, $0, \dots, K - 1$. The value $K$ is the **mask**
# $\mathsf m$: "hidden". Every token gets a coin $c_i$ of its own, uniform in $[0, 1)$. At time $t$ it is
#
# $$x_t^i = \begin{cases} x_0^i & \text{if } c_i < \alpha(t) \quad \text{(visible)} \\ \mathsf m & \text{otherwise (hidden)} \end{cases} \qquad \text{(Sahoo et al. 2024, section 3)}$$
#
# where $\alpha(t)$ falls from 1 at $t = 0$ to 0 at $t = 1$. So a token is visible with the chance $\alpha(t)$. We take $\alpha(t) = 1 - t$:
# a share $t$ is hidden at $t$. The coins do not look at the tokens, and a coin is thrown for each token by itself. With one set of coins for all times a
# token that is hidden stays hidden, as in a chain.
#
# The cell hides a picture and a sentence. The pictures are MNIST digits of 14 x 14 pixels in 8 grey levels, a pixel a token. The sentences are the
# course's own prose, a letter a token.

# %%
GREYS, SIDE = 8, 14
LETTERS = len(prose.VOCABULARY)
digits = tokens.load("mnist-5k", "test", (SIDE, SIDE), GREYS)
some = digits.images[::100][:6]
sentence = prose.encode("every token is hidden or shown by a coin of its own.")[None]
coins = [torch.rand(x.shape, generator=torch.Generator().manual_seed(1), dtype=f64) for x in (some, sentence)]


def coloured(levels):
    """Grey levels (N, H, W) as pictures (N, 3, H, W), in which a hidden pixel is blue."""
    grey = tokens.pictures(levels, GREYS).expand(-1, 3, -1, -1)
    blue = torch.tensor([-0.7, -0.1, 0.9])[:, None, None]
    return torch.where((levels == GREYS)[:, None], blue, grey)


def losing(t=0.5):
    seen = [
        masked.hide(x, t, u, k) for x, u, k in zip((some, sentence), coins, (GREYS, LETTERS), strict=True)
    ]
    return plots.images(coloured(seen[0]), title=prose.decode(seen[1])[0])


widgets.slide(
    losing,
    description="Six digits, whose hidden pixels are blue, and a sentence, whose hidden letters are lines, at the time t",
    t=(0.0, 1.0, 0.05),
    static=[{"t": 0.2}, {"t": 0.5}, {"t": 0.8}],
)

# %% [markdown]
# Up to which $t$ can you read the digits, and up to which the sentence? To guess the hidden tokens from the visible ones is all that the network will have to do.

# %%
x0 = prose.windows("test", 64)
u = torch.rand(x0.shape, generator=torch.Generator().manual_seed(2), dtype=f64)
for t in (0.1, 0.5, 0.9):
    share = (masked.hide(x0, t, u, LETTERS) == LETTERS).double().mean()
    error = (t * (1 - t) / x0.numel()) ** 0.5
    print(
        f"t = {t}: a share of {share:.2f} is hidden; t within 4 standard errors: {bool((share - t).abs() < 4 * error)}"
    )

# %% [markdown]
# ### What the process knows on its way back
#
# Take an earlier time $s < t$. A token that is visible at $t$ was visible at $s$. Of one that is hidden at $t$ we ask: was it visible at $s$? Its
# coin lies in $[\alpha(t), 1)$, and for "visible at $s$" it must lie below $\alpha(s)$:
#
# $$q(x_s^i = x_0^i \mid x_t^i = \mathsf m, x_0) = \frac{\alpha(s) - \alpha(t)}{1 - \alpha(t)}, \qquad q(x_s^i = \mathsf m \mid x_t^i = \mathsf m, x_0) = \frac{1 - \alpha(s)}{1 - \alpha(t)} \qquad \text{(Sahoo et al. 2024, section 3)}$$
#
# With $\alpha(t) = 1 - t$ these are $(t - s)/t$ and $s/t$. This is the posterior of chapter 2, for tokens.

# %%
t, s = 0.8, 0.5
u = torch.rand(400_000, generator=torch.Generator().manual_seed(3), dtype=f64)
was_visible = (u[u >= 1 - t] < 1 - s).double().mean()
error = ((t - s) / t * s / t / (t * len(u))) ** 0.5
print(
    "of the tokens hidden at 0.8, a share (t - s)/t was visible at 0.5, within 4 standard errors:",
    bool((was_visible - (t - s) / t).abs() < 4 * error),
)

# %%
quiz.ask("11-q1")

# %% [markdown]
# ## 2. The bound, and its weight
#
# The model goes back in the same way, with a guess in the place of $x_0$: a network sees $x_t$ and gives for every token a law
# $p_\theta(x_0^i = k \mid x_t)$ over the $K$ values. The mask is not among them. A visible token is known, and nothing is guessed of it. A
# hidden token is shown with the chance $(\alpha(s) - \alpha(t))/(1 - \alpha(t))$, as a draw from the network's law.
#
# Follow chapter 2: the bound on $-\log p_\theta(x_0)$ is the sum over the steps of $\mathrm{KL}(q(x_s \mid x_t, x_0) \,\|\, p_\theta(x_s \mid x_t))$, in the mean over $x_t$. There is no term for
# the start, since at $t = 1$ all is hidden, in the data as in the model. The reconstruction term is the step to $s = 0$: there $q$ is sure of $x_0$, and the KL is $-\log p_\theta(x_0 \mid x_t)$. For one step from $t$ to $s$, with $\mathcal M(x_t)$ the set of hidden tokens:
#
# $$\begin{aligned}
# \mathrm{KL} &= \sum_{i=1}^{L} \mathrm{KL}\big(q(x_s^i \mid x_t, x_0) \,\big\|\, p_\theta(x_s^i \mid x_t)\big) && \text{tokens of a step are independent, given } x_t \text{ (and } x_0\text{)} \\
# &= \sum_{i \in \mathcal M(x_t)} \mathrm{KL}\big(q(x_s^i \mid x_t, x_0) \,\big\|\, p_\theta(x_s^i \mid x_t)\big) && \text{visible: both sides are sure, KL} = 0 \\
# &= \sum_{i \in \mathcal M(x_t)} \frac{\alpha(s) - \alpha(t)}{1 - \alpha(t)} \,\log \frac{1}{p_\theta(x_0^i \mid x_t)} && \text{staying hidden has the same chance on both sides: } \log 1 = 0 \\
# \sum_\text{steps} \mathrm{KL} &\to \int_0^1 \frac{-\alpha'(t)}{1 - \alpha(t)} \sum_{i \in \mathcal M(x_t)} -\log p_\theta(x_0^i \mid x_t)\, \mathrm{d}t && s \to t \text{: the difference becomes } -\alpha'(t)\,\mathrm{d}t \\
# &= \int_0^1 \frac1t \sum_{i \in \mathcal M(x_t)} -\log p_\theta(x_0^i \mid x_t)\, \mathrm{d}t && \alpha(t) = 1 - t
# \end{aligned}$$
#
# Take the mean over the coins, and over a $t$ that is drawn uniformly, in place of the integral:
#
# $$-\log p_\theta(x_0) \;\le\; \mathbb{E}_{t,\,c}\Big[\frac1t \sum_{i \in \mathcal M(x_t)} -\log p_\theta(x_0^i \mid x_t)\Big] \tag{1}$$
#
# (Sahoo et al. 2024, section 3; Shi et al. 2024; Austin et al. 2021, section 3). That is the whole loss: hide, guess, add up the cross-entropies of what was hidden, weigh
# with $1/t$. The network is not told $t$: the coins do not look at the tokens, so what the visible tokens say of a hidden one is the same at every $t$ (Ou et al. 2025).
#
# ### Exercise {{11-masked_loss}}
#
# Write what stands in the brackets of (1), for a batch. Every sample has its own time `t` and every token its own coin `u` ($c_i$ above): the token is visible
# where `u` is below $1 - t$, and becomes the mask `K` elsewhere. The model is called once, with $x_t$, and returns logits. Return one number for each sample, in nats.
#
# *Hint.* `t` has the shape `(B,)` and the tokens `(B, *S)`, letters `(B, L)` or pictures `(B, H, W)`: give `t` the shape `(B, 1, ..., 1)` before they meet. `log_softmax(-1)`
# makes logarithms of probabilities, and `.gather` takes the entry of $x_0$.


# %%
# EXERCISE 11-masked_loss (keep this line)
def masked_loss(model, x0, t, u, K):
    """The weighted cross-entropy of the hidden tokens (Sahoo et al. 2024, section 3), for alpha(t) = 1 - t.

    model: called once, as model(x_t) with tokens (B, *S), returns logits (B, *S, K). x0: (B, *S), int64, in 0..K-1.
    t: (B,), in (0, 1]. u: (B, *S), coins in [0, 1). K: the number of values, and the mask. Returns (B,), the dtype of the logits, which t and u have, too.
    """
    ### BEGIN SOLUTION
    alpha = 1 - t.reshape(-1, *[1] * (x0.ndim - 1))
    x_t = torch.where(u < alpha, x0, K)
    log_p = model(x_t).log_softmax(-1).gather(-1, x0.unsqueeze(-1)).squeeze(-1)
    return torch.where(x_t == K, -log_p, 0).flatten(1).sum(1) / t
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("11-masked_loss", masked_loss)

# %% [markdown]
# ### Where everything is known
#
# Is (1) a bound, and how good is it? Take sequences of which everything can be computed: a Markov chain of 3 states and length 8. Each token tends to be what its left
# neighbour is. There are $3^8 = 6561$ sequences, so the probability of each is known, and so is the law of any token given any others: the
# **exact network** is a formula (`chain.logits`). The least that any model can reach is the **entropy** of the sequences, the mean of $-\log p(x_0)$.
#
# The mean of (1) over all coins can be taken exactly, too. Group by the number $n$ of hidden tokens. With $t$ uniform, and $h_n$ for
# the mean of $\sum_{i \in \mathcal M} -\log p(x_0^i \mid x_t)$ when $n$ tokens are hidden, whichever they are:
#
# $$\begin{aligned}
# \mathbb{E}\Big[\frac1t \sum_{\mathcal M} -\log p\Big] &= \sum_{n=1}^{L} h_n \int_0^1 \frac1t \binom Ln t^n (1-t)^{L-n}\,\mathrm{d}t && \text{each token is hidden with the chance } t \\
# &= \sum_{n=1}^{L} \frac{h_n}{n} && \text{a Beta integral: } \binom Ln\, \mathrm B(n, L - n + 1) = \tfrac1n
# \end{aligned} \tag{2}$$
#
# Without the weight each $n$ is as likely, and the mean is $\sum h_n/(L + 1)$. Two means over masked tokens are in use: over those of each sample, and over those of the whole
# batch (`cross_entropy` with `ignore_index`). Times $L$ they tend to $L \sum h_n/(n(L + 1))$, and to $2 \sum h_n/(L + 1)$, since half of all tokens are hidden.
#
# **Predict, then run.** Four losses of the *exact* network: (1); the same without $1/t$; and the two means over masked tokens, times $L$. One of them equals the
# entropy. Where do the others lie, above it or below?

# %%
chain = markov_chain.EXAMPLE
L, K = chain.length, chain.K
n = torch.arange(1, L + 1, dtype=f64)
beta_integral = (
    torch.lgamma(n) + torch.lgamma(L - n + 1) - torch.lgamma(torch.tensor(L + 1.0, dtype=f64))
).exp()
ways = torch.tensor([math.comb(L, int(k)) for k in n], dtype=f64)
agree("the integral of (2) and 1/n", ways * beta_integral, 1 / n)
h = chain.hidden_entropy  # h_0, ..., h_L, of the exact network
weighted, unweighted = (h[1:] / n).sum(), h.sum() / (L + 1)
mean_of_sample, mean_of_batch = L * (h[1:] / n).sum() / (L + 1), 2 * h.sum() / (L + 1)
agree("the weighted bound and the entropy", weighted, chain.entropy)
show_table(
    ["loss of the exact network", "nats", "less the entropy"],
    [
        (name, f"{float(value):.4f}", f"{float(value) - chain.entropy:+.4f}")
        for name, value in {
            "weight 1/t": weighted,
            "no weight": unweighted,
            "mean over a sample's masked tokens, times L": mean_of_sample,
            "mean over a batch's masked tokens, times L": mean_of_batch,
        }.items()
    ],
    caption=f"The entropy of the chain is {chain.entropy:.4f} nats.",
)
claim(
    "no weight and a sample's mean lie below the entropy, so they bound nothing",
    max(unweighted, mean_of_sample) < chain.entropy - 0.5,
)
claim("a batch's mean lies above it, by more than half a nat", mean_of_batch > chain.entropy + 0.5)

# %% [markdown]
# With the weight, the exact network reaches the entropy to rounding: (1) is a bound *without slack*, unlike the bound of chapter 2 with few steps. Two of the others are below
# the entropy. No model has a *mean* of $-\log p$ below it, so **they are no bounds**: numbers of this kind cannot be compared with perplexities, and "3.20 nats" is not better than 5.68. The
# mean of a sample, times $L$, is always $L/(L+1)$ of (2): one row in $L + 1$ has nothing hidden, and counts 0. That of a batch is another sum, in which early and late times count otherwise. As a loss to *train* with, each of them has the same best network, since every weight above
# 0 asks for the same $p(x_0^i \mid x_t)$. They differ in which $t$ a network that is not perfect cares for.
#
# Your function, on 20,000 sequences, with random times and coins:

# %%
x0 = chain.draw(20_000, one)
generator = torch.Generator().manual_seed(0)
t = 1 - torch.rand(len(x0), generator=generator, dtype=f64)
u = torch.rand(x0.shape, generator=generator, dtype=f64)
mine = masked_loss(chain.logits, x0, t, u, K)
error = mine.std() / len(mine) ** 0.5
claim(
    "the mean of your loss is the entropy, within 4 standard errors",
    (mine.mean() - chain.entropy).abs() < 4 * error,
)
agree("your loss and the library's", mine, masked.loss(chain.logits, x0, t, u, K))

# %%
quiz.ask("11-q2")

# %% [markdown]
# ## 3. Masked language models, and any order
#
# ### BERT is one time of it
#
# A masked language model (Devlin et al. 2019) hides 15 % of the tokens and learns to guess them. That is (1) at the single time $t = 0.15$. Such a network has learned to
# repair a text with few holes. It never saw one that is nearly all holes, which is where sampling begins. Masked diffusion is a masked language model at every
# share from nearly nothing to everything, with the weight that makes a likelihood of it.
#
# ### The next token of a random order
#
# Why does the exact network reach the entropy? Write a sequence in some order $\pi$, a token at a time. By the chain rule, for *every* order,
#
# $$-\log p(x_0) = \sum_{k=1}^{L} -\log p\big(x_0^{\pi(k)} \mid x_0^{\pi(1)}, \dots, x_0^{\pi(k-1)}\big).$$
#
# Take the mean over random orders. When $n$ tokens are still hidden, the next one is any of these, as likely as the others: its mean cost is $h_n/n$. So the sum is $\sum_n h_n / n$, which is (2). **The
# bound of masked diffusion is the loss of an autoregressive model that writes in random order** (Uria et al. 2014; Ou et al. 2025). For the exact network all orders give the same
# sum; a trained network disagrees with itself, and the bound is the mean over orders.
#
# This also gives a second estimate. Draw $n$ uniformly from $1..L$, hide $n$ tokens, and take $L/n$ times their cross-entropy (`masked.any_order_loss`): no weight is above $L$, while $1/t$ has no limit. And a batch of $B$ can
# have its times evenly spread, one in each $B$-th of $(0, 1]$ (`masked.even_times`). The cell compares what a mean over a batch of 64 scatters by.

# %%
model = chain.logits
generator = torch.Generator().manual_seed(4)
scatter = {}
for name in ("independent times", "even times", "a number of tokens"):
    means = []
    for batch in x0[:12_800].split(64):
        u = torch.rand(batch.shape, generator=generator, dtype=f64)
        if name == "a number of tokens":
            count = torch.randint(1, L + 1, (64,), generator=generator)
            loss = masked.any_order_loss(model, batch, count, u, K)
        else:
            r = torch.rand(64, generator=generator, dtype=f64)
            t = 1 - r if name == "independent times" else masked.even_times(64, float(r[0]))
            loss = masked_loss(model, batch, t, u, K)
        means.append(loss.mean())
    means = torch.stack(means)
    scatter[name] = float(means.std())
    inside = bool((means.mean() - chain.entropy).abs() < 4 * means.std() / len(means) ** 0.5)
    print(
        f"{name:20} a batch of 64 scatters by {scatter[name]:.2f} nats; the entropy within 4 standard errors: {inside}"
    )
claim(
    "even times scatter less than independent ones, a number of tokens less, too",
    scatter["independent times"] > max(scatter["even times"], scatter["a number of tokens"]),
)

# %% [markdown]
# ## 4. The way back
#
# Start with masks alone, at $t = 1$, and go to $t = 0$ in steps. Each hidden token has the law of {{section The bound}}, with the network's $p_k = p_\theta(x_0^i = k \mid x_t)$:
#
# $$p_\theta(x_s^i = k \mid x_t) = \frac{t - s}{t}\,p_k, \qquad p_\theta(x_s^i = \mathsf m \mid x_t) = \frac st, \qquad \text{and a visible token stays what it is} \tag{3}$$
#
# (Sahoo et al. 2024, section 3). These $K + 1$ chances add up to 1. Three things follow. The mask is never *guessed*: its chance is that of staying hidden. In the last step, to $s = 0$, no mask is left. And
# since visible tokens stay, a sample can start with some tokens given: **infilling needs no code of its own**.
#
# How does one draw from $K + 1$ chances $w_k$? With the *Gumbel-max trick*: let $g_k = -\ln(-\ln r_k)$ with $r_k$ uniform in $(0, 1)$; then
#
# $$\arg\max_k\,(\ln w_k + g_k) \;\text{ is } k \text{ with the chance } w_k.$$
#
# Then all randomness is in `g`, which is given to your function, and a chance of 0 is a logarithm of minus infinity, which no noise makes up for.

# %%
w = torch.tensor([0.5, 0.3, 0.15, 0.05, 0.0], dtype=f64)
r = torch.rand(200_000, 5, generator=torch.Generator().manual_seed(5), dtype=f64)
drawn = (w.log() - (-r.log()).log()).argmax(-1)
shares = drawn.bincount(minlength=5) / len(drawn)
print(
    "Gumbel-max draws with the chances w, within 4 standard errors:",
    bool(((shares - w).abs() <= 4 * (w * (1 - w) / len(drawn)).sqrt()).all()),
)

# %% [markdown]
# ### Exercise {{11-unmask_step}}
#
# Write the step (3), from $t$ to an earlier $s$. The last axis of `g` has $K + 1$ entries: those of the $K$ values, and the mask's. The new token is the argmax of $\ln p + g$ over all
# of them, where the token is hidden. Use exactly this draw, since the check gives you `g` and compares tokens.
#
# *Hint.* Build the chances as one tensor with $K + 1$ entries on the last axis (`torch.cat`), then take one logarithm. At $s = 0$ the mask's is $-\infty$.


# %%
# EXERCISE 11-unmask_step (keep this line)
def unmask_step(model, x_t, t, s, g, K):
    """x_s of x_t: hidden tokens are shown, or stay hidden, by one draw (Sahoo et al. 2024, section 3), for alpha(t) = 1 - t.

    model: called once, as model(x_t), returns logits (B, *S, K). x_t: (B, *S), int64, in 0..K, where K is the mask.
    t, s: numbers, 1 >= t > s >= 0. g: (B, *S, K + 1), Gumbel noise. Returns (B, *S), int64.
    """
    ### BEGIN SOLUTION
    p = model(x_t).softmax(-1)
    chances = torch.cat([(t - s) / t * p, torch.full_like(p[..., :1], s / t)], -1)
    drawn = (chances.log() + g).argmax(-1)
    return torch.where(x_t == K, drawn, x_t)
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("11-unmask_step", unmask_step)

# %% [markdown]
# ### Exercise {{11-unmask_sample}}
#
# Now the sampler, the loop around the step. The times fall from `times[0]` to 0, and $n + 1$ of them make $n$ steps: step $k$ goes from `times[k]` to `times[k + 1]` with the noise `g[k]`. Return
# all states, `x` first: what is visible in `x` is given and stays. The check compares state by state, and counts how often you ask the model: once a step is enough, and a step that finds no mask may ask nothing.


# %%
# EXERCISE 11-unmask_sample (keep this line)
def unmask_sample(model, x, times, g, K):
    """All states of the sampler, from x at times[0] down to time 0.

    model: as `unmask_step` takes it; called once a step at most. x: (B, *S), int64, the mask K where a token is to be drawn. times: (n + 1,), falling, the last is 0.
    g: (n, B, *S, K + 1), Gumbel noise. Returns (n + 1, B, *S), int64: x first, then the state after each step.
    """
    ### BEGIN SOLUTION
    states, t = [x], times.tolist()
    for k, noise in enumerate(g):
        states.append(unmask_step(model, states[-1], t[k], t[k + 1], noise, K))
    return torch.stack(states)
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("11-unmask_sample", unmask_sample)

# %% [markdown]
# From here on `generate` draws the noise for your sampler, and hands on its last state. First on the chain, with the exact network: 8 steps from masks alone, and then an infilling, with tokens 3 and 5 given.


# %%
@torch.no_grad()
def generate(model, x, values, num_steps, seed=0):
    """The last state of `unmask_sample` from x, by even steps. x: (B, *S), the mask `values` where a token is to be drawn."""
    shape = (num_steps, *x.shape, values + 1)
    r = torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=f64)
    gumbel = -(-r.log()).log()
    times = torch.linspace(1, 0, num_steps + 1, dtype=f64)
    return unmask_sample(model, x, times, gumbel.to(x.device), values)[-1]


made = generate(chain.logits, unmasking.hidden(10_000, L, K=K), K, 8)
law = sampler_laws.parallel_law(chain.logits, K, L, unmasking.even_grid(8))
costs = -chain.log_prob(made)
every = -chain.log_prob(markov_chain.sequences(K, L))
exact = float((law * every).sum())
claim("no mask is left in 10,000 samples", made.max() < K)
claim(
    "the mean of -log p of your samples is that of the sampler's exact law, within 4 standard errors",
    (costs.mean() - exact).abs() < 4 * costs.std() / 100,
)

given = unmasking.hidden(10_000, L, K=K)
given[:, 2], given[:, 4] = 0, 1
filled = generate(chain.logits, given, K, 8, seed=1)
claim("the given tokens stay", (filled[:, [2, 4]] == torch.tensor([0, 1])).all())
wanted = chain.logits(given[:1])[0, 3].exp()
shares = filled[:, 3].bincount(minlength=K) / len(filled)
claim(
    "token 4 follows its exact law, given tokens 3 and 5, within 4 standard errors",
    ((shares - wanted).abs() < 4 * (wanted * (1 - wanted) / len(filled)).sqrt()).all(),
)

# %%
quiz.ask("11-q3")

# %% [markdown]
# ## 5. The price of parallel steps
#
# The network gives the law of each hidden token *alone*. Two tokens that are shown in the same step do not know of each other. "New" and "Los" may both be likely before "York" and "Angeles"; drawn
# together, they give "New Angeles". One token a step has no such trouble, and costs $L$ calls of the network.
#
# With steps of finite length the sum of {{section The bound}} does not become an integral. With the exact network and $T$ even steps it is
#
# $$\sum_{i=1}^{T} \frac1i \sum_{n} \binom Ln \Big(\frac iT\Big)^{n} \Big(1 - \frac iT\Big)^{L-n} h_n \;\ge\; \text{entropy}$$
#
# (`chain.parallel_bound`; the weight $(\alpha(s) - \alpha(t))/(1 - \alpha(t))$ is $1/i$ for the step from $i/T$). What it is above the entropy is the price of parallel decoding. The law of the samples can be had exactly as well,
# by carrying the probabilities of all $4^8$ states through the steps. The KL divergence of the chain's law from that of the samples is at most that price: the bound also pays for knowing *which* tokens were shown when, which nobody sees in a sample.

# %%
rows = []
for T in (1, 2, 4, 8, 16, 64, 256):
    price = chain.parallel_bound(T) - chain.entropy
    row = [T, f"{price:.3f}", f"{T * price:.2f}"]
    if T <= 8:
        law = sampler_laws.parallel_law(chain.logits, K, L, unmasking.even_grid(T))
        row += [f"{sampler_laws.kl(chain.joint, law):.3f}", f"{sampler_laws.entropy(law):.2f}"]
        assert sampler_laws.kl(chain.joint, law) <= price + 1e-9
    rows.append((*row, *[""] * (5 - len(row))))
show_table(
    ["steps T", "price in nats", "T times it", "KL of the samples' law", "its entropy"],
    rows,
    caption=f"T parallel steps of the exact network; the chain's entropy is {chain.entropy:.2f}",
)
prices = [chain.parallel_bound(T) - chain.entropy for T in (64, 128, 256)]
claim(
    "with many steps, twice the steps cost half",
    all(abs(a / b - 2) < 0.1 for a, b in pairwise(prices)),
)

# %% [markdown]
# With one step all tokens are drawn alone, and the price is what they know of each other in all: 2.76 nats of 5.68. It falls as $1/T$. With $T = L = 8$ steps it is *not* 0: by their coins, two tokens are often shown in one step, and none
# in another. Samples of few steps have *more* entropy than the data: they are too independent.
#
# ### Which tokens to draw together?
#
# Let us choose the steps ourselves. A plan shows a fixed set $S_1$ of tokens in step 1, $S_2$ in step 2, and so on. Its price is exact, and needs no bound:
#
# $$\text{price} = \sum_{j} \Big( \sum_{i \in S_j} H(x^i \mid x^{S_1}, \dots, x^{S_{j-1}}) \Big) - H(x) \tag{4}$$
#
# where $H(x^i \mid \dots)$ is the entropy of a token given the tokens that have been shown in earlier steps. It is the KL divergence of the chain's law from that of the plan's samples. `entropy_of(places)` gives the joint entropy of
# tokens of the chain, numbered from 1, and conditional entropies are differences of it.


# %%
def entropy_of(places):
    """The joint entropy of the tokens at these places (1..8) of the chain, in nats; 0 for none."""
    p = chain.joint.reshape((K,) * L)
    others = [i for i in range(L) if i + 1 not in set(places)]
    q = p.sum(others) if others else p
    return float(-torch.xlogy(q, q).sum())


H = entropy_of
print(
    f"token 2 alone: {H([2]):.3f} nats; given token 1: {H([1, 2]) - H([1]):.3f}; given token 8: {H([2, 8]) - H([8]):.3f}"
)
print(
    f"token 2 given tokens 1 and 3: {H([1, 2, 3]) - H([1, 3]):.3f}; given 1, 3, 4, 5, 6, 7 and 8: {H(range(1, 9)) - H([1, 3, 4, 5, 6, 7, 8]):.3f}"
)

# %% [markdown]
# ### Exercise {{11-decoding_plan}}
#
# Which decoding order loses least? Design a plan that decodes the chain's 8 tokens in at most three steps: for each token, in which step it is drawn. An entry is 1, 2 or 3. **The score** is one number, the price (4) in
# nats, and the marks are {{marks 11-decoding_plan}}.
#
# *Hint.* The second line that the cell above prints shows what a Markov chain is: given both neighbours, a token does not depend on the rest. So which tokens may be drawn in the last step for nothing? Odd places, then even ones cost more than 0.5: a good plan uses all three. Or let the machine look: write the price (4) with `entropy_of`, and try all $3^8$ plans.


# %%
# EXERCISE 11-decoding_plan (keep this line)
def decoding_plan(places):
    """For each token of the chain, the step in which it is drawn.

    places: 8, the number of tokens. Returns a list of 8 whole numbers (or a tensor): entry i - 1 is the step of token i.
    """
    ### BEGIN SOLUTION
    # 3 and 7 are far apart; then tokens with something shown on a side; what is left has both neighbours shown, or nearly.
    return [3, 2, 1, 3, 2, 3, 1, 2]
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("11-decoding_plan", decoding_plan)


# %%
def price_of(plan):
    """The price (4) of a plan, in nats."""
    shown, total = [], 0.0
    for step in range(1, max(plan) + 1):
        together = [i + 1 for i, s in enumerate(plan) if s == step]
        total += sum(H([*shown, i]) - H(shown) for i in together)
        shown += together
    return total - H(range(1, L + 1))


plans = {
    "all at once": [1] * 8,
    "left to right, three at a time": [1, 1, 1, 2, 2, 2, 3, 3],
    "odd places, then even ones": [1, 2, 1, 2, 1, 2, 1, 2],
    "every third": [1, 2, 3, 1, 2, 3, 1, 2],
    "yours": [int(step) for step in decoding_plan(L)],
    "four steps, each in the middle of a gap": [1, 4, 3, 4, 2, 4, 3, 4],
}
show_table(
    ["plan", "steps", "price in nats"],
    [(name, str(plan), f"{abs(price_of(plan)):.3f}") for name, plan in plans.items()],
)
claim("odd places, then even ones cost more than 0.5", price_of(plans["odd places, then even ones"]) > 0.5)

# %% [markdown] tags=["solution-only"]
# Two rules make a good plan. Draw together what is far apart, since dependence fades with the distance: 3 and 7 share very little. And draw last, together, what is separated by tokens that are shown: given its neighbours a token depends on nothing
# else, so these cost nothing. With four steps both rules can be kept without any loss, as in the last row: one token, then one in the middle of each gap. $\log_2 8 + 1$ steps are enough for a *Markov chain* of 8 tokens. A text has no such order: its
# words depend on words far away.

# %% [markdown]
# ## 6. Which token first?
#
# Steps that show tokens by coins are what the model was trained for. But nothing forbids choosing *where* to show next. With one token a step, four orders:
#
# - **random**: any hidden token;
# - **left to right**, as a language model writes;
# - **most certain**: the place whose likeliest value is most probable;
# - **most confident** (Chang et al. 2022, and most of the samplers in use): draw a value for *every* hidden place, keep the one whose drawn value is most probable, and hide the others again.
#
# The last two sound alike. The one looks at the laws, the other at the draws.
#
# **Predict, then run.** The network is exact, and one token is shown a step, so that nothing is drawn in parallel. Which of these orders draw from the chain's law? By how many nats does the entropy of the samples differ from 5.68? The cell has the
# laws of three of them exactly, by enumeration. (The first draws its order, and is a mixture of fixed orders.)

# %%
orders = {
    "random": unmasking.random_order,
    "left to right": unmasking.left_to_right,
    "most certain": unmasking.most_certain,
    "most confident": unmasking.most_confident,
}
laws = {"the chain itself": chain.joint}
for name, order in list(orders.items())[1:]:
    laws[name] = sampler_laws.ordered_law(chain.logits, K, L, order, unmasking.even_grid(L))
rows = []
for name, law in laws.items():
    entropy = sampler_laws.entropy(law)
    rows.append((name, f"{entropy:.2f}", f"{abs(chain.entropy - entropy):.2f}", f"{law.max():.3f}"))
show_table(["one token a step", "entropy of the samples", "lost", "chance of the likeliest sequence"], rows)
for name in ("left to right", "most certain"):
    claim(f"{name} draws from the chain's law", (laws[name] - chain.joint).abs().max() < 1e-12)
confident = laws["most confident"]
claim(
    "most confident loses more than 4 of 5.68 nats, and makes one sequence two times in five",
    chain.entropy - sampler_laws.entropy(confident) > 4 and confident.max() > 0.4,
)

# %% [markdown]
# An order that only looks at what is visible, or at nothing, is a choice of $\pi$ in the chain rule of {{section Masked language models}}: each token is drawn from its exact law, and the product is exact. Random order is a mixture of such. An order that
# looks at the *drawn* values is another thing: it draws eight values, and keeps the likeliest. A value of low probability is drawn as often as it should be, then loses against the others, is hidden again and drawn again. That is a rejection
# of what is unlikely, and the price is variety: 4.03 nats of 5.68, with an exact network.
#
# So why is it in use? A trained network is not exact, and its unlikely draws are often its errors. To keep likely draws is like a low temperature, or a guidance scale above 1 (chapter 6): single samples look better, and their variety is smaller. A
# comparison that looks at the quality of single samples alone cannot see the loss.

# %%
quiz.ask("11-q4")

# %% [markdown]
# ## 7. A text
#
# Now a network in place of the formula. `TokenTransformer` reads all tokens at once and gives logits for each; it is told no time. The text is the course's own prose: plain sentences in lower case, written with 38 characters. Every tenth
# paragraph is kept for testing. The cell trains a small network on windows of 48 letters, with your loss.

# %%
# NBVAL_IGNORE_OUTPUT
LENGTH, STEPS, BATCH = 48, course.pick(small=300, large=2000), 64
torch.manual_seed(0)
writer = TokenTransformer(LETTERS, (LENGTH,), width=64, depth=2, heads=4).to(course.device)
optimizer = torch.optim.AdamW(writer.parameters(), lr=4e-3, betas=(0.9, 0.98), weight_decay=0.01)
text, generator = prose.windows("train", LENGTH), torch.Generator().manual_seed(0)
losses = []
for step in range(1, STEPS + 1):
    for group in optimizer.param_groups:  # a short rise, and a long fall
        group["lr"] = 4e-3 * min(1, step / 40) * min(1, 2 * (STEPS + 1 - step) / STEPS)
    batch = text[torch.randint(len(text), (BATCH,), generator=generator)].to(course.device)
    t = masked.even_times(BATCH, float(torch.rand((), generator=generator))).float().to(course.device)
    coin = torch.rand(batch.shape, generator=generator).to(course.device)
    loss = masked_loss(writer, batch, t, coin, LETTERS).mean() / LENGTH
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(writer.parameters(), 1.0)
    optimizer.step()
    losses.append(float(loss.detach()) / math.log(2))
writer = writer.eval().requires_grad_(False)
smooth = torch.tensor(losses).unfold(0, 25, 25).mean(1)
plots.curves(
    25 * torch.arange(1, len(smooth) + 1),
    {"training loss, means of 25 steps": smooth},
    title="A network learns to guess hidden letters",
    xlabel="step",
    ylabel="bits per letter",
)

# %% [markdown]
# How good is that? (1) is a bound on $-\log_2 p$ per letter, so it can be compared with what counting gives on the same test text: each letter by its frequency alone (unigram), and by its frequency after the letter before it (bigram).

# %%
# NBVAL_IGNORE_OUTPUT
test = prose.windows("test", LENGTH)
rows = test[torch.randperm(len(test), generator=torch.Generator().manual_seed(1))[:200]].to(course.device)


def counted(order):
    """Bits per letter of the test rows, by letters' frequencies in the training text: (N,)."""
    train = text[::LENGTH]
    before = {1: torch.zeros_like, 2: lambda x: torch.nn.functional.pad(x[:, :-1], (1, 0), value=LETTERS)}[
        order
    ]
    counts = 1 + (before(train) * LETTERS + train).flatten().bincount(
        minlength=LETTERS * (LETTERS + 1)
    ).reshape(-1, LETTERS)
    log_p = (counts / counts.sum(1, keepdim=True)).log2()
    return -log_p[before(rows.cpu()), rows.cpu()].mean(1).double()


bits = {
    "every letter as likely": torch.full((len(rows),), math.log2(LETTERS), dtype=f64),
    "unigram": counted(1),
    "bigram": counted(2),
    "the network, its bound": masked.bound(writer, rows, LETTERS, dc.Noise(0), 8).cpu().double()
    / LENGTH
    / math.log(2),
}
show_table(
    ["model", "bits per letter", "95 % interval"],
    [(name, f"{b.mean():.2f}", f"± {1.96 * b.std() / len(b) ** 0.5:.2f}") for name, b in bits.items()],
)
gain = bits["unigram"] - bits["the network, its bound"]
claim(
    "the network is better than letters by their frequencies",
    gain.mean() > 1.96 * gain.std() / len(gain) ** 0.5,
)

# %% [markdown]
# Is the network better than the bigram? Its training was short. The course ships a larger one, `prose-masked`, trained for longer on windows of 128 letters. It fills holes anywhere in a text; here it writes between a beginning and an end. The holes are lines.

# %%
# NBVAL_IGNORE_OUTPUT
author = zoo.token_model("prose-masked", course.device)
WIDE = author.shape[0]
pages = prose.windows("test", WIDE)
pages = pages[torch.randperm(len(pages), generator=torch.Generator().manual_seed(1))[:60]].to(course.device)
shipped = masked.bound(author, pages, LETTERS, dc.Noise(0), 8).cpu().double() / WIDE / math.log(2)
half = 1.96 * shipped.std() / len(shipped) ** 0.5
print(f"the bound of prose-masked on test text: {shipped.mean():.2f} ± {half:.2f} bits per letter")
claim(
    "it is below that of the network that you trained, and below the bigram",
    shipped.mean() + half < min(bits["the network, its bound"].mean(), bits["bigram"].mean()),
)
start = unmasking.hidden(3, WIDE, K=LETTERS, device=course.device)
for line in prose.decode(generate(author, start, LETTERS, 64).cpu()):
    print("from masks alone:", line.replace("\n", " / "))
front, back = prose.encode("the network "), prose.encode("the noise.\n")
start[:, : len(front)], start[:, -len(back) :] = front.to(course.device), back.to(course.device)
print("\ninfilling:       ", prose.decode(start[:1].cpu())[0].replace("\n", " / "))
filled = generate(author, start, LETTERS, 64, seed=1)
for line in prose.decode(filled.cpu()):
    print("                 ", line.replace("\n", " / "))
claim(
    "all that was given stays, and no hole is left",
    ((filled == start) | (start == LETTERS)).all() and filled.max() < LETTERS,
)

# %% [markdown]
# ### What the order does to a text
#
# **Predict, then run.** 100 rows from the network that you trained, 48 steps, by four orders. The variety of the samples is measured in two ways: the entropy of their letters' frequencies, and the share of distinct words. The same for real text stands beside. Which order
# has the least?

# %%
# NBVAL_IGNORE_OUTPUT


def variety(x):
    """Bits of the frequencies of letters, and the share of distinct words among words of three letters or more."""
    p = x.flatten().bincount(minlength=LETTERS) / x.numel()
    words = [w for line in prose.decode(x) for w in line.split()[1:-1] if len(w) >= 3]
    return float(-torch.xlogy(p, p).sum() / math.log(2)), len(set(words)) / max(len(words), 1), words


written = {
    name: unmasking.sample(
        unmasking.ordered_step(order),
        writer,
        unmasking.hidden(100, LENGTH, K=LETTERS, device=course.device),
        unmasking.even_grid(LENGTH),
        dc.Noise(0),
    ).cpu()
    for name, order in orders.items()
}
found = {name: variety(x) for name, x in {"real text": rows.cpu()[:100], **written}.items()}
show_table(
    ["order", "bits of letters", "distinct words", "the most frequent words", "a row"],
    [
        (
            name,
            f"{b:.2f}",
            f"{share:.2f}",
            ", ".join(w for w, _ in Counter(words).most_common(3)),
            prose.decode(written.get(name, rows.cpu())[:1])[0].replace("\n", " / "),
        )
        for name, (b, share, words) in found.items()
    ],
)
claim(
    "most confident has the least variety of letters, and of words",
    all(min(found, key=lambda name, k=k: found[name][k]) == "most confident" for k in (0, 1)),
)

# %% [markdown]
# The claim is that of the chain, for letters and words: confidence costs variety. The most frequent words of each order show where it goes. (Distinct
# words alone say little: a network that writes no words at all has as many as it likes. The drop against the other orders of the same network counts.)

# %%
quiz.ask("11-q5")

# %% [markdown]
# ## 8. Digits in eight grey levels
#
# The same network on pictures: 196 tokens of 8 values, and the class as one more input. `mnist-masked` ships with the course. One parallel step shows all pixels by their own laws, given the class.
#
# **Predict, then run.** The same noise, by 1, 4, 16 and 32 steps. What do digits of one step look like?

# %%
# NBVAL_IGNORE_OUTPUT
painter = zoo.token_model("mnist-masked", course.device)
classes = torch.arange(10, device=course.device)
blank = unmasking.hidden(10, SIDE, SIDE, K=GREYS, device=course.device)
drawn = {T: generate(painter.given(classes), blank, GREYS, T).cpu() for T in (1, 2, 4, 8, 16, 32)}
widgets.slide_frames(
    {T: plots.images(coloured(x), title=f"{T} parallel step{'s' * (T > 1)}") for T, x in drawn.items()},
    "steps",
    description="Ten digits, one of each class, by that many parallel steps",
    static=[{"steps": 1}, {"steps": 4}, {"steps": 32}],
)

# %% [markdown]
# One step gives each pixel its own law and no company. Two numbers say what company is worth: the share of ink that has none beside it, and how many digits are read by the judge of the course, a classifier of real digits.

# %%
# NBVAL_IGNORE_OUTPUT
judge = zoo.judge("mnist", course.device)


def recognised(x):
    """How many of ten digits (one of each class) the judge reads as their class, enlarged to 28 x 28."""
    large = torch.nn.functional.interpolate(tokens.pictures(x, GREYS), size=28, mode="bicubic")
    return count_recognised(judge, large.to(course.device), classes)


def alone(x):
    """Of the pixels (N, H, W) with ink, the share that has none to the left, to the right, above or below."""
    ink = (x > 0).double()[:, None]
    cross = torch.tensor([[0.0, 1, 0], [1, 0, 1], [0, 1, 0]], dtype=f64)[None, None]
    beside = torch.nn.functional.conv2d(ink, cross, padding=1)
    return float((ink * (beside == 0)).sum() / ink.sum())


first = torch.stack([(digits.labels == k).nonzero()[0, 0] for k in range(10)])
rows = []
for name, x in {**drawn, "real digits": digits.images[first]}.items():
    low, high = wilson(recognised(x), 10)
    rows.append((name, f"{alone(x):.3f}", recognised(x), f"{low:.2f} to {high:.2f}"))
show_table(
    ["steps", "ink that stands alone", "recognised of 10", "95 % interval"],
    rows,
    caption="Ten digits are few: mind the intervals",
)
claim("more ink stands alone in digits of one step than in those of 32", alone(drawn[1]) > alone(drawn[32]))

# %% [markdown]
# ### Infilling a picture, and orders
#
# The upper half is given. The lower half is drawn four times, without a class: of `painter` itself, in the place of `painter.given(classes)`. (It was trained for both: one picture in ten came without its class.) Nothing in the code is new: the start has some tokens visible.

# %%
# NBVAL_IGNORE_OUTPUT
half = some[[1, 3, 4]].clone()
half[:, SIDE // 2 :] = GREYS
completed = torch.stack(
    [generate(painter, half.to(course.device), GREYS, 16, seed).cpu() for seed in range(4)]
)
columns = torch.stack([some[[1, 3, 4]], half, *completed])
plots.filmstrip(
    torch.stack([coloured(x) for x in columns]),
    ["real", "given", "1", "2", "3", "4"],
    title="Lower halves, drawn to fit the upper ones",
)
claim("what is given stays, in all completions", (completed[:, :, : SIDE // 2] == half[:, : SIDE // 2]).all())
claim(
    "no two completions of a half are equal",
    all((a != b).flatten(1).any(1).all() for i, a in enumerate(completed) for b in completed[:i]),
)

# %% [markdown]
# The four completions of a half differ: they are draws. And the orders of {{section Which token first}}, with 14 steps of 14 pixels each, for ten classes:

# %%
# NBVAL_IGNORE_OUTPUT
by_order = {
    name: list(
        unmasking.states(
            unmasking.ordered_step(order), painter.given(classes), blank, unmasking.even_grid(14), dc.Noise(0)
        )
    )
    for name, order in orders.items()
}
ink = {"real digits": (digits.images[first] > 0).double().mean()}
ink |= {name: (states[-1] > 0).double().mean() for name, states in by_order.items()}
early = {
    name: states[3][states[3] < GREYS] for name, states in by_order.items()
}  # shown in the first 3 steps
print("share of pixels with ink:", ", ".join(f"{name} {share:.2f}" for name, share in ink.items()))
claim("most pixels of real digits are black", ink["real digits"] < 0.5)
claim(
    "of the pixels that confidence shows in its first three steps, more are black than of those in random order",
    (early["most confident"] == 0).double().mean() > (early["random"] == 0).double().mean(),
)
plots.filmstrip(
    torch.stack([coloured(states[-1].cpu()) for states in by_order.values()]).transpose(0, 1),
    [str(k) for k in range(10)],
    title="Four orders, 14 steps",
    rows=list(by_order),
)

# %% [markdown]
# Most pixels are black, and the order of confidence shows more black first than a random one does. The printed shares of ink say how much of it each order leaves, and the figure at which places.
#
# ## 9. D3PM: other ways to forget
#
# Masks are one way to forget a token. Austin et al. 2021 take any Markov chain over the $K$ states, in $T$ steps. Write $x$ as a row vector with a single 1. One step is a matrix, several are their product:
#
# $$q(x_t \mid x_{t-1}) = x_{t-1} Q_t, \qquad q(x_t \mid x_0) = x_0 \bar Q_t, \quad \bar Q_t = Q_1 Q_2 \cdots Q_t \qquad \text{(Austin et al. 2021, section 3)}$$
#
# Rows of $Q_t$ add up to 1. Three chains of their paper:
#
# - **uniform**: with the chance $\beta_t$ draw any state, $Q_t = (1 - \beta_t) I + \beta_t \mathbf 1 \mathbf 1^\top / K$;
# - **absorbing**: with the chance $\beta_t$ go to the mask, and stay there: the chain of this chapter;
# - **discretised Gaussian**: for states with an order, such as grey levels, near states are more likely than far ones, $(Q_t)_{ij} = e^{-4 (i-j)^2/((K-1)^2 \beta_t)} \big/ \sum_{n=1-K}^{K-1} e^{-4 n^2/((K-1)^2 \beta_t)}$ for $i \ne j$, and the diagonal has what is left of 1 (appendix A.2.3 there). Here $\beta_t$ is a squared width.
#
# Each has a **stationary law**, to which $\bar Q_t$ leads whatever $x_0$ was: it is the law that sampling starts from.

# %%
STATES, T = 16, 50
chains = {
    "uniform": transitions.uniform(STATES, discrete.cosine_betas(T)),
    "absorbing": transitions.absorbing(STATES, discrete.absorbing_betas(T), mask=STATES // 2),
    "Gaussian": transitions.gaussian(STATES, dc.schedules.linear(T, 0.02, 0.5)),
}
at = (1, 5, 15, 30, 50)
pictures = torch.stack(
    [torch.stack([2 * process.Q_bar[t - 1].sqrt() - 1 for process in chains.values()]) for t in at]
)
figure = plots.filmstrip(
    pictures[:, :, None],
    [f"t = {t}" for t in at],
    title="Products of transition matrices: row x_0, column x_t",
    rows=list(chains),
)
for name, process in chains.items():
    rows_add_up = bool(((process.Q.sum(-1) - 1).abs() < 1e-12).all() and (process.Q >= 0).all())
    gap = (process.Q_bar[-1] - process.stationary).abs().max()
    print(
        f"{name:9}: rows add up to 1: {rows_add_up}; every row of Q-bar_T is the stationary law to 0.03: {bool(gap < 0.03)}"
    )
figure

# %% [markdown]
# (The pictures show square roots, so that small chances are seen.) The diagonal fades: in the uniform chain into an even grey, in the absorbing one into the white column of the mask, and in the Gaussian one by spreading.
#
# ### The posterior
#
# Bayes' rule gives the step back, given $x_0$. Read $q(x_{t-1} = k \mid x_t, x_0) \propto q(x_t \mid x_{t-1} = k)\, q(x_{t-1} = k \mid x_0)$ as vectors over $k$:
#
# $$q(x_{t-1} \mid x_t, x_0) = \frac{x_t Q_t^\top \odot x_0 \bar Q_{t-1}}{x_0 \bar Q_t x_t^\top} \qquad \text{(Austin et al. 2021, eq. 3)}$$
#
# The first factor is the *column* of $Q_t$ that leads to $x_t$. The second is the *row* of $\bar Q_{t-1}$ that begins at $x_0$. The denominator is one number, $q(x_t \mid x_0)$, and makes them add up to 1. At $t = 1$ the product is empty: $\bar Q_0 = I$.
#
# ### Exercise {{11-d3pm_posterior}}
#
# Write it, for tokens of any shape, from the one-step matrices. The whole batch is at the same $t$, a Python integer in $1..T$, and `Q[t - 1]` is $Q_t$. A pair with $q(x_t \mid x_0) = 0$ cannot be and has no posterior, 0/0: what you return for it is not judged.
#
# *Hint.* A table that is indexed with a tensor of integers gives a row for each: `table[x]` has the shape `(B, *S, K)`. The matrices of different steps differ, and need not commute.


# %%
# EXERCISE 11-d3pm_posterior (keep this line)
def d3pm_posterior(x_t, x0, t, Q):
    """q(x_{t-1} | x_t, x_0) of every token, as chances of the K states (Austin et al. 2021, eq. 3).

    x_t, x0: (B, *S), int64, in 0..K-1. t: a Python integer in 1..T. Q: (T, K, K), Q[t - 1][i, j] = q(x_t = j | x_{t-1} = i).
    Returns (B, *S, K), the dtype of Q.
    """
    ### BEGIN SOLUTION
    before = torch.eye(Q.shape[-1], dtype=Q.dtype, device=Q.device)
    for one_step in Q[: t - 1]:
        before = before @ one_step
    joint = Q[t - 1].T[x_t] * before[x0]
    return joint / joint.sum(-1, keepdim=True)
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("11-d3pm_posterior", d3pm_posterior)

# %% [markdown]
# On the absorbing chain with $\beta_t = 1/(T - t + 1)$ a share $t/T$ is absorbed at $t$, which is {{section A coin}} with $\alpha = 1 - t/T$. The cell checks that its posterior is the one derived there.

# %%
coin_chain = transitions.absorbing(4, discrete.absorbing_betas(10), mask=3)
posterior = d3pm_posterior(torch.tensor([[3, 1]]), torch.tensor([[1, 1]]), 6, coin_chain.Q)
t, s = 6 / 10, 5 / 10
agree(
    "hidden at t: shown and hidden at s",
    posterior[0, 0, [1, 3]],
    torch.tensor([(t - s) / t, s / t], dtype=f64),
)
agree("visible at t: the same at s", posterior[0, 1], torch.tensor([0.0, 1, 0, 0], dtype=f64))

# %% [markdown]
# ### The network guesses $x_0$
#
# As with images, the network does not predict $x_{t-1}$. It gives $\tilde p_\theta(x_0 \mid x_t)$, and the step back is
#
# $$p_\theta(x_{t-1} \mid x_t) \propto \sum_{k} q(x_{t-1}, x_t \mid x_0 = k)\; \tilde p_\theta(x_0 = k \mid x_t) \qquad \text{(Austin et al. 2021, eq. 4)}$$
#
# Mind the joint law in the sum. It is *not* the mixture $\sum_k q(x_{t-1} \mid x_t, x_0 = k)\, \tilde p_k$ of posteriors: since $q(x_{t-1}, x_t \mid x_0) = q(x_{t-1} \mid x_t, x_0)\, q(x_t \mid x_0)$, the weights are $\tilde p_k\, q(x_t \mid x_0 = k)$. For a hidden token of the absorbing chain
# both are the same if the mask is no value of $x_0$, as in the sections before: it is then as likely for every $x_0$. (In the cell the mask is the grey level in the middle, and they differ a little.) For a visible one the mixture has no value, since another $x_0$ has no posterior (0/0), and (eq. 4) gives the token. The cell computes this step from your posterior, and the library's step. Where $q(x_t \mid x_0 = k) = 0$ it puts 0 for the posterior, whose weight is 0.

# %%
logits = dc.Noise(8).randn(5, 3, STATES, dtype=f64)
for name, process in chains.items():
    x_t = process.diffuse(torch.full((5, 3), 2), 20, dc.Noise(9))
    guess = logits.softmax(-1)
    weights = guess * process.likelihood(x_t, 20)  # p_k q(x_t | x_0 = k)
    possible = weights > 0
    parts = [
        d3pm_posterior(x_t, torch.full_like(x_t, k), 20, process.Q).nan_to_num(0.0) for k in range(STATES)
    ]
    joint = sum(
        torch.where(possible[..., k : k + 1], weights[..., k : k + 1] * part, 0)
        for k, part in enumerate(parts)
    )
    agree(
        f"{name}: eq. 4 and the library's step",
        joint / joint.sum(-1, keepdim=True),
        process.reverse(x_t, logits, 20),
        1e-9,
    )

# %% [markdown]
# ### The loss: a bound, and a little cross-entropy
#
# The bound is that of chapter 2, with KL divergences of categorical laws. Austin et al. add the cross-entropy of the guess itself, which asks for a good guess at every $t$ (their $\lambda$ is 0.001 for images):
#
# $$L_\lambda = L_\text{vb} + \lambda\, \mathbb{E}\big[-\log \tilde p_\theta(x_0 \mid x_t)\big] \qquad \text{(Austin et al. 2021, eq. 5)}$$
#
# In masked diffusion both terms are the same cross-entropy with different weights: there it changes nothing but the weight of $t$. The cell checks $L_\lambda$ as a sum, and then compares the chains. The data are the small 8 x 8 digits in 8 grey levels. The model is exact for each pixel: it knows
# $p(x_0^i \mid x_t)$ if the data are these 1797 pictures (`discrete.dataset_model`; `as_mixture` gives it the weights that eq. 4 needs). The least that any model can have is $\ln 1797 = 7.49$ nats, the entropy of drawing one of them.
#
# **Predict, then run.** The network is perfect in all rows. What is left is the price of drawing 64 pixels at once, and the prior: what the last $x_T$ still tells of the picture. Which way to forget pays least?

# %%
small = tokens.load("digits", "train", (8, 8), 8).images
small = torch.cat([small, tokens.load("digits", "test", (8, 8), 8).images])
some_rows = small[:: len(small) // 60][:60]


def mean_and_reach(values):
    """The mean over pictures (N,), and how far its 95 % interval reaches to each side."""
    return float(values.mean()), float(1.96 * values.std() / len(values) ** 0.5)


def in_words(values):
    return "{:.1f} ± {:.1f}".format(*mean_and_reach(values))


table, spent, apart = [], {}, []
for T in (10, 40):
    ways = {
        "uniform": transitions.uniform(8, discrete.cosine_betas(T)),
        "Gaussian": transitions.gaussian(8, dc.schedules.linear(T, 0.02, 0.9)),
        "absorbing": transitions.absorbing(9, discrete.absorbing_betas(T), mask=8),
    }
    for name, process in ways.items():
        model = discrete.as_mixture(discrete.dataset_model(small, process), process)
        terms = discrete.vlb_terms(model, some_rows, process, dc.Noise(10))
        spent[name, T] = terms.total
        table.append((name, T, in_words(terms.total), f"{terms.prior.mean():.2f}"))
    for one, other in combinations(ways, 2):
        apart.append((one, other, T, spent[one, T] - spent[other, T]))
show_table(
    ["way to forget", "steps", "bound, nats", "of it the prior"],
    table,
    caption=f"The entropy of the data is {math.log(len(small)):.2f} nats",
)
show_table(
    ["way", "less the other", "steps", "difference of the bounds, nats"],
    [(one, other, T, in_words(difference)) for one, other, T, difference in apart],
    caption="In pairs: picture by picture, with 95 % intervals",
)
claim(
    "four times the steps bring each of them nearer to the entropy, beyond chance",
    all(sum(mean_and_reach(spent[name, 40] - spent[name, 10])) < 0 for name in ways),
)
claim(
    "the intervals of all six differences hold 0: which way pays least is not decided",
    all(abs(mean) < reach for mean, reach in (mean_and_reach(difference) for *_, difference in apart)),
)

process = ways["uniform"]
exact, t = discrete.dataset_model(small, process), torch.full((60,), 20)
with_term = discrete.hybrid_loss(exact, some_rows, t, dc.Noise(11), process, weight=0.001)
without = discrete.hybrid_loss(exact, some_rows, t, dc.Noise(11), process, weight=0.0)
log_p = exact(process.diffuse(some_rows, t, dc.Noise(11)), t).log_softmax(-1)
cross_entropy = -log_p.gather(-1, some_rows[..., None]).mean()
agree(
    "eq. 5 less the bound's term, and lambda times the cross-entropy",
    with_term - without,
    0.001 * cross_entropy,
    1e-12,
)

# %% [markdown]
# 60 pictures do not decide which way to forget pays least, not even in pairs. This table has one schedule each, and a model that has learned its data by heart. On text Austin et al. find the absorbing chain best, on images the Gaussian one (their sections 5 and 6).
#
# ## 10. From steps to continuous time
#
# Let $T$ grow, and call $t/T$ the time. A step of length $1/T$ of the absorbing chain hides a visible token with the chance $\beta_t$, and $T \beta_t$ tends to a **rate**, a chance per unit of time:
#
# $$Q_t = I + \frac1T R(t/T) + \dots, \qquad \text{rate of hiding a visible token: } \frac{-\alpha'(t)}{\alpha(t)} = \frac{1}{1-t}, \qquad \text{rate of showing a hidden one, backwards: } \frac{-\alpha'(t)}{1-\alpha(t)} = \frac1t$$
#
# The last one is the limit of $(\alpha(s) - \alpha(t))/(1 - \alpha(t))$ over $t - s$. It is the weight of (1)! **The weight of the loss at $t$ is the rate at which the way back shows tokens at $t$**: a guess is paid for when it is used. The same holds for any $\alpha$, and the bound
# does not depend on which one it is: another $\alpha$ is another clock for the same order of events. Uniform and Gaussian chains have such limits, too, with rate matrices of their own (Campbell et al. 2022).

# %%
at = torch.tensor([0.1, 0.5, 0.9], dtype=f64)
for T in (100, 10_000):
    i = (at * T).round().long()
    hide = T * discrete.absorbing_betas(T)[i - 1]
    show = T / i.double()
    print(
        f"T = {T:6}: T beta_t is 1 / (1 - t) to {float((hide * (1 - at) - 1).abs().max()):.0e}, and T times the chance to be shown is 1 / t to {float((show * at - 1).abs().max()):.0e}"
    )
t = torch.rand(20_000, generator=torch.Generator().manual_seed(7), dtype=f64).clamp(min=1e-9)
u = torch.rand(x0.shape, generator=torch.Generator().manual_seed(8), dtype=f64)
for name, schedule in {"linear": masked.LINEAR, "cosine": masked.COSINE}.items():
    loss = masked.loss(chain.logits, x0, t, u, K, schedule)
    print(
        f"{name} alpha: the entropy within 4 standard errors: {bool((loss.mean() - chain.entropy).abs() < 4 * loss.std() / len(loss) ** 0.5)}"
    )

# %%
quiz.ask("11-q6")

# %% [markdown]
# ## Common slips
#
# - A mean over masked tokens, of each sample or of the batch, is reported as a likelihood, or turned into a perplexity. It is none ({{section The bound}}).
# - The share of hidden tokens is drawn in one place and the weight's $t$ in another.
# - The network has an output for the mask, which is then guessed; or a token that is visible is drawn again, and the samples never settle.
# - "8 tokens in 8 steps" is taken for exact. By coins it is not ({{section The price}}); with one token a step, in an order that does not look at draws, it is.
# - The order of confidence is praised for its samples, and their variety is not measured ({{section Which token first}}).
# - Gumbel noise in float32 has no very large values: the draws are those of a lower temperature, and look better than the model (Zheng et al. 2025). Draw it in float64.
# - $Q_t$ is taken for its transpose. Where matrices are symmetric, as those of the uniform and the Gaussian chain, no test on them shows it; the absorbing chain does.
#
# ## Summary
#
# - Masked diffusion hides tokens by coins, and learns to guess them. Its bound is a cross-entropy of hidden tokens with the weight $1/t$, the rate at which the way back shows them.
# - For the exact network the bound is the entropy: it is the loss of autoregression in random order.
# - Sampling shows each hidden token with the chance $(t - s)/t$. What is given stays: infilling is free.
# - Tokens of one step do not know of each other. That price falls as $1/T$, and a plan that draws together what is nearly independent makes it small.
# - An order that looks at what it has drawn rejects the unlikely, and loses variety. On the chain it is 4 nats of 5.7.
# - D3PM forgets by any transition matrices. Its posterior is a column times a row; the network guesses $x_0$; masks are its absorbing chain, and (1) is its limit of continuous time.
#
# ## References
#
# - Austin, Johnson, Ho, Tarlow, van den Berg (2021). [*Structured denoising diffusion models in discrete state-spaces.*](https://arxiv.org/abs/2107.03006) Sections 3, 5, 6; eqs. 3-5;
#   appendix A.2.
# - Sahoo, Arriola, Schiff, Gokaslan, Marroquin, Chiu, Rush, Kuleshov (2024). [*Simple and effective masked diffusion language models.*](https://arxiv.org/abs/2406.07524) Section 3.
# - Shi, Han, Wang, Doucet, Titsias (2024). [*Simplified and generalized masked diffusion for discrete data.*](https://arxiv.org/abs/2406.04329)
# - Ou, Nie, Xue, Zhu, Sun, Li, Li (2025). [*Your absorbing discrete diffusion secretly models the conditional distributions of clean data.*](https://arxiv.org/abs/2406.03736)
# - Zheng, Chen, Mao, Liu, Zhu, Zhang (2025). [*Masked diffusion models are secretly time-agnostic masked models and exploit inaccurate categorical sampling.*](https://arxiv.org/abs/2409.02908)
# - Chang, Zhang, Jiang, Liu, Freeman (2022). [*MaskGIT: masked generative image transformer.*](https://arxiv.org/abs/2202.04200)
# - Campbell, Benton, De Bortoli, Rainforth, Deligiannidis, Doucet (2022). [*A continuous time framework for discrete denoising models.*](https://arxiv.org/abs/2205.14987)
# - Devlin, Chang, Lee, Toutanova (2019). [*BERT: pre-training of deep bidirectional transformers for language understanding.*](https://arxiv.org/abs/1810.04805)
# - Uria, Murray, Larochelle (2014). [*A deep and tractable density estimator.*](https://arxiv.org/abs/1310.1757)

# %%
# NBVAL_CHECK_OUTPUT
check_all()
