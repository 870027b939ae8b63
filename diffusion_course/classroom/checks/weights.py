"""The weights of a sampler's steps, measured: a step that is linear in its state, its models' answers and its draw is known by them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

# (first state, the model's answers, the draws of the steps) -> all states: (n + 1,)
Run = Callable[[float, Sequence[float], Sequence[float]], Tensor]


@dataclass
class Scripted:
    """A model whose k-th answer is the k-th number, whatever it is shown."""

    answers: Sequence[float]
    asked: list[Any] = field(default_factory=list)

    def __call__(self, x: Tensor, *told: Any) -> Tensor:
        self.asked.append(told)
        return torch.full_like(x, self.answers[len(self.asked) - 1])


@dataclass(frozen=True)
class Named:
    """What the parts of step k = 1..n are called. answers: the numbers, from 0 on, of the answers that it uses, and their names."""

    state: Callable[[int], str]
    answers: Callable[[int], dict[int, str]]
    draw: Callable[[int], str]
    step: Callable[[int], str]


def first_wrong(mine: Run, right: Run, named: Named, steps: int, calls: int) -> str:
    """The weights of the first step that has a wrong one, in a sentence; "" where all are right, or the steps are not linear."""
    got, want = _weights(mine, named, steps, calls), _weights(right, named, steps, calls)
    for k, (one, other) in enumerate(zip(got, want, strict=True), 1):
        wrong = {name: (one[name], other[name]) for name in other if not _same(one[name], other[name])}
        if wrong:
            told = ", ".join(f"{name} by {a:.4g} (want {b:.4g})" for name, (a, b) in wrong.items())
            rest = [name for name in other if name not in wrong]
            fine = f"{', '.join(rest)} by the right number{'s' * (len(rest) > 1)}" if rest else ""
            return (
                f"On a run of {steps} steps {named.step(k)} of yours multiplies {told}{fine and f'; {fine}'}."
            )
    return ""


def _same(a: float, b: float) -> bool:
    return abs(a - b) <= 1e-9 * max(1.0, abs(b))


def _weights(run: Run, named: Named, steps: int, calls: int) -> list[dict[str, float]]:
    """Of each step: name -> weight. Raises ValueError for a run that is not linear."""

    def unit(n: int, place: int) -> list[float]:
        return [float(i == place) for i in range(n)]

    silent, still = [0.0] * calls, [0.0] * steps
    states = run(1.0, silent, still)
    doubled = run(-2.0, silent, still)
    if bool(run(0.0, silent, still).any()) or not torch.allclose(doubled, -2 * states):
        raise ValueError("the steps are not linear")
    found = []
    for k in range(1, steps + 1):
        weights = {named.state(k): float(states[k] / states[k - 1])}
        for number, name in named.answers(k).items():
            weights[name] = float(run(0.0, unit(calls, number), still)[k])
        weights[named.draw(k)] = float(run(0.0, silent, unit(steps, k - 1))[k])
        found.append(weights)
    return found
