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
# # 14. Studies: three reports, run again
#
# "The cosine schedule improved the generation." "DDIM needs the largest number of steps." "The hybrid loss has the lower FID." Three student reports say so,
# each after honest work, and each from one trained network a side and a few dozen or a few thousand samples. This chapter puts their
# tables beside measurements of this course and asks of every sentence: does it hold up, does it not, or can it not be said?
# The answer is computed, from an interval and a rule that you write. Then you plan a study of your own, run it, and read it.
#
# **You learn**
#
# - to write a claim as a set of numbers, and to hold an interval against it: three verdicts, not two;
# - what three reports asked, did and concluded, and what is left of it at equal cost, in pairs, with error bars;
# - to read a table of many comparisons, with McNemar's test and Holm's correction;
# - what an interval from one training run leaves out, and what three runs add;
# - to find the noise levels at which a network loses quality;
# - how many runs and how many samples tell a given difference apart, and what that costs;
# - to plan a study: question, measure, pairs, budget, stopping, and what to write down;
# - where the sources of this course slip, each in one line with the place of the right form.
#
# **You need** chapter 10 (Fréchet distance, jackknife, pairs, how many samples one needs). Chapters 4 to 7 and 9 explain what
# is compared; the text says where.
#
# **Time**: {{reading}} of reading, and {{minutes}} for {{exercises}}. The cells run in about 20 s on 2 CPU cores (not measured
# on a GPU).

# %% [markdown]
# ## Notation
#
# {{notation t beta w eta nfe sigma D frechet jackknife}}
#
# A *training seed* is one training run of a network. $S$ is their number, $n$ the number of samples of a row, and $\delta$ the
# true difference that a claim is about. ($s_t$, in the row of $\eta$, is the standard deviation of the noise that a step adds. The $s$ of
# {{section How to plan a study}} is another thing, the spread of one sample.)

# %%
import itertools
import math
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist

import torch
from torch.utils.flop_counter import FlopCounterMode

from diffusion_course.classroom import check, check_all
from diffusion_course.errors import CourseError
from diffusion_course.experiments import data, intervals, metrics, models, studies, zoo
from diffusion_course.experiments.config import Config, read_config
from diffusion_course.experiments.drawing import draw
from diffusion_course.experiments.studies import compared, equal_cost, seeds
from diffusion_course.notebook import plots, quiz, widgets
from diffusion_course.notebook.claims import agree, claim
from diffusion_course.notebook.tables import show_table
from diffusion_course.samplers import dpmpp_2m
from diffusion_course.schedules import karras

INF = math.inf


# %% [markdown]
# ## 1. A claim is a set
#
# A sentence about two settings says something of one number, the true difference $\delta$ between them. "A is better than B"
# says $\delta > 0$. "A and B are alike" cannot mean $\delta = 0$, which no measurement could bear out; it means
# $-\Delta < \delta < \Delta$ with a *margin* $\Delta$, the largest difference that does not matter. So a claim is an open interval $C = (c, d)$,
# and a measurement is a closed one, $[l, h]$, made to hold $\delta$ in 95 of 100 repetitions at least. There are three cases:
#
# $$\text{verdict} = \begin{cases} 1 \ (\textit{held up}) & c < l \text{ and } h < d: \text{ the whole interval lies inside of the claim} \\ -1 \ (\textit{did not}) & h \le c \text{ or } l \ge d: \text{ the whole interval lies outside of it} \\ 0 \ (\textit{cannot be said}) & \text{else} \end{cases}$$
#
# The claim's ends do not belong to the claim: a difference of exactly 0 is no gain. (For "alike" this is an
# equivalence test, Schuirmann 1987, at 2.5 % to each side.) Two slips are so common that they have a literature. *Not significant* is not *equal*: an
# interval that holds 0 may reach far to both sides (Altman & Bland 1995). And *significant* is not *large*: a narrow interval above 0
# may lie within the margin. Then "better" and "alike" both hold up.
#
# The margin is part of the claim, so it must be chosen before the numbers are seen. The reports name none. This chapter
# takes 0.05 for a share of recognised samples, one sample in twenty, and for a Fréchet distance two *floors*, twice what real
# images score at the same $n$ (chapter 10, section 2 ("It is too large, and by how much depends on n")).
#
# ### Exercise {{14-verdict}}
#
# Write the rule for a table. All four arguments are tensors $(K,)$ of one floating dtype, a row for each claim; `low` $\le$ `high` are the ends of the
# interval, and `claim_low` $<$ `claim_high` those of the claim, which may be $\pm\infty$ (`-torch.inf`). Return the verdicts as an
# `int64` tensor $(K,)$ of 1, −1 and 0. Ends that meet, or nearly meet, are judged exactly as the formula says: compare the numbers as they are given.
#
# *Hint.* Two masks, one for inside and one for outside. No row is in both.


# %%
# EXERCISE 14-verdict (keep this line)
def verdict(low, high, claim_low, claim_high):
    """What intervals say of claims: 1 held up, -1 did not, 0 cannot be said.

    low, high: (K,), the ends of the intervals. claim_low, claim_high: (K,), those of the claims, which do not belong to them.
    Returns an int64 tensor (K,).
    """
    ### BEGIN SOLUTION
    inside = (low > claim_low) & (high < claim_high)
    outside = (high <= claim_low) | (low >= claim_high)
    return inside.long() - outside.long()
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("14-verdict", verdict)

# %% [markdown]
# ### What stands in the interval
#
# Wherever it can be, an interval of this chapter is of a *paired* difference: both rows began with the same noise. (It cannot be where rows
# are shown by themselves, where a report gives two counts, and where a file does not keep what pairs need; the table of verdicts says which.) How many training runs are in
# it decides what it can say:
#
# - from **one training seed** it holds the chance of the samples. A verdict is then about *two files*, not about two
#   methods: a second run of the same recipe is another network;
# - from **three** it holds the chance of training as well. It is wide, since three numbers know their spread badly: Student's
#   factor for $S = 3$ is 4.3, not 1.96. (For one seed the course takes 2.26 everywhere, the factor of a jackknife of ten groups. For the mean of hundreds of
#   pairs 1.96 would do, so these are a little too wide.)
#
# The tables below read the course's stored results and say which of the two they are. Where a study is not measured
# yet, the cell prints the command that measures it, and no number; the table shows itself as soon as the file is there.
#
# The next cell has the chapter's bookkeeping. `hold` holds one sentence against rows of a study and keeps it for the table of
# verdicts in {{section The verdicts}}.


# %%
def there(load):
    """The results of a study, or None and the line that says how to measure it."""
    try:
        return load()
    except CourseError as error:
        print(f"not measured yet: {error}")
        return None


MARGIN = 0.05  # of a share
ABOVE = (0.0, INF)
ALIKE = (-MARGIN, MARGIN)
PERCEPTIBLE, NO_GAIN = (MARGIN, INF), (-INF, MARGIN)
claims = []  # one for each sentence: what the table of verdicts shows


def hold(report, sentence, number, ends, study, find, command):
    """Keep a claim with what was found. find: study -> compared.Found; it is not asked where there is no study."""
    found = None
    if study is not None:
        found = there(lambda: find(study))
    claims.append(
        {
            "report": report,
            "says": sentence,
            "number": number,
            "ends": ends,
            "found": found,
            "command": command,
        }
    )
    return found


def said(found, ends):
    """The verdict of one claim in words, by your rule."""
    if found is None:
        return "not measured"
    if found.low is None:
        return "cannot be said"
    four = (torch.tensor([v], dtype=torch.float64) for v in (found.low, found.high, *ends))
    return {1: "held up", -1: "did not hold up", 0: "cannot be said"}[int(verdict(*four))]


def tell(count):
    """Print the last claims: what each says, its number, and its verdict."""
    for one in claims[-count:]:
        found = f" {one['found']}" if one["found"] else ""
        print(f"{one['says']}: {one['number']}{found}: {said(one['found'], one['ends'])}")


def cell(value, digits=3):
    """A mean of several seeds, or of one, with its interval."""
    if value is None:
        return ""
    span = (
        "" if value["95 %"] is None else f" ({value['95 %'][0]:.{digits}g} to {value['95 %'][1]:.{digits}g})"
    )
    return f"{value['mean']:.{digits}g}{span}"


def show(study, keys, measured, caption, **wanted):
    """Rows of a study, all training seeds in one line: means with their 95 % intervals, and the number of seeds."""
    rows = there(lambda: study.where(**wanted))
    if rows is None:
        return
    found = seeds.summary(rows, [{key: row[key] for key in keys} for row in rows])
    lines = [
        (*(row[key] for key in keys), *(cell(row.get(name)) for name in measured), len(row["training seeds"]))
        for row in found
    ]
    show_table([*keys, *(f"{name} (95 %)" for name in measured), "seeds"], lines, caption)


def told(study):
    """Where a table is from, and what its intervals hold."""
    trained = {len(row["training seeds"]) > 1 for row in study.summary}
    chance = "training and samples" if True in trained else "samples alone, of one training seed"
    some = " in rows of several training seeds, and else of samples alone" if len(trained) > 1 else ""
    print(f"{study.command}: {study.device}, {study.date}; the intervals hold the chance of {chance}{some}")


# %% [markdown]
# ### The slider: the same marks, more of them
#
# What a study can say depends on its size. The study `guidance` (chapter 6, section 6 ("Digits and clothes")) has 500 marks a
# row, recognised or not. Take the first $n$ of each row. **Predict, then run:** from how many samples on is it settled
# that guidance makes digits more readable? And that two scales that are both large are alike within the margin?

# %%
guidance = there(lambda: studies.load("guidance"))
COMPARISONS = {
    "mnist, w = 2 minus w = 1": ("mnist", 2, 1),
    "fashion-mnist, w = 2 minus w = 1": ("fashion-mnist", 2, 1),
    "mnist, w = 4 minus w = 3": ("mnist", 4, 3),
    "fashion-mnist, w = 1.5 minus w = 1": ("fashion-mnist", 1.5, 1),
}
SIZES = [20, 50, 100, 200, 500]


def first(rows, n):
    """The rows with their first n marks."""
    return [{**row, "each": row["each"][:n], "n": n} for row in rows]


def of_guidance(name, n):
    data_name, w, other = COMPARISONS[name]
    rows = (guidance.shipped().where(data=data_name, w=scale) for scale in (w, other))
    return compared.shares(*(first(some, n) for some in rows))


by_size = {name: [of_guidance(name, n) for n in SIZES] for name in COMPARISONS}


def at_size(comparison="mnist, w = 2 minus w = 1", n=100):
    found = by_size[comparison]
    now = found[SIZES.index(n)]
    line = f"recognised: {comparison}: {now}"
    return plots.curves(
        SIZES,
        {
            line: [f.value for f in found],
            "margin": [MARGIN] * len(SIZES),
            "margin, below 0": [-MARGIN] * len(SIZES),
        },
        title=f"n = {n}: better: {said(now, ABOVE)}; alike: {said(now, ALIKE)}",
        xlabel="samples of each (log scale)",
        ylabel="difference of the shares, 95 %",
        logx=True,
        ylim=(-0.35, 0.5),
        marks={f"n = {n}": n},
        intervals={line: [(f.low, f.high) for f in found]},
    )


widgets.slide(
    at_size,
    comparison=list(COMPARISONS),
    n=SIZES,
    description="The verdict on two claims against the number of samples",
    static=[
        {"comparison": "mnist, w = 2 minus w = 1", "n": 20},
        {"comparison": "mnist, w = 2 minus w = 1", "n": 500},
        {"comparison": "mnist, w = 4 minus w = 3", "n": 500},
    ],
)

# %%
for name, found in by_size.items():
    better = [said(f, ABOVE) for f in found]
    alike = [said(f, ALIKE) for f in found]
    print(f"{name}: better: {', '.join(better)}; alike: {', '.join(alike)}")
widths = {name: [f.high - f.low for f in found] for name, found in by_size.items()}
claim("more marks make every interval narrower", all(w == sorted(w, reverse=True) for w in widths.values()))
claim(
    "20 marks of each tell no two scales to be alike",
    all(said(found[0], ALIKE) != "held up" for found in by_size.values()),
)

# %%
quiz.ask("14-q1")

# %% [markdown]
# ## 2. Report 1: steps, schedules, guidance
#
# *Project 5: diffusion models*, slides of 14 June 2025, on MNIST and Fashion-MNIST. It asked three questions: how the number of
# noising steps acts on the quality of generation, how the schedule does, and whether classifier-free guidance improves it. Each was
# answered with one training run a setting, and quality was judged by eye: **artefacts were counted** in 24, 48 or 50 samples.
#
# Its numbers, and its conclusions in its own words (translated):
#
# - steps, MNIST: "9 generations with artefacts of 24 at 1000 steps, 12 at 200. There is a difference, but it is not essential, and the
#   estimate itself may be biased"; the validation loss fell with the number of steps;
# - schedule, MNIST: 19 of 48 with artefacts for the cosine, 18 for the linear schedule, "the quality is equally bad";
# - guidance, MNIST: "a perceptible gain"; 7 of 50 samples not readable, "accuracy 0.86";
# - steps, Fashion-MNIST: "the model for 100 steps generates worse"; "between 500 and 1000 there is no perceptible difference";
# - schedule, Fashion-MNIST: "the cosine schedule improved the generation";
# - guidance, Fashion-MNIST: "no perceptible gain".
#
# What do such counts weigh? The cell puts Wilson's interval behind each, and Newcombe's behind each difference: the report's own
# evidence. (Chapter 4, section 7 ("Linear against cosine, measured") asks how many samples such counts would need.)


# %%
def newcombe(k1, n1, k2, n2):
    """The difference of two independent shares with its 95 % interval (Newcombe 1998, method 10), from Wilson's."""
    p1, p2, (l1, h1), (l2, h2) = k1 / n1, k2 / n2, metrics.wilson(k1, n1), metrics.wilson(k2, n2)
    below, above = math.hypot(p1 - l1, h2 - p2), math.hypot(h1 - p1, p2 - l2)
    return compared.Found(p1 - p2, p1 - p2 - below, p1 - p2 + above, 1, n1, paired=False)


COUNTS = {  # samples without artefacts, of how many: the slides "Dependence on the number of steps", "... on the schedule"
    "steps, MNIST: 1000 minus 200": (24 - 9, 24, 24 - 12, 24),
    "schedule, MNIST: cosine minus linear": (48 - 19, 48, 48 - 18, 48),
}
counted = {name: newcombe(*four) for name, four in COUNTS.items()}
show_table(
    ["the report's counts", "without artefacts", "difference (95 %)", "'better'", "'alike'"],
    [
        (
            name,
            f"{k1} of {n1}, {k2} of {n2}",
            str(counted[name]),
            said(counted[name], ABOVE),
            said(counted[name], ALIKE),
        )
        for name, (k1, n1, k2, n2) in COUNTS.items()
    ],
)
low, high = metrics.wilson(43, 50)
print(f"guidance, MNIST: 43 of 50 readable, {43 / 50:.2f} ({low:.2f} to {high:.2f})")
claim(
    "from the report's own counts neither 'better' nor 'alike' can be said of steps or schedules",
    all(said(f, ends) == "cannot be said" for f in counted.values() for ends in (ABOVE, ALIKE)),
)

# %% [markdown]
# These two pairs of counts bear neither conclusion, not that one is better and not that both are equally bad. (The accuracy
# of guidance is compared with nothing: no count without guidance is reported.)
#
# Here the same questions are asked of networks of one architecture and one recipe. A judge in the place of the eye says whether a sample shows the class that was
# asked for, which is close to "readable", and sees no blemish that leaves the class clear.
#
# ### Steps
#
# In the study `steps` a network is trained for each $T$, on the cosine schedule, which is one curve of $t/T$: $T$ changes the number of
# steps into which it is cut, and not where it ends (chapter 4, section 5 ("The end of the chain, and T")). Samples take all $T$ steps.

# %%
# NBVAL_IGNORE_OUTPUT
steps = there(lambda: studies.load("steps"))
if steps:
    told(steps)
    for data_name in ("mnist", "fashion-mnist"):
        show(
            steps,
            ["T"],
            ["loss", "bits per dim, small", "recognised", "frechet"],
            f"{data_name}: chains of T steps; loss and bound on test images",
            data=data_name,
        )


def of_steps(data_name, T, other, find=compared.shares):
    return lambda study: find(*(study.where(data=data_name, T=n) for n in (T, other)))


def losses_of(a, b):
    return compared.numbers("loss", a, b)


FIND_STEPS = "diffusion-course study steps"
hold(
    1,
    "MNIST: with more steps the validation loss fell",
    "loss, T = 200 minus T = 1000",
    ABOVE,
    steps,
    of_steps("mnist", 200, 1000, losses_of),
    FIND_STEPS,
)
hold(
    1,
    "MNIST: 1000 steps not essentially better than 200",
    "recognised, T = 1000 minus T = 200",
    NO_GAIN,
    steps,
    of_steps("mnist", 1000, 200),
    FIND_STEPS,
)
hold(
    1,
    "Fashion-MNIST: 100 steps are worse than 1000",
    "recognised, T = 1000 minus T = 100",
    ABOVE,
    steps,
    of_steps("fashion-mnist", 1000, 100),
    FIND_STEPS,
)
hold(
    1,
    "Fashion-MNIST: no difference between 500 and 1000",
    "recognised, T = 1000 minus T = 500",
    ALIKE,
    steps,
    of_steps("fashion-mnist", 1000, 500),
    FIND_STEPS,
)
tell(4)
if steps:
    for data_name in ("mnist", "fashion-mnist"):
        first = sorted(steps.shipped().where(data=data_name), key=lambda row: row["T"])
        bits = [row["bits per dim, small"] for row in first]
        claim(
            f"{data_name}, first training run: the bound falls from each T to the next",
            bits == sorted(bits, reverse=True),
        )
    many, more = ([row["bits per dim, small"] for row in steps.where(data="mnist", T=n)] for n in (200, 1000))
    print(
        "mnist, T = 200 to 1000, by run:",
        ", ".join(f"{a:.2f} to {b:.2f}" for a, b in zip(many, more, strict=True)),
    )
    claim(
        "mnist: in every run it falls from 200 to 1000", all(b < a for a, b in zip(many, more, strict=True))
    )

# %% [markdown]
# What does fall with $T$, on both sets, is the bound, in bits per dimension: more and shorter steps have reverse distributions that are nearer to
# Gaussians (chapter 2). It says nothing of how the samples look. (Most $T$ have one network. On MNIST the step from 100 to 200 is smaller than what lies between runs.)
#
# A word on the loss. It is the mean over $t = 1 \dots T$ of another set of noise levels for each $T$. On one curve of $t/T$ these are the same levels, more finely
# cut; with betas that are not rescaled they would not be, and a lower loss would say only that easier levels are among them.
#
# ### Schedules
#
# The study `schedules` samples networks that were trained on either schedule with $T = 1000$; the report looked at 1000 steps alone.

# %%
# NBVAL_IGNORE_OUTPUT
schedules = there(lambda: studies.load("schedules"))
if schedules:
    told(schedules)
    show(
        schedules,
        ["data", "schedule", "steps"],
        ["recognised", "frechet"],
        "ancestral samples without guidance, 150 a row and seed",
    )


def of_schedules(data_name):
    return lambda study: compared.shares(
        *(study.where(data=data_name, schedule=name, steps=1000) for name in ("cosine", "linear"))
    )


FIND_SCHEDULES = "diffusion-course study schedules"
hold(
    1,
    "MNIST: cosine and linear are equally bad",
    "recognised, cosine minus linear, 1000 steps",
    ALIKE,
    schedules,
    of_schedules("mnist"),
    FIND_SCHEDULES,
)
hold(
    1,
    "Fashion-MNIST: the cosine schedule improved it",
    "recognised, cosine minus linear, 1000 steps",
    ABOVE,
    schedules,
    of_schedules("fashion-mnist"),
    FIND_SCHEDULES,
)
tell(2)
if schedules:
    for data_name in ("mnist", "fashion-mnist"):
        two = (schedules.where(data=data_name, schedule=name, steps=1000) for name in ("linear", "cosine"))
        print(f"{data_name}: Fréchet distance, linear minus cosine, 1000 steps: {compared.distances(*two)}")

# %% [markdown]
# The last two lines are of a measure that the report did not use, so they are no verdict on its sentences: who looks at two measures and tells of
# one has chosen. But they say that the schedule does something on Fashion-MNIST which counting readable samples does not see.
#
# ### Guidance
#
# The report does not say which scale it used. The claim is held against $w = 2$; `w` $= 1$ is without guidance. A gain is perceptible above the margin,
# and "no gain" has one side: a loss would bear it out, too. So the two sentences exclude each other.

# %%
# NBVAL_IGNORE_OUTPUT
if guidance:
    told(guidance)
    for data_name in ("mnist", "fashion-mnist"):
        show(
            guidance,
            ["w"],
            ["recognised", "frechet"],
            f"{data_name}: 500 samples a row and seed, floor {guidance.where(data=data_name)[0]['floor']:.2f}",
            data=data_name,
        )


def of_scales(data_name):
    return lambda study: compared.shares(*(study.where(data=data_name, w=w) for w in (2, 1)))


FIND_GUIDANCE = "diffusion-course study guidance"
hold(
    1,
    "MNIST: guidance is a perceptible gain",
    "recognised, w = 2 minus w = 1",
    PERCEPTIBLE,
    guidance,
    of_scales("mnist"),
    FIND_GUIDANCE,
)
hold(
    1,
    "Fashion-MNIST: guidance brings no perceptible gain",
    "recognised, w = 2 minus w = 1",
    NO_GAIN,
    guidance,
    of_scales("fashion-mnist"),
    FIND_GUIDANCE,
)
tell(2)

# %% [markdown]
# Where the judge counts a gain that the eye missed, here is a guess at the cause, which nothing in this chapter tests: a shirt that could as well be a pullover has no artefact, and
# only a judge that knows which was asked for sees that it is the wrong one. And guidance costs variety, which no count of artefacts shows: compare the
# recall in chapter 6, section 6 ("Digits and clothes").

# %%
quiz.ask("14-q2")

# %% [markdown]
# ## 3. Report 2: three solvers
#
# A report of 21 December 2024 on Euler's method, DDIM and EDM's stochastic Heun sampler, with NVIDIA's EDM network for CIFAR-10
# (unconditional, VE) and FID. Its tables:

# %%
show_table(
    ["steps", "samples", "Euler", "DDIM", "EDM"],
    [
        (50, 3000, "11.55", "354.51", "10.68"),
        (200, 3000, "10.96", "152.53", "11.39"),
        (100, 5000, "7.59", "321.57", "7.19"),
    ],
    "FID, report 2, tables 1 and 2",
)
show_table(
    ["", "50", "200", "500", "1000"],
    [("DDIM", "354.51", "152.53", "18.61", "11.24")],
    "FID of DDIM against the number of steps, report 2, table 3 (3,000 samples)",
)

# %% [markdown]
# Its conclusions (report of 2024, section 3.2, translated): Euler and EDM "gave close values of FID in all settings, at an equal number of iterations";
# "Euler's scheme, at comparable quality, is the more efficient approach when computing resources are counted"; EDM makes up for it: by additional noise
# "it can generate more diverse samples"; "DDIM needs the largest number of steps to converge to an adequate result".
#
# Three things to see before any measurement. *First*, the tables compare at equal **steps**. A step of EDM has two evaluations of the network. The report
# says so in words; a table at equal cost would show what it means. *Second*, 3,000 samples in the first table and 5,000 in the
# second are two biases of FID: the fall from 11 to 7 between them is no gain of the sampler. *Third*, DDIM with $\eta = 0$ **is** Euler's
# method (chapter 7, section 5 ("Eta = 0 is Euler's method")). If one is useless where the other is good, something besides the name differs: the grid is the first suspect.
#
# The second is quickly shown with *real* digits, which no sampler could improve on. **Predict, then run:** sets in the ratio 3 to 5.

# %%
# NBVAL_IGNORE_OUTPUT
judge = zoo.judge("mnist", course.device)
digits = data.load("mnist-5k", limit=4000)
in_turn = torch.stack([(digits.labels == c).nonzero()[:400, 0] for c in range(10)], dim=1).flatten()
images = digits.images[in_turn]  # 0, 1, ..., 9, 0, 1, ...: equal shares in every set
features = torch.cat([metrics.features(judge, some.to(course.device)) for some in images.split(500)])
pool, reference = features.split(2000)


def floors(n):
    """Distances of disjoint sets of n real digits from 2,000 others."""
    sets = [part for part in pool.split(n) if len(part) == n]
    return torch.tensor([metrics.frechet(part, reference) for part in sets])


few, many = floors(150), floors(250)
error = math.hypot(*((v.std() / len(v) ** 0.5).item() for v in (few, many)))
gap, half = (few.mean() - many.mean()).item(), intervals.reach(error, min(len(few), len(many)))
size = compared.Found(gap, gap - half, gap + half, 0, 150, paired=False)
hold(
    "2, tables",
    "more samples, a lower FID",
    "distance of real digits, 150 minus 250 a set",
    ABOVE,
    size,
    lambda found: found,
    "this chapter",
)
print(f"sets of 150: {few.mean():.3f}, sets of 250: {many.mean():.3f}; difference {size}")
claim("the same real digits are 'better' in larger sets", said(size, ABOVE) == "held up")

# %% [markdown]
# So what the two tables show is true of the *estimate*, whatever the sampler. Two FIDs compare at equal numbers of samples alone.
#
# ### At equal cost
#
# The study `solvers` has the three at equal numbers of evaluations, DDIM on its own times (`uniform`, `quadratic`), and ancestral sampling (`eta 1`) beside
# them. Its rows are of two kinds: trained weights, judged by their samples; and *exact* denoisers of blurred data sets, MNIST's and
# CIFAR-10's own 50,000 pictures, where nothing but the sampler errs. CIFAR-10 is the report's data set (here it may be read from JPEG files, whose last grey
# levels are not those of the original set). Three more rows need no report: `heun` is EDM without churn, `dpmpp_2m` is DPM-Solver++(2M), which keeps the step before (one evaluation a step), and `straight`
# is a grid that is even in the time of the straight path, $\sigma/(1 + \sigma)$. `evaluations` is a budget: 20 steps of Heun take 39, and stand at 40.

# %%
# NBVAL_IGNORE_OUTPUT
solvers = there(lambda: studies.load("solvers"))
if solvers:
    told(solvers)
    keys = ["sampler", "grid", "evaluations"]
    show(
        solvers,
        keys,
        ["recognised", "frechet", "recall"],
        "the network mnist-edm, 300 digits a row and seed",
        model="mnist-edm",
    )
    for name in ("exact mnist", "exact cifar10"):
        exact = [row for row in solvers.rows if row["model"] == name]
        if exact:
            show(
                solvers,
                keys,
                ["nearest", "distance"],
                f"{name}: distance to the nearest picture ({equal_cost.BUDGETS[0]} to {equal_cost.BUDGETS[-1]} evaluations; "
                "perfect samples in the first row), and to the converged solution",
                model=name,
            )
        else:
            path = " --cifar10 PATH" if "cifar10" in name else ""
            print(f"{name}: not measured yet; run `diffusion-course study solvers{path}`")

# %% [markdown]
# ### Exercise {{14-paired_table}}
#
# A column of such a table has several samplers. Which of them differ from Euler? Build the table of comparisons. `marks` is $(K, N)$ in
# float64, a row of zeros and ones for each sampler, column $i$ of all rows from one noise; `base` is the number of the row that
# the others are compared with. Return three float64 tensors $(K - 1,)$, in the order of the other rows:
#
# 1. `difference`: the share of the row minus the share of the base;
# 2. `p`: McNemar's. With $n_{10}$ samples that only the row got right and $n_{01}$ that only the base did (McNemar 1947),
#
# $$p = \min\Big(1,\; 2 \sum_{k \,\le\, \min(n_{10}, n_{01})} \binom{n_{10} + n_{01}}{k}\, 2^{-(n_{10} + n_{01})}\Big)$$
#
# 3. `corrected`: these $p$ after Holm's correction for their number $m = K - 1$ (Holm 1979). With $p_{(0)} \le p_{(1)} \le \dots$ the sorted ones,
#
# $$\tilde p_{(r)} = \max_{i \,\le\, r}\, \min\big(1,\; (m - i)\, p_{(i)}\big)$$
#
# put back into the order of the rows. A row with the same marks as the base has $n_{10} = n_{01} = 0$: the sum is 1 there, and $p = 1$.
# $N$ may be in the thousands. No argument may be changed in place. The check tells which of the three is wrong.
#
# *Hint.* `math.comb(n, k)` is exact for any $n$, and so is `2**n`: divide the two Python integers at the end. `p.argsort()` and
# `.cummax(0).values` do the rest; to write a sorted tensor back, `result[order] = sorted`.


# %%
# EXERCISE 14-paired_table (keep this line)
def paired_table(marks, base):
    """Every row of marks against one of them: difference of shares, McNemar's p, and p after Holm's correction.

    marks: (K, N), float64, zeros and ones; column i of all rows from one noise. base: the number of the row to compare with.
    Returns (difference, p, corrected), each float64 (K - 1,), in the order of the other rows.
    """
    ### BEGIN SOLUTION
    rows, other = torch.cat([marks[:base], marks[base + 1 :]]), marks[base]
    p = []
    for row in rows:
        counts = [int(((row == x) & (other == 1 - x)).sum()) for x in (1, 0)]
        terms = sum(math.comb(sum(counts), k) for k in range(min(counts) + 1))
        p.append(min(1.0, 2 * terms / 2 ** sum(counts)))
    p = torch.tensor(p, dtype=torch.float64, device=marks.device)
    order, m = p.argsort(), len(p)
    corrected = torch.empty_like(p)
    corrected[order] = (p[order] * torch.arange(m, 0, -1, device=p.device)).clamp(max=1).cummax(0).values
    return rows.mean(1) - other.mean(), p, corrected
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("14-paired_table", paired_table)

# %% [markdown]
# Your table at work: the samplers with a budget of 20 evaluations against Euler on the Karras grid, the network that ships. (Rows whose file keeps no single marks are named, and left out.)
# **Predict, then run:** how many of them have a `p` below 0.05, and does the correction take any away?

# %%
# NBVAL_IGNORE_OUTPUT
if solvers:
    shipped = solvers.shipped()
    at_20 = shipped.where(model="mnist-edm", evaluations=20)
    column = [row for row in at_20 if "each" in row]
    names = [f"{row['sampler']}, {row['grid']}" for row in column]
    if left_out := [f"{row['sampler']}, {row['grid']}" for row in at_20 if "each" not in row]:
        print(f"left out, for want of single marks: {'; '.join(left_out)}")
    base = names.index("euler, karras")
    marks = torch.tensor([[float(mark) for mark in row["each"]] for row in column], dtype=torch.float64)
    difference, p, corrected = paired_table(marks, base)
    rest = [name for k, name in enumerate(names) if k != base]
    show_table(
        ["sampler, grid", "recognised minus Euler's", "p", "corrected"],
        [
            (n, f"{d:+.3f}", f"{a:.2g}", f"{b:.2g}")
            for n, d, a, b in zip(rest, difference, p, corrected, strict=True)
        ],
        f"20 evaluations, {marks.shape[1]} digits each, from the same noise; {shipped.command}",
    )
    by_library = {n: intervals.mcnemar(column[names.index(n)]["each"], column[base]["each"]) for n in rest}
    agree("your p and the library's", p, torch.tensor(list(by_library.values()), dtype=torch.float64))
    agree(
        "your correction and the library's",
        corrected,
        torch.tensor(list(intervals.holm(by_library).values()), dtype=torch.float64),
    )
    print(
        f"p below 0.05: {int((p < 0.05).sum())} of {len(p)}; after the correction: {int((corrected < 0.05).sum())}"
    )

# %% [markdown]
# ### The report's sentences
#
# At equal steps first, as the report asks: 40 steps of Euler beside 40 of EDM with churn, which cost 79 evaluations. Then at equal cost. The last one is no sentence of the report's, but what its
# tables show. EDM's churn is Karras et al.'s for
# ImageNet, not tuned for digits (Karras et al. 2022, table 5). The margin of a distance is two floors. Variety is measured by recall, the share of
# real digits that lie among the samples (chapter 10, section 5 ("Which measure sees which fault?")); a row has no interval that counts the chance of its samples, so that several
# training seeds are needed to say anything.

# %%
# NBVAL_IGNORE_OUTPUT
two_floors = 2 * solvers.where(model="mnist-edm")[0]["floor"] if solvers else 0.0
NEAR = (-two_floors, two_floors)


def of_solvers(a, b, find=compared.distances):
    """A comparison of two rows of mnist-edm, each (sampler, grid, evaluations)."""

    def rows(study, sampler, grid, evaluations):
        return study.where(model="mnist-edm", sampler=sampler, grid=grid, evaluations=evaluations)

    return lambda study: find(rows(study, *a), rows(study, *b))


def recalls(a, b):
    return compared.numbers("recall", a, b)


FIND_SOLVERS = "diffusion-course study solvers"
hold(
    2,
    "at equal steps Euler and EDM are close",
    "distance, EDM minus Euler, 40 steps each",
    NEAR,
    solvers,
    of_solvers(("churn", "karras", 80), ("euler", "karras", 40)),
    FIND_SOLVERS,
)
hold(
    2,
    "Euler is the more efficient one, counting evaluations",
    "distance, EDM minus Euler, 40 evaluations each",
    ABOVE,
    solvers,
    of_solvers(("churn", "karras", 40), ("euler", "karras", 40)),
    FIND_SOLVERS,
)
hold(
    2,
    "EDM's noise makes more diverse samples",
    "recall, EDM minus Euler, 80 evaluations each",
    ABOVE,
    solvers,
    of_solvers(("churn", "karras", 80), ("euler", "karras", 80), recalls),
    FIND_SOLVERS,
)
hold(
    "2, tables",
    "DDIM is worse than Euler at equal cost",
    "distance, DDIM (t quadratic) minus Euler, 40 evaluations",
    ABOVE,
    solvers,
    of_solvers(("euler", "quadratic", 40), ("euler", "karras", 40)),
    FIND_SOLVERS,
)
tell(4)

# %% [markdown]
# ### Does DDIM need 1000 steps?
#
# The report chose "the quadratic schedule of $\beta_t$". In Song et al. (2021, appendix D) *quadratic* is the choice of times out of one fixed schedule. A
# quadratic schedule of the $\beta_t$ made for $T = 50$ steps, its largest $\beta_t$ left at what is meant for 1000, stops adding noise while the image
# is still there (chapter 9, section 9 ("Does DDIM need 1000 steps?")). The study `ddim-steps` measures the distance of each DDIM sample to the converged solution from the same noise, on sound grids
# and on that one ("own betas"). Is it what happened in the report? Its FID falls, 355, 153, 19, 11 at 50, 200, 500 and 1000 steps, and so do the errors of such a
# grid. That fits, and proves nothing: the cell measures another number of another network. The report's code would tell.

# %%
# NBVAL_IGNORE_OUTPUT
ddim = there(lambda: studies.load("ddim-steps"))
if ddim:
    told(ddim)
    asked = (50, 200, 500, 1000)

    def median(grid, n):
        """The median error over the samples of the shipped network, or "" where the study has no such row."""
        rows = [
            r for r in ddim.shipped().rows if (r["denoiser"], r["grid"], r["steps"]) == ("mnist-edm", grid, n)
        ]
        return f"{torch.tensor(rows[0]['errors']).quantile(0.5):.4f}" if rows else ""

    show_table(
        ["DDIM on", *(f"{n} steps" for n in (20, *asked))],
        [
            (name, *(median(grid, n) for n in (20, *asked)))
            for grid, name in (
                ("own betas", "betas made for T = n"),
                ("quadratic", "times, quadratic"),
                ("uniform", "times, uniform"),
                ("karras", "the Karras grid"),
            )
        ],
        "median distance to the converged solution, rms per pixel; one grey level is 0.008; empty: no row of the study",
    )
    falling = [float(median("own betas", n) or "nan") for n in asked]
    claim(
        "the errors of betas made for T = n fall from 50 to 1000 steps",
        falling == sorted(falling, reverse=True),
    )


def of_ddim(a, b):
    """ln of the ratio of two rows' errors, each (grid, steps)."""
    return lambda study: compared.log_ratios(
        *(study.where(denoiser="mnist-edm", grid=grid, steps=n) for grid, n in (a, b))
    )


FIND_DDIM = "diffusion-course study ddim-steps"
TWICE = math.log(2)
hold(
    "2, tables",
    "DDIM with 50 steps is useless where Euler is good",
    "ln(error of DDIM, t uniform / error of Euler, Karras grid), 50 steps",
    (TWICE, INF),
    ddim,
    of_ddim(("uniform", 50), ("karras", 50)),
    FIND_DDIM,
)
fault = there(lambda: of_ddim(("own betas", 50), ("uniform", 50))(ddim)) if ddim else None
if fault:
    print(
        f"50 steps, betas made for 50 over times of the whole schedule: the errors differ by a factor of {math.exp(fault.value):.0f}",
        end=" ",
    )
    print(f"({math.exp(fault.low):.0f} to {math.exp(fault.high):.0f})")
    claim(
        "a schedule made for 50 steps has at least ten times the error of 50 steps of the whole one",
        fault.low > math.log(10),
    )
one = claims[-1]
print(f"{one['says']}: {one['number']} {one['found'] or ''}: {said(one['found'], one['ends'])}")

# %% [markdown]
# "Useless where Euler is good" is how its tables read, and is held as: at least twice the error, on equal terms. A DDIM with betas of its own is not on equal terms.
#
# ### The report's own setting
#
# With NVIDIA's weights, Inception and CIFAR-10's pictures at hand the same command measures the report's own rows, at equal evaluations, with FID of 3,000
# samples. None of the three can ship with the course.

# %%
# NBVAL_IGNORE_OUTPUT
try:
    paper = studies.load("solvers-paper")
except CourseError:
    print("not measured yet; run: diffusion-course study solvers --preset paper --cifar10 PATH")
else:
    told(paper)
    show(
        paper,
        ["sampler", "grid", "evaluations"],
        ["frechet"],
        f"FID of 3,000 samples, floor {paper.rows[0]['floor']:.2f}",
    )


# %% [markdown]
# ### Does fresh noise pay less as the network improves?
#
# It is not in the report, but where samplers with fresh noise are ahead in the table above it may be why. The report's network is a large one, `mnist-edm` a small one that was trained briefly, and Karras et al. (2022, section 5) find that noise on
# the way helps a poor network more than a good one. The study `churn-and-quality` looks at one run after 1, 3, 10 and 25 epochs.
#
# The *gain* of fresh noise is the distance without it minus the distance with it, at equal evaluations: Euler minus `eta 1`, and Heun minus `churn`.
# The finding, as a claim: from 1 epoch to 25 the gain falls, so its change is below 0. All four rows of a change began with the same noise, so it has an interval of its own.
# (`churn 10` has a quarter of the churn. With 40 evaluations both are cut off at the same largest value, so their rows are equal.)

# %%
# NBVAL_IGNORE_OUTPUT
churn = there(lambda: studies.load("churn-and-quality"))
if churn:
    told(churn)
    show(
        churn,
        ["epochs", "sampler", "evaluations"],
        ["recognised", "frechet"],
        "one run of mnist-edm, looked at four times; 300 digits a row",
    )
    ages, lines, verdicts, gains, ratios = sorted({row["epochs"] for row in churn.rows}), [], [], [], []
    for without, with_noise in (("euler", "eta 1"), ("heun", "churn")):
        for n in (40, 80):
            gain = [
                [churn.where(epochs=age, sampler=name, evaluations=n) for name in (without, with_noise)]
                for age in ages
            ]
            change = compared.change_of_distances(gain[-1], gain[0])
            verdicts.append(said(change, (-INF, 0)))
            gains.append([compared.distances(*two) for two in gain])
            ratios.append([a[0]["frechet"] / b[0]["frechet"] for a, b in gain])
            lines.append(
                (f"{without} minus {with_noise}", n, *map(str, gains[-1]), str(change), verdicts[-1])
            )
    show_table(
        ["gain", "evaluations", *(f"{age} epochs" for age in ages), "last minus first", "it falls"],
        lines,
        "the gain of fresh noise in Fréchet distance (95 %)",
    )
    show_table(
        ["distance without / with", "evaluations", *(f"{age} epochs" for age in ages)],
        [(*line[:2], *(f"{r:.1f}" for r in row)) for line, row in zip(lines, ratios, strict=True)],
    )
    claim(
        "each of the four gains falls from look to look",
        all(later.value < earlier.value for four in gains for earlier, later in itertools.pairwise(four)),
    )
    claim("that it falls from 1 epoch to 25 holds up for all four", set(verdicts) == {"held up"})
    claim(
        "after 25 epochs no gain can be told from 0", all(four[-1].low < 0 < four[-1].high for four in gains)
    )
    ranges = [(round(min(age), 1), round(max(age), 1)) for age in zip(*ratios, strict=True)]
    claim(
        "the factors are 1.4 to 1.9 after 1 epoch, 2.1 to 3.2 after 10, and 1.6 to 2.3 after 25",
        [ranges[k] for k in (0, 2, 3)] == [(1.4, 1.9), (2.1, 3.2), (1.6, 2.3)],
    )
    print(f"the floor of 300 real digits: {churn.rows[0]['floor']:.2f}")

# %% [markdown]
# On this run the finding holds. After 1 epoch fresh noise takes 1.8 to 3.2 off the distance, after 25 epochs 0.2 to 0.3, and that cannot be told
# from 0 with 300 digits. Every gain falls from look to look, and each change from the first look to the last is below 0, beyond the chance of the samples.
#
# What falls is a difference. As a *factor* fresh noise helps the better network no less: without it the distance is 1.4 to 1.9 times as large after 1
# epoch, and 2.1 to 3.2 times after 10. After 25 epochs it is 1.6 to 2.3 times; there the distances with fresh noise, 0.25 to 0.38, are close to the floor
# of 0.22, so no sampler has much left to gain. Whether noise "pays less" depends on the scale on which one asks. And it is one training run.

# %%
quiz.ask("14-q3")

# %% [markdown]
# ## 4. Report 3: two losses
#
# A report on Food-101 at 64 × 64, class-conditional, with the public code of improved diffusion: one network trained with the mean squared error,
# one with the hybrid loss of Nichol & Dhariwal (2021), both on the cosine schedule. Each had 90,000 steps of Adam, batches of 64, a learning rate of 0.004, and FID every 15,000
# steps, "on 64 weights of Inception". Its numbers: MSE 0.87 (75,000 steps), hybrid 0.35 (60,000 steps). Its conclusions (translated): "practically throughout training the FID of the
# VLB + MSE model was lower", "the hypothesis is confirmed", and the least FID came "after fewer iterations" with the hybrid loss.
#
# Before any measurement: it is one run of each, and each number is the best of six looks; 0.35 in 64 features is no FID of the literature (chapter 10, section 3 ("The features
# decide what is seen")). And its remark that the hybrid's *loss* is higher compares a sum with one of its terms. Chapter 5, section 9 ("A report, read with this chapter") has the details.
#
# The study `losses` compares the two at equal budget on MNIST, the simple one with each of its two fixed variances, from 1000 steps down to 25.

# %%
# NBVAL_IGNORE_OUTPUT
losses = there(lambda: studies.load("losses"))
SIMPLE, HYBRID = "mnist-eps-cosine", "mnist-learned-variance"
if losses:
    told(losses)
    bits = [f"bits per dim, {name}" for name in ("small", "large", "learned")]
    show(losses, ["model"], ["loss", *bits], "L_simple and the bound, on test images", steps=None)
    sampled = [row for row in losses.rows if row["steps"] is not None]
    some = replace(losses, rows=sampled)
    show(some, ["model", "variance", "steps"], ["recognised", "frechet"], "250 samples a row and seed")


def of_losses(steps, variance="small"):
    """Distance, the simple loss minus the hybrid one with its learned variance."""
    return lambda study: compared.distances(
        study.where(model=SIMPLE, variance=variance, steps=steps),
        study.where(model=HYBRID, variance="learned", steps=steps),
    )


FIND_LOSSES = "diffusion-course study losses"
hold(
    3,
    "the hybrid loss has the lower FID, with 1000 steps",
    "distance, simple minus hybrid, 1000 steps",
    ABOVE,
    losses,
    of_losses(1000),
    FIND_LOSSES,
)
hold(
    3,
    "the hybrid loss has the lower FID, with 25 steps",
    "distance, simple minus hybrid, 25 steps",
    ABOVE,
    losses,
    of_losses(25),
    FIND_LOSSES,
)
hold(
    3,
    "the hybrid loss reaches its best FID in fewer iterations",
    "images seen until the least distance, simple minus hybrid",
    ABOVE,
    None,
    None,
    "no study here: it needs several looks at several runs of each",
)
tell(3)
if losses:
    fixed = compared.distances(
        *(losses.where(model=SIMPLE, variance=v, steps=25) for v in ("large", "small"))
    )
    print(f"simple loss, 25 steps, distance with its large variance minus with its small one: {fixed}")

# %% [markdown]
# In these claims the simple loss has its *small* variance; the last line says what its large one costs at 25 steps. What the hybrid loss is *for* is the bound: by its stop-gradient $L_\text{simple}$ alone trains the mean of a
# step (chapter 5, section 4 ("The hybrid loss")). Nichol & Dhariwal (2021) also report better samples with few steps. Does the second line of the claims say so of these networks?
#
# ## 5. The verdicts
#
# All sentences in one table. The verdict is computed by your rule from the interval, the reason by what the rule met. **Predict, then run:** how many of them can be decided at all?


# %%
# NBVAL_IGNORE_OUTPUT
def claimed(ends):
    """A claim as a set, in words."""
    low, high = ends
    if high == INF:
        return f"above {low:.3g}"
    return f"below {high:.3g}" if low == -INF else f"within ± {high:.2g}"


def reason(one):
    """Why the verdict is what it is."""
    found, word = one["found"], said(one["found"], one["ends"])
    if found is None:
        return one["command"] if one["command"].startswith("no study") else f"run {one['command']}"
    if found.low is None:
        return "one training seed gives no interval of this number"
    if word == "held up":
        return "the whole interval lies in the claim"
    if word == "did not hold up":
        return "the whole interval lies outside of the claim"
    half = (found.high - found.low) / 2
    return f"the interval reaches across an end of the claim: ± {half:.2g}"


def scope(found):
    """What the interval is of."""
    if found is None:
        return ""
    of = f"{found.seeds} training seeds" if found.seeds > 1 else "one of each" if found.seeds else "none"
    return of if found.paired else f"{of}, no pairs"


show_table(
    ["no.", "report", "it says", "number", "claim", "measured (95 %)", "networks", "verdict", "because"],
    [
        (
            k,
            one["report"],
            one["says"],
            one["number"],
            claimed(one["ends"]),
            str(one["found"] or ""),
            scope(one["found"]),
            said(one["found"], one["ends"]),
            reason(one),
        )
        for k, one in enumerate(claims, 1)
    ],
    "three reports, run again",
)
counts = {
    word: sum(said(one["found"], one["ends"]) == word for one in claims)
    for word in ("held up", "did not hold up", "cannot be said", "not measured")
}
looked_at = sum(one["found"] is not None and one["found"].low is not None for one in claims)
print("; ".join(f"{word}: {n}" for word, n in counts.items()))
print(f"of {looked_at} intervals of 95 % about {0.05 * looked_at:.1f} may miss their number by chance")

# %% [markdown]
# How to read it.
#
# - *Report* says whose sentence it is. "2, tables" are what the tables of report 2 show, though no sentence says it.
# - *Networks* says what a verdict is about. "One of each" is two trained files, or one file sampled in two ways. In the second case the report, too, speaks of one
#   network only; but a second training of it could still give another answer. "No pairs": the errors of both rows were added as if they were independent, which makes the interval wider.
# - A verdict is on the *sentence*, not on the report's numbers: other networks, another judge, digits for CIFAR-10 and for food. "Did not hold up" means that it is not true in general.
# - Each interval has its own 95 %, and those that decided something are the likelier ones to have missed. Who picks the most striking line of the table must correct for the table (Holm), as your `paired_table` does.
# - "Cannot be said" is a result. It tells how much larger a study must be, which is what {{section How to plan a study}} computes.
#
# The shares among these in a picture: each interval beside the margin.

# %%
# NBVAL_IGNORE_OUTPUT
pictured = {
    str(k): one["found"]
    for k, one in enumerate(claims, 1)
    if one["found"] and one["found"].low is not None and one["number"].startswith("recognised")
}
figure = plots.bars(
    {name: f.value for name, f in pictured.items()},
    title="Recognised shares: 95 % intervals, margins dashed",
    xlabel="no. of the sentence in the table",
    ylabel="difference of the shares",
    intervals={name: (f.low, f.high) for name, f in pictured.items()},
)
for end in ALIKE:
    figure.axes[0].axhline(end, linestyle="--", color="0.4")
figure

# %%
quiz.ask("14-q4")

# %% [markdown]
# ## 6. The learning curves of the shipped weights
#
# Every file of weights has a card with what it was trained on and what it was worth when it was done. How much of
# a sample's quality is the length of training? The cell reads the cards of three short runs and three long ones, without guidance. (The long run on clothes,
# `fashion-mnist-edm-fine`, has another network and another optimizer, too. What is due to what, the rest of this section asks.)

# %%
cards = zoo.cards()
LONGER = {
    "mnist-edm": "mnist-edm-long",
    "mnist-flow": "mnist-flow-long",
    "fashion-mnist-edm": "fashion-mnist-edm-fine",
}
curve = {}
for two in LONGER.items():
    for name in two:
        card = cards[name]
        seen = card["steps"] * card["config"]["recipe"]["batch_size"]
        curve[name] = seen, card["metrics"]["guidance 1"]
lines = []
for name, (seen, measured) in curve.items():
    low, high = measured["recognised"]["wilson 95 %"]
    ends = intervals.around(measured["frechet"], measured["frechet standard error"])
    lines.append(
        (
            name,
            f"{seen:,}",
            f"{seen / 60_000:.1f}",
            f"{measured['recognised']['share']:.3f} ({low:.3f} to {high:.3f})",
            f"{measured['frechet'] / measured['floor']:.1f} ({ends[0] / measured['floor']:.1f} to {ends[1] / measured['floor']:.1f})",
        )
    )
show_table(
    ["weights", "images seen", "epochs", "recognised (95 %)", "Fréchet distance / floor (95 %)"],
    lines,
    "1,000 samples without guidance, 39 evaluations each, from the cards",
)


def above(short, key):
    """Is the long run's interval on the better side of the short one's?"""
    one, two = curve[short][1], curve[LONGER[short]][1]
    if key == "recognised":
        return two["recognised"]["wilson 95 %"][0] > one["recognised"]["wilson 95 %"][1]
    ends = [intervals.around(m["frechet"], m["frechet standard error"]) for m in (one, two)]
    return ends[1][1] < ends[0][0]


claim(
    "for all three the long run is better in both measures, and the intervals are apart",
    all(above(short, key) for short in LONGER for key in ("recognised", "frechet")),
)
ratio = {short: curve[short][1]["frechet"] / curve[long][1]["frechet"] for short, long in LONGER.items()}
claim("the distance falls to a third or less", min(ratio.values()) >= 3)

# %%
x = [curve[name][0] / 1e6 for name in ("mnist-edm", "mnist-edm-long")]
lines, ends = {}, {}
for short in ("mnist-edm", "mnist-flow"):
    two = [curve[name][1] for name in (short, f"{short}-long")]
    lines[short] = [m["frechet"] / m["floor"] for m in two]
    bars = [intervals.around(m["frechet"], m["frechet standard error"]) for m in two]
    ends[short] = [(low / m["floor"], high / m["floor"]) for (low, high), m in zip(bars, two, strict=True)]
claim(
    "both short ones saw equally many images, and both long ones did",
    all(curve[f"mnist-flow{end}"][0] == curve[f"mnist-edm{end}"][0] for end in ("", "-long")),
)
figure = plots.curves(
    x,
    lines,
    title="MNIST: quality against images seen, 95 % intervals",
    xlabel="million images seen in training (log scale)",
    ylabel="Fréchet distance / floor (log scale)",
    logx=True,
    logy=True,
    intervals=ends,
)
figure.axes[0].set_xticks(x, [f"{value:.2f}" for value in x])
figure

# %% [markdown]
# Two points a line, and they are two *runs*, not one run looked at twice. What else differs between them the cards say, too. **Predict, then run:** name one thing besides the number of steps.


# %%
def flat(part, name=""):
    """A config as name -> value."""
    if not isinstance(part, dict):
        return {name: part}
    return {k: v for key, value in part.items() for k, v in flat(value, f"{name}.{key}".strip(".")).items()}


both = [flat(Config.of(cards[name]["config"]).as_dict()) for name in ("mnist-edm", "mnist-edm-long")]
names = sorted(key for key in both[0].keys() | both[1].keys() if both[0].get(key) != both[1].get(key))
show_table(
    ["", "mnist-edm", "mnist-edm-long"],
    [(key, *(c.get(key, "") for c in both)) for key in names],
    "what the two cards say differently, with every default",
)
claim(
    "the batch size is among them, and the noise levels of training; the network is not",
    {"recipe.batch_size", "noise.mean", "noise.std"} <= set(names)
    and not any(key.startswith("net.") for key in names),
)

# %% [markdown]
# So the gain cannot be put down to the images alone: batches are eight times as large, the rate stays before it falls, and the noise levels differ. A learning curve is one run, looked at as it goes. That is `churn-and-quality`; the cell draws it when it is there.

# %%
# NBVAL_IGNORE_OUTPUT
if churn:
    epochs = sorted({row["epochs"] for row in churn.rows})
    rows = {e: churn.shipped().one(epochs=e, sampler="euler", evaluations=40) for e in epochs}
    figure = plots.curves(
        epochs,
        {"Euler, 40 evaluations": [rows[e]["frechet"] / rows[e]["floor"] for e in epochs]},
        title="One run of mnist-edm, looked at four times",
        xlabel="epochs (log scale)",
        ylabel="Fréchet distance / floor (log scale)",
        logx=True,
        logy=True,
        intervals={
            "Euler, 40 evaluations": [
                [
                    max(end, 0.01) / rows[e]["floor"]
                    for end in intervals.around(rows[e]["frechet"], rows[e]["frechet standard error"])
                ]
                for e in epochs
            ]
        },
    )
    over = [rows[e]["frechet"] / rows[e]["floor"] for e in epochs]
    print("times its floor:", ", ".join(f"{value:.3g}" for value in over))
    claim("the distance falls at every look", over == sorted(over, reverse=True))
    claim(
        "from 10 epochs to 25 it falls beyond chance, in pairs",
        compared.distances([rows[25]], [rows[10]]).high < 0,
    )
else:
    figure = None
    print(
        "run: python -m diffusion_course.experiments.snapshots mnist-edm --out runs/mnist-edm-epochs-seed-0"
    )
    print("then: diffusion-course study churn-and-quality")
figure

# %% [markdown]
# The distance falls at every look: 30 times its floor after 1 epoch, then 11, 4.7, and 2.6 after 25. The last two intervals overlap in the figure; both were drawn from the same noise, and in pairs the last step is beyond chance, too.
# So on this run the recipe, stopped after its 2.6 epochs, would be far from what it comes to.
#
# ### At which noise levels is quality lost?
#
# On Fashion-MNIST the short run ends far from its floor. Before one trains longer, one should know *where* the distance is made. Sampling can begin anywhere.
# Take a real image $x_0$ and its class, add noise, $x = x_0 + \sigma\epsilon$ with $\epsilon \sim \mathcal N(0, I)$, and sample from there down to 0. Exact sampling would give an
# image as from the data, though not the same one, and a distance at its floor, whatever $\sigma$. All that was decided above $\sigma$ is real; what distance there is was made *below* it, apart from the chance of which images were taken.
#
# The study `noise-levels` begins at six levels of the Karras grid, with 1,000 training images each, and takes ancestral steps without guidance, 40 for the whole grid. At the last level,
# $\sigma = 80$, as good as nothing is left of the image: that is sampling as usual. The cards above have Heun's steps. So a distance here
# is a property of network and steps together, given that all went well above; what the steps have to do with it comes at the end. (The images are training images. A network that knew some by heart would look better here than it is.)
#
# **Predict, then run:** pixels run from −1 to 1, so at $\sigma = 0.1$ the noise has a standard deviation of 13 of 255 grey levels. For `fashion-mnist-edm`, what share of the whole distance is made below that? And for `mnist-edm`?

# %%
# NBVAL_IGNORE_OUTPUT
levels, SHORT = there(lambda: studies.load("noise-levels")), "fashion-mnist-edm"
if levels:
    print(f"{levels.command}: {levels.device}, {levels.date}; the first training run of each recipe")
    ancestral = replace(levels, rows=levels.where(sampler="eta 1"))
    begun = sorted({row["sigma"] for row in ancestral.rows})
    first = ancestral.shipped().rows
    at = {
        name: {row["sigma"]: row for row in first if row["model"] == name}
        for name in dict.fromkeys(row["model"] for row in first)
    }
    exact = [at["mnist-edm"][s]["from"] for s in begun]  # the grid's levels
    show_table(
        ["Fréchet distance / floor, from sigma =", *(f"{one:.2g}" for one in exact)],
        [
            (name, *(f"{rows[s]['frechet'] / rows[s]['floor']:.1f}" for s in begun))
            for name, rows in at.items()
        ],
        "1,000 real images, noised to sigma and sampled from there",
    )
    kept = {row["data"]: row["frechet"] / row["floor"] for row in levels.where(model="none")}
    print("left as they are:", ", ".join(f"{name} {value:.1f}" for name, value in kept.items()))
    claim("the images themselves are at the floor", all(0.7 < value < 1.5 for value in kept.values()))
    pictured = ("mnist-edm", "mnist-edm-long", "fashion-mnist-edm", "fashion-mnist-edm-fine")

    def over_floor(rows):
        """Distances over their floors, and the intervals of the samples."""
        ends = [intervals.around(row["frechet"], row["frechet standard error"]) for row in rows]
        return (
            [row["frechet"] / row["floor"] for row in rows],
            [[max(end / row["floor"], 0.1) for end in two] for row, two in zip(rows, ends, strict=True)],
        )

    lines = {name: over_floor([at[name][s] for s in begun]) for name in pictured}
    figure = plots.curves(
        exact,
        {name: line for name, (line, _) in lines.items()},
        title="The distance made below sigma, 95 % intervals of the samples",
        xlabel="sigma of the noise that real images were given (log scale)",
        ylabel="Fréchet distance / floor (log scale)",
        logx=True,
        logy=True,
        intervals={name: ends for name, (_, ends) in lines.items()},
    )
else:
    figure = None
figure

# %% [markdown]
# Where a line rises, something is lost. (Intervals that reach below 0.1 are cut there.) Both lines of digits are flat up to $\sigma = 0.35$, and the long run's is flat everywhere. The short run's line of clothes rises from the start, that of `fashion-mnist-edm-fine` from 0.09 on.
# Points of one line were made of the same images, so the next cell compares them in pairs. It also has shares, of each training run: how much of what the distance of ordinary samples has above that of the images themselves is there already when the
# sampling begins at $\sigma$. (Such shares are a convention. The Fréchet distance is a square, and squares of several errors need not add up.)


# %%
# NBVAL_IGNORE_OUTPUT
def part_of_whole(name, sigma):
    """Of each training run: the distance from sigma over that of ordinary samples, both above that of the images themselves."""
    whole = ancestral.where(model=name, sigma=80.0)
    below = ancestral.where(model=name, sigma=sigma)
    least = levels.one(model="none", data=whole[0]["data"])["frechet"]
    return [(b["frechet"] - least) / (w["frechet"] - least) for b, w in zip(below, whole, strict=True)]


def rise(name, low, high):
    """Of the first training run: the distance from one level minus that from a lower one."""
    return compared.distances([at[name][high]], [at[name][low]])


if levels:
    shares = {
        (name, s): part_of_whole(name, s) for name in ("mnist-edm", "fashion-mnist-edm") for s in begun[:-1]
    }
    show_table(
        ["share of the distance made below", *(f"{one:.2g}" for one in exact[:-1])],
        [
            (name, *(", ".join(f"{one:.2f}" for one in shares[name, s]) for s in begun[:-1]))
            for name in ("mnist-edm", "fashion-mnist-edm")
        ],
        "three training runs of each recipe",
    )
    flat_parts = [rise("mnist-edm", 0.03, 0.3), rise("mnist-edm-long", 0.03, 80.0)]
    claim(
        "digits: up to 0.35, and of the long run over all, no rise can be told from 0, and none is above 1.5 floors",
        all(found.low < 0 < found.high < 1.5 * at["mnist-edm"][80.0]["floor"] for found in flat_parts),
    )
    claim(
        "fashion-mnist-edm: the line rises beyond chance at each level up to 1.1",
        all(rise(SHORT, a, b).low > 0 for a, b in itertools.pairwise(begun[:4])),
    )
    claim(
        "fashion-mnist-edm-fine: it does from 0.09 to 1.1",
        all(rise(f"{SHORT}-fine", a, b).low > 0 for a, b in itertools.pairwise(begun[1:4])),
    )
    lost = compared.distances([at["mnist-edm"][0.3]], [levels.one(model="none", data="mnist")])
    print("mnist-edm from 0.35, minus the images themselves:", lost)
    claim(
        "that holds 0, and reaches no further than a floor",
        -lost.high < 0 < lost.high < at["mnist-edm"][0.3]["floor"] and lost.low < 0,
    )
    claim(
        "in every run more than half of it is made between 1.1 and 2.8",
        all(b - a > 0.5 for a, b in zip(shares["mnist-edm", 1], shares["mnist-edm", 3], strict=True)),
    )
    claim(
        "fashion-mnist-edm: in every run about a third is made below 0.1",
        all(0.25 < one < 0.4 for one in shares["fashion-mnist-edm", 0.1]),
    )
    claim("and more than half below 0.35", all(one > 0.5 for one in shares["fashion-mnist-edm", 0.3]))

# %% [markdown]
# The same short recipe fails in different places on the two sets. `mnist-edm` loses most between $\sigma = 1.1$ and 2.8; below 0.35 no loss can be seen, and one above a floor is excluded.
# `fashion-mnist-edm` makes a third of its distance below 0.1, and more than half below 0.35.
#
# ### Three knobs, and what each of them moves
#
# Three knobs come to mind. They are turned one after the other, each on top of those before, in training runs as long as that of `fashion-mnist-edm` (which is "short" in the table), three runs of each.
#
# - `fashion-mnist-edm-low-noise` trains more at low noise: $\log\sigma \sim \mathcal N(-1, 1.5^2)$ in place of $\mathcal N(-0.4, 1.2^2)$.
# - `fashion-mnist-edm-pixels` has no *patches* either. The networks before fold each 2 x 2 pixels into channels and work at 14 x 14; this one has
#   one level more, at 28 x 28, with half as many channels.
# - `fashion-mnist-edm-muon` has another *optimizer* besides. Let $M = U \Sigma V^\top$ be the momentum of a weight matrix, with its singular values on the diagonal of $\Sigma$, and $U$, $V$ orthogonal. Muon (Jordan et al. 2024)
#   steps against $M$ with all singular values made about 1, $U V^\top$, so that a few strong directions do not drown the others. (A kernel counts as a matrix with a row for each output channel. Layers with fewer than 16 channels
#   on a side, and biases, keep AdamW.) No decomposition is needed: this polynomial turns each singular value $s$ into $a s + b s^3 + c s^5$, leaves $U$ and $V$ as they are, and is applied five times:
#
# $$X_0 = \frac{M}{\lVert M \rVert_F}, \qquad X_{k+1} = a X_k + b\, X_k X_k^\top X_k + c\, (X_k X_k^\top)^2 X_k, \qquad (a, b, c) = (3.4445,\ -4.7750,\ 2.0315)$$
#
# $\lVert M \rVert_F$ is the root of the sum of the squares of all entries. It is at least the largest singular value, so that $X_0$ has none above 1.
#
# **Predict, then run:** singular values of 1, 0.3, 0.1, 0.03 and 0.01 go in. Do they come out in that order?

# %%
generator = torch.Generator().manual_seed(0)
U, V = (torch.linalg.qr(torch.randn(5, 5, generator=generator, dtype=torch.float64))[0] for _ in range(2))
before = torch.tensor([1.0, 0.3, 0.1, 0.03, 0.01], dtype=torch.float64)
X = U @ before.diag() @ V.mT
X = X / X.norm()
for _ in range(5):
    squares = X @ X.mT
    X = 3.4445 * X - 4.7750 * squares @ X + 2.0315 * squares @ squares @ X
after = (U.mT @ X @ V).diag()  # the directions stay, so each value has its own
show_table(
    ["singular value", *(f"{one:g}" for one in before.tolist())],
    [("after five turns", *(f"{one:.2f}" for one in after.tolist()))],
)
claim(
    "all are between 0.6 and 1.3, where they were a factor of 100 apart",
    bool(((after > 0.6) & (after < 1.3)).all()),
)
claim("the order is lost: 0.03 comes out largest", int(after.argmax()) == 3)
claim("U and V are as they were", torch.allclose(U.mT @ X @ V, after.diag(), atol=1e-12))

# %% [markdown]
# They do not: 0.03 overtakes all. "About" 1 is enough, the authors say; the coefficients are chosen so that small values grow fast, and not so that the turns converge (1 itself becomes $a + b + c = 0.70$).
#
# **Predict, then run:** which of the three knobs lowers the distance, below 0.1 and in the whole? And how many times as many operations does an image take without patches?

# %%
# NBVAL_IGNORE_OUTPUT
KNOBS = ("low-noise", "pixels", "muon")
if levels:
    called = {"short": SHORT} | {knob: f"{SHORT}-{knob}" for knob in KNOBS}
    rows_of = {
        (short, s): ancestral.where(model=name, sigma=s) for short, name in called.items() for s in begun
    }
    gained = {
        (one, other): {s: compared.distances(rows_of[one, s], rows_of[other, s]) for s in begun}
        for other, one in itertools.pairwise(called)
    }
    show_table(
        ["sigma", *(f"{one} minus {other}" for one, other in gained)],
        [
            (f"{e:.2g}", *(str(found[s]) for found in gained.values()))
            for e, s in zip(exact, begun, strict=True)
        ],
        "differences of the Fréchet distances, three training runs of each (95 %, of training and of samples)",
    )
    show_table(
        ["", *called],
        [
            (
                "whole distance, each run",
                *(", ".join(f"{row['frechet']:.2f}" for row in rows_of[one, 80.0]) for one in called),
            )
        ],
    )

# %%
work = {}
for knob in ("", *(f"-{one}" for one in KNOBS), "-fine"):
    config = read_config(SHORT + knob)
    network = models.network(config).eval()
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 1, 28, 28), torch.ones(1), torch.zeros(1, dtype=torch.long))
    work[knob] = counter.get_total_flops() / 2e6
    share = NormalDist(config.noise.mean, config.noise.std).cdf(math.log(0.1))
    weights = sum(p.numel() for p in network.parameters())
    steps = cards[SHORT + knob]["steps"] if SHORT + knob in cards else config.recipe.steps
    seen = steps * config.recipe.batch_size
    print(
        f"{SHORT}{knob}: {weights:,} weights, {work[knob]:.0f} million multiplications an image; "
        f"trained by {config.recipe.optimizer} at rate {config.recipe.lr:g} on {seen:,} images, {share:.1%} of them at sigma < 0.1"
    )

# %%
# NBVAL_IGNORE_OUTPUT
if levels:
    noise_knob, patch_knob, optimizer_knob = gained.values()
    asked = {
        (knob, s): gained[pair][s].p for knob, pair in zip(KNOBS, gained, strict=True) for s in (0.1, 80.0)
    }
    show_table(
        ["p, after Holm for the six that were asked for", "below 0.1", "whole"],
        [(knob, *(f"{intervals.holm(asked)[knob, s]:.3f}" for s in (0.1, 80.0))) for knob in KNOBS],
    )
    held = {question for question, p in intervals.holm(asked).items() if p < 0.05}
    claim(
        "after Holm four of the six are left: all but low-noise in the whole, and Muon below 0.1",
        asked.keys() - held == {("low-noise", 80.0), ("muon", 0.1)},
    )
    claim(
        "without patches it is lower from every level, each interval alone",
        all(f.high < 0 for f in patch_knob.values()),
    )
    runs = [[row["frechet"] for row in rows_of[name, 80.0]] for name in ("pixels", "muon")]
    claim("in the whole, each run by Muon is nearer than each without", max(runs[1]) < min(runs[0]))
    claim("by more than a third, seed by seed", all(b < a * 2 / 3 for a, b in zip(*runs, strict=True)))
    claim(
        "its intervals, each alone, leave 0 out from 1.1 on, and not below",
        [found.high < 0 for found in optimizer_knob.values()] == [s >= 1 for s in begun],
    )
    ratio = {
        s: [a["frechet"] / b["frechet"] for a, b in zip(rows_of["muon", s], rows_of["short", s], strict=True)]
        for s in (0.1, 80.0)
    }
    claim(
        "all three together: below 0.1 a seventh of the distance or less is left, of the whole under two fifths",
        max(ratio[0.1]) < 1 / 7 and max(ratio[80.0]) < 0.4,
    )
claim(
    "without patches an image takes about half as many operations again",
    1.4 < work["-pixels"] / work["-low-noise"] < 1.6,
)

# %% [markdown]
# The knob that the diagnosis suggests, more training at low noise, does what it says below 0.1; in the whole, three runs of each do not tell that anything is gained. The network without patches is nearer
# from every level, in the whole beyond chance. An image also takes half as many operations again: what of the gain is due to seeing each pixel, and what to the extra work, this does not tell.
# The optimizer adds nothing to the work of sampling, and in each run takes off more than a third of the whole distance that is left. In the whole its gain can be told after the correction. The intervals at 1.1 and 2.8 leave 0 out as well, but each alone and uncorrected; below, three runs do not tell.
# (One caution: with Muon the rate of all weights is half of that before, and each rate was picked after a few tries. A step of Muon is scaled so that it moves a weight about as far as a step of AdamW does, Liu et al. 2025, section 2.2.)
#
# So the study says where distance arises, without training: sampling from all six levels took a few minutes a network. It does not say what removes it: that took nine more training runs. It is as useful after a change, to see
# where the change acts. (The course's small networks keep their patches: they are to be quick on your laptop.)
#
# %% [markdown]
# ### The steps, too
#
# `fashion-mnist-edm-fine` has no patches either. It was trained by Muon, a little more at low noise than the short recipe ($\log\sigma \sim \mathcal N(-0.5, 1.3^2)$). It has more than twice the weights of `fashion-mnist-edm-muon`, and saw more than twenty times its images, in
# larger batches (its run was stopped where the time on a GPU was up, after 3,242 of 4,600 steps). So it says what these changes come to together, and of no single one what it gives.
#
# So far all steps were ancestral. The study has Heun's, too, for three of the networks: from the same images and the same $\epsilon$, without fresh noise. At $\sigma = 80$, ordinary samples, that is 39 evaluations in place of 40. Below, the
# start is the nearest level of Heun's own, coarser grid, which at 0.03 is 0.045 in place of 0.028; so read the last line first.
#
# **Predict, then run:** for which of the three networks are ancestral steps nearer than Heun's in the whole distance? Can it be said for each?

# %%
# NBVAL_IGNORE_OUTPUT
if levels:
    by_heun = replace(levels, rows=levels.where(sampler="heun"))
    compared_by = {
        name: f"{SHORT}{knob}" for name, knob in (("short", ""), ("muon", "-muon"), ("fine", "-fine"))
    }
    without = {
        name: {
            s: compared.distances(by_heun.where(model=model, sigma=s), ancestral.where(model=model, sigma=s))
            for s in begun
        }
        for name, model in compared_by.items()
    }
    show_table(
        [
            "sigma, about",
            *(f"{name}, runs: {next(iter(found.values())).seeds}" for name, found in without.items()),
        ],
        [(f"{s:g}", *(str(found[s]) for found in without.values())) for s in begun],
        "Heun's distance minus that of ancestral steps (95 %; of one run, of the samples alone)",
    )
    print(
        "Heun's levels:",
        ", ".join(f"{row['from']:.2g}" for row in by_heun.where(**{"model": SHORT, "training seed": 0})),
    )
    both = {
        f"{name}, {steps}": over_floor(
            [table.one(**{"model": model, "sigma": s, "training seed": 0}) for s in begun]
        )[0]
        for name, model in compared_by.items()
        for steps, table in (("ancestral", ancestral), ("Heun", by_heun))
    }
    figure = plots.curves(
        begun,
        both,
        title="Clothes: the distance made below sigma, by network and steps",
        xlabel="sigma of the noise that real images were given, about (log scale)",
        ylabel="Fréchet distance / floor (log scale)",
        logx=True,
        logy=True,
    )
else:
    figure = None
figure

# %%
# NBVAL_IGNORE_OUTPUT
if levels:
    ends = {
        steps: table.one(**{"model": compared_by["fine"], "sigma": 80.0, "training seed": 0})
        for steps, table in (("ancestral", ancestral), ("Heun", by_heun))
    }
    ends["real images"] = levels.one(model="none", data="fashion-mnist")
    show_table(
        ["", "Fréchet distance / floor", "recognised", "precision", "recall"],
        [
            (
                name,
                f"{row['frechet'] / row['floor']:.1f}",
                f"{row['recognised']['share']:.3f}",
                f"{row['precision']:.3f}",
                f"{row['recall']:.3f}",
            )
            for name, row in ends.items()
        ],
        "fashion-mnist-edm-fine: 1,000 ordinary samples, and as many real images",
    )

    claim(
        "for the short network Heun's whole distance is the larger, beyond chance",
        without["short"][80.0].low > 0,
    )
    claim("for that of Muon it cannot be said", without["muon"][80.0].low < 0 < without["muon"][80.0].high)
    claim("for fine it is the smaller, from 0.3 on", all(without["fine"][s].high < 0 for s in begun[2:]))
    spans = {name: metrics.wilson(round(1000 * row["recall"]), 1000) for name, row in ends.items()}
    print(
        "recall (95 % of the choice of real images; the samples as they are):",
        ", ".join(f"{name} {low:.3f} to {high:.3f}" for name, (low, high) in spans.items()),
    )
    claim(
        "ordinary samples by ancestral steps are less varied than real images",
        spans["ancestral"][1] < spans["real images"][0],
    )
    claim("and than Heun's", spans["ancestral"][1] < spans["Heun"][0])

# %% [markdown]
# In the figure, see which of each pair of lines is the lower one. For the short network ancestral steps are nearer than Heun's; for the three by Muon it cannot be said; for `fashion-mnist-edm-fine` Heun's take the distance from 7.5 floors to 2.6. There is one
# run of that, and the interval is that of its samples. Recall, the share of real images that have a sample nearby (chapter 10), says what its ancestral samples lack: variety.
#
# The two kinds of steps differ in three things: fresh noise, the order, and how many there are. So this is not the *gain* of {{section Report 2: three solvers}}, and *why* it turns round is not shown. One reading: fresh noise mends errors of the network, while 40 steps of first order leave an error, and the
# better the network, the more of what is left is that one. Euler's steps, and 80 or 160 ancestral ones, would test it: `diffusion-course study` has the tools. (Karras et al. 2022, section 5, found no noise best for their network of CIFAR-10, and some noise for that of ImageNet.)
#
# What can be said: the steps that suit a network change with the network, and a comparison of samplers holds for the one it was made with.
#
# ### The same recipe in colour
#
# `cifar10-edm` is what these knobs lead to on the data of report 2: CIFAR-10's pictures, 32 × 32 pixels in colour. No patches, Muon, under a million weights, 36 epochs. It has its judge,
# which errs on one real picture in six, so the share that it recognises is to be held against what it recognises of real pictures.
#
# **Predict, then run:** the upper row is without guidance, the lower one has $w = 2$; both begin with the same noise and take ten steps of DPM-Solver++(2M). In which classes will you recognise more?

# %%
# NBVAL_IGNORE_OUTPUT
colour = zoo.load("cifar10-edm", course.device)
rows = [draw(colour, 10, w, karras(10), dpmpp_2m(), seed=1, device=course.device).images for w in (1.0, 2.0)]
plots.images(
    torch.cat(rows).cpu(),
    title="cifar10-edm: a column for each class; above w = 1, below w = 2",
    titles=data.describe("cifar10").classes * 2,
)

# %%
judged = cards["cifar10-judge"]["metrics"]["test accuracy"]["share"]
measured = {w: cards["cifar10-edm"]["metrics"][f"guidance {w}"] for w in (1, 2)}
show_table(
    ["w", "recognised (95 %)", "Fréchet distance / floor", "precision", "recall"],
    [
        (
            w,
            "{share:.3f} ({0:.3f} to {1:.3f})".format(*m["recognised"]["wilson 95 %"], **m["recognised"]),
            f"{m['frechet'] / m['floor']:.1f}",
            f"{m['precision']:.2f}",
            f"{m['recall']:.2f}",
        )
        for w, m in measured.items()
    ],
    f"1,000 samples, 39 evaluations each, from the card; of real test pictures the judge recognises {judged:.3f}",
)
claim(
    "guidance makes more of them recognisable, beyond chance",
    measured[2]["recognised"]["wilson 95 %"][0] > measured[1]["recognised"]["wilson 95 %"][1],
)
claim(
    "more than it recognises of real pictures",
    measured[2]["recognised"]["wilson 95 %"][0]
    > cards["cifar10-judge"]["metrics"]["test accuracy"]["wilson 95 %"][1],
)
ends = {w: intervals.around(m["frechet"], m["frechet standard error"]) for w, m in measured.items()}
claim("and brings the distance to a third of itself, or less", ends[2][1] < ends[1][0] / 3)

# %% [markdown]
# Without guidance 0.57 of the pictures are recognised, with it 0.88. That is more than of real pictures, some of which are hard to tell: guidance draws the typical. The distance falls with it from 16 floors to 3.2.
# Clothes and digits of long runs need no guidance to come as near. In colour a million weights and ten minutes are little; `diffusion-course train cifar10-edm` is the whole run, of 49 epochs.
#
# ## 7. How to plan a study
#
# What the three reports lack is not effort. It is decided before the first run:
#
# 1. **Question.** One that a number can answer, with its direction: "With 20 evaluations, are samples on the Karras grid nearer to the converged solution than on uniform times?" Not "which is better".
# 2. **Margin.** The smallest difference that would change what you do.
# 3. **Measure.** One. Others may be reported; this one decides. Who looks at four and tells of one has chosen.
# 4. **What is held equal.** Evaluations, not steps. The same noise, network, number of samples, judge.
# 5. **Pairs.** The same noise for both wherever it can be.
# 6. **Budget.** How many samples, how many training seeds: computed, see below.
# 7. **Comparisons.** How many there are, all that are looked at. Holm corrects for them.
# 8. **Stopping.** When it is measured. Not when it is significant.
# 9. **What to write down.** Command, version, device, date, seeds; what failed; what was chosen after looking.
#
# The eighth is easily broken. **Predict, then run:** two samplers that are exactly alike are compared, with a test at 5 % after every 20 pairs, up to 500, and the study stops as soon as a test says
# $p < 0.05$. How often does it find a difference?

# %%
generator = torch.Generator().manual_seed(0)
LOOKS = range(20, 501, 20)
pairs_drawn = torch.randn(4000, max(LOOKS), generator=generator, dtype=torch.float64)
z = {n: pairs_drawn[:, :n].mean(1).abs() * n**0.5 for n in LOOKS}
once = (z[max(LOOKS)] > 1.96).double().mean().item()
peeked = torch.stack([v > 1.96 for v in z.values()]).any(0).double().mean().item()
print(f"one test at the end: {once:.3f}; {len(LOOKS)} looks, stopped at the first p < 0.05: {peeked:.3f}")
claim("one test is wrong about once in twenty", 0.04 < once < 0.06)
claim("looking after every 20 pairs is wrong more than four times as often", peeked > 4 * once)

# %% [markdown]
# ### How many runs, how many samples?
#
# Let the measured difference of training seed $j$ be $y_j = \delta + \tau_j + e_j$: the truth, a deviation by the chance of training with standard deviation $\tau$, and one by that of the samples, with standard deviation
# $s/\sqrt n$ for $n$ samples. All are independent, and the study's answer is the mean of $S$ of them. Its interval shall reach no further than `half` to each side:
#
# $$\begin{aligned}
# \mathrm{Var}\,\bar y &= \frac1S \Big(\tau^2 + \frac{s^2}{n}\Big) && \text{variances add, and a mean of } S \text{ has a } S\text{-th of them} \\
# q_S \sqrt{\frac1S \Big(\tau^2 + \frac{s^2}{n}\Big)} &\le \text{half} && \text{the half width of the interval, with Student's quantile } q_S \text{ for } S - 1 \text{ degrees of freedom} \\
# n &\ge \frac{s^2}{S\,\text{half}^2/q_S^2 - \tau^2} && \text{solved for } n, \text{ if the denominator is above 0; else no } n \text{ is enough}
# \end{aligned}$$
#
# (The plan takes the spread as it is, and a study estimates it from its $S$ runs, so the interval comes out wider than `half` in about four studies of ten: with probability $P(\chi^2_{S-1} > S - 1)$. Cochran 1977, chapter 10, has such two-stage samples.) The second line has a lesson. With $n \to \infty$ the half width stays above $q_S\,\tau/\sqrt S$: **no number of samples replaces a training run**, and with one run there are no degrees of freedom, and no $q_1$ at all.
#
# A network costs `train` minutes and each of its samples `draw` minutes, so a plan costs $S\,(\text{train} + n\,\text{draw})$.
#
# ### Exercise {{14-cheapest_plan}}
#
# Find the cheapest plan. `tau`, `s`, `train`, `draw` and `half` are Python numbers; `half` is above 0, and the others may be 0. `quantiles` is a float64 tensor: its entries are $q_2, q_3, \dots$, of whatever level, and no more seeds than it has quantiles for can be afforded; at least one of them is enough.
# For each $S = 2, 3, \dots$ take the smallest whole $n \ge 1$ that makes the interval narrow enough, and return the plan that costs least (of equal ones any), as two `int64` tensors of shape `()`: seeds and samples (of each network).
#
# *Hint.* A loop over the quantiles; `math.ceil`. Which $S$ must be skipped? Before you run it, guess: if training a network costs as much as 10,000 samples, is it better to train more or to draw more?


# %%
# EXERCISE 14-cheapest_plan (keep this line)
def cheapest_plan(tau, s, train, draw, half, quantiles):
    """The cheapest numbers of training seeds and of samples a seed whose interval reaches at most `half` to each side.

    tau: spread by training. s: spread of one sample. train, draw: minutes of a network, and of a sample.
    half: the half width that is wanted. quantiles: (Q,), Student's for 2, 3, ..., Q + 1 seeds.
    Returns (seeds, samples), each an int64 tensor ().
    """
    ### BEGIN SOLUTION
    plans = []
    for S, q in enumerate(quantiles.tolist(), 2):
        left = S * (half / q) ** 2 - tau**2
        if left > 0:
            n = max(1, math.ceil(s**2 / left))
            plans.append((S * (train + n * draw), S, n))
    _, S, n = min(plans)
    return torch.tensor(S), torch.tensor(n)
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("14-cheapest_plan", cheapest_plan)

# %% [markdown]
# First the guess: a network that costs as much as 10,000 samples. The table has the smallest $n$ for each $S$, and what it costs.

# %%
from scipy import stats

student = torch.tensor([stats.t.ppf(0.975, S - 1) for S in range(2, 31)], dtype=torch.float64)
EXAMPLE = {"tau": 0.2, "s": 6.0, "train": 20.0, "draw": 0.002, "half": 0.5}
lines = []
for S in range(2, 9):
    left = S * (EXAMPLE["half"] / student[S - 2].item()) ** 2 - EXAMPLE["tau"] ** 2
    n = math.ceil(EXAMPLE["s"] ** 2 / left) if left > 0 else None
    cost = S * (EXAMPLE["train"] + n * EXAMPLE["draw"]) if n else None
    lines.append((S, n or "no number is enough", f"{cost:.0f}" if cost else ""))
show_table(
    ["training seeds", "samples of each", "minutes"], lines, "half width 0.5, with tau = 0.2 and s = 6"
)
best = tuple(map(int, cheapest_plan(*EXAMPLE.values(), student)))
print(f"the cheapest: {best[0]} networks, {best[1]} samples of each")
claim("two networks are not enough, however much is drawn from them", lines[0][1] == "no number is enough")
claim("the fourth network costs less than the samples that it saves", float(lines[2][2]) < float(lines[1][2]))
claim("a fifth one costs more than it saves", float(lines[3][2]) > float(lines[2][2]))
wider = torch.special.gammaincc(torch.tensor(1.5), torch.tensor(1.5)).item()  # P(chi^2_3 > 3)
claim(
    "with four runs the interval comes out wider than planned in 39 studies of 100", round(wider, 2) == 0.39
)
claim(
    "your plan is the cheapest line of the table",
    float(lines[best[0] - 2][2]) == min(float(line[2]) for line in lines if line[2]),
)

# %% [markdown]
# So train more, and draw less, though not without end: a fifth network saves fewer samples than it costs.
#
# The plan for a question of report 1: is the cosine schedule better on Fashion-MNIST? Training costs what the card says, a sample what the study took, and $s$ is known from its jackknife, $s = e\sqrt n$.
# $\tau$ is not known from one training seed; the cell supposes three values, and computes it from the study where that has several seeds. (From three runs it is known badly: the standard deviation of three numbers may be half of the true one, or six times it. So try twice the value, too, before you rely on a plan.) The margin is what the interval has to resolve.

# %%
# NBVAL_IGNORE_OUTPUT
train = (
    sum(cards[f"fashion-mnist-eps-{name}"]["seconds"] for name in ("linear", "cosine")) / 60
)  # both networks
if schedules:
    two = [schedules.where(data="fashion-mnist", schedule=name, steps=100) for name in ("cosine", "linear")]
    pair = compared.shares(*two)
    drawn = sum(row["n"] * row["steps"] for row in schedules.rows)  # evaluations of the whole study
    per_sample = 2 * 100 * schedules.seconds / drawn / 60  # minutes: two networks, 100 steps each
    alone = compared.shares(*(rows[:1] for rows in two))
    spread = (alone.high - alone.low) / 2 / intervals.reach(1.0) * alone.n**0.5
    supposed = [0.0, 0.02, 0.05]
    if pair.seeds > 1:
        each = [compared.shares([a], [b]).value for a, b in seeds.pairs(*two)]
        spread_of_seeds = torch.tensor(each, dtype=torch.float64).var().item()
        supposed = [max(0.0, spread_of_seeds - spread**2 / alone.n) ** 0.5]
    lines = []
    for tau in supposed:
        for half in (0.05, 0.025):
            enough = (student * tau / torch.arange(2, 31) ** 0.5 < half).any()
            S, n = (
                map(int, cheapest_plan(tau, spread, train, per_sample, half, student)) if enough else (0, 0)
            )
            cost = S * (train + n * per_sample) / 60
            told_as = (S, n, f"{cost:.1f}") if enough else ("more than 30", "", "")
            lines.append((f"{tau:.3f}", f"± {half}", *told_as))
    print(
        f"two networks: {train:.0f} minutes; a pair of samples: {60 * per_sample:.2f} s; spread of one pair {spread:.2f}"
    )
    show_table(
        [
            "tau" if pair.seeds > 1 else "tau, supposed",
            "interval",
            "training seeds",
            "samples of each",
            "hours, one CPU thread",
        ],
        lines,
        "the cheapest plans for 'the cosine schedule is better', recognised share, 100 steps",
    )

# %% [markdown]
# Compare with what the report spent: two networks, and 48 samples by eye. Which of these plans fits into an evening, and which takes a course project?

# %%
quiz.ask("14-q5")

# %% [markdown]
# ## 8. Your study
#
# Now plan one, run it, and read it. `diffusion-course study NAME` measures a study; `--only SETTING=VALUE,VALUE` takes some of its rows, `--count` the number of samples a row, and `--out` a folder of yours. What can be asked with a minute or a few of a CPU:

# %%
for name in ("ddim-steps", "guidance", "solvers", "schedules"):
    study = studies.get(name)
    columns = {
        key: sorted({str(row[key]) for row in study.settings if key in row}) for key in study.settings[0]
    }
    print(f"{name}: {study.what}")
    print("   ", "; ".join(f"{key}: {', '.join(v)}" for key, v in columns.items() if 1 < len(v) < 13))

# %% [markdown]
# `ddim-steps` needs no download: its `exact` rows take a few seconds in all, those of `mnist-edm` a few seconds each for ten samples. The others measure against MNIST's whole test set, which is downloaded where it is missing. A row whose network is not there (other training seeds) is left out with a line that
# says so. An exact denoiser was never trained, so it has no training seeds: its rows stand at 0.
#
# How many samples does a study of one run, or of an exact denoiser, need? There is no $\tau$ in it, and $S = 1$: $n \ge (q\,s/\text{half})^2$, with $s$ the standard deviation of the number of one pair, from a pilot, and $q = 2.26$ as in
# {{section A claim}}. It says nothing of another run.
#
# An example. The question: with 20 evaluations of the exact denoiser of 1,000 digits, is DDIM nearer to the converged solution on the Karras grid than on uniform times? The number is the mean of ln(error on uniform times / error on the Karras grid), in pairs; a factor of 1.25
# would matter. Two rows, 24 samples each, one comparison, one run.

# %%
# NBVAL_IGNORE_OUTPUT
STUDY = "ddim-steps"
OPTIONS = ["--only", "denoiser=exact", "--only", "grid=karras,uniform", "--only", "steps=20", "--count", "24"]


def run_study(name, options, out):
    """Measure a part of a study by the course's command, in a process of its own, and read what it wrote."""
    words = ["study", name, *options, "--out", str(out), "--device", str(course.device)]
    command = [sys.executable, "-m", "diffusion_course.cli", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise CourseError(done.stderr.strip().splitlines()[-1])
    print(done.stdout.strip().splitlines()[-1])
    return studies.load(name, Path(out))


with tempfile.TemporaryDirectory() as folder:
    mine = run_study(STUDY, OPTIONS, folder)
print(mine.command, "|", mine.device, "|", mine.version, "|", mine.date)
found = compared.log_ratios(mine.where(grid="uniform"), mine.where(grid="karras"))
factor = math.exp(found.value)
print(
    f"ln(error on uniform times / error on the Karras grid): {found}, p = {found.p:.1g}; a factor of {factor:.2f}"
)
matters = (math.log(1.25), INF)
print(f"'nearer by a factor of 1.25 at least': {said(found, matters)}")
if ddim:
    other = of_ddim(("uniform", 20), ("karras", 20))(ddim)
    print(f"the same of the network mnist-edm, from the stored table: {other}: {said(other, matters)}")

# %% [markdown]
# The last line belongs to reading it. A denoiser that is known exactly and a network solve different equations, and the grid that suits one need not suit the other. Where the two lines differ, or the second is missing, the study speaks of one denoiser, and its limits have to say so.

# %% [markdown]
# ### Exercise {{14-my_study}}
#
# Your turn: another question. Fix question, margin and budget *before* you run anything; then run it with `run_study` in a cell of your own (with a folder such as `"my-study/1"` it keeps what it measured; a second run into the same folder replaces the first), compute the number with its interval (`compared.shares`, `compared.distances`, `compared.log_ratios`: each has `.low`, `.high`
# and `.p`, the two-sided $p$ of no difference), correct the $p$ of several comparisons with Holm (`intervals.holm({name: p, ...})`; `paired_table` does both for marks), and read it.
#
# Write it down as six texts, of eight words at least, in a dictionary that `my_study` returns. The check sees only whether every part is there; **a person reads and marks it**, part by part:
#
# {{rubric 14-my_study}}
#
# Whoever marks it sees this cell's text and not its output, so write the numbers into the text. A study that finds nothing and says why earns all points; a finding without its limits does not.


# %%
# EXERCISE 14-my_study (keep this line)
def my_study():
    """A study in six parts, for a person to read. Returns a dictionary: question, plan, budget, record, result, limits -> text."""
    ### BEGIN SOLUTION
    return {
        "question": "With 20 evaluations of the exact denoiser of 1,000 digits, is DDIM nearer to the converged solution on the "
        "Karras grid than on uniform times? A factor of 1.25 in the error would matter to me; both fixed before the run.",
        "plan": "The measure is ln(error on uniform times / error on the Karras grid), a mean over samples; the error is the rms per "
        "pixel to the converged solution from the same noise. Equal: denoiser, 20 evaluations, first noise. Each sample is a pair. One comparison.",
        "budget": "24 samples, two rows, a few seconds on a CPU. No network is trained, so there are no training seeds. A factor of 1.25 is "
        "ln 1.25 = 0.22. In the 16 pairs of the stored table s is 0.11, so (2.26 * 0.11 / 0.22)^2, two pairs, would tell it; 24 do so for an s four times as large. It stops after one run, whatever comes out.",
        "record": "diffusion-course study ddim-steps --only denoiser=exact --only grid=karras,uniform --only steps=20 --count 24; "
        "course 0.1.0, one CPU, noise seed 0; the code's digest and the date are printed in the cell above.",
        "result": "ln(uniform / Karras) = 0.85 (0.76 to 0.95), p = 7e-9, a factor of 2.3, from 24 pairs. The whole interval lies above "
        "0.22: 'nearer by a factor of 1.25 at least' held up. One comparison, so nothing is corrected.",
        "limits": "It is about one denoiser, that of 1,000 blurred digits, and about a distance, not about quality. The first 16 noises are "
        "those of the stored table, which I had seen: no second look. For the network mnist-edm that table says the reverse, so "
        "nothing follows for networks. Next: three training seeds of a network, 5 to 50 steps, other noise, with Holm.",
    }
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("14-my_study", my_study)

# %% [markdown]
# ## 9. Where the sources slip
#
# The course grew from a handbook chapter, an introduction and the three reports. Each slip that they and public code share is mended in the chapter where its subject is taught. All of them, one line each:
#
# | the slip | the right form | where |
# |---|---|---|
# | report 1, slides: $\alpha_t$ for the variance that is added | the field writes $\beta_t$ for it, and $\alpha_t = 1 - \beta_t$ | chapter 1, section 2 ("One step") |
# | handbook: "non-increasing" for $\beta_1 \le \dots \le \beta_T$ | non-decreasing; convergence needs neither | chapter 1, section 9 ("What a schedule must do") |
# | "take $T = 1000$" and "take $\beta$ up to 0.02", as two choices | one choice: the end of the chain | chapter 1, section 8 ("The end of the chain") |
# | $L_\text{VLB}$ called a lower bound, of what is not said | upper bound of $-\log p$; $-L_\text{VLB}$ is the lower bound of $\log p$ | chapter 2, section 3 ("The bound, twice") |
# | the reverse chain's product begun with $p(x_0)$ | with $p(x_T)$: $p(x_0)$ is what it defines | chapter 2, section 2 ("The model") |
# | step $t = 1$ read from `alpha_bar[t - 2]`, the last entry | $\bar\alpha_0 = 1$ | chapter 2, section 4 ("The posterior of one step") |
# | public code: pixel probabilities clipped in the decoder, so that a bad model looks better | exact logarithms | chapter 2, section 8 ("The decoder of pixels") |
# | public code: $\hat x_0$ clipped, and nobody says so | say so; with the cosine schedule it decides | chapter 3, section 10 ("What goes wrong without a message") |
# | public code: noise added at the last step; $t$ in training, $t + 1$ in sampling | $z = 0$ at $t = 1$; one clock for both | chapter 3, section 10 ("What goes wrong without a message") |
# | report 1: $\cos\big(\frac\pi2 \frac tT\big)^k$ with $k = 0.008$ | 0.008 is an offset of the angle, no power | chapter 4, section 2 ("The cosine schedule") |
# | report 1: a sigmoid with its width in steps | a steepness that does not depend on $T$ | chapter 4, section 3 ("The ramps") |
# | reports 1 and 3: another $T$ with the same betas, or "small images need fewer steps" | rescale: the clock stays, the cut changes | chapter 4, section 5 ("The end of the chain, and T") |
# | report 1: artefacts counted in 24 to 50 samples | an interval, and the number of samples it needs | chapter 4, section 7 ("Linear against cosine, measured") |
# | report 3: the losses of two objectives compared | a sum is larger than its first term; compare one measure | chapter 5, section 9 ("A report, read with this chapter") |
# | public code: the hybrid loss without the factor $T$ beside 0.001 | $0.001\,T$ for a mean over $t$ | chapter 5, section 4 ("The hybrid loss") |
# | the hybrid loss without its stop-gradient | the bound trains the variance alone | chapter 5, section 4 ("The hybrid loss") |
# | an average of weights that still remembers its first ones | a warm-up of the average | chapter 5, section 8 ("What an average of weights remembers") |
# | report 3: a learning rate of 0.004 | forty times that of the paper's code, $10^{-4}$ | chapter 5, section 9 ("A report, read with this chapter") |
# | handbook: classifier guidance by "Nichol & Dhariwal (2021)" | Dhariwal & Nichol (2021) | chapter 6, section 2 ("Classifier guidance") |
# | the sign of the guidance difference; $1 + w$ taken for $w$ | $\varepsilon_u + w\,(\varepsilon_c - \varepsilon_u)$, and $w = 1$ means none | chapter 6, section 5 ("Classifier-free guidance") |
# | $\nabla \log p(y \mid x_t) \propto \varepsilon_c - \varepsilon_u$ | the factor is $-1/\sqrt{1 - \bar\alpha_t}$, and negative | chapter 6, section 5 ("Classifier-free guidance") |
# | "guidance samples from $p(x)\,p(y \mid x)^w$" | not for $w \ne 0, 1$ | chapter 6, section 7 ("Which distribution do guided samples follow?") |
# | report 2: DDIM and Euler as two solvers | one solver; what differs is the grid | chapter 7, section 5 ("Eta = 0 is Euler's method") |
# | DDIM's $\alpha_t$ read as $1 - \beta_t$ | in Song et al. 2021 it is $\bar\alpha_t$ | chapter 7, section 2 ("The family") |
# | a short sampler whose first time is not $T$, begun with pure noise | begin where the image is gone | chapter 7, section 6 ("Which times?") |
# | report 2: "the quadratic schedule of $\beta_t$" for DDIM | a quadratic choice of *times* of one schedule | chapter 7, section 6 ("Which times?") |
# | report 2: DDIM "needs the largest number of steps", 1000 | 20 to 50 on any sound grid | chapter 9, section 9 ("Does DDIM need 1000 steps?") |
# | a random number in the place of $g(t)$ | $g(t)$ is given, the noise beside it is random | chapter 8, section 3 ("Noise in continuous time") |
# | $h\,g\,z$ for $\sqrt h\,g\,z$; $g^2$ of the SDE in the ODE | variances add over steps; the ODE has $\frac12 g^2$ | chapter 8, section 4 ("The way back") |
# | nats of a density reported as bits of an image | the width of a grey level belongs to it | chapter 8, section 8 ("Find out") |
# | report 2: $\sqrt{((1+\gamma)\,t)^2 - t^2 \varepsilon}$ | $\sqrt{\hat t^2 - t^2}\;\varepsilon$: the noise belongs outside of the root | chapter 9, section 7 ("Churn") |
# | report 2: solvers at equal steps | at equal evaluations: 50 steps of Heun are 99 | chapter 9, section 8 ("The table at equal cost") |
# | report 2: FID of 3,000 samples beside FID of 5,000 | one $n$, with its floor | chapter 10, section 2 ("It is too large") |
# | report 3: FID 0.35 in 64 features, beside FIDs in 2048 | distances compare within one feature space | chapter 10, section 3 ("The features decide what is seen") |
# | report 3: the best of six looks | choose on one set of samples, report on another | chapter 10, section 8 ("Case study") |
# | samples in equal shares beside a floor of real images at random | equal shares in both | chapter 10, section 2 ("It is too large") |
# | a mean over masked tokens, or a sum without the weight, told as a likelihood or a perplexity | the weight $1/t$; the others are no bounds | chapter 11, section 2 ("The bound, and its weight") |
# | the share of hidden tokens drawn in one place, the weight's $t$ in another | one $t$ for both | chapter 11, section 2 ("The bound, and its weight") |
# | an output for the mask, which is then guessed; a visible token drawn again | the law is over the $K$ values, and what is visible stays | chapter 11, section 4 ("The way back") |
# | Gumbel noise in float32: draws of a lower temperature | float64 | chapter 11, section 4 ("The way back") |
# | "8 tokens in 8 steps" taken for exact | by coins two tokens are often shown in one step; one a step is exact, in an order that does not look at the draws | chapter 11, section 5 ("The price of parallel steps") |
# | the order of confidence praised for its samples | it rejects what is unlikely: measure the variety, too | chapter 11, section 6 ("Which token first?") |
# | $Q_t$ taken for its transpose | the *column* that leads to $x_t$, times the *row* of $\bar Q_{t-1}$; symmetric chains do not show it | chapter 11, section 9 ("D3PM: other ways to forget") |
# | the reverse step of D3PM as a mixture of posteriors with weights $\tilde p_k$ | the weights are $\tilde p_k\,q(x_t \mid x_0 = k)$ | chapter 11, section 9 ("D3PM: other ways to forget") |
# | the variance, or another file's number, for the scale of latents | $1/$ std of one's own latents | chapter 12, section 3 ("The scale of latents") |
# | `scale` for `1 + scale`; a gate that starts at 1 | adaLN-Zero: a block begins as the identity | chapter 12, section 6 ("The noise level moves every layer") |
# | two networks compared at equal parameters | at equal operations | chapter 12, section 7 ("U-Net or transformer, at equal cost") |
# | captions dropped with probability $1 - p$ | with $p$, whole captions | chapter 13, section 3 ("Guidance by text") |
# | all reports: one training run of each | a claim about methods needs several | {{section How to plan a study}} |

# %% [markdown]
# ## Common slips
#
# - "No significant difference", read as "no difference". Hold the interval against a margin.
# - The margin chosen after the numbers were seen.
# - A one-seed interval read as a statement about a method.
# - The most striking of twenty lines reported without the other nineteen.
# - Samples in the place of seeds: ten thousand samples of one network know nothing of the second.
# - A study that goes on until $p < 0.05$.
# - A study that is over when the number is there, and not when it is written down how it can be made again.
#
# ## Summary
#
# - A claim is a set of differences. An interval inside of it bears it out, outside of it contradicts it, across its end decides nothing.
# - Counting flaws in a few dozen samples decides neither of the two comparisons for which a report gives its counts. A judge, pairs and some hundred samples can decide some.
# - At equal cost, on equal grids, at equal $n$, some of their sentences change; the table says which, from the stored numbers.
# - Intervals over training seeds are wide. No number of samples replaces a run.
# - Real images, noised and sampled from there, show at which noise levels quality is lost: of clothes below those of digits.
# - A study is decided before it is run.
#
# ## References
#
# - *Project 5: diffusion models.* Slides, 14 June 2025 (in Russian). Report 1.
# - *Report on the project: three solvers of the ODE of a diffusion model.* 21 December 2024 (in Russian). Report 2; tables 1 to 3, sections 1.3, 3.1 and 3.2.
# - *Report on the generation of Food-101 images.* (In Russian; code: `github.com/Professor322/genai_task`.) Report 3; figures 1 to 3.
# - Schuirmann (1987). [*A comparison of the two one-sided tests procedure and the power approach for assessing the equivalence of average bioavailability.*](https://doi.org/10.1007/BF01068419)
# - Altman, Bland (1995). [*Absence of evidence is not evidence of absence.*](https://doi.org/10.1136/bmj.311.7003.485)
# - Newcombe (1998). [*Interval estimation for the difference between independent proportions: comparison of eleven methods.*](https://doi.org/10.1002/%28SICI%291097-0258%2819980430%2917:8%3C873::AID-SIM779%3E3.0.CO;2-I) Method 10.
# - Agresti, Min (2005). [*Simple improved confidence intervals for comparing matched proportions.*](https://doi.org/10.1002/sim.1781)
# - McNemar (1947). [*Note on the sampling error of the difference between correlated proportions or percentages.*](https://doi.org/10.1007/BF02295996)
# - Holm (1979). [*A simple sequentially rejective multiple test procedure.*](https://www.jstor.org/stable/4615733)
# - Cochran (1977). *Sampling techniques.* Chapter 10.
# - Jordan, Jin, Boza, You, Cesista, Newhouse, Bernstein (2024). [*Muon: an optimizer for hidden layers in neural networks.*](https://kellerjordan.github.io/posts/muon/)
# - Liu et al. (2025). [*Muon is scalable for LLM training.*](https://arxiv.org/abs/2502.16982) Section 2.2.
# - Nichol, Dhariwal (2021). [*Improved denoising diffusion probabilistic models.*](https://arxiv.org/abs/2102.09672)
# - Song, Meng, Ermon (2021). [*Denoising diffusion implicit models.*](https://arxiv.org/abs/2010.02502) Appendix D.
# - Karras, Aittala, Aila, Laine (2022). [*Elucidating the design space of diffusion-based generative models.*](https://arxiv.org/abs/2206.00364) Section 5, table 5.

# %%
# NBVAL_CHECK_OUTPUT
check_all()
