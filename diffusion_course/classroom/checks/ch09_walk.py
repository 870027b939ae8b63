"""The loop of the stochastic EDM sampler in parts, each of which a mutant has in another way."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ...denoisers import Denoiser
from .ch09_churn import gamma, raised
from .ch09_heun import euler, heun_step, slope
from .data import Mutant


@dataclass(frozen=True)
class Step:
    """What one step may use. i: its number, from 0 on. x: the state. s, r: its sigma and the next. z: the draw. n: the number of steps."""

    D: Denoiser
    i: int
    x: Tensor
    s: Tensor
    r: Tensor
    z: Tensor
    n: int
    s_churn: float
    s_min: float
    s_max: float
    s_noise: float

    @property
    def gamma(self) -> float:
        return gamma(self.s, self.n, self.s_churn, self.s_min, self.s_max)

    @property
    def hat(self) -> Tensor:
        return self.s * (1 + self.gamma)


def churned(p: Step) -> tuple[Tensor, Tensor]:
    """x_hat and sigma_hat."""
    return raised(p.x, p.s, p.z, p.gamma, p.s_noise)


@dataclass(frozen=True)
class Sampler:
    """The parts of the loop, each of which a mutant has in another way.

    start: (x, sigmas) -> the first state. draw: (noise, i) -> the draw of step i, from 0 on. raise_: Step -> x_hat and sigma_hat.
    move: (Step, x_hat, sigma_hat) -> the next state.
    """

    start: Callable = lambda x, sigmas: sigmas[0] * x
    draw: Callable = lambda noise, i: noise[i]
    raise_: Callable = churned
    move: Callable = lambda p, x_hat, hat: heun_step(p.D, x_hat, hat, p.r)


def walk(
    parts: Sampler,
    D: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: Tensor,
    *knobs: float,
    hats: bool = False,
    again: bool = False,
) -> Tensor:
    """All N + 1 states. hats: with x_hat in the place of each but the last. again: with every step from the first."""
    states, n = [parts.start(x, sigmas)], len(sigmas) - 1
    for i in range(n):
        p = Step(D, i, states[0 if again else -1], sigmas[i], sigmas[i + 1], parts.draw(noise, i), n, *knobs)
        x_hat, hat = parts.raise_(p)
        if hats:
            states[-1] = x_hat
        states.append(parts.move(p, x_hat, hat))
    return torch.stack(states)


def churned_late(
    D: Denoiser, x: Tensor, sigmas: Tensor, noise: Tensor, *knobs: float, kept: bool = True
) -> Tensor:
    """A walk whose steps churn after the Heun step, at the new sigma. kept: is the churned state the one that is returned?"""
    n, x, hat = len(sigmas) - 1, sigmas[0] * x, sigmas[0]
    states = [x]
    for i in range(n):
        moved = heun_step(D, x, hat, sigmas[i + 1])
        x, hat = churned(Step(D, i, moved, sigmas[i + 1], sigmas[i + 1], noise[i], n, *knobs))
        states.append(x if kept else moved)
    return torch.stack(states)


def slip(hint: str, **parts: Any) -> Mutant:
    """A mutant with one part of `Sampler` in another way."""
    sampler = Sampler(**parts)
    return Mutant(hint, lambda *args: walk(sampler, *args))


def churn_slip(hint: str, **changes: Callable) -> Mutant:
    """A mutant whose churn takes change(Step) for a field of the step."""
    return slip(
        hint, raise_=lambda p: churned(replace(p, **{name: change(p) for name, change in changes.items()}))
    )


def gamma_slip(hint: str, g: Callable) -> Mutant:
    """A mutant with its own gamma = g(Step)."""
    return slip(hint, raise_=lambda p: raised(p.x, p.s, p.z, g(p), p.s_noise))


def noise_slip(hint: str, std: Callable) -> Mutant:
    """A mutant that adds noise of the standard deviation std(Step), and raises sigma rightly."""
    return slip(hint, raise_=lambda p: (p.x + std(p) * p.z, p.hat))


def heun_slip(hint: str, corrected: Callable) -> Mutant:
    """A mutant with its own Heun step before the last: corrected(Step, x_hat, sigma_hat, slope, end of Euler's step)."""

    def move(p: Step, x_hat: Tensor, hat: Tensor) -> Tensor:
        first, end = euler(p.D, x_hat, hat, p.r)
        return end if p.r == 0 else corrected(p, x_hat, hat, first, end)

    return slip(hint, move=move)


def first_slope_slip(hint: str, first: Callable) -> Mutant:
    """A mutant with its own first slope, first(Step, x_hat, sigma_hat), in every step."""

    def move(p: Step, x_hat: Tensor, hat: Tensor) -> Tensor:
        d = first(p, x_hat, hat)
        end = x_hat + (p.r - hat) * d
        return end if p.r == 0 else x_hat + (p.r - hat) * (d + slope(p.D, end, p.r)) / 2

    return slip(hint, move=move)


def old_length(p: Step, x_hat: Tensor, hat: Tensor) -> Tensor:
    d = slope(p.D, x_hat, hat)
    end = x_hat + (p.r - p.s) * d
    return end if p.r == 0 else x_hat + (p.r - p.s) * (d + slope(p.D, end, p.r)) / 2


def last_too(p: Step, x_hat: Tensor, hat: Tensor) -> Tensor:
    first, end = euler(p.D, x_hat, hat, p.r)
    return x_hat + (p.r - hat) * (first + slope(p.D, end, p.r)) / 2
