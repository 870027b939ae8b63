"""Checks of chapter 02, the fourth: the chain backwards, a sampler made of the posterior and a guess of x_0."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from .ch01_slips import after, altered, in_float32, shapes
from .ch02_guess import ASKED, MEANS
from .ch02_walk import (
    Tables,
    loop_slip,
    noise_slip,
    reverse_chain,
    right_step,
    shaped_slip,
    slip,
    spread_slip,
    told_slip,
    walk,
)
from .data import Check, Mutant
from .inputs import LARGE_BETA, Draw
from .weights import Named, Run, Scripted, first_wrong


def chains(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Whole schedules, of fewer steps than the textbook's to be quick, and the shortest chains; states far outside [-1, 1]."""
    for name, betas in {"linear": d.linear(30), "cosine": d.cosine(30)}.items():
        yield f"{name} schedule, 30 steps", (d.guess(), d.wide(2, 3), betas, d.wide(30, 2, 3))
    for words, T in {"one step": 1, "two steps": 2}.items():
        yield words, (d.guess(), d.wide(3, 1, 2, 2), d.uniform(0.1, 0.9, T), d.wide(T, 3, 1, 2, 2))
    yield LARGE_BETA, (d.guess(), d.wide(2, 3), d.betas_with_a_large_one(), d.wide(5, 2, 3))


def kept_above(least: float) -> Callable[[int, Tables], Tensor]:
    return lambda t, c: c.variance[t - 1].clamp(min=least)


SPREADS = [
    spread_slip(
        "noise in the last step, with the variance beta_t in all steps: that of the posterior is beta-tilde_t, which is 0 at t = 1.",
        lambda t, c: c.betas[t - 1],
    ),
    spread_slip(
        "the variance beta_t, the other choice of Ho et al.: the posterior has beta-tilde_t, which is smaller.",
        lambda t, c: c.betas[t - 1] * (t > 1),
    ),
    spread_slip(
        "a variance used as a standard deviation: the noise is multiplied by sqrt(variance).",
        lambda t, c: c.variance[t - 1] ** 2,
    ),
    spread_slip("the variance 1 - alpha_bar_t of q(x_t | x_0): use that of the posterior.", lambda t, c: 1 - c.kept[t - 1]),
    spread_slip("the variance of the step before, that of t - 1: step t has its own.", lambda t, c: c.variance[max(t - 1, 1) - 1]),
    spread_slip("noise without a factor: it is multiplied by sqrt(variance).", lambda t, c: torch.ones_like(c.betas[0])),
    spread_slip(
        "noise in the last step, without a factor: at t = 1 the variance is 0, and x_0 is the guess.",
        lambda t, c: c.variance[t - 1] if t > 1 else torch.ones_like(c.variance[0]),
    ),
    spread_slip(
        "noise in the last step, with the variance beta_1: at t = 1 the variance is 0, and x_0 is the guess.",
        lambda t, c: c.variance[t - 1] if t > 1 else c.betas[0],
    ),
    spread_slip(
        "noise in the last step, with the factor of the step before: at t = 1 the variance is 0, and x_0 is the guess.",
        lambda t, c: c.variance[min(max(t, 2), c.T) - 1],
    ),
    *(
        spread_slip(f"a variance kept above {k:g}: at t = 1 it is 0, and x_0 is the guess.", kept_above(k))
        for k in (1e-4, 1e-6, 1e-8)
    ),
    *(shaped_slip(hint, shape) for hint, shape in shapes("x_T")[:3]),  # with an axis too many, states grow in each step
]  # fmt: skip
NOISES = [
    noise_slip("a chain without noise: add sqrt(variance) z_t in every step but the last.", lambda t, c: 0 * c.noise[0]),
    told_slip(
        "a right chain, of which the means are returned: append x_{t-1} after its noise is added.",
        lambda x, t, c: (right_step(x, t, c), c.posterior(c.ask(x, t), x, t)[0]),
    ),
    told_slip(
        "steps that go on from the mean, with noise in the returned states alone: the next step starts from x_{t-1}, noise included.",
        lambda x, t, c: (c.posterior(c.ask(x, t), x, t)[0], right_step(x, t, c)),
    ),
    noise_slip("one draw for the whole batch, that of the first sample: every sample has its own in noise[t - 1].", lambda t, c: c.noise[t - 1, :1]),
    noise_slip("one draw for the whole batch, that of the last sample: every sample has its own in noise[t - 1].", lambda t, c: c.noise[t - 1, -1:]),
    noise_slip(
        "noise averaged over the batch: every sample has its own in noise[t - 1].", lambda t, c: c.noise[t - 1].mean(0, keepdim=True)
    ),
    noise_slip(
        "noise read from the front, noise[0] first: the first step is that of t = T, and takes z_T, which is noise[T - 1].",
        lambda t, c: c.noise[c.T - t],
    ),
    slip(
        "two mistakes at once: noise read from the front, where step t takes noise[t - 1], and a variance used as a standard deviation.",
        lambda x, t, c: c.posterior(c.ask(x, t), x, t)[0] + c.variance[t - 1] * c.noise[c.T - t],
    ),
    noise_slip("one noise for all steps: step t takes z_t, which is noise[t - 1].", lambda t, c: c.noise[0]),
    noise_slip("the last noise in all steps: step t takes z_t, which is noise[t - 1].", lambda t, c: c.noise[-1]),
    noise_slip("noise[t - 2] in step t: z_t is noise[t - 1].", lambda t, c: c.noise[t - 2]),
    noise_slip("noise[t] in step t: z_t is noise[t - 1].", lambda t, c: c.noise[t]),
    noise_slip("noise[t] in step t, with the last index wrapped to 0: z_t is noise[t - 1].", lambda t, c: c.noise[t % c.T]),
    noise_slip(
        "noise[t] in step t, with the last index held at T - 1: z_t is noise[t - 1].", lambda t, c: c.noise[min(t, c.T - 1)]
    ),
    noise_slip("a minus in front of the noise: it is added.", lambda t, c: -c.noise[t - 1]),
    noise_slip(
        "no noise in the step of t = 2 either: only the last step, that of t = 1, has none.", lambda t, c: c.noise[t - 1] * (t > 2)
    ),
    noise_slip("no noise in the first step: only the last step, that of t = 1, has none.", lambda t, c: c.noise[t - 1] * (t < c.T)),
]  # fmt: skip
LOOPS = [
    loop_slip(
        "a loop from 1 up to T: the chain begins at x_T, so t falls from T to 1.", lambda T: range(1, T + 1)
    ),
    loop_slip(
        "a loop that ends at t = 2: the last step is that of t = 1, range(T, 0, -1).",
        lambda T: range(T, 1, -1),
    ),
    loop_slip(
        "a loop that begins at t = T - 1: the first step is that of t = T, range(T, 0, -1).",
        lambda T: range(T - 1, 0, -1),
    ),
    loop_slip(
        "a loop over t = T - 1 to 0: the formulas count from 1, so t falls from T to 1.",
        lambda T: range(T - 1, -1, -1),
    ),
    loop_slip("a loop that goes on to t = 0: the last step is that of t = 1.", lambda T: range(T, -1, -1)),
]
STATES = [
    after("a chain without x_T: return T + 1 states, the first is x_T.", reverse_chain, lambda v: v[1:]),
    after("the last state alone: return all states, x_T to x_0.", reverse_chain, lambda v: v[-1]),
    after(
        "the states from x_0 to x_T: return them as they are made, x_T first.", reverse_chain, lambda v: v.flip(0)
    ),
    after(
        "states that are stacked behind the batch: the first axis counts the states, as torch.stack makes it with dim=0.",
        reverse_chain,
        lambda v: v.movedim(0, 1),
    ),
    after(
        "the states one behind the other in one axis, as torch.cat does it: torch.stack gives them an axis of their own.",
        reverse_chain,
        lambda v: v.flatten(0, 1),
    ),
    after(
        "one tensor that is stored T + 1 times and changed in place: make a new tensor in every step.",
        reverse_chain,
        lambda v: v[-1:].expand_as(v),
    ),
    Mutant(
        "a chain that begins at the last draw: it begins at x_T, as given.",
        lambda guess, x_T, betas, noise: walk(guess, noise[-1], betas, noise),
    ),
    altered("an x_T cut to [-1, 1]: use it as it is.", reverse_chain, x_T=lambda x: x.clamp(-1, 1)),
    in_float32(reverse_chain),
]  # fmt: skip

BETAS = (0.1, 0.3, 0.2, 0.4)  # of the chain on which weights are measured
NAMED = Named(
    state=lambda k: f"x_{len(BETAS) + 1 - k}",
    answers=lambda k: {k - 1: "the guess"},
    draw=lambda k: f"z_{len(BETAS) + 1 - k}",
    step=lambda k: f"the step of t = {len(BETAS) + 1 - k}",
)


def measured(answer: Callable) -> str:
    def run(chain: Callable) -> Run:
        def states(start: float, guesses: Sequence[float], draws: Sequence[float]) -> Tensor:
            noise = torch.tensor(draws, dtype=torch.float64).flip(0).reshape(-1, 1, 1)
            x_T = torch.full((1, 1), start, dtype=torch.float64)
            return chain(Scripted(guesses), x_T, torch.tensor(BETAS, dtype=torch.float64), noise).flatten()

        return states

    return first_wrong(run(answer), run(reverse_chain), NAMED, len(BETAS), len(BETAS))


REVERSE_CHAIN = Check(
    id="02-reverse_chain",
    points=5,
    minutes=20,
    level=2,
    reference=reverse_chain,
    inputs=lambda d: (d.guess(), d.x(), d.betas(), d.normal(d.T, d.B, *d.event)),
    fixed=chains,
    where="equation (13) in section 6 of this notebook: x_{t-1} = mean + sqrt(variance) z_t, with the mean and the variance of "
    "q(x_{t-1} | x_t, x_0) at x_0 = guess(x_t, t), for t = T, ..., 1; at t = 1 the variance is 0, so x_0 = guess(x_1, 1) (Ho et al. 2020, eqs. 6-7).",
    outputs=("states",),
    path="x_{left}",
    same_dtype=True,
    measured=measured,
    evaluations={"guess": lambda guess, x_T, betas, noise: len(betas) * len(x_T)},
    calls={"guess": lambda guess, x_T, betas, noise: len(betas)},
    mutants=[*ASKED, *MEANS, *SPREADS, *NOISES, *LOOPS, *STATES],
)
