"""Checks of chapter 02, the fourth: the chain backwards, a sampler made of the posterior and a guess of x_0."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .ch01_slips import after, altered, in_float32
from .ch02_posterior import POSTERIOR_MEAN_VARIANCE
from .ch02_walk import (
    Guess,
    Tables,
    asked_slip,
    loop_slip,
    noise_slip,
    reverse_chain,
    right_step,
    slip,
    spread_slip,
    walk,
)
from .data import Check, Mutant
from .inputs import Draw


def chains(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Whole schedules, of fewer steps than the textbook's to be quick, and the shortest chains; states far outside [-1, 1]."""
    for name, betas in {"linear": d.linear(30), "cosine": d.cosine(30)}.items():
        yield f"{name} schedule, 30 steps", (d.guess(), d.wide(2, 3), betas, d.wide(30, 2, 3))
    for words, T in {"one step": 1, "two steps": 2}.items():
        yield words, (d.guess(), d.wide(3, 1, 2, 2), d.uniform(0.1, 0.9, T), d.wide(T, 3, 1, 2, 2))


def cut_off(most: float) -> Callable[[Tensor, int, Tables], Tensor]:
    return lambda x, t, c: right_step(x, t, c).clamp(-most, most)


def kept_above(least: float) -> Callable[[int, Tables], Tensor]:
    return lambda t, c: c.variance[t - 1].clamp(min=least)


# What goes wrong where the posterior is written out again, by the beginnings of its hints.
WRITTEN_OUT = (
    "alpha_bar[t - 2] for",
    "alpha_t in the place of alpha_bar_t, alphas without",
    "missing square roots in the mean",
    "a missing square root in the weight of",
    "a mean that is not divided",
    "sqrt(alpha_bar_t) in the weight of",
    "a variance without its denominator",
)


def posterior_slip(mutant: Mutant) -> Mutant:
    """The chain with the posterior of that mutant."""

    def step(x: Tensor, t: int, c: Tables) -> Tensor:
        mean, variance = mutant.function(c.ask(x, t), x, c.times(x, t), c.betas)
        return c.draw(mean, variance, t)

    return slip(mutant.hint, step)


def stale(guess: Guess, x_T: Tensor, betas: Tensor, noise: Tensor) -> Tensor:
    """One guess, made before the loop, for all steps."""
    x0_hat = Tables(guess, x_T, betas, noise).ask(x_T, len(betas))
    return walk(guess, x_T, betas, noise, step=lambda x, t, c: c.draw(*c.posterior(x0_hat, x, t), t))


ASKED = [
    Mutant("one guess for all steps: ask for it inside the loop, at every x_t.", stale),
    asked_slip(
        "a guess that is always made of x_T: ask about the state that you have reached, x_t.",
        lambda x, t, c: c.ask(c.x_T, t),
    ),
    asked_slip(
        "a guess asked with t - 1: x_t has the noise of step t, so ask guess(x_t, t), with t from T to 1.",
        lambda x, t, c: c.ask(x, t - 1),
    ),
    asked_slip("a guess asked with t + 1: x_t has the noise of step t.", lambda x, t, c: c.ask(x, t + 1)),
    asked_slip("a guess asked with T in every step: t falls from T to 1.", lambda x, t, c: c.ask(x, c.T)),
    asked_slip("a guess asked with 1 in every step: t falls from T to 1.", lambda x, t, c: c.ask(x, 1)),
    asked_slip(
        "a guess asked with T - t or T + 1 - t, the number of the step taken: it wants t, the number of the noise level.",
        lambda x, t, c: c.ask(x, c.T + 1 - t),
    ),
    asked_slip(
        "x_t itself in the place of the guess: ask guess(x_t, t) for it.", lambda x, t, c: c.ask(x, t) * 0 + x
    ),
    asked_slip(
        "a guess cut to [-1, 1]: that is for pixels, here data may be any numbers.",
        lambda x, t, c: c.ask(x, t).clamp(-1, 1),
    ),
    slip(
        "the guess itself as the next state: put it in the place of x_0 in the posterior's mean, and add noise.",
        lambda x, t, c: c.ask(x, t),
    ),
    slip(
        "a guess that is noised again from zero, as q(x_{t-1} | x_0) does it: the posterior keeps a share of x_t.",
        lambda x, t, c: c.draw(
            c.kept_before[t - 1].sqrt() * c.ask(x, t), 1 - c.kept_before[t - 1], t
        ),
    ),
    slip(
        "the guess taken for the noise, as in the mean written with eps: it is a guess of x_0.",
        lambda x, t, c: c.draw(
            (x - c.betas[t - 1] / (1 - c.kept[t - 1]).sqrt() * c.ask(x, t)) / (1 - c.betas[t - 1]).sqrt(), c.variance[t - 1], t
        ),
    ),
]  # fmt: skip
MEANS = [
    slip(
        "x_T in the place of x_t in the posterior: step from the state that you have reached.",
        lambda x, t, c: c.draw(*c.posterior(c.ask(x, t), c.x_T, t), t),
    ),
    slip(
        "x_0 and x_t swapped in the posterior: the guess comes first.",
        lambda x, t, c: c.draw(*c.posterior(x, c.ask(x, t), t), t),
    ),
    slip(
        "the posterior's tables read one step too early, at t - 1: they are asked with t, and betas[t - 1] is beta_t.",
        lambda x, t, c: c.draw(*c.posterior(c.ask(x, t), x, t - 1), t),
    ),
    slip(
        "the posterior asked with t + 1: x_t has the noise of step t.",
        lambda x, t, c: c.draw(*c.posterior(c.ask(x, t), x, min(t + 1, c.T)), t),
    ),
    slip(
        "a t that is one too small everywhere, counted from T - 1 down to 0: guess and posterior count from 1, only noise[t - 1] is read from 0.",
        lambda x, t, c: c.draw(*c.posterior(c.ask(x, t - 1), x, t - 1), t),
    ),
    *(posterior_slip(mutant) for mutant in POSTERIOR_MEAN_VARIANCE.mutants if mutant.hint.startswith(WRITTEN_OUT)),
    slip(
        "the deterministic step of DDIM (chapter 07): this chain adds the noise sqrt(beta-tilde_t) z_t.",
        lambda x, t, c: c.kept_before[t - 1].sqrt() * c.ask(x, t)
        + ((1 - c.kept_before[t - 1]) / (1 - c.kept[t - 1])).sqrt() * (x - c.kept[t - 1].sqrt() * c.ask(x, t)),
    ),
    *(slip(f"a state cut to [-{k}, {k}]: a state may be any number.", cut_off(k)) for k in (1, 3)),
]  # fmt: skip
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
        "noise in the last step, with the factor of the step before: at t = 1 the variance is 0, and x_0 is the guess.",
        lambda t, c: c.variance[min(max(t, 2), c.T) - 1],
    ),
    *(
        spread_slip(f"a variance kept above {k:g}: at t = 1 it is 0, and x_0 is the guess.", kept_above(k))
        for k in (1e-4, 1e-6, 1e-8)
    ),
]  # fmt: skip
NOISES = [
    noise_slip("a chain without noise: add sqrt(variance) z_t in every step but the last.", lambda t, c: 0 * c.noise[0]),
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

REVERSE_CHAIN = Check(
    id="02-reverse_chain",
    points=5,
    minutes=25,
    level=2,
    reference=reverse_chain,
    inputs=lambda d: (d.guess(), d.x(), d.betas(), d.normal(d.T, d.B, *d.event)),
    fixed=chains,
    where="equation (13) in section 6 of this notebook: x_{t-1} = mean + sqrt(variance) z_t, with the mean and the variance of "
    "q(x_{t-1} | x_t, x_0) at x_0 = guess(x_t, t), for t = T, ..., 1 (Ho et al. 2020, eqs. 6-7).",
    outputs=("states",),
    path="x_{left}",
    evaluations={"guess": lambda guess, x_T, betas, noise: len(betas) * len(x_T)},
    mutants=[*ASKED, *MEANS, *SPREADS, *NOISES, *LOOPS, *STATES],
)
