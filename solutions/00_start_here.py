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
# # 0. Start here: from noise to digits
#
# A diffusion model learns one thing: to guess a clean image from a noisy one. Applied again and again, that guess turns
# pure noise into a new image. This chapter shows it happen with a small trained network, places diffusion among the other
# generative models, and explains how the course works.
#
# **You will**
# - turn noise into handwritten digits, and look at every step on the way;
# - see what the network itself answers: a blurred average, not an image;
# - move two sliders: the noise level, and the guidance scale;
# - learn how exercises, checks and quizzes work.
#
# **You need** Python and a little PyTorch. The mathematics starts in chapter 1.
# **Time:** {{reading}} of reading and looking; the cells take 10 to 30 seconds on two CPU cores.

# %%
import torch

import diffusion_course as dc
from diffusion_course.experiments import data, metrics, zoo
from diffusion_course.guidance import cfg
from diffusion_course.notebook import grids, quiz, widgets
from diffusion_course.notebook.claims import claim
from diffusion_course.notebook.tables import show_table

# %% [markdown]
# ## 1. Noise becomes digits
#
# The course ships a network that was trained on 60,000 handwritten digits (MNIST). Its card says how it was made and
# what was measured, so that you need not believe us: the command on it makes the same kind of file again.

# %%
digits = zoo.load("mnist-flow-long", course.device)
card = zoo.cards()["mnist-flow-long"]
made = [(entry, card[entry]) for entry in ("command", "data")]
made += [(entry, f"{card[entry]:,}") for entry in ("parameters", "steps")]
for scale in ("guidance 1", "guidance 2"):
    found = card["metrics"][scale]["recognised"]
    low, high = found["wilson 95 %"]
    seen = f"{found['share']:.1%} of {found['n']:,} samples (95 % interval {low:.1%} to {high:.1%})"
    made.append((f"recognised, {scale}", seen))
show_table(["", "the card of mnist-flow-long"], made)

# %% [markdown]
# Three objects do all the work of this course:
#
# | in the text | in the code | what it is |
# |---|---|---|
# | $\sigma_i$, $i = 0, \dots, N$ | `sigmas` | a grid of noise levels, from $\sigma_\text{max}$, very noisy, down to 0, clean |
# | $D(x, \sigma)$ | `digits.given(label)` | the *denoiser*: its guess of the clean image behind the noisy $x$ |
# | one step $\sigma_i \to \sigma_{i+1}$ | `dc.samplers.euler` | moves $x$ a little towards that guess |
#
# **Predict, then run.** The loop begins with $80$ times unit noise. After half of the steps, will you be able to read the
# digits in $x$? And in the denoiser's guess $D(x, \sigma)$?

# %%
labels = torch.arange(10, device=course.device)
sigmas = dc.schedules.karras(20)
start = sigmas[0] * dc.Noise(4).randn(10, 1, 28, 28, device=course.device)
path = dc.trajectory(digits.given(labels), start, sigmas, step=dc.samplers.euler)
print(
    f"{path.nfe} calls of the network; path.x has shape {tuple(path.x.shape)}: states, samples, channels, pixels"
)

# %%
shown = [0, 6, 9, 11, 13, 15, 17, 20]
# Noise of size sigma is divided by sqrt(1 + sigma^2) here, so that every state fits the grey scale.
states = torch.stack([dc.gaussian.to_vp(path.x[i], path.sigma[i]) for i in shown])
heads = [f"σ = {path.sigma[i]:.2g}" for i in shown]
grids.filmstrip(states[:, :5], heads, title="The state x on its way from noise to data")

# %%
grids.filmstrip(path.x0[shown][:, :5], heads, title="The denoiser's guess D(x, σ) at the same moments")

# %% [markdown]
# **What to see.** The guess is ahead of the state. At large $\sigma$ it is the average of all digits of its class, because
# that is the best guess when nothing is visible. As $\sigma$ falls, the guess commits to one digit, and details come last.
# The state follows the guess. The network is never asked for a finished image at once: only the very last step
# returns the guess itself, and by then little is left to guess. The cell checks that last step.

# %%
last = digits.given(labels)(path.x[-2], path.sigma[-2])
claim("the last step returns the denoiser's guess", torch.allclose(path.x[-1], last, atol=1e-4))

# %% [markdown]
# ## 2. What the network does: one call, one noise level
#
# Take a real digit, add noise of size $\sigma$, and ask for the clean image. Chapter 1 studies the noisy image, chapters 2
# and 3 the guess.
#
# The textbooks count noise levels by a time $t = 1, \dots, T$ and write the noisy image as
#
# $$x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \varepsilon, \qquad \varepsilon \sim \mathcal N(0, I)
# \qquad \text{(Ho et al. 2020, eq. 4).}$$
#
# Here $x_0$ is the clean image, $\varepsilon$ is the noise, and $\bar\alpha_t$ falls from almost 1 at $t = 1$ to almost 0 at
# $t = T$. Both ways of counting say the same: $\sigma_t^2 = (1 - \bar\alpha_t)/\bar\alpha_t$. The slider moves $t$.

# %%
schedule = dc.NoiseSchedule.from_betas(dc.schedules.linear(1000))
real = data.load("mnist-5k", "test")
image = real.images[[3, 250, 520, 777, 950]].to(course.device)
digit = real.labels[[3, 250, 520, 777, 950]].to(course.device)
noise = dc.Noise(7).like(image)


@torch.no_grad()
def noisy_and_guess(t=300):
    sigma = schedule.sigma(t)
    x_t = dc.gaussian.diffuse(image, t, noise, schedule)
    guess = digits.given(digit)(dc.gaussian.to_ve(x_t, sigma), sigma)
    rows = torch.stack([image, x_t, guess]).cpu()
    return grids.filmstrip(
        rows.transpose(0, 1),
        [str(int(d)) for d in digit],
        rows=["clean", "noisy", "guess"],
        title=f"t = {t}, σ = {sigma:.2f}",
    )


widgets.slide(
    noisy_and_guess,
    description="Five real digits, the same with noise, and the network's guess",
    static=[{"t": 100}, {"t": 300}, {"t": 600}],
    t=(1, 1000),
)

# %% [markdown]
# **What to see.** The guess is nearly perfect at small $t$. Around $t = 300$ it repairs what the noise hid. At $t = 600$ the
# image says little, and the guess blurs towards the average digit of the class it was told.

# %%
quiz.ask("00-q1")

# %% [markdown]
# ## 3. Guidance: how strongly to follow the label
#
# The network was trained with the label left out one time in ten. So it gives two guesses: $D(x, \sigma \mid y)$ for the
# class $y$, and $D(x, \sigma)$ for any digit. Classifier-free guidance (Ho & Salimans 2021) goes from the second towards
# the first, and past it:
#
# $$D_w(x, \sigma) = D(x, \sigma) + w\,\bigl(D(x, \sigma \mid y) - D(x, \sigma)\bigr).$$
#
# $w = 0$ ignores the label, $w = 1$ is the plain conditional model, and $w > 1$ exaggerates what is typical of the class.
# Throughout the course $w = 1$ means "no guidance". Chapter 6 derives this line.
#
# **Predict, then run.** Every picture keeps its label and its starting noise. What happens to the variety of a digit's shapes as
# $w$ grows?

# %%
scales = [0.0, 1.0, 2.0, 3.0, 5.0, 8.0]
coarse = dc.schedules.karras(16)
labels = torch.arange(10, device=course.device).repeat(2)
start = coarse[0] * dc.Noise(11).randn(20, 1, 28, 28, device=course.device)
samples = {w: dc.sample(cfg(digits.given(labels), digits, w), start, coarse).cpu() for w in scales}

# %%
frames = {
    w: grids.images(x, title=f"Guidance scale w = {w:g}: asked for 0 1 2 3 4 5 6 7 8 9, twice")
    for w, x in samples.items()
}
widgets.slide_frames(
    frames,
    "w",
    labels={"w": "guidance scale w"},
    description="Twenty samples at each guidance scale",
    static=[{"w": 0.0}, {"w": 2.0}, {"w": 8.0}],
)

# %% [markdown]
# **What to see.** At $w = 0$ the columns are no longer in order: the label is ignored. At $w = 2$ almost every digit is easy to
# read. At $w = 8$ strokes are thick, and the two samples of a class resemble each other more. The cell below measures both, the
# ink and the distance of the two. Quality was bought with variety.
#
# Looking at twenty samples proves little. A *judge*, a classifier trained on real digits, reads more of them. The card
# above has its verdict on 1,000 samples with an error bar; here is a smaller live count.

# %%
# NBVAL_IGNORE_OUTPUT
judge = zoo.judge("mnist", course.device)
for w, x in samples.items():
    right = metrics.count_recognised(judge, x.to(course.device).clamp(-1, 1), labels)
    low, high = metrics.wilson(right, len(labels))
    ink, apart = (x.mean() + 1) / 2, (x[:10] - x[10:]).square().mean().sqrt()
    print(
        f"w = {w:g}: {right:2d} of {len(labels)} recognised as their label, 95 % interval {low:.2f} to {high:.2f};"
        f" share of ink {ink:.2f}, the two of a class are {apart:.2f} apart per pixel"
    )

# %% [markdown]
# Mind the intervals: with twenty samples you cannot tell $w = 1$ from $w = 3$. Faults in a few dozen samples are often counted,
# and conclusions drawn from them; this course gives an interval with every count.

# %%
quiz.ask("00-q4")

# %% [markdown]
# ## 4. Five families of generative models
#
# All of them learn a distribution $p(x)$ from samples of it. They differ in what the network is, and what it costs.
#
# | family | what the network learns | one sample costs | likelihood $p(x)$ | typical weakness |
# |---|---|---|---|---|
# | VAE (Kingma & Welling 2014) | encoder $q(z \mid x)$ and decoder $p(x \mid z)$ | one call | a lower bound | blurred samples |
# | GAN (Goodfellow et al. 2014) | generator against discriminator | one call | none | unstable training, lost modes |
# | normalising flow (Rezende & Mohamed 2015) | an invertible map from noise to data | one call | exact | only invertible layers |
# | score model (Song & Ermon 2019) | $\nabla_x \log p(x; \sigma)$ at many noise levels | many calls | by an ODE | slow sampling |
# | diffusion (Sohl-Dickstein et al. 2015; Ho et al. 2020) | the noise in $x_t$, or the clean image behind it | many calls | a lower bound, or by an ODE | slow sampling |
#
# The last two are one family in two notations. If $D$ is the best possible denoiser, then
#
# $$\nabla_x \log p(x; \sigma) = \frac{D(x, \sigma) - x}{\sigma^2} \qquad \text{(Karras et al. 2022, eq. 3).}$$
#
# Here $p(x; \sigma)$ is the density of data blurred by noise of size $\sigma$. For a mixture of Gaussians everything in this
# formula is known exactly, so it can be run: the left side by automatic differentiation, the right side from the denoiser.

# %%
mixture = dc.denoisers.GaussianMixture(
    torch.tensor([[-2.0, 0.0], [1.0, 1.5], [2.0, -1.0]], dtype=torch.float64), torch.tensor([0.3, 0.6, 0.4])
)
x = (3 * dc.Noise(0).randn(1000, 2, dtype=torch.float64)).requires_grad_()
sigma = 0.8
left = torch.autograd.grad(mixture.log_density(x, sigma).sum(), x)[0]
right = (mixture(x, sigma) - x) / sigma**2
print("score = (D - x) / sigma^2 to 1e-12:", torch.allclose(left, right, rtol=0, atol=1e-12))

# %% [markdown]
# A VAE is the nearest relative of a diffusion model: both maximise a lower bound of $\log p(x)$ with latent variables. In
# diffusion the encoder is fixed (it adds noise), and the latent variables are as large as the data. Chapter 2 makes that exact.

# %%
quiz.ask("00-q2")

# %%
quiz.ask("00-q3")

# %% [markdown]
# ## 5. How this course works
#
# - **Every formula is run.** Next to a displayed formula stands a cell that computes both of its sides.
# - **Exercises.** A cell that begins with `# EXERCISE ...` holds a function to complete. The cell after it checks your
#   function on random inputs. It prints one line when all is right. When not, it says what it expected, what it got, and which
#   classic mistake that looks like. Keep the first line of an exercise cell: grading finds your answer by it.
# - **Sliders** need a running kernel. Readers without one see a static picture of a few settings. Where a notebook that you open again
#   says "Error displaying widget", run its cells again.
# - **Quizzes** check an answer at once. No one collects them.
# - **Times.** A chapter's time to read is counted for somebody who reads to understand: 200 words, a line of a derivation, or
#   15 lines of code a minute, and 2 minutes for each question, prediction and slider. Exercises are counted apart.
# - **Points.** Every exercise has some; its check names them, and `check_all()` at the end of a chapter lists yours. Grading runs the
#   same checks on hidden seeds, so an answer that only fits the public inputs earns nothing.
# - **Hand in** the notebook file itself (`File > Download`, or the file in your folder). Outputs are not trusted; your functions are.
# - **Stuck?** Read the hint again, then the formula it names. The executed solutions lie in `solutions/`.
#
# Here is the check at work on an unfinished function of chapter 1. It says what is to be done and stops nothing: the notebook goes on
# with the course's own function, for no points, so that every chapter can be read and run to its end before anything is written.

# %%
# NBVAL_SKIP
from diffusion_course.classroom import check


def snr(alpha_bar):
    raise NotImplementedError


check("01-snr", snr)

# %% [markdown]
# ## 6. The notation of the course
#
# Nearly every symbol means one thing in all chapters; where two meanings could not be avoided, the table has both. This is the whole table, to come back to; each chapter begins with its part of it.
# An index is part of a symbol: $t$ counts the steps of the forward process, from clean data upwards, and $i$ the levels of a
# sampler's grid, from noise downwards. Letters that are not in the table, such as $s$ or $a$, are local: a chapter says what
# they are where it uses them.
#
# {{notation}}
#
# Attributes such as `betas` belong to a `dc.NoiseSchedule`. Python counts from 0, hence `t - 1`.

# %% [markdown]
# ## References
#
# - J. Sohl-Dickstein, E. Weiss, N. Maheswaranathan, S. Ganguli (2015). [*Deep Unsupervised Learning using Nonequilibrium Thermodynamics.*](https://arxiv.org/abs/1503.03585)
# - J. Ho, A. Jain, P. Abbeel (2020). [*Denoising Diffusion Probabilistic Models.*](https://arxiv.org/abs/2006.11239)
# - J. Ho, T. Salimans (2021). [*Classifier-Free Diffusion Guidance.*](https://arxiv.org/abs/2207.12598)
# - T. Karras, M. Aittala, T. Aila, S. Laine (2022). [*Elucidating the Design Space of Diffusion-Based Generative Models.*](https://arxiv.org/abs/2206.00364)
# - Y. Lipman et al. (2023). [*Flow Matching for Generative Modeling*](https://arxiv.org/abs/2210.02747): the straight path on which this chapter's network was trained.
# - [D. Kingma, M. Welling (2014)](https://arxiv.org/abs/1312.6114); [I. Goodfellow et al. (2014)](https://arxiv.org/abs/1406.2661); [D. Rezende, S. Mohamed (2015)](https://arxiv.org/abs/1505.05770); [Y. Song, S. Ermon (2019)](https://arxiv.org/abs/1907.05600): the other families.
#
# Next: `01_forward_process`, where noise is added and nothing is learned yet.
