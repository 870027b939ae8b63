"""Chapter 02, the chain backwards: how the guess is asked, and what the posterior makes of it, wrong."""

from collections.abc import Callable

from torch import Tensor

from .ch02_posterior import POSTERIOR_MEAN_VARIANCE
from .ch02_walk import Tables, asked_slip, held_slip, right_step, slip, told_slip
from .data import Mutant


def cut_off(most: float) -> Callable[[Tensor, int, Tables], Tensor]:
    return lambda x, t, c: right_step(x, t, c).clamp(-most, most)


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


ASKED = [
    held_slip("one guess for all steps: ask for it inside the loop, at every x_t.", lambda t, T: False),
    held_slip("the guess of t = 2 used again at t = 1: ask in every step; x_0 is guess(x_1, 1).", lambda t, T: t > 1),
    asked_slip(
        "a guess that is always made of x_T: ask about the state that you have reached, x_t.",
        lambda x, t, c: c.ask(c.x_T, t),
    ),
    asked_slip(
        "a guess asked with t - 1: x_t has the noise of step t, so ask guess(x_t, t), with t from T to 1.",
        lambda x, t, c: c.ask(x, t - 1),
    ),
    asked_slip("a guess asked with t + 1: x_t has the noise of step t.", lambda x, t, c: c.ask(x, t + 1)),
    asked_slip(
        "a guess asked with t = 2 in the last step, too: t falls to 1, and x_0 is guess(x_1, 1).",
        lambda x, t, c: c.ask(x, min(max(t, 2), c.T)),
    ),
    asked_slip(
        "a guess asked about x_t / sqrt(alpha_bar_t), the units of D(x, sigma): guess takes x_t itself.",
        lambda x, t, c: c.ask(x / c.kept[t - 1].sqrt(), t),
    ),
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
    told_slip(
        "a right chain, of which the guesses are returned: append x_{t-1}, not the guess.",
        lambda x, t, c: (right_step(x, t, c), c.ask(x, t)),
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
    slip(
        "an x_1 that is returned again as x_0: the step of t = 1 is missing; its variance is 0, so x_0 is guess(x_1, 1).",
        lambda x, t, c: right_step(x, t, c) if t > 1 else x,
    ),
    *(slip(f"a state cut to [-{k}, {k}]: a state may be any number.", cut_off(k)) for k in (1, 3)),
]  # fmt: skip
