"""Checks of chapter 02, the find-out: the q under which the bound of a small chain is no bound but the truth."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .ch01_slips import after, altered, in_float32
from .ch02_bound import chain
from .ch02_paths import law
from .data import Check, Mutant
from .inputs import Draw

Laws = Callable[[Tensor, Tensor], list[Tensor]]


def closing_q(p: Tensor, prior: Tensor) -> Tensor:
    return by_step(p, prior, bayes)


def bayes(step: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """p(x_t | x_{t-1}), entry [x_{t-1}, x_t], from p(x_{t-1} | x_t) and the laws of x_{t-1} and of x_t."""
    return step.T * after / before[:, None]


def laws_of(p: Tensor, prior: Tensor) -> list[Tensor]:
    """p(x_0), ..., p(x_3) of the model."""
    laws = [prior]
    for step in p.flip(0):
        laws.append(laws[-1] @ step)
    return laws[::-1]


def by_step(p: Tensor, prior: Tensor, formula: Callable, laws: Callable = laws_of) -> Tensor:
    found = laws(p, prior)
    return torch.stack([formula(p[t - 1], found[t - 1], found[t]) for t in (1, 2, 3)])


def slip(hint: str, formula: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Mutant:
    """A mutant with another formula(p(x_{t-1} | x_t), p(x_{t-1}), p(x_t))."""
    return Mutant(hint, lambda p, prior: by_step(p, prior, formula))


def law_slip(hint: str, laws: Laws) -> Mutant:
    """A mutant with other laws(p, prior) of x_0, ..., x_3, and rows made to add up to 1."""
    return Mutant(hint, lambda p, prior: law(by_step(p, prior, bayes, laws)))


def law_slips(hint: str, laws: Laws) -> Iterator[Mutant]:
    """The same with rows that are left as they come, too."""
    yield law_slip(hint, laws)
    yield Mutant(f"{hint} And the rows must add up to 1.", lambda p, prior: by_step(p, prior, bayes, laws))


def for_t(*laws: int) -> Callable[[Tensor, Tensor], list[Tensor]]:
    """Laws for Bayes' rule at t = 1, 2, 3 that are those of x at these times; 4 is the uniform law. (Rows are made to add up to 1.)"""

    def function(p: Tensor, prior: Tensor) -> list[Tensor]:
        known = [*laws_of(p, prior), torch.full_like(prior, 1 / 3)]
        return [known[0], *(known[k] for k in laws)]

    return function


def stationary(p: Tensor, prior: Tensor) -> list[Tensor]:
    return [prior, *(torch.linalg.matrix_power(step, 512)[0] for step in p)]


def tables(*places: int) -> Callable[[Tensor, Tensor], Tensor]:
    """Bayes' rule with the right laws, and p at these places in the place of p[0], p[1], p[2]."""

    def function(p: Tensor, prior: Tensor) -> Tensor:
        laws = laws_of(p, prior)
        return torch.stack([law(bayes(p[k], laws[i], laws[i + 1])) for i, k in enumerate(places)])

    return function


def one_joint(p: Tensor, prior: Tensor, t: int) -> Tensor:
    q = closing_q(p, prior)
    q[t - 1] *= laws_of(p, prior)[t - 1][:, None]
    return q


def twice(first: Mutant, words: str, change: Callable[[Tensor], Tensor]) -> Mutant:
    return Mutant(
        f"two mistakes at once: {first.hint} And {words}", lambda *args: change(first.function(*args))
    )


def forwards(p: Tensor, prior: Tensor) -> list[Tensor]:
    laws = [prior]
    for step in p:
        laws.append(laws[-1] @ step)
    return laws


def with_q(p: Tensor, prior: Tensor) -> list[Tensor]:
    """The law of x_t, walked down with the table q of x_{t-1} and x_t."""
    laws = [prior]
    for step in p.flip(0):
        laws.append(law(step.T * laws[-1]) @ laws[-1])
    return laws[::-1]


def from_above(p: Tensor, prior: Tensor) -> Tensor:
    """p(x_3 | x_{t-1}) in all steps."""
    steps = p[2], p[2] @ p[1], p[2] @ p[1] @ p[0]
    return torch.stack([law(step.T * prior) for step in steps[::-1]])


def models(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Probabilities of all sizes; and a model whose steps are all alike."""
    numbers = 10 ** d.shuffled(d.ladder(-4, 0, 27)).reshape(3, 3, 3)
    yield "rare states", (law(numbers), law(10 ** d.shuffled(d.ladder(-3, 0, 3))))
    _, p, prior = chain(d)
    yield "three equal steps", (p[:1].repeat(3, 1, 1), prior)


FORMULAS = [
    Mutant("p itself: q leads from x_{t-1} to x_t, p the other way.", lambda p, prior: p),
    slip("p with rows and columns swapped: its rows do not add up to 1, Bayes' rule has two more factors. Or the joint, divided by p(x_t): divide by p(x_{t-1}), the sum over x_t.", lambda s, b, a: s.T),
    slip(
        "p with rows and columns swapped and the rows made to add up to 1, with no p(x_t) in it: Bayes' rule weights each x_t with p(x_t). "
        "Along the wrong axis p(x_t) cancels, too: it belongs to the rows of p[t - 1], law[:, None].",
        lambda s, b, a: law(s.T),
    ),
    slip("Bayes' rule without p(x_{t-1}), by which it divides: the rows must add up to 1.", lambda s, b, a: s.T * a),
    slip("Bayes' rule without p(x_t): its rows do not add up to 1.", lambda s, b, a: s.T / b[:, None]),
    slip("Bayes' rule turned over: p(x_t) stands above, p(x_{t-1}) below.", lambda s, b, a: s.T * b[:, None] / a),
    slip("Bayes' rule turned over, and its rows made to add up to 1: p(x_t) stands above, p(x_{t-1}) below.", lambda s, b, a: law(s.T * b[:, None] / a)),
    slip("Bayes' rule divided by p(x_t) along the rows: it is divided by p(x_{t-1}), the law one step further down.", lambda s, b, a: s.T * a / a[:, None]),
    slip("Bayes' rule divided by the column sums of p: it is divided by p(x_{t-1}), in which each x_t has its weight p(x_t).", lambda s, b, a: s.T * a / s.sum(0)[:, None]),
    slip("laws along the wrong axes: p(x_{t-1}) belongs to the rows of q, p(x_t) to the columns.", lambda s, b, a: s.T * a[:, None] / b),
    slip("a right table of p(x_t | x_{t-1}), its rows and columns swapped: the row is x_{t-1}.", lambda s, b, a: bayes(s, b, a).T),
    slip("the law of x_t alone, without p(x_{t-1} | x_t).", lambda s, b, a: a.expand(3, 3)),
    slip("a division by p(x_{t-1}) along the columns: it belongs to the rows, law[:, None].", lambda s, b, a: s.T * a / b),
    slip("softmax in the place of a division: divide a row of the joint by its sum, p(x_{t-1}).", lambda s, b, a: (s.T * a).softmax(-1)),
    slip("softmax in the place of Bayes' rule: p(x_{t-1} | x_t) p(x_t), divided by p(x_{t-1}).", lambda s, b, a: s.T.softmax(-1)),
    *(
        Mutant(f"a table of t = {t} that is the joint, not divided by p(x_{{t-1}}): its rows must add up to 1.", lambda p, prior, t=t: one_joint(p, prior, t))
        for t in (1, 2, 3)
    ),
]  # fmt: skip
LAWS = [
    law_slip(
        "the prior in every step: p(x_t) is that of the model at t, p(x_{t-1}) = sum over x_t of p(x_t) p(x_{t-1} | x_t).",
        lambda p, prior: [prior] * 4,
    ),
    law_slip("a uniform prior: p(x_3) is given.", lambda p, prior: laws_of(p, torch.full_like(prior, 1 / 3))),
    *law_slips(
        "laws that begin with the prior at t = 0: it is p(x_3), and the model runs from there down.", forwards
    ),
    law_slip(
        "laws that are walked upwards, the prior taken for that of x_1: it is p(x_3), so walk down from it, with p[2] first.",
        lambda p, prior: [prior, *forwards(p, prior)[:3]],
    ),
    law_slip("laws walked down with q: p(x_{t-1}) is law @ p[t - 1].", with_q),
    *law_slips("laws in the reverse order: the prior is that of x_3.", lambda p, prior: laws_of(p, prior)[::-1]),
    law_slip(
        "the laws one step off, p(x_{t-1}) in the place of p(x_t): the column x_t is weighted with the law of x_t.",
        lambda p, prior: [laws_of(p, prior)[0], *laws_of(p, prior)[:3]],
    ),
    *law_slips(
        "laws that take p's steps in the wrong order: the way down from x_3 begins with p[2].",
        lambda p, prior: laws_of(p.flip(0), prior),
    ),
    *law_slips(
        "laws made with p's columns: p(x_{t-1}) = sum over x_t of p(x_t) p(x_{t-1} | x_t), which is law @ p[t - 1].",
        lambda p, prior: laws_of(p.mT, prior),
    ),
    *law_slips(
        "laws made with p[2] in all steps of the way down: the step from x_t to x_{t-1} has p[t - 1].",
        lambda p, prior: laws_of(p[2:].expand(3, 3, 3), prior),
    ),
    *law_slips(
        "laws made with p[0] in all steps of the way down: the step from x_t to x_{t-1} has p[t - 1].",
        lambda p, prior: laws_of(p[:1].expand(3, 3, 3), prior),
    ),
    law_slip("the law of x_0 in the place of that of x_1: only q[0] is wrong, which is weighted with the law of x_1.", for_t(0, 2, 3)),
    law_slip("the law of x_1 in the place of that of x_2: only q[1] is wrong, which is weighted with the law of x_2.", for_t(1, 1, 3)),
    law_slip("the law of x_2 in the place of the prior: only q[2] is wrong, which is weighted with the law of x_3.", for_t(1, 2, 2)),
    law_slip("a uniform law of x_1: that of the model is prior @ p[2] @ p[1].", for_t(4, 2, 3)),
    law_slip("uniform laws of x_1 and x_2: only that of x_3 is given, the others are p(x_{t-1}) = sum over x_t of p(x_t) p(x_{t-1} | x_t).", for_t(4, 4, 3)),
    law_slip("the law of x_2 in the place of that of x_1: q[1] and q[2] are right, q[0] is weighted with the law of x_1.", for_t(2, 2, 3)),
    law_slip("the prior in the place of the law of x_2: q[0] and q[2] are right, q[1] is weighted with the law of x_2.", for_t(1, 3, 3)),
    law_slip("laws one step late, p(x_{t+1}) in the place of p(x_t): the column x_t is weighted with the law of x_t; only that of x_3 is the prior.", for_t(2, 3, 3)),
    law_slip("the stationary law of each table: p(x_t) is that of the model at t, from the prior down.", stationary),
]  # fmt: skip
TABLES = [
    Mutant("uniform tables: q has to fit the model that is given.", lambda p, prior: torch.full_like(p, 1 / 3)),
    Mutant("the inverse matrices of p: a law is turned round by Bayes' rule.", lambda p, prior: torch.linalg.inv(p)),
    Mutant("p[t] in Bayes' rule for q[t - 1], with right laws: the step between x_{t-1} and x_t has p[t - 1].", tables(1, 2, 2)),
    Mutant("p[t - 2] in Bayes' rule for q[t - 1], with right laws: the step between x_{t-1} and x_t has p[t - 1].", tables(0, 0, 1)),
    *(
        Mutant(f"p[{k}] in Bayes' rule for every step, with right laws: the step between x_{{t-1}} and x_t has p[t - 1].", tables(k, k, k))
        for k in range(3)
    ),
    Mutant("the product of p's tables down from x_3, with the prior: q[t - 1] is Bayes' rule for one step, with the law of x_t.", from_above),
    altered("p[t - 2] in step t, in the laws and in Bayes' rule: it has p[t - 1].", closing_q, p=lambda p: p.roll(1, 0)),
    altered("p[t] in step t, in the laws and in Bayes' rule: it has p[t - 1].", closing_q, p=lambda p: p.roll(-1, 0)),
    altered("p read from the back: p[t - 1] is the step from x_t to x_{t-1}.", closing_q, p=lambda p: p.flip(0)),
    after("the steps in the reverse order: entry t - 1 is the step from x_{t-1} to x_t.", closing_q, lambda q: q.flip(0)),
    after("the table of t = 1 alone, one of three: return all of them, stacked.", closing_q, lambda q: q[0]),
    after("the table of t = 3 alone, one of three: return all of them, stacked.", closing_q, lambda q: q[2]),
    after("tables that are stacked along axis 1: the first axis counts the steps, as torch.stack makes it with dim=0.", closing_q, lambda q: q.movedim(0, 1)),
    after("tables that are stacked along the last axis: the first axis counts the steps, as torch.stack makes it with dim=0.", closing_q, lambda q: q.movedim(0, 2)),
    after("logarithms: return the probabilities.", closing_q, torch.log),
    in_float32(closing_q),
]  # fmt: skip
# Two slips at once: tables that lie the wrong way, and one of these, by the beginnings of their hints.
BESIDES = (
    "Bayes' rule without",
    "the prior in every step",
    "a uniform prior",
    "laws that begin",
    "uniform laws of x_1",
)
PAIRS = [
    twice(mutant, words, change)
    for mutant in (*FORMULAS, *LAWS)
    for words, change in {
        "rows and columns are swapped: the row is x_{t-1}.": lambda q: q.mT,
        "the steps are in the reverse order: entry t - 1 is the step from x_{t-1} to x_t.": lambda q: q.flip(0),
    }.items()
    if mutant.hint.startswith(BESIDES) or (mutant.hint.startswith("a right table") and "reverse" in words)
]  # fmt: skip

CLOSING_Q = Check(
    id="02-closing_q",
    points=4,
    minutes=25,
    level=3,
    reference=closing_q,
    inputs=lambda d: chain(d)[1:],
    fixed=models,
    where="equation (8) in section 3 of this notebook: the gap is KL(q(x_{1:T} | x_0) || p(x_{1:T} | x_0)), and 0 where q is the model's "
    "own posterior. So q[t - 1, i, j] must be the model's p(x_t = j | x_{t-1} = i), by Bayes' rule.",
    recording=False,
    same_dtype=True,
    outputs=("q",),
    mutants=[*FORMULAS, *LAWS, *TABLES, *PAIRS],
)
