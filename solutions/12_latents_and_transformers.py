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
# # 12. Latents and transformers
#
# Two ideas stand between the networks of the chapters before and the large image models. First, do not denoise
# pixels: let an autoencoder turn an image into a few numbers on a coarse grid, and denoise these (Rombach et al.
# 2022). Second, do not use a U-Net: cut the image into patches and let a transformer see them as a row of tokens
# (Peebles & Xie 2023). Both change what stands around the diffusion, and nothing in it: the noise, the denoiser and
# the samplers are those that you know.
#
# **You learn**
#
# - what an autoencoder is trained on, what its regulariser fixes and what it leaves open;
# - why latents are multiplied by a number before diffusion sees them, and what a wrong number does;
# - to sample in latents, where the decoder's own error is the floor;
# - to cut an image into tokens, and why a transformer must be told where each one was;
# - how the noise level and the class move every layer (adaLN-Zero), and why its gates start at zero;
# - to build a block of a diffusion transformer, to put it into a trained network, and to train one of your own.
#
# **You need** the denoiser and Euler's step (chapter 9, section 1 ("One equation")), the KL divergence of Gaussians
# (chapter 2) and guidance (chapter 6). The formulas are repeated here.
#
# **Time**: {{reading}} of reading, and {{minutes}} for {{exercises}}. The cells run in about a minute on 2 CPU cores (not
# measured on a GPU).

# %% [markdown]
# ## Notation
#
# {{notation image latent coder latent_scale x0 sigma x D grid sigma_data snr lambda y w}}
#
# In the earlier chapters $x_0$ was an image. From {{section The scale}} on it is a scaled latent,
# $x_0 = s_\zeta\,\zeta$, and all formulas of the earlier chapters hold for it as they stand. The decoder, which
# Rombach et al. call $\mathcal D$, is $\mathcal G$ here: $D$ is the denoiser. $\sigma_\text{data}$ is the standard deviation of
# these data, so of scaled latents, 1. In $h \times w$, $w$ is the width of a latent; elsewhere it is the guidance scale.
#
# Some letters mean two things, as in the papers. $h$ is the height of a latent in $h \times w$, the width of a blur in
# {{section The scale}}, and the tokens from {{section The noise level}} on. $N$ counts the steps of a sampler, and
# from {{section An image}} on the tokens. "scale" is $s_\zeta$, and in adaLN a factor that the network makes.

# %%
import copy
import itertools
import math

import torch
from torch import nn
from torch.distributions import Normal, kl_divergence
from torch.nn.functional import mse_loss, silu
from torch.utils.flop_counter import FlopCounterMode

import diffusion_course as dc
from diffusion_course.classroom import check, check_all
from diffusion_course.denoisers import DatasetDenoiser, blurred
from diffusion_course.experiments import data, intervals, latent_stds, metrics, zoo
from diffusion_course.experiments.drawing import draw
from diffusion_course.experiments.latents import LatentSpace
from diffusion_course.nets.autoencoder import Autoencoder
from diffusion_course.nets.dit import Block, DiT, positions, unpatchify
from diffusion_course.nets.embedding import Conditioning
from diffusion_course.nets.unet import UNet
from diffusion_course.notebook import plots, quiz, widgets
from diffusion_course.notebook.claims import agree, claim
from diffusion_course.notebook.tables import show_table

digits = data.load("mnist-5k", limit=4000)  # its training digits, in random order
held_out = data.load("mnist-5k", "test")
judge = zoo.judge("mnist", course.device)

# %% [markdown]
# ## 1. Why not pixels?
#
# A digit has 784 pixels, and most of them say nothing: the border is black, and a stroke is as wide here as it is
# there. A denoiser that works on pixels spends most of its work on such detail, in each of its evaluations. Rombach
# et al. (2022, section 3.1) part the two jobs. An autoencoder, trained once, takes care of the detail: the encoder
# $\mathcal E$ maps an image $\mathcal I$ to a latent $\zeta$ of $C_\zeta \times h \times w$ numbers, and the decoder
# $\mathcal G$ maps it back. A diffusion model then learns the latents alone.
#
# The course ships an autoencoder of digits. It makes $4 \times 7 \times 7 = 196$ numbers of $784$ pixels. One could
# have 196 numbers more cheaply: the first 196 principal components are the best that a *linear* map can do.
#
# **Predict, then run.** The cell measures the squared error per pixel of 1,000 held-out digits, whose pixels lie in
# $[-1, 1]$. How many times smaller is the autoencoder's error than that of the principal components?

# %%
coder = zoo.autoencoder("mnist-autoencoder", course.device)
space = LatentSpace(coder)  # encodes and decodes in batches; its scale is 1 so far
z = space.encode(digits.images)
decoded = space.decode(space.encode(held_out.images))
print(
    f"{tuple(digits.images.shape[1:])} -> {tuple(z.shape[1:])}: {digits.images[0].numel()} -> {z[0].numel()} numbers"
)

flat, other = digits.images.flatten(1).double(), held_out.images.flatten(1).double()
components = torch.linalg.svd(flat - flat.mean(0), full_matrices=False).Vh


def by_components(n):
    """The held-out digits from their first n principal components."""
    part = components[:n]
    return flat.mean(0) + (other - flat.mean(0)) @ part.T @ part


errors = {"the autoencoder, 196 numbers": mse_loss(decoded, held_out.images).item()}
errors |= {f"{n} principal components": mse_loss(by_components(n), other).item() for n in (49, 196, 392)}
show_table(["", "squared error per pixel"], [(name, f"{error:.4f}") for name, error in errors.items()])
claim(
    "the autoencoder's error is a third of that of as many principal components, or less",
    3 * errors["the autoencoder, 196 numbers"] < errors["196 principal components"],
)
linear = by_components(196).float().reshape(-1, 1, 28, 28)
one_each = torch.tensor([(held_out.labels == y).nonzero()[7].item() for y in range(10)])
rows = torch.stack([images[one_each] for images in (held_out.images, decoded, linear)], 1)
plots.filmstrip(
    rows,
    [str(k) for k in range(10)],
    title="Digits, decoded latents, and 196 principal components",
    rows=["image", "latent", "linear"],
)

# %% [markdown]
# The decoder's error has a meaning beyond these pictures. A perfect diffusion model in these latents draws them as the
# encoder makes them of real images, so its samples score what reconstructions score. That is the floor that a better
# diffusion model comes near. The card of the autoencoder has them measured, on 10,000 test
# digits and, for the Fréchet distance (in the judge's features, 1,000 images), on training digits. "Floor of the
# measure" is what real digits score.

# %%
card = zoo.cards()["mnist-autoencoder"]["metrics"]
again, agreed = card["reconstructions"], card["agreement"]
low, high = agreed["wilson 95 %"]
reach = intervals.reach(again["frechet standard error"])
show_table(
    ["the card of mnist-autoencoder", ""],
    [
        (
            "squared error per pixel",
            f"{card['squared error']:.5f} ± {1.96 * card['squared error standard error']:.5f}",
        ),
        (
            "the judge reads image and reconstruction alike",
            f"{agreed['share']:.4f} ({low:.4f} to {high:.4f})",
        ),
        ("Fréchet distance of reconstructions", f"{again['frechet']:.2f} ± {reach:.2f}"),
        ("floor of the measure", f"{again['floor']:.2f}"),
    ],
)
claim(
    "by this measure reconstructions cannot be told from real digits",
    abs(again["frechet"] - again["floor"]) < reach,
)

# %% [markdown]
# "By this measure" matters. The judge's features were trained to read digits, and reading survives a blur that an eye
# would see. The squared error does see it.

# %%
quiz.ask("12-q1")

# %% [markdown]
# ## 2. What an autoencoder is trained on
#
# ### Squared error and a price for information
#
# The encoder answers a mean $m$ and a variance $v$ for each number of the latent:
# $q(\zeta \mid \mathcal I) = \mathcal N(m, \operatorname{diag} v)$. The decoder gets a sample
# $\zeta = m + \sqrt v\,\varepsilon$ of it, with $\varepsilon \sim \mathcal N(0, I)$. The loss has two terms (Kingma &
# Welling 2014, eq. 10; Rombach et al. 2022, section 3.1, with a tiny weight $\beta$):
#
# $$\begin{aligned}
# L &= \|\mathcal I - \mathcal G(\zeta)\|^2 + \beta\,\mathrm{KL}\big(q(\zeta \mid \mathcal I)\,\big\|\,\mathcal N(0, I)\big) \\
# \mathrm{KL} &= \tfrac12 \sum_j \big(m_j^2 + v_j - 1 - \ln v_j\big) && \text{one term for each of the 196 numbers}
# \end{aligned}$$
#
# Where does it come from? Let the decoder be a Gaussian,
# $p(\mathcal I \mid \zeta) = \mathcal N(\mathcal G(\zeta), \tau I)$. The bound of chapter 2 with one latent step is
#
# $$\begin{aligned}
# -\ln p(\mathcal I) &\le \mathbb E_q\big[-\ln p(\mathcal I \mid \zeta)\big] + \mathrm{KL} && \text{the bound} \\
# &= \frac{1}{2\tau}\,\mathbb E_q\|\mathcal I - \mathcal G(\zeta)\|^2 + \mathrm{KL} + \text{const} && \text{the logarithm of a Gaussian} \\
# &= \frac{1}{2\tau}\,\mathbb E_q[L] + \text{const} && \beta = 2\tau
# \end{aligned}$$
#
# So $\beta$ is twice the variance that the decoder claims for a pixel. The shipped autoencoder has $\beta = 0.01$, a
# standard deviation of $0.07$ per pixel.
#
# The cell checks the KL term against PyTorch's, the library's loss against both, and the last line with numbers.

# %%
images = digits.images[:50]
with torch.no_grad():
    mean, log_variance = coder.encode(images)
    eps = dc.Noise(1).like(mean)
    image_again = coder.decode(mean + (log_variance / 2).exp() * eps)
kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).flatten(1).sum(1)
theirs = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).flatten(1).sum(1)
agree("KL, and PyTorch's", kl, theirs, 1e-5)

beta = 0.01
L = (images - image_again).square().flatten(1).sum(1) + beta * kl
agree(
    "L per pixel, and the library's",
    L.mean() / 784,
    dc.losses.autoencoder_loss(images, image_again, mean, log_variance, beta),
    1e-5,
)
likelihood = -Normal(image_again, math.sqrt(beta / 2)).log_prob(images).flatten(1).sum(1)
constant = 784 / 2 * math.log(2 * math.pi * beta / 2)
agree("the bound, and L / (2 tau) + const", likelihood + kl, L / beta + constant, 1e-4)

# %% [markdown]
# ### What the regulariser fixes: without it, latents have no unit
#
# Set $\beta = 0$, and nothing in the loss says how large latents should be. Multiply $m$ and $\sqrt v$ by 1000, and divide
# the weights of the decoder's first layer by 1000: the images stay the same, and so does the loss. With $\beta > 0$
# the KL term sees the change.
#
# **Predict, then run.** What does the KL term become?

# %%
stretched = copy.deepcopy(coder)
with torch.no_grad():
    last, first = stretched.encoder[-1][-1], stretched.decoder[0]
    half = coder.latent_channels  # the first half of the answers is the mean, the second the log-variance
    last.weight[:half] *= 1000
    last.bias[:half] *= 1000
    last.bias[half:] += 2 * math.log(1000)
    first.weight /= 1000  # its bias stays: it is added to what is right already
    same_images, far_mean, far_log_variance = stretched(images, eps)
    plain_images, near_mean, _ = coder(images, eps)
agree("the decoded images of both", same_images, plain_images, 1e-4)
print(f"standard deviation of the means: {near_mean.std():.2f}, and {far_mean.std():.0f}")
far_kl = 0.5 * (far_mean**2 + far_log_variance.exp() - 1 - far_log_variance).flatten(1).sum(1)
print(f"KL: {kl.mean():.0f} nats, and {far_kl.mean():.3g}")
claim("the KL term grows a hundred thousand times", far_kl.mean() > 1e5 * kl.mean())

# %% [markdown]
# The *sample* $\zeta$ does a second thing: the decoder sees noisy latents, so it must answer latents near each other by
# images near each other. A diffusion model never hits a latent exactly, so this is what it needs. And the KL term
# keeps the noise alive: $-\ln v$ is a price for a small $v$.
#
# ### Small autoencoders, trained here: what does the noise do, what the KL term?
#
# The two are told apart by four trainings: with and without the KL term, and each with the sample $\zeta$ or with the
# mean $m$ in its place. A fifth has one latent channel. They take a few seconds each, far from a training's end, and
# see the same batches and noises; each is one run, so look at what is large.
#
# **Predict, then run.** The table has the squared error of held-out digits, the standard deviation of their latents
# (the means), the mean of $v$, and how much the squared error rises when the latents are off by noise of 0.4 of their
# standard deviation. Which of the four reconstructs worst, and which suffers least from the noise?

# %%
STEPS = course.pick(small=120, large=1500)


def schedule(step, steps, lr):
    """The learning rate of one step: 20 steps of warm-up, and a straight way down in the last 30 %."""
    return lr * min(1.0, (step + 1) / 20, (steps - step) / (0.3 * steps))


def fit(net, loss_of, steps, lr=3e-3):
    """Train a network on loss_of(step), a scalar; returns the losses."""
    optimizer, losses = torch.optim.Adam(net.parameters(), lr=lr), []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = schedule(step, steps, lr)
        loss = loss_of(step)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    net.eval().requires_grad_(False)
    return losses


# %%
def small_autoencoder(channels, beta, sampled):
    """An autoencoder of digits, trained for STEPS steps of 32. sampled: does the decoder see samples, or means?"""
    torch.manual_seed(0)
    net = Autoencoder(28, 1, channels, widths=(16, 32)).to(course.device)
    rows = torch.randint(0, len(digits), (STEPS, 32), generator=torch.Generator().manual_seed(1))

    def loss_of(step):
        x = digits.images[rows[step]].to(course.device)
        eps = None  # the means
        if sampled:
            eps = dc.Noise(step, per_sample=False).randn(32, channels, 7, 7, device=course.device)
        return dc.losses.autoencoder_loss(x, *net(x, eps), beta)

    fit(net, loss_of, STEPS)
    return net


TRAINED = {
    "1 channel: KL, noise": (1, beta, True),
    "4 channels: KL, noise": (4, beta, True),
    "4 channels: noise alone": (4, 0.0, True),
    "4 channels: KL alone": (4, beta, False),
    "4 channels: neither": (4, 0.0, False),
}
small = {name: small_autoencoder(*setting) for name, setting in TRAINED.items()}

# %%
# NBVAL_IGNORE_OUTPUT
lines, found = [], {}
for name, net in {**small, "the shipped one": coder}.items():
    own = LatentSpace(net)
    latents = own.encode(held_out.images)
    spread = latents.std()
    error = mse_loss(own.decode(latents), held_out.images).item()
    shaken = own.decode(latents + 0.4 * spread * dc.Noise(2, per_sample=False).like(latents))
    rise = mse_loss(shaken, held_out.images).item() - error
    with torch.no_grad():
        v = net.encode(held_out.images[:500].to(course.device))[1].exp().mean().item()
    found[name] = {"error": error, "spread": spread.item(), "rise": rise, "v": v}
    lines.append((name, latents[0].numel(), f"{error:.4f}", f"{spread:.2f}", f"{v:.3f}", f"{rise:.4f}"))
show_table(["autoencoder", "numbers", "squared error", "std", "mean v", "rise by noise"], lines)
one_channel, both, noise_alone, kl_alone, neither = (found[name] for name in TRAINED)
claim("4 channels reconstruct better than 1", both["error"] < one_channel["error"])
claim(
    "both that were trained with noise reconstruct worse than both that were not, by a tenth or more",
    min(both["error"], noise_alone["error"]) > 1.1 * max(kl_alone["error"], neither["error"]),
)
claim(
    "and the KL term changes the error by less than a tenth, with noise and without",
    all(abs(a["error"] / b["error"] - 1) < 0.1 for a, b in ((both, noise_alone), (kl_alone, neither))),
)
claim(
    "noise in the latents costs least where both are at work: the other three pay a quarter more, or more",
    min(other["rise"] for other in (noise_alone, kl_alone, neither)) > 1.25 * both["rise"],
)
claim(
    "with the KL term the latents are narrower, with noise and without",
    both["spread"] < noise_alone["spread"] and kl_alone["spread"] < neither["spread"],
)
claim("and where there is noise, its variance v is larger with the KL term", both["v"] > noise_alone["v"])

# %% [markdown]
# The error of reconstruction follows the noise, and hardly the KL term at this $\beta$. The width of the latents follows
# both. With the KL term alone nothing speaks against narrow means, and $v$ goes to 1 where no decoder sees it; with
# the noise alone it is the other way round, since a small $v$ costs nothing. Together they fix a unit: $v$ is measured
# against 1, and the means must stand out from $\sqrt v$. And of these four the decoder that bears noise best saw most
# of it (the shipped one, larger and trained far longer, cannot be set beside them). With neither, the latents lie where
# the first random weights and the learning rate put them; any other place would have had the same loss, as you have
# seen above.
#
# What differences in the last column cost *samples* is not measured here. `diffusion-course train
# mnist-autoencoder-plain` and then `diffusion-course train mnist-latent-dit-plain` train the pair with $\beta = 0$.
#
# More channels reconstruct better, and the diffusion model has more numbers to make. Rombach et al. (2022, section
# 4.1) compare such trade-offs on photographs.

# %% [markdown]
# ## 3. The scale of latents
#
# The regulariser gets the *samples* of $q$ near unit variance. Diffusion is given their means $m$, as the encoder
# answers them, and these are narrower: variances add, $\mathrm{Var}[\zeta] = \mathrm{Var}[m] + \mathbb E[v]$. The shipped
# autoencoder's means have the standard deviation 0.81; in another autoencoder it is another number. Noise schedules,
# $\sigma_\text{data}$ and the noise levels of training were chosen for data of a known size. So Rombach et al. (2022,
# appendix G) multiply the latents by one number before diffusion sees them:
#
# $$x_0 = s_\zeta\,\zeta, \qquad s_\zeta = \Big(\frac1n \sum (\zeta - \bar\zeta)^2\Big)^{-1/2}, \qquad \bar\zeta = \frac1n \sum \zeta$$
#
# The sums run over all $n$ entries at once: samples, channels, rows and columns. The latents of Stable Diffusion are
# multiplied by 0.18215; it is this number, for its autoencoder.
#
# ### Exercise {{12-latent_scale}}
#
# Write $s_\zeta$. The mean is not taken away from the latents, only in the measurement of their size. Latents may lie far
# from 0, in float32 too; there the mean of the squares and the square of the mean would cancel to noise.
#
# *Hint.* `torch.std` divides by $n - 1$ unless you say `correction=0`.


# %%
# EXERCISE 12-latent_scale (keep this line)
def latent_scale(z):
    """The factor that gives latents the standard deviation 1 (Rombach et al. 2022, appendix G).

    z: (N, *S), latents, at least two different entries. Returns (), the dtype of z: one over the standard deviation of all entries.
    """
    ### BEGIN SOLUTION
    return 1 / z.std(correction=0)
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("12-latent_scale", latent_scale)

# %%
scale = latent_scale(z)
print(f"standard deviation {z.std():.4f}, scale {scale:.4f}")
claim("the latents' standard deviation is 0.81", round(z.std().item(), 2) == 0.81)
with torch.no_grad():
    m, log_v = coder.encode(digits.images[:1000])
print(f"Var[m] + E[v] = {m.var():.3f} + {log_v.exp().mean():.3f} = {m.var() + log_v.exp().mean():.3f}")
claim("samples of q have a variance within 5 % of 1", abs(m.var() + log_v.exp().mean() - 1) < 0.05)
agree("the standard deviation of the scaled latents, and 1", (scale * z).std(correction=0), 1.0, 1e-5)
show_table(
    ["channel", "mean", "standard deviation", "after scaling"],
    [(c, f"{z[:, c].mean():+.3f}", f"{z[:, c].std():.3f}", f"{scale * z[:, c].std():.3f}") for c in range(4)],
)

# %% [markdown]
# One number for all channels leaves them different; in these latents they differ little, and it is enough.
#
# ### What a wrong scale does
#
# Say that the latents reach diffusion with the standard deviation $k$ instead of 1: $x_0 = k\,u$ with
# $u = s_\zeta\zeta$. Then
#
# $$\begin{aligned}
# x &= k\,u + \sigma\varepsilon = k\,\big(u + \tfrac{\sigma}{k}\,\varepsilon\big) && \text{the noise level } \sigma \text{ does what } \sigma/k \text{ should do} \\
# D_k(x, \sigma) &= k\,D_1\big(\tfrac xk, \tfrac\sigma k\big) && \text{the denoiser of the one, from that of the other} \\
# \ln \frac{\mathrm{Var}[k u]}{\sigma^2} &= \ln \frac{1}{\sigma^2} + 2 \ln k && \text{every log-SNR moves by } 2 \ln k
# \end{aligned}$$
#
# Nothing else happens: $k$ moves the whole schedule along the axis of noise levels. A latent that is ten times too
# large is still known at the end of Stable Diffusion's schedule ($\sigma = 14.6$), where sampling starts from pure
# noise; the linear one goes on to 157, and loses it. One that is ten times too small is lost from a quarter of the
# schedule on, and noisy at its lowest level. Even the variance in the place
# of the standard deviation, a common slip, is a shift: $s_\zeta^2$ instead of $s_\zeta$ gives $k = s_\zeta$.
#
# The cell executes the three lines: the denoiser is the exact one of the latents of 300 digits (blurred with
# $h = 0.1$, chapter 9, section 4 ("The grid")).

# %%
u = (scale * z[:300]).cpu().double()
x, k, sigma = 3 * u[:5] + 2 * dc.Noise(3).like(u[:5]), 3.0, torch.tensor(2.0, dtype=torch.float64)
D_1, D_k = blurred(DatasetDenoiser(u), 0.1), blurred(DatasetDenoiser(k * u), 0.1 * k)
agree("x, and k times u with noise sigma / k", x, k * (u[:5] + sigma / k * dc.Noise(3).like(u[:5])), 1e-12)
agree("D_k(x, sigma), and k D_1(x / k, sigma / k)", D_k(x, sigma), k * D_1(x / k, sigma / k), 1e-9)
variance = (k * u).var(correction=0) / sigma**2
agree(
    "the log-SNR, and ln(var u / sigma^2) + 2 ln k",
    variance.log(),
    (u.var(correction=0) / sigma**2).log() + 2 * math.log(k),
    1e-12,
)

# %% [markdown]
# ### The slider: $k$
#
# Three digits of the 300, as noise comes over them in a schedule of 1000 steps: that of Stable Diffusion's files, in
# which $\sqrt{\beta_t}$ rises evenly from $\sqrt{0.00085}$ to $\sqrt{0.012}$, or the linear or cosine one of chapter 4. What you
# see is the exact denoiser's guess, decoded: while the digit is known, it is the digit; when it is lost, it is a mean of
# many.
#
# **Predict before you move it.** At which $k$ is the digit known to the end? At which is it lost in the first quarter?

# %%
TIMES = [1, 100, 250, 400, 550, 700, 850, 1000]
KS = [0.05, 0.1, 0.3, 1.0, 3.0, 10.0, 20.0]


def guessed(k, schedule):
    """The guesses of the three latents at TIMES: (8, 3, 4, 7, 7)."""
    betas = latent_stds.SCHEDULES[schedule](1000)
    sigmas = dc.NoiseSchedule.from_betas(betas).sigmas[[t - 1 for t in TIMES]] / k
    x = u[:3] + sigmas.reshape(-1, 1, 1, 1, 1) * dc.Noise(4).like(u[:3])
    return torch.stack([D_1(x_t, sigma) for x_t, sigma in zip(x, sigmas, strict=True)])


def guesses(k=1.0, schedule="Stable Diffusion"):
    guess = guessed(k, schedule)
    decoded = space.decode((guess / scale.cpu()).flatten(0, 1).float().to(course.device)).unflatten(
        0, guess.shape[:2]
    )
    return plots.filmstrip(
        decoded.cpu(),
        [f"t = {t}" for t in TIMES],
        title=f"Guesses in latents of standard deviation {k:g}, {schedule}",
    )


# The squared error of a guess: 0 where the latent is known, about 1, its variance, where it is lost.
off = {
    (k, name): (guessed(k, name) - u[:3]).square().mean((1, 2, 3, 4))
    for k, name in ((10.0, "Stable Diffusion"), (10.0, "linear"), (0.1, "Stable Diffusion"))
}
claim(
    "at k = 10 the digits are known at t = 1000 of Stable Diffusion's schedule, and lost at that of the linear one",
    off[10.0, "Stable Diffusion"][-1] < 0.05 and off[10.0, "linear"][-1] > 0.8,
)
claim("at k = 0.1 they are lost from t = 250 on", off[0.1, "Stable Diffusion"][2:].min() > 0.8)
widgets.slide(
    guesses,
    description="The guesses of the exact denoiser at eight times",
    static=[{"k": 0.1}, {"k": 1.0}, {"k": 10.0}],
    k=KS,
    schedule=list(latent_stds.SCHEDULES),
)

# %% [markdown]
# ### Find out: is unit variance the best?
#
# "Unit variance" is a convention, made for schedules that were chosen for data of about that size. Is it the best for
# a given recipe? The recipe here: the exact denoiser, 20 evaluations of DPM-Solver++(2M) (chapter 9, section 5 ("Heun's
# method")) at even times of a schedule, from pure noise. `latent_stds.distance(k, schedule)` tells how far its samples
# end from the exact answer. Both start from the same 40 draws of noise: the recipe's at its own first level, the exact
# answer at $\sigma = 10{,}000$, where nothing of a latent is left, and in 400 steps. A distance is the root mean square
# of the difference over the entries of a sample, in units of the latents' standard deviation $k$; of the 40 the
# geometric mean is told.
#
# **Predict, then run.** Where are the best $k$ of the three schedules: is it one number, and is it 1? Their first and
# last noise levels stand in the table.

# %%
few = [0.05, 0.2, 1.0, 5.0, 20.0]
scanned = {name: [latent_stds.distance(k, name) for k in few] for name in latent_stds.SCHEDULES}
levels = {name: latent_stds.grid(name) for name in scanned}
show_table(
    ["schedule", "first level", "last level", *(f"k = {k:g}" for k in few)],
    [
        (name, f"{levels[name][0]:.3g}", f"{levels[name][-2]:.2g}", *(f"{d:.4f}" for d in row))
        for name, row in scanned.items()
    ],
)
claim(
    "of these five, k = 1 is the best with each schedule", all(min(row) == row[2] for row in scanned.values())
)
claim(
    "k = 20 fails with Stable Diffusion's schedule: a distance of half a standard deviation or more",
    scanned["Stable Diffusion"][-1] > 0.5,
)

# %% [markdown]
# ### Exercise {{12-best_stds}}
#
# Return three numbers: the $k$ for Stable Diffusion's schedule, for the linear and for the cosine one. The score is
# the geometric mean of the three distances; lower is better. The marks are {{marks 12-best_stds}}; $k = 1$ three times
# is not enough for the first. Only $n = 20$ is asked, so the three may be written down as they are. The check tells
# the three distances.
#
# Search in a cell of your own, a call takes about a tenth of a second, and type in the numbers you found.
#
# *Hint.* Scan each schedule alone, first coarsely: even steps of $\ln k$.


# %%
# EXERCISE 12-best_stds (keep this line)
def best_stds(n):
    """The standard deviations of latents at which n evaluations come nearest to the exact answer.

    n: the number of evaluations, 20. Returns three numbers > 0, for Stable Diffusion's, the linear and the cosine schedule: a list,
    or a tensor (3,).
    """
    ### BEGIN SOLUTION
    return [1.35, 1.07, 0.56]
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("12-best_stds", best_stds)

# %%
yours = dict(zip(latent_stds.SCHEDULES, [float(k) for k in best_stds(20)], strict=True))
show_table(
    ["schedule", "your k", "its distance", "that of k = 1"],
    [
        (name, f"{k:.3g}", f"{latent_stds.distance(k, name):.4f}", f"{latent_stds.distance(1.0, name):.4f}")
        for name, k in yours.items()
    ],
)

# %% [markdown] tags=["solution-only"]
# ### How the three were found, and what they are worth
#
# A scan in even steps of $\ln k$, for each schedule alone. The cell draws it, and then tries the three numbers with
# other numbers of evaluations.

# %% tags=["solution-only"]
ks = torch.logspace(math.log10(0.2), math.log10(5), 17)
curves = {name: [latent_stds.distance(k.item(), name) for k in ks] for name in latent_stds.SCHEDULES}
tried = {
    n: {
        name: latent_stds.distance(k, name, n) / latent_stds.distance(1.0, name, n)
        for name, k in yours.items()
    }
    for n in (15, 20, 30)
}
show_table(
    ["evaluations", *tried[20]],
    [(n, *(f"{r:.2f}" for r in row.values())) for n, row in tried.items()],
    "distance of the found k over that of k = 1",
)
best = {name: ks[min(range(17), key=curve.__getitem__)].item() for name, curve in curves.items()}
print(f"best of the scan: {', '.join(f'{name} {k:.2f}' for name, k in best.items())}")
claim(
    "the best k of two schedules differ by a factor of 1.5 or more",
    max(best.values()) > 1.5 * min(best.values()),
)
claim("with 20 evaluations each of the three beats k = 1", all(ratio < 1 for ratio in tried[20].values()))
claim(
    "not with every number of evaluations: with 30, one of them is behind k = 1",
    any(ratio > 1 for ratio in tried[30].values()),
)
plots.curves(
    ks,
    curves,
    title="Distance to the exact answer, 20 evaluations",
    xlabel="standard deviation k of the latents (log scale)",
    ylabel="distance (log scale)",
    logx=True,
    logy=True,
)

# %% [markdown] tags=["solution-only"]
# Is it one number, and is it 1? Neither: each schedule has its own, one above 1, one near it and one below. What makes the
# other $k$ worse? Cut single steps of the grid in ten and see which cut helps.


# %% tags=["solution-only"]
def in_ten(sigmas, some):
    """The grid with some of its steps cut in ten, evenly in ln sigma. The last one goes to 0.001 so, and then to 0."""
    parts = [sigmas[:1]]
    for i, (high, low) in enumerate(itertools.pairwise(sigmas)):
        end = low if low > 0 else high.clamp(max=2e-3) / 2
        cut = torch.logspace(high.log10(), end.log10(), 11, dtype=torch.float64)[1:]
        parts += [cut if i in some else low[None]] + ([low[None]] if i in some and low == 0 else [])
    return torch.cat(parts)


CUTS = {"as it is": (), "first step cut": (0,), "last two cut": (18, 19), "all cut": range(20)}
ends = {
    (k, name): {
        cut: latent_stds.distance_of(in_ten(latent_stds.grid(name) / k, some)) for cut, some in CUTS.items()
    }
    for k in (0.2, 5.0)
    for name in latent_stds.SCHEDULES
}
show_table(
    ["k", "schedule", "its first levels / k", *CUTS],
    [
        (
            k,
            name,
            ", ".join(f"{level / k:.3g}" for level in latent_stds.grid(name)[:2].tolist()),
            *(f"{d:.4f}" for d in row.values()),
        )
        for (k, name), row in ends.items()
    ],
    "distance with steps cut in ten",
)
claim(
    "at k = 0.2 the last two steps make at least nine tenths of the distance, with each schedule",
    all(row["last two cut"] < 0.1 * row["as it is"] for (k, _), row in ends.items() if k == 0.2),
)
claim(
    "at k = 5 nothing helps Stable Diffusion's schedule, and most of the cosine's distance is its first step's",
    ends[5.0, "Stable Diffusion"]["all cut"] > 0.8 * ends[5.0, "Stable Diffusion"]["as it is"]
    and ends[5.0, "cosine"]["first step cut"] < 0.2 * ends[5.0, "cosine"]["as it is"],
)

# %% [markdown] tags=["solution-only"]
# At small $k$ the last two steps are too long: they cross the levels at which the latents are decided. At large $k$ Stable
# Diffusion's schedule begins where the latent would still be seen, and no number of steps mends that. The cosine one begins with
# noise enough, but its first step jumps over the levels that matter.
# In between lies a sharp dip, where errors of
# different steps cancel each other; a dip belongs to its number of evaluations and its solver, as the claim about 30
# shows. So read the result as "the scale and the schedule are one choice, and unit variance is a good place to
# begin", and not as three numbers to keep.
#
# A trained network adds a second reason for a known scale: its training drew noise levels for latents of that size.
# Chen (2023) moves the scale on purpose, for large images.

# %%
quiz.ask("12-q2")

# %% [markdown]
# ## 4. Sampling in latents
#
# With the scale known, a sampler of latents is a sampler. Call its states $x^{(0)}, \dots, x^{(N)}$; they begin with
# noise of the latent's shape:
#
# $$\begin{aligned}
# x^{(0)} &= \sigma_\text{max}\,\varepsilon, \qquad \varepsilon \sim \mathcal N(0, I) \\
# x^{(i+1)} &= x^{(i)} + (\sigma_{i+1} - \sigma_i)\,\frac{x^{(i)} - D(x^{(i)}, \sigma_i)}{\sigma_i}, \quad i = 0, \dots, N - 1 && \text{Euler, which is DDIM} \\
# \mathcal I &= \mathcal G\big(x^{(N)} / s_\zeta\big) && \text{decode, once}
# \end{aligned}$$
#
# Two habits from pixels are wrong here. Latents have no bounds, so neither they nor $D$'s answers are clipped to
# $[-1, 1]$. And the decoder was trained on latents as the encoder makes them: what was multiplied must be divided.
# (One pass through the decoder, Rombach et al. 2022, section 3.2.)
#
# ### Exercise {{12-latent_sample}}
#
# Write the sampler. It returns all $N + 1$ states, stacked along a new first axis, and the images.
#
# *Hint.* A list of states, `torch.stack`, and in the last line `decode`. `decode` is called once, $D$ once in each step,
# each with the whole batch.


# %%
# EXERCISE 12-latent_sample (keep this line)
def latent_sample(D, decode, noise, sigmas, scale):
    """Latents from noise by Euler's steps, and the images that they decode to.

    D: denoiser of scaled latents, D(x, sigma) -> x's shape. decode: (B, C, h, w) -> images, of latents that are not scaled.
    noise: (B, C, h, w), standard normal. sigmas: (N + 1,), falling, the last is 0. scale: a number > 0.
    Returns (latents, images): (N + 1, B, C, h, w), from sigmas[0] * noise on, scaled, and what decode gives for the last.
    """
    ### BEGIN SOLUTION
    states = [sigmas[0] * noise]
    for i in range(len(sigmas) - 1):
        slope = (states[-1] - D(states[-1], sigmas[i])) / sigmas[i]
        states.append(states[-1] + (sigmas[i + 1] - sigmas[i]) * slope)
    return torch.stack(states), decode(states[-1] / scale)
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("12-latent_sample", latent_sample)

# %% [markdown]
# The course ships a network for these latents, `mnist-latent-dit`: a transformer, of the kind that the rest of the
# chapter is about. Your sampler draws with it, and the library's must draw the same from the same noise; it cuts its
# images, not the latents, to $[-1, 1]$, so yours are cut for the comparison. The second row has
# guidance, $w = 2$ (chapter 6): $D = D_u + w\,(D_c - D_u)$, in latents as in pixels.

# %%
latent_digits = zoo.load("mnist-latent-dit", course.device)
own = latent_digits.space
labels = torch.arange(10, device=course.device).repeat(4)
noise = dc.Noise(0).randn(40, 4, 7, 7, device=course.device)
sigmas = dc.schedules.karras(18)


def guided(w, labels):
    """The denoiser of the classes in labels (B,) with guidance w."""

    def D(x, sigma):
        with torch.no_grad():
            conditional = latent_digits(x, sigma, labels)
            return conditional if w == 1 else torch.lerp(latent_digits(x, sigma), conditional, w)

    return D


def decode(z):
    with torch.no_grad():
        return own.autoencoder.decode(z.float())


drawn = {w: latent_sample(guided(w, labels), decode, noise, sigmas, own.scale) for w in (1.0, 2.0)}
library = draw(latent_digits, 10, sigmas=sigmas, seed=0, device=course.device).images
agree("your first ten digits and the library's", drawn[1.0][1][:10].clamp(-1, 1), library, 1e-3)
plots.images(
    torch.cat([images[:20] for _, images in drawn.values()]),
    title="Your sampler in latents: no guidance (two rows), w = 2 (two rows)",
)

# %%
# NBVAL_IGNORE_OUTPUT
for w, (_, made) in drawn.items():
    count = metrics.count_recognised(judge, made.clamp(-1, 1), labels)
    low, high = metrics.wilson(count, len(labels))
    print(f"w = {w:g}: {count} of {len(labels)} recognised (95 % interval {low:.2f} to {high:.2f})")
    states = drawn[w][0][-1]
    print(f"   standard deviation of the latents {states.std():.3f}, largest entry {states.abs().max():.1f}")
claim(
    "final latents leave [-1, 1]: to clip them would be wrong",
    all(d[0][-1].abs().max() > 1.5 for d in drawn.values()),
)
claim(
    "they are narrower than the data, whose standard deviation is 1, by less than a fifth",
    all(0.8 < d[0][-1].std() < 1 for d in drawn.values()),
)

# %% [markdown]
# The data have the standard deviation 1, so these samples are somewhat too narrow: an error of the network, or of 18
# steps of Euler, which 40 digits do not tell apart.
#
# What is decoded on the way? The states in VP coordinates, and $D$'s guess, decoded for the eye alone: the sampler
# needs no image before its end.

# %%
states = drawn[1.0][0]
shown = [0, 4, 7, 9, 11, 13, 15, 18]
on_the_way = [decode(dc.gaussian.to_vp(states[i, :2], sigmas[i]) / own.scale) for i in shown]
guesses_on_the_way = [
    decode(guided(1.0, labels[:2])(states[i, :2], sigmas[i]) / own.scale) for i in shown[:-1]
]
guesses_on_the_way.append(on_the_way[-1])
plots.filmstrip(
    torch.stack([torch.cat([x, g]) for x, g in zip(on_the_way, guesses_on_the_way, strict=True)]),
    [f"σ = {sigmas[i]:.2g}" for i in shown],
    title="Two samples on their way, decoded: the state, and the guess",
    rows=["state 0", "state 1", "guess 0", "guess 1"],
)

# %% [markdown]
# ### How far is it from the floor?
#
# Three things enter the Fréchet distance of samples: what the measure gives real digits, what the decoder cannot
# draw, and what diffusion gets wrong. The cards have all three, of 1,000 samples each.

# %%
cards = zoo.cards()
lines = [
    ("real digits", f"{again['floor']:.2f}"),
    ("reconstructions: the decoder's floor", f"{again['frechet']:.2f} ± {reach:.2f}"),
]
for guidance in ("guidance 1", "guidance 2"):
    row = cards["mnist-latent-dit"]["metrics"].get(guidance)
    if row:
        lines.append(
            (
                f"samples in latents, {guidance}",
                f"{row['frechet']:.2f} ± {intervals.reach(row['frechet standard error']):.2f}",
            )
        )
show_table(["Fréchet distance, judge's features", "± 95 %"], lines)

# %% [markdown]
# What samples have beyond the second line is diffusion's own error: a better decoder would not mend it.

# %% [markdown]
# ## 5. An image as a row of patches
#
# A transformer takes a set of vectors, *tokens*. Peebles & Xie (2023, section 3.2) make them of an image, or of a
# latent, by cutting it into patches of $p \times p$ pixels:
#
# $$(B, C, H, W) \;\to\; \Big(B, C, \tfrac Hp, p, \tfrac Wp, p\Big) \;\to\; \Big(B, \tfrac Hp, \tfrac Wp, C, p, p\Big) \;\to\; (B, N, C p^2), \qquad N = \frac{HW}{p^2}$$
#
# Patches stand row by row, as one reads. In a token the channels are outermost, then the rows of the patch, then its
# columns. Halve $p$ and $N$ grows fourfold, and the pairs of tokens that attention looks at sixteenfold: $p$ is the
# knob between cost and detail.
#
# ### Exercise {{12-patchify}}
#
# Write the three arrows.
#
# *Hint.* Number the six axes 0 to 5 after the first reshape. Which of them become one in the last?


# %%
# EXERCISE 12-patchify (keep this line)
def patchify(x, p):
    """An image as a row of patches (Peebles & Xie 2023, section 3.2).

    x: (B, C, H, W). p: the side of a patch, an integer >= 1 that divides H and W. Returns (B, H W / p^2, C p^2): patches row by row,
    in each the channels outermost, then the rows of the patch, then its columns.
    """
    ### BEGIN SOLUTION
    B, C, H, W = x.shape
    patches = x.reshape(B, C, H // p, p, W // p, p).permute(0, 2, 4, 1, 3, 5)
    return patches.reshape(B, (H // p) * (W // p), C * p * p)
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("12-patchify", patchify)

# %% [markdown]
# One digit in patches of 7 x 7: the tokens, each drawn as a small image, in the order in which the transformer gets
# them. Below, the tokens of slips that raise no error: the patches in the order of columns, and rows and columns
# swapped inside each.

# %%
digit = digits.images[:1]
tokens = patchify(digit, 7)
agree("unpatchify undoes it", unpatchify(tokens, 7, 28, 28), digit, 0)
columns = patchify(digit.mT, 7).unflatten(2, (7, 7)).mT.flatten(2)  # patches by columns, upright each
inside = tokens.unflatten(2, (7, 7)).mT.flatten(2)
plots.images(
    torch.cat([t.reshape(16, 1, 7, 7) for t in (tokens, columns, inside)]),
    title="16 tokens: right, in the order of columns, transposed inside",
    columns=16,
)

# %% [markdown]
# A network that is trained with either slip *at both ends* works as well as with the right order. At one end alone the first
# layer can undo a swap inside a token, by learning its weights in another order; tokens in another order it cannot. And with
# weights that were trained in the right order both slips spoil everything. So nobody sees them in the code.

# %%
for name, wrong in {"in the order of columns": columns, "transposed inside": inside}.items():
    error = (unpatchify(wrong, 7, 28, 28) - digit).square().mean().sqrt()
    print(f"{name}: after unpatchify the image is off by {error:.2f} per pixel")

# %% [markdown]
# ### Where was each token? Positions
#
# Attention compares tokens, whatever their order: if $\pi$ permutes tokens, $f(\pi h) = \pi f(h)$ for a whole block.
# So the network could not tell a digit from its shuffled patches. The order must be written into the tokens: each
# gets a fixed vector added, sines and cosines of its row and of its column (Vaswani et al. 2017, section 3.5, for
# each axis). The cell executes the identity on a block with random weights, with and without positions.

# %%
torch.manual_seed(0)
block = Block(96, 3)
with torch.no_grad():
    nn.init.normal_(block.modulation.weight, std=0.1)
    h, emb, order = torch.randn(2, 49, 96), torch.randn(2, 96), torch.randperm(49)
    at = positions(7, 96)
    agree(
        "a block of shuffled tokens, and the shuffled block",
        block(h[:, order], emb),
        block(h, emb)[:, order],
        1e-5,
    )
    told = (block(h[:, order] + at, emb) - block(h + at, emb)[:, order]).abs().max()
    print(f"with positions both differ by up to {told:.2f}")
alike = (at @ at.T / at.square().sum(1)).reshape(49, 1, 7, 7)
contrast = 2 * (alike - alike.min()) / (alike.max() - alike.min()) - 1
plots.images(
    contrast[[0, 3, 24, 27, 48]], title="How alike the position of one token (white) is to all 49", columns=5
)

# %%
quiz.ask("12-q3")

# %% [markdown]
# ## 6. The noise level moves every layer: adaLN-Zero
#
# The U-Net adds the embedding of noise level and class to its activations. The DiT lets it *scale and shift* every
# layer's input, and *gate* its output. Let $h$ be the tokens, (B, N, E), and $e$ the embedding, (B, E): an embedding
# of $c_\text{noise} = \tfrac14 \ln \sigma$ (chapter 9, section 2 ("Preconditioning")) plus one of the class, after a SiLU.
# Around each branch $f$, attention or perceptron (Peebles &
# Xie 2023, section 3.2),
#
# $$\begin{aligned}
# h' &= h + \text{gate} \odot f\big((1 + \text{scale}) \odot \mathrm{LN}(h) + \text{shift}\big) && \text{the same numbers for all tokens of a sample} \\
# \mathrm{LN}(h) &= \frac{h - \operatorname{mean}(h)}{\sqrt{\operatorname{var}(h) + 10^{-6}}} && \text{along the last axis of each token; var divides by } E \\
# (\text{shift}, \text{scale}, \text{gate}) &= \text{a linear layer of } e && \text{(B, E) each}
# \end{aligned}$$
#
# The linear layer starts at zero: weights and biases. Then shift, scale and gate are 0 for every input, and each
# block is the identity: that is the *Zero* of adaLN-Zero.
#
# ### Exercise {{12-adaln_zero}}
#
# Write $h'$ for one branch. `branch` is called once, whatever the gate is, with a tensor of $h$'s shape.
# In {{section U-Net or transformer}} you train with your function, so gradients must reach $h$, shift, scale, gate, and the
# weights of `branch`.
#
# *Hint.* `torch.nn.functional.layer_norm(h, h.shape[-1:], eps=1e-6)` is LN; its default `eps` is another. A tensor
# (B, E) needs an axis for the tokens before it meets (B, N, E).


# %%
# EXERCISE 12-adaln_zero (keep this line)
def adaln_zero(h, shift, scale, gate, branch):
    """One branch of a block: normalise, scale and shift, ask the branch, gate, add (Peebles & Xie 2023, section 3.2).

    h: (B, N, E), the tokens. shift, scale, gate: (B, E). branch: (B, N, E) -> (B, N, E). Returns (B, N, E).
    """
    ### BEGIN SOLUTION
    normed = torch.nn.functional.layer_norm(h, h.shape[-1:], eps=1e-6)
    return h + gate[:, None] * branch((1 + scale[:, None]) * normed + shift[:, None])
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("12-adaln_zero", adaln_zero)

# %% [markdown]
# ### Why zero, and how zeros learn
#
# A fresh network of many blocks is a deep random function; the identity is a quiet place to begin (Goyal et al. 2017
# do the same for residual networks, as Peebles & Xie note). A gate that starts at 1 undoes it, and lets the random
# branches speak at once. `scale` for `1 + scale` does not, for the gate is 0; but then the branch is given nothing but
# zeros at the start, whatever the tokens are.
#
# But can a zero learn? The gradient of the loss with respect to a gate is $f(\dots)$ times what comes from above, and
# that is not zero. The branch, though, gets the gate times what comes from above: nothing, as long as the gate is 0.
# And in the course's DiT the last layer is zero as well, so at first nothing comes from above: the network's answer
# $F$ is 0, and the denoiser $D = c_\text{skip}\,x + c_\text{out}\,F$ (chapter 9, section 2 ("Preconditioning"), with
# factors that depend on $\sigma$ alone) is $c_\text{skip}\,x$.
#
# **Predict, then run.** A fresh DiT takes four training steps. Which of its parts gets a gradient in step 1, in step
# 2, in step 3: the last layer, the modulations (gates among them), the attention?

# %%
torch.manual_seed(0)
fresh = DiT(
    image_size=7, channels=4, patch_size=1, width=48, depth=2, heads=3, num_classes=10, noise_scale=250.0
)
param = dc.denoisers.edm_param(1.0)
D = dc.denoisers.Preconditioned(fresh, param)
x0, y = (scale * z[:16]).cpu(), digits.labels[:16]
some_sigma, eps = torch.linspace(0.2, 2.0, 16), dc.Noise(6).like(x0)
with torch.no_grad():
    agree(
        "the fresh denoiser, and c_skip x",
        D(x0 + eps, 1.0, y),
        param.c_skip(torch.tensor(1.0)) * (x0 + eps),
        1e-6,
    )

PARTS = {
    "last layer": ["last.weight"],
    "modulations": ["modulation.weight"],
    "attention": ["qkv.weight"],
    "perceptron": ["mlp.0.weight"],
}
optimizer, seen = torch.optim.SGD(fresh.parameters(), lr=0.1), []
for _ in range(4):
    optimizer.zero_grad()
    dc.losses.denoising_loss(
        lambda x, s: D(x, s, y), x0, some_sigma, eps, dc.losses.unit_weight(param)
    ).backward()
    norms = {
        part: sum(p.grad.norm().item() for n, p in fresh.blocks.named_parameters() if n.endswith(tuple(ends)))
        for part, ends in list(PARTS.items())[1:]
    }
    seen.append({"last layer": fresh.last.weight.grad.norm().item()} | norms)
    optimizer.step()
show_table(
    ["gradient of", *(f"step {k}" for k in range(1, 5))],
    [(part, *(f"{row[part]:.2g}" for row in seen)) for part in PARTS],
)
claim(
    "in step 1 the last layer alone gets a gradient",
    seen[0]["last layer"] > 0 and max(list(seen[0].values())[1:]) == 0,
)
claim(
    "in step 2 the modulations do, too, and the branches do not",
    seen[1]["modulations"] > 0 == seen[1]["attention"] == seen[1]["perceptron"],
)
claim("from step 3 on all of them do", min(min(row.values()) for row in seen[2:]) > 0)

# %% [markdown]
# So zeros that multiply something else than zero learn, one after the other, each a step later. Two zeros that
# multiply *each other* would never: each gets the other as a factor of its gradient.
#
# ### A block
#
# A block is two branches: self-attention, in which tokens look at each other, then a perceptron, which each token
# goes through alone. Each has its own three modulations, and the layer `modulation` answers all six in a row:
#
# $$\begin{aligned}
# (\text{shift}_1, \text{scale}_1, \text{gate}_1, \text{shift}_2, \text{scale}_2, \text{gate}_2) &= \operatorname{modulation}(e) && \text{(B, 6E) in six parts of E} \\
# h &\leftarrow \operatorname{adaLN}(h;\; 1, \text{ attention}), \quad h \leftarrow \operatorname{adaLN}(h;\; 2, \text{ mlp}) \\
# \text{attention}(x) &= \operatorname{out}\Big(\operatorname{softmax}\Big(\frac{q k^\top}{\sqrt{E/\text{heads}}}\Big)\,v \text{ for each head}\Big), \quad (q, k, v) = \operatorname{qkv}(x)
# \end{aligned}$$
#
# `qkv` answers (B, N, 3E): $q$, then $k$, then $v$, each of them `heads` heads of $E/\text{heads}$ numbers, one after the
# other. Each head is a small attention of its own: $q k^\top$ is (N, N), and the softmax runs over the keys, its last axis.
# The heads' results stand side by side again, (B, N, E), before they go through `out` (Vaswani et al. 2017, section
# 3.2).
#
# ### Exercise {{12-dit_block}}
#
# Write the block. The layers come as functions, so that the same code runs with any weights; each is called once, with
# the whole batch. Gradients must reach $h$, $e$ and the weights of all layers, and large logits must not overflow. You may
# call your `adaln_zero`.
#
# *Hint.* `.reshape(B, N, 3, heads, E // heads).permute(2, 0, 3, 1, 4)` parts the answer of `qkv` into three tensors
# (B, heads, N, E/heads). Bring the heads back behind the tokens before you flatten.


# %%
# EXERCISE 12-dit_block (keep this line)
def dit_block(h, emb, modulation, qkv, out, mlp, heads):
    """A block of a diffusion transformer with adaLN-Zero (Peebles & Xie 2023, section 3.2).

    h: (B, N, E). emb: (B, E), it has gone through a SiLU. heads: divides E. The layers, all functions of one tensor:
    modulation: (B, E) -> (B, 6E); qkv: (B, N, E) -> (B, N, 3E); out, mlp: (B, N, E) -> (B, N, E). Returns (B, N, E).
    """
    ### BEGIN SOLUTION
    B, N, E = h.shape

    def attention(x):
        q, k, v = qkv(x).reshape(B, N, 3, heads, E // heads).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-1, -2) / (E // heads) ** 0.5).softmax(-1)
        return out((weights @ v).transpose(1, 2).reshape(B, N, E))

    shift1, scale1, gate1, shift2, scale2, gate2 = modulation(emb).chunk(6, dim=1)
    h = adaln_zero(h, shift1, scale1, gate1, attention)
    return adaln_zero(h, shift2, scale2, gate2, mlp)
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("12-dit_block", dit_block)

# %% [markdown]
# ### Your block in a trained network
#
# The class below is a whole DiT, of your `patchify` and your `dit_block`. It has the shapes and names of the course's
# `DiT`, so it can take the trained weights of `mnist-latent-dit`. Then it must say what the shipped network says.


# %%
class YourBlock(nn.Module):
    """The weights of a block. They are used by `dit_block`."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.modulation = nn.Linear(width, 6 * width)
        self.attention = nn.ModuleDict({"qkv": nn.Linear(width, 3 * width), "out": nn.Linear(width, width)})
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width)
        )
        nn.init.zeros_(self.modulation.weight), nn.init.zeros_(self.modulation.bias)

    def forward(self, h, emb):
        return dit_block(
            h, emb, self.modulation, self.attention["qkv"], self.attention["out"], self.mlp, self.heads
        )


class YourDiT(nn.Module):
    """net(x, c_noise, labels) for x (B, C, S, S): a transformer with adaLN-Zero, on patches of p x p."""

    def __init__(self, size, channels, p, width, depth, heads, num_classes=10, noise_scale=250.0):
        super().__init__()
        self.p, self.num_classes, self.no_label = p, num_classes, num_classes
        self.condition = Conditioning(width, num_classes, noise_scale)
        self.first = nn.Linear(p * p * channels, width)
        self.blocks = nn.ModuleList(YourBlock(width, heads) for _ in range(depth))
        self.last_modulation, self.last = nn.Linear(width, 2 * width), nn.Linear(width, p * p * channels)
        for layer in (self.last_modulation, self.last):
            nn.init.zeros_(layer.weight), nn.init.zeros_(layer.bias)
        self.positions = positions(size // p, width)

    def forward(self, x, c_noise, labels=None):
        emb = silu(self.condition(c_noise, labels))
        h = self.first(patchify(x, self.p)) + self.positions.to(x)
        for block in self.blocks:
            h = block(h, emb)
        shift, scale = self.last_modulation(emb).chunk(2, dim=1)
        normed = nn.functional.layer_norm(h, h.shape[-1:], eps=1e-6)
        return unpatchify(self.last((1 + scale[:, None]) * normed + shift[:, None]), self.p, *x.shape[2:])


yours = YourDiT(size=7, channels=4, p=1, width=96, depth=5, heads=3).to(course.device)
yours.load_state_dict(latent_digits.net.state_dict())
x = torch.randn(10, 4, 7, 7, generator=torch.Generator().manual_seed(1)).to(course.device)
with torch.no_grad():
    classes = torch.arange(10, device=course.device)
    one = dc.denoisers.Preconditioned(yours, latent_digits.param)(x, 1.0, classes)
    agree("the shipped denoiser, and yours with its weights", one, latent_digits(x, 1.0, classes), 1e-4)

# %% [markdown]
# What does the noise level do to such a network? The gates tell: the mean size of a block's gates, over the levels of
# sampling.
#
# **Predict, then run.** Where are the gates further open: at large noise or at small?

# %%
levels = torch.logspace(-2.5, 1.9, 30)
with torch.no_grad():
    emb = silu(yours.condition(param.c_noise(levels.to(course.device)), None))
    gates = {
        f"block {i}, {name}": block.modulation(emb).chunk(6, 1)[k].abs().mean(1).cpu()
        for i, block in list(enumerate(yours.blocks, 1))[::2]
        for name, k in (("attention", 2), ("perceptron", 5))
    }
large, small = torch.searchsorted(levels, torch.tensor([20.0, 0.01])).tolist()
claim(
    "every gate shown is wider open at noise level 20 than at 0.01",
    all(curve[large] > curve[small] for curve in gates.values()),
)
plots.curves(
    levels,
    gates,
    title="How far the gates of mnist-latent-dit are open",
    xlabel=r"$\sigma$ (log scale)",
    ylabel="mean size of a gate",
    logx=True,
)

# %% [markdown]
# Nobody told the gates: they get the noise level, and learned it. How much a block adds depends on its branch as well,
# so this does not say where the blocks do more.

# %%
quiz.ask("12-q4")

# %% [markdown]
# ## 7. U-Net or transformer, at equal cost
#
# Which is better? The question has no answer without "at which cost". Cost is counted in operations per evaluation of
# a sample: what an evaluation needs whatever the machine. The cell counts it for the networks of the course: on
# pixels and in latents, U-Net and transformer (`FlopCounterMode`, products and sums of matrix products and
# convolutions).


# %%
def flops(net, size, channels):
    """Millions of multiply-adds, counted as two, for one sample."""
    x, counter = torch.zeros(1, channels, size, size), FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        net(x, torch.zeros(1), torch.zeros(1, dtype=torch.long))
    return counter.get_total_flops() / 1e6


def parameters(net):
    return sum(p.numel() for p in net.parameters())


AT_7 = {"image_size": 7, "channels": 4, "num_classes": 10, "noise_scale": 250.0}
networks = {
    "U-Net on pixels (mnist-edm)": (copy.deepcopy(zoo.load("mnist-edm").net), 28, 1),
    "DiT on pixels, 2 x 2 (mnist-dit)": (DiT(28, 1, 2, 96, 5, 3, 10, 250.0), 28, 1),
    "DiT on pixels, 4 x 4": (DiT(28, 1, 4, 96, 5, 3, 10, 250.0), 28, 1),
    "DiT in latents (mnist-latent-dit)": (copy.deepcopy(latent_digits.net).cpu(), 7, 4),
    "U-Net in latents (mnist-latent-unet)": (UNet(widths=[60], blocks=2, attention=[7], **AT_7), 7, 4),
}
cost = {name: flops(*network) for name, network in networks.items()}
show_table(
    ["network", "parameters", "million operations a sample"],
    [(name, f"{parameters(networks[name][0]):,}", f"{c:.0f}") for name, c in cost.items()],
)
same = [networks[name][0] for name in cost if "latents" in name]
claim(
    "the two in latents have as many parameters and operations, within a tenth",
    abs(parameters(same[0]) / parameters(same[1]) - 1)
    < 0.1
    > abs(flops(same[0], 7, 4) / flops(same[1], 7, 4) - 1),
)
claim(
    "the DiT of 2 x 2 patches costs four times the one in latents, or more: four times the tokens",
    cost["DiT on pixels, 2 x 2 (mnist-dit)"] > 4 * cost["DiT in latents (mnist-latent-dit)"],
)

# %% [markdown]
# ### What the cards say
#
# The cards of the networks that ship tell what they reached: Fréchet distance of 1,000 samples without guidance, beside the
# cost of an evaluation. `mnist-dit` does not ship; `diffusion-course train mnist-dit` makes it. The two in latents share the
# autoencoder, the loss, the recipe and the noise that their samples start from, so they are compared in pairs, sample by sample.
#
# **Predict, then run.** At equal cost in the same latents: which of the two is nearer to real digits?

# %%
lines = []
for name in ("mnist-edm", "mnist-edm-long", "mnist-dit", "mnist-latent-dit", "mnist-latent-unet"):
    row = cards.get(name, {}).get("metrics", {}).get("guidance 1")
    if row:
        seen_images = cards[name]["config"]["recipe"]["steps"] * cards[name]["config"]["recipe"]["batch_size"]
        asked_of = next(c for told, c in cost.items() if name.removesuffix("-long") in told)
        lines.append(
            (
                name,
                f"{cards[name]['parameters']:,}",
                f"{asked_of:.0f}",
                f"{seen_images:,}",
                f"{row['frechet']:.2f} ± {intervals.reach(row['frechet standard error']):.2f}",
                f"{row['recognised']['share']:.3f} ({row['recognised']['wilson 95 %'][0]:.3f} to {row['recognised']['wilson 95 %'][1]:.3f})",
            )
        )
show_table(
    [
        "weights",
        "parameters",
        "million operations",
        "images seen",
        "Fréchet distance ± 95 %",
        "recognised (95 %)",
    ],
    lines,
)
nearer = {}
for w in ("guidance 1", "guidance 2"):
    pair = [cards[name]["metrics"][w] for name in ("mnist-latent-dit", "mnist-latent-unet")]
    nearer[w] = intervals.difference(*(row | {"n": row["recognised"]["n"]} for row in pair))
    chance = intervals.mcnemar(*(row["each"] for row in pair))
    print(f"DiT minus U-Net in latents, {w}: Fréchet distance {nearer[w]}; recognised, p = {chance:.2g}")
claim(
    "without guidance the U-Net's samples are nearer to real digits; with w = 2 neither is",
    nearer["guidance 1"].low > 0 and nearer["guidance 2"].low < 0 < nearer["guidance 2"].high,
)

# %% [markdown]
# Without guidance the U-Net is ahead; with it neither is seen to be nearer, which does not say that they are equal: read the interval. Two reasons
# come to mind and are not tested here: the latents are a 7×7 map, which convolutions may suit, and the training is short.
#
# Each row is one training run, so all of this ranks files, not methods: a second seed of either is another network.

# %% [markdown]
# ### A comparison of your own, live
#
# Two small networks in the same latents: your transformer, and a U-Net that costs as much per evaluation. Both train
# with the same loss on the same batches, noises and noise levels, for a short while. Then both guess the clean
# latents of 1,000 held-out digits from the same noise. Errors are told in EDM's units, $\|D - x_0\|^2/c_\text{out}^2$ per
# entry, in which an untrained network has about 1 at every noise level (chapter 9, section 2 ("Preconditioning")).
#
# **Predict, then run.** Which has the smaller error after so short a training, at large noise and at small? Write down
# why before you look.

# %%
SHORT = course.pick(small=120, large=2000)
u_train, u_test = (scale * z).to(course.device), (scale * space.encode(held_out.images)).to(course.device)
y_train, y_test = digits.labels.to(course.device), held_out.labels.to(course.device)
small_nets = {
    "your DiT": lambda: YourDiT(size=7, channels=4, p=1, width=48, depth=3, heads=3),
    "U-Net": lambda: UNet(widths=[28], blocks=1, attention=[7], **AT_7),
}


def train(make, seed):
    """A denoiser of latents, trained for SHORT steps of 32; the seed draws its weights, batches and noise."""
    torch.manual_seed(seed)
    net, g = make().to(course.device), torch.Generator().manual_seed(seed)
    D = dc.denoisers.Preconditioned(net, param)

    def loss_of(step):
        rows = torch.randint(0, len(u_train), (32,), generator=g)
        level = dc.losses.log_normal(torch.randn(32, generator=g), 0.0, 1.2).float()
        eps = torch.randn(32, 4, 7, 7, generator=g).to(course.device)
        return dc.losses.denoising_loss(
            lambda x, s: D(x, s, y_train[rows]),
            u_train[rows],
            level.to(course.device),
            eps,
            dc.losses.unit_weight(param),
        )

    fit(net, loss_of, SHORT)
    return D


short = {(name, seed): train(make, seed) for name, make in small_nets.items() for seed in (0, 1)}

# %%
# NBVAL_IGNORE_OUTPUT
tested = [0.2, 0.5, 1.0, 2.0]
eps = dc.Noise(8, per_sample=False).like(u_test)


def each_error(D, sigma):
    """The squared error of each held-out latent, in EDM's units: (N,)."""
    level = torch.tensor(sigma, device=course.device)
    return (D(u_test + sigma * eps, level, y_test) - u_test).square().mean((1, 2, 3)) / param.c_out(
        level
    ).cpu().item() ** 2


error_of = {key: torch.stack([each_error(D, s) for s in tested]).cpu() for key, D in short.items()}
show_table(
    ["network", "seed", "parameters", "million operations", *(f"σ = {s:g}" for s in tested), "mean"],
    [
        (
            name,
            seed,
            f"{parameters(D.net):,}",
            f"{flops(copy.deepcopy(D.net).cpu(), 7, 4):.1f}",
            *(f"{e:.3f}" for e in error_of[name, seed].mean(1)),
            f"{error_of[name, seed].mean():.3f}",
        )
        for (name, seed), D in short.items()
    ],
)
spent = [flops(copy.deepcopy(short[name, 0].net).cpu(), 7, 4) for name in small_nets]
claim(
    "an evaluation of one costs as much as of the other, within a tenth", abs(spent[0] / spent[1] - 1) < 0.1
)
between = torch.stack([(error_of[name, 0] - error_of[name, 1]).mean(1).abs() for name in small_nets]).amax(
    0
)  # of two runs, at each noise level
ahead = {}
for seed in (0, 1):
    d = error_of["your DiT", seed] - error_of["U-Net", seed]
    ahead[seed] = d.mean(1)
    reach_of = 1.96 * d.std(1) / d.shape[1] ** 0.5
    parts = [f"σ = {s:g}: {m:+.3f} ± {r:.3f}" for s, m, r in zip(tested, ahead[seed], reach_of, strict=True)]
    print(f"seed {seed}, DiT minus U-Net, in pairs over 1,000 latents: {', '.join(parts)}")
claim(
    "in both runs the DiT is ahead at σ = 0.2 and the U-Net at σ = 1 and 2, each by more than two runs of one differ",
    all(d[0] < -between[0] and (d[2:] > between[2:]).all() for d in ahead.values()),
)

# %% [markdown]
# One mean over the levels would have called them equal. Read the rows with care, too. The interval is over held-out
# latents: it says that *these two files* differ, and nothing of other seeds; two seeds are two. And the training is
# short, which favours a network that has something built in: a convolution knows that neighbours belong together, a
# transformer must learn it. That may be why the U-Net is ahead at large noise; it is not tested here. Peebles & Xie (2023)
# train for hundreds of thousands of steps, and find quality to follow the operations spent.
# `diffusion-course train mnist-latent-unet` trains the counterpart of the shipped network, with the same recipe and,
# as the table above shows, nearly as many operations and parameters.
#
# ### Samples of a transformer that you built and trained here
#
# Your sampler, your blocks, your patches, your scale. Expect strokes, and few digits: the shipped network has seen
# far more latents.

# %%
mine = short["your DiT", 0]
labels = torch.arange(10, device=course.device).repeat(2)


def my_denoiser(x, sigma):
    return mine(x, sigma, labels)


_, images = latent_sample(
    my_denoiser, lambda z: space.decode(z), noise[:20], dc.schedules.karras(18), scale.to(course.device)
)
plots.images(images, title="After a training of some seconds")

# %% [markdown]
# ## Common slips
#
# - The variance in the place of the standard deviation in the scale, or a factor that is multiplied again on
#   decoding. Both run; the second gives pictures that are washed out or overdriven.
# - A scale copied from another autoencoder. 0.18215 belongs to one file.
# - Latents clipped to $[-1, 1]$, by a sampler made for pixels.
# - Patches in another order in `patchify` than in `unpatchify`; H and W swapped, which square images hide until the
#   first one that is not.
# - `scale` for `1 + scale`; shift and scale taken from the six parts in the wrong order; a gate that starts at 1. A
#   network that is trained so may learn around it; one that takes trained weights fails.
# - Two networks compared at equal *parameters*: a convolution uses each weight at every place, a modulation once per
#   sample. Compare operations.
#
# ## Summary
#
# - An autoencoder parts detail from content. Its loss is a bound on the likelihood, and $\beta$ is twice the variance
#   the decoder claims for a pixel.
# - Without the regulariser latents have no unit. With it the encoder's samples have nearly unit variance, and their
#   means, which diffusion is given, less: a scale does the rest.
# - A wrong scale moves every log-SNR by $2 \ln k$. The scale and the schedule are one choice.
# - Sampling in latents is sampling; nothing is clipped, the last latent is divided by the scale and decoded once. The
#   decoder's error is the floor.
# - A transformer sees a row of patches, and must be told their places. adaLN-Zero lets the noise level and the class
#   scale, shift and gate each layer; its zeros make each block the identity at first, and learn.
# - Compare architectures at equal operations, with the interval of the chance that you mean.
#
# ## References
#
# - Rombach, Blattmann, Lorenz, Esser, Ommer (2022). [*High-resolution image synthesis with latent diffusion
#   models.*](https://arxiv.org/abs/2112.10752) Sections 3.1, 3.2, 4.1; appendix G.
# - Peebles, Xie (2023). [*Scalable diffusion models with transformers.*](https://arxiv.org/abs/2212.09748) Section 3.2.
# - Kingma, Welling (2014). [*Auto-encoding variational Bayes.*](https://arxiv.org/abs/1312.6114) Eq. 10.
# - Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser, Polosukhin (2017). [*Attention is all you
#   need.*](https://arxiv.org/abs/1706.03762) Sections 3.2, 3.5.
# - Goyal, Dollár, Girshick, Noordhuis, Wesolowski, Kyrola, Tulloch, Jia, He (2017). [*Accurate, large minibatch SGD:
#   training ImageNet in 1 hour.*](https://arxiv.org/abs/1706.02677) Section 5.1.
# - Chen (2023). [*On the importance of noise scheduling for diffusion models.*](https://arxiv.org/abs/2301.10972)
# - Karras, Aittala, Aila, Laine (2022). [*Elucidating the design space of diffusion-based generative
#   models.*](https://arxiv.org/abs/2206.00364)
# - Wilson (1927). [*Probable inference, the law of succession, and statistical
#   inference.*](https://doi.org/10.1080/01621459.1927.10502953)

# %%
# NBVAL_CHECK_OUTPUT
check_all()
