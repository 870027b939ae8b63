"""A chain of three states and three steps: its bound as one expectation over the paths and as a sum of terms, right and wrong.

q[t - 1, i, j] = q(x_t = j | x_{t-1} = i), p[t - 1, j, i] = p(x_{t-1} = i | x_t = j): the row is the state that is given.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from .ch01_slips import altered
from .data import Mutant

Both = tuple[Tensor, Tensor]


def bound(q: Tensor, p: Tensor, prior: Tensor, x0: int) -> Both:
    return whole(q, p, prior, x0), torch.stack([part(q, p, prior, x0) for part in (last, middle, first)])


# ---- one expectation: tables over the paths, entry [x_1, x_2, x_3]


def of_paths(q: Tensor, x0: int) -> Tensor:
    """q(x_1, x_2, x_3 | x_0)."""
    return q[0, x0, :, None, None] * q[1, :, :, None] * q[2]


def of_model(p: Tensor, prior: Tensor, x0: int) -> Tensor:
    """p(x_0, x_1, x_2, x_3)."""
    return p[0, :, x0, None, None] * p[1].T[:, :, None] * p[2].T * prior


def whole(q: Tensor, p: Tensor, prior: Tensor, x0: int) -> Tensor:
    return whole_under(of_paths(q, x0), of_model(p, prior, x0))


def whole_under(paths: Tensor, model: Tensor) -> Tensor:
    return (paths * (paths / model).log()).sum()


# ---- three kinds of terms


def marginals(q: Tensor, x0: int) -> list[Tensor]:
    """q(x_t | x_0) for t = 1, 2, 3."""
    laws = [q[0, x0]]
    for step in q[1:]:
        laws.append(laws[-1] @ step)
    return laws


def law(numbers: Tensor) -> Tensor:
    """Positive numbers as probabilities along the last axis."""
    return numbers / numbers.sum(-1, keepdim=True)


def kl(one: Tensor, other: Tensor) -> Tensor:
    """Over the last axis."""
    return (one * (one / other).log()).sum(-1)


def posterior(before: Tensor, step: Tensor) -> Tensor:
    """q(x_{t-1} | x_t, x_0), entry [x_t, x_{t-1}], from q(x_{t-1} | x_0) and q(x_t | x_{t-1})."""
    joint = (before[:, None] * step).T
    return joint / joint.sum(1, keepdim=True)


def last(q: Tensor, p: Tensor, prior: Tensor, x0: int) -> Tensor:
    return kl(marginals(q, x0)[2], prior)


def middle(q: Tensor, p: Tensor, prior: Tensor, x0: int) -> Tensor:
    laws = marginals(q, x0)
    return sum(
        (laws[t] @ kl(posterior(laws[t - 1], q[t]), p[t]) for t in (1, 2)), torch.zeros_like(q[0, 0, 0])
    )


def first(q: Tensor, p: Tensor, prior: Tensor, x0: int) -> Tensor:
    return -(q[0, x0] @ p[0, :, x0].log())


# ---- slips


def of_whole(hint: str, formula: Callable[..., Tensor]) -> Mutant:
    """A mutant with the right terms, and formula(q(x_{1:3} | x_0), p(x_{0:3})) in the place of the expectation."""

    def function(q: Tensor, p: Tensor, prior: Tensor, x0: int) -> Both:
        return formula(of_paths(q, x0), of_model(p, prior, x0)), bound(q, p, prior, x0)[1]

    return Mutant(hint, function)


def of_terms(hint: str, place: int, formula: Callable[..., Tensor]) -> Mutant:
    """A mutant with another L_T (place 0), sum of L_{t-1} (1) or L_0 (2): formula(q, p, prior, x0)."""

    def function(q: Tensor, p: Tensor, prior: Tensor, x0: int) -> Both:
        one, terms = bound(q, p, prior, x0)
        terms[place] = formula(q, p, prior, x0)
        return one, terms

    return Mutant(hint, function)


def of_steps(hint: str, step: Callable[..., Tensor]) -> Mutant:
    """A mutant whose L_{t-1} are step(q(x_{t-1} | x_0), q(x_t | x_{t-1}), q(x_t | x_0), p(x_{t-1} | x_t)), for t = 2 and 3."""

    def formula(q: Tensor, p: Tensor, prior: Tensor, x0: int) -> Tensor:
        laws = marginals(q, x0)
        return step(laws[0], q[1], laws[1], p[1]) + step(laws[1], q[2], laws[2], p[2])

    return of_terms(hint, 1, formula)


def each_for_itself(times: Sequence[int]) -> Callable[..., Both]:
    """Four terms, those between the ends at these indices of q."""

    def function(q: Tensor, p: Tensor, prior: Tensor, x0: int) -> Both:
        laws, (one, terms) = marginals(q, x0), bound(q, p, prior, x0)
        steps = [laws[t] @ kl(posterior(laws[t - 1], q[t]), p[t]) for t in times]
        return one, torch.stack([terms[0], *steps, terms[2]])

    return function


def one_read_wrong(place: int, **changes: Callable) -> Callable[..., Both]:
    """Result `place` made with changed arguments, the other with the right ones."""
    wrong = altered("", bound, **changes).function

    def function(*args: Any) -> Both:
        results = (wrong(*args), bound(*args)) if place == 0 else (bound(*args), wrong(*args))
        return results[0][0], results[1][1]

    return function


def of_tables(back: Sequence[int] = (1, 2), model: Sequence[int] = (1, 2)) -> Callable[..., Both]:
    """Right terms but for the tables of steps t = 2 and 3: those of q in the posteriors, those of p that they are compared with."""

    def function(q: Tensor, p: Tensor, prior: Tensor, x0: int) -> Both:
        laws, (one, terms) = marginals(q, x0), bound(q, p, prior, x0)
        steps = [
            laws[t] @ kl(posterior(laws[t - 1], q[i]), p[j])
            for t, i, j in zip((1, 2), back, model, strict=True)
        ]
        return one, torch.stack([terms[0], steps[0] + steps[1], terms[2]])

    return function


def all_turned(q: Tensor, p: Tensor, prior: Tensor, x0: int) -> Both:
    """Every KL the other way round."""
    laws, (one, terms) = marginals(q, x0), bound(q, p, prior, x0)
    steps = [laws[t] @ kl(p[t], posterior(laws[t - 1], q[t])) for t in (1, 2)]
    return one, torch.stack([kl(prior, laws[2]), steps[0] + steps[1], terms[2]])
