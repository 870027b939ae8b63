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
# # 13. Text to image, and control
#
# "A thin seven leaning left." A network that draws what a sentence says is a denoiser like the others of this course, with
# one more input. This chapter builds all of it at the size of a digit: captions, a network that reads them, guidance by
# text, guidance by CLIP, an adapter that teaches a new style in 100 steps, and a branch that makes the network follow a
# sketch. Because the captions come from measurements, every claim can be measured too: does the text help, and how much?
#
# **You learn**
#
# - how text enters a denoiser, by cross-attention, and why a share of the captions is dropped in training;
# - how to measure what a text does: in pairs, with an interval, and on combinations of words that training never saw;
# - guidance by the gradient of an image-text model, as GLIDE has it, and what it costs beside classifier-free guidance;
# - LoRA: a small change of a large network, and why one of its two factors begins as zero and the other does not;
# - a control branch that begins with no say, and why two layers of zeros in series never learn;
# - how DALL-E 2, Imagen, GLIDE and latent diffusion put these parts together.
#
# **You need** guidance (chapter 6), Heun's step (chapter 9) and the interval of a mean. Cross-attention is explained here.
#
# **Time**: {{reading}} of reading, and {{minutes}} for {{exercises}}. The cells run in about 60 s on 2 CPU cores (not measured
# on a GPU).

# %% [markdown]
# ## Notation
#
# {{notation x0 x sigma D x0_hat y D_uc w nfe}}
#
# In this chapter the condition $y$ is a caption, which says more than a class. $B$ is the number of samples and $\mathcal L$ a loss. All other
# letters are explained where they stand and hold for that section alone: in {{section A small change}} $A$ and $B$ are factors of a
# matrix, and there and in {{section Control}} $y$ is what a layer should answer.

# %%
import copy
import tempfile
from pathlib import Path

import torch
from IPython.display import display
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

import diffusion_course as dc
from diffusion_course import losses
from diffusion_course.captions import DIGITS, Caption
from diffusion_course.classroom import check, check_all
from diffusion_course.experiments import (
    adapters,
    captioned,
    data,
    metrics,
    objectives,
    strokes,
    text_objectives,
    text_quality,
    training,
    zoo,
)
from diffusion_course.experiments.config import Config
from diffusion_course.experiments.recipe import Recipe
from diffusion_course.experiments.released import tiny
from diffusion_course.guidance import cfg, clip, clip_guidance
from diffusion_course.nets import lora as adapting
from diffusion_course.nets.control import Controlled, Hinted
from diffusion_course.nets.text_unet import AttentionToWords
from diffusion_course.notebook import grids, plots, quiz, widgets
from diffusion_course.notebook.claims import agree, claim
from diffusion_course.notebook.tables import show_table
from diffusion_course.texted import Texted

# %% [markdown]
# ## 1. Words from measurements
#
# Large models learn from captions that people wrote, and nobody can say how well a caption fits its image. Here it is
# known: two numbers are measured on each digit, and the numbers choose the words.
#
# **Width.** Let $m$ be the ink of the image, between 0 and 1. A stroke of length $\ell$ and width $b$ has the area
# $S = \sum m = b\ell$ and an edge on both sides, of length $P = \sum |\nabla m| = 2\ell$ together. So its width is $b = 2S/P$.
#
# **Slant.** Let $(u, v)$ be the place of a pixel, measured from the centre of the ink, $v$ downwards. The line that best predicts $u$
# from $v$ has the slope $\sum m\, u v / \sum m\, v^2$, so
#
# $$\tan(\text{slant}) = -\frac{\sum m\, u\, v}{\sum m\, v^2}.$$
#
# The minus is there because $v$ points down: a digit leans right when its top is on the right. The cell computes both by these
# formulas and compares them with `strokes.stroke_width` and `strokes.slant`. (The library takes the gradient of the
# ink between pixels; so does the cell.)

# %%
train = data.load("mnist-5k-captions")
test = data.load("mnist-5k-captions", "test")
some = test.images[:100]

m = F.pad(strokes.ink(some), (1, 1, 1, 1)).double()
right = m[:, :, 1:] - m[:, :, :-1]
down = m[:, 1:] - m[:, :-1]
edge = torch.hypot((right[:, 1:] + right[:, :-1]) / 2, (down[:, :, 1:] + down[:, :, :-1]) / 2).sum((1, 2))
agree("width = 2 S / P", strokes.stroke_width(some), 2 * m.sum((1, 2)) / edge, 1e-4)

side = torch.arange(m.shape[1]).double()
mass = m.sum((1, 2))
u = side[None] - (m.sum(1) @ side / mass)[:, None]  # of each column
v = side[None] - (m.sum(2) @ side / mass)[:, None]  # of each row
slope = torch.einsum("nij,ni,nj->n", m, v, u) / torch.einsum("nij,ni->n", m, v**2)
agree("slant", strokes.slant(some), torch.rad2deg(torch.atan(-slope)), 1e-4)

# %%
limits = {name: ends for name, (_, ends) in captioned.LIMITS.items() if name in DIGITS.attributes}
print("the limits between the three levels:", limits)
leans = {k: strokes.slant(train.images[train.labels // DIGITS.cells == k]) for k in (1, 5, 7)}
low, high = limits["slant"]
share = {name: captioned.level(name, train.images).bincount() / len(train.images) for name in limits}
print("the share of each level:", {name: [f"{v:.2f}" for v in found] for name, found in share.items()})
claim("each level of the width has a quarter of the images at least", share["width"].min() > 0.25)
claim("more than half lean right", share["slant"][2] > 0.5)
show_table(
    ["digit", "leaning left", "upright", "leaning right"],
    [
        (k, *(f"{part.double().mean():.2f}" for part in (v < low, (v >= low) & (v <= high), v > high)))
        for k, v in leans.items()
    ],
    "Share of the training images of a digit",
)
claim(
    "sevens lean left more often than ones",
    (leans[7] < low).double().mean() > (leans[1] < low).double().mean(),
)
plots.histogram(
    {str(k): values for k, values in leans.items()},
    title="Slant of three digits, in degrees",
    xlabel="degrees to the right",
    limits=(-50, 50),
)

# %% [markdown]
# The limits of the width are chosen so that no level is rare, and those of the slant so that "upright" is within 6 degrees of upright, though more
# than half of all digits lean right. They are the same for all digits, and the digits do not lean alike. So "leaning left" is said of few ones and of many more sevens, and a
# word about slant says something about the class as well.
#
# A *grammar* turns the levels into words, in English and in Russian, where an adjective takes the form of its noun. It also reads:
# `parse` finds the meaning of a caption in either language. A caption may leave things out.
#
# A class and both levels together are a *composition*. There are 10 × 3 × 3 of them. One composition of each digit is
# **held out**: no image of it is in the training set. All its words are, in other combinations. Whether a model can draw what
# it never saw from words it knows is a question that needs such a gap.

# %%
for language in DIGITS.languages:
    print(
        " | ".join(
            DIGITS.write(c, language)
            for c in (Caption(7, (0, 0)), Caption(3, (2, None)), Caption(8, (None, 1)))
        )
    )
claim(
    "both languages say the same",
    DIGITS.parse("Тонкая семерка с наклоном влево.") == DIGITS.parse("a thin seven leaning left"),
)
held_out = [i for i in range(len(DIGITS)) if DIGITS.held_out(i)]
print("held out:", "; ".join(DIGITS.write(DIGITS.composition(i)) for i in held_out[:4]), "...")
claim("one composition of each digit is held out", [i // DIGITS.cells for i in held_out] == list(range(10)))
claim("none of them is in the training set", not set(train.labels.tolist()) & set(held_out))
claim("the test set has some", set(test.labels.tolist()) & set(held_out))


# %%
def first_of(number):
    """The first training image of a composition, or black where there is none."""
    rows = (train.labels == number).nonzero()
    return train.images[rows[0, 0]] if len(rows) else torch.full((1, 28, 28), -1.0)


widths, slants = ("thin", "medium", "thick"), ("leaning left", "upright", "leaning right")
squares = [[first_of(7 * 9 + 3 * width + slant) for width in range(3)] for slant in range(3)]
grids.filmstrip(
    torch.stack([torch.stack(column) for column in squares]),
    slants,
    rows=widths,
    title="Sevens by width and slant; what is black is not in the training set",
)

# %% [markdown]
# Not every black square is held out on purpose: the 4,000 training images of this set are few, and some compositions are rare. The
# shipped network learned from all 60,000 digits of MNIST, less those held out.
#
# ## 2. A network that reads
#
# The network is the U-Net of chapter 3 with two parts added. A **text encoder**, a small transformer, turns a caption of at most $L = 8$
# words into $L$ vectors; empty places are filled with a token of their own, and a caption of nothing but that token is the empty
# one, "no text". Both languages share the encoder. And wherever the U-Net has attention, its pixels also look at these
# vectors, by **cross-attention** (Rombach et al. 2022, section 3.3):
#
# $$\mathrm{Attention}(Q, K, V) = \operatorname{softmax}\Big(\frac{Q K^\top}{\sqrt{e}}\Big)\, V.$$
#
# The queries $Q$, a row for each pixel, come from the image. Keys $K$ and values $V$, a row for each word, come from the text. $e$ is
# the length of a row. So each pixel takes a mean of the words' values, weighted by how well their keys answer its query. Several *heads* do
# this beside each other, each with its own part of the channels. In self-attention $K$ and $V$ come from the pixels as well.
#
# The cell runs one such layer of the shipped network by the formula, and by the library.

# %%
reader = zoo.load("mnist-text", course.device)
card = zoo.cards()["mnist-text"]
made = [(entry, card[entry]) for entry in ("command", "data", "seconds", "device")]
made += [(entry, f"{card[entry]:,}") for entry in ("parameters", "steps")]
show_table(["", "the card of mnist-text"], made)
print(reader.net.text.vocabulary.tokens(["a thin seven leaning left", "тонкая семёрка", ""]))
settings = Config.of(card["config"])
print("share of the captions that were dropped in its training:", settings.label_dropout)

# %%
layer = next(part for part in reader.net.modules() if isinstance(part, AttentionToWords))
pixels = dc.Noise(0).randn(2, layer.out.in_channels, 7, 7, device=course.device)
words = reader.embed(["a thin seven leaning left", "толстая тройка"])  # (2, L, E)
own = layer.own(pixels)  # self-attention comes first
e = layer.out.in_channels // layer.heads
Q = layer.query(layer.norm(own)).flatten(2).transpose(1, 2)  # (2, 49, channels): a row for each pixel
K, V = layer.key_value(words).chunk(2, dim=2)  # (2, L, channels): a row for each word
answers = []
for head in range(layer.heads):
    q, k, value = (rows[..., head * e : (head + 1) * e] for rows in (Q, K, V))
    weights = torch.softmax(q @ k.transpose(1, 2) / e**0.5, dim=2)  # (2, 49, L)
    answers.append(weights @ value)
mean_of_values = torch.cat(answers, dim=2).transpose(1, 2).reshape(own.shape)
agree("cross-attention by the formula", layer(pixels, words), own + layer.out(mean_of_values), 1e-5)

# %% [markdown]
# **Predict, then run.** The denoiser is asked about pure noise of $\sigma = 5$ with three captions: "a thin seven", the same in
# Russian, and "a thick seven". Which two guesses are nearest to each other?

# %%
noisy = 5 * dc.Noise(1).randn(50, 1, 28, 28, device=course.device)
five = torch.tensor(5.0)
guess = {
    text: reader.given(text)(noisy, five) for text in ("a thin seven", "тонкая семёрка", "a thick seven")
}


def apart(a, b):
    """Root mean square of the difference of two captions' guesses, per pixel."""
    return (guess[a] - guess[b]).square().mean().sqrt().item()


translated, thicker = apart("a thin seven", "тонкая семёрка"), apart("a thin seven", "a thick seven")
print(f"the translation: {translated:.3f}, the other width: {thicker:.3f} per pixel")
claim(
    "a caption's guess is nearer to that of its translation than to that of another width",
    translated < thicker,
)
ink = {text: (x.mean() + 1) / 2 for text, x in guess.items()}
claim("the guess of a thick seven has more ink", ink["a thick seven"] > ink["a thin seven"])

# %% [markdown]
# Nobody told the network which words translate which. Both were captions of the same images.

# %%
quiz.ask("13-q1")

# %% [markdown]
# ## 3. Guidance by text
#
# Guidance needs the answer without a text as well. As in chapter 6, section 4 ("Without a classifier: label dropout"), the network
# learns both: a share $p$ of the captions is replaced by the empty one. With $u_i$ uniform in $[0, 1)$ for each sample,
#
# $$\text{caption}_i \leftarrow \begin{cases} \text{the empty caption} & \text{where } u_i < p, \\ \text{caption}_i & \text{elsewhere.} \end{cases}$$
#
# GLIDE fine-tuned with $p = 0.2$ (Nichol et al. 2022, section 4.2), Imagen trained with $p = 0.1$ (Saharia et al. 2022, section 2.2), and so did
# the network here, as its config says. What is dropped teaches the answer without a text, what is kept the one with it.
#
# ### Exercise {{13-caption_dropout}}
#
# Write that line for a batch of tokens. A caption is dropped as a whole: all its $L$ tokens become those of `empty`.
# What the empty caption looks like is the text encoder's own matter. Here it is $L$ zeros; CLIP's has a token for the beginning and one
# for the end. So put in what `empty` holds.
#
# *Hint.* `u < p` has the shape `(B,)` and must meet `(B, L)`: each sample's decision holds for its whole row.


# %%
# EXERCISE 13-caption_dropout (keep this line)
def caption_dropout(tokens, u, p, empty):
    """The captions, with those that u selects replaced by the empty one (Ho & Salimans 2021, algorithm 1).

    tokens: (B, L), integers. u: (B,), uniform random numbers in [0, 1): caption i is dropped where u[i] < p. p: a number.
    empty: (L,), integers, the tokens of the empty caption. Returns (B, L), integers.
    """
    ### BEGIN SOLUTION
    return torch.where((u < p)[:, None], empty, tokens)
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("13-caption_dropout", caption_dropout)

# %%
vocabulary, p = reader.net.text.vocabulary, settings.label_dropout
tokens = vocabulary.tokens(list(captioned.captions(DIGITS))).repeat(100, 1)
left = caption_dropout(
    tokens,
    torch.rand(len(tokens), generator=torch.Generator().manual_seed(0)),
    p,
    vocabulary.tokens([""])[0],
)
gone = (left == 0).all(1).sum().item()
print(f"p = {p}: {gone} of {len(left)} captions are empty, {gone / len(left):.3f}")

# %% [markdown]
# With both answers, guidance is the line of chapter 6, section 5 ("Classifier-free guidance"), with a caption in the place of the
# class:
#
# $$D_w(x; \sigma) = D_u(x; \sigma) + w\,\big(D_c(x; \sigma) - D_u(x; \sigma)\big).$$
#
# `generate` draws with it, by eight of Heun's steps, from noise that you give. Each step asks $D_w$ twice, and the last one, to $\sigma = 0$, once:
# that is 15 evaluations an image with $w = 1$ or $w = 0$, where one of the two answers is enough, and 30 with any other $w$. (`clip`, a wrapper in use
# since chapter 5, cuts the answers off at $\pm 1$, the range of the data. It has nothing to do with the CLIP of {{section CLIP guidance}}.)
#
# **Predict, then run.** The slider shows six samples of a caption, from the same six noises at every scale. What does $w = 0$ show?
# What does a large $w$ do to "a thin one"? The last two captions are of compositions that no training image has.


# %%
def generate(texts, noise, w=1.0, net=reader):
    """An image of each text from noise (n, 1, 28, 28): (n, 1, 28, 28) in [-1, 1]. net: a denoiser that reads."""
    sigmas = dc.schedules.karras(8)
    D = clip(cfg(net.given(texts), net, w))
    return dc.sample(D, sigmas[0] * noise, sigmas, step=dc.samplers.heun).clamp(-1, 1)


def noise_of(n, seed=0):
    return dc.Noise(seed).randn(n, 1, 28, 28, device=course.device)


new = [DIGITS.write(DIGITS.composition(held_out[digit])) for digit in (7, 3)]
shown = ["a thin one", "толстая тройка", *new]
scales = (0, 1, 3, 8)
frames = {(text, w): generate([text] * 6, noise_of(6), w) for text in shown for w in scales}
widgets.slide_frames(
    frames,
    ["caption", "w"],
    description="Six samples of a caption at a guidance scale",
    labels={"w": "guidance scale w"},
    static=[{"caption": text, "w": w} for text in (shown[0], shown[2]) for w in (0, 1, 8)],
    fresh=lambda seed, caption, w: generate([caption] * 6, noise_of(6, seed), w),
)

# %%
# NBVAL_IGNORE_OUTPUT
judge = zoo.judge("mnist", course.device)
width_of, as_told, apart_by = {}, {}, {}
for w in scales:
    six = frames["a thin one", w]
    width_of[w] = strokes.stroke_width(six).mean().item()
    as_told[w] = ((judge(six).argmax(1) == 1) & (captioned.level("width", six) == 0)).sum().item()
    apart_by[w] = torch.pdist(six.flatten(1)).mean().item()
show_table(
    ["w", "stroke width, pixels", "thin and read as 1, of 6", "distance of two of the six"],
    [(w, f"{width_of[w]:.2f}", as_told[w], f"{apart_by[w]:.1f}") for w in scales],
    'Means over six samples of "a thin one"',
)
claim('what is told nothing (w = 0) is wider than what is told "thin" (w = 1)', width_of[0] > width_of[1])
claim("with the caption most of the six obey", min(as_told[w] for w in scales[1:]) > 3)
claim(
    "the larger w, the nearer the six are to each other",
    list(apart_by.values()) == sorted(apart_by.values(), reverse=True),
)

# %% [markdown]
# At $w = 0$ the caption is ignored, and the six noises become whatever digits they become. With the caption most obey, and the larger $w$ is, the
# nearer the six are to each other, as in chapter 6. Six pictures show that something happens. How much, they do not.
#
# ## 4. Does the text help?
#
# A sample "is as its caption says" when the judge reads the wanted digit, or when its measured level is the wanted one. That gives marks,
# 1 or 0, for the class, the width, the slant, and for all three at once. But a share of marks alone says little: a tenth of all samples has the
# right class by chance, and about a third the right width. What the text adds is a *difference*: the share of the told samples that are as their caption says,
# minus the share of samples that were told nothing, **measured by the same captions**.
#
# The two groups need not be independent. Start sample $i$ of both from the same noise: what the noise itself brings, a thin or a
# slanted stroke, is then in both, and cancels in the difference. With marks $a_i$ of the told sample and $b_i$ of the untold one, and $d_i = a_i - b_i$,
#
# $$\text{help} = \frac1n \sum_{i=1}^n d_i \;\pm\; 1.96\, \frac{s}{\sqrt n}, \qquad s^2 = \frac{1}{n-1} \sum_{i=1}^n (d_i - \text{help})^2.$$
#
# This is the 95 % interval of a mean of $n$ pairs. It needs $n$ of some dozens at least.
#
# ### Exercise {{13-text_help}}
#
# Plan the experiment and return its number with the interval. You get `draw`, which draws an image for each caption from given noise,
# and `met`, which gives the marks. Captions are numbers; the number `no_text` stands for the empty caption.
#
# *Hint.* Two calls of `draw` and two of `met` are enough, each with all $n$ samples. `.std()` of a tensor divides by $n - 1$, as $s$ does.


# %%
# EXERCISE 13-text_help (keep this line)
def text_help(draw, met, labels, noise, no_text):
    """How much more often told samples are as their captions say, with the 95 % interval of n pairs.

    draw: called as draw(labels, noise), labels (n,) integers, noise (n, *S); returns images (n, *S), image i from noise i.
    met: called as met(images, labels); returns marks (n,), 1.0 where image i is as caption labels[i] says, else 0.0.
    labels: (n,), the captions, integers. noise: (n, *S), n >= 2, of any number of axes. no_text: the integer that means "no text".
    Returns three numbers, each a tensor (): (help, low, high), the ends of the interval being help - and + 1.96 s / sqrt(n).
    """
    ### BEGIN SOLUTION
    told = met(draw(labels, noise), labels)
    untold = met(draw(torch.full_like(labels, no_text), noise), labels)
    difference = told - untold
    half = 1.96 * difference.std() / len(labels) ** 0.5
    return difference.mean(), difference.mean() - half, difference.mean() + half
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("13-text_help", text_help)

# %% [markdown]
# Now it runs on the real network, at $w = 2$: once for compositions that training saw, once for those it did not. The languages come by turns.
#
# **Predict, then run.** The text says three things. For which does it help most, and for which least? How much of that is left for held-out
# compositions?

# %%
NO_TEXT = len(DIGITS)
TEXTS = [
    tuple(DIGITS.write(DIGITS.composition(i), name) for name in DIGITS.languages) for i in range(NO_TEXT)
]
TEXTS.append(("", ""))
remembered = {}


def draw(labels, noise):
    """An image for each number of a composition, or of NO_TEXT. What was drawn once is not drawn again."""
    key = (tuple(labels.tolist()), noise.sum().item())
    if key not in remembered:
        texts = [TEXTS[number][i % 2] for i, number in enumerate(labels.tolist())]
        remembered[key] = generate(texts, noise, 2.0 if any(texts) else 1.0)
    return remembered[key]


def met_in(mark):
    """What measures one mark: "class", "width", "slant" or "all"."""
    return lambda images, labels: text_quality.met("mnist-captions", images, labels)[mark].double()


n = course.pick(small=60, large=1000)
groups = {name: text_quality.asked(DIGITS, name == "held out", n) for name in ("seen", "held out")}
noise = noise_of(n, 2)

# %%
# NBVAL_IGNORE_OUTPUT
MARKS = ("class", "width", "slant", "all")
help_of, lines = {}, []
for group, numbers in groups.items():
    for mark in MARKS:
        help_of[group, mark] = found = text_help(draw, met_in(mark), numbers, noise, NO_TEXT)
        told = met_in(mark)(draw(numbers, noise), numbers).mean()
        lines.append((group, mark, f"{told:.2f}", "{:.2f} ({:.2f} to {:.2f})".format(*found)))
show_table(
    ["compositions", "mark", "share of the told", "help, with its 95 % interval"],
    lines,
    f"{n} pairs in each row, w = 2",
)
for group in groups:
    claim(
        f"{group}: the text helps in every mark, beyond chance",
        all(help_of[group, mark][1] > 0 for mark in MARKS),
    )
order = sorted(MARKS[:3], key=lambda mark: -help_of["seen", mark][0])
print("seen compositions, most help first:", ", ".join(order))
claim("of the three, the text helps the class most", order[0] == "class")


def helped(numbers):
    """What the text gives each sample, in whole captions: 1, 0 or -1. Sample i has the same noise, whatever it is told."""
    met, untold = met_in("all"), torch.full_like(numbers, NO_TEXT)
    return met(draw(numbers, noise), numbers) - met(draw(untold, noise), numbers)


in_pairs = helped(groups["seen"]) - helped(groups["held out"])
less, reach = float(in_pairs.mean()), float(1.96 * in_pairs.std() / n**0.5)
print(f"whole captions, seen less held out, in pairs: {less:.2f} ({less - reach:.2f} to {less + reach:.2f})")
claim(
    "no difference between seen and held-out compositions is shown: the interval holds 0", abs(less) < reach
)

# %% [markdown]
# So one number answers the question of this section: the help for whole captions, "all". Beside it stand the parts. The class has the
# most to gain, since chance meets it least often. The text also helps with held-out compositions, which no training image had: the words are combined, not
# looked up.
#
# Mind what the interval holds: the chance of these noises and captions, for this one network. Another training run may differ by more. And the
# slant of a sample is measured as the training images were, so a shape that merely *measures* as slanted counts.
#
# The network's card has the same shares for more samples, 20 steps, and two scales.

# %%
rows = []
for name, found in card["metrics"].items():
    if name.startswith("guidance"):
        rows += [(name, group, *(f"{found[group][mark]['share']:.3f}" for mark in MARKS)) for group in found]
    elif name == "without text":
        rows.append((name, "by captions seen", *(f"{found[mark]['share']:.3f}" for mark in MARKS)))
show_table(["", "compositions", *MARKS], rows, card["metrics"]["how"])

# %%
quiz.ask("13-q2")

# %% [markdown]
# ## 5. CLIP guidance
#
# There is another way to a text. CLIP (Radford et al. 2021) has two encoders into one space: images to vectors $f$, texts to vectors $g$. It is trained by
# contrast: of the $B$ texts of a batch, which belongs to this image? With cosines $c_{ij} = f_i \cdot g_j / (|f_i|\,|g_j|)$ and a learned scale $\tau$,
#
# $$\mathcal L = -\frac{1}{2B} \sum_{i=1}^B \Big[ \log \frac{e^{\tau c_{ii}}}{\sum_j e^{\tau c_{ij}}} + \log \frac{e^{\tau c_{ii}}}{\sum_j e^{\tau c_{ji}}} \Big]
# \qquad \text{(Radford et al. 2021, fig. 3)}.$$
#
# The best such model has $\tau c_{ij} = \log p(\text{text}_j \mid \text{image}_i) - \log p(\text{text}_j)$ up to a constant. So $\tau\, c$ is a classifier whose classes are
# sentences, and chapter 6, section 2 ("Classifier guidance"), can use its gradient. The classifier must know noisy images; GLIDE's authors trained a *noised
# CLIP* for that (Nichol et al. 2022, section 2.4). The course ships a tiny one, trained on digits with noise of all strengths, and their captions.

# %%
images, texts = dc.Noise(3).randn(5, 8), dc.Noise(4).randn(5, 8)
c = F.normalize(images, dim=1) @ F.normalize(texts, dim=1).T
tau = 7.0
by_hand = -(torch.log_softmax(tau * c, 1).diagonal() + torch.log_softmax(tau * c, 0).diagonal()).mean() / 2
agree("the contrastive loss", losses.contrastive_loss(images, texts, tau), by_hand, 1e-5)

# %%
clip_net = zoo.clip("mnist", course.device)
clip_card = zoo.cards()["mnist-clip"]
print(f"{clip_card['parameters']:,} parameters, scale of the cosines {clip_net.scale.item():.1f}")
claim("it has less than half of the denoiser's parameters", clip_card["parameters"] < card["parameters"] / 2)
rows = [
    (
        name.removeprefix("test accuracy at sigma "),
        *(
            "{:.3f} ({:.3f} to {:.3f})".format(found[mark]["share"], *found[mark]["wilson 95 %"])
            for mark in ("class", "all")
        ),
    )
    for name, found in clip_card["metrics"].items()
    if name.startswith("test accuracy")
]
show_table(
    ["sigma", "the nearest caption has the right class", "is the right one of 90"],
    rows,
    "Test images under noise (95 % intervals)",
)

# %% [markdown]
# ### Its gradient
#
# Public CLIP models know clean images only. Then one shows them the denoiser's guess $\hat x_0 = D(x; \sigma)$, which is clean, and asks how the
# *noisy* $x$ should move so that the guess becomes more like the text:
#
# $$\nabla_x \cos\!\big(f(D(x; \sigma)),\, g\big) = \Big(\frac{\partial D}{\partial x}\Big)^{\!\top} \nabla_{\hat x_0} \cos\!\big(f(\hat x_0),\, g\big), \qquad
# \cos(f, g) = \frac{f \cdot g}{|f|\,|g|}.$$
#
# The first factor is the Jacobian of the denoiser, transposed. Its entry $ij$, $\partial D_i / \partial x_j$, says how much pixel $i$ of the guess depends on
# pixel $j$ of $x$: at large $\sigma$ hardly at all. A pixel of $x$ moves many pixels of the guess, so its slope is a sum over them, over $i$; hence the
# transpose. Autograd multiplies by it when it goes back through $D$. A noised CLIP is the special case in which $D$ is replaced by the identity, and $f$ knows $\sigma$.
#
# ### Exercise {{13-clip_guidance_gradient}}
#
# Write this gradient. One function serves both kinds of CLIP: `D` gives what the encoder is shown.
#
# *Hint.* As in chapter 6: `x.detach().requires_grad_()`, a sum over the batch, `torch.autograd.grad`, all inside `with torch.enable_grad():`, for
# samplers run under `torch.no_grad()`. Row $i$ of the features belongs to row $i$ of `text`.


# %%
# EXERCISE 13-clip_guidance_gradient (keep this line)
def clip_guidance_gradient(D, image, text, x, sigma):
    """The gradient with respect to x of the cosine between image(D(x, sigma)) and text (Nichol et al. 2022, section 2.4).

    D: called as D(x, sigma), returns (B, *S). image: the image encoder, called as image(x0) with what D returned, (B, *S); it returns
    vectors (B, E) of any length. Each sample is shown to both once. text: (B, E), a vector for each sample, of any length but 0. x: (B, *S), any number of axes.
    sigma: (), the noise level. A sampler calls this function under torch.no_grad(). Returns (B, *S).
    """
    ### BEGIN SOLUTION
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        similarity = F.cosine_similarity(image(D(leaf, sigma)), text, dim=1)
        return torch.autograd.grad(similarity.sum(), leaf)[0]
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("13-clip_guidance_gradient", clip_guidance_gradient)

# %% [markdown]
# With it, two guided denoisers, both from the network that is told *nothing*: all that they know of the caption comes from CLIP. Guidance adds
# $s\,\nabla_x \log p(\text{text} \mid x)$ to the score $(D_u - x)/\sigma^2$ (chapter 6, section 2 ("Classifier guidance")). In the denoiser itself that is $\sigma^2$ times as much, and $\tau c$ stands for the logarithm:
#
# $$D_s(x; \sigma) = D_u(x; \sigma) + s\, \tau\, \sigma^2\, \nabla_x \cos(f, g).$$
#
# So $s = 1$ is Bayes' rule, as far as the tiny CLIP is right.


# %%
def by_noised_clip(texts, scale):
    """GLIDE's way: CLIP sees x itself and knows sigma."""
    text = clip_net.embed(texts)

    def D(x, sigma):
        gradient = clip_guidance_gradient(
            lambda x, s: x, lambda x0: clip_net.image(x0, sigma), text, x, sigma
        )
        return reader(x, sigma) + scale * clip_net.scale * sigma**2 * gradient

    return D


def by_clean_clip(texts, scale):
    """The way of public CLIP models: CLIP sees the denoiser's guess, as if it were clean."""
    text, clean = clip_net.embed(texts), torch.tensor(0.05)

    def D(x, sigma):
        gradient = clip_guidance_gradient(reader, lambda x0: clip_net.image(x0, clean), text, x, sigma)
        return reader(x, sigma) + scale * clip_net.scale * sigma**2 * gradient

    return D


ten = [TEXTS[i][0] for i in range(0, 90, 9)]
x, one = noise_of(10) * 2, torch.tensor(2.0)
library = clip_guidance(reader, clip_net.image, clip_net.embed(ten), 3 * clip_net.scale.item())
agree("your gradient and the library's guidance", by_noised_clip(ten, 3.0)(x, one), library(x, one), 1e-4)

# %% [markdown]
# ### At equal cost
#
# Classifier-free guidance asks the large network twice. CLIP guidance asks it once, and runs the image encoder forwards and backwards. A gradient
# with respect to the *input* costs about as much as one more pass forwards, for the weights' gradients are not computed. To be fair, each
# method gets the number of steps that its multiplications allow. They are counted, not timed, so that the numbers are the same on every machine.
# `by_clean_clip` asks the untold network twice for the same guess; a thriftier program would keep the first, so one is counted.


# %%
@torch.no_grad()
def multiplications(network):
    """Of one pass forwards at ten images, in millions an image."""
    with FlopCounterMode(display=False) as counter:
        network(x, one)
    return counter.get_total_flops() / 2 / len(x) / 1e6


of_D, of_clip = multiplications(reader.given(ten)), multiplications(clip_net.image)
price = {
    "classifier-free": 2 * of_D,
    "noised CLIP": of_D + 2 * of_clip,
    "CLIP of the guess": 2 * of_D + 2 * of_clip,
}
BUDGET = 15 * price["classifier-free"]  # eight of Heun's steps


def steps_for(method):
    """The largest number of Heun's steps, 2 n - 1 calls, within the budget."""
    return int((BUDGET / price[method] + 1) / 2 + 1e-9)


show_table(
    ["method", "million multiplications a call", "steps"],
    [(name, f"{p:.1f}", steps_for(name)) for name, p in price.items()],
)

# %% [markdown]
# A method can be good in two ways: its samples are as the captions say, and they look like digits. The first is marked as in {{section Does the text help?}}. For the second, take the
# *precision* of chapter 10, section 5 ("Which measure sees which fault?"): each of 1,000 training images becomes a point in the judge's features, and gets a ball
# that reaches to its third neighbour (Kynkäänniemi et al. 2019, eq. 1 and 2). A sample "looks real" when it lies in one of the balls. The same share of test images says what perfect samples would get.
#
# **Predict, then run.** At equal cost, which method is best in the one, and which in the other? At which scale do you expect CLIP's best?

# %%
# NBVAL_IGNORE_OUTPUT
wanted = text_quality.asked(
    DIGITS, False, course.pick(small=80, large=800)
)  # each composition but those held out
asked_for = [TEXTS[i][0] for i in wanted.tolist()]
METHODS = {
    ("classifier-free", 2.0): cfg(reader.given(asked_for), reader, 2.0),
    **{("noised CLIP", s): by_noised_clip(asked_for, s) for s in (1.0, 4.0, 16.0)},
    ("CLIP of the guess", 4.0): by_clean_clip(asked_for, 4.0),
}
marks, samples = {}, {}
for (name, scale), D in METHODS.items():
    sigmas = dc.schedules.karras(steps_for(name))
    samples[name, scale] = dc.sample(
        clip(D), sigmas[0] * noise_of(len(wanted), 4), sigmas, step=dc.samplers.heun
    ).clamp(-1, 1)
    marks[name, scale] = text_quality.met("mnist-captions", samples[name, scale], wanted)
shuffled = torch.randperm(len(train.images), generator=torch.Generator().manual_seed(0))
real = metrics.features(judge, train.images[shuffled[:1000]].to(course.device))
reach = torch.cdist(real, real).kthvalue(4, dim=1).values  # the nearest of all is the point itself


def looks_real(images):
    """Which images lie, in the judge's features, within a ball of the real ones: (n,), 1.0 or 0.0."""
    features = metrics.features(judge, images.to(course.device))
    return (torch.cdist(features, real) <= reach).any(1).double()


looks = {key: looks_real(images) for key, images in samples.items()}
rows = [
    (
        name,
        f"{scale:g}",
        steps_for(name),
        *(f"{found[mark].double().mean():.2f}" for mark in MARKS),
        f"{looks[name, scale].mean():.2f}",
    )
    for (name, scale), found in marks.items()
]
rows.append(("test images", "", "", *[""] * len(MARKS), f"{looks_real(test.images).mean():.2f}"))
show_table(
    ["method", "scale", "steps", *MARKS, "looks real"],
    rows,
    f"{len(wanted)} captions; shares of samples, at most {BUDGET:.0f} million multiplications each",
)

# %% [markdown]
# All methods drew the same captions from the same noise, so the differences are those of pairs, with the interval of {{section Does the text help?}}.

# %%
# NBVAL_IGNORE_OUTPUT
FREE = "classifier-free", 2.0
whole = {key: found["all"].double().cpu() for key, found in marks.items()}


def ahead(shares, first, second):
    """How far the first method is ahead of the second, in pairs: (mean, low, high)."""
    apart = shares[first] - shares[second]
    half = 1.96 * apart.std() / len(apart) ** 0.5
    return apart.mean().item(), (apart.mean() - half).item(), (apart.mean() + half).item()


lead = {key: (ahead(whole, FREE, key), ahead(looks, FREE, key)) for key in marks if key != FREE}
show_table(
    ["classifier-free at w = 2, minus", "whole captions", "looks real"],
    [
        (f"{name}, {scale:g}", *("{:.2f} ({:.2f} to {:.2f})".format(*found) for found in both))
        for (name, scale), both in lead.items()
    ],
    "Differences of shares, in pairs, with their 95 % intervals",
)
noised = [key for key in lead if key[0] == "noised CLIP"]
best = max(noised, key=lambda key: whole[key].sum())
print(f"noised CLIP meets most captions at scale {best[1]:g}")
claim(
    "by captions, classifier-free guidance and noised CLIP at its best scale cannot be told apart here",
    lead[best][0][1] <= 0 <= lead[best][0][2],
)
claim(
    "at its other scales noised CLIP meets fewer captions, beyond chance",
    all(lead[key][0][1] > 0 for key in noised if key != best),
)
claim(
    "by looks, classifier-free guidance is ahead of noised CLIP at its best scale, beyond chance",
    lead[best][1][1] > 0,
)
claim(
    "at scale 4, a CLIP that knows noise meets more captions than one that is shown the guess, beyond chance",
    ahead(whole, ("noised CLIP", 4.0), ("CLIP of the guess", 4.0))[1] > 0,
)
pictured = {
    FREE: "classifier-free 2",
    ("noised CLIP", 4.0): "noised CLIP 4",
    ("noised CLIP", 16.0): "noised CLIP 16",
    ("CLIP of the guess", 4.0): "CLIP, guess 4",
}
grids.filmstrip(
    torch.stack([samples[key][3:80:8] for key in pictured], 1),
    [str(int(i)) for i in wanted[3:80:8] // DIGITS.cells],
    rows=list(pictured.values()),
    title="The digit wanted, and what four methods drew from the same noise",
)

# %% [markdown]
# Look at the strokes. In the first row most are whole. CLIP's are broken more often, with loose pieces beside them, and at scale 16 still more.
#
# GLIDE's authors found something alike. By CLIP's own score for the caption, CLIP guidance came out ahead. They suspected that it finds what pleases the CLIP that scores, and asked people, who
# preferred classifier-free guidance in both: photorealism, and agreement with the caption (Nichol et al. 2022, section 5.2). Here it is
# ahead in one of the two currencies, in looks. In captions these 80 pairs cannot tell it from CLIP guidance at its best scale.
# And that scale has to be found: the best of three was chosen by the very captions that it is compared on, which favours CLIP.
#
# The likely reasons are those of chapter 6, section 5 ("Classifier-free guidance"): a model that is trained to *tell* which text belongs to an image need not have the gradient that
# *draws* it. The comparison is not quite even: the classifier-free network learned the captions
# while it learned to draw, and the CLIP here is the smaller network. What a larger one would do was not measured.

# %%
quiz.ask("13-q3")

# %% [markdown]
# ## 6. A small change: LoRA
#
# A trained network should learn a style: slanted digits, say. To train all of its weights again costs a copy of the network for each style.
# LoRA (Hu et al. 2022) freezes a layer's weight $W$, $(d_\text{out}, d_\text{in})$, and adds a product of two thin matrices,
#
# $$W' = W + \frac{\alpha}{r}\, B A, \qquad A: (r, d_\text{in}), \quad B: (d_\text{out}, r),$$
#
# which has $r\,(d_\text{in} + d_\text{out})$ numbers in the place of $d_\text{in} d_\text{out}$ (Hu et al. 2022, section 4.1). $\alpha$ is a number that one sets once. The division by $r$ is meant
# to spare a new search for the learning rate when $r$ changes; it does not make the changes equal: that of the first step still falls with $r$. Let $G = \partial \mathcal L / \partial W'$ be the gradient of the loss at the whole weight. By the chain rule
#
# $$\frac{\partial \mathcal L}{\partial A} = \frac{\alpha}{r}\, B^\top G, \qquad \frac{\partial \mathcal L}{\partial B} = \frac{\alpha}{r}\, G A^\top.$$
#
# Read the start off these lines. The layer should begin as it was, so $BA = 0$. If both factors are zero, both gradients are zero, for ever. If both are random, the
# layer is spoiled before the first step. So one is zero and the other is not: $A$ is random, $B = 0$. Then $B$ moves at once, and $A$ from the second step on.
#
# ### Exercise {{13-lora}}
#
# Train such a layer. It computes $x W'^\top$, a row for each sample, and the loss is the mean square over all entries, so
#
# $$\mathcal L = \frac{1}{n\, d_\text{out}} \big\| x W'^\top - y \big\|^2, \qquad G = \frac{2}{n\, d_\text{out}} \big( x W'^\top - y \big)^\top x.$$
#
# Begin with $A = z$ and $B = 0$. A step of gradient descent moves both factors by minus `lr` times their gradients, *both gradients taken at the old factors*. Return the whole weight $W'$
# before the first step and after each.
#
# *Hint.* $r$ is the number of rows of $z$. Use the formulas, or autograd: then inside `with torch.enable_grad():`, since the check also calls the function under
# `torch.no_grad()`. Work with tensors: a new `nn.Linear` draws random numbers, which the check does not allow.


# %%
# EXERCISE 13-lora (keep this line)
def lora(x, y, weight, z, alpha, lr, num_steps):
    """The weights W_0, ..., W_n of a linear layer that LoRA trains, W + (alpha / r) B A (Hu et al. 2022, section 4.1).

    x: (n, d_in), inputs; y: (n, d_out), what the layer should answer. weight: (d_out, d_in), frozen. z: (r, d_in), random: A at first.
    alpha, lr: numbers > 0. num_steps: how many steps of gradient descent on A and B, >= 0.
    Returns (num_steps + 1, d_out, d_in): the whole weight before the first step, and after each.
    """
    ### BEGIN SOLUTION
    scale = alpha / len(z)
    A, B = z, torch.zeros(len(weight), len(z), dtype=z.dtype, device=z.device)
    weights = [weight]
    for _ in range(num_steps):
        G = 2 / y.numel() * (x @ weights[-1].T - y).T @ x
        A, B = A - lr * scale * B.T @ G, B - lr * scale * G @ A.T
        weights.append(weight + scale * B @ A)
    return torch.stack(weights)
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("13-lora", lora)

# %% [markdown]
# **Predict, then run.** A layer of 12 × 12 should learn a change of rank 2. What will ranks 1, 2 and 6 reach? And what will a start do in which $z$, too, is zero?

# %%
d = 12
inputs = dc.Noise(5).randn(200, d, dtype=torch.float64)
before = dc.Noise(6).randn(d, d, dtype=torch.float64)
change = dc.Noise(7).randn(d, 2, dtype=torch.float64) @ dc.Noise(8).randn(2, d, dtype=torch.float64) / d
targets = inputs @ (before + change).T


def errors_of(z, alpha):
    """The loss before each step, as a share of the first."""
    path = lora(inputs, targets, before, z, alpha, 1.5, 100)
    error = (inputs @ path.mT - targets).square().mean((1, 2))
    return (error / error[0]).clamp(min=1e-6)  # the axis is logarithmic


starts = {f"rank {r}": dc.Noise(9).randn(r, d, dtype=torch.float64) / d**0.5 for r in (1, 2, 6)}
found = {name: errors_of(z, float(len(z))) for name, z in starts.items()}
found["rank 2, z = 0"] = errors_of(0 * starts["rank 2"], 2.0)
plots.curves(
    torch.arange(101),
    found,
    title="LoRA on one layer: a change of rank 2 is to be learned",
    xlabel="steps",
    ylabel="loss / first loss (log scale, cut off at 1e-6)",
    logy=True,
)

# %%
spectrum = torch.linalg.svdvals(change) ** 2
claim(
    "both factors zero: nothing ever changes", torch.equal(found["rank 2, z = 0"], torch.ones(101).double())
)
claim(
    "rank 2 and rank 6 learn nearly all of the change", max(found["rank 2"][-1], found["rank 6"][-1]) < 0.02
)
claim(
    "rank 1 is left with about what its best would leave, the second singular value's share",
    abs(found["rank 1"][-1] - spectrum[1] / spectrum.sum()) < 0.1,
)

# %% [markdown]
# ### Slanted digits, in a minute
#
# Now the whole network. `adapting.adapt` puts the library's factors beside its linear layers and convolutions, at rank 4, but for those inside the text
# encoder's transformer. Of a convolution, $A$ has the kernel and $r$ channels, and $B$ is a convolution of $1 \times 1$ that leads from them to the layer's channels. The new style is slanted: training images sheared
# by 25 degrees, each with the caption that it had before, so that the words keep their meaning *within* the style. 100 steps of 16 images.

# %%
# NBVAL_IGNORE_OUTPUT
style = strokes.sheared(train.images, 25.0)
torch.manual_seed(0)  # A is random
adapted = adapting.adapt(copy.deepcopy(reader.net), rank=4)
trained = sum(weights.numel() for weights in adapted.parameters() if weights.requires_grad)
print(
    f"{trained:,} of {sum(weights.numel() for weights in reader.parameters()):,} numbers are trained beside the frozen ones"
)
recipe = Recipe(steps=100, batch_size=16, lr=1e-2, warmup=10, ema=0.9)
trainer = training.Trainer(
    adapted, objectives.objective(settings), style, train.labels, recipe, course.device
)
history = [step.loss for step in trainer.run()]
slanted = Texted(trainer.ema, reader.param)

# %%
# NBVAL_IGNORE_OUTPUT
forty = text_quality.asked(DIGITS, False, 80)[::2]  # of all digits
texts40 = [TEXTS[i][0] for i in forty.tolist()]
pair = {
    name: generate(texts40, noise_of(40, 5), 2.0, net)
    for name, net in (("before", reader), ("after", slanted))
}
leaning = {name: strokes.slant(made).nan_to_num() for name, made in pair.items()}
for name, made in pair.items():
    half = 1.96 * leaning[name].std() / 40**0.5
    right_class = text_quality.met("mnist-captions", made, forty)["class"].double().mean()
    print(
        f"{name}: mean slant {leaning[name].mean():.1f} ± {half:.1f} degrees, class as told {right_class:.2f}"
    )
more = leaning["after"] - leaning["before"]
half = 1.96 * more.std() / 40**0.5
print(f"in pairs: {more.mean():.1f} ± {half:.1f} degrees more")
claim("after 100 steps the samples lean further to the right, beyond chance", more.mean() > half)
grids.filmstrip(
    torch.stack([pair["before"][::4], pair["after"][::4]], 1),
    [str(int(i)) for i in forty[::4] // DIGITS.cells],
    rows=["before", "LoRA"],
    title="The same captions and noise, before and after",
)

# %% [markdown]
# What was learned is a file of its own. It can be merged into the weights, $W + (\alpha/r) BA$, and then costs nothing when it is used.

# %%
# NBVAL_IGNORE_OUTPUT
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "slanted.safetensors"
    adapters.write(path, trainer.ema)
    size = path.stat().st_size / 1024
    again = Texted(adapters.read(path, copy.deepcopy(reader.net)), reader.param)
print(
    f"the adapter's file: {size:.0f} KiB; the network in the same precision: {4 * sum(w.numel() for w in reader.parameters()) / 1024:.0f} KiB"
)
merged = Texted(adapting.merge(copy.deepcopy(trainer.ema)), reader.param)
reference = slanted.given(ten)(x, one)
claim(
    "read from the file it gives the same answers",
    torch.allclose(again.given(ten)(x, one), reference, atol=1e-5),
)
claim("so does the merged network", torch.allclose(merged.given(ten)(x, one), reference, atol=1e-3))

# %% [markdown]
# The wider a layer, the more is saved: of a layer of 1,000 × 1,000, the factors of rank 4 are 125 times fewer numbers.

# %%
quiz.ask("13-q4")

# %% [markdown]
# ## 7. Control
#
# A text does not say *where* a stroke goes. ControlNet (Zhang et al. 2023) lets a trained network follow a picture, a sketch of edges for instance. The network
# is frozen. Beside it stands a trainable copy of a part $F(\cdot\,; \theta)$ of it, which also sees the sketch $c$ (the *hint*), and speaks through
# a layer $Z$ of weights and biases that begin as zeros:
#
# $$y_c = F(x; \theta) + Z_2\big( F(x + Z_1(c);\; \theta_c) \big), \qquad \theta_c = \theta \text{ at first} \qquad \text{(Zhang et al. 2023, eq. 2)}.$$
#
# At first $y_c = F(x; \theta)$: training begins from the network as it was. But how can zeros learn? For a linear layer $Z(h) = h Z^\top$ the gradients are
#
# $$\frac{\partial \mathcal L}{\partial Z} = \Big(\frac{\partial \mathcal L}{\partial Z(h)}\Big)^{\!\top} h, \qquad \frac{\partial \mathcal L}{\partial h} = \frac{\partial \mathcal L}{\partial Z(h)}\, Z.$$
#
# The first one has no factor $Z$. Its factors are $h$, here what the copy answers, and the slope at the layer's answer, which is not zero while the loss can still fall. So $Z_2$ moves in the first step. What lies *before* a layer of zeros, and feeds it, gets nothing, by
# the second formula: $\theta_c$ and $Z_1$ wait for one step. Put two layers of zeros in series, and each waits for the other: the input of the second is zero, and the gradient that reaches the first is zero. They never learn.
#
# ### Exercise {{13-control_block}}
#
# Build and train such a block, with one layer in the place of $F$ and without biases. Data are rows, $a$ is what the block answers, and $y$ what it should:
#
# $$a = \tanh(x\, \theta^\top) + \tanh\!\big( (x + c\, Z_1^\top)\, \theta_c^\top \big)\, Z_2^\top .$$
#
# $Z_1$ and $Z_2$ begin as zeros and $\theta_c$ as a copy of $\theta$. These three learn by gradient descent on the mean square of $a - y$ over all entries; $\theta$ stays. All three gradients of a step are taken at the old weights. Return $a_0, a_1, \dots$:
# what the block answers before the first step, and after each.
#
# *Hint.* Let autograd find the gradients, inside `with torch.enable_grad():`, since the check also calls the function under `torch.no_grad()`. Work on copies: $\theta$ is the caller's. And
# work with tensors: a new `nn.Linear` draws random numbers, which the check does not allow.


# %%
# EXERCISE 13-control_block (keep this line)
def control_block(x, hint, y, theta, lr, num_steps):
    """The answers a_0, ..., a_n of a control block while it learns (Zhang et al. 2023, eq. 2, with a layer of tanh).

    x: (n, d), what the block gets; hint: (n, h), c in the formula; y: (n, d), what it should answer. theta: (d, d), the frozen weight; it is not
    changed. lr: the step size. num_steps: how many steps of gradient descent on Z_1 (d, h), theta_c (d, d) and Z_2 (d, d), >= 0.
    Returns (num_steps + 1, n, d): all answers before the first step, and after each.
    """
    ### BEGIN SOLUTION
    weights = [torch.zeros(len(theta), hint.shape[1]).to(theta), theta.clone(), torch.zeros_like(theta)]
    answers = []
    for step in range(num_steps + 1):
        with torch.enable_grad():
            Z1, copied, Z2 = weights = [w.detach().requires_grad_() for w in weights]
            answer = torch.tanh(x @ theta.T) + torch.tanh((x + hint @ Z1.T) @ copied.T) @ Z2.T
            answers.append(answer.detach())
            if step < num_steps:
                slopes = torch.autograd.grad((answer - y).square().mean(), weights)
                weights = [w - lr * g for w, g in zip(weights, slopes, strict=True)]
    return torch.stack(answers)
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("13-control_block", control_block)

# %% [markdown]
# The cell runs it on a task that needs the hint: two numbers say by how much the frozen layer's answer should be moved.

# %%
x_toy, hint = dc.Noise(10).randn(300, 4, dtype=torch.float64), dc.Noise(11).randn(300, 2, dtype=torch.float64)
theta = dc.Noise(12).randn(4, 4, dtype=torch.float64) / 2
goal = torch.tanh(x_toy @ theta.T) + 0.5 * torch.tanh(hint @ dc.Noise(13).randn(2, 4, dtype=torch.float64))
learning = {
    name: (control_block(x_toy, shown_hint, goal, theta, 1.0, 400) - goal).square().mean((1, 2))
    for name, shown_hint in {"with its hint": hint, "with another's hint": hint.roll(1, 0)}.items()
}
plots.curves(
    torch.arange(401),
    learning,
    title="A control block learns to follow its hint",
    xlabel="steps",
    ylabel="mean squared error",
)

# %%
untouched = control_block(x_toy, hint, goal, theta, 1.0, 1)
agree("before the first step the block is the frozen layer", untouched[0], torch.tanh(x_toy @ theta.T), 1e-12)
claim(
    "the hint is used: with its own the error falls to less than a quarter of what is left with another's",
    learning["with its hint"][-1] < learning["with another's hint"][-1] / 4,
)

# %% [markdown]
# ### In the U-Net
#
# `Controlled` does the same to the shipped network: the copy is its whole way down, the sketch enters through a convolution of zeros, and a convolution of zeros leads from the copy to each shortcut. Which
# parts get a gradient in the first steps? And what if each of the last convolutions is followed by another one of zeros?

# %%
# NBVAL_IGNORE_OUTPUT
control_loss = text_objectives.sketched_objective(objectives.objective(settings))


def gradients_of(net, steps=3):
    """The length of the gradient of each part of the branch, step by step."""
    net, lines = net.to(course.device), []
    optimizer = torch.optim.SGD([w for w in net.parameters() if w.requires_grad], lr=0.1)
    parts = {"sketch enters": net.hint[-1], "copy": net.branch, "branch leaves": net.out}
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        control_loss(
            net, train.images[:16].to(course.device), train.labels[:16], torch.Generator().manual_seed(step)
        ).backward()
        grads = {
            name: [w.grad.flatten() for w in part.parameters() if w.grad is not None]
            for name, part in parts.items()
        }
        lines.append([torch.cat(g).norm().item() if g else 0.0 for g in grads.values()])
        optimizer.step()
    return list(parts), lines


def zeros(width):
    """A convolution of zeros."""
    last = nn.Conv2d(width, width, 1)
    for weights in last.parameters():
        nn.init.zeros_(weights)
    return last


once = Controlled(copy.deepcopy(reader.net))
twice = Controlled(copy.deepcopy(reader.net))
twice.out = nn.ModuleList(nn.Sequential(out, zeros(out.out_channels)) for out in twice.out)
names, lines_once = gradients_of(once)
_, lines_twice = gradients_of(twice)
rows = [
    (kind, step, *(f"{v:.2g}" for v in line))
    for kind, found_lines in (("one layer of zeros", lines_once), ("two in series", lines_twice))
    for step, line in enumerate(found_lines, 1)
]
show_table(["the branch leaves through", "step", *names], rows, "Length of the gradient of each part")
claim(
    "first step: only the layers that the branch leaves by have a gradient",
    lines_once[0][2] > 0 and lines_once[0][:2] == [0, 0],
)
claim("second step: all parts have one", min(lines_once[1]) > 0)

# %% [markdown]
# One thing differs from the formula: the convolutions have biases, and a bias has a gradient whatever its input is. So the last of two layers in series still moves its bias, which can add the same number to every image, and
# nothing that depends on the sketch. The cell looks at the weights alone.

# %%
# NBVAL_IGNORE_OUTPUT
moved = [bool(part.weight.any()) for pair_of in twice.out for part in pair_of]
claim(
    "two in series: after three steps no weight of the layers of zeros has moved",
    not any(moved[0::2]) and not any(moved[1::2]),
)
claim("one layer: they all have", all(bool(out.weight.any()) for out in once.out))

# %% [markdown]
# Now the training: 100 steps of 16 images, each with its own edges as the sketch.

# %%
# NBVAL_IGNORE_OUTPUT
torch.manual_seed(0)  # the sketch's first layers are random
controlled = Controlled(copy.deepcopy(reader.net))
recipe = Recipe(steps=100, batch_size=16, lr=3e-3, warmup=10, ema=0.9)
trainer = training.Trainer(controlled, control_loss, train.images, train.labels, recipe, course.device)
history = [step.loss for step in trainer.run()]
ten_images = torch.stack([test.images[test.labels // DIGITS.cells == k][0] for k in range(10)]).to(
    course.device
)
ten_captions = [DIGITS.write(Caption(k, (None, None))) for k in range(10)]
sketches = strokes.edges(ten_images)


def along(sketch, texts, strength, seed=0):
    """Samples that follow a sketch, (n, 1, 28, 28), with the branch's part multiplied by `strength`."""
    net = Texted(Hinted(trainer.ema, sketch, strength), reader.param).to(course.device)
    return generate(texts, noise_of(len(sketch), 20 + seed), 2.0, net)


def follows(images, sketch):
    """The cosine between the edges of each image and the sketch: (n,)."""
    return F.cosine_similarity(strokes.edges(images).flatten(1), sketch.flatten(1))


# %% [markdown]
# **Predict, then run.** At strength 0 the branch is silent. What do you expect at 0.5, at 1, and beyond what it was trained at?

# %%
strengths = (0.0, 0.5, 1.0, 1.5)
drawn_along = {s: along(sketches, ten_captions, s) for s in strengths}


def beside_sketch(strength):
    states = torch.stack([2 * sketches - 1, drawn_along[strength]], 1)
    return grids.filmstrip(
        states, [str(k) for k in range(10)], rows=["sketch", "sample"], title=f"Control strength {strength:g}"
    )


widgets.slide_frames(
    {s: beside_sketch(s) for s in strengths},
    "strength",
    labels={"strength": "control strength"},
    description="Ten sketches and the samples that follow them, at a control strength",
    static=[{"strength": s} for s in (0.0, 0.5, 1.0)],
)

# %%
# NBVAL_IGNORE_OUTPUT
close_to = {s: follows(x, sketches) for s, x in drawn_along.items()}
show_table(
    ["strength", "mean cosine of edges and sketch"], [(s, f"{v.mean():.2f}") for s, v in close_to.items()]
)
gain = close_to[1.0] - close_to[0.0]
half = 2.26 * gain.std() / 10**0.5  # Student's quantile for ten pairs
print(f"strength 1 minus 0, in pairs: {gain.mean():.2f} ± {half:.2f}")
claim("with the branch the samples follow their sketches, beyond chance", gain.mean() > half)
means = [v.mean() for v in close_to.values()]
claim("the stronger the control, the closer the edges, also beyond strength 1", means == sorted(means))

# %% [markdown]
# ### Text against sketch
#
# What if the caption says "a three", and the sketch is of a seven?

# %%
# NBVAL_IGNORE_OUTPUT
sevens = test.images[test.labels // DIGITS.cells == 7][:10].to(course.device)
sketch7 = strokes.edges(sevens)
fight = {s: along(sketch7, ["a three"] * 10, s, seed=1) for s in (0.0, 0.5, 1.0)}
read = {s: judge(x).argmax(1) for s, x in fight.items()}
show_table(
    ["strength", "read as 3", "read as 7", "as another digit"],
    [
        (
            s,
            *(
                "{} ({:.2f} to {:.2f})".format(k, *metrics.wilson(k, 10))
                for k in (
                    (r == 3).sum().item(),
                    (r == 7).sum().item(),
                    ((r != 3) & (r != 7)).sum().item(),
                )
            ),
        )
        for s, r in read.items()
    ],
    "Of ten samples, with the 95 % interval of the share",
)
claim(
    "at strength 1 the sketch wins: more are read as 7 than as 3",
    (read[1.0] == 7).sum() > (read[1.0] == 3).sum(),
)
claim(
    "the stronger the control, the fewer threes, or as many",
    (read[0.0] == 3).sum() >= (read[0.5] == 3).sum() >= (read[1.0] == 3).sum(),
)
grids.filmstrip(
    torch.stack([2 * sketch7 - 1, *fight.values()], 1),
    [""] * 10,
    rows=["sketch", *(f"strength {s:g}" for s in fight)],
    title='"a three", along the sketch of a seven',
)

# %% [markdown]
# Training never had such a conflict: each sketch came with a caption of its own image. So nothing told the network which of the two to obey. The strength decides. The last
# column of the table counts the samples that obey neither.

# %%
quiz.ask("13-q5")

# %% [markdown]
# ## 8. The real thing
#
# The four systems that made text to image known are put together from the same parts.
#
# | | GLIDE | DALL-E 2 (unCLIP) | Imagen | latent diffusion, Stable Diffusion |
# |---|---|---|---|---|
# | source | Nichol et al. 2022 | Ramesh et al. 2022 | Saharia et al. 2022 | Rombach et al. 2022 |
# | what reads the text | a transformer, trained with the denoiser | CLIP, and a prior that turns the text into CLIP's *image* vector | T5-XXL, a language model that never saw an image, frozen | a transformer trained with it; Stable Diffusion: CLIP's text encoder, frozen |
# | how the text enters | an added embedding, and the tokens beside the pixels' keys and values in attention | the image vector, added to the embedding of time and as extra tokens | cross-attention, and a pooled vector | cross-attention |
# | where the diffusion runs | pixels, 64 × 64 | pixels, 64 × 64 | pixels, 64 × 64 | latents of an autoencoder, 8 times smaller to each side |
# | how it gets large | one upsampling diffusion, to 256 | two, to 256 and 1024 | two, to 256 and 1024 | the decoder |
# | guidance | classifier-free, preferred to CLIP guidance by people | classifier-free, in the prior and in the decoder | classifier-free, large scales, dynamic thresholding | classifier-free |
# | its point | classifier-free guidance beats CLIP's gradient | an image vector can be varied and interpolated | a larger text encoder helps more than a larger U-Net | the same quality for a fraction of the compute |
# | sections | 2.3, 2.4, 4, 5 of Nichol et al. 2022 | 2.1, 2.2 of Ramesh et al. 2022 | 2.1 to 2.4, 4.4 of Saharia et al. 2022 | 3.1 to 3.3, 4.3 of Rombach et al. 2022 |
#
# Stable Diffusion is the one whose weights anyone can load. `zoo.load` reads such a pipeline of diffusers as a denoiser of latents that is given a text, so everything of this chapter applies to it: `cfg`, Heun's steps, LoRA. With a GPU
# the cell below tries to load it; it needs `pip install "diffusion-course[hub]"`, and 4 GB from the hub the first time. Elsewhere the same cell runs a pipeline of the same parts, made from small configs **with random weights**: its
# picture has no meaning, but all of the code is run.


# %%
# NBVAL_IGNORE_OUTPUT
def pipeline(name):
    """The pipeline of that name or folder; where it cannot be loaded, or no name is given, a tiny one of random weights; None without diffusers."""
    try:
        return zoo.load(name, course.device) if name else tiny.pipeline().to(course.device)
    except dc.CourseError as error:
        print(f"not loaded: {error}")
        return pipeline(None) if name else None


painter = pipeline(course.pick(small=None, large="stable-diffusion-v1-5/stable-diffusion-v1-5"))
if painter is not None:
    kinds = {"U-Net": painter.net, "text encoder": painter.encoder, "autoencoder": painter.vae}
    show_table(
        ["part", "numbers"],
        [(name, f"{sum(w.numel() for w in part.parameters()):,}") for name, part in kinds.items()],
    )
    prompts = ["кошка в шляпе", "a cat in a hat"]
    steps = dc.schedules.karras(course.pick(small=4, large=20), 0.03, 14.6)
    painted = cfg(painter.given(prompts), painter.given([""] * 2), 7.5)
    latents = dc.sample(
        painted,
        steps[0] * dc.Noise(0).randn(*painter.shape(2), device=course.device),
        steps,
        step=dc.samplers.heun,
    )
    pictures = painter.decode(latents).clamp(-1, 1)
    print(
        f"{pictures.shape[2]} × {pictures.shape[3]} pixels, from latents of {latents.shape[2]} × {latents.shape[3]}"
    )
    display(grids.filmstrip(pictures[None], [""], rows=prompts, title="Decoded"))

# %% [markdown]
# The Russian prompt is there for a reason. CLIP's images were searched for by words of the English Wikipedia (Radford et al. 2021, section 2.2), so its text encoder has presumably read little Russian. What the pipeline draws for «кошка в шляпе» need not be a cat. The two
# languages of our digits were learned on equal terms.
#
# ## Common slips
#
# - Captions dropped with probability $1 - p$, or word by word. The network then seldom sees a caption, or hardly ever the empty one, and no error is raised.
# - "The text works: 8 of 10 samples are thick." How many are thick without it?
# - Pairs that do not share their noise, or an interval for two independent groups where there are pairs. The first is an honest but wider interval, the second a wrong one.
# - CLIP's similarity without the division by the lengths: the gradient then makes the feature vector longer.
# - The gradient at $\hat x_0$ added to $x$ as it is. It needs the Jacobian of the denoiser, or one must say that one leaves it out.
# - LoRA with both factors zero: it trains without an error and learns nothing. $\alpha/r$ left out, or forgotten on merging: the change is another than the one that the rate was found for.
# - A layer of zeros after a layer of zeros.
#
# ## Summary
#
# - Text enters a denoiser as vectors, one for each word, which the pixels look at by cross-attention. Dropping whole captions gives the answer without text, and with it guidance.
# - What a text does is a difference to the same noise without it, measured by the same captions, with an interval. Held-out combinations show whether words combine.
# - A CLIP that knows noise is a classifier whose classes are sentences. Its gradient guides. At equal cost, and at its best scale, 80 pairs
#   cannot tell it from classifier-free guidance by the captions that it meets; but fewer of its samples looked like digits. People preferred classifier-free guidance for GLIDE.
# - LoRA adds $(\alpha/r) BA$ to frozen weights. $B = 0$ keeps the start, a random $A$ lets it learn.
# - A control branch speaks through layers of zeros: no harm at first, a gradient at once. Two in series never learn.
#
# ## References
#
# - Radford, Kim, Hallacy, Ramesh, Goh, Agarwal, Sastry, Askell, Mishkin, Clark, Krueger, Sutskever (2021). [*Learning transferable visual models from natural language supervision.*](https://arxiv.org/abs/2103.00020) CLIP; fig. 3.
# - Nichol, Dhariwal, Ramesh, Shyam, Mishkin, McGrew, Sutskever, Chen (2022). [*GLIDE: towards photorealistic image generation and editing with text-guided diffusion models.*](https://arxiv.org/abs/2112.10741)
# - Ramesh, Dhariwal, Nichol, Chu, Chen (2022). [*Hierarchical text-conditional image generation with CLIP latents.*](https://arxiv.org/abs/2204.06125) DALL-E 2.
# - Saharia, Chan, Saxena, Li, Whang et al. (2022). [*Photorealistic text-to-image diffusion models with deep language understanding.*](https://arxiv.org/abs/2205.11487) Imagen.
# - Rombach, Blattmann, Lorenz, Esser, Ommer (2022). [*High-resolution image synthesis with latent diffusion models.*](https://arxiv.org/abs/2112.10752) Section 3.3.
# - Ho, Salimans (2021). [*Classifier-free diffusion guidance.*](https://arxiv.org/abs/2207.12598)
# - Kynkäänniemi, Karras, Laine, Lehtinen, Aila (2019). [*Improved precision and recall metric for assessing generative models.*](https://arxiv.org/abs/1904.06991)
# - Hu, Shen, Wallis, Allen-Zhu, Li, Wang, Wang, Chen (2022). [*LoRA: low-rank adaptation of large language models.*](https://arxiv.org/abs/2106.09685) Section 4.1.
# - Zhang, Rao, Agrawala (2023). [*Adding conditional control to text-to-image diffusion models.*](https://arxiv.org/abs/2302.05543) ControlNet; eq. 2.

# %%
# NBVAL_CHECK_OUTPUT
check_all()
