"""The predictor-corrector's path, with any one of its parts replaced: the step length, the correction, the predictor, what is kept."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from .ch08_step import Score, drift, noise, reverse_sde_step
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


def drift_slip(hint: str, other: Callable) -> Mutant:
    """A mutant whose predictor has the drift other(score there, x, f, g), and the right noise."""

    def move(p: Place, x: Tensor) -> Tensor:
        f, g = p.f[p.i], p.g[p.i]
        pull = (p.t - p.t_next) * other(p.score(x, p.t), x, f, g)
        return x + pull + noise(p.t, p.t_next, g, 1.0, p.noise[p.i, 1])

    return predictor_slip(hint, move)


# ---- wrong places


def moved(p: Place, x: Tensor) -> Place:
    return replace(p, x=x)


def same(p: Place, which: int) -> Place:
    """Both noises are the one of this number."""
    return replace(p, noise=p.noise[:, [which, which]])


def swapped(p: Place) -> Place:
    return replace(p, noise=p.noise[:, [1, 0]])


def step_with(p: Place, noise: Tensor) -> Tensor:
    return right_step(replace(p, noise=noise))


def with_knobs(p: Place, k: int) -> Place:
    """f and g are those of step k."""
    return replace(p, f=p.f[k].expand_as(p.f), g=p.g[k].expand_as(p.g))


def corrected_at(p: Place, t: Tensor) -> Tensor:
    return corrected(replace(p, score=lambda x, _: p.score(x, t)))


def old_score(p: Place, x: Tensor) -> Tensor:
    """The predictor's step with the score of the state before the correction."""
    old = p.score(p.x, p.t)
    return predicted(replace(p, score=lambda *_: old), x)


def noisy_to_the_end(p: Place, x: Tensor) -> Tensor:
    extra = p.g[p.i] * p.t.sqrt() * p.noise[p.i, 1] if p.t_next == 0 else 0
    return predicted(p, x) + extra


def quiet_at_end(p: Place) -> Tensor:
    """The corrected state, without noise in a step to time 0."""
    return corrected(p, move=lambda x, s, e, z: x + e * s + ((2 * e).sqrt() * z if p.t_next > 0 else 0))


def even_step(p: Place, x: Tensor) -> Tensor:
    """The predictor with steps of one length."""
    h, z = (p.times[0] - p.times[-1]) / len(p.f), p.noise[p.i, 1]
    mean = x + h * drift(p.score(x, p.t), x, p.f[p.i], p.g[p.i], 1.0)
    return mean + p.g[p.i] * h.sqrt() * z if p.t_next > 0 else mean


def first_length(
    score: Score, x: Tensor, times: Tensor, f: Tensor, g: Tensor, r: float, noise: Tensor
) -> Tensor:
    """All steps with the e of the first."""
    start = Place(score, x, times, f, g, r, noise, 0)
    e = length(start, score(x, times[0]), noise[0, 0])
    return walk(
        score, x, times, f, g, r, noise, step=lambda p: predicted(p, corrected(p, length=lambda *_: e))
    )


def all_states(
    score: Score, x: Tensor, times: Tensor, f: Tensor, g: Tensor, r: float, noise: Tensor
) -> Tensor:
    """x, and what corrector and predictor leave, one after the other."""
    told = [x]
    for i in range(len(times) - 1):
        p = Place(score, told[-1], times, f, g, r, noise, i)
        told.append(corrected(p))
        told.append(predicted(p, told[-1]))
    return torch.stack(told)


def corrections(
    score: Score, x: Tensor, times: Tensor, f: Tensor, g: Tensor, r: float, noise: Tensor
) -> Tensor:
    """x and the corrected states, in the place of what the predictor leaves."""
    told = [x]
    for i in range(len(times) - 1):
        p = Place(score, x, times, f, g, r, noise, i)
        told.append(corrected(p))
        x = predicted(p, told[-1])
    return torch.stack(told)
