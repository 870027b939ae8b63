"""The predictor-corrector's path, with any one of its parts replaced: the step length, the correction, the predictor, what is kept."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from .ch08_step import Score, reverse_sde_step
from .data import Mutant


@dataclass(frozen=True)
class Place:
    """Where step i begins, and what it may read."""

    score: Score
    x: Tensor
    times: Tensor
    f: Tensor
    g: Tensor
    r: float
    noise: Tensor
    i: int

    @property
    def t(self) -> Tensor:
        return self.times[self.i]

    @property
    def t_next(self) -> Tensor:
        return self.times[self.i + 1]


def norm(v: Tensor) -> Tensor:
    """The norm of each sample, averaged over the batch."""
    return v.flatten(1).norm(dim=1).mean()


def length(p: Place, s: Tensor, z: Tensor) -> Tensor:
    return 2 * (p.r * norm(z) / norm(s)) ** 2


def corrected(p: Place, length: Callable = length, move: Callable | None = None) -> Tensor:
    """x after the correction. length(p, score, z): e. move(x, score, e, z): where it leads."""
    s, z = p.score(p.x, p.t), p.noise[p.i, 0]
    e = length(p, s, z)
    return move(p.x, s, e, z) if move else p.x + e * s + (2 * e).sqrt() * z


def predicted(p: Place, x: Tensor, lam: float = 1.0, z: Tensor | None = None) -> Tensor:
    z = p.noise[p.i, 1] if z is None else z
    return reverse_sde_step(p.score, x, p.t, p.t_next, p.f[p.i], p.g[p.i], lam, z)


def right_step(p: Place) -> Tensor:
    return predicted(p, corrected(p))


def walk(
    score: Score,
    x: Tensor,
    times: Tensor,
    f: Tensor,
    g: Tensor,
    r: float,
    noise: Tensor,
    step: Callable[[Place], Tensor] = right_step,
) -> Tensor:
    """x and the state after each step, made by step(place)."""
    states = [x]
    for i in range(len(times) - 1):
        states.append(step(Place(score, states[-1], times, f, g, r, noise, i)))
    return torch.stack(states)


def slip(hint: str, step: Callable[[Place], Tensor]) -> Mutant:
    """A mutant with another step(place)."""
    return Mutant(hint, partial(walk, step=step))


def length_slip(hint: str, other: Callable) -> Mutant:
    """A mutant with another step length e = other(place, score, z)."""
    return slip(hint, lambda p: predicted(p, corrected(p, length=other)))


def move_slip(hint: str, move: Callable) -> Mutant:
    """A mutant whose correction is move(x, score, e, z)."""
    return slip(hint, lambda p: predicted(p, corrected(p, move=move)))


def predictor_slip(hint: str, move: Callable) -> Mutant:
    """A mutant whose predictor is move(place, corrected x)."""
    return slip(hint, lambda p: move(p, corrected(p)))
