"""A sampler's loop whose step may be another one: what right samplers, wrong ones and the suspects of chapter 07 have in common."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ...denoisers import EpsModel
from .ch03 import predict
from .ch07_ddim import fresh_std, kept, right_step
from .data import Mutant


@dataclass(frozen=True)
class Part:
    """What step k = 1..n of a sampler knows: the state x at time t, the next time p, and all that the sampler was given."""

    model: EpsModel
    x: Tensor
    t: int
    p: int
    eta: float
    z: Tensor
    ab: Tensor
    k: int
    noise: Tensor
    x_T: Tensor
    kept: dict[str, Tensor]  # what a sampler keeps from step to step
    times: list[int]

    @property
    def n(self) -> int:
        return len(self.noise)

    def begin(self) -> "Part":
        """The same with x_T as the state."""
        return replace(self, x=self.x_T)


Step = Callable[[Part], Tensor]


def swap(
    eps: Callable[[Part], Tensor] | None = None,
    asked: Callable[[Part], int] = lambda q: q.t,
    **other: Callable[[Part], Any],
) -> Step:
    """The right step, in which other(part) stands for p, z or eta. asked: what the model is told. eps: its own prediction."""

    def step(part: Part) -> Tensor:
        predicted = eps(part) if eps else predict(part.model, part.x, asked(part))
        q = replace(part, **{name: change(part) for name, change in other.items()})
        return right_step(q.x, predicted, *kept(q.t, q.p, q.ab), q.eta, q.z)

    return step


def cut(
    ending: Callable[[Part, Tensor, Tensor, Tensor], Tensor], most: float = 0, scaled: bool = True
) -> Step:
    """A step with its own ending(part, eps, ab_prev, s). most: clips the guess x0, if above 0. scaled: by sqrt(ab_prev)?"""

    def step(q: Part) -> Tensor:
        a, b = kept(q.t, q.p, q.ab)
        eps = predict(q.model, q.x, q.t)
        x0 = (q.x - (1 - a).sqrt() * eps) / a.sqrt()
        x0 = x0.clamp(-most, most) if most else x0
        return (b.sqrt() if scaled else 1) * x0 + ending(q, eps, b, fresh_std(a, b, q.eta))

    return step


def first_prediction(q: Part) -> Tensor:
    """The prediction of the first step, which is made once."""
    if q.k == 1:
        q.kept["eps"] = predict(q.model, q.x, q.t)
    return q.kept["eps"]


def first_time(q: Part) -> int:
    """The time at which the first step begins."""
    return int(q.kept.setdefault("t", torch.tensor(q.t)))


def of_clipped(q: Part) -> Tensor:
    """The noise that would have led to the clipped guess x0."""
    a, _ = kept(q.t, q.p, q.ab)
    x0 = (q.x - (1 - a).sqrt() * predict(q.model, q.x, q.t)) / a.sqrt()
    return (q.x - a.sqrt() * x0.clamp(-1, 1)) / (1 - a).sqrt()


def last_noise(q: Part) -> Tensor:
    """The right step, and fresh noise in the step to 0, as of a variance beta of that step, 1 - ab_t."""
    x = RIGHT(q)
    return x if q.p else x + q.eta * (1 - q.ab[q.t - 1]).sqrt() * q.z


RIGHT = swap()


def walk(
    eps_model: EpsModel,
    x_T: Tensor,
    times: Tensor,
    eta: float,
    noise: Tensor,
    alpha_bar: Tensor,
    step: Step = RIGHT,
) -> Tensor:
    """x_T, and the states after each step, down to time 0: (n + 1, B, *S)."""
    states, own = [x_T], dict[str, Tensor]()
    told = [*times.tolist(), 0]
    for k, (t, p) in enumerate(pairwise(told), 1):
        part = Part(eps_model, states[-1], t, p, eta, noise[k - 1], alpha_bar, k, noise, x_T, own, told[:-1])
        states.append(step(part))
    return torch.stack(states)


def walked(hint: str, step: Step) -> Mutant:
    return Mutant(hint, partial(walk, step=step))
