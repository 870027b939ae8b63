"""The chain backwards, with any one of its parts replaced: the guess, the posterior, the noise, the times."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from .ch02_posterior import posterior_mean_variance
from .data import Mutant

Guess = Callable[[Tensor, Tensor], Tensor]


def reverse_chain(guess: Guess, x_T: Tensor, betas: Tensor, noise: Tensor) -> Tensor:
    return walk(guess, x_T, betas, noise)


class Tables:
    """What a step may read, at any index, right or wrong."""

    def __init__(self, guess: Guess, x_T: Tensor, betas: Tensor, noise: Tensor):
        self.guess, self.x_T, self.betas, self.noise, self.T = guess, x_T, betas, noise, len(betas)
        self.kept = torch.cumprod(1 - betas, 0)
        self.kept_before = torch.cat([torch.ones_like(betas[:1]), self.kept[:-1]])
        t, one = torch.arange(1, self.T + 1, device=betas.device), torch.ones_like(betas)
        self.weight_0, self.variance = posterior_mean_variance(one, 0 * one, t, betas)
        self.weight_t, _ = posterior_mean_variance(0 * one, one, t, betas)

    @staticmethod
    def times(x: Tensor, t: int) -> Tensor:
        return torch.full((len(x),), t, device=x.device)

    def ask(self, x: Tensor, t: int) -> Tensor:
        return self.guess(x, self.times(x, t))

    def posterior(self, x0: Tensor, x: Tensor, t: int) -> tuple[Tensor, Tensor]:
        """Mean and variance of x_{t-1}."""
        return self.weight_0[t - 1] * x0 + self.weight_t[t - 1] * x, self.variance[t - 1]

    def draw(self, mean: Tensor, variance: Tensor, t: int) -> Tensor:
        return mean + variance.sqrt() * self.noise[t - 1]


def right_step(x: Tensor, t: int, c: Tables) -> Tensor:
    return c.draw(*c.posterior(c.ask(x, t), x, t), t)


def walk(
    guess: Guess,
    x_T: Tensor,
    betas: Tensor,
    noise: Tensor,
    step: Callable = right_step,
    times: Callable[[int], range] = lambda T: range(T, 0, -1),
) -> Tensor:
    """x_T, ..., x_0, where x_{t-1} = step(x_t, t, tables)."""
    c, states = Tables(guess, x_T, betas, noise), [x_T]
    for t in times(c.T):
        states.append(step(states[-1], t, c))
    return torch.stack(states)


def slip(hint: str, step: Callable[[Tensor, int, Tables], Tensor]) -> Mutant:
    """A mutant with another step(x_t, t, tables)."""
    return Mutant(hint, partial(walk, step=step))


def spread_slip(hint: str, variance: Callable[[int, Tables], Tensor]) -> Mutant:
    """A mutant with the right mean, and another variance(t, tables)."""
    return slip(
        hint, lambda x, t, c: c.draw(c.posterior(c.ask(x, t), x, t)[0], variance(t, c).clamp(min=0), t)
    )


def noise_slip(hint: str, z: Callable[[int, Tables], Tensor]) -> Mutant:
    """A mutant with the right mean and variance, and another noise z(t, tables)."""

    def step(x: Tensor, t: int, c: Tables) -> Tensor:
        mean, variance = c.posterior(c.ask(x, t), x, t)
        return mean + variance.sqrt() * z(t, c)

    return slip(hint, step)


def asked_slip(hint: str, x0_hat: Callable[[Tensor, int, Tables], Tensor]) -> Mutant:
    """A mutant with another guess x0_hat(x_t, t, tables)."""
    return slip(hint, lambda x, t, c: c.draw(*c.posterior(x0_hat(x, t, c), x, t), t))


def loop_slip(hint: str, times: Callable[[int], range]) -> Mutant:
    """A mutant that runs over other times."""
    return Mutant(hint, partial(walk, times=times))


def told_slip(hint: str, step: Callable[[Tensor, int, Tables], tuple[Tensor, Tensor]]) -> Mutant:
    """A mutant whose step(x_t, t, tables) gives the state that the chain goes on from, and what is returned as x_{t-1}."""

    def function(guess: Guess, x_T: Tensor, betas: Tensor, noise: Tensor) -> Tensor:
        c, x, told = Tables(guess, x_T, betas, noise), x_T, [x_T]
        for t in range(c.T, 0, -1):
            x, one = step(x, t, c)
            told.append(one)
        return torch.stack(told)

    return Mutant(hint, function)


def held_slip(hint: str, asks: Callable[[int, int], bool]) -> Mutant:
    """A mutant that asks for a new guess only in the first step and where asks(t, T), and keeps the last one elsewhere."""

    def function(guess: Guess, x_T: Tensor, betas: Tensor, noise: Tensor) -> Tensor:
        c, states, x0_hat = Tables(guess, x_T, betas, noise), [x_T], x_T
        for t in range(c.T, 0, -1):
            if t == c.T or asks(t, c.T):
                x0_hat = c.ask(states[-1], t)
            states.append(c.draw(*c.posterior(x0_hat, states[-1], t), t))
        return torch.stack(states)

    return Mutant(hint, function)


def shaped_slip(hint: str, shape: Callable[[Tensor, Tensor], Tensor]) -> Mutant:
    """A mutant with the right mean, and a variance of shape (B,) that shape(variance, x_t) has reshaped."""

    def step(x: Tensor, t: int, c: Tables) -> Tensor:
        mean, variance = c.posterior(c.ask(x, t), x, t)
        return c.draw(mean, shape(variance.expand(len(x)), x), t)

    return slip(hint, step)
